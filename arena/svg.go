package arena

import (
	"fmt"
	"html"
	"math"
	"strconv"
	"strings"

	"github.com/daedalus-search/daedalus/report/figure"
)

// A drawing is an SVG in the making, to stand in the page: its colours are
// classes of the style sheet, so that it follows light and dark, and everything
// of one searcher has the class s and s0, s1, … by which it is picked out.
type drawing struct {
	strings.Builder
	w, h float64
}

func newDrawing(w, h float64, alt string) *drawing {
	d := &drawing{w: w, h: h}
	fmt.Fprintf(d, `<svg viewBox="0 0 %s %s" role="img" aria-label="%s">`, num(w), num(h), html.EscapeString(alt))
	return d
}

func (d *drawing) done() string {
	d.WriteString("</svg>")
	return d.String()
}

// num writes a number of pixels.
func num(x float64) string {
	s := strconv.FormatFloat(x, 'f', 1, 64)
	if s = strings.TrimSuffix(s, ".0"); s == "-0" {
		return "0"
	}
	return s
}

func (d *drawing) line(class string, x1, y1, x2, y2 float64) {
	fmt.Fprintf(d, `<line class="%s" x1="%s" y1="%s" x2="%s" y2="%s"/>`, class, num(x1), num(y1), num(x2), num(y2))
}

// text writes a line of text; anchor is start, middle or end.
func (d *drawing) text(class string, x, y float64, anchor, s string) {
	fmt.Fprintf(d, `<text class="%s" x="%s" y="%s" text-anchor="%s">%s</text>`, class, num(x), num(y), anchor, html.EscapeString(s))
}

// open begins what belongs to a searcher; what is shown when it is pointed at
// follows.
func (d *drawing) open(color int, tip string) {
	fmt.Fprintf(d, `<g class="s s%d"><title>%s</title>`, color, html.EscapeString(tip))
}

func (d *drawing) close() { d.WriteString("</g>") }

// path draws a line through places, broken where one is nowhere.
func (d *drawing) path(class string, xs, ys []float64) {
	var b strings.Builder
	op := "M"
	for i := range xs {
		if ys[i]-ys[i] != 0 || xs[i]-xs[i] != 0 {
			op = "M"
			continue
		}
		b.WriteString(op + num(xs[i]) + " " + num(ys[i]))
		op = "L"
	}
	if b.Len() > 0 {
		fmt.Fprintf(d, `<path class="%s" d="%s"/>`, class, b.String())
	}
}

// band fills between two lines.
func (d *drawing) band(class string, xs, low, high []float64) {
	for i := 0; i < len(xs); {
		j := i
		for j < len(xs) && low[j]-low[j] == 0 && high[j]-high[j] == 0 {
			j++
		}
		if j-i > 1 {
			var b strings.Builder
			for k := i; k < j; k++ {
				b.WriteString(map[bool]string{true: "M", false: "L"}[k == i] + num(xs[k]) + " " + num(low[k]))
			}
			for k := j - 1; k >= i; k-- {
				b.WriteString("L" + num(xs[k]) + " " + num(high[k]))
			}
			fmt.Fprintf(d, `<path class="%s" d="%sZ"/>`, class, b.String())
		}
		i = max(j, i+1)
	}
}

// frame draws axes around the place for data: from (x, y), w by h.
type frame struct {
	x, y, w, h float64
	ax, ay     *figure.Axis
}

func (f *frame) px(x float64) float64 { return f.ax.At(x, f.x, f.x+f.w) }
func (f *frame) py(y float64) float64 { return f.ay.At(y, f.y+f.h, f.y) }

func (d *drawing) horizontal(f *frame, title string) {
	base := f.y + f.h
	for _, t := range f.ax.Ticks(f.w / 60) {
		x := f.px(t.At)
		if t.Text == "" {
			d.line("tick", x, base, x, base+2)
			continue
		}
		d.line("grid", x, f.y, x, base)
		d.text("num", x, base+13, "middle", t.Text)
	}
	d.line("axis", f.x, base, f.x+f.w, base)
	if title != "" {
		d.text("name", f.x+f.w, base+27, "end", title)
	}
}

func (d *drawing) vertical(f *frame, title string) {
	for _, t := range f.ay.Ticks(f.h / 32) {
		y := f.py(t.At)
		if t.Text == "" {
			continue
		}
		d.line("grid", f.x, y, f.x+f.w, y)
		d.text("num", f.x-5, y+3.5, "end", t.Text)
	}
	if title != "" {
		d.text("name", 2, f.y-9, "start", title)
	}
}

// floorOf is what 0 is drawn as on a logarithmic axis: below every number of
// the data, and at most twelve decades below the largest.
func floorOf(xs []float64) (floor float64, zero bool) {
	least, most := math.Inf(1), 0.0
	for _, x := range xs {
		if x-x != 0 {
			continue
		}
		if x > 0 {
			least, most = min(least, x), max(most, x)
		} else {
			zero = true
		}
	}
	if most == 0 {
		return 0, zero
	}
	if least < most*1e-12 {
		return most * 1e-12, true
	}
	if zero {
		least /= 3
	}
	return least, zero
}

