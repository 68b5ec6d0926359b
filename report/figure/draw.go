package figure

import (
	"cmp"
	"image"
	"math"
	"slices"
)

// Above so many dots a cloud is drawn as an image: it looks the same, and stays
// small.
const mostDots = 5000

// crowded says whether a mark of n dots is part of such a cloud: its own, or
// that of the figure.
func (f *Figure) crowded(n int) bool {
	if n > mostDots {
		return true
	}
	sum := 0
	for _, row := range f.Panels {
		for _, p := range row {
			for _, m := range p.Marks {
				if m.Shape == Dots || m.Shape == Rings {
					sum += len(m.X)
				}
			}
		}
	}
	return sum > 4*mostDots && n > mostDots/4
}

// draw draws a figure on a surface.
func (f *Figure) draw(s surface) {
	t := f.theme()
	sh := f.layout()
	if f.Title != "" {
		x := margin
		if len(sh.frames) > 0 {
			x = sh.frames[0].x
		}
		s.text(text{x: x, y: margin + textSize, s: cut(f.Title, f.Width*mm-x-margin, textSize+1), size: textSize + 1, c: t.of(Ink)})
	}
	for _, it := range sh.legend {
		f.swatch(s, it)
	}
	for i := range sh.frames {
		f.panel(s, &sh.frames[i])
	}
	if k := sh.key; k != nil {
		f.ramp(s, k)
	}
}

// line is a path of straight lines.
func line(xy ...float64) (p path) {
	for i := 0; i+1 < len(xy); i += 2 {
		if i == 0 {
			p.move(xy[i], xy[i+1])
		} else {
			p.line(xy[i], xy[i+1])
		}
	}
	return p
}

// swatch draws an entry of the legend.
func (f *Figure) swatch(s surface, it item) {
	t, m := f.theme(), it.mark
	c := t.of(m.Tone)
	if m.V != nil {
		c = t.shade(0.7)
	}
	if m.Alpha > 0 { // faint ones must still be seen
		c.a = max(m.Alpha, 0.45)
	}
	x, y := it.x, it.y-tickSize*0.32
	switch m.Shape {
	case Dots:
		s.dots([]float64{x + m.swatch()/2}, []float64{y}, min(max(m.size(), 3), 5), c)
	case Rings:
		var p path
		p.circle(x+m.swatch()/2, y, min(max(m.size(), 3), 5)/2)
		s.stroke(p, c, 0.6, false)
	case Lines, Rules:
		s.stroke(line(x, y, x+m.swatch(), y), c, m.size(), m.Dashed)
	default:
		var p path
		p.box(x, y-3, m.swatch(), 6)
		s.fill(p, c)
	}
	s.text(text{x: x + m.swatch() + 3, y: it.y, s: cut(m.Name, f.Width*mm/2, tickSize), size: tickSize, c: t.of(Ink)})
}

// size is the diameter of dots or the width of lines.
func (m *Mark) size() float64 {
	if m.Size > 0 {
		return m.Size
	}
	switch m.Shape {
	case Dots, Rings:
		return 2.6
	case Words:
		return tickSize
	}
	return 1
}

