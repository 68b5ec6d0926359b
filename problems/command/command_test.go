package command

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/daedalus-search/daedalus/internal/source"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/problem/problemtest"
	"github.com/daedalus-search/daedalus/space"
)

// The test binary is also the evaluator: with this variable it plays the
// program of that name instead of running tests.
const play = "COMMAND_TEST_PLAY"

func TestMain(m *testing.M) {
	if name := os.Getenv(play); name != "" {
		programs[name]()
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func forever() { time.Sleep(time.Hour) }

// child starts the test binary as another program, which keeps standard output
// and error open.
func child(name string, attr *syscall.SysProcAttr) *exec.Cmd {
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), play+"="+name)
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	c.SysProcAttr = attr
	if err := c.Start(); err != nil {
		panic(err)
	}
	return c
}

var programs = map[string]func(){
	"square": func() {
		var d struct{ X int }
		if err := json.NewDecoder(os.Stdin).Decode(&d); err != nil {
			panic(err)
		}
		fmt.Printf("runtime=%d\n", d.X*d.X)
	},
	"steps": func() {
		var d struct{ X int }
		if err := json.NewDecoder(os.Stdin).Decode(&d); err != nil {
			panic(err)
		}
		for step := 1; step <= 3; step++ {
			fmt.Printf("step=%d runtime=%d\n", step, 100-step)
		}
		fmt.Printf("runtime=%d\n", d.X)
	},
	"train": train,
	"print": func() { fmt.Print(os.Getenv("TEXT")) },
	"file": func() {
		b, err := os.ReadFile(os.Getenv("DAEDALUS_DESIGN"))
		if err != nil {
			panic(err)
		}
		stdin, err := io.ReadAll(os.Stdin)
		if err != nil || string(b) != string(stdin) {
			panic(fmt.Sprintf("%q and %q, error %v", b, stdin, err))
		}
		fmt.Fprintln(os.Stderr, os.Getenv("DAEDALUS_DESIGN"))
		fmt.Fprintln(os.Stderr, strings.Join([]string{os.Getenv("DAEDALUS_STUDY"), os.Getenv("DAEDALUS_TRIAL"), os.Getenv("DAEDALUS_ATTEMPT"), os.Getenv("DAEDALUS_SEED"), os.Getenv("EXTRA")}, "|"))
		dir, err := os.Getwd()
		if err != nil {
			panic(err)
		}
		fmt.Fprintln(os.Stderr, dir)
		os.Exit(3)
	},
	"exit": func() {
		fmt.Fprintln(os.Stderr, "first\nlast words")
		fmt.Print(os.Getenv("TEXT"))
		code, err := strconv.Atoi(os.Getenv("CODE"))
		if err != nil {
			panic(err)
		}
		os.Exit(code)
	},
	"hang": forever,
	"stubborn": func() {
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("step=1 runtime=1")
		forever()
	},
	"polite": func() {
		c := make(chan os.Signal, 1)
		signal.Notify(c, syscall.SIGTERM)
		fmt.Println("step=1 runtime=1")
		<-c
		fmt.Fprintln(os.Stderr, "tidied up")
	},
	"close stdin": func() {
		os.Stdin.Close()
		fmt.Println("runtime=1")
	},
	"fork": func() { // leaves a child that holds standard output open
		c := child("hang", nil)
		fmt.Fprintln(os.Stderr, c.Process.Pid)
		fmt.Println("runtime=1")
	},
	"fork and hang": func() {
		c := child("stubborn child", nil)
		fmt.Fprintln(os.Stderr, c.Process.Pid)
		forever()
	},
	"stubborn child": func() {
		signal.Ignore(syscall.SIGTERM)
		forever()
	},
	"flood": func() {
		w := bufio.NewWriterSize(os.Stdout, 1<<16)
		e := bufio.NewWriterSize(os.Stderr, 1<<16)
		for i := range 300_000 {
			fmt.Fprintf(w, "log line %d: x=%d\n", i, i)
			fmt.Fprintf(e, "error line %d\n", i)
		}
		fmt.Fprintln(w, "runtime=1")
		w.Flush()
		e.Flush()
	},
	"flood forever": func() {
		line := []byte(strings.Repeat("y\n", 1<<15))
		for {
			if _, err := os.Stdout.Write(line); err != nil {
				return
			}
		}
	},
	"huge line": func() {
		w := bufio.NewWriter(os.Stdout)
		for range 3 << 20 {
			w.WriteByte('=')
		}
		w.WriteString("\nruntime=1\n")
		w.Flush()
	},
	"slow": func() {
		for _, s := range []string{"st", "ep=1 run", "time=0.5", "\nstep=2 runtime=0.", "25\nrun", "time", "=0.1"} {
			fmt.Print(s)
			time.Sleep(20 * time.Millisecond)
		}
	},
	"signal": func() {
		p, err := os.FindProcess(os.Getpid())
		if err != nil {
			panic(err)
		}
		fmt.Println("runtime=1")
		if err := p.Signal(syscall.SIGKILL); err != nil {
			panic(err)
		}
		forever()
	},
	"announce": func() {
		fmt.Println("step=1 runtime=1")
		forever()
	},
}

