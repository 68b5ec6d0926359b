package engine

import (
	"container/list"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/gobackend"
)

// A Config says on what to compute.
type Config struct {
	// Backend is "cpu" (the default: our kernels, pure Go), "go" (GoMLX's own pure Go,
	// slower; to compare with), "xla" or "xla:PATH" (a PJRT plugin; needs a program
	// built with the tag xla).
	Backend string
	Threads int   // of the processor, on the backend cpu; 0 means all
	Memory  int64 // most bytes of arrays at one time, on the backend cpu; 0 means no limit
	Nets    int   // how many compiled networks to keep; 0 means 256
}

// ErrMemory is what a computation fails with that needs more than Config.Memory.
var ErrMemory = errors.New("engine: out of memory")

// A Device computes, one thing at a time. It may be used by several goroutines, each
// with parameters of its own.
type Device struct {
	b      compute.Backend
	name   string
	native bool // see writer
	shared bool // arrays can be changed in place
	nets   int

	mu      sync.Mutex
	closed  bool
	entries *lru[entryKey, *entry]
	updates *lru[updateKey, *program]
}

// Open returns a device. A backend that cannot be had is an error that says why.
func Open(c Config) (*Device, error) {
	d, err := open(c)
	if err != nil {
		return nil, fmt.Errorf("engine: backend %q: %w", c.Backend, err)
	}
	if c.Nets < 0 {
		return nil, fmt.Errorf("engine: found room for %d networks, want 0 or more", c.Nets)
	}
	if d.nets = c.Nets; d.nets == 0 {
		d.nets = 256
	}
	d.entries = newLRU[entryKey](d.nets, (*entry).drop)
	d.updates = newLRU[updateKey](maxUpdates, (*program).drop)
	return d, nil
}

// maxUpdates is how many kinds of update stay compiled: one for each set of
// parameters that is touched together.
const maxUpdates = 64

func open(c Config) (*Device, error) {
	if c.Threads < 0 || c.Memory < 0 {
		return nil, fmt.Errorf("found %d threads and %d bytes, want 0 or more", c.Threads, c.Memory)
	}
	name, path, _ := strings.Cut(c.Backend, ":")
	if name != "cpu" && name != "" && (c.Threads != 0 || c.Memory != 0) {
		return nil, fmt.Errorf("found %d threads and %d bytes, want 0: only the backend cpu has limits", c.Threads, c.Memory)
	}
	switch {
	case name == "xla":
		b, err := openXLA(path)
		if err != nil {
			return nil, err
		}
		return &Device{b: b, name: fmt.Sprintf("xla (%s)", b.Description()), native: true}, nil
	case path != "":
	case name == "go":
		b, err := gobackend.New("")
		if err != nil {
			return nil, err
		}
		return &Device{b: b, name: fmt.Sprintf("go (%d threads)", runtime.GOMAXPROCS(0)), shared: true}, nil
	case name == "cpu" || name == "":
		return openCPU(c)
	}
	return nil, errors.New("found no such backend, want cpu, go, xla or xla:PATH")
}

// Name says on what the device computes, such as "cpu (AVX-512, 2 threads)".
func (d *Device) Name() string { return d.name }

// Memory returns the bytes of arrays in use and the most that ever were, on the backend
// cpu; 0 elsewhere.
func (d *Device) Memory() (inUse, peak int64) {
	if b, ok := d.b.(interface{ Memory() (inUse, peak int64) }); ok {
		return b.Memory()
	}
	return 0, 0
}

// Close frees the device and everything on it.
func (d *Device) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil
	}
	d.closed = true
	d.entries.clear()
	d.updates.clear()
	d.b.Finalize()
	return nil
}

// do runs f alone on the device. The library panics where it does not expect
// mistakes; here they become errors.
func (d *Device) do(f func() error) (err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return errors.New("engine: the device is closed")
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("engine: %v", r)
		}
	}()
	return f()
}

// mapError makes the backends' kinds of errors those of this package.
func (d *Device) mapError(err error) error {
	switch {
	case err == nil:
		return nil
	case isMemory(err):
		return fmt.Errorf("%w: %v", ErrMemory, err)
	}
	return fmt.Errorf("engine: %w", err)
}

// An lru keeps what was used last.
type lru[K comparable, V any] struct {
	most  int
	order *list.List // of pairs, the last used first
	at    map[K]*list.Element
	drop  func(V)
}

type pair[K comparable, V any] struct {
	k K
	v V
}

func newLRU[K comparable, V any](most int, drop func(V)) *lru[K, V] {
	return &lru[K, V]{most: most, order: list.New(), at: map[K]*list.Element{}, drop: drop}
}

func (c *lru[K, V]) get(k K) (v V, ok bool) {
	e, ok := c.at[k]
	if ok {
		c.order.MoveToFront(e)
		v = e.Value.(pair[K, V]).v
	}
	return v, ok
}

// put adds or replaces, and drops what was not used for longest.
func (c *lru[K, V]) put(k K, v V) {
	if e, ok := c.at[k]; ok {
		c.remove(e)
	}
	c.at[k] = c.order.PushFront(pair[K, V]{k, v})
	for c.order.Len() > c.most {
		c.remove(c.order.Back())
	}
}

func (c *lru[K, V]) remove(e *list.Element) {
	p := c.order.Remove(e).(pair[K, V])
	delete(c.at, p.k)
	if c.drop != nil {
		c.drop(p.v)
	}
}

func (c *lru[K, V]) clear() {
	for c.order.Len() > 0 {
		c.remove(c.order.Back())
	}
}
