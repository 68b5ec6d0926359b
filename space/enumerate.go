package space

import (
	"fmt"
	"iter"
)

// Enumerable returns nil if [Space.All] can list the designs, else an error
// that names a real number with room to move.
func (s *Space) Enumerable() error {
	for _, p := range s.params {
		if p.N == 0 && p.Kind == KindFloat && p.Hi > p.Lo {
			return fmt.Errorf("space: cannot enumerate: %s is a real number in [%v, %v]; give it a step", p.Path, p.Lo, p.Hi)
		}
	}
	return nil
}

// All yields every design once, in a fixed order: decisions in walking order,
// the last varying fastest. Options that constraints already forbid are not
// walked. A space with a grammar that can recurse without a depth is listed by
// the depth of its derivations, which does not end in practice; stop early.
//
// All yields nothing if [Space.Enumerable] returns an error. A design costs
// time proportional to its length, apart from dead ends that constraints leave
// and, with an open grammar, the shallower designs walked again at each depth.
func (s *Space) All() iter.Seq[Design] {
	return func(yield func(Design) bool) {
		if s.Enumerable() != nil {
			return
		}
		e := enumeration{w: newWalker(s)}
		if s.census().shape.open == nil {
			e.run(openDepth, yield)
			return
		}
		e.deep = map[*node]bool{}
		for n := range s.census().shape.inside {
			if n.Kind == KindGrammar && n.limit == 0 {
				e.rules(n.kids[0][0])
			}
		}
		for depth := int32(1); depth <= openDepth; depth++ {
			if !e.run(depth, yield) {
				return
			}
		}
	}
}

// An enumeration counts through the decisions of a space as an odometer does.
type enumeration struct {
	w    *walker
	at   []int // option taken at each decision
	next []int // the next legal option there, -1 if there is none
	deep map[*node]bool
	most int32 // deepest rule of an open grammar on this walk
}

// rules marks the rules of an open grammar.
func (e *enumeration) rules(x *node) {
	if e.deep[x] {
		return
	}
	e.deep[x] = true
	for j := range x.kids {
		for _, k := range x.kids[j][x.with[j]:] {
			e.rules(k)
		}
	}
}

// run yields the designs in which open grammars have exactly this depth and
// reports whether to go on.
func (e *enumeration) run(depth int32, yield func(Design) bool) bool {
	e.at, e.next = e.at[:0], e.next[:0]
	for {
		if e.walk(depth) && (e.deep == nil || e.most == depth) && !yield(e.w.design()) {
			return false
		}
		k := len(e.next) - 1
		for k >= 0 && e.next[k] < 0 {
			k--
		}
		if k < 0 {
			return true
		}
		e.at, e.next = e.at[:k+1], e.next[:k+1]
		e.at[k] = e.next[k]
	}
}

// walk repeats the decisions in e.at, takes the first legal option at all that
// follow, and reports whether that is a design.
func (e *enumeration) walk(depth int32) bool {
	w := e.w
	w.reset()
	w.open, e.most = depth, 0
	for k := 0; w.step(); k++ {
		if e.deep != nil && w.n.Kind == KindRule && e.deep[w.n] {
			e.most = max(e.most, w.stack[len(w.stack)-1].depth+1)
		}
		if w.n.N > maxTried {
			w.settle()
		}
		old := len(e.at)
		if k >= old {
			i := w.nextLegal(0)
			if i < 0 {
				return false
			}
			e.at, e.next = append(e.at, i), append(e.next, -1)
		}
		if k >= old-1 {
			e.next[k] = w.nextLegal(e.at[k] + 1)
		}
		w.sure = w.lazy || k < old-1
		if w.opts == 0 {
			w.chooseReal(w.n.Lo)
		} else {
			w.choose(e.at[k])
		}
		if w.bad != nil {
			return false
		}
	}
	return w.end()
}

// nextLegal returns the first legal option from i on, or -1. A real number that
// cannot move counts as one option.
func (w *walker) nextLegal(i int) int {
	if w.opts == 0 {
		if i > 0 || w.lazy && !w.may(w.n.watch, w.n.value(0, w.n.Lo)) {
			return -1
		}
		return 0
	}
	for ; i < w.opts; i++ {
		if w.legal(i) {
			return i
		}
	}
	return -1
}
