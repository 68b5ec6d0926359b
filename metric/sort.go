package metric

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sync"
)

// sortWork holds the buffers of the sorting kernels.
type sortWork struct {
	order  orderer
	tail   []float64
	fronts [][]pair // staircases of (second, third) objective, one a front
	member [][]int32
}

type pair struct{ y, z float64 }

var sortPool = sync.Pool{New: func() any { return new(sortWork) }}

func rows(points []float64, m int, fn string) int {
	if m < 1 || len(points)%m != 0 {
		panic(fmt.Sprintf("metric: %s: %d numbers are not rows of %d objectives", fn, len(points), m))
	}
	return len(points) / m
}

// NonDominatedSort returns the index of the front of every row of points, which
// holds n rows of m objectives, all to be minimised. Front 0 is dominated by
// nothing, front 1 only by front 0, and so on (Deb et al., NSGA-II, 2002).
// Equal rows share a front; NaN counts as +Inf. ranks is used for the result
// when it is long enough.
//
// One objective takes O(n log n), two O(n log n) by a search over the last
// member of each front, three O(n log² n) searches by keeping of each front only
// the staircase of its last two objectives. From four objectives on it is the
// efficient non-dominated sort with binary search (Zhang et al., 2015),
// O(m n²) at worst.
func NonDominatedSort(points []float64, m int, ranks []int32) []int32 {
	n := rows(points, m, "NonDominatedSort")
	ranks = resize(ranks, n)
	w := sortPool.Get().(*sortWork)
	defer sortPool.Put(w)
	idx := w.order.order(points, m, 0, true)
	switch m {
	case 1:
		rank, prev := int32(-1), math.NaN()
		for _, i := range idx {
			if x := nanLast(points[i]); x != prev {
				rank++
				prev = x
			}
			ranks[i] = rank
		}
	case 2:
		w.sort2(points, idx, ranks)
	case 3:
		w.sort3(points, idx, ranks)
	default:
		w.sortN(points, m, idx, ranks)
	}
	return ranks
}

// sort2 walks the rows by rising first objective. A front is represented by the
// second objective of its last member, which is its smallest; these rise with
// the index of the front.
func (w *sortWork) sort2(points []float64, idx, ranks []int32) {
	tail := w.tail[:0]
	px, py, prev := math.NaN(), math.NaN(), int32(0)
	for _, i := range idx {
		x, y := nanLast(points[2*i]), nanLast(points[2*i+1])
		if x == px && y == py {
			ranks[i] = prev
			continue
		}
		// first front whose tail is above y
		lo, hi := 0, len(tail)
		for lo < hi {
			mid := int(uint(lo+hi) >> 1)
			if tail[mid] <= y {
				lo = mid + 1
			} else {
				hi = mid
			}
		}
		if lo == len(tail) {
			tail = append(tail, y)
		} else {
			tail[lo] = y
		}
		px, py, prev = x, y, int32(lo)
		ranks[i] = prev
	}
	w.tail = tail
}

// sort3 walks the rows in lexicographic order, so that an earlier row dominates
// a later one when it is no worse in the last two objectives. Of each front the
// non-dominated pairs of these are kept, by rising y and falling z.
func (w *sortWork) sort3(points []float64, idx, ranks []int32) {
	fronts := w.fronts[:0]
	var px, py, pz float64
	rank := int32(-1)
	for _, i := range idx {
		p := points[3*i : 3*i+3 : 3*i+3]
		x, y, z := nanLast(p[0]), nanLast(p[1]), nanLast(p[2])
		if rank >= 0 && x == px && y == py && z == pz {
			ranks[i] = rank
			continue
		}
		lo, hi := 0, len(fronts)
		for lo < hi {
			mid := int(uint(lo+hi) >> 1)
			if dominatedBy(fronts[mid], y, z) {
				lo = mid + 1
			} else {
				hi = mid
			}
		}
		if lo == len(fronts) {
			if len(fronts) < cap(fronts) {
				fronts = fronts[:lo+1]
				fronts[lo] = append(fronts[lo][:0], pair{y, z})
			} else {
				fronts = append(fronts, append(make([]pair, 0, 8), pair{y, z}))
			}
		} else {
			fronts[lo] = insertPair(fronts[lo], y, z)
		}
		px, py, pz, rank = x, y, z, int32(lo)
		ranks[i] = rank
	}
	w.fronts = fronts
}

// dominatedBy reports whether a pair of the staircase is no worse than (y, z).
func dominatedBy(s []pair, y, z float64) bool {
	lo, n := 0, len(s)
	for n > 0 { // number of pairs with y' <= y
		half := n >> 1
		if s[lo+half].y <= y {
			lo += half + 1
			n -= half + 1
		} else {
			n = half
		}
	}
	return lo > 0 && s[lo-1].z <= z
}

// insertPair adds a pair that nothing in the staircase dominates and takes out
// what it dominates.
func insertPair(s []pair, y, z float64) []pair {
	lo, n := 0, len(s)
	for n > 0 { // number of pairs with y' < y
		half := n >> 1
		if s[lo+half].y < y {
			lo += half + 1
			n -= half + 1
		} else {
			n = half
		}
	}
	end := lo
	for end < len(s) && s[end].z >= z {
		end++
	}
	if end == lo {
		s = append(s, pair{})
		copy(s[lo+1:], s[lo:])
	} else if end > lo+1 {
		s = s[:lo+1+copy(s[lo+1:], s[end:])]
	}
	s[lo] = pair{y, z}
	return s
}

