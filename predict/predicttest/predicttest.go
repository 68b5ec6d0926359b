// Package predicttest holds the laws of package predict as tests that every
// learner must pass, those of other modules too.
//
//	func TestBoosted(t *testing.T) {
//		predicttest.Run(t, predict.Boosted{}, predicttest.RowOrder(1e-9))
//	}
//
// The laws are:
//
//   - Deterministic: the same table and seed give the same predictions, bit by
//     bit, and the table is left as it was.
//   - RowOrder: with [RowOrder], the order of the rows does not matter.
//   - ConstantTarget: a constant is predicted as that constant.
//   - OneRow, DuplicateRows: tables of one row, and of one row many times.
//   - MissingEverywhere: a third of all values, and whole columns, are missing.
//   - UnseenCategories: rows may hold categories that no training row held.
//   - ConstantColumns: columns that say nothing do no harm.
//   - ManyColumns: a thousand columns of forty rows.
//   - BeatsTheMean: on an easy function of numbers and categories, on rows not
//     trained on, the error is below that of the mean.
//   - Scale: targets from 1e-9 to 1e12 far from 0 are learned like those near 1.
//   - Weights: heavy rows pull, and equal weights are no weights.
//   - Deviation: the standard deviation is NaN or not negative; without one
//     asked for, the means are the same.
//   - RowsAreIndependent: a row is predicted alike alone and among others.
//   - Concurrent: a model is used by many at once.
//   - Cancel: Fit returns promptly when its context ends.
//   - SaveLoad: a saved model predicts the same bits (unless [NotSaved]).
//   - BadTables: each kind of bad table is refused with an error that says what
//     is wrong.
package predicttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/predict"
)

// An Option tells [Run] what to expect of a learner.
type Option func(*suite)

// RowOrder declares that the order of the training rows does not matter, up to
// a share of the target's spread.
func RowOrder(tolerance float64) Option { return func(s *suite) { s.order = tolerance } }

// NotSaved declares that models cannot be saved.
func NotSaved() Option { return func(s *suite) { s.notSaved = true } }

// Ranks declares that predictions are only meant to be in the right order, and
// are not checked against the target itself.
func Ranks() Option { return func(s *suite) { s.ranks = true } }

// IgnoresWeights declares that the learner ignores weights, as its
// documentation must say.
func IgnoresWeights() Option { return func(s *suite) { s.weightless = true } }

// NumbersOnly declares that the learner must refuse columns of categories.
func NumbersOnly() Option { return func(s *suite) { s.numbers = true } }

// NoMissing declares that the learner must refuse missing values.
func NoMissing() Option { return func(s *suite) { s.complete = true } }

// Rows sets how many training rows the larger laws use; the default is 160.
func Rows(n int) Option { return func(s *suite) { s.rows = n } }

// ZeroOne declares that the target must be 0 or 1, and makes it so.
func ZeroOne() Option { return func(s *suite) { s.binary = true } }

// AtLeast declares that the learner refuses tables of fewer rows, with an error
// that says so.
func AtLeast(rows int) Option { return func(s *suite) { s.least = rows } }

type suite struct {
	learner    predict.Learner
	order      float64
	notSaved   bool
	ranks      bool
	weightless bool
	numbers    bool
	complete   bool
	binary     bool
	rows       int
	least      int
}

// Run checks every law.
func Run(t *testing.T, learner predict.Learner, options ...Option) {
	s := &suite{learner: learner, order: -1, rows: 160}
	for _, o := range options {
		o(s)
	}
	for _, law := range []struct {
		name  string
		check func(*suite, *testing.T)
	}{
		{"Deterministic", (*suite).deterministic},
		{"RowOrder", (*suite).rowOrder},
		{"ConstantTarget", (*suite).constantTarget},
		{"OneRow", (*suite).oneRow},
		{"DuplicateRows", (*suite).duplicateRows},
		{"MissingEverywhere", (*suite).missing},
		{"UnseenCategories", (*suite).unseen},
		{"ConstantColumns", (*suite).constantColumns},
		{"ManyColumns", (*suite).manyColumns},
		{"BeatsTheMean", (*suite).beatsMean},
		{"Scale", (*suite).scale},
		{"Weights", (*suite).weights},
		{"Deviation", (*suite).deviation},
		{"RowsAreIndependent", (*suite).independent},
		{"Concurrent", (*suite).concurrent},
		{"Cancel", (*suite).cancel},
		{"SaveLoad", (*suite).saveLoad},
		{"BadTables", (*suite).badTables},
	} {
		t.Run(law.name, func(t *testing.T) { law.check(s, t) })
	}
}

