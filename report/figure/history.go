package figure

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/daedalus-search/daedalus/internal/term"
	"github.com/daedalus-search/daedalus/report/view"
)

// history draws how the search went.
func history(p *plotter) error {
	h := p.v.History
	if h == nil || len(h.Trials) == 0 {
		return p.missing("history", "nothing was measured")
	}
	last := len(h.Values) - 1
	volume := h.Measure == "hypervolume"
	name := h.Measure
	if !volume {
		name = "best " + name
	}
	aim := higherBetter
	if h.Better == "low" {
		aim = lowerBetter
	}
	y := Axis{Title: titleOf(view.Column{Name: name, Unit: h.Unit}), Aim: aim, Low: math.Inf(1), High: math.Inf(-1)}
	take := func(xs ...float64) {
		for _, x := range xs {
			if !math.IsInf(x, 0) && x == x {
				y.Low, y.High = min(y.Low, x), max(y.High, x)
			}
		}
	}
	take(h.Values[0], h.Values[last])
	base := h.Baseline
	if base != nil && len(base.Trials) == 0 {
		base = nil
	}
	if base != nil {
		end := len(base.Low) - 1
		take(base.Low[0], base.High[0], base.Low[end], base.High[end])
	}
	y.Log = h.Log && y.Low > 0
	// A bad start would press the rest against an edge: the axis then begins where
	// a fiftieth of the evaluations was done.
	soon := after(h.Trials, h.Values, h.Trials[last]/50)
	if !y.Log && math.Abs(h.Values[0]-h.Values[last]) > 5*math.Abs(soon-h.Values[last]) && soon != h.Values[last] {
		y.Low, y.High = math.Inf(1), math.Inf(-1)
		take(soon, h.Values[last])
		if base != nil {
			end := len(base.Low) - 1
			take(after(base.Trials, base.Middle, h.Trials[last]/50), base.Low[end], base.High[end])
		}
	}
	above := y.Low >= 0
	if y.sound(0.05); above {
		y.Low = max(y.Low, 0)
	}
	panel := Panel{X: Axis{Title: "evaluations", Whole: true, Low: 0, High: float64(h.Trials[last])}, Y: y}
	panel.X.sound(0)
	words := Mark{Shape: Words, Place: Outside}
	label := func(text string, x, y float64) Mark {
		m := words
		m.X, m.Y, m.Text = []float64{x}, []float64{y}, []string{text}
		return m
	}
	var labels []Mark
	if base != nil {
		xs := floats(base.Trials)
		panel.Marks = append(panel.Marks,
			Mark{Shape: Band, X: xs, Y: base.Low, Y2: base.High, Tone: Base, Alpha: 0.25},
			Mark{Shape: Lines, X: xs, Y: base.Middle, Tone: Base, Size: 1})
		who := base.What
		if strings.HasPrefix(who, "random") {
			who = "random"
		}
		end := len(xs) - 1
		l := label(cutText(who, 24), xs[end], base.Middle[end])
		l.Tone = Muted
		labels = append(labels, l)
		p.note("Line and band: median and range of %s. %s", base.What, base.Ahead)
	}
	panel.Marks = append(panel.Marks, steps(h.Trials, h.Values))
	own := label("this search", float64(h.Trials[last]), h.Values[last])
	own.Tone = Own
	if base != nil {
		panel.Marks = append(panel.Marks, append(labels, own)...)
	}
	p.f.Panels = [][]Panel{{panel}}
	unit := ""
	if h.Unit != "" {
		unit = " " + h.Unit
	}
	p.f.Alt = fmt.Sprintf("Progress of %s: %s after each of %s, in the end %s%s.", p.v.Study.Name, name, term.Plural(int64(h.Trials[last]), "evaluation"), number(h.Values[last]), unit)
	if volume && len(h.Reference) > 0 {
		var at []string
		for i, o := range p.v.Goal.Objectives {
			if i < len(h.Reference) {
				at = append(at, o.Metric+" "+number(h.Reference[i]))
			}
		}
		p.note("The hypervolume is measured from %s.", strings.Join(at, ", "))
	}
	return nil
}

