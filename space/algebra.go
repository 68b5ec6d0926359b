package space

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/daedalus-search/daedalus/internal/detmath"
	"github.com/daedalus-search/daedalus/internal/expr"
	"github.com/daedalus-search/daedalus/internal/source"
)

// This file makes spaces from spaces. The results are ordinary spaces; their
// designs have the same JSON as those of the space they came from, so that
// [Space.Adopt] carries designs between them wherever both have them.
//
// A path is that of [Param]: names joined with dots, with the name of the case
// below a choice. The unnamed element of a repeat is its path followed by [].

// A Part is a named space for [Join].
type Part struct {
	Name  string
	Space *Space
}

// Join puts spaces side by side, each as a group under its name. Conditions
// and constraints go along and speak about the parameters of their own part.
func Join(parts ...Part) (*Space, error) {
	nodes := make([]Node, 0, len(parts))
	for _, p := range parts {
		if p.Space == nil {
			return nil, &SpecError{Path: p.Name, Found: "no space", Want: "a space for each part to join"}
		}
		nodes = append(nodes, Group(p.Name, p.Space.Nodes()...))
	}
	return New(nodes...)
}

// Fix gives a parameter one value. A number, ordinal, categorical or bool
// becomes a constant, a choice keeps only that case, a repeat (whose value is
// a whole number) only that count, a subset (a slice) only those items. If a
// condition or constraint speaks of an option that this would remove, the
// options stay declared and a constraint is added instead, with the same
// designs as the result.
func (s *Space) Fix(path string, value any) (*Space, error) {
	return s.edit(path, func(n Node) (change, error) {
		switch n.kind {
		case KindFloat, KindInt, KindOrdinal, KindCategorical, KindBool:
			v, err := n.allows(path, literal(value))
			if err != nil {
				return nil, err
			}
			fixed := Node{decl{kind: KindConst, name: n.name, doc: n.doc, unit: n.unit, when: n.when, values: []any{v}}}
			return n.become(fixed, equals(n.name, v)), nil
		case KindRepeat:
			v, ok := literal(value).(float64)
			if !ok || v != math.Trunc(v) || v < float64(n.min) || v > float64(n.max) {
				return nil, &SpecError{Path: path, Found: show(value), Want: fmt.Sprintf("a whole number in [%d, %d], the copies", n.min, n.max)}
			}
			n.min, n.max = int(v), int(v)
			return change{{n}}, nil
		case KindSubset:
			items, err := itemsOf(path, value)
			if err != nil {
				return nil, err
			}
			if len(items) < n.min || len(items) > n.max {
				return nil, &SpecError{Path: path, Found: fmt.Sprintf("%d items", len(items)), Want: fmt.Sprintf("%d to %d", n.min, n.max)}
			}
			if len(items) == 0 { // a subset needs an item to choose from
				return change{{n.Size(0, 0)}}, nil
			}
			c, err := n.keep(path, items)
			if err != nil {
				return nil, err
			}
			return change{{c[0][0].Size(len(items), len(items))}}, nil
		case KindChoice:
			return n.keep(path, []any{literal(value)})
		}
		return nil, cannot(path, &n, "fixed")
	})
}

// Restrict leaves only some values of a parameter: of a number those listed,
// which make it ordinal; of an ordinal, categorical, bool or choice those
// options; of a subset those items. See [Space.Fix] on what conditions and
// constraints speak of.
func (s *Space) Restrict(path string, values ...any) (*Space, error) {
	keep := make([]any, len(values))
	for i, v := range values {
		keep[i] = literal(v)
	}
	return s.edit(path, func(n Node) (change, error) { return n.keep(path, keep) })
}

// RestrictRange leaves only the values of a parameter in [lo, hi]: of a number
// or of an ordinal of numbers its values, of a repeat its counts, of a subset
// its sizes.
func (s *Space) RestrictRange(path string, lo, hi float64) (*Space, error) {
	return s.edit(path, func(n Node) (change, error) { return n.between(path, lo, hi) })
}

