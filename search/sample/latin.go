package sample

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/internal/fresh"
	"github.com/daedalus-search/daedalus/space"
)

// Latin proposes Latin hypercube samples (McKay, Beckman and Conover 1979): of
// n points every coordinate visits each of n equal slices once, so that each
// parameter alone is covered as evenly as n points can, whatever the number of
// parameters. When the points are used up another hypercube begins.
//
// Of several hypercubes the one whose two nearest points are farthest apart is
// taken (maximin; Johnson, Moore and Ylvisaker 1990).
//
// Coordinates are those of [space.Space.Dims], mapped by the inverse of each
// prior. A point whose design was proposed before, or that breaks a constraint,
// is replaced by a random draw, as by [Random]; so a space of up to 65,536
// designs ends with [search.ErrExhausted]. An ask takes time proportional to
// the number of coordinates; the first of a hypercube makes all its points.
type Latin struct {
	// Points is the size of a hypercube; 0 means the budget, at most 1,000, or
	// 64 if the budget is unknown.
	Points int `yaml:"points" min:"0" max:"100000" doc:"points of a hypercube; 0 means the budget, at most 1000, or 64"`
	// Tries is of how many hypercubes the most spread one is taken; 0 means 10,
	// or fewer if comparing them would take more than about a tenth of a second.
	Tries int `yaml:"tries" min:"0" max:"10000" doc:"hypercubes of which the most spread one is taken; 0 means 10, or fewer of large ones"`
}

// New implements [search.Method]. It refuses spaces without a fixed layout of
// coordinates, which are those with a grammar. It accepts any number of
// objectives, and limits.
func (m Latin) New(setup search.Setup) (search.Searcher, error) {
	if setup.Space == nil {
		return nil, errNoSpace
	}
	dims, err := setup.Space.Dims()
	if err != nil {
		return nil, fmt.Errorf("search: latin needs a fixed number of coordinates; use random search: %w", err)
	}
	if m.Points < 0 || m.Points > 100_000 {
		return nil, fmt.Errorf("search: latin: points: found %d, want 1 to 100000, or 0 for the default", m.Points)
	}
	if m.Tries < 0 || m.Tries > 10_000 {
		return nil, fmt.Errorf("search: latin: tries: found %d, want 1 to 10000, or 0 for the default", m.Tries)
	}
	if m.Points == 0 {
		if m.Points = 64; setup.Budget > 0 {
			m.Points = int(min(setup.Budget, 1000))
		}
	}
	if m.Tries == 0 {
		const steps = 50_000_000 // of comparing coordinates
		m.Tries = min(max(int(steps/(float64(m.Points)*float64(m.Points)*float64(max(dims, 1)))), 1), 10)
	}
	return &latin{
		Latin: m, Ledger: search.NewLedger(setup), space: setup.Space, dims: dims, r: rng.New(setup.Seed, "sample/latin", 0),
		source: fresh.New(setup.Space, rng.New(setup.Seed, "sample/latin", 1)),
	}, nil
}

type latin struct {
	Latin
	search.Ledger
	space  *space.Space
	dims   int
	r      *rand.Rand
	source *fresh.Source
	cube   []float64 // points still to propose, one after the other
	other  []float64
	order  []int
}

// Batch implements [search.Batcher].
func (s *latin) Batch() int { return unlimited }

func (s *latin) Tell(outcomes ...search.Outcome) {
	for i := range outcomes {
		s.Accept(&outcomes[i])
	}
}

func (s *latin) Ask(n int) ([]search.Proposal, error) {
	return search.Each(n, func() (search.Proposal, error) {
		if s.dims > 0 {
			if len(s.cube) == 0 {
				s.fill()
			}
			u := s.cube[:s.dims]
			s.cube = s.cube[s.dims:]
			if d, err := s.space.FromUnit(u); err == nil && !s.Seen(d) {
				return s.Propose(d, "latin"), nil
			}
		}
		d, err := s.source.Next(s.Seen)
		if err != nil {
			return search.Proposal{}, err
		}
		return s.Propose(d, "random"), nil
	})
}

// fill makes the next hypercube.
func (s *latin) fill() {
	n := s.Points * s.dims
	if cap(s.other) < n {
		s.other = make([]float64, n)
	}
	s.cube = make([]float64, n)
	best := -1.0
	for range s.Tries {
		s.draw(s.other[:n])
		if s.Tries == 1 {
			copy(s.cube, s.other)
			return
		}
		if d := nearest(s.other[:n], s.dims); d > best {
			best = d
			copy(s.cube, s.other)
		}
	}
}

// draw writes one hypercube.
func (s *latin) draw(x []float64) {
	if s.order == nil {
		s.order = make([]int, s.Points)
		for i := range s.order {
			s.order[i] = i
		}
	}
	for j := range s.dims {
		s.r.Shuffle(len(s.order), func(a, b int) { s.order[a], s.order[b] = s.order[b], s.order[a] })
		for i, k := range s.order {
			x[i*s.dims+j] = (float64(k) + s.r.Float64()) / float64(s.Points)
		}
	}
}

// nearest returns the squared distance of the two nearest points.
func nearest(x []float64, dims int) float64 {
	best := math.Inf(1)
	for i := 0; i < len(x); i += dims {
		for k := 0; k < i; k += dims {
			sum := 0.0
			for j := range dims {
				d := x[i+j] - x[k+j]
				sum += float64(d * d)
			}
			best = min(best, sum)
		}
	}
	return best
}
