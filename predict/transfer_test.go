package predict

import (
	"bytes"
	"math"
	"slices"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
)

// transferTables are two tasks that differ by scale and a little bend.
func transferTables(n int, seed uint64) (a, b *Table) {
	r := rng.New(seed, "transfer/test", 0)
	cols := []Column{{Name: "x"}, {Name: "y"}, {Name: "z"}, {Name: "c", Levels: 3}}
	a, b = &Table{Columns: cols}, &Table{Columns: cols}
	for range n {
		x := []float64{rng.Norm(r), rng.Norm(r), rng.Norm(r), float64(r.IntN(3))}
		f := x[0]*x[1] + math.Abs(x[2]) + x[3]
		a.Add(x, f)
		b.Add(x, -100+7*f+2*x[0])
	}
	return a, b
}

// A backbone stays as it is, adapters need few labels, and chains of them are
// saved and loaded.
func TestTransfer(t *testing.T) {
	t.Parallel()
	a, _ := transferTables(300, 1)
	_, few := transferTables(20, 2)
	_, test := transferTables(300, 3)
	back, err := MLP{Members: 3, Width: 32, Steps: 1000}.Fit(t.Context(), a, 1)
	if err != nil {
		t.Fatal(err)
	}
	bytesOf := func(m Model) []byte {
		var b bytes.Buffer
		if err := Save(&b, m, a.Columns); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	before := bytesOf(back)
	m, err := Transfer{Backbone: back}.Fit(t.Context(), few, 1)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(before, bytesOf(back)) {
		t.Error("the backbone has changed")
	}
	scratch, err := MLP{Members: 3, Width: 32, Steps: 1000}.Fit(t.Context(), few, 1)
	if err != nil {
		t.Fatal(err)
	}
	if with, without := judge(m, test).Spearman, judge(scratch, test).Spearman; with < without+0.1 {
		t.Errorf("Spearman %.3f with a backbone and %.3f without", with, without)
	}
	chain, err := Transfer{Backbone: m}.Fit(t.Context(), few, 2)
	if err != nil {
		t.Fatal(err)
	}
	loaded, _, err := Load(bytes.NewReader(bytesOf(chain)))
	if err != nil {
		t.Fatal(err)
	}
	want, got := make([]float64, 300), make([]float64, 300)
	chain.Predict(test.X, want, nil)
	loaded.Predict(test.X, got, nil)
	if !slices.Equal(want, got) {
		t.Error("a loaded chain predicts differently")
	}
	if _, err := (Transfer{Backbone: back, Whole: true}).Fit(t.Context(), few, 1); err != nil {
		t.Error(err)
	}
	ridge, err := Ridge{}.Fit(t.Context(), few, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []Transfer{{}, {Backbone: ridge}, {Backbone: m, Whole: true}, {Backbone: back, Width: -1}, {Backbone: back, Rate: -1}} {
		if _, err := o.Fit(t.Context(), few, 1); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
}

// Statistics that make up the target halve the labels that it takes.
func TestPretrain(t *testing.T) {
	t.Parallel()
	r := rng.New(4, "pretrain/test", 0)
	var rows []float64
	stats := make([][]float64, 2)
	cols := make([]Column, 6)
	draw := func() (x []float64, p, q float64) {
		for range cols {
			x = append(x, float64(r.IntN(4)))
		}
		return x, x[0]*x[1] + x[2], x[3] * (x[4] + x[5])
	}
	for range 1000 {
		x, p, q := draw()
		rows, stats[0], stats[1] = append(rows, x...), append(stats[0], p), append(stats[1], q)
	}
	few, test := &Table{Columns: cols}, &Table{Columns: cols}
	for i := range 330 {
		x, p, q := draw()
		if y := math.Sqrt(p) + math.Sqrt(q); i < 30 {
			few.Add(x, y)
		} else {
			test.Add(x, y)
		}
	}
	net := MLP{Members: 2, Width: 32, Steps: 800}
	pre, err := Pretrain{Net: net}.Fit(t.Context(), cols, rows, stats, 1)
	if err != nil {
		t.Fatal(err)
	}
	with, err := pre.Fit(t.Context(), few, 1)
	if err != nil {
		t.Fatal(err)
	}
	without, err := net.Fit(t.Context(), few, 1)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := judge(with, test).Kendall, judge(without, test).Kendall; a < b+0.03 {
		t.Errorf("Kendall %.3f with statistics, %.3f without", a, b)
	}
	if _, err := pre.Fit(t.Context(), &Table{Columns: cols[:1], X: []float64{1}, Y: []float64{1}}, 1); err == nil {
		t.Error("a table of other columns: no error")
	}
	for _, f := range []func() error{
		func() error { _, err := Pretrain{}.Fit(t.Context(), cols, rows, nil, 1); return err },
		func() error { _, err := Pretrain{}.Fit(t.Context(), cols, rows, [][]float64{{1}}, 1); return err },
		func() error { _, err := Pretrain{Frozen: 2}.Fit(t.Context(), cols, rows, stats, 1); return err },
		func() error {
			_, err := Pretrain{Net: MLP{Loss: "hinge"}}.Fit(t.Context(), cols, rows, stats, 1)
			return err
		},
	} {
		if f() == nil {
			t.Error("no error")
		}
	}
}

func TestStackWeights(t *testing.T) {
	t.Parallel()
	r := rng.New(5, "stack/test", 0)
	const n = 500
	y, w := make([]float64, n), make([]float64, n)
	pred := make([][]float64, 4)
	for i := range y {
		y[i], w[i] = rng.Norm(r), 1
		pred[0] = append(pred[0], y[i]+0.5*rng.Norm(r))
		pred[1] = append(pred[1], y[i]+rng.Norm(r))
		pred[2] = append(pred[2], rng.Norm(r))
		pred[3] = append(pred[3], pred[0][i]) // a twin
	}
	got := stackWeights(pred, y, w)
	sum := 0.0
	for _, v := range got {
		if v < 0 {
			t.Fatalf("weights %v", got)
		}
		sum += v
	}
	// Independent errors of variance ¼ and 1 mix best as 4 to 1.
	if both := got[0] + got[3]; math.Abs(sum-1) > 1e-9 || math.Abs(both-0.8) > 0.06 || got[2] > 0.1 {
		t.Errorf("weights %v, want about 0.8 for the first and last, 0.2, 0", got)
	}
}
