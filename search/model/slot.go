package model

import (
	"github.com/daedalus-search/daedalus/internal/detmath"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/space"
)

// A slot is an observed design, read into columns.
type slot struct {
	id     int64
	design space.Design
	score  metric.Score
	usable bool
	seq    float64 // number of the result, from 1
	key    float64 // in the reservoir
	weight float64
	rank   int32
	good   bool // in the good set

	site   []int32   // decisions in walking order
	x      []float64 // place of a number on [0, 1]
	option []int32   // option taken, or item placed
	sigma  []float64 // bandwidth for which the next two hold
	low    []float64 // standard normal distribution at the lower bound
	span   []float64 // its difference between the bounds
}

// A form says how a decision is modelled.
type form uint8

const (
	fixed  form = iota // nothing to decide
	number             // a place on [0, 1]
	level              // one of a few ordered options
	pick               // one of some options without order
	place              // an item of a permutation
)

// maxLevels is the number of ordered options from which on a decision is
// modelled by the density in the middle of each option's share, which differs
// little from the mass over it when there are that many.
const maxLevels = 16

// A site is a decision of the space that occurs in some observed design.
type site struct {
	key      uint64
	decision space.Decision // as it is where everything is legal
	form     form
	options  int
	prior    []float64 // prior of each option of a level or a pick
	edges    []float64 // level: cumulative prior, from 0 to 1
	next     int32     // site that came after this one last time
	cache    [2]table  // masses in the good and the bad mixture
}

// A table holds the log masses of a site's answers and what they were made for.
type table struct {
	sigma, smooth float64
	mass          []float64
}

// sites numbers the decisions, so that the model can work on arrays.
type sites struct {
	ids  map[uint64]int32
	list []site
	next int32 // first site of a walk, last time
	live int
	buf  []space.Answer
	walk items
}

func formOf(d *space.Decision) form {
	switch {
	case d.N == 1, d.N == 0 && d.Param.Lo == d.Param.Hi:
		return fixed
	case d.N == 0, d.Ordered() && d.N > maxLevels:
		return number
	case d.Ordered():
		return level
	case d.Role == space.RolePlace:
		return place
	}
	return pick
}

// find returns the number of a decision, -1 if it has none. The site before it
// in the walk, or -1, tells where to look first.
func (t *sites) find(key uint64, before int32) int32 {
	guess := t.next
	if before >= 0 {
		guess = t.list[before].next
	}
	if guess >= 0 && int(guess) < len(t.list) && t.list[guess].key == key {
		return guess
	}
	id, ok := t.ids[key]
	if !ok {
		return -1
	}
	if before >= 0 {
		t.list[before].next = id
	} else {
		t.next = id
	}
	return id
}

func (t *sites) intern(d *space.Decision, before int32) int32 {
	if id := t.find(d.Site, before); id >= 0 {
		return id
	}
	if t.ids == nil {
		t.ids = map[uint64]int32{}
	}
	s := site{key: d.Site, decision: *d, form: formOf(d), options: d.N, next: -1}
	s.decision.Lo, s.decision.Hi = d.Param.Lo, d.Param.Hi
	switch s.form {
	case level:
		s.edges = make([]float64, d.N+1)
		for i := range d.N {
			s.edges[i+1] = upperEdge(d, i)
			s.prior = append(s.prior, s.edges[i+1]-s.edges[i])
		}
	case pick:
		for i := range d.N {
			w := 1 / float64(d.N)
			if d.Role == space.RolePick {
				w = d.Param.Weight(i)
			}
			s.prior = append(s.prior, w)
		}
	case place:
		s.options = len(d.Param.Labels)
	}
	id := int32(len(t.list))
	t.ids[d.Site] = id
	t.list = append(t.list, s)
	return id
}

// upperEdge returns the prior probability of the options 0 … i of an ordered
// decision. The share of an option on [0, 1] is its kernel's unit of length: for
// whole numbers it reaches half a step to either side.
func upperEdge(d *space.Decision, i int) float64 {
	p := d.Param
	switch {
	case i+1 == d.N:
		return 1
	case d.Role != space.RoleLevel:
		return float64(i+1) / float64(d.N)
	case p.Log:
		lo := detmath.Log(p.Lo)
		return (detmath.Log(p.Number(i+1)) - lo) / (detmath.Log(p.Number(d.N)) - lo)
	case p.Labels != nil: // an ordinal, which may have weights
		sum := 0.0
		for j := range i + 1 {
			sum += p.Weight(j)
		}
		return sum
	}
	return float64(i+1) / float64(d.N)
}

// middle returns the place of option i of an ordered decision on [0, 1].
func middle(d *space.Decision, i int) float64 {
	lo := 0.0
	if i > 0 {
		lo = upperEdge(d, i-1)
	}
	return float64(0.5 * (lo + upperEdge(d, i)))
}

// items follows the items of one permutation through its decisions.
type items struct{ left []int32 }

// at returns the items that remain when a position is filled.
func (it *items) at(d *space.Decision) []int32 {
	n := len(d.Param.Labels)
	if d.Item == 0 || len(it.left) != n {
		it.left = it.left[:0]
		for i := range n {
			it.left = append(it.left, int32(i))
		}
	}
	return it.left[d.Item:]
}

// take removes option i of those that remain and returns its item.
func take(left []int32, i int) int32 {
	x := left[i]
	copy(left[1:i+1], left[:i])
	left[0] = x
	return x
}

// scan reads a design.
func (t *tpe) scan(d space.Design) *slot {
	u := &t.sites
	u.buf = d.Decisions(u.buf[:0])
	n := len(u.buf)
	f := make([]float64, 4*n)
	i32 := make([]int32, 2*n)
	s := &slot{
		design: d, weight: 1,
		site: i32[:0:n], option: i32[n:n],
		x: f[:0:n], sigma: f[n : 2*n], low: f[2*n : 3*n], span: f[3*n:],
	}
	before := int32(-1)
	for i := range u.buf {
		a := &u.buf[i]
		kind := formOf(&a.Decision)
		if kind == fixed {
			continue
		}
		id := u.intern(&a.Decision, before)
		x, option := 0.0, int32(a.Index)
		switch {
		case kind == place:
			option = take(u.walk.at(&a.Decision), a.Index)
		case kind == number && a.N == 0:
			x = a.Unit(0, a.Real)
		case kind == number:
			x = middle(&a.Decision, a.Index)
		}
		s.site = append(s.site, id)
		s.x = append(s.x, x)
		s.option = append(s.option, option)
		before = id
	}
	return s
}

// compact forgets the decisions that no observed design takes any more, once
// they are the majority: an open grammar has no end of them.
func (t *sites) compact(sets ...[]*slot) {
	if len(t.list) < 1024 || len(t.list) < 4*t.live {
		return
	}
	to := make([]int32, len(t.list))
	for i := range to {
		to[i] = -1
	}
	old := t.list
	t.list = nil
	clear(t.ids)
	for _, set := range sets {
		for _, s := range set {
			for _, id := range s.site {
				if to[id] < 0 {
					to[id] = int32(len(t.list))
					x := old[id]
					x.next = -1
					t.ids[x.key] = to[id]
					t.list = append(t.list, x)
				}
			}
		}
	}
	for _, set := range sets {
		for _, s := range set {
			for i, id := range s.site {
				s.site[i] = to[id]
			}
		}
	}
	t.next = -1
	t.live = len(t.list)
}
