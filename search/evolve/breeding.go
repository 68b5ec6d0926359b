package evolve

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/internal/fresh"
	"github.com/daedalus-search/daedalus/space"
)

// A checker collects what is wrong with the options of a method.
type checker struct {
	method string
	errs   []error
}

func (c *checker) fail(field string, found any, want string) {
	c.errs = append(c.errs, fmt.Errorf("%s: %s: found %v, want %s", c.method, field, found, want))
}

func (c *checker) setup(s search.Setup) {
	if s.Space == nil {
		c.fail("space", "none", "a space to search")
	}
	if s.Objectives < 0 {
		c.fail("objectives", s.Objectives, "at least 1")
	}
}

func (c *checker) population(n, least int) {
	if n != 0 && (n < least || n > 100_000) {
		c.fail("population", n, fmt.Sprintf("%d to 100000, or 0 for the default", least))
	}
}

// variation checks the options that say how children are made.
func (c *checker) variation(v variation, crossover, eta, mutationEta string) {
	if !(v.crossover >= 0 && v.crossover <= 1) {
		c.fail("crossover", v.crossover, "a probability above 0, or 0 for "+crossover)
	}
	if !(v.crossoverEta >= 0 && v.crossoverEta <= 1000) {
		c.fail("crossover_eta", v.crossoverEta, "a number above 0 and at most 1000, or 0 for "+eta)
	}
	if !(v.mutation >= 0 && v.mutation <= 1) {
		c.fail("mutation", v.mutation, "a probability, or 0 for one over the number of decisions")
	}
	if !(v.mutationEta >= 0 && v.mutationEta <= 1000) {
		c.fail("mutation_eta", v.mutationEta, "a number above 0 and at most 1000, or 0 for "+mutationEta)
	}
	switch v.screen {
	case "", "all", "start", "none":
	default:
		c.fail("screen", fmt.Sprintf("%q", v.screen), "all, start or none")
	}
}

// variation says how children are made, as the options of the methods do.
type variation struct {
	crossover, crossoverEta, mutation, mutationEta float64
	screen                                         string
}

// A nursery makes the proposals of a population: random designs, and children
// of parents that the method picks. It proposes nothing twice as long as it
// finds anything new.
type nursery struct {
	space     *space.Space
	rand      *rand.Rand
	fresh     *fresh.Source
	ledger    search.Ledger
	breeder   *space.Breeder
	crossover float64 // probability that a pair is crossed
	admit     func(space.Design) bool
	children  bool // admit is asked of children too
	spare     []space.Design
	parents   []int64 // allocated for many proposals at once
	pairs     bool    // children come in pairs
	twin      offspring
}

// An offspring is a child that was bred, and of whom.
type offspring struct {
	design   space.Design
	operator string
	ids      []int64
}

func newNursery(setup search.Setup, purpose string, v variation) nursery {
	r := rng.New(setup.Seed, purpose, 0)
	n := nursery{
		space: setup.Space, rand: r, fresh: fresh.New(setup.Space, r), ledger: search.NewLedger(setup),
		breeder:   setup.Space.Breeder(space.Crossover{Eta: v.crossoverEta}, space.Mutation{Rate: v.mutation, Eta: v.mutationEta}),
		crossover: v.crossover,
	}
	if v.screen != "none" {
		n.admit = setup.Admit
		n.children = v.screen != "start"
	}
	return n
}

const (
	// breedTries bounds how often a child is bred anew because it was proposed
	// before. In a space with few sites most children repeat; pymoo allows 100
	// rounds.
	breedTries = 50
	// screenTries bounds how often one is bred anew because it cannot meet the
	// limits, and drawTries how often a random design is drawn anew.
	screenTries = 20
	drawTries   = 500
	maxSpare    = 1 << 12
)

// random proposes a design that no parents have.
func (n *nursery) random() (search.Proposal, error) {
	var d space.Design
	for try := 0; ; try++ {
		var err error
		if d, err = n.fresh.Next(n.ledger.Seen); err != nil {
			for len(n.spare) > 0 { // nothing admissible is left
				d = n.spare[len(n.spare)-1]
				n.spare = n.spare[:len(n.spare)-1]
				if p, ok := n.ledger.ProposeNew(d, "random"); ok {
					return p, nil
				}
			}
			return search.Proposal{}, err
		}
		if n.admit == nil || try >= drawTries || n.admit(d) {
			break
		}
		if len(n.spare) < maxSpare {
			n.spare = append(n.spare, d)
		}
	}
	return n.ledger.Propose(d, "random"), nil
}

