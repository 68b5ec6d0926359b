package lint

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/daedalus-search/daedalus"

// layers says what each room may import of ours; internal packages that know
// nothing of the rooms are free to all. A room's sub-packages follow its row
// unless they have one of their own.
var layers = map[string][]string{
	"space":    {},
	"metric":   {},
	"problem":  {"space", "metric"},
	"predict":  {"space", "metric"},
	"search":   {"space", "metric", "problem", "predict"},
	"hardware": {},
	// predicts what a device takes from what was measured on it
	"hardware/device": {"metric", "predict"},
	"neural":          {},
	// families of networks are spaces too
	"neural/nets": {"neural", "space"},
	// what ranks are worth is a matter of metric
	"neural/supernet": {"neural", "neural/nets", "space", "metric"},
	"neural/score":    {"neural", "neural/nets", "metric"},
	"neural/latency":  {"neural", "metric"},
	"store":           {},
	"study":           {"space", "metric", "problem", "search", "store"},
	"web":             {},
	"report":          {"space", "metric", "problem", "search", "store", "study", "web"},
	"problems":        {"space", "metric", "problem", "predict", "hardware", "hardware/device", "neural", "neural/nets", "neural/supernet", "neural/score", "neural/latency"},
	"catalog":         {"space", "metric", "problem", "predict", "search", "problems", "hardware", "hardware/device"},
	"studyfile":       {"space", "metric", "problem", "search", "study", "catalog"},
	"arena":           {"space", "metric", "problem", "search", "store", "study", "catalog", "studyfile", "report", "web"},
	".":               {"space", "metric", "problem", "search", "store", "study", "catalog"},
	"internal/cli":    {"*"},
	// what the tests of pages look at and with
	"internal/pagetest": {"*"},
	"cmd":               {"internal/cli"},
	// programs that measure, with other libraries beside ours
	"bench":    {"*"},
	"examples": {"*"},
}

// free are internal packages that import none of the rooms.
var free = []string{"internal/atomicfile", "internal/rng", "internal/detmath", "internal/lbfgs", "internal/expr", "internal/source", "internal/shape", "internal/term", "internal/diagram", "internal/process", "internal/lint"}

// thirdParty lists the modules that code, as opposed to tests, may import, and
// where. Everything else needs a decision in ARCHITECTURE.md first.
var thirdParty = map[string][]string{
	"modernc.org/sqlite":               {"store"},
	"github.com/pressly/goose/v3":      {"store"},
	"golang.org/x/sys":                 {"store", "problems/command", "internal/process", "neural/latency"},
	"github.com/goccy/go-yaml":         {"internal/source"},
	"github.com/spf13/cobra":           {"internal/cli"},
	"github.com/spf13/pflag":           {"internal/cli"},
	"golang.org/x/term":                {"internal/term", "internal/cli"},
	"github.com/parquet-go/parquet-go": {"report"},
	"gonum.org/v1/gonum":               {"predict", "search/model", "search/evolve", "search/illuminate", "search/internal", "arena", "metric"},
	"golang.org/x/image":               {"report/figure", "neural/data"},
	"google.golang.org/protobuf":       {"neural/onnx"},
	"github.com/gomlx":                 {"neural/train"},
	"github.com/ebitengine/purego":     {"neural/latency"},
	"codeberg.org/go-fonts/liberation": {"report/figure"},
	"codeberg.org/go-pdf/fpdf":         {"report/figure"},
	"pgregory.net/rapid":               {"search/searchtest", "store/storetest", "problem/problemtest", "predict/predicttest"},
	"github.com/google/go-cmp":         {"search/searchtest", "predict/predicttest", "store/storetest", "problem/problemtest"},
}

// A file is one Go file of the repository.
type file struct {
	path    string // from the root, with slashes
	dir     string
	test    bool
	imports []string
	doc     bool
	pkg     string
	text    []byte
}

