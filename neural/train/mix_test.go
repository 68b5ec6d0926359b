package train

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/daedalus-search/daedalus/internal/detmath"
	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/data"
	"github.com/daedalus-search/daedalus/neural/nets"
	"github.com/daedalus-search/daedalus/neural/train/engine"
)

// Shares have the moments of Beta(α, α): a mean of 1/2, a variance of 1/(4(2α+1)), and a
// fourth central moment of 3/(16(2α+1)(2α+3)).
func TestBeta(t *testing.T) {
	t.Parallel()
	const n = 20000
	for _, alpha := range []float64{0.01, 0.2, 1, 3, 50} {
		r := rng.New(7, "train/beta", 0)
		var mean, second, fourth float64
		for range n {
			x := beta(alpha, r)
			if !(x >= 0 && x <= 1) {
				t.Fatalf("α = %g: %g", alpha, x)
			}
			d := x - 0.5
			mean += d / n
			second += d * d / n
			fourth += d * d * d * d / n
		}
		v, f := 1/(4*(2*alpha+1)), 3/(16*(2*alpha+1)*(2*alpha+3))
		// Five standard errors of each mean; the eighth moment is at most a sixteenth of the
		// fourth.
		if e := 5 * math.Sqrt(v/n); math.Abs(mean) > e {
			t.Errorf("α = %g: mean 0.5%+g, want within %g", alpha, mean, e)
		}
		if e := 5 * math.Sqrt((f-v*v)/n); math.Abs(second-v) > e {
			t.Errorf("α = %g: variance %g, want %g within %g", alpha, second, v, e)
		}
		if e := 5 * math.Sqrt(f/16/n); math.Abs(fourth-f) > e {
			t.Errorf("α = %g: fourth moment %g, want %g within %g", alpha, fourth, f, e)
		}
	}
}

// mixedOf returns a batch of noise before and after a step mixes it.
func mixedOf(m *mix, n int, step int64, numbers int) (before, after *engine.Batch) {
	r := rng.New(3, "train/mixed", uint64(step))
	before = &engine.Batch{N: n, Inputs: [][]float32{make([]float32, n*numbers)}, Classes: make([]int32, n)}
	for k := range before.Inputs[0] {
		before.Inputs[0][k] = float32(rng.Norm(r))
	}
	for i := range before.Classes {
		before.Classes[i] = int32(r.IntN(m.classes))
	}
	after = &engine.Batch{N: n, Inputs: [][]float32{slices.Clone(before.Inputs[0])}, Classes: slices.Clone(before.Classes)}
	m.do(after, step)
	return before, after
}

// labelsOf returns the labels that stand where a teacher's logits do.
func labelsOf(b *engine.Batch, classes int) []float64 {
	p := make([]float64, len(b.Teacher))
	for i := range b.N {
		sum := 0.0
		for c := range classes {
			p[i*classes+c] = detmath.Exp(float64(b.Teacher[i*classes+c]))
			sum += p[i*classes+c]
		}
		for c := range classes {
			p[i*classes+c] /= sum
		}
	}
	return p
}

// Inputs and labels are mixed in the same share, which is the same for a whole batch.
func TestMixup(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := &mix{
			seed: rapid.Uint64().Draw(t, "seed"), mixup: rapid.SampledFrom([]float64{0.1, 1, 4}).Draw(t, "α"),
			smoothing: rapid.SampledFrom([]float64{0, 0.1}).Draw(t, "smoothing"), classes: rapid.IntRange(2, 6).Draw(t, "classes"),
		}
		n, step, numbers := rapid.IntRange(1, 9).Draw(t, "n"), rapid.Int64Range(0, 1000).Draw(t, "step"), 5
		before, after := mixedOf(m, n, step, numbers)
		share := beta(m.mixup, rng.New(m.seed, "train/mix", uint64(step)))
		labels := labelsOf(after, m.classes)
		for i := range n {
			j := n - 1 - i
			for k := range numbers {
				want := share*float64(before.Inputs[0][i*numbers+k]) + (1-share)*float64(before.Inputs[0][j*numbers+k])
				if i == j {
					want = float64(before.Inputs[0][i*numbers+k])
				}
				if got := float64(after.Inputs[0][i*numbers+k]); math.Abs(got-want) > 1e-5 {
					t.Fatalf("example %d, number %d is %g, want %g", i, k, got, want)
				}
			}
			for c := range m.classes {
				want := m.smoothing / float64(m.classes)
				if int(before.Classes[i]) == c {
					want += (1 - m.smoothing) * share
				}
				if int(before.Classes[j]) == c {
					want += (1 - m.smoothing) * (1 - share)
				}
				if got := labels[i*m.classes+c]; math.Abs(got-want) > 1e-5 {
					t.Fatalf("example %d, class %d has the share %g, want %g (λ = %g)", i, c, got, want, share)
				}
			}
		}
		_, again := mixedOf(m, n, step, numbers)
		if !slices.Equal(again.Inputs[0], after.Inputs[0]) || !slices.Equal(again.Teacher, after.Teacher) {
			t.Fatal("another time it is mixed in another way")
		}
	})
}

