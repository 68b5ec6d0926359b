package catalog

import (
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/problems/dram"
	"github.com/daedalus-search/daedalus/space"
)

// dramRows are the problems of hardware/dram.
func dramRows() []Problem {
	return []Problem{{
		Name: "dram", Doc: "memory controllers under an exact DRAM simulator: ArchGym's ten parameters, on one trace or several",
		Source:  "Krishnan et al. 2023 (ArchGym); Steiner et al. 2020 (DRAMSys); Chandrasekar et al. (DRAMPower)",
		Options: func() any { return new(dram.Options) },
		New: func(o any, _ *space.Space, dir string) (problem.Problem, error) {
			p, err := o.(*dram.Options).In(dir).New()
			if err != nil {
				return nil, err
			}
			return p, nil
		},
	}}
}
