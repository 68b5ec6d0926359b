package train

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/daedalus-search/daedalus/neural/train/engine"
)

// A Handler does one kind of work, in a worker process or in this one. It returns
// promptly when its context is cancelled. What it wants to keep from call to call, it
// keeps itself; calls come one after the other.
type Handler func(ctx context.Context, c *Call) (Message, error)

// Handlers are the work that a program can be asked for, by name.
type Handlers map[string]Handler

// A Call is what a [Handler] was asked.
type Call struct {
	Message
	report func(Message) error
	alive  func()
}

// Report tells the caller something while the work goes on. The error, if any, is why
// the work should end.
func (c *Call) Report(m Message) error { return c.report(m) }

// Alive tells the caller that the work goes on. It is cheap; reports say the same.
func (c *Call) Alive() { c.alive() }

// workerVariable is the environment variable that makes a program a worker. It holds
// the most bytes of memory that the worker may take, or 0.
const workerVariable = "DAEDALUS_WORKER"

// mainHandlers is the table of [Main]; nil if it was not called.
var mainHandlers atomic.Pointer[Handlers]

// Main makes the process a worker if a [Worker] started it as one, and then does not
// return. Otherwise it notes that workers can be started, and returns at once. It is
// called first of all in main, and in TestMain of tests, with all that workers of the
// program may be asked for.
func Main(h Handlers) {
	limit, is := os.LookupEnv(workerVariable)
	if !is {
		mainHandlers.Store(&h)
		return
	}
	memory, err := strconv.ParseInt(limit, 10, 64)
	if err != nil || memory < 0 {
		fmt.Fprintf(os.Stderr, "train: %s: found %q, want a number of bytes\n", workerVariable, limit)
		os.Exit(exitUsage)
	}
	code := serve(h, memory)
	if code != 0 {
		endGroup()
	}
	os.Exit(code)
}

// How workers exit on their own account.
const (
	exitUsage  = 64 // EX_USAGE
	exitMemory = 77
)

// memoryMark starts the line by which a worker says why it ends.
const memoryMark = "train: worker: out of memory: "

const (
	watchEvery = 20 * time.Millisecond  // how often memory is looked at
	aliveEvery = 100 * time.Millisecond // how often Alive tells the caller
	pulseEvery = time.Second            // how often a call tells that the process lives
	orphanWait = 2 * time.Second        // how long a worker whose program is gone may tidy up
)

// A server is a worker's side.
type server struct {
	handlers Handlers
	mu       sync.Mutex // of out
	out      io.Writer
	alive    time.Time // when a handler said something last
	memory   int64     // most bytes that the process may take; 0 means any number

	calls   chan envelope
	current sync.Mutex
	number  int64 // of the call that runs; 0 if none does
	cancel  context.CancelFunc
}

// serve answers calls until there are no more, and returns the exit code.
func serve(h Handlers, memory int64) int {
	in, out, err := takeStandard()
	if err != nil {
		fmt.Fprintf(os.Stderr, "train: worker: %v\n", err)
		return 1
	}
	if memory > 0 {
		// The collector works harder before the limit is reached.
		debug.SetMemoryLimit(memory - memory/8)
		go watch(memory)
	}
	s := &server{handlers: h, out: out, memory: memory, calls: make(chan envelope, 1)}
	go s.read(in)
	if err := s.send(envelope{Kind: frameHello}); err != nil {
		return 1
	}
	for e := range s.calls {
		if err := s.answer(e); err != nil {
			fmt.Fprintf(os.Stderr, "train: worker: %v\n", err)
			return 1
		}
	}
	return 0
}

// read takes what the program sends. When the program is gone, the worker ends with
// all that it started, whatever it is doing.
func (s *server) read(in io.Reader) {
	r := bufio.NewReaderSize(in, 1<<16)
	for {
		e, err := readFrame(r)
		if err != nil {
			if !errors.Is(err, io.EOF) {
				fmt.Fprintf(os.Stderr, "train: worker: %v\n", err)
			}
			s.stop(0)
			time.Sleep(orphanWait)
			endGroup()
			os.Exit(1)
		}
		switch e.Kind {
		case frameCall:
			s.calls <- e // the program waits for the reply before the next one
		case frameCancel:
			s.stop(e.Call)
		case frameBye:
			s.stop(0)
			close(s.calls)
			return
		}
	}
}

// stop cancels a call, or with 0 whatever runs.
func (s *server) stop(number int64) {
	s.current.Lock()
	defer s.current.Unlock()
	if s.cancel != nil && (number == 0 || number == s.number) {
		s.cancel()
	}
}

func (s *server) send(e envelope) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.Kind != framePulse {
		s.alive = time.Now()
	}
	return writeFrame(s.out, e)
}

