package data

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/daedalus-search/daedalus/internal/detmath"
)

// An Augment changes images at random, step by step, before a network sees them. The
// zero value leaves them as they are.
type Augment []Step

// A Step is one change with its settings.
type Step struct {
	kind *augmentation
	args [2]float64
}

// An augmentation is what [ParseAugment] knows.
type augmentation struct {
	name string
	args []argument
	doc  string
	run  func(v *canvas, a [2]float64, r *rand.Rand)
}

type argument struct {
	name     string
	min, max float64
	whole    bool
	fallback float64 // NaN if it must be given
}

var must = math.NaN()

// augmentations is the table of all there are.
var augmentations = []augmentation{
	{"flip", nil, "mirrors left and right every other time", func(v *canvas, _ [2]float64, r *rand.Rand) {
		if r.Uint64()>>63 == 1 {
			v.flip()
		}
	}},
	{"vflip", nil, "mirrors top and bottom every other time", func(v *canvas, _ [2]float64, r *rand.Rand) {
		if r.Uint64()>>63 == 1 {
			v.flipVertically()
		}
	}},
	{"crop", []argument{{"pixels", 1, maxSide, true, must}}, "adds so many black pixels on all sides and cuts the size out at random (He et al. 2016)", func(v *canvas, a [2]float64, r *rand.Rand) {
		n := int(a[0])
		v.move(r.IntN(2*n+1)-n, r.IntN(2*n+1)-n)
	}},
	{"resizedcrop", []argument{{"area", 0.01, 1, false, 0.08}}, "cuts out between this share of the area and all of it, with sides of 3:4 to 4:3, and brings it back to size (Szegedy et al. 2015)", func(v *canvas, a [2]float64, r *rand.Rand) {
		v.zoom(drawCrop(v.height, v.width, a[0], r))
	}},
	{"cutout", []argument{{"pixels", 1, maxSide, true, must}}, "covers a square of this side, centred anywhere, with the mean colour (DeVries and Taylor 2017)", func(v *canvas, a [2]float64, r *rand.Rand) {
		v.cover(r.IntN(v.height), r.IntN(v.width), int(a[0]))
	}},
	{"randaugment", []argument{{"operations", 1, 14, true, 2}, {"magnitude", 0, 30, true, 9}}, "so many operations of 14, each of this magnitude (Cubuk et al. 2020)", func(v *canvas, a [2]float64, r *rand.Rand) {
		for range int(a[0]) {
			v.distort(r.IntN(len(distortions)), a[1]/30, false, r)
		}
	}},
	{"trivialaugment", nil, "one operation of 14, of any magnitude in wider ranges (Müller and Hutter 2021)", func(v *canvas, _ [2]float64, r *rand.Rand) {
		v.distort(r.IntN(len(distortions)), float64(r.IntN(31))/30, true, r)
	}},
}

// Augmentations returns how every augmentation is written, and what it does.
func Augmentations() [][2]string {
	out := make([][2]string, len(augmentations))
	for i := range augmentations {
		out[i] = [2]string{augmentations[i].usage(), augmentations[i].doc}
	}
	return out
}

func (k *augmentation) usage() string {
	s := k.name
	for _, a := range k.args {
		if a.fallback == a.fallback {
			s += fmt.Sprintf(" [%s]", strings.ToUpper(a.name))
		} else {
			s += " " + strings.ToUpper(a.name)
		}
	}
	return s
}

// ParseAugment reads steps such as "flip", "crop 4", "cutout 8" and "randaugment 2 9".
func ParseAugment(steps ...string) (Augment, error) {
	var out Augment
	for i, text := range steps {
		s, err := parseStep(text)
		if err != nil {
			return nil, fmt.Errorf("data: augment, step %d: %w", i+1, err)
		}
		out = append(out, s)
	}
	return out, nil
}

func parseStep(text string) (Step, error) {
	words := strings.Fields(text)
	var kind *augmentation
	var usages []string
	for i := range augmentations {
		usages = append(usages, augmentations[i].usage())
		if len(words) > 0 && words[0] == augmentations[i].name {
			kind = &augmentations[i]
		}
	}
	if kind == nil {
		return Step{}, fmt.Errorf("found %q, want one of: %s", text, strings.Join(usages, ", "))
	}
	s := Step{kind: kind}
	if len(words)-1 > len(kind.args) {
		return Step{}, fmt.Errorf("found %q, want %s", text, kind.usage())
	}
	for i, a := range kind.args {
		if i+1 >= len(words) {
			if a.fallback != a.fallback {
				return Step{}, fmt.Errorf("found %q, want %s", text, kind.usage())
			}
			s.args[i] = a.fallback
			continue
		}
		x, err := strconv.ParseFloat(words[i+1], 64)
		if err != nil || !(x >= a.min && x <= a.max) || a.whole && x != math.Trunc(x) {
			number := "a number"
			if a.whole {
				number = "a whole number"
			}
			return Step{}, fmt.Errorf("found %q, want for %s %s from %v to %v", text, a.name, number, a.min, a.max)
		}
		s.args[i] = x
	}
	return s, nil
}

func (s Step) String() string {
	text := s.kind.name
	for i := range s.kind.args {
		text += " " + strconv.FormatFloat(s.args[i], 'g', -1, 64)
	}
	return text
}

// Strings returns the steps as [ParseAugment] reads them.
func (a Augment) Strings() []string {
	var out []string
	for _, s := range a {
		out = append(out, s.String())
	}
	return out
}

func (a Augment) String() string { return strings.Join(a.Strings(), ", ") }

