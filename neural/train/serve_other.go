//go:build !linux

package train

import (
	"os"
	"runtime/metrics"
)

// resident returns how many bytes of memory the Go part of the process holds: there is
// no portable way to ask for all.
func resident() (int64, error) {
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(s)
	return int64(s[0].Value.Uint64() - s[1].Value.Uint64()), nil
}

// self is the program that runs.
func self() (string, error) { return os.Executable() }
