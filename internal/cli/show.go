package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/daedalus-search/daedalus/internal/source"
	"github.com/daedalus-search/daedalus/internal/term"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/space"
	"github.com/daedalus-search/daedalus/store"
	"github.com/daedalus-search/daedalus/studyfile"
)

func (a *app) showCommand() *cobra.Command {
	var set []string
	cmd := &cobra.Command{
		Use:   "show STUDY",
		Short: "Show what a study would search: its space, its goal, its search method",
		Long: `Show prints the space as a tree with its size, what one evaluation runs, what
is measured and what counts, and the search method with the reason for it.
Nothing is evaluated. STUDY is a study file or the .db of one.`,
		Example: `  daedalus show examples/phone-net.yaml
  daedalus show tuning.yaml --set search=tpe
  daedalus show tuning.db --json`,
		Args:              args("STUDY", 1, 1),
		ValidArgsFunction: completeStudy,
		RunE: func(cmd *cobra.Command, args []string) error {
			r := runFlags{set: set}
			settings, err := r.settings(cmd)
			if err != nil {
				return err
			}
			s, err := a.subject(args[0], settings...)
			if err != nil {
				return err
			}
			f := s.file
			counts := map[store.State]int64{}
			status := "not started"
			if _, err := os.Stat(s.db); err == nil {
				r, err := a.read(cmd.Context(), s)
				if err != nil {
					return err
				}
				defer r.Close()
				if counts, err = r.Count(cmd.Context()); err != nil {
					return err
				}
				status = r.rec.Status
				if r.rec.StopReason != "" {
					status += ", " + r.rec.StopReason
				}
				if f == nil {
					if f = r.file; f == nil {
						if r.why != nil {
							return fmt.Errorf("the study in %s cannot be read: %w", s.db, r.why)
						}
						return failf("`daedalus front` and `daedalus trials` work", "%s was made by a program, not by a study file", s.db)
					}
				}
			}
			if a.json {
				return a.writeJSON(a.out, showJSON(f, status, counts))
			}
			return show(a.out, f, status, counts)
		},
	}
	cmd.Flags().StringArrayVar(&set, "set", nil, "override the study file: PATH=VALUE")
	return cmd
}

// size describes how many designs a space has.
func size(s *space.Space) string {
	n, exact := s.Count()
	switch {
	case n == nil && exact:
		return "infinitely many designs"
	case n == nil:
		return "more designs than can be counted"
	case !exact:
		return "at most " + term.Big(n) + " designs"
	case n.Cmp(big.NewInt(1)) == 0:
		return "1 design"
	}
	return term.Big(n) + " designs"
}

func show(w io.Writer, f *studyfile.File, status string, counts map[store.State]int64) error {
	p := f.Config.Problem
	tree, err := spaceTree(p.Space())
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "Study %s: %s\n\n", f.Name, describe(f))
	fmt.Fprintf(w, "Space: %s\n%s\n", size(p.Space()), tree)
	fmt.Fprintf(w, "Problem: %s\n", f.Problem)
	if d, ok := p.(problem.Describer); ok {
		fmt.Fprintf(w, "  one evaluation %s\n", d.Describe())
	}
	if f.Timeout > 0 {
		fmt.Fprintf(w, "  for %v at most\n", f.Timeout)
	}
	if f.Retries > 0 {
		fmt.Fprintf(w, "  tried again %s at most\n", term.Plural(int64(f.Retries), "time"))
	}
	fmt.Fprintf(w, "  designs export as %s\n\n", strings.Join(exportFormats(p), ", "))

	var t term.Table
	t.Columns = []term.Column{{Name: "metric"}, {Name: "unit"}, {Name: "role"}, {Name: "meaning"}}
	role := func(m metric.Metric) string {
		var words []string
		for _, o := range f.Goal.Objectives {
			if o.Metric == m.Name {
				words = append(words, strings.TrimSpace(strings.Replace(o.String(), m.Name, "", 1)))
			}
		}
		for _, l := range f.Goal.Limits {
			if l.Metric == m.Name {
				words = append(words, strings.TrimSpace(strings.Replace(l.String(), m.Name, "", 1)))
			}
		}
		return strings.Join(words, ", ")
	}
	for _, m := range p.Metrics() {
		t.Row(m.Name, m.UnitName(), role(m), m.Doc)
	}
	if v, ok := p.(problem.Verifier); ok {
		for _, m := range v.VerifyMetrics() {
			t.Row(m.Name, m.UnitName(), "not seen by the search", m.Doc)
		}
	}
	if err := t.Write(w, term.Width(w)); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nSearch: %s (%s)\n", f.MethodName, f.Reason)
	fmt.Fprintf(w, "Budget: %s\n", budgetText(f))
	fmt.Fprintf(w, "Seed:   %d\n", f.Seed)
	fmt.Fprintf(w, "State:  %s\n", status)
	if len(counts) > 0 {
		fmt.Fprintf(w, "Trials: %s\n", countsText(counts))
	}
	for _, warning := range warnings(f) {
		fmt.Fprintf(w, "warning: %s\n", warning)
	}
	return nil
}

