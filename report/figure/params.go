package figure

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/daedalus-search/daedalus/internal/term"
	"github.com/daedalus-search/daedalus/report/view"
)

// importance draws which parameters matter, side by side for every target.
func importance(p *plotter) error {
	all := p.v.Importance
	if len(all) == 0 {
		return p.missing("importance", "no parameter makes a difference that shows")
	}
	if p.o.Y != "" {
		var names []string
		k := -1
		for i, t := range all {
			if names = append(names, t.Target); t.Target == p.o.Y {
				k = i
			}
		}
		if k < 0 {
			return &OptionError{Option: "y", Text: fmt.Sprintf("--y: there is no importance for %q", p.o.Y), Hint: hint(p.o.Y, names)}
		}
		all = all[k : k+1]
	}
	const mostTargets = 4
	if len(all) > mostTargets {
		all = all[:1]
		p.note("Shown for %s; --y chooses another.", all[0].Target)
	}
	largest := map[int]float64{}
	var ids []int
	most := 0.0
	for _, t := range all {
		for _, s := range t.Shares {
			if _, ok := largest[s.Column]; !ok {
				ids = append(ids, s.Column)
			}
			largest[s.Column] = max(largest[s.Column], s.Share)
			most = max(most, s.Share)
		}
	}
	slices.SortStableFunc(ids, func(a, b int) int { return cmp.Compare(largest[b], largest[a]) })
	if n := cmp.Or(p.o.Top, 10); len(ids) > n {
		p.note("The %d most important of %d parameters.", n, len(ids))
		ids = ids[:n]
	}
	y := Axis{Low: -0.5, High: float64(len(ids)) - 0.5, Labels: make([]string, len(ids))}
	for i, id := range ids { // the most important at the top
		y.Labels[len(ids)-1-i] = p.v.Columns[id].Name
	}
	var row []Panel
	for i, t := range all {
		share := map[int]float64{}
		for _, s := range t.Shares {
			share[s.Column] = s.Share
		}
		panel := Panel{X: Axis{Title: "importance (%)", Low: 0, High: 100 * most * 1.24}, Y: y}
		panel.Y.Plain = i > 0
		bars := Mark{Shape: Bars, Tone: Own}
		words := Mark{Shape: Words, Place: Right, DX: 2, Size: tickSize - 0.5, Tone: Muted}
		panel.Title = "for " + t.Target
		if t.Target == "front" {
			bars.Tone, panel.Title = Best, "for the front"
		}
		if len(all) == 1 {
			panel.X.Title, panel.Title = "importance "+panel.Title+" (%)", ""
		}
		for k, id := range ids {
			at := float64(len(ids) - 1 - k)
			bars.X, bars.X2, bars.Y = append(bars.X, 0), append(bars.X2, 100*share[id]), append(bars.Y, at)
			words.X, words.Y, words.Text = append(words.X, 100*share[id]), append(words.Y, at), append(words.Text, percent(share[id]))
		}
		bars.Tips = []Tip{{Title: "parameter", Texts: reversed(y.Labels)}}
		panel.Marks = []Mark{bars, words}
		panel.X.sound(0)
		panel.X.Low = 0
		row = append(row, panel)
		p.note("Good %s: %s.", panelFor(t), t.Best)
	}
	if len(all) > 1 && p.o.Width == 0 {
		p.f.Width = pageWidth
	}
	p.f.Panels = [][]Panel{row}
	p.f.Height = 15 + 4.6*float64(len(ids))
	p.f.Alt = fmt.Sprintf("Importance of the parameters of %s: share of the difference between good trials and all that each explains (PED-ANOVA).", p.v.Study.Name)
	return nil
}

func panelFor(t view.Importance) string {
	if t.Target == "front" {
		return "for the front"
	}
	return "for " + t.Target
}

func reversed(s []string) []string {
	s = slices.Clone(s)
	slices.Reverse(s)
	return s
}

