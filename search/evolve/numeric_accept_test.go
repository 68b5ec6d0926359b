package evolve

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/space"
)

// searched runs a method until a target or the end of the budget and returns the
// least loss and the trials made.
func searched(tb testing.TB, m search.Method, setup search.Setup, target float64, f func(d space.Design) metric.Score) (best float64, trials int) {
	tb.Helper()
	s, err := m.New(setup)
	if err != nil {
		tb.Fatal(err)
	}
	best = math.Inf(1)
	for trials < int(setup.Budget) {
		ps, err := s.Ask(1)
		if err != nil {
			return best, trials
		}
		for _, p := range ps {
			score := f(p.Design)
			trials++
			if score.Feasible() {
				if best = min(best, score.Loss[0]); best <= target {
					return best, trials
				}
			}
			s.Tell(search.Outcome{ID: p.ID, Design: p.Design, Status: search.Complete, Score: score})
		}
	}
	return best, trials
}

func losses(tb testing.TB, m search.Method, sp *space.Space, seeds, budget int, f func(d space.Design) metric.Score) []float64 {
	var out []float64
	for seed := range uint64(seeds) {
		best, _ := searched(tb, m, search.Setup{Space: sp, Seed: seed, Budget: int64(budget), Limits: true}, math.Inf(-1), f)
		out = append(out, best)
	}
	slices.Sort(out)
	return out
}

// numbersOf returns the values of a design of numbers.
func numbersOf(d space.Design) []float64 {
	var out []float64
	for _, a := range d.Decisions(nil) {
		if a.N == 0 {
			out = append(out, a.Real)
		} else {
			out = append(out, a.Param.Number(a.Index))
		}
	}
	return out
}

func sphereAt(c float64) func(space.Design) metric.Score {
	return func(d space.Design) metric.Score {
		sum := 0.0
		for _, x := range numbersOf(d) {
			sum += (x - c) * (x - c)
		}
		return metric.Score{Loss: []float64{sum}}
	}
}

// TestNumericOnNumbers: each method comes far below what random search reaches
// on a sphere of 10 coordinates in 2,000 trials, about 20, and CMA-ES to the
// optimum.
func TestNumericOnNumbers(t *testing.T) {
	t.Parallel()
	var nodes []space.Node
	for i := range 10 {
		nodes = append(nodes, space.Float(fmt.Sprintf("x%d", i), -5, 5))
	}
	sp := space.MustNew(nodes...)
	for name, c := range map[string]struct {
		method search.Method
		want   float64
	}{"cma-es": {CMAES{}, 1e-8}, "differential": {Differential{}, 1}, "swarm": {Swarm{}, 0.1}} {
		if got := losses(t, c.method, sp, 5, 2000, sphereAt(1))[2]; got > c.want {
			t.Errorf("%s: median loss %v, want at most %v", name, got, c.want)
		}
	}
}

// TestCMAESOnIntegers: the experiment of the method card on designs: no run
// stays on a wrong integer.
func TestCMAESOnIntegers(t *testing.T) {
	t.Parallel()
	var nodes []space.Node
	for i := range 10 {
		nodes = append(nodes, space.Int(fmt.Sprintf("i%d", i), -10, 10), space.Float(fmt.Sprintf("x%d", i), -10, 10))
	}
	sp := space.MustNew(nodes...)
	if got := losses(t, CMAES{}, sp, 8, 5000, sphereAt(1)); got[7] > 1e-6 {
		t.Errorf("losses %v, want all below 1e-6", got)
	}
}

// TestCMAESFindsFeasible: feasible designs are one in a thousand, and the optimum
// lies on the limit.
func TestCMAESFindsFeasible(t *testing.T) {
	t.Parallel()
	var nodes []space.Node
	for i := range 6 {
		nodes = append(nodes, space.Float(fmt.Sprintf("x%d", i), 0, 1))
	}
	f := func(d space.Design) metric.Score {
		sum := 0.0
		for _, x := range numbersOf(d) {
			sum += x
		}
		return metric.Score{Loss: []float64{sum}, Violation: max(0, 4.8-sum)}
	}
	for name, m := range map[string]search.Method{"cma-es": CMAES{}, "differential": Differential{}, "swarm": Swarm{}} {
		if got := losses(t, m, space.MustNew(nodes...), 5, 1500, f); got[2] > 4.9 {
			t.Errorf("%s: median loss %v, want 4.8 to 4.9", name, got[2])
		}
	}
}

