//go:build !linux

package latency

import "time"

// pin does nothing: the system does not let a thread be pinned.
func pin(func() time.Duration) (processor int, restore func() error) {
	return -1, func() error { return nil }
}
