package data

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// A record of CIFAR is a class, or a coarse and a fine one, and then all red, all green
// and all blue bytes of 32×32 places (Krizhevsky 2009).
const (
	cifarSide   = 32
	cifarPlane  = cifarSide * cifarSide
	cifar10     = 1 + 3*cifarPlane
	cifar100    = 2 + 3*cifarPlane
	maxCIFAR    = 1 << 31 // bytes of a file
	maxCIFARSet = 4 << 20 // images of all files
)

var cifarClasses = []string{"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"}

// ReadCIFAR reads the records of a file of CIFAR-10 or CIFAR-100, told apart by their
// size: images of 32×32×3 bytes, their classes, of CIFAR-100 the fine ones, and how
// many classes there may be.
func ReadCIFAR(file []byte) (pixels, labels []uint8, classes int, err error) {
	size := cifar10
	switch ten, hundred := len(file)%cifar10 == 0, len(file)%cifar100 == 0; {
	case len(file) == 0 || !ten && !hundred:
		return nil, nil, 0, fmt.Errorf("found %d bytes, want whole records of %d (CIFAR-10) or %d (CIFAR-100): record %d or %d is cut off", len(file), cifar10, cifar100, len(file)/cifar10, len(file)/cifar100)
	case ten && hundred:
		return nil, nil, 0, fmt.Errorf("found %d bytes, which are whole records of CIFAR-10 and of CIFAR-100 alike; split the file", len(file))
	case hundred:
		size = cifar100
	}
	classes = 10
	if size == cifar100 {
		classes = 100
	}
	n := len(file) / size
	pixels, labels = make([]uint8, n*3*cifarPlane), make([]uint8, n)
	for i := range n {
		record := file[i*size : (i+1)*size]
		body := record[size-3*cifarPlane:]
		labels[i] = record[size-3*cifarPlane-1]
		if int(labels[i]) >= classes || size == cifar100 && record[0] >= 20 {
			return nil, nil, 0, fmt.Errorf("record %d: found the classes %v, want less than %d", i, record[:size-3*cifarPlane], classes)
		}
		to := pixels[i*3*cifarPlane : (i+1)*3*cifarPlane]
		red, green, blue := body[:cifarPlane], body[cifarPlane:2*cifarPlane], body[2*cifarPlane:]
		for k := range cifarPlane {
			to[3*k], to[3*k+1], to[3*k+2] = red[k], green[k], blue[k]
		}
	}
	return pixels, labels, classes, nil
}

// openCIFAR reads all files of one part.
func openCIFAR(paths []string) (*Set, error) {
	all := &loaded{height: cifarSide, width: cifarSide, channels: 3}
	classes := 0
	for _, path := range paths {
		file, err := whole(path, maxCIFAR)
		if err != nil {
			return nil, err
		}
		pixels, labels, c, err := ReadCIFAR(file)
		if err != nil {
			return nil, fileError(path, "", err)
		}
		if classes != 0 && c != classes {
			return nil, fileError(path, "", fmt.Errorf("found CIFAR-%d, want CIFAR-%d as in %s", c, classes, paths[0]))
		}
		classes = c
		all.pixels, all.labels = append(all.pixels, pixels...), append(all.labels, labels...)
		if len(all.labels) > maxCIFARSet {
			return nil, fileError(path, "", fmt.Errorf("found more than %d images in all files, want at most so many", maxCIFARSet))
		}
	}
	names := cifarClasses
	if classes == 100 {
		names = make([]string, 100)
		for i := range names {
			names[i] = strconv.Itoa(i)
		}
		// The file of names that comes with CIFAR-100.
		list := filepath.Join(filepath.Dir(paths[0]), "fine_label_names.txt")
		if exists(list) {
			text, err := whole(list, 1<<16)
			if err != nil {
				return nil, err
			}
			if names = strings.Fields(string(bytes.TrimSpace(text))); len(names) != 100 {
				return nil, fileError(list, "", fmt.Errorf("found %d names, want 100", len(names)))
			}
		}
	}
	return all.set(fmt.Sprintf("cifar-%d", classes), names, func(c uint8) int32 { return int32(c) })
}
