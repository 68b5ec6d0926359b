package data

import (
	"math"
	"strconv"
	"strings"
)

// A decimals is a way of writing numbers.
type decimals uint8

const (
	withPoint decimals = iota // 1234.5, 1e3, 1,234.5
	withComma                 // 1234,5 and 1.234,5
)

func (d decimals) String() string { return [...]string{"point", "comma"}[d] }

// number reads a finite number. The sign that does not separate decimals may stand
// between groups of three digits.
func (d decimals) number(cell string) (float64, bool) {
	separator, group := byte('.'), byte(',')
	if d == withComma {
		separator, group = group, separator
	}
	if strings.IndexByte(cell, ',') >= 0 || d == withComma {
		whole, rest := cell, ""
		if i := strings.IndexFunc(cell, func(r rune) bool { return r == rune(separator) || r == 'e' || r == 'E' }); i >= 0 {
			whole, rest = cell[:i], cell[i:]
		}
		if strings.IndexByte(rest, group) >= 0 || !grouped(strings.TrimLeft(whole, "+-"), group) {
			return 0, false
		}
		cell = strings.ReplaceAll(whole, string(group), "")
		if separator == ',' {
			rest = strings.Replace(rest, ",", ".", 1)
		}
		cell += rest
	}
	x, err := strconv.ParseFloat(cell, 32)
	return x, err == nil && !math.IsInf(x, 0) && !math.IsNaN(x)
}

// grouped reports whether a sign stands only between groups of three digits.
func grouped(whole string, sign byte) bool {
	parts := strings.Split(whole, string(sign))
	for i, p := range parts {
		if i > 0 && len(p) != 3 || i == 0 && len(parts) > 1 && (len(p) < 1 || len(p) > 3) {
			return false
		}
	}
	return true
}

// A reading is what a column is like if its cells are numbers written in one way.
type reading struct {
	fails bool // some cell is none
	text  string
	line  int  // where the first of them is
	parts bool // some are not whole
}

// see looks at a cell, and reports whether it is a number as all before it.
func (r *reading) see(d decimals, cell string, line int) (x float64, ok bool) {
	if r.fails {
		return 0, false
	}
	if x, ok = d.number(cell); !ok {
		r.fails, r.text, r.line = true, strings.Clone(cell), line
	} else if x != math.Trunc(x) {
		r.parts = true
	}
	return x, ok
}
