// Package figure makes the static figures of a study: for papers as SVG, PDF or
// PNG, and for other plotting tools as Vega-Lite.
//
//	f, err := figure.New(v, "front", figure.Options{})
//	if err != nil {
//		return err
//	}
//	err = f.Write(w, "pdf")
//
// A [Figure] says what is drawn in terms of its data: panels with axes, and
// marks that are columns of numbers. Every kind of figure ([Kinds]) builds one
// from a view; every format draws any of them. Nobody but kinds knows of
// studies, and nobody but formats knows of points and pixels.
//
// Figures are drawn here and not by a plotting library, because text must be text
// in every format, with characters such as ≤ and µ, in a font that a PDF carries
// a few kilobytes of; because the same study must give the same bytes; and
// because a command that plots should not weigh a third more.
package figure

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/daedalus-search/daedalus/internal/source"
	"github.com/daedalus-search/daedalus/report/view"
)

// A Figure is a picture of a study, independent of the format it is written in.
type Figure struct {
	Title         string    // above it; "" for papers, which have captions
	Alt           string    // what it shows, in words
	Note          string    // what a caption should say besides
	Panels        [][]Panel // in rows, of which the last may be shorter; all have the same size
	Key           *Key      // of the colours of values
	Width, Height float64   // in millimetres
	Dark          bool
	DPI           float64 // of PNG, and of clouds of points too many to be drawn one by one
}

// A Panel is one pair of axes with what stands between them.
type Panel struct {
	Title string
	X, Y  Axis
	Marks []Mark // the first lies lowest
	Frame Frame
}

// A Frame is what surrounds the marks of a panel.
type Frame uint8

const (
	Open   Frame = iota // axes left and below, with a grid
	Closed              // a box without a grid
	None
)

// An Axis places numbers.
type Axis struct {
	Title     string
	Aim       string // which end is wanted; stands behind the title where there is room
	Low, High float64
	Log       bool
	Whole     bool     // between whole numbers there is nothing
	Labels    []string // with labels, number k stands for the kth
	Plain     bool     // labels and title are a neighbour's
	Above     bool     // labels stand above; of x only
}

// A Key says what the colours of values mean: dark is high or, with Flip, low.
type Key struct {
	Title     string
	Aim       string
	Low, High float64
	Log, Flip bool
}

// A Shape is how the places of a mark are drawn.
type Shape uint8

const (
	Dots  Shape = iota // at (X, Y)
	Rings              // the same, hollow
	Lines              // through the places; a new line begins where Series changes or a place is NaN
	Band               // between Y and Y2 along X
	Boxes              // from X to X2 and Y to Y2; over the whole axis where one of the pairs is nil
	Bars               // from X to X2 at Y, a number of a label
	Areas              // polygons, one for each Series
	Field              // boxes of a grid whose values vary smoothly, row by row from the lowest
	Rules              // at X or Y over the whole other axis
	Words              // texts at (X, Y)
)

// A Mark is many of one shape, as columns of one length. Absent columns are nil.
type Mark struct {
	Shape  Shape
	Name   string // in the legend; "" for none
	X, Y   []float64
	X2, Y2 []float64
	V      []float64 // values that the key gives colours; else Tone is the colour
	Series []int     // which line or polygon a place belongs to
	Text   []string
	Tips   []Tip // what else is known of every place

	Tone   Tone
	Alpha  float64 // opacity; 0 means 1
	Size   float64 // points: of dots the diameter, of lines the width; of words the size of the font
	Dashed bool
	Edge   bool      // dots and boxes have an edge in the colour of the ground
	Across int       // of a field: boxes in a row
	Known  []float64 // of a field: it is drawn where this is 0.5 or more

	Place  Place   // of words
	DX, DY float64 // of words: points to the right and down
	Halo   bool    // of words: they stand on other marks
}

// A Tip is something known of every place of a mark, that a picture does not
// show but a tool can: Numbers or Texts.
type Tip struct {
	Title   string
	Numbers []float64
	Texts   []string
}

// A Place is where words stand.
type Place uint8

const (
	Middle  Place = iota // on the place
	Left                 // they end at the place
	Right                // they begin at the place
	Around               // beside the place where they hide least
	Outside              // right of the panel at the height of the place, moved apart
)

// Options choose what a figure shows; a kind takes some of them (see
// [Kind.Takes]). Zero values leave the choice to the figure.
type Options struct {
	X, Y, Color   string   // columns
	Columns       []string // columns
	Log           string   // which axes are logarithmic: "x", "y", "xy" or "none"; "" as suits the data
	Top           int      // how many at most
	Near          bool     // the axes show the surroundings of the front instead of every design
	Title         string
	Width, Height float64 // in millimetres; 0 means one or two columns of a page, as the kind needs
	DPI           float64 // of PNG; 0 means 300
	Dark          bool
}

// A Kind is a kind of figure.
type Kind struct {
	Name  string
	Doc   string   // one line
	Takes []string // names of the options, as the command line calls them
	wide  bool     // needs the width of the page
	ratio float64  // height by width
	build func(*plotter) error
}

