package space

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	reflection "reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// MarshalJSON returns the design as nested JSON that people and evaluators can
// read:
//
//	a number, ordinal, categorical, bool or constant   its value
//	a choice                                           {"case": {…}}
//	a group                                            {…}
//	a repeat                                           [{…}, {…}], or a list of values
//	a subset, a permutation                            a list of items
//	a grammar                                          {"tokens": […], "tree": {…}}
//
// Inactive parameters are left out. In a grammar, tokens are the terminals in
// order and tree is {"rule": symbol, "use": […], "with": {…}, "of": […]} with
// one element of "of" for each nonterminal in "use".
func (d Design) MarshalJSON() ([]byte, error) {
	if d.space == nil {
		return []byte("null"), nil
	}
	return d.AppendJSON(nil), nil
}

// AppendJSON appends the design as JSON to dst.
func (d Design) AppendJSON(dst []byte) []byte {
	if d.space == nil {
		return append(dst, "null"...)
	}
	scratch, _ := itemPool.Get().(*[]item)
	if scratch == nil {
		scratch = new([]item)
	}
	e := emitter{items: d.appendItems((*scratch)[:0]), buf: dst}
	e.fields(0, len(e.items), -1, 0)
	*scratch = e.items
	itemPool.Put(scratch)
	return e.buf
}

// Decode stores the design in the value into points to, usually the user's own
// struct, by the rules of [encoding/json]. What the value held before is
// cleared, so that nothing of another design stays in inactive fields.
func (d Design) Decode(into any) error {
	if d.space == nil {
		return fmt.Errorf("space: the zero design has nothing to decode")
	}
	if v := reflection.ValueOf(into); v.Kind() == reflection.Pointer && !v.IsNil() {
		v.Elem().SetZero()
	}
	if err := json.Unmarshal(d.AppendJSON(nil), into); err != nil {
		return fmt.Errorf("space: design does not fit %T: %w", into, err)
	}
	return nil
}

// Map returns the design as the values that [encoding/json] would read.
func (d Design) Map() map[string]any {
	var m map[string]any
	if d.space != nil {
		_ = json.Unmarshal(d.AppendJSON(nil), &m) // AppendJSON writes an object
	}
	return m
}

// itemPool keeps the trees that writing a design needs for a moment.
var itemPool sync.Pool

type emitter struct {
	items []item
	buf   []byte
}

// fields writes the items [from, to) with this parent and copy as an object.
func (e *emitter) fields(from, to int, parent, iter int32) {
	e.buf = append(e.buf, '{')
	first := true
	for i := from; i < to; i = int(e.items[i].last) {
		it := &e.items[i]
		if it.parent != parent || it.iter != iter {
			continue
		}
		if !first {
			e.buf = append(e.buf, ',')
		}
		first = false
		e.buf = appendString(e.buf, it.node.Name)
		e.buf = append(e.buf, ':')
		e.value(i)
	}
	e.buf = append(e.buf, '}')
}

func (e *emitter) value(i int) {
	it := &e.items[i]
	n := it.node
	switch n.Kind {
	case KindGroup:
		e.fields(i+1, int(it.last), int32(i), 0)
	case KindChoice:
		e.buf = append(e.buf, '{')
		e.buf = appendString(e.buf, n.Labels[it.index].(string))
		e.buf = append(e.buf, ':')
		e.fields(i+1, int(it.last), int32(i), 0)
		e.buf = append(e.buf, '}')
	case KindRepeat:
		e.buf = append(e.buf, '[')
		at := i + 1
		for c := range int32(n.Number(it.index)) {
			if c > 0 {
				e.buf = append(e.buf, ',')
			}
			end := at
			for end < int(it.last) && e.items[end].iter == c {
				end = int(e.items[end].last)
			}
			switch {
			case !n.bare:
				e.fields(at, end, int32(i), c)
			case at < end:
				e.value(at)
			default:
				e.buf = append(e.buf, "null"...)
			}
			at = end
		}
		e.buf = append(e.buf, ']')
	case KindSubset, KindPermutation:
		e.buf = append(e.buf, '[')
		for k, m := range it.members {
			if k > 0 {
				e.buf = append(e.buf, ',')
			}
			e.buf = appendLiteral(e.buf, n.Labels[m])
		}
		e.buf = append(e.buf, ']')
	case KindGrammar:
		e.buf = append(e.buf, `{"tokens":[`...)
		mark := len(e.buf)
		e.tokens(i + 1)
		if len(e.buf) > mark {
			e.buf = e.buf[:len(e.buf)-1]
		}
		e.buf = append(e.buf, `],"tree":`...)
		e.rule(i + 1)
		e.buf = append(e.buf, '}')
	case KindConst:
		e.buf = appendLiteral(e.buf, n.Labels[0])
	case KindFloat:
		x := it.real
		if n.N > 0 {
			x = n.Number(it.index)
		}
		e.buf = appendNumber(e.buf, x)
	default:
		e.buf = appendLiteral(e.buf, n.Label(it.index))
	}
}

