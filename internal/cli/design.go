package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/daedalus-search/daedalus/internal/term"
	"github.com/daedalus-search/daedalus/report"
)

// designs shows the parameters of some designs compactly: what differs as
// columns if they fit into width, else as "name=value" in one column, and what
// all have in common once. texts are the designs as JSON; label, if not nil,
// writes one shorter than name=value does.
func designs(t *report.Table, rows [][]any, texts [][]byte, width int, label func([]byte) string) (columns []term.Column, cells [][]string, common string) {
	var vary []int
	var same []string
	for i, c := range t.Columns {
		if c.Part != report.Param {
			continue
		}
		differs := len(rows) == 1
		for _, r := range rows {
			differs = differs || r[i] != rows[0][i]
		}
		switch {
		case differs:
			vary = append(vary, i)
		case rows[0][i] != nil:
			same = append(same, c.Source+"="+short(rows[0][i]))
		}
	}
	cells = make([][]string, len(rows))
	used := 0
	for _, i := range vary {
		c := term.Column{Name: t.Columns[i].Source, Unit: t.Columns[i].Unit, Right: t.Columns[i].Kind == report.Int || t.Columns[i].Kind == report.Float}
		wide := max(len(c.Name), len(c.Unit))
		for k, r := range rows {
			s := short(r[i])
			wide = max(wide, len([]rune(s)))
			cells[k] = append(cells[k], s)
		}
		used += wide + 2
		columns = append(columns, c)
	}
	if used <= width && len(vary) > 0 {
		return columns, cells, strings.Join(same, " ")
	}
	if label != nil {
		for k := range rows {
			cells[k] = []string{label(texts[k])}
		}
		return []term.Column{{Name: "design"}}, cells, ""
	}
	compact, common := compactDesigns(texts)
	for k := range rows {
		cells[k] = []string{compact[k]}
	}
	return []term.Column{{Name: "design"}}, cells, common
}

// compactDesigns shows nested designs on a line each: top-level parameters that
// differ as name=value, and once those that all have in common.
func compactDesigns(texts [][]byte) (lines []string, common string) {
	type member struct{ name, value string }
	all := make([][]member, len(texts))
	count := map[member]int{}
	for i, text := range texts {
		d := json.NewDecoder(bytes.NewReader(text))
		if t, err := d.Token(); err != nil || t != json.Delim('{') {
			continue
		}
		for d.More() {
			name, err := d.Token()
			var value json.RawMessage
			if err != nil || d.Decode(&value) != nil {
				break
			}
			m := member{fmt.Sprint(name), readable(value)}
			all[i] = append(all[i], m)
			count[m]++
		}
	}
	lines = make([]string, len(texts))
	var same []string
	for i := range all {
		var words []string
		for _, m := range all[i] {
			word := m.name + "=" + m.value
			switch {
			case len(texts) == 1 || count[m] < len(texts):
				words = append(words, word)
			case i == 0:
				same = append(same, word)
			}
		}
		lines[i] = strings.Join(words, " ")
	}
	return lines, strings.Join(same, " ")
}

var longNumber = regexp.MustCompile(`-?\d+\.\d{4,}(e[-+]?\d+)?`)

// readable returns JSON without quotes and with numbers rounded.
func readable(value []byte) string {
	s := strings.ReplaceAll(string(value), `"`, "")
	return longNumber.ReplaceAllStringFunc(s, func(x string) string {
		f, err := strconv.ParseFloat(x, 64)
		if err != nil {
			return x
		}
		return fmt.Sprintf("%.4g", f)
	})
}

// short formats a value of a design for a table.
func short(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case float64:
		return fmt.Sprintf("%.4g", v)
	case string:
		return v
	}
	return report.Cell(v)
}
