package nasbench201

import (
	"bytes"
	"compress/flate"
	_ "embed"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/daedalus-search/daedalus/internal/source"
)

//go:generate go run ./gen -out table.bin

//go:embed table.bin
var packed []byte

const magic = "NB201T1\n"

// A Dataset is one of the three data sets on which every cell was trained.
type Dataset string

// The data sets.
const (
	CIFAR10    Dataset = "cifar10"
	CIFAR100   Dataset = "cifar100"
	ImageNet16 Dataset = "imagenet16" // ImageNet16-120: 120 classes at 16×16 pixels
)

// Classes returns the number of classes, 0 for an unknown data set.
func (d Dataset) Classes() int64 {
	switch d {
	case CIFAR10:
		return 10
	case CIFAR100:
		return 100
	case ImageNet16:
		return 120
	}
	return 0
}

// ImageSide returns the width of an image in pixels, 0 for an unknown data set.
func (d Dataset) ImageSide() int64 {
	switch d {
	case CIFAR10, CIFAR100:
		return 32
	case ImageNet16:
		return 16
	}
	return 0
}

// A Training is a way in which an accuracy was measured.
type Training string

// The trainings.
const (
	Valid12 Training = "valid_12ep" // validation accuracy after 12 epochs
	Test12  Training = "test_12ep"  // test accuracy after 12 epochs
	Test200 Training = "test_200ep" // test accuracy after 200 epochs, mean over the seeds
)

var datasetColumn = map[Dataset]string{CIFAR10: "c10", CIFAR100: "c100", ImageNet16: "in16"}

// Devices returns the names of the devices whose latencies were measured or,
// for eyeriss and fpga, modelled. A number after a GPU or a phone is the batch
// size.
func Devices() []string { return append([]string(nil), devices...) }

var devices = []string{
	"1080ti_1", "1080ti_256", "1080ti_32", "2080ti_1", "2080ti_256", "2080ti_32",
	"essential_ph_1", "eyeriss", "fpga", "gold_6226", "gold_6240", "pixel2",
	"pixel3", "raspi4", "samsung_a50", "samsung_s7", "silver_4114", "silver_4210r",
	"titan_rtx_1", "titan_rtx_256", "titan_rtx_32", "titanx_1", "titanx_256",
	"titanx_32", "titanxp_1", "titanxp_256", "titanxp_32",
}

// Accuracies returns the accuracies in percent of all cells, by [Cell]. The
// slice is shared and must not be changed.
func Accuracies(d Dataset, t Training) ([]float64, error) {
	prefix, ok := datasetColumn[d]
	if !ok {
		return nil, unknown("data set", string(d), []string{string(CIFAR10), string(CIFAR100), string(ImageNet16)})
	}
	if t != Valid12 && t != Test12 && t != Test200 {
		return nil, unknown("training", string(t), []string{string(Valid12), string(Test12), string(Test200)})
	}
	return load(prefix + "_" + string(t))
}

// Latencies returns the latencies in milliseconds of all cells on a device, by
// [Cell]. The slice is shared and must not be changed.
func Latencies(device string) ([]float64, error) {
	if !known(device, devices) {
		return nil, unknown("device", device, devices)
	}
	return load(device)
}

// Index returns the number of the cell in the benchmark's own order, from 0.
func (c Cell) Index() (int, error) {
	column, err := load("index")
	if err != nil {
		return 0, err
	}
	if int(c) >= len(column) {
		return 0, fmt.Errorf("nasbench201: cell %d: want a number below %d", c, Cells)
	}
	return int(column[c]), nil
}

func known(word string, words []string) bool {
	for _, w := range words {
		if w == word {
			return true
		}
	}
	return false
}

func unknown(what, found string, words []string) error {
	hint := ""
	if near, ok := source.Nearest(found, words); ok {
		hint = fmt.Sprintf("; did you mean %s?", near)
	}
	return fmt.Errorf("nasbench201: %s: found %q, want one of %s%s", what, found, strings.Join(words, ", "), hint)
}

// A column of the file, decoded when it is first asked for.
type column struct {
	scale float64
	block []byte
	once  sync.Once
	value []float64
	err   error
}

var columns = sync.OnceValues(func() (map[string]*column, error) { return readHeader(packed) })

func load(name string) ([]float64, error) {
	all, err := columns()
	if err != nil {
		return nil, fmt.Errorf("nasbench201: embedded table: %w", err)
	}
	c := all[name]
	if c == nil {
		return nil, fmt.Errorf("nasbench201: embedded table: no column %q", name)
	}
	c.once.Do(func() {
		c.value, c.err = c.decode()
		c.block = nil
	})
	if c.err != nil {
		return nil, fmt.Errorf("nasbench201: embedded table: column %s: %w", name, c.err)
	}
	return c.value, nil
}

// readHeader finds the columns of the file; see DATA.md for its format.
func readHeader(file []byte) (map[string]*column, error) {
	rest, ok := bytes.CutPrefix(file, []byte(magic))
	if !ok {
		return nil, fmt.Errorf("found another kind of file, want one that starts with %q", magic)
	}
	uvarint := func() uint64 {
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
	all := map[string]*column{}
	var order []*column
	var sizes []uint64
	for range min(uvarint(), 1000) {
		name := string(take(uvarint()))
		c := &column{scale: 1}
		for range min(uvarint(), 20) {
			c.scale *= 10 // exact up to 1e22
		}
		all[name] = c
		order = append(order, c)
		sizes = append(sizes, uvarint())
	}
	for i, c := range order {
		c.block = take(sizes[i])
	}
	if !ok || len(rest) > 0 {
		return nil, fmt.Errorf("the file is cut off or has bytes too many")
	}
	return all, nil
}

// decode reads a column. A value is a whole number divided by a power of ten,
// both exact, so the quotient is the float64 nearest to the published decimal.
func (c *column) decode() ([]float64, error) {
	b, err := io.ReadAll(flate.NewReader(bytes.NewReader(c.block)))
	if err != nil {
		return nil, err
	}
	n, used := binary.Uvarint(b)
	if used <= 0 || n > 1<<16 {
		return nil, fmt.Errorf("found no count of distinct values")
	}
	b = b[used:]
	distinct := make([]float64, n)
	sum := uint64(0)
	for i := range distinct {
		v, used := binary.Uvarint(b)
		if used <= 0 {
			return nil, fmt.Errorf("found %d distinct values, want %d", i, n)
		}
		b = b[used:]
		sum += v
		distinct[i] = float64(sum) / c.scale
	}
	if len(b) != 2*Cells {
		return nil, fmt.Errorf("found %d bytes of rows, want %d", len(b), 2*Cells)
	}
	value := make([]float64, Cells)
	for i := range value {
		k := int(b[i]) | int(b[Cells+i])<<8
		if k >= len(distinct) {
			return nil, fmt.Errorf("row %d: found value number %d of %d", i, k, n)
		}
		value[i] = distinct[k]
	}
	return value, nil
}