var testSpace = space.MustNew(space.Int("x", 0, 99))

func design(t testing.TB) space.Design {
	t.Helper()
	d, err := testSpace.ParseJSON([]byte(`{"x": 7}`))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// newPlay makes a problem whose evaluator is one of the programs above.
func newPlay(t testing.TB, name string, more ...func(*Options)) *Problem {
	t.Helper()
	if programs[name] == nil {
		t.Fatalf("no program %q", name)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o := Options{
		Command: []string{self}, Metrics: []metric.Metric{{Name: "runtime", Unit: "ms"}},
		Timeout: time.Minute,
		// A race detector sleeps a second at exit unless told not to.
		Env: map[string]string{play: name, "GORACE": "atexit_sleep_ms=0"},
	}
	for _, f := range more {
		f(&o)
	}
	p, err := New(testSpace, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func env(name, value string) func(*Options) { return func(o *Options) { o.Env[name] = value } }

func timeout(d time.Duration) func(*Options) { return func(o *Options) { o.Timeout = d } }
func grace(d time.Duration) func(*Options)   { return func(o *Options) { o.Grace = d } }

// evalError returns the EvalError of an evaluation that must fail.
func evalError(t testing.TB, p *Problem, ctx context.Context, r problem.Reporter) *problem.EvalError {
	t.Helper()
	v, err := p.Evaluate(ctx, design(t), r)
	var e *problem.EvalError
	if !errors.As(err, &e) {
		t.Fatalf("Evaluate = %v, %v, want an EvalError", v, err)
	}
	return e
}

func TestConformance(t *testing.T) {
	t.Parallel()
	problemtest.Run(t, newPlay(t, "square"))
	problemtest.Run(t, newPlay(t, "steps"))
}

func TestProgramIsTold(t *testing.T) {
	t.Setenv("DAEDALUS_TRIAL", "of an outer study")
	dir := t.TempDir()
	p := newPlay(t, "file", env("EXTRA", "more words"), func(o *Options) { o.Dir = dir })
	e := evalError(t, p, t.Context(), nil)
	lines := strings.Split(strings.TrimSpace(e.Stderr), "\n")
	if len(lines) != 3 || lines[1] != "||||more words" {
		t.Fatalf("without a trial: %q", e.Stderr)
	}
	if _, err := os.Stat(strings.TrimSpace(lines[0])); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the design file %s is still there (error %v)", lines[0], err)
	}
	if got, want := resolve(t, strings.TrimSpace(lines[2])), resolve(t, dir); got != want {
		t.Errorf("working directory %s, want %s", got, want)
	}
	ctx := problem.WithTrial(t.Context(), problem.Trial{Study: "s", Number: 12, Attempt: 2, Seed: 1<<64 - 1})
	if e := evalError(t, p, ctx, nil); !strings.Contains(e.Stderr, "s|12|2|18446744073709551615|more words") {
		t.Errorf("with a trial: %q", e.Stderr)
	}
	if e.ExitCode != 3 || e.Class != problem.ClassCrash {
		t.Errorf("exit code %d, class %s", e.ExitCode, e.Class)
	}
}

func resolve(t *testing.T, path string) string {
	t.Helper()
	p, err := filepath.EvalSymlinks(path)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Everything a program may print, in one table.
func TestOutput(t *testing.T) {
	t.Parallel()
	two := []metric.Metric{{Name: "runtime", Unit: "ms"}, {Name: "error"}}
	both := metric.Values{"runtime": 1.5, "error": 2}
	for name, c := range map[string]struct {
		text   string
		values metric.Values // nil if it must fail
		want   []string      // words of the error
	}{
		"json":                 {`{"runtime": 1.5, "error": 2}`, both, nil},
		"json line in a log":   {"starting\n{\"runtime\": 1.5, \"error\": 2}\ndone\n", both, nil},
		"pretty":               {"log\n{\n  \"runtime\": 1.5,\n  \"more\": {\"a\": [1,\n 2]},\n  \"error\": 2\n}\n", both, nil},
		"pretty after a brace": {"{\nnot json\n{\n  \"runtime\": 1.5,\n  \"error\": 2\n}\n", both, nil},
		"brace in a log":       {"{\nruntime=1.5\nerror=2\n", both, nil},
		"open object in a log": {"{\"a\": 1,\n\"b\"\nruntime=1.5\nerror=2\n", both, nil},
		"last object":          {"{\"runtime\": 9, \"error\": 9}\n{\"runtime\": 1.5, \"error\": 2}\n{\"other\": 1}\n", both, nil},
		"string with braces":   {`{"note": "}{\"", "runtime": 1.5, "error": 2}`, both, nil},
		"pairs":                {"runtime=1.5\nerror=2\n", both, nil},
		"colons":               {"runtime: 1.5\nerror : 2\n", both, nil},
		"one line":             {"runtime=1.5 error=2", both, nil},
		"commas":               {"runtime = 1.5, error = 2;", both, nil},
		"unit":                 {"runtime: 1.5 ms\nerror: 2\n", both, nil},
		"unit, one line":       {"runtime=1.5 ms, error=2\n", both, nil},
		"both ways":            {"runtime=1.5\n{\"error\": 2}\n", both, nil},
		"said twice":           {"runtime=1.5 error=2\nruntime=1.5\n", both, nil},
		"windows":              {"runtime=1.5\r\nerror=2\r\n", both, nil},
		"progress bar":         {"  1%\r 50%\r100%\rruntime=1.5\nerror=2", both, nil},
		"extra names":          {"runtime=1.5 error=2 other=3\nfoo=bar\n", both, nil},
		"time stamps":          {"12:30:05 INFO: x=1\nruntime=1.5\nerror=2\n", both, nil},
		"exponent":             {"runtime=15e-1\nerror=+2\n", both, nil},

		"nothing":           {"", nil, []string{"runtime (ms), error (dimensionless)", "printed nothing", "runtime=1.5"}},
		"garbage":           {"\x00\xff\xfe\n%%%\n", nil, []string{"found no value of runtime", "2 lines", "%%%"}},
		"one missing":       {"runtime=1\n", nil, []string{"found no value of error"}},
		"misspelt":          {"runtme=1 error=2\n", nil, []string{`runtime (ms) (found "runtme")`}},
		"NaN":               {"runtime=NaN error=2\n", nil, []string{"runtime: found NaN, want a finite number"}},
		"NaN of python":     {`{"runtime": NaN, "error": -Infinity}`, nil, []string{"runtime: found NaN", "error: found -Infinity"}},
		"too large":         {`{"runtime": 1e999, "error": 2}`, nil, []string{"found 1e999"}},
		"text":              {"runtime=fast error=2\n", nil, []string{`runtime: found "fast", want a number`}},
		"json text":         {`{"runtime": "1.5", "error": 2}`, nil, []string{`found the text "1.5", want a number`}},
		"json null":         {`{"runtime": null, "error": 2}`, nil, []string{"found null, want a number"}},
		"json list":         {`{"runtime": [1], "error": 2}`, nil, []string{"found a list"}},
		"nothing after":     {"runtime=\nerror=2\n", nil, []string{"runtime: found nothing, want a number"}},
		"other unit":        {"runtime=1.5 s\nerror=2\n", nil, []string{`found the unit "s", want ms`}},
		"unit of none":      {"runtime=1.5\nerror=2 %\n", nil, []string{`found the unit "%", want dimensionless`}},
		"twice":             {"runtime=1 error=2\nruntime=3\n", nil, []string{"runtime: found two values, 1 and 3"}},
		"twice in one":      {`{"runtime": 1, "error": 2, "runtime": 3}`, nil, []string{"runtime: found two values, 1 and 3"}},
		"object and pair":   {"runtime=1\n{\"runtime\": 3, \"error\": 2}\n", nil, []string{"runtime: found 3 in the JSON object and 1 in a line of pairs"}},
		"only steps":        {"step=1 runtime=1 error=1\nstep=2 runtime=1 error=1\n", nil, []string{"step 2 has runtime", "without a step"}},
		"step 0":            {"step=0 runtime=1\nruntime=1.5 error=2\n", nil, []string{"found the step 0, want a whole number from 1 on"}},
		"steps fall":        {"step=2 runtime=1\nstep=2 runtime=1\nruntime=1.5 error=2\n", nil, []string{"found step 2 after step 2"}},
		"half a step":       {`{"step": 1.5}`, nil, []string{"found the step 1.5"}},
		"step unit":         {"step=1 runtime=1 s\n", nil, []string{`step 1: runtime: found the unit "s", want ms`}},
		"nested metrics":    {`{"metrics": {"runtime": 1.5, "error": 2}}`, nil, []string{"ignored the names metrics"}},
		"two objects":       {`{"runtime": 1.5, "error": 2} {"runtime": 1}`, nil, []string{"found no value of runtime"}},
		"not the only word": {"result runtime=1.5 error=2\n", nil, []string{`the last of 1 lines is "result runtime=1.5 error=2"`}},
		"infeasible number": {`{"infeasible": 3}`, nil, []string{"want the reason as text"}},
	} {
		for _, size := range []int{1, 7, 1 << 20} { // however it is cut into pieces
			o := &output{metrics: two, limit: 1 << 10}
			values, err := feed(o, c.text, size)
			if diff := cmp.Diff(c.values, values); diff != "" {
				t.Errorf("%s: values (-want +got, error %v):\n%s", name, err, diff)
			}
			for _, w := range c.want {
				if err == nil || !strings.Contains(err.Error(), w) {
					t.Errorf("%s: error %v, want %q in it", name, err, w)
				}
			}
		}
	}
}

// feed reads text in pieces.
func feed(o *output, text string, size int) (metric.Values, error) {
	for piece := range slices.Chunk([]byte(text), size) {
		if _, err := o.Write(piece); err != nil {
			return nil, err
		}
	}
	if err := o.finish(); err != nil {
		return nil, err
	}
	return o.values()
}

func TestOutputInfeasible(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"infeasible: too big = bad, really\n": "too big = bad, really",
		"infeasible=too big":                  "too big",
		`{"infeasible": "too big"}`:           "too big",
		`{"infeasible": true}`:                "the program gave no reason",
		"infeasible:\n":                       "the program gave no reason",
	} {
		o := &output{metrics: []metric.Metric{{Name: "runtime"}}, limit: 1 << 10}
		_, _ = feed(o, text, 3)
		if o.infeasible == nil || *o.infeasible != want {
			t.Errorf("%q: %v, want %q", text, o.infeasible, want)
		}
	}
	o := &output{metrics: []metric.Metric{{Name: "runtime"}}, limit: 1 << 10}
	if v, err := feed(o, `{"infeasible": false, "runtime": 1}`, 99); o.infeasible != nil || v["runtime"] != 1 {
		t.Errorf("infeasible false: %v, %v", v, err)
	}
}

// Memory stays bounded whatever is printed.
func TestOutputIsBounded(t *testing.T) {
	t.Parallel()
	for name, line := range map[string]string{
		"one line":    strings.Repeat("runtime=", 100),
		"open object": "{\"a\": [\n\"x\",\n",
		"names":       "",
	} {
		o := &output{metrics: []metric.Metric{{Name: "runtime"}}, limit: 1 << 10}
		for i := range 5000 {
			s := line
			if name == "names" {
				s = fmt.Sprintf("name%d=%d\n", i, i)
			}
			if _, err := o.Write([]byte(s)); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if n := cap(o.line) + cap(o.object.text) + 100*len(o.unknown) + 100*len(o.bad); n > 16<<10 {
			t.Errorf("%s: keeps %d bytes", name, n)
		}
	}
}

// Without newlines between, pieces do not matter; nothing panics; what is
// returned is complete and finite.
func FuzzOutput(f *testing.F) {
	for _, s := range []string{
		"runtime=1.5 error=2", "{\n\"runtime\": 1,\n\"error\": NaN}\n", "step=1 runtime=2\nruntime: 1 ms\n",
		"infeasible: x\n", "{\"a\":\n{\n}\n", "runtime=1,,;error==2",
	} {
		f.Add(s, uint8(3))
	}
	f.Fuzz(func(t *testing.T, text string, size uint8) {
		ms := []metric.Metric{{Name: "runtime", Unit: "ms"}, {Name: "error"}}
		whole := &output{metrics: ms, limit: 64}
		v, err := feed(whole, text, max(len(text), 1))
		cut := &output{metrics: ms, limit: 64}
		w, err2 := feed(cut, text, int(size)+1)
		if !maps.Equal(v, w) || fmt.Sprint(err) != fmt.Sprint(err2) {
			t.Errorf("whole: %v, %v; in pieces of %d: %v, %v", v, err, int(size)+1, w, err2)
		}
		if err == nil && (len(v) != 2 || !finite(v["runtime"]) || !finite(v["error"])) {
			t.Errorf("values %v without an error", v)
		}
	})
}

// A reporter records steps, and ends the program at a step.
type reporter struct {
	mu    sync.Mutex
	got   []metric.Values
	prune int64
	err   error
	first chan struct{} // closed at the first report
}

func (r *reporter) Report(step int64, v metric.Values) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, v)
	if r.first != nil && len(r.got) == 1 {
		close(r.first)
	}
	if step == r.prune {
		return r.err
	}
	return nil
}

func TestIntermediateResults(t *testing.T) {
	t.Parallel()
	r := &reporter{}
	v, err := newPlay(t, "slow").Evaluate(t.Context(), design(t), r)
	if err != nil || v["runtime"] != 0.1 {
		t.Fatalf("Evaluate = %v, %v", v, err)
	}
	if diff := cmp.Diff([]metric.Values{{"runtime": 0.5}, {"runtime": 0.25}}, r.got); diff != "" {
		t.Errorf("reports (-want +got):\n%s", diff)
	}
}

func TestPrunedProgramIsEnded(t *testing.T) {
	t.Parallel()
	start := time.Now()
	v, err := newPlay(t, "announce").Evaluate(t.Context(), design(t), &reporter{prune: 1, err: problem.ErrPruned})
	if !errors.Is(err, problem.ErrPruned) || v != nil {
		t.Errorf("Evaluate = %v, %v, want ErrPruned", v, err)
	}
	if d := time.Since(start); d > 20*time.Second {
		t.Errorf("took %v", d)
	}
	broken := errors.New("disk full")
	if _, err := newPlay(t, "announce").Evaluate(t.Context(), design(t), &reporter{prune: 1, err: broken}); !errors.Is(err, broken) {
		t.Errorf("Evaluate = %v, want the reporter's error", err)
	}
}

// An error in an intermediate result ends the program too.
func TestBadStepEndsTheProgram(t *testing.T) {
	t.Parallel()
	p := newPlay(t, "print", env("TEXT", "step=x\n"))
	if e := evalError(t, p, t.Context(), nil); e.Class != problem.ClassOutput || !strings.Contains(e.Error(), "want a whole number") {
		t.Errorf("%s: %v", e.Class, e)
	}
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		code  int
		text  string
		class problem.Class
		want  string
	}{
		"crash":                {1, "runtime=1\n", problem.ClassCrash, "exit code 1: last words"},
		"crash without output": {2, "", problem.ClassCrash, "exit code 2"},
		"try again":            {75, "", problem.ClassTransient, "exit code 75"},
		"garbage":              {0, "hello\n", problem.ClassOutput, `"hello"`},
	} {
		e := evalError(t, newPlay(t, "exit", env("CODE", strconv.Itoa(c.code)), env("TEXT", c.text)), t.Context(), nil)
		if e.Class != c.class || e.ExitCode != c.code || !strings.Contains(e.Error(), c.want) || e.Stderr != "first\nlast words\n" {
			t.Errorf("%s: class %s, exit code %d, %q, stderr %q", name, e.Class, e.ExitCode, e, e.Stderr)
		}
	}
	for _, code := range []int{0, 1} {
		_, err := newPlay(t, "exit", env("CODE", strconv.Itoa(code)), env("TEXT", "infeasible: too big\n")).Evaluate(t.Context(), design(t), nil)
		var inf *problem.InfeasibleError
		if !errors.As(err, &inf) || inf.Reason != "too big" {
			t.Errorf("infeasible with exit code %d: %v", code, err)
		}
	}
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	start := time.Now()
	e := evalError(t, newPlay(t, "hang", timeout(100*time.Millisecond)), t.Context(), nil)
	if e.Class != problem.ClassTimeout || !strings.Contains(e.Error(), "no result after 100ms") {
		t.Errorf("%s: %v", e.Class, e)
	}
	if d := time.Since(start); d > 20*time.Second {
		t.Errorf("took %v", d)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if e := evalError(t, newPlay(t, "hang"), ctx, nil); e.Class != problem.ClassTimeout || !errors.Is(e, context.DeadlineExceeded) {
		t.Errorf("deadline of the context: %s: %v", e.Class, e)
	}
}

func TestFloodForeverTimesOut(t *testing.T) {
	t.Parallel()
	e := evalError(t, newPlay(t, "flood forever", timeout(300*time.Millisecond)), t.Context(), nil)
	if e.Class != problem.ClassTimeout {
		t.Errorf("%s: %v", e.Class, e)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	r := &reporter{first: make(chan struct{})}
	go func() { <-r.first; cancel() }()
	v, err := newPlay(t, "announce").Evaluate(ctx, design(t), r)
	if !errors.Is(err, context.Canceled) || v != nil {
		t.Errorf("Evaluate = %v, %v, want context.Canceled", v, err)
	}
}

func TestOutputIsDrained(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"flood", "huge line", "close stdin"} {
		v, err := newPlay(t, name).Evaluate(t.Context(), design(t), nil)
		if err != nil || v["runtime"] != 1 {
			t.Errorf("%s: Evaluate = %v, %v", name, v, err)
		}
	}
	e := evalError(t, newPlay(t, "flood", func(o *Options) { o.Metrics = []metric.Metric{{Name: "power"}}; o.StderrTail = 100 }), t.Context(), nil)
	if !strings.HasSuffix(e.Stderr, "error line 299999\n") || len(e.Stderr) > 100 || !strings.HasPrefix(e.Stderr, "error line ") {
		t.Errorf("the tail of standard error is %q", e.Stderr)
	}
}

func TestDesignsAreManyBytes(t *testing.T) {
	t.Parallel()
	// More than a pipe holds, to a program that does not read it.
	var nodes []space.Node
	for i := range 20 {
		nodes = append(nodes, space.Categorical(fmt.Sprintf("p%d", i), strings.Repeat("a", 10_000), strings.Repeat("b", 10_000)))
	}
	s := space.MustNew(nodes...)
	p := newPlay(t, "close stdin")
	big, err := New(s, p.options)
	if err != nil {
		t.Fatal(err)
	}
	d := s.MustSample(rand.New(rand.NewPCG(1, 2)))
	if v, err := big.Evaluate(t.Context(), d, nil); err != nil || v["runtime"] != 1 {
		t.Errorf("Evaluate = %v, %v", v, err)
	}
}

func TestNotFound(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "data.txt"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		command, dir, want string
	}{
		"in PATH":   {"no-such-program-anywhere", dir, `"no-such-program-anywhere": found nothing of that name in PATH`},
		"with path": {"./evaluate", dir, "found nothing of that name there"},
		"directory": {"x", filepath.Join(dir, "none"), "working directory"},
		"file":      {"x", filepath.Join(dir, "data.txt"), "found a file"},
	}
	if runtime.GOOS != "windows" {
		cases["not executable"] = struct{ command, dir, want string }{"./data.txt", dir, "may not be executed"}
	}
	for name, c := range cases {
		p := newPlay(t, "square", func(o *Options) { o.Command = []string{c.command}; o.Dir = c.dir })
		e := evalError(t, p, t.Context(), nil)
		if e.Class != problem.ClassPermanent || !strings.Contains(e.Error(), c.want) {
			t.Errorf("%s: %s: %v, want %q", name, e.Class, e, c.want)
		}
		if p.Check() == nil {
			t.Errorf("%s: Check found nothing wrong", name)
		}
	}
	if err := newPlay(t, "square").Check(); err != nil {
		t.Errorf("Check = %v", err)
	}
}

func TestNewReportsEverything(t *testing.T) {
	t.Parallel()
	_, err := New(nil, Options{
		Metrics: []metric.Metric{{Name: "a"}, {Name: "a"}, {Name: "step"}, {Name: "x y"}, {Name: "b", Unit: "m s"}},
		Env:     map[string]string{"A=B": "c"}, Timeout: -1,
	})
	for _, w := range []string{"found no space", "found no program", `"a" twice`, `named "step"`, `named "x y"`, `unit "m s"`, `"A=B"`, "negative"} {
		if err == nil || !strings.Contains(err.Error(), w) {
			t.Errorf("New: %v\nwant %q in it", err, w)
		}
	}
	if _, err := New(testSpace, Options{Command: []string{"x"}}); err == nil || !strings.Contains(err.Error(), "found no metrics") {
		t.Errorf("without metrics: %v", err)
	}
}

func TestStudyFile(t *testing.T) {
	t.Parallel()
	read := func(text string) (*Problem, error) {
		var o Options
		root, report := source.Parse("study.yaml", []byte(text))
		if !source.Decode(report, root, &o) {
			return nil, report.Err()
		}
		return New(testSpace, o)
	}
	p, err := read("command: [python3, evaluate.py, 'a b']\nmetrics: {runtime: ms, energy: mJ, error: }\ntimeout: 30s\nenv: {B: '2', A: '1'}\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []metric.Metric{{Name: "runtime", Unit: "ms"}, {Name: "energy", Unit: "mJ"}, {Name: "error"}}
	if diff := cmp.Diff(want, p.Metrics()); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"A=1", "B=2"}, p.env); diff != "" || p.options.Timeout != 30*time.Second || p.options.Grace != 2*time.Second {
		t.Errorf("timeout %v, grace %v, environment (-want +got):\n%s", p.options.Timeout, p.options.Grace, diff)
	}
	if s := p.Describe(); !strings.HasPrefix(s, `runs python3 evaluate.py "a b" in `) {
		t.Errorf("Describe = %q", s)
	}
	for name, c := range map[string]struct{ text, want string }{
		"no command":  {"metrics: {a: }", "command"},
		"no metrics":  {"command: [x]", "metrics"},
		"none":        {"command: [x]\nmetrics: {}", "no metrics"},
		"a list":      {"command: [x]\nmetrics: [a]", "study.yaml:2"},
		"reserved":    {"command: [x]\nmetrics:\n  step: ms", "study.yaml:3"},
		"unknown key": {"command: [x]\nmetrics: {a: }\ntime: 3s", "study.yaml:3"},
	} {
		if _, err := read(c.text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func BenchmarkOutput(b *testing.B) {
	text := []byte(strings.Repeat("2026-01-01 12:00:00 epoch 3: loss 0.5 and so on\nx=1 y=2 z=3\n", 500))
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		o := &output{metrics: []metric.Metric{{Name: "runtime"}}, limit: 1 << 20}
		if _, err := o.Write(text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEvaluate(b *testing.B) {
	path, err := exec.LookPath("true")
	if err != nil {
		b.Skip("needs the program true")
	}
	p, err := New(testSpace, Options{Command: []string{path}, Metrics: []metric.Metric{{Name: "runtime"}}})
	if err != nil {
		b.Fatal(err)
	}
	d := design(b)
	for b.Loop() {
		if _, err := p.Evaluate(b.Context(), d, nil); problem.ClassOf(err) != problem.ClassOutput {
			b.Fatal(err)
		}
	}
}
