package evolve

import (
	"errors"
	"fmt"

	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/internal/genome"
	"github.com/daedalus-search/daedalus/search/vector"
)

// Swarm is particle swarm optimisation with constriction coefficients (Kennedy
// and Eberhart 1995; Clerc and Kennedy 2002), for one objective on every space but
// grammars; [vector.PSO] has the method.
//
// Numbers are coordinates on their range or its logarithm, categories one number
// an option of which the largest wins, and selections are ordered by the numbers
// of their items. The swarm starts at designs drawn from the prior. Infeasible
// designs are worse than feasible ones and compared by their violation.
//
// A particle moves when it is asked and learns when it is told, so that any
// number of proposals may be under way. What is known is not proposed again. An
// ask costs O(n) for n coordinates.
type Swarm struct {
	// Particles is the size of the swarm; 0 means 30, and at most a fifth of the
	// budget.
	Particles int `yaml:"particles" min:"0" max:"100000" doc:"size of the swarm; 0 means 30, and at most a fifth of the budget"`
	// Topology says which particles know of each other: "global" for all, "ring"
	// for the two neighbours.
	Topology string `yaml:"topology" default:"global" oneof:"global ring" doc:"whose best a particle follows: of all particles, or of its two neighbours"`
	// Inertia is the share of the velocity that is kept; 0 means 0.7298.
	Inertia float64 `yaml:"inertia" default:"0.7298" min:">0" max:"<1" doc:"share of the velocity that is kept"`
	// Pull weights the way to the particle's own best and to the one it follows;
	// 0 means 1.49618.
	Pull float64 `yaml:"pull" default:"1.49618" min:">0" max:"4" doc:"weight of the way to the particle's own best and to the one it follows"`
}

// New makes a searcher. It fails with more than one objective and on spaces with
// a grammar, which have no coordinates.
func (o Swarm) New(setup search.Setup) (search.Searcher, error) {
	g, errs := numericSetup("particle swarm", setup, genome.Keys)
	fail := func(field string, found any, want string) {
		errs = append(errs, fmt.Errorf("particle swarm: %s: found %v, want %s", field, found, want))
	}
	if o.Particles < 0 || o.Particles > 100_000 {
		fail("particles", o.Particles, "1 to 100000, or 0 for the default")
	}
	switch o.Topology {
	case "", "global", "ring":
	default:
		fail("topology", o.Topology, "global or ring")
	}
	if !(o.Inertia >= 0 && o.Inertia < 1) {
		fail("inertia", o.Inertia, "a share above 0 and below 1, or 0 for 0.7298")
	}
	if !(o.Pull >= 0 && o.Pull <= 4) {
		fail("pull", o.Pull, "a number above 0 and at most 4, or 0 for 1.49618")
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if o.Particles == 0 {
		o.Particles = 30
		if b := setup.Budget; b > 0 {
			o.Particles = max(min(o.Particles, int(b/5)), 5)
		}
	}
	core, err := vector.NewPSO(vector.PSOOptions{
		Coordinates: coordinates(g), Particles: o.Particles, Ring: o.Topology == "ring", Inertia: o.Inertia, Pull: o.Pull, Seed: setup.Seed,
	})
	if err != nil {
		return nil, err
	}
	return newNumeric(setup, g, core, o.Particles, "pso"), nil
}
