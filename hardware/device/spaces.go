package device

import (
	"fmt"
	"sync"
)

// FBNet returns the space of FBNet (Wu et al., "FBNet: Hardware-Aware Efficient
// ConvNet Design via Differentiable Neural Architecture Search", CVPR 2019) as
// HW-NAS-Bench and HELP timed it: 22 layers of nine blocks each, images of
// 32×32, 100 classes.
var FBNet = sync.OnceValue(func() *Space {
	places := make([]Place, len(fbnetLayers))
	for i := range places {
		p := Place{Name: fmt.Sprintf("layer%d", i+1)}
		for _, b := range fbnetBlocks {
			p.Settings = append(p.Settings, b.Name)
		}
		places[i] = p
	}
	return mustSpace("fbnet", places, fbnetNetwork)
})

// An FBNetBlock is a block of FBNet: kernel, expansion and groups of the 1×1
// convolutions; kernel 0 skips.
type FBNetBlock struct {
	Name                   string
	Kernel, Expand, Groups int
}

var fbnetBlocks = [...]FBNetBlock{
	{"k3_e1", 3, 1, 1}, {"k3_e1_g2", 3, 1, 2}, {"k3_e3", 3, 3, 1}, {"k3_e6", 3, 6, 1},
	{"k5_e1", 5, 1, 1}, {"k5_e1_g2", 5, 1, 2}, {"k5_e3", 5, 3, 1}, {"k5_e6", 5, 6, 1}, {"skip", 0, 0, 0},
}

// fbnetLayers are the width and the stride of each layer: stages of width,
// layers and stride as HW-NAS-Bench (Li et al., ICLR 2021) uses them for
// CIFAR-100.
var fbnetLayers = func() (layers [22][2]int) {
	i := 0
	for _, stage := range [][3]int{{16, 1, 1}, {24, 4, 1}, {32, 4, 2}, {64, 4, 2}, {112, 4, 1}, {184, 4, 2}, {352, 1, 1}} {
		for k := range stage[1] {
			layers[i] = [2]int{stage[0], 1}
			if k == 0 {
				layers[i][1] = stage[2]
			}
			i++
		}
	}
	return layers
}()

// FBNetBlocks returns the nine blocks, in the order of their settings.
func FBNetBlocks() [9]FBNetBlock { return fbnetBlocks }

// FBNetLayers returns the width and the stride of each layer, for the 16 channels
// of 32×32 that the stem makes.
func FBNetLayers() [22][2]int { return fbnetLayers }

func fbnetNetwork(x []uint8) []Layer {
	const stem, head, classes = 16, 1504, 100
	side, in := 32, stem
	l := []Layer{conv(3, stem, 3, 1, 32, 32)}
	for i, v := range x {
		b, width, stride := fbnetBlocks[v], fbnetLayers[i][0], fbnetLayers[i][1]
		out := side / stride
		switch {
		case b.Kernel > 0:
			mid := in * b.Expand
			l = append(l, conv(in, mid, 1, b.Groups, side, side), depthwise(mid, b.Kernel, side, out), conv(mid, width, 1, b.Groups, out, out))
			if in == width && stride == 1 {
				l = append(l, add(width, out))
			}
		case in != width || stride > 1:
			l = append(l, conv(in, width, 1, 1, side, out))
		}
		in, side = width, out
	}
	return append(l, conv(in, head, 1, 1, side, side), pool(head, side, 1, side), linear(head, classes))
}

// NASBench201 returns the space of NAS-Bench-201 (Dong and Yang, ICLR 2020):
// five operations on each of six edges of a cell, stacked in three stages of
// five, for images of 32×32.
var NASBench201 = sync.OnceValue(func() *Space {
	places := make([]Place, len(nb201Edges))
	for i, e := range nb201Edges {
		places[i] = Place{fmt.Sprintf("edge_%d_%d", e[0], e[1]), []string{"none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"}}
	}
	return mustSpace("nasbench201", places, nb201Network)
})

var nb201Edges = [6][2]int{{0, 1}, {0, 2}, {1, 2}, {0, 3}, {1, 3}, {2, 3}}

