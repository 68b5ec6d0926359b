//go:build experiment

package evolve

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/search"
)

// A field of the race: functions of Zitzler, Deb and Thiele (2000) and of Deb,
// Thiele, Laumanns and Zitzler (2002).
type field struct {
	name string
	dims int
	ref  []float64
	f    func(x, y []float64)
}

func fields() []field {
	second := []float64{1.1, 1.1}
	return []field{
		{"zdt1", 30, second, zdtFunction(1)},
		{"zdt2", 30, second, zdtFunction(2)},
		{"zdt3", 30, second, zdtFunction(3)},
		{"zdt4", 10, second, func(x, y []float64) {
			g := 1 + 10*float64(len(x)-1)
			for _, v := range x[1:] {
				v = 10*v - 5
				g += v*v - 10*math.Cos(4*math.Pi*v)
			}
			y[0], y[1] = x[0], g*(1-math.Sqrt(x[0]/g))
		}},
		{"zdt6", 10, second, func(x, y []float64) {
			sum := 0.0
			for _, v := range x[1:] {
				sum += v
			}
			g := 1 + 9*math.Pow(sum/9, 0.25)
			y[0] = 1 - math.Exp(-4*x[0])*math.Pow(math.Sin(6*math.Pi*x[0]), 6)
			y[1] = g * (1 - y[0]/g*y[0]/g)
		}},
		{"dtlz1", 7, []float64{0.6, 0.6, 0.6}, func(x, y []float64) {
			g := 100 * float64(len(x)-2)
			for _, v := range x[2:] {
				g += 100 * ((v-0.5)*(v-0.5) - math.Cos(20*math.Pi*(v-0.5)))
			}
			h := 0.5 * (1 + g)
			y[0], y[1], y[2] = h*x[0]*x[1], h*x[0]*(1-x[1]), h*(1-x[0])
		}},
		{"dtlz2", 12, []float64{1.1, 1.1, 1.1}, dtlz2},
		{"dtlz7", 22, []float64{1.1, 1.1, 6.6}, func(x, y []float64) {
			g := 0.0
			for _, v := range x[2:] {
				g += v
			}
			g = 1 + 9*g/20
			h := 3.0
			for _, v := range x[:2] {
				h -= v / (1 + g) * (1 + math.Sin(3*math.Pi*v))
			}
			y[0], y[1], y[2] = x[0], x[1], (1+g)*h
		}},
	}
}

// TestRace compares the hypervolume of the last population with that of pymoo's
// methods of the same names at the same settings, whose results are recorded in
// testdata/pymoo.csv, and fails where one of ours is worse at the 5 % level
// (Mann-Whitney, two-sided, 11 seeds each).
//
//	go test -tags experiment -run TestRace -v ./search/evolve
func TestRace(t *testing.T) {
	file, err := os.Open("testdata/pymoo.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	theirs := map[string][]float64{}
	for _, r := range rows[1:] {
		hv, err := strconv.ParseFloat(r[4], 64)
		if err != nil {
			t.Fatal(err)
		}
		key := r[0] + " " + r[1] + " " + r[2]
		theirs[key] = append(theirs[key], hv)
	}
	for _, c := range []struct {
		method search.Method
		peer   string
		steady bool
	}{
		{NSGA2{Population: 100}, "nsga2", false}, {NSGA3{}, "unsga3", false}, {NSGA3{}, "nsga3", false},
		{SMSEMOA{Population: 100}, "sms", true}, {MOEAD{}, "moead", false},
	} {
		for _, f := range fields() {
			for _, evaluations := range []int{10_000, 25_000} {
				peer := theirs[fmt.Sprint(c.peer, " ", f.name, " ", evaluations)]
				if len(peer) == 0 {
					continue
				}
				m, population := c.method, 100
				if len(f.ref) == 3 {
					population = 92
				}
				switch o := m.(type) {
				case NSGA2:
					o.Population = population
					m = o
				case SMSEMOA:
					o.Population = population
					m = o
				}
				batch := population
				if c.steady {
					batch = 1
				}
				var ours []float64
				for seed := range 11 {
					got := play(t, m, search.Setup{Space: reals(f.dims), Objectives: len(f.ref), Seed: uint64(seed)}, evaluations, batch, f.f)
					ours = append(ours, metric.Hypervolume(got, len(f.ref), f.ref))
				}
				p := mannWhitney(ours, peer)
				slices.Sort(ours)
				slices.Sort(peer)
				a, b := ours[len(ours)/2], peer[len(peer)/2]
				verdict := "same"
				if p < 0.05 {
					verdict = "better"
					if a < b {
						verdict = "worse"
						t.Errorf("%T on %s after %d evaluations: median hypervolume %.5f, pymoo's %s %.5f, p = %.4f", c.method, f.name, evaluations, a, c.peer, b, p)
					}
				}
				fmt.Printf("| %-6s | %-5s | %5d | %.5f | %.5f | %.4f | %s |\n", c.peer, f.name, evaluations, a, b, p, verdict)
			}
		}
	}
}

// mannWhitney returns the two-sided level at which two samples differ, by the
// normal approximation.
func mannWhitney(a, b []float64) float64 {
	type item struct {
		x     float64
		first bool
	}
	var all []item
	for _, x := range a {
		all = append(all, item{x, true})
	}
	for _, x := range b {
		all = append(all, item{x, false})
	}
	slices.SortFunc(all, func(a, b item) int { return cmp.Compare(a.x, b.x) })
	sum, ties := 0.0, 0.0
	for i := 0; i < len(all); {
		j := i
		for j < len(all) && all[j].x == all[i].x {
			j++
		}
		for _, it := range all[i:j] {
			if it.first {
				sum += float64(i+j+1) / 2
			}
		}
		k := float64(j - i)
		ties += k*k*k - k
		i = j
	}
	n, m := float64(len(a)), float64(len(b))
	u := sum - n*(n+1)/2 - n*m/2
	v := n * m / 12 * (n + m + 1 - ties/((n+m)*(n+m-1)))
	if v == 0 {
		return 1
	}
	return math.Erfc((math.Abs(u) - 0.5) / math.Sqrt(2*v))
}
