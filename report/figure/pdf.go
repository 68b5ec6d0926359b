package figure

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"io"
	"strconv"
	"time"
	"unicode/utf16"

	"codeberg.org/go-fonts/liberation/liberationsansregular"
	"codeberg.org/go-pdf/fpdf"
)

// pdf writes a figure as a PDF of one page, which carries the characters of the
// font that it uses.
type pdf struct {
	*fpdf.Fpdf
	dpi    float64
	widths map[int]bool // of the images
}

func (f *Figure) writePDF(w io.Writer) error {
	pw, ph := f.Width*mm, f.Height*mm
	p := &pdf{fpdf.NewCustom(&fpdf.InitType{UnitStr: "pt", Size: fpdf.SizeType{Wd: pw, Ht: ph}}), f.DPI, map[int]bool{}}
	// The same figure gives the same bytes. A file has to have a date, so it is one
	// that says nothing of when it was made.
	p.SetCatalogSort(true)
	p.SetCreationDate(time.Unix(0, 0).UTC())
	p.SetModificationDate(time.Unix(0, 0).UTC())
	p.SetProducer("Daedalus", true)
	p.SetTitle(utf16be(f.Alt), false)
	if f.Note != "" {
		p.SetSubject(utf16be(f.Note), false)
	}
	// A copy: fpdf writes into fonts whose last characters share a width.
	p.AddUTF8FontFromBytes("LiberationSans", "", bytes.Clone(liberationsansregular.TTF))
	p.AddPage()
	p.SetFont("LiberationSans", "", textSize)
	var ground path
	ground.box(0, 0, pw, ph)
	p.fill(ground, f.theme().of(Ground))
	f.draw(p)
	if err := p.Output(w); err != nil {
		return fmt.Errorf("figure: writing PDF: %w", err)
	}
	return nil
}

// utf16be writes a text as metadata is (ISO 32000-1, 7.9.2.2). What fpdf makes of
// UTF-8 is wrong beyond the first 65536 characters.
func utf16be(s string) string {
	b := []byte{0xfe, 0xff}
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.BigEndian.AppendUint16(b, u)
	}
	return string(b)
}

// Colours, opacity and pens are set before everything that is drawn: fpdf does
// not know that the end of a clip brings back what was set before it.

func (p *pdf) setFill(c ink) {
	p.SetAlpha(c.a, "Normal")
	p.SetFillColor(int(c.r), int(c.g), int(c.b))
}

func (p *pdf) setDraw(c ink, width float64, ends string) {
	p.SetAlpha(c.a, "Normal")
	p.SetDrawColor(int(c.r), int(c.g), int(c.b))
	p.SetLineWidth(width)
	p.SetLineCapStyle(ends)
	p.SetLineJoinStyle("round")
}

func (p *pdf) steps(q path) {
	for _, s := range q {
		switch s.op {
		case 'M':
			p.MoveTo(s.x, s.y)
		case 'L':
			p.LineTo(s.x, s.y)
		case 'C':
			p.CurveBezierCubicTo(s.x1, s.y1, s.x2, s.y2, s.x, s.y)
		case 'Z':
			p.ClosePath()
		}
	}
}

func (p *pdf) clip(x, y, w, h float64) { p.ClipRect(x, y, w, h, false) }

func (p *pdf) unclip() { p.ClipEnd() }

func (p *pdf) fill(q path, c ink) {
	p.setFill(c)
	p.steps(q)
	p.DrawPath("F")
}

func (p *pdf) stroke(q path, c ink, width float64, dashed bool) {
	p.setDraw(c, width, "butt")
	if dashed {
		p.SetDashPattern([]float64{dash[0] * width, dash[1] * width}, 0)
		defer p.SetDashPattern(nil, 0)
	}
	p.steps(q)
	p.DrawPath("D")
}

// dots are lines of no length with round ends, the shortest way to write a disc.
func (p *pdf) dots(xs, ys []float64, size float64, c ink) {
	p.setDraw(c, size, "round")
	for i := range xs {
		p.Line(xs[i], ys[i], xs[i], ys[i])
	}
}

func (p *pdf) text(t text) {
	gs, w := shape(t.s, t.size)
	from := t.x + [...]float64{0, -w / 2, -w}[t.side]
	if t.up {
		p.TransformBegin()
		p.TransformRotate(90, t.x, t.y)
		defer p.TransformEnd()
	}
	put := func() {
		for i := 0; i < len(gs); {
			first := gs[i]
			s := string(first.r)
			for i++; i < len(gs) && gs[i].size == first.size && !gs[i].kerned; i++ {
				s += string(gs[i].r)
			}
			p.SetFontSize(first.size)
			p.Text(from+first.x, t.y-first.rise, s)
		}
	}
	if t.halo != nil {
		p.setDraw(*t.halo, 2, "butt")
		p.SetTextRenderingMode(1)
		put()
		p.SetTextRenderingMode(0)
	}
	p.SetTextColor(int(t.c.r), int(t.c.g), int(t.c.b))
	p.setFill(t.c)
	put()
}

func (p *pdf) image(x, y, w, h float64, m *image.NRGBA) {
	// fpdf orders images by their widths, and those as wide as another by chance: so
	// none is.
	size := m.Rect.Size()
	for p.widths[size.X] {
		size.X++
	}
	p.widths[size.X] = true
	if size != m.Rect.Size() {
		wider := image.NewNRGBA(image.Rectangle{Max: size})
		draw.Draw(wider, wider.Rect, m, m.Rect.Min, draw.Src)
		w *= float64(size.X) / float64(m.Rect.Dx())
		m = wider
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		p.SetError(err)
		return
	}
	name, kind := strconv.Itoa(size.X), fpdf.ImageOptions{ImageType: "PNG", AllowNegativePosition: true}
	p.RegisterImageOptionsReader(name, kind, &b)
	p.SetAlpha(1, "Normal")
	p.ImageOptions(name, x, y, w, h, false, kind, 0, "")
}

func (p *pdf) resolution() float64 { return min(p.dpi, cloudDPI) / 72 }
