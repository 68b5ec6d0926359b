package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net/url"
	"path/filepath"
	"strings"

	"modernc.org/sqlite"
)

// A conn is one SQLite connection with its prepared statements. It uses the
// driver directly: database/sql would copy every argument and every column
// once more, and start a goroutine per statement to watch a context, which
// together cost as much as the rows themselves.
//
// A conn must not be used by two goroutines at once.
type conn struct {
	c     driver.Conn
	stmts map[string]driver.Stmt
}

// dsn makes the URI of a database; the path may hold any character.
func dsn(path, query string) string {
	slashed := filepath.ToSlash(path)
	if !strings.HasPrefix(slashed, "/") {
		slashed = "/" + slashed // C:/x becomes /C:/x
	}
	return "file://" + (&url.URL{Path: slashed}).EscapedPath() + "?" + query
}

func openConn(path, query string, setup ...string) (*conn, error) {
	connector, err := sqlite.NewConnector(dsn(path, query))
	if err != nil {
		return nil, err
	}
	dc, err := connector.Connect(context.Background())
	if err != nil {
		return nil, err
	}
	c := &conn{c: dc, stmts: map[string]driver.Stmt{}}
	for _, text := range setup {
		if err := c.run(text); err != nil {
			c.close()
			return nil, err
		}
	}
	return c, nil
}

func (c *conn) close() error {
	var errs []error
	for _, st := range c.stmts {
		errs = append(errs, st.Close())
	}
	return errors.Join(append(errs, c.c.Close())...)
}

// stmt prepares a statement once. Only texts fixed in this package come here.
func (c *conn) stmt(text string) (driver.Stmt, error) {
	if st, ok := c.stmts[text]; ok {
		return st, nil
	}
	st, err := c.c.(driver.ConnPrepareContext).PrepareContext(context.Background(), text)
	if err != nil {
		return nil, err
	}
	c.stmts[text] = st
	return st, nil
}

// exec runs a prepared statement and returns how many rows it changed.
func (c *conn) exec(text string, args []driver.NamedValue) (int64, error) {
	st, err := c.stmt(text)
	if err != nil {
		return 0, err
	}
	res, err := st.(driver.StmtExecContext).ExecContext(context.Background(), args)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (c *conn) run(text string) error {
	_, err := c.exec(text, nil)
	return err
}

// query calls row for every row of the result; the slice is reused.
func (c *conn) query(text string, args []driver.NamedValue, row func([]driver.Value) error) (err error) {
	st, err := c.stmt(text)
	if err != nil {
		return err
	}
	rows, err := st.(driver.StmtQueryContext).QueryContext(context.Background(), args)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	dest := make([]driver.Value, len(rows.Columns()))
	for {
		switch err := rows.Next(dest); err {
		case nil:
		case io.EOF:
			return nil
		default:
			return err
		}
		if err := row(dest); err != nil {
			return err
		}
	}
}

// one returns the first column of the first row as an integer, 0 for NULL.
func (c *conn) one(text string, args ...driver.Value) (n int64, err error) {
	err = c.query(text, named(args...), func(row []driver.Value) error {
		n, _ = row[0].(int64)
		return nil
	})
	return n, err
}

func named(args ...driver.Value) []driver.NamedValue {
	out := make([]driver.NamedValue, len(args))
	for i, v := range args {
		out[i] = driver.NamedValue{Ordinal: i + 1, Value: v}
	}
	return out
}

// read runs f in a read transaction, so that all its queries see one state.
func (c *conn) read(f func() error) error {
	if err := c.run("BEGIN"); err != nil {
		return err
	}
	err := f()
	return errors.Join(err, c.run("ROLLBACK"))
}
