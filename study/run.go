package study

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/space"
	"github.com/daedalus-search/daedalus/store"
)

// Why a study stopped.
const (
	StopTrials    = "trial budget spent"
	StopTime      = "time budget spent"
	StopCost      = "cost budget spent"
	StopFull      = "budget of full evaluations spent"
	StopTarget    = "target reached"
	StopNoGain    = "no improvement"
	StopExhausted = "search space exhausted"
	StopRepeats   = "the searcher only repeats designs"
	StopFailures  = "every trial failed"
	StopPermanent = "a trial failed as all others would"
	StopCancelled = "interrupted"
)

// A FailedError is returned by Run if every trial failed, or if one failed in
// a way that all others would repeat.
type FailedError struct {
	Trials    int64  // how many failed
	Last      string // how the last one failed
	Permanent bool   // all others would fail as the last one did
}

func (e *FailedError) Error() string {
	if e.Permanent {
		return fmt.Sprintf("study: a trial failed as all others would: %s", e.Last)
	}
	return fmt.Sprintf("study: all of the first %d trials failed, the last one with: %s", e.Trials, e.Last)
}

// maxRepeats bounds how many proposals in a row may be designs that were
// measured before.
const maxRepeats = 10_000

// Run searches until the budget is spent, a stop rule applies, the space is
// exhausted or ctx is cancelled, and returns the state of the study. It may be
// called again, with a larger budget in a study opened anew.
//
// A study is reproducible bit for bit whatever its parallelism: proposal k is
// made when exactly the results of the trials up to k - Parallel are known, in
// the order of their numbers. With Config.Async results are told as they come,
// which keeps all workers busy when evaluations differ much in length; such a
// run can be replayed from its log but not repeated.
//
// A finished trial is durable before the searcher is told. Results of a
// [problem.Batcher] are written in groups; what a crash loses of them is
// computed again, to the same end.
func (s *Study) Run(ctx context.Context) (*Result, error) {
	for _, t := range s.open {
		if t.State == store.Running { // the process that ran it is gone
			t.State = store.Waiting
			t.Attempt++
		}
	}
	var reason string
	var err error
	defer s.fitted()
	if b, ok := s.cfg.Problem.(problem.Batcher); ok {
		reason, err = s.runBatches(ctx, b)
	} else {
		reason, err = s.runWorkers(ctx)
	}
	status := "done"
	if reason == StopCancelled || err != nil {
		status = "paused"
	}
	if e := s.saveStudy(ctx, status, reason); err == nil {
		err = e
	}
	s.observe()
	res := s.Result()
	res.Stopped = reason
	return res, err
}

// spent returns how many evaluations the study has used.
func (s *Study) spent() int64 {
	c := &s.counts
	return c[store.Complete] + c[store.Pruned] + c[store.Infeasible] + c[store.Failed] - s.imported - s.free
}

// stop returns why no further trial may begin, or "". running is the number of
// evaluations under way, and planned what they will cost at most.
func (s *Study) stop(ctx context.Context, running int, planned effort) string {
	b := s.cfg.Budget
	ok := s.counts[store.Complete] + s.counts[store.Pruned] + s.counts[store.Infeasible] - s.imported
	switch {
	case ctx.Err() != nil:
		return StopCancelled
	case s.hitTarget >= 0:
		return StopTarget
	case b.Trials > 0 && s.spent()+int64(running) >= b.Trials:
		return StopTrials
	case b.Full > 0 && s.effort+planned >= effortOf(b.Full):
		return StopFull
	case b.Time > 0 && s.elapsed() >= b.Time:
		return StopTime
	case b.Cost > 0 && s.cost >= b.Cost:
		return StopCost
	case s.cfg.Stop.NoGain > 0 && s.sinceGain >= s.cfg.Stop.NoGain:
		return StopNoGain
	case s.cfg.Stop.Failures > 0 && ok == 0 && s.counts[store.Failed] >= s.cfg.Stop.Failures:
		return StopFailures
	case s.repeats >= maxRepeats:
		return StopRepeats
	}
	return ""
}

// failure turns a stop for failures, or the end of a study in which nothing
// else happened, into an error.
func (s *Study) failure(reason string) error {
	c := &s.counts
	nothing := c[store.Complete]+c[store.Pruned]+c[store.Infeasible] == 0 && c[store.Failed] > 0
	if reason == StopCancelled || !nothing || s.cfg.Stop.Failures < 0 {
		return nil
	}
	return &FailedError{Trials: s.counts[store.Failed], Last: s.lastError}
}

