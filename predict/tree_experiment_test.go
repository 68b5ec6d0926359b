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

func TestExperimentUCI(t *testing.T) {
	for _, c := range []struct {
		name   string
		splits int
	}{
		{"kin8nm", 5}, {"power-plant", 5}, {"protein-tertiary-structure", 2}, {"concrete", 20}, {"energy", 20}, {"wine-quality-red", 20}, {"naval-propulsion-plant", 5},
	} {
		tb, splits := uci(t, c.name)
		var b, third, all float64
		for _, test := range splits[:c.splits] {
			in, out := cut(tb, test)
			b += rmse(t, predict.Boosted{MinLeaf: 20}, in, out, 1)
			seeds := 3
			if tb.Rows() > 20_000 {
				seeds = 1
			}
			for s := range seeds {
				third += rmse(t, predict.Forest{MinSplit: 2, ColumnShare: 1. / 3}, in, out, uint64(s)) / float64(seeds)
				all += rmse(t, predict.Forest{MinSplit: 2, ColumnShare: 1}, in, out, uint64(s)) / float64(seeds)
			}
		}
		n := float64(c.splits)
		fmt.Printf("%-28s boosted %.6f forest third %.6f all %.6f\n", c.name, b/n, third/n, all/n)
	}
}
