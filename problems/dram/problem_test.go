package dram

import (
	"testing"

	"github.com/daedalus-search/daedalus/problem/problemtest"
)

func TestConformance(t *testing.T) {
	for name, o := range map[string]Options{
		"all traces": {},
		"one trace":  {Traces: []string{"random"}, Target: "both", Compat: "archgym_units", Active: "all"},
		"generated":  {Traces: []string{"random(seed=1, writes=0.4, requests=2000)", "chase(requests=500)"}, Memory: "ddr4-2400", Wrap: true},
		"no energy":  {Traces: []string{"strided(requests=2000)"}, Memory: "hbm2", Wrap: true, Target: "latency"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := o.New()
			if err != nil {
				t.Fatal(err)
			}
			problemtest.Run(t, p)
		})
	}
}
