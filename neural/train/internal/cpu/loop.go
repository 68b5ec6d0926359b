package cpu

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"

	"github.com/daedalus-search/daedalus/neural/internal/kernel"
)

// blockSize is how many numbers of each array a loop has at hand at a time: so few that
// a handful of arrays stay in the first cache, so many that choosing what to do costs
// little.
const blockSize = 2048

// A loop computes rows×cols numbers block by block. It is a program for registers, which
// hold a block of numbers each.
type loop struct {
	rows, cols int
	perBlock   int // rows in a block; 0 if a row is several blocks
	perRow     int // blocks in a row, then
	blocks     int

	regs    []register
	code    []instr
	scalars []scalar
	ends    []end
	floats  int // float registers that are no arrays
	bools   int
	rowNums int // registers of a number per row, of either type
}

// register is where the numbers of a block are.
type register struct {
	typ   dtypes.DType // Float32 or Bool
	row   bool         // a number per row
	place place
	slot  int      // for scratch
	ref   ref      // for arrays
	view  *strides // of strided ones
	wide  int      // where a number per row is repeated over the row; 0 if nowhere
}

// strides is how the numbers of a view lie.
type strides struct{ dims, steps []int }

// place is how a register gets its numbers.
type place uint8

const (
	scratch  place = iota // an instruction writes them
	inArray               // they are part of an array
	perCol                // a number per column, repeated
	strided               // any view
	filled                // one number that the program has
	scalarAt              // one number of an array
)

// scalar is a number that is read once.
type scalar struct {
	reg   int
	ref   ref
	value float32
	known bool
}

// end is a sum that is known at the end of a loop.
type end struct {
	ref  ref
	all  bool // of everything, not by columns
	size int
}

type opKind uint8

const (
	iUnary opKind = iota
	iBinary
	iBinaryRight // of a register and a scalar
	iBinaryLeft
	iCompare
	iCompareRight
	iSelect
	iAnd
	iOr
	iXor
	iNot
	iToFloat // of a boolean
	iFinite
	iExpand // a number per row over the row
	iLoad   // of a view
	iReduce // rows
	iColumns
	iTotal
)

// instr is an instruction. Operands are registers; for scalars, numbers of them.
type instr struct {
	op      opKind
	code    uint8
	dst     int
	a, b, c int
}

// maker makes a loop.
type maker struct {
	c     *compiler
	u     *unit
	l     *loop
	reads []readView
	outs  []out

	// From loop to loop.
	regs        []register
	code        []instr
	uses        []use
	first, last []int
	freeF       []int
	freeB       []int
}

type readView struct {
	v   *view
	row bool
	reg int
}

// loop makes the step of a fused unit.
func (c *compiler) loop(u *unit, st *step) {
	m := &c.maker
	m.reads, m.outs = m.reads[:0], m.outs[:0]
	// What grows is copied when it is done.
	l := &loop{rows: u.class.n / u.class.cols, cols: u.class.cols, regs: m.regs[:0], code: m.code[:0]}
	m.c, m.u, m.l = c, u, l
	m.shape()
	for _, n := range u.nodes {
		m.node(n)
	}
	m.allocate()
	m.regs, m.code = l.regs, l.code
	l.regs, l.code = slices.Clone(l.regs), slices.Clone(l.code)
	const most = 6 // operations that a profile names
	first, more := make([]compute.OpType, min(most, len(u.nodes))), len(u.nodes)-most
	for i := range first {
		first[i] = u.nodes[i].op
	}
	rows, cols := u.class.n/u.class.cols, u.class.cols
	st.outs, st.run = slices.Clone(m.outs), l.run
	st.label = func() string {
		names := make([]string, len(first))
		for i, op := range first {
			names[i] = op.String()
		}
		title := strings.Join(names, "·")
		if more > 0 {
			title += fmt.Sprintf("+%d", more)
		}
		return fmt.Sprintf("Loop %s [%d %d]", title, rows, cols)
	}
}

// shape decides on blocks.
func (m *maker) shape() {
	l := m.l
	if m.plain() {
		l.rows, l.cols = 1, l.rows*l.cols
	}
	if l.cols <= blockSize || m.hasRows() {
		l.perBlock = min(max(1, blockSize/l.cols), l.rows)
		l.blocks = (l.rows + l.perBlock - 1) / l.perBlock
		return
	}
	l.perRow = (l.cols + blockSize - 1) / blockSize
	l.blocks = l.rows * l.perRow
}

