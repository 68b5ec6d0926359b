package evolve

import (
	"testing"

	"github.com/daedalus-search/daedalus/search/searchtest"
)

func TestGeneticLaws(t *testing.T) {
	t.Parallel()
	searchtest.Run(t, Genetic{}, searchtest.OneObjective())
}

func TestSMSEMOALaws(t *testing.T) {
	t.Parallel()
	searchtest.Run(t, SMSEMOA{Population: 30})
}

func TestMOEADLaws(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]MOEAD{"default": {}, "small": {Population: 10, Neighbors: 3, Replace: 1}, "pbi": {Decomposition: "pbi", Population: 20}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			searchtest.Run(t, o)
		})
	}
}

func TestAntsLaws(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]Ants{"default": {}, "greedy": {Ants: 4, Greed: 0.5, Evaporation: 0.5, Converged: 0.1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			searchtest.Run(t, o, searchtest.OneObjective())
		})
	}
}
