package figure

import (
	"bytes"
	"compress/zlib"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"image/color"
	"image/png"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/image/font/sfnt"
	"pgregory.net/rapid"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/report/view"
	"github.com/daedalus-search/daedalus/search/illuminate"
	"github.com/daedalus-search/daedalus/space"
	"github.com/daedalus-search/daedalus/store"
)

var update = flag.Bool("update", false, "write the golden files")

var made = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// A trial of a hand-made study.
type trial struct {
	design string
	values map[string]float64
	state  store.State // Complete if 0
	steps  []store.Step
	worker string
	from   float64 // seconds
	to     float64
}

// look makes the view of a hand-made study.
func look(t testing.TB, design string, metrics []metric.Metric, goal metric.Goal, trials []trial, more func(*view.Source)) *view.View {
	t.Helper()
	text, err := json.Marshal(metrics)
	if err != nil {
		t.Fatal(err)
	}
	var sp []byte
	if design != "" {
		parsed, err := space.Parse("test.yaml", []byte(design))
		if err != nil {
			t.Fatal(err)
		}
		if sp, err = json.Marshal(parsed); err != nil {
			t.Fatal(err)
		}
	}
	st := store.Memory(store.Study{Name: "test", Space: sp, Seed: 3, Created: made, Metrics: text, Searcher: "random"})
	var all []store.Trial
	for i, x := range trials {
		s := store.Trial{Number: int64(i), State: x.state, Design: []byte(x.design), Values: x.values, Steps: x.steps, Worker: x.worker}
		if x.design == "" {
			s.Design = []byte(`{}`)
		}
		if s.State == 0 {
			s.State = store.Complete
		}
		if x.to > 0 {
			s.Started, s.Finished = made.Add(time.Duration(x.from*1e9)), made.Add(time.Duration(x.to*1e9))
		}
		if s.State == store.Complete && len(goal.Objectives) > 0 {
			score := goal.Score(x.values)
			s.Loss, s.Violation = score.Loss, score.Violation
		}
		all = append(all, s)
	}
	if err := st.Save(t.Context(), all...); err != nil {
		t.Fatal(err)
	}
	src := view.Source{Store: st, Goal: goal, Made: made, Engine: "test"}
	if more != nil {
		more(&src)
	}
	v, err := view.New(t.Context(), src)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

var metrics = []metric.Metric{
	{Name: "accuracy", Unit: "%", Direction: metric.Maximize}, {Name: "latency", Unit: "µs", Direction: metric.Minimize}, {Name: "mb", Unit: "MB"},
}

var goal = metric.Goal{
	Objectives: []metric.Objective{{Metric: "accuracy", Direction: metric.Maximize}, {Metric: "latency", Direction: metric.Minimize}},
	Limits:     []metric.Limit{{Metric: "mb", Op: metric.LessEqual, Bound: 48}},
}

// small is a study with something of everything.
func small(t testing.TB) *view.View {
	r := rand.New(rand.NewPCG(1, 2))
	var trials []trial
	at := []float64{0, 0}
	for i := range 40 {
		width, lr := float64(8+r.IntN(50)), math.Round(1e6*math.Pow(10, -4+3*r.Float64()))/1e6
		op := []string{"conv", "pool", "skip"}[r.IntN(3)]
		x := trial{
			design: fmt.Sprintf(`{"width": %v, "lr": %v, "op": %q}`, width, lr, op),
			values: map[string]float64{
				"accuracy": math.Round(1000*(90-20/width*8-3*math.Abs(math.Log10(lr)+2.5)))/1000 - float64(len(op)-4),
				"latency":  math.Round(10*(width*1.3+20*r.Float64())) / 10, "mb": width,
			},
		}
		w := i % 2
		x.worker, x.from = fmt.Sprintf("w%d", w), at[w]
		x.to = x.from + 1 + float64(r.IntN(4))
		at[w] = x.to
		for s := range 3 {
			x.steps = append(x.steps, store.Step{Step: int64(s + 1), Values: map[string]float64{"accuracy": x.values["accuracy"] - 10/float64(s+1)}})
		}
		switch i {
		case 7:
			x.state, x.values = store.Failed, nil
		case 9, 19:
			x.state, x.values, x.steps = store.Pruned, nil, x.steps[:2]
		}
		trials = append(trials, x)
	}
	return look(t, `{space: {width: {int: [8, 64]}, lr: {float: [1e-4, 0.1], log: true}, op: {choice: [conv, pool, skip]}}}`, metrics, goal, trials, nil)
}

// lit is a study of a quality-diversity method.
func lit(t testing.TB, cvt int) *view.View {
	r := rand.New(rand.NewPCG(4, 2))
	var trials []trial
	for range 60 {
		x, y := r.Float64(), r.Float64()
		trials = append(trials, trial{values: map[string]float64{"loss": math.Round(1000*math.Hypot(x-0.5, y-0.4)) / 1000, "a": round(x, 4), "b": round(10*y, 4)}})
	}
	g := metric.Goal{Objectives: []metric.Objective{{Metric: "loss", Direction: metric.Minimize}}}
	return look(t, "", []metric.Metric{{Name: "loss", Direction: metric.Minimize}, {Name: "a", Unit: "m"}, {Name: "b"}}, g, trials, func(s *view.Source) {
		m := &illuminate.MAPElites{Measures: []illuminate.Measure{{Metric: "a", Low: 0, High: 1, Cells: 6}, {Metric: "b", Low: 0, High: 10, Cells: 5}}}
		if cvt > 0 {
			m.CVT = &illuminate.CVT{Cells: cvt}
			m.Measures[0].Cells, m.Measures[1].Cells = 0, 0
		}
		s.Method = m
	})
}

func figure(t testing.TB, v *view.View, kind string, o Options) *Figure {
	t.Helper()
	f, err := New(v, kind, o)
	if err != nil {
		t.Fatalf("%s: %v", kind, err)
	}
	return f
}

func written(t testing.TB, f *Figure, format string) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := f.Write(&b, format); err != nil {
		t.Fatalf("%s: %v", format, err)
	}
	return b.Bytes()
}

