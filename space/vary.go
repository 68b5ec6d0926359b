package space

import (
	"encoding/binary"
	"iter"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/daedalus-search/daedalus/internal/detmath"
	"github.com/daedalus-search/daedalus/internal/expr"
	"github.com/daedalus-search/daedalus/internal/rng"
)

// Mutation says how [Space.Mutate] changes a design. The zero value changes
// exactly one decision.
type Mutation struct {
	// Sites is how many decisions change; 0 means 1. A subset or a permutation
	// counts as one decision. Ignored if Rate is set.
	Sites int
	// Rate is the probability with which each decision changes on its own, as
	// in genetic algorithms; nothing may change at all.
	Rate float64
	// Sigma is the standard deviation of a step on a number, as a share of its
	// range (of the logarithm of its range if it is logarithmic); 0 means 0.1.
	Sigma float64
	// Eta, if above 0, replaces the normal step by polynomial mutation with
	// this distribution index (Deb and Goyal 1996).
	Eta float64
}

// Crossover says how [Space.Cross] joins two designs. The zero value takes
// each decision from either parent with equal probability.
type Crossover struct {
	// Rate is the probability of taking a decision from the second parent, or
	// of blending it if Eta is set; 0 means 0.5.
	Rate float64
	// Eta, if above 0, blends numbers by simulated binary crossover with this
	// distribution index (Deb and Agrawal 1995).
	Eta float64
}

// varyTries bounds how often a variation starts again when constraints reject
// its result.
const varyTries = 64

// A site is one place of a design where a decision stands. Subsets and
// permutations, whose decisions only make sense together, are one site.
type site struct {
	node  *node
	key   uint64
	start int32 // bytes of its own decisions in the trace
	end   int32
	depth int32 // depth of the walker's stack
	index int   // option taken
	real  float64
}

// scan appends the sites of a design in walking order to dst.
func (w *walker) scan(d Design, dst []site) []site {
	t := trace{s: d.trace}
	for {
		if f := w.run(); f != nil {
			depth, base, nodes, i := int32(len(w.stack)), f.site, f.nodes, int(f.i)
			for ; i < len(nodes); i++ {
				n := nodes[i]
				if !n.simple {
					break
				}
				if n.when != nil && w.inactive(n) {
					continue
				}
				if len(dst) == cap(dst) {
					dst = slices.Grow(dst, 16)
				}
				dst = dst[:len(dst)+1]
				s := &dst[len(dst)-1]
				s.node, s.key, s.start, s.depth = n, base^n.seed, int32(t.at), depth
				s.index, s.real = 0, 0
				if n.N == 0 {
					s.real = t.real()
				} else {
					s.index = t.index()
				}
				s.end = int32(t.at)
				if n.watch != nil {
					w.assign(n.watch, n.value(s.index, s.real), expr.Known)
				}
			}
			f.i = int32(i)
		}
		if !w.step() {
			return dst
		}
		n, start := w.n, int32(t.at)
		if w.role == RoleInclude || w.role == RolePlace {
			key := w.site - (uint64(w.item)+2)*golden
			if k := len(dst) - 1; k >= 0 && dst[k].key == key && dst[k].node == n {
				w.follow(&t)
				dst[k].end = int32(t.at)
				continue
			}
			dst = append(dst, site{node: n, key: key, start: start, depth: int32(len(w.stack)) - 1})
			w.follow(&t)
			dst[len(dst)-1].end = int32(t.at)
			continue
		}
		s := site{node: n, key: w.site, start: start, depth: int32(len(w.stack))}
		i, x := w.follow(&t)
		s.index, s.real, s.end = i, x, int32(t.at)
		dst = append(dst, s)
	}
}

// tail returns the end of the part of the trace that hangs on site i.
func tail(sites []site, i int, whole string) int {
	for _, s := range sites[i+1:] {
		if s.depth <= sites[i].depth {
			return int(s.start)
		}
	}
	return len(whole)
}

// variation is scratch space for mutation and crossover.
type variation struct {
	a, b   []site
	atA    int // where the next site is likely to be found
	atB    int
	hit    []bool  // by site: it changes
	picked []int32 // the sites that change, in order
	open   []int32
	buf    []byte
	order  []int32
	order2 []int32
}

func (s *Space) variation() *variation {
	if v, ok := s.variations.Get().(*variation); ok {
		return v
	}
	return &variation{}
}

