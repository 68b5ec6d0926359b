package study_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/evolve"
	"github.com/daedalus-search/daedalus/search/sample"
	"github.com/daedalus-search/daedalus/space"
	"github.com/daedalus-search/daedalus/store"
	"github.com/daedalus-search/daedalus/study"
)

func testSpace() *space.Space {
	return space.MustNew(space.Float("x", -5, 5), space.Int("n", 0, 20), space.Categorical("c", "a", "b", "c"))
}

type config struct {
	X float64 `json:"x"`
	N int     `json:"n"`
	C string  `json:"c"`
}

func measure(d space.Design) metric.Values {
	var c config
	if err := d.Decode(&c); err != nil {
		panic(err)
	}
	penalty := map[string]float64{"a": 0, "b": 1, "c": 2}[c.C]
	return metric.Values{"loss": c.X*c.X + penalty + float64(c.N)*0.01, "size": float64(20 - c.N)}
}

var metrics = []metric.Metric{{Name: "loss"}, {Name: "size", Unit: "kB"}}

func twoGoals() metric.Goal {
	return metric.Goal{Objectives: []metric.Objective{
		{Metric: "loss", Direction: metric.Minimize}, {Metric: "size", Direction: metric.Minimize},
	}}
}

func oneGoal() metric.Goal {
	return metric.Goal{Objectives: []metric.Objective{{Metric: "loss", Direction: metric.Minimize}}}
}

func funcProblem(f func(context.Context, space.Design, problem.Reporter) (metric.Values, error)) problem.Problem {
	return problem.Func(testSpace(), metrics, f)
}

func plainProblem() problem.Problem {
	return funcProblem(func(_ context.Context, d space.Design, _ problem.Reporter) (metric.Values, error) {
		return measure(d), nil
	})
}

// trace lists what a study did, in order of trial numbers.
func trace(t *testing.T, st store.Store) []string {
	t.Helper()
	var out []string
	for tr, err := range st.Trials(context.Background(), store.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprintf("%d %s %s %v %v ask=%d tell=%d", tr.Number, tr.State, tr.Design, tr.Fidelity, tr.Loss, tr.AskSeq, tr.TellSeq))
	}
	return out
}

func same(t *testing.T, what string, a, b []string) {
	t.Helper()
	if len(a) != len(b) {
		t.Fatalf("%s: %d trials against %d", what, len(a), len(b))
	}
	for i := range a {
		if a[i] != b[i] {
			t.Fatalf("%s: trial %d differs:\n%s\n%s", what, i, a[i], b[i])
		}
	}
}

func memory() store.Store { return store.Memory(store.Study{Name: "t"}) }

func TestRunFindsTheFront(t *testing.T) {
	t.Parallel()
	res, err := study.Run(t.Context(), study.Config{
		Problem: plainProblem(), Goal: twoGoals(), Method: evolve.NSGA2{Population: 20}, Budget: study.Budget{Trials: 600}, Parallel: 4,
	})
	if err != nil {
		t.Fatal(err)
	}
	if res.Stopped != study.StopTrials || res.Progress.Evaluated != 600 {
		t.Errorf("stopped because of %q after %d", res.Stopped, res.Progress.Evaluated)
	}
	if len(res.Front) < 8 {
		t.Errorf("front of %d", len(res.Front))
	}
	for i := range res.Front {
		for j := range res.Front {
			if metric.Dominates(res.Front[i].Score, res.Front[j].Score) {
				t.Errorf("member %d dominates %d", i, j)
			}
		}
	}
}

// A parallel run with uneven evaluations is the same as any other run with the
// same parallelism: proposals depend on results by number, not by time.
func TestParallelRunsAreReproducible(t *testing.T) {
	t.Parallel()
	run := func(jitter uint64) []string {
		var calls atomic.Uint64
		st := memory()
		p := funcProblem(func(ctx context.Context, d space.Design, _ problem.Reporter) (metric.Values, error) {
			time.Sleep(time.Duration((calls.Add(1)*jitter)%7) * 200 * time.Microsecond)
			return measure(d), nil
		})
		if _, err := study.Run(t.Context(), study.Config{
			Problem: p, Goal: oneGoal(), Method: evolve.Regularized{Population: 10, Sample: 3}, Seed: 3,
			Budget: study.Budget{Trials: 80}, Parallel: 4, Store: st,
		}); err != nil {
			t.Fatal(err)
		}
		return trace(t, st)
	}
	a := run(1)
	for _, jitter := range []uint64{3, 5, 11} {
		same(t, fmt.Sprintf("jitter %d", jitter), a, run(jitter))
	}
}

