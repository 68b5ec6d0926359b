package figure

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/daedalus-search/daedalus/internal/term"
	"github.com/daedalus-search/daedalus/report/view"
)

// archive draws the best design of every cell.
func archive(p *plotter) error {
	a := p.v.Archive
	if a == nil || len(a.Elites) == 0 || a.Objective < 0 {
		return p.missing("archive", "the search method keeps no archive: that is what map_elites does")
	}
	var known []string
	for _, m := range a.Measures {
		known = append(known, m.Metric)
	}
	measure := func(option, name string, def int) (int, error) {
		if name == "" {
			return def, nil
		}
		if k := slices.Index(known, name); k >= 0 {
			return k, nil
		}
		return -1, &OptionError{Option: option, Text: fmt.Sprintf("--%s: the archive has no measure %q", option, name), Hint: hint(name, known)}
	}
	kx, err := measure("x", p.o.X, 0)
	if err != nil {
		return err
	}
	ky := -1
	if len(a.Measures) > 1 {
		def := 1
		if kx == 1 {
			def = 0
		}
		if ky, err = measure("y", p.o.Y, def); err != nil {
			return err
		}
		if kx == ky {
			return &OptionError{Option: "y", Text: fmt.Sprintf("--x and --y are both %s", known[kx]), Hint: "expected two measures: " + hint("", known)}
		}
	} else if p.o.Y != "" {
		return &OptionError{Option: "y", Text: "--y: the archive has one measure; the other axis is the objective", Hint: "leave it out"}
	}
	values := p.numbers(a.Objective)
	axis := func(m view.Measure) Axis {
		x := Axis{Title: m.Metric, Low: m.Low, High: m.High}
		if m.Column >= 0 {
			x.Title = p.title(m.Column)
		}
		x.sound(0)
		return x
	}
	x := axis(a.Measures[kx])
	panel := Panel{X: x, Frame: Closed}
	p.f.Alt = fmt.Sprintf("Archive of %s: %s of %s hold a design.", p.v.Study.Name, term.Plural(int64(len(a.Elites)), "cell"), term.Int(int64(a.Cells)))
	p.note("%s of %s cells hold a design (%s); QD-score %s.", term.Int(int64(len(a.Elites))), term.Int(int64(a.Cells)), percent(a.Coverage), number(a.QDScore))
	p.f.Panels = [][]Panel{{panel}}
	to := &p.f.Panels[0][0]
	if ky < 0 {
		to.Frame = Open
		to.Y, _ = p.axis(a.Objective, "y")
		xs := p.numbers(a.Measures[0].Column)
		var rows []int
		for _, e := range a.Elites {
			if values[e.Row] == values[e.Row] && xs[e.Row] == xs[e.Row] {
				rows = append(rows, e.Row)
			}
		}
		to.Marks = []Mark{{Shape: Dots, X: pick(xs, rows), Y: pick(values, rows), Tone: Own, Size: dotSize(len(rows)) + 0.5, Tips: p.tips(rows)}}
		return nil
	}
	to.Y = axis(a.Measures[ky])
	p.f.Key = p.eliteKey(values)
	switch {
	case a.Kind == "grid":
		to.Marks = p.grid(kx, ky, values)
		if len(a.Measures) > 2 {
			p.note("Each box shows the best over the other measures.")
		}
	case len(a.Measures) == 2 && len(a.Centroids) == a.Cells:
		to.Marks = p.cells(kx, ky, values)
	default:
		xs, ys := p.numbers(a.Measures[kx].Column), p.numbers(a.Measures[ky].Column)
		var rows []int
		for _, e := range a.Elites {
			if xs[e.Row] == xs[e.Row] && ys[e.Row] == ys[e.Row] {
				rows = append(rows, e.Row)
			}
		}
		to.Frame = Open
		to.Marks = []Mark{{Shape: Dots, X: pick(xs, rows), Y: pick(ys, rows), V: pick(values, rows), Size: dotSize(len(rows)) + 1, Tips: p.tips(rows, a.Objective)}}
	}
	best, ok := -1, false
	for _, e := range a.Elites {
		if v := values[e.Row]; v == v && (!ok || p.beats(v, values[best])) {
			best, ok = e.Row, true
		}
	}
	if ok {
		p.note("The best has %s %s.", p.v.Columns[a.Objective].Name, p.value(a.Objective, best))
	}
	return nil
}

