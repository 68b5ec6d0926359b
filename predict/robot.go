package predict

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/metric"
)

// RoBoT combines training-free metrics of candidates into one and evaluates the
// best of them (He et al., "Robustifying and boosting training-free neural
// architecture search", 2024). Each metric is scaled over the candidates and
// the combined score of candidate i is Σ wₘ zᵢₘ with weights from −1 to 1. A step
// proposes weights and evaluates only the candidate of the highest score; one
// that was evaluated before costs nothing. Half of the budget is for such steps;
// then the candidates are evaluated from the top of the ranking by the best
// weights.
//
// Metrics that know nothing about a task mislead it: on recurrent cells the
// combination is worse than random search. So a quarter of the budget goes to
// candidates drawn at random first, and the ranking at the end is the one of
// three that agrees best, by Kendall's τ over all candidates evaluated, with
// what was measured: the combination, the best single metric with its better
// sign, or none, if no τ is above its standard error by Threshold; then the rest
// is drawn at random. Pure leaves both out, as in the paper.
//
// Weights are proposed by a Gaussian process and its upper confidence bound over
// 256 random weights and 256 near the best, or, with Local, half at random and
// half near the best.
type RoBoT struct {
	// Budget is how many candidates are evaluated; 0 means 20.
	Budget int `yaml:"budget" default:"20" min:"1" doc:"candidates evaluated"`
	// MinMax scales metrics linearly to [0, 1], as in the paper, instead of by
	// their ranks; one outlier then hides all other differences.
	MinMax bool `yaml:"min_max" doc:"scale metrics linearly instead of by their ranks"`
	// Local proposes weights without a Gaussian process.
	Local bool `yaml:"local" doc:"propose weights at random and near the best"`
	// Pure neither draws candidates at random nor falls back.
	Pure bool `yaml:"pure" doc:"the paper's procedure, without random candidates and without falling back"`
	// Threshold is how many standard errors above 0 the τ of a ranking must be;
	// 0 means 1.
	Threshold float64 `yaml:"threshold" default:"1" min:">0" doc:"standard errors by which a ranking must agree with what was measured"`
}

// A RoBoTResult is what a run found.
type RoBoTResult struct {
	Best      int // the candidate of the highest value
	Value     float64
	Evaluated []int // in their order
	Values    []float64
	// Ranking is what the end went by: "combined", "single" or "random"; Metric
	// is the number of the single metric, and −1 otherwise.
	Ranking string
	Metric  int
	Weights []float64 // the best
	// Tau of the combination and of the best single metric with what was
	// measured, before the end.
	CombinedTau, SingleTau float64
}

// robotScaled returns a metric scaled to [0, 1]; what is not a number is 0.
func robotScaled(m []float64, minMax bool) []float64 {
	out := make([]float64, len(m))
	var known []float64
	for _, v := range m {
		if !math.IsNaN(v) {
			known = append(known, v)
		}
	}
	if len(known) == 0 {
		return out
	}
	lo, hi := slices.Min(known), slices.Max(known)
	ranks := metric.Ranks(known)
	low, high := slices.Min(ranks), slices.Max(ranks)
	k := 0
	for i, v := range m {
		if math.IsNaN(v) {
			continue
		}
		rank := ranks[k]
		k++
		switch {
		case lo == hi:
			out[i] = 0.5
		case !minMax:
			out[i] = (rank - low) / (high - low)
		case v == lo || v == hi:
			out[i] = float64((v - lo)) / (hi - lo)
			if v == hi {
				out[i] = 1
			}
		default:
			out[i] = (v/2 - lo/2) / (hi/2 - lo/2)
		}
		if math.IsNaN(out[i]) {
			out[i] = 0
		}
	}
	return out
}

// Run searches the candidates, of which metrics holds a list for each metric.
// Evaluate returns a value of which more is better; NaN is worst.
func (o RoBoT) Run(ctx context.Context, metrics [][]float64, evaluate func(candidate int) (float64, error), seed uint64) (*RoBoTResult, error) {
	if len(metrics) == 0 || len(metrics[0]) == 0 {
		return nil, errors.New("robot: no metrics of no candidates; expected one of each at least")
	}
	n := len(metrics[0])
	z := make([][]float64, len(metrics))
	for k, m := range metrics {
		if len(m) != n {
			return nil, fmt.Errorf("robot: metric %d is of %d candidates; expected %d", k, len(m), n)
		}
	}
	switch {
	case o.Budget < 0:
		return nil, fmt.Errorf("robot: budget: found %d, want 1 or more, or 0 for 20", o.Budget)
	case !(o.Threshold >= 0 && o.Threshold <= 100):
		return nil, fmt.Errorf("robot: threshold: found %v, want a number above 0 and at most 100, or 0 for 1", o.Threshold)
	}
	for k, m := range metrics {
		z[k] = robotScaled(m, o.MinMax)
	}
	b := &robotRun{z: z, n: n, evaluate: evaluate, known: map[int]float64{}, budget: min(cmp.Or(o.Budget, 20), n), r: rng.New(seed, "predict/robot", 0)}
	res := &RoBoTResult{Metric: -1, Ranking: "combined"}
	b.res = res
	first := 0
	if !o.Pure {
		first = b.budget / 4
		if err := b.random(first); err != nil {
			return nil, err
		}
	}
	// Steps over weights; as many again may be free repeats.
	most := first + max((b.budget-first)/2, 1)
	var tried [][]float64
	var got []float64
	best := 0
	for step := 0; step < 2*b.budget && len(res.Evaluated) < min(most, b.budget); step++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		w, err := b.propose(ctx, o.Local, tried, got, best, seed+uint64(step))
		if err != nil {
			return nil, err
		}
		v, err := b.value(b.top(w))
		if err != nil {
			return nil, err
		}
		tried, got = append(tried, w), append(got, v)
		if v >= got[best] { // later ties win
			best = len(got) - 1
		}
	}
	res.Weights = tried[best]
	ranking := b.scores(res.Weights)
	if !o.Pure {
		ranking = b.choose(ranking, cmp.Or(o.Threshold, 1))
	}
	if ranking == nil {
		if err := b.random(b.budget - len(res.Evaluated)); err != nil {
			return nil, err
		}
	} else {
		for _, i := range robotOrder(ranking) {
			if len(res.Evaluated) >= b.budget {
				break
			}
			if _, err := b.value(i); err != nil {
				return nil, err
			}
		}
	}
	res.Best, res.Value = res.Evaluated[0], res.Values[0]
	for k, v := range res.Values {
		if v > res.Value || math.IsNaN(res.Value) {
			res.Best, res.Value = res.Evaluated[k], v
		}
	}
	return res, nil
}

