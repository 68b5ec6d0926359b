//go:build experiment

package supernet

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/data"
	"github.com/daedalus-search/daedalus/neural/nets"
	"github.com/daedalus-search/daedalus/neural/train"
	"github.com/daedalus-search/daedalus/problems/nasbench201"
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

// inherited returns the mean over paths of the statistics of batch normalisation: what
// running averages over a training on random paths converge to.
func inherited(t *testing.T, e *Evaluator, paths int) neural.Weights {
	sums, counts := map[string][]float64{}, map[string]float64{}
	for i := range paths {
		d := must(e.Supernet.Space().Sample(rng.New(11, "paths", uint64(i))))
		g, w, err := e.Extract(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range g.AllWeights() {
			if x.State {
				if sums[x.Name] == nil {
					sums[x.Name] = make([]float64, len(w[x.Name]))
				}
				for k, v := range w[x.Name] {
					sums[x.Name][k] += float64(v)
				}
				counts[x.Name]++
			}
		}
	}
	out := neural.Weights{}
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		for _, v := range sums[name] {
			out[name] = append(out[name], float32(v/counts[name]))
		}
	}
	return out
}

// evaluateWith evaluates a network with given statistics.
func evaluateWith(ctx context.Context, e *Evaluator, d space.Design, statistics neural.Weights) (float64, error) {
	g, err := e.Supernet.Graph(d)
	if err != nil {
		return 0, err
	}
	n, err := e.Params.Net(g)
	if err != nil {
		return 0, err
	}
	if err := n.SetStatistics(statistics); err != nil {
		return 0, err
	}
	m, err := train.Evaluate(ctx, n, e.Valid, e.Scale, e.Batch)
	if err != nil {
		return 0, err
	}
	return 100 * m.Accuracy, nil
}

// RANK on NAS-Bench-201: a supernet of 8 channels and one cell a stage on 6,000 images of
// Fashion-MNIST at 12×12 ranks 150 connected cells by the benchmark's accuracy on the test
// part of CIFAR-10.
//
//	GOEXPERIMENT=simd go test -tags experiment -run ExperimentRank -v -timeout 60m ./neural/supernet
func TestExperimentRank(t *testing.T) {
	start := time.Now()
	learn, valid := fashion(t, 8000, 12, 0.75)
	s := must(New(must(nets.NASBench201Space{Channels: 8, Cells: 1, Image: neural.Shape{1, 12, 12}}.New())))
	accuracies := must(nasbench201.Accuracies(nasbench201.CIFAR10, nasbench201.Test200))
	cell := func(d space.Design) nasbench201.Cell {
		var ops [6]nasbench201.Op
		for e, x := range d.Numbers(nil) {
			ops[e] = nasbench201.Op(x)
		}
		return nasbench201.CellOf(ops)
	}
	var designs []space.Design
	seen := map[space.Design]bool{}
	for i := uint64(0); len(designs) < 150; i++ {
		if d := must(s.Space().Sample(rng.New(1, "candidates", i))); !seen[d] && cell(d).Connected() {
			seen[d] = true
			designs = append(designs, d)
		}
	}
	all := must(s.Candidates(designs, func(d space.Design) (float64, error) { return accuracies[cell(d)], nil }))
	// The baseline is FLOPs of the benchmark's own networks.
	for i := range all {
		all[i].Scores["FLOPs of the benchmark"] = float64(cell(all[i].Design).FLOPs(nasbench201.CIFAR10))
	}
	dev := device(t)
	epochs := 60.0
	got := must(Train(t.Context(), Job{
		Supernet: s, Device: dev, Train: learn, Progress: steady(t),
		Phases: SPOS(train.Recipe{Epochs: epochs, Batch: 32, LearningRate: 0.05, WeightDecay: 2.5e-4, Clip: 5, Augment: []string{"flip"}, Seed: 1}),
	}))
	t.Logf("%s: trained %g epochs in %v", dev.Name(), epochs, time.Since(start).Round(time.Second))
	e := &Evaluator{Supernet: s, Params: got.Params, Train: learn, Valid: valid, Scale: got.Scale, Calibrate: 512}
	if err := e.Rate(t.Context(), "SPOS", all, nil); err != nil {
		t.Fatal(err)
	}
	running := inherited(t, e, 100)
	for _, c := range all {
		c.Scores["SPOS, running statistics"] = must(evaluateWith(t.Context(), e, c.Design, running))
	}
	tables := must(Ranking{Top: []int{1, 5, 10}, Above: map[string]float64{"above 90 %": 90}, Seed: 1}.Rank(all, "SPOS", "SPOS, running statistics", "FLOPs of the benchmark"))
	for _, x := range tables {
		t.Logf("%s\n", x)
	}
	if k := tables[0].Standing("SPOS").Kendall.Value; k < 0.3 {
		t.Errorf("Kendall of the supernet is %.3f, want 0.3 and more", k)
	}
	if a, b := tables[0].Standing("SPOS").Kendall.Value, tables[0].Standing("SPOS, running statistics").Kendall.Value; b >= a {
		t.Errorf("Kendall with running statistics is %.3f, want less than the %.3f with a network's own", b, a)
	}
	best := slices.MaxFunc(all, func(a, b Candidate) int { return int(1e6 * (a.Scores["SPOS"] - b.Scores["SPOS"])) })
	mean := 0.0
	r := rng.New(2, "picks", 0)
	for range 20 {
		mean += all[r.IntN(len(all))].Truth / 20
	}
	t.Logf("the supernet's pick has %.2f %%, 20 random ones %.2f %% in the mean; %v in all", best.Truth, mean, time.Since(start).Round(time.Second))
	if best.Truth <= mean {
		t.Error("the pick is no better than random ones")
	}
}