// fits reports steps that make no sense for images of this size.
func (a Augment) fits(height, width int) error {
	for _, s := range a {
		if n := int(s.args[0]); s.kind.name == "crop" && n >= min(height, width) {
			return fmt.Errorf("found %q for images of %d×%d, want fewer pixels than the image has", s, height, width)
		}
	}
	return nil
}

// Apply returns an image, height×width×channels, as the steps change it with the
// random numbers of r. Middle is what squares are covered with; nil means black.
func (a Augment) Apply(image []uint8, height, width, channels int, middle []uint8, r *rand.Rand) ([]uint8, error) {
	if height < 1 || width < 1 || channels != 1 && channels != 3 || len(image) != height*width*channels {
		return nil, fmt.Errorf("data: augment: found %d bytes for an image of %d×%d×%d, want 1 or 3 channels and as many bytes as it has", len(image), height, width, channels)
	}
	if err := a.fits(height, width); err != nil {
		return nil, fmt.Errorf("data: augment: %w", err)
	}
	var v canvas
	if len(middle) != channels {
		middle = make([]uint8, channels)
	}
	v.grow(height, width, channels, middle)
	return append([]uint8(nil), a.apply(&v, image, r)...), nil
}

// apply returns the changed image, which lies in the canvas or is the image itself.
func (a Augment) apply(v *canvas, image []uint8, r *rand.Rand) []uint8 {
	v.now, v.shared = image, true
	for i := range a {
		a[i].kind.run(v, a[i].args, r)
	}
	return v.now
}

// A canvas is where images are changed.
type canvas struct {
	height, width, channels int

	now    []uint8 // the image
	shared bool    // now must not be written
	rooms  [2][]uint8
	middle []uint8
	rows   resizer
}

func (v *canvas) grow(height, width, channels int, middle []uint8) {
	v.height, v.width, v.channels, v.middle = height, width, channels, middle
	for i := range v.rooms {
		v.rooms[i] = make([]uint8, height*width*channels)
	}
	v.rows.rows = make([]uint32, height*width*channels)
}

// next returns where a changed copy of the image may be written.
func (v *canvas) next() []uint8 {
	if &v.now[0] == &v.rooms[0][0] {
		return v.rooms[1]
	}
	return v.rooms[0]
}

func (v *canvas) take(image []uint8) { v.now, v.shared = image, false }

// own makes sure that the image may be written.
func (v *canvas) own() []uint8 {
	if v.shared {
		to := v.next()
		copy(to, v.now)
		v.take(to)
	}
	return v.now
}

func (v *canvas) flip() {
	to, c := v.next(), v.channels
	line := v.width * c
	for at := 0; at < len(v.now); at += line {
		from, to := v.now[at:at+line], to[at:at+line]
		if c == 1 {
			for x := range from {
				to[line-1-x] = from[x]
			}
			continue
		}
		for x := 0; x+2 < line; x += 3 {
			k := line - 3 - x
			to[k], to[k+1], to[k+2] = from[x], from[x+1], from[x+2]
		}
	}
	v.take(to)
}

func (v *canvas) flipVertically() {
	to := v.next()
	line := v.width * v.channels
	for y := range v.height {
		copy(to[(v.height-1-y)*line:(v.height-y)*line], v.now[y*line:(y+1)*line])
	}
	v.take(to)
}

// move moves the image down and to the right, or up and to the left; what comes in is
// black.
func (v *canvas) move(down, right int) {
	if down == 0 && right == 0 {
		return
	}
	to := v.next()
	clear(to)
	line := v.width * v.channels
	for y := max(0, down); y < min(v.height, v.height+down); y++ {
		from, to := v.now[(y-down)*line:(y-down+1)*line], to[y*line:(y+1)*line]
		if right >= 0 {
			copy(to[min(line, right*v.channels):], from)
		} else {
			copy(to, from[min(line, -right*v.channels):])
		}
	}
	v.take(to)
}

// drawCrop draws the part that a resized crop takes: ten tries to find one that lies in
// the image, then the largest one in its middle.
func drawCrop(height, width int, least float64, r *rand.Rand) (top, left, h, w int) {
	for range 10 {
		area := float64(height*width) * (least + float64((1-least)*r.Float64()))
		// The logarithm of the ratio is uniform between ±log(4/3).
		ratio := detmath.Exp(float64(detmath.Log(4./3) * (float64(2*r.Float64()) - 1)))
		w = int(math.Round(math.Sqrt(float64(area * ratio))))
		h = int(math.Round(math.Sqrt(area / ratio)))
		if w >= 1 && h >= 1 && w <= width && h <= height {
			return r.IntN(height - h + 1), r.IntN(width - w + 1), h, w
		}
	}
	h, w = min(height, max(1, (8*width+3)/6)), min(width, max(1, (8*height+3)/6))
	return (height - h) / 2, (width - w) / 2, h, w
}

// zoom brings a part of the image to its size.
func (v *canvas) zoom(top, left, height, width int) {
	if height == v.height && width == v.width {
		return
	}
	to := v.next()
	line := v.width * v.channels
	v.rows.resize(to, v.height, v.width, v.now[top*line+left*v.channels:], line, height, width, v.channels)
	v.take(to)
}

// cover covers a square around a place with the mean colour, where it lies in the image.
func (v *canvas) cover(y, x, side int) {
	image := v.own()
	top, left := y-side/2, x-side/2
	for y := max(0, top); y < min(v.height, top+side); y++ {
		for x := max(0, left); x < min(v.width, left+side); x++ {
			copy(image[(y*v.width+x)*v.channels:], v.middle)
		}
	}
}
