package study_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/evolve"
	"github.com/daedalus-search/daedalus/search/sample"
	"github.com/daedalus-search/daedalus/space"
	"github.com/daedalus-search/daedalus/store"
	"github.com/daedalus-search/daedalus/study"
)

// cheap answers in well under a microsecond, so that the benchmark measures
// the loop around it.
type cheap struct{ space *space.Space }

func (c *cheap) Space() *space.Space      { return c.space }
func (c *cheap) Metrics() []metric.Metric { return metrics }

func (c *cheap) Evaluate(_ context.Context, d space.Design, _ problem.Reporter) (metric.Values, error) {
	h := d.Hash()
	return metric.Values{"loss": float64(h[0]), "size": float64(h[1])}, nil
}

func (c *cheap) EvaluateBatch(ctx context.Context, designs []space.Design, out []problem.Result) {
	for i, d := range designs {
		out[i].Values, out[i].Err = c.Evaluate(ctx, d, nil)
	}
}

func twentyParameters() *space.Space {
	var nodes []space.Node
	for i := range 10 {
		nodes = append(nodes, space.Float(fmt.Sprintf("x%d", i), 0, 1), space.Int(fmt.Sprintf("n%d", i), 0, 100))
	}
	return space.MustNew(nodes...)
}

// BenchmarkStudy is the whole loop per trial: ask, evaluate, keep, tell.
func BenchmarkStudy(b *testing.B) {
	for name, m := range map[string]search.Method{"random": sample.Random{}, "nsga2": evolve.NSGA2{Population: 100}} {
		for _, disk := range []bool{false, true} {
			where := "memory"
			if disk {
				where = "sqlite"
			}
			b.Run(name+"/"+where, func(b *testing.B) {
				cfg := study.Config{
					Problem: &cheap{twentyParameters()}, Goal: twoGoals(), Method: m, Budget: study.Budget{Trials: int64(b.N)},
				}
				if disk {
					st, err := store.Create(b.Context(), filepath.Join(b.TempDir(), "s.db"), store.Study{Name: "b"})
					if err != nil {
						b.Fatal(err)
					}
					defer st.Close()
					cfg.Store = st
				}
				b.ReportAllocs()
				b.ResetTimer()
				if _, err := study.Run(b.Context(), cfg); err != nil {
					b.Fatal(err)
				}
			})
		}
	}
}

// BenchmarkResume is opening a study of 10,000 trials by replay.
func BenchmarkResume(b *testing.B) {
	st := memory()
	cfg := study.Config{
		Problem: &cheap{twentyParameters()}, Goal: twoGoals(), Method: evolve.NSGA2{Population: 100}, Budget: study.Budget{Trials: 10_000}, Store: st,
	}
	if _, err := study.Run(b.Context(), cfg); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := study.Open(b.Context(), cfg); err != nil {
			b.Fatal(err)
		}
	}
}
