package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// everywhere runs a test with every set of instructions that there is.
func everywhere(t *testing.T, f func(t *testing.T)) {
	before := use
	defer func() { use = before }()
	for s := generic; s <= best(); s++ {
		use = s
		t.Run(Instructions(), f)
	}
}

// threads are pools whose results must be the same.
var threads = []*Pool{nil, NewPool(2), NewPool(5)}

// alike computes with every pool, and reports results that differ in a bit.
func alike(t rapid.TB, size int, f func(p *Pool, to []float32)) []float32 {
	t.Helper()
	var first []float32
	for _, p := range threads {
		to := make([]float32, size)
		for i := range to {
			to[i] = float32(i%7) - 3 // what is there must not matter, unless it is added to
		}
		f(p, to)
		if first == nil {
			first = to
		} else if i := differ(first, to); i >= 0 {
			t.Fatalf("%d threads: number %d is %g, found %g with one", p.Threads(), i, to[i], first[i])
		}
	}
	return first
}

func differ(a, b []float32) int {
	for i, x := range a {
		if math.Float32bits(x) != math.Float32bits(b[i]) {
			return i
		}
	}
	return -1
}

// rounding is by how much a result of one operation may be off, relative to it.
const rounding = 1. / (1 << 24)

// summing is how many roundings of the sum of their sizes a sum of terms of random signs
// may be off. Up to nine terms cannot be off by more (Higham 2002, section 4.2). After k of
// n terms of size s the sum is about s·√k, and each addition is off by at most a rounding of
// that, half of it as a rule and to either side: together about s·n/3 roundings, a third to
// a half of one of the sum of sizes, whatever n is. Eight are sixteen standard deviations.
const summing = 8

// summingUp is the same for n terms of one sign, whose sums grow like k: √n/4 roundings are
// the standard deviation (Higham and Mary 2019).
func summingUp(n int) float64 { return min(float64(n), 2*math.Sqrt(float64(n))) }

// within reports numbers that are further from what is wanted than so many roundings of
// sizes: of the sum of the sizes of the terms that a number is the sum of.
func within(t rapid.TB, what string, got []float32, want, sizes []float64, roundings float64) {
	t.Helper()
	for i, v := range want {
		// the last is what underflows may lose
		if g := float64(got[i]); g != v && !(math.Abs(g-v) <= roundings*rounding*sizes[i]+1e-37) {
			t.Fatalf("%s: number %d of %d is %g, want %g, which terms of sizes that sum up to %g make: off by %.1f roundings of that, want at most %g",
				what, i, len(want), g, v, sizes[i], math.Abs(g-v)/(rounding*sizes[i]), roundings)
		}
	}
}

// equal reports numbers that differ in a bit.
func equal(t rapid.TB, what string, got, want []float32) {
	t.Helper()
	if i := differ(got, want); i >= 0 {
		t.Fatalf("%s: number %d of %d is %g, want %g", what, i, len(want), got[i], want[i])
	}
}

func random(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

func seeded(t *rapid.T) *rand.Rand {
	return rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
}

// pick draws one of some sizes.
func pick(t *rapid.T, name string, of ...int) int { return rapid.SampledFrom(of).Draw(t, name) }

func TestMatMul(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			r := seeded(t)
			m, n, k := pick(t, "m", 0, 1, 2, 3, 4, 5, 17, 64, 67, 130), pick(t, "n", 0, 1, 3, 8, 15, 16, 17, 32, 40, 64, 96, 200), pick(t, "k", 0, 1, 2, 3, 9, 27, 64, 191, 192, 193, 400)
			transA, transB, add := rapid.Bool().Draw(t, "transA"), rapid.Bool().Draw(t, "transB"), rapid.Bool().Draw(t, "add")
			checkMatMul(t, r, m, n, k, transA, transB, add)
		})
	})
}

