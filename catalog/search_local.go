package catalog

import (
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/local"
)

// localRows are the methods that move from one design to a neighbour.
func localRows() []Searcher {
	return []Searcher{
		{
			Name: "local", Doc: "hill climbing over one-edit neighbours, with restarts or kicks", Source: "White, Nolen and Savani 2021; Lourenço, Martin and Stützle 2003",
			Spaces: "all", Objectives: "any", Cost: "40 µs, flat",
			Advice:  "discrete spaces with some structure and few hundred trials",
			Options: func() search.Method { return new(local.LocalSearch) },
		},
		{
			Name: "annealing", Doc: "simulated annealing with a calibrated temperature", Source: "Kirkpatrick, Gelatt and Vecchi 1983",
			Spaces: "all", Objectives: "any", Cost: "µs, flat",
			Advice:  "rugged landscapes, one evaluation at a time",
			Options: func() search.Method { return new(local.Annealing) },
		},
		{
			Name: "late-acceptance", Doc: "hill climbing that may lose what it gained some results ago", Source: "Burke and Bykov 2017",
			Spaces: "all", Objectives: "any", Cost: "µs, flat",
			Advice:  "rugged landscapes whose scale is not known",
			Options: func() search.Method { return new(local.LateAcceptance) },
		},
		{
			Name: "tabu", Doc: "moves to the best neighbour, never straight back", Source: "Glover 1989",
			Spaces: "all", Objectives: "any", Cost: "40 µs, flat",
			Advice:  "discrete spaces with plateaus and wide basins; several evaluations at once",
			Options: func() search.Method { return new(local.Tabu) },
		},
		{
			Name: "bisection", Doc: "how many parameters can be pushed, in order of sensitivity, before a limit breaks", Source: "mixed precision by sensitivity order",
			Spaces: "ordered levels only", Objectives: "any", Cost: "µs, with the square of the parameters",
			Advice:  "bits of layers and other levels from safe to cheap, with a limit; a few evaluations a parameter",
			Options: func() search.Method { return new(local.Bisection) },
		},
	}
}
