package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/daedalus-search/daedalus/internal/term"
	"github.com/daedalus-search/daedalus/space"
	"github.com/daedalus-search/daedalus/store"
	"github.com/daedalus-search/daedalus/study"
)

func (a *app) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor STUDY",
		Short: "Check the file of a study, and rescue what a damaged one still holds",
		Long: `Doctor checks the database of a study: every record against its checksum, every
design against the space, every score against the goal, and the log of the
search method's decisions by making them again. It changes nothing in the file
and may be used while the study runs.

If the file is damaged it copies every trial that is whole to NAME.rescued.db.
Exit codes: 0 healthy, 1 something is wrong.`,
		Example: `  daedalus doctor phone-net.yaml
  daedalus doctor phone-net.db --json`,
		Args:              args("STUDY", 1, 1),
		ValidArgsFunction: completeStudy,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.subject(args[0])
			if err != nil {
				return err
			}
			c := a.examine(cmd.Context(), s)
			if a.json {
				if err := a.writeJSON(a.out, map[string]any{"file": s.db, "healthy": c.healthy(), "checks": c.list, "advice": c.advice}); err != nil {
					return err
				}
			} else {
				for _, x := range c.list {
					mark := "ok     "
					if !x.OK {
						mark = "WRONG  "
						if x.Warning {
							mark = "note   "
						}
					}
					a.say("%s%s", mark, x.Name+suffix(x.Found))
				}
				if c.advice != "" {
					a.say("\n%s", c.advice)
				}
			}
			if !c.healthy() {
				return &failure{err: errors.New("the study is not healthy"), code: exitFailed, quiet: true}
			}
			return nil
		},
	}
}

func suffix(found string) string {
	if found == "" {
		return ""
	}
	return ": " + strings.ReplaceAll(found, "\n", "\n         ")
}

// A check is one question that doctor asked.
type check struct {
	Name    string `json:"name"`
	OK      bool   `json:"ok"`
	Warning bool   `json:"warning,omitempty"` // not OK, but harmless
	Found   string `json:"found,omitempty"`
}

type checkup struct {
	list   []check
	advice string
}

func (c *checkup) healthy() bool {
	return !slices.ContainsFunc(c.list, func(x check) bool { return !x.OK && !x.Warning })
}

func (c *checkup) ok(name, found string) {
	c.list = append(c.list, check{Name: name, OK: true, Found: found})
}

func (c *checkup) wrong(name string, err error) {
	c.list = append(c.list, check{Name: name, Found: strings.TrimSpace(err.Error())})
}

func (c *checkup) note(name, found string) {
	c.list = append(c.list, check{Name: name, Warning: true, Found: found})
}

// examine runs all checks that the state of the file allows.
func (a *app) examine(ctx context.Context, s *subject) *checkup {
	c := &checkup{}
	r, err := a.read(ctx, s)
	if err != nil {
		c.wrong("the file opens", err)
		a.rescue(ctx, c, s.db, err)
		return c
	}
	defer r.Close()
	c.ok("the file opens", fmt.Sprintf("study %s, %s, written by %s", r.rec.Name, or(r.rec.Status, "not started"), or(r.rec.Engine, "an unknown version")))
	if err := r.Check(ctx); err != nil {
		c.wrong("records and checksums", err)
		a.rescue(ctx, c, s.db, err)
		return c
	}
	counts, err := r.Count(ctx)
	if err != nil {
		c.wrong("records and checksums", err)
		return c
	}
	c.ok("records and checksums", countsText(counts))

	sp, err := space.Parse("the space in "+filepath.Base(s.db), r.rec.Space)
	switch {
	case len(r.rec.Space) == 0:
		c.note("designs belong to the space", "the study has no space yet")
	case err != nil:
		c.wrong("designs belong to the space", err)
	default:
		checkDesigns(ctx, c, r, sp)
	}
	switch {
	case r.why != nil:
		c.note("scores agree with the goal", "not checked: the study file in the database cannot be read by this version: "+strings.TrimSpace(r.why.Error()))
	case r.file == nil:
		c.note("scores agree with the goal", "not checked: the study was made by a program, not by a study file")
	default:
		checkScores(ctx, c, r)
		checkReplay(ctx, c, r)
	}
	if !c.healthy() && c.advice == "" {
		c.advice = "The trials themselves are whole; `daedalus trials " + s.arg + " --format csv` exports them. Please report this with the file."
	}
	return c
}

// atMost collects the first few of many mistakes.
type atMost struct {
	errs []error
	n    int
}

func (m *atMost) add(err error) {
	if m.n++; m.n <= 5 {
		m.errs = append(m.errs, err)
	}
}

