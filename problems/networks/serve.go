package networks

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/neural/train"
	"github.com/daedalus-search/daedalus/problem"
)

// What goes between a Problem and its worker.
type (
	// An opening is the first thing that a worker is told.
	opening struct {
		Question question
		Folder   string // for what is kept; "" if nothing is
	}

	request struct {
		Design json.RawMessage `json:",omitempty"`
		Share  float64
		Amount float64 // of the fidelity
		From   float64 // amount of an earlier evaluation that this one goes on from
		Folder string  // of the design, for its checkpoint

		Designs    []json.RawMessage `json:",omitempty"`
		References []string          `json:",omitempty"`
	}

	answer struct {
		Values   metric.Values       `json:",omitempty"`
		Finished []metric.Values     `json:",omitempty"`
		Known    []problem.Reference `json:",omitempty"`
	}

	// told is how far something is, or what a training came to so far.
	told struct {
		Doing     string
		Done, All int
		Step      int64
		Values    metric.Values `json:",omitempty"`
	}
)

// Handlers do the work of problems in a worker process; see [train.Main].
func Handlers() train.Handlers {
	var b *bench
	with := func(f func(ctx context.Context, b *bench, r request, tell func(told) error) (answer, [][]byte, error)) train.Handler {
		return func(ctx context.Context, c *train.Call) (train.Message, error) {
			var r request
			if err := c.Unpack(&r); err != nil {
				return train.Message{}, err
			}
			if b == nil {
				return train.Message{}, errors.New("networks: found a call before networks.open")
			}
			a, blobs, err := f(ctx, b, r, func(t told) error {
				m, err := train.Pack(t)
				if err != nil {
					return err
				}
				return c.Report(m)
			})
			if err != nil {
				return train.Message{}, err
			}
			return train.Pack(a, blobs...)
		}
	}
	return train.Handlers{
		"networks.open": func(ctx context.Context, c *train.Call) (train.Message, error) {
			var o opening
			if err := c.Unpack(&o); err != nil {
				return train.Message{}, err
			}
			var err error
			b, err = newBench(ctx, o)
			return train.Message{}, err
		},
		"networks.prepare": with(func(ctx context.Context, b *bench, _ request, tell func(told) error) (answer, [][]byte, error) {
			return answer{}, nil, b.prepare(ctx, tell)
		}),
		"networks.evaluate": with(func(ctx context.Context, b *bench, r request, tell func(told) error) (answer, [][]byte, error) {
			v, err := b.evaluate(ctx, r, tell)
			return answer{Values: v}, nil, err
		}),
		"networks.finish": with(func(ctx context.Context, b *bench, r request, tell func(told) error) (answer, [][]byte, error) {
			a, err := b.finish(ctx, r, tell)
			return a, nil, err
		}),
		"networks.weights": with(func(ctx context.Context, b *bench, r request, tell func(told) error) (answer, [][]byte, error) {
			file, err := b.weightsOf(ctx, r)
			if err != nil || file == nil {
				return answer{}, nil, err
			}
			return answer{}, [][]byte{file}, nil
		}),
	}
}
