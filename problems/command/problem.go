package command

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/daedalus-search/daedalus/internal/process"
	"github.com/daedalus-search/daedalus/internal/source"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/space"
)

// Options say what to run and what it measures. A study file writes
//
//	problem:
//	  command: [python3, evaluate.py]
//	  metrics: {runtime: ms, energy: mJ, error: }
//	  timeout: 30s
type Options struct {
	// Command is the program and its arguments. A program with a slash in its
	// name is found from Dir, another one in PATH.
	Command []string `yaml:"command,required" doc:"the program and its arguments; nothing goes through a shell"`

	// Metrics is what the program prints, in the order of tables. If it is
	// empty, MetricUnits says it.
	Metrics []metric.Metric

	// MetricUnits is how a study file writes Metrics: a map from names to units.
	MetricUnits *source.Value `yaml:"metrics,required" doc:"the name of each metric that the program prints, with its unit; no unit means dimensionless"`

	// Fidelity says that the program can measure with less than the full effort;
	// nil means that it cannot.
	Fidelity *Effort `yaml:"fidelity" doc:"the program can measure with less effort than a full evaluation takes"`

	Timeout     time.Duration     `yaml:"timeout" default:"0s" min:"0s" doc:"of one evaluation; 0s means none"`                                             // 0 means none
	Dir         string            `yaml:"dir" doc:"working directory"`                                                                                      // "" means the current one
	Env         map[string]string `yaml:"env" doc:"variables added to the environment"`                                                                     // on top of this process's own
	Grace       time.Duration     `yaml:"grace" default:"2s" min:"0s" doc:"how long the program may take to end when asked to, before it is killed"`        // 0 means 2 s
	Noisy       bool              `yaml:"noisy" default:"false" doc:"the same design may give other values"`                                                // false by default
	OutputLimit int               `yaml:"output_limit" default:"1048576" min:"0" doc:"longest line or JSON object of the output that is understood, bytes"` // 0 means 1 MiB
	StderrTail  int               `yaml:"stderr_tail" default:"8192" min:"0" doc:"how much of the end of standard error is kept, bytes"`                    // 0 means 8 KiB
}

// TransientExit is the exit code by which a program says that trying again may
// help: EX_TEMPFAIL of sysexits.h.
const TransientExit = 75

// notInUnit are the characters that would end a unit in the output.
const notInUnit = " \t\r\n,;"

// badName says why a name cannot be that of a metric, or nothing.
func badName(name string) string {
	switch {
	case name == "step" || name == "infeasible":
		return fmt.Sprintf("found a metric named %q, want another name: this one has a meaning in the output", name)
	case !isName(name):
		return fmt.Sprintf("found a metric named %q, want letters, digits and _ . - / %% @, starting with a letter or _", name)
	}
	return ""
}

// Problem runs a program for every evaluation.
type Problem struct {
	options Options
	space   *space.Space
	env     []string
}

var (
	_ problem.Problem   = (*Problem)(nil)
	_ problem.Noisy     = (*Problem)(nil)
	_ problem.Resumer   = (*Problem)(nil)
	_ problem.Describer = (*Problem)(nil)
)

// New makes the problem, or reports everything that is wrong with the options.
// It does not look for the program; see [Problem.Check].
func New(s *space.Space, o Options) (*Problem, error) {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("command: "+format, args...)) }
	if s == nil {
		bad("found no space, want what may be built")
	}
	if len(o.Command) == 0 || o.Command[0] == "" {
		bad("found no program, want its name and its arguments, such as [python3, evaluate.py]")
	}
	for _, a := range o.Command {
		if strings.ContainsRune(a, 0) {
			bad("found the argument %q, want text without zero bytes", a)
		}
	}
	if len(o.Metrics) == 0 && o.MetricUnits != nil {
		var err error
		if o.Metrics, err = ReadMetrics(o.MetricUnits); err != nil {
			return nil, errors.Join(append(errs, err)...)
		}
	}
	if len(o.Metrics) == 0 {
		bad("found no metrics, want at least one name with its unit, such as {runtime: ms}")
	}
	for i, m := range o.Metrics {
		switch why := badName(m.Name); {
		case why != "":
			bad("%s", why)
		case slices.ContainsFunc(o.Metrics[:i], func(n metric.Metric) bool { return n.Name == m.Name }):
			bad("found the metric %q twice, want different names", m.Name)
		}
		if strings.ContainsAny(m.Unit, notInUnit) {
			bad("found the unit %q of %s, want one word", m.Unit, m.Name)
		}
	}
	for _, err := range o.Fidelity.Check(s, o.Metrics) {
		bad("%w", err)
	}
	env := make([]string, 0, len(o.Env))
	for _, name := range slices.Sorted(maps.Keys(o.Env)) {
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.ContainsRune(o.Env[name], 0) {
			bad("found the variable %q = %q in the environment, want a name without = and no zero bytes", name, o.Env[name])
		}
		env = append(env, name+"="+o.Env[name])
	}
	if o.Timeout < 0 || o.Grace < 0 || o.OutputLimit < 0 || o.StderrTail < 0 {
		bad("found timeout %v, grace %v, output limit %d and stderr tail %d, want none of them negative", o.Timeout, o.Grace, o.OutputLimit, o.StderrTail)
	}
	if o.Dir == "" {
		o.Dir = "."
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		bad("working directory: %w", err)
	}
	o.Dir = dir
	if o.Grace == 0 {
		o.Grace = 2 * time.Second
	}
	if o.OutputLimit == 0 {
		o.OutputLimit = 1 << 20
	}
	if o.StderrTail == 0 {
		o.StderrTail = 8 << 10
	}
	o.Command, o.Metrics = slices.Clone(o.Command), slices.Clone(o.Metrics)
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return &Problem{options: o, space: s, env: env}, nil
}

