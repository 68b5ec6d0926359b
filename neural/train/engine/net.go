package engine

import (
	"errors"
	"fmt"
	"hash/maphash"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"

	"github.com/daedalus-search/daedalus/neural"
)

// A plan is what a network takes from a layout.
type plan struct {
	g       *neural.Graph
	l       *layout
	uses    []use
	weights [][]int // of each node: its learned weights, in uses
	// of convolutions whose kernel is learned from a larger one, which their weight is
	// then: the steps, in uses
	matrices map[int][]int
	inputs   []int  // nodes
	norms    []int  // nodes that are batch norms
	noises   []int  // nodes that drop
	live     []bool // whether an output depends on the node
	learned  []int  // uses by such nodes
	// whether a batch norm depends on the node, or it is one
	measured []bool
}

// A use is a weight of a network: part of one of the layout.
type use struct {
	index int
	part  box
}

func newPlan(g *neural.Graph, l *layout) (*plan, error) {
	p := &plan{g: g, l: l, inputs: g.Inputs(), weights: make([][]int, g.Len()), matrices: map[int][]int{}}
	var errs []error
	for i, n := range g.Nodes() {
		switch n.Op.(type) {
		case neural.BatchNorm:
			p.norms = append(p.norms, i)
		case neural.Dropout, neural.DropPath:
			p.noises = append(p.noises, i)
		}
		for k, t := range g.Weights(i) {
			at, ok := l.index[t.Name]
			if !ok {
				errs = append(errs, fmt.Errorf("weight %q (%s) is not among the parameters", t.Name, t.Shape))
				continue
			}
			_, conv := n.Op.(neural.Conv)
			b, err := l.box(at, t, conv && k == 0)
			if err != nil {
				errs = append(errs, err)
			}
			if err == nil && conv && k == 0 {
				if p.matrices[i], err = p.shrinks(n.Name, &b); err != nil {
					errs = append(errs, err)
				}
			}
			if !t.State {
				p.weights[i] = append(p.weights[i], len(p.uses))
				p.uses = append(p.uses, use{at, b})
			}
		}
	}
	p.live, p.measured = before(g, g.Outputs()), before(g, p.norms)
	for i, ks := range p.weights {
		if p.live[i] {
			p.learned = append(append(p.learned, ks...), p.matrices[i]...)
		}
	}
	if len(errs) > 0 {
		return nil, fmt.Errorf("engine: network %q: %w", g.Name(), errors.Join(errs...))
	}
	return p, nil
}

// before marks nodes and all that they depend on.
func before(g *neural.Graph, nodes []int) []bool {
	m := make([]bool, g.Len())
	for _, i := range nodes {
		m[i] = true
	}
	for i := g.Len() - 1; i >= 0; i-- {
		if m[i] {
			for _, j := range g.Node(i).In {
				m[j] = true
			}
		}
	}
	return m
}

var hashSeed = maphash.MakeSeed()

// hashOf is the same for the same networks, names included.
func hashOf(g *neural.Graph) uint64 {
	var h maphash.Hash
	h.SetSeed(hashSeed)
	for _, n := range g.Nodes() {
		h.WriteString(n.Name)
		maphash.WriteComparable(&h, n.Op)
		for _, j := range n.In {
			maphash.WriteComparable(&h, j)
		}
	}
	for _, i := range g.Outputs() {
		maphash.WriteComparable(&h, i)
	}
	return h.Sum64()
}

func sameGraph(a, b *neural.Graph) bool {
	if a == b {
		return true
	}
	if a.Len() != b.Len() || !slices.Equal(a.Outputs(), b.Outputs()) {
		return false
	}
	for i, n := range a.Nodes() {
		if m := b.Node(i); n.Name != m.Name || n.Op != m.Op || !slices.Equal(n.In, m.In) {
			return false
		}
	}
	return true
}

type entryKey struct {
	l    *layout
	hash uint64
}

// An entry is the compiled computations of a network, shared by all parameters of
// one layout.
type entry struct {
	plan     *plan
	key      entryKey
	programs *lru[variant, *program]
}

// maxVariants is how many computations of one network stay compiled: training with and
// without a teacher, evaluation, each for two sizes of batch.
const maxVariants = 8

