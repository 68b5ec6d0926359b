package serving

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	sim "github.com/daedalus-search/daedalus/hardware/serving"
	"github.com/daedalus-search/daedalus/internal/detmath"
	"github.com/daedalus-search/daedalus/internal/diagram"
	"github.com/daedalus-search/daedalus/space"
)

// Measures of the drawing, in pixels.
const (
	wide   = 900.0
	margin = 20.0
	gutter = 16.0
	half   = (wide - 2*margin - gutter) / 2
	right  = margin + half + gutter
)

// A drawing is a deployment on its way to paper.
type drawing struct {
	diagram.Canvas
	p       *Problem
	c       Choice
	service sim.Service
	report  *sim.Report // nil if it cannot serve the load
	reason  string      // why not
	x       sim.Platform
	y       float64
}

// Draw draws a deployment: what it measures, how one replica is laid out over
// accelerators and what is in the memory of each, its operators under the
// roofline, and where the time of a step goes.
func (p *Problem) Draw(w io.Writer, d space.Design) error {
	c, err := p.Choice(d)
	if err != nil {
		return err
	}
	g := drawing{p: p, c: c, y: 34}
	g.x, _ = p.platform(&c)
	if g.service, err = p.Service(c); err == nil {
		g.report, err = p.run(c, len(p.requests))
	}
	if err != nil {
		g.reason = err.Error()
	}
	g.TextIn(margin, g.y, wide-2*margin, 16, p.model.Name+" on "+p.Label(d), diagram.Strong)
	g.y += 20
	g.Text(margin, g.y, fmt.Sprintf("%d requests, %s a second; up to %s tokens each", len(p.requests), short(p.rate()), thousands(p.longest)), "muted small")
	g.y += 16
	g.numbers()
	top := g.y
	g.layout()
	g.memory()
	left := g.y
	g.y = top
	g.roofline()
	g.y = max(g.y, left) + gutter
	g.steps()
	return g.WriteSVG(w, wide, g.y+margin, p.model.Name+" on "+p.Label(d))
}

// short writes three digits, and no exponent for what people read.
func short(x float64) string {
	switch a := math.Abs(x); {
	case a == 0 || a >= 0.001 && a < 1000:
		return strconv.FormatFloat(round(x, 3), 'f', -1, 64)
	case a >= 1000 && a < 1e7:
		return thousands(int(math.Round(round(x, 3))))
	}
	return strconv.FormatFloat(x, 'g', 3, 64)
}

func round(x float64, digits int) float64 {
	y, _ := strconv.ParseFloat(strconv.FormatFloat(x, 'g', digits, 64), 64)
	return y
}

func answers(n int) string {
	if n == 1 {
		return "1 answer"
	}
	return thousands(n) + " answers"
}

func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func log2(x float64) float64  { return detmath.Log2(x) }
func log10(x float64) float64 { return detmath.Log2(x) / detmath.Log2(10) }
func pow2(k int) float64      { return math.Ldexp(1, k) }
func pow10(k int) float64     { return detmath.Pow(10, float64(k)) }

