//go:build experiment

package realworld

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/evolve"
)

// TestMakeRanges prints the table of range.go: for each problem three runs of
// NSGA-II of 100,000 evaluations over all objectives, and one of 20,000 over
// each of them alone.
func TestMakeRanges(t *testing.T) {
	for _, name := range Names() {
		p := must(t, name)
		var all []metric.Objective
		var limits []metric.Limit
		for _, m := range p.Metrics() {
			if m.Direction != 0 {
				all = append(all, metric.Objective{Metric: m.Name, Direction: m.Direction})
			} else {
				limits = append(limits, metric.Limit{Metric: m.Name, Op: metric.LessEqual})
			}
		}
		whole := metric.Goal{Objectives: all, Limits: limits}
		var front metric.Front[int]
		ideal := make([]float64, len(all))
		for i := range ideal {
			ideal[i] = math.Inf(1)
		}
		run := func(g metric.Goal, n int, seed uint64) {
			s, err := evolve.NSGA2{Population: 200}.New(search.Setup{Space: p.Space(), Objectives: len(g.Objectives), Limits: len(limits) > 0, Seed: seed})
			if err != nil {
				t.Fatal(err)
			}
			for k := 0; k < n; {
				ps, err := s.Ask(200)
				if err != nil {
					break
				}
				for _, q := range ps {
					v, err := p.Evaluate(t.Context(), q.Design, nil)
					if err != nil {
						t.Fatal(err)
					}
					if v["violation"] <= 0 {
						for i, o := range all {
							ideal[i] = min(ideal[i], v[o.Metric])
						}
					}
					if k++; len(g.Objectives) == len(all) && k > n-2000 || k == n {
						front.Add(whole.Score(v), 0)
					}
					s.Tell(search.Outcome{ID: q.ID, Design: q.Design, Status: search.Complete, Score: g.Score(v), Values: v})
				}
			}
		}
		for i := range all {
			run(metric.Goal{Objectives: all[i : i+1], Limits: limits}, 20_000, uint64(i))
		}
		for seed := range uint64(3) {
			run(whole, 100_000, seed)
		}
		nadir := make([]float64, len(all))
		for i := range nadir {
			nadir[i] = math.Inf(-1)
		}
		for s := range front.All() {
			for i, v := range s.Loss {
				nadir[i] = max(nadir[i], v)
			}
		}
		show := func(x []float64, round func(float64) float64) string {
			var b []string
			for _, v := range x {
				scale := math.Pow(10, 6-math.Ceil(math.Log10(math.Abs(v)+1e-300)))
				if v == 0 || math.IsInf(scale, 0) {
					b = append(b, "0")
					continue
				}
				b = append(b, fmt.Sprintf("%.6g", round(v*scale)/scale))
			}
			return "{" + strings.Join(b, ", ") + "}"
		}
		fmt.Printf("\t%q: {%s, %s},\n", name, show(ideal, math.Floor), show(nadir, math.Ceil))
	}
}
