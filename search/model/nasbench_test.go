package model

import (
	"math"
	"testing"

	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/space"
)

// TestNASBench201 repeats the protocol of the reference numbers: 100 distinct
// cells, chosen by validation accuracy after 12 epochs; reported is the test
// accuracy after 200 epochs of the best by that signal. The references are
// means over 100 seeds (multivariate: standard deviations 0.26, 0.92, 0.92)
// with another implementation.
func TestNASBench201(t *testing.T) {
	t.Parallel()
	table := loadNB201(t)
	full := !testing.Short() && !raceEnabled
	want := map[string][3]float64{
		"univariate":   {94.19, 72.17, 45.88},
		"multivariate": {94.20, 72.33, 45.93},
	}
	for name, o := range map[string]TPE{"univariate": {Univariate: true}, "multivariate": {}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for i, set := range []string{"c10", "c100", "in16"} {
				seeds := 100
				switch {
				case !full:
					seeds = 20
				case i == 0:
					seeds = 300
				}
				mean, sd := nasbench(t, o, table[set], seeds)
				// Four standard errors of the difference. To be above is no
				// mistake: here the best by the signal is not the best by the
				// report, so the mean says little about convergence.
				below := 4 * math.Sqrt(sd*sd/float64(seeds)+sd*sd/100)
				t.Logf("%s: %.2f ± %.2f, reference %.2f", set, mean, sd, want[name][i])
				if mean < want[name][i]-below {
					t.Errorf("%s: %.3f, expected at least %.2f - %.3f", set, mean, want[name][i], below)
				}
				if d := mean - want[name][i]; i == 0 && math.Abs(d) > max(0.15, below) {
					t.Errorf("%s: %.3f, expected %.2f ± 0.15", set, mean, want[name][i])
				}
				if i == 0 && mean < 93.99 {
					t.Errorf("CIFAR-10: %.3f, expected more than regularized evolution's 93.99", mean)
				}
			}
		})
	}
}

func nasbench(t *testing.T, o TPE, table *nb201, seeds int) (mean, sd float64) {
	var sum, squares float64
	for seed := range seeds {
		s := start(t, o, search.Setup{Space: cell, Seed: uint64(seed)})
		best, report := math.Inf(-1), 0.0
		seen := map[space.Design]bool{}
		drive(t, s, 100, func(d space.Design) float64 {
			if seen[d] {
				t.Error("a cell was proposed twice")
			}
			seen[d] = true
			i := cellIndex(d)
			if table.signal[i] > best {
				best, report = table.signal[i], table.report[i]
			}
			return -table.signal[i]
		})
		sum += report
		squares += report * report
	}
	n := float64(seeds)
	mean = sum / n
	return mean, math.Sqrt(max(squares/n-mean*mean, 0))
}