// reuse finishes a trial from what an earlier one of the same design came to:
// its measurement, or that it cannot be built.
func (s *Study) reuse(t *trial) bool {
	if s.refused(t) {
		s.repeats++
		t.Finished = s.cfg.Now()
		t.State, t.Error, t.Started = store.Infeasible, t.reason, time.Time{}
		return true
	}
	if s.cfg.Duplicates != Reuse {
		s.repeats = 0
		return false
	}
	r, ok := s.measured(t)
	if !ok {
		s.repeats = 0
		return false
	}
	s.repeats++
	t.Finished = s.cfg.Now()
	if r.reason != "" {
		t.State, t.Error, t.Started = store.Infeasible, r.reason, time.Time{}
	} else {
		t.State = store.Cached
		t.Values = r.values
		t.setScore(r.score)
	}
	if t.Why == "" {
		t.Why = fmt.Sprintf("same design as trial %d", r.number)
	}
	return true
}

// measured returns what is known of a trial's design: its measurement with the
// same effort, or that it cannot be built.
func (s *Study) measured(t *trial) (record, bool) {
	if r, ok := s.known[t.key]; ok || !t.Partial() {
		return r, ok
	}
	r, ok := s.known[s.keyOf(t.design)]
	return r, ok && r.reason != ""
}

// flushEvery and flushAfter bound what a crash of a batch study computes anew.
const (
	flushEvery = 2000
	flushAfter = 200 * time.Millisecond
	maxBatch   = 1024
)

// runBatches is Run for problems that measure many designs at once.
func (s *Study) runBatches(ctx context.Context, p problem.Batcher) (string, error) {
	var buffer []*trial
	flushed := s.cfg.Now()
	flush := func(force bool) error {
		if !force && len(buffer) < flushEvery && s.cfg.Now().Sub(flushed) < flushAfter {
			return nil
		}
		err := s.save(ctx, buffer...)
		buffer, flushed = buffer[:0], s.cfg.Now()
		if err == nil {
			s.observe()
		}
		return err
	}
	for {
		if reason := s.stop(ctx, 0, 0); reason != "" {
			if err := flush(true); err != nil {
				return reason, err
			}
			return reason, s.failure(reason)
		}
		n := s.cfg.Parallel
		if b, ok := s.searcher.(search.Batcher); ok {
			n = max(n, min(b.Batch(), maxBatch))
		}
		if left := s.cfg.Budget.Trials - s.spent(); s.cfg.Budget.Trials > 0 && int64(n) > left {
			n = int(left)
		}
		s.tellAll()
		batch := s.open
		s.open = nil
		if len(batch) > n {
			s.open = batch[n:]
			batch = batch[:n:n]
		}
		if len(batch) == 0 {
			var err error
			batch, err = s.ask(n)
			if errors.Is(err, search.ErrExhausted) {
				return StopExhausted, flush(true)
			}
			if err != nil {
				return "", errors.Join(fmt.Errorf("study %s: %s: %w", s.cfg.Name, s.cfg.MethodName, err), flush(true))
			}
		}
		if cut := s.within(batch); cut < len(batch) {
			s.open = append(batch[cut:len(batch):len(batch)], s.open...)
			buffer = append(buffer, batch[cut:]...) // they wait
			batch = batch[:cut:cut]
		}
		if !s.evaluateBatch(ctx, p, batch) {
			s.open = append(batch, s.open...)
			continue // cancelled: nothing of the batch counts
		}
		s.tell(batch...)
		buffer = append(buffer, batch...)
		if err := flush(false); err != nil {
			return "", err
		}
	}
}

// within returns how many trials of a batch the effort left is enough for, at
// least one.
func (s *Study) within(batch []*trial) int {
	if s.cfg.Budget.Full == 0 {
		return len(batch)
	}
	left := effortOf(s.cfg.Budget.Full) - s.effort
	for i, t := range batch {
		if left <= 0 {
			return max(i, 1)
		}
		left -= s.planned(t)
	}
	return len(batch)
}

// tellAll reports finished trials that the searcher does not know of, in
// number order.
func (s *Study) tellAll() { s.tellUpTo(s.next) }

func (s *Study) tellUpTo(number int64) {
	var ts []*trial
	for _, t := range s.untold {
		if t.Number < number {
			ts = append(ts, t)
		}
	}
	sortByNumber(ts)
	s.tell(ts...)
}

