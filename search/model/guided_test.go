package model

import (
	"math"
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

// A few terrible results do not change what is learned of the good half, and
// order is kept.
func TestHalfRank(t *testing.T) {
	y := []float64{1, 2, 3, 4, 5, 6, 1e300}
	halfRank(y)
	for i := range 4 {
		if y[i] != float64(i+1) {
			t.Errorf("target %d of the good half became %v", i+1, y[i])
		}
	}
	for i := range 6 {
		if !(y[i] < y[i+1]) {
			t.Errorf("order is lost: %v", y)
		}
	}
	if y[6] > 20 {
		t.Errorf("the terrible result is %v still", y[6])
	}
	for _, y := range [][]float64{{7}, {3, 3, 3}, {-math.MaxFloat64, math.MaxFloat64, 0}, {0, 0, 0, 1e300}} {
		halfRank(y)
		for _, v := range y {
			if math.IsNaN(v) || math.Abs(v) > 1e3 && len(y) != 1 {
				t.Errorf("targets became %v", y)
			}
		}
	}
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
