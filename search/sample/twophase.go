package sample

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/internal/fresh"
	"github.com/daedalus-search/daedalus/space"
)

// TwoPhase is a grid in two phases: what the first one finds decides where the
// second one looks, so that their costs add up instead of multiplying.
//
// With First, the first phase is a grid over those parameters alone, the others
// where Others says, and the second a grid over the others with the
// first ones at their best values. That is how coupled scales are found in 20 +
// 80 evaluations instead of 1,600 (Zhang et al. 2023, Dual grained quantization:
// a fine scale a group, then a coarse one a channel that depends on it).
//
// Without First, the first phase is a coarse grid over the whole space and the
// second a grid of as many levels around the best design: numbers between its
// neighbours on the grid before, options and structure as in that design. Grids
// around the best design so far go on being made until the range has shrunk to
// nothing. With several objectives each is made around a random design of the
// front.
//
// A phase begins when everything of the one before was proposed, with the
// results that have arrived; if none has, designs are drawn at random until one
// does. What is left after the last phase is drawn at random, so that a space
// of up to 65,536 designs ends with [search.ErrExhausted]. An ask costs about
// what one of [Grid] costs, and 30 µs for going from space to space.
type TwoPhase struct {
	// First names the parameters of the first phase; none means all, coarsely.
	First []string `yaml:"first" doc:"parameters of the first phase; none means a coarse grid over all"`
	// Others says where the other parameters stand meanwhile: "low" at the lower
	// end of the range, or the first option of a list, "high" at the upper end,
	// or the last option; "" means middle.
	Others string `yaml:"others" default:"middle" oneof:"low middle high" doc:"where the other parameters stand meanwhile: at the lower end or first option, in the middle, or at the upper end or last option"`
	// Levels is how many points stand on the range of a number, as for [Grid];
	// 0 means 5.
	Levels int `yaml:"levels" default:"5" min:"2" max:"1048576" doc:"points on the range of a real number, and of a whole number with more than ten values"`
	// Share is how much of a known budget the coarse grid may use; 0 means 0.5.
	Share float64 `yaml:"share" default:"0.5" min:">0" max:"1" doc:"share of the budget that the coarse grid may use"`
}

// New implements [search.Method]. It accepts every space, or with First one
// whose parameters are all simple ones at the top: numbers, ordinals,
// categoricals and booleans. It accepts any number of objectives, and limits.
func (m TwoPhase) New(setup search.Setup) (search.Searcher, error) {
	if setup.Space == nil {
		return nil, errNoSpace
	}
	if m.Levels == 0 {
		m.Levels = 5
	}
	if m.Levels < 2 || m.Levels > 1<<20 {
		return nil, fmt.Errorf("search: two-phase: levels: found %d, want 2 to 1048576", m.Levels)
	}
	if !(m.Share >= 0 && m.Share <= 1) {
		return nil, fmt.Errorf("search: two-phase: share: found %v, want a share above 0 and at most 1", m.Share)
	}
	if m.Share == 0 {
		m.Share = 0.5
	}
	if m.Others != "" && m.Others != "low" && m.Others != "middle" && m.Others != "high" {
		return nil, fmt.Errorf("search: two-phase: others: found %q, want low, middle or high", m.Others)
	}
	s := &twoPhase{
		TwoPhase: m, Ledger: search.NewLedger(setup), setup: setup, space: setup.Space, r: rng.New(setup.Seed, "sample/two-phase", 0),
		source: fresh.New(setup.Space, rng.New(setup.Seed, "sample/two-phase", 1)),
	}
	first := setup.Space
	if len(m.First) > 0 {
		base, err := s.base()
		if err != nil {
			return nil, err
		}
		if first, err = s.fix(base, false); err != nil {
			return nil, err
		}
	} else if setup.Budget > 0 {
		s.left = max(int64(m.Share*float64(setup.Budget)), 1)
	}
	return s, s.begin(first)
}

type twoPhase struct {
	TwoPhase
	search.Ledger
	setup  search.Setup
	space  *space.Space
	r      *rand.Rand
	source *fresh.Source

	phase int          // 1, 2, …
	part  *space.Space // that this phase is a grid over
	grid  search.Searcher
	left  int64 // proposals of the coarse grid; 0 means as many as it has
	over  bool  // no phase can follow
	front metric.Front[space.Design]
}

// Batch implements [search.Batcher]. Later phases begin by what is known.
func (s *twoPhase) Batch() int {
	if s.over {
		return unlimited
	}
	return 1
}

// simple reports whether a parameter has one value at the top of every design.
func simple(p *space.Param) bool {
	switch p.Kind {
	case space.KindFloat, space.KindInt, space.KindOrdinal, space.KindCategorical, space.KindBool:
		return true
	}
	return false
}

