// Package studyfile reads study files: the whole question on one page of YAML.
// It turns a file into a [study.Config] and reports every mistake at once, each
// with its line, an excerpt, what was found and what was expected.
//
//	f, err := studyfile.Load("phone-net.yaml")
//	if err != nil {
//		return err // a *source.Report
//	}
//	res, err := study.Run(ctx, f.Config)
//
// The keys of a study file are the fields of [File] and [study.Config]; the
// documentation in docs/study-files.md lists them, and [Schema] describes them
// to editors.
package studyfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/daedalus-search/daedalus/catalog"
	"github.com/daedalus-search/daedalus/internal/source"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/space"
	"github.com/daedalus-search/daedalus/study"
)

// A File is a study file that was read without mistakes.
type File struct {
	study.Config
	Path      string   // where it was read from
	Text      []byte   // merged with --set, as JSON
	Problem   string   // name of the problem
	Auto      bool     // the method was chosen by us
	WarmFrom  string   // path of the study whose trials come first, "" if none
	Warnings  []string // what looks wrong but is allowed
	StorePath string   // where the trials go by default: beside the file
	Export    []string // formats in which the designs of the front are written
}

// keys of the top level, in the order in which people write them.
var topKeys = []string{
	"study", "problem", "space", "require", "objectives", "limits", "search", "budget", "stop", "prune",
	"reject", "parallel", "async", "duplicates", "seed", "enqueue", "warm_start", "export",
}

// budgetOptions are the keys of "budget".
type budgetOptions struct {
	Trials int64         `yaml:"trials" min:"1" doc:"evaluations, over all runs together; designs served from the cache are free"`
	Full   float64       `yaml:"full" min:">0" doc:"effort in full evaluations, over all runs together: a trial with a ninth of the effort counts a ninth"`
	Time   time.Duration `yaml:"time" min:">0" doc:"wall time, over all runs together"`
	Cost   float64       `yaml:"cost" min:">0" doc:"sum of the costs of the trials"`
	Metric string        `yaml:"metric" doc:"metric that is the cost of a trial; without it, its seconds of evaluation"`
}

// stopOptions are the scalar keys of "stop".
type stopOptions struct {
	NoGain   int64 `yaml:"no_gain" min:"1" doc:"stop after so many trials in a row that did not improve the front"`
	Failures int64 `yaml:"failures" default:"10" min:"-1" doc:"stop after so many failures if nothing ever succeeded; -1 means never"`
	Target   any   `yaml:"target" doc:"conditions such as accuracy >= 94; stop when one feasible design meets all of them"`
}

// curveOptions are the keys of "prune: {curve: …}".
type curveOptions struct {
	Startup int     `yaml:"startup" default:"5" min:"1" doc:"full evaluations that must finish before any trial is pruned"`
	Warmup  int     `yaml:"warmup" default:"4" min:"1" doc:"intermediate results of a trial before it can be pruned"`
	Chance  float64 `yaml:"chance" default:"0.05" min:">0" max:"<1" doc:"probability of ending better than the best below which a trial is pruned"`
	Steps   int64   `yaml:"steps" default:"0" min:"0" doc:"step at which an evaluation ends; 0 means the fidelity's max, or the largest step of a finished trial"`
}

// medianOptions are the keys of "prune: {median: …}".
type medianOptions struct {
	Startup int   `yaml:"startup" default:"5" min:"1" doc:"trials that must finish before any is pruned"`
	Warmup  int64 `yaml:"warmup" default:"0" min:"0" doc:"steps of a trial that are never pruned"`
}

// engineOptions are the keys of "problem" that the engine itself reads.
type engineOptions struct {
	Timeout time.Duration `yaml:"timeout" min:">0" doc:"longest time of one evaluation"`
	Retries int           `yaml:"retries" default:"0" min:"0" max:"1000" doc:"further attempts after a crash, a timeout or a transient failure"`
	Backoff time.Duration `yaml:"backoff" default:"1s" min:">0" doc:"wait before the first retry, doubled for each further one"`
}

// A Setting is one --set from the command line.
type Setting struct{ Path, Value string }

// Load reads a study file. Settings override what it says. The error is a
// [*source.Report] if the file has mistakes.
func Load(path string, settings ...Setting) (*File, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, text, settings...)
}

