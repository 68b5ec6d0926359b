package study

import (
	"cmp"
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

// restore takes the curve of a trial of an earlier run.
func (m *medianState) restore(t *trial, o metric.Objective) {
	if m.rule == nil {
		return
	}
	best, begun := 0.0, false
	for _, step := range t.Steps {
		x, ok := step.Values[o.Metric]
		if !ok {
			continue
		}
		if loss := lossOf(o, x); !begun || loss < best {
			best, begun = loss, true
		}
		m.worse(step.Step, best)
	}
}

// lossOf returns a loss in which what is not a number is worst.
func lossOf(o metric.Objective, x float64) float64 {
	loss := o.Loss(x)
	if math.IsNaN(loss) {
		return math.Inf(1)
	}
	return loss
}

// reporter receives the intermediate results of one trial.
type reporter struct {
	s      *Study
	ctx    context.Context
	number int64
	best   float64
	begun  bool
	fit    fit
	log    stepLog
}

// A stepLog keeps intermediate results for searchers that read them.
type stepLog struct {
	steps []store.Step
	last  int64
}

// Report implements [problem.Reporter] where nothing is stopped.
func (l *stepLog) Report(step int64, v metric.Values) error {
	if step >= 1 {
		l.add(store.Step{Step: step, Values: v})
	}
	return nil
}

func (l *stepLog) add(x store.Step) {
	l.last = max(l.last, x.Step)
	l.steps = append(l.steps, x)
}

// kept returns the steps in the form in which the store gives them back.
func (l *stepLog) kept(s *Study) []store.Step {
	if !s.curves {
		return nil
	}
	slices.SortStableFunc(l.steps, func(a, b store.Step) int { return cmp.Compare(a.Step, b.Step) })
	out := l.steps[:0]
	for _, x := range l.steps {
		if n := len(out); n > 0 && out[n-1].Step == x.Step {
			out[n-1] = x // told twice: the last counts
			continue
		}
		out = append(out, x)
	}
	return out
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
	kept := store.Step{Step: step, Values: v, At: s.cfg.Now()}
	if err := s.store.AddSteps(r.ctx, r.number, kept); err != nil {
		return err
	}
	if s.curves {
		r.log.add(kept)
	} else {
		r.log.last = max(r.log.last, step)
	}
	if s.median.rule == nil && s.curve.rule == nil {
		return nil
	}
	o := s.cfg.Goal.Objectives[0]
	x, ok := v[o.Metric]
	if !ok {
		return nil
	}
	loss := lossOf(o, x)
	if s.curve.rule != nil {
		if math.IsInf(loss, 0) {
			return &problem.EvalError{Class: problem.ClassOutput, Err: fmt.Errorf("%s is %v at step %d: it diverged", o.Metric, x, step)}
		}
		if s.curve.hopeless(r.number, &r.fit, step, loss) {
			return problem.ErrPruned
		}
	}
	if s.median.rule == nil {
		return nil
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
