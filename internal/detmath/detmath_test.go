package detmath

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"math/big"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
)

func spread(r *rand.Rand, lo, hi float64) float64 { return lo + (hi-lo)*r.Float64() }

func TestExp(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 1))
	worst := 0.0
	for i := range 1000 {
		x := spread(r, -745, 709.7)
		switch i % 3 {
		case 1:
			x = spread(r, -1, 1)
		case 2:
			x = math.Ldexp(spread(r, -1, 1), -r.IntN(60))
		}
		got, want := Exp(x), refExp(ref(x))
		u := ulps(got, want)
		if got < 0x1p-1022 { // subnormal results are rounded twice
			u--
		}
		if worst = max(worst, u); u > 1 {
			t.Fatalf("Exp(%v) = %v, want %v: %.2f ulp", x, got, want.Text('g', 20), u)
		}
		if u := ulps(Expm1(x), new(big.Float).Sub(want, ref(1))); u > 4 {
			t.Fatalf("Expm1(%v) = %v: %.2f ulp", x, Expm1(x), u)
		}
	}
	t.Logf("largest error %.3f ulp", worst)
}

func TestLog(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	worst := 0.0
	for i := range 1000 {
		x := math.Ldexp(spread(r, 0.5, 1), r.IntN(2090)-1070)
		switch i % 3 {
		case 1:
			x = spread(r, 0.5, 2)
		case 2:
			x = 1 + math.Ldexp(spread(r, -1, 1), -r.IntN(50)-1)
		}
		got, want := Log(x), refLog(ref(x))
		u := ulps(got, want)
		if worst = max(worst, u); u > 1 {
			t.Fatalf("Log(%v) = %v, want %v: %.2f ulp", x, got, want.Text('g', 20), u)
		}
		y := x - 1
		if y == -1 {
			y = x
		}
		if u := ulps(Log1p(y), refLog(new(big.Float).Add(ref(1), ref(y)))); u > 4 {
			t.Fatalf("Log1p(%v) = %v: %.2f ulp", y, Log1p(y), u)
		}
		want.Quo(want, refLn2)
		if got := Log2(x); math.Abs(x-1) > 0.01 && relative(got, want) > 1e-14 {
			t.Fatalf("Log2(%v) = %v, want %v", x, got, want.Text('g', 20))
		}
	}
	for k := -1074; k < 1024; k++ {
		if got := Log2(math.Ldexp(1, k)); got != float64(k) {
			t.Fatalf("Log2(2**%d) = %v", k, got)
		}
	}
	t.Logf("largest error %.3f ulp", worst)
}

func TestPow(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 3))
	worst := 0.0
	for i := range 1000 {
		x := math.Exp(spread(r, -700, 700))
		y := spread(r, -700, 700) / math.Log(x)
		switch i % 3 {
		case 1:
			x, y = spread(r, 0.1, 10), spread(r, -20, 20)
		case 2:
			x = 1 + math.Ldexp(spread(r, -1, 1), -r.IntN(30)-1)
			y = spread(r, -600, 600) / math.Log(x)
		}
		got := Pow(x, y)
		arg := refLog(ref(x))
		want := refExp(arg.Mul(arg, ref(y)))
		u := ulps(got, want)
		if worst = max(worst, u); u > 1 {
			t.Fatalf("Pow(%v, %v) = %v, want %v: %.2f ulp", x, y, got, want.Text('g', 20), u)
		}
	}
	for x := 1; x < 100; x++ {
		want := int64(1)
		for y := 0; want < 1<<53; y++ {
			if got := Pow(-float64(x), float64(y)); math.Abs(got) != float64(want) || got < 0 != (y%2 == 1) {
				t.Fatalf("Pow(-%d, %d) = %v, want ±%d", x, y, got, want)
			}
			if want *= int64(x); x == 1 && y > 70 {
				break
			}
		}
	}
	t.Logf("largest error %.3f ulp", worst)
}

