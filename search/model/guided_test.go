package model

import (
	"testing"

	"github.com/daedalus-search/daedalus/search/searchtest"
)

func TestGuidedLaws(t *testing.T) {
	t.Parallel()
	for name, run := range map[string]func(*testing.T){
		"smac": func(t *testing.T) { searchtest.Run(t, SMAC{Candidates: 60, Trees: 8}, searchtest.Trials(0)) },
		"bananas": func(t *testing.T) {
			searchtest.Run(t, BANANAS{Candidates: 60, Predictor: "neighbors"}, searchtest.Trials(0))
		},
		"weaknas": func(t *testing.T) {
			searchtest.Run(t, WeakNAS{Candidates: 60, Predictor: "ridge"}, searchtest.Trials(0))
		},
		"gbdt-nas": func(t *testing.T) { searchtest.Run(t, GBDTNAS{Candidates: 60}, searchtest.Trials(0)) },
		"linas":    func(t *testing.T) { searchtest.Run(t, LINAS{Evaluations: 200}, searchtest.Trials(0)) },
	} {
		t.Run(name, run)
	}
}
