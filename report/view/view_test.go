package view

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"compress/flate"

	"pgregory.net/rapid"

	"github.com/daedalus-search/daedalus/internal/pagetest"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/evolve"
	"github.com/daedalus-search/daedalus/search/illuminate"
	"github.com/daedalus-search/daedalus/search/sample"
	"github.com/daedalus-search/daedalus/space"
	"github.com/daedalus-search/daedalus/store"
	"github.com/daedalus-search/daedalus/study"
)

var made = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// mixed has every kind of parameter.
const mixed = `
space:
  lr:      {float: [1e-4, 0.1], log: true, unit: 1/step}
  width:   {int: [8, 64]}
  tile:    {ordinal: [8, 16, 32]}
  grade:   {ordinal: [low, high]}
  op:      {choice: [conv, pool, "<b>skip</b>"]}
  fast:    bool
  depth:   {int: [1, 9], when: fast}
  block:   {choice: {conv: {k: {int: [1, 7]}}, skip: }}
  stages:  {repeat: [1, 3], of: {w: {int: [1, 9]}}}
  widths:  {repeat: [0, 2], of: {int: [8, 64]}}
  augment: {subset: [flip, crop, mix]}
  order:   {permutation: [p, q, r]}
  net:     {grammar: {start: M, M: [{p: 0.6, use: c}, {use: [M, M]}]}, depth: 5}
require: [width * tile <= 1024]
`

