package space

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"
)

// A Space is the set of designs that may be built. It is immutable and safe
// for concurrent use.
type Space struct {
	decls      []decl // what was declared, for algebra and JSON
	root       []*node
	params     []*Param // every parameter, in declaration order
	rules      rules    // constraints and conditions, compiled
	mutables   int      // most decisions of a design that can change; 0 if unbounded
	subsets    bool     // some node is a subset
	plain      bool     // no conditions and no constraints
	depth      int      // deepest static nesting
	walkers    sync.Pool
	variations sync.Pool
	layout     func() (*layout, error)
	census     func() *census
	flat       func() *flat

	tries, rejected atomic.Int64
}

// A node is the compiled form of a declaration.
type node struct {
	Param
	decl      *decl
	kids      [][]*node  // group: one list; choice: one a case; repeat: one; rule: one a production; grammar: the start rule
	when      *condition // nil if always active where it stands
	watch     *watch     // set if an expression mentions the node
	belowKid  [][]*watch // watched nodes inside, by list of kids
	reps      []*node    // repeats around the node, outermost first
	order     int        // place in declaration order
	optional  bool       // the node may be inactive where its repeats exist
	inGrammar bool
	mutable   bool       // it has another answer
	leaf      bool       // its answer decides about nothing else
	ruled     bool       // constraints restrict its decision
	simple    bool       // one decision that no constraint speaks about
	min, max  int        // subset: size
	bare      bool       // repeat: of one unnamed node
	limit     int        // grammar: deepest derivation, 0 if open
	minDepth  []int      // rule: least depth that each production needs
	symbols   [][]string // rule: symbols of each production
	isRule    [][]bool   // rule: which of them are nonterminals
	with      []int      // rule: parameters that come before the nonterminals in kids
}

// A SpecError says what is wrong with a declaration.
type SpecError struct {
	Path   string // where: the path of the node, or "require" for a constraint
	Field  string // which property of it, may be empty
	Found  string // what was found
	Want   string // what was expected
	Offset int    // byte offset in an expression
}

func (e *SpecError) Error() string {
	var b strings.Builder
	b.WriteString("space: ")
	if e.Path != "" {
		b.WriteString(e.Path)
		b.WriteString(": ")
	}
	if e.Field != "" {
		b.WriteString(e.Field)
		b.WriteString(": ")
	}
	b.WriteString(e.Found)
	if e.Want != "" {
		b.WriteString("; expected ")
		b.WriteString(e.Want)
	}
	return b.String()
}

// New compiles nodes into a space. It reports every mistake it finds, joined
// with [errors.Join]; each is a [*SpecError].
func New(nodes ...Node) (*Space, error) {
	decls := make([]decl, len(nodes))
	for i, n := range nodes {
		decls[i] = n.decl
	}
	return build(decls)
}

// MustNew is [New] for spaces written in code; it panics on a mistake.
func MustNew(nodes ...Node) *Space {
	s, err := New(nodes...)
	if err != nil {
		panic(err)
	}
	return s
}

func build(decls []decl) (*Space, error) {
	s := &Space{decls: decls}
	c := compiler{s: s, byPath: map[string]*node{}}
	s.root = c.list("", decls, 1)
	if len(c.errs) == 0 && !c.any {
		c.fail("", "", "a space without parameters", "at least one parameter")
	}
	if len(c.errs) == 0 {
		c.compileRules()
	}
	if err := errors.Join(c.errs...); err != nil {
		return nil, err
	}
	s.plain = s.rules.slots == 0
	for _, n := range c.ordered {
		n.ruled = !s.plain && c.ruled(n)
		switch n.Kind {
		case KindFloat, KindInt, KindOrdinal, KindCategorical, KindBool:
			n.simple = n.watch == nil || len(n.watch.requires) == 0
		}
	}
	s.mutables = mutables(s.root)
	s.layout = sync.OnceValues(func() (*layout, error) { return newLayout(s) })
	s.census = sync.OnceValue(func() *census { return newCensus(s) })
	s.flat = sync.OnceValue(func() *flat { return newFlat(s) })
	s.walkers.New = func() any { return newWalker(s) }
	return s, nil
}

// Params returns every parameter in declaration order. Parameters inside a
// repeat or a grammar appear once.
func (s *Space) Params() []*Param { return slices.Clone(s.params) }

