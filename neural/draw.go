package neural

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/daedalus-search/daedalus/internal/diagram"
)

// A part is a box of a drawing: a few nodes, or a block, or several equal ones.
type part struct {
	title, sub string
	colour     diagram.Colour
	look       partLook
	nodes      []int // in their order; of blocks, all
	block      int   // drawn as one box; 0 for none
	repeats    int   // how many equal blocks follow each other here
	shape      string
	none       bool // zeros
	light      bool // only normalisation and activations so far
	ops        int
	full       string // what is shown when it is pointed at
	sign       string // equal for blocks that are wired the same inside
	inner      string // equal for blocks that also say the same inside
}

type partLook uint8

const (
	boxLook    partLook = iota
	circleLook          // a sum or a product
	endLook             // an input or an output
)

// A drawer knows of a network what all its views need.
type drawer struct {
	*Graph
	from, to []int  // the nodes of each block, which follow each other
	parent   []bool // blocks with blocks inside
	readers  []int  // of each node, how often its result is read
	last     []int  // and by which node last; an output, by one more
}

func (g *Graph) drawer() *drawer {
	n := len(g.nodes)
	d := &drawer{g, make([]int, len(g.blocks)), make([]int, len(g.blocks)), make([]bool, len(g.blocks)), make([]int, n), make([]int, n)}
	for b := range d.from {
		d.from[b] = n
	}
	for i, node := range g.nodes {
		for b := node.Block; b >= 0; b = g.blocks[b].Parent {
			d.from[b], d.to[b] = min(d.from[b], i), i+1
		}
		for _, j := range node.In {
			d.readers[j]++
			d.last[j] = i
		}
	}
	for _, b := range g.blocks {
		if b.Parent >= 0 {
			d.parent[b.Parent] = true
		}
	}
	for _, i := range g.outputs {
		d.readers[i]++
		d.last[i] = n
	}
	return d
}

// A view is a block, or the whole network, as parts.
type view struct {
	*drawer
	block int
	parts []part
	of    map[int]int // the part of a node
	lines []viewLine
}

type viewLine struct {
	from, to int
	label    string
}

// Draw draws the network as an SVG document, from the top down. Blocks are boxes;
// equal ones that follow each other are drawn once, with their number, and blocks
// that branch inside are drawn beside the network. Every box says below it what
// shape its result has. Colours follow the reader's light or dark scheme.
func (g *Graph) Draw(w io.Writer) error {
	if len(g.nodes) == 0 {
		return errors.New("neural: a network without nodes cannot be drawn")
	}
	d := g.drawer()
	main := d.view(0)
	var details []*view
	seen := map[string]bool{}
	queue := []*view{main}
	for len(queue) > 0 && len(details) < maxDetails {
		v := queue[0]
		queue = queue[1:]
		for _, p := range v.parts {
			if p.block == 0 || seen[p.sign] || seen[p.title] || d.chain(p.block) {
				continue
			}
			seen[p.sign], seen[p.title] = true, true
			if len(details) < maxDetails {
				inner := d.view(p.block)
				details = append(details, inner)
				queue = append(queue, inner)
			}
		}
	}
	return g.draw(w, main, details)
}

// DrawBlock draws a block of the network alone, or all of it if the name is empty.
func (g *Graph) DrawBlock(w io.Writer, name string) error {
	for i, b := range g.blocks {
		if b.Name == name {
			return g.draw(w, g.drawer().view(i), nil)
		}
	}
	return fmt.Errorf("network %q has no block %q", g.name, name)
}

// maxDetails is how many kinds of blocks are drawn beside the network.
const maxDetails = 6

// chain reports whether the nodes of a block follow each other in one line, so
// that a text says all about it.
func (d *drawer) chain(block int) bool {
	from, to := d.from[block], d.to[block]
	for i := from; i < to; i++ {
		in := d.nodes[i].In
		if i > from && (len(in) != 1 || in[0] != i-1) || len(in) > 1 {
			return false
		}
	}
	return to-from <= 5
}

