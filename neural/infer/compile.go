package infer

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/internal/kernel"
)

// never is a step after all others.
const never = math.MaxInt

// buffer is memory of a value while it is needed.
type buffer struct {
	size     int
	data     []float32
	from, to int     // steps; to is −1 if nothing needs it
	at       int     // where it lies
	over     *buffer // whose memory it takes, because it is not needed any more
}

func (b *buffer) root() *buffer {
	for b.over != nil {
		b = b.over
	}
	return b
}

// compiler makes the steps of a network.
type compiler struct {
	g       *neural.Graph
	w       neural.Weights
	o       Options
	batch   int
	pool    *kernel.Pool
	live    []bool // nodes that something needs
	pinned  []bool // outputs and what is kept
	watched []bool
	norms   map[int][2][]float32
	readers [][]int   // live ones
	values  []*buffer // of nodes that were computed
	turned  []bool    // vectors that lie as pixels×channels of the image they were
	start   []int     // of a node: the one that mixes and is computed with it, or −1
	within  []bool    // nodes that are computed by a later step
	steps   []step
	uses    [][]*buffer // of each step: what it reads, and last what it writes
	inPlace []*buffer   // of each step: what its result may overwrite
	all     []*buffer
	fault   *error // where steps say what went wrong
}

// Compile prepares a network for a batch size. It takes what it needs of w, which must
// not change while the network is in use.
func Compile(g *neural.Graph, w neural.Weights, o Options) (*Network, error) {
	if err := w.Check(g); err != nil {
		return nil, fmt.Errorf("infer: %w", err)
	}
	if o.Batch < 0 || o.Threads < 0 {
		return nil, fmt.Errorf("infer: found a batch of %d and %d threads, want 0 or more", o.Batch, o.Threads)
	}
	c := &compiler{g: g, w: w, o: o, batch: max(o.Batch, 1)}
	n := g.Len()
	c.watched, c.norms = make([]bool, n), map[int][2][]float32{}
	if o.Watch != nil {
		for _, i := range o.Watched {
			if i < 0 || i >= n {
				return nil, fmt.Errorf("infer: network %q has no node %d to watch, only %d nodes", g.Name(), i, n)
			}
			c.watched[i] = true
		}
	}
	c.live, c.pinned, c.turned, c.within = make([]bool, n), make([]bool, n), make([]bool, n), make([]bool, n)
	c.readers, c.values, c.start = make([][]int, n), make([]*buffer, n), make([]int, n)
	for _, i := range g.Outputs() {
		c.pinned[i] = true
	}
	for _, name := range o.Keep {
		i := g.Find(name)
		if i < 0 {
			return nil, fmt.Errorf("infer: network %q has no node %q to keep", g.Name(), name)
		}
		c.pinned[i] = true
	}
	largest := int64(0)
	for i, node := range g.Nodes() {
		c.pinned[i] = c.pinned[i] || o.KeepAll
		largest = max(largest, node.Shape.Elements())
	}
	if int64(c.batch) > math.MaxInt32/largest {
		return nil, fmt.Errorf("infer: network %q: found a batch of %d of up to %d numbers, want at most 2³¹ numbers together", g.Name(), c.batch, largest)
	}
	c.survey()
	c.pool = kernel.NewPool(o.Threads)
	c.fault = new(error)
	network := &Network{fault: c.fault, g: g, batch: c.batch, pool: c.pool, kept: map[string]port{}}
	for _, i := range g.Inputs() {
		s := g.Node(i).Shape
		c.values[i] = c.room(s)
		c.values[i].from = -1
		network.inputs = append(network.inputs, port{buffer: c.values[i], name: g.Node(i).Name, shape: s, below: g.Node(i).Op.(neural.Input).Below})
	}
	for i, node := range g.Nodes() {
		if _, ok := node.Op.(neural.Input); ok || !c.live[i] || c.within[i] {
			continue
		}
		if err := c.node(i); err != nil {
			c.pool.Close()
			return nil, fmt.Errorf("infer: %w", &neural.NodeError{Node: node.Name, Op: node.Op.String(), Err: err})
		}
		if c.watched[i] {
			b := c.values[i]
			c.add(i, "watch", b, nil, []*buffer{b}, func() { o.Watch(i, b.data) })
		}
	}
	network.norms = c.norms
	network.numbers = c.place()
	network.steps = c.steps
	for i, b := range c.values {
		if b == nil {
			continue
		}
		p := port{buffer: b, name: g.Node(i).Name, shape: g.Node(i).Shape}
		if c.pinned[i] {
			network.kept[p.name] = p
		}
	}
	for _, i := range g.Outputs() {
		p := network.kept[g.Node(i).Name]
		if _, _, differ := p.order(); differ {
			p.turned = make([]float32, p.size)
		}
		network.outputs = append(network.outputs, p)
	}
	network.results = make([][]float32, len(network.outputs))
	return network, nil
}

// survey finds what is needed, who reads it, and which nodes are computed together.
func (c *compiler) survey() {
	n := c.g.Len()
	for i := n - 1; i >= 0; i-- {
		c.live[i] = c.live[i] || c.pinned[i]
		if c.live[i] {
			for _, j := range c.g.Node(i).In {
				c.live[j] = true
			}
		}
	}
	for i, node := range c.g.Nodes() {
		if c.live[i] {
			for _, j := range node.In {
				c.readers[j] = append(c.readers[j], i)
			}
		}
	}
	for i := range c.start {
		c.start[i] = -1
	}
	for i := n - 1; i >= 0; i-- { // of two that are added, the later one adds the other
		switch c.g.Node(i).Op.(type) {
		case neural.Conv, neural.Linear:
			if c.live[i] {
				c.join(i)
			}
		}
	}
}