func (m *atMost) err() error {
	if m.n > len(m.errs) {
		return errors.Join(append(m.errs, fmt.Errorf("and %d more", m.n-len(m.errs)))...)
	}
	return errors.Join(m.errs...)
}

func checkDesigns(ctx context.Context, c *checkup, r *reading, sp *space.Space) {
	const name = "designs belong to the space"
	var bad atMost
	n := int64(0)
	for t, err := range r.Trials(ctx, store.Filter{NoSteps: true}) {
		if err != nil {
			c.wrong(name, err)
			return
		}
		n++
		d, err := sp.ParseJSON(t.Design)
		switch {
		case err != nil:
			bad.add(fmt.Errorf("trial %d: %w", t.Number, err))
		case t.Hash != [16]byte{} && t.Hash != [16]byte(d.Hash()):
			bad.add(fmt.Errorf("trial %d: its hash is %x, but its design has %s", t.Number, t.Hash, d.Hash()))
		}
	}
	if err := bad.err(); err != nil {
		c.wrong(name, err)
		return
	}
	c.ok(name, term.Plural(n, "design"))
}

func checkScores(ctx context.Context, c *checkup, r *reading) {
	const name = "scores agree with the goal"
	var bad atMost
	n := int64(0)
	for t, err := range r.Trials(ctx, store.Filter{States: []store.State{store.Complete, store.Cached}, NoSteps: true}) {
		if err != nil {
			c.wrong(name, err)
			return
		}
		n++
		s := r.goal.Score(t.Values)
		if t.Partial() && len(t.Loss) == 0 {
			continue // has values only
		}
		if slices.Equal(s.Loss, t.Loss) && s.Violation == t.Violation {
			continue
		}
		bad.add(fmt.Errorf("trial %d: it was scored %v (violation %v), but its values give %v (violation %v)", t.Number, t.Loss, t.Violation, s.Loss, s.Violation))
	}
	if err := bad.err(); err != nil {
		c.wrong(name, err)
		return
	}
	c.ok(name, term.Plural(n, "score"))
}

// unwritable lets a study be opened without changing its store.
type unwritable struct{ store.Store }

func (unwritable) SaveStudy(context.Context, store.Study) error { return nil }
func (unwritable) Save(context.Context, ...store.Trial) error   { return store.ErrReadOnly }

func checkReplay(ctx context.Context, c *checkup, r *reading) {
	const name = "the search method repeats its decisions"
	last, err := r.MaxNumber(ctx)
	if err != nil {
		c.wrong(name, err)
		return
	}
	if last < 0 {
		c.ok(name, "none yet")
		return
	}
	cfg := r.file.Config
	cfg.Store = unwritable{r}
	x, err := study.Open(ctx, cfg)
	if err != nil {
		c.wrong(name, err)
		return
	}
	if notes := x.Notes(); len(notes) > 0 {
		c.note(name, strings.Join(notes, "\n")+"\nThe trials are whole; continuing starts a new searcher that is told all of them")
		return
	}
	c.ok(name, r.file.MethodName+", continuing will go on exactly as if it had never stopped")
}

// rescue saves what is left of a damaged file.
func (a *app) rescue(ctx context.Context, c *checkup, db string, err error) {
	var format *store.FormatError
	var version *store.VersionError
	switch {
	case errors.As(err, &version), errors.Is(err, store.ErrLocked):
		return
	case errors.As(err, &format) && !format.Damaged:
		if _, e := os.Stat(db + "-wal"); e != nil {
			c.advice = "Is it the right file? If it was a study once, its first bytes are damaged beyond repair; take a backup."
		}
	case errors.Is(err, fs.ErrNotExist), ctx.Err() != nil:
		return
	}
	if _, e := os.Stat(db); e != nil {
		return
	}
	ext := filepath.Ext(db)
	to := strings.TrimSuffix(db, ext) + ".rescued" + ext
	if _, e := os.Stat(to); e == nil {
		c.advice = to + " exists already, probably rescued before. Move it away to rescue again."
		return
	}
	got, e := store.Salvage(ctx, db, to)
	if e != nil {
		_ = os.Remove(to)
		if c.advice == "" {
			c.advice = "Nothing could be rescued: " + e.Error()
		}
		return
	}
	c.advice = fmt.Sprintf("Rescued %s to %s; %d lost. The damaged file is as it was.\nTo go on: move %s away, rename %s to it, and run the study again.",
		term.Plural(got.Kept, "trial"), to, len(got.Lost), filepath.Base(db), filepath.Base(to))
}
