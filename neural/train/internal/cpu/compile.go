package cpu

import (
	queues "container/heap"
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/compute"
)

// compiler turns the nodes of a function into steps. What it is made of serves the next
// function.
type compiler struct {
	f       *Function
	e       *Executable
	about   []about // of each node
	order   []*node // what is computed or copied, operands first
	outputs []*view
	units   []*unit
	slots   int
	maker   maker
	ints    [3][]int // of passes

	ofViews pieces[view]
	ofReads pieces[*view]
	ofNodes pieces[*node]
	ofInts  pieces[int]
	ofUnits pieces[unit]
}

// about is what the compiler knows of a node.
type about struct {
	view     *view
	operands []*view // as they are read
	users    []*node // once for every operand
	live     bool
	output   bool
	copied   bool  // a view whose numbers are copied into order
	source   *view // which are those
	rank     int   // when the node was added, its own copies included

	// Fusion: see fuse.go.
	class class
	phase int
	unit  int

	slot     int // of its array; −1 where there is none yet
	register int // in its loop; −1 before it is computed
}

// A unit is what runs as one step: a single node or a fused loop.
type unit struct {
	nodes []*node // in order
	class class   // of a loop; kind single for a single node
	key   int     // when it would run if nothing were reordered
	needs int     // numbers of other units that it reads
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
	c, ok := f.builder.backend.compilers.Get().(*compiler)
	if !ok {
		c = &compiler{}
	}
	c.start(f)
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
	e := c.e
	clear(f.known)
	f.builder.backend.maps.Put(f.known)
	f.nodes, f.known = nil, nil
	c.end()
	return e, nil
}

func (c *compiler) start(f *Function) {
	c.f = f
	n := len(f.nodes)
	if cap(c.about) < n+n/4 { // with copies of nodes, as a rule
		c.about = make([]about, 0, n+n/2)
	}
	c.about = c.about[:n]
	for i := range c.about {
		c.about[i] = about{rank: i, slot: -1, register: -1}
	}
}

// end forgets the function, and gives the compiler back.
func (c *compiler) end() {
	clear(c.about)
	clear(c.order)
	clear(c.units)
	clear(c.outputs)
	c.order, c.units, c.outputs, c.slots = c.order[:0], c.units[:0], c.outputs[:0], 0
	c.ofViews.reset()
	c.ofReads.reset()
	c.ofNodes.reset()
	c.ofInts.reset()
	c.ofUnits.reset()
	b := c.f.builder.backend
	c.f, c.e, c.maker.u, c.maker.l = nil, nil, nil, nil
	b.compilers.Put(c)
}

// room returns the i-th slice for a pass: of n numbers, all v.
func (c *compiler) room(i, n, v int) []int {
	fit(&c.ints[i], n)
	for k := range c.ints[i] {
		c.ints[i][k] = v
	}
	return c.ints[i]
}

// slot returns the place of a node's array.
func (c *compiler) slot(n *node) int {
	a := &c.about[n.id]
	if a.slot < 0 {
		a.slot = c.slots
		c.slots++
	}
	return a.slot
}

