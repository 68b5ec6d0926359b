// Package diagram draws small graphs and trees as standalone SVG documents that
// read well on light and on dark ground.
//
//	g := diagram.Graph{
//		Nodes: []diagram.Node{{Label: "in"}, {Label: "mid"}, {Label: "out"}},
//		Edges: []diagram.Edge{
//			{From: 0, To: 1, Label: "conv 3×3", Colour: diagram.Orange},
//			{From: 1, To: 2, Label: "skip"},
//			{From: 0, To: 2, Label: "pool", Colour: diagram.Green},
//		},
//	}
//	err := g.WriteSVG(os.Stdout)
//
// A [Graph] stands in a row, in an order that its edges allow. Edges between
// neighbours run straight, all others beside the row, on either side of it.
// Two edges on one side cross exactly when their ends interleave, so whether an
// order can be drawn without crossings is whether a graph can be coloured with
// two colours, and the search for a good order is a search for few odd cycles
// (order.go). Lines and labels then take the nearest place where they touch
// nothing (layout.go). [Layout.Crossings] says how many crossings are left.
//
// A [Tree] is laid out from the top down (tree.go). A [Canvas] is what both are
// drawn on, for drawings of other kinds in the same style: text is escaped and
// cut, colours follow the reader's scheme and can be told apart by people who
// see few of them (style.go).
//
// Equal input gives equal bytes. Texts are measured by estimate, since the
// reader's fonts are not known.
package diagram