// beats says whether a value of the archive's objective is better.
func (p *plotter) beats(x, y float64) bool {
	if p.v.Archive.Better == "high" {
		return x > y
	}
	return x < y
}

// eliteKey spreads the colours over the elites; of a long tail of bad ones all
// have the colour of the worst.
func (p *plotter) eliteKey(values []float64) *Key {
	a := p.v.Archive
	var xs []float64
	for _, e := range a.Elites {
		if v := values[e.Row]; v == v {
			xs = append(xs, v)
		}
	}
	slices.Sort(xs)
	at := func(q float64) float64 { return quantile(xs, q) }
	k := &Key{Title: p.title(a.Objective), Aim: p.aim(a.Objective), Low: at(0), High: at(1), Flip: a.Better == "low"}
	if a.Better == "high" && at(0) < at(0.05)-2*(at(1)-at(0.05)) {
		k.Low = at(0.05)
	}
	if a.Better == "low" && at(1) > at(0.95)+2*(at(0.95)-at(0)) {
		k.High = at(0.95)
	}
	return k.sound(false)
}

// grid draws boxes along two measures, each with the best over the others. Cells
// run along the last measure first.
func (p *plotter) grid(kx, ky int, values []float64) []Mark {
	a := p.v.Archive
	mx, my := a.Measures[kx], a.Measures[ky]
	top := make([]int, mx.Cells*my.Cells)
	for i := range top {
		top[i] = -1
	}
	for _, e := range a.Elites {
		if values[e.Row] != values[e.Row] {
			continue
		}
		rest, i, j := e.Cell, 0, 0
		for k := len(a.Measures) - 1; k >= 0; k-- {
			at := rest % a.Measures[k].Cells
			rest /= a.Measures[k].Cells
			if k == kx {
				i = at
			}
			if k == ky {
				j = at
			}
		}
		if t := &top[j*mx.Cells+i]; *t < 0 || p.beats(values[e.Row], values[*t]) {
			*t = e.Row
		}
	}
	m := Mark{Shape: Boxes, Edge: max(mx.Cells, my.Cells) <= 40}
	words := Mark{Shape: Words, Size: tickSize - 1.5}
	edge := func(s view.Measure, k int) float64 { return s.Low + (s.High-s.Low)*float64(k)/float64(s.Cells) }
	var rows []int
	for c, row := range top {
		if row < 0 {
			continue
		}
		i, j := c%mx.Cells, c/mx.Cells
		m.X, m.X2 = append(m.X, edge(mx, i)), append(m.X2, edge(mx, i+1))
		m.Y, m.Y2 = append(m.Y, edge(my, j)), append(m.Y2, edge(my, j+1))
		m.V = append(m.V, values[row])
		rows = append(rows, row)
		words.X, words.Y = append(words.X, (edge(mx, i)+edge(mx, i+1))/2), append(words.Y, (edge(my, j)+edge(my, j+1))/2)
		words.Text = append(words.Text, number(round(values[row], 3)))
	}
	m.Tips = p.tips(rows, a.Objective)
	// Values where they fit.
	room := p.f.Width * mm * 0.62 / float64(mx.Cells)
	for _, t := range words.Text {
		if width(t, words.Size) > room-2 {
			return []Mark{m}
		}
	}
	if room < 12 || my.Cells > 14 {
		return []Mark{m}
	}
	words.V = m.V
	return []Mark{m, words}
}

// round keeps so many digits.
func round(x float64, digits int) float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return x
	}
	out, _ := strconv.ParseFloat(strconv.FormatFloat(x, 'e', digits-1, 64), 64)
	return out
}

