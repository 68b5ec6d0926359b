package engine_test

import (
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/train/engine"
)

// train takes some steps and returns the weights and the statistics.
func train(t *testing.T, d *engine.Device, g *neural.Graph, steps int) neural.Weights {
	t.Helper()
	r := rng.New(3, "train", 0)
	p := params(t, d, g, g.Initial(r))
	n, err := p.Net(g)
	if err != nil {
		t.Fatal(err)
	}
	sum, _ := p.NewGradient()
	opt, _ := p.NewOptimizer(engine.Optimizer{Kind: engine.AdamW, WeightDecay: 0.05, Clip: 1})
	var b *engine.Batch
	for step := range steps {
		b = random(r, g, 16, true).batch()
		if _, err := n.Gradient(b, engine.Loss{Smoothing: 0.1}, engine.Noise{Seed: uint64(step), Drop: 1}, sum); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Step(opt, sum, 0.01); err != nil {
			t.Fatal(err)
		}
	}
	if err := n.Recalibrate(b); err != nil {
		t.Fatal(err)
	}
	w, err := n.Weights()
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// Training gives the same bits with any number of threads.
func TestThreads(t *testing.T) {
	for _, g := range []*neural.Graph{build(t, mobile(16, 5, 3, 2)), build(t, transformer(2, 2, 8, neural.LinearELU))} {
		var want neural.Weights
		for _, threads := range []int{1, 2, 5} {
			d := open(t, engine.Config{Threads: threads})
			if !strings.Contains(d.Name(), "thread") {
				t.Errorf("the device is called %q", d.Name())
			}
			got := train(t, d, g, 3)
			if want == nil {
				want = got
			} else if !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %d threads give other weights than 1", g.Name(), threads)
			}
		}
	}
}

// Too little memory is an error, and the device goes on with what fits.
func TestMemory(t *testing.T) {
	d := open(t, engine.Config{Threads: 1, Memory: 8 << 20})
	g := build(t, mobile(16, 5, 3, 2))
	r := rng.New(3, "memory", 0)
	p := params(t, d, g, g.Initial(r))
	n, err := p.Net(g)
	if err != nil {
		t.Fatal(err)
	}
	sum, _ := p.NewGradient()
	before, err := p.Weights()
	if err != nil {
		t.Fatal(err)
	}
	many, few := random(r, g, 512, true).batch(), random(r, g, 4, true).batch()
	for range 3 {
		if _, err := n.Gradient(many, engine.Loss{}, engine.Noise{}, sum); !errors.Is(err, engine.ErrMemory) {
			t.Fatalf("512 examples in 8 MB: %v", err)
		}
		if _, err := n.Gradient(few, engine.Loss{}, engine.Noise{}, sum); err != nil {
			t.Fatal(err)
		}
	}
	if after, err := p.Weights(); err != nil || !reflect.DeepEqual(before, after) {
		t.Errorf("the weights changed: %v", err)
	}
	used, peak := d.Memory()
	if used <= 0 || peak > 8<<20 || peak < used {
		t.Errorf("%d bytes in use and %d at most, of 8 MB", used, peak)
	}
	sum.Free()
	p.Free()
	if left, _ := d.Memory(); left >= used {
		t.Errorf("%d bytes in use after parameters were freed, before %d", left, used)
	}
}

// Two goroutines with parameters of their own share a device.
func TestShared(t *testing.T) {
	d := open(t, engine.Config{Threads: 2, Nets: 1}) // so that they throw each other's networks out
	g := build(t, mobile(8, 3, 2, 1))
	want := train(t, d, g, 2)
	var all sync.WaitGroup
	var got [2]neural.Weights
	for i := range got {
		all.Go(func() { got[i] = train(t, d, g, 2) })
	}
	all.Wait()
	for _, w := range got {
		if !reflect.DeepEqual(w, want) {
			t.Error("two at one time give other weights than one alone")
		}
	}
}
