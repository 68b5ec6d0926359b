package view

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/daedalus-search/daedalus/internal/shape"
	"github.com/daedalus-search/daedalus/internal/term"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/store"
)

// flow describes how the designs came about: the space they are from, what made
// them, from which others, and where the time went.
func (b *builder) flow(context.Context) error {
	b.tree()
	b.operators()
	b.phases()
	b.lineage()
	return b.curves()
}

// tree lists the nodes of the space.
func (b *builder) tree() {
	b.view.Tree = []Node{}
	columns := map[string][]int{}
	for i, c := range b.rows.columns {
		if c.Part == "param" {
			columns[c.Static] = append(columns[c.Static], i)
		}
	}
	index := map[*shape.Part]int{}
	for _, p := range b.shape.Parts() {
		parent := -1
		if p.Parent != nil {
			parent = index[p.Parent]
		}
		index[p] = len(b.view.Tree)
		n := Node{
			Name: p.Name, Path: p.Path, Kind: p.Kind, Parent: parent, Domain: shorten(p.Domain, 300), Unit: p.Unit, Doc: p.Doc, When: p.When,
			Columns: []int{},
		}
		// The body of a repeat has the path of the repeat: its columns have an index.
		for _, k := range columns[p.Path] {
			indexed := strings.HasSuffix(b.rows.columns[k].Name, "]")
			if p.Body != nil && indexed || p.Parent != nil && p.Parent.Body == p && !indexed || p.Kind == "case" {
				continue
			}
			n.Columns = append(n.Columns, k)
		}
		b.view.Tree = append(b.view.Tree, n)
	}
}

// operators says what each operator of the searcher brought.
func (b *builder) operators() {
	c := b.rows.record["operator"]
	if b.rows.find(c) < 0 {
		b.view.Missing["operators"] = "The search method does not say how it made its designs."
		return
	}
	all := make([]Operator, len(c.Values))
	for i, v := range c.Values {
		all[i].Name = v.(string)
	}
	seconds := b.rows.record["seconds"]
	for row, k := range c.code {
		if k == 0 {
			continue
		}
		all[k-1].Trials++
		if b.rows.find(seconds) >= 0 && finite(seconds.xs[row]) {
			all[k-1].Seconds += seconds.xs[row]
		}
	}
	for _, row := range b.view.Front.Rows {
		if k := c.code[row]; k > 0 {
			all[k-1].OnFront++
		}
	}
	total := 0.0
	for _, g := range b.gains() {
		row, ok := b.row[b.numbers[g.trial]]
		if total += g.gain; ok && c.code[row] > 0 {
			all[c.code[row]-1].Gain += g.gain
		}
	}
	for i := range all {
		if total > 0 && finite(total) {
			all[i].Gain /= total
		} else {
			all[i].Gain = 0
		}
	}
	slices.SortStableFunc(all, func(x, y Operator) int { return y.Trials - x.Trials })
	b.view.Operators = all
}

// A gain is by how much a trial, an index of builder.numbers, improved the
// hypervolume or, with one objective, the best value.
type gain struct {
	trial int
	gain  float64
}

