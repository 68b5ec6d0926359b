package evolve_test

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/evolve"
	"github.com/daedalus-search/daedalus/search/searchtest"
	"github.com/daedalus-search/daedalus/space"
)

func TestRegularizedLaws(t *testing.T) {
	t.Parallel()
	searchtest.Run(t, evolve.Regularized{Population: 20, Sample: 5}, searchtest.Repeats())
}

func TestRegularizedCrossoverLaws(t *testing.T) {
	t.Parallel()
	searchtest.Run(t, evolve.Regularized{Crossover: 0.5}, searchtest.Repeats(), searchtest.Budget(200))
}

func regularized(t interface{ Fatal(...any) }, m evolve.Regularized, setup search.Setup) search.Searcher {
	s, err := m.New(setup)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// With a sample far larger than the population the parent is the best of the
// living, which are the youngest by submission whatever the order of results.
func TestRegularizedAgesBySubmission(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		const population = 6
		sp := space.MustNew(space.Float("x", 0, 1), space.Float("y", 0, 1))
		s := regularized(t, evolve.Regularized{Population: population, Sample: 200}, search.Setup{Space: sp, Seed: rapid.Uint64().Draw(t, "seed")})
		type result struct {
			born int64
			id   int64
			loss float64
		}
		var told []result
		var waiting []search.Proposal
		asked, foreign := int64(0), int64(0)
		for range 60 {
			ps, err := s.Ask(1)
			if err != nil {
				t.Fatal(err)
			}
			asked++
			p := ps[0]
			if p.Operator == "mutate" {
				// told is in order of arrival; a late one may have died before it came.
				best := slices.MinFunc(told, func(a, b result) int { return cmp.Compare(a.loss, b.loss) })
				if p.Parents[0] != best.id {
					t.Fatalf("proposal %d has parent %d, want %d, the best of the living %v", p.ID, p.Parents[0], best.id, told)
				}
			}
			waiting = append(waiting, p)
			for len(waiting) > 0 && rapid.IntRange(0, 2).Draw(t, "tell") > 0 {
				k := rapid.IntRange(0, len(waiting)-1).Draw(t, "which")
				p := waiting[k]
				waiting = slices.Delete(waiting, k, k+1)
				r := result{p.ID, p.ID, float64((p.ID*7919)%104729) + float64(p.ID)/1e6}
				if rapid.IntRange(0, 9).Draw(t, "foreign") == 0 {
					foreign--
					r.born, r.id, r.loss = asked, foreign, r.loss-float64(foreign)/10
					waiting = append(waiting, p)
				}
				s.Tell(search.Outcome{ID: r.id, Design: p.Design, Status: search.Complete, Score: metric.Score{Loss: []float64{r.loss}}})
				// The obvious population: all told, stably by age, the youngest last.
				told = append(told, r)
				slices.SortStableFunc(told, func(a, b result) int { return cmp.Compare(a.born, b.born) })
				if len(told) > population {
					told = told[1:]
				}
			}
		}
	})
}

func TestRegularizedDefaultsFollowBudget(t *testing.T) {
	t.Parallel()
	sp := space.MustNew(space.Float("x", 0, 1))
	for budget, want := range map[int64]int{0: 100, 9: 10, 20: 11, 100: 25, 400: 50, 1600: 100, 20_000: 100} {
		s := regularized(t, evolve.Regularized{}, search.Setup{Space: sp, Budget: budget})
		random := 0
		for range 150 {
			ps, err := s.Ask(1)
			if err != nil {
				t.Fatal(err)
			}
			if ps[0].Operator == "random" {
				random++
			}
			s.Tell(search.Outcome{ID: ps[0].ID, Design: ps[0].Design, Status: search.Complete, Score: metric.Score{Loss: []float64{1}}})
		}
		if random != want {
			t.Errorf("budget %d: %d random designs, want a population of %d", budget, random, want)
		}
	}
}

