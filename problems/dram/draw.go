package dram

import (
	"context"
	"fmt"
	"io"
	"strconv"

	sim "github.com/daedalus-search/daedalus/hardware/dram"
	"github.com/daedalus-search/daedalus/internal/diagram"
	"github.com/daedalus-search/daedalus/space"
)

// Sizes of the drawing in pixels.
const (
	pageWidth = 920.0
	margin    = 16.0
	blockTop  = 48.0
	blockHigh = 96.0
	laneLeft  = margin + 58
	laneRight = pageWidth - margin
	shownNS   = 400.0 // of each trace
	drawn     = 4     // traces at most
)

// Draw draws the blocks of the controller with what was chosen for each, and
// below them what it sends to the banks in the first 400 ns of each trace. The
// colours follow the reader's light or dark scheme.
func (p *Problem) Draw(w io.Writer, d space.Design) error {
	c, err := p.Controller(d)
	if err != nil {
		return err
	}
	var g diagram.Canvas
	g.Text(margin, 30, "Memory controller", diagram.Strong)
	g.TextIn(margin+150, 30, pageWidth-2*margin-150, diagram.SmallSize, p.Label(d), diagram.Small+" "+diagram.Muted)
	p.blocks(&g, c)
	y := blockTop + blockHigh + 84
	legend(&g, y)
	y += 22
	s := sim.NewSimulator()
	s.Record(4096)
	for i, l := range p.loads {
		if i == drawn {
			g.Text(margin, y+14, fmt.Sprintf("and %d more traces", len(p.loads)-drawn), diagram.Small+" "+diagram.Muted)
			y += 24
			break
		}
		r, err := s.Run(context.Background(), l, c)
		if err != nil {
			return err
		}
		y = p.timeline(&g, y, l, &r, s.Commands())
	}
	return g.WriteSVG(w, pageWidth, y+margin, "Memory controller "+p.Label(d))
}

// block draws one box with a title and lines of text.
func block(g *diagram.Canvas, x, y, w, h float64, colour diagram.Colour, title string, lines ...string) {
	g.Rect(x, y, w, h, 6, diagram.Panel)
	g.Rect(x, y, 4, h, 2, "fill-"+colour.String())
	g.TextIn(x+14, y+21, w-20, diagram.TextSize, title, diagram.Strong)
	for i, l := range lines {
		g.TextIn(x+14, y+40+17*float64(i), w-20, diagram.SmallSize, l, diagram.Small+" "+diagram.Muted)
	}
}

// arrow draws a line to the right, or to the left if x2 is less than x1.
func arrow(g *diagram.Canvas, x1, x2, y float64, colour diagram.Colour) {
	tip := 6.0
	if x2 < x1 {
		tip = -tip
	}
	g.Line(x1, y, x2-tip, y, "line-"+colour.String())
	g.Path(diagram.At("M", x2, y)+diagram.At("L", x2-1.3*tip, y-4.5)+diagram.At("L", x2-1.3*tip, y+4.5)+"Z", "fill-"+colour.String())
}

