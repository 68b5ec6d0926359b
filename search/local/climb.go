package local

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/internal/fresh"
	"github.com/daedalus-search/daedalus/space"
)

// LocalSearch starts at a random design, moves to a better neighbour as long as
// there is one and then starts again elsewhere. On small cell spaces it is
// among the best methods there are (White, Nolen and Savani 2021, Exploring the
// loss landscape in neural architecture search).
//
// Neighbours are those of [space.Space.Neighbors]. One whose result is known
// from earlier costs nothing. When more proposals are asked for
// than the climb has neighbours left to try, the next climb begins; a climb
// whose last results stay away is decided without them after a while. A space
// of up to 65,536 designs ends with [search.ErrExhausted]. The cost of an ask
// does not grow with the number of trials.
type LocalSearch struct {
	// Improvement says when to move: "first" to the first better neighbour,
	// "best" to the best once all were tried; "" means first.
	Improvement string `yaml:"improvement" default:"first" oneof:"first best" doc:"move to the first better neighbour, or to the best of all"`
	// Order is the order in which neighbours are tried: "untried" puts those
	// last whose change the climb has tried before, "random" does not, as in
	// the paper; "" means untried.
	Order string `yaml:"order" default:"untried" oneof:"untried random" doc:"put neighbours last whose change the climb has tried before, or not"`
	// Starts is how many random designs a climb looks at to start from the
	// best; 0 means 1.
	Starts int `yaml:"starts" default:"1" min:"1" max:"1000000" doc:"random designs of which a climb starts at the best"`
	// Kick is how many decisions of the best design change to start the next
	// climb, which makes this iterated local search (Lourenço, Martin and Stützle
	// 2003); 0 means that climbs start at random designs.
	Kick int `yaml:"kick" min:"0" max:"1000000" doc:"decisions of the best design that change to start the next climb; 0 starts at random designs"`
	// Neighbors is how many neighbours of a design are tried, a random sample
	// if it has more; 0 means 30.
	Neighbors int `yaml:"neighbors" default:"30" min:"1" max:"1000000" doc:"neighbours tried of a design that has more"`
}

var errNoSpace = errors.New("search: the setup has no space; set Setup.Space")

