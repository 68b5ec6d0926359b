// Package onnx writes networks as ONNX files, which other programs run.
//
//	err := onnx.Write(f, g, weights, onnx.Options{FoldBatchNorm: true})
//
// A file holds one example or many: the first axis of inputs and outputs, "batch",
// has any size. Inputs and outputs bear the names of their nodes, weights those of
// [neural.Graph.AllWeights]. Inputs of whole numbers are int64, all else is
// float32. A network is written as it is; [neural.Graph.Simplify] it first for a
// faster file.
//
// The files need ONNX 1.12 (operator set 17, format 8) or later. They are written
// field by field with protobuf's wire format, without generated code.
package onnx

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/daedalus-search/daedalus/neural"
)

// Versions of what is written.
const (
	OpSet     = 17 // of the operators
	irVersion = 8  // of the file format, that which came with them
)

// Options say how a network is written. The zero value writes it node by node.
type Options struct {
	// FoldBatchNorm multiplies a batch normalisation into the convolution or linear
	// operator before it, if nothing else reads that. It is then not in the file.
	FoldBatchNorm bool
}

// maxBytes is the largest file that protobuf's readers take.
const maxBytes = math.MaxInt32

// Write writes a network with its weights.
func Write(w io.Writer, g *neural.Graph, weights neural.Weights, o Options) error {
	file, err := Marshal(g, weights, o)
	if err != nil {
		return err
	}
	_, err = w.Write(file)
	return err
}

// Marshal returns what [Write] writes.
func Marshal(g *neural.Graph, weights neural.Weights, o Options) ([]byte, error) {
	if err := weights.Check(g); err != nil {
		return nil, fmt.Errorf("onnx: network %q: %w", g.Name(), err)
	}
	bytes := int64(0)
	for _, t := range g.AllWeights() {
		bytes += 4 * t.Shape.Elements()
	}
	if bytes > maxBytes {
		return nil, fmt.Errorf("onnx: network %q: found weights of %d bytes, want at most %d, the most a file can hold", g.Name(), bytes, maxBytes)
	}
	e := &exporter{g: g, weights: weights, names: make([]string, g.Len()), folded: make([]int, g.Len())}
	for i := range e.folded {
		e.folded[i] = -1
	}
	if o.FoldBatchNorm {
		e.findFolds()
	}
	for i := range g.Len() {
		if err := e.export(i); err != nil {
			n := g.Node(i)
			return nil, fmt.Errorf("onnx: network %q: %w", g.Name(), &neural.NodeError{Node: n.Name, Op: n.Op.String(), Err: err})
		}
	}
	e.graph = e.graph.text(2, cmp.Or(g.Name(), "network")) // which ONNX wants to have one
	seen := map[int]bool{}
	for k, i := range g.Outputs() {
		n := g.Node(i)
		name := n.Name
		if e.names[i] != name || seen[i] || e.isInput(i) { // another node's result, or one that is returned twice
			from := e.float(i)
			if name = n.Name; seen[i] || e.isInput(i) {
				name = fmt.Sprintf("%s/output%d", n.Name, k+1)
			}
			e.node("Identity", name, []string{from})
		}
		seen[i] = true
		e.graph = e.graph.bytes(12, value(name, float32Type, n.Shape.Sizes()))
	}
	file := message{}.int(1, irVersion).text(2, "daedalus").bytes(7, e.graph).bytes(8, message{}.text(1, "").int(2, OpSet))
	if len(file) > maxBytes {
		return nil, fmt.Errorf("onnx: network %q: found a file of %d bytes, want at most %d", g.Name(), len(file), maxBytes)
	}
	return file, nil
}

// exporter collects the fields of a GraphProto.
type exporter struct {
	g       *neural.Graph
	weights neural.Weights
	graph   message
	names   []string // of the value that holds each node's result
	folded  []int    // the batch normalisation that went into a node, or −1
}

// findFolds finds the batch normalisations that can go into the node before them.
func (e *exporter) findFolds() {
	readers := make([]int, e.g.Len())
	for _, n := range e.g.Nodes() {
		for _, j := range n.In {
			readers[j]++
		}
	}
	for _, i := range e.g.Outputs() {
		readers[i]++
	}
	for i, n := range e.g.Nodes() {
		if _, ok := n.Op.(neural.BatchNorm); !ok || readers[n.In[0]] > 1 {
			continue
		}
		switch e.g.Node(n.In[0]).Op.(type) {
		case neural.Conv, neural.Linear:
			e.folded[n.In[0]] = i
		}
	}
}

