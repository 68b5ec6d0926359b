package local_test

import (
	"testing"

	"github.com/daedalus-search/daedalus/search/local"
	"github.com/daedalus-search/daedalus/search/searchtest"
)

func TestFirstImprovementLaws(t *testing.T) {
	t.Parallel()
	searchtest.Run(t, local.LocalSearch{})
}

func TestBestImprovementLaws(t *testing.T) {
	t.Parallel()
	searchtest.Run(t, local.LocalSearch{Improvement: "best", Starts: 3})
}

func TestAnnealingLaws(t *testing.T) {
	t.Parallel()
	searchtest.Run(t, local.Annealing{})
}

func TestAnnealingFixedLaws(t *testing.T) {
	t.Parallel()
	searchtest.Run(t, local.Annealing{Temperature: 0.1, Cooling: 0.99}, searchtest.Budget(300))
}

func TestTabuLaws(t *testing.T) {
	t.Parallel()
	searchtest.Run(t, local.Tabu{})
}

func TestLateAcceptanceLaws(t *testing.T) {
	t.Parallel()
	searchtest.Run(t, local.LateAcceptance{})
}

func TestIteratedLocalSearchLaws(t *testing.T) {
	t.Parallel()
	searchtest.Run(t, local.LocalSearch{Kick: 2})
}
