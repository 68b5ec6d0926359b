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

func TestMLPFlexi(t *testing.T) {
	f := loadFlexi(t)
	for _, o := range []MLP{
		{}, {Activation: "relu"}, {Rate: 0.001}, {Width: 32}, {Decay: 0.1}, {Decay: 1}, {Loss: "huber"}, {Loss: "gaussian"}, {Loss: "logistic"}, {Loss: "hinge"},
		{Holdout: -1, Steps: 300}, {Dropout: 0.2}, {Dropout: 0.2, Passes: 10},
	} {
		for _, n := range []int{50, 200} {
			t.Logf("%+v %d %+.3v", o, n, meanQuality(t, f.Table, o, n, 300, 5))
		}
	}
}
