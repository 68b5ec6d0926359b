package devicenas

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/daedalus-search/daedalus/hardware/device"
	"github.com/daedalus-search/daedalus/internal/detmath"
	"github.com/daedalus-search/daedalus/internal/diagram"
	"github.com/daedalus-search/daedalus/problems/nasbench201"
	"github.com/daedalus-search/daedalus/space"
)

// looks is the colour of each kind of layer.
var looks = map[device.Op]diagram.Colour{device.Conv: diagram.Blue, device.Depthwise: diagram.Orange, device.Linear: diagram.Purple, device.Pool: diagram.Green, device.Add: diagram.Grey}

// Measures of the drawing in pixels.
const (
	pageWidth  = 860.0
	margin     = 20.0
	headHeight = 62.0
	plotTop    = headHeight + 34
	plotHeight = 270.0
	plotWidth  = 350.0
	barsTop    = plotTop + plotHeight + 90
	barsHeight = 190.0
	pageHeight = barsTop + barsHeight + 84
)

// Draw draws a network as an SVG document: what it is made of, how its predicted
// latency compares with the measured networks, its layers under the device's
// roof, and what each of them computes.
func (p *Problem) Draw(w io.Writer, d space.Design) error {
	var out []byte
	var failed error
	err := p.read(d, func(x []uint8) { out, failed = p.drawing(x) })
	if err != nil {
		return err
	}
	if failed != nil {
		return failed
	}
	_, err = w.Write(out)
	return err
}

func (p *Problem) drawing(x []uint8) ([]byte, error) {
	c := &diagram.Canvas{}
	ms := p.model.LatencyMS(x)
	head := fmt.Sprintf("%s on %s", number(ms)+" ms", p.options.Device)
	c.Text(margin, 30, head, "strong")
	c.TextIn(margin, 50, pageWidth-2*margin, diagram.SmallSize, p.how()+p.trust(), "muted small")
	right := pageWidth - margin - plotWidth
	if p.options.Networks == "nasbench201" {
		c.Text(margin, plotTop-16, "Cell", "strong small")
	} else {
		p.blocks(c, x)
	}
	bars := pageWidth - 2*margin
	scatter := func(top, height float64) { p.drawSamples(c, right+46, top, plotWidth-46, height, ms) }
	switch some := len(p.samples.MS) > 0; {
	case p.roofline() != nil:
		p.drawRoofline(c, right+46, plotTop, plotWidth-46, plotHeight, x)
		if some {
			scatter(barsTop, barsHeight)
			bars = right - margin - 30
		}
	case some:
		scatter(plotTop, plotHeight)
	}
	p.drawLayers(c, x, bars)
	var b bytes.Buffer
	if err := c.WriteSVG(&b, pageWidth, pageHeight, head+": "+p.label(x)); err != nil {
		return nil, err
	}
	if p.options.Networks != "nasbench201" {
		return b.Bytes(), nil
	}
	cell, err := nasbench201.New(nasbench201.Options{})
	if err != nil {
		return nil, err
	}
	var inner bytes.Buffer
	if err := cell.Draw(&inner, cell.Design(cellOf(x))); err != nil {
		return nil, err
	}
	nested := strings.Replace(strings.TrimSpace(inner.String()), "<svg ", fmt.Sprintf(`<svg x="%g" y="%g" `, margin, plotTop-4), 1)
	whole := strings.TrimSuffix(strings.TrimSpace(b.String()), "</svg>")
	return []byte(whole + nested + "\n</svg>\n"), nil
}

// trust says how well a transferred model predicts what it was made of.
func (p *Problem) trust() string {
	t, ok := p.model.(*device.Transferred)
	if !ok || math.IsNaN(t.LeaveOneOut) {
		return ""
	}
	return fmt.Sprintf("; each of them is predicted from the others to within %.0f %% (standard error)", 100*(detmath.Exp(t.LeaveOneOut)-1))
}

// number writes three significant digits.
func number(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	case v >= 1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3g", v)
}

// blocks draws FBNet's layers as rows of pills, a row a stage.
func (p *Problem) blocks(c *diagram.Canvas, x []uint8) {
	c.Text(margin, plotTop-16, "Blocks: kernel, expansion, groups", "strong small")
	y, i := plotTop+10, 0
	for stage, s := range [][2]int{{16, 1}, {24, 4}, {32, 4}, {64, 4}, {112, 4}, {184, 4}, {352, 1}} {
		c.Text(margin, y+4, fmt.Sprintf("stage %d", stage+1), "small")
		c.Text(margin+50, y+4, fmt.Sprintf("%d ch", s[0]), "muted small")
		for k := range s[1] {
			name := p.family.space.Places()[i].Settings[x[i]]
			colour, style := diagram.Blue, diagram.Tinted
			switch {
			case name == "skip":
				style = diagram.Outline
			case strings.HasPrefix(name, "k5"):
				colour = diagram.Orange
			}
			c.Pill(margin+130+78*float64(k), y, 72, strings.ReplaceAll(name, "_", " "), colour, style)
			i++
		}
		y += 34
	}
}

