package model

import (
	"testing"

	"github.com/daedalus-search/daedalus/search/searchtest"
)

func TestLaws(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]TPE{"default": {}, "univariate": {Univariate: true}, "ungrouped": {Ungrouped: true, Liar: "on"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if raceEnabled && name != "default" {
				t.Skip("too slow with the race detector, and nothing here is concurrent")
			}
			trials := 2000
			if !raceEnabled && name == "default" {
				trials = 20_000
			}
			searchtest.Run(t, o, searchtest.Trials(trials))
		})
	}
}
