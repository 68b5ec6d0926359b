package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/daedalus-search/daedalus/internal/term"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/report"
	"github.com/daedalus-search/daedalus/store"
)

func (a *app) trialsCommand() *cobra.Command {
	var l lookFlags
	var states []string
	var where string
	cmd := &cobra.Command{
		Use:   "trials STUDY",
		Short: "Print the trials, filtered and sorted, or export them as data",
		Long: `Trials prints every trial of a study: its state, what was measured and its
design. --where takes a condition over metrics, parameters by their path and
the other columns (number, state, seconds, operator, error, …). Parameters
inside a repeat have an index, stages[0].width, or stand without one in sum,
min, max, count, any, all.

CSV and Parquet have a column for each parameter that occurs; JSON lines keep
designs nested. The trials can be read while the study runs.`,
		Example: `  daedalus trials tuning.yaml --sort runtime --limit 10
  daedalus trials tuning.yaml --state failed
  daedalus trials tuning.yaml --where 'runtime < 20 and opt == O3 and any(stages.width > 64)'
  daedalus trials tuning.db --format parquet -o trials.parquet`,
		Args: args("STUDY", 1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			format, err := l.settle(a, cmd)
			if err != nil {
				return err
			}
			pick := store.Filter{NoSteps: format != report.JSON && format != report.JSONL}
			for _, name := range states {
				st, err := store.ParseState(name)
				if err != nil {
					return usagef("", "--state: %v", err)
				}
				pick.States = append(pick.States, st)
			}
			r, err := a.look(ctx, args[0])
			if err != nil {
				return err
			}
			defer r.Close()
			last, err := r.MaxNumber(ctx)
			if err != nil {
				return err
			}
			pick.To = last + 1 // the same trials in every pass over a running study
			if last < 0 {
				pick.To = 1
			}
			trials := report.Trials(r.Trials(ctx, pick))
			if where != "" {
				tab, err := report.Scan(r.rec, trials)
				if err != nil {
					return err
				}
				f, err := newFilter(where, tab)
				if err != nil {
					return err
				}
				trials = filtered(trials, tab, f)
			}
			if l.sort != "" {
				less, err := byMetric(l.sort, r.goal, r.metrics())
				if err != nil {
					return err
				}
				trials = sorted(trials, less)
			}
			if format == "" {
				total := int64(-1) // known only by looking
				if where == "" && l.sort == "" {
					if total, err = matching(ctx, r, states); err != nil {
						return err
					}
				}
				return a.output(l.out, func(w io.Writer) error { return trialTable(w, r, trials, l.limit, total) })
			}
			if l.limit > 0 {
				trials = limited(trials, l.limit)
			}
			return a.output(l.out, func(w io.Writer) error { return report.WriteTrials(w, format, r.rec, trials) })
		},
	}
	l.add(cmd)
	cmd.Flags().StringSliceVar(&states, "state", nil, "only trials in these states: waiting, running, complete, pruned, infeasible, failed, cached")
	cmd.Flags().StringVar(&where, "where", "", "only trials that meet this condition")
	_ = cmd.RegisterFlagCompletionFunc("state", cobra.FixedCompletions(
		[]string{"waiting", "running", "complete", "pruned", "infeasible", "failed", "cached"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// matching counts the trials in some states; no states means all of them.
func matching(ctx context.Context, r *reading, states []string) (n int64, err error) {
	counts, err := r.Count(ctx)
	for s, k := range counts {
		if len(states) == 0 || slices.Contains(states, s.String()) {
			n += k
		}
	}
	return n, err
}

func filtered(in report.Trials, tab *report.Table, f *filter) report.Trials {
	return func(yield func(store.Trial, error) bool) {
		var row []any
		for t, err := range in {
			if err == nil {
				row, err = tab.Row(&t, row)
			}
			if err != nil {
				yield(t, err)
				return
			}
			if f.keeps(row) && !yield(t, nil) {
				return
			}
		}
	}
}

func limited(in report.Trials, n int) report.Trials {
	return func(yield func(store.Trial, error) bool) {
		k := 0
		for t, err := range in {
			if k++; k > n || !yield(t, err) {
				return
			}
		}
	}
}

// sorted collects the trials once, on the first use.
func sorted(in report.Trials, less func(a, b *store.Trial) int) report.Trials {
	var all []store.Trial
	var failed error
	read := false
	return func(yield func(store.Trial, error) bool) {
		if !read {
			read = true
			for t, err := range in {
				if err != nil {
					failed = err
					break
				}
				all = append(all, t)
			}
			slices.SortStableFunc(all, func(x, y store.Trial) int { return less(&x, &y) })
		}
		if failed != nil {
			yield(store.Trial{}, failed)
			return
		}
		for _, t := range all {
			if !yield(t, nil) {
				return
			}
		}
	}
}

// trialTable prints trials for a person. total says how many there are, -1 if
// that is not known; then all of them are read.
func trialTable(w io.Writer, r *reading, trials report.Trials, limit int, total int64) error {
	var show []store.Trial
	n := int64(0)
	for t, err := range trials {
		if err != nil {
			return err
		}
		if n++; limit == 0 || n <= int64(limit) {
			show = append(show, t)
		} else if total >= 0 {
			n = max(total, n)
			break
		}
	}
	if n == 0 {
		fmt.Fprintln(w, "No trials match.")
		return nil
	}
	each := func(yield func(store.Trial, error) bool) {
		for _, t := range show {
			if !yield(t, nil) {
				return
			}
		}
	}
	tab, err := report.Scan(r.rec, each)
	if err != nil {
		return err
	}
	f := front{goal: r.goal, metrics: r.metrics()}
	out := term.Table{Columns: []term.Column{{Name: "trial", Right: true}, {Name: "state"}}}
	var numbers [][]string
	column := func(m metric.Metric, value func(t *store.Trial) (float64, bool)) {
		xs := make([]float64, len(show))
		for i := range show {
			x, ok := value(&show[i])
			if !ok {
				x = math.NaN()
			}
			xs[i] = x
		}
		out.Columns = append(out.Columns, term.Column{Name: m.Name, Unit: m.Unit, Right: true})
		numbers = append(numbers, term.Numbers(xs...))
	}
	for _, m := range f.order() {
		column(m, func(t *store.Trial) (float64, bool) { x, ok := t.Values[m.Name]; return x, ok })
	}
	if slices.ContainsFunc(show, func(t store.Trial) bool { return t.Partial() }) {
		column(metric.Metric{Name: "fidelity"}, func(t *store.Trial) (float64, bool) { return cmp.Or(t.Fidelity, 1), true })
	}
	failed := slices.ContainsFunc(show, func(t store.Trial) bool { return t.Error != "" })
	rows, texts := make([][]any, len(show)), make([][]byte, len(show))
	for i := range show {
		texts[i] = show[i].Design
		if rows[i], err = tab.Row(&show[i], nil); err != nil {
			return err
		}
	}
	width := term.Width(w)
	used := 20
	for i, c := range out.Columns[2:] {
		wide := max(len(c.Name), len(c.Unit))
		for _, s := range numbers[i] {
			wide = max(wide, len(s))
		}
		used += wide + 2
	}
	if failed {
		out.Columns = append(out.Columns, term.Column{Name: "error"})
		used += 42
	}
	columns, cells, common := designs(tab, rows, texts, width-used, nil)
	out.Columns = append(out.Columns, columns...)
	for i, t := range show {
		row := []string{fmt.Sprint(t.Number), t.State.String()}
		for _, c := range numbers {
			row = append(row, c[i])
		}
		if failed {
			row = append(row, term.Cut(strings.TrimSpace(t.Error), 60))
		}
		out.Row(append(row, cells[i]...)...)
	}
	if err := out.Write(w, width); err != nil {
		return err
	}
	if common != "" && n > 1 {
		fmt.Fprintf(w, "The same in all rows: %s\n", common)
	}
	if int64(len(show)) < n {
		fmt.Fprintf(w, "The first %d of %s; --limit 0 shows all of them.\n", len(show), term.Plural(n, "trial"))
	}
	return nil
}
