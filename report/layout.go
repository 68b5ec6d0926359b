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

// walk calls visit for every parameter of a design. A choice has the name of
// its case, a repeat its count, a subset, permutation or grammar its JSON.
func (l *layout) walk(design []byte, visit func(p place, v any)) error {
	d := json.NewDecoder(bytes.NewReader(design))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return fmt.Errorf("its design is not JSON: %w", err)
	}
	w := walk{visit: visit}
	return w.node(l.root, v)
}

type walk struct {
	path  []byte
	key   []int32
	visit func(p place, v any)
}

func (w *walk) emit(n *part, v any) { w.visit(place{w.path, w.key, n}, v) }

// below runs f with a longer path.
func (w *walk) below(name string, order int32, f func() error) error {
	path, key := len(w.path), len(w.key)
	if name != "" {
		if path > 0 && name[0] != '[' {
			w.path = append(w.path, '.')
		}
		w.path = append(w.path, name...)
	}
	w.key = append(w.key, order)
	err := f()
	w.path, w.key = w.path[:path], w.key[:key]
	return err
}

func (w *walk) wrong(n *part, v any) error {
	return fmt.Errorf("its design has %v at %q, where the space has a %s", v, w.path, n.kind)
}

func (w *walk) node(n *part, v any) error {
	switch n.kind {
	case "group":
		return w.group(n, v)
	case "choice":
		m, ok := v.(map[string]any)
		if !ok || len(m) != 1 {
			return w.wrong(n, v)
		}
		for name, inside := range m {
			w.emit(n, name)
			kid := n.kids[name]
			if kid == nil { // a case of a later version of the space
				kid = &part{kind: "group"}
			}
			return w.below(name, kid.order, func() error { return w.group(kid, inside) })
		}
	case "repeat":
		list, ok := v.([]any)
		if !ok {
			return w.wrong(n, v)
		}
		w.emit(n, int64(len(list)))
		for i, e := range list {
			err := w.below("["+strconv.Itoa(i)+"]", int32(i), func() error {
				if n.body != nil {
					return w.node(n.body, e)
				}
				return w.group(n, e)
			})
			if err != nil {
				return err
			}
		}
	default:
		w.emit(n, v)
	}
	return nil
}

func (w *walk) group(n *part, v any) error {
	m, ok := v.(map[string]any)
	if !ok && v != nil {
		return w.wrong(n, v)
	}
	for name, inside := range m {
		kid := n.kids[name]
		if kid == nil {
			kid = &part{kind: "const", path: join(n.path, name), order: 1 << 30}
		}
		if err := w.below(name, kid.order, func() error { return w.node(kid, inside) }); err != nil {
			return err
		}
	}
	return nil
}
