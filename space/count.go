package space

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"

	"github.com/daedalus-search/daedalus/internal/expr"
)

// This file counts designs. Parts of a space that no condition or constraint
// speaks about are counted by formula. The rest is counted by walking it, with
// a memo whose key is where the walk stands and the values that conditions and
// constraints still to come will look at.

// Bounds on the work of counting.
const (
	countBudget = 1 << 19 // options looked at by counting walks
	countDeep   = 1 << 14 // decisions of one walk that rules speak about
	countBits   = 1 << 18 // binary digits of a count
)

// Count returns the number of designs. n is nil if there are infinitely many:
// some design has a real number with room to move, or a grammar without a depth
// can recurse. If exact is false, constraints (or conditions on a real number)
// made the exact count too expensive, about half a million options looked at,
// and n is an upper bound; nil then means that no bound below 2^262144 is known.
// A space with a real number that is always there and that no rule speaks about
// counts as infinite without a look at whether its constraints leave anything.
// The result is computed once and must not be changed.
func (s *Space) Count() (n *big.Int, exact bool) {
	if freeReal(s.root) {
		return nil, true
	}
	c := s.census()
	return c.n, c.exact
}

// freeReal reports whether every design has a real number with room to move
// that no rule speaks about.
func freeReal(nodes []*node) bool {
	return slices.ContainsFunc(nodes, func(n *node) bool {
		switch {
		case n.when != nil:
			return false
		case n.Kind == KindGroup:
			return freeReal(n.kids[0])
		}
		return n.Kind == KindFloat && n.N == 0 && n.Hi > n.Lo && n.watch == nil
	})
}

// A census is what is known about the number of designs.
type census struct {
	n     *big.Int
	exact bool

	shape  *shape   // the space by formula, as if every condition held
	walked *counter // counts with conditions, and with constraints unless lax; nil if too expensive
	total  *big.Int // designs by the best of the two, a real number counting as one option
}

func newCensus(s *Space) *census {
	c := &census{shape: newShape(s)}
	k := newCounter(s, c.shape, false)
	t, err := k.all()
	c.exact = err == nil
	if err != nil && len(s.rules.requires) > 0 {
		k = newCounter(s, c.shape, true)
		t, err = k.all()
	}
	if err != nil {
		k, t = nil, c.shape.list(s.root)
	}
	c.walked, c.total = k, t.n
	if c.shape.huge {
		c.exact = false
	} else if !t.inf {
		c.n = t.n
	}
	return c
}

// A tally is a number of designs in which a real number counts as one option,
// and whether some of them hold a real number with room to move or belong to
// an open grammar.
type tally struct {
	n   *big.Int
	inf bool
}

var (
	one  = big.NewInt(1)
	zero = new(big.Int)
)

func (t tally) times(u tally) tally {
	switch {
	case t.n.Sign() == 0 || u.n.Sign() == 0:
		return tally{n: zero}
	case t.n == one:
		return tally{u.n, t.inf || u.inf}
	case u.n == one:
		return tally{t.n, t.inf || u.inf}
	}
	return tally{new(big.Int).Mul(t.n, u.n), t.inf || u.inf}
}

func (t tally) plus(u tally) tally {
	return tally{new(big.Int).Add(t.n, u.n), t.inf || u.inf}
}

// A shape counts the parts of a space by formula, taking every condition for
// true and every constraint for satisfied.
type shape struct {
	inside map[*node]tally   // of a node with all it contains
	cases  map[*node][]tally // of a choice
	rules  map[ruleRoom]tally
	open   *node // a grammar that can recurse without a depth
	huge   bool  // some count has too many digits
}

// ruleRoom is a nonterminal and the levels left to derive it.
type ruleRoom struct {
	rule *node
	room int
}

func newShape(s *Space) *shape {
	h := &shape{inside: map[*node]tally{}, cases: map[*node][]tally{}, rules: map[ruleRoom]tally{}}
	h.list(s.root)
	return h
}

// bounded replaces a count of too many digits.
func (h *shape) bounded(t tally) tally {
	if t.n.BitLen() > countBits {
		h.huge = true
		return tally{one, t.inf}
	}
	return t
}

