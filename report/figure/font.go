package figure

import (
	"sync"
	"unicode"
	"unicode/utf8"

	"codeberg.org/go-fonts/liberation/liberationsansregular"
	"golang.org/x/image/font"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

// The font of every figure: Liberation Sans, which is as wide as Arial and
// Helvetica, so that a figure looks the same where a viewer takes these.
const family = "Liberation Sans, Arial, Helvetica, sans-serif"

// Sizes of text, in points at the printed size.
const (
	textSize = 8
	tickSize = 7
)

var sans = sync.OnceValue(func() *sfnt.Font {
	f, err := sfnt.Parse(liberationsansregular.TTF)
	if err != nil {
		panic("figure: the font is broken: " + err.Error()) // it is part of the program
	}
	return f
})

// A glyph is one character of a laid-out text: where it begins, in points from
// the beginning of the text, and how large it is.
type glyph struct {
	id     sfnt.GlyphIndex
	r      rune
	x      float64
	kerned bool // it does not stand where the one before it ends
	size   float64
	rise   float64
}

// Superscripts are digits of this size, raised by this much of the size of the
// text: the font has not all of them.
const (
	superSize = 0.68
	superRise = 0.38
)

// shape lays a text out along a line that begins at 0 and returns its width.
func shape(s string, size float64) (out []glyph, width float64) {
	f := sans()
	var buf sfnt.Buffer
	em := fixed.Int26_6(f.UnitsPerEm())
	unit := 1 / float64(em)
	var last sfnt.GlyphIndex
	lastSize := 0.0
	for _, r := range s {
		if unicode.IsControl(r) {
			continue
		}
		if r > 0xffff { // the font has none of them, and a PDF has no place for them
			r = utf8.RuneError
		}
		g := glyph{r: r, size: size}
		if low, ok := lowered(r); ok {
			g.r, g.size, g.rise = low, size*superSize, size*superRise
		}
		g.id, _ = f.GlyphIndex(&buf, g.r) // 0 is the box for a character that the font lacks
		if lastSize == g.size {
			if kern, err := f.Kern(&buf, last, g.id, em, font.HintingNone); err == nil && kern != 0 {
				width += float64(kern) * unit * g.size
				g.kerned = true
			}
		}
		g.x = width
		if advance, err := f.GlyphAdvance(&buf, g.id, em, font.HintingNone); err == nil {
			width += float64(advance) * unit * g.size
		}
		last, lastSize = g.id, g.size
		out = append(out, g)
	}
	return out, width
}

// A run is a part of a text that is raised or not.
type run struct {
	s      string
	raised bool
}

// runs splits a text; superscripts become what they are a small form of.
func runs(s string) (out []run) {
	for _, r := range s {
		low, up := lowered(r)
		if n := len(out); n == 0 || out[n-1].raised != up {
			out = append(out, run{raised: up})
		}
		out[len(out)-1].s += string(low)
	}
	return out
}

// width is how wide a text is, in points.
func width(s string, size float64) float64 {
	_, w := shape(s, size)
	return w
}

// cut shortens a text to a width. The middle goes: names often differ at their
// ends.
func cut(s string, most, size float64) string {
	if width(s, size) <= most {
		return s
	}
	rs := []rune(s)
	if len(rs) > 400 {
		rs = append(rs[:200:200], rs[len(rs)-200:]...)
	}
	without := func(n int) string { // n characters are left
		head := (n + 1) / 2
		return string(rs[:head]) + "…" + string(rs[len(rs)-(n-head):])
	}
	low, high := 0, len(rs) // low fits or is all that can be
	for high-low > 1 {
		if n := (low + high) / 2; width(without(n), size) <= most {
			low = n
		} else {
			high = n
		}
	}
	return without(low)
}