func (e *entry) drop() { e.programs.clear() }

// A Net is a network that computes with parameters. It stays valid while they do,
// and always sees their present numbers.
type Net struct {
	p    *Params
	e    *entry
	norm *statistics // nil until it is recalibrated
}

// Net returns a network that takes its weights from p. The same graph returns the
// same Net while it is among the last that were used.
func (p *Params) Net(g *neural.Graph) (*Net, error) {
	hash := hashOf(g)
	if n, ok := p.nets.get(hash); ok && sameGraph(n.e.plan.g, g) {
		return n, nil
	}
	n := &Net{p: p}
	err := p.d.do(func() error {
		key := entryKey{p.l, hash}
		e, ok := p.d.entries.get(key)
		if !ok || !sameGraph(e.plan.g, g) {
			pl, err := newPlan(g, p.l)
			if err != nil {
				return err
			}
			e = &entry{plan: pl, key: key, programs: newLRU[variant](maxVariants, (*program).drop)}
			p.d.entries.put(key, e)
		}
		n.e = e
		return nil
	})
	if err != nil {
		return nil, err
	}
	p.nets.put(hash, n)
	return n, nil
}

// Graph returns the network.
func (n *Net) Graph() *neural.Graph { return n.e.plan.g }

// A mode is what a network is computed for.
type mode uint8

const (
	training  mode = iota // the loss and the gradient of the weights
	inference             // outputs, by fixed statistics
	measuring             // the means and variances of every normalisation
	reacting              // the gradient of the first input
)

// A variant is a computation of a network.
type variant struct {
	mode  mode
	batch int
	target
	noisy bool
}

// A program is a compiled computation.
type program struct {
	exec compute.Executable
	ins  []source // of its inputs
	outs []int    // which result each output is: equal ones may be computed once
}

func (p *program) drop() { p.exec.Finalize() }

// A source is where an input of a computation comes from.
type source struct {
	kind  sourceKind
	index int
}

type sourceKind uint8

const (
	ofWeight sourceKind = iota // index in plan.uses
	ofInput
	ofNoise // in plan.noises
	ofMean  // in plan.norms
	ofVariance
	ofSum // gradient so far, in plan.uses
	ofRowWeights
	ofClasses
	ofKnobs
	ofTeacher
	ofTargets
)

// program returns a computation, compiled if it is not there.
func (e *entry) program(d *Device, v variant) (*program, error) {
	if got, ok := d.entries.get(e.key); !ok {
		d.entries.put(e.key, e)
	} else if got != e {
		e = got
	}
	if p, ok := e.programs.get(v); ok {
		return p, nil
	}
	p, err := e.plan.compile(d, v)
	if err != nil {
		return nil, fmt.Errorf("engine: network %q: %w", e.plan.g.Name(), err)
	}
	e.programs.put(v, p)
	return p, nil
}