// view divides a block into parts.
func (d *drawer) view(block int) *view {
	v := &view{drawer: d, block: block, of: map[int]int{}}
	from, to := d.from[block], d.to[block]
	var given []int // from outside
	for i := from; i < to; i++ {
		for _, j := range d.nodes[i].In {
			if j < from && !slices.Contains(given, j) {
				given = append(given, j)
			}
		}
	}
	slices.Sort(given)
	for k, j := range given {
		title := "in"
		if len(given) > 1 {
			title = fmt.Sprintf("in %d", k+1)
		}
		v.add(part{title: title, look: endLook, nodes: []int{j}, shape: d.nodes[j].Shape.String(), full: d.nodes[j].Name})
	}
	for i := from; i < to; {
		if b := d.boxed(d.nodes[i].Block, block); b != 0 {
			v.addBlock(b)
			i = d.to[b]
			continue
		}
		v.addNode(i)
		i++
	}
	v.fold()
	v.connect(from, to)
	v.ends(block, from, to)
	return v
}

// boxed returns the outermost block around a node's that is drawn as one box in
// the view of a block: the first that has a label or no blocks in it.
func (d *drawer) boxed(b, view int) int {
	box := 0
	for ; b != view && b > 0; b = d.blocks[b].Parent {
		if d.blocks[b].Label != "" || !d.parent[b] {
			box = b
		}
	}
	return box
}

func (v *view) add(p part) {
	for _, n := range p.nodes {
		v.of[n] = len(v.parts)
	}
	v.parts = append(v.parts, p)
}

func (v *view) addBlock(b int) {
	from, to := v.from[b], v.to[b]
	name := v.blocks[b].Name
	p := part{block: b, repeats: 1, title: v.blocks[b].Label, full: name}
	short := name[strings.LastIndexByte(name, '/')+1:]
	var texts []string
	heaviest, sign := int64(-1), &strings.Builder{}
	for i := from; i < to; i++ {
		p.nodes = append(p.nodes, i)
		n := &v.nodes[i]
		texts = append(texts, n.Op.String())
		if w := v.work[i].macs; w > heaviest {
			heaviest, p.colour = w, colourOf(n.Op)
		}
		fmt.Fprintf(sign, "%s(", n.Op.Kind())
		for _, j := range n.In {
			if j >= from {
				fmt.Fprintf(sign, "%d,", j-from)
			} else {
				sign.WriteString("in,")
			}
		}
		sign.WriteString(")")
	}
	p.sign = sign.String()
	p.inner = p.sign + strings.Join(texts, " ")
	switch {
	case len(texts) == 1:
		p.title = texts[0]
	case v.chain(b):
		if p.sub = strings.Join(texts, " · "); p.title == "" {
			if p.title, p.sub = p.sub, ""; strings.IndexFunc(short, func(r rune) bool { return r >= '0' && r <= '9' }) < 0 {
				p.title, p.sub = short, p.title
			}
		}
	case p.title == "":
		p.title = short
	}
	for i := to - 1; i >= from; i-- { // the result that is read outside
		if v.last[i] >= to {
			p.shape = v.nodes[i].Shape.String()
			break
		}
	}
	v.add(p)
}

// light operators join the box of the one that they work on.
func light(o Op) bool {
	switch o.(type) {
	case BatchNorm, LayerNorm, Activation, Dropout, DropPath, Softmax, Flatten, Position, ClassToken, ToTokens, ToImage:
		return true
	}
	return false
}

const maxOps = 4 // in one box

func (v *view) addNode(i int) {
	n := &v.nodes[i]
	text := n.Op.String()
	if len(n.In) == 1 && v.readers[n.In[0]] == 1 {
		if k, ok := v.of[n.In[0]]; ok {
			p := &v.parts[k]
			isLight := light(n.Op)
			if p.block == 0 && p.look == boxLook && p.ops < maxOps && (isLight || p.light && unary(n.Op)) {
				p.title += " · " + text
				p.nodes = append(p.nodes, i)
				p.full += ", " + n.Name
				p.light = p.light && isLight
				p.ops++
				p.shape = n.Shape.String()
				if c := colourOf(n.Op); c != diagram.Grey {
					p.colour = c
				}
				v.of[i] = k
				return
			}
		}
	}
	p := part{title: text, colour: colourOf(n.Op), nodes: []int{i}, shape: n.Shape.String(), light: light(n.Op), ops: 1, full: n.Name}
	switch n.Op.(type) {
	case Input:
		p.look, p.title = endLook, n.Name[strings.LastIndexByte(n.Name, '/')+1:]
	case Add, Multiply:
		p.look = circleLook
	case Zero:
		p.none = true
	}
	v.add(p)
}

