package figure

import "fmt"

// A Tone is a colour by what it means.
type Tone uint8

const (
	Ink     Tone = iota // text and axes
	Muted               // what may be overlooked
	Faint               // the grid
	Ground              // the paper
	Point               // a design among many
	Own                 // what this search did
	Best                // the front
	Base                // what it is compared with
	Bad                 // beyond limits, failures
	Stopped             // pruned
	Known               // from the cache
	Cat                 // Cat+k: a value without a meaning of its own, k below cats
)

const cats = 8

// An ink is a colour with its opacity.
type ink struct {
	r, g, b uint8
	a       float64
}

func rgb(hex uint32) ink { return ink{uint8(hex >> 16), uint8(hex >> 8), uint8(hex), 1} }

func (c ink) hex() string { return fmt.Sprintf("#%02x%02x%02x", c.r, c.g, c.b) }

func (c ink) faded(a float64) ink {
	if a > 0 {
		c.a *= a
	}
	return c
}

// A theme is the colours of a figure. They differ in lightness and not only in
// hue: for the colour-blind, and for printers without colour.
type theme struct {
	tones [int(Cat) + cats]ink
	ramp  [5]ink // of values, the worst first
}

// Of Cat, the palette "bright" of Paul Tol (2021), made for the colour-blind.
var light = theme{
	tones: [...]ink{
		Ink: rgb(0x1b2027), Muted: rgb(0x57606b), Faint: rgb(0xe3e6ea), Ground: rgb(0xffffff), Point: rgb(0x7d8792),
		Own: rgb(0x2a62b8), Best: rgb(0xb4540a), Base: rgb(0x8a939e), Bad: rgb(0xbd2730), Stopped: rgb(0xc9a21b), Known: rgb(0x1a7a48),
		Cat: rgb(0x4477aa), rgb(0xee6677), rgb(0x228833), rgb(0xccbb44), rgb(0x66ccee), rgb(0xaa3377), rgb(0xe08a2e), rgb(0x8c8c8c),
	},
	ramp: [5]ink{rgb(0xe4ebf4), rgb(0xa9c3e6), rgb(0x5f93cf), rgb(0x2a62b8), rgb(0x0f2f66)},
}

var dark = theme{
	tones: [...]ink{
		Ink: rgb(0xe8ebef), Muted: rgb(0xa4adb8), Faint: rgb(0x2b323a), Ground: rgb(0x14171b), Point: rgb(0x8a939e),
		Own: rgb(0x74abf8), Best: rgb(0xf2a24e), Base: rgb(0x717b86), Bad: rgb(0xf07178), Stopped: rgb(0xe0c050), Known: rgb(0x5cc58c),
		Cat: rgb(0x6f9fd0), rgb(0xee8090), rgb(0x4fb060), rgb(0xd8c95a), rgb(0x7dd6f2), rgb(0xd070a8), rgb(0xf0a050), rgb(0xa0a0a0),
	},
	ramp: [5]ink{rgb(0x25303e), rgb(0x2c4d7c), rgb(0x3c76bf), rgb(0x74abf8), rgb(0xd3e5ff)},
}

func (f *Figure) theme() *theme {
	if f.Dark {
		return &dark
	}
	return &light
}

func (t *theme) of(tone Tone) ink { return t.tones[min(int(tone), len(t.tones)-1)] }

// shade is the colour of a share from 0 to 1.
func (t *theme) shade(share float64) ink {
	s := min(max(share, 0), 1) * float64(len(t.ramp)-1)
	k := min(int(s), len(t.ramp)-2)
	a, b, w := t.ramp[k], t.ramp[k+1], s-float64(k)
	mix := func(x, y uint8) uint8 { return uint8(float64(x) + (float64(y)-float64(x))*w + 0.5) }
	return ink{mix(a.r, b.r), mix(a.g, b.g), mix(a.b, b.b), 1}
}
