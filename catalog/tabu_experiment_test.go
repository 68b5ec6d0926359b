//go:build experiment

package catalog_test

import (
	"archive/zip"
	"cmp"
	"encoding/csv"
	"math"
	"slices"
	"strconv"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/predict"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/local"
	"github.com/daedalus-search/daedalus/search/sample"
	"github.com/daedalus-search/daedalus/space"
)

// goodWines is the table of red wines with 1 for those of quality 6 and more.
func goodWines(t *testing.T) *predict.Table {
	t.Helper()
	z, err := zip.OpenReader("../../shared/data/tabular-uci/uci_regression.zip")
	if err != nil {
		t.Skipf("the UCI sets are not at hand: %v", err)
	}
	defer z.Close()
	f, err := z.Open("wine-quality-red.csv")
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
		y := 0.0
		if x[len(x)-1] >= 6 {
			y = 1
		}
		tb.Add(x[:len(x)-1], y)
	}
	return tb
}

// auc is the area under the curve of true by false positives: how often a row of
// class 1 is above one of class 0, ties half.
func auc(score, class []float64) float64 {
	order := make([]int, len(score))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(score[i], score[j]) })
	sum, ones := 0.0, 0.0
	for i := 0; i < len(order); {
		j := i
		for j < len(order) && score[order[j]] == score[order[i]] {
			j++
		}
		for _, k := range order[i:j] {
			if class[k] == 1 {
				sum += float64(i+j+1) / 2 // the mean rank of equal ones
				ones++
			}
		}
		i = j
	}
	zeros := float64(len(order)) - ones
	return (sum - ones*(ones+1)/2) / (ones * zeros)
}

// TestExperimentTabu is the card of tabu search: boosted trees on red wines,
// five-fold AUC, 60 trials of tabu against a grid of 60 settings over the three
// parameters that matter most, the others as they come; ten splits with a fifth of
// the rows put aside, on which both choices are measured as well.
//
//	go test ./catalog -tags experiment -run ExperimentTabu -v
func TestExperimentTabu(t *testing.T) {
	all := goodWines(t)
	tuned := space.MustNew(
		space.Ordinal("rate", 0.01, 0.02, 0.05, 0.1, 0.2, 0.4), space.Ordinal("leaves", 4, 8, 16, 32, 64), space.Ordinal("min_leaf", 1, 3, 10, 20, 40),
		space.Ordinal("l2", 0.01, 0.1, 1, 10), space.Ordinal("column_share", 0.3, 0.5, 0.7, 1), space.Ordinal("row_share", 0.4, 0.6, 0.8, 1))
	grid := space.MustNew(space.Ordinal("rate", 0.02, 0.05, 0.1, 0.2, 0.4), space.Ordinal("leaves", 4, 8, 16, 32), space.Ordinal("min_leaf", 3, 10, 20))
	const splits, trials, folds = 10, 60, 5
	learner := func(d space.Design) predict.Boosted {
		b := predict.Boosted{Trees: 50, Loss: predict.Logistic}
		for name, v := range d.Map() {
			x := v.(float64)
			switch name {
			case "rate":
				b.Rate = x
			case "leaves":
				b.Leaves = int(x)
			case "min_leaf":
				b.MinLeaf = int(x)
			case "l2":
				b.L2 = x
			case "column_share":
				b.ColumnShare = x
			case "row_share":
				if x < 1 {
					b.RowShare = x
				}
			}
		}
		return b
	}
	score := func(b predict.Boosted, in, out *predict.Table) float64 {
		m, err := b.Fit(t.Context(), in, 1)
		if err != nil {
			t.Error(err)
			return 0
		}
		mean := make([]float64, out.Rows())
		m.Predict(out.X, mean, nil)
		return auc(mean, out.Y)
	}
	methods := []struct {
		name   string
		method search.Method
		space  *space.Space
	}{{"tabu", local.Tabu{}, tuned}, {"grid", sample.Grid{}, grid}, {"random", sample.Random{}, tuned}}
	seen, unseen := map[string][]float64{}, map[string][]float64{} // 1 - AUC
	for _, m := range methods {
		seen[m.name], unseen[m.name] = make([]float64, splits), make([]float64, splits)
	}
	eachSeed(t, splits, func(split int) error {
		order := rng.New(uint64(split), "tabu", 0).Perm(all.Rows())
		fifth := len(order) / 5
		aside, known := all.Select(order[:fifth]), order[fifth:]
		var train, valid [folds]*predict.Table
		for f := range folds {
			var in, out []int
			for i, row := range known {
				if i%folds == f {
					out = append(out, row)
				} else {
					in = append(in, row)
				}
			}
			train[f], valid[f] = all.Select(in), all.Select(out)
		}
		for _, m := range methods {
			best, at := math.Inf(1), space.Design{}
			_, err := minimise(m.method, search.Setup{Space: m.space, Seed: uint64(split)}, trials, func(d space.Design, _ int) float64 {
				sum := 0.0
				for f := range folds {
					sum += score(learner(d), train[f], valid[f]) / folds
				}
				if 1-sum < best {
					best, at = 1-sum, d
				}
				return 1 - sum
			})
			if err != nil {
				return err
			}
			seen[m.name][split], unseen[m.name][split] = best, 1-score(learner(at), all.Select(known), aside)
		}
		return nil
	})
	for _, m := range methods {
		t.Logf("%-7s 1 - AUC: five folds %s, rows put aside %s", m.name, moments(seen[m.name]), moments(unseen[m.name]))
	}
	for _, other := range []string{"grid", "random"} {
		t.Logf("tabu against %s: five folds %s; rows put aside %s", other, against(seen["tabu"], seen[other]), against(unseen["tabu"], unseen[other]))
	}
}
