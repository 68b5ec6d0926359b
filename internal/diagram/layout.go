package diagram

import (
	"math"
)

// A Layout says where everything of a [Graph] stands. Coordinates are pixels
// from the top left.
type Layout struct {
	Width, Height float64
	Order         []int   // the nodes in the order of the row
	Nodes         []Box   // one a node
	Edges         []Route // one an edge
	Crossings     int     // pairs of edges that cross; 0 wherever an order without any was found
}

// A Box is a rectangle, X and Y its top left corner.
type Box struct{ X, Y, W, H float64 }

// A Point of the plane.
type Point struct{ X, Y float64 }

// A Route is the way of one edge.
type Route struct {
	Points []Point // cubic Bézier curves: the start, and three points for each
	Tip    Point   // of the arrow, whose foot is the last point
	Label  Box     // W is 0 if there is none
}

// Measures of the layout.
const (
	nodeSize   = 32.0
	labelLimit = 150.0 // widest label of a node or an edge
	margin     = 8.0
	clearance  = 8.0  // between a line or label and what is not its own
	lineGap    = 13.0 // between parallel lines
	portGap    = 9.0  // between lines that meet a node on one side
	stub       = 14.0 // of a line beside its label, without the arrow
	arrowSize  = 8.0
	bareGap    = 30.0 // between neighbours whose edge has no label
	circle     = 0.5523
)

// flat is the plane in the row's own terms: u runs along the row, v away from
// it, so that every side of a row in every direction is the same.
type flat struct{ u, v float64 }

// A block is something of the row or of one page that lines keep away from.
type block struct{ u0, u1, v float64 } // from the row out to v

type planner struct {
	g        *Graph
	e        embedding
	spans    []span
	straight []bool
	sorted   []int // edges from the shortest to the longest
	rank     []int // of each edge in sorted
	at       []float64
	half     []flat     // half the extent of each node
	port     [][2]int   // of each edge, at its start and its end, from the first of that side of the node
	ports    [][2]int   // how many each place has, above and beneath
	bend     float64    // least length of the row that an edge takes to turn
	wide     float64    // most
	lane     []float64  // v of each edge; 0 in the row
	turns    []float64  // how far along the row it takes to get there
	label    []flat     // half the extent of each edge's label, 0 without
	labelAt  []float64  // u of its middle
	blocks   [2][]block // above and beneath: the nodes by their places, labels in the row, labels of the page
}

// Layout finds a row in which few edges cross, none if possible, and works out
// where everything stands.
func (g *Graph) Layout() (*Layout, error) {
	if err := g.check(); err != nil {
		return nil, err
	}
	e, err := embed(g)
	if err != nil {
		return nil, err
	}
	p := &planner{g: g, e: e}
	p.spans, p.straight = (&search{g: g}).spans(e)
	p.sorted = bySpan(p.spans)
	p.rank = make([]int, len(p.sorted))
	for k, i := range p.sorted {
		p.rank[i] = k
	}
	p.measure()
	p.space()
	p.raise()
	return p.finish(), nil
}

// side is the index of a page in blocks and ports.
func side(page int8) int {
	if page == beneath {
		return 1
	}
	return 0
}

// measure finds out how large nodes and labels are and where lines meet nodes.
func (p *planner) measure() {
	n := len(p.g.Nodes)
	p.half = make([]flat, n)
	p.label = make([]flat, len(p.g.Edges))
	p.port = make([][2]int, len(p.g.Edges))
	p.ports = make([][2]int, n)
	for i, e := range p.g.Edges {
		if e.Label != "" {
			p.label[i] = p.turn(math.Max(PillWidth(e.Label, labelLimit), p.g.LabelRoom)/2, PillHeight/2)
		}
	}
	// Along the row a side of a node first meets the edges that end there, the
	// inner ones first, then those that begin, the inner ones last. In any
	// other order they would cross.
	for _, i := range p.sorted {
		if !p.straight[i] {
			end := p.spans[i].b
			p.port[i][1] = p.ports[end][side(p.e.page[i])]
			p.ports[end][side(p.e.page[i])]++
		}
	}
	for k := len(p.sorted) - 1; k >= 0; k-- {
		if i := p.sorted[k]; !p.straight[i] {
			start := p.spans[i].a
			p.port[i][0] = p.ports[start][side(p.e.page[i])]
			p.ports[start][side(p.e.page[i])]++
		}
	}
	for k := range n {
		w := math.Min(TextWidth(p.g.Nodes[p.e.order[k]].Label, TextSize)*1.05, labelLimit)
		if w += 22; w <= nodeSize+14 { // a short word may touch the ring
			w = nodeSize
			if t := TextWidth(p.g.Nodes[p.e.order[k]].Label, TextSize) * 1.05; t > nodeSize-8 {
				w = t + 12
			}
		}
		h := p.turn(w/2, nodeSize/2)
		h.u = math.Max(h.u, float64(max(p.ports[k][0], p.ports[k][1])-1)/2*portGap+8)
		p.half[k] = h
	}
}