// kinds gives every kind with a study that has it.
func kinds(t testing.TB) map[string]*view.View {
	v := small(t)
	out := map[string]*view.View{}
	for _, k := range Kinds() {
		out[k.Name] = v
	}
	out["archive"] = lit(t, 0)
	return out
}

func TestGoldenVega(t *testing.T) {
	all := kinds(t)
	all["archive-cvt"] = lit(t, 30)
	for name, v := range all {
		kind, _, _ := strings.Cut(name, "-")
		var o Options
		if kind == "contour" { // small
			o.X = "op"
		}
		got := written(t, figure(t, v, kind, o), "vega")
		path := filepath.Join("testdata", name+".vl.json")
		if *update {
			if err := os.MkdirAll("testdata", 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, got, 0o666); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s differs from %s; -update writes it", name, path)
		}
	}
}

// Every kind in every format: it can be read, has its size, and is the same a
// second time.
func TestFormats(t *testing.T) {
	for kind, v := range kinds(t) {
		for _, o := range []Options{{Width: 20, Height: 15, DPI: 72}, {}, {Width: 120, Height: 90, DPI: 150, Dark: true, Title: "A title"}} {
			if testing.Short() && o.Width != 20 {
				break
			}
			f := figure(t, v, kind, o)
			for _, format := range Formats() {
				b := written(t, f, format)
				whole(t, f, format, b)
				if again := written(t, figure(t, v, kind, o), format); !bytes.Equal(b, again) {
					t.Errorf("%s as %s differs the second time", kind, format)
				}
			}
		}
	}
}

// fatal is a test or a property.
type fatal interface {
	Helper()
	Fatalf(string, ...any)
}

