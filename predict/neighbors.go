package predict

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/daedalus-search/daedalus/predict/internal/vec"
)

// An Extender is a [Model] that learns from further rows without being fitted
// again.
type Extender interface {
	Model
	// Extend returns a model that also knows the rows of a table with the same
	// columns. The receiver stays as it was.
	Extend(t *Table) (Model, error)
}

// Neighbors predicts the mean of the K nearest training rows (Fix and Hodges
// 1951), by default weighted by 1/distance, so that a row that was measured
// predicts itself. Distances are Euclidean over centred columns of variance 1;
// two categories are as far apart as two average numbers.
//
// The standard deviation is that of a new measurement, from the spread of the
// neighbours shrunk towards the error s₀ that the model makes on its own rows
// when each is left out:
//
//	sd² = (s₀²·4 + Σ wⱼ(yⱼ − ŷ)²·K/Σw) / (4 + K)
//
// A fit takes rows²/2 distances for s₀, of at most 2,000 rows; a prediction one
// for every row. The model is an [Extender].
type Neighbors struct {
	// K is how many rows count; 0 means 10.
	K int `yaml:"k" default:"10" min:"1" max:"10000" doc:"nearest rows that count"`
	// Uniform makes all K count the same.
	Uniform bool `yaml:"uniform" doc:"all K rows count the same, whatever their distance"`
}

type neighborModel struct {
	Columns int
	Form    *linForm
	K       int
	Uniform bool
	X       []float32
	Y, W    []float64
	Own     float64 // s₀
}

func (o Neighbors) check() error {
	if o.K < 0 || o.K > 10_000 {
		return fmt.Errorf("neighbors: k: found %d, want 1 to 10000, or 0 for 10", o.K)
	}
	return nil
}

// neighborOwn is from how many rows at most s₀ is learned.
const neighborOwn = 2000

// Fit keeps the rows.
func (o Neighbors) Fit(ctx context.Context, t *Table, seed uint64) (Model, error) {
	if err := errors.Join(o.check(), t.Validate(), ctx.Err()); err != nil {
		return nil, err
	}
	f := newLinForm(t)
	m := &neighborModel{Columns: len(t.Columns), Form: f, K: cmp.Or(o.K, 10), Uniform: o.Uniform}
	m.add(t)
	s, sum := 0.0, 0.0
	var near []neighbor
	for i := 0; i < min(len(m.Y), neighborOwn) && len(m.Y) > 1; i++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		at := i
		if len(m.Y) > neighborOwn { // spread over the table
			at = i * len(m.Y) / neighborOwn
		}
		near = nearestRows(near, m.X, m.X[at*f.Width:(at+1)*f.Width], 0, len(m.Y), m.K, at)
		y, _ := m.average(near)
		s += float64(m.W[at] * float64((m.Y[at]-y)*(m.Y[at]-y)))
		sum += m.W[at]
	}
	if sum > 0 {
		m.Own = math.Sqrt(s / sum)
	}
	return m, nil
}

func (m *neighborModel) add(t *Table) {
	w, _ := linWeights(t)
	for _, v := range m.Form.apply(nil, t.X, m.Columns) {
		m.X = append(m.X, float32(v))
	}
	m.Y, m.W = append(m.Y, t.Y...), append(m.W, w...)
}

// Extend returns a model with further rows.
func (m *neighborModel) Extend(t *Table) (Model, error) {
	if err := extendable(t, m.Columns); err != nil {
		return nil, err
	}
	out := *m
	out.X, out.Y, out.W = slices.Clip(m.X), slices.Clip(m.Y), slices.Clip(m.W)
	out.add(t)
	return &out, nil
}

func extendable(t *Table, columns int) error {
	if err := t.Validate(); err != nil {
		return err
	}
	if len(t.Columns) != columns {
		return fmt.Errorf("predict: %d columns to extend a model of %d", len(t.Columns), columns)
	}
	return nil
}

type neighbor struct {
	row int
	d   float32 // squared distance
}

func compareNeighbors(a, b neighbor) int {
	return cmp.Or(cmp.Compare(a.d, b.d), cmp.Compare(a.row, b.row))
}

// nearestRows returns the k rows of x nearest to q, nearest first, but not row
// except. The farthest of them is at the root of a heap until all were seen.
func nearestRows(near []neighbor, x, q []float32, from, rows, k, except int) []neighbor {
	near = near[:0]
	limit := float32(math.MaxFloat32)
	d := len(q)
	for i := from; i < rows; i++ {
		if i == except {
			continue
		}
		s := vec.Within32(q, x[i*d:(i+1)*d], limit)
		switch {
		case len(near) < k:
			near = append(near, neighbor{i, s})
			for k := len(near) - 1; k > 0; {
				up := (k - 1) / 2
				if compareNeighbors(near[k], near[up]) <= 0 {
					break
				}
				near[k], near[up] = near[up], near[k]
				k = up
			}
		case s < near[0].d:
			near[0] = neighbor{i, s}
			for k := 0; ; {
				c := 2*k + 1
				if c >= len(near) {
					break
				}
				if c+1 < len(near) && compareNeighbors(near[c+1], near[c]) > 0 {
					c++
				}
				if compareNeighbors(near[k], near[c]) >= 0 {
					break
				}
				near[k], near[c] = near[c], near[k]
				k = c
			}
		}
		if len(near) == k {
			limit = near[0].d
		}
	}
	slices.SortFunc(near, compareNeighbors)
	return near
}

// average returns the mean of neighbours and the mean of their squared
// differences from it.
func (m *neighborModel) average(near []neighbor) (mean, spread float64) {
	sum := 0.0
	weight := func(n neighbor) float64 {
		if m.Uniform {
			return m.W[n.row]
		}
		// The floor makes rows that are equal to x count alone.
		return m.W[n.row] / math.Sqrt(max(float64(n.d), 1e-12))
	}
	for _, n := range near {
		w := weight(n)
		sum += w
		mean += float64(w * m.Y[n.row])
	}
	mean /= sum
	for _, n := range near {
		spread += float64(weight(n) * float64((m.Y[n.row]-mean)*(m.Y[n.row]-mean)))
	}
	return mean, spread / sum
}

// Predict predicts rows.
func (m *neighborModel) Predict(rows, mean, sd []float64) {
	x := m.Form.apply(nil, rows, m.Columns)
	d := m.Form.Width
	q := make([]float32, d)
	var near []neighbor
	for i := range mean {
		for j, v := range x[i*d : (i+1)*d] {
			q[j] = float32(v)
		}
		near = nearestRows(near, m.X, q, 0, len(m.Y), m.K, -1)
		var spread float64
		mean[i], spread = m.average(near)
		if sd != nil {
			k := float64(len(near))
			sd[i] = math.Sqrt((float64(4*float64(m.Own*m.Own)) + float64(k*spread)) / (4 + k))
		}
	}
}
