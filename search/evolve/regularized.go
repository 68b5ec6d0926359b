package evolve

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/internal/fresh"
	"github.com/daedalus-search/daedalus/space"
)

// Regularized is regularized, or aging, evolution (Real, Aggarwal, Huang and Le
// 2019, Regularized evolution for image classifier architecture search). A
// child is a mutation of the best of a random sample of the population, and the
// population is the youngest designs rather than the best, so that a design
// must prove itself again through its descendants and a lucky measurement does
// not stay for ever.
//
// Age counts from the submission of a design, not from its result, so slow
// evaluations make nothing younger; a result that comes after its design has
// died of age is not used. Proposals may repeat designs, as in the paper: a
// repeated design is young again, and a study answers it from its cache. Where
// the setup knows keys of equivalent designs, a child whose key was proposed
// before is not proposed: it enters the population with the score that is known
// of the key (Gillard et al. 2023, "Unified functional hashing"), up to 200 of
// them in a row. Designs that cannot meet free limits are drawn or bred anew, up
// to 500 and 20 times. Only measured designs enter the population. Foreign ones enter it as if submitted
// when they were told.
//
// With several objectives the best of a sample is the one of the lowest front
// and, within it, the largest crowding distance (Deb et al. 2002), feasible
// designs first; fronts are those of the whole population and are computed anew
// when it changes, in O(P log P) for two objectives. With one objective the
// cost of an ask is that of the sample; it never grows with the number of
// trials.
type Regularized struct {
	// Population is how many designs are alive at a time; 0 means the paper's
	// 100, or 2.5 times the square root of a budget below 1,600 trials, at least
	// 10: a short search has no time for more (docs/benchmarks.md).
	Population int `yaml:"population" min:"0" max:"1000000" doc:"designs alive at a time; 0 means 100, or 2.5 times the root of a budget below 1,600"`
	// Sample is how many of them are drawn, with replacement, for the best to
	// be the parent; 0 means the paper's 25, and at most 0.85 of the population.
	// With a population of more than 100 it is a quarter of that.
	Sample int `yaml:"sample" min:"0" max:"1000000" doc:"designs drawn, of which the best is the parent; 0 means 25, at most 0.85 and at least a quarter of the population"`
	// Crossover is the share of children that have two parents, each the best
	// of a sample, before they are mutated; 0 is the paper's.
	Crossover float64 `yaml:"crossover" default:"0" min:"0" max:"1" doc:"share of children that have two parents"`
	// Mutations is how many decisions a mutation changes; 0 means 1.
	Mutations int `yaml:"mutations" default:"1" min:"1" max:"1000000" doc:"decisions that a mutation changes"`
	// Sigma is the standard deviation of a step on a number, as a share of its
	// range; 0 means 0.1.
	Sigma float64 `yaml:"sigma" default:"0.1" min:">0" max:"1" doc:"standard deviation of a step on a number, as a share of its range"`
}