// percent writes a share with two digits.
func percent(x float64) string {
	p := 100 * x
	switch {
	case p > 0 && p < 0.1:
		return "< 0.1 %"
	case p > 99.9 && p < 100:
		return "> 99.9 %"
	case p >= 9.95 || p == 0:
		return strconv.FormatFloat(p, 'f', 0, 64) + " %"
	}
	return strconv.FormatFloat(p, 'f', 1, 64) + " %"
}

// slice draws a metric over each of several parameters.
func slice(p *plotter) error {
	y, err := p.metric("y", p.o.Y)
	if err != nil {
		return err
	}
	def, share := p.ranked()
	n := cmp.Or(p.o.Top, 6)
	ids, err := p.chosen(isParam, "a parameter", def[:min(len(def), n)])
	if err != nil {
		return err
	}
	if len(ids) == 0 {
		return p.missing("", "the space has no parameter that varies and can be drawn")
	}
	if len(ids) > 24 {
		return &OptionError{Option: "top", Text: fmt.Sprintf("%d parameters are too many for one figure", len(ids)), Hint: "expected 24 or fewer"}
	}
	if len(p.o.Columns) == 0 && len(def) > len(ids) {
		p.note("The %d most important of %d parameters.", len(ids), len(def))
	}
	ay, more := p.axis(y, "y")
	ys := p.numbers(y)
	across := min(len(ids), max(1, int(p.f.Width/50)))
	if len(ids)%across == 1 && across > 2 && len(ids) <= 2*(across-1) {
		across--
	}
	for k, id := range ids {
		if k%across == 0 {
			p.f.Panels = append(p.f.Panels, nil)
		}
		ax, at, levels := p.stand(id, "x")
		panel := Panel{X: ax, Y: ay}
		panel.X.Title = p.title(id)
		panel.Y.Plain = k%across > 0
		if len(share) > 0 && len(p.o.Columns) == 0 {
			panel.X.Title += ", " + percent(share[id])
		}
		plain := p.rows(func(r int) bool { return p.kind[r] != unmeasured && !p.front[r] }, at, ys)
		best := p.rows(func(r int) bool { return p.front[r] }, at, ys)
		total := len(plain) + len(best)
		spread := func(rows []int) []float64 {
			out := pick(at, rows)
			if levels > 0 { // beside each other, by the number of the trial
				for i, r := range rows {
					out[i] += (math.Mod(float64(r)*0.6180339887498949, 1) - 0.5) * 0.56
				}
			}
			return out
		}
		size, alpha := dotSize(2*total), 0.8*dotAlpha(total)
		dots := Mark{Shape: Dots, Name: "other designs", X: spread(plain), Y: pick(ys, plain), Tone: Point, Size: size, Alpha: alpha, Tips: p.tips(plain)}
		top := Mark{Shape: Dots, Name: "front", X: spread(best), Y: pick(ys, best), Tone: Best, Size: size + 0.5, Tips: p.tips(best)}
		if len(p.v.Goal.Objectives) == 1 {
			top.Name = "best"
		}
		if len(plain) > 0 {
			panel.Marks = append(panel.Marks, dots)
		}
		panel.Marks = append(panel.Marks, p.strata(&panel.X, at, ys, levels)...)
		if len(best) > 0 {
			panel.Marks = append(panel.Marks, top)
		}
		last := len(p.f.Panels) - 1
		p.f.Panels[last] = append(p.f.Panels[last], panel)
	}
	p.f.Height = 6 + 48*float64(len(p.f.Panels))
	p.f.Alt = fmt.Sprintf("%s of %s over its parameters: %s.", p.title(y), p.v.Study.Name, names(p, ids))
	p.note("Blue: the median and the quartiles of the trials with about the same value.")
	if len(share) > 0 && len(p.o.Columns) == 0 {
		p.note("The percentages are the importance for the %s.", cmp.Or(p.target("").Target, "objective"))
	}
	if more {
		p.note("The axis shows the front and most of the designs.")
	}
	return nil
}

