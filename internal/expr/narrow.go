package expr

import "math"

// May reports whether a requirement may still hold when an open slot takes the
// value v: false only if it is certain to be false.
func (p *Program) May(box Box, slot int, v Value) bool {
	o := over{p: p, box: box, slot: slot, lo: v.Num, hi: v.Num, val: v}
	return o.may()
}

// Narrow returns the part of [lo, hi] outside of which a requirement is certain
// to be false when the slot takes that value, whatever the other open slots
// become. It is exact for a comparison that is monotone in the slot, up to one
// part in 2^40 of hi-lo, and sound for every expression. If no value can satisfy
// the requirement, the interval returned is empty: its ends are +Inf and -Inf.
// lo and hi must be finite.
func (p *Program) Narrow(box Box, slot int, lo, hi float64) (float64, float64) {
	o := over{p: p, box: box, slot: slot}
	for range 4 {
		was := hi - lo
		if !o.mayIn(lo, hi) {
			return math.Inf(1), math.Inf(-1)
		}
		if !(was > 0) || math.IsInf(was, 0) {
			return lo, hi
		}
		// First solve for the slot where the expression can be inverted...
		o.invert(o.p.root)
		if lo, hi = o.lo, o.hi; lo > hi {
			return math.Inf(1), math.Inf(-1)
		}
		// ...then cut what is left of either end. A condition false over the
		// whole of [lo, m] is false over every shorter prefix, so the longest
		// such prefix is found by bisection. Cutting it off makes the rest
		// tighter, so it may pay to look again.
		tol := math.Ldexp(was, -40)
		if !o.mayIn(lo, min(hi, lo+tol)) {
			if !o.mayIn(lo, hi) {
				return math.Inf(1), math.Inf(-1)
			}
			from := lo
			lo = o.bisect(lo, hi, tol, func(m float64) bool { return o.mayIn(from, m) })
		}
		if !o.mayIn(max(lo, hi-tol), hi) && o.mayIn(lo, hi) {
			from := hi
			hi = o.bisect(hi, lo, tol, func(m float64) bool { return o.mayIn(m, from) })
		}
		if hi-lo > float64(0.9*was) {
			break
		}
	}
	return lo, hi
}

// invert shrinks o.lo and o.hi to what a requirement leaves of them, by the
// backward step of HC4 (Benhamou et al. 1999): from the bounds that a comparison
// puts on its sides down to the slot. Where it cannot tell it leaves them.
func (o *over) invert(at int32) {
	in := &o.p.code[at]
	switch in.op {
	case opAnd:
		for _, a := range o.p.args[in.a:in.b] {
			o.invert(a)
		}
	case opOr:
		only := int32(-1)
		for _, a := range o.p.args[in.a:in.b] {
			if o.truth(a, 0) != canFalse {
				if only >= 0 {
					return
				}
				only = a
			}
		}
		if only >= 0 {
			o.invert(only)
		}
	case opImplies:
		if o.truth(in.a, 0) == canTrue {
			o.invert(in.b)
		}
	case opLt, opLe, opGt, opGe, opEq:
		a, b := in.a, in.b
		if in.op == opGt || in.op == opGe {
			a, b = b, a
		}
		if in.op == opEq && (!o.numeric(a) || !o.numeric(b)) {
			return
		}
		x, y := o.number(a, 0), o.number(b, 0)
		if x.undef || y.undef {
			return // an undefined requirement holds
		}
		if in.op == opEq {
			o.push(a, y)
			o.push(b, x)
			return
		}
		o.push(a, interval{lo: math.Inf(-1), hi: y.hi})
		o.push(b, interval{lo: x.lo, hi: math.Inf(1)})
	}
}

// numeric reports whether an instruction can only give a number.
func (o *over) numeric(at int32) bool {
	in := &o.p.code[at]
	switch in.op {
	case opConst:
		return o.p.consts[in.a].Kind == Number
	case opName:
		return int(in.a) == o.slot
	case opElem, opCond:
		return false
	}
	return !in.op.boolean()
}

