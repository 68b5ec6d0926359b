package space

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/daedalus-search/daedalus/internal/expr"
	"github.com/daedalus-search/daedalus/internal/source"
)

// This file reads and writes the textual form of spaces, which is the same in
// study files (YAML) and in JSON:
//
//	opt:     {choice: [O1, O2, O3], weights: [1, 2, 1]}
//	tile:    {ordinal: [8, 16, 32]}
//	lr:      {float: [1e-5, 0.1], log: true, unit: 1/step, doc: learning rate}
//	unroll:  {int: [1, 16], step: 1, when: opt == O3}
//	fast:    bool                                    # or {bool: , weights: [1, 3]}
//	version: {const: 2}
//	block:   {choice: {conv: {k: {int: [1, 7]}}, skip: }, weights: {conv: 2, skip: 1}}
//	stem:    {k: {int: [1, 7]}, require: [k > 2]}    # a group
//	head:    {group: {k: {int: [1, 7]}}, when: fast} # a group with options
//	stages:  {repeat: [2, 5], of: {w: {int: [1, 9]}}}
//	widths:  {repeat: 3, of: {int: [8, 64]}}         # a list of plain values
//	augment: {subset: [flip, crop, mix], size: [1, 2]}
//	passes:  {permutation: [dce, inline]}
//	net:     {grammar: {start: M, M: [{p: 0.7, use: c}, {use: [M, M]}]}, depth: 9}
//
// Every node may have unit, doc and when. A parameter whose name is a word of
// this form is written in backquotes: "`repeat`": {int: [1, 3]}.

// kindWords are the keys that say what a node is.
var kindWords = []string{"float", "int", "ordinal", "choice", "bool", "const", "group", "repeat", "subset", "permutation", "grammar"}

// kindOptions are the keys that may stand beside a kind word.
var kindOptions = map[string][]string{
	"float":   {"log", "step"},
	"int":     {"log", "step"},
	"ordinal": {"weights"},
	"choice":  {"weights"},
	"bool":    {"weights"},
	"repeat":  {"of"},
	"subset":  {"size"},
	"grammar": {"depth"},
}

var commonOptions = []string{"unit", "doc", "when"}

var optionWords = []string{"log", "step", "weights", "of", "size", "depth", "unit", "doc", "when"}

// Parse reads a document {space: …, require: […]} in YAML or JSON, such as
// [Space.MarshalJSON] writes. The name stands for the file in messages. The
// error lists every mistake with its line and column.
func Parse(name string, text []byte) (*Space, error) {
	root, r := source.Parse(name, text)
	if root == nil {
		return nil, r.Err()
	}
	root.Fields(r, "space", "require")
	root.Required(r, "space")
	s, _ := Read(root.Get("space"), root.Get("require"), r)
	if err := r.Err(); err != nil {
		return nil, err
	}
	return s, nil
}

// Read makes a space of the map below "space:" and the list of constraints
// below "require:" of a file, either of which may be nil. It writes every
// mistake to the report, at its place, and says whether there is none.
func Read(space, require *source.Value, r *source.Report) (*Space, bool) {
	if space == nil {
		return nil, false
	}
	x := specReader{r: new(source.Report), at: map[spot]*source.Value{}}
	defer r.Merge(x.r)
	x.mark("", "", space)
	nodes := x.nodes(space, "", 0)
	nodes = append(nodes, x.requires(require, "", countRequires(nodes))...)
	sound := !x.r.Failed()
	if !sound {
		// Names may be missing, so conditions and constraints can only be
		// checked for their form.
		for _, v := range x.exprs {
			x.syntax(v)
		}
		nodes = withoutRules(nodes)
	}
	s, err := New(nodes...)
	if err != nil {
		x.report(err, sound)
		return nil, false
	}
	return s, sound
}

type spot struct{ path, field string }

// A specReader turns values into nodes and remembers where each came from, so that
// mistakes that [New] finds have a place too.
type specReader struct {
	r     *source.Report
	at    map[spot]*source.Value
	exprs []*source.Value
}

func (x *specReader) mark(path, field string, v *source.Value) {
	if _, taken := x.at[spot{path, field}]; !taken && v != nil {
		x.at[spot{path, field}] = v
	}
}

