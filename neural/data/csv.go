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
	Missing   string            // "fill" fills what is missing; "" or "error" refuses it
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
	path   string
	file   []byte
	comma  rune
	header bool
}

// rows calls f with every row and its line.
func (c *cellsReader) rows(f func(line int, cells []string) error) error {
	r := csv.NewReader(bytes.NewReader(c.file))
	r.Comma = c.comma
	r.ReuseRecord = true
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
	file = bytes.TrimPrefix(file, []byte("\ufeff"))
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
	numbers := 0
	for i := range names {
		names[i] = strings.TrimSpace(names[i])
		if _, err := strconv.ParseFloat(names[i], 64); err == nil {
			numbers++
		}
		if o.NoHeader {
			names[i] = "x" + strconv.Itoa(i)
		}
	}
	if !o.NoHeader && numbers == len(names) {
		return nil, nil, fileError(path, "line 1", errors.New("found only numbers, want the names of the columns; say so if there is no header"))
	}
	for i, n := range names {
		if n == "" {
			return nil, nil, fileError(path, "line 1", fmt.Errorf("found no name of column %d, want one", i+1))
		}
		if k := slices.Index(names[:i], n); k >= 0 {
			return nil, nil, fileError(path, "line 1", fmt.Errorf("found the name %q of columns %d and %d, want different names", n, k+1, i+1))
		}
	}
	return c, names, nil
}

func shorten(s string) string {
	if len(s) > 60 {
		s = strings.ToValidUTF8(s[:60], "") + "…"
	}
	return s
}

// aboutColumn is what is found out about a column before it is read.
type aboutColumn struct {
	kind       columnKind
	numeric    bool // every cell that is not missing is a number
	text       string
	textLine   int // where the first cell is that is no number
	whole      bool
	different  map[string]int32 // categories by their text
	order      []string
	tooMany    bool
	missing    int
	anyPresent bool
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
	switch {
	case o.Target == "":
		bad("found no target, want one of the columns of %s: %s", path, some(names, 30))
	case !slices.Contains(names, o.Target):
		bad("found the target %q, want one of the columns of %s: %s", o.Target, path, some(names, 30))
	}
	if !slices.Contains([]string{"", "auto", "classes", "number"}, o.Task) {
		bad("found the task %q, want auto, classes or number", o.Task)
	}
	if !slices.Contains([]string{"", "error", "fill"}, o.Missing) {
		bad("found %q for what is missing, want error or fill", o.Missing)
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
		about[i] = aboutColumn{numeric: true, whole: true, different: map[string]int32{}}
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
					if o.Missing != "fill" {
						return fmt.Errorf("column %q: found nothing (%q), want a value; or say missing: fill", names[i], cell)
					}
					a.missing++
					continue
				}
				a.anyPresent = true
				if a.numeric {
					if x, err := strconv.ParseFloat(cell, 32); err != nil || x-x != 0 {
						a.numeric, a.text, a.textLine = false, cell, line
					} else if x != math.Trunc(x) {
						a.whole = false
					}
				}
				if _, ok := a.different[cell]; !ok && !a.tooMany {
					if len(a.order) == maxCategories {
						a.tooMany = true
						continue
					}
					kept := strings.Clone(cell)
					a.different[kept] = 0
					a.order = append(a.order, kept)
				}
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
	// What the columns are.
	r := Rows{}
	classes := false
	for i := range about {
		a := &about[i]
		if a.kind == ignoredColumn {
			continue
		}
		if !a.anyPresent {
			return nil, fileError(path, "", fmt.Errorf("column %q: found nothing in any row; leave it out with the type ignore", names[i]))
		}
		wanted := o.Types[names[i]]
		if i == target {
			wanted = map[string]string{"classes": "category", "number": "number"}[o.Task]
			if wanted == "" && a.numeric && !(a.whole && !a.tooMany && len(a.order) <= fewNumbers) {
				wanted = "number"
			}
			if wanted == "" {
				wanted = "category"
			}
		}
		if wanted == "" && !a.numeric {
			wanted = "category"
		}
		switch {
		case wanted != "category" && !a.numeric:
			return nil, fileError(path, fmt.Sprintf("line %d", a.textLine), fmt.Errorf("column %q: found %q, want a finite number", names[i], shorten(a.text)))
		case wanted != "category" && i == target:
			r.TargetCols = []string{names[i]}
			a.kind = numberColumn
			continue
		case wanted != "category":
			r.NumberCols = append(r.NumberCols, Column{Name: names[i]})
			a.kind = numberColumn
			continue
		}
		a.kind = categoryColumn
		if a.tooMany {
			note := ""
			if !a.numeric {
				note = fmt.Sprintf(" (line %d: %q)", a.textLine, shorten(a.text))
			}
			return nil, fileError(path, "", fmt.Errorf("column %q: found more than %d different values%s, want fewer categories; give it the type number or ignore", names[i], maxCategories, note))
		}
		if a.numeric {
			slices.SortFunc(a.order, func(x, y string) int {
				p, _ := strconv.ParseFloat(x, 64)
				q, _ := strconv.ParseFloat(y, 64)
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
					x := math.NaN()
					if !isMissing(cell) {
						x, _ = strconv.ParseFloat(cell, 32)
					}
					if i == target {
						own.Targets = append(own.Targets, float32(x))
					} else {
						own.Numbers = append(own.Numbers, float32(x))
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