func cutText(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

func floats(xs []int) []float64 {
	out := make([]float64, len(xs))
	for i, x := range xs {
		out[i] = float64(x)
	}
	return out
}

// after is the value after so many evaluations, or the first.
func after(trials []int, values []float64, n int) float64 {
	k, ok := slices.BinarySearch(trials, n)
	if !ok {
		k--
	}
	return values[max(k, 0)]
}

// mostCorners is how many corners of a line of steps are drawn; more cannot be
// told apart.
const mostCorners = 4000

// steps is a line that keeps its value until the next.
func steps(trials []int, values []float64) Mark {
	m := Mark{Shape: Lines, Tone: Own, Size: 1.3}
	every := len(trials)/mostCorners + 1
	for i := range trials {
		if i%every != 0 && i < len(trials)-1 {
			continue
		}
		if n := len(m.Y); n > 0 {
			m.X, m.Y = append(m.X, float64(trials[i])), append(m.Y, m.Y[n-1])
		}
		m.X, m.Y = append(m.X, float64(trials[i])), append(m.Y, values[i])
	}
	return m
}

// curves draws the intermediate results.
func curves(p *plotter) error {
	c := p.v.Curves
	if c == nil || c.Points == 0 || len(c.Metrics) == 0 {
		return p.missing("curves", "no evaluation reported intermediate results")
	}
	k := 0
	for i, m := range c.Metrics { // an objective rather than another
		if len(p.v.Goal.Objectives) > 0 && m == p.v.Goal.Objectives[0].Metric {
			k = i
		}
	}
	if p.o.Y != "" {
		if k = slices.Index(c.Metrics, p.o.Y); k < 0 {
			return &OptionError{Option: "y", Text: fmt.Sprintf("--y: no evaluation reported %q on its way", p.o.Y), Hint: hint(p.o.Y, c.Metrics)}
		}
	}
	rows, at, values := p.v.Steps(k)
	const most = 400
	type curve struct{ from, to int }
	var all []curve
	for i := 0; i < len(rows); {
		from := i
		for i < len(rows) && rows[i] == rows[from] {
			i++
		}
		all = append(all, curve{from, i})
	}
	every := (len(all) + most - 1) / most
	state, _ := p.v.Find("state")
	names, codes := p.v.Texts(state), p.v.Numbers(state)
	stopped := func(r int) bool {
		s := codes[r]
		return s == s && int(s) < len(names) && names[int(s)] == "pruned"
	}
	plain := Mark{Shape: Lines, Name: "others", Tone: Point, Size: 0.6}
	cutShort := Mark{Shape: Lines, Name: "stopped early", Tone: Stopped, Size: 0.6}
	best := Mark{Shape: Lines, Name: "front", Tone: Best, Size: 1.1}
	if len(p.v.Goal.Objectives) == 1 {
		best.Name = "best"
	}
	ends := Mark{Shape: Dots, Tone: Stopped, Size: 1.8}
	var shown []float64
	x := Axis{Title: "step", Whole: true, Low: math.Inf(1), High: math.Inf(-1)}
	drawn := 0
	for i, l := range all {
		r := rows[l.from]
		if i%every != 0 && !p.front[r] {
			continue
		}
		drawn++
		m := &plain
		switch {
		case p.front[r]:
			m = &best
		case stopped(r):
			m = &cutShort
		}
		skip := (l.to-l.from)/300 + 1
		for j := l.from; j < l.to; j++ {
			v := values[j]
			if math.IsInf(v, 0) {
				v = math.NaN()
			}
			if (j-l.from)%skip != 0 && j != l.to-1 {
				continue
			}
			if v == v {
				shown = append(shown, v)
				x.Low, x.High = min(x.Low, at[j]), max(x.High, at[j])
			}
			m.X, m.Y, m.Series = append(m.X, at[j]), append(m.Y, v), append(m.Series, r)
		}
		if n := len(m.X) - 1; m == &cutShort && n >= 0 && m.Y[n] == m.Y[n] {
			ends.X, ends.Y = append(ends.X, m.X[n]), append(ends.Y, m.Y[n])
		}
	}
	if len(shown) == 0 {
		return p.missing("", "no intermediate result is a finite number")
	}
	slices.Sort(shown)
	column := view.Column{Name: c.Metrics[k]}
	if i, ok := p.v.Find(column.Name); ok && p.v.Columns[i].Part == "metric" {
		column = p.v.Columns[i]
	}
	y := Axis{Title: titleOf(column), Low: quantile(shown, 0.005), High: quantile(shown, 0.995)} // a few wild values must not flatten all others
	y.Log = y.Low > 0 && (column.Log || y.High/y.Low > 100) && p.o.Log == "" || y.Low > 0 && strings.Contains(p.o.Log, "y")
	for _, o := range p.v.Goal.Objectives {
		if o.Metric == column.Name && o.Column >= 0 {
			y.Title, y.Aim = p.title(o.Column), p.aim(o.Column)
		}
	}
	x.sound(0.02)
	y.sound(0.04)
	faint := min(max(9/math.Sqrt(float64(drawn)), 0.25), 0.7)
	plain.Alpha, cutShort.Alpha = faint, min(1, 1.4*faint)
	panel := Panel{X: x, Y: y}
	for _, m := range []Mark{plain, cutShort, ends, best} {
		if len(m.X) > 0 {
			if m.Shape == Lines && m.Series != nil {
				m.Tips = []Tip{{Title: "trial", Numbers: p.trialsOf(m.Series)}}
			}
			panel.Marks = append(panel.Marks, m)
		}
	}
	p.f.Panels = [][]Panel{{panel}}
	p.f.Alt = fmt.Sprintf("Intermediate results of %s: %s after every step of %s.", p.v.Study.Name, titleOf(column), term.Plural(int64(drawn), "trial"))
	if drawn < len(all) {
		p.note("Of %s with intermediate results %s are drawn: all of the front and an even sample of the others.", term.Plural(int64(len(all)), "trial"), term.Int(int64(drawn)))
	}
	if c.Note != "" {
		p.note("%s", c.Note)
	}
	return nil
}

// trialsOf returns the numbers of the trials of rows.
func (p *plotter) trialsOf(rows []int) []float64 { return pick(p.v.Numbers(p.record("number")), rows) }

// units of time, the largest first.
var units = []struct {
	seconds float64
	name    string
}{{86400, "days"}, {3600, "h"}, {60, "min"}, {1, "s"}, {1e-3, "ms"}}

// stateTones are the colours of the states, in the order of the legend.
var stateTones = []struct {
	state string
	tone  Tone
}{{"complete", Own}, {"cached", Known}, {"pruned", Stopped}, {"infeasible", Base}, {"failed", Bad}, {"running", Muted}}

// timeline draws what every worker did when.
func timeline(p *plotter) error {
	started, finished := p.numbers(p.record("started")), p.numbers(p.record("finished"))
	rows := p.rows(func(r int) bool { return started[r] >= 0 }, started)
	if len(rows) == 0 {
		return p.missing("timeline", "the study has no times of its trials")
	}
	end := 0.0
	to := make([]float64, len(started))
	for _, r := range rows {
		if to[r] = started[r]; finished[r] > started[r] {
			to[r] = finished[r]
		}
		end = max(end, to[r])
	}
	if end == 0 {
		return p.missing("", "all trials were evaluated at once, too fast to be told apart")
	}
	unit := units[len(units)-1]
	for _, u := range slices.Backward(units) {
		if end >= 2*u.seconds {
			unit = u
		}
	}
	lane, lanes, note := p.lanes(rows, started, to)
	state, _ := p.v.Find("state")
	states, codes := p.v.Texts(state), p.v.Numbers(state)
	byState := map[string][]int{}
	for _, r := range rows {
		name := "complete"
		if k := codes[r]; k == k && int(k) < len(states) {
			name = states[int(k)]
		}
		byState[name] = append(byState[name], r)
	}
	x := Axis{Title: "time (" + unit.name + ")", Low: 0, High: end / unit.seconds}
	if len(lanes) < 2 && len(rows) > 2000 {
		return p.rate(x, rows, started, byState, end, unit.seconds)
	}
	// Lane 0 stands at the top.
	n := max(len(lanes), 1)
	y := Axis{Title: "worker", Low: -0.5, High: float64(n) - 0.5, Plain: true, Labels: []string{""}}
	if len(lanes) > 1 {
		y.Labels, y.Plain = reversed(lanes), false
	}
	panel := Panel{X: x, Y: y}
	pixel := end / 2400 // shorter times cannot be told apart
	for _, s := range stateTones {
		// Trials of a worker that follow each other at once are one box.
		type job struct {
			lane     int
			from, to float64
		}
		var jobs []job
		for _, r := range byState[s.state] {
			jobs = append(jobs, job{lane[r], started[r], to[r]})
		}
		slices.SortFunc(jobs, func(a, b job) int {
			return cmp.Or(cmp.Compare(a.lane, b.lane), cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to))
		})
		if len(jobs) > 3000 {
			merged := jobs[:0]
			for _, j := range jobs {
				if k := len(merged) - 1; k >= 0 && merged[k].lane == j.lane && j.from <= merged[k].to+pixel {
					merged[k].to = max(merged[k].to, j.to)
				} else {
					merged = append(merged, j)
				}
			}
			jobs = merged
		}
		m := Mark{Shape: Boxes, Name: s.state, Tone: s.tone}
		for _, j := range jobs {
			at := float64(n - 1 - j.lane)
			// A hair between trials that follow each other.
			hair := min(pixel*2, (j.to-j.from)/4)
			m.X, m.X2 = append(m.X, j.from/unit.seconds), append(m.X2, (j.to-hair)/unit.seconds)
			m.Y, m.Y2 = append(m.Y, at-0.38), append(m.Y2, at+0.38)
		}
		if len(m.X) > 0 {
			panel.Marks = append(panel.Marks, m)
		}
	}
	p.f.Panels = [][]Panel{{panel}}
	p.f.Height = min(max(22+float64(n)*5, 32), 160)
	p.f.Alt = fmt.Sprintf("Timeline of %s: %s in %s %s.", p.v.Study.Name, term.Plural(int64(len(rows)), "trial"), number(end/unit.seconds), unit.name)
	if note != "" {
		p.note("%s", note)
	}
	return nil
}