// whole reads a figure back.
func whole(t fatal, f *Figure, format string, b []byte) {
	t.Helper()
	switch format {
	case "svg":
		d := xml.NewDecoder(bytes.NewReader(b))
		for {
			tok, err := d.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("SVG: %v", err)
			}
			if e, ok := tok.(xml.StartElement); ok {
				for _, a := range e.Attr {
					if a.Name.Local != "href" && (strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf")) {
						t.Fatalf("SVG: <%s %s=%q>", e.Name.Local, a.Name.Local, a.Value)
					}
				}
			}
		}
		if !bytes.Contains(b, []byte(`width="`+num(f.Width)+`mm"`)) {
			t.Fatalf("SVG has not the width %v mm: %.200s", f.Width, b)
		}
	case "png":
		m, err := png.Decode(bytes.NewReader(b))
		if err != nil {
			t.Fatalf("PNG: %v", err)
		}
		if w := int(math.Round(f.Width * f.DPI / 25.4)); m.Bounds().Dx() != w {
			t.Fatalf("PNG is %d pixels wide; want %d", m.Bounds().Dx(), w)
		}
		if want := uint32(math.Round(f.DPI / 0.0254)); !bytes.Contains(b, append([]byte("pHYs"), byte(want>>24), byte(want>>16), byte(want>>8), byte(want))) {
			t.Fatalf("PNG does not say that it has %v dots an inch", f.DPI)
		}
	case "pdf":
		if page := wholePDF(t, b); bytes.Contains(page, []byte("NaN")) || bytes.Contains(page, []byte("Inf")) {
			t.Fatalf("PDF has a number that is none")
		}
	case "vega":
		var spec struct {
			Schema string `json:"$schema"`
		}
		if err := json.Unmarshal(b, &spec); err != nil || spec.Schema != Schema {
			t.Fatalf("Vega-Lite: %v, schema %q", err, spec.Schema)
		}
	}
}

// wholePDF follows the table of a PDF to its objects, unpacks every stream and
// returns the content of the page.
func wholePDF(t fatal, b []byte) (page []byte) {
	t.Helper()
	m := regexp.MustCompile(`startxref\n(\d+)\n%%EOF\n$`).FindSubmatch(b)
	if !bytes.HasPrefix(b, []byte("%PDF-1.")) || m == nil {
		t.Fatalf("PDF: %.20q … %q", b, b[max(0, len(b)-40):])
	}
	start, _ := strconv.Atoi(string(m[1]))
	var n int
	if _, err := fmt.Sscanf(string(b[start:]), "xref\n0 %d\n", &n); err != nil {
		t.Fatalf("PDF: the table is not where it should be: %v", err)
	}
	rows := bytes.Split(b[start:], []byte("\n"))[2:]
	objects := make([][]byte, n) // dictionaries and unpacked streams
	content := 0
	for k := 1; k < n; k++ {
		at, err := strconv.Atoi(string(rows[k][:10]))
		if err != nil {
			t.Fatalf("PDF: row %d of the table: %v", k, err)
		}
		object, ok := bytes.CutPrefix(b[at:], fmt.Appendf(nil, "%d 0 obj\n", k))
		if !ok {
			t.Fatalf("PDF: at %d stands %.20q, not object %d", at, b[at:], k)
		}
		object, _, _ = bytes.Cut(object, []byte("endobj"))
		objects[k] = object
		if c := regexp.MustCompile(`/Type /Page\n(?:.*\n)*?/Contents (\d+) 0 R`).FindSubmatch(object); c != nil {
			content, _ = strconv.Atoi(string(c[1]))
		}
		dict, _, ok := bytes.Cut(object, []byte(">>\nstream\n"))
		if !ok {
			continue
		}
		data := b[at+len(fmt.Sprintf("%d 0 obj\n", k))+len(dict)+len(">>\nstream\n"):]
		length := regexp.MustCompile(`/Length (\d+)`).FindSubmatch(dict)
		size, _ := strconv.Atoi(string(length[1]))
		if !bytes.HasPrefix(data[size:], []byte("\nendstream\nendobj\n")) {
			t.Fatalf("PDF: object %d is not as long as it says", k)
		}
		objects[k] = data[:size]
		if bytes.Contains(dict, []byte("/FlateDecode")) {
			z, err := zlib.NewReader(bytes.NewReader(data[:size]))
			if err != nil {
				t.Fatalf("PDF: object %d: %v", k, err)
			}
			if objects[k], err = io.ReadAll(z); err != nil {
				t.Fatalf("PDF: object %d: %v", k, err)
			}
		}
	}
	if len(objects[content]) == 0 {
		t.Fatalf("PDF has no content")
	}
	return objects[content]
}

// Every picture holds the characters that units and limits need.
func TestCharacters(t *testing.T) {
	var buf sfnt.Buffer
	for _, r := range "≤≥·µ×−…°→∞Ωαβσ²³é" {
		if g, err := sans().GlyphIndex(&buf, r); err != nil || g == 0 {
			t.Errorf("the font lacks %q", r)
		}
	}
	b := written(t, figure(t, small(t), "front", Options{Y: "mb"}), "pdf")
	if !bytes.Contains(wholePDF(t, b), []byte(utf16be("≤")[2:])) {
		t.Error("≤ cannot be searched for in the PDF")
	}
	if len(b) > 30_000 {
		t.Errorf("the PDF has %d bytes: it is not to carry the whole font", len(b))
	}
	if s := written(t, figure(t, small(t), "front", Options{}), "svg"); !bytes.Contains(s, []byte("latency (µs)")) {
		t.Error("the SVG has no text latency (µs)")
	}
}

