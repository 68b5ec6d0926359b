//go:build unix

package command

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/daedalus-search/daedalus/problem"
)

func init() {
	programs["daemon"] = func() { // leaves a child that leaves the process group too
		c := child("nap", &syscall.SysProcAttr{Setsid: true})
		_ = c.Process.Release()
		os.Stdout.WriteString("runtime=1\n")
	}
	programs["nap"] = func() { time.Sleep(5 * time.Second) }
	programs["segv"] = func() {
		_ = syscall.Kill(syscall.Getpid(), syscall.SIGSEGV)
		forever()
	}
}

// gone waits until a process is no more.
func gone(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
			return
		}
		// Nobody may reap an orphan inside a container: a zombie is gone as well.
		if stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat")); err == nil {
			if _, rest, ok := strings.Cut(string(stat), ") "); ok && strings.HasPrefix(rest, "Z") {
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("process %d still runs", pid)
		}
	}
}

func TestDiesBySignal(t *testing.T) {
	t.Parallel()
	e := evalError(t, newPlay(t, "signal"), t.Context(), nil)
	if e.Class != problem.ClassCrash || e.ExitCode != 0 || !strings.Contains(e.Error(), "died by signal SIGKILL (killed)") {
		t.Errorf("%s, exit code %d: %v", e.Class, e.ExitCode, e)
	}
}

func TestStubbornProgramIsKilled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	r := &reporter{first: make(chan struct{})} // it ignores SIGTERM when it reports
	go func() { <-r.first; cancel() }()
	_, err := newPlay(t, "stubborn", grace(50*time.Millisecond)).Evaluate(ctx, design(t), r)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "had to be killed") {
		t.Errorf("Evaluate = %v", err)
	}
}

func TestPoliteProgramMayTidyUp(t *testing.T) {
	t.Parallel()
	// The deadline comes from the report, after which the handler is in place.
	p := newPlay(t, "polite", grace(time.Minute))
	r := &reporter{prune: 1, err: errors.New("enough")}
	start := time.Now()
	_, err := p.Evaluate(t.Context(), design(t), r)
	if err == nil || strings.Contains(err.Error(), "killed") || time.Since(start) > 30*time.Second {
		t.Errorf("Evaluate = %v after %v", err, time.Since(start))
	}
}

func TestChildrenAreKilled(t *testing.T) {
	t.Parallel()
	// The program is ended: its child goes with it, though it ignores SIGTERM.
	e := evalError(t, newPlay(t, "fork and hang", timeout(500*time.Millisecond)), t.Context(), nil)
	pid, err := strconv.Atoi(strings.TrimSpace(e.Stderr))
	if err != nil {
		t.Fatalf("standard error %q: %v", e.Stderr, err)
	}
	gone(t, pid)
}

func TestChildThatKeepsTheOutputOpen(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"fork", "daemon"} {
		start := time.Now()
		v, err := newPlay(t, name).Evaluate(t.Context(), design(t), nil)
		if err != nil || v["runtime"] != 1 {
			t.Errorf("%s: Evaluate = %v, %v", name, v, err)
		}
		if d := time.Since(start); d > 4*time.Second {
			t.Errorf("%s: took %v", name, d)
		}
	}
}

// A script that copies its output with a background process loses nothing.
func TestProcessSubstitution(t *testing.T) {
	t.Parallel()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("needs bash")
	}
	p := newPlay(t, "square", func(o *Options) {
		o.Command = []string{bash, "-c", `exec > >(sleep 0.1; cat); read design; echo "design $design"; echo runtime=3`}
	})
	if v, err := p.Evaluate(t.Context(), design(t), nil); err != nil || v["runtime"] != 3 {
		t.Errorf("Evaluate = %v, %v", v, err)
	}
}

func TestShellScript(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	script := "#!/bin/sh\nread -r design\necho \"got $design\"\ntest \"$design\" = \"$(cat \"$DAEDALUS_DESIGN\")\" && echo runtime: 4 ms\n"
	// Written by another process: a fork elsewhere in this test binary while
	// the file is open for writing here would make it busy.
	write := exec.Command("sh", "-c", `printf %s "$1" > "$0" && chmod +x "$0"`, filepath.Join(dir, "evaluate"), script)
	if out, err := write.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	p := newPlay(t, "square", func(o *Options) { o.Command = []string{"./evaluate"}; o.Dir = dir })
	if v, err := p.Evaluate(t.Context(), design(t), nil); err != nil || v["runtime"] != 4 {
		t.Errorf("Evaluate = %v, %v", v, err)
	}
	p = newPlay(t, "square", func(o *Options) { o.Command = []string{"evaluate"}; o.Env["PATH"] = dir })
	if v, err := p.Evaluate(t.Context(), design(t), nil); err == nil {
		_ = v // sh finds its own commands or not, depending on the system
	} else if problem.ClassOf(err) == problem.ClassPermanent {
		t.Errorf("a program in the PATH of env was not found: %v", err)
	}
}
