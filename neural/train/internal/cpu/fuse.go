package cpu

import (
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"

	"github.com/daedalus-search/daedalus/neural/internal/kernel"
)

// Fusion. A loop goes over rows×cols numbers. Its nodes are element-wise ones of all
// these numbers (full), sums and maxima over rows and what is computed of them row by row
// (row), and sums over columns or everything, which are known at its end (end).
//
// Every node gets a phase: that of an operand if the two can share a loop, one more than
// an operand's otherwise. Nodes of one loop have one phase, and a way from one of them to
// another that leaves the loop would raise the phase; so loops never wait for each other.

type kind uint8

const (
	single kind = iota // a step of its own
	fullKind
	rowKind
	endKind
)

// class is the loop a node could be in: over n numbers, cols in a row.
type class struct {
	kind    kind
	n, cols int
}

const (
	maxRow = 1 << 12 // columns of a loop that reduces rows
	maxEnd = 1 << 14 // sums that a loop computes at its end
)

var unaries = map[compute.OpType]kernel.Unary{
	compute.OpTypeAbs: kernel.Abs, compute.OpTypeNeg: kernel.Neg, compute.OpTypeSign: kernel.Sign,
	compute.OpTypeSqrt: kernel.Sqrt, compute.OpTypeRsqrt: kernel.Rsqrt, compute.OpTypeFloor: kernel.Floor,
	compute.OpTypeCeil: kernel.Ceil, compute.OpTypeRound: kernel.Round, compute.OpTypeExp: kernel.Exp,
	compute.OpTypeExpm1: kernel.Expm1, compute.OpTypeLog: kernel.Log, compute.OpTypeLog1p: kernel.Log1p,
	compute.OpTypeTanh: kernel.Tanh, compute.OpTypeLogistic: kernel.Sigmoid, compute.OpTypeErf: kernel.Erf,
	compute.OpTypeSin: kernel.Sin, compute.OpTypeCos: kernel.Cos,
}

var binaries = map[compute.OpType]kernel.Binary{
	compute.OpTypeAdd: kernel.Add, compute.OpTypeSub: kernel.Sub, compute.OpTypeMul: kernel.Mul,
	compute.OpTypeDiv: kernel.Div, compute.OpTypeMax: kernel.Max, compute.OpTypeMin: kernel.Min,
	compute.OpTypePow: kernel.Pow, compute.OpTypeRem: kernel.Rem,
}

var comparisons = map[compute.OpType]kernel.Comparison{
	compute.OpTypeEqual: kernel.Equal, compute.OpTypeNotEqual: kernel.NotEqual, compute.OpTypeLessThan: kernel.Less,
	compute.OpTypeLessOrEqual: kernel.LessEqual, compute.OpTypeGreaterThan: kernel.Greater,
	compute.OpTypeGreaterOrEqual: kernel.GreaterEqual,
}

// turned is the relation of b to a.
func turned(c kernel.Comparison) kernel.Comparison {
	switch c {
	case kernel.Less:
		return kernel.Greater
	case kernel.LessEqual:
		return kernel.GreaterEqual
	case kernel.Greater:
		return kernel.Less
	case kernel.GreaterEqual:
		return kernel.LessEqual
	}
	return c
}

var reductions = map[compute.OpType]kernel.Reduction{
	compute.OpTypeReduceSum: kernel.SumOf, compute.OpTypeReduceMax: kernel.MaxOf, compute.OpTypeReduceMin: kernel.MinOf,
	compute.OpTypeReduceProduct: kernel.ProductOf,
}

// fusable says whether a loop can compute an element-wise node.
func fusable(n *node) bool {
	if n.size() == 0 {
		return false
	}
	is := func(i int, t dtypes.DType) bool { return n.in[i].shape.DType == t }
	switch t := n.shape.DType; {
	case t != dtypes.Float32 && t != dtypes.Bool:
		return false
	case n.op == compute.OpTypeConvertDType:
		return t == dtypes.Float32 && is(0, dtypes.Bool) || t == dtypes.Bool && is(0, dtypes.Float32)
	case n.op == compute.OpTypeWhere:
		return t == dtypes.Float32
	case n.op == compute.OpTypeIsNaN, n.op == compute.OpTypeIsFinite:
		return is(0, dtypes.Float32)
	case n.op == compute.OpTypeLogicalAnd, n.op == compute.OpTypeLogicalOr, n.op == compute.OpTypeLogicalXor,
		n.op == compute.OpTypeLogicalNot:
		return true
	}
	if _, ok := comparisons[n.op]; ok {
		return is(0, dtypes.Float32)
	}
	if n.shape.DType != dtypes.Float32 {
		return false
	}
	_, one := unaries[n.op]
	_, two := binaries[n.op]
	return one || two
}

