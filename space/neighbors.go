package space

import (
	"encoding/binary"
	"iter"
	"math"
	"slices"
)

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
