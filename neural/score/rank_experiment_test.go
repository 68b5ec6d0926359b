//go:build experiment && unix

package score_test

import (
	"compress/gzip"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/data"
	"github.com/daedalus-search/daedalus/neural/nets"
	"github.com/daedalus-search/daedalus/neural/score"
	"github.com/daedalus-search/daedalus/neural/supernet"
	"github.com/daedalus-search/daedalus/neural/train/engine"
	"github.com/daedalus-search/daedalus/problems/nasbench201"
)

// published are correlations with the test accuracy after 200 epochs on CIFAR-10 over all
// 15,625 cells.
//
// Of first: Spearman's in the recorded output of the notebook on NAS-Bench-201 in
// github.com/SamsungLabs/zero-cost-nas. There a network has biases in the convolutions of
// cells, and 64 images of 32×32 of its own, moved and mirrored; the accuracy is after
// training on half of the images ("cifar10-valid"), cells without a number are left out,
// and of signs nothing is known. Its table in the paper (Abdelfattah et al. 2021, table 1)
// has 0.58, 0.58, 0.48, 0.36, 0.74 and 0.73.
//
// Of second: Spearman's and Kendall's by Li et al. 2023, tables 1 and 3, who computed other
// authors' scores with their code, on the benchmark's networks and with the accuracy after
// training on all images, as here.
var published = []struct {
	name                     string
	first, spearman, kendall float64 // 0 is none
}{
	{"grad_norm", 0.594, 0.63, 0.46},
	{"snip", 0.596, 0.63, 0.46},
	{"grasp", 0.514, 0.54, 0.37},
	{"fisher", 0.36, 0.55, 0.40},
	{"synflow", 0.737, 0.73, 0.54},
	{"jacob_cov", 0.731, 0, 0},
	{"naswot", 0, 0.77, 0.58},
	{"zen", 0, 0.38, 0.29},
	{"zico", 0, 0.80, 0.61},
	{"ntk", 0, 0.44, 0.33},
	{"parameters", 0, 0.75, 0.57},
}