// plain says whether nothing in the loop depends on what a row is.
func (m *maker) plain() bool {
	c := m.c
	for _, n := range m.u.nodes {
		if cl := c.about[n.id].class; cl.kind == rowKind || cl.kind == endKind && n.size() > 1 {
			return false
		}
		for _, v := range c.about[n.id].operands {
			if !v.isDense() && !v.repeatsOne() {
				return false
			}
		}
	}
	return true
}

func (m *maker) hasRows() bool {
	return slices.ContainsFunc(m.u.nodes, func(n *node) bool { return m.c.about[n.id].class.kind == rowKind })
}

func (m *maker) reg(r register) int {
	m.l.regs = append(m.l.regs, r)
	return len(m.l.regs) - 1
}

func (m *maker) emit(i instr) { m.l.code = append(m.l.code, i) }

// operand returns the register of what a node reads: of as many numbers as it computes.
func (m *maker) operand(n *node, i int) int {
	c := m.c
	v := c.about[n.id].operands[i]
	reading := c.reading(n)
	if r := c.about[v.base.id].register; r >= 0 && c.about[v.base.id].unit == c.about[n.id].unit && c.joins(reading, v) {
		if c.about[v.base.id].class.kind == rowKind && reading.kind == fullKind {
			return m.expand(r)
		}
		return r
	}
	return m.load(v, reading.kind == rowKind)
}

// expand repeats a number per row over the row.
func (m *maker) expand(r int) int {
	if w := m.l.regs[r].wide; w > 0 {
		return w
	}
	w := m.reg(register{typ: m.l.regs[r].typ})
	m.emit(instr{op: iExpand, dst: w, a: r})
	m.l.regs[r].wide = w
	return w
}

// load returns the register of numbers from outside of the loop.
func (m *maker) load(v *view, row bool) int {
	for _, r := range m.reads {
		if r.row == row && r.v.like(v) {
			return r.reg
		}
	}
	r := m.newLoad(v, row)
	m.reads = append(m.reads, readView{v, row, r})
	return r
}

func (m *maker) newLoad(v *view, row bool) int {
	l, t := m.l, v.base.shape.DType
	from := ref{m.c.slot(v.base), v.from}
	n := l.rows * l.cols
	if row {
		n = l.rows
	}
	switch {
	case t == dtypes.Float32 && n > 1 && v.repeatsOne():
		s := scalar{ref: from}
		if x, ok := v.base.number(); ok {
			s.value, s.known = x, true
		}
		r := m.reg(register{typ: t, row: row, place: scalarAt})
		s.reg = r
		l.scalars = append(l.scalars, s)
		return r
	case v.isDense():
		return m.reg(register{typ: t, row: row, place: inArray, ref: from})
	}
	dims, steps := v.merged()
	if row {
		r := m.reg(register{typ: t, row: true, place: strided, ref: from, view: &strides{dims, steps}})
		m.emit(instr{op: iLoad, dst: r})
		return r
	}
	// Axes of size 1 aside, the last axis is the columns.
	last := len(dims) - 1
	if dims[last] == l.cols && (last == 0 || last == 1 && steps[0] == 0) && steps[last] == 1 && t == dtypes.Float32 {
		return m.reg(register{typ: t, place: perCol, ref: from})
	}
	if l.perBlock > 0 && steps[last] == 0 && dims[last] == l.cols && last == 1 && steps[0] == 1 {
		return m.expand(m.reg(register{typ: t, row: true, place: inArray, ref: from}))
	}
	r := m.reg(register{typ: t, place: strided, ref: from, view: &strides{dims, steps}})
	m.emit(instr{op: iLoad, dst: r})
	return r
}

// wholeReg returns a register of numbers that is no scalar: the kernels want some.
func (m *maker) wholeReg(r int) int {
	x := &m.l.regs[r]
	if x.place == scalarAt {
		x.place = filled
	}
	return r
}

// isScalar says whether a register is one number.
func (m *maker) isScalar(r int) bool { return m.l.regs[r].place == scalarAt }

// result returns the register that a node's numbers go to.
func (m *maker) result(n *node) int {
	row := m.c.about[n.id].class.kind == rowKind
	r := register{typ: n.shape.DType, row: row}
	if m.c.stored(n) {
		s := m.c.slot(n)
		r.place, r.ref = inArray, ref{slot: s}
		m.outs = append(m.outs, out{slot: s, bytes: byteSize(n.shape)})
	}
	i := m.reg(r)
	m.c.about[n.id].register = i
	return i
}

