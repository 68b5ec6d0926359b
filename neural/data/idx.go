package data

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strconv"
)

// IDX are files in the format of MNIST, plain or compressed with gzip. If there is a
// folder, the others are names in it; those that are empty are then MNIST's.
type IDX struct {
	Folder     string `yaml:"folder" doc:"where the files lie"`
	Images     string `yaml:"images" doc:"training images; train-images-idx3-ubyte if there is a folder"`
	Labels     string `yaml:"labels" doc:"their classes; train-labels-idx1-ubyte if there is a folder"`
	TestImages string `yaml:"test_images" doc:"test images; t10k-images-idx3-ubyte if there is a folder and it is in it"`
	TestLabels string `yaml:"test_labels" doc:"their classes; t10k-labels-idx1-ubyte if there is a folder and it is in it"`
}

// idxTypes are the types of numbers in IDX files.
var idxTypes = map[byte]string{0x08: "bytes", 0x09: "signed bytes", 0x0b: "16-bit numbers", 0x0c: "32-bit numbers", 0x0d: "32-bit floats", 0x0e: "64-bit floats"}

// ReadIDX reads bytes in the IDX format, and how many there are along each axis. It
// reads at most limit bytes.
func ReadIDX(r io.Reader, limit int64) (shape []int, values []uint8, err error) {
	head, err := exactly(r, 4)
	if err != nil {
		return nil, nil, fmt.Errorf("header: %w", err)
	}
	axes := int(head[3])
	if head[0] != 0 || head[1] != 0 || idxTypes[head[2]] == "" || axes < 1 || axes > 4 {
		return nil, nil, fmt.Errorf("header: found the bytes % x, want those of an IDX file: 00 00 08 and 1 to 4 axes", head)
	}
	if head[2] != 0x08 {
		return nil, nil, fmt.Errorf("header: found an IDX file of %s, want one of bytes", idxTypes[head[2]])
	}
	sizes, err := exactly(r, 4*axes)
	if err != nil {
		return nil, nil, fmt.Errorf("header: %w", err)
	}
	n := 1
	for i := range axes {
		size := binary.BigEndian.Uint32(sizes[4*i:])
		if size == 0 || uint64(n)*uint64(size) > uint64(min(limit, math.MaxInt)) {
			return nil, nil, fmt.Errorf("header: found the size %d of axis %d, want at least 1 and at most %d bytes in all", size, i+1, limit)
		}
		n *= int(size)
		shape = append(shape, int(size))
	}
	values, err = exactly(r, n)
	if err != nil {
		record := n / shape[0]
		return nil, nil, fmt.Errorf("records of %d bytes: %w", record, err)
	}
	return shape, values, ended(r)
}

func readIDX(path string) ([]int, []uint8, error) {
	r, done, err := open(path)
	if err != nil {
		return nil, nil, err
	}
	defer done()
	shape, values, err := ReadIDX(r, maxBytes)
	if err != nil {
		return nil, nil, fileError(path, "", err)
	}
	return shape, values, nil
}

// loaded are images before their classes have names.
type loaded struct {
	height, width, channels int
	pixels                  []uint8
	labels                  []uint8
}

func readIDXPair(images, labels string) (*loaded, error) {
	shape, pixels, err := readIDX(images)
	if err != nil {
		return nil, err
	}
	of, classes, err := readIDX(labels)
	if err != nil {
		return nil, err
	}
	l := &loaded{channels: 1, pixels: pixels, labels: classes}
	switch {
	case len(shape) == 4 && (shape[3] == 1 || shape[3] == 3):
		l.channels = shape[3]
	case len(shape) != 3:
		return nil, fileError(images, "header", fmt.Errorf("found the sizes %v, want images×height×width, or ×1 or ×3", shape))
	}
	l.height, l.width = shape[1], shape[2]
	if len(of) != 1 {
		return nil, fileError(labels, "header", fmt.Errorf("found the sizes %v, want one number for each image", of))
	}
	if of[0] != shape[0] {
		return nil, fileError(labels, "header", fmt.Errorf("found %d classes, want %d, as many as there are images in %s", of[0], shape[0], images))
	}
	return l, nil
}

// open returns the training part, and the test part if there is one.
func (x IDX) open(dir string) (train, test *Set, err error) {
	find := func(name *string, standard string, must bool) error {
		switch {
		case *name == "" && x.Folder == "":
			if must {
				return fmt.Errorf("data: idx: found neither a folder nor images and labels, want one of the two")
			}
			return nil
		case *name == "":
			*name = filepath.Join(dir, x.Folder, standard)
			if !exists(*name) && exists(*name+".gz") {
				*name += ".gz"
			}
			if !must && !exists(*name) {
				*name = ""
			}
		case !filepath.IsAbs(*name):
			*name = filepath.Join(dir, x.Folder, *name)
		}
		return nil
	}
	if filepath.IsAbs(x.Folder) {
		dir = ""
	}
	if err := errors.Join(
		find(&x.Images, "train-images-idx3-ubyte", true), find(&x.Labels, "train-labels-idx1-ubyte", true),
		find(&x.TestImages, "t10k-images-idx3-ubyte", false), find(&x.TestLabels, "t10k-labels-idx1-ubyte", false)); err != nil {
		return nil, nil, err
	}
	if (x.TestImages == "") != (x.TestLabels == "") {
		return nil, nil, fmt.Errorf("data: idx: found test images %q with classes %q, want both or neither", x.TestImages, x.TestLabels)
	}
	a, err := readIDXPair(x.Images, x.Labels)
	if err != nil {
		return nil, nil, err
	}
	var b *loaded
	if x.TestImages != "" {
		if b, err = readIDXPair(x.TestImages, x.TestLabels); err != nil {
			return nil, nil, err
		}
		if b.height != a.height || b.width != a.width || b.channels != a.channels {
			return nil, nil, fileError(x.TestImages, "header", fmt.Errorf("found images of %d×%d×%d, want %d×%d×%d as in %s", b.height, b.width, b.channels, a.height, a.width, a.channels, x.Images))
		}
	}
	// Classes are the numbers that occur in the training part.
	var used [256]bool
	for _, c := range a.labels {
		used[c] = true
	}
	var names []string
	var code [256]int32
	for c, u := range used {
		if u {
			code[c] = int32(len(names))
			names = append(names, strconv.Itoa(c))
		}
	}
	name := filepath.Base(filepath.Dir(x.Images))
	if train, err = a.set(name, names, func(c uint8) int32 { return code[c] }); err != nil || b == nil {
		return train, nil, err
	}
	if i := slices.IndexFunc(b.labels, func(c uint8) bool { return !used[c] }); i >= 0 {
		return nil, nil, fileError(x.TestLabels, fmt.Sprintf("record %d", i), fmt.Errorf("found class %d, of which the training part has no example", b.labels[i]))
	}
	test, err = b.set(name, names, func(c uint8) int32 { return code[c] })
	return train, test, err
}

func (l *loaded) set(name string, classes []string, code func(uint8) int32) (*Set, error) {
	labels := make([]int32, len(l.labels))
	for i, c := range l.labels {
		labels[i] = code(c)
	}
	return NewImages(name, l.height, l.width, l.channels, l.pixels, labels, classes)
}
