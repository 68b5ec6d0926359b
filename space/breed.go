package space

import (
	"encoding/binary"
	"math"
	"math/bits"
	"math/rand/v2"
	"strings"

	"github.com/daedalus-search/daedalus/internal/detmath"
	"github.com/daedalus-search/daedalus/internal/rng"
)

// A Breeder makes many children: [Space.Cross] and [Space.Mutate] in one, with
// nothing prepared anew for each. On a flat space, whose designs all answer the
// same independent questions, it works on the bytes of the parents and takes
// about a microsecond for thirty real numbers.
//
// Children of one Breeder share memory in pieces of a few kilobytes, so that a
// child that is kept may keep some of its siblings. A Breeder must not be used
// concurrently.
type Breeder struct {
	s         *Space
	cross     Crossover
	mutate    Mutation
	auto      bool // the rate of mutation is one over the number of sites
	sbx, poly power
	perGap    float64 // 1 / log(1 - rate); 0 if everything mutates
	answers   []Answer
	buf, twin []byte // the child, and its sibling if there is one
	text      strings.Builder
}

// Breeder prepares crossover and mutation. A mutation with neither Rate nor
// Sites changes each decision with probability one over their number, a subset
// or a permutation being one decision.
func (s *Space) Breeder(c Crossover, m Mutation) *Breeder {
	if c.Rate == 0 {
		c.Rate = 0.5
	}
	b := &Breeder{s: s, cross: c, mutate: m, auto: m.Rate == 0 && m.Sites == 0}
	b.sbx, b.poly = powerOf(c.Eta+1), powerOf(m.Eta+1)
	if f := s.flat(); f.nodes != nil {
		if b.auto {
			b.mutate.Rate = 1 / float64(max(f.mutable, 1))
		}
		if b.mutate.Rate < 1 {
			b.perGap = 1 / detmath.Log1p(-b.mutate.Rate)
		}
	}
	return b
}

// Child crosses two designs and mutates what comes out. It reports whether the
// mutation changed anything.
func (b *Breeder) Child(r *rand.Rand, x, y Design) (child Design, mutated bool) {
	f := b.s.flat()
	switch {
	case x == y:
	case f.nodes == nil || b.mutate.Rate == 0:
		x = b.s.Cross(r, x, y, b.cross)
	case f.reals && b.cross.Eta > 0:
		b.crossReals(r, f, x.trace, y.trace, false)
		hit := b.mutateReals(r, f, b.buf)
		return b.keep(b.buf), hit
	default:
		hit, _ := b.crossFlat(r, f, x.trace, y.trace, false)
		return b.keep(b.buf), hit
	}
	return b.Mutant(r, x)
}

// Pair makes two children, each as [Breeder.Child] does. On a flat space what
// one takes of a parent the other takes of the other, and numbers are blended
// symmetrically, so that nothing is lost of what the parents have but by
// mutation; that keeps a population diverse for longer.
func (b *Breeder) Pair(r *rand.Rand, x, y Design) (child, twin Design, mutated, twinMutated bool) {
	f := b.s.flat()
	switch {
	case x == y, f.nodes == nil || b.mutate.Rate == 0:
		child, mutated = b.Child(r, x, y)
		twin, twinMutated = b.Child(r, y, x)
		return child, twin, mutated, twinMutated
	case f.reals && b.cross.Eta > 0:
		b.crossReals(r, f, x.trace, y.trace, true)
		mutated, twinMutated = b.mutateReals(r, f, b.buf), b.mutateReals(r, f, b.twin)
	default:
		mutated, twinMutated = b.crossFlat(r, f, x.trace, y.trace, true)
	}
	return b.keep(b.buf), b.keep(b.twin), mutated, twinMutated
}

// Mutant mutates a design. It reports whether anything changed.
func (b *Breeder) Mutant(r *rand.Rand, x Design) (Design, bool) {
	f := b.s.flat()
	if f.nodes == nil || b.mutate.Rate == 0 {
		m := b.mutate
		if b.auto {
			b.answers = x.Decisions(b.answers[:0])
			m.Rate = 1 / float64(max(decisionSites(b.answers), 1))
		}
		d := b.s.Mutate(r, x, m)
		return d, d != x
	}
	hit := false
	if f.reals {
		b.buf = append(b.buf[:0], x.trace...)
		hit = b.mutateReals(r, f, b.buf)
	} else {
		hit, _ = b.crossFlat(r, f, x.trace, x.trace, false)
	}
	if !hit {
		return x, false
	}
	return b.keep(b.buf), true
}

// breedChunk is how many bytes of children are allocated at once.
const breedChunk = 1 << 13

// keep makes a design of bytes.
func (b *Breeder) keep(buf []byte) Design {
	if b.text.Cap()-b.text.Len() < len(buf) {
		b.text.Reset()
		b.text.Grow(max(breedChunk, len(buf)))
	}
	at := b.text.Len()
	b.text.Write(buf)
	return Design{space: b.s, trace: b.text.String()[at:]}
}

