package space

import (
	"encoding/binary"
	"math"

	"github.com/daedalus-search/daedalus/internal/expr"
)

// Role says what a decision decides.
type Role uint8

// The roles of decisions.
const (
	RolePick    Role = iota + 1 // an option of a categorical, bool, choice or grammar rule
	RoleLevel                   // an option of an ordered parameter: int, ordinal, stepped float
	RoleReal                    // a real number
	RoleCount                   // how often a repeat occurs
	RoleSize                    // how many items a subset holds
	RoleInclude                 // whether a subset holds an item
	RolePlace                   // which of the remaining items of a permutation comes next
)

var kindRole = [...]Role{
	KindFloat: RoleLevel, KindInt: RoleLevel, KindOrdinal: RoleLevel, KindCategorical: RolePick, KindBool: RolePick,
	KindChoice: RolePick, KindRepeat: RoleCount, KindRule: RolePick,
}

// A walker is a machine that visits the decisions of a space in order. It is
// the only code that knows how structures unfold; sampling, reading, hashing,
// mutation, encoding and JSON are loops over it.
type walker struct {
	s     *Space
	stack []frame
	buf   []byte // trace written so far
	perms []int32

	// The pending decision.
	n    *node
	role Role
	opts int // options, 0 for a real number
	site uint64
	item int // subset: item asked about; permutation: place to fill

	lazy   bool // constraints speak about it; what is legal was not worked out yet
	sure   bool // the answer to be taken was found to violate no constraint
	masked bool // not all options are legal
	mask   []bool
	first  int // legal options if masked and there is no mask
	last   int
	lo, hi float64 // legal range of a real number

	groups bool        // report groups, grammars and constants too, with role 0
	lax    bool        // ignore constraints
	open   int32       // depth bound of grammars that state none
	onSkip func(*node) // told of every node whose condition is false
	env    environment
	states []expr.State // scratch
	bad    *requirement // the constraint that cannot hold any more
	blame  *requirement // the last one to forbid a count
}

type mode uint8

const (
	modeList mode = iota
	modeSubset
	modePermutation
)

type frame struct {
	nodes []*node
	owner *node
	i     int32
	iter  int32 // copy of a repeat
	left  int32 // copies still to come; subset: items still to include; permutation: start in perms
	depth int32 // of the grammar derivation
	limit int32 // depth bound of the grammar, 0 outside grammars
	mode  mode
	base  uint64 // site of the repeat
	site  uint64 // site of what stands in this frame
}

func newWalker(s *Space) *walker {
	w := &walker{s: s, stack: make([]frame, 0, s.depth+4), buf: make([]byte, 0, 256)}
	w.env.init(s)
	return w
}

// walk takes a walker from the pool, ready to start.
func (s *Space) walk() *walker {
	w := s.walkers.Get().(*walker)
	w.reset()
	return w
}

func (s *Space) free(w *walker) { s.walkers.Put(w) }

func (w *walker) reset() {
	w.buf = w.buf[:0]
	w.perms = w.perms[:0]
	w.groups, w.bad = false, nil
	w.lax, w.open, w.onSkip = false, openDepth, nil
	w.stack = append(w.stack[:0], frame{nodes: w.s.root})
	if !w.s.plain {
		w.env.clear()
	}
}

const golden = 0x9E3779B97F4A7C15

