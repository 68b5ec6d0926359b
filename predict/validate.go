package predict

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/daedalus-search/daedalus/internal/detmath"
	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/metric"
)

// A Quality says how well predictions meet the truth.
type Quality struct {
	Rows         int
	RMSE         float64
	RelativeRMSE float64 // RMSE as a share of the mean absolute target, as in ArchGym
	MAE          float64
	R2           float64 // 1 less the squared error as a share of that of the mean; NaN for a constant target
	Spearman     float64
	Kendall      float64 // τ-b
	Precision    float64 // share of the K with the smallest predictions that are among the K smallest targets
	K            int
	// NLL is the mean negative log-likelihood of the targets under normal
	// distributions, and Coverage the share of targets within 1.645 standard
	// deviations, which should be 0.9; both NaN where no deviation is known.
	NLL, Coverage float64
}

// String says the most important in one line.
func (q Quality) String() string {
	return fmt.Sprintf("RMSE %.4g (%.2f %%), R² %.3f, Spearman %.3f, Kendall %.3f, precision@%d %.2f, %d rows",
		q.RMSE, 100*q.RelativeRMSE, q.R2, q.Spearman, q.Kendall, q.K, q.Precision, q.Rows)
}

// Assess compares predictions with the truth. sd may be nil. The K of
// [Quality.Precision] is k, or a tenth of the rows if that is 0. Predictions that
// are not finite are taken as the mean of the target, and as the largest for
// ranks.
func Assess(mean, sd, actual []float64, k int) Quality {
	n := len(actual)
	q := Quality{Rows: n, K: k}
	if k <= 0 {
		q.K = max(1, (n+5)/10)
	}
	q.K = min(q.K, n)
	if n == 0 {
		return q
	}
	center, size := 0.0, 0.0
	for _, y := range actual {
		center += y / float64(n)
		size += math.Abs(y) / float64(n)
	}
	var square, abs, total float64
	lo, lp := make([]float64, n), make([]float64, n)
	ranked := slices.Clone(mean)
	known, inside, nll := 0, 0, 0.0
	for i, y := range actual {
		m := mean[i]
		if m-m != 0 {
			m, ranked[i] = center, math.MaxFloat64
		}
		e := y - m
		square += float64(e * e)
		abs += math.Abs(e)
		total += float64((y - center) * (y - center))
		lo[i], lp[i] = -y, -ranked[i]
		if sd == nil || !(sd[i] >= 0) {
			continue
		}
		known++
		s := max(sd[i], 1e-300)
		if math.Abs(e) <= 1.6448536269514722*s {
			inside++
		}
		z := e / s
		nll += float64(0.5*float64(z*z)) + detmath.Log(s) + 0.9189385332046727 // ½ log 2π
	}
	q.RMSE = math.Sqrt(square / float64(n))
	q.RelativeRMSE = q.RMSE / size
	q.MAE = abs / float64(n)
	q.R2 = math.NaN()
	if total > 0 {
		q.R2 = 1 - square/total
	}
	q.Spearman, q.Kendall = metric.Spearman(ranked, actual), metric.Kendall(ranked, actual)
	q.Precision = metric.PrecisionAtK(lp, lo, q.K)
	q.NLL, q.Coverage = math.NaN(), math.NaN()
	if known > 0 {
		q.NLL, q.Coverage = nll/float64(known), float64(inside)/float64(known)
	}
	return q
}

// A Validation is the outcome of [CrossValidate].
type Validation struct {
	Quality  // of all rows, each predicted by the model that did not see it
	Mean, SD []float64
	Fold     []int     // of each row
	Folds    []Quality // of each fold
}

// CrossValidate fits a learner to all folds but one, predicts that one, and so
// for each fold in turn. Rows that are equal in all columns go to the same fold,
// so that no row is predicted from itself, unless all rows are equal. folds is cut to the number of
// different rows; 0 means 5.
func CrossValidate(ctx context.Context, l Learner, t *Table, folds int, seed uint64) (*Validation, error) {
	if err := treeCheck(ctx, t); err != nil {
		return nil, err
	}
	v := &Validation{Mean: make([]float64, t.Rows()), SD: make([]float64, t.Rows())}
	_, err := crossFit(ctx, l, t, folds, seed, v)
	if err != nil {
		return nil, err
	}
	v.Quality = Assess(v.Mean, v.SD, t.Y, 0)
	for f := range v.Folds {
		var mean, sd, y []float64
		for i, g := range v.Fold {
			if g == f {
				mean, sd, y = append(mean, v.Mean[i]), append(sd, v.SD[i]), append(y, t.Y[i])
			}
		}
		v.Folds[f] = Assess(mean, sd, y, 0)
	}
	return v, nil
}

// crossFit returns the models of the folds and fills in the predictions of v.
func crossFit(ctx context.Context, l Learner, t *Table, folds int, seed uint64, v *Validation) ([]Model, error) {
	v.Fold, folds = validateFolds(t, folds, seed)
	if folds < 2 {
		return nil, fmt.Errorf("predict: cross-validation of %d rows in %d folds; expected at least 2", t.Rows(), folds)
	}
	v.Folds = make([]Quality, folds)
	models := make([]Model, folds)
	d := len(t.Columns)
	for f := range folds {
		var in, out []int
		for i, g := range v.Fold {
			if g == f {
				out = append(out, i)
			} else {
				in = append(in, i)
			}
		}
		m, err := l.Fit(ctx, t.Select(in), seed+uint64(f))
		if err != nil {
			return nil, fmt.Errorf("predict: fold %d of %d: %w", f+1, folds, err)
		}
		models[f] = m
		held := t.Select(out)
		mean, sd := make([]float64, len(out)), make([]float64, len(out))
		m.Predict(held.X[:len(out)*d], mean, sd)
		for k, i := range out {
			v.Mean[i], v.SD[i] = mean[k], sd[k]
		}
	}
	return models, nil
}

// validateFolds gives each row a fold, equal rows the same one.
func validateFolds(t *Table, folds int, seed uint64) ([]int, int) {
	group := map[string]int{}
	of := make([]int, t.Rows())
	var key []byte
	for i := range of {
		key = key[:0]
		for _, x := range t.Row(i) {
			if x != x {
				x = math.NaN()
			}
			key = binary.LittleEndian.AppendUint64(key, math.Float64bits(x+0))
		}
		g, ok := group[string(key)]
		if !ok {
			g = len(group)
			group[string(key)] = g
		}
		of[i] = g
	}
	if folds <= 0 {
		folds = 5
	}
	groups := len(group)
	if groups == 1 {
		groups = len(of)
		for i := range of {
			of[i] = i
		}
	}
	folds = min(folds, groups)
	place := rng.New(seed, "predict/folds", 0).Perm(groups)
	for i := range of {
		of[i] = place[of[i]] % folds
	}
	return of, folds
}
