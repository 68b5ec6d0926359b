package searchtest

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/space"
)

// Spaces at the edges of what a user may write.
var (
	oneDesign = space.MustNew(space.Int("only", 3, 3), space.Categorical("same", "a"))
	manyNames = func() *space.Space {
		names := make([]any, 10_000)
		for i := range names {
			names[i] = fmt.Sprintf("name%04d", i)
		}
		return space.MustNew(space.Categorical("name", names...), space.Float("x", 0, 1))
	}()
	thousand = func() *space.Space {
		var nodes []space.Node
		for i := range 250 {
			nodes = append(nodes,
				space.Float(fmt.Sprintf("f%03d", i), -1, 1), space.Float(fmt.Sprintf("g%03d", i), 1e-3, 1e3).Log(),
				space.Int(fmt.Sprintf("i%03d", i), 0, 99), space.Categorical(fmt.Sprintf("c%03d", i), "a", "b", "c"))
		}
		return space.MustNew(nodes...)
	}()
)

// slowest is how long a handful of asks on a space of 1,000 parameters may take
// before a method counts as unusable there. It is far beyond what they take, so
// that a busy machine fails nobody.
const slowest = time.Minute

// hard are the laws of questions that are strange but legal.
func (s *suite) hard(t *testing.T) {
	t.Run("ConstantObjective", func(t *testing.T) {
		s.judged(t, Space(Flat), 120, func(_ int, o search.Outcome) search.Outcome {
			for i := range o.Score.Loss {
				o.Score.Loss[i] = 3
			}
			return o
		})
	})
	t.Run("AllInfeasibleAtFirst", func(t *testing.T) {
		s.judged(t, Space(Constrained), 120, func(i int, o search.Outcome) search.Outcome {
			if i < 80 {
				o.Score.Violation = 1 + float64(i%7)
			}
			return o
		})
	})
	t.Run("AllInfeasible", func(t *testing.T) {
		s.judged(t, Space(Flat), 120, func(_ int, o search.Outcome) search.Outcome {
			o.Status, o.Score = search.Infeasible, metric.Score{}
			return o
		})
	})
	t.Run("ExtremeLosses", func(t *testing.T) {
		r := rng.New(17, "searchtest/extreme", 0)
		extremes := []float64{math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64, 0, math.Copysign(0, -1), 1e-300, 1e300}
		s.judged(t, Space(Flat), 120, func(_ int, o search.Outcome) search.Outcome {
			for i := range o.Score.Loss {
				o.Score.Loss[i] = extremes[r.IntN(len(extremes))]
			}
			return o
		})
	})
	t.Run("OneDesign", func(t *testing.T) {
		r := s.start(t, oneDesign, 18, 1)
		if len(r.ask(1)) != 1 {
			t.Fatal("nothing proposed in a space of one design")
		}
		r.searcher.Tell(r.outcome(r.asked[0]))
		if s.graded { // it may be measured again with more effort
			r.steps(20, 1)
		}
		if ps, err := r.searcher.Ask(2); !s.repeats && !errors.Is(err, search.ErrExhausted) {
			t.Errorf("after the only design, Ask = %v, %v; expected ErrExhausted", ps, err)
		}
	})
	t.Run("EqualDesignsOnce", func(t *testing.T) {
		if s.repeats {
			t.Skip("the method proposes designs again")
		}
		// Nobody can tell the two sides of the coin apart.
		sp := space.MustNew(space.Ordinal("a", 1, 2, 3, 4, 5), space.Categorical("b", "x", "y", "z"), space.Bool("coin"))
		key := func(d space.Design) string {
			m := d.Map()
			return fmt.Sprint(m["a"], m["b"])
		}
		r := s.startWith(t, search.Setup{Space: sp, Limits: true, Seed: 21, Key: key})
		r.steps(100, 1)
		seen := map[string]bool{}
		for _, p := range r.asked {
			if p.Operator == search.Promote {
				continue
			}
			if seen[key(p.Design)] {
				t.Errorf("proposal %d, %s, equals an earlier one; expected designs with equal keys once", p.ID, p.Design)
			}
			seen[key(p.Design)] = true
		}
		if len(seen) != 15 || !r.ended {
			t.Errorf("%d of 15 different designs proposed, ended: %v; expected all, and then ErrExhausted", len(seen), r.ended)
		}
	})
	t.Run("BudgetBelowInitialDesign", func(t *testing.T) {
		small := *s
		small.budget = 2
		r := small.start(t, Space(Flat), 19, 1)
		r.steps(12, 1) // a study may also go on beyond its budget
	})
	t.Run("TenThousandCategories", func(t *testing.T) {
		s.judged(t, manyNames, 60, nil)
	})
	t.Run("ThousandParameters", func(t *testing.T) {
		if testing.Short() {
			t.Skip("takes seconds with some methods")
		}
		begin := time.Now()
		s.judged(t, thousand, 60, nil)
		if d := time.Since(begin); d > slowest {
			t.Errorf("60 trials of 1,000 parameters took %v; expected less than %v", d, slowest)
		}
	})
}

// judged runs a method for n trials whose outcomes change changes; a space that
// the method refuses must be refused by New.
func (s *suite) judged(t *testing.T, sp *space.Space, n int, change func(i int, o search.Outcome) search.Outcome) {
	t.Helper()
	r := s.start(t, sp, 20, 1)
	for i := 0; i < n && !r.ended; {
		for _, p := range r.ask(1 + i%3) {
			o := r.outcome(p)
			if change != nil {
				o = change(i, o)
			}
			r.searcher.Tell(o)
			i++
		}
	}
}
