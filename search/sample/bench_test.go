package sample

import (
	"fmt"
	"testing"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/space"
)

// twenty is a flat space of 20 parameters of all kinds.
func twenty() *space.Space {
	var nodes []space.Node
	for i := range 5 {
		nodes = append(nodes,
			space.Float(fmt.Sprintf("f%d", i), 0, 1), space.Int(fmt.Sprintf("i%d", i), 1, 64),
			space.Categorical(fmt.Sprintf("c%d", i), "a", "b", "c", "d"), space.Bool(fmt.Sprintf("b%d", i)))
	}
	return space.MustNew(nodes...)
}

func BenchmarkAskTell(b *testing.B) {
	for _, m := range []struct {
		name   string
		method search.Method
	}{{"random", Random{}}, {"grid", Grid{}}, {"sobol", Sobol{}}} {
		b.Run(m.name, func(b *testing.B) {
			s, err := m.method.New(search.Setup{Space: twenty(), Seed: 1})
			if err != nil {
				b.Fatal(err)
			}
			loss := []float64{0}
			b.ReportAllocs()
			for b.Loop() {
				ps, err := s.Ask(1)
				if err != nil {
					b.Fatal(err)
				}
				s.Tell(search.Outcome{ID: ps[0].ID, Design: ps[0].Design, Status: search.Complete, Score: metric.Score{Loss: loss}})
			}
		})
	}
}
