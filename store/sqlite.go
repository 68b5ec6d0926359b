package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/pressly/goose/v3"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/daedalus-search/daedalus/internal/atomicfile"
)

// SQLite is a [Store] in one file. It is made by [Create], [Open] and
// [OpenRead].
type SQLite struct {
	path     string
	readOnly bool
	lock     *fileLock // nil when reading only

	writing sync.Mutex // one transaction at a time
	writer  *conn      // guarded by writing; nil when reading only
	enc     encoder    // guarded by writing

	query   string       // how readers open the file
	readers chan *reader // idle readers, opened when first needed
	closed  chan struct{}
	closing sync.Once
	err     error // of closing
}

var _ Store = (*SQLite)(nil)

// numReaders is how many readers may be busy at once.
const numReaders = 4

type reader struct{ c *conn } // nil until first used

const (
	// applicationID marks the file as ours: "DAED".
	applicationID = 0x44414544

	// Ten seconds are longer than any transaction of ours and shorter than
	// anybody's patience.
	busyTimeout = "PRAGMA busy_timeout=10000"
)

//go:embed migrations/sqlite/*.sql
var migrations embed.FS

// Create makes the file of a new study and opens it for writing, as [Open]
// does. It returns [ErrExists] if there is anything at path. A crash leaves
// either no study or a whole one.
func Create(ctx context.Context, path string, s Study) (*SQLite, error) {
	if err := s.validate(); err != nil {
		return nil, err
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if err := checkAbsent(path); err != nil {
		return nil, err
	}
	l, err := lock(path)
	if err != nil {
		return nil, err
	}
	st, err := create(ctx, path, s, l)
	if err != nil {
		return nil, errors.Join(err, l.release())
	}
	return st, nil
}

func checkAbsent(path string) error {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s: %w: open it, or choose another name", path, ErrExists)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// SQLite would take a forgotten log for the new file's own.
	if info, err := os.Lstat(path + "-wal"); err == nil && info.Size() > 0 {
		return fmt.Errorf("%s: %w: its log %s-wal is still there, but the file itself is gone; bring it back, or remove the log", path, ErrExists, filepath.Base(path))
	}
	return nil
}

func create(ctx context.Context, path string, s Study, l *fileLock) (*SQLite, error) {
	// Again, now that nobody else can create it.
	if err := checkAbsent(path); err != nil {
		return nil, err
	}
	fresh := path + ".new"
	for _, name := range []string{fresh, fresh + "-journal"} { // left by a crash
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	defer os.Remove(fresh)
	if err := build(ctx, fresh, s); err != nil {
		return nil, wrap(path, "creating the study", err)
	}
	if err := atomicfile.Rename(fresh, path); err != nil {
		return nil, err
	}
	return openOwned(ctx, path, l)
}

// build writes a whole study file. Nobody sees it before it is complete, so it
// needs no journal, and is brought to the disk once.
func build(ctx context.Context, path string, s Study) error {
	if err := migrate(ctx, path, "_pragma=journal_mode(off)&_pragma=synchronous(off)"); err != nil {
		return err
	}
	c, err := openConn(path, "mode=rw", "PRAGMA journal_mode=off", "PRAGMA synchronous=off")
	if err != nil {
		return err
	}
	err = saveStudy(c, s)
	if err == nil {
		err = c.run("PRAGMA journal_mode=wal")
	}
	if err := errors.Join(err, c.close()); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// migrate brings a file, possibly empty, to the present format.
func migrate(ctx context.Context, path, query string) error {
	folder, err := fs.Sub(migrations, "migrations/sqlite")
	if err != nil {
		return err
	}
	db, err := sql.Open("sqlite", dsn(path, query))
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	p, err := goose.NewProvider(goose.DialectSQLite3, db, folder)
	if err != nil {
		return err
	}
	_, err = p.Up(ctx)
	return err
}

// Open opens a study for reading and writing. The process that does so owns
// the study until it calls Close or ends, however it ends; meanwhile others
// get a [*LockedError], but can still use [OpenRead].
//
// It returns a [*FormatError] for a file that is not a study or is damaged and
// a [*VersionError] for one of a newer engine. A file of an older engine is
// brought up to date.
func Open(ctx context.Context, path string) (*SQLite, error) {
	path, err := checkPresent(path)
	if err != nil {
		return nil, err
	}
	l, err := lock(path)
	if err != nil {
		return nil, err
	}
	st, err := openOwned(ctx, path, l)
	if err != nil {
		return nil, errors.Join(err, l.release())
	}
	return st, nil
}

func checkPresent(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	switch info, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("there is no study at %s: %w", path, fs.ErrNotExist)
	case err != nil:
		return "", err
	case info.IsDir():
		return "", &FormatError{Path: path, Found: "it is a folder"}
	case !info.Mode().IsRegular():
		return "", &FormatError{Path: path, Found: fmt.Sprintf("it is no regular file (%v)", info.Mode().Type())}
	case info.Size() == 0:
		return "", &FormatError{Path: path, Found: "it is empty"}
	}
	// The file is never opened but by SQLite: closing any other descriptor of
	// it would drop SQLite's own POSIX locks in this process.
	return path, nil
}

func openOwned(ctx context.Context, path string, l *fileLock) (*SQLite, error) {
	c, err := openConn(path, "mode=rw", busyTimeout)
	if err != nil {
		return nil, wrap(path, "opening", err)
	}
	fail := func(err error) (*SQLite, error) {
		c.close()
		return nil, wrapOnce(path, "opening", err)
	}
	version, err := identify(c, path)
	if err != nil {
		return fail(err)
	}
	if version < FormatVersion {
		if err := migrate(ctx, path, "mode=rw&_pragma=busy_timeout(10000)&_txlock=immediate"); err != nil {
			return fail(err)
		}
	}
	if err := requireWAL(c); err != nil {
		return fail(err)
	}
	for _, pragma := range []string{
		// FULL, not NORMAL: a trial may have cost hours, so its result is on
		// the disk before it is acknowledged, power cut or not.
		"PRAGMA synchronous=full",
		"PRAGMA foreign_keys=on",
		"PRAGMA cache_size=-16000",
		"PRAGMA wal_autocheckpoint=4000",
		"PRAGMA journal_size_limit=67108864",
	} {
		if err := c.run(pragma); err != nil {
			return fail(err)
		}
	}
	st := newSQLite(path, "mode=ro")
	st.writer, st.lock = c, l
	if _, err := st.Study(ctx); err != nil {
		st.lock = nil // the caller releases it
		st.Close()
		return nil, err
	}
	return st, nil
}

// identify returns the version of a study file.
func identify(c *conn, path string) (int, error) {
	id, err := c.one("PRAGMA application_id")
	if err != nil {
		return 0, err
	}
	version, err := c.one("PRAGMA user_version")
	if err != nil {
		return 0, err
	}
	switch {
	case id != applicationID:
		return 0, &FormatError{Path: path, Found: fmt.Sprintf("it is an SQLite database of another program (application id %#x, want %#x)", uint32(id), applicationID)}
	case version > FormatVersion:
		return 0, &VersionError{Path: path, Found: int(version), Want: FormatVersion}
	case version < 1:
		return 0, &FormatError{Path: path, Damaged: true, Found: fmt.Sprintf("its format version is %d, want 1 to %d", version, FormatVersion)}
	}
	return int(version), nil
}

func requireWAL(c *conn) error {
	var mode string
	err := c.query("PRAGMA journal_mode=wal", nil, func(row []driver.Value) error {
		mode, _ = row[0].(string)
		return nil
	})
	if err == nil && mode != "wal" {
		err = fmt.Errorf("write-ahead logging is not possible here (journal mode is %q): put the study on a local disk", mode)
	}
	return err
}

// OpenRead opens a study for reading only. It needs no lock, never blocks the
// owner, and sees all that was saved before each call. Where the folder cannot
// be written it reads the file alone.
func OpenRead(ctx context.Context, path string) (*SQLite, error) {
	path, err := checkPresent(path)
	if err != nil {
		return nil, err
	}
	st, err := openRead(ctx, path, "mode=ro")
	if err == nil {
		return st, nil
	}
	// SQLite needs to make an index of the log beside the file. Where it
	// cannot, nobody writes either, so the file can be taken as it is; unless
	// there is something in the log.
	switch sqliteCode(err) & 0xff {
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY:
	default:
		return nil, err
	}
	if info, statErr := os.Stat(path + "-wal"); statErr == nil && info.Size() > 0 {
		return nil, fmt.Errorf("%s: its latest trials are in %s-wal, which cannot be used in a folder that is not writable: copy both to another folder and open the copy: %w",
			path, filepath.Base(path), err)
	}
	return openRead(ctx, path, "mode=ro&immutable=1")
}

func openRead(ctx context.Context, path, query string) (*SQLite, error) {
	st := newSQLite(path, query)
	st.readOnly = true
	err := st.read(ctx, "opening", func(c *conn) error {
		version, err := identify(c, path)
		if err == nil && version < FormatVersion {
			err = &VersionError{Path: path, Found: version, Want: FormatVersion}
		}
		return err
	})
	if err == nil {
		_, err = st.Study(ctx)
	}
	if err != nil {
		st.Close()
		return nil, err
	}
	return st, nil
}

func newSQLite(path, query string) *SQLite {
	s := &SQLite{path: path, query: query, readers: make(chan *reader, numReaders), closed: make(chan struct{})}
	for range numReaders {
		s.readers <- &reader{}
	}
	return s
}

// Path returns the absolute path of the file.
func (s *SQLite) Path() string { return s.path }

// Close waits for the calls under way, merges the log into the file, so that
// the file alone is the study, and lets others own it.
func (s *SQLite) Close() error {
	s.closing.Do(func() {
		close(s.closed)
		var errs []error
		for range numReaders {
			if r := <-s.readers; r.c != nil {
				errs = append(errs, r.c.close())
			}
		}
		s.writing.Lock()
		defer s.writing.Unlock()
		// The writer last: the last connection to close merges the log.
		if s.writer != nil {
			errs = append(errs, s.writer.close())
			s.writer = nil
		}
		if s.lock != nil {
			errs = append(errs, s.lock.release())
		}
		s.err = wrap(s.path, "closing", errors.Join(errs...))
	})
	return s.err
}

// read runs f with a reader in a read transaction.
func (s *SQLite) read(ctx context.Context, doing string, f func(c *conn) error) error {
	select {
	case <-s.closed: // a closed store has no readers to wait for
		return ErrClosed
	default:
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-s.closed:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	case r := <-s.readers:
		defer func() { s.readers <- r }()
		if r.c == nil {
			c, err := openConn(s.path, s.query, busyTimeout, "PRAGMA query_only=on", "PRAGMA cache_size=-8000")
			if err != nil {
				return wrap(s.path, doing, err)
			}
			r.c = c
		}
		return wrapOnce(s.path, doing, r.c.read(func() error { return f(r.c) }))
	}
}

// write runs f in a transaction that is on the disk when write returns nil.
func (s *SQLite) write(ctx context.Context, doing string, f func(c *conn) error) error {
	if s.readOnly {
		return fmt.Errorf("%s: %s: %w", s.path, doing, ErrReadOnly)
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.writer == nil {
		return ErrClosed
	}
	c := s.writer
	if err := c.run("BEGIN IMMEDIATE"); err != nil {
		return wrap(s.path, doing, err)
	}
	err := f(c)
	if err == nil {
		err = c.run("COMMIT")
	}
	if err != nil {
		// SQLite may have rolled back by itself; then this has nothing to do.
		_ = c.run("ROLLBACK")
		return wrapOnce(s.path, doing, err)
	}
	return nil
}

// wrapOnce is wrap for errors that may already say all there is to say.
func wrapOnce(path, doing string, err error) error {
	var f *FormatError
	var v *VersionError
	switch {
	case errors.As(err, &f), errors.As(err, &v), errors.Is(err, ErrFinished), errors.Is(err, ErrNotFound),
		errors.Is(err, ErrInvalid), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	return wrap(path, doing, err)
}

// Copy writes the study as it is at this moment to a new file, which needs no
// log beside it. It returns [ErrExists] if there is anything at path.
func (s *SQLite) Copy(ctx context.Context, path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	if err := checkAbsent(path); err != nil {
		return err
	}
	c, err := openConn(s.path, s.query, busyTimeout)
	if err != nil {
		return wrap(s.path, "copying", err)
	}
	_, err = c.exec("VACUUM INTO ?", named(path))
	return wrap(s.path, "copying to "+path, errors.Join(err, c.close()))
}
