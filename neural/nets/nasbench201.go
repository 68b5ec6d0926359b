package nets

import (
	"fmt"

	"github.com/daedalus-search/daedalus/neural"
)

// A CellOp is what an edge of a NAS-Bench-201 cell computes.
type CellOp uint8

// The operations in the order of the benchmark.
const (
	None    CellOp = iota // zeros
	Skip                  // identity
	Conv1x1               // ReLU, convolution, batch normalisation
	Conv3x3               // the same with a kernel of 3
	AvgPool3x3
)

var cellOps = [...]string{"none", "skip", "conv1x1", "conv3x3", "avgpool3x3"}

// String returns a short name.
func (o CellOp) String() string {
	if int(o) < len(cellOps) {
		return cellOps[o]
	}
	return fmt.Sprintf("CellOp(%d)", uint8(o))
}

// cellEdges are the edges of the cell in the order of the benchmark's strings.
var cellEdges = [6][2]int{{0, 1}, {0, 2}, {1, 2}, {0, 3}, {1, 3}, {2, 3}}

// NASBench201 is a network of NAS-Bench-201: three stages of equal cells, between
// which residual blocks halve the image and double the channels (Dong and Yang
// 2020, figure 1).
type NASBench201 struct {
	Ops      [6]CellOp    // of the edges 0→1, 0→2, 1→2, 0→3, 1→3, 2→3
	Channels int          // of the first stage; 0 means 16
	Cells    int          // in each stage; 0 means 5
	Classes  int          // 0 means 10
	Image    neural.Shape // 0 means 3×32×32
}

// Graph builds the network.
func (n NASBench201) Graph() (*neural.Graph, error) {
	b := begin("nas-bench-201")
	channels := or(n.Channels, 16)
	x := b.Input("image", image(n.Image))
	x = b.block("stem", "stem", x, func(x neural.Value) neural.Value {
		return b.convNorm("", neural.Conv{Out: channels, Kernel: 3}, "", x)
	})
	for s := range 3 {
		b.Block(stage(s), "", func() {
			if s > 0 {
				channels *= 2
				x = b.block("reduce", "residual block /2", x, func(x neural.Value) neural.Value { return n.reduce(b, channels, x) })
			}
			for c := range or(n.Cells, 5) {
				x = b.block(fmt.Sprintf("cell%d", c+1), "cell", x, func(x neural.Value) neural.Value { return n.cell(b, x) })
			}
		})
	}
	x = n.head(b, x)
	return b.Build(x)
}

// Cell builds a cell alone, on an input of a shape.
func (n NASBench201) Cell(s neural.Shape) (*neural.Graph, error) {
	b := begin("nas-bench-201 cell")
	return b.Build(n.cell(b, b.Input("in", s)))
}

// Cost returns the cost of the network from those of its parts, which is faster
// than building all of it.
func (n NASBench201) Cost() (neural.Cost, error) {
	shape, channels := image(n.Image), or(n.Channels, 16)
	b := begin("parts")
	x := b.convNorm("", neural.Conv{Out: channels, Kernel: 3}, "", b.Input("image", shape))
	g, err := b.Build(x)
	if err != nil {
		return neural.Cost{}, err
	}
	total := g.Cost()
	shape = neural.Shape{channels, shape[1], shape[2]}
	for s := range 3 {
		if s > 0 {
			channels *= 2
			b = begin("parts")
			x = n.reduce(b, channels, b.Input("image", shape))
			shape = b.Shape(x)
			if g, err = b.Build(x); err != nil {
				return neural.Cost{}, err
			}
			total = total.Then(g.Cost())
		}
		if g, err = n.Cell(shape); err != nil {
			return neural.Cost{}, err
		}
		total = total.Then(g.Cost().Times(or(n.Cells, 5)))
	}
	b = begin("parts")
	if g, err = b.Build(n.head(b, b.Input("image", shape))); err != nil {
		return neural.Cost{}, err
	}
	return total.Then(g.Cost()), nil
}

// head normalises, takes the mean and classifies.
func (n NASBench201) head(b parts, x neural.Value) neural.Value {
	return b.block("head", "", x, func(x neural.Value) neural.Value {
		x = b.Named("bn", neural.BatchNorm{}, x)
		x = b.act("", neural.ReLU, x)
		return b.classify(or(n.Classes, 10), x)
	})
}

// reduce is the residual block; its shortcut pools and has no normalisation.
func (n NASBench201) reduce(b parts, channels int, x neural.Value) neural.Value {
	y := b.Named("relu1", neural.Activation{Func: neural.ReLU}, x)
	y = b.convNorm("a_", neural.Conv{Out: channels, Kernel: 3, Stride: 2}, neural.ReLU, y)
	y = b.convNorm("b_", neural.Conv{Out: channels, Kernel: 3}, "", y)
	z := b.Named("shortcut_pool", neural.AvgPool{Kernel: 2, Stride: 2, Pad: neural.Valid}, x)
	z = b.Named("shortcut_conv", neural.Conv{Out: channels}, z)
	return b.Named("sum", neural.Add{}, z, y)
}

func (n NASBench201) cell(b parts, x neural.Value) neural.Value {
	nodes := [4]neural.Value{x}
	var terms []neural.Value
	for e, o := range n.Ops {
		from, to := cellEdges[e][0], cellEdges[e][1]
		name := fmt.Sprintf("%d-%d_%s", from, to, o)
		y := nodes[from]
		switch o {
		case None:
			y = b.Named(name, neural.Zero{}, y)
		case Skip:
			y = b.Named(name, neural.Identity{}, y)
		case AvgPool3x3:
			y = b.Named(name, neural.AvgPool{Kernel: 3}, y)
		case Conv1x1, Conv3x3:
			y = b.block(name, "", y, func(y neural.Value) neural.Value {
				y = b.act("", neural.ReLU, y)
				return b.convNorm("", neural.Conv{Kernel: 1 + 2*int(o-Conv1x1)}, "", y)
			})
		default:
			b.Errorf("edge %d→%d: found %v, want one of %v", from, to, o, cellOps)
			return 0
		}
		if terms = append(terms, y); len(terms) == to { // a node has as many edges as nodes before it
			if nodes[to] = y; to > 1 {
				nodes[to] = b.Named(fmt.Sprintf("node%d", to), neural.Add{}, terms...)
			}
			terms = nil
		}
	}
	return nodes[3]
}
