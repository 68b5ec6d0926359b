package nasbench201

import (
	"bytes"
	"fmt"
	"io"

	"github.com/daedalus-search/daedalus/space"
)

// The nodes stand in a row; longer edges are arcs above and below it, so that
// no two labels meet.
var (
	nodeX = [4]int{60, 240, 420, 600}
	// arcs give the height of each edge's control point over the row.
	arcs = [6]int{0, -120, 0, -250, 120, 0}
)

const nodeY = 170

// opColours are readable with white text on light and dark ground.
var opColours = [...]string{"#7a8491", "#4a6fa5", "#2f8059", "#b3541e", "#7b4fa3"}

var opLabels = [...]string{"none", "skip", "conv 1×1", "conv 3×3", "avg pool 3×3"}

const drawStyle = `<style>
.n{fill:none;stroke:#57606a;stroke-width:2}.t{fill:#24292f}.m{fill:#57606a}
@media (prefers-color-scheme:dark){.n{stroke:#adbac7}.t{fill:#e6edf3}.m{fill:#adbac7}}
text{font:13px ui-sans-serif,system-ui,sans-serif;text-anchor:middle}
.e{fill:none;stroke-width:2.5}.none{stroke-width:1.5;stroke-dasharray:3 5;opacity:.6}.p{fill:#fff}
</style>
`

// Draw draws the cell of a design as an SVG document: four nodes and what their
// edges compute. Cut edges are dotted. The colours follow the reader's light or
// dark scheme.
func (p *Problem) Draw(w io.Writer, d space.Design) error {
	c, err := p.Cell(d)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 660 300" width="660" height="300" role="img">`+"\n<title>%s</title>\n", c)
	b.WriteString(drawStyle)
	b.WriteString("<defs>\n")
	for o, colour := range opColours {
		fmt.Fprintf(&b, `<marker id="a%d" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="5" markerHeight="5" orient="auto"><path d="M0 0L8 4L0 8z" fill="%s"/></marker>`+"\n", o, colour)
	}
	b.WriteString("</defs>\n")
	const radius = 20
	ops := c.Ops()
	for e, o := range ops {
		x0, x1, h := nodeX[edges[e][0]], nodeX[edges[e][1]], arcs[e]
		class := "e"
		if o == None {
			class = "e none"
		}
		y := nodeY
		switch { // arcs leave and enter on the side they run on
		case h == 0:
			x0, x1 = x0+radius, x1-radius
		case h < 0:
			x0, x1, y = x0+10, x1-10, nodeY-17
		default:
			x0, x1, y = x0+10, x1-10, nodeY+17
		}
		fmt.Fprintf(&b, `<path class="%s" stroke="%s" marker-end="url(#a%d)" d="M%d %dQ%d %d %d %d"/>`+"\n",
			class, opColours[o], o, x0, y, (x0+x1)/2, y+h, x1, y)
	}
	for e, o := range ops {
		x := (nodeX[edges[e][0]] + nodeX[edges[e][1]]) / 2
		y := nodeY + arcs[e]/2 // the middle of a quadratic curve is half way to its control point
		switch {
		case arcs[e] < 0:
			y -= 17
		case arcs[e] > 0:
			y += 17
		}
		width := 16 + 8*len([]rune(opLabels[o]))
		fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%d" height="22" rx="11" fill="%s"/><text class="p" x="%d" y="%d">%s</text>`+"\n",
			x-width/2, y-11, width, opColours[o], x, y+5, opLabels[o])
	}
	for n, name := range []string{"in", "1", "2", "out"} {
		fmt.Fprintf(&b, `<circle class="n" cx="%d" cy="%d" r="%d"/><text class="t" x="%d" y="%d">%s</text>`+"\n", nodeX[n], nodeY, radius, nodeX[n], nodeY+5, name)
	}
	fmt.Fprintf(&b, `<text class="m" x="330" y="292" font-size="11">%s</text>`+"\n</svg>\n", c)
	_, err = w.Write(b.Bytes())
	return err
}
