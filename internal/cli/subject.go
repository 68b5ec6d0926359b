package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/store"
	"github.com/daedalus-search/daedalus/study"
	"github.com/daedalus-search/daedalus/studyfile"
)

// A subject is what a STUDY argument names: a study file, or the database that
// belongs to one.
type subject struct {
	arg  string
	file *studyfile.File // nil if a database was named
	db   string          // path of the database, which may not exist yet
}

// subject finds a study.
func (a *app) subject(arg string, settings ...studyfile.Setting) (*subject, error) {
	info, err := os.Stat(arg)
	switch {
	case errors.Is(err, os.ErrNotExist):
		hint := "`daedalus init` writes a study file to start from"
		if strings.EqualFold(filepath.Ext(arg), ".db") {
			hint = "`daedalus run STUDY.yaml` makes it"
		}
		for _, ext := range []string{".yaml", ".yml", ".db"} {
			if _, err := os.Stat(arg + ext); err == nil {
				hint = "did you mean " + arg + ext + "?"
			}
		}
		return nil, usagef(hint, "%s: no such file", arg)
	case err != nil:
		return nil, usagef("", "%v", err)
	case info.IsDir():
		return nil, usagef("name the study file in it", "%s is a folder; expected a study file", arg)
	}
	isDB, err := isDatabase(arg)
	if err != nil {
		return nil, usagef("", "%v", err)
	}
	if isDB {
		if len(settings) > 0 {
			return nil, usagef("name the study file instead", "--set with a database: what it holds was settled when it ran")
		}
		return &subject{arg: arg, db: arg}, nil
	}
	f, err := studyfile.Load(arg, settings...)
	if err != nil {
		return nil, err
	}
	return &subject{arg: arg, file: f, db: f.StorePath}, nil
}

// isDatabase tells a database from a study file by its first bytes, or by its
// name if it has none.
func isDatabase(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	var head [16]byte
	n, err := io.ReadFull(f, head[:])
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false, err
	}
	return bytes.HasPrefix(head[:n], []byte("SQLite format 3")) || strings.EqualFold(filepath.Ext(path), ".db"), nil
}

// A reading is a study opened to be looked at.
type reading struct {
	*store.SQLite
	rec  store.Study
	file *studyfile.File // as it was run; nil if a program made the study
	goal metric.Goal     // zero if file is nil
	why  error           // why file is nil though the study has a specification

	subject *subject // what the user named
}

// read opens the database of a subject. Other processes may be writing to it.
func (a *app) read(ctx context.Context, s *subject) (*reading, error) {
	if _, err := os.Stat(s.db); errors.Is(err, os.ErrNotExist) {
		return nil, failf("`daedalus run "+s.arg+"` starts it", "%s: there are no trials yet", s.db)
	}
	st, err := store.OpenRead(ctx, s.db)
	if err != nil {
		return nil, err
	}
	r := &reading{SQLite: st, subject: s}
	if r.rec, err = st.Study(ctx); err != nil {
		st.Close()
		return nil, err
	}
	if len(r.rec.Spec) > 0 {
		// The specification as it was run counts: trials were scored by it.
		r.file, r.why = studyfile.Parse(s.db, r.rec.Spec)
		if r.why == nil {
			r.goal = r.file.Goal
			keep(r.file.Config.Problem, s.db)
		} else {
			r.goal = goalOf(r.rec.Spec)
		}
	}
	return r, nil
}

// goalOf reads only the goal of a specification, for one that this version
// cannot read in full.
func goalOf(spec []byte) metric.Goal {
	var s struct {
		Objectives, Limits []string
	}
	var g metric.Goal
	if json.Unmarshal(spec, &s) != nil {
		return g
	}
	for _, text := range s.Objectives {
		o, err := metric.ParseObjective(text)
		if err != nil {
			return metric.Goal{}
		}
		g.Objectives = append(g.Objectives, o)
	}
	for _, text := range s.Limits {
		l, err := metric.ParseLimit(text)
		if err != nil {
			return metric.Goal{}
		}
		g.Limits = append(g.Limits, l)
	}
	return g
}

// metrics returns what the study measures.
func (r *reading) metrics() []metric.Metric {
	var ms []metric.Metric
	if json.Unmarshal(r.rec.Metrics, &ms) != nil {
		return nil
	}
	return ms
}

// look opens the database of the study that an argument names.
func (a *app) look(ctx context.Context, arg string) (*reading, error) {
	s, err := a.subject(arg)
	if err != nil {
		return nil, err
	}
	return a.read(ctx, s)
}

// trial reads one trial of the study that the user calls arg.
func (r *reading) trial(ctx context.Context, arg string, number int64) (store.Trial, error) {
	t, err := r.Trial(ctx, number)
	if errors.Is(err, store.ErrNotFound) {
		return t, failf("`daedalus trials "+arg+"` lists them", "%s has no trial %d", arg, number)
	}
	return t, err
}

// open opens the database of a study file for writing, or creates it.
func (a *app) open(ctx context.Context, f *studyfile.File, db string) (*store.SQLite, error) {
	if _, err := os.Stat(db); err == nil {
		return store.Open(ctx, db)
	}
	if err := os.MkdirAll(filepath.Dir(db), 0o777); err != nil {
		return nil, err
	}
	st, err := store.Create(ctx, db, store.Study{Name: f.Name, Seed: f.Seed})
	if errors.Is(err, store.ErrExists) { // another process was faster
		return store.Open(ctx, db)
	}
	return st, err
}

// lockPatience is how long ask, tell and enqueue wait for each other.
const lockPatience = 10 * time.Second

// drive opens a study for one short call, waiting for other such calls to end,
// and closes everything afterwards.
func (a *app) drive(ctx context.Context, arg string, do func(*study.Study) error) (err error) {
	s, err := a.subject(arg)
	if err != nil {
		return err
	}
	if s.file == nil {
		return usagef("name the study file beside it", "%s is a database", arg)
	}
	st, err := a.open(ctx, s.file, s.db)
	for deadline := time.Now().Add(lockPatience); errors.Is(err, store.ErrLocked) && time.Now().Before(deadline); {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
		st, err = a.open(ctx, s.file, s.db)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	cfg, err := a.config(ctx, s.file)
	if err != nil {
		return err
	}
	cfg.Store = st
	x, err := study.Open(ctx, cfg)
	if err != nil {
		return err
	}
	for _, n := range x.Notes() {
		a.note("note: %s", n)
	}
	defer func() { err = errors.Join(err, x.Close(ctx)) }()
	return do(x)
}

// config completes the configuration of a study file.
func (a *app) config(ctx context.Context, f *studyfile.File) (study.Config, error) {
	for _, w := range f.Warnings {
		a.note("%s", w)
	}
	cfg := f.Config
	cfg.Spec, cfg.Version = f.Text, Version()
	if f.WarmFrom == "" {
		return cfg, nil
	}
	s, err := a.subject(f.WarmFrom)
	if err != nil {
		return cfg, fmt.Errorf("warm_start: %w", err)
	}
	r, err := a.read(ctx, s)
	if err != nil {
		return cfg, fmt.Errorf("warm_start: %w", err)
	}
	defer r.Close()
	for t, err := range r.Trials(ctx, store.Filter{States: []store.State{store.Complete}, NoSteps: true}) {
		if err != nil {
			return cfg, fmt.Errorf("warm_start: %w", err)
		}
		cfg.WarmStart = append(cfg.WarmStart, t)
	}
	return cfg, nil
}
