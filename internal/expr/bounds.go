package expr

import (
	"math"

	"github.com/daedalus-search/daedalus/internal/detmath"
)

// Bounds says what an expression can still become while some slots are open. It
// is sound: whatever values the open slots take, the result is among those that
// Bounds admits. It is not always tight, since it forgets that two mentions of a
// slot have the same value.
type Bounds struct {
	Lo, Hi       float64 // of the results that are numbers; Lo > Hi if none is
	CanTrue      bool
	CanFalse     bool
	CanUndefined bool
}

// Truth condenses the bounds of a condition: True, False or Undefined if nothing
// else can come out, else Unknown.
func (b Bounds) Truth() Truth {
	switch {
	case b.CanTrue && !b.CanFalse && !b.CanUndefined:
		return True
	case b.CanFalse && !b.CanTrue && !b.CanUndefined:
		return False
	case b.CanUndefined && !b.CanTrue && !b.CanFalse:
		return Undefined
	}
	return Unknown
}

// Bounds bounds the expression over a box by interval arithmetic.
func (p *Program) Bounds(box Box) Bounds {
	return (&over{p: p, box: box, slot: -1}).bounds()
}

// over evaluates a program over a box in which one slot may be replaced.
type over struct {
	p      *Program
	box    Box
	slot   int // replaced by val, or if that is None by [lo, hi]; -1: none
	lo, hi float64
	val    Value
}

// possible is the set of outcomes of a condition.
type possible uint8

const (
	canFalse possible = 1 << iota
	canTrue
	canUndef
	canBoth = canFalse | canTrue
)

// interval bounds a number. It is empty if lo > hi; undef says that there may be
// no number.
type interval struct {
	lo, hi float64
	undef  bool
}

var nothing = interval{lo: math.Inf(1), hi: math.Inf(-1), undef: true}

func (v interval) empty() bool { return v.lo > v.hi }
func (v interval) point() bool { return v.lo == v.hi }

func (v interval) has(x float64) bool { return v.lo <= x && x <= v.hi }

// infinite reports whether v contains an infinity.
func (v interval) infinite() bool { return math.IsInf(v.lo, -1) || math.IsInf(v.hi, 1) }

func hull(a, b interval) interval {
	return interval{min(a.lo, b.lo), max(a.hi, b.hi), a.undef || b.undef}
}

// domain bounds a value of any kind: by its interval if it is a number, by a
// list of values, or not at all.
type domain struct {
	num   interval
	vals  []Value // counts if enum
	one   Value   // stands for vals if that is empty
	enum  bool
	any   bool // anything is possible
	undef bool
	none  bool // there is no value: it is undefined for certain
}

func (d *domain) len() int {
	switch {
	case d.none:
		return 0
	case d.vals == nil:
		return 1
	}
	return len(d.vals)
}

func (d *domain) at(i int) Value {
	if d.vals == nil {
		return d.one
	}
	return d.vals[i]
}

func (o *over) slotDomain(slot int) domain {
	if slot == o.slot {
		if o.val.Kind != None {
			return domain{one: o.val, enum: true}
		}
		return domain{num: interval{lo: o.lo, hi: o.hi}}
	}
	v, st := o.box.Value(slot)
	if st == Known && (v.Kind == None || v.Num != v.Num) {
		st = Inactive
	}
	switch st {
	case Known:
		return domain{one: v, enum: true}
	case Inactive:
		return domain{enum: true, none: true, undef: true}
	}
	d := o.box.Domain(slot)
	if d.Values != nil {
		return domain{vals: d.Values, enum: true, undef: d.Optional, none: len(d.Values) == 0}
	}
	if !(d.Lo <= d.Hi) {
		return domain{enum: true, none: true, undef: true}
	}
	return domain{num: interval{lo: d.Lo, hi: d.Hi}, undef: d.Optional}
}

// number condenses a domain to an interval.
func (d *domain) number() interval {
	if d.any {
		return interval{math.Inf(-1), math.Inf(1), true}
	}
	if !d.enum {
		v := d.num
		v.undef = v.undef || d.undef
		return v
	}
	v := nothing
	v.undef = d.undef
	for i := range d.len() {
		x := d.at(i)
		if x.Kind != Number || x.Num != x.Num {
			v.undef = true
			continue
		}
		v.lo, v.hi = min(v.lo, x.Num), max(v.hi, x.Num)
	}
	return v
}

