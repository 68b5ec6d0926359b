package nets

import (
	"fmt"

	"github.com/daedalus-search/daedalus/neural"
)

// A ChainOp is a layer of a [Macro] network.
type ChainOp uint8

// The layers in the order of the benchmark.
const (
	Pass     ChainOp = iota // identity; where the shape changes, a 1×1 convolution and batch normalisation
	Invert33                // inverted residual with a kernel of 3 and an expansion of 3
	Invert56                // with 5 and 6
)

// Macro is a network of NAS-Bench-Macro: a chain of eight layers, of which the
// first, third and sixth halve the image and double the channels (Su et al. 2021).
type Macro struct {
	Ops      [8]ChainOp
	Channels int          // of the stem; 0 means 32
	Classes  int          // 0 means 10
	Image    neural.Shape // 0 means 3×32×32
}

// Graph builds the network.
func (n Macro) Graph() (*neural.Graph, error) {
	b := begin("nas-bench-macro")
	channels := or(n.Channels, 32)
	x := b.block("stem", "stem", b.Input("image", image(n.Image)), func(x neural.Value) neural.Value {
		return b.convNorm("", neural.Conv{Out: channels, Kernel: 3}, neural.ReLU, x)
	})
	for i, o := range n.Ops {
		stride := 1
		if i == 0 || i == 2 || i == 5 {
			channels *= 2
			stride = 2
		}
		name := fmt.Sprintf("layer%d", i+1)
		switch o {
		case Pass:
			if stride == 2 {
				x = b.block(name, "identity /2", x, func(x neural.Value) neural.Value {
					return b.convNorm("pass_", neural.Conv{Out: channels, Stride: 2}, "", x)
				})
			}
		case Invert33, Invert56:
			m := inverted{out: channels, kernel: 1 + 2*int(o), hidden: 3 * int(o) * b.Shape(x).Features(), stride: stride, act: neural.ReLU, prefix: fmt.Sprintf("k%d_", 1+2*int(o))}
			x = m.add(b, name, x)
		default:
			b.Errorf("layer %d: found the operation %d, want 0, 1 or 2", i+1, o)
		}
	}
	x = b.block("head", "", x, func(x neural.Value) neural.Value {
		x = b.convNorm("", neural.Conv{Out: 1280}, neural.ReLU, x)
		return b.classify(or(n.Classes, 10), x)
	})
	return b.Build(x)
}

// inverted is an inverted residual: 1×1 up, depthwise, 1×1 down, with a shortcut
// where the shape stays (Sandler et al. 2018).
type inverted struct {
	out, kernel, hidden, stride int
	act                         neural.Func
	squeeze                     bool   // with a factor for each channel after the depthwise convolution
	prefix                      string // of the nodes' names, where weights cannot be shared
	dropPath                    float64
}

func (m inverted) label(in int) string {
	s := fmt.Sprintf("MBConv %d×%d", m.kernel, m.kernel)
	if in > 0 {
		s += fmt.Sprintf(" ×%.3g", float64(m.hidden)/float64(in))
	}
	if m.squeeze {
		s += " SE"
	}
	if m.stride > 1 {
		s += fmt.Sprintf(" /%d", m.stride)
	}
	return s
}

func (m inverted) add(b parts, name string, x neural.Value) neural.Value {
	in := b.Shape(x).Features()
	return b.block(name, m.label(in), x, func(x neural.Value) neural.Value {
		y := x
		if m.hidden != in {
			y = b.convNorm(m.prefix+"expand_", neural.Conv{Out: m.hidden}, m.act, y)
		}
		y = b.convNorm(m.prefix+"depth_", neural.Conv{Kernel: m.kernel, Stride: m.stride, Groups: neural.Depthwise}, m.act, y)
		if m.squeeze {
			y = b.squeeze(round8(float64(m.hidden/4)), y)
		}
		y = b.convNorm(m.prefix+"project_", neural.Conv{Out: m.out}, "", y)
		if m.stride != 1 || in != m.out {
			return y
		}
		if m.dropPath > 0 {
			y = b.Named(m.prefix+"droppath", neural.DropPath{Rate: m.dropPath}, y)
		}
		return b.Named(m.prefix+"sum", neural.Add{}, x, y)
	})
}
