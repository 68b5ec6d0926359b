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

var unaries = lookupOf(map[compute.OpType]kernel.Unary{
	compute.OpTypeAbs: kernel.Abs, compute.OpTypeNeg: kernel.Neg, compute.OpTypeSign: kernel.Sign,
	compute.OpTypeSqrt: kernel.Sqrt, compute.OpTypeRsqrt: kernel.Rsqrt, compute.OpTypeFloor: kernel.Floor,
	compute.OpTypeCeil: kernel.Ceil, compute.OpTypeRound: kernel.Round, compute.OpTypeExp: kernel.Exp,
	compute.OpTypeExpm1: kernel.Expm1, compute.OpTypeLog: kernel.Log, compute.OpTypeLog1p: kernel.Log1p,
	compute.OpTypeTanh: kernel.Tanh, compute.OpTypeLogistic: kernel.Sigmoid, compute.OpTypeErf: kernel.Erf,
	compute.OpTypeSin: kernel.Sin, compute.OpTypeCos: kernel.Cos,
})

var binaries = lookupOf(map[compute.OpType]kernel.Binary{
	compute.OpTypeAdd: kernel.Add, compute.OpTypeSub: kernel.Sub, compute.OpTypeMul: kernel.Mul,
	compute.OpTypeDiv: kernel.Div, compute.OpTypeMax: kernel.Max, compute.OpTypeMin: kernel.Min,
	compute.OpTypePow: kernel.Pow, compute.OpTypeRem: kernel.Rem,
})

var comparisons = lookupOf(map[compute.OpType]kernel.Comparison{
	compute.OpTypeEqual: kernel.Equal, compute.OpTypeNotEqual: kernel.NotEqual, compute.OpTypeLessThan: kernel.Less,
	compute.OpTypeLessOrEqual: kernel.LessEqual, compute.OpTypeGreaterThan: kernel.Greater,
	compute.OpTypeGreaterOrEqual: kernel.GreaterEqual,
})

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

var reductions = lookupOf(map[compute.OpType]kernel.Reduction{
	compute.OpTypeReduceSum: kernel.SumOf, compute.OpTypeReduceMax: kernel.MaxOf, compute.OpTypeReduceMin: kernel.MinOf,
	compute.OpTypeReduceProduct: kernel.ProductOf,
})

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
	if comparisons.has(n.op) {
		return is(0, dtypes.Float32)
	}
	return n.shape.DType == dtypes.Float32 && (unaries.has(n.op) || binaries.has(n.op))
}

