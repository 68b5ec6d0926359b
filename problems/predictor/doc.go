// Package predictor makes a problem of a fitted predictor: designs are not
// measured but predicted, in microseconds, so that a proxy can be searched.
//
//	p, err := predictor.Train(ctx, space, metrics, samples, predictor.Training{})
//	fmt.Println(p.Quality("latency_ms")) // cross-validated
//	err = p.Save(file)
//	…
//	p, err = predictor.Open("latency.predictor")
//
// It is the last step of ArchGym's proxy experiment (Krishnan et al. 2023):
// collect what several searchers measured, train, search the proxy, and measure
// the best again. A proxy trained on what one searcher measured knows only where
// that one went, and trees predict the nearest known value beyond it: what they
// promise there has to be measured.
package predictor
