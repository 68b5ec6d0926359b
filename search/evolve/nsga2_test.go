package evolve

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/internal/source"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/searchtest"
	"github.com/daedalus-search/daedalus/space"
)

// zdt are the two-objective problems of Zitzler, Deb and Thiele (2000): the
// second objective as a function of the first and of g.
var zdt = []func(f, g float64) float64{
	1: func(f, g float64) float64 { return g * (1 - math.Sqrt(f/g)) },
	2: func(f, g float64) float64 { return g * (1 - f/g*f/g) },
	3: func(f, g float64) float64 { return g * (1 - math.Sqrt(f/g) - f/g*math.Sin(10*math.Pi*f)) },
}

func reals(n int) *space.Space {
	var nodes []space.Node
	for i := range n {
		nodes = append(nodes, space.Float(fmt.Sprintf("x%d", i+1), 0, 1))
	}
	return space.MustNew(nodes...)
}

// zdtHypervolume runs NSGA-II with population 100 for 25,000 evaluations and
// returns the hypervolume of the last population.
func zdtHypervolume(tb testing.TB, problem int, seed uint64) float64 {
	f := func(x, y []float64) {
		sum := 0.0
		for _, v := range x[1:] {
			sum += v
		}
		y[0], y[1] = x[0], zdt[problem](x[0], 1+9*sum/29)
	}
	got := play(tb, NSGA2{Population: 100}, search.Setup{Space: reals(30), Objectives: 2, Seed: seed}, 25_000, 100, f)
	return metric.Hypervolume(got, 2, []float64{1.1, 1.1})
}

// TestZDT compares the median hypervolume at (1.1, 1.1) with that of pymoo over
// 11 seeds. Over seeds the hypervolume has a standard deviation of 0.0003 (and
// one run in about ten loses a piece of ZDT3's front), so the median of 11 has
// one of about 0.0001; ours lie 0.0008 to 0.0012 above the bars.
func TestZDT(t *testing.T) {
	t.Parallel()
	seeds := 11
	if testing.Short() || raceEnabled {
		seeds = 1
	}
	for problem, want := range []float64{1: 0.8697, 2: 0.5363, 3: 1.3274} {
		if want == 0 {
			continue
		}
		t.Run(fmt.Sprint("ZDT", problem), func(t *testing.T) {
			t.Parallel()
			if raceEnabled && problem > 1 {
				t.Skip("one problem is enough under the race detector")
			}
			var hv []float64
			for seed := range seeds {
				hv = append(hv, zdtHypervolume(t, problem, uint64(seed)))
			}
			slices.Sort(hv)
			got, slack := hv[seeds/2], 0.0
			if seeds < 11 {
				slack = 0.001 // two standard deviations of one run
			}
			t.Logf("median %.5f of %.5f", got, hv)
			if got < want-slack {
				t.Errorf("median hypervolume over %d seeds = %.5f, want at least %.4f - %v", seeds, got, want, slack)
			}
		})
	}
}

// mixed is a space with a node of every kind.
func mixed() *space.Space {
	return space.MustNew(
		space.Float("lr", 1e-4, 1).Log(),
		space.Int("width", 8, 64),
		space.Bool("bias"),
		space.Const("version", 1),
		space.Choice("op", space.Case("conv", space.Ordinal("kernel", 1, 3, 5, 7)), space.Case("pool", space.Categorical("how", "max", "avg")), space.Case("skip")),
		space.Repeat("stages", 1, 3, space.Int("depth", 1, 4)),
		space.Subset("tricks", "a", "b", "c", "d"),
		space.Permutation("order", "x", "y", "z"),
	)
}

// fold is a deterministic function of a design with values in [0, 1).
func fold(d space.Design, salt uint64) float64 {
	h := d.Hash()
	x := salt * 0x9E3779B97F4A7C15
	for _, b := range h {
		x = (x ^ uint64(b)) * 0x100000001B3
		x ^= x >> 29
	}
	return float64(x>>11) / (1 << 53)
}

