package figure

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

const mm = 72 / 25.4 // points

// Distances of a layout, in points.
const (
	margin   = 3.0
	tickLong = 2.5
	gap      = 7.0 // between panels
	keyBar   = 6.0
)

// A sheet is a figure laid out: where everything stands, in points from the
// upper left corner.
type sheet struct {
	frames []frame
	legend []item
	key    *frame // only its y axis counts
	top    float64
}

// A frame is where the marks of a panel stand.
type frame struct {
	*Panel
	row, col   int
	x, y, w, h float64
	sx, sy     scale
	xt, yt     []tick
	lines      [][]string // of the texts of xt, broken to fit
	words      [][]spot   // of each mark
}

// A spot is where a text stands: a place that may differ from that of its
// numbers, at which it begins, has its middle or ends.
type spot struct {
	x, y float64
	side side
}

// An item is an entry of the legend.
type item struct {
	x, y float64
	mark *Mark
}

func (f *Figure) layout() *sheet {
	s := &sheet{top: margin}
	w, h := f.Width*mm, f.Height*mm
	if f.Title != "" {
		s.top += textSize * 1.6
	}
	for r := range f.Panels {
		for c := range f.Panels[r] {
			s.frames = append(s.frames, frame{Panel: &f.Panels[r][c], row: r, col: c})
		}
	}
	marks := f.named()
	legendTop := s.top
	s.top += s.place(marks, 0, w-2*margin, 0)
	right := w - margin
	if k := f.Key; k != nil {
		a := k.axis()
		s.key = &frame{Panel: &Panel{Y: *a}, w: keyBar}
		s.key.yt = a.ticks((h - s.top) / 22)
		right -= keyBar + gap + 3 + widest(s.key.yt, tickSize) + textSize*1.4
	}
	columns, rows := 0, len(f.Panels)
	for _, r := range f.Panels {
		columns = max(columns, len(r))
	}
	if rows == 0 || columns == 0 {
		return s
	}
	lefts, rights := make([]float64, columns), make([]float64, columns)
	tops, bottoms := make([]float64, rows), make([]float64, rows)
	for i := range s.frames {
		p := &s.frames[i]
		rights[p.col] = max(rights[p.col], p.right())
	}
	// Where ticks stand depends on the size of the frames, which depends on the
	// width of the ticks: it settles at once.
	for range 3 {
		for i := range tops {
			tops[i], bottoms[i] = 0, 0
		}
		for i := range s.frames {
			p := &s.frames[i]
			above, below := p.beside()
			tops[p.row], bottoms[p.row] = max(tops[p.row], above), max(bottoms[p.row], below)
		}
		each := (h - margin - s.top - sum(tops) - sum(bottoms) - gap*float64(rows-1)) / float64(rows)
		each = max(each, 10)
		wide := (right - margin - sum(lefts) - sum(rights) - gap*float64(columns-1)) / float64(columns)
		wide = max(wide, 10)
		for i := range s.frames {
			p := &s.frames[i]
			p.w, p.h = wide, each
			p.y = s.top + sum(tops[:p.row+1]) + sum(bottoms[:p.row]) + float64(p.row)*(each+gap)
			p.x = margin + sum(lefts[:p.col+1]) + sum(rights[:p.col]) + float64(p.col)*(wide+gap)
			p.yt = p.Y.ticks(p.h / p.Y.distance())
			p.xt = p.X.ticks(p.w / p.X.spacing())
			p.wrap()
			lefts[p.col] = max(lefts[p.col], p.left())
			// The last number may stick out.
			if n := len(p.xt) - 1; n >= 0 && !p.X.Plain {
				end := p.X.scale(0, wide).at(p.xt[n].x) + width(p.xt[n].text, tickSize)/2 - wide
				if len(p.X.Labels) == 0 {
					rights[p.col] = max(rights[p.col], end+1)
				}
			}
		}
	}
	for i := range s.frames {
		p := &s.frames[i]
		p.sx, p.sy = p.X.scale(p.x, p.x+p.w), p.Y.scale(p.y+p.h, p.y)
	}
	first := &s.frames[0]
	s.place(marks, first.x, w-2*margin, legendTop)
	if s.key != nil {
		last := &s.frames[len(s.frames)-1]
		s.key.x, s.key.y, s.key.h = right+gap, first.y, min(last.y+last.h-first.y, 200)
		s.key.sy = s.key.Y.scale(s.key.y+s.key.h, s.key.y)
		s.key.yt = s.key.Y.ticks(s.key.h / 22)
	}
	for i := range s.frames {
		s.frames[i].write()
	}
	return s
}

func sum(xs []float64) (s float64) {
	for _, x := range xs {
		s += x
	}
	return s
}

// axis is the axis of a key.
func (k *Key) axis() *Axis {
	return &Axis{Title: k.Title, Aim: k.Aim, Low: k.Low, High: k.High, Log: k.Log}
}

// share is where a value lies on the ramp, from 0 to 1.
func (k *Key) share(x float64) float64 {
	s := k.axis().scale(0, 1).at(x)
	if s != s {
		s = 0
	}
	if k.Flip {
		s = 1 - s
	}
	return min(max(s, 0), 1)
}

