package predict

import (
	"fmt"
	"testing"
)

func TestCardScratch(t *testing.T) {
	f := loadFlexi(t)
	for _, n := range []int{50, 100, 200, 400} {
		test := 300
		if n == 400 {
			test = 100
		}
		for name, l := range map[string]Learner{
			"gbdt":     Boosted{Rate: 0.05, Depth: 4, MinLeaf: 5, RowShare: 0.8},
			"default":  Boosted{},
			"bagged":   Bagged{},
			"bagged20": Bagged{Members: 20, Learner: Boosted{Rate: 0.05, Depth: 4, MinLeaf: 3, RowShare: 0.8, ColumnShare: 0.8}},
			"forest":   Forest{},
			"forest3":  Forest{MinLeaf: 3},
			"ridge":    Ridge{},
		} {
			q := meanQuality(t, f.Table, l, n, test, 10)
			fmt.Printf("%d %s %.3f %.3f %.2f %.2f nll %.2f\n", n, name, q.Spearman, q.Kendall, q.Precision, q.RMSE, q.NLL)
		}
	}
}

func nbTable(t *testing.T, hot bool, which string) *Table {
	head, rows := dataTable(t, "nas-bench-201", "nasbench201.csv.gz")
	tb := &Table{}
	for e := range 6 {
		if !hot {
			tb.Columns = append(tb.Columns, Column{Name: fmt.Sprint(e), Levels: 5})
			continue
		}
		for o := range 5 {
			tb.Columns = append(tb.Columns, Column{Name: fmt.Sprint(e, o)})
		}
	}
	for _, r := range rows {
		code := int(r[head["ops"]])
		var x []float64
		for e := 5; e >= 0; e-- {
			o := code % 10
			code /= 10
			_ = e
			if hot {
				for k := range 5 {
					if k == o {
						x = append(x, 1)
					} else {
						x = append(x, 0)
					}
				}
			} else {
				x = append(x, float64(o))
			}
		}
		tb.Add(x, r[head[which]])
	}
	return tb
}

func TestCardNB(t *testing.T) {
	for _, which := range []string{"c10_valid_12ep", "c100_test_200ep"} {
		for _, hot := range []bool{false, true} {
			tb := nbTable(t, hot, which)
			for name, l := range map[string]Learner{
				"gbdt":       Boosted{Rate: 0.05, RowShare: 0.8, ColumnShare: 0.9},
				"gbdtml3":    Boosted{Rate: 0.05, RowShare: 0.8, ColumnShare: 0.9, MinLeaf: 3},
				"gbdtml3k0":  Boosted{Rate: 0.05, RowShare: 0.8, ColumnShare: 0.9, MinLeaf: 3, KindL2: -1, KindSmooth: -1},
				"gbdtml3k10": Boosted{Rate: 0.05, RowShare: 0.8, ColumnShare: 0.9, MinLeaf: 3, KindL2: 10, KindSmooth: 10},
				"gbdtml1":    Boosted{MinLeaf: 1},
				"default":    Boosted{},
				"rank":       Boosted{Loss: Rank},
				"lambdarank": Boosted{Loss: LambdaRank},
				"huber":      Boosted{Loss: Huber},
				"bagged":     Bagged{},
				"baggedml3":  Bagged{Learner: Boosted{Rate: 0.05, RowShare: 0.8, ColumnShare: 0.9, MinLeaf: 3}},
				"forest":     Forest{},
				"forest3":    Forest{MinLeaf: 3},
				"extra":      Forest{Extra: true, Whole: true},
				"ridge":      Ridge{},
			} {
				q := meanQuality(t, tb, l, 100, 15000, 10)
				fmt.Printf("%s hot %v %s %.3f %.3f %.2f %.2f nll %.2f\n", which, hot, name, q.Spearman, q.Kendall, q.Precision, q.RMSE, q.NLL)
			}
		}
	}
}

func TestCardVariants(t *testing.T) {
	f := loadFlexi(t)
	nb := nbTable(t, false, "c10_test_200ep")
	for name, l := range map[string]Learner{
		"default":           Boosted{},
		"rate05":            Boosted{Rate: 0.05},
		"row8":              Boosted{RowShare: 0.8},
		"row8rate05":        Boosted{RowShare: 0.8, Rate: 0.05},
		"row8col9":          Boosted{RowShare: 0.8, ColumnShare: 0.9},
		"row6":              Boosted{RowShare: 0.6},
		"leaves8":           Boosted{Leaves: 8},
		"l2":                Boosted{L2: 1},
		"l3":                Boosted{L2: 3},
		"row8 leaves8":      Boosted{RowShare: 0.8, Leaves: 8},
		"row8 ml4 leaves8":  Boosted{RowShare: 0.8, Leaves: 8, MinLeaf: 4},
		"rank":              Boosted{Loss: Rank, RowShare: 0.8},
		"rank leaves 8":     Boosted{Loss: Rank, RowShare: 0.8, Leaves: 8},
		"rank leaves 8 .05": Boosted{Loss: Rank, RowShare: 0.8, Leaves: 8, Rate: 0.05},
		"rank ml3 .05":      Boosted{Loss: Rank, RowShare: 0.8, Rate: 0.05, MinLeaf: 3},
		"rank bagged":       Bagged{Learner: Boosted{Loss: Rank, RowShare: 0.8}},
	} {
		q := meanQuality(t, nb, l, 100, 3000, 10)
		p := meanQuality(t, f.Table, l, 100, 300, 10)
		fmt.Printf("%-20s nb %.3f %.3f %.2f %.2f   flexi %.3f %.3f %.2f %.2f\n", name, q.Spearman, q.Kendall, q.Precision, q.RMSE, p.Spearman, p.Kendall, p.Precision, p.RMSE)
	}
}
