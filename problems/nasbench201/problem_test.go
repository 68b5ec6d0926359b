package nasbench201

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daedalus-search/daedalus/internal/source"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/problem/problemtest"
	"github.com/daedalus-search/daedalus/space"
)

func mustNew(t testing.TB, o Options) *Problem {
	t.Helper()
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestConformance(t *testing.T) {
	t.Parallel()
	problemtest.Run(t, mustNew(t, Options{}))
	problemtest.Run(t, mustNew(t, Options{Dataset: "imagenet16", Device: "titan_rtx_256", Disconnected: "keep"}))
}

// Every number of the CSV comes back as the float64 that its text denotes.
func TestTableIsLossless(t *testing.T) {
	t.Parallel()
	name := filepath.Join("..", "..", "..", "shared", "data", "nas-bench-201", "nasbench201.csv.gz")
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("%s is not there: the CSV from which the table is made is not part of the repository", name)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	r := csv.NewReader(z)
	header, err := r.Read()
	if err != nil {
		t.Fatal(err)
	}
	column := make([]func(Cell) (float64, error), len(header))
	from := func(all []float64, err error) func(Cell) (float64, error) {
		return func(c Cell) (float64, error) { return all[c], err }
	}
	devices := 0
	for i, h := range header {
		device, latency := strings.CutPrefix(h, "lat_ms_")
		prefix, rest, _ := strings.Cut(h, "_")
		dataset := map[string]Dataset{"c10": CIFAR10, "c100": CIFAR100, "in16": ImageNet16}[prefix]
		switch {
		case latency:
			column[i] = from(Latencies(device))
			devices++
		case dataset != "":
			column[i] = from(Accuracies(dataset, Training(rest)))
		case h == "index":
			column[i] = func(c Cell) (float64, error) { n, err := c.Index(); return float64(n), err }
		case h == "params_c10_derived":
			column[i] = func(c Cell) (float64, error) { return float64(c.Params(CIFAR10)), nil }
		case h == "flops_c10_derived":
			column[i] = func(c Cell) (float64, error) { return float64(c.FLOPs(CIFAR10)), nil }
		}
	}
	if devices != len(Devices()) {
		t.Errorf("the CSV has %d devices, Devices() names %d", devices, len(Devices()))
	}
	ops := slices.Index(header, "ops")
	rows := 0
	for ; ; rows++ {
		row, err := r.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		var o [6]Op
		for e := range o {
			o[e] = Op(row[ops][e] - '0')
		}
		for i, get := range column {
			if get == nil {
				continue
			}
			want, err := strconv.ParseFloat(row[i], 64)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := get(CellOf(o)); got != want || err != nil {
				t.Fatalf("%s of %s = %v, %v, want %v", header[i], row[ops], got, err, want)
			}
		}
	}
	if rows != Cells {
		t.Errorf("the CSV has %d rows, want %d", rows, Cells)
	}
}

// Facts that are published or stated in DATA.md, checked without the CSV.
func TestKnownFacts(t *testing.T) {
	t.Parallel()
	for dataset, want := range map[Dataset]struct{ mean, best, found float64 }{
		CIFAR10:    {87.06, 94.37, 94.37}, // mean, optimum and the best by 12-epoch validation, 200 epochs
		CIFAR100:   {61.41, 73.51, 72.28},
		ImageNet16: {33.59, 47.31, 46.48},
	} {
		test, err := Accuracies(dataset, Test200)
		if err != nil {
			t.Fatal(err)
		}
		valid, err := Accuracies(dataset, Valid12)
		if err != nil {
			t.Fatal(err)
		}
		sum, best, at := 0.0, 0.0, 0
		for i, x := range test {
			sum += x
			best = max(best, x)
			if valid[i] > valid[at] {
				at = i
			}
		}
		got := []float64{sum / Cells, best, test[at]}
		for i, w := range []float64{want.mean, want.best, want.found} {
			if math.Abs(got[i]-w) > 0.0051 {
				t.Errorf("%s: mean, best and found accuracy %.3f, want %v", dataset, got, want)
			}
		}
	}
	all3 := CellOf([6]Op{3, 3, 3, 3, 3, 3})
	if p, f := all3.Params(CIFAR10), all3.FLOPs(CIFAR10); p != 1_531_546 || f != 220_119_680 {
		t.Errorf("all 3×3: %d parameters, %d FLOPs", p, f)
	}
	if p, f := Cell(0).Params(CIFAR10), Cell(0).FLOPs(CIFAR10); p != 73_306 || f != 7_783_040 {
		t.Errorf("empty cell: %d parameters, %d FLOPs", p, f)
	}
	if p := all3.Params(ImageNet16); p != 1_531_546+65*110 {
		t.Errorf("all 3×3 with 120 classes: %d parameters", p)
	}
	first, err := ParseCell("|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|")
	if err != nil {
		t.Fatal(err)
	}
	if i, err := first.Index(); i != 0 || err != nil {
		t.Errorf("Index = %d, %v, want 0", i, err)
	}
	if _, err := Cell(Cells).Index(); err == nil {
		t.Error("Index of a cell that does not exist gave no error")
	}
}

func TestCanonicalKeyCountsUniqueArchitectures(t *testing.T) {
	t.Parallel()
	keys := map[string]int{}
	index := make([]bool, Cells)
	for c := range Cell(Cells) {
		keys[c.CanonicalKey()]++
		i, err := c.Index()
		if err != nil || index[i] {
			t.Fatalf("index %d of %s occurs twice (error %v)", i, c, err)
		}
		index[i] = true
	}
	if len(keys) != 6466 {
		t.Errorf("%d keys, want the paper's 6,466", len(keys))
	}
}

// The near-zero latencies of pixel3 and raspi4 are exactly those of cells that
// compute a constant; no connected cell has one, and no such cell beats chance.
func TestDisconnectedCellsExplainTheOutliers(t *testing.T) {
	t.Parallel()
	n := 0
	chance := map[Dataset]float64{CIFAR10: 10, CIFAR100: 1, ImageNet16: 100.0 / 120}
	for c := range Cell(Cells) {
		if !c.Connected() {
			n++
		}
		for dataset, most := range chance {
			for _, training := range []Training{Valid12, Test200} {
				a, err := Accuracies(dataset, training)
				if err != nil {
					t.Fatal(err)
				}
				// recorded with four decimals
				if !c.Connected() && a[c] > most+5e-5 {
					t.Errorf("%s is not connected and has %s %v on %s", c, training, a[c], dataset)
				}
			}
		}
		for device, least := range map[string]float64{"pixel3": 1, "raspi4": 2.5} {
			l, err := Latencies(device)
			if err != nil {
				t.Fatal(err)
			}
			if c.Connected() && l[c] < least {
				t.Errorf("%s is connected and takes %v ms on %s", c, l[c], device)
			}
		}
	}
	if n != 341 {
		t.Errorf("%d cells are not connected, want 341", n)
	}
}

func TestCellStrings(t *testing.T) {
	t.Parallel()
	for c := range Cell(Cells) {
		got, err := ParseCell(c.String())
		if got != c || err != nil || CellOf(c.Ops()) != c {
			t.Fatalf("ParseCell(%q) = %d, %v, want %d", c, got, err, c)
		}
	}
	for name, s := range map[string]string{
		"empty":       "",
		"two nodes":   "|none~0|+|none~0|none~1|",
		"no bars":     "none~0+none~0|none~1+none~0|none~1|none~2",
		"wrong input": "|none~0|+|none~1|none~0|+|none~0|none~1|none~2|",
		"wrong op":    "|max_pool~0|+|none~0|none~1|+|none~0|none~1|none~2|",
		"too many":    "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|none~3|",
	} {
		if c, err := ParseCell(s); err == nil {
			t.Errorf("%s: ParseCell(%q) = %s, want an error", name, s, c)
		}
	}
}

func FuzzParseCell(f *testing.F) {
	f.Add(Cell(4711).String())
	f.Fuzz(func(t *testing.T, s string) {
		if c, err := ParseCell(s); err == nil && c.String() != s {
			t.Errorf("%q was read as %q", s, c)
		}
	})
}

func TestDesignsAndCells(t *testing.T) {
	t.Parallel()
	p := mustNew(t, Options{})
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		c := Cell(r.IntN(Cells))
		d := p.Design(c)
		got, err := p.Cell(d)
		if got != c || err != nil {
			t.Fatalf("Cell(Design(%d)) = %d, %v", c, got, err)
		}
		other, err := newSpace().ParseJSON([]byte(d.String()))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := p.Cell(other); got != c || err != nil {
			t.Fatalf("the same design of an equal space: %d, %v, want %d", got, err, c)
		}
	}
	for name, d := range map[string]space.Design{
		"zero":  {},
		"other": space.MustNew(space.Bool("x")).MustSample(r),
	} {
		if v, err := p.Evaluate(t.Context(), d, nil); err == nil || problem.ClassOf(err) != problem.ClassPermanent {
			t.Errorf("%s design: Evaluate = %v, %v, want a permanent error", name, v, err)
		}
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		options Options
		want    string
	}{
		"dataset": {Options{Dataset: "cifar-10"}, "did you mean cifar10?"},
		"device":  {Options{Device: "pixl3"}, "did you mean pixel"},
		"far off": {Options{Device: "abacus"}, "samsung_a50"},
		"keep":    {Options{Disconnected: "drop"}, "infeasible, keep"},
		"epochs":  {Options{Epochs: 90}, "12 or 200"},
	} {
		if _, err := New(c.options); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: New(%+v) = %v, want %q", name, c.options, err, c.want)
		}
	}
	f, _ := reflect.TypeFor[Options]().FieldByName("Device")
	if diff := cmp.Diff(Devices(), strings.Fields(f.Tag.Get("oneof"))); diff != "" {
		t.Errorf("devices in the tag (-want +got):\n%s", diff)
	}
	var o Options
	root, report := source.Parse("study.yaml", []byte("{dataset: cifar100}"))
	if !source.Decode(report, root, &o) {
		t.Fatal(report.Err())
	}
	if diff := cmp.Diff(Options{Dataset: "cifar100", Device: "pixel3", Epochs: 12, Disconnected: "infeasible"}, o); diff != "" {
		t.Errorf("decoded options (-want +got):\n%s", diff)
	}
}