func budgetText(f *studyfile.File) string {
	var words []string
	if b := f.Budget; true {
		if b.Trials > 0 {
			words = append(words, term.Plural(b.Trials, "trial"))
		}
		if b.Time > 0 {
			words = append(words, term.Duration(b.Time))
		}
		if b.Cost > 0 {
			what := "seconds of evaluation"
			if b.Metric != "" {
				what = "of " + b.Metric
			}
			words = append(words, fmt.Sprintf("cost %s (%s)", term.Number(b.Cost), what))
		}
	}
	if f.Stop.NoGain > 0 {
		words = append(words, fmt.Sprintf("no gain in %s", term.Plural(f.Stop.NoGain, "trial")))
	}
	for _, l := range f.Stop.Target {
		words = append(words, "until "+l.String())
	}
	if len(words) == 0 {
		return "none: until the space is exhausted or ctrl-C"
	}
	return strings.Join(words, ", or ")
}

// warnings are what looks wrong about a study.
func warnings(f *studyfile.File) []string {
	out := append([]string(nil), f.Warnings...)
	b := f.Budget
	if b.Trials == 0 && b.Time == 0 && b.Cost == 0 && len(f.Stop.Target) == 0 && f.Stop.NoGain == 0 {
		out = append(out, "there is no budget; add for example budget: {trials: 500}")
	}
	if n, exact := f.Config.Problem.Space().Count(); n != nil && exact {
		switch {
		case n.Sign() == 0:
			out = append(out, "the constraints leave no design")
		case b.Trials > 0 && n.Cmp(big.NewInt(b.Trials)) < 0:
			out = append(out, fmt.Sprintf("the budget of %s exceeds the %s", term.Plural(b.Trials, "trial"), size(f.Config.Problem.Space())))
		}
	}
	if c, ok := f.Config.Problem.(interface{ Check() error }); ok {
		if err := c.Check(); err != nil {
			out = append(out, err.Error())
		}
	}
	return out
}

func showJSON(f *studyfile.File, status string, counts map[store.State]int64) map[string]any {
	p := f.Config.Problem
	n, exact := p.Space().Count()
	var count any
	if n != nil {
		count = json.Number(n.String())
	}
	states := map[string]int64{}
	for s, k := range counts {
		states[s.String()] = k
	}
	metricJSON := func(ms []metric.Metric) []map[string]string {
		out := []map[string]string{}
		for _, m := range ms {
			out = append(out, map[string]string{"name": m.Name, "unit": m.Unit, "doc": m.Doc})
		}
		return out
	}
	out := map[string]any{
		"study": f.Name, "problem": f.Problem, "space": p.Space(), "designs": count, "designs_exact": exact, "infinite": n == nil && exact,
		"objectives": f.Goal.Objectives, "limits": f.Goal.Limits, "metrics": metricJSON(p.Metrics()), "export_formats": exportFormats(p),
		"search": map[string]any{"method": f.MethodName, "reason": f.Reason, "auto": f.Auto},
		"budget": map[string]any{"trials": f.Budget.Trials, "seconds": f.Budget.Time.Seconds(), "cost": f.Budget.Cost},
		"seed":   f.Seed, "status": status, "counts": states, "warnings": append([]string{}, warnings(f)...), "database": f.StorePath,
	}
	if d, ok := p.(problem.Describer); ok {
		out["evaluation"] = d.Describe()
	}
	if v, ok := p.(problem.Verifier); ok {
		out["verified_metrics"] = metricJSON(v.VerifyMetrics())
	}
	return out
}

var kinds = []string{"float", "int", "ordinal", "choice", "bool", "const", "group", "repeat", "subset", "permutation", "grammar"}

