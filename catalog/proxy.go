package catalog

import (
	"errors"
	"fmt"
	"time"

	"github.com/daedalus-search/daedalus/internal/source"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/problems/proxy"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/space"
)

// proxyRows are the problems that stand for another one.
func proxyRows() []Problem {
	return []Problem{{
		Name: "proxy", Doc: "predictions of another problem, learned from designs that several methods measure first", Source: "Krishnan et al. 2023 (ArchGym's proxies)",
		Needs:   "of, objectives",
		Options: func() any { return new(proxyOptions) },
	}}
}

type proxyOptions struct {
	Of *source.Value `yaml:"of,required" doc:"the problem that is measured and predicted, as in problem:"`
	proxy.Options
}

// Inner implements [Wrapper].
func (o *proxyOptions) Inner() *source.Value { return o.Of }

// Wrap implements [Wrapper].
func (o *proxyOptions) Wrap(inner problem.Problem) (problem.Problem, error) {
	opts := o.Options
	opts.Of, opts.Clock, opts.Sources = inner, time.Now, nil
	for _, name := range opts.Collectors() {
		row, err := FindSearcher(name)
		if err != nil {
			return nil, fmt.Errorf("proxy: collect: %w", err)
		}
		opts.Sources = append(opts.Sources, collector(row, inner))
	}
	p, err := proxy.New(opts)
	if err != nil {
		return nil, err
	}
	// Methods that cannot search this are told now, not when it runs.
	var errs []error
	for _, s := range opts.Sources {
		if _, err := s.Open(inner.Space(), len(opts.Objectives), opts.Designs, 0); err != nil {
			errs = append(errs, fmt.Errorf("proxy: collect: %s: %w", s.Name, err))
		}
	}
	return p, errors.Join(errs...)
}

// collector lets a search method with its defaults propose designs to learn from.
func collector(row Searcher, inner problem.Problem) proxy.Source {
	return proxy.Source{Name: row.Name, Open: func(s *space.Space, objectives, n int, seed uint64) (proxy.Asker, error) {
		m := row.Options()
		source.Defaults(m)
		setup := search.Setup{Space: s, Objectives: objectives, Limits: true, Seed: seed, Budget: int64(n)}
		if c, ok := inner.(problem.Canonical); ok {
			setup.Key = c.Key
		}
		x, err := m.New(setup)
		if err != nil {
			return nil, err
		}
		return &asker{searcher: x}, nil
	}}
}

// maxCollected bounds the designs that are measured before the next are chosen.
const maxCollected = 64

type asker struct {
	searcher search.Searcher
	asked    []search.Proposal
}

func (a *asker) Ask() ([]space.Design, error) {
	n := 1
	if b, ok := a.searcher.(search.Batcher); ok {
		n = min(max(b.Batch(), 1), maxCollected)
	}
	var err error
	a.asked, err = a.searcher.Ask(n)
	if errors.Is(err, search.ErrExhausted) {
		a.asked = nil
		return nil, nil
	}
	out := make([]space.Design, len(a.asked))
	for i, p := range a.asked {
		out[i] = p.Design
	}
	return out, err
}

func (a *asker) Tell(results []problem.Result, scores []metric.Score) {
	outcomes := make([]search.Outcome, len(results))
	for i, r := range results {
		o := search.Outcome{ID: a.asked[i].ID, Design: a.asked[i].Design, Status: search.Complete, Score: scores[i], Values: r.Values}
		if r.Err != nil || !scores[i].OK() {
			o.Status, o.Score = search.Infeasible, metric.Score{}
		}
		outcomes[i] = o
	}
	a.searcher.Tell(outcomes...)
	if r, ok := a.searcher.(search.Refitter); ok {
		r.Refit()
	}
}
