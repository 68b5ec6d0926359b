package engine

import (
	"errors"
	"math"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"

	"github.com/daedalus-search/daedalus/neural"
)

// dims are the axes of a value here: images have their channels last.
func dims(batch int, s neural.Shape) []int {
	if s.Image() {
		return []int{batch, s[1], s[2], s[0]}
	}
	return append([]int{batch}, s.Sizes()...)
}

// axis returns where an axis of a value is here.
func axis(s neural.Shape, i int) int {
	if s.Image() {
		return [...]int{3, 1, 2}[i]
	}
	return 1 + i
}

// A node is an operator with what it is computed of.
type node struct {
	neural.Node
	of     []neural.Shape // of the operands
	in     []*tensor
	weight []*tensor // learned ones
}

// compute writes an operator. Inputs, batch norm and what drops are not here, for
// they need to know what the computation is for.
func (w *writer) compute(n node) (*tensor, error) {
	x, s := n.in[0], n.of[0]
	switch o := n.Op.(type) {
	case neural.Conv:
		f := o.Full(s[0])
		y := w.conv(convWindow(f, n.Shape), f.Groups, x, n.weight[0])
		if f.Bias {
			y = w.add(y, w.lastAxis(n.weight[1], 4))
		}
		return y, nil
	case neural.Linear:
		y := w.dot(x, []int{len(x.dims) - 1}, nil, n.weight[0], []int{1}, nil)
		if o.Bias {
			y = w.add(y, w.lastAxis(n.weight[1], len(y.dims)))
		}
		return y, nil
	case neural.LayerNorm:
		return w.layerNorm(x, n.weight[0], n.weight[1]), nil
	case neural.Activation:
		return w.activation(o.Func, x)
	case neural.Softmax:
		return w.softmax(x), nil
	case neural.MaxPool:
		k, stride := o.Window()
		return w.maxPool(poolWindow(k, stride, o.Pad, n.Shape), x), nil
	case neural.AvgPool:
		k, stride := o.Window()
		return w.avgPool(poolWindow(k, stride, o.Pad, n.Shape), x), nil
	case neural.GlobalPool:
		return w.scale(w.sum(x, count(1, len(x.dims)-2)...), 1/float64(s.Places())), nil
	case neural.Upsample:
		f := n.Shape[1] / s[1]
		y := w.reshape(x, x.dims[0], s[1], 1, s[2], 1, s[0])
		return w.reshape(w.spread(y, []int{x.dims[0], s[1], f, s[2], f, s[0]}), dims(x.dims[0], n.Shape)...), nil
	case neural.Flatten:
		if s.Image() {
			x = w.transpose(x, 0, 3, 1, 2)
		}
		return w.reshape(x, x.dims[0], n.Shape[0]), nil
	case neural.Identity:
		return x, nil
	case neural.ToTokens, neural.ToImage:
		return w.reshape(x, dims(x.dims[0], n.Shape)...), nil
	case neural.Shuffle:
		groups := o.Groups
		if groups == 0 {
			groups = 2
		}
		y := w.reshape(x, x.dims[0], s[1], s[2], groups, s[0]/groups)
		return w.reshape(w.transpose(y, 0, 1, 2, 4, 3), x.dims...), nil
	case neural.Zero:
		return w.fill(0, dims(x.dims[0], n.Shape)...), nil
	case neural.Slice:
		a, from, to := o.Range(s)
		return w.part(x, axis(s, a), from, to), nil
	case neural.Add:
		for _, y := range n.in[1:] {
			x = w.add(x, y)
		}
		return x, nil
	case neural.Multiply:
		y := n.in[1]
		if n.of[1] != s {
			ones := make([]int, len(x.dims))
			for i := range ones {
				ones[i] = 1
			}
			ones[0], ones[len(ones)-1] = x.dims[0], x.last()
			y = w.reshape(y, ones...)
		}
		return w.mul(x, y), nil
	case neural.Concat:
		return w.concat(axis(n.Shape, o.Index(n.Shape)), n.in...), nil
	case neural.Attention:
		return w.attention(o, n), nil
	case neural.Embedding:
		return w.embed(x, n.weight[0]), nil
	case neural.Position:
		return w.add(x, w.reshape(n.weight[0], 1, s[0], s[1])), nil
	case neural.ClassToken:
		k := n.weight[0]
		return w.concat(1, w.spread(k, []int{x.dims[0], k.dims[0], k.dims[1]}), x), nil
	}
	return nil, errors.New("the engine does not support the operator")
}