// Mutate returns a neighbour of d at random. Unordered options are replaced by
// another one, numbers take a step, subsets gain, lose or swap an item,
// permutations swap or move one, repeats gain or lose a copy at any place, and
// a grammar's rule takes another production, is wrapped into a larger
// derivation of its symbol, or gives way to a part of itself. Whatever a changed choice brings
// in is sampled; everything else is kept. Constraints are propagated and
// repaired as in [Space.Sample].
//
// Mutate returns d itself if it finds no different design: the space has no
// other, or constraints rejected 64 attempts.
func (s *Space) Mutate(r *rand.Rand, d Design, m Mutation) Design {
	w := s.walk()
	defer s.free(w)
	first := -1
	if m.Rate == 0 && m.Sites <= 1 && s.mutables > 0 {
		var out Design
		if out, first = s.mutateSimple(r, w, d, m); first < 0 {
			return out
		}
		w.reset()
	}
	v := s.variation()
	defer s.variations.Put(v)
	v.a = w.scan(d, v.a[:0])
	for range varyTries {
		if !v.pick(r, m, first) {
			return d
		}
		first = -1
		out, ok := s.mutate(r, w, v, d, m)
		if ok && (out != d || m.Rate > 0) {
			return out
		}
	}
	return d
}

// mutateSimple changes one decision, each with equal probability, if nothing
// depends on it, without listing the sites of the design first. Otherwise it
// returns which of the decisions that can change is the one.
func (s *Space) mutateSimple(r *rand.Rand, w *walker, d Design, m Mutation) (Design, int) {
	// The design may have fewer such decisions than the space allows; then the
	// choice is made again with their number, which keeps it uniform.
	k, bound := below(r, s.mutables), s.mutables
	for {
		x, seen := w.mutable(d, k)
		if x.node != nil {
			if !x.node.simple || x.node.watch != nil {
				return d, k
			}
			buf := append(w.buf[:0], d.trace[:x.start]...)
			buf = x.change(r, nil, nil, d, m, buf)
			w.buf = append(buf, d.trace[x.end:]...)
			return w.design(), -1
		}
		if seen == 0 || seen >= bound {
			return d, -1
		}
		k, bound = below(r, seen), seen
		w.reset()
	}
}

// mutable returns the site of a design that comes after k others that can
// change, or none and how many there are. Of a subset or permutation it knows
// only the first decision.
func (w *walker) mutable(d Design, k int) (x site, seen int) {
	t := trace{s: d.trace}
	for {
		if f := w.run(); f != nil {
			nodes, i := f.nodes, int(f.i)
			for ; i < len(nodes); i++ {
				n := nodes[i]
				if !n.simple {
					break
				}
				if n.when != nil && w.inactive(n) {
					continue
				}
				start := t.at
				x.index, x.real = 0, 0
				if n.N == 0 {
					x.real = t.real()
				} else {
					x.index = t.index()
				}
				if n.mutable {
					if seen == k {
						x.node, x.start, x.end = n, int32(start), int32(t.at)
						return x, seen
					}
					seen++
				}
				if n.watch != nil {
					w.assign(n.watch, n.value(x.index, x.real), expr.Known)
				}
			}
			f.i = int32(i)
		}
		if !w.step() {
			return site{}, seen
		}
		whole := w.role != RoleInclude && w.role != RolePlace || w.item == 0 && (w.n.Kind == KindPermutation || w.n.min == w.n.max)
		if whole && w.n.mutable {
			if seen == k {
				x = site{node: w.n, start: int32(t.at)}
				x.index, x.real = w.follow(&t)
				x.end = int32(t.at)
				return x, seen
			}
			seen++
		}
		w.follow(&t)
	}
}

// mutables bounds how many decisions that can change a design has, or is 0 if
// nothing bounds it.
func mutables(nodes []*node) int {
	sum := 0
	for _, n := range nodes {
		if n.Kind == KindRepeat || n.Kind == KindGrammar {
			return 0
		}
		if n.mutable && n.Kind != KindGroup && n.Kind != KindConst {
			sum++
		}
		most := 0
		for _, kids := range n.kids {
			m := mutables(kids)
			if m == 0 && len(kids) > 0 {
				return 0
			}
			most = max(most, m)
		}
		sum += most
	}
	return sum
}

