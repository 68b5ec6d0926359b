package evolve

import (
	"errors"
	"fmt"

	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/internal/genome"
	"github.com/daedalus-search/daedalus/search/vector"
)

// Differential is differential evolution, DE/rand/1/bin with self-adaptive
// parameters (Storn and Price 1997; jDE, Brest et al. 2006), for one objective on
// every space but grammars; [vector.DE] has the method.
//
// Numbers are coordinates on their range or its logarithm, categories one number
// an option of which the largest wins, so that no order is imposed on them, and
// selections are ordered by the numbers of their items. The population starts with
// designs drawn from the prior. Infeasible designs are worse than feasible ones
// and compared by their violation.
//
// A better trial replaces its target when it is told; trials whose result never
// comes change nothing. What is known is not proposed again. An ask costs O(n) for
// n coordinates.
type Differential struct {
	// Population is how many designs live; 0 means five a coordinate, at least
	// 20 and at most 100, and at most a tenth of the budget but at least 10.
	Population int `yaml:"population" min:"0" max:"100000" doc:"designs that live; 0 means five a coordinate, 20 to 100, and at most a tenth of the budget"`
	// F weights the difference of two designs; 0 adapts it.
	F float64 `yaml:"f" min:"0" max:"2" doc:"weight of the difference of two designs; 0 adapts it (jDE)"`
	// CR is the share of coordinates taken from the mutant; 0 adapts it.
	CR float64 `yaml:"cr" min:"0" max:"1" doc:"share of coordinates taken from the mutant; 0 adapts it (jDE)"`
}

// New makes a searcher. It fails with more than one objective and on spaces with
// a grammar, which have no coordinates.
func (o Differential) New(setup search.Setup) (search.Searcher, error) {
	g, errs := numericSetup("differential evolution", setup, genome.Keys)
	fail := func(field string, found any, want string) {
		errs = append(errs, fmt.Errorf("differential evolution: %s: found %v, want %s", field, found, want))
	}
	if o.Population != 0 && (o.Population < 4 || o.Population > 100_000) {
		fail("population", o.Population, "4 to 100000, or 0 for the default")
	}
	if !(o.F >= 0 && o.F <= 2) {
		fail("f", o.F, "a number above 0 and at most 2, or 0 to adapt it")
	}
	if !(o.CR >= 0 && o.CR <= 1) {
		fail("cr", o.CR, "a share above 0, or 0 to adapt it")
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	c := coordinates(g)
	if o.Population == 0 {
		o.Population = min(max(20, 5*len(c)), 100)
		if b := setup.Budget; b > 0 {
			o.Population = max(min(o.Population, int(b/10)), 10)
		}
	}
	core, err := vector.NewDE(vector.DEOptions{Coordinates: c, Population: o.Population, F: o.F, CR: o.CR, Seed: setup.Seed})
	if err != nil {
		return nil, err
	}
	return newNumeric(setup, g, core, o.Population, "de"), nil
}
