package figure

import (
	"image"
	"math"
	"slices"
)

// A surface is what a figure is drawn on, in points from the upper left corner.
type surface interface {
	clip(x, y, w, h float64) // until unclip nothing outside of the box is drawn
	unclip()
	fill(p path, c ink)
	stroke(p path, c ink, width float64, dashed bool)
	dots(xs, ys []float64, size float64, c ink) // discs of a diameter, one over the other
	text(t text)
	image(x, y, w, h float64, m *image.NRGBA)
	resolution() float64 // pixels a point that images should have
}

// A text is one line of text on a surface.
type text struct {
	x, y float64 // of the base line
	s    string
	size float64
	c    ink
	side side
	up   bool // runs upwards
	halo *ink // behind the letters
}

// A side is where a text stands to its place.
type side uint8

const (
	begins side = iota // it begins there
	middle
	ends
)

// A path is a sequence of steps.
type path []step

// A step goes to a place: straight, or with op 'C' by a cubic Bézier curve with
// two control points. 'M' begins a new part and 'Z' closes it.
type step struct {
	op             byte
	x, y           float64
	x1, y1, x2, y2 float64
}

func (p *path) move(x, y float64) { *p = append(*p, step{op: 'M', x: x, y: y}) }
func (p *path) line(x, y float64) { *p = append(*p, step{op: 'L', x: x, y: y}) }
func (p *path) close()            { *p = append(*p, step{op: 'Z'}) }

func (p *path) box(x, y, w, h float64) {
	p.move(x, y)
	p.line(x+w, y)
	p.line(x+w, y+h)
	p.line(x, y+h)
	p.close()
}

func (p *path) curve(x1, y1, x2, y2, x, y float64) {
	*p = append(*p, step{'C', x, y, x1, y1, x2, y2})
}

// circle approximates a circle by four curves, to 0.03 % of its radius.
func (p *path) circle(x, y, r float64) {
	const k = 0.5522847498307936
	p.move(x+r, y)
	p.curve(x+r, y+k*r, x+k*r, y+r, x, y+r)
	p.curve(x-k*r, y+r, x-r, y+k*r, x-r, y)
	p.curve(x-r, y-k*r, x-k*r, y-r, x, y-r)
	p.curve(x+k*r, y-r, x+r, y-k*r, x+r, y)
	p.close()
}

// dash is the pattern of dashed lines: drawn and left out, in widths of the line.
var dash = [2]float64{3.5, 2.5}

// cloudDPI is the resolution of clouds within SVG and PDF: their edges are soft.
const cloudDPI = 220

// cloud draws dots into an image of w by h points, at so many pixels a point:
// what would be too many to be drawn one by one. Dots have the colour tint, or
// each its own.
func cloud(xs, ys []float64, w, h, scale, size float64, tint ink, own []ink) *image.NRGBA {
	pw, ph := max(int(math.Ceil(w*scale)), 1), max(int(math.Ceil(h*scale)), 1)
	cover := make([]float32, pw*ph)
	var sums [3][]float32
	if own != nil {
		for c := range sums {
			sums[c] = make([]float32, pw*ph)
		}
	}
	stamps := newStamps(size * scale / 2)
	for i := range xs {
		fx, fy := xs[i]*scale, ys[i]*scale
		if !(fx > -1e6 && fy > -1e6 && fx < 1e6 && fy < 1e6) {
			continue
		}
		s := &stamps.at[int((fy-math.Floor(fy))*phases)][int((fx-math.Floor(fx))*phases)]
		x0, y0 := int(math.Floor(fx))-stamps.reach, int(math.Floor(fy))-stamps.reach
		side := 2*stamps.reach + 1
		for j := max(0, -y0); j < side && y0+j < ph; j++ {
			for k := max(0, -x0); k < side && x0+k < pw; k++ {
				v := (*s)[j*side+k]
				if v == 0 {
					continue
				}
				at := (y0+j)*pw + x0 + k
				cover[at] += v
				if own != nil {
					sums[0][at] += v * float32(own[i].r)
					sums[1][at] += v * float32(own[i].g)
					sums[2][at] += v * float32(own[i].b)
				}
			}
		}
	}
	// n dots of opacity a, one over the other, let 1 - a of the ground through
	// n times.
	a := min(max(tint.a, 0), 0.999)
	if full := quantileOf(cover, 0.98); full > 0 {
		// Where dots are densest they just about hide the ground: more of them would
		// look the same.
		a = min(a, max(1-math.Pow(0.08, 1/float64(full)), 0.06))
	}
	left := math.Log1p(-a)
	m := image.NewNRGBA(image.Rect(0, 0, pw, ph))
	for at, n := range cover {
		if n == 0 {
			continue
		}
		px := m.Pix[4*at : 4*at+4]
		px[0], px[1], px[2] = tint.r, tint.g, tint.b
		if own != nil {
			for c := range sums {
				px[c] = uint8(sums[c][at]/n + 0.5)
			}
		}
		// 51 shades are enough, and pack better than 255.
		px[3] = 5 * uint8(-math.Expm1(float64(n)*left)*51+0.5)
	}
	return m
}

// quantileOf returns a quantile of the positive numbers.
func quantileOf(xs []float32, q float64) float32 {
	some := make([]float32, 0, len(xs))
	for _, x := range xs {
		if x > 0 {
			some = append(some, x)
		}
	}
	if len(some) == 0 {
		return 0
	}
	slices.Sort(some)
	return some[int(q*float64(len(some)-1))]
}

// phases are places of a dot within a pixel, along each axis.
const phases = 4

// stamps are the shapes of a dot: how much it covers of the pixels around the
// one that its middle is in.
type stamps struct {
	reach int
	at    [phases][phases][]float32
}

func newStamps(r float64) *stamps {
	const sub = 8
	s := &stamps{reach: int(math.Ceil(r)) + 1}
	side := 2*s.reach + 1
	for py := range phases {
		for px := range phases {
			cx, cy := float64(s.reach)+(float64(px)+0.5)/phases, float64(s.reach)+(float64(py)+0.5)/phases
			m := make([]float32, side*side)
			for j := range side {
				for k := range side {
					n := 0
					for v := range sub {
						for u := range sub {
							dx, dy := float64(k)+(float64(u)+0.5)/sub-cx, float64(j)+(float64(v)+0.5)/sub-cy
							if dx*dx+dy*dy <= r*r {
								n++
							}
						}
					}
					m[j*side+k] = float32(n) / (sub * sub)
				}
			}
			s.at[py][px] = m
		}
	}
	return s
}