// metric returns the metric that an option names, or the first objective.
func (p *plotter) metric(option, name string) (int, error) {
	def := p.objectives()
	if len(def) == 0 {
		for i, c := range p.v.Columns {
			if c.Part == "metric" && isNumber(c) {
				def = append(def, i)
			}
		}
	}
	if len(def) == 0 {
		return -1, p.missing("front", "nothing was measured")
	}
	i, err := p.one(option, name, func(c view.Column) bool { return isNumber(c) && c.Part != "param" }, "a metric", def[0])
	if err == nil && len(p.measured(i)) == 0 {
		return -1, p.missing("front", "nothing was measured")
	}
	return i, err
}

// strata draws the median and the quartiles of y for values of x that are about
// the same.
func (p *plotter) strata(ax *Axis, xs, ys []float64, levels int) []Mark {
	rows := p.rows(func(r int) bool { return p.kind[r] != unmeasured }, xs, ys)
	parts := levels
	if parts == 0 {
		parts = min(max(int(math.Round(math.Sqrt(float64(len(rows)))/3)), 5), 20)
	}
	groups := make([][]float64, parts)
	s := ax.scale(0, float64(parts))
	for _, r := range rows {
		if at := s.at(xs[r]); at >= 0 && at <= float64(parts) {
			k := min(int(at), parts-1)
			groups[k] = append(groups[k], ys[r])
		}
	}
	least := 4
	if levels > 0 {
		least = 1
	}
	band := Mark{Shape: Band, Tone: Own, Alpha: 0.2}
	line := Mark{Shape: Lines, Tone: Own, Size: 1.1}
	boxes := Mark{Shape: Boxes, Tone: Own, Alpha: 0.22}
	for k, g := range groups {
		if len(g) < least {
			continue
		}
		slices.Sort(g)
		low, mid, high := quantile(g, 0.25), quantile(g, 0.5), quantile(g, 0.75)
		if levels > 0 {
			boxes.X, boxes.X2 = append(boxes.X, float64(k)-0.34), append(boxes.X2, float64(k)+0.34)
			boxes.Y, boxes.Y2 = append(boxes.Y, low), append(boxes.Y2, high)
			line.X, line.Y = append(line.X, float64(k)-0.34, float64(k)+0.34), append(line.Y, mid, mid)
			line.Series = append(line.Series, k, k)
			continue
		}
		at := s.back((float64(k) + 0.5) / float64(parts))
		band.X, band.Y, band.Y2 = append(band.X, at), append(band.Y, low), append(band.Y2, high)
		line.X, line.Y = append(line.X, at), append(line.Y, mid)
	}
	if levels > 0 {
		return []Mark{boxes, line}
	}
	if len(line.X) < 2 {
		return nil
	}
	return []Mark{band, line}
}

// fewest is how many trials it takes to say anything about parameters.
const fewest = 10

func isWas(n int) string {
	if n == 1 {
		return "one trial was"
	}
	return fmt.Sprintf("%d trials were", n)
}

// The boxes of a field along an axis without levels.
const (
	fieldX = 40
	fieldY = 30
)