// panel draws one pair of axes and what stands between them.
func (f *Figure) panel(s surface, p *frame) {
	t := f.theme()
	black, muted, faint := t.of(Ink), t.of(Muted), t.of(Faint)
	if p.Frame == Open {
		var grid path
		for _, k := range p.xt {
			if x := p.sx.at(k.x); k.text != "" && len(p.X.Labels) == 0 && x >= p.x-0.01 && x <= p.x+p.w+0.01 {
				grid = append(grid, line(x, p.y, x, p.y+p.h)...)
			}
		}
		for _, k := range p.yt {
			if y := p.sy.at(k.x); k.text != "" && len(p.Y.Labels) == 0 && y >= p.y-0.01 && y <= p.y+p.h+0.01 {
				grid = append(grid, line(p.x, y, p.x+p.w, y)...)
			}
		}
		if len(grid) > 0 {
			s.stroke(grid, faint, 0.4, false)
		}
	}
	s.clip(p.x, p.y, p.w, p.h)
	for i := range p.Marks {
		f.mark(s, p, &p.Marks[i])
	}
	s.unclip()
	// The axes.
	var axes path
	switch p.Frame {
	case Open:
		axes = line(p.x, p.y, p.x, p.y+p.h, p.x+p.w, p.y+p.h)
	case Closed:
		axes.box(p.x, p.y, p.w, p.h)
	}
	if p.Frame != None {
		for _, k := range p.xt {
			if x := p.sx.at(k.x); !p.X.Above && len(p.X.Labels) == 0 {
				axes = append(axes, line(x, p.y+p.h, x, p.y+p.h+long(k))...)
			}
		}
		for _, k := range p.yt {
			if y := p.sy.at(k.x); len(p.Y.Labels) == 0 {
				axes = append(axes, line(p.x, y, p.x-long(k), y)...)
			}
		}
		s.stroke(axes, muted, 0.5, false)
	}
	if p.Title != "" {
		y := p.y - textSize*0.5
		if p.X.Above {
			above, _ := p.beside()
			y = p.y - above + textSize
		}
		s.text(text{x: p.x + p.w/2, y: y, s: cut(p.Title, p.w+gap, textSize), size: textSize, c: black, side: middle})
	}
	if !p.X.Plain {
		for i, k := range p.xt {
			x := p.sx.at(k.x)
			for j, l := range p.lines[i] {
				y := p.y + p.h + tickLong + 1.5 + tickSize*(0.85+1.15*float64(j))
				if p.X.Above {
					y = p.y - 4 - tickSize*1.15*float64(len(p.lines[i])-1-j)
				}
				s.text(text{x: x, y: y, s: l, size: tickSize, c: black, side: middle})
			}
		}
		if p.X.Title != "" {
			_, below := p.beside()
			s.text(text{x: p.x + p.w/2, y: p.y + p.h + below - 3, s: p.X.heading(p.w + 24), size: textSize, c: black, side: middle})
		}
	}
	if !p.Y.Plain && p.Frame != None {
		for _, k := range p.yt {
			s.text(text{x: p.x - tickLong - 2, y: p.sy.at(k.x) + tickSize*0.35, s: cut(k.text, labelMost, tickSize), size: tickSize, c: black, side: ends})
		}
		if p.Y.Title != "" {
			s.text(text{x: p.x - p.left() + textSize*0.85, y: p.y + p.h/2, s: p.Y.heading(p.h + 3), size: textSize, c: black, side: middle, up: true})
		}
	}
	ground := t.of(Ground)
	for i := range p.Marks {
		m := &p.Marks[i]
		if m.Shape != Words {
			continue
		}
		for k, at := range p.words[i] {
			if at.x != at.x || m.Text[k] == "" {
				continue
			}
			w := text{x: at.x, y: at.y, s: m.Text[k], size: m.size(), c: f.inkOf(m, k), side: at.side}
			if m.Place == Around || m.Halo {
				w.halo = &ground
			}
			s.text(w)
		}
	}
}

// inkOf is the colour of a text: what can be read on a box of its value.
func (f *Figure) inkOf(m *Mark, k int) ink {
	if m.V == nil || f.Key == nil {
		return f.theme().of(m.Tone).faded(m.Alpha)
	}
	if g := f.theme().shade(f.Key.share(m.V[k])); 0.3*float64(g.r)+0.59*float64(g.g)+0.11*float64(g.b) > 140 {
		return rgb(0x000000)
	}
	return rgb(0xffffff)
}

func long(t tick) float64 {
	if t.text == "" {
		return tickLong * 0.6
	}
	return tickLong
}

