//go:build experiment

package evolve

import (
	"fmt"
	"math"
	"testing"

	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/internal/nb201test"
)

// TestAgingUnderNoise compares aging evolution with elitist ones where what the
// searcher sees has normal noise: the test accuracy of the cell returned, mean
// of 200 seeds. Like for like, with the same population, the same tournament and
// mutation alone, aging must be better over noises of 2 and 5 points; at 0.5
// they are about the same.
//
//	go test -tags experiment -run TestAgingUnderNoise -v ./search/evolve
func TestAgingUnderNoise(t *testing.T) {
	table, sp := nb201test.Load(t), nb201test.Space()
	const seeds = 200
	methods := []struct {
		name string
		m    search.Method
	}{
		{"aging, P=10, S=10", Regularized{Population: 10, Sample: 10}},
		{"elitist, P=10, S=10, mutation alone", Genetic{Population: 10, Tournament: 10, Crossover: 1e-9}},
		{"generational GA, P=20", Genetic{Population: 20, Children: 20, Tournament: 2}},
		{"genetic, P=20", Genetic{Population: 20}},
	}
	z, cases := 0.0, 0.0
	for _, noise := range []float64{0.5, 2, 5} {
		for _, budget := range []int{100, 400} {
			var means, errs [2][3]float64
			for i, m := range methods {
				fmt.Printf("| %.1f | %d | %s |", noise, budget, m.name)
				for d := range nb201test.Datasets {
					c := cells{table: table, dataset: d, budget: budget, noise: noise}
					mean, std := c.mean(t, m.m, sp, seeds)
					fmt.Printf(" %.2f ± %.2f |", mean, std/math.Sqrt(seeds))
					if i < 2 {
						means[i][d], errs[i][d] = mean, std/math.Sqrt(seeds)
					}
				}
				fmt.Println()
			}
			if noise < 2 {
				continue
			}
			for d := range nb201test.Datasets {
				z += (means[0][d] - means[1][d]) / math.Hypot(errs[0][d], errs[1][d])
				cases++
			}
		}
	}
	if z /= math.Sqrt(cases); z < 1.64 {
		t.Errorf("aging is better than elitism under strong noise by %.2f standard errors, want 1.64", z)
	} else {
		t.Logf("aging is better than elitism under strong noise by %.2f standard errors", z)
	}
}
