package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
)

func TestZZ(t *testing.T) {
	for _, rate := range []float64{0.05, 0.2} {
		for _, seed := range []uint64{5, 6} {
			e, dev := small(t, 8), device(t, 1)
			e.recipe.LearningRate = rate
			start := must(e.s.Initial(rng.New(seed, "weights", 0), false))
			folder := t.TempDir()
			if err := writePlan(folder, must(e.files(start))); err != nil { t.Fatal(err) }
			d := filepath.Join(folder, "d.json")
			if text, err := exec.Command(os.Getenv("DAEDALUS_TORCH"), "torch_supernet.py", "--plan", folder, "--device", "cpu", "--threads", "1", "--dump", d).CombinedOutput(); err != nil { t.Fatalf("%s", text) }
			var dump struct{ Losses []float64; Weights [][]float32 }
			if err := json.Unmarshal(must(os.ReadFile(d)), &dump); err != nil { t.Fatal(err) }
			m := must(e.machine(dev, start))
			l := must(e.loader()); b := l.NewBatch()
			for i := range 8 {
				l.Fill(b, 0, i)
				loss := must(m.step(must(e.sample(i)), b, e.recipe.Rate(int64(i), e.length())))
				t.Logf("rate %v seed %d step %d rate %.4f: %.7f %.7f diff %.1e", rate, seed, i, e.recipe.Rate(int64(i), e.length()), loss, dump.Losses[i], loss-dump.Losses[i])
			}
		}
	}
}
