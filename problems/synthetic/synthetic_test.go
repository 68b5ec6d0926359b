package synthetic

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/internal/source"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/problem/problemtest"
	"github.com/daedalus-search/daedalus/space"
)

type maker interface{ New() (*Problem, error) }

func must(t testing.TB, m maker) *Problem {
	t.Helper()
	p, err := m.New()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func at(t testing.TB, p *Problem, x ...float64) metric.Values {
	t.Helper()
	var b strings.Builder
	for i, v := range x {
		fmt.Fprintf(&b, ",\"x%d\":%v", i+1, v)
	}
	d, err := p.Space().ParseJSON([]byte("{" + b.String()[1:] + "}"))
	if err != nil {
		t.Fatal(err)
	}
	v, err := p.Evaluate(t.Context(), d, nil)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-12*(1+math.Abs(b)) }

func TestConformance(t *testing.T) {
	t.Parallel()
	six := 6
	for name, m := range map[string]maker{
		"sphere": Sphere{}, "rosenbrock": Rosenbrock{Dims: 10}, "rastrigin": Rastrigin{Dims: 3}, "branin": Branin{},
		"zdt4": ZDT{Function: 4}, "zdt6": ZDT{Function: 6},
		"dtlz1": DTLZ{Function: 1}, "dtlz3": DTLZ{Function: 3, Objectives: 4}, "dtlz4": DTLZ{Function: 4}, "dtlz5": DTLZ{Function: 5}, "dtlz6": DTLZ{Function: 6},
		"dtlz7": DTLZ{Function: 7}, "dtlz7 with two": DTLZ{Function: 7, Objectives: 2}, "dtlz7 with ten": DTLZ{Function: 7, Objectives: 10},
		"wfg1": WFG{Function: 1}, "wfg2": WFG{Function: 2}, "wfg3": WFG{Function: 3, Objectives: 2}, "wfg4": WFG{}, "wfg5": WFG{Function: 5, Objectives: 5},
		"wfg6": WFG{Function: 6}, "wfg7": WFG{Function: 7}, "wfg8": WFG{Function: 8}, "wfg9": WFG{Function: 9, Objectives: 2},
		"zdt1": ZDT{}, "zdt2": ZDT{Function: 2}, "zdt3": ZDT{Function: 3, Dims: 2},
		"dtlz2": DTLZ2{}, "dtlz2 with five": DTLZ2{Objectives: 5}, "nk": NK{N: 12}, "rugged nk": NK{N: 12, K: &six},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			problemtest.Run(t, must(t, m))
		})
	}
}

// Values worked out by hand or published.
func TestKnownValues(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		m    maker
		x    []float64
		want []float64
	}{
		"sphere":             {Sphere{Dims: 3}, []float64{1, -2, 3}, []float64{14}},
		"rosenbrock optimum": {Rosenbrock{Dims: 3}, []float64{1, 1, 1}, []float64{0}},
		"rosenbrock start":   {Rosenbrock{}, []float64{-1.2, 1}, []float64{24.2}},
		"rastrigin optimum":  {Rastrigin{Dims: 2}, []float64{0, 0}, []float64{0}},
		"rastrigin":          {Rastrigin{Dims: 2}, []float64{1, 0.5}, []float64{1 + 0.25 + 20}},
		"branin":             {Branin{}, []float64{math.Pi, 2.275}, []float64{0.39788735772973816}},
		"branin, left":       {Branin{}, []float64{-math.Pi, 12.275}, []float64{0.39788735772973816}},
		"branin, corner":     {Branin{}, []float64{0, 0}, []float64{36 + 10*(1-1/(8*math.Pi)) + 10}},
		"zdt1":               {ZDT{Dims: 3}, []float64{0.25, 0, 0}, []float64{0.25, 0.5}},
		"zdt1, g = 10":       {ZDT{Dims: 3}, []float64{0.4, 1, 1}, []float64{0.4, 8}},
		"zdt2":               {ZDT{Function: 2, Dims: 3}, []float64{0.5, 0, 0}, []float64{0.5, 0.75}},
		"zdt3":               {ZDT{Function: 3, Dims: 3}, []float64{0.25, 0, 0}, []float64{0.25, 1 - 0.5 - 0.25*math.Sin(2.5*math.Pi)}},
		"dtlz2":              {DTLZ2{Dims: 4}, []float64{0, 0, 0.5, 0.5}, []float64{1, 0, 0}},
		"dtlz2, middle":      {DTLZ2{Dims: 4}, []float64{0.5, 0.5, 1, 0.5}, []float64{1.25 * 0.5, 1.25 * 0.5, 1.25 * math.Sqrt(0.5)}},
	} {
		p := must(t, c.m)
		v := at(t, p, c.x...)
		for i, m := range p.Metrics() {
			if !near(v[m.Name], c.want[i]) {
				t.Errorf("%s: %s = %v, want %v", name, m.Name, v[m.Name], c.want[i])
			}
		}
	}
}

