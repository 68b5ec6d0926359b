package data

import (
	"math"
	"math/rand/v2"
)

// The operations of RandAugment (Cubuk et al. 2020, section 4.1) in the order of the
// paper's table, with the strengths of torchvision.transforms.RandAugment and, wide, of
// TrivialAugmentWide, which most published results come from. A magnitude goes from 0
// to 1. Every operation gives the bytes that Pillow gives.
var distortions = []distortion{
	{"identity", func(*canvas, float64, bool, *rand.Rand) {}},
	{"autocontrast", func(v *canvas, _ float64, _ bool, _ *rand.Rand) { v.autoContrast() }},
	{"equalize", func(v *canvas, _ float64, _ bool, _ *rand.Rand) { v.equalize() }},
	{"rotate", func(v *canvas, m float64, wide bool, r *rand.Rand) {
		v.rotate(signed(float64(m*pick(wide, 30, 135)), r))
	}},
	{"solarize", func(v *canvas, m float64, _ bool, _ *rand.Rand) { v.solarize(255 - float64(m*255)) }},
	{"color", func(v *canvas, m float64, wide bool, r *rand.Rand) {
		v.saturate(1 + signed(float64(m*pick(wide, 0.9, 0.99)), r))
	}},
	{"posterize", func(v *canvas, m float64, wide bool, _ *rand.Rand) {
		v.posterize(8 - int(math.RoundToEven(float64(m*pick(wide, 4, 6)))))
	}},
	{"contrast", func(v *canvas, m float64, wide bool, r *rand.Rand) {
		v.contrast(1 + signed(float64(m*pick(wide, 0.9, 0.99)), r))
	}},
	{"brightness", func(v *canvas, m float64, wide bool, r *rand.Rand) {
		v.brightness(1 + signed(float64(m*pick(wide, 0.9, 0.99)), r))
	}},
	{"sharpness", func(v *canvas, m float64, wide bool, r *rand.Rand) {
		v.sharpen(1 + signed(float64(m*pick(wide, 0.9, 0.99)), r))
	}},
	{"shear-x", func(v *canvas, m float64, wide bool, r *rand.Rand) {
		v.affine(1, signed(float64(m*pick(wide, 0.3, 0.99)), r), 0, 0, 1, 0)
	}},
	{"shear-y", func(v *canvas, m float64, wide bool, r *rand.Rand) {
		v.affine(1, 0, 0, signed(float64(m*pick(wide, 0.3, 0.99)), r), 1, 0)
	}},
	{"translate-x", func(v *canvas, m float64, wide bool, r *rand.Rand) {
		v.move(0, int(signed(float64(m*pick(wide, 150./331*float64(v.width), 32)), r)))
	}},
	{"translate-y", func(v *canvas, m float64, wide bool, r *rand.Rand) {
		v.move(int(signed(float64(m*pick(wide, 150./331*float64(v.height), 32)), r)), 0)
	}},
}

type distortion struct {
	name string
	run  func(v *canvas, magnitude float64, wide bool, r *rand.Rand)
}

func (v *canvas) distort(k int, magnitude float64, wide bool, r *rand.Rand) {
	distortions[k].run(v, magnitude, wide, r)
}

func pick(wide bool, normal, wider float64) float64 {
	if wide {
		return wider
	}
	return normal
}

// signed gives a number either sign.
func signed(x float64, r *rand.Rand) float64 {
	if r.Uint64()>>63 == 1 {
		return -x
	}
	return x
}

// through sends every byte of a channel through a table.
func (v *canvas) through(channel int, table *[256]uint8) {
	image := v.own()
	for i := channel; i < len(image); i += v.channels {
		image[i] = table[image[i]]
	}
}

func (v *canvas) count(channel int) (n [256]int) {
	for i := channel; i < len(v.now); i += v.channels {
		n[v.now[i]]++
	}
	return n
}

// autoContrast stretches each channel over all values.
func (v *canvas) autoContrast() {
	for c := range v.channels {
		n := v.count(c)
		lo, hi := 0, 255
		for n[lo] == 0 {
			lo++
		}
		for n[hi] == 0 {
			hi--
		}
		if hi <= lo {
			continue
		}
		scale := 255 / float64(hi-lo)
		offset := float64(-float64(lo) * scale)
		var t [256]uint8
		for x := range t {
			t[x] = uint8(max(0, min(255, int(float64(float64(x)*scale)+offset))))
		}
		v.through(c, &t)
	}
}

// equalize makes the values of each channel equally frequent.
func (v *canvas) equalize() {
	for c := range v.channels {
		n := v.count(c)
		last := 255
		for n[last] == 0 {
			last--
		}
		step := (v.height*v.width - n[last]) / 255
		if step == 0 {
			continue
		}
		var t [256]uint8
		sum := step / 2
		for x := range t {
			t[x] = uint8(min(255, sum/step))
			sum += n[x]
		}
		v.through(c, &t)
	}
}

// solarize inverts what is at least the threshold.
func (v *canvas) solarize(threshold float64) {
	image := v.own()
	for i, x := range image {
		if float64(x) >= threshold {
			image[i] = 255 - x
		}
	}
}

// posterize keeps so many upper bits.
func (v *canvas) posterize(bits int) {
	image := v.own()
	mask := uint8(0xff) << (8 - bits)
	for i := range image {
		image[i] &= mask
	}
}

