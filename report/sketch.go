package report

// This file reads a design into sketches: what will be drawn, without places.

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/daedalus-search/daedalus/internal/diagram"
	"github.com/daedalus-search/daedalus/space"
)

// ordered is a JSON value whose objects keep their order.
type ordered struct {
	kind byte // { [ s n b 0
	text string
	keys []string
	vals []*ordered
}

func readOrdered(text []byte) (*ordered, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var value func() (*ordered, error)
	value = func() (*ordered, error) {
		tok, err := dec.Token()
		if err != nil {
			return nil, err
		}
		switch tok := tok.(type) {
		case string:
			return &ordered{kind: 's', text: tok}, nil
		case json.Number:
			return &ordered{kind: 'n', text: tok.String()}, nil
		case bool:
			return &ordered{kind: 'b', text: strconv.FormatBool(tok)}, nil
		case json.Delim:
			v := &ordered{kind: byte(tok)}
			for dec.More() {
				if v.kind == '{' {
					key, err := dec.Token()
					if err != nil {
						return nil, err
					}
					v.keys = append(v.keys, key.(string))
				}
				x, err := value()
				if err != nil {
					return nil, err
				}
				v.vals = append(v.vals, x)
			}
			_, err := dec.Token()
			return v, err
		}
		return &ordered{kind: '0'}, nil
	}
	return value()
}

// get returns the value of a key, or nil.
func (v *ordered) get(key string) *ordered {
	for i, k := range v.keys {
		if k == key {
			return v.vals[i]
		}
	}
	return nil
}

// leaves counts the values below v.
func (v *ordered) leaves() int {
	if len(v.vals) == 0 {
		return 1
	}
	n := 0
	for _, x := range v.vals {
		n += x.leaves()
	}
	return n
}

type sketchKind uint8

const (
	sketchConst  sketchKind = iota
	sketchNumber            // on a range
	sketchPick              // an option among others
	sketchFlag              // true or false
	sketchSet               // items that are in or out
	sketchChain             // labels in order
	sketchBars              // numbers in order
	sketchGroup
	sketchCase   // a case with parameters of its own
	sketchCopies // a repeat of more than single values
	sketchTree   // a derivation
	sketchNote   // words about what is not drawn
)

// A sketch is one part of a design, ready to be drawn.
type sketch struct {
	kind   sketchKind
	name   string
	param  *space.Param // nil if nothing is known about it
	text   string       // the value
	unit   string       // of a list of numbers
	about  string       // the value and its range in full
	at     float64      // where a number lies in its range, 0 to 1
	list   []string     // items, options or values
	in     []bool       // which of them are chosen
	ats    []float64    // where the numbers of a list lie in their range
	total  int          // how many there are, drawn or not
	copies [][]*sketch  // of a repeat; of a group or case, one list
	tree   *step
	tokens []string
}

// A step is one production of a derivation.
type step struct {
	symbol string
	parts  []stepPart
	with   []string // parameters as text
}

// A stepPart is a terminal or, if step is not nil, a nonterminal.
type stepPart struct {
	terminal string
	step     *step
}

// size counts the productions of a derivation.
func (s *step) size() int {
	n := 1
	for _, p := range s.parts {
		if p.step != nil {
			n += p.step.size()
		}
	}
	return n
}

// terminal returns the only part of a production that is a single terminal.
func (s *step) terminal() (string, bool) {
	if len(s.parts) == 1 && s.parts[0].step == nil {
		return s.parts[0].terminal, true
	}
	return "", false
}

// A sketcher reads a design.
type sketcher struct {
	params map[string][]*space.Param
	rows   int // still to be drawn
	more   int // parameters that are not drawn
}

// take reports whether there is room for one more row.
func (r *sketcher) take() bool {
	if r.rows == 0 {
		r.more++
		return false
	}
	r.rows--
	return true
}

// spend takes rows for what is higher than one.
func (r *sketcher) spend(rows int) { r.rows = max(0, r.rows-rows) }

// lines estimates how many lines a list of labels takes beyond one.
func lines(list []string) int {
	const width = 480
	w := 0.0
	for _, t := range list {
		w += diagram.PillWidth(t, width) + 12
	}
	return int(w / width)
}

