package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/daedalus-search/daedalus/internal/atomicfile"
	"github.com/daedalus-search/daedalus/internal/source"
	"github.com/daedalus-search/daedalus/internal/term"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/report"
	"github.com/daedalus-search/daedalus/space"
	"github.com/daedalus-search/daedalus/store"
)

// A front is the best trials of a study, ready to be shown.
type front struct {
	rec      store.Study
	goal     metric.Goal
	metrics  []metric.Metric // what the search saw
	verified []metric.Metric // what it did not see
	trials   []store.Trial   // by the first objective; verified values are among the values
	scores   []metric.Score
	feasible bool
	of       int                        // size of the whole front if only the best of it are left, else 0
	label    func(design []byte) string // the problem's own short form of a design, or nil
	known    []problem.Reference        // what people would use without a search
}

// frontOf finds the front from the scores alone and fetches only its members.
func frontOf(ctx context.Context, st store.Store, rec store.Study, goal metric.Goal) (*front, error) {
	f := &front{rec: rec, goal: goal}
	if len(rec.Metrics) > 0 {
		if err := json.Unmarshal(rec.Metrics, &f.metrics); err != nil {
			return nil, fmt.Errorf("%s: the metrics in its record: %w", rec.Name, err)
		}
	}
	numbers, losses, violations, err := scores(ctx, st)
	if err != nil || len(numbers) == 0 {
		return f, err
	}
	m := len(losses) / len(numbers)
	at := metric.Best(losses, m, violations)
	f.feasible = len(at) > 0 && violations[at[0]] == 0
	score := func(i int) metric.Score {
		return metric.Score{Loss: losses[i*m : (i+1)*m], Violation: violations[i]}
	}
	slices.SortStableFunc(at, func(a, b int) int {
		return cmp.Or(metric.Compare(score(a), score(b)), cmp.Compare(numbers[a], numbers[b]))
	})
	for _, i := range at {
		t, err := st.Trial(ctx, numbers[i])
		if err != nil {
			return nil, err
		}
		f.trials = append(f.trials, t)
		f.scores = append(f.scores, score(i))
	}
	return f, nil
}

// scores returns numbers, losses and violations of the complete trials.
func scores(ctx context.Context, st store.Store) (numbers []int64, losses, violations []float64, err error) {
	all, rows, viol, states, err := st.Scores(ctx)
	if err != nil || len(all) == 0 {
		return nil, nil, nil, err
	}
	m := len(rows) / len(all)
	for i, s := range states {
		if s == store.Complete && m > 0 {
			numbers = append(numbers, all[i])
			losses = append(losses, rows[i*m:(i+1)*m]...)
			violations = append(violations, viol[i])
		}
	}
	return numbers, losses, violations, nil
}

// verify measures the members as the problem's Verifier does, puts the values among
// the others, and fetches what is known to compare with.
func (f *front) verify(ctx context.Context, p problem.Problem) (err error) {
	if r, ok := p.(problem.Referencer); ok {
		if f.known, err = r.References(ctx); err != nil {
			return fmt.Errorf("the references: %w", err)
		}
	}
	if l, ok := p.(problem.Labeler); ok {
		f.label = func(design []byte) string {
			d, err := p.Space().ParseJSON(design)
			if err != nil {
				return string(design)
			}
			return l.Label(d)
		}
	}
	v, ok := p.(problem.Verifier)
	if !ok {
		return nil
	}
	f.verified = v.VerifyMetrics()
	for i := range f.trials {
		t := &f.trials[i]
		d, err := p.Space().ParseJSON(t.Design)
		if err != nil {
			return fmt.Errorf("trial %d: %w", t.Number, err)
		}
		values, err := v.Verify(ctx, d)
		if err != nil {
			return fmt.Errorf("verifying trial %d: %w", t.Number, err)
		}
		all := map[string]float64{}
		for k, x := range t.Values {
			all[k] = x
		}
		for k, x := range values {
			all[k] = x
		}
		t.Values = all
	}
	return nil
}

