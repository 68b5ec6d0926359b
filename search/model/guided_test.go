package model

import (
	"testing"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/searchtest"
	"github.com/daedalus-search/daedalus/space"
)

// The methods share one engine; each is tried with the cheapest predictor that
// shows its own part of it.
func TestGuidedLaws(t *testing.T) {
	t.Parallel()
	if raceEnabled {
		t.Skip("one goroutine, and slow with the race detector")
	}
	t.Run("smac", func(t *testing.T) {
		searchtest.Run(t, SMAC{Candidates: 24, Trees: 3}, searchtest.Trials(0))
	})
	if testing.Short() {
		t.Skip("one method is enough when in a hurry")
	}
	t.Run("bananas", func(t *testing.T) {
		searchtest.Run(t, BANANAS{Candidates: 24, Predictor: "neighbors", Batch: 10}, searchtest.Trials(0))
	})
	t.Run("weaknas", func(t *testing.T) {
		searchtest.Run(t, WeakNAS{Candidates: 24, Predictor: "ridge"}, searchtest.Trials(0))
	})
	t.Run("gbdt-nas", func(t *testing.T) {
		searchtest.Run(t, GBDTNAS{Candidates: 24, Batch: 20}, searchtest.Trials(0))
	})
	t.Run("linas", func(t *testing.T) {
		searchtest.Run(t, LINAS{Evaluations: 100}, searchtest.Trials(0))
	})
}

// Guided methods avoid what breaks: half of the space fails, at the side where
// the loss is least.
func TestGuidedLearnsWhatFails(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("fits hundreds of forests")
	}
	sp := space.MustNew(space.Float("x", 0, 1), space.Float("y", 0, 1), space.Categorical("c", "a", "b", "c"))
	for name, m := range map[string]search.Method{"smac": SMAC{Candidates: 200}, "gbdt-nas": GBDTNAS{Candidates: 200}} {
		failed, random := 0, 0
		for seed := range uint64(5) {
			s, err := m.New(search.Setup{Space: sp, Seed: seed, Budget: 80})
			if err != nil {
				t.Fatal(err)
			}
			for i := range 80 {
				ps, err := s.Ask(1)
				if err != nil {
					t.Fatal(err)
				}
				x := values(ps[0].Design)
				o := search.Outcome{ID: ps[0].ID, Design: ps[0].Design, Status: search.Complete, Score: metric.Score{Loss: []float64{x[0]}}}
				if x[0] < 0.5 {
					o = search.Outcome{ID: ps[0].ID, Design: ps[0].Design, Status: search.Failed}
				}
				if i >= 40 && ps[0].Operator != "random" {
					random++
					if o.Status == search.Failed {
						failed++
					}
				}
				s.Tell(o)
			}
		}
		t.Logf("%s: %d of %d guided proposals fail", name, failed, random)
		if failed*3 > random {
			t.Errorf("%s: %d of %d guided proposals fail; expected less than a third, by chance it is half", name, failed, random)
		}
	}
}