// ramp draws the key.
func (f *Figure) ramp(s surface, k *frame) {
	t := f.theme()
	const parts = 48
	for i := range parts {
		y := k.y + k.h - k.h*float64(i+1)/parts
		over := 0.4 // no seams
		if i == 0 {
			over = 0
		}
		share := (float64(i) + 0.5) / parts
		if f.Key.Flip {
			share = 1 - share
		}
		var b path
		b.box(k.x, y, keyBar, k.h/parts+over)
		s.fill(b, t.shade(share))
	}
	var axes path
	axes.box(k.x, k.y, keyBar, k.h)
	for _, q := range k.yt {
		y := k.sy.at(q.x)
		axes = append(axes, line(k.x+keyBar, y, k.x+keyBar+long(q)*0.8, y)...)
		if q.text != "" {
			s.text(text{x: k.x + keyBar + 3.5, y: y + tickSize*0.35, s: q.text, size: tickSize, c: t.of(Ink)})
		}
	}
	s.stroke(axes, t.of(Muted), 0.5, false)
	s.text(text{x: k.x + keyBar + 4 + widest(k.yt, tickSize) + textSize, y: k.y + k.h/2, s: k.Y.heading(k.h + 3), size: textSize, c: t.of(Ink), side: middle, up: true})
}

// colours of the places of a mark with values; nil without.
func (f *Figure) colours(m *Mark) []ink {
	if m.V == nil || f.Key == nil {
		return nil
	}
	t := f.theme()
	out := make([]ink, len(m.V))
	for i, v := range m.V {
		if v != v {
			out[i] = t.of(Faint)
		} else {
			out[i] = t.shade(math.Round(f.Key.share(v)*63) / 63).faded(m.Alpha)
		}
	}
	return out
}

// mark draws everything but words.
func (f *Figure) mark(s surface, p *frame, m *Mark) {
	t := f.theme()
	c := t.of(m.Tone).faded(m.Alpha)
	own := f.colours(m)
	switch m.Shape {
	case Dots, Rings:
		f.dots(s, p, m, c, own)
	case Lines:
		f.lines(s, p, m, c, own)
	case Band:
		var up, down []float64
		for i := range m.X {
			x, y, y2 := p.sx.at(m.X[i]), p.sy.at(m.Y[i]), p.sy.at(m.Y2[i])
			if x == x && y == y && y2 == y2 {
				y, y2 = p.within(y, p.y, p.y+p.h), p.within(y2, p.y, p.y+p.h)
				up, down = append(up, x, y2), append([]float64{x, y}, down...)
			}
		}
		if q := line(append(up, down...)...); len(q) > 2 {
			q.close()
			s.fill(q, c)
		}
	case Boxes, Bars:
		f.boxes(s, p, m, c, own)
	case Areas:
		for from := 0; from < len(m.X); {
			to := from
			var q path
			for ; to < len(m.X) && m.Series[to] == m.Series[from]; to++ {
				x, y := p.sx.at(m.X[to]), p.sy.at(m.Y[to])
				if to == from {
					q.move(x, y)
				} else {
					q.line(x, y)
				}
			}
			q.close()
			k := c
			if own != nil {
				k = own[from]
			}
			s.fill(q, k)
			if m.Edge {
				s.stroke(q, t.of(Ground), cmp.Or(m.Size, 0.3), false)
			} else {
				s.stroke(q, k, 0.25, false) // no seams
			}
			from = to
		}
	case Field:
		f.field(s, p, m)
	case Rules:
		var q path
		for i := range max(len(m.X), len(m.Y)) {
			if m.X != nil {
				x := p.sx.at(m.X[i])
				q = append(q, line(x, p.y, x, p.y+p.h)...)
			} else {
				y := p.sy.at(m.Y[i])
				q = append(q, line(p.x, y, p.x+p.w, y)...)
			}
		}
		if len(q) > 0 {
			s.stroke(q, c, m.size(), m.Dashed)
		}
	}
}

// within keeps a place near the panel, so that no format gets numbers that it
// cannot write.
func (p *frame) within(v, low, high float64) float64 { return min(max(v, low-20), high+20) }