// next returns the only reader of a node, or −1.
func (c *compiler) next(i int) int {
	if c.pinned[i] || c.watched[i] || len(c.readers[i]) != 1 {
		return -1
	}
	return c.readers[i][0]
}

// join finds what is computed together with a node: batch normalisation, a sum with
// one other value, and a function, in this order.
func (c *compiler) join(i int) {
	at := i
	take := func(k int) {
		c.within[at] = true
		at = k
	}
	k := c.next(at)
	if k >= 0 {
		if _, ok := c.g.Node(k).Op.(neural.BatchNorm); ok && !c.o.BatchStatistics {
			take(k)
			k = c.next(at)
		}
	}
	if k >= 0 && !c.taken(k) {
		node := c.g.Node(k)
		if _, ok := node.Op.(neural.Add); ok && len(node.In) == 2 && node.In[0] != node.In[1] {
			take(k)
			k = c.next(at)
		}
	}
	if k >= 0 {
		if _, ok := c.g.Node(k).Op.(neural.Activation); ok {
			take(k)
		}
	}
	c.start[at] = i
}

// taken reports whether a sum is already computed with one of its operands.
func (c *compiler) taken(sum int) bool {
	for _, j := range c.g.Node(sum).In {
		if c.within[j] {
			return true
		}
	}
	return false
}

// room returns a buffer for a value.
func (c *compiler) room(s neural.Shape) *buffer { return c.numbers(c.batch * int(s.Elements())) }

func (c *compiler) numbers(n int) *buffer {
	b := &buffer{size: n, from: len(c.steps), to: -1}
	c.all = append(c.all, b)
	return b
}

// add adds a step for the result of a node. It may overwrite a value that it reads, if
// nobody needs it later; else over is nil.
func (c *compiler) add(i int, kind string, to, over *buffer, reads []*buffer, run func()) {
	node := c.g.Node(i)
	s := Step{Node: node.Name, Kind: kind, Op: node.Op.String(), Shape: node.Shape}
	for _, j := range node.In {
		s.In = append(s.In, c.g.Node(j).Shape)
	}
	s.MACs = neural.MACs(node.Op, node.Shape, s.In...)
	c.steps = append(c.steps, step{s, run})
	c.uses = append(c.uses, append(slices.Clip(reads), to))
	c.inPlace = append(c.inPlace, over)
	c.values[i] = to
}

// place gives every buffer its memory: those that are needed at the same time lie apart.
// It returns how many numbers there are.
func (c *compiler) place() int {
	for i, used := range c.uses {
		for _, b := range used {
			b.to = max(b.to, i)
		}
	}
	for i, b := range c.values {
		if b != nil && c.pinned[i] {
			b.to = never
		}
	}
	for i, over := range c.inPlace {
		if over == nil || over.data != nil { // or a constant
			continue
		}
		to := c.uses[i][len(c.uses[i])-1]
		from := over.root()
		if from.to == i && from.size == to.size && to.over == nil && from != to {
			to.over = from
			from.to = to.to
		}
	}
	var placed []*buffer // by place
	top := 0
	for _, b := range c.all {
		if b.over != nil || b.data != nil || b.to < b.from {
			continue
		}
		// the lowest gap between those that are needed at the same time
		for _, x := range placed {
			if x.to < b.from || b.to < x.from {
				continue
			}
			if x.at-b.at >= b.size {
				break
			}
			b.at = max(b.at, (x.at+x.size+15)&^15)
		}
		k, _ := slices.BinarySearchFunc(placed, b.at, func(x *buffer, at int) int { return x.at - at })
		placed = slices.Insert(placed, k, b)
		top = max(top, b.at+b.size)
	}
	arena := make([]float32, top)
	for _, b := range placed {
		b.data = arena[b.at : b.at+b.size : b.at+b.size]
	}
	for _, b := range c.all {
		b.data = b.root().data
	}
	return top
}

// weight returns a weight of a node by its own name.
func (c *compiler) weight(i int, name string) []float32 { return c.w[c.g.Node(i).Name+"/"+name] }

// function returns how a kernel computes an activation.
func function(f neural.Func) (kernel.Unary, error) {
	u, ok := unaries[f]
	if !ok {
		return 0, fmt.Errorf("the function %q is not supported", f)
	}
	return u, nil
}

var unaries = map[neural.Func]kernel.Unary{
	neural.ReLU: kernel.ReLU, neural.ReLU6: kernel.ReLU6, neural.LeakyReLU: kernel.LeakyReLU, neural.HardSigmoid: kernel.HardSigmoid,
	neural.HardSwish: kernel.HardSwish, neural.Sigmoid: kernel.Sigmoid, neural.SiLU: kernel.SiLU, neural.GELU: kernel.GELU,
	neural.Tanh: kernel.Tanh, neural.Softplus: kernel.Softplus, neural.ELU: kernel.ELU,
}

var errUnsupported = errors.New("the operator is not supported")
