package networks_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/data"
	"github.com/daedalus-search/daedalus/neural/infer"
	"github.com/daedalus-search/daedalus/neural/latency/ort"
	"github.com/daedalus-search/daedalus/neural/nets"
	"github.com/daedalus-search/daedalus/neural/train"
	"github.com/daedalus-search/daedalus/problem/problemtest"
	"github.com/daedalus-search/daedalus/problems/networks"
	"github.com/daedalus-search/daedalus/space"
)

func TestMain(m *testing.M) {
	train.Main(networks.Handlers())
	os.Exit(m.Run())
}

var shapes = data.Source{Images: filepath.Join("..", "..", "examples", "shapes"), Side: 16, Grey: true, Test: 0.2, Valid: 0.2}

func tiny() networks.ImageNets {
	return networks.ImageNets{Mobile: &nets.MobileSpace{Stem: []int{4, 8}, Stages: []nets.MobileStage{
		{Widths: []int{8, 12}, Depth: []int{1, 2}, Kernels: []int{3}, Expand: []float64{1, 2}},
	}}}
}

func vision(method string) networks.Vision {
	return networks.Vision{Source: shapes, Networks: tiny(), Training: networks.Training{
		Method: method, Train: train.Recipe{Epochs: 2, Batch: 12}, Finished: 2, References: []string{"lenet5"}, Calibrate: 48, Threads: 1,
		Latency: networks.Latency{BudgetMS: 5},
	}}
}

