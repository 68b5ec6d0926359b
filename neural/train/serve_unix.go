//go:build unix

package train

import (
	"fmt"
	"io"
	"os"
	"syscall"
)

// takeStandard takes standard input and output for frames. What anything else in the
// process, whatever it is written in, reads or writes there from then on is empty, or
// goes to standard error.
func takeStandard() (io.Reader, io.Writer, error) {
	fail := func(err error) (io.Reader, io.Writer, error) {
		return nil, nil, fmt.Errorf("standard input and output: %w", err)
	}
	move := func(fd int) (*os.File, error) {
		moved, err := syscall.Dup(fd)
		if err != nil {
			return nil, err
		}
		syscall.CloseOnExec(moved)
		return os.NewFile(uintptr(moved), "frames"), nil
	}
	in, err := move(0)
	if err != nil {
		return fail(err)
	}
	out, err := move(1)
	if err != nil {
		return fail(err)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return fail(err)
	}
	defer null.Close()
	if err := redirect(0, int(null.Fd())); err != nil {
		return fail(err)
	}
	if err := redirect(1, 2); err != nil {
		return fail(err)
	}
	return in, out, nil
}

// endGroup ends the process with all that it started, if it leads its group.
func endGroup() {
	if syscall.Getpgrp() == syscall.Getpid() {
		_ = syscall.Kill(0, syscall.SIGKILL)
	}
}