// report writes the mistakes that [New] found. If the file has other mistakes,
// complaints that something is missing are left out: it was not readable.
func (x *specReader) report(err error, sound bool) {
	all := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		all = joined.Unwrap()
	}
	for _, e := range all {
		var spec *SpecError
		if !errors.As(e, &spec) {
			x.r.Errorf(x.at[spot{}], "%s", strings.TrimPrefix(e.Error(), "space: "))
			continue
		}
		if !sound && spec.Path == "" && spec.Field == "" {
			continue
		}
		message := spec.Found
		if spec.Want != "" {
			message = "expected " + spec.Want + ", found " + spec.Found
		}
		d := x.r.Errorf(x.find(spec.Path, spec.Field), "%s", message)
		d.Found, d.Want = spec.Found, spec.Want
	}
}

// find returns where a node or one of its properties was read, or else what is
// around it.
func (x *specReader) find(path, field string) *source.Value {
	if v, ok := x.at[spot{path, field}]; ok {
		return v
	}
	for {
		if v, ok := x.at[spot{path, ""}]; ok {
			return v
		}
		path = path[:max(strings.LastIndexByte(path, '.'), 0)]
	}
}

func (x *specReader) syntax(v *source.Value) {
	var e *expr.SyntaxError
	if _, err := expr.Parse(v.Text()); errors.As(err, &e) {
		d := x.r.Errorf(v, "expected %s, found %s in %q", e.Want, e.Found, v.Text())
		d.Found, d.Want = e.Found, e.Want
	} else if err != nil {
		x.r.Errorf(v, "%s in %q", err, v.Text())
	}
}

// expected reports that v is not what was wanted.
func (x *specReader) expected(v *source.Value, want, note string) {
	found := v.Kind().String()
	switch v.Kind() {
	case source.Bool, source.Int, source.Float:
		found = v.Text()
	case source.String:
		found = strconv.Quote(v.Text())
	case source.List:
		found = fmt.Sprintf("a list of %d", v.Len())
	case source.Map:
		found = "an empty map"
		entries, _ := v.Map(x.r)
		if len(entries) > 0 {
			found = "a map with the keys"
			for i, e := range entries[:min(len(entries), 4)] {
				if i > 0 {
					found += ","
				}
				found += " `" + e.Name() + "`"
			}
			if len(entries) > 4 {
				found += ", …"
			}
		}
	}
	d := x.r.Errorf(v, "expected %s, found %s", want, found)
	d.Found, d.Want = found, want
	if note != "" {
		if d.Note != "" {
			note += "; " + d.Note
		}
		d.Note = note
	}
}

func (x *specReader) tooDeep(v *source.Value, depth int) bool {
	if depth >= maxNesting {
		x.r.Errorf(v, "nodes nested too deeply: the most is %d levels", maxNesting)
	}
	return depth >= maxNesting
}

// nodes reads a map of names to nodes, with an optional key require.
func (x *specReader) nodes(v *source.Value, path string, depth int) []Node {
	if v.IsNull() || x.tooDeep(v, depth) {
		return nil
	}
	entries, ok := v.Map(x.r)
	if !ok {
		return nil
	}
	var out []Node
	nameless := false
	for _, e := range entries {
		if w := e.Name(); slices.Contains(kindWords, w) {
			nameless = true
			d := x.r.Errorf(e.Key, "expected the name of a parameter, found `%s`, which is a kind of parameter", w)
			d.Found, d.Want = w, "a name"
			d.Note = fmt.Sprintf("write NAME: {%s: …}; if the parameter is called %s, choose another name or write \"`%s`\" with the backquotes", w, w, w)
		}
	}
	for _, e := range entries {
		word := e.Name()
		switch {
		case slices.Contains(kindWords, word), nameless && slices.Contains(optionWords, word):
			continue
		case word == "require":
			if e.Value.Kind() != source.List && e.Value.Kind() != source.String {
				x.expected(e.Value, "a list of constraints", "if this is a parameter, choose another name or write \"`require`\" with the backquotes")
				continue
			}
			out = append(out, x.requires(e.Value, path, countRequires(out))...)
			continue
		}
		name := unquoteName(word)
		if !nameForm.MatchString(name) {
			d := x.r.Errorf(e.Key, "expected %s, found the name %q", nameWant, name)
			d.Found, d.Want = name, nameWant
			continue
		}
		if n, ok := x.node(e.Value, name, join(path, name), depth+1, e.Key); ok {
			out = append(out, n)
		}
	}
	return out
}

