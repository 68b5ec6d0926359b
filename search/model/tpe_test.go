package model

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/internal/source"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/space"
)

func rastrigin(d space.Design) float64 {
	y := 0.0
	for _, x := range values(d) {
		y += 10 + x*x - 10*math.Cos(2*math.Pi*x)
	}
	return y
}

func branin(d space.Design) float64 {
	v := values(d)
	x, y := 1.5*(v[0]+5)-5, 1.5*(v[1]+5)
	a := y - 5.1/(4*math.Pi*math.Pi)*x*x + 5/math.Pi*x - 6
	return a*a + 10*(1-1/(8*math.Pi))*math.Cos(x) + 10
}

// nk is Kauffman's landscape of n bits that interact with k neighbours, with
// the tables of the reference numbers (seed 1), to be minimised.
func nk(k int) func(space.Design) float64 {
	return func(d space.Design) float64 {
		x := options(d)
		sum := 0.0
		for i := range x {
			p := 0
			for j := range k + 1 {
				p = 2*p + x[(i+j)%len(x)]
			}
			sum += float64(mix(uint64(1000003+1009*i+p))>>11) / (1 << 53)
		}
		return -sum / float64(len(x))
	}
}

func bools(n int) *space.Space {
	nodes := make([]space.Node, n)
	for i := range nodes {
		nodes[i] = space.Bool(fmt.Sprintf("b%d", i))
	}
	return space.MustNew(nodes...)
}

// twoBranches is a space of which one branch is good if its own parameters are.
func twoBranches() *space.Space {
	var a, b []space.Node
	for i := range 4 {
		a = append(a, space.Float(fmt.Sprintf("x%d", i), 0, 1))
		b = append(b, space.Float(fmt.Sprintf("y%d", i), 0, 1))
	}
	return space.MustNew(space.Choice("kind", space.Case("a", a...), space.Case("b", b...)))
}

func branchLoss(d space.Design) float64 {
	as := d.Decisions(nil)
	y, target := 0.0, 0.8
	if as[0].Index == 0 {
		y, target = 0.3, 0.2
	}
	for _, a := range as[1:] {
		y += (a.Real - target) * (a.Real - target)
	}
	return y
}

// TestBeatsRandom compares means over seeds with those of random search, and
// the default with one that keeps every bad design.
func TestBeatsRandom(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		space  *space.Space
		f      func(space.Design) float64
		trials int
		best   float64 // least value there is
		share  float64 // of random search's distance to it that may be left
	}{
		"sphere":    {reals(2), sphere, 100, 0, 0.2},
		"sphere10":  {reals(10), sphere, 200, 0, 0.5},
		"rastrigin": {reals(4), rastrigin, 200, 0, 0.75},
		"branin":    {reals(2), branin, 100, 0.397887, 0.5},
		"nk0":       {bools(20), nk(0), 200, -0.745041, 0.2},
		"nk2":       {bools(20), nk(2), 200, -0.746373, 0.4},
		"branches":  {twoBranches(), branchLoss, 120, 0, 0.5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const seeds = 8
			modes := map[string]TPE{"default": {}, "univariate": {Univariate: true}}
			if raceEnabled {
				delete(modes, "univariate")
			} else if name == "branches" {
				modes["ungrouped"] = TPE{Ungrouped: true}
			}
			if c.trials > 150 && !raceEnabled { // else nothing is left out
				modes["unbounded"] = TPE{Bad: 1 << 30}
			}
			means := map[string]float64{}
			for mode, o := range modes {
				var got, blind float64
				for seed := range uint64(seeds) {
					got += drive(t, start(t, o, search.Setup{Space: c.space, Seed: seed}), c.trials, c.f) / seeds
					blind += random(c.space, seed, c.trials, c.f) / seeds
				}
				t.Logf("%-10s %.4f, random %.4f, best %.4f", mode, got, blind, c.best)
				means[mode] = got
				means["random"] = blind
				if got-c.best > c.share*(blind-c.best) {
					t.Errorf("%s: mean of best %.4f, random search %.4f: more than %v of the way to %.4f is left", mode, got, blind, c.share, c.best)
				}
			}
			// To keep a sample of the bad designs costs little.
			if all, ok := means["unbounded"]; ok && means["default"]-all > 0.15*(means["random"]-c.best) {
				t.Errorf("mean of best %.4f, with all bad designs %.4f, random search %.4f", means["default"], all, means["random"])
			}
		})
	}
}

