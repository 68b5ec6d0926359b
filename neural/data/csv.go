package data

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits of tables.
const (
	maxTableBytes = 1 << 31
	maxColumns    = 1 << 14
	maxCategories = 1000 // of a column
	fewNumbers    = 20   // as many different whole numbers of a target are classes
)

// missingWords are the cells that stand for nothing.
var missingWords = []string{"", "?", "na", "n/a", "nan", "null", "none"}

func isMissing(cell string) bool {
	return len(cell) <= 4 && slices.Contains(missingWords, strings.ToLower(cell))
}

// CSV says how tables in text files are to be read.
type CSV struct {
	Target    string            // the column that is to be foretold
	Task      string            // "classes" or "number"; "" or "auto" means that the target says it
	Delimiter string            // one character, or "tab"; "" or "auto" means the one of , ; tab | that the first line has most of
	NoHeader  bool              // there are no names in the first line: columns are x0, x1, …
	Decimal   string            // "point" or "comma"; "" or "auto" means the one with which a column is numbers
	Missing   string            // "fill" fills what is missing, "flag" also adds a column that says where; "" or "error" refuses it
	Types     map[string]string // of columns: "number", "category" or "ignore"
}

// A kind of column.
type columnKind uint8

const (
	numberColumn columnKind = iota
	categoryColumn
	ignoredColumn
)

// A cellsReader goes through the rows of a file.
type cellsReader struct {
	path    string
	file    []byte
	comma   rune
	columns int
	header  bool
}

// rows calls f with every row and its line.
func (c *cellsReader) rows(f func(line int, cells []string) error) error {
	r := csv.NewReader(bytes.NewReader(c.file))
	r.Comma = c.comma
	r.ReuseRecord = true
	r.FieldsPerRecord = -1
	r.TrimLeadingSpace = c.comma != '\t'
	first := true
	for {
		cells, err := r.Read()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fileError(c.path, "", err)
		}
		line, _ := r.FieldPos(0)
		if len(cells) != c.columns {
			return fileError(c.path, fmt.Sprintf("line %d", line), fmt.Errorf("cells: found %d, want %d as in the first line", len(cells), c.columns))
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if first && c.header {
			first = false
			continue
		}
		if err := f(line, cells); err != nil {
			return fileError(c.path, fmt.Sprintf("line %d", line), err)
		}
	}
}

func (o CSV) cells(path string) (*cellsReader, []string, error) {
	file, err := whole(path, maxTableBytes)
	if err != nil {
		return nil, nil, err
	}
	return o.prepare(path, file)
}

// prepare finds the delimiter and the names of the columns.
func (o CSV) prepare(path string, file []byte) (*cellsReader, []string, error) {
	if bytes.HasPrefix(file, []byte("\xff\xfe")) || bytes.HasPrefix(file, []byte("\xfe\xff")) {
		return nil, nil, fileError(path, "", errors.New("found text in UTF-16, want UTF-8; spreadsheets save it as CSV UTF-8"))
	}
	file = bytes.TrimPrefix(file, []byte(byteOrderMark))
	if at := invalid(file); at >= 0 {
		line := 1 + bytes.Count(file[:at], []byte("\n"))
		return nil, nil, fileError(path, fmt.Sprintf("line %d", line), fmt.Errorf("found the bytes % x, want text in UTF-8; spreadsheets save it as CSV UTF-8", file[at:min(len(file), at+4)]))
	}
	if len(bytes.TrimSpace(file)) == 0 {
		return nil, nil, fileError(path, "", errors.New("found an empty file, want a table"))
	}
	c := &cellsReader{path: path, file: file, header: !o.NoHeader}
	switch line, _, _ := bytes.Cut(file, []byte("\n")); {
	case o.Delimiter == "tab":
		c.comma = '\t'
	case o.Delimiter == "" || o.Delimiter == "auto":
		most := 0
		quoted := false
		counts := map[byte]int{}
		for _, b := range line {
			if b == '"' {
				quoted = !quoted
			} else if !quoted {
				counts[b]++
			}
		}
		for _, d := range []byte(",;\t|") {
			if counts[d] > most {
				most, c.comma = counts[d], rune(d)
			}
		}
		if most == 0 {
			return nil, nil, fileError(path, "line 1", fmt.Errorf("found none of , ; tab | in %q, want columns; say what the delimiter is", shorten(string(line))))
		}
	default:
		r, n := utf8.DecodeRuneInString(o.Delimiter)
		if n != len(o.Delimiter) || r == utf8.RuneError || r == '"' || r == '\n' || r == '\r' || r == 0 {
			return nil, nil, fmt.Errorf("data: csv: found the delimiter %q, want one character, tab, or auto", o.Delimiter)
		}
		c.comma = r
	}
	r := csv.NewReader(bytes.NewReader(file))
	r.Comma = c.comma
	r.TrimLeadingSpace = c.comma != '\t'
	names, err := r.Read()
	if err != nil {
		return nil, nil, fileError(path, "", err)
	}
	if len(names) > maxColumns {
		return nil, nil, fileError(path, "line 1", fmt.Errorf("found %d columns, want at most %d", len(names), maxColumns))
	}
	c.columns = len(names)
	for i := range names {
		names[i] = strings.TrimSpace(names[i])
		if o.NoHeader {
			names[i] = "x" + strconv.Itoa(i)
		}
	}
	if !o.NoHeader && numbersAmong(names) == len(names) {
		return nil, nil, fileError(path, "line 1", errors.New("found only numbers, want the names of the columns; if there are none, say no_header: true"))
	}
	for i, n := range names {
		if n == "" { // as of the index of a data frame
			n = fmt.Sprintf("column %d", i+1)
			if names[i] = n; o.Types[n] == "" && o.Target != n {
				return nil, nil, fileError(path, "line 1", fmt.Errorf("found no name of column %d, want one; or say what it is, such as types: {%s: ignore}", i+1, n))
			}
		}
		if k := slices.Index(names[:i], n); k >= 0 {
			return nil, nil, fileError(path, "line 1", fmt.Errorf("found the name %q of columns %d and %d, want different names", n, k+1, i+1))
		}
	}
	return c, names, nil
}

