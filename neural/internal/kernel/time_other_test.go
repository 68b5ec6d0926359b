//go:build !unix

package kernel

import "time"

var started = time.Now()

// processorSeconds is the time that has passed, where the processor's is not known.
func processorSeconds() float64 { return time.Since(started).Seconds() }
