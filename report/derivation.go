package report

import (
	"fmt"
	"math"
	"strings"

	"github.com/daedalus-search/daedalus/internal/diagram"
)

// drawTree draws a derivation: as a tree if that fits, as an outline if not,
// and below it what it derives.
func (s *sketch) drawTree(c *diagram.Canvas, f frame) float64 {
	var in diagram.Canvas
	y := f.y + 8
	if s.name != "" {
		in.TextIn(f.x+boxPad, f.y+22, f.w-2*boxPad, diagram.TextSize*bold, s.name, diagram.Strong)
		y = f.y + 34
	}
	x, w := f.x+boxPad, f.w-2*boxPad
	left := drawSteps
	root := treeOf(s.tree, &left)
	width, height := root.tidy(12)
	if width > w {
		width, height = root.tidy(6)
	}
	if left > 0 && width <= w {
		root.draw(&in, x+(w-width)/2, y)
		y += height
	} else {
		y = drawOutline(&in, s.tree, x, y, w)
	}
	y += 14
	drawHairline(&in, x, y, w)
	y = drawWords(&in, s.tokens, x, y+6, w)
	c.Rect(f.x, f.y, f.w, y+8-f.y, 10, f.ground())
	c.Append(&in)
	return y + 12
}

// drawWords writes words in lines, three at most.
func drawWords(c *diagram.Canvas, words []string, x, y, w float64) float64 {
	const advance = 0.62 * diagram.SmallSize // of a character that is as wide as any other
	most := int(w / advance)
	var line strings.Builder
	size, lines := 0, 0
	flush := func(end string) {
		y += 18
		c.Text(x, y-4, line.String()+end, "small mono muted")
		line.Reset()
		size = 0
		lines++
	}
	for _, word := range words {
		runes := []rune(word)
		if len(runes) > most/2 {
			runes = append(runes[:most/2], '…')
		}
		if size > 0 && size+1+len(runes) > most-2 {
			if lines == 2 {
				flush(" …")
				return y
			}
			flush("")
		}
		if size > 0 {
			line.WriteByte(' ')
			size++
		}
		line.WriteString(string(runes))
		size += len(runes)
	}
	if size > 0 {
		flush("")
	}
	return y
}

// A branch is a node of a derivation that is drawn as a tree.
type branch struct {
	box   diagram.Tree
	label string
	title string
	leaf  bool // it stands for a terminal
	with  []string
	kids  []*branch
}

const chipLimit = 130.0 // widest label of a derivation

// treeOf makes the nodes of a derivation, as many as are left. A production of
// a single terminal is one node.
func treeOf(s *step, left *int) *branch {
	*left--
	b := &branch{label: s.symbol, with: s.with}
	if t, ok := s.terminal(); ok {
		b.label, b.leaf, b.title = t, true, s.symbol+" → "+t
		return b
	}
	for _, p := range s.parts {
		if *left <= 0 {
			break
		}
		if p.step != nil {
			b.kids = append(b.kids, treeOf(p.step, left))
			continue
		}
		*left--
		b.kids = append(b.kids, &branch{label: p.terminal, leaf: true})
	}
	return b
}

// tidy places the branch and what is below it.
func (b *branch) tidy(gap float64) (width, height float64) {
	var size func(*branch)
	size = func(b *branch) {
		b.box.Kids = nil
		b.box.W, b.box.H = diagram.PillWidth(b.label, chipLimit), diagram.PillHeight
		for _, t := range b.with {
			b.box.W = math.Max(b.box.W, math.Min(diagram.TextWidth(t, diagram.SmallSize), chipLimit))
			b.box.H += 15
		}
		for _, k := range b.kids {
			size(k)
			b.box.Kids = append(b.box.Kids, &k.box)
		}
	}
	size(b)
	return b.box.Tidy(gap, 24)
}

