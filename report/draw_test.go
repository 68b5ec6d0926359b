package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/daedalus-search/daedalus/internal/diagram"
	"github.com/daedalus-search/daedalus/space"
)

var update = flag.Bool("update", false, "rewrite the drawings in testdata")

// A drawn is what a drawing says and where.
type drawn struct {
	text       string
	x, y, w, h float64
}

// readDrawing reads an SVG document and estimates where its texts stand.
func readDrawing(svg []byte) (texts []drawn, width, height float64, err error) {
	dec := xml.NewDecoder(bytes.NewReader(svg))
	var at *drawn
	for {
		tok, err := dec.Token()
		if err == io.EOF {
			return texts, width, height, nil
		}
		if err != nil {
			return nil, 0, 0, err
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			attr := map[string]string{}
			for _, a := range tok.Attr {
				attr[a.Name.Local] = a.Value
			}
			number := func(name string) float64 {
				x, bad := strconv.ParseFloat(attr[name], 64)
				if bad != nil {
					err = fmt.Errorf("<%s> has %s=%q", tok.Name.Local, name, attr[name])
				}
				return x
			}
			at = nil
			switch tok.Name.Local {
			case "svg":
				width, height = number("width"), number("height")
			case "text":
				class := " " + attr["class"] + " "
				size := diagram.TextSize
				switch {
				case strings.Contains(class, " small "):
					size = diagram.SmallSize
				case strings.Contains(class, " pill "):
					size = 12
				}
				texts = append(texts, drawn{x: number("x"), y: number("y") - 0.72*size, h: 0.95 * size, w: size})
				at = &texts[len(texts)-1]
				switch {
				case strings.Contains(class, " middle "):
					at.text = "middle"
				case strings.Contains(class, " end "):
					at.text = "end"
				}
			case "rect":
				if w, h := number("width"), number("height"); err == nil && (w < 0 || h < 0) {
					err = fmt.Errorf("a rectangle of %v by %v", w, h)
				}
			case "g", "title", "style", "path", "circle":
			default:
				err = fmt.Errorf("an element <%s>", tok.Name.Local)
			}
			if err != nil {
				return nil, 0, 0, err
			}
		case xml.CharData:
			if at == nil {
				break
			}
			w := diagram.TextWidth(string(tok), at.w)
			switch at.text {
			case "middle":
				at.x -= w / 2
			case "end":
				at.x -= w
			}
			at.text, at.w, at = string(tok), w, nil
		}
	}
}

// checkDrawing draws a design twice and looks for what no drawing may have.
func checkDrawing(t interface {
	Helper()
	Fatalf(string, ...any)
	Errorf(string, ...any)
}, d space.Design) (svg []byte, texts []drawn) {
	t.Helper()
	var a, b bytes.Buffer
	if err := DrawDesign(&a, d); err != nil {
		t.Fatalf("%v", err)
	}
	if err := DrawDesign(&b, d); err != nil || !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Fatalf("drawn again it differs (%v)", err)
	}
	texts, width, height, err := readDrawing(a.Bytes())
	if err != nil {
		t.Fatalf("%v in\n%s", err, a.Bytes())
	}
	if bytes.Contains(a.Bytes(), []byte("NaN")) || bytes.Contains(a.Bytes(), []byte("Inf")) || a.Len() > 400_000 || height > 24_000 {
		t.Fatalf("%d bytes, %v high:\n%.4000s", a.Len(), height, a.Bytes())
	}
	for i, p := range texts {
		if p.x < 4 || p.x+p.w > width-4 || p.y < 2 || p.y+p.h > height-2 {
			t.Errorf("%q leaves the page: %v", p.text, p)
		}
		for _, q := range texts[:i] {
			if p.x+1 < q.x+q.w && q.x+1 < p.x+p.w && p.y+.5 < q.y+q.h && q.y+.5 < p.y+p.h {
				t.Errorf("%q at %v meets %q at %v", p.text, p, q.text, q)
			}
		}
	}
	return a.Bytes(), texts
}

var hostile = []string{"a", "conv", "mbconv-3x3", "<script>alert(1)</script>", `"&'`, "]]>", "\x01\u202e", "層層層", strings.Repeat("very long ", 1000)}

// anyNodes draws the nodes of a space, of all kinds and some levels deep.
func anyNodes(t *rapid.T, depth int) []space.Node {
	var out []space.Node
	for i := range rapid.IntRange(1, 5).Draw(t, "nodes") {
		name := rapid.SampledFrom([]string{"a", "kernel", "some_learning_rate", strings.Repeat("long_name_", 20)}).Draw(t, "name") + strconv.Itoa(i)
		out = append(out, anyNode(t, name, depth))
	}
	return out
}

