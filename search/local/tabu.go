package local

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/internal/fresh"
	"github.com/daedalus-search/daedalus/space"
)

// Tabu is tabu search (Glover 1989): it moves to the best of a sample of
// neighbours even if that is worse, and forbids for a while what would undo the
// move, so that it leaves a basin without falling back.
//
// What is forbidden is an attribute, the value that a decision had before it
// changed; a real number counts by the twentieth of its range. A forbidden
// neighbour is taken all the same if it beats everything found so far
// (aspiration). After Patience moves without a new best the search intensifies,
// going back to one of the five best designs with an empty list, and when that
// too finds nothing it diversifies: the decisions that have changed least often
// are changed in the best design.
//
// A move is made when the results of its neighbours are there; asked for more,
// the search looks at further neighbours, and a round whose last results stay
// away is decided without them after a while. Neighbours whose result is known
// cost nothing. A space of up to 65,536 designs ends with [search.ErrExhausted].
// The cost of an ask does not grow with the number of trials. With several
// objectives every patience begins with new weights, as the package describes.
type Tabu struct {
	// Tenure is for how many moves an attribute is forbidden; 0 means 10, or the
	// square root of the number of neighbours if that is less.
	Tenure int `yaml:"tenure" min:"0" max:"1000000" doc:"moves for which undoing a change is forbidden; 0 means 10, or less in a small neighbourhood"`
	// Neighbors is how many neighbours a move compares, a random sample if there
	// are more; 0 means 8.
	Neighbors int `yaml:"neighbors" default:"8" min:"1" max:"1000000" doc:"neighbours compared before a move"`
	// Patience is how many moves without a new best bring an intensification,
	// and then a diversification; 0 means three for each decision of the design.
	Patience int `yaml:"patience" min:"0" max:"1000000000" doc:"moves without a new best before the search goes elsewhere; 0 means three for each decision"`
}