// slotNumber is slotDomain(slot).number().
func (o *over) slotNumber(slot int) interval {
	if slot == o.slot && o.val.Kind == None {
		return interval{lo: o.lo, hi: o.hi}
	}
	if slot != o.slot {
		if v, st := o.box.Value(slot); st == Known && v.Kind == Number && v.Num == v.Num {
			return interval{lo: v.Num, hi: v.Num}
		}
	}
	d := o.slotDomain(slot)
	return d.number()
}

func (o *over) bounds() Bounds {
	in := &o.p.code[o.p.root]
	v := nothing
	if !in.op.boolean() {
		v = o.number(o.p.root, 0)
	}
	t := o.truth(o.p.root, 0)
	if t&canBoth == 0 && !in.op.boolean() { // a number, not a condition
		t = 0
		if v.undef {
			t = canUndef
		}
	}
	return Bounds{v.lo, v.hi, t&canTrue != 0, t&canFalse != 0, t&canUndef != 0}
}

// boolean reports whether the operation gives a boolean.
func (o op) boolean() bool {
	switch o {
	case opImplies, opOr, opAnd, opNot, opEq, opNe, opLt, opLe, opGt, opGe, opIn, opNotIn,
		opActive, opElemActive, opAll, opAny:
		return true
	}
	return false
}

func (o *over) element(in *inst, el int) int {
	if in.op == opElem || in.op == opElemActive {
		return o.p.each[in.a][el]
	}
	return int(in.a)
}

func (o *over) value(at int32, el int) domain {
	in := &o.p.code[at]
	switch {
	case in.op == opConst:
		return domain{one: o.p.consts[in.a], enum: true}
	case in.op == opName || in.op == opElem:
		return o.slotDomain(o.element(in, el))
	case in.op == opCond:
		switch o.truth(in.a, el) {
		case canTrue:
			return o.value(in.b, el)
		case canFalse:
			return o.value(in.c, el)
		}
		return domain{any: true, undef: true}
	case in.op.boolean():
		switch t := o.truth(at, el); t &^ canUndef {
		case canTrue, canFalse:
			return domain{one: Boolean(t&canTrue != 0), enum: true, undef: t&canUndef != 0}
		case 0:
			return domain{enum: true, none: true, undef: true}
		default:
			return domain{vals: bothBooleans, enum: true, undef: t&canUndef != 0}
		}
	}
	v := o.number(at, el)
	if v.empty() {
		return domain{enum: true, none: true, undef: true}
	}
	return domain{num: v, undef: v.undef}
}

var bothBooleans = []Value{Boolean(false), Boolean(true)}

// maxPairs bounds the work of comparing two lists of values.
const maxPairs = 4096

func equal(a, b *domain) possible {
	var t possible
	if a.undef || b.undef || a.none || b.none {
		t = canUndef
	}
	switch {
	case a.none || b.none:
	case a.any || b.any:
		t |= canBoth
	case a.enum && b.enum:
		if a.len()*b.len() > maxPairs {
			return t | canBoth
		}
		for i := range a.len() {
			for j := range b.len() {
				if a.at(i) == b.at(j) {
					t |= canTrue
				} else {
					t |= canFalse
				}
			}
		}
	case a.enum || b.enum:
		list, v := a, b.num
		if b.enum {
			list, v = b, a.num
		}
		for i := range list.len() {
			switch x := list.at(i); {
			case x.Kind != Number || !v.has(x.Num):
				t |= canFalse
			case v.point():
				t |= canTrue
			default:
				t |= canBoth
			}
		}
	case a.num.hi < b.num.lo || b.num.hi < a.num.lo:
		t |= canFalse
	case a.num.point() && b.num.point():
		t |= canTrue
	default:
		t |= canBoth
	}
	return t
}

func negate(t possible) possible {
	return t&canUndef | t&canFalse<<1 | t&canTrue>>1
}

// either is the set of outcomes of a or b, taken as independent.
func either(a, b possible) possible {
	t := (a | b) & canTrue
	t |= a & b & canFalse
	if a&canUndef != 0 && b&(canUndef|canFalse) != 0 || b&canUndef != 0 && a&canFalse != 0 {
		t |= canUndef
	}
	return t
}

