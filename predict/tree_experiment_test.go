//go:build experiment

package predict_test

import (
	"archive/zip"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"testing"

	"github.com/daedalus-search/daedalus/predict"
)

// uci returns a set of shared/data/tabular-uci and its test splits.
func uci(t *testing.T, name string) (*predict.Table, [][]int) {
	t.Helper()
	z, err := zip.OpenReader("../../shared/data/tabular-uci/uci_regression.zip")
	if err != nil {
		t.Skipf("the UCI sets are not at hand: %v", err)
	}
	defer z.Close()
	f, err := z.Open(name + ".csv")
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	tb := &predict.Table{}
	for _, c := range rows[0][:len(rows[0])-1] {
		tb.Columns = append(tb.Columns, predict.Column{Name: c})
	}
	for _, r := range rows[1:] {
		x := make([]float64, len(r))
		for j, s := range r {
			if x[j], err = strconv.ParseFloat(s, 64); err != nil {
				t.Fatal(err)
			}
		}
		tb.Add(x[:len(x)-1], x[len(x)-1])
	}
	f, err = z.Open("test_splits.json")
	if err != nil {
		t.Fatal(err)
	}
	splits := map[string][][]int{}
	if err := json.NewDecoder(f).Decode(&splits); err != nil {
		t.Fatal(err)
	}
	return tb, splits[name]
}

// cut parts a table into training and test rows.
func cut(tb *predict.Table, test []int) (in, out *predict.Table) {
	held := map[int]bool{}
	for _, i := range test {
		held[i] = true
	}
	var rest []int
	for i := range tb.Y {
		if !held[i] {
			rest = append(rest, i)
		}
	}
	return tb.Select(rest), tb.Select(test)
}

func rmse(t *testing.T, l predict.Learner, in, out *predict.Table, seed uint64) float64 {
	t.Helper()
	m, err := l.Fit(t.Context(), in, seed)
	if err != nil {
		t.Fatal(err)
	}
	mean, sum := make([]float64, out.Rows()), 0.0
	m.Predict(out.X, mean, nil)
	for i, y := range out.Y {
		sum += (mean[i] - y) * (mean[i] - y)
	}
	return math.Sqrt(sum / float64(out.Rows()))
}

// uciReference are the mean root mean squared errors of LightGBM 4.7.0
// (objective=regression, num_leaves=31, learning_rate=0.1, min_data_in_leaf=20,
// 100 rounds, the rest by default) on the first test splits of each set.
var uciReference = []struct {
	name   string
	splits int
	error  float64
}{
	{"kin8nm", 10, 0.124226},
	{"power-plant", 10, 3.35821},
	{"concrete", 20, 4.45701},
	{"energy", 20, 0.548741},
	{"wine-quality-red", 20, 0.589405},
	{"naval-propulsion-plant", 10, 0.00132323},
	{"protein-tertiary-structure", 3, 4.14655},
}

// forestReference are those of scikit-learn 1.9.1's
// RandomForestRegressor(100, max_features=1.0, random_state=0, 1, …), the rest by
// default: trees grown to the last row from all columns.
var forestReference = []struct {
	name          string
	splits, seeds int
	error         float64
}{
	{"kin8nm", 5, 3, 0.139387},
	{"power-plant", 2, 2, 3.239408},
	{"concrete", 8, 2, 4.8268},
	{"energy", 8, 2, 0.489927},
	{"wine-quality-red", 8, 2, 0.577706},
	{"naval-propulsion-plant", 1, 1, 0.001067},
	{"protein-tertiary-structure", 1, 1, 3.511938},
}

// TestExperimentUCIBoosted prints our errors beside LightGBM's. Within 1 % is
// required of at least three sets.
func TestExperimentUCIBoosted(t *testing.T) {
	near := 0
	for _, c := range uciReference {
		tb, splits := uci(t, c.name)
		sum := 0.0
		for _, test := range splits[:c.splits] {
			in, out := cut(tb, test)
			sum += rmse(t, predict.Boosted{MinLeaf: 20, Rate: 0.1}, in, out, 1) / float64(c.splits)
		}
		fmt.Printf("| %s | %d | %.5g | %.5g | %+.1f %% |\n", c.name, c.splits, c.error, sum, 100*(sum/c.error-1))
		if sum < 1.01*c.error {
			near++
		}
	}
	if near < 3 {
		t.Errorf("within 1 %% on %d sets; expected three at least", near)
	}
}

// TestExperimentUCIForest prints our errors beside scikit-learn's.
func TestExperimentUCIForest(t *testing.T) {
	near := 0
	for _, c := range forestReference {
		tb, splits := uci(t, c.name)
		sum, quick := 0.0, 0.0
		for _, test := range splits[:c.splits] {
			in, out := cut(tb, test)
			for s := range c.seeds {
				n := float64(c.seeds * c.splits)
				sum += rmse(t, predict.Forest{MinLeaf: 1, MinSplit: 2, ColumnShare: 1}, in, out, uint64(s)) / n
				quick += rmse(t, predict.Forest{}, in, out, uint64(s)) / n
			}
		}
		fmt.Printf("| %s | %d × %d | %.5g | %.5g | %+.1f %% | %.5g |\n", c.name, c.splits, c.seeds, c.error, sum, 100*(sum/c.error-1), quick)
		if sum < 1.01*c.error {
			near++
		}
	}
	if near < 3 {
		t.Errorf("within 1 %% on %d sets; expected three at least", near)
	}
}
