package neural

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math/bits"
	"slices"
)

// An Equivalence says which networks are the same.
//
// All of them resolve identities and ignore names, the order of nodes and of the
// terms of a sum, and nodes that no output depends on. But for NoZeros, an operator
// on nothing but zeros counts as zero: what it adds to a network is at most a
// constant.
type Equivalence uint8

// The equivalences.
const (
	// Folded drops zero terms and flattens sums of sums: 4,930 of the 15,625 cells of
	// NAS-Bench-201. One result that is read twice is the same as two that are
	// computed alike, each with weights of its own.
	Folded Equivalence = iota
	// Exact is Folded, but tells those apart: 5,425 cells. It compares networks by
	// colour refinement, under which networks that differ may in principle look the
	// same; no two of those cells do.
	Exact
	// Published is the rule by which NAS-Bench-201 counts 6,466 cells as unique (Dong
	// and Yang 2020): zero terms stay in a sum, and a sum of sums is the sum of all
	// terms only if they happen to stand in the order of their texts. A block that is
	// a chain counts as one operator, like the benchmark's operations.
	Published
	// NoZeros is Published without a rule for zeros, which are an operator like any
	// other: 12,751 cells.
	NoZeros
)

// A Class stands for all networks that are the same.
type Class [16]byte

// String writes the class in hexadecimal.
func (c Class) String() string { return hex.EncodeToString(c[:]) }

// Class returns the class of the network. It is the same on all machines.
func (g *Graph) Class(e Equivalence) Class {
	if e == Exact {
		return g.exact()
	}
	c := classes{rule: e}
	terms := make([]term, len(g.nodes))
	var first []int // of the chain that ends at a node; −1 within a chain
	if e == Published || e == NoZeros {
		first = g.chains()
	}
	inputs := 0
	for i, n := range g.nodes {
		if _, ok := n.Op.(Input); ok {
			terms[i] = c.single(atom{rank: isInput, label: mix('i', uint128{0, uint64(inputs)}, c.label(n.Op))})
			inputs++
			continue
		}
		at, label := i, c.label(n.Op)
		if first != nil && first[i] < 0 {
			continue
		}
		if first != nil && first[i] < i {
			at = first[i]
			c.parts = c.parts[:0]
			for _, m := range g.nodes[at : i+1] {
				c.parts = append(c.parts, c.label(m.Op))
			}
			label = mix('b', c.parts...)
		}
		in := c.in[:0]
		for _, j := range g.nodes[at].In {
			in = append(in, terms[j])
		}
		c.in = in
		terms[i] = c.term(n.Op, label, in)
	}
	var ends []uint128
	for _, i := range g.outputs {
		h := terms[i].hash
		if terms[i].zero {
			h = mix('0')
		}
		ends = append(ends, h)
	}
	return class(mix('g', ends...))
}

func class(h uint128) (c Class) {
	binary.BigEndian.PutUint64(c[:8], h.hi)
	binary.BigEndian.PutUint64(c[8:], h.lo)
	return c
}

// chains finds the blocks that are chains: for every node, the first of the chain
// that ends there; itself, if it is in no such block; −1, if it is inside one.
func (g *Graph) chains() []int {
	first := make([]int, len(g.nodes))
	last := make([]int, len(g.nodes)) // the last node that reads it
	for i, n := range g.nodes {
		first[i] = i
		for _, j := range n.In {
			last[j] = i
		}
	}
	for _, i := range g.outputs {
		last[i] = len(g.nodes)
	}
	parent := make([]bool, len(g.blocks))
	for _, b := range g.blocks {
		if b.Parent >= 0 {
			parent[b.Parent] = true
		}
	}
	for i := 0; i < len(g.nodes); {
		block := g.nodes[i].Block
		end := i
		whole := block != 0 && !parent[block]
		for ; end < len(g.nodes) && g.nodes[end].Block == block; end++ {
			n := g.nodes[end]
			switch n.Op.(type) {
			case Identity, Zero, Input:
				whole = false
			}
			whole = whole && len(n.In) == 1 && (end == i || n.In[0] == end-1 && last[end-1] == end)
		}
		if whole {
			for k := i; k < end-1; k++ {
				first[k] = -1
			}
			first[end-1] = i
		}
		i = end
	}
	return first
}

// uint128 is a hash, added without carry out.
type uint128 struct{ hi, lo uint64 }

