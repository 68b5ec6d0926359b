//go:build unix

package store_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/daedalus-search/daedalus/store"
	"github.com/daedalus-search/daedalus/store/storetest"
)

// The test program runs itself as other processes; what they do is named by
// this variable, and their file by the other one.
const (
	childDoes = "STORE_TEST_CHILD"
	childPath = "STORE_TEST_PATH"
)

func TestMain(m *testing.M) {
	if do := os.Getenv(childDoes); do != "" {
		if err := children[do](os.Getenv(childPath)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

var children = map[string]func(path string) error{
	"write": func(path string) error { return write(path, func() error { return nil }) },
	"steps": func(path string) error {
		left := 0
		return write(path, func() error {
			if left--; left < 0 {
				left = 5
				if _, err := os.Stdin.Read(make([]byte, 1)); err != nil {
					return err
				}
			}
			return nil
		})
	},
	"hold": hold,
	"full": writeUntilFull,
	"read": readOnlyFolder,
}

func child(t testing.TB, do, path string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childDoes+"="+do, childPath+"="+path)
	return cmd
}

// write saves trials, alone and in batches, open ones and finished ones, until
// it may not go on, and prints the first number and the length of every batch of finished
// ones when it is acknowledged.
func write(path string, mayGoOn func() error) error {
	ctx := context.Background()
	st, err := store.Open(ctx, path)
	if errors.Is(err, fs.ErrNotExist) {
		st, err = store.Create(ctx, path, storetest.Study())
	}
	if err != nil {
		return err
	}
	n, err := st.MaxNumber(ctx)
	if err != nil {
		return err
	}
	r := rand.New(rand.NewPCG(uint64(os.Getpid()), 1))
	for n++; ; {
		if err := mayGoOn(); err != nil {
			return err
		}
		batch := benchTrials(r, n, 1+r.IntN(20))
		if r.IntN(2) == 0 {
			begun := benchTrials(r, n, 1)
			begun[0].State, begun[0].TellSeq = store.Running, 0
			if err := st.Save(ctx, begun...); err != nil {
				return err
			}
			if err := st.AddSteps(ctx, n, store.Step{Step: 1}, store.Step{Step: 2}); err != nil {
				return err
			}
		}
		if err := st.Save(ctx, batch...); err != nil {
			return err
		}
		fmt.Println(n, len(batch))
		n += int64(len(batch))
	}
}

// The engine dies at any moment: no acknowledged trial is lost, the file is
// sound, and the next process needs to clean up nothing.
func TestKill(t *testing.T) {
	t.Parallel()
	rounds := 25
	if testing.Short() {
		rounds = 5
	}
	path := newPath(t)
	r := rand.New(rand.NewPCG(3, 4))
	acknowledged := map[int64]bool{}
	for round := range rounds {
		cmd := child(t, "write", path)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// Sometimes while it starts, mostly while it writes.
		var kill *time.Timer
		killSoon := func() {
			kill = time.AfterFunc(time.Duration(r.IntN(120))*time.Millisecond, func() { cmd.Process.Kill() })
		}
		if round%4 == 0 {
			killSoon()
		}
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if kill == nil {
				killSoon()
			}
			first, n := parseBatch(t, lines.Text())
			for i := range n {
				acknowledged[first+i] = true
			}
		}
		if kill != nil {
			kill.Stop()
		}
		if err := cmd.Wait(); err == nil || cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("round %d: the writer ended by itself: %v: %s", round, err, stderr.String())
		}
		st, err := store.Open(t.Context(), path)
		if errors.Is(err, fs.ErrNotExist) && len(acknowledged) == 0 {
			continue // killed before the study was there
		}
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if err := st.Check(t.Context()); err != nil {
			t.Errorf("round %d: %v", round, err)
		}
		trials, err := all(st)
		if err != nil {
			t.Fatal(err)
		}
		for n := range acknowledged {
			if int64(len(trials)) <= n || trials[n].Number != n || trials[n].State != store.Complete {
				t.Fatalf("round %d: trial %d, one of %d acknowledged ones, is lost", round, n, len(acknowledged))
			}
		}
		mustClose(t, st)
	}
	if len(acknowledged) == 0 {
		t.Error("no writer ever came to write")
	}
	t.Logf("%d trials acknowledged in %d rounds", len(acknowledged), rounds)
}

