package local

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/daedalus-search/daedalus/internal/detmath"
	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/internal/fresh"
	"github.com/daedalus-search/daedalus/space"
)

// Annealing is simulated annealing (Kirkpatrick, Gelatt and Vecchi 1983). It
// mutates the current design and moves there if the loss falls, and with
// probability exp(-rise/T) if it rises. The temperature T is multiplied by
// Cooling after every result.
//
// Temperature is in units of the loss. Left at 0 it is calibrated: the first
// ten moves (a tenth of a smaller budget, at least two) are accepted whatever
// they bring, and T starts where 80 % of such rises would be. With several
// objectives the loss is the climb's weighted norm, which is at most 1 on the
// front.
//
// After Patience rejected moves in a row the chain goes back to the best design
// so far or, if it is there already, to a new random one. With several
// objectives it draws new weights then, and at the latest after 50 results (or
// ten for each decision), and goes to the best design of the front by them. Results that are known are not asked
// for again: the chain passes through them without cooling. With several
// proposals pending each result is judged against the design that is current
// when it arrives. The cost of an ask does not grow with the number of trials,
// that of a restart with several objectives grows with the size of the front.
type Annealing struct {
	// Temperature is the starting temperature in units of the loss; 0
	// calibrates it on the first moves.
	Temperature float64 `yaml:"temperature" min:"0" doc:"starting temperature in units of the loss; 0 calibrates it on the first moves"`
	// Cooling is the factor of the temperature after every result; 0 means to
	// end at 1 % of the start when the budget does, or 0.99 if it is unknown.
	Cooling float64 `yaml:"cooling" min:"0" max:"1" doc:"factor of the temperature after every result; 0 means to end at 1 % of the start with the budget, or 0.99 if it is unknown"`
	// Patience is how many rejected moves in a row bring a restart; 0 means
	// five for each decision of the current design.
	Patience int `yaml:"patience" min:"0" max:"1000000000" doc:"rejected moves in a row before a restart; 0 means five for each decision of the design"`
	// Sigma is the standard deviation of a step on a number, as a share of its
	// range; 0 means 0.1.
	Sigma float64 `yaml:"sigma" default:"0.1" min:">0" max:"1" doc:"standard deviation of a step on a number, as a share of its range"`
}

