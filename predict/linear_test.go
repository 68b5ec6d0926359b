package predict

import (
	"math"
	"slices"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
)

// The eigenvectors of random symmetric matrices are orthonormal and rebuild
// the matrix.
func TestLinEigen(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, 3, 4, 7, 20, 61} {
		r := rng.New(1, "eigen", uint64(n))
		a := make([]float64, n*n)
		for i := range n {
			for j := range i + 1 {
				a[i*n+j] = rng.Norm(r)
				if n == 7 && j%2 == 0 { // rank-deficient, with repeated zeros
					a[i*n+j] = 0
				}
				a[j*n+i] = a[i*n+j]
			}
		}
		d, q := linEigen(append([]float64(nil), a...), n)
		for i := range n {
			for j := range n {
				rebuilt, dot := 0.0, 0.0
				for k := range n {
					rebuilt += d[k] * q[k*n+i] * q[k*n+j]
					dot += q[i*n+k] * q[j*n+k]
				}
				want := 0.0
				if i == j {
					want = 1
				}
				if math.Abs(rebuilt-a[i*n+j]) > 1e-12*float64(n) || math.Abs(dot-want) > 1e-13*float64(n) {
					t.Fatalf("n=%d: number %d,%d is %v, want %v; product of vectors %v, want %v", n, i, j, rebuilt, a[i*n+j], dot, want)
				}
			}
		}
	}
}

// The FLEXI reference rows of ridge regression and nearest neighbours, within
// 0.02 in Spearman and Kendall, over 15 splits.
func TestFlexiReference(t *testing.T) {
	t.Parallel()
	f := loadFlexi(t)
	ridge, knn := Ridge{Lambda: 1}, Neighbors{Uniform: true}
	const seeds = 15
	for _, c := range []struct {
		l                 Learner
		n                 int
		spearman, kendall float64
	}{
		{ridge, 50, 0.897, 0.707}, {ridge, 100, 0.912, 0.725}, {ridge, 200, 0.919, 0.740}, {ridge, 400, 0.924, 0.750},
		{knn, 50, 0.878, 0.677}, {knn, 100, 0.888, 0.687}, {knn, 200, 0.903, 0.709}, {knn, 400, 0.900, 0.711},
	} {
		test := 300
		if c.n == 400 {
			test = 100
		}
		q := meanQuality(t, f.Table, c.l, c.n, test, seeds)
		t.Logf("%T, %d labels: %+.3v", c.l, c.n, q)
		if math.Abs(q.Spearman-c.spearman) > 0.02 || math.Abs(q.Kendall-c.kendall) > 0.02 {
			t.Errorf("%T, %d labels: Spearman %.3f and Kendall %.3f, want %.3f and %.3f", c.l, c.n, q.Spearman, q.Kendall, c.spearman, c.kendall)
		}
	}
}

// Without penalty the coefficients are those of least squares, and a penalty
// agrees with the normal equations whichever of rows and columns are more.
func TestRidgeNormalEquations(t *testing.T) {
	t.Parallel()
	r := rng.New(2, "ridge", 0)
	for _, size := range [][2]int{{40, 5}, {12, 30}, {600, 530}} {
		n, d := size[0], size[1]
		tb := &Table{Columns: make([]Column, d)}
		for range n {
			x := make([]float64, d)
			for j := range x {
				x[j] = rng.Norm(r)
			}
			tb.Add(x, x[0]+0.5*x[1]+0.1*rng.Norm(r))
			tb.Weight = append(tb.Weight[:len(tb.Y)-1], 0.5+r.Float64())
		}
		const lambda = 3
		m, err := Ridge{Lambda: lambda}.Fit(t.Context(), tb, 1)
		if err != nil {
			t.Fatal(err)
		}
		// The gradient of the loss is 0 at the coefficients.
		rm := m.(*ridgeModel)
		x := rm.Form.apply(nil, tb.X, d)
		w, _ := linWeights(tb)
		grad := make([]float64, d)
		for j := range grad {
			grad[j] = lambda * rm.B[j]
		}
		for i, y := range tb.Y {
			row := x[i*d : (i+1)*d]
			e := rm.Mean[0] - y
			for j, v := range row {
				e += v * rm.B[j]
			}
			for j, v := range row {
				grad[j] += w[i] * e * v
			}
		}
		for j, g := range grad {
			if math.Abs(g) > 1e-6*float64(n) {
				t.Fatalf("%d rows, %d columns: gradient %d is %v", n, d, j, g)
			}
		}
		mean, sd := make([]float64, n), make([]float64, n)
		m.Predict(tb.X, mean, sd)
		if !(sd[0] > 0) {
			t.Errorf("standard deviation %v", sd[0])
		}
	}
}

