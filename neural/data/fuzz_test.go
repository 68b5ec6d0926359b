package data

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image/color"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
)

// Readers of files never panic, and what they accept keeps the laws of a set.

func FuzzIDX(f *testing.F) {
	f.Add(idxFile([]int{2, 2, 2}, make([]uint8, 8)))
	f.Add(idxFile([]int{1 << 30, 1 << 30, 4}, nil))
	f.Add(zipped(idxFile([]int{3}, []uint8{1, 2, 3})))
	f.Fuzz(func(t *testing.T, file []byte) {
		r, err := unpack(bytes.NewReader(file))
		if err != nil {
			return
		}
		shape, values, err := ReadIDX(r, 1<<16)
		if err != nil {
			return
		}
		n := 1
		for _, k := range shape {
			n *= k
		}
		if len(values) != n || n == 0 {
			t.Fatalf("%d values of %v", len(values), shape)
		}
	})
}

func FuzzCIFAR(f *testing.F) {
	f.Add(cifarRecord(3, 1), uint8(1))
	f.Add(cifarRecord(3, 1, 50), uint8(2))
	f.Fuzz(func(t *testing.T, head []byte, repeat uint8) {
		file := bytes.Repeat(append(head, make([]byte, (cifar10-len(head)%cifar10)%cifar10)...), int(repeat%3))
		pixels, labels, classes, err := ReadCIFAR(file)
		if err != nil {
			return
		}
		all := &loaded{height: cifarSide, width: cifarSide, channels: 3, pixels: pixels, labels: labels}
		if _, err := all.set("x", make([]string, classes), func(c uint8) int32 { return int32(c) }); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzImage(f *testing.F) {
	for _, format := range []string{"png", "jpg", "gif"} {
		f.Add(encoded(f, format, picture(5, 7, color.RGBA{1, 2, 3, 200})), uint8(4))
	}
	f.Add(hugePNG(), uint8(9))
	f.Add(webP(1, 2, 3), uint8(2))
	f.Add(marked(encoded(f, "jpg", picture(6, 4, color.White)), 6, binary.LittleEndian), uint8(3))
	var asBMP, asTIFF bytes.Buffer
	if err := errors.Join(bmp.Encode(&asBMP, picture(5, 7, color.White)), tiff.Encode(&asTIFF, picture(5, 7, color.White), &tiff.Options{Compression: tiff.Deflate})); err != nil {
		f.Fatal(err)
	}
	f.Add(asBMP.Bytes(), uint8(4))
	f.Add(asTIFF.Bytes(), uint8(4))
	f.Fuzz(func(t *testing.T, file []byte, side uint8) {
		n := int(side%16) + 1
		var d decoder
		for _, channels := range []int{1, 3} {
			_ = d.decode(make([]uint8, n*n*channels), bytes.NewReader(file), n, channels)
		}
	})
}

func FuzzCSV(f *testing.F) {
	f.Add([]byte("a,b\n1,2\n3,x\n"), "b", "", "", false, "fill")
	f.Add([]byte("1;2\n3;\n"), "x0", ";", "point", true, "flag")
	f.Add([]byte("a;y\n1.234,5;3,5\n?;7\n"), "y", "", "auto", false, "flag")
	f.Add([]byte("a\t\"b\n\"\ty\n1\t?\t2.5\n2\t7\t1e3\n"), "y", "tab", "comma", false, "")
	f.Fuzz(func(t *testing.T, file []byte, target, delimiter, decimal string, noHeader bool, missing string) {
		o := CSV{Target: target, Delimiter: delimiter, Decimal: decimal, NoHeader: noHeader, Missing: missing}
		s, err := readTable(file, o)
		if err != nil {
			return
		}
		if err := fill(s); err != nil {
			return
		}
		l, err := s.Loader(Options{Batch: 3, Shuffle: true, Scale: s.Scale()})
		if err != nil {
			t.Fatal(err)
		}
		b := l.NewBatch()
		for step := range l.Steps() {
			l.Fill(b, 1, step)
			for k, c := range s.Categories {
				for _, code := range b.Inputs[len(b.Inputs)-len(s.Categories)+k] {
					if code < 0 || int(code) >= len(c.Categories) {
						t.Fatalf("code %v of %d", code, len(c.Categories))
					}
				}
			}
			for _, c := range b.Classes {
				if c < 0 || int(c) >= len(s.Classes) {
					t.Fatalf("class %d of %d", c, len(s.Classes))
				}
			}
		}
	})
}

func FuzzText(f *testing.F) {
	f.Add([]byte("hello, wörld"), false, 3)
	f.Add([]byte("\xff\x00"), true, 1)
	f.Fuzz(func(t *testing.T, file []byte, raw bool, window int) {
		path := filepath.Join(t.TempDir(), "x")
		if err := os.WriteFile(path, file, 0o644); err != nil {
			t.Fatal(err)
		}
		parts, err := openText([3]string{path}, raw, window)
		if err != nil {
			return
		}
		if s := parts[0]; s.Len() < 1 || len(s.Tokens()) > len(file) && file[0] != 0x1f {
			t.Fatalf("%v of %d bytes", s, len(file))
		}
	})
}
