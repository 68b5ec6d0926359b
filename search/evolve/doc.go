// Package evolve holds evolutionary search: populations of designs that are
// varied and selected.
//
// On every space and for one objective, [Regularized] evolution ages its
// population and is the standard of architecture search; [Genetic] keeps the
// best and crosses them; [Ants] learn which options good designs take. For
// several objectives, [NSGA2] keeps the best by dominance and crowding and is
// the standard for two; [SMSEMOA] keeps what adds hypervolume; [NSGA3] spreads
// three objectives and more over reference lines, and [MOEAD] makes one problem
// of each direction.
//
// Methods for numbers, [CMAES], [Differential] and [Swarm], search any space
// that has a fixed layout of coordinates.
//
//	s, err := evolve.Regularized{}.New(search.Setup{Space: sp, Seed: 7})
//	for range 1000 {
//		proposals, err := s.Ask(1)
//		…
//		s.Tell(outcomes...)
//	}
package evolve
