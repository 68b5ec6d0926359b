// Package randnet makes random networks for tests: every operator, on small values.
package randnet

import (
	"math/rand/v2"

	"github.com/daedalus-search/daedalus/neural"
)

// New returns a network of about n operators with one or two outputs. It fails
// only if the generator and the operators disagree on what is allowed.
func New(r *rand.Rand, n int) (*neural.Graph, error) {
	w := &walk{Rand: r, b: neural.NewBuilder("random")}
	w.keep(w.b.Input("image", neural.Shape{w.of(1, 2, 3, 4), w.of(3, 4, 5, 7), w.of(3, 4, 6)}))
	w.keep(w.b.Input("vector", neural.Shape{w.of(1, 3, 8)}))
	ids := w.b.Named("ids", neural.Input{Shape: neural.Shape{w.of(2, 5)}, Below: 7})
	w.keep(w.b.Add(neural.Embedding{Size: 7, Out: w.of(2, 4, 6)}, ids))
	if w.IntN(3) == 0 {
		w.keep(ids)
	}
	for i := 0; i < n; {
		if w.IntN(4) > 0 {
			w.step()
			i++
			continue
		}
		k := 1 + w.IntN(min(4, n-i))
		w.b.Block(w.name(i), [...]string{"", "part"}[w.IntN(2)], func() {
			for range k {
				w.step()
			}
		})
		i += k
	}
	out := []neural.Value{w.values[len(w.values)-1]}
	if w.IntN(2) == 0 {
		out = append(out, w.pick(w.values))
	}
	return w.b.Build(out...)
}

type walk struct {
	*rand.Rand
	b      *neural.Builder
	values []neural.Value
}

func (w *walk) of(options ...int) int { return options[w.IntN(len(options))] }
func (w *walk) coin() bool            { return w.IntN(2) == 0 }

func (w *walk) name(i int) string { return "block" + string(rune('a'+i%26)) + string(rune('a'+i/26)) }

func (w *walk) keep(v neural.Value) {
	if w.b.Shape(v).Elements() <= 400 {
		w.values = append(w.values, v)
	}
}

// pick prefers late values, so that networks become deep.
func (w *walk) pick(from []neural.Value) neural.Value {
	return from[len(from)-1-min(w.IntN(len(from)), w.IntN(len(from)))]
}

// like returns a value of a shape that w already has; in the worst case v.
func (w *walk) like(v neural.Value, ok func(neural.Shape) bool) neural.Value {
	var all []neural.Value
	for _, u := range w.values {
		if ok(w.b.Shape(u)) {
			all = append(all, u)
		}
	}
	if len(all) == 0 {
		return v
	}
	return w.pick(all)
}

func (w *walk) step() {
	x := w.pick(w.values)
	s := w.b.Shape(x)
	in := []neural.Value{x}
	var o neural.Op
	switch k := w.IntN(12); {
	case k < 5 && s.Image():
		o = w.image(s)
	case k < 5 && s.Axes() == 2:
		if w.IntN(3) == 0 {
			w.attend(x)
			return
		}
		o = w.tokens(s)
	case k < 5:
		o = w.vector(s)
	case k == 5:
		o = neural.Add{}
		for range 1 + w.IntN(2) {
			in = append(in, w.like(x, func(t neural.Shape) bool { return t == s }))
		}
	case k == 6:
		o = neural.Multiply{}
		in = append(in, w.like(x, func(t neural.Shape) bool { return t == s || t == neural.Shape{s.Features()} }))
	case k == 7:
		axis := w.axis(s)
		o = neural.Concat{Axis: axis}
		at := o.(neural.Concat).Index(s)
		in = append(in, w.like(x, func(t neural.Shape) bool {
			if t.Axes() != s.Axes() {
				return false
			}
			t[at] = s[at]
			return t == s
		}))
	case k == 8:
		axis := w.axis(s)
		size := s[neural.Concat{Axis: axis}.Index(s)]
		from := w.IntN(size)
		to := from + 1 + w.IntN(size-from)
		if to == size && w.coin() {
			to = 0
		}
		o = neural.Slice{Axis: axis, From: from, To: to}
	case k == 9:
		funcs := neural.Funcs()
		o = neural.Activation{Func: funcs[w.IntN(len(funcs))]}
	default:
		o = []neural.Op{
			neural.BatchNorm{}, neural.BatchNorm{Plain: true}, neural.LayerNorm{}, neural.Softmax{}, neural.Identity{},
			neural.Zero{}, neural.Dropout{Rate: 0.25}, neural.DropPath{Rate: 0.5}, neural.Flatten{},
		}[w.IntN(9)]
	}
	w.keep(w.b.Add(o, in...))
}