func (a uint128) add(b uint128) uint128 {
	lo, carry := bits.Add64(a.lo, b.lo, 0)
	hi, _ := bits.Add64(a.hi, b.hi, carry)
	return uint128{hi, lo}
}

func compare128(a, b uint128) int {
	switch {
	case a == b:
		return 0
	case a.hi < b.hi || a.hi == b.hi && a.lo < b.lo:
		return -1
	}
	return 1
}

// label is an operator with its attributes as a hash.
func label(o Op) uint128 {
	text, err := json.Marshal(o)
	if err != nil {
		panic("neural: " + err.Error()) // operators of a graph were checked
	}
	return mix('o', digest(append([]byte(o.Kind()+" "), text...)))
}

func digest(b []byte) uint128 {
	s := sha256.Sum256(b)
	return uint128{binary.BigEndian.Uint64(s[:8]), binary.BigEndian.Uint64(s[8:16])}
}

// mix hashes a list of hashes, in order.
func mix(tag byte, parts ...uint128) uint128 {
	var room [256]byte
	b := append(room[:0], tag)
	for _, p := range parts {
		b = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, p.hi), p.lo)
	}
	return digest(b)
}

// A term is what a node computes.
//
// Folded, it is the sum of the hashes of the terms: the order does not matter,
// zero adds nothing, and a sum of sums is the sum of all. Published, it is also
// the sequence of the terms: the sequence of a sum of sums is that of its sums,
// sorted, one after the other.
type term struct {
	hash uint128
	list []int // in atoms; not for Folded
	zero bool
}

// An atom is a term that is no sum. Atoms are sorted as their texts would be in
// the benchmark, which are "#" for zeros, "(operand)@operator" and "0" for the
// input.
type atom struct {
	rank  uint8
	label uint128
	in    [][]int
	hash  uint128
}

const (
	isZero uint8 = iota
	isOp
	isInput
)

// classes collects what is known of a network on the way to its class.
type classes struct {
	rule  Equivalence
	atoms []atom
	byKey map[uint128]int
	in    []term
	parts []uint128
	known map[Op]uint128
}

func (c *classes) label(o Op) uint128 {
	if h, ok := c.known[o]; ok {
		return h
	}
	if c.known == nil {
		c.known = map[Op]uint128{}
	}
	h := label(o)
	c.known[o] = h
	return h
}

// single is the term of an atom whose operands have these hashes.
func (c *classes) single(a atom, operands ...uint128) term {
	a.hash = mix('n', append([]uint128{a.label}, operands...)...)
	if c.rule == Folded {
		return term{hash: a.hash}
	}
	k, ok := c.byKey[a.hash]
	if !ok {
		if c.byKey == nil {
			c.byKey = map[uint128]int{}
		}
		k = len(c.atoms)
		c.byKey[a.hash] = k
		c.atoms = append(c.atoms, a)
	}
	return term{hash: a.hash, list: []int{k}}
}

// compare compares two atoms as their texts would.
func (c *classes) compare(x, y int) int {
	if x == y {
		return 0
	}
	a, b := &c.atoms[x], &c.atoms[y]
	if a.rank != b.rank {
		return int(a.rank) - int(b.rank)
	}
	if r := slices.CompareFunc(a.in, b.in, c.compareLists); r != 0 {
		return r
	}
	return compare128(a.label, b.label)
}

func (c *classes) compareLists(a, b []int) int { return slices.CompareFunc(a, b, c.compare) }

// longest is how many terms a sum may have before it counts as one term. Sums of
// sums can grow with every node.
const longest = 1 << 10

// sum is the term of a sum.
func (c *classes) sum(in []term) term {
	s := term{zero: true}
	if c.rule == Folded {
		for _, t := range in {
			s.hash, s.zero = s.hash.add(t.hash), s.zero && t.zero
		}
		return s
	}
	slices.SortFunc(in, func(a, b term) int { return c.compareLists(a.list, b.list) })
	s.zero = false // even of zeros only
	for _, t := range in {
		s.list = append(s.list, t.list...)
	}
	c.parts = c.parts[:0]
	for _, k := range s.list {
		c.parts = append(c.parts, c.atoms[k].hash)
	}
	s.hash = mix('s', c.parts...)
	if len(s.list) > longest {
		return c.single(atom{rank: isOp, label: s.hash})
	}
	return s
}

// zero is the term of zeros.
func (c *classes) zero() term {
	if c.rule == Folded {
		return term{zero: true}
	}
	t := c.single(atom{rank: isZero})
	t.zero = true
	return t
}

