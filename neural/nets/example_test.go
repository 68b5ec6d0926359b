package nets_test

import (
	"fmt"

	"github.com/daedalus-search/daedalus/neural"
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

// A space of small networks, one of its designs, and what is known about them.
func ExampleMobileSpace() {
	f, err := nets.MobileSpace{
		Image:  neural.Shape{1, 28, 28},
		Stem:   []int{8},
		Reduce: []string{"stride"},
		Mix:    []int{0},
		Stages: []nets.MobileStage{
			{Kinds: []string{"plain"}, Widths: []int{8, 16}, Stride: 1},
			{Kinds: []string{"plain", "inverted"}, Widths: []int{24, 32}},
		},
	}.New()
	if err != nil {
		panic(err)
	}
	n, _ := f.Space().Count()
	d, err := f.Space().ParseJSON([]byte(`{
		"places": "flatten",
		"stage1": {"width": 16, "layers": [{"plain": 3}]},
		"stage2": {"kind": "inverted", "width": 24, "layers": [{"kernel": 5, "expand": 4}, {"kernel": 3, "expand": 2}]}
	}`))
	if err != nil {
		panic(err)
	}
	c, err := f.Cost(d)
	if err != nil {
		panic(err)
	}
	fmt.Println(n, "networks, of which one is", f.Label(d))
	fmt.Println(c.Params, "parameters,", c.MACs, "multiply-accumulates")
	// Output:
	// 2304 networks, of which one is 28px 8 /2 | plain 16: 3 | inverted 24: 5e4 3e2 | flatten
	// 20482 parameters, 740096 multiply-accumulates
}