func (w *walk) axis(s neural.Shape) neural.Axis {
	switch s.Axes() {
	case 1:
		return neural.Features
	case 2:
		return neural.Axis(w.IntN(2))
	}
	return []neural.Axis{neural.Features, neural.Height, neural.Width}[w.IntN(3)]
}

func (w *walk) pad() neural.Padding { return neural.Padding(w.IntN(2)) }

func (w *walk) image(s neural.Shape) neural.Op {
	side := min(s[1], s[2])
	switch w.IntN(8) {
	case 0, 1, 2:
		c := neural.Conv{Kernel: w.of(1, 3), Stride: w.of(0, 1, 2), Pad: neural.Same, Bias: w.coin()}
		switch w.IntN(4) {
		case 0:
			c.Groups, c.Dilation = neural.Depthwise, w.of(0, 1, 2)
		case 1:
			c.KernelWide, c.Out, c.StrideWide = w.of(1, 3, 5), w.of(2, 3, 6), w.of(0, 1, 2)
		case 2:
			if c.Out = w.of(2, 4); s[0]%2 == 0 {
				c.Groups = 2
			}
		default:
			if c.Out = w.of(1, 5); side >= 3 {
				c.Pad = neural.Valid
			}
		}
		return c
	case 3:
		return neural.MaxPool{Kernel: w.window(side), Stride: w.of(0, 1, 2), Pad: w.pad()}
	case 4:
		return neural.AvgPool{Kernel: w.window(side), Stride: w.of(0, 1, 2), Pad: w.pad()}
	case 5:
		return []neural.Op{neural.GlobalPool{}, neural.ToTokens{}, neural.ToTokens{}, neural.Zero{Stride: 2}}[w.IntN(4)]
	case 6:
		return neural.Upsample{Factor: w.of(0, 1, 3)}
	}
	if s[0]%2 != 0 {
		return neural.Shuffle{Groups: s[0]}
	}
	return neural.Shuffle{}
}

func (w *walk) window(side int) int {
	if side >= 3 {
		return w.of(0, 2, 3)
	}
	return 1
}

func (w *walk) tokens(s neural.Shape) neural.Op {
	switch w.IntN(6) {
	case 0, 1:
		return neural.Linear{Out: w.of(2, 4, 6), Bias: w.coin()}
	case 2:
		return neural.Position{}
	case 3:
		return neural.ClassToken{Count: w.of(0, 2)}
	case 4:
		for h := w.of(1, 2, 3); ; h-- {
			if s[0]%h == 0 {
				return neural.ToImage{Height: h}
			}
		}
	}
	return neural.GlobalPool{}
}

func (w *walk) vector(s neural.Shape) neural.Op {
	return neural.Linear{Out: w.of(1, 3, 8), Bias: w.coin()}
}

func (w *walk) attend(x neural.Value) {
	keyHeads := w.of(1, 2)
	each := w.of(1, 2)
	d, e := w.of(1, 2, 3), w.of(1, 2)
	from := w.like(x, func(t neural.Shape) bool { return t.Axes() == 2 })
	o := neural.Attention{Heads: keyHeads * each, KeyHeads: keyHeads, Type: neural.AttentionKind(w.IntN(5))}
	o.Causal = w.coin() && w.b.Shape(from)[0] == w.b.Shape(x)[0]
	q := w.b.Add(neural.Linear{Out: keyHeads * each * d, Bias: true}, x)
	k := w.b.Add(neural.Linear{Out: keyHeads * d}, from)
	v := w.b.Add(neural.Linear{Out: keyHeads * e}, from)
	w.keep(w.b.Add(o, q, k, v))
}

// Inputs returns random numbers that a network can be given.
func Inputs(r *rand.Rand, g *neural.Graph) (in [][]float64) {
	for _, i := range g.Inputs() {
		o := g.Node(i).Op.(neural.Input)
		v := make([]float64, o.Shape.Elements())
		for k := range v {
			if o.Below > 0 {
				v[k] = float64(r.IntN(o.Below))
			} else {
				v[k] = float64(float32(r.Float64()*4 - 2))
			}
		}
		in = append(in, v)
	}
	return in
}

// Weights returns random weights of which none is special.
func Weights(r *rand.Rand, g *neural.Graph) neural.Weights {
	w := neural.Weights{}
	for i := range g.Len() {
		for _, t := range g.Weights(i) {
			v := make([]float32, t.Shape.Elements())
			for k := range v {
				if v[k] = float32(r.Float64() - 0.5); t.State {
					v[k] = float32(0.5 + r.Float64()) // a variance
				}
			}
			w[t.Name] = v
		}
	}
	return w
}
