package view

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/internal/term"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/space"
	"github.com/daedalus-search/daedalus/store"
)

// A run is the scores of evaluations in their order. Those that gave none have
// infinite losses.
type run struct {
	m      int
	losses []float64
	miss   []float64
}

func (r *run) len() int { return len(r.miss) }

func (r *run) score(i int) metric.Score {
	return metric.Score{Loss: r.losses[i*r.m : (i+1)*r.m], Violation: r.miss[i]}
}

func (r *run) add(s metric.Score) {
	r.losses = append(r.losses, s.Loss...)
	r.miss = append(r.miss, s.Violation)
}

// fail adds an evaluation without a result.
func (r *run) fail() {
	for range r.m {
		r.losses = append(r.losses, math.Inf(1))
	}
	r.miss = append(r.miss, math.Inf(1))
}

// best returns the non-dominated feasible rows.
func (r *run) best() []float64 {
	var out []float64
	for _, i := range metric.Best(r.losses, r.m, r.miss) {
		if r.miss[i] == 0 {
			out = append(out, r.losses[i*r.m:(i+1)*r.m]...)
		}
	}
	return out
}

// runOf returns the evaluations among stored scores and their indexes. Designs
// served from the cache cost nothing and are left out.
func runOf(m int, losses, violations []float64, states []store.State) (r *run, at []int) {
	r = &run{m: m}
	for i, s := range states {
		switch s {
		case store.Complete:
			sc := metric.Score{Loss: losses[i*m : (i+1)*m], Violation: violations[i]}
			if sc.OK() {
				r.add(sc)
			} else {
				r.fail()
			}
		case store.Failed, store.Infeasible, store.Pruned:
			r.fail()
		default:
			continue
		}
		at = append(at, i)
	}
	return r, at
}

// curve follows a run: the hypervolume after each evaluation, or with one
// objective the best feasible value, NaN before there is one.
func (r *run) curve(ref []float64, goal metric.Goal) ([]float64, error) {
	if r.m == 1 {
		out := make([]float64, r.len())
		best := math.NaN()
		for i := range out {
			if s := r.score(i); s.OK() && s.Feasible() && !(best <= s.Loss[0]) {
				best = s.Loss[0]
			}
			out[i] = best
			if len(goal.Objectives) == 1 {
				out[i] = goal.Objectives[0].Value(best)
			}
		}
		return out, nil
	}
	h, err := metric.NewHypervolumeHistory(ref)
	if err != nil {
		return nil, err
	}
	for i := range r.len() {
		h.Add(r.score(i))
	}
	return h.Values(), nil
}

// mostExact bounds the front, by the number of objectives, for which the
// hypervolume is followed trial by trial.
var mostExact = map[int]int{2: math.MaxInt, 3: 3000, 4: 300, 5: 60, 6: 30}

// history follows the search and what random sampling would have reached.
func (b *builder) history(ctx context.Context) error {
	missing := func(why string) error {
		b.view.Missing["history"] = why
		return nil
	}
	if b.m == 0 || len(b.best) == 0 {
		return missing(b.nothing())
	}
	if b.violations[b.best[0]] > 0 {
		return missing("No design keeps every limit, so there is no progress to follow yet.")
	}
	if b.m > 1 && len(b.best) > mostExact[b.m] {
		return missing(fmt.Sprintf("The exact hypervolume of a front of %s in %d objectives takes too long.", term.Plural(int64(len(b.best)), "design"), b.m))
	}
	mine, at := runOf(b.m, b.losses, b.violations, b.states)
	others, what, why, err := b.baselines(ctx, mine.len())
	if err != nil {
		return err
	}
	var ref []float64
	h := &History{Measure: "hypervolume", Better: "high"}
	if b.m > 1 {
		all := mine.best()
		for _, o := range others {
			all = append(all, o.best()...)
		}
		front := make([]float64, 0, len(all))
		for _, i := range metric.NonDominated(all, b.m) {
			front = append(front, all[i*b.m:(i+1)*b.m]...)
		}
		ref = metric.ReferencePoint(front, b.m)
		if slices.ContainsFunc(ref, func(x float64) bool { return !finite(x) }) {
			return missing("The objectives' values are too far apart for a hypervolume.")
		}
		for k, x := range ref {
			value := x
			if k < len(b.src.Goal.Objectives) {
				value = b.src.Goal.Objectives[k].Value(x)
			}
			h.Reference = append(h.Reference, value)
		}
		h.Unit = b.volumeUnit()
	} else if len(b.src.Goal.Objectives) == 1 {
		o := b.src.Goal.Objectives[0]
		h.Measure, h.Unit, h.Better = o.Metric, b.unit(o.Metric), "low"
		switch {
		case o.Target != nil:
			h.Measure = fmt.Sprintf("distance of %s to %v", o.Metric, *o.Target)
		case o.Direction == metric.Maximize:
			h.Better = "high"
		}
	} else {
		h.Measure, h.Better = "loss", "low"
	}
	values, err := mine.curve(ref, b.src.Goal)
	if err != nil {
		return fmt.Errorf("view: %w", err)
	}
	if !finite(values[len(values)-1]) {
		return missing("The objectives' values are too far apart for a hypervolume.")
	}
	if b.m > 1 {
		b.volumes, b.measured = values, at
	}
	for _, i := range corners(values) {
		h.Trials, h.Values = append(h.Trials, i+1), append(h.Values, values[i])
	}
	lowest, highest := extremes(h.Values)
	h.Log = b.m == 1 && h.Better == "low" && lowest > 0 && highest/lowest > 100
	if len(others) > 0 {
		if h.Baseline, err = b.compare(values, others, ref, what, h.Better); err != nil {
			return err
		}
	} else {
		b.view.Missing["baseline"] = why
	}
	b.view.History = h
	return nil
}

