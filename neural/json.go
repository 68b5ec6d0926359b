package neural

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
)

// format is what files begin with.
const format = "daedalus-network/1"

// file is a network in JSON.
type file struct {
	Format  string      `json:"format"`
	Name    string      `json:"name"`
	Blocks  []fileBlock `json:"blocks,omitempty"`
	Nodes   []fileNode  `json:"nodes"`
	Outputs []string    `json:"outputs"`
}

// fileBlock is a block that says what it is; others follow from the names.
type fileBlock struct {
	Name  string `json:"name"`
	Label string `json:"label"`
}

type fileNode struct {
	Name  string          `json:"name"`
	Op    string          `json:"op"`
	Set   json.RawMessage `json:"set,omitempty"` // the attributes that are not 0
	In    []string        `json:"in,omitempty"`
	Shape Shape           `json:"shape"` // checked on reading
}

// MarshalJSON writes the network, a line for each node. [Parse] reads it.
func (g *Graph) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	line := func(indent string, v any, last bool) error {
		text, err := json.Marshal(v)
		b.WriteString(indent)
		b.Write(text)
		if !last {
			b.WriteByte(',')
		}
		b.WriteByte('\n')
		return err
	}
	title, err := json.Marshal(g.name)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(&b, "{\n  \"format\": %q,\n  \"name\": %s,\n", format, title)
	if labelled := slices.DeleteFunc(slices.Clone(g.blocks), func(b Block) bool { return b.Label == "" }); len(labelled) > 0 {
		b.WriteString("  \"blocks\": [\n")
		for i, x := range labelled {
			if err := line("    ", fileBlock{x.Name, x.Label}, i == len(labelled)-1); err != nil {
				return nil, err
			}
		}
		b.WriteString("  ],\n")
	}
	b.WriteString("  \"nodes\": [\n")
	for i, n := range g.nodes {
		f := fileNode{Name: n.Name, Op: n.Op.Kind(), Shape: n.Shape}
		for _, j := range n.In {
			f.In = append(f.In, g.nodes[j].Name)
		}
		set, err := json.Marshal(n.Op)
		if err != nil {
			return nil, fmt.Errorf("node %q: %w", n.Name, err)
		}
		if string(set) != "{}" {
			f.Set = set
		}
		if err := line("    ", f, i == len(g.nodes)-1); err != nil {
			return nil, err
		}
	}
	out := make([]string, len(g.outputs))
	for i, j := range g.outputs {
		out[i] = g.nodes[j].Name
	}
	ends, err := json.Marshal(out)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(&b, "  ],\n  \"outputs\": %s\n}\n", ends)
	return b.Bytes(), nil
}

// Write writes what MarshalJSON returns.
func (g *Graph) Write(w io.Writer) error {
	text, err := g.MarshalJSON()
	if err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
}

// UnmarshalJSON sets a new Graph to what [Parse] reads.
func (g *Graph) UnmarshalJSON(text []byte) error {
	read, err := Parse(text)
	if err != nil {
		return err
	}
	*g = *read
	return nil
}

// Parse reads what MarshalJSON writes. Everything is checked as if the network was
// built anew; an error names the node.
func Parse(text []byte) (*Graph, error) {
	var f file
	if err := decode(text, &f); err != nil {
		return nil, fmt.Errorf("network: %w", err)
	}
	if f.Format != format {
		return nil, fmt.Errorf("network: found the format %q, want %q", f.Format, format)
	}
	if len(f.Nodes) > MaxNodes {
		return nil, fmt.Errorf("network %q: found %d nodes, want at most %d", f.Name, len(f.Nodes), MaxNodes)
	}
	b := NewBuilder(f.Name)
	labels := map[string]string{}
	for _, x := range f.Blocks {
		if _, twice := labels[x.Name]; twice || x.Label == "" {
			b.Errorf("block %q: found a second entry or an empty label", x.Name)
		}
		labels[x.Name] = x.Label
	}
	values := make(map[string]Value, len(f.Nodes))
	rest := f.Nodes
	b.read(&rest, "", 0, labels, values)
	for _, name := range sortedKeys(labels) {
		b.Errorf("block %q: found a label, but no node in it", name)
	}
	out := make([]Value, len(f.Outputs))
	for i, name := range f.Outputs {
		v, ok := values[name]
		if !ok {
			b.Errorf("output %q: there is no such node", name)
		}
		out[i] = v
	}
	return b.Build(out...)
}

func sortedKeys(m map[string]string) (keys []string) {
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// maxDepth is how deep blocks can stand in each other.
const maxDepth = 32

// read adds the nodes at the beginning of rest that belong to a block, and removes
// them from rest. What it reads of labels it removes too.
func (b *Builder) read(rest *[]fileNode, block string, depth int, labels map[string]string, values map[string]Value) {
	for len(*rest) > 0 {
		n := (*rest)[0]
		inside, ok := strings.CutPrefix(n.Name, block)
		if !ok {
			return
		}
		if part, _, deeper := strings.Cut(inside, "/"); deeper {
			if depth == maxDepth {
				b.Errorf("node %.80q: blocks in blocks more than %d deep", n.Name, maxDepth)
				*rest = (*rest)[1:]
				continue
			}
			path := block + part
			label := labels[path]
			delete(labels, path)
			b.Block(part, label, func() { b.read(rest, path+"/", depth+1, labels, values) })
			continue
		}
		*rest = (*rest)[1:]
		b.readNode(n, inside, values)
	}
}

func (b *Builder) readNode(n fileNode, name string, values map[string]Value) {
	fail := func(err error) { b.errs = append(b.errs, &NodeError{n.Name, n.Op, err}) }
	o, err := parseOp(n.Op, n.Set)
	if err != nil {
		fail(err)
		return
	}
	in := make([]Value, len(n.In))
	for i, from := range n.In {
		v, ok := values[from]
		if !ok {
			fail(fmt.Errorf("operand %q: there is no such node before it", from))
			return
		}
		in[i] = v
	}
	v := b.Named(name, o, in...)
	if s := b.Shape(v); v != 0 && s != n.Shape {
		fail(fmt.Errorf("found the shape %s in the file, want %s", n.Shape, s))
	}
	if _, twice := values[n.Name]; !twice {
		values[n.Name] = v
	}
}

// parseOp reads an operator.
func parseOp(kind string, set json.RawMessage) (Op, error) {
	zero, ok := kinds[kind]
	if !ok {
		return nil, fmt.Errorf("found the operator %q, want one of %s", kind, strings.Join(featureKinds, ", "))
	}
	p := reflect.New(reflect.TypeOf(zero))
	if len(set) > 0 {
		if err := decode(set, p.Interface()); err != nil {
			return nil, fmt.Errorf("set: %w", err)
		}
	}
	return p.Elem().Interface().(Op), nil
}

// decode reads one JSON value and nothing else, with no fields that do not exist.
func decode(text []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		var bad *json.SyntaxError
		if errors.As(err, &bad) {
			return fmt.Errorf("line %d: %w", 1+bytes.Count(text[:min(int(bad.Offset), len(text))], []byte("\n")), err)
		}
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("found more after the end")
	}
	return nil
}