// TestSpecialValues compares with package math, whose special cases we share.
func TestSpecialValues(t *testing.T) {
	t.Parallel()
	inf := math.Inf(1)
	values := []float64{
		0, math.Copysign(0, -1), 1, -1, 2, -2, 3, -3, 0.5, -0.5, 1.5, 1e300, -1e300, 1e-300, 5e-324, -5e-324,
		inf, -inf, math.NaN(), math.MaxFloat64, 0x1p53, 0x1p53 + 2, -0x1p53, 709, 710, 1e4, -745, -746, 1e-20,
	}
	same := func(a, b float64) bool {
		if a != a || b != b {
			return a != a && b != b
		}
		return a == b && math.Signbit(a) == math.Signbit(b) || math.Abs(a-b) <= 4e-15*math.Abs(b)
	}
	for _, x := range values {
		for _, f := range []struct {
			name      string
			got, want func(float64) float64
		}{
			{"Exp", Exp, math.Exp},
			{"Log", Log, math.Log},
			{"Log2", Log2, math.Log2},
			{"Expm1", Expm1, math.Expm1},
			{"Log1p", Log1p, math.Log1p},
		} {
			if x == 5e-324 && strings.HasPrefix(f.name, "Log") {
				continue // math.Log is wrong for subnormal numbers on amd64; TestLog covers them
			}
			if got, want := f.got(x), f.want(x); !same(got, want) {
				t.Errorf("%s(%v) = %v, want %v", f.name, x, got, want)
			}
		}
		for _, y := range values {
			if got, want := Pow(x, y), math.Pow(x, y); !same(got, want) {
				t.Errorf("Pow(%v, %v) = %v, want %v", x, y, got, want)
			}
		}
	}
	for _, c := range []struct{ got, want float64 }{
		{Phi(inf), 1},
		{Phi(-inf), 0},
		{Phi(0), 0.5},
		{Phi(math.NaN()), math.NaN()},
		{LogPhi(-inf), -inf},
		{LogPhi(inf), 0},
		{PhiInv(0), -inf},
		{PhiInv(1), inf},
		{PhiInv(0.5), 0},
		{PhiInv(-0.1), math.NaN()},
		{PhiInv(1.1), math.NaN()},
		{PhiInv(math.NaN()), math.NaN()},
		{LogNormInterval(-inf, inf), 0},
		{LogNormInterval(-inf, 0), -math.Ln2},
		{LogNormInterval(0, inf), -math.Ln2},
		{LogNormInterval(1, 1), -inf},
		{LogNormInterval(inf, inf), -inf},
		{LogNormInterval(math.NaN(), 1), math.NaN()},
	} {
		if !same(c.got, c.want) && !(c.got == 0 && c.want == 0) {
			t.Errorf("got %v, want %v", c.got, c.want)
		}
	}
}

func TestPhi(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 4))
	worst := 0.0
	for i := range 150 {
		x := spread(r, -37.5, 8)
		if i%2 == 1 {
			x = spread(r, -3, 3)
		}
		want := refPhi(x)
		rel := relative(Phi(x), want)
		if worst = max(worst, rel); rel > 4e-15 {
			t.Errorf("Phi(%v) = %v, want %v: off by %.2g", x, Phi(x), want.Text('g', 20), rel)
		}
		l := refLog(want)
		if rel := relative(LogPhi(x), l); rel > 4e-15 {
			t.Errorf("LogPhi(%v) = %v, want %v: off by %.2g", x, LogPhi(x), l.Text('g', 20), rel)
		}
	}
	t.Logf("largest relative error %.2g", worst)
	// Far out, log Phi(-x) lies between the two first orders of Mills' ratio.
	for x := 30.0; x < 1e10; x *= 1.3 {
		hi := -x*x/2 - math.Log(x) - lnSqrt2Pi
		lo := hi + math.Log1p(-1/(x*x))
		if got, slack := LogPhi(-x), 1e-15*x*x; got < lo-slack || got > hi+slack {
			t.Errorf("LogPhi(%v) = %v, want it in [%v, %v]", -x, got, lo, hi)
		}
	}
}

func TestLogNormInterval(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 5))
	worst := 0.0
	for range 150 {
		a := spread(r, -30, 30)
		b := a + math.Exp(spread(r, -25, 3))
		if b > 36 {
			continue
		}
		p := new(big.Float).Sub(refPhi(b), refPhi(a))
		want := refLog(p)
		got := LogNormInterval(a, b)
		// The relative error of the probability itself, beyond what the
		// magnitude of its logarithm makes unavoidable.
		w, _ := want.Float64()
		d, _ := new(big.Float).Sub(ref(got), want).Float64()
		rel := math.Abs(d) / max(1, math.Abs(w))
		if math.Abs(w) < 1 {
			rel = math.Abs(d) / math.Max(math.Abs(w), 1e-3)
		}
		if worst = max(worst, rel); rel > 3e-14 {
			t.Errorf("LogNormInterval(%v, %v) = %v, want %v: off by %.2g", a, b, got, want.Text('g', 20), rel)
		}
		if m := LogNormInterval(-b, -a); m != got {
			t.Errorf("LogNormInterval(%v, %v) = %v but mirrored %v", a, b, got, m)
		}
	}
	t.Logf("largest error %.2g", worst)
}

func TestPhiInv(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 6))
	worst := 0.0
	for i := range 200000 {
		p := r.Float64()
		if i%2 == 1 {
			p = math.Exp(-spread(r, 0, 700))
		}
		if p > 0.5 && p > 1-1e-3 || p == 0 {
			continue // 1-p carries too few digits for a relative comparison
		}
		x := PhiInv(p)
		// dp/p = phi(x)/Phi(x) dx: judge by the error in x.
		dx := (Phi(x) - p) / math.Exp(-x*x/2) * math.Sqrt(2*math.Pi)
		rel := math.Abs(dx) / max(math.Abs(x), 0.1)
		if worst = max(worst, rel); rel > 4e-15 {
			t.Fatalf("Phi(PhiInv(%v)) = %v: x is off by %.2g", p, Phi(x), rel)
		}
		if p <= 0.5 && p > 0x1p-50 {
			if q := 1 - p; 1-q == p && PhiInv(q) != -x {
				t.Fatalf("PhiInv(%v) = %v, want %v", q, PhiInv(q), -x)
			}
		}
	}
	t.Logf("largest relative error in x %.2g", worst)
}