// step moves to the next decision and reports whether there is one.
func (w *walker) step() bool {
	w.masked, w.lazy, w.sure = false, false, false
	for len(w.stack) > 0 {
		f := &w.stack[len(w.stack)-1]
		switch f.mode {
		case modeSubset:
			n := f.owner
			items, i := int32(len(n.Labels)), f.i
			if i == items || f.left == 0 || f.left == items-i {
				w.stack = w.stack[:len(w.stack)-1]
				continue
			}
			f.i++
			w.n, w.role, w.opts, w.item = n, RoleInclude, 2, int(i)
			w.site = f.site + (uint64(i)+2)*golden
			return true
		case modePermutation:
			n := f.owner
			left := len(n.Labels) - int(f.i)
			if left <= 1 {
				w.perms = w.perms[:f.left]
				w.stack = w.stack[:len(w.stack)-1]
				continue
			}
			w.n, w.role, w.opts, w.item = n, RolePlace, left, int(f.i)
			w.site = f.site + (uint64(f.i)+2)*golden
			f.i++
			return true
		}
		if int(f.i) == len(f.nodes) {
			w.leave(f)
			continue
		}
		n := f.nodes[f.i]
		place := f.i
		f.i++
		if n.when != nil && !w.active(n.when) {
			w.skip(n)
			continue
		}
		site := f.site ^ n.seed
		switch n.Kind {
		case KindGroup, KindGrammar:
			w.enter(f, n)
			if w.groups {
				w.n, w.role = n, 0
				return true
			}
			continue
		case KindConst:
			if n.watch != nil {
				w.assign(n.watch, n.watch.values[0], expr.Known)
				w.check(n.watch)
			}
			if w.groups {
				w.n, w.role = n, 0
				return true
			}
			continue
		case KindSubset:
			w.n, w.site = n, site
			if n.min < n.max {
				w.role, w.opts = RoleSize, n.max-n.min+1
				return true
			}
			w.stack = append(w.stack, frame{mode: modeSubset, owner: n, left: int32(n.min), site: site})
			if w.groups {
				w.role = 0
				return true
			}
			continue
		case KindPermutation:
			w.pushPermutation(n, site)
			if w.groups {
				w.n, w.role, w.site = n, 0, site
				return true
			}
			continue
		case KindRule:
			// The same rule may stand twice in a production.
			site = mix(f.site+uint64(place)*golden) ^ n.seed
			w.n, w.role, w.opts, w.site = n, RolePick, n.N, site
			w.maskDepth(f, n)
			return true
		}
		w.n, w.opts, w.site = n, n.N, site
		w.role = kindRole[n.Kind]
		if n.N == 0 {
			w.role = RoleReal
			w.lo, w.hi = n.Lo, n.Hi
		}
		w.lazy = n.ruled && !w.lax
		return true
	}
	return false
}

// leave goes on from the end of a list of nodes: to the next copy of a repeat
// or to what stands after it.
func (w *walker) leave(f *frame) {
	if f.left == 0 {
		w.stack = w.stack[:len(w.stack)-1]
		return
	}
	f.left--
	f.i = 0
	f.iter++
	f.site = mix(f.base + uint64(f.iter+1)*golden)
	if !w.s.plain {
		w.again(f.owner)
	}
}

// enter opens a group or a grammar that stands in frame f.
func (w *walker) enter(f *frame, n *node) {
	in := frame{nodes: n.kids[0], owner: n, depth: f.depth, limit: f.limit, site: f.site}
	if n.Kind == KindGrammar {
		in.depth, in.limit, in.site = 0, int32(n.limit), mix(f.site^n.seed)
		if in.limit == 0 {
			in.limit = w.open
		}
	}
	w.stack = append(w.stack, in)
}

// maskDepth leaves only the productions that can finish within the depth.
func (w *walker) maskDepth(f *frame, n *node) {
	room := int(f.limit) - int(f.depth)
	for _, d := range n.minDepth {
		if d > room {
			w.masked = true
			break
		}
	}
	if !w.masked {
		return
	}
	w.mask = w.mask[:0]
	for _, d := range n.minDepth {
		w.mask = append(w.mask, d <= room)
	}
}

func (w *walker) pushPermutation(n *node, site uint64) {
	start := len(w.perms)
	for i := range n.Labels {
		w.perms = append(w.perms, int32(i))
	}
	w.stack = append(w.stack, frame{mode: modePermutation, owner: n, left: int32(start), site: site})
}

// legal reports whether option i of the pending decision may be taken.
func (w *walker) legal(i int) bool {
	switch {
	case w.lazy:
		return w.mayTake(i)
	case !w.masked:
		return true
	case len(w.mask) == 0:
		return i >= w.first && i <= w.last
	}
	return w.mask[i]
}

// settle works out which answers to the pending decision the constraints leave.
// It is put off because most answers drawn are legal, which is quicker to find
// out for one than for all.
func (w *walker) settle() {
	if w.lazy {
		w.lazy = false
		w.propagate(w.n)
	}
}

// try takes option i of the pending decision if it is legal.
func (w *walker) try(i int) bool {
	if w.lazy || w.masked {
		if !w.legal(i) {
			return false
		}
		w.sure = w.lazy || len(w.mask) > 0
	}
	w.choose(i)
	return true
}

// tryReal takes the legal number nearest to x, if there is one.
func (w *walker) tryReal(x float64) bool {
	if w.lazy {
		if w.sure = w.may(w.n.watch, w.n.value(0, x)); !w.sure {
			w.settle()
		}
	}
	if w.masked {
		return false
	}
	w.chooseReal(min(max(x, w.lo), w.hi))
	return true
}

// choose takes option i of the pending decision and writes it to the trace.
func (w *walker) choose(i int) {
	w.buf = binary.AppendUvarint(w.buf, uint64(i))
	w.take(i)
}

