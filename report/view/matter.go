package view

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/daedalus-search/daedalus/internal/term"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/store"
)

// bestShare is which trials count as good where the front alone is too few: the
// best tenth, the default of PED-ANOVA.
const bestShare = 0.1

// fewest is how many trials it takes to say anything about parameters.
const fewest = 10

// measuredRows returns the rows with finite losses, and these.
func (b *builder) measuredRows() (at []int, losses, violations []float64) {
	r := b.rows
	for row := range r.n {
		s := metric.Score{Loss: r.loss[row], Violation: r.miss[row]}
		if r.state[row] == store.Complete && len(s.Loss) == b.m && b.m > 0 && s.OK() {
			at, losses, violations = append(at, row), append(losses, s.Loss...), append(violations, s.Violation)
		}
	}
	return at, losses, violations
}

// matter says which parameters matter and what good designs share.
func (b *builder) matter(context.Context) error {
	missing := func(why string) error {
		b.view.Missing["importance"], b.view.Missing["winners"] = why, why
		return nil
	}
	at, losses, violations := b.measuredRows()
	var params []int
	for i, c := range b.rows.columns {
		if c.Part == "param" && c.Kind != "text" {
			params = append(params, i)
		}
	}
	switch {
	case len(params) == 0:
		return missing("The designs have no parameters that can be compared.")
	case len(at) == 0:
		return missing(b.nothing())
	case len(at) < fewest:
		return missing(fmt.Sprintf("Only %s measured; it takes %d to tell what matters.", were(len(at), "design"), fewest))
	}
	factors := make([]metric.Factor, len(params))
	for k, p := range params {
		c := b.rows.columns[p]
		xs := make([]float64, len(at))
		for i, row := range at {
			xs[i] = c.at(row)
		}
		factors[k] = metric.Factor{Values: xs, Unordered: !c.numeric() && !c.Ordered}
	}
	rate := func(target string, losses []float64, m int, words string) []bool {
		best := metric.BestQuantile(losses, m, violations, bestShare)
		n := count(best)
		if n == 0 || n == len(best) {
			return best
		}
		imp := Importance{Target: target, Best: fmt.Sprintf("the best %s of %s measured designs %s", term.Int(int64(n)), term.Int(int64(len(best))), words)}
		sum := 0.0
		for k, f := range factors {
			x := metric.Explained(f, best)
			imp.Shares = append(imp.Shares, Share{Column: params[k], Explained: x})
			sum += x
		}
		if sum == 0 {
			return best
		}
		for k := range imp.Shares { // as metric.Importance does
			imp.Shares[k].Share = imp.Shares[k].Explained / sum
		}
		slices.SortStableFunc(imp.Shares, func(x, y Share) int { return cmp.Compare(y.Share, x.Share) })
		b.view.Importance = append(b.view.Importance, imp)
		return best
	}
	var good []bool
	if b.m == 1 {
		good = rate(b.objective(0), losses, 1, "by "+b.objective(0))
	} else {
		good = rate("front", losses, b.m, "by non-dominated rank")
		for k := range b.m {
			single := make([]float64, len(at))
			for i := range single {
				single[i] = losses[i*b.m+k]
			}
			rate(b.objective(k), single, 1, "by "+b.objective(k))
		}
	}
	if len(b.view.Importance) == 0 {
		b.view.Missing["importance"] = "No parameter tells the best designs from the others."
	}
	words := fmt.Sprintf("the best %s of %s measured designs", term.Int(int64(count(good))), term.Int(int64(len(good))))
	if front := b.onFront(at); b.m > 1 && count(front) >= 8 {
		good = front
		words = fmt.Sprintf("the %s on the front", term.Plural(int64(count(front)), "design"))
	}
	b.winners(at, good, params, words)
	return nil
}

func count(bits []bool) (n int) {
	for _, x := range bits {
		if x {
			n++
		}
	}
	return n
}

// onFront marks which of some rows are on the front.
func (b *builder) onFront(at []int) []bool {
	on := map[int]bool{}
	for _, row := range b.view.Front.Rows {
		on[row] = true
	}
	out := make([]bool, len(at))
	for i, row := range at {
		out[i] = on[row]
	}
	return out
}

// Winners are listed down to this probability, divided by how many values were
// looked at (Bonferroni), and at most so many.
const (
	winnerChance = 0.05
	mostWinners  = 40
)

// winners finds values that good designs have more often than others.
func (b *builder) winners(at []int, good []bool, params []int, words string) {
	of := count(good)
	if of == 0 || of == len(good) {
		b.view.Missing["winners"] = "There are no better and worse designs to compare."
		return
	}
	var all []Winner
	looked := 0
	for _, p := range params {
		c := b.rows.columns[p]
		for _, x := range c.intervals(at) {
			looked++
			w := Winner{Column: p, Text: x.text, Low: x.low, High: x.high, OfGood: of, OfAll: len(at)}
			for i, row := range at {
				if v := c.at(row); v >= x.low && v <= x.high {
					w.All++
					if good[i] {
						w.Good++
					}
				}
			}
			if w.All == len(at) || float64(w.Good)*float64(w.OfAll) <= float64(w.All)*float64(w.OfGood) {
				continue
			}
			w.Chance = metric.HypergeometricTail(w.OfAll, w.All, w.OfGood, w.Good)
			all = append(all, w)
		}
	}
	all = slices.DeleteFunc(all, func(w Winner) bool { return w.Chance > winnerChance/float64(looked) })
	if len(all) == 0 {
		b.view.Missing["winners"] = fmt.Sprintf("No value of a parameter is surely more frequent among %s.", words)
		return
	}
	slices.SortStableFunc(all, func(x, y Winner) int { return cmp.Compare(x.Chance, y.Chance) })
	b.view.Winners = &Winners{Good: words, Winner: all[:min(len(all), mostWinners)]}
}

// An interval is a value of a category or a range of numbers.
type interval struct {
	text      string
	low, high float64
}

// intervals returns the values of a category that occur, the values of a number
// with few of them, or its quarters between the rows.
func (c *column) intervals(at []int) []interval {
	if !c.numeric() {
		out := make([]interval, len(c.Values))
		for k, v := range c.Values {
			out[k] = interval{v.(string), float64(k), float64(k)}
		}
		return out
	}
	xs := make([]float64, 0, len(at))
	for _, row := range at {
		if x := c.xs[row]; !math.IsNaN(x) && !math.IsInf(x, 0) {
			xs = append(xs, x)
		}
	}
	slices.Sort(xs)
	if few := distinct(xs, 8); len(few) > 0 {
		out := make([]interval, len(few))
		for k, x := range few {
			out[k] = interval{term.Number(x), x, x}
		}
		return out
	}
	if len(xs) == 0 {
		return nil
	}
	const parts = 4
	var out []interval
	low := xs[0]
	for k := 1; k <= parts; k++ {
		high := xs[len(xs)*k/parts-1]
		if high < low {
			continue
		}
		out = append(out, interval{term.Number(low) + " … " + term.Number(high), low, high})
		next, _ := slices.BinarySearch(xs, math.Nextafter(high, math.Inf(1)))
		if next == len(xs) {
			break
		}
		low = xs[next]
	}
	return out
}