// pick marks the sites that change and reports whether any does.
// If first is not negative, it is the one, counted among those that can.
func (v *variation) pick(r *rand.Rand, m Mutation, first int) bool {
	if cap(v.hit) < len(v.a) {
		v.hit = make([]bool, len(v.a))
	}
	v.hit = v.hit[:len(v.a)]
	clear(v.hit)
	v.picked, v.open = v.picked[:0], v.open[:0]
	for i := range v.a {
		if v.a[i].node.mutable {
			v.open = append(v.open, int32(i))
		}
	}
	if first >= 0 {
		v.picked = append(v.picked, v.open[first])
	} else if m.Rate > 0 {
		for _, i := range v.open {
			if u01(r) < m.Rate {
				v.picked = append(v.picked, i)
			}
		}
	} else {
		for range min(max(m.Sites, 1), len(v.open)) {
			k := below(r, len(v.open))
			v.picked = append(v.picked, v.open[k])
			v.open[k] = v.open[len(v.open)-1]
			v.open = v.open[:len(v.open)-1]
		}
		slices.Sort(v.picked)
	}
	for _, i := range v.picked {
		v.hit[i] = true
	}
	return len(v.picked) > 0
}

func (s *Space) mutate(r *rand.Rand, w *walker, v *variation, d Design, m Mutation) (Design, bool) {
	free := true
	for _, i := range v.picked {
		free = free && v.a[i].node.leaf && v.a[i].node.watch == nil
	}
	if free { // nothing depends on what changes, and no rule speaks about it
		return s.splice(r, v, d, m), true
	}
	// A repeat loses any of its copies, so the one to go moves to the end
	// first; a copy gained at the end moves to any place afterwards.
	from, repeat, count := d, -1, 0
	for i := range v.a {
		if x := &v.a[i]; v.hit[i] && x.node.Kind == KindRepeat {
			repeat, count = i, x.node.stepLevel(r, int(x.index), m)
			if count == int(x.index) {
				count += 1 - 2*min(count, 1)
			}
			break
		}
	}
	if repeat >= 0 && count < int(v.a[repeat].index) {
		bounds := s.copies(w, d, v.a, repeat)
		from = d.moveCopy(bounds, below(r, len(bounds)-1), len(bounds)-2)
		w.reset()
		v.a = w.scan(from, v.a[:0])
		for i := range v.a { // copies that changed places may have taken marks along
			v.hit[i] = v.hit[i] && v.a[i].node.mutable
		}
	}
	growth := v.grow(r, from)
	w.reset()
	v.atA = 0
	ok := s.guided(w, func(f *frame) { v.copyRun(w, f, from) }, func() bool {
		k := find(v.a, &v.atA, w)
		if taken, ok := growth.answer(r, w, k); taken {
			return ok
		}
		switch {
		case k < 0:
			return w.draw(r)
		case k == repeat:
			return w.write(binary.AppendUvarint(v.buf[:0], uint64(count)))
		case v.hit[k]:
			v.buf = v.a[k].change(r, w, v, from, m, v.buf[:0])
			return w.write(v.buf)
		}
		return w.copy(from.trace[v.a[k].start:v.a[k].end]) || w.draw(r)
	})
	s.count(ok)
	out := w.design()
	if ok && repeat >= 0 && count > int(v.a[repeat].index) {
		w.reset()
		v.b = w.scan(out, v.b[:0])
		x := &v.a[repeat]
		k := slices.IndexFunc(v.b, func(y site) bool { return y.key == x.key && y.node == x.node })
		if k >= 0 && v.b[k].index > x.index { // another change may have removed it
			bounds := s.copies(w, out, v.b, k)
			moved := out.moveCopy(bounds, len(bounds)-2, below(r, len(bounds)-1))
			if s.plain || s.valid(w, moved.trace) {
				out = moved
			}
		}
	}
	if from != d {
		w.reset()
		v.a = w.scan(d, v.a[:0])
	}
	return out, ok
}

// copyRun copies simple decisions that do not change, as far as they come in
// the order of the old design.
func (v *variation) copyRun(w *walker, f *frame, d Design) {
	for ; int(f.i) < len(f.nodes) && f.nodes[f.i].simple; f.i++ {
		n := f.nodes[f.i]
		if n.when != nil && w.inactive(n) {
			continue
		}
		if v.atA >= len(v.a) || v.hit[v.atA] || !v.a[v.atA].is(n, f) {
			return
		}
		w.copyLeaf(&v.a[v.atA], d)
		v.atA++
	}
}

