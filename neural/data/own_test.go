package data

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
	"pgregory.net/rapid"
)

// marked returns a JPEG file with an orientation mark, in a segment behind another one as
// cameras write it.
func marked(jpg []byte, mark uint16, order binary.ByteOrder) []byte {
	tiff := []byte("MM\x00*")
	if order == binary.LittleEndian {
		tiff = []byte("II*\x00")
	}
	put := func(n uint16) { tiff = append(tiff, 0, 0); order.PutUint16(tiff[len(tiff)-2:], n) }
	tiff = append(tiff, make([]byte, 4)...)
	order.PutUint32(tiff[4:], 8)
	put(2)
	for _, entry := range [][2]uint16{{271, 0}, {274, mark}} {
		put(entry[0])
		put(3)
		tiff = append(tiff, make([]byte, 4)...)
		order.PutUint32(tiff[len(tiff)-4:], 1)
		put(entry[1])
		put(0)
	}
	segment := append([]byte("Exif\x00\x00"), tiff...)
	out := append([]byte{0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2, 0xff, 0xe1}, byte((len(segment)+2)>>8), byte(len(segment)+2))
	return append(append(out, segment...), jpg[2:]...)
}

// stored returns how a camera that was held in one of the eight ways stores an image.
func stored(m *image.Gray, mark uint16) *image.Gray {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	sw, sh := w, h
	if mark >= 5 {
		sw, sh = h, w
	}
	s := image.NewGray(image.Rect(0, 0, sw, sh))
	for y := range sh {
		for x := range sw {
			// Where the 0th row and the 0th column lie, as the standard's table says.
			at := map[uint16][2]int{
				1: {x, y}, 2: {w - 1 - x, y}, 3: {w - 1 - x, h - 1 - y}, 4: {x, h - 1 - y},
				5: {y, x}, 6: {w - 1 - y, x}, 7: {w - 1 - y, h - 1 - x}, 8: {y, h - 1 - x},
			}[mark]
			s.SetGray(x, y, m.GrayAt(at[0], at[1]))
		}
	}
	return s
}

// An image looks the same however the camera was held.
func TestOrientation(t *testing.T) {
	for _, size := range [][2]int{{48, 32}, {33, 48}, {40, 40}} {
		m := image.NewGray(image.Rect(0, 0, size[0], size[1]))
		for y := range size[1] {
			for x := range size[0] {
				m.SetGray(x, y, color.Gray{uint8(3*x + 2*y)})
			}
		}
		read := func(file []byte) []uint8 {
			to := make([]uint8, 8*8)
			if err := new(decoder).decode(to, bytes.NewReader(file), 8, 1); err != nil {
				t.Fatal(err)
			}
			return to
		}
		want := read(encoded(t, "jpg", m))
		for mark := uint16(1); mark <= 8; mark++ {
			for _, order := range []binary.ByteOrder{binary.BigEndian, binary.LittleEndian} {
				got := read(marked(encoded(t, "jpg", stored(m, mark)), mark, order))
				for i := range want {
					// JPEG's blocks lie elsewhere in the turned image.
					if d := int(got[i]) - int(want[i]); d < -2 || d > 2 {
						t.Fatalf("%v, mark %d, %v: place %d is %d, want about %d", size, mark, order, i, got[i], want[i])
					}
				}
			}
		}
		// A mark that says nothing.
		for _, mark := range []uint16{0, 9, 65535} {
			if got := read(marked(encoded(t, "jpg", m), mark, binary.BigEndian)); !slices.Equal(got, want) {
				t.Errorf("mark %d turns the image", mark)
			}
		}
	}
}

