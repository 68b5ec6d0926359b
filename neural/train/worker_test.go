package train

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/daedalus-search/daedalus/neural/train/engine"
)

// The test binary is also the program with workers, and the worker. With this variable
// it is one of the programs.
const playParent = "TRAIN_TEST_PARENT"

var programs = map[string]func(){
	"idle":    func() { parent(false) },
	"hanging": func() { parent(true) },
}

func TestMain(m *testing.M) {
	h := testHandlers()
	maps.Copy(h, moreHandlers)
	Main(h)
	if name := os.Getenv(playParent); name != "" {
		programs[name]()
		return
	}
	goleak.VerifyTestMain(m)
}

// moreHandlers are those of examples.
var moreHandlers Handlers

func forever() { time.Sleep(time.Hour) }

// testHandlers are what workers of the tests can do.
func testHandlers() Handlers {
	kept := 0
	return Handlers{
		"pid": func(context.Context, *Call) (Message, error) { return Pack(os.Getpid()) },
		"keep": func(_ context.Context, c *Call) (Message, error) {
			var n int
			if err := c.Unpack(&n); err != nil {
				return Message{}, err
			}
			kept += n
			return Pack(kept)
		},
		"echo": func(_ context.Context, c *Call) (Message, error) { return c.Message, nil },
		"count": func(_ context.Context, c *Call) (Message, error) {
			for i := range 3 {
				m, err := Pack(i, []byte{byte(i)})
				if err != nil {
					return Message{}, err
				}
				if err := c.Report(m); err != nil {
					return Message{}, err
				}
			}
			return Pack("counted")
		},
		"until cancelled": func(ctx context.Context, c *Call) (Message, error) {
			for i := 0; ; i++ {
				m, err := Pack(i)
				if err != nil {
					return Message{}, err
				}
				if err := c.Report(m); err != nil {
					return Message{}, err
				}
				time.Sleep(time.Millisecond)
			}
		},
		"exit": func(context.Context, *Call) (Message, error) {
			fmt.Fprintln(os.Stderr, "last words")
			os.Exit(3)
			panic("unreachable")
		},
		"panic": func(context.Context, *Call) (Message, error) { panic("out of ideas") },
		"panic at length": func(context.Context, *Call) (Message, error) {
			fmt.Fprintln(os.Stderr, "panic: no more ideas")
			for i := range 10_000 {
				fmt.Fprintln(os.Stderr, "goroutine", i)
			}
			os.Exit(2)
			panic("unreachable")
		},
		"goroutine dies": func(context.Context, *Call) (Message, error) {
			go panic("in a goroutine")
			forever()
			return Message{}, nil
		},
		"kill": func(context.Context, *Call) (Message, error) {
			p, err := os.FindProcess(os.Getpid())
			if err != nil {
				return Message{}, err
			}
			if err := p.Kill(); err != nil {
				return Message{}, err
			}
			forever()
			return Message{}, nil
		},
		"hang": func(context.Context, *Call) (Message, error) { forever(); return Message{}, nil },
		"alive": func(_ context.Context, c *Call) (Message, error) {
			for range 60 {
				time.Sleep(10 * time.Millisecond)
				c.Alive()
			}
			return Pack("still here")
		},
		"steady": func(_ context.Context, c *Call) (Message, error) {
			for range 100 {
				time.Sleep(50 * time.Millisecond)
				if err := c.Report(Message{}); err != nil {
					return Message{}, err
				}
			}
			return Pack("still here")
		},
		"hog": func(context.Context, *Call) (Message, error) {
			var held [][]byte
			for range 1 << 12 {
				b := make([]byte, 4<<20)
				for i := 0; i < len(b); i += 4096 {
					b[i] = 1
				}
				held = append(held, b)
				time.Sleep(time.Millisecond)
			}
			return Pack(len(held))
		},
		"print": func(context.Context, *Call) (Message, error) {
			fmt.Println("a library that prints to standard output")
			// what code in C would do
			_, _ = os.NewFile(1, "output").WriteString("and one that knows no os.Stdout\n")
			return Pack("printed")
		},
		"close output": func(context.Context, *Call) (Message, error) {
			for fd := 3; fd < 64; fd++ { // the pipe that is open for writing
				to, _ := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
				info, _ := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", fd))
				if strings.HasPrefix(to, "pipe:") && regexp.MustCompile(`flags:\s+0\d*1\n`).Match(info) {
					_ = os.NewFile(uintptr(fd), to).Close()
				}
			}
			forever()
			return Message{}, nil
		},
		"fail": func(_ context.Context, c *Call) (Message, error) {
			var what string
			if err := c.Unpack(&what); err != nil {
				return Message{}, err
			}
			switch what {
			case "memory":
				return Message{}, fmt.Errorf("step 7: %w", engine.ErrMemory)
			case "diverged":
				return Message{}, fmt.Errorf("trial 3: %w", &DivergedError{2, 70, 100, math.NaN(), math.Inf(1), 0.4})
			}
			return Message{}, errors.New(what)
		},
		"fit": fitInWorker,
		"fork": func(context.Context, *Call) (Message, error) {
			cmd := exec.Command("sleep", "3600")
			if err := cmd.Start(); err != nil {
				return Message{}, err
			}
			return Pack([]int{os.Getpid(), cmd.Process.Pid})
		},
	}
}