// uses reports whether the slot occurs below at.
func (o *over) uses(at int32) bool {
	in := &o.p.code[at]
	switch in.op {
	case opName:
		return int(in.a) == o.slot
	case opAdd, opSub, opMul, opDiv:
		return o.uses(in.a) || o.uses(in.b)
	case opNeg:
		return o.uses(in.a)
	}
	return false
}

// push shrinks o.lo and o.hi given that instruction at lies in want. Operands
// are known to be defined. Every step widens by a little more than the rounding
// of the operation it inverts.
func (o *over) push(at int32, want interval) {
	in := &o.p.code[at]
	switch in.op {
	case opName:
		if int(in.a) == o.slot {
			o.lo, o.hi = max(o.lo, want.lo), min(o.hi, want.hi)
		}
	case opNeg:
		o.push(in.a, interval{lo: -want.hi, hi: -want.lo})
	case opAdd, opSub:
		if o.uses(in.a) {
			y := o.number(in.b, 0)
			if in.op == opSub {
				y.lo, y.hi = -y.hi, -y.lo
			}
			o.push(in.a, minus(want, y))
		}
		if o.uses(in.b) {
			x := o.number(in.a, 0)
			if in.op == opSub { // x - y in want: y in x - want
				o.push(in.b, minus(x, want))
			} else {
				o.push(in.b, minus(want, x))
			}
		}
	case opMul:
		if o.uses(in.a) {
			o.push(in.a, quotient(want, o.number(in.b, 0)))
		}
		if o.uses(in.b) {
			o.push(in.b, quotient(want, o.number(in.a, 0)))
		}
	case opDiv:
		if o.uses(in.a) { // x/y in want: x in want*y
			y := o.number(in.b, 0)
			if y.infinite() || y.empty() {
				return
			}
			v := corners(loosen(want), y, func(a, b float64) float64 { return orElse(float64(a*b), 0) })
			o.push(in.a, loosen(v))
		}
		if o.uses(in.b) { // x/y in want: y in x/want
			o.push(in.b, quotient(o.number(in.a, 0), loosen(want)))
		}
	}
}

// loosen widens by a few units in the last place, and past underflow.
func loosen(v interval) interval {
	const rel, abs = 0x1p-50, 1e-300
	return interval{lo: v.lo - math.Abs(float64(v.lo*rel)) - abs, hi: v.hi + math.Abs(float64(v.hi*rel)) + abs}
}

// minus bounds a where a + y, rounded, lies in v.
func minus(v, y interval) interval {
	if y.infinite() || y.empty() {
		return interval{lo: math.Inf(-1), hi: math.Inf(1)}
	}
	// The rounding is relative to the largest number in play, not the result.
	e := float64((math.Abs(y.lo) + math.Abs(y.hi)) * 0x1p-50)
	w := loosen(v)
	return interval{lo: orElse(w.lo-y.hi-e, math.Inf(-1)), hi: orElse(w.hi-y.lo+e, math.Inf(1))}
}

// quotient bounds a where a * y, rounded, lies in v.
func quotient(v, y interval) interval {
	if y.has(0) || y.infinite() || y.empty() {
		return interval{lo: math.Inf(-1), hi: math.Inf(1)}
	}
	return loosen(corners(loosen(v), y, func(a, b float64) float64 { return a / b }))
}

// bisect moves from out, where in is false, towards far, where it is true, and
// returns a point at most tol before the change, on the out side.
func (o *over) bisect(out, far, tol float64, in func(float64) bool) float64 {
	for math.Abs(far-out) > tol {
		m := out + float64((far-out)*0.5)
		if m == out || m == far {
			break
		}
		if in(m) {
			far = m
		} else {
			out = m
		}
	}
	return out
}

func (o *over) mayIn(lo, hi float64) bool {
	o.lo, o.hi = lo, hi
	return o.may()
}

func (o *over) may() bool {
	return o.truth(o.p.root, 0)&^canFalse != 0
}