// TestSameBitsEverywhere is the promise of the package: this hash is the same
// on every platform. It changes only when an algorithm changes, and with it
// every stored seed's trajectory.
func TestSameBitsEverywhere(t *testing.T) {
	t.Parallel()
	h := uint64(14695981039346656037)
	add := func(x float64) {
		b := math.Float64bits(x)
		if x != x {
			b = 0x7ff8000000000001
		}
		h = (h ^ b) * 1099511628211
		h ^= h >> 29
	}
	r := rand.New(rand.NewPCG(2, 7))
	for range 20000 {
		u, v := r.Float64(), r.Float64()
		x, y := float64(u*1400)-700, float64(v*20)-10
		add(Exp(x))
		add(Exp(y))
		add(Expm1(float64(u*v) - 0.5))
		e := Exp(y)
		add(Log(u))
		add(Log(e))
		add(Log1p(u - 0.5))
		add(Log2(e))
		add(Pow(e, y))
		add(Pow(u, x))
		add(Phi(y))
		add(LogPhi(x))
		add(PhiInv(u))
		add(PhiInv(Exp(-math.Abs(x))))
		add(LogNormInterval(y, y+Exp(x/50)))
	}
	const want uint64 = 0xf7e1910b95d5f9cc
	if h != want {
		t.Errorf("hash of results = %#x, want %#x", h, want)
	}
}

// TestNoProductCanFuse reads the source: every product must be the operand of a
// conversion to float64, or a factor of one that is, so that no compiler may
// fuse it with an addition.
func TestNoProductCanFuse(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		var stack []ast.Node
		ast.Inspect(f, func(n ast.Node) bool {
			if n == nil {
				stack = stack[:len(stack)-1]
				return true
			}
			if b, ok := n.(*ast.BinaryExpr); ok && b.Op == token.MUL {
				seen++
				if !harmless(stack) {
					t.Errorf("%v: product outside float64(...): the compiler may fuse it", fset.Position(b.Pos()))
				}
			}
			if a, ok := n.(*ast.AssignStmt); ok && a.Tok == token.MUL_ASSIGN {
				t.Errorf("%v: *= may fuse", fset.Position(a.Pos()))
			}
			stack = append(stack, n)
			return true
		})
	}
	if seen < 50 {
		t.Fatalf("found only %d products: is the test reading the source?", seen)
	}
}

// harmless reports whether the product below the stack's top is rounded before
// anything is added to it: it stands in a conversion, in another product or
// quotient that is judged itself, in a return value that is all product, or in a
// constant declaration.
func harmless(stack []ast.Node) bool {
	for i := len(stack) - 1; i >= 0; i-- {
		switch p := stack[i].(type) {
		case *ast.ParenExpr:
			continue
		case *ast.CallExpr:
			id, ok := p.Fun.(*ast.Ident)
			return ok && id.Name == "float64"
		case *ast.BinaryExpr:
			return p.Op == token.QUO || p.Op == token.MUL && literal(p)
		case *ast.ValueSpec:
			gen, ok := stack[i-1].(*ast.GenDecl)
			return ok && gen.Tok == token.CONST
		default:
			return false
		}
	}
	return false
}

func literal(b *ast.BinaryExpr) bool {
	_, x := b.X.(*ast.BasicLit)
	_, y := b.Y.(*ast.BasicLit)
	return x || y
}

var sink float64

func BenchmarkExp(b *testing.B)  { bench(b, Exp, -20, 20) }
func BenchmarkLog(b *testing.B)  { bench(b, Log, 1e-3, 1e3) }
func BenchmarkPhi(b *testing.B)  { bench(b, Phi, -6, 6) }
func BenchmarkInv(b *testing.B)  { bench(b, PhiInv, 0, 1) }
func BenchmarkPow(b *testing.B)  { bench(b, func(x float64) float64 { return Pow(x, 1.7) }, 0, 10) }
func BenchmarkStd(b *testing.B)  { bench(b, math.Exp, -20, 20) }
func BenchmarkStdL(b *testing.B) { bench(b, math.Log, 1e-3, 1e3) }
func BenchmarkLogNormInterval(b *testing.B) {
	bench(b, func(x float64) float64 { return LogNormInterval(x, x+0.7) }, -8, 8)
}

func bench(b *testing.B, f func(float64) float64, lo, hi float64) {
	r := rand.New(rand.NewPCG(1, 9))
	xs := make([]float64, 1024)
	for i := range xs {
		xs[i] = spread(r, lo, hi)
	}
	s := 0.0
	for i := 0; b.Loop(); i++ {
		s += f(xs[i&1023])
	}
	sink = s
}

func ExamplePhiInv() {
	x := PhiInv(0.975)
	fmt.Printf("%.6f %.3f\n", x, Phi(x))
	// Output: 1.959964 0.975
}