// inWorker is what helpers of tests fail through in a worker.
type inWorker struct{ testing.TB }

func (inWorker) Helper()           {}
func (inWorker) Cleanup(func())    {}
func (inWorker) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

// fitInWorker trains with a checkpoint after every third step, and reports steps.
func fitInWorker(ctx context.Context, c *Call) (Message, error) {
	var path string
	if err := c.Unpack(&path); err != nil {
		return Message{}, err
	}
	d := device(inWorker{}, 1)
	defer d.Close()
	j := everything(inWorker{}, d)
	j.Checkpoint, j.CheckpointSteps = path, 3
	j.Pass = func(p *Pass) (engine.Score, error) {
		m, err := Pack(p.Step)
		if err == nil {
			err = c.Report(m)
		}
		if err != nil {
			return engine.Score{}, err
		}
		n, err := p.Params.Net(j.Graph)
		if err != nil {
			return engine.Score{}, err
		}
		return n.Gradient(p.Batch, p.Loss, p.Noise, p.Gradient)
	}
	r, err := Fit(ctx, j)
	if err != nil {
		return Message{}, err
	}
	var weights bytes.Buffer
	if err := WriteWeights(&weights, r.Weights); err != nil {
		return Message{}, err
	}
	return Pack(r.Valid, weights.Bytes())
}

// A training whose process is killed, and then cancelled, goes on from its checkpoint
// and comes to the same bits as one that was left alone.
func TestTrainingSurvivesItsProcess(t *testing.T) {
	t.Parallel()
	want := run(t, everything(t, device(t, 1)))
	w := newWorker(t, WorkerOptions{})
	path, err := Pack(filepath.Join(t.TempDir(), "net.checkpoint"))
	if err != nil {
		t.Fatal(err)
	}
	var steps []int
	attempt := func(at int, do func()) (Message, error) {
		return w.Call(t.Context(), "fit", path, func(m Message) error {
			var step int
			if err := m.Unpack(&step); err != nil {
				return err
			}
			steps = append(steps, step)
			if step == at {
				do()
			}
			if step == at && at == 12 {
				return context.Canceled
			}
			return nil
		})
	}
	if _, err := attempt(7, func() { w.p.group.Kill() }); !errors.Is(err, ErrCrash) {
		t.Fatalf("Call = %v, want a crash", err)
	}
	killed := len(steps) // some steps more may have been on their way
	if _, err := attempt(12, func() {}); !errors.Is(err, context.Canceled) {
		t.Fatalf("Call = %v, want that it was cancelled", err)
	}
	if first := steps[killed]; first < 6 || first%3 != 0 {
		t.Errorf("it went on from step %d, want one of a checkpoint", first)
	}
	m, err := attempt(-1, nil)
	if err != nil {
		t.Fatal(err)
	}
	weights, err := ReadWeights(m.Blobs[0])
	if err != nil || !reflect.DeepEqual(weights, want.Weights) {
		t.Errorf("another result, error %v", err)
	}
	var valid Metrics
	if err := m.Unpack(&valid); err != nil || !reflect.DeepEqual(&valid, want.Valid) {
		t.Errorf("measured %+v, want %+v, error %v", valid, want.Valid, err)
	}
	if w.Starts() != 2 {
		t.Errorf("%d processes, want 2", w.Starts())
	}
}

