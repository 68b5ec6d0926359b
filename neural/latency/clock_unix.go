//go:build linux || darwin || freebsd

package latency

import (
	"time"

	"golang.org/x/sys/unix"
)

// busyClock returns the processor time of the calling thread.
func busyClock() func() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t) != nil {
		return nil
	}
	return func() time.Duration {
		var t unix.Timespec
		_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t) // it worked before
		return time.Duration(t.Nano())
	}
}
