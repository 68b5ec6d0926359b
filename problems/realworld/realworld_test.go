package realworld

import (
	"bufio"
	"math"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/problem/problemtest"
	"github.com/daedalus-search/daedalus/problems/internal/vector"
	"github.com/daedalus-search/daedalus/space"
)

func must(t testing.TB, name string) problem.Problem {
	t.Helper()
	p, err := Options{Problem: name}.New()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for _, name := range Names() {
		p := must(t, name)
		problemtest.Run(t, p)
		digit := int(strings.TrimPrefix(strings.TrimPrefix(name, "C"), "RE")[0] - '0')
		directed := 0
		for _, m := range p.Metrics() {
			if m.Direction != 0 {
				directed++
			}
		}
		if directed != digit {
			t.Errorf("%s has %d objectives, want %d", name, directed, digit)
		}
	}
	if len(Names()) != 24 {
		t.Errorf("%d problems, want 16 RE and 8 CRE", len(Names()))
	}
	f, _ := reflect.TypeFor[Options]().FieldByName("Problem")
	if got := strings.Fields(f.Tag.Get("oneof")); !slices.Equal(got, Names()) {
		t.Errorf("the tag names %v, the table %v", got, Names())
	}
}

// testdata/reference.txt holds values at random points: the problem, then x,
// then the objectives. They are those of jMetalPy 1.9.0, except for RE23, RE41,
// RE42 and RE61, which it misstates (it forgets the unit of the thicknesses,
// rounds real variables, and turns round or leaves out penalties): there they
// are those of the authors' own program.
func TestValuesAgreeWithOthers(t *testing.T) {
	t.Parallel()
	f, err := os.Open("testdata/reference.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	seen := map[string]int{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		part := strings.Split(lines.Text(), "|")
		numbers := func(s string) (out []float64) {
			for _, w := range strings.Fields(s) {
				v, err := strconv.ParseFloat(w, 64)
				if err != nil {
					t.Fatal(err)
				}
				out = append(out, v)
			}
			return out
		}
		name, x, want := strings.TrimSpace(part[0]), numbers(part[1]), numbers(part[2])
		seen[name]++
		for _, name := range []string{name, constrained(name)} {
			if name == "" {
				continue
			}
			var p *vector.Problem
			switch q := must(t, name).(type) {
			case *vector.Problem:
				p = q
			case gears:
				p = q.Problem
			}
			d, err := p.Design(x)
			if err != nil {
				t.Fatal(err)
			}
			v, err := p.Evaluate(t.Context(), d, nil)
			if err != nil {
				t.Fatal(err)
			}
			for i, m := range p.Metrics() {
				if got := v[m.Name]; math.Abs(got-want[i]) > 1e-9*(1+math.Abs(want[i])) {
					t.Errorf("%s at %v: %s = %v, the reference says %v", name, x, m.Name, got, want[i])
				}
			}
		}
	}
	if len(seen) != 16 {
		t.Errorf("references for %v, want 16 problems", seen)
	}
}

func constrained(name string) string {
	for i := range problems {
		if problems[i].re == name {
			return problems[i].cre
		}
	}
	return ""
}

// The front of the gears under their limit, and gears that are the same.
func TestGears(t *testing.T) {
	t.Parallel()
	p := must(t, "CRE25").(gears)
	goal := metric.Goal{
		Objectives: []metric.Objective{{Metric: "f1", Direction: metric.Minimize}, {Metric: "f2", Direction: metric.Minimize}},
		Limits:     []metric.Limit{{Metric: "violation", Op: metric.LessEqual}},
	}
	front, err := p.Optimum(t.Context(), goal)
	if err != nil || len(front) < 10 {
		t.Fatalf("%d designs, %v", len(front), err)
	}
	// Deb and Srinivasan (2006): the ratio is met best by gears of up to 56 teeth.
	best := front[0]
	for _, v := range front {
		if v["violation"] > 0 {
			t.Errorf("%v misses its limit", v)
		}
		if v["f1"] < best["f1"] {
			best = v
		}
	}
	if best["f1"] > 1e-3 || best["f2"] > 60 {
		t.Errorf("the nearest ratio is %v", best)
	}
	a, errA := p.Design([]float64{20, 13, 50, 41})
	b, errB := p.Design([]float64{13, 20, 41, 50})
	c, errC := p.Design([]float64{50, 41, 20, 13})
	if errA != nil || errB != nil || errC != nil || p.Key(a) != p.Key(b) || p.Key(a) == p.Key(c) {
		t.Errorf("keys %q, %q and %q (%v %v %v)", p.Key(a), p.Key(b), p.Key(c), errA, errB, errC)
	}
}

// No design lies below the ideal point.
func TestRanges(t *testing.T) {
	t.Parallel()
	r := rng.New(1, "realworld", 0)
	for _, name := range Names() {
		ideal, nadir, err := Range(name)
		if err != nil {
			t.Fatal(err)
		}
		p := must(t, name)
		var directed []string
		for _, m := range p.Metrics() {
			if m.Direction != 0 {
				directed = append(directed, m.Name)
			}
		}
		if len(ideal) != len(directed) || len(nadir) != len(directed) {
			t.Fatalf("%s: ideal %v and nadir %v for %d objectives", name, ideal, nadir, len(directed))
		}
		for i := range ideal {
			if !(ideal[i] < nadir[i]) {
				t.Errorf("%s: f%d from %v to %v", name, i+1, ideal[i], nadir[i])
			}
		}
		for range 2000 {
			v, err := p.Evaluate(t.Context(), p.Space().MustSample(r), nil)
			if err != nil {
				t.Fatal(err)
			}
			if v["violation"] > 0 {
				continue
			}
			for i, m := range directed {
				if v[m] < ideal[i]-1e-6*(1+math.Abs(ideal[i])) {
					t.Errorf("%s: %s = %v, below the ideal %v", name, m, v[m], ideal[i])
				}
			}
		}
	}
	if _, _, err := Range("RE99"); err == nil {
		t.Error("Range of a problem that does not exist gave no error")
	}
}

func TestUnknownProblem(t *testing.T) {
	t.Parallel()
	if p, err := (Options{Problem: "RE26"}).New(); err == nil || !strings.Contains(err.Error(), "RE25") {
		t.Errorf("%v, %v, want an error that lists the problems", p, err)
	}
}

func BenchmarkSuite(b *testing.B) {
	for _, name := range []string{"RE21", "RE42", "CRE24", "RE91"} {
		b.Run(name, func(b *testing.B) {
			p := must(b, name)
			r := rng.New(1, "benchmark", 0)
			ds := make([]space.Design, 256)
			for i := range ds {
				ds[i] = p.Space().MustSample(r)
			}
			out := make([]problem.Result, len(ds))
			b.ReportAllocs()
			for b.Loop() {
				p.(problem.Batcher).EvaluateBatch(b.Context(), ds, out)
			}
			b.ReportMetric(float64(b.N*len(ds))/b.Elapsed().Seconds(), "designs/s")
		})
	}
}
