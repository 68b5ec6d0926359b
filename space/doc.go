// Package space is the language of designs: what may be built.
//
// A space is declared as a list of nodes: numbers, choices with parameters of
// their own, repeats, subsets, permutations, grammars, conditions (when) and
// constraints (require). A [Design] is the list of decisions taken while walking
// a space from its first node to its last; where a decision opens a part, the
// walk goes through that part next. So one machine, the walker, serves
// everything: sampling answers its questions by the prior, reading answers them
// from JSON, mutation and crossover answer them from parents, enumeration counts
// through the answers, and a search method answers them by its own policy
// through [Space.Walk]. Search methods never know which kind of space they
// search.
//
//	s := space.MustNew(
//		space.Float("lr", 1e-5, 1e-1).Log(),
//		space.Choice("block",
//			space.Case("conv", space.Ordinal("kernel", 3, 5, 7)),
//			space.Case("skip")),
//		space.Repeat("widths", 1, 4, space.Int("", 8, 64).Step(8)),
//		space.Require("sum(widths) <= 160"),
//	)
//	r := rand.New(rand.NewPCG(1, 1))
//	d, err := s.Sample(r)
//	fmt.Println(d) // {"lr":0.0012,"block":{"conv":{"kernel":5}},"widths":[24,8]}
//	d = s.Mutate(r, d, space.Mutation{})
//
// # Laws
//
// The tests of this package hold it to these, on random spaces:
//
//   - Two designs of a space are == exactly when all their decisions are, and
//     then only are their hashes. A design's hash depends on names and values
//     alone, so it survives reordered parameters, added choices and widened
//     ranges.
//   - Whatever makes a design (Sample, SampleUniform, Mutate, Cross, Neighbors,
//     FromUnit, FromFeatures, a Walker, All) makes one that ParseJSON accepts:
//     conditions decide what is in it, and every constraint holds.
//   - ParseJSON undoes MarshalJSON; FromFeatures undoes Encode.
//   - All yields each of Count designs once. SampleUniform draws them with equal
//     probability, Sample by the priors of their decisions.
//   - Distance is 0 only between equal designs, symmetric, and at most 1.
//
// # Constraints
//
// A constraint is evaluated exactly once all it mentions is decided, and it
// holds where something it needs is inactive, as it does where the case, group
// or copy it stands in is. Before that, interval arithmetic and a look at the
// single option rule out answers after which it could not hold (see
// internal/expr); designs that still end in a dead end are drawn again and
// counted by [Space.Rejections].
//
// # Where to start reading
//
// node.go says what can be declared and walk.go how a declaration is walked;
// nearly every other file is a loop over that walk. rules.go compiles conditions
// and constraints.
package space
