package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/daedalus-search/daedalus/internal/diagram"
	"github.com/daedalus-search/daedalus/space"
)

// How much of a design is drawn.
const (
	drawWidth  = 640.0 // of the document
	drawRows   = 200   // parameters
	drawChips  = 40    // items of a subset, a permutation or a list of labels
	drawBars   = 64    // numbers of a list
	drawNested = 12    // levels of groups, choices and repeats
	drawSteps  = 150   // nodes of a derivation as a tree
	drawLines  = 60    // nodes of a derivation as an outline
)

// DrawDesign draws a design of any space as a standalone SVG document: numbers
// on their ranges, options among their alternatives, copies of a repeat as
// cards side by side, derivations as trees. What is very large is drawn in part
// and says how much is missing. Problems whose designs have a form of their own
// draw it themselves; see problem.Drawer.
func DrawDesign(w io.Writer, d space.Design) error {
	title := "a design without parameters"
	r := sketcher{params: map[string][]*space.Param{}, rows: drawRows}
	var items []*sketch
	if s := d.Space(); s != nil {
		title = "design " + d.Hash().String()[:8]
		for _, p := range s.Params() {
			r.params[p.Path] = append(r.params[p.Path], p)
		}
		v, err := readOrdered(d.AppendJSON(nil))
		if err != nil {
			return fmt.Errorf("report: a design that is not JSON: %w", err)
		}
		items = r.fields("", v, 0)
	}
	const pad = 16
	var c diagram.Canvas
	y := pad / 2.0
	if len(items) == 0 {
		c.Text(pad, y+20, "no parameters", diagram.Muted)
		y += 30
	}
	f := frame{pad, y, drawWidth - 2*pad, 0}
	y = drawList(&c, items, f, f.columns(items))
	if r.more > 0 {
		c.Text(pad, y+20, fmt.Sprintf("… and %d more", r.more), diagram.Muted)
		y += 30
	}
	return c.WriteSVG(w, drawWidth, y+pad/2, title)
}

// ordered is a JSON value whose objects keep their order.
type ordered struct {
	kind byte // { [ s n b 0
	text string
	keys []string
	vals []*ordered
}

func readOrdered(text []byte) (*ordered, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var value func() (*ordered, error)
	value = func() (*ordered, error) {
		tok, err := dec.Token()
		if err != nil {
			return nil, err
		}
		switch tok := tok.(type) {
		case string:
			return &ordered{kind: 's', text: tok}, nil
		case json.Number:
			return &ordered{kind: 'n', text: tok.String()}, nil
		case bool:
			return &ordered{kind: 'b', text: strconv.FormatBool(tok)}, nil
		case json.Delim:
			v := &ordered{kind: byte(tok)}
			for dec.More() {
				if v.kind == '{' {
					key, err := dec.Token()
					if err != nil {
						return nil, err
					}
					v.keys = append(v.keys, key.(string))
				}
				x, err := value()
				if err != nil {
					return nil, err
				}
				v.vals = append(v.vals, x)
			}
			_, err := dec.Token()
			return v, err
		}
		return &ordered{kind: '0'}, nil
	}
	return value()
}

// get returns the value of a key, or nil.
func (v *ordered) get(key string) *ordered {
	for i, k := range v.keys {
		if k == key {
			return v.vals[i]
		}
	}
	return nil
}

// leaves counts the values below v.
func (v *ordered) leaves() int {
	if len(v.vals) == 0 {
		return 1
	}
	n := 0
	for _, x := range v.vals {
		n += x.leaves()
	}
	return n
}

type sketchKind uint8

const (
	sketchConst  sketchKind = iota
	sketchNumber            // on a range
	sketchPick              // an option among others
	sketchFlag              // true or false
	sketchSet               // items that are in or out
	sketchChain             // labels in order
	sketchBars              // numbers in order
	sketchGroup
	sketchCase   // a case with parameters of its own
	sketchCopies // a repeat of more than single values
	sketchTree   // a derivation
	sketchNote   // words about what is not drawn
)

// A sketch is one part of a design, ready to be drawn.
type sketch struct {
	kind   sketchKind
	name   string
	param  *space.Param // nil if nothing is known about it
	text   string       // the value
	unit   string       // of a list of numbers
	about  string       // the value and its range in full
	at     float64      // where a number lies in its range, 0 to 1
	list   []string     // items, options or values
	in     []bool       // which of them are chosen
	ats    []float64    // where the numbers of a list lie in their range
	total  int          // how many there are, drawn or not
	copies [][]*sketch  // of a repeat; of a group or case, one list
	tree   *step
	tokens []string
}

// A step is one production of a derivation.
type step struct {
	symbol string
	parts  []stepPart
	with   []string // parameters as text
}

// A stepPart is a terminal or, if step is not nil, a nonterminal.
type stepPart struct {
	terminal string
	step     *step
}

// size counts the productions of a derivation.
func (s *step) size() int {
	n := 1
	for _, p := range s.parts {
		if p.step != nil {
			n += p.step.size()
		}
	}
	return n
}

// terminal returns the only part of a production that is a single terminal.
func (s *step) terminal() (string, bool) {
	if len(s.parts) == 1 && s.parts[0].step == nil {
		return s.parts[0].terminal, true
	}
	return "", false
}

// A sketcher reads a design.
type sketcher struct {
	params map[string][]*space.Param
	rows   int // still to be drawn
	more   int // parameters that are not drawn
}

// take reports whether there is room for one more row.
func (r *sketcher) take() bool {
	if r.rows == 0 {
		r.more++
		return false
	}
	r.rows--
	return true
}

