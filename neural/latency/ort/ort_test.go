package ort_test

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/internal/randnet"
	"github.com/daedalus-search/daedalus/neural/latency/ort"
	"github.com/daedalus-search/daedalus/neural/nets"
	"github.com/daedalus-search/daedalus/neural/onnx"
	"github.com/daedalus-search/daedalus/neural/reference"
)

// open returns the library, or skips the test.
func open(t testing.TB) *ort.Runtime {
	t.Helper()
	rt, err := ort.Open("")
	if errors.Is(err, ort.ErrNotNamed) || errors.Is(err, errors.ErrUnsupported) {
		t.Skipf("needs ONNX Runtime: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return rt
}

type maker interface{ Graph() (*neural.Graph, error) }

// families are small networks of every family.
func families() map[string]maker {
	ofa := nets.OFA{Side: 32, Classes: 7, Depth: [5]int{2, 1, 1, 2, 1}}
	for i := range ofa.Kernels {
		ofa.Kernels[i], ofa.Expand[i] = 3+2*(i%3), 3+i%2
	}
	normal, reduce := nets.DARTS2()
	layers := []nets.TransformerLayer{{Heads: 2, Hidden: 12}, {Heads: 4, HeadDim: 3, Hidden: 8, Attention: neural.LinearELU}, {NoAttention: true, Hidden: 4}}
	small := neural.Shape{3, 16, 16}
	return map[string]maker{
		"nasbench201": nets.NASBench201{Ops: [6]nets.CellOp{3, 2, 1, 4, 3, 0}, Channels: 4, Cells: 2, Image: small},
		"macro":       nets.Macro{Ops: [8]nets.ChainOp{1, 0, 2, 1, 0, 0, 1, 2}, Channels: 2, Image: small},
		"cells":       nets.Cells{Normal: normal, Reduce: reduce, Channels: 4, Cells: 5, Image: small, Search: true},
		"ofa":         ofa,
		"vit":         nets.Transformer{Image: small, Patch: 4, Dim: 8, Layers: layers, Classes: 5, ClassToken: true},
		"text":        nets.Transformer{Vocabulary: 9, Length: 6, Dim: 8, Layers: layers, Classes: 9, Causal: true, PerToken: true},
		"mlp":         nets.MLP{Numbers: 4, Categories: []int{3, 5}, Hidden: []int{8, 8}, BatchNorm: true, Residual: true, Out: 2},
		"lenet5":      nets.LeNet5{},
		"resnet":      nets.ResNet{Channels: 4, Blocks: 1, Image: small},
		"mobilenet":   nets.MobileNet{Width: 0.1, Image: small, Halve: 3},
	}
}

// compare runs a network in ONNX Runtime and in the reference.
func compare(t *testing.T, rt *ort.Runtime, g *neural.Graph, seed uint64, batch int, fold bool) {
	t.Helper()
	r := rng.New(seed, "ort test", 0)
	w := randnet.Weights(r, g)
	file, err := onnx.Marshal(g, w, onnx.Options{FoldBatchNorm: fold})
	if err != nil {
		t.Fatal(err)
	}
	s, err := rt.Session(file, ort.Options{Batch: batch, Threads: 1 + int(seed)%2})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	inputs := make([][]float32, len(g.Inputs()))
	want := make([][]float64, len(g.Outputs()))
	for range batch {
		in := randnet.Inputs(r, g)
		for k := range in {
			for i, x := range in[k] { // what is compared must be given alike
				in[k][i] = float64(float32(x))
				inputs[k] = append(inputs[k], float32(x))
			}
		}
		out, err := reference.Run(g, w, in...)
		if err != nil {
			t.Fatal(err)
		}
		for k := range out {
			want[k] = append(want[k], out[k]...)
		}
	}
	for range 2 { // the second run finds the room that the first has left
		got, err := s.Run(inputs)
		if err != nil {
			t.Fatal(err)
		}
		for k := range want {
			if len(got[k]) != len(want[k]) {
				t.Fatalf("output %d: %d numbers, want %d", k, len(got[k]), len(want[k]))
			}
			for i, x := range want[k] {
				if d := math.Abs(float64(got[k][i]) - x); !(d <= 1e-4*(1+math.Abs(x))) {
					t.Fatalf("output %d, number %d: %g, want %g", k, i, got[k][i], x)
				}
			}
		}
	}
}

// ONNX Runtime computes of the files of all families what the reference computes.
func TestFamiliesAgree(t *testing.T) {
	rt := open(t)
	t.Logf("ONNX Runtime %s", rt.Version())
	for name, m := range families() {
		t.Run(name, func(t *testing.T) {
			g, err := m.Graph()
			if err != nil {
				t.Fatal(err)
			}
			compare(t, rt, g, 1, 1, true)
			compare(t, rt, g.Simplify(), 2, 3, false)
		})
	}
}

func TestRandomNetworksAgree(t *testing.T) {
	rt := open(t)
	n := 60
	if testing.Short() {
		n = 10
	}
	for i := range n {
		r := rng.New(5, "ort networks", uint64(i))
		g, err := randnet.New(r, 5+r.IntN(30))
		if err != nil {
			t.Fatal(err)
		}
		compare(t, rt, g, uint64(i), 1+i%3, i%2 == 0)
	}
}

func session(t testing.TB, rt *ort.Runtime, m maker, o ort.Options) *ort.Session {
	t.Helper()
	g, err := m.Graph()
	if err != nil {
		t.Fatal(err)
	}
	file, err := onnx.Marshal(g, g.Initial(rng.New(1, "ort test", 0)), onnx.Options{FoldBatchNorm: true})
	if err != nil {
		t.Fatal(err)
	}
	s, err := rt.Session(file, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestValues(t *testing.T) {
	rt := open(t)
	s := session(t, rt, nets.MLP{Numbers: 4, Categories: []int{3, 5}, Hidden: []int{8}, Out: 2}, ort.Options{Batch: 3})
	defer s.Close()
	wholes := 0
	for _, v := range s.Inputs() {
		if v.Dims[0] != 3 || v.Elements()%3 != 0 {
			t.Errorf("input %q has axes %v, want 3 examples", v.Name, v.Dims)
		}
		if v.Whole {
			wholes++
		}
	}
	if wholes == 0 {
		t.Error("no input of whole numbers")
	}
	if out := s.Outputs(); len(out) != 1 || out[0].Elements() != 6 || out[0].Whole {
		t.Errorf("outputs %+v, want one of 3×2 floats", out)
	}
}

// Bad input is an error that says what was found.
func TestMistakes(t *testing.T) {
	rt := open(t)
	s := session(t, rt, nets.Transformer{Vocabulary: 9, Length: 4, Dim: 8, Classes: 2, Layers: []nets.TransformerLayer{{Heads: 2, Hidden: 8}}}, ort.Options{})
	wants := func(err error, text string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%v does not say %q", err, text)
		}
	}
	_, err := s.Run(nil)
	wants(err, "found 0 inputs, want 1")
	_, err = s.Run([][]float32{{1}})
	wants(err, "found 1 numbers, want 4")
	_, err = s.Run([][]float32{{1, 2, 0.5, 1}})
	wants(err, "found 0.5 as number 3, want a whole one")
	_, err = s.Run([][]float32{{1, 2, float32(math.NaN()), 1}})
	wants(err, "want a whole one")
	_, err = s.Run([][]float32{{1, 2, 3, 99}}) // beyond the vocabulary: the library says so
	wants(err, "ONNX Runtime")
	if _, err = s.Run([][]float32{{1, 2, 3, 4}}); err != nil { // and can go on
		t.Error(err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	_, err = s.Run([][]float32{{1, 2, 3, 4}})
	wants(err, "closed")
	_, err = rt.Session(nil, ort.Options{})
	wants(err, "empty file")
	_, err = rt.Session([]byte("no network"), ort.Options{})
	wants(err, rt.Version())
	_, err = rt.Session([]byte{1}, ort.Options{Threads: -1})
	wants(err, "threads: found -1")
	_, err = rt.Session([]byte{1}, ort.Options{Batch: -1})
	wants(err, "batch: found -1")
}

// A library that cannot be used is refused with the reason and the line that
// installs one.
func TestOpenMistakes(t *testing.T) {
	if _, err := ort.Open(filepath.Join(t.TempDir(), "absent")); errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	t.Setenv(ort.Variable, "")
	if _, err := ort.Open(""); !errors.Is(err, ort.ErrNotNamed) || !strings.Contains(err.Error(), "pip install onnxruntime") {
		t.Errorf("%v does not say how to name the library", err)
	}
	dir := t.TempDir()
	two := filepath.Join(dir, "two [*]")
	if err := os.MkdirAll(filepath.Join(two, "lib"), 0o700); err != nil {
		t.Fatal(err)
	}
	text := filepath.Join(dir, "libonnxruntime.so")
	for _, f := range []string{text, filepath.Join(two, "libonnxruntime.so.1"), filepath.Join(two, "lib", "libonnxruntime.so.2")} {
		if err := os.WriteFile(f, []byte("no library"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	paths := map[string]string{
		filepath.Join(dir, "absent"): "absent",
		t.TempDir():                  "found no libonnxruntime.so*",
		two:                          "found 2 libraries",
		text:                         "does not load",
		dir:                          "libonnxruntime.so",
	}
	if runtime.GOOS == "linux" {
		paths["/lib64/ld-linux-x86-64.so.2"] = "does not load" // a library, but not this one
	}
	for path, want := range paths {
		for _, named := range []bool{false, true} {
			var err error
			if named {
				t.Setenv(ort.Variable, path)
				_, err = ort.Open("")
			} else {
				_, err = ort.Open(path)
			}
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "pip install onnxruntime") {
				t.Errorf("%s: %v does not say %q and how to install it", path, err, want)
			}
		}
	}
}

// Many sessions run at the same time, and leave no memory behind.
func TestSessionsAtOnce(t *testing.T) {
	rt := open(t)
	again, err := ort.Open(rt.Path())
	if err != nil || again != rt {
		t.Errorf("opened again: %p and %v, want the same %p", again, err, rt)
	}
	var wg sync.WaitGroup
	for k := range 4 {
		wg.Go(func() {
			for range 5 {
				s := session(t, rt, nets.LeNet5{}, ort.Options{Batch: 1 + k, Threads: 1 + k%2})
				in := [][]float32{make([]float32, 784*(1+k))}
				for range 3 {
					if _, err := s.Run(in); err != nil {
						t.Error(err)
					}
				}
				s.Close()
			}
		})
	}
	wg.Wait()
}

// Sessions that are closed give their memory back.
func TestMemoryIsReleased(t *testing.T) {
	rt := open(t)
	if runtime.GOOS != "linux" {
		t.Skip("reads the size of the process from /proc, which is Linux's")
	}
	if testing.Short() {
		t.Skip("takes a while")
	}
	net := nets.MLP{Numbers: 2000, Hidden: []int{1000}, Out: 2} // 8 MB of weights
	g, err := net.Graph()
	if err != nil {
		t.Fatal(err)
	}
	file, err := onnx.Marshal(g, g.Initial(rng.New(1, "ort test", 0)), onnx.Options{})
	if err != nil {
		t.Fatal(err)
	}
	loop := func(n int) {
		for range n {
			s, err := rt.Session(file, ort.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Run([][]float32{make([]float32, 2000)}); err != nil {
				t.Fatal(err)
			}
			s.Close()
		}
		runtime.GC()
	}
	loop(5)
	before := resident(t)
	loop(40)
	if grown := resident(t) - before; grown > 80<<20 {
		t.Errorf("40 sessions of 8 MB grew the process by %d MB", grown>>20)
	}
}

func resident(t *testing.T) int64 {
	t.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip(err)
	}
	var pages [2]int64
	for i, f := range strings.Fields(string(text))[:2] {
		for _, c := range f {
			pages[i] = 10*pages[i] + int64(c-'0')
		}
	}
	return pages[1] * int64(os.Getpagesize())
}

func BenchmarkRun(b *testing.B) {
	rt := open(b)
	s := session(b, rt, nets.LeNet5{}, ort.Options{})
	defer s.Close()
	in := [][]float32{make([]float32, 784)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Run(in); err != nil {
			b.Fatal(err)
		}
	}
}