func parse(t testing.TB, text string) *space.Space {
	t.Helper()
	sp, err := space.Parse("test.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return sp
}

var twoGoals = metric.Goal{
	Objectives: []metric.Objective{{Metric: "loss", Direction: metric.Minimize}, {Metric: "speed", Direction: metric.Maximize}},
	Limits:     []metric.Limit{{Metric: "mb", Op: metric.LessEqual, Bound: 60}},
}

// formula is a cheap problem on the mixed space.
type formula struct{ sp *space.Space }

func (p formula) Space() *space.Space { return p.sp }

func (p formula) Metrics() []metric.Metric {
	return []metric.Metric{{Name: "loss", Direction: metric.Minimize}, {Name: "speed", Unit: "1/s", Direction: metric.Maximize}, {Name: "mb", Unit: "MB"}}
}

func (p formula) value(d space.Design) metric.Values {
	var c struct {
		LR    float64
		Width float64
		Tile  float64
		Op    string
		Fast  bool
	}
	if err := d.Decode(&c); err != nil {
		panic(err)
	}
	bonus := map[string]float64{"conv": 0, "pool": 1}[c.Op]
	fast := 0.0
	if c.Fast {
		fast = 3
	}
	return metric.Values{"loss": math.Abs(math.Log10(c.LR)+2) + bonus + 8/c.Width, "speed": c.Tile/c.Width + fast, "mb": c.Width}
}

func (p formula) Evaluate(_ context.Context, d space.Design, _ problem.Reporter) (metric.Values, error) {
	return p.value(d), nil
}

func (p formula) EvaluateBatch(_ context.Context, ds []space.Design, out []problem.Result) {
	for i, d := range ds {
		out[i] = problem.Result{Values: p.value(d)}
	}
}

// searched runs a study in memory and returns what a view of it is made from.
func searched(t testing.TB, p problem.Problem, goal metric.Goal, m search.Method, n int64) (Source, *study.Result) {
	t.Helper()
	st := store.Memory(store.Study{Name: "test", Seed: 3})
	x, err := study.Open(t.Context(), study.Config{
		Name: "test", Problem: p, Goal: goal, Method: m, MethodName: "some method", Seed: 3, Budget: study.Budget{Trials: n}, Store: st,
		Now: func() time.Time { return made },
	})
	if err != nil {
		t.Fatal(err)
	}
	res, err := x.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return Source{Store: st, Goal: goal, Problem: p, Method: m, Made: made, Engine: "test"}, res
}

func look(t testing.TB, src Source) *View {
	t.Helper()
	v, err := New(t.Context(), src)
	if err != nil {
		t.Fatal(err)
	}
	var page bytes.Buffer
	if err := WriteHTML(&page, v); err != nil {
		t.Fatal(err)
	}
	return v
}

// numbers reads a column back from its block, as the page does.
func numbers(t testing.TB, v *View, c Column) []float64 {
	t.Helper()
	b := v.blocks[c.Block]
	packed, err := b.deflated()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(flate.NewReader(bytes.NewReader(packed)))
	if err != nil {
		t.Fatal(err)
	}
	n := len(raw) / b.width
	if n != v.Trials.Rows {
		t.Fatalf("column %s has %d rows, want %d", c.Name, n, v.Trials.Rows)
	}
	out := make([]float64, n)
	for i := range out {
		word := make([]byte, 8)
		for k := range b.width {
			word[k] = raw[k*n+i]
		}
		u := binary.LittleEndian.Uint64(word)
		switch c.Encoding {
		case "f64":
			out[i] = math.Float64frombits(u)
		case "f32":
			out[i] = float64(math.Float32frombits(uint32(u)))
		case "i32":
			if out[i] = float64(int32(u)); int32(u) == absent {
				out[i] = math.NaN()
			}
		default:
			switch {
			case u == 0:
				out[i] = math.NaN()
			case c.Kind == "number":
				out[i] = c.Values[u-1].(float64)
			default:
				out[i] = float64(u - 1)
			}
		}
	}
	return out
}

func columnOf(t testing.TB, v *View, name string) Column {
	t.Helper()
	for _, c := range v.Columns {
		if c.Name == name {
			return c
		}
	}
	var names []string
	for _, c := range v.Columns {
		names = append(names, c.Name)
	}
	t.Fatalf("no column %q among %q", name, names)
	return Column{}
}

// TestColumnsHoldTheDesigns compares every column of random designs with the
// designs themselves.
func TestColumnsHoldTheDesigns(t *testing.T) {
	t.Parallel()
	sp := parse(t, mixed)
	text, err := json.Marshal(sp)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
		st := store.Memory(store.Study{Name: "x", Space: text})
		n := rapid.IntRange(1, 30).Draw(rt, "n")
		trials := make([]store.Trial, n)
		for i := range trials {
			d := sp.MustSample(r)
			trials[i] = store.Trial{
				Number: int64(3 * i), State: store.Complete, Design: d.AppendJSON(nil),
				Values: map[string]float64{"b": r.NormFloat64(), "a": float64(r.IntN(3))},
			}
		}
		if err := st.Save(t.Context(), trials...); err != nil {
			rt.Fatal(err)
		}
		v, err := New(t.Context(), Source{Store: st})
		if err != nil {
			rt.Fatal(err)
		}
		for _, c := range v.Columns {
			xs := numbers(t, v, c)
			texts := c.Values
			if c.Texts != "" {
				if err := json.Unmarshal(v.blocks[c.Texts].bytes, &texts); err != nil {
					rt.Fatal(err)
				}
			}
			for row, x := range xs {
				want, ok := inDesign(t, trials[row], c.Name)
				got := any(x)
				if c.Kind != "number" && x == x {
					got = texts[int(x)]
				}
				if !ok != (x != x) || ok && fmt.Sprint(got) != fmt.Sprint(want) {
					rt.Fatalf("trial %d: column %s has %v, the trial %v (%t): %s", trials[row].Number, c.Name, got, want, ok, trials[row].Design)
				}
			}
		}
		if v.Trials.Rows != n || v.Trials.Total != n {
			rt.Fatalf("%d rows of %d, want %d", v.Trials.Rows, v.Trials.Total, n)
		}
	})
}