// A scale maps logarithms of values to pixels.
type scale struct{ from, to, at, size float64 }

func newScale(values []float64, at, size float64) scale {
	s := scale{math.Inf(1), math.Inf(-1), at, size}
	for _, v := range values {
		s.from, s.to = min(s.from, v), max(s.to, v)
	}
	s.from, s.to = detmath.Log(s.from)-0.25, detmath.Log(s.to)+0.25
	return s
}

func (s scale) px(v float64) float64 {
	return s.at + float64(s.size*((detmath.Log(v)-s.from)/(s.to-s.from)))
}

// ticks returns round values, at most seven: powers of ten, or 1, 2 and 5 times
// them where there is room.
func (s scale) ticks() []float64 {
	for _, steps := range [][]float64{{1, 1.5, 2, 3, 4, 5, 6, 8}, {1, 2, 5}, {1}, {1e-6}} {
		var out []float64
		for e := -12; e < 16; e++ {
			for _, m := range steps {
				v := m * detmath.Pow(10, float64(e))
				if m < 1 { // every second power
					if e%2 != 0 {
						continue
					}
					v = detmath.Pow(10, float64(e))
				}
				if l := detmath.Log(v); l >= s.from && l <= s.to {
					out = append(out, v)
				}
			}
		}
		if len(out) <= 7 {
			return out
		}
	}
	return nil
}

// frame draws the axes of a plot.
func frame(c *diagram.Canvas, h, v scale, title, below, beside string) {
	top, bottom, right := v.at+v.size, v.at, h.at+h.size
	c.Text(h.at-46, top-16, title, "strong small")
	c.Rect(h.at, top, h.size, bottom-top, 0, "panel")
	for _, t := range h.ticks() {
		c.Line(h.px(t), top, h.px(t), bottom, "rule")
		c.Text(h.px(t), bottom+15, tick(t), "small muted middle")
	}
	for _, t := range v.ticks() {
		c.Line(h.at, v.px(t), right, v.px(t), "rule")
		c.Text(h.at-6, v.px(t)+4, tick(t), "small muted end")
	}
	c.Text((h.at+right)/2, bottom+32, below, "small middle")
	c.Text(h.at+8, top+16, beside, "small muted")
}

