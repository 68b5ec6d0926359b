package space

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// A Feature names one column of [Space.Encode].
type Feature struct {
	Name  string // "opt=O3", "tile", "unroll?" (1 if active), "net.M→M M" (how often)
	Param *Param // the parameter it speaks of; nil for what is counted about a whole derivation
	Kind  FeatureKind
	Value any // the option of a one-hot column, the item of a subset or permutation
}

// FeatureKind says how to read a feature.
type FeatureKind uint8

// The kinds of feature. All lie in [0, 1] but counts.
const (
	FeatureNumber   FeatureKind = iota + 1 // place of a number or an ordered option on its range
	FeatureOneHot                          // 1 if the option was taken
	FeatureMember                          // 1 if the item is in the subset
	FeaturePosition                        // place of the item in the permutation, 0 first, 1 last
	FeatureActive                          // 1 if the parameter is active
	FeatureCount                           // how often a production occurs in a derivation
)

// ErrNoLayout is returned where a fixed layout of coordinates is needed and
// the space has none: it holds a grammar, or more than 2^20 places.
var ErrNoLayout = errors.New("space: no fixed layout")

const maxLayout = 1 << 20

// A layout gives each place of the space its columns and coordinates.
type layout struct {
	features []Feature
	at       map[uint64]columns // by site
	rules    map[*node]int32    // first column of a grammar's rule
	dims     int
	err      error // why there are no coordinates
}

type columns struct {
	node    *node
	feature int32 // first column
	active  int32 // column of the active flag, -1 if always active
	dim     int32 // first coordinate
}

func newLayout(s *Space) (*layout, error) {
	l := &layout{at: map[uint64]columns{}, rules: map[*node]int32{}}
	if err := l.list(s.root, "", 0, false); err != nil {
		return nil, err
	}
	return l, nil
}

