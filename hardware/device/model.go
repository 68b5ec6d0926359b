package device

import (
	"math"

	"github.com/daedalus-search/daedalus/internal/detmath"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/predict"
)

// A Model predicts the latency of the networks of one space on one device. It
// is immutable and safe for concurrent use.
type Model interface {
	Space() *Space
	// Device names the device, and where it matters the batch size.
	Device() string
	// LatencyMS predicts the latency of a network in milliseconds. It is
	// positive and finite. The network must pass [Space.Check].
	LatencyMS(x []uint8) float64
}

// leastMS is below what any network takes, a nanosecond: predictions do not fall
// to zero.
const leastMS = 1e-6

// An Accuracy says how well a model predicts networks that it has not seen.
type Accuracy struct {
	Networks int
	Spearman float64 // rank correlation
	MAPE     float64 // mean of |predicted − measured| / measured, in percent
	RMSE     float64 // root mean squared error as a share of the mean, in percent
	Within10 float64 // networks predicted within ±10 % of what was measured, in percent
}

// Compare says how predicted latencies meet measured ones.
func Compare(predicted, measured []float64) Accuracy {
	a := Accuracy{Networks: len(measured), Spearman: predict.Assess(predicted, nil, measured, 1).Spearman}
	if len(measured) == 0 {
		return a
	}
	n := float64(len(measured))
	var mean, square float64
	for i, y := range measured {
		e := predicted[i] - y
		mean += y
		square += float64(e * e)
		share := math.Abs(e) / y
		a.MAPE += share
		if share <= 0.1 {
			a.Within10++
		}
	}
	a.MAPE *= 100 / n
	a.Within10 *= 100 / n
	a.RMSE = 100 * math.Sqrt(square/n) / (mean / n)
	return a
}

// Assess compares a model with measurements.
func Assess(m Model, t Timings) Accuracy {
	p := make([]float64, len(t.MS))
	for i := range p {
		p[i] = m.LatencyMS(t.Network(i))
	}
	return Compare(p, t.MS)
}

// A Family is what a device is called without the batch size at its end: 1080ti
// for 1080ti_32. Settings of one family are one piece of hardware, so a device is
// unseen only if its whole family is.
func Family(device string) string {
	end := len(device)
	for end > 0 && device[end-1] >= '0' && device[end-1] <= '9' {
		end--
	}
	// a batch size has at most three digits; gold_6226 is a name
	if n := len(device) - end; n == 0 || n > 3 || end < 2 || device[end-1] != '_' {
		return device
	}
	return device[:end-1]
}

// TargetReward is ArchGym's reward for coming near a target (Krishnan et al.,
// "ArchGym: An Open-Source Gymnasium for Machine Learning Assisted Architecture
// Design", ISCA 2023): target / |target − observed|, the larger the better. At
// the target, where that is infinite, it is 1e9, and it never exceeds that.
func TargetReward(target, observed float64) float64 {
	return metric.TargetReward(target, observed, 1e9)
}

func log(x float64) float64 { return detmath.Log(max(x, leastMS)) }
func exp(x float64) float64 { return max(detmath.Exp(min(x, 700)), leastMS) }
