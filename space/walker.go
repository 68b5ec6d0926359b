package space

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
)

// A Decision is a question that a walk over a space asks.
type Decision struct {
	Param *Param
	Role  Role
	Site  uint64  // the same for the same place in every design: the key for statistics
	N     int     // options 0 … N-1, or 0 for a real number
	Item  int     // RoleInclude: the item asked about; RolePlace: the position to fill
	Lo    float64 // RoleReal: legal range
	Hi    float64
}

// Ordered reports whether neighbouring options are alike.
func (d Decision) Ordered() bool {
	switch d.Role {
	case RoleLevel, RoleReal, RoleCount, RoleSize:
		return true
	}
	return false
}

// Unit places an answer on [0, 1]: numbers by their range or its logarithm,
// other options by their index.
func (d Decision) Unit(index int, real float64) float64 {
	switch d.Role {
	case RoleReal:
		return d.Param.unitReal(real)
	case RoleSize:
		return float64(index) / float64(d.N-1)
	case RoleInclude, RolePlace:
		return (float64(index) + 0.5) / float64(d.N)
	}
	return d.Param.unit(index, real)
}

// FromUnit maps u in [0, 1) to an answer by the inverse of the prior's
// cumulative distribution, so that uniform u give answers distributed by the
// prior. It ignores legality.
func (d Decision) FromUnit(u float64) (index int, real float64) {
	u = min(max(u, 0), math.Nextafter(1, 0))
	switch d.Role {
	case RoleReal:
		return 0, d.Param.realFromU(u)
	case RoleSize, RoleInclude, RolePlace:
		return int(u * float64(d.N)), 0
	}
	return d.Param.fromU(u), 0
}

// Nearest maps u in [0, 1] to the answer whose [Decision.Unit] is nearest.
func (d Decision) Nearest(u float64) (index int, real float64) {
	u = min(max(u, 0), 1)
	switch d.Role {
	case RoleReal:
		return 0, d.Param.realFromU(u)
	case RoleSize:
		return clampInt(int(math.Floor(float64(u*float64(d.N-1))+0.5)), 0, d.N-1), 0
	case RoleInclude, RolePlace:
		return clampInt(int(u*float64(d.N)), 0, d.N-1), 0
	}
	return d.Param.nearest(u), 0
}

// A Walker visits the decisions of one design to be, in order. It serves
// everything that builds designs step by step: tree search, policies,
// enumeration.
//
//	w := s.Walk()
//	for {
//		d, ok := w.Next()
//		if !ok {
//			break
//		}
//		w.Choose(pick(d)) // or w.ChooseReal, when d.N == 0
//	}
//	design, err := w.Design()
type Walker struct {
	w       *walker
	s       *Space
	pending bool
	err     error
}

// Walk starts a walk over the space.
func (s *Space) Walk() *Walker {
	w := newWalker(s)
	w.reset()
	return &Walker{w: w, s: s}
}

// Next returns the next decision, or false at the end of the walk or after a
// mistake, which [Walker.Design] reports. Calling Next again before choosing
// returns the same decision.
func (w *Walker) Next() (Decision, bool) {
	if w.err != nil {
		return Decision{}, false
	}
	if !w.pending {
		if w.w.bad != nil || !w.w.step() {
			return Decision{}, false
		}
		w.pending = true
	}
	return w.w.decision(), true
}

func (w *walker) decision() Decision {
	d := Decision{Param: &w.n.Param, Role: w.role, Site: w.site, N: w.opts, Item: w.item}
	if w.role == RoleReal {
		w.settle()
		d.Lo, d.Hi = w.lo, w.hi
	}
	if w.role != RoleInclude && w.role != RolePlace {
		d.Item = 0
	}
	return d
}

// Legal reports whether option i of the pending decision can still lead to a
// design: constraints that are already decided forbid the others.
func (w *Walker) Legal(i int) bool {
	return w.pending && i >= 0 && i < w.w.opts && w.w.legal(i)
}

// Choose takes option i of the pending decision.
func (w *Walker) Choose(i int) {
	switch {
	case w.err != nil:
	case !w.pending || w.w.opts == 0:
		w.err = errors.New("space: Choose without a pending decision among options")
	case i < 0 || i >= w.w.opts || !w.w.legal(i):
		w.err = fmt.Errorf("space: %s: option %d; expected a legal one of 0 … %d", w.w.n.Path, i, w.w.opts-1)
	default:
		w.w.choose(i)
		w.pending = false
	}
}

// ChooseReal takes the real number x for the pending decision.
func (w *Walker) ChooseReal(x float64) {
	switch {
	case w.err != nil:
	case !w.pending || w.w.opts != 0:
		w.err = errors.New("space: ChooseReal without a pending decision on a real number")
	case !w.w.within(x):
		w.err = fmt.Errorf("space: %s: %v; expected a number in [%v, %v]", w.w.n.Path, x, w.w.lo, w.w.hi)
	default:
		w.w.chooseReal(x + 0)
		w.pending = false
	}
}

// within reports whether x lies in the legal range of the pending decision.
func (w *walker) within(x float64) bool {
	w.settle()
	return !w.masked && x >= w.lo && x <= w.hi
}

// ChooseRandom answers the pending decision by the prior, within what is
// legal. It reports false if nothing is legal.
func (w *Walker) ChooseRandom(r *rand.Rand) bool {
	if w.err != nil || !w.pending {
		return false
	}
	if !w.w.draw(r) {
		return false
	}
	w.pending = false
	return true
}

// Dead reports whether a constraint can no longer hold, so that the walk
// cannot become a design.
func (w *Walker) Dead() bool { return w.err != nil || w.w.bad != nil }

// Design returns the finished design. It fails if the walk is not finished, if
// a choice was not legal, or with an [*InfeasibleError] if a constraint does
// not hold.
func (w *Walker) Design() (Design, error) {
	switch {
	case w.err != nil:
		return Design{}, w.err
	case w.w.bad != nil:
		return Design{}, &InfeasibleError{Constraint: w.w.bad.text()}
	case w.pending || len(w.w.stack) > 0 && w.w.step():
		w.pending = true
		return Design{}, fmt.Errorf("space: %s: the walk is not finished", w.w.n.Path)
	case !w.w.end():
		return Design{}, &InfeasibleError{Constraint: w.w.bad.text()}
	}
	return w.w.design(), nil
}
