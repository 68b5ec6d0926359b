package supernet_test

import (
	"context"
	"fmt"
	"log"

	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/data"
	"github.com/daedalus-search/daedalus/neural/nets"
	"github.com/daedalus-search/daedalus/neural/supernet"
	"github.com/daedalus-search/daedalus/neural/train"
	"github.com/daedalus-search/daedalus/neural/train/engine"
)

// bright is 64 images of 8×8, of which the left or the right half is bright.
func bright() *data.Set {
	pixels, labels := make([]uint8, 64*64), make([]int32, 64)
	for i := range labels {
		labels[i] = int32(i % 2)
		for p := range 64 {
			pixels[64*i+p] = uint8(100 + 7*(i*p%9))
			if p%8/4 == i%2 {
				pixels[64*i+p] += 40
			}
		}
	}
	set, err := data.NewImages("bright", 8, 8, 1, pixels, labels, []string{"left", "right"})
	if err != nil {
		log.Fatal(err)
	}
	return set
}

func Example() {
	ctx := context.Background()
	family, err := nets.MobileSpace{
		Image: neural.Shape{1, 8, 8}, Classes: 2, Stem: []int{4},
		Stages: []nets.MobileStage{{Kinds: []string{"inverted"}, Widths: []int{4, 8}, Expand: []float64{2, 4}, Kernels: []int{3, 5}}},
	}.New()
	if err != nil {
		log.Fatal(err)
	}
	s, err := supernet.New(family)
	if err != nil {
		log.Fatal(err)
	}
	device, err := engine.Open(engine.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer device.Close()
	set := bright()
	trained, err := supernet.Train(ctx, supernet.Job{
		Supernet: s, Device: device, Train: set, Residual: true,
		Phases: supernet.BigNAS(train.Recipe{Epochs: 20, Batch: 16, Schedule: "exponential"}),
	})
	if err != nil {
		log.Fatal(err)
	}
	e := &supernet.Evaluator{Supernet: s, Params: trained.Params, Train: set, Valid: set}
	for _, d := range []struct {
		name   string
		design func() (float64, error)
	}{
		{"smallest", func() (float64, error) { m, err := e.Evaluate(ctx, s.Smallest()); return m.Accuracy, err }},
		{"largest", func() (float64, error) { m, err := e.Evaluate(ctx, s.Largest()); return m.Accuracy, err }},
	} {
		accuracy, err := d.design()
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s: more than 90 %%: %v\n", d.name, accuracy > 0.9)
	}
	// Output:
	// smallest: more than 90 %: true
	// largest: more than 90 %: true
}