// spend takes rows for what is higher than one.
func (r *sketcher) spend(rows int) { r.rows = max(0, r.rows-rows) }

// lines estimates how many lines a list of labels takes beyond one.
func lines(list []string) int {
	const width = 480
	w := 0.0
	for _, t := range list {
		w += diagram.PillWidth(t, width) + 12
	}
	return int(w / width)
}

// sitePath is the static path of a name, as [space.Param] has it.
func sitePath(path, name string) string {
	if path == "" || name == "" {
		return path + name
	}
	return path + "." + name
}

// find returns the parameter with a path that is of one of the kinds.
func (r *sketcher) find(path string, kinds ...space.Kind) *space.Param {
	for _, p := range r.params[path] {
		if slices.Contains(kinds, p.Kind) {
			return p
		}
	}
	return nil
}

// findRepeat returns the repeat with a path that stands directly in a number of
// nameless repeats. They all share the path, and the innermost is listed first.
func (r *sketcher) findRepeat(path string, around int) *space.Param {
	list := r.params[path]
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].Kind != space.KindRepeat {
			continue
		}
		if around == 0 {
			return list[i]
		}
		around--
	}
	return nil
}

// fields reads the parameters of an object.
func (r *sketcher) fields(path string, v *ordered, depth int) (out []*sketch) {
	if depth > drawNested {
		if !r.take() {
			return nil
		}
		return []*sketch{{kind: sketchNote, name: fmt.Sprintf("… %d more inside", v.leaves())}}
	}
	for i, key := range v.keys {
		if s := r.node(sitePath(path, key), key, v.vals[i], 0, depth); s != nil {
			out = append(out, s)
		}
	}
	return out
}

// node reads one parameter; repeats says how many nameless repeats are around
// it. It returns nil if there is no room left.
func (r *sketcher) node(path, name string, v *ordered, repeats, depth int) *sketch {
	switch v.kind {
	case '{':
		if p := r.find(path, space.KindChoice); p != nil && len(v.keys) == 1 {
			return r.choice(path, name, p, v, depth)
		}
		if s := r.grammar(path, name, v); s != nil {
			return s
		}
		kids := r.fields(path, v, depth+1)
		if kids == nil && (len(v.keys) > 0 || !r.take()) {
			return nil
		}
		r.spend(1)
		return &sketch{kind: sketchGroup, name: name, copies: [][]*sketch{kids}}
	case '[':
		if p := r.findRepeat(path, repeats); p != nil {
			return r.repeat(path, name, p, v, repeats, depth)
		}
		return r.items(path, name, v)
	}
	if !r.take() {
		return nil
	}
	return r.value(path, name, v)
}

func (r *sketcher) choice(path, name string, p *space.Param, v *ordered, depth int) *sketch {
	ok := r.take()
	kids := r.fields(sitePath(path, v.keys[0]), v.vals[0], depth+1)
	if !ok {
		return nil
	}
	s := &sketch{kind: sketchCase, name: name, param: p, text: v.keys[0], copies: [][]*sketch{kids}}
	if len(kids) == 0 {
		s.kind = sketchPick
	}
	s.options(p, v.keys[0])
	return s
}

// options lists the options of a parameter.
func (s *sketch) options(p *space.Param, chosen string) {
	s.total = len(p.Labels)
	for _, l := range p.Labels {
		if len(s.list) == drawChips {
			break
		}
		text := labelText(l)
		s.list = append(s.list, text)
		s.in = append(s.in, text == chosen)
	}
}

// labelText is an option as text.
func labelText(v any) string {
	if x, ok := v.(float64); ok {
		return numberText(strconv.FormatFloat(x, 'g', -1, 64), false)
	}
	return fmt.Sprint(v)
}

// numberText shortens a number, one of a continuum to four digits.
func numberText(text string, real bool) string {
	x, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return text
	}
	short := text
	switch {
	case real:
		short = strconv.FormatFloat(x, 'g', 4, 64)
	case len(text) > 12:
		short = strconv.FormatFloat(x, 'g', 8, 64)
	}
	if mantissa, exp, ok := strings.Cut(short, "e"); ok { // 1e-05 is 1e-5
		if n, err := strconv.Atoi(exp); err == nil {
			if n >= 0 && n < 6 {
				return strconv.FormatFloat(x, 'f', 0, 64)
			}
			return mantissa + "e" + strconv.Itoa(n)
		}
	}
	return short
}

// value reads a single value.
func (r *sketcher) value(path, name string, v *ordered) *sketch {
	s := &sketch{name: name, text: v.text}
	if v.kind == '0' {
		s.text = "—"
		return s
	}
	p := r.find(path, space.KindFloat, space.KindInt, space.KindOrdinal, space.KindCategorical, space.KindBool)
	if p == nil {
		if v.kind == 'n' {
			s.text = numberText(v.text, false)
		}
		return s
	}
	s.param = p
	switch p.Kind {
	case space.KindBool:
		s.kind = sketchFlag
	case space.KindCategorical:
		s.kind = sketchPick
		if v.kind == 'n' {
			s.text = numberText(v.text, false)
		}
		s.options(p, s.text)
	case space.KindOrdinal:
		if v.kind == 'n' {
			s.text = numberText(v.text, false)
		}
		s.options(p, s.text)
		s.kind = sketchNumber
		if v.kind != 'n' && len(p.Labels) <= drawChips {
			s.kind = sketchPick
		}
		for i, l := range p.Labels {
			if labelText(l) == s.text {
				s.at = share(float64(i), 0, float64(len(p.Labels)-1), false)
			}
		}
		s.about = fmt.Sprintf("%s, one of %d values from %s to %s", s.text, len(p.Labels), labelText(p.Labels[0]), labelText(p.Labels[len(p.Labels)-1]))
	default:
		s.kind = sketchNumber
		x, _ := strconv.ParseFloat(v.text, 64)
		s.text = numberText(v.text, p.N == 0)
		s.at = share(x, p.Lo, p.Hi, p.Log)
		s.about = fmt.Sprintf("%s, from %v to %v", v.text, p.Lo, p.Hi)
		if p.Log {
			s.about += " (logarithmic)"
		}
	}
	if p.Unit != "" {
		s.text += " " + p.Unit
	}
	return s
}

