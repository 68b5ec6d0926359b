package expr

import (
	"fmt"
	"math"
	"slices"

	"github.com/daedalus-search/daedalus/internal/detmath"
)

// Further operations of compiled expressions.
const (
	opElem op = iota + opActive + 1 // the value of the current instance
	opElemActive
	opAbs
	opFloor
	opCeil
	opRound
	opSqrt
	opLog
	opLog2
	opExp
	opMin
	opMax
	opSumEach // aggregates: body in a, number of instances in b
	opMinEach
	opMaxEach
	opCount
	opAll
	opAny
	opLen
)

// Shapes of instructions that are common enough to evaluate without recursion.
// The evaluators look at inst.fast, which is inst.op where no shape fits.
const (
	fastArithSlots op = iota + 128 // arithmetic on slots x and y
	fastArithConst                 // arithmetic on slot x and num
	fastOrderConst                 // comparison of a and num
	fastEqualConst                 // (in)equality of slot x and constant y
)

// inst is one node of a compiled expression. Operands are indices of other
// instructions, or of ranges of Program.args.
type inst struct {
	op      op
	fast    op
	a, b, c int32
	x, y    int32
	num     float64
}

// Program is an expression bound to slots. It is immutable and safe for
// concurrent use; evaluating it does not allocate.
type Program struct {
	code   []inst
	args   []int32
	consts []Value
	each   [][]int
	root   int32
	slots  []int
}

// Bind compiles the expression. resolve tells where the value of a name is; it
// must know the names that the resolver of Check knows, and may be asked for one
// more than once. The error is a
// [*MeaningError]: a name that does not exist, a repeated name outside an
// aggregate, aggregates that nest or that join lists of different lengths.
//
// Bind does not check kinds; evaluating an expression that [Expr.Check] would
// refuse gives Undefined.
func (e *Expr) Bind(resolve func(name string) (Ref, bool)) (*Program, error) {
	b := binder{resolve: resolve, p: new(Program)}
	b.p.root = b.node(e.root)
	if err := b.errs.orNil(); err != nil {
		return nil, err
	}
	slices.Sort(b.p.slots)
	b.p.slots = slices.Compact(b.p.slots)
	return b.p, nil
}

// Slots returns the slots the program reads, in increasing order. The caller
// must not change the slice.
func (p *Program) Slots() []int { return p.slots }

type binder struct {
	resolve func(string) (Ref, bool)
	p       *Program
	errs    MeaningError
	inside  string
	count   int // instances of the aggregate we are in; -1: none seen yet
}

func (b *binder) exists(name string) bool {
	_, ok := b.resolve(name)
	return ok
}

func (b *binder) emit(in inst) int32 {
	in.fast = in.op
	binary := in.op >= opEq && in.op <= opGe || in.op >= opAdd && in.op <= opMod || in.op == opPow
	if binary && len(b.errs.Mistakes) == 0 { // after a mistake, operands need not exist
		l, r := &b.p.code[in.a], &b.p.code[in.b]
		number := r.op == opConst && b.p.consts[r.a].Kind == Number
		switch {
		case in.op == opEq || in.op == opNe:
			if l.op == opName && r.op == opConst {
				in.fast, in.x, in.y = fastEqualConst, l.a, r.a
			}
		case in.op >= opLt && in.op <= opGe:
			if number {
				in.fast, in.num = fastOrderConst, r.num
			}
		case l.op == opName && r.op == opName:
			in.fast, in.x, in.y = fastArithSlots, l.a, r.a
		case l.op == opName && number:
			in.fast, in.x, in.num = fastArithConst, l.a, r.num
		}
	}
	b.p.code = append(b.p.code, in)
	return int32(len(b.p.code) - 1)
}

func (b *binder) constant(v Value) int32 {
	b.p.consts = append(b.p.consts, v)
	return b.emit(inst{op: opConst, a: int32(len(b.p.consts) - 1), num: v.Num})
}

