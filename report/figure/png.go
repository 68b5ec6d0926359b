package figure

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"math"

	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"
)

// raster draws a figure into pixels.
type raster struct {
	m     *image.RGBA
	scale float64 // pixels a point
	at    image.Rectangle
	r     *vector.Rasterizer
}

func (f *Figure) writePNG(w io.Writer) error {
	scale := f.DPI / 72
	size := image.Rect(0, 0, max(int(math.Round(f.Width*mm*scale)), 1), max(int(math.Round(f.Height*mm*scale)), 1))
	g := f.theme().of(Ground)
	p := &raster{m: image.NewRGBA(size), scale: scale, at: size, r: vector.NewRasterizer(1, 1)}
	draw.Draw(p.m, size, image.NewUniform(color.NRGBA{g.r, g.g, g.b, 255}), image.Point{}, draw.Src)
	f.draw(p)
	var b bytes.Buffer
	if err := png.Encode(&b, p.m); err != nil {
		return fmt.Errorf("figure: writing PNG: %w", err)
	}
	if _, err := w.Write(withDPI(b.Bytes(), f.DPI)); err != nil {
		return fmt.Errorf("figure: writing PNG: %w", err)
	}
	return nil
}

// withDPI adds the resolution to a PNG, behind its header, so that it is placed
// at its printed size.
func withDPI(b []byte, dpi float64) []byte {
	const header = 8 + 12 + 13
	chunk := []byte("pHYs")
	chunk = binary.BigEndian.AppendUint32(chunk, uint32(math.Round(dpi/0.0254)))
	chunk = binary.BigEndian.AppendUint32(chunk, uint32(math.Round(dpi/0.0254)))
	chunk = append(chunk, 1) // a metre
	out := append([]byte{}, b[:header]...)
	out = binary.BigEndian.AppendUint32(out, uint32(len(chunk)-4))
	out = append(out, chunk...)
	out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(chunk))
	return append(out, b[header:]...)
}

func (p *raster) resolution() float64 { return p.scale }

func (p *raster) clip(x, y, w, h float64) {
	p.at = image.Rect(int(math.Floor(x*p.scale)), int(math.Floor(y*p.scale)), int(math.Ceil((x+w)*p.scale)), int(math.Ceil((y+h)*p.scale))).Intersect(p.m.Rect)
}

func (p *raster) unclip() { p.at = p.m.Rect }

func pixel(c ink) *image.Uniform {
	return image.NewUniform(color.NRGBA{c.r, c.g, c.b, uint8(math.Round(c.a * 255))})
}

// A poly is a closed outline in pixels.
type poly [][2]float64

// tile is how large the parts are that large outlines are drawn in: most of them
// are empty where the outlines are those of lines.
const tile = 32

// cover fills outlines of the same direction; where they overlap they are one.
func (p *raster) cover(ps []poly, c ink) {
	boxes := make([]image.Rectangle, len(ps))
	var all image.Rectangle
	for i, o := range ps {
		low, high := [2]float64{math.Inf(1), math.Inf(1)}, [2]float64{math.Inf(-1), math.Inf(-1)}
		for _, q := range o {
			for k := range q {
				low[k], high[k] = min(low[k], q[k]), max(high[k], q[k])
			}
		}
		if !(low[0] > -1e7 && low[1] > -1e7 && high[0] < 1e7 && high[1] < 1e7) {
			return
		}
		boxes[i] = image.Rect(int(math.Floor(low[0])), int(math.Floor(low[1])), int(math.Ceil(high[0]))+1, int(math.Ceil(high[1]))+1)
		all = all.Union(boxes[i])
	}
	all = all.Intersect(p.at)
	if all.Empty() {
		return
	}
	if len(ps) < 12 || all.Dx()*all.Dy() < 6*tile*tile {
		p.part(ps, all, c)
		return
	}
	across := (all.Dx() + tile - 1) / tile
	in := make([][]poly, across*((all.Dy()+tile-1)/tile))
	for i, o := range ps {
		b := boxes[i].Intersect(all).Sub(all.Min)
		if b.Empty() {
			continue
		}
		for y := b.Min.Y / tile; y <= (b.Max.Y-1)/tile; y++ {
			for x := b.Min.X / tile; x <= (b.Max.X-1)/tile; x++ {
				in[y*across+x] = append(in[y*across+x], o)
			}
		}
	}
	for k, some := range in {
		if len(some) > 0 {
			at := all.Min.Add(image.Pt(k%across*tile, k/across*tile))
			p.part(some, image.Rectangle{at, at.Add(image.Pt(tile, tile))}.Intersect(all), c)
		}
	}
}