// TestSeveralObjectives compares the hypervolume on a small ZDT1 with that of
// random search.
func TestSeveralObjectives(t *testing.T) {
	t.Parallel()
	nodes := make([]space.Node, 6)
	for i := range nodes {
		nodes[i] = space.Float(fmt.Sprintf("x%d", i), 0, 1)
	}
	sp := space.MustNew(nodes...)
	zdt1 := func(d space.Design) []float64 {
		x := values(d)
		g := 1.0
		for _, v := range x[1:] {
			g += 9 * v / float64(len(x)-1)
		}
		return []float64{x[0], g * (1 - math.Sqrt(x[0]/g))}
	}
	ref := []float64{1.1, 6}
	var got, blind float64
	const seeds = 6
	for seed := range uint64(seeds) {
		s := start(t, TPE{}, search.Setup{Space: sp, Objectives: 2, Seed: seed})
		r := rng.New(seed, "random", 0)
		var a, b []float64
		for range 250 {
			p, err := s.Ask(1)
			if err != nil {
				t.Fatal(err)
			}
			y := zdt1(p[0].Design)
			a = append(a, y...)
			s.Tell(search.Outcome{ID: p[0].ID, Design: p[0].Design, Status: search.Complete, Score: metric.Score{Loss: y}})
			b = append(b, zdt1(sp.MustSample(r))...)
		}
		got += metric.Hypervolume(a, 2, ref) / seeds
		blind += metric.Hypervolume(b, 2, ref) / seeds
	}
	optimum := 1.1*6 - 1.0/3 - 0.1 - 0 // area above f2 = 1 - sqrt(f1) within the reference
	t.Logf("hypervolume %.3f, random %.3f", got, blind)
	if optimum-got > 0.6*(optimum-blind) {
		t.Errorf("hypervolume %.3f, random search %.3f: less than 40%% of the way to %.3f", got, blind, optimum)
	}
}

// TestLimits checks that the search finds a thin feasible region by the
// violation alone and then the best design in it.
func TestLimits(t *testing.T) {
	t.Parallel()
	sp := reals(3)
	const seeds = 8
	feasible, best := 0.0, 0.0
	for seed := range uint64(seeds) {
		s := start(t, TPE{}, search.Setup{Space: sp, Seed: seed, Limits: true})
		least := math.Inf(1)
		for range 150 {
			p, err := s.Ask(1)
			if err != nil {
				t.Fatal(err)
			}
			x := values(p[0].Design)
			score := metric.Score{
				Loss:      []float64{-x[0] - x[1] - x[2]},                           // as large as possible
				Violation: max(0, math.Sqrt(x[0]*x[0]+x[1]*x[1]+x[2]*x[2])-1) / 1.0, // within the unit ball, 0.4 % of the cube
			}
			if score.Feasible() {
				feasible++
				least = min(least, score.Loss[0])
			}
			s.Tell(search.Outcome{ID: p[0].ID, Design: p[0].Design, Status: search.Complete, Score: score})
		}
		best += least / seeds
	}
	feasible /= seeds * 150
	t.Logf("feasible %.2f, best %.3f of %.3f", feasible, best, -math.Sqrt(3))
	if feasible < 0.1 || best > -1.2 {
		t.Errorf("feasible share %.3f and best loss %.3f, want at least 0.1 and at most -1.2", feasible, best)
	}
}

