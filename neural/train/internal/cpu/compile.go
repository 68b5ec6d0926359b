package cpu

import (
	queues "container/heap"
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/compute"
)

// compiler turns the nodes of a function into steps.
type compiler struct {
	f        *Function
	live     []bool
	views    []*view
	copied   []bool    // views that are copied into order
	copies   []*view   // what of
	order    []*node   // what is computed or copied, operands first
	operands [][]*view // of each node of order
	outputs  []*view
	isOutput []bool

	// Fusion: see fuse.go.
	class []class
	phase []int
	users [][]*node
	rank  []int // of each node: when it was added, its own copies included
	unit  []int // of each node of order
	units []*unit

	e *Executable
}

// A unit is what runs as one step: a single node or a fused loop.
type unit struct {
	nodes []*node // in order
	class class   // of a loop; kind single for a single node
	key   int     // when it would run if nothing were reordered
	next  []int   // units that need it
	needs int     // units that it needs
}

// Compile ends the builder.
func (b *Builder) Compile() (e compute.Executable, err error) {
	if !b.main.done {
		return nil, fmt.Errorf("cpu: computation %q does not return anything yet", b.name)
	}
	if b.compiled {
		return nil, fmt.Errorf("cpu: computation %q is compiled already", b.name)
	}
	b.compiled = true
	defer func() {
		if r := recover(); r != nil {
			e, err = nil, fmt.Errorf("cpu: compiling %q: %v", b.name, r)
		}
	}()
	return compile(b.main)
}

func compile(f *Function) (*Executable, error) {
	n := len(f.nodes)
	c := &compiler{f: f, live: make([]bool, n), views: make([]*view, n), copied: make([]bool, n), copies: make([]*view, n),
		operands: make([][]*view, n), isOutput: make([]bool, n), class: make([]class, n), phase: make([]int, n),
		users: make([][]*node, n), unit: make([]int, n), rank: upTo(n)}
	c.markLive()
	c.resolve()
	c.fuse()
	c.schedule()
	c.e = newExecutable(f)
	if err := c.constants(); err != nil {
		c.e.Finalize()
		return nil, err
	}
	c.steps()
	f.nodes, f.known = nil, nil
	return c.e, nil
}

func (c *compiler) markLive() {
	for _, o := range c.f.outputs {
		c.live[o.id] = true
	}
	for i := len(c.f.nodes) - 1; i >= 0; i-- {
		if c.live[i] {
			for _, in := range c.f.nodes[i].in {
				c.live[in.id] = true
			}
		}
	}
}

// input says whether a node's numbers are there before anything runs.
func input(n *node) bool {
	return n.op == compute.OpTypeParameter || n.op == compute.OpTypeConstant || n.op == compute.OpTypeIota
}

// resolve decides what is computed, and how it reads its operands.
func (c *compiler) resolve() {
	for i, n := range c.f.nodes {
		if !c.live[i] || isView(n.op) {
			continue
		}
		if !input(n) {
			c.order = append(c.order, n)
		}
		c.operands[i] = c.reads(n)
	}
	for _, o := range c.f.outputs {
		v := c.denseView(o)
		c.outputs = append(c.outputs, v)
		c.isOutput[v.base.id] = true
	}
	// Copies were put at the end.
	for _, n := range c.order {
		if c.copied[n.id] {
			c.operands[n.id] = []*view{c.copies[n.id]}
		}
	}
	slices.SortFunc(c.order, func(a, b *node) int { return a.id - b.id })
	for _, n := range c.order {
		for _, v := range c.operands[n.id] {
			c.users[v.base.id] = append(c.users[v.base.id], n)
		}
	}
}

// reads returns the operands of a node as it wants them.
func (c *compiler) reads(n *node) []*view {
	out := make([]*view, len(n.in))
	for i, x := range n.in {
		strided := false
		switch n.op {
		case compute.OpTypePad, compute.OpTypeConcatenate, compute.OpTypeDotGeneral, compute.OpTypeDynamicSlice:
			strided = true
		case compute.OpTypeDynamicUpdateSlice:
			strided = i == 1
		default:
			strided = elementwise(n.op) || isReduction(n.op) && loopReduction(n)
		}
		if !strided {
			out[i] = c.denseView(x)
			continue
		}
		v := c.view(x)
		if n.op == compute.OpTypeDotGeneral {
			if !v.products(n, i) {
				v = c.denseView(x)
			}
		} else if k := len(v.dims); k > 0 && x.size() > 1<<10 && !v.isDense() {
			// Columns one by one are slow; a transposition goes by blocks.
			_, strides := v.merged()
			if s := strides[len(strides)-1]; s != 0 && s != 1 {
				v = c.denseView(x)
			}
		}
		out[i] = v
	}
	return out
}

func isReduction(op compute.OpType) bool {
	switch op {
	case compute.OpTypeReduceSum, compute.OpTypeReduceMax, compute.OpTypeReduceMin, compute.OpTypeReduceProduct,
		compute.OpTypeReduceLogicalAnd, compute.OpTypeReduceLogicalOr:
		return true
	}
	return false
}

