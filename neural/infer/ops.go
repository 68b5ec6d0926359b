package infer

import (
	"fmt"
	"math"

	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/internal/kernel"
)

// Inside, images lie as height×width×channels, so that the features of a place lie
// together for every value: rows of features.

// node adds the steps of a node.
func (c *compiler) node(i int) error {
	node := c.g.Node(i)
	if c.start[i] >= 0 {
		return c.mix(c.start[i], i)
	}
	s := c.g.Node(node.In[0]).Shape
	x := c.values[node.In[0]]
	features := s.Features()
	rows := c.batch * int(s.Places())
	p := c.pool
	reads := make([]*buffer, len(node.In))
	for k, j := range node.In {
		reads[k] = c.values[j]
	}
	to := c.room(node.Shape)
	apply := func(kind string, run func()) { c.add(i, kind, to, x, reads, run) } // number by number
	plain := func(kind string, run func()) { c.add(i, kind, to, nil, reads, run) }
	switch o := node.Op.(type) {
	case neural.BatchNorm:
		var scale, shift []float32
		if !o.Plain {
			scale, shift = c.weight(i, "scale"), c.weight(i, "shift")
		}
		mean, variance := c.weight(i, "mean"), c.weight(i, "variance")
		if !c.o.BatchStatistics {
			apply("batchnorm", func() {
				kernel.BatchNormForward(p, to.data, x.data, rows, features, mean, variance, scale, shift, neural.Epsilon)
			})
			break
		}
		mean, variance = make([]float32, features), make([]float32, features)
		c.norms[i] = [2][]float32{mean, variance}
		apply("batchnorm", func() {
			kernel.MeanVariance(p, mean, variance, x.data, rows, features)
			kernel.BatchNormForward(p, to.data, x.data, rows, features, mean, variance, scale, shift, neural.Epsilon)
		})
	case neural.LayerNorm:
		scale, shift := c.weight(i, "scale"), c.weight(i, "shift")
		apply("layernorm", func() {
			kernel.LayerNormForward(p, to.data, nil, nil, x.data, rows, features, scale, shift, neural.Epsilon)
		})
	case neural.Activation:
		f, err := function(o.Func)
		if err != nil {
			return err
		}
		apply("activation", func() { f.ApplyAll(p, to.data, x.data) })
	case neural.Softmax:
		apply("softmax", func() { kernel.SoftmaxForward(p, to.data, x.data, rows, features) })
	case neural.MaxPool:
		kernelSize, stride := o.Window()
		win := c.window(s, node.Shape, kernelSize, stride, o.Pad)
		plain("maxpool", func() { win.MaxForward(p, to.data, x.data) })
	case neural.AvgPool:
		kernelSize, stride := o.Window()
		c.avgPool(i, c.window(s, node.Shape, kernelSize, stride, o.Pad), to, x)
	case neural.GlobalPool:
		places := int(s.Places())
		scale := 1 / float32(places)
		plain("globalpool", func() {
			kernel.Reduce(p, kernel.SumOf, to.data, x.data, c.batch, places, features)
			kernel.Mul.ApplyRight(to.data, to.data, scale)
		})
	case neural.Upsample:
		f := node.Shape[1] / s[1]
		w := s[2] * features
		plain("upsample", func() {
			for y := range c.batch * s[1] {
				row := to.data[y*f*f*w:][:f*w]
				for q := range s[2] {
					for k := range f {
						copy(row[(q*f+k)*features:], x.data[y*w+q*features:][:features])
					}
				}
				for k := 1; k < f; k++ {
					copy(to.data[(y*f+k)*f*w:], row)
				}
			}
		})
	case neural.Identity, neural.Dropout, neural.DropPath, neural.ToTokens, neural.ToImage:
		c.same(i, x)
		c.turned[i] = c.turned[node.In[0]]
	case neural.Flatten:
		pixels := 1
		if s.Image() {
			pixels = s[1] * s[2]
		}
		if pixels == 1 || features == 1 || !s.Image() {
			c.same(i, x)
		} else if c.onlyMixed(i) {
			c.same(i, x)
			c.turned[i] = true
		} else {
			plain("transpose", func() { kernel.Transpose(p, to.data, x.data, c.batch, pixels, features) })
		}
	case neural.Shuffle:
		groups := max(o.Groups, 1)
		if o.Groups == 0 {
			groups = 2
		}
		plain("shuffle", func() { kernel.Transpose(p, to.data, x.data, rows, groups, features/groups) })
	case neural.Zero:
		to.data = make([]float32, to.size) // nobody writes there
		c.values[i] = to
	case neural.Slice:
		axis, from, end := o.Range(s)
		before, size, after := c.around(s, axis)
		n := (end - from) * after
		plain("copy", func() {
			for b := range before {
				copy(to.data[b*n:(b+1)*n], x.data[(b*size+from)*after:])
			}
		})
	case neural.Concat:
		plain("copy", c.concat(o, node, to, reads))
	case neural.Add:
		run := func() {
			kernel.Add.ApplyAll(p, to.data, reads[0].data, reads[1].data)
			for _, b := range reads[2:] {
				kernel.Add.ApplyAll(p, to.data, to.data, b.data)
			}
		}
		over := x
		for _, b := range reads[2:] {
			if b == x { // it is read again after the result was begun
				over = nil
			}
		}
		c.add(i, "add", to, over, reads, run)
	case neural.Multiply:
		if c.g.Node(node.In[1]).Shape == s {
			apply("multiply", func() { kernel.Mul.ApplyAll(p, to.data, x.data, reads[1].data) })
			break
		}
		each := int(s.Elements())
		run := func() {
			for b := range c.batch {
				kernel.Mul.ApplyRowRight(to.data[b*each:][:each], x.data[b*each:], reads[1].data[b*features:][:features])
			}
		}
		apply("multiply", run)
	case neural.Attention:
		c.attention(i, o, to, reads)
	case neural.Embedding:
		w := c.weight(i, "weight")
		plain("embedding", func() {
			for k, v := range x.data {
				if !(v >= 0 && v < float32(o.Size) && v == float32(int(v))) {
					*c.fault = &neural.NodeError{Node: node.Name, Op: o.String(), Err: fmt.Errorf("found %g as number %d, want a whole number below %d", v, k+1, o.Size)}
					v = 0
				}
				copy(to.data[k*o.Out:], w[int(v)*o.Out:][:o.Out])
			}
		})
	case neural.Position:
		w := c.weight(i, "weight")
		apply("add", func() {
			for b := range c.batch {
				kernel.Add.Apply(to.data[b*len(w):][:len(w)], x.data[b*len(w):], w)
			}
		})
	case neural.ClassToken:
		w := c.weight(i, "weight")
		n, m := int(node.Shape.Elements()), int(s.Elements())
		plain("copy", func() {
			for b := range c.batch {
				copy(to.data[b*n:], w)
				copy(to.data[b*n+len(w):(b+1)*n], x.data[b*m:])
			}
		})
	default:
		return errUnsupported
	}
	return nil
}

