package source

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// Kind is what a value is, by the YAML 1.2 core schema.
type Kind uint8

const (
	Null   Kind = iota // nothing, null or ~
	Bool               // true or false
	Int                // a whole number of any size
	Float              // a number with a point or an exponent, or ±.inf
	String             // any other scalar, and everything in quotes
	List
	Map
)

// String returns the kind in the words used in diagnostics.
func (k Kind) String() string {
	switch k {
	case Null:
		return "nothing"
	case Bool:
		return "true or false"
	case Int:
		return "a whole number"
	case Float:
		return "a number"
	case String:
		return "text"
	case List:
		return "a list"
	case Map:
		return "a map"
	}
	return "unknown"
}

// A Value is a scalar, a list or a map, with the place it was read from.
//
// Values are read-only except through [Set]. All methods accept a nil *Value,
// which stands for something that is not in the file.
type Value struct {
	kind    Kind
	text    string // scalars: as written, without quotes
	list    []*Value
	entries []Entry
	index   map[string]int // of entries; nil for small maps
	from    *origin
	line    int
	column  int
	via     string // how an aliased value was reached
	size    int    // bytes of its JSON form
	depth   int    // levels of lists and maps, itself included
}

// An Entry is one key of a map and its value. Key is a scalar whose text is
// the name and whose place is that of the key.
type Entry struct {
	Key   *Value
	Value *Value
}

// Name returns the text of the key.
func (e Entry) Name() string { return e.Key.Text() }

// An origin is the text that values were read from.
type origin struct {
	name string
	text string
	flag bool // a command line argument: name is "--set path"
}

// Kind returns what v is; a nil value is [Null].
func (v *Value) Kind() Kind {
	if v == nil {
		return Null
	}
	return v.kind
}

// Text returns a scalar as it was written, without its quotes, whatever its
// kind: "O3", "yes", "1e3", "0x10", "~". It is empty for lists and maps, and
// for an empty value.
func (v *Value) Text() string {
	if v == nil {
		return ""
	}
	return v.text
}

// IsNull reports whether v is absent, empty, null or ~.
func (v *Value) IsNull() bool { return v.Kind() == Null }

// IsScalar reports whether v is present and neither a list nor a map.
func (v *Value) IsScalar() bool { return v != nil && v.kind < List }

// File returns the name that [Parse] was given, or "--set path" for a value
// made by [Set].
func (v *Value) File() string {
	if v == nil || v.from == nil {
		return ""
	}
	return v.from.name
}

// Line returns the line of v, from 1; 0 for a value made by [Set].
func (v *Value) Line() int {
	if v == nil || v.from == nil || v.from.flag {
		return 0
	}
	return v.line
}

// Column returns the column of v in characters, from 1.
func (v *Value) Column() int {
	if v == nil {
		return 0
	}
	return v.column
}

// Len returns the number of elements of a list or entries of a map.
func (v *Value) Len() int {
	if v == nil {
		return 0
	}
	return len(v.list) + len(v.entries)
}

// Get returns the value of a key, or nil where v is no map or has no such key.
func (v *Value) Get(key string) *Value {
	if i := v.find(key); i >= 0 {
		return v.entries[i].Value
	}
	return nil
}

// Key returns the key itself, for diagnostics that are about its name, or nil.
func (v *Value) Key(key string) *Value {
	if i := v.find(key); i >= 0 {
		return v.entries[i].Key
	}
	return nil
}

// Has reports whether v is a map with the key, even if its value is empty.
func (v *Value) Has(key string) bool { return v.find(key) >= 0 }

func (v *Value) find(key string) int {
	if v == nil {
		return -1
	}
	if v.index != nil {
		if i, ok := v.index[key]; ok {
			return i
		}
		return -1
	}
	for i := range v.entries {
		if v.entries[i].Key.text == key {
			return i
		}
	}
	return -1
}

// indexFrom is the number of entries from which a map keeps an index.
const indexFrom = 16

func (v *Value) appendEntry(e Entry) {
	v.entries = append(v.entries, e)
	switch {
	case v.index != nil:
		v.index[e.Key.text] = len(v.entries) - 1
	case len(v.entries) >= indexFrom:
		v.reindex()
	}
}

func (v *Value) reindex() {
	v.index = nil
	if len(v.entries) < indexFrom {
		return
	}
	v.index = make(map[string]int, len(v.entries))
	for i := range v.entries {
		v.index[v.entries[i].Key.text] = i
	}
}

