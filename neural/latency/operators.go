package latency

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural"
)

// An Operator is what engines run as one step: a node with the batch normalisation
// and the activation that follow it, if nothing else reads what is between them.
type Operator struct {
	Key  string         // equal for operators that do the same work
	Net  *neural.Graph  // of the operator alone
	MACs int64          // of one example
	Ends []neural.Shape // what goes in, each value once, and what comes out
}

// end returns a network that gives back what it is given: what it takes is what
// values of a shape cost at the two ends of any network, and a run by itself.
func end(s neural.Shape) (Operator, error) {
	b := neural.NewBuilder("ends")
	net, err := b.Build(b.Add(neural.Identity{}, b.Input("x", s)))
	return Operator{Key: endKey(s), Net: net}, err
}

func endKey(s neural.Shape) string { return s.String() + " > identity" }

// ends returns the shapes at the ends of a network.
func ends(g *neural.Graph) (all []neural.Shape) {
	for _, i := range append(g.Inputs(), g.Outputs()...) {
		all = append(all, g.Node(i).Shape)
	}
	return all
}

// Operators returns the operators that a network consists of, in their order. Views
// are none, and what changes no output is left out.
func Operators(g *neural.Graph) ([]Operator, error) {
	g = g.Simplify()
	readers := make([]int, g.Len())
	reader := make([]int, g.Len()) // the last
	for i, n := range g.Nodes() {
		for _, j := range n.In {
			readers[j]++
			reader[j] = i
		}
	}
	for _, i := range g.Outputs() {
		readers[i] += 2 // what is between must not be seen
	}
	taken := make([]bool, g.Len())
	var all []Operator
	for i, n := range g.Nodes() {
		if taken[i] || free(n.Op) {
			continue
		}
		chain := []int{i}
		extend := func(fits func(neural.Op) bool) {
			last := chain[len(chain)-1]
			if readers[last] == 1 && fits(g.Node(reader[last]).Op) {
				chain = append(chain, reader[last])
				taken[reader[last]] = true
			}
		}
		switch n.Op.(type) {
		case neural.Conv, neural.Linear:
			extend(func(o neural.Op) bool { _, ok := o.(neural.BatchNorm); return ok })
		}
		extend(func(o neural.Op) bool { _, ok := o.(neural.Activation); return ok })
		o, err := operator(g, chain)
		if err != nil {
			return nil, fmt.Errorf("latency: network %q: %w", g.Name(), err)
		}
		all = append(all, o)
	}
	return all, nil
}

// free reports operators that take no time: inputs, and views of what is there.
func free(o neural.Op) bool {
	switch o.(type) {
	case neural.Input, neural.Identity, neural.Flatten, neural.Dropout, neural.DropPath:
		return true
	}
	return false
}

// operator makes a network of a chain of nodes.
func operator(g *neural.Graph, chain []int) (Operator, error) {
	var key strings.Builder
	first := g.Node(chain[0])
	b := neural.NewBuilder("operator")
	var values []neural.Value
	var o Operator
	seen := map[int]int{} // operands that are read twice
	for k, j := range first.In {
		if k > 0 {
			key.WriteString(", ")
		}
		if at, ok := seen[j]; ok {
			values = append(values, values[at])
			fmt.Fprintf(&key, "#%d", at+1)
			continue
		}
		seen[j] = k
		in := neural.Input{Shape: g.Node(j).Shape}
		if e, ok := first.Op.(neural.Embedding); ok {
			in.Below = e.Size
		}
		values = append(values, b.Named(fmt.Sprintf("x%d", k+1), in))
		key.WriteString(in.Shape.String())
		o.Ends = append(o.Ends, in.Shape)
	}
	for _, i := range chain {
		n := g.Node(i)
		op := plain(n.Op, g, n)
		attributes, err := json.Marshal(op)
		if err != nil {
			return Operator{}, fmt.Errorf("node %q: %w", n.Name, err)
		}
		fmt.Fprintf(&key, " > %s", n.Op.Kind())
		if s := string(attributes); s != "{}" {
			key.WriteString(" " + s)
		}
		values = []neural.Value{b.Add(op, values...)}
		o.MACs += neural.MACs(op, n.Shape, shapes(g, n)...)
	}
	o.Ends = append(o.Ends, g.Node(chain[len(chain)-1]).Shape)
	net, err := b.Build(values[0])
	if err != nil {
		return Operator{}, fmt.Errorf("node %q as a network of its own: %w", first.Name, err)
	}
	o.Key, o.Net = key.String(), net
	return o, nil
}

func shapes(g *neural.Graph, n neural.Node) (all []neural.Shape) {
	for _, j := range n.In {
		all = append(all, g.Node(j).Shape)
	}
	return all
}

// plain writes an operator's defaults out where the same work can be said in
// several ways.
func plain(o neural.Op, g *neural.Graph, n neural.Node) neural.Op {
	switch o := o.(type) {
	case neural.Conv:
		return o.Full(g.Node(n.In[0]).Shape[0])
	case neural.MaxPool:
		o.Kernel, o.Stride = o.Window()
		return o
	case neural.AvgPool:
		o.Kernel, o.Stride = o.Window()
		return o
	}
	return o
}

// measuringWeights returns weights to measure a network with: those that training
// starts from, the same at every call.
func measuringWeights(g *neural.Graph) neural.Weights {
	return g.Initial(rng.New(0, "latency/weights", 0))
}

// measuringInputs returns a batch to measure a network with: normal numbers, and
// whole ones where the network wants them.
func measuringInputs(g *neural.Graph, batch int) [][]float32 {
	r := rng.New(0, "latency/inputs", 0)
	var all [][]float32
	for _, i := range g.Inputs() {
		n := g.Node(i)
		x := make([]float32, int64(batch)*n.Shape.Elements())
		below := n.Op.(neural.Input).Below
		for k := range x {
			if below > 0 {
				x[k] = float32(r.IntN(below))
			} else {
				x[k] = float32(rng.Norm(r))
			}
		}
		all = append(all, x)
	}
	return all
}
