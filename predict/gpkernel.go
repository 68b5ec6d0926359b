package predict

import (
	"math"

	"github.com/daedalus-search/daedalus/internal/detmath"
)

// A gpForm says how rows are laid out for the kernel: numbers become
// coordinates, categories small numbers.
//
// A number that is always there is one coordinate on [0, 1]. One that can be
// missing, because the parameter it stands for can be inactive, lies on an arc
// (Hutter and Osborne 2013), two coordinates, and is the centre of the circle
// when it is missing. So two rows that both miss it do not differ in it, one
// that misses it is equally far from all that have it, and since all of that is
// a distance between points, the kernel stays positive definite. A missing
// category is one more category.
type gpForm struct {
	columns []gpColumn
	picks   []gpColumn // those with categories
	coords  int        // coordinates of a row
	cats    int        // categories of a row
	scales  int        // scales (inverse squared lengths) of the kernel
	pick    []bool     // of each scale: it is a weight of categories
	options int        // weights of options
	warps   int        // warped numbers
}

type gpColumn struct {
	levels   int
	at       int // first coordinate, or index among the categories
	arc      bool
	lo, span float64 // number: range that becomes [0, 1]
	scale    int     // index of its scale
	option   int     // first weight of its options, -1 if all weigh the same
	warp     int     // index of its warp, -1 if none
}

const (
	// gpShared is the number of columns from which on all numbers share a scale,
	// and all categories: there are too few rows to tell that many apart.
	gpShared = 96
	gpAngle  = 2.0 // radians of the arc
	gpMargin = 1e-6
)

// gpRadius makes the ends of the arc one apart.
var gpRadius = 0.5 / gpSine(gpAngle/2)

// gpSine is sin(x) for |x| <= 2.5, by its series.
func gpSine(x float64) float64 {
	q, term, sum := float64(x*x), x, x
	for k := 2.0; k < 28; k += 2 {
		term = -term * q / float64(k*(k+1))
		sum += term
	}
	return sum
}

// gpCosine is cos(x) for |x| <= 2.5, by its series.
func gpCosine(x float64) float64 {
	q, term, sum := float64(x*x), 1.0, 1.0
	for k := 1.0; k < 27; k += 2 {
		term = -term * q / float64(k*(k+1))
		sum += term
	}
	return sum
}

func newGPForm(o *GP, t *Table) *gpForm {
	f := &gpForm{columns: make([]gpColumn, len(t.Columns))}
	d := len(t.Columns)
	shared := d > gpShared
	number, category := -1, -1
	ties := map[int]int{}
	for j, c := range t.Columns {
		g := gpColumn{levels: c.Levels, span: 1, option: -1, warp: -1}
		if c.Levels > 0 {
			g.at = f.cats
			f.cats++
			if shared && category >= 0 {
				g.scale = category
			} else {
				g.scale = f.scales
				category = f.scales
				f.scales++
				f.pick = append(f.pick, true)
			}
			if j < len(o.Tie) && o.Tie[j] > 0 && !shared {
				first, ok := ties[o.Tie[j]]
				if !ok {
					first = f.options
					ties[o.Tie[j]] = first
					f.options += c.Levels + 1
				}
				g.option = first
			}
			f.columns[j] = g
			f.picks = append(f.picks, g)
			continue
		}
		lo, hi := math.Inf(1), math.Inf(-1)
		for i := j; i < len(t.X); i += d {
			switch x := t.X[i]; {
			case math.IsNaN(x):
				g.arc = true
			default:
				lo, hi = min(lo, x), max(hi, x)
			}
		}
		if j < len(o.Optional) && o.Optional[j] {
			g.arc = true
		}
		if !o.Unit && lo < hi {
			g.lo, g.span = lo, hi-lo
		}
		g.at = f.coords
		f.coords++
		if g.arc {
			f.coords++
		}
		if shared && number >= 0 {
			g.scale = number
		} else {
			g.scale = f.scales
			number = f.scales
			f.scales++
			f.pick = append(f.pick, false)
		}
		if o.InputWarp && !g.arc && !shared {
			g.warp = f.warps
			f.warps++
		}
		f.columns[j] = g
	}
	return f
}

// place returns the place of a number on its range, on an arc not far beyond it.
func (c *gpColumn) place(x float64) float64 {
	if math.IsNaN(x) {
		return 0.5
	}
	u := (x - c.lo) / c.span
	if c.arc {
		u = min(max(u, -0.25), 1.25)
	}
	return u
}

