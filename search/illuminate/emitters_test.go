package illuminate

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/space"
)

// projected measures a point of the linear projection of [projectionSpace]: the
// loss, and the sums of the halves of the point, clipped beyond ±5.12.
func projected(answers []space.Answer) (loss float64, values metric.Values) {
	var sums [2]float64
	for i, a := range answers {
		x := a.Real
		loss += (x - 2.048) * (x - 2.048)
		if x > 5.12 || x < -5.12 {
			x = 5.12 / x
		}
		sums[2*i/len(answers)] += x
	}
	return loss, metric.Values{"u": sums[0], "v": sums[1]}
}

func projectionSpace(n int) (*space.Space, []Measure) {
	var nodes []space.Node
	for i := range n {
		nodes = append(nodes, space.Float(fmt.Sprintf("x%d", i), -10.24, 10.24))
	}
	b := 2.56 * float64(n)
	return space.MustNew(nodes...), []Measure{{"u", -b, b, 50}, {"v", -b, b, 50}}
}

// illuminated runs a method for a number of trials.
func illuminated(tb testing.TB, m search.Method, sp *space.Space, seed uint64, trials int) search.Searcher {
	s, err := m.New(search.Setup{Space: sp, Seed: seed, Budget: int64(trials)})
	if err != nil {
		tb.Fatal(err)
	}
	var answers []space.Answer
	for done := 0; done < trials; {
		ps, err := s.Ask(1)
		if err != nil {
			tb.Fatal(err)
		}
		for _, p := range ps {
			answers = p.Design.Decisions(answers[:0])
			loss, values := projected(answers)
			s.Tell(search.Outcome{ID: p.ID, Design: p.Design, Status: search.Complete, Score: metric.Score{Loss: []float64{loss}}, Values: values})
			done++
		}
	}
	return s
}

// TestStrategiesSpread: on a space of 10 numbers strategies fill more of the
// archive than mutation and crossover, lines help, and the mixture of emitters does not fall
// behind those. Over seeds the coverage has a standard deviation of about one
// point; the differences are ten.
func TestStrategiesSpread(t *testing.T) {
	t.Parallel()
	if testing.Short() || raceEnabled {
		t.Skip("needs many trials")
	}
	const trials = 10_000
	sp, measures := projectionSpace(10)
	coverage := func(m search.Method) float64 {
		sum := 0.0
		for seed := range uint64(2) {
			sum += illuminated(t, m, sp, seed, trials).(Archiver).Archive().Coverage() / 2
		}
		return 100 * sum
	}
	plain := coverage(MAPElites{Measures: measures, Line: 1e-9})
	half := coverage(MAPElites{Measures: measures})
	line := coverage(MAPElites{Measures: measures, Line: 1})
	me := coverage(CMAME{Measures: measures, Emitters: 5})
	mae := coverage(CMAMAE{Measures: measures, Emitters: 5})
	mixed := coverage(Emitters{Measures: measures})
	t.Logf("coverage after %d trials: map-elites without lines %.1f %%, with half %.1f %%, with lines only %.1f %%, cma-me %.1f %%, cma-mae %.1f %%, emitters %.1f %%", trials, plain, half, line, me, mae, mixed)
	if me < plain+5 {
		t.Errorf("cma-me covers %.1f %% and map-elites %.1f %%", me, plain)
	}
	if half < plain {
		t.Errorf("lines, the default here, cost coverage: %.1f %% against %.1f %%", half, plain)
	}
	if mixed < plain {
		t.Errorf("emitters cover %.1f %% and map-elites %.1f %%", mixed, plain)
	}
}

