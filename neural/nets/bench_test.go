package nets_test

import (
	"testing"

	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/nets"
)

var sink neural.Cost

// mixed has every operation of the benchmark, and a half of its largest network's
// nodes more than the mean.
var mixed = nets.NASBench201{Ops: [6]nets.CellOp{nets.Conv3x3, nets.Conv1x1, nets.Skip, nets.AvgPool3x3, nets.Conv3x3, nets.None}}

func rate(b *testing.B) { b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "graphs/s") }

// BenchmarkCost counts the whole network of fifteen cells, node by node.
func BenchmarkCost(b *testing.B) {
	g := build(b, mixed)
	b.ReportMetric(float64(g.Len()), "nodes")
	b.ResetTimer()
	for b.Loop() {
		sink = g.Cost()
	}
	rate(b)
}

// BenchmarkCellCost counts a cell.
func BenchmarkCellCost(b *testing.B) {
	g, err := mixed.Cell(neural.Shape{16, 32, 32})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		sink = g.Cost()
	}
	rate(b)
}

// BenchmarkCostFromChoices builds the parts of which the network consists, and
// counts them.
func BenchmarkCostFromChoices(b *testing.B) {
	for b.Loop() {
		sink, _ = mixed.Cost()
	}
	rate(b)
}

// BenchmarkBuild builds the whole network.
func BenchmarkBuild(b *testing.B) {
	for b.Loop() {
		build(b, mixed)
	}
	rate(b)
}

func BenchmarkClass(b *testing.B) {
	for _, e := range []neural.Equivalence{neural.Folded, neural.Exact} {
		b.Run([]string{"Folded", "Exact"}[e], func(b *testing.B) {
			g := build(b, mixed)
			for b.Loop() {
				g.Class(e)
			}
			rate(b)
		})
	}
}

func BenchmarkFeatures(b *testing.B) {
	g := build(b, mixed)
	for b.Loop() {
		g.Features()
	}
	rate(b)
}