func extremes(xs []float64) (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, x := range xs {
		low, high = min(low, x), max(high, x)
	}
	return low, high
}

// volumeUnit is the unit of the hypervolume: the product of the objectives'.
func (b *builder) volumeUnit() string {
	var words []string
	for _, o := range b.src.Goal.Objectives {
		if u := b.unit(o.Metric); u != "" {
			words = append(words, u)
		}
	}
	return strings.Join(words, "·")
}

// corners returns where a curve changes, and its end.
func corners(values []float64) []int {
	var out []int
	for i, x := range values {
		if math.IsNaN(x) {
			continue
		}
		if len(out) == 0 || x != values[i-1] || i == len(values)-1 {
			out = append(out, i)
		}
	}
	return out
}

// Repetitions of random sampling: as many as fit, so that a report of a large
// study stays quick.
const (
	mostBaseline = 9
	mostSamples  = 200_000
)

// baselines returns the runs to compare with: another study, or random sampling
// if an evaluation costs next to nothing. why says why there are none.
func (b *builder) baselines(ctx context.Context, n int) (runs []*run, what, why string, err error) {
	if st := b.src.Baseline; st != nil {
		rec, err := st.Study(ctx)
		if err != nil {
			return nil, "", "", err
		}
		r, err := b.rerun(ctx, st)
		if err != nil {
			return nil, "", "", err
		}
		if len(metric.Best(r.losses, r.m, r.miss)) == 0 {
			return nil, "", fmt.Sprintf("The study %s has no trial that measured what counts here.", rec.Name), nil
		}
		return []*run{r}, fmt.Sprintf("%s, %s", rec.Name, rec.Searcher), "", nil
	}
	hint := "To compare with random sampling, run the study with `--set search=random --out random` and give its database to `daedalus report --baseline`."
	p, ok := b.src.Problem.(problem.Batcher)
	if _, costly := b.src.Problem.(problem.Preparer); costly {
		ok = false // the first one is not
	}
	if !ok {
		return nil, "", "An evaluation is not cheap enough to repeat the study with random sampling. " + hint, nil
	}
	if b.rec.Searcher == "random" {
		return nil, "", "The study is random sampling itself.", nil
	}
	if n == 0 {
		return nil, "", b.nothing(), nil
	}
	sp := b.src.Problem.Space()
	reps := min(max(mostSamples/n, 1), mostBaseline)
	if reps%2 == 0 { // the median is one of them
		reps--
	}
	per := min(n, mostSamples)
	designs, results := make([]space.Design, 0, 1024), make([]problem.Result, 1024)
	for k := range reps {
		r := rng.New(b.rec.Seed, "report/baseline", uint64(k))
		x := &run{m: b.m}
		for x.len() < per {
			designs = designs[:0]
			for range min(per-x.len(), 1024) {
				d, err := sp.Sample(r)
				if err != nil {
					return nil, "", "Random designs cannot be drawn: " + err.Error(), nil
				}
				designs = append(designs, d)
			}
			p.EvaluateBatch(ctx, designs, results[:len(designs)])
			if err := ctx.Err(); err != nil {
				return nil, "", "", err
			}
			for i := range designs {
				s := b.src.Goal.Score(results[i].Values)
				if results[i].Err != nil || !s.OK() {
					x.fail()
				} else {
					x.add(s)
				}
			}
		}
		runs = append(runs, x)
	}
	what = "random sampling"
	if reps > 1 {
		what = fmt.Sprintf("random sampling, %d repetitions", reps)
	}
	return runs, what, "", nil
}

