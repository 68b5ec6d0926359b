package kernel

import (
	"math/bits"
	"sync"
)

// scratch has buffers by the logarithm of their size.
var scratch [40]sync.Pool

// buffer returns n numbers of any value, for drop to take back.
func buffer(n int) *[]float32 {
	k := bits.Len(uint(max(n, 256) - 1))
	if b, ok := scratch[k].Get().(*[]float32); ok {
		*b = (*b)[:n]
		return b
	}
	b := make([]float32, n, 1<<k)
	return &b
}

func drop(b *[]float32) { scratch[bits.Len(uint(cap(*b)-1))].Put(b) }

var integerRoom sync.Pool

// integers is buffer for indices.
func integers(n int) *[]int {
	b, ok := integerRoom.Get().(*[]int)
	if !ok {
		b = new([]int)
	}
	if cap(*b) < n {
		*b = make([]int, n, 2*n)
	}
	*b = (*b)[:n]
	return b
}

func dropIntegers(b *[]int) { integerRoom.Put(b) }

// chunk is about how many numbers a thread is given at a time of what is done number
// by number: few enough for the second cache.
const chunk = 1 << 14

// grain returns how many rows are a part of about chunk numbers.
func grain(cols int) int { return max(1, chunk/max(cols, 1)) }

var wideRoom sync.Pool

// wideBuffer is buffer for float64.
func wideBuffer(n int) *[]float64 {
	b, ok := wideRoom.Get().(*[]float64)
	if !ok {
		b = new([]float64)
	}
	if cap(*b) < n {
		*b = make([]float64, n, 2*n)
	}
	*b = (*b)[:n]
	return b
}

func dropWide(b *[]float64) { wideRoom.Put(b) }
