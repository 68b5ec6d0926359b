//go:build unix

package engine_test

import (
	"syscall"
	"time"
)

// processorTime is that of this process so far: a busy machine spoils the other.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
