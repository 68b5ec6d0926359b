package data

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// A fileError says in which file, and where in it, something is wrong.
func fileError(path, where string, err error) error {
	if where == "" {
		return fmt.Errorf("data: %s: %w", path, err)
	}
	return fmt.Errorf("data: %s: %s: %w", path, where, err)
}

// open opens a file for reading; one that is compressed with gzip is unpacked.
func open(path string) (io.Reader, func(), error) {
	f, err := os.Open(path)
	if err != nil {
		var p *os.PathError
		if errors.As(err, &p) {
			err = p.Err
		}
		return nil, nil, fileError(path, "", err)
	}
	if s, err := f.Stat(); err == nil && s.IsDir() {
		f.Close()
		return nil, nil, fileError(path, "", errors.New("found a folder, want a file"))
	}
	r, err := unpack(f)
	if err != nil {
		f.Close()
		return nil, nil, fileError(path, "", err)
	}
	return r, func() { f.Close() }, nil
}

func unpack(r io.Reader) (io.Reader, error) {
	b := bufio.NewReaderSize(r, 1<<16)
	head, err := b.Peek(2)
	if err != nil && err != io.EOF {
		return nil, err
	}
	if len(head) < 2 || head[0] != 0x1f || head[1] != 0x8b {
		return b, nil
	}
	return gzip.NewReader(b)
}

// exactly reads n bytes, whatever room that takes: it is made as the bytes come, so that
// a header that promises too much takes no memory.
func exactly(r io.Reader, n int) ([]byte, error) {
	const first = 1 << 24
	b := make([]byte, min(n, first))
	at := 0
	for {
		k, err := io.ReadFull(r, b[at:])
		at += k
		if err != nil {
			if err == io.EOF || err == io.ErrUnexpectedEOF {
				err = fmt.Errorf("found the end after %d of %d bytes: the file is cut off", at, n)
			}
			return nil, err
		}
		if at == n {
			return b, nil
		}
		more := make([]byte, min(n, 2*len(b)))
		copy(more, b)
		b = more
	}
}

// ended reports bytes beyond what a file should hold.
func ended(r io.Reader) error {
	var b [1]byte
	switch _, err := io.ReadFull(r, b[:]); err {
	case io.EOF:
		return nil
	case nil:
		return errors.New("found more bytes than the header promises")
	default:
		return err
	}
}

// whole reads a file of at most limit bytes when unpacked.
func whole(path string, limit int64) ([]byte, error) {
	r, done, err := open(path)
	if err != nil {
		return nil, err
	}
	defer done()
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fileError(path, fmt.Sprintf("byte %d", len(b)), err)
	}
	if int64(len(b)) > limit {
		return nil, fileError(path, "", fmt.Errorf("found more than %d bytes, want at most so many when unpacked", limit))
	}
	return b, nil
}

// byteOrderMark is what some programs begin a text in UTF-8 with.
const byteOrderMark = "\ufeff"

// exists reports whether there is a file or folder of this name.
func exists(path ...string) bool {
	_, err := os.Stat(filepath.Join(path...))
	return err == nil
}
