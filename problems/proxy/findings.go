package proxy

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/space"
)

// Assess implements [problem.Assessor]: what was collected, how well each
// predictor did, what several methods are worth, and how true the front is.
func (p *Problem) Assess(ctx context.Context, front []space.Design) ([]problem.Finding, error) {
	x, err := p.prepared(ctx, func(string, int, int) {})
	if err != nil {
		return nil, err
	}
	out := []problem.Finding{p.collected(x), p.judged(x)}
	if len(x.diversity) > 0 {
		out = append(out, p.diverse(x))
	}
	measured, err := p.measured(ctx, x, front)
	if err != nil {
		return nil, err
	}
	return append(out, measured...), nil
}

func (p *Problem) collected(x *experiment) problem.Finding {
	f := problem.Finding{
		Title: "Collected to learn from",
		Columns: []problem.Column{
			{Name: "method"}, {Name: "measured", Number: true}, {Name: "different", Number: true}, {Name: "infeasible", Number: true},
		},
	}
	for _, o := range p.goal.Objectives {
		c := problem.Column{Name: "best " + o.Metric, Number: true}
		if o.Target != nil {
			c.Name = "best reward of " + o.Metric
		} else if i := metricAt(p.o.Of.Metrics(), o.Metric); i >= 0 {
			c.Unit = p.o.Of.Metrics()[i].Unit
		}
		f.Columns = append(f.Columns, c)
	}
	for _, c := range x.sources {
		row := []string{c.name, strconv.Itoa(c.asked), strconv.Itoa(len(c.samples)), strconv.Itoa(c.infeasible)}
		for k, o := range p.goal.Objectives {
			v := c.best[k]
			if o.Target != nil || o.Direction == metric.Maximize {
				v = -v
			}
			row = append(row, number(v))
		}
		f.Rows = append(f.Rows, row)
	}
	return f
}

func metricAt(ms []metric.Metric, name string) int {
	for i, m := range ms {
		if m.Name == name {
			return i
		}
	}
	return -1
}

func (p *Problem) judged(x *experiment) problem.Finding {
	f := problem.Finding{
		Title: "How well each metric is predicted",
		Columns: []problem.Column{
			{Name: "metric"}, {Name: "predictor"},
			{Name: "error, random", Unit: "%", Number: true}, {Name: "error, collected", Unit: "%", Number: true},
			{Name: "Spearman", Number: true}, {Name: "Kendall", Number: true},
		},
	}
	timed := p.o.Clock != nil
	if timed {
		f.Columns = append(f.Columns, problem.Column{Name: "a call", Unit: "µs", Number: true}, problem.Column{Name: "faster", Unit: "×", Number: true})
	}
	var slowest time.Duration
	for k, m := range p.metrics {
		for _, t := range x.trials[k] {
			name := t.name
			if name == x.chosen[k].name {
				name += " *"
				slowest = max(slowest, t.call)
			}
			row := []string{m.Name, name, percent(t.random.RelativeRMSE), percent(t.pooled.RelativeRMSE), fixed(t.random.Spearman, 4), fixed(t.random.Kendall, 4)}
			if timed {
				row = append(row, fixed(micros(t.call), 1), fmt.Sprintf("%.3g", float64(x.simulate)/float64(max(t.call, 1))))
			}
			f.Rows = append(f.Rows, row)
		}
	}
	f.Notes = append(f.Notes,
		fmt.Sprintf("Errors are root mean squares as shares of the mean: on %d random designs, and on collected ones, none of them learned from; Spearman and Kendall are of the former. * is searched: the least error on other collected designs.", len(x.random)))
	if timed {
		all := x.simulate / time.Duration(max(len(p.metrics), 1))
		note := fmt.Sprintf("A measurement takes %s on one core, all metrics together; %d of them and the learning took %s.", micro(x.simulate), x.measured, (x.collect + x.train).Round(100*time.Millisecond))
		if slowest < all {
			note += fmt.Sprintf(" The proxy is worth that once about %s designs are looked at.", number(worth(x, time.Duration(len(p.metrics))*slowest)))
		} else {
			note += " The proxy is no faster than that."
		}
		f.Notes = append(f.Notes, note)
	}
	return f
}

// worth returns after how many designs the proxy has earned what it took, with
// what was measured counted by its time on one core.
func worth(x *experiment, call time.Duration) float64 {
	cost := float64(x.simulate)*float64(x.measured) + float64(x.train)
	return math.Ceil(cost / float64(x.simulate-call))
}

func (p *Problem) diverse(x *experiment) problem.Finding {
	f := problem.Finding{
		Title:   "What it is worth to learn from several methods",
		Columns: []problem.Column{{Name: "learned from"}, {Name: "designs", Number: true}},
		Notes:   []string{"Errors as above, of the predictor that is searched, by what it learned from."},
	}
	for _, m := range p.metrics {
		f.Columns = append(f.Columns,
			problem.Column{Name: m.Name + ", random", Unit: "%", Number: true},
			problem.Column{Name: m.Name + ", collected", Unit: "%", Number: true})
	}
	for _, l := range x.diversity {
		row := []string{l.from, strconv.Itoa(l.designs)}
		for k := range p.metrics {
			row = append(row, percent(l.random[k]), percent(l.pooled[k]))
		}
		f.Rows = append(f.Rows, row)
	}
	return f
}

// measured compares the front as it was predicted with the truth.
func (p *Problem) measured(ctx context.Context, x *experiment, front []space.Design) ([]problem.Finding, error) {
	if len(front) == 0 {
		return nil, nil
	}
	told := make([]problem.Result, len(front))
	if err := p.predict(x.chosen, front, told); err != nil {
		return nil, err
	}
	f := problem.Finding{
		Title:   "The front, measured",
		Columns: []problem.Column{{Name: "metric"}, {Name: "mean error", Unit: "%", Number: true}, {Name: "largest error", Unit: "%", Number: true}, {Name: "bias", Unit: "%", Number: true}},
	}
	n, gone := 0, 0
	sum, bias, most := make([]float64, len(p.metrics)), make([]float64, len(p.metrics)), make([]float64, len(p.metrics))
	for i, d := range front {
		v, err := p.o.Of.Evaluate(ctx, d, nil)
		row, ok := p.row(problem.Result{Values: v, Err: err})
		if !ok {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			gone++
			continue
		}
		n++
		for k, y := range row {
			e := (told[i].Values[p.metrics[k].Name] - y) / math.Abs(y)
			if y == 0 {
				e = 0
			}
			sum[k] += math.Abs(e)
			bias[k] += e
			most[k] = max(most[k], math.Abs(e))
		}
	}
	for k, m := range p.metrics {
		if n > 0 {
			f.Rows = append(f.Rows, []string{m.Name, percent(sum[k] / float64(n)), percent(most[k]), percent(bias[k] / float64(n))})
		}
	}
	f.Notes = []string{fmt.Sprintf("%d designs of the front were measured. Errors are of single predictions, as shares of what was measured; the bias is their mean with its sign, above 0 where too much is predicted.", n)}
	if gone > 0 {
		f.Notes = append(f.Notes, fmt.Sprintf("%d more turned out to be infeasible.", gone))
	}
	return []problem.Finding{f}, nil
}

func percent(share float64) string { return fixed(100*share, 3) }

func fixed(x float64, digits int) string {
	if x-x != 0 {
		return "–"
	}
	return strconv.FormatFloat(x, 'f', digits, 64)
}

func number(x float64) string {
	if x-x != 0 {
		return "–"
	}
	return strconv.FormatFloat(x, 'g', 6, 64)
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func micro(d time.Duration) string { return fixed(micros(d), 1) + " µs" }