// list compiles nodes into a range of args.
func (b *binder) list(n *node, kids []*node, skip int) (from, to int32) {
	at := make([]int32, len(kids))
	for i := range kids {
		at[i] = b.operand(n, i+skip)
	}
	from = int32(len(b.p.args))
	b.p.args = append(b.p.args, at...)
	return from, int32(len(b.p.args))
}

// operand compiles kid i of n.
func (b *binder) operand(n *node, i int) int32 {
	if n.bareWord(i, b.exists) {
		return b.constant(Str(n.kids[i].name))
	}
	return b.node(n.kids[i])
}

func (b *binder) name(n *node, single, elem op) int32 {
	ref, ok := b.resolve(n.name)
	switch {
	case !ok:
		b.errs.add(n.off, "no parameter is named %s", n.name)
		return 0
	case ref.Each == nil:
		b.p.slots = append(b.p.slots, ref.Slot)
		return b.emit(inst{op: single, a: int32(ref.Slot)})
	case b.inside == "":
		b.errs.add(n.off, "%s has one value an instance: put it into an aggregate such as sum(...), all(...) or count(...)", n.name)
		return 0
	case b.count >= 0 && b.count != len(ref.Each):
		b.errs.add(n.off, "%s has %d instances where another name in %s() has %d", n.name, len(ref.Each), b.inside, b.count)
		return 0
	}
	b.count = len(ref.Each)
	b.p.slots = append(b.p.slots, ref.Each...)
	b.p.each = append(b.p.each, slices.Clone(ref.Each))
	return b.emit(inst{op: elem, a: int32(len(b.p.each) - 1)})
}

func (b *binder) node(n *node) int32 {
	switch n.op {
	case opConst:
		return b.constant(n.val)
	case opName:
		return b.name(n, opName, opElem)
	case opActive:
		return b.name(n.kids[0], opActive, opElemActive)
	case opNot, opNeg:
		return b.emit(inst{op: n.op, a: b.node(n.kids[0])})
	case opCond:
		return b.emit(inst{op: opCond, a: b.node(n.kids[0]), b: b.node(n.kids[1]), c: b.node(n.kids[2])})
	case opAnd, opOr:
		from, to := b.list(n, n.kids, 0)
		return b.emit(inst{op: n.op, a: from, b: to})
	case opIn, opNotIn:
		x := b.node(n.kids[0])
		from, to := b.list(n, n.kids[1:], 1)
		return b.emit(inst{op: n.op, a: from, b: to, c: x})
	case opChain: // a < b < c is a < b and b < c
		kids, _ := b.list(n, n.kids, 0)
		at := make([]int32, len(n.ops))
		for i, o := range n.ops {
			at[i] = b.emit(inst{op: o, a: b.p.args[kids+int32(i)], b: b.p.args[kids+int32(i)+1]})
		}
		from := int32(len(b.p.args))
		b.p.args = append(b.p.args, at...)
		return b.emit(inst{op: opAnd, a: from, b: int32(len(b.p.args))})
	case opCall:
		return b.call(n)
	}
	return b.emit(inst{op: n.op, a: b.operand(n, 0), b: b.operand(n, 1)})
}

var callOps = map[string]op{
	"abs": opAbs, "floor": opFloor, "ceil": opCeil, "round": opRound, "sqrt": opSqrt,
	"log": opLog, "log2": opLog2, "exp": opExp, "min": opMin, "max": opMax,
	"sum": opSumEach, "count": opCount, "all": opAll, "any": opAny, "len": opLen,
}

