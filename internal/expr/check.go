package expr

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// Check types the expression. resolve tells the type of a name; known lists the
// names that exist, for suggestions, and may be nil. want is the kind the whole
// expression must have, or None. The error is a [*MeaningError] with every
// mistake.
//
// A bare word compared with a name is a string if resolve does not know it; if
// the name has Options it must be one of them.
func (e *Expr) Check(resolve func(name string) (Type, bool), known []string, want Kind) error {
	c := checker{resolve: resolve, known: known}
	c.need(e.root, want, "the expression")
	return c.result()
}

func (e *MeaningError) add(off int, format string, args ...any) {
	e.Mistakes = append(e.Mistakes, Mistake{off, fmt.Sprintf(format, args...)})
}

// orNil returns the error with its mistakes in order, or nil if there are none.
func (e *MeaningError) orNil() error {
	if len(e.Mistakes) == 0 {
		return nil
	}
	sort.SliceStable(e.Mistakes, func(i, j int) bool { return e.Mistakes[i].Offset < e.Mistakes[j].Offset })
	e.Mistakes = slices.Compact(e.Mistakes)
	return e
}

// start is the offset of the leftmost part of n.
func (n *node) start() int {
	off := n.off
	for _, k := range n.kids {
		off = min(off, k.start())
	}
	return off
}

// text prints n for a message, shortened.
func (n *node) text() string {
	var b strings.Builder
	n.print(&b, precCond)
	s := []rune(b.String())
	if len(s) > 40 {
		return string(s[:37]) + "..."
	}
	return string(s)
}

// bareWord reports whether kid i of a comparison is a string for want of a
// parameter of that name: another operand is a name that does exist.
func (n *node) bareWord(i int, exists func(string) bool) bool {
	k := n.kids[i]
	if k.op != opName || exists(k.name) {
		return false
	}
	switch n.op {
	case opEq, opNe, opChain:
	case opIn, opNotIn:
		return i > 0 && n.kids[0].op == opName && exists(n.kids[0].name)
	default:
		return false
	}
	for _, o := range n.ops {
		if o != opEq {
			return false
		}
	}
	for j, o := range n.kids {
		if j != i && o.op == opName && exists(o.name) {
			return true
		}
	}
	return false
}

type checker struct {
	resolve  func(string) (Type, bool)
	known    []string
	errs     MeaningError
	inside   string // the aggregate we are in
	repeated bool   // a repeated name occurred in it
}

func (c *checker) result() error { return c.errs.orNil() }

func (c *checker) exists(name string) bool {
	_, ok := c.resolve(name)
	return ok
}

func (c *checker) need(n *node, want Kind, by string) {
	got := c.infer(n)
	if want != None && got != None && got != want {
		c.errs.add(n.start(), "%s is a %s, but %s needs a %s", n.text(), got, by, want)
	}
}

func (c *checker) unknownName(n *node) {
	hint := ""
	if s := nearest(n.name, c.known); s != "" {
		hint = ": did you mean " + s + "?"
	}
	c.errs.add(n.off, "no parameter is named %s%s", n.name, hint)
}

// infer returns the kind of n, None if it cannot be told, and notes mistakes.
func (c *checker) infer(n *node) Kind {
	switch n.op {
	case opConst:
		return n.val.Kind
	case opName:
		t, ok := c.resolve(n.name)
		if !ok {
			c.unknownName(n)
			return None
		}
		if t.Repeated {
			if c.inside == "" {
				c.errs.add(n.off, "%s has one value an instance: put it into an aggregate such as sum(...), all(...) or count(...)", n.name)
			}
			c.repeated = true
		}
		return t.Kind
	case opCond:
		c.need(n.kids[0], Bool, "the condition before '?'")
		a, b := c.infer(n.kids[1]), c.infer(n.kids[2])
		if a == None {
			return b
		}
		if b != None && a != b {
			c.errs.add(n.kids[2].start(), "the two values of a condition must be of one kind, but %s is a %s and %s a %s",
				n.kids[1].text(), a, n.kids[2].text(), b)
			return None
		}
		return a
	case opImplies, opOr, opAnd, opNot:
		for _, k := range n.kids {
			c.need(k, Bool, "'"+opText[n.op]+"'")
		}
		return Bool
	case opLt, opLe, opGt, opGe:
		for _, k := range n.kids {
			c.need(k, Number, "'"+opText[n.op]+"'")
		}
		return Bool
	case opEq, opNe, opIn, opNotIn, opChain:
		c.comparison(n)
		return Bool
	case opAdd, opSub, opMul, opDiv, opMod, opNeg, opPow:
		for _, k := range n.kids {
			c.need(k, Number, "'"+opText[n.op]+"'")
		}
		return Number
	case opActive:
		if !c.exists(n.kids[0].name) {
			c.unknownName(n.kids[0])
		} else {
			c.infer(n.kids[0])
		}
		return Bool
	}
	return c.call(n)
}

