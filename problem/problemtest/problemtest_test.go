package problemtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/space"
)

// toy is a correct problem that each case below breaks in one way.
type toy struct {
	space    func() *space.Space
	metrics  func() []metric.Metric
	evaluate func(context.Context, space.Design, problem.Reporter) (metric.Values, error)
	batch    func([]space.Design, []problem.Result)
	optimum  func(metric.Goal) ([]metric.Values, error)
	formats  []string
	svg      string
	describe string
	key      func(space.Design) string
}

func newToy() *toy {
	s := space.MustNew(space.Int("x", 0, 9), space.Bool("flip"))
	t := &toy{formats: []string{"text"}, svg: "<svg/>", describe: "squares x"}
	t.space = func() *space.Space { return s }
	t.metrics = func() []metric.Metric {
		return []metric.Metric{{Name: "y", Unit: "s", Direction: metric.Minimize}}
	}
	t.evaluate = func(ctx context.Context, d space.Design, r problem.Reporter) (metric.Values, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var in struct {
			X    float64
			Flip *bool
		}
		if err := d.Decode(&in); err != nil {
			return nil, err
		}
		if in.Flip == nil {
			return nil, errors.New("no flip")
		}
		for step := range int64(3) {
			if r == nil {
				break
			}
			if err := r.Report(step+1, metric.Values{"y": 1}); err != nil {
				return nil, err
			}
		}
		return metric.Values{"y": in.X * in.X}, nil
	}
	t.batch = func(ds []space.Design, out []problem.Result) {
		for i, d := range ds {
			v, err := t.evaluate(context.Background(), d, nil)
			out[i] = problem.Result{Values: v, Err: err}
		}
	}
	t.optimum = func(g metric.Goal) ([]metric.Values, error) {
		if err := g.Check(t.metrics()); err != nil {
			return nil, err
		}
		return []metric.Values{{"y": 0}}, nil
	}
	t.key = func(d space.Design) string { return fmt.Sprint(d.Map()["x"]) }
	return t
}

func (t *toy) Space() *space.Space      { return t.space() }
func (t *toy) Metrics() []metric.Metric { return t.metrics() }
func (t *toy) Describe() string         { return t.describe }
func (t *toy) Formats() []string        { return t.formats }
func (t *toy) Key(d space.Design) string {
	return t.key(d)
}

func (t *toy) Evaluate(ctx context.Context, d space.Design, r problem.Reporter) (metric.Values, error) {
	return t.evaluate(ctx, d, r)
}

func (t *toy) EvaluateBatch(_ context.Context, ds []space.Design, out []problem.Result) {
	t.batch(ds, out)
}

func (t *toy) Optimum(_ context.Context, g metric.Goal) ([]metric.Values, error) { return t.optimum(g) }

func (t *toy) Draw(w io.Writer, _ space.Design) error {
	_, err := io.WriteString(w, t.svg)
	return err
}

func (t *toy) Export(w io.Writer, d space.Design, format string) error {
	if format != "text" {
		return errors.New("unknown format")
	}
	_, err := io.WriteString(w, d.String())
	return err
}

func TestRun(t *testing.T) {
	t.Parallel()
	Run(t, newToy())
}

