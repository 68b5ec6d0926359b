package space

import (
	"encoding/json"
	"fmt"
	"strings"

	"pgregory.net/rapid"
)

// This file makes random spaces and lists their designs by brute force, from
// the declarations alone. It shares no code with the walker, the compiler of
// rules or the expression language.

// randomSpace draws a space of every kind of node, small enough to list.
type spaceMaker struct {
	t     *rapid.T
	names int
	reals bool // real numbers may occur
	open  bool // grammars may occur
	rules bool
}

func (m *spaceMaker) name() string {
	m.names++
	return fmt.Sprintf("p%d", m.names)
}

func (m *spaceMaker) int(lo, hi int, what string) int { return rapid.IntRange(lo, hi).Draw(m.t, what) }

// list draws nodes for one list. scope holds the numbers and booleans that
// conditions and constraints may mention, outermost first.
func (m *spaceMaker) list(depth, most int, scope []Node, inRepeat bool) []Node {
	var out []Node
	mine := scope[:len(scope):len(scope)]
	for range m.int(1, most, "nodes") {
		n := m.node(depth, mine)
		if m.rules && len(mine) > 0 && m.int(0, 3, "when?") == 0 {
			n = n.When(m.condition(mine))
		}
		out = append(out, n)
		switch n.kind {
		case KindInt, KindOrdinal, KindBool:
			mine = append(mine, n)
		}
		if n.kind == KindRepeat && m.rules && m.int(0, 1, "aggregate?") == 0 {
			k := n.nodes[0]
			switch {
			case k.name == "" && k.kind == KindInt:
				out = append(out, Require(fmt.Sprintf("sum(%s) <= %d", n.name, m.int(0, 8, "sum"))))
			case k.name != "" && k.kind == KindInt:
				out = append(out, Require(fmt.Sprintf("sum(%s.%s) != %d", n.name, k.name, m.int(0, 6, "sum"))))
			case k.name != "":
				out = append(out, Require(fmt.Sprintf("len(%s) != %d", n.name, n.min)))
			}
		}
	}
	// Inside a repeat, outer names are declared before it, so all are fair.
	if m.rules && len(mine) > 0 {
		for range m.int(0, 2, "constraints") {
			out = append(out, Require(m.condition(mine)))
		}
	}
	return out
}

func (m *spaceMaker) condition(scope []Node) string {
	a := scope[m.int(0, len(scope)-1, "a")]
	if a.kind == KindBool {
		return a.name + " == " + []string{"true", "false"}[m.int(0, 1, "bool")]
	}
	op := rapid.SampledFrom([]string{"<=", ">=", "!=", "=="}).Draw(m.t, "op")
	b := scope[m.int(0, len(scope)-1, "b")]
	if b.kind == KindBool || m.int(0, 2, "unary?") == 0 {
		return fmt.Sprintf("%s %s %d", a.name, op, m.int(0, 4, "k"))
	}
	if m.int(0, 1, "sum?") == 0 {
		return fmt.Sprintf("%s %s %s", a.name, op, b.name)
	}
	return fmt.Sprintf("%s + %s %s %d", a.name, b.name, op, m.int(1, 6, "k"))
}

func (m *spaceMaker) node(depth int, scope []Node) Node {
	name := m.name()
	kinds := []Kind{KindInt, KindInt, KindOrdinal, KindCategorical, KindBool, KindConst, KindSubset, KindPermutation, KindFloat}
	if depth > 0 {
		kinds = append(kinds, KindChoice, KindChoice, KindGroup, KindRepeat, KindRepeat)
		if m.open {
			kinds = append(kinds, KindGrammar)
		}
	}
	switch rapid.SampledFrom(kinds).Draw(m.t, "kind") {
	case KindInt:
		lo := m.int(0, 3, "lo")
		n := Int(name, lo, lo+m.int(0, 3, "span"))
		if lo > 0 && m.int(0, 3, "log?") == 0 {
			n = n.Log()
		}
		return n
	case KindFloat:
		if m.reals && m.int(0, 1, "real?") == 0 {
			return Float(name, 0.5, 2)
		}
		return Float(name, -0.5, 0.3).Step(0.25)
	case KindOrdinal:
		return Ordinal(name, []any{1, 2, 4, 7}[:m.int(1, 4, "values")]...)
	case KindCategorical:
		return Categorical(name, []any{"a", true, 3, "c d"}[:m.int(1, 4, "values")]...)
	case KindBool:
		return Bool(name)
	case KindConst:
		return Const(name, "x")
	case KindSubset:
		k := m.int(1, 4, "items")
		lo := m.int(0, k, "lo")
		return Subset(name, []any{"i", "j", 3, "l"}[:k]...).Size(lo, m.int(lo, k, "hi"))
	case KindPermutation:
		return Permutation(name, []string{"u", "v", "w"}[:m.int(1, 3, "items")]...)
	case KindGroup:
		return Group(name, m.list(depth-1, 2, scope, false)...)
	case KindChoice:
		n := Choice(name, Case("one", m.list(depth-1, 2, scope, false)...), Case("none"), Case("two", m.list(depth-1, 1, scope, false)...))
		return Choice(name, n.cases[:m.int(1, 3, "cases")]...)
	case KindRepeat:
		lo := m.int(0, 2, "lo")
		hi := lo + m.int(0, 2-lo/2, "copies")
		if m.int(0, 2, "bare?") == 0 {
			return Repeat(name, lo, hi, Int("", 1, m.int(1, 3, "hi")))
		}
		return Repeat(name, lo, hi, m.list(depth-1, 2, scope, true)...)
	}
	rules := []GrammarRule{
		Rule("E", Use("x").P(0.6), Use("E", "+", "E"), Use("T", "k").Params(Int("n", 1, 2))),
		Rule("T", Use("y"), Use("(", "E", ")").P(0.2)),
	}
	return Grammar(name, "E", rules[:2]...).Depth(m.int(1, 3, "depth"))
}

