package cpu

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"unsafe"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/notimplemented"
	"github.com/gomlx/compute/shapes"
)

// A Builder collects a computation.
type Builder struct {
	backend  *Backend
	name     string
	main     *Function
	compiled bool
}

var _ compute.Builder = (*Builder)(nil)

// Builder returns a new computation.
func (b *Backend) Builder(name string) compute.Builder {
	bl := &Builder{backend: b, name: name}
	known, ok := b.maps.Get().(map[string]*node)
	if !ok {
		known = make(map[string]*node, 1024)
	}
	bl.main = &Function{builder: bl, nodes: make([]*node, 0, 512), known: known}
	bl.main.ErrFn = func(op compute.OpType) error {
		return fmt.Errorf("%w: cpu: operation %s", compute.ErrNotImplemented, op)
	}
	return bl
}

// Name returns the name.
func (b *Builder) Name() string { return b.name }

// Main returns the only function.
func (b *Builder) Main() compute.Function { return b.main }

// NewFunction fails: there are no further functions.
func (b *Builder) NewFunction(name string) (compute.Function, error) {
	return nil, fmt.Errorf("%w: cpu: functions other than the main one (%q)", compute.ErrNotImplemented, name)
}

// OpShape returns the shape of a value.
func (b *Builder) OpShape(op compute.Value) (shapes.Shape, error) { return b.main.Shape(op) }

// DistributedSPMD fails but for one device.
func (b *Builder) DistributedSPMD(numDevices int) error {
	if numDevices == 1 {
		return nil
	}
	return fmt.Errorf("%w: cpu: %d devices", compute.ErrNotImplemented, numDevices)
}

// DistributedAutoSharding fails.
func (b *Builder) DistributedAutoSharding(...compute.Mesh) error {
	return fmt.Errorf("%w: cpu: sharding", compute.ErrNotImplemented)
}

// DeviceAssignment fails but for device 0.
func (b *Builder) DeviceAssignment(devices ...compute.DeviceNum) error {
	if len(devices) == 1 && devices[0] == 0 {
		return nil
	}
	return fmt.Errorf("%w: cpu: devices %v", compute.ErrNotImplemented, devices)
}

// A node is a value of a computation.
type node struct {
	id    int
	op    compute.OpType // or one of ours
	shape shapes.Shape
	in    []*node
	attr  attr // nil for operations without further data
	f     *Function
}

func (n *node) dims() []int { return n.shape.Dimensions }
func (n *node) size() int   { return n.shape.Size() }

// attr is what an operation is besides its operands.
type attr interface {
	// key appends what tells it from others.
	key(b []byte) []byte
}

// Our own operations.
const (
	opMoments = compute.OpTypeLast + 1 + iota // rows×cols → 2×cols: mean and variance of columns
	opConv                                    // in one of the three forms of [kernel.Conv]
	opConvAny                                 // any convolution, slowly
	opWindow                                  // in a form of [kernel.Window]
	opCount
)

// ints is a list of numbers as an attribute.
type ints []int

func (x ints) key(b []byte) []byte {
	b = binary.AppendVarint(b, int64(len(x)))
	for _, v := range x {
		b = binary.AppendVarint(b, int64(v))
	}
	return b
}

// A Function collects nodes.
type Function struct {
	notimplemented.Function

	builder *Builder
	nodes   []*node // operands before what uses them
	known   map[string]*node
	params  []*node
	names   []string
	outputs []*node
	done    bool

	scratch  []byte // the key of a node
	ofNodes  pieces[node]
	ofInputs pieces[*node]
	ofInts   pieces[int]
	ofKeys   pieces[byte]
}

// pieces hands out memory from larger pieces: the parts of a graph come one by one and go
// together.
type pieces[T any] struct {
	piece, rest []T
	used        int
}

func (p *pieces[T]) take(n int) []T {
	if n > len(p.rest) {
		var x T
		p.piece = make([]T, max(n, 1<<13/int(unsafe.Sizeof(x))))
		p.rest = p.piece
	}
	p.used += n
	x := p.rest[:n:n]
	p.rest = p.rest[n:]
	return x
}

// reset takes all back. The next time one piece is enough.
func (p *pieces[T]) reset() {
	if p.used > len(p.piece) {
		p.piece = make([]T, p.used+p.used/4)
	} else {
		clear(p.piece[:len(p.piece)-len(p.rest)])
	}
	p.rest, p.used = p.piece, 0
}

