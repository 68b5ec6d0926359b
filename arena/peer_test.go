package arena

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/daedalus-search/daedalus/space"
)

// peerMode makes this test binary play a program that searches, well or badly.
const peerMode = "DAEDALUS_TEST_PEER"

func TestMain(m *testing.M) {
	if mode := os.Getenv(peerMode); mode != "" {
		peerMain(mode)
		os.Exit(0)
	}
	if dir := os.Getenv(victimDir); dir != "" {
		victim(dir)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// peerMain draws flat designs at random until its mode makes it misbehave.
func peerMain(mode string) {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<24)
	say := func(format string, args ...any) { fmt.Printf(format+"\n", args...) }
	r := rand.New(rand.NewPCG(1, 1))
	asks := 0
	var h struct {
		Params []struct {
			Name      string
			Type      string
			Low, High float64
			Step      float64
			Values    []any
			Size      []int
		}
	}
	fmt.Fprintln(os.Stderr, "a word from", mode)
	if pids := os.Getenv("DAEDALUS_TEST_PIDS"); pids != "" {
		_ = os.WriteFile(filepath.Join(pids, strconv.Itoa(os.Getpid())), nil, 0o666)
	}
	for in.Scan() {
		var m struct {
			Type string
			N    int
		}
		_ = json.Unmarshal(in.Bytes(), &m)
		switch m.Type {
		case "hello":
			_ = json.Unmarshal(in.Bytes(), &h)
			switch mode {
			case "silent":
				time.Sleep(time.Hour)
			case "unfit":
				say(`{"type": "unfit", "reason": "not my kind of problem"}`)
				return
			case "noise":
				say("Hello! This is a library with a banner.")
			case "early":
				os.Exit(7)
			case "child": // leaves a process that holds its pipes
				cmd := exec.Command("sleep", "3600")
				cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
				_ = cmd.Start()
				_ = os.WriteFile(filepath.Join(os.Getenv("DAEDALUS_TEST_PIDS"), "child"), []byte(strconv.Itoa(cmd.Process.Pid)), 0o666)
			}
			say(`{"type": "ready", "name": "fake", "version": "1", "batch": 3, "reuse": %t}`, mode == "reuse")
		case "ask":
			asks++
			n := m.N
			if asks > 3 {
				switch mode {
				case "hang":
					time.Sleep(time.Hour)
				case "die":
					os.Exit(3)
				case "killed":
					self, _ := os.FindProcess(os.Getpid())
					_ = self.Kill()
				case "json":
					say("}{")
					continue
				case "type":
					say(`{"type": "ok"}`)
					continue
				case "none":
					say(`{"type": "designs", "designs": []}`)
					continue
				case "many":
					n += 5
				case "range":
					say(`{"type": "designs", "designs": [{"x1": 1e9}]}`)
					continue
				case "unknown":
					say(`{"type": "designs", "designs": [{"x1": 0, "x2": 0, "x3": 0, "nonsense": 1}]}`)
					continue
				case "missing":
					say(`{"type": "designs", "designs": [{"x1": 0}]}`)
					continue
				case "done":
					say(`{"type": "done"}`)
					continue
				case "error":
					say(`{"type": "error", "reason": "I give up"}`)
					return
				case "endless": // a line that never ends
					for {
						if _, err := os.Stdout.WriteString(strings.Repeat("x", 1<<20)); err != nil {
							return
						}
					}
				}
			}
			designs := make([]map[string]any, n)
			for i := range designs {
				d := map[string]any{}
				for _, p := range h.Params {
					switch p.Type {
					case "float":
						d[p.Name] = p.Low + r.Float64()*(p.High-p.Low)
					case "int":
						d[p.Name] = p.Low + float64(r.IntN(int((p.High-p.Low)/p.Step)+1))*p.Step
					case "subset":
						k := p.Size[0] + r.IntN(p.Size[1]-p.Size[0]+1)
						items := []any{}
						for _, at := range r.Perm(len(p.Values))[:k] {
							items = append(items, p.Values[at])
						}
						d[p.Name] = items
					case "permutation":
						items := []any{}
						for _, at := range r.Perm(len(p.Values)) {
							items = append(items, p.Values[at])
						}
						d[p.Name] = items
					default:
						d[p.Name] = p.Values[r.IntN(len(p.Values))]
					}
				}
				designs[i] = d
			}
			text, _ := json.Marshal(designs)
			say(`{"type": "designs", "designs": %s}`, text)
		case "tell":
			if mode == "tell" && asks > 2 {
				say(`{"type": "error", "reason": "cannot learn from that"}`)
				return
			}
			say(`{"type": "ok"}`)
		}
	}
	if mode == "lingers" {
		time.Sleep(time.Hour)
	}
}

// peers is an arena of fake programs on the sphere.
func peers(t *testing.T, timeout string, modes ...string) *File {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text := "problems: [{sphere: {dims: 3}}]\nseeds: 2\nbudget: {trials: 30}\nsearchers:\n  - regularized\n"
	for _, m := range modes {
		text += fmt.Sprintf("  - {peer: {command: [%q], timeout: %s, env: {%s: %s, DAEDALUS_TEST_PIDS: %q}}, label: %s}\n", self, timeout, peerMode, m, t.TempDir(), m)
	}
	f, err := Parse("peers.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestHostilePeers(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts many processes")
	}
	wants := map[string]struct {
		status Status
		reason string
	}{
		"good":    {Done, ""},
		"reuse":   {Done, ""},
		"lingers": {Done, ""},
		"done":    {Done, "nothing left"},
		"unfit":   {Unfit, "not my kind of problem"},
		"silent":  {Failed, "no answer within"},
		"hang":    {Failed, "no answer within"},
		"noise":   {Failed, "expected a message of type ready or unfit"},
		"early":   {Failed, "exit code 7"},
		"die":     {Failed, "exit code 3"},
		"killed":  {Failed, "SIGKILL"},
		"json":    {Failed, "expected a message of type designs or done"},
		"type":    {Failed, "expected a message of type designs or done"},
		"none":    {Failed, "0 designs; expected 1 to 3"},
		"many":    {Failed, "8 designs; expected 1 to 3"},
		"range":   {Failed, "expected a number from -5.12 to 5.12"},
		"unknown": {Failed, `"nonsense" is no parameter`},
		"missing": {Failed, "x2: no value"},
		"error":   {Failed, "I give up"},
		"tell":    {Failed, "cannot learn from that"},
		"endless": {Failed, "an answer of more than"},
		"child":   {Done, ""},
	}
	if runtime.GOOS == "windows" {
		delete(wants, "killed") // there are no signals
	}
	var modes []string
	for m := range wants {
		modes = append(modes, m)
	}
	f := peers(t, "4s", modes...)
	res, err := f.Run(t.Context(), Options{Parallel: 8})
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Rows) != 2*(len(wants)+2) {
		t.Errorf("%d runs, want %d", len(res.Rows), 2*(len(wants)+2))
	}
	for _, r := range res.Rows {
		want, ok := wants[r.Searcher]
		if !ok {
			if r.Status != Done {
				t.Errorf("%s: %s: %s", r.Searcher, r.Status, r.Reason)
			}
			continue
		}
		if r.Status != want.status || !strings.Contains(r.Reason, want.reason) {
			t.Errorf("%s: %s: %q, want %s with %q", r.Searcher, r.Status, r.Reason, want.status, want.reason)
		}
		if r.Status == Failed && !strings.Contains(r.Stderr, "a word from "+r.Searcher) {
			t.Errorf("%s: standard error %q", r.Searcher, r.Stderr)
		}
		if r.Status == Done && (len(r.Best) == 0 || r.Best[len(r.Best)-1] != r.Best[len(r.Best)-1]) {
			t.Errorf("%s: found %v", r.Searcher, r.Best)
		}
	}
	// Nothing that they started is left, and who can be used again was.
	for _, s := range f.Searchers {
		if s.Peer == nil {
			continue
		}
		dir := s.Peer.Env["DAEDALUS_TEST_PIDS"]
		files, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		started := 0
		for _, e := range files {
			name := e.Name()
			if name == "child" {
				text, _ := os.ReadFile(filepath.Join(dir, name))
				name = string(text)
			} else {
				started++
			}
			if pid, err := strconv.Atoi(name); err == nil && alive(pid) {
				t.Errorf("%s: process %d still runs", s.Label, pid)
			}
		}
		if s.Label == "good" && started != 2 {
			t.Errorf("%s was started %d times for two runs", s.Label, started)
		}
	}
	a, err := Analyse(t.Context(), f, res)
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Failures) < 20 {
		t.Errorf("%d failures reported", len(a.Failures))
	}
}

