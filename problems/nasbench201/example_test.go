package nasbench201_test

import (
	"context"
	"fmt"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problems/nasbench201"
)

func Example() {
	p, err := nasbench201.New(nasbench201.Options{Dataset: "cifar10", Device: "pixel3"})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()

	// One network: look it up, then judge it by full training.
	cell, err := nasbench201.ParseCell("|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|")
	if err != nil {
		fmt.Println(err)
		return
	}
	d := p.Design(cell)
	v, err := p.Evaluate(ctx, d, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	full, err := p.Verify(ctx, d)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.2f %% after 12 epochs, %.2f %% in the end, %.1f ms\n", v["accuracy"], full["test_accuracy"], v["latency_ms"])

	// The best that any search could find.
	goal := metric.Goal{
		Objectives: []metric.Objective{
			{Metric: "test_accuracy", Direction: metric.Maximize},
			{Metric: "latency_ms", Direction: metric.Minimize},
		},
		Limits: []metric.Limit{{Metric: "params_m", Op: metric.LessEqual, Bound: 0.4}},
	}
	front, err := p.Optimum(ctx, goal)
	if err != nil {
		fmt.Println(err)
		return
	}
	best := front[0] // by the first objective
	fmt.Printf("the most accurate of %d: %.2f %%, %.1f ms\n", len(front), best["test_accuracy"], best["latency_ms"])
	// Output:
	// 83.74 % after 12 epochs, 93.91 % in the end, 14.7 ms
	// the most accurate of 33: 93.60 %, 9.9 ms
}
