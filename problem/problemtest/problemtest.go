// Package problemtest holds the laws that every problem obeys, as a test that
// anybody's own problem can call:
//
//	func TestConformance(t *testing.T) {
//		problemtest.Run(t, myProblem)
//	}
//
// It evaluates a few dozen sampled designs several times, one after the other
// and all at once, so a slow problem is better tested in a small version.
package problemtest

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/space"
)

const (
	designs = 24              // how many designs are sampled
	prompt  = 5 * time.Second // how long a cancelled evaluation may take
)

// Run fails the test for every law that the problem breaks.
func Run(t *testing.T, p problem.Problem) {
	t.Helper()
	for _, err := range check(t.Context(), p, t.TempDir()) {
		t.Error(err)
	}
}

// Check returns every law that the problem breaks, joined with [errors.Join];
// nil if there is none.
func Check(ctx context.Context, p problem.Problem) error {
	return errors.Join(check(ctx, p, "")...)
}

type checker struct {
	ctx     context.Context
	p       problem.Problem
	designs []space.Design
	results []problem.Result // of the first evaluation
	noisy   bool
	folder  string // for checkpoints; "" if there is none

	mu   sync.Mutex
	errs []error
}

func check(ctx context.Context, p problem.Problem, folder string) []error {
	c := &checker{ctx: ctx, p: p, folder: folder}
	if n, ok := p.(problem.Noisy); ok {
		c.noisy = n.Noisy()
	}
	if !c.space() {
		return c.errs
	}
	c.metrics()
	c.evaluate()
	c.concurrent()
	c.cancelled()
	c.foreign()
	c.reports()
	if b, ok := p.(problem.Batcher); ok {
		c.batch(b)
	}
	if g, ok := p.(problem.Graded); ok {
		c.graded(g)
	}
	if e, ok := p.(problem.Estimator); ok {
		c.estimates(e)
	}
	if k, ok := p.(problem.Canonical); ok {
		c.canonical(k)
	}
	if v, ok := p.(problem.Verifier); ok {
		c.verify(v)
	}
	if r, ok := p.(problem.Referencer); ok {
		c.references(r)
	}
	if o, ok := p.(problem.Optimum); ok {
		c.optimum(o)
	}
	if e, ok := p.(problem.Exporter); ok {
		c.export(e)
	}
	if d, ok := p.(problem.Drawer); ok {
		c.draw(d)
	}
	if d, ok := p.(problem.Describer); ok {
		if s := d.Describe(); strings.TrimSpace(s) == "" || strings.ContainsAny(s, "\r\n") {
			c.errorf("Describe returns %q, want one line", s)
		}
	}
	return c.errs
}

func (c *checker) errorf(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.errs = append(c.errs, fmt.Errorf(format, args...))
}

func (c *checker) space() bool {
	s := c.p.Space()
	if s == nil {
		c.errorf("Space returns nil")
		return false
	}
	if c.p.Space() != s {
		c.errorf("Space returns another space when it is called again")
	}
	r := rng.New(1, "problemtest", 0)
	for range designs {
		d, err := s.Sample(r)
		if err != nil {
			c.errorf("the space cannot be sampled: %w", err)
			return false
		}
		c.designs = append(c.designs, d)
		text, err := d.MarshalJSON()
		if err != nil {
			c.errorf("a design cannot be written as JSON: %w", err)
			continue
		}
		back, err := s.ParseJSON(text)
		if err != nil || back != d || back.Hash() != d.Hash() {
			c.errorf("the design %s is read back as %s (error %v)", text, back, err)
		}
	}
	return true
}