// TestNumericWarmStart: a good design told before the first ask helps.
func TestNumericWarmStart(t *testing.T) {
	t.Parallel()
	sp := space.MustNew(space.Float("a", 0, 1), space.Float("b", 0, 1), space.Float("c", 0, 1), space.Categorical("k", "x", "y", "z"))
	f := sphereAt(0.93)
	judge := func(d space.Design) metric.Score {
		v := d.Decisions(nil)
		s := f(d)
		s.Loss[0] = 0
		for _, a := range v[:3] {
			s.Loss[0] += (a.Real - 0.93) * (a.Real - 0.93)
		}
		if v[3].Index != 1 {
			s.Loss[0]++
		}
		return s
	}
	good, err := sp.ParseJSON([]byte(`{"a":0.93,"b":0.93,"c":0.93,"k":"y"}`))
	if err != nil {
		t.Fatal(err)
	}
	total := [2]float64{}
	for warm := range 2 {
		for seed := range uint64(10) {
			s, err := CMAES{Sigma: 0.05}.New(search.Setup{Space: sp, Seed: seed})
			if err != nil {
				t.Fatal(err)
			}
			if warm == 1 {
				s.Tell(search.Outcome{ID: -1, Design: good, Status: search.Complete, Score: judge(good)})
			}
			best := math.Inf(1)
			for range 30 {
				ps, err := s.Ask(1)
				if err != nil {
					t.Fatal(err)
				}
				score := judge(ps[0].Design)
				best = min(best, score.Loss[0])
				s.Tell(search.Outcome{ID: ps[0].ID, Design: ps[0].Design, Status: search.Complete, Score: score})
			}
			total[warm] += best
		}
	}
	if total[1] > total[0]/3 {
		t.Errorf("after 30 trials the loss sums to %.3f with a good design told and %.3f without", total[1], total[0])
	}
}

func TestNumericErrors(t *testing.T) {
	t.Parallel()
	flat := space.MustNew(space.Float("x", 0, 1))
	grammar := space.MustNew(space.Grammar("g", "E", space.Rule("E", space.Use("x"), space.Use("E", "E"))).Depth(3))
	for name, c := range map[string]struct {
		method search.Method
		setup  search.Setup
		want   []string
	}{
		"cma":          {CMAES{Population: 1, Sigma: 2, Start: "edge", Covariance: "no", Restart: "x"}, search.Setup{Space: flat}, []string{"population: found 1", "sigma: found 2", "start: found edge", "covariance: found no", "restart: found x"}},
		"cma goals":    {CMAES{}, search.Setup{Space: flat, Objectives: 2}, []string{"cma-es: objectives: found 2, want one"}},
		"cma grammar":  {CMAES{}, search.Setup{Space: grammar}, []string{"cma-es: space: found space: no fixed layout"}},
		"differential": {Differential{Population: 3, F: 3, CR: -1}, search.Setup{}, []string{"space: found none", "population: found 3", "f: found 3", "cr: found -1"}},
		"swarm":        {Swarm{Particles: -1, Topology: "star", Inertia: 1, Pull: 5}, search.Setup{Space: flat}, []string{"particles: found -1", "topology: found star", "inertia: found 1", "pull: found 5"}},
	} {
		s, err := c.method.New(c.setup)
		if err == nil || s != nil {
			t.Errorf("%s: New = %v, %v; want an error", name, s, err)
			continue
		}
		for _, part := range c.want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: error %q does not contain %q", name, err, part)
			}
		}
	}
}

// BenchmarkNumeric asks and tells trials of 20 numbers that cost nothing.
func BenchmarkNumeric(b *testing.B) {
	var nodes []space.Node
	for i := range 20 {
		nodes = append(nodes, space.Float(fmt.Sprintf("x%d", i), -5, 5))
	}
	sp := space.MustNew(nodes...)
	for name, m := range map[string]search.Method{"cma-es": CMAES{}, "differential": Differential{}, "swarm": Swarm{}} {
		b.Run(name, func(b *testing.B) {
			s, err := m.New(search.Setup{Space: sp, Seed: 1})
			if err != nil {
				b.Fatal(err)
			}
			var answers []space.Answer
			b.ReportAllocs()
			for b.Loop() {
				ps, err := s.Ask(1)
				if err != nil {
					b.Fatal(err)
				}
				sum := 0.0
				answers = ps[0].Design.Decisions(answers[:0])
				for i, a := range answers {
					sum += float64(i+1) * (a.Real - 1) * (a.Real - 1)
				}
				s.Tell(search.Outcome{ID: ps[0].ID, Design: ps[0].Design, Status: search.Complete, Score: metric.Score{Loss: []float64{sum}}})
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "evaluations/s")
		})
	}
}
