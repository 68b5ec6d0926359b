package figure

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"image"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"

	"codeberg.org/go-fonts/liberation/liberationsansregular"
	"golang.org/x/image/font"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

// pdf writes a figure as a PDF of one page (ISO 32000-1, "PDF 1.7"). It carries
// the characters of the font that it uses, and says nothing of when it was made:
// the same figure gives the same bytes.
type pdf struct {
	page   bytes.Buffer // the content stream, in points from the upper left
	dpi    float64
	alphas []float64 // of the graphics states
	images []*image.NRGBA
	cids   map[sfnt.GlyphIndex]int  // number of a glyph in the font of the file
	glyphs []sfnt.GlyphIndex        // the glyphs by number; 0 is the box
	means  map[int]rune             // character of a number
	state  struct{ fill, draw ink } // set already
	alpha  float64
}

func (f *Figure) writePDF(w io.Writer) error {
	p := &pdf{dpi: f.DPI, cids: map[sfnt.GlyphIndex]int{0: 0}, glyphs: []sfnt.GlyphIndex{0}, means: map[int]rune{}, alpha: 1}
	pw, ph := f.Width*mm, f.Height*mm
	p.op("1 0 0 -1 0", num(ph), "cm") // downwards from the upper left
	p.unknown()
	var ground path
	ground.box(0, 0, pw, ph)
	p.fill(ground, f.theme().of(Ground))
	f.draw(p)
	b, err := p.file(pw, ph, f.Alt, f.Note)
	if err != nil {
		return err
	}
	if _, err := w.Write(b); err != nil {
		return fmt.Errorf("figure: writing PDF: %w", err)
	}
	return nil
}

func (p *pdf) op(words ...string) {
	for i, w := range words {
		if i > 0 {
			p.page.WriteByte(' ')
		}
		p.page.WriteString(w)
	}
	p.page.WriteByte('\n')
}

// unknown forgets the graphics state.
func (p *pdf) unknown() {
	p.state.fill.a, p.state.draw.a, p.alpha = -1, -1, -1
}

func (p *pdf) opacity(a float64) {
	if a == p.alpha {
		return
	}
	p.alpha = a
	k := slices.Index(p.alphas, a)
	if k < 0 {
		k = len(p.alphas)
		p.alphas = append(p.alphas, a)
	}
	p.op("/G"+strconv.Itoa(k), "gs")
}

func components(c ink) string {
	x := func(v uint8) string { return strconv.FormatFloat(math.Round(float64(v)/255*1000)/1000, 'f', -1, 64) }
	return x(c.r) + " " + x(c.g) + " " + x(c.b)
}

func (p *pdf) setFill(c ink) {
	p.opacity(c.a)
	if c != p.state.fill {
		p.state.fill = c
		p.op(components(c), "rg")
	}
}

func (p *pdf) setDraw(c ink) {
	p.opacity(c.a)
	if c != p.state.draw {
		p.state.draw = c
		p.op(components(c), "RG")
	}
}

func (p *pdf) steps(q path) {
	for _, s := range q {
		switch s.op {
		case 'M':
			p.op(num(s.x), num(s.y), "m")
		case 'L':
			p.op(num(s.x), num(s.y), "l")
		case 'C':
			p.op(num(s.x1), num(s.y1), num(s.x2), num(s.y2), num(s.x), num(s.y), "c")
		case 'Z':
			p.op("h")
		}
	}
}

func (p *pdf) clip(x, y, w, h float64) {
	p.op("q")
	p.op(num(x), num(y), num(w), num(h), "re W n")
	p.unknown()
}

func (p *pdf) unclip() {
	p.op("Q")
	p.unknown()
}

func (p *pdf) fill(q path, c ink) {
	p.setFill(c)
	p.steps(q)
	p.op("f")
}

func (p *pdf) stroke(q path, c ink, width float64, dashed bool) {
	p.setDraw(c)
	p.op(num(width), "w 0 J 1 j")
	if dashed {
		p.op("[" + num(dash[0]*width) + " " + num(dash[1]*width) + "] 0 d")
	}
	p.steps(q)
	p.op("S")
	if dashed {
		p.op("[] 0 d")
	}
}

// dots are lines of no length with round ends, the shortest way to write a disc.
func (p *pdf) dots(xs, ys []float64, size float64, c ink) {
	p.setDraw(c)
	p.op(num(size), "w 1 J")
	for i := range xs {
		x, y := num(xs[i]), num(ys[i])
		p.op(x, y, "m", x, y, "l S")
	}
}

