package metric

import (
	"math"
	"math/bits"
	"slices"
)

// orderer sorts rows of flat points by one column and then the others, and
// keeps its buffers between calls.
//
// A float is turned into an integer that sorts the same way; the integers are
// squeezed into as many bits as the number of rows needs, joined with the row's
// index in one word, and radix sorted. What falls together is then ordered by
// comparing the rows. Comparison sorting alone would cost more than all that
// follows it in two and three dimensions.
type orderer struct {
	key  []uint64
	word []uint64
	swap []uint64
	idx  []int32
	hist [2048]int32
}

// sortable maps floats to integers of the same order, with -0 as 0 and NaN as
// +Inf.
func sortable(x float64) uint64 {
	if x != x {
		x = math.Inf(1)
	}
	b := math.Float64bits(x + 0) // -0 + 0 = 0
	return b ^ (uint64(int64(b)>>63) | 1<<63)
}

// order returns the row indexes sorted by column col, ties by the remaining
// columns from the first when lex is set, then by index. The result is valid
// until the next call.
func (o *orderer) order(points []float64, m, col int, lex bool) []int32 {
	n := len(points) / m
	o.idx = resize(o.idx, n)
	idx := o.idx
	if n < 48 {
		for i := range idx {
			idx[i] = int32(i)
		}
		sortRows(points, m, col, lex, idx)
		return idx
	}
	o.key = resize(o.key, n)
	o.word = resize(o.word, n)
	o.swap = resize(o.swap, n)
	key, word, swap := o.key, o.word, o.swap
	lo, hi := uint64(math.MaxUint64), uint64(0)
	at := col
	for i := range key {
		k := sortable(points[at])
		key[i] = k
		lo, hi = min(lo, k), max(hi, k)
		at += m
	}
	// Bits enough that few different values share a word.
	passes := 2
	if n > 1<<14 {
		passes = 3
	}
	width := min(11*passes, 32)
	shift := max(bits.Len64(hi-lo)-width, 0)
	for i, k := range key {
		word[i] = (k-lo)>>shift<<32 | uint64(i)
	}
	used := min(bits.Len64(hi-lo), width)
	for p := 0; 11*p < used; p++ {
		sh := 32 + 11*p
		hist := &o.hist
		clear(hist[:])
		for _, w := range word {
			hist[w>>sh&2047]++
		}
		sum := int32(0)
		for d := range hist {
			c := hist[d]
			hist[d] = sum
			sum += c
		}
		for _, w := range word {
			d := w >> sh & 2047
			swap[hist[d]] = w
			hist[d]++
		}
		word, swap = swap, word
	}
	for i, w := range word {
		idx[i] = int32(uint32(w))
	}
	// Rows that share a word still need ordering; by index they already are.
	for i := 0; i < n; {
		j := i + 1
		for j < n && word[j]>>32 == word[i]>>32 {
			j++
		}
		if j-i > 1 && (lex && m > 1 || shift > 0) {
			sortRows(points, m, col, lex, idx[i:j])
		}
		i = j
	}
	return idx
}

// sortRows sorts idx by comparing rows.
func sortRows(points []float64, m, col int, lex bool, idx []int32) {
	if len(idx) == 2 { // by far the most common
		if compareRows(points, m, col, lex, idx[0], idx[1]) > 0 {
			idx[0], idx[1] = idx[1], idx[0]
		}
		return
	}
	slices.SortFunc(idx, func(i, j int32) int { return compareRows(points, m, col, lex, i, j) })
}

func compareRows(points []float64, m, col int, lex bool, i, j int32) int {
	a := points[int(i)*m : int(i)*m+m]
	b := points[int(j)*m : int(j)*m+m]
	if x, y := nanLast(a[col]), nanLast(b[col]); x < y {
		return -1
	} else if x > y {
		return 1
	}
	if lex {
		for k := range a {
			if x, y := nanLast(a[k]), nanLast(b[k]); x < y {
				return -1
			} else if x > y {
				return 1
			}
		}
	}
	return int(i) - int(j)
}

// sameRow reports whether two rows are equal, with NaN as +Inf.
func sameRow(points []float64, m int, i, j int32) bool {
	a := points[int(i)*m : int(i)*m+m]
	b := points[int(j)*m : int(j)*m+m]
	for k := range a {
		if nanLast(a[k]) != nanLast(b[k]) {
			return false
		}
	}
	return true
}