// answer does what a call asks for.
func (s *server) answer(e envelope) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s.current.Lock()
	s.number, s.cancel = e.Call, cancel
	s.current.Unlock()
	defer func() {
		s.current.Lock()
		s.number, s.cancel = 0, nil
		s.current.Unlock()
	}()
	end := s.beat(e.Call)
	m, err := s.handlers.do(ctx, e.Name, &Call{
		Message: e.message(),
		report: func(m Message) error {
			if err := s.send(envelope{Kind: frameEvent, Call: e.Call, Body: m.Body, blobs: m.Blobs}); err != nil {
				return err
			}
			return ctx.Err()
		},
		alive: func() {
			s.mu.Lock()
			due := time.Since(s.alive) >= aliveEvery
			s.mu.Unlock()
			if due {
				_ = s.send(envelope{Kind: frameAlive, Call: e.Call})
			}
		},
	})
	end()
	if s.memory > 0 {
		look(s.memory) // so that a short call that takes too much is the one that fails
	}
	if err == nil {
		if err = s.send(envelope{Kind: frameReply, Call: e.Call, Body: m.Body, blobs: m.Blobs}); err == nil {
			return nil
		}
		err = fmt.Errorf("train: reply of %s: %w", e.Name, err) // such as one that is too large
	}
	body, e2 := json.Marshal(toWire(err))
	if e2 != nil {
		return e2
	}
	return s.send(envelope{Kind: frameError, Call: e.Call, Body: body})
}

// beat sends a pulse again and again, until the function that it returns is called.
func (s *server) beat(call int64) (end func()) {
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		t := time.NewTicker(pulseEvery)
		defer t.Stop()
		for {
			select {
			case <-stop:
				return
			case <-t.C:
				if s.send(envelope{Kind: framePulse, Call: call}) != nil {
					return // the program is gone, which is noticed elsewhere
				}
			}
		}
	}()
	return func() {
		close(stop)
		<-stopped
	}
}

// do runs a handler.
func (h Handlers) do(ctx context.Context, name string, c *Call) (Message, error) {
	f := h[name]
	if f == nil {
		return Message{}, fmt.Errorf("train: worker: found no handler %q; give it to Main", name)
	}
	return f(ctx, c)
}

// watch ends the process when it takes more memory than it may.
func watch(limit int64) {
	for range time.Tick(watchEvery) {
		look(limit)
	}
}

// look is what watch does again and again.
func look(limit int64) {
	if found, err := resident(); err == nil && found > limit {
		// One write, so that nothing gets between.
		_, _ = os.Stderr.WriteString(fmt.Sprintf("\n%sfound %d MiB in use, want at most %d MiB\n", memoryMark, found>>20, limit>>20))
		os.Exit(exitMemory)
	}
}

// A wireError is an error on its way to the program.
type wireError struct {
	Text     string        `json:"text"`
	Is       []string      `json:"is,omitempty"`       // names of sentinels in its chain
	Diverged *wireDiverged `json:"diverged,omitempty"` // the numbers of a DivergedError
}

// A wireDiverged is a [DivergedError]; JSON has no NaN.
type wireDiverged struct {
	Epoch, Step, Steps       int64
	Loss, Norm, LearningRate string
}

// sentinels are the errors that are known on both sides.
var sentinels = []struct {
	name string
	err  error
}{
	{"memory", engine.ErrMemory},
	{"diverged", ErrDiverged},
	{"foreign", ErrForeign},
	{"damaged", ErrDamaged},
	{"stop", ErrStop},
	{"unsupported", errors.ErrUnsupported},
	{"cancelled", context.Canceled},
	{"deadline", context.DeadlineExceeded},
}

func toWire(err error) wireError {
	w := wireError{Text: err.Error()}
	for _, s := range sentinels {
		if errors.Is(err, s.err) {
			w.Is = append(w.Is, s.name)
		}
	}
	var d *DivergedError
	if errors.As(err, &d) {
		text := func(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
		w.Diverged = &wireDiverged{d.Epoch, d.Step, d.Steps, text(d.Loss), text(d.Norm), text(d.LearningRate)}
	}
	return w
}

// A RemoteError is an error that a handler returned in a worker. What was in its chain
// of the sentinels of this package, of [engine.ErrMemory], [context.Canceled] and
// [context.DeadlineExceeded], and a [DivergedError], is in its chain here.
type RemoteError struct {
	Text  string
	chain []error
}

func (e *RemoteError) Error() string { return e.Text }

// Unwrap returns the errors that are known here.
func (e *RemoteError) Unwrap() []error { return e.chain }

func (w wireError) remote() *RemoteError {
	e := &RemoteError{Text: w.Text}
	if d := w.Diverged; d != nil {
		number := func(s string) float64 {
			x, _ := strconv.ParseFloat(s, 64)
			return x
		}
		e.chain = append(e.chain, &DivergedError{d.Epoch, d.Step, d.Steps, number(d.Loss), number(d.Norm), number(d.LearningRate)})
	}
	for _, name := range w.Is {
		for _, s := range sentinels {
			if s.name == name {
				e.chain = append(e.chain, s.err)
			}
		}
	}
	return e
}
