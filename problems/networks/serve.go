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
		Folder   keep
	}

	// A request has what its call needs: a design and how much effort it gets, or
	// what is to be finished.
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
		Finished []metric.Values     `json:",omitempty"` // of each design; nil of those that failed
		Failed   []string            `json:",omitempty"` // which could not be finished, and why
		Known    []problem.Reference `json:",omitempty"`

		weights []byte // a file, which goes beside the JSON
	}

	// told is how far something is, or what a training came to so far.
	told struct {
		Doing     string
		Done, All int
		Step      int64
		Values    metric.Values `json:",omitempty"`
	}

	// A teller tells the problem something before the answer is there. Its error says that
	// nobody listens any more.
	teller func(told) error
)

// Handlers do the work of problems in a worker process; see [train.Main].
func Handlers() train.Handlers {
	var b *bench // calls come one after the other
	by := func(work func(b *bench, ctx context.Context, r request, tell teller) (answer, error)) train.Handler {
		return func(ctx context.Context, c *train.Call) (train.Message, error) {
			var r request
			if err := c.Unpack(&r); err != nil {
				return train.Message{}, err
			}
			if b == nil {
				return train.Message{}, errors.New("networks: found a call before networks.open")
			}
			a, err := work(b, ctx, r, func(t told) error {
				m, err := train.Pack(t)
				if err != nil {
					return err
				}
				return c.Report(m)
			})
			if err != nil {
				return train.Message{}, err
			}
			if a.weights == nil {
				return train.Pack(a)
			}
			return train.Pack(a, a.weights)
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
		"networks.prepare":  by((*bench).prepare),
		"networks.evaluate": by((*bench).evaluate),
		"networks.finish":   by((*bench).finish),
		"networks.weights":  by((*bench).weights),
	}
}
