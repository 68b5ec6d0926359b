package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/daedalus-search/daedalus/arena"
	"github.com/daedalus-search/daedalus/internal/term"
	"github.com/daedalus-search/daedalus/studyfile"
)

type compareFlags struct {
	set      []string
	out      string
	parallel int
	fresh    bool
	retry    bool
	look     bool
}

func (a *app) compareCommand() *cobra.Command {
	var c compareFlags
	cmd := &cobra.Command{
		Use:   "compare ARENA.yaml",
		Short: "Race search methods on problems, with the statistics of a fair verdict",
		Long: `Compare runs every searcher of an arena on every problem with every seed, on all
cores, and prints how they stand. Random search always takes part. Programs in
other languages can, see docs/arena.md.

Every finished run is kept in NAME.runs.jsonl beside the arena file: stop it at
any time and give the same command to continue. When options change, only the
runs that they change are made again. At the end it writes NAME.html, a page
with everything, and NAME.csv, a row a run.
Exit codes: 0 done, 1 failed, 2 a mistake in the command or the file, 130
interrupted; a searcher that breaks down is reported and no failure.`,
		Example: `  daedalus compare examples/arena-quick.yaml
  daedalus compare arena.yaml --set seeds=100 --out results
  daedalus compare arena.yaml --look                # the report again, running nothing`,
		Args: args("ARENA.yaml", 1, 1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return []string{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt
		},
		RunE: func(cmd *cobra.Command, args []string) error { return a.compare(cmd.Context(), args[0], c) },
	}
	f := cmd.Flags()
	f.StringArrayVar(&c.set, "set", nil, "override the file: PATH=VALUE, such as seeds=100; may be repeated")
	f.StringVar(&c.out, "out", "", "write the runs and the results into this folder")
	f.IntVar(&c.parallel, "parallel", 0, "runs at once; all cores by default")
	f.BoolVar(&c.fresh, "fresh", false, "start again; the old runs are moved aside, not deleted")
	f.BoolVar(&c.retry, "retry", false, "make the runs again in which a searcher broke down")
	f.BoolVar(&c.look, "look", false, "run nothing, only analyse what there is")
	return cmd
}

func (a *app) compare(ctx context.Context, path string, c compareFlags) error {
	var settings []studyfile.Setting
	words := []string{"daedalus compare", shellWord(path)}
	for _, s := range c.set {
		at, value, ok := strings.Cut(s, "=")
		if !ok {
			return usagef("for example --set seeds=100", "--set %s: no value; expected PATH=VALUE", s)
		}
		settings = append(settings, studyfile.Setting{Path: strings.TrimSpace(at), Value: value})
		words = append(words, "--set", shellWord(s))
	}
	if c.parallel < 0 {
		return usagef("", "--parallel %d; expected a number from 1", c.parallel)
	}
	f, err := arena.Load(path, settings...)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return usagef("examples/arena-quick.yaml is one to start from", "%s: no such file; expected an arena file", path)
		}
		return err
	}
	for _, w := range f.Warnings {
		a.note("%s", w)
	}
	folder := filepath.Dir(path)
	if c.out != "" {
		folder = c.out
		if err := os.MkdirAll(folder, 0o777); err != nil {
			return err
		}
		words = append(words, "--out", shellWord(c.out))
	}
	base := filepath.Join(folder, f.Name)
	journal := base + ".runs.jsonl"
	if c.fresh {
		if err := a.setAside(journal); err != nil {
			return err
		}
	}
	o := arena.Options{Journal: journal, Parallel: c.parallel, Engine: Version(), Retry: c.retry, Look: c.look}
	a.note("%s: %s, %s, %s", f.Name, term.Plural(int64(len(f.Problems)), "problem"), term.Plural(int64(len(f.Searchers)), "searcher"), term.Plural(int64(len(f.Seeds)), "seed"))
	show := newCompareProgress(a.err, f.Name)
	if !a.quiet && !c.look {
		o.Observe = show.observe
		show.start()
	}
	res, runErr := f.Run(ctx, o)
	if o.Observe != nil {
		show.stop()
	}
	if res == nil {
		return runErr
	}
	if runErr != nil && !errors.Is(runErr, context.Canceled) {
		return runErr
	}
	// What there is is analysed and written even after ctrl-C.
	an, err := arena.Analyse(context.WithoutCancel(ctx), f, res)
	if err != nil {
		return err
	}
	an.Command = strings.Join(words, " ")
	if err := a.output(base+".csv", func(w io.Writer) error { return arena.WriteCSV(w, an) }); err != nil {
		return err
	}
	if err := a.output(base+".html", func(w io.Writer) error { return arena.WriteHTML(w, an) }); err != nil {
		return err
	}
	if a.json {
		s := an.Summary()
		s["journal"], s["csv"], s["report"] = journal, base+".csv", base+".html"
		if err := a.writeJSON(a.out, s); err != nil {
			return err
		}
	} else if err := a.printArena(an); err != nil {
		return err
	}
	if !a.json {
		a.note("%s and %s: %s, %s made now", base+".html", base+".csv", term.Plural(int64(len(res.Rows)), "run"), term.Int(int64(res.Made)))
	}
	if runErr != nil {
		return &failure{err: fmt.Errorf("interrupted after %s of %s; the same command continues", term.Int(int64(len(res.Rows))), term.Plural(int64(res.Total), "run")), code: exitInterrupted}
	}
	return nil
}

