// Package daedalus searches architectures: you say what may be built, what is
// measured and which limits hold, and get the designs on the frontier.
//
// This package is the short way in from Go. Declare the space with struct tags
// and evaluate a plain function:
//
//	type kernel struct {
//		Tile   int  `space:"ordinal 8 16 32 64"`
//		Unroll int  `space:"int 1..16 log"`
//		Fast   bool
//	}
//	front, err := daedalus.Search(ctx, func(ctx context.Context, k kernel) (metric.Values, error) {
//		return metric.Values{"runtime_ms": …, "energy_mj": …}, nil
//	}, daedalus.Options{Objectives: []string{"minimize runtime_ms", "minimize energy_mj"}, Trials: 300})
//
// What lies behind it: package space describes what may be built, metric what
// counts, search who proposes, study the loop that joins them, store where
// trials are kept, and studyfile the same questions as YAML. ARCHITECTURE.md
// shows the way one design travels through them.
package daedalus

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/daedalus-search/daedalus/catalog"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/space"
	"github.com/daedalus-search/daedalus/store"
	"github.com/daedalus-search/daedalus/study"
)

// Options are what a search needs besides a space and a function. Objectives
// and a bound, Trials or Time, are required.
type Options struct {
	Objectives []string          // such as "maximize accuracy", "minimize latency_ms"
	Limits     []string          // such as "latency_ms <= 5"
	Units      map[string]string // of metrics, for tables
	Trials     int64             // evaluations to spend; 0 means no bound
	Time       time.Duration     // wall time to spend; 0 means no bound
	Method     search.Method     // nil means that catalog.Auto chooses
	Seed       uint64
	Parallel   int    // evaluations at once; 0 means all cores
	Store      string // file that keeps the trials, created or continued; "" means memory
}

// Found is a design on the front, as a value of the user's own type.
type Found[T any] struct {
	Config T
	Values metric.Values
	Trial  int64
}

// Search finds the front over all values of T, whose struct tags say what may
// be built (see [space.Of]). The front is ordered by its first objective. If no
// design meets the limits, the error is [ErrInfeasible] and the front holds
// those that come nearest.
func Search[T any](ctx context.Context, evaluate func(context.Context, T) (metric.Values, error), o Options) ([]Found[T], error) {
	s, err := space.Of[T]()
	if err != nil {
		return nil, err
	}
	res, err := Run(ctx, s, func(ctx context.Context, d space.Design) (metric.Values, error) {
		var c T
		if err := d.Decode(&c); err != nil {
			return nil, err
		}
		return evaluate(ctx, c)
	}, o)
	if err != nil && !errors.Is(err, ErrInfeasible) {
		return nil, err
	}
	out := make([]Found[T], len(res.Front))
	for i, m := range res.Front {
		out[i] = Found[T]{Values: m.Values, Trial: m.Trial}
		if e := m.Design.Decode(&out[i].Config); e != nil {
			return nil, e
		}
	}
	return out, err
}

// ErrInfeasible is returned if no design that was tried meets every limit.
var ErrInfeasible = errors.New("daedalus: no design meets every limit")

// Run is [Search] over a space made in code, with designs as they are.
func Run(ctx context.Context, s *space.Space, evaluate func(context.Context, space.Design) (metric.Values, error), o Options) (*study.Result, error) {
	cfg, err := o.config(s, evaluate)
	if err != nil {
		return nil, err
	}
	if o.Store != "" {
		st, err := openStore(ctx, o.Store)
		if err != nil {
			return nil, err
		}
		defer st.Close()
		cfg.Store = st
	}
	res, err := study.Run(ctx, cfg)
	if err == nil && len(res.Front) > 0 && !res.Feasible {
		err = ErrInfeasible
	}
	return res, err
}

func openStore(ctx context.Context, path string) (*store.SQLite, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return store.Create(ctx, path, store.Study{Name: "study"})
	}
	return store.Open(ctx, path)
}

// config turns options into the question that a study answers.
func (o Options) config(s *space.Space, evaluate func(context.Context, space.Design) (metric.Values, error)) (study.Config, error) {
	var goal metric.Goal
	var errs []error
	named := map[string]bool{}
	var metrics []metric.Metric
	name := func(n string, d metric.Direction) {
		if !named[n] {
			named[n] = true
			metrics = append(metrics, metric.Metric{Name: n, Unit: o.Units[n], Direction: d})
		}
	}
	for _, text := range o.Objectives {
		x, err := metric.ParseObjective(text)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		goal.Objectives = append(goal.Objectives, x)
		name(x.Metric, x.Direction)
	}
	for _, text := range o.Limits {
		x, err := metric.ParseLimit(text)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		goal.Limits = append(goal.Limits, x)
		name(x.Metric, 0)
	}
	if o.Trials == 0 && o.Time == 0 {
		errs = append(errs, fmt.Errorf("daedalus: neither Trials nor Time is set; state how much may be spent"))
	}
	if err := errors.Join(errs...); err != nil {
		return study.Config{}, err
	}
	p := problem.Func(s, metrics, func(ctx context.Context, d space.Design, _ problem.Reporter) (metric.Values, error) {
		return evaluate(ctx, d)
	})
	cfg := study.Config{
		Problem: p, Goal: goal, Method: o.Method, Seed: o.Seed, Parallel: o.Parallel,
		Budget: study.Budget{Trials: o.Trials, Time: o.Time},
	}
	if cfg.Method == nil {
		cfg.MethodName, cfg.Method, cfg.Reason = catalog.Auto(catalog.Question{
			Space: s, Objectives: len(goal.Objectives), Trials: o.Trials, Parallel: max(o.Parallel, 1),
		})
	}
	return cfg, nil
}