func must(tb testing.TB, o NSGA2, setup search.Setup) *nsga2 {
	tb.Helper()
	s, err := o.New(setup)
	if err != nil {
		tb.Fatal(err)
	}
	return s.(*nsga2)
}

// TestNSGA2AgainstPlainSurvival runs the searcher in rounds on random problems
// and checks every generation against survival written down naively: whole
// fronts by pairwise dominance, and of the front that is cut no design that is
// alone at the end of an objective.
func TestNSGA2AgainstPlainSurvival(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.IntRange(1, 3).Draw(t, "objectives")
		size := rapid.IntRange(2, 12).Draw(t, "population")
		grain := rapid.SampledFrom([]float64{3, 10, 1000}).Draw(t, "grain")
		limited := rapid.Bool().Draw(t, "limited")
		s, err := NSGA2{Population: size}.New(search.Setup{Space: mixed(), Objectives: m, Seed: rapid.Uint64().Draw(t, "seed")})
		if err != nil {
			t.Fatal(err)
		}
		n := s.(*nsga2)
		all := map[int64]metric.Score{}
		for range rapid.IntRange(1, 6).Draw(t, "rounds") {
			before := map[int64]bool{}
			for _, x := range n.members {
				before[x.id] = true
			}
			ps, err := s.Ask(size)
			if err != nil || len(ps) != size {
				t.Fatalf("Ask(%d) = %d proposals, %v", size, len(ps), err)
			}
			for _, p := range ps {
				score := metric.Score{}
				for j := range m {
					score.Loss = append(score.Loss, math.Floor(fold(p.Design, uint64(j))*grain))
				}
				if limited {
					score.Violation = max(0, math.Floor(fold(p.Design, 9)*4)-2)
				}
				all[p.ID] = score
				before[p.ID] = true
				s.Tell(search.Outcome{ID: p.ID, Design: p.Design, Status: search.Complete, Score: score})
			}
			if len(n.members) != size {
				t.Fatalf("%d survivors, want %d", len(n.members), size)
			}
			after := map[int64]bool{}
			for _, x := range n.members {
				if !before[x.id] || after[x.id] {
					t.Fatalf("survivor %d was not a candidate or is there twice", x.id)
				}
				after[x.id] = true
			}
			// Peel fronts off the candidates.
			rest := before
			for len(rest) > 0 {
				var front []int64
				for i := range rest {
					free := true
					for j := range rest {
						free = free && !metric.Dominates(all[j], all[i])
					}
					if free {
						front = append(front, i)
					}
				}
				kept := 0
				for _, i := range front {
					delete(rest, i)
					if after[i] {
						kept++
						delete(after, i)
					}
				}
				if kept < len(front) && len(after) > 0 {
					t.Fatalf("a front of %d was cut to %d although %d of later fronts survive", len(front), kept, len(after))
				}
			}
		}
	})
}

// TestThinAgainstRecomputation compares thin with computing all crowding
// distances anew after each removal.
func TestThinAgainstRecomputation(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.IntRange(1, 3).Draw(t, "objectives")
		n := rapid.IntRange(1, 30).Draw(t, "members")
		keep := rapid.IntRange(1, n).Draw(t, "keep")
		var s struct {
			points  []float64
			members []member
		}
		var front []int32
		for i := range n {
			for range m {
				s.points = append(s.points, rapid.Float64Range(-1, 1).Draw(t, "loss"))
			}
			s.members = append(s.members, member{id: int64(i)})
			front = append(front, int32(i))
		}
		lo, hi := make([]float64, m), make([]float64, m)
		for j := range m {
			lo[j], hi[j] = math.Inf(1), math.Inf(-1)
			for i := range n {
				lo[j], hi[j] = min(lo[j], s.points[i*m+j]), max(hi[j], s.points[i*m+j])
			}
		}
		want := slices.Clone(front)
		for len(want) > keep {
			crowd := make([]float64, len(want))
			for j := range m {
				by := make([]int, len(want))
				for k := range by {
					by[k] = k
				}
				slices.SortStableFunc(by, func(a, b int) int {
					return cmp.Compare(s.points[int(want[a])*m+j], s.points[int(want[b])*m+j])
				})
				span := hi[j]/2 - lo[j]/2
				if span == 0 {
					continue
				}
				for at, k := range by {
					if at == 0 || at == len(by)-1 {
						crowd[k] = math.Inf(1)
						continue
					}
					crowd[k] += (s.points[int(want[by[at+1]])*m+j]/2 - s.points[int(want[by[at-1]])*m+j]/2) / span
				}
			}
			worst := 0
			for k := range crowd {
				if crowd[k] < crowd[worst] {
					worst = k
				}
			}
			want = slices.Delete(want, worst, worst+1)
		}
		if d := gocmp.Diff(want, new(thinner).thin(front, keep, s.points, m, s.members)); d != "" {
			t.Fatalf("thin of %d points to %d (-want +got):\n%s", n, keep, d)
		}
	})
}