// levels is the number of categories of the second kind of column of [Table].
const levels = 5

// Table returns n rows of an easy function with a little noise: three numbers,
// one of them without effect, and a category, which [NumbersOnly] leaves out.
// One value in twenty is missing.
func Table(n int, seed uint64) *predict.Table { return (&suite{}).table(n, seed) }

func (s *suite) table(n int, seed uint64) *predict.Table {
	r := rng.New(seed, "predicttest", 0)
	t := &predict.Table{Columns: []predict.Column{{Name: "a"}, {Name: "b"}, {Name: "noise"}}}
	if !s.numbers {
		t.Columns = append(t.Columns, predict.Column{Name: "kind", Levels: levels})
	}
	for range n {
		a, b, c, kind := r.Float64(), r.Float64(), r.Float64(), r.IntN(levels-1)
		y := float64(3*a) + float64(2*float64(b*b)) + 0.05*rng.Norm(r)
		row := []float64{a, b, c}
		if !s.numbers {
			y += []float64{0, 1.5, -1, 0.5}[kind]
			row = append(row, float64(kind))
		}
		if !s.complete {
			for j := range row {
				if r.IntN(20) == 0 {
					row[j] = math.NaN()
				}
			}
		}
		if s.binary {
			y = oneIf(y > 2.6)
		}
		t.Add(row, y)
	}
	return t
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (s *suite) fit(t *testing.T, tb *predict.Table, seed uint64) predict.Model {
	t.Helper()
	m, err := s.learner.Fit(t.Context(), tb, seed)
	if err != nil {
		t.Fatalf("Fit of %d rows of %d columns: %v", tb.Rows(), len(tb.Columns), err)
	}
	if m == nil {
		t.Fatal("Fit returned neither a model nor an error")
	}
	return m
}

// predict predicts rows and checks what every prediction must be.
func (s *suite) predict(t *testing.T, m predict.Model, x []float64, columns int) (mean, sd []float64) {
	t.Helper()
	n := len(x) / columns
	mean, sd = make([]float64, n), make([]float64, n)
	for i := range mean {
		mean[i], sd[i] = math.Inf(1), math.Inf(-1)
	}
	before := slices.Clone(x)
	m.Predict(x, mean, sd)
	if !same(before, x) {
		t.Fatal("Predict changed the rows")
	}
	for i := range mean {
		if math.IsNaN(mean[i]) || math.IsInf(mean[i], 0) {
			t.Fatalf("the prediction of row %d is %v", i, mean[i])
		}
		if sd[i] < 0 || math.IsInf(sd[i], 0) {
			t.Fatalf("the standard deviation of row %d is %v; expected NaN or 0 and more", i, sd[i])
		}
	}
	return mean, sd
}

// same compares numbers bit by bit, NaN equal to NaN.
func same(a, b []float64) bool {
	return slices.EqualFunc(a, b, func(x, y float64) bool { return x == y || math.IsNaN(x) && math.IsNaN(y) })
}

func (s *suite) deterministic(t *testing.T) {
	tb, probe := s.table(s.rows, 1), s.table(50, 2)
	before := &predict.Table{Columns: slices.Clone(tb.Columns), X: slices.Clone(tb.X), Y: slices.Clone(tb.Y)}
	m1, sd1 := s.predict(t, s.fit(t, tb, 7), probe.X, len(tb.Columns))
	m2, sd2 := s.predict(t, s.fit(t, tb, 7), probe.X, len(tb.Columns))
	if !same(m1, m2) || !same(sd1, sd2) {
		t.Error("two fits of the same table and seed predict differently")
	}
	if !same(before.X, tb.X) || !same(before.Y, tb.Y) || !slices.Equal(before.Columns, tb.Columns) || tb.Weight != nil {
		t.Error("Fit changed the table")
	}
}

func (s *suite) rowOrder(t *testing.T) {
	if s.order < 0 {
		t.Skip("not declared with RowOrder")
	}
	tb, probe := s.table(s.rows, 1), s.table(50, 2)
	rows := rng.New(3, "predicttest/order", 0).Perm(tb.Rows())
	a, _ := s.predict(t, s.fit(t, tb, 7), probe.X, len(tb.Columns))
	b, _ := s.predict(t, s.fit(t, tb.Select(rows), 7), probe.X, len(tb.Columns))
	limit := s.order * spread(tb.Y)
	for i := range a {
		if d := math.Abs(a[i] - b[i]); d > limit {
			t.Fatalf("row %d is predicted as %v, and as %v after the rows were shuffled; expected at most %v between", i, a[i], b[i], limit)
		}
	}
}

func spread(y []float64) float64 { return slices.Max(y) - slices.Min(y) }

func (s *suite) constantTarget(t *testing.T) {
	values := []float64{0, 3.25, -1e6}
	if s.binary {
		values = []float64{0, 1}
	}
	for _, want := range values {
		tb := s.table(40, 4)
		for i := range tb.Y {
			tb.Y[i] = want
		}
		mean, _ := s.predict(t, s.fit(t, tb, 1), tb.X, len(tb.Columns))
		if s.ranks {
			continue
		}
		tolerance := 1e-6 * max(math.Abs(want), 1)
		if s.binary {
			tolerance = 0.1
		}
		for i, got := range mean {
			if math.Abs(got-want) > tolerance {
				t.Fatalf("all targets are %v, and row %d is predicted as %v", want, i, got)
			}
		}
	}
}

func (s *suite) oneRow(t *testing.T) {
	tb, probe := s.table(1, 5), s.table(20, 6)
	if s.least > 1 {
		s.refused(t, tb, "rows")
		return
	}
	mean, _ := s.predict(t, s.fit(t, tb, 1), probe.X, len(tb.Columns))
	if s.ranks || s.binary {
		return
	}
	for i, got := range mean {
		if math.Abs(got-tb.Y[0]) > 1e-6*max(math.Abs(tb.Y[0]), 1) {
			t.Fatalf("the only target is %v, and row %d is predicted as %v", tb.Y[0], i, got)
		}
	}
}

func (s *suite) duplicateRows(t *testing.T) {
	one := s.table(1, 7)
	tb := &predict.Table{Columns: one.Columns}
	sum := 0.0
	for i := range 30 {
		y := float64(i % 2)
		tb.Add(one.X, y)
		sum += y
	}
	mean, _ := s.predict(t, s.fit(t, tb, 1), one.X, len(tb.Columns))
	if want := sum / 30; !s.ranks && math.Abs(mean[0]-want) > 0.25 {
		t.Errorf("a row with the mean %v is predicted as %v", want, mean[0])
	}
	// Every row twice.
	half := s.table(40, 8)
	twice := half.Select(slices.Repeat(indices(40), 2))
	s.predict(t, s.fit(t, twice, 1), half.X, len(tb.Columns))
}

func indices(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

func (s *suite) missing(t *testing.T) {
	tb := s.table(80, 9)
	r := rng.New(1, "predicttest/missing", 0)
	for i := range tb.X {
		if r.IntN(3) == 0 || i%len(tb.Columns) == 1 {
			tb.X[i] = math.NaN()
		}
	}
	if s.complete {
		s.refused(t, tb, "missing")
		return
	}
	s.predict(t, s.fit(t, tb, 1), tb.X, len(tb.Columns))
	for i := range tb.X {
		tb.X[i] = math.NaN()
	}
	m := s.fit(t, tb, 1)
	s.predict(t, m, s.table(20, 10).X, len(tb.Columns))
	// Nothing missing in training, everything later.
	full := (&suite{complete: true, numbers: s.numbers, binary: s.binary}).table(80, 11)
	s.predict(t, s.fit(t, full, 1), tb.X, len(tb.Columns))
}

func (s *suite) refused(t *testing.T, tb *predict.Table, word string) {
	t.Helper()
	_, err := s.learner.Fit(t.Context(), tb, 1)
	if err == nil || !strings.Contains(err.Error(), word) {
		t.Errorf("Fit: %v; expected an error that says %q", err, word)
	}
}

func (s *suite) unseen(t *testing.T) {
	tb := s.table(80, 12)
	if s.numbers {
		tb.Columns = slices.Clone(tb.Columns)
		tb.Columns[0].Levels = 3
		for i := range tb.Y {
			tb.X[i*len(tb.Columns)] = float64(i % 3)
		}
		s.refused(t, tb, "categor")
		return
	}
	d := len(tb.Columns)
	probe := s.table(20, 13)
	for i := range probe.Y {
		probe.X[i*d+d-1] = levels - 1
	}
	mean, _ := s.predict(t, s.fit(t, tb, 1), probe.X, d)
	if s.ranks {
		return
	}
	margin := 2 * spread(tb.Y)
	for i, got := range mean {
		if got < slices.Min(tb.Y)-margin || got > slices.Max(tb.Y)+margin {
			t.Fatalf("row %d holds an unseen category and is predicted as %v; targets lie in [%v, %v]", i, got, slices.Min(tb.Y), slices.Max(tb.Y))
		}
	}
	// Ten thousand levels, few of them seen.
	wide := s.table(60, 14)
	wide.Columns = slices.Clone(wide.Columns)
	wide.Columns[d-1].Levels = 10_000
	r := rng.New(1, "predicttest/levels", 0)
	for i := range wide.Y {
		wide.X[i*d+d-1] = float64(r.IntN(10_000))
	}
	m := s.fit(t, wide, 1)
	for i := range probe.Y {
		probe.X[i*d+d-1] = float64(r.IntN(10_000))
	}
	s.predict(t, m, probe.X, d)
}

func (s *suite) constantColumns(t *testing.T) {
	tb, probe := s.table(s.rows, 15), s.table(100, 16)
	widen := func(in *predict.Table) *predict.Table {
		out := &predict.Table{Columns: append([]predict.Column{{Name: "zero"}, {Name: "large"}}, in.Columns...), Y: in.Y}
		for i := range in.Y {
			out.X = append(append(out.X, 0, 1e9), in.Row(i)...)
		}
		return out
	}
	tb, probe = widen(tb), widen(probe)
	mean, _ := s.predict(t, s.fit(t, tb, 1), probe.X, len(tb.Columns))
	s.better(t, "with constant columns", tb, probe, mean)
	// Nothing but constants.
	flat := &predict.Table{Columns: tb.Columns[:2]}
	for i := range 30 {
		flat.Add([]float64{0, 1e9}, float64(i%2))
	}
	s.predict(t, s.fit(t, flat, 1), flat.X, 2)
}

func (s *suite) manyColumns(t *testing.T) {
	const d, n = 1000, 40
	r := rng.New(1, "predicttest/wide", 0)
	tb := &predict.Table{Columns: make([]predict.Column, d)}
	for j := range tb.Columns {
		tb.Columns[j].Name = fmt.Sprintf("x%d", j)
	}
	row := make([]float64, d)
	for range n {
		for j := range row {
			row[j] = r.Float64()
		}
		y := row[0]
		if s.binary {
			y = oneIf(y > 0.5)
		}
		tb.Add(row, y)
	}
	s.predict(t, s.fit(t, tb, 1), tb.X, d)
}

// better checks that predictions of rows not trained on are better than the
// mean of those trained on.
func (s *suite) better(t *testing.T, what string, tb, probe *predict.Table, mean []float64) {
	t.Helper()
	if s.ranks {
		if c := concordance(mean, probe.Y); c < 0.7 {
			t.Errorf("%s: %.2f of the pairs are in the right order; expected 0.7 at least", what, c)
		}
		return
	}
	base := 0.0
	for _, y := range tb.Y {
		base += y / float64(len(tb.Y))
	}
	var got, want float64
	for i, y := range probe.Y {
		got += float64((mean[i] - y) * (mean[i] - y))
		want += float64((base - y) * (base - y))
	}
	if !(got < 0.6*want) {
		t.Errorf("%s: the squared error is %.3g of the mean's; expected less than 0.6", what, got/want)
	}
}

// concordance is the share of pairs with different targets that are in order.
func concordance(a, y []float64) float64 {
	right, all := 0.0, 0.0
	for i := range y {
		for j := range i {
			if y[i] == y[j] {
				continue
			}
			all++
			switch {
			case a[i] == a[j]:
				right += 0.5
			case a[i] < a[j] == (y[i] < y[j]):
				right++
			}
		}
	}
	return right / all
}

func (s *suite) beatsMean(t *testing.T) {
	for seed := range uint64(3) {
		tb, probe := s.table(s.rows, 20+seed), s.table(200, 30+seed)
		mean, _ := s.predict(t, s.fit(t, tb, seed), probe.X, len(tb.Columns))
		s.better(t, fmt.Sprintf("seed %d", seed), tb, probe, mean)
	}
}

func (s *suite) scale(t *testing.T) {
	if s.binary || s.ranks {
		t.Skip("the target has no scale")
	}
	for _, by := range []struct{ scale, shift float64 }{{1e-9, 0}, {1e12, 0}, {1, 1e6}, {-1, 0}} {
		tb, probe := s.table(s.rows, 1), s.table(100, 2)
		for _, x := range []*predict.Table{tb, probe} {
			for i := range x.Y {
				x.Y[i] = float64(x.Y[i]*by.scale) + by.shift
			}
		}
		mean, _ := s.predict(t, s.fit(t, tb, 1), probe.X, len(tb.Columns))
		s.better(t, fmt.Sprintf("targets times %g plus %g", by.scale, by.shift), tb, probe, mean)
	}
}

func (s *suite) weights(t *testing.T) {
	tb, probe := s.table(s.rows, 40), s.table(50, 41)
	m := s.fit(t, tb, 1)
	plain, _ := s.predict(t, m, probe.X, len(tb.Columns))
	ones := *tb
	ones.Weight = slices.Repeat([]float64{1}, tb.Rows())
	equal, _ := s.predict(t, s.fit(t, &ones, 1), probe.X, len(tb.Columns))
	limit := 1e-6 * spread(tb.Y)
	for i := range plain {
		if d := math.Abs(plain[i] - equal[i]); d > limit {
			t.Fatalf("row %d is predicted as %v without weights and as %v with weights of 1", i, plain[i], equal[i])
		}
	}
	if s.weightless || s.ranks {
		return
	}
	// Two answers to the same rows: the heavy one must be heard more. A bootstrap
	// sample holds only the light one of 37 pairs in 100.
	both := &predict.Table{Columns: tb.Columns}
	for i := range tb.Y {
		both.Add(tb.Row(i), 0)
	}
	for i := range tb.Y {
		both.Add(tb.Row(i), 1)
	}
	for i := range both.Y {
		both.Weight = append(both.Weight, 1+99*both.Y[i])
	}
	mean, _ := s.predict(t, s.fit(t, both, 1), tb.X, len(tb.Columns))
	sum := 0.0
	for _, x := range mean {
		sum += x / float64(len(mean))
	}
	if sum < 0.6 {
		t.Errorf("rows of target 1 weigh 100 times those of target 0, and the mean prediction is %.3g; expected at least 0.6", sum)
	}
}

func (s *suite) deviation(t *testing.T) {
	tb, probe := s.table(s.rows, 42), s.table(50, 43)
	m := s.fit(t, tb, 1)
	mean, _ := s.predict(t, m, probe.X, len(tb.Columns))
	alone := make([]float64, len(mean))
	m.Predict(probe.X, alone, nil)
	if !same(mean, alone) {
		t.Error("the means differ when no standard deviation is asked for")
	}
	m.Predict(nil, nil, nil)
}

func (s *suite) independent(t *testing.T) {
	tb, probe := s.table(s.rows, 44), s.table(130, 45)
	d := len(tb.Columns)
	m := s.fit(t, tb, 1)
	mean, sd := s.predict(t, m, probe.X, d)
	for _, i := range []int{0, 1, 63, 64, 129} {
		one, dev := s.predict(t, m, probe.X[i*d:(i+1)*d], d)
		// Blocked sums of linear algebra may round differently.
		if near := 1e-12 * (1 + math.Abs(mean[i])); !(math.Abs(one[0]-mean[i]) <= near) || math.IsNaN(dev[0]) != math.IsNaN(sd[i]) || math.Abs(dev[0]-sd[i]) > 1e-6*(1+sd[i]) {
			t.Errorf("row %d is predicted as %v ± %v among others and as %v ± %v alone", i, mean[i], sd[i], one[0], dev[0])
		}
	}
}

func (s *suite) concurrent(t *testing.T) {
	tb, probe := s.table(s.rows, 46), s.table(100, 47)
	m := s.fit(t, tb, 1)
	want, wantSD := s.predict(t, m, probe.X, len(tb.Columns))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			mean, sd := make([]float64, len(want)), make([]float64, len(want))
			m.Predict(probe.X, mean, sd)
			if !same(mean, want) || !same(sd, wantSD) {
				t.Error("predictions made at the same time differ")
			}
		})
	}
	wg.Wait()
}

