package evolve

import (
	"errors"
	"fmt"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/internal/genome"
	"github.com/daedalus-search/daedalus/search/vector"
)

// CMAES is the covariance matrix adaptation evolution strategy with margin, for
// one objective on every space but grammars; [vector.CMA] has the method and its
// sources.
//
// Numbers are coordinates on their range or its logarithm. A discrete number
// keeps a margin of probability on other levels (Hamano et al. 2022), categories
// have a distribution of their own (CatCMA, Hamano et al. 2024), the items of
// subsets and permutations are numbers by which they are chosen and ordered.
// Coordinates of inactive parameters drift until they matter. Infeasible designs
// rank behind feasible ones by their violation, failed ones last.
//
// A search that has converged or makes no progress begins anew, see Restart; in a
// discrete space what is known is not proposed again but learned from as if it
// were. An ask costs O(n²) for n coordinates, and O(n) if the covariances are
// separable.
type CMAES struct {
	// Population is how many designs make a generation; 0 means 4 + 3·ln n for n
	// coordinates.
	Population int `yaml:"population" min:"0" max:"100000" doc:"designs of a generation; 0 means 4 + 3 ln n for n coordinates"`
	// Sigma is the standard deviation of the first generation, as a share of
	// the range; 0 means 0.2.
	Sigma float64 `yaml:"sigma" default:"0.2" min:">0" max:"1" doc:"standard deviation of the first generation, as a share of the range"`
	// Start is where the mean begins: "center", or "random" for a random design.
	Start string `yaml:"start" default:"center" oneof:"center random" doc:"where the mean begins: in the middle of the ranges or at a random design"`
	// Covariance is "full", "separable" (variances only), or "auto": full up to
	// 200 coordinates.
	Covariance string `yaml:"covariance" default:"auto" oneof:"auto full separable" doc:"adapt all covariances or variances only; auto means all up to 200 coordinates"`
	// Restart is "ipop" (double the population each time), "bipop" (alternate
	// large and small populations) or "none".
	Restart string `yaml:"restart" default:"ipop" oneof:"ipop bipop none" doc:"what happens when the search has converged: double the population, alternate large and small ones, or go on"`
	// NoMargin leaves discrete numbers without their margin.
	NoMargin bool `yaml:"no_margin" default:"false" doc:"plain rounding of discrete numbers, without a margin"`
}

// New makes a searcher. It fails with more than one objective and on spaces with
// a grammar, which have no coordinates.
func (o CMAES) New(setup search.Setup) (search.Searcher, error) {
	g, errs := numericSetup("cma-es", setup, genome.Categories)
	fail := func(field string, found any, want string) {
		errs = append(errs, fmt.Errorf("cma-es: %s: found %v, want %s", field, found, want))
	}
	if o.Population != 0 && (o.Population < 2 || o.Population > 100_000) {
		fail("population", o.Population, "2 to 100000, or 0 for the default")
	}
	if !(o.Sigma >= 0 && o.Sigma <= 1) {
		fail("sigma", o.Sigma, "a share above 0 and at most 1, or 0 for 0.2")
	}
	if o.Sigma == 0 {
		o.Sigma = 0.2
	}
	switch o.Start {
	case "", "center", "random":
	default:
		fail("start", o.Start, "center or random")
	}
	restart := vector.IPOP
	switch o.Restart {
	case "", "ipop":
	case "bipop":
		restart = vector.BIPOP
	case "none":
		restart = vector.NoRestart
	default:
		fail("restart", o.Restart, "ipop, bipop or none")
	}
	var separable bool
	switch o.Covariance {
	case "", "auto":
		separable = g != nil && len(g.Coordinates()) > 200
	case "full":
	case "separable":
		separable = true
	default:
		fail("covariance", o.Covariance, "auto, full or separable")
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	c := vector.CMAOptions{
		Coordinates: coordinates(g), Sigma: o.Sigma, Population: o.Population, Restart: restart, Separable: separable, Seed: setup.Seed,
	}
	if o.NoMargin {
		c.Margin = -1
	}
	if o.Start == "random" {
		r := rng.New(setup.Seed, "evolve/mean", 0)
		d, err := setup.Space.Sample(r)
		if err != nil {
			return nil, err
		}
		c.Mean = make([]float64, len(coordinates(g)))
		for i := range c.Mean {
			c.Mean[i] = r.Float64()
		}
		if err := g.Move(c.Mean, d); err != nil {
			return nil, err
		}
	}
	core, err := vector.NewCMA(c)
	if err != nil {
		return nil, err
	}
	return newNumeric(setup, g, core, 0, "cma"), nil
}

// numericSetup checks what the numeric methods ask of a setup.
func numericSetup(method string, setup search.Setup, coding genome.Coding) (g *genome.Genome, errs []error) {
	if setup.Objectives > 1 {
		errs = append(errs, fmt.Errorf("%s: objectives: found %d, want one; use nsga2 for several", method, setup.Objectives))
	}
	if setup.Space == nil {
		return nil, append(errs, fmt.Errorf("%s: space: found none, want a space to search", method))
	}
	g, err := genome.New(setup.Space, coding)
	if err != nil {
		errs = append(errs, fmt.Errorf("%s: space: found %w, want one that has coordinates; use regularized or genetic", method, err))
	}
	return g, errs
}

// coordinates returns those of a core, which has one even where there is nothing
// to choose.
func coordinates(g *genome.Genome) []vector.Coordinate {
	if c := g.Coordinates(); len(c) > 0 {
		return c
	}
	return vector.Reals(1, 0, 1)
}
