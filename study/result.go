package study

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/search/illuminate"
	"github.com/daedalus-search/daedalus/space"
	"github.com/daedalus-search/daedalus/store"
)

// Progress is what a run looks like at one moment.
type Progress struct {
	Evaluated int64   // evaluations finished, over all runs
	Budget    int64   // trials that may be spent; 0 means no bound
	Full      float64 // effort spent, in full evaluations
	Partial   int64   // designs measured with less than the full effort, once a fidelity
	Counts    map[store.State]int64
	Elapsed   time.Duration
	Best      map[string]float64 // values of the best design if there is one objective
	FrontSize int
	Feasible  bool // the front holds feasible designs
	SinceGain int64
	Cost      float64
	LastError string
	Tries     int64 // designs drawn from the space
	Rejected  int64 // of them, thrown away because a constraint did not hold
}

// Progress returns how the study stands.
func (s *Study) Progress() Progress {
	p := Progress{
		Evaluated: s.spent(), Budget: s.cfg.Budget.Trials, Counts: map[store.State]int64{}, Elapsed: s.elapsed(),
		FrontSize: s.front.Len(), Feasible: s.front.Feasible(), SinceGain: s.sinceGain, Cost: s.cost, LastError: s.lastError,
		Full: s.effort.full(), Partial: int64(len(s.partial)),
	}
	for i, n := range s.counts {
		if n > 0 {
			p.Counts[store.State(i)] = n
		}
	}
	p.Tries, p.Rejected = s.space.Rejections()
	if len(s.cfg.Goal.Objectives) == 1 {
		for _, n := range s.front.All() {
			d := s.designs[n]
			p.Best = s.known[s.keyOf(d)].values
			break
		}
	}
	return p
}

func (s *Study) observe() {
	if s.cfg.Observe != nil {
		s.cfg.Observe(s.Progress())
	}
}

// A Member is a design on the front.
type Member struct {
	Trial    int64
	Design   space.Design
	Values   metric.Values
	Score    metric.Score
	Verified metric.Values // set by Verify
}

// Result is the answer of a study.
type Result struct {
	Front    []Member // non-dominated designs, by the first objective; the least infeasible ones if none is feasible
	Feasible bool     // the front meets every limit
	Stopped  string   // why the run ended
	Progress Progress
	Archive  *Archive // what a quality-diversity method found; nil for other methods
}

// An Archive is the outcome of a quality-diversity method: the best design for
// every cell of the behaviour space it reached.
type Archive struct {
	Measures []illuminate.Measure
	Cells    int     // in all
	Coverage float64 // share of them that hold a design
	QDScore  float64 // sum over the cells of the objective, as illuminate's archive counts it
	Elites   []Elite // by cell
}

// An Elite is the best design of one cell.
type Elite struct {
	Cell     int
	Measures []float64
	Member
}

// archive reads the archive of the searcher, if it keeps one.
func (s *Study) archive() *Archive {
	s.fitted()
	a, ok := s.searcher.(illuminate.Archiver)
	if !ok {
		return nil
	}
	in := a.Archive()
	out := &Archive{Measures: a.Measures(), Cells: in.Cells(), Coverage: in.Coverage(), QDScore: in.QDScore(0)}
	for e := range in.Elites() {
		r := s.known[s.keyOf(e.Item.Design)]
		out.Elites = append(out.Elites, Elite{
			Cell: e.Cell, Measures: e.Measures,
			Member: Member{Trial: s.parent(e.Item.ID), Design: e.Item.Design, Values: r.values, Score: r.score},
		})
	}
	return out
}

// Result returns the front and how the study stands.
func (s *Study) Result() *Result {
	r := &Result{Progress: s.Progress(), Feasible: s.front.Feasible(), Archive: s.archive()}
	for score, n := range s.front.All() {
		d := s.designs[n]
		r.Front = append(r.Front, Member{Trial: n, Design: d, Values: s.known[s.keyOf(d)].values, Score: score})
	}
	return r
}