// setAside renames a journal, so that nothing is lost.
func (a *app) setAside(path string) error {
	if _, err := os.Stat(path); err != nil {
		return nil
	}
	for i := 1; ; i++ {
		to := fmt.Sprintf("%s.old%d", path, i)
		if _, err := os.Stat(to); errors.Is(err, os.ErrNotExist) {
			if err := os.Rename(path, to); err != nil {
				return err
			}
			a.note("the earlier runs are in %s", to)
			return nil
		}
	}
}

// mostColumns is up to how many problems have a column on the terminal.
const mostColumns = 10

// printArena prints the standings.
func (a *app) printArena(an *arena.Analysis) error {
	var t term.Table
	t.Columns = []term.Column{{Name: "searcher"}}
	shown := an.Problems
	if len(shown) > mostColumns {
		shown = nil // the page has them
	}
	for _, v := range shown {
		t.Columns = append(t.Columns, term.Column{Name: term.Cut(v.Label, 22), Unit: v.Short(), Right: true})
	}
	t.Columns = append(t.Columns, term.Column{Name: "rank", Unit: "mean", Right: true}, term.Column{Name: "w/t/l", Unit: "random", Right: true},
		term.Column{Name: "strength", Unit: "log odds", Right: true}, term.Column{Name: "ask", Unit: "mean", Right: true}, term.Column{Name: "p95", Right: true})
	columns := make([][]string, len(shown))
	for p, v := range shown {
		xs := make([]float64, len(v.Cells))
		for i, c := range v.Cells {
			xs[i] = c.Median
		}
		columns[p] = term.Numbers(xs...)
	}
	for _, i := range an.Order() {
		s := an.Standing[i]
		row := []string{term.Cut(s.Label, 32)}
		for p := range shown {
			c := s.Cells[p]
			text := columns[p][i]
			switch {
			case c.Usable() && math.IsNaN(c.Median), c.Usable() && math.IsInf(c.Median, 0):
				text = "infeasible"
			case !c.Usable() && c.Failed > 0:
				text = "failed"
			case !c.Usable() && c.Unfit != "":
				text = "unfit"
			case c.Verdict == arena.Better:
				text += " +"
			case c.Verdict == arena.Worse:
				text += " -"
			default:
				text += "  "
			}
			row = append(row, text)
		}
		rank, wtl, strength := "-", "-", "-"
		if !math.IsNaN(s.Rank) {
			rank = fmt.Sprintf("%.2f", s.Rank)
		}
		if !s.Random {
			wtl = fmt.Sprintf("%d/%d/%d", s.Wins, s.Ties, s.Losses)
		}
		ask, p95 := "-", "-"
		if s.Fits {
			strength = fmt.Sprintf("%+.2f", s.Strength.At)
			ask, p95 = seconds(s.AskMean), seconds(s.AskP95)
		}
		t.Row(append(row, rank, wtl, strength, ask, p95)...)
	}
	if err := t.Write(a.out, 0); err != nil {
		return err
	}
	a.say("\nMedians over %s; + and - mark a shown difference from random search (Mann-Whitney, Holm, 5 %%).", term.Plural(int64(len(an.File.Seeds)), "seed"))
	a.say("%s", an.Headline())
	if r := an.Ranks; r != nil {
		a.say("Ranks over %d problems: %s (Friedman, in Iman and Davenport's form), critical difference %.2f (Nemenyi, 5 %%).", r.Problems, arena.Chance(r.PF), r.CD)
	}
	for _, l := range an.Lottery {
		a.say("Lottery on %s: the range within a searcher exceeds that between the medians for %d of %d.", l.Problem.Label, l.Wider, len(l.Sweeps))
	}
	told := map[string]bool{}
	for _, r := range an.Failures {
		line := fmt.Sprintf("failed: %s on %s: %s", r.Searcher, r.Problem, r.Reason)
		if !told[line] {
			told[line] = true
			a.say("%s", line)
		}
	}
	for _, s := range an.Standing {
		reasons := map[string]int{}
		first := ""
		for _, c := range s.Cells {
			if c.Unfit != "" {
				if first == "" {
					first = c.Unfit
				}
				reasons[c.Unfit]++
			}
		}
		if first != "" {
			a.say("unfit: %s for %s: %s", s.Label, term.Plural(int64(s.Unfit), "problem"), term.Cut(first, 160))
		}
	}
	return nil
}