// drawCurves draws the anytime curves of a problem.
func drawCurves(a *Analysis, v *ProblemView) string {
	const w, h = 460, 290
	d := newDrawing(w, h, "anytime curves on "+v.Label)
	f := &frame{x: 52, y: 24, w: w - 52 - 12, h: h - 24 - 34}
	f.ax = &figure.Axis{Low: 1, High: float64(v.Trials), Log: true}
	var all []float64
	for _, c := range v.Cells {
		all = append(append(append(all, c.Mid...), c.Low...), c.High...)
	}
	f.ay = &figure.Axis{Low: math.Inf(1), High: math.Inf(-1), Log: v.Log}
	floor, zero := 0.0, false
	if v.Log {
		if floor, zero = floorOf(all); floor == 0 {
			f.ay.Log = false
		}
	}
	at := func(y float64) float64 {
		if f.ay.Log {
			return max(y, floor)
		}
		return y
	}
	for _, y := range all {
		if y-y == 0 {
			f.ay.Low, f.ay.High = min(f.ay.Low, at(y)), max(f.ay.High, at(y))
		}
	}
	f.ax.Fit(0.001)
	f.ay.Fit(0.03)
	d.horizontal(f, "evaluations")
	d.vertical(f, v.Axis+map[bool]string{true: " ↓", false: " ↑"}[v.Lower])
	if f.ay.Log && zero {
		d.text("num", f.x-5, f.py(floor)+3.5, "end", "0")
	}
	lines := func(c *Cell, ys []float64) []float64 {
		out := make([]float64, len(ys))
		for i, y := range ys {
			out[i] = math.NaN()
			if y-y == 0 {
				out[i] = f.py(at(y))
			}
		}
		return out
	}
	for _, band := range []bool{true, false} { // lines lie above all bands
		for i, c := range v.Cells {
			if !c.Usable() {
				continue
			}
			xs := make([]float64, len(c.At))
			for k, n := range c.At {
				xs[k] = f.px(float64(n))
			}
			s := a.Standing[i]
			d.open(s.Color, fmt.Sprintf("%s: median %s after %d evaluations", s.Label, number(c.Median), v.Trials))
			if band {
				d.band("band", xs, lines(c, c.Low), lines(c, c.High))
			} else {
				d.path("curve", xs, lines(c, c.Mid))
			}
			d.close()
		}
	}
	return d.done()
}

// drawRanks draws Demšar's critical-difference diagram.
func drawRanks(a *Analysis) string {
	r := a.Ranks
	k := len(r.Members)
	rows := (k + 1) / 2
	const w, side, top, step = 900, 210, 62, 21
	groups := float64(len(r.Groups)) * 7
	h := top + 14 + groups + float64(rows)*step + 8
	d := newDrawing(w, h, "critical-difference diagram of mean ranks")
	at := func(rank float64) float64 { return side + (rank-1)/float64(max(k-1, 1))*(w-2*side) }
	d.line("rule", at(1), top, at(float64(k)), top)
	every := (k + 15) / 16
	for i := 1; i <= k; i++ {
		d.line("rule", at(float64(i)), top-5, at(float64(i)), top)
		if (i-1)%every == 0 {
			d.text("num", at(float64(i)), top-9, "middle", strconv.Itoa(i))
		}
	}
	d.text("name", at(1)-12, top-9, "end", "best rank")
	if cd := at(1+r.CD) - at(1); cd <= w-2*side {
		d.line("rule", at(1), 20, at(1)+cd, 20)
		d.line("rule", at(1), 16, at(1), 24)
		d.line("rule", at(1)+cd, 16, at(1)+cd, 24)
		d.text("name", at(1)+cd+8, 24, "start", fmt.Sprintf("critical difference %.2f", r.CD))
	} else {
		d.text("name", at(1), 24, "start", fmt.Sprintf("critical difference %.2f, more than the whole range", r.CD))
	}
	for g, x := range r.Groups {
		y := top + 9 + float64(g)*7
		d.line("group", at(r.Mean[x[0]])-3, y, at(r.Mean[x[1]])+3, y)
	}
	for i, m := range r.Members {
		s := a.Standing[m]
		x := at(r.Mean[i])
		d.open(s.Color, fmt.Sprintf("%s: mean rank %.2f", s.Label, r.Mean[i]))
		if i < rows {
			y := top + 14 + groups + float64(i)*step + 8
			d.path("lead", []float64{x, x, side - 8}, []float64{top, y, y})
			d.text("label", side-12, y+4, "end", fmt.Sprintf("%s  %.2f", clip(s.Label, 24), r.Mean[i]))
		} else {
			y := top + 14 + groups + float64(k-1-i)*step + 8
			d.path("lead", []float64{x, x, w - side + 8}, []float64{top, y, y})
			d.text("label", w-side+12, y+4, "start", fmt.Sprintf("%.2f  %s", r.Mean[i], clip(s.Label, 24)))
		}
		fmt.Fprintf(d, `<circle class="dot" cx="%s" cy="%d" r="3"/>`, num(x), top)
		d.close()
	}
	return d.done()
}