// term is what an operator computes of its operands' terms, which it may sort.
func (c *classes) term(o Op, label uint128, in []term) term {
	if c.rule != NoZeros {
		zeros := 0
		for _, t := range in {
			if t.zero {
				zeros++
			}
		}
		switch o.(type) {
		case Zero:
			return c.zero()
		case Multiply:
			if zeros > 0 {
				return c.zero()
			}
		case Add: // has its own rule
		default:
			if zeros == len(in) {
				return c.zero()
			}
		}
	}
	switch o := o.(type) {
	case Identity:
		return in[0]
	case Add:
		return c.sum(in)
	default:
		if commutes(o) {
			slices.SortFunc(in, func(a, b term) int { return compare128(a.hash, b.hash) })
		}
		a := atom{rank: isOp, label: label}
		c.parts = c.parts[:0]
		for _, t := range in {
			a.in = append(a.in, t.list)
			c.parts = append(c.parts, t.hash)
		}
		return c.single(a, c.parts...)
	}
}

// exact is the class under [Exact]: what every operator computes is refined by
// what becomes of it, and that again by what its operands were refined to, until
// no more operators are told apart.
func (g *Graph) exact() Class {
	c := classes{rule: Folded}
	n := len(g.nodes)
	terms := make([]term, n)
	atoms := make([]bool, n) // whose result is no sum and no zero, and not another's
	inputs := 0
	for i, node := range g.nodes {
		in := c.in[:0]
		for _, j := range node.In {
			in = append(in, terms[j])
		}
		c.in = in
		switch node.Op.(type) {
		case Input:
			terms[i] = c.single(atom{label: mix('i', uint128{0, uint64(inputs)}, c.label(node.Op))})
			inputs++
			atoms[i] = true
		default:
			terms[i] = c.term(node.Op, c.label(node.Op), in)
			_, sum := node.Op.(Add)
			_, same := node.Op.(Identity)
			atoms[i] = !sum && !same && !terms[i].zero
		}
	}
	live := make([]bool, n)
	for _, i := range g.outputs {
		live[i] = true
	}
	for i := n - 1; i >= 0; i-- {
		if live[i] = live[i] && !terms[i].zero; live[i] {
			for _, j := range g.nodes[i].In {
				live[j] = true
			}
		}
	}
	colour := make([]uint128, n) // of atoms; of other values, the sum of their atoms'
	for i, t := range terms {
		colour[i] = t.hash
	}
	context := make([]uint128, n) // what becomes of a value, added up
	seen := make(map[uint128]bool, n)
	for told := -1; ; {
		clear(seen)
		for i := range colour {
			if live[i] && atoms[i] {
				seen[colour[i]] = true
			}
		}
		if len(seen) == told {
			break
		}
		told = len(seen)
		clear(context)
		for k, i := range g.outputs {
			context[i] = context[i].add(mix('x', uint128{0, uint64(k)}))
		}
		for i := n - 1; i >= 0; i-- {
			if !live[i] {
				continue
			}
			for k, j := range g.nodes[i].In {
				switch {
				case !atoms[i]:
					context[j] = context[j].add(context[i])
				case commutes(g.nodes[i].Op):
					context[j] = context[j].add(mix('u', colour[i]))
				default:
					context[j] = context[j].add(mix('u', colour[i], uint128{0, uint64(k)}))
				}
			}
		}
		for i := range colour {
			node := &g.nodes[i]
			switch {
			case !live[i]:
				colour[i] = uint128{}
			case atoms[i]:
				c.parts = append(c.parts[:0], colour[i], context[i])
				first := len(c.parts)
				for _, j := range node.In {
					c.parts = append(c.parts, colour[j])
				}
				if commutes(node.Op) {
					slices.SortFunc(c.parts[first:], compare128)
				}
				colour[i] = mix('c', c.parts...)
			default:
				colour[i] = uint128{}
				for _, j := range node.In {
					colour[i] = colour[i].add(colour[j])
				}
			}
		}
	}
	var all uint128
	for i := range colour {
		if live[i] && atoms[i] {
			all = all.add(mix('a', colour[i]))
		}
	}
	parts := []uint128{all}
	for _, i := range g.outputs {
		parts = append(parts, colour[i])
	}
	return class(mix('x', parts...))
}

// commutes reports whether the operands can be exchanged. Sums are not asked for.
func commutes(o Op) bool {
	_, ok := o.(Multiply)
	return ok
}