// sitePath is the static path of a name, as [space.Param] has it.
func sitePath(path, name string) string {
	if path == "" || name == "" {
		return path + name
	}
	return path + "." + name
}

// find returns the parameter with a path that is of one of the kinds.
func (r *sketcher) find(path string, kinds ...space.Kind) *space.Param {
	for _, p := range r.params[path] {
		if slices.Contains(kinds, p.Kind) {
			return p
		}
	}
	return nil
}

// findRepeat returns the repeat with a path that stands directly in a number of
// nameless repeats. They all share the path, and the innermost is listed first.
func (r *sketcher) findRepeat(path string, around int) *space.Param {
	list := r.params[path]
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].Kind != space.KindRepeat {
			continue
		}
		if around == 0 {
			return list[i]
		}
		around--
	}
	return nil
}

// fields reads the parameters of an object.
func (r *sketcher) fields(path string, v *ordered, depth int) (out []*sketch) {
	if depth > drawNested {
		if !r.take() {
			return nil
		}
		return []*sketch{{kind: sketchNote, name: fmt.Sprintf("… %d more inside", v.leaves())}}
	}
	for i, key := range v.keys {
		if s := r.node(sitePath(path, key), key, v.vals[i], 0, depth); s != nil {
			out = append(out, s)
		}
	}
	return out
}

// node reads one parameter; repeats says how many nameless repeats are around
// it. It returns nil if there is no room left.
func (r *sketcher) node(path, name string, v *ordered, repeats, depth int) *sketch {
	switch v.kind {
	case '{':
		if p := r.find(path, space.KindChoice); p != nil && len(v.keys) == 1 {
			return r.choice(path, name, p, v, depth)
		}
		if s := r.grammar(path, name, v); s != nil {
			return s
		}
		kids := r.fields(path, v, depth+1)
		if kids == nil && (len(v.keys) > 0 || !r.take()) {
			return nil
		}
		r.spend(1)
		return &sketch{kind: sketchGroup, name: name, copies: [][]*sketch{kids}}
	case '[':
		if p := r.findRepeat(path, repeats); p != nil {
			return r.repeat(path, name, p, v, repeats, depth)
		}
		return r.items(path, name, v)
	}
	if !r.take() {
		return nil
	}
	return r.value(path, name, v)
}

func (r *sketcher) choice(path, name string, p *space.Param, v *ordered, depth int) *sketch {
	ok := r.take()
	kids := r.fields(sitePath(path, v.keys[0]), v.vals[0], depth+1)
	if !ok {
		return nil
	}
	s := &sketch{kind: sketchCase, name: name, param: p, text: v.keys[0], copies: [][]*sketch{kids}}
	if len(kids) == 0 {
		s.kind = sketchPick
	}
	s.options(p, v.keys[0])
	return s
}

// options lists the options of a parameter.
func (s *sketch) options(p *space.Param, chosen string) {
	s.total = len(p.Labels)
	for _, l := range p.Labels {
		if len(s.list) == drawChips {
			break
		}
		text := labelText(l)
		s.list = append(s.list, text)
		s.in = append(s.in, text == chosen)
	}
}

// labelText is an option as text.
func labelText(v any) string {
	if x, ok := v.(float64); ok {
		return numberText(strconv.FormatFloat(x, 'g', -1, 64), false)
	}
	return fmt.Sprint(v)
}

// numberText shortens a number, one of a continuum to four digits.
func numberText(text string, real bool) string {
	x, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return text
	}
	short := text
	switch {
	case real:
		short = strconv.FormatFloat(x, 'g', 4, 64)
	case len(text) > 12:
		short = strconv.FormatFloat(x, 'g', 8, 64)
	}
	if mantissa, exp, ok := strings.Cut(short, "e"); ok { // 1e-05 is 1e-5
		if n, err := strconv.Atoi(exp); err == nil {
			if n >= 0 && n < 6 {
				return strconv.FormatFloat(x, 'f', 0, 64)
			}
			return mantissa + "e" + strconv.Itoa(n)
		}
	}
	return short
}

