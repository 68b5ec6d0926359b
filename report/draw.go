package report

import (
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/daedalus-search/daedalus/internal/diagram"
	"github.com/daedalus-search/daedalus/space"
)

// How much of a design is drawn.
const (
	drawWidth  = 640.0 // of the document
	drawRows   = 200   // parameters
	drawChips  = 40    // items of a subset, a permutation or a list of labels
	drawBars   = 64    // numbers of a list
	drawNested = 12    // levels of groups, choices and repeats
	drawSteps  = 150   // nodes of a derivation as a tree
	drawLines  = 60    // nodes of a derivation as an outline
)

// DrawDesign draws a design of any space as a standalone SVG document: numbers
// on their ranges, options among their alternatives, copies of a repeat as
// cards side by side, derivations as trees. What is very large is drawn in part
// and says how much is missing. Problems whose designs have a form of their own
// draw it themselves; see problem.Drawer.
func DrawDesign(w io.Writer, d space.Design) error {
	title := "a design without parameters"
	r := sketcher{params: map[string][]*space.Param{}, rows: drawRows}
	var items []*sketch
	if s := d.Space(); s != nil {
		title = "design " + d.Hash().String()[:8]
		for _, p := range s.Params() {
			r.params[p.Path] = append(r.params[p.Path], p)
		}
		v, err := readOrdered(d.AppendJSON(nil))
		if err != nil {
			return fmt.Errorf("report: a design that is not JSON: %w", err)
		}
		items = r.fields("", v, 0)
	}
	const pad = 16
	var c diagram.Canvas
	y := pad / 2.0
	if len(items) == 0 {
		c.Text(pad, y+20, "no parameters", diagram.Muted)
		y += 30
	}
	f := frame{pad, y, drawWidth - 2*pad, 0}
	y = drawList(&c, items, f, f.columns(items))
	if r.more > 0 {
		c.Text(pad, y+20, fmt.Sprintf("… and %d more", r.more), diagram.Muted)
		y += 30
	}
	return c.WriteSVG(w, drawWidth, y+pad/2, title)
}

// A frame is where something may be drawn: from y down, and how deep it stands
// in boxes.
type frame struct {
	x, y, w float64
	deep    int
}

// Measures of rows and boxes.
const (
	narrow    = 380.0 // a frame below it has its pictures under the names
	rowHeight = 30.0
	indent    = 16.0 // of what belongs to a case
	boxPad    = 14.0
	cardGap   = 22.0
	cardPad   = 12.0
	least     = 116.0 // width of a card
	bold      = 1.08  // how much wider semibold text is
)

// inside is a frame within a box.
func (f frame) inside(pad, top float64) frame {
	return frame{f.x + pad, f.y + top, f.w - 2*pad, f.deep + 1}
}

// ground is the class of a box, which stands out from what it lies on.
func (f frame) ground() string {
	if f.deep%2 == 0 {
		return diagram.Panel
	}
	return diagram.Card
}

// columns are where the pictures of a list's rows begin and where its values
// begin.
type columns struct{ picture, value float64 }

func (f frame) columns(list []*sketch) columns {
	name, value := 64.0, 40.0
	var look func(list []*sketch, in float64)
	look = func(list []*sketch, in float64) {
		for _, s := range list {
			if s.kind != sketchConst && s.kind <= sketchBars || s.kind == sketchCase {
				name = math.Max(name, in+diagram.TextWidth(s.name, diagram.TextSize))
			}
			if s.kind == sketchNumber {
				value = math.Max(value, diagram.TextWidth(s.text, diagram.TextSize)*bold)
			}
			if s.kind == sketchCase {
				look(s.copies[0], in+indent)
			}
		}
	}
	look(list, 0)
	if len(list) == 1 && list[0].name == "" && list[0].kind != sketchCase { // the value of a list: no names to stand beside
		return columns{f.x, f.x + f.w - math.Min(value, f.w*0.3)}
	}
	return columns{f.x + math.Min(name, f.w*0.35) + 20, f.x + f.w - math.Min(value, f.w*0.3)}
}

