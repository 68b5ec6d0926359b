package space

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	reflection "reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Of makes a space of a struct type, so that [Design.Decode] fills a value of
// that type from every design. Each exported field is a parameter, described
// by its tags:
//
//	LR      float64  `space:"float 1e-5..1e-1 log" unit:"1/step" doc:"learning rate"`
//	Units   int      `space:"int 16..256 step 8"`
//	Opt     string   `space:"choice O1 O2 'O 3'" weights:"1 2 1"`
//	Kernel  int      `space:"ordinal 3 5 7" when:"opt == O2"`
//	Fast    bool
//	Version int      `space:"const 5"`
//	Stages  []Stage  `space:"repeat 2..5"`
//	Widths  []int    `space:"repeat 1..4 of int 8..64"`
//	Augment []string `space:"subset flip crop mix size 1..2"`
//	Passes  []string `space:"permutation dce inline"`
//	Stem    Stem                      // a struct is a group
//	Block   Block    `space:"choice"` // a struct of pointers to structs: one case each
//	Cache   *File    `space:"-"`      // no parameter
//	_       struct{} `require:"kernel * units <= 1024"`
//
// A parameter has the name that encoding/json uses: that of the json tag, or
// else the field's with a small initial: LR is lr and BatchSize is batchSize.
// Fields of embedded structs count as fields of the outer struct. A pointer stays nil
// where its parameter is inactive.
//
// The error lists every mistake; each is a [*SpecError] whose Path names the
// field.
func Of[T any]() (*Space, error) {
	t := reflection.TypeFor[T]()
	if t.Kind() != reflection.Struct {
		return nil, &SpecError{Path: t.String(), Found: "a " + t.Kind().String(), Want: "a struct type"}
	}
	var b tagReader
	nodes := b.fields(t, typeLabel(t))
	if err := errors.Join(b.errs...); err != nil {
		return nil, err
	}
	return New(nodes...)
}

// MustOf is [Of] for types written in code; it panics on a mistake.
func MustOf[T any]() *Space {
	s, err := Of[T]()
	if err != nil {
		panic(err)
	}
	return s
}

func typeLabel(t reflection.Type) string {
	if t.Name() == "" {
		return "struct"
	}
	return t.Name()
}

var (
	textUnmarshaler = reflection.TypeFor[encoding.TextUnmarshaler]()
	jsonUnmarshaler = reflection.TypeFor[json.Unmarshaler]()
)

type tagReader struct {
	errs   []error
	inside []reflection.Type // structs being read, to notice a cycle
}

func (b *tagReader) fail(field, tag, found, want string) {
	b.errs = append(b.errs, &SpecError{Path: field, Field: tag, Found: found, Want: want})
}

func (b *tagReader) fields(t reflection.Type, label string) []Node {
	if slices.Contains(b.inside, t) {
		b.fail(label, "", "a struct that contains itself", "a finite structure; a grammar describes open-ended ones")
		return nil
	}
	b.inside = append(b.inside, t)
	defer func() { b.inside = b.inside[:len(b.inside)-1] }()
	var nodes []Node
	for i := range t.NumField() {
		f := t.Field(i)
		at := label + "." + f.Name
		tag, tagged := f.Tag.Lookup("space")
		if tag == "-" {
			continue
		}
		if r, ok := f.Tag.Lookup("require"); ok {
			if f.Name != "_" {
				b.fail(at, "require", "a constraint on a field", "a constraint on a blank field: _ struct{}")
			} else {
				nodes = append(nodes, Require(r))
			}
		}
		if f.Name == "_" {
			continue
		}
		name, rename, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && name == "" && !tagged {
			if f.Type.Kind() != reflection.Struct {
				b.fail(at, "", "an embedded "+f.Type.String(), "an embedded struct, or a named field")
				continue
			}
			nodes = append(nodes, b.fields(f.Type, at)...)
			continue
		}
		if !f.IsExported() {
			if tagged {
				b.fail(at, "space", "a field that is not exported", "an exported field, since encoding/json sets no other")
			}
			continue
		}
		switch {
		case f.Tag.Get("json") == "-":
			if tagged {
				b.fail(at, "json", `"-", which hides a parameter from its design`, `another json tag, or space:"-"`)
			}
			continue
		case slices.Contains(strings.Split(rename, ","), "string"):
			b.fail(at, "json", "the option string", "a json tag without it: designs hold plain values")
			continue
		case name == "":
			name = lowerCamel(f.Name)
		}
		n, ok := b.node(f.Type, name, tag, at)
		if !ok {
			continue
		}
		n.when, n.unit, n.doc = f.Tag.Get("when"), f.Tag.Get("unit"), f.Tag.Get("doc")
		for _, w := range strings.Fields(f.Tag.Get("weights")) {
			x, err := strconv.ParseFloat(w, 64)
			if err != nil {
				b.fail(at, "weights", strconv.Quote(w), "numbers with spaces between them")
				break
			}
			n.weights = append(n.weights, x)
		}
		nodes = append(nodes, n)
	}
	return nodes
}

