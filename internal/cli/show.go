package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/daedalus-search/daedalus/internal/shape"
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
		if b.Full > 0 {
			words = append(words, fmt.Sprintf("%s full evaluations", term.Number(b.Full)))
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
	if b.Trials == 0 && b.Full == 0 && b.Time == 0 && b.Cost == 0 && len(f.Stop.Target) == 0 && f.Stop.NoGain == 0 {
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
		"budget": map[string]any{"trials": f.Budget.Trials, "full": f.Budget.Full, "seconds": f.Budget.Time.Seconds(), "cost": f.Budget.Cost},
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

// spaceTree draws a space as an indented tree.
func spaceTree(s *space.Space) (string, error) {
	text, err := s.MarshalJSON()
	if err != nil {
		return "", err
	}
	sh, err := shape.Read(text)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, p := range sh.Parts() {
		indent := "  "
		for q := p.Parent; q != nil; q = q.Parent {
			indent += "  "
		}
		line := p.Name
		switch {
		case p.Kind == "rule":
			line += " → " + p.Domain
		case p.Kind != "case":
			line += ": " + p.Domain
		}
		if p.Unit != "" {
			line += " " + p.Unit
		}
		if p.When != "" {
			line += "   when " + p.When
		}
		if p.Doc != "" {
			line += "   # " + p.Doc
		}
		b.WriteString(indent + strings.TrimRight(line, " ") + "\n")
		for _, r := range p.Requires {
			b.WriteString(indent + "  require " + r + "\n")
		}
	}
	for _, r := range sh.Requires() {
		b.WriteString("  require " + r + "\n")
	}
	return b.String(), nil
}
