package catalog_test

import (
	"encoding/csv"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/daedalus-search/daedalus/catalog"
)

// TestAutoFollowsEvidence holds the rules of auto to the recorded races: over
// the problems of a race, the methods it chooses among there rank, by medians,
// no more than one place behind the best built-in method. On problems where the
// race had numbers and others, the better suited of its two choices counts.
func TestAutoFollowsEvidence(t *testing.T) {
	t.Parallel()
	// What auto makes of gp for one objective where measurements are exact.
	builtin := map[string]bool{"gp, exact, wide": true}
	for _, row := range catalog.Searchers() {
		builtin[row.Name] = true
	}
	for race, choices := range map[string][]string{
		"single":     {"gp, exact, wide"},
		"few-fronts": {"gp", "smac"},
		"fronts":     {"smsemoa"},
		"long":       {"cma-es", "genetic"},
	} {
		f, err := os.Open("../bench/arena/results/" + race + ".csv")
		if err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(f).ReadAll()
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		column := map[string]int{}
		for i, name := range rows[0] {
			column[name] = i
		}
		finals := map[string]map[string][]float64{} // problem, method
		for _, row := range rows[1:] {
			problem, method := row[column["problem"]], row[column["searcher"]]
			x, err := strconv.ParseFloat(row[column["final"]], 64)
			if err != nil || !builtin[method] {
				continue
			}
			switch row[column["judged_by"]] {
			case "hypervolume", "qd_score":
				x = -x
			}
			if finals[problem] == nil {
				finals[problem] = map[string][]float64{}
			}
			finals[problem][method] = append(finals[problem][method], x)
		}
		if len(finals) < 4 {
			t.Fatalf("%s: only %d problems are recorded", race, len(finals))
		}
		ranks, chosen := map[string]float64{}, 0.0
		for _, by := range finals {
			median := map[string]float64{}
			for method, x := range by {
				slices.Sort(x)
				median[method] = x[len(x)/2]
			}
			best := len(median)
			for method, x := range median {
				rank := 1
				for _, y := range median {
					if y < x {
						rank++
					}
				}
				ranks[method] += float64(rank) / float64(len(finals))
				if slices.Contains(choices, method) {
					best = min(best, rank)
				}
			}
			chosen += float64(best) / float64(len(finals))
		}
		for method, rank := range ranks {
			if rank < chosen-1 {
				t.Errorf("%s: %s has a mean rank of %.2f, what auto takes, %v, one of %.2f", race, method, rank, choices, chosen)
			}
		}
	}
}
