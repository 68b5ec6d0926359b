package figure

import (
	"fmt"
	"slices"
	"strings"

	"github.com/daedalus-search/daedalus/internal/term"
	"github.com/daedalus-search/daedalus/report/view"
)

// front draws the trade-off of two columns.
func front(p *plotter) error {
	if len(p.v.Front.Rows) == 0 {
		return p.missing("front", "no design was measured")
	}
	def := p.objectives()
	switch len(def) {
	case 0:
		def = []int{-1, -1}
	case 1: // every trial, as it came
		def = []int{p.record("number"), def[0]}
	default:
		copy(def, p.upright(def[:2]))
	}
	x, err := p.one("x", p.o.X, isNumber, "one with numbers", def[0])
	if err != nil {
		return err
	}
	if p.o.Y == "" && x == def[1] {
		def[1] = def[0]
	}
	y, err := p.one("y", p.o.Y, isNumber, "one with numbers", def[1])
	if err != nil {
		return err
	}
	if p.o.X == "" && y == def[0] {
		x = def[1]
	}
	if x < 0 || y < 0 {
		return &OptionError{Option: "x", Text: "the study says no objectives", Hint: "name the axes with --x and --y"}
	}
	ax, moreX := p.axis(x, "x")
	ay, moreY := p.axis(y, "y")
	for _, l := range p.v.Goal.Limits {
		for column, a := range map[int]*Axis{x: &ax, y: &ay} {
			if l.Column == column {
				a.reach(l.Bound)
			}
		}
	}
	panel := Panel{X: ax, Y: ay}
	rest := def[2:]
	colour := -1
	if p.o.Color != "" {
		if colour, err = p.column("color", p.o.Color, isDrawn, "numbers or a category"); err != nil {
			return err
		}
	} else if len(rest) > 0 && !slices.Contains([]int{x, y}, rest[0]) {
		colour = rest[0]
	}
	panel.Marks = append(panel.Marks, p.limits(x, y, &panel)...)
	stairs := p.stairs(x, y, &panel)
	panel.Marks = append(panel.Marks, p.cloud(x, y, colour, stairs)...)
	panel.Marks = append(panel.Marks, p.roles(x, y)...)
	p.f.Panels = [][]Panel{{panel}}
	what := "The front"
	switch {
	case !p.v.Front.Feasible:
		what = "The designs nearest to the limits"
	case len(p.v.Goal.Objectives) == 1:
		what = "Every trial"
	}
	p.f.Alt = fmt.Sprintf("%s of %s: %s over %s, %s.", what, p.v.Study.Name, p.title(y), p.title(x), term.Plural(int64(p.v.Trials.Total), "trial"))
	if !p.v.Front.Feasible {
		p.note("No design keeps every limit; those that miss them least are orange.")
	}
	if n := len(p.v.Goal.Objectives); n > 2 {
		p.note("The front is that of %d objectives, of which two are the axes.", n)
	}
	if moreX || moreY {
		p.note("Of the designs %s beyond the axes.", p.beyond(x, y, &panel))
	}
	if n := p.v.Trials; n.Rows < n.Total {
		p.note("Of %s trials %s are drawn: the front and an even sample.", term.Int(int64(n.Total)), term.Int(int64(n.Rows)))
	}
	return nil
}

// reach widens an axis for a bound that is not far off.
func (a *Axis) reach(x float64) {
	s := a.scale(0, 1).at(x)
	if s != s || s < -0.5 || s > 1.5 {
		return
	}
	to := *a
	switch {
	case s < 0.03:
		to.Low = a.scale(0, 1).back(s - 0.04)
	case s > 0.97:
		to.High = a.scale(0, 1).back(s + 0.04)
	default:
		return
	}
	if to.Low < to.High && !(to.Log && to.Low <= 0) {
		*a = to
	}
}

// beyond counts the measured designs outside of a panel.
func (p *plotter) beyond(x, y int, panel *Panel) string {
	xs, ys := p.numbers(x), p.numbers(y)
	n := 0
	for r := range xs {
		if p.kind[r] != unmeasured && (xs[r] < panel.X.Low || xs[r] > panel.X.High || ys[r] < panel.Y.Low || ys[r] > panel.Y.High) {
			n++
		}
	}
	if n == 1 {
		return "one is"
	}
	return term.Int(int64(n)) + " are"
}