// New implements [search.Method]. It accepts every space, any number of
// objectives, and limits.
func (m Regularized) New(setup search.Setup) (search.Searcher, error) {
	var errs []error
	bad := func(option string, found any, want string) {
		errs = append(errs, fmt.Errorf("search: regularized evolution: %s: found %v, want %s", option, found, want))
	}
	if setup.Space == nil {
		errs = append(errs, errors.New("search: the setup has no space; set Setup.Space"))
	}
	if m.Population < 0 || m.Population > 1_000_000 {
		bad("population", m.Population, "0 to 1000000")
	}
	if m.Sample < 0 || m.Sample > 1_000_000 {
		bad("sample", m.Sample, "0 to 1000000")
	}
	if !(m.Crossover >= 0 && m.Crossover <= 1) {
		bad("crossover", m.Crossover, "a share from 0 to 1")
	}
	if m.Mutations < 0 {
		bad("mutations", m.Mutations, "at least 1")
	}
	if !(m.Sigma >= 0 && m.Sigma <= 1) {
		bad("sigma", m.Sigma, "a share above 0 and at most 1")
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if m.Population == 0 {
		m.Population = 100
		if setup.Budget > 0 {
			m.Population = min(max(int(2.5*math.Sqrt(float64(setup.Budget))), 10), 100)
		}
	}
	if m.Sample == 0 {
		m.Sample = max(min(25, m.Population*17/20), m.Population/4, 2)
	}
	return &regularized{
		Regularized: m,
		objectives:  max(setup.Objectives, 1),
		space:       setup.Space,
		mutation:    space.Mutation{Sites: m.Mutations, Sigma: m.Sigma},
		r:           rng.New(setup.Seed, "evolve/regularized", 0),
		source:      fresh.New(setup.Space, rng.New(setup.Seed, "evolve/start", 0)),
		Ledger:      search.NewLedger(setup),
		admit:       setup.Admit,
	}, nil
}

type regularized struct {
	search.Ledger
	Regularized
	objectives int
	space      *space.Space
	mutation   space.Mutation
	r          *rand.Rand
	source     *fresh.Source
	admit      func(space.Design) bool

	asked  int64        // proposals so far: the clock by which designs age
	living []individual // by age, the oldest first
	oldest int          // its index: the dead before it are swept now and then

	// Several objectives: the order of the living.
	stale  bool
	scores []metric.Score
	ranks  []int32
	crowd  []float64
	points []float64
	front  []int32
	dist   []float64
}

// An individual is a living design.
type individual struct {
	born   int64 // the number of proposals when it was submitted
	id     int64
	design space.Design
	score  metric.Score
}

// Batch implements [search.Batcher]: what is left of the random start, and one
// at a time after it.
func (s *regularized) Batch() int { return max(1, s.Population-int(min(s.asked, int64(s.Population)))) }

func (s *regularized) Ask(n int) ([]search.Proposal, error) {
	return search.Each(n, s.propose)
}

func (s *regularized) propose() (search.Proposal, error) {
	if s.asked < int64(s.Population) || s.alive() == 0 {
		d, err := s.draw()
		if err != nil {
			return search.Proposal{}, err
		}
		s.asked++
		return s.Propose(d, "random"), nil
	}
	for try := 0; ; try++ {
		d, operator, parents := s.breed()
		if s.admit != nil && try < screenTries && !s.admit(d) {
			continue
		}
		s.asked++
		if s.Keyed() && try < keyTries && s.Seen(d) {
			// A child that is known is young at once; one that is under way will
			// be when its result comes.
			if score, id := s.Known(d); id != 0 && len(score.Loss) == s.objectives {
				s.add(individual{born: s.asked, id: id, design: d, score: score})
			}
			continue
		}
		return s.Propose(d, operator, parents...), nil
	}
}

// keyTries bounds how many children in a row are answered from what is known of
// their keys.
const keyTries = 200

// draw returns a random design, one that can meet the limits if it finds any.
func (s *regularized) draw() (d space.Design, err error) {
	for range drawTries {
		d, err = s.source.Next(s.Seen)
		if errors.Is(err, search.ErrExhausted) { // a space smaller than the population
			d, err = s.space.Sample(s.r)
		}
		if err != nil || s.admit == nil || s.admit(d) {
			break
		}
	}
	return d, err
}

// breed returns a mutated parent, or child of two.
func (s *regularized) breed() (d space.Design, operator string, parents []int64) {
	a := s.parent()
	if s.Crossover > 0 && float64(s.r.Uint64()>>11)*0x1p-53 < s.Crossover {
		b := s.parent()
		child := s.space.Cross(s.r, a.design, b.design, space.Crossover{})
		return s.space.Mutate(s.r, child, s.mutation), "cross", []int64{a.id, b.id}
	}
	return s.space.Mutate(s.r, a.design, s.mutation), "mutate", []int64{a.id}
}

func (s *regularized) alive() int { return len(s.living) - s.oldest }

// parent returns the best of a sample of the living.
func (s *regularized) parent() *individual {
	if s.objectives > 1 && s.stale {
		s.order()
	}
	n := uint64(s.alive())
	best := -1
	for range s.Sample {
		hi, _ := bits.Mul64(s.r.Uint64(), n)
		if i := s.oldest + int(hi); best < 0 || s.better(i, best) {
			best = i
		}
	}
	return &s.living[best]
}

// better reports whether the individual at i beats the one at k.
func (s *regularized) better(i, k int) bool {
	if s.objectives > 1 {
		i, k = i-s.oldest, k-s.oldest
		return metric.CompareCrowded(s.ranks[i], s.crowd[i], s.ranks[k], s.crowd[k]) < 0
	}
	a, b := &s.living[i].score, &s.living[k].score
	if a.Violation > 0 || b.Violation > 0 {
		return metric.Compare(*a, *b) < 0
	}
	return a.Loss[0] < b.Loss[0]
}

// order ranks the living by dominance and crowding.
func (s *regularized) order() {
	s.stale = false
	s.scores, s.points = s.scores[:0], s.points[:0]
	for _, a := range s.living[s.oldest:] {
		s.scores = append(s.scores, a.score)
		s.points = append(s.points, a.score.Loss...)
	}
	s.ranks = metric.RankScores(s.scores, s.ranks)
	s.crowd = append(s.crowd[:0], make([]float64, len(s.scores))...)
	last := int32(-1)
	for _, r := range s.ranks {
		last = max(last, r)
	}
	for rank := int32(0); rank <= last; rank++ {
		s.front = s.front[:0]
		for i, r := range s.ranks {
			if r == rank {
				s.front = append(s.front, int32(i))
			}
		}
		s.dist = metric.CrowdingDistance(s.points, s.objectives, s.front, s.dist)
		for k, i := range s.front {
			if s.scores[i].Feasible() {
				s.crowd[i] = s.dist[k]
			}
		}
	}
}

func (s *regularized) Tell(outcomes ...search.Outcome) {
	for i := range outcomes {
		o := &outcomes[i]
		if !s.Accept(o) || !o.Usable() || len(o.Score.Loss) != s.objectives {
			continue
		}
		born := o.ID
		if born < 0 {
			born = s.asked
		}
		s.add(individual{born: born, id: o.ID, design: o.Design, score: o.Score})
	}
}

// add lets an individual in at its age and the oldest out.
func (s *regularized) add(a individual) {
	full := s.alive() >= s.Population
	if full && a.born < s.living[s.oldest].born {
		return // it would be the oldest
	}
	if s.oldest > len(s.living)/2 {
		s.living = append(s.living[:0], s.living[s.oldest:]...)
		s.oldest = 0
	}
	s.living = append(s.living, a)
	for i := len(s.living) - 1; i > s.oldest && s.living[i-1].born > a.born; i-- {
		s.living[i-1], s.living[i] = s.living[i], s.living[i-1]
	}
	if full {
		s.living[s.oldest] = individual{} // let go of the design
		s.oldest++
	}
	s.stale = true
}
