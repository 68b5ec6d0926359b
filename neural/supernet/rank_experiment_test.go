//go:build experiment

package supernet

import (
	"compress/gzip"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/data"
	"github.com/daedalus-search/daedalus/neural/nets"
	"github.com/daedalus-search/daedalus/neural/train"
	"github.com/daedalus-search/daedalus/neural/train/engine"
	"github.com/daedalus-search/daedalus/space"
)

// shared reads a file of the shared data, or skips.
func shared(t *testing.T, name string) []byte {
	t.Helper()
	f, err := os.Open("../../../shared/data/" + name)
	if err != nil {
		t.Skipf("the data of this experiment is not there: %v", err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// fashion returns the first images of the training part of Fashion-MNIST at a side, in
// two parts.
func fashion(t *testing.T, n, side int, share float64) (learn, valid *data.Set) {
	pixels, labels := shared(t, "fashion-mnist/train-images-idx3-ubyte.gz")[16:], shared(t, "fashion-mnist/train-labels-idx1-ubyte.gz")[8:]
	classes := make([]int32, n)
	for i := range classes {
		classes[i] = int32(labels[i])
	}
	set := must(data.NewImages("Fashion-MNIST", 28, 28, 1, pixels[:n*784], classes, []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}))
	parts := must(must(set.Resize(side)).Split(1, share, 1-share))
	return parts[0], parts[1]
}

// steady reports the progress of a long training now and then.
func steady(t *testing.T) func(Progress) {
	last := time.Now()
	return func(p Progress) {
		if now := time.Now(); now.Sub(last) > 20*time.Second {
			last = now
			t.Logf("… phase %d, step %d of %d, loss %.3f, %.0f examples/s, %v left", p.Phase, p.Step, p.Steps, p.Loss, p.PerSecond, p.Remaining.Round(time.Second))
		}
	}
}

// withLargest is the sandwich without its smallest network.
type withLargest struct{ random int }

func (w withLargest) String() string { return fmt.Sprintf("the largest and %d others", w.random) }

func (w withLargest) Sample(r *rand.Rand, s *Supernet, part *space.Space) ([]space.Design, error) {
	more, err := Uniform{N: w.random}.Sample(r, s, part)
	return append([]space.Design{s.Largest()}, more...), err
}

// BigNAS against single paths on mini-OFA, without its parts and with others, all at
// equal passes of images through networks. Each line is a test of its own.
//
//	GOEXPERIMENT=simd go test -tags experiment -run ExperimentBigNAS -v -timeout 90m ./neural/supernet
func TestExperimentBigNAS(t *testing.T) {
	learn, valid := fashion(t, 9000, 28, 1./3)
	s := must(New(must(nets.MiniOFA().New())))
	const (
		passes = 60.0 // of the training images through single networks
		seeds  = 2
	)
	// epochs that so many passes over a batch in each step leave
	recipe := func(each float64, batch int, rate float64) train.Recipe {
		return train.Recipe{Epochs: passes / each, Batch: batch, LearningRate: rate, WeightDecay: 1e-4, Augment: []string{"crop 2"}}
	}
	exponential := recipe(4, 32, 0.05)
	exponential.Schedule = "exponential"
	ends := Sandwich{Random: -1}
	var between []space.Design
	for i := range 30 {
		between = append(between, must(s.Space().Sample(rng.New(5, "between", uint64(i)))))
	}
	for _, m := range []struct {
		name                 string
		phase                Phase
		residual, transforms bool
	}{
		{name: "SPOS", phase: Phase{Recipe: recipe(1, 32, 0.05)}},
		{name: "SPOS, learning rate 0.1", phase: Phase{Recipe: recipe(1, 32, 0.1)}},
		{name: "SPOS, learning rate 0.2", phase: Phase{Recipe: recipe(1, 32, 0.2)}},
		{"BigNAS", BigNAS(recipe(4, 32, 0.05))[0], true, false},
		{"BigNAS, learning rate 0.1", BigNAS(recipe(4, 32, 0.1))[0], true, false},
		{"BigNAS, exponential", BigNAS(exponential)[0], true, false},
		{"BigNAS, batches of 8, learning rate 0.025", BigNAS(recipe(4, 8, 0.025))[0], true, false},
		{"the same with transforms", BigNAS(recipe(4, 8, 0.025))[0], true, true},
		{"without distillation", Phase{Sampler: Sandwich{}, Recipe: recipe(4, 32, 0.1)}, true, false},
		{"without the smallest", Phase{Sampler: withLargest{3}, Teaching: InPlace, Recipe: recipe(4, 32, 0.05)}, true, false},
		{"four at random", Phase{Sampler: Uniform{N: 4}, Recipe: recipe(4, 32, 0.05)}, false, false},
		{"ends and one between", Phase{Sampler: Sandwich{Random: 1}, Teaching: InPlace, Recipe: recipe(3, 32, 0.05)}, true, false},
		{"ends alone", Phase{Sampler: ends, Teaching: InPlace, Recipe: recipe(2, 32, 0.05)}, true, false},
		{"ends alone, learning rate 0.1", Phase{Sampler: ends, Teaching: InPlace, Recipe: recipe(2, 32, 0.1)}, true, false},
		{"ends alone without distillation", Phase{Sampler: ends, Recipe: recipe(2, 32, 0.1)}, true, false},
		{"divided batches of 48", Phase{Sampler: Sandwich{}, Teaching: InPlace, Divide: true, Recipe: recipe(2, 48, 0.05)}, true, false},
		{"divided batches of 64 without distillation", Phase{Sampler: Sandwich{}, Divide: true, Recipe: recipe(1, 64, 0.1)}, true, false},
		{"divided batches of 128 without distillation", Phase{Sampler: Sandwich{}, Divide: true, Recipe: recipe(1, 128, 0.1)}, true, false},
		{"the same, learning rate 0.2", Phase{Sampler: Sandwich{}, Divide: true, Recipe: recipe(1, 128, 0.2)}, true, false},
	} {
		t.Run(m.name, func(t *testing.T) {
			start, dev := time.Now(), device(t)
			var results [3][]float64
			for seed := range uint64(seeds) {
				phase := m.phase
				phase.Recipe.Seed = seed
				got := must(Train(t.Context(), Job{Supernet: s, Device: dev, Train: learn, Phases: []Phase{phase}, Residual: m.residual, Transforms: m.transforms, Progress: steady(t)}))
				e := &Evaluator{Supernet: s, Params: got.Params, Train: learn, Valid: valid, Scale: got.Scale, Calibrate: 1024}
				accuracy := func(d space.Design) float64 { return 100 * must(e.Evaluate(t.Context(), d)).Accuracy }
				mean := 0.0
				for _, d := range between {
					mean += accuracy(d) / float64(len(between))
				}
				for i, x := range []float64{accuracy(s.Smallest()), accuracy(s.Largest()), mean} {
					results[i] = append(results[i], x)
				}
			}
			row := "| " + m.name + " |"
			for _, x := range results {
				mean, deviation := meanError(x)
				row += fmt.Sprintf(" %.2f ± %.2f (%.2f) |", mean, deviation, x)
			}
			t.Logf("smallest, largest, mean of 30 (%v): %s", time.Since(start).Round(time.Second), row)
		})
	}
}

// RANK against trainings of networks alone: 24 networks of mini-OFA, 15 epochs each,
// and what both supernets of 60 passes give them.
//
//	GOEXPERIMENT=simd go test -tags experiment -run ExperimentAlone -v -timeout 60m ./neural/supernet
func TestExperimentAlone(t *testing.T) {
	learn, valid := fashion(t, 7000, 28, 3./7)
	s := must(New(must(nets.MiniOFA().New())))
	dev := device(t)
	var designs []space.Design
	seen := map[space.Design]bool{}
	for i := uint64(0); len(designs) < 24; i++ {
		if d := must(s.Space().Sample(rng.New(7, "alone", i))); !seen[d] {
			seen[d] = true
			designs = append(designs, d)
		}
	}
	recipe := func(epochs float64, batch int, rate float64, seed uint64) train.Recipe {
		return train.Recipe{Epochs: epochs, Batch: batch, LearningRate: rate, WeightDecay: 1e-4, Augment: []string{"crop 2"}, Calibrate: 1024, Seed: seed}
	}
	all := must(s.Candidates(designs, s.Alone(t.Context(), train.Job{Device: dev, Train: learn, Valid: valid, Recipe: recipe(15, 32, 0.05, 0)})))
	for _, m := range []struct {
		name   string
		phases []Phase
	}{{"SPOS", SPOS(recipe(60, 32, 0.05, 1))}, {"BigNAS", BigNAS(recipe(15, 8, 0.025, 1))}} {
		got := must(Train(t.Context(), Job{Supernet: s, Device: dev, Train: learn, Phases: m.phases, Residual: m.name == "BigNAS", Progress: steady(t)}))
		e := &Evaluator{Supernet: s, Params: got.Params, Train: learn, Valid: valid, Scale: got.Scale, Calibrate: 1024}
		if err := e.Rate(t.Context(), m.name, all, nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, x := range must(Ranking{Top: []int{1, 5}}.Rank(all, "SPOS", "BigNAS")) {
		t.Logf("%s\n", x)
	}
}

// What the passes of a step have to say: how the gradients of 16 networks on 16 batches
// vary, with the network, with the batch, and with both together. A sandwich averages
// over its networks but not over images.
//
//	GOEXPERIMENT=simd go test -tags experiment -run ExperimentGradients -v ./neural/supernet
func TestExperimentGradients(t *testing.T) {
	learn, _ := fashion(t, 5000, 28, 0.6)
	s := must(New(must(nets.MiniOFA().New())))
	dev := device(t)
	got := must(Train(t.Context(), Job{
		Supernet: s, Device: dev, Train: learn,
		Phases: SPOS(train.Recipe{Epochs: 15, Batch: 32, LearningRate: 0.05, WeightDecay: 1e-4, Augment: []string{"crop 2"}}),
	}))
	const n = 16
	var designs []space.Design
	for i := range n {
		designs = append(designs, must(s.Space().Sample(rng.New(9, "nets", uint64(i)))))
	}
	for _, size := range []int{8, 32} {
		l := must(learn.Loader(data.Options{Batch: size, Scale: got.Scale, Seed: 3, Shuffle: true}))
		b := l.NewBatch()
		all := map[string][]float64{}
		var networks, images [n]map[string][]float64
		for i := range n {
			networks[i], images[i] = map[string][]float64{}, map[string][]float64{}
		}
		square := func(g map[string][]float64) (sum float64) {
			for _, v := range g {
				for _, x := range v {
					sum += x * x
				}
			}
			return sum
		}
		total := 0.0
		for j := range n {
			l.Fill(b, 0, j)
			batch := &engine.Batch{N: b.N, Inputs: b.Inputs, Classes: b.Classes}
			for i, d := range designs {
				g := must(got.Params.NewGradient())
				must(must(got.Params.Net(must(s.Graph(d)))).Gradient(batch, engine.Loss{}, engine.Noise{}, g))
				one := map[string][]float64{}
				for name, v := range must(g.Host()) {
					for _, to := range []map[string][]float64{all, networks[i], images[j], one} {
						if to[name] == nil {
							to[name] = make([]float64, len(v))
						}
						for k, x := range v {
							to[name][k] += float64(x)
						}
					}
				}
				total += square(one) / (n * n)
				g.Free()
			}
		}
		// Analysis of variance of two factors, without repetition.
		mean := square(all) / (n * n * n * n)
		rows, columns := 0.0, 0.0
		for i := range n {
			rows += square(networks[i]) / (n * n * n)
			columns += square(images[i]) / (n * n * n)
		}
		both := (total - rows - columns + mean) * n * n / ((n - 1) * (n - 1))
		net, image := (rows-mean)*n/(n-1)-both/n, (columns-mean)*n/(n-1)-both/n
		single, sandwich := (net+image+both)/4, net/4+image+both/4
		t.Logf("batches of %d: of networks %.4f, of images %.4f, of both together %.4f; of the mean of four passes %.4f on four batches, %.4f on one", size, net, image, both, single, sandwich)
		if sandwich < single {
			t.Error("four networks on one batch vary less than on four")
		}
	}
}

// Progressive shrinking against all dimensions at once, at equal updates and passes.
//
//	GOEXPERIMENT=simd go test -tags experiment -run ExperimentShrinking -v -timeout 60m ./neural/supernet
func TestExperimentShrinking(t *testing.T) {
	start := time.Now()
	learn, valid := fashion(t, 9000, 28, 2./3)
	s := must(New(must(nets.MiniOFA().New())))
	dev := device(t)
	recipe := func(epochs, rate float64) train.Recipe {
		return train.Recipe{Epochs: epochs, Batch: 32, LearningRate: rate, WeightDecay: 3e-5, Augment: []string{"crop 2"}}
	}
	var between []space.Design
	for i := range 30 {
		between = append(between, must(s.Space().Sample(rng.New(5, "between", uint64(i)))))
	}
	measure := func(name string, phases []Phase, start neural.Weights) (smallest, largest, mean float64, w *Trained) {
		got := must(Train(t.Context(), Job{Supernet: s, Device: dev, Train: learn, Valid: valid, Phases: phases, Start: start, Residual: true, Progress: steady(t)}))
		e := &Evaluator{Supernet: s, Params: got.Params, Train: learn, Valid: valid, Scale: got.Scale, Calibrate: 1024}
		for _, d := range between {
			mean += 100 * must(e.Evaluate(t.Context(), d)).Accuracy / float64(len(between))
		}
		smallest, largest = 100*must(e.Evaluate(t.Context(), s.Smallest())).Accuracy, 100*must(e.Evaluate(t.Context(), s.Largest())).Accuracy
		return smallest, largest, mean, got
	}
	shrink := miniShrinking(recipe(20, 0.05), recipe(10, 0.03), recipe(10, 0.03), recipe(10, 0.03))
	shrink.Seed = 1
	phases := must(shrink.Phases(s))
	small, large, mean, got := measure("shrinking", phases, nil)
	before := 100 * got.Phases[0].Valid.Accuracy
	t.Logf("shrinking: smallest %.2f, largest %.2f (%.2f when it was alone), mean of 30 %.2f (%v)", small, large, before, mean, time.Since(start).Round(time.Second))
	// As many updates and passes: the largest first, then all dimensions with as many
	// networks a step as the phases have.
	once := []Phase{phases[0]}
	for i, n := range []int{1, 2, 4} {
		p := phases[i+1]
		p.Part, p.Sort, p.Sampler = nil, false, Uniform{N: n}
		once = append(once, p)
	}
	small2, large2, mean2, _ := measure("at once", once, nil)
	t.Logf("all dimensions at once: smallest %.2f, largest %.2f, mean of 30 %.2f (%v)", small2, large2, mean2, time.Since(start).Round(time.Second))
	alone := must(s.Alone(t.Context(), train.Job{Device: dev, Train: learn, Valid: valid, Recipe: recipe(50, 0.05)})(s.Smallest()))
	t.Logf("smallest alone: %.2f (%v)", alone, time.Since(start).Round(time.Second))
	for what, ok := range map[string]bool{
		"the largest network loses less than a point":                  large > before-1,
		"the smallest is within 2 points of what it reaches alone":     small >= alone-2,
		"the mean of 30 is better than that of all dimensions at once": mean > mean2,
	} {
		t.Logf("%s: %v", what, ok)
	}
}