// limits shades what lies beyond the limits of two columns.
func (p *plotter) limits(x, y int, panel *Panel) (out []Mark) {
	for _, l := range p.v.Goal.Limits {
		if l.Column < 0 || l.Column != x && l.Column != y {
			continue
		}
		onX := l.Column == x
		a := &panel.Y
		if onX {
			a = &panel.X
		}
		above := strings.HasPrefix(l.Op, "<") // larger numbers miss it
		shade := Mark{Shape: Boxes, Tone: Bad, Alpha: 0.07}
		rule := Mark{Shape: Rules, Tone: Bad, Alpha: 0.8, Size: 0.7, Dashed: true}
		from, to := l.Bound, a.High
		if !above {
			from, to = a.Low, l.Bound
		}
		from, to = max(from, a.Low), min(to, a.High)
		word := Mark{Shape: Words, Tone: Bad, Size: tickSize - 0.5, Text: []string{p.limitText(l)}, Halo: true}
		at := panel.other(onX).scale(0, 1)
		if onX {
			shade.X, shade.X2, rule.X = []float64{from}, []float64{to}, []float64{l.Bound}
			word.X, word.Y, word.DY = []float64{l.Bound}, []float64{at.back(1)}, 5
			word.Place, word.DX = Left, -3
			if a.scale(0, 1).at(l.Bound) < 0.4 {
				word.Place, word.DX = Right, 3
			}
		} else {
			shade.Y, shade.Y2, rule.Y = []float64{from}, []float64{to}, []float64{l.Bound}
			word.X, word.Y, word.Place, word.DX, word.DY = []float64{at.back(1)}, []float64{l.Bound}, Left, -2, -4.5
			if a.scale(0, 1).at(l.Bound) > 0.9 {
				word.DY = 5.5
			}
		}
		if l.Op == "==" || !(from < to) {
			if l.Op != "==" && (l.Bound < a.Low || l.Bound > a.High) {
				continue
			}
			out = append(out, rule, word)
			continue
		}
		if l.Bound >= a.Low && l.Bound <= a.High {
			out = append(out, shade, rule, word)
		} else {
			out = append(out, shade)
		}
	}
	return out
}

func (p *Panel) other(x bool) *Axis {
	if x {
		return &p.Y
	}
	return &p.X
}

var symbols = map[string]string{"<=": "≤", ">=": "≥", "==": "=", "<": "<", ">": ">"}

func (p *plotter) limitText(l view.Limit) string {
	s := l.Metric + " " + symbols[l.Op] + " " + number(l.Bound)
	if l.Column >= 0 && p.v.Columns[l.Column].Unit != "" {
		s += " " + p.v.Columns[l.Column].Unit
	}
	return s
}

// stairs are the border of what the front of two objectives beats, or nil. From
// a member it runs along the worse x until the next one takes over.
func (p *plotter) stairs(x, y int, panel *Panel) *Mark {
	ox, okx := p.objective(x)
	oy, oky := p.objective(y)
	if !okx || !oky || x == y || len(p.v.Goal.Objectives) != 2 || !p.v.Front.Feasible || ox.Direction == "target" || oy.Direction == "target" {
		return nil
	}
	xs, ys := p.numbers(x), p.numbers(y)
	var rows []int
	for _, r := range p.v.Front.Rows {
		if xs[r] == xs[r] && ys[r] == ys[r] {
			rows = append(rows, r)
		}
	}
	sign, far := 1.0, panel.X.High
	if ox.Direction == "maximize" {
		sign, far = -1, panel.X.Low
	}
	worst := panel.Y.High
	if oy.Direction == "maximize" {
		worst = panel.Y.Low
	}
	slices.SortStableFunc(rows, func(a, b int) int {
		switch d := sign * (xs[a] - xs[b]); {
		case d < 0:
			return -1
		case d > 0:
			return 1
		}
		return 0
	})
	m := &Mark{Shape: Lines, Tone: Best, Size: 0.9, Alpha: 0.85}
	level := worst
	for _, r := range rows {
		m.X, m.Y = append(m.X, xs[r], xs[r]), append(m.Y, level, ys[r])
		level = ys[r]
	}
	if len(rows) == 0 {
		return nil
	}
	m.X, m.Y = append(m.X, far), append(m.Y, level)
	return m
}