// ReadMetrics reads a map from the names of metrics to their units, as study
// files write it.
func ReadMetrics(v *source.Value) ([]metric.Metric, error) {
	var r source.Report
	entries, _ := v.Map(&r)
	ms := make([]metric.Metric, 0, len(entries))
	for _, e := range entries {
		m := metric.Metric{Name: e.Name()}
		if why := badName(m.Name); why != "" {
			r.Errorf(e.Key, "metrics: %s", why)
		}
		if !e.Value.IsNull() {
			m.Unit, _ = e.Value.Str(&r)
		}
		ms = append(ms, m)
	}
	return ms, r.Err()
}

// Space returns what may be built.
func (p *Problem) Space() *space.Space { return p.space }

// Metrics returns what the program prints.
func (p *Problem) Metrics() []metric.Metric { return slices.Clone(p.options.Metrics) }

// Noisy reports whether the options say so.
func (p *Problem) Noisy() bool { return p.options.Noisy }

// Describe says what one evaluation runs.
func (p *Problem) Describe() string {
	return fmt.Sprintf("runs %s in %s", commandLine(p.options.Command), strconv.Quote(p.options.Dir))
}

// commandLine shows a command on one line.
func commandLine(args []string) string {
	words := make([]string, len(args))
	for i, a := range args {
		words[i] = a
		if a == "" || strings.ContainsFunc(a, func(r rune) bool { return r <= ' ' || r == '"' || r == '\'' || r == 0x7f }) {
			words[i] = strconv.Quote(a)
		}
	}
	return strings.Join(words, " ")
}

// Check says whether the program can be started, without starting it.
func (p *Problem) Check() error {
	_, err := p.find()
	return err
}

// own returns the design as one of this problem's space.
func (p *Problem) own(d space.Design) (space.Design, error) {
	if d.Space() == p.space {
		return d, nil
	}
	own, err := p.space.FromMap(d.Map())
	if err != nil {
		return d, &problem.EvalError{Class: problem.ClassPermanent, Err: fmt.Errorf("command: the design belongs to another space: %w", err)}
	}
	return own, nil
}

// Evaluate runs the program on one design. Failures are [*problem.EvalError].
func (p *Problem) Evaluate(ctx context.Context, d space.Design, r problem.Reporter) (metric.Values, error) {
	return p.evaluate(ctx, d, 0, 1, r)
}

// evaluate runs the program with a share of the effort, going on from another
// share if that is above 0.
func (p *Problem) evaluate(ctx context.Context, d space.Design, from, share float64, r problem.Reporter) (metric.Values, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d, err := p.own(d)
	if err != nil {
		return nil, err
	}
	path, err := p.find()
	if err != nil {
		return nil, err
	}
	text := d.AppendJSON(nil)
	var env []string
	if f := p.Fidelity(); f.Graded() {
		text = withAmount(text, f.Name, f.Amount(share))
		env = append(env, prefix+"FIDELITY="+amount(f.Amount(share)))
		if from > 0 {
			env = append(env, prefix+"RESUME_FROM="+amount(f.Amount(from)))
		}
		if t, ok := problem.TrialOf(ctx); ok && t.Checkpoint != "" {
			env = append(env, prefix+"CHECKPOINT="+t.Checkpoint)
		}
	}
	file, err := designFile(text)
	if err != nil {
		return nil, &problem.EvalError{Class: problem.ClassTransient, Err: fmt.Errorf("command: cannot write the design to a file: %w", err)}
	}
	defer func() {
		_ = file.Close()
		_ = os.Remove(file.Name())
	}()
	out := &output{metrics: p.options.Metrics, limit: p.options.OutputLimit}
	if r != nil {
		out.report = r.Report
	}
	end := p.run(ctx, path, file, env, out)
	return p.judge(end, out)
}

// designFile writes the design to a temporary file and returns it, to be read
// from its start. It is standard input too: a file, unlike a pipe, never blocks
// the one who writes, nor fails when nobody reads.
func designFile(text []byte) (*os.File, error) {
	f, err := os.CreateTemp("", "daedalus-design-*.json")
	if err != nil {
		return nil, err
	}
	if _, err = f.Write(append(text, '\n')); err == nil {
		_, err = f.Seek(0, 0)
	}
	if err != nil {
		_ = f.Close()
		_ = os.Remove(f.Name())
		return nil, err
	}
	return f, nil
}