// inDesign finds the value of a column in a trial by another way.
func inDesign(t *testing.T, trial store.Trial, name string) (any, bool) {
	switch name {
	case "number":
		return float64(trial.Number), true
	case "state":
		return "complete", true
	case "seconds", "cost":
		return 0.0, true
	}
	if x, ok := trial.Values[name]; ok {
		return x, true
	}
	var d map[string]any
	if err := json.Unmarshal(trial.Design, &d); err != nil {
		t.Fatal(err)
	}
	at := any(d)
	words := strings.FieldsFunc(name, func(r rune) bool { return r == '.' || r == '[' || r == ']' })
	for i, w := range words {
		switch x := at.(type) {
		case map[string]any:
			if words[0] == "net" && i == 1 { // a grammar
				tokens := x["tokens"].([]any)
				if w == "length" {
					return float64(len(tokens)), true
				}
				n := 0.0
				for _, y := range tokens {
					if y == w {
						n++
					}
				}
				return n, true
			}
			if at = x[w]; at == nil && x[w] == nil {
				return nil, false
			}
		case []any:
			if k := slices.Index(x, any(w)); words[0] == "augment" {
				return fmt.Sprint(k >= 0), true
			} else if words[0] == "order" {
				return float64(k + 1), true
			}
			var k int
			if _, err := fmt.Sscan(w, &k); err != nil || k >= len(x) {
				return nil, false
			}
			at = x[k]
		default:
			return nil, false
		}
	}
	switch x := at.(type) {
	case map[string]any: // a choice, or a grammar
		if tokens, ok := x["tokens"].([]any); ok {
			words := make([]string, len(tokens))
			for i, y := range tokens {
				words[i] = fmt.Sprint(y)
			}
			return strings.Join(words, " "), true
		}
		for name := range x {
			return name, true
		}
	case []any: // a repeat
		return float64(len(x)), true
	}
	return at, at != nil
}

// TestAnalysesAreThoseOfMetric holds what a view says against package metric.
func TestAnalysesAreThoseOfMetric(t *testing.T) {
	t.Parallel()
	src, res := searched(t, formula{parse(t, mixed)}, twoGoals, evolve.NSGA2{}, 400)
	v := look(t, src)
	number := numbers(t, v, columnOf(t, v, "number"))

	var front []int64
	for _, m := range res.Front {
		front = append(front, m.Trial)
	}
	var shown []int64
	var points []float64
	for _, row := range v.Front.Rows {
		shown = append(shown, int64(number[row]))
	}
	slices.Sort(front)
	slices.Sort(shown)
	if !slices.Equal(front, shown) || !v.Front.Feasible {
		t.Errorf("the view's front is %v, the study's %v", shown, front)
	}
	for _, m := range res.Front {
		points = append(points, m.Score.Loss...)
	}
	if k := metric.Knee(points, 2); int64(number[v.Front.Knee]) != res.Front[k].Trial {
		t.Errorf("the knee is trial %v, want %v", number[v.Front.Knee], res.Front[k].Trial)
	}

	ref := []float64{v.History.Reference[0], -v.History.Reference[1]}
	volume := metric.Hypervolume(points, 2, ref)
	if last := v.History.Values[len(v.History.Values)-1]; math.Abs(last-volume) > 1e-9*volume {
		t.Errorf("the history ends at %v, the hypervolume of the front is %v", last, volume)
	}
	if v.History.Baseline == nil || len(v.History.Baseline.Trials) < 100 || v.History.Baseline.Ahead == "" {
		t.Errorf("baseline %+v", v.History.Baseline)
	}

	// Importance, from the columns as the page has them.
	var losses, violations []float64
	var names []string
	var factors []metric.Factor
	for t, err := range src.Store.Trials(context.Background(), store.Filter{States: []store.State{store.Complete}}) {
		if err != nil {
			panic(err)
		}
		losses, violations = append(losses, t.Loss...), append(violations, t.Violation)
	}
	state := numbers(t, v, columnOf(t, v, "state"))
	for _, c := range v.Columns {
		if c.Part != "param" || c.Kind == "text" {
			continue
		}
		var xs []float64
		for row, x := range numbers(t, v, c) {
			if state[row] == float64(store.Complete-1) {
				xs = append(xs, x)
			}
		}
		names = append(names, c.Name)
		factors = append(factors, metric.Factor{Values: xs, Unordered: c.Kind == "category" && !c.Ordered})
	}
	want := metric.Importance(factors, metric.BestQuantile(losses, 2, violations, bestShare))
	if len(v.Importance) != 3 || v.Importance[0].Target != "front" {
		t.Fatalf("importance %+v, want that for the front and two objectives", v.Importance)
	}
	for _, s := range v.Importance[0].Shares {
		name := v.Columns[s.Column].Name
		if w := want[slices.Index(names, name)]; math.Abs(s.Share-w) > 1e-12 {
			t.Errorf("importance of %s is %v, metric says %v", name, s.Share, w)
		}
	}
	if first := v.Columns[v.Importance[1].Shares[0].Column].Name; first != "lr" && first != "op" && first != "width" {
		t.Errorf("what matters most for the loss is %s", first)
	}
}