// unquoteName takes the backquotes off a name.
func unquoteName(word string) string {
	if n := len(word); n > 2 && word[0] == '`' && word[n-1] == '`' {
		return word[1 : n-1]
	}
	return word
}

func countRequires(nodes []Node) int {
	n := 0
	for i := range nodes {
		if nodes[i].kind == kindRequire {
			n++
		}
	}
	return n
}

// requires reads a list of constraints, or one alone. The first is number
// from in its list of nodes.
func (x *specReader) requires(v *source.Value, path string, from int) []Node {
	if v.IsNull() {
		return nil
	}
	list := []*source.Value{v}
	if v.Kind() != source.String {
		var ok bool
		if list, ok = v.List(x.r); !ok {
			return nil
		}
	}
	var out []Node
	for _, e := range list {
		if text, ok := x.expression(e); ok {
			x.mark(path, fmt.Sprintf("require[%d]", from+len(out)), e)
			out = append(out, Require(text))
		}
	}
	return out
}

func (x *specReader) expression(v *source.Value) (string, bool) {
	if v.Kind() == source.Bool {
		x.expected(v, "a condition such as opt == O3", "")
		return "", false
	}
	text, ok := v.Str(x.r)
	if ok && strings.TrimSpace(text) == "" {
		x.expected(v, "a condition such as opt == O3", "")
		return "", false
	}
	if ok {
		x.exprs = append(x.exprs, v)
	}
	return text, ok
}

const nodeWant = "a parameter such as {float: [0, 1]}, {int: [1, 8]}, {choice: [a, b]} or bool"

// node reads what stands behind a name. The key is nil for what is repeated.
func (x *specReader) node(v *source.Value, name, path string, depth int, key *source.Value) (Node, bool) {
	if x.tooDeep(v, depth) {
		return Node{}, false
	}
	if v.Kind() != source.Map {
		return x.plainNode(v, name, path, key)
	}
	word, in, ok := v.AtMostOne(x.r, kindWords...)
	if !ok {
		return Node{}, false
	}
	if word == "" {
		if key == nil || !x.looksLikeGroup(v) {
			return Node{}, false
		}
		x.mark(path, "", v)
		return Group(name, x.nodes(v, path, depth)...), true
	}
	x.mark(path, "", in)
	x.mark(path, word, in)
	known := append([]string{word}, kindOptions[word]...)
	ok = v.Fields(x.r, append(known, commonOptions...)...)
	n, sound := x.kind(word, v, in, name, path, depth)
	ok = ok && sound
	for _, option := range commonOptions {
		o := v.Get(option)
		if o.IsNull() {
			continue
		}
		x.mark(path, option, o)
		var good bool
		switch option {
		case "unit":
			n.unit, good = o.Str(x.r)
		case "doc":
			n.doc, good = o.Str(x.r)
		case "when":
			n.when, good = x.expression(o)
		}
		ok = ok && good
	}
	return n, ok
}

// plainNode reads the only node that is not a map, and explains the others.
func (x *specReader) plainNode(v *source.Value, name, path string, key *source.Value) (Node, bool) {
	if v.Kind() == source.String && v.Text() == "bool" {
		x.mark(path, "", v)
		return Bool(name), true
	}
	note := ""
	switch v.Kind() {
	case source.List:
		note = "write {choice: […]} or {ordinal: […]} for one of several values, {float: […]} or {int: […]} for a range"
	case source.Bool, source.Int, source.Float:
		note = "write {const: " + v.Text() + "} for a constant"
	case source.String:
		if near, ok := source.Nearest(v.Text(), kindWords); ok {
			note = map[string]string{"float": "write {float: [low, high]}", "int": "write {int: [low, high]}", "bool": "did you mean bool?"}[near]
		}
		if note == "" {
			note = "write {const: …} for a constant"
		}
	}
	if slices.Contains(optionWords, key.Text()) {
		note = "a group with options is written {group: {…}, " + key.Text() + ": …}"
	}
	x.expected(v, nodeWant, note)
	return Node{}, false
}

