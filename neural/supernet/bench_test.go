//go:build unix

package supernet

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/nets"
	"github.com/daedalus-search/daedalus/neural/train/engine"
	"github.com/daedalus-search/daedalus/space"
)

// processor is the time that this process has computed so far, on all processors.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkStep measures a step of one network, update included, on networks that were
// never computed and again on the same ones, in processor time: how much a new network
// costs. Batches have 64 images.
func BenchmarkStep(b *testing.B) {
	for name, c := range map[string]struct {
		family nets.Family
		shape  neural.Shape
	}{
		"mini-OFA":      {miniOFA(neural.Shape{1, 28, 28}), neural.Shape{1, 28, 28}},
		"NAS-Bench-201": {cells201(neural.Shape{3, 16, 16}, 8, 1), neural.Shape{3, 16, 16}},
	} {
		b.Run(name, func(b *testing.B) {
			const networks = 40
			s := mustNew(b, c.family)
			r := rng.New(1, "benchmark", 0)
			seen := map[space.Design]bool{}
			var designs []space.Design
			for len(designs) < networks {
				if d := must(s.Space().Sample(r)); !seen[d] {
					seen[d] = true
					designs = append(designs, d)
				}
			}
			const n = 64
			batch := &engine.Batch{N: n, Inputs: [][]float32{make([]float32, n*int(c.shape.Elements()))}, Classes: make([]int32, n)}
			for i := range batch.Inputs[0] {
				batch.Inputs[0][i] = float32(rng.Norm(r))
			}
			for i := range batch.Classes {
				batch.Classes[i] = int32(i % 10)
			}
			fresh, again := time.Duration(1<<62), time.Duration(1<<62) // the least of all rounds
			for b.Loop() {
				dev := device(b)
				p := must(dev.Params(s.All(), must(s.Initial(rng.New(1, "weights", 0), false))))
				updates, gradient := must(p.NewOptimizer(engine.Optimizer{Momentum: 0.9})), must(p.NewGradient())
				for _, to := range []*time.Duration{&fresh, &again} {
					start := processor()
					for _, d := range designs {
						g := must(s.Graph(d))
						must(must(p.Net(g)).Gradient(batch, engine.Loss{}, engine.Noise{}, gradient))
						must(p.Step(updates, gradient, 0.01))
					}
					*to = min(*to, (processor()-start)/networks)
				}
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(fresh.Microseconds())/1000, "ms/new-step")
			b.ReportMetric(float64(again.Microseconds())/1000, "ms/step")
			b.ReportMetric(float64(fresh)/float64(again), "new/known")
		})
	}
}

// BenchmarkSample measures what choosing the networks of a step costs.
func BenchmarkSample(b *testing.B) {
	s := mustNew(b, miniOFA(neural.Shape{1, 28, 28}))
	for _, sampler := range []Sampler{Uniform{}, Fair{}, Sandwich{}, Balanced{}} {
		b.Run(fmt.Sprintf("%T", sampler), func(b *testing.B) {
			r := rng.New(1, "benchmark", 0)
			for b.Loop() {
				must(sampler.Sample(r, s, s.Space()))
			}
		})
	}
}
