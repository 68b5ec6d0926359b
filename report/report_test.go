package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
	"pgregory.net/rapid"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/space"
	"github.com/daedalus-search/daedalus/store"
)

const mixed = `
space:
  lr:      {float: [1e-4, 0.1], log: true, unit: 1/step}
  state:   {choice: [a, "b,c", 'quo"te']}
  tile:    {ordinal: [8, 16, 32]}
  mixed:   {ordinal: [1, 2.5]}
  fast:    bool
  version: {const: 3}
  depth:   {int: [1, 9], when: fast}
  block:
    choice:
      conv: {k: {int: [1, 7]}}
      skip:
  stem:    {k: {int: [1, 7]}, acc: bool}
  stages:  {repeat: [1, 12], of: {w: {int: [1, 9]}, op: {choice: {x: {y: bool}, z: }}}}
  widths:  {repeat: [0, 3], of: {int: [8, 64]}}
  augment: {subset: [flip, crop, mix]}
  order:   {permutation: [p, q, r]}
  net:     {grammar: {start: M, M: [{p: 0.6, use: c}, {use: [M, M]}]}, depth: 5}
`

func sample(t interface{ Fatal(...any) }, n int, seed uint64) (store.Study, []store.Trial) {
	sp, err := space.Parse("mixed.yaml", []byte(mixed))
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(sp)
	if err != nil {
		t.Fatal(err)
	}
	metrics, err := json.Marshal([]metric.Metric{{Name: "acc", Unit: "%"}, {Name: "seconds", Unit: "s"}})
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(seed, 1))
	trials := make([]store.Trial, n)
	for i := range trials {
		d := sp.MustSample(r)
		trials[i] = store.Trial{
			Number: int64(i), State: store.Complete, Design: d.AppendJSON(nil), Hash: d.Hash(),
			Values: map[string]float64{"acc": r.Float64(), "seconds": math.Ldexp(r.Float64(), r.IntN(200)-100), "zz": math.Inf(1)},
			Loss:   []float64{1}, Seconds: r.Float64(), Operator: "mutate", Parents: []int64{1, int64(i)},
		}
		if i%5 == 4 {
			trials[i].State, trials[i].Values, trials[i].Loss = store.Failed, nil, nil
			trials[i].Error = "exit code 1: \"no\",\nsecond line"
		}
	}
	return store.Study{Name: "mixed", Space: text, Metrics: metrics}, trials
}

func each(ts []store.Trial) Trials {
	return func(yield func(store.Trial, error) bool) {
		for _, t := range ts {
			if !yield(t, nil) {
				return
			}
		}
	}
}

func TestColumns(t *testing.T) {
	t.Parallel()
	study, trials := sample(t, 300, 1)
	tab, err := Scan(study, each(trials))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range tab.Columns {
		got = append(got, fmt.Sprintf("%s:%d", c.Name, c.Kind))
	}
	all := strings.Join(got, " ")
	// "state", "seconds" and "acc" are taken when the parameters and metrics
	// of these names come.
	want := "number:1 state:0 acc:2 metric.seconds:2 zz:2 lr:2 design.state:0 tile:1 mixed:2 fast:3 version:1 depth:1 block:0 block.conv.k:1 stem.k:1 stem.acc:3 stages:1 " +
		"stages[0].w:1 stages[0].op:0 stages[0].op.x.y:3 stages[1].w:1"
	if !strings.HasPrefix(all, want) {
		t.Errorf("columns\n%s\nwant them to begin with\n%s", all, want)
	}
	if i, j := strings.Index(all, "stages[2].w"), strings.Index(all, "stages[10].w"); i < 0 || j < i {
		t.Errorf("stages[2] stands at %d, stages[10] at %d; want numeric order", i, j)
	}
	if !strings.Contains(all, " widths:1 widths[0]:1 widths[1]:1 widths[2]:1 augment:0 order:0 net:0 violation:2 seconds:2 ") {
		t.Errorf("columns %s", all)
	}
}

