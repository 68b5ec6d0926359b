package predict_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/predict"
	"github.com/daedalus-search/daedalus/space"
)

// encodeSpaces are the kinds of space, small.
func encodeSpaces() map[string]*space.Space {
	return map[string]*space.Space{
		"flat": space.MustNew(space.Float("rate", 1e-5, 1e-1).Log(), space.Int("units", 16, 256).Step(8), space.Ordinal("kernel", 3, 5, 7),
			space.Categorical("act", "relu", "gelu", "silu"), space.Bool("norm")),
		"conditional": space.MustNew(space.Choice("block",
			space.Case("conv", space.Ordinal("kernel", 3, 5, 7), space.Categorical("pad", "same", "valid")),
			space.Case("skip")), space.Bool("tiled"), space.Int("tile", 1, 16).When("tiled")),
		"repeated": space.MustNew(space.Repeat("stages", 1, 4, space.Categorical("op", "a", "b", "c"), space.Int("width", 8, 64)),
			space.Repeat("bits", 0, 3, space.Bool(""))),
		"selections": space.MustNew(space.Subset("augment", "flip", "crop", "cutout").Size(1, 3), space.Permutation("passes", "dce", "inline", "unroll")),
		"grammar": space.MustNew(space.Grammar("net", "M",
			space.Rule("M", space.Use("C").P(0.4), space.Use("M", "M")),
			space.Rule("C", space.Use("linear").Params(space.Ordinal("units", 16, 32), space.Categorical("act", "relu", "tanh"),
				space.Bool("bias"), space.Subset("extras", "a", "b", "c").Size(1, 2), space.Permutation("order", "x", "y", "z")),
				space.Use("norm"))).Depth(5)),
	}
}

// TestEncodeKinds checks on each kind of space that rows fit their columns, that
// decisions say what features say, and that different designs of spaces without
// grammars have different rows.
func TestEncodeKinds(t *testing.T) {
	for name, s := range encodeSpaces() {
		t.Run(name, func(t *testing.T) {
			hot, err := predict.OneHot(s)
			if err != nil {
				t.Fatal(err)
			}
			dec, err := predict.Decisions(s)
			if err != nil {
				t.Fatal(err)
			}
			names := map[string]bool{}
			for _, c := range append(append([]predict.Column{}, hot.Columns()...), dec.Columns()...) {
				if c.Name == "" {
					t.Error("a column without a name")
				}
				names[c.Name] = true
			}
			for _, e := range []predict.Encoder{hot, dec} {
				tb := &predict.Table{Columns: e.Columns()}
				seen := map[string]space.Design{}
				r := rng.New(1, "encode", 0)
				for range 300 {
					d := s.MustSample(r)
					x, err := e.Encode([]float64{7}, d)
					if err != nil {
						t.Fatal(err)
					}
					if len(x) != 1+len(tb.Columns) || x[0] != 7 {
						t.Fatalf("%d numbers appended for %d columns", len(x)-1, len(tb.Columns))
					}
					tb.Add(x[1:], 0)
					key := fmt.Sprint(x)
					if other, ok := seen[key]; ok && other != d && name != "grammar" {
						t.Fatalf("%s and %s have the row %s", other, d, key)
					}
					seen[key] = d
				}
				if err := tb.Validate(); err != nil {
					t.Fatal(err)
				}
				for j := range tb.Columns {
					varies := false
					for i := range tb.Y {
						a, b := tb.Row(i)[j], tb.Row(0)[j]
						varies = varies || a != b && !(a != a && b != b)
						if e == hot && a != a {
							t.Fatalf("one-hot column %q is NaN", tb.Columns[j].Name)
						}
					}
					if !varies {
						t.Errorf("column %q never varies", tb.Columns[j].Name)
					}
				}
			}
			if _, err := dec.Encode(nil, space.MustNew(space.Bool("other")).MustSample(rng.New(1, "", 0))); err == nil {
				t.Error("a design of another space was encoded")
			}
		})
	}
}

