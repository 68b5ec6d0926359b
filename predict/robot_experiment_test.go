//go:build experiment

package predict

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// The card of RoBoT: 20 evaluations on FLEXI, where the combination helps, and
// on RNNLM, where it misleads.
func TestExperimentRoBoT(t *testing.T) {
	f := loadFlexi(t)
	eight := [][]float64{}
	for i, n := range f.Proxies {
		if !slices.Contains([]string{"Synaptic Diversity Normalized", "Synaptic Saliency Normalized", "Activation Distance Normalized", "Jacobian Score Normalized", "Head Importance Normalized", "Head Confidence Normalized", "Head Softmax Confidence Normalized"}, n) {
			eight = append(eight, f.Proxy[i])
		}
	}
	names, rnn, loss := loadRNN(t)
	rnn = rnn[:len(rnn)-1] // without parameters
	gain := make([]float64, len(loss))
	for i, l := range loss {
		gain[i] = -l
	}
	covariance := slices.Index(names, "Layer 1 Hidden Covariance")
	for _, set := range []struct {
		name    string
		metrics [][]float64
		y       []float64
		single  []float64
	}{{"FLEXI, 8 metrics", eight, f.Y, f.Proxy[slices.Index(f.Proxies, "Head Confidence")]}, {"FLEXI, all metrics", f.Proxy, f.Y, nil}, {"RNNLM", rnn, gain, rnn[covariance]}} {
		seeds := 50
		report := func(what string, v []float64, extra map[string]int) {
			mean, sd := 0.0, 0.0
			for _, x := range v {
				mean += x / float64(len(v))
			}
			for _, x := range v {
				sd += (x - mean) * (x - mean) / float64(len(v)-1)
			}
			t.Logf("%-20s %-24s %.4f ± %.4f %v", set.name, what, mean, math.Sqrt(sd), extra)
		}
		var random []float64
		for seed := range seeds {
			best := math.Inf(-1)
			for _, i := range rand.New(rand.NewPCG(uint64(seed), 5)).Perm(len(set.y))[:20] {
				best = max(best, set.y[i])
			}
			random = append(random, best)
		}
		report("random search", random, nil)
		if set.single != nil {
			best := math.Inf(-1)
			for _, i := range robotOrder(set.single)[:20] {
				best = max(best, set.y[i])
			}
			report("best single metric", []float64{best, best}, nil)
		}
		for _, o := range []struct {
			name string
			r    RoBoT
		}{
			{"pure, ranks, local", RoBoT{Pure: true, Local: true}}, {"pure, min-max, local", RoBoT{Pure: true, Local: true, MinMax: true}},
			{"pure, ranks, GP", RoBoT{Pure: true}}, {"pure, min-max, GP", RoBoT{Pure: true, MinMax: true}},
			{"guarded, local", RoBoT{Local: true}}, {"guarded, GP", RoBoT{}}, {"guarded, GP, 2 errors", RoBoT{Threshold: 2}},
		} {
			var v []float64
			ranking := map[string]int{}
			for seed := range seeds {
				res, err := o.r.Run(t.Context(), set.metrics, func(i int) (float64, error) { return set.y[i], nil }, uint64(seed))
				if err != nil {
					t.Fatal(err)
				}
				v = append(v, res.Value)
				ranking[res.Ranking]++
			}
			report(o.name, v, ranking)
		}
	}
}
