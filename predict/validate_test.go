package predict_test

import (
	"math"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/predict"
	"github.com/daedalus-search/daedalus/predict/predicttest"
	"github.com/daedalus-search/daedalus/space"
)

func TestAssessByHand(t *testing.T) {
	q := predict.Assess([]float64{1, 2, 3, 5}, []float64{1, 1, 1, 1}, []float64{1, 2, 4, 4.5}, 2)
	near := func(name string, got, want float64) {
		if math.Abs(got-want) > 1e-12 {
			t.Errorf("%s is %v; expected %v", name, got, want)
		}
	}
	mean := 11.5 / 4
	total := (1-mean)*(1-mean) + (2-mean)*(2-mean) + (4-mean)*(4-mean) + (4.5-mean)*(4.5-mean)
	near("RMSE", q.RMSE, math.Sqrt(1.25/4))
	near("RelativeRMSE", q.RelativeRMSE, math.Sqrt(1.25/4)/mean)
	near("MAE", q.MAE, 1.5/4)
	near("R2", q.R2, 1-1.25/total)
	near("Spearman", q.Spearman, 1)
	near("Kendall", q.Kendall, 1)
	near("Precision", q.Precision, 1)
	near("NLL", q.NLL, 1.25/8+0.5*math.Log(2*math.Pi))
	near("Coverage", q.Coverage, 1)
	q = predict.Assess([]float64{3, math.NaN(), 1}, nil, []float64{1, 2, 3}, 1)
	near("Spearman with NaN", q.Spearman, -0.5)
	near("Precision", q.Precision, 0)
	if q.NLL == q.NLL {
		t.Error("a likelihood without deviations")
	}
}

// TestCrossValidateHonest checks that each row is predicted by a model that saw
// neither it nor rows equal to it: of noise, nothing can be learned.
func TestCrossValidateHonest(t *testing.T) {
	r := rng.New(1, "validate", 0)
	tb := &predict.Table{Columns: []predict.Column{{Name: "x"}}}
	for range 60 {
		x, y := r.Float64(), rng.Norm(r)
		for range 5 {
			tb.Add([]float64{x}, y)
		}
	}
	v, err := predict.CrossValidate(t.Context(), predict.Forest{Trees: 20}, tb, 6, 1)
	if err != nil {
		t.Fatal(err)
	}
	if v.R2 > 0.2 {
		t.Errorf("R² of noise is %.2f", v.R2)
	}
	for i := range tb.Y {
		if v.Fold[i] != v.Fold[i-i%5] {
			t.Fatal("equal rows in different folds")
		}
	}
	v, err = predict.CrossValidate(t.Context(), predict.Boosted{}, predicttest.Table(200, 1), 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	if len(v.Folds) != 5 || v.R2 < 0.7 || v.Kendall < 0.6 || v.Rows != 200 {
		t.Errorf("%d folds, %v", len(v.Folds), v)
	}
}

func TestMulti(t *testing.T) {
	s := space.MustNew(space.Float("x", 0, 1), space.Categorical("c", "a", "b", "c"))
	e, err := predict.Decisions(s)
	if err != nil {
		t.Fatal(err)
	}
	r := rng.New(1, "multi", 0)
	var samples []predict.Sample
	for i := range 200 {
		d := s.MustSample(r)
		x, _ := e.Encode(nil, d)
		v := metric.Values{"up": x[0] + x[1], "down": -x[0]}
		if i%3 == 0 {
			v["up"] = math.NaN()
		}
		samples = append(samples, predict.Sample{Design: d, Values: v})
	}
	m, err := predict.Multi{Of: map[string]predict.Learner{"down": predict.Boosted{}}}.Fit(t.Context(), e, []string{"up", "down"}, samples, 1)
	if err != nil {
		t.Fatal(err)
	}
	if rows := m.Rows(); rows[0] != 133 || rows[1] != 200 {
		t.Errorf("learned from %v rows; expected 133 and 200", rows)
	}
	var designs []space.Design
	for range 50 {
		designs = append(designs, s.MustSample(r))
	}
	mean, sd := make([]metric.Values, 50), make([]metric.Values, 50)
	if err := m.Predict(designs, mean, sd); err != nil {
		t.Fatal(err)
	}
	for i, d := range designs {
		x, _ := e.Encode(nil, d)
		if math.Abs(mean[i]["up"]-x[0]-x[1]) > 0.3 || math.Abs(mean[i]["down"]+x[0]) > 0.1 {
			t.Errorf("%s is predicted as %v", d, mean[i])
		}
		if _, ok := sd[i]["down"]; ok || !(sd[i]["up"] >= 0) {
			t.Errorf("deviations %v; expected one of up only", sd[i])
		}
	}
}
