package figure

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"image"
	"image/png"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// svg writes a figure as SVG. Text stays text, so that it can be searched and
// edited.
type svg struct {
	w     *bufio.Writer
	name  string // of the figure, for names within it
	clips int
	dpi   float64
	err   error
}

func (f *Figure) writeSVG(w io.Writer) error {
	s := &svg{w: bufio.NewWriterSize(w, 1<<16), dpi: f.DPI, name: f.digest()}
	pw, ph := f.Width*mm, f.Height*mm
	fmt.Fprintf(s.w, `<svg xmlns="http://www.w3.org/2000/svg" width="%smm" height="%smm" viewBox="0 0 %s %s" font-family="%s" role="img">`+"\n",
		num(f.Width), num(f.Height), num(pw), num(ph), family)
	fmt.Fprintf(s.w, "<title>%s</title>\n", escape(f.Alt))
	if f.Note != "" {
		fmt.Fprintf(s.w, "<desc>%s</desc>\n", escape(f.Note))
	}
	ground := f.theme().of(Ground)
	fmt.Fprintf(s.w, `<rect width="%s" height="%s" fill="%s"/>`+"\n", num(pw), num(ph), ground.hex())
	f.draw(s)
	s.w.WriteString("</svg>\n")
	if s.err != nil {
		return s.err
	}
	if err := s.w.Flush(); err != nil {
		return fmt.Errorf("figure: writing SVG: %w", err)
	}
	return nil
}

// digest tells figures apart that stand in one page.
func (f *Figure) digest() string {
	h := fnv.New32a()
	fmt.Fprint(h, f.Title, f.Alt, f.Note, f.Width, f.Height, f.Dark)
	return fmt.Sprintf("f%08x", h.Sum32())
}

// num writes a number of points with two decimals.
func num(x float64) string {
	s := strconv.FormatFloat(x, 'f', 2, 64)
	s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	if s == "-0" {
		return "0"
	}
	return s
}

// escape makes a text safe between tags and within attributes. What XML does not
// allow even so becomes the replacement character.
func escape(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '&':
			b.WriteString("&amp;")
		case r == '"':
			b.WriteString("&quot;")
		case r == utf8.RuneError || unicode.IsControl(r) && r != '\t' && r != '\n' || r == 0xFFFE || r == 0xFFFF:
			b.WriteRune(utf8.RuneError)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// opacity is an attribute for what is not opaque.
func opacity(name string, c ink) string {
	if c.a >= 1 {
		return ""
	}
	return fmt.Sprintf(` %s="%s"`, name, strconv.FormatFloat(c.a, 'g', 3, 64))
}

func (s *svg) data(p path) string {
	var b strings.Builder
	for _, q := range p {
		switch q.op {
		case 'M', 'L':
			b.WriteByte(q.op)
			b.WriteString(num(q.x) + " " + num(q.y))
		case 'C':
			b.WriteString("C" + num(q.x1) + " " + num(q.y1) + " " + num(q.x2) + " " + num(q.y2) + " " + num(q.x) + " " + num(q.y))
		case 'Z':
			b.WriteByte('Z')
		}
	}
	return b.String()
}

func (s *svg) clip(x, y, w, h float64) {
	s.clips++
	fmt.Fprintf(s.w, `<clipPath id="%s-%d"><rect x="%s" y="%s" width="%s" height="%s"/></clipPath>`+"\n", s.name, s.clips, num(x), num(y), num(w), num(h))
	fmt.Fprintf(s.w, `<g clip-path="url(#%s-%d)">`+"\n", s.name, s.clips)
}

func (s *svg) unclip() { s.w.WriteString("</g>\n") }

func (s *svg) fill(p path, c ink) {
	fmt.Fprintf(s.w, `<path d="%s" fill="%s"%s/>`+"\n", s.data(p), c.hex(), opacity("fill-opacity", c))
}

func (s *svg) stroke(p path, c ink, width float64, dashed bool) {
	more := ""
	if dashed {
		more = fmt.Sprintf(` stroke-dasharray="%s %s"`, num(dash[0]*width), num(dash[1]*width))
	}
	fmt.Fprintf(s.w, `<path d="%s" fill="none" stroke="%s" stroke-width="%s" stroke-linejoin="round"%s%s/>`+"\n",
		s.data(p), c.hex(), num(width), opacity("stroke-opacity", c), more)
}

func (s *svg) dots(xs, ys []float64, size float64, c ink) {
	fmt.Fprintf(s.w, `<g fill="%s"%s>`, c.hex(), opacity("fill-opacity", c))
	r := num(size / 2)
	for i := range xs {
		s.w.WriteString(`<circle cx="` + num(xs[i]) + `" cy="` + num(ys[i]) + `" r="` + r + `"/>`)
	}
	s.w.WriteString("</g>\n")
}

func (s *svg) text(t text) {
	where := fmt.Sprintf(`x="%s" y="%s"`, num(t.x), num(t.y))
	if t.up {
		where = fmt.Sprintf(`transform="translate(%s %s) rotate(-90)"`, num(t.x), num(t.y))
	}
	anchor := [...]string{"", ` text-anchor="middle"`, ` text-anchor="end"`}[t.side]
	halo := ""
	if t.halo != nil {
		halo = fmt.Sprintf(` stroke="%s" stroke-width="2" stroke-linejoin="round" paint-order="stroke"`, t.halo.hex())
	}
	fmt.Fprintf(s.w, `<text %s font-size="%s" fill="%s"%s%s%s>`, where, num(t.size), t.c.hex(), opacity("fill-opacity", t.c), anchor, halo)
	// Superscripts are raised digits, as everywhere.
	rise := 0.0
	for _, r := range runs(t.s) {
		size, to := t.size, 0.0
		if r.raised {
			size, to = t.size*superSize, t.size*superRise
		}
		if to == rise && !r.raised {
			s.w.WriteString(escape(r.s))
			continue
		}
		fmt.Fprintf(s.w, `<tspan dy="%s" font-size="%s">%s</tspan>`, num(rise-to), num(size), escape(r.s))
		rise = to
	}
	s.w.WriteString("</text>\n")
}

func (s *svg) image(x, y, w, h float64, m *image.NRGBA) {
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		s.err = fmt.Errorf("figure: writing SVG: %w", err)
		return
	}
	fmt.Fprintf(s.w, `<image x="%s" y="%s" width="%s" height="%s" preserveAspectRatio="none" href="data:image/png;base64,%s"/>`+"\n",
		num(x), num(y), num(w), num(h), base64.StdEncoding.EncodeToString(b.Bytes()))
}

func (s *svg) resolution() float64 { return min(s.dpi, cloudDPI) / 72 }
