package store

import (
	"bytes"
	"database/sql/driver"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Numbers are stored as JSON text: readable with any SQLite shell, exact
// (shortest form that reads back to the same bits), and no slower than a
// binary form once the driver has copied the bytes. JSON has no NaN and no
// infinity; these are the strings "NaN", "Infinity" and "-Infinity".
// A NaN's payload is not kept.

func appendNumber(b []byte, v float64) []byte {
	switch {
	case v != v:
		return append(b, `"NaN"`...)
	case v > math.MaxFloat64:
		return append(b, `"Infinity"`...)
	case v < -math.MaxFloat64:
		return append(b, `"-Infinity"`...)
	}
	// As encoding/json: exponents only where they are shorter to read.
	format := byte('f')
	if a := math.Abs(v); a != 0 && (a < 1e-6 || a >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(b, v, format, -1, 64)
}

// appendValues writes the object with sorted names, so that equal maps give
// equal text.
func appendValues(b []byte, m map[string]float64, names []string) ([]byte, []string) {
	names = names[:0]
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	b = append(b, '{')
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, name)
		b = append(b, ':')
		b = appendNumber(b, m[name])
	}
	return append(b, '}'), names
}

// appendString quotes s as JSON; s must be valid UTF-8.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < 0x20:
			const hex = "0123456789abcdef"
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

func appendNumbers(b []byte, v []float64) []byte {
	b = append(b, '[')
	for i, x := range v {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendNumber(b, x)
	}
	return append(b, ']')
}

var errSyntax = errors.New("not what this program writes")

// A scanner reads what the append functions write, and white space a person
// may have added.
type scanner struct {
	s string
	i int
}

func (p *scanner) space() {
	for p.i < len(p.s) && (p.s[p.i] == ' ' || p.s[p.i] == '\n' || p.s[p.i] == '\t' || p.s[p.i] == '\r') {
		p.i++
	}
}

// take consumes c and the space around it.
func (p *scanner) take(c byte) bool {
	p.space()
	if p.i < len(p.s) && p.s[p.i] == c {
		p.i++
		p.space()
		return true
	}
	return false
}

func (p *scanner) end() error {
	p.space()
	if p.i != len(p.s) {
		return errSyntax
	}
	return nil
}

func (p *scanner) number() (float64, error) {
	p.space()
	if p.i < len(p.s) && p.s[p.i] == '"' {
		name, err := p.str()
		if err != nil {
			return 0, err
		}
		switch name {
		case "NaN":
			return math.NaN(), nil
		case "Infinity":
			return math.Inf(1), nil
		case "-Infinity":
			return math.Inf(-1), nil
		}
		return 0, errSyntax
	}
	start := p.i
	for p.i < len(p.s) {
		c := p.s[p.i]
		if c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E' {
			p.i++
			continue
		}
		break
	}
	v, err := strconv.ParseFloat(p.s[start:p.i], 64)
	if err != nil {
		return 0, errSyntax
	}
	return v, nil
}

func (p *scanner) str() (string, error) {
	if p.i >= len(p.s) || p.s[p.i] != '"' {
		return "", errSyntax
	}
	start := p.i + 1
	for i := start; i < len(p.s); i++ {
		switch p.s[i] {
		case '"':
			p.i = i + 1
			return p.s[start:i], nil
		case '\\':
			return p.escaped(start - 1)
		}
	}
	return "", errSyntax
}

// escaped reads a string with escapes, the rare case, from its opening quote.
func (p *scanner) escaped(start int) (string, error) {
	for i := start + 1; i < len(p.s); i++ {
		if p.s[i] == '\\' {
			i++
			continue
		}
		if p.s[i] == '"' {
			var out string
			if json.Unmarshal([]byte(p.s[start:i+1]), &out) != nil {
				return "", errSyntax
			}
			p.i = i + 1
			return out, nil
		}
	}
	return "", errSyntax
}

func parseValues(s string) (map[string]float64, error) {
	p := scanner{s: s}
	if !p.take('{') {
		return nil, errSyntax
	}
	if p.take('}') {
		return nil, p.end()
	}
	m := make(map[string]float64, 1+strings.Count(s, ","))
	for {
		name, err := p.str()
		if err != nil || !p.take(':') {
			return nil, errSyntax
		}
		v, err := p.number()
		if err != nil {
			return nil, err
		}
		m[name] = v
		if p.take(',') {
			continue
		}
		if !p.take('}') {
			return nil, errSyntax
		}
		return m, p.end()
	}
}

// parseNumbers appends the array in s to dst.
func parseNumbers(dst []float64, s string) ([]float64, error) {
	p := scanner{s: s}
	if !p.take('[') {
		return dst, errSyntax
	}
	if p.take(']') {
		return dst, p.end()
	}
	for {
		v, err := p.number()
		if err != nil {
			return dst, err
		}
		dst = append(dst, v)
		if p.take(',') {
			continue
		}
		if !p.take(']') {
			return dst, errSyntax
		}
		return dst, p.end()
	}
}

// clean makes text that SQLite, JSON and a terminal can take: an evaluator may
// print anything.
func clean(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

func optText(s string) driver.Value {
	if s == "" {
		return nil
	}
	return clean(s)
}

func optJSON(b []byte) driver.Value {
	if len(b) == 0 {
		return nil
	}
	return string(b)
}

func optTime(t time.Time) driver.Value {
	if t.IsZero() {
		return nil
	}
	return t.UnixNano()
}

func real(v float64) driver.Value {
	if v != v {
		return nil
	}
	return v + 0 // SQLite stores -0 as 0; do it here, before the checksum
}

func optAttrs(m map[string]string) driver.Value {
	if len(m) == 0 {
		return nil
	}
	b := []byte{'{'}
	for i, k := range slices.Sorted(maps.Keys(m)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, k)
		b = append(b, ':')
		b = appendString(b, clean(m[k]))
	}
	return string(append(b, '}'))
}

