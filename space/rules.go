package space

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/daedalus-search/daedalus/internal/expr"
)

// This file compiles conditions ("when") and constraints ("require") and keeps
// the values they speak about while a walk goes on.
//
// Every node that an expression mentions is watched. A watched node has one
// slot for each way expressions see it: one for those that stand inside the
// same copies of all its repeats, and one for each copy where an expression
// stands further out and aggregates over the copies or names one by index.
// A slot is Open until the walk decides it, then Known or Inactive.

// rules are the compiled expressions of a space.
type rules struct {
	slots    int
	watches  []*watch // by slot
	opened   []bool   // by slot: the instance may never come to be
	requires []*requirement
}

// A requirement is a compiled constraint.
type requirement struct {
	src    string
	prog   *expr.Program
	guards []guard
	slots  []int   // of the program and its guards
	reps   []*node // repeats around it, outermost first
}

// A guard says where a constraint stands: in a case, below a condition, or in a
// repeat that may be empty. The constraint holds wherever its place is inactive.
type guard struct {
	node   *node // the choice, the repeat, or the node with the condition
	option int   // the case, or one of the two below
	slot   int   // of the choice, or of the first copy of the repeat
}

const (
	guardWhen   = -1
	guardRepeat = -2
)

// truth tells whether the place is active.
func (g *guard) truth(e *environment) expr.Truth {
	switch {
	case g.option == guardWhen:
		return g.node.when.prog.Truth(e)
	case e.state[g.slot] == expr.Open:
		return expr.Unknown
	case e.state[g.slot] == expr.Known && g.option == guardRepeat:
		return expr.True
	case e.state[g.slot] == expr.Known && e.vals[g.slot] == g.node.watch.values[g.option]:
		return expr.True
	}
	return expr.False
}

// stands reports whether the place of the constraint is certain to be active.
func (q *requirement) stands(e *environment) bool {
	for i := range q.guards {
		if q.guards[i].truth(e) != expr.True {
			return false
		}
	}
	return true
}

// fails reports whether the constraint is certain not to hold.
func (q *requirement) fails(e *environment) bool {
	if !q.stands(e) {
		return false
	}
	for _, s := range q.prog.Slots() {
		if e.state[s] == expr.Open {
			return q.prog.Bounds(e).Truth() == expr.False
		}
	}
	return q.prog.Truth(e) == expr.False
}

// text returns the constraint as it was written, "" for nil.
func (q *requirement) text() string {
	if q == nil {
		return ""
	}
	return strings.TrimSpace(q.src)
}

// A condition decides whether a node is active.
type condition struct {
	src  string
	prog *expr.Program
}

// A watch is a node that expressions mention, or the copies of a repeat.
type watch struct {
	node     *node
	presence bool    // the copies themselves, for len
	reps     []*node // repeats around it, outermost first
	groups   []slotGroup
	requires []*requirement // constraints that mention it
	asked    bool           // a condition mentions it
	values   []expr.Value   // of each option, for labels
	optional bool           // it may turn out inactive
}

// A slotGroup holds one slot for each copy of the repeats from index out on;
// those further out are shared with the expression.
type slotGroup struct {
	out, base, size int
}

// maxSlots bounds the copies that expressions may look at one by one.
const maxSlots = 1 << 14

type pending struct {
	owner  *node // the node with the condition, nil for a constraint
	src    string
	path   string
	field  string
	scopes []string
	reps   []*node
	guards []guard
}

func (c *compiler) pendWhen(n *node, d *decl) {
	c.pend = append(c.pend, c.pendingAt(pending{owner: n, src: d.when, path: n.Path, field: "when"}))
}

func (c *compiler) pendRequire(d *decl, path string, index int) {
	c.pend = append(c.pend, c.pendingAt(pending{src: d.constraint, path: path, field: fmt.Sprintf("require[%d]", index)}))
}

func (c *compiler) pendingAt(p pending) pending {
	p.scopes = append(p.scopes, c.scopes...)
	p.reps = append(p.reps, c.reps...)
	p.guards = append(p.guards, c.guards...)
	return p
}

