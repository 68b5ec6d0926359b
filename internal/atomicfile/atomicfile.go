// Package atomicfile writes files whole or not at all.
//
//	err := atomicfile.Write("front.csv", func(w io.Writer) error { return writeCSV(w, front) })
//
// Whoever reads such a file finds the old one or the new one, also after an error, a full
// disk, a crash or a lost power supply.
package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
)

// Write puts what write writes in the place of a file: it is written beside it, brought to
// the disk, and renamed. After an error of write, which is returned as it is, or a panic,
// the old file is as it was. A process that is killed meanwhile leaves a file
// .NAME.*.tmp behind.
//
// The new file has the permissions of the old one, or else those of [os.Create]. A symbolic
// link stays one, and what it leads to is replaced. What is no file, such as a pipe or
// a terminal, is written into directly. Where several write the same file, one of theirs
// stays.
func Write(path string, write func(io.Writer) error) error {
	old, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case !old.Mode().IsRegular():
		return into(path, write)
	default:
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return err
		}
	}
	f, err := create(path)
	if err != nil {
		return err
	}
	done := false
	defer func() { // also when write panics
		if !done {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	if err := write(f); err != nil {
		return err
	}
	if old != nil {
		if err := f.Chmod(old.Mode().Perm()); err != nil {
			return err
		}
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := rename(f.Name(), path); err != nil {
		return err
	}
	done = true
	return syncFolder(filepath.Dir(path))
}

// WriteFile is [Write] with content that is there already.
func WriteFile(path string, content []byte) error {
	return Write(path, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
}

// Rename gives a file another name, in the place of one that has it, and brings that to
// the disk. What is in the file must have been brought there before.
func Rename(from, to string) error {
	if err := rename(from, to); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(to))
}

// into writes what has nothing to be replaced.
func into(path string, write func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if err := write(f); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}

// create makes a file beside another, with the permissions of a new one, which those of
// [os.CreateTemp] do not have.
func create(path string) (*os.File, error) {
	dir, base := filepath.Split(path)
	for {
		f, err := os.OpenFile(fmt.Sprintf("%s.%s.%08x.tmp", dir, base, rand.Uint32()), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
}

// syncFolder brings the names in a folder to the disk, where there is a way to: on Windows
// and some file systems there is none, nor in a folder that may not be read.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if errors.Is(err, fs.ErrPermission) {
		return nil
	}
	if err != nil {
		return err
	}
	err = f.Sync()
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EINVAL) || errors.Is(err, fs.ErrPermission) {
		err = nil
	}
	return errors.Join(err, f.Close())
}
