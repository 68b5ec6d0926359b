package neural

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Graph is a network: operators in an order in which they can be computed. It
// does not change; it is made by a [Builder] or by [Parse].
type Graph struct {
	name    string
	nodes   []Node
	blocks  []Block
	outputs []int
	work    []work // of each node
}

// work is what a node costs by itself.
type work struct {
	macs, params, state int64
	size                int64 // numbers of the result
	room                int64 // numbers that the operator needs while it runs
	how                 memory
}

// A Node is an operator on the results of earlier nodes.
type Node struct {
	Name  string // unique, with its blocks: "stage1/cell2/conv"
	Op    Op
	In    []int // the operands' nodes; not to be changed
	Shape Shape // of the result
	Block int   // in Blocks
}

// A Block is a part of a network that is drawn together. Its nodes follow each
// other.
type Block struct {
	Name   string // with the blocks around it: "stage1/cell2"; "" for the whole
	Label  string // what it is, as "MBConv 5×5 ×6"; may be empty
	Parent int    // the block around it; −1 for the whole
}

// A NodeError is a mistake at a node.
type NodeError struct {
	Node string // its name
	Op   string // its operator's label
	Err  error
}

func (e *NodeError) Error() string {
	return fmt.Sprintf("node %q (%s): %v", e.Node, e.Op, strings.ReplaceAll(e.Err.Error(), "\n", "; "))
}

// Unwrap returns the mistake.
func (e *NodeError) Unwrap() error { return e.Err }

// Name returns the network's name.
func (g *Graph) Name() string { return g.name }

// Len returns the number of nodes.
func (g *Graph) Len() int { return len(g.nodes) }

// Node returns a node.
func (g *Graph) Node(i int) Node { return g.nodes[i] }

// Nodes goes through the nodes in their order, operands first.
func (g *Graph) Nodes() iter.Seq2[int, Node] { return slices.All(g.nodes) }

// Find returns the node of a name, or −1.
func (g *Graph) Find(name string) int {
	return slices.IndexFunc(g.nodes, func(n Node) bool { return n.Name == name })
}

// Inputs returns the nodes that are inputs, in their order.
func (g *Graph) Inputs() (in []int) {
	for i, n := range g.nodes {
		if _, ok := n.Op.(Input); ok {
			in = append(in, i)
		}
	}
	return in
}

// Outputs returns the nodes whose results the network returns.
func (g *Graph) Outputs() []int { return slices.Clone(g.outputs) }

// Blocks returns the blocks. The first is the whole network, and blocks stand
// after those around them.
func (g *Graph) Blocks() []Block { return slices.Clone(g.blocks) }

// shapes returns the operands' shapes of a node, in a slice that is used again.
func (g *Graph) shapes(to []Shape, i int) []Shape {
	to = to[:0]
	for _, j := range g.nodes[i].In {
		to = append(to, g.nodes[j].Shape)
	}
	return to
}

// Weights returns the weights of a node under the names that they have in the
// network, such as "stem/conv/weight". Nodes of one name in two networks of a
// family share them.
func (g *Graph) Weights(i int) []Tensor {
	t := Tensors(g.nodes[i].Op, g.shapes(nil, i)...)
	for k := range t {
		t[k].Name = g.nodes[i].Name + "/" + t[k].Name
	}
	return t
}

// AllWeights returns the weights of all nodes in their order.
func (g *Graph) AllWeights() (all []Tensor) {
	for i := range g.nodes {
		if g.work[i].params+g.work[i].state > 0 {
			all = append(all, g.Weights(i)...)
		}
	}
	return all
}

// MaxNodes is the most nodes of a network.
const MaxNodes = 1 << 16

// A Value is the result of a node that a [Builder] has added. The zero Value is
// that of a node that could not be added.
type Value int

// A Builder makes a [Graph]. It collects mistakes, and [Builder.Build] returns
// them all: a node with a mistake, and all that is built on it, is left out.
type Builder struct {
	g      Graph
	at     int            // the block that nodes are added to
	taken  map[string]int // nodes and blocks by name: 1, and for a block 2
	next   map[string]int // how many nodes of a kind a block has
	macs   int64          // so far
	room   []int          // for operands
	shapes []Shape
	ts     []Tensor
	errs   []error
}

// NewBuilder returns a Builder of a network with a name.
func NewBuilder(name string) *Builder {
	return &Builder{
		g:     Graph{name: name, blocks: []Block{{Parent: -1}}},
		taken: make(map[string]int, 128),
		next:  map[string]int{},
	}
}

// Input adds an input.
func (b *Builder) Input(name string, s Shape) Value { return b.Named(name, Input{Shape: s}) }

// Add adds a node that is named by its operator's kind, with a number from the
// second on: conv, conv2, conv3.
func (b *Builder) Add(o Op, in ...Value) Value {
	if o == nil {
		b.Errorf("a node without an operator")
		return 0
	}
	key := b.path(o.Kind())
	for {
		b.next[key]++
		name := o.Kind()
		if n := b.next[key]; n > 1 {
			name += strconv.Itoa(n)
		}
		if full := b.path(name); b.taken[full] == 0 {
			return b.add(full, o, in)
		}
	}
}