// share is where x lies between lo and hi.
func share(x, lo, hi float64, log bool) float64 {
	if log && lo > 0 && x > 0 {
		x, lo, hi = math.Log(x), math.Log(lo), math.Log(hi)
	}
	if !(hi > lo) {
		return 0.5
	}
	return math.Min(math.Max((x-lo)/(hi-lo), 0), 1)
}

// items reads a subset or a permutation.
func (r *sketcher) items(path, name string, v *ordered) *sketch {
	if !r.take() {
		return nil
	}
	s := &sketch{kind: sketchChain, name: name}
	var members []string
	for _, x := range v.vals {
		text := x.text
		if x.kind == 'n' {
			text = numberText(text, false)
		}
		members = append(members, text)
	}
	if p := r.find(path, space.KindSubset); p != nil {
		s.kind, s.param = sketchSet, p
		in := map[string]bool{}
		for _, m := range members {
			in[m] = true
		}
		// Where not all fit, those that are in come first.
		room := max(drawChips-len(members), 0)
		for _, l := range p.Labels {
			text := labelText(l)
			if !in[text] {
				if room == 0 {
					continue
				}
				room--
			}
			if len(s.list) < drawChips {
				s.list = append(s.list, text)
				s.in = append(s.in, in[text])
			}
		}
		s.total = len(p.Labels)
	} else {
		s.total = len(members)
		s.list = members[:min(len(members), drawChips)]
	}
	r.spend(lines(s.list))
	return s
}

// repeat reads the copies of a repeat. Single values become one row.
func (r *sketcher) repeat(path, name string, p *space.Param, v *ordered, repeats, depth int) *sketch {
	if !r.take() {
		for _, x := range v.vals {
			r.more += x.leaves()
		}
		return nil
	}
	s := &sketch{kind: sketchCopies, name: name, param: p, total: len(v.vals)}
	if len(v.vals) == 0 {
		return s
	}
	nameless := func(x *ordered) bool {
		return x.kind != '{' || r.find(path, space.KindChoice) != nil || r.isGrammar(path, x)
	}
	single := true
	for _, x := range v.vals {
		single = single && nameless(x) && x.kind != '[' && (x.kind != '{' || len(x.keys) == 1 && len(x.vals[0].keys) == 0)
	}
	if single {
		s.values(r, path, v.vals[:min(len(v.vals), drawBars)], repeats, depth)
		return s
	}
	for _, x := range v.vals {
		if nameless(x) {
			if kid := r.node(path, "", x, repeats+1, depth+1); kid != nil {
				s.copies = append(s.copies, []*sketch{kid})
			}
			continue
		}
		kids := r.fields(path, x, depth+1)
		if kids != nil || len(x.keys) == 0 && r.take() {
			s.copies = append(s.copies, kids)
		}
	}
	return s
}

// values makes the copies of a repeat, each a single value, one row.
func (s *sketch) values(r *sketcher, path string, list []*ordered, repeats, depth int) {
	own := sketcher{params: r.params, rows: len(list)}
	s.kind = sketchBars
	var values []*sketch
	for _, x := range list {
		k := own.node(path, "", x, repeats+1, depth+1)
		values = append(values, k)
		if k.kind != sketchNumber {
			s.kind = sketchChain
		}
	}
	if s.kind == sketchChain {
		values = values[:min(len(values), drawChips)]
	}
	for _, k := range values {
		text := k.text
		if k.kind == sketchNumber && s.kind == sketchBars { // the unit is said once
			s.unit = k.param.Unit
			text = strings.TrimSuffix(text, " "+s.unit)
			s.about = fmt.Sprintf("%g to %g allowed", k.param.Lo, k.param.Hi)
			if n := len(k.param.Labels); n > 0 {
				s.about = fmt.Sprintf("%s to %s allowed", labelText(k.param.Labels[0]), labelText(k.param.Labels[n-1]))
			}
		}
		s.list = append(s.list, text)
		s.ats = append(s.ats, k.at)
	}
	if s.kind == sketchChain {
		r.spend(lines(s.list))
	}
}

// isGrammar reports whether a value is a derivation of a grammar at a path.
func (r *sketcher) isGrammar(path string, v *ordered) bool {
	tree := v.get("tree")
	if len(v.keys) != 2 || v.get("tokens") == nil || tree == nil {
		return false
	}
	rule := tree.get("rule")
	return rule != nil && r.find(sitePath(path, rule.text), space.KindRule) != nil
}