// TestCSVHoldsTheDesigns puts the designs together again from the cells.
func TestCSVHoldsTheDesigns(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		study, trials := sample(t, 20, rapid.Uint64().Draw(t, "seed"))
		var b bytes.Buffer
		if err := WriteTrials(&b, CSV, study, each(trials)); err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(&b).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		if len(rows) != len(trials)+1 {
			t.Fatalf("%d rows of %d trials", len(rows), len(trials))
		}
		for i, row := range rows[1:] {
			cell := map[string]string{}
			for k, name := range rows[0] {
				cell[name] = row[k]
			}
			var d struct {
				LR      float64
				State   string
				Tile    int
				Fast    bool
				Depth   *int
				Block   map[string]struct{ K int }
				Stages  []struct{ W int }
				Widths  []int
				Augment []string
			}
			if err := json.Unmarshal(trials[i].Design, &d); err != nil {
				t.Fatal(err)
			}
			same := func(name, want string) {
				if cell[name] != want {
					t.Fatalf("trial %d: %s is %q, want %q; design %s", i, name, cell[name], want, trials[i].Design)
				}
			}
			if x, err := strconv.ParseFloat(cell["lr"], 64); err != nil || x != d.LR {
				t.Fatalf("lr is %q, want %v", cell["lr"], d.LR)
			}
			same("design.state", d.State)
			same("tile", strconv.Itoa(d.Tile))
			same("fast", strconv.FormatBool(d.Fast))
			if d.Depth == nil {
				same("depth", "")
			} else {
				same("depth", strconv.Itoa(*d.Depth))
			}
			for name, c := range d.Block {
				same("block", name)
				if name == "conv" {
					same("block.conv.k", strconv.Itoa(c.K))
				}
			}
			same("stages", strconv.Itoa(len(d.Stages)))
			for k, s := range d.Stages {
				same(fmt.Sprintf("stages[%d].w", k), strconv.Itoa(s.W))
			}
			same("widths", strconv.Itoa(len(d.Widths)))
			for k, x := range d.Widths {
				same(fmt.Sprintf("widths[%d]", k), strconv.Itoa(x))
			}
			var augment []string
			if err := json.Unmarshal([]byte(cell["augment"]), &augment); err != nil || cmp.Diff(append([]string{}, d.Augment...), append([]string{}, augment...)) != "" {
				t.Fatalf("augment is %s, want %v", cell["augment"], d.Augment)
			}
			if trials[i].State == store.Complete {
				if x, err := strconv.ParseFloat(cell["metric.seconds"], 64); err != nil || x != trials[i].Values["seconds"] {
					t.Fatalf("seconds is %q, want %v", cell["metric.seconds"], trials[i].Values["seconds"])
				}
				same("zz", "+Inf")
			} else {
				same("acc", "")
				same("error", trials[i].Error)
			}
			same("parents", fmt.Sprintf("1 %d", i))
		}
	})
}

