package diagram

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// escaper makes text safe between tags and in attributes.
var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&#39;")

// Escape returns s as XML text. What XML cannot hold, and what would change the
// direction of the text around it, becomes U+FFFD; line breaks and tabs become
// spaces.
func Escape(s string) string { return escaper.Replace(strings.Map(shown, s)) }

// shown is the character that stands for r in a drawing.
func shown(r rune) rune {
	switch {
	case r == '\t' || r == '\n' || r == '\r' || r == 0x2028 || r == 0x2029:
		return ' '
	case r < 0x20, r >= 0x7f && r < 0xa0, r == 0xFFFE, r == 0xFFFF,
		r >= 0x202A && r <= 0x202E, r >= 0x2066 && r <= 0x2069:
		return utf8.RuneError
	}
	return r
}

// advances are the widths of the printable ASCII characters of Helvetica in
// thousandths of the font size, from space on (Adobe Font Metrics, 1997). The
// sans-serif fonts of today's systems stay within 5% of them, but for DejaVu
// Sans and Verdana, which are up to 15% wider, and more than that in + < = > and
// ~, which lie between here.
var advances = [...]uint16{
	278, 278, 355, 556, 556, 889, 667, 222, 333, 333, 389, 700, 278, 333, 278, 278,
	556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 700, 700, 700, 556,
	1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778,
	667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556,
	222, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556,
	556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 700,
}

// roomy is how much wider than Helvetica texts are taken to be: between it and
// the widest usual fonts, so that padding absorbs the difference either way.
const roomy = 1.08

// advance estimates the width of a character as a share of the font size.
func advance(r rune) float64 {
	switch r = shown(r); {
	case r >= 0x20 && r < 0x7f:
		return float64(advances[r-0x20]) / 1000 * roomy
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case r < 0x2000: // Latin, Greek, Cyrillic and their like
		if unicode.IsUpper(r) {
			return 0.75 * roomy
		}
		return 0.6 * roomy
	}
	return roomy
}

// TextWidth estimates how wide s is in a sans-serif font of a size. Fonts
// differ, so leave some room.
func TextWidth(s string, size float64) float64 {
	w := 0.0
	for _, r := range s {
		w += advance(r)
	}
	return w * size
}

// Cut returns s, or as much of its beginning as fits into the width with an
// ellipsis after it, and whether it had to cut. The first character always
// stays.
func Cut(s string, size, width float64) (text string, cut bool) {
	const mark = "…"
	room := width/size + 1e-9
	most := room*0.95 - advance('…') // of a long text the estimate may be off by more
	w := 0.0
	fits := 0 // bytes that leave room for the mark
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		w += advance(r)
		if w > room && i > 0 {
			return strings.TrimRight(s[:fits], " ") + mark, true
		}
		i += n
		if fits == 0 || w <= most {
			fits = i
		}
	}
	return s, false
}

// clip bounds the full text that stands in a title.
func clip(s string) string {
	const most = 400
	n := 0
	for i := range s {
		if n == most {
			return s[:i] + "…"
		}
		n++
	}
	return s
}