// turn makes a width and a height an extent along the row and away from it, and
// back.
func (p *planner) turn(w, h float64) flat {
	if p.g.Direction == Right {
		return flat{w, h}
	}
	return flat{h, w}
}

// offset is how far after the middle of a node an edge meets it.
func (p *planner) offset(i, end int) float64 {
	place := p.spans[i].a
	if end == 1 {
		place = p.spans[i].b
	}
	return (float64(p.port[i][end]) - float64(p.ports[place][side(p.e.page[i])]-1)/2) * portGap
}

// meets is where an edge meets its node.
func (p *planner) meets(i, end int) flat {
	place := p.spans[i].a
	if end == 1 {
		place = p.spans[i].b
	}
	h, o := p.half[place], p.offset(i, end)
	r := math.Min(math.Min(h.u, h.v), nodeSize/2)
	q := math.Max(0, math.Abs(o)-(h.u-r)) // how far into the rounded corner
	return flat{p.at[place] + o, h.v - r + math.Sqrt(math.Max(0, r*r-q*q))}
}

// space puts the nodes along the row.
func (p *planner) space() {
	n := len(p.half)
	gap := make([]float64, n) // after each node
	widest := 0.0
	for k := range gap {
		gap[k] = bareGap
	}
	for i, sp := range p.spans {
		if p.straight[i] && p.label[i].u > 0 {
			gap[sp.a] = math.Max(gap[sp.a], 2*p.label[i].u+2*stub+arrowSize)
		}
	}
	for k := range max(n-1, 0) {
		widest = math.Max(widest, gap[k])
	}
	pitch := math.Inf(1)
	for k := range max(n-1, 0) {
		if p.g.Direction == Down { // an even row looks calmer, and costs little
			gap[k] = widest
		}
		pitch = math.Min(pitch, gap[k]+nodeSize)
	}
	p.bend, p.wide = math.Min(38, 0.45*pitch), math.Min(72, 0.75*pitch)
	if p.e.crossings > 0 { // tight turns leave room for labels beside crossings
		p.bend, p.wide = 12, 12
	}
	p.at = make([]float64, n)
	put := func() {
		u := 0.0
		for k := range n {
			if k > 0 {
				u += p.half[k-1].u + gap[k-1] + p.half[k].u
			}
			p.at[k] = u
		}
	}
	put()
	for _, i := range p.sorted {
		if p.straight[i] {
			continue
		}
		sp := p.spans[i]
		// Both turns and the label between them need their length.
		need := 2*p.bend + p.offset(i, 0) - p.offset(i, 1) + 2*p.label[i].u + 6
		if short := need - (p.at[sp.b] - p.at[sp.a]); short > 0 {
			for k := sp.a; k < sp.b; k++ {
				gap[k] += short / float64(sp.b-sp.a)
			}
			put()
		}
		if p.e.crossings > 0 && p.label[i].u > 0 {
			// Between two nodes there is a place where nothing crosses over.
			k := (sp.a + sp.b - 1) / 2
			need := 2*p.label[i].u + 2*(p.bend+clearance+2)
			if short := need - gap[k] - 2*math.Min(0, p.half[k].u-nodeSize/2); short > 0 {
				gap[k] += short
				put()
			}
		}
	}
}