// node adds a node with one output, which it returns.
func (e *exporter) node(op, output string, inputs []string, attributes ...attribute) string {
	var m message
	for _, in := range inputs {
		m = m.text(1, in)
	}
	m = m.text(2, output).text(3, output).text(4, op)
	for _, a := range attributes {
		m = m.bytes(5, a)
	}
	e.graph = e.graph.bytes(1, m)
	return output
}

// floats and integers add an initializer, whose name they return.
func (e *exporter) floats(name string, v []float32, dims ...int) string {
	e.graph = e.graph.bytes(5, tensor(name, float32Type, dims, floatBytes(v)))
	return name
}

func (e *exporter) integers(name string, v ...int) string {
	e.graph = e.graph.bytes(5, tensor(name, int64Type, []int{len(v)}, intBytes(v)))
	return name
}

func (e *exporter) isInput(i int) bool {
	_, ok := e.g.Node(i).Op.(neural.Input)
	return ok
}

// float returns the value that holds a node's result as floats.
func (e *exporter) float(i int) string {
	n := e.g.Node(i)
	if in, ok := n.Op.(neural.Input); ok && in.Below > 0 {
		return n.Name + "/float"
	}
	return e.names[i]
}

// affine returns a batch normalisation at inference as factor and summand of each
// feature.
func (e *exporter) affine(i int) (factor, summand []float64) {
	n := e.g.Node(i)
	c := e.g.Node(n.In[0]).Shape.Features()
	factor, summand = make([]float64, c), make([]float64, c)
	mean, variance := e.weights[n.Name+"/mean"], e.weights[n.Name+"/variance"]
	for k := range c {
		factor[k] = 1 / math.Sqrt(float64(variance[k])+neural.Epsilon)
		if !n.Op.(neural.BatchNorm).Plain {
			factor[k] *= float64(e.weights[n.Name+"/scale"][k])
			summand[k] = float64(e.weights[n.Name+"/shift"][k])
		}
		summand[k] -= float64(factor[k] * float64(mean[k]))
	}
	return factor, summand
}

// mixing returns the weight and bias of a convolution or linear operator, with
// what is folded into it; the bias is nil if there is none.
func (e *exporter) mixing(i, out int, bias bool) (w, b []float32) {
	n := e.g.Node(i)
	w = e.weights[n.Name+"/weight"]
	if bias {
		b = e.weights[n.Name+"/bias"]
	}
	if e.folded[i] < 0 {
		return w, b
	}
	factor, summand := e.affine(e.folded[i])
	w = slices.Clone(w)
	each := len(w) / out
	folded := make([]float32, out)
	for k := range out {
		for j := range each {
			w[k*each+j] = float32(float64(w[k*each+j]) * factor[k])
		}
		if b != nil {
			summand[k] += float64(float64(b[k]) * factor[k])
		}
		folded[k] = float32(summand[k])
	}
	return w, folded
}

