package model

import (
	"math"
	"math/big"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/search"
)

// bigH is φ(z) + zΦ(z) to 200 digits and more: with q = z²/2 it is
// φ(z)·(1 + zS) + z/2 where S = z + z³/3 + z⁵/15 + ….
func bigH(z float64) *big.Float {
	const prec = 6000
	n := func(x float64) *big.Float { return new(big.Float).SetPrec(prec).SetFloat64(x) }
	x := n(z)
	x2 := n(0).Mul(x, x)
	// e^(x²/2) by its series, and its inverse.
	half := n(0).Quo(x2, n(2))
	exp, term := n(1), n(1)
	for k := 1.0; k < 6000; k++ {
		term.Mul(term, half).Quo(term, n(k))
		exp.Add(exp, term)
		if term.MantExp(nil) < exp.MantExp(nil)-prec {
			break
		}
	}
	s, t := n(0).Set(x), n(0).Set(x)
	for k := 3.0; k < 20000; k += 2 {
		t.Mul(t, x2).Quo(t, n(k))
		s.Add(s, t)
		if t.Sign() == 0 || t.MantExp(nil) < s.MantExp(nil)-prec {
			break
		}
	}
	// 1/√(2π): π by Machin's formula.
	atan := func(inv float64) *big.Float {
		sum, p := n(0), n(0).Quo(n(1), n(inv))
		for k := 1.0; p.MantExp(nil) > -prec; k += 2 {
			v := n(0).Quo(p, n(k))
			if int(k)%4 == 1 {
				sum.Add(sum, v)
			} else {
				sum.Sub(sum, v)
			}
			p.Quo(p, n(inv*inv))
		}
		return sum
	}
	pi := n(0).Sub(n(0).Mul(n(16), atan(5)), n(0).Mul(n(4), atan(239)))
	root := n(0).Sqrt(n(0).Mul(n(2), pi))
	phi := n(0).Quo(n(1), n(0).Mul(exp, root))
	v := n(0).Mul(x, s)
	v.Add(v, n(1)).Mul(v, phi)
	return v.Add(v, n(0).Quo(x, n(2)))
}

func TestLogH(t *testing.T) {
	t.Parallel()
	for _, z := range []float64{-40, -37.6, -30, -20, -12, -9.0001, -9, -8.9999, -7, -5, -3, -1.5, -1.0001, -1, -0.9999, -0.5, -0.1, 0, 0.3, 1, 3, 8} {
		got, slope := logH(z)
		// log of a big number: mantissa and exponent.
		mant := new(big.Float)
		exp := bigH(z).MantExp(mant)
		f, _ := mant.Float64()
		want := math.Log(f) + float64(exp)*math.Ln2
		if math.Abs(got-want) > 1e-12*(1+math.Abs(want)) {
			t.Errorf("logH(%v) = %.17g, want %.17g", z, got, want)
		}
		const h = 1e-4
		up, _ := logH(z + h)
		down, _ := logH(z - h)
		if d := (up - down) / (2 * h); math.Abs(slope-d) > 1e-5*(1+math.Abs(d)) {
			t.Errorf("slope of logH at %v is %v, want %v", z, slope, d)
		}
	}
	for _, z := range []float64{-1e3, -1e8, -1e100, -1e150} {
		got, slope := logH(z)
		want := -z*z/2 - logSqrt2Pi - 2*math.Log(-z)
		if math.Abs(got-want) > 1e-5*math.Abs(want) || math.Abs(slope+z) > 1e-3*-z {
			t.Errorf("logH(%v) = %v, slope %v; want about %v and %v", z, got, slope, want, -z)
		}
	}
	for _, z := range []float64{-1e200, -math.MaxFloat64} {
		if got, slope := logH(z); math.IsNaN(got) || math.IsInf(got, 0) || math.IsNaN(slope) {
			t.Errorf("logH(%v) = %v, slope %v; want finite numbers", z, got, slope)
		}
	}
}

func TestLogEISlopes(t *testing.T) {
	t.Parallel()
	const h = 1e-5
	for _, c := range [][3]float64{{0, 1, 0}, {1, 0.1, 0}, {2, 0.05, -1}, {-1, 0.3, 1}, {30, 1, 0}} {
		mean, sd, best := c[0], c[1], c[2]
		v := func(m, s float64) float64 { x, _, _ := logEI(m, s, best); return x }
		_, dm, ds := logEI(mean, sd, best)
		if want := (v(mean+h, sd) - v(mean-h, sd)) / (2 * h); math.Abs(dm-want) > 1e-5*(1+math.Abs(want)) {
			t.Errorf("logEI%v by the mean: %v, want %v", c, dm, want)
		}
		if want := (v(mean, sd+h) - v(mean, sd-h)) / (2 * h); math.Abs(ds-want) > 1e-4*(1+math.Abs(want)) {
			t.Errorf("logEI%v by the deviation: %v, want %v", c, ds, want)
		}
		f := func(m, s float64) float64 { x, _, _ := logFeasible(m, s); return x }
		_, dm, ds = logFeasible(mean, sd)
		if want := (f(mean+h, sd) - f(mean-h, sd)) / (2 * h); math.Abs(dm-want) > 1e-5*(1+math.Abs(want)) {
			t.Errorf("logFeasible%v by the mean: %v, want %v", c, dm, want)
		}
		if want := (f(mean, sd+h) - f(mean, sd-h)) / (2 * h); math.Abs(ds-want) > 1e-4*(1+math.Abs(want)) {
			t.Errorf("logFeasible%v by the deviation: %v, want %v", c, ds, want)
		}
	}
}

