package space

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
)

// SampleUniform draws a design such that every design is equally likely: each
// option is weighted by the number of designs behind it. A real number counts
// as one option and is drawn by its prior.
//
// Where constraints make counting too expensive (see [Space.Count]), designs
// are drawn without them and rejected until one satisfies them, which is as
// exact but may be slow; conditions on a real number are treated in the same
// way. It fails with an [*InfeasibleError] if there is no design or if 10,000
// draws in a row were rejected, and with another error if a grammar is open or
// the count has more than 2^18 binary digits.
func (s *Space) SampleUniform(r *rand.Rand) (Design, error) {
	c := s.census()
	switch {
	case c.shape.huge:
		return Design{}, fmt.Errorf("space: uniform sampling: the number of designs has more than %d binary digits; reduce the depth of a grammar or the count of a repeat", countBits)
	case c.shape.open != nil:
		return Design{}, fmt.Errorf("space: uniform sampling: grammar %s derives without end; state a depth", c.shape.open.Path)
	case c.total.Sign() == 0:
		return Design{}, &InfeasibleError{Constraint: c.walked.bad.text(), Proven: true}
	}
	w := s.walk()
	defer s.free(w)
	u := uniform{c: c, r: r, w: w}
	failed := failures{}
	for range sampleTries {
		w.reset()
		w.lax = true
		u.thinned = false
		if c.walked == nil {
			// Designs with a node inactive stand for all that the node could
			// have been, so they are drawn too often by that factor.
			w.onSkip = u.thin
		}
		for w.step() {
			u.draw()
		}
		if u.thinned {
			continue
		}
		if c.exact || len(s.rules.requires) == 0 {
			return w.design(), nil
		}
		d := w.design()
		w.reset()
		if s.valid(w, d.trace) {
			s.count(true)
			return d, nil
		}
		failed.add(w.cause())
		s.count(false)
	}
	return Design{}, failed.error(s)
}

// uniform answers decisions by the number of designs behind each option.
type uniform struct {
	c       *census
	r       *rand.Rand
	w       *walker
	weights []*big.Int
	total   big.Int
	thinned bool
}

// thin rejects the walk with the probability that evens out the designs in
// which n is inactive.
func (u *uniform) thin(n *node) {
	if !u.thinned && bigBelow(u.r, u.c.shape.inside[n].n).Sign() != 0 {
		u.thinned = true
	}
}

// draw answers the pending decision.
func (u *uniform) draw() {
	w, n := u.w, u.w.n
	if k := u.c.walked; k != nil && k.alive[n] {
		if w.opts == 0 {
			w.chooseReal(n.Lo) // a point: others cannot be counted
		} else {
			w.choose(u.pick(k.memo[k.key(w)].options))
		}
		return
	}
	u.weights = u.weights[:0]
	switch {
	case w.role == RoleReal, w.role == RoleInclude, w.role == RolePlace:
		w.draw(u.r)
		return
	case w.role == RoleSize:
		for k := n.min; k <= n.max; k++ {
			u.weights = append(u.weights, binomial(len(n.Labels), k))
		}
	case n.Kind == KindChoice:
		for _, t := range u.c.shape.cases[n] {
			u.weights = append(u.weights, t.n)
		}
	case n.Kind == KindRepeat:
		k := u.c.shape.list(n.kids[0]).n
		if k.Cmp(one) == 0 {
			w.choose(below(u.r, n.N))
			return
		}
		p := new(big.Int).Exp(k, big.NewInt(int64(n.Lo)), nil)
		for range n.N {
			u.weights = append(u.weights, p)
			p = new(big.Int).Mul(p, k)
		}
	case n.Kind == KindRule:
		f := &w.stack[len(w.stack)-1]
		for j := range n.kids {
			u.weights = append(u.weights, u.c.shape.production(n, j, int(f.limit-f.depth)).n)
		}
	default:
		w.choose(below(u.r, n.N))
		return
	}
	w.choose(u.pick(u.weights))
}

// pick draws an index by weight.
func (u *uniform) pick(weights []*big.Int) int {
	total := u.total.SetUint64(0)
	for _, x := range weights {
		total.Add(total, x)
	}
	if total.IsUint64() {
		x := u.r.Uint64N(total.Uint64())
		for i, v := range weights {
			if y := v.Uint64(); x < y {
				return i
			} else {
				x -= y
			}
		}
	}
	x := bigBelow(u.r, total)
	for i, v := range weights {
		if x.Cmp(v) < 0 {
			return i
		}
		x.Sub(x, v)
	}
	return len(weights) - 1
}

// bigBelow returns a uniform number in [0, n) for n > 0.
func bigBelow(r *rand.Rand, n *big.Int) *big.Int {
	if n.IsUint64() {
		return new(big.Int).SetUint64(r.Uint64N(n.Uint64()))
	}
	bits := n.BitLen()
	buf := make([]byte, (bits+7)/8)
	x := new(big.Int)
	for {
		for i := range buf {
			if i%8 == 0 {
				for k, v := i, r.Uint64(); k < min(i+8, len(buf)); k++ {
					buf[k] = byte(v)
					v >>= 8
				}
			}
		}
		buf[0] &= byte(math.MaxUint8 >> (len(buf)*8 - bits))
		if x.SetBytes(buf); x.Cmp(n) < 0 {
			return x
		}
	}
}