// The reference values that another language computed for n = 20, seed 1.
func TestNKReference(t *testing.T) {
	t.Parallel()
	const zeros, ones = "00000000000000000000", "11111111111111111111"
	for _, c := range []struct {
		k       int
		zeros   float64
		ones    float64
		optimum float64
		where   string
	}{
		{0, 0.533339, 0.583304, 0.745041, "01000011111101001011"},
		{2, 0.533339, 0.377516, 0.746373, "10011110011011010000"},
		{6, 0.533339, 0.402095, 0.789036, "11100101100010011000"},
	} {
		p := must(t, NK{K: &c.k})
		fitness := func(bits string) float64 {
			var b strings.Builder
			for i, x := range bits {
				fmt.Fprintf(&b, ",\"x%d\":%t", i, x == '1')
			}
			d, err := p.Space().ParseJSON([]byte("{" + b.String()[1:] + "}"))
			if err != nil {
				t.Fatal(err)
			}
			v, err := p.Evaluate(t.Context(), d, nil)
			if err != nil {
				t.Fatal(err)
			}
			return v["fitness"]
		}
		goal := metric.Goal{Objectives: []metric.Objective{{Metric: "fitness", Direction: metric.Maximize}}}
		front, err := p.Optimum(t.Context(), goal)
		if err != nil || len(front) != 1 {
			t.Fatalf("k=%d: Optimum = %v, %v", c.k, front, err)
		}
		for what, v := range map[string][2]float64{
			"zeros": {fitness(zeros), c.zeros}, "ones": {fitness(ones), c.ones},
			"optimum": {front[0]["fitness"], c.optimum}, "at the optimum": {fitness(c.where), c.optimum},
		} {
			if math.Abs(v[0]-v[1]) > 5.1e-7 {
				t.Errorf("k=%d, %s: %.7f, want %.6f", c.k, what, v[0], v[1])
			}
		}
		if fitness(c.where) != front[0]["fitness"] {
			t.Errorf("k=%d: the optimum is %v, evaluated %v", c.k, front[0]["fitness"], fitness(c.where))
		}
	}
}

// The hypervolume of the true fronts at (1.1, 1.1) has a closed form.
func TestFrontsHaveTheKnownHypervolume(t *testing.T) {
	t.Parallel()
	// ∫(1.1-f2) over f1 from 0 to 1.1: 1.21 minus the area under the front.
	for function, want := range map[int]float64{1: 1.21 - 1./3, 2: 1.21 - 2./3} {
		p := must(t, ZDT{Function: function})
		front, err := p.Optimum(t.Context(), metric.Goal{Objectives: []metric.Objective{{Metric: "f1", Direction: metric.Minimize}, {Metric: "f2", Direction: metric.Minimize}}})
		if err != nil {
			t.Fatal(err)
		}
		var rows []float64
		for _, v := range front {
			rows = append(rows, v["f1"], v["f2"])
		}
		if hv := metric.Hypervolume(rows, 2, []float64{1.1, 1.1}); math.Abs(hv-want) > 0.002 || hv > want {
			t.Errorf("ZDT%d: hypervolume %v, want just under %v", function, hv, want)
		}
	}
	front, err := must(t, DTLZ2{}).Optimum(t.Context(), metric.Goal{Objectives: []metric.Objective{
		{Metric: "f1", Direction: metric.Minimize}, {Metric: "f2", Direction: metric.Minimize}, {Metric: "f3", Direction: metric.Minimize},
	}})
	if err != nil || len(front) < 400 {
		t.Fatalf("DTLZ2: %d points, %v", len(front), err)
	}
	for _, v := range front {
		if r := v["f1"]*v["f1"] + v["f2"]*v["f2"] + v["f3"]*v["f3"]; !near(r, 1) {
			t.Errorf("%v is not on the unit sphere", v)
		}
	}
}