// ruleKids returns the items of the nonterminals below rule item i.
func (e *emitter) ruleKids(i int) (params, kids []int) {
	it := &e.items[i]
	for j := i + 1; j < int(it.last); j = int(e.items[j].last) {
		if e.items[j].node.Kind == KindRule {
			kids = append(kids, j)
		} else {
			params = append(params, j)
		}
	}
	return params, kids
}

func (e *emitter) tokens(i int) {
	it := &e.items[i]
	_, kids := e.ruleKids(i)
	for k, sym := range it.node.symbols[it.index] {
		if it.node.isRule[it.index][k] {
			e.tokens(kids[0])
			kids = kids[1:]
			continue
		}
		e.buf = appendString(e.buf, sym)
		e.buf = append(e.buf, ',')
	}
}

func (e *emitter) rule(i int) {
	it := &e.items[i]
	params, kids := e.ruleKids(i)
	e.buf = append(e.buf, `{"rule":`...)
	e.buf = appendString(e.buf, it.node.Name)
	e.buf = append(e.buf, `,"use":[`...)
	for k, sym := range it.node.symbols[it.index] {
		if k > 0 {
			e.buf = append(e.buf, ',')
		}
		e.buf = appendString(e.buf, sym)
	}
	e.buf = append(e.buf, ']')
	if len(params) > 0 {
		e.buf = append(e.buf, `,"with":{`...)
		for k, j := range params {
			if k > 0 {
				e.buf = append(e.buf, ',')
			}
			e.buf = appendString(e.buf, e.items[j].node.Name)
			e.buf = append(e.buf, ':')
			e.value(j)
		}
		e.buf = append(e.buf, '}')
	}
	if len(kids) > 0 {
		e.buf = append(e.buf, `,"of":[`...)
		for k, j := range kids {
			if k > 0 {
				e.buf = append(e.buf, ',')
			}
			e.rule(j)
		}
		e.buf = append(e.buf, ']')
	}
	e.buf = append(e.buf, '}')
}

func appendLiteral(b []byte, v any) []byte {
	switch v := v.(type) {
	case string:
		return appendString(b, v)
	case bool:
		return strconv.AppendBool(b, v)
	case float64:
		return appendNumber(b, v)
	}
	return append(b, "null"...)
}

func appendNumber(b []byte, x float64) []byte {
	if x == math.Trunc(x) && math.Abs(x) < 1e15 {
		return strconv.AppendInt(b, int64(x), 10)
	}
	return strconv.AppendFloat(b, x, 'g', -1, 64)
}

