package source

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// JSON returns v as compact JSON: the merged file, with aliases and merge keys
// resolved, keys in file order and numbers as they were written wherever JSON
// allows it (0x10 becomes 16, .5 becomes 0.5, .inf becomes 1e999). [Parse]
// reads it back to an equal tree.
func (v *Value) JSON() []byte { return v.appendJSON(nil) }

func (v *Value) appendJSON(b []byte) []byte {
	switch v.Kind() {
	case List:
		b = append(b, '[')
		for i, e := range v.list {
			if i > 0 {
				b = append(b, ',')
			}
			b = e.appendJSON(b)
		}
		return append(b, ']')
	case Map:
		b = append(b, '{')
		for i, e := range v.entries {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendString(b, e.Key.text)
			b = append(b, ':')
			b = e.Value.appendJSON(b)
		}
		return append(b, '}')
	}
	return v.appendScalar(b)
}

func (v *Value) appendScalar(b []byte) []byte {
	switch v.Kind() {
	case Bool:
		return strconv.AppendBool(b, isTrue(v.text))
	case Int:
		return append(b, decimal(v.text)...)
	case Float:
		return append(b, jsonFloat(v.text)...)
	case String:
		return appendString(b, v.text)
	}
	return append(b, "null"...)
}

// appendString writes a JSON string. It escapes delete (U+007F) too, which JSON
// allows as it is and terminals do not show.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == '\t':
			b = append(b, '\\', 't')
		case c == '\r':
			b = append(b, '\\', 'r')
		case c < 0x20 || c == 0x7f:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

// jsonReader reads strict JSON. Files that begin like JSON are tried with it
// before YAML: it is linear in the size of the file, so that recorded studies
// of any permitted size are read quickly, and it is exact about escapes.
type jsonReader struct {
	*builder
	text         string
	at           int
	mark         int // the offset that line and column stand for
	line, column int
}

// looksLikeJSON reports whether the first character could begin a document
// that is better read as JSON.
func looksLikeJSON(text string) bool {
	text = strings.TrimLeft(text, " \t\n")
	return text != "" && strings.ContainsRune(`{["`, rune(text[0]))
}

// readJSON returns ok false where the text is not JSON. A duplicate key or a
// depth beyond the limit is reported and the text still counts as JSON.
func readJSON(b *builder, text string) (v *Value, ok bool) {
	r := &jsonReader{builder: b, text: text, line: 1, column: 1}
	r.space()
	v, ok = r.value(1)
	r.space()
	return v, ok && (b.fatal || r.at == len(r.text))
}

func (r *jsonReader) space() {
	for r.at < len(r.text) && strings.IndexByte(" \t\n\r", r.text[r.at]) >= 0 {
		r.at++
	}
}

func (r *jsonReader) peek() byte {
	if r.at < len(r.text) {
		return r.text[r.at]
	}
	return 0
}

// here makes a value at the current offset. Offsets only grow, so keeping
// count of lines and columns costs one pass over the text in all.
func (r *jsonReader) here(kind Kind) *Value {
	for r.mark < r.at {
		c, n := utf8.DecodeRuneInString(r.text[r.mark:])
		r.mark += n
		r.column++
		if c == '\n' {
			r.line, r.column = r.line+1, 1
		}
	}
	return &Value{kind: kind, from: r.from, line: r.line, column: r.column}
}