// lowerCamel writes BatchSize as batchSize, HTTPPort as httpPort and LR as lr:
// names that encoding/json finds, because it ignores case.
func lowerCamel(name string) string {
	r := []rune(name)
	for i, c := range r {
		if !unicode.IsUpper(c) || i > 0 && i+1 < len(r) && unicode.IsLower(r[i+1]) {
			break
		}
		r[i] = unicode.ToLower(c)
	}
	return string(r)
}

// words splits a tag at spaces; quotes keep a word together.
func words(tag string) ([]string, error) {
	var out []string
	for tag = strings.TrimSpace(tag); tag != ""; tag = strings.TrimLeft(tag, " \t") {
		if tag[0] == '\'' {
			word, rest, ok := strings.Cut(tag[1:], "'")
			if !ok || rest != "" && rest[0] != ' ' {
				return nil, fmt.Errorf("a quote without its end in %q", tag)
			}
			out, tag = append(out, word), rest
			continue
		}
		end := strings.IndexAny(tag, " \t")
		if end < 0 {
			end = len(tag)
		}
		out, tag = append(out, tag[:end]), tag[end:]
	}
	return out, nil
}

// node reads the tag of one field, or of the elements of one.
func (b *tagReader) node(t reflection.Type, name, tag, at string) (Node, bool) {
	w, err := words(tag)
	if err != nil {
		b.fail(at, "space", err.Error(), "")
		return Node{}, false
	}
	if t.Kind() == reflection.Pointer {
		if t.Elem().Kind() == reflection.Pointer {
			b.fail(at, "", "a "+t.String(), "one pointer at most")
			return Node{}, false
		}
		t = t.Elem()
	}
	own := reflection.PointerTo(t).Implements(textUnmarshaler) || reflection.PointerTo(t).Implements(jsonUnmarshaler)
	if len(w) == 0 {
		switch {
		case own:
		case t.Kind() == reflection.Bool:
			return Bool(name), true
		case t.Kind() == reflection.Struct:
			return Group(name, b.fields(t, at)...), true
		case t.Kind() == reflection.Array && t.Len() > 0:
			return b.repeat(t, name, []string{strconv.Itoa(t.Len())}, at)
		}
		b.fail(at, "space", "no tag on a "+t.String(), `a tag such as space:"int 1..16", or space:"-" for a field that is no parameter`)
		return Node{}, false
	}
	kind, rest := w[0], w[1:]
	isStruct := t.Kind() == reflection.Struct && !own
	switch kind {
	case "float", "int":
		return b.number(t, name, kind, rest, at)
	case "choice", "ordinal", "const":
		if kind == "choice" && isStruct {
			if len(rest) > 0 {
				b.fail(at, "space", strconv.Quote(tag), "choice alone: the fields of the struct are its cases")
				return Node{}, false
			}
			return b.choice(t, name, at)
		}
		values, ok := b.values(t, rest, at)
		if !ok {
			return Node{}, false
		}
		n := Node{decl{name: name, values: values}}
		switch kind {
		case "choice":
			n.kind = KindCategorical
		case "ordinal":
			n.kind = KindOrdinal
		default:
			n.kind = KindConst
			if len(values) != 1 {
				b.fail(at, "space", fmt.Sprintf("%d values of a constant", len(values)), "one")
				return Node{}, false
			}
		}
		return n, true
	case "bool":
		if len(rest) > 0 || t.Kind() != reflection.Bool && !isAny(t) || own {
			b.fail(at, "space", fmt.Sprintf("%q on a %s", tag, t), "bool alone, on a field of type bool")
			return Node{}, false
		}
		return Bool(name), true
	case "group":
		if !isStruct || len(rest) > 0 {
			b.fail(at, "space", fmt.Sprintf("%q on a %s", tag, t), "group alone, on a struct")
			return Node{}, false
		}
		return Group(name, b.fields(t, at)...), true
	case "repeat":
		return b.repeat(t, name, rest, at)
	case "subset", "permutation":
		return b.selection(t, name, kind, rest, at)
	}
	known := []string{"float", "int", "choice", "ordinal", "bool", "const", "group", "repeat", "subset", "permutation"}
	b.fail(at, "space", fmt.Sprintf("kind %q", kind), "one of "+strings.Join(known, ", "))
	return Node{}, false
}

func isAny(t reflection.Type) bool { return t.Kind() == reflection.Interface && t.NumMethod() == 0 }

