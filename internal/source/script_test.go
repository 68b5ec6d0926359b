package source

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the expected output in testdata")

// TestScripts runs testdata/*.txt. A file is a sequence of cases:
//
//	command
//	input
//	----
//	expected output
//	====
//
// The commands are: parse; json (diagnostics as JSON); decode (into
// scriptOptions); access (see access); set PATH=VALUE …, then decode.
func TestScripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			for c := range strings.SplitSeq(strings.TrimSuffix(string(text), "====\n"), "====\n") {
				question, _, ok := strings.Cut(c, "----\n")
				if !ok {
					t.Fatalf("case without ----:\n%s", c)
				}
				command, input, _ := strings.Cut(question, "\n")
				out.WriteString(question + "----\n" + runCase(t, command, input) + "====\n")
			}
			if *update {
				if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if d := cmp.Diff(string(text), out.String()); d != "" {
				t.Errorf("output differs (-want +got):\n%s", d)
			}
		})
	}
}

type inner struct {
	Kind string  `yaml:"kind" default:"sgd" oneof:"sgd adam lion"`
	Rate float64 `yaml:"rate" default:"0.1" min:">0" max:"1"`
}

type common struct {
	Seed uint64 `yaml:"seed" default:"7" doc:"of everything random"`
}

type scriptOptions struct {
	common
	Name    string             `yaml:"name,required" doc:"of the study"`
	Trials  int                `yaml:"trials" default:"100" min:"1" max:"100000"`
	Small   int8               `yaml:"small"`
	Timeout time.Duration      `yaml:"timeout" default:"30s" min:"1s"`
	Layers  []int              `yaml:"layers" default:"[64, 64]" min:"1"`
	Fast    bool               `yaml:"fast" default:"true"`
	Target  *float64           `yaml:"target"`
	Inner   inner              `yaml:"inner"`
	Units   map[string]*string `yaml:"units"`
	Tile    int                `yaml:"tile" default:"8" oneof:"8 16 32"`
	Any     any                `yaml:"any"`
	ignored int                //lint:ignore U1000 unexported fields are not decoded into
}

func runCase(t *testing.T, command, input string) string {
	t.Helper()
	input = strings.NewReplacer("␉", "\t", "␍", "\r").Replace(input)
	v, r := Parse("file.yaml", []byte(input))
	verb, rest, _ := strings.Cut(command, " ")
	var b strings.Builder
	switch verb {
	case "parse":
		if v != nil {
			fmt.Fprintf(&b, "%s\n", v.JSON())
		}
	case "places":
		places(&b, v, "")
	case "json":
		v.Fields(r, "known")
		text, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		return string(text) + "\n"
	case "set", "decode":
		if rest != "" {
			for s := range strings.SplitSeq(rest, " ") {
				path, value, _ := strings.Cut(s, "=")
				Set(r, v, path, value)
			}
			if v != nil {
				fmt.Fprintf(&b, "%s\n", v.JSON())
			}
		}
		if v != nil {
			var o scriptOptions
			Decode(r, v, &o)
			text, err := json.Marshal(o)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, "%s\n", text)
		}
	case "access":
		access(r, v)
	default:
		t.Fatalf("unknown command %q", command)
	}
	if len(r.Diagnostics()) > 0 {
		fmt.Fprintln(&b, r.Error())
	}
	return b.String()
}

func places(b *strings.Builder, v *Value, path string) {
	fmt.Fprintf(b, "%d:%d %s %s %q\n", v.Line(), v.Column(), path, v.Kind(), v.Text())
	for i, e := range v.list {
		places(b, e, fmt.Sprintf("%s[%d]", path, i))
	}
	for _, e := range v.entries {
		fmt.Fprintf(b, "%d:%d %s.%s key\n", e.Key.Line(), e.Key.Column(), path, e.Name())
		places(b, e.Value, path+"."+e.Name())
	}
}

// access reads each entry by the accessor that the beginning of its key names.
func access(r *Report, v *Value) {
	entries, _ := v.Map(r)
	for _, e := range entries {
		switch accessor, _, _ := strings.Cut(e.Name(), "_"); accessor {
		case "str":
			e.Value.Str(r)
		case "word":
			e.Value.Word(r, "evolve", "sample", "local")
		case "int":
			e.Value.Int(r, AtLeast(1), AtMost(16))
		case "float":
			e.Value.Float(r)
		case "rate":
			e.Value.Float(r, Above(0), Below(1))
		case "inf":
			e.Value.Float(r, Infinite())
		case "bool":
			e.Value.Bool(r)
		case "duration":
			e.Value.Duration(r, AtLeast(1))
		case "list":
			e.Value.List(r)
		case "map":
			e.Value.Map(r)
		case "fields":
			e.Value.Fields(r, "objectives", "limits", "budget")
		case "required":
			e.Value.Required(r, "low", "high")
		case "oneof":
			e.Value.OneOf(r, "int", "float", "choice")
		case "warn":
			r.Warnf(e.Value, "no branch can reach this")
		case "range":
			low, ok := e.Value.Get("low").Int(r)
			high, ok2 := e.Value.Get("high").Int(r)
			if ok && ok2 && high < low {
				r.Errorf(e.Value.Get("high"), "high must be at least low (%d < %d)", high, low)
			}
		}
	}
}
