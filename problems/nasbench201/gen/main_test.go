package main

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// The embedded table is what the generator makes of the CSV. Contents are
// compared and not compressed bytes, since another Go release may compress
// otherwise.
func TestTableIsUpToDate(t *testing.T) {
	t.Parallel()
	in := filepath.Join("..", "..", "..", "..", "shared", "data", "nas-bench-201", "nasbench201.csv.gz")
	f, err := os.Open(in)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("%s is not there: the CSV from which the table is made is not part of the repository", in)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	columns, err := read(f)
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := pack(columns)
	if err != nil {
		t.Fatal(err)
	}
	again, err := pack(columns)
	if err != nil || !bytes.Equal(fresh, again) {
		t.Errorf("two runs gave different files (error %v)", err)
	}
	stored, err := os.ReadFile(filepath.Join("..", "table.bin"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := contents(fresh)
	if err != nil {
		t.Fatal(err)
	}
	got, err := contents(stored)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("table.bin differs from what the CSV gives; run go generate ./problems/nasbench201")
	}
	if limit := 1_200_000; len(stored) > limit {
		t.Errorf("table.bin has %d bytes, want at most %d", len(stored), limit)
	}
}

// contents returns the header without the compressed lengths, and the blocks
// as they are before compression.
func contents(file []byte) ([]byte, error) {
	r := bytes.NewReader(file)
	out := make([]byte, len(magic))
	if _, err := io.ReadFull(r, out); err != nil {
		return nil, err
	}
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return nil, err
	}
	var sizes []int64
	for range n {
		size, err := binary.ReadUvarint(r)
		if err != nil {
			return nil, err
		}
		name := make([]byte, size)
		if _, err := io.ReadFull(r, name); err != nil {
			return nil, err
		}
		scale, err := binary.ReadUvarint(r)
		if err != nil {
			return nil, err
		}
		block, err := binary.ReadUvarint(r)
		if err != nil {
			return nil, err
		}
		out = fmt.Appendf(out, "%s:%d\n", name, scale)
		sizes = append(sizes, int64(block))
	}
	for _, size := range sizes {
		b, err := io.ReadAll(flate.NewReader(io.LimitReader(r, size)))
		if err != nil {
			return nil, err
		}
		out = append(out, b...)
	}
	if r.Len() > 0 {
		return nil, fmt.Errorf("%d bytes after the last block", r.Len())
	}
	return out, nil
}

func TestDecimalIsExact(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]uint32{"0": 0, "17": 170000, "63.364": 633640, "85.8633": 858633} {
		if got, err := decimal(s, 4); got != want || err != nil {
			t.Errorf("decimal(%q) = %d, %v, want %d", s, got, err, want)
		}
	}
	for _, s := range []string{"", "x", "1.00001", "-1", "1e3", "1.2.3", "999999"} {
		if got, err := decimal(s, 4); err == nil {
			t.Errorf("decimal(%q) = %d, want an error", s, got)
		}
	}
}
