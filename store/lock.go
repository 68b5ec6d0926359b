package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// A fileLock is held by the one process that may write a study. It is a lock
// of the operating system on path+".lock", so it ends with its process,
// however that dies; the file's content only serves the message to others.
type fileLock struct {
	f *os.File
}

type lockOwner struct {
	PID     int       `json:"pid"`
	Host    string    `json:"host"`
	Since   time.Time `json:"since"`
	Command string    `json:"command"`
}

// errHeld is returned by tryLock when somebody else holds the lock.
var errHeld = errors.New("lock is held")

func lock(path string) (*fileLock, error) {
	name := path + ".lock"
	for range 100 {
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o666)
		if err != nil {
			return nil, fmt.Errorf("%s: cannot create its lock file: %w (to write a study, its folder must be writable; reading needs no lock)", path, err)
		}
		switch err := tryLock(f); {
		case errors.Is(err, errHeld):
			locked := readOwner(path, f)
			f.Close()
			return nil, locked
		case err != nil:
			f.Close()
			return nil, fmt.Errorf("%s: cannot lock %s: %w (does this file system know locks? put the study on a local disk)", path, name, err)
		}
		// The previous owner removes its file before it lets go. If it did so
		// between our opening and our locking, we hold a file nobody sees.
		mine, err := f.Stat()
		if err == nil {
			var current os.FileInfo
			if current, err = os.Stat(name); err == nil && os.SameFile(mine, current) {
				l := &fileLock{f: f}
				if err := l.describe(); err != nil {
					l.release()
					return nil, wrap(path, "writing the lock file", err)
				}
				return l, nil
			}
		}
		f.Close()
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("%s: cannot lock %s: %w", path, name, err)
		}
	}
	return nil, fmt.Errorf("%s: cannot lock %s: other processes keep taking and removing it; try again", path, name)
}

func (l *fileLock) describe() error {
	host, err := os.Hostname()
	if err != nil {
		host = "this machine"
	}
	b, err := json.Marshal(lockOwner{
		PID: os.Getpid(), Host: host, Since: time.Now().UTC().Truncate(time.Second),
		Command: fmt.Sprintf("%.200s", strings.ToValidUTF8(strings.Join(os.Args, " "), "?")),
	})
	if err != nil {
		return err
	}
	if err := l.f.Truncate(0); err != nil {
		return err
	}
	// A lock file on a full disk is still a lock; only its text is missing.
	_, _ = l.f.WriteAt(append(b, '\n'), 0)
	return nil
}

// release removes the file while it is still locked, where the system allows
// that, then lets go.
func (l *fileLock) release() error {
	removeLocked(l.f)
	return l.f.Close()
}

// readOwner reads who holds the lock. The owner writes its name just after it
// takes the lock, so give it a moment.
func readOwner(path string, f *os.File) *LockedError {
	for range 20 {
		b, err := io.ReadAll(io.NewSectionReader(f, 0, 4096))
		var o lockOwner
		if err == nil && json.Unmarshal(b, &o) == nil && o.PID != 0 {
			return &LockedError{Path: path, PID: o.PID, Host: o.Host, Since: o.Since, Command: o.Command}
		}
		time.Sleep(5 * time.Millisecond)
	}
	return &LockedError{Path: path}
}