// clip shortens a label.
func clip(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}

// A bar is one row of a plot of intervals.
type bar struct {
	s             *Standing
	at, low, high float64
	tip           string
}

// drawBars draws intervals below each other.
func drawBars(bars []bar, log bool, title string, rule float64) string {
	const w, left, step = 460, 150, 22
	h := float64(len(bars))*step + 44
	d := newDrawing(w, h, title)
	f := &frame{x: left, y: 8, w: w - left - 16, h: h - 44}
	f.ax = &figure.Axis{Low: math.Inf(1), High: math.Inf(-1), Log: log}
	for _, b := range bars {
		for _, x := range []float64{b.at, b.low, b.high, rule} {
			if x-x == 0 && (!log || x > 0) {
				f.ax.Low, f.ax.High = min(f.ax.Low, x), max(f.ax.High, x)
			}
		}
	}
	f.ax.Fit(0.04)
	d.horizontal(f, title)
	if rule-rule == 0 {
		d.line("zero", f.px(rule), f.y, f.px(rule), f.y+f.h)
	}
	for i, b := range bars {
		y := f.y + (float64(i)+0.5)*step
		d.open(b.s.Color, b.tip)
		d.text("label", left-8, y+4, "end", clip(b.s.Label, 22))
		if x1, x2 := f.px(b.low), f.px(b.high); x1-x1 == 0 && x2-x2 == 0 {
			d.line("whisker", x1, y, x2, y)
		}
		if x := f.px(b.at); x-x == 0 {
			fmt.Fprintf(d, `<circle class="dot" cx="%s" cy="%s" r="4"/>`, num(x), num(y))
		}
		d.close()
	}
	return d.done()
}

// drawLottery draws the sweep of every searcher: its settings as dots over a box
// of their quartiles, its default as a diamond.
func drawLottery(l *LotteryView) string {
	const w, left, step = 460, 150, 34
	v := l.Problem
	h := float64(len(l.Sweeps))*step + 46
	d := newDrawing(w, h, "results of many settings on "+v.Label)
	f := &frame{x: left, y: 8, w: w - left - 16, h: h - 46}
	f.ax = &figure.Axis{Low: math.Inf(1), High: math.Inf(-1), Log: v.Log}
	var all []float64
	for _, s := range l.Sweeps {
		all = append(append(all, s.Results...), s.Default)
	}
	floor := 0.0
	if v.Log {
		if floor, _ = floorOf(all); floor == 0 {
			f.ax.Log = false
		}
	}
	at := func(x float64) float64 {
		if f.ax.Log {
			x = max(x, floor)
		}
		return f.px(x)
	}
	for _, x := range all {
		if x-x == 0 {
			if f.ax.Log {
				x = max(x, floor)
			}
			f.ax.Low, f.ax.High = min(f.ax.Low, x), max(f.ax.High, x)
		}
	}
	f.ax.Fit(0.05)
	d.horizontal(f, v.Axis+map[bool]string{true: " (less is better)", false: " (more is better)"}[v.Lower])
	for i, s := range l.Sweeps {
		y := f.y + (float64(i)+0.5)*step
		d.open(s.Standing.Color, fmt.Sprintf("%s: median %s, best %s, worst %s of %d settings; default %s", s.Standing.Label, number(s.Median), number(s.Best), number(s.Worst), len(s.Results), number(s.Default)))
		d.text("label", left-8, y+4, "end", clip(s.Standing.Label, 22))
		x1, x2 := at(s.Q1), at(s.Q3)
		if x1 > x2 {
			x1, x2 = x2, x1
		}
		if x1-x1 == 0 && x2-x2 == 0 {
			fmt.Fprintf(d, `<rect class="box" x="%s" y="%s" width="%s" height="16"/>`, num(x1), num(y-8), num(max(x2-x1, 1)))
		}
		if x := at(s.Median); x-x == 0 {
			d.line("median", x, y-8, x, y+8)
		}
		for k, r := range s.Results {
			if x := at(r); x-x == 0 {
				fmt.Fprintf(d, `<circle class="speck" cx="%s" cy="%s" r="2.2"/>`, num(x), num(y+float64(k*7%11-5)))
			}
		}
		if x := at(s.Default); x-x == 0 {
			fmt.Fprintf(d, `<path class="default" d="M%s %sl5.5 -5.5l5.5 5.5l-5.5 5.5Z"/>`, num(x-5.5), num(y))
		}
		d.close()
	}
	return d.done()
}
