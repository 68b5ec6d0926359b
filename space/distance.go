package space

import (
	"math"
)

// Distance returns how far two designs of the space are apart, in [0, 1]: the
// mean over all places where either made a decision. An unordered option that
// differs counts 1, a number its difference as a share of the range, a subset
// its Jaccard distance, a permutation its share of discordant pairs, and a
// decision that only one of them made 1. It is a metric on each kind of place,
// 0 only for equal designs, and symmetric.
func (s *Space) Distance(a, b Design) float64 {
	if a == b {
		return 0
	}
	w := s.walk()
	defer s.free(w)
	v := s.variation()
	defer s.variations.Put(v)
	v.a = w.scan(a, v.a[:0])
	w.reset()
	v.b = w.scan(b, v.b[:0])
	sum, shared := 0.0, 0
	at := 0
	for i := range v.a {
		x := &v.a[i]
		// Sites come in walking order, so the partner is usually next.
		j := -1
		for k := range v.b {
			if y := &v.b[(at+k)%len(v.b)]; y.key == x.key && y.node == x.node {
				j = (at + k) % len(v.b)
				break
			}
		}
		if j < 0 {
			continue
		}
		at = j + 1
		shared++
		sum += v.apart(x, &v.b[j], a, b)
	}
	union := len(v.a) + len(v.b) - shared
	return (sum + float64(union-shared)) / float64(union)
}
func (v *variation) apart(x, y *site, a, b Design) float64 {
	n := x.node
	switch {
	case n.Kind == KindSubset:
		v.order = readSubset(v.order[:0], n, a.trace[x.start:x.end])
		v.order2 = readSubset(v.order2[:0], n, b.trace[y.start:y.end])
		return jaccard(v.order, v.order2)
	case n.Kind == KindPermutation:
		v.order = readPermutation(v.order[:0], n, a.trace[x.start:x.end])
		v.order2 = readPermutation(v.order2[:0], n, b.trace[y.start:y.end])
		return discordance(v.order, v.order2)
	case n.N == 0 || n.Ordered:
		return math.Abs(n.unit(int(x.index), x.real) - n.unit(int(y.index), y.real))
	case x.index != y.index:
		return 1
	}
	return 0
}
