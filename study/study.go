package study

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/illuminate"
	"github.com/daedalus-search/daedalus/space"
	"github.com/daedalus-search/daedalus/store"
)

// A Study is a question being answered: its trials, the searcher that proposes
// them and the front so far. Its methods must be called from one goroutine at
// a time.
type Study struct {
	cfg      Config
	space    *space.Space
	store    store.Store
	searcher search.Searcher

	seq     int64             // last event of the decision log
	next    int64             // number of the next trial
	epoch   int64             // events up to here are told as foreign; see replay
	numbers map[int64]int64   // proposal → trial
	open    []*trial          // not finished and not in this process's hands, in number order
	untold  map[int64]*trial  // finished, not told, by number; async studies have none
	foreign map[int64]bool    // trials that the searcher did not propose in this epoch
	known   map[string]record // measured designs by canonical key or hash, and fidelity
	waiting map[string][]*trial
	front   metric.Front[int64]
	designs map[int64]space.Design // of the members of the front

	fidelity problem.Fidelity
	refuse   func(space.Design) string // why a design cannot meet the limits, for free; nil if nothing is known
	partial  map[int64]rung            // partial measurements by trial
	fitting  chan struct{}             // closed when the searcher's model is fitted; nil if it is
	curves   bool                      // the searcher reads intermediate results

	counts    [store.Cached + 1]int64
	imported  int64
	free      int64 // infeasible trials that were not evaluated
	cost      float64
	effort    effort // spent
	sinceGain int64
	repeats   int64 // proposals in a row that were measured before
	hitTarget int64 // first trial that met the targets, -1 if none
	lastError string
	prior     time.Duration // time spent by earlier runs
	began     time.Time
	median    medianState
	curve     curveState
	notes     []string
	toldNow   []*trial // told since the last save
}

// A trial is a record on its way: the design parsed, the result to come.
type trial struct {
	store.Trial
	design space.Design
	key    string // equal keys, equal measurements
	score  metric.Score
	from   float64 // share at which the evaluation that this one goes on from ended; 0 if none
	first  int64   // trial that first measured the design, if this goes on from it
	reason string  // why estimates refuse the design
	asked  bool    // the estimates were asked
	last   int64   // largest step that was reported
}

// A record is what the cache keeps of a measured design.
type record struct {
	number int64
	values map[string]float64
	score  metric.Score
	reason string // why the design cannot be built; "" if it was measured
}

// attributes of the study record.
const (
	attrFingerprint = "fingerprint"  // everything the proposals depend on
	attrEpoch       = "epoch"        // see replay
	attrBudget      = "setup.budget" // the budget the searcher was told
	attrParallel    = "setup.parallel"
	attrElapsed     = "elapsed_s"
	attrSetupEffort = "setup.full" // the effort the searcher was told
	attrFidelity    = "fidelity"   // what a full evaluation is
	attrFrom        = "from"       // of a trial: the study it was imported from
	attrEffort      = "effort"     // of a trial: what it cost in full evaluations, if not 1
	attrResumed     = "resumed_at" // of a trial: the share at which it went on
)

const opEnqueue, opImport = "enqueue", "import"