// cells draws the Voronoi cells of the centroids in two measures.
func (p *plotter) cells(kx, ky int, values []float64) []Mark {
	a := p.v.Archive
	mx, my := a.Measures[kx], a.Measures[ky]
	// In units of the ranges, in which the archive measures distances.
	sites := make([][2]float64, len(a.Centroids))
	for i, c := range a.Centroids {
		sites[i] = [2]float64{(c[kx] - mx.Low) / (mx.High - mx.Low), (c[ky] - my.Low) / (my.High - my.Low)}
	}
	near := newBuckets(sites)
	m := Mark{Shape: Areas, Edge: len(sites) <= 5000, Size: 0.25}
	var rows []int
	for _, e := range a.Elites {
		if e.Cell < 0 || e.Cell >= len(sites) || values[e.Row] != values[e.Row] {
			continue
		}
		for _, q := range near.cell(e.Cell) {
			m.X, m.Y = append(m.X, mx.Low+q[0]*(mx.High-mx.Low)), append(m.Y, my.Low+q[1]*(my.High-my.Low))
			m.V, m.Series = append(m.V, values[e.Row]), append(m.Series, e.Cell)
			rows = append(rows, e.Row)
		}
	}
	m.Tips = p.tips(rows, a.Objective)
	return []Mark{m}
}

// buckets hold points of the unit square, about one in each.
type buckets struct {
	sites [][2]float64
	side  int
	in    [][]int
}

func newBuckets(sites [][2]float64) *buckets {
	b := &buckets{sites: sites, side: max(1, int(math.Sqrt(float64(len(sites)))))}
	b.in = make([][]int, b.side*b.side)
	for i, s := range sites {
		k := b.slot(s[1])*b.side + b.slot(s[0])
		b.in[k] = append(b.in[k], i)
	}
	return b
}

func (b *buckets) slot(u float64) int {
	return min(max(int(u*float64(b.side)), 0), b.side-1)
}

// cell is the part of the unit square that is nearest to a site: the square cut
// along the middle of every site that is near enough to matter.
func (b *buckets) cell(i int) [][2]float64 {
	s := b.sites[i]
	shape := [][2]float64{{0, 0}, {1, 0}, {1, 1}, {0, 1}}
	bx, by := b.slot(s[0]), b.slot(s[1])
	for r := 0; r <= b.side; r++ {
		// Sites of ring r are at least (r-1) buckets away: no farther than twice the
		// farthest corner they can cut nothing.
		far := 0.0
		for _, q := range shape {
			far = max(far, math.Hypot(q[0]-s[0], q[1]-s[1]))
		}
		if float64(r-1)/float64(b.side) > 2*far {
			break
		}
		for y := by - r; y <= by+r; y++ {
			for x := bx - r; x <= bx+r; x++ {
				if x < 0 || y < 0 || x >= b.side || y >= b.side || max(x-bx, bx-x, y-by, by-y) != r {
					continue
				}
				for _, j := range b.in[y*b.side+x] {
					if j != i {
						shape = nearer(shape, s, b.sites[j])
					}
				}
			}
		}
	}
	return shape
}

// nearer cuts off what is nearer to another site (Sutherland and Hodgman, 1974).
func nearer(shape [][2]float64, s, other [2]float64) (out [][2]float64) {
	nx, ny := other[0]-s[0], other[1]-s[1]
	if nx == 0 && ny == 0 {
		return shape
	}
	limit := (other[0]*other[0] + other[1]*other[1] - s[0]*s[0] - s[1]*s[1]) / 2
	side := func(q [2]float64) float64 { return limit - q[0]*nx - q[1]*ny }
	for k, q := range shape {
		before := shape[(k+len(shape)-1)%len(shape)]
		a, b := side(before), side(q)
		if (a < 0) != (b < 0) {
			t := a / (a - b)
			out = append(out, [2]float64{before[0] + t*(q[0]-before[0]), before[1] + t*(q[1]-before[1])})
		}
		if b >= 0 {
			out = append(out, q)
		}
	}
	return out
}