// grammar reads a derivation, or returns nil if v is none.
func (r *sketcher) grammar(path, name string, v *ordered) *sketch {
	if !r.isGrammar(path, v) {
		return nil
	}
	if !r.take() {
		return nil
	}
	s := &sketch{kind: sketchTree, name: name}
	for _, t := range v.get("tokens").vals {
		s.tokens = append(s.tokens, t.text)
	}
	var read func(v *ordered) *step
	read = func(v *ordered) *step {
		st := &step{}
		if rule := v.get("rule"); rule != nil {
			st.symbol = rule.text
		}
		use, of := v.get("use"), v.get("of")
		var symbols []string
		next := 0
		if use != nil {
			for _, u := range use.vals {
				symbols = append(symbols, u.text)
				part := stepPart{terminal: u.text}
				if of != nil && next < len(of.vals) && r.find(sitePath(path, u.text), space.KindRule) != nil {
					part = stepPart{step: read(of.vals[next])}
					next++
				}
				st.parts = append(st.parts, part)
			}
		}
		if with := v.get("with"); with != nil {
			// Parameters of productions are words below them, so they take no row.
			at := sitePath(sitePath(path, st.symbol), strings.Join(symbols, "_"))
			own := sketcher{params: r.params, rows: 12}
			for _, k := range own.fields(at, with, 0) {
				st.with = append(st.with, k.words())
			}
		}
		return st
	}
	s.tree = read(v.get("tree"))
	r.spend(min(s.tree.size(), drawLines) / 2)
	return s
}

// words says a sketch in a line.
func (s *sketch) words() string {
	out := s.name
	switch {
	case s.kind == sketchSet:
		for i, item := range s.list {
			if s.in[i] {
				out += " " + item
			}
		}
	case s.kind == sketchChain || s.kind == sketchBars:
		out += " " + strings.Join(s.list, " ")
	case s.text != "":
		out += " " + s.text
	}
	for _, copy := range s.copies {
		for _, k := range copy {
			out += " " + k.words()
		}
	}
	return strings.TrimSpace(out)
}

// A frame is where something may be drawn: from y down, and how deep it stands
// in boxes.
type frame struct {
	x, y, w float64
	deep    int
}

// Measures of rows and boxes.
const (
	narrow    = 380.0 // a frame below it has its pictures under the names
	rowHeight = 30.0
	indent    = 16.0 // of what belongs to a case
	boxPad    = 14.0
	cardGap   = 22.0
	cardPad   = 12.0
	least     = 116.0 // width of a card
	bold      = 1.08  // how much wider semibold text is
)

// inside is a frame within a box.
func (f frame) inside(pad, top float64) frame {
	return frame{f.x + pad, f.y + top, f.w - 2*pad, f.deep + 1}
}

// ground is the class of a box, which stands out from what it lies on.
func (f frame) ground() string {
	if f.deep%2 == 0 {
		return diagram.Panel
	}
	return diagram.Card
}

// columns are where the pictures of a list's rows begin and where its values
// begin.
type columns struct{ picture, value float64 }

func (f frame) columns(list []*sketch) columns {
	name, value := 64.0, 40.0
	var look func(list []*sketch, in float64)
	look = func(list []*sketch, in float64) {
		for _, s := range list {
			if s.kind != sketchConst && s.kind <= sketchBars || s.kind == sketchCase {
				name = math.Max(name, in+diagram.TextWidth(s.name, diagram.TextSize))
			}
			if s.kind == sketchNumber {
				value = math.Max(value, diagram.TextWidth(s.text, diagram.TextSize)*bold)
			}
			if s.kind == sketchCase {
				look(s.copies[0], in+indent)
			}
		}
	}
	look(list, 0)
	if len(list) == 1 && list[0].name == "" && list[0].kind != sketchCase { // the value of a list: no names to stand beside
		return columns{f.x, f.x + f.w - math.Min(value, f.w*0.3)}
	}
	return columns{f.x + math.Min(name, f.w*0.35) + 20, f.x + f.w - math.Min(value, f.w*0.3)}
}

// drawList draws sketches below each other and returns where they end.
func drawList(c *diagram.Canvas, list []*sketch, f frame, cols columns) float64 {
	boxed := false // what was drawn last
	for i, s := range list {
		box := s.kind == sketchGroup || s.kind == sketchCopies || s.kind == sketchTree
		if f.w >= narrow && i > 0 {
			if box || boxed {
				f.y += 8
			} else if s.kind != sketchNote {
				drawHairline(c, f.x, f.y, f.w)
			}
		}
		f.y = s.draw(c, f, cols)
		boxed = box
	}
	return f.y
}

// drawHairline draws a line that is one pixel high, not two half ones.
func drawHairline(c *diagram.Canvas, x, y, w float64) {
	y = math.Floor(y) + 0.5
	c.Line(x, y, x+w, y, diagram.Rule)
}

func (s *sketch) draw(c *diagram.Canvas, f frame, cols columns) float64 {
	switch s.kind {
	case sketchGroup:
		return s.drawGroup(c, f)
	case sketchCase:
		return s.drawCase(c, f, cols)
	case sketchCopies:
		return s.drawCopies(c, f)
	case sketchTree:
		return s.drawTree(c, f)
	case sketchNote:
		c.TextIn(f.x, f.y+18, f.w, diagram.SmallSize, s.name, "small muted")
		return f.y + 26
	case sketchSet, sketchChain, sketchBars:
		return s.drawItems(c, f, cols)
	}
	if s.about == "" {
		return s.drawRow(c, f, cols)
	}
	var end float64
	c.Titled(s.about, func() { end = s.drawRow(c, f, cols) })
	return end
}

// drawRow draws a single value: its name, where it lies, and what it is.
func (s *sketch) drawRow(c *diagram.Canvas, f frame, cols columns) float64 {
	right := f.x + f.w
	if f.w < narrow {
		return s.drawSlimRow(c, f)
	}
	mid := f.y + rowHeight/2
	base := mid + 4.6
	if s.kind == sketchConst {
		c.TextIn(f.x, base, f.w/2-10, diagram.TextSize, s.name, diagram.Muted)
		c.TextIn(right, base, f.w/2-10, diagram.TextSize, s.text, "muted end")
		return f.y + rowHeight
	}
	c.TextIn(f.x, base, cols.picture-f.x-12, diagram.TextSize, s.name, "")
	switch s.kind {
	case sketchNumber:
		s.drawRange(c, cols.picture, cols.value-16, mid)
		c.TextIn(right, base, right-cols.value, diagram.TextSize*bold, s.text, "strong end")
	case sketchFlag:
		drawSwitch(c, cols.picture, mid, s.text == "true")
		c.Text(cols.picture+38, base, s.text, "")
	case sketchPick:
		s.drawOptions(c, cols.picture, right-cols.picture, mid)
	}
	return f.y + rowHeight
}