// part fills outlines within a box.
func (p *raster) part(ps []poly, box image.Rectangle, c ink) {
	p.r.Reset(box.Dx(), box.Dy())
	dx, dy := float64(box.Min.X), float64(box.Min.Y)
	for _, o := range ps {
		for i, q := range o {
			if i == 0 {
				p.r.MoveTo(float32(q[0]-dx), float32(q[1]-dy))
			} else {
				p.r.LineTo(float32(q[0]-dx), float32(q[1]-dy))
			}
		}
		p.r.ClosePath()
	}
	p.r.Draw(p.m, box, pixel(c), image.Point{})
}

// flat makes lines of a path, in pixels, and says which of them are closed.
func (p *raster) flat(q path) (lines []poly, closed []bool) {
	for _, s := range q {
		n := len(lines) - 1
		switch s.op {
		case 'M':
			lines, closed = append(lines, poly{{s.x * p.scale, s.y * p.scale}}), append(closed, false)
		case 'L':
			lines[n] = append(lines[n], [2]float64{s.x * p.scale, s.y * p.scale})
		case 'C':
			from := lines[n][len(lines[n])-1]
			x1, y1, x2, y2, x, y := s.x1*p.scale, s.y1*p.scale, s.x2*p.scale, s.y2*p.scale, s.x*p.scale, s.y*p.scale
			steps := min(max(int(math.Hypot(x-from[0], y-from[1])/2)+3, 4), 40)
			for k := 1; k <= steps; k++ {
				t := float64(k) / float64(steps)
				u := 1 - t
				a, b, c, d := u*u*u, 3*u*u*t, 3*u*t*t, t*t*t
				lines[n] = append(lines[n], [2]float64{a*from[0] + b*x1 + c*x2 + d*x, a*from[1] + b*y1 + c*y2 + d*y})
			}
		case 'Z':
			closed[n] = true
		}
	}
	return lines, closed
}

func (p *raster) fill(q path, c ink) {
	ps, _ := p.flat(q)
	p.cover(ps, c)
}

func (p *raster) stroke(q path, c ink, width float64, dashed bool) {
	r := width * p.scale / 2
	if r < 0.5 { // thinner than a pixel: paler instead
		c.a *= 2 * r
		r = 0.5
	}
	lines, closed := p.flat(q)
	var out []poly
	for i, l := range lines {
		if closed[i] {
			l = append(l, l[0])
		}
		if dashed {
			for _, part := range dashes(l, dash[0]*width*p.scale, dash[1]*width*p.scale) {
				out = outline(out, part, r, false)
			}
		} else {
			out = outline(out, l, r, closed[i])
		}
	}
	p.cover(out, c)
}

// outline adds what a pen of a radius covers along a line: a box for every part,
// and a wedge where two meet.
func outline(out []poly, l poly, r float64, closed bool) []poly {
	var last [2]float64 // across the part before
	have := false
	join := func(at, n [2]float64) {
		// On the outer side of the bend; round enough by a point between.
		turn := last[0]*n[1] - last[1]*n[0]
		if math.Abs(turn) < 1e-9 && last[0]*n[0]+last[1]*n[1] > 0 {
			return
		}
		s := -1.0
		if turn < 0 {
			s = 1
		}
		a, b := [2]float64{at[0] + s*last[0]*r, at[1] + s*last[1]*r}, [2]float64{at[0] + s*n[0]*r, at[1] + s*n[1]*r}
		wedge := poly{at, a}
		if mx, my := last[0]+n[0], last[1]+n[1]; math.Hypot(mx, my) > 1e-9 {
			k := s * r / math.Hypot(mx, my)
			wedge = append(wedge, [2]float64{at[0] + mx*k, at[1] + my*k})
		}
		wedge = append(wedge, b)
		if s > 0 {
			for i, j := 0, len(wedge)-1; i < j; i, j = i+1, j-1 {
				wedge[i], wedge[j] = wedge[j], wedge[i]
			}
		}
		out = append(out, wedge)
	}
	var first [2]float64
	for i := 1; i < len(l); i++ {
		a, b := l[i-1], l[i]
		d := math.Hypot(b[0]-a[0], b[1]-a[1])
		if !(d > 1e-9) {
			continue
		}
		n := [2]float64{-(b[1] - a[1]) / d, (b[0] - a[0]) / d}
		if have {
			join(a, n)
		} else {
			first = n
		}
		parts := int(d/tile) + 1 // short ones touch few tiles
		for k := range parts {
			at := func(k int) (x, y float64) {
				t := float64(k) / float64(parts)
				return a[0] + (b[0]-a[0])*t, a[1] + (b[1]-a[1])*t
			}
			x0, y0 := at(k)
			x1, y1 := at(k + 1)
			out = append(out, poly{{x0 + n[0]*r, y0 + n[1]*r}, {x0 - n[0]*r, y0 - n[1]*r}, {x1 - n[0]*r, y1 - n[1]*r}, {x1 + n[0]*r, y1 + n[1]*r}})
		}
		last, have = n, true
	}
	if closed && have {
		join(l[0], first)
	}
	return out
}

