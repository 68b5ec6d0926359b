// Package catalog is the one table of everything that can be named: problems
// and search methods, with their options, what they can do and a line of
// documentation. The command line, the schema of study files and the docs read
// it. To add a problem or a method, add a row here; nothing registers itself.
package catalog

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/daedalus-search/daedalus/internal/source"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/problems/command"
	"github.com/daedalus-search/daedalus/problems/external"
	"github.com/daedalus-search/daedalus/problems/nasbench201"
	"github.com/daedalus-search/daedalus/search"
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
	return slices.Concat(sampleRows(), localRows(), evolveRows(), illuminateRows(), modelRows(), fidelityRows())
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
	// the study file (nil if it has none) and the folder of the study file. It is
	// nil where the options are a Wrapper.
	New func(options any, s *space.Space, dir string) (problem.Problem, error)
}

// A Wrapper is the options of a problem that stands for another one. Its row
// has no New.
type Wrapper interface {
	// Inner is what the options name as the other problem, as a study file does.
	Inner() *source.Value
	// Wrap makes the problem.
	Wrap(inner problem.Problem) (problem.Problem, error)
}

// OwnSpace reports whether the study file must describe the space.
func (p Problem) OwnSpace() bool { return strings.HasPrefix(p.Needs, "space") }

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
	return slices.Concat(rows, networkRows(), dramRows(), servingRows(), deviceRows(), predictorRows(), proxyRows(), syntheticRows(), suiteRows())
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
