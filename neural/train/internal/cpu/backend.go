package cpu

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"

	"github.com/daedalus-search/daedalus/neural/internal/kernel"
)

// Name is what GoMLX knows the backend by.
const Name = "daedalus-cpu"

func init() {
	// GoMLX's configuration string is the number of threads.
	compute.Register(Name, func(config string) (compute.Backend, error) {
		threads := 1
		if config != "" {
			var err error
			if threads, err = strconv.Atoi(config); err != nil {
				return nil, fmt.Errorf("cpu: the configuration %q is not a number of threads", config)
			}
		}
		return New(threads, 0)
	})
}

// A Backend computes on the processor. It is safe for concurrent use.
type Backend struct {
	threads   int
	pool      *kernel.Pool
	heap      heap
	workers   sync.Pool // of loops
	compilers sync.Pool
	maps      sync.Pool // of nodes, while they are added
	finalized atomic.Bool
	closing   sync.Once
	running   sync.WaitGroup

	profiling atomic.Bool
	mu        sync.Mutex
	profile   map[string]*ProfileEntry
}

var _ compute.Backend = (*Backend)(nil)

// New returns a backend that computes with so many threads and holds at most so many
// bytes of arrays at one time; a limit of 0 is none.
func New(threads int, limitBytes int64) (*Backend, error) {
	if threads < 1 {
		return nil, fmt.Errorf("cpu: %d threads; at least 1 is needed", threads)
	}
	if limitBytes < 0 {
		return nil, fmt.Errorf("cpu: a limit of %d bytes; 0 means none", limitBytes)
	}
	b := &Backend{threads: threads, pool: kernel.NewPool(threads), profile: map[string]*ProfileEntry{}}
	b.heap.limit = limitBytes
	return b, nil
}

// Name returns [Name].
func (b *Backend) Name() string { return Name }

// String returns [Name].
func (b *Backend) String() string { return Name }

// Description says what computes.
func (b *Backend) Description() string {
	return fmt.Sprintf("processor, pure Go, %d threads", b.threads)
}

// NumDevices returns 1.
func (b *Backend) NumDevices() int { return 1 }

// DeviceDescription says what computes.
func (b *Backend) DeviceDescription(compute.DeviceNum) string { return b.Description() }

// Finalize ends the threads. It waits for what is being computed.
func (b *Backend) Finalize() {
	b.closing.Do(func() {
		b.finalized.Store(true)
		b.running.Wait()
		b.pool.Close()
		b.heap.mu.Lock()
		defer b.heap.mu.Unlock()
		b.heap.drop(func(*array) bool { return true })
	})
}

// IsFinalized says whether the backend was finalised.
func (b *Backend) IsFinalized() bool { return b.finalized.Load() }

// Memory returns the bytes of arrays that are in use, and the most that ever were.
func (b *Backend) Memory() (inUse, peak int64) {
	b.heap.mu.Lock()
	defer b.heap.mu.Unlock()
	return b.heap.live, b.heap.peak
}

// A ProfileEntry is how long the operations of a kind took.
type ProfileEntry struct {
	Op    string // such as "ConvGeneral forward 3×3 float32[64 28 28 16]"
	Time  time.Duration
	Calls int
}

// Profile starts measuring how long operations take, from nothing, or ends it.
func (b *Backend) Profile(on bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if on {
		clear(b.profile)
	}
	b.profiling.Store(on)
}

// ProfileTable returns what was measured, the longest first.
func (b *Backend) ProfileTable() []ProfileEntry {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]ProfileEntry, 0, len(b.profile))
	for _, e := range b.profile {
		out = append(out, *e)
	}
	slices.SortFunc(out, func(x, y ProfileEntry) int {
		if x.Time != y.Time {
			return int(y.Time - x.Time)
		}
		return strings.Compare(x.Op, y.Op)
	})
	return out
}

// record adds one measurement.
func (b *Backend) record(op string, d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.profile[op]
	if e == nil {
		e = &ProfileEntry{Op: op}
		b.profile[op] = e
	}
	e.Time += d
	e.Calls++
}

// types are those that arrays may have.
var types = []dtypes.DType{dtypes.Bool, dtypes.Uint8, dtypes.Int32, dtypes.Int64, dtypes.Uint32, dtypes.Uint64,
	dtypes.Float32, dtypes.Float64}

func checkType(t dtypes.DType) error {
	if !slices.Contains(types, t) {
		return fmt.Errorf("%w: cpu: numbers of type %s (only %v)", compute.ErrNotImplemented, t, types)
	}
	return nil
}

// Capabilities returns the operations and types there are.
func (b *Backend) Capabilities() compute.Capabilities {
	c := compute.Capabilities{Operations: map[compute.OpType]bool{}, DTypes: map[dtypes.DType]bool{}}
	for _, t := range types {
		c.DTypes[t] = true
	}
	for op := compute.OpTypeInvalid + 1; op < compute.OpTypeLast; op++ {
		if elementwise(op) || slices.Contains(supported, op) {
			c.Operations[op] = true
		}
	}
	return c
}

// BufferFromFlatData copies numbers from a slice.
func (b *Backend) BufferFromFlatData(device compute.DeviceNum, flat any, shape shapes.Shape) (compute.Buffer, error) {
	buf, data, err := b.NewSharedBuffer(device, shape)
	if err != nil {
		return nil, err
	}
	if err := copyFlat(data, flat); err != nil {
		buf.Finalize()
		return nil, fmt.Errorf("%w, for a buffer of %s", err, shape)
	}
	return buf, nil
}

// HasSharedBuffers returns true: buffers are memory that callers may read and write.
func (b *Backend) HasSharedBuffers() bool { return true }

// NewSharedBuffer returns a buffer and its numbers, which are zero.
func (b *Backend) NewSharedBuffer(device compute.DeviceNum, shape shapes.Shape) (compute.Buffer, any, error) {
	if b.IsFinalized() {
		return nil, nil, fmt.Errorf("cpu: the backend is finalised")
	}
	if device != 0 {
		return nil, nil, fmt.Errorf("cpu: there is device 0 only, not %d", device)
	}
	if err := checkType(shape.DType); err != nil {
		return nil, nil, err
	}
	if shape.IsDynamic() {
		return nil, nil, fmt.Errorf("cpu: a buffer of the dynamic shape %s", shape)
	}
	a, err := b.heap.get(byteSize(shape), func() string { return "buffer " + shapeString(shape) })
	if err != nil {
		return nil, nil, err
	}
	clear(a.words)
	return b.hand(a, shape.Clone()), flatOf(a, shape.DType, shape.Size()), nil
}

// typeSize returns the bytes of one number.
func typeSize(t dtypes.DType) int {
	switch t {
	case dtypes.Bool, dtypes.Uint8:
		return 1
	case dtypes.Int32, dtypes.Uint32, dtypes.Float32:
		return 4
	}
	return 8
}

func byteSize(s shapes.Shape) int64 { return int64(s.Size()) * int64(typeSize(s.DType)) }

// shapeString writes a shape as float32[64 10].
func shapeString(s shapes.Shape) string {
	return strings.ToLower(s.DType.String()) + fmt.Sprint(s.Dimensions)
}

// sameInts returns the same memory as numbers of a size that does not depend on the machine.
func sameInts(x []int) any {
	if strconv.IntSize == 64 {
		return unsafe.Slice((*int64)(unsafe.Pointer(unsafe.SliceData(x))), len(x))
	}
	return unsafe.Slice((*int32)(unsafe.Pointer(unsafe.SliceData(x))), len(x))
}
