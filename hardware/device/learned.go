package device

import (
	"context"
	"errors"
	"fmt"

	"github.com/daedalus-search/daedalus/predict"
)

// Learned is a model of package predict that predicts the logarithm of the
// latency from the settings, which are categories.
type Learned struct {
	space  *Space
	device string
	model  predict.Model
}

// Learn fits a learner, such as [predict.Boosted] or [predict.GP], to measured
// networks.
func Learn(ctx context.Context, l predict.Learner, t Timings, seed uint64) (*Learned, error) {
	if l == nil {
		return nil, errors.New("device: learn: no learner; want one of package predict")
	}
	if err := t.Check(); err != nil {
		return nil, err
	}
	table := &predict.Table{Columns: t.Space.columns()}
	row := make([]float64, len(t.Space.places))
	for i, ms := range t.MS {
		for p, v := range t.Network(i) {
			row[p] = float64(v)
		}
		table.Add(row, log(ms))
	}
	m, err := l.Fit(ctx, table, seed)
	if err != nil {
		return nil, fmt.Errorf("device: %s: %w", t.Device, err)
	}
	return &Learned{t.Space, t.Device, m}, nil
}

// columns describes the settings for package predict.
func (s *Space) columns() []predict.Column {
	out := make([]predict.Column, len(s.places))
	for i, p := range s.places {
		out[i] = predict.Column{Name: p.Name, Levels: len(p.Settings)}
	}
	return out
}

// Space returns the space of the model.
func (m *Learned) Space() *Space { return m.space }

// Device returns the device of the model.
func (m *Learned) Device() string { return m.device }

// LatencyMS predicts a network. Predicting many at once with
// [Learned.LatenciesMS] is much faster.
func (m *Learned) LatencyMS(x []uint8) float64 {
	var out [1]float64
	m.LatenciesMS(x, out[:])
	return out[0]
}

// LatenciesMS predicts networks that stand one after the other in x.
func (m *Learned) LatenciesMS(x []uint8, out []float64) {
	rows := make([]float64, len(x))
	for i, v := range x {
		rows[i] = float64(v)
	}
	m.model.Predict(rows, out, nil)
	for i, v := range out {
		out[i] = exp(v)
	}
}
