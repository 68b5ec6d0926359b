package onnx_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/internal/randnet"
	"github.com/daedalus-search/daedalus/neural/nets"
	"github.com/daedalus-search/daedalus/neural/onnx"
	"github.com/daedalus-search/daedalus/neural/reference"
)

// python returns an interpreter that has ONNX Runtime.
func python(t *testing.T) string {
	t.Helper()
	p := os.Getenv("DAEDALUS_PYTHON")
	if p == "" {
		p = "python3"
	}
	if out, err := exec.Command(p, "-c", "import onnx, onnxruntime").CombinedOutput(); err != nil {
		last := strings.TrimSpace(string(out))
		t.Skipf("%s has no ONNX Runtime (%v %s); to compare files with it, pip install onnx onnxruntime and name that interpreter in DAEDALUS_PYTHON", p, err, last[strings.LastIndexByte(last, '\n')+1:])
	}
	return p
}

// A trial is a network to be run elsewhere and its expected results.
type trial struct {
	Batch   int                  `json:"batch"`
	Inputs  map[string][]float64 `json:"inputs"`
	Outputs [][]float64          `json:"outputs"`
}

// write writes a network and what it computes of two random examples.
func write(t *testing.T, dir, name string, seed uint64, g *neural.Graph, o onnx.Options) {
	t.Helper()
	r := rng.New(seed, "onnx test", 0)
	w := randnet.Weights(r, g)
	c := trial{Batch: 2, Inputs: map[string][]float64{}, Outputs: make([][]float64, len(g.Outputs()))}
	for range c.Batch {
		in := randnet.Inputs(r, g)
		for k, i := range g.Inputs() {
			c.Inputs[g.Node(i).Name] = append(c.Inputs[g.Node(i).Name], in[k]...)
		}
		out, err := reference.Run(g, w, in...)
		if err != nil {
			t.Fatal(err)
		}
		for k := range out {
			c.Outputs[k] = append(c.Outputs[k], out[k]...)
		}
	}
	file, err := onnx.Marshal(g, w, o)
	if err != nil {
		t.Fatal(err)
	}
	expected, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	for ext, content := range map[string][]byte{".onnx": file, ".json": expected} {
		if err := os.WriteFile(filepath.Join(dir, name+ext), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// ONNX Runtime computes of the files what the reference computes of the networks,
// to 1e-4.
func TestRuntimeAgrees(t *testing.T) {
	p := python(t)
	dir := t.TempDir()
	n := 100
	if testing.Short() {
		n = 20
	}
	for i := range n {
		r := rng.New(3, "onnx", uint64(i))
		g, err := randnet.New(r, 5+r.IntN(35))
		if err != nil {
			t.Fatal(err)
		}
		write(t, dir, fmt.Sprintf("random%03d", i), uint64(i), g, onnx.Options{FoldBatchNorm: i%2 == 0})
	}
	for i, f := range neural.Funcs() {
		b := neural.NewBuilder(string(f))
		g, err := b.Build(b.Add(neural.Activation{Func: f}, b.Input("x", neural.Shape{50})))
		if err != nil {
			t.Fatal(err)
		}
		write(t, dir, string(f), uint64(i), g, onnx.Options{})
	}
	for name, g := range attentions(t) {
		write(t, dir, name, 10, g, onnx.Options{})
	}
	for name, net := range families() {
		g, err := net.Graph()
		if err != nil {
			t.Fatal(err)
		}
		write(t, dir, name, 9, g, onnx.Options{FoldBatchNorm: true})
		write(t, dir, name+"-simplified", 9, g.Simplify(), onnx.Options{})
	}
	golden, err := filepath.Glob(filepath.Join("testdata", "golden.*"))
	if err != nil || len(golden) != 2 {
		t.Fatal(golden, err)
	}
	for _, path := range golden {
		content, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, filepath.Base(path)), content, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	check(t, p, dir)
}

// attentions are all kinds of attention, of few tokens and of more than a block.
func attentions(t *testing.T) map[string]*neural.Graph {
	all := map[string]*neural.Graph{}
	for kind := range neural.CosformerReLU + 1 {
		for _, n := range []int{7, 64, 65, 200} {
			for _, causal := range []bool{false, true} {
				m := n
				if !causal {
					m = n/2 + 1
				}
				b := neural.NewBuilder("")
				q, k, v := b.Input("q", neural.Shape{n, 12}), b.Input("k", neural.Shape{m, 6}), b.Input("v", neural.Shape{m, 4})
				g, err := b.Build(b.Named("attention", neural.Attention{Heads: 4, KeyHeads: 2, Type: kind, Causal: causal}, q, k, v))
				if err != nil {
					t.Fatal(err)
				}
				all[fmt.Sprintf("%v-%d-%v", kind, n, causal)] = g
			}
		}
	}
	return all
}

// families are small networks of every family.
func families() map[string]interface{ Graph() (*neural.Graph, error) } {
	ofa := nets.OFA{Side: 32, Classes: 7}
	for i := range ofa.Kernels {
		ofa.Kernels[i], ofa.Expand[i] = 3+2*(i%3), 3+i%2
	}
	ofa.Depth = [5]int{2, 1, 1, 2, 1}
	normal, reduce := nets.DARTS2()
	normal.Steps[2].Concat = true
	normal.Steps[3].B.Op, normal.Steps[1].A.Op = "conv_1x7_7x1", "inv_res_5x5"
	layers := []nets.TransformerLayer{{Heads: 2, Hidden: 12}, {Heads: 4, HeadDim: 3, Hidden: 8, Attention: neural.LinearELU}, {Heads: 2, HeadDim: 5, Attention: neural.CosformerReLU}, {NoAttention: true, Hidden: 4}}
	small := neural.Shape{3, 16, 16}
	return map[string]interface{ Graph() (*neural.Graph, error) }{
		"nasbench201": nets.NASBench201{Ops: [6]nets.CellOp{3, 2, 1, 4, 3, 0}, Channels: 4, Cells: 2, Image: small},
		"macro":       nets.Macro{Ops: [8]nets.ChainOp{1, 0, 2, 1, 0, 0, 1, 2}, Channels: 2, Image: small},
		"cells":       nets.Cells{Normal: normal, Reduce: reduce, Channels: 4, Cells: 5, Image: small, Search: true},
		"ofa":         ofa,
		"vit":         nets.Transformer{Image: small, Patch: 4, Dim: 8, Layers: layers, Classes: 5, ClassToken: true},
		"text":        nets.Transformer{Vocabulary: 9, Length: 6, Dim: 8, Layers: layers, Classes: 9, Causal: true, PerToken: true, Dropout: 0.1, DropPath: 0.1},
		"mlp":         nets.MLP{Numbers: 4, Categories: []int{3, 5}, Hidden: []int{8, 8}, BatchNorm: true, Residual: true, Out: 2},
		"lenet5":      nets.LeNet5{},
		"resnet":      nets.ResNet{Channels: 4, Blocks: 1, Image: small},
		"mobilenet":   nets.MobileNet{Width: 0.1, Image: small, Halve: 3},
	}
}

var update = flag.Bool("update", false, "write the golden files anew")

// The bytes of a file are part of what is promised: another program may have
// signed or cached them.
func TestGoldenFile(t *testing.T) {
	g, err := nets.Transformer{
		Image: neural.Shape{1, 4, 4}, Patch: 2, Dim: 4, Classes: 3, ClassToken: true,
		Layers: []nets.TransformerLayer{{Heads: 2, Hidden: 4}, {Heads: 2, Hidden: 4, Attention: neural.LinearReLU}},
	}.Graph()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, dir, "golden", 7, g, onnx.Options{})
	for _, name := range []string{"golden.onnx", "golden.json"} {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("the file differs from %s; if it is meant to, go test ./neural/onnx -run Golden -update, and compare with ONNX Runtime", path)
		}
	}
}

// check runs the networks of a folder.
func check(t *testing.T, python, dir string) {
	t.Helper()
	out, err := exec.Command(python, filepath.Join("testdata", "check.py"), dir).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// Equal networks and weights give equal files, however they were made.
func TestFilesAreReproducible(t *testing.T) {
	r := rng.New(4, "onnx", 0)
	g, err := randnet.New(r, 40)
	if err != nil {
		t.Fatal(err)
	}
	w := randnet.Weights(r, g)
	a, err := onnx.Marshal(g, w, onnx.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := onnx.Write(&b, g, w, onnx.Options{}); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b.Bytes()) {
		t.Error("the files differ")
	}
}

func TestFoldedBatchNorm(t *testing.T) {
	b := neural.NewBuilder("folded")
	x := b.Input("x", neural.Shape{2, 4, 4})
	x = b.Add(neural.Conv{Out: 3, Kernel: 3}, x)
	y := b.Add(neural.BatchNorm{}, x)
	z := b.Add(neural.BatchNorm{}, b.Add(neural.Conv{Out: 3}, y)) // read once: folded
	u := b.Add(neural.BatchNorm{}, y)                             // after another, not folded
	g, err := b.Build(b.Add(neural.Add{}, z, u))
	if err != nil {
		t.Fatal(err)
	}
	w := randnet.Weights(rng.New(5, "onnx", 0), g)
	for fold, want := range map[bool]int{false: 3, true: 1} {
		file, err := onnx.Marshal(g, w, onnx.Options{FoldBatchNorm: fold})
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(file, []byte("BatchNormalization")); n != want {
			t.Errorf("folded %v: %d batch normalisations, want %d", fold, n, want)
		}
	}
}

func TestWeightsAreChecked(t *testing.T) {
	b := neural.NewBuilder("net")
	g, err := b.Build(b.Named("fc", neural.Linear{Out: 2, Bias: true}, b.Input("x", neural.Shape{3})))
	if err != nil {
		t.Fatal(err)
	}
	_, err = onnx.Marshal(g, neural.Weights{"fc/weight": make([]float32, 5)}, onnx.Options{})
	for _, want := range []string{`network "net"`, `weight "fc/weight": found 5 numbers, want 6 (2×3)`, `weight "fc/bias" (2) is missing`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %s", err, want)
		}
	}
}