// named lists the marks of the legend, each name once.
func (f *Figure) named() (out []*Mark) {
	seen := map[string]bool{}
	for r := range f.Panels {
		for c := range f.Panels[r] {
			p := &f.Panels[r][c]
			for m := range p.Marks {
				if m := &p.Marks[m]; m.Name != "" && !seen[m.Name] && p.shows(m) {
					seen[m.Name] = true
					out = append(out, m)
				}
			}
		}
	}
	if len(out) < 2 { // a single name says nothing that the axes do not
		return nil
	}
	return out
}

// shows says whether any dot of a mark lies between the axes.
func (p *Panel) shows(m *Mark) bool {
	if m.Shape != Dots && m.Shape != Rings {
		return true
	}
	for i := range m.X {
		if m.X[i] >= p.X.Low && m.X[i] <= p.X.High && m.Y[i] >= p.Y.Low && m.Y[i] <= p.Y.High {
			return true
		}
	}
	return false
}

// swatch is how wide the sample of a mark in the legend is.
func (m *Mark) swatch() float64 {
	if m.Shape == Lines || m.Shape == Rules {
		return 11
	}
	return 6
}

// place arranges the legend in lines of a width, from a place at the left if
// that leaves room, and returns its height.
func (s *sheet) place(marks []*Mark, left, wide, top float64) float64 {
	s.legend = s.legend[:0]
	if len(marks) == 0 {
		return 0
	}
	x, y, end := 0.0, top+textSize, 0.0
	for _, m := range marks {
		w := m.swatch() + 3 + width(cut(m.Name, wide/2, tickSize), tickSize)
		if x > 0 && x+w > wide {
			x, y = 0, y+tickSize*1.4
		}
		s.legend = append(s.legend, item{x, y, m})
		end = max(end, x+w)
		x += w + 9
	}
	for i := range s.legend {
		s.legend[i].x += max(min(left, margin+wide-end), margin)
	}
	return y + 3 - top
}

func widest(ts []tick, size float64) (w float64) {
	for _, t := range ts {
		w = max(w, width(t.text, size))
	}
	return w
}

// spacing is how far the ticks of an x axis stand apart at least.
func (a *Axis) spacing() float64 {
	if len(a.Labels) > 0 {
		return 14
	}
	return 34
}

// distance is the same for a y axis.
func (a *Axis) distance() float64 {
	if len(a.Labels) > 0 {
		return tickSize * 1.1
	}
	return 22
}

// heading is the title of an axis with what is wanted of it, if there is room.
func (a *Axis) heading(most float64) string {
	if a.Aim != "" && a.Title != "" {
		if s := a.Title + ", " + a.Aim; width(s, textSize) <= most {
			return s
		}
	}
	return cut(a.Title, most, textSize)
}

// left is the room that the y axis needs.
func (p *frame) left() float64 {
	if p.Frame == None {
		return 4
	}
	if p.Y.Plain {
		return tickLong
	}
	w := min(widest(p.yt, tickSize), labelMost) + tickLong + 2.5
	if p.Y.Title != "" {
		w += textSize * 1.3
	}
	return w
}

// labelMost is the most room for the texts of a y axis.
const labelMost = 110

// beside returns the room that is needed above and below.
func (p *frame) beside() (above, below float64) {
	above, below = 2, 3
	if p.Title != "" {
		above += textSize * 1.4
	}
	if p.X.Plain {
		return above, below
	}
	lines := 1
	for _, l := range p.lines {
		lines = max(lines, len(l))
	}
	if p.X.Above {
		return above + tickSize*1.15*float64(lines) + 4, below
	}
	below = tickLong + 1.5 + tickSize*1.15*float64(lines)
	if p.X.Title != "" {
		below += textSize * 1.3
	}
	return above, below + 1
}

// right is the room for texts beside the panel.
func (p *frame) right() float64 {
	w := 3.0
	if p.Frame == None {
		w = 6
	}
	for _, m := range p.Marks {
		if m.Shape == Words && m.Place == Outside {
			for _, t := range m.Text {
				w = max(w, 6+width(t, cmp.Or(m.Size, tickSize)))
			}
		}
	}
	return w
}

// wrap breaks the texts below or above an x axis with labels, so that they stand
// beside each other.
func (p *frame) wrap() {
	p.lines = make([][]string, len(p.xt))
	for i, t := range p.xt {
		p.lines[i] = []string{t.text}
		if len(p.X.Labels) == 0 {
			continue
		}
		room := p.w / (p.X.High - p.X.Low)
		if len(p.xt) > 1 {
			room *= p.xt[1].x - p.xt[0].x
		}
		p.lines[i] = broken(t.text, room-3, tickSize)
	}
}