// is reports whether the site is that of a simple node in the frame.
func (x *site) is(n *node, f *frame) bool { return x.node == n && x.key == f.site^n.seed }

// copyLeaf takes the answer of a simple node from a design.
func (w *walker) copyLeaf(x *site, d Design) {
	w.buf = append(w.buf, d.trace[x.start:x.end]...)
	if x.node.watch != nil {
		w.assign(x.node.watch, x.node.value(x.index, x.real), expr.Known)
	}
}

// crossRun takes each simple decision from either parent, as far as both made
// it and it is not to be blended.
func (v *variation) crossRun(r *rand.Rand, w *walker, f *frame, a, b Design, rate float64, blend bool) {
	for ; int(f.i) < len(f.nodes) && f.nodes[f.i].simple; f.i++ {
		n := f.nodes[f.i]
		if n.when != nil && w.inactive(n) {
			continue
		}
		if v.atA >= len(v.a) || v.atB >= len(v.b) || !v.a[v.atA].is(n, f) || !v.b[v.atB].is(n, f) || blend && n.numericLeaf() {
			return
		}
		if u01(r) < rate {
			w.copyLeaf(&v.b[v.atB], b)
		} else {
			w.copyLeaf(&v.a[v.atA], a)
		}
		v.atA++
		v.atB++
	}
}

// guided walks the space, answering each site by next, and reports whether the
// result is a design. simple, if not nil, may answer runs of simple nodes.
func (s *Space) guided(w *walker, simple func(*frame), next func() bool) bool {
	for {
		if simple != nil {
			if f := w.run(); f != nil {
				simple(f)
			}
		}
		if !w.step() {
			break
		}
		if !next() || w.bad != nil {
			return false
		}
	}
	return w.end()
}

// key returns the site of the pending decision; for a subset or permutation
// that of the whole.
func (w *walker) key() uint64 {
	if w.role == RoleInclude || w.role == RolePlace {
		return w.site - (uint64(w.item)+2)*golden
	}
	return w.site
}

// find returns the site at which the walker stands, or -1. Sites come in
// walking order, so the search starts at *from, behind the one found last.
func find(sites []site, from *int, w *walker) int {
	if w.item > 0 && (w.role == RoleInclude || w.role == RolePlace) {
		return -1 // inside a selection that was drawn afresh
	}
	key := w.key()
	k := *from
	for range sites {
		if k >= len(sites) {
			k = 0
		}
		if sites[k].key == key && sites[k].node == w.n {
			*from = k + 1
			return k
		}
		k++
	}
	return -1
}

// write answers the pending decision, and those that belong to the same
// selection, from bytes that are known to fit.
func (w *walker) write(b []byte) bool {
	t := trace{s: string(b)}
	for {
		if w.opts == 0 {
			if !w.tryReal(t.real()) {
				return false
			}
		} else if !w.try(t.index()) {
			return false
		}
		if t.at == len(t.s) {
			return true
		}
		w.step()
	}
}

// copy is write for a site of another design; it reports false, with nothing
// taken, if the answer is not legal here.
func (w *walker) copy(s string) bool {
	t := trace{s: s}
	if w.opts == 0 {
		return w.tryReal(t.real())
	}
	if !w.try(t.index()) {
		return false
	}
	for t.at < len(t.s) {
		w.step()
		w.choose(t.index())
	}
	return true
}

// splice rewrites the marked sites of a design in place; nothing else depends
// on them.
func (s *Space) splice(r *rand.Rand, v *variation, d Design, m Mutation) Design {
	v.buf = v.buf[:0]
	at := int32(0)
	for _, i := range v.picked {
		x := &v.a[i]
		v.buf = append(v.buf, d.trace[at:x.start]...)
		v.buf = x.change(r, nil, v, d, m, v.buf)
		at = x.end
	}
	v.buf = append(v.buf, d.trace[at:]...)
	return Design{space: s, trace: string(v.buf)}
}

