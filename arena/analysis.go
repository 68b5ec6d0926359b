package arena

import (
	"context"
	"math"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
)

// Level is the level of all tests.
const Level = 0.05

// A Judged is what the runs of a problem are judged by.
type Judged uint8

// What runs are judged by, the first that applies.
const (
	ByQD          Judged = iota + 1 // quality-diversity score of an archive over its measures
	ByHypervolume                   // share of the hypervolume of a fixed front, several objectives
	ByRegret                        // distance to the known optimum
	ByValue                         // the objective itself
)

// An Analysis is everything there is to say about the runs of an arena.
type Analysis struct {
	Name     string
	File     *File
	Results  *Results
	Made     time.Time
	Engines  []string // versions of the engine that made the runs
	Problems []*ProblemView
	Standing []*Standing // in the order of the file
	Ranks    *Ranks      // nil with fewer than two problems or searchers in all of them
	Duels    [][]Duel    // [row][column], by Standing
	Parts    int         // groups of searchers that never met each other, even through others
	Lottery  []*LotteryView
	Failures []*Row // runs in which a searcher broke down
	Missing  int    // runs that were not made yet
	Command  string // that repeats it; "" if not known
	Parallel int    // runs at once; 0 means all cores
}

// A ProblemView is a problem with what every searcher did on it.
type ProblemView struct {
	*Problem
	By      Judged
	Axis    string // what is shown, with its unit
	Lower   bool   // smaller is better
	Log     bool
	Against string  // what the reference of a share is
	Cells   []*Cell // by Standing

	ranked  []ranked  // cells with the searcher they are of, the best first
	optimum float64   // loss, ByRegret
	front   *frontRef // ByHypervolume
}

// A Cell is a searcher on a problem.
type Cell struct {
	Runs   []*Row // that are done, by seed
	Unfit  string // why it cannot take part
	Failed int
	Absent int // runs not made

	Finals []float64 // at the end of each run; NaN where nothing was feasible
	losses []float64 // the same to be minimised, +Inf for NaN
	Median float64
	Q1, Q3 float64
	At     []int64 // the anytime curve: medians and the 95 % intervals of the median
	Mid    []float64
	Low    []float64
	High   []float64

	P, Holm   float64  // against random search: Mann-Whitney, and corrected over the whole arena
	Effect    float64  // Vargha and Delaney's: how probably a run of it is better than one of random search
	Gain      Interval // over random search with the same budget, in percent
	RI        Interval // relative improvement over the average random design, in percent
	RITrimmed float64  // against the trimmed mean
	RIMedian  float64  // against the median
	Verdict   Verdict
	Verified  []Verified

	AskMean, AskP95 float64  // seconds a proposal
	Own             float64  // seconds a proposal of asking, telling and refitting
	Repeats         float64  // share of the proposals
	Methods         []string // what auto chose, what a peer calls itself
	Notes           []string // why runs ended before their budget
}

// Usable reports whether there is something to compare.
func (c *Cell) Usable() bool { return len(c.Runs) > 0 }

// An Interval is an estimate with its 95 % interval; NaN where there is none.
type Interval struct{ At, Low, High float64 }

// A Verdict says how a searcher stands to random search on a problem.
type Verdict int8

// The verdicts. Better and worse take a test at [Level] corrected by Holm's
// method, and an interval of the gain that excludes 0.
const (
	Unknown Verdict = iota
	Better
	Same // no difference was shown, which does not mean that there is none
	Worse
)

// Verified is a metric that only the best design was measured by.
type Verified struct {
	Metric    metric.Metric
	Mean, Std float64
}