// Parse is [Load] for text that was read already.
func Parse(path string, text []byte, settings ...Setting) (*File, error) {
	root, report := source.Parse(path, text)
	if report == nil {
		report = &source.Report{}
	}
	if root == nil || report.Failed() {
		return nil, report.Err()
	}
	for _, s := range settings {
		source.Set(report, root, s.Path, s.Value)
	}
	r := reader{report: report, root: root, f: &File{Path: path, Text: root.JSON()}}
	r.read()
	if err := report.Err(); err != nil {
		return nil, err
	}
	for _, d := range report.Diagnostics() {
		r.f.Warnings = append(r.f.Warnings, d.String())
	}
	return r.f, nil
}

type reader struct {
	report *source.Report
	root   *source.Value
	f      *File
}

var studyName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

func (r *reader) read() {
	v, rep := r.root, r.report
	if _, ok := v.Map(rep); !ok {
		return
	}
	v.Fields(rep, topKeys...)
	v.Required(rep, "problem", "objectives")
	c := &r.f.Config
	c.Name = strings.TrimSuffix(filepath.Base(r.f.Path), filepath.Ext(r.f.Path))
	if n := v.Get("study"); n != nil {
		if s, ok := n.Str(rep); ok {
			if !studyName.MatchString(s) {
				r.expect(n, "letters, digits, '.', '_' and '-': it names files", "a study named %q", s)
			}
			c.Name = s
		}
	}
	r.f.StorePath = filepath.Join(filepath.Dir(r.f.Path), c.Name+".db")
	c.Checkpoints = filepath.Join(filepath.Dir(r.f.Path), c.Name+".checkpoints")
	if n := v.Get("seed"); n != nil {
		if x, ok := n.Int(rep, source.AtLeast(0)); ok {
			c.Seed = uint64(x)
		}
	}
	if n := v.Get("parallel"); n != nil {
		if x, ok := n.Int(rep, source.AtLeast(1), source.AtMost(100_000)); ok {
			c.Parallel = int(x)
		}
	}
	if n := v.Get("reject"); n != nil {
		c.Reject, _ = n.Bool(rep)
	}
	if n := v.Get("async"); n != nil {
		c.Async, _ = n.Bool(rep)
	}
	if n := v.Get("duplicates"); n != nil {
		switch w, _ := n.Word(rep, "reuse", "evaluate"); w {
		case "reuse":
			c.Duplicates = study.Reuse
		case "evaluate":
			c.Duplicates = study.Evaluate
		}
	}
	var sp *space.Space
	if n := v.Get("space"); n != nil {
		sp, _ = space.Read(n, v.Get("require"), rep)
	}
	r.problem(v.Get("problem"), sp)
	r.goal()
	r.budget()
	r.stop()
	r.prune()
	if rep.Failed() || c.Problem == nil {
		r.methodOnly()
		return
	}
	r.check()
	r.method()
	r.enqueue()
	r.export()
	if n := v.Get("warm_start"); n != nil {
		if s, ok := n.Str(rep); ok {
			r.f.WarmFrom = s
			if !filepath.IsAbs(s) {
				r.f.WarmFrom = filepath.Join(filepath.Dir(r.f.Path), s)
			}
		}
	}
}

func (r *reader) bad(at *source.Value, format string, args ...any) *source.Diagnostic {
	return r.report.Errorf(at, format, args...)
}

// expect reports a mistake together with what was expected.
func (r *reader) expect(at *source.Value, want, format string, args ...any) *source.Diagnostic {
	d := r.report.Errorf(at, format, args...)
	d.Want = want
	if want != "" {
		d.Message += "; expected " + want
	}
	return d
}