// child proposes what pick's pairs of parents breed. pick says whether the pair
// is to be crossed.
func (n *nursery) child(pick func() (a, b *member, cross bool)) (search.Proposal, error) {
	screen := 0
	if n.admit != nil && n.children {
		screen = screenTries
	}
	for tries := breedTries; tries > 0; tries-- {
		x := n.twin
		if n.twin = (offspring{}); x.ids == nil {
			x = n.breed(pick())
		}
		if screen > 0 && !n.ledger.Seen(x.design) && !n.admit(x.design) {
			screen--
			tries++
			continue
		}
		if p, ok := n.ledger.ProposeNew(x.design, x.operator, x.ids...); ok {
			return p, nil
		}
	}
	// The population has converged: walk away from one of it, an edit at a time.
	a, _, _ := pick()
	d := a.design
	for range breedTries {
		d = n.space.Mutate(n.rand, d, space.Mutation{})
		if n.admit != nil && n.children && !n.admit(d) {
			continue
		}
		if p, ok := n.ledger.ProposeNew(d, "mutate", a.id); ok {
			return p, nil
		}
	}
	return n.random()
}

// breed makes a child, and a twin if children come in pairs.
func (n *nursery) breed(a, b *member, cross bool) offspring {
	if !cross || a.design == b.design {
		d, _ := n.breeder.Mutant(n.rand, a.design)
		if n.pairs {
			e, _ := n.breeder.Mutant(n.rand, b.design)
			n.twin = offspring{e, "mutate", n.lineage(b.id)}
		}
		return offspring{d, "mutate", n.lineage(a.id)}
	}
	ids := n.lineage(a.id, b.id)
	operator := func(mutated bool) string {
		if mutated {
			return "cross+mutate"
		}
		return "cross"
	}
	if !n.pairs {
		d, mutated := n.breeder.Child(n.rand, a.design, b.design)
		return offspring{d, operator(mutated), ids}
	}
	d, e, mutated, too := n.breeder.Pair(n.rand, a.design, b.design)
	n.twin = offspring{e, operator(too), n.lineage(b.id, a.id)}
	return offspring{d, operator(mutated), ids}
}

// lineage writes IDs where they can stay.
func (n *nursery) lineage(ids ...int64) []int64 {
	if len(n.parents) < len(ids) {
		n.parents = make([]int64, 256)
	}
	out := n.parents[:len(ids):len(ids)]
	copy(out, ids)
	n.parents = n.parents[len(ids):]
	return out
}

// A member is a design of a population.
type member struct {
	id        int64
	design    space.Design
	violation float64
	rank      int32   // of the front
	niche     int32   // NSGA-III: the nearest reference line
	crowd     float64 // NSGA-II: crowding distance; NSGA-III: distance to the line
}

func (m *member) feasible() bool { return m.violation <= 0 }

// A herd is a population that takes in a number of outcomes, whoever proposed
// them, before the survivors are selected: at first as many as it is large.
type herd struct {
	nursery
	population int // how many survive
	every      int // outcomes between two selections
	objectives int

	members []member  // the population, then what arrived since it was selected
	losses  []float64 // a row for each member
	size    int       // of the population
	arrived int       // outcomes since it was selected, useless ones included
	twins   bool      // members may hold a design twice

	ranks    []int32
	feasible []float64 // losses of feasible members, where some are not
	which    []int32
	order    []int32
	next     []member // of keep
	rows     []float64
}

func newHerd(setup search.Setup, purpose string, population int, v variation) herd {
	return herd{nursery: newNursery(setup, purpose, v), population: population, every: population, objectives: max(setup.Objectives, 1)}
}

// Batch returns how many outcomes are awaited before the next selection.
func (h *herd) Batch() int {
	if h.size < h.population {
		return h.population
	}
	return h.every
}

