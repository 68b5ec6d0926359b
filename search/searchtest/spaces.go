package searchtest

import (
	"fmt"

	"github.com/daedalus-search/daedalus/space"
)

// A Kind is a kind of space on which a method is tried.
type Kind string

// The kinds of space.
const (
	Flat        Kind = "flat"        // numbers, logarithmic ones, ordinals, categories
	Conditional Kind = "conditional" // choices whose cases have parameters of their own
	Constrained Kind = "constrained" // conditions and a constraint
	Repeated    Kind = "repeated"    // repeats, so designs differ in length
	Selections  Kind = "selections"  // a subset and a permutation
	Grammar     Kind = "grammar"     // derivations of a grammar
	Tiny        Kind = "tiny"        // 12 designs
)

// Kinds returns all kinds, in a fixed order.
func Kinds() []Kind {
	return []Kind{Flat, Conditional, Constrained, Repeated, Selections, Grammar, Tiny}
}

// Space returns the space of a kind. Spaces of the same kind have the same
// designs.
func Space(k Kind) *space.Space {
	switch k {
	case Flat:
		return space.MustNew(
			space.Float("rate", 1e-5, 1e-1).Log(), space.Float("momentum", 0, 1), space.Int("units", 16, 256).Step(8),
			space.Int("depth", 1, 16).Log(), space.Ordinal("kernel", 3, 5, 7), space.Categorical("act", "relu", "gelu", "silu"),
			space.Bool("norm"), space.Categorical("opt", "a", "b", "c", "d").Weights(4, 2, 1, 1))
	case Conditional:
		return space.MustNew(
			space.Choice("block",
				space.Case("conv", space.Ordinal("kernel", 3, 5, 7), space.Int("groups", 1, 8)),
				space.Case("mbconv", space.Ordinal("expand", 3, 4, 6), space.Float("drop", 0, 0.5),
					space.Choice("attention", space.Case("se", space.Int("ratio", 2, 16)), space.Case("none"))),
				space.Case("skip")),
			space.Float("width", 0.5, 2))
	case Constrained:
		return space.MustNew(
			space.Int("x", 1, 32), space.Int("y", 1, 32), space.Bool("tiled"),
			space.Int("tile", 1, 16).When("tiled"), space.Float("clock", 0.1, 2),
			space.Require("x * y <= 256"))
	case Repeated:
		return space.MustNew(
			space.Repeat("stages", 1, 4, space.Categorical("op", "a", "b", "c"), space.Int("width", 8, 64)),
			space.Repeat("bits", 0, 3, space.Bool("")))
	case Selections:
		return space.MustNew(
			space.Subset("augment", "flip", "crop", "cutout", "mix", "blur").Size(1, 3),
			space.Permutation("passes", "dce", "inline", "unroll", "vectorize"),
			space.Float("strength", 0, 1))
	case Grammar:
		return space.MustNew(
			space.Grammar("net", "M",
				space.Rule("M", space.Use("C").P(0.4), space.Use("M", "M"), space.Use("branch", "M", "merge")),
				space.Rule("C", space.Use("linear").Params(space.Ordinal("units", 16, 32)), space.Use("norm"), space.Use("relu"))).Depth(6),
			space.Float("rate", 0, 1))
	case Tiny:
		return space.MustNew(space.Ordinal("a", 1, 2, 3), space.Categorical("b", "x", "y"), space.Bool("c"))
	}
	panic(fmt.Sprintf("searchtest: kind %q, want one of %q", k, Kinds()))
}

// tinyDesigns is the number of designs of the tiny space.
const tinyDesigns = 12
