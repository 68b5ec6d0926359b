package nets

import (
	"fmt"

	"github.com/daedalus-search/daedalus/neural"
)

// LeNet5 is the network of LeCun et al. (1998), with ReLU and maximum pooling as it
// is built today and every channel of the second convolution reading all.
type LeNet5 struct {
	Image   neural.Shape // 0 means 1×28×28
	Classes int          // 0 means 10
}

// Graph builds the network.
func (n LeNet5) Graph() (*neural.Graph, error) {
	b := begin("lenet-5")
	s := n.Image
	if s == (neural.Shape{}) {
		s = neural.Shape{1, 28, 28}
	}
	pad := neural.Valid // of an image of 32 pixels, to which the original was padded
	if s[1] < 32 {
		pad = neural.Same
	}
	x := b.Input("image", s)
	x = b.Named("conv1", neural.Conv{Out: 6, Kernel: 5, Pad: pad, Bias: true}, x)
	x = b.act("1_", neural.ReLU, x)
	x = b.Named("pool1", neural.MaxPool{Stride: 2, Pad: neural.Valid}, x)
	x = b.Named("conv2", neural.Conv{Out: 16, Kernel: 5, Pad: neural.Valid, Bias: true}, x)
	x = b.act("2_", neural.ReLU, x)
	x = b.Named("pool2", neural.MaxPool{Stride: 2, Pad: neural.Valid}, x)
	x = b.Named("flatten", neural.Flatten{}, x)
	for i, width := range []int{120, 84} {
		x = b.Named(fmt.Sprintf("fc%d", i+1), neural.Linear{Out: width, Bias: true}, x)
		x = b.act(fmt.Sprintf("fc%d_", i+1), neural.ReLU, x)
	}
	return b.Build(b.Named("classifier", neural.Linear{Out: or(n.Classes, 10), Bias: true}, x))
}

// ResNet is a residual network for small images (He et al. 2016): a convolution,
// three stages of residual blocks whose channels double while the image halves,
// the mean and a classifier. Where the shape changes, the shortcut is a 1×1
// convolution.
type ResNet struct {
	Image    neural.Shape // 0 means 3×32×32
	Channels int          // of the first stage; 0 means 16
	Blocks   int          // in each stage; 0 means 3, ResNet-20
	Classes  int          // 0 means 10
}

// Graph builds the network.
func (n ResNet) Graph() (*neural.Graph, error) {
	b := begin(fmt.Sprintf("resnet-%d", 6*or(n.Blocks, 3)+2))
	channels := or(n.Channels, 16)
	x := b.block("stem", "stem", b.Input("image", image(n.Image)), func(x neural.Value) neural.Value {
		return b.convNorm("", neural.Conv{Out: channels, Kernel: 3}, neural.ReLU, x)
	})
	for s := range 3 {
		b.Block(stage(s), "", func() {
			for k := range or(n.Blocks, 3) {
				stride, label := 1, "residual block"
				if s > 0 && k == 0 {
					channels *= 2
					stride, label = 2, "residual block /2"
				}
				x = b.block(fmt.Sprintf("block%d", k+1), label, x, func(x neural.Value) neural.Value {
					y := b.convNorm("a_", neural.Conv{Out: channels, Kernel: 3, Stride: stride}, neural.ReLU, x)
					y = b.convNorm("b_", neural.Conv{Out: channels, Kernel: 3}, "", y)
					if stride > 1 {
						x = b.convNorm("shortcut_", neural.Conv{Out: channels, Stride: stride}, "", x)
					}
					return b.act("", neural.ReLU, b.Named("sum", neural.Add{}, x, y))
				})
			}
		})
	}
	x = b.block("head", "", x, func(x neural.Value) neural.Value { return b.classify(or(n.Classes, 10), x) })
	return b.Build(x)
}

// MobileNet is a chain of depthwise-separable convolutions (Howard et al. 2017).
type MobileNet struct {
	Image   neural.Shape // 0 means 3×32×32
	Width   float64      // of the published channels; 0 means 1
	Halve   int          // how many of the five convolutions that halve the image do; 0 means 5, the last ones of them
	Classes int          // 0 means 10
}

// Graph builds the network.
func (n MobileNet) Graph() (*neural.Graph, error) {
	b := begin("mobilenet")
	width := n.Width
	if width == 0 {
		width = 1
	}
	if !(width > 0 && width <= 64) {
		return nil, fmt.Errorf("mobilenet: width: found %g, want more than 0 and at most 64", width)
	}
	keep := 5 - or(n.Halve, 5) // how many of the first do not halve
	halve := func(stride int) int {
		if stride == 2 && keep > 0 {
			keep--
			return 1
		}
		return stride
	}
	x := b.block("stem", "stem", b.Input("image", image(n.Image)), func(x neural.Value) neural.Value {
		return b.convNorm("", neural.Conv{Out: round8(32 * width), Kernel: 3, Stride: halve(2)}, neural.ReLU, x)
	})
	for i, l := range []struct{ out, stride int }{
		{64, 1}, {128, 2}, {128, 1}, {256, 2}, {256, 1}, {512, 2}, {512, 1}, {512, 1}, {512, 1}, {512, 1}, {512, 1}, {1024, 2}, {1024, 1},
	} {
		stride := halve(l.stride)
		label := "separable conv 3×3"
		if stride > 1 {
			label += " /2"
		}
		x = b.block(fmt.Sprintf("layer%d", i+1), label, x, func(x neural.Value) neural.Value {
			x = b.convNorm("depth_", neural.Conv{Kernel: 3, Stride: stride, Groups: neural.Depthwise}, neural.ReLU, x)
			return b.convNorm("point_", neural.Conv{Out: round8(float64(l.out) * width)}, neural.ReLU, x)
		})
	}
	x = b.block("head", "", x, func(x neural.Value) neural.Value { return b.classify(or(n.Classes, 10), x) })
	return b.Build(x)
}
