package space

import (
	"fmt"
	"math"
	"slices"
)

// Kind names what a [Node] is.
type Kind uint8

// The kinds of node. A decision belongs to every kind but Const and Group.
const (
	KindFloat       Kind = iota + 1 // a real number in [Lo, Hi]
	KindInt                         // a whole number in [Lo, Hi]
	KindOrdinal                     // one of a list of values whose order means something
	KindCategorical                 // one of a list of values without order
	KindBool                        // true or false
	KindConst                       // a fixed value that designs carry along
	KindChoice                      // one of several cases, each with nodes of its own
	KindGroup                       // nodes under a common name
	KindRepeat                      // the same nodes several times
	KindSubset                      // some of a list of items
	KindPermutation                 // a list of items in any order
	KindGrammar                     // a derivation of a context-free grammar
	KindRule                        // one nonterminal inside a grammar
	kindRequire                     // a constraint that stands among nodes
)

var kindNames = [...]string{
	KindFloat: "float", KindInt: "int", KindOrdinal: "ordinal", KindCategorical: "choice", KindBool: "bool",
	KindConst: "const", KindChoice: "choice", KindGroup: "group", KindRepeat: "repeat", KindSubset: "subset",
	KindPermutation: "permutation", KindGrammar: "grammar", KindRule: "rule", kindRequire: "require",
}

