// Package genome maps designs to vectors of numbers and back, for searches that
// move through real space: a number keeps its place on its range, a category
// becomes one coordinate without order or one number an option of which the
// largest wins, a subset holds the items whose numbers are at least one half, a
// permutation is the order of its items' numbers.
//
//	g, err := genome.New(sp, genome.Categories)
//	d, err := g.Design(x)  // what a point stands for
//	g.Move(x, d)           // the nearest point that stands for d
package genome

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/daedalus-search/daedalus/internal/detmath"
	"github.com/daedalus-search/daedalus/search/vector"
	"github.com/daedalus-search/daedalus/space"
)

// Coding says how categories become coordinates.
type Coding uint8

// The codings.
const (
	Categories Coding = iota // one coordinate with options
	Keys                     // one number an option; the largest wins
)

// Limit is the largest number of coordinates that New accepts.
const Limit = 1 << 16

// maxCuts bounds the levels of a discrete number whose boundaries are listed; one
// with more is like a real number.
const maxCuts = 1 << 10

// A Genome is the map for one space. It is not safe for concurrent use.
type Genome struct {
	sp     *space.Space
	coords []vector.Coordinate
	genes  []gene
	real   bool
	f      []float64 // features
	order  []int
}

type kind uint8

const (
	number   kind = iota
	category      // one coordinate
	keys          // one coordinate an option
	members
	places
)

// A gene is one decision, or the whole of a selection.
type gene struct {
	kind   kind
	column int // first feature
	active int // feature that says whether it counts, or -1
	width  int // features
	at     int // first coordinate, -1 for a decision with one option
}

// New makes the map of a space. It fails if the space has no fixed layout, as
// with a grammar, or too many coordinates.
func New(sp *space.Space, coding Coding) (*Genome, error) {
	if _, err := sp.Dims(); err != nil {
		return nil, err
	}
	fs, err := sp.Features()
	if err != nil {
		return nil, err
	}
	g := &Genome{sp: sp, f: make([]float64, len(fs))}
	for i := 0; i < len(fs); {
		p := fs[i].Param
		n := gene{kind: number, column: i, width: 1, active: -1, at: len(g.coords)}
		switch fs[i].Kind {
		case space.FeatureOneHot:
			if p.Kind == space.KindBool {
				break
			}
			n.kind, n.width = keys, len(p.Labels)
			if coding == Categories {
				n.kind = category
			}
		case space.FeatureMember:
			n.kind, n.width = members, len(p.Labels)
		case space.FeaturePosition:
			n.kind, n.width = places, len(p.Labels)
		}
		i += n.width
		if i < len(fs) && fs[i].Kind == space.FeatureActive && fs[i].Param == p {
			n.active = i
			i++
		}
		g.add(n, p)
		if len(g.coords) > Limit {
			return nil, fmt.Errorf("the space has more than %d coordinates", Limit)
		}
	}
	return g, nil
}

// add gives a gene its coordinates.
func (g *Genome) add(n gene, p *space.Param) {
	unit := vector.Coordinate{High: 1}
	switch n.kind {
	case number:
		switch {
		case p.N == 1 || p.N == 0 && p.Hi == p.Lo:
			n.at = -1
		case p.N == 0 || p.N > maxCuts:
			g.real = true
			g.coords = append(g.coords, unit)
		default:
			c := unit
			for k := range p.N - 1 {
				c.Cuts = append(c.Cuts, boundary(p, k))
			}
			g.coords = append(g.coords, c)
		}
	case category:
		if n.width == 1 {
			n.at = -1
			break
		}
		g.coords = append(g.coords, vector.Coordinate{Options: n.width})
	default:
		if n.width == 1 && n.kind != members {
			n.at = -1
			break
		}
		for range n.width {
			g.coords = append(g.coords, unit)
		}
	}
	g.genes = append(g.genes, n)
}

// boundary returns where option k of an ordered parameter ends and the next
// begins, on the scale of the features.
func boundary(p *space.Param, k int) float64 {
	if p.Log && p.N > 1 && p.Kind != space.KindOrdinal {
		lo, hi := detmath.Log(p.Lo), detmath.Log(p.Hi)
		return min(max((detmath.Log(p.Number(k)+p.Step/2)-lo)/(hi-lo), 0), 1)
	}
	return (float64(k) + 0.5) / float64(p.N-1)
}

// Coordinates describes the numbers of a point.
func (g *Genome) Coordinates() []vector.Coordinate { return g.coords }

// Real reports whether some coordinate is a real number, so that designs hardly
// ever repeat.
func (g *Genome) Real() bool { return g.real }

// Design returns what a point stands for. Where constraints forbid it, it is the
// nearest design that they allow, decision by decision; it fails with a
// [space.InfeasibleError] if they leave none.
func (g *Genome) Design(x []float64) (space.Design, error) {
	for i := range g.genes {
		n := &g.genes[i]
		f := g.f[n.column : n.column+n.width]
		switch {
		case n.at < 0:
			f[0] = 0
		case n.kind == category:
			clear(f)
			f[min(max(int(x[n.at]), 0), n.width-1)] = 1
		default:
			copy(f, x[n.at:n.at+n.width])
		}
	}
	return g.sp.FromFeatures(g.f)
}

// Move changes x as little as it can so that it stands for the design.
// Coordinates of inactive parameters keep their values.
func (g *Genome) Move(x []float64, d space.Design) error {
	f, err := g.sp.Encode(d, g.f[:0])
	if err != nil {
		return err
	}
	g.f = f
	for i := range g.genes {
		n := &g.genes[i]
		if n.at < 0 || n.active >= 0 && g.f[n.active] == 0 {
			continue
		}
		f := g.f[n.column : n.column+n.width]
		switch n.kind {
		case number:
			if c := g.coords[n.at].Cuts; c == nil || level(c, x[n.at]) != level(c, f[0]) {
				x[n.at] = f[0]
			}
		case category:
			x[n.at] = float64(largest(f))
		case keys:
			x := x[n.at : n.at+n.width]
			if a, b := largest(x), largest(f); a != b {
				if x[a] == x[b] {
					x[a] = math.Nextafter(x[a], 0) - 1e-9
				}
				x[a], x[b] = x[b], x[a]
			}
		case members:
			for k, v := range f {
				if u := &x[n.at+k]; (*u >= 0.5) != (v >= 0.5) {
					if *u = 1 - *u; v >= 0.5 {
						*u = max(*u, 0.5)
					} else {
						*u = min(*u, 0.499999)
					}
				}
			}
		case places:
			x := x[n.at : n.at+n.width]
			g.order = g.order[:0]
			for k := range f {
				g.order = append(g.order, k)
			}
			slices.SortStableFunc(g.order, func(a, b int) int { return cmp.Compare(f[a], f[b]) })
			sorted := slices.Clone(x)
			slices.Sort(sorted)
			for place, k := range g.order {
				if place > 0 && sorted[place] <= sorted[place-1] {
					sorted[place] = sorted[place-1] + 1e-9
				}
				x[k] = sorted[place]
			}
		}
	}
	return nil
}

// level returns the number of cuts below u.
func level(cuts []float64, u float64) int {
	k, _ := slices.BinarySearch(cuts, u)
	return k
}

// largest returns the index of the largest number, the first of equals.
func largest(x []float64) int {
	best := 0
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return best
}