// A Slice is one of the spaces that [Space.Split] makes.
type Slice struct {
	Value any // value, case or count that the parameter has in it
	Space *Space
}

// maxSlices bounds the spaces that Split makes.
const maxSlices = 1 << 12

// Split returns one space for each value of a parameter, in order. Every design
// in which the parameter is active belongs to exactly one of them; one in
// which it is inactive belongs to all. Inside a repeat or a grammar a
// parameter occurs several times, so it cannot be split on.
func (s *Space) Split(path string) ([]Slice, error) {
	at, err := s.locate(path)
	if err != nil {
		return nil, err
	}
	n := at.node
	if at.repeated {
		return nil, &SpecError{Path: path, Found: "a parameter that a design holds several times", Want: "one outside repeats and grammars"}
	}
	var values []any
	switch n.kind {
	case KindRepeat:
		for c := n.min; c <= n.max && len(values) <= maxSlices; c++ {
			values = append(values, float64(c))
		}
	case KindInt, KindFloat, KindOrdinal, KindCategorical, KindBool, KindChoice:
		p, err := n.param()
		if err != nil {
			return nil, err
		}
		if p.N == 0 {
			return nil, &SpecError{Path: path, Found: "a real number", Want: "a parameter with options; see RestrictRange to cut a range"}
		}
		for i := 0; i < p.N && len(values) <= maxSlices; i++ {
			values = append(values, p.Label(i))
		}
	default:
		return nil, cannot(path, n, "split on")
	}
	if len(values) > maxSlices {
		return nil, &SpecError{Path: path, Found: "too many values to split on", Want: fmt.Sprintf("at most %d", maxSlices)}
	}
	out := make([]Slice, len(values))
	for i, v := range values {
		part, err := s.Fix(path, v)
		if err != nil {
			return nil, err
		}
		out[i] = Slice{Value: v, Space: part}
	}
	return out, nil
}

// Extend adds options to a choice, categorical, ordinal, subset or permutation:
// values, or for a choice cases made with [Case]. The designs of the old space
// stay valid and keep their hashes, except of a permutation, which must hold
// every item. New options have the mean weight of the old ones. Numbers come
// into their place in an ordinal of ascending numbers; other options go last.
func (s *Space) Extend(path string, options ...any) (*Space, error) {
	return s.edit(path, func(n Node) (change, error) {
		weights := slices.Clone(n.weights)
		mean := 0.0
		for _, w := range weights {
			mean += w / float64(len(weights))
		}
		switch n.kind {
		case KindChoice:
			n.cases = slices.Clone(n.cases)
			for _, o := range options {
				b, ok := o.(Branch)
				if name, is := o.(string); is {
					b, ok = Case(name), true
				}
				if !ok {
					return nil, &SpecError{Path: path, Found: fmt.Sprintf("%v of type %T", o, o), Want: "cases made with space.Case, or their names"}
				}
				n.cases = append(n.cases, b)
				if weights != nil {
					weights = append(weights, mean)
				}
			}
		case KindOrdinal, KindCategorical, KindSubset, KindPermutation:
			all := n.kind == KindSubset && n.max == len(n.values) && !n.sized
			ascending := n.kind == KindOrdinal && ascend(n.values)
			n.values = slices.Clone(n.values)
			for _, o := range options {
				v := literal(o)
				at := len(n.values)
				if x, is := v.(float64); is && ascending {
					for at > 0 && n.values[at-1].(float64) > x {
						at--
					}
				}
				n.values = slices.Insert(n.values, at, v)
				if weights != nil {
					weights = slices.Insert(weights, at, mean)
				}
			}
			if all {
				n.max = len(n.values)
			}
		default:
			return nil, cannot(path, &n, "extended")
		}
		n.weights = weights
		return change{{n}}, nil
	})
}

// ascend reports whether values are numbers in ascending order.
func ascend(values []any) bool {
	for i, v := range values {
		x, ok := v.(float64)
		if !ok || i > 0 && values[i-1].(float64) >= x {
			return false
		}
	}
	return true
}

