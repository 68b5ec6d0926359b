package predict

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/daedalus-search/daedalus/space"
)

// OneHot returns the encoder for methods that see rows as points: the features
// of [space.Space.Encode], all numbers. Ordered decisions lie in [0, 1] by the
// scale of their parameter, unordered ones have a column for each option, and
// what is inactive is 0 with a column that says so. A grammar counts its
// productions, and of the parameters of productions there is the mean place,
// or the share of each option, over the derivation.
//
// It fails with [space.ErrNoLayout] if there would be more than about a
// million columns.
func OneHot(s *space.Space) (Encoder, error) { return newEncoder(s, false) }

// Decisions returns the encoder for trees: one column for each parameter in
// each place, with its categories as [Column.Levels], the value in [0, 1] of an
// ordered one, and NaN where the parameter is inactive. Subsets have a column
// of 0 or 1 for each item, permutations the place of each item, grammars the
// columns of [OneHot].
//
// It fails with [space.ErrNoLayout] if there would be more than about a
// million columns in [OneHot].
func Decisions(s *space.Space) (Encoder, error) { return newEncoder(s, true) }

// An encoder reads a row off the features of the space. Parameters of a
// grammar's productions, which have none, are averaged over the derivation.
type encoder struct {
	space   *space.Space
	columns []Column
	width   int        // features of the space
	groups  []encGroup // nil: the features as they are
	inner   map[*space.Param]encInner
	extra   int // columns of inner parameters
}

// An encGroup is the features of one parameter in one place.
type encGroup struct {
	from, n int
	active  int  // feature that says whether it is active, -1 if it always is
	pick    bool // one-hot: becomes the number of the option
}

// An encInner says where a parameter of a production is averaged.
type encInner struct {
	at   int // first of its columns, counted from the end of the features
	kind space.Kind
}

func newEncoder(s *space.Space, decisions bool) (*encoder, error) {
	features, err := s.Features()
	if err != nil {
		return nil, err
	}
	e := &encoder{space: s, width: len(features), inner: map[*space.Param]encInner{}}
	known := map[*space.Param]bool{}
	for i := 0; i < len(features); {
		f := features[i]
		known[f.Param] = true
		g := encGroup{from: i, n: 1, active: -1}
		name := f.Name
		switch f.Kind {
		case space.FeatureOneHot:
			if f.Param.Kind != space.KindBool {
				g.n, g.pick = len(f.Param.Labels), true
				name = strings.TrimSuffix(f.Name, fmt.Sprintf("=%v", f.Value))
			}
		case space.FeatureMember, space.FeaturePosition:
			g.n = len(f.Param.Labels)
		}
		i += g.n
		if i < len(features) && features[i].Kind == space.FeatureActive {
			g.active = i
			i++
		}
		if !decisions {
			for _, f := range features[g.from:i] {
				e.columns = append(e.columns, Column{Name: f.Name})
			}
			continue
		}
		e.groups = append(e.groups, g)
		if g.pick {
			e.columns = append(e.columns, Column{Name: name, Levels: g.n})
			continue
		}
		for _, f := range features[g.from : g.from+g.n] {
			e.columns = append(e.columns, Column{Name: f.Name})
		}
	}
	for _, p := range s.Params() {
		switch p.Kind {
		case space.KindGroup, space.KindGrammar, space.KindConst, space.KindRule:
			continue
		}
		if known[p] {
			continue
		}
		e.inner[p] = encInner{at: e.extra, kind: p.Kind}
		switch p.Kind {
		case space.KindCategorical, space.KindChoice, space.KindSubset, space.KindPermutation:
			sign := "="
			switch p.Kind {
			case space.KindSubset:
				sign = "∋"
			case space.KindPermutation:
				sign = "@"
			}
			for _, v := range p.Labels {
				e.columns = append(e.columns, Column{Name: fmt.Sprintf("%s%s%v", p.Path, sign, v)})
			}
			e.extra += len(p.Labels)
		default:
			e.columns = append(e.columns, Column{Name: p.Path})
			e.extra++
		}
	}
	if len(e.columns) == 0 {
		return nil, fmt.Errorf("predict: a space without decisions has nothing to encode")
	}
	return e, nil
}