// raise gives every edge its distance from the row, the short ones first, and
// its label a place where nothing else is.
func (p *planner) raise() {
	m := len(p.g.Edges)
	p.lane = make([]float64, m)
	p.turns = make([]float64, m)
	p.labelAt = make([]float64, m)
	var row []block
	for k, h := range p.half {
		row = append(row, block{p.at[k] - h.u, p.at[k] + h.u, h.v})
	}
	for i, sp := range p.spans {
		if !p.straight[i] {
			continue
		}
		// The arrow belongs to the line, so the label stands a little before
		// the middle between the nodes.
		from, to := p.at[sp.a]+p.half[sp.a].u, p.at[sp.b]-p.half[sp.b].u
		p.labelAt[i] = (from + to - arrowSize + 2) / 2
		if p.label[i].u > 0 {
			row = append(row, block{p.labelAt[i] - p.label[i].u, p.labelAt[i] + p.label[i].u, p.label[i].v})
		}
	}
	p.blocks[0] = append(p.blocks[0], row...)
	p.blocks[1] = append(p.blocks[1], row...)
	for _, i := range p.sorted {
		if !p.straight[i] {
			p.raiseEdge(i)
		}
	}
}

func (p *planner) raiseEdge(i int) {
	sp, sd := p.spans[i], side(p.e.page[i])
	from, to := p.meets(i, 0), p.meets(i, 1)
	lane := math.Max(from.v, to.v+arrowSize) + 14
	first, last := from.u+p.bend, to.u-p.bend // where it runs beside the row
	for j := range p.spans {
		if p.lane[j] > 0 && p.e.page[j] == p.e.page[i] && p.spans[j].a < sp.b && sp.a < p.spans[j].b {
			lane = math.Max(lane, p.lane[j]+lineGap)
		}
	}
	// over is how far out is clear of everything from lo to hi.
	over := func(lo, hi float64) (v float64) {
		for _, b := range p.blocks[sd] {
			if b.u0 < hi+clearance && lo-clearance < b.u1 {
				v = math.Max(v, b.v+clearance)
			}
		}
		return v
	}
	// beside is how far out a label is clear at u.
	beside := func(u float64) float64 {
		h := p.label[i]
		v := max(clearance, over(u-h.u, u+h.u)) + h.v // clear of the row, too
		for j, s := range p.spans {
			if p.lane[j] > 0 && p.e.page[j] == p.e.page[i] && p.at[s.a] < u+h.u && u-h.u < p.at[s.b] {
				v = math.Max(v, p.lane[j]+clearance+h.v)
			}
		}
		return v
	}
	lane = math.Max(lane, over(first, last))
	if h := p.label[i]; h.u > 0 {
		mid := (first + last) / 2
		tries := []float64{mid}
		for k := sp.a; k < sp.b; k++ {
			tries = append(tries, (p.at[k]+p.half[k].u+p.at[k+1]-p.half[k+1].u)/2)
			if k > sp.a {
				tries = append(tries, p.at[k])
			}
		}
		p.labelAt[i] = mid // where space made too little room; it makes enough
		best := math.Inf(1)
		for _, u := range tries {
			if u-h.u < first-.5 || u+h.u > last+.5 || p.crossed(i, u) {
				continue
			}
			if cost := math.Max(lane, beside(u)) + math.Abs(u-mid)/6; cost < best-1e-9 {
				best, p.labelAt[i] = cost, u
			}
		}
		lane = math.Max(lane, beside(p.labelAt[i]))
	}
	// The turns must keep clear of what they pass, which they do if they reach
	// far enough out: then they are flat where they leave the row.
	for range 200 {
		p.lane[i], p.turns[i] = lane, p.turnOf(i, lane)
		if p.clear(i, sd) {
			break
		}
		lane += 3
	}
	if h := p.label[i]; h.u > 0 {
		p.blocks[sd] = append(p.blocks[sd], block{p.labelAt[i] - h.u, p.labelAt[i] + h.u, lane + h.v})
	}
}