// TestFailuresAreBad checks that the model turns away from a half of the space
// in which every evaluation fails.
func TestFailuresAreBad(t *testing.T) {
	t.Parallel()
	sp := reals(2)
	const seeds = 6
	failed := 0
	for seed := range uint64(seeds) {
		s := start(t, TPE{}, search.Setup{Space: sp, Seed: seed})
		for i := range 120 {
			p, err := s.Ask(1)
			if err != nil {
				t.Fatal(err)
			}
			o := search.Outcome{ID: p[0].ID, Design: p[0].Design, Status: search.Complete, Score: metric.Score{Loss: []float64{sphere(p[0].Design)}}}
			if values(p[0].Design)[0] < 0 {
				o.Status, o.Score = search.Failed, metric.Score{}
				if i%2 == 0 {
					o.Status, o.Score = search.Complete, metric.Score{Loss: []float64{math.NaN()}}
				}
				if i >= 60 {
					failed++
				}
			}
			s.Tell(o)
		}
	}
	if share := float64(failed) / (60 * seeds); share > 0.3 {
		t.Errorf("share %.2f of the later proposals failed, want at most 0.3 (random search: 0.5)", share)
	}
}

// TestConstraints checks that proposals obey constraints on the design, and
// that the model still learns.
func TestConstraints(t *testing.T) {
	t.Parallel()
	sp := space.MustNew(
		space.Int("tile", 1, 64), space.Int("unroll", 1, 16), space.Categorical("order", "ij", "ji"),
		space.Require("tile * unroll <= 128"), space.Require("tile >= unroll"))
	f := func(d space.Design) float64 {
		x := options(d)
		return -float64((x[0]+1)*(x[1]+1)) + math.Abs(float64(x[1]-7)) + float64(x[2])
	}
	got, blind := 0.0, 0.0
	for seed := range uint64(8) {
		got += drive(t, start(t, TPE{}, search.Setup{Space: sp, Seed: seed}), 80, func(d space.Design) float64 {
			if x := options(d); (x[0]+1)*(x[1]+1) > 128 || x[0] < x[1] {
				t.Errorf("%v violates a constraint", d)
			}
			return f(d)
		}) / 8
		blind += random(sp, seed, 80, f) / 8
	}
	if got > blind {
		t.Errorf("mean of best %.3f, random search %.3f", got, blind)
	}
}

func TestVisitsEveryDesignOnce(t *testing.T) {
	t.Parallel()
	sp := space.MustNew(space.Choice("a", space.Case("x", space.Bool("b")), space.Case("y", space.Int("n", 1, 7))), space.Subset("s", 1, 2, 3))
	s := start(t, TPE{}, search.Setup{Space: sp, Seed: 1})
	seen := map[space.Design]bool{}
	for {
		p, err := s.Ask(1)
		if errors.Is(err, search.ErrExhausted) {
			break
		}
		if err != nil || seen[p[0].Design] {
			t.Fatalf("after %d: %v, %v", len(seen), p, err)
		}
		seen[p[0].Design] = true
		s.Tell(search.Outcome{ID: p[0].ID, Design: p[0].Design, Status: search.Complete, Score: metric.Score{Loss: []float64{float64(len(seen) % 5)}}})
	}
	if want := 9 * 8; len(seen) != want {
		t.Errorf("%d designs proposed before the end, want %d", len(seen), want)
	}
}

// TestLiarSpreadsABatch checks that proposals made without results in between
// keep a distance.
func TestLiarSpreadsABatch(t *testing.T) {
	t.Parallel()
	sp := reals(3)
	spread := map[string]float64{}
	for _, liar := range []string{"off", "on"} {
		for seed := range uint64(10) {
			s := start(t, TPE{Liar: liar}, search.Setup{Space: sp, Seed: seed})
			drive(t, s, 40, sphere)
			ps, err := s.Ask(12)
			if err != nil {
				t.Fatal(err)
			}
			for i, p := range ps {
				for _, q := range ps[:i] {
					spread[liar] += sp.Distance(p.Design, q.Design)
				}
			}
		}
	}
	if spread["on"] < 1.1*spread["off"] {
		t.Errorf("summed distance in batches %.2f with the liar, %.2f without", spread["on"], spread["off"])
	}
}

