package source

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// A Limit bounds a number: [AtLeast], [AtMost], [Above], [Below], or
// [Infinite] to allow infinity.
type Limit struct {
	bound rune // '[', ']', '(', ')' or '∞'
	x     float64
}

// AtLeast allows x and more.
func AtLeast(x float64) Limit { return Limit{'[', x} }

// AtMost allows x and less.
func AtMost(x float64) Limit { return Limit{']', x} }

// Above allows more than x, and not x itself.
func Above(x float64) Limit { return Limit{'(', x} }

// Below allows less than x, and not x itself.
func Below(x float64) Limit { return Limit{')', x} }

// Infinite allows .inf and -.inf, which numbers otherwise must not be.
func Infinite() Limit { return Limit{bound: '∞'} }

func (l Limit) holds(x float64) bool {
	switch l.bound {
	case '[':
		return x >= l.x
	case ']':
		return x <= l.x
	case '(':
		return x > l.x
	case ')':
		return x < l.x
	}
	return true
}

// within says in words what limits allow, as in "from 1 to 16" or "above 0".
func within(limits []Limit, show func(float64) string) string {
	if len(limits) == 2 && limits[0].bound == '[' && limits[1].bound == ']' {
		return "from " + show(limits[0].x) + " to " + show(limits[1].x)
	}
	var words []string
	for _, l := range limits {
		word := map[rune]string{'[': "at least ", ']': "at most ", '(': "above ", ')': "below "}[l.bound]
		if word != "" {
			words = append(words, word+show(l.x))
		}
	}
	return strings.Join(words, " and ")
}

func showNumber(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }

// showInt writes whole numbers in full: 1000000, not 1e+06.
func showInt(x float64) string {
	if x == math.Trunc(x) && math.Abs(x) < 1e15 {
		return strconv.FormatFloat(x, 'f', 0, 64)
	}
	return showNumber(x)
}

// mismatch reports that v is not what was wanted.
func mismatch(r *Report, v *Value, want, note string) {
	f := found(v)
	d := r.Errorf(v, "expected %s, found %s", want, f)
	d.Found, d.Want = f, want
	addNote(d, note)
}

func addNote(d *Diagnostic, note string) {
	if note != "" && d.Note != "" {
		note += "; " + d.Note
	}
	if note != "" {
		d.Note = note
	}
}

// found says what v is, briefly.
func found(v *Value) string {
	switch v.Kind() {
	case Null:
		return "nothing"
	case Bool, Int, Float:
		return shorten(v.text)
	case String:
		return strconv.Quote(shorten(v.text))
	case List:
		switch len(v.list) {
		case 0:
			return "an empty list"
		case 1:
			return "a list of one"
		}
		return fmt.Sprintf("a list of %d", len(v.list))
	}
	switch len(v.entries) {
	case 0:
		return "an empty map"
	case 1:
		return "a map with the key " + quote(v.entries[0].Key.text)
	}
	return fmt.Sprintf("a map with %d keys", len(v.entries))
}

// quote marks a word of the file in a message.
func quote(s string) string {
	s = shorten(s)
	if strings.ContainsFunc(s, func(c rune) bool { return c < 0x20 || c == '`' || c == 0x7f }) || s == "" {
		return strconv.Quote(s)
	}
	return "`" + s + "`"
}

func shorten(s string) string {
	const longest = 60
	if utf8.RuneCountInString(s) <= longest {
		return s
	}
	return string([]rune(s)[:longest-1]) + "…"
}

func quoteAll(words []string) string {
	q := make([]string, len(words))
	for i, w := range words {
		q[i] = quote(w)
	}
	return strings.Join(q, ", ")
}

// Str returns text. A number, true or false must be in quotes to be text.
func (v *Value) Str(r *Report) (string, bool) {
	if v == nil {
		return "", false
	}
	if v.kind == String {
		return v.text, true
	}
	note := ""
	if v.kind == Bool || v.kind == Int || v.kind == Float {
		note = "write " + strconv.Quote(v.text) + " in quotes if it is meant as text"
	}
	mismatch(r, v, "text", note)
	return "", false
}

// Word returns one of the known words, and suggests the nearest for another.
func (v *Value) Word(r *Report, known ...string) (string, bool) {
	if v == nil {
		return "", false
	}
	if v.IsScalar() && v.kind != Null {
		if slices.Contains(known, v.text) {
			return v.text, true
		}
	}
	want := "one of " + quoteAll(known)
	note := ""
	if near, ok := Nearest(v.text, known); ok && v.kind == String {
		note = "did you mean " + quote(near) + "?"
	}
	mismatch(r, v, want, note)
	return "", false
}

