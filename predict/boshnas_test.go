package predict

import (
	"math"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/predict/internal/nn"
)

// bosTable is a smooth function of three of four columns, with values missing,
// whose noise grows with the first.
func bosTable(n int, seed uint64) *Table {
	r := rng.New(seed, "boshnas", 0)
	t := &Table{Columns: []Column{{Name: "a"}, {Name: "b"}, {Name: "c"}, {Name: "kind", Levels: 3}}}
	for range n {
		a, b, c, k := r.Float64(), r.Float64(), r.Float64(), r.IntN(3)
		y := 3*b - 2*c*c + float64(k) + (0.02+0.6*a)*rng.Norm(r)
		if r.IntN(20) == 0 {
			c = math.NaN()
		}
		t.Add([]float64{a, b, c, float64(k)}, y)
	}
	return t
}

func bosFit(tb testing.TB, t *Table, seed uint64) Gradient {
	tb.Helper()
	m, err := BOSHNAS{}.Fit(tb.Context(), t, seed)
	if err != nil {
		tb.Fatal(err)
	}
	return m.(Gradient)
}

// The bound has the gradient that differences of it say, and is made of the
// numbers that Predict gives.
func TestBOSHNASGradient(t *testing.T) {
	t.Parallel()
	m := bosFit(t, bosTable(80, 1), 1)
	probe := bosTable(300, 2)
	n, d := probe.Rows(), len(probe.Columns)
	at := func(x []float64, noise, unknown float64) []float64 {
		v := make([]float64, n)
		m.Bound(x, noise, unknown, v, nil)
		return v
	}
	for _, k := range [][2]float64{{0, 0}, {0, 0.5}, {1, 0}, {0.7, 0.3}} {
		value, grad := make([]float64, n), make([]float64, n*d)
		m.Bound(probe.X, k[0], k[1], value, grad)
		for i, v := range at(probe.X, k[0], k[1]) {
			if v != value[i] {
				t.Fatalf("row %d: %v with its gradient and %v without", i, value[i], v)
			}
		}
		for j := range d {
			const h = 1e-5
			up, down := make([]float64, n*d), make([]float64, n*d)
			copy(up, probe.X)
			copy(down, probe.X)
			for i := range n {
				if j < 3 {
					up[i*d+j] += h
					down[i*d+j] -= h
				}
			}
			a, b := at(up, k[0], k[1]), at(down, k[0], k[1])
			for i := range n {
				if want := (a[i] - b[i]) / 2 / h; math.Abs(grad[i*d+j]-want) > 1e-5*(1+math.Abs(want)) {
					t.Fatalf("factors %v, row %d, column %d: gradient %v, want %v", k, i, j, grad[i*d+j], want)
				}
			}
		}
	}
	mean, sd := make([]float64, n), make([]float64, n)
	m.Predict(probe.X, mean, sd)
	mu, a, e := make([]float64, n), make([]float64, n), make([]float64, n)
	m.Parts(probe.X, mu, a, e)
	both := at(probe.X, 0.3, 0.7)
	for i := range n {
		if want := math.Hypot(a[i], e[i]); mu[i] != mean[i] || math.Abs(sd[i]-want) > 1e-9 {
			t.Fatalf("row %d is predicted as %v ± %v; its parts say %v ± %v", i, mean[i], sd[i], mu[i], want)
		}
		if want := mu[i] - 0.3*a[i] - 0.7*e[i]; math.Abs(both[i]-want) > 1e-9 {
			t.Fatalf("row %d has the bound %v; its parts say %v", i, both[i], want)
		}
	}
}

// Moments of a rectified normal variable agree with an average over it.
func TestNPNMoments(t *testing.T) {
	t.Parallel()
	r := rng.New(3, "boshnas", 0)
	mean, variance := []float64{0.3, -1.2, 2, -0.1, -30}, []float64{1, 0.5, 0.2, 4, 1e-6}
	m, v := npnReLU(nn.NewTape(), &nn.Node{R: 1, C: 5, V: mean}, &nn.Node{R: 1, C: 5, V: variance})
	for i := range mean {
		const n = 400_000
		sum, square := 0.0, 0.0
		for range n {
			z := max(mean[i]+math.Sqrt(variance[i])*rng.Norm(r), 0)
			sum += z / n
			square += z * z / n
		}
		if math.Abs(m.V[i]-sum) > 0.02 || math.Abs(v.V[i]-(square-sum*sum)) > 0.04 || v.V[i] <= 0 {
			t.Errorf("of %v ± √%v: mean %v and variance %v, sampled %v and %v", mean[i], variance[i], m.V[i], v.V[i], sum, square-sum*sum)
		}
	}
}

// Noise is found where it is, and ignorance grows away from the rows.
func TestBOSHNASSpread(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("fits 1,000 rows")
	}
	for seed := range uint64(3) {
		l, err := BOSHNAS{Steps: 1500}.Fit(t.Context(), bosTable(1000, 10+seed), seed)
		if err != nil {
			t.Fatal(err)
		}
		m := l.(Gradient)
		probe := bosTable(400, 20+seed)
		n, d := probe.Rows(), 4
		mu, a, e := make([]float64, n), make([]float64, n), make([]float64, n)
		m.Parts(probe.X, mu, a, e)
		var noisy, quiet, far, near float64
		for i := range n {
			if probe.X[i*d] > 0.5 {
				noisy += a[i]
			} else {
				quiet += a[i]
			}
			near += e[i]
			probe.X[i*d+1] += 1
		}
		m.Parts(probe.X, mu, a, e)
		for _, v := range e {
			far += v
		}
		t.Logf("seed %d: noise %.2f and %.2f (true 0.47 and 0.17), unknown %.2f near and %.2f far", seed, noisy/float64(n)*2, quiet/float64(n)*2, near/float64(n), far/float64(n))
		if noisy < 1.3*quiet {
			t.Errorf("seed %d: noise of %v where there is much and %v where there is little", seed, noisy, quiet)
		}
		if far < 1.2*near {
			t.Errorf("seed %d: unknown is %v far from the rows and %v among them", seed, far, near)
		}
	}
}

func BenchmarkBOSHNASFit(b *testing.B) {
	t := bosTable(200, 1)
	for b.Loop() {
		bosFit(b, t, 1)
	}
}

// A step of descent from 10 points.
func BenchmarkBOSHNASBound(b *testing.B) {
	m := bosFit(b, bosTable(200, 1), 1)
	t := bosTable(10, 2)
	value, grad := make([]float64, 10), make([]float64, len(t.X))
	for b.Loop() {
		m.Bound(t.X, 0, 0.5, value, grad)
	}
}
