package illumination

import (
	"math"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
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

func TestConformance(t *testing.T) {
	t.Parallel()
	for _, m := range []maker{Projection{}, Projection{Objective: "rastrigin", Dims: 5}, Arm{}, Arm{Joints: 3}} {
		problemtest.Run(t, must(t, m))
	}
}

// Values that follow from the definitions by hand.
func TestKnownValues(t *testing.T) {
	t.Parallel()
	full := func(n int, v float64) []float64 {
		x := make([]float64, n)
		for i := range x {
			x[i] = v
		}
		return x
	}
	for name, c := range map[string]struct {
		m       maker
		x, want []float64
	}{
		"best":            {Projection{}, full(20, 2.048), []float64{100, 20.48, 20.48}},
		"worst":           {Projection{}, full(20, -5.12), []float64{0, -51.2, -51.2}},
		"beyond":          {Projection{Dims: 4}, []float64{10.24, -10.24, 5.12, 6}, []float64{100 * (1 - (8.192*8.192+12.288*12.288+3.072*3.072+3.952*3.952)/(4*7.168*7.168)), 0, 5.12 + 5.12/6}},
		"odd":             {Projection{Dims: 3}, []float64{1, 2, 3}, []float64{100 * (1 - (1.048*1.048+0.048*0.048+0.952*0.952)/(3*7.168*7.168)), 1, 5}},
		"rastrigin":       {Projection{Objective: "rastrigin", Dims: 2}, []float64{2.548, 2.048}, []float64{100 * (1 - 20.25/(2*(7.168*7.168+10*(1-math.Cos(2*math.Pi*7.168))))), 2.548, 2.048}},
		"stretched arm":   {Arm{Joints: 5}, full(5, 0), []float64{100, 5, 0}},
		"arm on a square": {Arm{Joints: 4}, full(4, math.Pi/2), []float64{100, 0, 0}},
		"bent arm":        {Arm{Joints: 2}, []float64{math.Pi / 2, -math.Pi / 2}, []float64{75, 1, 1}},
	} {
		for i, got := range must(t, c.m).At(c.x) {
			if math.Abs(got-c.want[i]) > 1e-12*(1+math.Abs(c.want[i])) {
				t.Errorf("%s: number %d is %v, want %v", name, i, got, c.want[i])
			}
		}
	}
}

func TestMeasuresKeepTheirRanges(t *testing.T) {
	t.Parallel()
	r := rng.New(1, "ranges", 0)
	for _, m := range []maker{Projection{Dims: 2}, Projection{Dims: 2, Bound: 100}, Arm{Joints: 2}} {
		p := must(t, m)
		for range 2000 {
			v, err := p.Evaluate(t.Context(), p.Space().MustSample(r), nil)
			if err != nil {
				t.Fatal(err)
			}
			for i, name := range []string{"measure1", "measure2"} {
				if within := p.Ranges()[i]; v[name] < within[0] || v[name] > within[1] {
					t.Errorf("%T: %s = %v outside %v", m, name, v[name], within)
				}
			}
			if v["objective"] > 100 {
				t.Errorf("%T: objective %v above 100", m, v["objective"])
			}
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	for _, m := range []maker{Projection{Dims: 1}, Projection{Bound: 1}, Projection{Bound: math.NaN()}, Projection{Objective: "ball"}, Arm{Joints: 1}, Arm{Joints: -5}} {
		if p, err := m.New(); err == nil || !strings.Contains(err.Error(), "found") {
			t.Errorf("%+v: %v, %v, want an error", m, p, err)
		}
	}
}

func BenchmarkSuite(b *testing.B) {
	for name, m := range map[string]maker{"projection": Projection{}, "arm": Arm{}} {
		b.Run(name, func(b *testing.B) {
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
			b.ReportMetric(float64(b.N*len(ds))/b.Elapsed().Seconds(), "designs/s")
		})
	}
}