// value reads a single value.
func (r *sketcher) value(path, name string, v *ordered) *sketch {
	s := &sketch{name: name, text: v.text}
	if v.kind == '0' {
		s.text = "—"
		return s
	}
	p := r.find(path, space.KindFloat, space.KindInt, space.KindOrdinal, space.KindCategorical, space.KindBool)
	if p == nil {
		if v.kind == 'n' {
			s.text = numberText(v.text, false)
		}
		return s
	}
	s.param = p
	switch p.Kind {
	case space.KindBool:
		s.kind = sketchFlag
	case space.KindCategorical:
		s.kind = sketchPick
		if v.kind == 'n' {
			s.text = numberText(v.text, false)
		}
		s.options(p, s.text)
	case space.KindOrdinal:
		if v.kind == 'n' {
			s.text = numberText(v.text, false)
		}
		s.options(p, s.text)
		s.kind = sketchNumber
		if v.kind != 'n' && len(p.Labels) <= drawChips {
			s.kind = sketchPick
		}
		for i, l := range p.Labels {
			if labelText(l) == s.text {
				s.at = share(float64(i), 0, float64(len(p.Labels)-1), false)
			}
		}
		s.about = fmt.Sprintf("%s, one of %d values from %s to %s", s.text, len(p.Labels), labelText(p.Labels[0]), labelText(p.Labels[len(p.Labels)-1]))
	default:
		s.kind = sketchNumber
		x, _ := strconv.ParseFloat(v.text, 64)
		s.text = numberText(v.text, p.N == 0)
		s.at = share(x, p.Lo, p.Hi, p.Log)
		s.about = fmt.Sprintf("%s, from %v to %v", v.text, p.Lo, p.Hi)
		if p.Log {
			s.about += " (logarithmic)"
		}
	}
	if p.Unit != "" {
		s.text += " " + p.Unit
	}
	return s
}

// share is where x lies between lo and hi.
func share(x, lo, hi float64, log bool) float64 {
	if log && lo > 0 && x > 0 {
		x, lo, hi = math.Log(x), math.Log(lo), math.Log(hi)
	}
	if !(hi > lo) {
		return 0.5
	}
	return math.Min(math.Max((x-lo)/(hi-lo), 0), 1)
}

// items reads a subset or a permutation.
func (r *sketcher) items(path, name string, v *ordered) *sketch {
	if !r.take() {
		return nil
	}
	s := &sketch{kind: sketchChain, name: name}
	var members []string
	for _, x := range v.vals {
		text := x.text
		if x.kind == 'n' {
			text = numberText(text, false)
		}
		members = append(members, text)
	}
	if p := r.find(path, space.KindSubset); p != nil {
		s.kind, s.param = sketchSet, p
		in := map[string]bool{}
		for _, m := range members {
			in[m] = true
		}
		// Where not all fit, those that are in come first.
		room := max(drawChips-len(members), 0)
		for _, l := range p.Labels {
			text := labelText(l)
			if !in[text] {
				if room == 0 {
					continue
				}
				room--
			}
			if len(s.list) < drawChips {
				s.list = append(s.list, text)
				s.in = append(s.in, in[text])
			}
		}
		s.total = len(p.Labels)
	} else {
		s.total = len(members)
		s.list = members[:min(len(members), drawChips)]
	}
	r.spend(lines(s.list))
	return s
}

// repeat reads the copies of a repeat. Single values become one row.
func (r *sketcher) repeat(path, name string, p *space.Param, v *ordered, repeats, depth int) *sketch {
	if !r.take() {
		for _, x := range v.vals {
			r.more += x.leaves()
		}
		return nil
	}
	s := &sketch{kind: sketchCopies, name: name, param: p, total: len(v.vals)}
	if len(v.vals) == 0 {
		return s
	}
	nameless := func(x *ordered) bool {
		return x.kind != '{' || r.find(path, space.KindChoice) != nil || r.isGrammar(path, x)
	}
	single := true
	for _, x := range v.vals {
		single = single && nameless(x) && x.kind != '[' && (x.kind != '{' || len(x.keys) == 1 && len(x.vals[0].keys) == 0)
	}
	if single {
		s.values(r, path, v.vals[:min(len(v.vals), drawBars)], repeats, depth)
		return s
	}
	for _, x := range v.vals {
		if nameless(x) {
			if kid := r.node(path, "", x, repeats+1, depth+1); kid != nil {
				s.copies = append(s.copies, []*sketch{kid})
			}
			continue
		}
		kids := r.fields(path, x, depth+1)
		if kids != nil || len(x.keys) == 0 && r.take() {
			s.copies = append(s.copies, kids)
		}
	}
	return s
}

