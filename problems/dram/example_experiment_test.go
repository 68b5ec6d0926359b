//go:build experiment

package dram_test

import (
	"context"
	"testing"

	sim "github.com/daedalus-search/daedalus/hardware/dram"
	"github.com/daedalus-search/daedalus/problems/dram"
	"github.com/daedalus-search/daedalus/study"
	"github.com/daedalus-search/daedalus/studyfile"
)

// TestExampleFront runs examples/dram.yaml: its front holds designs that are
// better than ArchGym's default in time and in energy on each of the four traces,
// and how many is logged.
//
//	go test ./problems/dram -tags experiment -run ExampleFront -v
func TestExampleFront(t *testing.T) {
	f, err := studyfile.Load("../../examples/dram.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p, ok := f.Config.Problem.(*dram.Problem)
	if !ok {
		t.Fatalf("the example is about a %T", f.Config.Problem)
	}
	d, err := p.Design(sim.ArchGymDefault())
	if err != nil {
		t.Fatal(err)
	}
	base, err := p.Evaluate(context.Background(), d, nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := study.Run(t.Context(), f.Config)
	if err != nil {
		t.Fatal(err)
	}
	all := 0
	for _, m := range r.Front {
		wins := true
		for _, metric := range []string{"latency_ms", "energy_mj"} {
			for _, trace := range []string{"", "_stream", "_random", "_cloud_1", "_cloud_2"} {
				wins = wins && m.Values[metric+trace] < base[metric+trace]
			}
		}
		if wins {
			all++
		}
	}
	t.Logf("%d of %d designs of the front beat the default on every trace; it takes %.4f ms and %.4f mJ, the fastest %.4f ms and %.4f mJ", all, len(r.Front),
		base["latency_ms"], base["energy_mj"], r.Front[0].Values["latency_ms"], r.Front[0].Values["energy_mj"])
	if all == 0 {
		t.Error("no design of the front beats ArchGym's default on every trace")
	}
}
