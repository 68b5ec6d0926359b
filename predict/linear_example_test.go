package predict_test

import (
	"context"
	"fmt"

	"github.com/daedalus-search/daedalus/predict"
)

func ExampleRidge() {
	t := &predict.Table{Columns: []predict.Column{{Name: "layers"}, {Name: "activation", Levels: 2}}}
	for layers := range 8 {
		for act := range 2 {
			t.Add([]float64{float64(layers), float64(act)}, 60+2*float64(layers)+5*float64(act))
		}
	}
	m, err := predict.Ridge{Lambda: 1e-6}.Fit(context.Background(), t, 1)
	if err != nil {
		panic(err)
	}
	var mean [1]float64
	m.Predict([]float64{10, 1}, mean[:], nil)
	fmt.Printf("%.2f\n", mean[0])
	// Output: 85.00
}

func ExampleOpsOnEdges() {
	// Input 0, output 2; a convolution (1) from 0 to 1, nothing (0) from 0 to 2, a
	// pooling (2) from 1 to 2.
	g, err := predict.OpsOnEdges(3, [][2]int{{0, 1}, {0, 2}, {1, 2}}, []int{1, 0, 2}, 0)
	if err != nil {
		panic(err)
	}
	fmt.Println(g.Labels, g.Edges)
	// Output: [0 3 4 1] [[0 1] [1 2] [2 3]]
}
