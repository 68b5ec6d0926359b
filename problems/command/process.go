package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/daedalus-search/daedalus/internal/process"
	"github.com/daedalus-search/daedalus/problem"
)

const (
	// drain is how long a program that has ended may leave standard output open:
	// bash's >(tee log) still copies then.
	drain = 500 * time.Millisecond

	// unkillable is how long a killed program may take to end before it is left
	// alone: one that hangs in the kernel, on a dead network disk, never ends.
	unkillable = 10 * time.Second
)

var errTimeout = errors.New("timeout")

// An ending says how a program ended.
type ending struct {
	start     error // it could not be started
	cause     error // why it was ended; nil if it ended by itself
	forced    bool  // SIGTERM was not enough
	abandoned bool  // SIGKILL was not enough
	wait      error // the operating system lost it
	state     *os.ProcessState
	stderr    string
}

// run starts the program, feeds out, and returns when it and its process group
// have ended.
func (p *Problem) run(ctx context.Context, path string, design *os.File, env []string, out *output) ending {
	outR, outW, err := os.Pipe()
	if err != nil {
		return ending{start: err}
	}
	defer outR.Close()
	errR, errW, err := os.Pipe()
	if err != nil {
		outW.Close()
		return ending{start: err}
	}
	defer errR.Close()

	cmd := &exec.Cmd{
		Path: path, Args: p.options.Command, Dir: p.options.Dir,
		Env:   p.environment(ctx, design.Name(), env),
		Stdin: design, Stdout: outW, Stderr: errW,
	}
	group := process.NewGroup(cmd)
	err = cmd.Start()
	outW.Close()
	errW.Close()
	if err != nil {
		return ending{start: err}
	}
	group.Started()
	defer group.Close()

	stop := make(chan error, 1) // the first reason in the output to end it
	errs := &process.Tail{Limit: p.options.StderrTail}
	var readers sync.WaitGroup
	readers.Go(func() {
		if err := copyTo(out, outR); err != nil {
			stop <- err
			_ = copyTo(discard{}, outR) // it must not block on a full pipe while it ends
		}
	})
	readers.Go(func() { _ = copyTo(errs, errR) })
	read := make(chan struct{})
	go func() { readers.Wait(); close(read) }()

	// exited is closed when the program has ended, reaped when the operating
	// system has forgotten it. Until then nobody else gets its process id, so
	// the group can be killed safely.
	exited, reap, reaped := make(chan struct{}), make(chan struct{}), make(chan struct{})
	var end ending
	go func() {
		defer close(reaped)
		if group.AwaitExit() {
			close(exited)
			<-reap
		}
		err := cmd.Wait()
		var bad *exec.ExitError
		if err != nil && !errors.As(err, &bad) {
			end.wait = err
		}
		end.state = cmd.ProcessState
		select {
		case <-exited:
		default:
			close(exited)
		}
	}()

	var timeout <-chan time.Time
	if p.options.Timeout > 0 {
		t := time.NewTimer(p.options.Timeout)
		defer t.Stop()
		timeout = t.C
	}
	var cause error
	select {
	case <-exited:
	case <-ctx.Done():
		cause = ctx.Err()
	case <-timeout:
		cause = errTimeout
	case cause = <-stop:
	}
	var forced bool
	if cause != nil {
		group.Terminate()
		if !within(p.options.Grace, exited) {
			forced = true
			group.Kill()
			if !within(unkillable, exited) {
				close(reap)
				return ending{cause: cause, abandoned: true, stderr: "", state: nil}
			}
		}
	} else {
		select {
		case <-read:
		case <-ctx.Done():
		case <-time.After(drain):
		}
	}
	group.Kill()
	if !within(drain, read) { // held by a process that left the group
		outR.Close()
		errR.Close()
		<-read
	}
	close(reap)
	<-reaped
	if cause == nil {
		select {
		case cause = <-stop:
		default:
		}
	}
	if cause == nil {
		cause = out.finish()
	}
	end.cause, end.forced, end.stderr = cause, forced, errs.String()
	return end
}

func within(d time.Duration, done <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-done:
		return true
	case <-t.C:
		return false
	}
}

// copyTo copies until the end, or until w fails, whose error it returns. That
// the reader was closed is an end too.
func copyTo(w io.Writer, r io.Reader) error {
	buf := make([]byte, 32<<10)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			if _, err := w.Write(buf[:n]); err != nil {
				return err
			}
		}
		if err != nil {
			return nil
		}
	}
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

// lookUp finds a program as the program's own environment would.
func lookUp(name, dir string, env []string, fail func(error) (string, error)) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil && !filepath.IsAbs(name) {
		for i := len(env) - 1; i >= 0; i-- { // the last one counts
			list, ok := strings.CutPrefix(env[i], "PATH=")
			if !ok {
				continue
			}
			for _, d := range filepath.SplitList(list) {
				if !filepath.IsAbs(d) {
					d = filepath.Join(dir, d)
				}
				if found, e := exec.LookPath(filepath.Join(d, name)); e == nil {
					return found, nil
				}
			}
			break
		}
	}
	if err == nil {
		return path, nil
	}
	var not *exec.Error
	if errors.As(err, &not) {
		err = not.Err
	}
	switch {
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		where := "in PATH"
		if filepath.IsAbs(name) {
			where = "there"
		}
		return fail(fmt.Errorf("program %q: found nothing of that name %s, want a program: %w", name, where, err))
	case errors.Is(err, fs.ErrPermission):
		return fail(fmt.Errorf("program %q: found a file that may not be executed; make it executable, or name its interpreter first: %w", name, err))
	}
	return fail(fmt.Errorf("program %q: %w", name, err))
}

// startClass says whether starting a program again may help.
func startClass(err error) problem.Class {
	for _, e := range []error{syscall.EAGAIN, syscall.ENOMEM, syscall.EMFILE, syscall.ENFILE, process.TextBusy} {
		if errors.Is(err, e) {
			return problem.ClassTransient
		}
	}
	return problem.ClassPermanent
}
