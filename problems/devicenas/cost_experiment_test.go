//go:build experiment

package devicenas

import (
	"fmt"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problems/nasbench201"
)

// TestWhatTenSamplesCost prints for every device the hypervolume, in accuracy and
// measured latency, of the true front under predicted latency, as a share of that
// under the measured one:
//
//	go test -tags experiment -run TestWhatTenSamplesCost -v ./problems/devicenas
func TestWhatTenSamplesCost(t *testing.T) {
	goal := metric.Goal{Objectives: []metric.Objective{{Metric: "accuracy", Direction: metric.Maximize}, {Metric: "latency_ms", Direction: metric.Minimize}}}
	columns := []struct {
		predictor, choose string
		samples           int
	}{{"average", "diverse", 3}, {"average", "diverse", 10}, {"average", "spread", 10}, {"average", "random", 10}, {"average", "diverse", 50}, {"nearest", "diverse", 10}, {"alone", "diverse", 10}, {"alone", "diverse", 50}, {"roofline", "diverse", 10}}
	fmt.Print("\n| device |")
	for _, c := range columns {
		fmt.Printf(" %s, %s, %d |", c.predictor, c.choose, c.samples)
	}
	fmt.Printf("\n|---|%s\n", strings.Repeat("---|", len(columns)))
	mean := make([]float64, len(columns))
	known := make([]float64, len(columns))
	for _, d := range nasbench201.Devices() {
		exact, err := Options{Device: d, Predictor: "measured"}.New()
		if err != nil {
			t.Fatal(err)
		}
		front, err := exact.(*Complete).Optimum(t.Context(), goal)
		if err != nil {
			t.Fatal(err)
		}
		low, high := 100.0, 0.0
		for _, v := range front {
			low, high = min(low, v["accuracy"]), max(high, v["latency_ms"])
		}
		volume := func(front []metric.Values) float64 {
			var points []float64
			for _, v := range front {
				points = append(points, -v["accuracy"], v["measured_ms"])
			}
			return metric.Hypervolume(points, 2, []float64{-low, 1.1 * high})
		}
		whole := volume(front)
		fmt.Printf("| %s |", d)
		for i, c := range columns {
			const seeds = 3
			share := 0.0
			for seed := range uint64(seeds) {
				p, err := Options{Device: d, Predictor: c.predictor, Choose: c.choose, Samples: c.samples, Seed: seed}.New()
				if err != nil {
					share = 0
					break
				}
				found, err := p.(*Complete).Optimum(t.Context(), goal)
				if err != nil {
					t.Fatal(err)
				}
				share += volume(found) / whole / seeds
			}
			if share == 0 {
				fmt.Print(" – |")
				continue
			}
			mean[i] += share
			known[i]++
			fmt.Printf(" %.1f |", 100*share)
		}
		fmt.Println()
	}
	fmt.Print("| mean |")
	for i := range columns {
		fmt.Printf(" %.1f |", 100*mean[i]/known[i])
	}
	fmt.Println()
}
