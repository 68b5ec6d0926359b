package figure

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/image/font/sfnt"
)

// subset returns a TrueType font that holds only some glyphs of another, in
// their order, followed by those that they are made of, and lists them all.
func subset(ttf []byte, want []sfnt.GlyphIndex) (out []byte, glyphs []sfnt.GlyphIndex, err error) {
	be := binary.BigEndian
	tables := map[string][]byte{}
	for i := range int(be.Uint16(ttf[4:])) {
		rec := ttf[12+16*i:]
		at, n := be.Uint32(rec[8:]), be.Uint32(rec[12:])
		if uint64(at)+uint64(n) > uint64(len(ttf)) {
			return nil, nil, errors.New("figure: the font is cut off")
		}
		tables[string(rec[:4])] = ttf[at : at+n]
	}
	head, loca, glyf, hmtx := tables["head"], tables["loca"], tables["glyf"], tables["hmtx"]
	if len(head) < 54 || len(tables["hhea"]) < 36 || len(tables["maxp"]) < 6 {
		return nil, nil, errors.New("figure: the font lacks a table")
	}
	metrics := int(be.Uint16(tables["hhea"][34:]))
	outline := func(g sfnt.GlyphIndex) []byte {
		var from, to uint32
		if be.Uint16(head[50:]) == 0 {
			from, to = 2*uint32(be.Uint16(loca[2*int(g):])), 2*uint32(be.Uint16(loca[2*int(g)+2:]))
		} else {
			from, to = be.Uint32(loca[4*int(g):]), be.Uint32(loca[4*int(g)+4:])
		}
		return glyf[from:to]
	}
	glyphs = slices.Clone(want)
	number := map[sfnt.GlyphIndex]int{}
	for k, g := range glyphs {
		if int(g) >= int(be.Uint16(tables["maxp"][4:])) {
			return nil, nil, fmt.Errorf("figure: the font has no glyph %d", g)
		}
		number[g] = k
	}
	var newGlyf, newLoca, newHmtx []byte
	for k := 0; k < len(glyphs); k++ { // composite glyphs add to the list
		g := glyphs[k]
		newLoca = be.AppendUint32(newLoca, uint32(len(newGlyf)))
		b := slices.Clone(outline(g))
		if len(b) > 10 && int16(be.Uint16(b)) < 0 {
			for at := 10; ; {
				flags, part := be.Uint16(b[at:]), sfnt.GlyphIndex(be.Uint16(b[at+2:]))
				n, ok := number[part]
				if !ok {
					n = len(glyphs)
					number[part] = n
					glyphs = append(glyphs, part)
				}
				be.PutUint16(b[at+2:], uint16(n))
				const words, scale, more, xy, matrix = 1 << 0, 1 << 3, 1 << 5, 1 << 6, 1 << 7
				at += 6
				if flags&words != 0 {
					at += 2
				}
				switch {
				case flags&scale != 0:
					at += 2
				case flags&xy != 0:
					at += 4
				case flags&matrix != 0:
					at += 8
				}
				if flags&more == 0 {
					break
				}
			}
		}
		newGlyf = append(newGlyf, b...)
		for len(newGlyf)%4 != 0 {
			newGlyf = append(newGlyf, 0)
		}
		m := min(int(g), metrics-1)
		bearing := hmtx[4*m+2 : 4*m+4]
		if int(g) >= metrics {
			bearing = hmtx[4*metrics+2*(int(g)-metrics):][:2]
		}
		newHmtx = append(append(newHmtx, hmtx[4*m:4*m+2]...), bearing...)
	}
	newLoca = be.AppendUint32(newLoca, uint32(len(newGlyf)))
	newHead, newHhea, newMaxp := slices.Clone(head), slices.Clone(tables["hhea"]), slices.Clone(tables["maxp"])
	be.PutUint32(newHead[8:], 0)  // the checksum, filled in below
	be.PutUint16(newHead[50:], 1) // loca has four bytes an entry
	be.PutUint16(newHhea[34:], uint16(len(glyphs)))
	be.PutUint16(newMaxp[4:], uint16(len(glyphs)))
	parts := []struct {
		tag  string
		data []byte
	}{
		{"cvt ", tables["cvt "]}, {"fpgm", tables["fpgm"]}, {"glyf", newGlyf}, {"head", newHead}, {"hhea", newHhea},
		{"hmtx", newHmtx}, {"loca", newLoca}, {"maxp", newMaxp}, {"prep", tables["prep"]},
	}
	n := len(parts)
	power, shift := 1, 0
	for power*2 <= n {
		power, shift = power*2, shift+1
	}
	out = be.AppendUint32(out, 0x00010000)
	for _, x := range []int{n, power * 16, shift, (n - power) * 16} {
		out = be.AppendUint16(out, uint16(x))
	}
	at, headAt := 12+16*n, 0
	for _, p := range parts {
		if p.tag == "head" {
			headAt = at
		}
		out = append(out, p.tag...)
		out = be.AppendUint32(out, checksum(p.data))
		out = be.AppendUint32(out, uint32(at))
		out = be.AppendUint32(out, uint32(len(p.data)))
		at += (len(p.data) + 3) / 4 * 4
	}
	for _, p := range parts {
		out = append(out, p.data...)
		for len(out)%4 != 0 {
			out = append(out, 0)
		}
	}
	be.PutUint32(out[headAt+8:], 0xB1B0AFBA-checksum(out))
	return out, glyphs, nil
}

// checksum is the sum of the words of a table.
func checksum(b []byte) (sum uint32) {
	for len(b) >= 4 {
		sum += binary.BigEndian.Uint32(b)
		b = b[4:]
	}
	var last [4]byte
	copy(last[:], b)
	return sum + binary.BigEndian.Uint32(last[:])
}
