package predict

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/daedalus-search/daedalus/internal/rng"
)

// Stack mixes models of different kinds (Wolpert, "Stacked generalization", 1992;
// Breiman, "Stacked regressions", 1996). Every learner predicts each training row
// in a cross-validation that holds it out; the weights of the mixture are those,
// not negative and of sum 1, with which these predictions have the least squared
// error. Then every learner of weight above 0 is fitted to all rows.
//
// The standard deviation is that of the mixture, √(Σ w(sd² + ŷ²) − (Σ wŷ)²), times
// the factor with which the rows held out are as far off as it says. A model
// without one counts with its error on rows held out.
//
// A fit costs folds + 1 fits of each learner.
type Stack struct {
	// Learners to mix; none means [Ridge], [Neighbors], [Boosted] and a [GP].
	Learners []Learner `yaml:"-"`
	// Folds of the cross-validation; 0 means 5. There are no more than rows.
	Folds int `yaml:"folds" default:"5" min:"2" max:"100" doc:"folds of the cross-validation"`
}

type stackModel struct {
	Columns int
	Models  []Model
	Weight  []float64
	Error   []float64 // variance of models that have none
	Factor  float64
}

// Fit learns the weights and fits the learners.
func (o Stack) Fit(ctx context.Context, t *Table, seed uint64) (Model, error) {
	if err := errors.Join(t.Validate(), ctx.Err()); err != nil {
		return nil, err
	}
	if o.Folds != 0 && (o.Folds < 2 || o.Folds > 100) {
		return nil, fmt.Errorf("stack: folds: found %d, want 2 to 100, or 0 for 5", o.Folds)
	}
	learners := o.Learners
	if len(learners) == 0 {
		learners = []Learner{Ridge{}, Neighbors{}, Boosted{}, GP{}}
	}
	n, k := t.Rows(), len(learners)
	folds := min(cmp.Or(o.Folds, 5), n)
	m := &stackModel{Columns: len(t.Columns), Factor: 1, Weight: make([]float64, k), Error: make([]float64, k)}
	w, _ := linWeights(t)
	if n < 4 || linConstant(t.Y) {
		for i := range m.Weight {
			m.Weight[i] = 1 / float64(k)
		}
	} else {
		means, sds := make([][]float64, k), make([][]float64, k)
		for i := range means {
			means[i], sds[i] = make([]float64, n), make([]float64, n)
		}
		perm := rng.New(seed, "predict/stack", 0).Perm(n)
		for f := range folds {
			var in, out []int
			for i, row := range perm {
				if i%folds == f {
					out = append(out, row)
				} else {
					in = append(in, row)
				}
			}
			train, held := t.Select(in), t.Select(out)
			for i, l := range learners {
				model, err := l.Fit(ctx, train, seed)
				if err != nil {
					return nil, fmt.Errorf("stack: %T: %w", l, err)
				}
				mean, sd := make([]float64, len(out)), make([]float64, len(out))
				model.Predict(held.X, mean, sd)
				for a, row := range out {
					means[i][row], sds[i][row] = mean[a], sd[a]
				}
			}
		}
		m.Weight = stackWeights(means, t.Y, w)
		for i := range means {
			for r, y := range t.Y {
				e := y - means[i][r]
				m.Error[i] += float64(w[r]*float64(e*e)) / float64(n)
			}
		}
		sum := 0.0
		one, dev := make([]float64, k), make([]float64, k)
		for r, y := range t.Y {
			for i := range means {
				one[i], dev[i] = means[i][r], sds[i][r]
			}
			mean, v := m.mix(one, dev)
			e := y - mean
			sum += float64(w[r] * min(float64(e*e)/max(v, math.SmallestNonzeroFloat64), 1e6))
		}
		m.Factor = math.Sqrt(max(sum/float64(n), 1e-6))
	}
	for i, l := range learners {
		if m.Weight[i] == 0 {
			continue
		}
		model, err := l.Fit(ctx, t, seed)
		if err != nil {
			return nil, fmt.Errorf("stack: %T: %w", l, err)
		}
		m.Models = append(m.Models, model)
	}
	keep := func(x []float64) []float64 {
		var out []float64
		for i, v := range x {
			if m.Weight[i] > 0 {
				out = append(out, v)
			}
		}
		return out
	}
	m.Error, m.Weight = keep(m.Error), keep(m.Weight)
	return m, ctx.Err()
}

