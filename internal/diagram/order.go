package diagram

import (
	"errors"
	"slices"
)

// An embedding puts the nodes in a row and every edge on one of two pages: a
// half-plane on either side of the row. Edges of a page cross exactly when
// their ends interleave, and then once; edges between neighbours run inside the
// row and cross nothing. The graph whose vertices are edges and whose edges are
// interleavings is the conflict graph. A row can be drawn without crossings
// exactly when its conflict graph is bipartite (Bernhart and Kainen, "The book
// thickness of a graph", 1979).
type embedding struct {
	order     []int // the node at each place of the row
	place     []int // the place of each node
	page      []int8
	crossings int
	length    int // of all edges, in places
}

// Pages.
const (
	inRow   int8 = 0
	above   int8 = 1 // the right side of a row that leads down
	beneath      = -above
)

var errCycle = errors.New("diagram: the edges form a cycle")

// The search for a row looks at this many orders one after the other, and if
// that is not all of them improves the best one by moving single nodes. Looking
// at one takes time proportional to the pairs of edges, so large graphs get
// fewer.
const (
	maxOrders = 1500
	maxPairs  = 8_000_000
)

func orders(edges int) int { return min(maxOrders, maxPairs/(edges*edges+1)) }

// embed finds a row with few crossings and short edges, the first such in
// lexicographic order among those it looks at.
func embed(g *Graph) (embedding, error) {
	n := len(g.Nodes)
	after := make([][]int, n)
	waits := make([]int, n)
	for _, e := range g.Edges {
		after[e.From] = append(after[e.From], e.To)
		waits[e.To]++
	}
	if cyclic(after, waits) {
		return embedding{}, errCycle
	}
	s := &search{g: g, best: embedding{crossings: -1}, most: orders(len(g.Edges))}
	order := make([]int, 0, n)
	used := make([]bool, n)
	var walk func() bool // false: enough
	walk = func() bool {
		if len(order) == n {
			s.try(order)
			return s.tried < s.most
		}
		for v := range n {
			if used[v] || waits[v] > 0 {
				continue
			}
			used[v] = true
			order = append(order, v)
			for _, t := range after[v] {
				waits[t]--
			}
			more := walk()
			for _, t := range after[v] {
				waits[t]++
			}
			order = order[:len(order)-1]
			used[v] = false
			if !more {
				return false
			}
		}
		return true
	}
	if !walk() {
		s.climb()
	}
	s.best.page = s.balance(s.best)
	return s.best, nil
}

// cyclic reports whether nodes remain when those that wait for no other are
// taken away again and again.
func cyclic(after [][]int, waits []int) bool {
	waits = slices.Clone(waits)
	var ready []int
	for v, w := range waits {
		if w == 0 {
			ready = append(ready, v)
		}
	}
	for k := 0; k < len(ready); k++ {
		for _, t := range after[ready[k]] {
			if waits[t]--; waits[t] == 0 {
				ready = append(ready, t)
			}
		}
	}
	return len(ready) < len(waits)
}

type search struct {
	g     *Graph
	best  embedding
	tried int
	most  int
}

// try looks at an order and keeps it if it is better than all before.
func (s *search) try(order []int) bool {
	s.tried++
	e := embedding{order: order, place: make([]int, len(order))}
	for i, v := range order {
		e.place[v] = i
	}
	for _, x := range s.g.Edges {
		e.length += e.place[x.To] - e.place[x.From]
	}
	if s.best.crossings == 0 && e.length >= s.best.length {
		return false
	}
	e.page, e.crossings = s.pages(e)
	if b := &s.best; b.crossings >= 0 && (e.crossings > b.crossings || e.crossings == b.crossings && e.length >= b.length) {
		return false
	}
	e.order = slices.Clone(order)
	s.best = e
	return true
}

// climb moves single nodes of the best row to other places that the edges
// allow, as long as that helps.
func (s *search) climb() {
	n := len(s.g.Nodes)
	for s.tried < 3*s.most {
		improved := false
		for v := 0; v < n && s.tried < 3*s.most; v++ {
			at := s.best.place[v]
			lo, hi := 0, n-1
			for _, e := range s.g.Edges {
				if e.To == v {
					lo = max(lo, s.best.place[e.From]+1)
				}
				if e.From == v {
					hi = min(hi, s.best.place[e.To]-1)
				}
			}
			for to := lo; to <= hi; to++ {
				if to == at {
					continue
				}
				order := slices.Delete(slices.Clone(s.best.order), at, at+1)
				if s.try(slices.Insert(order, to, v)) {
					improved = true
					break
				}
			}
		}
		if !improved {
			return
		}
	}
}

