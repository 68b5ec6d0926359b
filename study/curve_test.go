package study

import (
	"compress/gzip"
	"encoding/csv"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

// recordedCurves are the validation errors of networks after each epoch; see
// curves_experiment_test.go.
func recordedCurves(t *testing.T) [][]float64 {
	t.Helper()
	f, err := os.Open("testdata/curves.csv.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(z).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	out := make([][]float64, len(rows)-1)
	for i, row := range rows[1:] {
		for _, s := range row[2:] {
			x, err := strconv.ParseFloat(s, 64)
			if err != nil {
				t.Fatal(err)
			}
			out[i] = append(out[i], x)
		}
	}
	return out
}

// 100 of the recorded networks in 200 random orders, one at a time: how many
// epochs a rule saves, and how often the best network is kept.
func TestCurveRuleOnRecordedNetworks(t *testing.T) {
	t.Parallel()
	curves := recordedCurves(t)
	orders := 200
	if testing.Short() || raceEnabled {
		orders = 40
	}
	r := rand.New(rand.NewPCG(1, 1))
	epochs := len(curves[0])
	spent, whole, kept, lost := 0, 0, 0, 0.0
	for range orders {
		pick := r.Perm(len(curves))[:100]
		var c curveState
		c.begin(&CurveRule{}, float64(epochs))
		best, found := math.Inf(1), math.Inf(1)
		for k, i := range pick {
			best = min(best, curves[i][epochs-1])
			var f fit
			e := 0
			for ; e < epochs; e++ {
				if c.hopeless(int64(k), &f, int64(e+1), curves[i][e]) {
					e++
					break
				}
			}
			spent += e
			whole += epochs
			if e == epochs {
				c.ended++
				c.best = min(c.best, curves[i][epochs-1])
				found = min(found, curves[i][epochs-1])
			}
		}
		if found == best {
			kept++
		}
		lost = max(lost, found/best-1)
	}
	saved := 1 - float64(spent)/float64(whole)
	share := float64(kept) / float64(orders)
	t.Logf("%.1f %% of the epochs saved, the best kept in %.1f %% of %d orders, at worst %.2f %% above it", 100*saved, 100*share, orders, 100*lost)
	if saved < 0.4 || share < 0.95 {
		t.Errorf("saves %.3f of the epochs and keeps the best in %.3f of the orders; want at least 0.4 and 0.95", saved, share)
	}
}

// The probabilities are calibrated on curves of the shapes that are known, and a
// curve of another shape is not thought certain.
func TestChanceOfACurve(t *testing.T) {
	t.Parallel()
	var c curveState
	c.begin(&CurveRule{}, 50)
	r := rand.New(rand.NewPCG(2, 2))
	within, n := 0, 2000
	for range n {
		end, height, power := r.Float64(), 0.5+r.Float64(), 0.3+r.Float64()
		at := func(t float64) float64 { return end + height*math.Pow(t, -power) }
		var f fit
		for e := 1; e <= 15; e++ {
			f.add(int64(e), at(float64(e))+0.01*r.NormFloat64())
		}
		if p := f.chance(&c, at(50)); p > 0.05 && p < 0.95 {
			within++
		}
		if low, high := f.chance(&c, at(50)-2), f.chance(&c, at(50)+2); low > 0.05 || high < 0.95 {
			t.Fatalf("chances of 2 less and 2 more: %v, %v", low, high)
		}
	}
	if share := float64(within) / float64(n); share < 0.8 {
		t.Errorf("the end of a curve lies within the middle 90 %% in %.2f of the cases", share)
	}
}

// Student's distribution against its closed forms for two and four degrees of
// freedom.
func TestStudentT(t *testing.T) {
	t.Parallel()
	for x := -6.0; x <= 6; x += 0.25 {
		four := 0.5 + 0.375*(x/math.Sqrt(1+x*x/4))*(1-x*x/(1+x*x/4)/12)
		if got := studentT(x, 4); math.Abs(got-four) > 0.003 {
			t.Errorf("studentT(%v, 4) = %v, want %v", x, got, four)
		}
	}
}

// Curves that are flat, of two values or nearly infinite give a probability.
func TestStrangeCurves(t *testing.T) {
	t.Parallel()
	for name, ys := range map[string][]float64{
		"flat": {1, 1, 1, 1, 1, 1}, "zero": {0, 0, 0, 0, 0}, "jumps": {1, 0, 1, 0, 1, 0}, "huge": {1e300, 1e299, 1e298, 1e297, 1e300},
		"rising": {1, 2, 3, 4, 5, 6}, "tiny": {1e-300, 1e-301, 1e-302, 1e-303, 1e-304},
	} {
		var c curveState
		c.begin(&CurveRule{}, 10)
		var f fit
		for i, y := range ys {
			f.add(int64(i+1), y)
		}
		for _, best := range []float64{-1e300, -1, 0, 1, 1e300} {
			if p := f.chance(&c, best); !(p >= 0 && p <= 1) {
				t.Errorf("%s: chance of ending below %v is %v", name, best, p)
			}
		}
	}
}

func BenchmarkCurveRule(b *testing.B) {
	var c curveState
	c.begin(&CurveRule{}, 100)
	c.ended, c.best = 10, 0
	var f fit
	for i := range 50 {
		f.add(int64(i+1), 1/float64(i+1))
	}
	for b.Loop() {
		f.chance(&c, 0.001)
	}
}
