package space

import (
	"encoding/binary"
	"iter"
	"math/rand/v2"
	"slices"
)

// This file reads, writes and varies the answers of subsets and permutations,
// whose decisions only make sense together.

// appendSubset writes the decisions that select members, in any order.
func appendSubset(dst []byte, n *node, members []int32) []byte {
	if n.min < n.max {
		dst = binary.AppendUvarint(dst, uint64(len(members)-n.min))
	}
	left := len(members)
	for i := range n.Labels {
		if left == 0 || left == len(n.Labels)-i {
			break
		}
		if slices.Contains(members, int32(i)) {
			dst = append(dst, 1)
			left--
		} else {
			dst = append(dst, 0)
		}
	}
	return dst
}

// readSubset is the inverse of appendSubset; members come in ascending order.
func readSubset(dst []int32, n *node, s string) []int32 {
	t := trace{s: s}
	size := n.min
	if n.min < n.max {
		size += t.index()
	}
	i := 0
	for ; len(dst) < size && size-len(dst) < len(n.Labels)-i; i++ {
		if t.index() == 1 {
			dst = append(dst, int32(i))
		}
	}
	for ; len(dst) < size; i++ {
		dst = append(dst, int32(i))
	}
	return dst
}

// mutateSubset adds, removes or exchanges one item, whichever its size allows,
// with equal probability.
func mutateSubset(r *rand.Rand, n *node, m []int32) []int32 {
	var can [3]int
	k := 0
	if len(m) < n.max {
		can[k], k = 0, k+1
	}
	if len(m) > n.min {
		can[k], k = 1, k+1
	}
	if len(m) > 0 && len(m) < len(n.Labels) {
		can[k], k = 2, k+1
	}
	if k == 0 {
		return m
	}
	outsider := func() int32 {
		j := below(r, len(n.Labels)-len(m))
		for i := range int32(len(n.Labels)) {
			if slices.Contains(m, i) {
				continue
			}
			if j == 0 {
				return i
			}
			j--
		}
		return 0
	}
	switch can[below(r, k)] {
	case 0:
		m = append(m, outsider())
	case 1:
		j := below(r, len(m))
		m = append(m[:j], m[j+1:]...)
	case 2:
		o := outsider()
		m[below(r, len(m))] = o
	}
	return m
}

// crossSubset takes each item's membership from either parent and then repairs
// the size among the items on which the parents differ.
func crossSubset(r *rand.Rand, n *node, a, b []int32) []int32 {
	var out, maybe []int32
	for i := range int32(len(n.Labels)) {
		ia, ib := slices.Contains(a, i), slices.Contains(b, i)
		take := ia
		if r.Uint64()&1 == 0 {
			take = ib
		}
		switch {
		case take:
			out = append(out, i)
		case ia != ib:
			maybe = append(maybe, i)
		}
	}
	for len(out) > n.max {
		// Some member is in one parent only, or both parents would be too large.
		j := below(r, len(out))
		if slices.Contains(a, out[j]) && slices.Contains(b, out[j]) {
			continue
		}
		out = append(out[:j], out[j+1:]...)
	}
	for len(out) < n.min {
		j := below(r, len(maybe))
		out = append(out, maybe[j])
		maybe = append(maybe[:j], maybe[j+1:]...)
	}
	return out
}

// subsetNeighbors yields every subset one item larger, smaller or different.
func subsetNeighbors(n *node, m []int32) iter.Seq[[]int32] {
	return func(yield func([]int32) bool) {
		for i := range int32(len(n.Labels)) {
			at := slices.Index(m, i)
			switch {
			case at >= 0 && len(m) > n.min:
				if !yield(slices.Delete(slices.Clone(m), at, at+1)) {
					return
				}
			case at < 0 && len(m) < n.max:
				if !yield(append(slices.Clone(m), i)) {
					return
				}
			}
			if at >= 0 {
				continue
			}
			for j := range m {
				next := slices.Clone(m)
				next[j] = i
				if !yield(next) {
					return
				}
			}
		}
	}
}

// jaccard returns 1 - |a and b| / |a or b|.
func jaccard(a, b []int32) float64 {
	both := 0
	for _, x := range a {
		if slices.Contains(b, x) {
			both++
		}
	}
	if union := len(a) + len(b) - both; union > 0 {
		return 1 - float64(both)/float64(union)
	}
	return 0
}

// appendPermutation writes an order as digits of its factorial number (Lehmer
// code): the place of each item among those that remain. The last item needs
// none.
func appendPermutation(dst []byte, order []int32) []byte {
	for i := 0; i+1 < len(order); i++ {
		smaller := 0
		for _, o := range order[i+1:] {
			if o < order[i] {
				smaller++
			}
		}
		dst = binary.AppendUvarint(dst, uint64(smaller))
	}
	return dst
}

// readPermutation is the inverse of appendPermutation.
func readPermutation(dst []int32, n *node, s string) []int32 {
	for i := range n.Labels {
		dst = append(dst, int32(i))
	}
	t := trace{s: s}
	for i := 0; i+1 < len(dst); i++ {
		moveTo(dst[i:], t.index())
	}
	return dst
}

// mutatePermutation exchanges two items or moves one, with equal probability.
func mutatePermutation(r *rand.Rand, p []int32) {
	i := below(r, len(p))
	j := below(r, len(p)-1)
	if j >= i {
		j++
	}
	if r.Uint64()&1 == 0 {
		p[i], p[j] = p[j], p[i]
		return
	}
	x := p[i]
	if i < j {
		copy(p[i:j], p[i+1:j+1])
	} else {
		copy(p[j+1:i+1], p[j:i])
	}
	p[j] = x
}

// orderCross is order crossover (Davis 1985): a slice of a stays in place, the
// rest comes in the order of b.
func orderCross(r *rand.Rand, a, b []int32) []int32 {
	i := below(r, len(a))
	j := below(r, len(a))
	if i > j {
		i, j = j, i
	}
	keep := a[i : j+1]
	out := make([]int32, 0, len(a))
	for _, x := range b {
		if len(out) == i {
			out = append(out, keep...)
		}
		if !slices.Contains(keep, x) {
			out = append(out, x)
		}
	}
	if len(out) < len(a) {
		out = append(out, keep...)
	}
	return out
}

// discordance returns the share of pairs that two orders put differently.
func discordance(a, b []int32) float64 {
	at := make([]int, len(b))
	for i, x := range b {
		at[x] = i
	}
	bad, pairs := 0, 0
	for i := range a {
		for j := i + 1; j < len(a); j++ {
			pairs++
			if at[a[i]] > at[a[j]] {
				bad++
			}
		}
	}
	if pairs == 0 {
		return 0
	}
	return float64(bad) / float64(pairs)
}