// problem reads "problem: name" or "problem: {name: options, timeout: …}".
func (r *reader) problem(v *source.Value, sp *space.Space) {
	if v == nil {
		return
	}
	var names []string
	for _, p := range catalog.Problems() {
		names = append(names, p.Name)
	}
	if v.IsScalar() {
		name, ok := v.Word(r.report, names...)
		if !ok {
			return
		}
		p, _ := catalog.FindProblem(name)
		options := p.Options()
		if _, ok := options.(catalog.Wrapper); ok {
			r.expect(v, fmt.Sprintf("problem: {%s: {of: …}}", name), "the problem %s stands for another one, which is not named", name)
			return
		}
		r.makeProblem(p, v, options, sp)
		return
	}
	entries, ok := v.Map(r.report)
	if !ok {
		return
	}
	var engine, rest []source.Entry
	var chosen *source.Entry
	for i, e := range entries {
		switch {
		case e.Name() == "timeout" || e.Name() == "retries" || e.Name() == "backoff":
			engine = append(engine, e)
		case chosen == nil && slices.Contains(names, e.Name()):
			chosen = &entries[i]
		default:
			rest = append(rest, e)
		}
	}
	if chosen == nil {
		d := r.expect(v, "one of "+strings.Join(names, ", "), "no problem is named here")
		for _, e := range rest {
			if near, ok := source.Nearest(e.Name(), names); ok {
				d.Note = fmt.Sprintf("did you mean %q instead of %q?", near, e.Name())
			}
		}
		return
	}
	var eng engineOptions
	r.decodeEntries(engine, &eng)
	r.f.Timeout, r.f.Retries, r.f.Backoff = eng.Timeout, eng.Retries, eng.Backoff
	p, _ := catalog.FindProblem(chosen.Name())
	options := p.Options()
	if p.Name == "command" {
		// The options of a command stand beside it: {command: […], metrics: …}.
		if !source.Decode(r.report, without(v, "timeout", "retries", "backoff"), options) {
			return
		}
		r.makeProblem(p, chosen.Key, options, sp)
		return
	}
	for _, e := range rest {
		want := fmt.Sprintf("options of the problem inside its own braces, %s: {%s: …}", p.Name, e.Name())
		r.expect(e.Key, want, "unknown key %q beside the problem %s", e.Name(), p.Name)
	}
	if !chosen.Value.IsNull() && !source.Decode(r.report, chosen.Value, options) {
		return
	}
	r.makeProblem(p, chosen.Key, options, sp)
}

func (r *reader) makeProblem(p catalog.Problem, at *source.Value, options any, sp *space.Space) {
	r.f.Problem = p.Name
	if w, ok := options.(catalog.Wrapper); ok {
		inner := reader{report: r.report, root: r.root, f: &File{Path: r.f.Path}}
		inner.problem(w.Inner(), sp)
		if inner.f.Config.Problem == nil {
			return // its mistakes are reported already
		}
		made, err := w.Wrap(inner.f.Config.Problem)
		r.made(at, made, err)
		return
	}
	if p.OwnSpace() {
		if !r.root.Has("space") {
			r.expect(at, "a space: section that says what may be built", "the problem %s needs a space", p.Name)
			return
		}
		if sp == nil {
			return // its mistakes are reported already
		}
	} else if n := r.root.Key("space"); n != nil {
		r.expect(n, "no space: section", "the problem %s brings its own space", p.Name)
		return
	}
	made, err := p.New(options, sp, filepath.Dir(r.f.Path))
	r.made(at, made, err)
}

// made takes a problem, or reports why there is none.
func (r *reader) made(at *source.Value, made problem.Problem, err error) {
	for _, e := range unjoin(err) {
		r.bad(at, "%v", e)
	}
	if err == nil {
		r.f.Config.Problem = made
	}
}

// goal reads objectives and limits.
func (r *reader) goal() {
	for _, v := range r.list("objectives") {
		s, ok := v.Str(r.report)
		if !ok {
			continue
		}
		o, err := metric.ParseObjective(s)
		if err != nil {
			r.goalError(v, err)
			continue
		}
		r.f.Goal.Objectives = append(r.f.Goal.Objectives, o)
	}
	r.f.Goal.Limits = r.limits("limits")
}

func (r *reader) limits(key string) (out []metric.Limit) {
	for _, v := range r.list(key) {
		out = append(out, r.limit(v)...)
	}
	return out
}

func (r *reader) limit(v *source.Value) []metric.Limit {
	s, ok := v.Str(r.report)
	if !ok {
		return nil
	}
	l, err := metric.ParseLimit(s)
	if err != nil {
		r.goalError(v, err)
		return nil
	}
	return []metric.Limit{l}
}

func (r *reader) goalError(at *source.Value, err error) {
	var g *metric.GoalError
	if errors.As(err, &g) {
		r.expect(at, g.Want, "%s", g.Found)
		return
	}
	r.bad(at, "%v", err)
}

// list returns the elements of a list; a single scalar counts as a list of one.
func (r *reader) list(key string) []*source.Value {
	v := r.root.Get(key)
	if v == nil {
		return nil
	}
	if v.IsScalar() && !v.IsNull() {
		return []*source.Value{v}
	}
	l, _ := v.List(r.report)
	return l
}

