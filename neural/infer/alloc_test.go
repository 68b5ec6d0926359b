//go:build !race

package infer_test

import (
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural/infer"
	"github.com/daedalus-search/daedalus/neural/internal/randnet"
)

func TestRunAllocatesNothing(t *testing.T) {
	for name, g := range families(t) {
		r := rng.New(1, "infer", 0)
		n, err := infer.Compile(g, randnet.Weights(r, g), infer.Options{Batch: 2})
		if err != nil {
			t.Fatal(err)
		}
		var in [][]float32
		for _, i := range g.Inputs() {
			in = append(in, make([]float32, 2*g.Node(i).Shape.Elements()))
		}
		if a := testing.AllocsPerRun(10, func() {
			if _, err := n.Run(in...); err != nil {
				t.Fatal(err)
			}
		}); a != 0 {
			t.Errorf("%s: a run allocates %g times, want 0", name, a)
		}
	}
}