// lanes puts every trial into a lane: that of its worker or, where none is
// known, the first that is free. names is empty if there is nothing to tell.
func (p *plotter) lanes(rows []int, from, to []float64) (lane map[int]int, names []string, note string) {
	const most = 40
	lane = map[int]int{}
	worker := p.record("worker")
	at, texts := p.numbers(worker), p.v.Texts(worker)
	var order []float64
	for _, r := range rows {
		if w := at[r]; w == w {
			if i, ok := slices.BinarySearch(order, w); !ok {
				order = slices.Insert(order, i, w)
			}
		}
	}
	if len(order) > 0 {
		each := (len(order) + most - 1) / most
		for i := 0; i < len(order); i += each {
			name := number(order[i])
			if k := int(order[i]); texts != nil && k < len(texts) {
				name = texts[k]
			}
			names = append(names, cutText(name, 40))
		}
		for _, r := range rows {
			k, _ := slices.BinarySearch(order, at[r])
			lane[r] = min(k/each, len(names)-1)
		}
		if each > 1 {
			note = fmt.Sprintf("Every lane is %d workers, named by the first.", each)
		}
		return lane, names, note
	}
	sorted := slices.Clone(rows)
	slices.SortStableFunc(sorted, func(a, b int) int { return cmp.Compare(from[a], from[b]) })
	var free []float64 // when a lane is free again
	for _, r := range sorted {
		k := 0
		for k < len(free) && free[k] > from[r] && k < most-1 {
			k++
		}
		if k == len(free) {
			free = append(free, 0)
		}
		free[k] = max(free[k], to[r])
		lane[r] = k
	}
	if len(free) < 2 {
		return lane, nil, ""
	}
	for k := range free {
		names = append(names, strconv.Itoa(k+1))
	}
	return lane, names, "The study does not say which worker did what: a trial stands in the first lane that was free."
}