// drawSlimRow draws a single value where there is little room.
func (s *sketch) drawSlimRow(c *diagram.Canvas, f frame) float64 {
	right := f.x + f.w
	named := math.Min(diagram.TextWidth(s.name, diagram.TextSize), f.w*0.55)
	room := f.w
	if s.name != "" {
		room -= named + 10
	}
	mid := f.y + 13
	text := diagram.Muted
	c.TextIn(f.x, mid+4.6, named+.1, diagram.TextSize, s.name, text)
	switch s.kind {
	case sketchFlag:
		if room < 70 {
			drawSwitch(c, right-28, mid, s.text == "true")
			break
		}
		c.Text(right-36, mid+4.6, s.text, "end")
		drawSwitch(c, right-28, mid, s.text == "true")
	case sketchPick:
		s.drawPill(c, f, mid, room)
	case sketchNumber:
		c.TextIn(right, mid+4.6, room, diagram.TextSize*bold, s.text, "strong end")
		s.drawTrack(c, f.x+4, right-4, f.y+27)
		return f.y + 37
	default:
		c.TextIn(right, mid+4.6, room, diagram.TextSize, s.text, "muted end")
	}
	return f.y + 28
}

// drawPill draws what was picked in a pill at the end of a row, or at its
// beginning where no name stands.
func (s *sketch) drawPill(c *diagram.Canvas, f frame, y, room float64) {
	w := diagram.PillWidth(s.text, room)
	x := f.x + f.w - w/2
	if s.name == "" {
		x = f.x + w/2
	}
	c.Pill(x, y, w, s.text, s.colour(), diagram.Solid)
}

// colour sets what decides about structure apart from values.
func (s *sketch) colour() diagram.Colour {
	if s.param != nil && s.param.Kind == space.KindChoice {
		return diagram.Purple
	}
	return diagram.Blue
}

// drawOptions draws what was picked among the other options, if they fit.
func (s *sketch) drawOptions(c *diagram.Canvas, x, room, y float64) {
	need := -4.0
	for _, o := range s.list {
		need += diagram.PillWidth(o, room) + 4
	}
	if need > room || len(s.list) < s.total || s.total == 0 {
		w := diagram.PillWidth(s.text, room-70)
		c.Pill(x+w/2, y, w, s.text, s.colour(), diagram.Solid)
		if s.total > 1 {
			c.Text(x+room, y+4.2, fmt.Sprintf("1 of %d", s.total), "small muted end")
		}
		return
	}
	for i, o := range s.list {
		w := diagram.PillWidth(o, room)
		style := diagram.Outline
		if s.in[i] {
			style = diagram.Solid
		}
		c.Pill(x+w/2, y, w, o, s.colour(), style)
		x += w + 4
	}
}

func drawSwitch(c *diagram.Canvas, x, y float64, on bool) {
	if on {
		c.Rect(x, y-8, 28, 16, 8, "fill-green")
		c.Circle(x+20, y, 5.5, diagram.Knob)
		return
	}
	c.Rect(x, y-8, 28, 16, 8, diagram.Track)
	c.Circle(x+8, y, 5.5, diagram.Knob)
}

// drawRange draws where a number lies, with the ends of its range if there is
// room.
func (s *sketch) drawRange(c *diagram.Canvas, x0, x1, y float64) {
	const end = 52
	if p := s.param; p != nil && x1-x0 > 4*end {
		lo, hi := numberText(strconv.FormatFloat(p.Lo, 'g', -1, 64), p.N == 0), numberText(strconv.FormatFloat(p.Hi, 'g', -1, 64), p.N == 0)
		if n := len(p.Labels); n > 0 {
			lo, hi = labelText(p.Labels[0]), labelText(p.Labels[n-1])
		}
		c.TextIn(x0+end-6, y+4, end-8, diagram.SmallSize, lo, "small muted end")
		c.TextIn(x1-end+6, y+4, end-8, diagram.SmallSize, hi, "small muted")
		x0, x1 = x0+end+4, x1-end-4
	}
	s.drawTrack(c, x0, x1, y)
}

// drawTrack draws a number on its range, with a notch for every value if they
// are few.
func (s *sketch) drawTrack(c *diagram.Canvas, x0, x1, y float64) {
	at := x0 + s.at*(x1-x0)
	c.Rect(x0, y-1.5, x1-x0, 3, 1.5, diagram.Track)
	if at > x0 {
		c.Rect(x0, y-1.5, at-x0, 3, 1.5, "fill-blue")
	}
	if p := s.param; p != nil && p.N > 1 && p.N <= 12 {
		for i := range p.N {
			u := share(float64(i), 0, float64(p.N-1), false)
			if p.Labels == nil {
				u = share(p.Number(i), p.Lo, p.Hi, p.Log)
			}
			class := diagram.Track
			if u < s.at {
				class = "fill-blue"
			}
			c.Circle(x0+u*(x1-x0), y, 3, class)
		}
	}
	c.Circle(at, y, 5, "fill-blue")
}

