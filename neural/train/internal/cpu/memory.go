package cpu

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"sync"
	"unsafe"
)

// ErrMemory is what a computation fails with that needs more than the limit.
var ErrMemory = errors.New("cpu: out of memory")

// A MemoryError says who needed too much. It is an [ErrMemory].
type MemoryError struct {
	Op                 string // what wanted the array, such as "ConvGeneral float32[64 28 28 16]"
	Need, InUse, Limit int64  // bytes
}

func (e *MemoryError) Error() string {
	return fmt.Sprintf("cpu: out of memory: %s needs %d bytes, %d of %d are in use", e.Op, e.Need, e.InUse, e.Limit)
}

// Is says that the error is an [ErrMemory].
func (e *MemoryError) Is(target error) bool { return target == ErrMemory }

// array is memory for numbers of any type.
type array struct {
	words []uint64
	since int64 // when it was given back
}

func (a *array) bytes() int64 { return int64(len(a.words)) * 8 }

// numbers returns n numbers of the array from one on.
func numbers[T any](a *array, from, n int) []T {
	var zero T
	size := int(unsafe.Sizeof(zero))
	if (from+n)*size > len(a.words)*8 || from < 0 {
		panic(fmt.Sprintf("numbers %d to %d of %d bytes in an array of %d bytes", from, from+n, size, a.bytes()))
	}
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&a.words[0])), from+n)[from:]
}

// heap counts and keeps arrays.
type heap struct {
	limit int64 // of live bytes; 0 means none

	mu         sync.Mutex
	free       map[int64][]*array // by size
	live, idle int64              // bytes in use and kept for reuse
	peak       int64              // most live bytes ever
	clock      int64              // arrays that were given out
}

// patience is after how many other arrays one that nobody wanted is dropped. A training step
// wants some hundreds.
const patience = 1 << 13

// sizeClass rounds bytes up to one of four sizes for each power of two.
func sizeClass(n int64) int64 {
	if n <= 256 {
		return max(64, (n+63)&^63)
	}
	step := int64(1) << (bits.Len64(uint64(n-1)) - 3)
	return (n + step - 1) &^ (step - 1)
}

// get returns an array of any content.
func (h *heap) get(bytes int64, op func() string) (*array, error) {
	size := sizeClass(bytes)
	h.mu.Lock()
	if h.limit > 0 && h.live+size > h.limit {
		inUse := h.live
		h.mu.Unlock()
		return nil, &MemoryError{Op: op(), Need: bytes, InUse: inUse, Limit: h.limit}
	}
	h.live += size
	h.peak = max(h.peak, h.live)
	h.clock++
	if h.clock%patience == 0 {
		h.drop(func(a *array) bool { return h.clock-a.since > patience })
	}
	if kept := h.free[size]; len(kept) > 0 {
		a := kept[len(kept)-1]
		kept[len(kept)-1] = nil
		h.free[size] = kept[:len(kept)-1]
		h.idle -= size
		h.mu.Unlock()
		return a, nil
	}
	if h.limit > 0 && h.live+h.idle > h.limit {
		h.drop(func(*array) bool { return true })
	}
	h.mu.Unlock()
	return &array{words: make([]uint64, size/8)}, nil
}

// put takes an array back.
func (h *heap) put(a *array) {
	size := a.bytes()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.live -= size
	if h.free == nil {
		h.free = map[int64][]*array{}
	}
	a.since = h.clock
	h.free[size] = append(h.free[size], a)
	h.idle += size
}

// lost forgets an array whose owner is gone, while somebody may still look at it.
func (h *heap) lost(a *array) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.live -= a.bytes()
}

// drop forgets kept arrays.
func (h *heap) drop(which func(a *array) bool) {
	for size, kept := range h.free {
		n := len(kept)
		kept = slices.DeleteFunc(kept, which)
		h.idle -= int64(n-len(kept)) * size
		h.free[size] = kept
	}
}

// arrayLen is how many numbers an array has room for.
func arrayLen[T any](a *array) int {
	var zero T
	return len(a.words) * 8 / int(unsafe.Sizeof(zero))
}