// rate draws how many trials began in every part of the time, for one worker
// that does too many to be told apart.
func (p *plotter) rate(x Axis, rows []int, started []float64, byState map[string][]int, end, unit float64) error {
	const bins = 120
	base := make([]float64, bins)
	y := Axis{Title: "trials a second", Low: 0}
	panel := Panel{X: x}
	perBin := end / bins
	for _, s := range stateTones {
		if len(byState[s.state]) == 0 {
			continue
		}
		count := make([]float64, bins)
		for _, r := range byState[s.state] {
			count[min(int(started[r]/perBin), bins-1)]++
		}
		m := Mark{Shape: Boxes, Name: s.state, Tone: s.tone}
		for b, c := range count {
			if c == 0 {
				continue
			}
			m.X, m.X2 = append(m.X, float64(b)*perBin/unit), append(m.X2, (float64(b)+0.92)*perBin/unit)
			m.Y, m.Y2 = append(m.Y, base[b]), append(m.Y2, base[b]+c/perBin)
			base[b] += c / perBin
			y.High = max(y.High, base[b])
		}
		panel.Marks = append(panel.Marks, m)
	}
	y.High *= 1.04
	panel.Y = y
	p.f.Panels = [][]Panel{{panel}}
	p.f.Height = p.f.Width * 0.32
	p.f.Alt = fmt.Sprintf("Timeline of %s: %s over the time.", p.v.Study.Name, term.Plural(int64(len(rows)), "trial"))
	return nil
}
