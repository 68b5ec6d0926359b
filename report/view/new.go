package view

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/daedalus-search/daedalus/internal/shape"
	"github.com/daedalus-search/daedalus/internal/term"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/space"
	"github.com/daedalus-search/daedalus/store"
)

// A Source is what a [View] is made from. Only Store is required; what else is
// known makes the view say more.
type Source struct {
	Store    store.Store
	File     string            // what commands call the study; "" means its name
	Run      string            // the command that goes on with it, such as "daedalus run x.yaml"; "" if there is none
	Enqueue  string            // the command that has designs tried, such as "daedalus enqueue x.yaml"; "" if there is none
	Goal     metric.Goal       // what counts
	Problem  problem.Problem   // draws, labels and verifies designs, and shows what random sampling would reach
	Method   search.Method     // as it was configured
	Budget   string            // for people, such as "500 trials"
	Findings []problem.Finding // what the problem found out; see problem.Assessor
	Baseline store.Store       // another study to compare with, instead of random sampling
	Engine   string            // version that makes the view
	Made     time.Time         // now
	Rows     int               // most rows; 0 means 100,000
	Bytes    int               // about how large a page may be; 0 means 14 MB
}

// Defaults of a Source.
const (
	maxRows  = 100_000
	maxBytes = 14_000_000
)

// New reads a study, which may be running, and prepares it.
func New(ctx context.Context, src Source) (*View, error) {
	b := &builder{src: src, view: &View{
		Format: Format, Engine: src.Engine, Made: src.Made, Missing: map[string]string{}, blocks: map[string]block{},
		Findings: src.Findings,
	}}
	for _, step := range []func(context.Context) error{
		b.describe, b.score, b.read, b.front, b.history, b.archive, b.matter, b.flow, b.similar, b.draw, b.check, b.answer, b.pack,
	} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return b.view, nil
}

// A builder makes a view. Its steps stand in the files named after them.
type builder struct {
	src     Source
	view    *View
	rec     store.Study
	metrics []metric.Metric
	shape   *shape.Shape
	space   *space.Space // nil if this version cannot read it
	counts  map[store.State]int64

	// Of every trial, in order of their numbers:
	numbers    []int64
	losses     []float64 // m a trial
	violations []float64
	states     []store.State
	m          int
	best       []int // the front, as indexes of these, by the first objective

	volumes  []float64 // the hypervolume after each evaluation; nil with one objective
	measured []int     // which trials these were, as indexes of numbers

	rows *rows
	row  map[int64]int // trial number → row

	kept *archive // of a quality-diversity method, filled
}

// describe reads what the study is.
func (b *builder) describe(ctx context.Context) (err error) {
	if b.rec, err = b.src.Store.Study(ctx); err != nil {
		return err
	}
	if b.counts, err = b.src.Store.Count(ctx); err != nil {
		return err
	}
	rec, v := b.rec, b.view
	if len(rec.Metrics) > 0 {
		if err := json.Unmarshal(rec.Metrics, &b.metrics); err != nil {
			return fmt.Errorf("view: the metrics of study %s: %w", rec.Name, err)
		}
	}
	if b.shape, err = shape.Read(rec.Space); err != nil {
		return fmt.Errorf("view: the space of study %s: %w", rec.Name, err)
	}
	if b.src.File == "" {
		b.src.File = rec.Name
	}
	v.Study = Study{
		Name: rec.Name, File: b.src.File, Run: b.src.Run, Enqueue: b.src.Enqueue, Problem: rec.Problem, Searcher: rec.Searcher, Reason: rec.Reason,
		Seed: strconv.FormatUint(rec.Seed, 10), Created: rec.Created, Status: rec.Status, Stopped: rec.StopReason,
		Running: rec.Status == "running", Engine: rec.Engine, Budget: b.src.Budget,
	}
	v.Study.Seconds, _ = strconv.ParseFloat(rec.Attrs["elapsed_s"], 64)
	if b.src.Problem != nil {
		b.space = b.src.Problem.Space()
	} else if len(rec.Space) > 0 {
		// A space that this version cannot read leaves the rest to be looked at.
		b.space, _ = space.Parse("the space of study "+rec.Name, rec.Space)
	}
	if b.space != nil {
		switch n, exact := b.space.Count(); {
		case n == nil && exact:
			v.Study.Designs = "infinite"
		case n == nil:
			v.Study.Designs = "more than can be counted"
		case !exact:
			v.Study.Designs = "at most " + term.Big(n)
		default:
			v.Study.Designs = term.Big(n)
		}
	}
	v.Trials.States = map[string]int64{}
	for s, n := range b.counts {
		v.Trials.States[s.String()] = n
	}
	v.Study.Question = b.question()
	return nil
}

