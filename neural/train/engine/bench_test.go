package engine_test

import (
	"cmp"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/nets"
	"github.com/daedalus-search/daedalus/neural/train/engine"
	"github.com/daedalus-search/daedalus/neural/train/internal/cpu"
)

// measured reports the least processor time of an iteration.
func measured(b *testing.B, f func()) time.Duration {
	f()
	best := time.Duration(1 << 62)
	b.ResetTimer()
	for b.Loop() {
		start := processorTime()
		f()
		best = min(best, processorTime()-start)
	}
	b.ReportMetric(float64(best.Microseconds())/1000, "ms-best")
	return best
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// plainCNN is 16-32-64 channels of convolution 3×3, batch norm, ReLU and max pool on
// 28×28, the network that docs/benchmarks.md compares with PyTorch; separable takes its
// second and third convolution apart into depthwise and pointwise ones.
func plainCNN(separable bool) *neural.Graph {
	b := neural.NewBuilder("cnn")
	x := b.Input("image", neural.Shape{1, 28, 28})
	for i, c := range []int{16, 32, 64} {
		if separable && i > 0 {
			x = b.Add(neural.Conv{Kernel: 3, Groups: neural.Depthwise}, x)
			x = b.Add(neural.BatchNorm{}, x)
			x = b.Add(neural.Activation{Func: neural.ReLU}, x)
			x = b.Add(neural.Conv{Out: c}, x)
		} else {
			x = b.Add(neural.Conv{Out: c, Kernel: 3}, x)
		}
		x = b.Add(neural.BatchNorm{}, x)
		x = b.Add(neural.Activation{Func: neural.ReLU}, x)
		if i < 2 {
			x = b.Add(neural.MaxPool{Stride: 2}, x)
		}
	}
	return must(b.Build(b.Add(neural.Linear{Out: 10, Bias: true}, b.Add(neural.GlobalPool{}, x))))
}

// benchmarked are the networks of gomlx.md's table.
func benchmarked() map[string]*neural.Graph {
	return map[string]*neural.Graph{
		"mlp":         must(nets.MLP{Numbers: 784, Hidden: []int{256}, Out: 10}.Graph()),
		"cnn":         plainCNN(false),
		"depthwise":   plainCNN(true),
		"transformer": must(nets.Transformer{Image: neural.Shape{64, 8, 4}, Patch: 1, Dim: 64, Classes: 10, Layers: []nets.TransformerLayer{{Heads: 4, Hidden: 256}}}.Graph()),
		"mobile":      must(edge(5, 4, 3).Graph()),
		"vision":      vision(),
	}
}

// vision is the largest network that examples/edge-vision.yaml searches among.
func vision() *neural.Graph {
	stage := func(kind string, stride int, depth, kernels []int, widths ...int) nets.MobileStage {
		return nets.MobileStage{Kinds: []string{kind}, Widths: widths, Depth: depth, Kernels: kernels, PlainKernels: []int{3}, Expand: []float64{1, 2}, Stride: stride}
	}
	f := must(nets.MobileSpace{
		Stem: []int{16, 24}, Reduce: []string{"pool"}, Places: []string{"flatten"}, Mix: []int{0},
		Stages: []nets.MobileStage{
			stage("plain", 1, []int{0, 1}, []int{3}, 16, 24, 32), stage("fused", 2, []int{1, 2}, []int{3, 5}, 16, 24, 32, 48),
			stage("fused", 2, []int{1, 2}, []int{3}, 32, 48, 64, 96),
		},
	}.New())
	return must(f.Graph(f.Largest()))
}

// edge is a network like those of the vision example: MobileNetV3 on 28×28.
func edge(kernel int, expand float64, depth int) nets.Mobile {
	m := mobile(28, kernel, expand, depth)
	m.Units[0].Out, m.Units[1].Out = 16, 32
	return m
}

// BenchmarkStep is a step of training, gradient and update, of 64 examples with one
// thread. Run with GOMAXPROCS=1. With -v it prints where the time goes on cpu.
func BenchmarkStep(b *testing.B) {
	for _, backend := range backends {
		for _, name := range []string{"mlp", "cnn", "depthwise", "transformer", "mobile", "vision"} {
			b.Run(backend+"/"+name, func(b *testing.B) {
				d := open(b, config(backend))
				g := benchmarked()[name]
				r := rng.New(1, "bench", 0)
				p := params(b, d, g, g.Initial(r))
				n := must(p.Net(g))
				sum := must(p.NewGradient())
				opt := must(p.NewOptimizer(engine.Optimizer{Kind: engine.AdamW}))
				batch := examples(g, 64)
				step := func() {
					must(n.Gradient(batch, engine.Loss{}, engine.Noise{}, sum))
					must(p.Step(opt, sum, 1e-3))
				}
				measured(b, step)
				if own, ok := d.CPU(); ok && testing.Verbose() {
					profile(b, own, step)
				}
			})
		}
	}
}

// profile prints the operations of a step that take longest, each by the least of many
// steps, as the machine is busy.
func profile(b *testing.B, own *cpu.Backend, step func()) {
	const steps, longest = 40, 20
	least := map[string]cpu.ProfileEntry{}
	for range steps {
		own.Profile(true)
		step()
		own.Profile(false)
		for _, e := range own.ProfileTable() {
			if l, ok := least[e.Op]; !ok || e.Time < l.Time {
				least[e.Op] = e
			}
		}
	}
	all, sum := slices.Collect(maps.Values(least)), 0.
	for _, e := range all {
		sum += e.Time.Seconds() * 1e3
	}
	slices.SortFunc(all, func(x, y cpu.ProfileEntry) int { return cmp.Or(cmp.Compare(y.Time, x.Time), cmp.Compare(x.Op, y.Op)) })
	b.Logf("%8.3f ms in all", sum)
	for _, e := range all[:min(longest, len(all))] {
		b.Logf("%8.3f ms %4.1f %% %4d× %s", e.Time.Seconds()*1e3, e.Time.Seconds()*1e5/sum, e.Calls, e.Op)
	}
}

func config(backend string) engine.Config {
	c := engine.Config{Backend: backend}
	if backend == "cpu" {
		c.Threads = 1
	}
	return c
}

func examples(g *neural.Graph, n int) *engine.Batch {
	b := &engine.Batch{N: n}
	r := rng.New(2, "examples", 0)
	for _, i := range g.Inputs() {
		v := make([]float32, n*int(g.Node(i).Shape.Elements()))
		for k := range v {
			v[k] = float32(rng.Norm(r))
		}
		b.Inputs = append(b.Inputs, v)
	}
	s := g.Node(g.Outputs()[0]).Shape
	for range n * int(s.Places()) {
		b.Classes = append(b.Classes, int32(r.IntN(s.Features())))
	}
	return b
}

// BenchmarkEvaluate is inference of 64 examples.
func BenchmarkEvaluate(b *testing.B) {
	for _, backend := range backends {
		for _, name := range []string{"mlp", "cnn", "depthwise", "transformer", "mobile"} {
			b.Run(backend+"/"+name, func(b *testing.B) {
				d := open(b, config(backend))
				g := benchmarked()[name]
				p := params(b, d, g, g.Initial(rng.New(1, "bench", 0)))
				n := must(p.Net(g))
				batch := examples(g, 64)
				if err := n.Recalibrate(batch); err != nil {
					b.Fatal(err)
				}
				measured(b, func() { must(n.Evaluate(batch)) })
			})
		}
	}
}

// members are random networks of a family, all different.
func members(n int) []*neural.Graph {
	r := rng.New(3, "members", 0)
	seen := map[string]bool{}
	var all []*neural.Graph
	for len(all) < n {
		m := edge(5, 4, 3)
		key := ""
		for u := range m.Units {
			m.Units[u].Layers = m.Units[u].Layers[:2+r.IntN(2)]
			for l := range m.Units[u].Layers {
				m.Units[u].Layers[l] = nets.MobileLayer{Kernel: 3 + 2*r.IntN(2), Expand: float64(2 + r.IntN(3))}
			}
			key += fmt.Sprint(m.Units[u].Layers)
		}
		if !seen[key] {
			seen[key] = true
			all = append(all, must(m.Graph()))
		}
	}
	return all
}

// BenchmarkNewNet is a step of a sub-network that was never there, against one that is
// cached: the first may take 1.3 times as long. It reports how many are built in a second,
// and the memory that each takes.
func BenchmarkNewNet(b *testing.B) {
	for _, backend := range backends {
		b.Run(backend, func(b *testing.B) {
			c := config(backend)
			c.Nets = 1000
			d := open(b, c)
			large := must(edge(5, 4, 3).Graph())
			p := params(b, d, large, large.Initial(rng.New(1, "bench", 0)))
			sum := must(p.NewGradient())
			batch := examples(large, 64)
			step := func(g *neural.Graph) time.Duration {
				start := processorTime()
				n := must(p.Net(g))
				must(n.Gradient(batch, engine.Loss{}, engine.Noise{Seed: 1, Drop: 1}, sum))
				return processorTime() - start
			}
			step(large)
			all := members(20)
			first, again := make([]time.Duration, len(all)), make([]time.Duration, len(all))
			for i := range all { // the best of several rounds: the machine is busy
				first[i], again[i] = 1<<62, 1<<62
			}
			before := heapBytes()
			for b.Loop() {
				p = params(b, d, large, large.Initial(rng.New(1, "bench", 0))) // another layout: all are new
				sum = must(p.NewGradient())
				for i, g := range all {
					first[i] = min(first[i], step(g))
				}
				for i, g := range all {
					again[i] = min(again[i], step(g))
				}
			}
			kept := heapBytes() - before
			nets, _ := d.Compiled()
			var one, two time.Duration
			for i := range all {
				one, two = one+first[i], two+again[i]
			}
			b.ReportMetric(float64(one)/float64(two), "new/cached")
			b.ReportMetric((one-two).Seconds()*1000/float64(len(all)), "ms-build")
			b.ReportMetric(float64(kept)/float64(nets)/1024, "KB/net")
			b.ReportMetric(two.Seconds()*1000/float64(len(all)), "ms-step")
		})
	}
}

// BenchmarkBuild is a network that was never there and its first step, of one example,
// so that it is building above all.
func BenchmarkBuild(b *testing.B) {
	for _, backend := range backends {
		b.Run(backend, func(b *testing.B) {
			d := open(b, config(backend))
			large := must(edge(5, 4, 3).Graph())
			batch := examples(large, 1)
			all := members(20)
			best := measured(b, func() {
				p := params(b, d, large, large.Initial(rng.New(1, "bench", 0)))
				sum := must(p.NewGradient())
				for _, g := range all {
					must(must(p.Net(g)).Gradient(batch, engine.Loss{}, engine.Noise{}, sum))
				}
				p.Free()
				sum.Free()
			})
			b.ReportMetric(float64(len(all))/best.Seconds(), "nets/s")
		})
	}
}

func heapBytes() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
