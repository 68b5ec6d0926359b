package predict

import (
	"math"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
)

func TestMLPCosine(t *testing.T) {
	t.Parallel()
	for i := range 101 {
		x := float64(i) / 100
		if got, want := mlpCosine(x), (1+math.Cos(math.Pi*x))/2; math.Abs(got-want) > 1e-4 {
			t.Errorf("mlpCosine(%v) = %v, want %v", x, got, want)
		}
	}
}

// Losses agree with their gradients, but for β-NLL, whose gradient is scaled.
func TestMLPLossGradients(t *testing.T) {
	t.Parallel()
	r := rng.New(1, "loss", 0)
	for _, name := range []string{"squared", "huber", "gaussian", "logistic", "hinge"} {
		j, err := mlpLoss(name, 0.7)
		if err != nil {
			t.Fatal(err)
		}
		const n = 9
		out, y, w := make([]float64, n*j.outputs), make([]float64, n), make([]float64, n)
		for i := range y {
			y[i], w[i] = rng.Norm(r), 0.5+r.Float64()
		}
		y[3] = y[4]
		for i := range out {
			out[i] = rng.Norm(r)
		}
		grad := make([]float64, len(out))
		j.loss(out, grad, y, w)
		for i := range out {
			const h = 1e-6
			old := out[i]
			out[i] = old + h
			up := j.loss(out, nil, y, w)
			out[i] = old - h
			down := j.loss(out, nil, y, w)
			out[i] = old
			want := (up - down) / 2 / h
			if name == "gaussian" {
				v, _ := mlpVariance(out[i|1])
				want *= math.Sqrt(v)
			}
			if math.Abs(grad[i]-want) > 1e-7 {
				t.Errorf("%s: gradient %d is %v, want %v", name, i, grad[i], want)
			}
		}
	}
}

// Without hidden layers a net finds what least squares finds.
func TestMLPLinear(t *testing.T) {
	t.Parallel()
	r := rng.New(2, "linear", 0)
	train, test := &Table{Columns: make([]Column, 3)}, &Table{Columns: make([]Column, 3)}
	for i := range 400 {
		x := []float64{rng.Norm(r), rng.Norm(r), rng.Norm(r)}
		y := 3*x[0] - 2*x[1] + 5
		if i < 200 {
			train.Add(x, y)
		} else {
			test.Add(x, y)
		}
	}
	for _, loss := range []string{"squared", "huber", "logistic"} {
		m, err := MLP{Layers: -1, Members: 1, Loss: loss, Rate: 0.03, Decay: -1}.Fit(t.Context(), train, 1)
		if err != nil {
			t.Fatal(err)
		}
		if q := judge(m, test); q.Kendall < 0.95 || loss != "logistic" && q.RMSE > 0.05 {
			t.Errorf("%s: Kendall %.3f, error %.3f", loss, q.Kendall, q.RMSE)
		}
	}
}

func TestMLPOptions(t *testing.T) {
	t.Parallel()
	one := &Table{Columns: make([]Column, 1), X: []float64{1}, Y: []float64{1}}
	for _, o := range []MLP{{Members: -1}, {Layers: 21}, {Width: 5000}, {Activation: "gelu"}, {Loss: "mse"}, {Delta: -1}, {Rate: -1}, {Rate: math.NaN()}, {Dropout: 1}, {Holdout: 1}, {Patience: 2}, {Passes: 3}, {Steps: -1}, {Batch: -1}, {Decay: math.NaN()}} {
		if _, err := o.Fit(t.Context(), one, 1); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
}

// BenchmarkMLP fits the default ensemble to 200 rows of 12 columns.
func BenchmarkMLP(b *testing.B) {
	r := rng.New(3, "bench", 0)
	t := &Table{Columns: make([]Column, 12)}
	for range 200 {
		x := make([]float64, 12)
		for j := range x {
			x[j] = rng.Norm(r)
		}
		t.Add(x, x[0]*x[1]+x[2])
	}
	for b.Loop() {
		if _, err := (MLP{Patience: 1}).Fit(b.Context(), t, 1); err != nil {
			b.Fatal(err)
		}
	}
}
