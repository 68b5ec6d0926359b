//go:build unix && !linux

package train

import "syscall"

// redirect makes one file descriptor another name of an open file.
func redirect(to, from int) error { return syscall.Dup2(from, to) }