// change appends a new answer for the site. w, if not nil, stands at the site
// and knows what is legal.
func (x *site) change(r *rand.Rand, w *walker, v *variation, d Design, m Mutation, buf []byte) []byte {
	n := x.node
	switch n.Kind {
	case KindSubset:
		v.order = readSubset(v.order[:0], n, d.trace[x.start:x.end])
		v.order = mutateSubset(r, n, v.order)
		return appendSubset(buf, n, v.order)
	case KindPermutation:
		v.order = readPermutation(v.order[:0], n, d.trace[x.start:x.end])
		mutatePermutation(r, v.order)
		return appendPermutation(buf, v.order)
	}
	if n.N == 0 {
		return binary.LittleEndian.AppendUint64(buf, math.Float64bits(x.stepReal(r, w, m)))
	}
	return binary.AppendUvarint(buf, uint64(x.stepOption(r, w, m)))
}

// stepReal returns a real number near the old one, within what is legal.
func (x *site) stepReal(r *rand.Rand, w *walker, m Mutation) float64 {
	n := x.node
	lo, hi := n.Lo, n.Hi
	if w != nil {
		w.settle()
		lo, hi = w.lo, w.hi
	}
	u := n.unitReal(x.real)
	var y float64
	if m.Eta > 0 {
		y = n.realFromU(polynomial(u, u01(r), m.Eta))
	} else {
		y = n.realFromU(reflect(u + float64(m.sigma()*rng.Norm(r))))
	}
	return min(max(y, lo), hi) + 0
}

func (m Mutation) sigma() float64 {
	if m.Sigma > 0 {
		return m.Sigma
	}
	return 0.1
}

// reflect folds u back into [0, 1].
func reflect(u float64) float64 {
	u = math.Abs(u)
	if u > 2 {
		u = math.Mod(u, 2)
	}
	if u > 1 {
		u = 2 - u
	}
	return u
}

// polynomial is bounded polynomial mutation on [0, 1] (Deb 2001, Multi-
// objective Optimization using Evolutionary Algorithms, section 4.4.2, in the
// bounded form of the NSGA-II code).
func polynomial(x, u, eta float64) float64 {
	pow := 1 / (eta + 1)
	var dq float64
	if u < 0.5 {
		b := 2*u + float64((1-2*u)*detmath.Pow(1-x, eta+1))
		dq = detmath.Pow(b, pow) - 1
	} else {
		b := 2*(1-u) + float64(2*(u-0.5)*detmath.Pow(x, eta+1))
		dq = 1 - detmath.Pow(b, pow)
	}
	return min(max(x+dq, 0), 1)
}

// stepOption returns another option: near the old one if options are ordered.
func (x *site) stepOption(r *rand.Rand, w *walker, m Mutation) int {
	n, old := x.node, int(x.index)
	if n.Ordered {
		for range 8 {
			i := n.stepLevel(r, old, m)
			if i != old && (w == nil || w.legal(i)) {
				return i
			}
		}
	}
	if w != nil && (w.lazy || w.masked) {
		w.settle()
	}
	if w != nil && w.masked {
		return n.otherLegal(r, w, old)
	}
	if n.cum != nil && n.N <= maxTable {
		// Another option by the prior.
		p := n.Weight(old)
		u := u01(r) * (1 - p)
		acc := 0.0
		for i := range n.N {
			if i == old {
				continue
			}
			if acc += n.Weight(i); u < acc {
				return i
			}
		}
	}
	i := below(r, n.N-1)
	if i >= old {
		i++
	}
	return i
}

func (n *node) otherLegal(r *rand.Rand, w *walker, old int) int {
	if len(w.mask) == 0 {
		if i := w.maskedAt(u01(r)); i >= 0 {
			return i
		}
		return old
	}
	k := 0
	for i := range n.N {
		if i != old && w.legal(i) {
			k++
		}
	}
	if k == 0 {
		return old
	}
	k = below(r, k)
	for i := range n.N {
		if i != old && w.legal(i) {
			if k == 0 {
				return i
			}
			k--
		}
	}
	return old
}

// stepLevel takes a step on ordered options. Steps are normal on the unit
// scale and at least one option long; a repeat moves by one copy.
func (n *node) stepLevel(r *rand.Rand, old int, m Mutation) int {
	if n.Kind == KindRepeat {
		if r.Uint64()&1 == 0 {
			return max(old-1, 0)
		}
		return min(old+1, n.N-1)
	}
	if n.N <= 3 {
		i := below(r, n.N-1)
		if i >= old {
			i++
		}
		return i
	}
	if m.Eta > 0 {
		return n.nearest(polynomial(n.unit(old, 0), u01(r), m.Eta))
	}
	z := float64(m.sigma() * rng.Norm(r))
	i := n.nearest(reflect(n.unit(old, 0) + z))
	if i == old {
		if z < 0 {
			i = max(old-1, 0)
		} else {
			i = min(old+1, n.N-1)
		}
	}
	return i
}

