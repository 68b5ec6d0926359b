// Package sample proposes designs without learning from results: the baselines
// that every claim about a search method is measured against, and the plans
// that other methods start from.
//
// [Random] draws from the prior, [Grid] visits a lattice in random order,
// [Sobol] and [Latin] spread their points more evenly than chance would. They
// accept any number of pending proposals and do not care whether results come
// back. [TwoPhase] looks once, at the end of its first grid:
//
//	s, err := sample.Random{}.New(search.Setup{Space: sp, Seed: 7})
//	proposals, err := s.Ask(16)
package sample

// unlimited is the batch size of methods that need no results at all.
const unlimited = 1 << 30
