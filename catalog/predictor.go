package catalog

import (
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/problems/predictor"
	"github.com/daedalus-search/daedalus/space"
)

// predictorRows are the problems that are not measured but predicted.
func predictorRows() []Problem {
	return []Problem{{
		Name: "predictor", Doc: "a saved predictor of your own trials: designs are predicted, not measured", Source: "you; Krishnan et al. 2023 (ArchGym's proxies)",
		Needs:   "file",
		Options: func() any { return new(predictor.Options) },
		New: func(o any, _ *space.Space, dir string) (problem.Problem, error) {
			opts := *o.(*predictor.Options)
			opts.Dir = dir
			return predictor.New(opts)
		},
	}}
}