// Stopping anywhere and continuing gives the trials that an uninterrupted run
// gives.
func TestContinuedRunIsTheSame(t *testing.T) {
	t.Parallel()
	cfg := func(st store.Store, trials int64) study.Config {
		return study.Config{
			Problem: plainProblem(), Goal: twoGoals(), Method: evolve.NSGA2{Population: 10}, Seed: 5,
			Budget: study.Budget{Trials: trials}, Parallel: 3, Store: st,
		}
	}
	whole := memory()
	if _, err := study.Run(t.Context(), cfg(whole, 60)); err != nil {
		t.Fatal(err)
	}
	for _, cut := range []int64{1, 7, 10, 23, 59} {
		st := memory()
		c := cfg(st, 60)
		ctx, cancel := context.WithCancel(t.Context())
		var seen atomic.Int64
		c.Observe = func(p study.Progress) {
			if p.Evaluated >= cut && seen.CompareAndSwap(0, p.Evaluated) {
				cancel()
			}
		}
		res, err := study.Run(ctx, c)
		if err != nil {
			t.Fatal(err)
		}
		if res.Stopped != study.StopCancelled {
			t.Fatalf("cut at %d: stopped because of %q", cut, res.Stopped)
		}
		if _, err := study.Run(t.Context(), cfg(st, 60)); err != nil {
			t.Fatal(err)
		}
		same(t, fmt.Sprintf("cut at %d", cut), trace(t, whole), trace(t, st))
		cancel()
	}
}

func TestResumedSearcherAsksTheSame(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]search.Method{
		"random": sample.Random{}, "regularized": evolve.Regularized{Population: 8}, "nsga2": evolve.NSGA2{Population: 8},
	} {
		for _, async := range []bool{false, true} {
			st := memory()
			cfg := study.Config{Problem: plainProblem(), Goal: twoGoals(), Method: m, Seed: 9, Budget: study.Budget{Trials: 40}, Parallel: 2, Async: async, Store: st}
			s, err := study.Open(t.Context(), cfg)
			if err != nil {
				t.Fatal(name, err)
			}
			if _, err := s.Run(t.Context()); err != nil {
				t.Fatal(name, err)
			}
			cfg.Budget.Trials = 50
			next := func() []study.Task {
				s, err := study.Open(t.Context(), cfg)
				if err != nil {
					t.Fatal(name, err)
				}
				if len(s.Notes()) > 0 {
					t.Errorf("%s: notes %v", name, s.Notes())
				}
				tasks, err := s.Ask(t.Context(), 3)
				if err != nil {
					t.Fatal(name, err)
				}
				return tasks
			}
			// The tasks stay running, so the second asks for three others; what
			// counts is that replay does not diverge.
			a, b := next(), next()
			if len(a) != 3 || len(b) != 3 || a[0].Trial == b[0].Trial {
				t.Errorf("%s: %v then %v", name, a, b)
			}
		}
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	type result struct {
		state store.State
		class string
	}
	for name, tc := range map[string]struct {
		f    func(ctx context.Context, n int64) (metric.Values, error)
		want result
	}{
		"missing metric": {func(context.Context, int64) (metric.Values, error) { return metric.Values{"size": 1}, nil }, result{store.Failed, "output"}},
		"NaN": {func(context.Context, int64) (metric.Values, error) {
			return metric.Values{"loss": math.NaN(), "size": 1}, nil
		}, result{store.Failed, "output"}},
		"error": {func(context.Context, int64) (metric.Values, error) { return nil, errors.New("boom") }, result{store.Failed, "crash"}},
		"panic": {func(context.Context, int64) (metric.Values, error) { panic("boom") }, result{store.Failed, "crash"}},
		"infeasible": {func(context.Context, int64) (metric.Values, error) {
			return nil, &problem.InfeasibleError{Reason: "does not fit"}
		}, result{store.Infeasible, ""}},
		"timeout": {func(ctx context.Context, _ int64) (metric.Values, error) { <-ctx.Done(); return nil, ctx.Err() }, result{store.Failed, "timeout"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st := memory()
			p := funcProblem(func(ctx context.Context, d space.Design, _ problem.Reporter) (metric.Values, error) {
				tr, ok := problem.TrialOf(ctx)
				if !ok {
					t.Error("no trial in the context")
				}
				return tc.f(ctx, tr.Number)
			})
			_, err := study.Run(t.Context(), study.Config{
				Problem: p, Goal: oneGoal(), Method: sample.Random{}, Budget: study.Budget{Trials: 3}, Timeout: 20 * time.Millisecond, Store: st,
				Stop: study.Stop{Failures: -1},
			})
			if err != nil {
				t.Fatal(err)
			}
			for tr, err := range st.Trials(t.Context(), store.Filter{}) {
				if err != nil {
					t.Fatal(err)
				}
				if got := (result{tr.State, tr.ErrorClass}); got != tc.want {
					t.Errorf("trial %d: %v (%s), want %v", tr.Number, got, tr.Error, tc.want)
				}
			}
		})
	}
}

