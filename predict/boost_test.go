package predict_test

import (
	"testing"

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
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			predicttest.Run(t, c.o, c.options...)
		})
	}
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
