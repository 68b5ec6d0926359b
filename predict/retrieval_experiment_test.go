//go:build experiment

package predict

import (
	"os"
	"strconv"
	"testing"
)

// experimentSeeds is how many splits an experiment takes, 20 unless SEEDS says
// otherwise.
func experimentSeeds(t *testing.T) int {
	if s := os.Getenv("SEEDS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	return 20
}

// The card of TabR: on FLEXI with 200 labels its error is at most that of the
// ten nearest neighbours and of an MLP, and 100 rows more make it better without
// training.
func TestExperimentRetrieval(t *testing.T) {
	f := loadFlexi(t)
	seeds := experimentSeeds(t)
	for _, c := range []struct {
		name string
		l    Learner
	}{{"knn-10", Neighbors{Uniform: true}}, {"mlp", MLP{}}, {"ridge", Ridge{}}, {"retrieval", Retrieval{}}} {
		var before, after quality
		for s := range seeds {
			train, held := dataSplit(f.Table, 200, 300, uint64(s))
			more, test := held.Select(rowRange(0, 100)), held.Select(rowRange(100, 300))
			m, err := c.l.Fit(t.Context(), train, uint64(s))
			if err != nil {
				t.Fatal(err)
			}
			before.add(judge(m, test), seeds)
			if e, ok := m.(Extender); ok {
				if m, err = e.Extend(more); err != nil {
					t.Fatal(err)
				}
				after.add(judge(m, test), seeds)
			}
		}
		t.Logf("%s: RMSE %.4f Kendall %.4f NLL %.3f; with 100 rows more RMSE %.4f Kendall %.4f", c.name, before.RMSE, before.Kendall, before.NLL, after.RMSE, after.Kendall)
	}
}
