package supernet

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/space"
)

// A Candidate is a network by what was predicted of it and what is true.
type Candidate struct {
	Design space.Design
	Truth  float64 // more is better: accuracy in percent, from a table or of training alone
	MACs   float64
	Params float64
	Scores map[string]float64 // by predictor, such as "SPOS"; more is better
}

// Candidates describes networks by their costs and the truth about them; scores are
// for the caller to add.
func (s *Supernet) Candidates(designs []space.Design, truth func(space.Design) (float64, error)) ([]Candidate, error) {
	out := make([]Candidate, len(designs))
	for i, d := range designs {
		g, err := s.Graph(d)
		if err != nil {
			return nil, err
		}
		t, err := truth(d)
		if err != nil {
			return nil, fmt.Errorf("supernet: the truth about %s: %w", d, err)
		}
		if t-t != 0 {
			return nil, fmt.Errorf("supernet: the truth about %s: found %g, want a finite number", d, t)
		}
		c := g.Cost()
		out[i] = Candidate{Design: d, Truth: t, MACs: float64(c.MACs), Params: float64(c.Params), Scores: map[string]float64{}}
	}
	return out, nil
}

// Ranking says what predictors are compared by. The zero value works.
type Ranking struct {
	Top      []int              // how many of the best by prediction count as found; nil means 1, 5 and 10
	Above    map[string]float64 // slices of the networks whose truth is at least so much, by name; the better half is always one
	Samples  int                // of the bootstrap; 0 means 1000
	Coverage float64            // of the intervals; 0 means 0.95
	Seed     uint64
}

// An Estimate is a statistic with the interval that a bootstrap over networks gives it
// (percentiles, Efron 1979).
type Estimate struct{ Value, Low, High float64 }

func (e Estimate) String() string { return fmt.Sprintf("%.3f [%.3f, %.3f]", e.Value, e.Low, e.High) }

// A Standing is how well a predictor ranks.
type Standing struct {
	Predictor string
	Kendall   Estimate
	Spearman  Estimate
	Regret    []float64 // for each of Ranking.Top: the best truth less the best truth among the first so many; of "random", the expectation
}

// A Table is how well predictors rank one set of networks.
type Table struct {
	Slice     string
	Networks  int
	Top       []int
	Standings []Standing // as the caller named them, then MACs, parameters and random
}