// Lookup returns the parameter with a static path such as "stages.width".
func (s *Space) Lookup(path string) (*Param, bool) {
	for _, p := range s.params {
		if p.Path == path {
			return p, true
		}
	}
	return nil, false
}

// Nodes returns the declaration of the space.
func (s *Space) Nodes() []Node {
	out := make([]Node, len(s.decls))
	for i, d := range s.decls {
		out[i] = Node{d}
	}
	return out
}

// Rejections returns how many designs were drawn since the space was made, and
// how many of them were thrown away because a constraint did not hold.
func (s *Space) Rejections() (tries, rejected int64) {
	return s.tries.Load(), s.rejected.Load()
}

type compiler struct {
	s        *Space
	errs     []error
	any      bool
	scopes   []string // paths of the lists being compiled, outermost first
	reps     []*node  // repeats being compiled
	guards   []guard  // cases and conditions being compiled
	maybe    int      // choices and conditions being compiled
	grammars int      // grammars being compiled
	byPath   map[string]*node
	ordered  []*node
	pend     []pending // conditions and constraints, compiled once all names are known
}

// maxNesting bounds how deep declarations may nest, so that hostile files
// cannot exhaust the stack.
const maxNesting = 64

func (c *compiler) fail(path, field, found, want string) {
	c.errs = append(c.errs, &SpecError{Path: path, Field: field, Found: found, Want: want})
}

var nameForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

const nameWant = "a letter or _ followed by letters, digits and _"

func join(path, name string) string {
	switch {
	case path == "":
		return name
	case name == "":
		return path
	}
	return path + "." + name
}

// list compiles the declarations of one list of nodes.
func (c *compiler) list(path string, decls []decl, depth int) []*node {
	if depth > maxNesting {
		c.fail(path, "", "nodes nested too deeply", fmt.Sprintf("at most %d levels", maxNesting))
		return nil
	}
	c.s.depth = max(c.s.depth, depth)
	var out []*node
	c.scopes = append(c.scopes, path)
	defer func() { c.scopes = c.scopes[:len(c.scopes)-1] }()
	bare := depth > 1 && len(decls) == 1 && decls[0].name == ""
	names := map[string]bool{}
	requires := 0
	for i := range decls {
		d := &decls[i]
		if d.kind == kindRequire {
			if c.grammars > 0 {
				c.fail(path, fmt.Sprintf("require[%d]", requires), "a constraint inside a grammar", "no constraint: write another production instead")
			}
			c.pendRequire(d, path, requires)
			requires++
			continue
		}
		p := join(path, d.name)
		if !bare && !nameForm.MatchString(d.name) {
			c.fail(p, "", fmt.Sprintf("name %q", d.name), nameWant)
		}
		if names[d.name] {
			c.fail(p, "", "two nodes of this name", "names that differ within a list")
			continue
		}
		names[d.name] = true
		if n := c.node(p, d, depth); n != nil {
			out = append(out, n)
		}
	}
	return out
}