// TestCostIsFlat counts what is kept and what an ask allocates.
func TestCostIsFlat(t *testing.T) {
	t.Parallel()
	sp := reals(10)
	s := start(t, TPE{}, search.Setup{Space: sp}).(*tpe)
	warm(t, s, sp, 20_000, sphere)
	if n := len(s.best) + len(s.rest); n != s.Good+s.Bad {
		t.Errorf("%d designs kept, want %d", n, s.Good+s.Bad)
	}
	open := space.MustNew(space.Grammar("g", "M", space.Rule("M", space.Use("a").P(0.55), space.Use("M", "M"))))
	s = start(t, TPE{}, search.Setup{Space: open}).(*tpe)
	kept, ever := 0, 0
	length := func(d space.Design) float64 { ever += d.Len(); return math.Abs(float64(d.Len() - 9)) }
	warm(t, s, open, 10_000, length)
	drive(t, s, 5, length)
	for _, set := range [][]*slot{s.best, s.rest} {
		for _, x := range set {
			kept += len(x.site)
		}
	}
	if n := len(s.sites.list); n > max(1024, 4*kept) || n > ever/10 {
		t.Errorf("%d decisions of an open grammar numbered; the designs kept have %d of %d", n, kept, ever)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	_, err := TPE{Startup: -1, Gamma: 2, PriorWeight: -1, Liar: "maybe", Univariate: true, Ungrouped: true}.New(search.Setup{})
	if err == nil {
		t.Fatal("no error")
	}
	for _, word := range []string{"space", "startup", "gamma", "prior_weight", "ungrouped", "liar"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %q does not speak of %s", err, word)
		}
	}
	// The tags are well formed, and the defaults they give are accepted.
	var o TPE
	root, report := source.Parse("test", []byte("{}"))
	if !source.Decode(report, root, &o) {
		t.Fatal(report.Err())
	}
	if _, err := o.New(search.Setup{Space: reals(1)}); err != nil {
		t.Error(err)
	}
}