// looksLikeGroup reports whether a map without a kind word is meant as a
// group, and explains what else it may be.
func (x *specReader) looksLikeGroup(v *source.Value) bool {
	entries, _ := v.Map(x.r)
	nodes, options := 0, 0
	for _, e := range entries {
		isNode := e.Value.Kind() == source.Map || e.Value.Text() == "bool" || e.Name() == "require"
		if isNode {
			nodes++
		} else if slices.Contains(optionWords, e.Name()) {
			options++
		}
	}
	for _, e := range entries {
		near, ok := source.Nearest(e.Name(), kindWords)
		if !ok || e.Value.Text() == "bool" {
			continue
		}
		if e.Value.Kind() != source.Map || options > 0 {
			d := x.r.Errorf(e.Key, "unknown kind of parameter `%s`: did you mean `%s`?", e.Name(), near)
			d.Found, d.Want = e.Name(), near
			return false
		}
		if len(entries) == 1 {
			d := x.r.Warnf(e.Key, "`%s` is read as the name of a parameter in a group: did you mean the kind `%s`?", e.Name(), near)
			d.Found, d.Want = e.Name(), near
		}
	}
	if nodes == 0 {
		x.expected(v, nodeWant, "the kinds are "+strings.Join(kindWords, ", "))
		return false
	}
	return true
}

func (x *specReader) kind(word string, v, in *source.Value, name, path string, depth int) (n Node, ok bool) {
	switch word {
	case "float", "int":
		return x.number(word, v, in, name, path)
	case "ordinal":
		n = Node{decl{kind: KindOrdinal, name: name}}
		n.values, ok = x.values(in)
		return n, x.weights(&n, v, path, n.values) && ok
	case "choice":
		if in.Kind() == source.Map {
			return x.choice(v, in, name, path, depth)
		}
		n = Node{decl{kind: KindCategorical, name: name}}
		n.values, ok = x.values(in)
		return n, x.weights(&n, v, path, n.values) && ok
	case "bool":
		n, ok = Bool(name), true
		if !in.IsNull() {
			x.expected(in, "nothing after bool", "")
			ok = false
		}
		return n, x.weights(&n, v, path, []any{false, true}) && ok
	case "const":
		value, ok := x.literal(in)
		return Const(name, value), ok
	case "group":
		if !in.IsNull() && in.Kind() != source.Map {
			x.expected(in, "a map of names to parameters", "")
			return n, false
		}
		return Group(name, x.nodes(in, path, depth)...), true
	case "repeat":
		return x.repeat(v, in, name, path, depth)
	case "subset":
		n = Node{decl{kind: KindSubset, name: name}}
		n.values, ok = x.values(in)
		n.max = len(n.values)
		if size := v.Get("size"); !size.IsNull() {
			x.mark(path, "size", size)
			var good bool
			n.min, n.max, good = x.counts(size)
			n.sized, ok = true, ok && good
		}
		return n, ok
	case "permutation":
		n = Node{decl{kind: KindPermutation, name: name}}
		n.values, ok = x.values(in)
		return n, ok
	}
	return x.grammar(v, in, name, path, depth)
}

// pair returns the two elements of [low, high].
func (x *specReader) pair(v *source.Value, note string) (lo, hi *source.Value, ok bool) {
	if v.Kind() == source.List && v.Len() == 2 {
		list, _ := v.List(x.r)
		return list[0], list[1], true
	}
	x.expected(v, "[low, high]", note)
	return nil, nil, false
}

// whole reads a whole number that a float64 holds exactly.
func (x *specReader) whole(v *source.Value, limits ...source.Limit) (float64, bool) {
	i, ok := v.Int(x.r, limits...)
	if ok && (i > maxExact || i < -maxExact) {
		x.expected(v, "a whole number between -2^53 and 2^53", "")
		return 0, false
	}
	return float64(i), ok
}

func (x *specReader) number(word string, v, in *source.Value, name, path string) (Node, bool) {
	n := Node{decl{kind: KindFloat, name: name}}
	whole := word == "int"
	if whole {
		n.kind = KindInt
	}
	read := func(v *source.Value, limits ...source.Limit) (float64, bool) {
		if whole {
			return x.whole(v, limits...)
		}
		return v.Float(x.r, limits...)
	}
	note := ""
	if in.Kind() == source.List && in.Len() > 2 {
		note = "write ordinal for one of several values in order"
	}
	lo, hi, ok := x.pair(in, note)
	if ok {
		var good bool
		n.lo, ok = read(lo)
		n.hi, good = read(hi)
		ok = ok && good
	}
	if s := v.Get("step"); !s.IsNull() {
		x.mark(path, "step", s)
		var good bool
		if n.step, good = read(s, source.Above(0)); !good {
			ok = false
		}
	}
	if l := v.Get("log"); !l.IsNull() {
		x.mark(path, "log", l)
		var good bool
		if n.log, good = l.Bool(x.r); !good {
			ok = false
		}
	}
	return n, ok
}