// TestNSGA2Asynchronous tells results late, out of order or never; the searcher
// goes on, and goes on improving.
func TestNSGA2Asynchronous(t *testing.T) {
	t.Parallel()
	sp := reals(10)
	s := must(t, NSGA2{Population: 20}, search.Setup{Space: sp, Objectives: 2, Seed: 3})
	r := rng.New(1, "late", 0)
	var waiting []search.Proposal
	bred, mean, trials := 0, [2]float64{}, [2]float64{}
	const rounds = 3000
	for i := range rounds {
		ps, err := s.Ask(1)
		if err != nil {
			t.Fatal(err)
		}
		if ps[0].Operator != "random" {
			bred++
		}
		waiting = append(waiting, ps...)
		if len(waiting) < 8 {
			continue
		}
		k := r.IntN(len(waiting))
		p := waiting[k]
		waiting = slices.Delete(waiting, k, k+1)
		o := search.Outcome{ID: p.ID, Design: p.Design, Status: search.Complete}
		sum := 0.0
		for _, a := range p.Design.Decisions(nil) {
			sum += a.Real
		}
		o.Score.Loss = []float64{sum, sum}
		switch r.IntN(10) {
		case 0:
			continue // lost
		case 1:
			o.Status, o.Score = search.Failed, metric.Score{}
		case 2:
			o.Score.Loss[1] = math.NaN()
		case 3:
			o.Status, o.Score = search.Infeasible, metric.Score{}
		case 4:
			o.Score.Loss = o.Score.Loss[:1] // a score of another goal
		}
		s.Tell(o, o)
		for half, from := range [2]int{0, rounds - 300} {
			if i >= from && i < from+300 {
				mean[half] += sum
				trials[half]++
			}
		}
	}
	if bred < rounds*9/10 {
		t.Errorf("%d of %d proposals were bred, want nearly all", bred, rounds)
	}
	early, late := mean[0]/trials[0], mean[1]/trials[1]
	if !(late < early/4) {
		t.Errorf("mean sum of ten numbers = %.2f early and %.2f late, want a fourth", early, late)
	}
}

// TestNSGA2Lineage checks that parents are outcomes and operators tell the
// truth.
func TestNSGA2Lineage(t *testing.T) {
	t.Parallel()
	s := must(t, NSGA2{Population: 10}, search.Setup{Space: mixed(), Objectives: 2, Seed: 5})
	designs := map[int64]space.Design{}
	count := map[string]int{}
	s.Tell(search.Outcome{ID: -1, Design: s.space.MustSample(rng.New(1, "foreign", 0)), Status: search.Complete, Score: metric.Score{Loss: []float64{-1, -1}}})
	foreign := 0
	for range 60 {
		ps, err := s.Ask(10)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range ps {
			count[p.Operator]++
			want := map[string]int{"random": 0, "mutate": 1, "cross": 2, "cross+mutate": 2}
			if n, ok := want[p.Operator]; !ok || n != len(p.Parents) {
				t.Fatalf("operator %q with parents %v", p.Operator, p.Parents)
			}
			for _, id := range p.Parents {
				if id == -1 {
					foreign++
				} else if _, ok := designs[id]; !ok {
					t.Fatalf("parent %d was never told", id)
				}
			}
			for id, d := range designs {
				if d == p.Design {
					t.Fatalf("proposal %d repeats %d", p.ID, id)
				}
			}
		}
		for _, p := range ps {
			designs[p.ID] = p.Design
			s.Tell(search.Outcome{
				ID: p.ID, Design: p.Design, Status: search.Complete,
				Score: metric.Score{Loss: []float64{fold(p.Design, 1), fold(p.Design, 2)}},
			})
		}
	}
	for _, op := range []string{"random", "mutate", "cross", "cross+mutate"} {
		if count[op] == 0 {
			t.Errorf("no proposal by %q in %v", op, count)
		}
	}
	if foreign == 0 {
		t.Error("the foreign design, which dominates all others, was never a parent")
	}
}

