package study

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"time"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/space"
	"github.com/daedalus-search/daedalus/store"
)

// Config is the whole question. Problem, Goal and Method are required; the
// zero value of everything else works.
type Config struct {
	Name    string          // "" means "study"
	Problem problem.Problem // what is searched
	Goal    metric.Goal     // what counts
	Method  search.Method   // how to search

	MethodName string // name of the method, recorded and shown
	Reason     string // why this method, recorded and shown

	Seed       uint64
	Budget     Budget        // what may be spent, over all runs of the study together
	Stop       Stop          // when to stop before that
	Parallel   int           // evaluations at once; 0 means all cores, or 1 for a problem.Batcher or problem.Serial
	Async      bool          // tell results as they come: faster with uneven evaluations, not reproducible; see Run
	Timeout    time.Duration // of one evaluation; 0 means none
	Retries    int           // further attempts after a crash, a timeout or a transient failure
	Backoff    time.Duration // before the first retry, doubled for each further one; 0 means 1 s
	Duplicates Duplicates    // what to do with a design that was measured before
	Prune      *MedianRule   // stop evaluations that look bad; nil means never
	Curve      *CurveRule    // stop evaluations whose learning curve leads nowhere; nil means never
	Reject     bool          // designs that a problem.Estimator shows to miss a limit are infeasible, free of charge
	Enqueue    []space.Design
	WarmStart  []store.Trial // finished trials of another study on the same space; told, not evaluated

	// Checkpoints is the folder in which each design of a problem that resumes has
	// a folder of its own; "" means that there are none. The study makes them,
	// empties the one of a design that it begins anew, and removes none.
	Checkpoints string

	Store   store.Store // where trials go; nil means memory
	Spec    []byte      // the study file as JSON, recorded
	Version string      // of the engine, recorded

	// Observe, if set, is called after each finished trial and at the end, from
	// one goroutine at a time. It must not call the study.
	Observe func(Progress)
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Budget bounds what a study may spend, over all its runs. Zero means no bound.
type Budget struct {
	Trials int64         // evaluations; designs served from the cache are free
	Full   float64       // effort in full evaluations: a trial with a ninth of the effort counts a ninth
	Time   time.Duration // wall time
	Cost   float64       // sum of the trials' costs
	Metric string        // metric that is the cost of a trial; "" means seconds of evaluation
}

// Stop ends a study before its budget. The zero value stops only after ten
// failures without a single success.
type Stop struct {
	Target   []metric.Limit // stop when one feasible design meets all of these
	NoGain   int64          // stop after so many trials in a row that did not improve the front; 0 means never
	Failures int64          // stop after so many failures if nothing ever succeeded; 0 means 10, below 0 never
}

// Duplicates says what to do with a design that was measured before.
type Duplicates uint8

// What to do with duplicates.
const (
	Auto     Duplicates = iota // Evaluate if the problem is noisy, else Reuse
	Reuse                      // take the earlier measurement; free of charge
	Evaluate                   // measure again
)

// A ConfigError says which field of a Config is wrong.
type ConfigError struct {
	Field string
	Found string
	Want  string
}

func (e *ConfigError) Error() string {
	s := "study: " + e.Field + ": " + e.Found
	if e.Want != "" {
		s += "; expected " + e.Want
	}
	return s
}

// check validates the configuration and fills in defaults.
func (c *Config) check() error {
	var errs []error
	bad := func(field, found, want string) {
		errs = append(errs, &ConfigError{Field: field, Found: found, Want: want})
	}
	if c.Problem == nil {
		bad("Problem", "nil", "a problem")
		return errors.Join(errs...)
	}
	if c.Method == nil {
		bad("Method", "nil", "a search method")
	}
	if err := c.Goal.Check(c.Problem.Metrics()); err != nil {
		errs = append(errs, err)
	}
	if c.Budget.Trials < 0 || c.Budget.Time < 0 || c.Budget.Cost < 0 || !(c.Budget.Full >= 0) {
		bad("Budget", fmt.Sprintf("%+v", c.Budget), "no negative bound")
	}
	if c.Reject && c.estimates() == nil {
		bad("Reject", "a problem that estimates nothing", "a problem.Estimator")
	}
	if c.Budget.Metric != "" && !hasMetric(c.Problem.Metrics(), c.Budget.Metric) {
		bad("Budget.Metric", fmt.Sprintf("%q", c.Budget.Metric), "a metric of the problem")
	}
	for _, t := range c.Stop.Target {
		if !hasMetric(c.Problem.Metrics(), t.Metric) {
			bad("Stop.Target", fmt.Sprintf("%q", t.Metric), "a metric of the problem")
		}
	}
	if c.Parallel < 0 || c.Retries < 0 || c.Timeout < 0 || c.Backoff < 0 {
		bad("Parallel, Retries, Timeout, Backoff", "a negative value", "0 or more")
	}
	if c.Prune != nil && len(c.Goal.Objectives) != 1 {
		bad("Prune", fmt.Sprintf("%d objectives", len(c.Goal.Objectives)), "one objective: pruning compares one number")
	}
	if c.Curve != nil {
		if len(c.Goal.Objectives) != 1 {
			bad("Curve", fmt.Sprintf("%d objectives", len(c.Goal.Objectives)), "one objective: a learning curve is of one number")
		}
		c.Curve.check(func(field string, found any, want string) { bad("Curve."+field, fmt.Sprint(found), want) })
	}
	if err := problem.FidelityOf(c.Problem).Check(); err != nil {
		errs = append(errs, fmt.Errorf("study: Problem: %w", err))
	}
	for i, d := range c.Enqueue {
		if d.Space() != c.Problem.Space() {
			bad(fmt.Sprintf("Enqueue[%d]", i), "a design of another space", "designs of the problem's space")
		}
	}
	if c.Name == "" {
		c.Name = "study"
	}
	if c.Backoff == 0 {
		c.Backoff = time.Second
	}
	if c.Stop.Failures == 0 {
		c.Stop.Failures = 10
	}
	if c.Parallel == 0 {
		c.Parallel = runtime.GOMAXPROCS(0)
		_, batches := c.Problem.(problem.Batcher)
		if x, ok := c.Problem.(problem.Serial); batches || ok && x.Serial() {
			c.Parallel = 1
		}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.MethodName == "" {
		c.MethodName = fmt.Sprintf("%T", c.Method)
	}
	if c.Duplicates == Auto {
		c.Duplicates = Reuse
		if n, ok := c.Problem.(problem.Noisy); ok && n.Noisy() {
			c.Duplicates = Evaluate
		}
	}
	return errors.Join(errs...)
}

func hasMetric(ms []metric.Metric, name string) bool {
	for _, m := range ms {
		if m.Name == name {
			return true
		}
	}
	return false
}

// Setup returns what the method is told about the question.
func (c *Config) Setup() search.Setup {
	s := search.Setup{
		Space: c.Problem.Space(), Objectives: len(c.Goal.Objectives), Limits: len(c.Goal.Limits) > 0,
		Seed: c.Seed, Budget: c.Budget.Trials, Parallel: max(c.Parallel, 1),
		Fidelity: problem.FidelityOf(c.Problem), Effort: c.Budget.Full,
	}
	if k, ok := c.Problem.(problem.Canonical); ok {
		s.Key = k.Key
	}
	if refuse := c.estimates(); refuse != nil {
		s.Admit = func(d space.Design) bool { return refuse(d) == "" }
	}
	return s
}

// refusal is estimates if designs are to be refused by it.
func (c *Config) refusal() func(space.Design) string {
	if !c.Reject {
		return nil
	}
	return c.estimates()
}

// estimates returns a function that says why a design cannot meet the limits
// by what the problem knows for free, "" if it may; nil if the problem knows
// nothing.
func (c *Config) estimates() func(space.Design) string {
	e, ok := c.Problem.(problem.Estimator)
	if !ok {
		return nil
	}
	names := e.Estimates()
	var limits []metric.Limit
	for _, l := range c.Goal.Limits {
		if l.Soft == 0 && slices.Contains(names, l.Metric) {
			limits = append(limits, l)
		}
	}
	return func(d space.Design) string {
		v, err := e.Estimate(d)
		var infeasible *problem.InfeasibleError
		if errors.As(err, &infeasible) {
			return infeasible.Reason
		}
		for _, l := range limits { // another failure is not about the design
			if x, ok := v[l.Metric]; ok && l.Violation(x) > 0 {
				return fmt.Sprintf("%s is %v by estimate; the limit is %s", l.Metric, x, l)
			}
		}
		return ""
	}
}

// fingerprint identifies everything that the searcher's proposals depend on.
// If it changes, the decision log cannot be replayed.
func (c *Config) fingerprint(spaceJSON []byte) (string, error) {
	options, err := json.Marshal(c.Method)
	if err != nil {
		return "", fmt.Errorf("study: options of %s: %w", c.MethodName, err)
	}
	goal, err := json.Marshal(c.Goal)
	if err != nil {
		return "", fmt.Errorf("study: goal: %w", err)
	}
	print := fmt.Sprintf("%T %s seed=%d goal=%s async=%t space=%s", c.Method, options, c.Seed, goal, c.Async, spaceJSON)
	if inner := methodsIn(c.Method); inner != "" {
		print += " within=" + inner
	}
	if f := problem.FidelityOf(c.Problem); f.Graded() {
		print += fmt.Sprintf(" fidelity=%+v", f)
	}
	return print, nil
}

// methodsIn describes the methods that a method's options hold, whose types
// JSON does not tell.
func methodsIn(m search.Method) string { return methodsOf(reflect.Indirect(reflect.ValueOf(m))) }

func methodsOf(v reflect.Value) (out string) {
	if v.Kind() != reflect.Struct {
		return ""
	}
	for i := range v.NumField() {
		f, is := v.Field(i), v.Type().Field(i)
		switch {
		case !is.IsExported():
		case is.Anonymous:
			out += methodsOf(f)
		case f.Kind() == reflect.Interface && !f.IsNil():
			if inner, ok := f.Interface().(search.Method); ok {
				options, _ := json.Marshal(inner) // what cannot be written differs by its type alone
				out += fmt.Sprintf("%T %s %s;", inner, options, methodsIn(inner))
			}
		}
	}
	return out
}