// What is maximized goes up, what is not goes across; otherwise the study's order stays.
func TestAxes(t *testing.T) {
	t.Parallel()
	low, high := metric.Minimize, metric.Maximize
	target := 1.0
	for _, c := range []struct {
		objectives []metric.Objective
		want       []string
	}{
		{[]metric.Objective{{Metric: "loss", Direction: low}}, []string{"loss"}},
		{[]metric.Objective{{Metric: "loss", Direction: low}, {Metric: "speed", Direction: high}}, []string{"loss", "speed"}},
		{[]metric.Objective{{Metric: "speed", Direction: high}, {Metric: "loss", Direction: low}}, []string{"loss", "speed"}},
		{[]metric.Objective{{Metric: "mb", Direction: low}, {Metric: "loss", Direction: low}}, []string{"mb", "loss"}},
		{[]metric.Objective{{Metric: "speed", Direction: high}, {Metric: "mb", Direction: high}}, []string{"speed", "mb"}},
		{[]metric.Objective{{Metric: "speed", Direction: high}, {Metric: "mb", Target: &target}}, []string{"mb", "speed"}},
		{[]metric.Objective{{Metric: "speed", Direction: high}, {Metric: "mb", Direction: low}, {Metric: "loss", Direction: low}}, []string{"mb", "loss", "speed"}},
	} {
		src, _ := searched(t, formula{parse(t, mixed)}, metric.Goal{Objectives: c.objectives}, sample.Random{}, 5)
		v := look(t, src)
		var got []string
		for _, column := range v.Goal.Axes {
			got = append(got, v.Columns[column].Name)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("the axes of %v are %v, want %v", c.objectives, got, c.want)
		}
	}
}

// verified is a problem that measures fast designs again.
type verified struct{ formula }

func (verified) VerifyMetrics() []metric.Metric {
	return []metric.Metric{{Name: "true_speed", Unit: "1/s", Direction: metric.Maximize}, {Name: "mb", Unit: "MB"}}
}

func (p verified) Verify(_ context.Context, d space.Design) (metric.Values, error) {
	v := p.value(d)
	if v["speed"] < 1 {
		return nil, nil
	}
	return metric.Values{"true_speed": v["speed"] + 1, "mb": -1}, nil
}

// What is verified is a column, which has values where the front has them. A name that the
// search measured stays that of what it measured.
func TestVerifiedIsAColumn(t *testing.T) {
	t.Parallel()
	src, _ := searched(t, verified{formula{parse(t, mixed)}}, twoGoals, evolve.NSGA2{}, 200)
	v := look(t, src)
	c := columnOf(t, v, "true_speed")
	if c.Part != "verified" || c.Unit != "1/s" || c.Better != "high" {
		t.Errorf("the column is %+v", c)
	}
	xs, speed, some := numbers(t, v, c), numbers(t, v, columnOf(t, v, "speed")), false
	for row, x := range xs {
		known := slices.Contains(v.Front.Rows, row) && speed[row] >= 1
		some = some || known
		if known != !math.IsNaN(x) || known && x != speed[row]+1 {
			t.Errorf("row %d has %v for the speed %v, on the front: %t", row, x, speed[row], slices.Contains(v.Front.Rows, row))
		}
	}
	if !some {
		t.Error("nothing was verified")
	}
	for row, x := range numbers(t, v, columnOf(t, v, "mb")) {
		if x < 0 {
			t.Errorf("row %d: mb is what was verified", row)
		}
	}
}