// All kinds of images that people have become the same bytes.
func TestImageKinds(t *testing.T) {
	const side = 6
	c := color.NRGBA{200, 100, 50, 255}
	fill := func(m interface {
		image.Image
		Set(x, y int, c color.Color)
	}) image.Image {
		for y := range side {
			for x := range side {
				m.Set(x, y, c)
			}
		}
		return m
	}
	r := image.Rect(0, 0, side, side)
	var asBMP, asTIFF bytes.Buffer
	if err := bmp.Encode(&asBMP, fill(image.NewRGBA(r))); err != nil {
		t.Fatal(err)
	}
	if err := tiff.Encode(&asTIFF, fill(image.NewRGBA(r)), &tiff.Options{Compression: tiff.Deflate, Predictor: true}); err != nil {
		t.Fatal(err)
	}
	grey := luma(200, 100, 50)
	for name, file := range map[string][]byte{
		"rgb":               encoded(t, "png", fill(image.NewRGBA(r))),
		"with alpha":        encoded(t, "png", fill(image.NewNRGBA(r))),
		"16 bits":           encoded(t, "png", fill(image.NewRGBA64(r))),
		"16 bits and alpha": encoded(t, "png", fill(image.NewNRGBA64(r))),
		"palette":           encoded(t, "png", fill(image.NewPaletted(r, color.Palette{color.Black, c}))),
		"bmp":               asBMP.Bytes(),
		"tiff":              asTIFF.Bytes(),
		// One place of lossless WebP (RFC 9649): header, no transforms, five codes of one
		// symbol each.
		"webp": webP(200, 100, 50),
	} {
		for _, channels := range []int{1, 3} {
			to := make([]uint8, 4*channels)
			if err := new(decoder).decode(to, bytes.NewReader(file), 2, channels); err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			want := []uint8{200, 100, 50}
			if channels == 1 {
				want = []uint8{grey}
			}
			if !slices.Equal(to[len(to)-channels:], want) {
				t.Errorf("%s, %d channels: %v, want %v", name, channels, to[len(to)-channels:], want)
			}
		}
	}
	// Grey of 16 bits, and half transparent.
	for name, c := range map[string]struct {
		m    image.Image
		want uint8
	}{
		"grey":        {fillWith(image.NewGray16(r), color.Gray16{0x8001}), 0x80},
		"transparent": {fillWith(image.NewNRGBA(r), color.NRGBA{200, 200, 200, 128}), 100},
	} {
		to := make([]uint8, 4)
		if err := new(decoder).decode(to, bytes.NewReader(encoded(t, "png", c.m)), 2, 1); err != nil || to[0] != c.want {
			t.Errorf("%s: %v, %v, want %d", name, to, err, c.want)
		}
	}
}

func fillWith(m interface {
	image.Image
	Set(x, y int, c color.Color)
}, c color.Color) image.Image {
	for y := range m.Bounds().Dy() {
		for x := range m.Bounds().Dx() {
			m.Set(x, y, c)
		}
	}
	return m
}

// webP is a lossless WebP image of one place.
func webP(red, green, blue uint8) []byte {
	var bits []uint8
	put := func(x, n int) {
		for i := range n {
			bits = append(bits, uint8(x>>i&1))
		}
	}
	put(0x2f, 8)
	put(0, 14) // width − 1
	put(0, 14) // height − 1
	put(0, 1)  // no alpha
	put(0, 3)  // version
	put(0, 1)  // no transform
	put(0, 1)  // no colour cache
	put(0, 1)  // one group of codes
	for _, symbol := range []int{int(green), int(red), int(blue), 255, 0} {
		put(1, 1) // simple code
		put(0, 1) // of one symbol
		put(1, 1) // which has 8 bits
		put(symbol, 8)
	}
	data := make([]byte, (len(bits)+7)/8)
	for i, b := range bits {
		data[i/8] |= b << (i % 8)
	}
	if len(data)%2 == 1 {
		data = append(data, 0)
	}
	chunk := binary.LittleEndian.AppendUint32([]byte("VP8L"), uint32(len(data)))
	chunk = append(chunk, data...)
	out := binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(4+len(chunk)))
	return append(append(out, "WEBP"...), chunk...)
}