// The checksum covers the stored form, column by column, type and all.

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func appendForSum(b []byte, v driver.Value) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, 0)
	case int64:
		return binary.LittleEndian.AppendUint64(append(b, 1), uint64(v))
	case float64:
		return binary.LittleEndian.AppendUint64(append(b, 2), math.Float64bits(v))
	case string:
		b = binary.LittleEndian.AppendUint32(append(b, 3), uint32(len(v)))
		return append(b, v...)
	case []byte:
		b = binary.LittleEndian.AppendUint32(append(b, 4), uint32(len(v)))
		return append(b, v...)
	}
	panic(fmt.Sprintf("store: no column has a %T", v))
}

// Validation, shared by both stores.

func invalid(what, format string, args ...any) error {
	return fmt.Errorf("%w: %s: %s", ErrInvalid, what, fmt.Sprintf(format, args...))
}

// Nanoseconds since 1970 in 64 bits.
var (
	minTime = time.Unix(0, math.MinInt64)
	maxTime = time.Unix(0, math.MaxInt64)
)

func checkTime(what, name string, t time.Time) error {
	if !t.IsZero() && (t.Before(minTime) || t.After(maxTime)) {
		return invalid(what, "%s is %v, want a time between the years 1678 and 2262", name, t)
	}
	return nil
}

func checkJSON(what, name string, b []byte) error {
	if len(b) > 0 && (!json.Valid(b) || !utf8.Valid(b)) {
		return invalid(what, "%s is not valid JSON: %.60q", name, b)
	}
	return nil
}

func checkNames[V any](what, name string, m map[string]V) error {
	for k := range m {
		if !utf8.ValidString(k) {
			return invalid(what, "a name in %s is not valid UTF-8: %q", name, k)
		}
	}
	return nil
}

func (t *Trial) validate() error {
	if t.Number >= 0 && t.State.valid() && t.Attempt >= 0 &&
		checkJSON("", "", t.Design) == nil &&
		checkNames("", "", t.Values) == nil && checkNames("", "", t.Predicted) == nil && checkNames("", "", t.Attrs) == nil &&
		checkTime("", "", t.Queued) == nil && checkTime("", "", t.Started) == nil && checkTime("", "", t.Finished) == nil &&
		len(t.Steps) == 0 {
		return nil // the usual case builds no texts
	}
	what := fmt.Sprintf("trial %d", t.Number)
	if t.Number < 0 {
		return invalid(what, "the number must not be negative")
	}
	if !t.State.valid() {
		return invalid(what, "state is %d, want one of %v", uint8(t.State), stateNames[Waiting:])
	}
	if t.Attempt < 0 {
		return invalid(what, "attempt is %d, want 1 or more", t.Attempt)
	}
	return errors.Join(
		checkJSON(what, "design", t.Design),
		checkNames(what, "values", t.Values), checkNames(what, "predicted", t.Predicted), checkNames(what, "attrs", t.Attrs),
		checkTime(what, "queued", t.Queued), checkTime(what, "started", t.Started), checkTime(what, "finished", t.Finished),
		checkSteps(t.Number, t.Steps),
	)
}

func checkSteps(number int64, steps []Step) error {
	for i := range steps {
		s := &steps[i]
		what := fmt.Sprintf("trial %d, step %d", number, s.Step)
		if err := errors.Join(checkNames(what, "values", s.Values), checkTime(what, "at", s.At)); err != nil {
			return err
		}
	}
	return nil
}

func (s *Study) validate() error {
	const what = "study"
	return errors.Join(
		checkJSON(what, "spec", s.Spec), checkJSON(what, "space", s.Space), checkJSON(what, "metrics", s.Metrics),
		checkNames(what, "attrs", s.Attrs), checkTime(what, "created", s.Created),
	)
}

// difference names what makes the record t contradict the finished trial old,
// or is "". It compares stored forms, as the statement in save.go does.
func difference(old, t *Trial) string {
	text := func(m map[string]float64) string {
		b, _ := appendValues(nil, m, nil)
		return string(b)
	}
	switch {
	case old.State != t.State:
		return fmt.Sprintf("it is %v, the new record says %v", old.State, t.State)
	case max(old.Attempt, 1) != max(t.Attempt, 1):
		return fmt.Sprintf("it finished in attempt %d, the new record is of attempt %d", old.Attempt, t.Attempt)
	case !bytes.Equal(old.Design, t.Design) || old.Hash != t.Hash || old.Key != clean(t.Key):
		return "the new record is of another design"
	case real(old.Fidelity) != real(t.Fidelity):
		return fmt.Sprintf("it has fidelity %v, the new record %v", old.Fidelity, t.Fidelity)
	case text(old.Values) != text(t.Values):
		return fmt.Sprintf("it has the values %s, the new record %s", text(old.Values), text(t.Values))
	case old.TellSeq != 0 && old.TellSeq != t.TellSeq:
		return fmt.Sprintf("it was told as event %d, the new record says %d", old.TellSeq, t.TellSeq)
	}
	return ""
}

func finished(old, t *Trial) error {
	return fmt.Errorf("trial %d: %w: %s", t.Number, ErrFinished, difference(old, t))
}