// loopReduction says whether a loop can compute a reduction.
func loopReduction(n *node) bool {
	r := n.attr.(reduction)
	_, known := reductions[n.op]
	if !known || n.shape.DType != dtypes.Float32 || r.outer*r.mid*r.inner == 0 {
		return false
	}
	sum := n.op == compute.OpTypeReduceSum
	return r.outer > 1 && r.inner == 1 && r.mid <= maxRow || r.outer == 1 && r.inner <= maxEnd && sum
}

// lastDim returns the size of the last axis that is not 1.
func lastDim(dims []int) int {
	for a := len(dims) - 1; a >= 0; a-- {
		if dims[a] != 1 {
			return dims[a]
		}
	}
	return 1
}

// reading is how a node in a loop reads its operands: reductions read full numbers.
func (c *compiler) reading(n *node) class {
	cl := c.class[n.id]
	if isReduction(n.op) && cl.kind != single {
		cl.kind = fullKind
	}
	return cl
}

// joins says whether a node that reads so can be in the loop of the operand.
func (c *compiler) joins(reading class, v *view) bool {
	b := c.class[v.base.id]
	if b.kind == single || b.kind == endKind || b.n != reading.n || b.cols != reading.cols {
		return false
	}
	switch {
	case reading.kind == b.kind:
		return v.whole()
	case reading.kind == fullKind && b.kind == rowKind:
		return v.repeatsRows(b.n/b.cols, b.cols)
	}
	return false
}

// repeatsRows says whether the view is its base, rows numbers, each repeated cols times.
func (v *view) repeatsRows(rows, cols int) bool {
	dims, strides := v.merged()
	if v.from != 0 || v.base.size() != rows || product(dims) != rows*cols {
		return false
	}
	if rows == 1 {
		return len(dims) == 1 && strides[0] == 0
	}
	return len(dims) == 2 && dims[0] == rows && strides[0] == 1 && strides[1] == 0
}

// phaseOf returns the phase of a node that reads so.
func (c *compiler) phaseOf(n *node, reading class) int {
	p := 0
	for _, v := range c.operands[n.id] {
		switch {
		case input(v.base):
		case c.joins(reading, v):
			p = max(p, c.phase[v.base.id])
		default:
			p = max(p, c.phase[v.base.id]+1)
		}
	}
	return p
}

// fuse finds the loops.
func (c *compiler) fuse() {
	for _, n := range c.order {
		cl := c.classify(n)
		c.class[n.id] = cl
		c.phase[n.id] = c.phaseOf(n, c.reading(n))
	}
	c.sink()
	c.group()
}

// classify returns the class of a node whose operands have theirs.
func (c *compiler) classify(n *node) class {
	if c.copied[n.id] {
		return class{}
	}
	if isReduction(n.op) {
		if !loopReduction(n) {
			return class{}
		}
		r := n.attr.(reduction)
		size := r.outer * r.mid * r.inner
		switch {
		case n.size() > 1 && r.inner == 1:
			return class{rowKind, size, r.mid}
		case n.size() > 1:
			return class{endKind, size, r.inner}
		}
		v := c.operands[n.id][0]
		cols := lastDim(v.base.dims())
		if b := c.class[v.base.id]; b.kind == fullKind {
			cols = b.cols
		}
		if size%cols != 0 {
			cols = size
		}
		return class{endKind, size, cols}
	}
	if !elementwise(n.op) || !fusable(n) {
		return class{}
	}
	cl := class{fullKind, n.size(), lastDim(n.dims())}
	// Numbers per row, of a loop that has rows.
	row := class{}
	for _, v := range c.operands[n.id] {
		if b := c.class[v.base.id]; b.kind == rowKind && n.size() == b.n/b.cols && v.whole() &&
			(row.kind == single || c.phase[v.base.id] > c.phaseOf(n, row)) {
			row = b
		}
	}
	if row.kind != single && c.phaseOf(n, row) < c.phaseOf(n, cl) {
		return row
	}
	return cl
}

// sink moves nodes to the loops of their users, if these run later and no more arrays need
// be kept for it: a mask that a gradient needs is computed with the gradient. Where the
// users are in several loops, what is cheap is computed in each: a normalised image need
// not be kept beside the image.
func (c *compiler) sink() {
	for i := len(c.order) - 1; i >= 0; i-- {
		n := c.order[i]
		if c.class[n.id].kind != fullKind || c.isOutput[n.id] || len(c.users[n.id]) == 0 {
			continue
		}
		var phases []int
		ok := true
		for _, u := range c.users[n.id] {
			ok = ok && c.allJoin(u, n)
			if p := c.phase[u.id]; !slices.Contains(phases, p) {
				phases = append(phases, p)
			}
		}
		if !ok || len(phases) == 1 && phases[0] == c.phase[n.id] || len(phases) > 1 && !cheap(n.op) {
			continue
		}
		more := 0
		for _, v := range c.operands[n.id] {
			b := v.base
			if !input(b) && b.size() == n.size() && !c.isOutput[b.id] && !c.neededAfter(b, n) {
				more++
			}
		}
		if more > 1 {
			continue
		}
		slices.Sort(phases)
		c.phase[n.id] = phases[0]
		for _, p := range phases[1:] {
			c.order = slices.Insert(c.order, i+1, c.twin(n, p))
		}
	}
}

