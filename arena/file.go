package arena

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
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
	"github.com/daedalus-search/daedalus/studyfile"
)

// A File is an arena that was read without mistakes.
type File struct {
	Name      string
	Path      string // where it was read from
	Problems  []Problem
	Searchers []Searcher // random search is among them
	Seeds     []uint64
	Time      time.Duration // of one run; 0 means no bound
	Free      bool          // repeated designs do not use up the budget
	Parallel  int           // runs at once; 0 means all cores
	Lottery   *Lottery      // nil for none
	Warnings  []string
}

// A Problem is a problem with its goal and its budget.
type Problem struct {
	Label    string
	Problem  problem.Problem
	Goal     metric.Goal
	Trials   int64
	Measures []Measure // of a quality-diversity problem
	Floor    float64   // the objective from which quality-diversity counts

	id       []byte        // everything that the outcome of a run depends on, as JSON
	measures *source.Value // as written
}

// A Measure is one axis of the behaviour space of a quality-diversity problem.
type Measure struct {
	Metric string  `yaml:"metric,required" json:"metric" doc:"name of a metric of the problem"`
	Low    float64 `yaml:"low" json:"low" doc:"where the first cell begins"`
	High   float64 `yaml:"high" json:"high" doc:"where the last cell ends; values beyond count to the nearest cell"`
	Cells  int     `yaml:"cells" json:"cells" default:"10" min:"1" max:"100000" doc:"equal parts of the range"`
}

// A Searcher takes part: a method of the catalog with its options, or a program.
type Searcher struct {
	Label string
	Name  string // in the catalog; "" for a program
	Peer  *Peer  // nil for a method of the catalog

	text *source.Value // the method as a study file would name it
	path string
}

// A Lottery sweeps the searchers' own options: how much of a result is the
// method, and how much is its settings (Krishnan et al., "ArchGym", 2023).
type Lottery struct {
	Problems []string // labels
	Seeds    []uint64
	Settings map[string][]Setting // by label of the searcher; its default is not among them
}

// A Setting is one point of a sweep.
type Setting struct {
	Text     string // its options as JSON
	searcher Searcher
}

// RandomName is the method that is in every arena.
const RandomName = "random"

var topKeys = []string{"arena", "problems", "searchers", "seeds", "budget", "parallel", "lottery"}

// budgetOptions are the keys of "budget".
type budgetOptions struct {
	Trials  int64         `yaml:"trials" min:"1" max:"100000000" doc:"evaluations of one run"`
	Time    time.Duration `yaml:"time" min:">0" doc:"wall time of one run; what was found by then counts"`
	Repeats string        `yaml:"repeats" default:"count" oneof:"count free" doc:"whether a design that was measured before uses up the budget (count) or not (free); it is answered from memory either way"`
}

// problemKeys stand beside a problem of an arena.
var problemKeys = []string{"label", "study", "problem", "objectives", "limits", "space", "require", "budget", "measures", "floor"}

// Load reads an arena file. The error is a [*source.Report] if it has mistakes.
func Load(path string, settings ...studyfile.Setting) (*File, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, text, settings...)
}

// Parse is [Load] for text that was read already.
func Parse(path string, text []byte, settings ...studyfile.Setting) (*File, error) {
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
	r := reader{report: report, root: root, f: &File{Path: path, Name: strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))}}
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
	trials int64
}

var fileName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// expect reports a mistake together with what was expected.
func (r *reader) expect(at *source.Value, want, format string, args ...any) *source.Diagnostic {
	d := r.report.Errorf(at, format, args...)
	d.Want = want
	if want != "" {
		d.Message += "; expected " + want
	}
	return d
}

func (r *reader) read() {
	v, rep := r.root, r.report
	if _, ok := v.Map(rep); !ok {
		return
	}
	v.Fields(rep, topKeys...)
	v.Required(rep, "problems", "searchers")
	if n := v.Get("arena"); n != nil {
		if s, ok := n.Str(rep); ok {
			if !fileName.MatchString(s) {
				r.expect(n, "letters, digits, '.', '_' and '-': it names files", "an arena named %q", s)
			}
			r.f.Name = s
		}
	}
	if n := v.Get("parallel"); n != nil {
		if x, ok := n.Int(rep, source.AtLeast(1), source.AtMost(10_000)); ok {
			r.f.Parallel = int(x)
		}
	}
	b := r.budget(v.Get("budget"), 0)
	r.trials, r.f.Time, r.f.Free = b.Trials, b.Time, b.Repeats == "free"
	r.f.Seeds = r.seeds(v.Get("seeds"), 20)
	r.problems(v.Get("problems"))
	r.searchers(v.Get("searchers"))
	if rep.Failed() {
		return
	}
	r.applies()
	r.lottery(v.Get("lottery"))
}

