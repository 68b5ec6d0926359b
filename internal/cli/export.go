package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/daedalus-search/daedalus/internal/source"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/report"
	"github.com/daedalus-search/daedalus/space"
	"github.com/daedalus-search/daedalus/store"
)

func (a *app) exportCommand() *cobra.Command {
	var trial int64
	var best bool
	var format, out string
	cmd := &cobra.Command{
		Use:   "export STUDY (--trial N | --best)",
		Short: "Write one design for use elsewhere",
		Long: `Export writes the design of one trial: as the JSON that evaluators see (design),
as a picture (svg), and in the problem's own formats.
--best takes the best design, or the knee of the front if there are several
objectives.`,
		Example: `  daedalus export kernel.yaml --best
  daedalus export phone-net.yaml --trial 17 --format svg -o cell.svg
  daedalus export phone-net.db --best --format nb201`,
		Args:              args("STUDY", 1, 1),
		ValidArgsFunction: completeStudy,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			byNumber := cmd.Flags().Changed("trial")
			if byNumber == best {
				return usagef("for example: daedalus export "+args[0]+" --best", "name one design, with --trial N or --best")
			}
			r, err := a.look(ctx, args[0])
			if err != nil {
				return err
			}
			defer r.Close()
			var t store.Trial
			if best {
				f, err := frontOf(ctx, r, r.rec, r.goal)
				if err != nil {
					return err
				}
				if len(f.trials) == 0 {
					return failf("", "%s has no measured design yet", args[0])
				}
				if !f.feasible {
					a.note("note: no design keeps every limit; this is the nearest")
				}
				k := 0
				if len(f.scores[0].Loss) > 1 {
					k = f.knee()
				}
				t = f.trials[k]
				a.note("trial %d", t.Number)
			} else if t, err = r.trial(ctx, args[0], trial); err != nil {
				return err
			}
			if format == "design" {
				return a.output(out, func(w io.Writer) error {
					var b bytes.Buffer
					if err := json.Indent(&b, t.Design, "", "  "); err != nil {
						return fmt.Errorf("trial %d: %w", t.Number, err)
					}
					b.WriteByte('\n')
					_, err := w.Write(b.Bytes())
					return err
				})
			}
			if r.file == nil {
				if r.why != nil {
					return fmt.Errorf("only the format design is possible, because the problem cannot be made: %w", r.why)
				}
				return failf("", "only the format design is possible: the study was made by a program, not by a study file")
			}
			p := r.file.Config.Problem
			formats := exportFormats(p)
			if !slices.Contains(formats, format) {
				hint := "known are " + strings.Join(formats, ", ")
				if near, ok := source.Nearest(format, formats); ok {
					hint = fmt.Sprintf("did you mean %q?", near)
				}
				return usagef(hint, "the problem %s has no format %q", r.file.Problem, format)
			}
			d, err := design(p.Space(), &t)
			if err != nil {
				return err
			}
			return a.output(out, func(w io.Writer) error { return exportDesign(w, p, d, format) })
		},
	}
	cmd.Flags().Int64Var(&trial, "trial", 0, "number of the trial")
	cmd.Flags().BoolVar(&best, "best", false, "the best design, or the knee of the front")
	cmd.Flags().StringVar(&format, "format", "design", "design, svg, or a format of the problem; `daedalus show` lists them")
	cmd.Flags().StringVarP(&out, "output", "o", "", "write to this file instead of standard output")
	return cmd
}

// exportDesign writes a design in one of [exportFormats] but "design".
func exportDesign(w io.Writer, p problem.Problem, d space.Design, format string) error {
	if x, ok := p.(problem.Exporter); ok && slices.Contains(x.Formats(), format) {
		return x.Export(w, d, format)
	}
	if x, ok := p.(problem.Drawer); ok {
		return x.Draw(w, d)
	}
	return report.DrawDesign(w, d)
}

// exportFront writes every design of the front into a folder in each format, as
// trial-N.FORMAT, removes what an earlier front left there, and returns the files.
func exportFront(p problem.Problem, f *front, formats []string, folder string) (files []string, err error) {
	if len(formats) == 0 || len(f.trials) == 0 {
		return nil, nil
	}
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return nil, err
	}
	for i := range f.trials {
		t := &f.trials[i]
		d, err := design(p.Space(), t)
		if err != nil {
			return files, err
		}
		for _, format := range formats {
			file := filepath.Join(folder, fmt.Sprintf("trial-%d.%s", t.Number, format))
			if err := writeFile(file, func(w io.Writer) error { return exportDesign(w, p, d, format) }); err != nil {
				return files, fmt.Errorf("exporting trial %d: %w", t.Number, err)
			}
			files = append(files, file)
		}
	}
	for _, format := range formats {
		there, err := filepath.Glob(filepath.Join(folder, "trial-*."+format))
		if err != nil {
			return files, err
		}
		for _, file := range there {
			if slices.Contains(files, file) {
				continue
			}
			if err := os.Remove(file); err != nil {
				return files, err
			}
		}
	}
	return files, nil
}

// exportFormats returns what designs of a problem can be written as.
func exportFormats(p problem.Problem) []string {
	out := []string{"design"}
	if x, ok := p.(problem.Exporter); ok {
		out = append(out, x.Formats()...)
	}
	if !slices.Contains(out, "svg") {
		out = append(out, "svg")
	}
	return out
}