// images returns batches of the subset of CIFAR-10 at a side: the first one of its first
// images, with as many of each class, others of random ones.
func images(t *testing.T, n, side int) func(i int) *engine.Batch {
	t.Helper()
	f, err := os.Open("../../../shared/data/cifar10-jpeg/cifar10_12000.bin.gz")
	if err != nil {
		t.Skipf("the images of this experiment are not there: %v", err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	records, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	pixels, labels, _, err := data.ReadCIFAR(records)
	if err != nil {
		t.Fatal(err)
	}
	classes := make([]int32, len(labels))
	for i, c := range labels {
		classes[i] = int32(c)
	}
	set, err := data.NewImages("CIFAR-10", 32, 32, 3, pixels, classes, []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"})
	if err != nil {
		t.Fatal(err)
	}
	scale := set.Scale()
	if set, err = set.Resize(side); err != nil {
		t.Fatal(err)
	}
	l, err := set.Loader(data.Options{Batch: n, Scale: scale})
	if err != nil {
		t.Fatal(err)
	}
	return func(i int) *engine.Batch {
		b := l.NewBatch()
		if i == 0 {
			l.Fill(b, 0, 0)
		} else {
			var index []int32
			for _, k := range rng.New(1, "images", uint64(i)).Perm(set.Len())[:n] {
				index = append(index, int32(k))
			}
			l.FillExamples(b, index)
		}
		return &engine.Batch{N: b.N, Inputs: b.Inputs, Classes: b.Classes}
	}
}

// A ranking is an experiment.
type ranking struct {
	name               string
	cells, batch, side int
	own                bool // weights and images of each network drawn anew, not by names
	biased             bool // convolutions of cells have biases
	scores             []string
}

// What scores rank cells of NAS-Bench-201 by, beside parameters and multiply-accumulates,
// and whether they come to what is published. Networks have 16 channels and 5 cells a
// stage, as the benchmark's, on images of 16×16, a quarter of the pixels.
//
//	GOEXPERIMENT=simd go test -tags experiment -run 'ExperimentRank/^(forward|gradients|fisher|grasp|jacob_cov)' -v -timeout 90m ./neural/score
//
// The others ask why numbers differ from those that are published.
func TestExperimentRank(t *testing.T) {
	gradients := []string{"grad_norm", "snip", "plain", "zico"}
	for _, c := range []ranking{
		{"forward", 2000, 32, 16, false, false, []string{"synflow", "naswot", "zen"}},
		{"gradients", 2000, 32, 16, false, false, gradients},
		{"fisher", 2000, 32, 16, false, false, []string{"fisher"}},
		{"grasp", 2000, 32, 16, false, false, []string{"grasp"}},
		{"jacob_cov", 2000, 32, 16, false, false, []string{"jacob_cov"}},
		// Weights and images of each network's own, and the network that the first published
		// numbers are of, one after the other and together.
		{"few", 400, 32, 16, false, false, []string{"fisher"}},
		{"own", 400, 32, 16, true, false, []string{"synflow", "naswot", "zen", "fisher", "grasp"}},
		{"biased", 400, 32, 16, false, true, []string{"fisher"}},
		{"both_gradients", 1000, 32, 16, true, true, gradients},
		{"both_fisher", 1000, 32, 16, true, true, []string{"fisher"}},
		{"both_grasp", 400, 32, 16, true, true, []string{"grasp"}},
		// The size of images of the published numbers, and smaller ones for the same cells.
		{"large", 100, 64, 32, false, false, append(gradients, "grasp")},
		{"small", 100, 32, 16, false, false, append(gradients, "grasp")},
		{"ntk", 100, 16, 16, false, false, []string{"ntk"}},
	} {
		t.Run(c.name, c.run)
	}
}

func (c ranking) run(t *testing.T) {
	batch := images(t, c.batch, c.side)
	truth, err := nasbench201.Accuracies(nasbench201.CIFAR10, nasbench201.Test200)
	if err != nil {
		t.Fatal(err)
	}
	order := rng.New(1, "cells", 0).Perm(len(truth))[:c.cells]
	graph := func(i int) (*neural.Graph, error) {
		n := nets.NASBench201{Image: neural.Shape{3, c.side, c.side}}
		for e, o := range nasbench201.Cell(order[i]).Ops() {
			n.Ops[e] = nets.CellOp(o)
		}
		g, err := n.Graph()
		if c.biased && err == nil {
			g = score.Biased(t, g)
		}
		return g, err
	}
	start, used := time.Now(), processorSeconds()
	wanted := append([]string{"params", "macs"}, c.scores...)
	var all []score.Result
	if c.own {
		for i := range c.cells {
			one, err := score.Options{Seed: uint64(i)}.All(t.Context(), 1, 1, func(int) (*neural.Graph, error) { return graph(i) }, batch(i+1), wanted...)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, one...)
		}
	} else if all, err = (score.Options{Seed: 1}).All(t.Context(), runtime.GOMAXPROCS(0), c.cells, graph, batch(0), wanted...); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d cells, %d images of %d×%d: %.1f s of the processor, %v", c.cells, c.batch, c.side, c.side, processorSeconds()-used, time.Since(start).Round(time.Second))
	missing := map[string]int{}
	var candidates []supernet.Candidate
	for i, r := range all {
		one := supernet.Candidate{Truth: truth[order[i]], MACs: r.Values["macs"], Params: r.Values["params"], Scores: map[string]float64{}}
		for _, name := range c.scores {
			one.Scores[name] = r.Merit(name)
			if math.IsNaN(r.Values[name]) {
				missing[name+": "+reason(r.Reasons[name])]++
			}
		}
		candidates = append(candidates, one)
	}
	t.Logf("without a score: %v", missing)
	tables, err := supernet.Ranking{Above: map[string]float64{"above 90 %": 90}, Seed: 1}.Rank(candidates, c.scores...)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range tables {
		t.Logf("%s\n", x)
	}
	for _, p := range published {
		got := tables[0].Standing(p.name)
		if got.Predictor == "" {
			continue
		}
		off := func(got, want float64) string {
			if want == 0 {
				return "none published"
			}
			return fmt.Sprintf("%+.3f from %.3f", math.Abs(got)-want, want)
		}
		t.Logf("%-9s: Spearman %.3f: %s, %s; Kendall %.3f: %s", p.name, got.Spearman.Value, off(got.Spearman.Value, p.first), off(got.Spearman.Value, p.spearman), got.Kendall.Value, off(got.Kendall.Value, p.kendall))
	}
}

// reason is a reason without its numbers.
func reason(s string) string {
	var out []rune
	for _, r := range s {
		if r < '0' || r > '9' {
			out = append(out, r)
		}
	}
	return fmt.Sprintf("%.60s", string(out))
}
