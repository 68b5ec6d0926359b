package predict

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/metric"
)

func TestRobotScaled(t *testing.T) {
	t.Parallel()
	in := []float64{3, math.NaN(), 1, 1e19, 2}
	for _, c := range []struct {
		minMax bool
		want   []float64
	}{{false, []float64{2. / 3, 0, 0, 1, 1. / 3}}, {true, []float64{2e-19, 0, 0, 1, 1e-19}}} {
		got := robotScaled(in, c.minMax)
		for i := range got {
			if math.Abs(got[i]-c.want[i]) > 1e-12*c.want[i] {
				t.Errorf("min-max %v: %v, want %v", c.minMax, got, c.want)
				break
			}
		}
	}
	if got := robotScaled([]float64{5, 5}, false); got[0] != 0.5 {
		t.Errorf("a constant becomes %v", got)
	}
	for _, v := range robotScaled([]float64{-math.MaxFloat64, 0, math.MaxFloat64, math.Inf(1)}, true) {
		if !(v >= 0 && v <= 1) {
			t.Errorf("a scaled metric is %v", v)
		}
	}
}

// A metric that knows the truth is found among noise; metrics that know nothing
// are left.
func TestRobotRun(t *testing.T) {
	t.Parallel()
	const n = 400
	r := rng.New(1, "robot", 0)
	truth, noise := make([]float64, n), make([][]float64, 4)
	for i := range truth {
		truth[i] = rng.Norm(r)
	}
	for k := range noise {
		for range n {
			noise[k] = append(noise[k], rng.Norm(r))
		}
	}
	good := make([]float64, n)
	for i := range good {
		good[i] = -math.Pow(truth[i], 3) - 0.1*rng.Norm(r)
	}
	top := slices.Max(truth)
	for _, local := range []bool{true, false} {
		hits, random := 0, 0
		for seed := range uint64(10) {
			calls := map[int]int{}
			eval := func(i int) (float64, error) { calls[i]++; return truth[i], nil }
			res, err := RoBoT{Budget: 24, Local: local}.Run(t.Context(), append(slices.Clone(noise), good), eval, seed)
			if err != nil {
				t.Fatal(err)
			}
			if len(res.Evaluated) != 24 || len(calls) != 24 || res.Value != truth[res.Best] {
				t.Fatalf("%d evaluated, %d called, best %d = %v", len(res.Evaluated), len(calls), res.Best, res.Value)
			}
			if res.Value > top-0.6 {
				hits++
			}
			if res, err = (RoBoT{Budget: 24, Local: local, Threshold: 3}).Run(t.Context(), noise, eval, seed); err != nil {
				t.Fatal(err)
			}
			if res.Ranking == "random" {
				random++
			}
		}
		if hits < 9 || random < 9 {
			t.Errorf("local %v: the best is found by %d of 10 runs, and noise is known as such by %d; want 9", local, hits, random)
		}
	}
	bad := errors.New("no")
	for _, f := range []func() error{
		func() error { _, err := RoBoT{}.Run(t.Context(), nil, nil, 1); return err },
		func() error { _, err := RoBoT{}.Run(t.Context(), [][]float64{{1, 2}, {1}}, nil, 1); return err },
		func() error { _, err := RoBoT{Budget: -1}.Run(t.Context(), noise, nil, 1); return err },
		func() error {
			_, err := RoBoT{}.Run(t.Context(), noise, func(int) (float64, error) { return 0, bad }, 1)
			return err
		},
	} {
		if f() == nil {
			t.Error("no error")
		}
	}
	res, err := RoBoT{}.Run(t.Context(), [][]float64{{1, 2, 3}}, func(i int) (float64, error) { return math.NaN(), nil }, 1)
	if err != nil || len(res.Evaluated) != 3 {
		t.Errorf("nothing but NaN: %+v, %v", res, err)
	}
}