// gap returns how many sites are left alone before the next that mutates.
func (b *Breeder) gap(r *rand.Rand) int {
	if b.perGap == 0 {
		return 0
	}
	g := float64(detmath.Log(1-u01(r)) * b.perGap)
	if g >= 1<<30 {
		return 1 << 30
	}
	return int(g)
}

// coins returns 64 bits, each set with the rate of crossover.
func (b *Breeder) coins(r *rand.Rand, n int) uint64 {
	if b.cross.Rate == 0.5 {
		return r.Uint64()
	}
	c := uint64(0)
	for i := range min(n, 64) {
		if u01(r) < b.cross.Rate {
			c |= 1 << i
		}
	}
	return c
}

// crossReals blends two lists of real numbers into a child, and a twin if there
// is to be one.
func (b *Breeder) crossReals(r *rand.Rand, f *flat, x, y string, twin bool) {
	b.buf = append(b.buf[:0], x...)
	if twin {
		b.twin = append(b.twin[:0], y...)
	}
	for from := 0; from < len(f.nodes); from += 64 {
		nodes := f.nodes[from:]
		c := b.coins(r, len(nodes))
		if len(nodes) < 64 {
			c &= 1<<len(nodes) - 1
		}
		for ; c != 0; c &= c - 1 {
			k := bits.TrailingZeros64(c)
			at := 8 * (from + k)
			vx, vy := word(x[at:]), word(y[at:])
			if vx == vy {
				continue
			}
			n := nodes[k]
			ux, uy := n.unitReal(math.Float64frombits(vx)), n.unitReal(math.Float64frombits(vy))
			if math.Abs(ux-uy) < 1e-14 {
				continue
			}
			u := r.Uint64()
			p, upper := float64(u>>11)/(1<<53), u&1 == 0
			v := n.realFromU(b.sbx.blend(ux, uy, p, upper)) + 0
			binary.LittleEndian.PutUint64(b.buf[at:], math.Float64bits(v))
			if twin {
				v = n.realFromU(b.sbx.blend(ux, uy, p, !upper)) + 0
				binary.LittleEndian.PutUint64(b.twin[at:], math.Float64bits(v))
			}
		}
	}
}

// mutateReals mutates a list of real numbers in place.
func (b *Breeder) mutateReals(r *rand.Rand, f *flat, buf []byte) bool {
	hit := false
	if f.mutable == len(f.nodes) {
		for k := b.gap(r); k < len(f.nodes); k += 1 + b.gap(r) {
			b.mutateReal(r, f.nodes[k], buf[8*k:8*k+8])
			hit = true
		}
		return hit
	}
	skip := b.gap(r)
	for k, n := range f.nodes {
		if !n.mutable {
			continue
		}
		if skip > 0 {
			skip--
			continue
		}
		b.mutateReal(r, n, buf[8*k:8*k+8])
		hit, skip = true, b.gap(r)
	}
	return hit
}

func (b *Breeder) mutateReal(r *rand.Rand, n *node, p []byte) {
	u, y := n.unitReal(math.Float64frombits(binary.LittleEndian.Uint64(p))), 0.0
	if b.mutate.Eta > 0 {
		y = b.poly.move(u, u01(r))
	} else {
		y = reflect(u + float64(b.mutate.sigma()*rng.Norm(r)))
	}
	binary.LittleEndian.PutUint64(p, math.Float64bits(n.realFromU(y)+0))
}

// crossFlat writes a child of two flat designs, which may be one, and its twin
// if there is to be one, and reports whether they mutated.
func (b *Breeder) crossFlat(r *rand.Rand, f *flat, x, y string, twin bool) (hit, twinHit bool) {
	buf, other, blend := b.buf[:0], b.twin[:0], b.cross.Eta > 0
	both := x != y
	tx, ty := trace{s: x}, trace{s: y}
	skip, skipTwin, c := b.gap(r), 0, uint64(0)
	if twin {
		skipTwin = b.gap(r)
	}
	for k, n := range f.nodes {
		if both && k&63 == 0 {
			c = b.coins(r, len(f.nodes)-k)
		}
		s, t := site{node: n}, site{node: n}
		if n.N == 0 {
			if s.real = tx.real(); both {
				t.real = ty.real()
			}
		} else if s.index = tx.index(); both {
			t.index = ty.index()
		}
		if both && c>>(k&63)&1 == 1 && (s.index != t.index || s.real != t.real) {
			if !blend || !n.numericLeaf() {
				s, t = t, s
			} else if ux, uy := n.unit(s.index, s.real), n.unit(t.index, t.real); math.Abs(ux-uy) >= 1e-14 {
				u := r.Uint64()
				p, upper := float64(u>>11)/(1<<53), u&1 == 0
				s.place(b.sbx.blend(ux, uy, p, upper))
				if twin {
					t.place(b.sbx.blend(ux, uy, p, !upper))
				}
			}
		}
		if n.mutable {
			if skip == 0 {
				buf = s.change(r, nil, nil, Design{}, b.mutate, buf)
				hit, skip = true, b.gap(r)
			} else {
				buf = s.write(buf)
				skip--
			}
			if twin {
				if skipTwin == 0 {
					other = t.change(r, nil, nil, Design{}, b.mutate, other)
					twinHit, skipTwin = true, b.gap(r)
				} else {
					other = t.write(other)
					skipTwin--
				}
			}
			continue
		}
		if buf = s.write(buf); twin {
			other = t.write(other)
		}
	}
	b.buf, b.twin = buf, other
	return hit, twinHit
}