// The true front agrees with comparing every pair.
func TestOptimumAgainstBruteForce(t *testing.T) {
	t.Parallel()
	p := mustNew(t, Options{Dataset: "cifar100", Device: "raspi4"})
	for name, goal := range map[string]metric.Goal{
		"two":    {Objectives: []metric.Objective{{Metric: "accuracy", Direction: metric.Maximize}, {Metric: "latency_ms", Direction: metric.Minimize}}},
		"limit":  {Objectives: []metric.Objective{{Metric: "test_accuracy", Direction: metric.Maximize}, {Metric: "latency_ms", Direction: metric.Minimize}}, Limits: []metric.Limit{{Metric: "params_m", Op: metric.LessEqual, Bound: 0.5}}},
		"one":    {Objectives: []metric.Objective{{Metric: "accuracy", Direction: metric.Maximize}}},
		"nobody": {Objectives: []metric.Objective{{Metric: "accuracy", Direction: metric.Maximize}}, Limits: []metric.Limit{{Metric: "latency_ms", Op: metric.LessEqual, Bound: 1}}},
	} {
		got, err := p.Optimum(t.Context(), goal)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var all []metric.Values
		var scores []metric.Score
		for c := range Cell(Cells) {
			if !c.Connected() {
				continue
			}
			d := p.Design(c)
			v, err := p.Evaluate(t.Context(), d, nil)
			if err != nil {
				t.Fatal(err)
			}
			more, err := p.Verify(t.Context(), d)
			if err != nil {
				t.Fatal(err)
			}
			v["test_accuracy"] = more["test_accuracy"]
			all, scores = append(all, v), append(scores, goal.Score(v))
		}
		var want []metric.Values
		var front []metric.Score // a design beaten by anything is beaten by one of these
	next:
		for i, s := range scores {
			for _, f := range front {
				if metric.Dominates(f, s) {
					continue next
				}
			}
			for _, o := range scores {
				if metric.Dominates(o, s) {
					front = append(front, o)
					continue next
				}
			}
			want = append(want, all[i])
		}
		key := func(v metric.Values) string { b, _ := json.Marshal(v); return string(b) }
		sorted := func(v []metric.Values) (s []string) {
			for _, x := range v {
				s = append(s, key(x))
			}
			slices.Sort(s)
			return s
		}
		if len(got) == 0 {
			t.Errorf("%s: %d designs on the front", name, len(got))
		}
		if diff := cmp.Diff(sorted(want), sorted(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if _, err := p.Optimum(t.Context(), metric.Goal{Objectives: []metric.Objective{{Metric: "energy", Direction: metric.Minimize}}}); err == nil {
		t.Error("Optimum took a metric nobody measures")
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Optimum(done, metric.Goal{Objectives: []metric.Objective{{Metric: "accuracy", Direction: metric.Maximize}}}); !errors.Is(err, context.Canceled) {
		t.Errorf("Optimum on a cancelled context: %v", err)
	}
}

func TestDrawIsXMLAndNamesEveryEdge(t *testing.T) {
	t.Parallel()
	p := mustNew(t, Options{})
	var b bytes.Buffer
	if err := p.Draw(&b, p.Design(CellOf([6]Op{3, 1, 0, 4, 2, 1}))); err != nil {
		t.Fatal(err)
	}
	labels := map[string]int{}
	for dec := xml.NewDecoder(&b); ; {
		tok, err := dec.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if text, ok := tok.(xml.CharData); ok {
			labels[string(text)]++
		}
	}
	for label, want := range map[string]int{"conv 3×3": 1, "skip": 2, "none": 1, "avg pool 3×3": 1, "conv 1×1": 1, "in": 1, "out": 1} {
		if labels[label] != want {
			t.Errorf("label %q occurs %d times, want %d", label, labels[label], want)
		}
	}
}

func TestDamagedTable(t *testing.T) {
	t.Parallel()
	for name, file := range map[string][]byte{
		"empty":    nil,
		"other":    []byte("PK"),
		"cut":      packed[:len(packed)/2],
		"too long": append(slices.Clone(packed), 0),
	} {
		if _, err := readHeader(file); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	damaged := slices.Clone(packed)
	for i := 2000; i < len(damaged); i += 977 {
		damaged[i] ^= 0x55
	}
	all, err := readHeader(damaged)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		if _, err := c.decode(); err == nil && len(c.block) > 3000 {
			t.Errorf("a damaged block of %d bytes was decoded", len(c.block))
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		all, err := readHeader(packed)
		if err != nil {
			b.Fatal(err)
		}
		for _, name := range []string{"c10_valid_12ep", "c10_test_200ep", "pixel3"} {
			if _, err := all[name].decode(); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkLoadAll(b *testing.B) {
	for b.Loop() {
		all, err := readHeader(packed)
		if err != nil {
			b.Fatal(err)
		}
		for _, c := range all {
			if _, err := c.decode(); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkEvaluate(b *testing.B) {
	p := mustNew(b, Options{})
	d := p.Design(4711)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Evaluate(b.Context(), d, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOptimum(b *testing.B) {
	p := mustNew(b, Options{})
	goal := metric.Goal{Objectives: []metric.Objective{{Metric: "accuracy", Direction: metric.Maximize}, {Metric: "latency_ms", Direction: metric.Minimize}}}
	for b.Loop() {
		if _, err := p.Optimum(b.Context(), goal); err != nil {
			b.Fatal(err)
		}
	}
}