func parseBatch(t testing.TB, line string) (first, n int64) {
	t.Helper()
	if _, err := fmt.Sscan(line, &first, &n); err != nil {
		t.Fatalf("the writer printed %q: %v", line, err)
	}
	return first, n
}

func hold(path string) error {
	if _, err := store.Open(context.Background(), path); err != nil {
		return err
	}
	fmt.Println("held")
	select {}
}

// A second process is told who has the study; the lock ends with its process.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	st := create(t, path)
	if err := st.Save(t.Context(), store.Trial{State: store.Running}); err != nil {
		t.Fatal(err)
	}
	// One process twice is as bad as two processes.
	_, err := store.Open(t.Context(), path)
	var locked *store.LockedError
	if !errors.As(err, &locked) || locked.PID != os.Getpid() {
		t.Errorf("Open twice in one process = %v", err)
	}
	mustClose(t, st)

	cmd := child(t, "hold", path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "held\n" {
		t.Fatalf("the other process said %q, %v", line, err)
	}
	_, err = store.Open(t.Context(), path)
	if !errors.As(err, &locked) || !errors.Is(err, store.ErrLocked) {
		t.Fatalf("Open of a held study = %v, want a LockedError", err)
	}
	host, _ := os.Hostname()
	if locked.PID != cmd.Process.Pid || locked.Host != host || locked.Path != path || time.Since(locked.Since) > time.Minute {
		t.Errorf("the lock names %+v, want process %d on %s", locked, cmd.Process.Pid, host)
	}
	for _, want := range []string{fmt.Sprintf("process %d on %s", cmd.Process.Pid, host), "stop it", "reading", filepath.Base(os.Args[0])} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the message %q does not say %q", err, want)
		}
	}
	r, err := store.OpenRead(t.Context(), path)
	if err != nil {
		t.Fatalf("OpenRead of a held study = %v", err)
	}
	if n, err := r.MaxNumber(t.Context()); n != 0 || err != nil {
		t.Errorf("MaxNumber() = %d, %v", n, err)
	}
	mustClose(t, r)

	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if _, err := os.Stat(path + ".lock"); err != nil {
		t.Errorf("the dead process left no lock file, so this tests nothing: %v", err)
	}
	if st, err = store.Open(t.Context(), path); err != nil {
		t.Fatalf("Open after the owner died = %v", err)
	}
	mustClose(t, st)
}

// Readers in another process see only whole batches, and never fail. Every
// page of their trials is as of one moment, in which only the newest trial may
// run.
func TestReadWhileWritten(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	mustClose(t, create(t, path))
	cmd := child(t, "steps", path)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	lines := bufio.NewScanner(out)
	var r *store.SQLite
	rounds := 30
	if testing.Short() {
		rounds = 8
	}
	for round := range rounds {
		// It may write a few batches, while we read.
		if _, err := in.Write([]byte{1}); err != nil {
			t.Fatalf("the writer ended: %v: %s", err, stderr.String())
		}
		if !lines.Scan() {
			t.Fatalf("the writer ended: %s", stderr.String())
		}
		first, n := parseBatch(t, lines.Text())
		acknowledged := first + n
		if round%5 == 0 { // a new reader now and then
			if r != nil {
				mustClose(t, r)
			}
			if r, err = store.OpenRead(t.Context(), path); err != nil {
				t.Fatal(err)
			}
		}
		trials, err := all(r)
		if err != nil {
			t.Fatal(err)
		}
		if int64(len(trials)) < acknowledged {
			t.Fatalf("%d trials were acknowledged, the reader sees %d", acknowledged, len(trials))
		}
		for i, x := range trials {
			last := i == len(trials)-1 || i%store.PageSize == store.PageSize-1
			if x.Number != int64(i) || !last && x.State != store.Complete {
				t.Fatalf("the reader sees trial %d as %v at place %d of %d", x.Number, x.State, i, len(trials))
			}
		}
		if err := r.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	mustClose(t, r)
}

// writeUntilFull writes under a limit on the size of files, which the system
// reports as an error SQLite does not know as a full disk.
func writeUntilFull(path string) error {
	signal.Ignore(syscall.SIGXFSZ)
	ctx := context.Background()
	st, err := store.Open(ctx, path)
	if err != nil {
		return err
	}
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &old); err != nil {
		return err
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 1 << 20, Max: old.Max}); err != nil {
		return err
	}
	n, err := fill(st)
	if !errors.Is(err, store.ErrDiskFull) || !strings.Contains(err.Error(), "free some space") {
		return fmt.Errorf("after %d trials: %w, want ErrDiskFull", n, err)
	}
	if got, err := all(st); err != nil || int64(len(got)) != n {
		return fmt.Errorf("%d trials were acknowledged, %d are there: %w", n, len(got), err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &old); err != nil {
		return err
	}
	if err := st.Save(ctx, benchTrials(rand.New(rand.NewPCG(1, 1)), n, 50)...); err != nil {
		return fmt.Errorf("save after there was room again: %w", err)
	}
	if err := st.Check(ctx); err != nil {
		return err
	}
	fmt.Println(n + 50)
	return st.Close()
}