// Columns implements [Encoder].
func (e *encoder) Columns() []Column { return e.columns }

// Encode implements [Encoder]. A design of another space is an error.
func (e *encoder) Encode(dst []float64, d space.Design) ([]float64, error) {
	if d.Space() != e.space {
		return dst, fmt.Errorf("predict: a design of another space than the encoder's")
	}
	base := len(dst)
	dst, err := e.space.Encode(d, dst)
	if err != nil {
		return dst[:base], err
	}
	if e.groups != nil {
		// A group never has fewer features than columns, so it is done in place.
		x := dst[base:]
		at := 0
		for _, g := range e.groups {
			active := g.active < 0 || x[g.active] != 0
			switch {
			case g.pick:
				option := math.NaN()
				if active {
					for i, v := range x[g.from : g.from+g.n] {
						if v != 0 {
							option = float64(i)
						}
					}
				}
				x[at] = option
				at++
			case active:
				at += copy(x[at:at+g.n], x[g.from:g.from+g.n])
			default:
				for i := range g.n {
					x[at+i] = math.NaN()
				}
				at += g.n
			}
		}
		dst = dst[:base+at]
	}
	if e.extra > 0 {
		dst = e.average(dst, d)
	}
	return dst, nil
}

// average appends the columns of parameters of productions.
func (e *encoder) average(dst []float64, d space.Design) []float64 {
	base := len(dst)
	dst = append(dst, make([]float64, 2*e.extra)...)
	sum, seen := dst[base:base+e.extra], dst[base+e.extra:]
	var buf [64]space.Answer
	var rest []int // items of the permutation that have no place yet
	var subset encSubset
	for _, a := range d.Decisions(buf[:0]) {
		in, ok := e.inner[a.Param]
		if !ok {
			continue
		}
		switch a.Role {
		case space.RolePick:
			if in.kind == space.KindBool {
				sum[in.at] += float64(a.Index)
				seen[in.at]++
				continue
			}
			sum[in.at+a.Index]++
			for i := range a.N {
				seen[in.at+i]++
			}
		case space.RoleSize:
			subset.end(sum, seen)
			subset = encSubset{at: in.at, items: len(a.Param.Labels), left: int(a.Param.Lo) + a.Index}
		case space.RoleInclude:
			if a.Item == 0 && (subset.items == 0 || subset.at != in.at || subset.asked > 0) {
				subset.end(sum, seen)
				subset = encSubset{at: in.at, items: len(a.Param.Labels), left: int(a.Param.Lo)}
			}
			sum[in.at+a.Item] += float64(a.Index)
			subset.left -= a.Index
			subset.asked = a.Item + 1
		case space.RolePlace:
			if a.Item == 0 {
				rest = rest[:0]
				for i := range a.Param.Labels {
					rest = append(rest, i)
				}
			}
			item := rest[a.Index]
			rest = slices.Delete(rest, a.Index, a.Index+1)
			sum[in.at+item] += float64(a.Item) / float64(len(a.Param.Labels)-1)
			seen[in.at+item]++
			if len(rest) == 1 {
				sum[in.at+rest[0]]++
				seen[in.at+rest[0]]++
			}
		default:
			sum[in.at] += a.Unit(a.Index, a.Real)
			seen[in.at]++
		}
	}
	subset.end(sum, seen)
	for i, n := range seen {
		switch {
		case n > 0:
			sum[i] /= n
		case e.groups != nil:
			sum[i] = math.NaN()
		}
	}
	return dst[:base+e.extra]
}

// An encSubset is a subset being read: items that had to be taken, or could
// not be, were not asked for.
type encSubset struct{ at, items, asked, left int }

func (s *encSubset) end(sum, seen []float64) {
	for i := range s.items {
		seen[s.at+i]++
		if i >= s.asked && s.left > 0 {
			sum[s.at+i]++
		}
	}
}
