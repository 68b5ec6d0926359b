package view

import (
	"context"
	"fmt"
	"strings"

	"github.com/daedalus-search/daedalus/internal/term"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/store"
	"github.com/daedalus-search/daedalus/study"
)

// answer says what was found, in words, and which designs to look at first.
func (b *builder) answer(ctx context.Context) error {
	a := &b.view.Answer
	a.Picks = []Pick{}
	f := &b.view.Front
	if len(f.Rows) == 0 {
		a.Headline = b.nothing()
		b.advise()
		return nil
	}
	n := term.Plural(int64(len(b.best)), "design")
	limits := make([]string, len(b.src.Goal.Limits))
	for i, l := range b.src.Goal.Limits {
		limits[i] = b.limit(l)
	}
	switch {
	case !f.Feasible:
		a.Headline = fmt.Sprintf("No design keeps every limit (%s). %s nearest.", strings.Join(limits, ", "), are(len(b.best), "design"))
	case b.m == 1:
		a.Headline = "The best design has " + b.values(f.Rows[0], 0)
		if len(b.best) > 1 {
			a.Headline += fmt.Sprintf("; %s have it", n)
		}
		a.Headline += "."
	default:
		var ends []string
		for _, o := range b.view.Goal.Objectives {
			if o.Column < 0 {
				continue
			}
			c := b.rows.columns[o.Column]
			xs := make([]float64, len(f.Rows))
			for i, row := range f.Rows {
				xs[i] = c.xs[row]
			}
			low, high := extremes(xs)
			ends = append(ends, strings.TrimSpace(fmt.Sprintf("%s from %s to %s %s", o.Metric, term.Number(low), term.Number(high), c.Unit)))
		}
		a.Headline = fmt.Sprintf("%s on the front, with %s.", are(len(b.best), "design"), and(ends))
	}
	add := func(row int, role string) {
		for i := range a.Picks {
			if a.Picks[i].Row == row {
				a.Picks[i].Role += ", " + role
				return
			}
		}
		a.Picks = append(a.Picks, Pick{row, role})
	}
	if b.m == 1 || !f.Feasible {
		role := "best"
		if !f.Feasible {
			role = "nearest to the limits"
		}
		add(f.Rows[0], role)
	} else {
		if f.Knee >= 0 {
			add(f.Knee, "knee")
		}
		for k, o := range b.view.Goal.Objectives {
			word := "least "
			switch o.Direction {
			case "maximize":
				word = "most "
			case "target":
				word = "nearest "
			}
			add(b.end(k), word+o.Metric)
		}
	}
	if err := b.truth(ctx); err != nil {
		return err
	}
	b.advise()
	return nil
}

// are says "One design is", "2 designs are".
func are(n int, noun string) string {
	if n == 1 {
		return "One " + noun + " is"
	}
	return term.Plural(int64(n), noun) + " are"
}

// were says "1 range was", "2 ranges were".
func were(n int, noun string) string {
	s := term.Plural(int64(n), noun)
	if n == 1 {
		return s + " was"
	}
	return s + " were"
}

// end returns the member of the front that is best in an objective.
func (b *builder) end(k int) int {
	best := b.view.Front.Rows[0]
	for _, row := range b.view.Front.Rows {
		if b.rows.loss[row][k] < b.rows.loss[best][k] {
			best = row
		}
	}
	return best
}

// values writes the value of an objective with its unit.
func (b *builder) values(row, k int) string {
	if k >= len(b.view.Goal.Objectives) || b.view.Goal.Objectives[k].Column < 0 {
		return "a loss of " + term.Number(b.rows.loss[row][k])
	}
	o := b.view.Goal.Objectives[k]
	c := b.rows.columns[o.Column]
	return strings.TrimSpace(fmt.Sprintf("%s %s %s", o.Metric, term.Number(c.xs[row]), c.Unit))
}

// truth compares with the true front if the problem knows it.
func (b *builder) truth(ctx context.Context) error {
	if b.src.Problem == nil || !b.view.Front.Feasible {
		return nil
	}
	members := make([]study.Member, 0, len(b.view.Front.Rows))
	for i, row := range b.view.Front.Rows {
		m := study.Member{Trial: b.rows.numbers[row], Score: metric.Score{Loss: b.rows.loss[row], Violation: b.rows.miss[row]}}
		for _, v := range b.view.Front.Verified {
			if x := v.Values[i]; x != nil {
				if m.Verified == nil {
					m.Verified = metric.Values{}
				}
				m.Verified[v.Metric] = *x
			}
		}
		members = append(members, m)
	}
	t, ok, err := study.CompareTruth(ctx, b.src.Problem, b.src.Goal, members)
	if err != nil || !ok {
		return err
	}
	s := fmt.Sprintf("The true front is known: %s of its %s are found, and %s of its hypervolume",
		term.Int(int64(t.Found)), term.Plural(int64(t.Members), "design"), term.Percent(t.Hypervolume))
	if b.m == 1 {
		if t.Found > 0 {
			b.view.Answer.Truth = "The best possible is known, and it was found."
			return nil
		}
		s = "The best possible is known, and it was not found"
	}
	var short []string
	for _, o := range b.src.Goal.Objectives {
		if x, ok := t.Regret[o.Metric]; ok && o.Target == nil {
			short = append(short, strings.TrimSpace(fmt.Sprintf("%s %s %s", o.Metric, term.Number(x), b.unit(o.Metric))))
		}
	}
	if len(short) > 0 {
		s += ". Best values short of the best possible by " + and(short)
	}
	b.view.Answer.Truth = s + "."
	return nil
}

// advise says what to try next.
func (b *builder) advise() {
	a := &b.view.Answer
	say := func(format string, args ...any) { a.Advice = append(a.Advice, fmt.Sprintf(format, args...)) }
	if len(b.numbers) == 0 {
		if b.src.Run != "" {
			say("Start it: `%s`", b.src.Run)
		}
		return
	}
	for _, c := range b.view.Checks {
		if c.Level == "good" {
			continue
		}
		switch c.ID {
		case "failures":
			if c.Level == "bad" {
				say("Look at why evaluations fail: `daedalus trials %s --state failed --format jsonl`", b.src.File)
			}
		case "limits":
			if !b.view.Front.Feasible {
				say("Loosen the limit that is missed most, or widen the space: no design keeps them all.")
			}
		case "progress":
			if c.Command != "" {
				say("Go on, it was still getting better: `%s`", c.Command)
			}
		case "edges":
			say("Widen the ranges that good designs lean against.")
		case "noise":
			say("Measure the front again before choosing from it.")
		}
	}
	if len(b.view.Front.Rows) > 0 && b.view.Front.Feasible {
		row := b.view.Front.Rows[0]
		if b.view.Front.Knee >= 0 {
			row = b.view.Front.Knee
		}
		say("Take a design out: `daedalus export %s --trial %d`", b.src.File, b.rows.numbers[row])
	}
	if h := b.view.History; h != nil && h.Baseline != nil && h.Baseline.behind {
		say("The baseline (%s) did better: try another method or another seed.", h.Baseline.What)
	}
	if b.counts[store.Waiting] > 0 && !b.view.Study.Running {
		say("%s still waiting; the next run takes them.", are(int(b.counts[store.Waiting]), "trial"))
	}
}