// New implements [search.Method]. It accepts every space, any number of
// objectives, and limits.
func (m Tabu) New(setup search.Setup) (search.Searcher, error) {
	var errs []error
	if setup.Space == nil {
		errs = append(errs, errNoSpace)
	}
	if m.Tenure < 0 {
		errs = append(errs, fmt.Errorf("search: tabu: tenure: found %d, want at least 1, or 0 for the default", m.Tenure))
	}
	if m.Neighbors < 0 {
		errs = append(errs, fmt.Errorf("search: tabu: neighbors: found %d, want at least 1", m.Neighbors))
	}
	if m.Patience < 0 {
		errs = append(errs, fmt.Errorf("search: tabu: patience: found %d, want at least 1, or 0 for the default", m.Patience))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if m.Neighbors == 0 {
		m.Neighbors = 8
	}
	s := &tabu{
		Tabu: m, judge: newJudge(setup), space: setup.Space,
		r:      rng.New(setup.Seed, "local/tabu", 0),
		source: fresh.New(setup.Space, rng.New(setup.Seed, "local/start", 0)),
		known:  newMemory(setup), Ledger: search.NewLedger(setup), asked: map[int64]int{},
		until: map[attribute]int{}, changes: map[uint64]int{},
		patience: 4*max(setup.Parallel, 1) + 16,
	}
	s.mixture = s.weights(s.r)
	return s, nil
}

// An attribute is a value at a site.
type attribute struct {
	site  uint64
	value int
}

// attributeOf returns what an answer says.
func attributeOf(a *space.Answer) attribute {
	if a.N > 0 {
		return attribute{a.Site, a.Index}
	}
	return attribute{a.Site, min(int(a.Unit(a.Index, a.Real)*20), 19)}
}

// elites is how many of the best designs are gone back to.
const elites = 5

type tabu struct {
	Tabu
	search.Ledger
	judge
	space   *space.Space
	r       *rand.Rand
	source  *fresh.Source
	known   memory
	asked   map[int64]int // the round that proposed a trial
	mixture []float64

	at        place
	todo      []space.Design // neighbours still to propose, last first
	size      int            // neighbours that there are
	round     int
	pending   int   // proposals of this round without outcome
	idle      int   // asks of this round since all was proposed
	best, any place // of this round: the best allowed one, and the best of all

	moves   int
	until   map[attribute]int // the move up to which an attribute is forbidden
	changes map[uint64]int    // by site: how often it changed
	elite   []place           // best first
	stale   int               // moves without a new best
	intense bool              // the search has gone back to the elite already

	patience int
	from, to []space.Answer
}

func (s *tabu) Ask(n int) ([]search.Proposal, error) { return search.Each(n, s.next) }

func (s *tabu) next() (search.Proposal, error) {
	for range maxFree {
		if !s.at.ok {
			break
		}
		if k := len(s.todo) - 1; k >= 0 {
			d := s.todo[k]
			s.todo = s.todo[:k]
			if x, ok := s.known.get(d); ok {
				s.consider(x)
			} else if !s.Seen(d) {
				return s.propose(d), nil
			}
			continue
		}
		if s.pending == 0 {
			s.move()
			continue
		}
		if s.idle++; s.idle > s.patience {
			s.move()
			continue
		}
		// Others evaluate still: look at one more neighbour meanwhile.
		if d := s.space.Mutate(s.r, s.at.design, space.Mutation{}); !s.Seen(d) {
			return s.propose(d), nil
		}
	}
	d, err := s.source.Next(s.Seen)
	if err != nil {
		return search.Proposal{}, err
	}
	return s.Propose(d, "random"), nil
}

// propose asks for a neighbour.
func (s *tabu) propose(d space.Design) search.Proposal {
	s.pending++
	p := s.Propose(d, "neighbor", s.at.id)
	s.asked[p.ID] = s.round
	return p
}

// consider compares a neighbour with the others of its round.
func (s *tabu) consider(x place) {
	if !x.ok {
		return
	}
	if !s.any.ok || s.compare(&x.result, &s.any.result, s.mixture) < 0 {
		s.any = x
	}
	if s.best.ok && s.compare(&x.result, &s.best.result, s.mixture) >= 0 {
		return
	}
	if s.forbidden(x.design) && len(s.elite) > 0 && s.compare(&x.result, &s.elite[0].result, s.mixture) >= 0 {
		return // no aspiration
	}
	s.best = x
}

// forbidden reports whether a design has a value that was given up lately.
func (s *tabu) forbidden(d space.Design) bool {
	s.to = d.Decisions(s.to[:0])
	for i := range s.to {
		if s.until[attributeOf(&s.to[i])] > s.moves && !s.here(&s.to[i]) {
			return true
		}
	}
	return false
}

// here reports whether the current design says the same.
func (s *tabu) here(a *space.Answer) bool {
	want := attributeOf(a)
	for i := range s.from {
		if s.from[i].Site == a.Site && attributeOf(&s.from[i]) == want {
			return true
		}
	}
	return false
}

// move goes to the best allowed neighbour or, if all are forbidden, to the best.
func (s *tabu) move() {
	to := s.best
	if !to.ok {
		to = s.any
	}
	limit := s.Patience
	if limit == 0 {
		limit = 3 * max(len(s.from), 1)
	}
	if s.stale++; s.stale > limit || !to.ok {
		s.elsewhere()
		return
	}
	s.moves++
	tenure := s.Tenure
	if tenure == 0 {
		for tenure = 1; tenure < 10 && tenure*tenure < s.size; tenure++ {
		}
	}
	s.to = to.design.Decisions(s.to[:0])
	has := make(map[attribute]bool, len(s.to))
	for i := range s.to {
		has[attributeOf(&s.to[i])] = true
	}
	for i := range s.from {
		if a := attributeOf(&s.from[i]); !has[a] {
			s.until[a] = s.moves + tenure
			s.changes[a.site]++
		}
	}
	if len(s.until) > maxAttributes {
		for a, until := range s.until {
			if until <= s.moves {
				delete(s.until, a)
			}
		}
	}
	s.settle(to)
}

// maxAttributes bounds the list of what is or was forbidden.
const maxAttributes = 1 << 16

// elsewhere intensifies, or diversifies if that was done already.
func (s *tabu) elsewhere() {
	s.stale = 0
	s.mixture = s.weights(s.r)
	if s.objectives > 1 {
		s.elite = s.elite[:0]
		for _, x := range s.front.All() {
			s.promote(x)
		}
	}
	clear(s.until)
	if len(s.elite) == 0 {
		s.at = place{}
		return
	}
	s.intense = !s.intense
	to := s.elite[s.r.IntN(len(s.elite))]
	if s.intense && to.design != s.at.design {
		s.settle(to)
		return
	}
	// Change what has changed least: of some mutants, the one whose changed
	// sites moved least often.
	from := s.elite[0].design.Decisions(nil)
	least, d := -1, s.elite[0].design
	for range 32 {
		c := s.space.Mutate(s.r, s.elite[0].design, space.Mutation{Sites: 2})
		s.to = c.Decisions(s.to[:0])
		count := 0
		for i := range min(len(from), len(s.to)) {
			if from[i].Site == s.to[i].Site && attributeOf(&from[i]) != attributeOf(&s.to[i]) {
				count += s.changes[from[i].Site]
			}
		}
		if c != s.elite[0].design && (least < 0 || count < least) {
			least, d = count, c
		}
	}
	// Until it is measured it counts as its parent.
	to = s.elite[0]
	if x, ok := s.known.get(d); ok && x.ok {
		to = x
	}
	to.design = d
	s.settle(to)
	if _, ok := s.known.get(d); !ok && !s.Seen(d) {
		s.todo = append(s.todo, d)
	}
}

// settle makes a design the current one and lists some of its neighbours.
func (s *tabu) settle(to place) {
	s.at, s.best, s.any = to, place{}, place{}
	s.round++
	s.pending, s.idle, s.size = 0, 0, 0
	s.from = to.design.Decisions(s.from[:0])
	s.todo = s.todo[:0]
	for d := range s.space.Neighbors(to.design) {
		if s.size++; len(s.todo) < s.Neighbors {
			s.todo = append(s.todo, d)
		} else if k := s.r.IntN(s.size); k < s.Neighbors {
			s.todo[k] = d
		}
	}
	s.r.Shuffle(len(s.todo), func(i, j int) { s.todo[i], s.todo[j] = s.todo[j], s.todo[i] })
}

// promote puts a design among the elite if it is good enough, and reports
// whether it is the best.
func (s *tabu) promote(x place) bool {
	i := len(s.elite)
	for i > 0 && s.compare(&x.result, &s.elite[i-1].result, s.mixture) < 0 {
		i--
	}
	if i >= elites {
		return false
	}
	s.elite = append(s.elite, place{})
	copy(s.elite[i+1:], s.elite[i:])
	s.elite[i] = x
	s.elite = s.elite[:min(len(s.elite), elites)]
	return i == 0
}

func (s *tabu) Tell(outcomes ...search.Outcome) {
	for i := range outcomes {
		o := &outcomes[i]
		if !s.Accept(o) {
			continue
		}
		x := place{o.ID, o.Design, s.read(o)}
		s.known.put(x)
		s.keep(x)
		round, mine := s.asked[o.ID]
		delete(s.asked, o.ID)
		if mine && round == s.round {
			s.pending--
			s.consider(x) // before it is among the elite, for aspiration
		}
		if x.ok && s.promote(x) {
			s.stale, s.intense = 0, false
		}
		if x.ok && !s.at.ok {
			s.settle(x)
		}
	}
}
