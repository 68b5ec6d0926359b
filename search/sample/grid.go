package sample

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/space"
)

// Grid visits every point of a lattice over the space once, in random order.
//
// Every option of a choice, a category or an ordered list is a level, and so is
// every whole number of a range that has at most ten (or Levels, if that is
// more). A longer range and a real number contribute Levels equally spaced
// quantiles of their prior, both ends included. Subsets and permutations
// contribute every selection and every order, repeats every count, grammars
// every derivation.
//
// The lattice is never listed. Each proposal walks the space, at each decision
// taking a level that still leads somewhere new: at random, structure by the
// prior. So a run that stops early has seen a fair sample of the lattice, in a
// space with conditions or constraints too, and a lattice of any size costs
// memory only for the points that were visited. The cost of an ask does not
// grow with the number of trials. A lattice that was visited to the end gives
// [search.ErrExhausted]; that of a grammar without a depth bound has no end.
type Grid struct {
	// Levels is how many points stand on the range of a real number, and of a
	// whole number with more than ten values; 0 means 5.
	Levels int `yaml:"levels" default:"5" min:"1" max:"1048576" doc:"points on the range of a real number, and of a whole number with more than ten values"`
}

// New implements [search.Method]. It accepts every space, any number of
// objectives, and limits.
func (m Grid) New(setup search.Setup) (search.Searcher, error) {
	if setup.Space == nil {
		return nil, errNoSpace
	}
	if m.Levels == 0 {
		m.Levels = 5
	}
	if m.Levels < 1 || m.Levels > 1<<20 {
		return nil, fmt.Errorf("search: grid: levels: found %d, want 1 to 1048576", m.Levels)
	}
	r := rng.New(setup.Seed, "sample/grid", 0)
	return &grid{Ledger: search.NewLedger(setup), space: setup.Space, levels: m.Levels, r: r, slots: []int32{untouched}}, nil
}

// maxComplete is the longest range of whole numbers that is visited completely
// whatever Levels says.
const maxComplete = 10

// gridTries bounds how many dead ends one proposal may meet.
const gridTries = 100_000

// A grid remembers where it was as a tree of decisions. Slots hold what is
// known of the part of the lattice behind one level of one decision.
type grid struct {
	search.Ledger
	space  *space.Space
	levels int
	r      *rand.Rand

	slots []int32 // untouched, exhausted, a node, or a tail; slots[0] is the root
	nodes []gridNode
	tails []int32 // levels of a visited point beyond the last node, ended by -1

	path  []int32 // slots from the root to where the walk stands
	guide []space.Answer
	next  int // in guide
}

type gridNode struct {
	first int32 // slot of its first level
	n     int32 // levels
	open  int32 // levels that are not exhausted
}

const (
	untouched int32 = 0
	exhausted int32 = -1
	firstTail int32 = -2 // the tail that starts at i is firstTail - i; a node i is i + 1
)

// Batch implements [search.Batcher].
func (g *grid) Batch() int { return unlimited }

func (g *grid) Tell(outcomes ...search.Outcome) {
	for i := range outcomes {
		g.Accept(&outcomes[i])
	}
}

func (g *grid) Ask(n int) ([]search.Proposal, error) {
	out := make([]search.Proposal, 0, max(n, 1))
	for range max(n, 1) {
		d, err := g.point()
		if err != nil {
			return orError(out, err)
		}
		out = append(out, g.Propose(d, "grid"))
	}
	return out, nil
}

var (
	errDeadEnds = errors.New("search: grid: 100000 walks in a row met a constraint; feasible points are too rare on this grid: raise levels, loosen the constraints, or use random search")
	errTooLarge = errors.New("search: grid: a billion levels were visited, more than the grid keeps account of; use random search")
)

// point returns a point that was not visited.
func (g *grid) point() (space.Design, error) {
	for range gridTries {
		if g.slots[0] == exhausted {
			return space.Design{}, search.ErrExhausted
		}
		if len(g.slots) > 1<<30 || len(g.tails) > 1<<30 {
			return space.Design{}, errTooLarge
		}
		if d, ok := g.walk(); ok && !g.Seen(d) {
			return d, nil
		}
	}
	return space.Design{}, errDeadEnds
}

