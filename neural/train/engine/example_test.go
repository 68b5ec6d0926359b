package engine_test

import (
	"fmt"
	"log"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural/nets"
	"github.com/daedalus-search/daedalus/neural/train/engine"
)

// A network learns whether two numbers have the same sign.
func Example() {
	dev, err := engine.Open(engine.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer dev.Close()
	g, err := nets.MLP{Numbers: 2, Hidden: []int{16}, Out: 2}.Graph()
	if err != nil {
		log.Fatal(err)
	}
	r := rng.New(1, "example", 0)
	p, err := dev.Params(g, g.Initial(r))
	if err != nil {
		log.Fatal(err)
	}
	net, err := p.Net(g)
	if err != nil {
		log.Fatal(err)
	}
	gradient, err := p.NewGradient()
	if err != nil {
		log.Fatal(err)
	}
	sgd, err := p.NewOptimizer(engine.Optimizer{Momentum: 0.9})
	if err != nil {
		log.Fatal(err)
	}
	batch := func() *engine.Batch {
		b := &engine.Batch{N: 64, Inputs: make([][]float32, 1)}
		for range b.N {
			x, y := float32(rng.Norm(r)), float32(rng.Norm(r))
			class := int32(0)
			if x*y > 0 {
				class = 1
			}
			b.Inputs[0], b.Classes = append(b.Inputs[0], x, y), append(b.Classes, class)
		}
		return b
	}
	for range 200 {
		if _, err := net.Gradient(batch(), engine.Loss{}, engine.Noise{}, gradient); err != nil {
			log.Fatal(err)
		}
		if _, err := p.Step(sgd, gradient, 0.1); err != nil {
			log.Fatal(err)
		}
	}
	score, err := net.Evaluate(batch())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(score.Count, "examples, more than 9 of 10 right:", score.Correct*10 > score.Count*9)
	// Output: 64 examples, more than 9 of 10 right: true
}

// Two networks of a family share weights: the narrow one has the first 8 of the wide
// one's 32 hidden features. One step learns from both.
func ExampleParams_Net() {
	dev, err := engine.Open(engine.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer dev.Close()
	wide, err := nets.MLP{Numbers: 4, Hidden: []int{32}, Out: 3}.Graph()
	if err != nil {
		log.Fatal(err)
	}
	narrow, err := nets.MLP{Numbers: 4, Hidden: []int{8}, Out: 3}.Graph()
	if err != nil {
		log.Fatal(err)
	}
	p, err := dev.Params(wide, wide.Initial(rng.New(1, "example", 0)))
	if err != nil {
		log.Fatal(err)
	}
	gradient, err := p.NewGradient()
	if err != nil {
		log.Fatal(err)
	}
	b := &engine.Batch{N: 2, Inputs: [][]float32{{1, 2, 3, 4, 4, 3, 2, 1}}, Classes: []int32{0, 2}}
	n, err := p.Net(wide)
	if err != nil {
		log.Fatal(err)
	}
	s, err := n.Gradient(b, engine.Loss{Smoothing: 0.1}, engine.Noise{}, gradient)
	if err != nil {
		log.Fatal(err)
	}
	if n, err = p.Net(narrow); err != nil {
		log.Fatal(err)
	}
	b.Teacher = s.Outputs // the wide one is the narrow one's teacher
	if _, err := n.Gradient(b, engine.Loss{Imitate: 1}, engine.Noise{}, gradient); err != nil {
		log.Fatal(err)
	}
	g, err := gradient.Host()
	if err != nil {
		log.Fatal(err)
	}
	w, err := n.Weights()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("wide:", len(g["layer1/linear/weight"]), "narrow:", len(w["layer1/linear/weight"]))
	// Output: wide: 128 narrow: 32
}
