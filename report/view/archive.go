package view

import (
	"cmp"
	"context"
	"fmt"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/search/illuminate"
	"github.com/daedalus-search/daedalus/store"
)

// archive is what a quality-diversity method kept, filled again from its trials.
type archive struct {
	metric.Archive[illuminate.Entry]
	options illuminate.MAPElites
	at      []float64
}

// qualityDiversity returns the empty archive of the study's method, or nil.
func (b *builder) qualityDiversity() (*archive, error) {
	o, ok := illuminate.Layout(b.src.Method)
	if !ok || b.m != 1 || len(o.Measures) == 0 || len(b.src.Goal.Objectives) != 1 {
		return nil, nil
	}
	m, ok := b.src.Method.(interface {
		NewArchive(seed uint64) (metric.Archive[illuminate.Entry], error)
	})
	if !ok {
		return nil, nil
	}
	a, err := m.NewArchive(b.rec.Seed)
	if err != nil {
		return nil, fmt.Errorf("view: %w", err)
	}
	return &archive{Archive: a, options: o, at: make([]float64, len(o.Measures))}, nil
}

// offer does what the searcher did when it was told of a trial.
func (a *archive) offer(number int64, state store.State, loss []float64, violation float64, value func(name string) (float64, bool)) {
	if state != store.Complete || violation != 0 || !(metric.Score{Loss: loss}).OK() || len(loss) != 1 {
		return
	}
	for k, m := range a.options.Measures {
		x, ok := value(m.Metric)
		if !ok {
			return
		}
		a.at[k] = x
	}
	a.Add(0-loss[0], a.at, illuminate.Entry{ID: number})
}

// fillFromStore fills the archive from all trials, for a study of which a page
// holds only some.
func (b *builder) fillFromStore(ctx context.Context) (err error) {
	if b.kept, err = b.qualityDiversity(); b.kept == nil || err != nil {
		return err
	}
	for t, err := range b.src.Store.Trials(ctx, store.Filter{States: []store.State{store.Complete}, To: b.numbers[len(b.numbers)-1] + 1, NoSteps: true}) {
		if err != nil {
			return err
		}
		b.kept.offer(t.Number, t.State, t.Loss, t.Violation, func(name string) (float64, bool) { x, ok := t.Values[name]; return x, ok })
	}
	return nil
}

// fillFromRows fills the archive from the rows while they are all there.
func (b *builder) fillFromRows() (err error) {
	if b.kept, err = b.qualityDiversity(); b.kept == nil || err != nil {
		return err
	}
	r := b.rows
	for row := range r.n {
		b.kept.offer(r.numbers[row], r.state[row], r.loss[row], r.miss[row], func(name string) (float64, bool) {
			c := r.metric[name]
			if r.find(c) < 0 {
				return 0, false
			}
			return c.xs[row], c.xs[row] == c.xs[row]
		})
	}
	return nil
}

// archive describes what a quality-diversity method found.
func (b *builder) archive(context.Context) error {
	a := b.kept
	if a == nil {
		return nil
	}
	if a.Len() == 0 {
		b.view.Missing["archive"] = "No design is in the archive: none was measured that keeps every limit and has the measures."
		return nil
	}
	out := &Archive{
		Kind: "grid", Objective: b.view.Goal.Objectives[0].Column, Better: better(b.src.Goal.Objectives[0].Direction),
		Cells: a.Cells(), Coverage: a.Coverage(), QDScore: a.QDScore(0),
	}
	for _, m := range a.options.Measures {
		out.Measures = append(out.Measures, Measure{
			Metric: m.Metric, Column: b.rows.find(b.rows.metric[m.Metric]), Low: m.Low, High: m.High, Cells: cmp.Or(m.Cells, 10),
		})
	}
	if c, ok := a.Archive.(*metric.CVT[illuminate.Entry]); ok {
		out.Kind = "cvt"
		for k := range c.Cells() {
			out.Centroids = append(out.Centroids, c.Centroid(k))
		}
	}
	for e := range a.Elites() {
		if row, ok := b.row[e.Item.ID]; ok {
			out.Elites = append(out.Elites, Elite{Cell: e.Cell, Row: row})
		}
	}
	b.view.Archive = out
	return nil
}