// unary reports operators that can stand in one box with others.
func unary(o Op) bool {
	switch o.(type) {
	case Add, Multiply, Concat, Attention, Input:
		return false
	}
	return true
}

func colourOf(o Op) diagram.Colour {
	switch o.(type) {
	case Conv:
		return diagram.Blue
	case Linear, Embedding:
		return diagram.Orange
	case Attention:
		return diagram.Purple
	case MaxPool, AvgPool, GlobalPool, Upsample:
		return diagram.Green
	}
	return diagram.Grey
}

// fold draws equal blocks that follow each other once: those whose operands are
// the blocks before them in the run, or what the first one reads as well, and of
// which what comes later reads only the last two.
func (v *view) fold() {
	reads := func(k int) map[int]bool {
		m := map[int]bool{}
		for _, i := range v.parts[k].nodes {
			for _, j := range v.nodes[i].In {
				if f, ok := v.of[j]; ok && f != k {
					m[f] = true
				}
			}
		}
		return m
	}
	readBy := map[int]int{} // the last part that reads a part
	for k := range v.parts {
		for f := range reads(k) {
			readBy[f] = max(readBy[f], k)
		}
	}
	end := func(first int) int {
		given := reads(first)
		e := first + 1
		for ; e < len(v.parts); e++ {
			a, b := &v.parts[first], &v.parts[e]
			if a.block == 0 || b.block == 0 || a.inner != b.inner || a.title != b.title || a.shape != b.shape || v.blocks[a.block].Parent != v.blocks[b.block].Parent {
				break
			}
			ok := false
			for f := range reads(e) {
				if f == e-1 {
					ok = true
				} else if f < first && !given[f] {
					return e
				}
			}
			if !ok {
				break
			}
		}
		for k := first; k < e-2; k++ {
			if readBy[k] >= e {
				return first + 1
			}
		}
		return e
	}
	var kept []part
	for k := 0; k < len(v.parts); {
		e := end(k)
		p := v.parts[k]
		most := len(reads(k))
		for j := k + 1; j < e; j++ {
			p.nodes = append(p.nodes, v.parts[j].nodes...)
			p.repeats++
			if n := len(reads(j)); n > most { // the one to be looked into: the first may read one result twice
				most, p.block = n, v.parts[j].block
			}
		}
		if p.repeats > 1 {
			p.full += " to " + v.blocks[v.parts[e-1].block].Name
		}
		kept = append(kept, p)
		k = e
	}
	v.parts = kept
	for k, p := range kept {
		for _, i := range p.nodes {
			v.of[i] = k
		}
	}
}

// connect finds the lines between the parts.
func (v *view) connect(from, to int) {
	seen := map[viewLine]bool{}
	for i := from; i < to; i++ {
		k := v.of[i]
		n := &v.nodes[i]
		for operand, j := range n.In {
			f, ok := v.of[j]
			if !ok || f == k {
				continue
			}
			e := viewLine{from: f, to: k}
			if _, is := n.Op.(Attention); is && v.parts[k].block == 0 {
				e.label = [...]string{"Q", "K", "V"}[operand]
			}
			twice := v.parts[k].block == 0 && len(n.In) > 1 // x+x is not x
			if !seen[e] || twice {
				seen[e] = true
				v.lines = append(v.lines, e)
			}
		}
	}
}

// ends adds what becomes of the results.
func (v *view) ends(block, from, to int) {
	end := func(title string, i int) {
		v.lines = append(v.lines, viewLine{from: v.of[i], to: len(v.parts)})
		v.parts = append(v.parts, part{title: title, look: endLook, full: v.nodes[i].Name})
	}
	if block == 0 {
		for k, i := range v.outputs {
			title := "output"
			if len(v.outputs) > 1 {
				title += " " + strconv.Itoa(k+1)
			}
			end(title, i)
		}
		return
	}
	for i := from; i < to; i++ {
		if v.last[i] >= to {
			end("out", i)
		}
	}
}

// Measures of a drawing.
const (
	margin    = 20.0
	padding   = 12.0
	lineHigh  = 17.0
	titleHigh = 30.0
	widest    = 340.0
	endHigh   = 26.0
	circle    = 24.0
	panelPad  = 18.0
	panelGap  = 24.0
	semibold  = 1.18 // how much wider that is, and long texts of wide fonts
	stack     = 3.0  // between the sheets of equal blocks
)