// design parses the design of a member.
func design(s *space.Space, t *store.Trial) (space.Design, error) {
	d, err := s.ParseJSON(t.Design)
	if err != nil {
		return d, fmt.Errorf("trial %d: %w", t.Number, err)
	}
	return d, nil
}

// counts reports whether a metric is an objective or limited.
func (f *front) counts(name string) bool {
	return slices.ContainsFunc(f.goal.Objectives, func(o metric.Objective) bool { return o.Metric == name }) ||
		slices.ContainsFunc(f.goal.Limits, func(l metric.Limit) bool { return l.Metric == name })
}

// order returns the metrics as they are shown: objectives, then limited
// metrics, then the rest.
func (f *front) order() []metric.Metric {
	var out []metric.Metric
	add := func(name string) {
		for _, m := range out {
			if m.Name == name {
				return
			}
		}
		for _, m := range f.metrics {
			if m.Name == name {
				out = append(out, m)
			}
		}
	}
	for _, o := range f.goal.Objectives {
		add(o.Metric)
	}
	for _, l := range f.goal.Limits {
		add(l.Metric)
	}
	for _, m := range f.metrics {
		add(m.Name)
	}
	return out
}

func (f *front) each() report.Trials {
	return func(yield func(store.Trial, error) bool) {
		for _, t := range f.trials {
			if !yield(t, nil) {
				return
			}
		}
	}
}

// title says what the table below it is.
func (f *front) title() string {
	n := int64(len(f.trials))
	limits := len(f.goal.Limits) > 0
	switch {
	case n == 0:
		return "No design was measured yet."
	case !f.feasible:
		return fmt.Sprintf("No design keeps every limit (%s). The nearest:", limitsText(f.goal))
	case len(f.goal.Objectives) == 1:
		s := "Best design"
		if n > 1 {
			s = term.Plural(n, "design") + ", equally good"
		}
		if limits {
			s += ", within " + limitsText(f.goal)
		}
		return s + ":"
	}
	s := "Front: " + term.Plural(n, "design")
	if f.of > 0 {
		s = "Knee and ends of a front of " + term.Plural(int64(f.of), "design")
	}
	if limits {
		s += " within " + limitsText(f.goal)
	}
	return s + ":"
}

func limitsText(g metric.Goal) string {
	words := make([]string, len(g.Limits))
	for i, l := range g.Limits {
		words[i] = l.String()
	}
	return strings.Join(words, ", ")
}

// defaultRows is how many rows a table shows unless --limit says otherwise.
const defaultRows = 20

// designRoom is what metrics that do not count leave of a line to the design.
const designRoom = 36