// blocks draws the way of a request and of its answer.
func (p *Problem) blocks(g *diagram.Canvas, c sim.Controller) {
	const gap = 26.0
	wide := (pageWidth - 2*margin - 3*gap) / 4
	x := func(i int) float64 { return margin + float64(i)*(wide+gap) }
	s := &p.memory.Spec

	arbiter := []string{"one request on its way"}
	if c.Arbiter != sim.ArbiterSimple {
		arbiter = []string{plural(c.MaxActiveTransactions, "request") + " in flight", "answers as they come"}
		if c.Arbiter == sim.ArbiterReorder {
			arbiter[1] = "answers in order"
		}
	}
	block(g, x(0), blockTop, wide, blockHigh, diagram.Grey, "Arbiter "+c.Arbiter.String(), arbiter...)

	places := map[sim.Buffer]string{sim.Bankwise: "for each bank", sim.ReadWrite: "for reads, and for writes", sim.Shared: "for all banks"}[c.SchedulerBuffer]
	block(g, x(1), blockTop, wide, blockHigh, diagram.Blue, "Scheduler "+c.Scheduler.String(), plural(c.RequestBufferSize, "place")+" "+places)
	for i := range min(c.RequestBufferSize, 12) {
		g.Rect(x(1)+14+15*float64(i), blockTop+blockHigh-32, 12, 16, 2, "tint-blue")
		g.Rect(x(1)+14+15*float64(i), blockTop+blockHigh-32, 12, 16, 2, "line-blue")
	}

	policy := map[sim.PagePolicy][2]string{
		sim.Open:           {"rows stay open until", "another is needed"},
		sim.OpenAdaptive:   {"rows close when others wait", "and no more hits do"},
		sim.Closed:         {"rows close with", "every access"},
		sim.ClosedAdaptive: {"rows close unless", "more hits wait"},
	}[c.PagePolicy]
	block(g, x(2), blockTop, wide, blockHigh, diagram.Green, "Pages "+c.PagePolicy.String(), policy[0], policy[1])

	refresh := "never refreshed"
	if c.RefreshPolicy == sim.AllBank {
		refresh = fmt.Sprintf("refresh: %d put off, %d ahead", c.RefreshMaxPostponed, c.RefreshMaxPulledin)
	}
	block(g, x(3), blockTop, wide, blockHigh, diagram.Purple, string(s.Family)+" at "+number(s.ClockMHz)+" MHz",
		fmt.Sprintf("%s × %s", plural(s.Ranks, "rank"), plural(s.Banks, "bank")), refresh)

	y := blockTop + blockHigh/2
	for i := range 3 {
		arrow(g, x(i)+wide+3, x(i+1)-3, y, diagram.Grey)
	}
	// The way back.
	back := blockTop + blockHigh + 34
	order := "answers as the data come"
	if c.RespQueue == sim.RespReorder {
		order = "answers as the requests came"
	}
	mid, half := pageWidth/2, 180.0
	g.Line(x(3)+wide/2, blockTop+blockHigh+2, x(3)+wide/2, back, "line-grey")
	arrow(g, x(3)+wide/2, mid+half+3, back, diagram.Grey)
	g.Rect(mid-half, back-19, 2*half, 38, 6, diagram.Panel)
	g.Rect(mid-half, back-19, 4, 38, 2, "fill-orange")
	g.Text(mid-half+14, back+4.5, "Responses "+c.RespQueue.String(), diagram.Strong)
	g.Text(mid+half-10, back+4.5, order, diagram.Small+" "+diagram.Muted+" "+diagram.End)
	g.Line(mid-half-3, back, x(0)+wide/2, back, "line-grey")
	g.Line(x(0)+wide/2, back, x(0)+wide/2, blockTop+blockHigh+9, "line-grey")
	tip := blockTop + blockHigh + 3
	g.Path(diagram.At("M", x(0)+wide/2, tip)+diagram.At("L", x(0)+wide/2-4.5, tip+8)+diagram.At("L", x(0)+wide/2+4.5, tip+8)+"Z", "fill-grey")
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func number(x float64) string { return strconv.FormatFloat(x, 'g', 4, 64) }

// looks is how each command is drawn, with a letter so that nothing is said by
// colour alone where there is room for it.
var looks = map[sim.Kind]diagram.Colour{
	sim.ACT: diagram.Blue, sim.RD: diagram.Green, sim.RDA: diagram.Green, sim.WR: diagram.Orange, sim.WRA: diagram.Orange,
	sim.PRE: diagram.Grey, sim.PREA: diagram.Grey, sim.REF: diagram.Purple,
}

// heights are shares of a lane: opening and closing are told from reading and
// writing by them too.
var heights = map[sim.Kind][2]float64{
	sim.ACT: {0, 1}, sim.RD: {0.2, 0.8}, sim.RDA: {0.2, 0.8}, sim.WR: {0.2, 0.8}, sim.WRA: {0.2, 0.8}, sim.PRE: {0.5, 1}, sim.PREA: {0.5, 1}, sim.REF: {0, 1},
}

func legend(g *diagram.Canvas, y float64) {
	x := laneLeft
	item := func(label string, draw func(x float64)) {
		draw(x)
		g.Text(x+16, y+4, label, diagram.Small)
		x += 26 + diagram.TextWidth(label, diagram.SmallSize)
	}
	bar := func(k sim.Kind) func(float64) {
		return func(x float64) {
			h := heights[k]
			g.Rect(x+4, y-7+14*h[0], 4, 14*(h[1]-h[0]), 1, "fill-"+looks[k].String())
		}
	}
	item("ACT opens a row", bar(sim.ACT))
	item("RD", bar(sim.RD))
	item("WR", bar(sim.WR))
	item("RDA, WRA close it too", func(x float64) {
		bar(sim.RD)(x)
		g.Rect(x+4, y+4, 4, 3, 0, "fill-grey")
	})
	item("PRE closes", bar(sim.PRE))
	item("REF refreshes", bar(sim.REF))
	item("a row is open", func(x float64) { g.Rect(x, y-4, 12, 8, 0, "tint-blue") })
}

// timeline draws what is sent to each bank, and returns where it ends.
func (p *Problem) timeline(g *diagram.Canvas, y float64, l *sim.Load, r *sim.Result, commands []sim.Command) float64 {
	s := &p.memory.Spec
	banks := s.Ranks * s.Banks
	lane := 16.0
	if banks > 8 {
		lane = max(176/float64(banks), 8)
	}
	clock := s.ClockNS()
	at := func(cycle int64) float64 {
		return laneLeft + min(float64(cycle)*clock/shownNS, 1)*(laneRight-laneLeft)
	}
	wide := max((laneRight-laneLeft)/shownNS*clock, 2.4)

	g.Text(margin, y+18, l.Trace, diagram.Strong)
	about := fmt.Sprintf("%s ms · %.3g GB/s · %.0f %% row hits · request %.3g ns mean, %.3g ns in 99 %%", strconv.FormatFloat(r.TimeMS(), 'g', 4, 64), r.Stats.BandwidthBytesPerSecond/1e9, 100*r.Stats.HitRate, r.Stats.LatencyMeanNS, r.Stats.LatencyP99NS)
	if s.HasCurrents() {
		about = fmt.Sprintf("%s mJ · %.3g W · ", number(r.Energy.TotalPJ()/1e9), r.PowerW) + about
	}
	g.Text(laneRight, y+18, about, diagram.Small+" "+diagram.Muted+" "+diagram.End)
	top := y + 28
	high := lane * float64(banks)
	g.Rect(laneLeft, top, laneRight-laneLeft, high, 0, diagram.Panel)
	every := 1
	for float64(every)*lane < 13 {
		every *= 2
	}
	for b := range banks {
		if b%every == 0 {
			label := "bank " + strconv.Itoa(b)
			g.Text(laneLeft-8, top+lane*float64(b)+min(lane, 16)/2+4, label, diagram.Small+" "+diagram.Muted+" "+diagram.End)
		}
		if b > 0 && b%every == 0 {
			g.Line(laneLeft, top+lane*float64(b), laneRight, top+lane*float64(b), diagram.Rule)
		}
	}
	// Open rows first, commands on top of them.
	opened := make([]int64, banks)
	for i := range opened {
		opened[i] = -1
	}
	limit := int64(shownNS / clock)
	shut := func(b int, cycle int64) {
		if opened[b] >= 0 {
			g.Rect(at(opened[b]), top+lane*float64(b)+1, at(cycle)-at(opened[b]), lane-2, 0, "tint-blue")
		}
		opened[b] = -1
	}
	for _, c := range commands {
		if c.Cycle > limit {
			break
		}
		switch c.Kind {
		case sim.ACT:
			opened[c.Bank] = c.Cycle
		case sim.RDA, sim.WRA, sim.PRE:
			shut(c.Bank, c.Cycle+1)
		case sim.PREA:
			for b := c.Rank * s.Banks; b < (c.Rank+1)*s.Banks; b++ {
				shut(b, c.Cycle+1)
			}
		}
	}
	for b := range opened {
		shut(b, limit)
	}
	for _, c := range commands {
		if c.Cycle >= limit {
			break
		}
		first, n := c.Bank, 1
		if c.Kind == sim.PREA || c.Kind == sim.REF {
			n = s.Banks
		}
		h := heights[c.Kind]
		for b := first; b < first+n; b++ {
			ly, lh := top+lane*float64(b)+1, lane-2
			g.Rect(at(c.Cycle), ly+lh*h[0], wide, lh*(h[1]-h[0]), 0, "fill-"+looks[c.Kind].String())
			if c.Kind == sim.RDA || c.Kind == sim.WRA {
				g.Rect(at(c.Cycle), ly+lh*0.85, wide, lh*0.15, 0, "fill-grey")
			}
		}
	}
	for ns := 0.0; ns <= shownNS; ns += 50 {
		x := laneLeft + ns/shownNS*(laneRight-laneLeft)
		g.Line(x, top+high, x, top+high+4, diagram.Rule)
		class := diagram.Small + " " + diagram.Muted + " " + diagram.Middle
		label := number(ns)
		if ns == shownNS {
			class, label = diagram.Small+" "+diagram.Muted+" "+diagram.End, label+" ns"
		}
		g.Text(x, top+high+17, label, class)
	}
	return top + high + 30
}
