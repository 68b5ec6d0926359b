//go:build experiment

package supernet

import (
	"cmp"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/data"
	"github.com/daedalus-search/daedalus/neural/nets"
	"github.com/daedalus-search/daedalus/neural/train"
	"github.com/daedalus-search/daedalus/neural/train/engine"
	"github.com/daedalus-search/daedalus/space"
)

// Which layers of a transformer for text need softmax, after Liu et al. 2022: all 2⁴
// patterns of four layers that foretell Shakespeare character by character in windows of
// 128, each trained alone and each with the weights of one supernet, which was trained on
// single uniform paths; and all layers linear, of every kind.
//
//	GOEXPERIMENT=simd go test -tags experiment -run ExperimentAttention -v -timeout 120m ./neural/supernet
func TestExperimentAttention(t *testing.T) {
	const (
		window, batch = 128, 4
		alone, paths  = 2500, 6000 // steps
		kind          = neural.CosformerReLU
	)
	start := time.Now()
	parts := must(must(data.Shakespeare(window)).Split(1, 0.95, 0.05))
	learn, valid := parts[0], parts[1]
	family := must(nets.TransformerSpace{
		Dims: []int{32}, Depth: []int{4, 4}, Heads: []int{2}, HeadDim: 16, Ratios: []float64{1}, Causal: true, PerToken: true,
		Attention: []string{"softmax", kind.String()}, Vocabulary: len(learn.Classes), Length: window,
	}.New())
	s := must(New(family))
	recipe := func(steps int, seed uint64) train.Recipe {
		epoch := float64(learn.Len()) / batch
		return train.Recipe{Epochs: float64(steps) / epoch, Batch: batch, Optimizer: "adamw", LearningRate: 1e-2, Warmup: 50 / epoch, Clip: 1, Seed: seed}
	}
	pattern := func(c Candidate) (p string, softmax int) {
		for _, l := range must(family.Choices(c.Design)).Layers {
			if l.Attention.Linear() {
				p += "L"
			} else {
				p += "S"
				softmax++
			}
		}
		return p, softmax
	}
	all := must(s.Candidates(slices.Collect(s.Space().All()), func(space.Design) (float64, error) { return 0, nil }))
	slices.SortFunc(all, func(a, b Candidate) int { // the two ends first
		pa, na := pattern(a)
		pb, nb := pattern(b)
		return cmp.Or(cmp.Compare(nb/4-na/4, 0), cmp.Compare(na, nb), cmp.Compare(pa, pb))
	})
	// Trainings are tasks, of which three run at a time, each in a thread.
	var tasks []func(*engine.Device)
	train1 := func(name string, g *neural.Graph, to *float64) {
		tasks = append(tasks, func(dev *engine.Device) {
			r := must(train.Fit(t.Context(), train.Job{Graph: g, Device: dev, Train: learn, Valid: valid, Recipe: recipe(alone, 0)}))
			*to = -r.Valid.BitsPerToken()
			t.Logf("%s alone: %.3f bits (%v)", name, -*to, time.Since(start).Round(time.Second))
		})
	}
	tasks = append(tasks, func(dev *engine.Device) {
		got := must(Train(t.Context(), Job{Supernet: s, Device: dev, Train: learn, Progress: steady(t), Phases: SPOS(recipe(paths, 1))}))
		e := &Evaluator{Supernet: s, Params: got.Params, Train: learn, Valid: valid, Scale: got.Scale}
		for _, c := range all {
			p, _ := pattern(c)
			c.Scores["SPOS"] = -must(e.Evaluate(t.Context(), c.Design)).BitsPerToken()
			t.Logf("%s with shared weights: %.3f bits (%v)", p, -c.Scores["SPOS"], time.Since(start).Round(time.Second))
		}
	})
	for i, c := range all {
		p, _ := pattern(c)
		train1(p, must(s.Graph(c.Design)), &all[i].Truth)
	}
	var uniform [neural.CosformerReLU]float64 // of the kinds that the patterns have not
	for k := neural.LinearELU; k < neural.CosformerReLU; k++ {
		n := must(family.Choices(s.Largest()))
		for i := range n.Layers {
			n.Layers[i].Attention = k
		}
		train1(k.String(), must(n.Graph()), &uniform[k])
	}
	queue := make(chan func(*engine.Device), len(tasks))
	for _, f := range tasks {
		queue <- f
	}
	close(queue)
	var group sync.WaitGroup
	for range 3 {
		dev := must(engine.Open(engine.Config{Backend: backend, Threads: 1}))
		defer dev.Close()
		group.Go(func() {
			for f := range queue {
				f(dev)
			}
		})
	}
	group.Wait()

	slices.SortFunc(all, func(a, b Candidate) int { return cmp.Compare(a.MACs, b.MACs) })
	softmax, linear := all[len(all)-1], all[0]
	t.Log("| all four layers | bits a character |")
	t.Logf("| softmax | %.3f |", -softmax.Truth)
	for k := neural.LinearELU; k < kind; k++ {
		t.Logf("| %v | %.3f |", k, -uniform[k])
	}
	t.Logf("| %v | %.3f |", kind, -linear.Truth)
	t.Log("| layers 1–4 | MACs | alone | with shared weights |")
	mixed, picked := Candidate{Truth: linear.Truth - 10}, Candidate{}
	for _, c := range all {
		p, n := pattern(c)
		t.Logf("| %s | %.1f %% | %.3f | %.3f |", p, 100*c.MACs/softmax.MACs, -c.Truth, -c.Scores["SPOS"])
		if n > 0 && c.MACs <= 0.7*softmax.MACs {
			if c.Truth > mixed.Truth {
				mixed = c
			}
			if picked.Scores == nil || c.Scores["SPOS"] > picked.Scores["SPOS"] {
				picked = c
			}
		}
	}
	tables := must(Ranking{Top: []int{1, 3, 5}, Seed: 1}.Rank(all, "SPOS"))
	for _, x := range tables {
		t.Logf("%s\n", x)
	}
	// What the number of layers with softmax does not tell: where they are.
	for n := 1; n <= 3; n++ {
		var x, y []float64
		for _, c := range all {
			if _, k := pattern(c); k == n {
				x, y = append(x, c.Scores["SPOS"]), append(y, c.Truth)
			}
		}
		t.Logf("among the %d patterns with %d of softmax: Spearman %.2f", len(x), n, metric.Spearman(x, y))
	}
	if rho := tables[0].Standing("SPOS").Spearman.Value; rho < 0.5 {
		t.Errorf("Spearman of the supernet is %.3f, want 0.5 and more", rho)
	}
	pm, _ := pattern(mixed)
	pp, _ := pattern(picked)
	t.Logf("best mixed pattern at 70 %% of the multiply-accumulates: %s with %.3f; the supernet picks %s with %.3f; all linear %.3f, all softmax %.3f bits (%v)",
		pm, -mixed.Truth, pp, -picked.Truth, -linear.Truth, -softmax.Truth, time.Since(start).Round(time.Second))
	if mixed.Truth <= linear.Truth || picked.Truth <= linear.Truth {
		t.Error("a mixed pattern is no better than all linear")
	}
}