// table prints the front. limit 0 means all rows, and else designs that are equal
// in all that counts are shown once; more is a hint at where the rest is. Metrics
// that do not count are shown as far as the line reaches.
func (f *front) table(w io.Writer, limit int, more string, roles map[int64]string) error {
	fmt.Fprintln(w, f.title())
	if len(f.trials) == 0 {
		return nil
	}
	show, equal := f.distinct(limit)
	all := len(show)
	show = picked(show, spread(len(show), limit))
	tab, err := report.Scan(f.rec, f.each())
	if err != nil {
		return err
	}
	var out term.Table
	if roles != nil {
		out.Columns = append(out.Columns, term.Column{Name: ""})
	}
	out.Columns = append(out.Columns, term.Column{Name: "trial", Right: true})
	var numbers [][]string // one column each
	width := term.Width(w)
	used := 8 + 24*min(len(f.verified), 1)
	values := func(m metric.Metric) (texts []string, wide int) {
		var xs []float64
		add := func(x float64, ok bool) {
			if !ok {
				x = math.NaN()
			}
			xs = append(xs, x)
		}
		for _, k := range show {
			x, ok := f.trials[k].Values[m.Name]
			add(x, ok)
		}
		for _, r := range f.known {
			x, ok := r.Values[m.Name]
			add(x, ok)
		}
		texts = term.Numbers(xs...)
		wide = max(len(m.Name), len(m.Unit))
		for _, s := range texts {
			wide = max(wide, len(s))
		}
		return texts, wide
	}
	column := func(m metric.Metric, texts []string, group string) {
		out.Columns = append(out.Columns, term.Column{Name: m.Name, Unit: m.Unit, Group: group, Right: true})
		numbers = append(numbers, texts)
	}
	var hidden []string
	for _, m := range f.order() {
		texts, wide := values(m)
		if !f.counts(m.Name) && width > 0 && (len(hidden) > 0 || used+wide+2 > width-designRoom) {
			hidden = append(hidden, m.Name)
			continue
		}
		used += wide + 2
		column(m, texts, "")
	}
	for _, m := range f.verified {
		texts, _ := values(m)
		column(m, texts, "not seen by the search:")
	}
	rows, texts := make([][]any, len(show)), make([][]byte, len(show))
	for i, k := range show {
		texts[i] = f.trials[k].Design
		if rows[i], err = tab.Row(&f.trials[k], nil); err != nil {
			return err
		}
	}
	columns, cells, common := designs(tab, rows, texts, width-used, f.label)
	out.Columns = append(out.Columns, columns...)
	for i, k := range show {
		var row []string
		if roles != nil {
			row = append(row, roles[f.trials[k].Number])
		}
		row = append(row, fmt.Sprint(f.trials[k].Number))
		for _, c := range numbers {
			row = append(row, c[i])
		}
		out.Row(append(row, cells[i]...)...)
	}
	for i, r := range f.known {
		row := make([]string, len(out.Columns)-len(numbers)-len(columns), len(out.Columns))
		for _, c := range numbers {
			row = append(row, c[len(show)+i])
		}
		row = append(row, "reference: "+r.Name)
		out.Row(append(row, make([]string, max(len(columns)-1, 0))...)...)
	}
	if err := out.Write(w, width); err != nil {
		return err
	}
	if common != "" {
		fmt.Fprintf(w, "The same in all rows: %s\n", common)
	}
	if len(hidden) > 0 {
		fmt.Fprintf(w, "Measured besides: %s\n", term.Cut(strings.Join(hidden, ", "), max(width-len("Measured besides: "), 0)))
	}
	var rest []string
	if len(show) < all {
		rest = append(rest, fmt.Sprintf("%d of %d rows, evenly along the front", len(show), all))
	}
	if equal > 0 {
		rest = append(rest, fmt.Sprintf("%s equal to one of these in all that counts left out", term.Plural(int64(equal), "design")))
	}
	if len(rest) > 0 {
		fmt.Fprintf(w, "%s; %s\n", strings.Join(rest, ", "), more)
	}
	return nil
}

// distinct returns the members to show: with a limit only the first of those that
// are equal in all that counts, and how many others there are.
func (f *front) distinct(limit int) (show []int, equal int) {
	for i := range f.trials {
		if n := len(show); limit > 0 && n > 0 {
			a, b := f.scores[show[n-1]], f.scores[i]
			if a.Violation == b.Violation && slices.Equal(a.Loss, b.Loss) {
				equal++
				continue
			}
		}
		show = append(show, i)
	}
	return show, equal
}

func picked(of, at []int) []int {
	out := make([]int, len(at))
	for i, k := range at {
		out[i] = of[k]
	}
	return out
}

// spread returns at most limit of n indexes, evenly, with both ends.
func spread(n, limit int) []int {
	if limit <= 0 || limit >= n {
		limit = n
	}
	out := make([]int, limit)
	for i := range out {
		if limit > 1 {
			out[i] = i * (n - 1) / (limit - 1)
		}
	}
	return out
}

