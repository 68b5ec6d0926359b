//go:build unix

package train

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A worker that is stopped is killed; one that hangs but lives is not, unless it is
// asked for a word.
func TestWorkerIsStopped(t *testing.T) {
	t.Parallel()
	w := newWorker(t, WorkerOptions{Pulse: 2 * time.Second, Grace: 100 * time.Millisecond})
	pid := ask[int](t, w, "pid", nil)
	ctx, cancel := context.WithTimeout(t.Context(), 4500*time.Millisecond)
	defer cancel()
	if _, err := w.Call(ctx, "hang", Message{}, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a call that hangs gave %v, want that its time was over", err)
	}
	gone(t, pid) // killed, since it did not end when it was cancelled
	pid = ask[int](t, w, "pid", nil)
	_, err := w.Call(t.Context(), "until cancelled", Message{}, func(Message) error {
		return syscall.Kill(pid, syscall.SIGSTOP)
	})
	var e *WorkerError
	if !errors.Is(err, ErrSilence) || !errors.As(err, &e) || e.Kind != FailedSilence || !strings.Contains(err.Error(), "no pulse for 2s") {
		t.Errorf("a call that was stopped gave %v", err)
	}
	gone(t, pid)
	ask[int](t, w, "pid", nil)
}

// A program that was stopped itself does not take its worker for dead.
func TestProgramIsStopped(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for seconds")
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), playParent+"=stopped", "GORACE=atexit_sleep_ms=0")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != "begun" {
		t.Errorf("it says %q, want that it has begun", lines.Text())
	}
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Error(err)
	}
	time.Sleep(4 * time.Second)
	if err := cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Error(err)
	}
	if !lines.Scan() || lines.Text() != `"still here" <nil>` {
		t.Errorf("it says %q after it was stopped, want the reply", lines.Text())
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// stopped makes a call of five seconds, with less patience than it is stopped for.
func stopped() {
	w, err := NewWorker(WorkerOptions{Pulse: 1500 * time.Millisecond, Silence: 1500 * time.Millisecond})
	if err != nil {
		panic(err)
	}
	defer w.Close()
	begun := false
	m, err := w.Call(context.Background(), "steady", Message{}, func(Message) error {
		if !begun {
			begun = true
			fmt.Println("begun")
		}
		return nil
	})
	fmt.Printf("%s %v\n", m.Body, err)
}

func init() { programs["stopped"] = stopped }