// mostCorners bounds the points of a baseline.
const mostCorners = 400

// rerun scores the trials of another study by the goal of this one: its own
// losses may be of other objectives.
func (b *builder) rerun(ctx context.Context, st store.Store) (*run, error) {
	r := &run{m: b.m}
	for t, err := range st.Trials(ctx, store.Filter{NoSteps: true}) {
		if err != nil {
			return nil, err
		}
		switch t.State {
		case store.Complete:
			s := metric.Score{Loss: t.Loss, Violation: t.Violation}
			if len(b.src.Goal.Objectives) > 0 {
				s = b.src.Goal.Score(t.Values)
			}
			if len(s.Loss) == b.m && s.OK() && !t.Partial() {
				r.add(s)
			} else {
				r.fail()
			}
		case store.Failed, store.Infeasible, store.Pruned:
			r.fail()
		}
	}
	return r, nil
}

// compare draws the band of the baselines and says who is ahead.
func (b *builder) compare(values []float64, others []*run, ref []float64, what, better string) (*Baseline, error) {
	curves := make([][]float64, len(others))
	n := math.MaxInt
	for i, o := range others {
		c, err := o.curve(ref, b.src.Goal)
		if err != nil {
			return nil, fmt.Errorf("view: %w", err)
		}
		curves[i] = c
		n = min(n, len(c))
	}
	out := &Baseline{What: what}
	// Places that are dense at the beginning, where most happens.
	var places []int
	for k := range mostCorners {
		f := float64(k) / (mostCorners - 1)
		i := int(math.Round(f * f * float64(n-1)))
		if len(places) == 0 || places[len(places)-1] != i {
			places = append(places, i)
		}
	}
	column := make([]float64, len(curves))
	for _, i := range places {
		for k, c := range curves {
			column[k] = c[i]
		}
		if slices.ContainsFunc(column, math.IsNaN) { // before every repetition has a value
			continue
		}
		slices.Sort(column)
		out.Trials = append(out.Trials, i+1)
		out.Low, out.Middle, out.High = append(out.Low, column[0]), append(out.Middle, column[len(column)/2]), append(out.High, column[len(column)-1])
	}
	if len(out.Trials) == 0 {
		out.Ahead = "The baseline found no design that keeps every limit."
		return out, nil
	}
	out.Ahead, out.behind = ahead(values, out, better)
	return out, nil
}

// ahead compares a curve with the median of the baseline, in one sentence, and
// says whether it reaches less.
func ahead(values []float64, base *Baseline, better string) (words string, behind bool) {
	beats := func(x, y float64) bool {
		if better == "low" {
			return x <= y
		}
		return x >= y
	}
	end := len(base.Trials) - 1
	goal, spent := base.Middle[end], base.Trials[end]
	for i, x := range values {
		if !math.IsNaN(x) && beats(x, goal) {
			if i+1 >= spent {
				break
			}
			s := fmt.Sprintf("Reached after %s what the baseline has after %s", term.Plural(int64(i+1), "evaluation"), term.Int(int64(spent)))
			if f := float64(spent) / float64(i+1); f >= 1.15 {
				s += fmt.Sprintf(": %s times fewer", trimmed(f))
			}
			return s + ".", false
		}
	}
	last := values[min(len(values), spent)-1]
	switch {
	case math.IsNaN(last):
		return "The search found no design that keeps every limit; the baseline did.", true
	case last == goal:
		return "The search ended where the baseline did.", false
	case beats(last, goal):
		return "The search is ahead of the baseline.", false
	}
	// Where was the baseline when it had what the search ended with?
	for k, x := range base.Middle {
		if beats(x, last) {
			return fmt.Sprintf("The baseline is ahead: after %s evaluations it has what the search has after %s.", term.Int(int64(base.Trials[k])), term.Int(int64(min(len(values), spent)))), true
		}
	}
	return "The baseline is ahead.", true
}

// trimmed writes a factor with two digits.
func trimmed(f float64) string {
	if f >= 10 {
		return term.Int(int64(math.Round(f)))
	}
	return fmt.Sprintf("%.1f", f)
}