// Named adds a node with a name, which must be new in its block.
func (b *Builder) Named(name string, o Op, in ...Value) Value {
	if o == nil {
		b.Errorf("node %q has no operator", name)
		return 0
	}
	if err := checkName(name); err != nil {
		b.errs = append(b.errs, &NodeError{name, o.String(), err})
		return 0
	}
	full := b.path(name)
	if b.taken[full] != 0 {
		b.errs = append(b.errs, &NodeError{full, o.String(), errors.New("the name is taken; give every node and block of a block another one")})
		return 0
	}
	return b.add(full, o, in)
}

func (b *Builder) path(name string) string {
	if b.at == 0 {
		return name
	}
	return b.g.blocks[b.at].Name + "/" + name
}

func checkName(s string) error {
	switch {
	case s == "" || len(s) > 200 || !utf8.ValidString(s):
		return fmt.Errorf("found the name %.40q, want 1 to 200 bytes of UTF-8", s)
	case strings.ContainsFunc(s, func(r rune) bool { return r == '/' || !unicode.IsPrint(r) }):
		return fmt.Errorf("found the name %q, want printable characters without /", s)
	}
	return nil
}

func (b *Builder) add(name string, o Op, in []Value) Value {
	b.taken[name] = 1
	fail := func(err error) Value {
		b.errs = append(b.errs, &NodeError{name, o.String(), err})
		return 0
	}
	if len(b.g.nodes) == MaxNodes {
		if len(b.errs) == 0 {
			return fail(fmt.Errorf("more than %d nodes", MaxNodes))
		}
		return 0
	}
	ids := b.operands(len(in))
	b.shapes = b.shapes[:0]
	for i, v := range in {
		if v < 1 || int(v) > len(b.g.nodes) {
			if len(b.errs) == 0 {
				return fail(fmt.Errorf("operand %d is no value of this network", i+1))
			}
			return 0
		}
		ids[i] = int(v) - 1
		b.shapes = append(b.shapes, b.g.nodes[ids[i]].Shape)
	}
	s, err := o.infer(b.shapes)
	if err == nil {
		err = s.check()
	}
	if err != nil {
		return fail(err)
	}
	w := work{size: s.Elements(), how: memoryOf(o)}
	if x, ok := o.(weighted); ok {
		b.ts = x.tensors(b.ts[:0], b.shapes)
		for _, t := range b.ts {
			if err := t.Shape.bounded(); err != nil {
				return fail(fmt.Errorf("%s: %w", t.Name, err))
			}
			if t.State {
				w.state += t.Shape.Elements()
			} else {
				w.params += t.Shape.Elements()
			}
		}
	}
	if x, ok := o.(working); ok {
		w.macs = x.macs(b.shapes, s)
		if b.macs += w.macs; b.macs > maxWork {
			return fail(errors.New("found more than 2⁶¹ multiply-accumulates up to here"))
		}
	}
	if a, ok := o.(Attention); ok {
		w.room = a.room(b.shapes)
	}
	b.g.nodes = append(b.g.nodes, Node{name, o, ids, s, b.at})
	b.g.work = append(b.g.work, w)
	return Value(len(b.g.nodes))
}

// operands returns room for the operands of a node.
func (b *Builder) operands(n int) []int {
	if len(b.room) < n {
		b.room = make([]int, max(n, 64))
	}
	ids := b.room[:n:n]
	b.room = b.room[n:]
	return ids
}

// Block adds what f adds as a block with a name, which must be new in the block
// around it, and a label that says what it is, which may be empty.
func (b *Builder) Block(name, label string, f func()) {
	if err := checkName(name); err != nil {
		b.Errorf("block: %w", err)
	}
	full := b.path(name)
	if b.taken[full] != 0 {
		b.Errorf("block %q: the name is taken; give every node and block of a block another one, and add the nodes of a block together", full)
	}
	b.taken[full] = 2
	b.g.blocks = append(b.g.blocks, Block{full, label, b.at})
	around, before := b.at, len(b.g.nodes)
	b.at = len(b.g.blocks) - 1
	f()
	if len(b.g.nodes) == before { // a block is where its nodes are
		b.g.blocks = b.g.blocks[:b.at]
	}
	b.at = around
}

// Shape returns the shape of a value; of the zero Value, the zero Shape.
func (b *Builder) Shape(v Value) Shape {
	if v < 1 || int(v) > len(b.g.nodes) {
		return Shape{}
	}
	return b.g.nodes[v-1].Shape
}

// Errorf adds a mistake of the caller's own.
func (b *Builder) Errorf(format string, args ...any) {
	b.errs = append(b.errs, fmt.Errorf(format, args...))
}

// Build returns the network that has these outputs, or all mistakes. Nothing can
// be added to it any more.
func (b *Builder) Build(outputs ...Value) (*Graph, error) {
	if len(b.errs) == 0 && len(outputs) == 0 {
		b.Errorf("no outputs")
	}
	for i, v := range outputs {
		if len(b.errs) == 0 && (v < 1 || int(v) > len(b.g.nodes)) {
			b.Errorf("output %d is no value of this network", i+1)
		}
		b.g.outputs = append(b.g.outputs, int(v)-1)
	}
	if len(b.errs) > 0 {
		return nil, fmt.Errorf("network %q: %w", b.g.name, errors.Join(b.errs...))
	}
	g := b.g
	b.g = Graph{name: g.name, blocks: []Block{{Parent: -1}}}
	b.Errorf("the network is already built")
	return &g, nil
}
