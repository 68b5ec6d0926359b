package catalog

import (
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/illuminate"
)

// illuminateRows are the methods that fill archives with many different good designs.
func illuminateRows() []Searcher {
	return []Searcher{
		{
			Name: "map-elites", Doc: "the best design in every cell of a behaviour space", Source: "Mouret and Clune 2015; Vassiliades et al. 2018",
			Spaces: "all", Objectives: "one", Cost: "µs, flat",
			Advice:  "many different good designs instead of one front; name the measures",
			Options: func() search.Method { return new(illuminate.MAPElites) },
		},
		{
			Name: "emitters", Doc: "MAP-Elites whose designs come from several kinds of emitters, chosen by a bandit", Source: "Fontaine et al. 2020; Garivier and Moulines 2011",
			Spaces: "all", Objectives: "one", Cost: "µs, flat",
			Advice:  "map-elites when it is not known what variation suits the space",
			Options: func() search.Method { return new(illuminate.Emitters) },
		},
		{
			Name: "cma-me", Doc: "MAP-Elites with evolution strategies that are led by improvement of the archive", Source: "Fontaine, Togelius, Nikolaidis and Hoover 2020",
			Spaces: "all but grammars", Objectives: "one", Cost: "µs, flat",
			Advice:  "archives over numbers, thousands of trials and more: the widest coverage",
			Options: func() search.Method { return new(illuminate.CMAME) },
		},
		{
			Name: "cma-mae", Doc: "CMA-ME with cells whose threshold anneals", Source: "Fontaine and Nikolaidis 2023",
			Spaces: "all but grammars", Objectives: "one", Cost: "µs, flat",
			Advice:  "archives over numbers where quality counts more than coverage, and flat objectives",
			Options: func() search.Method { return new(illuminate.CMAMAE) },
		},
		{
			Name: "mome", Doc: "a front of designs in every cell of a behaviour space", Source: "Pierrot, Richard, Beguir and Cully 2022",
			Spaces: "all", Objectives: "any", Cost: "µs, flat",
			Advice:  "several objectives for each kind of design; name the measures",
			Options: func() search.Method { return new(illuminate.MOME) },
		},
	}
}
