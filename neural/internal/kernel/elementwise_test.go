package kernel

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// exact has the functions in float64.
var exact = map[Unary]func(float64) float64{
	Abs: math.Abs, Neg: func(x float64) float64 { return -x }, Square: func(x float64) float64 { return x * x }, Sqrt: math.Sqrt,
	Sign: func(x float64) float64 {
		if x == 0 || x != x {
			return x
		}
		return math.Copysign(1, x)
	},
	Rsqrt: func(x float64) float64 { return 1 / math.Sqrt(x) }, Reciprocal: func(x float64) float64 { return 1 / x },
	Floor: math.Floor, Ceil: math.Ceil, Round: math.RoundToEven, Exp: math.Exp, Expm1: math.Expm1, Log: math.Log, Log1p: math.Log1p,
	Tanh: math.Tanh, Sigmoid: func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }, Erf: math.Erf, Sin: math.Sin, Cos: math.Cos,
	ReLU: func(x float64) float64 { return max(x, 0) }, ReLU6: func(x float64) float64 { return min(max(x, 0), 6) },
	LeakyReLU: func(x float64) float64 { return max(x, x/100) }, HardSigmoid: func(x float64) float64 { return min(max(x+3, 0), 6) / 6 },
	HardSwish: func(x float64) float64 { return x * (min(max(x+3, 0), 6) / 6) }, SiLU: func(x float64) float64 { return x / (1 + math.Exp(-x)) },
	GELU:     func(x float64) float64 { return x * 0.5 * (1 + math.Erf(x/math.Sqrt2)) },
	Softplus: func(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) },
	ELU: func(x float64) float64 {
		if x < 0 {
			return math.Expm1(x)
		}
		return x
	},
}

// lax are functions whose small results are differences of larger ones.
var lax = []Unary{GELU, Softplus, SiLU, Erf, Sin, Cos, HardSigmoid, HardSwish}

func TestUnary(t *testing.T) {
	var x []float32
	for e := -140; e < 128; e++ {
		for _, m := range []float64{1, 1.1, 1.37, 1.5, 1.8, 1.99} {
			x = append(x, float32(math.Ldexp(m, e)), -float32(math.Ldexp(m, e)))
		}
	}
	for i := range 4000 {
		x = append(x, float32(i-2000)/16)
	}
	for i := range 4000 {
		x = append(x, float32(i-2000)/1000)
	}
	x = append(x, 0, posInf, negInf, nan, 88.7228, 88.7229, -103.97, -104, -87.4, 16777216)
	everywhere(t, func(t *testing.T) {
		for u := range unaries {
			f := exact[u]
			got := make([]float32, len(x))
			u.Apply(got, x)
			worst, at := 0.0, 0
			for i, v := range x {
				want := float64(float32(f(float64(v)))) // which may be infinite
				g := float64(got[i])
				if math.IsNaN(want) && math.IsNaN(g) || want == g {
					continue
				}
				scale := max(math.Abs(want), 1e-32)
				if slices.Contains(lax, u) {
					scale = max(scale, 1)
				}
				if d := math.Abs(want-g) / scale; !(d <= worst) {
					worst, at = d, i
				}
			}
			if !(worst <= 4e-7) {
				t.Errorf("function %d of %g is %g, want %g", u, x[at], got[at], f(float64(x[at])))
			}
			// in place, and wherever the numbers lie
			same := slices.Clone(x)
			u.ApplyAll(threads[1], same, same)
			if i := differ(got, same); i >= 0 {
				t.Errorf("function %d of %g is %g in place, %g otherwise", u, x[i], same[i], got[i])
			}
			for n := range 40 {
				y := make([]float32, n)
				u.Apply(y, x[7:7+n])
				if i := differ(y, got[7:]); i >= 0 {
					t.Errorf("function %d of %g is %g as number %d of %d, %g otherwise", u, x[7+i], y[i], i, n, got[7+i])
				}
			}
		}
	})
}