func TestNSGA2New(t *testing.T) {
	t.Parallel()
	sp := reals(2)
	for budget, want := range map[int64]int{0: 100, 1: 4, 20: 8, 100: 20, 500: 44, 2499: 98, 2500: 100, 1 << 40: 100} {
		if got := must(t, NSGA2{}, search.Setup{Space: sp, Budget: budget}).Batch(); got != want {
			t.Errorf("population for a budget of %d = %d, want %d", budget, got, want)
		}
	}
	_, err := NSGA2{Population: 1, Crossover: 2, CrossoverEta: -1, Mutation: math.NaN(), MutationEta: math.Inf(1)}.New(search.Setup{Objectives: -1})
	if err == nil {
		t.Fatal("no error")
	}
	want := `nsga2: space: found none, want a space to search
nsga2: objectives: found -1, want at least 1
nsga2: population: found 1, want 2 to 100000, or 0 for the default
nsga2: crossover: found 2, want a probability above 0, or 0 for 0.9
nsga2: crossover_eta: found -1, want a number above 0 and at most 1000, or 0 for 15
nsga2: mutation: found NaN, want a probability, or 0 for one over the number of decisions
nsga2: mutation_eta: found +Inf, want a number above 0 and at most 1000, or 0 for 20`
	if d := gocmp.Diff(want, err.Error()); d != "" {
		t.Errorf("error (-want +got):\n%s", d)
	}
	if got := len(source.Describe(NSGA2{})); got != 6 {
		t.Errorf("%d options are described, want 6", got)
	}
}