// literal reads a string, a number or a boolean.
func (x *specReader) literal(v *source.Value) (any, bool) {
	switch v.Kind() {
	case source.String:
		return v.Text(), true
	case source.Bool:
		return v.Bool(x.r)
	case source.Int:
		return x.whole(v)
	case source.Float:
		return v.Float(x.r)
	}
	x.expected(v, "text, a number, true or false", "")
	return nil, false
}

// values reads a list of literals that differ.
func (x *specReader) values(v *source.Value) ([]any, bool) {
	list, ok := v.List(x.r)
	if !ok {
		return nil, false
	}
	if len(list) == 0 {
		x.expected(v, "at least one value", "")
		return nil, false
	}
	out := make([]any, 0, len(list))
	seen := make(map[any]bool, len(list))
	for _, e := range list {
		l, good := x.literal(e)
		if good && seen[l] {
			d := x.r.Errorf(e, "%s stands in the list twice", show(l))
			d.Found, d.Want = show(l), "values that differ"
			good = false
		}
		if !good {
			ok = false
			continue
		}
		seen[l] = true
		out = append(out, l)
	}
	return out, ok
}

// weights reads one weight for each option, by order or by name.
func (x *specReader) weights(n *Node, v *source.Value, path string, options []any) bool {
	w := v.Get("weights")
	if w.IsNull() {
		return true
	}
	x.mark(path, "weights", w)
	ok := true
	if w.Kind() == source.Map {
		names := make([]string, len(options))
		for i, o := range options {
			names[i] = fmt.Sprint(o)
		}
		if !w.Fields(x.r, names...) || !w.Required(x.r, names...) {
			return false
		}
		for _, name := range names {
			f, good := w.Get(name).Float(x.r, source.Above(0))
			n.weights, ok = append(n.weights, f), ok && good
		}
		return ok
	}
	list, ok := w.List(x.r)
	for _, e := range list {
		f, good := e.Float(x.r, source.Above(0))
		n.weights, ok = append(n.weights, f), ok && good
	}
	if ok && len(list) == 0 {
		x.expected(w, "one weight for each option", "")
		return false
	}
	return ok
}

func (x *specReader) choice(v, in *source.Value, name, path string, depth int) (Node, bool) {
	n := Node{decl{kind: KindChoice, name: name}}
	cases, _ := in.Map(x.r)
	if len(cases) == 0 {
		x.expected(in, "at least one case", "")
		return n, false
	}
	var labels []any
	for _, e := range cases {
		below := join(path, e.Name())
		x.mark(below, "", e.Key)
		if k := e.Value.Kind(); k != source.Null && k != source.Map {
			x.expected(e.Value, "the parameters of the case, or nothing", "")
			n.cases = append(n.cases, Branch{Name: e.Name()})
			labels = append(labels, e.Name())
			continue
		}
		n.cases = append(n.cases, Branch{Name: e.Name(), Nodes: x.nodes(e.Value, below, depth)})
		labels = append(labels, e.Name())
	}
	return n, x.weights(&n, v, path, labels)
}

// counts reads [low, high] or one number for both.
func (x *specReader) counts(v *source.Value) (lo, hi int, ok bool) {
	a, b := v, v
	if v.Kind() != source.Int {
		if a, b, ok = x.pair(v, "or one whole number"); !ok {
			return 0, 0, false
		}
	}
	limits := []source.Limit{source.AtLeast(0), source.AtMost(maxRepeat)}
	l, ok := a.Int(x.r, limits...)
	h, good := l, ok
	if b != a {
		h, good = b.Int(x.r, limits...)
	}
	return int(l), int(h), ok && good
}