// drawList draws sketches below each other and returns where they end.
func drawList(c *diagram.Canvas, list []*sketch, f frame, cols columns) float64 {
	boxed := false // what was drawn last
	for i, s := range list {
		box := s.kind == sketchGroup || s.kind == sketchCopies || s.kind == sketchTree
		if f.w >= narrow && i > 0 {
			if box || boxed {
				f.y += 8
			} else if s.kind != sketchNote {
				drawHairline(c, f.x, f.y, f.w)
			}
		}
		f.y = s.draw(c, f, cols)
		boxed = box
	}
	return f.y
}

// drawHairline draws a line that is one pixel high, not two half ones.
func drawHairline(c *diagram.Canvas, x, y, w float64) {
	y = math.Floor(y) + 0.5
	c.Line(x, y, x+w, y, diagram.Rule)
}

func (s *sketch) draw(c *diagram.Canvas, f frame, cols columns) float64 {
	switch s.kind {
	case sketchGroup:
		return s.drawGroup(c, f)
	case sketchCase:
		return s.drawCase(c, f, cols)
	case sketchCopies:
		return s.drawCopies(c, f)
	case sketchTree:
		return s.drawTree(c, f)
	case sketchNote:
		c.TextIn(f.x, f.y+18, f.w, diagram.SmallSize, s.name, "small muted")
		return f.y + 26
	case sketchSet, sketchChain, sketchBars:
		return s.drawItems(c, f, cols)
	}
	if s.about == "" {
		return s.drawRow(c, f, cols)
	}
	var end float64
	c.Titled(s.about, func() { end = s.drawRow(c, f, cols) })
	return end
}

// drawRow draws a single value: its name, where it lies, and what it is.
func (s *sketch) drawRow(c *diagram.Canvas, f frame, cols columns) float64 {
	right := f.x + f.w
	if f.w < narrow {
		return s.drawSlimRow(c, f)
	}
	mid := f.y + rowHeight/2
	base := mid + 4.6
	if s.kind == sketchConst {
		c.TextIn(f.x, base, f.w/2-10, diagram.TextSize, s.name, diagram.Muted)
		c.TextIn(right, base, f.w/2-10, diagram.TextSize, s.text, "muted end")
		return f.y + rowHeight
	}
	c.TextIn(f.x, base, cols.picture-f.x-12, diagram.TextSize, s.name, "")
	switch s.kind {
	case sketchNumber:
		s.drawRange(c, cols.picture, cols.value-16, mid)
		c.TextIn(right, base, right-cols.value, diagram.TextSize*bold, s.text, "strong end")
	case sketchFlag:
		drawSwitch(c, cols.picture, mid, s.text == "true")
		c.Text(cols.picture+38, base, s.text, "")
	case sketchPick:
		s.drawOptions(c, cols.picture, right-cols.picture, mid)
	}
	return f.y + rowHeight
}

// drawSlimRow draws a single value where there is little room.
func (s *sketch) drawSlimRow(c *diagram.Canvas, f frame) float64 {
	right := f.x + f.w
	named := math.Min(diagram.TextWidth(s.name, diagram.TextSize), f.w*0.55)
	room := f.w
	if s.name != "" {
		room -= named + 10
	}
	mid := f.y + 13
	text := diagram.Muted
	c.TextIn(f.x, mid+4.6, named+.1, diagram.TextSize, s.name, text)
	switch s.kind {
	case sketchFlag:
		if room < 70 {
			drawSwitch(c, right-28, mid, s.text == "true")
			break
		}
		c.Text(right-36, mid+4.6, s.text, "end")
		drawSwitch(c, right-28, mid, s.text == "true")
	case sketchPick:
		s.drawPill(c, f, mid, room)
	case sketchNumber:
		c.TextIn(right, mid+4.6, room, diagram.TextSize*bold, s.text, "strong end")
		s.drawTrack(c, f.x+4, right-4, f.y+27)
		return f.y + 37
	default:
		c.TextIn(right, mid+4.6, room, diagram.TextSize, s.text, "muted end")
	}
	return f.y + 28
}

// drawPill draws what was picked in a pill at the end of a row, or at its
// beginning where no name stands.
func (s *sketch) drawPill(c *diagram.Canvas, f frame, y, room float64) {
	w := diagram.PillWidth(s.text, room)
	x := f.x + f.w - w/2
	if s.name == "" {
		x = f.x + w/2
	}
	c.Pill(x, y, w, s.text, s.colour(), diagram.Solid)
}