// blend goes from one byte to another, or beyond.
func blend(from, to uint8, share float32) uint8 {
	return uint8(max(0, min(255, float32(from)+float32(share*float32(int(to)-int(from))))))
}

// luma is the brightness of a colour by ITU-R 601-2.
func luma(r, g, b uint8) uint8 {
	return uint8((uint32(r)*19595 + uint32(g)*38470 + uint32(b)*7471 + 0x8000) >> 16)
}

// saturate goes from grey to the image; grey images stay as they are.
func (v *canvas) saturate(share float64) {
	if v.channels == 1 {
		return
	}
	image := v.own()
	for i := 0; i+2 < len(image); i += 3 {
		g := luma(image[i], image[i+1], image[i+2])
		for c := range 3 {
			image[i+c] = blend(g, image[i+c], float32(share))
		}
	}
}

// contrast goes from the mean brightness to the image.
func (v *canvas) contrast(share float64) {
	sum := 0
	if v.channels == 1 {
		for _, x := range v.now {
			sum += int(x)
		}
	} else {
		for i := 0; i+2 < len(v.now); i += 3 {
			sum += int(luma(v.now[i], v.now[i+1], v.now[i+2]))
		}
	}
	n := v.height * v.width
	v.blendAll(uint8((2*sum+n)/(2*n)), share)
}

// brightness goes from black to the image.
func (v *canvas) brightness(share float64) { v.blendAll(0, share) }

func (v *canvas) blendAll(from uint8, share float64) {
	var t [256]uint8
	for x := range t {
		t[x] = blend(from, uint8(x), float32(share))
	}
	image := v.own()
	for i, x := range image {
		image[i] = t[x]
	}
}

// sharpen goes from a smoothed image to the image. Smoothing weighs a place 5 and each of
// the eight around it 1; the edge stays as it is.
func (v *canvas) sharpen(share float64) {
	to, c := v.next(), v.channels
	line := v.width * c
	copy(to, v.now)
	for y := 1; y < v.height-1; y++ {
		up, mid, low := v.now[(y-1)*line:y*line], v.now[y*line:(y+1)*line], v.now[(y+1)*line:(y+2)*line]
		for i := c; i < line-c; i++ {
			sum := int(up[i-c]) + int(up[i]) + int(up[i+c]) + int(mid[i-c]) + 5*int(mid[i]) + int(mid[i+c]) + int(low[i-c]) + int(low[i]) + int(low[i+c])
			to[y*line+i] = blend(uint8((2*sum+13)/26), mid[i], float32(share))
		}
	}
	v.take(to)
}

// rotate turns the image around its middle, against the clock, by degrees.
func (v *canvas) rotate(degrees float64) {
	if degrees == 0 {
		return
	}
	sin, cos := sinCos(-degrees)
	x, y := float64(v.width)/2, float64(v.height)/2
	v.affine(cos, sin, x-float64(cos*x)-float64(sin*y), -sin, cos, y+float64(sin*x)-float64(cos*y))
}

// affine takes for the middle of each place (x, y) the place that holds
// (a·x + b·y + c, d·x + e·y + f), in steps of 2^-16; outside it is black.
func (v *canvas) affine(a, b, c, d, e, f float64) {
	fix := func(x float64) int { return int(math.Floor(float64(x*65536) + 0.5)) }
	xx, xy, yx, yy := fix(a), fix(b), fix(d), fix(e)
	x0 := fix(c + float64(a*0.5) + float64(b*0.5))
	y0 := fix(f + float64(d*0.5) + float64(e*0.5))
	to, n := v.next(), v.channels
	i := 0
	for range v.height {
		fx, fy := x0, y0
		for range v.width {
			x, y := fx>>16, fy>>16
			if uint(x) < uint(v.width) && uint(y) < uint(v.height) {
				k := (y*v.width + x) * n
				if n == 1 {
					to[i] = v.now[k]
				} else {
					to[i], to[i+1], to[i+2] = v.now[k], v.now[k+1], v.now[k+2]
				}
			} else if n == 1 {
				to[i] = 0
			} else {
				to[i], to[i+1], to[i+2] = 0, 0, 0
			}
			i += n
			fx, fy = fx+xx, fy+yx
		}
		x0, y0 = x0+xy, y0+yy
	}
	v.take(to)
}

// sinCos returns the sine and cosine of an angle, the same bits on every platform. The
// angle is brought within 45 degrees; the Taylor series up to the 17th power then errs
// by less than 1e-17.
func sinCos(degrees float64) (sin, cos float64) {
	quarter := math.Round(degrees / 90)
	x := float64((degrees - float64(quarter*90)) * (math.Pi / 180))
	term := 1.0
	for k := 1; k <= 18; k++ {
		switch k % 4 {
		case 1:
			cos += term
		case 2:
			sin += term
		case 3:
			cos -= term
		case 0:
			sin -= term
		}
		term = float64(term*x) / float64(k)
	}
	switch (int(quarter)%4 + 4) % 4 {
	case 1:
		sin, cos = cos, -sin
	case 2:
		sin, cos = -sin, -cos
	case 3:
		sin, cos = -cos, sin
	}
	return sin, cos
}
