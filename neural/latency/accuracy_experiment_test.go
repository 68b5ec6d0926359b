//go:build experiment

package latency_test

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/latency"
	"github.com/daedalus-search/daedalus/neural/nets"
)

// nasBench201 draws cells.
func nasBench201(i uint64) nets.NASBench201 {
	r := rng.New(1, "latency/nas-bench-201", i)
	var n nets.NASBench201
	for e := range n.Ops {
		n.Ops[e] = nets.CellOp(r.IntN(5))
	}
	return n
}

// mobile draws networks of an elastic MobileNetV3 for images of 32 or 48 pixels:
// depth, width, kernel and expansion of every layer.
func mobile(i uint64) nets.Mobile {
	r := rng.New(1, "latency/mobile", i)
	side := []int{32, 48}[r.IntN(2)]
	m := nets.Mobile{Image: neural.Shape{3, side, side}, Stem: 16, StemStride: 1, Expand: 192}
	for u, widths := range [][]int{{16, 24}, {24, 32}, {40, 48}, {64, 80}} {
		unit := nets.MobileUnit{Out: widths[r.IntN(2)], Stride: 1 + min(u, 1), Squeeze: u > 1, Func: []neural.Func{neural.ReLU, neural.HardSwish}[u/2]}
		for range 1 + r.IntN(3) {
			unit.Layers = append(unit.Layers, nets.MobileLayer{Kernel: 3 + 2*r.IntN(3), Expand: float64([]int{3, 4, 6}[r.IntN(3)])})
		}
		m.Units = append(m.Units, unit)
	}
	return m
}

// Additive prediction on this machine, with both engines, on two spaces: 100
// networks each, and 20 others that the correction is fitted to.
//
// LATENCY_SECONDS is the time for each network, by default 1; operators have a
// quarter of it.
//
//	DAEDALUS_ONNXRUNTIME=… GOEXPERIMENT=simd go test -tags experiment -v -run AdditivePrediction ./neural/latency
func TestAdditivePrediction(t *testing.T) {
	seconds, err := strconv.ParseFloat(cmp.Or(os.Getenv("LATENCY_SECONDS"), "1"), 64)
	if err != nil {
		t.Fatal(err)
	}
	spaces := []struct {
		name string
		make func(uint64) (*neural.Graph, error)
	}{
		{"NAS-Bench-201", func(i uint64) (*neural.Graph, error) { return nasBench201(i).Graph() }},
		{"elastic Mobile", func(i uint64) (*neural.Graph, error) { return mobile(i).Graph() }},
	}
	fmt.Println("| engine | space | prediction | Spearman | Kendall | MAPE | within 10 % |")
	fmt.Println("|---|---|---|---:|---:|---:|---:|")
	for _, e := range engines(t) {
		for _, space := range spaces {
			t.Run(e.Name()+"/"+space.name, func(t *testing.T) {
				start := time.Now()
				var fitted, judged []*neural.Graph
				for i := range uint64(120) {
					g, err := space.make(i)
					if err != nil {
						t.Fatal(err)
					}
					if i < 20 {
						fitted = append(fitted, g)
					} else {
						judged = append(judged, g)
					}
				}
				p := latency.Protocol{Budget: time.Duration(seconds * 1e9)}
				quick := latency.Protocol{Budget: p.Budget / 4} // operators are short
				path := filepath.Join(t.TempDir(), "table.json")
				table, err := latency.NewModel(e, latency.Options{}, quick, path)
				if err != nil {
					t.Fatal(err)
				}
				learned, err := table.Learn(t.Context(), append(fitted, judged...)...)
				if err != nil {
					t.Fatal(err)
				}
				m, err := latency.NewModel(e, latency.Options{}, p, path)
				if err != nil {
					t.Fatal(err)
				}
				built := time.Since(start)
				c, err := m.Fit(t.Context(), fitted...)
				if err != nil {
					t.Fatal(err)
				}
				reports, err := latency.Measure(t.Context(), e, latency.Options{}, p, judged...)
				if err != nil {
					t.Fatal(err)
				}
				again, err := latency.Measure(t.Context(), e, latency.Options{}, p, judged...)
				if err != nil {
					t.Fatal(err)
				}
				var measured, repeated, minima, minimaAgain, sum, corrected, macs, params []float64
				settled := 0
				second := latency.Results(again)
				for i, x := range latency.Results(reports) {
					measured, repeated = append(measured, x.MedianMS), append(repeated, second[i].MedianMS)
					minima, minimaAgain = append(minima, x.MinMS), append(minimaAgain, second[i].MinMS)
					if x.Settled {
						settled++
					}
				}
				for _, g := range judged {
					x, err := m.Predict(t.Context(), g)
					if err != nil {
						t.Fatal(err)
					}
					if x.Measured > 0 {
						t.Errorf("%d operators of %s were not in the table", x.Measured, g.Name())
					}
					cost := g.Simplify().Cost()
					sum, corrected = append(sum, x.PlainMS), append(corrected, x.MS)
					macs, params = append(macs, float64(cost.MACs)), append(params, float64(cost.Params))
				}
				for _, row := range []struct {
					name            string
					values, against []float64
					units           bool
				}{{"measured again", repeated, measured, true}, {"minima, again", minimaAgain, minima, true}, {"operators, corrected", corrected, measured, true}, {"operators, plain sum", sum, measured, true}, {"multiply-accumulates", macs, measured, false}, {"parameters", params, measured, false}} {
					a, err := latency.Compare(row.values, row.against)
					if err != nil {
						t.Fatal(err)
					}
					fmt.Printf("| %s | %s | %s | %.3f | %.3f |", e.Name(), space.name, row.name, a.Spearman, a.Kendall)
					if row.units {
						fmt.Printf(" %.1f %% | %.0f %% |\n", 100*a.MAPE, 100*a.WithinTen)
					} else {
						fmt.Printf(" | |\n")
					}
					if row.name == "operators, corrected" && a.Spearman < 0.9 {
						t.Errorf("%s, %s: Spearman %.3f, want 0.9", e.Name(), space.name, a.Spearman)
					}
				}
				least, most := measured[0], measured[0]
				for _, x := range measured {
					least, most = min(least, x), max(most, x)
				}
				t.Logf("%s, %s: %d operators and ends measured in %.0f s; networks take %.3g to %.3g ms, %d of %d settled; %+v; noise %q; %.0f s in all", e.Name(), space.name, learned, built.Seconds(), least, most, settled, len(measured), c, m.Noise(), time.Since(start).Seconds())
				for _, r := range reports {
					t.Logf("reference %.4g ms (%.4g to %.4g), drift %.1f %%, stolen %.0f %%, %s clock, processor %d, noise %q", r.Reference.MedianMS, r.Reference.LowMS, r.Reference.HighMS, 100*r.Drift, 100*r.Stolen, r.Clock, r.Processor, r.Noise)
				}
			})
		}
	}
}