// Cross returns a child of a and b. Where both parents made a decision the
// child takes one of them, or a blend; where only one did, because of a choice
// the child shares with it, the child takes that. Subsets and permutations
// cross as a whole (uniformly, and by order crossover, Davis 1985). Within a
// grammar the child is a with one subtree replaced by a subtree of b that
// derives from the same symbol (Koza 1992; Whigham 1995).
//
// Cross returns a if constraints rejected 64 attempts. a and b must belong to
// the space.
func (s *Space) Cross(r *rand.Rand, a, b Design, c Crossover) Design {
	w := s.walk()
	defer s.free(w)
	v := s.variation()
	defer s.variations.Put(v)
	v.a = w.scan(a, v.a[:0])
	w.reset()
	v.b = w.scan(b, v.b[:0])
	rate := c.Rate
	if rate == 0 {
		rate = 0.5
	}
	for range varyTries {
		w.reset()
		ia, ib := v.graft(r)
		v.atA, v.atB = 0, 0
		var run func(*frame)
		if ib < 0 {
			run = func(f *frame) { v.crossRun(r, w, f, a, b, rate, c.Eta > 0) }
		}
		ok := s.guided(w, run, func() bool {
			i := find(v.a, &v.atA, w)
			if ib >= 0 && i == ia && i >= 0 {
				return w.graft(b.trace[v.b[ib].start:tail(v.b, ib, b.trace)]) || w.draw(r)
			}
			j := -1
			if ib < 0 || w.n.Kind != KindRule {
				j = find(v.b, &v.atB, w)
			}
			switch {
			case i < 0 && j < 0:
				return w.draw(r)
			case j < 0:
				return w.copy(a.trace[v.a[i].start:v.a[i].end]) || w.draw(r)
			case i < 0:
				return w.copy(b.trace[v.b[j].start:v.b[j].end]) || w.draw(r)
			}
			x, y := &v.a[i], &v.b[j]
			if !x.leafSelection() && !(c.Eta > 0 && x.node.numericLeaf()) {
				if u01(r) < rate {
					return w.copy(b.trace[y.start:y.end]) || w.copy(a.trace[x.start:x.end]) || w.draw(r)
				}
				return w.copy(a.trace[x.start:x.end]) || w.copy(b.trace[y.start:y.end]) || w.draw(r)
			}
			if !x.leafSelection() && u01(r) >= rate {
				return w.copy(a.trace[x.start:x.end]) || w.draw(r)
			}
			v.buf = v.blend(r, x, y, a, b, c, v.buf[:0])
			return w.write(v.buf) || w.draw(r)
		})
		s.count(ok)
		if ok {
			return w.design()
		}
	}
	return a
}

func (x *site) leafSelection() bool {
	return x.node.Kind == KindSubset || x.node.Kind == KindPermutation
}

// numericLeaf reports whether values of the node can be blended.
func (n *node) numericLeaf() bool {
	return n.Kind == KindFloat || n.Kind == KindInt || n.Kind == KindOrdinal && n.N > 3
}

// graft chooses a rule of a and one of b with the same symbol, or returns
// ib = -1 if there is none.
func (v *variation) graft(r *rand.Rand) (ia, ib int) {
	count := 0
	for i := range v.a {
		if v.a[i].node.Kind == KindRule {
			count++
		}
	}
	if count == 0 {
		return -1, -1
	}
	for range 8 {
		k := below(r, count)
		for i := range v.a {
			if v.a[i].node.Kind != KindRule {
				continue
			}
			if k == 0 {
				ia = i
				break
			}
			k--
		}
		same := 0
		for j := range v.b {
			if v.b[j].node == v.a[ia].node {
				same++
			}
		}
		if same == 0 {
			continue
		}
		k = below(r, same)
		for j := range v.b {
			if v.b[j].node != v.a[ia].node {
				continue
			}
			if k == 0 {
				return ia, j
			}
			k--
		}
	}
	return -1, -1
}

// graft copies a whole subtree; where the depth bound forbids an answer it
// reports false with the walk in a state that must be drawn on.
func (w *walker) graft(s string) bool {
	t := trace{s: s}
	base := len(w.stack)
	for {
		if w.opts == 0 {
			if !w.tryReal(t.real()) {
				return false
			}
		} else if !w.try(t.index()) {
			return false
		}
		if t.at == len(t.s) {
			return true
		}
		if !w.step() || len(w.stack) < base {
			return true
		}
	}
}