// dashes cuts a line into the parts that are drawn.
func dashes(l poly, on, off float64) (out []poly) {
	left, drawn := on, true
	part := poly{l[0]}
	for i := 1; i < len(l); i++ {
		a, b := l[i-1], l[i]
		d := math.Hypot(b[0]-a[0], b[1]-a[1])
		if !(d < 1e6) {
			return out
		}
		for at := 0.0; d-at > 1e-9; {
			run := min(left, d-at)
			at += run
			left -= run
			q := [2]float64{a[0] + (b[0]-a[0])*at/d, a[1] + (b[1]-a[1])*at/d}
			if drawn {
				part = append(part, q)
			}
			if left > 1e-9 {
				continue
			}
			if drawn {
				out = append(out, part)
				left = off
			} else {
				part = poly{q}
				left = on
			}
			drawn = !drawn
		}
	}
	if drawn && len(part) > 1 {
		out = append(out, part)
	}
	return out
}

func (p *raster) dots(xs, ys []float64, size float64, c ink) {
	for i := range xs {
		var q path
		q.circle(xs[i], ys[i], size/2)
		p.fill(q, c)
	}
}

// text draws the outlines of the letters.
func (p *raster) text(t text) {
	gs, w := shape(t.s, t.size)
	off := [...]float64{0, -w / 2, -w}[t.side]
	var all path
	var buf sfnt.Buffer
	em := fixed.Int26_6(sans().UnitsPerEm())
	for _, g := range gs {
		segments, err := sans().LoadGlyph(&buf, g.id, em, nil)
		if err != nil {
			continue
		}
		k := g.size / float64(em)
		place := func(q fixed.Point26_6) (float64, float64) {
			x, y := off+g.x+float64(q.X)*k, float64(q.Y)*k-g.rise
			if t.up {
				return t.x + y, t.y - x
			}
			return t.x + x, t.y + y
		}
		for _, s := range segments {
			x, y := place(s.Args[0])
			switch s.Op {
			case sfnt.SegmentOpMoveTo:
				all.move(x, y)
			case sfnt.SegmentOpLineTo:
				all.line(x, y)
			case sfnt.SegmentOpQuadTo:
				from := all[len(all)-1]
				ex, ey := place(s.Args[1])
				all.curve(from.x+(x-from.x)*2/3, from.y+(y-from.y)*2/3, ex+(x-ex)*2/3, ey+(y-ey)*2/3, ex, ey)
			case sfnt.SegmentOpCubeTo:
				x2, y2 := place(s.Args[1])
				ex, ey := place(s.Args[2])
				all.curve(x, y, x2, y2, ex, ey)
			}
		}
	}
	if t.halo != nil {
		q := make(path, 0, len(all))
		for i, s := range all {
			if s.op == 'M' && i > 0 {
				q.close()
			}
			q = append(q, s)
		}
		q.close()
		if len(all) > 0 {
			p.stroke(q, *t.halo, 2, false)
		}
	}
	p.fill(all, t.c)
}

func (p *raster) image(x, y, w, h float64, m *image.NRGBA) {
	to := image.Rect(int(math.Round(x*p.scale)), int(math.Round(y*p.scale)), int(math.Round((x+w)*p.scale)), int(math.Round((y+h)*p.scale)))
	if to.Empty() || m.Rect.Empty() {
		return
	}
	if m.Rect.Size() != to.Size() { // they are made for this surface: by a pixel at most
		scaled := image.NewNRGBA(image.Rect(0, 0, to.Dx(), to.Dy()))
		for j := range to.Dy() {
			for i := range to.Dx() {
				scaled.SetNRGBA(i, j, m.NRGBAAt(m.Rect.Min.X+i*m.Rect.Dx()/to.Dx(), m.Rect.Min.Y+j*m.Rect.Dy()/to.Dy()))
			}
		}
		m = scaled
	}
	box := to.Intersect(p.at)
	draw.Draw(p.m, box, m, m.Rect.Min.Add(box.Min.Sub(to.Min)), draw.Over)
}