func (p *pdf) text(t text) {
	gs, w := shape(t.s, t.size)
	if len(gs) == 0 {
		return
	}
	off := [...]float64{0, -w / 2, -w}[t.side]
	p.op("BT")
	put := func(mode string) {
		p.op(mode, "Tr")
		size, rise := math.NaN(), math.NaN()
		for i := 0; i < len(gs); {
			g := gs[i]
			if g.size != size {
				size = g.size
				p.op("/F", num(size), "Tf")
			}
			if g.rise != rise {
				rise = g.rise
				p.op(num(rise), "Ts")
			}
			// The characters of one size, with what the font's widths do not say.
			var b strings.Builder
			b.WriteString("[<")
			x := g.x
			from := x
			for ; i < len(gs) && gs[i].size == size; i++ {
				if d := gs[i].x - x; math.Abs(d) > 0.001*size {
					fmt.Fprintf(&b, ">%s<", num(-d/size*1000))
				}
				fmt.Fprintf(&b, "%04x", p.cid(gs[i]))
				x = gs[i].x + advance(gs[i].id)*size
			}
			b.WriteString(">] TJ")
			// Letters stand on their feet although the page is upside down.
			if t.up {
				p.op("0 -1 -1 0", num(t.x), num(t.y-off-from), "Tm")
			} else {
				p.op("1 0 0 -1", num(t.x+off+from), num(t.y), "Tm")
			}
			p.op(b.String())
		}
	}
	if t.halo != nil {
		p.setDraw(*t.halo)
		p.op("2 w 1 j")
		put("1")
	}
	p.setFill(t.c)
	put("0")
	p.op("ET")
}

// cid is the number of a glyph in the font of the file.
func (p *pdf) cid(g glyph) int {
	k, ok := p.cids[g.id]
	if !ok {
		k = len(p.glyphs)
		p.cids[g.id] = k
		p.glyphs = append(p.glyphs, g.id)
	}
	if _, ok := p.means[k]; !ok && k > 0 {
		p.means[k] = g.r
	}
	return k
}

// advance is the width of a glyph, of the size of the font.
func advance(id sfnt.GlyphIndex) float64 {
	var buf sfnt.Buffer
	em := sans().UnitsPerEm()
	a, err := sans().GlyphAdvance(&buf, id, fixed.Int26_6(em), font.HintingNone)
	if err != nil {
		return 0
	}
	return float64(a) / float64(em)
}

func (p *pdf) image(x, y, w, h float64, m *image.NRGBA) {
	p.opacity(1)
	p.op("q")
	p.op(num(w), "0 0", num(-h), num(x), num(y+h), "cm")
	p.op("/I"+strconv.Itoa(len(p.images)), "Do")
	p.op("Q")
	p.images = append(p.images, m)
}

func (p *pdf) resolution() float64 { return p.dpi / 72 }

// objects collects the objects of a file, numbered from 1.
type objects struct {
	b  bytes.Buffer
	at []int
}

func (o *objects) add(body string) int {
	o.at = append(o.at, o.b.Len())
	fmt.Fprintf(&o.b, "%d 0 obj\n%s\nendobj\n", len(o.at), body)
	return len(o.at)
}

// stream adds a compressed stream.
func (o *objects) stream(dict string, data []byte) (int, error) {
	var z bytes.Buffer
	w, err := zlib.NewWriterLevel(&z, zlib.BestCompression)
	if err != nil {
		return 0, err
	}
	if _, err := w.Write(data); err != nil {
		return 0, err
	}
	if err := w.Close(); err != nil {
		return 0, err
	}
	return o.add(fmt.Sprintf("<< %s /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream", dict, z.Len(), z.Bytes())), nil
}