// compile writes a computation of the network.
func (p *plan) compile(d *Device, v variant) (*program, error) {
	w := newWriter(d.b, p.g.Name(), d.native)
	prog := &program{}
	in := func(kind sourceKind, index int, t dtypes.DType, dims ...int) *tensor {
		prog.ins = append(prog.ins, source{kind, index})
		return w.param(t, dims...)
	}
	w.quiet = v.mode == inference || v.mode == measuring
	all := make([]*tensor, p.g.Len())
	parts := make([]*tensor, len(p.uses)) // what the network takes of them
	var outs, given []*tensor
	needed := p.live
	if v.mode == measuring {
		needed = p.measured
	}
	for i, n := range p.g.Nodes() {
		if !needed[i] { // inputs that nothing needs crash the backend go
			continue
		}
		o, isInput := n.Op.(neural.Input)
		if isInput {
			all[i] = in(ofInput, slices.Index(p.inputs, i), dtypes.Float32, dims(v.batch, o.Shape)...)
			all[i].grad = v.mode == reacting && i == p.inputs[0]
			given = append(given, all[i])
			continue
		}
		nd := node{Node: n}
		for _, j := range n.In {
			nd.of = append(nd.of, p.g.Node(j).Shape)
			nd.in = append(nd.in, all[j])
		}
		learned := func(k int) *tensor {
			u := p.uses[k]
			to := slices.Clone(u.part.at)
			for a := range to {
				to[a] += u.part.dims[a]
			}
			t := *w.slice(in(ofWeight, k, dtypes.Float32, u.part.whole...), u.part.at, to, nil)
			parts[k] = &t
			t.grad = v.mode == training
			return &t
		}
		for _, k := range p.weights[i] {
			nd.weight = append(nd.weight, learned(k))
		}
		var matrices []*tensor
		for _, k := range p.matrices[i] {
			matrices = append(matrices, learned(k))
		}
		if matrices != nil {
			nd.weight[0] = w.shrink(nd.weight[0], matrices, p.g.Weights(i)[0].Shape[2])
		}
		var err error
		switch o := n.Op.(type) {
		case neural.BatchNorm:
			var scale, shift *tensor
			if !o.Plain {
				scale, shift = nd.weight[0], nd.weight[1]
			}
			x := nd.in[0]
			if v.mode == inference {
				k := slices.Index(p.norms, i)
				mean := in(ofMean, k, dtypes.Float32, x.last())
				variance := in(ofVariance, k, dtypes.Float32, x.last())
				all[i] = w.normalise(x, scale, shift, mean, variance)
				break
			}
			var mean, variance *tensor
			all[i], mean, variance = w.batchNorm(x, scale, shift)
			if v.mode == measuring {
				outs = append(outs, mean, variance)
			}
		case neural.Dropout, neural.DropPath:
			if all[i] = nd.in[0]; v.noisy {
				k := slices.Index(p.noises, i)
				all[i] = w.mul(all[i], in(ofNoise, k, dtypes.Float32, p.maskDims(k, v.batch)...))
			}
		default:
			all[i], err = w.compute(nd)
		}
		if err != nil {
			return nil, &neural.NodeError{Node: n.Name, Op: n.Op.String(), Err: err}
		}
		if w.err != nil {
			return nil, &neural.NodeError{Node: n.Name, Op: n.Op.String(), Err: w.err}
		}
	}
	for _, i := range p.g.Outputs() { // an input that is an output must not be freed as one
		if all[i] != nil && slices.Contains(given, all[i]) {
			all[i] = w.shift(all[i], 0)
		}
	}
	switch v.mode {
	case inference:
		for _, i := range p.g.Outputs() {
			outs = append(outs, all[i])
		}
	case reacting:
		w.quiet = true
		for _, i := range p.g.Outputs() {
			w.receive(all[i], w.fill(1, all[i].dims...))
		}
		w.rewind()
		first := p.inputs[0]
		if all[first] == nil || all[first].sum == nil {
			outs = append(outs, w.fill(0, dims(v.batch, p.g.Node(first).Shape)...))
		} else {
			outs = append(outs, all[first].sum)
		}
	case training:
		out := all[p.g.Outputs()[0]]
		rows := v.batch * int(p.g.Node(p.g.Outputs()[0]).Shape.Places())
		var weights, classes, knobs, teacher, targets *tensor
		if v.numbers {
			targets = in(ofTargets, 0, dtypes.Float32, out.dims...)
		} else {
			weights = in(ofRowWeights, 0, dtypes.Float32, rows)
			knobs = in(ofKnobs, 0, dtypes.Float32, 5)
		}
		if v.classes {
			classes = in(ofClasses, 0, dtypes.Int32, rows)
		}
		if v.teacher {
			teacher = in(ofTeacher, 0, dtypes.Float32, out.dims...)
		}
		loss, back := w.writeLoss(out, weights, classes, knobs, teacher, targets)
		outs = append(outs, loss, out)
		w.receive(out, back)
		w.rewind()
		for _, k := range p.learned {
			u := p.uses[k]
			g := parts[k].sum
			if g == nil {
				g = w.fill(0, u.part.dims...)
			}
			if !d.shared { // add on the device
				pads := make([]compute.PadAxis, len(u.part.at))
				for a := range pads {
					pads[a] = compute.PadAxis{Start: u.part.at[a], End: u.part.whole[a] - u.part.at[a] - u.part.dims[a]}
				}
				g = w.add(in(ofSum, k, dtypes.Float32, u.part.whole...), w.pad(g, 0, pads))
			}
			outs = append(outs, g)
		}
	}
	return prog, w.finish(prog, outs)
}