// TestArchivesAgree: whatever the emitters and thresholds, the archive holds the
// best design of every cell.
func TestArchivesAgree(t *testing.T) {
	t.Parallel()
	sp := space.MustNew(
		space.Float("x", 0, 1), space.Int("n", 0, 9), space.Subset("s", 1, 2, 3), space.Permutation("p", 1, 2, 3), space.Categorical("k", "a", "b", "c"),
		space.Choice("c", space.Case("a", space.Repeat("r", 1, 3, space.Bool(""))), space.Case("b")),
	)
	measures := []Measure{{"u", 0, 1, 4}, {"v", -1, 1, 3}}
	rapid.Check(t, func(t *rapid.T) {
		var m search.Method
		switch rapid.IntRange(0, 2).Draw(t, "method") {
		case 0:
			m = CMAME{Measures: measures, Emitters: 2, Generation: 4, Initial: 5}
		case 1:
			m = CMAMAE{Measures: measures, Emitters: 2, Generation: 4, Initial: 5, Rate: 0.3}
		case 2:
			m = Emitters{Measures: measures, Initial: 5, Kinds: []string{"mutate", "cross", "line", "cma", "random"}, CVT: &CVT{Cells: 12, Samples: 100}}
		}
		s, err := m.New(search.Setup{Space: sp, Seed: rapid.Uint64().Draw(t, "seed")})
		if err != nil {
			t.Fatal(err)
		}
		archive := s.(Archiver).Archive()
		want := map[int]float64{}
		for range rapid.IntRange(1, 80).Draw(t, "trials") {
			ps, err := s.Ask(rapid.IntRange(1, 3).Draw(t, "ask"))
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range ps {
				o := search.Outcome{
					ID: p.ID, Design: p.Design, Status: search.Complete,
					Score:  metric.Score{Loss: []float64{rapid.Float64Range(-5, 5).Draw(t, "loss")}},
					Values: metric.Values{"u": rapid.Float64Range(-1, 2).Draw(t, "u"), "v": rapid.Float64Range(-2, 2).Draw(t, "v")},
				}
				switch rapid.IntRange(0, 5).Draw(t, "fate") {
				case 0:
					continue
				case 1:
					o.Score.Violation = 1
				}
				s.Tell(o)
				s.Tell(o)
				if o.Score.Violation > 0 {
					continue
				}
				cell, _ := archive.Cell([]float64{o.Values["u"], o.Values["v"]})
				if f, ok := want[cell]; !ok || -o.Score.Loss[0] > f {
					want[cell] = 0 - o.Score.Loss[0]
				}
			}
		}
		if archive.Len() != len(want) {
			t.Fatalf("%d cells, want %d", archive.Len(), len(want))
		}
		for e := range archive.Elites() {
			if e.Objective != want[e.Cell] {
				t.Fatalf("cell %d holds %v, want %v", e.Cell, e.Objective, want[e.Cell])
			}
		}
	})
}

// TestFrontsHold: a cell's front is what is not dominated of what was told, as
// long as it fits, and never loses a design that is best in an objective.
func TestFrontsHold(t *testing.T) {
	t.Parallel()
	sp := space.MustNew(space.Float("x", 0, 1), space.Int("n", 0, 9))
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.SampledFrom([]int{3, 1000}).Draw(t, "front")
		s, err := MOME{Measures: []Measure{{"u", 0, 1, 3}}, Front: size, Initial: 5}.New(search.Setup{Space: sp, Objectives: 2, Seed: rapid.Uint64().Draw(t, "seed")})
		if err != nil {
			t.Fatal(err)
		}
		told := map[int][][]float64{}
		for range rapid.IntRange(1, 120).Draw(t, "trials") {
			ps, err := s.Ask(1)
			if err != nil {
				t.Fatal(err)
			}
			loss := []float64{float64(rapid.IntRange(0, 20).Draw(t, "a")), float64(rapid.IntRange(0, 20).Draw(t, "b"))}
			u := rapid.Float64Range(0, 1).Draw(t, "u")
			o := search.Outcome{ID: ps[0].ID, Design: ps[0].Design, Status: search.Complete, Score: metric.Score{Loss: loss}, Values: metric.Values{"u": u}}
			if rapid.IntRange(0, 5).Draw(t, "fate") == 0 {
				o.Score.Violation = 1
			} else {
				told[min(int(u*3), 2)] = append(told[min(int(u*3), 2)], loss)
			}
			s.Tell(o)
			s.Tell(o)
		}
		fa := s.(FrontArchiver)
		if fa.Occupied() != len(told) || fa.Cells() != 3 {
			t.Fatalf("%d of %d cells, want %d of 3", fa.Occupied(), fa.Cells(), len(told))
		}
		for cell, front := range fa.Fronts() {
			front := front
			want := map[[2]float64]bool{}
			var least [2]float64
			for m := range 2 {
				least[m] = math.Inf(1)
				for _, l := range told[cell] {
					least[m] = min(least[m], l[m])
				}
			}
			for _, a := range told[cell] {
				dominated := false
				for _, b := range told[cell] {
					dominated = dominated || metric.Dominates(metric.Score{Loss: b}, metric.Score{Loss: a})
				}
				if !dominated {
					want[[2]float64{a[0], a[1]}] = true
				}
			}
			if len(front) > size || size > 200 && len(front) != len(want) {
				t.Fatalf("cell %d: front of %d, want %d", cell, len(front), len(want))
			}
			got := [2]float64{math.Inf(1), math.Inf(1)}
			for _, e := range front {
				for m := range 2 {
					got[m] = min(got[m], e.Loss[m])
				}
				if size > 200 && !want[[2]float64{e.Loss[0], e.Loss[1]}] {
					t.Fatalf("cell %d: %v is dominated", cell, e.Loss)
				}
			}
			if got != least {
				t.Fatalf("cell %d: the best of the front is %v, want %v", cell, got, least)
			}
		}
		if q := fa.QDScore([]float64{21, 21}); len(told) > 0 && q <= 0 {
			t.Fatalf("QD-score %v", q)
		}
	})
}