// blend appends a mixture of two answers to the same question.
func (v *variation) blend(r *rand.Rand, x, y *site, a, b Design, c Crossover, buf []byte) []byte {
	n := x.node
	switch n.Kind {
	case KindSubset:
		v.order = readSubset(v.order[:0], n, a.trace[x.start:x.end])
		v.order2 = readSubset(v.order2[:0], n, b.trace[y.start:y.end])
		v.order = crossSubset(r, n, v.order, v.order2)
		return appendSubset(buf, n, v.order)
	case KindPermutation:
		v.order = readPermutation(v.order[:0], n, a.trace[x.start:x.end])
		v.order2 = readPermutation(v.order2[:0], n, b.trace[y.start:y.end])
		return appendPermutation(buf, orderCross(r, v.order, v.order2))
	}
	ua, ub := n.unit(int(x.index), x.real), n.unit(int(y.index), y.real)
	if math.Abs(ua-ub) < 1e-14 {
		if n.N == 0 {
			return binary.LittleEndian.AppendUint64(buf, math.Float64bits(x.real))
		}
		return binary.AppendUvarint(buf, uint64(x.index))
	}
	u := sbx(ua, ub, u01(r), c.Eta, r.Uint64()&1 == 0)
	if n.N == 0 {
		return binary.LittleEndian.AppendUint64(buf, math.Float64bits(n.realFromU(u)+0))
	}
	return binary.AppendUvarint(buf, uint64(n.nearest(u)))
}

// sbx is one child of bounded simulated binary crossover on [0, 1] (Deb and
// Agrawal 1995, in the bounded form of the NSGA-II code).
func sbx(a, b, u, eta float64, upper bool) float64 {
	lo, hi := min(a, b), max(a, b)
	beta := 1 + 2*lo/(hi-lo)
	if upper {
		beta = 1 + 2*(1-hi)/(hi-lo)
	}
	alpha := 2 - detmath.Pow(beta, -(eta+1))
	var q float64
	if u <= 1/alpha {
		q = detmath.Pow(u*alpha, 1/(eta+1))
	} else {
		q = detmath.Pow(1/(2-float64(u*alpha)), 1/(eta+1))
	}
	d := float64(q * (hi - lo))
	if upper {
		return min(max(0.5*(lo+hi+d), 0), 1)
	}
	return min(max(0.5*(lo+hi-d), 0), 1)
}

// Neighbors yields the designs one edit away from d, each once, in a fixed
// order: every other unordered option; the options next to an ordered one, and
// one a tenth of the range away if there are more than ten; a real number one
// hundredth and one tenth of its range up and down; one item more, less or
// exchanged in a subset; two items exchanged in a permutation; one copy less or
// one doubled in a repeat; another production of a grammar's rule. What a
// changed choice brings in starts with the first legal option, or the middle
// of a real range. Neighbours that constraints forbid are left out.
func (s *Space) Neighbors(d Design) iter.Seq[Design] {
	return func(yield func(Design) bool) {
		var v variation
		w := newWalker(s)
		w.reset()
		v.a = w.scan(d, nil)
		sites := slices.Clone(v.a)
		seen := map[Design]bool{d: true}
		emit := func(out Design, ok bool) bool {
			if !ok || seen[out] {
				return true
			}
			seen[out] = true
			return yield(out)
		}
		for i := range sites {
			x := &sites[i]
			if !x.node.mutable {
				continue
			}
			if x.node.Kind == KindRepeat {
				if !s.repeatNeighbors(w, d, sites, i, emit) {
					return
				}
				continue
			}
			for answer := range x.alternatives(d) {
				if !emit(s.replaced(w, d, sites, i, answer)) {
					return
				}
			}
		}
	}
}

// replaced returns d with another answer at site i. Everything that was not
// there before takes its first legal option.
func (s *Space) replaced(w *walker, d Design, sites []site, i int, answer []byte) (Design, bool) {
	w.reset()
	at := 0
	ok := s.guided(w, nil, func() bool {
		k := find(sites, &at, w)
		if k == i {
			return w.write(answer)
		}
		return k >= 0 && w.copy(d.trace[sites[k].start:sites[k].end]) || w.chooseFirst()
	})
	return w.design(), ok
}