// TestParquetSaysWhatCSVSays reads both back and compares cell by cell.
func TestParquetSaysWhatCSVSays(t *testing.T) {
	t.Parallel()
	study, trials := sample(t, 2500, 3)
	var text, binary bytes.Buffer
	if err := WriteTrials(&text, CSV, study, each(trials)); err != nil {
		t.Fatal(err)
	}
	if err := WriteTrials(&binary, Parquet, study, each(trials)); err != nil {
		t.Fatal(err)
	}
	want, err := csv.NewReader(&text).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	f, err := parquet.OpenFile(bytes.NewReader(binary.Bytes()), int64(binary.Len()))
	if err != nil {
		t.Fatal(err)
	}
	fields := f.Schema().Fields()
	for i, c := range fields {
		if c.Name() != want[0][i] {
			t.Fatalf("column %d is %q, want %q", i, c.Name(), want[0][i])
		}
	}
	lr := fields[5].Type().Kind()
	if number := fields[0].Type().Kind(); number != parquet.Int64 || lr != parquet.Double {
		t.Errorf("number is %v and lr is %v, want INT64 and DOUBLE", number, lr)
	}
	n := 1
	for _, g := range f.RowGroups() {
		rows := g.Rows()
		buf := make([]parquet.Row, 100)
		for {
			k, err := rows.ReadRows(buf)
			for _, row := range buf[:k] {
				for i, v := range row {
					cell := ""
					switch {
					case v.IsNull():
					case v.Kind() == parquet.Boolean:
						cell = strconv.FormatBool(v.Boolean())
					case v.Kind() == parquet.Int64:
						cell = strconv.FormatInt(v.Int64(), 10)
					case v.Kind() == parquet.Double:
						cell = Cell(v.Double())
					default:
						cell = string(v.ByteArray())
					}
					if cell != want[n][i] {
						t.Fatalf("row %d, column %s: %q, want %q", n, want[0][i], cell, want[n][i])
					}
				}
				n++
			}
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if n != len(want) {
		t.Errorf("%d rows, want %d", n-1, len(want)-1)
	}
}

func TestJSONKeepsDesignsNested(t *testing.T) {
	t.Parallel()
	study, trials := sample(t, 10, 4)
	sp, err := space.Parse("mixed.yaml", []byte(mixed))
	if err != nil {
		t.Fatal(err)
	}
	var lines, array bytes.Buffer
	if err := WriteTrials(&lines, JSONL, study, each(trials)); err != nil {
		t.Fatal(err)
	}
	if err := WriteTrials(&array, JSON, study, each(trials)); err != nil {
		t.Fatal(err)
	}
	type row struct {
		Number int64
		State  string
		Values map[string]*float64
		Design json.RawMessage
		Error  string
	}
	var all []row
	if err := json.Unmarshal(array.Bytes(), &all); err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(&lines)
	for i := range trials {
		var r row
		if err := d.Decode(&r); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r, all[i]); diff == "" && i == 0 {
			// the array is indented by nothing, so the raw designs are equal too
			if string(r.Design) != string(trials[i].Design) {
				t.Errorf("design %s, want %s", r.Design, trials[i].Design)
			}
		} else if diff != "" {
			t.Errorf("line and array differ: %s", diff)
		}
		back, err := sp.ParseJSON(r.Design)
		if err != nil || back.Hash() != trials[i].Hash {
			t.Errorf("design %s does not come back: %v", r.Design, err)
		}
		if trials[i].State == store.Complete && r.Values["zz"] != nil {
			t.Errorf("infinity is %v, want null", *r.Values["zz"])
		}
		if r.Error != trials[i].Error {
			t.Errorf("error %q, want %q", r.Error, trials[i].Error)
		}
	}
	array.Reset()
	if err := WriteTrials(&array, JSON, study, each(nil)); err != nil || json.Unmarshal(array.Bytes(), &all) != nil || len(all) != 0 {
		t.Errorf("no trials are written as %q (%v)", array.String(), err)
	}
}

func TestWrongInput(t *testing.T) {
	t.Parallel()
	study, trials := sample(t, 2, 5)
	boom := errors.New("boom")
	broken := func(yield func(store.Trial, error) bool) {
		if yield(trials[0], nil) {
			yield(store.Trial{}, boom)
		}
	}
	for _, f := range Formats() {
		if err := WriteTrials(io.Discard, Format(f), study, broken); !errors.Is(err, boom) {
			t.Errorf("%s: error %v, want %v", f, err, boom)
		}
	}
	odd := store.Trial{Number: 7, State: store.Complete, Design: []byte(`{"stages": 3}`)}
	if err := WriteTrials(io.Discard, CSV, study, each([]store.Trial{odd})); err == nil || !strings.Contains(err.Error(), "trial 7") {
		t.Errorf("a design of another shape: error %v, want it to name trial 7", err)
	}
	if _, err := ParseFormat("parket"); err == nil || !strings.Contains(err.Error(), `did you mean "parquet"`) {
		t.Errorf("error %v, want a suggestion", err)
	}
	if err := WriteTrials(io.Discard, "xml", study, each(trials)); err == nil {
		t.Error("format xml was written")
	}
}

func BenchmarkWriteTrials(b *testing.B) {
	study, trials := sample(b, 2000, 6)
	for _, f := range Formats() {
		b.Run(f, func(b *testing.B) {
			for b.Loop() {
				if err := WriteTrials(io.Discard, Format(f), study, each(trials)); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(trials)), "ns/trial")
		})
	}
}