// drawGroup draws nodes in a box with their name.
func (s *sketch) drawGroup(c *diagram.Canvas, f frame) float64 {
	if len(s.copies[0]) == 0 {
		c.TextIn(f.x, f.y+19, f.w/2, diagram.TextSize, s.name, "")
		c.Text(f.x+f.w, f.y+19, "empty", "muted end")
		return f.y + rowHeight
	}
	top := 8.0
	var in diagram.Canvas
	if s.name != "" {
		in.TextIn(f.x+boxPad, f.y+22, f.w-2*boxPad, diagram.TextSize*bold, s.name, diagram.Strong)
		top = 32
	}
	g := f.inside(boxPad, top)
	end := drawList(&in, s.copies[0], g, g.columns(s.copies[0])) + 8
	c.Rect(f.x, f.y, f.w, end-f.y, 10, f.ground())
	c.Append(&in)
	return end + 4
}

// drawCase draws a case with its parameters, hanging from a line.
func (s *sketch) drawCase(c *diagram.Canvas, f frame, cols columns) float64 {
	top := f.y
	if f.w >= narrow {
		c.TextIn(f.x, top+rowHeight/2+4.6, cols.picture-f.x-12, diagram.TextSize, s.name, "")
		s.drawOptions(c, cols.picture, f.x+f.w-cols.picture, top+rowHeight/2)
		f.y += rowHeight
	} else {
		named := math.Min(diagram.TextWidth(s.name, diagram.TextSize), f.w*0.55)
		room := f.w
		if s.name != "" {
			room -= named + 10
			c.TextIn(f.x, top+13+4.6, named+.1, diagram.TextSize, s.name, diagram.Muted)
		}
		s.drawPill(c, f, top+13, room)
		f.y += 28
	}
	g := frame{f.x + indent, f.y, f.w - indent, f.deep}
	end := drawList(c, s.copies[0], g, cols)
	c.Rect(f.x+3, f.y+3, 2.5, math.Max(end-f.y-7, 6), 1.25, "fill-purple faint")
	return end
}

// slim estimates the least width in which a list reads well, or infinity where
// it wants all there is.
func slim(list []*sketch) float64 {
	w := 0.0
	for _, s := range list {
		name := math.Min(diagram.TextWidth(s.name, diagram.TextSize), 130)
		text := math.Min(diagram.TextWidth(s.text, diagram.TextSize)*bold, 130)
		switch s.kind {
		case sketchCopies, sketchTree, sketchGroup, sketchSet, sketchChain, sketchBars:
			return math.Inf(1)
		case sketchFlag:
			w = math.Max(w, name+38)
		case sketchPick, sketchCase:
			w = math.Max(w, name+10+diagram.PillWidth(s.text, 150))
			if s.kind == sketchCase {
				w = math.Max(w, indent+slim(s.copies[0]))
			}
		default:
			w = math.Max(w, name+10+text)
		}
	}
	return w
}

// drawCopies draws the copies of a repeat as cards side by side, in rows of
// about equal length.
func (s *sketch) drawCopies(c *diagram.Canvas, f frame) float64 {
	count := fmt.Sprintf("%d copies", s.total)
	if s.total == 1 {
		count = "1 copy"
	}
	if p := s.param; p != nil && p.Hi > p.Lo {
		count += fmt.Sprintf(", %g to %g allowed", p.Lo, p.Hi)
	}
	mid := f.y + 13
	room := f.w - diagram.TextWidth(count, diagram.SmallSize) - 12
	c.TextIn(f.x, mid+4.6, room, diagram.TextSize*bold, s.name, diagram.Strong)
	c.TextIn(f.x+f.w, mid+4.2, f.w, diagram.SmallSize, count, "small muted end")
	f.y += 28
	n := len(s.copies)
	if n == 0 {
		return f.y
	}
	need := least
	for _, list := range s.copies {
		need = math.Max(need, slim(list)+2*cardPad)
	}
	across := 1
	if need < f.w {
		across = max(1, min(n, int((f.w+cardGap)/(need+cardGap))))
	}
	rows := (n + across - 1) / across
	across = (n + rows - 1) / rows
	width := (f.w - float64(across-1)*cardGap) / float64(across)
	if across > 1 { // few small cards need not fill the row
		width = math.Min(width, math.Max(need*1.5, 300))
	}
	for first := 0; first < n; first += across {
		row := s.copies[first:min(first+across, n)]
		cards := make([]diagram.Canvas, len(row))
		end := f.y
		for i, list := range row {
			g := frame{f.x + float64(i)*(width+cardGap), f.y, width, f.deep}.inside(cardPad, 24)
			cards[i].Text(g.x, f.y+17, strconv.Itoa(first+i+1), "small muted")
			if len(list) == 0 {
				cards[i].Text(g.x, g.y+15, "empty", "small muted")
				g.y += 20
			}
			end = math.Max(end, drawList(&cards[i], list, g, g.columns(list)))
		}
		end += 8
		for i := range row {
			x := f.x + float64(i)*(width+cardGap)
			c.Rect(x, f.y, width, end-f.y, 10, f.ground())
			c.Append(&cards[i])
			if i+1 < len(row) {
				drawChevron(c, x+width+cardGap/2, (f.y+end)/2)
			}
		}
		f.y = end + 10
	}
	if n < s.total {
		c.Text(f.x, f.y+8, fmt.Sprintf("… and %d more copies", s.total-n), "small muted")
		f.y += 18
	}
	return f.y - 4
}

func drawChevron(c *diagram.Canvas, x, y float64) {
	c.Path(diagram.At("M", x-2.5, y-5)+diagram.At("L", x+2.5, y)+diagram.At("L", x-2.5, y+5), "line-grey")
}