func anyNode(t *rapid.T, name string, depth int) space.Node {
	labels := func() []string {
		return hostile[:rapid.IntRange(1, len(hostile)).Draw(t, "labels")]
	}
	kind := rapid.IntRange(0, 13).Draw(t, "kind")
	if depth == 0 {
		kind %= 9
	}
	switch kind {
	case 0:
		return space.Float(name, -3, 1e9).Unit(rapid.SampledFrom([]string{"", "ms", "a unit that has a very long name, longer than all others"}).Draw(t, "unit"))
	case 1:
		return space.Float(name, 1e-300, 1e300).Log()
	case 2:
		return space.Int(name, 1, rapid.SampledFrom([]int{1, 5, 1 << 50}).Draw(t, "high"))
	case 3:
		return space.Ordinal(name, 3, 5, 1e12+0.5)
	case 4:
		return space.Ordinal(name, labels()...)
	case 5:
		return space.Bool(name)
	case 6:
		return space.Const(name, rapid.SampledFrom(hostile).Draw(t, "value"))
	case 7:
		return space.Subset(name, labels()...)
	case 8:
		return space.Permutation(name, labels()...)
	case 9:
		return space.Categorical(name, labels()...)
	case 10:
		var cases []space.Branch
		for i := range rapid.IntRange(1, 3).Draw(t, "cases") {
			var nodes []space.Node
			if i > 0 {
				nodes = anyNodes(t, depth-1)
			}
			cases = append(cases, space.Case(hostile[rapid.IntRange(0, 2).Draw(t, "case")*3+i], nodes...))
		}
		return space.Choice(name, cases...)
	case 11:
		return space.Group(name, anyNodes(t, depth-1)...)
	case 12:
		lo, n := rapid.IntRange(0, 2).Draw(t, "least"), rapid.SampledFrom([]int{0, 1, 4, 90}).Draw(t, "more")
		if depth < 3 {
			n %= 10
		}
		if rapid.Bool().Draw(t, "nameless") {
			return space.Repeat(name, lo, lo+n, anyNode(t, "", depth-1))
		}
		return space.Repeat(name, lo, lo+n, anyNodes(t, depth-1)...)
	}
	return space.Grammar(name, "E",
		space.Rule("E", space.Use("E", "Op", "E").P(0.3), space.Use("F", "E").P(0.2), space.Use("x").P(0.2), space.Use("number").Params(anyNode(t, "value", 0))),
		space.Rule("Op", space.Use("<add>"), space.Use(strings.Repeat("long", 3000))),
		space.Rule("F", space.Use("sin"), space.Use("(", "cos", ")"))).Depth(9)
}

// Designs of any space are drawn: valid XML within its page, no text on
// another, bounded in size.
func TestDrawAnyDesign(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s, err := space.New(anyNodes(t, 3)...)
		if err != nil {
			t.Skip(err)
		}
		d, err := s.Sample(rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1)))
		if err != nil {
			t.Skip(err)
		}
		checkDrawing(t, d)
	})
}

// What is too large is drawn in part and says so, quickly.
func TestDrawLargeDesigns(t *testing.T) {
	t.Parallel()
	many := make([]space.Node, 300)
	for i := range many {
		many[i] = space.Float(fmt.Sprintf("p%d", i), 0, 1)
	}
	deep := []space.Node{space.Int("x", 1, 9)}
	for range 50 {
		deep = []space.Node{space.Group("g", append(deep, space.Bool("b"))...)}
	}
	items := make([]int, 500)
	for i := range items {
		items[i] = i
	}
	for name, c := range map[string]struct {
		nodes []space.Node
		want  []string
	}{
		"300 parameters":  {many, []string{"p199", "… and 100 more"}},
		"deep":            {deep, []string{"… 39 more inside"}},
		"65,536 numbers":  {[]space.Node{space.Repeat("r", 1<<16, 1<<16, space.Int("", 0, 9)), space.Bool("last")}, []string{"65536 values, 0 to 9 allowed; the first 64 are drawn", "last"}},
		"65,536 copies":   {[]space.Node{space.Repeat("r", 1<<16, 1<<16, space.Bool("b"), space.Int("i", 0, 9))}, []string{"65536 copies", "… and 65436 more copies", "… and 130873 more"}},
		"copies in lists": {[]space.Node{space.Repeat("r", 99, 99, space.Repeat("", 99, 99, space.Repeat("", 8, 9, space.Bool(""))))}, []string{"99 copies"}},
		"500 items":       {[]space.Node{space.Subset("s", items...).Size(3, 3), space.Permutation("p", items...), space.Categorical("c", items...)}, []string{"… and 460 more", "1 of 500"}},
		"nothing":         {nil, []string{"no parameters"}},
	} {
		var d space.Design
		if c.nodes != nil {
			d = space.MustNew(c.nodes...).MustSample(rand.New(rand.NewPCG(1, 1)))
		}
		start := time.Now()
		_, texts := checkDrawing(t, d)
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("%s took %v", name, took)
		}
		says := map[string]bool{}
		for _, x := range texts {
			says[x.text] = true
		}
		for _, want := range c.want {
			if !says[want] {
				t.Errorf("%s: the drawing does not say %q", name, want)
			}
		}
	}
}