// cheap says whether an operation costs less than to keep its result.
func cheap(op compute.OpType) bool {
	switch op {
	case compute.OpTypeAdd, compute.OpTypeSub, compute.OpTypeMul, compute.OpTypeMax, compute.OpTypeMin, compute.OpTypeNeg,
		compute.OpTypeAbs, compute.OpTypeWhere, compute.OpTypeConvertDType, compute.OpTypeLogicalNot,
		compute.OpTypeLogicalAnd, compute.OpTypeLogicalOr:
		return true
	}
	_, ok := comparisons[op]
	return ok
}

// twin returns a copy of a node for those of its users that are in a phase.
func (c *compiler) twin(n *node, phase int) *node {
	t := *n
	t.id = len(c.class)
	c.class = append(c.class, c.class[n.id])
	c.phase = append(c.phase, phase)
	c.operands = append(c.operands, c.operands[n.id])
	c.rank = append(c.rank, c.rank[n.id])
	c.isOutput = append(c.isOutput, false)
	c.copied = append(c.copied, false)
	c.unit = append(c.unit, 0)
	var mine, others []*node
	for _, u := range c.users[n.id] {
		if c.phase[u.id] != phase {
			others = append(others, u)
			continue
		}
		if slices.Contains(mine, u) {
			mine = append(mine, u) // once for every operand
			continue
		}
		mine = append(mine, u)
		reads := slices.Clone(c.operands[u.id])
		for i, v := range reads {
			if v.base == n {
				w := *v
				w.base = &t
				reads[i] = &w
			}
		}
		c.operands[u.id] = reads
	}
	c.users[n.id] = others
	c.users = append(c.users, mine)
	for _, v := range c.operands[n.id] {
		c.users[v.base.id] = append(c.users[v.base.id], &t)
	}
	return &t
}

// allJoin says whether u could share a loop with its operand n, however it reads it.
func (c *compiler) allJoin(u, n *node) bool {
	if c.class[u.id].kind == single {
		return false
	}
	for _, v := range c.operands[u.id] {
		if v.base == n && !c.joins(c.reading(u), v) {
			return false
		}
	}
	return true
}

// neededAfter says whether b is kept beyond the phase of n for others than n: or, if
// it is in another phase, whether one later than n reads it.
func (c *compiler) neededAfter(b, n *node) bool {
	for _, u := range c.users[b.id] {
		if u != n && (c.phase[u.id] > c.phase[n.id] || c.phase[b.id] == c.phase[n.id] && !c.allJoin(u, b)) {
			return true
		}
	}
	return false
}

// group collects the loops: nodes of a phase that read each other, or the same array.
func (c *compiler) group() {
	parent := make([]int, len(c.class))
	for i := range parent {
		parent[i] = i
	}
	find := func(i int) int {
		for parent[i] != i {
			parent[i] = parent[parent[i]]
			i = parent[i]
		}
		return i
	}
	type shared struct{ base, from, n, cols, phase int }
	readers := map[shared]int{}
	for _, n := range c.order {
		if c.class[n.id].kind == single {
			continue
		}
		reading := c.reading(n)
		for _, v := range c.operands[n.id] {
			b := v.base
			if !input(b) && c.phase[b.id] == c.phase[n.id] && c.joins(reading, v) {
				parent[find(n.id)] = find(b.id)
				continue
			}
			if reading.kind == fullKind && product(v.dims) == reading.n && v.isDense() && reading.n > 1 {
				k := shared{b.id, v.from, reading.n, reading.cols, c.phase[n.id]}
				if first, ok := readers[k]; ok {
					parent[find(n.id)] = find(first)
				} else {
					readers[k] = n.id
				}
			}
		}
	}
	units := map[int]int{}
	for _, n := range c.order {
		root := find(n.id)
		i, ok := units[root]
		if !ok {
			i = len(c.units)
			units[root] = i
			c.units = append(c.units, &unit{})
		}
		u := c.units[i]
		u.nodes = append(u.nodes, n)
		if cl := c.class[n.id]; cl.kind != single {
			u.class = class{fullKind, cl.n, cl.cols}
		}
		c.unit[n.id] = i
	}
}
