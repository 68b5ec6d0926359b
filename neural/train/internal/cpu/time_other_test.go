//go:build !unix

package cpu_test

import "time"

var start = time.Now()

// processorTime is the time that has passed, where the time of the process is not known.
func processorTime() time.Duration { return time.Since(start) }
