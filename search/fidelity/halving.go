package fidelity

import (
	"errors"
	"fmt"
	"math"

	"github.com/daedalus-search/daedalus/search"
)

// SuccessiveHalving measures many designs with the least effort, promotes the
// best one in Eta to the next rung, and so on until the last are measured in
// full; then it begins again with new designs (Karnin, Koren and Somekh 2013;
// Jamieson and Talwalkar 2016).
//
// A rung is complete when all its results are in. Ask never waits for that: while
// results of one round are missing it begins the next round, so that workers are
// busy at the price of designs drawn earlier than a source that learns would
// like. Results that never come hold a round up for a while (10 proposals for
// each worker and 50 more); then it goes on without them. Designs that failed,
// cannot be built or were pruned are never promoted.
type SuccessiveHalving struct {
	Options

	// Designs is how many designs begin a round. 0 means as many as leave one to
	// be measured in full.
	Designs int `yaml:"designs" default:"0" min:"0" doc:"designs that begin a round; 0 means as many as leave one to be measured in full"`
}

// New makes a searcher, for problems with fidelities.
func (o SuccessiveHalving) New(setup search.Setup) (search.Searcher, error) {
	b, err := o.prepare("halving", setup, nil)
	if o.Designs < 0 {
		err = errors.Join(err, fmt.Errorf("halving: designs: found %d, want at least 1, or 0 for the default", o.Designs))
	}
	if err != nil {
		return nil, err
	}
	s := &halving{books: b}
	s.plan = func(int) (int, int) {
		n := o.Designs
		if n == 0 {
			n = int(math.Ceil(b.leaveOne() - 1e-6))
		}
		return 0, n
	}
	return s, nil
}

// Hyperband runs rounds of successive halving that begin at every rung in turn:
// from many designs with the least effort to a few in full, so that little
// effort which misleads costs at most a factor of the number of rungs (Li,
// Jamieson, DeSalvo, Rostamizadeh and Talwalkar, "Hyperband: a novel bandit-based
// approach to hyperparameter optimization", JMLR 2018). With s_max + 1 rungs,
// bracket s begins with ⌈(s_max+1)/(s+1) · η^s⌉ designs, s rungs below the top.
//
// What [SuccessiveHalving] says about missing results holds here too.
type Hyperband struct {
	Options
}

// New makes a searcher, for problems with fidelities.
func (o Hyperband) New(setup search.Setup) (search.Searcher, error) {
	b, err := o.prepare("hyperband", setup, nil)
	if err != nil {
		return nil, err
	}
	return newHyperband(b), nil
}

func newHyperband(b *books) *halving {
	return &halving{books: b, plan: func(k int) (rung, n int) {
		most := b.top()
		rung = k % (most + 1) // s = most - rung
		s := most - rung
		product := 1.0
		for _, r := range b.ratios[rung:] {
			product *= r
		}
		return rung, int(math.Ceil(float64(most+1)/float64(s+1)*product - 1e-6))
	}}
}

// halving runs brackets, several at once while results are missing.
type halving struct {
	*books
	plan    func(k int) (rung, n int) // where bracket k begins, and with how many designs
	begun   int
	open    []*bracket // oldest first
	largest int        // proposals asked for at once
	dry     bool       // the source has nothing left
}

// A bracket is one round of successive halving.
type bracket struct {
	rung    int // of the present stage
	stage   int
	want    int // designs of the stage
	asked   int
	told    int
	queue   []*candidate // to be promoted to the present rung
	results []*candidate // of the stage, with a result
	newest  int64        // proposals made when it last proposed
}

// Ask implements [search.Searcher].
func (s *halving) Ask(n int) ([]search.Proposal, error) {
	s.largest = max(s.largest, n)
	return search.Each(n, s.next)
}

func (s *halving) next() (search.Proposal, error) {
	if p, ok := s.final(); ok {
		return p, nil
	}
	s.unblock()
	for {
		dry := s.dry
		if p, ok := s.under(); ok {
			return p, nil
		}
		if !s.dry {
			rung, n := s.plan(s.begun)
			br := &bracket{rung: rung, want: n, newest: s.made}
			if p, ok := s.ready(br); ok {
				s.begun++
				s.open = append(s.open, br)
				return p, nil
			}
		}
		if s.dry == dry { // else the source has just run dry, which completes rungs
			return search.Proposal{}, search.ErrExhausted
		}
	}
}

// under returns the next proposal of the brackets under way.
func (s *halving) under() (search.Proposal, bool) {
	for _, br := range s.open {
		if p, ok := s.ready(br); ok {
			return p, true
		}
	}
	return search.Proposal{}, false
}

// ready returns the next proposal of a bracket, if it does not wait for results.
func (s *halving) ready(br *bracket) (search.Proposal, bool) {
	for len(br.queue) > 0 {
		c := br.queue[0]
		br.queue = br.queue[1:]
		if c.at >= br.rung { // measured there meanwhile, in full as the best of all
			br.want--
			if c.done == br.rung {
				br.results = append(br.results, c)
				br.want, br.asked, br.told = br.want+1, br.asked+1, br.told+1
			}
			s.advance(br)
			continue
		}
		br.asked++
		br.newest = s.made
		return s.promote(c, br.rung, br), true
	}
	if br.stage > 0 || br.asked >= br.want || s.dry {
		return search.Proposal{}, false
	}
	p, err := s.start(br.rung, br)
	if err != nil { // the space is used up: halve what there is
		s.dry = true
		for _, o := range s.open {
			if o.stage == 0 {
				o.want = o.asked
				s.advance(o)
			}
		}
		return search.Proposal{}, false
	}
	br.asked++
	br.newest = s.made
	return p, true
}

// advance goes to the next rung when all results of this one are in.
func (s *halving) advance(br *bracket) {
	for br.told >= br.want && br.asked >= br.want && len(br.queue) == 0 {
		if br.rung == s.top() || len(br.results) == 0 {
			s.close(br)
			return
		}
		// A share of all that took part, failures too, as long as there are results.
		n := min(max(s.quota(br.rung, br.told), 1), len(br.results))
		br.queue = s.best(br.results, br.rung, n)
		br.rung++
		br.stage++
		br.want, br.asked, br.told, br.results = len(br.queue), 0, 0, nil
	}
}

func (s *halving) close(br *bracket) {
	for i, o := range s.open {
		if o == br {
			s.open = append(s.open[:i:i], s.open[i+1:]...)
			return
		}
	}
}

// unblock lets the oldest bracket go on without results that seem lost.
func (s *halving) unblock() {
	patience := int64(50 + 10*max(s.setup.Parallel, s.largest, 1))
	for len(s.open) > 0 {
		br := s.open[0]
		if len(br.queue) > 0 || br.asked < br.want || s.made-br.newest <= patience {
			return
		}
		br.want, br.asked = br.told, br.told
		s.advance(br)
		if len(s.open) > 0 && s.open[0] == br {
			br.newest = s.made
		}
	}
}

// Tell implements [search.Searcher].
func (s *halving) Tell(outcomes ...search.Outcome) {
	for i := range outcomes {
		j, usable, ok := s.accept(&outcomes[i])
		if !ok || j.bracket == nil || j.bracket.stage != j.stage {
			continue // foreign, or too late
		}
		j.bracket.told++
		if usable {
			j.bracket.results = append(j.bracket.results, j.c)
		}
		s.advance(j.bracket)
	}
}