func (h *shape) list(nodes []*node) tally {
	t := tally{n: one}
	for _, n := range nodes {
		t = h.bounded(t.times(h.node(n)))
	}
	return t
}

func (h *shape) node(n *node) tally {
	if t, ok := h.inside[n]; ok {
		return t
	}
	t := h.count(n)
	h.inside[n] = t
	return t
}

func (h *shape) count(n *node) tally {
	switch n.Kind {
	case KindConst:
		return tally{n: one}
	case KindGroup:
		return h.list(n.kids[0])
	case KindChoice:
		t := tally{n: zero}
		for _, kids := range n.kids {
			k := h.list(kids)
			h.cases[n] = append(h.cases[n], k)
			t = t.plus(k)
		}
		return t
	case KindRepeat:
		k := h.list(n.kids[0])
		if k.n.Cmp(one) == 0 {
			return tally{big.NewInt(int64(n.N)), k.inf && n.Hi > 0}
		}
		if float64(k.n.BitLen())*n.Hi > countBits {
			h.huge = true
			return tally{one, k.inf}
		}
		// The sum of k^i for i from Lo to Hi.
		hi := new(big.Int).Exp(k.n, big.NewInt(int64(n.Hi)+1), nil)
		hi.Sub(hi, new(big.Int).Exp(k.n, big.NewInt(int64(n.Lo)), nil))
		return tally{hi.Quo(hi, new(big.Int).Sub(k.n, one)), k.inf && n.Hi > 0}
	case KindSubset:
		sum := new(big.Int)
		for k := n.min; k <= n.max; k++ {
			sum.Add(sum, binomial(len(n.Labels), k))
		}
		return h.bounded(tally{n: sum})
	case KindPermutation:
		return h.bounded(tally{n: new(big.Int).MulRange(1, int64(len(n.Labels)))})
	case KindGrammar:
		start := n.kids[0][0]
		if n.limit > 0 {
			return h.rule(start, n.limit)
		}
		if recursive(start, map[*node]int{}) {
			h.open = n
			return tally{one, true}
		}
		return h.rule(start, openDepth)
	}
	if n.N == 0 {
		return tally{one, n.Hi > n.Lo}
	}
	return tally{n: big.NewInt(int64(n.N))}
}

func binomial(n, k int) *big.Int { return new(big.Int).Binomial(int64(n), int64(k)) }

// rule counts the derivations of a nonterminal within some levels.
func (h *shape) rule(x *node, room int) tally {
	key := ruleRoom{x, room}
	if t, ok := h.rules[key]; ok {
		return t
	}
	t := tally{n: zero}
	for j := range x.kids {
		t = h.bounded(t.plus(h.production(x, j, room)))
	}
	h.rules[key] = t
	return t
}

func (h *shape) production(x *node, j, room int) tally {
	if x.minDepth[j] > room || h.huge {
		return tally{n: zero}
	}
	t := h.list(x.kids[j][:x.with[j]])
	for _, k := range x.kids[j][x.with[j]:] {
		t = h.bounded(t.times(h.rule(k, room-1)))
	}
	return t
}

// recursive reports whether a nonterminal can derive itself.
func recursive(x *node, state map[*node]int) bool {
	const active, done = 1, 2
	switch state[x] {
	case active:
		return true
	case done:
		return false
	}
	state[x] = active
	for j := range x.kids {
		for _, k := range x.kids[j][x.with[j]:] {
			if recursive(k, state) {
				return true
			}
		}
	}
	state[x] = done
	return false
}

// behind is what stands behind a decision that rules speak about.
type behind struct {
	tally
	options []*big.Int // behind each option
}

// errCount says that counting took too long or meets a real number that a rule
// speaks about.
var errCount = errors.New("space: too expensive to count")

// A counter counts designs by walking. Once all has succeeded it is read only.
type counter struct {
	s     *Space
	shape *shape
	lax   bool // without constraints

	alive map[*node]bool // nodes that rules speak about, or that contain some
	live  []int          // by slot: order of the last node at whose decision a rule still looks at it
	memo  map[string]*behind
	left  int // budget
	err   error
	saves []snapshot
	w     *walker
	bad   *requirement // a constraint that ruled something out
}

