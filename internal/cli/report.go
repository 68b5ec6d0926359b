package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/daedalus-search/daedalus/internal/term"
	"github.com/daedalus-search/daedalus/report/view"
	"github.com/daedalus-search/daedalus/store"
	"github.com/daedalus-search/daedalus/studyfile"
)

func (a *app) reportCommand() *cobra.Command {
	var out, baseline string
	cmd := &cobra.Command{
		Use:   "report STUDY",
		Short: "Write a page that shows the whole study",
		Long: `Report writes one HTML file with everything about a study: what was found,
whether to believe it, what to try next, and every trial down to its design. It
needs no network and can be sent to anybody. "run" writes it at its end too.

The page compares the search with random sampling if an evaluation costs next
to nothing; --baseline compares it with another study that measured the same
metrics, whatever its own objectives.
The study may be running; STUDY is the study file or its .db.`,
		Example: `  daedalus report phone-net.yaml                   # writes phone-net.html beside it
  daedalus report tuning.db -o tuning.html
  daedalus report tuning.yaml --baseline random/tuning.db`,
		Args:              args("STUDY", 1, 1),
		ValidArgsFunction: completeStudy,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			r, err := a.look(ctx, args[0])
			if err != nil {
				return err
			}
			defer r.Close()
			src := r.source()
			if baseline != "" {
				br, err := a.look(ctx, baseline)
				if err != nil {
					return fmt.Errorf("--baseline: %w", err)
				}
				defer br.Close()
				src.Baseline = br
			}
			folder := filepath.Dir(r.subject.db)
			if out == "" {
				out = filepath.Join(folder, r.rec.Name+".html")
			}
			if src.Findings, err = readFindings(findingsAt(folder, r.rec.Name)); err != nil {
				return err
			}
			v, err := a.writeReport(ctx, out, src)
			if err != nil || out == "-" {
				return err
			}
			if a.json {
				return a.writeJSON(a.out, map[string]any{"file": out, "trials": v.Trials.Total, "rows": v.Trials.Rows})
			}
			if v.Trials.Note != "" {
				a.note("%s", v.Trials.Note)
			}
			size := ""
			if info, err := os.Stat(out); err == nil {
				size = fmt.Sprintf(", %s kB", term.Int((info.Size()+999)/1000))
			}
			a.note("%s: %s%s", out, term.Plural(int64(v.Trials.Total), "trial"), size)
			return nil
		},
	}
	cmd.Flags().StringVarP(&out, "output", "o", "", "write to this file instead of NAME.html beside the study")
	cmd.Flags().StringVar(&baseline, "baseline", "", "compare with this study instead of random sampling")
	return cmd
}

// source is what a view of a stored study is made from.
func (r *reading) source() view.Source {
	src := view.Source{Store: r.SQLite, File: shellWord(r.subject.arg), Goal: r.goal, Engine: Version(), Made: time.Now()}
	if r.file != nil {
		src.Problem, src.Method, src.Budget = r.file.Config.Problem, r.file.Method, budgetText(r.file)
	}
	if r.subject.file != nil { // named by its study file
		src.Run, src.Enqueue = "daedalus run "+src.File, "daedalus enqueue "+src.File
	}
	return src
}

func (a *app) writeReport(ctx context.Context, path string, src view.Source) (v *view.View, err error) {
	if v, err = view.New(ctx, src); err != nil {
		return nil, err
	}
	return v, a.output(path, func(w io.Writer) error { return view.WriteHTML(w, v) })
}

// source is what the view of a study that was just run is made from.
func (r *runFlags) source(st store.Store, arg string, f *studyfile.File, at places) view.Source {
	src := view.Source{
		Store: st, File: shellWord(arg), Run: r.again(arg, "budget.trials"), Enqueue: "daedalus enqueue " + shellWord(arg),
		Goal: f.Goal, Problem: f.Config.Problem, Method: f.Method, Budget: budgetText(f), Engine: Version(), Made: time.Now(),
	}
	if at.db != f.StorePath { // the study file does not lead to it
		src.File, src.Enqueue = shellWord(at.db), ""
	}
	return src
}