// prefix begins the names of our variables in the environment.
const prefix = "DAEDALUS_"

// environment returns the program's environment.
func (p *Problem) environment(ctx context.Context, design string, more []string) []string {
	ours := append([]string{prefix + "DESIGN=" + design}, more...)
	if t, ok := problem.TrialOf(ctx); ok {
		ours = append(ours,
			prefix+"STUDY="+t.Study,
			prefix+"TRIAL="+strconv.FormatInt(t.Number, 10),
			prefix+"ATTEMPT="+strconv.Itoa(t.Attempt),
			prefix+"SEED="+strconv.FormatUint(t.Seed, 10))
	}
	// What an outer study told this process is not about this trial.
	env := slices.DeleteFunc(os.Environ(), func(e string) bool {
		name, _, _ := strings.Cut(e, "=")
		switch strings.TrimPrefix(name, prefix) {
		case "DESIGN", "STUDY", "TRIAL", "ATTEMPT", "SEED", "FIDELITY", "RESUME_FROM", "CHECKPOINT":
			return strings.HasPrefix(name, prefix)
		}
		return false
	})
	return slices.Concat(env, p.env, ours)
}

// judge turns the end of a program into values or a failure.
func (p *Problem) judge(end ending, out *output) (metric.Values, error) {
	fail := func(class problem.Class, code int, err error) (metric.Values, error) {
		return nil, &problem.EvalError{
			Class: class, ExitCode: code, Stderr: end.stderr,
			Err: fmt.Errorf("%s: %w", commandLine(p.options.Command), err),
		}
	}
	how := "" // it ended after we asked it to
	switch {
	case end.abandoned:
		how = ", and it could not be killed"
	case end.forced:
		how = fmt.Sprintf(", and it had to be killed because it did not end within %v", p.options.Grace)
	}
	switch {
	case end.start != nil:
		return fail(startClass(end.start), 0, fmt.Errorf("cannot be started: %w", end.start))
	case errors.Is(end.cause, problem.ErrPruned):
		return nil, problem.ErrPruned
	case errors.Is(end.cause, errTimeout):
		return fail(problem.ClassTimeout, 0, fmt.Errorf("no result after %v%s", p.options.Timeout, how))
	case errors.Is(end.cause, context.DeadlineExceeded):
		return fail(problem.ClassTimeout, 0, fmt.Errorf("no result in time%s: %w", how, end.cause))
	case errors.Is(end.cause, errOutput):
		return fail(problem.ClassOutput, 0, fmt.Errorf("%w%s", end.cause, how))
	case end.cause != nil: // cancelled, or the reporter's own error
		return nil, fmt.Errorf("%s: ended%s: %w", commandLine(p.options.Command), how, end.cause)
	case end.wait != nil:
		return fail(problem.ClassCrash, 0, end.wait)
	}
	if signal := process.SignalOf(end.state); signal != "" {
		return fail(problem.ClassCrash, 0, fmt.Errorf("died by signal %s%s", signal, lastWords(end.stderr)))
	}
	code := end.state.ExitCode()
	if out.infeasible != nil {
		return nil, &problem.InfeasibleError{Reason: *out.infeasible}
	}
	switch code {
	case 0:
	case TransientExit:
		return fail(problem.ClassTransient, code, fmt.Errorf("exit code %d, which means that trying again may help%s", code, lastWords(end.stderr)))
	default:
		return fail(problem.ClassCrash, code, fmt.Errorf("exit code %d%s", code, lastWords(end.stderr)))
	}
	values, err := out.values()
	if err != nil {
		return fail(problem.ClassOutput, 0, err)
	}
	return values, nil
}

// lastWords returns the last line of standard error for a message.
func lastWords(stderr string) string {
	s := strings.TrimSpace(stderr)
	if s == "" {
		return ""
	}
	return ": " + shorten(s[strings.LastIndexByte(s, '\n')+1:])
}

// shorten cuts text for a message.
func shorten(s string) string {
	const most = 200
	s = strings.TrimSpace(s)
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// find returns the path of the program.
func (p *Problem) find() (string, error) {
	name := p.options.Command[0]
	fail := func(err error) (string, error) {
		return "", &problem.EvalError{Class: problem.ClassPermanent, Err: fmt.Errorf("command: %w", err)}
	}
	if info, err := os.Stat(p.options.Dir); err != nil {
		return fail(fmt.Errorf("working directory: %w", err))
	} else if !info.IsDir() {
		return fail(fmt.Errorf("working directory %s: found a file", p.options.Dir))
	}
	if !strings.ContainsRune(name, '/') && (runtime.GOOS != "windows" || !strings.ContainsAny(name, `\:`)) {
		return lookUp(name, p.options.Dir, p.env, fail)
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(p.options.Dir, name)
	}
	return lookUp(name, p.options.Dir, p.env, fail)
}

// finite reports whether x is a number.
func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
