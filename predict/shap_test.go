package predict

import (
	"math"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
)

// shapTable holds numbers, categories and missing values.
func shapTable(n int, seed uint64) *Table {
	r := rng.New(seed, "shap", 0)
	t := &Table{Columns: []Column{{Name: "a"}, {Name: "b"}, {Name: "c", Levels: 4}, {Name: "d"}, {Name: "e"}, {Name: "f", Levels: 70}}}
	for range n {
		x := []float64{r.Float64(), float64(r.IntN(3)), float64(r.IntN(4)), r.Float64(), r.Float64(), float64(r.IntN(70))}
		y := float64(x[0]*x[1]) + float64(x[2]*x[3]) - x[0] + 0.01*x[5]
		for j := range x {
			if r.IntN(10) == 0 {
				x[j] = math.NaN()
			}
		}
		t.Add(x, y)
	}
	return t
}

// value is the worth of a set of columns: the expectation of a tree where the
// splits of other columns go both ways.
func (f *treeForest) value(at int32, x []float64, set int) float64 {
	if at < 0 {
		return f.values[^at]
	}
	n := &f.nodes[at]
	if j := n.column >> 1; set>>j&1 == 1 {
		if f.goes(n, x[j]) {
			return f.value(n.right, x, set)
		}
		return f.value(n.left, x, set)
	}
	return f.share(n.left, at)*f.value(n.left, x, set) + f.share(n.right, at)*f.value(n.right, x, set)
}

// brute is Shapley's definition.
func (f *treeForest) brute(x []float64) []float64 {
	d := len(x)
	worth := make([]float64, 1<<d)
	for set := range worth {
		for _, root := range f.roots {
			worth[set] += f.value(root, x, set)
		}
	}
	factorial := func(n int) float64 {
		out := 1.0
		for i := 2; i <= n; i++ {
			out *= float64(i)
		}
		return out
	}
	phi := make([]float64, d)
	for set := range worth {
		size := 0
		for j := range d {
			size += set >> j & 1
		}
		for j := range d {
			if set>>j&1 == 0 {
				phi[j] += factorial(size) * factorial(d-size-1) / factorial(d) * (worth[set|1<<j] - worth[set])
			}
		}
	}
	return phi
}

// TestShapIsShapley compares TreeSHAP with the sum over all subsets.
func TestShapIsShapley(t *testing.T) {
	tb, probe := shapTable(150, 1), shapTable(12, 2)
	probe.X[2], probe.X[5] = math.NaN(), 3
	for name, l := range map[string]Learner{
		"boosted": Boosted{Trees: 20, MinLeaf: 2}, "forest": Forest{Trees: 5}, "logistic": Boosted{Trees: 20, Loss: Logistic}, "weighted": Boosted{Trees: 10},
	} {
		in := *tb
		switch name {
		case "logistic":
			in.Y = make([]float64, len(tb.Y))
			for i, y := range tb.Y {
				in.Y[i] = math.Round(min(max(y, 0), 1))
			}
		case "weighted":
			for i := range tb.Y {
				in.Weight = append(in.Weight, float64(1+i%3))
			}
		}
		m, err := l.Fit(t.Context(), &in, 1)
		if err != nil {
			t.Fatal(err)
		}
		var f *treeForest
		factor := 1.0
		switch m := m.(type) {
		case *BoostedModel:
			f = m.trees
		case *ForestModel:
			f, factor = m.trees, 1/float64(len(m.trees.roots))
		}
		phi, mean := make([]float64, len(probe.X)), make([]float64, probe.Rows())
		base := m.(Explainer).Shap(probe.X, phi)
		m.Predict(probe.X, mean, nil)
		d := len(tb.Columns)
		for i := range mean {
			x := f.clean(probe.Row(i), make([]float64, d))
			sum := base
			for j, want := range f.brute(x) {
				got := phi[i*d+j]
				sum += got
				if math.Abs(got-want*factor) > 1e-9 {
					t.Errorf("%s: row %d, column %d: %v; by all subsets %v", name, i, j, got, want*factor)
				}
			}
			want := mean[i]
			if name == "logistic" {
				want = math.Log(mean[i] / (1 - mean[i]))
			}
			if math.Abs(sum-want) > 1e-6 {
				t.Errorf("%s: row %d: base and values sum to %v; predicted is %v", name, i, sum, want)
			}
		}
	}
}

// TestShapSumsDeep checks the sum where trees are deep and columns repeat.
func TestShapSumsDeep(t *testing.T) {
	tb := shapTable(2000, 3)
	probe := shapTable(10, 4)
	for _, l := range []Learner{Boosted{Trees: 50, Leaves: 200, MinLeaf: 1}, Forest{Trees: 10}} {
		m, err := l.Fit(t.Context(), tb, 1)
		if err != nil {
			t.Fatal(err)
		}
		phi, mean := make([]float64, len(probe.X)), make([]float64, probe.Rows())
		base := m.(Explainer).Shap(probe.X, phi)
		m.Predict(probe.X, mean, nil)
		for i, want := range mean {
			sum := base
			for _, v := range phi[i*len(tb.Columns) : (i+1)*len(tb.Columns)] {
				sum += v
			}
			if math.Abs(sum-want) > 1e-6 {
				t.Errorf("%T: row %d: base and values sum to %v; predicted is %v", l, i, sum, want)
			}
		}
	}
}