// export writes the node of a network.
func (e *exporter) export(i int) error {
	n := e.g.Node(i)
	name := n.Name
	e.names[i] = name
	if in, ok := n.Op.(neural.Input); ok {
		e.input(i, in)
		return nil
	}
	var in []string
	for _, j := range n.In {
		in = append(in, e.float(j))
	}
	s := e.g.Node(n.In[0]).Shape
	x := in[0]
	add := func(op string, attributes ...attribute) { e.node(op, name, in, attributes...) }

	switch o := n.Op.(type) {
	case neural.Conv:
		e.conv(i, o, x, s)
	case neural.Linear:
		e.linear(i, o, x, s)
	case neural.BatchNorm:
		if e.folded[n.In[0]] == i {
			e.names[i] = e.names[n.In[0]]
			return nil
		}
		e.batchNorm(i, o, x, s)
	case neural.LayerNorm:
		weights := func(x string) []string {
			c := s.Features()
			return []string{x, e.floats(name+"/scale", e.weights[name+"/scale"], c), e.floats(name+"/shift", e.weights[name+"/shift"], c)}
		}
		how := []attribute{integer("axis", -1), float("epsilon", neural.Epsilon)}
		if !s.Image() {
			e.node("LayerNormalization", name, weights(x), how...)
			return nil
		}
		last := e.node("Transpose", name+"/last", in, ints("perm", 0, 2, 3, 1))
		y := e.node("LayerNormalization", name+"/normed", weights(last), how...)
		e.node("Transpose", name, []string{y}, ints("perm", 0, 3, 1, 2))
	case neural.Activation:
		return e.activation(name, x, o.Func)
	case neural.Softmax:
		add("Softmax", integer("axis", featureAxis(s)))
	case neural.MaxPool:
		k, stride := o.Window()
		add("MaxPool", window(k, k, stride, stride, 1, o.Pad)...)
	case neural.AvgPool:
		k, stride := o.Window()
		add("AveragePool", append(window(k, k, stride, stride, 1, o.Pad), integer("count_include_pad", 0))...)
	case neural.GlobalPool:
		axes := ints("axes", 1)
		if s.Image() {
			axes = ints("axes", 2, 3)
		}
		add("ReduceMean", axes, integer("keepdims", 0))
	case neural.Upsample:
		f := float32(n.Shape[1] / s[1])
		scales := e.floats(name+"/scales", []float32{1, 1, f, f}, 4)
		e.node("Resize", name, []string{x, "", scales}, text("mode", "nearest"), text("coordinate_transformation_mode", "asymmetric"), text("nearest_mode", "floor"))
	case neural.Identity, neural.Dropout, neural.DropPath:
		e.names[i] = x
	case neural.Flatten:
		e.reshape(name, x, n.Shape[0])
	case neural.ToTokens:
		y := e.reshape(name+"/pixels", x, s[0], s[1]*s[2])
		e.node("Transpose", name, []string{y}, ints("perm", 0, 2, 1))
	case neural.ToImage:
		y := e.node("Transpose", name+"/pixels", in, ints("perm", 0, 2, 1))
		e.reshape(name, y, n.Shape.Sizes()...)
	case neural.Shuffle:
		groups := o.Groups
		if groups == 0 {
			groups = 2
		}
		y := e.reshape(name+"/grouped", x, groups, s[0]/groups, s[1], s[2])
		y = e.node("Transpose", name+"/dealt", []string{y}, ints("perm", 0, 2, 1, 3, 4))
		e.reshape(name, y, n.Shape.Sizes()...)
	case neural.Zero:
		if o.Stride > 1 {
			x = e.node("Slice", name+"/pixels", []string{x, e.integers(name+"/from", 0, 0), e.integers(name+"/to", s[1], s[2]), e.integers(name+"/axes", 2, 3), e.integers(name+"/steps", o.Stride, o.Stride)})
		}
		e.node("Mul", name, []string{x, e.floats(name+"/zero", []float32{0})})
	case neural.Slice:
		axis, from, to := o.Range(s)
		e.node("Slice", name, []string{x, e.integers(name+"/from", from), e.integers(name+"/to", to), e.integers(name+"/axes", axis+1)})
	case neural.Add:
		if len(in) == 2 {
			add("Add")
		} else {
			add("Sum")
		}
	case neural.Multiply:
		if s.Image() && e.g.Node(n.In[1]).Shape != s {
			in[1] = e.reshape(name+"/factors", in[1], s[0], 1, 1)
		} else if s.Axes() == 2 && e.g.Node(n.In[1]).Shape != s {
			in[1] = e.reshape(name+"/factors", in[1], 1, s[1])
		}
		add("Mul")
	case neural.Concat:
		add("Concat", integer("axis", o.Index(s)+1))
	case neural.Attention:
		e.attention(i, o, in)
	case neural.Embedding:
		ids := e.names[n.In[0]]
		if in, ok := e.g.Node(n.In[0]).Op.(neural.Input); !ok || in.Below == 0 {
			ids = e.node("Cast", name+"/numbers", []string{x}, integer("to", int64Type))
		}
		e.node("Gather", name, []string{e.floats(name+"/weight", e.weights[name+"/weight"], o.Size, o.Out), ids})
	case neural.Position:
		e.node("Add", name, []string{x, e.floats(name+"/weight", e.weights[name+"/weight"], s.Sizes()...)})
	case neural.ClassToken:
		count := n.Shape[0] - s[0]
		w := e.floats(name+"/weight", e.weights[name+"/weight"], 1, count, s[1])
		batch := e.node("Shape", name+"/batch", in, integer("start", 0), integer("end", 1))
		size := e.node("Concat", name+"/size", []string{batch, e.integers(name+"/ones", 1, 1)}, integer("axis", 0))
		tokens := e.node("Expand", name+"/tokens", []string{w, size})
		e.node("Concat", name, []string{tokens, x}, integer("axis", 1))
	default:
		return errors.New("the operator is not supported")
	}
	return nil
}

