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
	}
}
