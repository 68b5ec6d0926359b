package daedalus_test

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// varying are parts of the output that differ from run to run.
var varying = regexp.MustCompile(`after [0-9.]+[a-zµ0-9.]*|written by \S+`)

// TestReadme runs every console block of the README, in order, in one folder,
// and compares what it prints. A line "…" stands for any lines; "! exit 2"
// after a command says how it must end.
func TestReadme(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the commands of the README")
	}
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("the tour evaluates with Python 3, which is not installed")
	}
	root, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	bin := filepath.Join(dir, "daedalus")
	if runtime.GOOS == "windows" {
		bin += ".exe"
	}
	build := exec.Command("go", "build", "-o", bin, "./cmd/daedalus")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	copyExamples(t, filepath.Join(root, "examples"), filepath.Join(dir, "examples"))
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, block := range regexp.MustCompile("(?s)```console\n(.*?)```").FindAllSubmatch(text, -1) {
		var commands []string
		expect := map[int][]string{}
		for sc := bufio.NewScanner(bytes.NewReader(block[1])); sc.Scan(); {
			line := sc.Text()
			if c, ok := strings.CutPrefix(line, "$ "); ok {
				commands = append(commands, c)
				continue
			}
			expect[len(commands)-1] = append(expect[len(commands)-1], line)
		}
		for i, c := range commands {
			switch {
			case c == "go test ./...", strings.HasPrefix(c, "go build"):
				continue // this is go test, and the program is built
			case strings.Contains(c, "edge-vision"):
				continue // takes minutes, and no two machines measure the same; .ci/run runs less of it
			}
			c = strings.Replace(c, "go run ./cmd/daedalus", "daedalus", 1)
			want, exit := expect[i], 0
			if len(want) > 0 && want[0] == "! exit 2" {
				want, exit = want[1:], 2
			}
			cmd := exec.Command("sh", "-c", c)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"))
			out, err := cmd.CombinedOutput()
			if got := cmd.ProcessState.ExitCode(); got != exit {
				t.Fatalf("$ %s: exit %d, %v\n%s", c, got, err, out)
			}
			if miss := compare(want, strings.Split(strings.TrimRight(string(out), "\n"), "\n")); miss != "" {
				t.Errorf("$ %s: %s\ngot:\n%s", c, miss, out)
			}
			ran++
		}
	}
	if ran < 10 {
		t.Errorf("only %d commands found in the README", ran)
	}
}

// copyExamples copies the study files and what they run, but not what running
// them has left behind.
func copyExamples(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Mkdir(to, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{"*.yaml", "*.py", "*.sh"} {
		paths, err := filepath.Glob(filepath.Join(from, pattern))
		if err != nil || len(paths) == 0 {
			t.Fatalf("no %s in %s: %v", pattern, from, err)
		}
		for _, p := range paths {
			text, err := os.ReadFile(p)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(to, filepath.Base(p)), text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// compare matches lines in order, where "…" skips any number of them.
func compare(want, got []string) string {
	skip := len(want) == 0
	for _, w := range want {
		if w == "…" {
			skip = true
			continue
		}
		w = varying.ReplaceAllString(w, "*")
		found := false
		for len(got) > 0 && !found {
			g := varying.ReplaceAllString(strings.TrimRight(got[0], " "), "*")
			got = got[1:]
			if found = g == w; !found && !skip {
				return "expected the line\n" + w + "\nfound\n" + g
			}
		}
		if !found {
			return "missing the line\n" + w
		}
		skip = false
	}
	if len(got) > 0 && !skip && !(len(got) == 1 && got[0] == "") {
		return "more output than the README shows: " + got[0]
	}
	return ""
}