// drawSpace draws a space whose unconstrained upper bound is at most limit.
func drawSpace(t *rapid.T, rules, reals, grammars bool, limit int64) *Space {
	m := spaceMaker{t: t, rules: rules, reals: reals, open: grammars}
	nodes := m.list(2, 4, nil, false)
	s, err := New(nodes...)
	if err != nil {
		for _, fine := range []string{"can never hold", "a space without parameters"} {
			if strings.Contains(err.Error(), fine) {
				t.Skip(err)
			}
		}
		t.Fatal(err)
	}
	n := s.census().shape.list(s.root).n
	if !n.IsInt64() || n.Int64() > limit {
		t.Skip("too large")
	}
	return s
}

// scopes are the values visible from a place, innermost last.
type scopes []map[string]any

func (sc scopes) get(name string) (any, bool) {
	for i := len(sc) - 1; i >= 0; i-- {
		if v, ok := sc[i][name]; ok {
			return v, true
		}
	}
	return nil, false
}

// holds evaluates the few forms that spaceMaker writes; ok is false if the
// expression is undefined.
func (sc scopes) holds(src string) (truth, ok bool) {
	f := strings.Fields(src)
	compare := func(x float64, op, k string) bool {
		var y float64
		fmt.Sscan(k, &y)
		switch op {
		case "<=":
			return x <= y
		case ">=":
			return x >= y
		case "==":
			return x == y
		}
		return x != y
	}
	if strings.HasPrefix(f[0], "sum(") || strings.HasPrefix(f[0], "len(") {
		list, field, _ := strings.Cut(strings.TrimSuffix(f[0][4:], ")"), ".")
		v, ok := sc.get(list)
		if !ok {
			v = []any{} // aggregates over absent copies run over none
		}
		total := 0.0
		for _, e := range v.([]any) {
			if m, is := e.(map[string]any); is {
				e = m[field]
			}
			if x, is := e.(float64); is {
				total += x
			}
		}
		if strings.HasPrefix(f[0], "len(") {
			total = float64(len(v.([]any)))
		}
		return compare(total, f[1], f[2]), true
	}
	a, ok := sc.get(f[0])
	if !ok {
		return false, false
	}
	if b, is := a.(bool); is {
		return b == (f[2] == "true"), true
	}
	x := a.(float64)
	if f[1] == "+" {
		b, ok := sc.get(f[2])
		if !ok {
			return false, false
		}
		return compare(x+b.(float64), f[3], f[4]), true
	}
	if b, ok := sc.get(f[2]); ok {
		return compare(x, f[1], fmt.Sprint(b)), true
	}
	if strings.HasPrefix(f[2], "p") {
		return false, false
	}
	return compare(x, f[1], f[2]), true
}

