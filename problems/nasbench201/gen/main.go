// Command gen packs the published CSV of NAS-Bench-201 into the file that
// package nasbench201 embeds. DATA.md describes the format and the sources.
//
//	go run ./gen -in ../../../shared/data/nas-bench-201/nasbench201.csv.gz -out table.bin
package main

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/binary"
	"encoding/csv"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

const (
	cells = 15625 // 5 operations on 6 edges

	magic = "NB201T1\n"
)

// A column is one column of the CSV as whole numbers of 10^-scale, ordered by
// cell: the six digits of ops read as a number in base five.
type column struct {
	name  string
	scale int
	value []uint32
}

func main() {
	in := flag.String("in", "../../../shared/data/nas-bench-201/nasbench201.csv.gz", "the gzipped CSV")
	out := flag.String("out", "table.bin", "the file to write")
	flag.Parse()
	if err := run(*in, *out); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(in, out string) error {
	f, err := os.Open(in)
	if err != nil {
		return err
	}
	defer f.Close()
	columns, err := read(f)
	if err != nil {
		return fmt.Errorf("%s: %w", in, err)
	}
	packed, err := pack(columns)
	if err != nil {
		return err
	}
	return os.WriteFile(out, packed, 0o644)
}

// read takes the columns that cannot be computed: the benchmark's index, the
// accuracies and the latencies.
func read(r io.Reader) ([]column, error) {
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, err
	}
	c := csv.NewReader(z)
	header, err := c.Read()
	if err != nil {
		return nil, err
	}
	var columns []column
	var from []int
	for i, name := range header {
		col := column{value: make([]uint32, cells)}
		device, latency := strings.CutPrefix(name, "lat_ms_")
		switch {
		case name == "index":
			col.name = name
		case latency:
			col.name, col.scale = device, 7 // five significant digits from 0.0032769 to 183
		case strings.HasSuffix(name, "ep"):
			col.name, col.scale = name, 4
		default:
			continue // ops is the order of the rows; parameters and FLOPs follow from it
		}
		columns = append(columns, col)
		from = append(from, i)
	}
	ops := slices.Index(header, "ops")
	if ops < 0 || len(columns) != 1+9+27 {
		return nil, fmt.Errorf("found the columns %q, want ops, index, 9 accuracies and 27 latencies", header)
	}
	seen := make([]bool, cells)
	for line := 2; ; line++ {
		row, err := c.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		cell, err := strconv.ParseUint(row[ops], 5, 16)
		if err != nil || len(row[ops]) != 6 || seen[cell] {
			return nil, fmt.Errorf("line %d: found the cell %q, want six digits from 0 to 4 that occur once", line, row[ops])
		}
		seen[cell] = true
		for k := range columns {
			v, err := decimal(row[from[k]], columns[k].scale)
			if err != nil {
				return nil, fmt.Errorf("line %d, column %s: %w", line, header[from[k]], err)
			}
			columns[k].value[cell] = v
		}
	}
	if i := slices.Index(seen, false); i >= 0 {
		return nil, fmt.Errorf("found no row for the cell %s", strconv.FormatInt(int64(i), 5))
	}
	return columns, nil
}

// decimal reads a decimal as a whole number of 10^-scale and refuses to round.
func decimal(s string, scale int) (uint32, error) {
	whole, frac, _ := strings.Cut(s, ".")
	if whole == "" || len(frac) > scale {
		return 0, fmt.Errorf("found %q, want a number with at most %d decimals", s, scale)
	}
	v, err := strconv.ParseUint(whole+frac+strings.Repeat("0", scale-len(frac)), 10, 32)
	if err != nil {
		return 0, fmt.Errorf("found %q: %w", s, err)
	}
	return uint32(v), nil
}

// pack writes all columns. Each is compressed on its own, so that a reader
// decodes only those it needs.
func pack(columns []column) ([]byte, error) {
	head := []byte(magic)
	head = binary.AppendUvarint(head, uint64(len(columns)))
	var body []byte
	for _, c := range columns {
		block, err := deflate(encode(c.value))
		if err != nil {
			return nil, err
		}
		head = binary.AppendUvarint(head, uint64(len(c.name)))
		head = append(head, c.name...)
		head = binary.AppendUvarint(head, uint64(c.scale))
		head = binary.AppendUvarint(head, uint64(len(block)))
		body = append(body, block...)
	}
	return append(head, body...), nil
}

// encode writes the distinct values as differences, then for each cell the
// number of its value: first all low bytes, then all high bytes.
func encode(value []uint32) []byte {
	distinct := slices.Clone(value)
	slices.Sort(distinct)
	distinct = slices.Compact(distinct)
	b := binary.AppendUvarint(nil, uint64(len(distinct)))
	last := uint32(0)
	for _, v := range distinct {
		b = binary.AppendUvarint(b, uint64(v-last))
		last = v
	}
	low := len(b)
	b = append(b, make([]byte, 2*len(value))...)
	for i, v := range value {
		k, _ := slices.BinarySearch(distinct, v)
		b[low+i], b[low+len(value)+i] = byte(k), byte(k>>8)
	}
	return b
}

func deflate(b []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(b); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