// Verify measures the members of the front as the problem's [problem.Verifier]
// does, for instance on test data. It does nothing for other problems.
func Verify(ctx context.Context, p problem.Problem, front []Member) error {
	v, ok := p.(problem.Verifier)
	if !ok {
		return nil
	}
	for i := range front {
		values, err := v.Verify(ctx, front[i].Design)
		if err != nil {
			return fmt.Errorf("verifying trial %d: %w", front[i].Trial, err)
		}
		front[i].Verified = values
	}
	return nil
}

// Truth compares a front with the true one.
type Truth struct {
	Members     int                // designs on the true front
	Found       int                // of them, objective vectors that the front has
	Hypervolume float64            // hypervolume of the front as a share of the true one
	Regret      map[string]float64 // metric → how far the best value found is from the best possible, in its unit, ≥ 0
}

// CompareTruth compares a front with the true front of the problem, if the
// problem knows it; ok is false otherwise or if no design is feasible. The
// reference point of the hypervolume is the worst value of each objective on
// the true front plus a tenth of its range.
func CompareTruth(ctx context.Context, p problem.Problem, goal metric.Goal, front []Member) (truth Truth, ok bool, err error) {
	opt, ok := p.(problem.Optimum)
	if !ok {
		return truth, false, nil
	}
	values, err := opt.Optimum(ctx, goal)
	if err != nil || len(values) == 0 {
		return truth, false, err
	}
	m := len(goal.Objectives)
	var best, found []float64
	index := map[string]bool{}
	for _, v := range values {
		loss := goal.Score(v).Loss
		best = append(best, loss...)
		index[fmt.Sprint(loss)] = true
	}
	truth.Members = len(index)
	hit := map[string]bool{}
	for _, x := range front {
		if !x.Score.Feasible() {
			continue
		}
		found = append(found, x.Score.Loss...)
		if k := fmt.Sprint(x.Score.Loss); index[k] {
			hit[k] = true
		}
	}
	if len(found) == 0 {
		return truth, false, nil
	}
	truth.Found = len(hit)
	ref := metric.ReferencePoint(best, m)
	for i := range ref { // a front of one point has no range
		if ref[i] == slices.Max(column(best, m, i)) {
			ref[i] += max(1e-9, 0.1*abs(ref[i]))
		}
	}
	truth.Hypervolume = metric.Hypervolume(found, m, ref) / metric.Hypervolume(best, m, ref)
	truth.Regret = map[string]float64{}
	for i, o := range goal.Objectives {
		truth.Regret[o.Metric] = slices.Min(column(found, m, i)) - slices.Min(column(best, m, i))
	}
	if vp, ok := p.(problem.Verifier); ok {
		for _, vm := range vp.VerifyMetrics() {
			truth.Regret[vm.Name] = verifiedRegret(vm, values, front)
		}
	}
	return truth, true, nil
}

// verifiedRegret is the regret in a metric that is only verified.
func verifiedRegret(m metric.Metric, truth []metric.Values, front []Member) float64 {
	sign := 1.0
	if m.Direction == metric.Minimize {
		sign = -1
	}
	best, got := 0.0, 0.0
	for i, v := range truth {
		if x := sign * v[m.Name]; i == 0 || x > best {
			best = x
		}
	}
	for i := range front {
		if x := sign * front[i].Verified[m.Name]; i == 0 || x > got {
			got = x
		}
	}
	return max(best-got, 0)
}

func column(rows []float64, m, i int) []float64 {
	out := make([]float64, 0, len(rows)/m)
	for k := i; k < len(rows); k += m {
		out = append(out, rows[k])
	}
	return out
}

func abs(x float64) float64 { return max(x, -x) }

func sortByNumber(ts []*trial) {
	slices.SortFunc(ts, func(a, b *trial) int { return int(a.Number - b.Number) })
}
