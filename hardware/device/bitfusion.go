package device

import (
	"errors"
	"fmt"
	"math/bits"
)

// BitFusion is an accelerator with a systolic array whose multipliers split: one
// of 8×8 bits does four products of 8×2 or 4×4 bits, or sixteen of 2×2 (Sharma et
// al., "Bit Fusion: Bit-Level Dynamically Composable Architecture for Accelerating
// Deep Neural Networks", ISCA 2018). The cycles are those of the authors'
// simulator (hsharma35/bitfusion): every order of the tile loops and all tiles of
// powers of two are tried, and the fewest cycles taken. Energy is not modelled.
//
// The zero value is the configuration that their paper compares with Eyeriss.
type BitFusion struct {
	Rows, Columns      int // of the array: input and output channels at once; 0 means 16 × 32
	MaxBits, MinBits   int // of an operand; 0 means 8 and 2
	WeightKB           int // buffer of the weights, in KiB; 0 means 64
	InputKB            int // of the activations; 0 means 32
	OutputKB           int // of the results; 0 means 16
	MemoryBitsPerCycle int // 0 means 192

	weightBits, actBits, outBits int // of half a buffer: the other half is being filled
}

// A QuantizedLayer is a convolution with few bits; a matrix times vectors is one
// with kernel, stride and side 1.
type QuantizedLayer struct {
	Batch, Kernel, Stride int
	Side                  int // of the output
	In, Out               int // channels
	InputBits, WeightBits int
	Im2col                bool // the image is unrolled beforehand, as for the first layer
}

// Cycles is what a layer takes.
type Cycles struct {
	Total   int64
	Compute int64
	Wait    int64 // for memory, not hidden behind computing
}

// Bounds, within which 64 bits hold every product.
const (
	bitfusionMACs = 1 << 38 // of a layer
	bitfusionBits = 16      // of an operand
)

func (b BitFusion) defaults() (BitFusion, error) {
	for _, f := range []struct {
		name        string
		v           *int
		other, most int
	}{
		{"rows", &b.Rows, 16, 1024}, {"columns", &b.Columns, 32, 1024}, {"max_bits", &b.MaxBits, 8, bitfusionBits}, {"min_bits", &b.MinBits, 2, bitfusionBits},
		{"weight_kb", &b.WeightKB, 64, 1 << 20}, {"input_kb", &b.InputKB, 32, 1 << 20}, {"output_kb", &b.OutputKB, 16, 1 << 20},
		{"memory_bits_per_cycle", &b.MemoryBitsPerCycle, 192, 1 << 20},
	} {
		if *f.v == 0 {
			*f.v = f.other
		}
		if *f.v < 1 || *f.v > f.most {
			return b, fmt.Errorf("device: bitfusion: %s: found %d, want 1 to %d, or 0 for %d", f.name, *f.v, f.most, f.other)
		}
	}
	if b.MinBits > b.MaxBits {
		return b, fmt.Errorf("device: bitfusion: min_bits: found %d, want at most max_bits, %d", b.MinBits, b.MaxBits)
	}
	b.weightBits, b.actBits, b.outBits = b.WeightKB*1024*8/2, b.InputKB*1024*8/2, b.OutputKB*1024*8/2
	return b, nil
}

// Speedup returns how many products one unit does at once.
func (b BitFusion) Speedup(inputBits, weightBits int) (int, error) {
	b, err := b.defaults()
	if err != nil {
		return 0, err
	}
	for _, v := range []int{inputBits, weightBits} {
		if v < 1 || v > b.MaxBits {
			return 0, fmt.Errorf("device: bitfusion: an operand of %d bits, want 1 to %d", v, b.MaxBits)
		}
	}
	return b.MaxBits / max(inputBits, b.MinBits) * (b.MaxBits / max(weightBits, b.MinBits)), nil
}

func ceil(a, b int) int { return (a + b - 1) / b }

// The tile loops, and what each walks over: activations, weights, results.
var bitfusionLoops = [5][3]bool{
	{true, false, true}, // images
	{true, false, true}, // columns of the output
	{true, false, true}, // rows
	{true, true, false}, // input channels
	{false, true, true}, // output channels
}

// accumulatorBits is the width of a result.
const accumulatorBits = 32

// errNoTiling is returned for a layer of which not even the least tile fits.
var errNoTiling = errors.New("device: bitfusion: not even the smallest tile fits the buffers")