// lastAxis gives a vector axes of 1 before its own.
func (w *writer) lastAxis(v *tensor, axes int) *tensor {
	d := make([]int, axes)
	for i := range d {
		d[i] = 1
	}
	d[axes-1] = v.dims[0]
	return w.reshape(v, d...)
}

// embed looks up rows of a table.
func (w *writer) embed(ids, table *tensor) *tensor {
	n, tokens, out := ids.dims[0], ids.dims[1], table.dims[1]
	return w.custom(func() *tensor {
		at := w.reshape(w.convert(ids, dtypes.Int32), n, tokens, 1)
		if w.err != nil {
			return &tensor{dims: []int{n, tokens, out}}
		}
		v, err := w.f.Gather(table.v, at.v, 2, []int{2}, []int{0}, []int{0}, []int{1, out}, false)
		return w.is(v, err, n, tokens, out)
	}, func(d *tensor) {
		at := w.reshape(w.convert(ids, dtypes.Int32), n, tokens, 1)
		zero := w.fill(0, table.dims...)
		if w.err == nil && table.grad {
			v, err := w.f.ScatterSum(zero.v, at.v, d.v, 2, []int{2}, []int{0}, []int{0}, false, false)
			w.receive(table, w.is(v, err, table.dims...))
		}
	}, table)
}

// softmax makes the last axis positive with sum 1.
func (w *writer) softmax(x *tensor) *tensor {
	var y *tensor
	return w.custom(func() *tensor {
		e := w.exp(w.sub(x, w.maxLast(x)))
		y = w.div(e, w.sumLast(e))
		return y
	}, func(d *tensor) {
		dy := w.mul(d, y)
		w.receive(x, w.sub(dy, w.mul(y, w.sumLast(dy))))
	}, x)
}

// activation applies a function. Steps are signs of what is clamped, so that they need
// no comparisons.
func (w *writer) activation(f neural.Func, x *tensor) (*tensor, error) {
	step := func(x *tensor) *tensor { return w.unary(w.f.Sign, w.relu(x)) }
	hard := func() *tensor { return w.scale(w.clamp(w.shift(x, 3), 0, 6), 1./6) }
	inside := func(h *tensor) *tensor { // whether h is between 0 and 1, which it never leaves
		return w.mul(w.unary(w.f.Sign, h), w.unary(w.f.Sign, w.sub(w.scalar(1), h)))
	}
	logistic := func() *tensor { return w.unary(w.f.Logistic, x) }
	phi := func() *tensor {
		return w.shift(w.scale(w.unary(w.f.Erf, w.scale(x, math.Sqrt2/2)), 0.5), 0.5)
	}
	below := func() *tensor { return w.exp(w.binary(w.f.Min, x, w.scalar(0))) }
	var y *tensor
	var value, slope func() *tensor
	switch f {
	case neural.ReLU:
		value = func() *tensor { return w.relu(x) }
		slope = func() *tensor { return w.unary(w.f.Sign, y) }
	case neural.ReLU6:
		value = func() *tensor { return w.clamp(x, 0, 6) }
		slope = func() *tensor {
			return w.mul(w.unary(w.f.Sign, y), w.unary(w.f.Sign, w.sub(w.scalar(6), y)))
		}
	case neural.LeakyReLU:
		value = func() *tensor { return w.binary(w.f.Max, x, w.scale(x, 0.01)) }
		slope = func() *tensor { return w.shift(w.scale(step(y), 0.99), 0.01) }
	case neural.HardSigmoid:
		value = hard
		slope = func() *tensor { return w.scale(inside(y), 1./6) }
	case neural.HardSwish:
		value = func() *tensor { return w.mul(x, hard()) }
		slope = func() *tensor {
			h := hard()
			return w.add(h, w.scale(w.mul(x, inside(h)), 1./6))
		}
	case neural.Sigmoid:
		value = logistic
		slope = func() *tensor { return w.mul(y, w.sub(w.scalar(1), y)) }
	case neural.SiLU:
		value = func() *tensor { return w.mul(x, logistic()) }
		slope = func() *tensor {
			s := logistic()
			return w.add(s, w.mul(y, w.sub(w.scalar(1), s)))
		}
	case neural.GELU:
		value = func() *tensor { return w.mul(x, phi()) }
		slope = func() *tensor {
			density := w.scale(w.exp(w.scale(w.mul(x, x), -0.5)), 1/math.Sqrt(2*math.Pi))
			return w.add(phi(), w.mul(x, density))
		}
	case neural.Tanh:
		value = func() *tensor { return w.unary(w.f.Tanh, x) }
		slope = func() *tensor { return w.sub(w.scalar(1), w.mul(y, y)) }
	case neural.Softplus:
		value = func() *tensor {
			small := w.unary(w.f.Log1p, w.exp(w.unary(w.f.Neg, w.unary(w.f.Abs, x))))
			return w.add(w.relu(x), small)
		}
		slope = logistic
	case neural.ELU:
		value = func() *tensor { return w.shift(w.add(w.relu(x), below()), -1) }
		slope = below
	default:
		return nil, errors.New("the engine does not support the function")
	}
	return w.custom(func() *tensor { y = value(); return y }, func(d *tensor) { w.receive(x, w.mul(d, slope())) }, x), nil
}