// Kinds lists the kinds of figures, the most wanted first.
func Kinds() []Kind {
	return []Kind{
		{"front", "the trade-off of two objectives: the front over all other designs, with the limits", []string{"x", "y", "color", "log", "near"}, false, 0.78, front},
		{"history", "the best value or the hypervolume after each evaluation, beside random sampling", nil, false, 0.62, history},
		{"importance", "which parameters matter, for each objective and the front", []string{"y", "top"}, false, 0, importance},
		{"slice", "a metric over each of several parameters, with medians and quartiles", []string{"y", "columns", "top", "log"}, true, 0, slice},
		{"contour", "a metric over two parameters, smoothed", []string{"x", "y", "color"}, false, 0.78, contour},
		{"pairs", "every two of several columns against each other", []string{"columns", "color", "log", "near"}, true, 0, pairs},
		{"parallel", "designs as lines over several columns", []string{"columns", "color", "top"}, true, 0.42, parallel},
		{"curves", "intermediate results of every trial", []string{"y", "log"}, false, 0.62, curves},
		{"timeline", "what every worker did when", nil, true, 0, timeline},
		{"archive", "the best design in every cell of a quality-diversity archive", []string{"x", "y"}, false, 0.82, archive},
	}
}

// kindOf returns a kind by its name.
func kindOf(name string) (Kind, error) {
	var names []string
	for _, k := range Kinds() {
		if k.Name == name {
			return k, nil
		}
		names = append(names, k.Name)
	}
	return Kind{}, &OptionError{Option: "kind", Text: fmt.Sprintf("there is no figure %q", name), Hint: hint(name, names)}
}

// An OptionError is an option that does not fit, as opposed to a study that has
// nothing to draw.
type OptionError struct {
	Option string // as the command line calls it
	Text   string
	Hint   string // what would fit
}

func (e *OptionError) Error() string { return e.Text }

// hint says what was perhaps meant, or what there is.
func hint(word string, known []string) string {
	if near, ok := source.Nearest(word, known); ok {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return "known are " + strings.Join(known, ", ")
}

// Widths of figures in millimetres: a column and the page of most journals.
const (
	columnWidth = 84
	pageWidth   = 175
)

// New makes a figure of a kind. A study that has nothing to show is an error
// that says why.
func New(v *view.View, kind string, o Options) (*Figure, error) {
	k, err := check(kind, o)
	if err != nil {
		return nil, err
	}
	p := newPlotter(v, o)
	p.f.Title, p.f.Dark, p.f.DPI = o.Title, o.Dark, cmp.Or(o.DPI, 300)
	p.f.Width = cmp.Or(o.Width, columnWidth)
	if k.wide && o.Width == 0 {
		p.f.Width = pageWidth
	}
	p.f.Height = p.f.Width * k.ratio
	if err := k.build(p); err != nil {
		return nil, err
	}
	if o.Height != 0 {
		p.f.Height = o.Height
	}
	return p.f, nil
}

// Check refuses a kind that there is not, options that it does not take and
// sizes that are none, as [New] does: before a study is read.
func Check(kind string, o Options) error {
	_, err := check(kind, o)
	return err
}

func check(kind string, o Options) (Kind, error) {
	k, err := kindOf(kind)
	if err != nil {
		return k, err
	}
	return k, o.check(k)
}

func (o *Options) check(k Kind) error {
	takes := func(name string) bool {
		for _, t := range k.Takes {
			if t == name {
				return true
			}
		}
		return false
	}
	for _, x := range []struct {
		name  string
		given bool
	}{{"x", o.X != ""}, {"y", o.Y != ""}, {"color", o.Color != ""}, {"columns", len(o.Columns) > 0}, {"log", o.Log != ""}, {"top", o.Top != 0}, {"near", o.Near}} {
		if x.given && !takes(x.name) {
			h := "it takes no choice of columns"
			if len(k.Takes) > 0 {
				h = "it takes --" + strings.Join(k.Takes, ", --")
			}
			return &OptionError{Option: x.name, Text: fmt.Sprintf("the figure %s does not take --%s", k.Name, x.name), Hint: h}
		}
	}
	if o.Top < 0 {
		return &OptionError{Option: "top", Text: fmt.Sprintf("--top is %d", o.Top), Hint: "expected a number from 1"}
	}
	switch o.Log {
	case "", "x", "y", "xy", "none":
	default:
		return &OptionError{Option: "log", Text: fmt.Sprintf("--log is %q", o.Log), Hint: "expected x, y, xy or none"}
	}
	for _, x := range []struct {
		name           string
		v, least, most float64
	}{{"width", o.Width, 20, 1000}, {"height", o.Height, 15, 1000}, {"dpi", o.DPI, 30, 1200}} {
		if x.v != 0 && !(x.v >= x.least && x.v <= x.most) {
			return &OptionError{Option: x.name, Text: fmt.Sprintf("--%s is %v", x.name, x.v), Hint: fmt.Sprintf("expected %v to %v", x.least, x.most)}
		}
	}
	// A picture of a gigapixel helps nobody.
	if w, h, dpi := cmp.Or(o.Width, pageWidth), cmp.Or(o.Height, pageWidth), cmp.Or(o.DPI, 300); w*h*dpi*dpi/25.4/25.4 > mostPixels {
		return &OptionError{Option: "dpi", Text: fmt.Sprintf("a picture of %v × %v mm with %v dots an inch is too large", w, h, dpi), Hint: "a lower --dpi, or PDF or SVG"}
	}
	return nil
}

const mostPixels = 100e6

// Formats lists the formats that figures can be written in.
func Formats() []string { return []string{"svg", "pdf", "png", "vega"} }

// Write writes a figure in a format.
func (f *Figure) Write(w io.Writer, format string) error {
	switch format {
	case "svg":
		return f.writeSVG(w)
	case "pdf":
		return f.writePDF(w)
	case "png":
		return f.writePNG(w)
	case "vega":
		return f.writeVega(w)
	}
	return &OptionError{Option: "format", Text: fmt.Sprintf("there is no format %q", format), Hint: hint(format, Formats())}
}