// evaluateBatch measures the designs that are new and settles every trial. It
// reports false, and changes nothing, if ctx was cancelled.
func (s *Study) evaluateBatch(ctx context.Context, p problem.Batcher, batch []*trial) bool {
	var todo []*trial
	var designs []space.Design // of those measured in full, together
	first := map[string]*trial{}
	for _, t := range batch {
		if s.refused(t) {
			continue
		}
		if s.cfg.Duplicates == Reuse {
			if _, ok := s.measured(t); ok {
				continue
			}
			if first[t.key] != nil {
				continue
			}
			first[t.key] = t
		}
		todo = append(todo, t)
		if s.together(t) {
			designs = append(designs, t.design)
		}
	}
	whole := make([]problem.Result, len(designs))
	start := s.cfg.Now()
	if len(designs) > 0 {
		p.EvaluateBatch(ctx, designs, whole)
	}
	results := make([]problem.Result, len(todo))
	for i, t := range todo {
		if s.together(t) {
			results[i], whole = whole[0], whole[1:]
		} else {
			results[i] = s.single(ctx, t)
		}
	}
	if len(todo) > 0 && ctx.Err() != nil {
		return false
	}
	end := s.cfg.Now()
	each := end.Sub(start).Seconds() / float64(max(len(todo), 1))
	k := 0
	for _, t := range batch {
		if k < len(todo) && todo[k] == t {
			t.Started, t.Finished, t.Seconds = start, end, each
			s.conclude(t, results[k].Values, results[k].Err)
			s.repeats = 0
			k++
		} else if !s.reuse(t) {
			// The first of two equal designs gave no values; nor does the second.
			f := first[t.key]
			t.State, t.Error, t.ErrorClass, t.Finished = f.State, f.Error, f.ErrorClass, end
		}
		s.settle(t)
	}
	return true
}

// together reports whether a trial of a batch is evaluated with the others.
func (s *Study) together(t *trial) bool { return !t.Partial() && t.from == 0 && !s.curves }

// single evaluates one trial of a batch by itself.
func (s *Study) single(ctx context.Context, t *trial) (res problem.Result) {
	defer func() {
		if x := recover(); x != nil {
			res = problem.Result{Err: &problem.EvalError{Class: problem.ClassCrash, Err: fmt.Errorf("the evaluation panicked: %v", x)}}
		}
	}()
	run := problem.Trial{Study: s.cfg.Name, Number: t.Number, Attempt: t.Attempt, Seed: s.trialSeed(t.Number)}
	if run.Checkpoint, res.Err = s.checkpoint(t, true); res.Err != nil {
		return res
	}
	var log stepLog
	res.Values, res.Err = s.measure(problem.WithTrial(ctx, run), t, &log)
	t.Steps = log.kept(s)
	return res
}

// conclude gives a trial its final state.
func (s *Study) conclude(t *trial, v metric.Values, err error) {
	defer s.charged(t)
	var infeasible *problem.InfeasibleError
	switch {
	case err == nil:
		t.State = store.Complete
		if err = s.judge(t, v); err == nil {
			return
		}
		t.State, t.ErrorClass, t.Error = store.Failed, string(problem.ClassOutput), err.Error()
	case errors.As(err, &infeasible):
		t.State, t.Error = store.Infeasible, infeasible.Reason
	case errors.Is(err, problem.ErrPruned):
		t.State = store.Pruned
	default:
		t.State, t.ErrorClass, t.Error = store.Failed, string(problem.ClassOf(err)), err.Error()
		var e *problem.EvalError
		if errors.As(err, &e) {
			t.Stderr, t.ExitCode = e.Stderr, e.ExitCode
		}
	}
	t.Values, t.Cost = v, t.Seconds
}

