package diagram_test

import (
	"fmt"

	"github.com/daedalus-search/daedalus/internal/diagram"
)

func ExampleGraph() {
	g := diagram.Graph{
		Nodes: []diagram.Node{{Label: "in"}, {Label: "mid"}, {Label: "out"}},
		Edges: []diagram.Edge{
			{From: 0, To: 1, Label: "conv 3×3", Colour: diagram.Orange},
			{From: 1, To: 2, Label: "skip"},
			{From: 0, To: 2, Label: "pool", Colour: diagram.Green},
		},
	}
	l, err := g.Layout()
	if err != nil {
		panic(err)
	}
	fmt.Println("order", l.Order, "with", l.Crossings, "crossings")
	// Output: order [0 1 2] with 0 crossings
}
