package cli

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/report"
)

func (a *app) bestCommand() *cobra.Command {
	var l lookFlags
	cmd := &cobra.Command{
		Use:   "best STUDY",
		Short: "Print the best design, or the knee and the ends of the front",
		Long: `Best prints one design if there is one objective. With several it prints the
design that is best in each of them, and the knee of the front: the design
nearest to having the best of everything, when every objective is measured
from 0 (its best value on the front) to 1 (its worst).`,
		Example: `  daedalus best kernel-tuning.yaml
  daedalus best phone-net.yaml --json
  daedalus best phone-net.yaml --format csv`,
		Args: args("STUDY", 1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			format, err := l.settle(a, cmd)
			if err != nil {
				return err
			}
			f, err := a.frontOfArg(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			roles := f.pickBest()
			if l.sort != "" {
				if err := f.sortBy(l.sort); err != nil {
					return err
				}
			}
			return a.output(l.out, func(w io.Writer) error {
				switch format {
				case "":
					return f.table(w, l.limit, "--limit 0 shows all of them", roles)
				case report.JSON:
					out := f.JSON()
					best := make([]memberJSON, len(f.trials))
					for i := range best {
						best[i] = f.member(i)
						best[i].Role = roles[best[i].Trial]
					}
					delete(out, "front")
					out["best"] = best
					return a.writeJSON(w, out)
				}
				return f.write(w, format)
			})
		},
	}
	l.add(cmd)
	return cmd
}

// pickBest leaves of the front its knee and its ends, or the first of equals,
// and says what each is.
func (f *front) pickBest() map[int64]string {
	roles := map[int64]string{}
	if len(f.trials) == 0 {
		return roles
	}
	m := len(f.scores[0].Loss)
	var keep []int
	add := func(i int, role string) {
		n := f.trials[i].Number
		if roles[n] == "" {
			keep = append(keep, i)
			roles[n] = role
		} else {
			roles[n] += ", " + role
		}
	}
	if m == 1 {
		add(0, "best")
	} else {
		add(f.knee(), "knee")
		for k := range m {
			best := 0
			for i := range f.scores {
				if f.scores[i].Loss[k] < f.scores[best].Loss[k] {
					best = i
				}
			}
			role := "end"
			if k < len(f.goal.Objectives) {
				role = f.goal.Objectives[k].String()
			}
			add(best, role)
		}
	}
	f.of = len(f.trials)
	trials, scores := f.trials, f.scores
	f.trials, f.scores = nil, nil
	for _, i := range keep {
		f.trials, f.scores = append(f.trials, trials[i]), append(f.scores, scores[i])
	}
	return roles
}

// knee returns the index of the member at the knee of the front.
func (f *front) knee() int {
	m := len(f.scores[0].Loss)
	points := make([]float64, 0, len(f.scores)*m)
	for _, s := range f.scores {
		points = append(points, s.Loss...)
	}
	return metric.Knee(points, m)
}