func (r *jsonReader) value(level int) (*Value, bool) {
	switch c := r.peek(); {
	case c == '{':
		return r.object(level)
	case c == '[':
		return r.array(level)
	case c == '"':
		v := r.here(String)
		s, ok := r.str()
		v.text = s
		return r.measured(v), ok
	case c == '-' || isDigit(c):
		v := r.here(Int)
		start := r.at
		for r.at < len(r.text) && (isDigit(r.text[r.at]) || strings.IndexByte("+-.eE", r.text[r.at]) >= 0) {
			r.at++
		}
		v.text = r.text[start:r.at]
		v.kind = number(v.text)
		if v.kind == String || v.kind == Float && jsonFloat(v.text) != v.text || v.kind == Int && decimal(v.text) != v.text {
			return nil, false
		}
		return r.measured(v), true
	}
	for _, w := range [...]string{"null", "true", "false"} {
		if strings.HasPrefix(r.text[r.at:], w) {
			v := r.here(Bool)
			v.text = w
			if w == "null" {
				v.kind = Null
			}
			r.at += len(w)
			return r.measured(v), true
		}
	}
	return nil, false
}

func (r *jsonReader) array(level int) (*Value, bool) {
	v := r.here(List)
	if !r.level(v, level) {
		return nil, true
	}
	r.at++
	r.space()
	if r.peek() == ']' {
		r.at++
		return r.measured(v), true
	}
	for {
		r.space()
		e, ok := r.value(level + 1)
		if !ok || r.fatal {
			return nil, ok
		}
		v.list = append(v.list, e)
		r.space()
		switch r.peek() {
		case ',':
			r.at++
		case ']':
			r.at++
			return r.measured(v), true
		default:
			return nil, false
		}
	}
}

func (r *jsonReader) object(level int) (*Value, bool) {
	v := r.here(Map)
	if !r.level(v, level) {
		return nil, true
	}
	r.at++
	r.space()
	if r.peek() == '}' {
		r.at++
		return r.measured(v), true
	}
	for {
		r.space()
		if r.peek() != '"' {
			return nil, false
		}
		key := r.here(String)
		s, ok := r.str()
		if !ok {
			return nil, false
		}
		key.text = s
		r.space()
		if r.peek() != ':' {
			return nil, false
		}
		r.at++
		r.space()
		e, ok := r.value(level + 1)
		if !ok || r.fatal {
			return nil, ok
		}
		r.put(v, Entry{Key: key, Value: e})
		r.space()
		switch r.peek() {
		case ',':
			r.at++
		case '}':
			r.at++
			return r.measured(v), true
		default:
			return nil, false
		}
	}
}

func (r *jsonReader) str() (string, bool) {
	r.at++
	start := r.at
	for r.at < len(r.text) { // the common case has no escapes
		switch c := r.text[r.at]; {
		case c == '"':
			s := r.text[start:r.at]
			r.at++
			return s, true
		case c == '\\':
			return r.escaped(start)
		case c < 0x20:
			return "", false
		}
		r.at++
	}
	return "", false
}

func (r *jsonReader) escaped(start int) (string, bool) {
	b := []byte(r.text[start:r.at])
	for r.at < len(r.text) {
		c := r.text[r.at]
		r.at++
		switch {
		case c == '"':
			return string(b), true
		case c < 0x20:
			return "", false
		case c != '\\':
			b = append(b, c)
			continue
		}
		c = r.peek()
		r.at++
		switch c {
		case '"', '\\', '/':
			b = append(b, c)
		case 'b':
			b = append(b, '\b')
		case 'f':
			b = append(b, '\f')
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case 't':
			b = append(b, '\t')
		case 'u':
			u, ok := r.hex4()
			if ok && utf16.IsSurrogate(u) {
				if !strings.HasPrefix(r.text[r.at:], `\u`) {
					return "", false
				}
				r.at += 2
				var low rune
				low, ok = r.hex4()
				u = utf16.DecodeRune(u, low)
				ok = ok && u != utf8.RuneError
			}
			if !ok {
				return "", false
			}
			b = utf8.AppendRune(b, u)
		default:
			return "", false
		}
	}
	return "", false
}

func (r *jsonReader) hex4() (rune, bool) {
	if r.at+4 > len(r.text) {
		return 0, false
	}
	n, err := strconv.ParseUint(r.text[r.at:r.at+4], 16, 16)
	r.at += 4
	return rune(n), err == nil
}
