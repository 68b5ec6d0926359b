package predict

import (
	"math"

	"github.com/daedalus-search/daedalus/predict/internal/nn"
)

// rankLosses judge outputs by their order alone; see [MLP.Loss].
var rankLosses = map[string]func(out, grad, y, w []float64) float64{
	"logistic": rankPairs(func(d float64) (loss, slope float64) {
		return nn.SoftplusOf(-d), -nn.Sigmoid(-d)
	}),
	"hinge": rankPairs(func(d float64) (loss, slope float64) {
		const margin = 0.1
		if d >= margin {
			return 0, 0
		}
		return margin - d, -1
	}),
}

// rankPairs averages a loss of differences sᵢ − sⱼ over pairs with yᵢ > yⱼ. A
// pair weighs the geometric mean of its rows.
func rankPairs(f func(d float64) (loss, slope float64)) func(out, grad, y, w []float64) float64 {
	return func(out, grad, y, w []float64) float64 {
		var loss, total float64
		for i := range y {
			for j := range y {
				if y[i] <= y[j] {
					continue
				}
				pair := math.Sqrt(float64(w[i] * w[j]))
				total += pair
				l, g := f(out[i] - out[j])
				loss += float64(pair * l)
				if grad != nil {
					grad[i] += float64(pair * g)
					grad[j] -= float64(pair * g)
				}
			}
		}
		if total == 0 {
			return 0
		}
		for i := range grad {
			grad[i] /= total
		}
		return loss / total
	}
}
