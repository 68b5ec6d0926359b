package predict

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/space"
)

// A Sample is a design that was measured.
type Sample struct {
	Design space.Design
	Values metric.Values
	Weight float64 // 0 means 1
}

// Multi learns several metrics from the same designs, each by a model of its
// own.
type Multi struct {
	Learner Learner            // nil means Bagged{}
	Of      map[string]Learner // methods of metrics that want another one
}

// MultiModel is the models of several metrics.
type MultiModel struct {
	encoder Encoder
	metrics []string
	models  []Model
	rows    []int
}

// TableOf returns the table of one metric: the samples that have a finite value
// of it, encoded. It fails with [ErrNoRows] if there is none.
func TableOf(e Encoder, samples []Sample, name string) (*Table, error) {
	t := &Table{Columns: e.Columns()}
	weighted := false
	var weight []float64
	for i, s := range samples {
		y, ok := s.Values[name]
		if !ok || y-y != 0 {
			continue
		}
		x, err := e.Encode(t.X, s.Design)
		if err != nil {
			return nil, fmt.Errorf("predict: sample %d: %w", i, err)
		}
		t.X, t.Y = x, append(t.Y, y)
		w := s.Weight
		if w == 0 {
			w = 1
		}
		weighted = weighted || w != 1
		weight = append(weight, w)
	}
	if t.Rows() == 0 {
		return nil, fmt.Errorf("predict: metric %q has no finite value in %d samples: %w", name, len(samples), ErrNoRows)
	}
	if weighted {
		t.Weight = weight
	}
	return t, nil
}

// Fit learns each metric from the samples that have it.
func (o Multi) Fit(ctx context.Context, e Encoder, metrics []string, samples []Sample, seed uint64) (*MultiModel, error) {
	if len(metrics) == 0 {
		return nil, errors.New("predict: no metrics to learn; expected at least one")
	}
	m := &MultiModel{encoder: e, metrics: metrics}
	for i, name := range metrics {
		t, err := TableOf(e, samples, name)
		if err != nil {
			return nil, err
		}
		l := o.Learner
		if other, ok := o.Of[name]; ok {
			l = other
		}
		if l == nil {
			l = Bagged{}
		}
		model, err := l.Fit(ctx, t, seed+uint64(i))
		if err != nil {
			return nil, fmt.Errorf("predict: metric %q: %w", name, err)
		}
		m.models, m.rows = append(m.models, model), append(m.rows, t.Rows())
	}
	return m, nil
}

// NewMultiModel joins models of metrics that were fitted or loaded one by one;
// rows says how many rows each was fitted to, and may be nil.
func NewMultiModel(e Encoder, metrics []string, models []Model, rows []int) (*MultiModel, error) {
	if len(metrics) == 0 || len(metrics) != len(models) || rows != nil && len(rows) != len(metrics) {
		return nil, fmt.Errorf("predict: %d models and %d counts of rows for %d metrics; expected one each", len(models), len(rows), len(metrics))
	}
	if rows == nil {
		rows = make([]int, len(metrics))
	}
	return &MultiModel{encoder: e, metrics: metrics, models: models, rows: rows}, nil
}

// Encoder returns what makes rows of designs.
func (m *MultiModel) Encoder() Encoder { return m.encoder }

// Metrics returns the names of the metrics, in their order.
func (m *MultiModel) Metrics() []string { return m.metrics }

// Rows returns how many rows each metric was learned from.
func (m *MultiModel) Rows() []int { return m.rows }

// Model returns the model of a metric, or nil.
func (m *MultiModel) Model(name string) Model {
	for i, n := range m.metrics {
		if n == name {
			return m.models[i]
		}
	}
	return nil
}

// Predict predicts every metric of every design: mean[i] and sd[i] belong to
// design i, and metrics whose deviation is not known are not in sd[i]. sd may be
// nil.
func (m *MultiModel) Predict(designs []space.Design, mean, sd []metric.Values) error {
	var rows []float64
	for i, d := range designs {
		var err error
		if rows, err = m.encoder.Encode(rows, d); err != nil {
			return fmt.Errorf("predict: design %d: %w", i, err)
		}
		mean[i] = make(metric.Values, len(m.metrics))
		if sd != nil {
			sd[i] = make(metric.Values, len(m.metrics))
		}
	}
	out := make([]float64, len(designs))
	var dev []float64
	if sd != nil {
		dev = make([]float64, len(designs))
	}
	for k, name := range m.metrics {
		m.models[k].Predict(rows, out, dev)
		for i := range designs {
			mean[i][name] = out[i]
			if sd != nil && !math.IsNaN(dev[i]) {
				sd[i][name] = dev[i]
			}
		}
	}
	return nil
}