func TestBinary(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	special := []float32{0, float32(math.Copysign(0, -1)), 1, -1, posInf, negInf, nan}
	everywhere(t, func(t *testing.T) {
		for _, n := range []int{0, 1, 5, 15, 16, 17, 31, 32, 64, 100, 1000} {
			a, b := random(r, n), random(r, n)
			for i := range n / 4 {
				a[r.IntN(n)], b[r.IntN(n)] = special[i%7], special[i/7%7]
			}
			for o := range binaries {
				got, want := make([]float32, n), make([]float32, n)
				check := func(what string) {
					t.Helper()
					for i := range want {
						if math.Float32bits(got[i]) != math.Float32bits(want[i]) && !(got[i] != got[i] && want[i] != want[i]) && !(got[i] == 0 && want[i] == 0) {
							t.Fatalf("function %d %s of %g and %g is %g, want %g", o, what, a[i], b[i], got[i], want[i])
						}
					}
				}
				for i := range want {
					want[i] = o.Of(a[i], b[i])
				}
				o.Apply(got, a, b)
				check("of each")
				copy(got, a)
				o.Apply(got, got, b)
				check("in place")
				for _, s := range append(special, 0.7) {
					for i := range want {
						want[i] = o.Of(a[i], s)
					}
					o.ApplyRight(got, a, s)
					check("with one on the right")
					for i := range want {
						want[i] = o.Of(s, b[i])
					}
					o.ApplyLeft(got, s, b)
					check("with one on the left")
				}
				if n == 1000 {
					for i := range want {
						want[i] = o.Of(a[i], b[i%20])
					}
					o.ApplyRowRight(got, a, b[:20])
					check("with a row on the right")
					for i := range want {
						want[i] = o.Of(a[i%20], b[i])
					}
					o.ApplyRowLeft(got, a[:20], b)
					check("with a row on the left")
				}
			}
			for o := Equal; o <= GreaterEqual; o++ {
				which, chosen := make([]bool, n), make([]float32, n)
				o.Apply(which, a, b)
				Select(chosen, which, a, b)
				for i := range which {
					if which[i] != o.Of(a[i], b[i]) {
						t.Fatalf("relation %d of %g and %g: found %t", o, a[i], b[i], which[i])
					}
					want := b[i]
					if which[i] {
						want = a[i]
					}
					if math.Float32bits(chosen[i]) != math.Float32bits(want) {
						t.Fatalf("selected %g, want %g", chosen[i], want)
					}
				}
				o.ApplyRight(which, a, 0)
				for i := range which {
					if which[i] != o.Of(a[i], 0) {
						t.Fatalf("relation %d of %g and 0: found %t", o, a[i], which[i])
					}
				}
			}
			z, x, y := random(r, n), random(r, n), random(r, n)
			want, sizes := make([]float64, n), make([]float64, n)
			for i := range want {
				v := float64(x[i]) * float64(y[i])
				want[i], sizes[i] = v+float64(z[i]), math.Abs(v)+math.Abs(float64(z[i]))
			}
			apart, same := make([]float32, n), slices.Clone(z)
			MulAdd(apart, x, y, z)
			MulAdd(same, x, y, same)
			within(t, "x·y+z", apart, want, sizes, 2)
			equal(t, "x·y+z in place", same, apart)
			copy(same, x)
			MulAdd(same, same, y, z)
			within(t, "x·y+z in place of x", same, want, sizes, 2)
		}
	})
}

func TestReduce(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			outer, middle, inner := pick(t, "outer", 0, 1, 2, 7, 300), pick(t, "middle", 0, 1, 3, 17, 64, 65, 200), pick(t, "inner", 1, 1, 2, 5, 16, 33)
			checkReduce(t, seeded(t), outer, middle, inner)
		})
		r := rand.New(rand.NewPCG(1, 2))
		checkReduce(t, r, 1, 70000, 1)
		checkReduce(t, r, 1, 5000, 16)
	})
}

// checkReduce compares with sums and products in float64. A product of n factors errs by at
// most n roundings of itself.
func checkReduce(t rapid.TB, r *rand.Rand, outer, middle, inner int) {
	x := random(r, outer*middle*inner)
	for o := SumOf; o <= ProductOf; o++ {
		got := alike(t, outer*inner, func(p *Pool, to []float32) { Reduce(p, o, to, x, outer, middle, inner) })
		for i, g := range got {
			y, sizes := float64(o.start()), 0.
			for m := range middle {
				v := float64(x[(i/inner*middle+m)*inner+i%inner])
				sizes += math.Abs(v)
				switch o {
				case SumOf:
					y += v
				case MaxOf:
					y = max(y, v)
				case MinOf:
					y = min(y, v)
				default:
					y *= v
				}
			}
			allowed := 0.
			switch o {
			case SumOf:
				allowed = summing * rounding * sizes
			case ProductOf:
				allowed = float64(middle)*rounding*math.Abs(y) + 1e-30 // what underflows on the way is lost
			}
			if g := float64(g); g != y && !(math.Abs(g-y) <= allowed) {
				t.Fatalf("reduction %d of %d×%d×%d: number %d is %g, want %g", o, outer, middle, inner, i, g, y)
			}
		}
	}
	if inner == 1 && middle > 0 {
		at := make([]int32, outer)
		ArgMaxRows(threads[1], at, x, outer, middle)
		for i, k := range at {
			row := x[i*middle:][:middle]
			if row[k] != slices.Max(row) || slices.Contains(row[:k], row[k]) {
				t.Fatalf("the largest of a row is not at %d", k)
			}
		}
	}
}

