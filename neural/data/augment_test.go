package data

import (
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
)

// painted returns a canvas with an image.
func painted(height, width, channels int, image []uint8) *canvas {
	v := new(canvas)
	v.grow(height, width, channels, make([]uint8, channels))
	v.now, v.shared = image, true
	return v
}

// TestPillow compares every operation of RandAugment with Pillow's, byte for byte.
func TestPillow(t *testing.T) {
	file, err := os.ReadFile("testdata/pillow.txt")
	if err != nil {
		t.Fatal(err)
	}
	ops := map[string]func(v *canvas, a float64){
		"autocontrast": func(v *canvas, _ float64) { v.autoContrast() },
		"equalize":     func(v *canvas, _ float64) { v.equalize() },
		"solarize":     func(v *canvas, a float64) { v.solarize(a) },
		"posterize":    func(v *canvas, a float64) { v.posterize(int(a)) },
		"color":        func(v *canvas, a float64) { v.saturate(a) },
		"contrast":     func(v *canvas, a float64) { v.contrast(a) },
		"brightness":   func(v *canvas, a float64) { v.brightness(a) },
		"sharpness":    func(v *canvas, a float64) { v.sharpen(a) },
		"rotate":       func(v *canvas, a float64) { v.rotate(a) },
		"shear-x":      func(v *canvas, a float64) { v.affine(1, a, 0, 0, 1, 0) },
		"shear-y":      func(v *canvas, a float64) { v.affine(1, 0, 0, a, 1, 0) },
		"translate-x":  func(v *canvas, a float64) { v.move(0, int(a)) },
		"translate-y":  func(v *canvas, a float64) { v.move(int(a), 0) },
	}
	large := make([]uint8, 4096)
	for i := range large {
		large[i] = uint8(i*i/97 + i/64)
	}
	images := map[string][]uint8{"L64": large}
	seen := map[string]bool{}
	for line := range strings.Lines(string(file)) {
		f := strings.Fields(line)
		if f[0] == "#" {
			continue
		}
		want, err := hex.DecodeString(f[3])
		if err != nil {
			t.Fatal(err)
		}
		if f[1] == "image" {
			images[f[0]] = want
			continue
		}
		height, width, channels := 7, 9, 1
		switch f[0] {
		case "RGB":
			channels = 3
		case "L64":
			height, width = 64, 64
		}
		a, err := strconv.ParseFloat(f[2], 64)
		if err != nil {
			t.Fatal(err)
		}
		before := slices.Clone(images[f[0]])
		v := painted(height, width, channels, images[f[0]])
		ops[f[1]](v, a)
		got := v.now
		if f[0] == "L64" {
			if sum := crc32.ChecksumIEEE(got); fmt.Sprintf("%08x", sum) != f[3] || strconv.Itoa(int(crc32.ChecksumIEEE(before))) != f[2] {
				t.Errorf("%s of the larger image has the sum %08x, want %s", f[1], sum, f[3])
			}
		} else if !slices.Equal(got, want) {
			t.Errorf("%s %s %s:\n got %v\nwant %v", f[0], f[1], f[2], got, want)
		}
		if !slices.Equal(before, images[f[0]]) {
			t.Fatalf("%s changed its operand", f[1])
		}
		seen[f[1]] = true
	}
	for _, d := range distortions {
		if !seen[d.name] && d.name != "identity" {
			t.Errorf("%s is not compared", d.name)
		}
	}
	if len(distortions) != 14 {
		t.Errorf("there are %d operations, want 14", len(distortions))
	}
}

func TestSinCos(t *testing.T) {
	for d := -720.0; d <= 720; d += 0.37 {
		sin, cos := sinCos(d)
		if x := d * math.Pi / 180; math.Abs(sin-math.Sin(x)) > 5e-15 || math.Abs(cos-math.Cos(x)) > 5e-15 {
			t.Fatalf("sinCos(%v) = %v, %v, want %v, %v", d, sin, cos, math.Sin(x), math.Cos(x))
		}
	}
}