// turnOf is how much of the row edge i takes to turn: the more the further out
// it runs, as far as its label and the edges inside it leave room.
func (p *planner) turnOf(i int, lane float64) float64 {
	a, b := p.meets(i, 0), p.meets(i, 1)
	room := (b.u - a.u - 2*p.label[i].u - 6) / 2
	if at := p.labelAt[i]; p.label[i].u > 0 {
		room = math.Min(at-a.u, b.u-at) - p.label[i].u - 3
	}
	turn := math.Min(math.Min(0.6*(lane-math.Min(a.v, b.v)), p.wide), room)
	for j, s := range p.spans {
		if p.turns[j] == 0 || p.e.page[j] != p.e.page[i] {
			continue
		}
		for end, same := range [2]bool{s.a == p.spans[i].a, s.b == p.spans[i].b} {
			if same { // see way
				k := (lane - p.meets(i, end).v) / (p.lane[j] - p.meets(j, end).v)
				turn = math.Min(turn, p.turns[j]*k*k)
			}
		}
	}
	return math.Max(turn, p.bend)
}

// crossed reports whether a longer edge may cross edge i beside u.
func (p *planner) crossed(i int, u float64) bool {
	pad := p.label[i].u + clearance
	for j, sp := range p.spans {
		if p.rank[j] < p.rank[i] || p.e.page[j] != p.e.page[i] || !interleave(sp, p.spans[i]) {
			continue
		}
		if s := p.spans[i]; s.a < sp.a && sp.a < s.b {
			if c := p.at[sp.a] + p.offset(j, 0); u > c-pad && u < c+p.bend+pad {
				return true
			}
		} else if c := p.at[sp.b] + p.offset(j, 1); u > c-p.bend-pad && u < c+pad {
			return true
		}
	}
	return false
}

// clear reports whether the turns of an edge keep their distance from every
// block but its own nodes. What is between a block and the row counts as part
// of it.
func (p *planner) clear(i, sd int) bool {
	const steps = 32
	q := p.way(i)
	for _, turn := range [][]flat{q[0:4], q[6:10]} {
		for k := 0; k <= steps; k++ {
			t := float64(k) / steps
			x := bezier(turn, t)
			for j, b := range p.blocks[sd] {
				if j == p.spans[i].a || j == p.spans[i].b || x.u < b.u0-clearance*.7 || x.u > b.u1+clearance*.7 || x.v > b.v+clearance*.7 {
					continue
				}
				return false
			}
		}
	}
	return true
}

func bezier(c []flat, t float64) flat {
	s := 1 - t
	a, b, d, e := s*s*s, 3*s*s*t, 3*s*t*t, t*t*t
	return flat{a*c[0].u + b*c[1].u + d*c[2].u + e*c[3].u, a*c[0].v + b*c[1].v + d*c[2].v + e*c[3].v}
}

// way is the course of an edge: a turn, a straight line beside the row, and a
// turn back. Turns are quarters of ellipses. Of two that leave one node on one
// side, at distances d < D from the row and over lengths l and L of it, the
// outer one is flatter all the way, so that they never meet, if L/D² ≤ l/d².
func (p *planner) way(i int) []flat {
	lane, turn := p.lane[i], p.turns[i]
	a, b := p.meets(i, 0), p.meets(i, 1)
	b.v += arrowSize
	u0, u1 := a.u+turn, b.u-turn
	return []flat{
		a, {a.u, a.v + circle*(lane-a.v)}, {u0 - circle*turn, lane}, {u0, lane},
		{u0, lane}, {u1, lane}, {u1, lane},
		{u1 + circle*turn, lane}, {b.u, b.v + circle*(lane-b.v)}, b,
	}
}