// same makes a node's value that of its operand.
func (c *compiler) same(i int, x *buffer) { c.values[i] = x }

// onlyMixed reports whether every reader of a vector is a linear operator, which can
// have its weight in the vector's order.
func (c *compiler) onlyMixed(i int) bool {
	if c.pinned[i] || c.watched[i] {
		return false
	}
	for _, k := range c.readers[i] {
		switch c.g.Node(k).Op.(type) {
		case neural.Linear:
		case neural.Identity, neural.Dropout, neural.DropPath:
			if !c.onlyMixed(k) {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// image returns the image that a turned vector was.
func (c *compiler) image(i int) neural.Shape {
	for !c.g.Node(i).Shape.Image() {
		i = c.g.Node(i).In[0]
	}
	return c.g.Node(i).Shape
}

// mix adds a convolution or linear operator with all that is computed together with it,
// up to the node end.
func (c *compiler) mix(i, end int) error {
	node := c.g.Node(i)
	s := c.g.Node(node.In[0]).Shape
	x := c.values[node.In[0]]
	reads := []*buffer{x}
	var fused []string

	var out int
	var bias []float32
	switch o := node.Op.(type) {
	case neural.Conv:
		f := o.Full(s[0])
		if out = f.Out; f.Bias {
			bias = c.weight(i, "bias")
		}
	case neural.Linear:
		if out = o.Out; o.Bias {
			bias = c.weight(i, "bias")
		}
	}
	factor := make([]float64, out)
	summand := make([]float64, out)
	for k := range factor {
		factor[k] = 1
		if bias != nil {
			summand[k] = float64(bias[k])
		}
	}
	var e kernel.Epilogue
	var residual *buffer
	shifted, scaled := bias != nil, false
	for at := i; at != end; {
		next := c.readers[at][0]
		n := c.g.Node(next)
		switch o := n.Op.(type) {
		case neural.BatchNorm:
			mean, variance := c.weight(next, "mean"), c.weight(next, "variance")
			for k := range factor {
				f := 1 / math.Sqrt(float64(variance[k])+neural.Epsilon)
				shift := 0.0
				if !o.Plain {
					f *= float64(c.weight(next, "scale")[k])
					shift = float64(c.weight(next, "shift")[k])
				}
				factor[k] = f
				summand[k] = (summand[k]-float64(mean[k]))*f + shift
			}
			shifted, scaled = true, true
		case neural.Add:
			other := n.In[0]
			if other == at {
				other = n.In[1]
			}
			residual = c.values[other]
			reads = append(reads, residual)
		case neural.Activation:
			f, err := function(o.Func)
			if err != nil {
				return err
			}
			e.Func, e.Do = f, true
		}
		fused = append(fused, n.Name)
		at = next
	}
	if shifted {
		e.Bias = make([]float32, out)
		for k, v := range summand {
			e.Bias[k] = float32(v)
		}
	}
	to := c.room(c.g.Node(end).Shape)
	p := c.pool
	w := c.weight(i, "weight")
	var kind string
	var run func()
	switch o := node.Op.(type) {
	case neural.Conv:
		f := o.Full(s[0])
		in := s[0] / f.Groups
		shape := node.Shape
		conv := kernel.Conv{
			N: c.batch, H: s[1], W: s[2], C: s[0], K: out, R: f.Kernel, S: f.KernelWide, StrideH: f.Stride, StrideW: f.StrideWide, DilationH: f.Dilation, DilationW: f.Dilation,
			Top: f.Pad.Sides(f.Kernel, f.Dilation), Left: f.Pad.Sides(f.KernelWide, f.Dilation), OutH: shape[1], OutW: shape[2], Groups: f.Groups,
		}
		turned := make([]float32, len(w))
		kernel.Permute(nil, turned, w, []int{out, in, f.Kernel * f.KernelWide}, []int{2, 1, 0})
		if scaled {
			for k, x := range turned {
				turned[k] = float32(float64(x) * factor[k%out])
			}
		}
		filter := kernel.NewFilter(conv, turned)
		if kind = "conv"; conv.Depthwise() {
			kind = "depthwise"
		}
		run = func() { filter.Forward(p, to.data, x.data, &e) }
	case neural.Linear:
		features, rows := s.Features(), c.batch*int(s.Places())
		turned := make([]float32, len(w))
		pixels := 1
		if c.turned[node.In[0]] {
			image := c.image(node.In[0])
			pixels = image[1] * image[2]
		}
		channels := features / pixels
		for k := range out {
			row := turned[k*features:][:features]
			for ch := range channels {
				for q := range pixels {
					row[q*channels+ch] = float32(float64(w[k*features+ch*pixels+q]) * factor[k])
				}
			}
		}
		matrix := kernel.NewMatrix(features, out, turned, true)
		kind = "matmul"
		run = func() { matrix.Mul(p, to.data, rows, x.data, &e) }
	}
	if residual != nil {
		inner := run
		run = func() {
			e.Add = residual.data
			inner()
		}
	}
	c.add(end, kind, to, nil, reads, run)
	last := &c.steps[len(c.steps)-1].Step
	last.Op, last.In, last.MACs = node.Op.String(), []neural.Shape{s}, neural.MACs(node.Op, node.Shape, s)
	if len(fused) > 0 {
		last.Fused = append([]string{node.Name}, fused...)
	}
	return nil
}

func (c *compiler) window(s, to neural.Shape, size, stride int, pad neural.Padding) kernel.Window {
	side := pad.Sides(size, 1)
	return kernel.Window{N: c.batch, H: s[1], W: s[2], C: s[0], R: size, S: size, StrideH: stride, StrideW: stride, Top: side, Left: side, OutH: to[1], OutW: to[2]}
}

// avgPool adds a mean of those pixels of windows that lie inside.
func (c *compiler) avgPool(i int, win kernel.Window, to, x *buffer) {
	p := c.pool
	counts := make([]int, win.OutH*win.OutW)
	win.Counts(counts)
	inverse := make([]float32, len(counts))
	even := true
	for k, n := range counts {
		inverse[k] = 1 / float32(n)
		even = even && n == counts[0]
	}
	c.add(i, "avgpool", to, nil, []*buffer{x}, func() {
		win.SumForward(p, to.data, x.data)
		if even {
			kernel.Mul.ApplyRight(to.data, to.data, inverse[0])
			return
		}
		for k := range c.batch * len(inverse) {
			pixel := to.data[k*win.C:][:win.C]
			kernel.Mul.ApplyRight(pixel, pixel, inverse[k%len(inverse)])
		}
	})
}

// around returns how many numbers lie before an axis of a shape, on it and after it,
// inside.
func (c *compiler) around(s neural.Shape, axis int) (before, size, after int) {
	sizes := s.Sizes()
	if s.Image() {
		sizes = []int{s[1], s[2], s[0]}
		axis = (axis + 2) % 3
	}
	before, after = c.batch, 1
	for k, n := range sizes {
		switch {
		case k < axis:
			before *= n
		case k > axis:
			after *= n
		}
	}
	return before, sizes[axis], after
}

func (c *compiler) concat(o neural.Concat, node neural.Node, to *buffer, reads []*buffer) func() {
	axis := o.Index(node.Shape)
	before, size, after := c.around(node.Shape, axis)
	parts := make([]int, len(reads))
	for k, j := range node.In {
		_, parts[k], _ = c.around(c.g.Node(j).Shape, axis)
	}
	return func() {
		at := 0
		for k, b := range reads {
			n := parts[k] * after
			for r := range before {
				copy(to.data[(r*size+at)*after:], b.data[r*n:(r+1)*n])
			}
			at += parts[k]
		}
	}
}
