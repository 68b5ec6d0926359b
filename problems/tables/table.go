package tables

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/daedalus-search/daedalus/internal/source"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/problems/internal/columns"
	"github.com/daedalus-search/daedalus/space"
)

//go:generate go run ./gen -out data

//go:embed data/*.bin
var packed embed.FS

var opened sync.Map // name → func() (*columns.File, error)

// open returns an embedded table.
func open(name string) (*columns.File, error) {
	once, _ := opened.LoadOrStore(name, sync.OnceValues(func() (*columns.File, error) {
		file, err := packed.ReadFile("data/" + name + ".bin")
		if err != nil {
			return nil, err
		}
		return columns.Open(file)
	}))
	f, err := once.(func() (*columns.File, error))()
	if err != nil {
		return nil, fmt.Errorf("tables: the embedded table %s: %w", name, err)
	}
	return f, nil
}

// load returns columns of an embedded table.
func load(name string, list ...string) ([][]float64, error) {
	f, err := open(name)
	if err != nil {
		return nil, err
	}
	out := make([][]float64, len(list))
	for i, c := range list {
		if out[i], err = f.Column(c); err != nil {
			return nil, fmt.Errorf("tables: the embedded table %s: %w", name, err)
		}
	}
	return out, nil
}

// scaled returns a column times a factor.
func scaled(column []float64, factor float64) []float64 {
	out := slices.Clone(column)
	for i := range out {
		out[i] *= factor
	}
	return out
}

// Problem looks designs up. It is safe for concurrent use.
type Problem struct {
	name    string
	space   *space.Space
	metrics []metric.Metric
	verify  []metric.Metric
	values  [][]float64 // of each metric, then of those of verify: by row

	// row returns where a design stands, given its decisions; below 0 if it was
	// not measured, which is what missing says then.
	row     func(a []space.Answer) int
	missing string
	skip    func(row int) bool // rows that count as not measured; nil means none

	answers sync.Pool // *[]space.Answer
}

// Same is a table in which several designs stand for one measurement.
type Same struct{ *Problem }

// Judged is a table that has better measurements than a search may see.
type Judged struct{ *Problem }

// Classes is a table in which many designs compute the same and were measured
// together.
type Classes struct{ Judged }

var (
	_ problem.Batcher   = (*Problem)(nil)
	_ problem.Optimum   = (*Problem)(nil)
	_ problem.Describer = (*Problem)(nil)
	_ problem.Verifier  = Judged{}
	_ problem.Canonical = Classes{}
)

func (p *Problem) init() *Problem {
	p.answers.New = func() any { return new([]space.Answer) }
	return p
}

// Space returns what may be built.
func (p *Problem) Space() *space.Space { return p.space }

// Metrics returns what the table says of a design.
func (p *Problem) Metrics() []metric.Metric { return slices.Clone(p.metrics) }

// Describe says what one evaluation is.
func (p *Problem) Describe() string { return "looks up " + p.name }

// find returns the row of a design of this problem's space, or of a space whose
// designs have the same form.
func (p *Problem) find(d space.Design) (int, error) {
	if d.Space() != p.space {
		own, err := p.space.FromMap(d.Map())
		if err != nil {
			return 0, &problem.EvalError{Class: problem.ClassPermanent, Err: fmt.Errorf("tables: the design belongs to another space: %w", err)}
		}
		d = own
	}
	buf := p.answers.Get().(*[]space.Answer)
	defer p.answers.Put(buf)
	*buf = d.Decisions((*buf)[:0])
	row := p.row(*buf)
	if row < 0 || p.skip != nil && p.skip(row) {
		return row, &problem.InfeasibleError{Reason: p.missing}
	}
	return row, nil
}

func (p *Problem) at(row, from, to int) metric.Values {
	v := make(metric.Values, to-from)
	for i := from; i < to; i++ {
		name := ""
		if i < len(p.metrics) {
			name = p.metrics[i].Name
		} else {
			name = p.verify[i-len(p.metrics)].Name
		}
		v[name] = p.values[i][row]
	}
	return v
}

// Evaluate looks one design up.
func (p *Problem) Evaluate(ctx context.Context, d space.Design, _ problem.Reporter) (metric.Values, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	row, err := p.find(d)
	if err != nil {
		return nil, err
	}
	return p.at(row, 0, len(p.metrics)), nil
}

// EvaluateBatch looks many designs up.
func (p *Problem) EvaluateBatch(ctx context.Context, designs []space.Design, out []problem.Result) {
	for i, d := range designs {
		v, err := p.Evaluate(ctx, d, nil)
		out[i] = problem.Result{Values: v, Err: err}
	}
}

// Optimum returns the values of every row on the true front, found by looking
// at all of them. The goal may speak of what Verify measures too. If no row
// keeps the goal's limits, the front is made of those that miss them least.
func (p *Problem) Optimum(ctx context.Context, goal metric.Goal) ([]metric.Values, error) {
	if err := goal.Check(slices.Concat(p.metrics, p.verify)); err != nil {
		return nil, err
	}
	var front metric.Front[int]
	for row := range p.values[0] {
		if row%1024 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if p.skip != nil && p.skip(row) {
			continue
		}
		front.Add(goal.Score(p.at(row, 0, len(p.values))), row)
	}
	out := make([]metric.Values, 0, front.Len())
	for _, row := range front.All() {
		out = append(out, p.at(row, 0, len(p.values)))
	}
	return out, nil
}

// Column returns a metric of all rows. The slice is shared and must not be
// changed.
func (p *Problem) Column(name string) ([]float64, error) {
	for i, m := range slices.Concat(p.metrics, p.verify) {
		if m.Name == name {
			return p.values[i], nil
		}
	}
	return nil, fmt.Errorf("tables: %s has no metric %q", p.name, name)
}

// VerifyMetrics returns what designs are judged by in the end.
func (p Judged) VerifyMetrics() []metric.Metric { return slices.Clone(p.verify) }

// Verify looks up what a search may not see.
func (p Judged) Verify(ctx context.Context, d space.Design) (metric.Values, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	row, err := p.find(d)
	if err != nil {
		return nil, err
	}
	return p.at(row, len(p.metrics), len(p.values)), nil
}

// Key returns the same string for designs with one measurement.
func (p Same) Key(d space.Design) string { return p.key(d) }

// Key returns the same string for designs that compute the same.
func (p Classes) Key(d space.Design) string { return p.key(d) }

func (p *Problem) key(d space.Design) string {
	row, err := p.find(d)
	var not *problem.InfeasibleError
	if err != nil && !errors.As(err, &not) {
		return err.Error()
	}
	return fmt.Sprintf("row %d", row)
}

// choose checks a word among those allowed; "" means the first.
func choose(what, found string, words []string) (string, error) {
	if found == "" {
		return words[0], nil
	}
	if slices.Contains(words, found) {
		return found, nil
	}
	hint := ""
	if near, ok := source.Nearest(found, words); ok {
		hint = fmt.Sprintf("; did you mean %s?", near)
	}
	return "", fmt.Errorf("tables: %s: found %q, want one of %s%s", what, found, strings.Join(words, ", "), hint)
}
