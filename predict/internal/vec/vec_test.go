package vec

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The assembly gives the bits of the plain loops.
func TestSameBits(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for n := 0; n < 600; n++ {
		a, b := make([]float64, n), make([]float64, n)
		f, g := make([]float32, n), make([]float32, n)
		for i := range a {
			a[i], b[i] = r.NormFloat64(), r.NormFloat64()
			f[i], g[i] = float32(a[i]), float32(b[i])
		}
		m := n &^ (lanes - 1)
		if m > 0 {
			if got, want := dot64(a[:m], b[:m]), plainDot64(a[:m], b[:m]); got != want {
				t.Fatalf("dot64 of %d: %v, want %v", m, got, want)
			}
			if got, want := dot32(f[:m], g[:m]), plainDot32(f[:m], g[:m]); got != want {
				t.Fatalf("dot32 of %d: %v, want %v", m, got, want)
			}
			if got, want := distance32(f[:m], g[:m]), plainDistance32(f[:m], g[:m]); got != want {
				t.Fatalf("distance32 of %d: %v, want %v", m, got, want)
			}
		}
		dot, dist := 0.0, 0.0
		for i := range a {
			dot += a[i] * b[i]
			dist += (a[i] - b[i]) * (a[i] - b[i])
		}
		if got := Dot(a, b); math.Abs(got-dot) > 1e-12*float64(n) {
			t.Fatalf("Dot of %d = %v, want %v", n, got, dot)
		}
		if got := float64(Dot32(f, g)); math.Abs(got-dot) > 1e-5*float64(n) {
			t.Fatalf("Dot32 of %d = %v, want %v", n, got, dot)
		}
		if got := float64(Distance32(f, g)); math.Abs(got-dist) > 1e-5*float64(n) {
			t.Fatalf("Distance32 of %d = %v, want %v", n, got, dist)
		}
		if got := Within32(f, g, math.MaxFloat32); math.Abs(float64(got)-dist) > 1e-5*float64(n) {
			t.Fatalf("Within32 of %d = %v, want %v", n, got, dist)
		}
		if limit := float32(dist / 2); n > 0 && Within32(f, g, limit) <= limit {
			t.Fatalf("Within32 of %d is at most its limit, which the distance is not", n)
		}

		x := make([]float64, 4*n)
		for i := range x {
			x[i] = r.NormFloat64()
		}
		s := [4]float64{r.NormFloat64(), r.NormFloat64(), r.NormFloat64(), r.NormFloat64()}
		four, one, plain := append([]float64(nil), a...), append([]float64(nil), a...), append([]float64(nil), a...)
		Axpy4(four, &s, x)
		plainAxpy4(plain, x, n, &s)
		for k := range s {
			Axpy(one, s[k], x[k*n:(k+1)*n])
		}
		for i := range four {
			if four[i] != plain[i] || one[i] != plain[i] {
				t.Fatalf("axpy of %d, number %d: %v and %v, want %v", n, i, four[i], one[i], plain[i])
			}
		}
	}
}

func BenchmarkDistance32(b *testing.B) {
	x, y := make([]float32, 784), make([]float32, 784)
	for b.Loop() {
		sink = Distance32(x, y)
	}
}

func BenchmarkPlainDistance32(b *testing.B) {
	x, y := make([]float32, 784), make([]float32, 784)
	for b.Loop() {
		sink = plainDistance32(x, y)
	}
}

func BenchmarkAxpy4(b *testing.B) {
	x, y := make([]float64, 4*64), make([]float64, 64)
	s := [4]float64{1, 2, 3, 4}
	for b.Loop() {
		Axpy4(y, &s, x)
	}
}

var sink float32