// numbers are the metrics, or why there are none.
func (g *drawing) numbers() {
	const high = 52.0
	if g.report == nil {
		g.Rect(margin, g.y, wide-2*margin, high, 6, diagram.Card)
		g.Text(margin+12, g.y+22, "Cannot serve this load", diagram.Strong)
		g.TextIn(margin+12, g.y+40, wide-2*margin-24, diagram.SmallSize, strings.TrimPrefix(g.reason, "infeasible: "), "muted small")
		g.y += high + gutter
		return
	}
	v := g.p.values(g.c, g.report)
	cells := [...]struct{ name, value, note string }{
		{"first token", short(v["ttft_ms"]) + " ms", "p99 " + short(v["ttft_p99_ms"]) + " ms"},
		{"each further token", short(v["tpot_ms"]) + " ms", "p99 " + short(v["tpot_p99_ms"]) + " ms"},
		{"throughput", short(v["throughput_tokens_s"]) + " /s", "tokens of answers"},
		{"cost", "$" + short(v["cost_usd_mtok"]), "a million tokens"},
		{"energy", short(v["energy_j_token"]) + " J", "a token"},
		{"in time", short(v["slo"]) + "%", fmt.Sprintf("%s and %s ms", short(g.p.options.TTFT), short(g.p.options.TPOT))},
	}
	gap := 8.0
	w := (wide - 2*margin - gap*float64(len(cells)-1)) / float64(len(cells))
	for i, c := range cells {
		x := margin + float64(i)*(w+gap)
		g.Rect(x, g.y, w, high+12, 6, diagram.Card)
		g.TextIn(x+10, g.y+18, w-20, diagram.SmallSize, c.name, "muted small")
		g.TextIn(x+10, g.y+37, w-20, 14, c.value, diagram.Strong)
		g.TextIn(x+10, g.y+54, w-20, diagram.SmallSize, c.note, "muted small")
	}
	g.y += high + 12 + gutter
}

// usage returns what an accelerator holds, in GB.
func (g *drawing) usage() (weights, kv float64) {
	if g.report != nil {
		return g.report.WeightsGB, g.report.PeakKVGB
	}
	if g.service.Engine != nil {
		d := g.service.Engine.Deployment()
		d.Platform.MemoryGB = 1e12
		if e, err := sim.New(d); err == nil {
			if r, err := e.Prefill(1, 1); err == nil {
				return r.WeightsGB / float64(g.c.PP), 0
			}
		}
	}
	return 0, 0
}

// bar is memory in use: weights, keys and values, and what is free.
func (g *drawing) bar(x, y, w, h float64) {
	weights, kv := g.usage()
	all := max(g.x.MemoryGB, weights+kv)
	g.Rect(x, y, w, h, 2, diagram.Track)
	a, b := w*weights/all, w*kv/all
	if a > 0 {
		g.Rect(x, y, a, h, 2, "fill-blue")
	}
	if b > 0 {
		g.Rect(x+a, y, b, h, 2, "fill-orange")
	}
}

// layout is one replica: a row for every stage, a column for every accelerator
// that shares its matrices.
func (g *drawing) layout() {
	const cell, gap, most = 40.0, 6.0, 8
	c := &g.c
	span, stages := c.TP*c.EP, c.PP
	rows, cols := min(stages, most), min(span, most)
	if stages > most {
		rows--
	}
	if span > most {
		cols--
	}
	high := 62 + float64(rows)*(cell+gap)
	if stages > most {
		high += 18
	}
	g.Rect(margin, g.y, half, high, 8, diagram.Panel)
	title := "One replica"
	if n := c.replicas(); n > 1 {
		title = fmt.Sprintf("One of %d replicas", n)
	}
	g.Text(margin+12, g.y+22, title, diagram.Strong)
	what := fmt.Sprintf("%d of %s", span*stages, strings.TrimSuffix(c.Platform, "_GPU"))
	switch {
	case span*stages == 1:
		what = "one accelerator"
	case c.EP > 1:
		what += fmt.Sprintf(", experts in %d groups", c.EP)
		if c.TP > 1 {
			what += fmt.Sprintf(" of %d", c.TP)
		}
		if stages > 1 {
			what += fmt.Sprintf(", %d stages", stages)
		}
	case stages == 1:
		what += ", sharing every matrix"
	case span == 1:
		what += ", a stage each"
	default:
		what += fmt.Sprintf(": %d stages of %d that share every matrix", stages, span)
	}
	g.TextIn(margin+12, g.y+40, half-24, diagram.SmallSize, what, "muted small")
	y := g.y + 52
	const label = 92.0
	w := (half - 24 - label - gap*float64(most-1)) / most
	if cols <= most/2 && span <= most {
		w = min(2*w+gap, 90)
	}
	each, rest := g.p.model.Layers/stages, g.p.model.Layers%stages
	first := 0
	for s := range rows {
		n := each
		if s < rest {
			n++
		}
		g.Text(margin+12, y+cell/2-1, fmt.Sprintf("stage %d", s+1), diagram.Small)
		g.Text(margin+12, y+cell/2+13, fmt.Sprintf("layers %d–%d", first+1, first+n), "muted small")
		first += n
		for r := range cols {
			x := margin + 12 + label + float64(r)*(w+gap)
			g.Rect(x, y, w, cell, 4, diagram.Card)
			name := fmt.Sprint(r + 1)
			if w > 60 {
				name = fmt.Sprintf("rank %d", r+1)
			}
			g.Text(x+w/2, y+18, name, "small middle")
			g.bar(x+5, y+cell-14, w-10, 7)
		}
		if span > most {
			g.Text(margin+12+label+float64(cols)*(w+gap)+4, y+cell/2+4, fmt.Sprintf("+%d", span-cols), "muted small")
		}
		y += cell + gap
	}
	if stages > most {
		g.Text(margin+12, y+10, fmt.Sprintf("and %d more stages", stages-rows), "muted small")
	}
	g.y += high + gutter
}