// Cycles searches the tiling of a layer with the fewest cycles, of several the
// one with the least wait.
func (b BitFusion) Cycles(l QuantizedLayer) (Cycles, error) {
	b, err := b.defaults()
	if err != nil {
		return Cycles{}, err
	}
	for _, f := range []struct {
		name    string
		v, most int
	}{{"batch", l.Batch, 1 << 12}, {"kernel", l.Kernel, 256}, {"stride", l.Stride, 256}, {"side", l.Side, 1 << 12}, {"in", l.In, 1 << 16}, {"out", l.Out, 1 << 16}} {
		if f.v < 1 || f.v > f.most {
			return Cycles{}, fmt.Errorf("device: bitfusion: %s: found %d, want 1 to %d", f.name, f.v, f.most)
		}
	}
	factor, err := b.Speedup(l.InputBits, l.WeightBits)
	if err != nil {
		return Cycles{}, err
	}
	work := float64(l.Batch) * float64(l.Side) * float64(l.Side) * float64(l.Kernel) * float64(l.Kernel) * float64(l.In) * float64(l.Out)
	if work > bitfusionMACs {
		return Cycles{}, fmt.Errorf("device: bitfusion: a layer of %.3g operations, want at most 2^38", work)
	}
	best := Cycles{Total: -1}
	lanes := b.Rows * factor
	orders := permutations()
	powers := func(n int) int { return bits.Len(uint(n-1)) + 1 } // ⌈log₂ n⌉ + 1
	outTiles, outUnit := powers(ceil(l.Out, b.Columns)), b.Columns
	if l.Im2col {
		outTiles, outUnit = powers(l.Out), 1
	}
	for ib := range powers(l.Batch) {
		batch := min(1<<ib, l.Batch)
		for io := range powers(l.Side) {
			side := min(1<<io, l.Side)
			for ii := range powers(l.In) {
				in := min(1<<ii, l.In)
				for ik := range outTiles {
					out := min(outUnit<<ik, l.Out)
					tiles := [5]int64{int64(ceil(l.Batch, batch)), int64(ceil(l.Side, side)), int64(ceil(l.Side, side)), int64(ceil(l.In, in)), int64(ceil(l.Out, out))}
					weights := int64(ceil(l.Kernel*l.Kernel*in, lanes)*lanes) * int64(out*l.WeightBits)
					edge := side * l.Kernel
					if !l.Im2col {
						edge = l.Kernel + (side-1)*l.Stride
					}
					if float64(edge)*float64(edge)*float64(in)*float64(batch) > float64(b.actBits) {
						continue
					}
					acts := int64(edge*edge) * int64(in*batch*l.InputBits)
					results := int64(side*side) * int64(ceil(out, b.Columns)*b.Columns) * int64(batch*accumulatorBits)
					if weights > int64(b.weightBits) || acts > int64(b.actBits) || results > int64(b.outBits) {
						continue
					}
					var compute int64
					if l.Im2col {
						compute = int64(batch*side*side) * int64(ceil(out, b.Columns)) * int64(ceil(l.Kernel*l.Kernel*in, lanes))
					} else {
						compute = int64(batch*side*side) * int64(l.Kernel*l.Kernel) * int64(ceil(out, b.Columns)) * int64(ceil(in, lanes))
					}
					for _, n := range tiles {
						compute *= n
					}
					for _, order := range orders {
						wait := b.wait(order, tiles, [3]int64{acts, weights, results}, compute)
						if c := (Cycles{compute + wait, compute, wait}); best.Total < 0 || c.Total < best.Total || c.Total == best.Total && c.Wait < best.Wait {
							best = c
						}
					}
				}
			}
		}
	}
	if best.Total < 0 {
		return Cycles{}, errNoTiling
	}
	return best, nil
}

// wait returns the cycles that memory adds. Going outwards through the loops,
// what a loop does not walk over stays in its buffer; what it does is fetched
// anew for each tile, unless all of it fits. Results are written and, as partial
// sums, read: once more.
func (b BitFusion) wait(order [5]uint8, tiles [5]int64, size [3]int64, compute int64) int64 {
	room := [3]int64{int64(b.actBits), int64(b.weightBits), int64(b.outBits)}
	held := size // what is fetched before the first tile can begin
	stays := [3]bool{true, true, true}
	written, writtenHeld, writtenStays := size[2], size[2], true
	for i := len(order) - 1; i >= 0; i-- {
		loop := order[i]
		for k := range size {
			switch {
			case !stays[k]:
				size[k] *= tiles[loop]
			case bitfusionLoops[loop][k]:
				size[k] *= tiles[loop]
				if size[k] > room[k] {
					stays[k] = false
				} else {
					held[k] = size[k]
				}
			}
		}
		switch {
		case !writtenStays:
			written *= tiles[loop]
		case bitfusionLoops[loop][2]:
			written *= tiles[loop]
			if written > room[2] {
				writtenStays = false
			} else {
				writtenHeld = size[2]
			}
		}
	}
	width := int64(b.MemoryBitsPerCycle)
	cycles := func(n int64) int64 { return (n + width - 1) / width }
	first := held[0] + held[1] + held[2]
	latency := cycles(first) + cycles(writtenHeld)
	middle := size[0] + size[1] + size[2] + written - first - writtenHeld
	return max(0, cycles(middle)-compute) + latency
}

// permutations returns all orders of five loops.
func permutations() [][5]uint8 {
	var out [][5]uint8
	var place func(p [5]uint8, n int, used uint8)
	place = func(p [5]uint8, n int, used uint8) {
		if n == len(p) {
			out = append(out, p)
			return
		}
		for k := range uint8(len(p)) {
			if used&(1<<k) == 0 {
				p[n] = k
				place(p, n+1, used|1<<k)
			}
		}
	}
	place([5]uint8{}, 0, 0)
	return out
}
