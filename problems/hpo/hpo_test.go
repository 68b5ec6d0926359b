package hpo

import (
	"archive/zip"
	"encoding/csv"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/problem/problemtest"
	"github.com/daedalus-search/daedalus/space"
)

func must(t testing.TB, o Options) *Problem {
	t.Helper()
	p, err := o.New()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestConformance(t *testing.T) {
	t.Parallel()
	problemtest.Run(t, must(t, Options{Dataset: "yacht", Trees: 20, Folds: 2}))
	problemtest.Run(t, must(t, Options{Dataset: "energy", Trees: 10, Folds: 2}))
}

// The embedded tables hold every number of the published ones.
func TestTablesAreThePublishedOnes(t *testing.T) {
	t.Parallel()
	const file = "../../../shared/data/tabular-uci/uci_regression.zip"
	z, err := zip.OpenReader(file)
	if err != nil {
		t.Skipf("%s is not there: the published tables are not part of the repository", file)
	}
	defer z.Close()
	for name, published := range map[string]string{"concrete": "concrete", "energy": "energy", "wine": "wine-quality-red", "yacht": "yacht", "power": "power-plant"} {
		f, err := z.Open(published + ".csv")
		if err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(f).ReadAll()
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		got, err := load(name)
		if err != nil || got.Rows() != len(rows)-1 {
			t.Fatalf("%s: %v, want %d rows", name, err, len(rows)-1)
		}
		for i, row := range rows[1:] {
			for j, text := range row {
				want, err := strconv.ParseFloat(text, 64)
				if err != nil {
					t.Fatal(err)
				}
				have := got.Y[i]
				if j < len(got.Columns) {
					have = got.Row(i)[j]
				}
				if have != want {
					t.Fatalf("%s: row %d, column %d is %v, want %v", name, i, j, have, want)
				}
			}
		}
	}
}

// Rows are parted without overlap, and no evaluation sees those put aside.
func TestSplits(t *testing.T) {
	t.Parallel()
	p := must(t, Options{Dataset: "concrete", Folds: 4})
	if p.unseen.Rows() != 206 || p.known.Rows() != 824 {
		t.Errorf("%d rows are put aside of %d, want 206 of 1,030", p.unseen.Rows(), p.unseen.Rows()+p.known.Rows())
	}
	total := 0
	for f := range p.train {
		if p.train[f].Rows()+p.valid[f].Rows() != 824 {
			t.Errorf("fold %d has %d and %d rows", f, p.train[f].Rows(), p.valid[f].Rows())
		}
		total += p.valid[f].Rows()
	}
	if total != 824 {
		t.Errorf("the folds validate on %d rows, want 824", total)
	}
	a, b := must(t, Options{}), must(t, Options{Split: 1})
	if slices.Equal(a.unseen.Y, b.unseen.Y) {
		t.Error("another split puts the same rows aside")
	}
}

// A sensible design learns, more trees learn more, and conditions are read.
func TestDesignsAreRead(t *testing.T) {
	t.Parallel()
	p := must(t, Options{Dataset: "concrete", Trees: 100, Folds: 2})
	make := func(text string) space.Design {
		d, err := p.Space().ParseJSON([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	d := make(`{"rate":0.1,"grow":{"leaves":{"leaves":31}},"min_leaf":5,"l2":1,"bins":255,"column_share":1,"rows":"all","loss":"squared"}`)
	v, err := p.Evaluate(t.Context(), d, nil)
	if err != nil || v["rmse"] > 6.5 || v["rmse"] < 3 || v["splits"] < 1000 {
		t.Errorf("measures %v, %v; a mean predicts with an error of 16.7 MPa, boosting with about 5", v, err)
	}
	few, err := p.EvaluateAt(t.Context(), d, 0.1, nil)
	if err != nil || few["rmse"] < 1.2*v["rmse"] || few["splits"] > v["splits"]/5 {
		t.Errorf("with 10 trees %v, %v; with 100 %v", few, err, v)
	}
	test, err := p.Verify(t.Context(), d)
	if err != nil || test["test_rmse"] > 6.5 {
		t.Errorf("on unseen rows %v, %v", test, err)
	}
	b, err := p.learner(make(`{"rate":0.05,"grow":{"depth":{"depth":3}},"min_leaf":7,"l2":0.5,"bins":64,"column_share":0.5,"rows":{"some":{"share":0.7}},"loss":{"huber":{"inner":0.8}}}`))
	if err != nil || b.Rate != 0.05 || b.Depth != 3 || b.Leaves != 8 || b.MinLeaf != 7 || b.L2 != 0.5 || b.Bins != 64 || b.ColumnShare != 0.5 || b.RowShare != 0.7 || b.Loss != "huber" || b.Inner != 0.8 {
		t.Errorf("read %+v, %v", b, err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{{Dataset: "boston"}, {Trees: 5}, {Folds: 1}, {Folds: 21}, {Trees: 20_000}} {
		if _, err := o.New(); err == nil || !strings.Contains(err.Error(), "found") {
			t.Errorf("%+v: %v, want an error", o, err)
		}
	}
	f, _ := reflect.TypeFor[Options]().FieldByName("Dataset")
	if got := strings.Fields(f.Tag.Get("oneof")); !slices.Equal(got, Datasets()) {
		t.Errorf("the tag names %v, the table %v", got, Datasets())
	}
}

func BenchmarkSuite(b *testing.B) {
	for _, name := range Datasets() {
		b.Run(name, func(b *testing.B) {
			p := must(b, Options{Dataset: name})
			r := rng.New(1, "benchmark", 0)
			best := math.Inf(1)
			for b.Loop() {
				v, err := p.Evaluate(b.Context(), p.Space().MustSample(r), nil)
				if err != nil {
					b.Fatal(err)
				}
				best = min(best, v["rmse"])
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "designs/s")
		})
	}
}