func (e *exporter) input(i int, in neural.Input) {
	name := e.g.Node(i).Name
	kind := int64(float32Type)
	if in.Below > 0 {
		kind = int64Type
	}
	e.graph = e.graph.bytes(11, value(name, kind, in.Shape.Sizes()))
	if in.Below == 0 {
		return
	}
	read := slices.Contains(e.g.Outputs(), i)
	for _, n := range e.g.Nodes() {
		if _, ok := n.Op.(neural.Embedding); !ok {
			read = read || slices.Contains(n.In, i)
		}
	}
	if read {
		e.node("Cast", name+"/float", []string{name}, integer("to", float32Type))
	}
}

// featureAxis returns the axis of the features, with the batch as the first.
func featureAxis(s neural.Shape) int {
	if s.Image() {
		return 1
	}
	return -1
}

// reshape gives a value other axes after the batch.
func (e *exporter) reshape(name, x string, sizes ...int) string {
	return e.node("Reshape", name, []string{x, e.integers(name+"/shape", append([]int{0}, sizes...)...)})
}

// window is the attributes of a window over an image.
func window(kernel, wide, stride, strideWide, dilation int, pad neural.Padding) []attribute {
	top, left := pad.Sides(kernel, dilation), pad.Sides(wide, dilation)
	a := []attribute{ints("kernel_shape", kernel, wide), ints("strides", stride, strideWide), ints("pads", top, left, top, left)}
	if dilation > 1 {
		a = append(a, ints("dilations", dilation, dilation))
	}
	return a
}

func (e *exporter) conv(i int, o neural.Conv, x string, s neural.Shape) {
	name, f := e.g.Node(i).Name, o.Full(s[0])
	w, b := e.mixing(i, f.Out, f.Bias)
	in := []string{x, e.floats(name+"/weight", w, f.Out, s[0]/f.Groups, f.Kernel, f.KernelWide)}
	if b != nil {
		in = append(in, e.floats(name+"/bias", b, f.Out))
	}
	e.node("Conv", name, in, append(window(f.Kernel, f.KernelWide, f.Stride, f.StrideWide, f.Dilation, f.Pad), integer("group", f.Groups))...)
}

func (e *exporter) linear(i int, o neural.Linear, x string, s neural.Shape) {
	name, features := e.g.Node(i).Name, s.Features()
	w, b := e.mixing(i, o.Out, o.Bias)
	if s.Axes() == 1 {
		in := []string{x, e.floats(name+"/weight", w, o.Out, features)}
		if b != nil {
			in = append(in, e.floats(name+"/bias", b, o.Out))
		}
		e.node("Gemm", name, in, integer("transB", 1))
		return
	}
	turned := make([]float32, len(w))
	for k := range o.Out {
		for c := range features {
			turned[c*o.Out+k] = w[k*features+c]
		}
	}
	in := []string{x, e.floats(name+"/weight", turned, features, o.Out)}
	if b == nil {
		e.node("MatMul", name, in)
		return
	}
	y := e.node("MatMul", name+"/product", in)
	e.node("Add", name, []string{y, e.floats(name+"/bias", b, o.Out)})
}

func (e *exporter) batchNorm(i int, o neural.BatchNorm, x string, s neural.Shape) {
	name, c := e.g.Node(i).Name, s.Features()
	if s.Axes() == 2 { // ONNX takes the first axis after the batch for the features
		factor, summand := e.affine(i)
		y := e.node("Mul", name+"/scaled", []string{x, e.floats(name+"/scale", narrow(factor), c)})
		e.node("Add", name, []string{y, e.floats(name+"/shift", narrow(summand), c)})
		return
	}
	in := []string{x}
	for _, part := range []string{"scale", "shift", "mean", "variance"} {
		v := e.weights[name+"/"+part]
		if o.Plain && part == "scale" {
			v = slices.Repeat([]float32{1}, c)
		} else if o.Plain && part == "shift" {
			v = make([]float32, c)
		}
		in = append(in, e.floats(name+"/"+part, v, c))
	}
	e.node("BatchNormalization", name, in, float("epsilon", neural.Epsilon))
}

func narrow(v []float64) []float32 {
	w := make([]float32, len(v))
	for i, x := range v {
		w[i] = float32(x)
	}
	return w
}

