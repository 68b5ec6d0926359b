package grey

import (
	"bytes"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/daedalus-search/daedalus/internal/rng"
)

// shapes draws bright boxes on black, with some noise, in classes that differ by
// brightness; some with few levels.
func shapes(seed uint64, n, height, width, classes int) *Images {
	r := rng.New(seed, "grey", 0)
	m := &Images{Height: height, Width: width, Classes: classes}
	for range n {
		c := r.IntN(classes)
		m.Labels = append(m.Labels, uint8(c))
		level := 255
		if r.IntN(2) == 0 {
			level = 40 + r.IntN(200)
		}
		top, left := r.IntN(height), r.IntN(width)
		for y := range height {
			for x := range width {
				v := 0
				if y >= top && x >= left && x <= width-1-left/2 {
					v = min(level, (40*c+r.IntN(60))%256)
				}
				m.Pixels = append(m.Pixels, uint8(v*255/level))
			}
		}
	}
	return m
}

func roundTrip(t interface {
	Fatal(...any)
	Fatalf(string, ...any)
}, m *Images, weights []int8) []byte {
	file, err := Encode(m, weights)
	if err != nil {
		t.Fatal(err)
	}
	back, err := Decode(file)
	if err != nil {
		t.Fatalf("%d images of %d×%d, %d bytes: %v", len(m.Labels), m.Height, m.Width, len(file), err)
	}
	if back.Height != m.Height || back.Width != m.Width || back.Classes != m.Classes || !bytes.Equal(back.Pixels, m.Pixels) || !bytes.Equal(back.Labels, m.Labels) {
		t.Fatalf("%d images of %d×%d changed", len(m.Labels), m.Height, m.Width)
	}
	return file
}

// Images come back whatever they are and whatever foretells them.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		m := shapes(rapid.Uint64().Draw(r, "seed"), rapid.IntRange(0, 30).Draw(r, "n"), rapid.IntRange(1, 12).Draw(r, "height"), rapid.IntRange(1, 12).Draw(r, "width"), rapid.IntRange(1, 5).Draw(r, "classes"))
		weights := make([]int8, m.Classes*m.Height*m.Width*taps)
		g := rng.New(rapid.Uint64().Draw(r, "weights"), "grey", 0)
		for i := range weights {
			weights[i] = int8(g.Uint32())
		}
		if rapid.Bool().Draw(r, "noise") {
			for i := range m.Pixels {
				m.Pixels[i] = uint8(g.Uint32())
			}
		}
		roundTrip(r, m, weights)
	})
}

// Weights that were fitted make files smaller, and more than one group comes back.
func TestFit(t *testing.T) {
	m := &Images{Height: 8, Width: 8, Classes: 3}
	r := rng.New(5, "grey", 0)
	for range 2000 {
		c, at, down, right := r.IntN(3), 60+r.IntN(60), r.IntN(8), r.IntN(8)
		m.Labels = append(m.Labels, uint8(c))
		for k := range 64 {
			m.Pixels = append(m.Pixels, uint8(at+k/8*down+k%8*right+r.IntN(3)+10*c))
		}
	}
	weights, err := Fit(m)
	if err != nil {
		t.Fatal(err)
	}
	fitted := roundTrip(t, m, weights)
	plain := roundTrip(t, m, make([]int8, len(weights)))
	if len(fitted) > len(plain)/2 {
		t.Errorf("with weights a file takes %d bytes, without %d", len(fitted), len(plain))
	}
	small := &Images{Height: 2, Width: 2, Classes: 2}
	for i := range group + 7 {
		small.Labels = append(small.Labels, uint8(i%2))
		small.Pixels = append(small.Pixels, uint8(i), uint8(i%3), 0, 255)
	}
	roundTrip(t, small, make([]int8, 2*4*taps))
}

func TestLevels(t *testing.T) {
	for m := 41; m <= 254; m++ {
		var image []uint8
		for k := range m + 1 {
			image = append(image, uint8(k*255/m))
		}
		if got := Levels(image); got != m {
			t.Errorf("Levels of all %d levels = %d", m, got)
		}
	}
	var all []uint8
	for k := range 256 {
		all = append(all, uint8(k))
	}
	if got := Levels(all); got != 255 {
		t.Errorf("Levels of all bytes = %d, want 255", got)
	}
}

func TestRefuses(t *testing.T) {
	m := shapes(1, 20, 4, 4, 2)
	weights := make([]int8, 2*16*taps)
	file := roundTrip(t, m, weights)
	for n := range len(file) {
		if _, err := Decode(file[:n]); err == nil {
			t.Fatalf("%d of %d bytes were read", n, len(file))
		}
	}
	bad := slices.Clone(file)
	bad[len(bad)-12] ^= 1
	if _, err := Decode(bad); err == nil {
		t.Error("a damaged file was read")
	}
	if _, err := Encode(m, weights[1:]); err == nil {
		t.Error("weights are missing")
	}
	for name, m := range map[string]*Images{
		"no size":     {Classes: 1},
		"bytes":       {Height: 2, Width: 2, Classes: 1, Pixels: make([]uint8, 5), Labels: make([]uint8, 1)},
		"class":       {Height: 1, Width: 1, Classes: 1, Pixels: make([]uint8, 1), Labels: []uint8{1}},
		"many sides":  {Height: 1000, Width: 1, Classes: 1},
		"many labels": {Height: 1, Width: 1, Classes: 300},
	} {
		if _, err := Encode(m, nil); err == nil {
			t.Errorf("%s: written", name)
		}
		if _, err := Fit(m); err == nil {
			t.Errorf("%s: fitted", name)
		}
	}
}

func FuzzDecode(f *testing.F) {
	m := shapes(1, 5, 4, 4, 2)
	file, err := Encode(m, make([]int8, 2*16*taps))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(file)
	f.Add([]byte(magic + "\xff\xff\x03\x01\x01\x01"))
	f.Fuzz(func(t *testing.T, file []byte) {
		m, err := Decode(file)
		if err == nil && m.check() != nil {
			t.Fatal(m.check())
		}
	})
}

// What is read fast is what is read plainly, and both end at the same place.
func TestReadsAsPlainly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, h, w := rapid.IntRange(1, 30).Draw(t, "n"), rapid.IntRange(1, 9).Draw(t, "height"), rapid.IntRange(1, 9).Draw(t, "width")
		m := shapes(rapid.Uint64().Draw(t, "seed"), n, h, w, 2)
		weights := make([]int8, 2*h*w*taps)
		for i := range weights {
			weights[i] = int8(i*7%23 - 5)
		}
		c := newCodec(m, weights)
		c.codeImages()
		block := c.end()
		var read [2]*codec
		for k := range read {
			read[k] = newCodec(&Images{Height: h, Width: w, Classes: 2, Pixels: make([]uint8, n*h*w), Labels: make([]uint8, n)}, weights)
			read[k].slow = k == 1
			read[k].begin(block)
			read[k].codeImages()
		}
		if a, b := read[0], read[1]; !slices.Equal(a.m.Pixels, b.m.Pixels) || !slices.Equal(a.m.Labels, b.m.Labels) || a.over != b.over || a.state() != b.state() {
			t.Fatalf("fast and plain reading differ, and end %d and %d bytes beyond the end", a.over, b.over)
		}
	})
}
