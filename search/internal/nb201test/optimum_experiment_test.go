//go:build experiment

package nb201test_test

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/evolve"
	"github.com/daedalus-search/daedalus/search/internal/nb201test"
	"github.com/daedalus-search/daedalus/search/local"
	"github.com/daedalus-search/daedalus/search/model"
	"github.com/daedalus-search/daedalus/search/sample"
	"github.com/daedalus-search/daedalus/space"
)

// seekers are the methods whose way to the best cell of the table is measured,
// and how many cells they may look at. Options are the defaults, but for the
// population of regularized evolution, which is that of the benchmark's baseline.
var seekers = []struct {
	name   string
	method search.Method
	most   int
}{
	{"random", sample.Random{}, nb201test.Cells},
	{"regularized, P 10, S 3", evolve.Regularized{Population: 10, Sample: 3}, nb201test.Cells},
	{"regularized, P 10, S 10", evolve.Regularized{Population: 10, Sample: 10}, nb201test.Cells},
	{"regularized", evolve.Regularized{}, nb201test.Cells},
	{"genetic", evolve.Genetic{}, nb201test.Cells},
	{"local", local.LocalSearch{}, nb201test.Cells},
	{"tpe", model.TPE{}, 3000},
	{"weaknas", model.WeakNAS{}, 1000},
	{"gbdt-nas", model.GBDTNAS{}, 1000},
	{"linas", model.LINAS{}, 1000},
	{"smac", model.SMAC{}, 600},
	{"gp", model.GP{}, 400},
	{"bananas", model.BANANAS{}, 400},
}

// toBest returns how many different cells a method looks at until it meets the
// best one, or 0 if that is not among the first most.
func toBest(sp *space.Space, m search.Method, values []float64, most int, seed uint64) (int, error) {
	best := slices.Max(values)
	s, err := m.New(search.Setup{Space: sp, Seed: seed})
	if err != nil {
		return 0, err
	}
	refitter, _ := s.(search.Refitter)
	seen := make([]bool, nb201test.Cells)
	var buf []space.Answer
	for distinct, asks := 0, 0; distinct < most && asks < 100*nb201test.Cells; asks++ {
		ps, err := s.Ask(1)
		if errors.Is(err, search.ErrExhausted) {
			return 0, nil
		} else if err != nil {
			return 0, err
		}
		if refitter != nil {
			refitter.Refit()
		}
		var cell int
		cell, buf = nb201test.Cell(ps[0].Design, buf)
		if !seen[cell] {
			seen[cell] = true
			distinct++
		}
		if values[cell] == best {
			return distinct, nil
		}
		s.Tell(search.Outcome{ID: ps[0].ID, Design: ps[0].Design, Status: search.Complete, Score: metric.Score{Loss: []float64{-values[cell]}}})
	}
	return 0, nil
}

// TestExperimentEvaluationsToBest counts evaluations to the best cell of the
// table: by validation accuracy after 12 epochs, which is what a search sees, and
// by accuracy after 200, as WeakNAS counts (Wu et al. 2021: 182.1, 78.4 and 268.4
// on average; regularized evolution 563.2, 438.2 and 715.1). A median is given
// where more than half of the seeds reach it; the others count as infinite.
//
//	METHODS=gp,tpe SEEDS=100 TABLES=valid,test OUT=counts.csv go test -tags experiment -run ExperimentEvaluationsToBest -v ./search/internal/nb201test
func TestExperimentEvaluationsToBest(t *testing.T) {
	table, sp := nb201test.Load(t), nb201test.Space()
	seeds := 100
	if n, err := strconv.Atoi(os.Getenv("SEEDS")); err == nil {
		seeds = n
	}
	chosen := func(env, name string) bool {
		v := os.Getenv(env)
		return v == "" || slices.Contains(strings.Split(v, ";"), name)
	}
	var out *os.File
	if path := os.Getenv("OUT"); path != "" {
		var err error
		if out, err = os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644); err != nil {
			t.Fatal(err)
		}
		defer out.Close()
	}
	for _, signal := range []struct {
		name   string
		values [nb201test.Datasets][]float64
	}{{"valid", table.Valid}, {"test", table.Test}} {
		if !chosen("TABLES", signal.name) {
			continue
		}
		for d, values := range signal.values {
			k, best := 0, slices.Max(values)
			for _, v := range values {
				if v == best {
					k++
				}
			}
			// Draws without repeats meet the first of k among N after (N+1)/(k+1) on average.
			t.Logf("%s, data set %d: best %.4f, of %d cells; random search needs %.0f on average", signal.name, d, best, k, float64(nb201test.Cells+1)/float64(k+1))
		}
		for _, m := range seekers {
			if !chosen("METHODS", m.name) {
				continue
			}
			for d, set := range []string{"cifar10", "cifar100", "imagenet16"} {
				begin := time.Now()
				counts := make([]int, seeds)
				each(t, seeds, func(seed int) (err error) {
					counts[seed], err = toBest(sp, m.method, signal.values[d], m.most, uint64(seed))
					return err
				})
				text := make([]string, seeds)
				for i, n := range counts {
					text[i] = strconv.Itoa(n)
				}
				if out != nil {
					fmt.Fprintf(out, "%s,%s,%q,%d,%s\n", signal.name, set, m.name, m.most, strings.Join(text, ","))
				}
				t.Logf("%-5s %-10s %-24s %s (%.1f s)", signal.name, set, m.name, summary(counts), time.Since(begin).Seconds())
			}
		}
	}
}

// summary says where the quartiles of counts are and how many are known; 0 is
// unknown and counts as infinite.
func summary(counts []int) string {
	sorted := slices.Clone(counts)
	for i, n := range sorted {
		if n == 0 {
			sorted[i] = 1 << 30
		}
	}
	slices.Sort(sorted)
	quantile := func(share float64) string {
		at := share * float64(len(sorted)-1)
		lo, hi := sorted[int(at)], sorted[min(int(at)+1, len(sorted)-1)]
		if lo == 1<<30 || hi == 1<<30 {
			return "–"
		}
		return fmt.Sprintf("%.1f", float64(lo)+(at-float64(int(at)))*float64(hi-lo))
	}
	reached, sum := 0, 0
	for _, n := range counts {
		if n > 0 {
			reached++
			sum += n
		}
	}
	return fmt.Sprintf("median %s [%s, %s], mean of those that reach it %.1f, %d of %d", quantile(0.5), quantile(0.25), quantile(0.75), float64(sum)/float64(max(reached, 1)), reached, len(counts))
}

// each calls f for 0 to n-1, on all cores.
func each(t *testing.T, n int, f func(i int) error) {
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