// Numbers as they are written in different countries.
func TestDecimals(t *testing.T) {
	for cell, want := range map[string][2]string{ // with a point, and with a comma
		"12": {"12", "12"}, "-3": {"-3", "-3"}, "1e3": {"1000", "1000"}, "+7": {"7", "7"},
		"1.5": {"1.5", ""}, "3,25": {"", "3.25"}, "-0,5": {"", "-0.5"}, ",5": {"", "0.5"}, "1,5e2": {"", "150"},
		"1.234": {"1.234", "1234"}, "1,234": {"1234", "1.234"}, "1,234.5": {"1234.5", ""}, "1.234,5": {"", "1234.5"},
		"1,234,567": {"1234567", ""}, "-12.345.678": {"", "-12345678"}, "1234,567": {"", "1234.567"},
		"12,34,567": {"", ""}, "1,2,3": {"", ""}, "1..2": {"", ""}, "": {"", ""}, "-": {"", ""}, ",": {"", ""}, "x": {"", ""},
		"1,": {"", "1"}, "1.": {"1", ""}, "NaN": {"", ""}, "inf": {"", ""}, "1e99": {"", ""}, "1,23e1.5": {"", ""}, "--1": {"", ""},
	} {
		for d, want := range want {
			x, ok := decimals(d).number(cell)
			if got := fmt.Sprint(float32(x)); ok != (want != "") || ok && got != want && fmt.Sprintf("%.0f", x) != want {
				t.Errorf("%q with a decimal %v is %v, %v, want %q", cell, decimals(d), got, ok, want)
			}
		}
	}
	// What is written with one sign is read with it, and as the same number.
	rapid.Check(t, func(t *rapid.T) {
		whole, part := rapid.IntRange(-9_999_999, 9_999_999).Draw(t, "whole"), rapid.IntRange(0, 999).Draw(t, "part")
		digits := fmt.Sprint(max(whole, -whole))
		for i := len(digits) - 3; i > 0 && rapid.Bool().Draw(t, "groups"); i -= 3 {
			digits = digits[:i] + "." + digits[i:]
		}
		if strings.Contains(digits, ".") && len(digits)-strings.LastIndex(digits, ".") == 4 && len(strings.Split(digits, ".")[0]) > 3 {
			return // not all groups are separated
		}
		if whole < 0 {
			digits = "-" + digits
		}
		want := float32(whole)
		text := digits
		if rapid.Bool().Draw(t, "parts") {
			text = fmt.Sprintf("%s,%03d", digits, part)
			want = float32(float64(max(whole, -whole)) + float64(part)/1000)
			if whole < 0 {
				want = -want
			}
		}
		x, ok := withComma.number(text)
		if !ok || float32(x) != want {
			t.Fatalf("%q is %v, %v, want %v", text, x, ok, want)
		}
		swapped := strings.NewReplacer(".", ",", ",", ".").Replace(text)
		if y, ok := withPoint.number(swapped); !ok || y != x {
			t.Fatalf("%q is %v, %v, want %v", swapped, y, ok, x)
		}
	})
}

// Tables as spreadsheets of many countries save them.
func TestCSVOfSpreadsheets(t *testing.T) {
	for name, c := range map[string]struct {
		file string
		o    CSV
		want []float32 // the numbers of the first two rows
	}{
		"German":         {"a;b;y\r\n1,5;1.234,50;x\r\n2,25;7;z\r\n", CSV{Target: "y"}, []float32{1.5, 1234.5, 2.25, 7}},
		"Swiss":          {"a;b;y\n1.5;2.25;x\n2.5;7;z\n", CSV{Target: "y"}, []float32{1.5, 2.25, 2.5, 7}},
		"American":       {"a,b,y\n\"1,234.5\",2,x\n\"12\",7,z\n", CSV{Target: "y"}, []float32{1234.5, 2, 12, 7}},
		"groups decided": {"a;b;y\n1,234;1,5;x\n2,345;7;z\n", CSV{Target: "y"}, []float32{1.234, 1.5, 2.345, 7}},
		"said":           {"a;b;y\n1,234;1,000;x\n2,345;7;z\n", CSV{Target: "y", Decimal: "point"}, []float32{1234, 1000, 2345, 7}},
		"an index":       {",a,y\n0,5,x\n1,6,z\n", CSV{Target: "y", Types: map[string]string{"column 1": "ignore"}}, []float32{5, 6}},
		"flags":          {"a,b,y\n1,?,x\n2,4,z\n", CSV{Target: "y", Missing: "flag"}, []float32{1, 4, 1, 2, 4, 0}},
	} {
		s, err := readTable([]byte(c.file), c.o)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := fill(s); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var got []float32
		for i := range 2 {
			numbers, _, _ := s.Row(i)
			got = append(got, numbers...)
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s:\n%s", name, d)
		}
	}
	s, err := readTable([]byte("a;y\n1;1,5\n2;2,5\n3;1\n"), CSV{Target: "y"})
	if err != nil || len(s.Targets) != 1 || s.targets[0] != 1.5 {
		t.Errorf("a target with a comma: %v, %v", s, err)
	}
	s, err = readTable([]byte("a,b,y\n1,?,x\n2,4,z\n"), CSV{Target: "y", Missing: "flag"})
	if err != nil || s.Numbers[2].Name != "b is missing" {
		t.Errorf("names %v, %v", s.Numbers, err)
	}
	for name, c := range map[string]struct {
		file string
		o    CSV
		want string
	}{
		"doubtful":       {"a;y\n1,234;x\n2,500;z\n", CSV{Target: "y"}, `column "a": found "1,234", which is one number with a decimal point and another with a decimal comma; say decimal: point or decimal: comma`},
		"doubtful point": {"a;b;y\n1.234;1,5;x\n2.500;2;z\n", CSV{Target: "y"}, `column "a": found "1.234", which is one number`},
		"not a comma":    {"a;y\n1.5;x\n2;z\n", CSV{Target: "y", Decimal: "comma", Types: map[string]string{"a": "number"}}, `line 2: column "a": found "1.5", want a finite number with a decimal comma`},
		"decimal":        {"a;y\n1.5;x\n2;z\n", CSV{Target: "y", Decimal: "dot"}, `found the decimal "dot", want auto, point or comma`},
		"UTF-16":         {"\xff\xfea\x00", CSV{Target: "y"}, "found text in UTF-16, want UTF-8"},
		"Latin-1":        {"a,y\n1,x\n2,caf\xe9\n", CSV{Target: "y"}, "line 3: found the bytes e9 0a, want text in UTF-8"},
		"an index":       {",a,y\n0,5,x\n1,6,z\n", CSV{Target: "y"}, "found no name of column 1, want one; or say what it is, such as types: {column 1: ignore}"},
		"no header":      {"5.1,3.5,setosa\n4.9,3,setosa\n", CSV{Target: "class"}, "if the first line is a row already, say no_header: true"},
		"ragged":         {"a,b,y\n1,2,x\n1,2,x,3\n", CSV{Target: "y"}, "line 3: cells: found 4, want 3 as in the first line"},
	} {
		s, err := readTable([]byte(c.file), c.o)
		wants(t, fmt.Sprintf("%s (%v)", name, s), err, c.want)
	}
}

