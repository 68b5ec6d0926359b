package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/daedalus-search/daedalus/internal/shape"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/store"
)

// A Kind is the type of the values in a column.
type Kind uint8

// The kinds of column. The values of a row are int64, float64, bool, string or
// nil where there is none.
const (
	Text Kind = iota
	Int
	Float
	Bool
)

var kinds = map[shape.Type]Kind{shape.Text: Text, shape.Int: Int, shape.Float: Float, shape.Bool: Bool}

// Part says what a column is about.
type Part uint8

// The parts of a row.
const (
	Record Part = iota // the trial itself: number, state, times, error
	Metric             // a measured value
	Param              // a parameter of the design
)

// A Column of a [Table].
type Column struct {
	Name   string
	Kind   Kind
	Part   Part
	Unit   string
	Source string // the metric's name; the parameter's path with indexes
	Static string // the parameter's path without indexes
}

// A Table gives every trial of a study the same columns.
type Table struct {
	Columns []Column
	metrics int            // index of the first metric
	params  int            // index of the first parameter
	tail    int            // index of the first column after the parameters
	byPath  map[string]int // parameter path → column
	shape   *shape.Shape
}

// head and tail are the columns around metrics and parameters.
var (
	head = []Column{{Name: "number", Kind: Int}, {Name: "state"}}
	tail = []Column{
		{Name: "violation", Kind: Float}, {Name: "seconds", Kind: Float, Unit: "s"}, {Name: "cost", Kind: Float},
		{Name: "attempt", Kind: Int}, {Name: "fidelity", Kind: Float}, {Name: "operator"}, {Name: "parents"}, {Name: "why"},
		{Name: "started"}, {Name: "finished"}, {Name: "error_class"}, {Name: "error"}, {Name: "hash"},
	}
)

// Scan finds the columns of the trials: the metrics that the study declares
// and others that occur, and every parameter that occurs.
//
// A metric or a parameter whose name is taken gets "metric." or "design."
// before it.
func Scan(study store.Study, trials Trials) (*Table, error) {
	l, err := shape.Read(study.Space)
	if err != nil {
		return nil, fmt.Errorf("report: the space of study %s: %w", study.Name, err)
	}
	var declared []metric.Metric
	if len(study.Metrics) > 0 {
		if err := json.Unmarshal(study.Metrics, &declared); err != nil {
			return nil, fmt.Errorf("report: the metrics of study %s: %w", study.Name, err)
		}
	}
	known := map[string]bool{}
	for _, m := range declared {
		known[m.Name] = true
	}
	extra := map[string]bool{}
	seen := map[string]shape.Place{}
	visit := func(p shape.Place, _ []byte) {
		if _, ok := seen[string(p.Path)]; !ok {
			p.Key = slices.Clone(p.Key)
			p.Path = bytes.Clone(p.Path)
			seen[string(p.Path)] = p
		}
	}
	for t, err := range trials {
		if err != nil {
			return nil, err
		}
		for name := range t.Values {
			if !known[name] {
				extra[name] = true
			}
		}
		if err := l.Walk(t.Design, visit); err != nil {
			return nil, fmt.Errorf("report: trial %d: %w", t.Number, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(extra)) {
		declared = append(declared, metric.Metric{Name: name})
	}

	t := &Table{shape: l, byPath: map[string]int{}}
	taken := map[string]bool{}
	for _, c := range slices.Concat(head, tail) {
		taken[c.Name] = true
	}
	add := func(c Column, prefix string) {
		for taken[c.Name] {
			c.Name = prefix + c.Name
		}
		taken[c.Name] = true
		t.Columns = append(t.Columns, c)
	}
	t.Columns = append(t.Columns, head...)
	t.metrics = len(t.Columns)
	for _, m := range declared {
		add(Column{Name: m.Name, Kind: Float, Part: Metric, Unit: m.Unit, Source: m.Name}, "metric.")
	}
	t.params = len(t.Columns)
	places := slices.SortedFunc(maps.Values(seen), func(a, b shape.Place) int {
		if c := slices.Compare(a.Key, b.Key); c != 0 {
			return c
		}
		return bytes.Compare(a.Path, b.Path)
	})
	for _, p := range places {
		t.byPath[string(p.Path)] = len(t.Columns)
		add(Column{Name: string(p.Path), Kind: kinds[p.Part.Type], Part: Param, Unit: p.Part.Unit, Source: string(p.Path), Static: p.Part.Path}, "design.")
	}
	t.tail = len(t.Columns)
	t.Columns = append(t.Columns, tail...)
	return t, nil
}

// Find returns the column of a name.
func (t *Table) Find(name string) (int, bool) {
	i := slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == name })
	return i, i >= 0
}

// Row returns the values of a trial, one for each column, in row if it has
// room.
func (t *Table) Row(trial *store.Trial, row []any) ([]any, error) {
	row = slices.Grow(row[:0], len(t.Columns))[:len(t.Columns)]
	clear(row)
	row[0], row[1] = trial.Number, trial.State.String()
	for i := t.metrics; i < t.params; i++ {
		if x, ok := trial.Values[t.Columns[i].Source]; ok {
			row[i] = x
		}
	}
	err := t.shape.Walk(trial.Design, func(p shape.Place, value []byte) {
		if i, ok := t.byPath[string(p.Path)]; ok {
			row[i] = convert(value, t.Columns[i].Kind)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("report: trial %d: %w", trial.Number, err)
	}
	for i := t.tail; i < len(t.Columns); i++ {
		row[i] = field(trial, t.Columns[i].Name)
	}
	return row, nil
}

// field returns what stands in a column of tail.
func field(t *store.Trial, name string) any {
	text := func(s string) any {
		if s == "" {
			return nil
		}
		return s
	}
	stamp := func(at time.Time) any {
		if at.IsZero() {
			return nil
		}
		return at.UTC().Format(time.RFC3339Nano)
	}
	switch name {
	case "violation":
		if len(t.Loss) > 0 {
			return t.Violation
		}
	case "seconds":
		if t.State.Done() && t.State != store.Cached {
			return t.Seconds
		}
	case "cost":
		if t.State.Done() && t.State != store.Cached {
			return t.Cost
		}
	case "attempt":
		return int64(max(t.Attempt, 1))
	case "fidelity":
		if t.Fidelity != 0 {
			return t.Fidelity
		}
	case "operator":
		return text(t.Operator)
	case "parents":
		words := make([]string, len(t.Parents))
		for i, p := range t.Parents {
			words[i] = strconv.FormatInt(p, 10)
		}
		return text(strings.Join(words, " "))
	case "why":
		return text(t.Why)
	case "started":
		return stamp(t.Started)
	case "finished":
		return stamp(t.Finished)
	case "error_class":
		return text(t.ErrorClass)
	case "error":
		return text(t.Error)
	case "hash":
		if t.Hash != [16]byte{} {
			return fmt.Sprintf("%x", t.Hash)
		}
	}
	return nil
}

// convert gives a JSON value of a design the type of its column.
func convert(raw []byte, kind Kind) any {
	if len(raw) == 0 || raw[0] == 'n' {
		return nil
	}
	switch kind {
	case Int:
		if i, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
			return i
		}
		if f, err := strconv.ParseFloat(string(raw), 64); err == nil && f == math.Trunc(f) && math.Abs(f) < 1<<62 {
			return int64(f)
		}
		return nil
	case Float:
		if f, err := strconv.ParseFloat(string(raw), 64); err == nil {
			return f
		}
		return nil
	case Bool:
		return raw[0] == 't'
	}
	if raw[0] == '"' {
		return string(shape.Unquoted(raw))
	}
	return string(raw)
}