func (e *exporter) activation(name, x string, f neural.Func) error {
	in := []string{x}
	constant := func(part string, v float32) string { return e.floats(name+"/"+part, []float32{v}) }
	switch f {
	case neural.ReLU:
		e.node("Relu", name, in)
	case neural.ReLU6:
		e.node("Clip", name, []string{x, constant("low", 0), constant("high", 6)})
	case neural.LeakyReLU:
		e.node("LeakyRelu", name, in, float("alpha", 0.01))
	case neural.HardSigmoid:
		e.node("HardSigmoid", name, in, float("alpha", 1./6), float("beta", 0.5))
	case neural.HardSwish:
		e.node("HardSwish", name, in)
	case neural.Sigmoid:
		e.node("Sigmoid", name, in)
	case neural.SiLU:
		e.node("Mul", name, []string{x, e.node("Sigmoid", name+"/sigmoid", in)})
	case neural.GELU:
		y := e.node("Mul", name+"/scaled", []string{x, constant("scale", math.Sqrt2/2)})
		y = e.node("Erf", name+"/erf", []string{y})
		y = e.node("Add", name+"/raised", []string{y, constant("one", 1)})
		y = e.node("Mul", name+"/product", []string{x, y})
		e.node("Mul", name, []string{y, constant("half", 0.5)})
	case neural.Tanh:
		e.node("Tanh", name, in)
	case neural.Softplus:
		e.node("Softplus", name, in)
	case neural.ELU:
		e.node("Elu", name, in)
	default:
		return fmt.Errorf("the function %q is not supported", f)
	}
	return nil
}

// attention writes queries as [batch, key heads, queries of each, tokens, features]
// and keys and values likewise, with one in place of the queries of each.
func (e *exporter) attention(i int, o neural.Attention, in []string) {
	n := e.g.Node(i)
	a := attention{exporter: e, Attention: o, name: n.Name}
	qs, ks, vs := e.g.Node(n.In[0]).Shape, e.g.Node(n.In[1]).Shape, e.g.Node(n.In[2]).Shape
	var heads int
	heads, a.keyHeads, a.d, a.v = o.Dims(qs, ks, vs)
	a.n, a.m, a.share = qs[0], ks[0], heads/a.keyHeads
	split := func(part, x string, tokens, groups, features int, perm ...int) string {
		y := e.reshape(a.name+"/"+part+"_split", x, tokens, a.keyHeads, groups, features)
		return e.node("Transpose", a.name+"/"+part, []string{y}, ints("perm", perm...))
	}
	queries := split("queries", in[0], a.n, a.share, a.d, 0, 2, 3, 1, 4)
	keys := split("keys", in[1], a.m, 1, a.d, 0, 2, 3, 4, 1) // features × tokens
	values := split("values", in[2], a.m, 1, a.v, 0, 2, 3, 1, 4)
	var mixed string
	if !o.Type.Linear() {
		y := a.op("products", "MatMul", queries, keys)
		y = a.op("scores", "Mul", y, a.number("scale", 1/math.Sqrt(float64(a.d))))
		if o.Causal {
			y = a.op("masked", "Add", y, a.visible(a.n, 0, math.Inf(-1)))
		}
		y = e.node("Softmax", a.name+"/shares", []string{y}, integer("axis", -1))
		mixed = a.op("mixed", "MatMul", y, values)
	} else {
		queries, keys = a.positive("queries", queries), a.positive("keys", keys)
		if o.Type.Reweights() {
			queries, keys = a.places("queries", queries, a.n, -1), a.places("keys", keys, a.m, -2)
		}
		mixed = a.linear(queries, keys, values)
	}
	mixed = e.node("Transpose", a.name+"/joined", []string{mixed}, ints("perm", 0, 3, 1, 2, 4))
	e.reshape(a.name, mixed, n.Shape.Sizes()...)
}

// attention is a node that is being written.
type attention struct {
	*exporter
	neural.Attention
	name            string
	n, m            int // queries and keys
	keyHeads, share int // and queries of each
	d, v            int // features of a head's keys and values
}

func (a *attention) op(part, op string, in ...string) string { return a.node(op, a.name+"/"+part, in) }

func (a *attention) number(part string, x float64) string {
	return a.floats(a.name+"/"+part, []float32{float32(x)})
}

// visible is one number for keys up to the query's place, and another for later ones.
func (a *attention) visible(n int, seen, hidden float64) string {
	mask := make([]float32, n*n)
	for k := range mask {
		if mask[k] = float32(seen); k%n > k/n {
			mask[k] = float32(hidden)
		}
	}
	return a.floats(a.name+"/mask", mask, n, n)
}