// Every law is noticed when it is broken.
func TestCheckFindsBrokenLaws(t *testing.T) {
	t.Parallel()
	type evaluate = func(context.Context, space.Design, problem.Reporter) (metric.Values, error)
	wrap := func(f func(good evaluate) evaluate) func(*toy) {
		return func(p *toy) { p.evaluate = f(p.evaluate) }
	}
	for name, c := range map[string]struct {
		spoil func(*toy)
		want  string
	}{
		"space changes": {func(p *toy) {
			p.space = func() *space.Space { return space.MustNew(space.Int("x", 0, 9), space.Bool("flip")) }
		}, "another space"},
		"no space":     {func(p *toy) { p.space = func() *space.Space { return nil } }, "Space returns nil"},
		"no metrics":   {func(p *toy) { p.metrics = func() []metric.Metric { return nil } }, "returns nothing"},
		"metric twice": {func(p *toy) { m := p.metrics()[0]; p.metrics = func() []metric.Metric { return []metric.Metric{m, m} } }, "occurs again"},
		"metric name":  {func(p *toy) { p.metrics = func() []metric.Metric { return []metric.Metric{{Name: "a b"}} } }, "has a space"},
		"missing value": {wrap(func(evaluate) evaluate {
			return func(context.Context, space.Design, problem.Reporter) (metric.Values, error) {
				return metric.Values{}, nil
			}
		}), "want a number"},
		"undeclared value": {wrap(func(evaluate) evaluate {
			return func(context.Context, space.Design, problem.Reporter) (metric.Values, error) {
				return metric.Values{"y": 1, "z": 1}, nil
			}
		}), "not declared"},
		"NaN": {wrap(func(evaluate) evaluate {
			return func(context.Context, space.Design, problem.Reporter) (metric.Values, error) {
				return metric.Values{"y": math.NaN()}, nil
			}
		}), "want a number"},
		"no reason": {wrap(func(evaluate) evaluate {
			return func(context.Context, space.Design, problem.Reporter) (metric.Values, error) {
				return nil, &problem.InfeasibleError{}
			}
		}), "for no reason"},
		"fails": {wrap(func(evaluate) evaluate {
			return func(context.Context, space.Design, problem.Reporter) (metric.Values, error) {
				return nil, errors.New("broken")
			}
		}), "broken"},
		"panics": {wrap(func(evaluate) evaluate {
			return func(context.Context, space.Design, problem.Reporter) (metric.Values, error) { panic("ouch") }
		}), "ouch"},
		"noise": {func(p *toy) {
			var n atomic.Int64
			p.evaluate = func(context.Context, space.Design, problem.Reporter) (metric.Values, error) {
				return metric.Values{"y": float64(n.Add(1))}, nil
			}
		}, "noisy"},
		"takes anything": {wrap(func(evaluate) evaluate {
			return func(context.Context, space.Design, problem.Reporter) (metric.Values, error) {
				return metric.Values{"y": 1}, nil
			}
		}), "zero design"},
		"ignores pruning": {wrap(func(good evaluate) evaluate {
			return func(ctx context.Context, d space.Design, r problem.Reporter) (metric.Values, error) {
				if r != nil {
					_ = r.Report(1, nil)
				}
				return good(ctx, d, nil)
			}
		}), "ErrPruned"},
		"steps fall": {wrap(func(good evaluate) evaluate {
			return func(ctx context.Context, d space.Design, r problem.Reporter) (metric.Values, error) {
				if r != nil {
					_ = r.Report(7, nil)
				}
				return good(ctx, d, r)
			}
		}), "rising numbers"},
		"batch differs": {func(p *toy) {
			p.batch = func(ds []space.Design, out []problem.Result) {
				for i := range ds {
					out[i].Values = metric.Values{"y": -1}
				}
			}
		}, "EvaluateBatch of"},
		"batch is lazy":  {func(p *toy) { p.batch = func([]space.Design, []problem.Result) {} }, "empty"},
		"key too coarse": {func(p *toy) { p.key = func(space.Design) string { return "" } }, "have the key"},
		"optimum beaten": {func(p *toy) {
			p.optimum = func(g metric.Goal) ([]metric.Values, error) { return []metric.Values{{"y": 50}}, g.Check(p.metrics()) }
		}, "dominates"},
		"optimum mixed": {func(p *toy) {
			p.optimum = func(g metric.Goal) ([]metric.Values, error) {
				return []metric.Values{{"y": 0}, {"y": 1}}, g.Check(p.metrics())
			}
		}, "first dominates"},
		"optimum unknown": {func(p *toy) {
			p.optimum = func(metric.Goal) ([]metric.Values, error) { return []metric.Values{{"y": 0}}, nil }
		}, "does not exist"},
		"formats twice": {func(p *toy) { p.formats = []string{"text", "text"} }, "occur once"},
		"format lies":   {func(p *toy) { p.formats = []string{"text", "onnx"} }, "Export as onnx"},
		"not an svg":    {func(p *toy) { p.svg = "<html/>" }, "want <svg>"},
		"not xml":       {func(p *toy) { p.svg = "<svg>" }, "not XML"},
		"two lines":     {func(p *toy) { p.describe = "a\nb" }, "one line"},
	} {
		p := newToy()
		c.spoil(p)
		err := Check(t.Context(), p)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: Check = %v, want %q", name, err, c.want)
		}
	}
}