// chooseReal takes a real number for the pending decision.
func (w *walker) chooseReal(x float64) {
	w.buf = binary.LittleEndian.AppendUint64(w.buf, math.Float64bits(x))
	w.takeReal(x)
}

// take advances by option i without writing it.
func (w *walker) take(i int) {
	n := w.n
	switch w.role {
	case RoleInclude:
		if i == 1 {
			w.stack[len(w.stack)-1].left--
		}
		return
	case RolePlace:
		f := &w.stack[len(w.stack)-1]
		// Move the item taken to its place; the rest keeps its order.
		rest := w.perms[int(f.left)+w.item:]
		it := rest[i]
		copy(rest[1:i+1], rest[:i])
		rest[0] = it
		return
	case RoleSize:
		w.stack = append(w.stack, frame{mode: modeSubset, owner: n, left: int32(n.min + i), site: w.site})
		return
	}
	if n.watch != nil && !n.watch.presence {
		w.assign(n.watch, n.value(i, 0), expr.Known)
		if !w.sure {
			w.check(n.watch)
		}
	}
	switch n.Kind {
	case KindChoice:
		if !w.s.plain {
			w.skipCases(n, i)
		}
		if kids := n.kids[i]; len(kids) > 0 {
			f := &w.stack[len(w.stack)-1]
			w.stack = append(w.stack, frame{nodes: kids, owner: n, site: f.site, depth: f.depth, limit: f.limit})
		}
	case KindRepeat:
		count := int32(n.Lo) + int32(i)
		if !w.s.plain {
			w.counted(n, int(count))
		}
		if count == 0 {
			return
		}
		w.stack = append(w.stack, frame{nodes: n.kids[0], owner: n, left: count - 1, base: w.site, site: mix(w.site + golden)})
		if !w.s.plain {
			w.again(n)
		}
	case KindRule:
		if kids := n.kids[i]; len(kids) > 0 {
			f := &w.stack[len(w.stack)-1]
			w.stack = append(w.stack, frame{nodes: kids, owner: n, site: mix(w.site), depth: f.depth + 1, limit: f.limit})
		}
	}
}

func (w *walker) takeReal(x float64) {
	if n := w.n; n.watch != nil {
		w.assign(n.watch, n.value(0, x), expr.Known)
		if !w.sure {
			w.check(n.watch)
		}
	}
}

// run returns the frame in which the walk stands if simple nodes come next
// there. The loops over whole designs handle runs of them at once and advance
// the frame themselves; it is the same walk, only quicker.
func (w *walker) run() *frame {
	if k := len(w.stack) - 1; k >= 0 {
		if f := &w.stack[k]; f.mode == modeList && int(f.i) < len(f.nodes) && f.nodes[f.i].simple {
			return f
		}
	}
	return nil
}

// inactive reports whether the condition of a simple node is false.
func (w *walker) inactive(n *node) bool {
	if n.when == nil || w.active(n.when) {
		return false
	}
	w.skip(n)
	return true
}

// follow takes the pending decision from a trace without writing it.
func (w *walker) follow(t *trace) (i int, x float64) {
	if w.opts == 0 {
		x = t.real()
		w.takeReal(x)
		return 0, x
	}
	i = t.index()
	w.take(i)
	return i, 0
}

// end reports whether every constraint holds for the finished walk: each was
// evaluated when the last name it mentions was decided.
func (w *walker) end() bool { return w.bad == nil }

// cause returns the constraint that ended the walk.
func (w *walker) cause() *requirement {
	if w.bad == nil && w.n != nil && w.n.Kind == KindRepeat {
		return w.blame
	}
	if w.bad == nil && w.n != nil && w.n.watch != nil && len(w.n.watch.requires) > 0 {
		return w.n.watch.requires[0] // it left no legal answer
	}
	return w.bad
}

// design returns what was written.
func (w *walker) design() Design { return Design{space: w.s, trace: string(w.buf)} }

// A trace is the byte form of a design's decisions, in walking order: an
// option as an unsigned varint, a real number as eight bytes.
type trace struct {
	s  string
	at int
}

func (t *trace) index() int {
	if c := t.s[t.at]; c < 0x80 {
		t.at++
		return int(c)
	}
	var x uint64
	for shift := 0; ; shift += 7 {
		c := t.s[t.at]
		t.at++
		x |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return int(x)
		}
	}
}

func (t *trace) real() float64 {
	s := t.s[t.at : t.at+8]
	t.at += 8
	return math.Float64frombits(uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56)
}