type robotRun struct {
	z        [][]float64
	n        int
	budget   int
	evaluate func(int) (float64, error)
	known    map[int]float64
	r        *rand.Rand
	res      *RoBoTResult
}

func (b *robotRun) value(i int) (float64, error) {
	if v, ok := b.known[i]; ok {
		return v, nil
	}
	v, err := b.evaluate(i)
	if err != nil {
		return 0, fmt.Errorf("robot: candidate %d: %w", i, err)
	}
	if math.IsNaN(v) {
		v = math.Inf(-1)
	}
	b.known[i] = v
	b.res.Evaluated, b.res.Values = append(b.res.Evaluated, i), append(b.res.Values, v)
	return v, nil
}

// random evaluates so many candidates that were not.
func (b *robotRun) random(count int) error {
	for _, i := range b.r.Perm(b.n) {
		if count <= 0 {
			break
		}
		if _, ok := b.known[i]; ok {
			continue
		}
		if _, err := b.value(i); err != nil {
			return err
		}
		count--
	}
	return nil
}

func (b *robotRun) scores(w []float64) []float64 {
	s := make([]float64, b.n)
	for k, v := range w {
		for i, z := range b.z[k] {
			s[i] += float64(v * z)
		}
	}
	return s
}

func (b *robotRun) top(w []float64) int {
	s := b.scores(w)
	top := 0
	for i, v := range s {
		if v > s[top] {
			top = i
		}
	}
	return top
}

func robotOrder(s []float64) []int {
	order := make([]int, len(s))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(s[b], s[a]) })
	return order
}

// propose returns the next weights.
func (b *robotRun) propose(ctx context.Context, local bool, tried [][]float64, got []float64, best int, seed uint64) ([]float64, error) {
	uniform := func() []float64 {
		w := make([]float64, len(b.z))
		for k := range w {
			w[k] = float64(2*b.r.Float64()) - 1
		}
		return w
	}
	near := func() []float64 {
		w := slices.Clone(tried[best])
		for k := range w {
			w[k] = min(max(w[k]+float64(0.3*rng.Norm(b.r)), -1), 1)
		}
		return w
	}
	var finite []int
	for i, v := range got {
		if !math.IsInf(v, 0) {
			finite = append(finite, i)
		}
	}
	if len(tried) == 0 {
		return uniform(), nil
	}
	if local || len(finite) < 3 {
		if b.r.IntN(2) == 0 {
			return uniform(), nil
		}
		return near(), nil
	}
	t := &Table{Columns: make([]Column, len(b.z))}
	for k := range t.Columns {
		t.Columns[k].Name = fmt.Sprintf("w%d", k)
	}
	for _, i := range finite {
		t.Add(tried[i], got[i])
	}
	m, err := GP{}.Fit(ctx, t, seed)
	if err != nil {
		return nil, err
	}
	var rows []float64
	const each = 256
	for range each {
		rows = append(append(rows, uniform()...), near()...)
	}
	mean, sd := make([]float64, 2*each), make([]float64, 2*each)
	m.Predict(rows, mean, sd)
	top := 0
	for i := range mean {
		if mean[i]+float64(2*sd[i]) > mean[top]+float64(2*sd[top]) {
			top = i
		}
	}
	return rows[top*len(b.z) : (top+1)*len(b.z)], nil
}

// choose returns the ranking that agrees best with what was measured, or nil.
func (b *robotRun) choose(combined []float64, threshold float64) []float64 {
	n := float64(len(b.res.Values))
	if n < 4 {
		return combined
	}
	agree := func(s []float64) float64 {
		x := make([]float64, len(b.res.Values))
		for k, i := range b.res.Evaluated {
			x[k] = s[i]
		}
		return metric.Kendall(x, b.res.Values)
	}
	res := b.res
	res.CombinedTau = agree(combined)
	single, sign := -1, 1.0
	for k, z := range b.z {
		if t := agree(z); math.Abs(t) > res.SingleTau {
			res.SingleTau, single, sign = math.Abs(t), k, math.Copysign(1, t)
		}
	}
	// The standard error of τ without any agreement.
	least := float64(threshold * math.Sqrt(float64(2*(float64(2*n)+5))/float64(9*float64(n*(n-1)))))
	switch {
	case res.CombinedTau >= res.SingleTau && res.CombinedTau > least:
		return combined
	case res.SingleTau > least:
		res.Ranking, res.Metric = "single", single
		out := make([]float64, b.n)
		for i, z := range b.z[single] {
			out[i] = float64(sign * z)
		}
		return out
	}
	res.Ranking = "random"
	return nil
}
