package kernel

import (
	"sync"
	"sync/atomic"
)

// A Pool is threads that share the work of a call. The nil Pool computes in the
// calling goroutine. A Pool is safe for concurrent use.
type Pool struct {
	threads int
	jobs    chan *job
	ended   sync.WaitGroup
	free    sync.Pool
}

// job is a loop that is cut into chunks.
type job struct {
	f        func(lo, hi int)
	n, grain int
	next     atomic.Int64 // the chunk that is started next
	left     atomic.Int64 // chunks that are not done
	refs     atomic.Int64 // who still holds the job
	done     chan struct{}
	fault    atomic.Pointer[any] // what a chunk panicked with
}

// NewPool returns a pool of n threads, of which the caller is one. It is nil if n is
// 1 or less.
func NewPool(n int) *Pool {
	if n <= 1 {
		return nil
	}
	p := &Pool{threads: n, jobs: make(chan *job, n)}
	p.free.New = func() any { return &job{done: make(chan struct{}, 1)} }
	for range n - 1 {
		p.ended.Go(func() {
			for j := range p.jobs {
				j.work()
				p.release(j)
			}
		})
	}
	return p
}

// Threads returns how many threads there are.
func (p *Pool) Threads() int {
	if p == nil {
		return 1
	}
	return p.threads
}

// Close ends the threads and waits for them. The pool must not be used any more.
func (p *Pool) Close() {
	if p != nil {
		close(p.jobs)
		p.ended.Wait()
	}
}

// For calls f for parts that together are 0 to n, each of grain numbers but the
// last. Parts may run at the same time; For returns when all have. If f panics, so
// does For, in the caller. Calls may be nested.
func (p *Pool) For(n, grain int, f func(lo, hi int)) {
	grain = max(grain, 1)
	chunks := (n + grain - 1) / grain
	if p == nil || chunks <= 1 {
		for lo := 0; lo < n; lo += grain {
			f(lo, min(lo+grain, n))
		}
		return
	}
	j := p.free.Get().(*job)
	j.f, j.n, j.grain = f, n, grain
	j.next.Store(0)
	j.left.Store(int64(chunks))
	j.refs.Store(1)
	for range min(p.threads, chunks) - 1 {
		j.refs.Add(1)
		select {
		case p.jobs <- j:
		default: // all are busy
			j.refs.Add(-1)
		}
	}
	j.work()
	<-j.done
	fault := j.fault.Load()
	p.release(j)
	if fault != nil {
		panic(*fault)
	}
}

// work does chunks until all are started. Whoever does the last says so.
func (j *job) work() {
	for {
		lo := int(j.next.Add(1)-1) * j.grain
		if lo >= j.n {
			return
		}
		j.chunk(lo)
		if j.left.Add(-1) == 0 {
			j.done <- struct{}{}
		}
	}
}

func (j *job) chunk(lo int) {
	defer func() {
		if r := recover(); r != nil {
			j.fault.CompareAndSwap(nil, &r)
		}
	}()
	j.f(lo, min(lo+j.grain, j.n))
}

// release drops a reference. The last one frees the job.
func (p *Pool) release(j *job) {
	if j.refs.Add(-1) == 0 {
		j.f = nil
		j.fault.Store(nil)
		p.free.Put(j)
	}
}