// drawItems draws a subset, a permutation or a list of values.
func (s *sketch) drawItems(c *diagram.Canvas, f frame, cols columns) float64 {
	x, w := f.x, f.w
	if f.w >= narrow {
		c.TextIn(f.x, f.y+rowHeight/2+4.6, cols.picture-f.x-12, diagram.TextSize, s.name, "")
		x, w = cols.picture, f.x+f.w-cols.picture
	} else if s.name != "" {
		c.TextIn(f.x, f.y+17.6, f.w, diagram.TextSize, s.name, diagram.Muted)
		f.y += 24
	}
	if s.kind == sketchBars {
		return s.drawBars(c, x, f.y+6, w)
	}
	const line = 28.0
	at, y := x, f.y+rowHeight/2
	place := func(need float64) {
		if at > x && at+need > x+w-10 {
			at, y = x, y+line
		}
	}
	for i, item := range s.list {
		colour, style := diagram.Blue, diagram.Tinted
		if s.kind == sketchSet {
			colour, style = diagram.Green, diagram.Outline
			if s.in[i] {
				style = diagram.Solid
			}
		} else if i > 0 {
			drawChevron(c, at+4, y)
			at += 14
		}
		pw := diagram.PillWidth(item, w-16) // a chevron may follow
		place(pw)
		c.Pill(at+pw/2, y, pw, item, colour, style)
		at += pw + 5
	}
	if more := s.total - len(s.list); more > 0 {
		text := fmt.Sprintf("… and %d more", more)
		place(diagram.TextWidth(text, diagram.SmallSize) + 6)
		c.Text(at+3, y+4.2, text, "small muted")
	} else if len(s.list) == 0 {
		c.Text(x, y+4.6, "none", diagram.Muted)
	}
	return y + rowHeight/2
}

// drawBars draws a list of numbers as bars over their range.
func (s *sketch) drawBars(c *diagram.Canvas, x, y, w float64) float64 {
	const tall = 44.0
	n := len(s.list)
	widest := 0.0
	for _, v := range s.list {
		widest = math.Max(widest, diagram.TextWidth(v, diagram.SmallSize)+6)
	}
	slot := math.Min(math.Max(widest, 30), w/float64(n))
	top := y
	labels := widest <= slot
	if labels {
		top += 16
	}
	bar := math.Min(slot-2, 24)
	if slot > 12 {
		bar = math.Min(slot-5, 24)
	}
	c.Titled(s.about, func() {
		for i, v := range s.list {
			mid := x + (float64(i)+0.5)*slot
			h := 3 + s.ats[i]*(tall-3)
			c.Rect(mid-bar/2, top+tall-h, bar, h, math.Min(3, bar/2), "fill-blue")
			if labels {
				c.Text(mid, top+tall-h-5, v, "small middle")
			}
		}
	})
	drawHairline(c, x, top+tall, slot*float64(n))
	end := top + tall
	if labels && n == s.total && s.unit != "" {
		c.TextIn(x+slot*float64(n)+8, end, w-slot*float64(n)-8, diagram.SmallSize, s.unit, "small muted")
	}
	if !labels || n < s.total {
		note := fmt.Sprintf("%d values, %s", s.total, s.about)
		if s.unit != "" {
			note += ", in " + s.unit
		}
		if n < s.total {
			note += fmt.Sprintf("; the first %d are drawn", n)
		}
		c.TextIn(x, end+16, w, diagram.SmallSize, note, "small muted")
		end += 20
	}
	return end + 8
}

// drawTree draws a derivation: as a tree if that fits, as an outline if not,
// and below it what it derives.
func (s *sketch) drawTree(c *diagram.Canvas, f frame) float64 {
	var in diagram.Canvas
	y := f.y + 8
	if s.name != "" {
		in.TextIn(f.x+boxPad, f.y+22, f.w-2*boxPad, diagram.TextSize*bold, s.name, diagram.Strong)
		y = f.y + 34
	}
	x, w := f.x+boxPad, f.w-2*boxPad
	left := drawSteps
	root := treeOf(s.tree, &left)
	width, height := root.tidy(12)
	if width > w {
		width, height = root.tidy(6)
	}
	if left > 0 && width <= w {
		root.draw(&in, x+(w-width)/2, y)
		y += height
	} else {
		y = drawOutline(&in, s.tree, x, y, w)
	}
	y += 14
	drawHairline(&in, x, y, w)
	y = drawWords(&in, s.tokens, x, y+6, w)
	c.Rect(f.x, f.y, f.w, y+8-f.y, 10, f.ground())
	c.Append(&in)
	return y + 12
}

// drawWords writes words in lines, three at most.
func drawWords(c *diagram.Canvas, words []string, x, y, w float64) float64 {
	const advance = 0.62 * diagram.SmallSize // of a character that is as wide as any other
	most := int(w / advance)
	var line strings.Builder
	size, lines := 0, 0
	flush := func(end string) {
		y += 18
		c.Text(x, y-4, line.String()+end, "small mono muted")
		line.Reset()
		size = 0
		lines++
	}
	for _, word := range words {
		runes := []rune(word)
		if len(runes) > most/2 {
			runes = append(runes[:most/2], '…')
		}
		if size > 0 && size+1+len(runes) > most-2 {
			if lines == 2 {
				flush(" …")
				return y
			}
			flush("")
		}
		if size > 0 {
			line.WriteByte(' ')
			size++
		}
		line.WriteString(string(runes))
		size += len(runes)
	}
	if size > 0 {
		flush("")
	}
	return y
}

// A branch is a node of a derivation that is drawn as a tree.
type branch struct {
	box   diagram.Tree
	label string
	title string
	leaf  bool // it stands for a terminal
	with  []string
	kids  []*branch
}

