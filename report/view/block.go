package view

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"slices"
)

// A block is a run of numbers of one width, or text, that the page asks for by
// name.
type block struct {
	width int // bytes of a number; 1 for text
	bytes []byte
}

// shuffled returns all first bytes of a block's numbers, then all second ones:
// neighbouring numbers are alike, so it compresses far better that way round.
func (b block) shuffled() []byte {
	if b.width == 1 {
		return b.bytes
	}
	n := len(b.bytes) / b.width
	out := make([]byte, len(b.bytes))
	for i := range n {
		for k := range b.width {
			out[k*n+i] = b.bytes[i*b.width+k]
		}
	}
	return out
}

// deflated is the block as it stands in a page.
func (b block) deflated() ([]byte, error) {
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, 5)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(b.shuffled()); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func floats64(xs []float64) block {
	b := make([]byte, 0, 8*len(xs))
	for _, x := range xs {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
	}
	return block{8, b}
}

func floats32(xs []float64) block {
	b := make([]byte, 0, 4*len(xs))
	for _, x := range xs {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(x)))
	}
	return block{4, b}
}

func integers32[T int | int32 | int64 | uint32](xs []T) block {
	b := make([]byte, 0, 4*len(xs))
	for _, x := range xs {
		b = binary.LittleEndian.AppendUint32(b, uint32(x))
	}
	return block{4, b}
}

// text makes a block of a value as JSON.
func text(v any) (block, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return block{}, fmt.Errorf("view: %w", err)
	}
	return block{1, b}, nil
}

// absent stands in an i32 block where there is no number.
const absent = math.MinInt32

// wholes makes an i32 block of whole numbers.
func wholes(xs []float64) block {
	ints := make([]int32, len(xs))
	for i, x := range xs {
		if math.IsNaN(x) {
			ints[i] = absent
		} else {
			ints[i] = int32(x)
		}
	}
	return integers32(ints)
}

// codes makes a block of indexes below n, as narrow as possible.
func codes(xs []uint32, n int) (string, block) {
	switch {
	case n < 1<<8:
		b := make([]byte, len(xs))
		for i, x := range xs {
			b[i] = byte(x)
		}
		return "u8", block{1, b}
	case n < 1<<16:
		b := make([]byte, 0, 2*len(xs))
		for _, x := range xs {
			b = binary.LittleEndian.AppendUint16(b, uint16(x))
		}
		return "u16", block{2, b}
	}
	return "u32", integers32(xs)
}

// distinct returns the different numbers among xs in rising order, without NaN,
// or nil if there are more than most.
func distinct(xs []float64, most int) []float64 {
	var out []float64
	for _, x := range xs {
		if math.IsNaN(x) {
			continue
		}
		if i, ok := slices.BinarySearch(out, x); !ok {
			if len(out) == most {
				return nil
			}
			out = slices.Insert(out, i, x)
		}
	}
	return out
}
