package studyfile_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/internal/source"
	"github.com/daedalus-search/daedalus/studyfile"
)

func TestExamplesAreRight(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("../examples/*.yaml")
	if err != nil || len(paths) < 6 {
		t.Fatalf("%d examples, %v", len(paths), err)
	}
	for _, p := range paths {
		if strings.HasPrefix(filepath.Base(p), "arena-") { // package arena reads those
			continue
		}
		f, err := studyfile.Load(p)
		if filepath.Base(p) == "cifar.yaml" { // its data are not ours to ship, and it says so
			if err == nil || !strings.Contains(err.Error(), "data_batch_1.bin: no such file") {
				t.Errorf("%s: error %v, want one that names the file to fetch", p, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		if len(f.Warnings) > 0 {
			t.Errorf("%s: %v", p, f.Warnings)
		}
		if f.Name != strings.TrimSuffix(filepath.Base(p), ".yaml") {
			t.Errorf("%s: study %s", p, f.Name)
		}
		// What is recorded with the study reads back to the same question.
		g, err := studyfile.Parse(p, f.Text)
		if err != nil {
			t.Errorf("%s as recorded: %v", p, err)
			continue
		}
		if g.MethodName != f.MethodName || g.Goal.Objectives[0] != f.Goal.Objectives[0] || g.Budget != f.Budget {
			t.Errorf("%s as recorded: %+v against %+v", p, g.Config, f.Config)
		}
	}
}

const good = `study: s
space:
  x: {float: [0, 1]}
  opt: {choice: [a, b]}
problem:
  command: [prog]
  metrics: {loss: , size: kB}
objectives: [minimize loss]
`

// Every mistake names its line and says what was expected.
func TestMistakes(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		text string
		want []string // parts of the message
	}{
		"proxy of nothing":     {"problem: proxy\nobjectives: [minimize x]\n", []string{"s.yaml:1:10", "stands for another one", "{proxy: {of: …}}"}},
		"proxy of a typo":      {"problem: {proxy: {of: branim, objectives: [minimize value]}}\nobjectives: [minimize value]\n", []string{"s.yaml:1:23", "branin"}},
		"proxy's option":       {"problem: {proxy: {of: {rosenbrock: {dim: 4}}, objectives: [minimize value]}}\nobjectives: [minimize value]\n", []string{"s.yaml:1:37", "dims"}},
		"proxy's method":       {"problem: {proxy: {of: branin, collect: [genetik], objectives: [minimize value]}}\nobjectives: [minimize value]\n", []string{"s.yaml:1:11", "genetik", "genetic"}},
		"proxy's methods":      {"problem: {proxy: {of: zdt, collect: [nsga2, cma-es], objectives: [minimize f1, minimize f2]}}\nobjectives: [minimize f1]\n", []string{"s.yaml:1:11", "cma-es", "objective"}},
		"unknown key":          {good + "objectves: [minimize size]\n", []string{"s.yaml:9:1", "objectves", "objectives"}},
		"wrong type":           {good + "budget: {trials: many}\n", []string{"s.yaml:9:18", "many", "number"}},
		"impossible range":     {strings.Replace(good, "[0, 1]", "[3, 1]", 1), []string{"s.yaml:3:", "high must be at least low"}},
		"undefined name":       {good + "require: [x + y < 1]\n", []string{"s.yaml:9:", "y"}},
		"misspelt metric":      {strings.Replace(good, "minimize loss", "minimize lost", 1), []string{"s.yaml:8:", "lost", "loss"}},
		"unknown metric":       {good + "limits: [speed <= 3]\n", []string{"s.yaml:9:", "speed"}},
		"bad objective":        {strings.Replace(good, "minimize loss", "smallest loss", 1), []string{"s.yaml:8:", "smallest", "minimize NAME"}},
		"unknown problem":      {strings.Replace(good, "problem:\n  command: [prog]\n  metrics: {loss: , size: kB}", "problem: nasbench202", 1), []string{"s.yaml:5:", "nasbench201"}},
		"space not wanted":     {strings.Replace(good, "  command: [prog]\n  metrics: {loss: , size: kB}", "  nasbench201:", 1), []string{"s.yaml:2:", "brings its own space"}},
		"no space":             {"problem: {command: [p], metrics: {loss: }}\nobjectives: minimize loss\n", []string{"needs a space"}},
		"unknown option":       {good + "search: {nsga2: {populaton: 3}}\n", []string{"s.yaml:9:", "populaton", "population"}},
		"unknown method":       {good + "search: nsga9\n", []string{"s.yaml:9:", "nsga3", "nsga2"}},
		"method cannot":        {strings.Replace(good, "[minimize loss]", "[minimize loss, minimize size]", 1) + "search: {map-elites: {measures: [{metric: size, low: 0, high: 1}]}}\n", []string{"s.yaml:9:", "map-elites cannot"}},
		"option out of range":  {good + "search: {tpe: {gamma: 2}}\n", []string{"s.yaml:9:", "gamma", "1"}},
		"pruning several":      {strings.Replace(good, "[minimize loss]", "[minimize loss, minimize size]", 1) + "prune: median\n", []string{"s.yaml:9:", "one objective"}},
		"curves of several":    {strings.Replace(good, "[minimize loss]", "[minimize loss, minimize size]", 1) + "prune: curve\n", []string{"s.yaml:9:", "one objective"}},
		"no fidelity":          {good + "search: asha\n", []string{"s.yaml:9:", "measured in full only", "fidelity: {name"}},
		"fidelity of nothing":  {strings.Replace(good, "  command", "  fidelity: {name: epochs, min: 9, max: 3}\n  command", 1), []string{"s.yaml:", "more than the least amount"}},
		"fidelity and name":    {strings.Replace(good, "  command", "  fidelity: {name: x, min: 1, max: 3}\n  command", 1), []string{"s.yaml:", "parameter of that name"}},
		"nothing to reject by": {good + "reject: true\n", []string{"s.yaml:9:", "estimates nothing"}},
		"timeout without unit": {strings.Replace(good, "  command", "  timeout: 30\n  command", 1), []string{"s.yaml:6:", "30", "30s"}},
		"enqueued design":      {good + "enqueue: [{x: 2, opt: a}]\n", []string{"s.yaml:9:", "x", "[0, 1]"}},
		"enqueued option":      {good + "enqueue: [{x: 1, opt: c}]\n", []string{"s.yaml:9:", "opt", "c"}},
		"no such format":       {good + "export: [sgv]\n", []string{"s.yaml:9:", "sgv", "svg"}},
		"several mistakes":     {good + "budget: {trial: 1}\nstop: {no_gain: x}\nseed: -1\n", []string{"s.yaml:9:", "s.yaml:10:", "s.yaml:11:"}},
		"not a map":            {"- a\n", []string{"s.yaml:1:"}},
		"duplicate key":        {good + "study: again\n", []string{"s.yaml:9:", "study"}},
		"broken yaml":          {good + "limits: [a <= 1\n", []string{"s.yaml:"}},
		"name of files":        {strings.Replace(good, "study: s", "study: a/b", 1), []string{"s.yaml:1:", "a/b"}},
		"empty file":           {"", []string{"s.yaml"}},
		"contradictory limits": {good + "limits: [loss <= 1, loss >= 2]\n", []string{"s.yaml:9:", "loss"}},
		"cost of no metric":    {good + "budget: {cost: 3, metric: watts}\n", []string{"s.yaml:9:", "watts"}},
		"target of no metric":  {good + "stop: {target: watts <= 3}\n", []string{"s.yaml:9:", "watts"}},
		"condition on a later": {strings.Replace(good, "[0, 1]}", "[0, 1], when: opt == a}", 1), []string{"s.yaml:3:", "declared before"}},
		"option that is not":   {strings.Replace(good, "[a, b]}", "[a, b]}\n  y: {int: [1, 2], when: opt == c}", 1), []string{"s.yaml:5:", "c"}},
		"infinite grammar":     {strings.Replace(good, "  x: {float: [0, 1]}", "  x: {grammar: {start: M, M: [{p: 0.1, use: a}, {use: [M, M]}]}}", 1), []string{"s.yaml:3:", "grow"}},
		"kind word as name":    {strings.Replace(good, "  x:", "  int:", 1), []string{"s.yaml:3:", "int"}},
		"nothing feasible":     {strings.Replace(good, "{float: [0, 1]}", "{int: [1, 9]}", 1) + "require: [x * x == 10]\n", []string{"s.yaml:9:1", "no design satisfies"}},
		"retries out of range": {strings.Replace(good, "  command", "  retries: -1\n  command", 1), []string{"s.yaml:6:", "-1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := studyfile.Parse("s.yaml", []byte(tc.text))
			var report *source.Report
			if !errors.As(err, &report) {
				t.Fatalf("error %T %v; want a report", err, err)
			}
			for _, w := range tc.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%v\ndoes not say %q", err, w)
				}
			}
		})
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	f, err := studyfile.Parse("s.yaml", []byte(good), studyfile.Setting{Path: "budget.trials", Value: "7"}, studyfile.Setting{Path: "search", Value: "random"})
	if err != nil {
		t.Fatal(err)
	}
	if f.Budget.Trials != 7 || f.MethodName != "random" || !strings.Contains(string(f.Text), `"trials":7`) {
		t.Errorf("%+v\n%s", f.Config, f.Text)
	}
	_, err = studyfile.Parse("s.yaml", []byte(good), studyfile.Setting{Path: "budget.trals", Value: "7"})
	if err == nil || !strings.Contains(err.Error(), "--set budget.trals") || !strings.Contains(err.Error(), "trials") {
		t.Errorf("error %v", err)
	}
}

func FuzzParse(f *testing.F) {
	paths, _ := filepath.Glob("../examples/*.yaml")
	for _, p := range paths {
		text, err := os.ReadFile(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(good))
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := studyfile.Parse("s.yaml", text)
		if (file == nil) == (err == nil) {
			t.Fatalf("file %v and error %v", file, err)
		}
	})
}
