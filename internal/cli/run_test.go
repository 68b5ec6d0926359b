package cli

import (
	"bytes"
	"encoding/csv"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daedalus-search/daedalus/store"
)

func TestRun(t *testing.T) {
	t.Parallel()
	script(t, "run")
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	script(t, "mistakes")
}

const slowStudy = `
study: slow
space: {x: {int: [0, 1000]}, y: {float: [0, 1]}}
problem: {command: [sh, eval.sh], metrics: {loss: , size: }}
objectives: [minimize loss, maximize size]
search: {nsga2: {population: 8}}
parallel: 2
budget: {trials: 60}
seed: 9
`

const slowEval = `read -r d
x=${d#*'"x":'}; x=${x%%[,\}]*}
sleep 0.01
echo "loss=$((x * x)) size=$x"
`

// folder makes a folder with a slow study in it.
func folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"slow.yaml": slowStudy, "eval.sh": slowEval} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func daedalus(dir string, args ...string) *exec.Cmd {
	cmd := exec.Command("daedalus", args...)
	cmd.Dir = dir
	return cmd
}

// result returns the trials of a study without what depends on the clock.
func outcomes(t *testing.T, dir string) [][]string {
	t.Helper()
	out, err := daedalus(dir, "trials", "slow.yaml", "--format", "csv").Output()
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(out)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var keep []int
	for i, name := range rows[0] {
		switch name {
		case "seconds", "cost", "started", "finished", "attempt":
		default:
			keep = append(keep, i)
		}
	}
	for i, r := range rows {
		var short []string
		for _, k := range keep {
			short = append(short, r[k])
		}
		rows[i] = short
	}
	return rows
}

// interrupt runs the study, sends it a signal after some trials and returns
// its exit code.
func interrupt(t *testing.T, dir string, after string, sig syscall.Signal) (code int, stderr string) {
	t.Helper()
	cmd := daedalus(dir, "run", "slow.yaml", "-v")
	var all bytes.Buffer
	pipe, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	sent := false
	buf := make([]byte, 4096)
	for {
		n, err := pipe.Read(buf)
		all.Write(buf[:n])
		if !sent && strings.Contains(all.String(), after) {
			sent = true
			if err := cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
		}
		if err != nil {
			break
		}
	}
	if err := cmd.Wait(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		t.Fatal(err)
	}
	if !sent {
		t.Fatalf("no %q in\n%s", after, all.String())
	}
	return cmd.ProcessState.ExitCode(), all.String()
}

// TestStopAndContinue interrupts a study, kills it, continues it, and compares
// it with one that was left alone.
func TestStopAndContinue(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("signals")
	}
	alone, stopped := folder(t), folder(t)
	if out, err := daedalus(alone, "run", "slow.yaml", "-q").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	code, stderr := interrupt(t, stopped, "\ntrial 9 ", syscall.SIGINT)
	if code != exitInterrupted || !strings.Contains(stderr, "Continue with: daedalus run slow.yaml") {
		t.Errorf("after an interrupt: exit code %d, want %d, and how to continue in\n%s", code, exitInterrupted, stderr)
	}
	for _, name := range []string{"slow-trials.csv", "slow-front.csv", "slow-front.json"} {
		if _, err := os.Stat(filepath.Join(stopped, name)); err != nil {
			t.Errorf("after an interrupt: %v", err)
		}
	}
	for _, after := range []string{"\ntrial 19 ", "\ntrial 33 ", "\ntrial 44 "} {
		if code, _ := interrupt(t, stopped, after, syscall.SIGKILL); code == 0 {
			t.Error("the killed run ended well")
		}
	}
	out, err := daedalus(stopped, "run", "slow.yaml").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !strings.Contains(string(out), "continuing after 4") {
		t.Errorf("after the kills the study does not continue where it was:\n%s", out)
	}
	if d := cmp.Diff(outcomes(t, alone), outcomes(t, stopped)); d != "" {
		t.Errorf("the interrupted study has other trials (-alone +stopped)\n%s", d)
	}
	if out, err := daedalus(stopped, "doctor", "slow.yaml").CombinedOutput(); err != nil {
		t.Errorf("doctor: %v\n%s", err, out)
	}
}

// TestLocked has another process own the study.
func TestLocked(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	if out, err := daedalus(dir, "run", "slow.yaml", "-q", "--trials", "3").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	st, err := store.Open(t.Context(), filepath.Join(dir, "slow.db"))
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"run", "slow.yaml"}, {"run", "slow.yaml", "--fresh"}} {
		cmd := daedalus(dir, args...)
		out, _ := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != exitFailed || !strings.Contains(string(out), "in use by process") {
			t.Errorf("%v of a locked study: exit code %d\n%s", args, code, out)
		}
	}
	if out, err := daedalus(dir, "front", "slow.yaml").CombinedOutput(); err != nil {
		t.Errorf("reading a locked study: %v\n%s", err, out)
	}
	// Short calls wait for their turn.
	ask := daedalus(dir, "ask", "slow.yaml")
	var got bytes.Buffer
	ask.Stdout = &got
	if err := ask.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond)
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	if err := ask.Wait(); err != nil || !strings.Contains(got.String(), `"trial":3`) {
		t.Errorf("ask did not wait for the lock: %v %s", err, got.String())
	}
}