// withLargest is the sandwich without its smallest network.
type withLargest struct{ random int }

func (w withLargest) String() string { return fmt.Sprintf("the largest and %d others", w.random) }

func (w withLargest) Sample(r *rand.Rand, s *Supernet, part *space.Space) ([]space.Design, error) {
	more, err := Uniform{N: w.random}.Sample(r, s, part)
	return append([]space.Design{s.Largest()}, more...), err
}

// BigNAS against single paths on mini-OFA at equal passes, and without its parts.
//
//	GOEXPERIMENT=simd go test -tags experiment -run ExperimentBigNAS -v -timeout 60m ./neural/supernet
func TestExperimentBigNAS(t *testing.T) {
	start := time.Now()
	learn, valid := fashion(t, 9000, 28, 2./3)
	s := must(New(must(nets.MiniOFA().New())))
	dev := device(t)
	const passes = 120.0 // epochs of single networks
	paths := train.Recipe{Epochs: passes, Batch: 32, LearningRate: 0.05, WeightDecay: 1e-4, Augment: []string{"crop 2"}}
	sandwich := paths
	sandwich.Epochs, sandwich.Schedule = passes/4, "exponential"
	cosine := sandwich
	cosine.Schedule = "cosine"
	methods := []struct {
		name     string
		phases   []Phase
		residual bool
	}{
		{"SPOS", SPOS(paths), false},
		{"BigNAS, cosine", BigNAS(cosine), true},
		{"without distillation", []Phase{{Sampler: Sandwich{}, Recipe: cosine}}, true},
		{"without the smallest", []Phase{{Sampler: withLargest{3}, Teaching: InPlace, Recipe: cosine}}, true},
		{"BigNAS, exponential", BigNAS(sandwich), true},
	}
	var between []space.Design
	for i := range 30 {
		between = append(between, must(s.Space().Sample(rng.New(5, "between", uint64(i)))))
	}
	const seeds = 2
	results := map[string][3][]float64{}
	for seed := range uint64(seeds) {
		for _, m := range methods {
			phases := slices.Clone(m.phases)
			phases[0].Recipe.Seed = seed
			got := must(Train(t.Context(), Job{Supernet: s, Device: dev, Train: learn, Phases: phases, Residual: m.residual, Progress: steady(t)}))
			e := &Evaluator{Supernet: s, Params: got.Params, Train: learn, Valid: valid, Scale: got.Scale, Calibrate: 1024}
			accuracy := func(d space.Design) float64 { return 100 * must(e.Evaluate(t.Context(), d)).Accuracy }
			mean := 0.0
			for _, d := range between {
				mean += accuracy(d) / float64(len(between))
			}
			r := results[m.name]
			for i, x := range []float64{accuracy(s.Smallest()), accuracy(s.Largest()), mean} {
				r[i] = append(r[i], x)
			}
			results[m.name] = r
			t.Logf("seed %d, %s: smallest %.2f, largest %.2f, mean of 30 %.2f (%v)", seed, m.name, r[0][seed], r[1][seed], r[2][seed], time.Since(start).Round(time.Second))
		}
	}
	t.Log("| training | smallest | largest | mean of 30 |")
	for _, m := range methods {
		row := "| " + m.name + " |"
		for _, x := range results[m.name] {
			mean, deviation := meanError(x)
			row += fmt.Sprintf(" %.2f ± %.2f |", mean, deviation)
		}
		t.Log(row)
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
