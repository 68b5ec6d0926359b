package space

import (
	"fmt"
	"math"
	"strings"
)

// openDepth bounds derivations of a grammar that states no depth, so that a
// design always ends. A grammar that passes the check of [New] reaches it with
// a probability far below one in a billion unless its expected growth is
// within a few percent of 1.
const openDepth = 512

// grammar compiles a grammar: one rule node per nonterminal, shared by every
// place that uses it.
func (c *compiler) grammar(n *node, d *decl, depth int) {
	n.limit = d.depth
	if d.depth < 0 || d.depth > openDepth {
		c.fail(n.Path, "depth", fmt.Sprintf("%d", d.depth), fmt.Sprintf("1 to %d, or 0 for none", openDepth))
		return
	}
	rules := map[string]*node{}
	var order []*node
	for i := range d.rules {
		r := &d.rules[i]
		if _, dup := rules[r.Symbol]; dup || !nameForm.MatchString(r.Symbol) {
			c.fail(n.Path, "", fmt.Sprintf("rule %q", r.Symbol), nameWant+", one rule a symbol")
			continue
		}
		if len(r.Productions) == 0 {
			c.fail(n.Path, r.Symbol, "a rule without productions", "at least one production")
			continue
		}
		x := &node{decl: n.decl}
		x.Path, x.Name, x.Kind = join(n.Path, r.Symbol), r.Symbol, KindRule
		x.seed, x.N = hashText(x.Path), len(r.Productions)
		rules[r.Symbol] = x
		order = append(order, x)
	}
	start, ok := rules[d.start]
	if !ok {
		c.fail(n.Path, "start", fmt.Sprintf("symbol %q", d.start), "a symbol that has a rule")
		return
	}
	for i := range d.rules {
		r := &d.rules[i]
		x := rules[r.Symbol]
		if x == nil || len(x.kids) > 0 {
			continue
		}
		x.cum = c.productionPrior(n.Path, r)
		seen := map[string]bool{}
		for j, p := range r.Productions {
			name := strings.Join(p.Symbols, " ")
			if len(p.Symbols) == 0 || seen[name] {
				c.fail(n.Path, r.Symbol, fmt.Sprintf("production %d, %q", j+1, name), "productions that are not empty and differ")
			}
			seen[name] = true
			x.Labels = append(x.Labels, name)
			x.symbols = append(x.symbols, p.Symbols)
			list := c.list(join(x.Path, strings.ReplaceAll(name, " ", "_")), declsOf(p.With), depth+1)
			x.with = append(x.with, len(list))
			is := make([]bool, len(p.Symbols))
			for k, sym := range p.Symbols {
				if kid, ok := rules[sym]; ok {
					list = append(list, kid)
					is[k] = true
				} else if sym == "" || strings.ContainsAny(sym, " \t\n") {
					c.fail(n.Path, r.Symbol, fmt.Sprintf("symbol %q", sym), "a word without spaces")
				}
			}
			x.isRule = append(x.isRule, is)
			x.kids = append(x.kids, list)
		}
	}
	if len(c.errs) > 0 {
		return
	}
	if !c.terminates(n, order) {
		return
	}
	if n.limit == 0 {
		c.subcritical(n, order)
	}
	if n.limit > 0 && start.least() > n.limit {
		c.fail(n.Path, "depth", fmt.Sprintf("%d", n.limit), fmt.Sprintf("at least %d, the depth of the shortest derivation", start.least()))
	}
	for _, x := range order {
		c.finish(x)
	}
	n.kids = [][]*node{{start}}
}

// productionPrior gives stated probabilities as they are and shares what is
// left equally among the productions that state none.
func (c *compiler) productionPrior(path string, r *GrammarRule) []float64 {
	left, open := 1.0, 0
	for _, p := range r.Productions {
		switch {
		case p.Weight == 0:
			open++
		case p.Weight > 0 && p.Weight <= 1:
			left -= p.Weight
		default:
			c.fail(path, r.Symbol, fmt.Sprintf("probability %v", p.Weight), "0 < p <= 1")
			return nil
		}
	}
	if left < -1e-9 || (open > 0 && left <= 1e-12) || (open == 0 && math.Abs(left) > 1e-9) {
		c.fail(path, r.Symbol, fmt.Sprintf("probabilities that leave %v for %d productions without one", left, open), "probabilities of a rule that sum to 1")
		return nil
	}
	cum := make([]float64, len(r.Productions))
	acc := 0.0
	for i, p := range r.Productions {
		w := p.Weight
		if w == 0 {
			w = left / float64(open)
		}
		acc += w
		cum[i] = acc
	}
	cum[len(cum)-1] = 1
	return cum
}

// terminates computes how deep each production must go and reports rules that
// never end.
func (c *compiler) terminates(n *node, order []*node) bool {
	const never = math.MaxInt32
	for _, x := range order {
		x.minDepth = make([]int, x.N)
		for j := range x.minDepth {
			x.minDepth[j] = never
		}
	}
	for changed := true; changed; {
		changed = false
		for _, x := range order {
			for j := range x.minDepth {
				deep := 0
				for _, k := range x.kids[j][x.with[j]:] {
					deep = max(deep, k.least())
				}
				if deep < never && deep+1 < x.minDepth[j] {
					x.minDepth[j] = deep + 1
					changed = true
				}
			}
		}
	}
	ok := true
	for _, x := range order {
		if x.least() == never {
			c.fail(n.Path, x.Name, "a symbol whose every derivation goes on for ever", "a production that reaches terminals")
			ok = false
		}
	}
	return ok
}

// least returns the least depth a rule needs.
func (x *node) least() int {
	m := math.MaxInt32
	for _, d := range x.minDepth {
		m = min(m, d)
	}
	return m
}

// subcritical checks that the grammar is finite almost surely: the matrix of
// expected offspring must have a spectral radius of at most 1 (Harris 1963,
// The Theory of Branching Processes, theorem II.7.1; at exactly 1 a branching
// process still dies out).
func (c *compiler) subcritical(n *node, order []*node) {
	at := map[*node]int{}
	for i, x := range order {
		at[x] = i
	}
	k := len(order)
	m := make([]float64, k*k)
	for i, x := range order {
		for j := range x.kids {
			for _, kid := range x.kids[j][x.with[j]:] {
				m[i*k+at[kid]] += x.Weight(j)
			}
		}
	}
	// Power iteration on M + I, whose dominant eigenvalue is one more and
	// which cannot oscillate because its diagonal is positive.
	v := make([]float64, k)
	w := make([]float64, k)
	for i := range v {
		v[i] = 1
	}
	radius := 0.0
	for range 2000 {
		norm := 0.0
		for i := range w {
			w[i] = v[i]
			for j := range v {
				w[i] += m[i*k+j] * v[j]
			}
			norm = max(norm, w[i])
		}
		if norm == 0 {
			break
		}
		for i := range w {
			v[i] = w[i] / norm
		}
		radius = norm - 1
	}
	if radius > 1+1e-6 {
		c.fail(n.Path, "", fmt.Sprintf("a grammar whose symbols grow by a factor of %.3f a level", radius),
			"expected growth of at most 1, so that derivations end; raise the probability of a production that ends, or state a depth")
	}
}