// gradedToy is a toy that can be measured with less effort.
type gradedToy struct {
	*toy
	fidelity problem.Fidelity
	at       func(space.Design, float64, problem.Reporter) (metric.Values, error)
	resume   func(space.Design, float64, float64, problem.Reporter) (metric.Values, error)
	estimate func(space.Design) (metric.Values, error)
}

func newGradedToy() *gradedToy {
	g := &gradedToy{toy: newToy(), fidelity: problem.Fidelity{Name: "steps", Min: 1, Max: 3, Whole: true, Resumes: true}}
	g.resume = func(d space.Design, from, share float64, r problem.Reporter) (metric.Values, error) {
		v, err := g.evaluate(context.Background(), d, nil)
		end := g.fidelity.Amount(share)
		first := int64(1)
		if from > 0 {
			first = int64(g.fidelity.Amount(from)) + 1
		}
		for s := first; r != nil && s <= int64(end); s++ {
			if err := r.Report(s, metric.Values{"y": 1}); err != nil {
				return nil, err
			}
		}
		if err == nil {
			v["y"] += 3 - end
		}
		return v, err
	}
	g.at = func(d space.Design, share float64, r problem.Reporter) (metric.Values, error) {
		return g.resume(d, 0, share, r)
	}
	g.estimate = func(d space.Design) (metric.Values, error) { return g.evaluate(context.Background(), d, nil) }
	return g
}

func (g *gradedToy) Fidelity() problem.Fidelity { return g.fidelity }
func (g *gradedToy) Estimates() []string        { return []string{"y"} }
func (g *gradedToy) EvaluateAt(_ context.Context, d space.Design, share float64, r problem.Reporter) (metric.Values, error) {
	return g.at(d, share, r)
}

func (g *gradedToy) Resume(_ context.Context, d space.Design, from, share float64, r problem.Reporter) (metric.Values, error) {
	return g.resume(d, from, share, r)
}
func (g *gradedToy) Estimate(d space.Design) (metric.Values, error) { return g.estimate(d) }

func TestRunGraded(t *testing.T) {
	t.Parallel()
	Run(t, newGradedToy())
}

func TestCheckFindsBrokenFidelities(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(*gradedToy)
		want  string
	}{
		"range":        {func(g *gradedToy) { g.fidelity.Min = 4 }, "more than the least"},
		"no name":      {func(g *gradedToy) { g.fidelity.Name = "" }, "counted in"},
		"half an step": {func(g *gradedToy) { g.fidelity.Min = 0.5 }, "a whole number"},
		"levels":       {func(g *gradedToy) { g.fidelity.Levels = []float64{2, 1, 3} }, "rising"},
		"full differs": {func(g *gradedToy) {
			g.at = func(space.Design, float64, problem.Reporter) (metric.Values, error) {
				return metric.Values{"y": -1}, nil
			}
		}, "EvaluateAt(1)"},
		"resume differs": {func(g *gradedToy) {
			good := g.resume
			g.resume = func(d space.Design, from, share float64, r problem.Reporter) (metric.Values, error) {
				v, err := good(d, from, share, r)
				if from > 0 && err == nil {
					v["y"] += 0.5
				}
				return v, err
			}
		}, "Resume of"},
		"steps beyond": {func(g *gradedToy) {
			good := g.at
			g.at = func(d space.Design, share float64, r problem.Reporter) (metric.Values, error) {
				if r != nil {
					_ = r.Report(9, nil)
				}
				return good(d, share, nil)
			}
		}, "in the unit of the fidelity"},
		"estimate differs": {func(g *gradedToy) {
			g.estimate = func(space.Design) (metric.Values, error) { return metric.Values{"y": -3}, nil }
		}, "Estimate of"},
		"estimate refuses": {func(g *gradedToy) {
			g.estimate = func(space.Design) (metric.Values, error) { return nil, &problem.InfeasibleError{Reason: "too big"} }
		}, "too big"},
	} {
		g := newGradedToy()
		c.spoil(g)
		err := Check(t.Context(), g)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: Check = %v, want %q", name, err, c.want)
		}
	}
}
