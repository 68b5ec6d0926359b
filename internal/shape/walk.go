package shape

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
)

// A Place is where a value stands in a design.
type Place struct {
	Path []byte  // with indexes, such as stages[0].width; valid during the visit
	Key  []int32 // sorts places in declaration order; valid during the visit
	Part *Part
}

// Walk calls visit for every parameter of a design, with its value as JSON. A
// choice has the name of its case, a repeat its count; subsets, permutations
// and grammars are one value each.
//
// It works on the text: decoding into maps would cost ten times as much.
func (s *Shape) Walk(design []byte, visit func(p Place, value []byte)) error {
	if !json.Valid(design) {
		return fmt.Errorf("its design is not JSON: %.60q", design)
	}
	w := walk{text: design, visit: visit}
	return w.node(s.root)
}

type walk struct {
	text  []byte // valid JSON
	at    int
	path  []byte
	key   []int32
	visit func(p Place, value []byte)
}

func (w *walk) emit(n *Part, value []byte) { w.visit(Place{w.path, w.key, n}, value) }

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
	return Unquoted(raw), raw, true
}

// Unquoted returns the text of a JSON string.
func Unquoted(raw []byte) []byte {
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

func (w *walk) wrong(n *Part) error {
	return fmt.Errorf("its design has %.40s at %q, where the space has a %s", w.skip(), w.path, n.Kind)
}

func (w *walk) node(n *Part) error {
	switch n.Kind {
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
			kid = &Part{Kind: "group"}
		}
		path := w.enter(name, kid.Order)
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
			if n.Body != nil {
				err = w.node(n.Body)
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

func (w *walk) group(n *Part) error {
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
			kid = &Part{Kind: "const", Path: join(n.Path, string(name)), Order: 1 << 30}
		}
		path := w.enter(name, kid.Order)
		if err := w.node(kid); err != nil {
			return err
		}
		w.leave(path)
	}
}