// cloud draws the designs, those of the front over the others, in the colours of
// a column or of what they are. Between the two stands what is given.
func (p *plotter) cloud(x, y, colour int, between *Mark) (out []Mark) {
	xs, ys := p.numbers(x), p.numbers(y)
	plain := p.rows(func(r int) bool { return p.kind[r] == kept && !p.front[r] }, xs, ys)
	beyond := p.rows(func(r int) bool { return p.kind[r] == missed && !p.front[r] }, xs, ys)
	best := p.rows(func(r int) bool { return p.front[r] }, xs, ys)
	n := len(plain) + len(beyond) + len(best)
	mark := func(rows []int, m Mark) Mark {
		m.X, m.Y = pick(xs, rows), pick(ys, rows)
		m.Tips = p.tips(rows, colour)
		return m
	}
	if len(beyond) > 0 {
		out = append(out, mark(beyond, Mark{Shape: Rings, Name: "misses a limit", Tone: Point, Size: dotSize(n), Alpha: min(1, 1.6*dotAlpha(n))}))
	}
	name := "front"
	switch {
	case !p.v.Front.Feasible:
		name = "nearest to the limits"
	case len(p.v.Goal.Objectives) == 1:
		name = "best"
	}
	bestSize := max(3.6, dotSize(n)+1)
	if len(best) > 150 {
		bestSize = 2.6
	}
	switch {
	case colour < 0:
		if len(plain) > 0 {
			out = append(out, mark(plain, Mark{Shape: Dots, Name: "other designs", Tone: Point, Size: dotSize(n), Alpha: dotAlpha(n)}))
		}
		if between != nil {
			out = append(out, *between)
		}
		out = append(out, mark(best, Mark{Shape: Dots, Name: name, Tone: Best, Size: bestSize, Edge: len(best) <= 150}))
	case isNumber(p.v.Columns[colour]):
		p.f.Key = p.keyOf(colour)
		v := p.numbers(colour)
		if len(plain) > 0 {
			// With many objectives the front is the picture; the rest stays grey.
			m := Mark{Shape: Dots, Name: "other designs", Tone: Point, Size: dotSize(n), Alpha: dotAlpha(n)}
			if p.o.Color != "" {
				m.V, m.Alpha, m.Name = pick(v, plain), 0.7, ""
			}
			out = append(out, mark(plain, m))
		}
		if between != nil {
			out = append(out, *between)
		}
		ring := Mark{Shape: Dots, Name: name, Tone: Best, Size: bestSize + 1.6}
		if p.o.Color != "" {
			out = append(out, mark(best, ring))
		}
		m := Mark{Shape: Dots, V: pick(v, best), Size: bestSize, Edge: p.o.Color == "" && len(best) <= 150}
		if p.o.Color == "" {
			m.Name = name
		}
		out = append(out, mark(best, m))
	default:
		rows := append(slices.Clone(plain), best...)
		if len(rows) > mostDots {
			rows = sample(rows, mostDots)
			p.note("%s of %s designs are drawn.", term.Int(mostDots), term.Int(int64(n)))
		}
		// In rounds, so that the last category does not hide the others.
		rounds := len(rows)/1000 + 1
		for k := range rounds {
			var some []int
			for i := k; i < len(rows); i += rounds {
				some = append(some, rows[i])
			}
			out = append(out, p.byCategory(colour, some, func(rows []int, m Mark) Mark {
				m.Size, m.Alpha = dotSize(len(plain)), 0.6
				return mark(rows, m)
			})...)
		}
		if between != nil {
			out = append(out, *between)
		}
		out = append(out, mark(best, Mark{Shape: Rings, Name: name, Tone: Ink, Size: bestSize + 0.4}))
	}
	return out
}

// byCategory makes a mark for each value of a category, the first ones in
// colours of their own.
func (p *plotter) byCategory(column int, rows []int, mark func([]int, Mark) Mark) (out []Mark) {
	texts, at := p.v.Texts(column), p.numbers(column)
	groups := make([][]int, min(len(texts), cats)+1)
	for _, r := range rows {
		k := len(groups) - 1
		if a := at[r]; a == a && int(a) < k {
			k = int(a)
		}
		groups[k] = append(groups[k], r)
	}
	for k, g := range groups {
		if len(g) == 0 {
			continue
		}
		m := Mark{Shape: Dots, Name: "others", Tone: Base}
		if k < len(groups)-1 {
			m.Name, m.Tone = texts[k], Cat+Tone(k)
		}
		out = append(out, mark(g, m))
	}
	return out
}

