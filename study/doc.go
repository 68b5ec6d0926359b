// Package study runs a search: it asks a searcher for designs, has them
// evaluated in parallel, keeps every trial, and ends with the front.
//
//	res, err := study.Run(ctx, study.Config{
//		Problem: problem.Func(sp, metrics, evaluate),
//		Goal:    goal,
//		Method:  evolve.NSGA2{},
//		Budget:  study.Budget{Trials: 1000},
//	})
//
// The pieces: [Config] is the whole question. [Open] starts a study or
// continues one, [Study.Run] works until a budget or stop rule ends it,
// [Study.Ask] and [Study.Tell] serve callers that evaluate by themselves, and
// [Result] is the answer. run.go holds the two loops, replay.go rebuilds a
// searcher from the decision log, prune.go stops evaluations that look bad.
package study

import "context"

// Run opens a study in memory, or in cfg.Store, and runs it to its end.
func Run(ctx context.Context, cfg Config) (*Result, error) {
	s, err := Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return s.Run(ctx)
}
