package vector

import (
	"math"
	"testing"

	"github.com/daedalus-search/daedalus/internal/detmath"
)

// TestNormal compares moments and tails with the normal distribution's, at five
// standard errors, and the distribution in 200 bins of equal probability with a
// chi-square of 199 degrees of freedom below 300 (p about 4e-6).
func TestNormal(t *testing.T) {
	t.Parallel()
	const n = 1 << 21
	s := newSource(3, "test")
	var m [5]float64
	var bins [200]int
	tail := 0
	x := make([]float64, 256)
	for k := range n {
		if k%len(x) == 0 {
			s.normals(x)
		}
		v := x[k%len(x)]
		if k%2 == 1 {
			v = s.normal()
		}
		for k, p := 1, v; k <= 4; k, p = k+1, p*v {
			m[k] += p / n
		}
		bins[min(int(detmath.Phi(v)*200), 199)]++
		if math.Abs(v) > zigEdge {
			tail++
		}
	}
	for k, want := range []struct{ mean, sd float64 }{1: {0, 1}, 2: {1, math.Sqrt2}, 3: {0, math.Sqrt(15)}, 4: {3, math.Sqrt(96)}} {
		if k > 0 && math.Abs(m[k]-want.mean) > 5*want.sd/math.Sqrt(n) {
			t.Errorf("moment %d = %v, want %v", k, m[k], want.mean)
		}
	}
	chi := 0.0
	for _, c := range bins {
		d := float64(c) - n/200.0
		chi += d * d / (n / 200.0)
	}
	if chi > 300 {
		t.Errorf("chi-square of 200 bins is %.0f", chi)
	}
	p := 2 * detmath.Phi(-zigEdge)
	if want := p * n; math.Abs(float64(tail)-want) > 5*math.Sqrt(want) {
		t.Errorf("%d of %d deviates lie in the tail, want %.0f", tail, n, want)
	}
}

func BenchmarkNormals(b *testing.B) {
	s := newSource(1, "bench")
	x := make([]float64, 20)
	for b.Loop() {
		s.normals(x)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(x)), "ns/normal")
}
