package expr

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits on the text, so that hostile input cannot exhaust the stack.
const (
	maxLength = 1 << 14 // bytes
	maxNest   = 200     // parentheses, brackets and prefix operators open at once
	maxHeight = 1000    // of the tree: bounds left-leaning chains such as 1+1+1+...
)

type op uint8

const (
	opConst op = iota
	opName
	opCond    // c ? a : b
	opImplies // a => b
	opOr
	opAnd
	opNot
	opEq // comparisons; two operands each
	opNe
	opLt
	opLe
	opGt
	opGe
	opChain // operands, with the comparisons in ops
	opIn    // x, then the list
	opNotIn
	opAdd
	opSub
	opMul
	opDiv
	opMod
	opNeg
	opPow
	opCall   // a function of numbers or an aggregate
	opActive // active(name)
)

var opText = [...]string{
	opImplies: "=>", opOr: "or", opAnd: "and", opNot: "not",
	opEq: "==", opNe: "!=", opLt: "<", opLe: "<=", opGt: ">", opGe: ">=", opIn: "in", opNotIn: "not in",
	opAdd: "+", opSub: "-", opMul: "*", opDiv: "/", opMod: "%", opNeg: "-", opPow: "^", opActive: "",
}

// functions maps a name to the number of its arguments; -1 means one or more.
var functions = map[string]int{
	"abs": 1, "floor": 1, "ceil": 1, "round": 1, "sqrt": 1, "log": 1, "log2": 1, "exp": 1,
	"min": -1, "max": -1,
	"sum": 1, "len": 1, "count": 1, "all": 1, "any": 1, "active": 1,
}

