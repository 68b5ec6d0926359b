package view

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/internal/term"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/store"
)

// check looks at what could make the result doubtful, in the sense of Ax's
// health checks. Every check says something, also when all is well: that it was
// looked at is part of the answer.
func (b *builder) check(ctx context.Context) error {
	b.view.Checks = []Check{}
	if len(b.numbers) == 0 {
		return nil
	}
	for _, look := range []func() *Check{
		b.checkFailures, b.checkLimits, b.checkProgress, b.checkEdges, b.checkPredictable, b.checkRepeats, b.checkNoise, b.checkRejections,
	} {
		if err := ctx.Err(); err != nil {
			return err
		}
		if c := look(); c != nil {
			b.view.Checks = append(b.view.Checks, *c)
		}
	}
	order := map[string]int{"bad": 0, "note": 1, "good": 2}
	slices.SortStableFunc(b.view.Checks, func(x, y Check) int { return order[x.Level] - order[y.Level] })
	return nil
}

func (b *builder) spent() int64 {
	return b.counts[store.Complete] + b.counts[store.Pruned] + b.counts[store.Infeasible] + b.counts[store.Failed]
}

func share(n, of int64) float64 { return float64(n) / float64(max(of, 1)) }

func (b *builder) checkFailures() *Check {
	n, of := b.counts[store.Failed], b.spent()
	if of == 0 {
		return nil
	}
	c := &Check{ID: "failures", Level: "good", Title: "Evaluations succeed", Text: fmt.Sprintf("None of %s failed.", term.Plural(of, "evaluation"))}
	if n == 0 {
		return c
	}
	c.Level, c.Title = "note", "Some evaluations failed"
	c.Text = fmt.Sprintf("%s of %s evaluations failed (%s).", term.Int(n), term.Int(of), term.Percent(share(n, of)))
	if share(n, of) > 0.2 {
		c.Level, c.Title = "bad", "Many evaluations failed"
	}
	if why := b.rows.record["error"]; b.rows.find(why) >= 0 {
		counts := make([]int, len(why.Values))
		most := 0
		for row, k := range why.code {
			if k > 0 && b.rows.state[row] == store.Failed {
				if counts[k-1]++; counts[k-1] > counts[most] {
					most = int(k - 1)
				}
			}
		}
		if len(counts) > 0 && counts[most] > 0 {
			c.Text += fmt.Sprintf(" The most frequent reason: %s", shorten(firstLine(why.Values[most].(string)), 160))
		}
	}
	c.Command = fmt.Sprintf("daedalus trials %s --state failed", b.src.File)
	return c
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}

func (b *builder) checkLimits() *Check {
	hard := 0
	for _, l := range b.src.Goal.Limits {
		if l.Soft == 0 {
			hard++
		}
	}
	measured, kept := int64(0), int64(0)
	for i, s := range b.states {
		if s == store.Complete && !math.IsNaN(b.violations[i]) {
			measured++
			if b.violations[i] == 0 {
				kept++
			}
		}
	}
	impossible := b.counts[store.Infeasible]
	if hard == 0 && impossible == 0 || measured+impossible == 0 {
		return nil
	}
	c := &Check{ID: "limits", Level: "good", Title: "Limits can be kept"}
	c.Text = fmt.Sprintf("%s of %s measured designs keep every limit (%s).", term.Int(kept), term.Int(measured), term.Percent(share(kept, measured)))
	switch {
	case measured == 0:
		c.Level, c.Title, c.Text = "bad", "No design could be built", ""
	case kept == 0:
		c.Level, c.Title = "bad", "No design keeps every limit"
		c.Text = "The nearest ones are shown instead of a front." + b.tightest()
	case share(kept, measured) < 0.05:
		c.Level, c.Title = "note", "Few designs keep every limit"
		c.Text += b.tightest()
	}
	if impossible > 0 {
		c.Text = strings.TrimSpace(c.Text + fmt.Sprintf(" %s more could not be built.", term.Int(impossible)))
		if c.Level == "good" && share(impossible, measured+impossible) > 0.3 {
			c.Level, c.Title = "note", "Many designs cannot be built"
			c.Text += " A constraint (require:) that says which ones would save these evaluations."
		}
	}
	return c
}