// contour draws a metric over two parameters: around every place the mean of the
// trials, by a Gaussian kernel.
func contour(p *plotter) error {
	z, err := p.metric("color", p.o.Color)
	if err != nil {
		return err
	}
	def, _ := p.ranked()
	if len(def) < 2 && (p.o.X == "" || p.o.Y == "") {
		return p.missing("", "the space has no two parameters that vary and can be drawn")
	}
	for len(def) < 2 {
		def = append(def, -1)
	}
	x, err := p.one("x", p.o.X, isParam, "a parameter", def[0])
	if err != nil {
		return err
	}
	y := def[1]
	if y == x {
		y = def[0]
	}
	if y, err = p.one("y", p.o.Y, isParam, "a parameter", y); err != nil {
		return err
	}
	if x == y {
		return &OptionError{Option: "y", Text: fmt.Sprintf("--x and --y are both %s", p.v.Columns[x].Name), Hint: "expected two parameters"}
	}
	ax, xs, nx := p.stand(x, "x")
	ay, ys, ny := p.stand(y, "y")
	zs := p.numbers(z)
	nx, ny = cmp.Or(nx, fieldX), cmp.Or(ny, fieldY)
	rows := p.rows(func(r int) bool { return p.kind[r] != unmeasured }, xs, ys, zs)
	if len(rows) < fewest {
		return p.missing("", fmt.Sprintf("%s measured with %s, %s and %s; it takes %d", isWas(len(rows)), p.v.Columns[x].Name, p.v.Columns[y].Name, p.v.Columns[z].Name, fewest))
	}
	const least = 0.3 // the weight of trials below which nothing is said
	key := p.keyOf(z)
	sx, sy := ax.scale(0, float64(nx)), ay.scale(0, float64(ny))
	mean, weight := make([]float64, nx*ny), make([]float64, nx*ny)
	for _, r := range rows {
		i, j := sx.at(xs[r]), sy.at(ys[r])
		if !(i >= 0 && j >= 0 && i <= float64(nx) && j <= float64(ny)) {
			continue
		}
		k := min(int(j), ny-1)*nx + min(int(i), nx-1)
		// One wild value must not colour all around it.
		v := min(max(zs[r], key.Low), key.High)
		if key.Log {
			v = math.Log(v)
		}
		mean[k] += v
		weight[k]++
	}
	// Wide enough for a few trials under the kernel wherever there are any.
	sigma := min(max(math.Sqrt(0.8*float64(nx*ny)/float64(len(rows))), 1.1), 4)
	for k, a := range []*Axis{&ax, &ay} {
		if len(a.Labels) == 0 { // of one level a trial says little about the next
			mean, weight = blur(mean, nx, ny, k, sigma), blur(weight, nx, ny, k, sigma)
		}
	}
	// The shading spreads over what is there to see.
	key.Low, key.High = math.Inf(1), math.Inf(-1)
	m := Mark{Shape: Field, Across: nx}
	for k := range mean {
		v := math.NaN()
		if weight[k] > 1e-3 {
			if v = mean[k] / weight[k]; key.Log {
				v = math.Exp(v)
			}
		}
		if weight[k] > least {
			key.Low, key.High = min(key.Low, v), max(key.High, v)
		}
		i, j := float64(k%nx), float64(k/nx)
		m.X, m.X2 = append(m.X, sx.back(i/float64(nx))), append(m.X2, sx.back((i+1)/float64(nx)))
		m.Y, m.Y2 = append(m.Y, sy.back(j/float64(ny))), append(m.Y2, sy.back((j+1)/float64(ny)))
		m.V, m.Known = append(m.V, v), append(m.Known, weight[k]/least/2)
	}
	if len(ax.Labels) > 0 || len(ay.Labels) > 0 { // between levels there is nothing
		m.Shape, m.Edge = Boxes, len(ax.Labels) > 0 && len(ay.Labels) > 0
		keep := m
		m.X, m.X2, m.Y, m.Y2, m.V, m.Known = nil, nil, nil, nil, nil, nil
		for k, v := range keep.V {
			if v == v && keep.Known[k] > 0.5 {
				m.X, m.X2, m.Y, m.Y2, m.V = append(m.X, keep.X[k]), append(m.X2, keep.X2[k]), append(m.Y, keep.Y[k]), append(m.Y2, keep.Y2[k]), append(m.V, v)
			}
		}
	}
	p.f.Key = key.sound(key.Log)
	p.f.Key.Title = p.title(z)
	best := p.rows(func(r int) bool { return p.front[r] }, xs, ys)
	plain := p.rows(func(r int) bool { return p.kind[r] != unmeasured && !p.front[r] }, xs, ys, zs)
	jitter := func(rows []int, at []float64, a *Axis, phase float64) []float64 {
		out := pick(at, rows)
		if len(a.Labels) > 0 {
			for i, r := range rows {
				out[i] += (math.Mod(float64(r)*phase, 1) - 0.5) * 0.6
			}
		}
		return out
	}
	const gold, silver = 0.6180339887498949, 0.7548776662466927
	dots := func(rows []int, d Mark) Mark {
		d.X, d.Y, d.Tips = jitter(rows, xs, &ax, gold), jitter(rows, ys, &ay, silver), p.tips(rows, z)
		return d
	}
	panel := Panel{X: ax, Y: ay, Frame: Closed, Marks: []Mark{m}}
	panel.X.Title, panel.Y.Title = p.title(x), p.title(y)
	if len(plain) > 0 && len(plain) <= 2000 {
		panel.Marks = append(panel.Marks, dots(plain, Mark{Shape: Dots, Name: "designs", Tone: Ink, Size: 1.2, Alpha: 0.45}))
	}
	if len(best) > 0 {
		name := "front"
		if len(p.v.Goal.Objectives) == 1 {
			name = "best"
		}
		panel.Marks = append(panel.Marks, dots(best, Mark{Shape: Dots, Name: name, Tone: Best, Size: 2.8, Edge: true}))
	}
	p.f.Panels = [][]Panel{{panel}}
	p.f.Alt = fmt.Sprintf("%s of %s over %s and %s, smoothed over %s.", p.title(z), p.v.Study.Name, p.title(x), p.title(y), term.Plural(int64(len(rows)), "trial"))
	p.note("Around every place the mean of the trials, by a Gaussian kernel of %s boxes of %d × %d.", number(math.Round(sigma*10)/10), nx, ny)
	return nil
}

