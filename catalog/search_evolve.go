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
		{
			Name: "nsga3", Doc: "NSGA-III with reference lines instead of crowding", Source: "Deb and Jain 2014; Seada and Deb 2016",
			Spaces: "all", Objectives: "any", Cost: "µs, flat",
			Advice:  "three objectives and more, hundreds of trials and more",
			Options: func() search.Method { return new(evolve.NSGA3) },
		},
		{
			Name: "smsemoa", Doc: "SMS-EMOA: the design that adds least hypervolume goes", Source: "Beume, Naujoks and Emmerich 2007",
			Spaces: "all", Objectives: "any", Cost: "µs with two or three objectives, 1 ms with four, flat",
			Advice:  "two or three objectives, the best front of a few hundred trials and more",
			Options: func() search.Method { return new(evolve.SMSEMOA) },
		},
		{
			Name: "moead", Doc: "MOEA/D: one problem of one objective for each weight vector", Source: "Zhang and Li 2007",
			Spaces: "all", Objectives: "any", Cost: "µs, flat",
			Advice:  "many objectives or neighbouring trade-offs that resemble each other",
			Options: func() search.Method { return new(evolve.MOEAD) },
		},
		{
			Name: "genetic", Doc: "genetic algorithm", Source: "Holland 1975; Deb and Agrawal 1995",
			Spaces: "all", Objectives: "one", Cost: "µs, flat",
			Advice:  "one objective, designs whose parts can be combined, hundreds of trials and more",
			Options: func() search.Method { return new(evolve.Genetic) },
		},
		{
			Name: "ants", Doc: "ant colony: pheromone on the options of good designs", Source: "Stützle and Hoos 2000; Blum and Dorigo 2004; Socha and Dorigo 2008",
			Spaces: "all", Objectives: "one", Cost: "some µs, flat",
			Advice:  "one objective, options that are good or bad by themselves, hundreds of trials",
			Options: func() search.Method { return new(evolve.Ants) },
		},
		{
			Name: "cma-es", Doc: "covariance matrix adaptation evolution strategy, with margin for integers and distributions for categories", Source: "Hansen 2016; Hamano et al. 2022 and 2024",
			Spaces: "all but grammars", Objectives: "one", Cost: "µs, flat",
			Advice:  "one objective over numbers, hundreds of trials and more",
			Options: func() search.Method { return new(evolve.CMAES) },
		},
		{
			Name: "differential", Doc: "differential evolution with self-adaptive parameters", Source: "Storn and Price 1997; Brest et al. 2006 (jDE)",
			Spaces: "all but grammars", Objectives: "one", Cost: "µs, flat",
			Advice:  "one objective over numbers, rugged, thousands of trials and more",
			Options: func() search.Method { return new(evolve.Differential) },
		},
		{
			Name: "swarm", Doc: "particle swarm optimisation with constriction", Source: "Kennedy and Eberhart 1995; Clerc and Kennedy 2002",
			Spaces: "all but grammars", Objectives: "one", Cost: "µs, flat",
			Advice:  "one smooth objective over numbers, thousands of trials",
			Options: func() search.Method { return new(evolve.Swarm) },
		},
	}
}