func (c *compiler) markLive() {
	for _, o := range c.f.outputs {
		c.about[o.id].live = true
	}
	for i := len(c.f.nodes) - 1; i >= 0; i-- {
		if c.about[i].live {
			for _, in := range c.f.nodes[i].in {
				c.about[in.id].live = true
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
		if !c.about[i].live || isView(n.op) {
			continue
		}
		if !input(n) {
			c.order = append(c.order, n)
		}
		c.about[i].operands = c.reads(n)
	}
	for _, o := range c.f.outputs {
		v := c.denseView(o)
		c.outputs = append(c.outputs, v)
		c.about[v.base.id].output = true
	}
	// Copies were put at the end.
	for _, n := range c.order {
		if c.about[n.id].copied {
			c.about[n.id].operands = []*view{c.about[n.id].source}
		}
	}
	slices.SortFunc(c.order, func(a, b *node) int { return a.id - b.id })
	count := c.room(0, len(c.about), 0)
	for _, n := range c.order {
		for _, v := range c.about[n.id].operands {
			count[v.base.id]++
		}
	}
	for i, n := range count {
		c.about[i].users = c.ofNodes.take(n)[:0]
	}
	for _, n := range c.order {
		for _, v := range c.about[n.id].operands {
			users := &c.about[v.base.id].users
			*users = append(*users, n)
		}
	}
}

// reads returns the operands of a node as it wants them.
func (c *compiler) reads(n *node) []*view {
	out := c.ofReads.take(len(n.in))
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
	// each calls f with every unit that needs unit i, once for every number that it reads.
	each := func(i int, f func(u *unit, j int)) {
		for _, n := range c.units[i].nodes {
			for _, m := range c.about[n.id].users {
				if j := c.about[m.id].unit; j != i {
					f(c.units[j], j)
				}
			}
		}
	}
	for i, u := range c.units {
		u.key = c.about[u.nodes[len(u.nodes)-1].id].rank
		each(i, func(u *unit, _ int) { u.needs++ })
	}
	ready := &queue{c: c}
	for i, u := range c.units {
		if u.needs == 0 {
			queues.Push(ready, i)
		}
	}
	sorted := make([]*unit, 0, len(c.units))
	for ready.Len() > 0 {
		i := queues.Pop(ready).(int)
		sorted = append(sorted, c.units[i])
		each(i, func(u *unit, j int) {
			if u.needs--; u.needs == 0 {
				queues.Push(ready, j)
			}
		})
	}
	if len(sorted) != len(c.units) {
		panic("units that need each other")
	}
	c.units = sorted
	for i, u := range c.units {
		for _, n := range u.nodes {
			c.about[n.id].unit = i
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
	if c.about[n.id].output {
		return true
	}
	for _, u := range c.about[n.id].users {
		if c.about[u.id].unit != c.about[n.id].unit {
			return true
		}
	}
	return false
}

// constants fills the arrays of constants.
func (c *compiler) constants() error {
	e := c.e
	for i, n := range c.f.nodes {
		if !c.about[i].live || n.op != compute.OpTypeConstant && n.op != compute.OpTypeIota || len(c.about[i].users) == 0 && !c.about[i].output {
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
		s := c.slot(n)
		e.fixed = append(e.fixed, fixed{s, a})
	}
	return nil
}

// steps makes the units steps, and decides how long arrays live.
func (c *compiler) steps() {
	e := c.e
	for i, p := range c.f.params {
		e.params[i] = c.slot(p)
	}
	const never = math.MaxInt
	last := c.room(0, len(c.about), -1) // of each slot, the last unit that reads or makes it
	for i, u := range c.units {
		for _, n := range u.nodes {
			for _, v := range c.about[n.id].operands {
				if b := v.base; input(b) || c.about[b.id].unit != i {
					last[c.slot(b)] = i
				}
			}
			if c.stored(n) {
				s := c.slot(n)
				last[s] = max(last[s], i)
			}
		}
	}
	for _, f := range e.fixed {
		last[f.slot] = never
	}
	for _, v := range c.outputs {
		if !input(v.base) || v.base.op == compute.OpTypeParameter {
			last[c.slot(v.base)] = never
		}
	}
	// The slots that die with each unit, one unit after the other.
	end := c.room(1, len(c.units)+1, 0)
	for _, i := range last[:c.slots] {
		if i >= 0 && i != never {
			end[i+1]++
		}
	}
	for i := range c.units {
		end[i+1] += end[i]
	}
	from := append(c.ints[2][:0], end...)
	c.ints[2] = from
	dying := make([]int, end[len(c.units)])
	for s, i := range last[:c.slots] {
		if i >= 0 && i != never {
			dying[from[i]] = s
			from[i]++
		}
	}
	e.steps = make([]step, len(c.units))
	for i, u := range c.units {
		st := &e.steps[i]
		if u.class.kind == single {
			c.single(u.nodes[0], st)
		} else {
			c.loop(u, st)
		}
		st.frees = dying[end[i]:end[i+1]]
		for k := range st.outs {
			o := &st.outs[k]
			o.reuse = slices.DeleteFunc(o.reuse, func(s int) bool { return !slices.Contains(st.frees, s) })
		}
	}
	taken := map[int]bool{}
	for i, v := range c.outputs {
		o := output{slot: c.slot(v.base), from: v.from, shape: makeShape(c.f.outputs[i].shape.DType, c.f.outputs[i].dims())}
		o.fixed = v.base.op == compute.OpTypeConstant || v.base.op == compute.OpTypeIota
		o.moved = !o.fixed && v.from == 0 && v.base.size() == o.shape.Size() && !taken[o.slot]
		taken[o.slot] = true
		e.outputs = append(e.outputs, o)
	}
	e.slots = c.slots
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
