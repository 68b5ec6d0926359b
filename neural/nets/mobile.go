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
	StemPool   bool         // the maximum of 3×3 pixels halves the image behind the stem
	Func       neural.Func  // of the stem and behind the units; "" means hardswish
	Units      []MobileUnit
	Expand     int     // channels of the last convolution; 0: none
	Flatten    bool    // classify by all places instead of by their mean
	Mix        int     // features of the layer before the classifier; 0: none
	Classes    int     // 0 means 10
	Dropout    float64 // before the classifier
	DropPath   float64 // of the last layer that has a shortcut, linear from 0 at the first
}

// A MobileUnit is a run of layers of one width; the first may halve the image.
type MobileUnit struct {
	Out     int // channels
	Stride  int // of the first layer; 0 means 1
	Kind    MobileKind
	Squeeze bool // of inverted residuals
	Func    neural.Func
	Layers  []MobileLayer // as many as the unit is deep
}

// A MobileKind is what the layers of a unit are. Each has a shortcut where the shape
// stays.
type MobileKind string

// The kinds of layers. Those other than the first suit small images on processors,
// which run few large convolutions faster than many small ones.
const (
	Inverted MobileKind = "inverted" // 1×1 up, depthwise, 1×1 down (Sandler et al. 2018); "" means it too
	Fused    MobileKind = "fused"    // a convolution that is also the way up, 1×1 down (Tan and Le 2021)
	Plain    MobileKind = "plain"    // a convolution
	Residual MobileKind = "residual" // two convolutions; the shortcut of a unit's first layer is a 1×1 convolution (He et al. 2016)
)

// A MobileLayer is a layer of a unit.
type MobileLayer struct {
	Kernel int
	// Expand is the hidden channels of inverted and fused layers for each channel of
	// the operand, rounded to a multiple of 8 unless it is 1.
	Expand float64
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
	outer := m.Func
	if outer == "" {
		outer = neural.HardSwish
	}
	x := b.Input("image", image(m.Image))
	x = b.block("stem", "stem", x, func(x neural.Value) neural.Value {
		x = b.convNorm("", neural.Conv{Out: or(m.Stem, 16), Kernel: 3, Stride: or(m.StemStride, 2)}, outer, x)
		if m.StemPool {
			x = b.Named("pool", neural.MaxPool{Kernel: 3, Stride: 2}, x)
		}
		return x
	})
	layers, at := -1, 0
	for _, unit := range m.Units {
		layers += len(unit.Layers)
	}
	for u, unit := range m.Units {
		b.Block(fmt.Sprintf("unit%d", u+1), "", func() {
			for l := range unit.Layers {
				stride := 1
				if l == 0 {
					stride = or(unit.Stride, 1)
				}
				drop := m.DropPath * float64(at) / float64(max(layers, 1))
				at++
				x = unit.layer(b, u, l, stride, drop, x)
			}
		})
	}
	x = b.block("head", "", x, func(x neural.Value) neural.Value {
		if m.Expand > 0 {
			x = b.convNorm("expand_", neural.Conv{Out: m.Expand}, outer, x)
		}
		prefix := "" // of what has weights of its own, as it reads something else
		if m.Flatten {
			prefix = "flat_"
			x = b.Named("flatten", neural.Flatten{}, x)
		} else {
			x = b.Named("pool", neural.GlobalPool{}, x)
		}
		if m.Mix > 0 {
			prefix += "mix"
			x = b.Named(prefix, neural.Linear{Out: m.Mix}, x)
			prefix += "_"
			x = b.act(prefix, outer, x)
		}
		if m.Dropout > 0 {
			x = b.Named("dropout", neural.Dropout{Rate: m.Dropout}, x)
		}
		return b.Named(prefix+"classifier", neural.Linear{Out: or(m.Classes, 10), Bias: true}, x)
	})
	return b.Build(x)
}

// layer adds a layer of the unit's kind.
func (u MobileUnit) layer(b parts, unit, at, stride int, drop float64, x neural.Value) neural.Value {
	l, name := u.Layers[at], fmt.Sprintf("layer%d", at+1)
	in := b.Shape(x).Features()
	hidden := l.Expand * float64(in)
	expands := u.Kind == Inverted || u.Kind == "" || u.Kind == Fused
	if expands && (math.IsNaN(hidden) || hidden < 0 || hidden > 1<<20) {
		b.Errorf("unit %d, layer %d: found an expansion of %g of %d channels, want at most %d hidden channels", unit+1, at+1, l.Expand, in, 1<<20)
		hidden = 0
	}
	wide := in
	if l.Expand != 1 {
		wide = round8(hidden)
	}
	label := fmt.Sprintf("%d×%d", l.Kernel, l.Kernel)
	if stride > 1 {
		label += fmt.Sprintf(" /%d", stride)
	}
	// shortcut adds what the layer is given, where it has the shape of the result.
	shortcut := func(prefix string, x, y neural.Value) neural.Value {
		if stride > 1 || in != u.Out {
			return y
		}
		if drop > 0 {
			y = b.Named(prefix+"droppath", neural.DropPath{Rate: drop}, y)
		}
		return b.Named(prefix+"sum", neural.Add{}, x, y)
	}
	conv := neural.Conv{Out: u.Out, Kernel: l.Kernel, Stride: stride}
	switch u.Kind {
	case Inverted, "":
		v := inverted{out: u.Out, kernel: l.Kernel, hidden: wide, stride: stride, act: u.Func, squeeze: u.Squeeze, dropPath: drop}
		return v.add(b, name, x)
	case Fused:
		return b.block(name, "fused MBConv "+label, x, func(x neural.Value) neural.Value {
			y := b.convNorm("fused_", neural.Conv{Out: wide, Kernel: l.Kernel, Stride: stride}, u.Func, x)
			return shortcut("fused_", x, b.convNorm("fused_project_", neural.Conv{Out: u.Out}, "", y))
		})
	case Plain:
		return b.block(name, "conv "+label, x, func(x neural.Value) neural.Value {
			return shortcut("plain_", x, b.convNorm("plain_", conv, u.Func, x))
		})
	case Residual:
		return b.block(name, "residual block "+label, x, func(x neural.Value) neural.Value {
			y := b.convNorm("residual_a_", conv, u.Func, x)
			y = b.convNorm("residual_b_", neural.Conv{Kernel: l.Kernel}, "", y)
			if at == 0 { // whatever the widths are, so that all of a family have it
				x = b.convNorm("residual_shortcut_", neural.Conv{Out: u.Out, Stride: stride}, "", x)
			} else if drop > 0 {
				y = b.Named("residual_droppath", neural.DropPath{Rate: drop}, y)
			}
			return b.act("residual_", u.Func, b.Named("residual_sum", neural.Add{}, x, y))
		})
	}
	b.Errorf("unit %d: found the kind %q, want inverted, fused, plain or residual", unit+1, u.Kind)
	return 0
}