// tightest names the limit that is missed most often.
func (b *builder) tightest() string {
	worst, most, of := "", 0, 0
	for _, l := range b.src.Goal.Limits {
		c := b.rows.metric[l.Metric]
		if l.Soft != 0 || b.rows.find(c) < 0 {
			continue
		}
		missed, seen := 0, 0
		for _, x := range c.xs {
			if x == x {
				seen++
				if l.Violation(x) > 0 {
					missed++
				}
			}
		}
		if missed > most {
			worst, most, of = l.String(), missed, seen
		}
	}
	if worst == "" {
		return ""
	}
	return fmt.Sprintf(" Missed most often: %s, by %s of %s.", worst, term.Int(int64(most)), term.Int(int64(of)))
}

// lateShare is how much of the evaluations counts as the end of a search.
const lateShare = 0.25

func (b *builder) checkProgress() *Check {
	h := b.view.History
	if h == nil || len(h.Values) == 0 || b.spent() < 20 {
		return nil
	}
	n := h.Trials[len(h.Trials)-1]
	first, last := h.Values[0], h.Values[len(h.Values)-1]
	late := n - int(lateShare*float64(n))
	before := first
	for i, t := range h.Trials {
		if t <= late {
			before = h.Values[i]
		}
	}
	if b.m > 1 {
		first = 0
	}
	c := &Check{ID: "progress", Level: "good", Title: "The search has settled"}
	gain := math.Abs(last-before) / math.Max(math.Abs(last-first), 1e-300)
	what := "best value"
	if b.m > 1 {
		what = "hypervolume of the front"
	}
	switch {
	case last == first && b.m == 1:
		c.Level, c.Title, c.Text = "note", "Nothing beat the first measured design", "Either it is very good, or the search does not find its way."
	case gain > 0.02:
		c.Level, c.Title = "note", "The search was still finding better designs"
		c.Text = fmt.Sprintf("The last quarter of the evaluations brought %s of all gain in the %s. More trials would likely pay.", term.Percent(gain), what)
		if b.src.Run != "" {
			c.Command = fmt.Sprintf("%s --trials %d", b.src.Run, 2*max(b.spent(), 1))
		}
	default:
		c.Text = fmt.Sprintf("The last quarter of the evaluations brought %s of all gain in the %s.", term.Percent(gain), what)
	}
	if b.view.Study.Running && c.Level == "note" {
		c.Command = ""
	}
	return c
}

// good returns some good rows: the front if it has a few members, else the best
// tenth.
func (b *builder) good() []int {
	if len(b.view.Front.Rows) >= 5 {
		return b.view.Front.Rows
	}
	at, losses, violations := b.measuredRows()
	var out []int
	for i, yes := range metric.BestQuantile(losses, b.m, violations, bestShare) {
		if yes {
			out = append(out, at[i])
		}
	}
	return out
}

// edgeShare is which share of good designs at the end of a range makes the range
// look too small.
const edgeShare = 0.5