func TestMove(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := seeded(t)
		n := rapid.IntRange(0, 5).Draw(t, "axes")
		sizes, size := make([]int, n), 1
		for a := range sizes {
			sizes[a] = pick(t, "size", 1, 2, 3, 5, 17)
			size *= sizes[a]
		}
		x, perm := random(r, size), r.Perm(n)
		got := alike(t, size, func(p *Pool, to []float32) { Permute(p, to, x, sizes, perm) })
		at := make([]int, n) // in the order of the result
		for i, v := range got {
			j := 0
			for a := range sizes {
				j = j*sizes[a] + at[slices.Index(perm, a)]
			}
			if v != x[j] {
				t.Fatalf("sizes %v, permutation %v: number %d is that at another place than %d", sizes, perm, i, j)
			}
			for a := n - 1; a >= 0; a-- {
				if at[a]++; at[a] < sizes[perm[a]] {
					break
				}
				at[a] = 0
			}
		}
		// a box inside of a larger array, reversed along one axis
		strides, turned, from, room := make([]int, n), make([]int, n), 0, 1
		for a := n - 1; a >= 0; a-- {
			strides[a], turned[a] = room, room
			if r.IntN(2) == 0 {
				turned[a] = -room
				from += (sizes[a] - 1) * room
			}
			room *= sizes[a] + 2
		}
		box := alike(t, room, func(p *Pool, to []float32) {
			Fill(p, to, 7)
			dense := make([]int, n)
			s := 1
			for a := n - 1; a >= 0; a-- {
				dense[a] = s
				s *= sizes[a]
			}
			Copy(p, to, from, turned, x, 0, dense, sizes)
		})
		back := make([]float32, size)
		for i := range back {
			j, rest := from, i
			for a := n - 1; a >= 0; a-- {
				j += rest % sizes[a] * turned[a]
				rest /= sizes[a]
			}
			if box[j] != x[i] {
				t.Fatalf("sizes %v, strides %v: number %d is not at %d", sizes, turned, i, j)
			}
			box[j] = 7
		}
		for i, v := range box {
			if v != 7 {
				t.Fatalf("number %d outside of the box was written", i)
			}
		}
	})
}

func TestTransposeLarge(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	x := random(r, 3*150*130)
	got := alike(t, len(x), func(p *Pool, to []float32) { Transpose(p, to, x, 3, 150, 130) })
	for i, v := range got {
		if b, c, k := i/(150*130), i/150%130, i%150; v != x[(b*150+k)*130+c] {
			t.Fatalf("number %d differs", i)
		}
	}
}

func TestPool(t *testing.T) {
	p := NewPool(3)
	defer p.Close()
	var hits [1000]int
	p.For(len(hits), 7, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			p.For(1, 1, func(int, int) { hits[i]++ })
		}
	})
	for i, n := range hits {
		if n != 1 {
			t.Fatalf("%d was done %d times", i, n)
		}
	}
	func() {
		defer func() {
			if r := recover(); r != "17" {
				t.Errorf("found the panic %v, want 17", r)
			}
		}()
		p.For(100, 1, func(lo, _ int) {
			if lo == 17 {
				panic("17")
			}
		})
	}()
	total := 0
	p.For(10, 3, func(lo, hi int) {})
	(*Pool)(nil).For(10, 3, func(lo, hi int) { total += hi - lo })
	if total != 10 || (*Pool)(nil).Threads() != 1 || p.Threads() != 3 {
		t.Errorf("found %d numbers, want 10", total)
	}
}

func BenchmarkUnary(b *testing.B) {
	x, y := random(rand.New(rand.NewPCG(1, 2)), 4096), make([]float32, 4096)
	for name, u := range map[string]Unary{"exp": Exp, "log": Log, "tanh": Tanh, "sigmoid": Sigmoid, "erf": Erf, "relu": ReLU, "gelu": GELU} {
		b.Run(name, func(b *testing.B) { bandwidth(b, 2*len(x), func() { u.Apply(y, x) }) })
	}
}

func BenchmarkBinary(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	x, y, z, m := random(r, 4096), random(r, 4096), make([]float32, 4096), make([]bool, 4096)
	for name, f := range map[string]func(){
		"add": func() { Add.Apply(z, x, y) }, "addOne": func() { Add.ApplyRight(z, x, 2) }, "addRow16": func() { Add.ApplyRowRight(z, x, y[:16]) },
		"max": func() { Max.ApplyRight(z, x, 0) }, "greater": func() { Greater.ApplyRight(m, x, 0) }, "select": func() { Select(z, m, x, y) },
	} {
		b.Run(name, func(b *testing.B) { bandwidth(b, 2*len(x), f) })
	}
}
