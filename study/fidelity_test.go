package study_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/fidelity"
	"github.com/daedalus-search/daedalus/search/sample"
	"github.com/daedalus-search/daedalus/space"
	"github.com/daedalus-search/daedalus/store"
	"github.com/daedalus-search/daedalus/study"
)

// graded is a problem with 27 epochs that goes on from a checkpoint: a file that
// holds the epochs that were trained.
type graded struct {
	problem.Problem
	t       *testing.T
	resumes bool
	slow    time.Duration
	mu      sync.Mutex
	trained map[string]float64 // epochs by design
	busy    map[string]bool    // checkpoint folders in use
}

func newGraded(t *testing.T, resumes bool) *graded {
	return &graded{Problem: plainProblem(), t: t, resumes: resumes, trained: map[string]float64{}, busy: map[string]bool{}}
}

func (g *graded) Fidelity() problem.Fidelity {
	return problem.Fidelity{Name: "epochs", Min: 1, Max: 27, Whole: true, Resumes: g.resumes}
}

func (g *graded) Estimates() []string { return []string{"size"} }
func (g *graded) Estimate(d space.Design) (metric.Values, error) {
	return metric.Values{"size": measure(d)["size"]}, nil
}

func (g *graded) Evaluate(ctx context.Context, d space.Design, r problem.Reporter) (metric.Values, error) {
	return g.Resume(ctx, d, 0, 1, r)
}

func (g *graded) EvaluateAt(ctx context.Context, d space.Design, share float64, r problem.Reporter) (metric.Values, error) {
	return g.Resume(ctx, d, 0, share, r)
}

func (g *graded) Resume(ctx context.Context, d space.Design, from, share float64, r problem.Reporter) (metric.Values, error) {
	tr, _ := problem.TrialOf(ctx)
	end, begin := int(g.Fidelity().Amount(share)), 0
	if from > 0 {
		begin = int(g.Fidelity().Amount(from))
	}
	if tr.Checkpoint != "" {
		g.mu.Lock()
		if g.busy[tr.Checkpoint] {
			g.t.Errorf("two evaluations in %s at once", tr.Checkpoint)
		}
		g.busy[tr.Checkpoint] = true
		g.mu.Unlock()
		defer func() {
			g.mu.Lock()
			g.busy[tr.Checkpoint] = false
			g.mu.Unlock()
		}()
		file := filepath.Join(tr.Checkpoint, "epochs")
		text, err := os.ReadFile(file)
		if from == 0 && err == nil {
			g.t.Errorf("%s holds a checkpoint of another study", tr.Checkpoint)
		}
		if from > 0 && (err != nil || string(text) != fmt.Sprint(begin)) {
			return nil, fmt.Errorf("found the checkpoint %q, %v; want %d epochs", text, err, begin)
		}
		if err := os.WriteFile(file, []byte(fmt.Sprint(end)), 0o600); err != nil {
			return nil, err
		}
	}
	v := measure(d)
	loss := v["loss"]
	at := func(epoch int) float64 {
		wave := math.Sin(float64(epoch) + 7*loss)
		return loss + 3/float64(epoch) + 0.1*wave*(1-float64(epoch)/27)
	}
	for e := begin + 1; e <= end; e++ {
		if g.slow > 0 {
			time.Sleep(g.slow)
		}
		if r != nil {
			if err := r.Report(int64(e), metric.Values{"loss": at(e), "size": v["size"]}); err != nil {
				return nil, err
			}
		}
	}
	g.mu.Lock()
	g.trained[d.String()] += float64(end - begin)
	g.mu.Unlock()
	v["loss"] = at(end)
	return v, nil
}

// batched is graded in batches.
type batched struct{ *graded }

func (b batched) EvaluateBatch(ctx context.Context, designs []space.Design, out []problem.Result) {
	for i, d := range designs {
		v, err := b.Evaluate(ctx, d, nil)
		out[i] = problem.Result{Values: v, Err: err}
	}
}

