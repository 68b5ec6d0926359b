package supernet

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/internal/detmath"
	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/space"
)

// chiSquared returns the probability of a χ² statistic at least as large, by the
// approximation of Wilson and Hilferty (1931).
func chiSquared(x float64, freedom int) float64 {
	k := float64(freedom)
	z := (math.Cbrt(x/k) - (1 - 2/(9*k))) / math.Sqrt(2/(9*k))
	return 1 - detmath.Phi(z)
}

// Samplers draw what they say. Each test of the frequencies fails with probability
// 0.001 by chance for one seed; the seeds are fixed.
func TestFrequencies(t *testing.T) {
	t.Parallel()
	const level = 0.001
	s := mustNew(t, miniOFA(neural.Shape{1, 8, 8}))
	byDecision := map[string][2]float64{} // of layer counts and kernels: how often each option
	designs := map[space.Design]float64{}
	small, large := 0.0, 0.0
	const n = 8000
	for step := range uint64(n) {
		r := rng.New(3, "sample", step)
		for _, sampler := range []Sampler{Uniform{}, Uniform{Designs: true}} {
			d, err := sampler.Sample(r, s, s.Space())
			if err != nil {
				t.Fatal(err)
			}
			if sampler.(Uniform).Designs {
				designs[d[0]]++
				continue
			}
			for _, a := range d[0].Decisions(nil) {
				c := byDecision[a.Param.Path]
				c[a.Index]++
				byDecision[a.Param.Path] = c
			}
		}
	}
	if len(byDecision) != 6 {
		t.Fatalf("found decisions %v, want 6 kinds", byDecision)
	}
	for path, c := range byDecision {
		mean := (c[0] + c[1]) / 2
		if x := (c[0]-mean)*(c[0]-mean)/mean + (c[1]-mean)*(c[1]-mean)/mean; chiSquared(x, 1) < level {
			t.Errorf("uniform: %s: options were drawn %v times", path, c)
		}
	}
	x := 0.0
	for d := range s.Space().All() {
		x += (designs[d] - n/400.0) * (designs[d] - n/400.0) / (n / 400.0)
	}
	if p := chiSquared(x, 399); p < level {
		t.Errorf("designs: χ² of 400 networks is %.0f, of probability %.2g", x, p)
	}

	// Costs are flatter than by uniform decisions: as many networks in the lowest and
	// highest quarter of the range as half of all, where decisions give a few.
	low, _ := s.macs(s.Smallest())
	high, _ := s.macs(s.Largest())
	quarter := func(sampler Sampler) (low4, high4 float64) {
		for step := range uint64(400) {
			d, err := sampler.Sample(rng.New(4, "sample", step), s, s.Space())
			if err != nil {
				t.Fatal(err)
			}
			m, err := s.macs(d[0])
			if err != nil {
				t.Fatal(err)
			}
			switch at := (m - low) / (high - low); {
			case at < 0.25:
				low4++
			case at > 0.75:
				high4++
			}
		}
		return low4 / 400, high4 / 400
	}
	_, large = quarter(Uniform{})
	small, balanced := quarter(Balanced{})
	if large > 0.12 || balanced < 0.18 || small < 0.18 {
		t.Errorf("largest quarter of costs: uniform %.2f, balanced %.2f; smallest %.2f; want below 0.12, above 0.18 and 0.18", large, balanced, small)
	}
}

// Options come as often as their shares say, to 5 standard errors (a chance of 1 in 100,000
// for a right sampler, with a fixed seed), and constraints hold.
func TestWeighted(t *testing.T) {
	t.Parallel()
	s := mustNew(t, cells201(neural.Shape{3, 8, 8}, 4, 1))
	w := Weighted{N: 2, Shares: map[string]float64{"nor_conv_1x1": 3.5, "nor_conv_3x3": 3.5, "none": 0}}
	const steps = 2000
	var found [5]float64
	for step := range uint64(steps) {
		two, err := w.Sample(rng.New(1, "sample", step), s, s.Space())
		if err != nil || len(two) != 2 {
			t.Fatalf("%v: found %d networks, want 2: %v", w, len(two), err)
		}
		for _, d := range two {
			for _, o := range d.Numbers(nil) {
				found[int(o)]++
			}
		}
	}
	p := s.Space().Params()[0]
	for i, n := range found {
		share := w.share(fmt.Sprint(p.Label(i))) / 9
		all := float64(steps * 2 * 6)
		if off := math.Abs(n - all*share); off > 5*math.Sqrt(all*share*(1-share)) {
			t.Errorf("%v was drawn %v times, want %v", p.Label(i), n, all*share)
		}
	}
	bound := space.MustNew(space.Int("a", 1, 3), space.Int("b", 1, 3), space.Float("x", 0, 1), space.Require("a + b <= 3"))
	for step := range uint64(300) {
		d, err := Weighted{Shares: map[string]float64{"1": 0.2}}.draw(rng.New(1, "sample", step), bound)
		if err != nil {
			t.Fatal(err)
		}
		if v := d.Numbers(nil); v[0]+v[1] > 3 {
			t.Fatalf("found %v, which breaks a constraint", d)
		}
	}
	for text, bad := range map[string]map[string]float64{
		"which no decision":     {"conv_9x9": 2},
		"found -1 of":           {"none": -1},
		"every option of":       {"none": 0, "skip_connect": 0, "nor_conv_1x1": 0, "nor_conv_3x3": 0, "avg_pool_3x3": 0},
		"found +Inf of":         {"none": math.Inf(1)},
		"found NaN of \"none\"": {"none": math.NaN()},
	} {
		if _, err := (Weighted{Shares: bad}).Sample(rng.New(1, "sample", 0), s, s.Space()); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("found the error %v, want one with %q", err, text)
		}
	}
}

