package catalog

import (
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/model"
)

// modelRows are the methods that ask a model of the objectives what to try next.
func modelRows() []Searcher {
	return []Searcher{
		{
			Name: "tpe", Doc: "tree-structured Parzen estimator over the decisions of a design", Source: "Bergstra et al. 2011; Falkner et al. 2018; Ozaki et al. 2022",
			Spaces: "all", Objectives: "any", Cost: "0.1–0.5 ms, flat",
			Advice:  "evaluations that take seconds or more, tens to thousands of trials",
			Options: func() search.Method { return new(model.TPE) },
		},
	}
}
