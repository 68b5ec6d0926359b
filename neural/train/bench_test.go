package train

import (
	"testing"
	"time"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/data"
	"github.com/daedalus-search/daedalus/neural/nets"
	"github.com/daedalus-search/daedalus/neural/train/engine"
)

// BenchmarkFit measures what an image costs in training, and beside it what the steps
// alone cost, without loading, schedules and means.
func BenchmarkFit(b *testing.B) {
	const n, batch = 1024, 64
	r := rng.New(1, "train/bench", 0)
	pixels, labels := make([]uint8, n*28*28), make([]int32, n)
	for i := range pixels {
		pixels[i] = uint8(r.IntN(256))
	}
	for i := range labels {
		labels[i] = int32(i % 10)
	}
	set, err := data.NewImages("noise", 28, 28, 1, pixels, labels, []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"})
	if err != nil {
		b.Fatal(err)
	}
	g, err := nets.LeNet5{}.Graph()
	if err != nil {
		b.Fatal(err)
	}
	d := device(b, 1)
	perSecond := func(b *testing.B, start time.Duration) {
		b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "images/s")
		b.ReportMetric(float64(n)*float64(b.N)/(cpuTime()-start).Seconds(), "images/cpu-s")
	}
	b.Run("steps", func(b *testing.B) {
		p, err := d.Params(g, g.Initial(rng.New(1, "train/bench", 1)))
		if err != nil {
			b.Fatal(err)
		}
		net, err := p.Net(g)
		if err != nil {
			b.Fatal(err)
		}
		o, err := p.NewOptimizer(engine.Optimizer{Momentum: 0.9})
		if err != nil {
			b.Fatal(err)
		}
		sum, err := p.NewGradient()
		if err != nil {
			b.Fatal(err)
		}
		l, err := set.Loader(data.Options{Batch: batch, Scale: set.Scale()})
		if err != nil {
			b.Fatal(err)
		}
		examples := l.NewBatch()
		l.Fill(examples, 0, 0)
		start := cpuTime()
		for b.Loop() {
			for range n / batch {
				if _, err := net.Gradient(batchOf(examples), engine.Loss{}, engine.Noise{Drop: 1}, sum); err != nil {
					b.Fatal(err)
				}
				if _, err := p.Step(o, sum, 0.01); err != nil {
					b.Fatal(err)
				}
			}
		}
		perSecond(b, start)
	})
	for _, c := range []struct {
		name string
		r    Recipe
	}{
		{"plain", Recipe{}},
		{"ema", Recipe{EMA: 0.99}},
		{"augment", Recipe{Augment: []string{"flip", "crop 2"}}},
	} {
		b.Run(c.name, func(b *testing.B) {
			r := c.r
			r.Epochs = float64(b.N)
			b.ResetTimer()
			start := cpuTime()
			if _, err := Fit(b.Context(), Job{Device: d, Graph: g, Train: set, Recipe: r}); err != nil {
				b.Fatal(err)
			}
			perSecond(b, start)
		})
	}
}

// BenchmarkCheckpoint measures what a checkpoint of five million weights costs, with a
// sync of the disk.
func BenchmarkCheckpoint(b *testing.B) {
	s := someSnapshot()
	s.weights = neural.Weights{"w": make([]float32, 5_000_000)}
	s.optimizer = map[string][]float32{"w": make([]float32, 5_000_000)}
	path := b.TempDir() + "/net.checkpoint"
	for b.Loop() {
		if err := s.save(path); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(40_000_000)
}