// file puts everything together.
func (p *pdf) file(w, h float64, title, subject string) ([]byte, error) {
	o := &objects{}
	o.b.WriteString("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	res := ""
	if len(p.glyphs) > 1 {
		id, err := p.font(o)
		if err != nil {
			return nil, err
		}
		res += fmt.Sprintf("/Font << /F %d 0 R >> ", id)
	}
	if len(p.alphas) > 0 {
		res += "/ExtGState << "
		for k, a := range p.alphas {
			v := strconv.FormatFloat(a, 'f', 4, 64)
			res += fmt.Sprintf("/G%d << /ca %s /CA %s >> ", k, v, v)
		}
		res += ">> "
	}
	if len(p.images) > 0 {
		list := ""
		for k, m := range p.images {
			id, err := pixels(o, m)
			if err != nil {
				return nil, err
			}
			list += fmt.Sprintf("/I%d %d 0 R ", k, id)
		}
		res += "/XObject << " + list + ">> "
	}
	content, err := o.stream("", p.page.Bytes())
	if err != nil {
		return nil, fmt.Errorf("figure: writing PDF: %w", err)
	}
	page := len(o.at) + 1
	o.add(fmt.Sprintf("<< /Type /Page /Parent %d 0 R /MediaBox [0 0 %s %s] /Group << /S /Transparency /CS /DeviceRGB >> /Resources << %s>> /Contents %d 0 R >>",
		page+1, num(w), num(h), res, content))
	o.add(fmt.Sprintf("<< /Type /Pages /Kids [%d 0 R] /Count 1 >>", page))
	o.add(fmt.Sprintf("<< /Type /Catalog /Pages %d 0 R >>", page+1))
	info := "<< /Producer (Daedalus) /Title " + unicodeString(title)
	if subject != "" {
		info += " /Subject " + unicodeString(subject)
	}
	o.add(info + " >>")
	start := o.b.Len()
	fmt.Fprintf(&o.b, "xref\n0 %d\n0000000000 65535 f \n", len(o.at)+1)
	for _, at := range o.at {
		fmt.Fprintf(&o.b, "%010d 00000 n \n", at)
	}
	fmt.Fprintf(&o.b, "trailer\n<< /Size %d /Root %d 0 R /Info %d 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(o.at)+1, page+2, page+3, start)
	return o.b.Bytes(), nil
}

// unicodeString writes a text string (7.9.2.2).
func unicodeString(s string) string {
	b := "<feff"
	for _, u := range utf16.Encode([]rune(s)) {
		b += fmt.Sprintf("%04x", u)
	}
	return b + ">"
}

// pixels adds an image with its opacity.
func pixels(o *objects, m *image.NRGBA) (int, error) {
	n := m.Rect.Dx() * m.Rect.Dy()
	colour, cover := make([]byte, 0, 3*n), make([]byte, 0, n)
	opaque := true
	for y := range m.Rect.Dy() {
		row := m.Pix[y*m.Stride:]
		for x := range m.Rect.Dx() {
			px := row[4*x : 4*x+4]
			colour, cover = append(colour, px[:3]...), append(cover, px[3])
			opaque = opaque && px[3] == 255
		}
	}
	dict := fmt.Sprintf("/Type /XObject /Subtype /Image /Width %d /Height %d /BitsPerComponent 8", m.Rect.Dx(), m.Rect.Dy())
	mask := ""
	if !opaque {
		id, err := o.stream(dict+" /ColorSpace /DeviceGray", cover)
		if err != nil {
			return 0, err
		}
		mask = fmt.Sprintf(" /SMask %d 0 R", id)
	}
	return o.stream(dict+" /ColorSpace /DeviceRGB"+mask, colour)
}

// font adds the font with the characters that the page uses (9.7: a composite
// font of TrueType outlines, whose codes are the numbers of the glyphs).
func (p *pdf) font(o *objects) (int, error) {
	ttf, glyphs, err := subset(liberationsansregular.TTF, p.glyphs)
	if err != nil {
		return 0, err
	}
	file, err := o.stream(fmt.Sprintf("/Length1 %d", len(ttf)), ttf)
	if err != nil {
		return 0, err
	}
	// A subset has a name of its own (9.6.4); the same glyphs, the same name.
	sum := uint64(14695981039346656037)
	for _, g := range glyphs {
		sum = (sum ^ uint64(g)) * 1099511628211
	}
	name := make([]byte, 6)
	for i := range name {
		name[i] = byte('A' + sum%26)
		sum /= 26
	}
	base := string(name) + "+LiberationSans"
	// The numbers are those of the font: ascent, descent, box and cap height in
	// thousandths of its size.
	descriptor := o.add(fmt.Sprintf("<< /Type /FontDescriptor /FontName /%s /Flags 4 /FontBBox [-544 -303 1302 980] /ItalicAngle 0 /Ascent 905 /Descent -212 /CapHeight 729 /StemV 80 /FontFile2 %d 0 R >>", base, file))
	var widths strings.Builder
	for _, g := range p.glyphs {
		widths.WriteString(num(advance(g)*1000) + " ")
	}
	child := o.add(fmt.Sprintf("<< /Type /Font /Subtype /CIDFontType2 /BaseFont /%s /CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> /FontDescriptor %d 0 R /CIDToGIDMap /Identity /DW 0 /W [0 [%s]] >>",
		base, descriptor, widths.String()))
	var m strings.Builder
	m.WriteString("/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def\n/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n1 begincodespacerange\n<0000> <ffff>\nendcodespacerange\n")
	for from := 1; from < len(p.glyphs); from += 100 {
		to := min(from+100, len(p.glyphs))
		fmt.Fprintf(&m, "%d beginbfchar\n", to-from)
		for k := from; k < to; k++ {
			fmt.Fprintf(&m, "<%04x> <", k)
			for _, u := range utf16.Encode([]rune{p.means[k]}) {
				fmt.Fprintf(&m, "%04x", u)
			}
			m.WriteString(">\n")
		}
		m.WriteString("endbfchar\n")
	}
	m.WriteString("endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n")
	unicode, err := o.stream("", []byte(m.String()))
	if err != nil {
		return 0, err
	}
	return o.add(fmt.Sprintf("<< /Type /Font /Subtype /Type0 /BaseFont /%s /Encoding /Identity-H /DescendantFonts [%d 0 R] /ToUnicode %d 0 R >>", base, child, unicode)), nil
}