// checkMetrics checks declarations against each other and those before them.
func (c *checker) checkMetrics(where string, list func() []metric.Metric, taken map[string]string) {
	ms := list()
	if len(ms) == 0 {
		c.errorf("%s returns nothing", where)
	}
	if !slices.Equal(ms, list()) {
		c.errorf("%s returns something else when it is called again", where)
	}
	for _, m := range ms {
		switch {
		case m.Name == "" || strings.ContainsAny(m.Name, " \t\r\n"):
			c.errorf("%s: the name %q is empty or has a space", where, m.Name)
		case taken[m.Name] != "":
			c.errorf("%s: the metric %q occurs again, after %s", where, m.Name, taken[m.Name])
		}
		if m.Unit != strings.TrimSpace(m.Unit) || strings.ContainsAny(m.Doc, "\r\n") {
			c.errorf("%s: %q has the unit %q and the doc %q, want no space around the unit and one line of doc", where, m.Name, m.Unit, m.Doc)
		}
		if m.Direction < 0 || m.Direction > metric.Maximize {
			c.errorf("%s: %q has the direction %d", where, m.Name, m.Direction)
		}
		taken[m.Name] = where
	}
}

func (c *checker) metrics() {
	taken := map[string]string{}
	c.checkMetrics("Metrics", c.p.Metrics, taken)
	if v, ok := c.p.(problem.Verifier); ok {
		c.checkMetrics("VerifyMetrics", v.VerifyMetrics, taken)
	}
}

// values checks what a measurement returned.
func (c *checker) values(call string, d space.Design, want []metric.Metric, r problem.Result) {
	if r.Err != nil {
		var inf *problem.InfeasibleError
		switch {
		case errors.As(r.Err, &inf):
			if strings.TrimSpace(inf.Reason) == "" {
				c.errorf("%s of %s is infeasible for no reason", call, d)
			}
		case !c.noisy:
			c.errorf("%s of %s fails: %w", call, d, r.Err)
		}
		return
	}
	for _, m := range want {
		if x, ok := r.Values[m.Name]; !ok || math.IsNaN(x) || math.IsInf(x, 0) {
			c.errorf("%s of %s gives %s = %v (there: %t), want a number", call, d, m.Name, x, ok)
		}
	}
	for name := range r.Values {
		if !slices.ContainsFunc(want, func(m metric.Metric) bool { return m.Name == name }) {
			c.errorf("%s of %s gives %s, which is not declared", call, d, name)
		}
	}
}

// same compares two results for one design.
func same(a, b problem.Result) bool {
	if (a.Err == nil) != (b.Err == nil) {
		return false
	}
	if a.Err != nil {
		return a.Err.Error() == b.Err.Error()
	}
	if len(a.Values) != len(b.Values) {
		return false
	}
	for k, x := range a.Values {
		if y, ok := b.Values[k]; !ok || math.Float64bits(x) != math.Float64bits(y) {
			return false
		}
	}
	return true
}

func show(r problem.Result) string {
	if r.Err != nil {
		return r.Err.Error()
	}
	return fmt.Sprint(r.Values)
}

// one evaluates a design and turns a panic into an error.
func (c *checker) one(ctx context.Context, d space.Design, rep problem.Reporter) (r problem.Result) {
	defer func() {
		if x := recover(); x != nil {
			c.errorf("Evaluate of %s panics: %v", d, x)
			r = problem.Result{Err: fmt.Errorf("panic: %v", x)}
		}
	}()
	r.Values, r.Err = c.p.Evaluate(ctx, d, rep)
	return r
}

func (c *checker) evaluate() {
	for _, d := range c.designs {
		r := c.one(c.ctx, d, nil)
		c.values("Evaluate", d, c.p.Metrics(), r)
		c.results = append(c.results, r)
	}
	if c.noisy {
		return
	}
	for i, d := range c.designs {
		if r := c.one(c.ctx, d, nil); !same(r, c.results[i]) {
			c.errorf("Evaluate of %s gives %s, then %s, and the problem does not say that it is noisy", d, show(c.results[i]), show(r))
		}
	}
}