func TestMovesByHand(t *testing.T) {
	image := []uint8{
		1, 2, 3,
		4, 5, 6,
	}
	for name, c := range map[string]struct {
		do   func(v *canvas)
		want []uint8
	}{
		"flip":            {func(v *canvas) { v.flip() }, []uint8{3, 2, 1, 6, 5, 4}},
		"flip twice":      {func(v *canvas) { v.flip(); v.flip() }, image},
		"vflip":           {func(v *canvas) { v.flipVertically() }, []uint8{4, 5, 6, 1, 2, 3}},
		"down":            {func(v *canvas) { v.move(1, 0) }, []uint8{0, 0, 0, 1, 2, 3}},
		"up and left":     {func(v *canvas) { v.move(-1, -1) }, []uint8{5, 6, 0, 0, 0, 0}},
		"right":           {func(v *canvas) { v.move(0, 2) }, []uint8{0, 0, 1, 0, 0, 4}},
		"out":             {func(v *canvas) { v.move(0, -7) }, []uint8{0, 0, 0, 0, 0, 0}},
		"nowhere":         {func(v *canvas) { v.move(0, 0) }, image},
		"cover a corner":  {func(v *canvas) { v.middle[0] = 9; v.cover(0, 0, 2) }, []uint8{9, 2, 3, 4, 5, 6}},
		"cover the end":   {func(v *canvas) { v.middle[0] = 9; v.cover(1, 2, 2) }, []uint8{1, 9, 9, 4, 9, 9}},
		"cover all":       {func(v *canvas) { v.middle[0] = 9; v.cover(1, 1, 9) }, []uint8{9, 9, 9, 9, 9, 9}},
		"zoom to a place": {func(v *canvas) { v.zoom(1, 2, 1, 1) }, []uint8{6, 6, 6, 6, 6, 6}},
		"zoom to all":     {func(v *canvas) { v.zoom(0, 0, 2, 3) }, image},
		"zoom to a row":   {func(v *canvas) { v.zoom(0, 0, 1, 3) }, []uint8{1, 2, 3, 1, 2, 3}},
	} {
		v := painted(2, 3, 1, slices.Clone(image))
		c.do(v)
		if !slices.Equal(v.now, c.want) {
			t.Errorf("%s: got %v, want %v", name, v.now, c.want)
		}
		// In colour the channels do the same, each on its own.
		colours := make([]uint8, 18)
		for i := range colours {
			colours[i] = image[i/3] + uint8(i%3)*10
		}
		v = painted(2, 3, 3, colours)
		v.middle = []uint8{9, 9, 9}
		c.do(v)
		for i, x := range v.now {
			want := c.want[i/3]
			if name == "cover all" || want == 9 || want == 0 {
				if x != want && !(name[:2] == "co") {
					t.Errorf("%s in colour: place %d = %d, want %d", name, i, x, want)
				}
			} else if x != want+uint8(i%3)*10 {
				t.Errorf("%s in colour: place %d = %d, want %d", name, i, x, want+uint8(i%3)*10)
			}
		}
	}
}

// TestDraws holds the random choices against their probabilities.
func TestDraws(t *testing.T) {
	image := []uint8{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}
	const n = 4000
	draw := func(step string, see func([]uint8)) {
		a, err := ParseAugment(step)
		if err != nil {
			t.Fatal(err)
		}
		for i := range uint64(n) {
			out, err := a.Apply(image, 3, 4, 1, []uint8{200}, rng.New(3, "draw", i))
			if err != nil {
				t.Fatal(err)
			}
			see(out)
		}
	}
	near := func(what string, got int, p float64) {
		if sd := math.Sqrt(n * p * (1 - p)); math.Abs(float64(got)-n*p) > 5*sd {
			t.Errorf("%s: %d of %d, want about %.0f", what, got, n, n*p)
		}
	}
	flips := 0
	draw("flip", func(out []uint8) {
		if out[0] == 4 {
			flips++
		}
	})
	near("flips", flips, 0.5)
	places := map[string]int{}
	draw("crop 1", func(out []uint8) { places[string(out)]++ })
	if len(places) != 9 {
		t.Errorf("a crop with 1 pixel around has %d outcomes, want 9", len(places))
	}
	for p, got := range places {
		near(fmt.Sprintf("crop %v", []uint8(p)), got, 1./9)
	}
	covered := map[int]int{}
	draw("cutout 1", func(out []uint8) { covered[slices.Index(out, 200)]++ })
	for p, got := range covered {
		near(fmt.Sprintf("cutout at %d", p), got, 1./12)
	}
	// Areas of resized crops of a large image are uniform between the least and all,
	// and ratios stay within bounds.
	sum, kept := 0.0, 0
	for i := range uint64(n) {
		_, _, h, w := drawCrop(1000, 1000, 0.2, rng.New(4, "crop", i))
		sum += float64(h*w) / 1e6
		if r := float64(w) / float64(h); r < 0.74 || r > 1.35 {
			t.Fatalf("a part of %d×%d", h, w)
		}
		kept++
	}
	// Parts of nearly all the area must be nearly square, so that fewer of them fit.
	if mean := sum / float64(kept); mean < 0.53 || mean > 0.6 {
		t.Errorf("the mean area of crops is %v, want a little less than 0.6", mean)
	}
	if top, left, h, w := drawCrop(10, 1000, 1, rng.New(1, "crop", 0)); top != 0 || h != 10 || w != 13 || left != 493 {
		t.Errorf("a part of a long image: %d %d %d %d", top, left, h, w)
	}
}