// place gives a site of numbers the answer nearest to a place on the unit scale.
func (s *site) place(u float64) {
	if s.node.N == 0 {
		s.real = s.node.realFromU(u) + 0
	} else {
		s.index = s.node.nearest(u)
	}
}

// write appends the answer of a simple site.
func (s *site) write(buf []byte) []byte {
	switch {
	case s.node.N == 0:
		return binary.LittleEndian.AppendUint64(buf, math.Float64bits(s.real))
	case s.index < 0x80:
		return append(buf, byte(s.index))
	}
	return binary.AppendUvarint(buf, uint64(s.index))
}

// decisionSites counts the decisions that mutation treats as one each: a subset
// or a permutation is one, and what cannot be decided otherwise is none.
func decisionSites(answers []Answer) int {
	n := 0
	for i := range answers {
		a := &answers[i]
		switch a.Role {
		case RoleInclude, RolePlace:
			if i > 0 {
				p := &answers[i-1]
				if p.Param == a.Param && (p.Role == RoleSize || p.Role == a.Role && p.Item < a.Item) {
					continue // goes on with the same selection
				}
			}
		case RoleReal:
			if !(a.Param.Lo < a.Param.Hi) {
				continue
			}
		default:
			if a.N < 2 {
				continue
			}
		}
		n++
	}
	return n
}

// A power raises to the power n = η+1 of a distribution index and takes the
// root. For whole n the one is a few multiplications, for n a power of two the
// other a few square roots; both have the same bits on every platform.
type power struct {
	n     float64
	whole uint // n, if it is a whole number up to 64
	roots int  // log2 n, if whole is a power of two
}

func powerOf(n float64) power {
	p := power{n: n, roots: -1}
	if n >= 1 && n <= 64 && n == math.Floor(n) {
		p.whole = uint(n)
		if p.whole&(p.whole-1) == 0 {
			p.roots = bits.TrailingZeros(p.whole)
		}
	}
	return p
}

func (p *power) raise(x float64) float64 {
	if p.roots >= 0 {
		for range p.roots {
			x *= x
		}
		return x
	}
	if p.whole == 0 {
		return detmath.Pow(x, p.n)
	}
	z := 1.0
	for k := p.whole; ; {
		if k&1 == 1 {
			z *= x
		}
		if k >>= 1; k == 0 {
			return z
		}
		x *= x
	}
}

func (p *power) root(x float64) float64 {
	if p.roots < 0 {
		return detmath.Exp(detmath.Log(x) / p.n)
	}
	for range p.roots {
		x = math.Sqrt(x)
	}
	return x
}

// blend is one child of bounded simulated binary crossover on [0, 1] (Deb and
// Agrawal 1995, in the bounded form of the NSGA-II code).
func (p *power) blend(a, b, u float64, upper bool) float64 {
	lo, hi := a, b
	if lo > hi {
		lo, hi = hi, lo
	}
	span := hi - lo
	room := lo
	if upper {
		room = 1 - hi
	}
	alpha := 2 - 1/p.raise(1+2*room/span)
	z := float64(u * alpha)
	if z > 1 {
		z = 1 / (2 - z)
	}
	d := float64(p.root(z) * span)
	x := 0.5 * (lo + hi - d)
	if upper {
		x = 0.5 * (lo + hi + d)
	}
	switch { // quicker than min and max, which look out for NaN
	case x < 0:
		return 0
	case x > 1:
		return 1
	}
	return x
}

// move is bounded polynomial mutation on [0, 1] (Deb 2001, Multi-objective
// Optimization using Evolutionary Algorithms, section 4.4.2, in the bounded form
// of the NSGA-II code).
func (p *power) move(x, u float64) float64 {
	var dq float64
	if u < 0.5 {
		dq = p.root(2*u+float64((1-2*u)*p.raise(1-x))) - 1
	} else {
		dq = 1 - p.root(2*(1-u)+float64(2*(u-0.5)*p.raise(x)))
	}
	return min(max(x+dq, 0), 1)
}
