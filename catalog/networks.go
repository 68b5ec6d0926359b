package catalog

import (
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/problems/networks"
	"github.com/daedalus-search/daedalus/space"
)

// networkRows are the networks that are trained here.
func networkRows() []Problem {
	return []Problem{
		{
			Name: "vision", Doc: "networks for images, trained, and timed on this machine: the built-in data, or your own files",
			Source:  "Yu et al. 2020 (BigNAS), Cai et al. 2020 (Once-for-All), Guo et al. 2020 (SPOS)",
			Options: func() any { return new(networks.Vision) },
			New: func(o any, _ *space.Space, dir string) (problem.Problem, error) {
				return orError(o.(*networks.Vision).In(dir).New())
			},
		},
		{
			Name: "text", Doc: "transformers that foretell text, trained, and timed on this machine",
			Source:  "Vaswani et al. 2017; Katharopoulos et al. 2020 (linear attention)",
			Options: func() any { return new(networks.Text) },
			New: func(o any, _ *space.Space, dir string) (problem.Problem, error) {
				return orError(o.(*networks.Text).In(dir).New())
			},
		},
		{
			Name: "tabular", Doc: "multilayer perceptrons for tables, trained, and timed on this machine",
			Source:  "Gorishniy et al. 2021",
			Options: func() any { return new(networks.Tabular) },
			New: func(o any, _ *space.Space, dir string) (problem.Problem, error) {
				return orError(o.(*networks.Tabular).In(dir).New())
			},
		},
	}
}

// orError keeps a nil of a problem's own type from becoming a problem.
func orError[P problem.Problem](p P, err error) (problem.Problem, error) {
	if err != nil {
		return nil, err
	}
	return p, nil
}
