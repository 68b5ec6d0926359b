package columns

import (
	"math"
	"slices"
	"testing"
)

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	texts := []string{"0.1", "-3.25", "1e-3", "12", "7.5000000", "-0.001", "123456.789"}
	c := Column{Name: "x", Decimals: 3}
	for _, s := range texts {
		if err := c.Add(s); err != nil {
			t.Fatal(err)
		}
	}
	big := Column{Name: "big", Decimals: 0, Values: []int64{math.MaxInt32, 0, -5, 1 << 40, 3, 3, 3}}
	one := Column{Name: "one", Decimals: 2, Values: []int64{7, 7, 7, 7, 7, 7, 7}}
	file, err := Pack([]Column{c, big, one})
	if err != nil {
		t.Fatal(err)
	}
	f, err := Open(file)
	if err != nil || f.Rows() != 7 || !slices.Equal(f.Names(), []string{"x", "big", "one"}) {
		t.Fatalf("%v, %d rows, columns %v", err, f.Rows(), f.Names())
	}
	for name, want := range map[string][]float64{
		"x":   {0.1, -3.25, 0.001, 12, 7.5, -0.001, 123456.789},
		"big": {math.MaxInt32, 0, -5, 1 << 40, 3, 3, 3}, "one": {0.07, 0.07, 0.07, 0.07, 0.07, 0.07, 0.07},
	} {
		if got, err := f.Column(name); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s = %v, %v, want %v", name, got, err, want)
		}
	}
	if _, err := f.Column("y"); err == nil {
		t.Error("a column that is not there gave no error")
	}
	for _, s := range []string{"", "x", "0.0001", "1.2.3", "1e30", "1e-9"} {
		if err := (&Column{Decimals: 3}).Add(s); err == nil {
			t.Errorf("Add(%q) gave no error", s)
		}
	}
	for n := range len(file) {
		if f, err := Open(file[:n]); err == nil {
			t.Errorf("the first %d bytes were opened: %v", n, f.Names())
		}
	}
	if _, err := Open(append(slices.Clone(file), 0)); err == nil {
		t.Error("a file with a byte too many was opened")
	}
}

func FuzzOpen(f *testing.F) {
	file, err := Pack([]Column{{Name: "x", Decimals: 1, Values: []int64{1, 2, 300}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(file)
	f.Fuzz(func(t *testing.T, b []byte) {
		if f, err := Open(b); err == nil && f.Rows() < 1000 {
			for _, name := range f.Names() {
				f.Column(name)
			}
		}
	})
}