func TestRetriesAndGivingUp(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	st := memory()
	p := funcProblem(func(ctx context.Context, d space.Design, _ problem.Reporter) (metric.Values, error) {
		if calls.Add(1)%3 != 0 {
			return nil, &problem.EvalError{Class: problem.ClassTransient, Err: errors.New("busy")}
		}
		return measure(d), nil
	})
	cfg := study.Config{Problem: p, Goal: oneGoal(), Method: sample.Random{}, Budget: study.Budget{Trials: 4}, Parallel: 1, Backoff: time.Millisecond, Store: st}
	if _, err := study.Run(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	for tr, err := range st.Trials(t.Context(), store.Filter{}) {
		if err != nil || tr.State != store.Complete || tr.Attempt != 3 {
			t.Errorf("trial %d: %s at attempt %d (%v)", tr.Number, tr.State, tr.Attempt, err)
		}
	}
	bad := funcProblem(func(context.Context, space.Design, problem.Reporter) (metric.Values, error) {
		return nil, errors.New("no licence")
	})
	_, err := study.Run(t.Context(), study.Config{Problem: bad, Goal: oneGoal(), Method: sample.Random{}, Budget: study.Budget{Trials: 1000}, Parallel: 2})
	var failed *study.FailedError
	if !errors.As(err, &failed) || failed.Last != "no licence" || failed.Trials > 12 || failed.Permanent {
		t.Errorf("error %v", err)
	}

	// What the design is to blame for is not tried again, and the study goes on; what
	// would fail all others ends it.
	for class, want := range map[problem.Class]int64{problem.ClassDesign: 6, problem.ClassPermanent: 3} {
		calls.Store(0)
		third := funcProblem(func(_ context.Context, d space.Design, _ problem.Reporter) (metric.Values, error) {
			if calls.Add(1) == 3 {
				return nil, &problem.EvalError{Class: class, Err: errors.New("too large")}
			}
			return measure(d), nil
		})
		res, err := study.Run(t.Context(), study.Config{Problem: third, Goal: oneGoal(), Method: sample.Random{}, Budget: study.Budget{Trials: 6}, Retries: 5, Parallel: 1})
		if permanent := errors.As(err, &failed) && failed.Permanent; permanent != (class == problem.ClassPermanent) || calls.Load() != want || res.Progress.Counts[store.Failed] != 1 {
			t.Errorf("%s: error %v, %s, after %d calls with %v", class, err, res.Stopped, calls.Load(), res.Progress.Counts)
		}
	}
}

func TestBudgetsAndStops(t *testing.T) {
	t.Parallel()
	slow := funcProblem(func(_ context.Context, d space.Design, _ problem.Reporter) (metric.Values, error) {
		time.Sleep(2 * time.Millisecond)
		return measure(d), nil
	})
	for name, tc := range map[string]struct {
		cfg  study.Config
		want string
	}{
		"time":   {study.Config{Problem: slow, Budget: study.Budget{Time: 60 * time.Millisecond}}, study.StopTime},
		"cost":   {study.Config{Budget: study.Budget{Cost: 100, Metric: "size"}}, study.StopCost},
		"target": {study.Config{Stop: study.Stop{Target: []metric.Limit{{Metric: "loss", Op: metric.LessEqual, Bound: 1}}}}, study.StopTarget},
		"gain":   {study.Config{Stop: study.Stop{NoGain: 50}}, study.StopNoGain},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := tc.cfg
			if cfg.Problem == nil {
				cfg.Problem = plainProblem()
			}
			cfg.Goal, cfg.Method, cfg.Parallel = oneGoal(), sample.Random{}, 2
			res, err := study.Run(t.Context(), cfg)
			if err != nil || res.Stopped != tc.want {
				t.Errorf("stopped because of %q, %v", res.Stopped, err)
			}
		})
	}
}

