package source

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Severity says whether a diagnostic stops the work.
type Severity uint8

const (
	Error   Severity = iota // the file cannot be used
	Warning                 // it can, but probably not as was meant
)

func (s Severity) String() string {
	if s == Warning {
		return "warning"
	}
	return "error"
}

// MarshalText writes "error" or "warning".
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// A Diagnostic is one thing to tell the author of a file.
type Diagnostic struct {
	File     string   `json:"file"`
	Line     int      `json:"line,omitempty"`   // from 1; 0 means no line, as for a command line argument
	Column   int      `json:"column,omitempty"` // in characters, from 1
	Severity Severity `json:"severity"`
	Message  string   `json:"message"`         // one line, without the place
	Found    string   `json:"found,omitempty"` // what the file says
	Want     string   `json:"want,omitempty"`  // what it could have said
	Note     string   `json:"note,omitempty"`  // how it came about, or what to do

	from *origin // for the excerpt
}

// String returns the diagnostic with its place and, where the text is at hand,
// an excerpt of the file.
func (d Diagnostic) String() string {
	var b strings.Builder
	b.WriteString(d.File)
	if d.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", d.Line, d.Column)
	}
	if d.File != "" {
		b.WriteString(": ")
	}
	if d.Severity == Warning {
		b.WriteString("warning: ")
	}
	b.WriteString(d.Message)
	d.excerpt(&b)
	if d.Note != "" {
		b.WriteString("\n      note: " + d.Note)
	}
	return b.String()
}

func (d Diagnostic) excerpt(b *strings.Builder) {
	if d.from == nil {
		return
	}
	if d.from.flag {
		if strings.ContainsRune(d.from.text, '\n') {
			return
		}
		line, column := window(d.from.name+"="+d.from.text, utf8.RuneCountInString(d.from.name)+1+max(d.Column, 1))
		fmt.Fprintf(b, "\n    %s\n    %s^", line, blank(line, column))
		return
	}
	if d.Line < 1 {
		return
	}
	before, line, ok := d.from.lines(d.Line)
	if !ok {
		return
	}
	line, column := window(line, d.Column)
	if strings.TrimSpace(before) != "" {
		before, _ = window(before, 1)
		fmt.Fprintf(b, "\n%5d | %s", d.Line-1, before)
	}
	fmt.Fprintf(b, "\n%5d | %s\n      | %s^", d.Line, line, blank(line, column))
}

// lines returns line n and the one before it.
func (o *origin) lines(n int) (before, line string, ok bool) {
	i := 0
	for line = range strings.SplitSeq(o.text, "\n") {
		if i++; i == n {
			return before, line, true
		}
		before = line
	}
	return "", "", false
}

// window cuts a long line down to the part around a column, and replaces what
// a terminal should not be sent.
func window(line string, column int) (string, int) {
	const before, width = 60, 100
	r := []rune(line)
	for i, c := range r {
		if c != '\t' && (c < 0x20 || c == 0x7f || c == '\u2028' || c == '\u2029' || 0x80 <= c && c < 0xa0) {
			r[i] = utf8.RuneError
		}
	}
	column = min(max(column, 1), len(r)+1)
	if len(r) > width && column > before {
		cut := column - before
		r = append([]rune("…"), r[cut:]...)
		column -= cut - 1
	}
	if len(r) > width {
		r = append(r[:width:width], '…')
	}
	return string(r), column
}

// blank is what stands before the caret: as wide as the line, tabs kept.
func blank(line string, column int) string {
	var b strings.Builder
	i := 1
	for _, c := range line {
		if i >= column {
			break
		}
		if c == '\t' {
			b.WriteByte('\t')
		} else {
			b.WriteByte(' ')
		}
		i++
	}
	return b.String()
}

// A Report collects everything there is to say about one or more files. The
// zero value is an empty report. It is not safe for concurrent use.
type Report struct {
	all []*Diagnostic
}

// Errorf records a mistake at a value (or a key, see [Value.Key]). The
// returned diagnostic may be completed with Found, Want and Note.
func (r *Report) Errorf(at *Value, format string, args ...any) *Diagnostic {
	return r.at(at, Error, fmt.Sprintf(format, args...))
}

// Warnf records something that is allowed and yet looks unintended.
func (r *Report) Warnf(at *Value, format string, args ...any) *Diagnostic {
	return r.at(at, Warning, fmt.Sprintf(format, args...))
}

func (r *Report) at(v *Value, s Severity, message string) *Diagnostic {
	d := &Diagnostic{Severity: s, Message: message}
	if v != nil {
		d.File, d.Line, d.Column, d.Note, d.from = v.File(), v.Line(), v.Column(), v.via, v.from
	}
	r.all = append(r.all, d)
	return d
}

// Add records diagnostics made elsewhere.
func (r *Report) Add(ds ...Diagnostic) {
	for _, d := range ds {
		r.all = append(r.all, &d)
	}
}

// Merge adds all that another report has, as when one file names another.
func (r *Report) Merge(other *Report) {
	if other != nil && other != r {
		r.all = append(r.all, other.all...)
	}
}

// Failed reports whether there is any error; warnings do not count.
func (r *Report) Failed() bool {
	return r != nil && slices.ContainsFunc(r.all, func(d *Diagnostic) bool { return d.Severity == Error })
}

// Err returns the report as an error, or nil where nothing is an error.
func (r *Report) Err() error {
	if r.Failed() {
		return r
	}
	return nil
}

// Diagnostics returns everything, sorted by file (in the order the files first
// appear), line and column, without repetitions.
func (r *Report) Diagnostics() []Diagnostic {
	if r == nil {
		return nil
	}
	order := map[string]int{}
	type identity struct {
		file         string
		line, column int
		severity     Severity
		message      string
	}
	seen := map[identity]bool{}
	var out []Diagnostic
	for _, d := range r.all {
		if _, ok := order[d.File]; !ok {
			order[d.File] = len(order)
		}
		id := identity{d.File, d.Line, d.Column, d.Severity, d.Message}
		if !seen[id] {
			seen[id] = true
			out = append(out, *d)
		}
	}
	slices.SortStableFunc(out, func(a, b Diagnostic) int {
		return cmp.Or(cmp.Compare(order[a.File], order[b.File]), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return out
}

// MaxShown is the number of diagnostics that a report prints in full.
const MaxShown = 20

// Error prints the report for a person: at most [MaxShown] diagnostics, errors
// before warnings where not all fit, and how many more there are.
func (r *Report) Error() string {
	all := r.Diagnostics()
	shown := all
	if len(all) > MaxShown {
		errors := 0
		for _, d := range all {
			if d.Severity == Error {
				errors++
			}
		}
		warnings := max(0, MaxShown-errors)
		shown = nil
		for _, d := range all {
			if d.Severity == Warning {
				if warnings--; warnings < 0 {
					continue
				}
			}
			if len(shown) < MaxShown {
				shown = append(shown, d)
			}
		}
	}
	var b strings.Builder
	for i, d := range shown {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(d.String())
	}
	if n := len(all) - len(shown); n > 0 {
		fmt.Fprintf(&b, "\nand %d more", n)
	}
	return b.String()
}

// MarshalJSON writes all diagnostics as a JSON array.
func (r *Report) MarshalJSON() ([]byte, error) {
	all := r.Diagnostics()
	if all == nil {
		all = []Diagnostic{}
	}
	return json.Marshal(all)
}
