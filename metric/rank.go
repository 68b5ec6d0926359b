package metric

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

func checkPair(a, b []float64, fn string) (nan bool) {
	if len(a) != len(b) {
		panic(fmt.Sprintf("metric: %s: slices of %d and %d numbers, want equal lengths", fn, len(a), len(b)))
	}
	for i := range a {
		if a[i] != a[i] || b[i] != b[i] {
			return true
		}
	}
	return false
}

// Kendall returns the rank correlation tau-b of two lists of equal length,
// which corrects for ties, in O(n log n) (Knight, 1966). It is NaN when either
// list is constant, has fewer than two numbers or contains NaN.
func Kendall(a, b []float64) float64 {
	if checkPair(a, b, "Kendall") || len(a) < 2 {
		return math.NaN()
	}
	n := len(a)
	idx := make([]int32, n)
	for i := range idx {
		idx[i] = int32(i)
	}
	slices.SortFunc(idx, func(i, j int32) int {
		return cmp.Or(cmp.Compare(a[i], a[j]), cmp.Compare(b[i], b[j]))
	})
	pairs := func(k int64) int64 { return k * (k - 1) / 2 }
	var tiedA, tiedBoth, tiedB int64
	runA, runBoth := int64(1), int64(1)
	for k := 1; k <= n; k++ {
		sameA := k < n && a[idx[k]] == a[idx[k-1]]
		if sameA && b[idx[k]] == b[idx[k-1]] {
			runBoth++
		} else {
			tiedBoth += pairs(runBoth)
			runBoth = 1
		}
		if sameA {
			runA++
		} else {
			tiedA += pairs(runA)
			runA = 1
		}
	}
	y, buf := make([]float64, n), make([]float64, n)
	for k, i := range idx {
		y[k] = b[i]
	}
	swaps := inversions(y, buf)
	for k, run := 1, int64(1); k <= n; k++ {
		if k < n && y[k] == y[k-1] {
			run++
		} else {
			tiedB += pairs(run)
			run = 1
		}
	}
	all := pairs(int64(n))
	num := all - tiedA - tiedB + tiedBoth - 2*swaps
	if all == tiedA || all == tiedB {
		return math.NaN()
	}
	return float64(num) / (math.Sqrt(float64(all-tiedA)) * math.Sqrt(float64(all-tiedB)))
}

// inversions sorts y and returns how many pairs were out of order.
func inversions(y, buf []float64) int64 {
	n := len(y)
	if n <= 12 {
		var swaps int64
		for i := 1; i < n; i++ {
			for j := i; j > 0 && y[j] < y[j-1]; j-- {
				y[j], y[j-1] = y[j-1], y[j]
				swaps++
			}
		}
		return swaps
	}
	mid := n / 2
	swaps := inversions(y[:mid], buf[:mid]) + inversions(y[mid:], buf[mid:])
	copy(buf, y)
	l, r := 0, mid
	for k := range y {
		if r == n || l < mid && buf[l] <= buf[r] {
			y[k] = buf[l]
			l++
		} else {
			y[k] = buf[r]
			swaps += int64(mid - l)
			r++
		}
	}
	return swaps
}

// Ranks returns the rank of every number from 1 for the smallest on; equal
// numbers get the mean of their ranks. NaN ranks as the largest.
func Ranks(x []float64) []float64 {
	var o orderer
	idx := o.order(x, 1, 0, false)
	out := make([]float64, len(x))
	for i := 0; i < len(idx); {
		j := i + 1
		for j < len(idx) && nanLast(x[idx[j]]) == nanLast(x[idx[i]]) {
			j++
		}
		for _, k := range idx[i:j] {
			out[k] = float64(i+1+j) / 2
		}
		i = j
	}
	return out
}

// Spearman returns the rank correlation rho of two lists of equal length, with
// tied ranks averaged. It is NaN when either list is constant, has fewer than
// two numbers or contains NaN.
func Spearman(a, b []float64) float64 {
	if checkPair(a, b, "Spearman") || len(a) < 2 {
		return math.NaN()
	}
	ra, rb := Ranks(a), Ranks(b)
	mean := float64(len(a)+1) / 2
	var sab, saa, sbb float64
	for i := range ra {
		x, y := ra[i]-mean, rb[i]-mean
		sab += float64(x * y)
		saa += float64(x * x)
		sbb += float64(y * y)
	}
	if saa == 0 || sbb == 0 {
		return math.NaN()
	}
	return min(max(sab/(math.Sqrt(saa)*math.Sqrt(sbb)), -1), 1)
}

// PrecisionAtK returns the share of the k items with the largest predicted
// values that are among the k largest actual ones. Items that tie for the last
// actual place all count as there; predictions that tie for the last place
// share it, so the result is the expectation over all ways to break the tie
// and does not depend on order. k is cut to the number of items; the result is
// NaN for k < 1, no items or NaN among the values.
func PrecisionAtK(predicted, actual []float64, k int) float64 {
	nan := checkPair(predicted, actual, "PrecisionAtK")
	k = min(k, len(actual))
	if nan || k < 1 {
		return math.NaN()
	}
	kth := func(x []float64) float64 {
		s := slices.Clone(x)
		slices.Sort(s)
		return s[len(s)-k]
	}
	cutP, cutA := kth(predicted), kth(actual)
	var above, tied, hitAbove, hitTied int
	for i, p := range predicted {
		hit := 0
		if actual[i] >= cutA {
			hit = 1
		}
		switch {
		case p > cutP:
			above++
			hitAbove += hit
		case p == cutP:
			tied++
			hitTied += hit
		}
	}
	share := float64(k-above) / float64(tied)
	return (float64(hitAbove) + float64(share*float64(hitTied))) / float64(k)
}
