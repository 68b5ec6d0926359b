package predict_test

import (
	"testing"

	"github.com/daedalus-search/daedalus/predict"
	"github.com/daedalus-search/daedalus/predict/predicttest"
)

func TestForestLaws(t *testing.T) {
	for name, c := range map[string]struct {
		o       predict.Forest
		options []predicttest.Option
	}{
		"default":  {predict.Forest{}, nil},
		"whole":    {predict.Forest{Whole: true, ColumnShare: 1, Trees: 1, MinLeaf: 3}, []predicttest.Option{predicttest.RowOrder(1e-9)}},
		"extra":    {predict.Forest{Extra: true, Whole: true}, nil},
		"small":    {predict.Forest{RowShare: 0.5, Leaves: 20}, nil},
		"smac":     {predict.Forest{Trees: 10, MinLeaf: 3}, nil},
		"few bins": {predict.Forest{Bins: 7, Depth: 6, Whole: true, RowShare: 0.8}, nil},
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

func BenchmarkForestFit(b *testing.B) {
	tb := wideTable(10_000, 50)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := (predict.Forest{}).Fit(b.Context(), tb, 1); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkForestSmall(b *testing.B) {
	tb := wideTable(200, 20)
	for b.Loop() {
		if _, err := (predict.Forest{}).Fit(b.Context(), tb, 1); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkForestPredict(b *testing.B) {
	tb := wideTable(10_000, 20)
	m, err := predict.Forest{}.Fit(b.Context(), tb, 1)
	if err != nil {
		b.Fatal(err)
	}
	out, sd := make([]float64, tb.Rows()), make([]float64, tb.Rows())
	for b.Loop() {
		m.Predict(tb.X, out, sd)
	}
	b.ReportMetric(float64(b.N)*float64(tb.Rows())/b.Elapsed().Seconds(), "rows/s")
}