func (f *Figure) dots(s surface, p *frame, m *Mark, c ink, own []ink) {
	size := m.size()
	var xs, ys []float64
	var inks []ink
	for i := range m.X {
		x, y := p.sx.at(m.X[i]), p.sy.at(m.Y[i])
		if !(x > p.x-size && x < p.x+p.w+size && y > p.y-size && y < p.y+p.h+size) {
			continue
		}
		xs, ys = append(xs, x), append(ys, y)
		if own != nil {
			inks = append(inks, own[i])
		}
	}
	if f.crowded(len(xs)) {
		for i := range xs {
			xs[i], ys[i] = xs[i]-p.x, ys[i]-p.y
		}
		if m.Shape == Rings {
			c.a *= 0.4
		}
		if inks != nil {
			c.a = inks[0].a
		}
		s.image(p.x, p.y, p.w, p.h, cloud(xs, ys, p.w, p.h, s.resolution(), size, c, inks))
		return
	}
	if m.Shape == Rings {
		var q path
		for i := range xs {
			q.circle(xs[i], ys[i], size/2)
		}
		if len(q) > 0 {
			s.stroke(q, c, 0.5, false)
		}
		return
	}
	if m.Edge && len(xs) > 0 {
		s.dots(xs, ys, size+0.8, f.theme().of(Ground))
	}
	if inks == nil {
		if len(xs) > 0 {
			s.dots(xs, ys, size, c)
		}
		return
	}
	// Dots of one colour together.
	order := make([]int, len(xs))
	for i := range order {
		order[i] = i
	}
	shade := func(c ink) uint32 { return uint32(c.r)<<16 | uint32(c.g)<<8 | uint32(c.b) }
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(shade(inks[a]), shade(inks[b])) })
	for from := 0; from < len(order); {
		to := from
		var gx, gy []float64
		for ; to < len(order) && inks[order[to]] == inks[order[from]]; to++ {
			gx, gy = append(gx, xs[order[to]]), append(gy, ys[order[to]])
		}
		s.dots(gx, gy, size, inks[order[from]])
		from = to
	}
}

// lines draws lines clipped to a little more than the panel.
func (f *Figure) lines(s surface, p *frame, m *Mark, c ink, own []ink) {
	b := box{p.x - 10, p.y - 10, p.x + p.w + 10, p.y + p.h + 10}
	var q path
	var lastX, lastY float64
	open := false // the path goes on at the last place
	flush := func() {
		if len(q) > 0 {
			s.stroke(q, c, m.size(), m.Dashed)
			q = q[:0]
		}
		open = false
	}
	have := false
	for i := range m.X {
		if i > 0 && m.Series != nil && m.Series[i] != m.Series[i-1] {
			have = false
			if c.a < 1 || own != nil { // lines over lines are stronger
				flush()
			}
			open = false
		}
		if own != nil {
			c = own[i]
		}
		x, y := p.sx.at(m.X[i]), p.sy.at(m.Y[i])
		if x != x || y != y || math.IsInf(x, 0) || math.IsInf(y, 0) {
			have, open = false, false
			continue
		}
		if have {
			if math.Abs(x-lastX) < 0.05 && math.Abs(y-lastY) < 0.05 && i < len(m.X)-1 {
				continue
			}
			x0, y0, x1, y1, ok := b.cut(lastX, lastY, x, y)
			if ok {
				if !open || x0 != lastX || y0 != lastY {
					q.move(x0, y0)
				}
				q.line(x1, y1)
			}
			open = ok && x1 == x && y1 == y
		}
		lastX, lastY, have = x, y, true
	}
	flush()
}

// cut returns the part of a line within a box (Liang and Barsky, 1984).
func (b box) cut(x0, y0, x1, y1 float64) (_, _, _, _ float64, ok bool) {
	t0, t1 := 0.0, 1.0
	dx, dy := x1-x0, y1-y0
	for _, e := range [4][2]float64{{-dx, x0 - b.x0}, {dx, b.x1 - x0}, {-dy, y0 - b.y0}, {dy, b.y1 - y0}} {
		switch {
		case e[0] == 0:
			if e[1] < 0 {
				return 0, 0, 0, 0, false
			}
		case e[0] < 0:
			t0 = max(t0, e[1]/e[0])
		default:
			t1 = min(t1, e[1]/e[0])
		}
	}
	if t0 > t1 {
		return 0, 0, 0, 0, false
	}
	ex, ey := x1, y1
	if t1 < 1 {
		ex, ey = x0+t1*dx, y0+t1*dy
	}
	sx, sy := x0, y0
	if t0 > 0 {
		sx, sy = x0+t0*dx, y0+t0*dy
	}
	return sx, sy, ex, ey, true
}