// node adds the instructions of a node.
func (m *maker) node(n *node) {
	if isReduction(n.op) {
		m.reduction(n)
		return
	}
	var in [3]int
	for i := range n.in {
		in[i] = m.operand(n, i)
	}
	a, b := in[0], in[1]
	switch n.op {
	case compute.OpTypeWhere:
		m.emit(instr{op: iSelect, a: m.wholeReg(a), b: m.wholeReg(b), c: m.wholeReg(in[2]), dst: m.result(n)})
	case compute.OpTypeConvertDType:
		if n.shape.DType == dtypes.Float32 {
			m.emit(instr{op: iToFloat, a: m.wholeReg(a), dst: m.result(n)})
		} else {
			zero := m.constant(0, n)
			m.emit(instr{op: iCompareRight, code: uint8(kernel.NotEqual), a: m.wholeReg(a), b: zero, dst: m.result(n)})
		}
	case compute.OpTypeIsNaN:
		m.emit(instr{op: iCompare, code: uint8(kernel.NotEqual), a: m.wholeReg(a), b: a, dst: m.result(n)})
	case compute.OpTypeIsFinite:
		m.emit(instr{op: iFinite, a: m.wholeReg(a), dst: m.result(n)})
	case compute.OpTypeLogicalAnd:
		m.emit(instr{op: iAnd, a: a, b: b, dst: m.result(n)})
	case compute.OpTypeLogicalOr:
		m.emit(instr{op: iOr, a: a, b: b, dst: m.result(n)})
	case compute.OpTypeLogicalXor:
		m.emit(instr{op: iXor, a: a, b: b, dst: m.result(n)})
	case compute.OpTypeLogicalNot:
		m.emit(instr{op: iNot, a: a, dst: m.result(n)})
	default:
		if u, ok := unaries.get(n.op); ok {
			m.emit(instr{op: iUnary, code: uint8(u), a: m.wholeReg(a), dst: m.result(n)})
			return
		}
		if k, ok := comparisons.get(n.op); ok {
			m.compare(n, k, a, b)
			return
		}
		m.binary(n, binaries[n.op].of, a, b)
	}
}

func (m *maker) binary(n *node, k kernel.Binary, a, b int) {
	i := instr{op: iBinary, code: uint8(k), a: a, b: b}
	switch {
	case k == kernel.Mul && a == b && !m.isScalar(a):
		i = instr{op: iUnary, code: uint8(kernel.Square), a: a}
	case m.isScalar(b) && !m.isScalar(a):
		i.op = iBinaryRight
	case m.isScalar(a) && !m.isScalar(b):
		i.op = iBinaryLeft
		if k == kernel.Div && m.known(a) == 1 {
			i = instr{op: iUnary, code: uint8(kernel.Reciprocal), a: b}
		}
	default:
		m.wholeReg(a)
		m.wholeReg(b)
	}
	i.dst = m.result(n)
	m.emit(i)
}

func (m *maker) compare(n *node, k kernel.Comparison, a, b int) {
	i := instr{op: iCompare, code: uint8(k), a: a, b: b}
	switch {
	case m.isScalar(b) && !m.isScalar(a):
		i.op = iCompareRight
	case m.isScalar(a) && !m.isScalar(b):
		i = instr{op: iCompareRight, code: uint8(turned(k)), a: b, b: a}
	default:
		m.wholeReg(a)
		m.wholeReg(b)
	}
	i.dst = m.result(n)
	m.emit(i)
}

// known returns the value of a scalar that is constant; NaN of others.
func (m *maker) known(r int) float32 {
	for _, s := range m.l.scalars {
		if s.reg == r && s.known {
			return s.value
		}
	}
	return float32(math.NaN())
}

// constant returns a scalar register.
func (m *maker) constant(v float32, n *node) int {
	r := m.reg(register{typ: dtypes.Float32, place: scalarAt, row: m.c.about[n.id].class.kind == rowKind})
	m.l.scalars = append(m.l.scalars, scalar{reg: r, value: v, known: true})
	return r
}

// reduction adds a sum, or another reduction of rows.
func (m *maker) reduction(n *node) {
	a := m.wholeReg(m.operand(n, 0))
	if m.c.about[n.id].class.kind == rowKind {
		m.emit(instr{op: iReduce, code: uint8(reductions[n.op].of), a: a, dst: m.result(n)})
		return
	}
	s := m.c.slot(n)
	m.outs = append(m.outs, out{slot: s, bytes: byteSize(n.shape)})
	op := iColumns
	if n.size() == 1 {
		op = iTotal
	}
	m.emit(instr{op: op, a: a, dst: len(m.l.ends)})
	m.l.ends = append(m.l.ends, end{ref: ref{slot: s}, all: op == iTotal, size: n.size()})
}

// writes says whether an instruction writes a register, and which it reads.
func (i *instr) writes() bool { return i.op != iColumns && i.op != iTotal }

