package model

import (
	"math"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/predict"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/searchtest"
	"github.com/daedalus-search/daedalus/space"
)

func TestBOSHNASLaws(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("another method of the engine is tried")
	}
	searchtest.Run(t, BOSHNAS{Batch: 60, Steps: 3, Descent: 3, Starts: 2, Candidates: 24}, searchtest.Trials(0))
}

func TestBOSHNASRefuses(t *testing.T) {
	sp := space.MustNew(space.Float("x", 0, 1))
	for word, o := range map[string]BOSHNAS{
		"initial": {Initial: 1}, "kappa": {Kappa: math.NaN()}, "starts": {Starts: -1}, "unknown": {Unknown: 2}, "together": {Unknown: 0.7, Random: 0.4},
	} {
		if _, err := o.New(search.Setup{Space: sp}); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%+v: %v; expected an error that says %q", o, err, word)
		}
	}
	if _, err := (BOSHNAS{}).New(search.Setup{}); err == nil {
		t.Error("no space was accepted")
	}
}

// gobiSpace has numbers, categories and a condition, and more designs than are
// listed.
var gobiSpace = space.MustNew(
	space.Float("a", -1, 1), space.Float("b", -1, 1), space.Int("n", 1, 64),
	space.Choice("op", space.Case("plain"), space.Case("wide", space.Float("w", 0, 1))),
)

func gobiLoss(d space.Design) float64 {
	m := d.Map()
	a, b, n := m["a"].(float64), m["b"].(float64), m["n"].(float64)
	y := (a-0.4)*(a-0.4) + 2*(b+0.3)*(b+0.3) + math.Abs(n-40)/64
	if len(d.Decisions(nil)) == 5 {
		y += 0.3
	}
	return y
}

// tellRandom tells n random designs and returns the searcher, fitted.
func gobiFitted(t *testing.T, seed uint64, objectives, n int) *guided {
	t.Helper()
	s, err := BOSHNAS{}.New(search.Setup{Space: gobiSpace, Objectives: objectives, Seed: seed})
	if err != nil {
		t.Fatal(err)
	}
	r := rng.New(seed, "gobi", 0)
	for i := range n {
		d := gobiSpace.MustSample(r)
		y := gobiLoss(d)
		loss := []float64{y, 1 - y + d.Decisions(nil)[0].Real}[:objectives]
		s.Tell(search.Outcome{ID: -int64(i + 1), Design: d, Status: search.Complete, Score: metric.Score{Loss: loss}})
	}
	g := s.(*guided)
	g.fit()
	return g
}

// A descent ends below the bound of 500 random designs, and so do the designs
// that it is snapped to.
func TestGOBIBeatsRandom(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		g := gobiFitted(t, seed, 1, 40)
		if err := g.descend(); err != nil {
			t.Fatal(err)
		}
		best := g.queue[len(g.queue)-1]
		if best.operator != "gobi" || !strings.Contains(best.why, "snapped") {
			t.Errorf("seed %d: the best candidate is by %q: %q", seed, best.operator, best.why)
		}
		r, least := rng.New(seed, "gobi", 1), math.Inf(1)
		for range 500 {
			row, err := g.encoder.Encode(nil, gobiSpace.MustSample(r))
			if err != nil {
				t.Fatal(err)
			}
			v := []float64{0}
			g.models[0].(predict.Gradient).Bound(row, 0, g.gobi.kappa, v, nil)
			least = min(least, v[0])
		}
		t.Logf("seed %d: bound %.3f, of 500 random designs at least %.3f; %s", seed, -best.worth, least, best.why)
		if -best.worth > least {
			t.Errorf("seed %d: the bound of the proposal is %v; 500 random designs reach %v", seed, -best.worth, least)
		}
	}
}

// The gradient of the norm of two objectives is that of differences.
func TestGOBIGradientOfTwo(t *testing.T) {
	t.Parallel()
	g := gobiFitted(t, 1, 2, 30)
	row, err := g.encoder.Encode(nil, gobiSpace.MustSample(rng.New(5, "gobi", 2)))
	if err != nil {
		t.Fatal(err)
	}
	w := []float64{0.3, 0.7}
	at := func(x []float64) float64 {
		v := []float64{0}
		g.bound(x, w, v, make([]float64, len(x)))
		return v[0]
	}
	v, grad := []float64{0}, make([]float64, len(row))
	g.bound(row, w, v, grad)
	for i := range row {
		const h = 1e-5
		x := row[i]
		row[i] = x + h
		up := at(row)
		row[i] = x - h
		down := at(row)
		row[i] = x
		if want := (up - down) / 2 / h; math.Abs(grad[i]-want) > 1e-4*(1+math.Abs(want)) {
			t.Errorf("number %d: gradient %v, want %v", i, grad[i], want)
		}
	}
}

// Better than random on a smooth function. Of 3 seeds each wins with a
// probability above 0.95.
func TestBOSHNASBeatsRandom(t *testing.T) {
	t.Parallel()
	if testing.Short() || raceEnabled {
		t.Skip("fits 15 times")
	}
	wins := 0
	for seed := range uint64(3) {
		s, err := BOSHNAS{Batch: 2}.New(search.Setup{Space: gobiSpace, Seed: seed, Budget: 40})
		if err != nil {
			t.Fatal(err)
		}
		best := drive(t, s, 40, gobiLoss)
		other := random(gobiSpace, seed, 40, gobiLoss)
		t.Logf("seed %d: %.3f, random %.3f", seed, best, other)
		if best < other {
			wins++
		}
	}
	if wins < 2 {
		t.Errorf("better than random with %d of 3 seeds; expected 2", wins)
	}
}

func BenchmarkBOSHNASAsk(b *testing.B) {
	s, err := BOSHNAS{}.New(search.Setup{Space: gobiSpace})
	if err != nil {
		b.Fatal(err)
	}
	warm(b, s, gobiSpace, 300, gobiLoss)
	for b.Loop() {
		drive(b, s, 1, gobiLoss)
	}
}