// parent starts a worker, prints what it has to say about its processes, and waits to
// be killed, the worker too if it shall hang.
func parent(hanging bool) {
	w, err := NewWorker(WorkerOptions{})
	if err != nil {
		panic(err)
	}
	m, err := w.Call(context.Background(), "fork", Message{}, nil)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%s\n", m.Body)
	if hanging {
		_, _ = w.Call(context.Background(), "hang", Message{}, nil)
	}
	forever()
}

func newWorker(t testing.TB, o WorkerOptions) *Worker {
	t.Helper()
	o.Env = append(o.Env, "GORACE=atexit_sleep_ms=0")
	w, err := NewWorker(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// ask makes a call with a body and reads the reply into a value of type T.
func ask[T any](t testing.TB, w *Worker, name string, body any) T {
	t.Helper()
	m, err := Pack(body)
	if err != nil {
		t.Fatal(err)
	}
	m, err = w.Call(t.Context(), name, m, nil)
	if err != nil {
		t.Fatal(err)
	}
	var reply T
	if err := m.Unpack(&reply); err != nil {
		t.Fatal(err)
	}
	return reply
}

// gone waits until a process has ended.
func gone(t testing.TB, pid int) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("looks at processes through /proc")
	}
	for range 500 {
		b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil || strings.Contains(string(b), ") Z ") {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("process %d still runs", pid)
}

func TestWorkerKeepsState(t *testing.T) {
	t.Parallel()
	w := newWorker(t, WorkerOptions{})
	pid := ask[int](t, w, "pid", nil)
	if pid == os.Getpid() || !w.Isolated() {
		t.Errorf("the worker's process is %d, that of the test", pid)
	}
	for n, want := range []int{1, 3, 6} {
		if got := ask[int](t, w, "keep", n+1); got != want {
			t.Errorf("after call %d it kept %d, want %d", n, got, want)
		}
	}
	if again := ask[int](t, w, "pid", nil); again != pid || w.Starts() != 1 {
		t.Errorf("process %d and then %d, %d starts", pid, again, w.Starts())
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	gone(t, pid)
	if _, err := w.Call(t.Context(), "pid", Message{}, nil); err == nil {
		t.Error("a closed worker took a call")
	}
}

func TestWorkerMessages(t *testing.T) {
	t.Parallel()
	w := newWorker(t, WorkerOptions{})
	big := make([]byte, 5<<20)
	for i := range big {
		big[i] = byte(i * i >> 8)
	}
	m, err := Pack(map[string]string{"text": "ünï"}, big, nil, []byte("z"))
	if err != nil {
		t.Fatal(err)
	}
	back, err := w.Call(t.Context(), "echo", m, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(back.Body, m.Body) || len(back.Blobs) != 3 || !bytes.Equal(back.Blobs[0], big) || len(back.Blobs[1]) != 0 || string(back.Blobs[2]) != "z" {
		t.Errorf("another message came back: %s with %d blobs", back.Body, len(back.Blobs))
	}
	var got []int
	back, err = w.Call(t.Context(), "count", Message{}, func(m Message) error {
		var i int
		if err := m.Unpack(&i); err != nil {
			return err
		}
		got = append(got, i, int(m.Blobs[0][0]))
		return nil
	})
	if err != nil || string(back.Body) != `"counted"` || fmt.Sprint(got) != "[0 0 1 1 2 2]" {
		t.Errorf("events %v, reply %s, error %v", got, back.Body, err)
	}
	if _, err := w.Call(t.Context(), "nonsense", Message{}, nil); err == nil || !strings.Contains(err.Error(), `"nonsense"`) {
		t.Errorf("an unknown handler gave %v", err)
	}
}

// Whatever a worker prints, its frames stay whole.
func TestWorkerPrints(t *testing.T) {
	t.Parallel()
	w := newWorker(t, WorkerOptions{})
	if got := ask[string](t, w, "print", nil); got != "printed" {
		t.Errorf("replied %q", got)
	}
	var e *WorkerError
	if _, err := w.Call(t.Context(), "exit", Message{}, nil); !errors.As(err, &e) || !strings.Contains(e.Stderr, "a library that prints") || !strings.Contains(e.Stderr, "no os.Stdout") {
		t.Errorf("what was printed is not in the end of standard error: %v", err)
	}
}

// However a worker dies, the call says how, and the next one has a new process.
func TestWorkerDies(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kind  FailureKind
		is    error
		words []string
	}{
		"exit":            {FailedCrash, ErrCrash, []string{"at exit:", "exited with code 3", "last words"}},
		"panic":           {FailedCrash, ErrCrash, []string{"exited with code 2: panic: out of ideas;", "goroutine"}},
		"goroutine dies":  {FailedCrash, ErrCrash, []string{"exited with code 2: panic: in a goroutine;"}},
		"panic at length": {FailedCrash, ErrCrash, []string{"exited with code 2: panic: no more ideas;", "goroutine 9999"}},
		"kill":            {FailedCrash, ErrCrash, []string{"died by SIGKILL (killed)", "memory"}},
		"close output":    {FailedOutput, ErrCrash, []string{"closed its output"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name == "close output" && runtime.GOOS != "linux" {
				t.Skip("finds its output through /proc")
			}
			w := newWorker(t, WorkerOptions{})
			first := ask[int](t, w, "pid", nil)
			m, err := w.Call(t.Context(), name, Message{}, nil)
			var e *WorkerError
			if !errors.As(err, &e) || !errors.Is(err, c.is) || e.Kind != c.kind || e.Call != name || m.Body != nil {
				t.Fatalf("Call = %v, %v (%T), want a WorkerError of the kind %s", m, err, err, c.kind)
			}
			for _, word := range c.words {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("error %q, want %q in it", err, word)
				}
			}
			gone(t, first)
			if second := ask[int](t, w, "pid", nil); second == first || w.Starts() != 2 {
				t.Errorf("process %d after %d, %d starts", second, first, w.Starts())
			}
			if kept := ask[int](t, w, "keep", 1); kept != 1 {
				t.Errorf("the new process has kept %d, want only 1", kept)
			}
		})
	}
}

// A worker that dies between calls is replaced without an error.
func TestWorkerDiesIdle(t *testing.T) {
	t.Parallel()
	prepare, err := Pack(40)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorker(t, WorkerOptions{Init: &Init{"keep", prepare}})
	for starts := 1; starts <= 2; starts++ {
		if kept := ask[int](t, w, "keep", 2); kept != 42 || w.Starts() != starts {
			t.Errorf("prepared by 40, it kept %d after 2 more; %d starts", kept, w.Starts())
		}
		pid := ask[int](t, w, "pid", nil)
		p, err := os.FindProcess(pid)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Kill(); err != nil {
			t.Fatal(err)
		}
		<-w.p.exited
	}
}

func TestWorkerIsPreparedOrFails(t *testing.T) {
	t.Parallel()
	w := newWorker(t, WorkerOptions{Init: &Init{Name: "panic"}})
	var e *WorkerError
	if _, err := w.Call(t.Context(), "pid", Message{}, nil); !errors.As(err, &e) || e.Call != "panic" || !errors.Is(err, ErrPrepare) {
		t.Errorf("a worker that cannot be prepared gave %v", err)
	}
	what, _ := Pack("no such file")
	w = newWorker(t, WorkerOptions{Init: &Init{"fail", what}})
	if _, err := w.Call(t.Context(), "pid", Message{}, nil); !errors.Is(err, ErrPrepare) || !strings.Contains(err.Error(), "prepare: no such file") {
		t.Errorf("a worker that cannot be prepared gave %v", err)
	}
}

func TestWorkerOutOfMemory(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("elsewhere only what Go allocates is seen")
	}
	const limit = 400 << 20
	w := newWorker(t, WorkerOptions{Memory: limit})
	_, err := w.Call(t.Context(), "hog", Message{}, nil)
	var e *WorkerError
	if !errors.Is(err, engine.ErrMemory) || !errors.As(err, &e) || e.Kind != FailedMemory || e.Exit != exitMemory {
		t.Fatalf("a worker of 16 GiB gave %v", err)
	}
	if !strings.Contains(err.Error(), "want at most 400 MiB") || strings.Contains(e.Stderr, memoryMark) {
		t.Errorf("error %q", err)
	}
	ask[int](t, w, "pid", nil)
}

func TestWorkerErrors(t *testing.T) {
	t.Parallel()
	w := newWorker(t, WorkerOptions{})
	fail := func(what string) error {
		m, err := Pack(what)
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.Call(t.Context(), "fail", m, nil)
		return err
	}
	var remote *RemoteError
	if err := fail("no luck"); !errors.As(err, &remote) || err.Error() != "no luck" || errors.Is(err, engine.ErrMemory) {
		t.Errorf("found %v", err)
	}
	if err := fail("memory"); !errors.Is(err, engine.ErrMemory) || !strings.HasPrefix(err.Error(), "step 7: ") {
		t.Errorf("found %v", err)
	}
	err := fail("diverged")
	var d *DivergedError
	if !errors.Is(err, ErrDiverged) || !errors.As(err, &d) || d.Step != 70 || !math.IsNaN(d.Loss) || !math.IsInf(d.Norm, 1) || d.LearningRate != 0.4 {
		t.Errorf("found %v: %+v", err, d)
	}
	if w.Starts() != 1 {
		t.Errorf("errors of handlers cost %d processes", w.Starts()-1)
	}
}

// A call that says nothing is killed; one that says it is alive is not.
func TestWorkerSilence(t *testing.T) {
	t.Parallel()
	w := newWorker(t, WorkerOptions{Silence: 2 * time.Second})
	pid := ask[int](t, w, "pid", nil)
	_, err := w.Call(t.Context(), "hang", Message{}, nil)
	var e *WorkerError
	if !errors.Is(err, ErrSilence) || !errors.As(err, &e) || e.Kind != FailedSilence || !strings.Contains(err.Error(), "2s") {
		t.Errorf("a call that hangs gave %v", err)
	}
	gone(t, pid)
	short := newWorker(t, WorkerOptions{Silence: 500 * time.Millisecond})
	ask[int](t, short, "pid", nil)
	if got := ask[string](t, short, "alive", nil); got != "still here" {
		t.Errorf("replied %q", got)
	}
}

func TestWorkerIsCancelled(t *testing.T) {
	t.Parallel()
	w := newWorker(t, WorkerOptions{})
	pid := ask[int](t, w, "pid", nil)

	ctx, cancel := context.WithCancel(t.Context())
	_, err := w.Call(ctx, "until cancelled", Message{}, func(m Message) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Call = %v, want that it was cancelled", err)
	}
	broken := errors.New("enough")
	events := 0
	_, err = w.Call(t.Context(), "until cancelled", Message{}, func(Message) error { events++; return broken })
	if err != broken || events != 1 {
		t.Errorf("Call = %v after %d events, want the event's error after 1", err, events)
	}
	if again := ask[int](t, w, "pid", nil); again != pid {
		t.Error("a call that ended when it was cancelled cost the process")
	}
	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	if _, err := w.Call(ctx, "pid", Message{}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Call = %v, want that it was cancelled", err)
	}

	// A call that does not end is killed.
	stubborn := newWorker(t, WorkerOptions{Grace: 100 * time.Millisecond})
	pid = ask[int](t, stubborn, "pid", nil)
	ctx, cancel = context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := stubborn.Call(ctx, "hang", Message{}, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Call = %v, want that its time was over", err)
	}
	if d := time.Since(start); d > 10*time.Second {
		t.Errorf("it took %v", d)
	}
	gone(t, pid)
	ask[int](t, stubborn, "pid", nil)
}

func TestTwoWorkers(t *testing.T) {
	t.Parallel()
	a, b := newWorker(t, WorkerOptions{}), newWorker(t, WorkerOptions{})
	var both sync.WaitGroup
	for i, w := range []*Worker{a, b} {
		both.Go(func() {
			for n := 1; n <= 20; n++ {
				m, err := Pack(i + 1)
				if err != nil {
					t.Error(err)
					return
				}
				m, err = w.Call(t.Context(), "keep", m, nil)
				if err != nil || string(m.Body) != strconv.Itoa(n*(i+1)) {
					t.Errorf("worker %d kept %s after %d calls, error %v", i, m.Body, n, err)
				}
			}
		})
	}
	both.Wait()
	if ask[int](t, a, "pid", nil) == ask[int](t, b, "pid", nil) {
		t.Error("two workers are one process")
	}
	if _, err := a.Call(t.Context(), "kill", Message{}, nil); !errors.Is(err, ErrCrash) {
		t.Errorf("Call = %v, want a crash", err)
	}
	if kept := ask[int](t, b, "keep", 0); kept != 40 || b.Starts() != 1 {
		t.Errorf("one worker's death cost another %d of 40", 40-kept)
	}
}

// Everything that a worker started ends with it.
func TestWorkerLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("sleep"); err != nil {
		t.Skip("no program sleep")
	}
	w := newWorker(t, WorkerOptions{})
	pids := ask[[]int](t, w, "fork", nil)
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	for _, pid := range pids {
		gone(t, pid)
	}
	w = newWorker(t, WorkerOptions{})
	pids = ask[[]int](t, w, "fork", nil)
	if _, err := w.Call(t.Context(), "exit", Message{}, nil); !errors.Is(err, ErrCrash) {
		t.Errorf("Call = %v, want a crash", err)
	}
	for _, pid := range pids {
		gone(t, pid)
	}
}

