package diagram

import (
	"fmt"
	"io"
)

// A Graph is a directed acyclic graph to be drawn. The zero value of every
// field but Nodes works.
type Graph struct {
	Title     string // what a reader that cannot see hears
	Direction Direction
	LabelRoom float64 // least width kept free for each edge's label: drawings of one family that share it are laid out alike
	Nodes     []Node
	Edges     []Edge
}

// A Direction is where edges lead.
type Direction uint8

// The directions.
const (
	Down  Direction = iota // compact: labels stand beside each other's edges
	Right                  // flat: the row grows with every label
)

// A Node of a [Graph].
type Node struct {
	Label  string
	Colour Colour // of its ground; Grey draws it plain
}

// An Edge of a [Graph] leads from one node to another, by their places in
// Nodes. Several edges may join the same two nodes.
type Edge struct {
	From, To int
	Label    string // "" for none
	Colour   Colour
	Style    EdgeStyle
}

// An EdgeStyle is how much an edge stands out.
type EdgeStyle uint8

// The styles of edges.
const (
	Flow   EdgeStyle = iota // a line, its label in a pill of its colour
	Idle                    // a faint line, its label in a pale pill
	Absent                  // a faint dotted line, its label alone
)

// The largest graph that can be drawn: what is larger is no longer read edge by
// edge.
const (
	MaxNodes = 64
	MaxEdges = 256
)

func (g *Graph) check() error {
	if len(g.Nodes) > MaxNodes || len(g.Edges) > MaxEdges {
		return fmt.Errorf("diagram: a graph of %d nodes and %d edges; at most %d and %d can be drawn", len(g.Nodes), len(g.Edges), MaxNodes, MaxEdges)
	}
	for i, e := range g.Edges {
		if e.From < 0 || e.From >= len(g.Nodes) || e.To < 0 || e.To >= len(g.Nodes) {
			return fmt.Errorf("diagram: edge %d leads from node %d to node %d; there are %d nodes", i, e.From, e.To, len(g.Nodes))
		}
	}
	return nil
}

// WriteSVG lays the graph out and writes it as a standalone SVG document.
func (g *Graph) WriteSVG(w io.Writer) error {
	l, err := g.Layout()
	if err != nil {
		return err
	}
	var c Canvas
	for i, r := range l.Edges {
		c.route(&g.Edges[i], &r)
	}
	for i, b := range l.Nodes {
		c.node(&g.Nodes[i], b)
	}
	return c.WriteSVG(w, l.Width, l.Height, g.Title)
}

func (c *Canvas) node(n *Node, b Box) {
	shape, text := "node", "strong middle"
	if n.Colour != Grey {
		shape, text = "fill-"+n.Colour.String(), "strong middle on"
	}
	c.Rect(b.X, b.Y, b.W, b.H, min(b.W, b.H, nodeSize)/2, shape)
	c.TextIn(b.X+b.W/2, b.Y+b.H/2+4.6, b.W-8, TextSize, n.Label, text)
}

func (c *Canvas) route(e *Edge, r *Route) {
	lines := func() {
		line := "line-" + e.Colour.String()
		if e.Style == Absent {
			line += " " + Dotted
		}
		for _, d := range r.paths() {
			c.Path(d, line)
		}
		c.Path(r.arrow(), "fill-"+e.Colour.String())
	}
	if e.Style == Flow {
		lines()
	} else {
		c.Group(Faint, lines)
	}
	if b := r.Label; b.W > 0 {
		style := [...]PillStyle{Flow: Solid, Idle: Pale, Absent: Bare}[e.Style]
		c.Pill(b.X+b.W/2, b.Y+b.H/2, b.W, e.Label, e.Colour, style)
	}
}