// list adds the columns of a list of nodes. The site is that of the frame, as
// in [walker.step].
func (l *layout) list(nodes []*node, prefix string, site uint64, maybe bool) error {
	for _, n := range nodes {
		name := join(prefix, n.Name)
		maybe := maybe || n.when != nil
		key := site ^ n.seed
		if len(l.features) > maxLayout {
			return fmt.Errorf("%w: more than %d columns", ErrNoLayout, maxLayout)
		}
		switch n.Kind {
		case KindConst:
			continue
		case KindGroup:
			if err := l.list(n.kids[0], name, site, maybe); err != nil {
				return err
			}
			continue
		case KindGrammar:
			l.err = fmt.Errorf("%w: the grammar %s can grow without bound", ErrNoLayout, n.Path)
			l.rule(n, n.kids[0][0])
			continue
		}
		p := columns{node: n, feature: int32(len(l.features)), active: -1, dim: int32(l.dims)}
		add := func(f Feature) {
			f.Param = &n.Param
			l.features = append(l.features, f)
		}
		switch n.Kind {
		case KindSubset:
			for _, v := range n.Labels {
				add(Feature{Name: fmt.Sprintf("%s∋%v", name, v), Kind: FeatureMember, Value: v})
			}
			l.dims += len(n.Labels) + 1
		case KindPermutation:
			for _, v := range n.Labels {
				add(Feature{Name: fmt.Sprintf("%s@%v", name, v), Kind: FeaturePosition, Value: v})
			}
			l.dims += len(n.Labels)
		case KindBool:
			add(Feature{Name: name, Kind: FeatureOneHot, Value: true})
			l.dims++
		case KindCategorical, KindChoice:
			for _, v := range n.Labels {
				add(Feature{Name: fmt.Sprintf("%s=%v", name, v), Kind: FeatureOneHot, Value: v})
			}
			l.dims++
		default:
			add(Feature{Name: name, Kind: FeatureNumber})
			l.dims++
		}
		if maybe {
			p.active = int32(len(l.features))
			add(Feature{Name: name + "?", Kind: FeatureActive})
		}
		l.at[key] = p
		switch n.Kind {
		case KindChoice:
			for i, kids := range n.kids {
				if err := l.list(kids, join(name, n.Labels[i].(string)), site, true); err != nil {
					return err
				}
			}
		case KindRepeat:
			for c := range int(n.Hi) {
				if err := l.list(n.kids[0], fmt.Sprintf("%s[%d]", name, c), mix(key+uint64(c+1)*golden), maybe || c >= int(n.Lo)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// rule adds one count for each production of a grammar, over the whole design:
// nothing depends on where in a derivation it stands.
func (l *layout) rule(grammar, x *node) {
	if _, seen := l.rules[x]; seen {
		return
	}
	l.rules[x] = int32(len(l.features))
	for _, label := range x.Labels {
		l.features = append(l.features, Feature{
			Name: fmt.Sprintf("%s.%s→%v", grammar.Path, x.Name, label), Param: &x.Param, Kind: FeatureCount, Value: label,
		})
	}
	for j := range x.kids {
		for _, k := range x.kids[j][x.with[j]:] {
			l.rule(grammar, k)
		}
	}
}

// Features names the columns of [Space.Encode]. It fails with [ErrNoLayout] if
// there would be more than about a million.
func (s *Space) Features() ([]Feature, error) {
	l, err := s.layout()
	if err != nil {
		return nil, err
	}
	return slices.Clone(l.features), nil
}

// Encode appends the features of the design to dst and returns it, one float64
// for each column that [Space.Features] names. Columns of inactive parameters
// are 0. Parameters of a grammar's productions have no column.
func (s *Space) Encode(d Design, dst []float64) ([]float64, error) {
	l, err := s.layout()
	if err != nil {
		return dst, err
	}
	base := len(dst)
	dst = append(dst, make([]float64, len(l.features))...)
	x := dst[base:]
	w := s.walk()
	defer s.free(w)
	v := s.variation()
	defer s.variations.Put(v)
	v.a = w.scan(d, v.a[:0])
	for i := range v.a {
		st := &v.a[i]
		n := st.node
		if n.Kind == KindRule {
			x[int(l.rules[n])+st.index]++
			continue
		}
		p, ok := l.at[st.key]
		if !ok {
			continue // a parameter of a production
		}
		if p.active >= 0 {
			x[p.active] = 1
		}
		switch n.Kind {
		case KindSubset:
			v.order = readSubset(v.order[:0], n, d.trace[st.start:st.end])
			for _, m := range v.order {
				x[p.feature+m] = 1
			}
		case KindPermutation:
			v.order = readPermutation(v.order[:0], n, d.trace[st.start:st.end])
			for at, m := range v.order {
				x[p.feature+m] = float64(at) / float64(max(len(v.order)-1, 1))
			}
		case KindBool:
			x[p.feature] = float64(st.index)
		case KindCategorical, KindChoice:
			x[int(p.feature)+st.index] = 1
		default:
			x[p.feature] = n.unit(int(st.index), st.real)
		}
	}
	return dst, nil
}

// FromFeatures returns the design whose features are nearest to x, decision by
// decision in walking order: the largest of a one-hot group, the nearest value
// of a number, the largest members of a subset, permutations by position. It
// is the inverse of [Space.Encode] on encoded designs. It fails with
// [ErrNoLayout] on a space with a grammar, whose features do not determine a
// design, and with an [*InfeasibleError] if constraints leave nothing legal.
func (s *Space) FromFeatures(x []float64) (Design, error) {
	l, err := s.layout()
	if err != nil {
		return Design{}, err
	}
	if l.err != nil {
		return Design{}, l.err
	}
	if len(x) != len(l.features) {
		return Design{}, fmt.Errorf("space: %d features; expected %d", len(x), len(l.features))
	}
	w := s.walk()
	defer s.free(w)
	ok := s.guided(w, nil, func() bool {
		n := w.n
		p := l.at[w.key()]
		w.settle()
		switch w.role {
		case RoleReal:
			return w.tryReal(n.realFromU(min(max(x[p.feature], 0), 1)))
		case RoleSize, RoleInclude, RolePlace:
			return w.write(nearestSelection(n, x[p.feature:int(p.feature)+len(n.Labels)]))
		}
		if w.masked && len(w.mask) == 0 { // a range of a wide number
			if w.first > w.last {
				return false
			}
			w.choose(clampInt(n.nearest(x[p.feature]), w.first, w.last))
			return true
		}
		best, score := -1, 0.0
		for i := range w.opts {
			if !w.legal(i) {
				continue
			}
			var v float64
			switch n.Kind {
			case KindBool:
				v = -abs(x[p.feature] - float64(i))
			case KindCategorical, KindChoice:
				v = x[int(p.feature)+i]
			default:
				if !w.masked { // no need to try every one
					w.choose(n.nearest(x[p.feature]))
					return true
				}
				v = -abs(x[p.feature] - n.unit(i, 0))
			}
			if best < 0 || v > score {
				best, score = i, v
			}
		}
		if best < 0 {
			return false
		}
		w.choose(best)
		return true
	})
	if !ok {
		return Design{}, &InfeasibleError{Constraint: w.cause().text()}
	}
	return w.design(), nil
}

// nearestSelection writes the decisions of the subset or permutation whose
// features are nearest to x.
func nearestSelection(n *node, x []float64) []byte {
	order := make([]int32, len(n.Labels))
	for i := range order {
		order[i] = int32(i)
	}
	if n.Kind == KindPermutation {
		slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(x[a], x[b]) })
		return appendPermutation(nil, order)
	}
	slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(x[b], x[a]) })
	size := 0
	for size < n.max && (size < n.min || x[order[size]] >= 0.5) {
		size++
	}
	return appendSubset(nil, n, order[:size])
}

func abs(x float64) float64 { return max(x, -x) }

// Dims returns the number of coordinates of [Space.FromUnit], or
// [ErrNoLayout] if the space has no fixed layout.
func (s *Space) Dims() (int, error) {
	l, err := s.layout()
	if err != nil {
		return 0, err
	}
	return l.dims, l.err
}

// FromUnit maps a point of [0, 1)^Dims to a design: each decision is the
// inverse of its prior's cumulative distribution at its own coordinate,
// whatever the other coordinates are, so that uniform points give designs
// distributed by the prior. Coordinates of inactive parameters are ignored.
// It fails with an [*InfeasibleError] where constraints leave nothing legal.
func (s *Space) FromUnit(u []float64) (Design, error) {
	l, err := s.layout()
	if err != nil {
		return Design{}, err
	}
	if l.err != nil {
		return Design{}, l.err
	}
	if len(u) != l.dims {
		return Design{}, fmt.Errorf("space: %d coordinates; expected %d", len(u), l.dims)
	}
	w := s.walk()
	defer s.free(w)
	ok := s.guided(w, nil, func() bool {
		at := int(l.at[w.key()].dim)
		switch w.role {
		case RoleInclude, RolePlace:
			at += w.item
		case RoleSize:
			at += len(w.n.Labels)
		}
		return w.drawAt(min(max(u[at], 0), 1-1.0/(1<<53)))
	})
	s.count(ok)
	if !ok {
		return Design{}, &InfeasibleError{Constraint: w.cause().text()}
	}
	return w.design(), nil
}