// broken breaks a text into at most three lines of a width, behind characters
// that stand between words, and cuts what does not fit.
func broken(s string, most, size float64) (out []string) {
	for rest := s; ; {
		if width(rest, size) <= most || len(out) == 2 {
			return append(out, cut(rest, most, size))
		}
		at := -1
		for i, r := range rest {
			if i > 0 && strings.ContainsRune("_./- ", r) {
				if width(rest[:i+1], size) > most {
					break
				}
				at = i + 1
			}
		}
		if at <= 0 {
			return append(out, cut(rest, most, size))
		}
		out, rest = append(out, rest[:at]), rest[at:]
	}
}

// write finds where the words of a panel stand.
func (p *frame) write() {
	p.words = make([][]spot, len(p.Marks))
	var taken []box
	type out struct {
		mark, k int
		y, size float64
	}
	var outside []out
	for i := range p.Marks {
		m := &p.Marks[i]
		if m.Shape != Words {
			continue
		}
		size := cmp.Or(m.Size, tickSize)
		p.words[i] = make([]spot, len(m.Text))
		for k, t := range m.Text {
			x, y := p.sx.at(m.X[k]), p.sy.at(m.Y[k])
			if !(math.Abs(x) < 1e5 && math.Abs(y) < 1e5) { // nowhere, or far beyond the axes
				p.words[i][k] = spot{math.NaN(), math.NaN(), begins}
				continue
			}
			base := y + size*0.35
			switch m.Place {
			case Middle:
				p.words[i][k] = spot{x + m.DX, base + m.DY, middle}
			case Left:
				p.words[i][k] = spot{x + m.DX, base + m.DY, ends}
			case Right:
				p.words[i][k] = spot{x + m.DX, base + m.DY, begins}
			case Outside:
				p.words[i][k] = spot{p.x + p.w + 4, base, begins}
				outside = append(outside, out{i, k, min(max(y, p.y), p.y+p.h), size})
			case Around:
				at, b := p.around(x, y, width(t, size), size, taken)
				p.words[i][k] = at
				taken = append(taken, b)
			}
		}
	}
	// Beside the panel texts keep a line's distance.
	slices.SortStableFunc(outside, func(a, b out) int { return cmp.Compare(a.y, b.y) })
	for range 50 {
		moved := false
		for i := 1; i < len(outside); i++ {
			a, b := &outside[i-1], &outside[i]
			if d := 1.2*max(a.size, b.size) - (b.y - a.y); d > 0.01 {
				a.y, b.y, moved = a.y-d/2, b.y+d/2, true
			}
		}
		if !moved {
			break
		}
	}
	for _, o := range outside {
		p.words[o.mark][o.k].y = o.y + o.size*0.35
	}
}

type box struct{ x0, y0, x1, y1 float64 }

func (a box) meets(b box) bool { return a.x0 < b.x1 && b.x0 < a.x1 && a.y0 < b.y1 && b.y0 < a.y1 }

// around finds a place beside (x, y) for a text, where it hides few marks and no
// other text.
func (p *frame) around(x, y, w, size float64, taken []box) (spot, box) {
	best, cost := spot{}, math.Inf(1)
	var where box
	for _, d := range [][2]float64{{6, 0}, {-6, 0}, {5, -size}, {-5, -size}, {5, size}, {-5, size}, {0, -size - 1}, {0, size + 1}, {12, -2 * size}, {-12, -2 * size}, {12, 2 * size}, {-12, 2 * size}} {
		left := x + d[0]
		at := spot{left, y + d[1] + size*0.35, begins}
		switch {
		case d[0] < 0:
			left, at.side = x+d[0]-w, ends
		case d[0] == 0:
			left, at.side = x-w/2, middle
		}
		b := box{left - 1, y + d[1] - size*0.55, left + w + 1, y + d[1] + size*0.55}
		c := 200 * (max(0, p.x-b.x0) + max(0, b.x1-p.x-p.w) + max(0, p.y-b.y0) + max(0, b.y1-p.y-p.h))
		for _, t := range taken {
			if t.meets(b) {
				c += 2000
			}
		}
		c += 0.2 * math.Hypot(d[0], d[1])
		if c < cost {
			c += p.hidden(b)
		}
		if c < cost {
			best, cost, where = at, c, b
		}
	}
	return best, where
}

// hidden is how much a box hides: points of the front and lines count more than
// others, of which a sample is looked at.
func (p *frame) hidden(b box) (cost float64) {
	for i := range p.Marks {
		m := &p.Marks[i]
		weight := 0.0
		switch {
		case m.Shape == Dots && m.Tone == Best, m.Shape == Lines:
			weight = 3
		case m.Shape == Dots, m.Shape == Rings:
			weight = 0.3
		default:
			continue
		}
		every := len(m.X)/2000 + 1
		for k := 0; k < len(m.X); k += every {
			x, y := p.sx.at(m.X[k]), p.sy.at(m.Y[k])
			near := box{x - 2, y - 2, x + 2, y + 2}
			if m.Shape == Lines && k > 0 && (m.Series == nil || m.Series[k] == m.Series[k-1]) {
				px, py := p.sx.at(m.X[k-1]), p.sy.at(m.Y[k-1])
				near = box{min(x, px), min(y, py), max(x, px) + 0.1, max(y, py) + 0.1}
			}
			if near.meets(b) {
				cost += weight
			}
		}
	}
	return cost
}
