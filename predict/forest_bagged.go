package predict

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/daedalus-search/daedalus/internal/rng"
)

// Bagged is an ensemble of models of one method, each fitted to its own share of
// the rows (Breiman, "Bagging predictors", 1996). With μₖ and σₖ the predictions
// of the members it predicts the moments of their mixture,
//
//	mean = mean μₖ    variance = variance of μₖ + mean σₖ²
//
// It gives methods without a standard deviation, such as [Boosted], one: where a
// member does not know its σ, the noise stands for it, which is by how much rows
// miss the mean of the members that did not see them, beyond what these differ
// among themselves.
//
// The zero value is ready to use with the defaults given on each field.
type Bagged struct {
	// Learner is the method of the members; nil means [Boosted]{}.
	Learner Learner `yaml:"-"`
	// Members is how many models there are; 0 means 10.
	Members int `yaml:"members" min:"0" max:"10000" doc:"models; 0 means 10"`
	// RowShare and ColumnShare are the shares that each member sees, drawn
	// without replacement; 0 means 0.8 of the rows and all columns.
	RowShare    float64 `yaml:"row_share" min:"0" max:"1" doc:"share of the rows that each model sees; 0 means 0.8"`
	ColumnShare float64 `yaml:"column_share" min:"0" max:"1" doc:"share of the columns that each model sees; 0 means all"`
	// Bootstrap draws rows with replacement.
	Bootstrap bool `yaml:"bootstrap" doc:"draw rows with replacement"`
}

// BaggedModel is a model of [Bagged].
type BaggedModel struct {
	members []Model
	columns [][]int // of each member; nil for all
	width   int     // columns of a row
	noise   float64 // variance for members that do not know theirs
}

// Fit implements [Learner]. The model is a [*BaggedModel]. Members are fitted
// side by side on all cores.
func (o Bagged) Fit(ctx context.Context, t *Table, seed uint64) (Model, error) {
	if err := treeCheck(ctx, t); err != nil {
		return nil, err
	}
	if o.Learner == nil {
		o.Learner = Boosted{}
	}
	if o.Members == 0 {
		o.Members = 10
	}
	if o.RowShare == 0 {
		o.RowShare = 0.8
	}
	if o.ColumnShare == 0 {
		o.ColumnShare = 1
	}
	switch {
	case o.Members < 1 || o.Members > 10_000:
		return nil, fmt.Errorf("predict: bagged: %d members; expected 1 to 10000", o.Members)
	case !(o.RowShare > 0 && o.RowShare <= 1):
		return nil, fmt.Errorf("predict: bagged: row_share is %v; expected above 0 to 1", o.RowShare)
	case !(o.ColumnShare > 0 && o.ColumnShare <= 1):
		return nil, fmt.Errorf("predict: bagged: column_share is %v; expected above 0 to 1", o.ColumnShare)
	}
	n, d := t.Rows(), len(t.Columns)
	rows := max(1, int(math.Floor(float64(o.RowShare*float64(n))+0.5)))
	cols := max(1, int(math.Floor(float64(o.ColumnShare*float64(d))+0.5)))
	m := &BaggedModel{members: make([]Model, o.Members), columns: make([][]int, o.Members), width: d}
	errs := make([]error, o.Members)
	picks := make([][]int, o.Members)
	pool := newTreePool()
	defer pool.close()
	pool.each(o.Members, func(_, k int) {
		if errs[k] = ctx.Err(); errs[k] != nil {
			return
		}
		r := rng.New(seed, "predict/bagged", uint64(k))
		var pick []int
		if o.Bootstrap {
			for range rows {
				pick = append(pick, r.IntN(n))
			}
		} else {
			pick = r.Perm(n)[:rows]
		}
		slices.Sort(pick)
		picks[k] = pick
		in := t.Select(pick)
		if cols < d {
			m.columns[k] = r.Perm(d)[:cols]
			slices.Sort(m.columns[k])
			in = in.narrow(m.columns[k])
		}
		m.members[k], errs[k] = o.Learner.Fit(ctx, in, r.Uint64())
	})
	if err := errors.Join(errs...); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, err
	}
	m.noise = m.unseen(t, picks)
	return m, nil
}

