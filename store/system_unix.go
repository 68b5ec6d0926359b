//go:build unix

package store

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

func tryLock(f *os.File) error {
	for {
		switch err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err {
		case unix.EINTR:
		case unix.EWOULDBLOCK:
			return errHeld
		default:
			return err
		}
	}
}

func removeLocked(f *os.File) { _ = os.Remove(f.Name()) }

// noRoom reports why the disk takes no more bytes, or nil if it does: it
// writes a little at the length the study has, beside the study.
func noRoom(path string) error {
	var size int64
	for _, name := range []string{path, path + "-wal"} {
		if info, err := os.Stat(name); err == nil {
			size = max(size, info.Size())
		}
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".room-*")
	if err == nil {
		defer os.Remove(f.Name())
		defer f.Close()
		if _, err = f.WriteAt(make([]byte, 64<<10), size); err == nil {
			err = f.Sync()
		}
	}
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) || errors.Is(err, unix.EFBIG) {
		return err
	}
	return nil
}