// Every class is learned from, however rare it is; nothing is in two parts.
func TestRareClasses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		counts := rapid.SliceOfN(rapid.IntRange(1, 12), 2, 12).Draw(t, "counts")
		var labels []int32
		names := make([]string, len(counts))
		for c, n := range counts {
			names[c] = fmt.Sprint(c)
			for range n {
				labels = append(labels, int32(c))
			}
		}
		s, err := NewImages("rare", 1, 1, 1, make([]uint8, len(labels)), labels, names)
		if err != nil {
			t.Fatal(err)
		}
		parts, err := s.Split(rapid.Uint64().Draw(t, "seed"), 0.5, 0.25, 0.25)
		if err != nil {
			return // too few examples for three parts
		}
		room := parts[0].Len() >= len(counts)
		if err := parts[0].CheckClasses(); room && err != nil {
			t.Fatalf("of %v: %v", counts, err)
		}
		var all []int
		for _, p := range parts {
			all = append(all, identities(p)...)
		}
		slices.Sort(all)
		if len(slices.Compact(all)) != parts[0].Len()+parts[1].Len()+parts[2].Len() {
			t.Fatal("an example is in two parts")
		}
	})
}

// A balanced epoch has every class equally often, and rare examples equally often too.
func TestBalance(t *testing.T) {
	labels := append(slices.Repeat([]int32{0}, 90), slices.Repeat([]int32{1}, 8)...)
	labels = append(labels, 2, 2)
	s, err := NewImages("uneven", 1, 1, 1, make([]uint8, 100), labels, []string{"a", "b", "c"})
	if err != nil {
		t.Fatal(err)
	}
	l, err := s.Loader(Options{Batch: 10, Shuffle: true, Balance: true, Seed: 4})
	if err != nil {
		t.Fatal(err)
	}
	b := l.NewBatch()
	frequent := map[int32]bool{}
	for epoch := range 8 {
		var classes [3]int
		times := map[int32]int{}
		var order []int32
		for step := range l.Steps() {
			l.Fill(b, epoch, step)
			for k, i := range b.Index {
				classes[b.Classes[k]]++
				times[i]++
				order = append(order, i)
				frequent[i] = true
			}
		}
		if slices.Min(classes[:]) != 33 || slices.Max(classes[:]) != 34 {
			t.Errorf("epoch %d has %v of the classes", epoch, classes)
		}
		for i, n := range times {
			if want := []int{1, 4, 16}[labels[i]]; n < want || n > want+1 {
				t.Errorf("epoch %d has example %d of class %d %d times, want %d or one more", epoch, i, labels[i], n, want)
			}
		}
		if slices.IsSorted(order) {
			t.Errorf("epoch %d is in order", epoch)
		}
	}
	if len(frequent) < 95 {
		t.Errorf("%d of 100 examples came in eight epochs", len(frequent))
	}
	for name, o := range map[string]Options{"order": {Balance: true}} {
		if _, err := s.Loader(o); err == nil {
			t.Errorf("%s: a loader", name)
		}
	}
	if _, err := text(t, 1000, 8).Loader(Options{Balance: true, Shuffle: true}); err == nil {
		t.Error("balance of a text")
	}
}

// A mark before a text is not part of it.
func TestTextWithMark(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.txt"), []byte("\ufeff"+strings.Repeat("ab", 200)))
	p, err := Source{Text: "a.txt", Window: 4, Dir: dir}.Open(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"a", "b"}, p.Train.Classes); d != "" {
		t.Errorf("vocabulary:\n%s", d)
	}
}
