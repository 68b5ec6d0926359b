package space

import (
	"encoding/hex"
	"fmt"
	"math"

	"github.com/daedalus-search/daedalus/internal/expr"
)

// A Design is one element of a space: the list of decisions taken while
// walking it. Designs are immutable, compact and comparable: two designs of
// the same space are equal with == exactly when all their decisions are, so a
// Design can be a map key. The zero Design belongs to no space.
type Design struct {
	space *Space
	trace string
}

// Space returns the space the design belongs to, nil for the zero Design.
func (d Design) Space() *Space { return d.space }

// IsZero reports whether the design is the zero Design.
func (d Design) IsZero() bool { return d.space == nil }

// A Hash identifies a design by the names and values of its decisions. It does
// not depend on the order in which parameters were declared, nor on options
// the design does not use, so it survives added choices and widened ranges.
type Hash [16]byte

// String returns the hash as 32 hexadecimal digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText implements [encoding.TextMarshaler].
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (h *Hash) UnmarshalText(text []byte) error {
	if n, err := hex.Decode(h[:], text); err != nil || n != len(h) || len(text) != 2*len(h) {
		return fmt.Errorf("space: hash %q; expected 32 hexadecimal digits", text)
	}
	return nil
}

// Hash returns the stable 128-bit hash of the design. Its value for a given
// design is part of the storage format and never changes.
func (d Design) Hash() Hash {
	if d.space == nil {
		return Hash{}
	}
	w := d.space.walk()
	t := trace{s: d.trace}
	var a, b uint64
	for {
		if f := w.run(); f != nil {
			for ; int(f.i) < len(f.nodes) && f.nodes[f.i].simple; f.i++ {
				n := f.nodes[f.i]
				if n.when != nil && w.inactive(n) {
					continue
				}
				var v uint64
				i, x := 0, 0.0
				if n.N == 0 {
					x = t.real()
					v = hashNumber(x)
				} else {
					i = t.index()
					v = n.hashOption(i)
				}
				if n.watch != nil {
					w.assign(n.watch, n.value(i, x), expr.Known)
				}
				a, b = fold(a, b, f.site^n.seed, v)
			}
		}
		if !w.step() {
			break
		}
		n, site, role, item := w.n, w.site, w.role, w.item
		i, x := w.follow(&t)
		var v uint64
		switch role {
		case RoleReal:
			v = hashNumber(x)
		case RoleInclude, RoleSize:
			continue // members are added below, whichever way they came in
		case RolePlace:
			f := &w.stack[len(w.stack)-1]
			v = n.hash[w.perms[int(f.left)+item]]
		default:
			v = n.hashOption(i)
		}
		a, b = fold(a, b, site, v)
	}
	d.space.free(w)
	if d.space.subsets {
		a, b = d.hashSubsets(a, b)
	}
	return pack(a, b)
}

func hashNumber(x float64) uint64 { return mix(math.Float64bits(x+0) + golden) }

func (p *Param) hashOption(i int) uint64 {
	if p.hash != nil {
		return p.hash[i]
	}
	return hashNumber(p.Number(i))
}

// fold adds one decision. Addition makes the order irrelevant; two independent
// finalisers make 128 bits.
func fold(a, b, site, v uint64) (uint64, uint64) {
	return a + mix(site^v), b + mix((site+v)*0xD6E8FEB86659FD93+golden)
}

func pack(a, b uint64) (h Hash) {
	for i := range 8 {
		h[i] = byte(a >> (56 - 8*i))
		h[8+i] = byte(b >> (56 - 8*i))
	}
	return h
}

// hashSubsets adds the members of subsets, including those that need no
// decision because all remaining items had to be taken.
func (d Design) hashSubsets(a, b uint64) (uint64, uint64) {
	for _, it := range d.items() {
		if it.node.Kind != KindSubset {
			continue
		}
		a, b = fold(a, b, it.site, uint64(len(it.members)))
		for _, m := range it.members {
			a, b = fold(a, b, it.site, it.node.hash[m])
		}
	}
	return a, b
}

// An Answer is one decision of a design: which decision it was and what was
// decided.
type Answer struct {
	Decision
	Index int     // the option taken; 0 for a real number
	Real  float64 // the real number taken, if the role is RoleReal
}

// Decisions appends the decisions of the design in walking order to dst and
// returns it; dst may be nil or a buffer to reuse.
func (d Design) Decisions(dst []Answer) []Answer {
	if d.space == nil {
		return dst
	}
	if f := d.space.flat(); f.nodes != nil {
		return f.decisions(d.trace, dst)
	}
	w := d.space.walk()
	t := trace{s: d.trace}
	for w.step() {
		c := Answer{Decision: w.decision()}
		c.Index, c.Real = w.follow(&t)
		dst = append(dst, c)
	}
	d.space.free(w)
	return dst
}

// Len returns the number of decisions of the design.
func (d Design) Len() int {
	if d.space == nil {
		return 0
	}
	w := d.space.walk()
	t := trace{s: d.trace}
	n := 0
	for w.step() {
		w.follow(&t)
		n++
	}
	d.space.free(w)
	return n
}

// String returns the design as JSON.
func (d Design) String() string {
	if d.space == nil {
		return "{}"
	}
	return string(d.AppendJSON(nil))
}