// With two objectives the whole front is found.
func TestRegularizedFindsFront(t *testing.T) {
	t.Parallel()
	sp := space.MustNew(space.Float("x", 0, 1), space.Float("y", 0, 1), space.Float("z", 0, 1))
	s := regularized(t, evolve.Regularized{Population: 50}, search.Setup{Space: sp, Objectives: 2, Seed: 2})
	history, err := metric.NewHypervolumeHistory([]float64{1.1, 1.1})
	if err != nil {
		t.Fatal(err)
	}
	for range 1500 {
		ps, err := s.Ask(1)
		if err != nil {
			t.Fatal(err)
		}
		a := ps[0].Design.Decisions(nil)
		x, g := a[0].Real, 1+a[1].Real+a[2].Real
		score := metric.Score{Loss: []float64{x, g * (1 - math.Sqrt(x/g))}} // ZDT1 in three dimensions
		history.Add(score)
		s.Tell(search.Outcome{ID: ps[0].ID, Design: ps[0].Design, Status: search.Complete, Score: score})
	}
	// The front y = 1 - sqrt(x) bounds a volume of 1.21 - 1/3.
	if got := history.Volume(); got < 0.85 {
		t.Errorf("hypervolume %.4f after 1500 trials, want at least 0.85 of 0.8767", got)
	}
}

func TestRegularizedRefusals(t *testing.T) {
	t.Parallel()
	_, err := evolve.Regularized{Population: -1, Sample: -1, Crossover: 2, Mutations: -1, Sigma: math.NaN()}.New(search.Setup{})
	if err == nil {
		t.Fatal("New accepts bad options")
	}
	for _, want := range []string{"no space", "population: found -1", "sample: found -1", "crossover: found 2", "mutations: found -1", "sigma: found NaN"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("New: %v; want %q too", err, want)
		}
	}
}

func BenchmarkAskTell(b *testing.B) {
	var nodes []space.Node
	for i := range 5 {
		nodes = append(nodes,
			space.Float(fmt.Sprintf("f%d", i), 0, 1), space.Int(fmt.Sprintf("i%d", i), 1, 64),
			space.Categorical(fmt.Sprintf("c%d", i), "a", "b", "c", "d"), space.Bool(fmt.Sprintf("b%d", i)))
	}
	sp := space.MustNew(nodes...)
	for _, objectives := range []int{1, 2} {
		name := "regularized"
		if objectives > 1 {
			name += "-2-objectives"
		}
		b.Run(name, func(b *testing.B) {
			s, err := evolve.Regularized{}.New(search.Setup{Space: sp, Objectives: objectives, Seed: 1})
			if err != nil {
				b.Fatal(err)
			}
			losses := make([]float64, 64*objectives)
			for i := range losses {
				losses[i] = float64(i * 7919 % 64)
			}
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				ps, err := s.Ask(1)
				if err != nil {
					b.Fatal(err)
				}
				i = (i + 1) % 64
				s.Tell(search.Outcome{ID: ps[0].ID, Design: ps[0].Design, Status: search.Complete, Score: metric.Score{Loss: losses[i*objectives : (i+1)*objectives]}})
			}
		})
	}
}

func ExampleRegularized() {
	sp := space.MustNew(space.Repeat("layers", 1, 6, space.Categorical("op", "conv", "pool", "skip")))
	s, err := evolve.Regularized{Population: 20, Sample: 5}.New(search.Setup{Space: sp, Seed: 1})
	if err != nil {
		panic(err)
	}
	best, least := space.Design{}, math.Inf(1)
	for range 300 {
		proposals, err := s.Ask(1)
		if err != nil {
			panic(err)
		}
		p := proposals[0]
		convs, layers := 0.0, 0.0
		for _, a := range p.Design.Decisions(nil) {
			if a.Role != space.RolePick {
				continue
			}
			if layers++; a.Index == 0 {
				convs++
			}
		}
		loss := math.Abs(convs-4) + 0.1*layers // few layers, but four convolutions
		if loss < least {
			best, least = p.Design, loss
		}
		s.Tell(search.Outcome{ID: p.ID, Design: p.Design, Status: search.Complete, Score: metric.Score{Loss: []float64{loss}}})
	}
	fmt.Println(best)
	// Output: {"layers":[{"op":"conv"},{"op":"conv"},{"op":"conv"},{"op":"conv"}]}
}
