package engine_test

import (
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/train/engine"
)

func sortedNames(w neural.Weights) []string { return slices.Sorted(maps.Keys(w)) }

// plainStep is an update in float64, number by number, as the papers and PyTorch write
// it.
func plainStep(o engine.Optimizer, steps int, axes map[string]int, w, g, m, v map[string][]float64, rate float64) (norm float64) {
	for _, x := range g {
		for _, y := range x {
			norm += y * y
		}
	}
	norm = math.Sqrt(norm)
	factor := 1.0
	if o.Clip > 0 && norm > o.Clip {
		factor = o.Clip / norm
	}
	for name := range g {
		decay := o.WeightDecay
		if axes[name] < 2 {
			decay = 0
		}
		for i := range g[name] {
			d := g[name][i] * factor
			x := &w[name][i]
			if o.Kind == engine.AdamW {
				*x -= rate * decay * *x
				m[name][i] = o.Beta1*m[name][i] + (1-o.Beta1)*d
				v[name][i] = o.Beta2*v[name][i] + (1-o.Beta2)*d*d
				t := float64(steps)
				*x -= rate * (m[name][i] / (1 - math.Pow(o.Beta1, t))) / (math.Sqrt(v[name][i]/(1-math.Pow(o.Beta2, t))) + o.Epsilon)
				continue
			}
			d += decay * *x
			m[name][i] = o.Momentum*m[name][i] + d
			if o.Plain {
				*x -= rate * m[name][i]
			} else {
				*x -= rate * (d + o.Momentum*m[name][i])
			}
		}
	}
	return norm
}

// optimizers are tried in every test of updates.
var optimizers = map[string]engine.Optimizer{
	"sgd":            {},
	"nesterov":       {Momentum: 0.9, WeightDecay: 0.01},
	"momentum":       {Momentum: 0.8, Plain: true, Clip: 0.5},
	"adamw":          {Kind: engine.AdamW, Beta1: 0.9, Beta2: 0.99, Epsilon: 1e-6, WeightDecay: 0.1},
	"adamw, clipped": {Kind: engine.AdamW, Beta1: 0.8, Beta2: 0.95, Epsilon: 1e-8, WeightDecay: 0.1, Clip: 0.1},
}

// Updates are those of the rules, written plainly.
func TestStep(t *testing.T) {
	onEach(t, func(t *testing.T, d *engine.Device) {
		for name, o := range optimizers {
			g := build(t, mobile(8, 3, 2, 1))
			r := rng.New(1, "step", 0)
			w := g.Initial(r)
			shake(r, w)
			p := params(t, d, g, w)
			n, err := p.Net(g)
			if err != nil {
				t.Fatal(err)
			}
			sum, _ := p.NewGradient()
			opt, err := p.NewOptimizer(o)
			if err != nil {
				t.Fatal(err)
			}
			axes := map[string]int{}
			wide := func(w neural.Weights, zero bool) map[string][]float64 {
				out := map[string][]float64{}
				for _, x := range g.AllWeights() {
					if x.State {
						continue
					}
					axes[x.Name] = x.Shape.Axes()
					for _, v := range w[x.Name] {
						if zero {
							v = 0
						}
						out[x.Name] = append(out[x.Name], float64(v))
					}
				}
				return out
			}
			want, m, v := wide(w, false), wide(w, true), wide(w, true)
			for step := 1; step <= 4; step++ {
				if _, err := n.Gradient(random(r, g, 4, true).batch(), engine.Loss{}, engine.Noise{}, sum); err != nil {
					t.Fatal(err)
				}
				grad, _ := sum.Host()
				rate := 0.1 / float64(step)
				norm := plainStep(o, step, axes, want, wide(grad, false), m, v, rate)
				got, err := p.Step(opt, sum, rate)
				if err != nil || !near(got, norm, 1e-5) {
					t.Fatalf("%s: step %d: norm %g, want %g; %v", name, step, got, norm, err)
				}
				have, _ := p.Weights()
				for x, v := range want {
					for i := range v {
						if math.Abs(float64(have[x][i])-v[i]) > 3e-5*max(1, math.Abs(v[i])) {
							t.Fatalf("%s: step %d: %s[%d] is %g, want %g", name, step, x, i, have[x][i], v[i])
						}
					}
				}
				if grad, _ = sum.Host(); grad["stem/conv/weight"][0] != 0 {
					t.Fatal("the gradient is not zero after a step")
				}
			}
		}
	})
}

