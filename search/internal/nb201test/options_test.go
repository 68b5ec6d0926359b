package nb201test_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daedalus-search/daedalus/internal/source"
	"github.com/daedalus-search/daedalus/search/evolve"
	"github.com/daedalus-search/daedalus/search/local"
	"github.com/daedalus-search/daedalus/search/sample"
)

// Every option of the baseline methods can be set from a file, and an empty
// file means the zero value's defaults.
func TestOptionsDecode(t *testing.T) {
	t.Parallel()
	decode := func(text string, into any) {
		t.Helper()
		v, r := source.Parse("options.yaml", []byte(text))
		if !source.Decode(r, v, into) {
			t.Errorf("%T from %q: %v", into, text, r)
		}
	}
	var got struct {
		random      sample.Random
		grid        sample.Grid
		sobol       sample.Sobol
		climb       local.LocalSearch
		annealing   local.Annealing
		regularized evolve.Regularized
	}
	decode("{repeats: true}", &got.random)
	decode("{levels: 7}", &got.grid)
	decode("{scramble: none}", &got.sobol)
	decode("{improvement: best, order: random, starts: 2, neighbors: 9}", &got.climb)
	decode("{temperature: 2, cooling: 0.97, patience: 8, sigma: 0.2}", &got.annealing)
	decode("{population: 10, sample: 3, crossover: 0.5, mutations: 2, sigma: 0.2}", &got.regularized)
	want := got
	want.random, want.grid, want.sobol = sample.Random{Repeats: true}, sample.Grid{Levels: 7}, sample.Sobol{Scramble: "none"}
	want.climb = local.LocalSearch{Improvement: "best", Order: "random", Starts: 2, Neighbors: 9}
	want.annealing = local.Annealing{Temperature: 2, Cooling: 0.97, Patience: 8, Sigma: 0.2}
	want.regularized = evolve.Regularized{Population: 10, Sample: 3, Crossover: 0.5, Mutations: 2, Sigma: 0.2}
	if got != want {
		t.Errorf("options: %s", cmp.Diff(want.climb, got.climb)+cmp.Diff(want.regularized, got.regularized))
	}
	for _, empty := range []any{&sample.Random{}, &sample.Grid{}, &sample.Sobol{}, &local.LocalSearch{}, &local.Annealing{}, &evolve.Regularized{}} {
		decode("{}", empty)
	}
}
