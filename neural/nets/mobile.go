package nets

import (
	"fmt"
	"math"

	"github.com/daedalus-search/daedalus/neural"
)

// Mobile is a MobileNetV3 whose every layer is free: the space of Once-for-All
// (Howard et al. 2019, Cai et al. 2020).
type Mobile struct {
	Image      neural.Shape // 0 means 3×32×32
	Stem       int          // channels of the first convolution; 0 means 16
	StemStride int          // 0 means 2
	Units      []MobileUnit
	Expand     int     // channels of the last convolution; 0: none
	Mix        int     // features of the layer before the classifier; 0: none
	Classes    int     // 0 means 10
	Dropout    float64 // before the classifier
	DropPath   float64 // of the last layer that has a shortcut, linear from 0 at the first
}

// A MobileUnit is a run of layers of one width; the first may halve the image.
type MobileUnit struct {
	Out     int // channels
	Stride  int // of the first layer; 0 means 1
	Squeeze bool
	Func    neural.Func
	Layers  []MobileLayer // as many as the unit is deep
}

// A MobileLayer is an inverted residual.
type MobileLayer struct {
	Kernel int
	Expand float64 // hidden channels for each channel of the operand, rounded to a multiple of 8
}

// OFA is a network of the Once-for-All space in its released form. Kernels and
// expansions are those of four layers for each of five units, of which Depth says
// how many are there.
type OFA struct {
	Kernels, Expand [20]int // 3, 5 or 7; 3, 4 or 6
	Depth           [5]int  // 2 to 4
	Side            int     // of the image; 0 means 224
	Width           float64 // 1 or 1.2; 0 means 1
	Classes         int     // 0 means 1000
}

// Mobile returns the network in its general form.
func (o OFA) Mobile() (Mobile, error) {
	width := o.Width
	if width == 0 {
		width = 1
	}
	if !(width > 0 && width <= 64) {
		return Mobile{}, fmt.Errorf("width: found %g, want more than 0 and at most 64", width)
	}
	side := or(o.Side, 224)
	wide := func(c float64) int { return round8(c * width) }
	m := Mobile{Image: neural.Shape{3, side, side}, Stem: wide(16), Expand: wide(960), Mix: wide(1280), Classes: or(o.Classes, 1000)}
	m.Units = []MobileUnit{{Out: wide(16), Stride: 1, Func: neural.ReLU, Layers: []MobileLayer{{3, 1}}}}
	for u, c := range []float64{24, 40, 80, 112, 160} {
		unit := MobileUnit{Out: wide(c), Stride: 2, Squeeze: u == 1 || u > 2, Func: neural.ReLU}
		if u == 3 {
			unit.Stride = 1
		}
		if u > 1 {
			unit.Func = neural.HardSwish
		}
		if d := o.Depth[u]; d < 1 || d > 4 {
			return Mobile{}, fmt.Errorf("depth of unit %d: found %d, want 1 to 4", u+1, d)
		}
		for l := range o.Depth[u] {
			unit.Layers = append(unit.Layers, MobileLayer{o.Kernels[4*u+l], float64(o.Expand[4*u+l])})
		}
		m.Units = append(m.Units, unit)
	}
	return m, nil
}

// Graph builds the network.
func (o OFA) Graph() (*neural.Graph, error) {
	m, err := o.Mobile()
	if err != nil {
		return nil, fmt.Errorf("once-for-all: %w", err)
	}
	return m.Graph()
}

// Graph builds the network.
func (m Mobile) Graph() (*neural.Graph, error) {
	b := begin("mobile")
	x := b.Input("image", image(m.Image))
	x = b.block("stem", "stem", x, func(x neural.Value) neural.Value {
		return b.convNorm("", neural.Conv{Out: or(m.Stem, 16), Kernel: 3, Stride: or(m.StemStride, 2)}, neural.HardSwish, x)
	})
	layers, at := -1, 0
	for _, unit := range m.Units {
		layers += len(unit.Layers)
	}
	for u, unit := range m.Units {
		b.Block(fmt.Sprintf("unit%d", u+1), "", func() {
			for l, layer := range unit.Layers {
				hidden := layer.Expand * float64(b.Shape(x).Features())
				if math.IsNaN(hidden) || hidden < 0 || hidden > 1<<20 {
					b.Errorf("unit %d, layer %d: found an expansion of %g of %d channels, want at most %d hidden channels", u+1, l+1, layer.Expand, b.Shape(x).Features(), 1<<20)
					hidden = 0
				}
				v := inverted{out: unit.Out, kernel: layer.Kernel, hidden: round8(hidden), stride: 1, act: unit.Func, squeeze: unit.Squeeze}
				v.dropPath = m.DropPath * float64(at) / float64(max(layers, 1))
				at++
				if l == 0 {
					v.stride = or(unit.Stride, 1)
				}
				x = v.add(b, fmt.Sprintf("layer%d", l+1), x)
			}
		})
	}
	x = b.block("head", "", x, func(x neural.Value) neural.Value {
		if m.Expand > 0 {
			x = b.convNorm("expand_", neural.Conv{Out: m.Expand}, neural.HardSwish, x)
		}
		x = b.Named("pool", neural.GlobalPool{}, x)
		if m.Mix > 0 {
			x = b.Named("mix", neural.Linear{Out: m.Mix}, x)
			x = b.act("mix_", neural.HardSwish, x)
		}
		if m.Dropout > 0 {
			x = b.Named("dropout", neural.Dropout{Rate: m.Dropout}, x)
		}
		return b.Named("classifier", neural.Linear{Out: or(m.Classes, 10), Bias: true}, x)
	})
	return b.Build(x)
}
