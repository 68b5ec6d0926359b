package space

import (
	"slices"

	"github.com/daedalus-search/daedalus/internal/expr"
)

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