// memory is that of one accelerator, in numbers.
func (g *drawing) memory() {
	const high = 108.0
	weights, kv := g.usage()
	all := g.x.MemoryGB
	g.Rect(margin, g.y, half, high, 8, diagram.Panel)
	g.Text(margin+12, g.y+22, "Memory of each", diagram.Strong)
	note := short(all) + " GB"
	if f := g.p.options.MemoryShare; f < 1 {
		note += fmt.Sprintf(", of which %s may be used", short(all*f))
	}
	g.Text(margin+half-12, g.y+22, note, "muted small end")
	x, w := margin+12, half-24
	g.bar(x, g.y+34, w, 18)
	if f := g.p.options.MemoryShare; f < 1 || weights+kv > all {
		at := x + w*f*all/max(all, weights+kv)
		g.Line(at, g.y+30, at, g.y+56, "line-grey")
	}
	key := func(i int, class, name string, gb float64, note string) {
		kx := x + float64(i)*w/3
		g.Rect(kx, g.y+66, 10, 10, 2, class)
		g.Text(kx+16, g.y+75, name, diagram.Small)
		g.Text(kx+16, g.y+92, short(gb)+" GB"+note, "muted small")
	}
	key(0, "fill-blue", "weights", weights, "")
	key(1, "fill-orange", "keys and values", kv, " at most")
	if free := all - weights - kv; free >= 0 {
		key(2, diagram.Track, "free", free, "")
	} else {
		key(2, "fill-grey", "missing", -free, "")
	}
	g.y += high
}

// typical is the step whose operators are shown: a prompt of mean length, and
// the batch that the load made on average, half-way through such answers.
func (g *drawing) typical() (batch, input, context int) {
	in, out := 0, 0
	for _, q := range g.p.requests {
		in += q.Prompt
		out += q.Output
	}
	n := len(g.p.requests)
	batch = 1
	if g.report != nil {
		batch = max(int(math.Round(g.report.MeanBatch)), 1)
	}
	return batch, max(in/n, 1), max(in/n, 1) + max(out/n/2, 1)
}

// step is the typical step of a phase.
func (g *drawing) step(phase sim.Phase) (sim.Result, []sim.Operator, error) {
	batch, input, context := g.typical()
	if phase == sim.Prefill {
		return g.service.Engine.StepDetails([]sim.Piece{{New: input}}, nil)
	}
	return g.service.Engine.StepDetails(nil, slices.Repeat([]int{context}, batch))
}

// A dot is an operator under the roof.
type dot struct {
	sim.Operator
	decode bool
	share  float64 // of its pass
}

func (g *drawing) dots() (dots []dot) {
	if g.report == nil {
		return nil
	}
	for _, phase := range []sim.Phase{sim.Prefill, sim.Decode} {
		_, ops, err := g.step(phase)
		if err != nil {
			continue
		}
		total := 0.0
		for i := range ops {
			total += ops[i].Times * ops[i].LatencyMS
		}
		for _, o := range ops {
			if o.LatencyMS > 0 {
				dots = append(dots, dot{o, phase == sim.Decode, o.Times * o.LatencyMS / total})
			}
		}
	}
	return dots
}

