package predict

import (
	"fmt"
	"math"
	"testing"
)

// The cards of predictors.md that this package's trees answer: GBDT-NAS on the
// tables of FlexiBERT and NAS-Bench-201, ensembles, conformal calibration.

// TestCardGBDTFlexi compares with the recorded rows of scikit-learn's gradient
// boosting with the same settings, Spearman and Kendall, which were means over
// five other splits. The standard error of a mean of ten splits is below 0.006.
func TestCardGBDTFlexi(t *testing.T) {
	f := loadFlexi(t)
	for _, c := range []struct {
		rows, test        int
		spearman, kendall float64
	}{{50, 300, 0.897, 0.709}, {100, 300, 0.895, 0.703}, {200, 300, 0.906, 0.720}, {400, 100, 0.912, 0.737}} {
		q := meanQuality(t, f.Table, Boosted{Rate: 0.05, Depth: 4, MinLeaf: 5, RowShare: 0.8}, c.rows, c.test, 10)
		t.Logf("%d rows: Spearman %.3f, Kendall %.3f, precision %.2f, RMSE %.2f", c.rows, q.Spearman, q.Kendall, q.Precision, q.RMSE)
		if math.Abs(q.Spearman-c.spearman) > 0.02 || math.Abs(q.Kendall-c.kendall) > 0.02 {
			t.Errorf("%d rows: Spearman %.3f and Kendall %.3f; recorded %.3f and %.3f", c.rows, q.Spearman, q.Kendall, c.spearman, c.kendall)
		}
	}
}

// nbTable is NAS-Bench-201 as one column of five categories for each edge.
func nbTable(t testing.TB, target string) *Table {
	head, rows := dataTable(t, "nas-bench-201", "nasbench201.csv.gz")
	tb := &Table{}
	for e := range 6 {
		tb.Columns = append(tb.Columns, Column{Name: fmt.Sprintf("edge %d", e), Levels: 5})
	}
	x := make([]float64, 6)
	for _, r := range rows {
		code := int(r[head["ops"]])
		for e := 5; e >= 0; e-- {
			x[e] = float64(code % 10)
			code /= 10
		}
		tb.Add(x, r[head[target]])
	}
	return tb
}

// TestCardGBDTNasBench ranks cells of NAS-Bench-201 after 100 labels of the
// trained accuracy on CIFAR-10. Kendall was 0.617 with the ranking loss (mean of
// ten splits, standard error 0.006), and 0.48 with the squared loss, which spends
// its splits on the few cells that learn nothing.
func TestCardGBDTNasBench(t *testing.T) {
	tb := nbTable(t, "c10_test_200ep")
	q := meanQuality(t, tb, Boosted{Loss: Rank, RowShare: 0.8}, 100, 3000, 10)
	t.Logf("rank: Spearman %.3f, Kendall %.3f, precision %.2f", q.Spearman, q.Kendall, q.Precision)
	if q.Kendall < 0.6 {
		t.Errorf("Kendall %.3f; expected at least 0.6", q.Kendall)
	}
}

// TestCardEnsembles: the bag is no worse than its best member's method, and far
// likelier: NLL of a single method is that of a normal distribution with its
// cross-validated error.
func TestCardEnsembles(t *testing.T) {
	f := loadFlexi(t)
	single := Boosted{RowShare: 0.8}
	const splits = 10
	var one, bag quality
	var nll float64
	for s := range splits {
		train, held := dataSplit(f.Table, 100, 300, uint64(s))
		a, err := single.Fit(t.Context(), train, uint64(s))
		if err != nil {
			t.Fatal(err)
		}
		b, err := Bagged{Learner: single}.Fit(t.Context(), train, uint64(s))
		if err != nil {
			t.Fatal(err)
		}
		one.add(judge(a, held), splits)
		bag.add(judge(b, held), splits)
		v, err := CrossValidate(t.Context(), single, train, 5, uint64(s))
		if err != nil {
			t.Fatal(err)
		}
		mean, sd := make([]float64, held.Rows()), make([]float64, held.Rows())
		a.Predict(held.X, mean, nil)
		for i := range sd {
			sd[i] = v.RMSE
		}
		nll += judgeMeans(mean, sd, held).NLL / splits
	}
	t.Logf("single: Spearman %.3f, NLL %.2f; bagged: %.3f, %.2f", one.Spearman, nll, bag.Spearman, bag.NLL)
	if bag.Spearman < one.Spearman-0.005 || bag.NLL > nll {
		t.Errorf("the bag has Spearman %.3f and NLL %.3f; one model has %.3f and %.3f", bag.Spearman, bag.NLL, one.Spearman, nll)
	}
}

// TestCardConformalFlexi: coverage 0.90 ± 0.03 over 50 splits of 200 rows.
func TestCardConformalFlexi(t *testing.T) {
	f := loadFlexi(t)
	splits := 50
	if testing.Short() {
		splits = 10
	}
	quick := Boosted{Trees: 60, RowShare: 0.8}
	for name, c := range map[string]struct {
		o      Conformal
		splits int
	}{
		"split":            {Conformal{Learner: quick, Split: true}, splits},
		"cv+":              {Conformal{Learner: quick, Folds: 5}, splits},
		"normalised split": {Conformal{Learner: Forest{Trees: 30}, Split: true, Normalised: true}, splits},
	} {
		held, width, all := 0.0, 0.0, 0.0
		for s := range c.splits {
			train, test := dataSplit(f.Table, 200, 300, uint64(s))
			m, err := c.o.Fit(t.Context(), train, uint64(s))
			if err != nil {
				t.Fatal(err)
			}
			lo, hi := make([]float64, 300), make([]float64, 300)
			m.(*ConformalModel).Interval(test.X, lo, hi)
			for i, y := range test.Y {
				all++
				width += hi[i] - lo[i]
				if lo[i] <= y && y <= hi[i] {
					held++
				}
			}
		}
		t.Logf("%s: coverage %.3f, mean width %.2f", name, held/all, width/all)
		if got := held / all; math.Abs(got-0.9) > 0.03 {
			t.Errorf("%s: coverage %.3f; expected 0.87 to 0.93", name, got)
		}
	}
}
