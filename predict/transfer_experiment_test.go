//go:build experiment

package predict

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/daedalus-search/daedalus/metric"
)

// nb201 is NAS-Bench-201: cells as six categories, and columns of the file.
func nb201(tb testing.TB) (columns []Column, x []float64, col func(name string) []float64) {
	tb.Helper()
	head, text := dataRecords(tb, "nas-bench-201", "nasbench201.csv.gz")
	_, rows := dataTable(tb, "nas-bench-201", "nasbench201.csv.gz")
	for e := range 6 {
		columns = append(columns, Column{Name: fmt.Sprintf("e%d", e), Levels: 5})
	}
	for _, r := range text {
		for _, c := range r[head["ops"]] {
			x = append(x, float64(c-'0'))
		}
	}
	return columns, x, func(name string) []float64 {
		out := make([]float64, len(rows))
		for i, r := range rows {
			out[i] = r[head[name]]
		}
		return out
	}
}

// freeStatistics are what is known of every cell without training: of the whole
// cell its parameters and operations, and of the part of it that something goes
// through the count of each operation, the longest way, and how many ways there
// are.
func freeStatistics(t *testing.T, x []float64) (stats [][]float64) {
	stats = make([][]float64, 6)
	for i := 0; i < len(x); i += 6 {
		ops := make([]int, 6)
		for e := range ops {
			ops[e] = int(x[i+e])
		}
		g, err := OpsOnEdges(4, cellEdges, ops, 0)
		if err != nil {
			t.Fatal(err)
		}
		count := make([]float64, 7)
		depth, ways := make([]float64, len(g.Labels)), make([]float64, len(g.Labels))
		ways[0] = 1
		for n, l := range g.Labels {
			count[l]++
			for _, e := range g.Edges {
				if e[1] == n {
					depth[n] = max(depth[n], depth[e[0]]+1)
					ways[n] += ways[e[0]]
				}
			}
		}
		last := len(g.Labels) - 1
		for k, v := range []float64{count[3], count[4], count[5], count[6], depth[last], ways[last]} {
			stats[k] = append(stats[k], v)
		}
	}
	return stats
}

// The card of FBNetV3: statistics of 2,000 cells that nobody trained, 50 labels.
func TestExperimentPretrain(t *testing.T) {
	columns, x, col := nb201(t)
	size := [][]float64{col("params_c10_derived"), col("flops_c10_derived")}
	shape := append(size[:2:2], freeStatistics(t, x)...)
	seeds := experimentSeeds(t)
	const labels = 50
	for _, target := range []string{"c10_valid_12ep", "c100_valid_12ep", "in16_valid_12ep"} {
		all := &Table{Columns: columns, X: x, Y: col(target)}
		sums := make([]quality, 5) // without, size, size and shape, ridge, parameters
		wins := [3]int{}
		for s := range seeds {
			p := rand.New(rand.NewPCG(uint64(s), 9)).Perm(all.Rows())
			free, train, test := all.Select(p[:2000]), all.Select(p[2000:2000+labels]), all.Select(p[3000:5000])
			net := MLP{Members: 3, Steps: 1000, Loss: "huber"}
			first := net
			first.Loss = ""
			learners := []Learner{net}
			for _, stats := range [][][]float64{size, shape} {
				var drawn [][]float64
				for _, st := range stats {
					var one []float64
					for _, i := range p[:2000] {
						one = append(one, st[i])
					}
					drawn = append(drawn, one)
				}
				pre, err := Pretrain{Net: first}.Fit(t.Context(), columns, free.X, drawn, uint64(s))
				if err != nil {
					t.Fatal(err)
				}
				learners = append(learners, pre)
			}
			var got [3]float64
			for k, l := range append(learners, Ridge{}) {
				m, err := l.Fit(t.Context(), train, uint64(s))
				if err != nil {
					t.Fatal(err)
				}
				q := judge(m, test)
				sums[k].add(q, seeds)
				if k < 3 {
					got[k] = q.Kendall
					if got[k] > got[0] {
						wins[k]++
					}
				}
			}
			var ps []float64
			for _, i := range p[3000:5000] {
				ps = append(ps, size[0][i])
			}
			sums[4].Kendall += metric.Kendall(ps, test.Y) / float64(seeds)
		}
		t.Logf("%d labels of %s: Kendall %.3f without, %.3f with parameters and FLOPs (better %d of %d), %.3f with shape too (better %d of %d); ridge %.3f, parameters %.3f", labels, target,
			sums[0].Kendall, sums[1].Kendall, wins[1], seeds, sums[2].Kendall, wins[2], seeds, sums[3].Kendall, sums[4].Kendall)
	}
}

// The card of AIO-P: a backbone of 500 labels on CIFAR-10, 20 labels elsewhere.
func TestExperimentTransfer(t *testing.T) {
	columns, x, col := nb201(t)
	c10 := &Table{Columns: columns, X: x, Y: col("c10_valid_12ep")}
	seeds := experimentSeeds(t)
	for _, target := range []string{"in16_valid_12ep", "c100_valid_12ep", "lat_ms_pixel3", "lat_ms_fpga"} {
		task := &Table{Columns: columns, X: x, Y: col(target)}
		sums := make([]quality, 4)
		for s := range seeds {
			p := rand.New(rand.NewPCG(uint64(s), 10)).Perm(task.Rows())
			back, err := MLP{Members: 3, Steps: 2000}.Fit(t.Context(), c10.Select(p[:500]), uint64(s))
			if err != nil {
				t.Fatal(err)
			}
			var before, after bytes.Buffer
			Save(&before, back, columns)
			few, test := task.Select(p[500:520]), task.Select(p[2000:5000])
			for k, l := range []Learner{MLP{Members: 3, Steps: 1000}, Transfer{Backbone: back, Whole: true}, Transfer{Backbone: back}} {
				m, err := l.Fit(t.Context(), few, uint64(s))
				if err != nil {
					t.Fatal(err)
				}
				sums[k].add(judge(m, test), seeds)
			}
			sums[3].add(judge(back, test), seeds)
			if Save(&after, back, columns); !bytes.Equal(before.Bytes(), after.Bytes()) {
				t.Error("the backbone has changed")
			}
		}
		t.Logf("%s: Spearman scratch %.3f, fine-tuned %.3f, adapter %.3f, backbone alone %.3f; RMSE %.3f, %.3f, %.3f", target,
			sums[0].Spearman, sums[1].Spearman, sums[2].Spearman, sums[3].Spearman, sums[0].RMSE, sums[1].RMSE, sums[2].RMSE)
	}
}

// The card of ensembles on FLEXI with 100 labels: a mixture is not worse than the
// best of its members and knows better how sure it is.
func TestExperimentStack(t *testing.T) {
	f := loadFlexi(t)
	seeds := experimentSeeds(t)
	for _, l := range []Learner{Ridge{}, Neighbors{}, Boosted{}, GP{}, MLP{}, MLP{Members: 1}, MLP{Loss: "gaussian"}, MLP{Dropout: 0.3, Passes: 10}, Stack{}, Stack{Learners: []Learner{Ridge{}, Neighbors{}, Boosted{}, GP{}, MLP{Loss: "gaussian"}}}} {
		q := meanQuality(t, f.Table, l, 100, 300, seeds)
		t.Logf("%T%s: Spearman %.4f Kendall %.4f RMSE %.3f NLL %.3f", l, fmt.Sprint(l), q.Spearman, q.Kendall, q.RMSE, q.NLL)
	}
}
