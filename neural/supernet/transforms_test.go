package supernet

import (
	"bytes"
	"encoding/binary"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/data"
	"github.com/daedalus-search/daedalus/neural/onnx"
	"github.com/daedalus-search/daedalus/neural/reference"
	"github.com/daedalus-search/daedalus/neural/train"
	"github.com/daedalus-search/daedalus/neural/train/engine"
)

// matrices returns the matrices among weights.
func matrices(w neural.Weights) neural.Weights {
	m := neural.Weights{}
	for name, v := range w {
		if strings.HasSuffix(name, "/5to3") || strings.HasSuffix(name, "/7to5") {
			m[name] = v
		}
	}
	return m
}

// Matrices that are identities change no network by a bit, and stay identities while
// the largest network is trained alone: it is the plain network.
func TestTransformsStartAsCentres(t *testing.T) {
	t.Parallel()
	s, set, dev := smallOFA(), stripes(1, 96), device(t)
	w := must(s.Initial(rng.New(1, "weights", 0), false))
	with := must(s.Transforms(w))
	if m := matrices(with); len(m) != 4 || len(with) != len(w)+4 {
		t.Fatalf("found the matrices %v, want one for each of 4 layers", slices.Sorted(maps.Keys(m)))
	}
	plain := &Evaluator{Supernet: s, Params: must(dev.Params(s.All(), w)), Train: set, Valid: set}
	learned := &Evaluator{Supernet: s, Params: must(dev.Params(s.All(), with)), Train: set, Valid: set}
	r := rng.New(2, "designs", 0)
	for range 6 {
		d := must(s.Space().Sample(r))
		_, a, err := plain.Extract(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		_, b, err := learned.Extract(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		if err := sameBits(a, b); err != nil {
			t.Errorf("%s: %v", d, err)
		}
	}
	recipe := train.Recipe{Epochs: 2, Batch: 32, Calibrate: 96, WeightDecay: 1e-3, Seed: 3}
	phases := []Phase{{Name: "largest", Part: must(keepLargest(s)), Recipe: recipe}}
	ours := must(Train(t.Context(), Job{Supernet: s, Device: dev, Phases: phases, Train: set, Start: w, Transforms: true}))
	alone := must(train.Fit(t.Context(), train.Job{Device: dev, Graph: must(s.Graph(s.Largest())), Recipe: recipe, Train: set, Start: w}))
	if err := sameBits(ours.Phases[0].Weights, alone.Weights); err != nil {
		t.Error(err)
	}
	if err := sameBits(matrices(must(ours.Params.Weights())), engine.KernelTransforms(s.All())); err != nil {
		t.Errorf("matrices that no network used: %v", err)
	}
}

// A sandwich learns the matrices, a network's own kernels are what comes out of them,
// and with these it computes elsewhere what the supernet says that it does. The file of
// a network has these kernels and no matrices.
func TestTransformsAreLearned(t *testing.T) {
	t.Parallel()
	s, set, dev := smallOFA(), stripes(1, 64), device(t)
	got := must(Train(t.Context(), Job{
		Supernet: s, Device: dev, Train: set, Transforms: true, Residual: true,
		Phases: BigNAS(train.Recipe{Epochs: 5, Batch: 32, LearningRate: 0.2, Calibrate: 64, Seed: 1}),
	}))
	w := must(got.Params.Weights())
	for name, m := range engine.KernelTransforms(s.All()) {
		if slices.Equal(w[name], m) {
			t.Errorf("%s is an identity still", name)
		}
	}
	e := &Evaluator{Supernet: s, Params: got.Params, Train: set, Valid: set, Scale: got.Scale}
	g, own, err := e.Extract(t.Context(), s.Smallest())
	if err != nil {
		t.Fatal(err)
	}
	shapes := map[string]neural.Shape{}
	for _, x := range g.AllWeights() {
		shapes[x.Name] = x.Shape
	}
	file := must(onnx.Marshal(g, own, onnx.Options{}))
	if bytes.Contains(file, []byte("5to3")) {
		t.Error("a matrix is in the file of a network")
	}
	for _, block := range []string{"unit1/layer1", "unit2/layer1"} {
		name := block + "/depth_conv/weight"
		whole, m := w[name], w[block+"/depth_conv/5to3"]
		if m == nil || shapes[name][2] != 3 {
			t.Fatalf("found a kernel %s of %s, want 3×3", name, shapes[name])
		}
		raw := make([]byte, 0, 4*len(own[name]))
		for i, x := range own[name] {
			c, j := i/9, i%9
			want := 0.0
			for k := range 9 {
				want += float64(m[j*9+k]) * float64(whole[c*25+(k/3+1)*5+k%3+1])
			}
			if math.Abs(float64(x)-want) > 1e-6*(1+math.Abs(want)) {
				t.Fatalf("%s: number %d is %g, want %g", name, i, x, want)
			}
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(x))
		}
		if !bytes.Contains(file, raw) {
			t.Errorf("the file of the smallest network lacks its kernel %s", name)
		}
	}
	measured := must(e.Evaluate(t.Context(), s.Smallest()))
	loss := 0.0
	l := must(set.Loader(data.Options{Batch: 1, Scale: got.Scale}))
	b := l.NewBatch()
	for i := range set.Len() {
		l.Fill(b, 0, i)
		x := make([]float64, len(b.Inputs[0]))
		for k, v := range b.Inputs[0] {
			x[k] = float64(v)
		}
		out := must(reference.Run(g, own, x))[0]
		sum := 0.0
		for _, v := range out {
			sum += math.Exp(v - out[b.Classes[0]])
		}
		loss += math.Log(sum) / float64(set.Len())
	}
	if math.Abs(loss-measured.Loss) > 1e-4*(1+loss) {
		t.Errorf("the loss of the smallest is %v, of the reference %v", measured.Loss, loss)
	}
}

// Channels are sorted under matrices as without: networks that have all of them compute
// what they did, also those with smaller kernels.
func TestSortingUnderTransforms(t *testing.T) {
	t.Parallel()
	s, set, dev := smallOFA(), stripes(1, 32), device(t)
	w := must(s.Transforms(must(s.Initial(rng.New(1, "weights", 0), false))))
	for name, v := range w {
		r := rng.New(2, name, 0)
		for i := range v {
			v[i] += float32(0.1 * rng.Norm(r))
			if strings.HasSuffix(name, "/variance") {
				v[i] = 1
			}
		}
	}
	sorted := must(s.SortChannels(w, nil))
	if err := sameBits(matrices(w), matrices(sorted)); err != nil {
		t.Errorf("sorting changed matrices: %v", err)
	}
	moved := 0
	for name := range w {
		if !slices.Equal(w[name], sorted[name]) {
			moved++
		}
	}
	if moved < 10 {
		t.Errorf("%d weights moved, want most", moved)
	}
	part := must(must(s.Space().Fix("stage1.layers.expand", 4)).Fix("stage2.layers.expand", 4))
	before := &Evaluator{Supernet: s, Params: must(dev.Params(s.All(), w)), Train: set, Valid: set}
	after := &Evaluator{Supernet: s, Params: must(dev.Params(s.All(), sorted)), Train: set, Valid: set}
	r := rng.New(3, "designs", 0)
	for range 6 {
		d := must(s.Space().Adopt(must(part.Sample(r))))
		a, b := must(before.Evaluate(t.Context(), d)), must(after.Evaluate(t.Context(), d))
		if math.Abs(a.Loss-b.Loss) > 1e-4*(1+a.Loss) {
			t.Errorf("%s: the loss was %v and is %v", d, a.Loss, b.Loss)
		}
	}
}

// Matrices that a start has go on, and families without large depthwise kernels have
// none.
func TestTransformsOfAStart(t *testing.T) {
	t.Parallel()
	s := smallOFA()
	w := must(s.Initial(rng.New(1, "weights", 0), false))
	w["unit1/layer1/depth_conv/5to3"] = make([]float32, 81)
	if got := must(s.Transforms(w)); got["unit1/layer1/depth_conv/5to3"][0] != 0 || got["unit1/layer2/depth_conv/5to3"][0] != 1 {
		t.Error("a matrix of the start is lost, or another has no identity")
	}
	if _, err := Train(t.Context(), Job{
		Supernet: perceptrons(), Device: device(t), Train: points(1, 64), Transforms: true, Phases: SPOS(train.Recipe{}),
	}); err == nil || !strings.Contains(err.Error(), "no depthwise convolution") {
		t.Errorf("found the error %v for a family without kernels", err)
	}
}
