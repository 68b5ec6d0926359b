package sample

import (
	"bytes"
	"flag"
	"fmt"
	"go/format"
	"math/bits"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "search the initial numbers of the Sobol sequence again and write sobol_table.go")

// The initial numbers of a Sobol sequence are free, and the evenness of its
// projections depends on them. Following Joe and Kuo (2008, Constructing Sobol
// sequences with better two-dimensional projections), dimensions are chosen one
// after the other, each to make the worst of its two-dimensional projections
// with earlier dimensions good:
//
//	minimise max over earlier i, m  of  0.9999^(j-i) · t(i, j, m)^6 / (m - t + 1)
//
// where t is the quality parameter of the projection's first 2^m points. Where
// they searched all initial numbers that satisfy property A in a neighbourhood,
// this takes the best of 256 random draws (64 beyond dimension 100), and a
// dimension is compared with the first 50 and the 100 before it.

// searchMs are the sizes of point sets, as powers of two, that count.
var searchMs = [...]int{12, 10, 8, 6, 4}

const (
	searchFirst = 50
	searchLast  = 100
)

// draws returns how many draws a dimension may choose among.
func draws(dim int) int {
	if dim <= 100 {
		return 256
	}
	return 64
}

// rowsOf returns the rows of the generator matrix of direction numbers: bit c
// of row r is digit r of direction number c.
func rowsOf(v *[columns]uint32) (rows [14]uint16) {
	for r := range rows {
		for c := range rows {
			rows[r] |= uint16(v[c]>>(31-r)&1) << c
		}
	}
	return rows
}

// quality returns t of the two-dimensional net of 2^m points: m minus the
// largest k such that the first k1 rows of one matrix and k - k1 of the other
// are independent for all k1 (Niederreiter 1987).
func quality(a, b *[14]uint16, m int) int {
	mask := uint16(1)<<m - 1
	var basis, work [16]uint16
	// add extends a basis in echelon form and reports false if it spans the row.
	add := func(basis *[16]uint16, row uint16) bool {
		for row != 0 {
			lead := (bits.Len16(row) - 1) & 15
			if basis[lead] == 0 {
				basis[lead] = row
				return true
			}
			row ^= basis[lead]
		}
		return false
	}
	least := m
	for k1 := 0; k1 <= m && k1 <= least; k1++ {
		work = basis
		k2 := 0
		for k1+k2 < least {
			if !add(&work, b[k2]&mask) {
				break
			}
			k2++
		}
		least = min(least, k1+k2)
		if k1 < m {
			add(&basis, a[k1]&mask) // rows of one matrix are independent
		}
	}
	return m - least
}

// penalty returns the criterion of a candidate, or something above limit as
// soon as it is known to exceed it.
func penalty(earlier [][14]uint16, candidate *[14]uint16, limit float64) float64 {
	worst, weight := 0.0, 1.0
	for i := len(earlier) - 1; i >= 0; i-- {
		weight *= 0.9999
		if i >= searchFirst && i < len(earlier)-searchLast {
			continue
		}
		for _, m := range searchMs {
			t := quality(&earlier[i], candidate, m)
			f := float64(t * t * t)
			if x := weight * f * f / float64(m-t+1); x > worst {
				worst = x
			}
		}
		if worst > limit {
			return worst
		}
	}
	return worst
}

// choose returns the draw for dimension len(earlier) and its rows.
func choose(earlier [][14]uint16) (best uint64, rows [14]uint16) {
	dim := len(earlier)
	limit := 1e300
	for draw := range uint64(draws(dim)) {
		var v [columns]uint32
		directions(dim, drawInitial(dim, draw), &v)
		r := rowsOf(&v)
		if x := penalty(earlier, &r, limit); x < limit {
			best, rows, limit = draw, r, x
		}
	}
	return best, rows
}

func TestInitialNumbers(t *testing.T) {
	if !*update {
		t.Parallel()
	}
	dims := 24
	if testing.Short() {
		dims = 8
	}
	if *update {
		dims = maxDims
	}
	var first [columns]uint32
	directions(0, nil, &first)
	earlier := [][14]uint16{rowsOf(&first)}
	var table bytes.Buffer
	fmt.Fprintf(&table, "package sample\n\n// chosen names, for each dimension but the first, the draw of initial numbers\n// that gives the best two-dimensional projections. It was computed by\n//\n//\tgo test ./search/sample -run TestInitialNumbers -update\n//\n// whose source states the criterion.\nvar chosen = [maxDims - 1]uint8{")
	for dim := 1; dim < dims; dim++ {
		draw, rows := choose(earlier)
		earlier = append(earlier, rows)
		if *update {
			if dim%24 == 1 {
				table.WriteByte('\n')
			}
			fmt.Fprintf(&table, "%d, ", draw)
			continue
		}
		if draw != uint64(chosen[dim-1]) {
			t.Fatalf("dimension %d: the best draw is %d, the table says %d; run with -update", dim, draw, chosen[dim-1])
		}
	}
	if !*update {
		return
	}
	table.WriteString("\n}\n")
	text, err := format.Source(table.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("sobol_table.go", text, 0o666); err != nil {
		t.Fatal(err)
	}
}