// CutMix takes a rectangle from the other image, and its share of the label.
func TestCutMix(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c, h, w := rapid.SampledFrom([]int{1, 3}).Draw(t, "channels"), rapid.IntRange(1, 9).Draw(t, "height"), rapid.IntRange(1, 9).Draw(t, "width")
		m := &mix{seed: rapid.Uint64().Draw(t, "seed"), cutmix: rapid.SampledFrom([]float64{0.2, 1}).Draw(t, "α"), classes: 3, image: neural.Shape{c, h, w}}
		n, step := 2*rapid.IntRange(1, 4).Draw(t, "half"), rapid.Int64Range(0, 1000).Draw(t, "step")
		before, after := mixedOf(m, n, step, c*h*w)
		labels := labelsOf(after, 3)
		for i := range n {
			j := n - 1 - i
			at := func(b *engine.Batch, i, y, x, k int) float32 { return b.Inputs[0][((i*h+y)*w+x)*c+k] }
			top, left, bottom, right, other := h, w, 0, 0, 0
			for y := range h {
				for x := range w {
					own := true
					for k := range c {
						own = own && at(after, i, y, x, k) == at(before, i, y, x, k)
						if got := at(after, i, y, x, k); got != at(before, i, y, x, k) && got != at(before, j, y, x, k) {
							t.Fatalf("place %d, %d of example %d is of neither image", y, x, i)
						}
					}
					if !own {
						other++
						top, left, bottom, right = min(top, y), min(left, x), max(bottom, y+1), max(right, x+1)
					}
				}
			}
			if other > 0 && other != (bottom-top)*(right-left) {
				t.Fatalf("%d places of example %d are of the other, which is no rectangle", other, i)
			}
			if a, b := before.Classes[i], before.Classes[j]; a != b {
				if got, want := labels[i*3+int(b)], float64(other)/float64(h*w); math.Abs(got-want) > 1e-5 {
					t.Fatalf("the other label has the share %g, want %g", got, want)
				}
			}
		}
	})
}

// A recipe with both has steps of both kinds.
func TestMixupOrCutMix(t *testing.T) {
	t.Parallel()
	both := &mix{seed: 5, mixup: 1, cutmix: 1, classes: 2, image: neural.Shape{1, 4, 4}}
	cut := 0
	for step := range int64(200) {
		before, after := mixedOf(both, 2, step, 16)
		whole := true
		for k, x := range after.Inputs[0] {
			whole = whole && (x == before.Inputs[0][k] || x == before.Inputs[0][(k+16)%32])
		}
		if whole {
			cut++
		}
	}
	if cut < 60 || cut > 140 { // six standard deviations about 100
		t.Errorf("%d of 200 steps cut, want about half", cut)
	}
}

// The loss of a mixed batch, and its gradient, are those with the labels of the one and
// of the other in their shares.
func TestMixedLoss(t *testing.T) {
	t.Parallel()
	d := device(t, 1)
	g := small(t, 3, 0)
	p, err := d.Params(g, g.Initial(rng.New(1, "train/mixedloss", 0)))
	if err != nil {
		t.Fatal(err)
	}
	net, err := p.Net(g)
	if err != nil {
		t.Fatal(err)
	}
	gradient := func(b *engine.Batch, l engine.Loss) (float64, neural.Weights) {
		into, err := p.NewGradient()
		if err != nil {
			t.Fatal(err)
		}
		s, err := net.Gradient(b, l, engine.Noise{}, into)
		if err != nil {
			t.Fatal(err)
		}
		w, err := into.Host()
		if err != nil {
			t.Fatal(err)
		}
		return s.Loss, w
	}
	for _, smoothing := range []float64{0, 0.2} {
		m := &mix{seed: 9, mixup: 1, smoothing: smoothing, classes: 4, image: neural.Shape{1, 8, 8}}
		before, after := mixedOf(m, 6, 2, 64)
		share := beta(1, rng.New(9, "train/mix", 2))
		plain := engine.Batch{N: 6, Inputs: after.Inputs, Classes: before.Classes}
		swapped := plain
		swapped.Classes = slices.Clone(plain.Classes)
		slices.Reverse(swapped.Classes)
		loss, grad := gradient(after, m.loss())
		a, gradA := gradient(&plain, engine.Loss{Smoothing: smoothing})
		b, gradB := gradient(&swapped, engine.Loss{Smoothing: smoothing})
		if want := share*a + (1-share)*b; math.Abs(loss-want) > 1e-5 {
			t.Errorf("smoothing %g: the loss is %g, want %g", smoothing, loss, want)
		}
		for name, w := range grad {
			for i, x := range w {
				want := share*float64(gradA[name][i]) + (1-share)*float64(gradB[name][i])
				if math.Abs(float64(x)-want) > 1e-5 {
					t.Fatalf("smoothing %g: gradient %s %d is %g, want %g", smoothing, name, i, x, want)
				}
			}
		}
	}
}

