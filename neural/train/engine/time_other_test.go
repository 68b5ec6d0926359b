//go:build !unix

package engine_test

import "time"

var began = time.Now()

// processorTime is the time that went by, where no other is to be had.
func processorTime() time.Duration { return time.Since(began) }
