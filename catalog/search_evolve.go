package catalog

import (
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/evolve"
)

// evolveRows are the methods that breed populations.
func evolveRows() []Searcher {
	return []Searcher{
		{
			Name: "regularized", Doc: "regularized (aging) evolution", Source: "Real, Aggarwal, Huang and Le 2019",
			Spaces: "all", Objectives: "any", Cost: "µs, flat",
			Advice:  "one objective, noise, hundreds of trials and more",
			Options: func() search.Method { return new(evolve.Regularized) },
		},
		{
			Name: "nsga2", Doc: "non-dominated sorting genetic algorithm", Source: "Deb, Pratap, Agarwal and Meyarivan 2002",
			Spaces: "all", Objectives: "any", Cost: "µs, flat",
			Advice:  "two or three objectives and hundreds of trials and more",
			Options: func() search.Method { return new(evolve.NSGA2) },
		},
	}
}