func open(t *testing.T, o interface {
	New() (*networks.Problem, error)
}) *networks.Problem {
	t.Helper()
	p, err := o.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func TestLaws(t *testing.T) {
	alone := vision("alone")
	alone.References, alone.Fidelity = nil, "epochs"
	pixels := vision("alone")
	pixels.References, pixels.Fidelity, pixels.Latency.Engine = nil, "resolution", "none"
	kept := vision("bignas")
	for name, o := range map[string]interface {
		New() (*networks.Problem, error)
	}{
		"supernet": kept, "epochs": alone, "resolution": pixels,
		"text": networks.Text{
			Source:   data.Source{Text: filepath.Join("testdata", "rhyme.txt"), Window: 8},
			Networks: nets.TransformerSpace{Dims: []int{8, 16}, Depth: []int{1, 2}, HeadDim: 4, Heads: []int{1, 2}, Ratios: []float64{1, 2}},
			Training: networks.Training{Method: "spos", Train: train.Recipe{Epochs: 1, Batch: 8, Optimizer: "adamw"}, Finished: 1, Threads: 1, Latency: networks.Latency{Engine: "none"}},
		},
		"table": networks.Tabular{
			Source: data.Source{Name: "wine"}, Networks: nets.MLPSpace{Depth: []int{1, 2}, Widths: []int{8, 16}},
			Training: networks.Training{Method: "alone", Fidelity: "data", Train: train.Recipe{Epochs: 0.2, Optimizer: "adamw"}, Finished: 1, Threads: 1, Latency: networks.Latency{Engine: "none"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if testing.Short() && name != "supernet" {
				t.Skip("trains networks")
			}
			p := open(t, o)
			p.Keep(filepath.Join(t.TempDir(), "kept"))
			problemtest.Run(t, p)
		})
	}
}

// What was trained is there for the next process: nothing is trained again, and what is
// exported is what was measured.
func TestKeepsWhatItTrained(t *testing.T) {
	if testing.Short() {
		t.Skip("trains networks")
	}
	ctx, folder := context.Background(), t.TempDir()
	p := open(t, vision("bignas"))
	p.Keep(folder)
	trained := 0
	if err := p.Prepare(ctx, func(doing string, done, all int) { trained = max(trained, done) }); err != nil {
		t.Fatal(err)
	}
	if trained == 0 {
		t.Error("nothing was said about the training of the supernet")
	}
	d := p.Space()
	first := sample(t, d)
	before, err := p.Evaluate(ctx, first, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Finish(ctx, []space.Design{first}, func(string, int, int) {}); err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := p.Export(&file, first, "onnx"); err != nil {
		t.Fatal(err)
	}

	q := open(t, vision("bignas"))
	q.Keep(folder)
	if err := q.Prepare(ctx, func(doing string, _, _ int) { t.Errorf("trains again: %s", doing) }); err != nil {
		t.Fatal(err)
	}
	after, err := q.Evaluate(ctx, first, nil)
	if err != nil {
		t.Fatal(err)
	}
	if before["accuracy"] != after["accuracy"] || before["loss"] != after["loss"] {
		t.Errorf("measures %v, then %v in the next process", before, after)
	}
	verified, err := q.Verify(ctx, first)
	if err != nil || len(verified) != len(q.VerifyMetrics()) {
		t.Errorf("Verify returns %v (error %v) of a network that was finished before", verified, err)
	}
	refs, err := q.References(ctx)
	if err != nil || len(refs) != 1 || refs[0].Name != "LeNet-5" || !(refs[0].Values["test_accuracy"] > 0) {
		t.Errorf("References returns %v (error %v)", refs, err)
	}
	var again bytes.Buffer
	if err := q.Export(&again, first, "onnx"); err != nil || !bytes.Equal(file.Bytes(), again.Bytes()) {
		t.Errorf("the next process exports another file (error %v)", err)
	}
}

// What is known of built-in images before they are unpacked is true.
func TestLooksTrue(t *testing.T) {
	if testing.Short() {
		t.Skip("unpacks Fashion-MNIST")
	}
	train, _, err := data.FashionMNIST()
	if err != nil {
		t.Fatal(err)
	}
	p := open(t, networks.Vision{})
	d := sample(t, p.Space())
	var text bytes.Buffer
	if err := p.Export(&text, d, "json"); err != nil {
		t.Fatal(err)
	}
	g, err := neural.Parse(text.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	want := neural.Shape{train.Channels, train.Height, train.Width}
	if in, out := g.Node(g.Inputs()[0]).Shape, g.Node(g.Outputs()[0]).Shape; in != want || out != (neural.Shape{len(train.Classes)}) {
		t.Errorf("networks for Fashion-MNIST turn %s into %s, want %s into %d classes", in, out, want, len(train.Classes))
	}
}

// A training that is cancelled goes on where it was.
func TestGoesOn(t *testing.T) {
	if testing.Short() {
		t.Skip("trains networks")
	}
	folder := t.TempDir()
	whole := open(t, vision("bignas"))
	ctx := context.Background()
	if err := whole.Prepare(ctx, func(string, int, int) {}); err != nil {
		t.Fatal(err)
	}
	want, err := whole.Evaluate(ctx, sample(t, whole.Space()), nil)
	if err != nil {
		t.Fatal(err)
	}

	first := open(t, vision("bignas"))
	first.Keep(folder)
	cut, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := first.Prepare(cut, func(_ string, done, all int) {
		if done > all/3 {
			cancel()
		}
	}); err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	second := open(t, vision("bignas"))
	second.Keep(folder)
	if err := second.Prepare(ctx, func(string, int, int) {}); err != nil {
		t.Fatal(err)
	}
	got, err := second.Evaluate(ctx, sample(t, second.Space()), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got["loss"] != want["loss"] {
		t.Errorf("an interrupted training ends at the loss %v, an uninterrupted one at %v", got["loss"], want["loss"])
	}
}

// ONNX Runtime computes of an exported network what our inference does.
func TestExportedRuns(t *testing.T) {
	if os.Getenv("DAEDALUS_ONNXRUNTIME") == "" {
		t.Skip("set DAEDALUS_ONNXRUNTIME to the shared library of ONNX Runtime; `pip install onnxruntime` has one")
	}
	rt, err := ort.Open("")
	if err != nil {
		t.Fatal(err)
	}
	p := open(t, vision("bignas"))
	p.Keep(t.TempDir())
	r := rng.New(1, "exported", 0)
	for range 4 {
		d, err := p.Space().Sample(r)
		if err != nil {
			t.Fatal(err)
		}
		var file, text bytes.Buffer
		if err := errors.Join(p.Export(&file, d, "onnx"), p.Export(&text, d, "json")); err != nil {
			t.Fatal(err)
		}
		s, err := rt.Session(file.Bytes(), ort.Options{Batch: 3})
		if err != nil {
			t.Fatal(err)
		}
		g, err := neural.Parse(text.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		w, err := p.Weights(d)
		if err != nil {
			t.Fatal(err)
		}
		n, err := infer.Compile(g, w, infer.Options{Batch: 3})
		if err != nil {
			t.Fatal(err)
		}
		images := make([]float32, 3*16*16)
		for i := range images {
			images[i] = float32(4*r.Float64() - 2)
		}
		got, err := s.Run([][]float32{images})
		if err != nil {
			t.Fatal(err)
		}
		want, err := n.Run(images)
		if err != nil {
			t.Fatal(err)
		}
		for i, x := range want[0] {
			if diff := got[0][i] - x; diff > 1e-4 || diff < -1e-4 {
				t.Errorf("%s: ONNX Runtime computes %v as number %d, our inference %v", p.Label(d), got[0][i], i, x)
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func sample(t *testing.T, s *space.Space) space.Design {
	t.Helper()
	for d := range s.All() {
		return d
	}
	t.Fatal("an empty space")
	return space.Design{}
}

func TestMistakes(t *testing.T) {
	for name, c := range map[string]struct {
		o interface {
			New() (*networks.Problem, error)
		}
		want string
	}{
		"method":     {networks.Vision{Source: shapes, Training: networks.Training{Method: "darts"}}, `"darts"`},
		"fidelity":   {networks.Vision{Source: shapes, Training: networks.Training{Fidelity: "epochs"}}, "method alone"},
		"reference":  {networks.Vision{Source: shapes, Training: networks.Training{References: []string{"vgg"}}}, `"vgg"`},
		"twice":      {networks.Vision{Source: shapes, Training: networks.Training{References: []string{"lenet5", "lenet5"}}}, "twice"},
		"families":   {networks.Vision{Source: shapes, Networks: networks.ImageNets{Mobile: &nets.MobileSpace{}, Macro: &nets.MacroSpace{}}}, "2 families"},
		"kind":       {networks.Vision{Source: data.Source{Name: "wine"}}, "want images"},
		"no folder":  {networks.Vision{Source: data.Source{Images: "nowhere"}}, "nowhere"},
		"not shared": {networks.Vision{Source: shapes, Networks: networks.ImageNets{NASNet: &nets.NASNetSpace{}}}, "alone"},
		"shares":     {networks.Vision{Source: shapes, Training: networks.Training{Shares: map[string]float64{"conv": 2}}}, `"conv", which no decision`},
		"paths":      {networks.Vision{Source: shapes, Training: networks.Training{Method: "bignas", Shares: map[string]float64{"3": 2}}}, "want method spos"},
		"recipe":     {networks.Vision{Source: shapes, Training: networks.Training{Train: train.Recipe{Schedule: "sin"}}}, `"sin"`},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := c.o.New(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

func Example() {
	p, err := networks.Vision{
		Source: shapes, // a folder with a folder of pictures for each class
		Networks: networks.ImageNets{Mobile: &nets.MobileSpace{Stem: []int{4}, Stages: []nets.MobileStage{
			{Widths: []int{8}, Depth: []int{1, 2}, Kernels: []int{3}, Expand: []float64{1, 2}},
		}}},
		Training: networks.Training{Method: "alone", Train: train.Recipe{Epochs: 1, Batch: 12}, Latency: networks.Latency{Engine: "none"}},
	}.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()
	for d := range p.Space().All() {
		v, err := p.Evaluate(context.Background(), d, nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(p.Label(d), v["params_k"], v["accuracy"] > 0)
		break
	}
	// Output: 16px 4 /2 | plain 8: 1 0.119 true
}
