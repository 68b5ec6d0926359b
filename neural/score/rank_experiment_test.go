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

// published are Spearman's correlations with the test accuracy after 200 epochs on CIFAR-10
// over all 15,625 cells: the recorded output of the notebook on NAS-Bench-201 in
// github.com/SamsungLabs/zero-cost-nas (64 images of 32×32; absolute values, of grasp's sign
// nothing is known, and cells whose score is not a number are left out). Its table in the
// paper (Abdelfattah et al. 2021, table 1) has 0.58, 0.58, 0.48, 0.36, 0.74 and 0.73.
var published = []struct {
	name     string
	spearman float64
}{{"grad_norm", 0.594}, {"snip", 0.596}, {"grasp", 0.514}, {"fisher", 0.36}, {"synflow", 0.737}, {"jacob_cov", 0.731}}

// images returns the first images of the subset of CIFAR-10 at a side, with as many of each
// class.
func images(t *testing.T, n, side int) *engine.Batch {
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
	b := l.NewBatch()
	l.Fill(b, 0, 0)
	return &engine.Batch{N: b.N, Inputs: b.Inputs, Classes: b.Classes}
}

// What scores rank cells of NAS-Bench-201 by, beside parameters and multiply-accumulates,
// and whether they come to what is published. Networks have 16 channels and 5 cells a
// stage, as the benchmark's, on images of 16×16, a quarter of the pixels.
//
//	GOEXPERIMENT=simd go test -tags experiment -run ExperimentRank/forward -v -timeout 60m ./neural/score
//	GOEXPERIMENT=simd go test -tags experiment -run ExperimentRank/gradients -v -timeout 60m ./neural/score
//
// The others ask why numbers differ from those that are published.
func TestExperimentRank(t *testing.T) {
	gradients := []string{"grad_norm", "snip", "plain", "fisher", "grasp", "jacob_cov"}
	for _, c := range []struct {
		name        string
		cells       int
		batch, side int
		own         bool // weights of each network drawn anew, not by names
		scores      []string
	}{
		{"forward", 800, 32, 16, false, []string{"synflow", "naswot", "zen"}},
		{"gradients", 400, 32, 16, false, gradients},
		{"own", 400, 32, 16, true, []string{"synflow", "naswot", "zen", "grad_norm", "snip", "fisher"}},
		// The images of the published numbers, and smaller ones for the same cells.
		{"large", 100, 64, 32, false, gradients[:4]},
		{"small", 100, 32, 16, false, gradients[:4]},
		{"ntk", 100, 16, 16, false, []string{"ntk"}},
	} {
		t.Run(c.name, func(t *testing.T) { rank(t, c.cells, images(t, c.batch, c.side), c.side, c.own, c.scores) })
	}
}

func rank(t *testing.T, n int, b *engine.Batch, side int, own bool, names []string) {
	truth, err := nasbench201.Accuracies(nasbench201.CIFAR10, nasbench201.Test200)
	if err != nil {
		t.Fatal(err)
	}
	order := rng.New(1, "cells", 0).Perm(len(truth))[:n]
	graph := func(i int) (*neural.Graph, error) {
		c := nets.NASBench201{Image: neural.Shape{3, side, side}}
		for e, o := range nasbench201.Cell(order[i]).Ops() {
			c.Ops[e] = nets.CellOp(o)
		}
		return c.Graph()
	}
	start, used := time.Now(), processorSeconds()
	wanted := append([]string{"params", "macs"}, names...)
	var all []score.Result
	if own {
		for i := range n {
			one, err := score.Options{Seed: uint64(i)}.All(t.Context(), 1, 1, func(int) (*neural.Graph, error) { return graph(i) }, b, wanted...)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, one...)
		}
	} else if all, err = (score.Options{Seed: 1}).All(t.Context(), runtime.GOMAXPROCS(0), n, graph, b, wanted...); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d cells, %d images of %d×%d: %.1f s of the processor, %v", n, b.N, side, side, processorSeconds()-used, time.Since(start).Round(time.Second))
	missing := map[string]int{}
	var candidates []supernet.Candidate
	for i, r := range all {
		c := supernet.Candidate{Truth: truth[order[i]], MACs: r.Values["macs"], Params: r.Values["params"], Scores: map[string]float64{}}
		for _, name := range names {
			c.Scores[name] = r.Merit(name)
			if math.IsNaN(r.Values[name]) {
				missing[name+": "+reason(r.Reasons[name])]++
			}
		}
		candidates = append(candidates, c)
	}
	t.Logf("without a score: %v", missing)
	tables, err := supernet.Ranking{Above: map[string]float64{"above 90 %": 90}, Seed: 1}.Rank(candidates, names...)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range tables {
		t.Logf("%s\n", x)
	}
	for _, name := range names {
		for _, p := range published {
			if p.name == name {
				got := tables[0].Standing(name).Spearman
				t.Logf("%s: Spearman %v, published %.3f, within 0.05: %v", name, got, p.spearman, math.Abs(math.Abs(got.Value)-p.spearman) <= 0.05)
			}
		}
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
