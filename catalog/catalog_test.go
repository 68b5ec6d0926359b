package catalog_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/catalog"
	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/internal/source"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/illuminate"
	"github.com/daedalus-search/daedalus/search/model"
	"github.com/daedalus-search/daedalus/space"
)

var update = flag.Bool("update", false, "rewrite docs/searchers.md")

func options(t *testing.T, into any) {
	t.Helper()
	empty, r := source.Parse("defaults", []byte("{}"))
	if r == nil {
		r = &source.Report{}
	}
	if !source.Decode(r, empty, into) {
		t.Errorf("defaults of %T: %v", into, r.Err())
	}
}

// Every method that claims all spaces and any objectives takes them with its
// default options, and every row says something.
func TestSearchers(t *testing.T) {
	t.Parallel()
	flat := space.MustNew(space.Float("x", 0, 1), space.Categorical("c", "a", "b"))
	grammar := space.MustNew(space.Grammar("g", "S", space.Rule("S", space.Use("a"), space.Use("S", "b").P(0.4))))
	epochs := problem.Fidelity{Name: "epochs", Min: 1, Max: 27, Whole: true}
	for _, row := range catalog.Searchers() {
		if row.Doc == "" || row.Source == "" || row.Spaces == "" || row.Objectives == "" || row.Cost == "" || row.Advice == "" {
			t.Errorf("%s: the row is not complete: %+v", row.Name, row)
		}
		m := row.Options()
		if _, ok := illuminate.Layout(m); ok {
			continue // has required options; illuminate tests it
		}
		options(t, m)
		if row.Spaces == "ordered levels only" { // and limits; local tests it
			if _, err := m.New(search.Setup{Space: flat}); err == nil {
				t.Errorf("%s claims %q and takes a real number", row.Name, row.Spaces)
			}
			continue
		}
		for _, objectives := range []int{1, 3} {
			if _, err := m.New(search.Setup{Space: flat, Objectives: objectives, Fidelity: epochs}); (err == nil) != (objectives == 1 || row.Objectives != "one") {
				t.Errorf("%s with %d objectives: %v", row.Name, objectives, err)
			}
		}
		if _, err := m.New(search.Setup{Space: grammar, Fidelity: epochs}); (err == nil) != (row.Spaces == "all") && row.Spaces != "all but open grammars" {
			t.Errorf("%s claims %q and says of a grammar: %v", row.Name, row.Spaces, err)
		}
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	for _, row := range catalog.Problems() {
		if row.Doc == "" || row.Source == "" {
			t.Errorf("%s: the row is not complete", row.Name)
		}
		o := row.Options()
		if row.Needs != "" {
			continue
		}
		options(t, o)
		if row.Name == "hlsyn" {
			continue // reads a table that is not part of the program
		}
		p, err := row.New(o, nil, ".")
		if err != nil {
			t.Errorf("%s: %v", row.Name, err)
			continue
		}
		d, err := p.Space().Sample(rng.New(1, "catalog", 0))
		if err != nil {
			t.Errorf("%s: %v", row.Name, err)
			continue
		}
		if x, ok := p.(problem.Serial); ok && x.Serial() {
			continue // trains for minutes
		}
		if _, err := p.Evaluate(t.Context(), d, nil); err != nil {
			if _, infeasible := err.(*problem.InfeasibleError); !infeasible {
				t.Errorf("%s: %v", row.Name, err)
			}
		}
	}
}

func TestNearestNames(t *testing.T) {
	t.Parallel()
	if _, err := catalog.FindSearcher("nsg2"); err == nil || !strings.Contains(err.Error(), "nsga2") {
		t.Errorf("error %v", err)
	}
	if _, err := catalog.FindProblem("nasbench202"); err == nil || !strings.Contains(err.Error(), "nasbench201") {
		t.Errorf("error %v", err)
	}
}

func TestAuto(t *testing.T) {
	t.Parallel()
	small := space.MustNew(space.Int("n", 1, 10))
	wide := space.MustNew(space.Float("x", 0, 1), space.Float("y", 0, 1))
	words := space.MustNew(space.Subset("s", "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q"), space.Bool("b"))
	open := space.MustNew(space.Grammar("g", "S", space.Rule("S", space.Use("a"), space.Use("S", "b").P(0.4))))
	for name, tc := range map[string]struct {
		q    catalog.Question
		want string
	}{
		"small space":             {catalog.Question{Space: small, Objectives: 1, Trials: 50}, "grid"},
		"one round":               {catalog.Question{Space: wide, Objectives: 1, Trials: 16, Parallel: 8}, "sobol"},
		"one round of a grammar":  {catalog.Question{Space: open, Objectives: 1, Trials: 16, Parallel: 8}, "random"},
		"few trials":              {catalog.Question{Space: wide, Objectives: 1, Trials: 100}, "gp"},
		"few cheap trials":        {catalog.Question{Space: wide, Objectives: 1, Trials: 100, Cheap: true}, "tpe"},
		"many trials":             {catalog.Question{Space: wide, Objectives: 1, Trials: 100_000}, "cma-es"},
		"many trials of words":    {catalog.Question{Space: words, Objectives: 1, Trials: 100_000}, "genetic"},
		"unbounded and expensive": {catalog.Question{Space: wide, Objectives: 1}, "gp"},
		"unbounded and cheap":     {catalog.Question{Space: wide, Objectives: 1, Cheap: true}, "cma-es"},
		"a front":                 {catalog.Question{Space: wide, Objectives: 2, Trials: 5000}, "smsemoa"},
		"five objectives":         {catalog.Question{Space: wide, Objectives: 5, Trials: 5000}, "nsga2"},
		"a front, few trials":     {catalog.Question{Space: wide, Objectives: 2, Trials: 200}, "gp"},
		"a front of words":        {catalog.Question{Space: words, Objectives: 2, Trials: 200}, "smac"},
		"a front, cheap":          {catalog.Question{Space: words, Objectives: 2, Trials: 200, Cheap: true}, "tpe"},
	} {
		got, m, reason := catalog.Auto(tc.q)
		if got != tc.want || m == nil || reason == "" {
			t.Errorf("%s: %s because %q; want %s", name, got, reason, tc.want)
			continue
		}
		if _, err := m.New(search.Setup{Space: tc.q.Space, Objectives: tc.q.Objectives, Budget: tc.q.Trials, Parallel: tc.q.Parallel}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Where measurements are exact auto tells the Gaussian process so; elsewhere it
// learns the noise.
func TestAutoKnowsExactMeasurements(t *testing.T) {
	t.Parallel()
	q := catalog.Question{Space: space.MustNew(space.Float("x", 0, 1), space.Float("y", 0, 1)), Objectives: 1, Trials: 100}
	for _, exact := range []bool{false, true} {
		q.Exact = exact
		_, m, _ := catalog.Auto(q)
		gp, ok := m.(*model.GP)
		if !ok || (gp.Noise > 0) != exact || gp.Warp != "rank" {
			t.Errorf("exact %v: %+v", exact, m)
		}
	}
}

// The page on search methods is written from the table.
func TestSearchersPage(t *testing.T) {
	const path = "../docs/searchers.md"
	var b bytes.Buffer
	b.WriteString("# Search methods\n\nWritten from the catalog by `go test ./catalog -run Page -update`. `search: auto` chooses among them and says why.\n\n")
	b.WriteString("| method | what it is | spaces | objectives | cost a trial | when to take it |\n|---|---|---|---|---|---|\n")
	for _, s := range catalog.Searchers() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n", s.Name, s.Doc, s.Spaces, s.Objectives, s.Cost, s.Advice)
	}
	b.WriteString("\nAll of them respect constraints of the space, put feasible designs before infeasible ones, take results in any order, and are rebuilt by replay when a study continues. Hard limits work with every method.\n")
	for _, s := range catalog.Searchers() {
		fmt.Fprintf(&b, "\n## %s\n%s. Source: %s.\n\n| option | default | range | meaning |\n|---|---|---|---|\n", s.Name, strings.ToUpper(s.Doc[:1])+s.Doc[1:], s.Source)
		writeOptions(&b, "", source.Describe(s.Options()))
	}
	if *update {
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, b.Bytes()) {
		t.Errorf("docs/searchers.md is not what the catalog says (%v); run go test ./catalog -run Page -update", err)
	}
}

func writeOptions(b *bytes.Buffer, prefix string, fields []source.Field) {
	for _, f := range fields {
		bounds := strings.Join(f.OneOf, ", ")
		if bounds == "" {
			bounds = strings.TrimSpace(limit("from", f.Min) + " " + limit("to", f.Max))
		}
		def := f.Default
		if f.Required {
			def = "required"
		}
		fmt.Fprintf(b, "| `%s%s` | %s | %s | %s |\n", prefix, f.Name, def, bounds, f.Doc)
		writeOptions(b, prefix+f.Name+".", f.Fields)
	}
}

func limit(word, bound string) string {
	switch {
	case bound == "":
		return ""
	case bound[0] == '>':
		return "above " + bound[1:]
	case bound[0] == '<':
		return "below " + bound[1:]
	}
	return word + " " + bound
}