// values makes the copies of a repeat, each a single value, one row.
func (s *sketch) values(r *sketcher, path string, list []*ordered, repeats, depth int) {
	own := sketcher{params: r.params, rows: len(list)}
	s.kind = sketchBars
	var values []*sketch
	for _, x := range list {
		k := own.node(path, "", x, repeats+1, depth+1)
		values = append(values, k)
		if k.kind != sketchNumber {
			s.kind = sketchChain
		}
	}
	if s.kind == sketchChain {
		values = values[:min(len(values), drawChips)]
	}
	for _, k := range values {
		text := k.text
		if k.kind == sketchNumber && s.kind == sketchBars { // the unit is said once
			s.unit = k.param.Unit
			text = strings.TrimSuffix(text, " "+s.unit)
			s.about = fmt.Sprintf("%g to %g allowed", k.param.Lo, k.param.Hi)
			if n := len(k.param.Labels); n > 0 {
				s.about = fmt.Sprintf("%s to %s allowed", labelText(k.param.Labels[0]), labelText(k.param.Labels[n-1]))
			}
		}
		s.list = append(s.list, text)
		s.ats = append(s.ats, k.at)
	}
	if s.kind == sketchChain {
		r.spend(lines(s.list))
	}
}

// isGrammar reports whether a value is a derivation of a grammar at a path.
func (r *sketcher) isGrammar(path string, v *ordered) bool {
	tree := v.get("tree")
	if len(v.keys) != 2 || v.get("tokens") == nil || tree == nil {
		return false
	}
	rule := tree.get("rule")
	return rule != nil && r.find(sitePath(path, rule.text), space.KindRule) != nil
}

// grammar reads a derivation, or returns nil if v is none.
func (r *sketcher) grammar(path, name string, v *ordered) *sketch {
	if !r.isGrammar(path, v) {
		return nil
	}
	if !r.take() {
		return nil
	}
	s := &sketch{kind: sketchTree, name: name}
	for _, t := range v.get("tokens").vals {
		s.tokens = append(s.tokens, t.text)
	}
	var read func(v *ordered) *step
	read = func(v *ordered) *step {
		st := &step{}
		if rule := v.get("rule"); rule != nil {
			st.symbol = rule.text
		}
		use, of := v.get("use"), v.get("of")
		var symbols []string
		next := 0
		if use != nil {
			for _, u := range use.vals {
				symbols = append(symbols, u.text)
				part := stepPart{terminal: u.text}
				if of != nil && next < len(of.vals) && r.find(sitePath(path, u.text), space.KindRule) != nil {
					part = stepPart{step: read(of.vals[next])}
					next++
				}
				st.parts = append(st.parts, part)
			}
		}
		if with := v.get("with"); with != nil {
			// Parameters of productions are words below them, so they take no row.
			at := sitePath(sitePath(path, st.symbol), strings.Join(symbols, "_"))
			own := sketcher{params: r.params, rows: 12}
			for _, k := range own.fields(at, with, 0) {
				st.with = append(st.with, k.words())
			}
		}
		return st
	}
	s.tree = read(v.get("tree"))
	r.spend(min(s.tree.size(), drawLines) / 2)
	return s
}

// words says a sketch in a line.
func (s *sketch) words() string {
	out := s.name
	switch {
	case s.kind == sketchSet:
		for i, item := range s.list {
			if s.in[i] {
				out += " " + item
			}
		}
	case s.kind == sketchChain || s.kind == sketchBars:
		out += " " + strings.Join(s.list, " ")
	case s.text != "":
		out += " " + s.text
	}
	for _, copy := range s.copies {
		for _, k := range copy {
			out += " " + k.words()
		}
	}
	return strings.TrimSpace(out)
}
