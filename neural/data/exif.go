package data

import (
	"bytes"
	"encoding/binary"
	"io"
)

// An orientation says how the rows and columns of a stored image lie in the one that is
// meant: Exif 2.32, tag 274, with which cameras mark how they were held.
type orientation struct {
	across  bool // stored rows are columns
	rowBack bool // stored rows are in reverse
	colBack bool // stored columns are in reverse
}

// orientations are those of the marks 1 to 8.
var orientations = [9]orientation{
	2: {colBack: true},
	3: {rowBack: true, colBack: true},
	4: {rowBack: true},
	5: {across: true},
	6: {across: true, rowBack: true},
	7: {across: true, rowBack: true, colBack: true},
	8: {across: true, colBack: true},
}

// orientationOf reads the mark of a JPEG file. Files without one, or with one that cannot
// be read, are upright, as everywhere.
func orientationOf(r io.Reader) orientation {
	var b [4]byte
	if _, err := io.ReadFull(r, b[:2]); err != nil || b[0] != 0xff || b[1] != 0xd8 {
		return orientation{}
	}
	for {
		if _, err := io.ReadFull(r, b[:]); err != nil || b[0] != 0xff || b[1] == 0xda { // of the image itself
			return orientation{}
		}
		segment := make([]byte, max(0, int(binary.BigEndian.Uint16(b[2:]))-2))
		if _, err := io.ReadFull(r, segment); err != nil {
			return orientation{}
		}
		if tiff, ok := bytes.CutPrefix(segment, []byte("Exif\x00\x00")); ok && b[1] == 0xe1 {
			return orientations[orientationMark(tiff)]
		}
	}
}

// orientationMark reads tag 274 in the first directory of a TIFF header; 0 if there is
// none.
func orientationMark(tiff []byte) int {
	if len(tiff) < 8 {
		return 0
	}
	var order binary.ByteOrder = binary.BigEndian
	if tiff[0] == 'I' {
		order = binary.LittleEndian
	}
	at := int64(order.Uint32(tiff[4:]))
	if at+2 > int64(len(tiff)) {
		return 0
	}
	entries := tiff[at+2:]
	for range order.Uint16(tiff[at:]) {
		if len(entries) < 12 {
			return 0
		}
		const tag, short = 274, 3
		if order.Uint16(entries) == tag && order.Uint16(entries[2:]) == short {
			if mark := int(order.Uint16(entries[8:])); mark < len(orientations) {
				return mark
			}
			return 0
		}
		entries = entries[12:]
	}
	return 0
}

// middle returns where the largest square in the middle of an image begins. What is left
// over by one lies at the end of the image that is meant.
func (o orientation) middle(height, width int) (row, column int) {
	edge := min(height, width)
	row, column = (height-edge)/2, (width-edge)/2
	if o.rowBack {
		row = height - edge - row
	}
	if o.colBack {
		column = width - edge - column
	}
	return row, column
}

// turn writes a square image as it is meant.
func (o orientation) turn(to, from []uint8, side, channels int) {
	for y := range side {
		for x := range side {
			row, column := y, x
			if o.across {
				row, column = x, y
			}
			if o.rowBack {
				row = side - 1 - row
			}
			if o.colBack {
				column = side - 1 - column
			}
			copy(to[(y*side+x)*channels:][:channels], from[(row*side+column)*channels:])
		}
	}
}