func (r *reader) budget() {
	v := r.root.Get("budget")
	if v == nil {
		return
	}
	var b budgetOptions
	if source.Decode(r.report, v, &b) {
		r.f.Budget = study.Budget{Trials: b.Trials, Full: b.Full, Time: b.Time, Cost: b.Cost, Metric: b.Metric}
	}
}

func (r *reader) stop() {
	v := r.root.Get("stop")
	if v == nil {
		return
	}
	if _, ok := v.Map(r.report); !ok {
		return
	}
	var o stopOptions
	if source.Decode(r.report, v, &o) {
		r.f.Stop.NoGain, r.f.Stop.Failures = o.NoGain, o.Failures
	}
	if t := v.Get("target"); t != nil {
		items := []*source.Value{t}
		if !t.IsScalar() {
			items, _ = t.List(r.report)
		}
		for _, x := range items {
			r.f.Stop.Target = append(r.f.Stop.Target, r.limit(x)...)
		}
	}
}

func (r *reader) prune() {
	v := r.root.Get("prune")
	if v == nil {
		return
	}
	rules := map[string]*source.Value{} // by name, with their options
	if v.IsScalar() {
		word, ok := v.Word(r.report, "median", "curve")
		if !ok {
			return
		}
		rules[word] = nil
	} else {
		entries, ok := v.Map(r.report)
		if !ok || !v.Fields(r.report, "median", "curve") {
			return
		}
		if len(entries) == 0 {
			r.expect(v, "median or curve", "no rule is named here")
			return
		}
		for _, e := range entries {
			rules[e.Name()] = e.Value
		}
	}
	decode := func(name string, into any) bool {
		o, ok := rules[name]
		if ok && (o == nil || o.IsNull()) {
			o, _ = source.Parse(r.f.Path, []byte("{}"))
		}
		return ok && source.Decode(r.report, o, into)
	}
	var m medianOptions
	if decode("median", &m) {
		r.f.Prune = &study.MedianRule{Startup: m.Startup, Warmup: m.Warmup}
	}
	var c curveOptions
	if decode("curve", &c) {
		r.f.Curve = &study.CurveRule{Startup: c.Startup, Warmup: c.Warmup, Chance: c.Chance, Steps: c.Steps}
	}
}

// check reports what only the problem and the goal together can show.
func (r *reader) check() {
	ms := r.f.Config.Problem.Metrics()
	if err := r.f.Goal.Check(ms); err != nil {
		texts := map[string]*source.Value{}
		for _, key := range []string{"objectives", "limits"} {
			for _, v := range r.list(key) {
				texts[normal(v.Text())] = v
			}
		}
		for _, e := range unjoin(err) {
			var g *metric.GoalError
			at := r.root.Key("objectives")
			if errors.As(e, &g) && texts[normal(g.Text)] != nil {
				at = texts[normal(g.Text)]
			}
			r.goalError(at, e)
		}
	}
	if n, exact := r.f.Config.Problem.Space().Count(); n != nil && exact && n.Sign() == 0 {
		at := r.root.Key("require")
		if at == nil {
			at = r.root.Key("space")
		}
		r.expect(at, "constraints that leave at least one design", "no design satisfies every constraint")
	}
	known := make([]string, len(ms))
	for i, m := range ms {
		known[i] = m.Name
	}
	named := func(at *source.Value, what, name string) {
		if name == "" || slices.Contains(known, name) {
			return
		}
		d := r.expect(at, "one of "+strings.Join(known, ", "), "%s %q is not measured", what, name)
		if near, ok := source.Nearest(name, known); ok {
			d.Note = fmt.Sprintf("did you mean %q?", near)
		}
	}
	named(r.root.Get("budget").Get("metric"), "metric", r.f.Budget.Metric)
	for _, t := range r.f.Stop.Target {
		named(r.root.Get("stop").Get("target"), "metric", t.Metric)
	}
	if _, ok := r.f.Config.Problem.(problem.Estimator); r.f.Reject && !ok {
		r.expect(r.root.Key("reject"), "a problem that knows some metrics without measuring", "reject: the problem %s estimates nothing", r.f.Problem)
	}
	if (r.f.Prune != nil || r.f.Curve != nil) && len(r.f.Goal.Objectives) != 1 {
		r.expect(r.root.Key("prune"), "one objective: pruning compares one number", "pruning with %d objectives", len(r.f.Goal.Objectives))
	}
}