func appendString(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < 0x20 || c >= 0x7f || c == '"' || c == '\\' {
			q, err := json.Marshal(s)
			if err != nil { // json.Marshal of a string cannot fail
				panic("space: " + err.Error())
			}
			return append(b, q...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// A DesignError says why some JSON is not a design of the space.
type DesignError struct {
	Path  string // where, such as "stages[1].width"
	Found string
	Want  string
}

func (e *DesignError) Error() string {
	s := "space: design"
	if e.Path != "" {
		s += ": " + e.Path
	}
	s += ": " + e.Found
	if e.Want != "" {
		s += "; expected " + e.Want
	}
	return s
}

// ParseJSON reads a design that [Design.MarshalJSON] wrote or a person typed.
// Every active parameter must be there and nothing else; constants may be left
// out. Errors are [*DesignError] or, if a constraint does not hold,
// [*InfeasibleError].
func (s *Space) ParseJSON(data []byte) (Design, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	var v any
	if err := dec.Decode(&v); err != nil {
		return Design{}, &DesignError{Found: "not JSON: " + err.Error(), Want: "an object"}
	}
	if dec.More() {
		return Design{}, &DesignError{Found: "more than one JSON value", Want: "one object"}
	}
	m, ok := v.(map[string]any)
	if !ok {
		return Design{}, &DesignError{Found: typeName(v), Want: "an object"}
	}
	return s.FromMap(m)
}

// FromMap is [Space.ParseJSON] for values that were read already: strings,
// float64, bool, []any and map[string]any.
func (s *Space) FromMap(m map[string]any) (Design, error) {
	w := s.walk()
	defer s.free(w)
	w.groups = true
	p := parser{w: w, ctx: make([]context, 1, 16)}
	p.ctx[0] = context{obj: m}
	if err := p.run(); err != nil {
		return Design{}, err
	}
	if !w.end() {
		return Design{}, &InfeasibleError{Constraint: w.bad.text()}
	}
	d := w.design()
	if p.used != countKeys(m) {
		if path := extra("", m, d.Map()); path != "" {
			return Design{}, &DesignError{Path: path, Found: "not a parameter that is active in this design", Want: "only active parameters"}
		}
	}
	return d, nil
}

// A context is where the values of one frame of the walker are looked up.
type context struct {
	obj  map[string]any
	list []any // repeat: one element a copy
	bare bool
	of   []any // grammar: one element a nonterminal
	with int   // grammar: parameters that come before the nonterminals
	path string
}

type parser struct {
	w    *walker
	ctx  []context
	used int
}

func (p *parser) run() error {
	w := p.w
	for w.step() {
		n := w.n
		top := len(w.stack) - 1
		pushed := w.role == 0 && n.Kind != KindConst
		if pushed {
			top--
		}
		v, path, ok := p.lookup(top, n)
		if n.Kind == KindConst {
			if ok && v != n.Labels[0] {
				return &DesignError{Path: path, Found: show(v), Want: show(n.Labels[0])}
			}
			continue
		}
		if !ok {
			return &DesignError{Path: path, Found: "nothing", Want: wantOf(n)}
		}
		next, err := p.answer(n, v, path)
		if err != nil {
			return err
		}
		if w.bad != nil {
			return &InfeasibleError{Constraint: w.bad.text()}
		}
		for len(p.ctx) < len(w.stack) {
			p.ctx = append(p.ctx, context{})
		}
		if len(w.stack)-1 > top {
			p.ctx[len(w.stack)-1] = next
		}
	}
	return nil
}

// lookup finds the value of node n in the frame at index top.
func (p *parser) lookup(top int, n *node) (v any, path string, ok bool) {
	c := &p.ctx[top]
	obj := c.obj
	path = c.path
	if c.list != nil {
		iter := int(p.w.stack[top].iter)
		path = fmt.Sprintf("%s[%d]", path, iter)
		if c.bare {
			return c.list[iter], path, true
		}
		obj, ok = c.list[iter].(map[string]any)
		if !ok {
			return nil, path, false
		}
	}
	if n.Kind == KindRule {
		if c.of != nil {
			k := int(p.w.stack[top].i) - 1 - c.with
			obj, _ = c.of[k].(map[string]any)
			path = fmt.Sprintf("%s.of[%d]", path, k)
		}
		return obj, path, obj != nil
	}
	path = join(path, n.Name)
	v, ok = obj[n.Name]
	if ok {
		p.used++
	}
	return v, path, ok
}

// answer takes the decisions of node n from value v and returns the context of
// the frame that they open.
func (p *parser) answer(n *node, v any, path string) (next context, err error) {
	w := p.w
	bad := func(want string) error { return &DesignError{Path: path, Found: show(v), Want: want} }
	switch n.Kind {
	case KindGroup:
		obj, ok := v.(map[string]any)
		if !ok {
			return next, bad("an object")
		}
		return context{obj: obj, path: path}, nil
	case KindChoice:
		obj, ok := v.(map[string]any)
		if s, is := v.(string); is { // a case may be named alone if it has no parameters
			obj, ok = map[string]any{s: map[string]any{}}, true
			p.used--
		}
		if !ok || len(obj) != 1 {
			return next, bad("an object with one case as its only key: " + wantOf(n))
		}
		for name, in := range obj {
			i := n.indexOf(name)
			if i < 0 {
				return next, &DesignError{Path: path, Found: fmt.Sprintf("case %q", name), Want: wantOf(n)}
			}
			kids, isObj := in.(map[string]any)
			if !isObj && in != nil {
				return next, &DesignError{Path: join(path, name), Found: show(in), Want: "an object"}
			}
			if !w.legal(i) {
				return next, &InfeasibleError{Constraint: n.requireText()}
			}
			p.used++
			w.choose(i)
			return context{obj: kids, path: join(path, name)}, nil
		}
	case KindRepeat:
		list, ok := v.([]any)
		if !ok || len(list) < int(n.Lo) || len(list) > int(n.Hi) {
			return next, bad(wantOf(n))
		}
		if !n.bare {
			for i, e := range list {
				if _, ok := e.(map[string]any); !ok {
					return next, &DesignError{Path: fmt.Sprintf("%s[%d]", path, i), Found: show(e), Want: "an object"}
				}
			}
		}
		if i := len(list) - int(n.Lo); w.legal(i) {
			w.choose(i)
		} else {
			return next, &InfeasibleError{Constraint: n.requireText()}
		}
		return context{list: list, bare: n.bare, path: path}, nil
	case KindSubset, KindPermutation:
		return next, p.selection(n, v, bad)
	case KindGrammar:
		obj, ok := v.(map[string]any)
		if !ok {
			return next, bad(wantOf(n))
		}
		tree, ok := obj["tree"].(map[string]any)
		if !ok {
			return next, bad(`an object with a "tree"`)
		}
		p.used += len(obj)
		return context{obj: tree, path: join(path, "tree")}, nil
	case KindRule:
		return p.ruleAnswer(n, v.(map[string]any), path)
	case KindFloat:
		x, ok := v.(float64)
		if !ok {
			return next, bad(wantOf(n))
		}
		if n.N == 0 {
			if !(x >= n.Lo && x <= n.Hi) {
				return next, bad(wantOf(n))
			}
			w.chooseReal(x + 0)
			return next, nil
		}
		fallthrough
	default:
		i := n.indexOf(v)
		if i < 0 {
			return next, bad(wantOf(n))
		}
		if !w.legal(i) {
			return next, &InfeasibleError{Constraint: n.requireText()}
		}
		w.choose(i)
	}
	return next, nil
}

// selection takes the decisions of a subset or a permutation.
func (p *parser) selection(n *node, v any, bad func(string) error) error {
	w := p.w
	list, ok := v.([]any)
	if !ok {
		return bad(wantOf(n))
	}
	at := make([]int32, 0, len(list))
	for _, e := range list {
		i := n.indexOf(e)
		if i < 0 || slices.Contains(at, int32(i)) {
			return bad(wantOf(n))
		}
		at = append(at, int32(i))
	}
	var digits []byte
	if n.Kind == KindSubset {
		if len(at) < n.min || len(at) > n.max {
			return bad(wantOf(n))
		}
		digits = appendSubset(nil, n, at)
	} else {
		if len(at) != len(n.Labels) {
			return bad(wantOf(n))
		}
		digits = appendPermutation(nil, at)
	}
	t := trace{s: string(digits)}
	if w.role == 0 && len(digits) > 0 { // the selection was announced; its first decision comes next
		w.step()
	}
	for t.at < len(t.s) {
		w.choose(t.index())
		if t.at < len(t.s) {
			w.step()
		}
	}
	return nil
}

func (p *parser) ruleAnswer(n *node, obj map[string]any, path string) (next context, err error) {
	var use []string
	list, _ := obj["use"].([]any)
	for _, u := range list {
		s, _ := u.(string)
		use = append(use, s)
	}
	name := strings.Join(use, " ")
	i := n.indexOf(name)
	if i < 0 {
		return next, &DesignError{Path: join(path, "use"), Found: show(obj["use"]), Want: wantOf(n)}
	}
	if got, ok := obj["rule"]; ok && got != n.Name {
		return next, &DesignError{Path: join(path, "rule"), Found: show(got), Want: show(n.Name)}
	}
	if !p.w.legal(i) {
		return next, &DesignError{Path: path, Found: "a derivation that is too deep", Want: fmt.Sprintf("at most %d levels", p.w.stack[len(p.w.stack)-1].limit)}
	}
	for _, key := range []string{"rule", "use", "with", "of"} {
		if _, ok := obj[key]; ok {
			p.used++
		}
	}
	of, _ := obj["of"].([]any)
	kids := 0
	for _, is := range n.isRule[i] {
		if is {
			kids++
		}
	}
	if len(of) != kids {
		return next, &DesignError{Path: join(path, "of"), Found: fmt.Sprintf("%d derivations", len(of)), Want: fmt.Sprintf("%d, one for each nonterminal of %q", kids, name)}
	}
	with, _ := obj["with"].(map[string]any)
	p.w.choose(i)
	return context{obj: with, of: of, with: n.with[i], path: path}, nil
}

func typeName(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	case string:
		return "a string"
	case float64:
		return "a number"
	case bool:
		return "a boolean"
	}
	return fmt.Sprintf("%T", v)
}

func show(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	if len(b) > 60 {
		b = append(b[:57:57], "..."...)
	}
	return string(b)
}

// wantOf describes the values a node accepts.
func wantOf(n *node) string {
	list := func() string {
		var b strings.Builder
		for i, l := range n.Labels {
			if i == 12 {
				fmt.Fprintf(&b, ", … (%d in all)", len(n.Labels))
				break
			}
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(show(l))
		}
		return b.String()
	}
	switch n.Kind {
	case KindFloat, KindInt:
		kind := "a number"
		if n.Kind == KindInt {
			kind = "a whole number"
		}
		s := fmt.Sprintf("%s in [%v, %v]", kind, n.Lo, n.Hi)
		if n.Step != 0 && !(n.Kind == KindInt && n.Step == 1) {
			s += fmt.Sprintf(" in steps of %v", n.Step)
		}
		return s
	case KindBool:
		return "true or false"
	case KindRepeat:
		return fmt.Sprintf("a list of %v to %v", n.Lo, n.Hi)
	case KindSubset:
		return fmt.Sprintf("a list of %d to %d different items of %s", n.min, n.max, list())
	case KindPermutation:
		return "a list of all of " + list() + " in any order"
	case KindGroup:
		return "an object"
	case KindGrammar:
		return `an object with a "tree"`
	case KindRule:
		return "a production of " + n.Name + ": " + list()
	}
	return "one of " + list()
}

func countKeys(v any) int {
	n := 0
	switch v := v.(type) {
	case map[string]any:
		n = len(v)
		for _, x := range v {
			n += countKeys(x)
		}
	case []any:
		for _, x := range v {
			n += countKeys(x)
		}
	}
	return n
}

// extra finds a key of got that want does not have.
func extra(path string, got, want any) string {
	switch g := got.(type) {
	case map[string]any:
		w, ok := want.(map[string]any)
		if !ok && len(g) == 0 {
			return ""
		}
		keys := make([]string, 0, len(g))
		for k := range g {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for _, k := range keys {
			x, ok := w[k]
			if !ok {
				return join(path, k)
			}
			if p := extra(join(path, k), g[k], x); p != "" {
				return p
			}
		}
	case []any:
		w, _ := want.([]any)
		for i := range g {
			if i < len(w) {
				if p := extra(fmt.Sprintf("%s[%d]", path, i), g[i], w[i]); p != "" {
					return p
				}
			}
		}
	}
	return ""
}