// A program that is killed leaves no worker behind, whatever that is doing.
func TestNoOrphans(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("sleep"); err != nil {
		t.Skip("no program sleep")
	}
	for _, name := range []string{"idle", "hanging"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), playParent+"="+name, "GORACE=atexit_sleep_ms=0")
			cmd.Stderr = os.Stderr
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			var worker, grandchild int
			if _, err := fmt.Fscanf(out, "[%d,%d]\n", &worker, &grandchild); err != nil {
				t.Error(err)
			}
			time.Sleep(50 * time.Millisecond)
			if err := cmd.Process.Kill(); err != nil {
				t.Error(err)
			}
			_ = cmd.Wait()
			gone(t, worker)
			gone(t, grandchild)
		})
	}
}

// Without Main, handlers run in the process; panics are still errors.
func TestWorkerInProcess(t *testing.T) {
	h := mainHandlers.Swap(nil)
	defer mainHandlers.Store(h)
	if _, err := NewWorker(WorkerOptions{}); err == nil || !strings.Contains(err.Error(), "train.Main") {
		t.Errorf("a worker of nothing gave %v", err)
	}
	prepare, err := Pack(40)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorker(t, WorkerOptions{Handlers: testHandlers(), Init: &Init{"keep", prepare}})
	if pid := ask[int](t, w, "pid", nil); pid != os.Getpid() || w.Isolated() {
		t.Errorf("process %d, want that of the test", pid)
	}
	if kept := ask[int](t, w, "keep", 2); kept != 42 {
		t.Errorf("kept %d, want 42", kept)
	}
	var e *WorkerError
	if _, err := w.Call(t.Context(), "panic", Message{}, nil); !errors.As(err, &e) || !errors.Is(err, ErrCrash) || !strings.Contains(err.Error(), "out of ideas") {
		t.Errorf("a panic gave %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := w.Call(ctx, "until cancelled", Message{}, func(Message) error { cancel(); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("Call = %v, want that it was cancelled", err)
	}
	broken := errors.New("enough")
	if _, err := w.Call(t.Context(), "until cancelled", Message{}, func(Message) error { return broken }); err != broken {
		t.Errorf("Call = %v, want the event's error", err)
	}
	if kept := ask[int](t, w, "keep", 0); kept != 42 {
		t.Errorf("kept %d, want 42", kept)
	}
}

func TestWorkerOptionsAreChecked(t *testing.T) {
	t.Parallel()
	for _, o := range []WorkerOptions{{Memory: -1}, {Silence: -1}, {Pulse: -1}, {Grace: -1}, {Start: -1}} {
		if _, err := NewWorker(o); err == nil {
			t.Errorf("took %+v", o)
		}
	}
}

// Frames survive being written and read; whatever is read, nothing panics, and what
// was changed is noticed.
func FuzzFrame(f *testing.F) {
	for _, e := range []envelope{
		{Kind: frameHello},
		{Kind: frameCall, Call: 7, Name: "fit", Body: []byte(`{"a":1}`), blobs: [][]byte{{1, 2}, {}}},
	} {
		var b bytes.Buffer
		if err := writeFrame(&b, e); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
		f.Add(b.Bytes()[:b.Len()-3])
	}
	f.Add([]byte("garbage on standard output\n"))
	f.Add([]byte("DDWF\xff\xff\xff\x0f\x00\x00\x00\x00"))
	f.Add([]byte("DDWF\x02\x00\x00\x00\x01\x00\x00\x00\xff\xff\xff\xff\x03\x00\x00\x00{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		e, err := readFrame(r)
		if err != nil {
			if errors.Is(err, io.EOF) && len(b) > 0 {
				t.Errorf("%d bytes read as the end", len(b))
			}
			return
		}
		var again bytes.Buffer
		if err := writeFrame(&again, e); err != nil {
			t.Fatal(err)
		}
		back, err := readFrame(&again)
		if err != nil || back.Kind != e.Kind || back.Call != e.Call || back.Name != e.Name || len(back.blobs) != len(e.blobs) {
			t.Errorf("wrote %+v, read %+v, error %v", e, back, err)
		}
		used := b[:len(b)-r.Len()]
		for _, at := range []int{0, len(used) / 2, len(used) - 1} {
			changed := bytes.Clone(used)
			changed[at] ^= 0x10
			if _, err := readFrame(bytes.NewReader(changed)); err == nil {
				t.Errorf("byte %d of %d was changed unnoticed", at, len(used))
			}
		}
	})
}

// BenchmarkCall measures what a call to a worker costs.
func BenchmarkCall(b *testing.B) {
	w := newWorker(b, WorkerOptions{})
	m, err := Pack(1)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := w.Call(b.Context(), "echo", m, nil); err != nil {
			b.Fatal(err)
		}
	}
}
