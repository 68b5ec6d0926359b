package device

import (
	"fmt"
	"math"
)

// An Op is a kind of layer.
type Op uint8

// The kinds of layers.
const (
	Conv      Op = iota // convolution, normalisation and activation included
	Depthwise           // convolution of each channel by itself
	Linear              // matrix times vector
	Pool                // pooling
	Add                 // sum of two tensors
	ops
)

var opNames = [ops]string{"conv", "depthwise", "linear", "pool", "add"}

// String returns the name of the kind.
func (o Op) String() string {
	if o < ops {
		return opNames[o]
	}
	return fmt.Sprintf("Op(%d)", uint8(o))
}

// ParseOp reads the name of a kind.
func ParseOp(s string) (Op, error) {
	for o, n := range opNames {
		if n == s {
			return Op(o), nil
		}
	}
	return 0, fmt.Errorf("found the operation %q, want one of %s", s, list(opNames[:]))
}

// A Layer is what one layer computes and moves for one image: operations and
// numbers, of which a [Precision] makes bytes.
type Layer struct {
	Op               Op
	MACs             float64 // multiply-accumulate operations; of a pool or a sum, operations
	In, Out, Weights float64 // numbers read, written, and read of the weights
}

func conv(in, out, kernel, groups, sideIn, sideOut int) Layer {
	w := float64(in) / float64(groups) * float64(out) * float64(kernel*kernel)
	return Layer{Conv, w * float64(sideOut*sideOut), float64(in * sideIn * sideIn), float64(out * sideOut * sideOut), w}
}

func depthwise(channels, kernel, sideIn, sideOut int) Layer {
	w := float64(channels * kernel * kernel)
	return Layer{Depthwise, w * float64(sideOut*sideOut), float64(channels * sideIn * sideIn), float64(channels * sideOut * sideOut), w}
}

func linear(in, out int) Layer {
	return Layer{Linear, float64(in * out), float64(in), float64(out), float64(in * out)}
}

func pool(channels, sideIn, sideOut, kernel int) Layer {
	return Layer{Pool, float64(channels * sideOut * sideOut * kernel * kernel), float64(channels * sideIn * sideIn), float64(channels * sideOut * sideOut), 0}
}

func add(channels, side int) Layer {
	n := float64(channels * side * side)
	return Layer{Add, n, 2 * n, n, 0}
}

// A Precision is the number format of activations and weights.
type Precision uint8

// The formats.
const (
	FP32 Precision = iota
	FP16
	INT8
	precisions
)

var (
	precisionNames = [precisions]string{"fp32", "fp16", "int8"}
	precisionBytes = [precisions]float64{4, 2, 1}
)

// String returns the name of the format.
func (p Precision) String() string {
	if p < precisions {
		return precisionNames[p]
	}
	return fmt.Sprintf("Precision(%d)", uint8(p))
}

// ParsePrecision reads the name of a format.
func ParsePrecision(s string) (Precision, error) {
	for p, n := range precisionNames {
		if n == s {
			return Precision(p), nil
		}
	}
	return 0, fmt.Errorf("device: precision: found %q, want one of %s", s, list(precisionNames[:]))
}

// Bytes returns what a layer moves for some images, the weights once.
func (l Layer) Bytes(batch int, p Precision) float64 {
	return float64(precisionBytes[p] * (float64(float64(batch)*(l.In+l.Out)) + l.Weights))
}

// Intensity returns the operations for each byte moved, a multiplication and an
// addition being two.
func (l Layer) Intensity(batch int, p Precision) float64 {
	return 2 * l.MACs * float64(batch) / l.Bytes(batch, p)
}

// Roofline is the model of Williams, Waterman and Patterson ("Roofline: an
// insightful visual performance model for multicore architectures", CACM 2009)
// for each layer, with what starting it costs:
//
//	time = start + max(operations · Compute / peak, bytes · Memory / bandwidth)
//
// A factor of 1 is what the datasheet promises; of 2, half of it.
type Roofline struct {
	space     *Space
	Hardware  Hardware
	Batch     int
	Precision Precision
	Compute   [ops]float64 // by kind of layer: peak over what is reached
	Memory    [ops]float64 // bandwidth over what is reached
	StartMS   [ops]float64 // of a layer
	BaseMS    float64      // of the network
}

// NewRoofline returns what a datasheet says, all factors 1 and nothing to start.
func NewRoofline(s *Space, h Hardware, batch int, p Precision) (*Roofline, error) {
	if s.layers == nil {
		return nil, fmt.Errorf("device: roofline: the space %s does not say what its layers compute", s.name)
	}
	if batch < 1 || batch > 1<<20 {
		return nil, fmt.Errorf("device: roofline: batch: found %d, want 1 to %d", batch, 1<<20)
	}
	if err := h.Check(); err != nil {
		return nil, err
	}
	if p >= precisions || h.PeakGOPS[p] == 0 {
		return nil, fmt.Errorf("device: roofline: %s has no peak for %s", h.Name, p)
	}
	r := &Roofline{space: s, Hardware: h, Batch: batch, Precision: p}
	for i := range ops {
		r.Compute[i], r.Memory[i] = 1, 1
	}
	return r, nil
}

// Space returns the space of the model.
func (r *Roofline) Space() *Space { return r.space }

