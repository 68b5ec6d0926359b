package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/daedalus-search/daedalus/internal/source"
)

// A layout is the shape of a space: what designs look like as nested JSON, and
// in which order their parts stand. It is read from the space's own JSON, since
// a stored study has nothing else.
type layout struct{ root *part }

// A part is one node of a space.
type part struct {
	kind  string // a kind word of space/spec.go, "group", or "categorical" for a choice among values
	path  string // without indexes
	unit  string
	order int32
	kids  map[string]*part // of a group, a repeat (its parameters) or a choice (its cases)
	body  *part            // of a repeat of one nameless node
	typ   Kind             // of the values
}

var kindWords = []string{"float", "int", "ordinal", "choice", "bool", "const", "group", "repeat", "subset", "permutation", "grammar"}

func newLayout(text []byte) (*layout, error) {
	if len(text) == 0 {
		return &layout{root: &part{kind: "group"}}, nil
	}
	root, report := source.Parse("space", text)
	if err := report.Err(); err != nil {
		return nil, err
	}
	order := int32(0)
	var node func(v *source.Value, path string) *part
	group := func(v *source.Value, path string) map[string]*part {
		kids := map[string]*part{}
		entries, _ := v.Map(report)
		for _, e := range entries {
			if e.Name() == "require" {
				continue
			}
			name := unquote(e.Name())
			kids[name] = node(e.Value, join(path, name))
		}
		return kids
	}
	node = func(v *source.Value, path string) *part {
		p := &part{path: path, order: order, unit: v.Get("unit").Text()}
		order++
		if v.IsScalar() {
			p.kind, p.typ = "bool", Bool
			return p
		}
		word, in, _ := v.AtMostOne(report, kindWords...)
		p.kind = word
		switch word {
		case "":
			p.kind = "group"
			p.kids = group(v, path)
		case "group":
			p.kids = group(in, path)
		case "float":
			p.typ = Float
		case "int":
			p.typ = Int
		case "bool":
			p.typ = Bool
		case "ordinal", "const":
			p.typ = typeOf(in)
		case "choice":
			if in.Kind() == source.List {
				p.kind, p.typ = "categorical", typeOf(in)
				break
			}
			p.kids = map[string]*part{}
			cases, _ := in.Map(report)
			for _, e := range cases {
				below := join(path, e.Name())
				kid := &part{kind: "group", path: below, order: order}
				order++
				kid.kids = group(e.Value, below)
				p.kids[e.Name()] = kid
			}
		case "repeat":
			p.typ = Int
			of := v.Get("of")
			nameless := of.IsScalar()
			for _, k := range kindWords {
				nameless = nameless || of.Has(k)
			}
			if nameless {
				p.body = node(of, path)
			} else {
				p.kids = group(of, path)
			}
		}
		return p
	}
	l := &layout{root: &part{kind: "group", kids: group(root.Get("space"), "")}}
	return l, report.Err()
}

// typeOf is the narrowest type that holds a value or all values of a list.
func typeOf(v *source.Value) Kind {
	list := []*source.Value{v}
	if v.Kind() == source.List {
		list, _ = v.List(new(source.Report))
	}
	kind, first := Text, true
	for _, e := range list {
		k := Text
		switch e.Kind() {
		case source.Int:
			k = Int
		case source.Float:
			k = Float
		case source.Bool:
			k = Bool
		}
		switch {
		case first:
			kind, first = k, false
		case kind == k:
		case kind == Int && k == Float || kind == Float && k == Int:
			kind = Float
		default:
			return Text
		}
	}
	return kind
}

func (p *part) column() Kind { return p.typ }