// copyOf copies numbers, such as dimensions.
func (p *pieces[T]) copyOf(x []T) []T {
	if len(x) == 0 {
		return nil
	}
	y := p.take(len(x))
	copy(y, x)
	return y
}

var _ compute.Function = (*Function)(nil)

// Name returns the name of main functions.
func (f *Function) Name() string { return compute.MainName }

// Builder returns the builder.
func (f *Function) Builder() compute.Builder { return f.builder }

// Parent returns nil.
func (f *Function) Parent() compute.Function { return nil }

// Shape returns the shape of a value.
func (f *Function) Shape(v compute.Value) (shapes.Shape, error) {
	n, ok := v.(*node)
	if !ok || n == nil {
		return shapes.Invalid(), fmt.Errorf("cpu: %T is not a value of this backend", v)
	}
	return n.shape, nil
}

// values returns the nodes behind values.
func (f *Function) values(op compute.OpType, values ...compute.Value) ([]*node, error) {
	if f.done || f.builder.compiled {
		return nil, fmt.Errorf("cpu: %s after the end of function %q", op, f.builder.name)
	}
	nodes := make([]*node, len(values))
	for i, v := range values {
		var err error
		if nodes[i], err = f.value(op, i, v); err != nil {
			return nil, err
		}
	}
	return nodes, nil
}

// value returns the node behind operand i of an operation.
func (f *Function) value(op compute.OpType, i int, v compute.Value) (*node, error) {
	n, ok := v.(*node)
	switch {
	case f.done || f.builder.compiled:
		return nil, fmt.Errorf("cpu: %s after the end of function %q", op, f.builder.name)
	case !ok || n == nil:
		return nil, fmt.Errorf("cpu: operand %d of %s is %T, not a value of this backend", i+1, op, v)
	case n.f != f:
		return nil, fmt.Errorf("cpu: operand %d of %s belongs to another computation", i+1, op)
	}
	return n, nil
}

// add returns the node of an operation: the one there is, if it has been asked for
// before.
func (f *Function) add(op compute.OpType, shape shapes.Shape, a attr, in ...*node) *node {
	k := f.scratch[:0]
	k = binary.AppendVarint(k, int64(op))
	k = binary.AppendVarint(k, int64(shape.DType))
	k = ints(shape.Dimensions).key(k)
	for _, n := range in {
		k = binary.AppendVarint(k, int64(n.id))
	}
	k = append(k, '|')
	if a != nil {
		k = a.key(k)
	}
	f.scratch = k
	if n := f.known[string(k)]; n != nil {
		return n
	}
	n := &f.ofNodes.take(1)[0]
	*n = node{id: len(f.nodes), op: op, shape: shape, in: f.ofInputs.copyOf(in), attr: a, f: f}
	f.nodes = append(f.nodes, n)
	k = f.ofKeys.copyOf(k)
	f.known[unsafe.String(&k[0], len(k))] = n // never written to again
	return n
}

// parameter is which input a node is.
type parameter int

func (p parameter) key(b []byte) []byte { return binary.AppendVarint(b, int64(p)) }

// Parameter returns an input.
func (f *Function) Parameter(name string, shape shapes.Shape, sharding *compute.ShardingSpec) (compute.Value, error) {
	if _, err := f.values(compute.OpTypeParameter); err != nil {
		return nil, err
	}
	if err := checkType(shape.DType); err != nil {
		return nil, fmt.Errorf("%w, parameter %q", err, name)
	}
	if sharding != nil {
		return nil, fmt.Errorf("%w: cpu: sharding of parameter %q", compute.ErrNotImplemented, name)
	}
	if shape.IsDynamic() {
		return nil, fmt.Errorf("%w: cpu: the dynamic shape %s of parameter %q", compute.ErrNotImplemented, shape, name)
	}
	n := f.add(compute.OpTypeParameter, shape.Clone(), parameter(len(f.params)))
	f.params = append(f.params, n)
	f.names = append(f.names, name)
	return n, nil
}

// constant is numbers: a slice of a type of ours.
type constant struct{ flat any }