// Shrink returns the part of the space around some of its designs. Ranges of
// numbers, ordinals and repeats become the interval that the designs use,
// widened at each end by half of factor times the whole range (on the
// logarithm of logarithmic numbers). Categoricals, booleans and choices keep
// the options that the designs use. Subsets, permutations, grammars and
// whatever no design uses stay as they are. Every one of the designs is in the
// result; factor 0 gives the tightest space, 2 leaves ranges alone.
func (s *Space) Shrink(around []Design, factor float64) (*Space, error) {
	if len(around) == 0 {
		return nil, errors.New("space: no designs to shrink around; expected at least one")
	}
	if !(factor >= 0) || !isFinite(factor) {
		return nil, fmt.Errorf("space: shrink factor %v; expected a finite number of at least 0", factor)
	}
	type use struct {
		param   *Param
		options map[int]bool
		lo, hi  float64
	}
	uses := map[string]*use{}
	addresses := s.addresses()
	for _, d := range around {
		d, err := s.Adopt(d)
		if err != nil {
			return nil, err
		}
		for _, it := range d.items() {
			n := it.node
			x := float64(it.index)
			switch n.Kind {
			case KindFloat, KindInt, KindRepeat:
				if x = it.real; n.N > 0 {
					x = n.Number(it.index)
				}
			case KindOrdinal, KindCategorical, KindBool, KindChoice:
			default:
				continue
			}
			a := addresses[n]
			u := uses[a]
			if u == nil {
				u = &use{param: &n.Param, options: map[int]bool{}, lo: x, hi: x}
				uses[a] = u
			}
			u.options[it.index] = true
			u.lo, u.hi = min(u.lo, x), max(u.hi, x)
		}
	}
	shrink := func(n Node, u *use) (change, error) {
		p := u.param
		switch n.kind {
		case KindOrdinal:
			by := factor / 2 * float64(p.N-1)
			lo, hi := int(max(math.Ceil(u.lo-by-1e-9), 0)), int(min(math.Floor(u.hi+by+1e-9), float64(p.N-1)))
			return n.keep(p.Path, n.values[lo:hi+1])
		case KindFloat, KindInt, KindRepeat:
			lo, hi := p.widen(u.lo, u.hi, factor/2)
			return n.between(p.Path, lo, hi)
		}
		var keep []any
		for i, l := range p.Labels {
			if u.options[i] {
				keep = append(keep, l)
			}
		}
		return n.keep(p.Path, keep)
	}
	changes := map[string]change{}
	var order []string
	var failed error
	nodes := rewrite(s.Nodes(), "", func(address string, n Node) []Node {
		u := uses[address]
		if u == nil || n.kind == kindRequire {
			return []Node{n}
		}
		c, err := shrink(n, u)
		if err != nil {
			failed = err
			return []Node{n}
		}
		changes[address] = c
		order = append(order, address)
		return c[0]
	})
	if failed != nil {
		return nil, failed
	}
	if out, err := New(nodes...); err == nil {
		return out, nil
	}
	// Conditions or constraints speak of something that is gone: go one by
	// one, inside first, and see what each can become.
	out := s
	for _, address := range order {
		here, err := out.locate(address)
		if err != nil {
			continue // it went with a case around it
		}
		c, err := shrink(*here.node, uses[address])
		if err != nil {
			return nil, err
		}
		if out, err = c.apply(out.Nodes(), address); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// widen extends [lo, hi] at each end by a share of the whole range.
func (p *Param) widen(lo, hi, by float64) (float64, float64) {
	a, b := lo, hi
	if p.Log {
		l, h := detmath.Log(p.Lo), detmath.Log(p.Hi)
		a = detmath.Exp(detmath.Log(lo) - float64(by*(h-l)))
		b = detmath.Exp(detmath.Log(hi) + float64(by*(h-l)))
	} else {
		a -= by * (p.Hi - p.Lo)
		b += by * (p.Hi - p.Lo)
	}
	return max(min(a, lo), p.Lo), min(max(b, hi), p.Hi)
}

// Adopt returns the design of this space that has the same JSON as d, a design
// of a related space: one this space was made from or that was made from it.
// It fails with a [*DesignError] if this space has no such design, and with an
// [*InfeasibleError] if a constraint forbids it.
func (s *Space) Adopt(d Design) (Design, error) {
	switch {
	case d.space == s:
		return d, nil
	case d.space == nil:
		return Design{}, &DesignError{Found: "the zero design", Want: "a design of a space"}
	case equalDecls(s.decls, d.space.decls):
		return Design{space: s, trace: d.trace}, nil
	}
	return s.ParseJSON(d.AppendJSON(nil))
}

// Equal reports whether two spaces are declared alike, so that they have the
// same designs with the same prior.
func (s *Space) Equal(o *Space) bool { return s == o || equalDecls(s.decls, o.decls) }

func equalDecls(a, b []decl) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !equalDecl(&a[i], &b[i]) {
			return false
		}
	}
	return true
}

