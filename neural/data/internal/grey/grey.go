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

// Encode writes images with the weights of [Fit].
func Encode(m *Images, weights []int8) ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	if len(weights) != m.Classes*m.Height*m.Width*taps {
		return nil, fmt.Errorf("grey: found %d weights, want %d", len(weights), m.Classes*m.Height*m.Width*taps)
	}
	head := []byte(magic)
	for _, n := range []int{m.Height, m.Width, m.Classes, len(m.Labels)} {
		head = binary.AppendUvarint(head, uint64(n))
	}
	head = binary.LittleEndian.AppendUint32(head, crc32.ChecksumIEEE(m.Pixels))
	c := newCodec(m, weights)
	c.high = ^uint64(0)
	c.run()
	return binary.BigEndian.AppendUint64(append(head, c.out...), c.high), nil
}

var errCut = errors.New("grey: the file is cut off or damaged")

// Decode reads what [Encode] wrote.
func Decode(file []byte) (*Images, error) {
	rest, ok := bytes.CutPrefix(file, []byte(magic))
	if !ok {
		return nil, fmt.Errorf("grey: found another kind of file, want one that starts with %q", magic)
	}
	var n [4]int
	for i := range n {
		x, k := binary.Uvarint(rest)
		if k <= 0 || x > maxPixels {
			return nil, errCut
		}
		n[i], rest = int(x), rest[k:]
	}
	if len(rest) < 8 {
		return nil, errCut
	}
	sum := binary.LittleEndian.Uint32(rest)
	m := &Images{Height: n[0], Width: n[1], Classes: n[2]}
	if err := m.check(); err != nil {
		return nil, err
	}
	// An image takes a bit at the least, whatever the header says; so does a weight.
	if n[3] > maxPixels/(n[0]*n[1]) || n[3]/64 > len(rest) || n[0]*n[1]*n[2]/64 > len(rest) {
		return nil, errCut
	}
	m.Pixels, m.Labels = make([]uint8, n[3]*n[0]*n[1]), make([]uint8, n[3])
	c := newCodec(m, make([]int8, n[2]*n[0]*n[1]*taps))
	c.reading, c.in, c.high = true, rest[4:], ^uint64(0)
	c.code = c.word()<<32 | c.word()
	c.run()
	if c.over > 0 || crc32.ChecksumIEEE(m.Pixels) != sum {
		return nil, errCut
	}
	return m, nil
}