// String returns the word that study files use for the kind.
func (k Kind) String() string {
	if int(k) < len(kindNames) && kindNames[k] != "" {
		return kindNames[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// A Node declares one part of a space. Nodes are values: the methods that
// refine one return a copy. Nothing is checked until [New].
type Node struct{ decl }

// decl is what a node declares; it is plain data so that algebra, JSON and
// compilation read the same thing.
type decl struct {
	kind       Kind
	name       string
	doc, unit  string
	when       string
	lo, hi     float64
	step       float64
	log        bool
	values     []any // ordinal, categorical, subset, permutation: string, float64 or bool
	weights    []float64
	min, max   int // repeat counts, subset sizes
	sized      bool
	nodes      []Node // group, repeat
	cases      []Branch
	rules      []GrammarRule
	start      string
	depth      int
	constraint string
}

// Float declares a real number in [lo, hi].
func Float(name string, lo, hi float64) Node {
	return Node{decl{kind: KindFloat, name: name, lo: lo, hi: hi}}
}

// Int declares a whole number in [lo, hi], both included.
func Int(name string, lo, hi int) Node {
	return Node{decl{kind: KindInt, name: name, lo: float64(lo), hi: float64(hi)}}
}

// Ordinal declares one of several values whose order carries meaning, such as
// kernel sizes. Values are numbers, strings or booleans.
func Ordinal[T any](name string, values ...T) Node {
	return Node{decl{kind: KindOrdinal, name: name, values: literals(values)}}
}

// Categorical declares one of several values without order.
func Categorical[T any](name string, values ...T) Node {
	return Node{decl{kind: KindCategorical, name: name, values: literals(values)}}
}

// Bool declares true or false.
func Bool(name string) Node { return Node{decl{kind: KindBool, name: name}} }

// Const declares a value that every design carries and no search changes.
func Const(name string, value any) Node {
	return Node{decl{kind: KindConst, name: name, values: []any{literal(value)}}}
}

// Choice declares one of several cases, each with nodes of its own.
func Choice(name string, cases ...Branch) Node {
	return Node{decl{kind: KindChoice, name: name, cases: slices.Clone(cases)}}
}

// A Branch is one case of a [Choice].
type Branch struct {
	Name  string
	Nodes []Node
}

// Case makes a branch of a [Choice].
func Case(name string, nodes ...Node) Branch {
	return Branch{Name: name, Nodes: slices.Clone(nodes)}
}

// Group puts nodes under a common name.
func Group(name string, nodes ...Node) Node {
	return Node{decl{kind: KindGroup, name: name, nodes: slices.Clone(nodes)}}
}

// Repeat declares between lo and hi copies of the same nodes, each copy with
// decisions of its own. If the only node has no name, as in
// Repeat("widths", 1, 4, Int("", 8, 64)), the design is a list of plain values.
func Repeat(name string, lo, hi int, nodes ...Node) Node {
	return Node{decl{kind: KindRepeat, name: name, min: lo, max: hi, nodes: slices.Clone(nodes)}}
}

// Subset declares any selection of the items; [Node.Size] bounds how many.
func Subset[T any](name string, items ...T) Node {
	return Node{decl{kind: KindSubset, name: name, values: literals(items), max: len(items)}}
}

// Permutation declares the items in any order.
func Permutation[T any](name string, items ...T) Node {
	return Node{decl{kind: KindPermutation, name: name, values: literals(items)}}
}

// Grammar declares a derivation of a context-free grammar from its start
// symbol. A symbol with a rule is a nonterminal; every other symbol is a
// terminal. A grammar must be finite almost surely under its probabilities
// unless [Node.Depth] bounds it.
func Grammar(name, start string, rules ...GrammarRule) Node {
	return Node{decl{kind: KindGrammar, name: name, start: start, rules: slices.Clone(rules)}}
}

// A GrammarRule lists what a nonterminal may become.
type GrammarRule struct {
	Symbol      string
	Productions []Production
}

// A Production is one thing a nonterminal may become: a sequence of symbols,
// with parameters of its own if it needs any.
type Production struct {
	Symbols []string
	With    []Node
	Weight  float64 // probability; what is not stated is shared equally by the rest
}

// Rule makes a [GrammarRule].
func Rule(symbol string, productions ...Production) GrammarRule {
	return GrammarRule{Symbol: symbol, Productions: slices.Clone(productions)}
}

// Use makes a [Production] from a sequence of symbols.
func Use(symbols ...string) Production { return Production{Symbols: slices.Clone(symbols)} }

// P states the probability of a production, in (0, 1].
func (p Production) P(probability float64) Production { p.Weight = probability; return p }

// Params gives a production parameters of its own.
func (p Production) Params(nodes ...Node) Production { p.With = slices.Clone(nodes); return p }

// Require states a constraint known before anything is measured, such as
// "tile * unroll <= 256". It may stand among the nodes of a space, a group, a
// case or a repeat and speaks about the names it can see from there. A
// constraint that mentions an inactive parameter holds.
func Require(constraint string) Node {
	return Node{decl{kind: kindRequire, constraint: constraint}}
}

// Log makes a number logarithmic: its prior, its steps and its encoding.
func (n Node) Log() Node { n.log = true; return n }

// Step allows only lo, lo+step, lo+2·step, … up to hi.
func (n Node) Step(step float64) Node { n.step = step; return n }

// When makes a node active only where the condition holds. It may use any
// parameter declared before it, and an inactive parameter makes it false.
func (n Node) When(condition string) Node { n.when = condition; return n }

// Weights states the prior of each value or case; they need not sum to 1.
func (n Node) Weights(w ...float64) Node { n.weights = slices.Clone(w); return n }

// Size bounds how many items a [Subset] may hold.
func (n Node) Size(lo, hi int) Node { n.min, n.max, n.sized = lo, hi, true; return n }

// Depth bounds the depth of a [Grammar]'s derivations: the start symbol stands
// at depth 1. At the bound only productions that can still finish are legal.
func (n Node) Depth(depth int) Node { n.depth = depth; return n }

// Unit names the unit of a number, for tables and plots.
func (n Node) Unit(unit string) Node { n.unit = unit; return n }

// Doc describes a node in one line.
func (n Node) Doc(doc string) Node { n.doc = doc; return n }

// Name returns the node's own name.
func (n Node) Name() string { return n.name }

// Kind returns what the node is.
func (n Node) Kind() Kind { return n.kind }

func literals[T any](values []T) []any {
	out := make([]any, len(values))
	for i, v := range values {
		out[i] = literal(v)
	}
	return out
}

// literal turns a Go value into one of the three kinds of constant that
// designs hold: string, float64 and bool. Anything else is kept and refused
// by [New] with its type.
func literal(v any) any {
	switch v := v.(type) {
	case string, bool, float64:
		return v
	case int:
		return exact(int64(v))
	case int8:
		return float64(v)
	case int16:
		return float64(v)
	case int32:
		return float64(v)
	case int64:
		return exact(v)
	case uint8:
		return float64(v)
	case uint16:
		return float64(v)
	case uint32:
		return float64(v)
	case uint:
		return exactU(uint64(v))
	case uint64:
		return exactU(v)
	case float32:
		return float64(v)
	case fmt.Stringer:
		return v.String()
	}
	return v
}

// maxExact is the largest whole number below which every whole number has a
// float64 of its own (2^53).
const maxExact = 1 << 53

func exact(v int64) any {
	if v > maxExact || v < -maxExact {
		return v // refused by New: it would lose digits
	}
	return float64(v)
}

func exactU(v uint64) any {
	if v > maxExact {
		return v
	}
	return float64(v)
}

func isFinite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
