package catalog

import (
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/problems/devicenas"
	"github.com/daedalus-search/daedalus/space"
)

// deviceRows are the problems of hardware/device.
func deviceRows() []Problem {
	return []Problem{{
		Name: "device-nas", Doc: "networks for a device of which ten were measured, by models of other devices; judged by the true latency",
		Source:  "Lee, Lee, Chong and Hwang 2021 (HELP); Dong and Yang 2020; Wu et al. 2019 (FBNet)",
		Options: func() any { return new(devicenas.Options) },
		New: func(o any, _ *space.Space, dir string) (problem.Problem, error) {
			opts := *o.(*devicenas.Options)
			opts.Dir = dir
			return opts.New()
		},
	}}
}