// numbersAmong counts the names that are numbers.
func numbersAmong(names []string) (n int) {
	for _, s := range names {
		if _, err := strconv.ParseFloat(s, 64); err == nil {
			n++
		}
	}
	return n
}

// invalid returns where a text is not in UTF-8; −1 if it is.
func invalid(text []byte) int {
	if utf8.Valid(text) {
		return -1
	}
	at := 0
	for at < len(text) {
		r, n := utf8.DecodeRune(text[at:])
		if r == utf8.RuneError && n == 1 {
			break
		}
		at += n
	}
	return at
}

func shorten(s string) string {
	if len(s) > 60 {
		s = strings.ToValidUTF8(s[:60], "") + "…"
	}
	return s
}

// aboutColumn is what is found out about a column before it is read.
type aboutColumn struct {
	kind      columnKind
	as        [2]reading       // by the way numbers are written
	decimals  decimals         // the one that is taken
	doubtful  string           // the first cell that is one number with a point and another with a comma
	different map[string]int32 // categories by their text
	order     []string
	tooMany   bool
	missing   int
	present   bool
}

// see looks at a cell that is not missing.
func (a *aboutColumn) see(cell string, line int) {
	a.present = true
	x, isX := a.as[withPoint].see(withPoint, cell, line)
	y, isY := a.as[withComma].see(withComma, cell, line)
	if isX && isY && x != y && a.doubtful == "" {
		a.doubtful = strings.Clone(cell)
	}
	if _, ok := a.different[cell]; !ok && !a.tooMany {
		if len(a.order) == maxCategories {
			a.tooMany = true
			return
		}
		kept := strings.Clone(cell)
		a.different[kept] = 0
		a.order = append(a.order, kept)
	}
}

// numeric reports whether every cell is a number, written as was decided.
func (a *aboutColumn) numeric() bool { return !a.as[a.decimals].fails }

// decide says with which sign the decimals of each column are written: the one with which
// all its cells are numbers. Where that is both, and not the same numbers, the other
// columns decide.
func (o CSV) decide(path string, names []string, about []aboutColumn) error {
	var used [2]bool
	for i := range about {
		a := &about[i]
		switch {
		case a.kind == ignoredColumn || o.Types[names[i]] == "category":
		case o.Decimal == "comma", !a.as[withComma].fails && a.as[withPoint].fails && o.Decimal != "point":
			a.decimals, used[withComma] = withComma, true
		case !a.as[withPoint].fails && a.as[withComma].fails:
			used[withPoint] = true
		}
	}
	if o.Decimal == "comma" || o.Decimal == "point" {
		return nil
	}
	for i := range about {
		a := &about[i]
		if a.kind == ignoredColumn || o.Types[names[i]] == "category" || a.doubtful == "" || a.as[withPoint].fails || a.as[withComma].fails {
			continue
		}
		comma := strings.Contains(a.doubtful, ",")
		switch {
		case comma && used[withComma] && !used[withPoint]:
			a.decimals = withComma
		case comma && !used[withPoint], !comma && used[withComma] && !used[withPoint]:
			return fileError(path, "", fmt.Errorf("column %q: found %q, which is one number with a decimal point and another with a decimal comma; say decimal: point or decimal: comma", names[i], a.doubtful))
		}
	}
	return nil
}