func (x *specReader) repeat(v, in *source.Value, name, path string, depth int) (Node, bool) {
	n := Node{decl{kind: KindRepeat, name: name}}
	var ok bool
	n.min, n.max, ok = x.counts(in)
	of := v.Get("of")
	if of.IsNull() {
		d := x.r.Errorf(in, "key `of` is missing: it says what is repeated")
		d.Want = "of"
		return n, false
	}
	x.mark(path, "of", of)
	isNode := of.Kind() != source.Map
	for _, word := range kindWords {
		isNode = isNode || of.Has(word)
	}
	if isNode {
		body, good := x.node(of, "", path, depth+1, nil)
		n.nodes = []Node{body}
		return n, ok && good
	}
	if !x.looksLikeGroup(of) {
		return n, false
	}
	n.nodes = x.nodes(of, path, depth+1)
	return n, ok && len(n.nodes) > 0
}

func (x *specReader) grammar(v, in *source.Value, name, path string, depth int) (Node, bool) {
	n := Node{decl{kind: KindGrammar, name: name}}
	entries, ok := in.Map(x.r)
	if !ok {
		return n, false
	}
	if d := v.Get("depth"); !d.IsNull() {
		x.mark(path, "depth", d)
		depth, good := d.Int(x.r, source.AtLeast(1), source.AtMost(openDepth))
		n.depth, ok = int(depth), good
	}
	if !in.Required(x.r, "start") {
		ok = false
	}
	var symbols []string
	for _, e := range entries {
		if e.Name() != "start" {
			symbols = append(symbols, unquoteName(e.Name()))
		}
	}
	for _, e := range entries {
		if e.Name() == "start" {
			x.mark(path, "start", e.Value)
			var good bool
			if n.start, good = e.Value.Str(x.r); good && !slices.Contains(symbols, n.start) {
				_, good = e.Value.Word(x.r, symbols...)
			}
			ok = ok && good
			continue
		}
		symbol := unquoteName(e.Name())
		x.mark(path, symbol, e.Value)
		if !nameForm.MatchString(symbol) {
			d := x.r.Errorf(e.Key, "expected %s, found the symbol %q", nameWant, symbol)
			d.Found, d.Want = symbol, nameWant
			ok = false
			continue
		}
		list, good := e.Value.List(x.r)
		ok = ok && good
		rule := GrammarRule{Symbol: symbol}
		for _, p := range list {
			production, good := x.production(p, join(path, symbol), depth)
			rule.Productions = append(rule.Productions, production)
			ok = ok && good
		}
		n.rules = append(n.rules, rule)
	}
	return n, ok
}

func (x *specReader) production(v *source.Value, path string, depth int) (p Production, ok bool) {
	if v.Kind() != source.Map {
		x.expected(v, "a production such as {use: [C, M]}", "")
		return p, false
	}
	ok = v.Fields(x.r, "p", "use", "with")
	ok = v.Required(x.r, "use") && ok
	if w := v.Get("p"); !w.IsNull() {
		var good bool
		p.Weight, good = w.Float(x.r, source.Above(0), source.AtMost(1))
		ok = ok && good
	}
	switch use := v.Get("use"); use.Kind() {
	case source.Null:
		if v.Has("use") {
			x.expected(use, "a symbol or a list of symbols", "")
		}
		ok = false
	case source.List:
		list, _ := use.List(x.r)
		if len(list) == 0 {
			x.expected(use, "at least one symbol", "")
			ok = false
		}
		for _, e := range list {
			s, good := e.Str(x.r)
			p.Symbols, ok = append(p.Symbols, s), ok && good
		}
	default:
		s, good := use.Str(x.r)
		if words := strings.Fields(s); good && len(words) != 1 {
			x.expected(use, "a symbol or a list of symbols", "write ["+strings.Join(words, ", ")+"]")
			good = false
		}
		p.Symbols, ok = []string{s}, ok && good
	}
	if with := v.Get("with"); !with.IsNull() {
		below := join(path, strings.ReplaceAll(strings.Join(p.Symbols, " "), " ", "_"))
		x.mark(below, "", with)
		p.With = x.nodes(with, below, depth)
	}
	return p, ok
}

// withoutRules returns the nodes without conditions and constraints.
func withoutRules(nodes []Node) []Node {
	return rewrite(nodes, "", func(_ string, n Node) []Node {
		if n.kind == kindRequire {
			return nil
		}
		n.when = ""
		return []Node{n}
	})
}
