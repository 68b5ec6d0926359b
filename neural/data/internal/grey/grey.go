// Package grey is a lossless code for many small grey images of known classes, all
// taken in the same way: such as Fashion-MNIST, which takes two thirds of its gzip.
//
// Every byte is foretold by a linear function of bytes before it, among them those at
// the mirrored place, since clothes are nearly symmetric. The function is that of the
// image's class and the place; [Fit] finds it, and it is part of the file. What
// differs is written bit by bit with an adaptive binary arithmetic code. The
// probability of a bit is mixed from two contexts (Mahoney 2005, "Adaptive weighing of
// context models for lossless data compression"): how wrong the neighbours were, and
// how they differ from what is foretold. Many images were stretched to full contrast
// from m+1 levels to ⌊255·k/m⌋; for those the level k is written.
//
// All arithmetic is of whole numbers, so files are the same for every platform.
package grey

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"sync"
)

const magic = "DGREY1\n"

// Limits of what a file may hold.
const (
	maxSide    = 256
	maxClasses = 256
	maxPixels  = 1 << 28
)

// Images are grey images of classes.
type Images struct {
	Height, Width int
	Classes       int
	Pixels        []uint8 // one image after the other
	Labels        []uint8 // the class of each
}

func (m *Images) check() error {
	if m.Height < 1 || m.Width < 1 || m.Height > maxSide || m.Width > maxSide || m.Classes < 1 || m.Classes > maxClasses {
		return fmt.Errorf("grey: found images of %d×%d and %d classes, want at most %d×%d and %d", m.Height, m.Width, m.Classes, maxSide, maxSide, maxClasses)
	}
	if len(m.Labels) > maxPixels/(m.Height*m.Width) || len(m.Pixels) != len(m.Labels)*m.Height*m.Width {
		return fmt.Errorf("grey: found %d bytes for %d images of %d×%d, want one for each place and at most %d", len(m.Pixels), len(m.Labels), m.Height, m.Width, maxPixels)
	}
	for i, c := range m.Labels {
		if int(c) >= m.Classes {
			return fmt.Errorf("grey: image %d: found class %d, want less than %d", i, c, m.Classes)
		}
	}
	return nil
}

// What foretells a byte: 23 bytes before it, and a constant. Weights are in 1/unit.
const (
	taps = 24
	unit = 64
)

// group is the number of images that are coded on their own, so that several cores can
// read a file. Each group learns anew, which costs about 20 kB.
const group = 10_000

// Encode writes images with the weights of [Fit].
func Encode(m *Images, weights []int8) ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	if len(weights) != m.Classes*m.Height*m.Width*taps {
		return nil, fmt.Errorf("grey: found %d weights, want %d", len(weights), m.Classes*m.Height*m.Width*taps)
	}
	file := []byte(magic)
	for _, n := range []int{m.Height, m.Width, m.Classes, len(m.Labels)} {
		file = binary.AppendUvarint(file, uint64(n))
	}
	file = binary.LittleEndian.AppendUint32(file, crc32.ChecksumIEEE(m.Pixels))
	c := newCodec(m, slices.Clone(weights))
	c.codeWeights()
	blocks := [][]byte{c.end()}
	for at := 0; at < len(m.Labels); at += group {
		c := newCodec(m.part(at), weights)
		c.codeImages()
		blocks = append(blocks, c.end())
	}
	for _, b := range blocks {
		file = binary.AppendUvarint(file, uint64(len(b)))
	}
	return append(file, slices.Concat(blocks...)...), nil
}

// part returns the group of images that starts at one.
func (m *Images) part(at int) *Images {
	end := min(at+group, len(m.Labels))
	size := m.Height * m.Width
	p := *m
	p.Pixels, p.Labels = m.Pixels[at*size:end*size:end*size], m.Labels[at:end:end]
	return &p
}

var errCut = errors.New("grey: the file is cut off or damaged")

// Decode reads what [Encode] wrote, groups of images at the same time.
func Decode(file []byte) (*Images, error) {
	rest, ok := bytes.CutPrefix(file, []byte(magic))
	if !ok {
		return nil, fmt.Errorf("grey: found another kind of file, want one that starts with %q", magic)
	}
	number := func() int {
		x, k := binary.Uvarint(rest)
		if k <= 0 || x > maxPixels {
			rest, ok = nil, false
			return 0
		}
		rest = rest[k:]
		return int(x)
	}
	m := &Images{Height: number(), Width: number(), Classes: number()}
	n := number()
	if !ok || len(rest) < 4 {
		return nil, errCut
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	size := m.Height * m.Width
	// A header that promises what the file cannot hold takes no memory: an image, and a
	// place of a class, take a few bits at the least.
	if n > maxPixels/size || n/64 > len(rest) || m.Classes*size/64 > len(rest) {
		return nil, errCut
	}
	sum := binary.LittleEndian.Uint32(rest)
	rest = rest[4:]
	lengths := make([]int, 1+(n+group-1)/group)
	total := 0
	for i := range lengths {
		lengths[i] = number()
		total += lengths[i]
	}
	if !ok || total != len(rest) {
		return nil, errCut
	}
	m.Pixels, m.Labels = make([]uint8, n*size), make([]uint8, n)
	weights := make([]int8, m.Classes*size*taps)
	c := newCodec(m, weights)
	c.begin(rest[:lengths[0]])
	c.codeWeights()
	bad := make([]bool, len(lengths))
	bad[0] = c.over > 0
	rest = rest[lengths[0]:]
	var groups sync.WaitGroup
	for i, length := range lengths[1:] {
		block := rest[:length]
		rest = rest[length:]
		groups.Go(func() {
			c := newCodec(m.part(i*group), weights)
			c.begin(block)
			c.codeImages()
			bad[i+1] = c.over > 0
		})
	}
	groups.Wait()
	if slices.Contains(bad, true) || crc32.ChecksumIEEE(m.Pixels) != sum {
		return nil, errCut
	}
	return m, nil
}