func (w *writer) relu(x *tensor) *tensor { return w.binary(w.f.Max, x, w.scalar(0)) }

// layerNorm normalises the last axis.
func (w *writer) layerNorm(x, scale, shift *tensor) *tensor {
	n := float64(x.last())
	var unit, inverse *tensor
	return w.custom(func() *tensor {
		centred := w.sub(x, w.scale(w.sumLast(x), 1/n))
		variance := w.scale(w.sumLast(w.mul(centred, centred)), 1/n)
		inverse = w.div(w.scalar(1), w.unary(w.f.Sqrt, w.shift(variance, neural.Epsilon)))
		unit = w.mul(centred, inverse)
		return w.add(w.mul(unit, w.lastAxis(scale, len(x.dims))), w.lastAxis(shift, len(x.dims)))
	}, func(d *tensor) {
		axes := count(0, len(x.dims)-1)
		if shift.grad {
			w.receive(shift, w.sum(d, axes...))
		}
		if scale.grad {
			w.receive(scale, w.sum(w.mul(d, unit), axes...))
		}
		if x.grad {
			d = w.mul(d, w.lastAxis(scale, len(x.dims)))
			d = w.sub(w.sub(d, w.scale(w.sumLast(d), 1/n)), w.mul(unit, w.scale(w.sumLast(w.mul(d, unit)), 1/n)))
			w.receive(x, w.mul(d, inverse))
		}
	}, x, scale, shift)
}

