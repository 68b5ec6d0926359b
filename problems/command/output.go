package command

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/daedalus-search/daedalus/internal/source"
	"github.com/daedalus-search/daedalus/metric"
)

// errOutput is the cause of ending a program whose output makes no sense.
var errOutput = errors.New("output")

// An output reads what a program prints, in pieces of any size. It keeps at
// most one line or one JSON object of up to limit bytes.
type output struct {
	metrics []metric.Metric
	limit   int
	report  func(step int64, v metric.Values) error // may be nil

	line    []byte // the line so far
	long    bool   // the line is over the limit; the rest of it is dropped
	object  object // a JSON object over several lines, so far
	nesting bool   // object is in use

	answer     map[string]number // the last JSON object that names a metric
	pairs      map[string]number
	bad        []string // what was wrong with values, in order
	unknown    []string // names that nobody declared, in order
	infeasible *string
	step       int64
	stepNames  []string // metrics of the last intermediate result
	lines      int
	last       string // the last line that is not empty
	longest    bool   // some line was over the limit
}

// A number is a value as the program wrote it.
type number struct {
	x    float64
	text string
	bad  string // why it is not a number; "" if it is
}

// most bounds what is remembered for error messages.
const most = 20

// Write reads the next piece. Its error says why the program should be ended:
// a [problem.ErrPruned] or other error of the reporter, or an errOutput.
func (o *output) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 {
		piece, rest, whole := bytes.Cut(b, []byte{'\n'})
		if room := o.limit - len(o.line); len(piece) > room {
			o.long = true
			piece = piece[:room]
		}
		o.line = append(o.line, piece...)
		b = rest
		if !whole {
			break
		}
		if err := o.endLine(); err != nil {
			return n - len(b), err
		}
	}
	return n, nil
}

// finish reads what is left at the end of the output.
func (o *output) finish() error {
	if len(o.line) > 0 {
		if err := o.endLine(); err != nil {
			return err
		}
	}
	if o.nesting {
		return o.abandon(nil)
	}
	return nil
}

func (o *output) endLine() error {
	line := o.line
	o.line = o.line[:0]
	long := o.long
	o.long = false
	if cap(line) > 64<<10 {
		o.line = nil // do not keep the space of one huge line
	}
	line = bytes.TrimRight(line, "\r")
	if i := bytes.LastIndexByte(line, '\r'); i >= 0 { // a progress bar wrote over itself
		line = line[i+1:]
	}
	if line = bytes.TrimSpace(line); len(line) == 0 {
		return nil
	}
	o.lines++
	o.last = shorten(string(line[:min(len(line), 300)]))
	if long {
		o.longest = true
		if o.nesting {
			return o.abandon(nil)
		}
		return nil
	}
	if !o.nesting {
		return o.read(line, true)
	}
	if !o.object.goesOn(line, o.limit) {
		return o.abandon(line)
	}
	switch o.object.add(line) {
	case objectOpen:
		return nil
	case objectDone:
		if fields, ok := parseObject(o.object.text); ok {
			o.nesting = false
			o.object = object{}
			return o.fields(fields, true)
		}
	}
	return o.abandon(nil)
}

// abandon gives up on an object over several lines: its lines are read one by
// one, and then the line that could not belong to it, which may begin another.
func (o *output) abandon(line []byte) error {
	text := o.object.text
	o.nesting = false
	o.object = object{}
	for line := range bytes.SplitSeq(text, []byte{'\n'}) {
		if err := o.read(line, false); err != nil {
			return err
		}
	}
	if line == nil {
		return nil
	}
	return o.read(line, true)
}

// read takes one line; open says whether it may begin an object that goes on.
func (o *output) read(line []byte, open bool) error {
	if line[0] == '{' {
		if fields, ok := parseObject(line); ok {
			return o.fields(fields, true)
		}
		if rest := bytes.TrimSpace(line[1:]); open && (len(rest) == 0 || rest[0] == '"') {
			o.object = object{}
			if o.object.add(line) == objectOpen {
				o.nesting = true
			}
		}
		return nil
	}
	if !utf8.Valid(line) || bytes.IndexByte(line, '=') < 0 && bytes.IndexByte(line, ':') < 0 {
		return nil
	}
	text := string(line)
	if rest, ok := strings.CutPrefix(text, "infeasible"); ok {
		rest = strings.TrimLeft(rest, " \t")
		if rest != "" && (rest[0] == '=' || rest[0] == ':') {
			o.setInfeasible(rest[1:])
			return nil
		}
	}
	if fields, ok := parsePairs(text); ok {
		return o.fields(fields, false)
	}
	return nil
}