// barHigh is how much of a label's part of the axis a bar takes.
const barHigh = 0.62

func (f *Figure) boxes(s surface, p *frame, m *Mark, c ink, own []ink) {
	n := max(len(m.X), len(m.Y))
	var all path
	for i := range n {
		x0, x1, y0, y1 := p.x, p.x+p.w, p.y, p.y+p.h
		if m.X != nil {
			x0, x1 = p.sx.at(m.X[i]), p.sx.at(m.X2[i])
		}
		switch {
		case m.Shape == Bars:
			y0, y1 = p.sy.at(m.Y[i]+barHigh/2), p.sy.at(m.Y[i]-barHigh/2)
		case m.Y != nil:
			y0, y1 = p.sy.at(m.Y[i]), p.sy.at(m.Y2[i])
		}
		x0, x1 = p.within(min(x0, x1), p.x, p.x+p.w), p.within(max(x0, x1), p.x, p.x+p.w)
		y0, y1 = p.within(min(y0, y1), p.y, p.y+p.h), p.within(max(y0, y1), p.y, p.y+p.h)
		if !(x0 <= x1 && y0 <= y1) {
			continue
		}
		w, h := x1-x0, y1-y0
		if own != nil {
			var q path
			if m.Edge {
				g := min(0.6, w/6, h/6)
				q.box(x0+g/2, y0+g/2, w-g, h-g)
			} else {
				q.box(x0, y0, w+0.15, h+0.15) // no seams
			}
			s.fill(q, own[i])
			continue
		}
		if m.X != nil && w < 0.35 {
			w = 0.35
		}
		all.box(x0, y0, w, h)
	}
	if len(all) > 0 {
		s.fill(all, c)
	}
}

// field draws values that vary smoothly: between the middles of its boxes they
// are interpolated.
func (f *Figure) field(s surface, p *frame, m *Mark) {
	nx := m.Across
	if nx <= 0 || len(m.V) == 0 || f.Key == nil {
		return
	}
	ny := len(m.V) / nx
	x0, x1 := p.sx.at(m.X[0]), p.sx.at(m.X2[nx-1])
	y0, y1 := p.sy.at(m.Y2[len(m.V)-1]), p.sy.at(m.Y[0])
	k := min(s.resolution(), 150./72) // nothing here is finer
	pw, ph := max(int((x1-x0)*k), 1), max(int((y1-y0)*k), 1)
	img := image.NewNRGBA(image.Rect(0, 0, pw, ph))
	t := f.theme()
	for py := range ph {
		v := float64(ny)*(1-(float64(py)+0.5)/float64(ph)) - 0.5
		for px := range pw {
			u := float64(nx)*(float64(px)+0.5)/float64(pw) - 0.5
			known := 1.0
			if m.Known != nil {
				known, _ = between(m.Known, u, v, nx, ny)
			}
			value, some := between(m.V, u, v, nx, ny)
			if !(known >= 0.5) || !some {
				continue
			}
			c := t.shade(f.Key.share(value))
			o := img.PixOffset(px, py)
			img.Pix[o], img.Pix[o+1], img.Pix[o+2], img.Pix[o+3] = c.r, c.g, c.b, 255
		}
	}
	s.image(x0, y0, x1-x0, y1-y0, img)
}

// between interpolates the values of a grid at a place that is counted from the
// middle of the first; some says whether any value around is known.
func between(xs []float64, u, v float64, nx, ny int) (value float64, some bool) {
	i, j := math.Floor(u), math.Floor(v)
	sum := 0.0
	for _, d := range [4][2]float64{{0, 0}, {1, 0}, {0, 1}, {1, 1}} {
		w := math.Abs(1-d[0]-(u-i)) * math.Abs(1-d[1]-(v-j))
		a, b := min(max(int(i+d[0]), 0), nx-1), min(max(int(j+d[1]), 0), ny-1)
		if x := xs[b*nx+a]; x == x {
			value, sum = value+w*x, sum+w
		}
	}
	return value / sum, sum > 0
}
