package arena

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/daedalus-search/daedalus/internal/source"
)

// small is an arena of every kind of judgement.
const small = `
problems:
  - {sphere: {dims: 3}}
  - {zdt: {dims: 3}, label: two}
  - {dtlz2: {objectives: 4}, label: four}
  - {nasbench201: , objectives: [maximize accuracy], limits: [params_m <= 0.5], label: cells}
  - {sphere: {dims: 2}, label: never, limits: [f <= -1]}
searchers:
  - regularized
  - {nsga2: {population: 10}, label: small nsga2}
  - tpe
seeds: 4
budget: {trials: 40}
`

// Which method auto is stands beside its runs.
func TestAutoTakesPart(t *testing.T) {
	t.Parallel()
	f := parse(t, "problems: [{sphere: {dims: 2}}]\nsearchers: [auto]\nseeds: 2\nbudget: {trials: 14}\n")
	res, err := f.Run(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range res.Rows {
		if r.Status != Done || r.Searcher == "auto" && r.Method != "gp" {
			t.Errorf("%s: %s %s, method %q", r.Searcher, r.Status, r.Reason, r.Method)
		}
	}
}

func parse(t *testing.T, text string) *File {
	t.Helper()
	f, err := Parse("arena.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func csvOf(t *testing.T, f *File, res *Results) string {
	t.Helper()
	a, err := Analyse(t.Context(), f, res)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range res.Rows { // what a clock says is never the same
		r.Ask, r.Tell, r.Refit, r.Eval, r.Seconds = Cost{}, 0, 0, 0, 0
	}
	var b bytes.Buffer
	if err := WriteCSV(&b, a); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// The outcome depends on the file and nothing else: not on how many runs go on
// at once, nor on whether they were made in one go.
func TestRunsAreReproducible(t *testing.T) {
	t.Parallel()
	f := parse(t, small)
	one, err := f.Run(t.Context(), Options{Parallel: 1})
	if err != nil {
		t.Fatal(err)
	}
	want := csvOf(t, f, one)
	journal := filepath.Join(t.TempDir(), "runs.jsonl")
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	_, err = f.Run(ctx, Options{Parallel: 4, Journal: journal, Observe: func(Progress) {
		if n++; n == 20 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	res, err := f.Run(t.Context(), Options{Parallel: 3, Journal: journal})
	if err != nil {
		t.Fatal(err)
	}
	if res.Known < 20 || res.Known == res.Total {
		t.Errorf("%d of %d runs were known", res.Known, res.Total)
	}
	if got := csvOf(t, f, res); got != want {
		t.Errorf("in two goes:\n%s\nin one:\n%s", got, want)
	}
	again, err := f.Run(t.Context(), Options{Journal: journal, Look: true})
	if err != nil || again.Known != again.Total {
		t.Errorf("%d of %d known, %v", again.Known, again.Total, err)
	}

	// A changed option makes its own runs again and no others.
	g := parse(t, strings.Replace(small, "population: 10", "population: 12", 1))
	res, err = g.Run(t.Context(), Options{Journal: journal})
	if err != nil {
		t.Fatal(err)
	}
	if made := res.Total - res.Known; made != 5*4 {
		t.Errorf("%d runs were made again, want 20", made)
	}
	// A changed label makes none.
	h := parse(t, strings.Replace(small, "label: small nsga2", "label: other", 1))
	if res, err = h.Run(t.Context(), Options{Journal: journal}); err != nil || res.Known != res.Total {
		t.Errorf("%d of %d known after a change of label, %v", res.Known, res.Total, err)
	}
}

func TestJudgement(t *testing.T) {
	t.Parallel()
	f := parse(t, small)
	res, err := f.Run(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	a, err := Analyse(t.Context(), f, res)
	if err != nil {
		t.Fatal(err)
	}
	by := []Judged{ByRegret, ByHypervolume, ByHypervolume, ByRegret, ByRegret}
	for i, v := range a.Problems {
		if v.Label == "never" {
			by[i] = ByValue // no design keeps its limits, so there is no optimum
		}
		if v.By != by[i] {
			t.Errorf("%s is judged by %s", v.Label, v.By)
		}
		for k, c := range v.Cells {
			if len(c.Runs) != 4 {
				t.Errorf("%s: %d runs of %s", v.Label, len(c.Runs), a.Standing[k].Label)
				continue
			}
			if v.Label == "never" {
				if !math.IsInf(c.Median, 0) || c.Verdict != Same && !a.Standing[k].Random {
					t.Errorf("nothing is feasible: median %v, verdict %v", c.Median, c.Verdict)
				}
				continue
			}
			// Curves never fall back, and end in the final results.
			for j := range c.Mid {
				if v.By == ByHypervolume && !(c.Mid[j] >= 0 && c.Mid[j] <= 1.05) {
					t.Errorf("%s: hypervolume share %v", v.Label, c.Mid[j])
				}
				if j > 0 && v.loss(c.Mid[j]) > v.loss(c.Mid[j-1]) {
					t.Errorf("%s: %s falls back from %v to %v", v.Label, a.Standing[k].Label, c.Mid[j-1], c.Mid[j])
				}
			}
			if last := c.Mid[len(c.Mid)-1]; last != c.Median {
				t.Errorf("%s: the curve ends at %v, the median is %v", v.Label, last, c.Median)
			}
		}
	}
	for _, s := range a.Standing {
		if s.Wins+s.Ties+s.Losses != len(a.Problems) && !s.Random {
			t.Errorf("%s: %d, %d and %d of %d problems", s.Label, s.Wins, s.Ties, s.Losses, len(a.Problems))
		}
	}
	var page bytes.Buffer
	if err := WriteHTML(&page, a); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"critical difference", "hypervolume as a share of that of the known front", "infeasible", "Content-Security-Policy"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

// The share of a hypervolume is the same by the exact way and by counting fixed
// points, up to what the counting promises.
func TestHypervolumeByCounting(t *testing.T) {
	t.Parallel()
	front := []float64{0, 1, 1, 0.2, 0.5, 0.7, 0.5, 0.2, 0.8, 1, 0, 0.3}
	exact := newFrontRef(front, 3)
	counted := newFrontRef(front, 3)
	x := newFrontRef(append([]float64{}, append(front, 0)...)[:12], 4)
	if x.samples == nil {
		t.Fatal("four objectives are not counted")
	}
	counted.samples = x.samples[:hvSamples*3]
	a, b := exact.follow(), counted.follow()
	for i := 0; i < len(front); i += 3 {
		a.add(front[i : i+3])
		b.add(front[i : i+3])
	}
	if d := math.Abs(a.volume()-b.volume()) / math.Pow(box, 3); d > 0.012 {
		t.Errorf("exact %v, counted %v", a.volume(), b.volume())
	}
}

func TestRepeats(t *testing.T) {
	t.Parallel()
	const text = `
problems: [{nk: {n: 3}}]
searchers: [{regularized: {population: 4, sample: 2}}, grid]
seeds: 2
budget: {trials: 30, repeats: %s}
`
	for _, policy := range []string{"count", "free"} {
		f := parse(t, fmt.Sprintf(text, policy))
		res, err := f.Run(t.Context(), Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range res.Rows {
			if r.Trials != r.Distinct+r.Repeats || r.Distinct > 8 {
				t.Errorf("%s, %s: %d trials, %d distinct, %d repeats", policy, r.Searcher, r.Trials, r.Distinct, r.Repeats)
			}
			switch {
			case r.Status != Done:
				t.Errorf("%s, %s: %s", policy, r.Searcher, r.Reason)
			case policy == "count" && r.Reason == "" && r.Trials != 30:
				t.Errorf("%s made %d trials of 30", r.Searcher, r.Trials)
			case policy == "free" && r.Reason == "":
				t.Errorf("%s found 30 designs in a space of 8", r.Searcher)
			}
			if len(r.At) != len(Checkpoints(30)) {
				t.Errorf("%s: the curve ends early: %v", r.Searcher, r.At)
			}
		}
	}
}

func TestMeasures(t *testing.T) {
	t.Parallel()
	f := parse(t, `
problems:
  - nasbench201: {disconnected: keep}
    objectives: [maximize accuracy]
    measures: [{metric: params_m, low: 0, high: 1.6, cells: 8}, {metric: latency_ms, low: 0, high: 40, cells: 8}]
    label: qd
searchers: [map-elites, regularized]
seeds: 6
budget: {trials: 300}
`)
	res, err := f.Run(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	a, err := Analyse(t.Context(), f, res)
	if err != nil {
		t.Fatal(err)
	}
	v := a.Problems[0]
	if v.By != ByQD || v.Lower {
		t.Fatalf("judged by %s", v.By)
	}
	for i, c := range v.Cells {
		if a.Standing[i].Label == "map-elites" && c.Verdict != Better {
			t.Errorf("MAP-Elites against random search: %v, p %v, effect %v", c.Verdict, c.Holm, c.Effect)
		}
	}
}

func TestLottery(t *testing.T) {
	t.Parallel()
	f := parse(t, `
problems: [{nk: {n: 12}}, branin]
searchers: [regularized, {nsga2: {population: 20}}, random]
seeds: 4
budget: {trials: 60}
lottery:
  settings: 6
  seeds: 2
  problems: [nk n=12]
  searchers:
    regularized: {population: {int: [5, 30]}, sample: {int: [2, 5]}}
    nsga2 population=20:
`)
	res, err := f.Run(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	// The searchers as they are take part with seeds that the arena has anyway.
	if want := 2*3*4 + 2*6*2; res.Total != want {
		t.Errorf("%d runs, want %d", res.Total, want)
	}
	a, err := Analyse(t.Context(), f, res)
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Lottery) != 1 || len(a.Lottery[0].Sweeps) != 2 {
		t.Fatalf("lottery %+v", a.Lottery)
	}
	for _, s := range a.Lottery[0].Sweeps {
		if len(s.Results) != 6 || s.Best > s.Worst || s.Within < 0 || s.Beaten < 0 || s.Beaten > 1 || !strings.Contains(s.Settings[0], "{") {
			t.Errorf("%+v", s)
		}
	}
}

// Every mistake names its line and what was expected.
func TestMistakes(t *testing.T) {
	t.Parallel()
	const good = "problems: [branin]\nsearchers: [tpe]\n"
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"unknown key":        {good + "sedes: 3\n", []string{"a.yaml:3:1", "sedes", "seeds"}},
		"no problems":        {"searchers: [tpe]\n", []string{"problems"}},
		"empty":              {"problems: []\nsearchers: []\n", []string{"a.yaml:1:", "no problems"}},
		"unknown problem":    {strings.Replace(good, "branin", "brain", 1), []string{"a.yaml:1:12", "brain", "branin"}},
		"unknown beside":     {strings.Replace(good, "[branin]", "[{brainn: , label: x}]", 1), []string{"a.yaml:1:", "no problem is named", "branin"}},
		"unknown option":     {strings.Replace(good, "branin", "{sphere: {dim: 3}}", 1), []string{"a.yaml:1:", "dim", "dims"}},
		"no objectives":      {strings.Replace(good, "branin", "nasbench201", 1), []string{"a.yaml:1:", "objectives", "accuracy"}},
		"wrong objective":    {strings.Replace(good, "branin", "{branin: , objectives: [minimize g]}", 1), []string{"a.yaml:1:", `"g"`, "expected f"}},
		"wrong limit":        {strings.Replace(good, "branin", "{branin: , limits: [f < ]}", 1), []string{"a.yaml:1:"}},
		"twice":              {strings.Replace(good, "branin", "branin, branin", 1), []string{"a.yaml:1:20", "a second problem"}},
		"unknown searcher":   {strings.Replace(good, "tpe", "tpo", 1), []string{"a.yaml:2:13", "tpo", "tpe"}},
		"searcher's option":  {strings.Replace(good, "tpe", "{tpe: {gamma: 7}}", 1), []string{"a.yaml:2:", "gamma"}},
		"two searchers":      {strings.Replace(good, "tpe", "tpe, {tpe: , label: tpe}", 1), []string{"a.yaml:2:", "a second searcher"}},
		"label random":       {strings.Replace(good, "tpe", "{tpe: , label: random}", 1), []string{"a.yaml:2:", "not random search"}},
		"no command":         {strings.Replace(good, "tpe", "{peer: {}}", 1), []string{"a.yaml:2:", "command"}},
		"empty command":      {strings.Replace(good, "tpe", "{peer: {command: []}}", 1), []string{"a.yaml:2:", "empty command"}},
		"timeout":            {strings.Replace(good, "tpe", "{peer: {command: [x], timeout: 5}}", 1), []string{"a.yaml:2:", "5s"}},
		"nothing it can do":  {strings.Replace(good, "tpe", "{map-elites: {measures: [{metric: f, low: 0, high: 1}]}}, {grid: , label: g}", 1) + "budget: {trials: 0}\n", []string{"a.yaml:3:", "trials"}},
		"seeds":              {good + "seeds: [1, 2, 1]\n", []string{"a.yaml:3:", "a second time"}},
		"negative":           {good + "seeds: -3\n", []string{"a.yaml:3:"}},
		"repeats":            {good + "budget: {repeats: never}\n", []string{"a.yaml:3:", "count", "free"}},
		"study not there":    {strings.Replace(good, "branin", "{study: nothing.yaml}", 1), []string{"a.yaml:1:", "nothing.yaml"}},
		"measure":            {strings.Replace(good, "branin", "{branin: , measures: [{metric: g, low: 0, high: 1}]}", 1), []string{"a.yaml:1:", `"g"`, "f"}},
		"measure's range":    {strings.Replace(good, "branin", "{branin: , measures: [{metric: f, low: 2, high: 1}]}", 1), []string{"a.yaml:1:", "low below high"}},
		"lottery problem":    {good + "lottery: {problems: [brain]}\n", []string{"a.yaml:3:", "brain", "branin"}},
		"lottery searcher":   {good + "lottery: {searchers: [tpa]}\n", []string{"a.yaml:3:", "tpa", "tpe"}},
		"lottery of a space": {good + "lottery: {searchers: {tpe: {gamma: {float: [2, 1]}}}}\n", []string{"a.yaml:3:", "high must be at least low"}},
		"lottery too wild":   {good + "lottery: {searchers: {tpe: {gamma: {float: [2, 3]}}}}\n", []string{"gamma"}},
		"name":               {good + "arena: a/b\n", []string{"a.yaml:3:", "a/b"}},
		"not a map":          {"- a\n", []string{"a.yaml:1:"}},
		"empty file":         {"", []string{"a.yaml"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse("a.yaml", []byte(c.text))
			var report *source.Report
			if !errors.As(err, &report) {
				t.Fatalf("error %T %v, want a report", err, err)
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%v\ndoes not say %q", err, w)
				}
			}
		})
	}
}

func TestJournals(t *testing.T) {
	t.Parallel()
	f := parse(t, "problems: [branin]\nsearchers: [random]\nseeds: 5\nbudget: {trials: 10}\n")
	path := filepath.Join(t.TempDir(), "j")
	if _, err := f.Run(t.Context(), Options{Journal: path}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// A line that was cut off is made again, whole lines are kept.
	if err := os.WriteFile(path, text[:len(text)-40], 0o666); err != nil {
		t.Fatal(err)
	}
	res, err := f.Run(t.Context(), Options{Journal: path})
	if err != nil || res.Known != 4 {
		t.Errorf("%d known, want 4; %v", res.Known, err)
	}
	rows, err := ReadJournal(path)
	if err != nil || len(rows) != 5 {
		t.Errorf("%d rows; %v", len(rows), err)
	}
	if err := os.WriteFile(path, []byte("name,value\n1,2\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Run(t.Context(), Options{Journal: path}); err == nil || !strings.Contains(err.Error(), "j:1: not a run of an arena") {
		t.Errorf("error %v", err)
	}
}

// victimDir makes this test binary run an arena in that folder until it is
// killed.
const victimDir = "DAEDALUS_TEST_ARENA"

const victimText = "problems: [{rastrigin: {dims: 4}}]\nsearchers: [random, nsga2, {regularized: {population: 20}}]\nseeds: 60\nbudget: {trials: 1500}\n"

func victim(dir string) {
	f, err := Parse("arena.yaml", []byte(victimText))
	if err == nil {
		_, err = f.Run(context.Background(), Options{Journal: filepath.Join(dir, "runs"), Parallel: 2})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Killed again and again at any moment, an arena comes to the same end.
func TestKilled(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts and kills processes")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	kills := 0
	for range 6 {
		cmd := exec.CommandContext(t.Context(), self)
		cmd.Env = append(os.Environ(), victimDir+"="+dir)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(60+40*kills) * time.Millisecond)
		_ = cmd.Process.Kill()
		if cmd.Wait() != nil {
			kills++
		}
	}
	f := parse(t, victimText)
	res, err := f.Run(t.Context(), Options{Journal: filepath.Join(dir, "runs")})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d kills, %d of %d runs known", kills, res.Known, res.Total)
	if len(res.Rows) != res.Total {
		t.Errorf("%d of %d runs", len(res.Rows), res.Total)
	}
	whole, err := f.Run(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if csvOf(t, f, res) != csvOf(t, f, whole) {
		t.Error("killed and continued, the runs differ from those of one go")
	}
}

// Partial evaluations cost their share of the budget, and only full ones count
// as found.
func TestFidelity(t *testing.T) {
	t.Parallel()
	f := parse(t, `
problems: [{nasbench201: {epochs: 200, disconnected: keep}, objectives: [maximize accuracy], label: c}]
searchers: [halving, asha, regularized]
seeds: 3
budget: {trials: 20}
`)
	res, err := f.Run(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range res.Rows {
		if r.Status != Done {
			t.Errorf("%s: %s: %s", r.Searcher, r.Status, r.Reason)
			continue
		}
		partial := r.Searcher == "halving" || r.Searcher == "asha"
		if partial != (r.Trials > 20) {
			t.Errorf("%s made %d trials of 20 full evaluations", r.Searcher, r.Trials)
		}
		if last := r.Best[len(r.Best)-1]; math.IsNaN(last) {
			t.Errorf("%s measured nothing in full", r.Searcher)
		}
		if partial && !math.IsNaN(r.Best[0]) && r.Trials > 100 {
			t.Errorf("%s found %v before it can have measured anything in full", r.Searcher, r.Best[0])
		}
	}
}

func TestSchema(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(Schema())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"lottery"`, `"peer"`, `"nasbench201"`, `"measures"`, `"$ref":"#/$defs/nodes"`, `"nodes":`} {
		if !bytes.Contains(text, []byte(want)) {
			t.Errorf("no %s", want)
		}
	}
}

// The example that the README names is right.
func TestExample(t *testing.T) {
	t.Parallel()
	f, err := Load("../examples/arena-quick.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Warnings) > 0 || f.Name != "arena-quick" || f.Lottery == nil {
		t.Errorf("%s: %v", f.Name, f.Warnings)
	}
}