// runWorkers is Run for problems that measure one design at a time.
func (s *Study) runWorkers(ctx context.Context) (string, error) {
	evalCtx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	done := make(chan finished, s.cfg.Parallel)
	running := map[int64]*trial{}
	byKey := map[string]int64{} // design under way → trial
	slots := make([]bool, s.cfg.Parallel)
	slot := map[int64]int{} // trial under way → its slot
	window := int64(s.cfg.Parallel)
	exhausted := false
	dry := int64(0)    // last event when the searcher had nothing to propose
	var planned effort // of what runs
	var reason string
	var timeUp <-chan time.Time
	if s.cfg.Budget.Time > 0 {
		timer := time.NewTimer(s.cfg.Budget.Time - s.elapsed())
		defer timer.Stop()
		timeUp = timer.C
	}

	// finish settles a trial and, in async mode, tells at once.
	finish := func(t *trial) error {
		s.settle(t)
		if s.cfg.Async {
			s.seq++
			t.TellSeq = s.seq
		}
		if err := s.save(ctx, t); err != nil {
			return err
		}
		if s.cfg.Async {
			s.searcher.Tell(s.outcome(t))
		} else {
			s.untold[t.Number] = t
		}
		s.observe()
		return nil
	}
	start := func(t *trial) error {
		if s.reuse(t) {
			return finish(t)
		}
		if s.cfg.Duplicates == Reuse {
			if _, busy := byKey[t.key]; busy {
				s.waiting[t.key] = append(s.waiting[t.key], t)
				running[t.Number] = t
				return nil
			}
			byKey[t.key] = t.Number
		}
		running[t.Number] = t
		planned += s.planned(t)
		free := slices.Index(slots, false)
		slots[free], slot[t.Number] = true, free
		t.Worker = strconv.Itoa(free + 1) // a place among the evaluations at once, from 1
		wg.Go(func() { done <- s.evaluate(evalCtx, *t) })
		return nil
	}
	// lowest returns the lowest number of a trial under way.
	lowest := func() int64 {
		low := s.next
		for n := range running {
			low = min(low, n)
		}
		return low
	}
	for {
		for len(running) < s.cfg.Parallel {
			if reason = s.stop(ctx, len(running), planned); reason != "" || exhausted {
				break
			}
			var t *trial
			switch {
			case len(s.open) > 0:
				t = s.open[0]
				s.open = s.open[1:]
			case !s.cfg.Async && lowest() <= s.next-window:
				// The next proposal must know a result that is still to come.
			default:
				if !s.cfg.Async {
					s.tellUpToDurable(s.next - window)
				} else {
					s.tellAll()
				}
				asked, err := s.ask(1)
				if errors.Is(err, search.ErrExhausted) {
					exhausted, dry = true, s.seq
					continue
				}
				if err != nil {
					return "", fmt.Errorf("study %s: %s: %w", s.cfg.Name, s.cfg.MethodName, err)
				}
				t = asked[0]
			}
			if t == nil {
				break
			}
			t.State, t.Started = store.Running, s.cfg.Now()
			if err := s.save(ctx, append(s.toldNow, t)...); err != nil {
				return "", err
			}
			s.toldNow = nil
			if err := start(t); err != nil {
				return "", err
			}
		}
		if len(running) == 0 {
			if reason == "" && exhausted {
				// What ran has ended; its results may give the searcher more to do.
				s.tellUpToDurable(s.next)
				if s.seq > dry {
					exhausted = false
					continue
				}
				reason = StopExhausted
			}
			if reason != "" {
				return reason, s.failure(reason)
			}
			continue
		}
		if reason == StopTime || reason == StopTarget || reason == StopCancelled {
			cancel() // what runs is put back and waits
		}
		var f finished
		select {
		case f = <-done:
		case <-timeUp:
			cancel()
			f = <-done
		}
		t := running[f.trial.Number]
		planned -= s.planned(t)
		delete(running, t.Number)
		delete(byKey, t.key)
		slots[slot[t.Number]] = false
		delete(slot, t.Number)
		t.Trial, t.last = f.trial.Trial, f.trial.last
		if f.cancelled {
			t.State = store.Waiting
			if err := s.save(ctx, t); err != nil {
				return "", err
			}
			s.open = append(s.open, t)
			for _, o := range s.waiting[t.key] {
				delete(running, o.Number)
				o.State = store.Waiting
				s.open = append(s.open, o)
				if err := s.save(ctx, o); err != nil {
					return "", err
				}
			}
			delete(s.waiting, t.key)
			sortByNumber(s.open)
			continue
		}
		s.conclude(t, f.values, f.err)
		s.median.settle(t)
		s.curve.settle(t)
		if err := finish(t); err != nil {
			return "", err
		}
		if t.State == store.Failed && t.ErrorClass == string(problem.ClassPermanent) {
			return StopPermanent, &FailedError{Trials: s.counts[store.Failed], Last: t.Error, Permanent: true}
		}
		// Trials that waited for this design have their answer, or their turn.
		same := s.waiting[t.key]
		delete(s.waiting, t.key)
		for _, o := range same {
			delete(running, o.Number)
			if err := start(o); err != nil {
				return "", err
			}
		}
	}
}

