package fidelity_test

import (
	"testing"

	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/fidelity"
	"github.com/daedalus-search/daedalus/search/searchtest"
)

func TestLaws(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]search.Method{
		"halving":     fidelity.SuccessiveHalving{},
		"grid":        fidelity.HalvingGrid{},
		"hyperband":   fidelity.Hyperband{},
		"asha":        fidelity.ASHA{},
		"asha volume": fidelity.ASHA{Options: fidelity.Options{Spread: "hypervolume", Eta: 4}},
		"asha tpe":    fidelity.ASHA{Options: fidelity.Options{Source: "tpe"}},
		"pasha":       fidelity.PASHA{},
		"bohb":        fidelity.BOHB{},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if raceEnabled && name != "asha" && name != "bohb" {
				t.Skip("one goroutine: two methods are enough for the race detector")
			}
			options := []searchtest.Option{searchtest.Graded()}
			switch {
			case name == "asha volume" || name == "asha tpe" || raceEnabled: // the others show that cost is flat
				options = append(options, searchtest.Trials(0))
			case name == "bohb":
				options = append(options, searchtest.Trials(6000))
			}
			searchtest.Run(t, m, options...)
		})
	}
}