func (r *reader) budget(v *source.Value, trials int64) budgetOptions {
	b := budgetOptions{Trials: trials, Repeats: "count"}
	if v != nil {
		source.Decode(r.report, v, &b)
		if b.Trials == 0 {
			b.Trials = trials
		}
	}
	return b
}

// seeds reads a number of seeds, from 1 on, or a list of them.
func (r *reader) seeds(v *source.Value, fallback int) (out []uint64) {
	count := func(n int) {
		for i := range n {
			out = append(out, uint64(i+1))
		}
	}
	switch {
	case v == nil:
		count(fallback)
	case v.IsScalar():
		if n, ok := v.Int(r.report, source.AtLeast(1), source.AtMost(100_000)); ok {
			count(int(n))
		}
	default:
		list, _ := v.List(r.report)
		for _, x := range list {
			n, ok := x.Int(r.report, source.AtLeast(0))
			if ok && slices.Contains(out, uint64(n)) {
				r.expect(x, "every seed once", "seed %d a second time", n)
			}
			out = append(out, uint64(n))
		}
		if len(list) == 0 {
			r.expect(v, "at least one seed", "no seeds")
		}
	}
	return out
}

// items are the elements of a list; one alone counts as a list of one.
func (r *reader) items(v *source.Value) []*source.Value {
	if v == nil || v.IsNull() {
		return nil
	}
	if v.Kind() != source.List {
		return []*source.Value{v}
	}
	list, _ := v.List(r.report)
	return list
}

func (r *reader) problems(v *source.Value) {
	if v == nil {
		return
	}
	places := map[string]*source.Value{}
	for _, x := range r.items(v) {
		p, ok := r.problem(x)
		if !ok {
			continue
		}
		if places[p.Label] != nil {
			r.expect(x, "a label: of its own", "a second problem labelled %q, as in line %d", p.Label, places[p.Label].Line())
		}
		places[p.Label] = x
		r.f.Problems = append(r.f.Problems, p)
	}
	if len(r.items(v)) == 0 {
		r.expect(v, "a list of problems", "no problems")
	}
}

// problem reads a name, {NAME: options, label: …}, {problem: …, objectives: …}
// or {study: FILE}.
func (r *reader) problem(v *source.Value) (p Problem, ok bool) {
	if v.IsScalar() {
		entries := []source.Entry{{Key: r.word("problem"), Value: v}}
		return r.question(v, source.MapOf(v, entries...), v.Text())
	}
	entries, ok := v.Map(r.report)
	if !ok {
		return p, false
	}
	if v.Has("study") {
		return r.study(v)
	}
	var question, chosen []source.Entry
	label := ""
	for _, e := range entries {
		switch name := e.Name(); {
		case slices.Contains([]string{"objectives", "limits", "space", "require", "problem"}, name):
			question = append(question, e)
			if name == "problem" {
				label = describe(e.Value)
			}
		case slices.Contains(problemKeys, name):
		default:
			chosen = append(chosen, e)
		}
	}
	switch {
	case v.Has("problem") && len(chosen) > 0:
		v.Fields(r.report, problemKeys...)
		return p, false
	case !v.Has("problem"):
		if len(chosen) == 0 {
			r.expect(v, "problem:, study: or the name of a problem", "no problem is named here")
			return p, false
		}
		// The problem's name stands among our own keys.
		at := source.MapOf(chosen[0].Key, chosen...)
		question = append(question, source.Entry{Key: r.word("problem"), Value: at})
		label = describe(at)
	}
	return r.question(v, source.MapOf(v, question...), label)
}

// word makes a key that stands in no file.
func (r *reader) word(name string) *source.Value {
	v, _ := source.Parse(r.f.Path, []byte(name))
	return v
}

