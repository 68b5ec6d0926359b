package store

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// What a caller may branch on, with [errors.Is].
var (
	// ErrExists is returned by [Create] when there is something at the path.
	ErrExists = errors.New("study file already exists")

	// ErrLocked is matched by every [*LockedError].
	ErrLocked = errors.New("study is in use by another process")

	// ErrFinished is returned by Save for a record that contradicts a finished
	// trial.
	ErrFinished = errors.New("trial is already finished with another result")

	// ErrNotFound is returned for a trial that is not stored.
	ErrNotFound = errors.New("no such trial")

	// ErrInvalid is returned by Save and SaveStudy for a record that cannot be
	// stored.
	ErrInvalid = errors.New("invalid record")

	// ErrReadOnly is returned by the writing methods of a store opened with
	// [OpenRead].
	ErrReadOnly = errors.New("study was opened for reading only")

	// ErrClosed is returned by every method after Close.
	ErrClosed = errors.New("study is closed")

	// ErrDiskFull is returned when the disk, a quota or a file size limit left
	// no room. Nothing of the failed call was stored, everything acknowledged
	// before is, and the store works on once there is room again.
	ErrDiskFull = errors.New("no room left on the disk")

	// ErrBusy is returned when another program kept the database locked for
	// longer than ten seconds.
	ErrBusy = errors.New("database is locked by another program")
)

// FormatError says that a file is not a study, or is a damaged one.
type FormatError struct {
	Path    string
	Damaged bool   // false: not a study at all
	Found   string // what is wrong
	Err     error  // the cause, or nil
}

func (e *FormatError) Error() string {
	if !e.Damaged {
		return fmt.Sprintf("%s is not a daedalus study: %s; want a file written by `daedalus run`", e.Path, e.Found)
	}
	name := filepath.Base(e.Path)
	return fmt.Sprintf("%s is damaged: %s; `daedalus doctor %s` saves every readable trial to a new file "+
		"(if it was copied while its study ran, copy %s-wal next to it first: the latest trials are in there)", e.Path, e.Found, e.Path, name)
}

func (e *FormatError) Unwrap() error { return e.Err }

// VersionError says that a file was written by a newer engine than this one,
// or, when reading only, by an older one.
type VersionError struct {
	Path        string
	Found, Want int
}

func (e *VersionError) Error() string {
	if e.Found < e.Want {
		return fmt.Sprintf("%s has format version %d, want %d: open it once for writing (`daedalus run`) to bring it up to date", e.Path, e.Found, e.Want)
	}
	return fmt.Sprintf("%s has format version %d, but this engine knows versions up to %d: update daedalus to open it", e.Path, e.Found, e.Want)
}

// LockedError says which process owns the study. It matches [ErrLocked].
type LockedError struct {
	Path    string
	PID     int // 0 if unknown
	Host    string
	Since   time.Time
	Command string
}

func (e *LockedError) Error() string {
	who := "another process"
	if e.PID != 0 {
		who = fmt.Sprintf("process %d on %s, started %s", e.PID, e.Host, e.Since.Local().Format(time.DateTime))
		if e.Command != "" {
			who += " (" + e.Command + ")"
		}
	}
	return fmt.Sprintf("%s is in use by %s: wait until it ends, or stop it; reading (`daedalus front`, `daedalus trials`) is possible meanwhile", e.Path, who)
}

// Is makes errors.Is(err, ErrLocked) true.
func (e *LockedError) Is(target error) bool { return target == ErrLocked }

// wrap turns an error of the driver into one a person can act on.
func wrap(path, doing string, err error) error {
	if err == nil {
		return nil
	}
	var se *sqlite.Error
	if !errors.As(err, &se) {
		return fmt.Errorf("%s: %s: %w", path, doing, err)
	}
	switch se.Code() & 0xff {
	case sqlite3.SQLITE_FULL:
		return diskFull(path, doing, err)
	case sqlite3.SQLITE_IOERR:
		// SQLite reports only ENOSPC as full. A quota and a file size limit
		// look like a broken disk to it, so ask the file system.
		switch se.Code() {
		case sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_TRUNCATE,
			sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_SHMOPEN, sqlite3.SQLITE_IOERR_SHMMAP:
			if cause := noRoom(path); cause != nil {
				return diskFull(path, doing, cause)
			}
		case sqlite3.SQLITE_IOERR_SHORT_READ, sqlite3.SQLITE_IOERR_DATA:
			return &FormatError{Path: path, Damaged: true, Found: doing + ": " + err.Error(), Err: err}
		}
	case sqlite3.SQLITE_ERROR:
		// Our statements are fixed: what they name is there unless the schema
		// was damaged.
		if strings.Contains(se.Error(), "no such ") {
			return &FormatError{Path: path, Damaged: true, Found: doing + ": " + err.Error(), Err: err}
		}
	case sqlite3.SQLITE_CORRUPT:
		return &FormatError{Path: path, Damaged: true, Found: doing + ": " + err.Error(), Err: err}
	case sqlite3.SQLITE_NOTADB:
		return &FormatError{Path: path, Found: "the file is not an SQLite database, or its first bytes are damaged", Err: err}
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fmt.Errorf("%s: %s: %w: close the program that has it open (an SQLite shell?) and run the command again: %w", path, doing, ErrBusy, err)
	case sqlite3.SQLITE_TOOBIG:
		return fmt.Errorf("%s: %s: %w: a text or design is longer than a gigabyte: %w", path, doing, ErrInvalid, err)
	}
	return fmt.Errorf("%s: %s: %w", path, doing, err)
}

func diskFull(path, doing string, cause error) error {
	return fmt.Errorf("%s: %s: %w: free some space on the disk of %s (or raise the quota or file size limit) and run the command again; nothing stored before is lost: %w",
		path, doing, ErrDiskFull, filepath.Dir(path), cause)
}

// sqliteCode returns the extended result code in err, or 0.
func sqliteCode(err error) int {
	var se *sqlite.Error
	if errors.As(err, &se) {
		return se.Code()
	}
	return 0
}