func ExampleTPE() {
	sp := space.MustNew(space.Float("x", -2, 2), space.Int("n", 1, 8))
	s, err := TPE{}.New(search.Setup{Space: sp, Seed: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	best := math.Inf(1)
	for range 100 {
		ps, err := s.Ask(1)
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, p := range ps {
			x, n := p.Design.Decisions(nil)[0].Real, p.Design.Decisions(nil)[1].Index+1
			loss := x*x + math.Abs(float64(n-5))
			best = min(best, loss)
			s.Tell(search.Outcome{ID: p.ID, Design: p.Design, Status: search.Complete, Score: metric.Score{Loss: []float64{loss}}})
		}
	}
	fmt.Println(best < 0.01)
	// Output: true
}

// The results chosen from a front cover what the greedy choice covers when every
// gain is computed anew, and that is most of what any choice of as many could.
func TestCover(t *testing.T) {
	t.Parallel()
	r := rng.New(1, "cover", 0)
	for _, m := range []int{2, 3, 4} {
		for range 20 {
			var front []*slot
			var points []float64
			for len(front) < 9 {
				y, norm := make([]float64, m), 0.0
				for j := range y {
					y[j] = r.Float64()
					norm += y[j] * y[j]
				}
				for j := range y {
					y[j] /= math.Sqrt(norm)
				}
				front = append(front, &slot{score: metric.Score{Loss: y}})
				points = append(points, y...)
			}
			ref := metric.ReferencePoint(points, m)
			const n = 4
			var plain []float64
			for range n {
				best, most := 0, -1.0
				for i := range front {
					v := metric.Hypervolume(append(plain[:len(plain):len(plain)], points[i*m:(i+1)*m]...), m, ref)
					if v > most {
						best, most = i, v
					}
				}
				plain = append(plain, points[best*m:(best+1)*m]...)
			}
			most := 0.0
			for set := range 1 << len(front) {
				if bits.OnesCount(uint(set)) != n {
					continue
				}
				var some []float64
				for i := range front {
					if set>>i&1 == 1 {
						some = append(some, points[i*m:(i+1)*m]...)
					}
				}
				most = max(most, metric.Hypervolume(some, m, ref))
			}
			(&tpe{setup: search.Setup{Objectives: m}}).cover(front, n)
			var chosen []float64
			for _, s := range front[:n] {
				chosen = append(chosen, s.score.Loss...)
			}
			got, want := metric.Hypervolume(chosen, m, ref), metric.Hypervolume(plain, m, ref)
			if math.Abs(got-want) > 1e-12*want {
				t.Errorf("%d objectives: %d of 9 cover %v, chosen plainly %v", m, n, got, want)
			}
			if got < (1-1/math.E)*most {
				t.Errorf("%d objectives: %d of 9 cover %v, %v is possible", m, n, got, most)
			}
		}
	}
}

// TestThreeObjectives checks that compromises are found where nearly every
// result is on the front: on DTLZ2, from the volume within 1.1.
func TestThreeObjectives(t *testing.T) {
	t.Parallel()
	ref := []float64{1.1, 1.1, 1.1}
	const seeds, trials = 8, 100
	var got, joint, blind float64
	for seed := range uint64(seeds) {
		volume := func(s search.Searcher) float64 {
			var points []float64
			for range trials {
				p, err := s.Ask(1)
				if err != nil {
					t.Fatal(err)
				}
				y := sphereFront(values(p[0].Design))
				points = append(points, y...)
				s.Tell(search.Outcome{ID: p[0].ID, Design: p[0].Design, Status: search.Complete, Score: metric.Score{Loss: y}})
			}
			return metric.Hypervolume(points, 3, ref) / seeds
		}
		setup := search.Setup{Space: units(8), Objectives: 3, Seed: seed}
		got += volume(start(t, TPE{}, setup))
		joint += volume(start(t, TPE{Grouped: true}, setup))
		r := rng.New(seed, "random", 0)
		var points []float64
		for range trials {
			points = append(points, sphereFront(values(setup.Space.MustSample(r)))...)
		}
		blind += metric.Hypervolume(points, 3, ref) / seeds
	}
	t.Logf("hypervolume %.3f, grouped %.3f, random %.3f", got, joint, blind)
	if got < 1.3*blind || joint < blind {
		t.Errorf("hypervolume %.3f, grouped %.3f, random search %.3f", got, joint, blind)
	}
}

func units(n int) *space.Space {
	nodes := make([]space.Node, n)
	for i := range nodes {
		nodes[i] = space.Float(fmt.Sprintf("x%d", i), 0, 1)
	}
	return space.MustNew(nodes...)
}

// sphereFront is DTLZ2 with three objectives: the first two numbers are a
// direction, the others how far the result is beyond the unit sphere.
func sphereFront(x []float64) []float64 {
	r := 1.0
	for _, v := range x[2:] {
		r += (v - 0.5) * (v - 0.5)
	}
	s, c := math.Sincos(x[0] * math.Pi / 2)
	u, v := math.Sincos(x[1] * math.Pi / 2)
	return []float64{r * c * v, r * c * u, r * s}
}

// BenchmarkCover is the choice of 32 results of a front of 64.
func BenchmarkCover(b *testing.B) {
	for _, m := range []int{2, 3, 4} {
		b.Run(fmt.Sprint(m), func(b *testing.B) {
			r := rng.New(1, "cover", 0)
			t := &tpe{setup: search.Setup{Objectives: m}}
			var front []*slot
			for range 64 {
				y, norm := make([]float64, m), 0.0
				for j := range y {
					y[j] = r.Float64()
					norm += y[j] * y[j]
				}
				for j := range y {
					y[j] /= math.Sqrt(norm)
				}
				front = append(front, &slot{score: metric.Score{Loss: y}})
			}
			for b.Loop() {
				t.cover(slices.Clone(front), 32)
			}
		})
	}
}