// Weights that no network touched stay, with their momentum; a part of a weight that is
// touched is a whole weight that is touched.
func TestStepTouches(t *testing.T) {
	onEach(t, func(t *testing.T, d *engine.Device) {
		large, small := build(t, mobile(8, 5, 3, 2)), build(t, mobile(8, 3, 2, 1))
		r := rng.New(1, "touch", 0)
		p := params(t, d, large, large.Initial(r))
		sum, _ := p.NewGradient()
		opt, _ := p.NewOptimizer(engine.Optimizer{Kind: engine.AdamW, WeightDecay: 0.1})
		b := random(r, large, 4, true).batch()
		step := func(g *neural.Graph) (neural.Weights, map[string][]float32) {
			n, err := p.Net(g)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := n.Gradient(b, engine.Loss{}, engine.Noise{}, sum); err != nil {
				t.Fatal(err)
			}
			if _, err := p.Step(opt, sum, 0.01); err != nil {
				t.Fatal(err)
			}
			w, err := p.Weights()
			if err != nil {
				t.Fatal(err)
			}
			state, _, err := opt.Host()
			if err != nil {
				t.Fatal(err)
			}
			return w, state
		}
		before, state := step(large)
		after, later := step(small)
		inSmall := map[string]bool{}
		for _, x := range small.AllWeights() {
			inSmall[x.Name] = true
		}
		stayed := 0
		for _, x := range large.AllWeights() {
			if x.State {
				continue
			}
			same := reflect.DeepEqual(before[x.Name], after[x.Name])
			if same == inSmall[x.Name] {
				t.Errorf("%s: in the network: %v, unchanged: %v", x.Name, inSmall[x.Name], same)
			}
			if !inSmall[x.Name] {
				stayed++
				if !reflect.DeepEqual(state[x.Name+"#first"], later[x.Name+"#first"]) {
					t.Errorf("%s: its momentum changed", x.Name)
				}
			}
		}
		if stayed == 0 {
			t.Error("every weight was touched")
		}
	})
}

// Training that was stopped and goes on is bit for bit that which was not.
func TestResume(t *testing.T) {
	onEach(t, func(t *testing.T, d *engine.Device) {
		for name, o := range optimizers {
			g := build(t, mobile(8, 3, 2, 1))
			small := build(t, mobile(8, 3, 1, 1))
			run := func(stop int) neural.Weights {
				r := rng.New(7, "resume", 0)
				p := params(t, d, g, g.Initial(r))
				opt, _ := p.NewOptimizer(o)
				sum, _ := p.NewGradient()
				for step := range 6 {
					if step == stop {
						w, err := p.Weights()
						if err != nil {
							t.Fatal(err)
						}
						numbers, steps, err := opt.Host()
						if err != nil {
							t.Fatal(err)
						}
						p = params(t, d, g, w)
						opt, _ = p.NewOptimizer(o)
						if err := opt.Load(numbers, steps); err != nil {
							t.Fatal(err)
						}
						sum, _ = p.NewGradient()
					}
					use := g
					if step == 1 {
						use = small
					}
					n, err := p.Net(use)
					if err != nil {
						t.Fatal(err)
					}
					if _, err := n.Gradient(random(r, g, 4, true).batch(), engine.Loss{}, engine.Noise{Seed: uint64(step), Drop: 1}, sum); err != nil {
						t.Fatal(err)
					}
					if _, err := p.Step(opt, sum, 0.05); err != nil {
						t.Fatal(err)
					}
				}
				w, err := p.Weights()
				if err != nil {
					t.Fatal(err)
				}
				return w
			}
			if want, got := run(-1), run(3); !reflect.DeepEqual(got, want) {
				t.Errorf("%s: the weights differ", name)
			}
		}
	})
}

// Clones are independent.
func TestClone(t *testing.T) {
	onEach(t, func(t *testing.T, d *engine.Device) {
		g := build(t, mobile(8, 3, 2, 1))
		w := g.Initial(rng.New(1, "clone", 0))
		p := params(t, d, g, w)
		w["stem/conv/weight"][0] = 99 // the caller's slices are the caller's
		c, err := p.Clone()
		if err != nil {
			t.Fatal(err)
		}
		before, _ := p.Weights()
		if before["stem/conv/weight"][0] == 99 {
			t.Error("the parameters are the caller's slices")
		}
		if err := c.Load(neural.Weights{"stem/conv/weight": make([]float32, len(w["stem/conv/weight"]))}); err != nil {
			t.Fatal(err)
		}
		if after, _ := p.Weights(); !reflect.DeepEqual(before, after) {
			t.Error("a clone changed the original")
		}
	})
}

func TestStateErrors(t *testing.T) {
	d := open(t, engine.Config{Backend: backends[0]})
	g := build(t, mobile(8, 3, 2, 1))
	p := params(t, d, g, g.Initial(rng.New(1, "state", 0)))
	s, _ := p.NewOptimizer(engine.Optimizer{Momentum: 0.9})
	name := "stem/conv/weight"
	n := int(g.AllWeights()[0].Shape.Elements())
	for want, x := range map[string]map[string][]float32{
		`found "other"`:          {"other": nil},
		"found 1 numbers, want ": {name + "#steps": {0, 1}, name + "#first": {1}},
		"#second":                {name + "#steps": {0, 1}, name + "#first": make([]float32, n), name + "#second": make([]float32, n)},
		"#steps":                 {name + "#steps": {-1, 1}, name + "#first": make([]float32, n)},
	} {
		if err := s.Load(x, 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
	if err := s.Load(nil, -1); err == nil {
		t.Error("−1 steps")
	}
	if err := s.Load(nil, 0); err != nil {
		t.Error(err)
	}
}
