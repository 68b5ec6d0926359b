package study

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/space"
	"github.com/daedalus-search/daedalus/store"
)

// A Task is a trial that the caller evaluates by itself.
type Task struct {
	Trial  int64
	Design space.Design
	Seed   uint64 // for evaluations that draw random numbers
	Why    string

	Fidelity   float64 // share of the full effort; 0 means full
	Resumed    float64 // share at which an earlier evaluation of the design ended, to go on from; 0 if none
	Checkpoint string  // folder of the design, for what a later evaluation goes on from; "" if there is none
}

// task hands out a trial.
func (s *Study) task(t *trial, begin bool) (Task, error) {
	folder, err := s.checkpoint(t, begin)
	return Task{
		Trial: t.Number, Design: t.design, Seed: s.trialSeed(t.Number), Why: t.Why,
		Fidelity: t.Fidelity, Resumed: t.from, Checkpoint: folder,
	}, err
}

// ErrBudget is returned by Ask when the budget is spent or a stop rule applies.
var ErrBudget = errors.New("study: nothing more to evaluate")

// Ask hands out up to n trials for the caller to evaluate, for callers that
// drive the loop themselves. They stay running, also across restarts, until
// [Study.Tell] finishes them. It returns an error that wraps [ErrBudget] with
// the reason if the study is over, or [search.ErrExhausted].
func (s *Study) Ask(ctx context.Context, n int) ([]Task, error) {
	if n < 1 {
		return nil, &ConfigError{Field: "Ask", Found: fmt.Sprintf("%d trials", n), Want: "at least one"}
	}
	var out []*trial
	give := func(t *trial) error {
		if s.reuse(t) {
			s.settle(t)
			s.untold[t.Number] = t
			return s.save(ctx, t)
		}
		t.State, t.Started = store.Running, s.cfg.Now()
		out = append(out, t)
		return s.save(ctx, t)
	}
	for len(out) < n {
		running := 0
		var planned effort
		var next *trial
		for _, t := range s.open {
			switch {
			case t.State == store.Running:
				running++
				planned += s.planned(t)
			case next == nil:
				next = t
			}
		}
		if reason := s.stop(ctx, running, planned); reason != "" {
			if len(out) > 0 {
				break
			}
			if err := s.failure(reason); err != nil {
				return nil, err
			}
			return nil, fmt.Errorf("%w: %s", ErrBudget, reason)
		}
		if next != nil {
			s.drop(next)
		} else {
			if err := s.tellDurable(ctx); err != nil {
				return nil, err
			}
			asked, err := s.ask(1)
			if err != nil {
				if len(out) > 0 && errors.Is(err, search.ErrExhausted) {
					break
				}
				return nil, err
			}
			next = asked[0]
		}
		if err := give(next); err != nil {
			return nil, err
		}
		if next.State == store.Running {
			s.open = append(s.open, next)
		}
	}
	tasks := make([]Task, len(out))
	for i, t := range out {
		var err error
		if tasks[i], err = s.task(t, true); err != nil {
			return nil, err
		}
	}
	return tasks, nil
}

// tellDurable tells what the searcher does not know yet and records that.
func (s *Study) tellDurable(ctx context.Context) error {
	ts := make([]*trial, 0, len(s.untold))
	for _, t := range s.untold {
		ts = append(ts, t)
	}
	sortByNumber(ts)
	s.tell(ts...)
	return s.save(ctx, ts...)
}

func (s *Study) drop(t *trial) {
	s.open = slices.DeleteFunc(s.open, func(o *trial) bool { return o == t })
}

// ErrNotRunning is returned by Tell for a trial that is not waiting for a
// result: it is unknown, or finished already.
var ErrNotRunning = errors.New("study: the trial is not running")

// Tell finishes a trial that [Study.Ask] handed out: with its values, or with
// the error that the evaluation ended in, classified as errors of
// [problem.Problem] are. Telling a finished trial the same values again is no
// error and has no effect.
func (s *Study) Tell(ctx context.Context, number int64, v metric.Values, failure error) error {
	i := slices.IndexFunc(s.open, func(t *trial) bool { return t.Number == number })
	if i < 0 || s.open[i].State != store.Running {
		rec, err := s.store.Trial(ctx, number)
		switch {
		case errors.Is(err, store.ErrNotFound):
			return fmt.Errorf("%w: there is no trial %d", ErrNotRunning, number)
		case err != nil:
			return err
		case rec.State == store.Complete && failure == nil && sameValues(rec.Values, v):
			return nil
		}
		return fmt.Errorf("%w: trial %d is %s", ErrNotRunning, number, rec.State)
	}
	t := s.open[i]
	t.Finished = s.cfg.Now()
	t.Seconds = t.Finished.Sub(t.Started).Seconds()
	if failure == nil {
		if err := s.judge(t, v); err != nil {
			return fmt.Errorf("study: trial %d: %w", number, err)
		}
	}
	s.conclude(t, v, failure)
	if err := s.save(ctx, t); err != nil {
		return err
	}
	s.drop(t)
	s.settle(t)
	s.untold[t.Number] = t
	s.observe()
	return nil
}

func sameValues(a, b map[string]float64) bool {
	for k, x := range b {
		if y, ok := a[k]; !ok || x != y {
			return false
		}
	}
	return true
}

// Running returns the trials that were handed out and not told yet.
func (s *Study) Running() []Task {
	var tasks []Task
	for _, t := range s.open {
		if t.State == store.Running {
			task, _ := s.task(t, false) // its folder was made when it was handed out
			tasks = append(tasks, task)
		}
	}
	return tasks
}
