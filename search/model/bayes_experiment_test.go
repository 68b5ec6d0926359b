//go:build experiment

package model_test

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/internal/source"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/evolve"
	"github.com/daedalus-search/daedalus/search/internal/nb201test"
	"github.com/daedalus-search/daedalus/search/model"
	"github.com/daedalus-search/daedalus/search/sample"
	"github.com/daedalus-search/daedalus/space"
)

// A smooth is a function of real numbers with its least value.
type smooth struct {
	name   string
	dims   int
	lo, hi float64
	least  float64
	f      func(x []float64) float64
}

var smooths = []smooth{
	{"branin", 2, 0, 1, 0.397887, braninOf},
	{"hartmann6", 6, 0, 1, -3.32237, hartmann6Of},
	{"ackley10", 10, -32.768, 32.768, 0, ackleyOf},
	{"levy10", 10, -10, 10, 0, levyOf},
	{"rosenbrock10", 10, -5, 10, 0, rosenbrockOf},
	{"ackley20", 20, -32.768, 32.768, 0, ackleyOf},
	{"levy20", 20, -10, 10, 0, levyOf},
	{"rosenbrock20", 20, -5, 10, 0, rosenbrockOf},
}

func braninOf(u []float64) float64 {
	x, y := 15*u[0]-5, 15*u[1]
	a := y - 5.1/(4*math.Pi*math.Pi)*x*x + 5/math.Pi*x - 6
	return a*a + 10*(1-1/(8*math.Pi))*math.Cos(x) + 10
}

func hartmann6Of(x []float64) float64 {
	alpha := [4]float64{1, 1.2, 3, 3.2}
	a := [4][6]float64{{10, 3, 17, 3.5, 1.7, 8}, {0.05, 10, 17, 0.1, 8, 14}, {3, 3.5, 1.7, 10, 17, 8}, {17, 8, 0.05, 10, 0.1, 14}}
	p := [4][6]float64{{1312, 1696, 5569, 124, 8283, 5886}, {2329, 4135, 8307, 3736, 1004, 9991}, {2348, 1451, 3522, 2883, 3047, 6650}, {4047, 8828, 8732, 5743, 1091, 381}}
	sum := 0.0
	for i := range 4 {
		e := 0.0
		for j := range 6 {
			d := x[j] - p[i][j]*1e-4
			e += a[i][j] * d * d
		}
		sum -= alpha[i] * math.Exp(-e)
	}
	return sum
}

func ackleyOf(x []float64) float64 {
	// The optimum is moved off the centre, which initial designs may hit.
	s, c, n := 0.0, 0.0, float64(len(x))
	for i, v := range x {
		v -= 5 + float64(i%3)
		s += v * v
		c += math.Cos(2 * math.Pi * v)
	}
	return -20*math.Exp(-0.2*math.Sqrt(s/n)) - math.Exp(c/n) + 20 + math.E
}

func levyOf(x []float64) float64 {
	w := func(i int) float64 { return 1 + (x[i]-1)/4 }
	s := math.Sin(math.Pi * w(0))
	y := s * s
	for i := range len(x) - 1 {
		t := math.Sin(math.Pi*w(i) + 1)
		y += (w(i) - 1) * (w(i) - 1) * (1 + 10*t*t)
	}
	n := len(x) - 1
	t := math.Sin(2 * math.Pi * w(n))
	return y + (w(n)-1)*(w(n)-1)*(1+t*t)
}

func rosenbrockOf(x []float64) float64 {
	y := 0.0
	for i := range len(x) - 1 {
		a, b := 1-x[i], x[i+1]-x[i]*x[i]
		y += a*a + 100*b*b
	}
	return y
}

func (s smooth) space() *space.Space {
	nodes := make([]space.Node, s.dims)
	for i := range nodes {
		nodes[i] = space.Float("x"+strconv.Itoa(i), s.lo, s.hi)
	}
	return space.MustNew(nodes...)
}