// functionNames is functions' keys in alphabetical order.
var functionNames = func() []string {
	var names []string
	for n := range functions {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}()

type node struct {
	op     op
	off    int
	height int
	kids   []*node
	ops    []op   // opChain: between the kids
	name   string // opName, opCall
	val    Value  // opConst
}

// Expr is a parsed expression. It is immutable.
type Expr struct {
	src  string
	root *node
}

// Parse reads an expression. Its error is a [*SyntaxError].
func Parse(src string) (*Expr, error) {
	if len(src) > maxLength {
		return nil, &SyntaxError{Offset: maxLength, Found: fmt.Sprintf("an expression of %d bytes", len(src)),
			Want: fmt.Sprintf("at most %d", maxLength)}
	}
	p := parser{src: src}
	p.next()
	root := p.expr()
	if p.err == nil && p.tok.kind != tokEnd {
		p.fail("an operator or the end")
	}
	if p.err != nil {
		return nil, p.err
	}
	return &Expr{src: src, root: root}, nil
}

// Names returns the names in the expression in order of first use. Bare words
// that will turn out to be strings are among them.
func (e *Expr) Names() []string {
	var names []string
	seen := map[string]bool{}
	var walk func(n *node)
	walk = func(n *node) {
		if n.op == opName && !seen[n.name] {
			seen[n.name] = true
			names = append(names, n.name)
		}
		for _, k := range n.kids {
			walk(k)
		}
	}
	walk(e.root)
	return names
}

// Source returns the text that was parsed.
func (e *Expr) Source() string { return e.src }

type tokKind uint8

const (
	tokEnd tokKind = iota
	tokNumber
	tokString
	tokName
	tokOp
)

type token struct {
	kind tokKind
	off  int
	end  int
	text string // name, operator, or the string's content
	raw  bool   // a name in backquotes, never a keyword or function
	num  float64
}

type parser struct {
	src  string
	tok  token
	pos  int
	nest int
	err  *SyntaxError
}

func (p *parser) failAt(off int, found, want string) {
	if p.err == nil {
		p.err = &SyntaxError{Offset: off, Found: found, Want: want}
	}
	p.tok = token{kind: tokEnd, off: len(p.src), end: len(p.src)}
	p.pos = len(p.src)
}

func (p *parser) fail(want string) {
	found := "the end"
	if p.tok.kind != tokEnd {
		found = strconv.Quote(p.src[p.tok.off:p.tok.end])
	}
	if p.tok.kind == tokOp && p.tok.text == "=" {
		want = "== for comparison"
	}
	p.failAt(p.tok.off, found, want)
}

func wordStart(r rune) bool { return r == '_' || unicode.IsLetter(r) }
func wordPart(r rune) bool  { return wordStart(r) || unicode.IsDigit(r) }

// word returns the end of the letters and digits from i.
func (p *parser) word(i int) int {
	for i < len(p.src) {
		r, n := utf8.DecodeRuneInString(p.src[i:])
		if !wordPart(r) {
			break
		}
		i += n
	}
	return i
}

var operators = []string{
	"=>", "==", "!=", "<=", ">=", "&&", "||", "**",
	"<", ">", "!", "+", "-", "*", "/", "%", "^", "(", ")", "[", "]", ",", "?", ":", "=",
}

func (p *parser) next() {
	if p.err != nil {
		return
	}
	i := p.pos
	for i < len(p.src) && strings.IndexByte(" \t\r\n", p.src[i]) >= 0 {
		i++
	}
	p.tok = token{kind: tokEnd, off: i, end: i}
	if i == len(p.src) {
		p.pos = i
		return
	}
	c := p.src[i]
	r, _ := utf8.DecodeRuneInString(p.src[i:])
	switch {
	case '0' <= c && c <= '9' || c == '.' && i+1 < len(p.src) && '0' <= p.src[i+1] && p.src[i+1] <= '9':
		p.number(i)
	case c == '\'' || c == '"':
		p.text(i, c)
	case c == '`':
		j := strings.IndexByte(p.src[i+1:], '`')
		if j <= 0 || strings.ContainsAny(p.src[i+1:i+1+j], "\n\r") {
			p.failAt(i, "a backquote", "a name in backquotes on one line")
			return
		}
		p.tok = token{kind: tokName, off: i, end: i + j + 2, text: p.src[i+1 : i+1+j], raw: true}
	case wordStart(r):
		p.name(i)
	default:
		for _, o := range operators {
			if strings.HasPrefix(p.src[i:], o) {
				p.tok = token{kind: tokOp, off: i, end: i + len(o), text: o}
				break
			}
		}
		if p.tok.kind == tokEnd {
			p.failAt(i, strconv.QuoteRune(r), "an operator, a name, a number or a string")
			return
		}
	}
	p.pos = p.tok.end
}

func (p *parser) number(i int) {
	j, s := i, p.src
	digits := func() {
		for j < len(s) && '0' <= s[j] && s[j] <= '9' {
			j++
		}
	}
	digits()
	if j < len(s) && s[j] == '.' {
		j++
		digits()
	}
	if j < len(s) && (s[j] == 'e' || s[j] == 'E') {
		k := j
		j++
		if j < len(s) && (s[j] == '+' || s[j] == '-') {
			j++
		}
		if m := j; true {
			digits()
			if j == m {
				j = k
			}
		}
	}
	if end := p.word(j); end > j {
		p.failAt(i, strconv.Quote(s[i:end]), "a number, or quotes around a word that begins with a digit")
		return
	}
	x, err := strconv.ParseFloat(s[i:j], 64)
	if err != nil || math.IsInf(x, 0) {
		p.failAt(i, s[i:j], "a number below 1.8e308")
		return
	}
	p.tok = token{kind: tokNumber, off: i, end: j, num: x}
}

const escapes, escaped = `\'"nrt`, "\\'\"\n\r\t"

func (p *parser) text(i int, q byte) {
	var b strings.Builder
	for j := i + 1; j < len(p.src); j++ {
		c := p.src[j]
		if c == q {
			p.tok = token{kind: tokString, off: i, end: j + 1, text: b.String()}
			return
		}
		if c == '\\' {
			j++
			k := -1
			if j < len(p.src) {
				k = strings.IndexByte(escapes, p.src[j])
			}
			if k < 0 {
				p.failAt(j-1, "a backslash", `one of the escapes \\ \' \" \n \r \t`)
				return
			}
			c = escaped[k]
		}
		b.WriteByte(c)
	}
	p.failAt(i, "a string without end", "a closing "+string(rune(q)))
}

func quote(s string) string {
	var b strings.Builder
	b.WriteByte('\'')
	for i := range len(s) {
		c := s[i]
		if k := strings.IndexByte(escaped, c); k >= 0 && c != '"' {
			b.WriteByte('\\')
			c = escapes[k]
		}
		b.WriteByte(c)
	}
	b.WriteByte('\'')
	return b.String()
}

// name reads a dotted and indexed name; a keyword is a name without dots.
func (p *parser) name(i int) {
	j := p.word(i)
	for j < len(p.src) {
		switch {
		case p.src[j] == '.':
			end := p.word(j + 1)
			if end == j+1 {
				p.failAt(j, `"."`, "a name after the dot")
				return
			}
			j = end
			continue
		case p.src[j] == '[':
			k := j + 1
			for k < len(p.src) && '0' <= p.src[k] && p.src[k] <= '9' {
				k++
			}
			// Anything but digits is not an index: "x in[a]" has none.
			if k > j+1 && k < len(p.src) && p.src[k] == ']' && !keyword(p.src[i:j]) {
				j = k + 1
				continue
			}
		}
		break
	}
	p.tok = token{kind: tokName, off: i, end: j, text: p.src[i:j]}
}

func keyword(s string) bool {
	switch s {
	case "and", "or", "not", "in", "true", "false":
		return true
	}
	return false
}

// is reports whether the current token is one of the operators or keywords.
func (p *parser) is(texts ...string) bool {
	if p.tok.kind != tokOp && (p.tok.kind != tokName || p.tok.raw) {
		return false
	}
	return slices.Contains(texts, p.tok.text)
}

func (p *parser) accept(texts ...string) bool {
	if p.is(texts...) {
		p.next()
		return true
	}
	return false
}

func (p *parser) expect(text, want string) {
	if !p.accept(text) {
		p.fail(want)
	}
}

func (p *parser) make(o op, off int, kids ...*node) *node {
	n := &node{op: o, off: off, kids: kids}
	for _, k := range kids {
		n.height = max(n.height, k.height+1)
	}
	if n.height > maxHeight {
		p.failAt(off, "an operator", fmt.Sprintf("at most %d operators in one chain", maxHeight))
	}
	return n
}

// enter bounds the recursion; it is called wherever the grammar nests.
func (p *parser) enter() bool {
	p.nest++
	if p.nest > maxNest {
		p.failAt(p.tok.off, "an expression", fmt.Sprintf("at most %d levels of nesting", maxNest))
	}
	return p.err == nil
}

// On an error the parser's token is the end, so every loop below stops, and the
// node returned is never looked at.

func (p *parser) expr() *node {
	if !p.enter() {
		return &node{}
	}
	defer func() { p.nest-- }()
	c, off := p.implies(), p.tok.off
	if !p.accept("?") {
		return c
	}
	a := p.expr()
	p.expect(":", "':' and the other value of the condition")
	return p.make(opCond, off, c, a, p.expr())
}

func (p *parser) implies() *node {
	if !p.enter() {
		return &node{}
	}
	defer func() { p.nest-- }()
	a, off := p.or(), p.tok.off
	if p.accept("=>") {
		return p.make(opImplies, off, a, p.implies())
	}
	return a
}

func (p *parser) or() *node {
	a, off := p.and(), p.tok.off
	if !p.is("or", "||") {
		return a
	}
	kids := []*node{a}
	for p.accept("or", "||") {
		kids = append(kids, p.and())
	}
	return p.make(opOr, off, kids...)
}

func (p *parser) and() *node {
	a, off := p.not(), p.tok.off
	if !p.is("and", "&&") {
		return a
	}
	kids := []*node{a}
	for p.accept("and", "&&") {
		kids = append(kids, p.not())
	}
	return p.make(opAnd, off, kids...)
}

func (p *parser) not() *node {
	if !p.enter() {
		return &node{}
	}
	defer func() { p.nest-- }()
	off := p.tok.off
	if p.accept("not", "!") {
		return p.make(opNot, off, p.not())
	}
	return p.compare()
}

var comparisons = map[string]op{"==": opEq, "!=": opNe, "<": opLt, "<=": opLe, ">": opGt, ">=": opGe}

func (p *parser) compare() *node {
	a, off := p.sum(), p.tok.off
	if p.is("in", "not") {
		o := opIn
		if p.accept("not") {
			o = opNotIn
		}
		p.expect("in", "'in'")
		p.expect("[", "'[' and a list of values")
		kids := []*node{a, p.expr()}
		for p.accept(",") {
			kids = append(kids, p.expr())
		}
		p.expect("]", "',' or ']'")
		return p.make(o, off, kids...)
	}
	kids := []*node{a}
	var ops []op
	for p.tok.kind == tokOp {
		o, ok := comparisons[p.tok.text]
		if !ok {
			break
		}
		up, down := false, false
		for _, q := range append(ops, o) {
			up = up || q == opLt || q == opLe
			down = down || q == opGt || q == opGe
			if len(ops) > 0 && q == opNe {
				p.fail("no != in a chain of comparisons: join two with 'and'")
			}
		}
		if up && down {
			p.fail("comparisons of a chain to point one way: join two with 'and'")
		}
		p.next()
		ops = append(ops, o)
		kids = append(kids, p.sum())
	}
	switch len(ops) {
	case 0:
		return a
	case 1:
		return p.make(ops[0], off, kids...)
	}
	n := p.make(opChain, off, kids...)
	n.ops = ops
	return n
}

func (p *parser) sum() *node {
	a := p.product()
	for p.is("+", "-") {
		o, off := opAdd, p.tok.off
		if p.tok.text == "-" {
			o = opSub
		}
		p.next()
		a = p.make(o, off, a, p.product())
	}
	return a
}

func (p *parser) product() *node {
	a := p.unary()
	for p.is("*", "/", "%") {
		o, off := opMul, p.tok.off
		switch p.tok.text {
		case "/":
			o = opDiv
		case "%":
			o = opMod
		}
		p.next()
		a = p.make(o, off, a, p.unary())
	}
	return a
}

func (p *parser) unary() *node {
	if !p.enter() {
		return &node{}
	}
	defer func() { p.nest-- }()
	off := p.tok.off
	if p.accept("-") {
		return p.make(opNeg, off, p.unary())
	}
	a, off := p.primary(), p.tok.off
	if p.accept("^", "**") {
		return p.make(opPow, off, a, p.unary())
	}
	return a
}

func (p *parser) primary() *node {
	t := p.tok
	switch {
	case t.kind == tokNumber:
		p.next()
		return &node{op: opConst, off: t.off, val: Num(t.num)}
	case t.kind == tokString:
		p.next()
		return &node{op: opConst, off: t.off, val: Str(t.text)}
	case p.is("true", "false"):
		p.next()
		return &node{op: opConst, off: t.off, val: Boolean(t.text == "true")}
	case t.kind == tokName && (t.raw || !keyword(t.text)):
		p.next()
		if p.is("(") && !t.raw {
			return p.call(t)
		}
		return &node{op: opName, off: t.off, name: t.text}
	case p.accept("("):
		n := p.expr()
		p.expect(")", "')'")
		return n
	}
	p.fail("a value")
	return &node{}
}

func (p *parser) call(t token) *node {
	want, ok := functions[t.text]
	if !ok {
		hint := "one of the functions " + strings.Join(functionNames, " ")
		if s := nearest(t.text, functionNames); s != "" {
			hint = "a function: did you mean " + s + "?"
		}
		p.failAt(t.off, strconv.Quote(t.text), hint)
		return &node{}
	}
	p.next()
	kids := []*node{p.expr()}
	for p.accept(",") {
		kids = append(kids, p.expr())
	}
	p.expect(")", "',' or ')'")
	if p.err == nil && want > 0 && len(kids) != want {
		p.failAt(t.off, fmt.Sprintf("%s with %d arguments", t.text, len(kids)), "one argument")
	}
	o := opCall
	if (t.text == "active" || t.text == "len") && p.err == nil {
		if kids[0].op != opName {
			p.failAt(kids[0].off, "an expression", "the name of a parameter in "+t.text+"(...)")
		}
		if t.text == "active" {
			o = opActive
		}
	}
	n := p.make(o, t.off, kids...)
	n.name = t.text
	return n
}

// Binding strength for printing; what is looser than its place needs parentheses.
const (
	precCond = iota
	precImplies
	precOr
	precAnd
	precNot
	precCompare
	precSum
	precProduct
	precUnary
	precPower
	precPrimary
)

func (n *node) prec() int {
	switch n.op {
	case opCond:
		return precCond
	case opImplies:
		return precImplies
	case opOr:
		return precOr
	case opAnd:
		return precAnd
	case opNot:
		return precNot
	case opEq, opNe, opLt, opLe, opGt, opGe, opChain, opIn, opNotIn:
		return precCompare
	case opAdd, opSub:
		return precSum
	case opMul, opDiv, opMod:
		return precProduct
	case opNeg:
		return precUnary
	case opPow:
		return precPower
	}
	return precPrimary
}

// String returns the expression in canonical form: single spaces, words for the
// logical operators, and only the parentheses that are needed. Parsing it gives
// the same expression again.
func (e *Expr) String() string {
	var b strings.Builder
	e.root.print(&b, precCond)
	return b.String()
}

func (n *node) print(b *strings.Builder, least int) {
	prec := n.prec()
	if prec < least {
		b.WriteByte('(')
		defer b.WriteByte(')')
	}
	infix := func(text string, left, right int) {
		for i, k := range n.kids {
			if i == 0 {
				k.print(b, left)
				continue
			}
			b.WriteByte(' ')
			b.WriteString(text)
			b.WriteByte(' ')
			k.print(b, right)
		}
	}
	list := func(kids []*node) {
		for i, k := range kids {
			if i > 0 {
				b.WriteString(", ")
			}
			k.print(b, precCond)
		}
	}
	switch n.op {
	case opConst:
		b.WriteString(n.val.String())
	case opName:
		b.WriteString(quoteName(n.name))
	case opCond:
		n.kids[0].print(b, precImplies)
		b.WriteString(" ? ")
		n.kids[1].print(b, precCond)
		b.WriteString(" : ")
		n.kids[2].print(b, precCond)
	case opImplies:
		infix("=>", precOr, precImplies)
	case opNot:
		b.WriteString("not ")
		n.kids[0].print(b, precNot)
	case opNeg:
		b.WriteByte('-')
		n.kids[0].print(b, precUnary)
	case opPow:
		infix("^", precPrimary, precUnary)
	case opIn, opNotIn:
		n.kids[0].print(b, precSum)
		b.WriteString(" " + opText[n.op] + " [")
		list(n.kids[1:])
		b.WriteByte(']')
	case opChain:
		for i, k := range n.kids {
			if i > 0 {
				b.WriteString(" " + opText[n.ops[i-1]] + " ")
			}
			k.print(b, precSum)
		}
	case opCall, opActive:
		b.WriteString(n.name + "(")
		list(n.kids)
		b.WriteByte(')')
	case opAdd, opSub, opMul, opDiv, opMod:
		infix(opText[n.op], prec, prec+1)
	default: // and, or, comparisons: operands bind tighter
		infix(opText[n.op], prec+1, prec+1)
	}
}

// quoteName puts a name into backquotes unless it reads as one without.
func quoteName(name string) string {
	p := parser{src: name}
	p.next()
	if p.err == nil && p.tok.kind == tokName && !p.tok.raw && p.tok.off == 0 && p.tok.end == len(name) && !keyword(name) {
		return name
	}
	return "`" + name + "`"
}

// nearest returns the candidate with the fewest edits to name, if it is near
// enough to be what was meant; "" otherwise.
func nearest(name string, candidates []string) string {
	best, bestD := "", max(1, len(name)/3)+1
	for _, c := range candidates {
		if d := distance(name, c, bestD); d < bestD {
			best, bestD = c, d
		}
	}
	return best
}

// distance counts the edits between a and b, without case: insertions, deletions,
// replacements and swaps of neighbours. It is limit if the lengths alone tell.
func distance(a, b string, limit int) int {
	a, b = strings.ToLower(a), strings.ToLower(b)
	if d := len(a) - len(b); d >= limit || -d >= limit {
		return limit
	}
	before := make([]int, len(b)+1)
	last := make([]int, len(b)+1)
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before, last, row = last, row, before
		row[0] = i + 1
		for j := range len(b) {
			d := last[j]
			if a[i] != b[j] {
				d = 1 + min(last[j], last[j+1], row[j])
			}
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				d = min(d, before[j-1]+1)
			}
			row[j+1] = d
		}
	}
	return row[len(b)]
}