// Int returns a whole number within the limits, which are inclusive of what
// the 64 bits of the result can hold.
func (v *Value) Int(r *Report, limits ...Limit) (int64, bool) {
	if v == nil {
		return 0, false
	}
	want := strings.TrimSpace("a whole number " + within(limits, showInt))
	if v.kind != Int {
		note := ""
		switch f := floatOf(v.text); {
		case v.kind == Float && f == math.Trunc(f) && math.Abs(f) < 1e15:
			note = "write " + strconv.FormatFloat(f, 'f', 0, 64)
		case v.kind == String && number(v.text) == Int:
			note = "remove the quotes"
		case v.kind == String && number(strings.NewReplacer("_", "", ",", "").Replace(v.text)) == Int:
			note = "write the digits without separators"
		}
		mismatch(r, v, want, note)
		return 0, false
	}
	n, err := strconv.ParseInt(decimal(v.text), 10, 64)
	if err != nil {
		mismatch(r, v, want, "numbers beyond ±9223372036854775807 cannot be used")
		return 0, false
	}
	for _, l := range limits {
		if !l.holdsInt(n) {
			mismatch(r, v, want, "")
			return 0, false
		}
	}
	return n, true
}

// holdsInt compares exactly, where float64(n) could be a neighbour of n.
func (l Limit) holdsInt(n int64) bool {
	if l.bound == '∞' || math.IsInf(l.x, 0) || math.IsNaN(l.x) {
		return l.holds(float64(n))
	}
	c := new(big.Float).SetInt64(n).Cmp(big.NewFloat(l.x))
	return Limit{l.bound, 0}.holds(float64(c))
}

// Float returns a number within the limits. Whole numbers are numbers too.
// Infinity is refused unless [Infinite] is among the limits.
func (v *Value) Float(r *Report, limits ...Limit) (float64, bool) {
	if v == nil {
		return 0, false
	}
	want := strings.TrimSpace("a number " + within(limits, showNumber))
	var f float64
	switch v.kind {
	case Int:
		f = floatOf(decimal(v.text))
	case Float:
		f = floatOf(v.text)
	default:
		note := ""
		if v.kind == String && number(v.text) != String {
			note = "remove the quotes"
		} else if rest, ok := strings.CutSuffix(v.text, "%"); v.kind == String && ok && number(rest) != String {
			note = "write " + showNumber(floatOf(rest)/100) + " for " + v.text
		}
		mismatch(r, v, want, note)
		return 0, false
	}
	if math.IsNaN(f) || math.IsInf(f, 0) && !slices.ContainsFunc(limits, func(l Limit) bool { return l.bound == '∞' }) {
		if within(limits, showNumber) == "" {
			want = "a finite number"
		}
		mismatch(r, v, want, "infinity is not allowed here")
		return 0, false
	}
	for _, l := range limits {
		if !l.holds(f) {
			mismatch(r, v, want, "")
			return 0, false
		}
	}
	return f, true
}

// Bool returns true or false.
func (v *Value) Bool(r *Report) (bool, bool) {
	if v == nil {
		return false, false
	}
	if v.kind == Bool {
		return isTrue(v.text), true
	}
	note := ""
	switch strings.ToLower(v.text) {
	case "yes", "on", "y", "1", "true":
		note = "write true"
	case "no", "off", "n", "0", "false":
		note = "write false"
	}
	mismatch(r, v, "true or false", note)
	return false, false
}

// Duration returns a length of time such as 30s, 2m or 1h30m, which must not
// be negative. Limits are in seconds. A number without a unit is refused.
func (v *Value) Duration(r *Report, limits ...Limit) (time.Duration, bool) {
	if v == nil {
		return 0, false
	}
	want := "a duration such as 30s or 2m"
	if w := within(limits, showSeconds); w != "" {
		want = "a duration " + w
	}
	var d time.Duration
	var err error
	switch v.kind {
	case String:
		d, err = time.ParseDuration(v.text)
		if err != nil {
			note := ""
			if n := digits(v.text); n > 0 && strings.HasPrefix(strings.TrimSpace(v.text[n:]), "d") {
				note = "there is no unit for days: 48h is two days"
			} else if u, ok := strings.CutSuffix(strings.ReplaceAll(v.text, " ", ""), "in"); ok {
				if _, err := time.ParseDuration(u); err == nil {
					note = "write " + u
				}
			} else if _, err := time.ParseDuration(strings.ReplaceAll(v.text, " ", "")); err == nil {
				note = "write it without spaces"
			}
			mismatch(r, v, want, note)
			return 0, false
		}
	case Int, Float:
		mismatch(r, v, want, fmt.Sprintf("a unit is missing: write %ss, %sm or %sh", shorten(v.text), shorten(v.text), shorten(v.text)))
		return 0, false
	default:
		mismatch(r, v, want, "")
		return 0, false
	}
	if d < 0 {
		mismatch(r, v, want, "a duration cannot be negative")
		return 0, false
	}
	for _, l := range limits {
		if !l.holds(d.Seconds()) {
			mismatch(r, v, want, "")
			return 0, false
		}
	}
	return d, true
}