// spaceTree draws a space as an indented tree. It reads the space's own JSON,
// which is what a study file would say.
func spaceTree(s *space.Space) (string, error) {
	text, err := s.MarshalJSON()
	if err != nil {
		return "", err
	}
	root, rep := source.Parse("space", text)
	if err := rep.Err(); err != nil {
		return "", err
	}
	var b strings.Builder
	var nodes func(v *source.Value, indent string)
	line := func(indent, format string, args ...any) {
		b.WriteString(indent + strings.TrimRight(fmt.Sprintf(format, args...), " ") + "\n")
	}
	list := func(v *source.Value) string {
		items, _ := v.List(rep)
		words := make([]string, len(items))
		for i, x := range items {
			words[i] = x.Text()
		}
		s := strings.Join(words, ", ")
		if len(words) > 24 {
			s = strings.Join(words[:20], ", ") + fmt.Sprintf(", … (%d values)", len(words))
		}
		return s
	}
	span := func(v *source.Value) string {
		if v.Kind() == source.List {
			items, _ := v.List(rep)
			if len(items) == 2 {
				return items[0].Text() + " … " + items[1].Text()
			}
		}
		return v.Text()
	}
	node := func(name string, v *source.Value, indent string) {
		word, in, _ := "bool", (*source.Value)(nil), true
		if !v.IsScalar() {
			word, in, _ = v.AtMostOne(rep, kinds...)
		}
		extra := ""
		if v.Get("log").Text() == "true" {
			extra += ", logarithmic"
		}
		if st := v.Get("step"); st != nil {
			extra += ", step " + st.Text()
		}
		if d := v.Get("depth"); d != nil {
			extra += ", at most " + d.Text() + " deep"
		}
		if u := v.Get("unit"); u != nil {
			extra += " " + u.Text()
		}
		if sz := v.Get("size"); sz != nil {
			extra += ", size " + span(sz)
		}
		if wt := v.Get("weights"); wt != nil {
			extra += ", weighted"
		}
		if w := v.Get("when"); w != nil {
			extra += "   when " + w.Text()
		}
		if d := v.Get("doc"); d != nil {
			extra += "   # " + d.Text()
		}
		deeper := indent + "  "
		switch word {
		case "":
			line(indent, "%s:", name)
			nodes(v, deeper)
		case "group":
			line(indent, "%s:%s", name, extra)
			nodes(in, deeper)
		case "float":
			line(indent, "%s: %s%s", name, span(in), extra)
		case "int":
			line(indent, "%s: %s, whole%s", name, span(in), extra)
		case "ordinal":
			line(indent, "%s: %s, in order%s", name, list(in), extra)
		case "bool":
			line(indent, "%s: true or false%s", name, extra)
		case "const":
			line(indent, "%s: always %s%s", name, in.Text(), extra)
		case "subset":
			line(indent, "%s: some of %s%s", name, list(in), extra)
		case "permutation":
			line(indent, "%s: any order of %s%s", name, list(in), extra)
		case "choice":
			if in.Kind() == source.List {
				line(indent, "%s: one of %s%s", name, list(in), extra)
				return
			}
			line(indent, "%s: one of%s", name, extra)
			entries, _ := in.Map(rep)
			for _, e := range entries {
				line(deeper, "%s", e.Name())
				nodes(e.Value, deeper+"  ")
			}
		case "repeat":
			of := v.Get("of")
			bare := of.IsScalar()
			for _, k := range kinds {
				bare = bare || of.Has(k)
			}
			line(indent, "%s: %s times%s", name, span(in), extra)
			if bare {
				nodes(source.MapOf(of, source.Entry{Key: of, Value: of}), deeper)
			} else {
				nodes(of, deeper)
			}
		case "grammar":
			line(indent, "%s: a grammar from %s%s", name, in.Get("start").Text(), extra)
			entries, _ := in.Map(rep)
			for _, e := range entries {
				if e.Name() == "start" {
					continue
				}
				var words []string
				productions, _ := e.Value.List(rep)
				for _, p := range productions {
					s := strings.ReplaceAll(list(p.Get("use")), ",", "")
					if w := p.Get("p"); w != nil {
						s += " (" + w.Text() + ")"
					}
					words = append(words, s)
				}
				line(deeper, "%s → %s", e.Name(), strings.Join(words, " | "))
			}
		}
	}
	nodes = func(v *source.Value, indent string) {
		entries, _ := v.Map(rep)
		for _, e := range entries {
			switch {
			case e.Name() == "require":
				for _, r := range items(e.Value, rep) {
					line(indent, "require %s", r.Text())
				}
			case e.Key == e.Value: // the only node of a repeat, which has no name
				node("each", e.Value, indent)
			default:
				node(strings.Trim(e.Name(), "`"), e.Value, indent)
			}
		}
	}
	nodes(root.Get("space"), "  ")
	for _, r := range items(root.Get("require"), rep) {
		line("  ", "require %s", r.Text())
	}
	return b.String(), rep.Err()
}

func items(v *source.Value, rep *source.Report) []*source.Value {
	if v == nil {
		return nil
	}
	l, _ := v.List(rep)
	return l
}