func equalNodes(a, b []Node) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !equalDecl(&a[i].decl, &b[i].decl) {
			return false
		}
	}
	return true
}

func equalDecl(a, b *decl) bool {
	return a.kind == b.kind && a.name == b.name && a.when == b.when && a.constraint == b.constraint &&
		a.lo == b.lo && a.hi == b.hi && a.step == b.step && a.log == b.log &&
		a.min == b.min && a.max == b.max && a.sized == b.sized &&
		a.start == b.start && a.depth == b.depth && a.doc == b.doc && a.unit == b.unit &&
		slices.Equal(a.values, b.values) && slices.Equal(a.weights, b.weights) && equalNodes(a.nodes, b.nodes) &&
		slices.EqualFunc(a.cases, b.cases, func(x, y Branch) bool { return x.Name == y.Name && equalNodes(x.Nodes, y.Nodes) }) &&
		slices.EqualFunc(a.rules, b.rules, func(x, y GrammarRule) bool {
			return x.Symbol == y.Symbol && slices.EqualFunc(x.Productions, y.Productions, func(p, q Production) bool {
				return p.Weight == q.Weight && slices.Equal(p.Symbols, q.Symbols) && equalNodes(p.With, q.With)
			})
		})
}

// A change lists what may stand for a node, best first. The others are for
// when conditions and constraints do not allow the first, because they speak
// of something it lacks.
type change [][]Node

// become is the change of a node to another, or else, if there is a constraint
// that has the same effect, to the node itself with it.
func (n Node) become(other Node, pin string) change {
	if pin == "" || n.name == "" {
		return change{{other}}
	}
	return change{{other}, {n, Require(pin)}}
}

// edit returns the space with the node at the path changed.
func (s *Space) edit(path string, f func(Node) (change, error)) (*Space, error) {
	at, err := s.locate(path)
	if err != nil {
		return nil, err
	}
	c, err := f(*at.node)
	if err != nil {
		return nil, err
	}
	return c.apply(s.Nodes(), at.address)
}

