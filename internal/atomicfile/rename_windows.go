package atomicfile

import (
	"errors"
	"os"
	"syscall"
	"time"
)

// rename tries for a second: a file that somebody reads cannot be replaced meanwhile, and
// scanners of viruses read all that are new.
func rename(from, to string) error {
	const sharingViolation = syscall.Errno(32) // ERROR_SHARING_VIOLATION
	for wait := time.Millisecond; ; wait *= 2 {
		err := os.Rename(from, to)
		if busy := errors.Is(err, syscall.ERROR_ACCESS_DENIED) || errors.Is(err, sharingViolation); !busy || wait > 512*time.Millisecond {
			return err
		}
		time.Sleep(wait)
	}
}
