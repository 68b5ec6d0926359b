package space

import (
	"math/bits"
	"slices"
)

// Digest returns 128 bits that stand for the design among the designs of its
// space: equal designs have equal digests, and different ones collide with a
// probability of about 2^-128 a pair. It is much quicker than [Design.Hash] but
// says nothing across spaces and may change between versions, so it is for sets
// in memory.
func (d Design) Digest() [2]uint64 {
	const k0, k1, k2, k3 = 0x9E3779B97F4A7C15, 0xD1B54A32D192ED03, 0xA0761D6478BD642F, 0xE7037ED1A0B428DB
	s := d.trace
	a, b := uint64(len(s))^k0, uint64(len(s))*k1
	for ; len(s) >= 16; s = s[16:] {
		x, y := word(s), word(s[8:])
		a, b = fold64(x^k0^a, y^k1), fold64(y^k2^b, x^k3)
	}
	var x, y uint64
	if len(s) >= 8 {
		x = word(s)
		s = s[8:]
	}
	for i := range len(s) {
		y |= uint64(s[i]) << (8 * i)
	}
	a, b = fold64(x^k0^a, y^k1), fold64(y^k2^b, x^k3)
	return [2]uint64{mix(a ^ k2), mix(b ^ bits.RotateLeft64(a, 32))}
}

// fold64 folds the product of two words (as in wyhash, Wang Yi 2019).
func fold64(x, y uint64) uint64 {
	hi, lo := bits.Mul64(x, y)
	return hi ^ lo
}

// word reads eight bytes, the lowest first.
func word(s string) uint64 {
	s = s[:8]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// Numbers appends one number for each decision of the design, in walking order,
// to dst and returns it: the value of a float, an int or a count, and the index
// of any other option. It is the quickest way to read a design of numbers.
func (d Design) Numbers(dst []float64) []float64 {
	if d.space == nil {
		return dst
	}
	t := trace{s: d.trace}
	if f := d.space.flat(); f.nodes != nil {
		for _, n := range f.nodes {
			if n.N == 0 {
				dst = append(dst, t.real())
				continue
			}
			i := t.index()
			if n.numeric() {
				dst = append(dst, n.Number(i))
			} else {
				dst = append(dst, float64(i))
			}
		}
		return dst
	}
	w := d.space.walk()
	for w.step() {
		n, role := w.n, w.role
		i, x := w.follow(&t)
		switch {
		case role == RoleReal:
		case role == RoleSize:
			x = float64(n.min + i)
		case n.numeric():
			x = n.Number(i)
		default:
			x = float64(i)
		}
		dst = append(dst, x)
	}
	d.space.free(w)
	return dst
}

// A flat space asks the same simple questions of every design, and nothing
// restricts the answers.
type flat struct {
	nodes   []*node // in walking order; nil if the space is not flat
	reals   bool    // all are real numbers
	mutable int     // how many have another answer
}

func newFlat(s *Space) *flat {
	f := &flat{}
	if !s.plain {
		return f
	}
	nodes, ok := flatten(s.root, make([]*node, 0, len(s.params)))
	if !ok || len(nodes) == 0 {
		return f
	}
	f.nodes, f.reals = nodes, true
	for _, n := range nodes {
		f.reals = f.reals && n.N == 0
		if n.mutable {
			f.mutable++
		}
	}
	return f
}

func flatten(nodes, out []*node) ([]*node, bool) {
	for _, n := range nodes {
		switch n.Kind {
		case KindFloat, KindInt, KindOrdinal, KindCategorical, KindBool:
			out = append(out, n)
		case KindConst:
		case KindGroup:
			var ok bool
			if out, ok = flatten(n.kids[0], out); !ok {
				return nil, false
			}
		default:
			return nil, false
		}
	}
	return out, true
}

// decisions is [Design.Decisions] of a flat space.
func (f *flat) decisions(s string, dst []Answer) []Answer {
	dst = slices.Grow(dst, len(f.nodes))
	t := trace{s: s}
	for _, n := range f.nodes {
		dst = dst[:len(dst)+1]
		a := &dst[len(dst)-1]
		*a = Answer{}
		a.Param, a.Site, a.N = &n.Param, n.seed, n.N
		if n.N == 0 {
			a.Role, a.Lo, a.Hi, a.Real = RoleReal, n.Lo, n.Hi, t.real()
		} else {
			a.Role, a.Index = kindRole[n.Kind], t.index()
		}
	}
	return dst
}
