package latency

import (
	"sync/atomic"
	"time"
)

// start is what the clock counts from.
var start = time.Now()

// SystemClock returns the clocks of this machine.
func SystemClock() Clock {
	return Clock{Wall: func() time.Duration { return time.Since(start) }, Busy: busyClock()}
}

// spin is a fixed amount of work, to compare processors by.
func spin() (x uint64) {
	for i := range uint64(100_000) {
		x = x*6364136223846793005 + i
	}
	return x
}

// sink keeps the work from being left out.
var sink atomic.Uint64

// fastest returns that of some processors which does fixed work fastest, by the best
// of a few times: the fast kind where there are several, and one that is not busy.
func fastest(processors []int, use func(int) error, wall func() time.Duration) (best int, err error) {
	best, least := -1, time.Duration(0)
	for _, c := range processors {
		if err := use(c); err != nil {
			return -1, err
		}
		for range 5 {
			t := wall()
			sink.Add(spin())
			if t = wall() - t; best < 0 || t < least {
				best, least = c, t
			}
		}
	}
	return best, nil
}
