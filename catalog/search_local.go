package catalog

import (
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/local"
)

// localRows are the methods that move from one design to a neighbour.
func localRows() []Searcher {
	return []Searcher{
		{
			Name: "local", Doc: "hill climbing over one-edit neighbours, with restarts", Source: "White, Nolen and Savani 2020",
			Spaces: "all", Objectives: "any", Cost: "µs, flat",
			Advice:  "discrete spaces with some structure and few hundred trials",
			Options: func() search.Method { return new(local.LocalSearch) },
		},
		{
			Name: "annealing", Doc: "simulated annealing with a calibrated temperature", Source: "Kirkpatrick, Gelatt and Vecchi 1983",
			Spaces: "all", Objectives: "any", Cost: "µs, flat",
			Advice:  "rugged landscapes, one evaluation at a time",
			Options: func() search.Method { return new(local.Annealing) },
		},
	}
}