// seconds formats a length of time given in seconds.
func seconds(s float64) string {
	switch {
	case s <= 0:
		return "-"
	case s < 1e-3:
		return fmt.Sprintf("%.3g µs", s*1e6)
	case s < 1:
		return fmt.Sprintf("%.3g ms", s*1e3)
	}
	return fmt.Sprintf("%.3g s", s)
}

// compareProgress shows how an arena stands: as one live line on a terminal, as
// a line every few seconds elsewhere.
type compareProgress struct {
	name string
	live *term.Live
	done chan struct{}
	wg   sync.WaitGroup

	mu   sync.Mutex
	last arena.Progress
	have bool
}

func newCompareProgress(w io.Writer, name string) *compareProgress {
	return &compareProgress{name: name, live: term.NewLive(w), done: make(chan struct{})}
}

func (g *compareProgress) observe(p arena.Progress) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.last, g.have = p, true
}

func (g *compareProgress) start() {
	g.wg.Go(func() {
		every, first := plainEvery, plainAfter
		if g.live.On() {
			every, first = liveEvery, liveEvery
		}
		timer := time.NewTimer(first)
		defer timer.Stop()
		for {
			select {
			case <-g.done:
				return
			case <-timer.C:
				timer.Reset(every)
				g.mu.Lock()
				line, have := g.line(), g.have
				g.mu.Unlock()
				switch {
				case !have:
				case g.live.On():
					g.live.Set(line)
				default:
					g.live.Print(line)
				}
			}
		}
	})
}

func (g *compareProgress) line() string {
	p := g.last
	words := []string{g.name, fmt.Sprintf("%s/%s runs", term.Int(int64(p.Done)), term.Int(int64(p.Total)))}
	if made := p.Done - p.Known; made > 0 {
		each := p.Elapsed.Seconds() / float64(made)
		words = append(words, term.Rate(1/each), "eta "+term.Duration(time.Duration(each*float64(p.Total-p.Done)*float64(time.Second))))
	}
	if p.Failed > 0 {
		words = append(words, fmt.Sprintf("%d failed", p.Failed))
	}
	if p.Last != nil {
		words = append(words, fmt.Sprintf("last %s on %s", p.Last.Searcher, p.Last.Problem))
	}
	return strings.Join(words, "  ")
}

func (g *compareProgress) stop() {
	close(g.done)
	g.wg.Wait()
	g.live.Clear()
}
