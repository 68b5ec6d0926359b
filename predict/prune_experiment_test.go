//go:build experiment

package predict_test

import (
	"cmp"
	"math"
	"slices"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/predict"
	"github.com/daedalus-search/daedalus/problems/nasbench201"
)

// TestExperimentPruning shrinks NAS-Bench-201 after 60 random cells, as GBDT-NAS
// does (Luo et al. 2020): on each edge the two operations go whose mean Shapley
// value over the cells that have them is lowest, in boosted trees fitted to the
// 60; beside it, those whose cells have the lowest mean accuracy. Another 40 cells
// are drawn from the 729 that are left. Survival is that of the best cell by the
// signal, validation accuracy after 12 epochs.
//
//	go test ./predict -tags experiment -run ExperimentPruning -v
func TestExperimentPruning(t *testing.T) {
	p, err := nasbench201.New(nasbench201.Options{Disconnected: "keep"})
	if err != nil {
		t.Fatal(err)
	}
	enc, err := predict.Decisions(p.Space())
	if err != nil {
		t.Fatal(err)
	}
	const seeds, first, rest, edges, ops, drop = 200, 60, 40, 6, 5, 2
	var rows []float64
	cells := make([][]int, 15_625) // operation of each edge
	for i := range cells {
		d := p.Design(nasbench201.Cell(i))
		if rows, err = enc.Encode(rows, d); err != nil {
			t.Fatal(err)
		}
		for _, a := range d.Decisions(nil) {
			cells[i] = append(cells[i], a.Index)
		}
	}
	width := len(enc.Columns())
	if width != edges {
		t.Fatalf("%d columns, expected one for each edge", width)
	}
	for _, set := range []nasbench201.Dataset{nasbench201.CIFAR10, nasbench201.CIFAR100, nasbench201.ImageNet16} {
		signal, err := nasbench201.Accuracies(set, nasbench201.Valid12)
		if err != nil {
			t.Fatal(err)
		}
		report, err := nasbench201.Accuracies(set, nasbench201.Test200)
		if err != nil {
			t.Fatal(err)
		}
		best := 0
		for i, v := range signal {
			if v > signal[best] {
				best = i
			}
		}
		run := func(seed uint64, score func(sample []int) (worth [edges][ops]float64)) (returned float64, survived bool) {
			r := rng.New(seed, "prune", 0)
			sample := r.Perm(len(cells))[:first]
			var keep [edges][ops]bool
			if score != nil {
				worth := score(sample)
				for e := range edges {
					order := []int{0, 1, 2, 3, 4}
					slices.SortFunc(order, func(a, b int) int { return cmp.Compare(worth[e][b], worth[e][a]) })
					for _, o := range order[:ops-drop] {
						keep[e][o] = true
					}
				}
			}
			legal := func(i int) bool {
				for e, o := range cells[i] {
					if score != nil && !keep[e][o] {
						return false
					}
				}
				return true
			}
			seen := map[int]bool{}
			top := sample[0]
			for _, i := range sample {
				seen[i] = true
				if signal[i] > signal[top] {
					top = i
				}
			}
			for n := 0; n < rest; {
				if i := r.IntN(len(cells)); !seen[i] && legal(i) {
					seen[i] = true
					n++
					if signal[i] > signal[top] {
						top = i
					}
				}
			}
			return report[top], legal(best)
		}
		means := func(sample []int, value func(k, e int) float64) (worth [edges][ops]float64) {
			var n [edges][ops]float64
			for k, i := range sample {
				for e, o := range cells[i] {
					worth[e][o] += value(k, e)
					n[e][o]++
				}
			}
			for e := range edges {
				for o := range ops {
					if n[e][o] == 0 {
						worth[e][o] = math.Inf(1) // nothing is known against it
					} else {
						worth[e][o] /= n[e][o]
					}
				}
			}
			return worth
		}
		marginal := func(sample []int) [edges][ops]float64 {
			return means(sample, func(k, _ int) float64 { return signal[sample[k]] })
		}
		shapley := func(loss predict.Loss) func(sample []int) [edges][ops]float64 {
			return func(sample []int) [edges][ops]float64 {
				tb := &predict.Table{Columns: enc.Columns()}
				for _, i := range sample {
					tb.Add(rows[i*width:(i+1)*width], signal[i])
				}
				m, err := predict.Boosted{MinLeaf: 3, Loss: loss}.Fit(t.Context(), tb, 1)
				if err != nil {
					t.Fatal(err)
				}
				phi := make([]float64, len(sample)*width)
				m.(*predict.BoostedModel).Shap(tb.X, phi)
				return means(sample, func(k, e int) float64 { return phi[k*width+e] })
			}
		}
		for _, c := range []struct {
			name  string
			score func([]int) [edges][ops]float64
		}{{"none", nil}, {"marginal means", marginal}, {"Shapley means", shapley("")}, {"Shapley means, ranking loss", shapley(predict.Rank)}} {
			sum, squares, survived := 0.0, 0.0, 0
			for seed := range uint64(seeds) {
				v, ok := run(seed, c.score)
				sum += v
				squares += v * v
				if ok {
					survived++
				}
			}
			m := sum / seeds
			t.Logf("%-10s %-28s returned %.2f ± %.2f, the best cell survives in %d of %d", set, c.name, m, math.Sqrt(squares/seeds-m*m), survived, seeds)
		}
	}
}
