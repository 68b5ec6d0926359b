//go:build experiment

package predict

import (
	"math/rand/v2"
	"testing"

	"github.com/daedalus-search/daedalus/metric"
)

// The question of BRP-NAS: does learning the order find the best per cent better
// than learning the value? NAS-Bench-201, 100 labels.
func TestExperimentRankLoss(t *testing.T) {
	columns, x, col := nb201(t)
	all := &Table{Columns: columns, X: x, Y: col("c10_valid_12ep")}
	seeds := experimentSeeds(t)
	for _, loss := range []string{"squared", "huber", "gaussian", "logistic", "hinge"} {
		var q quality
		best := 0.0
		for s := range seeds {
			p := rand.New(rand.NewPCG(uint64(s), 12)).Perm(all.Rows())
			test := all.Select(p[1000:6000])
			m, err := MLP{Members: 3, Steps: 1000, Loss: loss}.Fit(t.Context(), all.Select(p[:100]), uint64(s))
			if err != nil {
				t.Fatal(err)
			}
			mean := make([]float64, test.Rows())
			m.Predict(test.X, mean, nil)
			r := judgeMeans(mean, nil, test)
			neg, y := make([]float64, len(mean)), make([]float64, len(mean))
			for i := range mean {
				neg[i], y[i] = -mean[i], -test.Y[i]
			}
			r.Precision = metric.PrecisionAtK(neg, y, 50)
			q.add(r, seeds)
			top := 0
			for i := range mean {
				if mean[i] > mean[top] {
					top = i
				}
			}
			best += test.Y[top] / float64(seeds)
		}
		t.Logf("%-9s Kendall %.3f, precision at 1 %% %.3f, the first choice has %.2f %%", loss, q.Kendall, q.Precision, best)
	}
}