// memberJSON is a design of the front as JSON.
type memberJSON struct {
	Trial    int64           `json:"trial"`
	Role     string          `json:"role,omitempty"`
	Values   map[string]any  `json:"values"`
	Verified map[string]any  `json:"verified,omitempty"`
	Design   json.RawMessage `json:"design"`
}

func (f *front) member(i int) memberJSON {
	t := &f.trials[i]
	j := memberJSON{Trial: t.Number, Values: map[string]any{}, Design: t.Design}
	hidden := map[string]bool{}
	for _, m := range f.verified {
		hidden[m.Name] = true
	}
	for k, x := range t.Values {
		var v any = x
		if math.IsNaN(x) || math.IsInf(x, 0) {
			v = nil
		}
		if !hidden[k] {
			j.Values[k] = v
			continue
		}
		if j.Verified == nil {
			j.Verified = map[string]any{}
		}
		j.Verified[k] = v
	}
	return j
}

// JSON returns the front as it is written to NAME-front.json.
func (f *front) JSON() map[string]any {
	members := make([]memberJSON, len(f.trials))
	for i := range members {
		members[i] = f.member(i)
	}
	units := map[string]string{}
	for _, m := range slices.Concat(f.metrics, f.verified) {
		units[m.Name] = m.Unit
	}
	out := map[string]any{"study": f.rec.Name, "feasible": f.feasible, "units": units, "front": members}
	if len(f.known) > 0 {
		out["references"] = f.known
	}
	if len(f.goal.Objectives) > 0 {
		out["objectives"] = f.goal.Objectives
	}
	if len(f.goal.Limits) > 0 {
		out["limits"] = f.goal.Limits
	}
	return out
}

// write writes the front as data.
func (f *front) write(w io.Writer, format report.Format) error {
	return report.WriteTrials(w, format, f.rec, f.each())
}

// sortBy orders the members by a metric, best first.
func (f *front) sortBy(name string) error {
	less, err := byMetric(name, f.goal, slices.Concat(f.metrics, f.verified))
	if err != nil {
		return err
	}
	order := make([]int, len(f.trials))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return less(&f.trials[a], &f.trials[b]) })
	trials, scores := make([]store.Trial, len(order)), make([]metric.Score, len(order))
	for i, k := range order {
		trials[i], scores[i] = f.trials[k], f.scores[k]
	}
	f.trials, f.scores = trials, scores
	return nil
}

// byMetric compares trials by a metric, the better first; a minus before the
// name turns that round. Trials without it come last. "number" and "seconds"
// are taken too.
func byMetric(name string, goal metric.Goal, metrics []metric.Metric) (func(a, b *store.Trial) int, error) {
	key, turned := strings.CutPrefix(name, "-")
	sign := 1.0
	value := func(t *store.Trial) (float64, bool) { x, ok := t.Values[key]; return x, ok }
	known := []string{"number", "seconds"}
	found := false
	for _, m := range metrics {
		known = append(known, m.Name)
		if m.Name == key {
			found = true
			if m.Direction == metric.Maximize {
				sign = -1
			}
		}
	}
	for _, o := range goal.Objectives {
		if o.Metric == key {
			found = true
			value = func(t *store.Trial) (float64, bool) { x, ok := t.Values[key]; return o.Loss(x), ok }
			sign = 1
		}
	}
	switch {
	case found:
	case key == "number":
		value = func(t *store.Trial) (float64, bool) { return float64(t.Number), true }
	case key == "seconds":
		value = func(t *store.Trial) (float64, bool) { return t.Seconds, t.State.Done() }
	default:
		hint := "known are " + strings.Join(known, ", ")
		if near, ok := source.Nearest(key, known); ok {
			hint = fmt.Sprintf("did you mean %q?", near)
		}
		return nil, usagef(hint, "cannot sort by %q: no such metric", key)
	}
	if turned {
		sign = -sign
	}
	return func(a, b *store.Trial) int {
		x, okX := value(a)
		y, okY := value(b)
		switch {
		case !okX || math.IsNaN(x):
			if !okY || math.IsNaN(y) {
				return 0
			}
			return 1
		case !okY || math.IsNaN(y):
			return -1
		}
		return cmp.Compare(sign*x, sign*y)
	}, nil
}

