package neural_test

import (
	"fmt"

	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/nets"
)

func Example() {
	b := neural.NewBuilder("small")
	x := b.Input("image", neural.Shape{1, 28, 28})
	x = b.Add(neural.Conv{Out: 6, Kernel: 5, Bias: true}, x)
	x = b.Add(neural.Activation{Func: neural.ReLU}, x)
	x = b.Add(neural.MaxPool{Stride: 2}, x)
	x = b.Add(neural.Flatten{}, x)
	x = b.Add(neural.Linear{Out: 10, Bias: true}, x)
	g, err := b.Build(x)
	if err != nil {
		panic(err)
	}
	for _, n := range g.Nodes() {
		fmt.Println(n.Name, n.Op, n.Shape)
	}
	c := g.Cost()
	fmt.Println(c.Params, "parameters,", c.MACs, "multiply-accumulates")
	// Output:
	// image input 1×28×28
	// conv conv 5×5 6×28×28
	// activation ReLU 6×28×28
	// maxpool max pool 2×2 /2 6×14×14
	// flatten flatten 1176
	// linear linear 10 10
	// 11926 parameters, 129360 multiply-accumulates
}

// A mistake names the node; what is built on it is not complained about.
func ExampleBuilder() {
	b := neural.NewBuilder("wrong")
	x := b.Input("image", neural.Shape{3, 8, 8})
	b.Block("stem", "", func() {
		x = b.Named("wide", neural.Conv{Out: 64, Kernel: 3, Groups: 2}, x)
		x = b.Add(neural.BatchNorm{}, x)
	})
	_, err := b.Build(x)
	fmt.Println(err)
	// Output:
	// network "wrong": node "stem/wide" (conv 3×3 groups 2): groups: found 2 for 3 channels in and 64 out, want a divisor of both
}

// Cells that NAS-Bench-201 tells apart may be the same function.
func ExampleGraph_Class() {
	shape := neural.Shape{16, 32, 32}
	twice := nets.NASBench201{Ops: [6]nets.CellOp{nets.Skip, nets.None, nets.Conv3x3, nets.None, nets.None, nets.Skip}}
	once := nets.NASBench201{Ops: [6]nets.CellOp{nets.None, nets.None, nets.None, nets.Conv3x3, nets.None, nets.None}}
	a, _ := twice.Cell(shape)
	b, _ := once.Cell(shape)
	fmt.Println(a.Class(neural.Published) == b.Class(neural.Published), a.Class(neural.Folded) == b.Class(neural.Folded))
	// Output: false true
}