// ZDT3's front is in five pieces, whose ends are published.
func TestZDT3Pieces(t *testing.T) {
	t.Parallel()
	front, err := must(t, ZDT{Function: 3}).Optimum(t.Context(), metric.Goal{Objectives: []metric.Objective{{Metric: "f1", Direction: metric.Minimize}, {Metric: "f2", Direction: metric.Minimize}}})
	if err != nil {
		t.Fatal(err)
	}
	pieces := [][2]float64{{0, 0.0830015349}, {0.1822287280, 0.2577623634}, {0.4093136748, 0.4538821041}, {0.6183967944, 0.6525117038}, {0.8233317983, 0.8518328654}}
	hit := map[int]int{}
	for _, v := range front {
		inside := false
		for i, p := range pieces {
			if v["f1"] >= p[0]-1e-3 && v["f1"] <= p[1]+1e-3 {
				inside = true
				hit[i]++
			}
		}
		if !inside {
			t.Errorf("f1 = %v lies in no piece of the front", v["f1"])
		}
	}
	if len(hit) != len(pieces) {
		t.Errorf("points by piece: %v, want all five", hit)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	big, minus := 20, -1
	for name, m := range map[string]maker{
		"negative": Sphere{Dims: -1}, "one": Rosenbrock{Dims: 1}, "huge": Rastrigin{Dims: 1 << 30}, "zdt7": ZDT{Function: 7}, "zdt5": ZDT{Function: 5},
		"zdt dims": ZDT{Dims: 1}, "one objective": DTLZ2{Objectives: 1}, "few dims": DTLZ2{Objectives: 5, Dims: 3},
		"dtlz8": DTLZ{Function: 8}, "wfg10": WFG{Function: 10}, "wfg position": WFG{Position: 5}, "odd wfg2": WFG{Function: 2, Distance: 3},
		"k over n": NK{N: 5, K: &big}, "k under 0": NK{K: &minus}, "n": NK{N: -3},
	} {
		if p, err := m.New(); err == nil || !strings.Contains(err.Error(), "found") {
			t.Errorf("%s: New = %v, %v, want an error", name, p, err)
		}
	}
	var o NK
	root, report := source.Parse("study.yaml", []byte("{n: 12, k: 0}"))
	if !source.Decode(report, root, &o) || o.N != 12 || *o.K != 0 || *o.Seed != 1 {
		t.Errorf("decoded %+v, %v", o, report.Err())
	}
}

func TestOptimumRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	p := must(t, ZDT{})
	f1, f2 := metric.Objective{Metric: "f1", Direction: metric.Minimize}, metric.Objective{Metric: "f2", Direction: metric.Minimize}
	for name, g := range map[string]metric.Goal{
		"one of two": {Objectives: []metric.Objective{f1}},
		"maximise":   {Objectives: []metric.Objective{f1, {Metric: "f2", Direction: metric.Maximize}}},
		"limit":      {Objectives: []metric.Objective{f1, f2}, Limits: []metric.Limit{{Metric: "f1", Op: metric.LessEqual, Bound: 0.5}}},
	} {
		if _, err := p.Optimum(t.Context(), g); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: %v, want ErrUnsupported", name, err)
		}
	}
	large := must(t, NK{N: 60})
	if _, err := large.Optimum(t.Context(), metric.Goal{Objectives: []metric.Objective{{Metric: "fitness", Direction: metric.Maximize}}}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("2^60 designs: %v, want ErrUnsupported", err)
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := must(t, NK{}).Optimum(done, metric.Goal{Objectives: []metric.Objective{{Metric: "fitness", Direction: metric.Maximize}}}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func benchmark(b *testing.B, m maker) {
	p := must(b, m)
	r := rng.New(1, "benchmark", 0)
	ds := make([]space.Design, 256)
	for i := range ds {
		ds[i] = p.Space().MustSample(r)
	}
	out := make([]problem.Result, len(ds))
	b.ReportAllocs()
	for b.Loop() {
		p.EvaluateBatch(b.Context(), ds, out)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(ds)), "ns/design")
}

func BenchmarkZDT1(b *testing.B) { benchmark(b, ZDT{}) }
func BenchmarkNK(b *testing.B)   { benchmark(b, NK{}) }
func BenchmarkDTLZ(b *testing.B) { benchmark(b, DTLZ{}) }
func BenchmarkWFG(b *testing.B)  { benchmark(b, WFG{Function: 9}) }

func BenchmarkNKOptimum(b *testing.B) {
	p := must(b, NK{})
	for b.Loop() {
		if _, err := p.Front(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