// finish compiles what was written.
func (w *writer) finish(p *program, outs []*tensor) error {
	if w.err != nil {
		return w.err
	}
	var vs []compute.Value
	for _, t := range outs {
		at := slices.Index(vs, t.v)
		if at < 0 {
			at, vs = len(vs), append(vs, t.v)
		}
		p.outs = append(p.outs, at)
	}
	if err := w.f.Return(vs, nil); err != nil {
		return err
	}
	var err error
	p.exec, err = w.b.Compile()
	return err
}

// A call is the inputs of one execution; those that were uploaded for it go with it.
type call struct {
	d    *Device
	ins  []compute.Buffer
	temp []compute.Buffer
}

func (c *call) keep(b compute.Buffer) { c.ins = append(c.ins, b) }

func (c *call) upload(v any, t dtypes.DType, dims ...int) error {
	b, err := c.d.upload(v, t, dims...)
	if err == nil {
		c.ins, c.temp = append(c.ins, b), append(c.temp, b)
	}
	return err
}

// run executes, frees the inputs that were for it alone, and returns a result of its
// own for each output.
func (c *call) run(p *program) ([]compute.Buffer, error) {
	defer freeAll(c.temp)
	results, err := p.exec.Execute(c.ins, make([]bool, len(c.ins)), 0)
	if err != nil {
		return nil, c.d.mapError(err)
	}
	out := make([]compute.Buffer, len(p.outs))
	for i, k := range p.outs {
		if at := slices.Index(p.outs[:i], k); at < 0 {
			out[i] = results[k]
		} else if out[i], err = c.d.copyOf(results[k]); err != nil {
			freeAll(out[:i])
			return nil, err
		}
	}
	return out, nil
}

func (d *Device) copyOf(b compute.Buffer) (compute.Buffer, error) {
	s, err := b.Shape()
	if err != nil {
		return nil, d.mapError(err)
	}
	v, err := d.download(b, s.Size())
	if err != nil {
		return nil, err
	}
	return d.upload(v, dtypes.Float32, s.Dimensions...)
}

func freeAll(bufs []compute.Buffer) {
	for _, b := range bufs {
		if b != nil {
			b.Finalize()
		}
	}
}

// run computes a variant on a batch.
func (n *Net) run(v variant, r *demand, noise Noise, sums *buffers) (*program, []compute.Buffer, error) {
	p, d := n.e.plan, n.p.d
	prog, err := n.e.program(d, v)
	if err != nil {
		return nil, nil, err
	}
	c := &call{d: d}
	for _, s := range prog.ins {
		switch s.kind {
		case ofWeight:
			c.keep(n.p.on.bufs[p.uses[s.index].index])
		case ofSum:
			c.keep(sums.bufs[p.uses[s.index].index])
		case ofInput:
			err = c.upload(r.Inputs[s.index], dtypes.Float32, dims(v.batch, p.g.Node(p.inputs[s.index]).Shape)...)
		case ofNoise:
			err = c.upload(p.mask(s.index, v.batch, noise), dtypes.Float32, p.maskDims(s.index, v.batch)...)
		case ofMean:
			c.keep(n.norm.on.bufs[2*s.index])
		case ofVariance:
			c.keep(n.norm.on.bufs[2*s.index+1])
		case ofRowWeights:
			err = c.upload(r.weights(), dtypes.Float32, r.rows)
		case ofClasses:
			err = c.upload(r.Classes, dtypes.Int32, r.rows)
		case ofKnobs:
			k := r.knobs()
			err = c.upload(k, dtypes.Float32, len(k))
		case ofTeacher:
			err = c.upload(r.Teacher, dtypes.Float32, dims(v.batch, p.g.Node(p.g.Outputs()[0]).Shape)...)
		case ofTargets:
			err = c.upload(r.Targets, dtypes.Float32, dims(v.batch, p.g.Node(p.g.Outputs()[0]).Shape)...)
		}
		if err != nil {
			freeAll(c.temp)
			return nil, nil, err
		}
	}
	out, err := c.run(prog)
	return prog, out, err
}