// loopReduction says whether a loop can compute a reduction.
func loopReduction(n *node) bool {
	r := n.attr.(reduction)
	if !reductions.has(n.op) || n.shape.DType != dtypes.Float32 || r.outer*r.mid*r.inner == 0 {
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
	cl := c.about[n.id].class
	if isReduction(n.op) && cl.kind != single {
		cl.kind = fullKind
	}
	return cl
}

// joins says whether a node that reads so can be in the loop of the operand.
func (c *compiler) joins(reading class, v *view) bool {
	b := c.about[v.base.id].class
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
	if v.from != 0 || cols == 1 || v.base.size() != rows {
		return false
	}
	a, repeated, dense := len(v.dims)-1, 1, 1
	for ; a >= 0 && repeated < cols; a-- {
		if v.dims[a] != 1 && v.strides[a] != 0 {
			return false
		}
		repeated *= v.dims[a]
	}
	for ; a >= 0; a-- {
		if v.dims[a] != 1 && v.strides[a] != dense {
			return false
		}
		dense *= v.dims[a]
	}
	return repeated == cols && dense == rows
}

// phaseOf returns the phase of a node that reads so.
func (c *compiler) phaseOf(n *node, reading class) int {
	p := 0
	for _, v := range c.about[n.id].operands {
		switch {
		case input(v.base):
		case c.joins(reading, v):
			p = max(p, c.about[v.base.id].phase)
		default:
			p = max(p, c.about[v.base.id].phase+1)
		}
	}
	return p
}

// fuse finds the loops.
func (c *compiler) fuse() {
	for _, n := range c.order {
		cl := c.classify(n)
		c.about[n.id].class = cl
		c.about[n.id].phase = c.phaseOf(n, c.reading(n))
	}
	c.sink()
	c.group()
}

// classify returns the class of a node whose operands have theirs.
func (c *compiler) classify(n *node) class {
	if c.about[n.id].copied {
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
		v := c.about[n.id].operands[0]
		cols := lastDim(v.base.dims())
		if b := c.about[v.base.id].class; b.kind == fullKind {
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
	for _, v := range c.about[n.id].operands {
		if b := c.about[v.base.id].class; b.kind == rowKind && n.size() == b.n/b.cols && v.whole() &&
			(row.kind == single || c.about[v.base.id].phase > c.phaseOf(n, row)) {
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
		if c.about[n.id].class.kind != fullKind || c.about[n.id].output || len(c.about[n.id].users) == 0 {
			continue
		}
		var phases []int
		ok := true
		for _, u := range c.about[n.id].users {
			ok = ok && c.allJoin(u, n)
			if p := c.about[u.id].phase; !slices.Contains(phases, p) {
				phases = append(phases, p)
			}
		}
		if !ok || len(phases) == 1 && phases[0] == c.about[n.id].phase || len(phases) > 1 && !cheap(n.op) {
			continue
		}
		more := 0
		for _, v := range c.about[n.id].operands {
			b := v.base
			if !input(b) && b.size() == n.size() && !c.about[b.id].output && !c.neededAfter(b, n) {
				more++
			}
		}
		if more > 1 {
			continue
		}
		slices.Sort(phases)
		c.about[n.id].phase = phases[0]
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
	return comparisons.has(op)
}

// twin returns a copy of a node for those of its users that are in a phase.
func (c *compiler) twin(n *node, phase int) *node {
	t := &c.f.ofNodes.take(1)[0]
	*t = *n
	t.id = len(c.about)
	a := c.about[n.id]
	a.phase, a.output, a.copied, a.users = phase, false, false, nil
	c.about = append(c.about, a)
	var mine, others []*node
	for _, u := range c.about[n.id].users {
		if c.about[u.id].phase != phase {
			others = append(others, u)
			continue
		}
		if slices.Contains(mine, u) {
			mine = append(mine, u) // once for every operand
			continue
		}
		mine = append(mine, u)
		reads := c.ofReads.copyOf(c.about[u.id].operands)
		for i, v := range reads {
			if v.base == n {
				w := &c.ofViews.take(1)[0]
				*w = *v
				w.base = t
				reads[i] = w
			}
		}
		c.about[u.id].operands = reads
	}
	c.about[n.id].users = others
	c.about[t.id].users = mine
	for _, v := range c.about[n.id].operands {
		c.about[v.base.id].users = append(c.about[v.base.id].users, t)
	}
	return t
}

// allJoin says whether u could share a loop with its operand n, however it reads it.
func (c *compiler) allJoin(u, n *node) bool {
	if c.about[u.id].class.kind == single {
		return false
	}
	for _, v := range c.about[u.id].operands {
		if v.base == n && !c.joins(c.reading(u), v) {
			return false
		}
	}
	return true
}

// neededAfter says whether b is kept beyond the phase of n for others than n: or, if
// it is in another phase, whether one later than n reads it.
func (c *compiler) neededAfter(b, n *node) bool {
	for _, u := range c.about[b.id].users {
		if u != n && (c.about[u.id].phase > c.about[n.id].phase || c.about[b.id].phase == c.about[n.id].phase && !c.allJoin(u, b)) {
			return true
		}
	}
	return false
}

// reads says whether a node that reads so goes through the view from beginning to end.
func (cl class) reads(v *view) bool {
	return cl.kind == fullKind && cl.n > 1 && product(v.dims) == cl.n && v.isDense()
}

// readsAlike says whether a node goes through an array as one that reads so does.
func (c *compiler) readsAlike(u *node, reading class, v *view) bool {
	if c.reading(u) != reading {
		return false
	}
	for _, w := range c.about[u.id].operands {
		if w.base == v.base && w.from == v.from && reading.reads(w) {
			return true
		}
	}
	return false
}

// group collects the loops: nodes of a phase that read each other, or the same array.
func (c *compiler) group() {
	parent := c.room(0, len(c.about), 0)
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
	for _, n := range c.order {
		if c.about[n.id].class.kind == single {
			continue
		}
		reading := c.reading(n)
		for _, v := range c.about[n.id].operands {
			b := v.base
			if !input(b) && c.about[b.id].phase == c.about[n.id].phase && c.joins(reading, v) {
				parent[find(n.id)] = find(b.id)
				continue
			}
			if !reading.reads(v) {
				continue
			}
			for _, u := range c.about[b.id].users {
				if u != n && c.about[u.id].phase == c.about[n.id].phase && c.readsAlike(u, reading, v) {
					parent[find(n.id)] = find(u.id)
					break
				}
			}
		}
	}
	units := c.room(1, len(parent), 0) // of roots, one more than their number
	size := c.room(2, len(parent), 0)  // of units
	for _, n := range c.order {
		root := find(n.id)
		if units[root] == 0 {
			c.units = append(c.units, &c.ofUnits.take(1)[0])
			units[root] = len(c.units)
		}
		c.about[n.id].unit = units[root] - 1
		size[units[root]-1]++
	}
	for i, u := range c.units {
		u.nodes = c.ofNodes.take(size[i])[:0]
	}
	for _, n := range c.order {
		a := &c.about[n.id]
		u := c.units[a.unit]
		u.nodes = append(u.nodes, n)
		if a.class.kind != single {
			u.class = class{fullKind, a.class.n, a.class.cols}
		}
	}
}
