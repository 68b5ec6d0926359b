package sample_test

import (
	"testing"

	"github.com/daedalus-search/daedalus/search/sample"
	"github.com/daedalus-search/daedalus/search/searchtest"
)

func TestRandomLaws(t *testing.T) {
	t.Parallel()
	searchtest.Run(t, sample.Random{})
}

func TestRandomWithRepeatsLaws(t *testing.T) {
	t.Parallel()
	searchtest.Run(t, sample.Random{Repeats: true}, searchtest.Repeats())
}

func TestGridLaws(t *testing.T) {
	t.Parallel()
	searchtest.Run(t, sample.Grid{})
}

func TestSobolLaws(t *testing.T) {
	t.Parallel()
	searchtest.Run(t, sample.Sobol{}, searchtest.Refuses(searchtest.Grammar))
}

func TestPlainSobolLaws(t *testing.T) {
	t.Parallel()
	searchtest.Run(t, sample.Sobol{Scramble: "none"}, searchtest.Refuses(searchtest.Grammar), searchtest.SeedFree())
}

func TestLatinLaws(t *testing.T) {
	t.Parallel()
	searchtest.Run(t, sample.Latin{}, searchtest.Refuses(searchtest.Grammar))
}

func TestTwoPhaseLaws(t *testing.T) {
	t.Parallel()
	searchtest.Run(t, sample.TwoPhase{}, searchtest.Budget(100))
}