// describe names a problem or a searcher by what was written about it.
func describe(v *source.Value) string {
	if v.IsScalar() {
		return v.Text()
	}
	entries, _ := v.Map(new(source.Report))
	var words []string
	for _, e := range entries {
		word := e.Name()
		if opts := e.Value; opts.Kind() == source.Map {
			inner, _ := opts.Map(new(source.Report))
			for _, o := range inner {
				if o.Value.IsScalar() {
					word += " " + o.Name() + "=" + o.Value.Text()
				}
			}
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

// question reads a problem that is described here.
func (r *reader) question(v, root *source.Value, label string) (p Problem, ok bool) {
	f := studyfile.Read(r.f.Path, root, r.report)
	if f == nil {
		return p, false
	}
	p = Problem{Label: label, Problem: f.Config.Problem, Goal: f.Goal}
	return r.finish(v, p, root.Get("problem").JSON())
}

// study reads {study: FILE}, whose search and budget do not matter here.
func (r *reader) study(v *source.Value) (p Problem, ok bool) {
	v.Fields(r.report, "study", "label", "budget", "measures", "floor")
	name, ok := v.Get("study").Str(r.report)
	if !ok {
		return p, false
	}
	f, err := studyfile.Load(studyfile.Beside(r.f.Path, name))
	if err != nil {
		var mistakes *source.Report
		if errors.As(err, &mistakes) {
			r.report.Merge(mistakes)
		} else {
			r.expect(v.Get("study"), "a study file", "%v", err)
		}
		return p, false
	}
	if f.Problem == "external" {
		r.expect(v.Get("study"), "a problem that can be evaluated", "%s is evaluated elsewhere", name)
		return p, false
	}
	whole, _ := source.Parse(f.Path, f.Text)
	p = Problem{Label: f.Name, Problem: f.Config.Problem, Goal: f.Goal, Trials: f.Budget.Trials}
	return r.finish(v, p, whole.Get("problem").JSON())
}

// finish reads what an arena says about any problem.
func (r *reader) finish(v *source.Value, p Problem, id []byte) (Problem, bool) {
	if n := v.Get("label"); n != nil {
		p.Label, _ = n.Str(r.report)
	}
	own := v.Get("budget")
	trials := r.trials
	if trials == 0 {
		trials = p.Trials
	}
	if own != nil && !own.Fields(r.report, "trials") {
		return p, false
	}
	p.Trials = r.budget(own, trials).Trials
	if p.Trials == 0 {
		p.Trials = 100
	}
	if m := v.Get("measures"); m != nil && !r.measures(m, &p) {
		return p, false
	}
	if n := v.Get("floor"); n != nil {
		p.Floor, _ = n.Float(r.report)
	}
	spaceJSON, err := json.Marshal(p.Problem.Space())
	if err != nil {
		r.report.Errorf(v, "its space: %v", err)
		return p, false
	}
	p.id, err = json.Marshal(map[string]any{
		"problem": json.RawMessage(id), "space": json.RawMessage(spaceJSON), "goal": p.Goal, "measures": p.Measures, "floor": p.Floor,
	})
	if err != nil {
		r.report.Errorf(v, "%v", err)
		return p, false
	}
	return p, true
}

// measures reads the axes of a behaviour space.
func (r *reader) measures(v *source.Value, p *Problem) bool {
	list, ok := v.List(r.report)
	if !ok {
		return false
	}
	names := make([]string, 0, len(p.Problem.Metrics()))
	for _, m := range p.Problem.Metrics() {
		names = append(names, m.Name)
	}
	cells := 1
	for _, x := range list {
		var m Measure
		if !source.Decode(r.report, x, &m) {
			ok = false
			continue
		}
		if !slices.Contains(names, m.Metric) {
			d := r.expect(x.Get("metric"), "one of "+strings.Join(names, ", "), "metric %q is not measured", m.Metric)
			if near, ok := source.Nearest(m.Metric, names); ok {
				d.Note = fmt.Sprintf("did you mean %q?", near)
			}
			ok = false
		}
		if !(m.Low < m.High) {
			r.expect(x, "low below high", "a range from %v to %v", m.Low, m.High)
			ok = false
		}
		cells *= m.Cells
		if cells > 1<<24 {
			r.expect(v, "at most 16,777,216 cells", "more cells than that")
			return false
		}
		p.Measures = append(p.Measures, m)
	}
	if len(list) == 0 {
		r.expect(v, "at least one measure", "no measures")
		return false
	}
	if len(p.Goal.Objectives) != 1 {
		r.expect(v, "one objective: every cell keeps its best design", "measures with %d objectives", len(p.Goal.Objectives))
		return false
	}
	p.measures = v
	return ok
}

func (r *reader) searchers(v *source.Value) {
	if v == nil {
		return
	}
	places := map[string]*source.Value{}
	for _, x := range r.items(v) {
		s, ok := r.searcher(x)
		if !ok {
			continue
		}
		if places[s.Label] != nil {
			r.expect(x, "a label: of its own", "a second searcher labelled %q, as in line %d", s.Label, places[s.Label].Line())
		}
		places[s.Label] = x
		r.f.Searchers = append(r.f.Searchers, s)
	}
	for _, s := range r.f.Searchers {
		if s.Name == RandomName {
			return
		}
	}
	if at := places[RandomName]; at != nil {
		r.expect(at, "another label", "a searcher labelled %q that is not random search", RandomName)
	}
	random := Searcher{Label: RandomName, Name: RandomName, text: r.word(RandomName), path: r.f.Path}
	r.f.Searchers = slices.Insert(r.f.Searchers, 0, random)
}

// searcher reads a name, {NAME: options, label: …} or {peer: {command: …}}.
func (r *reader) searcher(v *source.Value) (s Searcher, ok bool) {
	s = Searcher{text: v, path: r.f.Path}
	if !v.IsScalar() {
		entries, ok := v.Map(r.report)
		if !ok {
			return s, false
		}
		var rest []source.Entry
		for _, e := range entries {
			if e.Name() == "label" {
				s.Label, _ = e.Value.Str(r.report)
				continue
			}
			rest = append(rest, e)
		}
		if v.Has("peer") {
			if !v.Fields(r.report, "peer", "label") {
				return s, false
			}
			s.Peer, ok = r.peer(v.Get("peer"))
			if s.Label == "" && ok {
				s.Label = filepath.Base(s.Peer.Command[len(s.Peer.Command)-1])
			}
			return s, ok
		}
		s.text = source.MapOf(v, rest...)
	}
	if s.Label == "" {
		s.Label = describe(s.text)
	}
	if v.IsScalar() && v.Text() == "auto" {
		s.Name = "auto"
		return s, true
	}
	s.Name, ok = r.named(v, s.text)
	return s, ok
}

// named checks a method by itself and returns its name.
func (r *reader) named(at, text *source.Value) (string, bool) {
	own := new(source.Report)
	row, _, ok := studyfile.ReadMethod(r.f.Path, r.measured(text), own)
	r.report.Merge(own)
	if !ok && !own.Failed() {
		r.expect(at, "a search method", "nothing that names one")
	}
	return row.Name, ok
}

// measured is a method that has the measures of the first problem with some.
func (r *reader) measured(text *source.Value) *source.Value {
	for _, p := range r.f.Problems {
		if p.measures != nil {
			return withMeasures(text, p.measures)
		}
	}
	return text
}

// withMeasures gives a method that needs measures those of a problem, unless it
// was given its own.
func withMeasures(text, measures *source.Value) *source.Value {
	name := text.Text()
	var options []source.Entry
	if !text.IsScalar() {
		entries, _ := text.Map(new(source.Report))
		if len(entries) != 1 {
			return text
		}
		name = entries[0].Name()
		options, _ = entries[0].Value.Map(new(source.Report))
	}
	row, err := catalog.FindSearcher(name)
	if err != nil || !slices.ContainsFunc(source.Describe(row.Options()), func(f source.Field) bool { return f.Name == "measures" }) {
		return text
	}
	if slices.ContainsFunc(options, func(e source.Entry) bool { return e.Name() == "measures" }) {
		return text
	}
	key, _ := source.Parse("measures", []byte("measures"))
	keyed, _ := source.Parse("method", []byte(name))
	all := source.MapOf(text, append(slices.Clone(options), source.Entry{Key: key, Value: measures})...)
	return source.MapOf(text, source.Entry{Key: keyed, Value: all})
}

// Method returns what a searcher does on a problem with its options, or why it
// cannot take part. The setup is what the run will give it.
func (s *Searcher) Method(p *Problem, setup search.Setup) (name string, m search.Method, err error) {
	if s.Name == "auto" {
		// A race counts evaluations as if each were dear, whatever stands in for it.
		_, noisy := p.Problem.(problem.Noisy)
		name, m, _ = catalog.Auto(catalog.Question{
			Space: p.Problem.Space(), Objectives: len(p.Goal.Objectives), Trials: p.Trials, Parallel: 1, Exact: !noisy,
		})
	} else {
		text := s.text
		if p.measures != nil {
			text = withMeasures(text, p.measures)
		}
		own := new(source.Report)
		row, method, ok := studyfile.ReadMethod(s.path, text, own)
		if !ok {
			var words []string
			for _, d := range own.Diagnostics() {
				words = append(words, d.Message)
			}
			return s.Name, nil, errors.New(strings.Join(words, "; "))
		}
		name, m = row.Name, method
	}
	if _, err := m.New(p.adapt(setup, m)); err != nil {
		return name, nil, err
	}
	return name, m, nil
}

// setup is what a run tells a searcher about the question.
func (p *Problem) setup(seed uint64) search.Setup {
	s := search.Setup{
		Space: p.Problem.Space(), Objectives: len(p.Goal.Objectives), Limits: len(p.Goal.Limits) > 0,
		Seed: seed, Budget: p.Trials, Parallel: 1,
	}
	if c, ok := p.Problem.(problem.Canonical); ok {
		s.Key = c.Key
	}
	if s.Fidelity = problem.FidelityOf(p.Problem); s.Fidelity.Graded() {
		s.Effort = float64(p.Trials)
	}
	s.Admit = p.admit()
	return s
}

// adapt makes a setup one for a method that needs partial evaluations: its
// budget is effort and no number of trials.
func (p *Problem) adapt(setup search.Setup, m search.Method) search.Setup {
	if setup.Fidelity.Graded() {
		full := setup
		full.Fidelity, full.Effort = problem.Fidelity{}, 0
		if _, err := m.New(full); err != nil {
			setup.Budget = 0
		}
	}
	return setup
}

// admit says by what the problem knows for free whether a design can keep the
// limits; nil if it knows nothing.
func (p *Problem) admit() func(space.Design) bool {
	e, ok := p.Problem.(problem.Estimator)
	if !ok {
		return nil
	}
	return func(d space.Design) bool {
		v, err := e.Estimate(d)
		var not *problem.InfeasibleError
		if errors.As(err, &not) {
			return false
		}
		for _, l := range p.Goal.Limits {
			if x, ok := v[l.Metric]; ok && l.Soft == 0 && l.Violation(x) > 0 {
				return false
			}
		}
		return true
	}
}

// applies refuses searchers that can search none of the problems.
func (r *reader) applies() {
	for i := range r.f.Searchers {
		s := &r.f.Searchers[i]
		if s.Peer != nil {
			continue
		}
		var why error
		for j := range r.f.Problems {
			p := &r.f.Problems[j]
			if _, _, why = s.Method(p, p.setup(1)); why == nil {
				break
			}
		}
		if why != nil {
			r.expect(s.text, "a method for at least one of the problems", "%s cannot search any of them: %v", s.Label, why)
		}
	}
}

// id is everything about a searcher that the outcome of a run depends on.
func (s *Searcher) id(p *Problem) ([]byte, error) {
	if s.Peer != nil {
		return s.Peer.id()
	}
	name, m, err := s.Method(p, p.setup(1))
	if err != nil {
		return json.Marshal(map[string]any{"method": name, "cannot": err.Error()})
	}
	return json.Marshal(map[string]any{"method": name, "options": m})
}

// identity is the name of a run in the journal: a hash of all that its outcome
// depends on, except for the version of the engine.
func (f *File) identity(p *Problem, searcher []byte, seed uint64) string {
	text, err := json.Marshal(map[string]any{
		"format": journalFormat, "problem": json.RawMessage(p.id), "searcher": json.RawMessage(searcher),
		"seed": seed, "trials": p.Trials, "free": f.Free, "time": f.Time,
	})
	if err != nil {
		panic("arena: " + err.Error()) // all of it is JSON already
	}
	h := sha256.Sum256(text)
	return hex.EncodeToString(h[:12])
}