// gains returns the trials that improved something.
func (b *builder) gains() (out []gain) {
	if b.m == 1 {
		var best metric.Score
		for i := range b.numbers {
			s := b.scoreOf(i)
			if b.states[i] != store.Complete || !s.OK() || !s.Feasible() {
				continue
			}
			if best.Loss != nil && s.Loss[0] < best.Loss[0] {
				out = append(out, gain{i, best.Loss[0] - s.Loss[0]})
			}
			if best.Loss == nil || s.Loss[0] < best.Loss[0] {
				best = s
			}
		}
		return out
	}
	last := 0.0
	for k, v := range b.volumes {
		if v > last {
			out = append(out, gain{b.measured[k], v - last})
			last = v
		}
	}
	return out
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// phases sums up the time of trials.
func (b *builder) phases() {
	at := func(name string) *column {
		if c := b.rows.record[name]; b.rows.find(c) >= 0 {
			return c
		}
		return nil
	}
	queued, started, finished := at("queued"), at("started"), at("finished")
	if started == nil || finished == nil {
		b.view.Missing["timeline"] = "The study has no times of its trials."
		return
	}
	var waiting, running, failed float64
	var low, high float64
	seen := false
	for row, s := range b.rows.state {
		a, z := started.xs[row], finished.xs[row]
		if a != a || z != z {
			continue
		}
		if s == store.Failed {
			failed += z - a
		} else {
			running += z - a
		}
		if queued != nil && queued.xs[row] == queued.xs[row] {
			waiting += max(a-queued.xs[row], 0)
		}
		if !seen {
			low, high, seen = a, z, true
		}
		low, high = min(low, a), max(high, z)
	}
	if !seen {
		b.view.Missing["timeline"] = "No trial was started and finished."
		return
	}
	b.view.Phases = []Phase{
		{"waiting", waiting, "between proposal and start"},
		{"evaluating", running, "evaluations that gave a result"},
		{"failing", failed, "evaluations that failed"},
	}
	if wall := b.view.Study.Seconds; wall > 0 && high-low <= wall {
		// What the evaluations leave of the wall time when they run one by one.
		if rest := wall - running - failed; rest > 0 {
			b.view.Phases = append(b.view.Phases, Phase{"searching", rest, "choosing designs and keeping trials: the rest of the wall time"})
		}
	}
}

// lineage packs the parents.
func (b *builder) lineage() {
	at := make([]uint32, 1, b.rows.n+1)
	var numbers []int64
	for _, ps := range b.rows.parents {
		numbers = append(numbers, ps...)
		at = append(at, uint32(len(numbers)))
	}
	if len(numbers) == 0 {
		b.view.Missing["lineage"] = "The search method made every design afresh: none has parents."
		return
	}
	b.view.Lineage = &Lineage{Links: len(numbers)}
	b.view.blocks["lineage.at"] = integers32(at)
	b.view.blocks["lineage.number"] = integers32(numbers)
}

// mostPoints is how many intermediate results a page holds.
const mostPoints = 300_000

// curves packs the intermediate results.
func (b *builder) curves() error {
	if len(b.rows.steps) == 0 {
		b.view.Missing["curves"] = "No evaluation reported intermediate results."
		return nil
	}
	steps := b.rows.steps
	c := &Curves{}
	names := map[string]bool{}
	trials := map[int]bool{}
	for _, s := range steps {
		trials[s.row] = true
		for name := range s.values {
			names[name] = true
		}
	}
	for name := range names {
		c.Metrics = append(c.Metrics, name)
	}
	sort.Strings(c.Metrics)
	if len(steps) > mostPoints {
		every := len(steps)/mostPoints + 1
		keep := steps[:0:0]
		curve, last := -1, -1
		for _, s := range steps {
			if s.row != last {
				curve, last = curve+1, s.row
			}
			if curve%every == 0 {
				keep = append(keep, s)
			}
		}
		c.Note = fmt.Sprintf("Of %s trials with intermediate results every %dth is here.", term.Int(int64(len(trials))), every)
		steps = keep
	}
	c.Points = len(steps)
	rows, at := make([]uint32, len(steps)), make([]float64, len(steps))
	values := make([][]float64, len(c.Metrics))
	last := -1
	for i, s := range steps {
		rows[i], at[i] = uint32(s.row), float64(s.step)
		if s.row != last {
			c.Rows++
			last = s.row
		}
		for k, name := range c.Metrics {
			x, ok := s.values[name]
			values[k] = append(values[k], x+nanIf(!ok))
		}
	}
	b.view.Curves = c
	b.view.blocks["curves.row"] = integers32(rows)
	b.view.blocks["curves.step"] = floats64(at)
	for k := range values {
		b.view.blocks["curves.value."+strconv.Itoa(k)] = floats64(values[k])
	}
	return nil
}