func showSeconds(s float64) string { return time.Duration(math.Round(s * 1e9)).String() }

// List returns the elements of a list.
func (v *Value) List(r *Report) ([]*Value, bool) {
	if v == nil {
		return nil, false
	}
	if v.kind != List {
		note := ""
		if v.IsScalar() && v.kind != Null {
			note = "write [" + shorten(v.text) + "] for a list of one"
		}
		mismatch(r, v, "a list", note)
		return nil, false
	}
	return v.list, true
}

// Map returns the entries of a map, in the order of the file.
func (v *Value) Map(r *Report) ([]Entry, bool) {
	if v == nil {
		return nil, false
	}
	if v.kind != Map {
		note := ""
		if v.kind == String && strings.Contains(v.text, ":") {
			note = "a space is needed after the colon of a key"
		}
		mismatch(r, v, "a map", note)
		return nil, false
	}
	return v.entries, true
}

// Fields demands a map with no keys but the known ones. It reports every
// unknown key, with the nearest known one, and whether all is well.
func (v *Value) Fields(r *Report, known ...string) bool {
	if v == nil {
		return false
	}
	entries, ok := v.Map(r)
	for _, e := range entries {
		if slices.Contains(known, e.Key.text) {
			continue
		}
		ok = false
		var d *Diagnostic
		if near, found := Nearest(e.Key.text, known); found {
			d = r.Errorf(e.Key, "unknown key %s: did you mean %s?", quote(e.Key.text), quote(near))
		} else if len(known) == 0 {
			d = r.Errorf(e.Key, "unknown key %s: no keys are known here", quote(e.Key.text))
		} else {
			d = r.Errorf(e.Key, "unknown key %s: known are %s", quote(e.Key.text), quoteAll(known))
		}
		d.Found, d.Want = e.Key.text, strings.Join(known, ", ")
	}
	return ok
}

// Required reports every key that a map lacks. A value that is no map is left
// to [Value.Map] or [Value.Fields] to report.
func (v *Value) Required(r *Report, keys ...string) bool {
	if v.Kind() != Map {
		return false
	}
	var missing []string
	for _, k := range keys {
		if !v.Has(k) {
			missing = append(missing, k)
		}
	}
	switch len(missing) {
	case 0:
		return true
	case 1:
		r.Errorf(v, "key %s is missing", quote(missing[0])).Want = missing[0]
	default:
		r.Errorf(v, "keys %s are missing", quoteAll(missing)).Want = strings.Join(missing, ", ")
	}
	return false
}

// OneOf demands exactly one of several keys, and returns it with its value.
func (v *Value) OneOf(r *Report, keys ...string) (string, *Value, bool) {
	name, value, n := v.present(r, keys)
	if n == 0 && v.Kind() == Map {
		r.Errorf(v, "one of the keys %s is missing", quoteAll(keys)).Want = strings.Join(keys, ", ")
	}
	return name, value, n == 1
}

// AtMostOne allows one of several keys or none, and returns the one there is.
// The name is empty where there is none; ok is false where there are several.
func (v *Value) AtMostOne(r *Report, keys ...string) (name string, value *Value, ok bool) {
	name, value, n := v.present(r, keys)
	return name, value, n <= 1
}

func (v *Value) present(r *Report, keys []string) (name string, value *Value, n int) {
	if v.Kind() != Map {
		return "", nil, 0
	}
	for _, e := range v.entries {
		if !slices.Contains(keys, e.Key.text) {
			continue
		}
		if n++; n == 1 {
			name, value = e.Key.text, e.Value
			continue
		}
		d := r.Errorf(e.Key, "%s and %s cannot both be given", quote(name), quote(e.Key.text))
		d.Note = "keep one of " + quoteAll(keys)
	}
	return name, value, n
}