func TestFullProblemsRefuseFidelities(t *testing.T) {
	t.Parallel()
	_, err := study.Open(t.Context(), study.Config{Problem: plainProblem(), Goal: oneGoal(), Method: fidelity.ASHA{}})
	if err == nil || !strings.Contains(err.Error(), "measured in full only") {
		t.Errorf("error %v; want one that says that the problem is measured in full only", err)
	}
}

func TestPartialMeasurementsAreKeptApart(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for name, batch := range map[string]bool{"workers": false, "batches": true} {
		g := newGraded(t, true)
		st := memory()
		cfg := study.Config{
			Problem: g, Goal: twoGoals(), Method: fidelity.ASHA{}, Seed: 3, Budget: study.Budget{Full: 20}, Parallel: 3, Store: st,
			Checkpoints: folder,
		}
		if batch {
			cfg.Problem = batched{g}
		}
		res, err := study.Run(t.Context(), cfg)
		if err != nil {
			t.Fatal(name, err)
		}
		if res.Stopped != study.StopFull {
			t.Errorf("%s: stopped because of %q", name, res.Stopped)
		}
		full := map[int64]bool{}
		sum, partial, resumed := 0.0, 0, 0
		for tr, err := range st.Trials(t.Context(), store.Filter{}) {
			if err != nil {
				t.Fatal(err)
			}
			if tr.State == store.Waiting { // asked for with others, beyond the budget
				continue
			}
			if tr.State != store.Complete {
				t.Errorf("%s: trial %d is %s: %s", name, tr.Number, tr.State, tr.Error)
			}
			at := tr.Fidelity
			if at == 0 {
				at = 1
			}
			from := 0.0
			if tr.Operator == search.Promote {
				p, err := st.Trial(t.Context(), tr.Parents[0])
				if err != nil || string(p.Design) != string(tr.Design) {
					t.Fatalf("%s: trial %d goes on from %d: %s, %v", name, tr.Number, p.Number, p.Design, err)
				}
				from = p.Fidelity
				resumed++
			}
			sum += at - from
			if tr.Partial() {
				partial++
				if tr.Loss != nil || !math.IsNaN(tr.Violation) || len(tr.Values) != 2 {
					t.Errorf("%s: trial %d at fidelity %v has losses %v, violation %v, values %v", name, tr.Number, at, tr.Loss, tr.Violation, tr.Values)
				}
			} else {
				full[tr.Number] = true
			}
		}
		trained := 0.0
		for _, e := range g.trained {
			trained += e / 27
		}
		if partial < 10 || resumed < 5 || len(full) == 0 {
			t.Errorf("%s: %d partial trials, %d that go on, %d in full", name, partial, resumed, len(full))
		}
		if math.Abs(sum-res.Progress.Full) > 1e-6 || math.Abs(trained-sum) > 1e-6 || sum < 19 || sum > 23 {
			t.Errorf("%s: effort %.3f counted, %.3f by fidelities, %.3f by epochs trained; want about 20", name, res.Progress.Full, sum, trained)
		}
		if len(res.Front) == 0 {
			t.Fatalf("%s: no front", name)
		}
		for _, m := range res.Front {
			if !full[m.Trial] || m.Values == nil {
				t.Errorf("%s: trial %d is on the front and was not measured in full", name, m.Trial)
			}
		}
		_, losses, _, _, err := st.Scores(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		numbers := 0
		for _, x := range losses {
			if !math.IsNaN(x) {
				numbers++
			}
		}
		if numbers != 2*len(full) {
			t.Errorf("%s: %d losses for %d full trials of two objectives", name, numbers, len(full))
		}
	}
}

// Stopping anywhere and continuing gives the trials that an uninterrupted run
// gives, with promotions, curves and models that are refitted.
func TestContinuedFidelitiesAreTheSame(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]search.Method{
		"halving": fidelity.SuccessiveHalving{}, "hyperband": fidelity.Hyperband{}, "asha": fidelity.ASHA{}, "pasha": fidelity.PASHA{}, "bohb": fidelity.BOHB{}, "refitter": refitting{},
	} {
		for _, batch := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " ", batch), func(t *testing.T) {
				t.Parallel()
				cfg := func(st store.Store) study.Config {
					g := newGraded(t, true)
					c := study.Config{
						Problem: g, Goal: oneGoal(), Method: m, Seed: 5, Budget: study.Budget{Trials: 60}, Parallel: 3, Store: st,
					}
					if batch {
						c.Problem = batched{g}
					}
					return c
				}
				whole := memory()
				if _, err := study.Run(t.Context(), cfg(whole)); err != nil {
					t.Fatal(err)
				}
				for _, cut := range []int64{1, 7, 23, 59} {
					st := memory()
					c := cfg(st)
					ctx, cancel := context.WithCancel(t.Context())
					var seen atomic.Int64
					c.Observe = func(p study.Progress) {
						if p.Evaluated >= cut && seen.CompareAndSwap(0, p.Evaluated) {
							cancel()
						}
					}
					if _, err := study.Run(ctx, c); err != nil {
						t.Fatal(err)
					}
					s, err := study.Open(t.Context(), cfg(st))
					if err != nil {
						t.Fatal(err)
					}
					if len(s.Notes()) > 0 {
						t.Errorf("cut at %d: %v", cut, s.Notes())
					}
					if _, err := s.Run(t.Context()); err != nil {
						t.Fatal(err)
					}
					same(t, fmt.Sprintf("cut at %d", cut), trace(t, whole), trace(t, st))
					cancel()
				}
			})
		}
	}
}

