package fidelity

import (
	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/search"
	fresher "github.com/daedalus-search/daedalus/search/internal/fresh"
	"github.com/daedalus-search/daedalus/space"
)

// A source is where designs come from.
type source interface {
	// next returns an unseen design, or search.ErrExhausted.
	next() (fresh, error)
	// bind says which proposal a design became.
	bind(tag, id int64)
	// tell reports a result of a design at a rung.
	tell(c *candidate, rung int, usable bool, o *search.Outcome)
	// foreign reports a design of another origin; the rung is -1 if it is none.
	foreign(c *candidate, rung int, o *search.Outcome)
}

// A fresh design, as a source made it.
type fresh struct {
	design        space.Design
	tag           int64
	operator, why string
	parents       []int64 // proposals
}

// tries bounds how often another method is asked again because it proposed what
// is known or cannot meet the limits.
const tries = 64

// wrapped takes designs from another method. It is told the first result of each,
// which for all of them is at the same fidelity, or in Hyperband at that of the
// bracket.
type wrapped struct {
	b     *books
	in    search.Searcher
	outer map[int64]int64 // its proposals → ours
	spare *spare
}

func newWrapped(b *books, m search.Method) (source, error) {
	setup := inner(b.setup)
	in, err := m.New(setup)
	if err != nil {
		return nil, err
	}
	return &wrapped{b: b, in: in, outer: map[int64]int64{}, spare: newSpare(b)}, nil
}

// inner is what a method within is told: it sees full evaluations only.
func inner(s search.Setup) search.Setup {
	s.Fidelity, s.Budget, s.Effort = problem.Fidelity{}, 0, 0
	return s
}

func (w *wrapped) next() (fresh, error) {
	for range tries {
		ps, err := w.in.Ask(1)
		if err != nil {
			return fresh{}, err
		}
		p := ps[0]
		if c := w.b.known[w.b.keyOf(p.Design)]; c != nil {
			if c.done >= 0 { // what is known of it, so that it learns
				w.in.Tell(search.Outcome{ID: p.ID, Design: p.Design, Status: search.Complete, Score: c.score()})
			}
			continue
		}
		if w.b.setup.Admit != nil && !w.b.setup.Admit(p.Design) {
			w.in.Tell(search.Outcome{ID: p.ID, Design: p.Design, Status: search.Infeasible, Err: "misses a limit by estimate"})
			continue
		}
		f := fresh{design: p.Design, tag: p.ID, operator: p.Operator, why: p.Why}
		for _, id := range p.Parents {
			if id < 0 {
				f.parents = append(f.parents, id)
			} else if o, ok := w.outer[id]; ok {
				f.parents = append(f.parents, o)
			}
		}
		return f, nil
	}
	return w.spare.next()
}

func (w *wrapped) bind(tag, id int64) {
	if tag != 0 {
		w.outer[tag] = id
	}
}

func (w *wrapped) tell(c *candidate, _ int, usable bool, o *search.Outcome) {
	if c.tag == 0 || c.told {
		return
	}
	c.told = true
	in := *o
	in.ID, in.Fidelity, in.Curve = c.tag, 0, nil
	if !usable && in.Status == search.Complete {
		in.Status = search.Failed
	}
	w.in.Tell(in)
}

func (w *wrapped) foreign(_ *candidate, _ int, o *search.Outcome) {
	in := *o
	in.Fidelity, in.Curve = 0, nil
	w.in.Tell(in)
}

// spare draws unseen designs by the prior when the source has none.
type spare struct {
	b   *books
	src *fresher.Source
}

func newSpare(b *books) *spare {
	return &spare{b: b, src: fresher.New(b.setup.Space, rng.New(b.setup.Seed, "fidelity/draw", 0))}
}

// next draws a design that may meet the limits; after many that cannot it takes
// one that cannot.
func (s *spare) next() (fresh, error) {
	for i := range tries {
		d, err := s.src.Next(s.b.taken)
		switch {
		case err != nil:
			return fresh{}, err
		case s.b.taken(d):
			return fresh{}, search.ErrExhausted // nothing new can be found
		case s.b.setup.Admit == nil || i == tries-1 || s.b.setup.Admit(d):
			return fresh{design: d, operator: "random"}, nil
		}
	}
	return fresh{}, search.ErrExhausted
}