// The boxes do not overlap and cover what is not dominated, and the expected
// gain is that of many draws.
func TestBoxes(t *testing.T) {
	t.Parallel()
	r := rng.New(1, "boxes", 0)
	for _, m := range []int{1, 2, 3, 4} {
		for _, n := range []int{0, 1, 2, 7, 15} {
			var points, ref []float64
			for range n {
				for range m {
					points = append(points, math.Round(10*r.Float64())/10)
				}
			}
			for range m {
				ref = append(ref, 0.95)
			}
			b := newBoxes(points, m, ref)
			for range 300 {
				y := make([]float64, m)
				for j := range y {
					y[j] = -0.2 + 1.3*r.Float64()
				}
				want := 0
				if below(y, ref) {
					want = 1
					for i := range n {
						dominated := true
						for j := range m {
							dominated = dominated && points[i*m+j] <= y[j]
						}
						if dominated && below(points[i*m:(i+1)*m], ref) {
							want = 0
						}
					}
				}
				in := 0
				for i := 0; i < len(b.lo); i += m {
					inside := 1
					for j := range m {
						if y[j] < b.levels[j][b.lo[i+j]] || y[j] >= b.levels[j][b.hi[i+j]] {
							inside = 0
						}
					}
					in += inside
				}
				if in != want {
					t.Fatalf("%d objectives, %d points: %v lies in %d boxes, want %d", m, n, y, in, want)
				}
			}
			mean, sd := make([]float64, m), make([]float64, m)
			for j := range m {
				mean[j], sd[j] = r.Float64(), 0.1+0.3*r.Float64()
			}
			const draws = 4000
			before := metric.Hypervolume(points, m, ref)
			sum, squares := 0.0, 0.0
			for range draws {
				y := append([]float64(nil), points...)
				for j := range m {
					y = append(y, mean[j]+sd[j]*rng.Norm(r))
				}
				g := metric.Hypervolume(y, m, ref) - before
				sum += g
				squares += g * g
			}
			avg := sum / draws
			e := 5*math.Sqrt((squares/draws-avg*avg)/draws) + 1e-9
			if got := b.improvement(mean, sd); math.Abs(got-avg) > e {
				t.Errorf("%d objectives, %d points: gain %v, want %v ± %v", m, n, got, avg, e)
			}
		}
	}
	// Two objectives take a stripe more than there are points.
	if b := newBoxes([]float64{0, 1, 1, 0}, 2, []float64{2, 2}); len(b.lo)/2 != 3 {
		t.Errorf("%d boxes for a front of two, want 3", len(b.lo)/2)
	}
}

// With three objectives a Gaussian process finds in 60 evaluations of DTLZ2 more
// than random search in 600 and than tpe in 60, by the volume within 1.1.
func TestGPThreeObjectives(t *testing.T) {
	t.Parallel()
	if testing.Short() || raceEnabled {
		t.Skip("fits hundreds of Gaussian processes")
	}
	ref := []float64{1.1, 1.1, 1.1}
	const seeds, trials = 4, 60
	sp := units(8)
	var got, tpe, blind float64
	for seed := range uint64(seeds) {
		volume := func(m search.Method) float64 {
			s, err := m.New(search.Setup{Space: sp, Objectives: 3, Seed: seed, Budget: trials})
			if err != nil {
				t.Fatal(err)
			}
			var points []float64
			for range trials {
				p, err := s.Ask(1)
				if err != nil {
					t.Fatal(err)
				}
				y := sphereFront(values(p[0].Design))
				points = append(points, y...)
				s.Tell(search.Outcome{ID: p[0].ID, Design: p[0].Design, Status: search.Complete, Score: metric.Score{Loss: y}})
				if r, ok := s.(search.Refitter); ok {
					r.Refit()
				}
			}
			return metric.Hypervolume(points, 3, ref) / seeds
		}
		got += volume(GP{Candidates: 200})
		tpe += volume(TPE{})
		r := rng.New(seed, "random", 0)
		var points []float64
		for range 10 * trials {
			points = append(points, sphereFront(values(sp.MustSample(r)))...)
		}
		blind += metric.Hypervolume(points, 3, ref) / seeds
	}
	t.Logf("hypervolume %.3f, tpe %.3f, ten times as much random search %.3f", got, tpe, blind)
	if got < tpe || got < blind {
		t.Errorf("hypervolume %.3f, tpe %.3f, ten times as much random search %.3f", got, tpe, blind)
	}
}