// TestArchiveIsTheSearchers fills the archive again and compares.
func TestArchiveIsTheSearchers(t *testing.T) {
	t.Parallel()
	goal := metric.Goal{Objectives: []metric.Objective{{Metric: "loss", Direction: metric.Minimize}}, Limits: twoGoals.Limits}
	for name, m := range map[string]*illuminate.MAPElites{
		"grid": {Measures: []illuminate.Measure{{Metric: "speed", High: 4, Cells: 8}, {Metric: "mb", Low: 8, High: 64}}},
		"cvt":  {Measures: []illuminate.Measure{{Metric: "speed", High: 4}, {Metric: "mb", Low: 8, High: 64}}, CVT: &illuminate.CVT{Cells: 40}},
	} {
		src, res := searched(t, formula{parse(t, mixed)}, goal, m, 600)
		// Also where a page holds only part of the trials, for either reason.
		for _, bound := range []struct{ rows, bytes int }{{}, {rows: 100}, {bytes: 8_000}} {
			src.Rows, src.Bytes = bound.rows, bound.bytes
			v := look(t, src)
			if bound.rows+bound.bytes > 0 && v.Trials.Rows == v.Trials.Total {
				t.Errorf("%s: the page holds all %d trials", name, v.Trials.Total)
			}
			number := numbers(t, v, columnOf(t, v, "number"))
			got, want := map[int]int64{}, map[int]int64{}
			for _, e := range v.Archive.Elites {
				got[e.Cell] = int64(number[e.Row])
			}
			for _, e := range res.Archive.Elites {
				want[e.Cell] = e.Trial
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s, %+v: elites %v, the searcher's are %v", name, bound, got, want)
			}
			if v.Archive.QDScore != res.Archive.QDScore || v.Archive.Coverage != res.Archive.Coverage || v.Archive.Kind != name {
				t.Errorf("%s: score %v, coverage %v; want %v, %v", name, v.Archive.QDScore, v.Archive.Coverage, res.Archive.QDScore, res.Archive.Coverage)
			}
			if name == "cvt" && len(v.Archive.Centroids) != 40 {
				t.Errorf("%d centroids, want 40", len(v.Archive.Centroids))
			}
		}
	}
}

// TestBaselineIsJudgedAlike compares with a study of other objectives, which
// measured the same, and with one that did not.
func TestBaselineIsJudgedAlike(t *testing.T) {
	t.Parallel()
	src, _ := searched(t, formula{parse(t, mixed)}, twoGoals, sample.Random{}, 40)
	other := metric.Goal{Objectives: []metric.Objective{{Metric: "speed", Direction: metric.Minimize}, {Metric: "mb", Direction: metric.Maximize}}}
	base, _ := searched(t, formula{parse(t, mixed)}, other, evolve.NSGA2{}, 300)
	same, _ := searched(t, formula{parse(t, mixed)}, twoGoals, evolve.NSGA2{}, 300)
	src.Baseline = base.Store
	v := look(t, src)
	var losses []float64
	for tr, err := range base.Store.Trials(t.Context(), store.Filter{States: []store.State{store.Complete}}) {
		if err != nil {
			t.Fatal(err)
		}
		if s := twoGoals.Score(tr.Values); s.Feasible() {
			losses = append(losses, s.Loss...)
		}
	}
	b := v.History.Baseline
	want := metric.Hypervolume(losses, 2, []float64{v.History.Reference[0], -v.History.Reference[1]})
	if got := b.Middle[len(b.Middle)-1]; math.Abs(got-want) > 1e-9*want || want == 0 {
		t.Errorf("the baseline ends at %v; judged by the study's goal its front has %v", got, want)
	}
	src.Baseline = same.Store
	v = look(t, src)
	if !v.History.Baseline.behind || !slices.ContainsFunc(v.Answer.Advice, func(s string) bool { return strings.Contains(s, "did better") }) {
		t.Errorf("40 random trials are not behind 300 of NSGA-II: %q, advice %q", v.History.Baseline.Ahead, v.Answer.Advice)
	}
	stranger := store.Memory(store.Study{Name: "stranger"})
	if err := stranger.Save(t.Context(), store.Trial{Number: 0, State: store.Complete, Design: []byte("{}"), Values: map[string]float64{"x": 1}, Loss: []float64{1, 2}}); err != nil {
		t.Fatal(err)
	}
	src.Baseline = stranger
	if v = look(t, src); v.History.Baseline != nil || !strings.Contains(v.Missing["baseline"], "stranger") {
		t.Errorf("a study that measured something else: %+v, %q", v.History.Baseline, v.Missing["baseline"])
	}
}