// span reads low..high, or one number for both.
func span(word string) (lo, hi string) {
	lo, hi, ok := strings.Cut(word, "..")
	if !ok {
		return word, word
	}
	return lo, hi
}

func (b *tagReader) number(t reflection.Type, name, kind string, w []string, at string) (Node, bool) {
	n := Node{decl{kind: KindFloat, name: name}}
	if kind == "int" {
		n.kind = KindInt
	}
	ok := true
	bad := func(found, want string) {
		b.fail(at, "space", found, want)
		ok = false
	}
	parse := func(word string) float64 {
		if kind == "int" {
			i, err := strconv.ParseInt(word, 10, 64)
			if err != nil || i > maxExact || i < -maxExact {
				bad(strconv.Quote(word), "a whole number between -2^53 and 2^53")
			}
			return float64(i)
		}
		x, err := strconv.ParseFloat(word, 64)
		if err != nil || !isFinite(x) {
			bad(strconv.Quote(word), "a finite number")
		}
		return x
	}
	if len(w) == 0 || !strings.Contains(w[0], "..") {
		bad(strings.TrimSpace(kind+" "+strings.Join(w, " ")), kind+" low..high")
		return n, false
	}
	lo, hi := span(w[0])
	n.lo, n.hi = parse(lo), parse(hi)
	for w = w[1:]; len(w) > 0 && ok; {
		switch {
		case w[0] == "log":
			n.log, w = true, w[1:]
		case w[0] == "step" && len(w) > 1:
			n.step, w = parse(w[1]), w[2:]
		default:
			bad(strconv.Quote(w[0]), "log, or step and a number")
		}
	}
	if !ok {
		return n, false
	}
	for _, x := range []float64{n.lo, n.hi} {
		if !holds(t, kind == "int", x) {
			bad(fmt.Sprintf("%s %v..%v on a %s", kind, n.lo, n.hi, t), "a range that fits the type of the field")
			break
		}
	}
	return n, ok
}

// holds reports whether a field of type t can take the number x.
func holds(t reflection.Type, whole bool, x float64) bool {
	v := reflection.New(t).Elem()
	switch {
	case isAny(t):
		return true
	case reflection.PointerTo(t).Implements(textUnmarshaler), reflection.PointerTo(t).Implements(jsonUnmarshaler):
		return fits(t, x)
	case v.CanFloat():
		return t.Kind() == reflection.Float64 || math.Abs(x) <= math.MaxFloat32
	case v.CanInt():
		return whole && x >= -maxExact && x <= maxExact && !v.OverflowInt(int64(x))
	case v.CanUint():
		return whole && x >= 0 && x <= maxExact && !v.OverflowUint(uint64(x))
	}
	return false
}

// fits reports whether encoding/json reads a design's literal into type t.
func fits(t reflection.Type, v any) bool {
	return json.Unmarshal(appendLiteral(nil, v), reflection.New(t).Interface()) == nil
}

// values reads the words of a tag as values of type t.
func (b *tagReader) values(t reflection.Type, w []string, at string) ([]any, bool) {
	if len(w) == 0 {
		b.fail(at, "space", "no values", "values with spaces between them")
		return nil, false
	}
	out := make([]any, len(w))
	for i, word := range w {
		var v any = word
		zero := reflection.New(t).Elem()
		text := reflection.PointerTo(t).Implements(textUnmarshaler) && !reflection.PointerTo(t).Implements(jsonUnmarshaler)
		if number, err := strconv.ParseFloat(word, 64); err == nil && !text && (zero.CanFloat() || zero.CanInt() || zero.CanUint() || isAny(t)) {
			v = number
		} else if truth, err := strconv.ParseBool(word); err == nil && !text && (t.Kind() == reflection.Bool || isAny(t) && (word == "true" || word == "false")) {
			v = truth
		}
		x, isNumber := v.(float64)
		if isNumber && !isFinite(x) || !fits(t, v) || isNumber && math.Abs(x) > maxExact && !zero.CanFloat() {
			b.fail(at, "space", fmt.Sprintf("value %q on a %s", word, t), "values that the field can hold")
			return nil, false
		}
		out[i] = v
	}
	return out, true
}

