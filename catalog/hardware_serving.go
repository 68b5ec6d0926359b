package catalog

import (
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/problems/serving"
	"github.com/daedalus-search/daedalus/space"
)

// servingRows are the problems of hardware/serving.
func servingRows() []Problem {
	return []Problem{{
		Name: "serving", Doc: "how to serve a language model: accelerators, parallelism, number formats and scheduler under a load of requests",
		Source:  "Bambhaniya et al. 2024 (GenZ), and an event simulation of continuous batching",
		Options: func() any { return new(serving.Options) },
		New: func(o any, _ *space.Space, dir string) (problem.Problem, error) {
			p, err := o.(*serving.Options).In(dir).New()
			if err != nil {
				return nil, err
			}
			return p, nil
		},
	}}
}