// compileRules compiles every condition and constraint, now that all names are
// known.
func (c *compiler) compileRules() {
	if len(c.pend) == 0 {
		return
	}
	known := make([]string, 0, len(c.byPath))
	for _, n := range c.ordered {
		if n.Path != "" && n.Kind != KindGroup {
			known = append(known, n.Path)
		}
	}
	for i := range c.pend {
		c.compileRule(&c.pend[i], known)
	}
	if len(c.errs) > 0 {
		return
	}
	for _, n := range c.ordered {
		c.collectBelow(n)
	}
}

func (c *compiler) compileRule(p *pending, known []string) {
	fail := func(offset int, found, want string) {
		c.errs = append(c.errs, &SpecError{Path: p.path, Field: p.field, Found: found, Want: want, Offset: offset})
	}
	e, err := expr.Parse(p.src)
	if err != nil {
		var syntax *expr.SyntaxError
		if errors.As(err, &syntax) {
			fail(syntax.Offset, fmt.Sprintf("%s in %q", syntax.Found, p.src), syntax.Want)
			return
		}
		fail(0, err.Error(), "")
		return
	}
	resolve := func(name string) (expr.Type, bool) {
		n, repeated, _, ok := c.find(p, name)
		if !ok {
			return expr.Type{}, false
		}
		t := n.exprType()
		t.Repeated = repeated
		return t, true
	}
	report := func(err error) {
		var meaning *expr.MeaningError
		if !errors.As(err, &meaning) {
			fail(0, err.Error(), "")
			return
		}
		for _, m := range meaning.Mistakes {
			fail(m.Offset, fmt.Sprintf("%s in %q", m.Text, p.src), "")
		}
	}
	if err := e.Check(resolve, known, expr.Bool); err != nil {
		report(err)
		return
	}
	var seen []*watch
	late := ""
	prog, err := e.Bind(func(name string) (expr.Ref, bool) {
		n, repeated, explicit, ok := c.find(p, name)
		if !ok {
			return expr.Ref{}, false
		}
		if p.owner != nil && n.order >= p.owner.order || c.passed(p, n, explicit) {
			late = name
		}
		w, ref := c.watch(p, n, repeated, explicit)
		if p.owner != nil {
			w.asked = true
		}
		seen = append(seen, w)
		return ref, true
	})
	switch {
	case err != nil:
		report(err)
		return
	case late != "":
		want := "parameters that are declared before this one"
		if p.owner == nil {
			want = "parameters of the same copy, of copy 0, or declared before the repeat"
		}
		fail(strings.Index(p.src, late), fmt.Sprintf("%s in %q", late, p.src), want)
		return
	case c.s.rules.slots > maxSlots:
		fail(0, fmt.Sprintf("%q looks at %d copies", p.src, c.s.rules.slots), fmt.Sprintf("at most %d", maxSlots))
		return
	}
	if p.owner != nil {
		p.owner.when = &condition{src: p.src, prog: prog}
		return
	}
	q := &requirement{src: p.src, prog: prog, reps: p.reps, slots: slices.Clone(prog.Slots())}
	if len(prog.Slots()) == 0 {
		if prog.Truth(expr.Slots(nil)) == expr.False {
			fail(0, fmt.Sprintf("%q, which can never hold", p.src), "a constraint that mentions a parameter")
		}
		return
	}
	for _, g := range p.guards {
		if g.option == guardRepeat && g.node.Hi == 0 {
			return // it stands in no copy
		}
	}
	for _, g := range p.guards {
		if g.option == guardWhen {
			for _, slot := range g.node.when.prog.Slots() {
				seen = append(seen, c.s.rules.watches[slot])
			}
			q.slots = append(q.slots, g.node.when.prog.Slots()...)
		} else {
			var explicit map[*node]int
			if g.option == guardRepeat {
				explicit = map[*node]int{g.node: 0}
			}
			w, ref := c.watch(p, g.node, false, explicit)
			g.slot = ref.Slot
			seen = append(seen, w)
			q.slots = append(q.slots, g.slot)
		}
		q.guards = append(q.guards, g)
	}
	slices.Sort(q.slots)
	q.slots = slices.Compact(q.slots)
	c.s.rules.requires = append(c.s.rules.requires, q)
	for _, w := range seen {
		if len(w.requires) == 0 || w.requires[len(w.requires)-1] != q {
			w.requires = append(w.requires, q)
		}
	}
}

