package cpu

import (
	"fmt"
	"runtime"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
)

// A Buffer is an array that a caller owns until it is finalised or donated. A buffer
// that is forgotten no longer counts once the garbage collector has found it.
type Buffer struct {
	backend *Backend
	shape   shapes.Shape
	cleanup runtime.Cleanup

	mu      sync.Mutex
	array   *array // nil when finalised or donated
	donated bool
}

var _ compute.Buffer = (*Buffer)(nil)

// hand gives an array to a caller.
func (b *Backend) hand(a *array, shape shapes.Shape) *Buffer {
	buf := &Buffer{backend: b, shape: shape, array: a}
	buf.cleanup = runtime.AddCleanup(buf, b.heap.lost, a)
	return buf
}

// take returns the array of a buffer, which ends the buffer; nil if it has ended.
func (buf *Buffer) take() *array {
	buf.mu.Lock()
	defer buf.mu.Unlock()
	a := buf.array
	if a != nil {
		buf.cleanup.Stop()
		buf.array = nil
	}
	return a
}

// peek returns the array; nil if the buffer has ended.
func (buf *Buffer) peek() *array {
	buf.mu.Lock()
	defer buf.mu.Unlock()
	return buf.array
}

// Backend returns the backend that owns the buffer.
func (buf *Buffer) Backend() compute.Backend { return buf.backend }

// donate takes the array for a computation.
func (buf *Buffer) donate() *array {
	a := buf.take()
	if a != nil {
		buf.mu.Lock()
		defer buf.mu.Unlock()
		buf.donated = true
	}
	return a
}

// Finalize gives the memory back, unless the buffer was donated.
func (buf *Buffer) Finalize() error {
	a := buf.take()
	if a == nil {
		buf.mu.Lock()
		defer buf.mu.Unlock()
		if buf.donated {
			return nil
		}
		return fmt.Errorf("cpu: a buffer of %s is finalised twice", buf.shape)
	}
	buf.backend.heap.put(a)
	return nil
}

// Shape returns the shape.
func (buf *Buffer) Shape() (shapes.Shape, error) { return buf.shape, nil }

// DeviceNum returns 0: there is one device.
func (buf *Buffer) DeviceNum() (compute.DeviceNum, error) { return 0, nil }

// ToFlatData copies the numbers to a slice.
func (buf *Buffer) ToFlatData(flat any) error {
	data, err := buf.Data()
	if err != nil {
		return err
	}
	return copyFlat(flat, data)
}

// Data returns the numbers themselves.
func (buf *Buffer) Data() (any, error) {
	a := buf.peek()
	if a == nil {
		return nil, fmt.Errorf("cpu: a buffer of %s is read after it was finalised or donated", buf.shape)
	}
	return flatOf(a, buf.shape.DType, buf.shape.Size()), nil
}

// CopyToDevice copies the buffer.
func (buf *Buffer) CopyToDevice(deviceNum compute.DeviceNum) (compute.Buffer, error) {
	data, err := buf.Data()
	if err != nil {
		return nil, err
	}
	return buf.backend.BufferFromFlatData(deviceNum, data, buf.shape)
}

// flatOf returns an array's numbers as a slice of their type.
func flatOf(a *array, t dtypes.DType, n int) any {
	switch t {
	case dtypes.Bool:
		return full[bool](a, n)
	case dtypes.Uint8:
		return full[uint8](a, n)
	case dtypes.Int32:
		return full[int32](a, n)
	case dtypes.Int64:
		return full[int64](a, n)
	case dtypes.Uint32:
		return full[uint32](a, n)
	case dtypes.Uint64:
		return full[uint64](a, n)
	case dtypes.Float32:
		return full[float32](a, n)
	case dtypes.Float64:
		return full[float64](a, n)
	}
	panic("numbers of type " + t.String())
}

// full returns the first numbers as a slice that is not nil.
func full[T any](a *array, n int) []T {
	if n == 0 {
		return []T{}
	}
	return numbers[T](a, 0, n)
}

// copyFlat copies between slices of one type, which may also be int for int64.
func copyFlat(dst, src any) error {
	if ints, ok := src.([]int); ok {
		src = sameInts(ints)
	}
	if ints, ok := dst.([]int); ok {
		dst = sameInts(ints)
	}
	ok := false
	switch s := src.(type) {
	case []bool:
		ok = copySame(dst, s)
	case []uint8:
		ok = copySame(dst, s)
	case []int32:
		ok = copySame(dst, s)
	case []int64:
		ok = copySame(dst, s)
	case []uint32:
		ok = copySame(dst, s)
	case []uint64:
		ok = copySame(dst, s)
	case []float32:
		ok = copySame(dst, s)
	case []float64:
		ok = copySame(dst, s)
	}
	if !ok {
		return fmt.Errorf("cpu: cannot copy %T to %T of the same length", src, dst)
	}
	return nil
}

func copySame[T any](dst any, src []T) bool {
	d, ok := dst.([]T)
	return ok && len(d) == len(src) && copy(d, src) == len(src)
}
