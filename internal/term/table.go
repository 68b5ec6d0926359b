package term

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// A Column of a [Table].
type Column struct {
	Name  string
	Unit  string // second line of the heading
	Group string // line above the heading, shared by neighbours that have the same
	Right bool   // numbers stand right
}

// A Table has its columns aligned. The last column is cut where the line would
// be too long.
type Table struct {
	Columns []Column
	rows    [][]string
}

// Row adds a row, one text for each column.
func (t *Table) Row(cells ...string) {
	row := make([]string, len(t.Columns))
	for i := range row {
		if i < len(cells) {
			row[i] = oneLine(cells[i])
		}
	}
	t.rows = append(t.rows, row)
}

// Len returns the number of rows.
func (t *Table) Len() int { return len(t.rows) }

const gap = "  "

// Write prints the table within width columns; 0 means no bound.
func (t *Table) Write(w io.Writer, width int) error {
	n := len(t.Columns)
	if n == 0 {
		return nil
	}
	wide := make([]int, n)
	units, groups := false, false
	for i, c := range t.Columns {
		wide[i] = max(runes(c.Name), runes(c.Unit))
		units = units || c.Unit != ""
		groups = groups || c.Group != ""
		for _, r := range t.rows {
			wide[i] = max(wide[i], runes(r[i]))
		}
	}
	// A group must have room for its name.
	for i := 0; i < n; {
		j, sum := i, 0
		for ; j < n && t.Columns[j].Group == t.Columns[i].Group; j++ {
			sum += wide[j] + len(gap)
		}
		if short := runes(t.Columns[i].Group) - (sum - len(gap)); short > 0 {
			wide[i] += short
		}
		i = j
	}
	if width > 0 {
		used := 0
		for _, x := range wide[:n-1] {
			used += x + len(gap)
		}
		wide[n-1] = min(wide[n-1], max(width-used, 12))
	}
	var b strings.Builder
	line := func(cell func(i int) string) {
		var l strings.Builder
		for i, c := range t.Columns {
			if i > 0 {
				l.WriteString(gap)
			}
			s := Cut(cell(i), wide[i])
			pad := strings.Repeat(" ", wide[i]-runes(s))
			if c.Right {
				s = pad + s
			} else {
				s += pad
			}
			l.WriteString(s)
		}
		b.WriteString(strings.TrimRight(l.String(), " ") + "\n")
	}
	if groups {
		var l strings.Builder
		for i := 0; i < n; {
			j, sum := i, 0
			for ; j < n && t.Columns[j].Group == t.Columns[i].Group; j++ {
				sum += wide[j] + len(gap)
			}
			l.WriteString(pad(t.Columns[i].Group, sum))
			i = j
		}
		b.WriteString(strings.TrimRight(l.String(), " ") + "\n")
	}
	line(func(i int) string { return t.Columns[i].Name })
	if units {
		line(func(i int) string { return t.Columns[i].Unit })
	}
	for _, r := range t.rows {
		line(func(i int) string { return r[i] })
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("writing a table: %w", err)
	}
	return nil
}

func pad(s string, n int) string { return s + strings.Repeat(" ", max(n-runes(s), 0)) }

func runes(s string) int { return utf8.RuneCountInString(s) }

// Cut shortens s to n characters.
func Cut(s string, n int) string {
	if runes(s) <= n {
		return s
	}
	r := []rune(s)
	return strings.TrimRight(string(r[:max(n-1, 0)]), " ") + "…"
}

// oneLine replaces what would break a line or act on the terminal.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
}
