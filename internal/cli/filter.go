package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/daedalus-search/daedalus/internal/expr"
	"github.com/daedalus-search/daedalus/report"
)

// A filter is the condition of --where over the columns of the table of
// trials.
type filter struct {
	program *expr.Program
	slots   expr.Slots
	columns []int // of each slot
}

// newFilter compiles a condition over metrics, parameters by path, and the
// other columns. A parameter inside a repeat is named with an index, or without
// one inside an aggregate such as sum or any.
func newFilter(text string, t *report.Table) (*filter, error) {
	e, err := expr.Parse(text)
	if err != nil {
		return nil, whereError(text, err)
	}
	f := &filter{}
	at := map[int]int{} // column → slot
	slot := func(c int) int {
		if s, ok := at[c]; ok {
			return s
		}
		at[c] = len(f.columns)
		f.columns = append(f.columns, c)
		return at[c]
	}
	find := func(name string) (cols []int, repeated bool) {
		if !strings.Contains(name, "[") {
			for i, c := range t.Columns {
				if c.Part == report.Param && c.Static == name && strings.Contains(c.Source, "[") {
					cols, repeated = append(cols, i), true
				}
			}
		}
		if c, ok := t.Find(name); ok && !repeated {
			cols = []int{c}
		}
		return cols, repeated
	}
	var known []string
	for _, c := range t.Columns {
		known = append(known, c.Name)
		if c.Part == report.Param && c.Static != c.Source {
			known = append(known, c.Static)
		}
	}
	typeOf := func(name string) (expr.Type, bool) {
		cols, repeated := find(name)
		if len(cols) == 0 {
			return expr.Type{}, false
		}
		kind := expr.String
		switch t.Columns[cols[0]].Kind {
		case report.Int, report.Float:
			kind = expr.Number
		case report.Bool:
			kind = expr.Bool
		}
		return expr.Type{Kind: kind, Repeated: repeated}, true
	}
	if err := e.Check(typeOf, known, expr.Bool); err != nil {
		return nil, whereError(text, err)
	}
	f.program, err = e.Bind(func(name string) (expr.Ref, bool) {
		cols, repeated := find(name)
		if len(cols) == 0 {
			return expr.Ref{}, false
		}
		if !repeated {
			return expr.Ref{Slot: slot(cols[0])}, true
		}
		ref := expr.Ref{Each: []int{}}
		for _, c := range cols {
			ref.Each = append(ref.Each, slot(c))
		}
		return ref, true
	})
	if err != nil {
		return nil, whereError(text, err)
	}
	f.slots = make(expr.Slots, len(f.columns))
	return f, nil
}

// whereError shows where in a condition the mistake is.
func whereError(text string, err error) error {
	offset, message := 0, err.Error()
	var syntax *expr.SyntaxError
	var meaning *expr.MeaningError
	switch {
	case errors.As(err, &syntax):
		offset, message = syntax.Offset, fmt.Sprintf("found %s; expected %s", syntax.Found, syntax.Want)
	case errors.As(err, &meaning) && len(meaning.Mistakes) > 0:
		offset, message = meaning.Mistakes[0].Offset, meaning.Mistakes[0].Text
	}
	column := len([]rune(text[:min(offset, len(text))]))
	return usagef("  "+text+"\n    "+strings.Repeat(" ", column)+"^", "--where: %s", message)
}

// keeps reports whether a row of the table meets the condition. A condition on
// what a trial does not have is not met.
func (f *filter) keeps(row []any) bool {
	for s, c := range f.columns {
		switch v := row[c].(type) {
		case int64:
			f.slots[s] = expr.Num(float64(v))
		case float64:
			f.slots[s] = expr.Num(v)
		case bool:
			f.slots[s] = expr.Boolean(v)
		case string:
			f.slots[s] = expr.Str(v)
		default:
			f.slots[s] = expr.Value{}
		}
	}
	return f.program.Truth(f.slots) == expr.True
}