// refitting is a method whose proposals depend on when it was refitted.
type refitting struct{}

func (refitting) New(s search.Setup) (search.Searcher, error) {
	in, err := sample.Random{}.New(s)
	return &refitter{Searcher: in, setup: s}, err
}

type refitter struct {
	search.Searcher
	setup search.Setup
	told  int
	model int
	busy  atomic.Bool
}

func (r *refitter) Refit() {
	if !r.busy.CompareAndSwap(false, true) {
		panic("refitted twice at once")
	}
	time.Sleep(200 * time.Microsecond)
	r.model = 31*r.model + r.told
	r.busy.Store(false)
}

func (r *refitter) Ask(n int) ([]search.Proposal, error) {
	if r.busy.Load() {
		panic("asked while it is refitted")
	}
	ps, err := r.Searcher.Ask(n)
	for range r.model % 3 { // a model that says something else
		ps, err = r.Searcher.Ask(n)
	}
	for i := range ps {
		ps[i].Why = fmt.Sprint(r.model)
	}
	return ps, err
}

func (r *refitter) Tell(outcomes ...search.Outcome) {
	if r.busy.Load() {
		panic("told while it is refitted")
	}
	r.told += len(outcomes)
	r.Searcher.Tell(outcomes...)
}

// Results that are still to come when a space is used up are waited for: they
// promote designs.
func TestExhaustedSpacesAreMeasuredInFull(t *testing.T) {
	t.Parallel()
	sp := space.MustNew(space.Int("n", 0, 20))
	p := problem.Func(sp, metrics, func(_ context.Context, d space.Design, _ problem.Reporter) (metric.Values, error) {
		time.Sleep(time.Millisecond)
		return metric.Values{"loss": d.Map()["n"].(float64), "size": 1}, nil
	})
	for _, async := range []bool{false, true} {
		res, err := study.Run(t.Context(), study.Config{
			Problem: byFidelity{p}, Goal: oneGoal(), Method: fidelity.ASHA{}, Parallel: 8, Async: async,
		})
		if err != nil {
			t.Fatal(err)
		}
		if res.Stopped != study.StopExhausted || len(res.Front) != 1 || res.Front[0].Values["loss"] != 0 {
			t.Errorf("async %v: stopped because of %q with the front %v", async, res.Stopped, res.Front)
		}
	}
}

