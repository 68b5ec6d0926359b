//go:build experiment

package networks_test

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/data"
	"github.com/daedalus-search/daedalus/neural/latency"
	"github.com/daedalus-search/daedalus/neural/train"
	"github.com/daedalus-search/daedalus/neural/train/engine"
	"github.com/daedalus-search/daedalus/problems/networks"
)

// Could the accuracy of one network be computed while the latency of another is measured?
// Thirty networks of the default space are timed in turns with nothing beside them and
// with accuracies computed meanwhile, on one thread less than there are processors and on
// all. The first line is the noise of that: quiet against quiet.
//
//	GOEXPERIMENT=simd go test -tags experiment -run TestOverlapDisturbs -v -timeout 0 ./problems/networks
func TestOverlapDisturbs(t *testing.T) {
	ctx := t.Context()
	parts, err := data.Source{Name: "fashion-mnist"}.Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	p := open(t, networks.Vision{})
	r := rng.New(1, "overlap", 0)
	var graphs []*neural.Graph
	for range 30 {
		d, err := p.Space().Sample(r)
		if err != nil {
			t.Fatal(err)
		}
		var text bytes.Buffer
		if err := p.Export(&text, d, "json"); err != nil {
			t.Fatal(err)
		}
		g, err := neural.Parse(text.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		graphs = append(graphs, g)
	}
	measure := func(g *neural.Graph) (x [2]float64) {
		protocol := latency.Protocol{Precision: 0.01, Budget: 60 * time.Millisecond, Warmup: 5 * time.Millisecond}
		reports, err := latency.Measure(ctx, latency.Go(), latency.Options{}, protocol, g)
		if err != nil {
			t.Fatal(err)
		}
		return [2]float64{reports[0].Results[0].MinMS, reports[0].Results[0].MedianMS}
	}
	for _, threads := range []int{0, max(1, runtime.NumCPU()-1), runtime.NumCPU()} {
		var shift [2][]float64
		for i, g := range graphs {
			var quiet, busy [2]float64
			for range 4 {
				add := func(to *[2]float64, x [2]float64) { to[0], to[1] = to[0]+x[0], to[1]+x[1] }
				add(&quiet, measure(g))
				stop := load(t, graphs[(i+1)%len(graphs)], parts, threads)
				add(&busy, measure(g))
				stop()
			}
			for k := range shift {
				shift[k] = append(shift[k], busy[k]/quiet[k]-1)
			}
		}
		text := fmt.Sprintf("%d threads beside it:", threads)
		for k, name := range []string{"minimum", "median"} {
			slices.Sort(shift[k])
			n := len(shift[k])
			text += fmt.Sprintf("  %s of the runs %+.1f %% (quartiles %+.1f … %+.1f, all %+.1f … %+.1f)", name, 100*shift[k][n/2], 100*shift[k][n/4], 100*shift[k][3*n/4], 100*shift[k][0], 100*shift[k][n-1])
		}
		t.Log(text)
	}
}

// load computes accuracies until it is stopped; on no threads, nothing.
func load(t *testing.T, g *neural.Graph, parts *data.Parts, threads int) (stop func()) {
	if threads == 0 {
		return func() {}
	}
	device, err := engine.Open(engine.Config{Backend: "cpu", Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	params, err := device.Params(g, g.Initial(rng.New(1, "overlap/weights", 0)))
	if err != nil {
		t.Fatal(err)
	}
	n, err := params.Net(g)
	if err != nil {
		t.Fatal(err)
	}
	if err := train.Recalibrate(t.Context(), n, g, parts.Train, parts.Scale, 256, 256, 1); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			if _, err := train.Evaluate(ctx, n, parts.Valid, parts.Scale, 256); err != nil && ctx.Err() == nil {
				t.Error(err)
				return
			}
		}
	})
	return func() {
		cancel()
		wg.Wait()
		if err := device.Close(); err != nil {
			t.Error(err)
		}
	}
}
