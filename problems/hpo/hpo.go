package hpo

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/internal/source"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/predict"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/problems/internal/columns"
	"github.com/daedalus-search/daedalus/space"
)

//go:generate go run ./gen -out data

//go:embed data/*.bin
var packed embed.FS

// Options choose a data set. The zero value works.
type Options struct {
	Dataset string `yaml:"dataset" default:"concrete" oneof:"concrete energy power wine yacht" doc:"table: concrete (1,030 rows, strength), energy (768, heating load), power (9,568, output of a plant), wine (1,599, quality), yacht (308, resistance)"` // "" means concrete
	Trees   int    `yaml:"trees" default:"100" min:"10" max:"10000" doc:"trees of a full evaluation"`                                                                                                                                                      // 0 means 100
	Folds   int    `yaml:"folds" default:"3" min:"2" max:"20" doc:"folds of the cross-validation"`                                                                                                                                                         // 0 means 3
	Split   uint64 `yaml:"split" default:"0" doc:"seed by which rows are put aside and into folds"`
}

// sets are the data sets: what the target is, and its unit.
var sets = map[string][2]string{
	"concrete": {"compressive strength of concrete", "MPa"},
	"energy":   {"heating load of a building", "kWh/m²"},
	"power":    {"electrical output of a power plant", "MW"},
	"wine":     {"quality of a red wine", "points"},
	"yacht":    {"resistance of a hull", "N/kN"},
}

// least is the least number of trees that a design is measured with.
const least = 10

// Problem is the search on one data set.
type Problem struct {
	options Options
	space   *space.Space
	unit    string
	train   []*predict.Table // of each fold
	valid   []*predict.Table
	known   *predict.Table // what the search sees in all
	unseen  *predict.Table
}

var (
	_ problem.Graded    = (*Problem)(nil)
	_ problem.Verifier  = (*Problem)(nil)
	_ problem.Describer = (*Problem)(nil)
)

// New makes the problem.
func (o Options) New() (*Problem, error) {
	if o.Dataset == "" {
		o.Dataset = "concrete"
	}
	if o.Trees == 0 {
		o.Trees = 100
	}
	if o.Folds == 0 {
		o.Folds = 3
	}
	about, ok := sets[o.Dataset]
	if !ok {
		names := []string{"concrete", "energy", "power", "wine", "yacht"}
		hint := ""
		if near, ok := source.Nearest(o.Dataset, names); ok {
			hint = fmt.Sprintf("; did you mean %s?", near)
		}
		return nil, fmt.Errorf("hpo: dataset: found %q, want one of %s%s", o.Dataset, strings.Join(names, ", "), hint)
	}
	if o.Trees < least || o.Trees > 10_000 {
		return nil, fmt.Errorf("hpo: trees: found %d, want %d to 10000", o.Trees, least)
	}
	if o.Folds < 2 || o.Folds > 20 {
		return nil, fmt.Errorf("hpo: folds: found %d, want 2 to 20", o.Folds)
	}
	all, err := load(o.Dataset)
	if err != nil {
		return nil, err
	}
	p := &Problem{options: o, space: newSpace(), unit: about[1]}
	order := rng.New(o.Split, "hpo/split", 0).Perm(all.Rows())
	fifth := len(order) / 5
	p.unseen = all.Select(order[:fifth])
	seen := order[fifth:]
	p.known = all.Select(seen)
	for f := range o.Folds {
		var in, out []int
		for i, row := range seen {
			if i%o.Folds == f {
				out = append(out, row)
			} else {
				in = append(in, row)
			}
		}
		p.train, p.valid = append(p.train, all.Select(in)), append(p.valid, all.Select(out))
	}
	return p, nil
}

// load returns a data set; the last column is the target.
func load(name string) (*predict.Table, error) {
	file, err := packed.ReadFile("data/" + name + ".bin")
	if err != nil {
		return nil, fmt.Errorf("hpo: %w", err)
	}
	f, err := columns.Open(file)
	if err != nil {
		return nil, fmt.Errorf("hpo: the embedded table %s: %w", name, err)
	}
	t := &predict.Table{}
	var all [][]float64
	for _, c := range f.Names() {
		v, err := f.Column(c)
		if err != nil {
			return nil, fmt.Errorf("hpo: the embedded table %s: %w", name, err)
		}
		all = append(all, v)
		t.Columns = append(t.Columns, predict.Column{Name: c})
	}
	n := len(all) - 1
	t.Columns = t.Columns[:n]
	row := make([]float64, n)
	for i := range f.Rows() {
		for j := range row {
			row[j] = all[j][i]
		}
		t.Add(row, all[n][i])
	}
	return t, nil
}

func newSpace() *space.Space {
	return space.MustNew(
		space.Float("rate", 0.005, 0.5).Log().Doc("share of each tree that is taken"),
		space.Choice("grow",
			space.Case("leaves", space.Int("leaves", 4, 256).Log()),
			space.Case("depth", space.Int("depth", 2, 12)),
		).Doc("what bounds a tree: its leaves, or the splits above one"),
		space.Int("min_leaf", 1, 64).Log().Doc("least rows in a leaf"),
		space.Float("l2", 1e-3, 100).Log().Doc("rows of value 0 that are added to each leaf"),
		space.Ordinal("bins", 16, 32, 64, 128, 255).Doc("most bins of a column"),
		space.Float("column_share", 0.3, 1).Doc("share of the columns that each tree sees"),
		space.Choice("rows",
			space.Case("all"),
			space.Case("some", space.Float("share", 0.3, 0.95)),
		).Doc("rows that each tree sees"),
		space.Choice("loss",
			space.Case("squared"),
			space.Case("huber", space.Float("inner", 0.5, 0.99).Doc("share of the residuals that are squared")),
		).Doc("what is reduced"),
	)
}