// TestDecisionsByHand checks rows that a person can read.
func TestDecisionsByHand(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		space, design string
		columns       string
		want          []float64
	}{
		{"flat", `{"rate":1e-3,"units":16,"kernel":5,"act":"silu","norm":true}`, "rate units kernel act/3 norm", []float64{0.5, 0, 0.5, 2, 1}},
		{"conditional", `{"block":{"skip":{}},"tiled":false}`, "block/2 block.conv.kernel block.conv.pad/2 tiled tile", []float64{1, nan, nan, 0, nan}},
		{"conditional", `{"block":{"conv":{"kernel":3,"pad":"valid"}},"tiled":true,"tile":16}`, "block/2 block.conv.kernel block.conv.pad/2 tiled tile", []float64{0, 0, 1, 1, 1}},
		{"selections", `{"augment":["crop"],"passes":["unroll","dce","inline"]}`, "augment∋flip augment∋crop augment∋cutout passes@dce passes@inline passes@unroll", []float64{0, 1, 0, 0.5, 1, 0}},
	} {
		s := encodeSpaces()[c.space]
		e, err := predict.Decisions(s)
		if err != nil {
			t.Fatal(err)
		}
		d, err := s.ParseJSON([]byte(c.design))
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, col := range e.Columns() {
			n := col.Name
			if col.Levels > 0 {
				n += fmt.Sprintf("/%d", col.Levels)
			}
			names = append(names, n)
		}
		if got := strings.Join(names, " "); got != c.columns {
			t.Errorf("%s: columns %s; expected %s", c.space, got, c.columns)
		}
		got, err := e.Encode(nil, d)
		if err != nil {
			t.Fatal(err)
		}
		for i, x := range got {
			if !(math.Abs(x-c.want[i]) < 1e-12 || x != x && c.want[i] != c.want[i]) {
				t.Errorf("%s: row %v; expected %v", c.design, got, c.want)
				break
			}
		}
	}
}

// TestGrammarAverages checks the columns of parameters of productions against
// the JSON of the design.
func TestGrammarAverages(t *testing.T) {
	s := encodeSpaces()["grammar"]
	e, err := predict.Decisions(s)
	if err != nil {
		t.Fatal(err)
	}
	column := map[string]int{}
	for j, c := range e.Columns() {
		column[c.Name] = j
	}
	r := rng.New(2, "grammar", 0)
	for range 200 {
		d := s.MustSample(r)
		x, err := e.Encode(nil, d)
		if err != nil {
			t.Fatal(err)
		}
		text := d.String()
		linear := float64(strings.Count(text, `"units":`))
		count := func(s string) float64 { return float64(strings.Count(text, s)) }
		for name, want := range map[string]float64{
			"units": count(`"units":32`) / linear, "act=tanh": count(`"act":"tanh"`) / linear, "bias": count(`"bias":true`) / linear,
		} {
			got := math.Inf(1)
			for n, j := range column {
				if strings.HasSuffix(n, "."+name) {
					got = x[j]
				}
			}
			if !(math.Abs(got-want) < 1e-12 || got != got && want != want) {
				t.Fatalf("%s: %s is %v; expected %v", text, name, got, want)
			}
		}
		if linear == 0 {
			continue
		}
		items, places := 0.0, 0.0
		for n, j := range column {
			if strings.Contains(n, "extras∋") {
				items += x[j]
			}
			if strings.Contains(n, "order@") {
				places += x[j]
			}
		}
		want := 0.0
		for _, part := range strings.Split(text, `"extras":[`)[1:] {
			want += float64(strings.Count(part[:strings.Index(part, "]")], `"`)) / 2 / linear
		}
		if math.Abs(items-want) > 1e-12 || math.Abs(places-1.5) > 1e-12 {
			t.Fatalf("%s: %v items and places that sum to %v; expected %v and 1.5", text, items, places, want)
		}
	}
}

func TestEncodeTooWide(t *testing.T) {
	s := space.MustNew(space.Repeat("a", 0, 1000, space.Repeat("b", 0, 1000, space.Repeat("c", 0, 1000, space.Bool("x")))))
	if _, err := predict.Decisions(s); !errors.Is(err, space.ErrNoLayout) {
		t.Errorf("error %v; expected ErrNoLayout", err)
	}
}

func BenchmarkEncodeDecisions(b *testing.B) {
	s := encodeSpaces()["repeated"]
	e, err := predict.Decisions(s)
	if err != nil {
		b.Fatal(err)
	}
	d := s.MustSample(rng.New(1, "", 0))
	var x []float64
	b.ReportAllocs()
	for b.Loop() {
		if x, err = e.Encode(x[:0], d); err != nil {
			b.Fatal(err)
		}
	}
}
