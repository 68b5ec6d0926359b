//go:build !unix

package evolve

import "time"

// cpuTime is not known here.
func cpuTime() time.Duration { return 0 }