// TestLongMatMul has sums so long that they are cut.
func TestLongMatMul(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 2))
		for _, s := range [][3]int{{9, 16, 9000}, {27, 6, 20000}, {1, 1, 8192}, {5, 33, 8193}} {
			checkMatMul(t, r, s[0], s[1], s[2], true, false, true)
			checkMatMul(t, r, s[0], s[1], s[2], false, true, false)
		}
	})
}

func checkMatMul(t rapid.TB, r *rand.Rand, m, n, k int, transA, transB, add bool) {
	a, b := random(r, m*k), random(r, k*n)
	got := alike(t, m*n, func(p *Pool, c []float32) { MatMul(p, c, m, n, k, a, transA, b, transB, add) })
	want, sizes := make([]float64, m*n), make([]float64, m*n)
	for i := range m {
		for j := range n {
			var s float64
			if add {
				s = float64((i*n+j)%7) - 3
			}
			size := math.Abs(s)
			for l := range k {
				x, y := i*k+l, l*n+j
				if transA {
					x = l*m + i
				}
				if transB {
					y = j*k + l
				}
				v := float64(a[x]) * float64(b[y])
				s, size = s+v, size+math.Abs(v)
			}
			want[i*n+j], sizes[i*n+j] = s, size
		}
	}
	within(t, fmt.Sprintf("%d×%d×%d", m, n, k), got, want, sizes, summing)
}

func TestBatch(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 2))
		const batch, m, n, k = 5, 12, 20, 33
		a, b := random(r, batch*m*k), random(r, batch*n*k)
		g := Gemm{M: m, N: n, K: k, A: k, B: k, C: n, TransB: true}
		got := alike(t, batch*m*n, func(p *Pool, c []float32) { g.Batch(p, batch, c, m*n, a, m*k, b, n*k) })
		for i := range batch {
			want := make([]float32, m*n)
			MatMul(nil, want, m, n, k, a[i*m*k:], false, b[i*n*k:], true, false)
			if !slices.Equal(want, got[i*m*n:(i+1)*m*n]) {
				t.Errorf("product %d differs from the same alone", i)
			}
		}
	})
}

func BenchmarkMatMul(b *testing.B) {
	for _, s := range []struct {
		m, n, k        int
		transA, transB bool
	}{
		{512, 512, 512, false, false}, {512, 512, 512, true, false}, {512, 512, 512, false, true}, {1024, 1024, 1024, false, false},
		{64, 256, 784, false, false}, {784, 256, 64, true, false}, {64, 784, 256, false, true}, {3136, 64, 288, false, false},
		{12544, 32, 144, false, false}, {50176, 16, 9, false, false}, {50176, 64, 144, false, false},
		{144, 32, 12544, true, false}, {9, 16, 50176, true, false}, {32, 32, 16, false, true}, {1, 256, 784, false, false}, {1, 256, 784, false, true},
	} {
		name := fmt.Sprintf("%dx%dx%d", s.m, s.n, s.k)
		if s.transA {
			name += "_At"
		}
		if s.transB {
			name += "_Bt"
		}
		b.Run(name, func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 2))
			x, y, z := random(r, s.m*s.k), random(r, s.k*s.n), make([]float32, s.m*s.n)
			rate(b, 2*s.m*s.n*s.k, func() { MatMul(nil, z, s.m, s.n, s.k, x, s.transA, y, s.transB, false) })
		})
	}
}

// measure calls f in a benchmark's loop and returns calls for each second that the
// processor worked, which other programs disturb less than the time that passed.
func measure(b *testing.B, f func()) float64 {
	f()
	from, n := processorSeconds(), 0
	for b.Loop() {
		f()
		n++
	}
	return float64(n) / (processorSeconds() - from)
}

// rate reports operations of float32 for each second of the processor.
func rate(b *testing.B, operations int, f func()) {
	b.ReportMetric(measure(b, f)*float64(operations)/1e9, "GFLOP/s")
}

// bandwidth reports bytes of so many float32 for each second of the processor.
func bandwidth(b *testing.B, numbers int, f func()) {
	b.ReportMetric(measure(b, f)*float64(4*numbers)/1e9, "GB/s")
}