// gpOptions reads options of GP from the environment, for sweeps.
func gpOptions(t testing.TB) model.GP {
	var o model.GP
	if text := os.Getenv("GP"); text != "" {
		v, r := source.Parse("GP", []byte(text))
		if !source.Decode(r, v, &o) {
			t.Fatal(r)
		}
	}
	return o
}

func gpSeeds(n int) int {
	if v, err := strconv.Atoi(os.Getenv("SEEDS")); err == nil {
		return v
	}
	return n
}

func gpOnly(name string) bool {
	only := os.Getenv("ONLY")
	return only == "" || slices.Contains(strings.Split(only, ","), name)
}

// TestExperimentSmooth prints the median of the best after 25, 50 and 100
// evaluations.
//
//	go test -tags experiment -run ExperimentSmooth -v ./search/model
func TestExperimentSmooth(t *testing.T) {
	for _, f := range smooths {
		if !gpOnly(f.name) {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			marks := []int{25, 50, 100}
			if f.name == "branin" {
				marks = []int{20, 30, 40}
			}
			seeds := gpSeeds(10)
			at := make([][]float64, len(marks))
			begin := time.Now()
			for seed := range seeds {
				sp := f.space()
				s := gpStart(t, gpOptions(t), search.Setup{Space: sp, Seed: uint64(seed)})
				best := math.Inf(1)
				for i, m := range marks {
					from := 0
					if i > 0 {
						from = marks[i-1]
					}
					best = min(best, gpDrive(t, s, m-from, func(d space.Design) float64 { return f.f(gpValues(d)) }))
					at[i] = append(at[i], best-f.least)
				}
			}
			line := fmt.Sprintf("%-13s", f.name)
			for i, m := range marks {
				slices.Sort(at[i])
				line += fmt.Sprintf("  %d: %.4g [%.3g, %.3g]", m, (at[i][seeds/2]+at[i][(seeds-1)/2])/2, at[i][seeds/4], at[i][seeds*3/4])
			}
			t.Logf("%s  %v a proposal", line, (time.Since(begin) / time.Duration(seeds*marks[len(marks)-1])).Round(100*time.Microsecond))
		})
	}
}

// TestExperimentNB201 prints the mean best signal after 100 cells.
func TestExperimentNB201(t *testing.T) {
	table := nb201test.Load(t)
	sp := nb201test.Space()
	seeds := gpSeeds(100)
	for d, name := range []string{"CIFAR-10", "CIFAR-100", "ImageNet16-120"} {
		if !gpOnly(name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			sum, squares, report := 0.0, 0.0, 0.0
			begin := time.Now()
			for seed := range seeds {
				s := gpStart(t, gpOptions(t), search.Setup{Space: sp, Seed: uint64(seed)})
				var buf []space.Answer
				top, at := math.Inf(-1), 0
				gpDrive(t, s, 100, func(x space.Design) float64 {
					var cell int
					cell, buf = nb201test.Cell(x, buf)
					if v := table.Valid[d][cell]; v > top {
						top, at = v, cell
					}
					return -table.Valid[d][cell]
				})
				sum += top
				squares += top * top
				report += table.Test[d][at]
			}
			n := float64(seeds)
			mean := sum / n
			t.Logf("%s: %.3f ± %.3f, test %.2f, %v a run", name, mean, math.Sqrt(max(squares/n-mean*mean, 0)), report/n, time.Since(begin)/time.Duration(seeds))
		})
	}
}

// braninCurrin are Branin's function and Currin's on the unit square.
func braninCurrin(u []float64) []float64 {
	x, y := u[0], u[1]
	e := 1.0
	if y > 0 {
		e = 1 - math.Exp(-1/(2*y))
	}
	return []float64{braninOf(u), e * (2300*x*x*x + 1900*x*x + 2092*x + 60) / (100*x*x*x + 500*x*x + 4*x + 20)}
}