// Names may be of characters that the font lacks, and titles no text at all.
func TestForeignNames(t *testing.T) {
	ms := []metric.Metric{{Name: "准确率 🎯 (\\)"}, {Name: "e\u0301\uffff\x00\r\n\u0a0d"}}
	g := metric.Goal{Objectives: []metric.Objective{{Metric: ms[0].Name}, {Metric: ms[1].Name}}}
	v := look(t, "", ms, g, []trial{{values: map[string]float64{ms[0].Name: 1, ms[1].Name: 2}}}, nil)
	for _, title := range []string{"", "🎯", "\xff", "\xf0\x9f"} {
		f := figure(t, v, "front", Options{Title: title})
		for _, format := range Formats() {
			whole(t, f, format, written(t, f, format))
		}
		b := written(t, f, "pdf")
		if !bytes.Contains(b, []byte(utf16be("准确率 🎯")[2:])) {
			t.Error("the PDF does not say what it shows")
		}
		if !bytes.Contains(wholePDF(t, b), []byte(utf16be("准确率 \ufffd")[2:])) {
			t.Error("the PDF lacks a name")
		}
	}
}

// The border of the front runs where nothing is better than the front, whichever
// ends of the axes are wanted; what alone is maximized goes up.
func TestStairs(t *testing.T) {
	for _, dx := range []metric.Direction{metric.Minimize, metric.Maximize} {
		for _, dy := range []metric.Direction{metric.Minimize, metric.Maximize} {
			g := metric.Goal{Objectives: []metric.Objective{{Metric: "a", Direction: dx}, {Metric: "b", Direction: dy}}}
			r := rand.New(rand.NewPCG(5, 5))
			var trials []trial
			for range 60 {
				trials = append(trials, trial{values: map[string]float64{"a": r.Float64(), "b": r.Float64()}})
			}
			v := look(t, "", []metric.Metric{{Name: "a"}, {Name: "b"}}, g, trials, nil)
			f := figure(t, v, "front", Options{})
			p := f.Panels[0][0]
			names := []string{"a", "b"}
			turned := dx == metric.Maximize && dy == metric.Minimize
			if turned {
				names = []string{"b", "a"}
			}
			if !strings.HasPrefix(p.X.Title, names[0]) || !strings.HasPrefix(p.Y.Title, names[1]) {
				t.Errorf("%v/%v: across goes %q and up %q, want %v", dx, dy, p.X.Title, p.Y.Title, names)
			}
			k := slices.IndexFunc(p.Marks, func(m Mark) bool { return m.Shape == Lines })
			if k < 0 {
				t.Fatal("no border")
			}
			line := p.Marks[k]
			loss := func(x, y float64) []float64 {
				s := g.Score(metric.Values{names[0]: x, names[1]: y})
				if turned {
					slices.Reverse(s.Loss)
				}
				return s.Loss
			}
			a, _ := v.Find(names[0])
			b, _ := v.Find(names[1])
			xs, ys := v.Numbers(a), v.Numbers(b)
			for i := range line.X {
				beaten := 0
				for _, row := range v.Front.Rows {
					m, q := loss(xs[row], ys[row]), loss(line.X[i], line.Y[i])
					if m[0] <= q[0] && m[1] <= q[1] {
						beaten++
					}
					if q[0] < m[0] && q[1] < m[1] {
						t.Errorf("%v/%v: the border at (%v, %v) is better than a member of the front", dx, dy, line.X[i], line.Y[i])
					}
				}
				if beaten == 0 {
					t.Errorf("%v/%v: the border at (%v, %v) is beyond the front", dx, dy, line.X[i], line.Y[i])
				}
			}
			for _, row := range v.Front.Rows {
				on := false
				for i := range line.X {
					on = on || line.X[i] == xs[row] && line.Y[i] == ys[row]
				}
				if !on {
					t.Errorf("%v/%v: a member of the front is not on the border", dx, dy)
				}
			}
			// It ends at the worst ends of the axes.
			n := len(line.X) - 1
			if worst := loss(p.X.Low, 0)[0]; max(worst, loss(p.X.High, 0)[0]) != loss(line.X[n], 0)[0] {
				t.Errorf("%v/%v: the border ends at %v of %v … %v", dx, dy, line.X[n], p.X.Low, p.X.High)
			}
			if worst := loss(0, p.Y.Low)[1]; max(worst, loss(0, p.Y.High)[1]) != loss(0, line.Y[0])[1] {
				t.Errorf("%v/%v: the border begins at %v of %v … %v", dx, dy, line.Y[0], p.Y.Low, p.Y.High)
			}
		}
	}
}