// score reads the scores of every trial and finds the front.
func (b *builder) score(ctx context.Context) (err error) {
	if b.numbers, b.losses, b.violations, b.states, err = b.src.Store.Scores(ctx); err != nil {
		return err
	}
	n := len(b.numbers)
	b.view.Trials.Total = n
	if n == 0 {
		return nil
	}
	if b.m = len(b.losses) / n; b.m == 0 {
		return nil
	}
	violations := slices.Clone(b.violations)
	for i, s := range b.states {
		if s != store.Complete { // only what was measured competes
			violations[i] = math.Inf(1)
		}
	}
	b.best = metric.Best(b.losses, b.m, violations)
	slices.SortStableFunc(b.best, func(x, y int) int { return metric.Compare(b.scoreOf(x), b.scoreOf(y)) })
	return nil
}

// scoreOf returns the score of a trial by its index.
func (b *builder) scoreOf(i int) metric.Score {
	return metric.Score{Loss: b.losses[i*b.m : (i+1)*b.m], Violation: b.violations[i]}
}

// read makes the columns.
func (b *builder) read(ctx context.Context) (err error) {
	most := b.src.Rows
	if most <= 0 {
		most = maxRows
	}
	n := len(b.numbers)
	wanted := map[string]string{}
	for _, o := range b.src.Goal.Objectives {
		if o.Target == nil {
			wanted[o.Metric] = better(o.Direction)
		}
	}
	if n > most { // the elites must be known to be among the rows
		if err := b.fillFromStore(ctx); err != nil {
			return err
		}
	}
	keep := spread(n, most, b.mustKeep())
	b.rows = newRows(b.rec, b.shape, b.metrics, wanted)
	if n > 0 {
		i, k := 0, 0
		for t, err := range b.src.Store.Trials(ctx, store.Filter{To: b.numbers[n-1] + 1}) {
			if err != nil {
				return err
			}
			for i < n && b.numbers[i] < t.Number {
				i++
			}
			if i == n || k == len(keep) {
				break
			}
			if b.numbers[i] != t.Number || keep[k] != i {
				continue
			}
			k++
			if err := b.rows.add(&t); err != nil {
				return err
			}
		}
	}
	b.rows.done()
	if n <= most {
		if err := b.fillFromRows(); err != nil {
			return err
		}
	}
	notes, err := b.fit()
	if err != nil {
		return err
	}
	if len(keep) < n {
		notes = append([]string{fmt.Sprintf("The page holds %s of %s trials: the front and an even sample of the rest. Front, history and archive are over all of them.",
			term.Int(int64(b.rows.n)), term.Int(int64(n)))}, notes...)
	}
	b.view.Trials.Note = strings.Join(notes, " ")
	b.view.Trials.Rows = b.rows.n
	b.row = make(map[int64]int, b.rows.n)
	for r, number := range b.rows.numbers {
		b.row[number] = r
	}
	return b.goal()
}

// spread returns at most the given number of the indexes below n, in rising
// order: the wanted ones and an even sample of the rest.
func spread(n, most int, wanted []int) []int {
	if n <= most {
		out := make([]int, n)
		for i := range out {
			out[i] = i
		}
		return out
	}
	chosen := make([]bool, n)
	left := most
	for _, i := range wanted {
		if left == 0 {
			break
		}
		if !chosen[i] {
			chosen[i] = true
			left--
		}
	}
	if left > 0 {
		for k := range left {
			chosen[k*n/left] = true
		}
	}
	out := make([]int, 0, most)
	for i, yes := range chosen {
		if yes {
			out = append(out, i)
		}
	}
	return out
}

// fit makes the columns small enough for a page: it keeps seven digits of the
// parameters' numbers, then fewer rows. It says what it did.
func (b *builder) fit() (notes []string, err error) {
	limit := float64(b.src.Bytes)
	if limit <= 0 {
		limit = maxBytes
	}
	r := b.rows
	exact, rounded := 0.0, 0.0
	for i := 0; i < len(r.columns); i++ {
		c := r.columns[i]
		whole, err := c.size(false)
		if err != nil {
			return nil, err
		}
		if c.Name == "why" && whole > limit/10 {
			r.columns = slices.Delete(r.columns, i, i+1)
			i--
			notes = append(notes, "Why each design was proposed was left out to keep the page small; `daedalus trials` has it.")
			continue
		}
		exact += whole
		if c.roundable() {
			if whole, err = c.size(true); err != nil {
				return nil, err
			}
		}
		rounded += whole
	}
	if exact <= limit {
		return notes, nil
	}
	for _, c := range r.columns {
		c.Rounded = c.roundable()
	}
	notes = append(notes, "Numbers of parameters are kept with seven digits; the study file has them exactly.")
	if rounded > limit {
		n := r.n
		var must []int
		for _, i := range b.mustKeep() {
			if row, ok := slices.BinarySearch(r.numbers, b.numbers[i]); ok {
				must = append(must, row)
			}
		}
		r.choose(spread(n, max(int(float64(n)*limit/rounded), 100), must))
		notes = append(notes, fmt.Sprintf("With %s parameters only %s of %s trials fit into a page: the front and an even sample of the rest.",
			term.Int(int64(len(r.params))), term.Int(int64(r.n)), term.Int(int64(n))))
	}
	return notes, nil
}

