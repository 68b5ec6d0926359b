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
	flat := searchtest.Refuses(searchtest.Grammar)
	for name, c := range map[string]struct {
		method  search.Method
		options []searchtest.Option
	}{
		"grid":      {MAPElites{Measures: measures, Initial: 8}, nil},
		"cvt":       {MAPElites{Measures: measures, CVT: &CVT{Cells: 20, Samples: 200}, Edits: 2, Crossover: 1}, nil},
		"line":      {MAPElites{Measures: measures, Line: 0.7}, []searchtest.Option{flat}},
		"cma-me":    {CMAME{Measures: measures, Emitters: 2, Generation: 6, Initial: 8}, []searchtest.Option{flat}},
		"cma-mae":   {CMAMAE{Measures: measures, Emitters: 2, Generation: 6, Initial: 8, CVT: &CVT{Cells: 20, Samples: 200}}, []searchtest.Option{flat}},
		"emitters":  {Emitters{Measures: measures, Initial: 8}, nil},
		"all-kinds": {Emitters{Measures: measures, Initial: 8, Kinds: []string{"mutate", "cross", "line", "cma", "random"}, Equal: true}, []searchtest.Option{flat}},
		"mome":      {MOME{Measures: measures, Front: 5}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			options := c.options
			if name != "mome" {
				options = append(options, searchtest.OneObjective())
			}
			searchtest.Run(t, searchtest.Func(func(setup search.Setup) (search.Searcher, error) {
				s, err := c.method.New(setup)
				if err != nil {
					return nil, err
				}
				return measured{s}, nil
			}), options...)
		})
	}
}