func (o *output) setInfeasible(reason string) {
	reason = shorten(reason)
	if reason == "" {
		reason = "the program gave no reason"
	}
	if o.infeasible == nil {
		o.infeasible = &reason
	}
}

// A field is a name with its value.
type field struct {
	name string
	unit string // what followed the value; "" if nothing did
	number
	str *string // the value was a JSON string
}

func (o *output) declared(name string) (metric.Metric, bool) {
	for _, m := range o.metrics {
		if m.Name == name {
			return m, true
		}
	}
	return metric.Metric{}, false
}

func (o *output) note(list *[]string, s string) {
	if len(*list) < most && !slices.Contains(*list, s) {
		*list = append(*list, s)
	}
}

// fields takes the fields of a JSON object or of a line of pairs.
func (o *output) fields(fields []field, isObject bool) error {
	for _, f := range fields {
		switch {
		case f.name == "step":
			return o.intermediate(f, fields)
		case f.name == "infeasible" && isObject:
			switch {
			case f.str != nil:
				o.setInfeasible(*f.str)
			case f.text == "true":
				o.setInfeasible("")
			case f.text == "false" || f.text == "null":
				continue
			default:
				return fmt.Errorf("%w: infeasible: found %s, want the reason as text", errOutput, f.text)
			}
			return nil
		}
	}
	values := map[string]number{}
	for _, f := range fields {
		m, ok := o.declared(f.name)
		if !ok {
			o.note(&o.unknown, f.name)
			continue
		}
		n := f.number
		if f.unit != "" && f.unit != m.Unit {
			n.bad = fmt.Sprintf("found the unit %q, want %s", f.unit, m.UnitName())
		}
		if old, twice := values[f.name]; twice && !old.same(n) {
			n.bad = fmt.Sprintf("found two values, %s and %s, want one", old.text, n.text)
		}
		values[f.name] = n
	}
	if len(values) == 0 {
		return nil
	}
	if isObject {
		o.answer = values
		return nil
	}
	if o.pairs == nil {
		o.pairs = map[string]number{}
	}
	for name, n := range values {
		if old, twice := o.pairs[name]; twice && !old.same(n) {
			if old.bad == "" || n.bad == "" {
				n.bad = fmt.Sprintf("found two values, %s and %s, want one", old.text, n.text)
			} else {
				n = old
			}
		}
		o.pairs[name] = n
	}
	return nil
}

func (n number) same(m number) bool {
	return n.bad == m.bad && (n.x == m.x || math.IsNaN(n.x) && math.IsNaN(m.x)) && (n.bad == "" || n.text == m.text)
}

// intermediate passes on the result of a step.
func (o *output) intermediate(step field, fields []field) error {
	x := step.x
	if step.bad != "" || x != math.Trunc(x) || x < 1 || x > 1<<53 {
		return fmt.Errorf("%w: found the step %s, want a whole number from 1 on", errOutput, step.text)
	}
	if int64(x) <= o.step {
		return fmt.Errorf("%w: found step %d after step %d, want rising steps", errOutput, int64(x), o.step)
	}
	o.step = int64(x)
	o.stepNames = o.stepNames[:0]
	v := metric.Values{}
	for _, f := range fields {
		if f.name == "step" || f.bad != "" {
			continue // a remark among the numbers of a step is no mistake
		}
		if m, ok := o.declared(f.name); ok {
			if f.unit != "" && f.unit != m.Unit {
				return fmt.Errorf("%w: step %d: %s: found the unit %q, want %s", errOutput, o.step, f.name, f.unit, m.UnitName())
			}
			o.stepNames = append(o.stepNames, f.name)
		}
		v[f.name] = f.x
	}
	if o.report == nil {
		return nil
	}
	return o.report(o.step, v)
}