// blur spreads a field along an axis by a Gaussian of a width in boxes.
func blur(v []float64, nx, ny, axis int, sigma float64) []float64 {
	reach := int(math.Ceil(3 * sigma))
	kernel := make([]float64, reach+1)
	for d := range kernel {
		kernel[d] = math.Exp(-float64(d*d) / (2 * sigma * sigma))
	}
	n, step, lines, across := nx, 1, ny, nx
	if axis == 1 {
		n, step, lines, across = ny, nx, nx, 1
	}
	out := make([]float64, len(v))
	for l := range lines {
		for i := range n {
			for k := max(i-reach, 0); k <= min(i+reach, n-1); k++ {
				out[l*across+i*step] += kernel[max(i-k, k-i)] * v[l*across+k*step]
			}
		}
	}
	return out
}

// parallel draws designs as lines over several columns.
func parallel(p *plotter) error {
	if len(p.v.Front.Rows) == 0 {
		return p.missing("front", "no design was measured")
	}
	def := p.objectives()
	for _, l := range p.v.Goal.Limits {
		if l.Column >= 0 && isNumber(p.v.Columns[l.Column]) && !slices.Contains(def, l.Column) {
			def = append(def, l.Column)
		}
	}
	params, _ := p.ranked()
	n := cmp.Or(p.o.Top, 8)
	def = append(def, params[:min(len(params), max(0, n-len(def)))]...)
	ids, err := p.chosen(isDrawn, "numbers or a category", def)
	if err != nil {
		return err
	}
	const most = 16
	switch {
	case len(ids) < 2:
		return &OptionError{Option: "columns", Text: "parallel needs two columns", Hint: "name them with --columns"}
	case len(ids) > most:
		return &OptionError{Option: "columns", Text: fmt.Sprintf("%d columns are too many for one figure", len(ids)), Hint: fmt.Sprintf("expected %d or fewer", most)}
	}
	colour := -1
	if p.o.Color != "" {
		if colour, err = p.column("color", p.o.Color, isDrawn, "numbers or a category"); err != nil {
			return err
		}
	}
	// Every column from 0 to 1.
	k := len(ids)
	x := Axis{Low: -0.35, High: float64(k) - 0.5, Labels: make([]string, k), Above: true}
	at := make([][]float64, k)
	rules := Mark{Shape: Rules, Tone: Muted, Size: 0.6}
	words := Mark{Shape: Words, Size: tickSize - 1, Place: Right, DX: 2.5, Halo: true}
	marks := []Mark{}
	for i, id := range ids {
		a, xs, levels := p.stand(id, "xy")
		x.Labels[i] = p.title(id)
		rules.X = append(rules.X, float64(i))
		s := a.scale(0, 1)
		at[i] = make([]float64, len(xs))
		for r, v := range xs {
			if at[i][r] = s.at(v); v == v && levels == 0 {
				at[i][r] = min(max(at[i][r], 0), 1)
			}
		}
		ts := a.ticks(6)
		if levels > 0 {
			ts = a.ticks(8)
		}
		for _, t := range ts {
			if y := s.at(t.x); t.text != "" && y >= -0.001 && y <= 1.001 {
				words.X, words.Y, words.Text = append(words.X, float64(i)), append(words.Y, y), append(words.Text, cut(t.text, p.f.Width*mm/float64(k)*0.6, tickSize-1))
			}
		}
	}
	measured := p.rows(func(r int) bool { return p.kind[r] != unmeasured && !p.front[r] })
	best := slices.Clone(p.v.Front.Rows)
	if len(best) > 300 {
		best = sample(best, 300)
		p.note("300 of the %s designs of the front are drawn.", term.Int(int64(len(p.v.Front.Rows))))
	}
	if len(measured) > 400 {
		p.note("400 of %s other designs are drawn.", term.Int(int64(len(measured))))
		measured = sample(measured, 400)
	}
	lines := func(rows []int, m Mark) Mark {
		m.Shape = Lines
		for _, r := range rows {
			for i := range ids {
				m.X, m.Y, m.Series = append(m.X, float64(i)), append(m.Y, at[i][r]), append(m.Series, r)
			}
		}
		m.Tips = []Tip{{Title: "trial", Numbers: p.trialsOf(m.Series)}}
		return m
	}
	name := "front"
	if len(p.v.Goal.Objectives) == 1 {
		name = "best"
	}
	if len(measured) > 0 {
		marks = append(marks, lines(measured, Mark{Name: "other designs", Tone: Point, Size: 0.5, Alpha: min(max(4/math.Sqrt(float64(len(measured))), 0.15), 0.6)}))
	}
	bestAlpha := min(max(6/math.Sqrt(float64(len(best))), 0.25), 0.95)
	switch {
	case colour < 0:
		marks = append(marks, lines(best, Mark{Name: name, Tone: Best, Size: 0.9, Alpha: bestAlpha}))
	case isNumber(p.v.Columns[colour]):
		p.f.Key = p.keyOf(colour)
		v := p.numbers(colour)
		slices.SortStableFunc(best, func(a, b int) int { return cmp.Compare(v[a], v[b]) })
		m := lines(best, Mark{Name: name, Size: 0.9, Alpha: bestAlpha})
		m.V = pick(v, m.Series)
		marks = append(marks, m)
	default:
		marks = append(marks, p.byCategory(colour, best, func(rows []int, m Mark) Mark {
			m.Size, m.Alpha = 0.9, bestAlpha
			return lines(rows, m)
		})...)
	}
	panel := Panel{X: x, Y: Axis{Low: -0.03, High: 1.03, Plain: true}, Frame: None, Marks: append(append([]Mark{rules}, marks...), words)}
	p.f.Panels = [][]Panel{{panel}}
	p.f.Alt = fmt.Sprintf("Designs of %s as lines over %s.", p.v.Study.Name, names(p, ids))
	return nil
}

// sample returns so many of some rows, evenly.
func sample(rows []int, n int) []int {
	if len(rows) <= n {
		return slices.Clone(rows)
	}
	out := make([]int, n)
	for i := range out {
		out[i] = rows[i*len(rows)/n]
	}
	return out
}
