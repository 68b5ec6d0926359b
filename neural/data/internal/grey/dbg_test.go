package grey

import (
	"fmt"
	"os"
	"syscall"
	"testing"
)

func cpu() float64 {
	var a syscall.Rusage
	syscall.Getrusage(0, &a)
	return float64(a.Utime.Nano()) / 1e9
}

func load() *Images {
	b, _ := os.ReadFile("/tmp/fm.bin")
	m := &Images{Height: 28, Width: 28, Classes: 10, Pixels: b[:30000*784], Labels: b[30000*784:]}
	return m
}

func TestDbg(t *testing.T) {
	m := load()
	raw, err := os.ReadFile("/tmp/fm/weights.bin")
	if err != nil {
		w, err := Fit(m)
		if err != nil {
			t.Fatal(err)
		}
		raw = make([]byte, len(w))
		for i := range w {
			raw[i] = byte(w[i])
		}
		os.WriteFile("/tmp/fm/weights.bin", raw, 0o644)
	}
	w := make([]int8, len(raw))
	for i := range w {
		w[i] = int8(raw[i])
	}
	file, err := Encode(m, w)
	if err != nil {
		t.Fatal(err)
	}
	one, err := Encode(&Images{Height: 28, Width: 28, Classes: 10}, w)
	best := 1e9
	for range 3 {
		a := cpu()
		_, err = Decode(file)
		best = min(best, cpu()-a)
	}
	fmt.Println(len(file), "weights", len(one), best, err)
}
