package supernet

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/space"
)

// A group is channels that every network must keep in one order: those of a value,
// and of all values that are added to it, go through operators that work channel by
// channel, or stand before or behind it in weights.
type group struct {
	size  int
	grain int  // channels that stay together, such as those of an attention head
	fixed bool // something depends on the order
	into  *group
}

func (g *group) root() *group {
	for g.into != nil {
		g = g.into
	}
	return g
}

// A run is the channels of a group in their order, each repeated so many times in a
// row: a feature map that was flattened has height·width numbers for each.
type run struct {
	group *group
	each  int
}

func (r run) size() int { return r.group.root().size * r.each }

// An axisUse is an axis of a weight that runs over channels.
type axisUse struct {
	weight string
	axis   int
	runs   []run
	reads  bool // the channels of an operand that it mixes, as opposed to those it makes
}

// A tracing follows the channels through a network.
type tracing struct {
	uses   []axisUse
	values [][]run
}

func newRun(size int, fixed bool) []run {
	return []run{{&group{size: size, grain: 1, fixed: fixed}, 1}}
}

func fix(runs []run) {
	for _, r := range runs {
		r.group.root().fixed = true
	}
}

// tie makes two lists of channels one. Where they are made of different parts, their
// order is fixed.
func tie(a, b []run) {
	same := slices.EqualFunc(a, b, func(x, y run) bool {
		return x.each == y.each && x.group.root().size == y.group.root().size
	})
	if !same {
		fix(a)
		fix(b)
		return
	}
	for i := range a {
		x, y := a[i].group.root(), b[i].group.root()
		if x == y {
			continue
		}
		x.fixed = x.fixed || y.fixed
		x.grain = lcm(x.grain, y.grain)
		y.into = x
	}
}

// trace finds which axes of which weights run over the same channels.
func trace(g *neural.Graph) *tracing {
	t := &tracing{values: make([][]run, g.Len())}
	for i, n := range g.Nodes() {
		var in []run
		var shape neural.Shape
		if len(n.In) > 0 {
			in, shape = t.values[n.In[0]], g.Node(n.In[0]).Shape
		}
		t.values[i] = t.node(g, i, n, in, shape)
	}
	for _, i := range g.Outputs() {
		fix(t.values[i])
	}
	return t
}

