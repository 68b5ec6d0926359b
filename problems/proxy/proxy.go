package proxy

import (
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/daedalus-search/daedalus/internal/detmath"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/predict"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/space"
)

// Problem predicts the metrics of another one.
type Problem struct {
	o        Options
	goal     metric.Goal
	metrics  []metric.Metric // that are predicted
	learners []learner
	encoders [2]predict.Encoder // of decisions, one-hot

	mu    sync.Mutex
	ready bool
	found experiment
}

var (
	_ problem.Problem   = (*Problem)(nil)
	_ problem.Batcher   = (*Problem)(nil)
	_ problem.Preparer  = (*Problem)(nil)
	_ problem.Assessor  = (*Problem)(nil)
	_ problem.Verifier  = (*Problem)(nil)
	_ problem.Canonical = (*Problem)(nil)
	_ problem.Exporter  = (*Problem)(nil)
	_ problem.Labeler   = (*Problem)(nil)
	_ problem.Describer = (*Problem)(nil)
	_ problem.Drawer    = drawn{}
)

// drawn is a Problem whose original draws its designs.
type drawn struct{ *Problem }

func (p drawn) Draw(w io.Writer, d space.Design) error {
	return p.o.Of.(problem.Drawer).Draw(w, d)
}

// Space implements [problem.Problem].
func (p *Problem) Space() *space.Space { return p.o.Of.Space() }

// Metrics implements [problem.Problem].
func (p *Problem) Metrics() []metric.Metric { return p.metrics }

// Describe says what one evaluation is.
func (p *Problem) Describe() string {
	inner := ""
	if d, ok := p.o.Of.(problem.Describer); ok {
		inner = ": " + d.Describe()
	}
	return fmt.Sprintf("predicts from %d designs that %d methods measure%s", p.o.Designs, len(p.o.Sources), inner)
}

// Key implements [problem.Canonical]: designs that are the same to the original
// are to its proxy.
func (p *Problem) Key(d space.Design) string {
	if c, ok := p.o.Of.(problem.Canonical); ok {
		return c.Key(d)
	}
	return d.String()
}

// Label implements [problem.Labeler].
func (p *Problem) Label(d space.Design) string {
	if l, ok := p.o.Of.(problem.Labeler); ok {
		return l.Label(d)
	}
	return d.String()
}

// Formats implements [problem.Exporter]: those of the original, or its designs
// as JSON.
func (p *Problem) Formats() []string {
	if e, ok := p.o.Of.(problem.Exporter); ok {
		return e.Formats()
	}
	return []string{"json"}
}

// Export implements [problem.Exporter].
func (p *Problem) Export(w io.Writer, d space.Design, format string) error {
	if e, ok := p.o.Of.(problem.Exporter); ok {
		return e.Export(w, d, format)
	}
	if format != "json" {
		return fmt.Errorf("proxy: found format %q, want json", format)
	}
	_, err := w.Write(append(d.AppendJSON(nil), '\n'))
	return err
}

// measuredPrefix begins the names of metrics as they were measured.
const measuredPrefix = "measured_"

// VerifyMetrics implements [problem.Verifier]: every metric as it is measured.
func (p *Problem) VerifyMetrics() []metric.Metric {
	out := make([]metric.Metric, len(p.metrics))
	for i, m := range p.metrics {
		m.Name, m.Doc = measuredPrefix+m.Name, "measured, not predicted"
		out[i] = m
	}
	return out
}

// Verify measures a design.
func (p *Problem) Verify(ctx context.Context, d space.Design) (metric.Values, error) {
	v, err := p.o.Of.Evaluate(ctx, d, nil)
	if err != nil {
		return nil, err
	}
	out := metric.Values{}
	for _, m := range p.metrics {
		if x, ok := v[m.Name]; ok {
			out[measuredPrefix+m.Name] = x
		}
	}
	return out, nil
}

// Evaluate predicts one design.
func (p *Problem) Evaluate(ctx context.Context, d space.Design, _ problem.Reporter) (metric.Values, error) {
	var out [1]problem.Result
	p.EvaluateBatch(ctx, []space.Design{d}, out[:])
	return out[0].Values, out[0].Err
}

// EvaluateBatch implements [problem.Batcher].
func (p *Problem) EvaluateBatch(ctx context.Context, designs []space.Design, out []problem.Result) {
	x, err := p.prepared(ctx, func(string, int, int) {})
	if err == nil {
		err = p.predict(x.chosen, designs, out)
	}
	if err != nil {
		for i := range out {
			out[i] = problem.Result{Err: err}
		}
	}
}

// A fitted predictor knows one metric.
type fitted struct {
	learner
	model predict.Model
	log   bool // it predicts the logarithm
}

// values predicts every row that is given by the encoding of the predictor.
func (f *fitted) values(rows []float64, n int) []float64 {
	out := make([]float64, n)
	f.model.Predict(rows, out, nil)
	if f.log {
		for i, x := range out {
			out[i] = detmath.Exp(x)
		}
	}
	return out
}

// predict writes the predictions of one predictor a metric.
func (p *Problem) predict(models []fitted, designs []space.Design, out []problem.Result) error {
	var rows [2][]float64
	for i := range out {
		out[i] = problem.Result{Values: make(metric.Values, len(models))}
	}
	for k := range models {
		f := &models[k]
		h := index(f.oneHot)
		if rows[h] == nil {
			var err error
			if rows[h], err = p.rows(h, designs); err != nil {
				return err
			}
		}
		for i, v := range f.values(rows[h], len(designs)) {
			out[i].Values[p.metrics[k].Name] = v
		}
	}
	return nil
}

func (p *Problem) rows(encoder int, designs []space.Design) ([]float64, error) {
	e := p.encoders[encoder]
	rows := make([]float64, 0, len(designs)*len(e.Columns()))
	for _, d := range designs {
		var err error
		if rows, err = e.Encode(rows, d); err != nil {
			return nil, fmt.Errorf("proxy: %w", err)
		}
	}
	return rows, nil
}
