package predict_test

import (
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/internal/source"
	"github.com/daedalus-search/daedalus/predict"
	"github.com/daedalus-search/daedalus/predict/predicttest"
)

func TestBoostedLaws(t *testing.T) {
	for name, c := range map[string]struct {
		o       predict.Boosted
		options []predicttest.Option
	}{
		"default":    {predict.Boosted{}, []predicttest.Option{predicttest.RowOrder(1e-9)}},
		"sampled":    {predict.Boosted{RowShare: 0.7, ColumnShare: 0.7, L2: 1, Depth: 4}, nil},
		"held out":   {predict.Boosted{Holdout: 0.2, Trees: 300}, nil},
		"huber":      {predict.Boosted{Loss: predict.Huber}, []predicttest.Option{predicttest.RowOrder(1e-6)}},
		"quantile":   {predict.Boosted{Loss: predict.Quantile}, nil},
		"logistic":   {predict.Boosted{Loss: predict.Logistic}, []predicttest.Option{predicttest.ZeroOne()}},
		"rank":       {predict.Boosted{Loss: predict.Rank}, []predicttest.Option{predicttest.Ranks()}},
		"lambdarank": {predict.Boosted{Loss: predict.LambdaRank}, []predicttest.Option{predicttest.Ranks()}},
	} {
		if (raceOn || testing.Short()) && name != "default" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			predicttest.Run(t, c.o, c.options...)
		})
	}
}