func (b *binder) call(n *node) int32 {
	o := callOps[n.name]
	switch {
	case o >= opAbs && o <= opExp:
		return b.emit(inst{op: o, a: b.node(n.kids[0])})
	case (o == opMin || o == opMax) && (len(n.kids) > 1 || !b.repeats(n.kids[0])):
		from, to := b.list(n, n.kids, 0)
		return b.emit(inst{op: o, a: from, b: to})
	case b.inside != "":
		b.errs.add(n.off, "%s() stands inside %s(): aggregates do not nest", n.name, b.inside)
		return 0
	case o == opMin:
		o = opMinEach
	case o == opMax:
		o = opMaxEach
	}
	b.inside, b.count = n.name, -1
	defer func() { b.inside = "" }()
	var body int32
	if o == opLen {
		body = b.name(n.kids[0], opActive, opElemActive)
	} else {
		body = b.node(n.kids[0])
	}
	if b.count < 0 {
		if len(b.errs.Mistakes) == 0 {
			b.errs.add(n.kids[0].start(), "%s() needs something repeated, but %s has one value", n.name, n.kids[0].text())
		}
		return 0
	}
	return b.emit(inst{op: o, a: body, b: int32(b.count)})
}

// repeats reports whether a repeated name occurs in n.
func (b *binder) repeats(n *node) bool {
	if n.op == opName {
		ref, ok := b.resolve(n.name)
		return ok && ref.Each != nil
	}
	return slices.ContainsFunc(n.kids, b.repeats)
}

// Eval returns the value of the expression. The state is Known, Inactive if the
// expression is undefined, or Open if it depends on open slots.
func (p *Program) Eval(env Env) (Value, State) {
	return p.value(env, p.root, 0)
}

// Truth returns the outcome of a condition. An expression that is not boolean is
// Undefined.
func (p *Program) Truth(env Env) Truth {
	return p.truth(env, p.root, 0)
}

// Number returns the value of a numeric expression, with the states of Eval. An
// expression that is not a number is Inactive.
func (p *Program) Number(env Env) (float64, State) {
	return p.number(env, p.root, 0)
}

// The three evaluators below take the instruction and the current instance of an
// aggregate. Operations need the values of all their operands: they are Inactive
// if any operand is, else Open if any is.

func (p *Program) number(env Env, at int32, el int) (float64, State) {
	in := &p.code[at]
	var v Value
	var st State
	switch in.fast {
	case fastArithSlots:
		x, s := env.Value(int(in.x))
		y, t := env.Value(int(in.y))
		if s|t == Known && x.Kind == Number && y.Kind == Number {
			return arith(in.op, x.Num, y.Num)
		}
		_, s = asNumber(x, s)
		_, t = asNumber(y, t)
		return 0, max(s, t)
	case fastArithConst:
		x, s := env.Value(int(in.x))
		if s == Known && x.Kind == Number {
			return arith(in.op, x.Num, in.num)
		}
		_, s = asNumber(x, s)
		return 0, s
	case opConst:
		if p.consts[in.a].Kind != Number {
			return 0, Inactive
		}
		return in.num, Known
	case opName:
		v, st = env.Value(int(in.a))
		return asNumber(v, st)
	case opElem:
		v, st = env.Value(p.each[in.a][el])
		return asNumber(v, st)
	case opAdd, opSub, opMul, opDiv, opMod, opPow:
		x, s := p.number(env, in.a, el)
		y, t := p.number(env, in.b, el)
		if s|t != Known {
			return 0, max(s, t)
		}
		return arith(in.op, x, y)
	case opNeg, opAbs, opFloor, opCeil, opRound, opSqrt, opLog, opLog2, opExp:
		x, s := p.number(env, in.a, el)
		if s != Known {
			return 0, s
		}
		return function(in.op, x)
	case opMin, opMax:
		best, s := p.number(env, p.args[in.a], el)
		for _, a := range p.args[in.a+1 : in.b] {
			x, t := p.number(env, a, el)
			s = max(s, t)
			if (in.op == opMin) == (x < best) {
				best = x
			}
		}
		return best, s
	case opCond:
		switch p.truth(env, in.a, el) {
		case True:
			return p.number(env, in.b, el)
		case False:
			return p.number(env, in.c, el)
		case Unknown:
			return 0, Open
		}
	case opSumEach, opMinEach, opMaxEach, opCount, opLen:
		return p.aggregate(env, in)
	}
	return 0, Inactive
}

func asNumber(v Value, st State) (float64, State) {
	if st == Known && (v.Kind != Number || v.Num != v.Num) {
		return 0, Inactive
	}
	return v.Num, st
}

