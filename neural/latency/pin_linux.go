package latency

import (
	"time"

	"golang.org/x/sys/unix"
)

// pin keeps the calling thread on one of the processors that it may run on, and
// returns which, or −1 if it cannot, and a function that takes the pin off.
func pin(wall func() time.Duration) (processor int, restore func() error) {
	var may unix.CPUSet
	if unix.SchedGetaffinity(0, &may) != nil {
		return -1, func() error { return nil }
	}
	restore = func() error { return unix.SchedSetaffinity(0, &may) }
	var all []int
	for c := 0; c < 64*len(may) && len(all) < 64; c++ {
		if may.IsSet(c) {
			all = append(all, c)
		}
	}
	use := func(c int) error {
		var one unix.CPUSet
		one.Set(c)
		return unix.SchedSetaffinity(0, &one)
	}
	best, err := fastest(all, use, wall)
	if err == nil && best >= 0 {
		err = use(best)
	}
	if err != nil || best < 0 {
		return -1, restore
	}
	return best, restore
}