// A span is an edge as the places of its ends.
type span struct{ a, b int }

// spans returns the places of each edge, and which edges run in the row: the
// first of those between two neighbours.
func (s *search) spans(e embedding) (spans []span, straight []bool) {
	spans = make([]span, len(s.g.Edges))
	straight = make([]bool, len(s.g.Edges))
	taken := make([]bool, len(e.order))
	for i, x := range s.g.Edges {
		sp := span{e.place[x.From], e.place[x.To]}
		spans[i] = sp
		if sp.b == sp.a+1 && !taken[sp.a] {
			taken[sp.a], straight[i] = true, true
		}
	}
	return spans, straight
}

// interleave reports whether two edges on the same page cross.
func interleave(x, y span) bool {
	return x.a < y.a && y.a < x.b && x.b < y.b || y.a < x.a && x.a < y.b && y.b < x.b
}

// conflicts lists for each edge those it must not share a page with.
func conflicts(spans []span) [][]int {
	out := make([][]int, len(spans))
	for i := range spans {
		for j := range i {
			if interleave(spans[i], spans[j]) {
				out[i] = append(out[i], j)
				out[j] = append(out[j], i)
			}
		}
	}
	return out
}

// pages colours the conflict graph with two pages, breadth first: without
// crossings where that is possible, and with few, found by moving single edges
// to the other page, where not.
func (s *search) pages(e embedding) (page []int8, crossings int) {
	spans, straight := s.spans(e)
	conf := conflicts(spans)
	page = make([]int8, len(spans))
	count := func() (n int) {
		for i := range conf {
			for _, j := range conf[i] {
				if j < i && page[i] == page[j] {
					n++
				}
			}
		}
		return n
	}
	for i := range spans {
		if straight[i] || page[i] != inRow {
			continue
		}
		page[i] = above
		for queue := []int{i}; len(queue) > 0; queue = queue[1:] {
			for _, j := range conf[queue[0]] {
				if page[j] == inRow {
					page[j] = -page[queue[0]]
					queue = append(queue, j)
				}
			}
		}
	}
	crossings = count()
	for better := crossings > 0; better; {
		better = false
		for i := range page {
			same := 0
			for _, j := range conf[i] {
				same += int(page[i] * page[j])
			}
			if same > 0 { // each move lowers the number of crossings, so this ends
				page[i], crossings, better = -page[i], crossings-same, true
			}
		}
	}
	return page, crossings
}

// balance turns whole components of the conflict graph over, which changes no
// crossing, so that both sides of the row are about equally deep.
func (s *search) balance(e embedding) []int8 {
	spans, straight := s.spans(e)
	conf := conflicts(spans)
	page := make([]int8, len(spans))
	depth := func(side int8) (most int) {
		level := make([]int, len(spans))
		for _, i := range bySpan(spans) {
			if page[i] != side {
				continue
			}
			level[i] = 1
			for j := range spans {
				if level[j] > 0 && j != i && spans[j].a < spans[i].b && spans[i].a < spans[j].b {
					level[i] = max(level[i], level[j]+1)
				}
			}
			most = max(most, level[i])
		}
		return most
	}
	for _, i := range bySpan(spans) {
		if straight[i] || page[i] != inRow {
			continue
		}
		part := []int{i}
		for k := 0; k < len(part); k++ {
			for _, j := range conf[part[k]] {
				if !slices.Contains(part, j) {
					part = append(part, j)
				}
			}
		}
		put := func(side int8) int {
			for _, j := range part {
				page[j] = e.page[j] * e.page[i] * side
			}
			return depth(above) + depth(beneath)
		}
		if put(beneath) >= put(above) {
			continue
		}
		put(beneath)
	}
	return page
}

// bySpan lists edges from the shortest to the longest; parallel ones in order.
func bySpan(spans []span) []int {
	order := make([]int, len(spans))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(x, y int) int {
		return (spans[x].b - spans[x].a) - (spans[y].b - spans[y].a)
	})
	return order
}
