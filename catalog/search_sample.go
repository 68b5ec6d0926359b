package catalog

import (
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/sample"
)

// sampleRows are the methods that draw without learning, or nearly so.
func sampleRows() []Searcher {
	return []Searcher{
		{
			Name: "random", Doc: "independent draws from the prior of the space", Source: "baseline",
			Spaces: "all", Objectives: "any", Cost: "µs, flat",
			Advice:  "the baseline that everything else must beat",
			Options: func() search.Method { return new(sample.Random) },
		},
		{
			Name: "grid", Doc: "every combination of levels, in shuffled order", Source: "baseline",
			Spaces: "all but open grammars", Objectives: "any", Cost: "µs, flat",
			Advice:  "small finite spaces, which it searches completely",
			Options: func() search.Method { return new(sample.Grid) },
		},
		{
			Name: "sobol", Doc: "scrambled Sobol sequence: draws that fill the space evenly", Source: "Sobol 1967; Owen 1995; Joe and Kuo 2008",
			Spaces: "all but grammars", Objectives: "any", Cost: "µs, flat",
			Advice:  "first looks, designs of experiments, very parallel runs",
			Options: func() search.Method { return new(sample.Sobol) },
		},
		{
			Name: "latin", Doc: "maximin Latin hypercube: each parameter alone is covered evenly", Source: "McKay, Beckman and Conover 1979; Johnson, Moore and Ylvisaker 1990",
			Spaces: "all but grammars", Objectives: "any", Cost: "µs, flat",
			Advice:  "first looks with few points, and more parameters than Sobol has dimensions",
			Options: func() search.Method { return new(sample.Latin) },
		},
		{
			Name: "two-phase", Doc: "a coarse grid, then a fine one around the best; or one block of parameters after the other", Source: "Zhang et al. 2023 (DGQ)",
			Spaces: "all but open grammars", Objectives: "any", Cost: "40 µs, flat",
			Advice:  "two to four coupled numbers, such as scales, whose full grid is too large",
			Options: func() search.Method { return new(sample.TwoPhase) },
		},
	}
}