// node follows the channels through an operator and returns those of its result.
func (t *tracing) node(g *neural.Graph, i int, n neural.Node, in []run, shape neural.Shape) []run {
	use := func(k, axis int, runs []run, reads bool) {
		t.uses = append(t.uses, axisUse{g.Weights(i)[k].Name, axis, runs, reads})
	}
	count := len(neural.Tensors(n.Op, shape))
	switch o := n.Op.(type) {
	case neural.Input:
		return newRun(n.Shape.Features(), true)
	case neural.Conv:
		f := o.Full(shape[0])
		var out []run
		switch {
		case f.Groups == 1:
			use(0, 1, in, true)
			out = newRun(f.Out, false)
		case f.Groups == shape[0]: // each channel by itself
			for _, r := range in {
				out = append(out, run{r.group, r.each * (f.Out / shape[0])})
			}
		default:
			fix(in)
			out = newRun(f.Out, true)
		}
		for k := range count {
			use(k, 0, out, false)
		}
		return out
	case neural.Linear:
		use(0, 1, in, true)
		out := newRun(o.Out, false)
		for k := range count {
			use(k, 0, out, false)
		}
		return out
	case neural.BatchNorm, neural.LayerNorm:
		for k := range count {
			use(k, 0, in, false)
		}
		return in
	case neural.Embedding:
		out := newRun(o.Out, false)
		use(0, 1, out, false)
		return out
	case neural.Position, neural.ClassToken:
		use(0, 1, in, false)
		return in
	case neural.Activation, neural.Softmax, neural.MaxPool, neural.AvgPool, neural.GlobalPool, neural.Upsample, neural.Identity,
		neural.Zero, neural.Dropout, neural.DropPath, neural.ToTokens, neural.ToImage:
		return in
	case neural.Flatten:
		var out []run
		switch {
		case shape.Image():
			for _, r := range in {
				out = append(out, run{r.group, r.each * int(shape.Places())})
			}
		case shape.Axes() == 2:
			for range shape[0] {
				out = append(out, in...)
			}
		default:
			out = in
		}
		return out
	case neural.Concat:
		all := slices.Clone(in)
		for _, j := range n.In[1:] {
			if o.Axis != neural.Features {
				tie(in, t.values[j])
				continue
			}
			all = append(all, t.values[j]...)
		}
		return all
	case neural.Slice:
		if o.Axis != neural.Features {
			return in
		}
		_, from, to := o.Range(shape)
		var out []run
		at := 0
		for _, r := range in {
			if at >= from && at+r.size() <= to {
				out = append(out, r)
			} else if at < to && at+r.size() > from { // a part of it
				fix(in)
				return newRun(to-from, true)
			}
			at += r.size()
		}
		return out
	case neural.Add, neural.Multiply:
		for _, j := range n.In[1:] {
			tie(in, t.values[j])
		}
		return in
	case neural.Attention:
		k, v := t.values[n.In[1]], t.values[n.In[2]]
		heads, keyHeads, d, e := o.Dims(shape, g.Node(n.In[1]).Shape, g.Node(n.In[2]).Shape)
		one := len(in) == 1 && len(k) == 1 && len(v) == 1 && in[0].each == 1 && k[0].each == 1 && v[0].each == 1
		if !one || heads != keyHeads || d != e {
			fix(in)
			fix(k)
			fix(v)
			return newRun(n.Shape.Features(), true)
		}
		tie(in, k)
		tie(in, v)
		r := in[0].group.root()
		r.grain = lcm(r.grain, d)
		return in
	}
	for _, j := range n.In {
		fix(t.values[j])
	}
	return newRun(n.Shape.Features(), true)
}

// sortChannels returns the weights of a network with its channels in the order of
// their importance, as far as an axis that runs over them is in widths. There stand
// the sizes of narrower networks that have been trained: their channels stay before
// the others.
func sortChannels(g *neural.Graph, w neural.Weights, widths map[axisOf][]int) (neural.Weights, error) {
	if err := w.Check(g); err != nil {
		return nil, fmt.Errorf("supernet: sorting channels: %w", err)
	}
	shapes := map[string]neural.Shape{}
	for _, t := range g.AllWeights() {
		shapes[t.Name] = t.Shape
	}
	t := trace(g)
	orders := map[*group]*ordering{}
	for _, u := range t.uses {
		for _, r := range u.runs {
			root := r.group.root()
			if orders[root] == nil {
				orders[root] = &ordering{importance: make([]float64, root.size)}
			}
		}
		if sizes, ok := widths[axisOf{u.weight, u.axis}]; ok && len(u.runs) == 1 {
			o := orders[u.runs[0].group.root()]
			o.elastic = true
			for _, n := range sizes {
				if n%u.runs[0].each == 0 {
					o.ends = append(o.ends, n/u.runs[0].each)
				}
			}
		}
		if u.reads {
			s := shapes[u.weight]
			at := 0
			for _, r := range u.runs {
				o := orders[r.group.root()]
				for c := range o.importance {
					for e := range r.each {
						o.importance[c] += magnitude(w[u.weight], s, u.axis, at+c*r.each+e)
					}
				}
				at += r.size()
			}
		}
	}
	out := make(neural.Weights, len(w))
	for name, v := range w {
		out[name] = slices.Clone(v)
	}
	for _, u := range t.uses {
		s := shapes[u.weight]
		var from []int // where the numbers of the axis come from
		moved := false
		for _, r := range u.runs {
			root := r.group.root()
			order := orders[root].order(root)
			at := len(from)
			for i, c := range order {
				moved = moved || i != c
				for e := range r.each {
					from = append(from, at+c*r.each+e)
				}
			}
		}
		if moved {
			out[u.weight] = permute(out[u.weight], s, u.axis, from)
		}
	}
	return out, nil
}

