package space

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
)

// MarshalJSON writes the space as a document {"space": …, "require": […]} that
// [Parse] reads and study files may contain. Equal spaces give equal text; the
// constraints of a list of nodes stand last in it. Files are held to limits (64
// levels of lists and maps, 1 MiB) that a space made in code may exceed; its
// text can then not be read back.
func (s *Space) MarshalJSON() ([]byte, error) {
	w := specWriter{buf: make([]byte, 0, 64*len(s.params)+32)}
	nodes := s.Nodes()
	w.raw(`{"space":`)
	w.nodes(slices.DeleteFunc(slices.Clone(nodes), func(n Node) bool { return n.kind == kindRequire }))
	w.requires(nodes, true)
	w.raw("}")
	if w.err != nil {
		return nil, w.err
	}
	return w.buf, nil
}

// String returns the space as [Space.MarshalJSON] writes it.
func (s *Space) String() string {
	b, err := s.MarshalJSON()
	if err != nil {
		return err.Error()
	}
	return string(b)
}

type specWriter struct {
	buf []byte
	err error
}

func (w *specWriter) raw(s string) { w.buf = append(w.buf, s...) }

func (w *specWriter) text(s string) {
	if !utf8.ValidString(s) && w.err == nil {
		w.err = fmt.Errorf("space: %q cannot be written as JSON; expected UTF-8", s)
	}
	w.buf = appendString(w.buf, s)
}

// number writes whole numbers in full, so that they are read as such.
func (w *specWriter) number(x float64) {
	if abs(x) <= maxExact && x == math.Trunc(x) {
		w.buf = strconv.AppendInt(w.buf, int64(x), 10)
		return
	}
	w.buf = strconv.AppendFloat(w.buf, x, 'g', -1, 64)
}

func (w *specWriter) literal(v any) {
	switch v := v.(type) {
	case float64:
		w.number(v)
	case string:
		w.text(v)
	default:
		w.buf = appendLiteral(w.buf, v)
	}
}

func (w *specWriter) literals(values []any) {
	w.raw("[")
	for i, v := range values {
		if i > 0 {
			w.raw(",")
		}
		w.literal(v)
	}
	w.raw("]")
}

func (w *specWriter) pair(lo, hi float64) {
	w.raw("[")
	w.number(lo)
	w.raw(",")
	w.number(hi)
	w.raw("]")
}

// nodes writes a map of names to nodes.
func (w *specWriter) nodes(nodes []Node) {
	w.raw("{")
	first := true
	for i := range nodes {
		n := &nodes[i]
		if n.kind == kindRequire {
			continue
		}
		if !first {
			w.raw(",")
		}
		first = false
		w.key(n.name, "require", kindWords...)
		w.node(n)
	}
	w.requires(nodes, !first)
	w.raw("}")
}

// key writes a name, in backquotes where it could be taken for a word of the
// form.
func (w *specWriter) key(name, word string, words ...string) {
	if name == word || slices.Contains(words, name) {
		name = "`" + name + "`"
	}
	w.text(name)
	w.raw(":")
}

func (w *specWriter) requires(nodes []Node, comma bool) {
	first := true
	for i := range nodes {
		if nodes[i].kind != kindRequire {
			continue
		}
		switch {
		case !first:
			w.raw(",")
		case comma:
			w.raw(`,"require":[`)
		default:
			w.raw(`"require":[`)
		}
		first = false
		w.text(nodes[i].constraint)
	}
	if !first {
		w.raw("]")
	}
}

func (w *specWriter) node(n *Node) {
	options := n.unit != "" || n.doc != "" || n.when != ""
	if n.kind == KindBool && n.weights == nil && !options {
		w.raw(`"bool"`)
		return
	}
	if n.kind == KindGroup && n.name != "" && !options && len(n.nodes) > countRequires(n.nodes) {
		w.nodes(n.nodes)
		return
	}
	w.raw(`{"` + n.kind.String() + `":`)
	switch n.kind {
	case KindFloat, KindInt:
		w.pair(n.lo, n.hi)
		if n.log {
			w.raw(`,"log":true`)
		}
		if n.step != 0 {
			w.raw(`,"step":`)
			w.number(n.step)
		}
	case KindOrdinal, KindCategorical, KindPermutation:
		w.literals(n.values)
	case KindBool:
		w.raw("null")
	case KindConst:
		w.literal(n.values[0])
	case KindChoice:
		w.cases(n)
	case KindGroup:
		w.nodes(n.nodes)
	case KindRepeat:
		w.counts(n.min, n.max)
		w.raw(`,"of":`)
		if len(n.nodes) == 1 && n.nodes[0].name == "" {
			w.node(&n.nodes[0])
		} else {
			w.nodes(n.nodes)
		}
	case KindSubset:
		w.literals(n.values)
		if n.sized {
			w.raw(`,"size":`)
			w.counts(n.min, n.max)
		}
	case KindGrammar:
		w.grammar(n)
	}
	if n.weights != nil && n.kind != KindChoice {
		w.raw(`,"weights":[`)
		for i, x := range n.weights {
			if i > 0 {
				w.raw(",")
			}
			w.number(x)
		}
		w.raw("]")
	}
	for _, o := range []struct{ key, text string }{{"unit", n.unit}, {"doc", n.doc}, {"when", n.when}} {
		if o.text != "" {
			w.raw(`,"` + o.key + `":`)
			w.text(o.text)
		}
	}
	w.raw("}")
}

func (w *specWriter) counts(lo, hi int) {
	if lo == hi {
		w.number(float64(lo))
		return
	}
	w.pair(float64(lo), float64(hi))
}

func (w *specWriter) cases(n *Node) {
	w.raw("{")
	for i, b := range n.cases {
		if i > 0 {
			w.raw(",")
		}
		w.text(b.Name)
		w.raw(":")
		w.nodes(b.Nodes)
	}
	w.raw("}")
	if n.weights == nil {
		return
	}
	w.raw(`,"weights":{`)
	for i, x := range n.weights {
		if i > 0 {
			w.raw(",")
		}
		w.text(n.cases[i].Name)
		w.raw(":")
		w.number(x)
	}
	w.raw("}")
}

func (w *specWriter) grammar(n *Node) {
	w.raw(`{"start":`)
	w.text(n.start)
	for _, r := range n.rules {
		w.raw(",")
		w.key(r.Symbol, "start")
		w.raw("[")
		for j, p := range r.Productions {
			if j > 0 {
				w.raw(",")
			}
			w.raw("{")
			if p.Weight != 0 {
				w.raw(`"p":`)
				w.number(p.Weight)
				w.raw(",")
			}
			w.raw(`"use":[`)
			for k, s := range p.Symbols {
				if k > 0 {
					w.raw(",")
				}
				w.text(s)
			}
			w.raw("]")
			if len(p.With) > 0 {
				w.raw(`,"with":`)
				w.nodes(p.With)
			}
			w.raw("}")
		}
		w.raw("]")
	}
	w.raw("}")
	if n.depth != 0 {
		w.raw(`,"depth":`)
		w.number(float64(n.depth))
	}
}
