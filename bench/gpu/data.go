package main

import (
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/daedalus-search/daedalus/neural/data"
)

// perClass is how many training images of each class are used: the first ones, which are
// those that are built in.
const perClass = 2000

var classes = []string{"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"}

// open returns 20,000 training images of Fashion-MNIST and its 10,000 test images: the
// built-in ones, or the same from the IDX files in a folder.
func open(folder string) (learn, test *data.Set, err error) {
	if folder == "" {
		return data.FashionMNIST()
	}
	if learn, err = readIDX(folder, "train", perClass); err != nil {
		return nil, nil, err
	}
	test, err = readIDX(folder, "t10k", 1<<30)
	return learn, test, err
}

// readIDX reads a part of Fashion-MNIST, at most so many images of each class.
func readIDX(folder, part string, most int) (*data.Set, error) {
	shape, pixels, err := readFile(filepath.Join(folder, part+"-images-idx3-ubyte"))
	if err != nil {
		return nil, err
	}
	count, labels, err := readFile(filepath.Join(folder, part+"-labels-idx1-ubyte"))
	if err != nil {
		return nil, err
	}
	if len(shape) != 3 || shape[1] != 28 || shape[2] != 28 || len(count) != 1 || count[0] != shape[0] {
		return nil, fmt.Errorf("%s: part %q: found images of %v and classes of %v, want so many of 28×28 and as many classes", folder, part, shape, count)
	}
	const size = 28 * 28
	var keep []uint8
	var of []int32
	var have [10]int
	for i, c := range labels {
		if int(c) >= len(have) {
			return nil, fmt.Errorf("%s: part %q: image %d: found class %d, want 0 to 9", folder, part, i, c)
		}
		if have[c] < most {
			have[c]++
			keep = append(keep, pixels[i*size:(i+1)*size]...)
			of = append(of, int32(c))
		}
	}
	return data.NewImages("fashion-mnist", 28, 28, 1, keep, of, classes)
}

// readFile reads an IDX file, or the one of that name with .gz behind it.
func readFile(path string) (shape []int, values []uint8, err error) {
	f, err := os.Open(path)
	packed := errors.Is(err, fs.ErrNotExist)
	if packed {
		path += ".gz"
		f, err = os.Open(path)
	}
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	var r io.Reader = bufio.NewReader(f)
	if packed {
		if r, err = gzip.NewReader(r); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	if shape, values, err = data.ReadIDX(r, 1<<30); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return shape, values, nil
}

// digest tells sets of images apart by what is in them.
func digest(sets ...*data.Set) string {
	h := sha256.New()
	for _, s := range sets {
		fmt.Fprintln(h, s.Len(), s.Height, s.Width, s.Channels)
		for i := range s.Len() {
			h.Write(s.Image(i))
			h.Write([]byte{byte(s.Class(i))})
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}
