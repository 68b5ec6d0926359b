package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/daedalus-search/daedalus/catalog"
	"github.com/daedalus-search/daedalus/internal/source"
	"github.com/daedalus-search/daedalus/internal/term"
)

func (a *app) listCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list (problems | searchers) [NAME]",
		Short: "List the built-in problems and search methods, with their options",
		Long: `List prints what a study file can name after "problem:" and "search:". With a
name it prints the options, with defaults and ranges.`,
		Example: `  daedalus list problems
  daedalus list searchers
  daedalus list searchers nsga2`,
		Args: args("(problems | searchers) [NAME]", 1, 2),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			var names []string
			switch {
			case len(args) == 0:
				names = []string{"problems", "searchers"}
			case len(args) == 1 && args[0] == "problems":
				for _, p := range catalog.Problems() {
					names = append(names, p.Name+"\t"+p.Doc)
				}
			case len(args) == 1 && args[0] == "searchers":
				for _, s := range catalog.Searchers() {
					names = append(names, s.Name+"\t"+s.Doc)
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			rows := map[string]func() []row{"problems": problemRows, "searchers": searcherRows}[args[0]]
			if rows == nil {
				hint := "expected problems or searchers"
				if near, ok := source.Nearest(args[0], []string{"problems", "searchers"}); ok {
					hint = "did you mean " + near + "?"
				}
				return usagef(hint, "cannot list %q", args[0])
			}
			if len(args) == 2 {
				for _, r := range rows() {
					if r.name == args[1] {
						return a.details(r)
					}
				}
				var err error
				if args[0] == "problems" {
					_, err = catalog.FindProblem(args[1])
				} else {
					_, err = catalog.FindSearcher(args[1])
				}
				return usagef("`daedalus list "+args[0]+"` lists them", "%w", err)
			}
			if a.json {
				out := []map[string]any{}
				for _, r := range rows() {
					out = append(out, r.JSON())
				}
				return a.writeJSON(a.out, out)
			}
			var t term.Table
			t.Columns = []term.Column{{Name: "name"}, {Name: "what it is"}}
			for _, r := range rows() {
				t.Row(r.name, r.doc)
			}
			if err := t.Write(a.out, 0); err != nil {
				return err
			}
			a.say("\n`daedalus list %s NAME` prints the options of one.", args[0])
			return nil
		},
	}
}

// A row is a problem or a search method of the catalog.
type row struct {
	name, doc string
	facts     [][2]string
	options   []source.Field
	example   string
}

func problemRows() []row {
	var out []row
	for _, p := range catalog.Problems() {
		r := row{name: p.Name, doc: p.Doc, options: source.Describe(p.Options()), facts: [][2]string{{"source", p.Source}}}
		if p.Needs != "" {
			r.facts = append(r.facts, [2]string{"needs", p.Needs})
		}
		r.example = "problem: " + p.Name
		if p.Name == "command" {
			r.example = "problem:\n  command: [python3, evaluate.py]\n  metrics: {runtime: ms}"
		}
		out = append(out, r)
	}
	return out
}

func searcherRows() []row {
	var out []row
	for _, s := range catalog.Searchers() {
		out = append(out, row{
			name: s.Name, doc: s.Doc, options: source.Describe(s.Options()), example: "search: " + s.Name,
			facts: [][2]string{
				{"source", s.Source}, {"spaces", s.Spaces}, {"objectives", s.Objectives}, {"cost of a proposal", s.Cost}, {"take it for", s.Advice},
			},
		})
	}
	return out
}

func (r row) JSON() map[string]any {
	out := map[string]any{"name": r.name, "doc": r.doc, "options": append([]source.Field{}, r.options...)}
	for _, f := range r.facts {
		out[strings.ReplaceAll(f[0], " ", "_")] = f[1]
	}
	return out
}

func (a *app) details(r row) error {
	if a.json {
		return a.writeJSON(a.out, r.JSON())
	}
	a.say("%s: %s\n", r.name, r.doc)
	for _, f := range r.facts {
		if f[1] != "" {
			a.say("  %-19s %s", f[0], f[1])
		}
	}
	if len(r.options) == 0 {
		a.say("\nIt has no options. In a study file:\n\n%s", indent(r.example))
		return nil
	}
	a.say("\nOptions:\n")
	t := term.Table{Columns: []term.Column{{Name: "option"}, {Name: "type"}, {Name: "default"}, {Name: "range"}, {Name: "meaning"}}}
	optionRows(&t, r.options, "")
	if err := t.Write(a.out, 0); err != nil {
		return err
	}
	example := r.example
	if word, name, ok := strings.Cut(example, ": "); ok && !strings.Contains(example, "\n") {
		o := r.options[0]
		for _, x := range r.options {
			if x.Default != "" && !o.Required {
				o = x
				break
			}
		}
		value := or(o.Default, "…")
		if len(o.OneOf) > 0 && o.Default == "" {
			value = o.OneOf[0]
		}
		example = fmt.Sprintf("%s: {%s: {%s: %s}}", word, name, o.Name, value)
	}
	a.say("\nIn a study file:\n\n%s", indent(example))
	return nil
}

func indent(s string) string { return "  " + strings.ReplaceAll(s, "\n", "\n  ") }

func optionRows(t *term.Table, fields []source.Field, prefix string) {
	for _, f := range fields {
		limits := ""
		bound := func(word, b string) string {
			if b != "" && strings.ContainsAny(b[:1], "<>") {
				return b
			}
			return word + b
		}
		switch {
		case len(f.OneOf) > 0:
			limits = strings.Join(f.OneOf, ", ")
			if len(limits) > 40 {
				limits = fmt.Sprintf("%s, … (%d values)", strings.Join(f.OneOf[:3], ", "), len(f.OneOf))
			}
		case f.Min != "" && f.Max != "" && !strings.ContainsAny(f.Min+f.Max, "<>"):
			limits = f.Min + " … " + f.Max
		case f.Min != "" && f.Max != "":
			limits = bound("≥ ", f.Min) + ", " + bound("≤ ", f.Max)
		case f.Min != "":
			limits = bound("≥ ", f.Min)
		case f.Max != "":
			limits = bound("≤ ", f.Max)
		}
		fallback := f.Default
		if f.Required {
			fallback = "required"
		}
		t.Row(prefix+f.Name, f.Type, fallback, limits, f.Doc)
		optionRows(t, f.Fields, prefix+f.Name+".")
	}
}