func newCounter(s *Space, h *shape, lax bool) *counter {
	c := &counter{s: s, shape: h, lax: lax, alive: map[*node]bool{}, memo: map[string]*behind{}, left: countBudget, w: newWalker(s)}
	c.live = make([]int, s.rules.slots)
	for i := range c.live {
		c.live[i] = -1
	}
	last := map[*node]int{}
	order := 0
	c.prepare(s.root, last, &order)
	c.conditions(s.root, last)
	if !lax {
		for _, q := range s.rules.requires {
			c.look(q.slots, q.reps, last, -1)
		}
	}
	return c
}

// prepare finds the nodes to walk and the order of the last node in each. It
// reports whether there is any to walk.
func (c *counter) prepare(nodes []*node, last map[*node]int, order *int) bool {
	any := false
	for _, n := range nodes {
		*order = max(*order, n.order)
		in := n.watch != nil && (n.watch.asked || !c.lax && len(n.watch.requires) > 0)
		if n.Kind != KindGrammar && n.Kind != KindRule {
			for _, kids := range n.kids {
				in = c.prepare(kids, last, order) || in
			}
		}
		last[n] = *order
		c.alive[n] = in
		any = any || in || n.when != nil
	}
	return any
}

// conditions extends the lives of slots that conditions look at.
func (c *counter) conditions(nodes []*node, last map[*node]int) {
	for _, n := range nodes {
		if n.when != nil {
			c.look(n.when.prog.Slots(), n.reps, last, n.order-1)
		}
		if n.Kind != KindGrammar && n.Kind != KindRule {
			for _, kids := range n.kids {
				c.conditions(kids, last)
			}
		}
	}
}

// look extends the lives of slots that a rule looks at. The rule stands inside
// reps and looks for the last time at the node of order end, or, if end is
// negative, when the last of its own slots is decided.
func (c *counter) look(slots []int, reps []*node, last map[*node]int, end int) {
	groupOf := func(slot int) (*watch, slotGroup) {
		x := c.s.rules.watches[slot]
		for _, g := range x.groups {
			if slot >= g.base && slot < g.base+g.size {
				return x, g
			}
		}
		return x, slotGroup{}
	}
	if end < 0 {
		for _, slot := range slots {
			x, g := groupOf(slot)
			if g.out < len(x.reps) {
				end = max(end, last[x.reps[g.out]])
			} else {
				end = max(end, x.node.order)
			}
		}
	}
	for _, slot := range slots {
		_, g := groupOf(slot)
		if g.out < len(reps) {
			c.live[slot] = max(c.live[slot], last[reps[g.out]]) // needed again in the next copy
		} else {
			c.live[slot] = max(c.live[slot], end)
		}
	}
}

// all counts the designs of the space.
func (c *counter) all() (tally, error) {
	c.w.reset()
	c.w.lax = c.lax
	t := c.rest(c.w, 0)
	c.saves = nil
	if c.shape.huge {
		return t, errCount
	}
	return t, c.err
}

// rest counts the designs that a walk can still become. The walk has no
// pending decision; it is used up.
func (c *counter) rest(w *walker, deep int) tally {
	ways, more := c.forward(w)
	switch {
	case w.bad != nil || c.err != nil:
		if w.bad != nil {
			c.bad = w.bad
		}
		return tally{n: zero}
	case !more || ways.n.Sign() == 0:
		return ways
	}
	key := c.key(w)
	t, ok := c.memo[key]
	if !ok {
		t = c.expand(w, deep)
		if c.err != nil {
			return tally{n: zero}
		}
		c.memo[key] = t
	}
	return c.shape.bounded(ways.times(t.tally))
}