// batchNorm normalises the last axis by the mean and variance of all the others, which
// it returns; their gradient counts. Scale and shift may be nil.
func (w *writer) batchNorm(x, scale, shift *tensor) (y, mean, variance *tensor) {
	features := x.last()
	if scale == nil {
		scale, shift = w.fill(1, features), w.fill(0, features)
	}
	if w.native {
		y = w.custom(func() *tensor {
			if w.err != nil {
				mean, variance = scale, scale
				return &tensor{dims: x.dims}
			}
			v, m, s, err := w.f.BatchNormForTraining(x.v, scale.v, shift.v, neural.Epsilon, len(x.dims)-1)
			mean, variance = w.is(m, err, features), w.is(s, err, features)
			return w.is(v, err, x.dims...)
		}, func(d *tensor) {
			if w.err != nil {
				return
			}
			dx, dScale, dShift, err := w.f.BatchNormGradient(x.v, scale.v, mean.v, variance.v, d.v, neural.Epsilon, len(x.dims)-1)
			w.receive(x, w.is(dx, err, x.dims...))
			w.receive(scale, w.is(dScale, err, features))
			w.receive(shift, w.is(dShift, err, features))
		}, x, scale, shift)
		return y, mean, variance
	}
	axes := count(0, len(x.dims)-1)
	share := float64(features)
	for _, n := range x.dims {
		share /= float64(n)
	}
	wide := func(v *tensor) *tensor { return w.lastAxis(v, len(x.dims)) }
	var unit, inverse *tensor
	y = w.custom(func() *tensor {
		mean = w.scale(w.sum(x, axes...), share)
		centred := w.sub(x, wide(mean))
		variance = w.scale(w.sum(w.mul(centred, centred), axes...), share)
		inverse = wide(w.div(w.scalar(1), w.unary(w.f.Sqrt, w.shift(variance, neural.Epsilon))))
		unit = w.mul(centred, inverse)
		return w.add(w.mul(unit, wide(scale)), wide(shift))
	}, func(d *tensor) {
		dShift, dScale := w.sum(d, axes...), w.sum(w.mul(d, unit), axes...)
		w.receive(shift, dShift)
		w.receive(scale, dScale)
		if x.grad {
			d = w.sub(w.sub(d, w.scale(wide(dShift), share)), w.mul(unit, w.scale(wide(dScale), share)))
			w.receive(x, w.mul(d, w.mul(inverse, wide(scale))))
		}
	}, x, scale, shift)
	return y, mean, variance
}

// normalise is batch norm by a given mean and variance.
func (w *writer) normalise(x, scale, shift, mean, variance *tensor) *tensor {
	a := w.div(w.scalar(1), w.unary(w.f.Sqrt, w.shift(variance, neural.Epsilon)))
	if scale != nil {
		a = w.mul(a, scale)
	}
	b := w.unary(w.f.Neg, w.mul(a, mean))
	if shift != nil {
		b = w.add(b, shift)
	}
	return w.add(w.mul(x, w.lastAxis(a, len(x.dims))), w.lastAxis(b, len(x.dims)))
}

// linearRows is the most tokens of which causal linear attention multiplies all queries with
// all keys.
const linearRows = 64

// attention mixes tokens. Queries of all heads that share keys go together, as one
// axis.
func (w *writer) attention(o neural.Attention, n node) *tensor {
	heads, keyHeads, d, e := o.Dims(n.of[0], n.of[1], n.of[2])
	batch, queries, keys, share := n.in[0].dims[0], n.of[0][0], n.of[1][0], heads/keyHeads
	q := w.reshape(n.in[0], batch, queries, keyHeads, share, d)
	k := w.reshape(n.in[1], batch, keys, keyHeads, d)
	v := w.reshape(n.in[2], batch, keys, keyHeads, e)
	if o.Type.Linear() {
		q, k = w.positive(o.Type, q), w.positive(o.Type, k)
		if o.Type.Reweights() {
			cos, sin := o.Places(queries, keys)
			q, k = w.places(q, cos, sin), w.places(k, cos, sin)
		}
		if o.Causal {
			return w.causal(q, k, v)
		}
	}
	var y *tensor // batch×key heads×queries×share×e
	if o.Type.Linear() {
		all := w.dot(k, []int{1}, []int{0, 2}, v, []int{1}, []int{0, 2}) // batch×key heads×d×e
		y = w.dot(q, []int{4}, []int{0, 2}, all, []int{2}, []int{0, 1})
		total := w.dot(q, []int{4}, []int{0, 2}, w.sum(k, 1), []int{2}, []int{0, 1})
		total = w.reshape(w.shift(total, neural.AttentionEpsilon), batch, keyHeads, queries, share, 1)
		y = w.div(y, total)
	} else {
		q = w.scale(q, 1/math.Sqrt(float64(d)))
		at := w.dot(q, []int{4}, []int{0, 2}, k, []int{3}, []int{0, 2}) // batch×key heads×queries×share×keys
		if o.Causal {
			at = w.add(at, w.triangle(0, queries, 0, -1e30, 1, 1, queries, 1, queries))
		}
		y = w.dot(w.softmax(at), []int{4}, []int{0, 1}, v, []int{1}, []int{0, 2})
	}
	return w.reshape(w.transpose(y, 0, 2, 1, 3, 4), batch, queries, heads*e)
}