func (o *over) truth(at int32, el int) possible {
	in := &o.p.code[at]
	switch in.op {
	case opLt, opLe, opGt, opGe:
		x, y := o.number(in.a, el), o.number(in.b, el)
		if in.op == opGt || in.op == opGe {
			x, y = y, x
		}
		var t possible
		if x.undef || y.undef {
			t = canUndef
		}
		if x.empty() || y.empty() {
			return canUndef
		}
		if in.op == opLt || in.op == opGt {
			if x.lo < y.hi {
				t |= canTrue
			}
			if x.hi >= y.lo {
				t |= canFalse
			}
			return t
		}
		if x.lo <= y.hi {
			t |= canTrue
		}
		if x.hi > y.lo {
			t |= canFalse
		}
		return t
	case opEq, opNe:
		a, b := o.value(in.a, el), o.value(in.b, el)
		t := equal(&a, &b)
		if in.op == opNe {
			return negate(t)
		}
		return t
	case opIn, opNotIn:
		t := o.member(in, el)
		if in.op == opNotIn {
			return negate(t)
		}
		return t
	case opAnd:
		t := canTrue
		for _, a := range o.p.args[in.a:in.b] {
			if t = negate(either(negate(t), negate(o.truth(a, el)))); t == canFalse {
				break
			}
		}
		return t
	case opOr:
		t := canFalse
		for _, a := range o.p.args[in.a:in.b] {
			if t = either(t, o.truth(a, el)); t == canTrue {
				break
			}
		}
		return t
	case opImplies:
		a := negate(o.truth(in.a, el))
		if a == canTrue {
			return a
		}
		return either(a, o.truth(in.b, el))
	case opNot:
		return negate(o.truth(in.a, el))
	case opActive, opElemActive:
		return o.active(o.element(in, el))
	case opCond:
		c := o.truth(in.a, el)
		t := c & canUndef
		if c&canTrue != 0 {
			t |= o.truth(in.b, el)
		}
		if c&canFalse != 0 {
			t |= o.truth(in.c, el)
		}
		return t
	case opAll, opAny:
		// The instances that are left out count as neutral.
		t := canFalse
		for el := range int(in.b) {
			b := o.truth(in.a, el)
			if in.op == opAll {
				b = negate(b)
			}
			if b&canUndef != 0 {
				b = b&^canUndef | canFalse
			}
			if t = either(t, b); t == canTrue {
				break
			}
		}
		if in.op == opAll {
			return negate(t)
		}
		return t
	case opName, opElem, opConst:
		d := o.value(at, el)
		if d.any || !d.enum {
			return canUndef
		}
		var t possible
		if d.undef || d.none {
			t = canUndef
		}
		for i := range d.len() {
			switch x := d.at(i); {
			case x.Kind != Bool:
				t |= canUndef
			case x.Num != 0:
				t |= canTrue
			default:
				t |= canFalse
			}
		}
		return t
	}
	return canUndef
}

// active is the set of outcomes of active(slot).
func (o *over) active(slot int) possible {
	if slot == o.slot {
		return canTrue
	}
	switch _, st := o.box.Value(slot); st {
	case Known:
		return canTrue
	case Inactive:
		return canFalse
	}
	if o.box.Domain(slot).Optional {
		return canBoth
	}
	return canTrue
}

// member is the set of outcomes of x in list. The items are compared with the
// same x: each value of an enumerated x is judged by itself.
func (o *over) member(in *inst, el int) possible {
	x := o.value(in.c, el)
	if x.none {
		return canUndef
	}
	list := o.p.args[in.a:in.b]
	if !x.enum || x.any || x.len()*len(list) > maxPairs {
		t := canFalse
		for _, a := range list {
			y := o.value(a, el)
			t = either(t, equal(&x, &y))
		}
		if x.undef {
			t |= canUndef
		}
		return t
	}
	var t possible
	if x.undef {
		t = canUndef
	}
	for i := range x.len() {
		one := domain{one: x.at(i), enum: true}
		u := canFalse
		for _, a := range list {
			y := o.value(a, el)
			if u = either(u, equal(&one, &y)); u == canTrue {
				break
			}
		}
		t |= u
	}
	return t
}

