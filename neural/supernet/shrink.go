package supernet

import (
	"errors"
	"fmt"
	"slices"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural/train"
	"github.com/daedalus-search/daedalus/space"
)

// Shrinking is the training of Once-for-All: first the largest network, then, dimension
// by dimension, networks that are smaller in it and in those before (Cai et al. 2020).
type Shrinking struct {
	Largest    train.Recipe // of the largest network, alone
	Dimensions []Dimension  // in the order of the paper: kernels, depth, expansion
	Seed       uint64       // replaces the seeds of all recipes
}

// A Dimension is parameters of a space along which networks shrink together.
type Dimension struct {
	Name  string
	Paths []string // of the parameters, such as "unit1.kernel"
	// Recipes has one for each phase. The last phase has all options, and each phase
	// before it one less, of those that are farthest from the largest network's, but
	// at least two.
	Recipes []train.Recipe
	Nets    int  // networks a step; 0 means 1. The paper has 1 for kernels, 2 for depth, 4 for expansion.
	Sort    bool // sorts channels by importance before each phase: of expansions and widths
}

// Phases returns the phases of the training. Every parameter of the space must be in a
// dimension.
func (c Shrinking) Phases(s *Supernet) ([]Phase, error) {
	if err := s.elastic("progressive shrinking"); err != nil {
		return nil, err
	}
	var errs []error
	start := map[*space.Param]int{} // the option of the largest network
	for _, a := range s.largest.Decisions(nil) {
		if a.N == 0 {
			errs = append(errs, fmt.Errorf("parameter %q is a real number, want options", a.Param.Path))
		}
		if before, ok := start[a.Param]; ok && before != a.Index {
			errs = append(errs, fmt.Errorf("the largest network has two values of parameter %q, %v and %v, want one", a.Param.Path, a.Param.Label(before), a.Param.Label(a.Index)))
		}
		start[a.Param] = a.Index
	}
	seen := map[*space.Param]bool{}
	for _, d := range c.Dimensions {
		if len(d.Recipes) == 0 || len(d.Paths) == 0 || d.Nets < 0 {
			errs = append(errs, fmt.Errorf("dimension %q: found %d parameters, %d recipes and %d networks a step, want at least one of each", d.Name, len(d.Paths), len(d.Recipes), max(d.Nets, 1)))
		}
		for _, path := range d.Paths {
			p, ok := s.Space().Lookup(path)
			switch {
			case !ok:
				errs = append(errs, fmt.Errorf("dimension %q: the space has no parameter %q", d.Name, path))
			case seen[p]:
				errs = append(errs, fmt.Errorf("dimension %q: parameter %q is in a dimension already", d.Name, path))
			default:
				if _, ok := start[p]; !ok {
					errs = append(errs, fmt.Errorf("dimension %q: the largest network has no parameter %q", d.Name, path))
				}
				seen[p] = true
			}
		}
	}
	for _, p := range s.Space().Params() {
		if !seen[p] {
			errs = append(errs, fmt.Errorf("parameter %q is in no dimension", p.Path))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("supernet: progressive shrinking: %w", err)
	}
	var phases []Phase
	add := func(p Phase, open map[string]int) error {
		part := s.Space()
		for _, q := range s.Space().Params() {
			var err error
			if part, err = keep(part, q, start[q], max(open[q.Path], 1)); err != nil {
				return fmt.Errorf("supernet: progressive shrinking: phase %q: parameter %q: %w", p.Name, q.Path, err)
			}
		}
		p.Part = part
		_, p.Recipe.Seed = rng.State(c.Seed, "supernet/shrinking", uint64(len(phases)))
		phases = append(phases, p)
		return nil
	}
	open := map[string]int{} // how many options
	if err := add(Phase{Name: "largest", Recipe: c.Largest}, open); err != nil {
		return nil, err
	}
	for _, d := range c.Dimensions {
		for k, r := range d.Recipes {
			for _, path := range d.Paths {
				p, _ := s.Space().Lookup(path)
				open[path] = min(p.N, max(2, p.N-(len(d.Recipes)-1-k)))
			}
			name := d.Name
			if len(d.Recipes) > 1 {
				name = fmt.Sprintf("%s %d of %d", d.Name, k+1, len(d.Recipes))
			}
			if err := add(Phase{Name: name, Sampler: Uniform{N: d.Nets}, Teaching: Full, Sort: d.Sort, Recipe: r}, open); err != nil {
				return nil, err
			}
		}
	}
	return phases, nil
}

// keep leaves n options of a parameter: one, and those nearest to it.
func keep(s *space.Space, p *space.Param, option, n int) (*space.Space, error) {
	if n >= p.N {
		return s, nil
	}
	options := make([]int, p.N)
	for i := range options {
		options[i] = i
	}
	slices.SortStableFunc(options, func(a, b int) int { return max(a-option, option-a) - max(b-option, option-b) })
	options = options[:n]
	slices.Sort(options)
	if p.Kind == space.KindRepeat { // a count
		return s.RestrictRange(p.Path, p.Number(options[0]), p.Number(options[n-1]))
	}
	values := make([]any, n)
	for i, o := range options {
		values[i] = p.Label(o)
	}
	if n == 1 {
		return s.Fix(p.Path, values[0])
	}
	return s.Restrict(p.Path, values...)
}