// choice reads a struct whose fields are the cases of a choice.
func (b *tagReader) choice(t reflection.Type, name, at string) (Node, bool) {
	n := Node{decl{kind: KindChoice, name: name}}
	if slices.Contains(b.inside, t) {
		b.fail(at, "", "a struct that contains itself", "a finite structure; a grammar describes open-ended ones")
		return n, false
	}
	b.inside = append(b.inside, t)
	defer func() { b.inside = b.inside[:len(b.inside)-1] }()
	for i := range t.NumField() {
		f := t.Field(i)
		at := at + "." + f.Name
		tag := f.Tag.Get("space")
		if tag == "-" || !f.IsExported() {
			continue
		}
		if f.Type.Kind() != reflection.Pointer || f.Type.Elem().Kind() != reflection.Struct || f.Anonymous || tag != "" || f.Tag.Get("when") != "" {
			b.fail(at, "", "a "+f.Type.String()+" in a choice", "a pointer to a struct without space and when tags, one for each case")
			continue
		}
		label, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if label == "" {
			label = lowerCamel(f.Name)
		}
		n.cases = append(n.cases, Branch{Name: label, Nodes: b.fields(f.Type.Elem(), at)})
	}
	if len(n.cases) == 0 {
		b.fail(at, "space", "a choice without cases", "a struct with a pointer to a struct for each case")
		return n, false
	}
	return n, true
}

func (b *tagReader) repeat(t reflection.Type, name string, w []string, at string) (Node, bool) {
	n := Node{decl{kind: KindRepeat, name: name}}
	if t.Kind() != reflection.Slice && t.Kind() != reflection.Array {
		b.fail(at, "space", "repeat on a "+t.String(), "a slice")
		return n, false
	}
	e := t.Elem()
	if len(w) == 0 {
		b.fail(at, "space", "repeat without a number", "repeat low..high")
		return n, false
	}
	var ok bool
	if n.min, n.max, ok = b.counts(w[0], at); !ok {
		return n, false
	}
	if t.Kind() == reflection.Array && (n.min != t.Len() || n.max != t.Len()) {
		b.fail(at, "space", fmt.Sprintf("repeat %s on a %s", w[0], t), fmt.Sprintf("%d copies, or a slice", t.Len()))
		return n, false
	}
	if !b.listed(t, at) {
		return n, false
	}
	tag := ""
	if len(w) > 1 {
		if w[1] != "of" || len(w) == 2 {
			b.fail(at, "space", strconv.Quote(w[1]), "of and what is repeated, as in repeat 1..4 of int 8..64")
			return n, false
		}
		for _, word := range w[2:] {
			if word == "" || strings.ContainsAny(word, " \t") {
				word = "'" + word + "'"
			}
			tag += " " + word
		}
	}
	body, ok := b.node(e, "", tag, at+"[]")
	if !ok {
		return n, false
	}
	if body.kind == KindGroup {
		n.nodes = body.nodes
	} else {
		n.nodes = []Node{body}
	}
	if len(n.nodes) == countRequires(n.nodes) {
		b.fail(at, "space", "a repeat of a struct without parameters", "at least one parameter")
		return n, false
	}
	return n, true
}

func (b *tagReader) counts(word, at string) (lo, hi int, ok bool) {
	l, h := span(word)
	lo, err := strconv.Atoi(l)
	hi, bad := strconv.Atoi(h)
	if err != nil || bad != nil {
		b.fail(at, "space", strconv.Quote(word), "a whole number or low..high")
		return 0, 0, false
	}
	return lo, hi, true
}

// listed refuses lists that encoding/json reads in another way.
func (b *tagReader) listed(t reflection.Type, at string) bool {
	switch {
	case reflection.PointerTo(t).Implements(textUnmarshaler), reflection.PointerTo(t).Implements(jsonUnmarshaler):
		b.fail(at, "space", "a "+t.String()+", which reads JSON in its own way", "a plain slice")
		return false
	case t.Kind() == reflection.Slice && t.Elem().Kind() == reflection.Uint8:
		b.fail(at, "space", "a "+t.String()+", which encoding/json reads from text", "a slice of another type, such as []int")
		return false
	}
	return true
}

func (b *tagReader) selection(t reflection.Type, name, kind string, w []string, at string) (Node, bool) {
	n := Node{decl{kind: KindPermutation, name: name}}
	if t.Kind() != reflection.Slice && !(t.Kind() == reflection.Array && kind == "permutation") {
		b.fail(at, "space", kind+" on a "+t.String(), "a slice")
		return n, false
	}
	if !b.listed(t, at) {
		return n, false
	}
	size := ""
	if kind == "subset" {
		n.kind = KindSubset
		if k := len(w); k > 2 && w[k-2] == "size" {
			w, size = w[:k-2], w[k-1]
		}
	}
	var ok bool
	if n.values, ok = b.values(t.Elem(), w, at); !ok {
		return n, false
	}
	if t.Kind() == reflection.Array && t.Len() != len(n.values) {
		b.fail(at, "space", fmt.Sprintf("%d items on a %s", len(n.values), t), fmt.Sprintf("%d, or a slice", t.Len()))
		return n, false
	}
	if kind == "subset" {
		n.max = len(n.values)
	}
	if size != "" {
		n.sized = true
		n.min, n.max, ok = b.counts(size, at)
	}
	return n, ok
}