// Space returns nine parameters, four of them conditional.
func (p *Problem) Space() *space.Space { return p.space }

// Metrics returns rmse and splits.
func (p *Problem) Metrics() []metric.Metric {
	return []metric.Metric{
		{Name: "rmse", Unit: p.unit, Direction: metric.Minimize, Doc: "root mean squared error of the " + sets[p.options.Dataset][0] + ", cross-validated"},
		{Name: "splits", Direction: metric.Minimize, Doc: "splits of all trees, mean over the folds: the size of the model"},
	}
}

// Describe says what one evaluation is.
func (p *Problem) Describe() string {
	return fmt.Sprintf("trains %d boosted trees on the %s table, %d times", p.options.Trees, p.options.Dataset, p.options.Folds)
}

// Fidelity returns the number of trees.
func (p *Problem) Fidelity() problem.Fidelity {
	if p.options.Trees <= least {
		return problem.Fidelity{}
	}
	return problem.Fidelity{Name: "trees", Min: least, Max: float64(p.options.Trees), Whole: true}
}

// learner reads a design.
func (p *Problem) learner(d space.Design) (predict.Boosted, error) {
	if d.Space() != p.space { // a part of the space, for example
		own, err := p.space.FromMap(d.Map())
		if err != nil {
			return predict.Boosted{}, &problem.EvalError{Class: problem.ClassPermanent, Err: fmt.Errorf("hpo: the design belongs to another space: %w", err)}
		}
		d = own
	}
	b := predict.Boosted{Leaves: 256}
	for _, a := range d.Decisions(nil) {
		value := a.Real
		if a.Role != space.RoleReal {
			if v, ok := a.Param.Label(a.Index).(float64); ok {
				value = v
			}
		}
		switch a.Param.Name {
		case "rate":
			b.Rate = value
		case "leaves":
			b.Leaves = int(value)
		case "depth":
			b.Depth = int(value)
			b.Leaves = 1 << b.Depth
		case "min_leaf":
			b.MinLeaf = int(value)
		case "l2":
			b.L2 = value
		case "bins":
			b.Bins = int(value)
		case "column_share":
			b.ColumnShare = value
		case "share":
			b.RowShare = value
		case "inner":
			b.Loss, b.Inner = predict.Huber, value
		}
	}
	return b, nil
}

// Evaluate trains all trees.
func (p *Problem) Evaluate(ctx context.Context, d space.Design, r problem.Reporter) (metric.Values, error) {
	return p.EvaluateAt(ctx, d, 1, r)
}

// EvaluateAt trains a share of the trees.
func (p *Problem) EvaluateAt(ctx context.Context, d space.Design, share float64, _ problem.Reporter) (metric.Values, error) {
	b, err := p.learner(d)
	if err != nil {
		return nil, err
	}
	b.Trees = p.options.Trees
	if f := p.Fidelity(); f.Graded() {
		b.Trees = int(f.Amount(share))
	}
	sum, rows, splits := 0.0, 0, 0
	for f := range p.train {
		squares, n, err := p.fit(ctx, b, p.train[f], p.valid[f])
		if err != nil {
			return nil, err
		}
		sum, rows, splits = sum+squares, rows+p.valid[f].Rows(), splits+n
	}
	return metric.Values{"rmse": math.Sqrt(sum / float64(rows)), "splits": float64(splits) / float64(len(p.train))}, nil
}

// fit trains on one table and returns the sum of squared errors on another and
// the splits of the model.
func (p *Problem) fit(ctx context.Context, b predict.Boosted, train, test *predict.Table) (squares float64, splits int, err error) {
	if err := ctx.Err(); err != nil {
		return 0, 0, err
	}
	m, err := b.Fit(ctx, train, 1)
	if err != nil {
		if e := ctx.Err(); e != nil {
			return 0, 0, errors.Join(e, err)
		}
		return 0, 0, err
	}
	mean := make([]float64, test.Rows())
	m.Predict(test.X, mean, nil)
	for i, y := range test.Y {
		squares += float64((mean[i] - y) * (mean[i] - y))
	}
	if trees, ok := m.(*predict.BoostedModel); ok {
		for _, c := range trees.Importance() {
			splits += c.Splits
		}
	}
	return squares, splits, nil
}

// VerifyMetrics returns test_rmse.
func (p *Problem) VerifyMetrics() []metric.Metric {
	return []metric.Metric{{Name: "test_rmse", Unit: p.unit, Direction: metric.Minimize, Doc: "root mean squared error on rows that no evaluation saw"}}
}

// Verify trains on all that the search saw and measures on the rest.
func (p *Problem) Verify(ctx context.Context, d space.Design) (metric.Values, error) {
	b, err := p.learner(d)
	if err != nil {
		return nil, err
	}
	b.Trees = p.options.Trees
	squares, _, err := p.fit(ctx, b, p.known, p.unseen)
	if err != nil {
		return nil, err
	}
	return metric.Values{"test_rmse": math.Sqrt(squares / float64(p.unseen.Rows()))}, nil
}

// Datasets returns the names of the data sets.
func Datasets() []string {
	names := make([]string, 0, len(sets))
	for name := range sets {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
