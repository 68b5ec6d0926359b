package figure

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
)

// Schema is the version of Vega-Lite that figures are written in.
const Schema = "https://vega.github.io/schema/vega-lite/v5.json"

// object is a JSON object; its keys are written in their order.
type object map[string]any

// digits is how many digits of places are: the last ones differ between machines.
const digits = 12

// screen is how many pixels of a screen a point is.
const screen = 96.0 / 72

// writeVega writes a figure as Vega-Lite: self-contained, with its data inline,
// in the sizes of the picture. What is known of a trial is in the tooltips.
func (f *Figure) writeVega(w io.Writer) error {
	t := f.theme()
	sh := f.layout()
	size := func(points float64) float64 { return round(points*screen, 4) }
	text := object{"labelFontSize": size(tickSize), "titleFontSize": size(textSize), "titleFontWeight": "normal", "labelColor": t.of(Ink).hex(), "titleColor": t.of(Ink).hex()}
	with := func(more object) object {
		out := object{}
		for _, o := range []object{text, more} {
			for k, v := range o {
				out[k] = v
			}
		}
		return out
	}
	spec := object{
		"$schema":     Schema,
		"description": f.words(),
		"background":  t.of(Ground).hex(),
		"config": object{
			"font":   family,
			"axis":   with(object{"domainColor": t.of(Muted).hex(), "tickColor": t.of(Muted).hex(), "gridColor": t.of(Faint).hex(), "tickSize": 4, "labelLimit": size(labelMost)}),
			"legend": with(object{"symbolOpacity": 1, "symbolSize": 45}),
			"title":  object{"fontSize": size(textSize), "fontWeight": "normal", "color": t.of(Ink).hex()},
			"view":   object{"stroke": nil},
		},
	}
	if f.Title != "" {
		spec["title"] = f.Title
	}
	named := f.named()
	var rows []any
	for i := range sh.frames {
		p := &sh.frames[i]
		unit := object{"width": math.Round(p.w * screen), "height": math.Round(p.h * screen)}
		if p.Title != "" {
			unit["title"] = p.Title
		}
		if p.Frame == Closed {
			unit["view"] = object{"stroke": t.of(Muted).hex()}
		}
		layers := []any{}
		for m := range p.Marks {
			layers = append(layers, f.layers(p, m, named)...)
		}
		unit["layer"] = layers
		if len(sh.frames) == 1 {
			for k, v := range unit {
				if k != "title" || f.Title == "" {
					spec[k] = v
				}
			}
			break
		}
		if p.row == len(rows) {
			rows = append(rows, object{"hconcat": []any{}})
		}
		row := rows[p.row].(object)
		row["hconcat"] = append(row["hconcat"].([]any), unit)
	}
	if len(rows) == 1 {
		spec["hconcat"] = rows[0].(object)["hconcat"]
	} else if len(rows) > 1 {
		spec["vconcat"] = rows
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b) // < and > become escapes: the file may end up in a page
	if err := e.Encode(spec); err != nil {
		return fmt.Errorf("figure: writing Vega-Lite: %w", err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, b.Bytes(), "", " "); err != nil {
		return fmt.Errorf("figure: writing Vega-Lite: %w", err)
	}
	if _, err := w.Write(compact(out.Bytes())); err != nil {
		return fmt.Errorf("figure: writing Vega-Lite: %w", err)
	}
	return nil
}

// words is what a figure shows and what its caption should say.
func (f *Figure) words() string {
	if f.Note == "" {
		return f.Alt
	}
	return f.Alt + " " + f.Note
}

// compact puts every record of the data on one line: files that people can read
// and compare.
func compact(b []byte) []byte {
	var out bytes.Buffer
	lines := bytes.Split(b, []byte("\n"))
	inside := 0 // the indentation of a list of records
	for i, l := range lines {
		trimmed := bytes.TrimLeft(l, " ")
		indent := len(l) - len(trimmed)
		switch {
		case inside == 0 && bytes.Equal(trimmed, []byte(`"values": [`)):
			inside = indent + 1
			out.Write(trimmed)
		case inside > 0 && indent < inside:
			inside = 0
			out.WriteByte('\n')
			out.Write(l)
		case inside > 0 && indent == inside && len(trimmed) > 0 && (trimmed[0] == '{' || trimmed[0] != '}'):
			out.WriteByte('\n')
			out.Write(l)
		case inside > 0:
			out.Write(trimmed)
		default:
			if i > 0 {
				out.WriteByte('\n')
			}
			out.Write(l)
		}
	}
	return out.Bytes()
}

// layers makes the layers of a mark: one, or of words one for each offset.
func (f *Figure) layers(p *frame, index int, named []*Mark) []any {
	m := &p.Marks[index]
	if m.Shape != Words {
		return []any{f.layer(p, m, named)}
	}
	var out []any
	type offset struct {
		dx, dy float64
		side   side
		c      string
	}
	var order []offset
	groups := map[offset][]int{}
	for k, at := range p.words[index] {
		if at.x != at.x || m.Text[k] == "" {
			continue
		}
		x, y := p.sx.at(m.X[k]), p.sy.at(m.Y[k])
		o := offset{math.Round((at.x - x) * screen), math.Round((at.y - m.size()*0.35 - y) * screen), at.side, f.inkOf(m, k).hex()}
		if groups[o] == nil {
			order = append(order, o)
		}
		groups[o] = append(groups[o], k)
	}
	for _, o := range order {
		part := *m
		part.X, part.Y, part.Text, part.V = pick(m.X, groups[o]), pick(m.Y, groups[o]), nil, nil
		for _, k := range groups[o] {
			part.Text = append(part.Text, m.Text[k])
		}
		l := f.layer(p, &part, named)
		mark := l["mark"].(object)
		mark["dx"], mark["dy"], mark["align"] = o.dx, o.dy, [...]string{"left", "center", "right"}[o.side]
		mark["color"] = o.c
		out = append(out, l)
	}
	return out
}

// layer makes the layer of a mark.
func (f *Figure) layer(p *frame, m *Mark, named []*Mark) object {
	t := f.theme()
	discrete := slices.ContainsFunc(p.Marks, func(m Mark) bool { return m.Shape == Bars })
	mark := object{"clip": true}
	enc := object{}
	if m.Alpha > 0 && m.Alpha < 1 {
		mark["opacity"] = round(m.Alpha, 3)
	}
	size := m.size() * screen
	line := func() {
		mark["strokeWidth"] = round(size, 3)
		if m.Dashed {
			mark["strokeDash"] = []float64{round(dash[0]*size, 2), round(dash[1]*size, 2)}
		}
	}
	value := "fill" // the channel of values: not "color", whose scale is that of the legend
	switch m.Shape {
	case Dots:
		mark["type"], mark["size"] = "circle", round(math.Pi/4*size*size, 3)
		if mark["opacity"] == nil {
			mark["opacity"] = 1
		}
		if m.Edge {
			mark["stroke"], mark["strokeWidth"] = t.of(Ground).hex(), 0.7
		}
	case Rings:
		mark["type"], mark["filled"], mark["size"], mark["strokeWidth"] = "point", false, round(math.Pi/4*size*size, 3), 0.8
	case Lines:
		mark["type"], value = "line", "stroke"
		line()
		enc["order"] = object{"field": "i", "type": "quantitative"}
		if m.Series != nil {
			enc["detail"] = object{"field": "series", "type": "nominal"}
		}
	case Band:
		mark["type"] = "area"
	case Boxes, Field:
		mark["type"] = "rect"
		if m.Edge {
			mark["stroke"], mark["strokeWidth"] = t.of(Ground).hex(), 0.7
		}
	case Bars:
		mark["type"] = "bar"
		mark["height"] = object{"band": barHigh}
	case Areas: // a line whose inside is filled
		mark["type"], mark["interpolate"], mark["strokeWidth"] = "line", "linear-closed", 0.3
		if m.Edge {
			mark["stroke"] = t.of(Ground).hex()
		}
		enc["order"] = object{"field": "i", "type": "quantitative"}
		enc["detail"] = object{"field": "series", "type": "nominal"}
	case Rules:
		mark["type"] = "rule"
		line()
	case Words:
		mark["type"], mark["clip"], mark["baseline"], mark["fontSize"] = "text", false, "middle", round(size, 3)
		enc["text"] = object{"field": "text", "type": "nominal"}
	}
	if m.X != nil {
		enc["x"] = f.position(p, &p.X, "x", false)
		if m.X2 != nil && m.Shape != Bars {
			enc["x2"] = object{"field": "x2"}
		}
	}
	if m.Y != nil {
		enc["y"] = f.position(p, &p.Y, "y", discrete)
		if m.Y2 != nil {
			enc["y2"] = object{"field": "y2"}
		}
	}
	switch {
	case m.V != nil && f.Key != nil:
		var colours []string
		for _, c := range t.ramp {
			colours = append(colours, c.hex())
		}
		if f.Key.Flip {
			slices.Reverse(colours)
		}
		scale := object{"domain": []float64{round(f.Key.Low, digits), round(f.Key.High, digits)}, "range": colours, "clamp": true, "nice": false, "zero": false}
		if f.Key.Log {
			scale["type"] = "log"
		}
		if m.Shape == Field || m.Shape == Boxes && !m.Edge { // no seams
			mark["strokeWidth"], mark["stroke"] = 0.6, object{"expr": "scale('fill', datum.v)"}
		}
		enc[value] = object{"field": "v", "type": "quantitative", "title": f.Key.Title, "scale": scale, "legend": object{"orient": "right", "type": "gradient"}}
	case m.Name != "" && len(named) > 0:
		var names, colours []string
		for _, n := range named {
			names = append(names, n.Name)
			c := t.of(n.Tone)
			if n.V != nil {
				c = t.shade(0.7)
			}
			colours = append(colours, c.hex())
		}
		enc["color"] = object{"datum": m.Name, "type": "nominal", "title": nil, "scale": object{"domain": names, "range": colours}, "legend": object{"orient": "top", "direction": "horizontal"}}
	default:
		mark["color"] = t.of(m.Tone).hex()
	}
	if tips := f.tooltip(p, m); len(tips) > 0 {
		enc["tooltip"] = tips
	}
	return object{"data": object{"values": f.values(p, m, discrete)}, "mark": mark, "encoding": enc}
}

// position is the encoding of an axis.
func (f *Figure) position(p *frame, a *Axis, field string, discrete bool) object {
	axis := object{"title": nil}
	if a.Title != "" {
		most := p.w + 24
		if field == "y" {
			most = p.h + 3
		}
		axis["title"] = a.heading(most)
	}
	out := object{"field": field, "type": "quantitative"}
	axis["grid"] = p.Frame == Open && len(a.Labels) == 0
	switch {
	case discrete && len(a.Labels) > 0:
		names := slices.Clone(a.Labels)
		slices.Reverse(names) // from the top
		out["type"], out["scale"] = "ordinal", object{"domain": names}
	default:
		scale := object{"domain": []float64{round(a.Low, digits), round(a.High, digits)}, "nice": false, "zero": false}
		if a.Log {
			scale["type"] = "log"
		}
		out["scale"] = scale
		if len(a.Labels) > 0 {
			texts := make([]any, len(a.Labels))
			for i, l := range a.Labels {
				texts[i] = l
			}
			at := []int{}
			ticks, lines := p.xt, p.lines
			if field == "y" {
				ticks, lines = p.yt, nil
			}
			for i, t := range ticks {
				at = append(at, int(t.x))
				if lines != nil {
					texts[int(t.x)] = lines[i]
				}
			}
			names, _ := json.Marshal(texts) // strings can be written
			axis["values"], axis["labelExpr"], axis["ticks"] = at, string(names)+"[datum.value]", false
			axis["labelOverlap"], axis["labelLimit"] = false, 0
		} else if field == "x" {
			axis["tickCount"] = max(2, int(p.w/a.spacing()))
		} else {
			axis["tickCount"] = max(2, int(p.h/a.distance()))
		}
		if a.Whole {
			axis["tickMinStep"] = 1
		}
	}
	if a.Above {
		axis["orient"] = "top"
	}
	if p.Frame == None {
		axis["domain"], axis["ticks"] = false, false
	}
	if a.Plain {
		axis["labels"], axis["title"] = false, nil
		if p.Frame == None {
			axis["grid"] = false
		}
	}
	if discrete && len(a.Labels) > 0 && a.Plain {
		axis["ticks"] = false
	}
	out["axis"] = axis
	return out
}

// tooltip says what a place is.
func (f *Figure) tooltip(p *frame, m *Mark) (out []any) {
	if m.Tips == nil && m.V == nil || m.Shape == Words {
		return nil
	}
	for i, t := range m.Tips {
		kind := "quantitative"
		if t.Texts != nil {
			kind = "nominal"
		}
		out = append(out, object{"field": fmt.Sprintf("t%d", i), "type": kind, "title": t.Title})
	}
	if m.Shape == Dots || m.Shape == Rings || m.Shape == Lines {
		if len(p.X.Labels) == 0 {
			out = append(out, object{"field": "x", "type": "quantitative", "title": p.X.Title})
		}
		if len(p.Y.Labels) == 0 && p.Frame != None {
			out = append(out, object{"field": "y", "type": "quantitative", "title": p.Y.Title})
		}
	}
	if m.Shape == Bars {
		out = append(out, object{"field": "x", "type": "quantitative", "title": p.X.Title})
	}
	if m.V != nil && f.Key != nil {
		out = append(out, object{"field": "v", "type": "quantitative", "title": f.Key.Title})
	}
	return out
}

// values are the records of a mark. Of a cloud that is too large some of the
// points that hide each other are left out.
func (f *Figure) values(p *frame, m *Mark, discrete bool) []any {
	n := max(len(m.X), len(m.Y))
	keep := make([]int, n)
	for i := range keep {
		keep[i] = i
	}
	if (m.Shape == Dots || m.Shape == Rings) && f.crowded(n) {
		keep = p.thin(m, max(mostDots/max(len(f.Panels), 1), 1000))
	}
	out := make([]any, 0, len(keep))
	finite := func(x float64) bool { return x == x && !math.IsInf(x, 0) }
	for _, i := range keep {
		r := object{}
		ok := true
		put := func(field string, xs []float64) {
			if xs == nil {
				return
			}
			if r[field] = round(xs[i], digits); !finite(xs[i]) {
				r[field], ok = nil, false
			}
		}
		put("x", m.X)
		put("x2", m.X2)
		put("y", m.Y)
		put("y2", m.Y2)
		put("v", m.V)
		if !ok && m.Shape != Lines { // lines are broken there
			continue
		}
		if m.Known != nil && m.Known[i] < 0.5 {
			continue
		}
		if m.Shape == Bars { // from 0
			r["x"] = round(m.X2[i], digits)
			delete(r, "x2")
		}
		if discrete && m.Y != nil && len(p.Y.Labels) > 0 {
			r["y"] = p.Y.Labels[min(max(int(m.Y[i]), 0), len(p.Y.Labels)-1)]
		}
		if m.Text != nil {
			r["text"] = m.Text[i]
		}
		if m.Series != nil {
			r["series"] = m.Series[i]
		}
		if m.Shape == Lines || m.Shape == Areas {
			r["i"] = i
		}
		for k, t := range m.Tips {
			field := fmt.Sprintf("t%d", k)
			if t.Texts != nil {
				r[field] = t.Texts[i]
			} else if finite(t.Numbers[i]) {
				r[field] = t.Numbers[i]
			}
		}
		out = append(out, r)
	}
	return out
}

// thin returns at most so many places of a mark: one in every square of a mesh,
// which is as fine as that allows.
func (p *frame) thin(m *Mark, most int) []int {
	for mesh := 0.5; ; mesh *= 1.25 {
		seen := map[[2]int]bool{}
		var keep []int
		for i := range m.X {
			x, y := p.sx.at(m.X[i]), p.sy.at(m.Y[i])
			if !(x >= p.x && x <= p.x+p.w && y >= p.y && y <= p.y+p.h) {
				continue
			}
			at := [2]int{int((x - p.x) / mesh), int((y - p.y) / mesh)}
			if !seen[at] {
				seen[at] = true
				if keep = append(keep, i); len(keep) > most {
					break
				}
			}
		}
		if len(keep) <= most {
			return keep
		}
	}
}
