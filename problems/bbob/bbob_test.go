package bbob

import (
	"bufio"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/problem/problemtest"
	"github.com/daedalus-search/daedalus/space"
)

func must(t testing.TB, o Options) *Problem {
	t.Helper()
	p, err := o.New()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for which := 1; which <= Functions; which++ {
		problemtest.Run(t, must(t, Options{Function: which, Dims: 5}))
		problemtest.Run(t, must(t, Options{Function: which, Mixed: true}))
	}
}

// testdata/coco.txt holds values that COCO (coco-experiment 2.8.2) computes at
// random points of the suites bbob and bbob-mixint: suite, function,
// dimensions and instance, then x, then f.
func TestValuesAgreeWithCOCO(t *testing.T) {
	t.Parallel()
	f, err := os.Open("testdata/coco.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	for lines := bufio.NewScanner(f); lines.Scan(); n++ {
		part := strings.Split(lines.Text(), "|")
		head := strings.Fields(part[0])
		var o Options
		for i, field := range []*int{&o.Function, &o.Dims, &o.Instance} {
			*field, _ = strconv.Atoi(head[i+1])
		}
		o.Mixed = head[0] == "mixint"
		var x []float64
		for _, w := range strings.Fields(part[1]) {
			v, err := strconv.ParseFloat(w, 64)
			if err != nil {
				t.Fatal(err)
			}
			x = append(x, v)
		}
		want, err := strconv.ParseFloat(strings.TrimSpace(part[2]), 64)
		if err != nil {
			t.Fatal(err)
		}
		p := must(t, o)
		d, err := p.Design(x)
		if err != nil {
			t.Fatal(err)
		}
		v, err := p.Evaluate(t.Context(), d, nil)
		if got := v["f"]; err != nil || math.Abs(got-want) > 1e-9*(1+math.Abs(want)) {
			t.Errorf("%s: f = %v (%v), COCO says %v", part[0], got, err, want)
		}
	}
	if n < 200 {
		t.Errorf("%d lines of references, want 200 and more", n)
	}
}

// The optimum has the optimal value, and no point near it or anywhere is better.
func TestNothingBeatsTheOptimum(t *testing.T) {
	t.Parallel()
	r := rng.New(1, "bbob", 0)
	for which := 1; which <= Functions; which++ {
		for _, o := range []Options{{Function: which, Dims: 2, Instance: 7}, {Function: which, Dims: 10}, {Function: which, Dims: 20, Mixed: true, Instance: 2}} {
			p := must(t, o)
			best := p.Best()
			if f := p.At(best)[0]; math.Abs(f-p.Value()) > 1e-8*(1+math.Abs(p.Value())) {
				t.Errorf("%+v: f = %v at the optimum, want %v", o, f, p.Value())
			}
			d, err := p.Design(best)
			if err != nil {
				t.Errorf("%+v: the optimum %v is no design: %v", o, best, err)
				continue
			}
			for k := range 300 {
				if o.Mixed || k%3 == 0 {
					d = p.Space().Mutate(r, d, space.Mutation{})
				} else {
					d = p.Space().MustSample(r)
				}
				if k%3 == 0 && !o.Mixed {
					x := p.Best()
					for i := range x {
						x[i] = min(max(x[i]+0.01*rng.Norm(r), -5), 5)
					}
					if d, err = p.Design(x); err != nil {
						t.Fatal(err)
					}
				}
				v, err := p.Evaluate(t.Context(), d, nil)
				if err != nil || v["f"] < p.Value()-1e-9*(1+math.Abs(p.Value())) {
					t.Errorf("%+v: %v at %s (%v), better than the optimum %v", o, v, d, err, p.Value())
				}
			}
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{{Function: 25}, {Function: -1}, {Dims: 1}, {Dims: 41}, {Instance: -3}, {Dims: 12, Mixed: true}} {
		if p, err := o.New(); err == nil || !strings.Contains(err.Error(), "found") {
			t.Errorf("%+v: %v, %v, want an error", o, p, err)
		}
	}
}

func TestRotationsAreOrthogonal(t *testing.T) {
	t.Parallel()
	const n = 40
	m := rotation(n, 12345)
	for i := range n {
		for j := range n {
			dot, want := 0.0, 0.0
			for k := range n {
				dot += m[i*n+k] * m[j*n+k]
			}
			if i == j {
				want = 1
			}
			if math.Abs(dot-want) > 1e-12 {
				t.Fatalf("rows %d and %d: product %v, want %v", i, j, dot, want)
			}
		}
	}
}

func BenchmarkSuite(b *testing.B) {
	for _, o := range []Options{{Function: 1, Dims: 10}, {Function: 15, Dims: 10}, {Function: 21, Dims: 10}, {Function: 15, Dims: 40}, {Function: 15, Dims: 10, Mixed: true}} {
		name := "f" + strconv.Itoa(o.Function) + "/" + strconv.Itoa(o.Dims)
		if o.Mixed {
			name += "-mixed"
		}
		b.Run(name, func(b *testing.B) {
			p := must(b, o)
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
