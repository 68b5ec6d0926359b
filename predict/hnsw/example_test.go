package hnsw_test

import (
	"fmt"

	"github.com/daedalus-search/daedalus/predict/hnsw"
)

func Example() {
	x, err := hnsw.New(2, hnsw.Options{})
	if err != nil {
		panic(err)
	}
	for i := range 100 {
		if _, err := x.Add([]float32{float32(i % 10), float32(i / 10)}); err != nil {
			panic(err)
		}
	}
	near, err := x.Search(nil, []float32{4.1, 7.2}, 3, 0)
	if err != nil {
		panic(err)
	}
	for _, n := range near {
		fmt.Printf("vector %d at squared distance %.2f\n", n.ID, n.Distance)
	}
	// Output:
	// vector 74 at squared distance 0.05
	// vector 84 at squared distance 0.65
	// vector 75 at squared distance 0.85
}