// A point of the front has its colour where the axes say that it stands.
func TestPixels(t *testing.T) {
	g := metric.Goal{Objectives: []metric.Objective{{Metric: "a", Direction: metric.Minimize}, {Metric: "b", Direction: metric.Minimize}}}
	v := look(t, "", []metric.Metric{{Name: "a"}, {Name: "b"}}, g, []trial{
		{values: map[string]float64{"a": 1, "b": 9}}, {values: map[string]float64{"a": 9, "b": 1}}, {values: map[string]float64{"a": 9, "b": 9}},
	}, nil)
	f := figure(t, v, "front", Options{})
	m, err := png.Decode(bytes.NewReader(written(t, f, "png")))
	if err != nil {
		t.Fatal(err)
	}
	p := f.layout().frames[0]
	want := light.of(Best)
	for _, q := range [][2]float64{{1, 9}, {9, 1}} {
		x, y := p.sx.at(q[0])*f.DPI/72, p.sy.at(q[1])*f.DPI/72
		if c := color.NRGBAModel.Convert(m.At(int(x), int(y))).(color.NRGBA); c.R != want.r || c.G != want.g || c.B != want.b {
			t.Errorf("at (%v, %v) is %v; want the front", q[0], q[1], c)
		}
	}
	if p.sx.at(9) <= p.sx.at(1) || p.sy.at(9) >= p.sy.at(1) {
		t.Error("the axes do not run to the right and up")
	}
}

func TestHostileNames(t *testing.T) {
	bad := []string{`<script>alert(1)</script>`, `"&'<>`, "a\x00b\x1b[31m", "]]>", strings.Repeat("long ", 200), "中文 ≤ µ", "\u202eright"}
	for i, name := range bad {
		other := bad[(i+1)%len(bad)]
		g := metric.Goal{Objectives: []metric.Objective{{Metric: name, Direction: metric.Minimize}, {Metric: other, Direction: metric.Maximize}}}
		var trials []trial
		for k := range 30 {
			trials = append(trials, trial{design: fmt.Sprintf(`{"x": %s, "y": %d}`, quoted(bad[(i+k%2)%len(bad)]), k), worker: name, from: float64(k), to: float64(k) + 1,
				values: map[string]float64{name: float64(k * k % 17), other: float64(k * 7 % 13)}})
		}
		choice, _ := json.Marshal([]string{name, other})
		v := look(t, `{"space": {"x": {"choice": `+string(choice)+`}, "y": {"int": [0, 40]}}}`, []metric.Metric{{Name: name, Unit: other}, {Name: other, Unit: name}}, g, trials, nil)
		for _, k := range Kinds() {
			f, err := New(v, k.Name, Options{Title: name, DPI: 60})
			if err != nil {
				continue
			}
			for _, format := range Formats() {
				b := written(t, f, format)
				whole(t, f, format, b)
				if (format == "svg" || format == "vega") && bytes.Contains(b, []byte("<script")) {
					t.Errorf("%s as %s holds a script", k.Name, format)
				}
			}
		}
	}
}