// method reads "search: auto", "search: name" or "search: {name: options}".
func (r *reader) method() {
	v := r.root.Get("search")
	if v == nil || v.IsScalar() && v.Text() == "auto" {
		r.auto()
		return
	}
	row, options, ok := r.methodOptions(v)
	if !ok {
		return
	}
	r.f.Method, r.f.MethodName, r.f.Reason = options, row.Name, "asked for by the study file"
	_, err := options.New(r.f.Setup())
	for _, e := range unjoin(err) {
		r.bad(v, "%s cannot search this: %v", row.Name, e)
	}
}

// methodOnly checks the search section by itself when the rest has mistakes.
func (r *reader) methodOnly() {
	if v := r.root.Get("search"); v != nil && !(v.IsScalar() && v.Text() == "auto") {
		r.methodOptions(v)
	}
}

func (r *reader) methodOptions(v *source.Value) (row catalog.Searcher, m search.Method, ok bool) {
	names := []string{"auto"}
	for _, s := range catalog.Searchers() {
		names = append(names, s.Name)
	}
	if v.IsScalar() {
		name, ok := v.Word(r.report, names...)
		if !ok {
			return row, nil, false
		}
		row, _ = catalog.FindSearcher(name)
		m = row.Options()
		source.Defaults(m)
		return row, m, true
	}
	if _, ok := v.Map(r.report); !ok || !v.Fields(r.report, names[1:]...) {
		return row, nil, false
	}
	name, opts, ok := v.OneOf(r.report, names[1:]...)
	if !ok {
		return row, nil, false
	}
	row, _ = catalog.FindSearcher(name)
	m = row.Options()
	if opts.IsNull() {
		source.Defaults(m)
		return row, m, true
	}
	return row, m, source.Decode(r.report, opts, m)
}

func (r *reader) auto() {
	p := r.f.Config.Problem
	_, cheap := p.(problem.Batcher)
	_, noisy := p.(problem.Noisy) // or may be: a program only says so if its author thought of it
	name, m, reason := catalog.Auto(catalog.Question{
		Space: p.Space(), Objectives: len(r.f.Goal.Objectives), Trials: r.f.Budget.Trials, Parallel: r.f.Parallel, Cheap: cheap, Exact: !noisy,
	})
	r.f.Method, r.f.MethodName, r.f.Reason, r.f.Auto = m, name, reason, true
}

// enqueue reads designs that are tried first.
func (r *reader) enqueue() {
	for _, v := range r.list("enqueue") {
		d, err := r.f.Config.Problem.Space().ParseJSON(v.JSON())
		if err != nil {
			r.bad(v, "%v", err)
			continue
		}
		r.f.Enqueue = append(r.f.Enqueue, d)
	}
}

// export reads the formats in which the designs of the front are written.
func (r *reader) export() {
	formats := []string{"svg"}
	if x, ok := r.f.Config.Problem.(problem.Exporter); ok {
		formats = append(x.Formats(), formats...)
	}
	for _, v := range r.list("export") {
		if w, ok := v.Word(r.report, formats...); ok && !slices.Contains(r.f.Export, w) {
			r.f.Export = append(r.f.Export, w)
		}
	}
}

// decodeEntries decodes some entries of a map as if they were all of it.
func (r *reader) decodeEntries(entries []source.Entry, into any) {
	source.Decode(r.report, source.MapOf(r.root, entries...), into)
}

// without returns a map without some keys.
func without(v *source.Value, keys ...string) *source.Value {
	var keep []source.Entry
	entries, _ := v.Map(&source.Report{})
	for _, e := range entries {
		if !slices.Contains(keys, e.Name()) {
			keep = append(keep, e)
		}
	}
	return source.MapOf(v, keep...)
}

// unjoin splits an error made by [errors.Join].
func unjoin(err error) []error {
	if err == nil {
		return nil
	}
	if j, ok := err.(interface{ Unwrap() []error }); ok {
		var out []error
		for _, e := range j.Unwrap() {
			out = append(out, unjoin(e)...)
		}
		return out
	}
	return []error{err}
}

func normal(s string) string { return strings.Join(strings.Fields(s), " ") }