// Analyse compares all runs of an arena.
func Analyse(ctx context.Context, f *File, res *Results) (*Analysis, error) {
	lanes, err := f.lanes()
	if err != nil {
		return nil, err
	}
	a := &Analysis{Name: f.Name, File: f, Results: res, Made: time.Now()}
	for i := range f.Searchers {
		s := &f.Searchers[i]
		a.Standing = append(a.Standing, &Standing{Searcher: s, Label: s.Label, Random: s.Name == RandomName, Color: i})
	}
	random := slices.IndexFunc(a.Standing, func(s *Standing) bool { return s.Random })
	// Runs find their place by identity: labels may have changed since.
	type place struct {
		problem, searcher, setting string
	}
	byPlace := map[place][]*Row{}
	absent := map[place]int{}
	seen := map[place]map[uint64]bool{}
	for _, l := range lanes {
		k := place{l.problem.Label, l.searcher.Label, l.setting}
		if seen[k] == nil {
			seen[k] = map[uint64]bool{}
		}
		if seen[k][l.seed] {
			continue
		}
		seen[k][l.seed] = true
		r := res.Rows[l.id]
		if r == nil {
			absent[k]++
			a.Missing++
			continue
		}
		byPlace[k] = append(byPlace[k], r)
		if r.Engine != "" && !slices.Contains(a.Engines, r.Engine) {
			a.Engines = append(a.Engines, r.Engine)
		}
		if r.Status == Failed {
			a.Failures = append(a.Failures, r)
		}
	}
	slices.Sort(a.Engines)
	for i := range f.Problems {
		p := &f.Problems[i]
		var all []*Row
		for k, rows := range byPlace {
			if k.problem == p.Label {
				all = append(all, rows...)
			}
		}
		v, err := newProblemView(ctx, p, all)
		if err != nil {
			return nil, err
		}
		a.Problems = append(a.Problems, v)
		for _, s := range a.Standing {
			k := place{p.Label, s.Label, ""}
			c := v.cell(byPlace[k], s.Searcher, f.Seeds)
			c.Absent = absent[k]
			v.Cells = append(v.Cells, c)
			s.Cells = append(s.Cells, c)
		}
		if f.Lottery != nil && slices.Contains(f.Lottery.Problems, p.Label) {
			a.Lottery = append(a.Lottery, a.lottery(v, func(s, setting string) []*Row { return byPlace[place{p.Label, s, setting}] }))
		}
	}
	a.compare(random)
	a.rank()
	a.strengths(random)
	a.duels()
	for _, s := range a.Standing {
		s.summary()
	}
	places := make([]int, len(a.Standing))
	for at, i := range a.Order() {
		places[i] = at
	}
	for _, l := range a.Lottery {
		slices.SortFunc(l.Sweeps, func(x, y *Sweep) int {
			return places[slices.Index(a.Standing, x.Standing)] - places[slices.Index(a.Standing, y.Standing)]
		})
	}
	for _, v := range a.Problems {
		keys := make([]float64, len(v.Cells))
		for i, c := range v.Cells {
			keys[i] = math.NaN()
			if c.Usable() {
				keys[i] = Median(c.losses)
			}
		}
		for _, i := range order(keys) {
			v.ranked = append(v.ranked, ranked{a.Standing[i], v.Cells[i]})
		}
	}
	return a, nil
}

func newProblemView(ctx context.Context, p *Problem, rows []*Row) (*ProblemView, error) {
	v := &ProblemView{Problem: p}
	m := len(p.Goal.Objectives)
	var truth []float64
	if o, ok := p.Problem.(problem.Optimum); ok && len(p.Measures) == 0 {
		values, err := o.Optimum(ctx, p.Goal)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err == nil {
			for _, x := range values {
				if s := p.Goal.Score(x); s.OK() && s.Feasible() {
					truth = append(truth, s.Loss...)
				}
			}
		}
	}
	switch {
	case len(p.Measures) > 0:
		v.By, v.Axis = ByQD, "QD-score"
	case m > 1:
		v.By, v.Axis, v.Against = ByHypervolume, "hypervolume", "the known front"
		if truth == nil {
			v.Against = "the front of all runs together"
			for _, r := range rows {
				for _, x := range r.Front {
					truth = append(truth, x[1:]...)
				}
			}
		}
		if truth != nil {
			v.front = newFrontRef(truth, m)
		}
	case truth != nil:
		v.By, v.Axis, v.Lower, v.Log, v.optimum = ByRegret, "regret, "+p.unit(), true, true, slices.Min(truth)
	default:
		o := p.Goal.Objectives[0]
		v.By, v.Axis, v.Lower = ByValue, p.unit(), o.Target != nil || o.Direction == metric.Minimize
	}
	return v, nil
}