// open reads a table, and a second one with the same columns if there is a test file. What
// is missing is not filled yet.
func (o CSV) open(path, testPath string) (train, test *Set, err error) {
	c, names, err := o.cells(path)
	if err != nil {
		return nil, nil, err
	}
	files := []*cellsReader{c}
	if testPath != "" {
		t, others, err := o.cells(testPath)
		if err != nil {
			return nil, nil, err
		}
		if !slices.Equal(names, others) {
			return nil, nil, fileError(testPath, "line 1", fmt.Errorf("found the columns %s, want %s as in %s", some(others, 20), some(names, 20), path))
		}
		files = append(files, t)
	}
	sets, err := o.read(files, names)
	if err != nil {
		return nil, nil, err
	}
	if len(sets) == 2 {
		test = sets[1]
	}
	return sets[0], test, nil
}

// check reports options that fit no table of these columns.
func (o CSV) check(path string, names []string) error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("data: csv: "+format, args...)) }
	hint := ""
	if !o.NoHeader && numbersAmong(names) > 0 {
		hint = "; if the first line is a row already, say no_header: true"
	}
	switch {
	case o.Target == "":
		bad("found no target, want one of the columns of %s: %s%s", path, some(names, 30), hint)
	case !slices.Contains(names, o.Target):
		bad("found the target %q, want one of the columns of %s: %s%s", o.Target, path, some(names, 30), hint)
	}
	if !slices.Contains([]string{"", "auto", "classes", "number"}, o.Task) {
		bad("found the task %q, want auto, classes or number", o.Task)
	}
	if !slices.Contains([]string{"", "error", "fill", "flag"}, o.Missing) {
		bad("found %q for what is missing, want error, fill or flag", o.Missing)
	}
	if !slices.Contains([]string{"", "auto", "point", "comma"}, o.Decimal) {
		bad("found the decimal %q, want auto, point or comma", o.Decimal)
	}
	var typed []string
	for name := range o.Types {
		typed = append(typed, name)
	}
	slices.Sort(typed)
	for _, name := range typed {
		switch t := o.Types[name]; {
		case !slices.Contains(names, name):
			bad("found a type of the column %q, want one of the columns of %s: %s", name, path, some(names, 30))
		case name == o.Target:
			bad("found the type %q of the target %q, want a task instead: classes or number", t, name)
		case !slices.Contains([]string{"number", "category", "ignore"}, t):
			bad("found the type %q of the column %q, want number, category or ignore", t, name)
		}
	}
	return errors.Join(errs...)
}