// unseen is the noise: over the rows that k ≥ 2 members did not see, the mean
// square by which the mean of these misses, less what it owes to their variance
// s², which is s²/k.
func (m *BaggedModel) unseen(t *Table, picks [][]int) float64 {
	n := t.Rows()
	sum, square, count := make([]float64, n), make([]float64, n), make([]float64, n)
	for k, pick := range picks {
		var rows []int
		next := 0
		for i := range n {
			for next < len(pick) && pick[next] < i {
				next++
			}
			if next == len(pick) || pick[next] != i {
				rows = append(rows, i)
			}
		}
		if len(rows) == 0 {
			continue
		}
		mean := make([]float64, len(rows))
		m.PredictMember(k, t.Select(rows).X, mean, nil)
		for j, i := range rows {
			e := mean[j] - t.Y[i]
			sum[i] += e
			square[i] += float64(e * e)
			count[i]++
		}
	}
	noise, weight := 0.0, 0.0
	for i, k := range count {
		if k < 2 {
			continue
		}
		w := 1.0
		if t.Weight != nil {
			w = t.Weight[i]
		}
		e := sum[i] / k
		spread := max(square[i]/k-float64(e*e), 0) / (k - 1) // s²/k
		noise += float64(w * (float64(e*e) - spread))
		weight += w
	}
	if weight == 0 || !(noise > 0) {
		return 0
	}
	return noise / weight
}

// narrow returns a table of some columns.
func (t *Table) narrow(columns []int) *Table {
	out := &Table{Y: t.Y, Weight: t.Weight}
	for _, j := range columns {
		out.Columns = append(out.Columns, t.Columns[j])
	}
	out.X = narrowRows(t.X, len(t.Columns), columns)
	return out
}

func narrowRows(x []float64, width int, columns []int) []float64 {
	out := make([]float64, 0, len(x)/width*len(columns))
	for i := 0; i < len(x); i += width {
		for _, j := range columns {
			out = append(out, x[i+j])
		}
	}
	return out
}

// Members returns how many models there are.
func (m *BaggedModel) Members() int { return len(m.members) }

// PredictMember predicts as one of the models does, for methods that draw one
// (Thompson sampling).
func (m *BaggedModel) PredictMember(k int, rows, mean, sd []float64) {
	if m.columns[k] != nil {
		rows = narrowRows(rows, m.width, m.columns[k])
	}
	m.members[k].Predict(rows, mean, sd)
}

// Predict implements [Model].
func (m *BaggedModel) Predict(rows, mean, sd []float64) {
	n := len(rows) / m.width
	means := make([]float64, n*len(m.members))
	var sds []float64
	if sd != nil {
		sds = make([]float64, len(means))
	}
	for k := range m.members {
		var s []float64
		if sds != nil {
			s = sds[k*n : (k+1)*n]
		}
		m.PredictMember(k, rows, means[k*n:(k+1)*n], s)
	}
	count := float64(len(m.members))
	for i := range n {
		sum, inner, square := 0.0, 0.0, 0.0
		for k := range m.members {
			sum += means[k*n+i]
		}
		mean[i] = sum / count
		if sd == nil {
			continue
		}
		for k := range m.members {
			if s := sds[k*n+i]; s == s {
				inner += float64(s * s)
			} else {
				inner += m.noise
			}
			e := means[k*n+i] - mean[i]
			square += float64(e * e)
		}
		sd[i] = math.Sqrt((square + inner) / count)
	}
}

func (m *BaggedModel) columnCount() int { return m.width }

func (m *BaggedModel) saveKind() string { return "bagged" }

func (m *BaggedModel) save(w *saveWriter) {
	w.uint(uint64(m.width))
	w.float(m.noise)
	w.uint(uint64(len(m.members)))
	for k, x := range m.members {
		w.ints(m.columns[k])
		w.model(x)
	}
}

func readBagged(r *saveReader, _ uint64) Model {
	m := &BaggedModel{width: int(r.uint() & math.MaxInt32), noise: r.finite()}
	r.check(m.noise >= 0, "noise below 0", "0 or more")
	n := r.count(4)
	r.check(n > 0 && m.width > 0, "no members or columns", "both")
	for range n {
		columns := r.ints()
		if len(columns) == 0 {
			columns = nil
		}
		for _, j := range columns {
			r.check(j >= 0 && j < m.width, fmt.Sprintf("column %d", j), fmt.Sprintf("one of %d", m.width))
		}
		x := r.model()
		if columns != nil {
			r.wide(x, len(columns))
		} else {
			r.wide(x, m.width)
		}
		if r.err != nil {
			return nil
		}
		m.members, m.columns = append(m.members, x), append(m.columns, columns)
	}
	return m
}
