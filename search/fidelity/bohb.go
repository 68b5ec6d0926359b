package fidelity

import (
	"fmt"
	"math/rand/v2"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/model"
	"github.com/daedalus-search/daedalus/space"
)

// BOHB is [Hyperband] whose designs are drawn by a model (Falkner, Klein and
// Hutter, "BOHB: robust and efficient hyperparameter optimization at scale",
// ICML 2018): a pair of densities, of the good and of the other designs, at the
// highest rung that has at least N_min + 2 results, where N_min is one more than
// the number of decisions of a design. One design in three is drawn at random.
//
// The densities are those of [model.TPE]: a kernel a design over its walk, and so
// at home in conditional spaces, where the original fills gaps at random. They
// differ from the original's in their bandwidths, and the good set is the best
// 15 % without a floor of N_min designs.
type BOHB struct {
	Options

	// Random is the share of designs that are drawn at random. 0 means one third;
	// -1 means none.
	Random float64 `yaml:"random" default:"0" min:"-1" max:"1" doc:"share of designs drawn at random; 0 means one third, -1 none"`

	// Candidates is how many designs are drawn for each that is proposed. 0 means
	// 64.
	Candidates int `yaml:"candidates" default:"64" min:"1" doc:"designs drawn from the good density for each proposal"`

	// Good is the share of the results that counts as good. 0 means 0.15.
	Good float64 `yaml:"good" default:"0.15" min:">0" max:"<1" doc:"share of the results that counts as good"`

	// Points is N_min. 0 means one more than the number of decisions.
	Points int `yaml:"points" default:"0" min:"0" doc:"results beyond two that a model needs; 0 means one more than a design has decisions"`
}

// New makes a searcher, for problems with fidelities. Source and Method of the
// options have no effect.
func (o BOHB) New(setup search.Setup) (search.Searcher, error) {
	switch {
	case o.Random == 0:
		o.Random = 1.0 / 3
	case o.Random == -1:
		o.Random = 0
	}
	b, err := o.prepare("bohb", setup, func(b *books) (source, error) { return newDensities(b, o) })
	if err != nil {
		return nil, err
	}
	return newHyperband(b), nil
}

// densities is the source of BOHB: a model at every rung.
type densities struct {
	b         *books
	o         BOHB
	r         *rand.Rand
	models    []search.Searcher
	counts    []int
	ids       []map[int64]int64 // model's name of an outcome → proposal or foreign outcome
	decisions int               // of the longest design
	spare     *spare
	answers   []space.Answer
}

func newDensities(b *books, o BOHB) (source, error) {
	good := o.Good
	if good == 0 {
		good = 0.15
	}
	candidates := o.Candidates
	if candidates == 0 {
		candidates = 64
	}
	if o.Points < 0 {
		return nil, fmt.Errorf("bohb: points: found %d, want a number of results, or 0 for one more than a design has decisions", o.Points)
	}
	if !(o.Random >= 0 && o.Random <= 1) {
		return nil, fmt.Errorf("bohb: random: found %v, want a share from 0 to 1, 0 for one third, or -1 for none", o.Random)
	}
	s := &densities{b: b, o: o, r: rng.New(b.setup.Seed, "fidelity/bohb", 0), spare: newSpare(b)}
	for i := range b.levels {
		setup := inner(b.setup)
		setup.Seed = rng.New(b.setup.Seed, "fidelity/bohb/model", uint64(i)).Uint64()
		setup.Parallel = 1
		m, err := model.TPE{Startup: 1, Candidates: candidates, Gamma: good, Good: 64, Liar: "off"}.New(setup)
		if err != nil {
			return nil, err
		}
		s.models = append(s.models, m)
		s.ids = append(s.ids, map[int64]int64{})
	}
	s.counts = make([]int, len(b.levels))
	return s, nil
}

func (s *densities) next() (fresh, error) {
	points := s.o.Points
	if points == 0 {
		points = s.decisions + 1
	}
	dice := s.r.Float64()
	for k := len(s.models) - 1; k >= 0 && dice >= s.o.Random; k-- {
		if s.counts[k] < points+2 {
			continue
		}
		if f, ok := s.draw(k); ok {
			return f, nil
		}
		break
	}
	return s.spare.next()
}

// draw draws an unseen design by the model of a rung.
func (s *densities) draw(k int) (fresh, bool) {
	for range 8 {
		ps, err := s.models[k].Ask(1)
		if err != nil {
			return fresh{}, false
		}
		p := ps[0]
		if p.Operator == "random" || s.b.taken(p.Design) || s.b.setup.Admit != nil && !s.b.setup.Admit(p.Design) {
			continue
		}
		f := fresh{design: p.Design, operator: p.Operator, why: p.Why}
		for _, id := range p.Parents {
			if o, ok := s.ids[k][id]; ok {
				f.parents = append(f.parents, o)
			}
		}
		return f, true
	}
	return fresh{}, false
}

func (s *densities) bind(int64, int64) {}

func (s *densities) tell(c *candidate, rung int, usable bool, o *search.Outcome) {
	if rung < 0 {
		return
	}
	s.answers = c.design.Decisions(s.answers[:0])
	n := 0
	for _, a := range s.answers {
		if a.N != 1 {
			n++
		}
	}
	s.decisions = max(s.decisions, n)
	if usable {
		s.counts[rung]++
	}
	id := -int64(len(s.ids[rung])) - 1
	s.ids[rung][id] = o.ID
	in := search.Outcome{ID: id, Design: c.design, Status: o.Status, Err: o.Err}
	if usable {
		in.Score = metric.Score{Loss: o.Score.Loss, Violation: o.Score.Violation}
	} else if in.Status == search.Complete {
		in.Status = search.Failed
	}
	s.models[rung].Tell(in)
}

func (s *densities) foreign(c *candidate, rung int, o *search.Outcome) {
	usable := o.Usable() && len(o.Score.Loss) == s.b.setup.Objectives
	s.tell(c, rung, usable, o)
}