// The operations of RandAugment are drawn with equal probability, and their strengths
// are those of the table in torchvision.
func TestRandAugment(t *testing.T) {
	a, err := ParseAugment("randaugment 3 15")
	if err != nil {
		t.Fatal(err)
	}
	s := noise(t, 4, 16, 16, 3, 2)
	out, err := a.Apply(s.Image(0), 16, 16, 3, nil, rng.New(1, "x", 0))
	if err != nil || slices.Equal(out, s.Image(0)) {
		t.Errorf("three operations left the image as it is: %v", err)
	}
	none, _ := ParseAugment("randaugment 1 0")
	// At magnitude 0 the strengths are 0; contrast and equalising find nothing to do. White
	// alone is inverted by solarize, in torchvision too.
	flat := make([]uint8, 256)
	for i := range flat {
		flat[i] = uint8(i)
	}
	for i := range uint64(100) {
		out, err = none.Apply(flat, 16, 16, 1, nil, rng.New(1, "x", i))
		if err != nil || !slices.Equal(out[:255], flat[:255]) {
			t.Fatalf("magnitude 0 changed an image of all values: %v, %v", out, err)
		}
	}
	for name, want := range map[string]func(v *canvas, sign float64){
		"posterize":   func(v *canvas, _ float64) { v.posterize(7) }, // 8 − round(9·4/30)
		"solarize":    func(v *canvas, _ float64) { v.solarize(178.5) },
		"brightness":  func(v *canvas, s float64) { v.brightness(1 + s*0.27) },
		"rotate":      func(v *canvas, s float64) { v.rotate(s * 9) },
		"shear-x":     func(v *canvas, s float64) { v.affine(1, s*0.09, 0, 0, 1, 0) },
		"translate-x": func(v *canvas, s float64) { v.move(0, int(s*2.17522)) }, // 150/331·16·0.3
	} {
		k := slices.IndexFunc(distortions, func(d distortion) bool { return d.name == name })
		v := painted(16, 16, 3, s.Image(1))
		v.distort(k, 0.3, false, rng.New(1, "x", 5))
		found := false
		for _, sign := range []float64{1, -1} {
			w := painted(16, 16, 3, s.Image(1))
			want(w, sign)
			found = found || slices.Equal(v.now, w.now)
		}
		if !found {
			t.Errorf("%s at magnitude 9 of 30 has another strength", name)
		}
	}
}

func TestParseAugment(t *testing.T) {
	a, err := ParseAugment("flip", "crop 4", " cutout  8 ", "randaugment 2 9", "randaugment", "resizedcrop 0.5", "trivialaugment")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := a.String(), "flip, crop 4, cutout 8, randaugment 2 9, randaugment 2 9, resizedcrop 0.5, trivialaugment"; got != want {
		t.Errorf("read back as %q, want %q", got, want)
	}
	if b, err := ParseAugment(a.Strings()...); err != nil || b.String() != a.String() {
		t.Errorf("read twice: %v, %v", b, err)
	}
	for text, want := range map[string]string{
		"":                 "want one of: flip, vflip, crop PIXELS",
		"blur 3":           `found "blur 3", want one of`,
		"crop":             "want crop PIXELS",
		"crop x":           "want for pixels a whole number from 1 to",
		"crop 0":           "from 1 to",
		"crop 2.5":         "a whole number",
		"flip 3":           `found "flip 3", want flip`,
		"randaugment 2 31": "want for magnitude a whole number from 0 to 30",
		"resizedcrop NaN":  "want for area a number from 0.01 to 1",
	} {
		if a, err := ParseAugment("flip", text); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "step 2") {
			t.Errorf("ParseAugment(%q) = %v, %v, want an error with %q", text, a, err, want)
		}
	}
	for _, u := range Augmentations() {
		if u[0] == "" || u[1] == "" {
			t.Errorf("an augmentation without words: %q", u)
		}
	}
	if _, err := a.Apply(make([]uint8, 5), 2, 3, 1, nil, rng.New(1, "", 0)); err == nil {
		t.Error("an image with bytes missing was changed")
	}
}

// Every augmentation keeps within any image, however small, and leaves its operand.
func FuzzAugment(f *testing.F) {
	f.Add("randaugment 3 30", uint64(1), uint8(1), uint8(1), true)
	f.Add("resizedcrop 0.01", uint64(2), uint8(7), uint8(30), false)
	f.Add("trivialaugment", uint64(3), uint8(28), uint8(28), true)
	f.Add("cutout 100", uint64(4), uint8(3), uint8(2), true)
	f.Fuzz(func(t *testing.T, step string, seed uint64, height, width uint8, colour bool) {
		a, err := ParseAugment(step, step)
		if err != nil {
			return
		}
		h, w, c := int(height%40)+1, int(width%40)+1, 1
		if colour {
			c = 3
		}
		image := make([]uint8, h*w*c)
		r := rng.New(seed, "fuzz", 0)
		for i := range image {
			image[i] = uint8(r.Uint32())
		}
		before := slices.Clone(image)
		out, err := a.Apply(image, h, w, c, nil, r)
		if err != nil {
			return
		}
		if len(out) != len(image) || !slices.Equal(before, image) {
			t.Fatalf("%v of %d×%d×%d: %d bytes", a, h, w, c, len(out))
		}
	})
}

func ExampleParseAugment() {
	a, err := ParseAugment("flip", "crop 4", "cutout 8")
	fmt.Println(a, err)
	_, err = ParseAugment("flipp")
	fmt.Println(err)
	// Output:
	// flip, crop 4, cutout 8 <nil>
	// data: augment, step 1: found "flipp", want one of: flip, vflip, crop PIXELS, resizedcrop [AREA], cutout PIXELS, randaugment [OPERATIONS] [MAGNITUDE], trivialaugment
}