func quoted(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

// A study that has nothing to show is an error that says why.
func TestNothing(t *testing.T) {
	empty := look(t, "", metrics, goal, nil, nil)
	failed := look(t, "", metrics, goal, []trial{{state: store.Failed}, {state: store.Failed}}, nil)
	wild := look(t, "", metrics, goal, []trial{{values: map[string]float64{"accuracy": math.NaN(), "latency": math.Inf(1), "mb": 1}}}, nil)
	for name, v := range map[string]*view.View{"empty": empty, "failed": failed, "wild": wild} {
		for _, k := range Kinds() {
			_, err := New(v, k.Name, Options{})
			if err == nil {
				t.Errorf("%s: a figure %s of nothing", name, k.Name)
			} else if errors.As(err, new(*OptionError)) || len(err.Error()) < 10 {
				t.Errorf("%s: %s: %v", name, k.Name, err)
			}
		}
	}
	if _, err := New(empty, "front", Options{}); err == nil || !strings.Contains(err.Error(), "no trials yet") {
		t.Errorf("an empty study: %v", err)
	}
	one := look(t, "", metrics, goal, []trial{{values: map[string]float64{"accuracy": 1, "latency": 2, "mb": 3}}}, nil)
	for _, kind := range []string{"front", "history", "pairs", "parallel"} {
		f := figure(t, one, kind, Options{})
		for _, format := range Formats() {
			whole(t, f, format, written(t, f, format))
		}
	}
}

func TestOptions(t *testing.T) {
	v := small(t)
	for _, c := range []struct {
		kind string
		o    Options
		want string // in the error or its hint
	}{
		{"fronts", Options{}, `did you mean "front"?`},
		{"front", Options{X: "acuracy"}, `did you mean "accuracy"?`},
		{"front", Options{X: "op"}, "there are number"},
		{"front", Options{Color: "nothing of the kind"}, "there are"},
		{"front", Options{Top: 3}, "does not take --top"},
		{"timeline", Options{X: "mb"}, "does not take --x"},
		{"slice", Options{Columns: []string{"widht"}}, `did you mean "width"?`},
		{"importance", Options{Y: "acuracy"}, `did you mean "accuracy"?`},
		{"curves", Options{Y: "loss"}, "known are accuracy"},
		{"contour", Options{X: "width", Y: "width"}, "both width"},
		{"archive", Options{X: "a"}, "map_elites"},
		{"front", Options{Width: 5}, "expected 20 to 1000"},
		{"front", Options{DPI: math.NaN()}, "--dpi is NaN"},
		{"front", Options{Width: 900, Height: 900, DPI: 1200}, "too large"},
		{"front", Options{Log: "z"}, "expected x, y, xy or none"},
		{"pairs", Options{Columns: []string{"mb"}}, "two columns"},
		{"parallel", Options{Top: -1}, "--top is -1"},
	} {
		_, err := New(v, c.kind, c.o)
		if err == nil {
			t.Errorf("%s %+v: no error", c.kind, c.o)
			continue
		}
		text := err.Error()
		var e *OptionError
		if errors.As(err, &e) {
			text += "; " + e.Hint
		}
		if !strings.Contains(text, c.want) {
			t.Errorf("%s %+v: %q; want %q", c.kind, c.o, text, c.want)
		}
	}
	f := figure(t, v, "front", Options{X: "mb", Y: "latency", Color: "op", Log: "xy", Near: true})
	if p := f.Panels[0][0]; !p.X.Log || !p.Y.Log || p.X.Title != "mb (MB)" {
		t.Errorf("axes %+v and %+v", p.X, p.Y)
	}
	if err := f.Write(io.Discard, "gif"); err == nil {
		t.Error("a GIF")
	}
}

// Ticks lie within the axis, rise, and are few.
func TestTicks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		exponent := rapid.IntRange(-300, 300).Draw(t, "exponent")
		low := rapid.Float64Range(-10, 10).Draw(t, "low") * math.Pow(10, float64(exponent))
		high := low + rapid.Float64Range(0, 10).Draw(t, "size")*math.Pow(10, float64(exponent+rapid.IntRange(-20, 5).Draw(t, "scale")))
		a := Axis{Low: low, High: high, Log: rapid.Bool().Draw(t, "log")}
		a.sound(0.04)
		if !(a.Low < a.High) || math.IsInf(a.High-a.Low, 0) || a.Log && a.Low <= 0 {
			t.Fatalf("axis from %v to %v", a.Low, a.High)
		}
		about := rapid.Float64Range(0, 12).Draw(t, "about")
		ts := a.ticks(about)
		labels := 0
		for i, k := range ts {
			if !(a.scale(0, 1).at(k.x) > -1e-6 && a.scale(0, 1).at(k.x) < 1+1e-6) {
				t.Fatalf("tick %v of %v … %v", k.x, a.Low, a.High)
			}
			if i > 0 && ts[i-1].x >= k.x {
				t.Fatalf("ticks %v", ts)
			}
			if k.text != "" {
				labels++
			}
		}
		if labels > int(3*max(about, 2))+3 {
			t.Fatalf("%d texts for about %v: %v", labels, about, ts)
		}
	})
}