// colour sets what decides about structure apart from values.
func (s *sketch) colour() diagram.Colour {
	if s.param != nil && s.param.Kind == space.KindChoice {
		return diagram.Purple
	}
	return diagram.Blue
}

// drawOptions draws what was picked among the other options, if they fit.
func (s *sketch) drawOptions(c *diagram.Canvas, x, room, y float64) {
	need := -4.0
	for _, o := range s.list {
		need += diagram.PillWidth(o, room) + 4
	}
	if need > room || len(s.list) < s.total || s.total == 0 {
		w := diagram.PillWidth(s.text, room-70)
		c.Pill(x+w/2, y, w, s.text, s.colour(), diagram.Solid)
		if s.total > 1 {
			c.Text(x+room, y+4.2, fmt.Sprintf("1 of %d", s.total), "small muted end")
		}
		return
	}
	for i, o := range s.list {
		w := diagram.PillWidth(o, room)
		style := diagram.Outline
		if s.in[i] {
			style = diagram.Solid
		}
		c.Pill(x+w/2, y, w, o, s.colour(), style)
		x += w + 4
	}
}

func drawSwitch(c *diagram.Canvas, x, y float64, on bool) {
	if on {
		c.Rect(x, y-8, 28, 16, 8, "fill-green")
		c.Circle(x+20, y, 5.5, diagram.Knob)
		return
	}
	c.Rect(x, y-8, 28, 16, 8, diagram.Track)
	c.Circle(x+8, y, 5.5, diagram.Knob)
}

// drawRange draws where a number lies, with the ends of its range if there is
// room.
func (s *sketch) drawRange(c *diagram.Canvas, x0, x1, y float64) {
	const end = 52
	if p := s.param; p != nil && x1-x0 > 4*end {
		lo, hi := numberText(strconv.FormatFloat(p.Lo, 'g', -1, 64), p.N == 0), numberText(strconv.FormatFloat(p.Hi, 'g', -1, 64), p.N == 0)
		if n := len(p.Labels); n > 0 {
			lo, hi = labelText(p.Labels[0]), labelText(p.Labels[n-1])
		}
		c.TextIn(x0+end-6, y+4, end-8, diagram.SmallSize, lo, "small muted end")
		c.TextIn(x1-end+6, y+4, end-8, diagram.SmallSize, hi, "small muted")
		x0, x1 = x0+end+4, x1-end-4
	}
	s.drawTrack(c, x0, x1, y)
}

// drawTrack draws a number on its range, with a notch for every value if they
// are few.
func (s *sketch) drawTrack(c *diagram.Canvas, x0, x1, y float64) {
	at := x0 + s.at*(x1-x0)
	c.Rect(x0, y-1.5, x1-x0, 3, 1.5, diagram.Track)
	if at > x0 {
		c.Rect(x0, y-1.5, at-x0, 3, 1.5, "fill-blue")
	}
	if p := s.param; p != nil && p.N > 1 && p.N <= 12 {
		for i := range p.N {
			u := share(float64(i), 0, float64(p.N-1), false)
			if p.Labels == nil {
				u = share(p.Number(i), p.Lo, p.Hi, p.Log)
			}
			class := diagram.Track
			if u < s.at {
				class = "fill-blue"
			}
			c.Circle(x0+u*(x1-x0), y, 3, class)
		}
	}
	c.Circle(at, y, 5, "fill-blue")
}

// drawGroup draws nodes in a box with their name.
func (s *sketch) drawGroup(c *diagram.Canvas, f frame) float64 {
	if len(s.copies[0]) == 0 {
		c.TextIn(f.x, f.y+19, f.w/2, diagram.TextSize, s.name, "")
		c.Text(f.x+f.w, f.y+19, "empty", "muted end")
		return f.y + rowHeight
	}
	top := 8.0
	var in diagram.Canvas
	if s.name != "" {
		in.TextIn(f.x+boxPad, f.y+22, f.w-2*boxPad, diagram.TextSize*bold, s.name, diagram.Strong)
		top = 32
	}
	g := f.inside(boxPad, top)
	end := drawList(&in, s.copies[0], g, g.columns(s.copies[0])) + 8
	c.Rect(f.x, f.y, f.w, end-f.y, 10, f.ground())
	c.Append(&in)
	return end + 4
}