func (b *builder) checkEdges() *Check {
	good := b.good()
	if len(good) < 3 || b.view.Front.Rows == nil || !b.view.Front.Feasible {
		return nil
	}
	var hits []string
	ranges := 0
	for _, c := range b.rows.columns {
		if c.Part != "param" || !c.numeric() || c.Low == nil || c.High == nil || *c.Low == *c.High || strings.HasSuffix(c.Static, "]") {
			continue
		}
		if c.Whole && *c.High-*c.Low < 3 { // few values: some must be at an end
			continue
		}
		ranges++
		low, high := *c.Low, *c.High
		near := func(x, end float64) bool {
			if c.Log && low > 0 {
				return math.Abs(math.Log(x/end)) <= 0.02*math.Log(high/low)
			}
			return math.Abs(x-end) <= 0.02*(high-low)
		}
		var atLow, atHigh, seen, allLow, allHigh, all int
		for _, row := range good {
			if x := c.xs[row]; x == x {
				seen++
				if near(x, low) {
					atLow++
				} else if near(x, high) {
					atHigh++
				}
			}
		}
		for _, x := range c.xs {
			if x == x {
				all++
				if near(x, low) {
					allLow++
				} else if near(x, high) {
					allHigh++
				}
			}
		}
		edge := func(n, allN int, end float64, word string) {
			if seen >= 3 && float64(n) >= edgeShare*float64(seen) && float64(n)/float64(seen) > 1.5*float64(allN)/float64(all) {
				hits = append(hits, fmt.Sprintf("%s at its %s %s (%d of %d good designs)", c.Name, word, term.Number(end), n, seen))
			}
		}
		edge(atLow, allLow, low, "least")
		edge(atHigh, allHigh, high, "most")
	}
	if ranges == 0 {
		return nil
	}
	c := &Check{ID: "edges", Level: "good", Title: "Ranges are wide enough", Text: fmt.Sprintf("Good designs do not crowd at the end of a range; %s looked at.", were(ranges, "range"))}
	if len(hits) > 0 {
		c.Level, c.Title = "note", "Good designs lie at the edge of the space"
		more := ""
		if len(hits) > 4 {
			more = fmt.Sprintf(" and %d more", len(hits)-4)
			hits = hits[:4]
		}
		c.Text = "Better ones may lie beyond: " + strings.Join(hits, "; ") + more + ". Widen these ranges in the study file if that makes sense."
	}
	return c
}

// Predicting an objective from the nearest designs.
const (
	predictRows = 400
	neighbours  = 5
)

func (b *builder) checkPredictable() *Check {
	at, losses, _ := b.measuredRows()
	if len(at) < 30 || b.m == 0 {
		return nil
	}
	pickRows := spread(len(at), predictRows, nil)
	rows := make([]int, len(pickRows))
	for i, k := range pickRows {
		rows[i] = at[k]
	}
	r := b.ruler(rows)
	if len(r.unit) == 0 {
		return nil
	}
	predicted := make([][]float64, b.m)
	actual := make([][]float64, b.m)
	type near struct {
		d float64
		i int
	}
	for i := range rows {
		var best []near
		for j := range rows {
			if i == j {
				continue
			}
			d := r.distance(i, j)
			if len(best) == neighbours && d >= best[neighbours-1].d {
				continue
			}
			k, _ := slices.BinarySearchFunc(best, d, func(n near, d float64) int {
				if n.d <= d {
					return -1
				}
				return 1
			})
			best = slices.Insert(best, k, near{d, j})
			best = best[:min(len(best), neighbours)]
		}
		for k := range b.m {
			sum := 0.0
			for _, n := range best {
				sum += losses[pickRows[n.i]*b.m+k]
			}
			predicted[k] = append(predicted[k], sum/float64(len(best)))
			actual[k] = append(actual[k], losses[pickRows[i]*b.m+k])
		}
	}
	c := &Check{ID: "predictable", Level: "good", Title: "Similar designs measure alike"}
	var words []string
	worst := 1.0
	for k := range b.m {
		rho := metric.Spearman(predicted[k], actual[k])
		name := b.objective(k)
		if math.IsNaN(rho) {
			words = append(words, name+" is constant")
			continue
		}
		worst = min(worst, rho)
		words = append(words, fmt.Sprintf("%s %.2f", name, rho))
	}
	c.Text = fmt.Sprintf("Rank correlation of a design's value with the mean of its %d most similar ones: %s.", neighbours, strings.Join(words, ", "))
	switch {
	case worst < 0.2:
		c.Level, c.Title = "note", "Values are hard to predict from the parameters"
		c.Text += " Either noise hides the effect of the parameters, or few designs were tried for so large a space; methods that learn have little to learn from."
	case worst > 0.7:
		c.Text += " A method with a model (tpe) can use that."
	}
	return c
}