// series is what a run reached at its checkpoints, as it is shown.
func (v *ProblemView) series(r *Row) []float64 {
	out := make([]float64, len(r.At))
	switch v.By {
	case ByQD:
		copy(out, r.QD)
	case ByHypervolume:
		if v.front == nil {
			break
		}
		at := 0
		f := v.front.follow()
		for i := range out {
			for ; at < len(r.Front) && int(r.Front[at][0]) <= i; at++ {
				f.add(r.Front[at][1:])
			}
			out[i] = f.volume() / v.front.whole
		}
	case ByRegret:
		for i, x := range r.Best {
			out[i] = max(x-v.optimum, 0)
		}
	default:
		for i, x := range r.Best {
			out[i] = v.Goal.Objectives[0].Value(x)
			if x != x {
				out[i] = x
			}
		}
	}
	return out
}

// loss turns what is shown into what is minimised.
func (v *ProblemView) loss(x float64) float64 {
	switch {
	case x != x:
		return math.Inf(1)
	case v.Lower:
		return x
	}
	return -x
}

func (v *ProblemView) cell(rows []*Row, s *Searcher, seeds []uint64) *Cell {
	c := &Cell{Median: math.NaN(), P: math.NaN(), Holm: math.NaN(), Effect: math.NaN()}
	none := Interval{math.NaN(), math.NaN(), math.NaN()}
	c.Gain, c.RI, c.RITrimmed, c.RIMedian = none, none, math.NaN(), math.NaN()
	for _, seed := range seeds {
		for _, r := range rows {
			if r.Seed != seed {
				continue
			}
			switch r.Status {
			case Done:
				c.Runs = append(c.Runs, r)
			case Failed:
				c.Failed++
			case Unfit:
				c.Unfit = r.Reason
			}
		}
	}
	if len(c.Runs) == 0 {
		return c
	}
	all := make([][]float64, len(c.Runs))
	each(len(all), func(i int) { all[i] = v.series(c.Runs[i]) })
	c.At = c.Runs[0].At
	boot := NewBootstrap(len(all))
	column := make([]float64, len(all))
	for k := range c.At {
		for i := range all {
			column[i] = v.loss(all[i][k])
		}
		lo, hi := boot.MedianInterval(column)
		mid := Median(column)
		if !v.Lower {
			lo, mid, hi = -hi, -mid, -lo
		}
		c.Mid, c.Low, c.High = append(c.Mid, mid), append(c.Low, lo), append(c.High, hi)
	}
	var proposals, asks, own, repeats float64
	for i, r := range c.Runs {
		x := all[i][len(all[i])-1]
		c.Finals = append(c.Finals, x)
		c.losses = append(c.losses, v.loss(x))
		asks += r.Ask.Sum
		own += r.Ask.Sum + r.Tell + r.Refit
		proposals += float64(r.Trials)
		repeats += float64(r.Repeats)
		c.AskP95 += r.Ask.P95 / float64(len(c.Runs))
		if r.Method != "" && !slices.Contains(c.Methods, r.Method) {
			c.Methods = append(c.Methods, r.Method)
		}
		if r.Reason != "" && !slices.Contains(c.Notes, r.Reason) {
			c.Notes = append(c.Notes, r.Reason)
		}
	}
	if proposals > 0 {
		c.AskMean, c.Own, c.Repeats = asks/proposals, own/proposals, repeats/proposals
	}
	sorted := slices.Sorted(slices.Values(c.losses))
	c.Median, c.Q1, c.Q3 = quantile(sorted, 0.5), quantile(sorted, 0.25), quantile(sorted, 0.75)
	if !v.Lower {
		c.Median, c.Q1, c.Q3 = -c.Median, -c.Q3, -c.Q1
	}
	if p, ok := v.Problem.Problem.(problem.Verifier); ok {
		for _, m := range p.VerifyMetrics() {
			var xs []float64
			for _, r := range c.Runs {
				if x, ok := r.Verified[m.Name]; ok {
					xs = append(xs, x)
				}
			}
			if len(xs) > 0 {
				c.Verified = append(c.Verified, Verified{m, mean(xs), deviation(xs)})
			}
		}
	}
	return c
}