func (b *branch) draw(c *diagram.Canvas, x, y float64) {
	foot := y + b.box.Y + diagram.PillHeight
	for _, k := range b.kids {
		x0, y0, x1, y1 := x+b.box.X, foot, x+k.box.X, y+k.box.Y
		mid := y1 - 12
		c.Path(diagram.At("M", x0, y0)+diagram.At("C", x0, mid+4, x1, mid-8, x1, y1), "line-grey faint")
	}
	for _, k := range b.kids {
		k.draw(c, x, y)
	}
	chip := func() {
		drawSymbol(c, x+b.box.X-diagram.PillWidth(b.label, chipLimit)/2, y+b.box.Y+diagram.PillHeight/2, b.label, b.leaf)
	}
	if b.title != "" {
		c.Titled(b.title, chip)
	} else {
		chip()
	}
	for i, t := range b.with {
		c.TextIn(x+b.box.X, foot+12+15*float64(i), chipLimit, diagram.SmallSize, t, "small muted middle")
	}
}

// drawSymbol draws a terminal or a nonterminal from x on and returns its width.
func drawSymbol(c *diagram.Canvas, x, y float64, label string, leaf bool) float64 {
	w := diagram.PillWidth(label, chipLimit)
	if leaf {
		c.Pill(x+w/2, y, w, label, diagram.Orange, diagram.Solid)
	} else {
		c.Pill(x+w/2, y, w, label, diagram.Grey, diagram.Tinted)
	}
	return w
}

// short reports whether all that a production derives are terminals, one a
// part, that fit into a width together.
func (s *step) short(width float64) bool {
	for _, p := range s.parts {
		t := p.terminal
		if p.step != nil {
			var ok bool
			if t, ok = p.step.terminal(); !ok {
				return false
			}
			if len(p.step.with) > 0 {
				text := strings.Join(p.step.with, ", ")
				width -= math.Min(diagram.TextWidth(text, diagram.SmallSize), chipLimit)*bold + 8
			}
		}
		width -= diagram.PillWidth(t, chipLimit) + 5
	}
	return width >= 0
}

// drawOutline draws a derivation as an indented list. A production that
// derives but a few terminals takes one line.
func drawOutline(c *diagram.Canvas, root *step, x, y, w float64) float64 {
	const line, in = 27.0, 20.0
	drawn, missing := 0, 0
	// draw returns the middle of its first line.
	var draw func(s *step, level int) float64
	draw = func(s *step, level int) float64 {
		at, mid := x+float64(level)*in, y+line/2
		y += line
		drawn++
		words := func(with []string) {
			if len(with) == 0 {
				return
			}
			t, _ := diagram.Cut(strings.Join(with, ", "), diagram.SmallSize, chipLimit)
			c.Text(at, mid+4.2, t, "small muted")
			at += diagram.TextWidth(t, diagram.SmallSize)*bold + 8
		}
		if t, ok := s.terminal(); ok {
			at += 5 + drawSymbol(c, at, mid, t, true)
			words(s.with)
			return mid
		}
		at += 5 + drawSymbol(c, at, mid, s.symbol, false)
		words(s.with)
		if s.short(x + w - at) {
			for _, p := range s.parts {
				t, with := p.terminal, []string(nil)
				if p.step != nil {
					t, _ = p.step.terminal()
					with = p.step.with
				}
				at += 5 + drawSymbol(c, at, mid, t, true)
				words(with)
			}
			return mid
		}
		stem := x + float64(level)*in + in/2
		last := mid
		for _, p := range s.parts {
			if drawn >= drawLines || level > 16 {
				if p.step != nil {
					missing += p.step.size()
				}
				continue
			}
			if p.step != nil {
				last = draw(p.step, level+1)
			} else {
				last = y + line/2
				drawSymbol(c, x+float64(level+1)*in, last, p.terminal, true)
				y += line
				drawn++
			}
			c.Line(stem, last, stem+in/2, last, diagram.Rule)
		}
		if last > mid {
			c.Line(stem, mid+diagram.PillHeight/2, stem, last, diagram.Rule)
		}
		return mid
	}
	draw(root, 0)
	if missing > 0 {
		c.Text(x, y+16, fmt.Sprintf("… and %d more productions", missing), "small muted")
		y += 22
	}
	return y
}