func (i *instr) reads() (r [3]int, n int) {
	r = [3]int{i.a, i.b, i.c}
	switch i.op {
	case iLoad:
		return r, 0
	case iUnary, iNot, iToFloat, iFinite, iExpand, iReduce, iColumns, iTotal:
		return r, 1
	case iSelect:
		return r, 3
	}
	return r, 2
}

// allocate gives registers their memory: one of a number that is read for the last time is
// free for the result.
func (m *maker) allocate() {
	l := m.l
	fit(&m.first, len(l.regs))
	fit(&m.last, len(l.regs))
	first, last := m.first, m.last
	for i := range last {
		last[i], first[i] = -1, -1
	}
	for k := range l.code {
		i := &l.code[k]
		in, n := i.reads()
		for _, r := range in[:n] {
			last[r] = k
		}
		if i.writes() && first[i.dst] < 0 {
			first[i.dst] = k
		}
	}
	freeF, freeB := m.freeF[:0], m.freeB[:0]
	take := func(free *[]int, count *int) int {
		if k := len(*free) - 1; k >= 0 {
			s := (*free)[k]
			*free = (*free)[:k]
			return s
		}
		*count++
		return *count - 1
	}
	own := func(r *register) {
		switch {
		case r.row:
			r.slot = l.rowNums
			l.rowNums++
		case r.typ == dtypes.Bool:
			r.slot = take(&freeB, &l.bools)
		default:
			r.slot = take(&freeF, &l.floats)
		}
	}
	for i := range l.regs { // those that stay
		if r := &l.regs[i]; r.place == filled || r.place == perCol && l.perBlock > 0 {
			own(r)
		}
	}
	// free gives back the memory of operands that are read for the last time.
	free := func(k int, operands []int) {
		for _, a := range operands {
			r := &l.regs[a]
			if last[a] != k || r.row || r.place != scratch && r.place != strided {
				continue
			}
			last[a] = -1 // once
			if r.typ == dtypes.Bool {
				freeB = append(freeB, r.slot)
			} else {
				freeF = append(freeF, r.slot)
			}
		}
	}
	for k := range l.code {
		i := &l.code[k]
		in, n := i.reads()
		// Results of other sizes must not lie where the operand is, which is free afterwards.
		apart := i.op == iColumns || i.op == iTotal || i.op == iReduce || i.op == iExpand
		if !apart {
			free(k, in[:n])
		}
		if i.writes() && first[i.dst] == k {
			if r := &l.regs[i.dst]; r.place == scratch || r.place == strided {
				own(r)
			}
		}
		if apart {
			free(k, in[:n])
		}
	}
	m.freeF, m.freeB = freeF, freeB
	m.overwrite()
}

// use is how a loop reads and writes an array.
type use struct {
	slot     int
	last     int  // instruction that reads it; −1 if none does
	first    int  // instruction that writes it; −1 if none does
	straight bool // block after block, in order
}

// overwrite finds arrays that results may take the place of: those of which block after
// block is read, in order, and not after the result is written.
func (m *maker) overwrite() {
	l := m.l
	uses := m.uses[:0] // few
	of := func(slot int) *use {
		for i := range uses {
			if uses[i].slot == slot {
				return &uses[i]
			}
		}
		uses = append(uses, use{slot, -1, -1, true})
		return &uses[len(uses)-1]
	}
	for i := range l.regs {
		r := &l.regs[i]
		if r.place == scratch || r.place == filled || r.place == scalarAt {
			continue
		}
		if r.place != inArray || r.row || r.ref.from != 0 || r.typ != dtypes.Float32 {
			of(r.ref.slot).straight = false
		}
	}
	for _, s := range l.scalars {
		if !s.known {
			of(s.ref.slot).straight = false
		}
	}
	for k := range l.code {
		i := &l.code[k]
		in, n := i.reads()
		for _, a := range in[:n] {
			if l.regs[a].place == inArray {
				of(l.regs[a].ref.slot).last = k
			}
		}
		if i.writes() && l.regs[i.dst].place == inArray {
			of(l.regs[i.dst].ref.slot).first = k
		}
	}
	m.uses = uses
	for k := range m.outs {
		o := &m.outs[k]
		to := *of(o.slot)
		if to.first < 0 || !to.straight {
			continue
		}
		for _, r := range m.reads {
			s := m.c.slot(r.v.base)
			own := slices.ContainsFunc(m.outs, func(o out) bool { return o.slot == s })
			if from := of(s); from.straight && !own && 0 <= from.last && from.last <= to.first && r.v.base.size() == l.rows*l.cols && !slices.Contains(o.reuse, s) {
				o.reuse = append(o.reuse, s)
			}
		}
	}
}
