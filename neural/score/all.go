package score

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/train/engine"
)

// All scores n networks with so many at a time, 0 means one. It stops at the first mistake,
// which it returns, and when the context ends. Results do not depend on workers.
func (o Options) All(ctx context.Context, workers, n int, graph func(i int) (*neural.Graph, error), b *engine.Batch, names ...string) ([]Result, error) {
	if workers < 0 || n < 0 {
		return nil, fmt.Errorf("score: found %d workers and %d networks, want 0 or more", workers, n)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	out := make([]Result, n)
	errs := make([]error, max(workers, 1))
	var next atomic.Int64
	var group sync.WaitGroup
	for k := range errs {
		group.Go(func() {
			if errs[k] = o.some(ctx, &next, out, graph, b, names); errs[k] != nil {
				stop()
			}
		})
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	return out, nil
}

// some scores networks until none is left.
func (o Options) some(ctx context.Context, next *atomic.Int64, out []Result, graph func(i int) (*neural.Graph, error), b *engine.Batch, names []string) (err error) {
	s, err := New(o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	for ctx.Err() == nil {
		i := int(next.Add(1)) - 1
		if i >= len(out) {
			break
		}
		g, err := graph(i)
		if err != nil {
			return fmt.Errorf("score: network %d: %w", i+1, err)
		}
		if out[i], err = s.Compute(g, b, names...); err != nil {
			return err
		}
	}
	return nil
}