// The zero-cost metrics of both benchmarks agree with quality as the method
// card says, to three decimals.
func TestZeroCostReference(t *testing.T) {
	t.Parallel()
	f := loadFlexi(t)
	check := func(what string, m, y []float64, spearman, kendall float64) {
		t.Helper()
		s, k := metric.Spearman(m, y), metric.Kendall(m, y)
		if math.Abs(s-spearman) > 0.0005+1e-9 || math.Abs(k-kendall) > 0.0005+1e-9 {
			t.Errorf("%s: Spearman %.4f and Kendall %.4f, want %.3f and %.3f", what, s, k, spearman, kendall)
		}
	}
	for _, c := range []struct {
		name              string
		spearman, kendall float64
	}{
		{"Head Confidence", 0.716, 0.478}, {"Number of Parameters", 0.652, 0.454}, {"Head Confidence Normalized", 0.455, 0.299},
		{"Activation Distance", 0.331, 0.222}, {"Head Softmax Confidence", 0.326, 0.216}, {"Synaptic Saliency", 0.281, 0.188},
		{"Head Importance", 0.250, 0.164}, {"Synaptic Diversity", 0.241, 0.156}, {"Jacobian Score", -0.067, -0.042},
	} {
		check("FLEXI "+c.name, f.Proxy[slices.Index(f.Proxies, c.name)], f.Y, c.spearman, c.kendall)
	}
	head, cols, loss := loadRNN(t)
	gain := make([]float64, len(loss))
	for i, l := range loss {
		gain[i] = -l
	}
	for _, c := range []struct {
		name              string
		spearman, kendall float64
	}{
		{"Layer 1 Hidden Covariance", 0.524, 0.372}, {"Layer 2 Hidden Covariance", 0.457, 0.314}, {"Layer 3 Hidden Covariance", 0.367, 0.247},
		{"Jacobian Cosine", 0.398, 0.264}, {"Activation Distance", 0.338, 0.223}, {"Synaptic Saliency", -0.183, -0.122},
		{"Jacobian Covariance", 0.005, 0.003},
	} {
		check("RNNLM "+c.name, cols[slices.Index(head, c.name)], gain, c.spearman, c.kendall)
	}
}

// Parameter counts say nothing about recurrent cells. The card's 0.037 and 0.025
// depend on how cells that were counted several times are treated: by name and
// with the last count it is 0.001.
func TestParametersOfCellsSayNothing(t *testing.T) {
	t.Parallel()
	names, cols, loss := loadRNN(t)
	var x, y []float64
	for i, v := range cols[slices.Index(names, "parameters")] {
		if !math.IsNaN(v) {
			x, y = append(x, v), append(y, -loss[i])
		}
	}
	if s := metric.Spearman(x, y); len(x) < 8700 || math.Abs(s) > 0.05 {
		t.Errorf("Spearman %.3f over %d cells, want none over 8,784", s, len(x))
	}
}

// loadRNN returns the training-free metrics of recurrent cells by name, their
// parameters, and test losses.
func loadRNN(tb testing.TB) (names []string, cols [][]float64, loss []float64) {
	tb.Helper()
	head, rows := dataTable(tb, "training-free", "RNN_results.csv.gz")
	_, logs := dataRecords(tb, "training-free", "RNN_results.csv.gz")
	byColumn := make([]string, len(head))
	for name, i := range head {
		byColumn[i] = name
	}
	for i, name := range byColumn {
		switch name {
		case "log name", "perplexity", "bits per word":
			continue
		}
		col := make([]float64, len(rows))
		for k, r := range rows {
			col[k] = r[i]
		}
		if name == "loss" {
			loss = col
			continue
		}
		names, cols = append(names, name), append(cols, col)
	}
	// Some of the file's lines are its head again, or cut short.
	at, lines := dataRecords(tb, "training-free", "RNN_parameters.csv.gz")
	params := map[string]float64{}
	for _, r := range lines {
		if v, err := strconv.ParseFloat(r[len(r)-1], 64); err == nil && len(r) == len(at) {
			params[r[0]] = v
		}
	}
	col := make([]float64, len(rows))
	for k, r := range logs {
		v, ok := params[r[0]]
		if !ok {
			v = math.NaN()
		}
		col[k] = v
	}
	return append(names, "parameters"), append(cols, col), loss
}