// brute lists what a list of declarations can be. The scopes are those outside.
func brute(decls []decl, outer scopes) []map[string]any {
	partial := []map[string]any{{}}
	for i := range decls {
		d := &decls[i]
		if d.kind == kindRequire {
			continue
		}
		var next []map[string]any
		for _, p := range partial {
			sc := append(outer[:len(outer):len(outer)], p)
			if d.when != "" {
				if truth, ok := sc.holds(d.when); !ok || !truth {
					next = append(next, p)
					continue
				}
			}
			for _, v := range bruteValues(d, sc) {
				m := map[string]any{d.name: v}
				for k, x := range p {
					m[k] = x
				}
				next = append(next, m)
			}
		}
		partial = next
	}
	var out []map[string]any
	for _, p := range partial {
		sc := append(outer[:len(outer):len(outer)], p)
		fine := true
		for i := range decls {
			if decls[i].kind == kindRequire {
				truth, ok := sc.holds(decls[i].constraint)
				fine = fine && (truth || !ok)
			}
		}
		if fine {
			out = append(out, p)
		}
	}
	return out
}

func bruteValues(d *decl, sc scopes) []any {
	var out []any
	switch d.kind {
	case KindInt, KindFloat:
		step := d.step
		if step == 0 {
			step = 1
		}
		for i := 0; d.lo+float64(i)*step <= d.hi; i++ {
			out = append(out, d.lo+float64(i)*step)
		}
	case KindOrdinal, KindCategorical:
		return d.values
	case KindBool:
		return []any{false, true}
	case KindConst:
		return d.values[:1]
	case KindChoice:
		for _, c := range d.cases {
			for _, m := range brute(declsOf(c.Nodes), sc) {
				out = append(out, map[string]any{c.Name: m})
			}
		}
	case KindGroup:
		for _, m := range brute(declsOf(d.nodes), sc) {
			out = append(out, m)
		}
	case KindRepeat:
		for k := d.min; k <= d.max; k++ {
			lists := [][]any{{}}
			for range k {
				var next [][]any
				for _, l := range lists {
					for _, m := range brute(declsOf(d.nodes), sc) {
						var v any = m
						if len(d.nodes) == 1 && d.nodes[0].name == "" {
							v = m[""]
						}
						next = append(next, append(l[:len(l):len(l)], v))
					}
				}
				lists = next
			}
			for _, l := range lists {
				out = append(out, l)
			}
		}
	case KindSubset:
		for bits := range 1 << len(d.values) {
			items := []any{}
			for i, v := range d.values {
				if bits>>i&1 == 1 {
					items = append(items, v)
				}
			}
			if len(items) >= d.min && len(items) <= d.max {
				out = append(out, items)
			}
		}
	case KindPermutation:
		for _, p := range permutations(d.values) {
			out = append(out, p)
		}
	case KindGrammar:
		for _, t := range derivations(d.rules, d.start, d.depth, sc) {
			out = append(out, map[string]any{"tokens": t.tokens, "tree": t.tree})
		}
	}
	return out
}

func permutations(items []any) [][]any {
	if len(items) == 0 {
		return [][]any{{}}
	}
	var out [][]any
	for i, v := range items {
		var rest []any
		rest = append(append(rest, items[:i]...), items[i+1:]...)
		for _, p := range permutations(rest) {
			out = append(out, append([]any{v}, p...))
		}
	}
	return out
}

type derivation struct {
	tokens []any
	tree   map[string]any
}

// derivations lists the derivations of a symbol that are at most depth deep.
func derivations(rules []GrammarRule, symbol string, depth int, sc scopes) []derivation {
	if depth == 0 {
		return nil
	}
	var out []derivation
	for _, r := range rules {
		if r.Symbol != symbol {
			continue
		}
		for _, p := range r.Productions {
			type part struct {
				tokens, of []any
			}
			parts := []part{{tokens: []any{}}}
			for _, sym := range p.Symbols {
				isRule := false
				for _, r := range rules {
					isRule = isRule || r.Symbol == sym
				}
				var next []part
				for _, a := range parts {
					if !isRule {
						next = append(next, part{append(a.tokens[:len(a.tokens):len(a.tokens)], sym), a.of})
						continue
					}
					for _, k := range derivations(rules, sym, depth-1, sc) {
						next = append(next, part{
							append(a.tokens[:len(a.tokens):len(a.tokens)], k.tokens...),
							append(a.of[:len(a.of):len(a.of)], k.tree),
						})
					}
				}
				parts = next
			}
			for _, a := range parts {
				for _, with := range brute(declsOf(p.With), sc) {
					var use []any
					for _, sym := range p.Symbols {
						use = append(use, sym)
					}
					tree := map[string]any{"rule": symbol, "use": use}
					if len(with) > 0 {
						tree["with"] = with
					}
					if len(a.of) > 0 {
						tree["of"] = a.of
					}
					out = append(out, derivation{a.tokens, tree})
				}
			}
		}
	}
	return out
}

// canonical is JSON with sorted keys.
func canonical(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}