// sortN compares with the members of a front from the latest back, since near
// neighbours in the order dominate most often.
func (w *sortWork) sortN(points []float64, m int, idx, ranks []int32) {
	member := w.member[:0]
	dominated := func(front []int32, p []float64) bool {
		for k := len(front) - 1; k >= 0; k-- {
			if noWorse(points[int(front[k])*m:int(front[k])*m+m], p) {
				return true
			}
		}
		return false
	}
	for k, i := range idx {
		if k > 0 && sameRow(points, m, i, idx[k-1]) {
			ranks[i] = ranks[idx[k-1]]
			continue
		}
		p := points[int(i)*m : int(i)*m+m]
		lo, hi := 0, len(member)
		for lo < hi {
			mid := int(uint(lo+hi) >> 1)
			if dominated(member[mid], p) {
				lo = mid + 1
			} else {
				hi = mid
			}
		}
		if lo == len(member) {
			if len(member) < cap(member) {
				member = member[:lo+1]
				member[lo] = append(member[lo][:0], i)
			} else {
				member = append(member, []int32{i})
			}
		} else {
			member[lo] = append(member[lo], i)
		}
		ranks[i] = int32(lo)
	}
	w.member = member
}

// noWorse reports whether a is at most b in every objective, NaN as +Inf.
func noWorse(a, b []float64) bool {
	b = b[:len(a)]
	for i, x := range a {
		if !(x <= b[i]) && nanLast(x) > nanLast(b[i]) {
			return false
		}
	}
	return true
}

// NonDominated returns the indexes of the rows that no other row dominates, in
// rising order. Equal rows are all returned; NaN counts as +Inf.
func NonDominated(points []float64, m int) []int {
	n := rows(points, m, "NonDominated")
	if n == 0 {
		return nil
	}
	w := sortPool.Get().(*sortWork)
	defer sortPool.Put(w)
	idx := w.order.order(points, m, 0, true)
	var front []int
	switch {
	case m <= 2:
		best := math.Inf(1)
		for k, i := range idx {
			y := nanLast(points[int(i)*m+m-1])
			if k == 0 || y < best {
				best = y
			} else if m == 1 && y > best || m == 2 && !sameRow(points, m, i, int32(front[len(front)-1])) {
				continue
			}
			front = append(front, int(i))
		}
	case m == 3:
		var stair []pair
		for k, i := range idx {
			y, z := nanLast(points[3*i+1]), nanLast(points[3*i+2])
			if k > 0 && sameRow(points, m, i, idx[k-1]) {
				if len(front) > 0 && front[len(front)-1] == int(idx[k-1]) {
					front = append(front, int(i))
				}
				continue
			}
			if dominatedBy(stair, y, z) {
				continue
			}
			stair = insertPair(stair, y, z)
			front = append(front, int(i))
		}
	default:
		kept := make([]int32, 0, 64) // one of each value, most successful first
		for k, i := range idx {
			if k > 0 && sameRow(points, m, i, idx[k-1]) {
				if len(front) > 0 && front[len(front)-1] == int(idx[k-1]) {
					front = append(front, int(i))
				}
				continue
			}
			p := points[int(i)*m : int(i)*m+m]
			dominated := false
			for at, j := range kept {
				if noWorse(points[int(j)*m:int(j)*m+m], p) {
					dominated = true
					copy(kept[1:at+1], kept[:at])
					kept[0] = j
					break
				}
			}
			if !dominated {
				kept = append(kept, i)
				front = append(front, int(i))
			}
		}
	}
	slices.Sort(front)
	return front
}

// CrowdingDistance returns NSGA-II's crowding distance of the rows idx of
// points, which are the members of one front (nil means all rows): for each
// objective the gap between a row's two neighbours divided by the objective's
// range, summed; the two ends of every objective get +Inf.
//
// Rows with equal values are ordered by their position in idx. An objective
// without spread says nothing and is left out, so a front of three or more
// equal rows gets zeros; one or two rows get +Inf. Ranges are taken over finite
// values, and the gap to an infinite neighbour is infinite. dst is used for the
// result, which has the order of idx, when it is long enough.
func CrowdingDistance(points []float64, m int, idx []int32, dst []float64) []float64 {
	n := rows(points, m, "CrowdingDistance")
	k := len(idx)
	if idx == nil {
		k = n
	}
	dst = resize(dst, k)
	clear(dst)
	if k <= 2 {
		for i := range dst {
			dst[i] = math.Inf(1)
		}
		return dst
	}
	w := sortPool.Get().(*sortWork)
	defer sortPool.Put(w)
	w.tail = resize(w.tail, k)
	col := w.tail
	for j := range m {
		lo, hi := math.Inf(1), math.Inf(-1)
		for i := range col {
			r := i
			if idx != nil {
				r = int(idx[i])
			}
			x := nanLast(points[r*m+j])
			col[i] = x
			if finite(x) {
				lo, hi = min(lo, x), max(hi, x)
			}
		}
		ord := w.order.order(col, 1, 0, false)
		first, last := ord[0], ord[k-1]
		if col[first] == col[last] {
			continue
		}
		dst[first], dst[last] = math.Inf(1), math.Inf(1)
		span := hi/2 - lo/2 // halves cannot overflow
		for i := 1; i < k-1; i++ {
			a, b := col[ord[i-1]], col[ord[i+1]]
			switch {
			case a == b:
			case !finite(a) || !finite(b):
				dst[ord[i]] = math.Inf(1)
			default:
				dst[ord[i]] += (b/2 - a/2) / span
			}
		}
	}
	return dst
}

// CompareCrowded is NSGA-II's crowded comparison: the lower rank first, within a
// rank the larger crowding distance. It returns a negative number when a comes
// first, 0 for a tie.
func CompareCrowded(rankA int32, crowdA float64, rankB int32, crowdB float64) int {
	return cmp.Or(cmp.Compare(rankA, rankB), cmp.Compare(crowdB, crowdA))
}