// positive writes φ of linear attention: relu, or elu+1 without its loss of digits.
func (a *attention) positive(part, x string) string {
	part = "phi_" + part
	if !a.Type.ELU() {
		return a.op(part, "Relu", x)
	}
	below := a.op(part+"_exp", "Exp", a.op(part+"_below", "Min", x, a.number(part+"_zero", 0)))
	return a.op(part, "Add", a.op(part+"_relu", "Relu", x), below)
}

// places multiplies features by the cosines of their tokens' places, and beside them by
// the sines.
func (a *attention) places(part, x string, tokens, features int) string {
	cos, sin := a.Places(a.n, a.m)
	shape := []int{tokens, 1}
	if features == -2 {
		shape = shape[:1]
	}
	c := a.op(part+"_cos", "Mul", x, a.floats(a.name+"/"+part+"_cosines", cos[:tokens], shape...))
	s := a.op(part+"_sin", "Mul", x, a.floats(a.name+"/"+part+"_sines", sin[:tokens], shape...))
	return a.node("Concat", a.name+"/"+part+"_places", []string{c, s}, integer("axis", features))
}

// linearRows is the most tokens of which causal linear attention multiplies all queries with
// all keys.
const linearRows = 64

// linear writes linear attention. A causal one takes all products of queries and keys in a
// block of tokens, and the sums of keys times values from the blocks before it, so its cost
// grows as the number of tokens.
func (a *attention) linear(queries, keys, values string) string {
	last := a.integers(a.name+"/last", -1)
	total := func(part, x string) string {
		return a.node("ReduceSum", a.name+"/"+part, []string{x, last}, integer("keepdims", 1))
	}
	divide := func(sum, norm string) string {
		norm = a.op("raised", "Add", norm, a.number("epsilon", neural.AttentionEpsilon))
		return a.op("mixed", "Div", sum, norm)
	}
	if !a.Causal {
		state, keySums := a.op("state", "MatMul", keys, values), total("total", keys)
		sum := a.op("sum", "MatMul", queries, state)
		return divide(sum, a.op("norm", "MatMul", queries, keySums))
	}
	blocks := (a.n + linearRows - 1) / linearRows
	size := (a.n + blocks - 1) / blocks
	if blocks > 1 {
		d := a.d
		if a.Type.Reweights() {
			d *= 2
		}
		queries = a.reshape(a.name+"/queries_blocks", a.pad("queries", queries, 3, blocks*size), a.keyHeads, a.share, blocks, size, d)
		values = a.reshape(a.name+"/values_blocks", a.pad("values", values, 3, blocks*size), a.keyHeads, 1, blocks, size, a.v)
		keys = a.reshape(a.name+"/keys_apart", a.pad("keys", keys, 4, blocks*size), a.keyHeads, 1, d, blocks, size)
		keys = a.node("Transpose", a.name+"/keys_blocks", []string{keys}, ints("perm", 0, 1, 2, 4, 3, 5))
	}
	near := a.op("masked", "Mul", a.op("products", "MatMul", queries, keys), a.visible(size, 1, 0))
	sum, norm := a.op("sum", "MatMul", near, values), total("norm", near)
	if blocks == 1 {
		return divide(sum, norm)
	}
	a.graph = a.graph.bytes(5, tensor(a.name+"/block_axis", int64Type, nil, intBytes([]int{3})))
	before := func(part, x string) string { // sums over the blocks before each
		return a.node("CumSum", a.name+"/"+part, []string{x, a.name + "/block_axis"}, integer("exclusive", 1))
	}
	state := before("state", a.op("block_state", "MatMul", keys, values))
	keySums := before("total", total("block_total", keys))
	sum = a.op("sum_all", "Add", sum, a.op("sum_before", "MatMul", queries, state))
	norm = a.op("norm_all", "Add", norm, a.op("norm_before", "MatMul", queries, keySums))
	y := a.reshape(a.name+"/mixed_joined", divide(sum, norm), a.keyHeads, a.share, blocks*size, a.v)
	if blocks*size == a.n {
		return y
	}
	return a.op("mixed_whole", "Slice", y, a.integers(a.name+"/begin", 0), a.integers(a.name+"/end", a.n), a.integers(a.name+"/token_axis", 3))
}

// pad adds tokens of zeros at the end of an axis of five.
func (a *attention) pad(part, x string, axis, to int) string {
	if to == a.n {
		return x
	}
	sides := make([]int, 10)
	sides[5+axis] = to - a.n
	return a.op(part+"_padded", "Pad", x, a.integers(a.name+"/"+part+"_sides", sides...))
}