// schedule orders the units: as the nodes were added, as far as operands allow.
func (c *compiler) schedule() {
	for i, u := range c.units {
		u.key = c.rank[u.nodes[len(u.nodes)-1].id]
		seen := map[int]bool{}
		for _, n := range u.nodes {
			for _, v := range c.operands[n.id] {
				if b := v.base; !input(b) {
					if j := c.unit[b.id]; j != i && !seen[j] {
						seen[j] = true
						c.units[j].next = append(c.units[j].next, i)
						u.needs++
					}
				}
			}
		}
	}
	ready := &queue{c: c}
	for i, u := range c.units {
		if u.needs == 0 {
			queues.Push(ready, i)
		}
	}
	sorted := make([]*unit, 0, len(c.units))
	for ready.Len() > 0 {
		u := c.units[queues.Pop(ready).(int)]
		sorted = append(sorted, u)
		for _, j := range u.next {
			if c.units[j].needs--; c.units[j].needs == 0 {
				queues.Push(ready, j)
			}
		}
	}
	if len(sorted) != len(c.units) {
		panic("units that need each other")
	}
	c.units = sorted
	for i, u := range c.units {
		for _, n := range u.nodes {
			c.unit[n.id] = i
		}
	}
}

// queue is units that may run, the earliest first.
type queue struct {
	c     *compiler
	items []int
}

func (q *queue) Len() int { return len(q.items) }
func (q *queue) Less(i, j int) bool {
	return q.c.units[q.items[i]].key < q.c.units[q.items[j]].key
}
func (q *queue) Swap(i, j int) { q.items[i], q.items[j] = q.items[j], q.items[i] }
func (q *queue) Push(x any)    { q.items = append(q.items, x.(int)) }
func (q *queue) Pop() any {
	k := len(q.items) - 1
	x := q.items[k]
	q.items = q.items[:k]
	return x
}

// stored says whether the numbers of a node become an array: whether somebody outside
// of its unit wants them.
func (c *compiler) stored(n *node) bool {
	if c.isOutput[n.id] {
		return true
	}
	for _, u := range c.users[n.id] {
		if c.unit[u.id] != c.unit[n.id] {
			return true
		}
	}
	return false
}

// constants fills the arrays of constants.
func (c *compiler) constants() error {
	e := c.e
	for i, n := range c.f.nodes {
		if !c.live[i] || n.op != compute.OpTypeConstant && n.op != compute.OpTypeIota || len(c.users[i]) == 0 && !c.isOutput[i] {
			continue
		}
		a, err := e.b.heap.get(byteSize(n.shape), func() string { return "constant " + shapeString(n.shape) })
		if err != nil {
			return err
		}
		data := flatOf(a, n.shape.DType, n.size())
		if n.op == compute.OpTypeIota {
			count(data)
		} else if err := copyFlat(data, n.attr.(constant).flat); err != nil {
			e.b.heap.put(a)
			return err
		}
		s := e.slot(n)
		e.fixed = append(e.fixed, fixed{s, a})
	}
	return nil
}

// steps makes the units steps, and decides how long arrays live.
func (c *compiler) steps() {
	e := c.e
	for i, p := range c.f.params {
		e.params[i] = e.slot(p)
	}
	last := map[int]int{} // slot → the last unit that reads or makes it
	for i, u := range c.units {
		for _, n := range u.nodes {
			for _, v := range c.operands[n.id] {
				if b := v.base; input(b) || c.unit[b.id] != i {
					last[e.slot(b)] = i
				}
			}
			if c.stored(n) {
				s := e.slot(n)
				last[s] = max(last[s], i)
			}
		}
	}
	const never = math.MaxInt
	for _, f := range e.fixed {
		last[f.slot] = never
	}
	for _, v := range c.outputs {
		if !input(v.base) || v.base.op == compute.OpTypeParameter {
			last[e.slot(v.base)] = never
		}
	}
	dying := make([][]int, len(c.units))
	for s, i := range last {
		if i != never {
			dying[i] = append(dying[i], s)
		}
	}
	for i, u := range c.units {
		slices.Sort(dying[i])
		var st *step
		if u.class.kind == single {
			st = c.single(u.nodes[0])
		} else {
			st = c.loop(u)
		}
		st.frees = dying[i]
		for k := range st.outs {
			o := &st.outs[k]
			o.reuse = slices.DeleteFunc(o.reuse, func(s int) bool { return !slices.Contains(dying[i], s) })
		}
		e.steps = append(e.steps, st)
	}
	taken := map[int]bool{}
	for i, v := range c.outputs {
		o := output{slot: e.slot(v.base), from: v.from, shape: makeShape(c.f.outputs[i].shape.DType, c.f.outputs[i].dims())}
		o.fixed = v.base.op == compute.OpTypeConstant || v.base.op == compute.OpTypeIota
		o.moved = !o.fixed && v.from == 0 && v.base.size() == o.shape.Size() && !taken[o.slot]
		taken[o.slot] = true
		e.outputs = append(e.outputs, o)
	}
	e.slots = len(e.bySlot)
	e.bySlot = nil
}

// count writes 0, 1, 2, ….
func count(flat any) {
	switch x := flat.(type) {
	case []bool:
		for i := range x {
			x[i] = i != 0
		}
	case []uint8:
		countTo(x)
	case []int32:
		countTo(x)
	case []int64:
		countTo(x)
	case []uint32:
		countTo(x)
	case []uint64:
		countTo(x)
	case []float32:
		countTo(x)
	case []float64:
		countTo(x)
	}
}

func countTo[T number](x []T) {
	for i := range x {
		x[i] = T(i)
	}
}
