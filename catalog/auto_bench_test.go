package catalog_test

import (
	"fmt"
	"testing"

	"github.com/daedalus-search/daedalus/catalog"
	"github.com/daedalus-search/daedalus/study"
	"github.com/daedalus-search/daedalus/studyfile"
)

// BenchmarkAuto is the evidence for the rules of auto with two objectives: the
// share of the true hypervolume that each method finds on the first example,
// over 20 seeds.
func BenchmarkAuto(b *testing.B) {
	for _, trials := range []int64{100, 200, 500, 1000} {
		for _, row := range catalog.Searchers() {
			if row.Name == "map-elites" || row.Name == "grid" {
				continue
			}
			b.Run(fmt.Sprintf("%d/%s", trials, row.Name), func(b *testing.B) {
				for b.Loop() {
					const seeds = 20
					sum := 0.0
					for seed := range uint64(seeds) {
						f, err := studyfile.Load("../examples/phone-net.yaml", studyfile.Setting{Path: "search", Value: row.Name})
						if err != nil {
							b.Skip(err) // needs a fidelity
						}
						f.Seed, f.Budget.Trials = seed, trials
						res, err := study.Run(b.Context(), f.Config)
						if err != nil {
							b.Fatal(err)
						}
						truth, _, err := study.CompareTruth(b.Context(), f.Config.Problem, f.Goal, res.Front)
						if err != nil {
							b.Fatal(err)
						}
						sum += truth.Hypervolume
					}
					b.ReportMetric(100*sum/seeds, "%hypervolume")
				}
			})
		}
	}
}