func (o *over) number(at int32, el int) interval {
	in := &o.p.code[at]
	switch in.op {
	case opConst:
		if o.p.consts[in.a].Kind == Number {
			return interval{lo: in.num, hi: in.num}
		}
		return nothing
	case opName, opElem:
		return o.slotNumber(o.element(in, el))
	case opAdd, opSub, opMul, opDiv, opMod, opPow:
		x, y := o.number(in.a, el), o.number(in.b, el)
		if x.empty() || y.empty() {
			return nothing
		}
		v := arithOver(in.op, x, y)
		v.undef = v.undef || x.undef || y.undef
		return v
	case opNeg, opAbs, opFloor, opCeil, opRound, opSqrt, opLog, opLog2, opExp:
		x := o.number(in.a, el)
		if x.empty() {
			return nothing
		}
		v := functionOver(in.op, x)
		v.undef = v.undef || x.undef
		return v
	case opMin, opMax:
		v := o.number(o.p.args[in.a], el)
		for _, a := range o.p.args[in.a+1 : in.b] {
			x := o.number(a, el)
			if v.empty() || x.empty() {
				return nothing
			}
			v = extreme(in.op == opMin, v, x)
		}
		return v
	case opCond:
		c := o.truth(in.a, el)
		v := nothing
		v.undef = c&canUndef != 0
		if c&canTrue != 0 {
			v = hull(v, o.number(in.b, el))
		}
		if c&canFalse != 0 {
			v = hull(v, o.number(in.c, el))
		}
		return v
	case opSumEach, opMinEach, opMaxEach, opCount, opLen:
		return o.aggregate(in)
	}
	return nothing
}

func extreme(least bool, a, b interval) interval {
	if least {
		return interval{min(a.lo, b.lo), min(a.hi, b.hi), a.undef || b.undef}
	}
	return interval{max(a.lo, b.lo), max(a.hi, b.hi), a.undef || b.undef}
}

func (o *over) aggregate(in *inst) interval {
	inf := math.Inf(1)
	switch in.op {
	case opCount, opLen:
		var v interval
		for el := range int(in.b) {
			t := o.truth(in.a, el)
			if t&canTrue != 0 {
				v.hi++
				if t == canTrue {
					v.lo++
				}
			}
		}
		return v
	case opSumEach:
		var v interval
		for el := range int(in.b) {
			x := o.number(in.a, el)
			if x.empty() {
				continue
			}
			if x.undef { // may be left out
				x = hull(x, interval{})
			}
			v.undef = v.undef || v.infinite() && x.infinite()
			v = interval{orElse(v.lo+x.lo, -inf), orElse(v.hi+x.hi, inf), v.undef}
		}
		return v
	}
	// An instance that may be left out is neutral: +Inf for min, -Inf for max.
	// The result is undefined if all may be left out.
	least := in.op == opMinEach
	v := nothing
	can := nothing // hull of everything that may take part
	all := true
	for el := range int(in.b) {
		x := o.number(in.a, el)
		if x.empty() {
			continue
		}
		can = hull(can, interval{lo: x.lo, hi: x.hi})
		if x.undef {
			continue
		}
		if all {
			v, all = interval{lo: x.lo, hi: x.hi}, false
		} else {
			v = extreme(least, v, interval{lo: x.lo, hi: x.hi})
		}
	}
	switch {
	case all:
		return interval{can.lo, can.hi, true}
	case least:
		return interval{lo: can.lo, hi: v.hi}
	}
	return interval{lo: v.lo, hi: can.hi}
}

// orElse is x, or y if x is a NaN.
func orElse(x, y float64) float64 {
	if x != x {
		return y
	}
	return x
}

// arithOver bounds x o y. IEEE operations are monotone with their rounding, so
// the corners of the box, computed as points are, bound the points' results.
func arithOver(o op, x, y interval) interval {
	inf := math.Inf(1)
	whole := interval{-inf, inf, true}
	switch o {
	case opSub:
		y.lo, y.hi = -y.hi, -y.lo
		fallthrough
	case opAdd:
		undef := math.IsInf(x.hi, 1) && math.IsInf(y.lo, -1) || math.IsInf(x.lo, -1) && math.IsInf(y.hi, 1)
		return interval{orElse(x.lo+y.lo, -inf), orElse(x.hi+y.hi, inf), undef}
	case opMul:
		v := corners(x, y, func(a, b float64) float64 { return orElse(float64(a*b), 0) })
		v.undef = x.infinite() && y.has(0) || y.infinite() && x.has(0)
		return v
	case opDiv:
		undef := y.has(0) || x.infinite() && y.infinite()
		switch {
		case y.lo == 0 && y.hi == 0:
			return nothing
		case y.lo < 0 && y.hi > 0:
			return whole
		case y.lo == 0: // from above
			y.lo = math.SmallestNonzeroFloat64
		case y.hi == 0:
			y.hi = -math.SmallestNonzeroFloat64
		}
		if x.infinite() && y.infinite() {
			return whole
		}
		v := corners(x, y, func(a, b float64) float64 { return a / b })
		v.undef = undef
		return v
	case opMod:
		return modOver(x, y)
	}
	return powOver(x, y)
}

