package illuminate

import (
	"slices"
	"testing"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/searchtest"
)

// measured adds the measures to outcomes, which the laws do not know of.
type measured struct{ search.Searcher }

func (m measured) Tell(outcomes ...search.Outcome) {
	outcomes = slices.Clone(outcomes)
	for i := range outcomes {
		h := outcomes[i].Design.Hash()
		outcomes[i].Values = metric.Values{"u": float64(h[0]) / 255, "v": float64(h[1]) / 255}
	}
	m.Searcher.Tell(outcomes...)
}

func TestLaws(t *testing.T) {
	t.Parallel()
	measures := []Measure{{"u", 0, 1, 5}, {"v", 0.1, 0.9, 4}}
	for name, o := range map[string]MAPElites{
		"grid": {Measures: measures, Initial: 8},
		"cvt":  {Measures: measures, CVT: &CVT{Cells: 20, Samples: 200}, Edits: 2, Crossover: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			searchtest.Run(t, searchtest.Func(func(setup search.Setup) (search.Searcher, error) {
				s, err := o.New(setup)
				if err != nil {
					return nil, err
				}
				return measured{s}, nil
			}), searchtest.OneObjective())
		})
	}
}