func TestDuplicatesAreFree(t *testing.T) {
	t.Parallel()
	sp := space.MustNew(space.Int("n", 1, 6))
	var calls atomic.Int64
	p := problem.Func(sp, metrics, func(_ context.Context, d space.Design, _ problem.Reporter) (metric.Values, error) {
		calls.Add(1)
		return metric.Values{"loss": d.Map()["n"].(float64), "size": 0}, nil
	})
	st := memory()
	res, err := study.Run(t.Context(), study.Config{Problem: p, Goal: oneGoal(), Method: sample.Random{Repeats: true}, Budget: study.Budget{Trials: 6}, Parallel: 3, Store: st})
	if err != nil {
		t.Fatal(err)
	}
	if calls.Load() != 6 || res.Progress.Evaluated != 6 {
		t.Errorf("%d calls, %d evaluated", calls.Load(), res.Progress.Evaluated)
	}
}

func TestQuestionMayChange(t *testing.T) {
	t.Parallel()
	st := memory()
	cfg := study.Config{Problem: plainProblem(), Goal: oneGoal(), Method: evolve.Regularized{Population: 5}, Budget: study.Budget{Trials: 30}, Parallel: 1, Store: st}
	if _, err := study.Run(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	// Another choice is added and another method taken: old trials stay.
	wider := space.MustNew(space.Float("x", -5, 5), space.Int("n", 0, 20), space.Categorical("c", "a", "b", "c", "d"))
	cfg.Problem = problem.Func(wider, metrics, func(_ context.Context, d space.Design, _ problem.Reporter) (metric.Values, error) {
		return measure(d), nil
	})
	cfg.Method = evolve.NSGA2{Population: 6}
	cfg.Budget.Trials = 50
	for i := range 2 {
		s, err := study.Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if (len(s.Notes()) > 0) != (i == 0) {
			t.Errorf("run %d: notes %v", i, s.Notes())
		}
		res, err := s.Run(t.Context())
		if err != nil || res.Progress.Evaluated != cfg.Budget.Trials {
			t.Fatal(res.Progress, err)
		}
		cfg.Budget.Trials += 10
	}
	narrower := space.MustNew(space.Float("x", -5, 5), space.Int("n", 0, 20), space.Categorical("c", "a"))
	cfg.Problem = problem.Func(narrower, metrics, nil)
	if _, err := study.Open(t.Context(), cfg); err == nil {
		t.Error("a space that lost used options was accepted")
	}
}

func TestAskTellAcrossRestarts(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s.db")
	st, err := store.Create(t.Context(), path, store.Study{Name: "s"})
	if err != nil {
		t.Fatal(err)
	}
	cfg := study.Config{Problem: plainProblem(), Goal: oneGoal(), Method: evolve.Regularized{Population: 4}, Budget: study.Budget{Trials: 12}, Store: st}
	for range 12 {
		s, err := study.Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if len(s.Notes()) > 0 {
			t.Fatal(s.Notes())
		}
		tasks, err := s.Ask(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		st.Close()
		if st, err = store.Open(t.Context(), path); err != nil {
			t.Fatal(err)
		}
		cfg.Store = st
		if s, err = study.Open(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		v := measure(tasks[0].Design)
		if err := s.Tell(t.Context(), tasks[0].Trial, v, nil); err != nil {
			t.Fatal(err)
		}
		if err := s.Tell(t.Context(), tasks[0].Trial, v, nil); err != nil {
			t.Errorf("telling twice: %v", err)
		}
		if err := s.Tell(t.Context(), tasks[0].Trial, metric.Values{"loss": 77}, nil); !errors.Is(err, study.ErrNotRunning) {
			t.Errorf("telling something else: %v", err)
		}
	}
	s, err := study.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Ask(t.Context(), 1); !errors.Is(err, study.ErrBudget) {
		t.Errorf("asking beyond the budget: %v", err)
	}
	st.Close()
}

func TestWarmStartAndEnqueue(t *testing.T) {
	t.Parallel()
	first := memory()
	cfg := study.Config{Problem: plainProblem(), Goal: oneGoal(), Method: sample.Random{}, Budget: study.Budget{Trials: 10}, Store: first}
	if _, err := study.Run(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	for tr, err := range first.Trials(t.Context(), store.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		cfg.WarmStart = append(cfg.WarmStart, tr)
	}
	d, err := cfg.Problem.Space().ParseJSON([]byte(`{"x": 0, "n": 0, "c": "a"}`))
	if err != nil {
		t.Fatal(err)
	}
	cfg.Enqueue = []space.Design{d}
	cfg.Store = memory()
	cfg.Parallel = 1
	cfg.Method = evolve.Regularized{Population: 5}
	res, err := study.Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if res.Progress.Evaluated != 10 || res.Front[0].Trial != 10 || res.Front[0].Values["loss"] != 0 {
		t.Errorf("%d evaluated, best %+v", res.Progress.Evaluated, res.Front[0])
	}
}

func TestMedianPruning(t *testing.T) {
	t.Parallel()
	st := memory()
	p := funcProblem(func(ctx context.Context, d space.Design, r problem.Reporter) (metric.Values, error) {
		v := measure(d)
		for step := int64(1); step <= 10; step++ {
			if err := r.Report(step, metric.Values{"loss": v["loss"] + 1/float64(step)}); err != nil {
				return nil, err
			}
		}
		return v, nil
	})
	res, err := study.Run(t.Context(), study.Config{
		Problem: p, Goal: oneGoal(), Method: sample.Random{}, Budget: study.Budget{Trials: 100}, Parallel: 2, Store: st,
		Prune: &study.MedianRule{Warmup: 2},
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := res.Progress.Counts[store.Pruned]; n < 20 || n > 80 {
		t.Errorf("%d of 100 pruned", n)
	}
}

func TestNothingFeasible(t *testing.T) {
	t.Parallel()
	none := space.MustNew(space.Int("n", 1, 9), space.Require("n * n == 10"))
	_, err := study.Open(t.Context(), study.Config{Problem: problem.Func(none, metrics, nil), Goal: oneGoal(), Method: sample.Random{}})
	var infeasible *space.InfeasibleError
	if !errors.As(err, &infeasible) || !infeasible.Proven {
		t.Errorf("error %v", err)
	}
	// A study in which every evaluation failed is a failure, however few.
	bad := funcProblem(func(context.Context, space.Design, problem.Reporter) (metric.Values, error) {
		return nil, errors.New("no")
	})
	_, err = study.Run(t.Context(), study.Config{Problem: bad, Goal: oneGoal(), Method: sample.Random{}, Budget: study.Budget{Trials: 2}})
	var failed *study.FailedError
	if !errors.As(err, &failed) {
		t.Errorf("error %v", err)
	}
}

// picky is a batch problem that cannot build even numbers.
type picky struct{ cheap }

func (p *picky) EvaluateBatch(ctx context.Context, designs []space.Design, out []problem.Result) {
	for i, d := range designs {
		if n := int(d.Map()["n"].(float64)); n%2 == 0 {
			out[i].Err = &problem.InfeasibleError{Reason: "even"}
		} else {
			out[i].Values = metric.Values{"loss": float64(n), "size": 1}
		}
	}
}

// Equal designs in one batch are measured once and end alike.
func TestDuplicatesInABatch(t *testing.T) {
	t.Parallel()
	st := memory()
	p := &picky{cheap{space.MustNew(space.Int("n", 1, 4))}}
	_, err := study.Run(t.Context(), study.Config{Problem: p, Goal: oneGoal(), Method: sample.Random{Repeats: true}, Budget: study.Budget{Trials: 30}, Store: st})
	if err != nil {
		t.Fatal(err)
	}
	states := map[string]store.State{}
	for tr, err := range st.Trials(t.Context(), store.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		state := tr.State
		if state == store.Cached {
			state = store.Complete
		}
		if was, ok := states[string(tr.Design)]; ok && was != state {
			t.Errorf("trial %d: %s is %s and was %s", tr.Number, tr.Design, state, was)
		}
		states[string(tr.Design)] = state
	}
	if len(states) != 4 {
		t.Errorf("%d designs", len(states))
	}
}

// That a design cannot be built is found out once, also across restarts, and
// costs the budget once.
func TestInfeasibleDesignsAreNotTriedAgain(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	p := problem.Func(space.MustNew(space.Int("n", 1, 6)), metrics, func(_ context.Context, d space.Design, _ problem.Reporter) (metric.Values, error) {
		calls.Add(1)
		if n := d.Map()["n"].(float64); n > 2 {
			return nil, &problem.InfeasibleError{Reason: "too large"}
		}
		return metric.Values{"loss": 1, "size": 1}, nil
	})
	st := memory()
	cfg := study.Config{Problem: p, Goal: oneGoal(), Method: sample.Random{Repeats: true}, Budget: study.Budget{Trials: 3}, Parallel: 2, Store: st}
	for _, trials := range []int64{3, 6} {
		cfg.Budget.Trials = trials
		res, err := study.Run(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if res.Progress.Evaluated != trials || calls.Load() != trials {
			t.Errorf("%d evaluated in %d calls; want %d", res.Progress.Evaluated, calls.Load(), trials)
		}
	}
}