// Open starts a study, or continues the one in cfg.Store. Continuing rebuilds
// the searcher by replaying the decision log; if the space, the goal, the
// method, its options or the seed have changed since, the new searcher is told
// the earlier trials instead and [Study.Notes] says so. Trials that were
// running when the study stopped are run again.
func Open(ctx context.Context, cfg Config) (*Study, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	s := &Study{
		cfg: cfg, space: cfg.Problem.Space(), store: cfg.Store,
		numbers: map[int64]int64{}, untold: map[int64]*trial{}, foreign: map[int64]bool{},
		known: map[string]record{}, waiting: map[string][]*trial{}, designs: map[int64]space.Design{},
		hitTarget: -1, fidelity: problem.FidelityOf(cfg.Problem), partial: map[int64]rung{}, refuse: cfg.refusal(),
	}
	if s.store == nil {
		s.store = store.Memory(store.Study{Name: cfg.Name})
	}
	if n, exact := s.space.Count(); n != nil && exact && n.Sign() == 0 {
		return nil, &space.InfeasibleError{Proven: true}
	}
	s.median.rule = cfg.Prune
	s.curve.begin(cfg.Curve, s.fidelity.Max)
	if err := s.load(ctx); err != nil {
		return nil, err
	}
	if s.next == 0 {
		if err := s.seedTrials(ctx); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Notes returns what the user should know about how the study was opened.
func (s *Study) Notes() []string { return slices.Clone(s.notes) }

// Space returns the space that is searched.
func (s *Study) Space() *space.Space { return s.space }

// Config returns the configuration with its defaults filled in.
func (s *Study) Config() Config { return s.cfg }

// Close records how much time was spent. It does not close the store.
func (s *Study) Close(ctx context.Context) error {
	s.fitted()
	return s.saveStudy(ctx, "", "")
}

// newSearcher makes the searcher for the setup that was recorded, or the
// present one.
func (s *Study) newSearcher(budget int64, effort float64, parallel int) error {
	s.fitted()
	setup := s.cfg.Setup()
	setup.Budget, setup.Effort, setup.Parallel = budget, effort, parallel
	var err error
	s.searcher, err = s.cfg.Method.New(setup)
	if err != nil {
		return fmt.Errorf("study %s: %s cannot search this: %w", s.cfg.Name, s.cfg.MethodName, err)
	}
	c, ok := s.searcher.(search.CurveReader)
	s.curves = ok && c.ReadsCurves()
	if a, ok := s.searcher.(illuminate.Archiver); ok {
		for _, m := range a.Measures() {
			if !hasMetric(s.cfg.Problem.Metrics(), m.Metric) {
				return &ConfigError{Field: "Method.Measures", Found: fmt.Sprintf("metric %q", m.Metric), Want: "a metric of the problem"}
			}
		}
	}
	return nil
}

// load reads the store and rebuilds everything that is kept in memory.
func (s *Study) load(ctx context.Context) error {
	rec, err := s.store.Study(ctx)
	if err != nil {
		return err
	}
	spaceJSON, err := json.Marshal(s.space)
	if err != nil {
		return fmt.Errorf("study %s: space: %w", s.cfg.Name, err)
	}
	print, err := s.cfg.fingerprint(spaceJSON)
	if err != nil {
		return err
	}
	budget, effort, parallel := s.cfg.Budget.Trials, s.cfg.Budget.Full, s.cfg.Parallel
	changed := false
	if old, ok := rec.Attrs[attrFingerprint]; ok {
		budget, _ = strconv.ParseInt(rec.Attrs[attrBudget], 10, 64)
		effort, _ = strconv.ParseFloat(rec.Attrs[attrSetupEffort], 64)
		parallel, _ = strconv.Atoi(rec.Attrs[attrParallel])
		s.epoch, _ = strconv.ParseInt(rec.Attrs[attrEpoch], 10, 64)
		elapsed, _ := strconv.ParseFloat(rec.Attrs[attrElapsed], 64)
		s.prior = time.Duration(elapsed * float64(time.Second))
		changed = old != print
	}
	if changed {
		budget, effort, parallel = s.cfg.Budget.Trials, s.cfg.Budget.Full, s.cfg.Parallel
	}
	if err := s.newSearcher(budget, effort, parallel); err != nil {
		return err
	}
	trials, err := s.readTrials(ctx)
	if err != nil {
		return err
	}
	whole := ""
	if s.fidelity.Graded() {
		whole = fmt.Sprintf("%v %s", s.fidelity.Max, s.fidelity.Name)
	}
	if was, ok := rec.Attrs[attrFidelity]; ok && was != whole && whole != "" && len(trials) > 0 {
		return &ConfigError{Field: "Problem", Found: "a full evaluation of " + whole, Want: was + " as in the earlier trials, which cannot be compared with others; or give the study another name"}
	}
	for _, t := range trials {
		switch {
		case t.State.Done():
			s.settle(t)
			if s.cfg.Prune != nil {
				s.median.restore(t, s.cfg.Goal.Objectives[0])
			}
			s.median.settle(t)
			s.curve.settle(t)
		default:
			s.open = append(s.open, t)
		}
	}
	if changed {
		s.epoch = s.seq
	}
	if err := s.replay(trials); err != nil {
		var diverged *divergedError
		if !errors.As(err, &diverged) {
			return err
		}
		// Another version of the engine proposes differently: start an epoch.
		changed = true
		s.epoch = s.seq
		clear(s.numbers)
		clear(s.foreign)
		clear(s.untold)
		if err := s.newSearcher(budget, effort, parallel); err != nil {
			return err
		}
		if err := s.replay(trials); err != nil {
			return err
		}
		s.notes = append(s.notes, diverged.Error())
	}
	if changed {
		if err := s.rescore(ctx, trials); err != nil {
			return err
		}
	}
	if changed && len(trials) > 0 {
		s.notes = append(s.notes, fmt.Sprintf("the question changed since the last run: a new searcher was told the %d earlier trials", len(trials)))
	}
	if len(trials) > 0 {
		if note := reworded(rec.Spec, s.cfg.Spec, len(trials)); note != "" {
			s.notes = append(s.notes, note)
		}
	}
	if rec.Attrs == nil {
		rec.Attrs = map[string]string{}
	}
	now := s.cfg.Now()
	if rec.Created.IsZero() {
		rec.Created = now
	}
	s.began = now
	metrics, err := json.Marshal(s.cfg.Problem.Metrics())
	if err != nil {
		return fmt.Errorf("study %s: metrics: %w", s.cfg.Name, err)
	}
	rec.Name, rec.Seed, rec.Spec, rec.Space, rec.Metrics = s.cfg.Name, s.cfg.Seed, s.cfg.Spec, spaceJSON, metrics
	rec.Problem = describe(s.cfg.Problem)
	rec.Searcher, rec.Reason, rec.Engine = s.cfg.MethodName, s.cfg.Reason, s.cfg.Version
	rec.Status, rec.StopReason = "running", ""
	rec.Attrs[attrFingerprint] = print
	rec.Attrs[attrBudget] = strconv.FormatInt(budget, 10)
	rec.Attrs[attrParallel] = strconv.Itoa(parallel)
	if effort > 0 {
		rec.Attrs[attrSetupEffort] = strconv.FormatFloat(effort, 'g', -1, 64)
	}
	if whole != "" {
		rec.Attrs[attrFidelity] = whole
	}
	rec.Attrs[attrEpoch] = strconv.FormatInt(s.epoch, 10)
	return s.store.SaveStudy(ctx, rec)
}

// rescore brings the stored losses in line with the present goal.
func (s *Study) rescore(ctx context.Context, trials []*trial) error {
	var stale []*trial
	for _, t := range trials {
		if len(t.Values) == 0 || t.Partial() || t.State != store.Complete && t.State != store.Cached {
			continue
		}
		if !slices.Equal(t.Loss, t.score.Loss) || t.Violation != t.score.Violation {
			t.Loss, t.Violation = t.score.Loss, t.score.Violation
			stale = append(stale, t)
		}
	}
	return s.save(ctx, stale...)
}

func describe(p problem.Problem) string {
	if d, ok := p.(problem.Describer); ok {
		return d.Describe()
	}
	return fmt.Sprintf("%T", p)
}

// readTrials loads every trial and parses its design in the present space.
func (s *Study) readTrials(ctx context.Context) ([]*trial, error) {
	var out []*trial
	var lost []error
	for rec, err := range s.store.Trials(ctx, store.Filter{NoSteps: s.cfg.Prune == nil && s.cfg.Curve == nil && !s.curves}) {
		if err != nil {
			return nil, err
		}
		t := &trial{Trial: rec}
		d, err := s.space.ParseJSON(rec.Design)
		if err != nil {
			if lost = append(lost, fmt.Errorf("trial %d: %w", rec.Number, err)); len(lost) == 5 {
				break
			}
			continue
		}
		t.design = d
		t.key = keyAt(s.keyOf(d), t.Fidelity)
		t.from, _ = strconv.ParseFloat(t.Attrs[attrResumed], 64)
		t.first = t.Number
		if t.from > 0 && len(t.Parents) > 0 {
			t.first = s.firstOf(t.Parents[0])
		}
		if rec.State.Done() {
			t.score = s.cfg.Goal.Score(rec.Values)
		}
		s.next = max(s.next, rec.Number+1)
		s.seq = max(s.seq, rec.AskSeq, rec.TellSeq)
		out = append(out, t)
	}
	if len(lost) > 0 {
		return nil, fmt.Errorf("study %s: earlier trials are not designs of the present space; adding options is fine, removing used ones is not. Give the study another name or restore the space: %w", s.cfg.Name, errors.Join(lost...))
	}
	return out, nil
}

// keyOf identifies designs that need to be measured only once, in full.
func (s *Study) keyOf(d space.Design) string {
	if c, ok := s.cfg.Problem.(problem.Canonical); ok {
		return c.Key(d)
	}
	h := d.Hash()
	return string(h[:])
}

// seedTrials records the trials that exist before the first question: those of
// another study, and designs the user wants tried.
func (s *Study) seedTrials(ctx context.Context) error {
	var recs []*trial
	for _, w := range s.cfg.WarmStart {
		d, err := s.space.ParseJSON(w.Design)
		if err != nil {
			return fmt.Errorf("study %s: warm start: trial %d of the other study is not a design of this space: %w", s.cfg.Name, w.Number, err)
		}
		if w.State != store.Complete || w.Partial() && !s.fidelity.Graded() {
			continue
		}
		t := s.newTrial(d, w.Fidelity)
		t.State, t.Operator, t.Values = store.Complete, opImport, w.Values
		t.Finished = s.cfg.Now()
		t.charge(0)
		if err := s.judge(t, w.Values); err != nil {
			return fmt.Errorf("study %s: warm start: trial %d: %w", s.cfg.Name, w.Number, err)
		}
		recs = append(recs, t)
	}
	for _, d := range s.cfg.Enqueue {
		t := s.newTrial(d, 0)
		t.Operator = opEnqueue
		recs = append(recs, t)
	}
	return s.adopt(ctx, recs)
}

// Enqueue adds designs to be tried before the searcher is asked again.
func (s *Study) Enqueue(ctx context.Context, designs ...space.Design) error {
	var recs []*trial
	for _, d := range designs {
		if d.Space() != s.space {
			return &ConfigError{Field: "Enqueue", Found: "a design of another space", Want: "designs of the study's space"}
		}
		t := s.newTrial(d, 0)
		t.Operator = opEnqueue
		recs = append(recs, t)
	}
	return s.adopt(ctx, recs)
}

func (s *Study) adopt(ctx context.Context, recs []*trial) error {
	if len(recs) == 0 {
		return nil
	}
	if err := s.save(ctx, recs...); err != nil {
		return err
	}
	for _, t := range recs {
		s.foreign[t.Number] = true
		if t.State.Done() {
			s.settle(t)
			s.untold[t.Number] = t
		} else {
			s.open = append(s.open, t)
		}
	}
	return nil
}

// newTrial numbers a trial of a design with a share of the full effort.
func (s *Study) newTrial(d space.Design, share float64) *trial {
	if problem.Full(share) {
		share = 0
	}
	h := d.Hash()
	key := s.keyOf(d)
	t := &trial{design: d, key: keyAt(key, share), first: s.next, Trial: store.Trial{
		Number: s.next, State: store.Waiting, Attempt: 1, Design: d.AppendJSON(nil), Hash: h, Fidelity: share, Queued: s.cfg.Now(),
	}}
	if _, ok := s.cfg.Problem.(problem.Canonical); ok {
		t.Key = key
	}
	s.next++
	return t
}

// save makes trials durable.
func (s *Study) save(ctx context.Context, ts ...*trial) error {
	if len(ts) == 0 {
		return nil
	}
	recs := make([]store.Trial, len(ts))
	for i, t := range ts {
		recs[i] = t.Trial
	}
	// A result in hand is written even if the user has just pressed ctrl-C.
	return s.store.Save(context.WithoutCancel(ctx), recs...)
}

func (s *Study) saveStudy(ctx context.Context, status, reason string) error {
	ctx = context.WithoutCancel(ctx)
	rec, err := s.store.Study(ctx)
	if err != nil {
		return err
	}
	if status != "" {
		rec.Status, rec.StopReason = status, reason
	}
	rec.Attrs = maps.Clone(rec.Attrs)
	if rec.Attrs == nil {
		rec.Attrs = map[string]string{}
	}
	rec.Attrs[attrElapsed] = strconv.FormatFloat(s.elapsed().Seconds(), 'f', 3, 64)
	return s.store.SaveStudy(ctx, rec)
}

func (s *Study) elapsed() time.Duration { return s.prior + s.cfg.Now().Sub(s.began) }

// judge scores measured values, or says why they cannot be used.
func (s *Study) judge(t *trial, v metric.Values) error {
	for _, o := range s.cfg.Goal.Objectives {
		if err := usable(v, o.Metric); err != nil {
			return err
		}
	}
	for _, l := range s.cfg.Goal.Limits {
		if err := usable(v, l.Metric); err != nil {
			return err
		}
	}
	t.Values = v
	t.setScore(s.cfg.Goal.Score(v))
	t.Cost = t.Seconds
	if m := s.cfg.Budget.Metric; m != "" {
		t.Cost = v[m]
	}
	return nil
}

func usable(v metric.Values, name string) error {
	x, ok := v[name]
	switch {
	case !ok:
		return fmt.Errorf("metric %s is missing; the evaluator returned %v", name, slices.Sorted(maps.Keys(v)))
	case math.IsNaN(x) || math.IsInf(x, 0):
		return fmt.Errorf("metric %s is %v; expected a finite number", name, x)
	}
	return nil
}

// settle takes a finished trial into the counts, the cache and the front.
func (s *Study) settle(t *trial) {
	s.counts[t.State]++
	if t.Operator == opImport {
		s.imported++
	}
	switch t.State {
	case store.Complete:
		s.cost += t.Cost
		s.effort += t.spent()
		if _, dup := s.known[t.key]; !dup {
			s.known[t.key] = record{number: t.Number, values: t.Values, score: t.score}
		}
		if t.Partial() {
			s.partial[t.Number] = rung{share: t.Fidelity, first: t.first}
			return
		}
	case store.Cached:
		if t.Partial() {
			s.partial[t.Number] = rung{share: t.Fidelity, first: t.first}
		}
		return
	default:
		s.cost += t.Cost
		if t.State == store.Infeasible {
			if t.Started.IsZero() { // known from an equal design
				s.free++
			} else if _, dup := s.known[s.keyOf(t.design)]; !dup {
				s.known[s.keyOf(t.design)] = record{number: t.Number, reason: t.Error}
			}
		}
		if t.State != store.Infeasible || !t.Started.IsZero() {
			s.effort += t.spent()
		}
		if t.Error != "" {
			s.lastError = t.Error
		}
		s.sinceGain++
		return
	}
	added, _ := s.front.Add(t.score, t.Number)
	if added {
		s.designs[t.Number] = t.design
		if len(s.designs) > 2*s.front.Len()+64 {
			s.forget()
		}
	}
	if added && t.score.Feasible() {
		s.sinceGain = 0
	} else {
		s.sinceGain++
	}
	if len(s.cfg.Stop.Target) > 0 && s.hitTarget < 0 && t.score.Feasible() && meets(s.cfg.Stop.Target, t.Values) {
		s.hitTarget = t.Number
	}
}

// forget drops the designs that have left the front.
func (s *Study) forget() {
	keep := make(map[int64]space.Design, s.front.Len())
	for _, n := range s.front.All() {
		keep[n] = s.designs[n]
	}
	s.designs = keep
}

func meets(targets []metric.Limit, v metric.Values) bool {
	for _, l := range targets {
		if x, ok := v[l.Metric]; !ok || l.Violation(x) > 0 {
			return false
		}
	}
	return true
}

// outcome is what the searcher is told about a finished trial.
func (s *Study) outcome(t *trial) search.Outcome {
	o := search.Outcome{
		ID: t.Proposal, Design: t.design, Score: t.score, Values: t.Values, Fidelity: t.Fidelity, Cost: t.Cost, Err: t.Error,
	}
	if s.foreign[t.Number] {
		o.ID = -t.Number - 1
	}
	switch t.State {
	case store.Complete, store.Cached:
		o.Status = search.Complete
	case store.Pruned:
		o.Status = search.Pruned
	case store.Infeasible:
		o.Status = search.Infeasible
	default:
		o.Status = search.Failed
	}
	if o.Status != search.Complete {
		o.Score = failedScore(len(s.cfg.Goal.Objectives))
		o.Values = t.Values
	}
	if s.curves {
		o.Curve = s.curveOf(t.Steps)
	}
	return o
}

func failedScore(n int) metric.Score {
	s := metric.Score{Loss: make([]float64, n), Violation: math.Inf(1)}
	for i := range s.Loss {
		s.Loss[i] = math.Inf(1)
	}
	return s
}

// ask asks the searcher for up to n proposals and makes trials of them, not
// saved yet.
func (s *Study) ask(n int) ([]*trial, error) {
	s.fitted()
	ps, err := s.searcher.Ask(n)
	if err != nil {
		return nil, err
	}
	s.seq++
	out := make([]*trial, 0, len(ps))
	for _, p := range ps {
		if !problem.Full(p.Fidelity) && s.fidelity.Snap(p.Fidelity) != p.Fidelity {
			return nil, fmt.Errorf("it proposes an evaluation at %v of the full effort; the problem has %s", p.Fidelity, efforts(s.fidelity))
		}
		t := s.newTrial(p.Design, p.Fidelity)
		t.Proposal, t.AskSeq = p.ID, s.seq
		t.Operator, t.Why, t.Predicted = p.Operator, p.Why, p.Predicted
		for _, id := range p.Parents {
			t.Parents = append(t.Parents, s.parent(id))
		}
		s.resume(t)
		s.numbers[p.ID] = t.Number
		out = append(out, t)
	}
	s.fit()
	return out, nil
}

// parent turns the ID of an outcome into a trial number.
func (s *Study) parent(id int64) int64 {
	if id < 0 {
		return -id - 1
	}
	return s.numbers[id]
}

// tell reports finished trials to the searcher as one event.
func (s *Study) tell(ts ...*trial) {
	if len(ts) == 0 {
		return
	}
	s.seq++
	outs := make([]search.Outcome, len(ts))
	for i, t := range ts {
		t.TellSeq = s.seq
		outs[i] = s.outcome(t)
		delete(s.untold, t.Number)
	}
	s.fitted()
	s.searcher.Tell(outs...)
}

// trialSeed is the seed that evaluators may use for a trial.
func (s *Study) trialSeed(number int64) uint64 {
	return rng.New(s.cfg.Seed, "trial", uint64(number)).Uint64()
}
