package nets

import (
	"fmt"

	"github.com/daedalus-search/daedalus/neural"
)

// MLP is a network for tables: numbers and categories go through hidden layers.
type MLP struct {
	Numbers    int   // columns of numbers
	Categories []int // columns of categories: how many each has
	Embed      int   // features of each category column; 0 means half as many as categories, rounded up, at most 50
	Hidden     []int // features of the hidden layers
	Func       neural.Func
	BatchNorm  bool
	Dropout    float64
	Residual   bool // adds the operand of a hidden layer of the same width
	Out        int
}

// Graph builds the network.
func (n MLP) Graph() (*neural.Graph, error) {
	b := begin("mlp")
	var columns []neural.Value
	if n.Numbers > 0 {
		columns = append(columns, b.Input("numbers", neural.Shape{n.Numbers}))
	}
	for i, size := range n.Categories {
		name := fmt.Sprintf("category%d", i+1)
		x := b.Named(name, neural.Input{Shape: neural.Shape{1}, Below: size})
		columns = append(columns, b.block(fmt.Sprintf("embed%d", i+1), fmt.Sprintf("%d categories", size), x, func(x neural.Value) neural.Value {
			x = b.Named("embedding", neural.Embedding{Size: size, Out: or(n.Embed, min((size+1)/2, 50))}, x)
			return b.Named("features", neural.Flatten{}, x)
		}))
	}
	if len(columns) == 0 {
		return nil, fmt.Errorf("mlp: found no columns, want numbers or categories")
	}
	x := columns[0]
	if len(columns) > 1 {
		x = b.Named("columns", neural.Concat{}, columns...)
	}
	f := n.Func
	if f == "" {
		f = neural.ReLU
	}
	for i, width := range n.Hidden {
		x = b.block(fmt.Sprintf("layer%d", i+1), "", x, func(x neural.Value) neural.Value {
			y := b.Named("linear", neural.Linear{Out: width, Bias: !n.BatchNorm}, x)
			if n.BatchNorm {
				y = b.Named("bn", neural.BatchNorm{}, y)
			}
			y = b.act("", f, y)
			if n.Dropout > 0 {
				y = b.Named("dropout", neural.Dropout{Rate: n.Dropout}, y)
			}
			if n.Residual && b.Shape(x) == b.Shape(y) {
				y = b.Named("sum", neural.Add{}, x, y)
			}
			return y
		})
	}
	return b.Build(b.Named("out", neural.Linear{Out: n.Out, Bias: true}, x))
}