// strongWidth is how wide a semibold text is.
func strongWidth(s string) float64 { return float64(semibold * diagram.TextWidth(s, diagram.TextSize)) }

func (p *part) heading() string {
	if p.repeats > 1 {
		return fmt.Sprintf("%d × %s", p.repeats, p.title)
	}
	return p.title
}

// picture places the parts.
func (v *view) picture() (*picture, *layout, error) {
	pic := &picture{}
	for i := range v.parts {
		p := &v.parts[i]
		b := box{}
		switch p.look {
		case circleLook:
			b.w, b.h = circle, circle
		case endLook:
			b.w, b.h = strongWidth(p.title)+2*padding, endHigh
		default:
			b.w = max(strongWidth(p.heading()), diagram.TextWidth(p.sub, diagram.SmallSize))
			b.w, b.h = min(max(b.w, 40), widest)+2*padding, lineHigh+16
			if p.sub != "" {
				b.h += lineHigh - 1
			}
			if p.repeats > 1 {
				b.h += 2 * stack
			}
		}
		b.left, b.right = b.w/2, b.w/2
		if p.repeats > 1 {
			b.right += 2 * stack
		}
		if p.shape != "" {
			b.right = max(b.right, 8+diagram.TextWidth(p.shape, diagram.SmallSize))
		}
		pic.boxes = append(pic.boxes, b)
	}
	arrivals := map[int]int{}
	for _, e := range v.lines {
		if e.label != "" {
			arrivals[e.to]++
		}
	}
	count := map[int]int{}
	for _, e := range v.lines {
		l := line{from: e.from, to: e.to}
		if n := arrivals[e.to]; e.label != "" && n > 1 {
			l.shift = (float64(count[e.to]) - float64(n-1)/2) * pic.boxes[e.to].w / float64(n+1)
			count[e.to]++
		}
		pic.lines = append(pic.lines, l)
	}
	l, err := pic.place()
	return pic, l, err
}

// paint draws a placed view at a place.
func (v *view) paint(c *diagram.Canvas, pic *picture, l *layout, x0, y0 float64) {
	for k := range pic.lines {
		points := l.way(&pic.lines[k])
		for i := range points {
			points[i].x += x0
			points[i].y += y0
		}
		last := len(points) - 1
		d := diagram.At("M", points[0].x, points[0].y)
		for i := 1; i <= last; i++ {
			a, b := points[i-1], points[i]
			if i == last {
				b.y -= 4 // up to the arrow
			}
			if math.Abs(a.x-b.x) < 0.01 {
				d += diagram.At("L", b.x, b.y)
				continue
			}
			bend := (b.y - a.y) * 0.5
			d += diagram.At("C", a.x, a.y+bend, b.x, b.y-bend, b.x, b.y)
		}
		c.Path(d, "line-grey")
		tip := points[last]
		c.Path(diagram.At("M", tip.x, tip.y)+diagram.At("L", tip.x-4.5, tip.y-8)+diagram.At("L", tip.x+4.5, tip.y-8)+"Z", "fill-grey")
		if e := v.lines[k]; e.label != "" {
			c.Text(tip.x+7, tip.y-3, e.label, diagram.Small+" "+diagram.Muted)
		}
	}
	for k := range v.parts {
		v.parts[k].paint(c, &pic.boxes[k], x0, y0)
	}
}

func (p *part) paint(c *diagram.Canvas, b *box, x0, y0 float64) {
	x, y := x0+b.x, y0+b.y
	draw := func() {
		switch p.look {
		case circleLook:
			c.Circle(x, y+b.h/2, b.h/2, "node")
			c.Text(x, y+b.h/2+5, p.title, diagram.Strong+" "+diagram.Middle)
		case endLook:
			c.Rect(x-b.w/2, y, b.w, b.h, b.h/2, "node")
			c.Text(x, y+b.h/2+4.5, p.title, diagram.Strong+" "+diagram.Middle)
		default:
			colour, h := p.colour.String(), b.h
			if p.repeats > 1 {
				y, h = y+2*stack, h-2*stack
				for _, d := range []float64{2 * stack, stack} {
					c.Rect(x-b.w/2+d, y-d, b.w, h, 7, diagram.Card)
				}
			}
			c.Rect(x-b.w/2, y, b.w, h, 7, diagram.Card)
			c.Rect(x-b.w/2, y, b.w, h, 7, "tint-"+colour)
			c.Path(edge(x-b.w/2, y, h), "fill-"+colour)
			room := b.w - 2*padding + 6
			c.TextIn(x+1.5, y+20.5, room, semibold*diagram.TextSize, p.heading(), diagram.Strong+" "+diagram.Middle)
			if p.sub != "" {
				c.TextIn(x+1.5, y+20.5+lineHigh-1, room, diagram.SmallSize, p.sub, diagram.Small+" "+diagram.Muted+" "+diagram.Middle)
			}
		}
	}
	if p.none {
		c.Titled(p.full, func() { c.Group(diagram.Faint, draw) })
	} else {
		c.Titled(p.full, draw)
	}
	x, y = x0+b.x, y0+b.y
	if p.shape != "" {
		c.Text(x+7, y+b.h+13, p.shape, diagram.Small+" "+diagram.Muted)
	}
}