// drawings are designs to look at.
func drawings() map[string]space.Design {
	parse := func(s *space.Space, design string) space.Design {
		d, err := s.ParseJSON([]byte(design))
		if err != nil {
			panic(err)
		}
		return d
	}
	network := space.MustNew(
		space.Int("resolution", 96, 224).Step(32).Unit("px"),
		space.Repeat("stages", 2, 5,
			space.Choice("block",
				space.Case("conv", space.Ordinal("kernel", 3, 5, 7)),
				space.Case("mbconv", space.Ordinal("kernel", 3, 5), space.Ordinal("expand", 3, 4, 6), space.Bool("se")),
				space.Case("skip")),
			space.Int("width", 16, 128).Step(16),
			space.Float("drop", 0, 0.3)),
		space.Subset("augment", "flip", "crop", "cutout", "mix"),
		space.Categorical("optimizer", "sgd", "adam", "lion"),
		space.Float("lr", 1e-4, 1e-1).Log())
	formula := space.MustNew(space.Grammar("formula", "E",
		space.Rule("E", space.Use("E", "Op", "E").P(0.2), space.Use("F", "E").P(0.2), space.Use("x"), space.Use("number").Params(space.Float("value", 0.1, 10).Log())),
		space.Rule("Op", space.Use("add"), space.Use("mul")),
		space.Rule("F", space.Use("sin"), space.Use("exp"))))
	rest := space.MustNew(
		space.Const("version", 5),
		space.Repeat("widths", 1, 6, space.Int("", 8, 64).Unit("ch")),
		space.Repeat("layers", 1, 6, space.Choice("", space.Case("conv"), space.Case("pool"))),
		space.Permutation("passes", "dce", "inline", "unroll", "vectorize"),
		space.Group("stem", space.Bool("fast"), space.Float("x", -1, 1), space.Group("inner", space.Categorical("name", "<b>", "&amp;"))),
		space.Choice("head", space.Case("dense", space.Int("units", 16, 1024).Log(), space.Bool("bias")), space.Case("none")),
		space.Repeat("extra", 0, 3, space.Bool("on")))
	return map[string]space.Design{
		"network": parse(network, `{"resolution":160,"stages":[{"block":{"mbconv":{"kernel":5,"expand":4,"se":true}},"width":32,"drop":0.0123456},{"block":{"conv":{"kernel":7}},"width":64,"drop":0},{"block":{"skip":{}},"width":128,"drop":0.3},{"block":{"mbconv":{"kernel":3,"expand":6,"se":false}},"width":16,"drop":0.1}],"augment":["crop","mix"],"optimizer":"adam","lr":0.0025}`),
		"formula": parse(formula, `{"formula":{"tree":{"rule":"E","use":["E","Op","E"],"of":[{"rule":"E","use":["F","E"],"of":[{"rule":"F","use":["sin"]},{"rule":"E","use":["x"]}]},{"rule":"Op","use":["add"]},{"rule":"E","use":["E","Op","E"],"of":[{"rule":"E","use":["number"],"with":{"value":2.5}},{"rule":"Op","use":["mul"]},{"rule":"E","use":["x"]}]}]}}}`),
		"rest":    parse(rest, `{"widths":[8,24,64,40],"layers":[{"conv":{}},{"pool":{}},{"conv":{}}],"passes":["unroll","dce","vectorize","inline"],"stem":{"fast":true,"x":-0.25,"inner":{"name":"<b>"}},"head":{"dense":{"units":128,"bias":false}},"extra":[]}`),
	}
}

func TestDrawGolden(t *testing.T) {
	t.Parallel()
	for name, d := range drawings() {
		svg, _ := checkDrawing(t, d)
		path := filepath.Join("testdata", "draw", name+".svg")
		if *update {
			if err := os.WriteFile(path, svg, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(path); err != nil || !bytes.Equal(svg, want) {
			t.Errorf("%s is not what is drawn (%v); look at it and run go test -update", path, err)
		}
	}
}

func TestDrawDesignErrors(t *testing.T) {
	t.Parallel()
	want := errors.New("full")
	if err := DrawDesign(failing{want}, drawings()["rest"]); !errors.Is(err, want) {
		t.Errorf("error %v, want %v", err, want)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