func (o CSV) read(files []*cellsReader, names []string) ([]*Set, error) {
	path := files[0].path
	if err := o.check(path, names); err != nil {
		return nil, err
	}
	target := slices.Index(names, o.Target)
	about := make([]aboutColumn, len(names))
	rows := make([]int, len(files))
	for i := range about {
		about[i] = aboutColumn{different: map[string]int32{}}
		if o.Types[names[i]] == "ignore" {
			about[i].kind = ignoredColumn
		}
	}
	for k, file := range files {
		err := file.rows(func(line int, cells []string) error {
			rows[k]++
			for i, cell := range cells {
				a := &about[i]
				if a.kind == ignoredColumn {
					continue
				}
				if isMissing(cell) {
					if i == target {
						return fmt.Errorf("column %q: found no target (%q), want one in every row", names[i], cell)
					}
					if o.Missing != "fill" && o.Missing != "flag" {
						return fmt.Errorf("column %q: found nothing (%q), want a value; or say missing: fill, or missing: flag", names[i], cell)
					}
					a.missing++
					continue
				}
				a.see(cell, line)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		if rows[k] == 0 {
			return nil, fileError(file.path, "", errors.New("found no rows below the header, want at least one"))
		}
	}
	if err := o.decide(path, names, about); err != nil {
		return nil, err
	}
	// What the columns are.
	r := Rows{}
	classes := false
	for i := range about {
		a := &about[i]
		if a.kind == ignoredColumn {
			continue
		}
		if !a.present {
			return nil, fileError(path, "", fmt.Errorf("column %q: found nothing in any row; leave it out with the type ignore", names[i]))
		}
		wanted := o.Types[names[i]]
		if i == target {
			wanted = map[string]string{"classes": "category", "number": "number"}[o.Task]
			if wanted == "" && a.numeric() && (a.as[a.decimals].parts || a.tooMany || len(a.order) > fewNumbers) {
				wanted = "number"
			}
			if wanted == "" {
				wanted = "category"
			}
		}
		if wanted == "" && !a.numeric() {
			wanted = "category"
		}
		switch {
		case wanted != "category" && !a.numeric():
			bad := &a.as[a.decimals]
			return nil, fileError(path, fmt.Sprintf("line %d", bad.line), fmt.Errorf("column %q: found %q, want a finite number with a decimal %s", names[i], shorten(bad.text), a.decimals))
		case wanted != "category" && i == target:
			r.TargetCols = []string{names[i]}
			a.kind = numberColumn
			continue
		case wanted != "category":
			r.NumberCols = append(r.NumberCols, Column{Name: names[i]})
			if o.Missing == "flag" && a.missing > 0 {
				r.NumberCols = append(r.NumberCols, Column{Name: names[i] + " is missing"})
			}
			a.kind = numberColumn
			continue
		}
		a.kind = categoryColumn
		if a.tooMany {
			note := ""
			if bad := &a.as[a.decimals]; bad.fails {
				note = fmt.Sprintf(" (line %d: %q)", bad.line, shorten(bad.text))
			}
			return nil, fileError(path, "", fmt.Errorf("column %q: found more than %d different values%s, want fewer categories; give it the type number or ignore", names[i], maxCategories, note))
		}
		if a.numeric() {
			slices.SortFunc(a.order, func(x, y string) int {
				p, _ := a.decimals.number(x)
				q, _ := a.decimals.number(y)
				if p != q {
					return int(math.Copysign(1, p-q))
				}
				return strings.Compare(x, y)
			})
		} else {
			slices.Sort(a.order)
		}
		if a.missing > 0 {
			a.order = append(a.order, "missing")
			if _, ok := a.different["missing"]; ok {
				return nil, fileError(path, "", fmt.Errorf("column %q: found the word missing beside cells with nothing, want another word", names[i]))
			}
		}
		for code, cell := range a.order {
			a.different[cell] = int32(code)
		}
		if i == target {
			classes = true
			r.Classes = a.order
		} else {
			r.CodeCols = append(r.CodeCols, Column{Name: names[i], Categories: a.order})
		}
	}
	if classes && len(r.Classes) < 2 {
		return nil, fileError(path, "", fmt.Errorf("column %q: found only %q, want at least two classes to tell apart", o.Target, r.Classes[0]))
	}
	// The cells.
	var sets []*Set
	for k, file := range files {
		own := r
		own.Numbers = make([]float32, 0, rows[k]*len(r.NumberCols))
		own.Codes = make([]int32, 0, rows[k]*len(r.CodeCols))
		err := file.rows(func(line int, cells []string) error {
			for i, cell := range cells {
				a := &about[i]
				switch {
				case a.kind == ignoredColumn:
				case a.kind == categoryColumn:
					if isMissing(cell) {
						cell = "missing"
					}
					if code := a.different[cell]; i == target {
						own.Labels = append(own.Labels, code)
					} else {
						own.Codes = append(own.Codes, code)
					}
				default:
					x, is := math.NaN(), float32(1)
					if !isMissing(cell) {
						x, _ = a.decimals.number(cell)
						is = 0
					}
					if i == target {
						own.Targets = append(own.Targets, float32(x))
						continue
					}
					own.Numbers = append(own.Numbers, float32(x))
					if o.Missing == "flag" && a.missing > 0 {
						own.Numbers = append(own.Numbers, is)
					}
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		s, err := newTable(tableName(path), own, true)
		if err != nil {
			return nil, err
		}
		sets = append(sets, s)
	}
	return sets, nil
}

func tableName(path string) string {
	name := strings.TrimSuffix(filepath.Base(path), ".gz")
	return strings.TrimSuffix(name, filepath.Ext(name))
}

// fill replaces numbers that are missing, in all sets, by the mean of those in the first
// one.
func fill(sets ...*Set) error {
	s := sets[0]
	for k, c := range s.Numbers {
		sum, n := 0.0, 0
		for i := range s.Len() {
			if numbers, _, _ := s.Row(i); numbers[k] == numbers[k] {
				sum += float64(numbers[k])
				n++
			}
		}
		for _, t := range sets {
			for i := range t.Len() {
				if numbers, _, _ := t.Row(i); numbers[k] != numbers[k] {
					if n == 0 {
						return s.bad("column %q: found no number in the training part to fill others with; leave it out with the type ignore", c.Name)
					}
					numbers[k] = float32(sum / float64(n))
				}
			}
		}
	}
	return nil
}
