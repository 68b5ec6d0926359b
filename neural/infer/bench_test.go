//go:build unix

package infer_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/infer"
	"github.com/daedalus-search/daedalus/neural/nets"
	"github.com/daedalus-search/daedalus/neural/onnx"
)

func processorMS() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return float64(u.Utime.Sec+u.Stime.Sec)*1e3 + float64(u.Utime.Usec+u.Stime.Usec)/1e3
}

// BenchmarkRun reports milliseconds of the processor for an example: the least and the
// median of ten runs at a time. With DAEDALUS_PYTHON, an interpreter that has ONNX
// Runtime, it reports those of ONNX Runtime too.
func BenchmarkRun(b *testing.B) {
	for _, f := range []struct {
		name string
		net  interface {
			Graph() (*neural.Graph, error)
		}
	}{
		{"lenet5", nets.LeNet5{}}, {"resnet20", nets.ResNet{}}, {"mobilenet-0.5", nets.MobileNet{Width: 0.5, Halve: 3}},
		{"vit", nets.Transformer{Image: neural.Shape{3, 32, 32}, Patch: 4, Dim: 64, Classes: 10, Layers: slices.Repeat([]nets.TransformerLayer{{Heads: 4, Hidden: 256}}, 4)}},
	} {
		g, err := f.net.Graph()
		if err != nil {
			b.Fatal(err)
		}
		w := g.Initial(rng.New(1, "w", 0))
		for _, batch := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/batch=%d", f.name, batch), func(b *testing.B) {
				n, err := infer.Compile(g, w, infer.Options{Batch: batch})
				if err != nil {
					b.Fatal(err)
				}
				in := make([]float32, int64(batch)*g.Node(g.Inputs()[0]).Shape.Elements())
				var times []float64
				for b.Loop() {
					start := processorMS()
					for range 10 {
						if _, err := n.Run(in); err != nil {
							b.Fatal(err)
						}
					}
					times = append(times, (processorMS()-start)/10)
				}
				slices.Sort(times)
				each := float64(batch)
				b.ReportMetric(times[0]/each, "min-ms/example")
				b.ReportMetric(times[len(times)/2]/each, "ms/example")
				b.ReportMetric(2*float64(g.Cost().MACs)*each/times[0]/1e6, "GFLOP/s")
				least, median, ok := runtime(b, g, w, batch)
				if ok {
					b.ReportMetric(least/each, "onnxruntime-min-ms/example")
					b.ReportMetric(median/each, "onnxruntime-ms/example")
				}
			})
		}
	}
}

// BenchmarkAttention reports milliseconds of the processor for attention alone, the least of
// many runs: of 4 heads, over more and more tokens. The least of softmax and the least of
// linear attention say from which length on the latter is faster.
//
//	GOMAXPROCS=1 GOEXPERIMENT=simd go test -run none -bench Attention -benchtime 20x ./neural/infer
func BenchmarkAttention(b *testing.B) {
	for _, d := range []int{16, 64} {
		for _, causal := range []bool{false, true} {
			for _, kind := range []neural.AttentionKind{neural.SoftmaxAttention, neural.LinearELU, neural.LinearReLU, neural.CosformerReLU} {
				for n := 64; n <= 2048; n *= 2 {
					b.Run(fmt.Sprintf("features=%d/causal=%v/%v/tokens=%d", d, causal, kind, n), func(b *testing.B) {
						g, err := attention(neural.Attention{Heads: 4, Type: kind, Causal: causal}, n, n, d, d)
						if err != nil {
							b.Fatal(err)
						}
						net, err := infer.Compile(g, nil, infer.Options{})
						if err != nil {
							b.Fatal(err)
						}
						in, _ := signals(rng.New(1, "attention", 0), g, 1)
						turns := max(1, 2048/n)
						var times []float64
						for b.Loop() {
							start := processorMS()
							for range turns {
								if _, err := net.Run(in...); err != nil {
									b.Fatal(err)
								}
							}
							times = append(times, (processorMS()-start)/float64(turns))
						}
						least := slices.Min(times)
						b.ReportMetric(least, "min-ms")
						b.ReportMetric(2*float64(g.Cost().MACs)/least/1e6, "GFLOP/s")
					})
				}
			}
		}
	}
}

// runtime returns the times of ONNX Runtime, if there is one.
func runtime(b *testing.B, g *neural.Graph, w neural.Weights, batch int) (least, median float64, ok bool) {
	python := os.Getenv("DAEDALUS_PYTHON")
	if python == "" {
		return 0, 0, false
	}
	var file bytes.Buffer
	if err := onnx.Write(&file, g, w, onnx.Options{FoldBatchNorm: true}); err != nil {
		b.Fatal(err)
	}
	path := filepath.Join(b.TempDir(), "net.onnx")
	if err := os.WriteFile(path, file.Bytes(), 0o644); err != nil {
		b.Fatal(err)
	}
	text, err := exec.Command(python, "testdata/time.py", fmt.Sprint(batch), path).CombinedOutput()
	if err != nil {
		b.Fatalf("%v: %s", err, text)
	}
	if _, err := fmt.Sscan(strings.TrimSpace(string(text)), &least, &median); err != nil {
		b.Fatalf("%v: %s", err, text)
	}
	return least, median, true
}

func BenchmarkCompile(b *testing.B) {
	g, err := nets.ResNet{}.Graph()
	if err != nil {
		b.Fatal(err)
	}
	w := g.Initial(rng.New(1, "w", 0))
	for b.Loop() {
		if _, err := infer.Compile(g, w, infer.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