// expand counts over the options of the pending decision.
func (c *counter) expand(w *walker, deep int) *behind {
	n := w.n
	switch {
	case n.N == 0 && n.Hi > n.Lo:
		c.err = fmt.Errorf("%w: a rule speaks about the real number %s", errCount, n.Path)
	case n.N > c.left || deep > countDeep:
		c.err = errCount
	}
	c.left -= max(n.N, 1) * (1 + len(w.env.state)/16)
	if c.err != nil {
		return nil
	}
	if len(c.saves) <= deep {
		c.saves = append(c.saves, snapshot{})
	}
	w.settle()
	c.saves[deep].save(w)
	sum := new(big.Int)
	t := &behind{tally: tally{n: sum}}
	for i := range max(n.N, 1) {
		if i > 0 {
			c.saves[deep].restore(w)
		}
		if n.N == 0 {
			w.takeReal(n.Lo)
		} else if !w.legal(i) {
			c.bad = w.cause()
			t.options = append(t.options, zero)
			continue
		} else {
			w.sure = n.N <= maxTried // then each was tried
			w.take(i)
		}
		k := c.rest(w, deep+1)
		t.options = append(t.options, k.n)
		t.n, t.inf = sum.Add(sum, k.n), t.inf || k.inf
	}
	return t
}

// forward moves a walk over everything that no rule speaks about and returns in
// how many ways that can be filled, and whether a decision is pending.
func (c *counter) forward(w *walker) (tally, bool) {
	ways := tally{n: one}
	for len(w.stack) > 0 && w.bad == nil {
		f := &w.stack[len(w.stack)-1]
		if int(f.i) == len(f.nodes) {
			w.leave(f)
			continue
		}
		n := f.nodes[f.i]
		switch {
		case n.when != nil && !w.active(n.when):
			f.i++
			w.skip(n)
		case !c.alive[n]:
			f.i++
			ways = c.shape.bounded(ways.times(c.shape.inside[n]))
		case n.Kind == KindGroup:
			f.i++
			w.enter(f, n)
		case n.Kind == KindConst:
			f.i++
			w.assign(n.watch, n.watch.values[0], expr.Known)
			w.check(n.watch)
		default:
			return ways, w.step()
		}
	}
	return ways, false
}

// key describes all that the future of a walk depends on.
func (c *counter) key(w *walker) string {
	b := binary.AppendUvarint(make([]byte, 0, 64), uint64(w.n.order))
	for i := range w.stack {
		f := &w.stack[i]
		if int(f.i) == len(f.nodes) && (f.owner == nil || f.owner.Kind != KindRepeat) {
			continue // nothing to come
		}
		b = binary.AppendUvarint(b, uint64(f.nodes[0].order))
		b = binary.AppendUvarint(b, uint64(f.i))
		b = binary.AppendUvarint(b, uint64(f.iter))
		b = binary.AppendUvarint(b, uint64(f.left))
	}
	for slot, st := range w.env.state {
		if c.live[slot] < w.n.order || st == expr.Open {
			continue
		}
		b = binary.AppendUvarint(b, uint64(slot)<<1|uint64(st>>1))
		if st == expr.Known {
			v := w.env.vals[slot]
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v.Num))
			b = append(b, byte(v.Kind))
			if v.Kind == expr.String {
				b = binary.AppendUvarint(b, uint64(slices.Index(c.s.rules.watches[slot].values, v)))
			}
		}
	}
	return string(b)
}

// A snapshot is the state of a walker outside grammars, subsets and
// permutations.
type snapshot struct {
	stack       []frame
	state       []expr.State
	vals        []expr.Value
	mask        []bool
	n           *node
	role        Role
	opts        int
	site        uint64
	masked      bool
	first, last int
	lo, hi      float64
}

func (p *snapshot) save(w *walker) {
	p.stack = append(p.stack[:0], w.stack...)
	p.state = append(p.state[:0], w.env.state...)
	p.vals = append(p.vals[:0], w.env.vals...)
	p.mask = append(p.mask[:0], w.mask...)
	p.n, p.role, p.opts, p.site = w.n, w.role, w.opts, w.site
	p.masked, p.first, p.last, p.lo, p.hi = w.masked, w.first, w.last, w.lo, w.hi
}

func (p *snapshot) restore(w *walker) {
	w.stack = append(w.stack[:0], p.stack...)
	copy(w.env.state, p.state)
	copy(w.env.vals, p.vals)
	w.mask = append(w.mask[:0], p.mask...)
	w.n, w.role, w.opts, w.site = p.n, p.role, p.opts, p.site
	w.masked, w.first, w.last, w.lo, w.hi = p.masked, p.first, p.last, p.lo, p.hi
	w.lazy, w.sure, w.bad = false, false, nil
}