// passed reports whether the copies of a repeat in which a constraint stands
// are gone by the time the node is decided.
func (c *compiler) passed(p *pending, n *node, explicit map[*node]int) bool {
	for i, rep := range p.reps {
		if i < len(n.reps) && n.reps[i] == rep {
			k, named := explicit[rep]
			if !named {
				continue
			}
			return k > 0 || i+1 < len(p.reps)
		}
		return n.order > rep.order
	}
	return false
}

// exprType says what expressions may do with the node.
func (n *node) exprType() expr.Type {
	switch n.Kind {
	case KindFloat, KindInt:
		return expr.Type{Kind: expr.Number}
	case KindBool:
		return expr.Type{Kind: expr.Bool}
	case KindRepeat:
		return expr.Type{}
	}
	var t expr.Type
	for i, l := range n.Labels {
		k := exprValue(l).Kind
		if i > 0 && k != t.Kind {
			return expr.Type{}
		}
		t.Kind = k
		if s, ok := l.(string); ok {
			t.Options = append(t.Options, s)
		}
	}
	if t.Kind != expr.String {
		t.Options = nil
	}
	return t
}

func exprValue(v any) expr.Value {
	switch v := v.(type) {
	case string:
		return expr.Str(v)
	case bool:
		return expr.Boolean(v)
	case float64:
		return expr.Num(v)
	}
	return expr.Value{}
}

// find resolves a name from the innermost scope outwards. It returns the node,
// whether the name stands for one value a copy, and the copies it names by
// index.
func (c *compiler) find(p *pending, name string) (n *node, repeated bool, explicit map[*node]int, ok bool) {
	for i := len(p.scopes) - 1; i >= 0; i-- {
		if n, explicit, ok = c.findAt(p.scopes[i], name); !ok {
			continue
		}
		reps := n.reps
		if n.Kind == KindRepeat && !n.bare {
			reps = append(reps[:len(reps):len(reps)], n)
		}
		for j, r := range reps {
			if _, named := explicit[r]; !named && (j >= len(p.reps) || p.reps[j] != r) {
				repeated = true
			}
		}
		return n, repeated, explicit, true
	}
	return nil, false, nil, false
}

func (c *compiler) findAt(scope, name string) (*node, map[*node]int, bool) {
	var explicit map[*node]int
	path := scope
	var n *node
	for _, part := range strings.Split(name, ".") {
		base, index, indexed := strings.Cut(part, "[")
		path = join(path, base)
		n = c.byPath[path]
		if !indexed {
			continue
		}
		rep := n
		if n != nil && n.Kind != KindRepeat && len(n.reps) > 0 && n.reps[len(n.reps)-1].bare {
			rep = n.reps[len(n.reps)-1]
		}
		k, err := strconv.Atoi(strings.TrimSuffix(index, "]"))
		if rep == nil || rep.Kind != KindRepeat || err != nil || k >= int(rep.Hi) {
			return nil, nil, false
		}
		if explicit == nil {
			explicit = map[*node]int{}
		}
		explicit[rep] = k
	}
	if n == nil || n.Kind == KindGroup || n.Kind == KindGrammar || n.Kind == KindSubset || n.Kind == KindPermutation || n.inGrammar {
		return nil, nil, false
	}
	return n, explicit, true
}