// defined makes NaN undefined.
func defined(x float64) (float64, State) {
	if x != x {
		return 0, Inactive
	}
	return x, Known
}

func arith(o op, x, y float64) (float64, State) {
	switch o {
	case opMul:
		return defined(float64(x * y))
	case opAdd:
		return defined(x + y)
	case opSub:
		return defined(x - y)
	case opDiv:
		if y == 0 {
			return 0, Inactive
		}
		return defined(x / y)
	case opMod:
		return defined(mod(x, y))
	}
	if x == 0 && y < 0 {
		return 0, Inactive
	}
	return defined(detmath.Pow(x, y))
}

// mod is the remainder of the division rounded down, so that it has the sign of
// y; NaN for y = 0 and infinite x.
func mod(x, y float64) float64 {
	const whole = 1 << 53
	if math.Abs(x) < whole && math.Abs(y) < whole && y != 0 {
		if i, j := int64(x), int64(y); float64(i) == x && float64(j) == y {
			m := i % j
			if m != 0 && (m < 0) != (j < 0) {
				m += j
			}
			return float64(m)
		}
	}
	m := math.Mod(x, y)
	if m != 0 && (m < 0) != (y < 0) {
		m += y
	}
	return m + 0 // no negative zero
}

func function(o op, x float64) (float64, State) {
	switch o {
	case opNeg:
		return -x, Known
	case opAbs:
		return math.Abs(x), Known
	case opFloor:
		return math.Floor(x), Known
	case opCeil:
		return math.Ceil(x), Known
	case opRound:
		return math.Round(x), Known
	case opSqrt:
		return defined(math.Sqrt(x))
	case opExp:
		return detmath.Exp(x), Known
	}
	if x <= 0 {
		return 0, Inactive
	}
	if o == opLog2 {
		return detmath.Log2(x), Known
	}
	return detmath.Log(x), Known
}

func (p *Program) aggregate(env Env, in *inst) (float64, State) {
	total, best, n, st := 0.0, 0.0, 0, Known
	for el := range int(in.b) {
		if in.op == opCount || in.op == opLen {
			switch p.truth(env, in.a, el) {
			case True:
				n++
			case Unknown:
				st = Open
			}
			continue
		}
		switch x, s := p.number(env, in.a, el); s {
		case Open:
			st = Open
		case Known:
			total += x
			if n == 0 || (in.op == opMinEach) == (x < best) {
				best = x
			}
			n++
		}
	}
	if st != Known {
		return 0, st
	}
	switch in.op {
	case opSumEach:
		return defined(total)
	case opCount, opLen:
		return float64(n), Known
	}
	if n == 0 {
		return 0, Inactive
	}
	return best, Known
}