// roofline shows what operators reach, over how much they compute with a byte.
func (g *drawing) roofline() {
	const high, listed = 420.0, 6
	dots := g.dots()
	if len(dots) == 0 {
		return
	}
	g.Rect(right, g.y, half, high, 8, diagram.Panel)
	g.Text(right+12, g.y+22, "Roofline", diagram.Strong)
	peak, gbs := g.service.Engine.Roof()
	g.Text(right+half-12, g.y+22, fmt.Sprintf("%s TFLOPS, %s GB/s", short(peak), short(gbs)), "muted small end")
	batch, in, _ := g.typical()
	first, second := fmt.Sprintf("a prompt of %s tokens", thousands(in)), "a token of "+answers(batch)
	g.Circle(right+17, g.y+36, 4, "fill-blue")
	g.Text(right+28, g.y+40, first, "muted small")
	at := right + 28 + diagram.TextWidth(first, diagram.SmallSize) + 18
	g.Rect(at, g.y+32, 8, 8, 1, "fill-orange")
	g.Text(at+14, g.y+40, second, "muted small")
	left, top, w, h := right+52, g.y+68.0, half-52-16, 176.0
	const lox, hix = -2, 13 // exponents of 2: a quarter to 8,192
	hiy := math.Ceil(log10(peak) + .05)
	loy := hiy - 4
	px := func(intensity float64) float64 {
		return left + w*min(max((log2(intensity)-lox)/(hix-lox), 0), 1)
	}
	py := func(tflops float64) float64 {
		return top + h - h*min(max((log10(tflops)-loy)/(hiy-loy), 0), 1)
	}
	for k := lox; k < hix; k += 3 {
		x := px(pow2(k))
		g.Line(x, top, x, top+h, diagram.Rule)
		name := thousands(int(pow2(k)))
		if k < 0 {
			name = "¼"
		}
		g.Text(x, top+h+15, name, "muted small middle")
	}
	for k := int(loy); k <= int(hiy); k++ {
		y := py(pow10(k))
		g.Line(left, y, left+w, y, diagram.Rule)
		g.Text(left-6, y+4, short(pow10(k)), "muted small end")
	}
	g.Text(left+w, top+h+31, "operations a byte off chip", "muted small end")
	g.Text(left+4, top+14, "TFLOPS", "muted small")
	slope := gbs * (1 << 30) / 1e12
	ridge := peak / slope
	from := pow2(lox)
	if low := pow10(int(loy)) / slope; low > from {
		from = low
	}
	g.Path(diagram.At("M", px(from), py(from*slope))+diagram.At("L", px(ridge), py(peak))+diagram.At("L", left+w, py(peak)), "line-grey")
	slices.SortStableFunc(dots, func(a, b dot) int {
		switch {
		case a.share > b.share:
			return -1
		case a.share < b.share:
			return 1
		}
		return 0
	})
	for _, d := range slices.Backward(dots) { // the largest on top
		if d.LinkMS > 0 || d.FLOP == 0 {
			continue
		}
		reached := d.FLOP / d.LatencyMS / 1e9
		x, y := px(pow2(hix)), py(reached)
		if d.OffChipBytes > 0 {
			x = px(d.FLOP / d.OffChipBytes)
		}
		r := 3 + 7*math.Sqrt(d.share)
		g.Titled(d.title(), func() {
			if d.decode {
				g.Rect(x-r*.9, y-r*.9, 1.8*r, 1.8*r, 1, "fill-orange faint")
				g.Rect(x-2, y-2, 4, 4, 1, "fill-orange")
			} else {
				g.Circle(x, y, r, "fill-blue faint")
				g.Circle(x, y, 2, "fill-blue")
			}
		})
	}
	g.y = top + h + 52
	g.Text(right+12, g.y, "what takes longest", "muted small")
	g.Text(right+half-108, g.y, "of its pass", "muted small end")
	g.Text(right+half-12, g.y, "waits for", "muted small end")
	for _, d := range dots[:min(listed, len(dots))] {
		g.y += 17
		name := "prefill: "
		if d.decode {
			name = "decoding: "
			g.Rect(right+12, g.y-8, 8, 8, 1, "fill-orange")
		} else {
			g.Circle(right+16, g.y-4, 4, "fill-blue")
		}
		g.TextIn(right+28, g.y, half-200, diagram.SmallSize, name+d.Name, diagram.Small)
		g.Text(right+half-108, g.y, short(100*d.share)+"%", "small end")
		g.Text(right+half-12, g.y, d.Bound(), "small end")
	}
	g.y = top - 68 + high
}