func ExampleNSGA2() {
	sp := space.MustNew(space.Int("width", 1, 100), space.Int("depth", 1, 20))
	s, err := NSGA2{Population: 20}.New(search.Setup{Space: sp, Objectives: 2, Seed: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	var front metric.Front[space.Design]
	for range 25 {
		proposals, err := s.Ask(20)
		if err != nil {
			break
		}
		for _, p := range proposals {
			var d struct{ Width, Depth float64 }
			if err := p.Design.Decode(&d); err != nil {
				fmt.Println(err)
				return
			}
			size := d.Width * d.Depth
			loss := 1/d.Width + 1/d.Depth
			score := metric.Score{Loss: []float64{size, loss}}
			front.Add(score, p.Design)
			s.Tell(search.Outcome{ID: p.ID, Design: p.Design, Status: search.Complete, Score: score})
		}
	}
	var lines []string
	for score, d := range front.All() {
		if size := score.Loss[0]; size <= 4 {
			lines = append(lines, fmt.Sprintf("size %v, loss %.3f: %v", size, score.Loss[1], d))
		}
	}
	slices.Sort(lines)
	for _, l := range lines {
		fmt.Println(l)
	}
	// Output:
	// size 1, loss 2.000: {"width":1,"depth":1}
	// size 2, loss 1.500: {"width":1,"depth":2}
	// size 2, loss 1.500: {"width":2,"depth":1}
	// size 3, loss 1.333: {"width":1,"depth":3}
	// size 3, loss 1.333: {"width":3,"depth":1}
	// size 4, loss 1.000: {"width":2,"depth":2}
}

// BenchmarkNSGA2 asks and tells 100,000 trials of 20 parameters and two
// objectives that cost nothing.
func BenchmarkNSGA2(b *testing.B) {
	sp := reals(20)
	b.Run("100000", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s := must(b, NSGA2{Population: 100}, search.Setup{Space: sp, Objectives: 2, Seed: 1})
			outcomes := make([]search.Outcome, 0, 100)
			r := rng.New(1, "bench", 0)
			for range 1000 {
				ps, err := s.Ask(100)
				if err != nil {
					b.Fatal(err)
				}
				outcomes = outcomes[:0]
				for _, p := range ps {
					x := r.Float64()
					outcomes = append(outcomes, search.Outcome{
						ID: p.ID, Design: p.Design, Status: search.Complete,
						Score: metric.Score{Loss: []float64{x, 1 - x + r.Float64()}},
					})
				}
				s.Tell(outcomes...)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/1e5, "µs/trial")
	})
}

// BenchmarkZDT runs 25,000 evaluations and reports the hypervolume at
// (1.1, 1.1).
func BenchmarkZDT(b *testing.B) {
	for problem := 1; problem <= 3; problem++ {
		b.Run(fmt.Sprint(problem), func(b *testing.B) {
			sum, runs := 0.0, uint64(0)
			for b.Loop() {
				runs++
				sum += zdtHypervolume(b, problem, runs)
			}
			b.ReportMetric(sum/float64(runs), "hypervolume")
		})
	}
}

func TestNSGA2Laws(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]NSGA2{
		"default": {},
		"small":   {Population: 6, Crossover: 0.5, Mutation: 0.3, CrossoverEta: 2.5, MutationEta: 5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			searchtest.Run(t, o)
		})
	}
}

// BenchmarkFree is the speed on ZDT1 with 30 real variables and population 100,
// asked and told by generations, all on one core.
func BenchmarkFree(b *testing.B) {
	for _, m := range []search.Method{NSGA2{Population: 100}, NSGA3{}, MOEAD{}, SMSEMOA{}} {
		name := strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", m), "evolve."))
		b.Run(name+"-zdt1", func(b *testing.B) { benchmarkFree(b, m, reals(30), 2, zdt1, 100) })
		b.Run(name+"-dtlz2", func(b *testing.B) { benchmarkFree(b, m, reals(12), 3, dtlz2, 92) })
	}
}

func zdt1(x, y []float64) {
	sum := 0.0
	for _, v := range x[1:] {
		sum += v
	}
	f, g := x[0], 1+9*sum/29
	y[0], y[1] = f, g*(1-math.Sqrt(f/g))
}

func benchmarkFree(b *testing.B, m search.Method, sp *space.Space, objectives int, f func(x, y []float64), batch int) {
	const trials = 50_000
	outcomes := make([]search.Outcome, 0, batch)
	losses := make([]float64, batch*objectives)
	var x []float64
	b.ReportAllocs()
	before := cpuTime()
	for b.Loop() {
		s, err := m.New(search.Setup{Space: sp, Objectives: objectives, Seed: 1})
		if err != nil {
			b.Fatal(err)
		}
		for done := 0; done < trials; {
			ps, err := s.Ask(batch)
			if err != nil {
				b.Fatal(err)
			}
			outcomes = outcomes[:0]
			for i := range ps {
				p := &ps[i]
				x = p.Design.Numbers(x[:0])
				y := losses[i*objectives : (i+1)*objectives]
				f(x, y)
				outcomes = append(outcomes, search.Outcome{ID: p.ID, Design: p.Design, Status: search.Complete, Score: metric.Score{Loss: y}})
			}
			s.Tell(outcomes...)
			done += len(ps)
		}
	}
	b.ReportMetric(float64(b.N)*trials/b.Elapsed().Seconds(), "evaluations/s")
	if used := cpuTime() - before; used > 0 { // says more on a machine that others use too
		b.ReportMetric(float64(b.N)*trials/used.Seconds(), "evaluations/cpu-s")
	}
}