func (b *builder) checkRepeats() *Check {
	n := b.counts[store.Cached]
	of := n + b.spent()
	c := &Check{ID: "repeats", Level: "good", Title: "Designs are not proposed twice", Text: fmt.Sprintf("%s of %s proposals were served from the cache.", term.Int(n), term.Int(of))}
	switch {
	case of < 10:
		return nil
	case n == 0:
		c.Text = fmt.Sprintf("All %s proposals were new, or were measured again on purpose.", term.Int(of))
	case share(n, of) > 0.5:
		c.Level, c.Title = "note", "Most proposals repeat earlier designs"
		c.Text += " They cost nothing, but the search may have run out of ideas: another seed, or a method that explores more, would try other designs."
	}
	return c
}

// checkNoise compares measurements of equal designs.
func (b *builder) checkNoise() *Check {
	r := b.rows
	type group struct {
		first int
		rows  []int
	}
	groups := map[string]*group{}
	at, _, _ := b.measuredRows()
	repeated := 0
	for _, row := range at {
		key := string(r.designs[row])
		g := groups[key]
		if g == nil {
			groups[key] = &group{first: row, rows: []int{row}}
			continue
		}
		g.rows = append(g.rows, row)
		repeated++
	}
	noisy := false
	if p, ok := b.src.Problem.(problem.Noisy); ok {
		noisy = p.Noisy()
	}
	if repeated == 0 {
		if !noisy {
			return nil
		}
		return &Check{
			ID: "noise", Level: "note", Title: "The noise is not known",
			Text: "The problem is noisy and no design was measured twice, so differences on the front may be luck. Measure the front again before deciding.",
		}
	}
	var words []string
	worst := 0.0
	for k := range b.m {
		var within, n float64
		var values []float64
		for _, row := range at {
			g := groups[string(r.designs[row])]
			values = append(values, r.loss[row][k])
			if len(g.rows) < 2 || g.first != row {
				continue
			}
			mean := 0.0
			for _, x := range g.rows {
				mean += r.loss[x][k] / float64(len(g.rows))
			}
			for _, x := range g.rows {
				within += (r.loss[x][k] - mean) * (r.loss[x][k] - mean)
			}
			n += float64(len(g.rows) - 1)
		}
		sd := math.Sqrt(within / n)
		slices.Sort(values)
		spread := values[len(values)*9/10] - values[len(values)/10]
		if spread > 0 {
			worst = max(worst, sd/spread)
		}
		words = append(words, strings.TrimSpace(fmt.Sprintf("%s %s %s", b.objective(k), term.Number(sd), b.unit(b.objective(k)))))
	}
	c := &Check{ID: "noise", Level: "good", Title: "Measurements repeat"}
	c.Text = fmt.Sprintf("Standard deviation between %s of equal designs: %s.", term.Plural(int64(repeated+1), "measurement"), strings.Join(words, ", "))
	if worst == 0 {
		c.Text = fmt.Sprintf("%s of designs measured before gave the same values.", term.Plural(int64(repeated), "measurement"))
	}
	if worst > 0.1 {
		c.Level, c.Title = "note", "Measurements are noisy"
		c.Text += fmt.Sprintf(" That is up to %s of the range in which most designs lie; the front may hold lucky ones.", term.Percent(worst))
	}
	return c
}

// drawn is how many designs are drawn to see how many the constraints reject.
const drawn = 2000

func (b *builder) checkRejections() *Check {
	s := b.space
	if s == nil || !strings.Contains(string(b.rec.Space), `"require"`) {
		return nil
	}
	tries, rejected := s.Rejections()
	r := rng.New(b.rec.Seed, "report/rejections", 0)
	for range drawn {
		if _, err := s.Sample(r); err != nil {
			return &Check{ID: "rejections", Level: "bad", Title: "Hardly any design meets the constraints", Text: err.Error()}
		}
	}
	tries2, rejected2 := s.Rejections()
	n, of := rejected2-rejected, tries2-tries
	c := &Check{
		ID: "rejections", Level: "good", Title: "Constraints are cheap to meet",
		Text: fmt.Sprintf("%s of random designs had to be drawn again because a constraint did not hold.", term.Percent(share(n, of))),
	}
	if share(n, of) > 0.5 {
		c.Level, c.Title = "note", "Constraints reject most random designs"
		c.Text += " Narrower ranges, or conditions (when:) instead of constraints, make them quicker to draw."
	}
	return c
}