func corners(x, y interval, f func(a, b float64) float64) interval {
	a, b, c, d := f(x.lo, y.lo), f(x.lo, y.hi), f(x.hi, y.lo), f(x.hi, y.hi)
	return interval{lo: min(a, b, c, d), hi: max(a, b, c, d)}
}

func modOver(x, y interval) interval {
	if x.point() && y.point() {
		if r, st := arith(opMod, x.lo, y.lo); st == Known {
			return interval{lo: r, hi: r}
		}
		return nothing
	}
	v := interval{lo: min(y.lo, 0), hi: max(y.hi, 0), undef: y.has(0) || x.infinite()}
	if x.lo >= 0 && y.lo > 0 {
		v.hi = min(v.hi, x.hi)
		if x.hi < y.lo { // the remainder is x itself
			v.lo = x.lo
		}
	}
	return v
}

// slack widens bounds of functions whose error is up to one unit in the last
// place, and which so need not be monotone.
func slack(v interval) interval {
	for range 3 {
		v.lo = math.Nextafter(v.lo, math.Inf(-1))
		v.hi = math.Nextafter(v.hi, math.Inf(1))
	}
	return v
}

func powOver(x, y interval) interval {
	inf := math.Inf(1)
	whole := interval{-inf, inf, true}
	if x.lo >= 0 {
		x.lo += 0 // negative zero has powers of its own
		x.hi += 0
		// Monotone in each variable, so the extremes are at the corners; 0 to a
		// negative power is undefined and its limit infinite.
		v := corners(x, y, detmath.Pow)
		if v.lo != v.lo || v.hi != v.hi {
			return whole
		}
		undef := x.lo == 0 && y.lo < 0
		v = slack(v)
		v.lo = max(v.lo, 0)
		if x.lo == 0 && y.has(0) { // 0^0 = 1, the one point that is not a limit
			v = hull(v, interval{lo: 1, hi: 1})
		}
		v.undef = undef
		return v
	}
	if !y.point() || math.Floor(y.lo) != y.lo || math.IsInf(y.lo, 0) {
		return whole
	}
	n := y.lo
	if n < 0 && x.has(0) {
		return whole
	}
	a, b := detmath.Pow(x.lo, n), detmath.Pow(x.hi, n)
	v := slack(interval{lo: min(a, b), hi: max(a, b)})
	if n > 0 && math.Mod(n, 2) == 0 {
		if x.has(0) {
			v.lo = 0
		}
		v.lo = max(v.lo, 0)
	}
	return v
}

func functionOver(o op, x interval) interval {
	switch o {
	case opNeg:
		return interval{lo: -x.hi, hi: -x.lo}
	case opAbs:
		a, b := math.Abs(x.lo), math.Abs(x.hi)
		if x.has(0) {
			return interval{lo: 0, hi: max(a, b)}
		}
		return interval{lo: min(a, b), hi: max(a, b)}
	case opFloor:
		return interval{lo: math.Floor(x.lo), hi: math.Floor(x.hi)}
	case opCeil:
		return interval{lo: math.Ceil(x.lo), hi: math.Ceil(x.hi)}
	case opRound:
		return interval{lo: math.Round(x.lo), hi: math.Round(x.hi)}
	case opSqrt:
		if x.hi < 0 {
			return nothing
		}
		return interval{lo: math.Sqrt(max(x.lo, 0)), hi: math.Sqrt(x.hi), undef: x.lo < 0}
	case opExp:
		v := slack(interval{lo: detmath.Exp(x.lo), hi: detmath.Exp(x.hi)})
		v.lo = max(v.lo, 0)
		return v
	}
	if x.hi <= 0 {
		return nothing
	}
	f := detmath.Log
	if o == opLog2 {
		f = detmath.Log2
	}
	v := slack(interval{lo: f(max(x.lo, 0)), hi: f(x.hi)})
	v.undef = x.lo <= 0
	return v
}
