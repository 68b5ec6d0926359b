package diagram

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"strconv"
)

// A Canvas collects shapes and writes them as one SVG document. The zero Canvas
// is empty and ready. Coordinates are pixels from the top left; classes are
// those of this package, separated by spaces.
type Canvas struct{ b bytes.Buffer }

// num writes a coordinate with at most two decimals.
func num(x float64) string {
	x = math.Round(x*100) / 100
	if x == 0 { // also -0
		return "0"
	}
	return strconv.FormatFloat(x, 'f', -1, 64)
}

// Rect draws a rectangle with rounded corners.
func (c *Canvas) Rect(x, y, w, h, r float64, class string) {
	fmt.Fprintf(&c.b, `<rect class="%s" x="%s" y="%s" width="%s" height="%s" rx="%s"/>`+"\n", class, num(x), num(y), num(w), num(h), num(r))
}

// Circle draws a circle.
func (c *Canvas) Circle(x, y, r float64, class string) {
	fmt.Fprintf(&c.b, `<circle class="%s" cx="%s" cy="%s" r="%s"/>`+"\n", class, num(x), num(y), num(r))
}

// Line draws a straight line.
func (c *Canvas) Line(x1, y1, x2, y2 float64, class string) {
	c.Path("M"+num(x1)+" "+num(y1)+"L"+num(x2)+" "+num(y2), class)
}

// Path draws a path of SVG commands, for which see [At].
func (c *Canvas) Path(d, class string) {
	fmt.Fprintf(&c.b, `<path class="%s" d="%s"/>`+"\n", class, d)
}

// At writes a path command with its coordinates.
func At(command string, xy ...float64) string {
	for i, v := range xy {
		if i > 0 {
			command += " "
		}
		command += num(v)
	}
	return command
}

// Text draws one line of text with its baseline at y; x is where it begins,
// unless the class says [Middle] or [End].
func (c *Canvas) Text(x, y float64, s, class string) {
	if s == "" {
		return
	}
	if class != "" {
		class = ` class="` + class + `"`
	}
	fmt.Fprintf(&c.b, `<text%s x="%s" y="%s">%s</text>`+"\n", class, num(x), num(y), Escape(s))
}

// TextIn draws text cut to a width; what was cut can be read by pointing at it.
// Say in size how large the class makes it.
func (c *Canvas) TextIn(x, y, width, size float64, s, class string) {
	short, cut := Cut(s, size, width)
	if !cut {
		c.Text(x, y, s, class)
		return
	}
	c.Titled(s, func() { c.Text(x, y, short, class) })
}

// Titled draws what f draws, with a text that shows when it is pointed at.
func (c *Canvas) Titled(title string, f func()) {
	fmt.Fprintf(&c.b, "<g><title>%s</title>\n", Escape(clip(title)))
	f()
	c.b.WriteString("</g>\n")
}

// Group draws what f draws, with a class for all of it.
func (c *Canvas) Group(class string, f func()) {
	fmt.Fprintf(&c.b, `<g class="%s">`+"\n", class)
	f()
	c.b.WriteString("</g>\n")
}

// Append draws all of another canvas on top.
func (c *Canvas) Append(o *Canvas) { c.b.Write(o.b.Bytes()) }

// Measures of pills.
const (
	PillHeight  = 22.0
	PillPadding = 9.0
	pillText    = 12.0 // a little above small: white on colour reads smaller
)

// A PillStyle is how much a pill stands out.
type PillStyle uint8

// The styles.
const (
	Solid   PillStyle = iota // filled with the colour
	Tinted                   // a tint of the colour
	Pale                     // the same, its text muted
	Outline                  // a border and muted text
	Bare                     // muted text alone
)

// PillWidth returns how wide a pill with a label is, at most limit.
func PillWidth(label string, limit float64) float64 {
	return math.Min(math.Max(TextWidth(label, pillText)+2*PillPadding, PillHeight), math.Max(limit, PillHeight))
}

// Pill draws a label in a pill of some width around the point (x, y).
func (c *Canvas) Pill(x, y, width float64, label string, colour Colour, style PillStyle) {
	short, cut := Cut(label, pillText, width-2*PillPadding+.01)
	draw := func() {
		shape, text := "fill-"+colour.String(), "pill middle on"
		switch style {
		case Tinted:
			shape, text = "tint-"+colour.String(), "pill middle"
		case Pale:
			shape, text = "tint-"+colour.String(), "pill middle muted"
		case Outline:
			shape, text = Rule, "pill middle muted"
		case Bare:
			shape, text = "", "pill middle muted"
		}
		if shape != "" {
			c.Rect(x-width/2, y-PillHeight/2, width, PillHeight, PillHeight/2, shape)
		}
		c.Text(x, y+4.2, short, text)
	}
	if cut {
		c.Titled(label, draw)
		return
	}
	draw()
}

// WriteSVG writes the document. The title is what a reader that cannot see
// hears.
func (c *Canvas) WriteSVG(w io.Writer, width, height float64, title string) error {
	var b bytes.Buffer
	width, height = math.Ceil(width), math.Ceil(height)
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" class="dd" role="img" viewBox="0 0 %[1]s %[2]s" width="%[1]s" height="%[2]s">`+"\n", num(width), num(height))
	if title != "" {
		fmt.Fprintf(&b, "<title>%s</title>\n", Escape(clip(title)))
	}
	fmt.Fprintf(&b, "<style>%s</style>\n", stylesheet)
	b.Write(c.b.Bytes())
	b.WriteString("</svg>\n")
	_, err := w.Write(b.Bytes())
	return err
}
