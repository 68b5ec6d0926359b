package train

import (
	"bytes"
	"errors"
	"os"
	"strconv"
	"syscall"
)

// redirect makes one file descriptor another name of an open file.
func redirect(to, from int) error { return syscall.Dup3(from, to, 0) }

// resident returns how many bytes of memory the process takes.
func resident() (int64, error) {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	f := bytes.Fields(b)
	if len(f) < 2 {
		return 0, errors.New("found no size in /proc/self/statm")
	}
	pages, err := strconv.ParseInt(string(f[1]), 10, 64)
	return pages * int64(os.Getpagesize()), err
}

// self is the program that runs, even if its file was replaced.
func self() (string, error) { return "/proc/self/exe", nil }
