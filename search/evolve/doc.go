// Package evolve holds evolutionary search: a population of designs, parents
// chosen from it, children made by mutation and crossover.
//
// [Regularized] evolution ages its population and is the standard of
// architecture search; [NSGA2] keeps the best by dominance and crowding and is
// the standard for several objectives.
//
//	s, err := evolve.Regularized{}.New(search.Setup{Space: sp, Seed: 7})
//	for range 1000 {
//		proposals, err := s.Ask(1)
//		…
//		s.Tell(outcomes...)
//	}
package evolve
