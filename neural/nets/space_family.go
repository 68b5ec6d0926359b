package nets

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"

	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/space"
)

// A Family is the networks that may be built: a space, and what its designs stand for.
// [Networks] is the only one of this package.
type Family interface {
	Space() *space.Space
	// Graph builds the network of a design of the space, or of a part of it.
	Graph(d space.Design) (*neural.Graph, error)
	// Key is the same for designs whose networks compute the same, however they are
	// written, when each is trained by itself. Networks that share weights need not
	// be the same then: what is equal may have its weights from different places.
	Key(d space.Design) string
	// Label says in a line what the network of a design is.
	Label(d space.Design) string
}

// An Elastic family shares weights: nodes of one name have, in each of its networks, a
// part of the same weight, the first of the features and the centre of the kernel.
type Elastic interface {
	Family
	// Largest and Smallest are the designs with the most and the least
	// multiply-accumulates and parameters.
	Largest() space.Design
	Smallest() space.Design
}

// A Network is a struct of choices that builds a network, such as [OFA].
type Network interface{ Graph() (*neural.Graph, error) }

// Networks is the [Family] of networks whose choices are an X. It does not change, and
// is safe for concurrent use.
type Networks[X Network] struct {
	name  string
	space *space.Space
	read  func(fields) X // from the values of a design
	// write returns the values of the design of a network, and the network with
	// nothing left to defaults and without what it does not use, as read returns it.
	write func(X) (fields, X, error)
	label func(X) string
	class func(X) (neural.Class, error) // nil: of the graph
}

// ElasticNetworks is the [Elastic] family of networks whose choices are an X.
type ElasticNetworks[X Network] struct {
	*Networks[X]
	largest, smallest space.Design
	cover             []space.Design
}

// elastic adds the largest and the smallest network, and others that the largest needs
// to cover all weights. It builds the two, so that what is wrong with all networks of a
// space is found when it is made.
func (n *Networks[X]) elastic(largest, smallest X, others ...X) (*ElasticNetworks[X], error) {
	e := &ElasticNetworks[X]{Networks: n}
	for i, x := range append([]X{smallest, largest}, others...) {
		d, err := n.Design(x)
		if err != nil {
			return nil, err
		}
		if i < 2 {
			if _, err := n.Graph(d); err != nil {
				return nil, err
			}
		}
		switch {
		case i == 0:
			e.smallest = d
			continue
		case i == 1:
			e.largest = d
		}
		if !slices.Contains(e.cover, d) {
			e.cover = append(e.cover, d)
		}
	}
	return e, nil
}

// Largest returns the design with the most multiply-accumulates and parameters.
func (n *ElasticNetworks[X]) Largest() space.Design { return n.largest }

// Smallest returns the design with the least multiply-accumulates and parameters.
func (n *ElasticNetworks[X]) Smallest() space.Design { return n.smallest }

// Cover returns the largest design and others such that each weight of any network of
// the space is a part of one that a network of these has.
func (n *ElasticNetworks[X]) Cover() []space.Design { return slices.Clone(n.cover) }

// Space returns the space.
func (n *Networks[X]) Space() *space.Space { return n.space }

// Choices returns the choices that a design of the space, or of a part of it, stands
// for.
func (n *Networks[X]) Choices(d space.Design) (X, error) {
	if d.Space() != n.space {
		own, err := n.space.Adopt(d)
		if err != nil {
			var none X
			return none, fmt.Errorf("%s: the design belongs to another space: %w", n.name, err)
		}
		d = own
	}
	return n.read(d.Map()), nil
}

// Design returns the design of a network. It fails if the space has no such network.
func (n *Networks[X]) Design(x X) (space.Design, error) {
	values, want, err := n.write(x)
	if err != nil {
		return space.Design{}, fmt.Errorf("%s: %w", n.name, err)
	}
	d, err := n.space.FromMap(values)
	if err != nil {
		return space.Design{}, fmt.Errorf("%s: not a network of the space: %w", n.name, err)
	}
	if at := differs("", reflect.ValueOf(want), reflect.ValueOf(n.read(d.Map()))); at != "" {
		return space.Design{}, fmt.Errorf("%s: not a network of the space: %s", n.name, at)
	}
	return d, nil
}

// Graph builds the network of a design.
func (n *Networks[X]) Graph(d space.Design) (*neural.Graph, error) {
	x, err := n.Choices(d)
	if err != nil {
		return nil, err
	}
	g, err := x.Graph()
	if err != nil {
		return nil, fmt.Errorf("%s: design %s: %w", n.name, d, err)
	}
	return g, nil
}

// Key returns the network's class, which is [neural.Exact]. The key of a design that
// cannot be built is its own.
func (n *Networks[X]) Key(d space.Design) string {
	x, err := n.Choices(d)
	if err == nil {
		var c neural.Class
		if n.class != nil {
			c, err = n.class(x)
		} else {
			var g *neural.Graph
			if g, err = x.Graph(); err == nil {
				c = g.Class(neural.Exact)
			}
		}
		if err == nil {
			return c.String()
		}
	}
	return "design " + d.Hash().String()
}

