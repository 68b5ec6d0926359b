package nets_test

import (
	"fmt"

	"github.com/daedalus-search/daedalus/neural/nets"
)

// A network of the Once-for-All space and what it costs.
func Example() {
	o := nets.OFA{Depth: [5]int{2, 2, 3, 2, 2}, Side: 160}
	for i := range o.Kernels {
		o.Kernels[i], o.Expand[i] = 5, 4
	}
	g, err := o.Graph()
	if err != nil {
		panic(err)
	}
	c := g.Cost()
	fmt.Printf("%.2fM parameters, %.0fM multiply-accumulates\n", float64(c.Params)/1e6, float64(c.MACs)/1e6)
	// Output: 3.87M parameters, 95M multiply-accumulates
}