// mustKeep returns the trials, as indexes of numbers, that a page must hold: the
// front and the archive.
func (b *builder) mustKeep() []int {
	out := slices.Clone(b.best)
	if b.kept != nil {
		for e := range b.kept.Elites() {
			if i, ok := slices.BinarySearch(b.numbers, e.Item.ID); ok {
				out = append(out, i)
			}
		}
	}
	return out
}

// goal ties the objectives and limits to columns.
func (b *builder) goal() error {
	g := Goal{Objectives: []Objective{}, Axes: []int{}, Limits: []Limit{}}
	for _, o := range b.src.Goal.Objectives {
		direction := o.Direction.String()
		if o.Target != nil {
			direction = "target"
		}
		g.Objectives = append(g.Objectives, Objective{
			Metric: o.Metric, Column: b.rows.find(b.rows.metric[o.Metric]), Direction: direction, Target: o.Target, Text: o.String(),
		})
	}
	for _, up := range []bool{false, true} {
		for _, o := range g.Objectives {
			if (o.Direction == "maximize") == up && o.Column >= 0 && !slices.Contains(g.Axes, o.Column) {
				g.Axes = append(g.Axes, o.Column)
			}
		}
	}
	for _, l := range b.src.Goal.Limits {
		g.Limits = append(g.Limits, Limit{
			Metric: l.Metric, Column: b.rows.find(b.rows.metric[l.Metric]), Op: l.Op.String(), Bound: l.Bound, Soft: l.Soft != 0, Text: l.String(),
		})
	}
	b.view.Goal = g
	if len(g.Objectives) > 0 && b.m > 0 && b.m != len(g.Objectives) {
		return fmt.Errorf("view: study %s has %d losses a trial for %d objectives", b.rec.Name, b.m, len(g.Objectives))
	}
	return nil
}

// front describes the best designs.
func (b *builder) front(ctx context.Context) error {
	f := &b.view.Front
	f.Rows, f.Knee = []int{}, -1
	if len(b.best) == 0 {
		b.view.Missing["front"] = b.nothing()
		return nil
	}
	f.Feasible = b.violations[b.best[0]] == 0
	points := make([]float64, 0, len(b.best)*b.m)
	for _, i := range b.best {
		if row, ok := b.row[b.numbers[i]]; ok {
			f.Rows = append(f.Rows, row)
			points = append(points, b.scoreOf(i).Loss...)
		}
	}
	if k := metric.Knee(points, b.m); k >= 0 && b.m > 1 {
		f.Knee = f.Rows[k]
	}
	return b.verify(ctx)
}

// nothing says why there is nothing to show.
func (b *builder) nothing() string {
	done := b.counts[store.Complete]
	switch {
	case len(b.numbers) == 0:
		return "There are no trials yet."
	case done == 0:
		return fmt.Sprintf("None of %s was measured.", term.Plural(int64(len(b.numbers)), "trial"))
	case b.m == 0:
		return "The study says no objectives."
	}
	return "No trial has finite values of every objective."
}

// verify labels the members of the front and measures them as the problem's
// Verifier does.
func (b *builder) verify(ctx context.Context) error {
	p := b.src.Problem
	if p == nil {
		return nil
	}
	f := &b.view.Front
	if r, ok := p.(problem.Referencer); ok {
		var err error
		if f.References, err = r.References(ctx); err != nil {
			return fmt.Errorf("the references: %w", err)
		}
	}
	labeler, labels := p.(problem.Labeler)
	verifier, verifies := p.(problem.Verifier)
	if verifies {
		for _, m := range verifier.VerifyMetrics() {
			f.Verified = append(f.Verified, VerifiedPart{Metric: m.Name, Unit: m.Unit, Better: better(m.Direction)})
		}
	}
	if !labels && !verifies {
		return nil
	}
	for _, row := range f.Rows {
		d, err := p.Space().ParseJSON(b.rows.designs[row])
		if labels {
			label := ""
			if err == nil {
				label = labeler.Label(d)
			}
			f.Labels = append(f.Labels, label)
		}
		if !verifies {
			continue
		}
		var values metric.Values
		if err == nil {
			if values, err = verifier.Verify(ctx, d); errors.Is(err, context.Canceled) {
				return err
			}
		}
		for k := range f.Verified {
			var at *float64
			if x, ok := values[f.Verified[k].Metric]; err == nil && ok && !math.IsNaN(x) && !math.IsInf(x, 0) {
				at = ptr(x)
			}
			f.Verified[k].Values = append(f.Verified[k].Values, at)
		}
	}
	if verifies {
		for k, m := range verifier.VerifyMetrics() {
			b.rows.addVerified(m, f.Rows, f.Verified[k].Values)
		}
	}
	return nil
}

// pack makes the blocks and lists the columns.
func (b *builder) pack(context.Context) error {
	b.view.Columns = []Column{}
	for i, c := range b.rows.columns {
		if err := c.encode("c"+strconv.Itoa(i), b.view.blocks); err != nil {
			return err
		}
		b.view.Columns = append(b.view.Columns, c.Column)
	}
	return nil
}