// walk goes to a point that was not visited and marks it. It reports false if
// it met a dead end instead, which it marked.
func (g *grid) walk() (space.Design, bool) {
	// A draw from the prior says which way structure goes.
	g.guide, g.next = g.guide[:0], 0
	if d, err := g.space.Sample(g.r); err == nil {
		g.guide = d.Decisions(g.guide)
	}
	w := g.space.Walk()
	g.path = g.path[:0]
	slot, start := int32(0), int32(-1) // start of the tail being written
	dead := false
	for !dead {
		d, more := w.Next()
		if !more {
			break
		}
		hint := g.hint(d)
		if start < 0 && g.slots[slot] == untouched {
			start = int32(len(g.tails)) // from here on nothing was visited
		}
		var node gridNode
		if start < 0 {
			if g.slots[slot] <= firstTail {
				g.grow(slot, g.count(d))
			}
			node = g.nodes[g.slots[slot]-1]
		}
		l := g.choose(w, d, node, hint)
		if l < 0 {
			dead = true
			break
		}
		if start < 0 {
			g.path = append(g.path, slot)
			slot = node.first + int32(l)
		} else {
			g.tails = append(g.tails, int32(l))
		}
		if i, x := g.value(d, l); d.N == 0 {
			w.ChooseReal(min(max(x, d.Lo), d.Hi))
		} else {
			w.Choose(i)
		}
		dead = w.Dead()
	}
	var design space.Design
	if !dead {
		var err error
		design, err = w.Design()
		dead = err != nil
	}
	// A dead end is remembered like a point: as a tail it is the levels up to
	// the one that cannot be.
	if start >= 0 && int(start) < len(g.tails) {
		g.tails = append(g.tails, -1)
		g.slots[slot] = firstTail - start
	} else {
		g.exhaust(slot)
	}
	return design, !dead
}

// grow makes a node of a slot that holds a tail.
func (g *grid) grow(slot int32, n int) {
	first := int32(len(g.slots))
	for range n {
		g.slots = append(g.slots, untouched)
	}
	x := gridNode{first: first, n: int32(n), open: int32(n)}
	i := firstTail - g.slots[slot]
	l := first + g.tails[i]
	if g.tails[i+1] < 0 {
		g.slots[l] = exhausted
		x.open--
	} else {
		g.slots[l] = firstTail - (i + 1)
	}
	g.nodes = append(g.nodes, x)
	g.slots[slot] = int32(len(g.nodes))
}

// exhaust marks a slot that leads nowhere new, and those above it that hold
// nothing else.
func (g *grid) exhaust(slot int32) {
	for i := len(g.path) - 1; ; i-- {
		g.slots[slot] = exhausted
		if i < 0 {
			return
		}
		slot = g.path[i]
		x := &g.nodes[g.slots[slot]-1]
		if x.open--; x.open > 0 {
			return
		}
	}
}

// hint returns the level that the walk would like to take.
func (g *grid) hint(d space.Decision) int {
	switch d.Param.Kind {
	case space.KindChoice, space.KindRepeat, space.KindRule, space.KindSubset, space.KindPermutation:
		for k := g.next; k < len(g.guide); k++ {
			if a := &g.guide[k]; a.Site == d.Site && a.N == d.N {
				g.next = k + 1
				return a.Index
			}
		}
	}
	return g.r.IntN(g.count(d))
}

// choose returns the hinted level if it is open and legal, another one at
// random if not, or -1 if there is none. In a node without levels all are open.
func (g *grid) choose(w *space.Walker, d space.Decision, node gridNode, hint int) int {
	free := func(l int) bool {
		return (node.n == 0 || g.slots[int(node.first)+l] != exhausted) && g.legal(w, d, l)
	}
	if free(hint) {
		return hint
	}
	n := 0
	for l := range g.count(d) {
		if free(l) {
			n++
		}
	}
	if n == 0 {
		return -1
	}
	n = g.r.IntN(n)
	for l := range g.count(d) {
		if free(l) {
			if n == 0 {
				return l
			}
			n--
		}
	}
	return -1
}

// count returns the number of levels of a decision.
func (g *grid) count(d space.Decision) int {
	switch {
	case d.N == 0 && d.Param.Hi <= d.Param.Lo:
		return 1
	case d.N == 0 || g.thinned(d):
		return g.levels
	}
	return d.N
}

// thinned reports whether only some of the options are levels.
func (g *grid) thinned(d space.Decision) bool {
	return d.N > max(g.levels, maxComplete) && (d.Param.Kind == space.KindInt || d.Param.Kind == space.KindFloat)
}

// value returns what level l of a decision stands for.
func (g *grid) value(d space.Decision, l int) (index int, x float64) {
	if d.N > 0 && !g.thinned(d) {
		return l, 0
	}
	n := g.count(d)
	switch {
	case n == 1:
		return d.FromUnit(0.5)
	case l == n-1: // the quantile at 1 itself
		return d.N - 1, d.Param.Hi
	}
	return d.FromUnit(float64(l) / float64(n-1))
}

// legal reports whether level l may be taken. If constraints leave a real
// number a range between two levels, the first level stands for its nearer end.
func (g *grid) legal(w *space.Walker, d space.Decision, l int) bool {
	i, x := g.value(d, l)
	if d.N > 0 {
		return w.Legal(i)
	}
	if x >= d.Lo && x <= d.Hi {
		return true
	}
	if l > 0 {
		return false
	}
	for k := range g.count(d) {
		if _, y := g.value(d, k); y >= d.Lo && y <= d.Hi {
			return false
		}
	}
	return true
}
