package nets

import (
	"fmt"

	"github.com/daedalus-search/daedalus/neural"
)

// parts is a builder with the combinations that families share.
type parts struct{ *neural.Builder }

func begin(name string) parts { return parts{neural.NewBuilder(name)} }

// convNorm is a convolution, batch normalisation and, unless f is empty, an
// activation. Prefix tells several in one block apart.
func (b parts) convNorm(prefix string, c neural.Conv, f neural.Func, x neural.Value) neural.Value {
	x = b.Named(prefix+"conv", c, x)
	x = b.Named(prefix+"bn", neural.BatchNorm{}, x)
	return b.act(prefix, f, x)
}

func (b parts) act(prefix string, f neural.Func, x neural.Value) neural.Value {
	if f == "" {
		return x
	}
	return b.Named(prefix+string(f), neural.Activation{Func: f}, x)
}

// block adds what f makes of a value as a block.
func (b parts) block(name, label string, x neural.Value, f func(x neural.Value) neural.Value) neural.Value {
	b.Block(name, label, func() { x = f(x) })
	return x
}

// classify is the usual end: the mean over all places and a linear classifier.
func (b parts) classify(classes int, x neural.Value) neural.Value {
	x = b.Named("pool", neural.GlobalPool{}, x)
	return b.Named("classifier", neural.Linear{Out: classes, Bias: true}, x)
}

// squeeze multiplies each channel by a factor that depends on the means of all
// (Hu et al. 2018), in the form of MobileNetV3.
func (b parts) squeeze(hidden int, x neural.Value) neural.Value {
	channels := b.Shape(x).Features()
	s := b.Named("se_pool", neural.GlobalPool{}, x)
	s = b.Named("se_reduce", neural.Linear{Out: hidden, Bias: true}, s)
	s = b.Named("se_relu", neural.Activation{Func: neural.ReLU}, s)
	s = b.Named("se_expand", neural.Linear{Out: max(channels, 1), Bias: true}, s)
	s = b.Named("se_gate", neural.Activation{Func: neural.HardSigmoid}, s)
	return b.Named("se", neural.Multiply{}, x, s)
}

// round8 rounds a width to a multiple of 8, at least 8 and not more than a tenth
// down, as the MobileNets do.
func round8(x float64) int {
	n := max(8, int(x+4)/8*8)
	if float64(n) < 0.9*x {
		n += 8
	}
	return n
}

func or(x, zero int) int {
	if x == 0 {
		return zero
	}
	return x
}

// image is the shape of the input; the zero Shape means CIFAR's.
func image(s neural.Shape) neural.Shape {
	if s == (neural.Shape{}) {
		return neural.Shape{3, 32, 32}
	}
	return s
}

func stage(i int) string { return fmt.Sprintf("stage%d", i+1) }