// Device returns the name of the hardware, with the batch size.
func (r *Roofline) Device() string { return r.Hardware.Name + "_" + fmt.Sprint(r.Batch) }

// roofs returns the milliseconds of computing and of moving at full speed.
func (r *Roofline) roofs(l Layer) (compute, memory float64) {
	compute = 2 * l.MACs * float64(r.Batch) / (r.Hardware.PeakGOPS[r.Precision] * 1e6)
	memory = l.Bytes(r.Batch, r.Precision) / (r.Hardware.BandwidthGBs * 1e6)
	return compute, memory
}

// LayerMS returns the time of one layer, and whether moving bytes bounds it.
func (r *Roofline) LayerMS(l Layer) (ms float64, memoryBound bool) {
	c, m := r.roofs(l)
	c *= r.Compute[l.Op]
	m *= r.Memory[l.Op]
	return r.StartMS[l.Op] + max(c, m), m > c
}

// LatencyMS adds up the layers of a network.
func (r *Roofline) LatencyMS(x []uint8) float64 {
	s := r.BaseMS
	for _, l := range r.space.layers(x) {
		ms, _ := r.LayerMS(l)
		s += ms
	}
	return max(s, leastMS)
}

// Fit returns the model with factors and starts, none of them negative, that
// suit measured networks: least squares of relative errors, for the roof that
// each layer is under, which is then looked at again, until nothing changes or
// for 30 rounds. A device reaches less than its datasheet says, but factors below
// 1 are kept: they say that a layer does not do what was counted.
func (r *Roofline) Fit(t Timings) (*Roofline, error) {
	if err := t.Check(); err != nil {
		return nil, err
	}
	if t.Space.Fingerprint() != r.space.Fingerprint() {
		return nil, fmt.Errorf("device: roofline: timings of the space %s, want %s", t.Space.name, r.space.name)
	}
	networks := make([][]Layer, len(t.MS))
	for i := range networks {
		networks[i] = r.space.layers(t.Network(i))
	}
	const terms = 3*int(ops) + 1
	best, least := *r, math.Inf(1)
	now := *r
	for i := range ops { // begin where devices are
		now.Compute[i], now.Memory[i] = 3, 2
	}
	for range 30 {
		a, b := make([]float64, terms*terms), make([]float64, terms)
		row := make([]float64, terms)
		for i, layers := range networks {
			clear(row)
			row[terms-1] = 1
			for _, l := range layers {
				c, m := now.roofs(l)
				row[3*l.Op]++
				if float64(m*now.Memory[l.Op]) > float64(c*now.Compute[l.Op]) {
					row[3*l.Op+2] += m
				} else {
					row[3*l.Op+1] += c
				}
			}
			for p, v := range row {
				v /= t.MS[i]
				row[p] = v
				b[p] += v
			}
			for p, v := range row {
				for q, w := range row {
					a[p*terms+q] += float64(v * w)
				}
			}
		}
		// columns to one scale: coordinate descent and its stop depend on it
		scale := make([]float64, terms)
		for p := range scale {
			scale[p] = 1
			if d := a[p*terms+p]; d > 0 {
				scale[p] = 1 / math.Sqrt(d)
			}
		}
		for p := range terms {
			b[p] *= scale[p]
			for q := range terms {
				a[p*terms+q] *= float64(scale[p] * scale[q])
			}
		}
		x := nonNegative(a, b, 1e-9)
		next := now
		next.BaseMS = x[terms-1] * scale[terms-1]
		for o := range int(ops) {
			next.StartMS[o] = x[3*o] * scale[3*o]
			if a[(3*o+1)*terms+3*o+1] > 0 { // otherwise no layer was under this roof
				next.Compute[o] = x[3*o+1] * scale[3*o+1]
			}
			if a[(3*o+2)*terms+3*o+2] > 0 {
				next.Memory[o] = x[3*o+2] * scale[3*o+2]
			}
		}
		off := 0.0
		for i, layers := range networks {
			s := next.BaseMS
			for _, l := range layers {
				ms, _ := next.LayerMS(l)
				s += ms
			}
			e := s/t.MS[i] - 1
			off += float64(e * e)
		}
		if off < least {
			best, least = next, off
		}
		if next == now {
			break
		}
		now = next
	}
	return &best, nil
}

// A Point is one layer in a plot of a roofline.
type Point struct {
	Layer       Layer
	Intensity   float64 // operations a byte
	GOPS        float64 // reached, the start included
	MS          float64
	MemoryBound bool
}

// Points returns the layers of a network as points under the roof.
func (r *Roofline) Points(x []uint8) []Point {
	layers := r.space.layers(x)
	out := make([]Point, len(layers))
	for i, l := range layers {
		ms, bound := r.LayerMS(l)
		out[i] = Point{l, l.Intensity(r.Batch, r.Precision), 2 * l.MACs * float64(r.Batch) / (max(ms, 1e-12) * 1e6), ms, bound}
	}
	return out
}

// Roof returns the most operations a second, in billions, at an intensity.
func (h Hardware) Roof(intensity float64, p Precision) float64 {
	return min(h.PeakGOPS[p], intensity*h.BandwidthGBs)
}

// Ridge returns the intensity in operations a byte from which computing bounds.
func (h Hardware) Ridge(p Precision) float64 { return h.PeakGOPS[p] / h.BandwidthGBs }