func (p *Program) truth(env Env, at int32, el int) Truth {
	in := &p.code[at]
	switch in.fast {
	case fastOrderConst:
		x, s := p.number(env, in.a, el)
		if s != Known {
			return unsettled(s)
		}
		return order(in.op, x, in.num)
	case fastEqualConst:
		x, s := env.Value(int(in.x))
		if s == Known && (x.Kind == None || x.Num != x.Num) {
			s = Inactive
		}
		if s != Known {
			return unsettled(s)
		}
		return truthOf((x == p.consts[in.y]) == (in.op == opEq))
	case opLt, opLe, opGt, opGe:
		x, s := p.number(env, in.a, el)
		y, t := p.number(env, in.b, el)
		if s|t != Known {
			return unsettled(max(s, t))
		}
		return order(in.op, x, y)
	case opEq, opNe:
		x, s := p.value(env, in.a, el)
		y, t := p.value(env, in.b, el)
		if s|t != Known {
			return unsettled(max(s, t))
		}
		return truthOf((x == y) == (in.op == opEq))
	case opIn, opNotIn:
		x, s := p.value(env, in.c, el)
		if s == Inactive {
			return Undefined
		}
		out := False
		for _, a := range p.args[in.a:in.b] {
			y, st := p.value(env, a, el)
			t := truthOf(x == y)
			if s|st != Known {
				t = unsettled(max(s, st))
			}
			if out = or(out, t); out == True {
				break
			}
		}
		if in.op == opNotIn {
			return not(out)
		}
		return out
	case opAnd:
		out := True
		for _, a := range p.args[in.a:in.b] {
			if out = not(or(not(out), not(p.truth(env, a, el)))); out == False {
				break
			}
		}
		return out
	case opOr:
		out := False
		for _, a := range p.args[in.a:in.b] {
			if out = or(out, p.truth(env, a, el)); out == True {
				break
			}
		}
		return out
	case opImplies:
		a := not(p.truth(env, in.a, el))
		if a == True {
			return True
		}
		return or(a, p.truth(env, in.b, el))
	case opNot:
		return not(p.truth(env, in.a, el))
	case opActive, opElemActive:
		slot := int(in.a)
		if in.op == opElemActive {
			slot = p.each[in.a][el]
		}
		switch _, st := env.Value(slot); st {
		case Known:
			return True
		case Open:
			return Unknown
		}
		return False
	case opCond:
		switch t := p.truth(env, in.a, el); t {
		case True:
			return p.truth(env, in.b, el)
		case False:
			return p.truth(env, in.c, el)
		default:
			return t
		}
	case opAll, opAny:
		// Instances where the body is undefined are left out.
		stop, out := False, True
		if in.op == opAny {
			stop, out = True, False
		}
		for el := range int(in.b) {
			switch t := p.truth(env, in.a, el); t {
			case stop:
				return stop
			case Unknown:
				out = Unknown
			}
		}
		return out
	case opName, opElem, opConst:
		v, st := p.value(env, at, el)
		if st == Known && v.Kind == Bool {
			return truthOf(v.Num != 0)
		}
		if st == Open {
			return Unknown
		}
	}
	return Undefined
}

func unsettled(s State) Truth {
	if s == Open {
		return Unknown
	}
	return Undefined
}

func truthOf(b bool) Truth {
	if b {
		return True
	}
	return False
}

func order(o op, x, y float64) Truth {
	switch o {
	case opLt:
		return truthOf(x < y)
	case opLe:
		return truthOf(x <= y)
	case opGt:
		return truthOf(x > y)
	}
	return truthOf(x >= y)
}

func not(t Truth) Truth {
	if t <= True {
		return t ^ 1
	}
	return t
}

// or: True wins; else Unknown, which may become True; else Undefined.
func or(a, b Truth) Truth {
	switch {
	case a == True || b == True:
		return True
	case a == Unknown || b == Unknown:
		return Unknown
	case a == Undefined || b == Undefined:
		return Undefined
	}
	return False
}

func (p *Program) value(env Env, at int32, el int) (Value, State) {
	in := &p.code[at]
	var v Value
	var st State
	switch in.op {
	case opConst:
		return p.consts[in.a], Known
	case opName:
		v, st = env.Value(int(in.a))
	case opElem:
		v, st = env.Value(p.each[in.a][el])
	case opCond:
		switch p.truth(env, in.a, el) {
		case True:
			return p.value(env, in.b, el)
		case False:
			return p.value(env, in.c, el)
		case Unknown:
			return Value{}, Open
		}
		return Value{}, Inactive
	case opImplies, opOr, opAnd, opNot, opEq, opNe, opLt, opLe, opGt, opGe, opIn, opNotIn,
		opActive, opElemActive, opAll, opAny:
		switch t := p.truth(env, at, el); t {
		case True, False:
			return Boolean(t == True), Known
		case Unknown:
			return Value{}, Open
		}
		return Value{}, Inactive
	default:
		x, st := p.number(env, at, el)
		return Num(x), st
	}
	if st != Known {
		return Value{}, st
	}
	if v.Kind == None || v.Num != v.Num {
		return Value{}, Inactive
	}
	return v, Known
}

// String describes the program's size, for debugging.
func (p *Program) String() string {
	return fmt.Sprintf("program of %d instructions on %d slots", len(p.code), len(p.slots))
}