// edge is a coloured left edge of a box with round corners.
func edge(x, y, h float64) string {
	const r, w = 7, 5
	return diagram.At("M", x+w, y) + diagram.At("L", x+r, y) + diagram.At("Q", x, y, x, y+r) + diagram.At("L", x, y+h-r) +
		diagram.At("Q", x, y+h, x+r, y+h) + diagram.At("L", x+w, y+h) + "Z"
}

// draw draws a view, and others beside it.
func (g *Graph) draw(w io.Writer, main *view, details []*view) error {
	pic, l, err := main.picture()
	if err != nil {
		return fmt.Errorf("network %q: %w", g.name, err)
	}
	c := &diagram.Canvas{}
	cost := g.Cost()
	title := g.name
	if title == "" {
		title = "network"
	}
	c.Text(margin, margin+12, title, diagram.Strong)
	facts := fmt.Sprintf("%s parameters · %s multiply-accumulates · %s of activations at most", short(cost.Params, ""), short(cost.MACs, ""), short(cost.PeakBytes, "B"))
	c.Text(margin, margin+12+lineHigh, facts, diagram.Small+" "+diagram.Muted)
	top := margin + titleHigh + lineHigh
	main.paint(c, pic, l, margin, top)
	width, bottom := margin+pic.width, top+pic.height

	x, y, column := width+panelGap, top, 0.0
	limit := max(pic.height, 520)
	for _, d := range details {
		dp, dl, err := d.picture()
		if err != nil {
			continue // too large to be read anyway; DrawBlock says so
		}
		head := d.caption()
		pw := max(dp.width, strongWidth(head)) + 2*panelPad
		ph := dp.height + 2*panelPad + titleHigh
		if y > top && y+ph > top+limit {
			x, y, column = x+column+panelGap, top, 0
		}
		c.Rect(x, y, pw, ph, 10, diagram.Panel)
		c.Text(x+panelPad, y+panelPad+8, head, diagram.Strong)
		d.paint(c, dp, dl, x+(pw-dp.width)/2, y+panelPad+titleHigh)
		column = max(column, pw)
		bottom = max(bottom, y+ph)
		width = max(width, x+pw)
		y += ph + panelGap
	}
	legend := "below each box, the shape of its result: channels×height×width, tokens×features, or features"
	c.Text(margin, bottom+30, legend, diagram.Small+" "+diagram.Muted)
	for _, s := range []string{facts, legend} {
		width = max(width, margin+float64(semibold*diagram.TextWidth(s, diagram.SmallSize)))
	}
	return c.WriteSVG(w, width+margin, bottom+30+margin, "Network "+title+": "+facts)
}

// caption says which block a view is of.
func (v *view) caption() string {
	b := v.blocks[v.block]
	if b.Label != "" {
		return b.Label + ", as " + b.Name
	}
	return b.Name
}

// short writes a number with three digits.
func short(n int64, unit string) string {
	x, prefix := float64(n), ""
	for _, p := range []string{"k", "M", "G", "T", "P"} {
		if x < 1000 {
			break
		}
		x, prefix = x/1000, p
	}
	digits := 0
	switch {
	case prefix == "":
	case x < 10:
		digits = 2
	case x < 100:
		digits = 1
	}
	s := strconv.FormatFloat(x, 'f', digits, 64) + prefix
	if unit != "" {
		s = strconv.FormatFloat(x, 'f', digits, 64) + " " + prefix + unit
	}
	return s
}