func (c *compiler) node(path string, d *decl, depth int) *node {
	n := &node{decl: d}
	n.Path, n.Name, n.Kind, n.Unit, n.Doc = path, d.name, d.kind, d.unit, d.doc
	n.seed = hashText(path)
	n.reps = append(n.reps, c.reps...)
	n.order = len(c.ordered)
	n.inGrammar = c.grammars > 0
	c.ordered = append(c.ordered, n)
	if n.inGrammar && d.when != "" {
		c.fail(path, "when", "a condition inside a grammar", "no condition: write another production instead")
	}
	if d.when != "" {
		c.maybe++
		defer func() { c.maybe-- }()
		c.pendWhen(n, d)
		c.guards = append(c.guards, guard{node: n, option: guardWhen})
		defer func() { c.guards = c.guards[:len(c.guards)-1] }()
	}
	n.optional = c.maybe > 0
	c.byPath[path] = n
	before := len(c.errs)
	c.misplaced(path, d)
	switch d.kind {
	case KindFloat, KindInt:
		c.number(n, d)
	case KindOrdinal, KindCategorical:
		c.values(n, d, "value")
		n.Ordered = d.kind == KindOrdinal
		n.cum = c.prior(n, d.weights)
	case KindBool:
		n.Labels, n.N = []any{false, true}, 2
		n.cum = c.prior(n, d.weights)
	case KindConst:
		c.values(n, d, "value")
	case KindChoice:
		n.N = len(d.cases)
		if n.N == 0 {
			c.fail(path, "", "a choice without cases", "at least one case")
		}
		n.kids = make([][]*node, n.N)
		seen := map[string]bool{}
		c.maybe++
		for i, b := range d.cases {
			if b.Name == "" || seen[b.Name] {
				c.fail(path, "", fmt.Sprintf("case name %q", b.Name), "names that are not empty and differ")
			}
			seen[b.Name] = true
			n.Labels = append(n.Labels, b.Name)
			c.guards = append(c.guards, guard{node: n, option: i})
			n.kids[i] = c.list(join(path, b.Name), declsOf(b.Nodes), depth+1)
			c.guards = c.guards[:len(c.guards)-1]
		}
		c.maybe--
		n.cum = c.prior(n, d.weights)
	case KindGroup:
		n.kids = [][]*node{c.list(path, declsOf(d.nodes), depth+1)}
	case KindRepeat:
		n.Lo, n.Hi, n.Step, n.Ordered = float64(d.min), float64(d.max), 1, true
		n.N = d.max - d.min + 1
		if d.min < 0 || d.max < d.min || d.max > maxRepeat {
			c.fail(path, "", fmt.Sprintf("repeat [%d, %d]", d.min, d.max), fmt.Sprintf("0 <= low <= high <= %d", maxRepeat))
			return nil
		}
		if len(d.nodes) == 0 {
			c.fail(path, "", "a repeat of nothing", "at least one node to repeat")
		}
		n.bare = len(d.nodes) == 1 && d.nodes[0].name == ""
		c.reps = append(c.reps, n)
		if d.min == 0 {
			c.guards = append(c.guards, guard{node: n, option: guardRepeat})
		}
		n.kids = [][]*node{c.list(path, declsOf(d.nodes), depth+1)}
		if d.min == 0 {
			c.guards = c.guards[:len(c.guards)-1]
		}
		c.reps = c.reps[:len(c.reps)-1]
	case KindSubset:
		c.values(n, d, "item")
		n.min, n.max = d.min, d.max
		n.Lo, n.Hi = float64(d.min), float64(d.max)
		if d.min < 0 || d.max < d.min || d.max > len(d.values) {
			c.fail(path, "size", fmt.Sprintf("[%d, %d]", d.min, d.max), fmt.Sprintf("0 <= low <= high <= %d items", len(d.values)))
		}
		n.N = 2
		c.s.subsets = true
	case KindPermutation:
		c.values(n, d, "item")
	case KindGrammar:
		c.grammars++
		c.grammar(n, d, depth)
		c.grammars--
	default:
		c.fail(path, "", "a node that no constructor made", "one of the kinds of this package")
	}
	if len(c.errs) > before {
		return nil
	}
	c.finish(n)
	return n
}

// finish completes a node whose own fields are known and lists its parameter.
func (c *compiler) finish(n *node) {
	n.Param.finish()
	for _, l := range n.Labels {
		n.hash = append(n.hash, hashLiteral(l))
	}
	switch n.Kind {
	case KindChoice, KindRepeat, KindRule:
		n.mutable = n.N > 1
	case KindSubset:
		n.leaf, n.mutable = true, n.max > 0 && n.min < len(n.Labels)
	case KindPermutation:
		n.leaf, n.mutable = true, len(n.Labels) > 1
	default:
		n.leaf, n.mutable = true, n.N > 1 || n.N == 0 && n.Hi > n.Lo
	}
	if n.Kind == KindGroup || n.Kind == KindConst || n.Kind == KindGrammar {
		return
	}
	c.any = true
	n.id = int32(len(c.s.params))
	c.s.params = append(c.s.params, &n.Param)
}

// maxRepeat bounds the count of a repeat; a design keeps every copy.
const maxRepeat = 1 << 16

// misplaced reports properties that a node of this kind does not have.
func (c *compiler) misplaced(path string, d *decl) {
	number := d.kind == KindFloat || d.kind == KindInt
	if d.log && !number {
		c.fail(path, "log", "log on a "+d.kind.String(), "log only on float and int")
	}
	if d.step != 0 && !number {
		c.fail(path, "step", "step on a "+d.kind.String(), "step only on float and int")
	}
	if d.sized && d.kind != KindSubset {
		c.fail(path, "size", "size on a "+d.kind.String(), "size only on subset")
	}
	if d.depth != 0 && d.kind != KindGrammar {
		c.fail(path, "depth", "depth on a "+d.kind.String(), "depth only on grammar")
	}
	if d.weights != nil && d.kind != KindOrdinal && d.kind != KindCategorical && d.kind != KindBool && d.kind != KindChoice {
		c.fail(path, "weights", "weights on a "+d.kind.String(), "weights only on choice, ordinal and bool")
	}
}