// causal is linear attention of tokens up to each one's own: in a block of tokens by all
// products of queries and keys, and from the blocks before it by their sums of keys times
// values. So its cost grows as the number of tokens.
func (w *writer) causal(q, k, v *tensor) *tensor {
	batch, n, heads, share, e := q.dims[0], q.dims[1], q.dims[2], q.dims[3], v.last()
	blocks := (n + linearRows - 1) / linearRows
	size := (n + blocks - 1) / blocks
	cut := func(x *tensor) *tensor { // tokens of zeros at the end change nothing before them
		pads := make([]compute.PadAxis, len(x.dims))
		pads[1].End = blocks*size - n
		return w.reshape(w.pad(x, 0, pads), append([]int{batch, blocks, size}, x.dims[2:]...)...)
	}
	q, k, v = cut(q), cut(k), cut(v)
	in, of := []int{0, 1, 3}, []int{0, 1, 2} // axes of batch, block and head in what was cut, and in products
	at := w.dot(q, []int{5}, in, k, []int{4}, in)
	at = w.mul(at, w.triangle(0, size, 1, 0, 1, 1, 1, size, 1, size))
	y, total := w.dot(at, []int{5}, of, v, []int{2}, in), w.sumLast(at) // batch×blocks×heads×size×share×e, and 1
	if blocks > 1 {
		before := func(x *tensor) *tensor { // sums over the blocks before each
			order := count(0, len(x.dims))
			order[0], order[1] = 1, 0
			return w.transpose(w.dot(w.triangle(1, blocks, 1, 0, blocks, blocks), []int{1}, nil, x, []int{1}, nil), order...)
		}
		y = w.add(y, w.dot(q, []int{5}, in, before(w.dot(k, []int{2}, in, v, []int{2}, in)), []int{3}, of))
		total = w.add(total, w.reshape(w.dot(q, []int{5}, in, before(w.sum(k, 2)), []int{3}, of), total.dims...))
	}
	y = w.div(y, w.shift(total, neural.AttentionEpsilon))
	return w.part(w.reshape(w.transpose(y, 0, 1, 3, 2, 4, 5), batch, blocks*size, heads*share*e), 1, 0, n)
}

// positive is φ of linear attention.
func (w *writer) positive(kind neural.AttentionKind, x *tensor) *tensor {
	if !kind.ELU() {
		x, _ = w.activation(neural.ReLU, x)
		return x
	}
	var below *tensor // the slope, which is 1 from 0 on
	return w.custom(func() *tensor {
		below = w.exp(w.binary(w.f.Min, x, w.scalar(0)))
		return w.add(w.relu(x), below)
	}, func(d *tensor) { w.receive(x, w.mul(d, below)) }, x)
}

// places multiplies the features of the tokens, the second axis, by cosines, and beside
// them by sines.
func (w *writer) places(x *tensor, cos, sin []float32) *tensor {
	dims := make([]int, len(x.dims))
	for i := range dims {
		dims[i] = 1
	}
	n := x.dims[1]
	dims[1] = n
	return w.concat(len(dims)-1, w.mul(x, w.constant(cos[:n], dims...)), w.mul(x, w.constant(sin[:n], dims...)))
}

// triangle is n×n numbers: one where the column is at least so many places before the row,
// and another elsewhere.
func (w *writer) triangle(back, n int, before, after float32, dims ...int) *tensor {
	m := make([]float32, 0, n*n)
	for i := range n {
		for j := range n {
			if j <= i-back {
				m = append(m, before)
			} else {
				m = append(m, after)
			}
		}
	}
	return w.constant(m, dims...)
}
