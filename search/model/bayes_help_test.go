package model_test

import (
	"math"
	"testing"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/space"
)

func gpStart(t testing.TB, m search.Method, setup search.Setup) search.Searcher {
	t.Helper()
	s, err := m.New(setup)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// gpDrive runs n rounds of ask and tell and returns the least loss.
func gpDrive(t testing.TB, s search.Searcher, n int, f func(space.Design) float64) float64 {
	t.Helper()
	best := math.Inf(1)
	for range n {
		ps, err := s.Ask(1)
		if err != nil {
			t.Fatal(err)
		}
		y := f(ps[0].Design)
		best = min(best, y)
		s.Tell(gpOutcome(ps[0], y))
	}
	return best
}

func gpOutcome(p search.Proposal, loss ...float64) search.Outcome {
	return search.Outcome{ID: p.ID, Design: p.Design, Status: search.Complete, Score: metric.Score{Loss: loss}}
}

// gpValues returns the reals of a design in order.
func gpValues(d space.Design) []float64 {
	var x []float64
	for _, a := range d.Decisions(nil) {
		x = append(x, a.Real)
	}
	return x
}