func (c *checker) concurrent() {
	var wg sync.WaitGroup
	for i, d := range c.designs {
		wg.Go(func() {
			r := c.one(c.ctx, d, nil)
			if !c.noisy && !same(r, c.results[i]) {
				c.errorf("Evaluate of %s gives %s alone and %s among others at the same time", d, show(c.results[i]), show(r))
			}
		})
	}
	wg.Wait()
}

// promptly reports whether f returned in time.
func promptly(f func()) bool {
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
		return true
	case <-time.After(prompt):
		return false
	}
}

func (c *checker) cancelled() {
	ctx, cancel := context.WithCancel(c.ctx)
	cancel()
	d := c.designs[0]
	if !promptly(func() {
		// A problem that is done before it looks may return its values.
		if r := c.one(ctx, d, nil); r.Err != nil && !errors.Is(r.Err, context.Canceled) && !same(r, c.results[0]) {
			c.errorf("Evaluate with a cancelled context gives the error %q, want context.Canceled", r.Err)
		}
		if b, ok := c.p.(problem.Batcher); ok {
			c.many(ctx, b, c.designs)
		}
	}) {
		c.errorf("Evaluate with a cancelled context takes more than %v", prompt)
	}
}

// foreign evaluates what is not a design of the problem.
func (c *checker) foreign() {
	other := space.MustNew(space.Bool("problemtest_other"))
	for name, d := range map[string]space.Design{
		"the zero design":           {},
		"a design of another space": other.MustSample(rng.New(1, "problemtest/other", 0)),
	} {
		if r := c.one(c.ctx, d, nil); r.Err == nil {
			c.errorf("Evaluate of %s gives %v, want an error", name, r.Values)
		}
	}
}

// A reporter records steps, and prunes from a step on if that is above 0.
type reporter struct {
	mu    sync.Mutex
	steps []int64
	prune bool
}

func (r *reporter) Report(step int64, _ metric.Values) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.steps = append(r.steps, step)
	if r.prune {
		return problem.ErrPruned
	}
	return nil
}

func (c *checker) reports() {
	d := c.designs[0]
	all := &reporter{}
	r := c.one(c.ctx, d, all)
	if !c.noisy && !same(r, c.results[0]) {
		c.errorf("Evaluate of %s gives %s without a reporter and %s with one", d, show(c.results[0]), show(r))
	}
	for i, s := range all.steps {
		if s < 1 || i > 0 && s <= all.steps[i-1] {
			c.errorf("Evaluate of %s reports the steps %v, want rising numbers from 1", d, all.steps)
			break
		}
	}
	if len(all.steps) == 0 {
		return
	}
	if r := c.one(c.ctx, d, &reporter{prune: true}); !errors.Is(r.Err, problem.ErrPruned) {
		c.errorf("Evaluate of %s gives %s although its reporter said ErrPruned, want ErrPruned", d, show(r))
	}
}

func (c *checker) batch(b problem.Batcher) {
	for i, r := range c.many(c.ctx, b, c.designs) {
		if r.Err == nil && r.Values == nil {
			c.errorf("EvaluateBatch leaves the result of %s empty", c.designs[i])
			continue
		}
		c.values("EvaluateBatch", c.designs[i], c.p.Metrics(), r)
		if !c.noisy && !same(r, c.results[i]) {
			c.errorf("EvaluateBatch of %s gives %s, Evaluate %s", c.designs[i], show(r), show(c.results[i]))
		}
	}
	c.many(c.ctx, b, nil)
}

// many evaluates a batch and turns a panic into an error.
func (c *checker) many(ctx context.Context, b problem.Batcher, ds []space.Design) []problem.Result {
	defer func() {
		if x := recover(); x != nil {
			c.errorf("EvaluateBatch of %d designs panics: %v", len(ds), x)
		}
	}()
	out := make([]problem.Result, len(ds))
	b.EvaluateBatch(ctx, ds, out)
	return out
}

