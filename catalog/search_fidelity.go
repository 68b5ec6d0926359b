package catalog

import (
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/fidelity"
)

// fidelityRows are the methods that begin with little effort. They need a
// problem with a fidelity.
func fidelityRows() []Searcher {
	return []Searcher{
		{
			Name: "halving", Doc: "successive halving: the best of each rung go on with more effort", Source: "Karnin, Koren and Somekh 2013; Jamieson and Talwalkar 2016",
			Spaces: "all", Objectives: "any", Cost: "µs, flat",
			Advice:  "problems with a fidelity, few workers, little effort that tells the truth",
			Options: func() search.Method { return new(fidelity.SuccessiveHalving) },
		},
		{
			Name: "halving-grid", Doc: "a grid whose points are measured with little effort first, the best with more", Source: "Jamieson and Talwalkar 2016; scikit-learn (HalvingGridSearchCV)",
			Spaces: "all but open grammars", Objectives: "any", Cost: "µs, flat",
			Advice:  "problems with a fidelity and few parameters, whose levels are to be compared completely",
			Options: func() search.Method { return new(fidelity.HalvingGrid) },
		},
		{
			Name: "hyperband", Doc: "rounds of successive halving that begin at every rung in turn", Source: "Li et al. 2018",
			Spaces: "all", Objectives: "any", Cost: "µs, flat",
			Advice:  "problems with a fidelity whose little effort may mislead",
			Options: func() search.Method { return new(fidelity.Hyperband) },
		},
		{
			Name: "asha", Doc: "asynchronous successive halving, which never waits", Source: "Li et al. 2020",
			Spaces: "all", Objectives: "any", Cost: "µs, O(log n); 0.1 ms with several objectives",
			Advice:  "problems with a fidelity and several workers, with async: true; fronts too",
			Options: func() search.Method { return new(fidelity.ASHA) },
		},
		{
			Name: "pasha", Doc: "progressive ASHA: more effort only while the order of designs is unsettled", Source: "Bohdal et al. 2023",
			Spaces: "all", Objectives: "any", Cost: "µs, O(log n); a millisecond where curves are compared",
			Advice:  "expensive full evaluations whose order is clear early",
			Options: func() search.Method { return new(fidelity.PASHA) },
		},
		{
			Name: "bohb", Doc: "Hyperband with designs drawn by densities of good and other results", Source: "Falkner, Klein and Hutter 2018",
			Spaces: "all", Objectives: "any", Cost: "0.2–1 ms, flat",
			Advice:  "problems with a fidelity and budgets of hundreds of trials",
			Options: func() search.Method { return new(fidelity.BOHB) },
		},
	}
}