func (c *checker) comparison(n *node) {
	for _, o := range n.ops {
		if o != opEq { // a chain with an order is about numbers
			for _, k := range n.kids {
				c.need(k, Number, "'"+opText[o]+"'")
			}
			return
		}
	}
	kinds := make([]Kind, len(n.kids))
	for i, k := range n.kids {
		if n.bareWord(i, c.exists) {
			kinds[i] = String
		} else {
			kinds[i] = c.infer(k)
		}
	}
	for i := 1; i < len(n.kids); i++ {
		j := 0
		if n.op == opChain {
			j = i - 1
		}
		a, b := n.kids[j], n.kids[i]
		if kinds[j] != None && kinds[i] != None && kinds[j] != kinds[i] {
			if w := map[bool]*node{true: a, false: b}[n.bareWord(j, c.exists)]; w.op == opName && !c.exists(w.name) {
				// 'kernel == kernal': rather a misspelt name than a string.
				c.unknownName(w)
				continue
			}
			c.errs.add(b.start(), "%s is a %s and %s a %s: they are never equal", a.text(), kinds[j], b.text(), kinds[i])
			continue
		}
		c.option(a, b)
		c.option(b, a)
	}
}

// option checks that a word compared with a categorical is one of its options.
func (c *checker) option(name, word *node) {
	if name.op != opName {
		return
	}
	t, ok := c.resolve(name.name)
	if !ok || t.Options == nil {
		return
	}
	var s string
	switch {
	case word.op == opConst && word.val.Kind == String:
		s = word.val.Str
	case word.op == opName && !c.exists(word.name):
		s = word.name
	default:
		return
	}
	if slices.Contains(t.Options, s) {
		return
	}
	hint := "it has " + strings.Join(t.Options, ", ")
	if near := nearest(s, t.Options); near != "" {
		hint = "did you mean " + near + "?"
	} else if near := nearest(s, c.known); near != "" && word.op == opName {
		hint = "and no parameter is named so: did you mean " + near + "?"
	}
	c.errs.add(word.off, "%s has no option %s: %s", name.name, strconv.Quote(s), hint)
}

func (c *checker) call(n *node) Kind {
	switch n.name {
	case "sum", "len", "count", "all", "any":
	case "min", "max":
		if len(n.kids) == 1 {
			break // over a repeated path, or of one number
		}
		fallthrough
	default:
		for _, k := range n.kids {
			c.need(k, Number, n.name+"()")
		}
		return Number
	}
	if c.inside != "" {
		c.errs.add(n.off, "%s() stands inside %s(): aggregates do not nest", n.name, c.inside)
		return None
	}
	c.inside, c.repeated = n.name, false
	defer func() { c.inside = "" }()
	arg, out := Number, Number
	switch n.name {
	case "count":
		arg = Bool
	case "all", "any":
		arg, out = Bool, Bool
	case "len":
		arg = None
	}
	before := len(c.errs.Mistakes)
	c.need(n.kids[0], arg, n.name+"()")
	if !c.repeated && n.name != "min" && n.name != "max" && len(c.errs.Mistakes) == before {
		c.errs.add(n.kids[0].start(), "%s() needs something repeated, but %s has one value", n.name, n.kids[0].text())
	}
	return out
}
