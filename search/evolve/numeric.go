package evolve

import (
	"math"
	"math/rand/v2"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/internal/fresh"
	"github.com/daedalus-search/daedalus/search/internal/genome"
	"github.com/daedalus-search/daedalus/search/vector"
	"github.com/daedalus-search/daedalus/space"
)

// numeric lets a [vector.Core] search a space of designs.
//
// In a discrete space many points stand for the same design. What is known of a
// design answers for a point at no cost, a bounded number of times an ask, so
// that the core goes on as if it were measured again, and nothing is proposed
// twice.
type numeric struct {
	core    vector.Core
	genome  *genome.Genome
	space   *space.Space
	admit   func(space.Design) bool
	initial int64 // points that are drawn by the prior
	rand    *rand.Rand
	fresh   *fresh.Source
	ledger  search.Ledger
	name    string

	flights map[int64]flight         // by proposal
	known   map[space.Design]float64 // in discrete spaces
	best    space.Design             // the best told, to walk away from
	least   float64
	bestID  int64
	loss    [1]float64
	point   []float64
}

// A flight is a point whose loss is awaited.
type flight struct {
	number int64 // of the core, or -1
	x      []float64
}

// freeAnswers bounds how many points an ask may answer from memory.
const freeAnswers = 200

func newNumeric(setup search.Setup, g *genome.Genome, core vector.Core, initial int, name string) *numeric {
	s := &numeric{
		core: core, genome: g, space: setup.Space, admit: setup.Admit, initial: int64(initial), name: name,
		rand:   rng.New(setup.Seed, "evolve/"+name, 0),
		fresh:  fresh.New(setup.Space, rng.New(setup.Seed, "evolve/start", 0)),
		ledger: search.NewLedger(setup), flights: map[int64]flight{}, least: math.Inf(1),
		point: make([]float64, core.Dim()),
	}
	if !g.Real() {
		s.known = map[space.Design]float64{}
	}
	return s
}

// Batch implements [search.Batcher]: a generation.
func (s *numeric) Batch() int { return s.core.Batch() }

func (s *numeric) Ask(n int) ([]search.Proposal, error) { return search.Each(n, s.propose) }

func (s *numeric) propose() (search.Proposal, error) {
	x := make([]float64, s.core.Dim())
	for range freeAnswers {
		number := s.core.Ask(x)
		s.core.Decode(s.point, x)
		operator := s.name
		var d space.Design
		var err error
		if number < s.initial {
			if d, err = s.fresh.Next(s.ledger.Seen); err != nil {
				return search.Proposal{}, err
			}
			s.settle(x, d)
			operator = "random"
		} else if d, err = s.genome.Design(s.point); err != nil {
			s.answer(number, x, math.Inf(1)) // constraints leave nothing there
			continue
		}
		if !s.ledger.Seen(d) {
			if s.admit != nil && number >= s.initial && !s.admit(d) {
				s.answer(number, x, pruned)
				continue
			}
			return s.launch(d, operator, number, x), nil
		}
		if f, ok := s.recall(d); ok {
			s.answer(number, x, f)
		}
	}
	// All that the core comes up with is known. It begins anew, and the ask walks
	// away from the best.
	s.core.Scatter()
	if !s.best.IsZero() {
		d := s.best
		for range breedTries {
			d = s.space.Mutate(s.rand, d, space.Mutation{})
			if !s.ledger.Seen(d) && (s.admit == nil || s.admit(d)) {
				p := s.launch(d, "mutate", -1, x)
				p.Parents = []int64{s.bestID}
				return p, nil
			}
		}
	}
	d, err := s.fresh.Next(s.ledger.Seen)
	if err != nil {
		return search.Proposal{}, err
	}
	return s.launch(d, "random", -1, x), nil
}

// launch proposes a design for a point. A number of -1 says that the core did
// not ask for it.
func (s *numeric) launch(d space.Design, operator string, number int64, x []float64) search.Proposal {
	p := s.ledger.Propose(d, operator)
	if number < 0 {
		s.settle(x, d)
	}
	s.flights[p.ID] = flight{number, x}
	return p
}

// settle moves a point so that it stands for a design.
func (s *numeric) settle(x []float64, d space.Design) {
	s.core.Decode(s.point, x)
	if s.genome.Move(s.point, d) == nil {
		s.core.Encode(x, s.point)
	}
}

// recall returns the loss that is known of a design.
func (s *numeric) recall(d space.Design) (float64, bool) {
	if s.ledger.Keyed() {
		score, id := s.ledger.Known(d)
		if id == 0 || len(score.Loss) != 1 || !score.OK() {
			return 0, false
		}
		return scalar(score.Loss[0], score.Violation), true
	}
	f, ok := s.known[d]
	return f, ok
}

func (s *numeric) answer(number int64, x []float64, f float64) {
	s.loss[0] = f
	s.core.Tell(number, x, s.loss[:])
}

// Losses of designs that were not measured in full, beyond those of [scalar].
const pruned = 3e300

// scalar orders scores as [metric.Compare] does: feasible ones by their loss,
// infeasible ones behind them by their violation.
func scalar(loss, violation float64) float64 {
	const limit = 1e300
	if violation > 0 {
		return limit * (1 + violation/(1+violation))
	}
	return min(max(loss, -limit), limit)
}

func (s *numeric) Tell(outcomes ...search.Outcome) {
	for i := range outcomes {
		o := &outcomes[i]
		if !s.ledger.Accept(o) {
			continue
		}
		f := math.Inf(1)
		usable := o.Usable() && len(o.Score.Loss) == 1
		switch {
		case usable:
			f = scalar(o.Score.Loss[0], o.Score.Violation)
		case o.Status == search.Pruned:
			f = pruned
		}
		fl, flew := s.flights[o.ID]
		delete(s.flights, o.ID)
		d := o.Design
		if d.IsZero() || d.Space() != s.space {
			continue
		}
		if usable && f < s.least {
			s.least, s.best, s.bestID = f, d, o.ID
		}
		if s.known != nil {
			s.known[d] = f
		}
		if flew {
			s.answer(fl.number, fl.x, f)
		} else if usable {
			x := make([]float64, s.core.Dim())
			for k := range x {
				x[k] = s.rand.Float64()
			}
			s.point = s.point[:len(x)]
			copy(s.point, x)
			if s.genome.Move(s.point, d) == nil {
				s.core.Encode(x, s.point)
				s.answer(-1, x, f)
			}
		}
	}
}