// Label says in a line what the network of a design is.
func (n *Networks[X]) Label(d space.Design) string {
	x, err := n.Choices(d)
	if err != nil {
		return d.String()
	}
	return n.label(x)
}

// Cost returns what the network of a design costs.
func (n *Networks[X]) Cost(d space.Design) (neural.Cost, error) {
	x, err := n.Choices(d)
	if err != nil {
		return neural.Cost{}, err
	}
	if x, ok := any(x).(interface{ Cost() (neural.Cost, error) }); ok {
		return x.Cost()
	}
	g, err := x.Graph()
	if err != nil {
		return neural.Cost{}, fmt.Errorf("%s: design %s: %w", n.name, d, err)
	}
	return g.Cost(), nil
}

// differs says where a network is not as one of the space would be, or "".
func differs(path string, found, want reflect.Value) string {
	name := func() string {
		if path == "" {
			return "it"
		}
		return path
	}
	switch found.Kind() {
	case reflect.Struct:
		for i := range found.NumField() {
			at := found.Type().Field(i).Name
			if path != "" {
				at = path + "." + at
			}
			if s := differs(at, found.Field(i), want.Field(i)); s != "" {
				return s
			}
		}
	case reflect.Slice, reflect.Array:
		if found.Len() != want.Len() {
			return fmt.Sprintf("%s: found %d, want %d", name(), found.Len(), want.Len())
		}
		for i := range found.Len() {
			if s := differs(fmt.Sprintf("%s[%d]", path, i), found.Index(i), want.Index(i)); s != "" {
				return s
			}
		}
	default:
		if !found.Equal(want) {
			return fmt.Sprintf("%s: found %v, want %v", name(), found, want)
		}
	}
	return ""
}

// fields are the values of a design, or of a group in it. A parameter with one option
// is no parameter: it is not declared, not written, and read as the only option.
type fields map[string]any

func (f fields) number(name string, only float64) float64 {
	if v, ok := f[name].(float64); ok {
		return v
	}
	return only
}

func (f fields) whole(name string, only int) int { return int(f.number(name, float64(only))) }

func (f fields) word(name, only string) string {
	if v, ok := f[name].(string); ok {
		return v
	}
	return only
}

func (f fields) part(name string) fields {
	m, _ := f[name].(map[string]any)
	return m
}

// parts returns the copies of a repeat.
func (f fields) parts(name string) []fields {
	list, _ := f[name].([]any)
	out := make([]fields, len(list))
	for i, v := range list {
		m, _ := v.(map[string]any)
		out[i] = m
	}
	return out
}

// set writes a parameter that has so many options.
func (f fields) set(name string, v any, options int) {
	if options < 2 {
		return
	}
	if n, ok := v.(int); ok {
		v = float64(n)
	}
	f[name] = v
}

// setPart writes a group, unless nothing is in it.
func (f fields) setPart(name string, part fields) {
	if len(part) > 0 {
		f[name] = map[string]any(part)
	}
}

// group declares a group, unless nothing is in it.
func group(name string, nodes []space.Node) []space.Node {
	if len(nodes) == 0 {
		return nil
	}
	return []space.Node{space.Group(name, nodes...)}
}

// level declares a parameter whose options have an order, unless there is only one.
func level[T any](name, doc string, options []T) []space.Node {
	if len(options) < 2 {
		return nil
	}
	return []space.Node{space.Ordinal(name, options...).Doc(doc)}
}

// kind declares a parameter whose options have no order, unless there is only one.
func kind[T any](name, doc string, options []T) []space.Node {
	if len(options) < 2 {
		return nil
	}
	return []space.Node{space.Categorical(name, options...).Doc(doc)}
}

// orOptions returns the options, or those that no options mean.
func orOptions[T any](options []T, zero ...T) []T {
	if len(options) == 0 {
		return zero
	}
	return slices.Clone(options)
}

// ascending reports options that are not numbers from lo to hi, each above the last.
func ascending[T cmp.Ordered](what string, options []T, lo, hi T) error {
	for i, v := range options {
		if v != v || v < lo || v > hi {
			return fmt.Errorf("%s: found %v, want %v to %v", what, v, lo, hi)
		}
		if i > 0 && v <= options[i-1] {
			return fmt.Errorf("%s: found %v after %v, want each above the last", what, v, options[i-1])
		}
	}
	return nil
}

// known reports options that are twice in a list, or not among those that there are.
func known[T comparable](what string, options, all []T) error {
	for i, v := range options {
		if !slices.Contains(all, v) {
			return fmt.Errorf("%s: found %v, want some of %v", what, v, all)
		}
		if slices.Contains(options[:i], v) {
			return fmt.Errorf("%s: found %v twice", what, v)
		}
	}
	return nil
}

// between reports a number that is not from lo to hi.
func between(what string, v, lo, hi int) error {
	if v < lo || v > hi {
		return fmt.Errorf("%s: found %d, want %d to %d", what, v, lo, hi)
	}
	return nil
}

// span reports a range that is no least and most from lo to hi.
func span(what string, v []int, lo, hi int) error {
	if len(v) != 2 || v[0] < lo || v[0] > v[1] || v[1] > hi {
		return fmt.Errorf("%s: found %v, want the least and the most, from %d to %d", what, v, lo, hi)
	}
	return nil
}
