package metric_test

import (
	"fmt"
	"math/rand/v2"

	"github.com/daedalus-search/daedalus/metric"
)

func Example() {
	accuracy, _ := metric.ParseObjective("maximize accuracy")
	latency, _ := metric.ParseObjective("minimize latency_ms")
	limit, _ := metric.ParseLimit("params_m <= 1")
	goal := metric.Goal{
		Objectives: []metric.Objective{accuracy, latency},
		Limits:     []metric.Limit{limit},
	}

	var front metric.Front[string]
	front.Add(goal.Score(metric.Values{"accuracy": 0.91, "latency_ms": 6, "params_m": 0.9}), "wide")
	front.Add(goal.Score(metric.Values{"accuracy": 0.90, "latency_ms": 3, "params_m": 0.5}), "small")
	front.Add(goal.Score(metric.Values{"accuracy": 0.89, "latency_ms": 4, "params_m": 0.4}), "dominated")
	front.Add(goal.Score(metric.Values{"accuracy": 0.95, "latency_ms": 2, "params_m": 3.0}), "too big")
	front.Add(goal.Score(metric.Values{"accuracy": 0.99}), "failed")

	for score, name := range front.All() {
		fmt.Println(name, accuracy.Value(score.Loss[0]), latency.Value(score.Loss[1]))
	}
	// Output:
	// wide 0.91 6
	// small 0.9 3
}

func ExampleGoal_Check() {
	objective, _ := metric.ParseObjective("maximize acuracy")
	goal := metric.Goal{Objectives: []metric.Objective{objective}}
	fmt.Println(goal.Check([]metric.Metric{{Name: "accuracy"}, {Name: "latency_ms"}}))
	// Output:
	// "maximize acuracy": found the unknown metric "acuracy", want one of accuracy, latency_ms; did you mean "accuracy"?
}

func ExampleParseLimit() {
	limit, _ := metric.ParseLimit("latency_ms <= 80")
	fmt.Println(limit.Violation(60), limit.Violation(100))
	_, err := metric.ParseLimit("latency_ms <= 5ms")
	fmt.Println(err)
	// Output:
	// 0 0.25
	// "latency_ms <= 5ms": found the bound "5ms", want a number in the metric's own unit, without the unit's name
}

func ExampleNonDominatedSort() {
	points := []float64{
		1, 4,
		2, 2,
		3, 3,
		4, 1,
		4, 4,
	}
	fmt.Println(metric.NonDominatedSort(points, 2, nil))
	// Output:
	// [0 0 1 0 2]
}

func ExampleHypervolume() {
	fmt.Println(metric.Hypervolume([]float64{1, 3, 2, 2, 3, 1}, 2, []float64{4, 4}))
	// Output:
	// 6
}

func ExampleHypervolumeHistory() {
	h, _ := metric.NewHypervolumeHistory([]float64{4, 4})
	h.Add(metric.Score{Loss: []float64{1, 3}})
	h.Add(metric.Score{Loss: []float64{3, 1}})
	h.Add(metric.Score{Loss: []float64{3, 3}}) // gains nothing
	fmt.Println(h.Values(), h.SinceGain())
	// Output:
	// [3 5 5] 1
}

func ExampleGrid() {
	grid, _ := metric.NewGrid[string](
		metric.Axis{Name: "convolutions", Low: 0, High: 6, Cells: 3},
		metric.Axis{Name: "skips", Low: 0, High: 6, Cells: 3},
	)
	fmt.Println(grid.Add(0.90, []float64{1, 5}, "a"))
	fmt.Println(grid.Add(0.85, []float64{0, 5}, "b"))
	fmt.Println(grid.Add(0.93, []float64{5, 1}, "c"))
	best, _ := grid.Best()
	fmt.Printf("%s, %d of %d cells, QD score %.2f\n", best.Item, grid.Len(), grid.Cells(), grid.QDScore(0))
	// Output:
	// new
	// rejected
	// new
	// c, 2 of 9 cells, QD score 1.83
}

func ExampleCVT() {
	cvt, _ := metric.NewCVT[string](metric.CVTConfig{
		Axes:  []metric.Axis{{Name: "params_m", High: 2}, {Name: "latency_ms", High: 10}},
		Cells: 100,
	}, rand.New(rand.NewPCG(1, 2)))
	fmt.Println(cvt.Add(0.90, []float64{1, 5}, "a"), cvt.Add(0.91, []float64{1, 5}, "b"))
	fmt.Println(cvt.Coverage())
	// Output:
	// new improved
	// 0.01
}

func ExampleKendall() {
	predicted := []float64{0.1, 0.4, 0.3, 0.8}
	measured := []float64{71, 73, 74, 90}
	fmt.Printf("%.3f %.3f %.1f\n", metric.Kendall(predicted, measured),
		metric.Spearman(predicted, measured), metric.PrecisionAtK(predicted, measured, 2))
	// Output:
	// 0.667 0.800 0.5
}

func ExampleImportance() {
	r := rand.New(rand.NewPCG(1, 2))
	factors := []metric.Factor{{}, {}, {Unordered: true}}
	var losses, violations []float64
	for range 1000 {
		depth, width, norm := float64(1+r.IntN(8)), r.Float64(), float64(r.IntN(3))
		for i, x := range []float64{depth, width, norm} {
			factors[i].Values = append(factors[i].Values, x)
		}
		losses = append(losses, 8-depth+3*width)
		violations = append(violations, 0)
	}
	best := metric.BestQuantile(losses, 1, violations, 0.1)
	fmt.Printf("depth, width, norm: %.2f\n", metric.Importance(factors, best))
	fmt.Printf("depth by itself explains %.2f\n", metric.Explained(factors[0], best))
	// Output:
	// depth, width, norm: [0.84 0.16 0.00]
	// depth by itself explains 0.41
}

func ExampleHypergeometricTail() {
	// 8 of the 10 best of 200 trials have a value that 80 trials have.
	fmt.Printf("%.4f\n", metric.HypergeometricTail(200, 80, 10, 8))
	// Output:
	// 0.0105
}

func ExampleKnee() {
	fmt.Println(metric.Knee([]float64{0, 10, 1, 2, 10, 0}, 2))
	// Output:
	// 1
}