// embed lays a row out. With a nil theta coordinates are those of the row before
// warps and scales.
func (f *gpForm) embed(row []float64, z []float64, cat []int32, p *gpParams) {
	for j := range f.columns {
		c := &f.columns[j]
		x := row[j]
		if c.levels > 0 {
			if v := int32(c.levels); math.IsNaN(x) {
				cat[c.at] = v
			} else {
				cat[c.at] = min(max(int32(x), 0), v-1)
			}
			continue
		}
		s := 1.0
		if p != nil {
			s = p.root[c.scale]
		}
		switch {
		case !c.arc:
			u := c.place(x)
			if p != nil && c.warp >= 0 {
				u, _, _, _ = p.warp(c.warp, u)
			}
			z[c.at] = float64(u * s)
		case math.IsNaN(x):
			z[c.at], z[c.at+1] = 0, 0
		default:
			u := float64(c.place(x) * gpAngle)
			z[c.at] = float64(gpRadius * s * gpCosine(u))
			z[c.at+1] = float64(gpRadius * s * gpSine(u))
		}
	}
}

// gpParams are the hyperparameters of a kernel, out of the vector of their
// logarithms: signal, noise, scales, weights of options, and the two of each
// warp.
type gpParams struct {
	signal, noise float64   // variances
	scale         []float64 // inverse squared lengths of numbers, weights of categories
	root          []float64 // their square roots
	option        []float64
	a, b          []float64 // of the warps
}

func (f *gpForm) count() int { return 2 + f.scales + f.options + 2*f.warps }

func (f *gpForm) params(theta []float64) *gpParams {
	p := &gpParams{}
	x := make([]float64, len(theta)+f.scales)
	for i, v := range theta {
		x[i] = detmath.Exp(v)
	}
	p.signal, p.noise = x[0], x[1]
	rest := x[2:]
	p.scale, rest = rest[:f.scales], rest[f.scales:]
	p.option, rest = rest[:f.options], rest[f.options:]
	p.a, rest = rest[:f.warps], rest[f.warps:]
	p.b, p.root = rest[:f.warps], rest[f.warps:]
	for i, s := range p.scale {
		p.root[i] = math.Sqrt(s)
	}
	return p
}

// warp is the distribution function of Kumaraswamy, 1 − (1 − u^a)^b, with its
// derivatives by u, log a and log b.
func (p *gpParams) warp(i int, u float64) (w, du, da, db float64) {
	a, b := p.a[i], p.b[i]
	u = min(max(u, gpMargin), 1-gpMargin)
	lu := detmath.Log(u)
	ua := detmath.Exp(float64(a * lu))
	rest := 1 - ua
	if rest <= 0 {
		return 1, 0, 0, 0
	}
	lr := detmath.Log(rest)
	rb := detmath.Exp(float64(b * lr))
	slope := b * rb / rest * ua // by log u, over a
	return 1 - rb, a * slope / u, a * slope * lu, -rb * lr * b
}

// matern is the Matérn kernel of smoothness 5/2 and its derivative by the
// squared distance.
func matern(r2 float64) (k, dk float64) {
	s := math.Sqrt(float64(5 * r2))
	e := detmath.Exp(-s)
	return (1 + s + float64(s*s)*(1.0/3)) * e, -(5.0 / 6) * (1 + s) * e
}

// gpJoin makes the kernel of its two factors, the one of the numbers and the one
// of the categories, and its derivatives by both. With sum it is the mean of
// product and sum (Ru et al. 2020, CoCaBO, with their weight 1/2).
func gpJoin(sum bool, m, e float64) (k, dm, de float64) {
	if !sum {
		return float64(m * e), e, m
	}
	return float64(0.5*float64(m*e)) + float64(0.25*(m+e)), float64(0.5*e) + 0.25, float64(0.5*m) + 0.25
}

// mismatch is the weighted distance of two rows of categories.
func (f *gpForm) mismatch(a, b []int32, p *gpParams) float64 {
	h := 0.0
	b = b[:len(a)]
	for j, x := range a {
		if y := b[j]; x != y {
			c := &f.picks[j]
			w := p.scale[c.scale]
			if c.option >= 0 {
				w *= float64(0.5 * (p.option[c.option+int(x)] + p.option[c.option+int(y)]))
			}
			h += w
		}
	}
	return h
}

// against writes the kernel of one row against all of some rows to k, and if kr
// is not nil its derivatives by the squared distance.
func (m *gpFit) against(z []float64, cat []int32, k, kr []float64) {
	f, p := m.form, m.p
	d := f.coords
	both := m.sum && d > 0 && f.cats > 0
	for i := range k {
		r2 := 0.0
		row := m.z[i*d : i*d+d]
		row = row[:len(z)]
		for j, x := range z {
			t := x - row[j]
			r2 += float64(t * t)
		}
		v, dv := 1.0, 0.0
		if d > 0 {
			v, dv = matern(r2)
		}
		e := 1.0
		if f.cats > 0 {
			if h := f.mismatch(cat, m.cat[i*f.cats:(i+1)*f.cats], p); h > 0 {
				e = detmath.Exp(-h)
			}
		}
		g, dm, _ := gpJoin(both, v, e)
		k[i] = float64(p.signal * g)
		if kr != nil {
			kr[i] = float64(float64(p.signal*dv) * dm)
		}
	}
}