// fill saves batches until one fails, and returns how many trials were
// acknowledged.
func fill(st store.Store) (n int64, err error) {
	r := rand.New(rand.NewPCG(1, 1))
	for n < 100_000 {
		if err := st.Save(context.Background(), benchTrials(r, n, 50)...); err != nil {
			return n, err
		}
		n += 50
	}
	return n, nil
}

func TestFileSizeLimit(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	mustClose(t, create(t, path))
	out, err := child(t, "full", path).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	want, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	if err != nil {
		t.Fatalf("the other process said %q", out)
	}
	st, err := store.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := st.MaxNumber(t.Context()); n+1 != want || want < 100 || err != nil {
		t.Errorf("%d trials, %v, want %d", n+1, err, want)
	}
	mustClose(t, st)
}

// readOnlyFolder reads a study whose folder it may not write.
func readOnlyFolder(path string) error {
	ctx := context.Background()
	if f, err := os.Create(filepath.Join(filepath.Dir(path), "x")); err == nil {
		f.Close()
		return fmt.Errorf("the folder is writable, so this tests nothing")
	}
	if _, err := store.Open(ctx, path); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "reading needs no lock") {
		return fmt.Errorf("open for writing: %w, want a permission error that says what works", err)
	}
	st, err := store.OpenRead(ctx, path)
	if err != nil {
		return err
	}
	trials, err := all(st)
	if err != nil {
		return err
	}
	fmt.Println(len(trials))
	if err := st.Check(ctx); err != nil {
		return err
	}
	return st.Close()
}

func TestReadOnlyFolder(t *testing.T) {
	t.Parallel()
	// Root may write anywhere, so the reader is nobody; it must be able to
	// come to the file and to this program.
	dir, err := os.MkdirTemp("", "store")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = os.Chmod(dir, 0o777)
		_ = os.RemoveAll(dir)
	})
	path := filepath.Join(dir, "study.daedalus")
	st := create(t, path)
	if err := st.Save(t.Context(), benchTrials(rand.New(rand.NewPCG(1, 1)), 0, 30)...); err != nil {
		t.Fatal(err)
	}
	mustClose(t, st)
	exe := filepath.Join(dir, "program")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(exe, b, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Chmod(path, 0o444), os.Chmod(dir, 0o555)); err != nil {
		t.Fatal(err)
	}
	run := func() (string, error) {
		cmd := child(t, "read", path)
		cmd.Path, cmd.Dir = exe, dir
		if os.Geteuid() == 0 {
			if runtime.GOOS != "linux" {
				t.Skip("needs another user")
			}
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		}
		out, err := cmd.CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}
	if out, err := run(); out != "30" || err != nil {
		t.Errorf("reading in a folder that is not writable = %q, %v", out, err)
	}
	// Trials in a log that cannot be used are not left out silently.
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+"-wal", []byte(strings.Repeat("log", 1000)), 0o444); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	if out, err := run(); err == nil || !strings.Contains(out, "copy both to another folder") {
		t.Errorf("reading with a log in a folder that is not writable = %q, %v", out, err)
	}
}
