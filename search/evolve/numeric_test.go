package evolve

import (
	"testing"

	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/searchtest"
)

func TestNumericLaws(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]search.Method{
		"cma-es": CMAES{}, "cma-es-bipop": CMAES{Restart: "bipop", Start: "random", Covariance: "separable", Population: 5},
		"differential": Differential{}, "swarm": Swarm{}, "ring": Swarm{Topology: "ring", Particles: 5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			searchtest.Run(t, m, searchtest.OneObjective(), searchtest.Refuses(searchtest.Grammar))
		})
	}
}