func deviation(xs []float64) float64 {
	m, sum := mean(xs), 0.0
	for _, x := range xs {
		sum += (x - m) * (x - m)
	}
	return math.Sqrt(sum / float64(max(len(xs)-1, 1)))
}

// each calls f for 0 … n-1 on all cores.
func each(n int, f func(int)) {
	var wg sync.WaitGroup
	next := make(chan int)
	for range min(runtime.GOMAXPROCS(0), n) {
		wg.Go(func() {
			for i := range next {
				f(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
}

// compare holds every searcher against random search, problem by problem.
func (a *Analysis) compare(random int) {
	var cells []*Cell
	var ps []float64
	for _, v := range a.Problems {
		base := v.Cells[random]
		for i, c := range v.Cells {
			if !c.Usable() || !base.Usable() {
				continue
			}
			v.relative(c, base)
			if i == random {
				continue
			}
			_, c.P = MannWhitney(c.losses, base.losses)
			c.Effect = 1 - A12(c.losses, base.losses)
			cells, ps = append(cells, c), append(ps, c.P)
		}
	}
	for i, p := range Holm(ps) {
		c := cells[i]
		c.Holm = p
		c.Verdict = Same
		switch {
		case p > Level:
		case c.Effect > 0.5 && !(c.Gain.Low <= 0):
			c.Verdict = Better
		case c.Effect < 0.5 && !(c.Gain.High >= 0):
			c.Verdict = Worse
		}
	}
}

// relative computes the gain over random search and, of one objective, the
// relative improvement over the average random design. The interval of the gain
// is NaN where runs found nothing feasible; the test then decides alone.
func (v *ProblemView) relative(c, base *Cell) {
	value := func(xs []float64) []float64 { return xs }
	finals := func(c *Cell) []float64 {
		if v.By != ByRegret {
			return c.Finals
		}
		out := make([]float64, len(c.Finals))
		for i, r := range c.Runs {
			out[i] = r.Best[len(r.Best)-1]
			if o := v.Goal.Objectives[0]; o.Direction == metric.Maximize { // a share of the metric means something
				out[i] = o.Value(out[i])
			} else { // a minimum may lie anywhere: a share of the distance to it does
				out[i] -= v.optimum
			}
		}
		return out
	}
	lower := v.Lower
	if v.By == ByRegret {
		lower = v.Goal.Objectives[0].Direction != metric.Maximize
	}
	improvement := func(of func([]float64) float64) func(a, b []float64) float64 {
		return func(a, b []float64) float64 {
			x, y := mean(a), of(b)
			if lower {
				x, y = y, x
				return 100 * (x - y) / math.Abs(x)
			}
			return 100 * (x - y) / math.Abs(y)
		}
	}
	interval := func(a, b []float64) Interval {
		f := improvement(mean)
		at := f(a, b)
		if at-at != 0 {
			return Interval{math.NaN(), math.NaN(), math.NaN()}
		}
		lo, hi := Difference(a, b, f)
		return Interval{at, lo, hi}
	}
	mine := value(finals(c))
	c.Gain = interval(mine, finals(base))
	if v.By != ByRegret && v.By != ByValue {
		return
	}
	averages := make([][]float64, 3)
	for _, r := range base.Runs {
		for k, x := range r.Average {
			switch o := v.Goal.Objectives[0]; {
			case v.By == ByRegret && lower:
				x -= v.optimum
			default:
				x = o.Value(x)
			}
			averages[k] = append(averages[k], x)
		}
	}
	if len(averages[0]) == 0 {
		return
	}
	c.RI = interval(mine, averages[0])
	c.RITrimmed = improvement(mean)(mine, averages[1])
	c.RIMedian = improvement(mean)(mine, averages[2])
}