func (c *checker) canonical(k problem.Canonical) {
	first := map[string]int{}
	for i, d := range c.designs {
		key := k.Key(d)
		if k.Key(d) != key {
			c.errorf("Key of %s is %q, then %q", d, key, k.Key(d))
		}
		j, seen := first[key]
		if !seen {
			first[key] = i
		} else if !c.noisy && !same(c.results[i], c.results[j]) {
			c.errorf("%s and %s have the key %q and measure %s and %s", d, c.designs[j], key, show(c.results[i]), show(c.results[j]))
		}
	}
}

func (c *checker) verify(v problem.Verifier) {
	designs := c.designs[:4]
	if f, ok := c.p.(problem.Finisher); ok {
		designs = c.designs[:2]
		if values, err := v.Verify(c.ctx, designs[0]); err != nil || len(values) > 0 && len(values) != len(v.VerifyMetrics()) {
			c.errorf("Verify of a design that is not finished returns %v (error %v), want no values, or all if it was finished before", values, err)
		}
		gone, cancel := context.WithCancel(c.ctx)
		cancel()
		if err := f.Finish(gone, c.designs[2:3], func(string, int, int) {}); err != nil && !errors.Is(err, context.Canceled) {
			c.errorf("Finish with a cancelled context returns %v", err)
		}
		for range 2 { // the second time costs nothing
			if err := f.Finish(c.ctx, designs, func(string, int, int) {}); err != nil {
				c.errorf("Finish: %w", err)
				return
			}
		}
	}
	none := 0
	for _, d := range designs {
		values, err := v.Verify(c.ctx, d)
		if _, ok := c.p.(problem.Finisher); ok && err == nil && len(values) == 0 {
			if none++; none == len(designs) {
				c.errorf("Finish finishes nothing of %d designs", none)
			}
			continue // it need not finish all of a front
		}
		c.values("Verify", d, v.VerifyMetrics(), problem.Result{Values: values, Err: err})
	}
}

func (c *checker) references(r problem.Referencer) {
	refs, err := r.References(c.ctx)
	if err != nil {
		c.errorf("References: %w", err)
	}
	known := map[string]bool{}
	for _, m := range c.p.Metrics() {
		known[m.Name] = true
	}
	if v, ok := c.p.(problem.Verifier); ok {
		for _, m := range v.VerifyMetrics() {
			known[m.Name] = true
		}
	}
	names := map[string]bool{}
	for _, ref := range refs {
		if ref.Name == "" || names[ref.Name] {
			c.errorf("References has the name %q empty or twice", ref.Name)
		}
		names[ref.Name] = true
		for name, x := range ref.Values {
			if !known[name] || math.IsNaN(x) || math.IsInf(x, 0) {
				c.errorf("the reference %q has %s = %v, which is no finite value of a metric", ref.Name, name, x)
			}
		}
	}
}