func (s *suite) cancel(t *testing.T) {
	tb := s.table(4000, 48)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	start := time.Now()
	if _, err := s.learner.Fit(ctx, tb, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("Fit with an ended context: %v; expected %v", err, context.Canceled)
	}
	ctx, stop = context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer stop()
	if _, err := s.learner.Fit(ctx, tb, 1); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Fit whose context ends: %v", err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("Fit returned %v after its context ended", took)
	}
}

func (s *suite) saveLoad(t *testing.T) {
	tb, probe := s.table(s.rows, 49), s.table(60, 50)
	m := s.fit(t, tb, 1)
	var file bytes.Buffer
	err := predict.Save(&file, m, tb.Columns)
	if s.notSaved {
		if err == nil {
			t.Error("the model was declared not to be saved, and was")
		}
		return
	}
	if err != nil {
		t.Fatalf("Save: %v", err)
	}
	text := file.Bytes()
	back, columns, err := predict.Load(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	if !slices.Equal(columns, tb.Columns) {
		t.Errorf("the columns are %v; saved were %v", columns, tb.Columns)
	}
	want, wantSD := s.predict(t, m, probe.X, len(tb.Columns))
	got, gotSD := s.predict(t, back, probe.X, len(tb.Columns))
	if !same(want, got) || !same(wantSD, gotSD) {
		t.Error("the loaded model predicts differently")
	}
	var again bytes.Buffer
	if err := predict.Save(&again, back, columns); err != nil || !bytes.Equal(again.Bytes(), text) {
		t.Errorf("a loaded model saves to other bytes (%v)", err)
	}
	for _, cut := range []int{0, 10, len(text) / 2, len(text) - 1} {
		if _, _, err := predict.Load(bytes.NewReader(text[:cut])); err == nil {
			t.Errorf("a file cut to %d of %d bytes was loaded", cut, len(text))
		}
	}
}

func (s *suite) badTables(t *testing.T) {
	for _, bad := range []struct {
		name, word string
		make       func(*predict.Table)
	}{
		{"no rows", "rows", func(tb *predict.Table) { tb.X, tb.Y = nil, nil }},
		{"no columns", "columns", func(tb *predict.Table) { tb.Columns, tb.X = nil, nil }},
		{"ragged", "numbers", func(tb *predict.Table) { tb.X = tb.X[1:] }},
		{"NaN target", "target of row 3", func(tb *predict.Table) { tb.Y[3] = math.NaN() }},
		{"infinite target", "target of row 4", func(tb *predict.Table) { tb.Y[4] = math.Inf(-1) }},
		{"infinite value", `column "b"`, func(tb *predict.Table) { tb.X[1] = math.Inf(1) }},
		{"few weights", "weights", func(tb *predict.Table) { tb.Weight = []float64{1} }},
		{"zero weight", "weight of row 2", func(tb *predict.Table) {
			tb.Weight = slices.Repeat([]float64{1}, tb.Rows())
			tb.Weight[2] = 0
		}},
		{"half a category", "category", func(tb *predict.Table) {
			tb.Columns = slices.Clone(tb.Columns)
			tb.Columns[0].Levels = 2
			tb.X[0] = 0.5
		}},
	} {
		tb := s.table(20, 51)
		bad.make(tb)
		_, err := s.learner.Fit(t.Context(), tb, 1)
		if err == nil || !strings.Contains(err.Error(), bad.word) {
			t.Errorf("%s: %v; expected an error that says %q", bad.name, err, bad.word)
		}
	}
	if _, err := s.learner.Fit(t.Context(), &predict.Table{Columns: []predict.Column{{Name: "a"}}}, 1); !errors.Is(err, predict.ErrNoRows) {
		t.Errorf("a table without rows: %v; expected ErrNoRows", err)
	}
}