func (c *compiler) number(n *node, d *decl) {
	n.Lo, n.Hi, n.Step, n.Log, n.Ordered = d.lo, d.hi, d.step, d.log, true
	field := d.kind.String()
	show := fmt.Sprintf("[%v, %v]", d.lo, d.hi)
	switch {
	case !isFinite(d.lo) || !isFinite(d.hi) || !isFinite(d.hi-d.lo):
		c.fail(n.Path, field, show, "finite bounds")
		return
	case d.hi < d.lo:
		c.fail(n.Path, field, fmt.Sprintf("high must be at least low (%v < %v)", d.hi, d.lo), "")
		return
	case d.log && d.lo <= 0:
		c.fail(n.Path, "log", fmt.Sprintf("a logarithmic range that starts at %v", d.lo), "a low bound above 0")
		return
	case d.step < 0 || !isFinite(d.step):
		c.fail(n.Path, "step", fmt.Sprintf("%v", d.step), "a step above 0")
		return
	}
	if d.kind == KindInt {
		if d.lo != math.Trunc(d.lo) || d.hi != math.Trunc(d.hi) || math.Abs(d.lo) > maxExact || math.Abs(d.hi) > maxExact {
			c.fail(n.Path, field, show, "whole numbers between -2^53 and 2^53")
			return
		}
		if d.step != math.Trunc(d.step) {
			c.fail(n.Path, "step", fmt.Sprintf("%v", d.step), "a whole number")
			return
		}
		if n.Step == 0 {
			n.Step = 1
		}
	}
	if n.Step == 0 {
		return
	}
	count := math.Floor((d.hi-d.lo)/n.Step+1e-9) + 1
	if count > maxExact {
		c.fail(n.Path, "step", fmt.Sprintf("%v values", count), "at most 2^53; leave out the step for a real number")
		return
	}
	n.N = int(count)
	n.Hi = n.Number(n.N - 1)
}

// values takes the literals of a declaration as labels.
func (c *compiler) values(n *node, d *decl, what string) {
	if len(d.values) == 0 {
		c.fail(n.Path, d.kind.String(), "an empty list", "at least one "+what)
	}
	seen := map[any]bool{}
	for _, v := range d.values {
		switch x := v.(type) {
		case string:
			if !utf8.ValidString(x) {
				c.fail(n.Path, d.kind.String(), fmt.Sprintf("%s %q", what, x), "text in UTF-8")
				continue
			}
		case bool:
		case float64:
			if !isFinite(x) {
				c.fail(n.Path, d.kind.String(), fmt.Sprintf("%s %v", what, v), "a finite number, a string or a boolean")
				continue
			}
		default:
			c.fail(n.Path, d.kind.String(), fmt.Sprintf("%s %v of type %T", what, v, v), "a finite number, a string or a boolean")
			continue
		}
		if seen[v] {
			c.fail(n.Path, d.kind.String(), fmt.Sprintf("%s %v twice", what, v), "values that differ")
		}
		seen[v] = true
	}
	n.Labels, n.N = d.values, len(d.values)
}

// prior turns weights into a cumulative distribution, nil if uniform.
func (c *compiler) prior(n *node, weights []float64) []float64 {
	if weights == nil {
		return nil
	}
	if len(weights) != n.N {
		c.fail(n.Path, "weights", fmt.Sprintf("%d weights", len(weights)), fmt.Sprintf("one for each of the %d options", n.N))
		return nil
	}
	sum := 0.0
	for _, w := range weights {
		if !(w > 0) || !isFinite(w) {
			c.fail(n.Path, "weights", fmt.Sprintf("%v", w), "finite weights above 0; leave out an option that must not occur")
			return nil
		}
		sum += w
	}
	cum := make([]float64, len(weights))
	acc := 0.0
	for i, w := range weights {
		acc += w
		cum[i] = acc / sum
	}
	cum[len(cum)-1] = 1
	return cum
}

func declsOf(nodes []Node) []decl {
	out := make([]decl, len(nodes))
	for i, n := range nodes {
		out[i] = n.decl
	}
	return out
}
