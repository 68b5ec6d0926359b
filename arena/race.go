package arena

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/space"
)

// Status says how a run ended.
type Status string

// How a run ends.
const (
	Done   Status = "done"
	Failed Status = "failed" // the searcher broke down; what it found does not count
	Unfit  Status = "unfit"  // the searcher cannot take part in this problem
)

// A Row is one run: one line of the journal.
type Row struct {
	ID       string `json:"id"`
	Problem  string `json:"problem"`
	Searcher string `json:"searcher"`
	Setting  string `json:"setting,omitempty"` // of the lottery; "" for the searcher as it is
	Seed     uint64 `json:"seed"`
	Method   string `json:"method,omitempty"` // what auto chose, or the peer calls itself
	Status   Status `json:"status"`
	Reason   string `json:"reason,omitempty"` // why it failed, is unfit, or ended before its budget
	Stderr   string `json:"stderr,omitempty"`

	Trials     int64 `json:"trials"`   // proposals judged
	Distinct   int64 `json:"distinct"` // different designs among them
	Repeats    int64 `json:"repeats"`  // proposals that had been measured before
	Infeasible int64 `json:"infeasible,omitempty"`
	Errors     int64 `json:"errors,omitempty"` // evaluations that failed

	At       []int64   `json:"at"`              // evaluations used up at each checkpoint
	Best     Numbers   `json:"best,omitempty"`  // best feasible loss so far; with measures too
	Front    []Numbers `json:"front,omitempty"` // the checkpoint and the losses of each design on the front there, several objectives
	QD       Numbers   `json:"qd,omitempty"`
	Coverage Numbers   `json:"coverage,omitempty"`

	Design   json.RawMessage `json:"design,omitempty"` // the best, of one objective
	Verified metric.Values   `json:"verified,omitempty"`
	Average  Numbers         `json:"average,omitempty"` // of the losses of all feasible designs of one objective: mean, trimmed mean, median

	Ask     Cost    `json:"ask"`
	Tell    float64 `json:"tell_s"`
	Refit   float64 `json:"refit_s,omitempty"`
	Eval    float64 `json:"eval_s"`
	Seconds float64 `json:"seconds"`
	Engine  string  `json:"engine,omitempty"`
}

// Cost is the wall time of asking, in seconds a proposal.
type Cost struct {
	Mean float64 `json:"mean_s"`
	P95  float64 `json:"p95_s"`
	Sum  float64 `json:"sum_s"`
}

// Numbers are JSON numbers with null for what is not finite.
type Numbers []float64