// tellUpToDurable tells the results up to a trial number and remembers the
// trials whose records gained an event number, to be saved with the next.
func (s *Study) tellUpToDurable(number int64) {
	var ts []*trial
	for _, t := range s.untold {
		if t.Number <= number {
			ts = append(ts, t)
		}
	}
	sortByNumber(ts)
	s.tell(ts...)
	s.toldNow = append(s.toldNow, ts...)
}

// finished is what a worker hands back.
type finished struct {
	trial     trial
	values    metric.Values
	err       error
	cancelled bool
}

// evaluate measures one design, trying again where that may help. It works on
// a copy of the trial.
func (s *Study) evaluate(ctx context.Context, t trial) finished {
	first := t.Attempt
	for {
		began := s.cfg.Now()
		v, err := s.once(ctx, &t)
		t.Finished = s.cfg.Now()
		t.Seconds += t.Finished.Sub(began).Seconds()
		if ctx.Err() != nil && (err != nil || v == nil) {
			return finished{trial: t, cancelled: true}
		}
		if err == nil || !s.retry(err, t.Attempt-first) {
			return finished{trial: t, values: v, err: err}
		}
		wait := s.cfg.Backoff << min(t.Attempt-first, 16)
		select {
		case <-ctx.Done():
			return finished{trial: t, cancelled: true}
		case <-time.After(wait):
		}
		t.Attempt++
	}
}

// retry reports whether another attempt may help after so many retries.
func (s *Study) retry(err error, retries int) bool {
	var infeasible *problem.InfeasibleError
	if errors.As(err, &infeasible) || errors.Is(err, problem.ErrPruned) {
		return false
	}
	switch problem.ClassOf(err) {
	case problem.ClassTransient:
		return retries < max(s.cfg.Retries, 2)
	case problem.ClassCrash, problem.ClassTimeout:
		return retries < s.cfg.Retries
	}
	return false
}

// lateGrace is how long an evaluation may take to notice that it is cancelled
// before its worker gives up on it.
const lateGrace = 15 * time.Second

// once is one attempt.
func (s *Study) once(ctx context.Context, t *trial) (metric.Values, error) {
	folder, err := s.checkpoint(t, true)
	if err != nil {
		return nil, err
	}
	run := problem.WithTrial(ctx, problem.Trial{
		Study: s.cfg.Name, Number: t.Number, Attempt: t.Attempt, Seed: s.trialSeed(t.Number), Checkpoint: folder,
	})
	if s.cfg.Timeout > 0 {
		var cancel context.CancelFunc
		run, cancel = context.WithTimeout(run, s.cfg.Timeout)
		defer cancel()
	}
	type answer struct {
		v   metric.Values
		err error
		log stepLog
	}
	got := make(chan answer, 1)
	on := *t // an evaluation that ignores its cancellation outlives this call
	go func() {
		a := answer{err: &problem.EvalError{Class: problem.ClassCrash, Err: errors.New("the evaluation panicked")}}
		defer func() {
			if x := recover(); x != nil {
				a = answer{err: &problem.EvalError{Class: problem.ClassCrash, Err: fmt.Errorf("the evaluation panicked: %v", x)}}
			}
			got <- a
		}()
		r := &reporter{s: s, ctx: run, number: t.Number}
		a.v, a.err = s.measure(run, &on, r)
		a.log = r.log
	}()
	var a answer
	select {
	case a = <-got:
	case <-run.Done():
		select {
		case a = <-got:
		case <-time.After(lateGrace):
			// A Go function that ignores its context cannot be stopped. Its
			// goroutine is left behind; the study goes on.
			a.err = fmt.Errorf("the evaluation ignored its cancellation for %v", lateGrace)
		}
	}
	if a.err != nil && ctx.Err() == nil && errors.Is(run.Err(), context.DeadlineExceeded) {
		var e *problem.EvalError
		late := &problem.EvalError{Class: problem.ClassTimeout, Err: fmt.Errorf("no result within %v", s.cfg.Timeout)}
		if errors.As(a.err, &e) {
			late.Stderr, late.ExitCode = e.Stderr, e.ExitCode
		}
		a.err = late
	}
	t.last, t.Steps = a.log.last, a.log.kept(s)
	return a.v, a.err
}