func TestTickTexts(t *testing.T) {
	for _, c := range []struct {
		a    Axis
		want string
	}{
		{Axis{Low: 0, High: 1}, "0.0 0.2 0.4 0.6 0.8 1.0"},
		{Axis{Low: -20, High: 20}, "−20 −10 0 10 20"},
		{Axis{Low: 0, High: 4e6}, "0 10⁶ 2×10⁶ 3×10⁶ 4×10⁶"},
		{Axis{Low: 0, High: 30000}, "0 10,000 20,000 30,000"},
		{Axis{Low: 0.1, High: 1000, Log: true}, "0.1 1 10 100 1000"},
		{Axis{Low: 1e-6, High: 1e-2, Log: true}, "10⁻⁶ 10⁻⁵ 10⁻⁴ 10⁻³ 10⁻²"},
		{Axis{Low: 1, High: 20, Log: true}, "1 2 5 10 20"},
		{Axis{Low: 20, High: 60, Log: true}, "20 30 40 50 60"},
	} {
		var got []string
		for _, k := range c.a.ticks(5) {
			if k.text != "" {
				got = append(got, k.text)
			}
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%v … %v: %s; want %s", c.a.Low, c.a.High, s, c.want)
		}
	}
}

// Cells of all sites fill the square, and every site lies in its own.
func TestCells(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 60).Draw(t, "n")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		sites := make([][2]float64, n)
		for i := range sites {
			sites[i] = [2]float64{r.Float64(), math.Pow(r.Float64(), 3)}
		}
		b := newBuckets(sites)
		total := 0.0
		for i, s := range sites {
			c := b.cell(i)
			area := 0.0
			for k, q := range c {
				next := c[(k+1)%len(c)]
				area += (q[0]*next[1] - next[0]*q[1]) / 2
				if cross := (next[0]-q[0])*(s[1]-q[1]) - (next[1]-q[1])*(s[0]-q[0]); cross < -1e-9 {
					t.Fatalf("site %d is outside of its cell", i)
				}
			}
			total += area
		}
		if math.Abs(total-1) > 1e-9 {
			t.Fatalf("the cells cover %v of the square", total)
		}
	})
}

// Whatever a study holds, there is a picture or an error.
func TestAnything(t *testing.T) {
	// A hypervolume of larger numbers than these is infinite.
	values := []float64{0, 1, -1, 2.5, 1e-300, 1e100, -1e100, 1e-9, 5e-324, math.NaN(), math.Inf(1), math.Inf(-1), 1, 1, 3, 100, 1e5}
	rapid.Check(t, func(rt *rapid.T) {
		number := rapid.SampledFrom(values)
		m := rapid.IntRange(1, 3).Draw(rt, "objectives")
		names := []string{"a", "b", "c"}
		var g metric.Goal
		var ms []metric.Metric
		for k := range m {
			o := metric.Objective{Metric: names[k], Direction: rapid.SampledFrom([]metric.Direction{metric.Minimize, metric.Maximize}).Draw(rt, "direction")}
			if rapid.IntRange(0, 5).Draw(rt, "target") == 0 {
				o.Target = new(float64)
			}
			g.Objectives = append(g.Objectives, o)
			ms = append(ms, metric.Metric{Name: names[k]})
		}
		if rapid.Bool().Draw(rt, "limited") {
			g.Limits = []metric.Limit{{Metric: "a", Op: rapid.SampledFrom([]metric.Op{metric.LessEqual, metric.GreaterEqual}).Draw(rt, "op"), Bound: rapid.SampledFrom(values[:9]).Draw(rt, "bound")}}
		}
		var trials []trial
		for i := range rapid.IntRange(0, 25).Draw(rt, "n") {
			x := trial{
				design: fmt.Sprintf(`{"p": %v, "q": %q, "r": %d}`, rapid.SampledFrom([]float64{0, 1, -1e300, math.MaxFloat64, 5e-324, 0.5}).Draw(rt, "p"), rapid.SampledFrom([]string{"u", "v", "w"}).Draw(rt, "q"), rapid.IntRange(0, 40).Draw(rt, "r")),
				state:  rapid.SampledFrom([]store.State{store.Complete, store.Complete, store.Complete, store.Failed, store.Pruned, store.Running}).Draw(rt, "state"),
				values: map[string]float64{}, from: float64(i), to: float64(i) + rapid.SampledFrom([]float64{0, 1e-9, 3}).Draw(rt, "to"),
			}
			for k := range m {
				x.values[names[k]] = number.Draw(rt, "value")
			}
			for s := range rapid.IntRange(0, 3).Draw(rt, "steps") {
				x.steps = append(x.steps, store.Step{Step: int64(s), Values: map[string]float64{"a": number.Draw(rt, "step")}})
			}
			trials = append(trials, x)
		}
		v := look(t, `{space: {p: {float: [-10, 10]}, q: {choice: [u, v, w]}, r: {int: [0, 40]}}}`, ms, g, trials, nil)
		kind := rapid.SampledFrom(Kinds()).Draw(rt, "kind")
		var o Options
		column := rapid.SampledFrom([]string{"", "a", "b", "p", "q", "r", "number"})
		for _, option := range kind.Takes {
			switch option {
			case "x":
				o.X = column.Draw(rt, "x")
			case "y":
				o.Y = column.Draw(rt, "y")
			case "color":
				o.Color = column.Draw(rt, "color")
			case "columns":
				for _, c := range rapid.SliceOfN(column, 0, 4).Draw(rt, "columns") {
					if c != "" {
						o.Columns = append(o.Columns, c)
					}
				}
			case "log":
				o.Log = rapid.SampledFrom([]string{"", "xy", "none"}).Draw(rt, "log")
			case "near":
				o.Near = rapid.Bool().Draw(rt, "near")
			}
		}
		o.DPI = 50
		f, err := New(v, kind.Name, o)
		if err != nil {
			return
		}
		for _, format := range Formats() {
			whole(rt, f, format, written(t, f, format))
		}
	})
}