// New implements [search.Method]. It accepts every space, any number of
// objectives, and limits.
func (m LocalSearch) New(setup search.Setup) (search.Searcher, error) {
	var errs []error
	if setup.Space == nil {
		errs = append(errs, errNoSpace)
	}
	if m.Improvement == "" {
		m.Improvement = "first"
	}
	if m.Improvement != "first" && m.Improvement != "best" {
		errs = append(errs, fmt.Errorf("search: local search: improvement: found %q, want first or best", m.Improvement))
	}
	if m.Order != "" && m.Order != "untried" && m.Order != "random" {
		errs = append(errs, fmt.Errorf("search: local search: order: found %q, want untried or random", m.Order))
	}
	if m.Starts < 0 {
		errs = append(errs, fmt.Errorf("search: local search: starts: found %d, want at least 1", m.Starts))
	}
	if m.Kick < 0 {
		errs = append(errs, fmt.Errorf("search: local search: kick: found %d, want at least 0", m.Kick))
	}
	if m.Neighbors < 0 {
		errs = append(errs, fmt.Errorf("search: local search: neighbors: found %d, want at least 1", m.Neighbors))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if m.Starts == 0 {
		m.Starts = 1
	}
	if m.Neighbors == 0 {
		m.Neighbors = 30
	}
	return &climber{
		LocalSearch: m,
		judge:       newJudge(setup),
		space:       setup.Space,
		r:           rng.New(setup.Seed, "local/climb", 0),
		source:      fresh.New(setup.Space, rng.New(setup.Seed, "local/start", 0)),
		known:       newMemory(setup),
		Ledger:      search.NewLedger(setup),
		asked:       map[int64]turn{},
		patience:    4*max(setup.Parallel, 1) + 16,
	}, nil
}

// A place is a design with its result.
type place struct {
	id     int64
	design space.Design
	result
}

type climber struct {
	search.Ledger
	LocalSearch
	judge
	space    *space.Space
	r        *rand.Rand
	source   *fresh.Source
	known    memory
	asked    map[int64]turn
	climbs   []*climb // unfinished ones, oldest first
	patience int
	from, to []space.Answer
	guest    place // best foreign design that no climb has started from
	peak     place // best design of one objective, which kicks start from
}

// A turn says for which round of which climb a design was proposed.
type turn struct {
	climb *climb
	round int
}

// A climb is one way up. Each move begins a round; round 0 looks for a start.
type climb struct {
	at      place          // the design it has reached, from round 1 on
	weights []float64      // of the objectives
	starts  int            // round 0: random designs still to propose
	todo    []edit         // later: neighbours to try, last first
	tried   map[uint64]int // when each kind of edit was last tried on this climb
	tries   int
	round   int
	pending int   // proposals of this round without outcome
	idle    int   // asks since all was proposed
	best    place // best result of this round
	over    bool
}

// An edit is a neighbour and a key for what it changes to what.
type edit struct {
	design space.Design
	key    uint64
}

// maxClimbs bounds the climbs that wait for results.
const maxClimbs = 256

func (s *climber) Ask(n int) ([]search.Proposal, error) {
	return search.Each(n, s.next)
}

// next proposes for the oldest climb that has something to try, or begins a
// new one.
func (s *climber) next() (search.Proposal, error) {
	for i := 0; i < len(s.climbs); i++ {
		c := s.climbs[i]
		d, ready := s.advance(c)
		switch {
		case ready && c.round == 0:
			return s.start(c)
		case ready:
			c.pending++
			p := s.Propose(d, "neighbor", c.at.id)
			s.asked[p.ID] = turn{c, c.round}
			return p, nil
		case c.over:
			s.climbs = append(s.climbs[:i], s.climbs[i+1:]...)
			i--
		}
	}
	if len(s.climbs) == maxClimbs {
		if last := s.climbs[maxClimbs-1]; last.round == 0 {
			return s.start(last)
		}
		s.climbs[0].over = true
		s.climbs = append(s.climbs[:0], s.climbs[1:]...)
	}
	c := &climb{weights: s.weights(s.r), starts: s.Starts}
	s.climbs = append(s.climbs, c)
	if s.guest.ok {
		s.move(c, s.guest)
		s.guest = place{}
		return s.next()
	}
	return s.start(c)
}

// start proposes a random design for a climb to begin at.
func (s *climber) start(c *climb) (search.Proposal, error) {
	var d space.Design
	operator, parents := "random", []int64(nil)
	if from := s.kicked(c); from.ok {
		for range kicks {
			if k := s.space.Mutate(s.r, from.design, space.Mutation{Sites: s.Kick}); !s.Seen(k) {
				d, operator, parents = k, "kick", []int64{from.id}
				break
			}
		}
	}
	if d.IsZero() {
		var err error
		if d, err = s.source.Next(s.Seen); err != nil {
			return search.Proposal{}, err
		}
	}
	c.starts = max(c.starts-1, 0)
	c.pending++
	p := s.Propose(d, operator, parents...)
	s.asked[p.ID] = turn{c, 0}
	return p, nil
}

// kicks bounds how often a start is kicked anew because it was proposed before.
const kicks = 50

// kicked returns the design that a climb starts near to, if it does.
func (s *climber) kicked(c *climb) (best place) {
	switch {
	case s.Kick == 0:
		return place{}
	case s.objectives == 1:
		return s.peak
	}
	for _, x := range s.front.All() {
		if !best.ok || s.compare(&x.result, &best.result, c.weights) < 0 {
			best = x
		}
	}
	return best
}

// advance moves a climb as far as results that are known take it. It returns
// true if the climb has something to propose, a neighbour from round 1 on.
func (s *climber) advance(c *climb) (space.Design, bool) {
	for !c.over {
		if c.starts > 0 {
			return space.Design{}, true
		}
		if k := len(c.todo) - 1; k >= 0 {
			e := c.todo[k]
			c.todo = c.todo[:k]
			if e.key != 0 {
				c.tries++
				c.tried[e.key] = c.tries
			}
			x, known := s.known.get(e.design)
			if !known && !s.Seen(e.design) {
				return e.design, true
			}
			if known {
				s.consider(c, x)
			}
			continue
		}
		if c.pending > 0 {
			// Someone else may be quicker, but results that never come must
			// not hold a climb for ever.
			if c.idle++; c.idle <= s.patience {
				return space.Design{}, false
			}
		}
		if c.best.ok && (c.round == 0 || s.compare(&c.best.result, &c.at.result, c.weights) < 0) {
			s.move(c, c.best)
			continue
		}
		c.over = true // nothing is better, or no start was measured
	}
	return space.Design{}, false
}

// consider lets a climb learn of a result.
func (s *climber) consider(c *climb, x place) {
	if !x.ok || c.over {
		return
	}
	if c.round > 0 && s.Improvement == "first" {
		if s.compare(&x.result, &c.at.result, c.weights) < 0 {
			s.move(c, x)
		}
		return
	}
	if !c.best.ok || s.compare(&x.result, &c.best.result, c.weights) < 0 {
		c.best = x
	}
}

// move takes a climb to a place and lists its neighbours in random order. Those
// whose edit the climb tried before come last, the latest at the very end: what
// did not help a step ago will hardly help now, and a separable problem is
// solved in one pass over its parameters.
func (s *climber) move(c *climb, to place) {
	c.at, c.best = to, place{}
	c.round++
	c.starts, c.pending, c.idle = 0, 0, 0
	if c.tried == nil {
		c.tried = map[uint64]int{}
	}
	c.todo = c.todo[:0]
	n := 0
	for d := range s.space.Neighbors(to.design) {
		// A reservoir (Vitter 1985) keeps a fair sample of a long list.
		if n++; len(c.todo) < s.Neighbors {
			c.todo = append(c.todo, edit{design: d})
		} else if k := s.r.IntN(n); k < s.Neighbors {
			c.todo[k].design = d
		}
	}
	s.r.Shuffle(len(c.todo), func(i, j int) { c.todo[i], c.todo[j] = c.todo[j], c.todo[i] })
	if s.Order == "random" {
		return
	}
	s.from = to.design.Decisions(s.from[:0])
	for i := range c.todo {
		c.todo[i].key = s.key(c.todo[i].design)
	}
	slices.SortStableFunc(c.todo, func(a, b edit) int { return cmp.Compare(c.tried[b.key], c.tried[a.key]) })
}

// key names the first decision in which a design differs from s.from, and what
// it decides there.
func (s *climber) key(d space.Design) uint64 {
	s.to = d.Decisions(s.to[:0])
	for i, a := range s.to {
		if i == len(s.from) {
			break
		}
		if b := s.from[i]; a.Site != b.Site || a.Index != b.Index || a.Real != b.Real {
			h := (a.Site ^ uint64(a.Index)) * 0x9E3779B97F4A7C15
			return (h ^ h>>29 ^ math.Float64bits(a.Real)) * 0xBF58476D1CE4E5B9
		}
	}
	return 1 // a copy appended to the end
}

func (s *climber) Tell(outcomes ...search.Outcome) {
	for i := range outcomes {
		o := &outcomes[i]
		if !s.Accept(o) {
			continue
		}
		x := place{o.ID, o.Design, s.read(o)}
		t, mine := s.asked[o.ID]
		delete(s.asked, o.ID)
		s.known.put(x)
		s.keep(x)
		if s.objectives == 1 && x.ok && (!s.peak.ok || s.compare(&x.result, &s.peak.result, nil) < 0) {
			s.peak = x
		}
		if !mine {
			if x.ok && (!s.guest.ok || s.compare(&x.result, &s.guest.result, s.even) < 0) {
				s.guest = x
			}
			continue
		}
		if t.round == t.climb.round {
			t.climb.pending--
		}
		s.consider(t.climb, x)
	}
}
