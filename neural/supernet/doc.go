// Package supernet trains all networks of a family at once, with weights that they
// share, and says how good each is without training it by itself.
//
//	family, err := nets.MiniOFA().New()
//	s, err := supernet.New(family)
//	trained, err := supernet.Train(ctx, supernet.Job{
//		Supernet: s, Device: device, Train: set, Residual: true,
//		Phases: supernet.BigNAS(train.Recipe{Epochs: 10, Schedule: "exponential"}),
//	})
//	e := &supernet.Evaluator{Supernet: s, Params: trained.Params, Train: set, Valid: valid}
//	m, err := e.Evaluate(ctx, design)          // with inherited weights
//	g, w, err := e.Extract(ctx, design)        // to export, or to train further
//
// Sharing needs no machinery but names: nodes of one name have the same weights in all
// networks, the first of the features and the centre of the kernel. With
// [Job.Transforms] smaller kernels are not plain centres but learned from these by a
// matrix for each layer, as Once-for-All has them.
//
// Three published trainings are lists of [Phase]: [SPOS], single random paths (Guo et
// al. 2020); [BigNAS], largest, smallest and random networks in each step, all but the
// largest taught by its outputs (Yu et al. 2020); and [Shrinking], from the largest
// network to ever smaller ones (Cai et al. 2020). What they differ in are a [Sampler],
// a [Teaching] and a recipe of package train, and these combine freely.
//
// A training is one of package train, with its checkpoints, progress and errors. All
// random choices follow from seeds and the number of the step.
//
// [Ranking] says what a supernet is worth as a predictor: rank correlation and regret
// against the truth, always beside those of plain costs and chance.
//
// Start at family.go for what the weights of a family are, sample.go for what is
// trained, train.go for how, channels.go for the sorting of channels, and rank.go.
package supernet
