// Package score foretells how good a network will be without training it: training-free
// scores, also called zero-cost proxies.
//
//	values, err := score.Compute(g, batch, "naswot", "synflow", "params")
//
//	s, err := score.New(score.Options{Seed: 7, Repeats: 4})
//	r, err := s.Compute(g, batch, "snip", "zen")
//	r.Merit("snip") // larger is better; what could not be computed is last
//
// [Scores] is the table of what there is: what each score says, whether more of it is
// better, what it needs and what it costs. Scores are of a network as it begins, with
// weights that are drawn by the seed and the names of nodes, so that networks of a family
// share them and their comparison is less noisy. They compare networks with each other;
// their numbers mean nothing by themselves, and they are worth using only where they rank
// better than the number of parameters, which costs nothing ("params", "macs").
//
// A score that cannot be had of a network, such as one whose output ignores its input,
// is NaN with a reason ([Result.Reasons]), and ranks last. Mistakes of the caller are
// errors.
//
// Formulas follow the code that the papers' numbers came from: Abdelfattah et al. 2021
// (github.com/SamsungLabs/zero-cost-nas) for grad_norm, snip, plain, grasp, fisher, synflow
// and jacob_cov, Mellor et al. 2021 for naswot, Lin et al. 2021 for zen, Chen et al. 2021
// for ntk, Li et al. 2023 for zico. Batch normalisation uses the statistics of the batch.
package score
