package supernet

import (
	"container/list"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/nets"
	"github.com/daedalus-search/daedalus/neural/train/engine"
	"github.com/daedalus-search/daedalus/space"
)

// A Supernet is a family whose networks share weights: nodes of one name have the same
// in all of them, or parts of the same, the first of the features and the centre of the
// kernel, or what [Supernet.Transforms] makes of it. It does not have the weights, but
// knows which there are. It is safe for concurrent use.
type Supernet struct {
	family   nets.Family
	all      *neural.Graph
	sizes    map[axisOf][]int // of the axes of weights in the networks of the family
	largest  space.Design     // zero of families that are not elastic
	smallest space.Design
	first    space.Design // any

	mu     sync.Mutex
	recent *list.List // of entry, the last used first
	graphs map[space.Design]*list.Element
}

// cached is how many graphs a Supernet keeps: a few tens of kilobytes each.
const cached = 4096

type entry struct {
	design space.Design
	graph  *neural.Graph
}

// New returns the supernet of a family. To learn what weights there are it looks at
// random networks and at those one decision away from the ends of the space, so a
// weight must not need several rare decisions at once to appear or to be its largest.
//
// Families that are [nets.Elastic] have a largest and a smallest network, which
// sandwiches, distillation and shrinking need. Others, such as cells, train by
// [Uniform] or [Fair] paths.
func New(f nets.Family) (*Supernet, error) {
	s := &Supernet{family: f, recent: list.New(), graphs: map[space.Design]*list.Element{}}
	if e, ok := f.(nets.Elastic); ok {
		s.largest, s.smallest = e.Largest(), e.Smallest()
	}
	found, err := s.explore(f.Space())
	if err != nil {
		return nil, err
	}
	s.sizes, s.first = found.sizes, found.first
	if s.all, err = s.union(found); err != nil {
		return nil, fmt.Errorf("supernet: %w", err)
	}
	return s, nil
}

// elastic reports a family without a largest network, for what needs one.
func (s *Supernet) elastic(what string) error {
	if s.largest.IsZero() {
		return fmt.Errorf("supernet: %s needs the largest and the smallest network, which a family of %T does not name", what, s.family)
	}
	return nil
}

// Space returns the space of the family.
func (s *Supernet) Space() *space.Space { return s.family.Space() }

// Largest and Smallest return the designs that compute the most and the least, or zero
// designs if the family is not elastic.
func (s *Supernet) Largest() space.Design { return s.largest }

// Smallest is the other end of [Supernet.Largest].
func (s *Supernet) Smallest() space.Design { return s.smallest }

// All returns a network with the weights of all networks of the family: the largest,
// where its weights hold those of all others, or else one that computes nothing of
// meaning but has each weight under its name.
func (s *Supernet) All() *neural.Graph { return s.all }

// Graph returns the network of a design. The same design returns the same graph while
// it is among the last few thousand that were used.
func (s *Supernet) Graph(d space.Design) (*neural.Graph, error) {
	s.mu.Lock()
	if e, ok := s.graphs[d]; ok {
		s.recent.MoveToFront(e)
		g := e.Value.(entry).graph
		s.mu.Unlock()
		return g, nil
	}
	s.mu.Unlock()
	g, err := s.build(d)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.graphs[d]; ok { // someone else was faster
		return e.Value.(entry).graph, nil
	}
	s.graphs[d] = s.recent.PushFront(entry{d, g})
	if s.recent.Len() > cached {
		delete(s.graphs, s.recent.Remove(s.recent.Back()).(entry).design)
	}
	return g, nil
}

func (s *Supernet) build(d space.Design) (*neural.Graph, error) {
	g, err := s.family.Graph(d)
	if err != nil {
		return nil, fmt.Errorf("supernet: design %s: %w", d, err)
	}
	return g, nil
}

// own returns the design of the family's space that a design of a part of it is.
func (s *Supernet) own(d space.Design) (space.Design, error) {
	if d.Space() == s.Space() {
		return d, nil
	}
	return s.Space().Adopt(d)
}

