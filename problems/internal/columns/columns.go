// Package columns is the format of the tables that the program carries: named
// columns of decimals, each compressed on its own and read when it is asked
// for.
//
// A file starts with "DCOLS1\n", the number of rows and the number of columns.
// Then follows for each column the length of its name, the name, its decimals,
// its least value, the bytes of a value and the size of its block; then the
// blocks. All numbers are varints, the least value a signed one. A block is a
// DEFLATE stream of the values less the least one, in units of 10^-decimals:
// first the lowest bytes of all rows, then the next ones. Dividing by the power
// of ten gives exactly the float64 of the decimal in the source.
package columns

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
)

const magic = "DCOLS1\n"

// A Column is one column to be packed.
type Column struct {
	Name     string
	Decimals int
	Values   []int64 // in units of 10^-Decimals
}

// Add reads a decimal such as "-12.345e-3" and appends it; it refuses to round.
func (c *Column) Add(text string) error {
	mantissa, exponent, _ := strings.Cut(strings.ToLower(text), "e")
	shift := 0
	if exponent != "" {
		n, err := strconv.Atoi(exponent)
		if err != nil {
			return fmt.Errorf("found %q, want a number", text)
		}
		shift = n
	}
	whole, frac, _ := strings.Cut(mantissa, ".")
	zeros := c.Decimals + shift - len(frac)
	digits := whole + frac
	for zeros < 0 && strings.HasSuffix(digits, "0") {
		digits, zeros = digits[:len(digits)-1], zeros+1
	}
	if mantissa == "" || zeros < 0 || zeros > 18 {
		return fmt.Errorf("column %s: found %q, want a number with at most %d decimals", c.Name, text, c.Decimals)
	}
	v, err := strconv.ParseInt(digits+strings.Repeat("0", zeros), 10, 64)
	if err != nil {
		return fmt.Errorf("column %s: found %q, want a number", c.Name, text)
	}
	c.Values = append(c.Values, v)
	return nil
}

// Append rounds a number to the decimals and appends it.
func (c *Column) Append(x float64) {
	c.Values = append(c.Values, int64(math.Round(x*math.Pow(10, float64(c.Decimals)))))
}

// Pack writes columns of equal length.
func Pack(all []Column) ([]byte, error) {
	if len(all) == 0 {
		return nil, errors.New("columns: no columns")
	}
	rows := len(all[0].Values)
	head := []byte(magic)
	head = binary.AppendUvarint(head, uint64(rows))
	head = binary.AppendUvarint(head, uint64(len(all)))
	var body []byte
	for _, c := range all {
		if len(c.Values) != rows || rows == 0 {
			return nil, fmt.Errorf("columns: column %s has %d rows, want %d, at least 1", c.Name, len(c.Values), rows)
		}
		least, most := slices.Min(c.Values), slices.Max(c.Values)
		width := 1
		for uint64(most-least)>>(8*width) > 0 && width < 8 {
			width++
		}
		planes := make([]byte, width*rows)
		for i, v := range c.Values {
			for k := range width {
				planes[k*rows+i] = byte(uint64(v-least) >> (8 * k))
			}
		}
		var block bytes.Buffer
		w, err := flate.NewWriter(&block, flate.BestCompression)
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(planes); err != nil {
			return nil, err
		}
		if err := w.Close(); err != nil {
			return nil, err
		}
		head = binary.AppendUvarint(head, uint64(len(c.Name)))
		head = append(head, c.Name...)
		head = binary.AppendUvarint(head, uint64(c.Decimals))
		head = binary.AppendVarint(head, least)
		head = binary.AppendUvarint(head, uint64(width))
		head = binary.AppendUvarint(head, uint64(block.Len()))
		body = append(body, block.Bytes()...)
	}
	return append(head, body...), nil
}

// A File is a packed table. It is safe for concurrent use.
type File struct {
	rows    int
	order   []string
	columns map[string]*column
}

type column struct {
	least    int64
	width    int
	decimals int
	block    []byte
	once     sync.Once
	value    []float64
	err      error
}

var errCut = errors.New("columns: the file is cut off or has bytes too many")

// Open finds the columns of a file.
func Open(file []byte) (*File, error) {
	rest, ok := bytes.CutPrefix(file, []byte(magic))
	if !ok {
		return nil, fmt.Errorf("columns: found another kind of file, want one that starts with %q", magic)
	}
	number := func() uint64 {
		v, n := binary.Uvarint(rest)
		if n <= 0 {
			rest, ok = nil, false
			return 0
		}
		rest = rest[n:]
		return v
	}
	take := func(n uint64) []byte {
		if n > uint64(len(rest)) {
			rest, ok = nil, false
			return nil
		}
		b := rest[:n]
		rest = rest[n:]
		return b
	}
	f := &File{columns: map[string]*column{}}
	rows, count := number(), number()
	if rows > 1<<24 || count > 1<<16 {
		return nil, errCut
	}
	f.rows = int(rows)
	var sizes []uint64
	for range count {
		name := string(take(number()))
		c := &column{decimals: int(min(number(), 22))}
		var n int
		if c.least, n = binary.Varint(rest); n <= 0 {
			return nil, errCut
		}
		rest = rest[n:]
		c.width = int(min(number(), 8))
		sizes = append(sizes, number())
		f.order, f.columns[name] = append(f.order, name), c
		if !ok {
			return nil, errCut
		}
	}
	for i, name := range f.order {
		f.columns[name].block = take(sizes[i])
	}
	if !ok || len(rest) > 0 {
		return nil, errCut
	}
	return f, nil
}

// Rows returns the number of rows.
func (f *File) Rows() int { return f.rows }

// Names returns the columns in their order.
func (f *File) Names() []string { return slices.Clone(f.order) }

// Column returns a column. The slice is shared and must not be changed.
func (f *File) Column(name string) ([]float64, error) {
	c := f.columns[name]
	if c == nil {
		return nil, fmt.Errorf("columns: no column %q", name)
	}
	c.once.Do(func() {
		c.value, c.err = c.decode(f.rows)
		c.block = nil
	})
	if c.err != nil {
		return nil, fmt.Errorf("columns: column %s: %w", name, c.err)
	}
	return c.value, nil
}

func (c *column) decode(rows int) ([]float64, error) {
	planes, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(c.block)), int64(8*rows)+1))
	if err != nil {
		return nil, err
	}
	if len(planes) != c.width*rows {
		return nil, fmt.Errorf("found %d bytes, want %d", len(planes), c.width*rows)
	}
	scale := 1.0
	for range c.decimals {
		scale *= 10 // exact up to 1e22
	}
	value := make([]float64, rows)
	for i := range value {
		v := uint64(0)
		for k := range c.width {
			v |= uint64(planes[k*rows+i]) << (8 * k)
		}
		value[i] = float64(c.least+int64(v)) / scale
	}
	return value, nil
}