// ElasticNet leaves useless columns out and satisfies the conditions of an
// optimum.
func TestElasticNet(t *testing.T) {
	t.Parallel()
	r := rng.New(3, "elastic", 0)
	const n, d = 100, 40
	tb := &Table{Columns: make([]Column, d)}
	for range n {
		x := make([]float64, d)
		for j := range x {
			x[j] = rng.Norm(r)
		}
		tb.Add(x, 4*x[3]-2*x[7]+0.5*rng.Norm(r))
	}
	const lambda, alpha = 0.2, 0.7
	m, err := ElasticNet{Lambda: lambda, Alpha: alpha}.Fit(t.Context(), tb, 1)
	if err != nil {
		t.Fatal(err)
	}
	em := m.(*elasticModel)
	x := em.Form.apply(nil, tb.X, d)
	w, _ := linWeights(tb)
	_, sd := linTarget(tb.Y, w)
	used := 0
	for j, b := range em.B {
		g := 0.0
		for i, y := range tb.Y {
			e := y - em.Mean
			for k, v := range x[i*d : (i+1)*d] {
				e -= v * em.B[k]
			}
			g += x[i*d+j] * e / sd / n
		}
		b /= sd
		if b != 0 {
			used++
			if want := lambda*alpha*math.Copysign(1, b) + lambda*(1-alpha)*b; math.Abs(g-want) > 1e-5 {
				t.Errorf("coefficient %d: gradient %v, want %v", j, g, want)
			}
		} else if math.Abs(g) > lambda*alpha+1e-5 {
			t.Errorf("coefficient %d is 0 with gradient %v", j, g)
		}
	}
	if used < 2 || used > 12 {
		t.Errorf("%d columns are used, want the two that matter and few others", used)
	}
	m, err = ElasticNet{}.Fit(t.Context(), tb, 1)
	if err != nil {
		t.Fatal(err)
	}
	c := m.(interface{ Coefficients() []float64 }).Coefficients()
	if math.Abs(c[3]-4) > 0.4 || math.Abs(c[7]+2) > 0.4 {
		t.Errorf("coefficients %.2f and %.2f, want 4 and -2", c[3], c[7])
	}
}

// Neighbors agree with sorting all distances, and an archive grows.
func TestNeighbors(t *testing.T) {
	t.Parallel()
	r := rng.New(4, "neighbors", 0)
	tb := &Table{Columns: make([]Column, 3)}
	for range 300 {
		x := []float64{rng.Norm(r), rng.Norm(r), rng.Norm(r)}
		tb.Add(x, x[0]+x[1]*x[2])
	}
	first, rest := tb.Select(rowRange(0, 100)), tb.Select(rowRange(100, 300))
	m, err := Neighbors{K: 5}.Fit(t.Context(), first, 1)
	if err != nil {
		t.Fatal(err)
	}
	grown, err := m.(Extender).Extend(rest)
	if err != nil {
		t.Fatal(err)
	}
	if before, after := judge(m, rest).RMSE, judge(grown, rest).RMSE; after > 0.01 || before < 0.1 {
		t.Errorf("the error on further rows is %.3f, and %.3f once they are known", before, after)
	}
	nm := grown.(*neighborModel)
	d := nm.Form.Width
	q := nm.X[7*d : 8*d]
	near := nearestRows(nil, nm.X, q, 0, len(nm.Y), 5, 7)
	for i := range nm.Y {
		s := float32(0)
		for k, v := range nm.X[i*d : (i+1)*d] {
			s += (v - q[k]) * (v - q[k])
		}
		among := slices.ContainsFunc(near, func(n neighbor) bool { return n.row == i })
		if i != 7 && s < near[4].d*0.9999 && !among || i == 7 && among {
			t.Errorf("row %d at %v among the nearest: %v; the farthest is at %v", i, s, among, near[4].d)
		}
	}
	if _, err := grown.(Extender).Extend(&Table{Columns: make([]Column, 1), X: []float64{1}, Y: []float64{1}}); err == nil {
		t.Error("a table of other columns: no error")
	}
}

func rowRange(from, to int) []int {
	var out []int
	for i := from; i < to; i++ {
		out = append(out, i)
	}
	return out
}
