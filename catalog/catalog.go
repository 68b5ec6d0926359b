// Package catalog is the one table of everything that can be named: problems
// and search methods, with their options, what they can do and a line of
// documentation. The command line, the schema of study files and the docs read
// it. To add a problem or a method, add a row here; nothing registers itself.
package catalog

import (
	"fmt"
	"path/filepath"

	"github.com/daedalus-search/daedalus/internal/source"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/problems/command"
	"github.com/daedalus-search/daedalus/problems/external"
	"github.com/daedalus-search/daedalus/problems/nasbench201"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/evolve"
	"github.com/daedalus-search/daedalus/search/illuminate"
	"github.com/daedalus-search/daedalus/search/local"
	"github.com/daedalus-search/daedalus/search/model"
	"github.com/daedalus-search/daedalus/search/sample"
	"github.com/daedalus-search/daedalus/space"
)

// A Searcher is a row of the table of search methods.
type Searcher struct {
	Name       string
	Doc        string               // one line
	Source     string               // where the method comes from
	Spaces     string               // kinds of space it works on
	Objectives string               // "any", "one" or "several"
	Cost       string               // of one ask and tell, and how it grows
	Advice     string               // when to take it
	Options    func() search.Method // a pointer to the options, with defaults unset
}

// Searchers returns the search methods in the order in which they are listed.
func Searchers() []Searcher {
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
			Name: "map-elites", Doc: "the best design in every cell of a behaviour space", Source: "Mouret and Clune 2015; Vassiliades et al. 2018",
			Spaces: "all", Objectives: "one", Cost: "µs, flat",
			Advice:  "many different good designs instead of one front; name the measures",
			Options: func() search.Method { return new(illuminate.MAPElites) },
		},
		{
			Name: "tpe", Doc: "tree-structured Parzen estimator over the decisions of a design", Source: "Bergstra et al. 2011; Falkner et al. 2018; Ozaki et al. 2022",
			Spaces: "all", Objectives: "any", Cost: "0.1–0.5 ms, flat",
			Advice:  "evaluations that take seconds or more, tens to thousands of trials",
			Options: func() search.Method { return new(model.TPE) },
		},
	}
}

// FindSearcher returns the row of a method, or an error that names the nearest.
func FindSearcher(name string) (Searcher, error) {
	var names []string
	for _, s := range Searchers() {
		if s.Name == name {
			return s, nil
		}
		names = append(names, s.Name)
	}
	return Searcher{}, unknown("search method", name, names)
}

// A Problem is a row of the table of problems.
type Problem struct {
	Name    string
	Doc     string     // one line
	Source  string     // data, paper
	Needs   string     // what the study file must add, "" if nothing
	Options func() any // a pointer to the options
	// New makes the problem from options that Options returned, the space of
	// the study file (nil if it has none) and the folder of the study file.
	New func(options any, s *space.Space, dir string) (problem.Problem, error)
}

// OwnSpace reports whether the study file must describe the space.
func (p Problem) OwnSpace() bool { return p.Needs != "" }

// Problems returns the problems in the order in which they are listed.
func Problems() []Problem {
	rows := []Problem{
		{
			Name: "nasbench201", Doc: "15,625 really trained image classifiers with latencies measured on 27 devices",
			Source:  "Dong and Yang 2020; Li et al. 2021 (HW-NAS-Bench); Lee et al. 2021 (HELP)",
			Options: func() any { return new(nasbench201.Options) },
			New: func(o any, _ *space.Space, _ string) (problem.Problem, error) {
				return nasbench201.New(*o.(*nasbench201.Options))
			},
		},
		{
			Name: "command", Doc: "your own program in any language: design in as JSON, metrics out", Source: "you",
			Needs:   "space, command, metrics",
			Options: func() any { return new(command.Options) },
			New: func(o any, s *space.Space, dir string) (problem.Problem, error) {
				opts := *o.(*command.Options)
				if !filepath.IsAbs(opts.Dir) {
					opts.Dir = filepath.Join(dir, opts.Dir)
				}
				return command.New(s, opts)
			},
		},
		{
			Name: "external", Doc: "evaluated elsewhere: you drive the loop with ask and tell", Source: "you",
			Needs:   "space, metrics",
			Options: func() any { return new(external.Options) },
			New: func(o any, s *space.Space, _ string) (problem.Problem, error) {
				return external.New(s, *o.(*external.Options))
			},
		},
	}
	return append(rows, syntheticRows()...)
}

// FindProblem returns the row of a problem, or an error that names the nearest.
func FindProblem(name string) (Problem, error) {
	var names []string
	for _, p := range Problems() {
		if p.Name == name {
			return p, nil
		}
		names = append(names, p.Name)
	}
	return Problem{}, unknown("problem", name, names)
}

func unknown(what, name string, known []string) error {
	if near, ok := source.Nearest(name, known); ok {
		return fmt.Errorf("unknown %s %q: did you mean %q?", what, name, near)
	}
	return fmt.Errorf("unknown %s %q; known are %v", what, name, known)
}
