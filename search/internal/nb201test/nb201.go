// Package nb201test gives tests of search methods the table of NAS-Bench-201
// (Dong and Yang 2020): 15,625 really trained cells of six edges with five
// operations each.
package nb201test

import (
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/daedalus-search/daedalus/space"
)

// Cells is the number of cells of the table.
const Cells = 15_625

// The data sets of the table.
const (
	CIFAR10 = iota
	CIFAR100
	ImageNet16
	Datasets
)

// A Table holds, for each cell and data set, an accuracy in percent. Cells are
// numbered by their operations as digits to base 5, first edge first.
type Table struct {
	Valid [Datasets][]float64 // validation, after 12 epochs
	Test  [Datasets][]float64 // test, after 200 epochs
}

// Space returns the space of cells: one category for each edge.
func Space() *space.Space {
	edge := func(name string) space.Node {
		return space.Categorical(name, "none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
	}
	return space.MustNew(edge("e01"), edge("e02"), edge("e12"), edge("e03"), edge("e13"), edge("e23"))
}

// Cell returns the number of the cell that a design of [Space] stands for.
func Cell(d space.Design, buf []space.Answer) (int, []space.Answer) {
	buf = d.Decisions(buf[:0])
	cell := 0
	for _, a := range buf {
		cell = 5*cell + a.Index
	}
	return cell, buf
}

// Load returns the table, or skips the test if its file is not there.
func Load(tb testing.TB) *Table {
	tb.Helper()
	t, err := load()
	if errors.Is(err, fs.ErrNotExist) {
		tb.Skipf("the table of NAS-Bench-201 is not at hand: %v", err)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

// load looks for shared/data beside the module.
var load = sync.OnceValues(func() (*Table, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		up := filepath.Dir(dir)
		if up == dir {
			return nil, fmt.Errorf("no go.mod above the test: %w", fs.ErrNotExist)
		}
		dir = up
	}
	f, err := os.Open(filepath.Join(filepath.Dir(dir), "shared", "data", "nas-bench-201", "nasbench201.csv.gz"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return read(f)
})

func read(r io.Reader) (*Table, error) {
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, err
	}
	in := csv.NewReader(z)
	head, err := in.Read()
	if err != nil {
		return nil, err
	}
	column := map[string]int{}
	for i, name := range head {
		column[name] = i
	}
	t := &Table{}
	for d := range Datasets {
		t.Valid[d], t.Test[d] = make([]float64, Cells), make([]float64, Cells)
	}
	rows := 0
	for ; ; rows++ {
		row, err := in.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		cell, err := strconv.ParseInt(row[column["ops"]], 5, 64)
		if err != nil {
			return nil, err
		}
		for d, name := range [Datasets]string{"c10", "c100", "in16"} {
			if t.Valid[d][cell], err = strconv.ParseFloat(row[column[name+"_valid_12ep"]], 64); err != nil {
				return nil, err
			}
			if t.Test[d][cell], err = strconv.ParseFloat(row[column[name+"_test_200ep"]], 64); err != nil {
				return nil, err
			}
		}
	}
	if rows != Cells {
		return nil, fmt.Errorf("the table of NAS-Bench-201 has %d rows, want %d", rows, Cells)
	}
	return t, nil
}
