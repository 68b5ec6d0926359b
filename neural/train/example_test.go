package train_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/daedalus-search/daedalus/neural/data"
	"github.com/daedalus-search/daedalus/neural/nets"
	"github.com/daedalus-search/daedalus/neural/train"
	"github.com/daedalus-search/daedalus/neural/train/engine"
)

// rings are points of two rings, one around the other: the class.
func rings(n int, seed uint64) (*data.Set, error) {
	r := rand.New(rand.NewPCG(seed, 0))
	rows := data.Rows{NumberCols: []data.Column{{Name: "x"}, {Name: "y"}}, Classes: []string{"inner", "outer"}}
	for i := range n {
		radius := 1 + float32(i%2)
		for {
			x, y := 4*r.Float32()-2, 4*r.Float32()-2
			if d := x*x + y*y; d <= radius*radius && d >= (radius-0.5)*(radius-0.5) {
				rows.Numbers = append(rows.Numbers, x, y)
				rows.Labels = append(rows.Labels, int32(i%2))
				break
			}
		}
	}
	return data.NewTable("rings", rows)
}

func ExampleFit() {
	device, err := engine.Open(engine.Config{})
	if err != nil {
		panic(err)
	}
	defer device.Close()
	learn, err := rings(1000, 1)
	if err != nil {
		panic(err)
	}
	held, err := rings(200, 2)
	if err != nil {
		panic(err)
	}
	network, err := nets.MLP{Numbers: 2, Hidden: []int{16, 16}, Out: 2}.Graph()
	if err != nil {
		panic(err)
	}
	r, err := train.Fit(context.Background(), train.Job{
		Device: device, Graph: network, Train: learn, Valid: held,
		Recipe: train.Recipe{Epochs: 20, Optimizer: "adamw", LearningRate: 0.02},
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Steps, "steps; more than 95 % of", r.Valid.Count, "points are right:", r.Valid.Accuracy > 0.95)
	// Output: 300 steps; more than 95 % of 200 points are right: true
}

func ExampleRecipe_Rate() {
	r, err := train.Recipe{Epochs: 4, LearningRate: 0.4, Warmup: 1}.Filled()
	if err != nil {
		panic(err)
	}
	l := r.Length(256) // examples
	for step := range l.Steps {
		fmt.Printf("%.3f ", r.Rate(step, l))
	}
	// Output: 0.100 0.200 0.300 0.400 0.400 0.393 0.373 0.341 0.300 0.252 0.200 0.148 0.100 0.059 0.027 0.007
}

// fit is a handler: it trains on points of rings and sends the weights back.
func fit(ctx context.Context, c *train.Call) (train.Message, error) {
	var recipe train.Recipe
	if err := c.Unpack(&recipe); err != nil {
		return train.Message{}, err
	}
	device, err := engine.Open(engine.Config{})
	if err != nil {
		return train.Message{}, err
	}
	defer device.Close()
	set, err := rings(1000, 1)
	if err != nil {
		return train.Message{}, err
	}
	network, err := nets.MLP{Numbers: 2, Hidden: []int{16, 16}, Out: 2}.Graph()
	if err != nil {
		return train.Message{}, err
	}
	r, err := train.Fit(ctx, train.Job{
		Device: device, Graph: network, Train: set, Valid: set, Recipe: recipe,
		Epoch: func(e train.Epoch) error {
			m, err := train.Pack(e)
			if err != nil {
				return err
			}
			return c.Report(m)
		},
	})
	if err != nil {
		return train.Message{}, err
	}
	var weights bytes.Buffer
	if err := train.WriteWeights(&weights, r.Weights); err != nil {
		return train.Message{}, err
	}
	return train.Pack(r.Valid, weights.Bytes())
}

// The program's main begins with train.Main(handlers).
var handlers = train.Handlers{"example/fit": fit}

func ExampleWorker() {
	w, err := train.NewWorker(train.WorkerOptions{Handlers: handlers, Memory: 1 << 30})
	if err != nil {
		panic(err)
	}
	defer w.Close()
	try := func(r train.Recipe) {
		request, err := train.Pack(r)
		if err != nil {
			panic(err)
		}
		reply, err := w.Call(context.Background(), "example/fit", request, func(m train.Message) error {
			var e train.Epoch
			if err := m.Unpack(&e); err != nil {
				return err
			}
			if e.Epoch == 10 {
				fmt.Println("half of it is done")
			}
			return nil
		})
		switch {
		case errors.Is(err, train.ErrDiverged):
			fmt.Println("it diverged")
		case err != nil:
			panic(err)
		default:
			weights, err := train.ReadWeights(reply.Blobs[0])
			if err != nil {
				panic(err)
			}
			fmt.Println("there are", len(weights), "weights")
		}
	}
	try(train.Recipe{Epochs: 20, LearningRate: 999, Optimizer: "plain"})
	try(train.Recipe{Epochs: 20, LearningRate: 0.02, Optimizer: "adamw"})
	// Output:
	// it diverged
	// half of it is done
	// there are 6 weights
}

func init() { train.AddHandlers(handlers) }