// A training is told from others by its sampler's name.
func TestNames(t *testing.T) {
	seen := map[string]Sampler{}
	for _, x := range []Sampler{
		Uniform{}, Uniform{N: 2}, Uniform{Designs: true}, Fair{}, Balanced{}, Balanced{N: 2}, Balanced{Tries: 3},
		Sandwich{}, Sandwich{Random: 1}, Sandwich{Between: Balanced{}}, Sandwich{Between: &Uniform{N: 2}},
		Weighted{}, Weighted{N: 2}, Weighted{Shares: map[string]float64{"a": 1}}, Weighted{Shares: map[string]float64{"a": 2}},
	} {
		if other, ok := seen[x.String()]; ok {
			t.Errorf("%#v and %#v are both %q", x, other, x)
		}
		seen[x.String()] = x
	}
}

// A fair step has each option of every decision equally often.
func TestFair(t *testing.T) {
	t.Parallel()
	s := mustNew(t, cells201(neural.Shape{3, 8, 8}, 4, 1))
	var before string
	for step := range uint64(20) {
		all, err := Fair{}.Sample(rng.New(1, "sample", step), s, s.Space())
		if err != nil {
			t.Fatal(err)
		}
		again, err := Fair{}.Sample(rng.New(1, "sample", step), s, s.Space())
		if err != nil {
			t.Fatal(err)
		}
		if len(all) != 5 {
			t.Fatalf("found %d networks, want 5", len(all))
		}
		var text strings.Builder
		for e := range 6 {
			var seen [5]int
			for i, d := range all {
				if again[i] != d {
					t.Fatal("the same step drew other networks")
				}
				seen[int(d.Numbers(nil)[e])]++
			}
			if seen != [5]int{1, 1, 1, 1, 1} {
				t.Errorf("step %d, edge %d: found options %v, want each once", step, e, seen)
			}
		}
		for _, d := range all {
			text.WriteString(d.String())
		}
		if text.String() == before {
			t.Error("two steps drew the same networks")
		}
		before = text.String()
	}
	for text, bad := range map[string]*space.Space{
		"real number":  space.MustNew(space.Float("x", 0, 1)),
		"at most 64":   space.MustNew(space.Int("a", 1, 9), space.Int("b", 1, 16)),
		"a constraint": space.MustNew(space.Int("a", 1, 3), space.Int("b", 1, 3), space.Require("a + b <= 3")),
	} {
		if _, err := (Fair{}).Sample(rng.New(1, "sample", 0), s, bad); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("found the error %v, want one about %q", err, text)
		}
	}
}

func TestSandwich(t *testing.T) {
	t.Parallel()
	s := mustNew(t, miniOFA(neural.Shape{1, 8, 8}))
	r := rng.New(1, "sample", 0)
	for _, w := range []Sandwich{{}, {Random: -1}, {Random: 5}, {Random: 3, Between: Fair{}}} {
		d, err := w.Sample(r, s, s.Space())
		if err != nil {
			t.Fatal(err)
		}
		if len(d) != 2+w.random() || d[0] != s.Largest() || d[1] != s.Smallest() {
			t.Errorf("%s: found %v", w, d)
		}
	}
	part, err := s.Space().Fix("stage1.layers.kernel", 5)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (Sandwich{}).Sample(r, s, part); err == nil || !strings.Contains(err.Error(), "lacks the design") {
		t.Errorf("found the error %v for a part without the smallest network", err)
	}
}