// watch gives a node the slots that an expression needs and returns where they
// are. Constants need a slot too, which never changes.
func (c *compiler) watch(p *pending, n *node, repeated bool, explicit map[*node]int) (*watch, expr.Ref) {
	r := &c.s.rules
	w := n.watch
	if w == nil {
		w = &watch{node: n, reps: n.reps, optional: n.optional}
		if n.Kind == KindRepeat && !n.bare {
			w.presence = true
			w.reps = append(n.reps[:len(n.reps):len(n.reps)], n)
		}
		for _, l := range n.Labels {
			w.values = append(w.values, exprValue(l))
		}
		n.watch = w
	}
	// out is how many repeats the expression shares with the node.
	out := 0
	for out < len(w.reps) && out < len(p.reps) && w.reps[out] == p.reps[out] {
		if _, named := explicit[w.reps[out]]; named {
			break
		}
		out++
	}
	g := -1
	for i := range w.groups {
		if w.groups[i].out == out {
			g = i
		}
	}
	if g < 0 {
		size := 1
		for _, rep := range w.reps[out:] {
			size = min(size*int(rep.Hi), maxSlots+1)
		}
		g = len(w.groups)
		w.groups = append(w.groups, slotGroup{out: out, base: r.slots, size: size})
		r.slots += size
		for i := range size {
			r.watches = append(r.watches, w)
			maybe := w.optional
			rest := size
			at := i
			for _, rep := range w.reps[out:] {
				rest /= max(int(rep.Hi), 1)
				maybe = maybe || at/max(rest, 1) >= int(rep.Lo)
				at %= max(rest, 1)
			}
			r.opened = append(r.opened, maybe)
		}
	}
	group := w.groups[g]
	if group.out == len(w.reps) {
		return w, expr.Ref{Slot: group.base}
	}
	// Choose the copies that are named by index, or all.
	slots := []int{group.base}
	stride := group.size
	for _, rep := range w.reps[out:] {
		stride /= max(int(rep.Hi), 1)
		var next []int
		for _, s := range slots {
			if k, named := explicit[rep]; named {
				next = append(next, s+k*stride)
				continue
			}
			for k := range int(rep.Hi) {
				next = append(next, s+k*stride)
			}
		}
		slots = next
	}
	if !repeated {
		return w, expr.Ref{Slot: slots[0]}
	}
	if slots == nil {
		slots = []int{}
	}
	return w, expr.Ref{Each: slots}
}

// collectBelow lists the watches inside a node, whose slots change together.
func (c *compiler) collectBelow(n *node) {
	n.belowKid = make([][]*watch, len(n.kids))
	for i, list := range n.kids {
		for _, k := range list {
			if k.Kind == KindRule {
				continue
			}
			if k.watch != nil {
				n.belowKid[i] = append(n.belowKid[i], k.watch)
			}
			if k.belowKid == nil {
				c.collectBelow(k)
			}
			for _, b := range k.belowKid {
				n.belowKid[i] = append(n.belowKid[i], b...)
			}
		}
	}
}

// environment holds the values of slots during a walk. It implements
// [expr.Box].
type environment struct {
	rules *rules
	vals  []expr.Value
	state []expr.State
}

func (e *environment) init(s *Space) {
	e.rules = &s.rules
	e.vals = make([]expr.Value, s.rules.slots)
	e.state = make([]expr.State, s.rules.slots)
}

// Value implements [expr.Env].
func (e *environment) Value(slot int) (expr.Value, expr.State) { return e.vals[slot], e.state[slot] }

// Domain implements [expr.Box].
func (e *environment) Domain(slot int) expr.Domain {
	w := e.rules.watches[slot]
	d := expr.Domain{Optional: e.rules.opened[slot]}
	switch {
	case w.presence:
		d.Values = presence
	case w.values != nil:
		d.Values = w.values
	default:
		d.Lo, d.Hi = w.node.Lo, w.node.Hi
	}
	return d
}

// presence is the value of a copy that exists.
var presence = []expr.Value{expr.Num(1)}

func (e *environment) clear() {
	for i := range e.state {
		e.state[i] = expr.Open
	}
}

