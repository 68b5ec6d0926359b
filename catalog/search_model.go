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
			Spaces: "all", Objectives: "any", Cost: "0.1–0.5 ms, flat; up to 2 with several objectives",
			Advice:  "evaluations that take seconds or more, tens to thousands of trials",
			Options: func() search.Method { return new(model.TPE) },
		},
		{
			Name: "gp", Doc: "Gaussian process: expected improvement, expected hypervolume of two objectives, random directions with more", Source: "Jones et al. 1998; Knowles 2006; Daulton et al. 2021; Ament et al. 2023; Song et al. 2024",
			Spaces: "all", Objectives: "any", Cost: "30–150 ms; knows at most 500 results",
			Advice:  "evaluations that take seconds or more, tens to hundreds of trials; with `noise: 0.000001` and `prior: vizier` where measuring again gives the same, as auto has it",
			Options: func() search.Method { return new(model.GP) },
		},
		{
			Name: "smac", Doc: "a random forest and the expected improvement", Source: "Hutter, Hoos and Leyton-Brown 2011; Lindauer et al. 2022",
			Spaces: "all", Objectives: "any", Cost: "5–20 ms; learns from at most 1,000 results",
			Advice:  "conditional and categorical spaces, evaluations that take seconds or more",
			Options: func() search.Method { return new(model.SMAC) },
		},
		{
			Name: "bananas", Doc: "an ensemble of small networks and independent Thompson sampling", Source: "White, Neiswanger and Savani 2021",
			Spaces: "all", Objectives: "any", Cost: "0.1–1 s for every fifth; learns from at most 1,000 results",
			Advice:  "architectures that take minutes and more to train",
			Options: func() search.Method { return new(model.BANANAS) },
		},
		{
			Name: "boshnas", Doc: "a surrogate with gradients, and descent to the design it promises most of", Source: "Tuli, Dedhia, Tuli and Jha 2023 (FlexiBERT)",
			Spaces: "all", Objectives: "any", Cost: "0.2–0.5 s; learns from at most 500 results",
			Advice:  "architectures that take minutes and more to train, tens of trials",
			Options: func() search.Method { return new(model.BOSHNAS) },
		},
		{
			Name: "weaknas", Doc: "boosted trees, and draws from what they predict to be best", Source: "Wu et al. 2021",
			Spaces: "all", Objectives: "any", Cost: "ms; learns from at most 2,000 results",
			Advice:  "cell spaces and tables of up to 65,536 designs, hundreds of trials",
			Options: func() search.Method { return new(model.WeakNAS) },
		},
		{
			Name: "gbdt-nas", Doc: "boosted trees, taken at their word", Source: "Luo et al. 2020",
			Spaces: "all", Objectives: "any", Cost: "ms; learns from at most 2,000 results",
			Advice:  "discrete spaces, hundreds of trials, several evaluations at once",
			Options: func() search.Method { return new(model.GBDTNAS) },
		},
		{
			Name: "linas", Doc: "a predictor an objective, and a whole evolution on what they predict", Source: "Cummings et al. 2022 (DyNAS-T)",
			Spaces: "all", Objectives: "any", Cost: "ms; learns from at most 2,000 results",
			Advice:  "two and more objectives, batches of tens of evaluations",
			Options: func() search.Method { return new(model.LINAS) },
		},
	}
}
