package arena

import (
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
)

// WriteCSV writes all runs as a table, one a row: by problem, searcher, setting
// and seed, with what was reached at every checkpoint in the columns at_N.
func WriteCSV(w io.Writer, a *Analysis) error {
	lanes, err := a.File.lanes()
	if err != nil {
		return err
	}
	var points []int64
	for _, v := range a.Problems {
		points = append(points, Checkpoints(v.Trials)...)
	}
	slices.Sort(points)
	points = slices.Compact(points)
	out := csv.NewWriter(w)
	head := []string{
		"problem", "searcher", "setting", "seed", "status", "reason", "method", "judged_by", "final", "trials", "distinct", "repeats", "infeasible", "errors",
		"ask_mean_us", "ask_p95_us", "ask_s", "tell_s", "refit_s", "eval_s", "wall_s", "engine",
	}
	for _, n := range points {
		head = append(head, fmt.Sprintf("at_%d", n))
	}
	if err := out.Write(head); err != nil {
		return err
	}
	number := func(x float64) string {
		if x-x != 0 {
			return ""
		}
		return strconv.FormatFloat(x, 'g', 10, 64)
	}
	micro := func(s float64) string { return strconv.FormatFloat(s*1e6, 'f', 2, 64) }
	seconds := func(s float64) string { return strconv.FormatFloat(s, 'f', 6, 64) }
	count := func(n int64) string { return strconv.FormatInt(n, 10) }
	place := func(l lane) (p, s int) {
		p = slices.IndexFunc(a.Problems, func(v *ProblemView) bool { return v.Label == l.problem.Label })
		s = slices.IndexFunc(a.Standing, func(t *Standing) bool { return t.Label == l.searcher.Label })
		return p, s
	}
	slices.SortStableFunc(lanes, func(x, y lane) int {
		px, sx := place(x)
		py, sy := place(y)
		switch {
		case px != py:
			return px - py
		case sx != sy:
			return sx - sy
		case x.setting != y.setting:
			if x.setting < y.setting {
				return -1
			}
			return 1
		case x.seed < y.seed:
			return -1
		case x.seed > y.seed:
			return 1
		}
		return 0
	})
	last := lane{}
	for _, l := range lanes {
		r := a.Results.Rows[l.id]
		if r == nil || l.id == last.id && l.searcher.Label == last.searcher.Label {
			continue
		}
		last = l
		p, _ := place(l)
		v := a.Problems[p]
		var s []float64
		if r.Status == Done {
			s = v.series(r)
		}
		final := ""
		if len(s) > 0 {
			final = number(s[len(s)-1])
		}
		row := []string{
			l.problem.Label, l.searcher.Label, l.setting, strconv.FormatUint(l.seed, 10), string(r.Status), r.Reason, r.Method, v.By.String(), final,
			count(r.Trials), count(r.Distinct), count(r.Repeats), count(r.Infeasible), count(r.Errors),
			micro(r.Ask.Mean), micro(r.Ask.P95), seconds(r.Ask.Sum), seconds(r.Tell), seconds(r.Refit), seconds(r.Eval), seconds(r.Seconds), r.Engine,
		}
		for _, n := range points {
			x := ""
			if i := slices.Index(r.At, n); i >= 0 && i < len(s) {
				x = number(s[i])
			}
			row = append(row, x)
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// String names what a problem is judged by.
func (b Judged) String() string {
	switch b {
	case ByQD:
		return "qd_score"
	case ByHypervolume:
		return "hypervolume"
	case ByRegret:
		return "regret"
	}
	return "value"
}
