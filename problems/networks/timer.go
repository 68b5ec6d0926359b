package networks

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/latency"
)

// A timer says what networks take on this machine.
type timer struct {
	engine   latency.Engine
	options  latency.Options
	protocol latency.Protocol
	model    *latency.Model // predicts, if there is a table
}

// newTimer returns nil if latency is not measured.
func newTimer(o Latency, dir string) (*timer, error) {
	if o.Engine == "none" {
		return nil, nil
	}
	t := &timer{engine: latency.Go(), options: latency.Options{Batch: o.Batch, Threads: o.Threads}}
	if o.Engine == "onnxruntime" {
		var err error
		if t.engine, err = latency.ONNXRuntime(o.Library); err != nil {
			return nil, err
		}
	}
	t.protocol = latency.Protocol{
		Precision: o.Precision, Threads: o.Threads, Warmup: 5 * time.Millisecond,
		Budget: time.Duration(o.BudgetMS * float64(time.Millisecond)),
	}
	if o.Table == "" {
		return t, nil
	}
	path := o.Table
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	var err error
	t.model, err = latency.NewModel(t.engine, t.options, latency.Protocol{}, path)
	return t, err
}

// one returns the latency of a network in milliseconds: measured, or predicted if there
// is a table.
func (t *timer) one(ctx context.Context, g *neural.Graph) (float64, error) {
	if t.model != nil {
		p, err := t.model.Predict(ctx, g)
		return p.MS, err
	}
	all, err := t.measure(ctx, t.protocol, g)
	if err != nil {
		return 0, err
	}
	return all[0], nil
}

// turns measures networks in turns, to half the error and with ten times the patience.
func (t *timer) turns(ctx context.Context, networks []*neural.Graph) ([]float64, error) {
	if len(networks) == 0 {
		return nil, nil
	}
	p := t.protocol
	p.Precision /= 2
	p.Budget *= 10
	return t.measure(ctx, p, networks...)
}

func (t *timer) measure(ctx context.Context, p latency.Protocol, networks ...*neural.Graph) ([]float64, error) {
	reports, err := latency.Measure(ctx, t.engine, t.options, p, networks...)
	if err != nil {
		return nil, fmt.Errorf("networks: %w", err)
	}
	var out []float64
	for _, r := range latency.Results(reports) {
		out = append(out, r.MedianMS)
	}
	return out, nil
}