func (c constant) key(b []byte) []byte {
	b, err := binary.Append(b, binary.LittleEndian, c.flat)
	if err != nil {
		panic(err)
	}
	return b
}

// Constant returns numbers, which are copied.
func (f *Function) Constant(flat any, dims ...int) (compute.Value, error) {
	if _, err := f.values(compute.OpTypeConstant); err != nil {
		return nil, err
	}
	if x, ok := flat.([]int); ok {
		flat = sameInts(x)
	}
	t, n := typeOf(flat)
	if err := checkType(t); err != nil {
		return nil, fmt.Errorf("%w, a constant of %T", err, flat)
	}
	shape := shapes.Make(t, dims...)
	if shape.Size() != n {
		return nil, fmt.Errorf("cpu: %d numbers for a constant of %s", n, shape)
	}
	return f.constant(flat, shape), nil
}

// constant adds a constant; if all its numbers are the same, a broadcast scalar.
func (f *Function) constant(flat any, shape shapes.Shape) *node {
	n := shape.Size()
	if n == 0 || n > 1<<16 {
		return f.add(compute.OpTypeConstant, shape, constant{cloneFlat(flat, n)})
	}
	if x, ok := flat.([]float32); ok {
		same := true
		for _, v := range x {
			same = same && math.Float32bits(v) == math.Float32bits(x[0])
		}
		if same {
			return f.splat(shape.DType, float64(x[0]), shape.Dimensions)
		}
	}
	return f.add(compute.OpTypeConstant, shape, constant{cloneFlat(flat, n)})
}

// splat returns an array of one float32 or float64 number.
func (f *Function) splat(t dtypes.DType, v float64, dims []int) *node {
	var flat any = []float32{float32(v)}
	if t == dtypes.Float64 {
		flat = []float64{v}
	}
	return f.broadcast(f.add(compute.OpTypeConstant, shapes.Make(t), constant{flat}), dims, nil)
}

// value returns the number that all numbers of a float32 node are.
func (n *node) value() (float32, bool) {
	for n.op == compute.OpTypeBroadcastInDim || n.op == compute.OpTypeReshape {
		n = n.in[0]
	}
	if n.op != compute.OpTypeConstant || n.size() != 1 {
		return 0, false
	}
	flat, ok := n.attr.(constant).flat.([]float32)
	if !ok {
		return 0, false
	}
	return flat[0], true
}

func (n *node) is(v float32) bool {
	x, ok := n.value()
	return ok && x == v
}

// typeOf returns the type and number of a slice.
func typeOf(flat any) (dtypes.DType, int) {
	switch x := flat.(type) {
	case []bool:
		return dtypes.Bool, len(x)
	case []uint8:
		return dtypes.Uint8, len(x)
	case []int32:
		return dtypes.Int32, len(x)
	case []int64:
		return dtypes.Int64, len(x)
	case []uint32:
		return dtypes.Uint32, len(x)
	case []uint64:
		return dtypes.Uint64, len(x)
	case []float32:
		return dtypes.Float32, len(x)
	case []float64:
		return dtypes.Float64, len(x)
	}
	return dtypes.InvalidDType, 0
}

func cloneFlat(flat any, n int) any {
	switch x := flat.(type) {
	case []bool:
		return slices.Clone(x[:n])
	case []uint8:
		return slices.Clone(x[:n])
	case []int32:
		return slices.Clone(x[:n])
	case []int64:
		return slices.Clone(x[:n])
	case []uint32:
		return slices.Clone(x[:n])
	case []uint64:
		return slices.Clone(x[:n])
	case []float32:
		return slices.Clone(x[:n])
	case []float64:
		return slices.Clone(x[:n])
	}
	panic(fmt.Sprintf("numbers of type %T", flat))
}

// Return ends the function.
func (f *Function) Return(outputs []compute.Value, shardings []*compute.ShardingSpec) error {
	nodes, err := f.values(compute.OpTypeInvalid, outputs...)
	if err != nil {
		return err
	}
	if len(nodes) == 0 {
		return fmt.Errorf("cpu: computation %q returns nothing", f.builder.name)
	}
	for _, s := range shardings {
		if s != nil {
			return fmt.Errorf("%w: cpu: sharding of outputs", compute.ErrNotImplemented)
		}
	}
	f.outputs, f.done = nodes, true
	return nil
}
