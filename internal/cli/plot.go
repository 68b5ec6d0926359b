package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/daedalus-search/daedalus/internal/term"
	"github.com/daedalus-search/daedalus/report/figure"
	"github.com/daedalus-search/daedalus/report/view"
)

// extensions says what the names of files mean. Longer ones stand first.
var extensions = []struct{ ext, format string }{
	{".vl.json", "vega"}, {".json", "vega"}, {".svg", "svg"}, {".pdf", "pdf"}, {".png", "png"},
}

func (a *app) plotCommand() *cobra.Command {
	var out, format, baseline string
	var o figure.Options
	var kinds strings.Builder
	for _, k := range figure.Kinds() {
		fmt.Fprintf(&kinds, "  %-11s %s\n", k.Name, k.Doc)
		if len(k.Takes) > 0 {
			fmt.Fprintf(&kinds, "  %-11s takes --%s\n", "", strings.Join(k.Takes, ", --"))
		}
	}
	cmd := &cobra.Command{
		Use:   "plot KIND STUDY",
		Short: "Write a figure for a paper, or for another plotting tool",
		Long: `Plot writes one figure of a study: as SVG, PDF or PNG, in the size of a column
or a page of a journal (84 or 175 mm), or as Vega-Lite with its data, which other
tools draw and change. The extension of -o says which. What a caption should say
is printed.

Kinds:
` + kinds.String() + `
Columns are called what "daedalus trials" calls them. STUDY is the study file or
its .db; the study may be running.`,
		Example: `  daedalus plot front phone-net.yaml -o front.pdf
  daedalus plot history phone-net.yaml -o history.svg --baseline random/phone-net.db
  daedalus plot slice phone-net.yaml -o slices.png --y latency_ms --top 4
  daedalus plot contour tuning.db -o tiles.pdf --x tile_m --y tile_n --color time_ms
  daedalus plot front phone-net.yaml -o front.vl.json`,
		Args: args("KIND STUDY", 2, 2),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 0 {
				var names []string
				for _, k := range figure.Kinds() {
					names = append(names, k.Name+"\t"+k.Doc)
				}
				return names, cobra.ShellCompDirectiveNoFileComp
			}
			return completeStudy(cmd, args[1:], word)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			if err := figure.Check(args[0], o); err != nil {
				return plotError(err)
			}
			format, err := plotFormat(format, out, a.out)
			if err != nil {
				return err
			}
			r, err := a.look(ctx, args[1])
			if err != nil {
				return err
			}
			defer r.Close()
			src := r.source()
			src.Rows, src.Bytes = 1_000_000, 1<<40 // a figure holds what a page has no room for
			if baseline != "" {
				if args[0] != "history" {
					return usagef("history compares", "the figure %s has no --baseline", args[0])
				}
				br, err := a.look(ctx, baseline)
				if err != nil {
					return fmt.Errorf("--baseline: %w", err)
				}
				defer br.Close()
				src.Baseline = br
			}
			v, err := view.New(ctx, src)
			if err != nil {
				return err
			}
			f, err := figure.New(v, args[0], o)
			if err != nil {
				if errors.As(err, new(*figure.OptionError)) {
					return plotError(err)
				}
				return failf("", "%s: there is no figure %s: %v", args[1], args[0], err)
			}
			if err := a.output(out, func(w io.Writer) error { return f.Write(w, format) }); err != nil {
				return err
			}
			if out == "" || out == "-" {
				return nil
			}
			if a.json {
				return a.writeJSON(a.out, map[string]any{"file": out, "kind": args[0], "format": format, "alt": f.Alt, "note": f.Note})
			}
			size := ""
			if info, err := os.Stat(out); err == nil {
				size = fmt.Sprintf(", %s kB", term.Int((info.Size()+999)/1000))
			}
			a.note("%s: %.0f × %.0f mm%s", out, f.Width, f.Height, size)
			a.note("%s", f.Alt)
			if f.Note != "" {
				a.note("%s", f.Note)
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVarP(&out, "output", "o", "", "write to this file: "+plotEndings())
	f.StringVar(&format, "format", "", strings.Join(figure.Formats(), ", ")+"; as -o ends without it")
	f.StringVar(&o.X, "x", "", "column of the x axis")
	f.StringVar(&o.Y, "y", "", "column of the y axis, or what the figure is about")
	f.StringVar(&o.Color, "color", "", "column that gives the colours")
	f.StringSliceVar(&o.Columns, "columns", nil, "columns, in this order")
	f.IntVar(&o.Top, "top", 0, "how many parameters or columns at most")
	f.BoolVar(&o.Near, "near", false, "axes around the front instead of around every design")
	f.StringVar(&o.Log, "log", "", "logarithmic axes: x, y, xy or none; as suits the data without it")
	f.StringVar(&o.Title, "title", "", "title above the figure")
	f.Float64Var(&o.Width, "width", 0, "width in millimetres (default 84, or 175 where a column is too narrow)")
	f.Float64Var(&o.Height, "height", 0, "height in millimetres")
	f.Float64Var(&o.DPI, "dpi", 0, "dots an inch of PNG (default 300)")
	f.BoolVar(&o.Dark, "dark", false, "on a dark ground, for slides")
	f.StringVar(&baseline, "baseline", "", "of history: compare with this study instead of random sampling")
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(figure.Formats(), cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("log", cobra.FixedCompletions([]string{"x", "y", "xy", "none"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// plotError makes a wrong option a wrong command line.
func plotError(err error) error {
	var e *figure.OptionError
	if errors.As(err, &e) {
		return usagef(e.Hint, "%s", e.Text)
	}
	return err
}

// plotEndings lists the names of files that are understood.
func plotEndings() string {
	var out []string
	for _, e := range extensions {
		out = append(out, e.ext)
	}
	return strings.Join(out, ", ")
}

// plotFormat is the format that is asked for, or that the name of the file says.
func plotFormat(format, out string, stdout io.Writer) (string, error) {
	if format != "" {
		if !slices.Contains(figure.Formats(), format) {
			return "", usagef("known are "+strings.Join(figure.Formats(), ", "), "there is no format %q", format)
		}
		if (out == "" || out == "-") && term.IsTerminal(stdout) {
			return "", usagef("name a file with -o", "a figure is no text for a terminal")
		}
		return format, nil
	}
	if out == "" || out == "-" {
		if term.IsTerminal(stdout) {
			return "", usagef("for example: -o figure.pdf", "name the file with -o")
		}
		return "svg", nil
	}
	for _, e := range extensions {
		if strings.HasSuffix(strings.ToLower(out), e.ext) {
			return e.format, nil
		}
	}
	ext := filepath.Ext(out)
	if ext == "" {
		return "", usagef("known are "+plotEndings()+"; or say --format", "%s has no extension that says the format", out)
	}
	return "", usagef("known are "+plotEndings()+"; or say --format", "%s: the extension %s is no format of figures", out, ext)
}