const chipLimit = 130.0 // widest label of a derivation

// treeOf makes the nodes of a derivation, as many as are left. A production of
// a single terminal is one node.
func treeOf(s *step, left *int) *branch {
	*left--
	b := &branch{label: s.symbol, with: s.with}
	if t, ok := s.terminal(); ok {
		b.label, b.leaf, b.title = t, true, s.symbol+" → "+t
		return b
	}
	for _, p := range s.parts {
		if *left <= 0 {
			break
		}
		if p.step != nil {
			b.kids = append(b.kids, treeOf(p.step, left))
			continue
		}
		*left--
		b.kids = append(b.kids, &branch{label: p.terminal, leaf: true})
	}
	return b
}

// tidy places the branch and what is below it.
func (b *branch) tidy(gap float64) (width, height float64) {
	var size func(*branch)
	size = func(b *branch) {
		b.box.Kids = nil
		b.box.W, b.box.H = diagram.PillWidth(b.label, chipLimit), diagram.PillHeight
		for _, t := range b.with {
			b.box.W = math.Max(b.box.W, math.Min(diagram.TextWidth(t, diagram.SmallSize), chipLimit))
			b.box.H += 15
		}
		for _, k := range b.kids {
			size(k)
			b.box.Kids = append(b.box.Kids, &k.box)
		}
	}
	size(b)
	return b.box.Tidy(gap, 24)
}

func (b *branch) draw(c *diagram.Canvas, x, y float64) {
	foot := y + b.box.Y + diagram.PillHeight
	for _, k := range b.kids {
		x0, y0, x1, y1 := x+b.box.X, foot, x+k.box.X, y+k.box.Y
		mid := y1 - 12
		c.Path(diagram.At("M", x0, y0)+diagram.At("C", x0, mid+4, x1, mid-8, x1, y1), "line-grey faint")
	}
	for _, k := range b.kids {
		k.draw(c, x, y)
	}
	chip := func() {
		drawSymbol(c, x+b.box.X-diagram.PillWidth(b.label, chipLimit)/2, y+b.box.Y+diagram.PillHeight/2, b.label, b.leaf)
	}
	if b.title != "" {
		c.Titled(b.title, chip)
	} else {
		chip()
	}
	for i, t := range b.with {
		c.TextIn(x+b.box.X, foot+12+15*float64(i), chipLimit, diagram.SmallSize, t, "small muted middle")
	}
}

// drawSymbol draws a terminal or a nonterminal from x on and returns its width.
func drawSymbol(c *diagram.Canvas, x, y float64, label string, leaf bool) float64 {
	w := diagram.PillWidth(label, chipLimit)
	if leaf {
		c.Pill(x+w/2, y, w, label, diagram.Orange, diagram.Solid)
	} else {
		c.Pill(x+w/2, y, w, label, diagram.Grey, diagram.Tinted)
	}
	return w
}

// short reports whether all that a production derives are terminals, one a
// part, that fit into a width together.
func (s *step) short(width float64) bool {
	for _, p := range s.parts {
		t := p.terminal
		if p.step != nil {
			var ok bool
			if t, ok = p.step.terminal(); !ok {
				return false
			}
			if len(p.step.with) > 0 {
				text := strings.Join(p.step.with, ", ")
				width -= math.Min(diagram.TextWidth(text, diagram.SmallSize), chipLimit)*bold + 8
			}
		}
		width -= diagram.PillWidth(t, chipLimit) + 5
	}
	return width >= 0
}

// drawOutline draws a derivation as an indented list. A production that
// derives but a few terminals takes one line.
func drawOutline(c *diagram.Canvas, root *step, x, y, w float64) float64 {
	const line, in = 27.0, 20.0
	drawn, missing := 0, 0
	// draw returns the middle of its first line.
	var draw func(s *step, level int) float64
	draw = func(s *step, level int) float64 {
		at, mid := x+float64(level)*in, y+line/2
		y += line
		drawn++
		words := func(with []string) {
			if len(with) == 0 {
				return
			}
			t, _ := diagram.Cut(strings.Join(with, ", "), diagram.SmallSize, chipLimit)
			c.Text(at, mid+4.2, t, "small muted")
			at += diagram.TextWidth(t, diagram.SmallSize)*bold + 8
		}
		if t, ok := s.terminal(); ok {
			at += 5 + drawSymbol(c, at, mid, t, true)
			words(s.with)
			return mid
		}
		at += 5 + drawSymbol(c, at, mid, s.symbol, false)
		words(s.with)
		if s.short(x + w - at) {
			for _, p := range s.parts {
				t, with := p.terminal, []string(nil)
				if p.step != nil {
					t, _ = p.step.terminal()
					with = p.step.with
				}
				at += 5 + drawSymbol(c, at, mid, t, true)
				words(with)
			}
			return mid
		}
		stem := x + float64(level)*in + in/2
		last := mid
		for _, p := range s.parts {
			if drawn >= drawLines || level > 16 {
				if p.step != nil {
					missing += p.step.size()
				}
				continue
			}
			if p.step != nil {
				last = draw(p.step, level+1)
			} else {
				last = y + line/2
				drawSymbol(c, x+float64(level+1)*in, last, p.terminal, true)
				y += line
				drawn++
			}
			c.Line(stem, last, stem+in/2, last, diagram.Rule)
		}
		if last > mid {
			c.Line(stem, mid+diagram.PillHeight/2, stem, last, diagram.Rule)
		}
		return mid
	}
	draw(root, 0)
	if missing > 0 {
		c.Text(x, y+16, fmt.Sprintf("… and %d more productions", missing), "small muted")
		y += 22
	}
	return y
}