// span returns the slots of group g of a watch that belong to the copies the
// walk is in, where depth repeats around the watch have been entered.
func (w *walker) span(x *watch, g slotGroup, depth int) (from, to int) {
	size := g.size
	at := 0
	for i := g.out; i < depth; i++ {
		size /= max(int(x.reps[i].Hi), 1)
		at += size * w.copyOf(x.reps[i])
	}
	return g.base + at, g.base + at + size
}

// copyOf returns which copy of a repeat the walk is in.
func (w *walker) copyOf(rep *node) int {
	for i := len(w.stack) - 1; i >= 0; i-- {
		if f := &w.stack[i]; f.owner == rep && f.mode == modeList {
			return int(f.iter)
		}
	}
	return 0
}

// entered returns how many of the repeats around the watch the walk is in.
func (w *walker) entered(x *watch) int {
	for i, rep := range x.reps {
		in := false
		for k := range w.stack {
			in = in || w.stack[k].owner == rep && w.stack[k].mode == modeList
		}
		if !in {
			return i
		}
	}
	return len(x.reps)
}

// assign gives a watched node its value in the current copies.
func (w *walker) assign(x *watch, v expr.Value, st expr.State) {
	for _, g := range x.groups {
		slot := g.base
		if g.out < len(x.reps) {
			slot, _ = w.span(x, g, len(x.reps))
		}
		w.env.vals[slot], w.env.state[slot] = v, st
	}
}

// value returns what expressions see of option i of a node, or of a real x.
func (n *node) value(i int, x float64) expr.Value {
	switch {
	case n.watch.values != nil:
		return n.watch.values[i]
	case n.N == 0:
		return expr.Num(x)
	}
	return expr.Num(n.Number(i))
}

// absent marks watches as inactive where they stand below the current copies.
func (w *walker) absent(xs []*watch) {
	for _, x := range xs {
		depth := w.entered(x)
		for _, g := range x.groups {
			from, to := w.span(x, g, depth)
			for s := from; s < to; s++ {
				w.env.state[s] = expr.Inactive
			}
		}
	}
	for _, x := range xs {
		w.check(x)
	}
}

// skip marks a node whose condition is false, and everything in it.
func (w *walker) skip(n *node) {
	if w.onSkip != nil {
		w.onSkip(n)
	}
	if n.watch != nil {
		w.absent([]*watch{n.watch})
	}
	for _, b := range n.belowKid {
		w.absent(b)
	}
}

// skipCases marks what stands in the cases that were not chosen.
func (w *walker) skipCases(n *node, chosen int) {
	for i, b := range n.belowKid {
		if i != chosen && len(b) > 0 {
			w.absent(b)
		}
	}
}

// counted marks the copies of a repeat that do not exist, and for len those
// that do.
func (w *walker) counted(n *node, count int) {
	var touched []*watch
	if n.watch != nil && n.watch.presence {
		touched = append(touched, n.watch)
	}
	for _, b := range n.belowKid {
		touched = append(touched, b...)
	}
	for _, x := range touched {
		at := 0
		for at < len(x.reps) && x.reps[at] != n {
			at++
		}
		for _, g := range x.groups {
			if g.out > at {
				if count == 0 {
					from, to := w.span(x, g, g.out)
					for s := from; s < to; s++ {
						w.env.state[s] = expr.Inactive
					}
				}
				continue
			}
			from, to := w.span(x, g, at)
			each := (to - from) / max(int(n.Hi), 1)
			for s := from + count*each; s < to; s++ {
				w.env.state[s] = expr.Inactive
			}
			if x.presence && x.node == n {
				for s := from; s < from+count; s++ {
					w.env.vals[s], w.env.state[s] = presence[0], expr.Known
				}
			}
		}
	}
	for _, x := range touched {
		w.check(x)
	}
}

// again reopens what stands inside the next copy of a repeat.
func (w *walker) again(n *node) {
	for _, b := range n.belowKid {
		for _, x := range b {
			at := 0
			for at < len(x.reps) && x.reps[at] != n {
				at++
			}
			for _, g := range x.groups {
				if g.out > at {
					for s := g.base; s < g.base+g.size; s++ {
						w.env.state[s] = expr.Open
					}
				}
			}
		}
	}
}

