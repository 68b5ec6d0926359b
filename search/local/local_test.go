package local_test

import (
	"math"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/local"
	"github.com/daedalus-search/daedalus/space"
)

func start(t *testing.T, m search.Method, setup search.Setup) search.Searcher {
	t.Helper()
	s, err := m.New(setup)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func ask(t *testing.T, s search.Searcher) search.Proposal {
	t.Helper()
	ps, err := s.Ask(1)
	if err != nil {
		t.Fatal(err)
	}
	return ps[0]
}

func measured(p search.Proposal, loss ...float64) search.Outcome {
	return search.Outcome{ID: p.ID, Design: p.Design, Status: search.Complete, Score: metric.Score{Loss: loss}}
}

// line is a space of 41 points in a row.
func line() *space.Space { return space.MustNew(space.Ordinal("x", numbers(41)...)) }

func numbers(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

func at(d space.Design) int { return d.Decisions(nil)[0].Index }

// A climb on a slope goes straight to its foot, each step to a neighbour, and
// then begins again elsewhere.
func TestClimbDescends(t *testing.T) {
	t.Parallel()
	for _, improvement := range []string{"first", "best"} {
		s := start(t, local.LocalSearch{Improvement: improvement}, search.Setup{Space: line(), Seed: 3})
		designs := map[int64]int{}
		restarts, best := 0, math.Inf(1)
		for i := range 41 {
			p := ask(t, s)
			x := at(p.Design)
			designs[p.ID] = x
			switch p.Operator {
			case "random":
				restarts++
				if i == 0 {
					break
				}
				if restarts == 2 && best > 0 {
					t.Errorf("%s: restarted at %v before the optimum", improvement, best)
				}
			case "neighbor":
				from := designs[p.Parents[0]]
				if d := x - from; d != 1 && d != -1 && d != 4 && d != -4 {
					t.Errorf("%s: %d is not a neighbour of its parent %d", improvement, x, from)
				}
			default:
				t.Errorf("operator %q", p.Operator)
			}
			loss := math.Abs(float64(x - 17))
			best = min(best, loss)
			s.Tell(measured(p, loss))
		}
		if best != 0 || restarts < 2 {
			t.Errorf("%s: best %v after %d starts, want 0 and at least 2", improvement, best, restarts)
		}
	}
}

// Results of the neighbourhood that come after others still count, and a lost
// one does not hold the climb.
func TestClimbInParallel(t *testing.T) {
	t.Parallel()
	for _, m := range []search.Method{local.LocalSearch{}, local.LocalSearch{Improvement: "best"}, local.Annealing{}} {
		sp := space.MustNew(space.Ordinal("x", numbers(30)...), space.Ordinal("y", numbers(30)...), space.Ordinal("z", numbers(30)...))
		s := start(t, m, search.Setup{Space: sp, Seed: 4, Parallel: 8})
		r := rng.New(1, "test", 0)
		var pending []search.Proposal
		best := math.Inf(1)
		for range 600 {
			for len(pending) < 8 {
				pending = append(pending, ask(t, s))
			}
			k := r.IntN(len(pending))
			p := pending[k]
			pending = append(pending[:k], pending[k+1:]...)
			if r.IntN(10) == 0 {
				continue // lost
			}
			loss := 0.0
			for i, a := range p.Design.Decisions(nil) {
				loss += math.Abs(float64(a.Index - 7*i - 3))
			}
			best = min(best, loss)
			s.Tell(measured(p, loss))
		}
		if best > 2 {
			t.Errorf("%T: best of 600 asynchronous trials %v, want at most 2 of up to 80", m, best)
		}
	}
}

// A foreign design is where the search begins.
func TestWarmStart(t *testing.T) {
	t.Parallel()
	sp := line()
	d, err := sp.ParseJSON([]byte(`{"x": 30}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []search.Method{local.LocalSearch{}, local.Annealing{}} {
		s := start(t, m, search.Setup{Space: sp, Seed: 5})
		s.Tell(search.Outcome{ID: -3, Design: d, Status: search.Complete, Score: metric.Score{Loss: []float64{1}}})
		p := ask(t, s)
		if len(p.Parents) != 1 || p.Parents[0] != -3 {
			t.Errorf("%T: the first proposal has parents %v, want the foreign design -3", m, p.Parents)
		}
	}
}

// Feasible designs win whatever their loss.
func TestClimbLeavesInfeasible(t *testing.T) {
	t.Parallel()
	for _, m := range []search.Method{local.LocalSearch{}, local.Annealing{Temperature: 0.01, Cooling: 1}} {
		s := start(t, m, search.Setup{Space: line(), Limits: true, Seed: 6})
		feasible := 0
		for range 41 {
			p := ask(t, s)
			x := at(p.Design)
			o := measured(p, float64(x)) // the loss pulls down, the limit x >= 25 up
			o.Score.Violation = math.Max(0, float64(25-x))
			if x == 25 {
				feasible++
			}
			s.Tell(o)
			if feasible > 0 {
				break
			}
		}
		if feasible == 0 {
			t.Errorf("%T: did not reach the best feasible design in 41 trials", m)
		}
	}
}

// Several climbs with different weights spread over a front.
func TestSeveralObjectivesSpread(t *testing.T) {
	t.Parallel()
	sp := space.MustNew(space.Float("x", 0, 1), space.Ordinal("y", numbers(6)...))
	for _, m := range []search.Method{local.LocalSearch{}, local.Annealing{}} {
		s := start(t, m, search.Setup{Space: sp, Objectives: 2, Seed: 7, Budget: 600})
		var front metric.Front[float64]
		for range 600 {
			p := ask(t, s)
			a := p.Design.Decisions(nil)
			x, g := a[0].Real, 1+float64(a[1].Index)
			loss := []float64{x, g - x*x/g} // concave when g = 1
			front.Add(metric.Score{Loss: loss}, x)
			s.Tell(measured(p, loss...))
		}
		hit := map[int]bool{}
		for _, x := range front.All() {
			hit[int(x*5)] = true
		}
		if len(hit) < 4 {
			t.Errorf("%T: the front covers %d of 5 stretches, want at least 4", m, len(hit))
		}
	}
}

// Calibration measures the rises: scaling the loss changes no decision.
func TestAnnealingIsScaleFree(t *testing.T) {
	t.Parallel()
	sp := line()
	a := start(t, local.Annealing{}, search.Setup{Space: sp, Seed: 8, Budget: 100})
	b := start(t, local.Annealing{}, search.Setup{Space: sp, Seed: 8, Budget: 100})
	for i := range 35 {
		p, q := ask(t, a), ask(t, b)
		if p.Design != q.Design {
			t.Fatalf("proposal %d: %s and %s, want the same for losses in other units", i, p.Design, q.Design)
		}
		x := float64(at(p.Design))
		loss := x + 8*math.Abs(math.Sin(x))
		a.Tell(measured(p, loss))
		b.Tell(measured(q, 1024*loss))
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	sp := line()
	tests := map[string]struct {
		method search.Method
		want   []string
	}{
		"local search": {local.LocalSearch{Improvement: "fist", Starts: -1, Neighbors: -1, Order: "x"}, []string{"improvement", "starts", "neighbors", "order"}},
		"annealing":    {local.Annealing{Temperature: math.NaN(), Cooling: 2, Patience: -1, Sigma: -1}, []string{"temperature", "cooling", "patience", "sigma"}},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := c.method.New(search.Setup{Space: sp})
			if err == nil {
				t.Fatal("New accepts bad options")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want+": found") {
					t.Errorf("New: %v; want all mistakes, %s too", err, want)
				}
			}
			if _, err := c.method.New(search.Setup{}); err == nil || !strings.Contains(err.Error(), "no space") {
				t.Errorf("New without a space: %v", err)
			}
		})
	}
}