// A discovery is the weights of a space's networks.
type discovery struct {
	first space.Design
	nodes []string             // with weights, in the order in which they were found
	kept  map[string]graphNode // the node with the largest weights
	sizes map[axisOf][]int     // of the axes of weights
}

// An axisOf is an axis of a weight.
type axisOf struct {
	weight string
	axis   int
}

type graphNode struct {
	g       *neural.Graph
	i       int
	numbers int64 // of its weights
}

// still is how many networks in a row have nothing new when exploring ends to draw.
const still = 64

// explore finds the sizes of all weights of a part of the family's space: in networks
// drawn at random until none has anything new, and then in those one decision away from
// the ends of the space, and from what is still new among these.
func (s *Supernet) explore(part *space.Space) (*discovery, error) {
	found := &discovery{kept: map[string]graphNode{}, sizes: map[axisOf][]int{}}
	seen := map[space.Design]bool{}
	look := func(d space.Design) (news bool, err error) {
		if seen[d] {
			return false, nil
		}
		seen[d] = true
		o, err := s.own(d)
		if err != nil {
			return false, err
		}
		g, err := s.build(o)
		if err != nil {
			return false, err
		}
		return found.add(g), nil
	}
	r := rng.New(0, "supernet/explore", 0)
	var queue []space.Design
	for same := 0; same < still; same++ {
		d, err := part.Sample(r)
		if err != nil {
			return nil, err
		}
		news, err := look(d)
		if err != nil {
			return nil, err
		}
		if len(queue) == 0 {
			queue = append(queue, d)
			if found.first, err = s.own(d); err != nil {
				return nil, err
			}
		}
		if news {
			same = 0
		}
	}
	if !s.largest.IsZero() {
		for _, end := range []space.Design{s.largest, s.smallest} {
			d, err := part.Adopt(end)
			if err != nil { // a part need not have the ends
				continue
			}
			if _, err := look(d); err != nil {
				return nil, err
			}
			queue = append(queue, d)
		}
	}
	for len(queue) > 0 {
		d := queue[0]
		queue = queue[1:]
		for n := range part.Neighbors(d) {
			news, err := look(n)
			if err != nil {
				return nil, err
			}
			if news {
				queue = append(queue, n)
			}
		}
	}
	return found, nil
}

// add reports whether a network has weights that are new: of a name, of a size, or more
// numbers than were seen.
func (f *discovery) add(g *neural.Graph) (news bool) {
	for i, n := range g.Nodes() {
		numbers := int64(0)
		for _, t := range g.Weights(i) {
			numbers += t.Shape.Elements()
			for a, size := range t.Shape.Sizes() {
				if at := (axisOf{t.Name, a}); !slices.Contains(f.sizes[at], size) {
					f.sizes[at] = append(f.sizes[at], size)
					news = true
				}
			}
		}
		if numbers == 0 {
			continue
		}
		k, ok := f.kept[n.Name]
		if !ok {
			f.nodes = append(f.nodes, n.Name)
		}
		if numbers > k.numbers {
			f.kept[n.Name] = graphNode{g, i, numbers}
			news = true
		}
	}
	return news
}

// union returns the largest network if its weights hold all that were found, or a
// network of all nodes with weights, each on an input of its own.
func (s *Supernet) union(f *discovery) (*neural.Graph, error) {
	for _, name := range f.nodes {
		k := f.kept[name]
		for _, t := range k.g.Weights(k.i) {
			for a, size := range t.Shape.Sizes() {
				if n := slices.Max(f.sizes[axisOf{t.Name, a}]); n > size {
					return nil, fmt.Errorf("weight %q is %s in the network where it has the most numbers, but axis %d is %d in another: give the nodes different names", t.Name, t.Shape, a+1, n)
				}
			}
			if _, more := f.sizes[axisOf{t.Name, t.Shape.Axes()}]; more {
				return nil, fmt.Errorf("weight %q has %d axes in one network and more in another: give the nodes different names", t.Name, t.Shape.Axes())
			}
		}
	}
	if !s.largest.IsZero() {
		largest, err := s.Graph(s.largest)
		if err != nil {
			return nil, err
		}
		has := map[string]neural.Shape{}
		for _, t := range largest.AllWeights() {
			has[t.Name] = t.Shape
		}
		whole := true
		for _, name := range f.nodes {
			k := f.kept[name]
			for _, t := range k.g.Weights(k.i) {
				whole = whole && has[t.Name] == t.Shape
			}
		}
		if whole {
			return largest, nil
		}
	}
	root := &branch{}
	for _, name := range f.nodes {
		root.put(strings.Split(name, "/"), f.kept[name])
	}
	b := neural.NewBuilder("supernet")
	var outputs []neural.Value
	root.build(b, &outputs)
	return b.Build(outputs...)
}