// A program that takes part in another run is not started for it.
func TestPeersAreReused(t *testing.T) {
	t.Parallel()
	f := peers(t, "20s", "reuse")
	if _, err := f.Run(t.Context(), Options{Parallel: 1}); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(f.Searchers[2].Peer.Env["DAEDALUS_TEST_PIDS"])
	if err != nil || len(files) != 1 {
		t.Errorf("started %d times, want once; %v", len(files), err)
	}
}

func alive(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil { // gone, or a system without /proc
		return false
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	return !strings.HasPrefix(rest, "Z")
}

// Flat designs are those of the space, whatever it is made of.
func TestFlatDesigns(t *testing.T) {
	t.Parallel()
	s, err := space.Parse("space", []byte(`
space:
  lr: {float: [1e-5, 0.1], log: true}
  width: {int: [8, 64], step: 8}
  ratio: {float: [0, 1], step: 0.25}
  level: {ordinal: [1, 2, 4]}
  fast: bool
  block:
    choice:
      conv: {kernel: {ordinal: [3, 5]}}
      skip: {}
  extra: {int: [1, 3], when: fast}
  some: {subset: [a, b, c], size: [1, 2]}
  order: {permutation: [x, y, z]}
  inner: {group: {deep: {float: [-1, 1]}}}
`))
	if err != nil {
		t.Fatal(err)
	}
	ps := parameters(s)
	if len(ps) != 11 {
		t.Fatalf("parameters %+v", ps)
	}
	for _, p := range ps {
		switch p.Name {
		case "block.conv.kernel":
			if p.In == nil || p.In.Name != "block" || p.In.Value != "conv" {
				t.Errorf("%s is in %+v", p.Name, p.In)
			}
		case "extra":
			if p.When == "" {
				t.Errorf("%s has no condition", p.Name)
			}
		}
	}
	flat := map[string]any{
		"lr": 0.1 + 1e-12, "width": 24.0, "ratio": 0.75, "level": 4.0, "fast": true, "block": "conv", "block.conv.kernel": 5.0, "extra": 2.0,
		"some": []any{"c", "a"}, "order": []any{"z", "x", "y"}, "inner.deep": -1.0,
	}
	d, err := fromFlat(s, flat)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"lr":0.1,"width":24,"ratio":0.75,"level":4,"fast":true,"block":{"conv":{"kernel":5}},"extra":2,"some":["a","c"],"order":["z","x","y"],"inner":{"deep":-1}}`
	if d.String() != want {
		t.Errorf("design %s\nwant   %s", d, want)
	}
	for name, bad := range map[string]map[string]any{
		"not an option":  {"block": "pool"},
		"a number":       {"lr": "fast"},
		"beyond":         {"lr": 0.2},
		"between steps":  {"width": 20.0},
		"too many items": {"some": []any{"a", "b", "c"}},
		"no item":        {"some": []any{"a", "d"}},
		"twice":          {"order": []any{"x", "x", "y"}},
		"too short":      {"order": []any{"x"}},
	} {
		m := map[string]any{}
		for k, v := range flat {
			m[k] = v
		}
		for k, v := range bad {
			m[k] = v
		}
		if d, err := fromFlat(s, m); err == nil {
			t.Errorf("%s: made %s", name, d)
		}
	}
	// What is not active is not looked at.
	flat["block"], flat["fast"], flat["extra"] = "skip", false, "anything"
	if _, err := fromFlat(s, flat); err != nil {
		t.Error(err)
	}
	if s, err := space.Parse("space", []byte("space: {layers: {repeat: [1, 3], of: {w: {int: [1, 2]}}}}")); err != nil || parameters(s) != nil {
		t.Errorf("a repeat as parameters; %v", err)
	}
}