// roles names the designs to look at first.
func (p *plotter) roles(x, y int) []Mark {
	xs, ys := p.numbers(x), p.numbers(y)
	m := Mark{Shape: Words, Place: Around}
	ring := Mark{Shape: Rings, Tone: Ink, Size: 6.4}
	add := func(row int, text string) {
		if row >= 0 && row < len(xs) && xs[row] == xs[row] && ys[row] == ys[row] {
			m.X, m.Y, m.Text = append(m.X, xs[row]), append(m.Y, ys[row]), append(m.Text, text)
			ring.X, ring.Y = append(ring.X, xs[row]), append(ring.Y, ys[row])
		}
	}
	switch {
	case p.v.Front.Knee >= 0:
		add(p.v.Front.Knee, "knee")
	case len(p.v.Goal.Objectives) == 1 && p.v.Front.Feasible && len(p.v.Front.Rows) > 0:
		add(p.v.Front.Rows[0], p.value(y, p.v.Front.Rows[0]))
	}
	if len(m.X) == 0 {
		return nil
	}
	return []Mark{ring, m}
}

// value writes the value of a column at a row with its unit.
func (p *plotter) value(column, row int) string {
	s := number(p.numbers(column)[row])
	if u := p.v.Columns[column].Unit; u != "" {
		s += " " + u
	}
	return s
}

// pairs draws every two of several columns against each other.
func pairs(p *plotter) error {
	if len(p.v.Front.Rows) == 0 {
		return p.missing("front", "no design was measured")
	}
	def := p.upright(p.objectives())
	for _, l := range p.v.Goal.Limits {
		if l.Column >= 0 && !slices.Contains(def, l.Column) && isNumber(p.v.Columns[l.Column]) {
			def = append(def, l.Column)
		}
	}
	for i, c := range p.v.Columns {
		if len(def) < 3 && c.Part == "metric" && isNumber(c) && !slices.Contains(def, i) {
			def = append(def, i)
		}
	}
	const most = 7
	ids, err := p.chosen(isNumber, "numbers", def[:min(len(def), most)])
	if err != nil {
		return err
	}
	if len(ids) < 2 {
		return &OptionError{Option: "columns", Text: "pairs needs two columns with numbers", Hint: "name them with --columns"}
	}
	if len(ids) > most {
		return &OptionError{Option: "columns", Text: fmt.Sprintf("--columns names %d columns; pairs has room for %d", len(ids), most), Hint: "`daedalus plot parallel` has room for more"}
	}
	colour := -1
	if p.o.Color != "" {
		if colour, err = p.column("color", p.o.Color, isDrawn, "numbers or a category"); err != nil {
			return err
		}
	}
	axes := make([]Axis, len(ids))
	for k, id := range ids {
		axes[k], _ = p.axis(id, "xy")
		axes[k].Title = p.title(id)
	}
	for i := 1; i < len(ids); i++ {
		var row []Panel
		for j := range i {
			panel := Panel{X: axes[j], Y: axes[i]}
			panel.X.Plain, panel.Y.Plain = i < len(ids)-1, j > 0
			panel.Marks = append(p.limits(ids[j], ids[i], &panel), p.cloud(ids[j], ids[i], colour, p.stairs(ids[j], ids[i], &panel))...)
			panel.Marks = slices.DeleteFunc(panel.Marks, func(m Mark) bool { return m.Shape == Words })
			for m := range panel.Marks {
				if s := panel.Marks[m].Shape; s == Dots || s == Rings {
					panel.Marks[m].Size *= 0.8
				}
			}
			row = append(row, panel)
		}
		p.f.Panels = append(p.f.Panels, row)
	}
	p.f.Alt = fmt.Sprintf("Columns of %s against each other: %s.", p.v.Study.Name, names(p, ids))
	n := float64(len(ids) - 1)
	if p.o.Width == 0 {
		p.f.Width = min(pageWidth, 30+47*n)
	}
	p.f.Height = 20 + 0.9*(p.f.Width-30)
	return nil
}

func names(p *plotter, ids []int) string {
	var out []string
	for _, id := range ids {
		out = append(out, p.title(id))
	}
	return strings.Join(out, ", ")
}