// New implements [search.Method]. It accepts every space, any number of
// objectives, and limits.
func (m Annealing) New(setup search.Setup) (search.Searcher, error) {
	var errs []error
	if setup.Space == nil {
		errs = append(errs, errNoSpace)
	}
	if !(m.Temperature >= 0) || math.IsInf(m.Temperature, 0) {
		errs = append(errs, fmt.Errorf("search: annealing: temperature: found %v, want a finite number of at least 0", m.Temperature))
	}
	if !(m.Cooling >= 0 && m.Cooling <= 1) {
		errs = append(errs, fmt.Errorf("search: annealing: cooling: found %v, want a factor from 0 to 1", m.Cooling))
	}
	if m.Patience < 0 {
		errs = append(errs, fmt.Errorf("search: annealing: patience: found %d, want at least 0", m.Patience))
	}
	if !(m.Sigma >= 0 && m.Sigma <= 1) {
		errs = append(errs, fmt.Errorf("search: annealing: sigma: found %v, want a share above 0 and at most 1", m.Sigma))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if m.Sigma == 0 {
		m.Sigma = 0.1
	}
	s := &annealer{
		Annealing: m,
		judge:     newJudge(setup),
		space:     setup.Space,
		r:         rng.New(setup.Seed, "local/anneal", 0),
		source:    fresh.New(setup.Space, rng.New(setup.Seed, "local/start", 0)),
		known:     newMemory(setup), Ledger: search.NewLedger(setup),
		heat: m.Temperature,
	}
	if m.Temperature == 0 {
		s.warmup = 10
		if setup.Budget > 0 {
			s.warmup = int(min(max(setup.Budget/10, 2), 10))
		}
	}
	if m.Cooling == 0 {
		s.Cooling = 0.99
		if setup.Budget > 0 {
			left := max(setup.Budget-int64(s.warmup)-1, 1)
			s.Cooling = detmath.Pow(0.01, 1/float64(left))
		}
	}
	s.mixture = s.weights(s.r)
	return s, nil
}

type annealer struct {
	search.Ledger
	Annealing
	judge
	space  *space.Space
	r      *rand.Rand
	source *fresh.Source
	known  memory

	at       place // the current design, if at.ok
	mixture  []float64
	heat     float64 // T
	rejected int     // moves in a row
	leg      int     // results since the weights were drawn
	warmup   int     // moves still to accept for calibration
	rises    float64 // sum of |change| of those
	moves    int     // number of those

	best place // one objective; of several the judge keeps the front

	// Of late acceptance: the current designs of the last results, a ring. An
	// annealer has none.
	past []place
	turn int
}

// maxLeg bounds the results for which weights of objectives are kept.
const maxLeg = 50

// maxFree bounds the moves between known designs that one ask may make.
const maxFree = 256

func (s *annealer) Ask(n int) ([]search.Proposal, error) {
	return search.Each(n, s.next)
}

func (s *annealer) next() (search.Proposal, error) {
	for range maxFree {
		if !s.at.ok {
			break
		}
		d := s.space.Mutate(s.r, s.at.design, space.Mutation{Sigma: s.Sigma})
		if !s.Seen(d) {
			return s.Propose(d, "mutate", s.at.id), nil
		}
		if x, ok := s.known.get(d); ok && d != s.at.design {
			s.consider(x)
			continue
		}
		s.reject() // it is pending, or there is no other design nearby
	}
	d, err := s.source.Next(s.Seen)
	if err != nil {
		return search.Proposal{}, err
	}
	return s.Propose(d, "random"), nil
}

func (s *annealer) Tell(outcomes ...search.Outcome) {
	for i := range outcomes {
		o := &outcomes[i]
		if !s.Accept(o) {
			continue
		}
		x := place{o.ID, o.Design, s.read(o)}
		s.known.put(x)
		s.keep(x)
		if s.objectives == 1 && x.ok && (!s.best.ok || s.compare(&x.result, &s.best.result, nil) < 0) {
			s.best = x
		}
		if o.ID < 0 {
			// A foreign design is a place to begin, not a move.
			if x.ok && !s.at.ok {
				s.at = x
			}
			continue
		}
		if s.at.ok && s.warmup > 0 {
			s.calibrate(x)
			continue
		}
		s.consider(x)
		s.heat = float64(s.heat * s.Cooling)
		if len(s.past) > 0 {
			s.past[s.turn] = s.at
			s.turn = (s.turn + 1) % len(s.past)
		}
		if s.leg++; s.objectives > 1 && s.at.ok && s.leg >= min(10*s.at.design.Len(), maxLeg) {
			s.restart(false)
		}
	}
}

// calibrate accepts a move and, after the last of them, sets the temperature at
// which 80 % of rises of their mean size are accepted.
func (s *annealer) calibrate(x place) {
	if !x.ok {
		return
	}
	if x.violation == s.at.violation {
		s.rises += math.Abs(s.scalar(&x.result, s.mixture) - s.scalar(&s.at.result, s.mixture))
		s.moves++
	}
	s.at = x
	if s.warmup--; s.warmup > 0 {
		return
	}
	if s.moves > 0 {
		s.heat = s.rises / float64(s.moves) / -detmath.Log(0.8)
	}
	s.restart(false)
}

// consider moves to a design, or not.
func (s *annealer) consider(x place) {
	if !s.at.ok {
		if x.ok {
			s.at, s.rejected = x, 0
		}
		return
	}
	if c := s.compare(&x.result, &s.at.result, s.mixture); c <= 0 {
		if x.ok {
			s.at, s.rejected = x, 0
		}
		return
	}
	if len(s.past) > 0 {
		if then := &s.past[s.turn]; x.ok && then.ok && s.compare(&x.result, &then.result, s.mixture) < 0 {
			s.at, s.rejected = x, 0
			return
		}
	} else if x.ok && x.violation == 0 && s.heat > 0 {
		rise := s.scalar(&x.result, s.mixture) - s.scalar(&s.at.result, s.mixture)
		if rng.Open(s.r) < detmath.Exp(-rise/s.heat) {
			s.at, s.rejected = x, 0
			return
		}
	}
	s.reject()
}

// reject counts a move that was not made.
func (s *annealer) reject() {
	s.rejected++
	limit := s.Patience
	if limit == 0 {
		limit = 5 * max(s.at.design.Len(), 1)
	}
	if s.rejected >= limit {
		s.restart(true)
	}
}

// restart goes back to the best design or, if the chain is stuck there, to a
// new one.
func (s *annealer) restart(stuck bool) {
	was := s.at.design
	s.rejected, s.leg = 0, 0
	s.mixture = s.weights(s.r)
	clear(s.past)
	s.at = s.best
	if s.objectives > 1 {
		s.at = place{}
		for _, x := range s.front.All() {
			if !s.at.ok || s.compare(&x.result, &s.at.result, s.mixture) < 0 {
				s.at = x
			}
		}
	}
	if stuck && s.at.design == was {
		s.at = place{}
	}
}
