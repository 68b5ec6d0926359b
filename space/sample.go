package space

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"

	"github.com/daedalus-search/daedalus/internal/expr"
)

// sampleTries bounds how often Sample starts again when constraints reject
// what it drew.
const sampleTries = 10_000

// lazyTries is how many answers are drawn before it is worked out which are
// legal at all.
const lazyTries = 6

// An InfeasibleError says that no design satisfies the constraints, or that
// none was found.
type InfeasibleError struct {
	Constraint string // the constraint that failed, or that failed most often
	Tries      int    // designs drawn; 0 if a single design was checked
	Proven     bool   // no design exists, rather than none was found
}

func (e *InfeasibleError) Error() string {
	switch {
	case e.Proven:
		if e.Constraint != "" {
			return fmt.Sprintf("space: no design satisfies every constraint (%q rules out the last ones); loosen it", e.Constraint)
		}
		return "space: no design satisfies every constraint; loosen one of them"
	case e.Tries == 0:
		return fmt.Sprintf("space: constraint %q does not hold", e.Constraint)
	}
	return fmt.Sprintf("space: no feasible design in %d draws, most often because of %q; loosen the constraint or tighten the ranges", e.Tries, e.Constraint)
}

// Sample draws a design: every decision by its prior, in order. Constraints
// are propagated: an option that cannot lead to a feasible design, as far as
// interval analysis can tell, is not drawn; what still fails is drawn anew and
// counted (see [Space.Rejections]). It fails with an [*InfeasibleError] if
// 10,000 draws in a row were rejected, and never fails on a space without
// constraints.
func (s *Space) Sample(r *rand.Rand) (Design, error) {
	w := s.walk()
	defer s.free(w)
	if s.plain {
		for w.drawRun(r); w.step(); w.drawRun(r) {
			w.draw(r)
		}
		return w.design(), nil
	}
	failed := failures{}
	for range sampleTries {
		ok := true
		for w.drawRun(r); ok && w.bad == nil && w.step(); w.drawRun(r) {
			ok = w.draw(r)
		}
		if ok && w.end() {
			s.count(true)
			return w.design(), nil
		}
		s.count(false)
		failed.add(w.cause())
		w.reset()
	}
	return Design{}, failed.error(s)
}

// failures counts what rejected designs.
type failures struct{ by map[*requirement]int }

func (f *failures) add(q *requirement) {
	if f.by == nil {
		f.by = map[*requirement]int{}
	}
	f.by[q]++
}

// error names the constraint that rejected most designs.
func (f *failures) error(s *Space) error {
	e := &InfeasibleError{Tries: sampleTries}
	most := 0
	for _, q := range s.rules.requires {
		if f.by[q] > most {
			most, e.Constraint = f.by[q], q.text()
		}
	}
	return e
}

// MustSample is [Space.Sample] for spaces known to be feasible; it panics on
// an error.
func (s *Space) MustSample(r *rand.Rand) Design {
	d, err := s.Sample(r)
	if err != nil {
		panic(err)
	}
	return d
}

func (s *Space) count(ok bool) {
	if len(s.rules.requires) == 0 {
		return
	}
	s.tries.Add(1)
	if !ok {
		s.rejected.Add(1)
	}
}

// u01 returns a uniform number in [0, 1) with 53 bits.
func u01(r *rand.Rand) float64 { return float64(r.Uint64()>>11) / (1 << 53) }

// below returns a uniform number in [0, n). The bias is below n/2^64.
func below(r *rand.Rand, n int) int {
	hi, _ := bits.Mul64(r.Uint64(), uint64(n))
	return int(hi)
}

// drawRun answers the simple decisions that come next by their priors.
func (w *walker) drawRun(r *rand.Rand) {
	f := w.run()
	if f == nil {
		return
	}
	buf, i := w.buf, int(f.i)
	for ; i < len(f.nodes) && f.nodes[i].simple; i++ {
		n := f.nodes[i]
		if n.when != nil && w.inactive(n) {
			continue
		}
		k, x := 0, 0.0
		switch {
		case n.N == 0:
			x = n.realFromU(u01(r))
			buf = binary.LittleEndian.AppendUint64(buf, math.Float64bits(x))
		case n.cum == nil && !n.Log:
			k = below(r, n.N)
			buf = binary.AppendUvarint(buf, uint64(k))
		default:
			k = n.fromU(u01(r))
			buf = binary.AppendUvarint(buf, uint64(k))
		}
		if n.watch != nil {
			w.assign(n.watch, n.value(k, x), expr.Known)
		}
	}
	w.buf, f.i = buf, int32(i)
}

// draw answers the pending decision by the prior within what is legal. It
// reports false if nothing is.
func (w *walker) draw(r *rand.Rand) bool {
	if !w.lazy {
		return w.drawAt(u01(r))
	}
	// Drawing from the prior a few times and at last from what is legal has the
	// distribution of the last draw.
	for range lazyTries {
		if u := u01(r); w.opts > 0 {
			if w.try(w.n.fromU(u)) {
				return true
			}
		} else if x := w.n.realFromU(u); w.may(w.n.watch, expr.Num(x)) {
			w.sure = true
			w.chooseReal(x)
			return true
		}
	}
	return w.drawAt(u01(r))
}

// drawAt answers the pending decision by the inverse of the prior's cumulative
// distribution at u in [0, 1), within what is legal.
func (w *walker) drawAt(u float64) bool {
	w.settle()
	n := w.n
	switch w.role {
	case RoleReal:
		if w.masked {
			return false
		}
		w.chooseReal(w.realAt(u))
		return true
	case RoleInclude:
		// Selection sampling (Knuth, TAOCP 3.4.2, algorithm S) makes every
		// subset of the size equally likely.
		i := 0
		if u*float64(len(n.Labels)-w.item) < float64(w.stack[len(w.stack)-1].left) {
			i = 1
		}
		w.choose(i)
		return true
	case RoleSize, RolePlace:
		w.choose(int(u * float64(w.opts)))
		return true
	}
	if w.masked {
		i := w.maskedAt(u)
		return i >= 0 && w.try(i)
	}
	w.choose(n.fromU(u))
	return true
}

// realAt maps u to the legal range of the pending real number by the prior.
func (w *walker) realAt(u float64) float64 {
	n := w.n
	if w.lo > n.Lo || w.hi < n.Hi {
		a, b := n.unitReal(w.lo), n.unitReal(w.hi)
		return min(max(n.realFromU(a+float64(u*(b-a))), w.lo), w.hi)
	}
	return n.realFromU(u)
}

// maskedAt maps u to a legal option by the prior, or returns -1.
func (w *walker) maskedAt(u float64) int {
	if len(w.mask) == 0 {
		if w.first > w.last {
			return -1
		}
		a, b := w.n.below(w.first), w.n.below(w.last+1)
		return clampInt(w.n.fromU(a+float64(u*(b-a))), w.first, w.last)
	}
	total := 0.0
	for i := range w.opts {
		if w.legal(i) {
			total += w.n.Weight(i)
		}
	}
	u *= total
	last := -1
	for i := range w.opts {
		if !w.legal(i) {
			continue
		}
		last = i
		if u -= w.n.Weight(i); u < 0 {
			break
		}
	}
	return last
}