// TestLargeStudiesAreSampled keeps the front and says what is left out.
func TestLargeStudiesAreSampled(t *testing.T) {
	t.Parallel()
	src, res := searched(t, formula{parse(t, mixed)}, twoGoals, sample.Random{}, 1200)
	src.Rows = 200
	v := look(t, src)
	if v.Trials.Rows != 200 || v.Trials.Total != 1200 || !strings.Contains(v.Trials.Note, "200 of 1200") {
		t.Errorf("%+v", v.Trials)
	}
	if len(v.Front.Rows) != len(res.Front) {
		t.Errorf("the front has %d rows, want %d", len(v.Front.Rows), len(res.Front))
	}
	whole := src
	whole.Rows = 0
	all := look(t, whole)
	if a, b := v.History.Values, all.History.Values; !slices.Equal(a, b) {
		t.Error("the history of a sampled view differs from that of the whole")
	}
	// A page that is too large keeps seven digits first, then fewer rows.
	src.Rows, src.Bytes = 0, 80_000
	for v = look(t, src); !columnOf(t, v, "lr").Rounded && src.Bytes > 0; v = look(t, src) {
		src.Bytes -= 4_000
	}
	if columnOf(t, v, "loss").Rounded || v.Trials.Rows != 1200 || !strings.Contains(v.Trials.Note, "seven digits") {
		t.Errorf("with %d bytes: %+v", src.Bytes, v.Trials)
	}
	src.Bytes /= 2
	if v = look(t, src); v.Trials.Rows >= 1200 || len(v.Front.Rows) != len(res.Front) {
		t.Errorf("with %d bytes: %+v", src.Bytes, v.Trials)
	}
	var page bytes.Buffer
	if err := WriteHTML(&page, v); err != nil {
		t.Fatal(err)
	}
}

// TestOddStudiesAreShown makes pages of studies that have next to nothing, or
// too much. What a page lacks, it says why.
func TestOddStudiesAreShown(t *testing.T) {
	t.Parallel()
	odd, err := pagetest.Odd(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, o := range odd {
		v := look(t, Source{Store: o.Store, Goal: o.Goal, Made: made})
		for part, absent := range map[string]bool{
			"history": v.History == nil, "importance": v.Importance == nil, "winners": v.Winners == nil, "operators": v.Operators == nil,
			"lineage": v.Lineage == nil, "curves": v.Curves == nil, "map": v.Map == nil, "drawings": v.Drawings == nil, "timeline": v.Phases == nil,
			"front": len(v.Front.Rows) == 0,
		} {
			if why, said := v.Missing[part]; absent != said || said && why == "" {
				t.Errorf("%s: %s is absent: %t; the view says %q", name, part, absent, why)
			}
		}
		if v.Answer.Headline == "" || v.Study.Question == "" {
			t.Errorf("%s: headline %q, question %q", name, v.Answer.Headline, v.Study.Question)
		}
		var page bytes.Buffer
		if err := WriteHTML(&page, v); err != nil {
			t.Fatal(err)
		}
		text := page.String()
		body := strings.Replace(text, string(script), "", 1)
		if strings.Contains(body, "<img") || strings.Contains(body, "alert(2)</script") {
			t.Errorf("%s: the page holds text that could run", name)
		}
		if got, want := strings.Count(body, "<script"), 2+len(v.blocks); got != want {
			t.Errorf("%s: %d scripts, want %d", name, got, want)
		}
	}
}

// TestClusterIsAverageLinkage compares with joining the two nearest clusters
// again and again.
func TestClusterIsAverageLinkage(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 12).Draw(t, "n")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		d := make([][]float64, n)
		for i := range d {
			d[i] = make([]float64, n)
			for j := range i {
				d[i][j] = r.Float64()
				d[j][i] = d[i][j]
			}
		}
		left, right, height := cluster(n, func(i, j int) float64 { return d[i][j] })
		members := map[int][]int{}
		for i := range n {
			members[i] = []int{i}
		}
		between := func(a, b []int) float64 {
			sum := 0.0
			for _, i := range a {
				for _, j := range b {
					sum += d[i][j]
				}
			}
			return sum / float64(len(a)*len(b))
		}
		for k := range n - 1 {
			nearest := math.Inf(1)
			for a := range members {
				for b := range members {
					if a < b {
						nearest = min(nearest, between(members[a], members[b]))
					}
				}
			}
			a, b := members[left[k]], members[right[k]]
			if a == nil || b == nil {
				t.Fatalf("join %d is of %d and %d, which are not there", k, left[k], right[k])
			}
			if x := between(a, b); math.Abs(x-nearest) > 1e-12 || math.Abs(x-height[k]) > 1e-12 {
				t.Fatalf("join %d has height %v; the members are %v apart, the nearest %v", k, height[k], x, nearest)
			}
			delete(members, left[k])
			delete(members, right[k])
			members[n+k] = append(slices.Clone(a), b...)
		}
	})
}