// chooseFirst answers the pending decision by the first legal option or the
// middle of a real range.
func (w *walker) chooseFirst() bool {
	w.settle()
	switch {
	case w.opts == 0:
		return !w.masked && w.tryReal(w.realAt(0.5))
	case w.masked && len(w.mask) == 0:
		if w.first > w.last {
			return false
		}
		w.choose(w.first)
		return true
	}
	for i := range w.opts {
		if w.legal(i) {
			w.choose(i)
			return true
		}
	}
	return false
}

// alternatives yields the answers one edit away from the one at the site.
func (x *site) alternatives(d Design) iter.Seq[[]byte] {
	n := x.node
	return func(yield func([]byte) bool) {
		option := func(i int) bool { return yield(binary.AppendUvarint(nil, uint64(i))) }
		switch {
		case n.Kind == KindSubset:
			old := readSubset(nil, n, d.trace[x.start:x.end])
			for next := range subsetNeighbors(n, old) {
				if !yield(appendSubset(nil, n, next)) {
					return
				}
			}
		case n.Kind == KindPermutation:
			p := readPermutation(nil, n, d.trace[x.start:x.end])
			for i := range p {
				for j := i + 1; j < len(p); j++ {
					p[i], p[j] = p[j], p[i]
					ok := yield(appendPermutation(nil, p))
					p[i], p[j] = p[j], p[i]
					if !ok {
						return
					}
				}
			}
		case n.N == 0:
			u := n.unitReal(x.real)
			for _, step := range []float64{-0.01, 0.01, -0.1, 0.1} {
				y := n.realFromU(min(max(u+step, 0), 1)) + 0
				if y != x.real && !yield(binary.LittleEndian.AppendUint64(nil, math.Float64bits(y))) {
					return
				}
			}
		case n.Ordered:
			steps := []int{-1, 1}
			if n.N > 10 {
				steps = append(steps, -(n.N / 10), n.N/10)
			}
			for _, k := range steps {
				if i := int(x.index) + k; i >= 0 && i < n.N && !option(i) {
					return
				}
			}
		default:
			for i := range n.N {
				if i != int(x.index) && !option(i) {
					return
				}
			}
		}
	}
}

// Distance returns how far two designs of the space are apart, in [0, 1]: the
// mean over all places where either made a decision. An unordered option that
// differs counts 1, a number its difference as a share of the range, a subset
// its Jaccard distance, a permutation its share of discordant pairs, and a
// decision that only one of them made 1. It is a metric on each kind of place,
// 0 only for equal designs, and symmetric.
func (s *Space) Distance(a, b Design) float64 {
	if a == b {
		return 0
	}
	w := s.walk()
	defer s.free(w)
	v := s.variation()
	defer s.variations.Put(v)
	v.a = w.scan(a, v.a[:0])
	w.reset()
	v.b = w.scan(b, v.b[:0])
	sum, shared := 0.0, 0
	at := 0
	for i := range v.a {
		x := &v.a[i]
		// Sites come in walking order, so the partner is usually next.
		j := -1
		for k := range v.b {
			if y := &v.b[(at+k)%len(v.b)]; y.key == x.key && y.node == x.node {
				j = (at + k) % len(v.b)
				break
			}
		}
		if j < 0 {
			continue
		}
		at = j + 1
		shared++
		sum += v.apart(x, &v.b[j], a, b)
	}
	union := len(v.a) + len(v.b) - shared
	return (sum + float64(union-shared)) / float64(union)
}

func (v *variation) apart(x, y *site, a, b Design) float64 {
	n := x.node
	switch {
	case n.Kind == KindSubset:
		v.order = readSubset(v.order[:0], n, a.trace[x.start:x.end])
		v.order2 = readSubset(v.order2[:0], n, b.trace[y.start:y.end])
		return jaccard(v.order, v.order2)
	case n.Kind == KindPermutation:
		v.order = readPermutation(v.order[:0], n, a.trace[x.start:x.end])
		v.order2 = readPermutation(v.order2[:0], n, b.trace[y.start:y.end])
		return discordance(v.order, v.order2)
	case n.N == 0 || n.Ordered:
		return math.Abs(n.unit(int(x.index), x.real) - n.unit(int(y.index), y.real))
	case x.index != y.index:
		return 1
	}
	return 0
}