// tick writes a power of ten beyond 10,000 as one.
func tick(v float64) string {
	if v >= 1e5 {
		return fmt.Sprintf("%gk", v/1000)
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

// drawRoofline plots the layers under the roof.
func (p *Problem) drawRoofline(c *diagram.Canvas, x0, y0, width, height float64, x []uint8) {
	r := p.roofline()
	points := r.Points(x)
	for i := range points { // caches and merged layers make some faster than memory allows
		points[i].GOPS = min(points[i].GOPS, r.Hardware.Roof(points[i].Intensity, r.Precision))
	}
	var intensities, speeds []float64
	for _, q := range points {
		if q.Layer.MACs > 0 && q.GOPS > 0 {
			intensities, speeds = append(intensities, q.Intensity), append(speeds, q.GOPS)
		}
	}
	ridge, peak := r.Hardware.Ridge(r.Precision), r.Hardware.PeakGOPS[r.Precision]
	intensities = append(intensities, ridge, 2*ridge)
	speeds = append(speeds, peak)
	slices.Sort(speeds)
	h := newScale(intensities, x0, width)
	v := newScale(speeds, y0+height, -height)
	frame(c, h, v, fmt.Sprintf("Roofline of %s: %s, %.4g GB/s", r.Hardware.Name, speed(peak), r.Hardware.BandwidthGBs), "operations a byte", "10⁹ operations/s")
	// The roof, clipped to the plot.
	least, most := detmath.Exp(h.from), detmath.Exp(h.to)
	floor := detmath.Exp(v.from)
	from := max(least, floor/r.Hardware.BandwidthGBs)
	c.Path(diagram.At("M", h.px(from), v.px(r.Hardware.Roof(from, r.Precision)))+diagram.At("L", h.px(ridge), v.px(peak), h.px(most), v.px(peak)), "line-grey")
	seen := map[string]bool{}
	for _, q := range points {
		if !(q.Layer.MACs > 0 && q.GOPS > 0) {
			continue
		}
		key := fmt.Sprintf("%s %.3g %.3g", q.Layer.Op, q.Intensity, q.GOPS)
		if seen[key] {
			continue
		}
		seen[key] = true
		bound := "computing"
		if q.MemoryBound {
			bound = "memory"
		}
		c.Titled(fmt.Sprintf("%s: %.3g M multiply-accumulates, %.3g operations a byte, %.3g·10⁹ operations/s, %.3g ms; bound by %s", q.Layer.Op, q.Layer.MACs/1e6, q.Intensity, q.GOPS, q.MS, bound), func() {
			c.Circle(h.px(q.Intensity), v.px(q.GOPS), 4, "fill-"+looks[q.Layer.Op].String())
		})
	}
}

func speed(gops float64) string {
	if gops >= 1000 {
		return fmt.Sprintf("%.3g TFLOP/s", gops/1000)
	}
	return fmt.Sprintf("%.3g GFLOP/s", gops)
}

// drawSamples plots predicted against measured latencies.
func (p *Problem) drawSamples(c *diagram.Canvas, x0, y0, width, height, ms float64) {
	values := append([]float64{ms}, p.samples.MS...)
	predicted := make([]float64, len(p.samples.MS))
	for i := range predicted {
		predicted[i] = p.model.LatencyMS(p.samples.Network(i))
	}
	values = append(values, predicted...)
	h, v := newScale(values, x0, width), newScale(values, y0+height, -height)
	frame(c, h, v, "Measured networks", "measured, ms", "predicted, ms")
	least, most := detmath.Exp(h.from), detmath.Exp(h.to)
	c.Line(h.px(least), v.px(least), h.px(most), v.px(most), "line-grey faint")
	for i, y := range predicted {
		c.Titled(fmt.Sprintf("measured %s ms, predicted %s ms", number(p.samples.MS[i]), number(y)), func() {
			c.Circle(h.px(p.samples.MS[i]), v.px(y), 4, "fill-blue")
		})
	}
	c.Line(h.at, v.px(ms), h.at+h.size, v.px(ms), "line-orange")
	c.Text(h.at+h.size-6, v.px(ms)+15, "this network", "small end")
}

// drawLayers draws a bar for each layer: its predicted time under the roofline,
// or without one what it computes.
func (p *Problem) drawLayers(c *diagram.Canvas, x []uint8, width float64) {
	layers := p.family.space.Layers(x)
	size := make([]float64, len(layers))
	title, unit := "Multiply-accumulates of each layer", " M"
	for i, l := range layers {
		size[i] = l.MACs / 1e6
	}
	if r := p.roofline(); r != nil {
		title, unit = "Time of each layer by a fitted roofline", " ms"
		for i, l := range layers {
			size[i], _ = r.LayerMS(l)
		}
	}
	most, total := slices.Max(size), 0.0
	for _, v := range size {
		total += v
	}
	c.Text(margin, barsTop-14, title, "strong small")
	c.Text(margin+width, barsTop-14, fmt.Sprintf("longest %s%s of %s%s", number(most), unit, number(total), unit), "small muted end")
	c.Line(margin, barsTop+barsHeight, margin+width, barsTop+barsHeight, "rule")
	step := width / float64(len(size))
	for i, v := range size {
		tall := 0.0
		if most > 0 {
			tall = barsHeight * v / most
		}
		c.Titled(fmt.Sprintf("layer %d, %s: %s%s", i+1, layers[i].Op, number(v), unit), func() {
			c.Rect(margin+float64(step*float64(i)), barsTop+barsHeight-tall, max(step-1, 0.6), tall, 0, "fill-"+looks[layers[i].Op].String())
		})
	}
	at, y := margin, barsTop+barsHeight+27
	for _, op := range []device.Op{device.Conv, device.Depthwise, device.Linear, device.Pool, device.Add} {
		share, n := 0.0, 0
		for i, l := range layers {
			if l.Op == op {
				share += size[i]
				n++
			}
		}
		if n == 0 || total == 0 {
			continue
		}
		text := fmt.Sprintf("%s ×%d, %.0f %%", op, n, 100*share/total)
		wide := 15 + diagram.TextWidth(text, diagram.SmallSize)
		if at+wide > margin+width {
			at, y = margin, y+20
		}
		c.Rect(at, y-9, 10, 10, 2, "fill-"+looks[op].String())
		c.Text(at+15, y, text, "small")
		at += wide + 18
	}
}