// values returns the metrics, or says what is wrong with the output.
func (o *output) values() (metric.Values, error) {
	v := make(metric.Values, len(o.metrics))
	var missing []metric.Metric
	for _, m := range o.metrics {
		a, inObject := o.answer[m.Name]
		b, inPairs := o.pairs[m.Name]
		n := a
		switch {
		case inObject && inPairs && !a.same(b):
			o.note(&o.bad, fmt.Sprintf("%s: found %s in the JSON object and %s in a line of pairs, want one value", m.Name, a.text, b.text))
			continue
		case !inObject && !inPairs:
			missing = append(missing, m)
			continue
		case !inObject:
			n = b
		}
		switch {
		case n.bad != "":
			o.note(&o.bad, m.Name+": "+n.bad)
		case !finite(n.x):
			o.note(&o.bad, fmt.Sprintf("%s: found %s, want a finite number", m.Name, n.text))
		default:
			v[m.Name] = n.x
		}
	}
	if len(missing) == 0 && len(o.bad) == 0 {
		return v, nil
	}
	var parts []string
	parts = append(parts, o.bad...)
	if len(missing) > 0 {
		names := make([]string, len(missing))
		for i, m := range missing {
			names[i] = m.String()
			if near, ok := source.Nearest(m.Name, o.unknown); ok {
				names[i] += fmt.Sprintf(" (found %q)", near)
			}
		}
		example := fmt.Sprintf(`{"%s": 1.5} or %s=1.5`, missing[0].Name, missing[0].Name)
		parts = append(parts, fmt.Sprintf("found no value of %s, want it on standard output, such as %s", strings.Join(names, ", "), example))
		for _, m := range missing {
			if slices.Contains(o.stepNames, m.Name) {
				parts = append(parts, fmt.Sprintf("step %d has %s, but an intermediate result is not the final one; print it once more without a step", o.step, m.Name))
				break
			}
		}
	}
	switch {
	case o.lines == 0:
		parts = append(parts, "the program printed nothing")
	case len(missing) > 0 && len(o.unknown) > 0:
		parts = append(parts, "ignored the names "+strings.Join(o.unknown, ", "))
	case len(missing) > 0:
		parts = append(parts, fmt.Sprintf("the last of %d lines is %q", o.lines, o.last))
	}
	if o.longest && len(missing) > 0 {
		parts = append(parts, fmt.Sprintf("lines of more than %d bytes were ignored", o.limit))
	}
	return nil, fmt.Errorf("%w: %s", errOutput, strings.Join(parts, "; "))
}

// isName reports whether s can be a name in the output.
func isName(s string) bool {
	for i, r := range s {
		if !nameRune(r, i == 0) {
			return false
		}
	}
	return s != "" && utf8.ValidString(s)
}

func nameRune(r rune, first bool) bool {
	return r == '_' || unicode.IsLetter(r) || !first && (unicode.IsDigit(r) || strings.ContainsRune(".-/%@", r))
}

// parsePairs reads a line that consists of "name=value" or "name: value" and
// nothing else; a value may be followed by a unit, and pairs be separated by
// spaces, commas and semicolons.
func parsePairs(s string) ([]field, bool) {
	const between = " \t,;"
	var fields []field
	word := func(s string) (string, string) {
		if i := strings.IndexAny(s, between); i >= 0 {
			return s[:i], strings.TrimLeft(s[i:], between)
		}
		return s, ""
	}
	// pair splits "name =value" and reports whether s begins so.
	pair := func(s string) (name, rest string, ok bool) {
		end := strings.IndexAny(s, "=:"+between)
		if end <= 0 || !isName(s[:end]) {
			return "", s, false
		}
		rest = strings.TrimLeft(s[end:], " \t")
		if rest == "" || rest[0] != '=' && rest[0] != ':' {
			return "", s, false
		}
		return s[:end], strings.TrimLeft(rest[1:], " \t"), true
	}
	s = strings.TrimLeft(s, between)
	for s != "" {
		name, rest, ok := pair(s)
		if !ok {
			return nil, false
		}
		value, rest := word(rest)
		f := field{name: name, number: parseNumber(value)}
		if _, _, next := pair(rest); rest != "" && !next {
			f.unit, rest = word(rest)
		}
		fields = append(fields, f)
		s = rest
	}
	return fields, len(fields) > 0
}