// stackWeights returns the weights, not negative and of sum 1, that minimise
// the squared error of the mixture of predictions. Weight moves between two
// models at a time, as far as is best, until no move is worth it.
func stackWeights(pred [][]float64, y, w []float64) []float64 {
	k := len(pred)
	// Products of errors: with sum 1 the error of the mixture mixes the errors.
	g := make([]float64, k*k)
	scale := 0.0
	for i := range k {
		for j := range i + 1 {
			s := 0.0
			for r, v := range y {
				s += float64(w[r] * float64((pred[i][r]-v)*(pred[j][r]-v)))
			}
			g[i*k+j], g[j*k+i] = s, s
			scale = max(scale, math.Abs(s))
		}
	}
	best := 0
	for i := range k {
		if g[i*k+i] < g[best*k+best] {
			best = i
		}
	}
	weight := make([]float64, k)
	weight[best] = 1
	for range 1000 {
		moved := false
		for i := range k {
			for j := range k {
				if i == j || weight[j] == 0 {
					continue
				}
				curve := g[i*k+i] - float64(2*g[i*k+j]) + g[j*k+j]
				slope := 0.0
				for a, v := range weight {
					slope += float64(v * (g[i*k+a] - g[j*k+a]))
				}
				if slope >= 0 || !(curve > float64(1e-14*scale)) {
					continue
				}
				step := min(-slope/curve, weight[j])
				if step < 1e-9 {
					continue
				}
				weight[i] += step
				weight[j] -= step
				if weight[j] < 1e-9 {
					weight[i] += weight[j]
					weight[j] = 0
				}
				moved = true
			}
		}
		if !moved {
			break
		}
	}
	return weight
}

// mix returns mean and variance of the mixture, the latter before the factor.
func (m *stackModel) mix(mean, sd []float64) (mu, v float64) {
	for i, w := range m.Weight {
		mu += float64(w * mean[i])
	}
	for i, w := range m.Weight {
		if w == 0 {
			continue
		}
		s := float64(sd[i] * sd[i])
		if math.IsNaN(s) {
			s = m.Error[i]
		}
		d := mean[i] - mu
		v += float64(w * (s + float64(d*d)))
	}
	return mu, v
}

// Predict predicts rows.
func (m *stackModel) Predict(rows, mean, sd []float64) {
	n, k := len(mean), len(m.Models)
	means, sds := make([]float64, k*n), make([]float64, k*n)
	for i, model := range m.Models {
		var dev []float64
		if sd != nil {
			dev = sds[i*n : (i+1)*n]
		}
		model.Predict(rows, means[i*n:(i+1)*n], dev)
	}
	one, dev := make([]float64, k), make([]float64, k)
	for r := range n {
		for i := range k {
			one[i], dev[i] = means[i*n+r], sds[i*n+r]
		}
		mu, v := m.mix(one, dev)
		mean[r] = mu
		if sd != nil {
			sd[r] = float64(m.Factor * math.Sqrt(v))
		}
	}
}

// Weights returns the models of the mixture and how much each counts.
func (m *stackModel) Weights() ([]Model, []float64) {
	return slices.Clone(m.Models), slices.Clone(m.Weight)
}

func (m *stackModel) saveKind() string   { return "stack" }
func (m *stackModel) save(w *saveWriter) { plainSave(w, m) }
func (m *stackModel) sound() bool {
	return len(m.Models) > 0 && len(m.Models) == len(m.Weight) && len(m.Error) == len(m.Models) && !slices.Contains(m.Models, nil)
}
