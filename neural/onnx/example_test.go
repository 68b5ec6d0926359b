package onnx_test

import (
	"bytes"
	"fmt"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural/nets"
	"github.com/daedalus-search/daedalus/neural/onnx"
)

func ExampleWrite() {
	g, err := nets.LeNet5{}.Graph()
	if err != nil {
		panic(err)
	}
	var file bytes.Buffer
	if err := onnx.Write(&file, g, g.Initial(rng.New(1, "example", 0)), onnx.Options{}); err != nil {
		panic(err)
	}
	fmt.Println(file.Len()/1000, "kB")
	// Output: 248 kB
}