// unquote takes away the backquotes around a name that is also a word.
func unquote(name string) string {
	if n := len(name); n > 2 && name[0] == '`' && name[n-1] == '`' {
		return name[1 : n-1]
	}
	return name
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// A place is where a value stands in a design.
type place struct {
	path []byte  // with indexes; valid during the visit
	key  []int32 // for sorting; valid during the visit
	node *part
}

// walk calls visit for every parameter of a design, with its value as JSON. A
// choice has the name of its case, a repeat its count; subsets, permutations
// and grammars are one value each.
//
// It works on the text: decoding into maps would cost ten times as much.
func (l *layout) walk(design []byte, visit func(p place, value []byte)) error {
	if !json.Valid(design) {
		return fmt.Errorf("its design is not JSON: %.60q", design)
	}
	w := walk{text: design, visit: visit}
	return w.node(l.root)
}

type walk struct {
	text  []byte // valid JSON
	at    int
	path  []byte
	key   []int32
	visit func(p place, value []byte)
}

func (w *walk) emit(n *part, value []byte) { w.visit(place{w.path, w.key, n}, value) }

// peek returns the first byte of the next token.
func (w *walk) peek() byte {
	for w.at < len(w.text) {
		switch c := w.text[w.at]; c {
		case ' ', '\t', '\n', '\r', ',', ':':
			w.at++
		default:
			return c
		}
	}
	return 0
}

// skip passes over the next value and returns it.
func (w *walk) skip() []byte {
	w.peek()
	start, depth := w.at, 0
	for ; w.at < len(w.text); w.at++ {
		switch w.text[w.at] {
		case '"':
			for w.at++; w.text[w.at] != '"'; w.at++ {
				if w.text[w.at] == '\\' {
					w.at++
				}
			}
			if depth == 0 {
				w.at++
				return w.text[start:w.at]
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				w.at++
				return w.text[start:w.at]
			}
			if depth < 0 { // the end of what is around a number
				return w.text[start:w.at]
			}
		case ',', ':', ' ', '\t', '\n', '\r':
			if depth == 0 {
				return w.text[start:w.at]
			}
		}
	}
	return w.text[start:w.at]
}

// name takes the next key of an object, or reports its end.
func (w *walk) name() (name []byte, raw []byte, more bool) {
	if w.peek() == '}' {
		w.at++
		return nil, nil, false
	}
	raw = w.skip()
	return unquoted(raw), raw, true
}

// unquoted returns the text of a JSON string.
func unquoted(raw []byte) []byte {
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1]
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return raw
	}
	return []byte(s)
}

// enter makes the path longer; leave undoes it.
func (w *walk) enter(name []byte, order int32) (path int) {
	path = len(w.path)
	if path > 0 {
		w.path = append(w.path, '.')
	}
	w.path = append(w.path, name...)
	w.key = append(w.key, order)
	return path
}

func (w *walk) leave(path int) { w.path, w.key = w.path[:path], w.key[:len(w.key)-1] }

func (w *walk) wrong(n *part) error {
	return fmt.Errorf("its design has %.40s at %q, where the space has a %s", w.skip(), w.path, n.kind)
}

func (w *walk) node(n *part) error {
	switch n.kind {
	case "group":
		return w.group(n)
	case "choice":
		if w.peek() != '{' {
			return w.wrong(n)
		}
		start := w.at
		w.at++
		name, raw, ok := w.name()
		if !ok {
			w.at = start
			return w.wrong(n)
		}
		w.emit(n, raw)
		kid := n.kids[string(name)]
		if kid == nil { // a case of a later version of the space
			kid = &part{kind: "group"}
		}
		path := w.enter(name, kid.order)
		if err := w.group(kid); err != nil {
			return err
		}
		w.leave(path)
		if w.peek() != '}' {
			return w.wrong(n)
		}
		w.at++
	case "repeat":
		if w.peek() != '[' {
			return w.wrong(n)
		}
		w.at++
		count := 0
		for ; w.peek() != ']'; count++ {
			path := len(w.path)
			w.path = append(w.path, '[')
			w.path = strconv.AppendInt(w.path, int64(count), 10)
			w.path = append(w.path, ']')
			w.key = append(w.key, int32(count))
			var err error
			if n.body != nil {
				err = w.node(n.body)
			} else {
				err = w.group(n)
			}
			if err != nil {
				return err
			}
			w.leave(path)
		}
		w.at++
		var digits [20]byte
		w.emit(n, strconv.AppendInt(digits[:0], int64(count), 10))
	default:
		w.emit(n, w.skip())
	}
	return nil
}

func (w *walk) group(n *part) error {
	switch w.peek() {
	case '{':
		w.at++
	case 'n':
		w.skip()
		return nil
	default:
		return w.wrong(n)
	}
	for {
		name, _, ok := w.name()
		if !ok {
			return nil
		}
		kid := n.kids[string(name)]
		if kid == nil {
			kid = &part{kind: "const", path: join(n.path, string(name)), order: 1 << 30}
		}
		path := w.enter(name, kid.order)
		if err := w.node(kid); err != nil {
			return err
		}
		w.leave(path)
	}
}