// BenchmarkBoostedSmall is what a search fits again and again.
func BenchmarkBoostedSmall(b *testing.B) {
	tb := wideTable(200, 20)
	for b.Loop() {
		if _, err := (predict.Boosted{}).Fit(b.Context(), tb, 1); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBoostedPredict(b *testing.B) {
	tb := wideTable(10_000, 20)
	m, err := predict.Boosted{}.Fit(b.Context(), tb, 1)
	if err != nil {
		b.Fatal(err)
	}
	out := make([]float64, tb.Rows())
	for b.Loop() {
		m.Predict(tb.X, out, nil)
	}
	b.ReportMetric(float64(b.N)*float64(tb.Rows())/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkBoostedFit(b *testing.B) {
	tb := wideTable(10_000, 50)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := (predict.Boosted{}).Fit(b.Context(), tb, 1); err != nil {
			b.Fatal(err)
		}
	}
}

// predictAll predicts the rows of a table.
func predictAll(m predict.Model, t *predict.Table) []float64 {
	out := make([]float64, t.Rows())
	m.Predict(t.X, out, nil)
	return out
}

func fit(t *testing.T, l predict.Learner, tb *predict.Table) predict.Model {
	t.Helper()
	m, err := l.Fit(t.Context(), tb, 1)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestFirstSplitIsBest compares the first split of a tree with a search over all
// cuts and, for categories, all sets.
func TestFirstSplitIsBest(t *testing.T) {
	for seed := range uint64(20) {
		r := rng.New(seed, "first", 0)
		tb := &predict.Table{Columns: []predict.Column{{Name: "a"}, {Name: "b"}, {Name: "c", Levels: 6}}}
		for range 60 {
			x := []float64{float64(r.IntN(40)), r.Float64(), float64(r.IntN(6))}
			for j := range x {
				if r.IntN(8) == 0 {
					x[j] = math.NaN()
				}
			}
			tb.Add(x, rng.Norm(r)+math.Sin(x[2]*float64(seed)+1))
			if x[2] != x[2] {
				tb.Y[tb.Rows()-1] = rng.Norm(r)
			}
		}
		const least = 4
		best := 0.0
		gain := func(left func(x []float64) bool) {
			var n, g [2]float64
			mean := 0.0
			for _, y := range tb.Y {
				mean += y / 60
			}
			for i, y := range tb.Y {
				side := 0
				if left(tb.Row(i)) {
					side = 1
				}
				n[side]++
				g[side] += y - mean
			}
			if min(n[0], n[1]) >= least {
				best = max(best, g[0]*g[0]/n[0]+g[1]*g[1]/n[1])
			}
		}
		for j := range 2 {
			for i := range tb.Y {
				for _, missing := range []bool{false, true} {
					at := tb.Row(i)[j]
					gain(func(x []float64) bool { return x[j] <= at || missing && x[j] != x[j] })
				}
			}
		}
		for set := range 1 << 7 {
			gain(func(x []float64) bool {
				if x[2] != x[2] {
					return set>>6 == 1
				}
				return set>>int(x[2])&1 == 1
			})
		}
		for name, l := range map[string]predict.Learner{
			"boosted": predict.Boosted{Trees: 1, Rate: 1, Leaves: 2, MinLeaf: least, KindL2: -1, KindSmooth: -1},
			"forest":  predict.Forest{Trees: 1, Whole: true, Leaves: 2, MinLeaf: least, ColumnShare: 1},
		} {
			// What a tree of two leaves with the means explains is its gain.
			got, mean := 0.0, 0.0
			for _, y := range tb.Y {
				mean += y / 60
			}
			for _, p := range predictAll(fit(t, l, tb), tb) {
				got += (p - mean) * (p - mean)
			}
			if math.Abs(got-best) > 1e-6*best {
				t.Errorf("seed %d: the first split of %s gains %v; the best gains %v", seed, name, got, best)
			}
		}
	}
}

// TestMonotone checks that predictions rise and fall as told, on a target that
// does not, for each loss and with missing values elsewhere.
func TestMonotone(t *testing.T) {
	for _, loss := range []predict.Loss{predict.Squared, predict.Quantile, predict.Huber, predict.Rank} {
		r := rng.New(5, "monotone", 0)
		tb := &predict.Table{Columns: []predict.Column{{Name: "up"}, {Name: "down"}, {Name: "free"}, {Name: "kind", Levels: 3}}}
		for range 400 {
			x := []float64{r.Float64(), r.Float64(), r.Float64(), float64(r.IntN(3))}
			if r.IntN(5) == 0 {
				x[2] = math.NaN()
			}
			tb.Add(x, math.Sin(9*x[0])+x[0]-x[1]+math.Cos(7*x[1])+x[0]*x[3]+0.2*rng.Norm(r))
		}
		m := fit(t, predict.Boosted{Monotone: []int8{1, -1, 0, 0}, Loss: loss, MinLeaf: 3, RowShare: 0.8}, tb)
		for i := range 100 {
			base := tb.Row(i)
			for j, sign := range []float64{1, -1} {
				line := &predict.Table{Columns: tb.Columns}
				for k := range 60 {
					x := slices.Clone(base)
					x[j] = float64(k) / 59
					line.Add(x, 0)
				}
				y := predictAll(m, line)
				for k := 1; k < len(y); k++ {
					if sign*(y[k]-y[k-1]) < -1e-12 {
						t.Fatalf("%s: column %q: the prediction goes from %v to %v", loss, tb.Columns[j].Name, y[k-1], y[k])
					}
				}
			}
		}
		if err := (func() error {
			_, err := predict.Boosted{Monotone: []int8{0, 0, 0, 1}}.Fit(t.Context(), tb, 1)
			return err
		})(); err == nil || !strings.Contains(err.Error(), "monotone") {
			t.Errorf("a monotone category: %v", err)
		}
	}
}

// TestCoresDoNotMatter fits with one core and with all.
func TestCoresDoNotMatter(t *testing.T) {
	tb := wideTable(3000, 12)
	learners := []predict.Learner{predict.Boosted{Trees: 20, RowShare: 0.7, ColumnShare: 0.7, Holdout: 0.1}, predict.Forest{Trees: 6}, predict.Bagged{Members: 3, Learner: predict.Boosted{Trees: 5}}}
	var all [][]float64
	for _, l := range learners {
		all = append(all, predictAll(fit(t, l, tb), tb))
	}
	for _, cores := range []int{1, 5} {
		was := runtime.GOMAXPROCS(cores)
		for i, l := range learners {
			if !slices.Equal(all[i], predictAll(fit(t, l, tb), tb)) {
				t.Errorf("%T predicts differently when fitted on %d cores", l, cores)
			}
		}
		runtime.GOMAXPROCS(was)
	}
}

// TestLosses checks what each loss is for.
func TestLosses(t *testing.T) {
	r := rng.New(3, "losses", 0)
	table := func(n int, y func(x float64) float64) *predict.Table {
		tb := &predict.Table{Columns: []predict.Column{{Name: "x"}, {Name: "z"}}}
		for range n {
			x := r.Float64()
			tb.Add([]float64{x, r.Float64()}, y(x))
		}
		return tb
	}
	t.Run("quantile", func(t *testing.T) {
		noisy := func(x float64) float64 { return x + (0.2+x)*rng.Norm(r) }
		tb, probe := table(3000, noisy), table(3000, noisy)
		for _, level := range []float64{0.1, 0.5, 0.9} {
			below := 0.0
			for i, q := range predictAll(fit(t, predict.Boosted{Loss: predict.Quantile, Level: level, Trees: 60, Leaves: 8}, tb), probe) {
				if probe.Y[i] <= q {
					below += 1.0 / 3000
				}
			}
			if math.Abs(below-level) > 0.03 { // three standard errors of both tables
				t.Errorf("%.3f of the targets are below the quantile %v", below, level)
			}
		}
	})
	t.Run("logistic", func(t *testing.T) {
		coin := func(x float64) float64 {
			if r.Float64() < x {
				return 1
			}
			return 0
		}
		tb := table(3000, coin)
		worst := 0.0
		probe := table(500, coin)
		for i, p := range predictAll(fit(t, predict.Boosted{Loss: predict.Logistic, Trees: 40, Leaves: 6}, tb), probe) {
			if p <= 0 || p >= 1 {
				t.Fatalf("probability %v", p)
			}
			worst += math.Abs(p-probe.Row(i)[0]) / 500
		}
		if worst > 0.06 {
			t.Errorf("probabilities are off by %.3f in the mean", worst)
		}
		if _, err := (predict.Boosted{Loss: predict.Logistic}).Fit(t.Context(), wideTable(20, 2), 1); err == nil || !strings.Contains(err.Error(), "0 or 1") {
			t.Errorf("a target of any numbers: %v", err)
		}
	})
	t.Run("huber", func(t *testing.T) {
		// One target in twenty is far off.
		wild := func(x float64) float64 {
			if r.IntN(20) == 0 {
				return 100
			}
			return x
		}
		tb, probe := table(1000, wild), table(300, func(x float64) float64 { return x })
		off := func(l predict.Loss) (sum float64) {
			for i, p := range predictAll(fit(t, predict.Boosted{Loss: l}, tb), probe) {
				sum += math.Abs(p-probe.Y[i]) / 300
			}
			return sum
		}
		if h, s := off(predict.Huber), off(predict.Squared); h > 0.3*s {
			t.Errorf("with wild targets Huber's loss is off by %.2f and the squared by %.2f", h, s)
		}
	})
	t.Run("lambdarank", func(t *testing.T) {
		// The small targets depend on x, the large ones on z, and there is room for
		// few splits.
		both := func() *predict.Table {
			tb := &predict.Table{Columns: []predict.Column{{Name: "x"}, {Name: "z"}, {Name: "which"}}}
			for range 1000 {
				x := []float64{r.Float64(), r.Float64(), float64(r.IntN(2))}
				y := x[0]
				if x[2] == 1 {
					y = 2 + 3*x[1]
				}
				tb.Add(x, y)
			}
			return tb
		}
		tb, probe := both(), both()
		top := func(l predict.Loss) float64 {
			p := predictAll(fit(t, predict.Boosted{Loss: l, Trees: 6, Leaves: 4}, tb), probe)
			return predict.Assess(p, nil, probe.Y, 100).Precision
		}
		if l, r := top(predict.LambdaRank), top(predict.Rank); l < r {
			t.Errorf("of the 100 smallest targets LambdaRank finds %.2f and RankNet %.2f", l, r)
		}
	})
	t.Run("held out", func(t *testing.T) {
		noise := table(300, func(float64) float64 { return rng.Norm(r) })
		m := fit(t, predict.Boosted{Trees: 500, Holdout: 0.3}, noise).(*predict.BoostedModel)
		if m.Trees() > 40 {
			t.Errorf("%d trees are grown on noise; expected the held-out rows to stop them", m.Trees())
		}
		easy := fit(t, predict.Boosted{Trees: 200, Holdout: 0.3}, table(300, func(x float64) float64 { return x * x })).(*predict.BoostedModel)
		if easy.Trees() < 50 {
			t.Errorf("%d trees are grown on a smooth function; expected more", easy.Trees())
		}
	})
}

// TestImportance checks that gain goes to the columns that matter.
func TestImportance(t *testing.T) {
	tb := wideTable(2000, 14)
	for _, l := range []predict.Learner{predict.Boosted{}, predict.Forest{Trees: 30}} {
		m := fit(t, l, tb).(interface{ Importance() []predict.Importance })
		useful, sum := 0.0, 0.0
		for j, c := range m.Importance() {
			sum += c.Gain
			if j < 10 {
				useful += c.Gain
			}
		}
		if math.Abs(sum-1) > 1e-9 || useful < 0.8 {
			t.Errorf("%T: gains sum to %v, and %v of it is of the ten columns that matter", l, sum, useful)
		}
	}
}

// TestFewRows: a table of 24 rows is learned.
func TestFewRows(t *testing.T) {
	tb, probe := wideTable(24, 2), wideTable(300, 2)
	for i := range tb.Y {
		tb.Y[i] = tb.Row(i)[0]
	}
	for i := range probe.Y {
		probe.Y[i] = probe.Row(i)[0]
	}
	for _, l := range []predict.Learner{predict.Boosted{}, predict.Bagged{}, predict.Forest{}} {
		if q := predict.Assess(predictAll(fit(t, l, tb), probe), nil, probe.Y, 0); q.R2 < 0.7 {
			t.Errorf("%T: %v", l, q)
		}
	}
}

// TestBadOptions: every mistake is named.
func TestBadOptions(t *testing.T) {
	tb := wideTable(20, 2)
	_, err := predict.Boosted{Trees: -1, Rate: 2, Loss: "x", Bins: 1, RowShare: -0.5, Monotone: []int8{1}}.Fit(t.Context(), tb, 1)
	for _, word := range []string{"trees", "rate", "loss", "bins", "row_share", "monotone"} {
		if err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%v; expected it to name %s", err, word)
		}
	}
	for _, l := range []predict.Learner{
		predict.Forest{MinLeaf: -1}, predict.Forest{ColumnShare: 2}, predict.Bagged{RowShare: 3}, predict.Bagged{Members: -1},
		predict.Conformal{Level: 1}, predict.Conformal{Folds: 1}, predict.Conformal{Level: 0.99},
	} {
		if _, err := l.Fit(t.Context(), tb, 1); err == nil {
			t.Errorf("%+v was accepted", l)
		}
	}
}

// TestOptionsFromYAML: options can stand in study files.
func TestOptionsFromYAML(t *testing.T) {
	for _, into := range []any{&predict.Boosted{}, &predict.Forest{}, &predict.Bagged{}, &predict.Conformal{}} {
		v, r := source.Parse("options", []byte("{}"))
		if r == nil {
			r = &source.Report{}
		}
		if !source.Decode(r, v, into) {
			t.Errorf("%T: %v", into, r.Err())
		}
	}
	var b predict.Boosted
	v, _ := source.Parse("options", []byte("{loss: rank, trees: 7, row_share: 0.5}"))
	if r := (&source.Report{}); !source.Decode(r, v, &b) || b.Loss != predict.Rank || b.Trees != 7 || b.RowShare != 0.5 {
		t.Errorf("%+v: %v", b, r.Err())
	}
}