// active evaluates a condition; an undefined one is false.
func (w *walker) active(c *condition) bool { return c.prog.Truth(&w.env) == expr.True }

// check notes a constraint that can no longer hold.
func (w *walker) check(x *watch) {
	if w.bad != nil || w.lax {
		return
	}
	for _, q := range x.requires {
		if q.fails(&w.env) {
			w.bad = q
			return
		}
	}
}

// maxTried bounds the options that propagation tries one by one; wider ranges
// are narrowed by interval arithmetic.
const maxTried = 256

// propagate removes the options of the pending decision with which some
// constraint could not hold any more.
func (w *walker) propagate(n *node) {
	if n.N == 0 || n.N > maxTried {
		w.narrow(n)
		return
	}
	if cap(w.mask) < n.N {
		w.mask = make([]bool, n.N)
	}
	w.mask = w.mask[:n.N]
	for i := range n.N {
		w.mask[i] = w.mayTake(i)
		w.masked = w.masked || !w.mask[i]
	}
}

// mayTake reports whether every constraint may still hold if the pending
// decision takes option i.
func (w *walker) mayTake(i int) bool {
	if w.n.Kind != KindRepeat {
		return w.may(w.n.watch, w.n.value(i, 0))
	}
	w.states = append(w.states[:0], w.env.state...)
	w.counted(w.n, int(w.n.Lo)+i)
	copy(w.env.state, w.states)
	ok := w.bad == nil
	if !ok {
		w.blame, w.bad = w.bad, nil
	}
	return ok
}

// ruled reports whether constraints restrict the decision of the node.
func (c *compiler) ruled(n *node) bool {
	if n.Kind != KindRepeat {
		return n.watch != nil && len(n.watch.requires) > 0
	}
	if n.N > maxTried {
		return false
	}
	about := func(x *watch) bool { return len(x.requires) > 0 }
	return n.watch != nil && about(n.watch) || slices.ContainsFunc(n.belowKid[0], about)
}

// may reports whether every constraint may still hold if the watched node of
// the pending decision takes value v.
func (w *walker) may(x *watch, v expr.Value) bool {
	w.assign(x, v, expr.Known)
	ok := true
	for _, q := range x.requires {
		if q.fails(&w.env) {
			ok = false
			break
		}
	}
	w.assign(x, v, expr.Open)
	return ok
}

// narrow bounds the pending number by what the constraints leave of its range.
func (w *walker) narrow(n *node) {
	x := n.watch
	lo, hi := n.Lo, n.Hi
	for _, g := range x.groups {
		slot, _ := w.span(x, g, len(x.reps))
		for _, q := range x.requires {
			if q.stands(&w.env) {
				lo, hi = q.prog.Narrow(&w.env, slot, lo, hi)
			}
		}
	}
	if n.N == 0 {
		w.lo, w.hi = lo, hi
		w.masked = lo > hi
		return
	}
	w.first = clampInt(int(ceilDiv(lo-n.Lo, n.Step)), 0, n.N)
	w.last = clampInt(int((hi-n.Lo)/n.Step+1e-9), -1, n.N-1)
	// The interval is wider than what is legal by rounding.
	for range 2 {
		if w.first <= w.last && !w.may(x, n.value(w.first, 0)) {
			w.first++
		}
		if w.first <= w.last && !w.may(x, n.value(w.last, 0)) {
			w.last--
		}
	}
	if w.first > 0 || w.last < n.N-1 {
		w.masked = true
		w.mask = w.mask[:0]
	}
}

func ceilDiv(a, b float64) float64 {
	q := a / b
	t := float64(int64(q))
	if q-t > 1e-9 {
		t++
	}
	return t
}

// requireText returns the constraints that mention the node, for messages.
func (n *node) requireText() string {
	if n.watch == nil {
		return ""
	}
	var all []string
	for _, q := range n.watch.requires {
		all = append(all, q.text())
	}
	return strings.Join(all, " and ")
}
