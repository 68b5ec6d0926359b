//go:build unix

package score_test

import (
	"syscall"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/nets"
	"github.com/daedalus-search/daedalus/neural/score"
	"github.com/daedalus-search/daedalus/neural/train/engine"
)

// processorSeconds is the time of this process so far: a busy machine spoils the other.
func processorSeconds() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// BenchmarkScore reports networks a second of processor time, the mean of random cells of
// NAS-Bench-201 with 16 channels and 5 cells a stage on 16 images of 16×16, from a new
// graph to the score, with one thread. Run with GOMAXPROCS=1; two idle cores do twice as
// many (Options.All).
func BenchmarkScore(b *testing.B) {
	for _, name := range score.Names() {
		b.Run(name, func(b *testing.B) {
			s, err := score.New(score.Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			batch := noise(16, neural.Shape{3, 16, 16})
			best := 0.0
			for b.Loop() {
				const n = 16
				start := processorSeconds()
				for i := range n {
					g := randomCell(b, uint64(i), 5)
					if _, err := s.Compute(g, batch, name); err != nil {
						b.Fatal(err)
					}
				}
				best = max(best, n/(processorSeconds()-start))
			}
			b.ReportMetric(best, "networks/s")
		})
	}
}

func randomCell(tb testing.TB, i uint64, cells int) *neural.Graph {
	r := rng.New(1, "cells", i)
	n := nets.NASBench201{Cells: cells, Image: neural.Shape{3, 16, 16}}
	for k := range n.Ops {
		n.Ops[k] = nets.CellOp(r.IntN(5))
	}
	g, err := n.Graph()
	if err != nil {
		tb.Fatal(err)
	}
	return g
}

// noise is a batch of normal noise with classes in turn.
func noise(n int, s neural.Shape) *engine.Batch {
	r := rng.New(1, "noise", 0)
	b := &engine.Batch{N: n, Inputs: [][]float32{make([]float32, n*int(s.Elements()))}}
	for k := range b.Inputs[0] {
		b.Inputs[0][k] = float32(rng.Norm(r))
	}
	for k := range n {
		b.Classes = append(b.Classes, int32(k%10))
	}
	return b
}