// byFidelity measures the same at every fidelity.
type byFidelity struct{ problem.Problem }

func (byFidelity) Fidelity() problem.Fidelity {
	return problem.Fidelity{Name: "epochs", Min: 1, Max: 9, Whole: true}
}

func (b byFidelity) EvaluateAt(ctx context.Context, d space.Design, _ float64, r problem.Reporter) (metric.Values, error) {
	return b.Evaluate(ctx, d, r)
}

func TestRejectedDesignsAreFree(t *testing.T) {
	t.Parallel()
	for _, batch := range []bool{false, true} {
		g := newGraded(t, false)
		st := memory()
		goal := oneGoal()
		goal.Limits = []metric.Limit{{Metric: "size", Op: metric.LessEqual, Bound: 5}}
		cfg := study.Config{Problem: g, Goal: goal, Method: sample.Random{}, Budget: study.Budget{Trials: 20}, Parallel: 2, Reject: true, Store: st}
		if batch {
			cfg.Problem = batched{g}
		}
		for _, trials := range []int64{20, 30} { // and so it is after a restart
			cfg.Budget.Trials = trials
			res, err := study.Run(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			if res.Progress.Evaluated != trials || res.Progress.Counts[store.Complete] != trials || res.Progress.Counts[store.Infeasible] < 10 {
				t.Errorf("%d evaluated, %v", res.Progress.Evaluated, res.Progress.Counts)
			}
		}
		for tr := range st.Trials(t.Context(), store.Filter{States: []store.State{store.Infeasible}, Limit: 1}) {
			if !strings.Contains(tr.Error, "the limit is size <= 5") {
				t.Errorf("reason %q", tr.Error)
			}
		}
	}
	_, err := study.Open(t.Context(), study.Config{Problem: plainProblem(), Goal: oneGoal(), Method: sample.Random{}, Reject: true})
	var bad *study.ConfigError
	if !errors.As(err, &bad) || bad.Field != "Reject" {
		t.Errorf("error %v", err)
	}
}

// The method is told which designs can meet the limits.
func TestSetupAdmits(t *testing.T) {
	t.Parallel()
	goal := oneGoal()
	goal.Limits = []metric.Limit{{Metric: "size", Op: metric.LessEqual, Bound: 5}, {Metric: "loss", Op: metric.LessEqual, Bound: -1}}
	c := study.Config{Problem: newGraded(t, false), Goal: goal}
	s := c.Setup()
	for text, want := range map[string]bool{`{"x": 0, "n": 15, "c": "a"}`: true, `{"x": 0, "n": 14, "c": "a"}`: false} {
		d, err := s.Space.ParseJSON([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Admit(d); got != want {
			t.Errorf("Admit(%s) = %v, want %v", text, got, want)
		}
	}
	if s.Key != nil || !s.Fidelity.Graded() {
		t.Errorf("setup %+v", s)
	}
}

// What a full evaluation is may not change under the trials.
func TestFullEffortMayNotChange(t *testing.T) {
	t.Parallel()
	st := memory()
	g := newGraded(t, false)
	cfg := study.Config{Problem: g, Goal: oneGoal(), Method: fidelity.ASHA{}, Budget: study.Budget{Trials: 10}, Store: st}
	if _, err := study.Run(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	cfg.Problem = byFidelity{plainProblem()}
	if _, err := study.Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "27 epochs") {
		t.Errorf("error %v", err)
	}
}

// A new searcher is told partial results too, and goes on from them.
func TestEpochsKeepRungs(t *testing.T) {
	t.Parallel()
	st := memory()
	cfg := study.Config{Problem: newGraded(t, true), Goal: oneGoal(), Method: fidelity.ASHA{}, Budget: study.Budget{Trials: 30}, Parallel: 1, Store: st}
	if _, err := study.Run(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	cfg.Method = fidelity.ASHA{Options: fidelity.Options{Eta: 2}}
	cfg.Budget.Trials = 60
	s, err := study.Open(t.Context(), cfg)
	if err != nil || len(s.Notes()) == 0 {
		t.Fatal(err, s.Notes())
	}
	if _, err := s.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	crossed := 0
	for tr, err := range st.Trials(t.Context(), store.Filter{From: 30}) {
		if err != nil {
			t.Fatal(err)
		}
		if tr.Operator == search.Promote && tr.Parents[0] < 30 {
			crossed++
			if tr.Attrs["resumed_at"] == "" {
				t.Errorf("trial %d does not go on from trial %d", tr.Number, tr.Parents[0])
			}
		}
	}
	if crossed == 0 {
		t.Error("no design of the first searcher was promoted by the second")
	}
}

func TestCurveRule(t *testing.T) {
	t.Parallel()
	g := newGraded(t, false)
	st := memory()
	res, err := study.Run(t.Context(), study.Config{
		Problem: g, Goal: oneGoal(), Method: sample.Random{}, Budget: study.Budget{Trials: 100}, Parallel: 2, Store: st, Curve: &study.CurveRule{},
	})
	if err != nil {
		t.Fatal(err)
	}
	pruned := res.Progress.Counts[store.Pruned]
	if pruned < 40 || pruned > 98 {
		t.Errorf("%d of 100 pruned", pruned)
	}
	if want := float64(100-pruned) + 0.7*float64(pruned); res.Progress.Full > want {
		t.Errorf("effort %.1f; want less than %.1f", res.Progress.Full, want)
	}
	if best := res.Front[0].Values["loss"]; best > 3 {
		t.Errorf("best loss %v", best)
	}
	diverging := funcProblem(func(_ context.Context, d space.Design, r problem.Reporter) (metric.Values, error) {
		for step := range int64(10) {
			if err := r.Report(step+1, metric.Values{"loss": math.NaN()}); err != nil {
				return nil, err
			}
		}
		return measure(d), nil
	})
	st = memory()
	_, err = study.Run(t.Context(), study.Config{
		Problem: diverging, Goal: oneGoal(), Method: sample.Random{}, Budget: study.Budget{Trials: 3}, Retries: 2, Store: st, Curve: &study.CurveRule{},
	})
	if !errors.As(err, new(*study.FailedError)) {
		t.Errorf("error %v", err)
	}
	for tr := range st.Trials(t.Context(), store.Filter{}) {
		if tr.State != store.Failed || tr.ErrorClass != "output" || tr.Attempt != 1 || !strings.Contains(tr.Error, "diverged") {
			t.Errorf("trial %d: %s, %s, attempt %d: %s", tr.Number, tr.State, tr.ErrorClass, tr.Attempt, tr.Error)
		}
	}
}

// Callers that evaluate by themselves are told the effort.
func TestTasksSayTheEffort(t *testing.T) {
	t.Parallel()
	cfg := study.Config{
		Problem: newGraded(t, true), Goal: oneGoal(), Method: fidelity.ASHA{}, Budget: study.Budget{Trials: 20}, Store: memory(), Checkpoints: t.TempDir(),
	}
	s, err := study.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	var shares []float64
	for range 20 {
		tasks, err := s.Ask(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		task := tasks[0]
		if info, err := os.Stat(task.Checkpoint); err != nil || !info.IsDir() {
			t.Fatal(err)
		}
		if task.Resumed > 0 && task.Fidelity > 0 && task.Resumed >= task.Fidelity {
			t.Errorf("%+v", task)
		}
		shares = append(shares, task.Fidelity)
		v := measure(task.Design)
		v["loss"] += 1 - task.Fidelity
		if err := s.Tell(t.Context(), task.Trial, v, nil); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Contains(shares, 1.0/27) || !slices.Contains(shares, 1.0/9) || !slices.Contains(shares, 0) {
		t.Errorf("fidelities %v", shares)
	}
	if len(s.Result().Front) != 1 {
		t.Errorf("front %v", s.Result().Front)
	}
}
