package local_test

import (
	"fmt"
	"math"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/local"
	"github.com/daedalus-search/daedalus/space"
)

func ExampleLocalSearch() {
	sp := space.MustNew(space.Int("x", 0, 20), space.Int("y", 0, 20))
	s, err := local.LocalSearch{}.New(search.Setup{Space: sp, Seed: 1})
	if err != nil {
		panic(err)
	}
	var best space.Design
	least := math.Inf(1)
	for range 100 {
		proposals, err := s.Ask(1)
		if err != nil {
			panic(err)
		}
		p := proposals[0]
		a := p.Design.Decisions(nil)
		loss := math.Abs(float64(a[0].Index)-4) + math.Abs(float64(a[1].Index)-15)
		if loss < least {
			least, best = loss, p.Design
		}
		s.Tell(search.Outcome{ID: p.ID, Design: p.Design, Status: search.Complete, Score: metric.Score{Loss: []float64{loss}}})
	}
	fmt.Println(best)
	// Output: {"x":4,"y":15}
}
