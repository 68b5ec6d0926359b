package problemtest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/space"
)

// graded checks a problem that can be measured with less effort.
func (c *checker) graded(g problem.Graded) {
	f := g.Fidelity()
	if !reflect.DeepEqual(f, g.Fidelity()) {
		c.errorf("Fidelity returns %+v, then %+v", f, g.Fidelity())
	}
	if err := f.Check(); err != nil {
		c.errorf("Fidelity returns %+v: %w", f, err)
		return
	}
	at := func(d space.Design, share float64, r problem.Reporter) problem.Result {
		return c.call(fmt.Sprintf("EvaluateAt(%v)", share), d, func() (metric.Values, error) { return g.EvaluateAt(c.ctx, d, share, r) })
	}
	d := c.designs[0]
	for i, d := range c.designs[:4] {
		if r := at(d, 1, nil); !c.noisy && !same(r, c.results[i]) {
			c.errorf("EvaluateAt(1) of %s gives %s, Evaluate %s", d, show(r), show(c.results[i]))
		}
	}
	if !f.Graded() {
		return
	}
	least, middle := f.Share(f.Min), f.Snap((f.Share(f.Min)+1)/2)
	for _, share := range []float64{least, middle} {
		for _, d := range c.designs[:4] {
			r := at(d, share, nil)
			c.values(fmt.Sprintf("EvaluateAt(%v)", share), d, c.p.Metrics(), r)
			if again := at(d, share, nil); !c.noisy && !same(r, again) {
				c.errorf("EvaluateAt(%v) of %s gives %s, then %s", share, d, show(r), show(again))
			}
		}
		log := &reporter{}
		at(d, share, log)
		c.steps(fmt.Sprintf("EvaluateAt(%v) of %s", share, d), log.steps, 1, f.Amount(share))
	}
	ctx, cancel := context.WithCancel(c.ctx)
	cancel()
	if !promptly(func() {
		_ = c.call("EvaluateAt", d, func() (metric.Values, error) { return g.EvaluateAt(ctx, d, least, nil) })
	}) {
		c.errorf("EvaluateAt with a cancelled context takes more than %v", prompt)
	}
	res, ok := c.p.(problem.Resumer)
	switch {
	case !ok && f.Resumes:
		c.errorf("Fidelity says that evaluations resume, but there is no method Resume")
	case ok && f.Resumes:
		c.resume(res, f, least)
	}
}

// resume checks that going on ends where going through does.
func (c *checker) resume(p problem.Resumer, f problem.Fidelity, least float64) {
	ctx := problem.WithTrial(c.ctx, problem.Trial{Study: "problemtest", Attempt: 1, Checkpoint: c.folder})
	for i, d := range c.designs[:2] {
		first := c.call("EvaluateAt", d, func() (metric.Values, error) { return p.EvaluateAt(ctx, d, least, nil) })
		log := &reporter{}
		r := c.call("Resume", d, func() (metric.Values, error) { return p.Resume(ctx, d, least, 1, log) })
		if first.Err == nil && !c.noisy && !same(r, c.results[i]) {
			c.errorf("Resume of %s from %v to 1 gives %s, Evaluate %s", d, least, show(r), show(c.results[i]))
		}
		c.steps("Resume of "+d.String(), log.steps, int64(math.Floor(f.Min))+1, f.Max)
		if c.folder != "" { // it belongs to one design
			break
		}
	}
}

// steps checks that steps lie between the first and the amount.
func (c *checker) steps(call string, steps []int64, first int64, amount float64) {
	for i, s := range steps {
		if s < first || float64(s) > amount || i > 0 && s <= steps[i-1] {
			c.errorf("%s reports the steps %v, want rising numbers from %d to %v, in the unit of the fidelity", call, steps, first, amount)
			return
		}
	}
}

// call evaluates a design and turns a panic into an error.
func (c *checker) call(name string, d space.Design, f func() (metric.Values, error)) (r problem.Result) {
	defer func() {
		if x := recover(); x != nil {
			c.errorf("%s of %s panics: %v", name, d, x)
			r = problem.Result{Err: fmt.Errorf("panic: %v", x)}
		}
	}()
	r.Values, r.Err = f()
	return r
}

// estimates checks what is known without measuring.
func (c *checker) estimates(e problem.Estimator) {
	names := e.Estimates()
	for _, name := range names {
		if !slices.ContainsFunc(c.p.Metrics(), func(m metric.Metric) bool { return m.Name == name }) {
			c.errorf("Estimates names %s, which is no metric", name)
		}
	}
	for i, d := range c.designs {
		r := c.call("Estimate", d, func() (metric.Values, error) { return e.Estimate(d) })
		measured := c.results[i]
		infeasible := errors.As(r.Err, new(*problem.InfeasibleError))
		switch {
		case r.Err != nil && !infeasible:
			c.errorf("Estimate of %s fails: %w", d, r.Err)
		case infeasible && measured.Err == nil:
			c.errorf("Estimate of %s says %q, and Evaluate gives %s", d, r.Err, show(measured))
		}
		if r.Err != nil {
			continue
		}
		for _, name := range names {
			x, ok := r.Values[name]
			if !ok {
				c.errorf("Estimate of %s leaves out %s", d, name)
			}
			if y, there := measured.Values[name]; ok && there && x != y && !c.noisy {
				c.errorf("Estimate of %s gives %s = %v, Evaluate %v", d, name, x, y)
			}
		}
	}
}
