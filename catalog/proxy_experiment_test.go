//go:build experiment

package catalog_test

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/daedalus-search/daedalus/catalog"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/predict"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/problems/dram"
	"github.com/daedalus-search/daedalus/problems/predictor"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/evolve"
	"github.com/daedalus-search/daedalus/search/sample"
	"github.com/daedalus-search/daedalus/space"
)

// collected is what a searcher measured, and the best loss.
func collected(t *testing.T, m search.Method, p problem.Problem, loss func(metric.Values) float64, n int, seed uint64) ([]predict.Sample, float64, error) {
	var out []predict.Sample
	curve, err := minimise(m, search.Setup{Space: p.Space(), Seed: seed}, n, func(d space.Design, _ int) float64 {
		v, err := p.Evaluate(t.Context(), d, nil)
		if err != nil {
			return math.Inf(1)
		}
		out = append(out, predict.Sample{Design: d, Values: v})
		return loss(v)
	})
	if err != nil {
		return nil, 0, err
	}
	return out, curve[len(curve)-1], nil
}

// TestExperimentProxy is ArchGym's proxy experiment (Krishnan et al. 2023): what
// random search, a genetic algorithm and an ant colony measured, 2,000 designs in
// all, trains a random forest for every metric; its relative error on random
// designs that none of them measured stands beside that of a forest trained on as
// many designs of the genetic algorithm alone; the proxy is searched, and the 20
// best are measured and compared with the genetic algorithm's 2,000.
//
// PROBLEM names another problem of the catalog, METRICS those that are predicted;
// the first is minimised.
//
//	go test ./catalog -tags experiment -run ExperimentProxy -v -timeout 0
func TestExperimentProxy(t *testing.T) {
	type subject struct {
		name    string
		problem problem.Problem
		metrics []string
		loss    func(metric.Values) float64
		seeds   int
	}
	tuned := tuning(t, "yacht", 30)
	memory, err := dram.Options{Traces: []string{"random"}}.New()
	if err != nil {
		t.Fatal(err)
	}
	subjects := []subject{
		{"dram", memory, []string{"latency_ms", "energy_mj"}, func(v metric.Values) float64 { return v["latency_ms"] * v["energy_mj"] }, seedsOf(20)},
		{"hpo yacht", tuned, []string{"rmse", "splits"}, func(v metric.Values) float64 { return v["rmse"] }, seedsOf(5)},
	}
	if name := os.Getenv("PROBLEM"); name != "" {
		row, err := catalog.FindProblem(name)
		if err != nil {
			t.Fatal(err)
		}
		p, err := row.New(row.Options(), nil, "")
		if err != nil {
			t.Fatal(err)
		}
		names := strings.Split(os.Getenv("METRICS"), ",")
		subjects = []subject{{name, p, names, func(v metric.Values) float64 { return v[names[0]] }, seedsOf(5)}}
	}
	for _, s := range subjects {
		if !chosen(s.name) {
			continue
		}
		var metrics []metric.Metric
		for _, m := range s.problem.Metrics() {
			if slices.Contains(s.metrics, m.Name) {
				metrics = append(metrics, m)
			}
		}
		const logged, calls = 2000, 20
		type outcome struct {
			mixed, alone  []float64 // relative errors
			reached, best float64
			real, guessed float64 // seconds an evaluation
		}
		results := make([]outcome, s.seeds)
		eachSeed(t, s.seeds, func(k int) error {
			seed := uint64(k)
			began := time.Now()
			mixed, _, err := collected(t, sample.Random{}, s.problem, s.loss, logged/3, seed)
			if err != nil {
				return err
			}
			r := &results[k]
			r.real = time.Since(began).Seconds() / float64(len(mixed))
			for _, m := range []search.Method{evolve.Genetic{}, evolve.Ants{}} {
				more, _, err := collected(t, m, s.problem, s.loss, logged/3, seed)
				if err != nil {
					return err
				}
				mixed = append(mixed, more...)
			}
			alone, best, err := collected(t, evolve.Genetic{}, s.problem, s.loss, logged, seed)
			if err != nil {
				return err
			}
			r.best = best
			known := map[space.Design]bool{}
			for _, x := range append(slices.Clone(mixed), alone...) {
				known[x.Design] = true
			}
			held, _, err := collected(t, sample.Random{}, s.problem, s.loss, 500, seed+1000)
			if err != nil {
				return err
			}
			held = slices.DeleteFunc(held, func(x predict.Sample) bool { return known[x.Design] })
			var proxy *predictor.Problem
			for _, c := range []struct {
				samples []predict.Sample
				errors  *[]float64
			}{{alone[:min(len(alone), len(mixed))], &r.alone}, {mixed, &r.mixed}} {
				proxy, err = predictor.Train(t.Context(), s.problem.Space(), metrics, c.samples, predictor.Training{Learner: predict.Forest{Trees: 100}, Folds: -1, Seed: seed})
				if err != nil {
					return err
				}
				for _, m := range metrics {
					var got, want []float64
					for _, x := range held {
						v, err := proxy.Evaluate(t.Context(), x.Design, nil)
						if err != nil {
							return err
						}
						got, want = append(got, v[m.Name]), append(want, x.Values[m.Name])
					}
					*c.errors = append(*c.errors, predict.Assess(got, nil, want, 0).RelativeRMSE)
				}
			}
			// Search the proxy, and measure what it promises most of.
			began = time.Now()
			type guess struct {
				d    space.Design
				loss float64
			}
			var guesses []guess
			const predicted = 20_000
			if _, err := minimise(evolve.Genetic{}, search.Setup{Space: s.problem.Space(), Seed: seed}, predicted, func(d space.Design, _ int) float64 {
				v, err := proxy.Evaluate(t.Context(), d, nil)
				if err != nil {
					return math.Inf(1)
				}
				guesses = append(guesses, guess{d, s.loss(v)})
				return s.loss(v)
			}); err != nil {
				return fmt.Errorf("searching the proxy: %w", err)
			}
			r.guessed = time.Since(began).Seconds() / predicted
			slices.SortStableFunc(guesses, func(a, b guess) int {
				switch {
				case a.loss < b.loss:
					return -1
				case a.loss > b.loss:
					return 1
				}
				return 0
			})
			r.reached = math.Inf(1)
			measured := map[space.Design]bool{}
			for _, g := range guesses {
				if measured[g.d] {
					continue
				}
				if measured[g.d] = true; len(measured) > calls {
					break
				}
				v, err := s.problem.Evaluate(t.Context(), g.d, nil)
				if err == nil {
					r.reached = min(r.reached, s.loss(v))
				}
			}
			return nil
		})
		for i, m := range metrics {
			var a, b []float64
			for _, r := range results {
				a, b = append(a, r.mixed[i]), append(b, r.alone[i])
			}
			t.Logf("%s, %s: relative RMSE %s from three searchers, %s from one: %s", s.name, m.Name, moments(a), moments(b), against(a, b))
		}
		var gap []float64
		within := 0
		for _, r := range results {
			gap = append(gap, r.reached/r.best-1)
			if r.reached <= 1.02*r.best {
				within++
			}
		}
		t.Logf("%s: the best of %d designs from the proxy is above that of 2,000 calls by %s (share), within 2 %% in %d of %d; an evaluation takes %.3g s, a prediction with its ask %.3g s", s.name, calls, moments(gap), within, s.seeds, results[0].real, results[0].guessed)
	}
}