// A cloud of many points stays small, and all of the front is there.
func TestManyPoints(t *testing.T) {
	v := many(t, 20_000)
	f := figure(t, v, "front", Options{})
	for format, most := range map[string]int{"svg": 300_000, "pdf": 200_000, "png": 600_000, "vega": 1_500_000} {
		if n := len(written(t, f, format)); n > most {
			t.Errorf("%s has %d bytes; want at most %d", format, n, most)
		}
	}
	pairs := figure(t, v, "pairs", Options{}) // clouds of one size
	first := written(t, pairs, "pdf")
	whole(t, pairs, "pdf", first)
	for range 3 {
		if !bytes.Equal(written(t, pairs, "pdf"), first) {
			t.Error("a PDF with several clouds is another the next time")
		}
	}
	s := written(t, f, "svg")
	if n := bytes.Count(s, []byte("<circle")); n < len(v.Front.Rows) {
		t.Errorf("%d circles for a front of %d", n, len(v.Front.Rows))
	}
	var spec struct {
		Layer []struct {
			Data     struct{ Values []map[string]any }
			Encoding struct{ Color struct{ Datum string } }
		}
	}
	if err := json.Unmarshal(written(t, f, "vega"), &spec); err != nil {
		t.Fatal(err)
	}
	for _, l := range spec.Layer {
		n := len(l.Data.Values)
		if n > mostDots || l.Encoding.Color.Datum == "front" && n != len(v.Front.Rows) {
			t.Errorf("a layer %q of %d for a front of %d", l.Encoding.Color.Datum, n, len(v.Front.Rows))
		}
	}
}

// many is a study of n trials.
func many(t testing.TB, n int) *view.View {
	r := rand.New(rand.NewPCG(8, 8))
	trials := make([]trial, n)
	for i := range trials {
		x, y := r.ExpFloat64(), r.ExpFloat64()
		trials[i] = trial{design: `{"x": ` + strconv.Itoa(i%1000) + `}`, values: map[string]float64{"accuracy": 100 - 10*x, "latency": 10*y + 3/(0.1+x), "mb": 60 * r.Float64()}}
	}
	return look(t, `{space: {x: {int: [0, 999]}}}`, metrics, goal, trials, nil)
}

func BenchmarkPNG(b *testing.B) {
	v := many(b, 100_000)
	for b.Loop() {
		f := figure(b, v, "front", Options{})
		if err := f.Write(io.Discard, "png"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSVG(b *testing.B) {
	v := many(b, 100_000)
	for b.Loop() {
		f := figure(b, v, "front", Options{})
		if err := f.Write(io.Discard, "svg"); err != nil {
			b.Fatal(err)
		}
	}
}