func (d *dot) title() string {
	pass := "prefill"
	if d.decode {
		pass = "decoding"
	}
	return fmt.Sprintf("%s, %s: %s GFLOP, %s MB, %s ms × %s, waits for %s", d.Name, pass, short(d.FLOP/1e9), short(d.Bytes()/(1<<20)), short(d.LatencyMS), short(d.Times), d.Bound())
}

// steps are bars of where the time of the two passes goes.
func (g *drawing) steps() {
	const high = 118.0
	if g.report == nil {
		return
	}
	batch, in, _ := g.typical()
	g.Rect(margin, g.y, wide-2*margin, high, 8, diagram.Panel)
	g.Text(margin+12, g.y+22, "Where the time goes", diagram.Strong)
	kinds := [...]struct {
		name, class string
		ms          func(*sim.Breakdown) float64
	}{
		{"projections", "fill-blue", func(b *sim.Breakdown) float64 { return b.ProjectionMS }},
		{"attention", "fill-orange", func(b *sim.Breakdown) float64 { return b.LogitAttendMS }},
		{"feed-forward", "fill-green", func(b *sim.Breakdown) float64 { return b.FFNLayersMS }},
		{"embeddings", "fill-grey", func(b *sim.Breakdown) float64 { // without their collectives, which are links
			links := b.CollectiveMS - (b.AttentionMS - b.ProjectionMS - b.LogitAttendMS) - (b.FFNMS - b.FFNLayersMS) - b.SendMS
			return b.EmbeddingMS - links
		}},
		{"links", "fill-purple", func(b *sim.Breakdown) float64 { return b.CollectiveMS }},
	}
	x := margin + 190
	for _, k := range kinds {
		g.Rect(x, g.y+13, 10, 10, 2, k.class)
		g.Text(x+16, g.y+22, k.name, diagram.Small)
		x += 16 + diagram.TextWidth(k.name, diagram.SmallSize) + 18
	}
	const name = 250.0
	y := g.y + 38
	for _, phase := range []sim.Phase{sim.Prefill, sim.Decode} {
		r, _, err := g.step(phase)
		if err != nil {
			continue
		}
		what := fmt.Sprintf("a prompt of %s tokens", thousands(in))
		if phase == sim.Decode {
			what = "a token of " + answers(batch)
		}
		g.Text(margin+12, y+10, what, diagram.Small)
		g.Text(margin+12, y+25, short(r.LatencyMS)+" ms through all stages", "muted small")
		total := 0.0
		for _, k := range kinds {
			total += k.ms(&r.Breakdown)
		}
		at, w := margin+name, wide-2*margin-name-12
		for _, k := range kinds {
			part := w * k.ms(&r.Breakdown) / total
			if part <= 0 {
				continue
			}
			g.Titled(fmt.Sprintf("%s: %s ms", k.name, short(k.ms(&r.Breakdown))), func() { g.Rect(at, y, part, 22, 0, k.class) })
			if label := short(100*k.ms(&r.Breakdown)/total) + "%"; part > diagram.TextWidth(label, diagram.SmallSize)+8 {
				g.Text(at+part/2, y+15, label, "on small middle")
			}
			at += part
		}
		y += 36
	}
	g.y += high
}
