package score_test

import (
	"fmt"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural/nets"
	"github.com/daedalus-search/daedalus/neural/score"
	"github.com/daedalus-search/daedalus/neural/train/engine"
)

func ExampleCompute() {
	g, err := nets.LeNet5{}.Graph()
	if err != nil {
		fmt.Println(err)
		return
	}
	shape := g.Node(g.Inputs()[0]).Shape
	b := &engine.Batch{N: 8, Inputs: [][]float32{make([]float32, 8*shape.Elements())}, Classes: []int32{0, 1, 2, 3, 4, 5, 6, 7}}
	r := rng.New(1, "images", 0)
	for i := range b.Inputs[0] {
		b.Inputs[0][i] = float32(rng.Norm(r))
	}
	v, err := score.Compute(g, b, "params", "macs", "synflow", "snip")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.0f parameters, %.0f multiply-accumulates, synflow %.2f, snip %.2f\n", v["params"], v["macs"], v["synflow"], v["snip"])

	// What it ranks by is known for every score.
	s, err := score.Find("ntk")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.Direction, "|", s.Needs, "|", s.Cost)
	// Output:
	// 61706 parameters, 416520 multiply-accumulates, synflow 12.17, snip 2.31
	// minimize | size, inputs, gradients | many
}