// Rank compares predictors, beside the multiply-accumulates, the parameters and a
// random order: a predictor that ranks no better than these has shown nothing. Above
// 90 % of accuracy, and in the better half, orders are harder to find than among all,
// where the hopeless are easy to tell. Predictions that are NaN, as those of a
// network that failed, stand last.
func (r Ranking) Rank(all []Candidate, predictors ...string) ([]Table, error) {
	if len(all) < 3 {
		return nil, fmt.Errorf("supernet: ranking: found %d networks, want at least 3", len(all))
	}
	if r.Top == nil {
		r.Top = []int{1, 5, 10}
	}
	if r.Samples == 0 {
		r.Samples = 1000
	}
	if r.Coverage == 0 {
		r.Coverage = 0.95
	}
	var errs []error
	for _, k := range r.Top {
		if k < 1 {
			errs = append(errs, fmt.Errorf("supernet: ranking: top: found %d, want 1 or more", k))
		}
	}
	if !(r.Coverage > 0 && r.Coverage < 1) || r.Samples < 2 {
		errs = append(errs, fmt.Errorf("supernet: ranking: found intervals of coverage %g from %d samples, want a coverage between 0 and 1 and 2 samples or more", r.Coverage, r.Samples))
	}
	for i, c := range all {
		for _, p := range predictors {
			if _, ok := c.Scores[p]; !ok {
				errs = append(errs, fmt.Errorf("supernet: ranking: network %d (%s) has no score of %q", i+1, c.Design, p))
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	truths := make([]float64, len(all))
	for i, c := range all {
		truths[i] = c.Truth
	}
	slices.Sort(truths)
	tables := []Table{r.table("all", all, predictors), r.table("better half", above(all, truths[len(all)/2]), predictors)}
	names := make([]string, 0, len(r.Above))
	for name := range r.Above {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		tables = append(tables, r.table(name, above(all, r.Above[name]), predictors))
	}
	return tables, nil
}

func above(all []Candidate, least float64) (out []Candidate) {
	for _, c := range all {
		if c.Truth >= least {
			out = append(out, c)
		}
	}
	return out
}

func (r Ranking) table(name string, all []Candidate, predictors []string) Table {
	t := Table{Slice: name, Networks: len(all), Top: r.Top}
	truth := make([]float64, len(all))
	for i, c := range all {
		truth[i] = c.Truth
	}
	add := func(name string, of func(c Candidate) float64) {
		x := make([]float64, len(all))
		for i, c := range all {
			if x[i] = of(c); math.IsNaN(x[i]) {
				x[i] = math.Inf(-1)
			}
		}
		s := Standing{Predictor: name}
		s.Kendall, s.Spearman = r.estimates(name, x, truth)
		for _, k := range r.Top {
			s.Regret = append(s.Regret, regret(x, truth, k))
		}
		t.Standings = append(t.Standings, s)
	}
	for _, p := range predictors {
		add(p, func(c Candidate) float64 { return c.Scores[p] })
	}
	add("MACs", func(c Candidate) float64 { return c.MACs })
	add("parameters", func(c Candidate) float64 { return c.Params })
	random := rng.New(r.Seed, "supernet/random order", 0)
	add("random", func(Candidate) float64 { return random.Float64() })
	last := &t.Standings[len(t.Standings)-1]
	for i, k := range r.Top {
		last.Regret[i] = randomRegret(truth, k)
	}
	return t
}

// estimates returns both rank correlations with their intervals.
func (r Ranking) estimates(name string, x, truth []float64) (kendall, spearman Estimate) {
	kendall.Value, spearman.Value = metric.Kendall(x, truth), metric.Spearman(x, truth)
	of := rng.New(r.Seed, "supernet/bootstrap/"+name, uint64(len(x)))
	a, b := make([]float64, len(x)), make([]float64, len(x))
	var ks, ss []float64
	for range r.Samples {
		for i := range a {
			j := of.IntN(len(x))
			a[i], b[i] = x[j], truth[j]
		}
		if k := metric.Kendall(a, b); !math.IsNaN(k) {
			ks, ss = append(ks, k), append(ss, metric.Spearman(a, b))
		}
	}
	kendall.Low, kendall.High = interval(ks, r.Coverage)
	spearman.Low, spearman.High = interval(ss, r.Coverage)
	return kendall, spearman
}

func interval(x []float64, coverage float64) (low, high float64) {
	if len(x) == 0 {
		return math.NaN(), math.NaN()
	}
	slices.Sort(x)
	at := func(q float64) float64 { return x[min(int(q*float64(len(x))), len(x)-1)] }
	return at((1 - coverage) / 2), at((1 + coverage) / 2)
}

// regret is how much worse than the best of all the best of the first k is. Where
// equal predictions leave open who is among the first, the worse ones are.
func regret(x, truth []float64, k int) float64 {
	order := make([]int, len(x))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Or(cmp.Compare(x[j], x[i]), cmp.Compare(truth[i], truth[j])) })
	best := math.Inf(-1)
	for _, i := range order[:min(k, len(order))] {
		best = max(best, truth[i])
	}
	return slices.Max(truth) - best
}

// randomRegret is the expectation of the regret of k networks drawn at random without
// replacement.
func randomRegret(truth []float64, k int) float64 {
	sorted := slices.Sorted(slices.Values(truth))
	n := len(sorted)
	k = min(k, n)
	// The i-th smallest (from 0) is the best of k with probability C(i, k−1)/C(n, k).
	p, expected := 0.0, 0.0
	for i := k - 1; i < n; i++ {
		if i == k-1 {
			p = 1
			for j := range k {
				p *= float64(j+1) / float64(n-k+1+j)
			}
		} else {
			p *= float64(i) / float64(i-k+1)
		}
		expected += float64(p * sorted[i])
	}
	return sorted[n-1] - expected
}

// Standing returns how a predictor ranks.
func (t Table) Standing(predictor string) Standing {
	for _, s := range t.Standings {
		if s.Predictor == predictor {
			return s
		}
	}
	return Standing{}
}

// String writes the table for a terminal or a page of text.
func (t Table) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d networks\n\n| predictor | Kendall | Spearman |", t.Slice, t.Networks)
	for _, k := range t.Top {
		fmt.Fprintf(&b, " regret of top %d |", k)
	}
	b.WriteString("\n|---|---|---|" + strings.Repeat("---:|", len(t.Top)) + "\n")
	for _, s := range t.Standings {
		fmt.Fprintf(&b, "| %s | %s | %s |", s.Predictor, s.Kendall, s.Spearman)
		for _, x := range s.Regret {
			fmt.Fprintf(&b, " %.2f |", x)
		}
		b.WriteString("\n")
	}
	return b.String()
}