// drawCase draws a case with its parameters, hanging from a line.
func (s *sketch) drawCase(c *diagram.Canvas, f frame, cols columns) float64 {
	top := f.y
	if f.w >= narrow {
		c.TextIn(f.x, top+rowHeight/2+4.6, cols.picture-f.x-12, diagram.TextSize, s.name, "")
		s.drawOptions(c, cols.picture, f.x+f.w-cols.picture, top+rowHeight/2)
		f.y += rowHeight
	} else {
		named := math.Min(diagram.TextWidth(s.name, diagram.TextSize), f.w*0.55)
		room := f.w
		if s.name != "" {
			room -= named + 10
			c.TextIn(f.x, top+13+4.6, named+.1, diagram.TextSize, s.name, diagram.Muted)
		}
		s.drawPill(c, f, top+13, room)
		f.y += 28
	}
	g := frame{f.x + indent, f.y, f.w - indent, f.deep}
	end := drawList(c, s.copies[0], g, cols)
	c.Rect(f.x+3, f.y+3, 2.5, math.Max(end-f.y-7, 6), 1.25, "fill-purple faint")
	return end
}

// slim estimates the least width in which a list reads well, or infinity where
// it wants all there is.
func slim(list []*sketch) float64 {
	w := 0.0
	for _, s := range list {
		name := math.Min(diagram.TextWidth(s.name, diagram.TextSize), 130)
		text := math.Min(diagram.TextWidth(s.text, diagram.TextSize)*bold, 130)
		switch s.kind {
		case sketchCopies, sketchTree, sketchGroup, sketchSet, sketchChain, sketchBars:
			return math.Inf(1)
		case sketchFlag:
			w = math.Max(w, name+38)
		case sketchPick, sketchCase:
			w = math.Max(w, name+10+diagram.PillWidth(s.text, 150))
			if s.kind == sketchCase {
				w = math.Max(w, indent+slim(s.copies[0]))
			}
		default:
			w = math.Max(w, name+10+text)
		}
	}
	return w
}

// drawCopies draws the copies of a repeat as cards side by side, in rows of
// about equal length.
func (s *sketch) drawCopies(c *diagram.Canvas, f frame) float64 {
	count := fmt.Sprintf("%d copies", s.total)
	if s.total == 1 {
		count = "1 copy"
	}
	if p := s.param; p != nil && p.Hi > p.Lo {
		count += fmt.Sprintf(", %g to %g allowed", p.Lo, p.Hi)
	}
	mid := f.y + 13
	room := f.w - diagram.TextWidth(count, diagram.SmallSize) - 12
	c.TextIn(f.x, mid+4.6, room, diagram.TextSize*bold, s.name, diagram.Strong)
	c.TextIn(f.x+f.w, mid+4.2, f.w, diagram.SmallSize, count, "small muted end")
	f.y += 28
	n := len(s.copies)
	if n == 0 {
		return f.y
	}
	need := least
	for _, list := range s.copies {
		need = math.Max(need, slim(list)+2*cardPad)
	}
	across := 1
	if need < f.w {
		across = max(1, min(n, int((f.w+cardGap)/(need+cardGap))))
	}
	rows := (n + across - 1) / across
	across = (n + rows - 1) / rows
	width := (f.w - float64(across-1)*cardGap) / float64(across)
	if across > 1 { // few small cards need not fill the row
		width = math.Min(width, math.Max(need*1.5, 300))
	}
	for first := 0; first < n; first += across {
		row := s.copies[first:min(first+across, n)]
		cards := make([]diagram.Canvas, len(row))
		end := f.y
		for i, list := range row {
			g := frame{f.x + float64(i)*(width+cardGap), f.y, width, f.deep}.inside(cardPad, 24)
			cards[i].Text(g.x, f.y+17, strconv.Itoa(first+i+1), "small muted")
			if len(list) == 0 {
				cards[i].Text(g.x, g.y+15, "empty", "small muted")
				g.y += 20
			}
			end = math.Max(end, drawList(&cards[i], list, g, g.columns(list)))
		}
		end += 8
		for i := range row {
			x := f.x + float64(i)*(width+cardGap)
			c.Rect(x, f.y, width, end-f.y, 10, f.ground())
			c.Append(&cards[i])
			if i+1 < len(row) {
				drawChevron(c, x+width+cardGap/2, (f.y+end)/2)
			}
		}
		f.y = end + 10
	}
	if n < s.total {
		c.Text(f.x, f.y+8, fmt.Sprintf("… and %d more copies", s.total-n), "small muted")
		f.y += 18
	}
	return f.y - 4
}

