package space

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
)

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

// sbx is one child of bounded simulated binary crossover on [0, 1].
func sbx(a, b, u, eta float64, upper bool) float64 {
	p := powerOf(eta + 1)
	return p.blend(a, b, u, upper)
}