// ask makes n proposals: random ones as long as there is no population.
func (h *herd) ask(n int, pick func() (a, b *member, cross bool)) ([]search.Proposal, error) {
	n = max(n, 1)
	out := make([]search.Proposal, 0, min(n, 1<<16))
	for range n {
		var p search.Proposal
		var err error
		if h.size < 2 {
			before := h.ledger.Distinct()
			p, err = h.random()
			h.twins = h.twins || h.ledger.Distinct() == before
		} else {
			p, err = h.child(pick)
		}
		if err != nil {
			if len(out) > 0 {
				break // the next Ask meets the error again
			}
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

func (h *herd) tell(outcomes []search.Outcome, survive func()) {
	for i := range outcomes {
		o := &outcomes[i]
		if o.ID < 0 && h.ledger.Seen(o.Design) {
			h.twins = true
		}
		if !h.ledger.Accept(o) {
			continue
		}
		if o.Usable() && len(o.Score.Loss) == h.objectives && o.Design.Space() == h.space {
			h.members = append(h.members, member{id: o.ID, design: o.Design, violation: o.Score.Violation})
			h.losses = append(h.losses, o.Score.Loss...)
		}
		if h.arrived++; h.arrived >= h.population || h.arrived >= h.every && h.size >= h.population {
			h.arrived = 0
			if h.twins {
				h.dropTwins()
			}
			h.twin = offspring{}
			survive()
		}
	}
}

// loss returns the losses of a member.
func (h *herd) loss(i int32) []float64 {
	at := int(i) * h.objectives
	return h.losses[at : at+h.objectives : at+h.objectives]
}

// rank gives every member its front: feasible ones by dominance, the others
// after them by their violation. It returns the members by front and, within
// one, by age.
func (h *herd) rank() []int32 {
	n := len(h.members)
	h.which = h.which[:0]
	for i := range h.members {
		if h.members[i].feasible() {
			h.which = append(h.which, int32(i))
		}
	}
	fronts := int32(0)
	if len(h.which) == n {
		h.ranks = metric.NonDominatedSort(h.losses, h.objectives, h.ranks)
		for i, r := range h.ranks[:n] {
			h.members[i].rank = r
			fronts = max(fronts, r+1)
		}
	} else {
		h.feasible = h.feasible[:0]
		for _, i := range h.which {
			h.feasible = append(h.feasible, h.loss(i)...)
		}
		h.ranks = metric.NonDominatedSort(h.feasible, h.objectives, h.ranks)
		for k, i := range h.which {
			h.members[i].rank = h.ranks[k]
			fronts = max(fronts, h.ranks[k]+1)
		}
		h.which = h.which[:0]
		for i := range h.members {
			if !h.members[i].feasible() {
				h.which = append(h.which, int32(i))
			}
		}
		slices.SortFunc(h.which, func(i, j int32) int {
			return cmp.Compare(h.members[i].violation, h.members[j].violation)
		})
		last := math.Inf(-1)
		for _, i := range h.which {
			if v := h.members[i].violation; v > last {
				last = v
				fronts++
			}
			h.members[i].rank = fronts - 1
		}
	}
	// Counting sort.
	h.which = slices.Grow(h.which[:0], int(fronts)+1)[:fronts+1]
	clear(h.which)
	for i := range h.members {
		h.which[h.members[i].rank+1]++
	}
	for r := range int(fronts) {
		h.which[r+1] += h.which[r]
	}
	h.order = slices.Grow(h.order[:0], n)[:n]
	for i := range h.members {
		r := h.members[i].rank
		h.order[h.which[r]] = int32(i)
		h.which[r]++
	}
	return h.order
}

// keep makes some of the members the population.
func (h *herd) keep(kept []int32) {
	h.next, h.rows = h.next[:0], h.rows[:0]
	for _, i := range kept {
		h.next = append(h.next, h.members[i])
		h.rows = append(h.rows, h.loss(i)...)
	}
	clear(h.members)
	h.members, h.next = h.next, h.members[:0]
	h.losses, h.rows = h.rows, h.losses[:0]
	h.size = len(h.members)
}

// dropTwins keeps the first of equal designs: copies would fill the front.
func (h *herd) dropTwins() {
	seen := make(map[space.Design]bool, len(h.members))
	kept, size := make([]int32, 0, len(h.members)), 0
	for i := range h.members {
		if d := h.members[i].design; !seen[d] {
			seen[d] = true
			kept = append(kept, int32(i))
			if i < h.size {
				size++
			}
		}
	}
	h.keep(kept)
	h.size, h.twins = size, false
}

// A deck deals the members of a population in random order, each once before
// any a second time, as in the tournaments of Deb's code.
type deck struct {
	cards []int32
	at    int
}

func (d *deck) reset() { d.cards, d.at = d.cards[:0], 0 }

// deal returns one of n.
func (d *deck) deal(r *rand.Rand, n int) int {
	if d.at >= len(d.cards) {
		d.cards, d.at = d.cards[:0], 0
		for i := range n {
			d.cards = append(d.cards, int32(i))
		}
		r.Shuffle(n, func(i, j int) { d.cards[i], d.cards[j] = d.cards[j], d.cards[i] })
	}
	d.at++
	return int(d.cards[d.at-1])
}

// pair deals two different ones of n.
func (d *deck) pair(r *rand.Rand, n int) (i, j int) {
	if d.at+2 > len(d.cards) {
		d.at = len(d.cards)
	}
	return d.deal(r, n), d.deal(r, n)
}