// Mixed examples teach, and targets that are numbers are mixed too.
func TestMixedFit(t *testing.T) {
	t.Parallel()
	learns(t)
	d := device(t, 0)
	for name, r := range map[string]Recipe{"mixup": {Epochs: 6, Mixup: 0.2}, "cutmix": {Epochs: 6, CutMix: 1}} {
		if got := run(t, Job{Device: d, Graph: small(t, 8, 0), Train: patches(t, 1024, 1), Valid: patches(t, 400, 2), Recipe: r}); got.Valid.Accuracy < 0.9 {
			t.Errorf("%s: an accuracy of %v, want at least 0.9", name, got.Valid.Accuracy)
		}
	}
	// What is linear stays so under mixing: a linear network finds it.
	r := rng.New(1, "train/mixedfit", 0)
	rows := data.Rows{NumberCols: []data.Column{{Name: "a"}, {Name: "b"}}, TargetCols: []string{"y"}}
	for range 512 {
		a, b := rng.Norm(r), rng.Norm(r)
		rows.Numbers = append(rows.Numbers, float32(a), float32(b))
		rows.Targets = append(rows.Targets, float32(3*a-2*b+1))
	}
	s, err := data.NewTable("linear", rows)
	if err != nil {
		t.Fatal(err)
	}
	b := neural.NewBuilder("linear")
	g, err := b.Build(b.Named("y", neural.Linear{Out: 1, Bias: true}, b.Input("x", neural.Shape{2})))
	if err != nil {
		t.Fatal(err)
	}
	if got := run(t, Job{Device: d, Graph: g, Train: s, Valid: s, Recipe: Recipe{Epochs: 20, Mixup: 1}}); got.Valid.R2 < 0.9999 {
		t.Errorf("of a linear target R² is %v", got.Valid.R2)
	}
}

func TestMixRefuses(t *testing.T) {
	t.Parallel()
	d := device(t, 1)
	set := patches(t, 16, 1)
	rows := data.Rows{Codes: []int32{0, 1, 0, 1}, CodeCols: []data.Column{{Name: "c", Categories: []string{"x", "y"}}}, Labels: []int32{0, 1, 1, 0}, Classes: []string{"p", "q"}}
	table, err := data.NewTable("codes", rows)
	if err != nil {
		t.Fatal(err)
	}
	tg, err := nets.MLP{Categories: []int{2}, Hidden: []int{4}, Out: 2}.Graph()
	if err != nil {
		t.Fatal(err)
	}
	for want, j := range map[string]Job{
		"mixup: found -1":                 {Graph: small(t, 2, 0), Train: set, Recipe: Recipe{Mixup: -1}},
		"found mixup or cutmix with a te": {Graph: small(t, 2, 0), Train: set, Recipe: Recipe{CutMix: 1}, TeacherLogits: make([]float32, 64)},
		"found cutmix for codes":          {Graph: tg, Train: table, Recipe: Recipe{CutMix: 1}},
		"found mixup for codes":           {Graph: tg, Train: table, Recipe: Recipe{Mixup: 1}},
	} {
		j.Device = d
		if _, err := Fit(t.Context(), j); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Fit = %v, want %q in it", err, want)
		}
	}
}

// What is measured of classes of different sizes, and of numbers, is what the outputs say.
func TestMoreMetrics(t *testing.T) {
	t.Parallel()
	d := device(t, 1)
	set := patches(t, 90, 4)
	var keep []int
	for i := range set.Len() { // few of the last classes
		if set.Class(i) < 2 || i%5 == 0 {
			keep = append(keep, i)
		}
	}
	uneven, err := set.Subset(keep)
	if err != nil {
		t.Fatal(err)
	}
	trained := run(t, Job{Device: d, Graph: small(t, 4, 0), Train: patches(t, 64, 1), Recipe: Recipe{Epochs: 2}})
	scale := set.Scale()
	out, err := Logits(context.Background(), trained.Net, uneven, scale, 7)
	if err != nil {
		t.Fatal(err)
	}
	var right, all [4]float64
	for i := range uneven.Len() {
		row := out[4*i:][:4]
		c := uneven.Class(i)
		if all[c]++; slices.Index(row, slices.Max(row)) == c {
			right[c]++
		}
	}
	want := 0.0
	for c := range all {
		want += right[c] / all[c] / 4
	}
	m, err := Evaluate(context.Background(), trained.Net, uneven, scale, 16)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(m.Balanced-want) > 1e-12 || m.Balanced == m.Accuracy {
		t.Errorf("balanced accuracy %v beside an accuracy of %v, want %v", m.Balanced, m.Accuracy, want)
	}
	if got := balanced([]int{1, 0, 0}, []int{2, 0, 1}); got != 0.25 {
		t.Errorf("a class without examples counts: %v, want 0.25", got)
	}
}
