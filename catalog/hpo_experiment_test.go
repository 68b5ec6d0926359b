//go:build experiment

package catalog_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/daedalus-search/daedalus/arena"
	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/problems/hpo"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/evolve"
	"github.com/daedalus-search/daedalus/search/fidelity"
	"github.com/daedalus-search/daedalus/search/model"
	"github.com/daedalus-search/daedalus/search/sample"
	"github.com/daedalus-search/daedalus/space"
)

// seedsOf returns how many seeds to run; SEEDS sets it.
func seedsOf(n int) int {
	if v, err := strconv.Atoi(os.Getenv("SEEDS")); err == nil {
		return v
	}
	return n
}

// chosen reports whether a part of an experiment is wanted; ONLY names some.
func chosen(name string) bool {
	only := os.Getenv("ONLY")
	return only == "" || slices.Contains(strings.Split(only, ","), name)
}

// eachSeed calls f for all seeds, on all cores.
func eachSeed(t *testing.T, n int, f func(seed int) error) {
	t.Helper()
	next, errs := make(chan int), make([]error, n)
	var wait sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			for i := range next {
				errs[i] = f(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wait.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// minimise runs a method for n evaluations, or until nothing is left, and returns the best loss after each.
// What is evaluated gets the number of the evaluation.
func minimise(m search.Method, setup search.Setup, n int, evaluate func(d space.Design, i int) float64) ([]float64, error) {
	setup.Budget = int64(n)
	s, err := m.New(setup)
	if err != nil {
		return nil, err
	}
	refitter, _ := s.(search.Refitter)
	best, out := math.Inf(1), make([]float64, 0, n)
	for len(out) < n {
		ps, err := s.Ask(1)
		if errors.Is(err, search.ErrExhausted) {
			break
		} else if err != nil {
			return nil, err
		}
		if refitter != nil {
			refitter.Refit()
		}
		y := evaluate(ps[0].Design, len(out))
		best = min(best, y)
		out = append(out, best)
		s.Tell(search.Outcome{ID: ps[0].ID, Design: ps[0].Design, Status: search.Complete, Score: metric.Score{Loss: []float64{y}}})
	}
	return out, nil
}

// against says how often a is better than b, which is lower, seed by seed, and
// how sure that is (signed ranks, two-sided).
func against(a, b []float64) string {
	wins, ties := 0, 0
	for i := range a {
		switch {
		case a[i] < b[i]:
			wins++
		case a[i] == b[i]:
			ties++
		}
	}
	_, p := arena.Wilcoxon(a, b)
	return fmt.Sprintf("better in %d, equal in %d of %d (p = %.2g)", wins, ties, len(a), p)
}

// moments says the mean and the standard deviation.
func moments(x []float64) string {
	m, v := 0.0, 0.0
	for _, y := range x {
		m += y / float64(len(x))
	}
	for _, y := range x {
		v += (y - m) * (y - m) / float64(max(len(x)-1, 1))
	}
	return fmt.Sprintf("%.4f ± %.4f", m, math.Sqrt(v))
}

func tuning(t *testing.T, dataset string, trees int) *hpo.Problem {
	t.Helper()
	p, err := hpo.Options{Dataset: dataset, Trees: trees}.New()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// tunings are the tables of the experiments on hyperparameters of boosted trees,
// nine of them, four conditional.
var tunings = []struct {
	dataset string
	trees   int
}{{"yacht", 100}, {"energy", 50}}

// TestExperimentTuning asks what the cards ask of model-based search on
// hyperparameters: gp beats random search after 50 evaluations in 16 of 20 seeds,
// smac after 100, where it is at least as good as gp; cma-es ends after 200 not
// above tpe. halving-grid has 60 full evaluations' worth of trees, as has random.
//
//	go test ./catalog -tags experiment -run ExperimentTuning -v -timeout 0
func TestExperimentTuning(t *testing.T) {
	seeds := seedsOf(20)
	for _, c := range tunings {
		if !chosen(c.dataset) {
			continue
		}
		p := tuning(t, c.dataset, c.trees)
		curves := map[string][][]float64{}
		for _, m := range []struct {
			name   string
			method search.Method
			n      int
		}{{"random", sample.Random{}, 200}, {"gp", model.GP{}, 100}, {"smac", model.SMAC{}, 100}, {"tpe", model.TPE{}, 200}, {"cma-es", evolve.CMAES{}, 200}} {
			curves[m.name] = make([][]float64, seeds)
			eachSeed(t, seeds, func(seed int) (err error) {
				curves[m.name][seed], err = minimise(m.method, search.Setup{Space: p.Space(), Seed: uint64(seed)}, m.n, func(d space.Design, _ int) float64 {
					v, err := p.Evaluate(t.Context(), d, nil)
					if err != nil {
						t.Error(err)
					}
					return v["rmse"]
				})
				return err
			})
		}
		after := func(name string, n int) []float64 {
			out := make([]float64, seeds)
			for i, c := range curves[name] {
				out[i] = c[n-1]
			}
			return out
		}
		for _, n := range []int{50, 100, 200} {
			for _, name := range []string{"gp", "smac", "tpe", "cma-es"} {
				if len(curves[name][0]) < n {
					continue
				}
				t.Logf("%s, %d: %-7s %s, random %s: %s", c.dataset, n, name, moments(after(name, n)), moments(after("random", n)), against(after(name, n), after("random", n)))
			}
		}
		t.Logf("%s: smac and gp after 100: %s", c.dataset, against(after("smac", 100), after("gp", 100)))
		t.Logf("%s: cma-es and tpe after 200: %s", c.dataset, against(after("cma-es", 200), after("tpe", 200)))

		const effort = 60
		halved, whole := make([]float64, seeds), after("random", effort)
		eachSeed(t, seeds, func(seed int) error {
			s, err := fidelity.HalvingGrid{}.New(search.Setup{Space: p.Space(), Seed: uint64(seed), Fidelity: p.Fidelity(), Effort: effort})
			if err != nil {
				return err
			}
			best, spent := math.Inf(1), 0.0
			for spent < effort-1e-9 {
				ps, err := s.Ask(1)
				if err != nil {
					return err
				}
				share := ps[0].Fidelity
				if problem.Full(share) {
					share = 1
				}
				spent += p.Fidelity().Cost(0, share)
				v, err := p.EvaluateAt(t.Context(), ps[0].Design, share, nil)
				if err != nil {
					return err
				}
				if share == 1 {
					best = min(best, v["rmse"])
				}
				s.Tell(search.Outcome{ID: ps[0].ID, Design: ps[0].Design, Status: search.Complete, Fidelity: ps[0].Fidelity, Score: metric.Score{Loss: []float64{v["rmse"]}}})
			}
			halved[seed] = best
			return nil
		})
		grid := make([]float64, seeds)
		eachSeed(t, seeds, func(seed int) error {
			curve, err := minimise(sample.Grid{}, search.Setup{Space: p.Space(), Seed: uint64(seed)}, effort, func(d space.Design, _ int) float64 {
				v, err := p.Evaluate(t.Context(), d, nil)
				if err != nil {
					t.Error(err)
				}
				return v["rmse"]
			})
			if err == nil {
				grid[seed] = curve[effort-1]
			}
			return err
		})
		t.Logf("%s: halving-grid with %d evaluations' worth of trees %s; grid %s: %s; random %s: %s", c.dataset, effort, moments(halved), moments(grid), against(halved, grid), moments(whole), against(halved, whole))
	}
}

// TestExperimentWarp is the card of HEBO's output warping: losses that are
// multiplied by a log-normal factor whose deviation depends on the design. What
// counts after 50 evaluations is the true loss of the design with the least
// measured one.
//
//	go test ./catalog -tags experiment -run ExperimentWarp -v -timeout 0
func TestExperimentWarp(t *testing.T) {
	seeds := seedsOf(20)
	for _, c := range tunings {
		if !chosen(c.dataset) {
			continue
		}
		p := tuning(t, c.dataset, c.trees)
		ends := map[string][]float64{}
		methods := []struct {
			name   string
			method search.Method
		}{
			{"none", model.GP{Warp: "none"}}, {"power", model.GP{Warp: "power"}}, {"rank", model.GP{Warp: "rank"}},
			{"power and input", model.GP{Warp: "power", InputWarp: true}}, {"random", sample.Random{}},
		}
		for _, m := range methods {
			ends[m.name] = make([]float64, seeds)
			eachSeed(t, seeds, func(seed int) error {
				best, end := math.Inf(1), math.Inf(1)
				_, err := minimise(m.method, search.Setup{Space: p.Space(), Seed: uint64(seed)}, 50, func(d space.Design, i int) float64 {
					v, err := p.Evaluate(t.Context(), d, nil)
					if err != nil {
						t.Error(err)
					}
					// Between 0.05 and 0.5, by the first parameter: the learning rate.
					r := rng.New(uint64(seed), "noise", uint64(i))
					sd := 0.05 + 0.45*math.Log(d.Map()["rate"].(float64)/0.005)/math.Log(100)
					y := v["rmse"] * math.Exp(sd*r.NormFloat64())
					if y < best {
						best, end = y, v["rmse"]
					}
					return y
				})
				ends[m.name][seed] = end
				return err
			})
		}
		for _, m := range methods {
			t.Logf("%s: warp %-16s %s; against none: %s", c.dataset, m.name, moments(ends[m.name]), against(ends[m.name], ends["none"]))
		}
	}
}