// A branch is a block of a network of nodes that are not connected.
type branch struct {
	name  string
	parts []*branch
	node  *graphNode
}

func (t *branch) put(path []string, n graphNode) {
	if len(path) == 0 {
		t.node = &n
		return
	}
	i := slices.IndexFunc(t.parts, func(p *branch) bool { return p.name == path[0] })
	if i < 0 {
		i = len(t.parts)
		t.parts = append(t.parts, &branch{name: path[0]})
	}
	t.parts[i].put(path[1:], n)
}

func (t *branch) build(b *neural.Builder, outputs *[]neural.Value) {
	for _, p := range t.parts {
		if p.node == nil {
			b.Block(p.name, "", func() { p.build(b, outputs) })
			continue
		}
		n := p.node.g.Node(p.node.i)
		var in []neural.Value
		for _, j := range n.In { // operators with weights have one operand
			in = append(in, b.Named(p.name+" operand", neural.Input{Shape: p.node.g.Node(j).Shape}))
		}
		*outputs = append(*outputs, b.Named(p.name, n.Op, in...))
	}
}

// Initial returns weights to start from: those of [neural.Graph.Initial]. If residual
// is set, the normalisations that end a residual branch of the largest network start
// with scales of 0, so that every block starts as the identity (Goyal et al. 2017,
// section 5.1; Yu et al. 2020, section 3.1).
func (s *Supernet) Initial(r *rand.Rand, residual bool) (neural.Weights, error) {
	w := s.all.Initial(r)
	if residual {
		if err := s.elastic("a start of residual branches at 0"); err != nil {
			return nil, err
		}
		g, err := s.Graph(s.largest)
		if err != nil {
			return nil, err
		}
		for _, name := range branchEnds(g) {
			clear(w[name])
		}
	}
	return w, nil
}

// Transforms returns weights with the matrices of [engine.KernelTransforms] among them:
// for each depthwise convolution of a kernel of 5 or more one for each step to a smaller
// kernel, which all its channels share (Cai et al. 2020, section 3.3). Those that are
// there stay, others are identities, with which all networks compute what they did.
// Parameters of these weights learn them, in [Train] and wherever they are used.
func (s *Supernet) Transforms(w neural.Weights) (neural.Weights, error) {
	out := engine.KernelTransforms(s.all)
	if len(out) == 0 {
		return nil, fmt.Errorf("supernet: transformations of kernels: found no depthwise convolution of a kernel of 5 or more in a family of %T", s.family)
	}
	maps.Copy(out, w)
	return out, nil
}

// branchEnds returns the scales of the batch normalisations that a sum adds to one of
// the values they depend on.
func branchEnds(g *neural.Graph) (scales []string) {
	depends := func(i, on int) bool {
		reached := make([]bool, i+1)
		reached[i] = true
		for k := i; k > on; k-- {
			if reached[k] {
				for _, j := range g.Node(k).In {
					reached[j] = true
				}
			}
		}
		return i > on && reached[on]
	}
	for _, n := range g.Nodes() {
		if _, ok := n.Op.(neural.Add); !ok {
			continue
		}
		for _, i := range n.In {
			end := i
			for {
				switch g.Node(end).Op.(type) {
				case neural.DropPath, neural.Dropout, neural.Identity:
					end = g.Node(end).In[0]
					continue
				}
				break
			}
			if o, ok := g.Node(end).Op.(neural.BatchNorm); ok && !o.Plain && slices.ContainsFunc(n.In, func(j int) bool { return depends(end, j) }) {
				scales = append(scales, g.Node(end).Name+"/scale")
			}
		}
	}
	return scales
}
