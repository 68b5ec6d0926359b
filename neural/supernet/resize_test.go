package supernet

import (
	"math"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/data"
	"github.com/daedalus-search/daedalus/neural/nets"
	"github.com/daedalus-search/daedalus/neural/train"
	"github.com/daedalus-search/daedalus/neural/train/engine"
)

// Batches are resized as sets are, up to the sets' rounding to bytes.
func TestResizeAsSetsDo(t *testing.T) {
	t.Parallel()
	set := stripes(1, 8)
	g := func(side int) *neural.Graph {
		b := neural.NewBuilder("images")
		return must(b.Build(b.Add(neural.GlobalPool{}, b.Input("image", neural.Shape{1, side, side}))))
	}
	batch := func(s *data.Set) *engine.Batch {
		l := must(s.Loader(data.Options{Batch: 8}))
		b := l.NewBatch()
		l.Fill(b, 0, 0)
		return &engine.Batch{N: b.N, Inputs: b.Inputs}
	}
	whole := batch(set)
	r := &resizer{}
	r.from(whole)
	for _, side := range []int{5, 6, 8, 11, 12, 13, 18, 24} {
		got := must(r.to(g(side))).Inputs[0]
		want := batch(must(set.Resize(side))).Inputs[0]
		if len(got) != len(want) {
			t.Fatalf("side %d: found %d numbers, want %d", side, len(got), len(want))
		}
		for i := range want {
			if math.Abs(float64(got[i]-want[i])) > 1.01/255/2 {
				t.Fatalf("side %d: number %d is %v, want %v", side, i, got[i], want[i])
			}
		}
	}
}

// Constants stay constant, and the mean of an image that shrinks stays.
func TestResizeKeepsMeans(t *testing.T) {
	t.Parallel()
	r := rng.New(1, "image", 0)
	for _, sizes := range [][4]int{{7, 5, 3, 4}, {8, 8, 3, 5}, {4, 6, 9, 13}, {5, 5, 5, 5}} {
		h, w, height, width := sizes[0], sizes[1], sizes[2], sizes[3]
		x, ones := make([]float32, 2*h*w*3), make([]float32, 2*h*w*3)
		mean, after := 0.0, 0.0
		for i := range x {
			x[i], ones[i] = float32(rng.Norm(r)), 1
			mean += float64(x[i]) / float64(len(x))
		}
		y := resizeImages(x, 2, h, w, 3, height, width)
		for _, v := range y {
			after += float64(v) / float64(len(y))
		}
		if height <= h && width <= w && math.Abs(mean-after) > 1e-6 {
			t.Errorf("%v: the mean was %v and is %v", sizes, mean, after)
		}
		for _, v := range resizeImages(ones, 2, h, w, 3, height, width) {
			if math.Abs(float64(v-1)) > 1e-6 {
				t.Fatalf("%v: a constant of 1 became %v", sizes, v)
			}
		}
	}
}

// Networks for images of several sizes train together, each on the batch at its size,
// and are evaluated so.
func TestSizesTrainTogether(t *testing.T) {
	t.Parallel()
	m := nets.MiniOFA()
	m.Image, m.Classes, m.Sides, m.Stem = neural.Shape{1, 12, 12}, 4, []int{8, 12}, []int{4}
	for i := range m.Stages {
		m.Stages[i].Widths = []int{8}
	}
	s := must(New(must(m.New())))
	set := stripes(1, 256)
	got, err := Train(t.Context(), Job{Supernet: s, Device: device(t), Train: set, Phases: BigNAS(train.Recipe{Epochs: 4, Batch: 32})})
	if err != nil {
		t.Fatal(err)
	}
	e := &Evaluator{Supernet: s, Params: got.Params, Train: set, Valid: stripes(2, 200)}
	small, large := must(e.Evaluate(t.Context(), s.Smallest())), must(e.Evaluate(t.Context(), s.Largest()))
	if small.Count != 200 || large.Count != 200 || small.Loss == large.Loss {
		t.Errorf("found %+v and %+v, want two results of 200 examples", small, large)
	}
	if side := must(s.Graph(s.Smallest())).Node(0).Shape[1]; side != 8 {
		t.Errorf("the smallest network is for images of %d pixels, want 8", side)
	}
}