// Plain returns v as nil, bool, int64, *big.Int (where int64 is too small),
// float64, string, []any or map[string]any.
func (v *Value) Plain() any {
	switch v.Kind() {
	case Bool:
		return isTrue(v.text)
	case Int:
		n, _ := new(big.Int).SetString(decimal(v.text), 10)
		if n == nil {
			return nil // cannot happen: resolve only makes Int of such text
		}
		if n.IsInt64() {
			return n.Int64()
		}
		return n
	case Float:
		return floatOf(v.text)
	case String:
		return v.text
	case List:
		out := make([]any, len(v.list))
		for i, e := range v.list {
			out[i] = e.Plain()
		}
		return out
	case Map:
		out := make(map[string]any, len(v.entries))
		for _, e := range v.entries {
			out[e.Key.text] = e.Value.Plain()
		}
		return out
	}
	return nil
}

// resolve gives the kind of a plain (unquoted) scalar: YAML 1.2.2, section
// 10.3.2, "Core Schema, tag resolution". ok is false for not-a-number.
func resolve(text string) (kind Kind, ok bool) {
	switch text {
	case "", "null", "Null", "NULL", "~":
		return Null, true
	case "true", "True", "TRUE", "false", "False", "FALSE":
		return Bool, true
	case ".nan", ".NaN", ".NAN":
		return Float, false
	}
	if _, inf := infinity(text); inf {
		return Float, true
	}
	return number(text), true
}

func isTrue(text string) bool { return text == "true" || text == "True" || text == "TRUE" }

func infinity(text string) (sign int, ok bool) {
	sign = 1
	if strings.HasPrefix(text, "-") {
		sign = -1
	}
	switch strings.TrimLeft(text, "+-") {
	case ".inf", ".Inf", ".INF":
		return sign, len(text) <= len("-.inf")
	}
	return 0, false
}

// number returns Int, Float or, for anything else, String.
func number(s string) Kind {
	if rest, ok := strings.CutPrefix(s, "0x"); ok {
		return allIn(rest, isHex)
	}
	if rest, ok := strings.CutPrefix(s, "0o"); ok {
		return allIn(rest, func(c byte) bool { return '0' <= c && c <= '7' })
	}
	i := 0
	if i < len(s) && (s[i] == '+' || s[i] == '-') {
		i++
	}
	before := digits(s[i:])
	i += before
	if i == len(s) && before > 0 {
		return Int
	}
	if i < len(s) && s[i] == '.' {
		i++
		after := digits(s[i:])
		i += after
		if before+after == 0 {
			return String
		}
	} else if before == 0 {
		return String
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		i++
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		n := digits(s[i:])
		if n == 0 {
			return String
		}
		i += n
	}
	if i == len(s) {
		return Float
	}
	return String
}

func allIn(s string, in func(byte) bool) Kind {
	for i := range len(s) {
		if !in(s[i]) {
			return String
		}
	}
	if s == "" {
		return String
	}
	return Int
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
func isHex(c byte) bool {
	return isDigit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func digits(s string) int {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	return n
}

// decimal rewrites the text of an Int in the decimal form JSON has.
func decimal(text string) string {
	if len(text) > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'o') {
		base := 16
		if text[1] == 'o' {
			base = 8
		}
		if n, ok := new(big.Int).SetString(text[2:], base); ok {
			return n.String()
		}
		return "0"
	}
	sign := ""
	switch {
	case strings.HasPrefix(text, "-"):
		sign, text = "-", text[1:]
	case strings.HasPrefix(text, "+"):
		text = text[1:]
	}
	return sign + trimZeros(text)
}

func trimZeros(s string) string {
	for len(s) > 1 && s[0] == '0' && isDigit(s[1]) {
		s = s[1:]
	}
	return s
}

// jsonFloat rewrites the text of a Float as a JSON number, leaving what
// already is one as it was written. JSON has no infinity; 1e999 is the number
// every reader turns into one.
func jsonFloat(text string) string {
	if sign, ok := infinity(text); ok {
		if sign < 0 {
			return "-1e999"
		}
		return "1e999"
	}
	sign := ""
	switch {
	case strings.HasPrefix(text, "-"):
		sign, text = "-", text[1:]
	case strings.HasPrefix(text, "+"):
		text = text[1:]
	}
	if strings.HasPrefix(text, ".") {
		text = "0" + text
	}
	text = trimZeros(text)
	if i := strings.IndexByte(text, '.'); i >= 0 && (i+1 == len(text) || !isDigit(text[i+1])) {
		text = text[:i+1] + "0" + text[i+1:]
	}
	return sign + text
}

func floatOf(text string) float64 {
	if sign, ok := infinity(text); ok {
		return math.Inf(sign)
	}
	f, _ := strconv.ParseFloat(text, 64) // out of range gives ±Inf, as wanted
	return f
}