// apply makes a space of the nodes with the one at the address changed.
func (c change) apply(nodes []Node, address string) (*Space, error) {
	var first error
	for _, by := range c {
		s, err := New(rewrite(nodes, "", func(a string, n Node) []Node {
			if n.kind == kindRequire || a != address {
				return []Node{n}
			}
			return by
		})...)
		if err == nil {
			return s, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

// A location is where a node stands. Addresses are paths in which every
// unnamed node adds [], so that no two nodes have the same.
type location struct {
	node     *Node
	address  string
	repeated bool // a design may hold it several times
}

// locate finds a node by its address or by the path of its parameter.
func (s *Space) locate(path string) (location, error) {
	var known []string
	var found location
	var visit func(address string, nodes []Node, many bool)
	visit = func(address string, nodes []Node, many bool) {
		for i := range nodes {
			n := &nodes[i]
			if n.kind == kindRequire {
				continue
			}
			a := addressOf(address, n.name)
			p := a
			if n.name != "" {
				p = strings.ReplaceAll(a, "[]", "")
			}
			known = append(known, p)
			if found.node == nil && (a == path || p == path) {
				found = location{n, a, many}
			}
			many := many || n.kind == KindRepeat || n.kind == KindGrammar
			n.lists(a, func(address string, list []Node) []Node {
				visit(address, list, many)
				return list
			})
		}
	}
	visit("", s.Nodes(), false)
	if found.node != nil {
		return found, nil
	}
	e := &SpecError{Path: path, Found: "no parameter of this path"}
	if near, ok := source.Nearest(path, known); ok {
		e.Want = near
	} else if near, ok := nearestEnd(path, known); ok {
		e.Want = near
	} else {
		e.Want = "one of " + strings.Join(known[:min(len(known), 12)], ", ")
		if len(known) > 12 {
			e.Want += ", …"
		}
	}
	return location{}, e
}

// nearestEnd finds the only path whose last name is that of the path wanted.
func nearestEnd(path string, known []string) (string, bool) {
	last := path[strings.LastIndexByte(path, '.')+1:]
	at := ""
	for _, k := range known {
		if k[strings.LastIndexByte(k, '.')+1:] == last {
			if at != "" {
				return "", false
			}
			at = k
		}
	}
	return at, at != ""
}

// addressOf returns the address of a node by its name and where it stands.
func addressOf(address, name string) string {
	if name == "" {
		return address + "[]"
	}
	return join(address, name)
}

func cannot(path string, n *Node, done string) error {
	return &SpecError{Path: path, Found: "a " + n.kind.String() + ", which cannot be " + done}
}

// param compiles the node alone, without what is inside it.
func (n *Node) param() (*Param, error) {
	bare := Node{n.decl}
	bare.name, bare.when = "x", ""
	bare.cases = slices.Clone(n.cases)
	for i := range bare.cases {
		bare.cases[i].Nodes = nil
	}
	s, err := New(bare)
	if err != nil {
		return nil, err
	}
	return s.params[0], nil
}

// allows returns value v as a number, ordinal, categorical or bool has it, or
// an error that says what it may have.
func (n *Node) allows(path string, v any) (any, error) {
	p, err := n.param()
	if err != nil {
		return nil, err
	}
	if x, isNumber := v.(float64); isNumber && p.N == 0 && x >= p.Lo && x <= p.Hi {
		return v, nil
	}
	if i := p.indexOf(v); p.N > 0 && i >= 0 {
		return p.Label(i), nil
	}
	return nil, &SpecError{Path: path, Found: show(v), Want: wantOf(&node{Param: *p})}
}

func itemsOf(path string, value any) ([]any, error) {
	switch v := value.(type) {
	case []any:
		return literals(v), nil
	case []string:
		return literals(v), nil
	case []float64:
		return literals(v), nil
	case []int:
		return literals(v), nil
	}
	return nil, &SpecError{Path: path, Found: fmt.Sprintf("%v of type %T", value, value), Want: "a slice of items"}
}

// keep leaves only some options of a node.
func (n Node) keep(path string, values []any) (change, error) {
	if len(values) == 0 {
		return nil, &SpecError{Path: path, Found: "no values", Want: "at least one that stays"}
	}
	switch n.kind {
	case KindFloat, KindInt:
		values = slices.Clone(values)
		for i, v := range values {
			v, err := n.allows(path, v)
			if err != nil {
				return nil, err
			}
			values[i] = v
		}
		slices.SortFunc(values, func(a, b any) int { return cmp.Compare(a.(float64), b.(float64)) })
		values = slices.Compact(values)
		ordinal := Node{decl{kind: KindOrdinal, name: n.name, doc: n.doc, unit: n.unit, when: n.when, values: values}}
		return n.become(ordinal, among(n.name, values)), nil
	case KindOrdinal, KindCategorical, KindBool, KindChoice, KindSubset:
	default:
		return nil, cannot(path, &n, "restricted to values")
	}
	options := n.values
	switch n.kind {
	case KindBool:
		options = []any{false, true}
	case KindChoice:
		options = nil
		for _, b := range n.cases {
			options = append(options, b.Name)
		}
	}
	for _, v := range values {
		if !slices.Contains(options, v) {
			e := &SpecError{Path: path, Found: show(v), Want: "one of " + strings.Trim(show(options), "[]")}
			if word, is := v.(string); is {
				var words []string
				for _, o := range options {
					words = append(words, fmt.Sprint(o))
				}
				if near, ok := source.Nearest(word, words); ok {
					e.Want = near
				}
			}
			return nil, e
		}
	}
	pin := among(n.name, values)
	var kept []any
	var cases []Branch
	var weights []float64
	for i, o := range options {
		if !slices.Contains(values, o) {
			continue
		}
		kept = append(kept, o)
		if n.kind == KindChoice {
			cases = append(cases, n.cases[i])
		}
		if i < len(n.weights) {
			weights = append(weights, n.weights[i])
		}
	}
	m := n
	m.weights = weights
	switch n.kind {
	case KindChoice:
		m.cases = cases
		return n.become(m, pin), nil
	case KindBool:
		if len(kept) == 2 {
			return change{{n}}, nil
		}
		m.kind = KindCategorical
	case KindSubset:
		if len(kept) < n.min {
			return nil, &SpecError{Path: path, Found: fmt.Sprintf("%d items", len(kept)), Want: fmt.Sprintf("at least %d, the least size", n.min)}
		}
		m.max = min(n.max, len(kept))
		pin = "" // expressions cannot speak of subsets
	}
	m.values = kept
	return n.become(m, pin), nil
}

// between leaves only a range of a node.
func (n Node) between(path string, lo, hi float64) (change, error) {
	empty := func(a, b any) error {
		return &SpecError{Path: path, Found: fmt.Sprintf("[%v, %v], which holds none of its values", lo, hi), Want: fmt.Sprintf("a range that meets [%v, %v]", a, b)}
	}
	if !(lo <= hi) {
		return nil, &SpecError{Path: path, Found: fmt.Sprintf("[%v, %v]", lo, hi), Want: "low <= high"}
	}
	switch n.kind {
	case KindFloat, KindInt:
		p, err := n.param()
		if err != nil {
			return nil, err
		}
		a, b := max(lo, p.Lo), min(hi, p.Hi)
		if p.N > 0 && a <= b {
			i, j := math.Ceil((a-p.Lo)/p.Step-1e-9), math.Floor((b-p.Lo)/p.Step+1e-9)
			if i > j {
				return nil, empty(p.Lo, p.Hi)
			}
			a, b = p.Number(int(i)), p.Number(int(j))
			cut := n
			cut.lo, cut.hi = a, b
			if n.name == "" || a == p.Lo || cut.onGrid(p, int(i)) {
				return change{{cut}}, nil
			}
			// Steps such as 0.1 are not exact in binary, and a grid that starts
			// elsewhere would have other values in their last digits.
			if count := int(j-i) + 1; count <= maxTable {
				list := Node{decl{kind: KindOrdinal, name: n.name, doc: n.doc, unit: n.unit, when: n.when}}
				for k := range count {
					list.values = append(list.values, p.Number(int(i)+k))
					if n.log {
						list.weights = append(list.weights, p.Weight(int(i)+k))
					}
				}
				return change{{list}}, nil
			}
			long := n
			long.hi = b
			return change{{long, Require(fmt.Sprintf("%s > %v", exprName(n.name), a-p.Step/2))}, {cut}}, nil
		}
		if a > b {
			return nil, empty(p.Lo, p.Hi)
		}
		n.lo, n.hi = a, b
		return change{{n}}, nil
	case KindOrdinal:
		var kept []any
		for _, v := range n.values {
			x, ok := v.(float64)
			if !ok {
				return nil, &SpecError{Path: path, Found: "an ordinal with the value " + show(v), Want: "an ordinal of numbers to cut a range from; see Restrict"}
			}
			if x >= lo && x <= hi {
				kept = append(kept, v)
			}
		}
		if len(kept) == 0 {
			return nil, empty(n.values[0], n.values[len(n.values)-1])
		}
		return n.keep(path, kept)
	case KindRepeat, KindSubset:
		a, b := max(math.Ceil(lo), float64(n.min)), min(math.Floor(hi), float64(n.max))
		if a > b {
			return nil, empty(n.min, n.max)
		}
		n.min, n.max = int(a), int(b)
		n.sized = n.kind == KindSubset
		return change{{n}}, nil
	}
	return nil, cannot(path, &n, "restricted to a range")
}

// onGrid reports whether the values of a stepped number are, bit by bit, those
// of p from option i on.
func (n *Node) onGrid(p *Param, i int) bool {
	q, err := n.param()
	if err != nil || n.step == math.Trunc(n.step) && n.lo == math.Trunc(n.lo) {
		return err == nil // whole numbers are exact
	}
	for k := range min(q.N, 1<<16) {
		if q.Number(k) != p.Number(i+k) {
			return false
		}
	}
	return true
}

// equals writes the constraint that a node has a value.
func equals(name string, v any) string {
	if b, is := v.(bool); is {
		if b {
			return exprName(name)
		}
		return "not " + exprName(name)
	}
	return exprName(name) + " == " + exprLiteral(v)
}

// among writes the constraint that a node has one of some values.
func among(name string, values []any) string {
	if len(values) == 1 {
		return equals(name, values[0])
	}
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = exprLiteral(v)
	}
	return exprName(name) + " in [" + strings.Join(words, ", ") + "]"
}

// exprName writes a name so that no function or operator is meant.
func exprName(name string) string {
	if e, err := expr.Parse(name); err == nil && slices.Equal(e.Names(), []string{name}) {
		return name
	}
	return "`" + name + "`"
}

func exprLiteral(v any) string {
	switch v := v.(type) {
	case string:
		return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(v) + "'"
	case float64:
		return string(appendNumber(nil, v))
	}
	return fmt.Sprint(v)
}

// rewrite returns the nodes with each replaced by what f makes of it, those
// inside first.
func rewrite(nodes []Node, address string, f func(address string, n Node) []Node) []Node {
	out := make([]Node, 0, len(nodes))
	for _, n := range nodes {
		a := addressOf(address, n.name)
		n = n.lists(a, func(address string, list []Node) []Node { return rewrite(list, address, f) })
		out = append(out, f(a, n)...)
	}
	return out
}

// lists returns the node with each list of nodes inside it replaced by what f
// makes of it, given the address of the list.
func (n Node) lists(address string, f func(address string, list []Node) []Node) Node {
	switch n.kind {
	case KindGroup, KindRepeat:
		n.nodes = f(address, n.nodes)
	case KindChoice:
		n.cases = slices.Clone(n.cases)
		for i := range n.cases {
			c := &n.cases[i]
			c.Nodes = f(join(address, c.Name), c.Nodes)
		}
	case KindGrammar:
		n.rules = slices.Clone(n.rules)
		for i := range n.rules {
			r := &n.rules[i]
			r.Productions = slices.Clone(r.Productions)
			for j := range r.Productions {
				p := &r.Productions[j]
				p.With = f(join(join(address, r.Symbol), strings.ReplaceAll(strings.Join(p.Symbols, " "), " ", "_")), p.With)
			}
		}
	}
	return n
}

// addresses returns the address of every compiled node but rules.
func (s *Space) addresses() map[*node]string {
	out := map[*node]string{}
	rules := map[*node]bool{}
	var visit func(address string, nodes []*node)
	visit = func(address string, nodes []*node) {
		for _, n := range nodes {
			if n.Kind == KindRule {
				if rules[n] {
					continue
				}
				rules[n] = true
				for j, list := range n.kids {
					// All rules stand below the grammar, whichever uses them.
					visit(join(join(address, n.Name), strings.ReplaceAll(n.Labels[j].(string), " ", "_")), list[:n.with[j]])
					visit(address, list[n.with[j]:])
				}
				continue
			}
			a := addressOf(address, n.Name)
			out[n] = a
			for i, list := range n.kids {
				if n.Kind == KindChoice {
					visit(join(a, n.Labels[i].(string)), list)
				} else {
					visit(a, list)
				}
			}
		}
	}
	visit("", s.root)
	return out
}