// base returns the design that Others speaks of, and checks First.
func (s *twoPhase) base() (space.Design, error) {
	var errs []error
	for _, p := range s.space.Params() {
		if !simple(p) {
			errs = append(errs, fmt.Errorf("search: two-phase: first: parameter %q is a %v; want a space of numbers, ordinals, categoricals and booleans, or no first", p.Path, p.Kind))
		}
	}
	for _, name := range s.First {
		if _, ok := s.space.Lookup(name); !ok {
			errs = append(errs, fmt.Errorf("search: two-phase: first: found %q, want a parameter of the space", name))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return space.Design{}, err
	}
	dims, err := s.space.Dims()
	if err != nil {
		return space.Design{}, err
	}
	u := make([]float64, dims)
	for i := range u {
		switch s.Others {
		case "low":
		case "high":
			u[i] = 1
		default:
			u[i] = 0.5
		}
	}
	return s.space.FromUnit(u)
}

// fix returns the space whose parameters in First, or those not in it, have
// their values in d.
func (s *twoPhase) fix(d space.Design, first bool) (*space.Space, error) {
	values, sp := d.Map(), s.space
	for _, p := range s.space.Params() {
		v, active := values[p.Path]
		if !active || slices.Contains(s.First, p.Path) != first {
			continue
		}
		var err error
		if sp, err = sp.Fix(p.Path, v); err != nil {
			return nil, fmt.Errorf("search: two-phase: %w", err)
		}
	}
	return sp, nil
}

// begin starts the next phase.
func (s *twoPhase) begin(part *space.Space) error {
	s.phase++
	setup := s.setup
	setup.Space, setup.Key, setup.Admit = part, nil, nil
	setup.Seed += uint64(s.phase)
	s.part = part
	var err error
	s.grid, err = Grid{Levels: s.Levels}.New(setup)
	return err
}

// follow begins the phase after this one, if there is one and something to go by.
func (s *twoPhase) follow() (bool, error) {
	if s.over || s.front.Len() == 0 {
		return false, nil
	}
	k := s.r.IntN(s.front.Len())
	var best space.Design
	for _, d := range s.front.All() {
		if k--; k < 0 {
			best = d
			break
		}
	}
	if len(s.First) > 0 {
		s.over = true
		part, err := s.fix(best, true)
		if err != nil {
			return false, err
		}
		return true, s.begin(part)
	}
	// The neighbours on the grid are one part in Levels-1 of its range away.
	inside, err := s.part.Adopt(best)
	from := s.part
	if err != nil { // the best moved elsewhere: look at the whole range again
		from, inside = s.space, best
	}
	part, err := from.Shrink([]space.Design{inside}, 2/float64(s.Levels-1))
	if err != nil {
		return false, fmt.Errorf("search: two-phase: %w", err)
	}
	if part.Equal(from) || s.phase >= maxPhases {
		s.over = true
		return false, nil
	}
	return true, s.begin(part)
}

// maxPhases bounds the grids in grids: a range shrinks at least by a third in
// each, so this is beyond the digits of a number.
const maxPhases = 100

func (s *twoPhase) Ask(n int) ([]search.Proposal, error) { return search.Each(n, s.next) }

func (s *twoPhase) next() (search.Proposal, error) {
	for {
		d, err := s.point()
		if err == nil {
			if s.Seen(d) {
				continue
			}
			if s.phase == 1 && s.left > 0 {
				if s.left--; s.left == 0 {
					s.grid = nil
				}
			}
			return s.Propose(d, "grid"), nil
		}
		if !errors.Is(err, search.ErrExhausted) {
			return search.Proposal{}, err
		}
		s.grid = nil
		if more, err := s.follow(); err != nil {
			return search.Proposal{}, err
		} else if more {
			continue
		}
		d, err = s.source.Next(s.Seen)
		if err != nil {
			return search.Proposal{}, err
		}
		return s.Propose(d, "random"), nil
	}
}

// point returns the next design of the phase.
func (s *twoPhase) point() (space.Design, error) {
	if s.grid == nil {
		return space.Design{}, search.ErrExhausted
	}
	ps, err := s.grid.Ask(1)
	if err != nil {
		return space.Design{}, err
	}
	return s.space.Adopt(ps[0].Design)
}

func (s *twoPhase) Tell(outcomes ...search.Outcome) {
	for i := range outcomes {
		o := &outcomes[i]
		if s.Accept(o) && o.Usable() && len(o.Score.Loss) == max(s.setup.Objectives, 1) {
			s.front.Add(o.Score, o.Design)
		}
	}
}