func TestHandlerServesWhatAPageHolds(t *testing.T) {
	t.Parallel()
	src, _ := searched(t, formula{parse(t, mixed)}, twoGoals, sample.Random{}, 50)
	v := look(t, src)
	boom := false
	server := httptest.NewServer(Handler(func(*http.Request) (*View, error) {
		if boom {
			return nil, errors.New("boom")
		}
		return v, nil
	}))
	defer server.Close()
	get := func(path string) (int, string, []byte) {
		res, err := http.Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, res.Header.Get("Content-Type"), body
	}
	if code, kind, body := get("/"); code != 200 || !strings.HasPrefix(kind, "text/html") || !bytes.Contains(body, []byte(`data-api="./"`)) {
		t.Errorf("/: %d %s %.100s", code, kind, body)
	}
	var back View
	if code, _, body := get("/view.json"); code != 200 || json.Unmarshal(body, &back) != nil || back.Study.Name != "test" {
		t.Errorf("/view.json: %d %.100s", code, body)
	}
	if code, _, body := get("/blocks/c0"); code != 200 || len(body) == 0 {
		t.Errorf("/blocks/c0: %d, %d bytes", code, len(body))
	}
	if code, _, _ := get("/blocks/none"); code != 404 {
		t.Errorf("/blocks/none: %d, want 404", code)
	}
	if code, _, body := get("/app.js"); code != 200 || !bytes.Equal(body, script) {
		t.Errorf("/app.js: %d", code)
	}
	boom = true
	if code, _, body := get("/view.json"); code != 500 || !bytes.Contains(body, []byte("boom")) {
		t.Errorf("an error is served as %d %s", code, body)
	}
}

// TestSameStudySamePage writes the same study twice.
func TestSameStudySamePage(t *testing.T) {
	t.Parallel()
	src, _ := searched(t, formula{parse(t, mixed)}, twoGoals, evolve.NSGA2{}, 200)
	var a, b bytes.Buffer
	for _, w := range []*bytes.Buffer{&a, &b} {
		v, err := New(t.Context(), src)
		if err != nil {
			t.Fatal(err)
		}
		if err := WriteHTML(w, v); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(a.Bytes(), b.Bytes()) {
		i := 0
		for i < a.Len() && i < b.Len() && a.Bytes()[i] == b.Bytes()[i] {
			i++
		}
		t.Errorf("two pages of one study differ at byte %d: %.80q and %.80q", i, a.Bytes()[max(i-40, 0):], b.Bytes()[max(i-40, 0):])
	}
}