func drawChevron(c *diagram.Canvas, x, y float64) {
	c.Path(diagram.At("M", x-2.5, y-5)+diagram.At("L", x+2.5, y)+diagram.At("L", x-2.5, y+5), "line-grey")
}

// drawItems draws a subset, a permutation or a list of values.
func (s *sketch) drawItems(c *diagram.Canvas, f frame, cols columns) float64 {
	x, w := f.x, f.w
	if f.w >= narrow {
		c.TextIn(f.x, f.y+rowHeight/2+4.6, cols.picture-f.x-12, diagram.TextSize, s.name, "")
		x, w = cols.picture, f.x+f.w-cols.picture
	} else if s.name != "" {
		c.TextIn(f.x, f.y+17.6, f.w, diagram.TextSize, s.name, diagram.Muted)
		f.y += 24
	}
	if s.kind == sketchBars {
		return s.drawBars(c, x, f.y+6, w)
	}
	const line = 28.0
	at, y := x, f.y+rowHeight/2
	place := func(need float64) {
		if at > x && at+need > x+w-10 {
			at, y = x, y+line
		}
	}
	for i, item := range s.list {
		colour, style := diagram.Blue, diagram.Tinted
		if s.kind == sketchSet {
			colour, style = diagram.Green, diagram.Outline
			if s.in[i] {
				style = diagram.Solid
			}
		} else if i > 0 {
			drawChevron(c, at+4, y)
			at += 14
		}
		pw := diagram.PillWidth(item, w-16) // a chevron may follow
		place(pw)
		c.Pill(at+pw/2, y, pw, item, colour, style)
		at += pw + 5
	}
	if more := s.total - len(s.list); more > 0 {
		text := fmt.Sprintf("… and %d more", more)
		place(diagram.TextWidth(text, diagram.SmallSize) + 6)
		c.Text(at+3, y+4.2, text, "small muted")
	} else if len(s.list) == 0 {
		c.Text(x, y+4.6, "none", diagram.Muted)
	}
	return y + rowHeight/2
}

// drawBars draws a list of numbers as bars over their range.
func (s *sketch) drawBars(c *diagram.Canvas, x, y, w float64) float64 {
	const tall = 44.0
	n := len(s.list)
	widest := 0.0
	for _, v := range s.list {
		widest = math.Max(widest, diagram.TextWidth(v, diagram.SmallSize)+6)
	}
	slot := math.Min(math.Max(widest, 30), w/float64(n))
	top := y
	labels := widest <= slot
	if labels {
		top += 16
	}
	bar := math.Min(slot-2, 24)
	if slot > 12 {
		bar = math.Min(slot-5, 24)
	}
	c.Titled(s.about, func() {
		for i, v := range s.list {
			mid := x + (float64(i)+0.5)*slot
			h := 3 + s.ats[i]*(tall-3)
			c.Rect(mid-bar/2, top+tall-h, bar, h, math.Min(3, bar/2), "fill-blue")
			if labels {
				c.Text(mid, top+tall-h-5, v, "small middle")
			}
		}
	})
	drawHairline(c, x, top+tall, slot*float64(n))
	end := top + tall
	if labels && n == s.total && s.unit != "" {
		c.TextIn(x+slot*float64(n)+8, end, w-slot*float64(n)-8, diagram.SmallSize, s.unit, "small muted")
	}
	if !labels || n < s.total {
		note := fmt.Sprintf("%d values, %s", s.total, s.about)
		if s.unit != "" {
			note += ", in " + s.unit
		}
		if n < s.total {
			note += fmt.Sprintf("; the first %d are drawn", n)
		}
		c.TextIn(x, end+16, w, diagram.SmallSize, note, "small muted")
		end += 20
	}
	return end + 8
}
