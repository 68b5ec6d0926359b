package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/daedalus-search/daedalus/internal/term"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/report"
	"github.com/daedalus-search/daedalus/store"
	"github.com/daedalus-search/daedalus/study"
	"github.com/daedalus-search/daedalus/studyfile"
)

type runFlags struct {
	set      []string
	parallel int
	trials   int64
	seed     uint64
	store    string
	out      string
	fresh    bool
	changed  map[string]bool // flags that were given
}

// again is the command that continues this run. The settings under path are
// left out, because the caller adds one.
func (r *runFlags) again(arg, path string) string {
	words := []string{"daedalus run", shellWord(arg)}
	for _, s := range r.set {
		if path == "" || !strings.HasPrefix(s, path+"=") {
			words = append(words, "--set", shellWord(s))
		}
	}
	add := func(name, value string) {
		if r.changed[name] {
			words = append(words, "--"+name, shellWord(value))
		}
	}
	if path != "budget.trials" {
		add("trials", strconv.FormatInt(r.trials, 10))
	}
	add("parallel", strconv.Itoa(r.parallel))
	add("seed", strconv.FormatUint(r.seed, 10))
	add("store", r.store)
	add("out", r.out)
	return strings.Join(words, " ")
}

// shellWord quotes a word for a shell if it needs that.
func shellWord(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=:,@%+") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func (a *app) runCommand() *cobra.Command {
	var r runFlags
	cmd := &cobra.Command{
		Use:   "run STUDY.yaml",
		Short: "Search, or continue a search, and print the front",
		Long: `Run searches for the best designs of a study and prints them. Every finished
trial is kept in NAME.db beside the study file: stop the search at any time and
give the same command to continue. A finished study continues when it gets a
larger budget.

At the end it writes NAME.html, a page that shows the whole study, and
NAME-trials.csv, NAME-front.csv and NAME-front.json; what the problem found out
besides, if anything, is in NAME-findings.json.
Exit codes: 0 done, 1 failed, 2 a mistake in the command or the study file,
130 interrupted.`,
		Example: `  daedalus run examples/phone-net.yaml
  daedalus run tuning.yaml --trials 1000           # more budget, the earlier trials count
  daedalus run tuning.yaml --set search=random --seed 3 --out runs/random-3
  daedalus run tuning.yaml --json -q > result.json`,
		Args:              args("STUDY.yaml", 1, 1),
		ValidArgsFunction: completeStudy,
		RunE: func(cmd *cobra.Command, args []string) error {
			settings, err := r.settings(cmd)
			if err != nil {
				return err
			}
			r.changed = map[string]bool{}
			cmd.Flags().Visit(func(f *pflag.Flag) { r.changed[f.Name] = true })
			return a.run(cmd.Context(), args[0], settings, r)
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&r.set, "set", nil, "override the study file: PATH=VALUE, such as budget.trials=1000; may be repeated")
	f.IntVar(&r.parallel, "parallel", 0, "evaluations at once (parallel:)")
	f.Int64Var(&r.trials, "trials", 0, "budget in trials, earlier runs included (budget.trials:)")
	f.Uint64Var(&r.seed, "seed", 0, "seed (seed:)")
	f.StringVar(&r.store, "store", "", "keep the trials in this file instead of NAME.db beside the study file")
	f.StringVar(&r.out, "out", "", "write NAME.db and the results into this folder")
	f.BoolVar(&r.fresh, "fresh", false, "start again; the old trials are moved aside, not deleted")
	return cmd
}

// settings turns flags into overrides of the study file.
func (r *runFlags) settings(cmd *cobra.Command) ([]studyfile.Setting, error) {
	var out []studyfile.Setting
	for _, s := range r.set {
		path, value, ok := strings.Cut(s, "=")
		if !ok {
			return nil, usagef("for example --set budget.trials=1000", "--set %s: no value; expected PATH=VALUE", s)
		}
		out = append(out, studyfile.Setting{Path: strings.TrimSpace(path), Value: value})
	}
	add := func(flag, path, value string) {
		if cmd.Flags().Changed(flag) {
			out = append(out, studyfile.Setting{Path: path, Value: value})
		}
	}
	add("parallel", "parallel", strconv.Itoa(r.parallel))
	add("trials", "budget.trials", strconv.FormatInt(r.trials, 10))
	add("seed", "seed", strconv.FormatUint(r.seed, 10))
	return out, nil
}

// places are the files of a study.
type places struct{ db, trials, front, frontJSON, findings, report, designs string }

// checkpointsOf is the folder for what a study's problem keeps.
func checkpointsOf(db string) string {
	return strings.TrimSuffix(db, filepath.Ext(db)) + ".checkpoints"
}

// keep tells a problem where it finds what earlier runs made.
func keep(p problem.Problem, db string) {
	if k, ok := p.(problem.Keeper); ok {
		k.Keep(filepath.Join(checkpointsOf(db), "problem"))
	}
}

func (r *runFlags) places(f *studyfile.File) places {
	p := places{db: f.StorePath}
	if r.out != "" {
		p.db = filepath.Join(r.out, f.Name+".db")
	}
	if r.store != "" {
		p.db = r.store
	}
	folder := filepath.Dir(p.db)
	if r.out != "" {
		folder = r.out
	}
	base := filepath.Join(folder, f.Name)
	p.trials, p.front, p.frontJSON, p.report = base+"-trials.csv", base+"-front.csv", base+"-front.json", base+".html"
	p.findings, p.designs = findingsAt(folder, f.Name), base+"-front"
	return p
}

func (a *app) run(ctx context.Context, arg string, settings []studyfile.Setting, flags runFlags) (err error) {
	s, err := a.subject(arg, settings...)
	if err != nil {
		return err
	}
	if s.file == nil {
		return usagef("name the study file; its .db is found from it", "%s is a database", arg)
	}
	f := s.file
	at := flags.places(f)
	for _, folder := range []string{filepath.Dir(at.db), filepath.Dir(at.trials)} {
		if err := os.MkdirAll(folder, 0o777); err != nil {
			return err
		}
	}
	keep(f.Config.Problem, at.db)
	if c, ok := f.Config.Problem.(io.Closer); ok {
		defer func() { err = errors.Join(err, c.Close()) }()
	}
	if c, ok := f.Config.Problem.(interface{ Check() error }); ok {
		if err := c.Check(); err != nil {
			return usagef("", "%s: %v", arg, err)
		}
	}
	if flags.fresh {
		if err := a.moveAside(ctx, at.db); err != nil {
			return err
		}
	}
	st, err := a.open(ctx, f, at.db)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	cfg, err := a.config(ctx, f)
	if err != nil {
		return err
	}
	cfg.Checkpoints = checkpointsOf(at.db)
	show := newProgress(a.err, cfg, a.verbose)
	cfg.Store = st
	if !a.quiet {
		cfg.Observe = show.observe
		cfg.Store = tapped{st, show.saved}
	}
	x, err := study.Open(ctx, cfg)
	if err != nil {
		return err
	}
	for _, n := range x.Notes() {
		a.note("note: %s", n)
	}
	before := x.Progress()
	a.note("%s: %s, searched by %s (%s)", f.Name, describe(f), f.MethodName, f.Reason)
	if before.Evaluated > 0 {
		a.note("continuing after %s", term.Plural(before.Evaluated, "trial"))
	}
	if b := f.Budget; b.Trials == 0 && b.Full == 0 && b.Time == 0 && b.Cost == 0 && len(f.Stop.Target) == 0 && f.Stop.NoGain == 0 {
		a.note("there is no budget: the search goes on until the space is exhausted or ctrl-C")
	}
	began := time.Now()
	if p, ok := f.Config.Problem.(problem.Preparer); ok && !(f.Budget.Trials > 0 && before.Evaluated >= f.Budget.Trials) {
		err := a.progress(func(progress func(string, int, int)) error { return p.Prepare(ctx, progress) })
		if err != nil && ctx.Err() != nil {
			return a.interrupted("what was trained is kept", flags.again(arg, ""))
		}
		if err != nil {
			return err
		}
	}
	if !a.quiet {
		show.start(before, x.Result().Front)
	}
	res, runErr := x.Run(ctx)
	if !a.quiet {
		show.stop()
	}
	if res == nil {
		return runErr
	}
	failed := errors.As(runErr, new(*study.FailedError))
	if runErr != nil && !failed {
		return runErr
	}

	var unfinished error // said at the end, behind what is known
	if p, ok := f.Config.Problem.(problem.Finisher); ok && res.Stopped != study.StopCancelled && !failed {
		err := a.progress(func(progress func(string, int, int)) error {
			return p.Finish(ctx, designsOf(res.Front), progress)
		})
		switch {
		case err != nil && ctx.Err() != nil:
			res.Stopped = study.StopCancelled
		case err != nil:
			unfinished = fmt.Errorf("finishing the front: %w", err)
		}
	}

	// The results are written and printed even after ctrl-C.
	done := context.WithoutCancel(ctx)
	if err := x.Close(done); err != nil {
		return err
	}
	rec, err := st.Study(done)
	if err != nil {
		return err
	}
	fr, err := frontOf(done, st, rec, f.Goal)
	if err != nil {
		return err
	}
	if err := fr.verify(done, f.Config.Problem); err != nil {
		return err
	}
	if err := fr.writeFiles(done, st, at); err != nil {
		return err
	}
	var exported []string
	if res.Stopped != study.StopCancelled {
		if exported, err = exportFront(f.Config.Problem, fr, f.Export, at.designs); err != nil {
			return err
		}
	}
	src := flags.source(st, arg, f, at)
	if res.Stopped != study.StopCancelled {
		same := res.Progress.Evaluated == before.Evaluated
		if src.Findings, err = assess(done, f.Config.Problem, res.Front, at.findings, same); err != nil {
			return err
		}
	}
	if _, err := a.writeReport(done, at.report, src); err != nil {
		return err
	}
	var truth *study.Truth
	if res.Stopped != study.StopCancelled {
		if err := study.Verify(done, f.Config.Problem, res.Front); err != nil {
			return err
		}
		t, ok, err := study.CompareTruth(done, f.Config.Problem, f.Goal, res.Front)
		if err != nil {
			return fmt.Errorf("comparing with the true front: %w", err)
		}
		if ok {
			truth = &t
		}
	}
	o := outcome{flags: &flags, exported: exported, arg: arg, file: f, at: at, front: fr, res: res, findings: src.Findings, before: before, truth: truth, took: time.Since(began), notes: x.Notes()}
	if a.json {
		if err := a.writeJSON(a.out, o.JSON()); err != nil {
			return err
		}
	} else if !a.quiet {
		if err := o.print(a.out); err != nil {
			return err
		}
	}
	switch {
	case failed:
		return a.explain(done, st, arg, runErr)
	case res.Stopped == study.StopCancelled:
		return a.interrupted("every finished trial is kept", flags.again(arg, ""))
	}
	return unfinished
}

// interrupted says what is kept and how to go on.
func (a *app) interrupted(kept, again string) error {
	a.note("interrupted; %s. Continue with: %s", kept, again)
	return &failure{err: errors.New("interrupted"), code: exitInterrupted, quiet: true}
}

// describe says what the study is about.
func describe(f *studyfile.File) string {
	words := make([]string, len(f.Goal.Objectives))
	for i, o := range f.Goal.Objectives {
		words[i] = o.String()
	}
	s := strings.Join(words, ", ")
	if len(f.Goal.Limits) > 0 {
		s += " within " + limitsText(f.Goal)
	}
	return s
}

// explain adds to a failed run what the last evaluator left behind.
func (a *app) explain(ctx context.Context, st store.Store, arg string, err error) error {
	hint := "`daedalus trials " + arg + " --state failed --format jsonl` shows every failure in full"
	var last store.Trial
	for t, err := range st.Trials(ctx, store.Filter{States: []store.State{store.Failed}, NoSteps: true}) {
		if err != nil {
			break
		}
		last = t
	}
	if tail := strings.TrimSpace(last.Stderr); tail != "" {
		lines := strings.Split(tail, "\n")
		lines = lines[max(0, len(lines)-10):]
		hint = "the evaluator's last words:\n    " + strings.Join(lines, "\n    ") + "\n  " + hint
	}
	return &failure{err: err, code: exitFailed, hint: hint}
}

// moveAside renames a database and whatever belongs to it.
func (a *app) moveAside(ctx context.Context, db string) error {
	if _, err := os.Stat(db); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	// Opening takes the lock, so that no running study is moved, and closing
	// merges the log into the file. A damaged file is moved as it is.
	st, err := store.Open(ctx, db)
	if errors.Is(err, store.ErrLocked) {
		return err
	}
	if err == nil {
		if err := st.Close(); err != nil {
			return err
		}
	}
	ext := filepath.Ext(db)
	aside := ""
	for i := 1; ; i++ {
		aside = fmt.Sprintf("%s.old%d%s", strings.TrimSuffix(db, ext), i, ext)
		if _, err := os.Lstat(aside); errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	for _, tail := range []string{"-wal", "-shm", ""} {
		if err := os.Rename(db+tail, aside+tail); err != nil && !(tail != "" && errors.Is(err, fs.ErrNotExist)) {
			return err
		}
	}
	if err := os.Rename(checkpointsOf(db), checkpointsOf(aside)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	a.note("the earlier trials are now in %s", aside)
	return nil
}

// writeFiles writes the trials and the front beside the database.
func (f *front) writeFiles(ctx context.Context, st store.Store, at places) error {
	all := report.Trials(st.Trials(ctx, store.Filter{NoSteps: true}))
	if err := writeFile(at.trials, func(w io.Writer) error { return report.WriteTrials(w, report.CSV, f.rec, all) }); err != nil {
		return err
	}
	if err := writeFile(at.front, func(w io.Writer) error { return f.write(w, report.CSV) }); err != nil {
		return err
	}
	return writeFile(at.frontJSON, func(w io.Writer) error { return (&app{}).writeJSON(w, f.JSON()) })
}

// An outcome is everything a run has to say at its end.
type outcome struct {
	flags    *runFlags
	arg      string
	file     *studyfile.File
	at       places
	front    *front
	res      *study.Result
	findings []problem.Finding
	before   study.Progress
	truth    *study.Truth
	took     time.Duration
	notes    []string
	exported []string // files of single designs
}

func (o *outcome) finishedBefore() bool {
	return o.before.Evaluated > 0 && o.res.Progress.Evaluated == o.before.Evaluated && o.res.Stopped != study.StopCancelled
}

func (o *outcome) print(w io.Writer) error {
	p := o.res.Progress
	fmt.Fprintln(w)
	if err := o.front.table(w, defaultRows, "all of them: "+o.at.front, nil); err != nil {
		return err
	}
	fmt.Fprintln(w)
	if a := o.res.Archive; a != nil {
		if err := writeArchive(w, a, o.file.Goal, 0); err != nil {
			return err
		}
		fmt.Fprintln(w)
	}
	if o.truth != nil {
		fmt.Fprintln(w, o.truthText())
	}
	if err := writeFindings(w, o.findings); err != nil {
		return err
	}
	if o.finishedBefore() {
		fmt.Fprintf(w, "This study is done: %s. %s\n", o.stopped(), o.more())
	} else {
		fmt.Fprintf(w, "Stopped: %s, after %s\n", o.stopped(), term.Duration(o.took))
	}
	fmt.Fprintf(w, "Trials:  %s%s\n", countsText(p.Counts), effortText(p))
	if p.Tries > 0 && 2*p.Rejected > p.Tries {
		fmt.Fprintln(w, rejectionText(p))
	}
	fmt.Fprintf(w, "Written: %s, %s, %s, %s\n", o.at.trials, filepath.Base(o.at.front), filepath.Base(o.at.frontJSON), filepath.Base(o.at.db))
	if n := int64(len(o.exported)); n > 0 {
		fmt.Fprintf(w, "Designs: %s (%s)\n", o.at.designs, term.Plural(n, "file"))
	}
	fmt.Fprintf(w, "Report:  %s (open it in a browser)\n", o.at.report)
	return nil
}

// stopped says why the run ended.
func (o *outcome) stopped() string {
	b := o.file.Budget
	switch o.res.Stopped {
	case study.StopTrials:
		return fmt.Sprintf("%s (%s)", o.res.Stopped, term.Plural(b.Trials, "trial"))
	case study.StopFull:
		return fmt.Sprintf("%s (%s)", o.res.Stopped, term.Number(b.Full))
	case study.StopTime:
		return fmt.Sprintf("%s (%s)", o.res.Stopped, term.Duration(b.Time))
	case study.StopCost:
		return fmt.Sprintf("%s (%s)", o.res.Stopped, term.Number(b.Cost))
	case study.StopNoGain:
		return fmt.Sprintf("%s in %s", o.res.Stopped, term.Plural(o.file.Stop.NoGain, "trial"))
	}
	return o.res.Stopped
}

// more says how to go on with a study that is done.
func (o *outcome) more() string {
	switch o.res.Stopped {
	case study.StopTrials:
		return fmt.Sprintf("To go on, give it more: %s --trials %d", o.flags.again(o.arg, "budget.trials"), 2*o.file.Budget.Trials)
	case study.StopFull:
		return fmt.Sprintf("To go on, give it more: %s --set budget.full=%g", o.flags.again(o.arg, "budget.full"), 2*o.file.Budget.Full)
	case study.StopTime:
		return fmt.Sprintf("To go on, give it more: %s --set budget.time=%s", o.flags.again(o.arg, "budget.time"), (2 * o.file.Budget.Time).String())
	case study.StopCost:
		return fmt.Sprintf("To go on, give it more: %s --set budget.cost=%g", o.flags.again(o.arg, "budget.cost"), 2*o.file.Budget.Cost)
	case study.StopTarget, study.StopNoGain:
		return "To go on, change stop: in the study file"
	}
	return "To start again with other trials: daedalus run " + o.arg + " --fresh --seed 1"
}

func (o *outcome) truthText() string {
	t := o.truth
	units := map[string]string{}
	var order []string
	for _, m := range slices.Concat(o.front.order(), o.front.verified) {
		units[m.Name] = m.Unit
		order = append(order, m.Name)
	}
	var regret []string
	for _, name := range order {
		if x, ok := t.Regret[name]; ok {
			regret = append(regret, name+" "+withUnit(term.Number(x), units[name]))
		}
	}
	return fmt.Sprintf("Compared with the true front, which is known: %d of its %d designs found, hypervolume %s of the possible.\nBest values short of the best possible (regret): %s",
		t.Found, t.Members, term.Percent(t.Hypervolume), strings.Join(regret, ", "))
}

// effortText says what partial evaluations came to, "" if there were none.
func effortText(p study.Progress) string {
	if p.Partial == 0 {
		return ""
	}
	return fmt.Sprintf("; %s of them measured in part, all together worth %s full evaluations", term.Int(p.Partial), term.Number(p.Full))
}

// countsText lists how many trials ended how.
func countsText(counts map[store.State]int64) string {
	var words []string
	for _, s := range slices.Sorted(maps.Keys(counts)) {
		words = append(words, term.Int(counts[s])+" "+s.String())
	}
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, ", ")
}

// JSON returns the outcome for --json.
func (o *outcome) JSON() map[string]any {
	out := o.front.JSON()
	p := o.res.Progress
	counts := map[string]int64{}
	for s, n := range p.Counts {
		counts[s.String()] = n
	}
	out["stopped"], out["done"] = o.res.Stopped, o.res.Stopped != study.StopCancelled
	out["evaluated"], out["counts"] = p.Evaluated, counts
	if p.Partial > 0 {
		out["partial"], out["full_evaluations"] = p.Partial, p.Full
	}
	out["seconds"] = p.Elapsed.Seconds()
	out["search"] = map[string]any{"method": o.file.MethodName, "reason": o.file.Reason}
	out["drawn"] = map[string]int64{"tries": p.Tries, "rejected": p.Rejected}
	out["files"] = map[string]string{"study": o.at.db, "trials": o.at.trials, "front": o.at.front, "front_json": o.at.frontJSON, "report": o.at.report}
	if len(o.exported) > 0 {
		out["exported"] = o.exported
	}
	if len(o.notes) > 0 {
		out["notes"] = o.notes
	}
	if a := o.res.Archive; a != nil {
		var elites []map[string]any
		for _, e := range a.Elites {
			elites = append(elites, map[string]any{"cell": e.Cell, "measures": e.Measures, "trial": e.Trial, "values": e.Values, "design": e.Design})
		}
		out["archive"] = map[string]any{"cells": a.Cells, "coverage": a.Coverage, "qd_score": a.QDScore, "elites": elites}
	}
	if len(o.findings) > 0 {
		out["findings"] = o.findings
	}
	if t := o.truth; t != nil {
		out["truth"] = map[string]any{"members": t.Members, "found": t.Found, "hypervolume": t.Hypervolume, "regret": t.Regret}
	}
	return out
}
