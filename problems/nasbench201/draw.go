package nasbench201

import (
	"io"
	"math"

	"github.com/daedalus-search/daedalus/internal/diagram"
	"github.com/daedalus-search/daedalus/space"
)

// looks is how each operation is drawn.
var looks = [...]struct {
	label  string
	colour diagram.Colour
}{
	None:        {"none", diagram.Grey},
	SkipConnect: {"skip", diagram.Grey},
	NorConv1x1:  {"conv 1×1", diagram.Blue},
	NorConv3x3:  {"conv 3×3", diagram.Orange},
	AvgPool3x3:  {"avg pool 3×3", diagram.Green},
}

// Draw draws the cell of a design as an SVG document: four nodes and what their
// edges compute. Cut edges are dotted, and edges on no way from the input to
// the output are pale. The colours follow the reader's light or dark scheme.
func (p *Problem) Draw(w io.Writer, d space.Design) error {
	c, err := p.Cell(d)
	if err != nil {
		return err
	}
	return c.graph().WriteSVG(w)
}

// graph is the cell as something to draw.
func (c Cell) graph() *diagram.Graph {
	g := &diagram.Graph{
		Title:     "NAS-Bench-201 cell " + c.String(),
		LabelRoom: diagram.PillWidth(looks[AvgPool3x3].label, math.Inf(1)), // all cells alike
		Nodes:     []diagram.Node{{Label: "in"}, {Label: "1"}, {Label: "2"}, {Label: "out"}},
	}
	ops := c.Ops()
	reached, needed := [4]bool{0: true}, [4]bool{3: true}
	for e, o := range ops { // the edges are in topological order
		if o != None && reached[edges[e][0]] {
			reached[edges[e][1]] = true
		}
	}
	for _, e := range [...]int{5, 4, 3, 2, 1, 0} { // edges into later nodes first
		if ops[e] != None && needed[edges[e][1]] {
			needed[edges[e][0]] = true
		}
	}
	for e, o := range ops {
		from, to := edges[e][0], edges[e][1]
		style := diagram.Flow
		switch {
		case o == None:
			style = diagram.Absent
		case !reached[from] || !needed[to]:
			style = diagram.Idle
		}
		g.Edges = append(g.Edges, diagram.Edge{From: from, To: to, Label: looks[o].label, Colour: looks[o].colour, Style: style})
	}
	return g
}