func parseNumber(s string) number {
	x, err := strconv.ParseFloat(s, 64)
	switch {
	case s == "":
		return number{text: "nothing", bad: "found nothing, want a number"}
	case err != nil && errors.Is(err, strconv.ErrRange):
		return number{x: x, text: s} // infinite, refused as such
	case err != nil || strings.ContainsAny(s, "_xXpP"):
		s = shorten(s)
		return number{text: strconv.Quote(s), bad: fmt.Sprintf("found %q, want a number", s)}
	}
	return number{x: x, text: s}
}

// parseObject reads a JSON object. NaN, Infinity and -Infinity are understood,
// which Python's json module writes though they are not JSON.
func parseObject(text []byte) ([]field, bool) {
	if !json.Valid(text) {
		var changed bool
		if text, changed = quoteNonNumbers(text); !changed {
			return nil, false
		}
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, false
	}
	var fields []field
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, false
		}
		name, ok := t.(string)
		if !ok {
			return nil, false
		}
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return nil, false
		}
		f := field{name: name}
		kind := ""
		switch raw[0] {
		case '"':
			var s string
			if err := json.Unmarshal(raw, &s); err != nil {
				return nil, false
			}
			switch s {
			case "NaN", "Infinity", "-Infinity":
				f.number = parseNumber(s)
			default:
				kind, f.str = "the text "+shorten(string(raw)), &s
			}
		case '{':
			kind = "an object"
		case '[':
			kind = "a list"
		case 't', 'f', 'n':
			kind = string(raw)
		default:
			f.number = parseNumber(string(raw))
		}
		if kind != "" {
			f.number = number{text: kind, bad: fmt.Sprintf("found %s, want a number", kind)}
		}
		fields = append(fields, f)
	}
	if t, err := dec.Token(); err != nil || t != json.Delim('}') {
		return nil, false
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, false
	}
	return fields, true
}

// quoteNonNumbers puts NaN, Infinity and -Infinity outside of strings into
// quotes.
func quoteNonNumbers(text []byte) (out []byte, changed bool) {
	inString := false
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case inString && c == '\\' && i+1 < len(text):
			out = append(out, c)
			i++
			c = text[i]
		case c == '"':
			inString = !inString
		case !inString && (c == 'N' || c == 'I' || c == '-'):
			for _, w := range []string{"NaN", "Infinity", "-Infinity"} {
				if bytes.HasPrefix(text[i:], []byte(w)) {
					out = append(out, '"')
					out = append(out, w...)
					c, changed = '"', true
					i += len(w) - 1
					break
				}
			}
		}
		out = append(out, c)
	}
	return out, changed
}

// An object collects the lines of a JSON object that is written over several,
// and finds its end by counting braces.
type object struct {
	text     []byte
	depth    int
	inString bool
}

const (
	objectOpen = iota // more lines to come
	objectDone        // the last brace was closed
	objectBad         // this is not an object
)

// goesOn reports whether a line can be the next one, by its first letter.
func (b *object) goesOn(line []byte, limit int) bool {
	if len(b.text)+1+len(line) > limit {
		return false
	}
	switch c := line[0]; c {
	case '{', '[': // a value must be expected here
		return bytes.IndexByte([]byte(":,["), b.text[len(b.text)-1]) >= 0
	case 't', 'f', 'n', 'N', 'I':
		for _, w := range []string{"true", "false", "null", "NaN", "Infinity"} {
			if bytes.HasPrefix(line, []byte(w)) {
				return true
			}
		}
		return false
	default:
		return bytes.IndexByte([]byte(`"}],:-0123456789`), c) >= 0
	}
}

// add takes the next line.
func (b *object) add(line []byte) int {
	if len(b.text) > 0 {
		b.text = append(b.text, '\n')
	}
	b.text = append(b.text, line...)
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case b.inString:
			switch c {
			case '\\':
				i++
			case '"':
				b.inString = false
			}
		case c == '"':
			b.inString = true
		case c == '{' || c == '[':
			b.depth++
		case c == '}' || c == ']':
			b.depth--
			if b.depth == 0 {
				if i+1 < len(line) {
					return objectBad
				}
				return objectDone
			}
		}
	}
	if b.inString { // strings do not go over lines
		return objectBad
	}
	return objectOpen
}
