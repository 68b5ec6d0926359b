package external_test

import (
	"testing"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/problems/external"
	"github.com/daedalus-search/daedalus/space"
)

func TestNothingIsMeasured(t *testing.T) {
	t.Parallel()
	s := space.MustNew(space.Int("n", 1, 3))
	p, err := external.New(s, external.Options{Metrics: []metric.Metric{{Name: "yield", Unit: "g"}}})
	if err != nil {
		t.Fatal(err)
	}
	for d := range s.All() {
		if _, err := p.Evaluate(t.Context(), d, nil); problem.ClassOf(err) != problem.ClassPermanent {
			t.Errorf("Evaluate = %v; want a permanent failure, so that a run stops at once", err)
		}
	}
	if _, err := external.New(s, external.Options{}); err == nil {
		t.Error("no metrics were accepted")
	}
	if _, err := external.New(nil, external.Options{Metrics: p.Metrics()}); err == nil {
		t.Error("no space was accepted")
	}
}