func TestMethodErrors(t *testing.T) {
	t.Parallel()
	sp, measures := projectionSpace(3)
	grammar := space.MustNew(space.Grammar("g", "E", space.Rule("E", space.Use("x"), space.Use("E", "E"))).Depth(3))
	nan := math.NaN()
	for name, c := range map[string]struct {
		method search.Method
		setup  search.Setup
		want   []string
	}{
		"cma-me grammar":   {CMAME{Measures: measures}, search.Setup{Space: grammar}, []string{"cma-me: space: found space: no fixed layout", "use emitters or map-elites"}},
		"cma-me numbers":   {CMAME{Measures: measures, Emitters: -1, Generation: 1, Sigma: nan}, search.Setup{Space: sp}, []string{"emitters: found -1", "generation: found 1", "sigma: found NaN"}},
		"cma-me nothing":   {CMAME{}, search.Setup{}, []string{"cma-me: space: found none", "cma-me: measures: found none"}},
		"cma-mae numbers":  {CMAMAE{Measures: measures, Rate: 1, Threshold: &nan}, search.Setup{Space: sp}, []string{"cma-mae: rate: found 1", "cma-mae: threshold: found NaN"}},
		"emitters unknown": {Emitters{Measures: measures, Kinds: []string{"mutat"}}, search.Setup{Space: sp}, []string{`emitters: kinds[0]: found "mutat", want mutate`}},
		"emitters grammar": {Emitters{Measures: measures, Kinds: []string{"mutate", "line", "cma"}}, search.Setup{Space: grammar}, []string{"emitters: kinds[1]: line", "kinds[2]: cma"}},
		"emitters goals":   {Emitters{Measures: measures}, search.Setup{Space: sp, Objectives: 2}, []string{"emitters: objectives: found 2"}},
		"mome":             {MOME{Measures: measures, Front: -1, Line: 2}, search.Setup{Space: sp}, []string{"mome: front: found -1", "mome: line: found 2"}},
		"line grammar":     {MAPElites{Measures: measures, Line: 0.5}, search.Setup{Space: grammar}, []string{"map-elites: line: space: no fixed layout"}},
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
	for _, m := range []search.Method{MAPElites{Measures: measures}, &MAPElites{Measures: measures}, CMAME{Measures: measures}, &CMAME{Measures: measures},
		CMAMAE{Measures: measures}, &CMAMAE{Measures: measures}, Emitters{Measures: measures}, &Emitters{Measures: measures}, MOME{Measures: measures}, &MOME{Measures: measures}} {
		if o, ok := Layout(m); !ok || len(o.Measures) != 2 {
			t.Errorf("Layout(%T) = %v, %v", m, o, ok)
		}
	}
}

func BenchmarkMethods(b *testing.B) {
	sp, measures := projectionSpace(20)
	for name, m := range map[string]search.Method{
		"map-elites": MAPElites{Measures: measures}, "line": MAPElites{Measures: measures, Line: 1},
		"cma-me": CMAME{Measures: measures}, "cma-mae": CMAMAE{Measures: measures}, "emitters": Emitters{Measures: measures}, "mome": MOME{Measures: measures},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			illuminated(b, m, sp, 1, max(b.N, 5))
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "evaluations/s")
		})
	}
}