// MarshalJSON writes what is not finite as null.
func (n Numbers) MarshalJSON() ([]byte, error) {
	out := make([]*float64, len(n))
	for i := range n {
		if n[i]-n[i] == 0 {
			out[i] = &n[i]
		}
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads null as NaN.
func (n *Numbers) UnmarshalJSON(text []byte) error {
	var in []*float64
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	*n = make(Numbers, len(in))
	for i, x := range in {
		(*n)[i] = math.NaN()
		if x != nil {
			(*n)[i] = *x
		}
	}
	return nil
}

// Checkpoints are the numbers of evaluations at which runs are compared: about
// ten a decade, and the budget.
func Checkpoints(budget int64) []int64 {
	var out []int64
	for i := 0; ; i++ {
		n := int64(math.Round(math.Pow(10, float64(i)/10)))
		if n >= budget {
			return append(out, budget)
		}
		if len(out) == 0 || n > out[len(out)-1] {
			out = append(out, n)
		}
	}
}

const (
	maxBatch   = 1024
	maxRepeats = 10_000 // proposals in a row that were measured before
)

// A lane is one run to be made.
type lane struct {
	id       string
	problem  *Problem
	searcher *Searcher
	setting  string
	seed     uint64
}

// run makes one run. It returns nil if ctx was cancelled: the run is then made
// another time.
func (f *File) run(ctx context.Context, l lane, o *Options) (row *Row) {
	row = &Row{ID: l.id, Problem: l.problem.Label, Searcher: l.searcher.Label, Setting: l.setting, Seed: l.seed, Engine: o.Engine}
	began := time.Now()
	defer func() {
		if x := recover(); x != nil {
			row.Status, row.Reason = Failed, fmt.Sprintf("the searcher panicked: %v", x)
			row.Best, row.Front, row.QD, row.Coverage, row.At = nil, nil, nil, nil, nil
		}
		if row != nil {
			row.Seconds = time.Since(began).Seconds()
		}
	}()
	inner := ctx
	if f.Time > 0 {
		var cancel context.CancelFunc
		inner, cancel = context.WithTimeout(ctx, f.Time)
		defer cancel()
	}
	fail := func(err error) *Row {
		var u *unfitError
		var p *peerError
		row.Status, row.Reason = Failed, err.Error()
		switch {
		case errors.As(err, &u):
			row.Status = Unfit
		case errors.As(err, &p):
			row.Stderr = p.stderr
		}
		row.Best, row.Front, row.QD, row.Coverage, row.At = nil, nil, nil, nil, nil
		return row
	}
	var s search.Searcher
	if p := l.searcher.Peer; p != nil {
		if why, ok := o.unfit.Load([2]string{l.searcher.Label, l.problem.Label}); ok { // it said so before
			return fail(why.(error))
		}
		ps, err := p.start(inner, l.problem, l.seed)
		if errors.As(err, new(*unfitError)) {
			o.unfit.Store([2]string{l.searcher.Label, l.problem.Label}, err)
		}
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fail(err)
		}
		defer func() {
			if row == nil || row.Status != Done || inner.Err() != nil {
				ps.reuse = false
			}
			if text := ps.close(); row != nil && row.Status == Failed && row.Stderr == "" {
				row.Stderr = text
			}
		}()
		s, row.Method = ps, ps.name
	} else {
		name, m, err := l.searcher.Method(l.problem, l.problem.setup(l.seed))
		if err != nil {
			return fail(&unfitError{err.Error()})
		}
		if l.searcher.Name == "auto" {
			row.Method = name
		}
		if s, err = m.New(l.problem.adapt(l.problem.setup(l.seed), m)); err != nil {
			return fail(&unfitError{err.Error()})
		}
	}
	j := newJudge(l.problem, row)
	err := f.loop(inner, l, s, j, row)
	switch {
	case ctx.Err() != nil:
		return nil
	case err != nil && inner.Err() != nil && f.Time > 0: // also that a peer was ended by it
		row.Reason = fmt.Sprintf("out of time after %v", f.Time)
	case err != nil:
		return fail(err)
	}
	row.Status = Done
	j.finish(ctx)
	return row
}

// An unfitError says that a searcher cannot take part in a problem.
type unfitError struct{ reason string }

func (e *unfitError) Error() string { return e.reason }

// loop asks, evaluates and tells until the budget is used up.
func (f *File) loop(ctx context.Context, l lane, s search.Searcher, j *judge, row *Row) error {
	p := l.problem
	batcher, _ := s.(search.Batcher)
	refit, _ := s.(search.Refitter)
	many, _ := p.Problem.(problem.Batcher)
	noisy := false
	if n, ok := p.Problem.(problem.Noisy); ok {
		noisy = n.Noisy()
	}
	reader, _ := s.(search.CurveReader)
	curves := reader != nil && reader.ReadsCurves()
	fidelity := problem.FidelityOf(p.Problem)
	known := map[string]search.Outcome{}
	reached := map[string]float64{} // by design: the largest share it was measured at
	var asks []float32
	inRow := 0
	spent, budget := 0.0, float64(p.Trials)
	clock := func(sum *float64, f func()) {
		t := time.Now()
		f()
		*sum += time.Since(t).Seconds()
	}
	defer func() {
		if len(asks) > 0 {
			row.Ask.Mean = row.Ask.Sum / float64(len(asks))
			slices.Sort(asks)
			row.Ask.P95 = float64(asks[min(len(asks)*95/100, len(asks)-1)])
		}
	}()
	var designs []space.Design
	var results []problem.Result
	for spent < budget-tiny {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := 1
		if batcher != nil {
			n = min(max(batcher.Batch(), 1), maxBatch, max(int(budget-spent+tiny), 1))
		}
		var proposals []search.Proposal
		var err error
		before := row.Ask.Sum
		clock(&row.Ask.Sum, func() { proposals, err = s.Ask(n) })
		if errors.Is(err, search.ErrExhausted) {
			row.Reason = "has nothing left to propose"
			return nil
		}
		if err != nil {
			return err
		}
		if len(proposals) == 0 {
			return errors.New("the searcher was asked for a proposal and made none")
		}
		if len(proposals) > n {
			proposals = proposals[:n]
		}
		each := float32((row.Ask.Sum - before) / float64(len(proposals)))
		outcomes := make([]search.Outcome, len(proposals))
		keys := make([]string, len(proposals))
		costs := make([]float64, len(proposals))
		designs, results = designs[:0], results[:0]
		var fresh []int
		for i, q := range proposals {
			asks = append(asks, each)
			outcomes[i] = search.Outcome{ID: q.ID, Design: q.Design, Status: search.Infeasible, Err: q.Why}
			costs[i] = 1
			if q.Design.IsZero() { // a peer's, that breaks a constraint
				continue
			}
			share := 1.0
			if !problem.Full(q.Fidelity) {
				if !fidelity.Graded() {
					return &unfitError{"it asks for partial evaluations, which this problem does not offer"}
				}
				share = fidelity.Snap(q.Fidelity)
				costs[i] = fidelity.Cost(0, share)
			}
			keys[i] = p.key(q.Design, share)
			if _, ok := known[keys[i]]; ok && !noisy {
				continue
			}
			if slices.Contains(keys[:i], keys[i]) && !noisy { // twice in one batch
				continue
			}
			fresh = append(fresh, i)
			designs = append(designs, q.Design)
			results = append(results, problem.Result{})
		}
		if many != nil && !fidelity.Graded() {
			clock(&row.Eval, func() { many.EvaluateBatch(ctx, designs, results) })
		} else {
			for k, i := range fresh {
				q := proposals[i]
				share, from := fidelity.Snap(q.Fidelity), 0.0
				if at := reached[p.key(q.Design, 1)]; fidelity.Resumes && q.Operator == search.Promote && at < share {
					from = at
				}
				if fidelity.Graded() {
					costs[i] = fidelity.Cost(from, share)
				}
				var r *recorder
				if curves {
					r = &recorder{p: p, fidelity: fidelity}
				}
				clock(&row.Eval, func() { results[k] = p.evaluate(ctx, q.Design, from, share, r) })
				if results[k].Err == nil {
					reached[p.key(q.Design, 1)] = max(reached[p.key(q.Design, 1)], share)
				}
				if r != nil {
					outcomes[i].Curve = r.points
				}
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		measured := map[string]search.Outcome{}
		for k, i := range fresh {
			o := p.outcome(proposals[i], results[k])
			o.Curve = outcomes[i].Curve
			outcomes[i] = o
			measured[keys[i]] = o
		}
		for i, q := range proposals {
			repeat := false
			if keys[i] != "" {
				o, ok := known[keys[i]]
				repeat = ok
				if !noisy {
					if !ok {
						o = measured[keys[i]]
					}
					o.ID, o.Design, o.Fidelity = q.ID, q.Design, q.Fidelity
					outcomes[i] = o
				}
				known[keys[i]] = outcomes[i]
			}
			row.Trials++
			if repeat {
				row.Repeats++
				inRow++
			} else {
				row.Distinct++
				inRow = 0
			}
			if !repeat || !f.Free {
				spent += costs[i]
			}
			outcomes[i].Cost = costs[i]
			j.add(spent, &outcomes[i], repeat)
		}
		clock(&row.Tell, func() { s.Tell(outcomes...) })
		if e, ok := s.(interface{ Err() error }); ok && e.Err() != nil {
			return e.Err()
		}
		if refit != nil {
			clock(&row.Refit, func() { refit.Refit() })
		}
		if inRow >= maxRepeats {
			row.Reason = "only repeats designs"
			return nil
		}
	}
	return nil
}

// tiny is what sums of shares may be off by.
const tiny = 1e-9

// key is the same for measurements that are the same: of designs that are the
// same thing, with the same share of the effort.
func (p *Problem) key(d space.Design, share float64) string {
	key := ""
	if c, ok := p.Problem.(problem.Canonical); ok {
		key = "=" + c.Key(d)
	} else {
		h := d.Hash()
		key = string(h[:])
	}
	if share != 1 {
		key += "@" + strconv.FormatFloat(share, 'g', -1, 64)
	}
	return key
}

// evaluate measures a design with a share of the effort, going on from a smaller
// one if that is above 0.
func (p *Problem) evaluate(ctx context.Context, d space.Design, from, share float64, r *recorder) (out problem.Result) {
	defer func() {
		if x := recover(); x != nil {
			out = problem.Result{Err: fmt.Errorf("the evaluation panicked: %v", x)}
		}
	}()
	var report problem.Reporter
	if r != nil {
		report = r
	}
	graded, _ := p.Problem.(problem.Graded)
	resumer, _ := p.Problem.(problem.Resumer)
	switch {
	case resumer != nil && from > 0:
		out.Values, out.Err = resumer.Resume(ctx, d, from, share, report)
	case graded != nil && share < 1:
		out.Values, out.Err = graded.EvaluateAt(ctx, d, share, report)
	default:
		out.Values, out.Err = p.Problem.Evaluate(ctx, d, report)
	}
	return out
}

// A recorder keeps what an evaluation reports on its way, for searchers that
// learn from it.
type recorder struct {
	p        *Problem
	fidelity problem.Fidelity
	points   []search.Point
}

// Report keeps a point of the curve.
func (r *recorder) Report(step int64, v metric.Values) error {
	if s := r.p.Goal.Score(v); s.OK() && r.fidelity.Graded() {
		r.points = append(r.points, search.Point{Fidelity: r.fidelity.Share(float64(step)), Score: s})
	}
	return nil
}

// outcome judges what an evaluation returned.
func (p *Problem) outcome(q search.Proposal, r problem.Result) search.Outcome {
	o := search.Outcome{ID: q.ID, Design: q.Design, Status: search.Complete, Values: r.Values, Fidelity: q.Fidelity}
	var not *problem.InfeasibleError
	switch {
	case errors.As(r.Err, &not):
		o.Status, o.Err = search.Infeasible, not.Reason
	case r.Err != nil:
		o.Status, o.Err = search.Failed, r.Err.Error()
	default:
		if o.Score = p.Goal.Score(r.Values); !o.Score.OK() {
			o.Status, o.Err = search.Failed, "a metric that counts is not a number"
		}
	}
	return o
}

// A judge follows a run and keeps what is compared at the checkpoints.
type judge struct {
	p      *Problem
	row    *Row
	points []int64 // checkpoints
	next   int

	best   float64
	design space.Design
	losses []float64 // of all distinct feasible designs of one objective
	front  metric.Front[*bool]
	grid   *metric.Grid[struct{}]
	at     []float64
}

func newJudge(p *Problem, row *Row) *judge {
	j := &judge{p: p, row: row, points: Checkpoints(p.Trials), best: math.NaN()}
	if len(p.Measures) > 0 {
		axes := make([]metric.Axis, len(p.Measures))
		for i, m := range p.Measures {
			axes[i] = metric.Axis{Name: m.Metric, Low: m.Low, High: m.High, Cells: m.Cells}
		}
		j.grid, _ = metric.NewGrid[struct{}](axes...)
		j.at = make([]float64, len(axes))
	}
	return j
}

// add takes the next outcome; spent is how much of the budget is used up. What
// was measured with part of the effort does not count, whatever it says.
func (j *judge) add(spent float64, o *search.Outcome, repeat bool) {
	switch o.Status {
	case search.Infeasible:
		j.row.Infeasible++
	case search.Failed:
		j.row.Errors++
	}
	if o.Usable() && problem.Full(o.Fidelity) {
		if !o.Score.Feasible() {
			j.row.Infeasible++
		}
		j.take(o, repeat)
	}
	for j.next < len(j.points) && spent >= float64(j.points[j.next])-tiny {
		j.mark()
	}
}

func (j *judge) take(o *search.Outcome, repeat bool) {
	if len(o.Score.Loss) > 1 {
		if o.Score.Feasible() && !repeat {
			j.front.Add(o.Score, new(bool))
		}
		return
	}
	if !o.Score.Feasible() {
		return
	}
	loss := o.Score.Loss[0]
	if !repeat {
		j.losses = append(j.losses, loss)
	}
	if !(loss >= j.best) {
		j.best, j.design = loss, o.Design
	}
	if j.grid != nil {
		for i, m := range j.p.Measures {
			j.at[i] = o.Values[m.Metric]
		}
		j.grid.Add(-loss, j.at, struct{}{})
	}
}

// offset is the objective of the archive from which quality-diversity counts.
func (p *Problem) offset() float64 { return -p.Goal.Objectives[0].Loss(p.Floor) }

// mark notes how things stand at the next checkpoint.
func (j *judge) mark() {
	r := j.row
	if len(j.p.Goal.Objectives) > 1 {
		for s, seen := range j.front.All() {
			if !*seen {
				*seen = true
				r.Front = append(r.Front, append(Numbers{float64(len(r.At))}, s.Loss...))
			}
		}
	} else {
		r.Best = append(r.Best, j.best)
		if j.grid != nil {
			r.QD = append(r.QD, j.grid.QDScore(j.p.offset()))
			r.Coverage = append(r.Coverage, j.grid.Coverage())
		}
	}
	r.At = append(r.At, j.points[j.next])
	j.next++
}

// finish completes the curves of a run that ended before its budget, and
// measures the best design as it would be used.
func (j *judge) finish(ctx context.Context) {
	for j.next < len(j.points) {
		j.mark()
	}
	if len(j.losses) > 0 {
		j.row.Average = Numbers{mean(j.losses), trimmed(j.losses), Median(j.losses)}
	}
	if j.design.IsZero() {
		return
	}
	if text, err := j.design.MarshalJSON(); err == nil && len(text) <= 4096 {
		j.row.Design = text
	}
	if v, ok := j.p.Problem.(problem.Verifier); ok {
		if values, err := v.Verify(ctx, j.design); err == nil {
			j.row.Verified = values
		}
	}
}

// unit is the unit of the objective with its name.
func (p *Problem) unit() string {
	o := p.Goal.Objectives[0]
	for _, m := range p.Problem.Metrics() {
		if m.Name == o.Metric {
			return strings.TrimSuffix(m.Name+" ("+m.Unit+")", " ()")
		}
	}
	return o.Metric
}