func files(t *testing.T) []file {
	t.Helper()
	root := filepath.Join("..", "..")
	var out []file
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, p)
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			if rel != "." && strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || rel == "tools" {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(p, ".go") {
			return nil
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), p, text, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		x := file{path: rel, dir: filepath.ToSlash(filepath.Dir(rel)), test: strings.HasSuffix(rel, "_test.go"), doc: f.Doc != nil, pkg: f.Name.Name, text: text}
		for _, im := range f.Imports {
			s, _ := strconv.Unquote(im.Path.Value)
			x.imports = append(x.imports, s)
		}
		out = append(out, x)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// room returns the key of layers that governs a folder.
func room(dir string) string {
	for d := dir; ; d = filepath.ToSlash(filepath.Dir(d)) {
		if _, ok := layers[d]; ok {
			return d
		}
		if d == "." {
			return ""
		}
	}
}

func TestImportsGoDown(t *testing.T) {
	for _, f := range files(t) {
		if f.test {
			continue
		}
		if slices.Contains(free, f.dir) {
			for _, im := range f.imports {
				if own, ok := strings.CutPrefix(im, module+"/"); ok && !slices.Contains(free, own) {
					t.Errorf("%s imports %s; internal packages that all rooms use know none of them", f.path, own)
				}
			}
			continue
		}
		r := room(f.dir)
		allowed, ok := layers[r]
		if !ok || r == "." && f.dir != "." {
			t.Errorf("%s is in no room of the plan; give %s a row in layers and in ARCHITECTURE.md", f.path, f.dir)
			continue
		}
		for _, im := range f.imports {
			own, ok := strings.CutPrefix(im, module+"/")
			if !ok || slices.Contains(free, own) || room(own) == r || slices.Contains(allowed, "*") {
				continue
			}
			if !slices.Contains(allowed, room(own)) && !slices.Contains(allowed, own) {
				t.Errorf("%s imports %s; room %s may import %v", f.path, own, r, allowed)
			}
		}
	}
}

func TestThirdPartyImportsAreDecided(t *testing.T) {
	for _, f := range files(t) {
		if f.test {
			continue
		}
		for _, im := range f.imports {
			if !strings.Contains(strings.Split(im, "/")[0], ".") || strings.HasPrefix(im, module) {
				continue
			}
			found := false
			for mod, where := range thirdParty {
				if im != mod && !strings.HasPrefix(im, mod+"/") {
					continue
				}
				found = true
				if !slices.ContainsFunc(where, func(w string) bool { return f.dir == w || strings.HasPrefix(f.dir, w+"/") }) {
					t.Errorf("%s imports %s; only %v may", f.path, im, where)
				}
			}
			if !found {
				t.Errorf("%s imports %s, which nobody decided on", f.path, im)
			}
		}
	}
}

func TestPackagesSayWhatTheyAreFor(t *testing.T) {
	has := map[string]bool{}
	for _, f := range files(t) {
		if !f.test {
			has[f.dir] = has[f.dir] || f.doc
		}
	}
	for dir, ok := range has {
		if !ok {
			t.Errorf("%s has no package comment", dir)
		}
	}
}

// banned are functions whose results differ between runs or platforms, so that
// nothing that steers a search may call them.
var banned = map[string][]string{
	"math": {"Exp", "Exp2", "Expm1", "Log", "Log1p", "Log2", "Log10", "Pow", "Sin", "Cos", "Tanh"},
	"time": {"Now", "Since"},
	"rand": {"Int", "IntN", "Int64N", "Uint64", "Uint64N", "Float64", "NormFloat64", "Perm", "Shuffle"},
}

// Randomness that steers a search is explicit and the same on every platform.
func TestRandomnessIsExplicit(t *testing.T) {
	for _, f := range files(t) {
		steers := false
		for _, r := range []string{"space", "search", "metric", "predict"} {
			steers = steers || f.dir == r || strings.HasPrefix(f.dir, r+"/")
		}
		if !steers || f.test || f.dir == "search/searchtest" || f.dir == "predict/predicttest" {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), f.path, f.text, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			x, ok := sel.X.(*ast.Ident)
			if ok && x.Obj == nil && slices.Contains(banned[x.Name], sel.Sel.Name) {
				t.Errorf("%s uses %s.%s; use internal/detmath, or a *rand.Rand from internal/rng", f.path, x.Name, sel.Sel.Name)
			}
			return true
		})
	}
}

func TestModuleIsTidy(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the go command")
	}
	cmd := exec.Command("go", "mod", "tidy", "-diff")
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		if !bytes.Contains(out, []byte("diff current/")) {
			t.Skipf("go mod tidy could not look (no network?): %s", out)
		}
		t.Errorf("go mod tidy -diff: %v\n%s", err, out)
	}
}
