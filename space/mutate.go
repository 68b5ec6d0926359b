package space

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"

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

// polynomial is bounded polynomial mutation on [0, 1].
func polynomial(x, u, eta float64) float64 {
	p := powerOf(eta + 1)
	return p.move(x, u)
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