// An ordering is in which order the channels of a group come.
type ordering struct {
	importance []float64
	elastic    bool
	ends       []int // channels before and after one of these stay so
	sorted     []int
}

func (o *ordering) order(g *group) []int {
	if o.sorted != nil {
		return o.sorted
	}
	o.sorted = make([]int, g.size)
	for i := range o.sorted {
		o.sorted[i] = i
	}
	if g.fixed || !o.elastic || g.size%g.grain != 0 {
		return o.sorted
	}
	grains := make([]int, g.size/g.grain)
	weight := make([]float64, len(grains))
	for i := range grains {
		grains[i] = i
		for c := range g.grain {
			weight[i] += o.importance[i*g.grain+c]
		}
	}
	ends := append(slices.Clone(o.ends), g.size)
	slices.Sort(ends)
	from := 0
	for _, end := range ends {
		if end%g.grain != 0 || end/g.grain <= from || end > g.size {
			continue
		}
		slices.SortStableFunc(grains[from:end/g.grain], func(a, b int) int {
			switch {
			case weight[a] > weight[b]:
				return -1
			case weight[a] < weight[b]:
				return 1
			}
			return 0
		})
		from = end / g.grain
	}
	for i, b := range grains {
		for c := range g.grain {
			o.sorted[i*g.grain+c] = b*g.grain + c
		}
	}
	return o.sorted
}

// strides returns how a weight is laid out around an axis: outer pieces, each of the
// axis's size times inner numbers.
func strides(s neural.Shape, axis int) (outer, size, inner int) {
	outer, inner = 1, 1
	for a, n := range s.Sizes() {
		switch {
		case a < axis:
			outer *= n
		case a > axis:
			inner *= n
		}
	}
	return outer, s[axis], inner
}

// magnitude sums the magnitudes of the numbers at one place of an axis.
func magnitude(v []float32, s neural.Shape, axis, at int) (sum float64) {
	outer, size, inner := strides(s, axis)
	for o := range outer {
		for _, x := range v[(o*size+at)*inner:][:inner] {
			sum += math.Abs(float64(x))
		}
	}
	return sum
}

// permute takes the numbers of an axis from other places.
func permute(v []float32, s neural.Shape, axis int, from []int) []float32 {
	outer, size, inner := strides(s, axis)
	w := make([]float32, len(v))
	for o := range outer {
		for i, j := range from {
			copy(w[(o*size+i)*inner:][:inner], v[(o*size+j)*inner:][:inner])
		}
	}
	return w
}

// SortChannels returns weights with the channels of the largest network sorted by
// importance, wherever other networks have fewer of them: the first are those whose
// next weights have the largest sum of magnitudes (Cai et al. 2020, section 3.3). The
// largest network computes what it did. What networks of trained have among their
// channels stays before what they have not; nil stands for the largest network alone.
func (s *Supernet) SortChannels(w neural.Weights, trained *space.Space) (neural.Weights, error) {
	if err := s.elastic("sorting channels"); err != nil {
		return nil, err
	}
	g, err := s.Graph(s.largest)
	if err != nil {
		return nil, err
	}
	if g != s.all {
		return nil, errors.New("supernet: sorting channels: found a family whose largest network does not have all weights")
	}
	widths := s.widths()
	if trained != nil {
		found, err := s.explore(trained)
		if err != nil {
			return nil, err
		}
		for at := range widths {
			widths[at] = found.sizes[at]
		}
	}
	return sortChannels(g, w, widths)
}

// widths has the axes that differ in size among the networks.
func (s *Supernet) widths() map[axisOf][]int {
	widths := map[axisOf][]int{}
	for at, n := range s.sizes {
		if len(n) > 1 {
			widths[at] = nil
		}
	}
	return widths
}