// nb201Network lists every edge, dead ones too: frameworks that run a network as
// it is written compute them.
func nb201Network(x []uint8) []Layer {
	l := []Layer{conv(3, 16, 3, 1, 32, 32)}
	in := 16
	for stage := range 3 {
		c, side := 16<<stage, 32>>stage
		if stage > 0 { // the residual block that halves the image
			l = append(l, conv(in, c, 3, 1, 2*side, side), conv(c, c, 3, 1, side, side), pool(in, 2*side, side, 2), conv(in, c, 1, 1, side, side), add(c, side))
		}
		for range 5 {
			for _, op := range x {
				switch op {
				case 2:
					l = append(l, conv(c, c, 1, 1, side, side))
				case 3:
					l = append(l, conv(c, c, 3, 1, side, side))
				case 4:
					l = append(l, pool(c, side, side, 3))
				}
			}
			for range 3 { // nodes 2 and 3 sum what comes
				l = append(l, add(c, side))
			}
		}
		in = c
	}
	return append(l, pool(64, 8, 1, 8), linear(64, 10))
}

// OFA returns the space of Once-for-All's MobileNetV3 (Cai, Gan, Wang, Zhang and
// Han, "Once-for-All: Train One Network and Specialize it for Efficient
// Deployment", ICLR 2020): five stages of up to four blocks, each absent or with
// one of three kernels and three expansions, and the side of the image.
var OFA = sync.OnceValue(func() *Space {
	block := []string{"off"}
	for _, k := range []int{3, 5, 7} {
		for _, e := range []int{3, 4, 6} {
			block = append(block, fmt.Sprintf("k%d_e%d", k, e))
		}
	}
	var places []Place
	for s := range 5 {
		for b := range 4 {
			p := Place{Name: fmt.Sprintf("stage%d_block%d", s+1, b+1), Settings: block}
			if b < 2 {
				p.Settings = block[1:]
			}
			places = append(places, p)
		}
	}
	var sides []string
	for r := 128; r <= 224; r += 4 {
		sides = append(sides, fmt.Sprint(r))
	}
	return mustSpace("ofa", append(places, Place{"resolution", sides}), ofaNetwork)
})

// OFANetwork returns the network of a published record: kernel sizes and
// expansions of 20 blocks, depths of five stages, and the side of the image.
func OFANetwork(kernels, expansions [20]int, depths [5]int, side int) ([]uint8, error) {
	code := func(v int, of ...int) int {
		for i, w := range of {
			if v == w {
				return i
			}
		}
		return -1
	}
	x := make([]uint8, 21)
	for b := range 20 {
		depth := depths[b/4]
		if depth < 2 || depth > 4 {
			return nil, fmt.Errorf("device: ofa: depth of stage %d: found %d, want 2 to 4", b/4+1, depth)
		}
		if b%4 >= depth {
			continue
		}
		k, e := code(kernels[b], 3, 5, 7), code(expansions[b], 3, 4, 6)
		if k < 0 || e < 0 {
			return nil, fmt.Errorf("device: ofa: block %d: found kernel %d and expansion %d, want 3, 5 or 7 and 3, 4 or 6", b+1, kernels[b], expansions[b])
		}
		x[b] = uint8(3*k + e)
		if b%4 >= 2 {
			x[b]++ // off comes first
		}
	}
	if side < 128 || side > 224 || side%4 != 0 {
		return nil, fmt.Errorf("device: ofa: resolution: found %d, want 128 to 224 in steps of 4", side)
	}
	x[20] = uint8((side - 128) / 4)
	return x, nil
}

// ofaNetwork leaves squeeze-and-excitation out, whose operations are few; its
// stages are those of MobileNetV3-Large with width 1 (Howard et al. 2019, table 1).
func ofaNetwork(x []uint8) []Layer {
	half := func(side int) int { return (side + 1) / 2 }
	image := 128 + 4*int(x[20])
	side := half(image)
	l := []Layer{conv(3, 16, 3, 1, image, side), depthwise(16, 3, side, side), conv(16, 16, 1, 1, side, side)}
	in := 16
	for s, width := range [...]int{24, 40, 80, 112, 160} {
		for b := range 4 {
			v := int(x[4*s+b])
			if b >= 2 {
				v--
			}
			if v < 0 {
				break
			}
			kernel, expand, out := 3+2*(v/3), [...]int{3, 4, 6}[v%3], side
			if b == 0 && s != 3 { // the fourth stage keeps its size
				out = half(side)
			}
			mid := in * expand
			l = append(l, conv(in, mid, 1, 1, side, side), depthwise(mid, kernel, side, out), conv(mid, width, 1, 1, out, out))
			if in == width && out == side {
				l = append(l, add(width, out))
			}
			in, side = width, out
		}
	}
	return append(l, conv(in, 960, 1, 1, side, side), pool(960, side, 1, side), linear(960, 1280), linear(1280, 1000))
}