// TestExperimentBraninCurrin prints the mean hypervolume within (18, 6) after 60
// evaluations; with NOISE, of the true values of what was measured with normal
// noise of that share of each objective's spread.
func TestExperimentBraninCurrin(t *testing.T) {
	unit := space.MustNew(space.Float("x", 0, 1), space.Float("y", 0, 1))
	noise, _ := strconv.ParseFloat(os.Getenv("NOISE"), 64)
	base := gpOptions(t)
	with := func(a string) model.GP { o := base; o.Acquisition = a; return o }
	for _, m := range []struct {
		name   string
		method search.Method
	}{
		{"nehvi", with("nehvi")}, {"ehvi", with("ehvi")}, {"parego", with("parego")},
		{"nsga2", evolve.NSGA2{}}, {"tpe", model.TPE{}}, {"random", sample.Random{}},
	} {
		if !gpOnly(m.name) {
			continue
		}
		var hv []float64
		begin := time.Now()
		seeds := gpSeeds(20)
		for seed := range seeds {
			s := gpStart(t, m.method, search.Setup{Space: unit, Objectives: 2, Seed: uint64(seed), Budget: 60})
			r := rng.New(uint64(seed), "noise", 0)
			var points []float64
			for range 60 {
				p, err := s.Ask(1)
				if err != nil {
					t.Fatal(err)
				}
				y := braninCurrin(gpValues(p[0].Design))
				points = append(points, y...)
				s.Tell(gpOutcome(p[0], y[0]+noise*50*rng.Norm(r), y[1]+noise*3*rng.Norm(r)))
			}
			hv = append(hv, metric.Hypervolume(points, 2, []float64{18, 6}))
		}
		mean, sd := 0.0, 0.0
		for _, v := range hv {
			mean += v / float64(seeds)
		}
		for _, v := range hv {
			sd += (v - mean) * (v - mean) / float64(seeds)
		}
		t.Logf("%-7s %.3f ± %.3f  %v a run", m.name, mean, math.Sqrt(sd), time.Since(begin)/time.Duration(seeds))
	}
}

// TestExperimentBatch prints the mean regret after 64 evaluations, four at once.
func TestExperimentBatch(t *testing.T) {
	for _, f := range smooths[:3] {
		for _, batch := range []string{"believer", "liar", "explore"} {
			o := gpOptions(t)
			o.Batch = batch
			var regret []float64
			seeds := gpSeeds(20)
			for seed := range seeds {
				s := gpStart(t, o, search.Setup{Space: f.space(), Seed: uint64(seed), Parallel: 4})
				best := math.Inf(1)
				for range 16 {
					ps, err := s.Ask(4)
					if err != nil {
						t.Fatal(err)
					}
					for _, p := range ps {
						y := f.f(gpValues(p.Design))
						best = min(best, y)
						s.Tell(gpOutcome(p, y))
					}
				}
				regret = append(regret, best-f.least)
			}
			slices.Sort(regret)
			mean := 0.0
			for _, r := range regret {
				mean += r / float64(seeds)
			}
			t.Logf("%-10s %-9s mean %.4g, median %.4g", f.name, batch, mean, regret[seeds/2])
		}
	}
}

// TestExperimentNoise prints the true loss of the returned design, that of the
// best posterior mean being unknown outside, by the best measured one, after 60
// evaluations with noise.
func TestExperimentNoise(t *testing.T) {
	f := smooths[1]
	for _, sd := range []float64{0, 0.05, 0.2} {
		for name, m := range map[string]search.Method{"gp": gpOptions(t), "tpe": model.TPE{}, "random": sample.Random{}} {
			mean := 0.0
			seeds := gpSeeds(20)
			for seed := range seeds {
				s := gpStart(t, m, search.Setup{Space: f.space(), Seed: uint64(seed)})
				r := rng.New(uint64(seed), "noise", 0)
				least, truth := math.Inf(1), 0.0
				for range 60 {
					ps, err := s.Ask(1)
					if err != nil {
						t.Fatal(err)
					}
					y := f.f(gpValues(ps[0].Design))
					seen := y + sd*rng.Norm(r)
					if seen < least {
						least, truth = seen, y-f.least
					}
					s.Tell(gpOutcome(ps[0], seen))
				}
				mean += truth / float64(seeds)
			}
			t.Logf("noise %.2f %-7s mean regret of the best measured %.3f", sd, name, mean)
		}
	}
}
