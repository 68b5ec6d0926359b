package study

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/store"
)

// A MedianRule prunes a trial at a step if the best value it has reported so
// far is worse than the median of what finished trials had reported up to that
// step (Golovin et al. 2017, Google Vizier, section 3.2.2, in the form that
// Optuna made common).
type MedianRule struct {
	Startup int   // trials that must finish first; 0 means 5
	Warmup  int64 // steps that are never pruned; 0 means none
}

// medianState is what the rule remembers: for each step, the best loss up to it
// of every finished trial.
type medianState struct {
	rule  *MedianRule
	mu    sync.Mutex
	best  map[int64][]float64
	curve map[int64]float64 // best loss so far of trials under way
	ended int
}

// settle takes the curve of a finished trial.
func (m *medianState) settle(t *trial) {
	if m.rule == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.curve, t.Number)
	if t.State == store.Complete {
		m.ended++
	}
}

// reporter receives the intermediate results of one trial.
type reporter struct {
	s      *Study
	ctx    context.Context
	number int64
	best   float64
	begun  bool
}

// Report implements [problem.Reporter].
func (r *reporter) Report(step int64, v metric.Values) error {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	s := r.s
	if step < 1 {
		return &problem.EvalError{Class: problem.ClassOutput, Err: fmt.Errorf("intermediate result at step %d; expected steps from 1", step)}
	}
	if err := s.store.AddSteps(r.ctx, r.number, store.Step{Step: step, Values: v, At: s.cfg.Now()}); err != nil {
		return err
	}
	if s.median.rule == nil {
		return nil
	}
	o := s.cfg.Goal.Objectives[0]
	x, ok := v[o.Metric]
	if !ok {
		return nil
	}
	loss := o.Loss(x)
	if math.IsNaN(loss) {
		loss = math.Inf(1)
	}
	if !r.begun || loss < r.best {
		r.best, r.begun = loss, true
	}
	if s.median.worse(step, r.best) {
		return problem.ErrPruned
	}
	return nil
}

// worse records a trial's best loss at a step and reports whether the rule
// prunes it.
func (m *medianState) worse(step int64, best float64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.best == nil {
		m.best = map[int64][]float64{}
	}
	others := m.best[step]
	at, _ := slices.BinarySearch(others, best)
	startup := m.rule.Startup
	if startup == 0 {
		startup = 5
	}
	prune := m.ended >= startup && step > m.rule.Warmup && len(others) > 0 && best > median(others)
	m.best[step] = slices.Insert(others, at, best)
	return prune
}

func median(sorted []float64) float64 {
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}