// output is where a command writes: a file that appears only when it is whole,
// or standard output.
func (a *app) output(path string, write func(io.Writer) error) error {
	if path == "" || path == "-" {
		return write(a.out)
	}
	return writeFile(path, write)
}

// writeFile writes a file that appears at its place only when it is whole.
func writeFile(path string, write func(io.Writer) error) error {
	if err := atomicfile.Write(path, write); err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	return nil
}

// lookFlags are the flags of the commands that print trials.
type lookFlags struct {
	format, out, sort string
	limit             int
}

func (l *lookFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&l.format, "format", "table", "table, csv, jsonl, json or parquet")
	f.StringVarP(&l.out, "output", "o", "", "write to this file instead of standard output")
	f.StringVar(&l.sort, "sort", "", "order by this metric, best first; -METRIC turns it round")
	f.IntVar(&l.limit, "limit", defaultRows, "at most so many rows, 0 for all; data formats have all unless this is given")
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(append([]string{"table"}, report.Formats()...), cobra.ShellCompDirectiveNoFileComp))
	cmd.ValidArgsFunction = completeStudy
}

// settle checks the flags. A table is asked for if the format is "".
func (l *lookFlags) settle(a *app, cmd *cobra.Command) (report.Format, error) {
	if l.limit < 0 {
		return "", usagef("0 means all", "--limit %d", l.limit)
	}
	if l.format == "table" {
		if a.json && !cmd.Flags().Changed("format") {
			l.format = string(report.JSON)
		} else {
			return "", nil
		}
	}
	format, err := report.ParseFormat(l.format)
	if err != nil {
		return "", usagef("", "--format: %v", err)
	}
	if format == report.Parquet && (l.out == "" || l.out == "-") && term.IsTerminal(a.out) {
		return "", usagef("add -o FILE.parquet", "parquet is not for a terminal")
	}
	if !cmd.Flags().Changed("limit") {
		l.limit = 0
	}
	return format, nil
}

func (a *app) frontCommand() *cobra.Command {
	var l lookFlags
	cmd := &cobra.Command{
		Use:   "front STUDY",
		Short: "Print the best designs found so far",
		Long: `Front prints the designs that no other design beats: for one objective the
best, for several all that are a compromise nothing improves on. If no design
keeps every limit it prints those that miss them least. It can be called while
the study runs. STUDY is the study file or its .db.`,
		Example: `  daedalus front phone-net.yaml
  daedalus front phone-net.db --sort latency_ms --limit 5
  daedalus front phone-net.yaml --format csv -o front.csv`,
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
			if l.sort != "" {
				if err := f.sortBy(l.sort); err != nil {
					return err
				}
			}
			if format == "" {
				return a.output(l.out, func(w io.Writer) error {
					return f.table(w, l.limit, "--limit 0 shows all of them", nil)
				})
			}
			if l.limit > 0 && l.limit < len(f.trials) {
				f.trials, f.scores = f.trials[:l.limit], f.scores[:l.limit]
			}
			return a.output(l.out, func(w io.Writer) error {
				if format == report.JSON {
					return a.writeJSON(w, f.JSON())
				}
				return f.write(w, format)
			})
		},
	}
	l.add(cmd)
	return cmd
}

// frontOfArg reads the front of the study that an argument names.
func (a *app) frontOfArg(ctx context.Context, arg string) (*front, error) {
	r, err := a.look(ctx, arg)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	f, err := frontOf(ctx, r, r.rec, r.goal)
	if err != nil {
		return nil, err
	}
	if r.file != nil {
		if err := f.verify(ctx, r.file.Config.Problem); err != nil {
			return nil, err
		}
	}
	return f, nil
}
