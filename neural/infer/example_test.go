package infer_test

import (
	"fmt"
	"log"

	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/infer"
)

// A convolution, its normalisation and its activation are one step.
func Example() {
	b := neural.NewBuilder("net")
	x := b.Input("image", neural.Shape{1, 3, 3})
	x = b.Named("conv", neural.Conv{Out: 1, Kernel: 3}, x)
	x = b.Named("norm", neural.BatchNorm{}, x)
	x = b.Named("relu", neural.Activation{Func: neural.ReLU}, x)
	g, err := b.Build(b.Named("mean", neural.GlobalPool{}, x))
	if err != nil {
		log.Fatal(err)
	}
	w := neural.Weights{
		"conv/weight": {0, 0, 0, 0, 1, 0, 0, 0, 0}, // the pixel itself
		"norm/scale":  {2}, "norm/shift": {0}, "norm/mean": {5}, "norm/variance": {1 - neural.Epsilon},
	}
	n, err := infer.Compile(g, w, infer.Options{})
	if err != nil {
		log.Fatal(err)
	}
	out, err := n.Run([]float32{1, 2, 3, 4, 5, 6, 7, 8, 9})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.3f\n", out[0])
	for _, s := range n.Steps() {
		fmt.Println(s.Kind, s.Node, s.Fused, s.MACs)
	}
	// Output:
	// [2.222]
	// conv relu [conv norm relu] 81
	// globalpool mean [] 0
}