// optimum checks the truth for every metric alone and for all pairs of
// neighbours. A problem may know it for some goals only and refuse the others
// with [errors.ErrUnsupported].
func (c *checker) optimum(o problem.Optimum) {
	var objectives []metric.Objective
	for _, m := range c.p.Metrics() {
		if m.Direction != 0 {
			objectives = append(objectives, metric.Objective{Metric: m.Name, Direction: m.Direction})
		}
	}
	goals := []metric.Goal{{Objectives: objectives}}
	for i := range objectives {
		goals = append(goals, metric.Goal{Objectives: objectives[i : i+1]})
		if i > 0 {
			goals = append(goals, metric.Goal{Objectives: objectives[i-1 : i+1]})
		}
	}
	known := 0
	for _, g := range goals {
		if len(g.Objectives) == 0 {
			continue
		}
		front, err := o.Optimum(c.ctx, g)
		if errors.Is(err, errors.ErrUnsupported) {
			continue
		}
		known++
		if err != nil || len(front) == 0 {
			c.errorf("Optimum for %v gives %d designs and the error %v", g.Objectives, len(front), err)
			continue
		}
		scores := make([]metric.Score, len(front))
		for i, v := range front {
			for _, m := range c.p.Metrics() {
				if _, ok := v[m.Name]; !ok {
					c.errorf("Optimum for %v leaves out %s", g.Objectives, m.Name)
				}
			}
			scores[i] = g.Score(v)
		}
		if len(front) <= 2000 {
			for i := range scores {
				for j := range scores {
					if metric.Dominates(scores[i], scores[j]) {
						c.errorf("Optimum for %v holds %v and %v, of which the first dominates", g.Objectives, front[i], front[j])
						return
					}
				}
			}
		}
		for i, r := range c.results {
			if r.Err != nil || c.noisy {
				continue
			}
			s := g.Score(r.Values)
			for k := range scores {
				if betterByMore(s, scores[k]) {
					c.errorf("%s measures %v and dominates %v, which Optimum says is on the true front for %v", c.designs[i], r.Values, front[k], g.Objectives)
					return
				}
			}
		}
	}
	if known == 0 && len(objectives) > 0 {
		c.errorf("Optimum knows none of the goals that its metrics suggest")
	}
	if _, err := o.Optimum(c.ctx, metric.Goal{Objectives: []metric.Objective{{Metric: "problemtest_unknown", Direction: metric.Minimize}}}); err == nil {
		c.errorf("Optimum takes a goal with a metric that does not exist")
	}
}

// betterByMore reports whether a dominates b by more than rounding.
func betterByMore(a, b metric.Score) bool {
	if !metric.Dominates(a, b) {
		return false
	}
	for i := range a.Loss {
		if b.Loss[i]-a.Loss[i] > 1e-9*(1+math.Abs(b.Loss[i])) {
			return true
		}
	}
	return false
}

func (c *checker) export(e problem.Exporter) {
	formats := e.Formats()
	if len(formats) == 0 || !reflect.DeepEqual(formats, e.Formats()) {
		c.errorf("Formats returns %q, then %q, want the same names every time", formats, e.Formats())
	}
	for i, f := range formats {
		if f == "" || slices.Contains(formats[:i], f) {
			c.errorf("Formats returns %q, want names that occur once", formats)
		}
		var a, b bytes.Buffer
		if err := e.Export(&a, c.designs[0], f); err != nil || a.Len() == 0 {
			c.errorf("Export as %s writes %d bytes and gives the error %v", f, a.Len(), err)
		}
		if err := e.Export(&b, c.designs[0], f); err != nil || !bytes.Equal(a.Bytes(), b.Bytes()) {
			c.errorf("Export as %s writes something else the second time (error %v)", f, err)
		}
		if err := e.Export(brokenWriter{}, c.designs[0], f); !errors.Is(err, errBroken) {
			c.errorf("Export as %s to a writer that fails gives the error %v", f, err)
		}
	}
	if err := e.Export(io.Discard, c.designs[0], "problemtest_unknown"); err == nil {
		c.errorf("Export takes a format that Formats does not name")
	}
}

func (c *checker) draw(d problem.Drawer) {
	var b bytes.Buffer
	if err := d.Draw(&b, c.designs[0]); err != nil {
		c.errorf("Draw gives the error %w", err)
		return
	}
	root := ""
	for dec := xml.NewDecoder(&b); ; {
		t, err := dec.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			c.errorf("Draw writes something that is not XML: %w", err)
			return
		}
		if start, ok := t.(xml.StartElement); ok && root == "" {
			root = start.Name.Local
		}
	}
	if root != "svg" {
		c.errorf("Draw writes a document of <%s>, want <svg>", root)
	}
	if err := d.Draw(brokenWriter{}, c.designs[0]); !errors.Is(err, errBroken) {
		c.errorf("Draw to a writer that fails gives the error %v", err)
	}
}

var errBroken = errors.New("problemtest: this writer fails")

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }
