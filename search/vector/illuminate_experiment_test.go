//go:build experiment

package vector

import "testing"

// TestProjectionExperiment prints coverage and QD-score over 20 seeds, for
// docs/benchmarks.md.
func TestProjectionExperiment(t *testing.T) {
	for _, kind := range []string{"map-elites", "iso-line", "cma-me", "cma-mae"} {
		coverage, score := measure(t, kind, 20)
		t.Logf("%s: coverage %.1f ± %.1f %%, QD-score %.0f ± %.0f", kind, coverage[0], coverage[1], score[0], score[1])
	}
}
