package ort_test

import (
	"fmt"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural/latency/ort"
	"github.com/daedalus-search/daedalus/neural/nets"
	"github.com/daedalus-search/daedalus/neural/onnx"
)

// A network is written as ONNX and run in ONNX Runtime.
func ExampleOpen() {
	rt, err := ort.Open("") // where DAEDALUS_ONNXRUNTIME says
	if err != nil {
		fmt.Println(err)
		return
	}
	g, err := nets.LeNet5{}.Graph()
	if err != nil {
		fmt.Println(err)
		return
	}
	file, err := onnx.Marshal(g, g.Initial(rng.New(1, "example", 0)), onnx.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	s, err := rt.Session(file, ort.Options{Batch: 2})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	out, err := s.Run([][]float32{make([]float32, 2*28*28)})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(out[0]), "numbers for 2 images")
}