// finish turns the plan into places on the page.
func (p *planner) finish() *Layout {
	l := &Layout{
		Order: p.e.order, Crossings: p.e.crossings,
		Nodes: make([]Box, len(p.g.Nodes)), Edges: make([]Route, len(p.g.Edges)),
	}
	point := func(f flat, page int8) Point {
		v := f.v
		if page == beneath {
			v = -v
		}
		if p.g.Direction == Right {
			return Point{f.u, -v}
		}
		return Point{v, f.u}
	}
	box := func(mid flat, half flat, page int8) Box {
		m := point(mid, page)
		h := p.turn(half.u, half.v)
		return Box{m.X - h.u, m.Y - h.v, 2 * h.u, 2 * h.v}
	}
	lo, hi := Point{math.Inf(1), math.Inf(1)}, Point{math.Inf(-1), math.Inf(-1)}
	reach := func(x, y float64) {
		lo.X, lo.Y = math.Min(lo.X, x), math.Min(lo.Y, y)
		hi.X, hi.Y = math.Max(hi.X, x), math.Max(hi.Y, y)
	}
	reachBox := func(b Box) { reach(b.X, b.Y); reach(b.X+b.W, b.Y+b.H) }
	for k, v := range p.e.order {
		l.Nodes[v] = box(flat{p.at[k], 0}, p.half[k], above)
		reachBox(l.Nodes[v])
	}
	for i, sp := range p.spans {
		r := &l.Edges[i]
		page := p.e.page[i]
		if p.straight[i] {
			a, b := flat{p.at[sp.a] + p.half[sp.a].u, 0}, flat{p.at[sp.b] - p.half[sp.b].u, 0}
			foot := flat{b.u - arrowSize, 0}
			r.Points = []Point{point(a, above), point(a, above), point(foot, above), point(foot, above)}
			r.Tip = point(b, above)
		} else {
			for _, f := range p.way(i) {
				r.Points = append(r.Points, point(f, page))
				reach(r.Points[len(r.Points)-1].X, r.Points[len(r.Points)-1].Y)
			}
			r.Tip = point(p.meets(i, 1), page)
		}
		if p.label[i].u > 0 {
			b := box(flat{p.labelAt[i], p.lane[i]}, p.label[i], page)
			reachBox(b)
			w := PillWidth(p.g.Edges[i].Label, labelLimit)
			r.Label = Box{b.X + (b.W-w)/2, b.Y, w, b.H}
		}
	}
	if len(p.g.Nodes) == 0 {
		lo, hi = Point{}, Point{}
	}
	dx, dy := margin-lo.X, margin-lo.Y
	l.Width, l.Height = hi.X-lo.X+2*margin, hi.Y-lo.Y+2*margin
	for i := range l.Nodes {
		l.Nodes[i].X += dx
		l.Nodes[i].Y += dy
	}
	for i := range l.Edges {
		r := &l.Edges[i]
		for k := range r.Points {
			r.Points[k].X += dx
			r.Points[k].Y += dy
		}
		r.Tip.X += dx
		r.Tip.Y += dy
		if r.Label.W > 0 {
			r.Label.X += dx
			r.Label.Y += dy
		}
	}
	return l
}

// paths writes the route as SVG paths, interrupted where the label stands.
func (r *Route) paths() []string {
	q := r.Points
	d := At("M", q[0].X, q[0].Y)
	var out []string
	for k := 1; k+2 < len(q); k += 3 {
		a, b := q[k-1], q[k+2]
		if q[k] != a || q[k+1] != b {
			d += At("C", q[k].X, q[k].Y, q[k+1].X, q[k+1].Y, b.X, b.Y)
			continue
		}
		if x := r.Label; x.W > 0 { // it stands on the only straight part
			m := Point{x.X + x.W/2, x.Y + x.H/2}
			enter, leave := Point{m.X, x.Y}, Point{m.X, x.Y + x.H}
			if a.Y == b.Y {
				enter, leave = Point{x.X, m.Y}, Point{x.X + x.W, m.Y}
			}
			out = append(out, d+At("L", enter.X, enter.Y))
			d = At("M", leave.X, leave.Y)
		}
		d += At("L", b.X, b.Y)
	}
	return append(out, d)
}

// arrow is the head of the route.
func (r *Route) arrow() string {
	f := r.Points[len(r.Points)-1]
	dx, dy := (r.Tip.X-f.X)/arrowSize, (r.Tip.Y-f.Y)/arrowSize
	const back, wide = 1.0, 4.2 // the line reaches a little into the head
	x, y := f.X-dx*back, f.Y-dy*back
	return At("M", r.Tip.X-dx, r.Tip.Y-dy) + At("L", x-dy*wide, y+dx*wide) + At("L", x+dy*wide, y-dx*wide) + "z"
}
