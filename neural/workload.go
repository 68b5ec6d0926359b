package neural

// A LayerType is what kind of loop nest a [Workload] is.
type LayerType uint8

// The types of layers.
const (
	ConvLayer      LayerType = iota // convolution, also grouped
	DepthwiseLayer                  // convolution of each channel by itself
	MatMulLayer                     // product of activations by weights, a linear operator
	ProductLayer                    // product of activations by activations, in attention
	PoolLayer                       // windows without weights
	EltwiseLayer                    // number by number
	MoveLayer                       // moves numbers only
)

var layerTypes = [...]string{"conv", "depthwise", "matmul", "product", "pool", "eltwise", "move"}

func (t LayerType) String() string { return name(layerTypes[:], int(t), "LayerType") }

// MarshalText writes the type's name.
func (t LayerType) MarshalText() ([]byte, error) {
	return marshalName(layerTypes[:], int(t), "layer type")
}

// A Workload is one layer as models of accelerators see it: the loop nest
//
//	for n, k, c, p, q, r, s: out[n,k,p,q] += weight[k,c,r,s] · in[n,c,p·stride+r·dilation,q·strideWide+s·dilation]
//
// In a grouped layer K and C are those of one group. A matrix product of [P, C] by
// [C, K] has Q, R and S of 1; Groups of them are computed side by side, one for
// each head of attention.
type Workload struct {
	Node                              string // that it belongs to
	Type                              LayerType
	N, K, C, P, Q, R, S               int // examples, channels out and in, height and width of the result and of the kernel
	Stride, StrideWide, Dilation, Pad int
	PadWide, Groups                   int
	In, Weights, Out                  int64 // numbers read, read of weights, written
	MACs                              int64 // of a layer without: 0
}

// Workloads returns the layers in the order in which they run, for one example.
// Views are none; attention is two layers, or three if it is linear.
func (g *Graph) Workloads() []Workload {
	out := make([]Workload, 0, len(g.nodes))
	var shapes []Shape
	for i, n := range g.nodes {
		if g.work[i].how == given || g.work[i].how == shared {
			continue
		}
		shapes = g.shapes(shapes, i)
		in := shapes[0]
		w := Workload{
			Node: n.Name, N: 1, K: 1, C: 1, P: 1, Q: 1, R: 1, S: 1, Stride: 1, StrideWide: 1, Dilation: 1, Groups: 1,
			Weights: g.work[i].params + g.work[i].state, Out: n.Shape.Elements(), MACs: g.work[i].macs,
		}
		for _, s := range shapes {
			w.In += s.Elements()
		}
		w.K, w.C = n.Shape.Features(), in.Features()
		switch {
		case n.Shape.Image():
			w.P, w.Q = n.Shape[1], n.Shape[2]
		default:
			w.P = int(n.Shape.Places())
		}
		switch o := n.Op.(type) {
		case Conv:
			f := o.Full(in[0])
			w.R, w.S, w.Stride, w.StrideWide, w.Dilation, w.Groups = f.Kernel, f.KernelWide, f.Stride, f.StrideWide, f.Dilation, f.Groups
			w.Pad, w.PadWide = f.Pad.Sides(f.Kernel, f.Dilation), f.Pad.Sides(f.KernelWide, f.Dilation)
			w.K, w.C = f.Out/f.Groups, in[0]/f.Groups
			if w.Type = ConvLayer; f.Groups > 1 && w.C == 1 {
				w.Type = DepthwiseLayer
			}
		case Linear:
			w.Type = MatMulLayer
		case MaxPool:
			w.pool(in, o.Kernel, o.Stride, o.Pad)
		case AvgPool:
			w.pool(in, o.Kernel, o.Stride, o.Pad)
		case GlobalPool:
			w.Type, w.Groups, w.K, w.C = PoolLayer, in.Features(), 1, 1
			if in.Image() {
				w.R, w.S = in[1], in[2]
			} else {
				w.R = in[0]
			}
		case Attention:
			out = o.workloads(out, w, shapes)
			continue
		case Embedding:
			w.Type, w.Weights = MoveLayer, n.Shape.Elements()
		case ToTokens, ToImage, Shuffle, Zero, Slice, Concat, ClassToken, Upsample:
			w.Type = MoveLayer
		default:
			w.Type = EltwiseLayer
		}
		if w.Type == EltwiseLayer || w.Type == MoveLayer {
			w.K, w.C, w.Groups = 1, 1, n.Shape.Features()
		}
		out = append(out, w)
	}
	return out
}

func (w *Workload) pool(in Shape, kernel, stride int, pad Padding) {
	k := or(kernel, 2)
	w.Type, w.Groups, w.K, w.C, w.R, w.S = PoolLayer, in[0], 1, 1, k, k
	w.Stride, w.StrideWide = or(stride, 1), or(stride, 1)
	w.Pad, w.PadWide = pad.Sides(k, 1), pad.Sides(k, 1)
}

// workloads appends the products that attention is made of.
func (o Attention) workloads(to []Workload, w Workload, in []Shape) []Workload {
	heads, keyHeads, d, e := o.Dims(in[0], in[1], in[2])
	n, m := in[0][0], in[1][0]
	product := func(part string, groups, rows, inner, columns int, read int64) {
		x := w
		x.Node += "/" + part
		x.Type, x.Groups, x.P, x.Q, x.C, x.K, x.Weights = ProductLayer, groups, rows, 1, inner, columns, 0
		x.MACs = int64(groups) * int64(rows) * int64(inner) * int64(columns)
		x.In, x.Out = read, int64(groups)*int64(rows)*int64(columns)
		to = append(to, x)
	}
	q, k, v := in[0].Elements(), in[1].Elements(), in[2].Elements()
	if !o.Type.Linear() {
		product("scores", heads, n, d, m, q+k)
		product("values", heads, n, m, e, int64(heads)*int64(n)*int64(m)+v)
		return to
	}
	if o.Type.Reweights() {
		d, q, k = 2*d, 2*q, 2*k
	}
	state := int64(keyHeads) * int64(d)
	product("state", keyHeads, d, m, e, k+v)
	product("values", heads, n, d, e, q+state*int64(e))
	product("norm", heads, n, d, 1, q+state)
	return to
}
