package train

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/daedalus-search/daedalus/internal/process"
	"github.com/daedalus-search/daedalus/neural/train/engine"
)

// WorkerOptions say how a [Worker] runs. The zero value works.
type WorkerOptions struct {
	// Handlers do the work in this process if its main did not call [Main], so that
	// there is no program to start as a worker.
	Handlers Handlers

	Memory  int64         // most bytes that the process may take; 0 means any number
	Silence time.Duration // longest time without a word from a call; 0 means any
	Pulse   time.Duration // longest time without a pulse of the process, which beats every second of a call; 0 means a minute
	Grace   time.Duration // how long a cancelled call may take to end; 0 means 2 s
	Start   time.Duration // how long a process may take to start; 0 means 30 s
	Env     []string      // more variables, as "NAME=value"

	// Init is a call that every process gets first, such as one that loads a network.
	// Its reply is not used.
	Init *Init
}

// An Init is a call that prepares a worker.
type Init struct {
	Name    string
	Message Message
}

// A FailureKind says how a worker failed.
type FailureKind string

// The ways in which a worker fails.
const (
	FailedStart   FailureKind = "start"   // it could not be started
	FailedCrash   FailureKind = "crash"   // it exited, or died by a signal
	FailedMemory  FailureKind = "memory"  // it took more memory than it may, or there was none
	FailedSilence FailureKind = "silence" // it said nothing for too long, or was stopped
	FailedOutput  FailureKind = "output"  // it said what could not be understood
)

// Sentinels in the chain of a [WorkerError]; for a lack of memory it is
// [engine.ErrMemory].
var (
	ErrCrash   = errors.New("train: worker crashed")
	ErrSilence = errors.New("train: worker was silent for too long")
)

// ErrPrepare is in the chain of errors of [WorkerOptions.Init]: the call did not begin.
var ErrPrepare = errors.New("train: worker: prepare")

// A WorkerError is a worker that failed, which costs the call that it was at and
// whatever it kept in memory. The next call starts another one.
type WorkerError struct {
	Kind   FailureKind
	Call   string // the handler that it was at
	Reason string
	Signal string // by which it died, such as "SIGKILL (killed)"
	Exit   int    // its exit code, if it exited
	Stderr string // the end of what it wrote to standard error
}

func (e *WorkerError) Error() string {
	s := fmt.Sprintf("train: worker at %s: %s", e.Call, e.Reason)
	if e.Stderr != "" {
		s += "; it wrote last:\n" + strings.TrimRight(e.Stderr, "\n")
	}
	return s
}

// Unwrap returns the sentinel of its kind.
func (e *WorkerError) Unwrap() error {
	switch e.Kind {
	case FailedMemory:
		return engine.ErrMemory
	case FailedSilence:
		return ErrSilence
	}
	return ErrCrash
}

const (
	stderrTail = 8 << 10
	unkillable = 10 * time.Second // how long a killed process may take to end, before it is left alone
	drain      = time.Second      // how long what an ended process wrote may take to be read
	lateness   = 10 * time.Second // how long what should have been heard may still be on its way
)

// A Worker does work in a process of its own: this program, started again. A crash
// there, a lack of memory or an endless loop ends one call.
//
// The process starts with the first call and stays for those that follow. It ends
// with all that it started when the Worker is closed, or when this program ends,
// however it does.
//
// In a program whose main does not call [Main], the same handlers run in this process.
// Their panics are errors; other ways to die are not held off, and neither are limits
// on memory and silence.
//
// A Worker is safe for concurrent use; its calls come one after the other. Take as
// many workers as shall work at a time.
type Worker struct {
	o WorkerOptions

	starts atomic.Int64

	mu     sync.Mutex
	p      *child
	calls  int64
	closed bool
}

// NewWorker returns a worker. Nothing is started yet.
func NewWorker(o WorkerOptions) (*Worker, error) {
	if o.Memory < 0 || o.Silence < 0 || o.Pulse < 0 || o.Grace < 0 || o.Start < 0 {
		return nil, fmt.Errorf("train: worker: found memory %d, silence %v, pulse %v, grace %v and start %v, want none negative", o.Memory, o.Silence, o.Pulse, o.Grace, o.Start)
	}
	if o.Pulse == 0 {
		o.Pulse = time.Minute
	}
	if o.Grace == 0 {
		o.Grace = 2 * time.Second
	}
	if o.Start == 0 {
		o.Start = 30 * time.Second
	}
	w := &Worker{o: o}
	if !w.Isolated() && o.Handlers == nil {
		return nil, errors.New("train: worker: found no handlers, want main to call train.Main, or handlers that run in this process")
	}
	return w, nil
}

// Isolated reports whether calls run in a process of their own.
func (w *Worker) Isolated() bool { return mainHandlers.Load() != nil }

// Starts returns how many processes were started so far. What a worker keeps in memory
// is lost when the number grows.
func (w *Worker) Starts() int { return int(w.starts.Load()) }

// Call asks a handler for work and returns its reply. Event, which may be nil, is told
// what the handler reports; its error cancels the call, and is returned.
//
// When the context is cancelled, the handler has [WorkerOptions.Grace] to end. After
// that the process is killed. Errors are a [WorkerError], a [RemoteError] from the
// handler, the context's, or event's.
func (w *Worker) Call(ctx context.Context, name string, m Message, event func(Message) error) (Message, error) {
	if event == nil {
		event = func(Message) error { return nil }
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return Message{}, errors.New("train: worker: found a call after Close")
	}
	if err := ctx.Err(); err != nil {
		return Message{}, context.Cause(ctx)
	}
	if !w.Isolated() {
		return w.here(ctx, name, m, event)
	}
	if w.p != nil {
		select {
		case <-w.p.exited: // it died while nobody looked
			w.drop()
		default:
		}
	}
	if w.p == nil {
		p, err := startChild(w.o)
		if err != nil {
			return Message{}, &WorkerError{Kind: FailedStart, Call: name, Reason: "could not be started: " + err.Error()}
		}
		w.p = p
		w.starts.Add(1)
		if err := w.hello(ctx, name); err != nil {
			return Message{}, err
		}
		if i := w.o.Init; i != nil {
			if _, err := w.call(ctx, i.Name, i.Message, func(Message) error { return nil }); err != nil {
				if w.p != nil {
					w.drop()
				}
				return Message{}, fmt.Errorf("%w: %w", ErrPrepare, err)
			}
		}
	}
	return w.call(ctx, name, m, event)
}

// here runs a handler in this process.
func (w *Worker) here(ctx context.Context, name string, m Message, event func(Message) error) (reply Message, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer func() {
		if x := recover(); x != nil {
			err = &WorkerError{Kind: FailedCrash, Call: name, Reason: fmt.Sprintf("panicked: %v", x), Stderr: string(debug.Stack())}
		}
	}()
	run := func(name string, m Message, event func(Message) error) (Message, error) {
		return w.o.Handlers.do(ctx, name, &Call{
			Message: m,
			report: func(m Message) error {
				if err := event(m); err != nil {
					cancel(err)
				}
				return context.Cause(ctx)
			},
			alive: func() {},
		})
	}
	if i := w.o.Init; i != nil && w.Starts() == 0 {
		if _, err := run(i.Name, i.Message, func(Message) error { return nil }); err != nil {
			return Message{}, fmt.Errorf("%w: %w", ErrPrepare, err)
		}
	}
	w.starts.Store(1)
	reply, err = run(name, m, event)
	if cause := context.Cause(ctx); cause != nil {
		return Message{}, cause
	}
	return reply, err
}

// hello waits until the process is ready.
func (w *Worker) hello(ctx context.Context, name string) error {
	t := time.NewTimer(w.o.Start)
	defer t.Stop()
	select {
	case e, ok := <-w.p.frames:
		if ok && e.Kind == frameHello {
			return nil
		}
		return w.fail(name)
	case <-ctx.Done():
		w.drop()
		return context.Cause(ctx)
	case <-t.C:
		tail := w.drop()
		return &WorkerError{Kind: FailedStart, Call: name, Reason: fmt.Sprintf("was not ready after %v", w.o.Start), Stderr: tail}
	}
}

// call makes a call of the process that is there.
func (w *Worker) call(ctx context.Context, name string, m Message, event func(Message) error) (Message, error) {
	w.calls++
	number := w.calls
	p := w.p
	p.send(envelope{Kind: frameCall, Call: number, Name: name, Body: m.Body, blobs: m.Blobs})

	silence, pulse := newPatience(w.o.Silence), newPatience(w.o.Pulse)
	defer silence.end()
	defer pulse.end()
	var grace <-chan time.Time
	done := ctx.Done()
	var cause error // why the call is to end
	stop := func(why error) {
		if cause != nil {
			return
		}
		cause, done = why, nil
		p.send(envelope{Kind: frameCancel, Call: number})
		grace = time.After(w.o.Grace)
	}
	silent := func(reason string) (Message, error) {
		tail := w.drop()
		if cause != nil {
			return Message{}, cause
		}
		return Message{}, &WorkerError{Kind: FailedSilence, Call: name, Reason: reason, Stderr: tail}
	}
	for {
		select {
		case e, ok := <-p.frames:
			if !ok {
				err := w.fail(name)
				if cause != nil {
					return Message{}, cause
				}
				return Message{}, err
			}
			pulse.heard()
			if e.Call != number {
				continue // of a call that is over
			}
			if e.Kind != framePulse {
				silence.heard()
			}
			switch e.Kind {
			case frameEvent:
				if cause == nil {
					if err := event(e.message()); err != nil {
						stop(err)
					}
					// The time that event took does not count.
					silence.heard()
					pulse.heard()
				}
			case frameReply:
				if cause != nil {
					return Message{}, cause
				}
				return e.message(), nil
			case frameError:
				if cause != nil {
					return Message{}, cause
				}
				var wire wireError
				if err := json.Unmarshal(e.Body, &wire); err != nil {
					tail := w.drop()
					return Message{}, &WorkerError{Kind: FailedOutput, Call: name, Reason: fmt.Sprintf("sent an error that is none: %v", err), Stderr: tail}
				}
				return Message{}, wire.remote()
			}
		case <-done:
			stop(context.Cause(ctx))
		case <-grace:
			w.drop()
			return Message{}, cause
		case <-silence.over():
			if silence.spent() {
				return silent(fmt.Sprintf("said nothing for %v and was killed", w.o.Silence))
			}
		case <-pulse.over():
			if pulse.spent() {
				return silent(fmt.Sprintf("had no pulse for %v and was killed: it was stopped, or the system gave it no time", w.o.Pulse))
			}
		}
	}
}

// A patience is for how long nothing may be heard. When it is over, what is on its way
// gets a moment: it may be this program that was stopped meanwhile.
type patience struct {
	limit time.Duration // 0: any
	timer *time.Timer   // nil with any
	late  bool          // the moment has begun
}

func newPatience(limit time.Duration) *patience {
	p := &patience{limit: limit}
	if limit > 0 {
		p.timer = time.NewTimer(limit)
	}
	return p
}

func (p *patience) end() {
	if p.timer != nil {
		p.timer.Stop()
	}
}

func (p *patience) heard() {
	if p.timer != nil {
		p.timer.Reset(p.limit)
		p.late = false
	}
}

func (p *patience) over() <-chan time.Time {
	if p.timer == nil {
		return nil
	}
	return p.timer.C
}

// spent reports whether the moment is over too; if it is not, it begins.
func (p *patience) spent() bool {
	if p.late {
		return true
	}
	p.late = true
	p.timer.Reset(min(p.limit, lateness))
	return false
}

// drop kills the process and forgets it, and returns the end of what it wrote to
// standard error.
func (w *Worker) drop() string {
	p := w.p
	w.p = nil
	p.kill()
	return p.ended()
}

// fail takes the process, whose frames have ended, for failed, and says why.
func (w *Worker) fail(name string) error {
	p := w.p
	e := &WorkerError{Kind: FailedCrash, Call: name}
	if p.garbled != nil {
		e.Kind, e.Reason = FailedOutput, fmt.Sprintf("sent what is no frame: %v", p.garbled)
		e.Stderr = w.drop()
		return e
	}
	if !within(drain, p.exited) { // it closed its output, but lives
		e.Kind, e.Reason = FailedOutput, "closed its output"
		e.Stderr = w.drop()
		return e
	}
	e.Stderr = w.drop()
	switch {
	case p.state == nil:
		e.Reason = "was lost by the operating system"
		return e
	case process.SignalOf(p.state) != "":
		e.Signal = process.SignalOf(p.state)
		e.Reason = "died by " + e.Signal
		if strings.HasPrefix(e.Signal, "SIGKILL") {
			e.Reason += ", as systems end programs when memory runs out"
		}
	default:
		e.Exit = p.state.ExitCode()
		e.Reason = fmt.Sprintf("exited with code %d", e.Exit)
	}
	if p.said.why != "" {
		e.Reason += ": " + p.said.why
	}
	if _, reason, ok := strings.Cut(e.Stderr, memoryMark); ok && e.Exit == exitMemory {
		reason, _, _ = strings.Cut(reason, "\n")
		e.Kind, e.Reason = FailedMemory, "ran out of memory: "+reason
		e.Stderr, _, _ = strings.Cut(e.Stderr, "\n"+memoryMark)
	} else if strings.HasPrefix(p.said.why, "fatal error: runtime: out of memory") || strings.HasPrefix(p.said.why, "fatal error: runtime: cannot allocate memory") {
		e.Kind, e.Reason = FailedMemory, "ran out of memory: the system gave no more"
	}
	return e
}

// Close ends the process: at once if it is idle, otherwise when the call that runs has
// ended, which the caller cancels.
func (w *Worker) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	if w.p == nil {
		return nil
	}
	w.p.send(envelope{Kind: frameBye})
	within(w.o.Grace, w.p.exited)
	w.drop()
	return nil
}

// A child is a worker process.
type child struct {
	cmd    *exec.Cmd
	group  *process.Group
	frames chan envelope // closed when there are no more
	// exited is closed when the process has ended, reaped when the system has
	// forgotten it. Until then nobody else gets its id, so that its group can be
	// killed safely.
	exited, reap, reaped chan struct{}
	held                 bool             // after exited: the system can wait so
	state                *os.ProcessState // after reaped
	garbled              error            // after frames is closed
	said                 lastWords        // after stderr is closed
	stderr               chan struct{}

	outgoing chan envelope
	writing  chan struct{} // closed when nothing is sent any more
	quit     chan struct{} // closed when nothing shall be sent or read any more
	files    []*os.File
	killed   sync.Once
}

func startChild(o WorkerOptions) (*child, error) {
	path, err := self()
	if err != nil {
		return nil, err
	}
	var opened []*os.File
	pipe := func() (r, w *os.File) {
		if err == nil {
			if r, w, err = os.Pipe(); err == nil {
				opened = append(opened, r, w)
			}
		}
		return r, w
	}
	inR, inW := pipe()
	outR, outW := pipe()
	errR, errW := pipe()
	if err != nil {
		for _, f := range opened {
			_ = f.Close()
		}
		return nil, err
	}
	cmd := &exec.Cmd{Path: path, Args: os.Args[:1], Stdin: inR, Stdout: outW, Stderr: errW}
	cmd.Env = append(os.Environ(), o.Env...)
	cmd.Env = append(cmd.Env, fmt.Sprintf("%s=%d", workerVariable, o.Memory))
	group := process.NewGroup(cmd)
	err = cmd.Start()
	for _, f := range []*os.File{inR, outW, errW} {
		_ = f.Close()
	}
	if err != nil {
		for _, f := range []*os.File{inW, outR, errR} {
			_ = f.Close()
		}
		return nil, err
	}
	group.Started()
	p := &child{
		cmd: cmd, group: group, frames: make(chan envelope),
		exited: make(chan struct{}), reap: make(chan struct{}), reaped: make(chan struct{}),
		said: lastWords{tail: process.Tail{Limit: stderrTail}}, stderr: make(chan struct{}),
		outgoing: make(chan envelope, 8), writing: make(chan struct{}), quit: make(chan struct{}),
		files: []*os.File{inW, outR, errR},
	}
	go p.wait()
	go p.read(outR)
	go func() {
		defer close(p.stderr)
		_, _ = io.Copy(&p.said, errR)
	}()
	go p.write(inW)
	return p, nil
}

// wait notices the end of the process.
func (p *child) wait() {
	defer close(p.reaped)
	if p.held = p.group.AwaitExit(); p.held {
		close(p.exited)
		<-p.reap
	}
	_ = p.cmd.Wait() // how it ended is in the state
	p.state = p.cmd.ProcessState
	if !p.held {
		close(p.exited)
	}
}

// read takes what the process sends.
func (p *child) read(r io.Reader) {
	defer close(p.frames)
	b := bufio.NewReaderSize(r, 1<<16)
	for {
		e, err := readFrame(b)
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, os.ErrClosed) {
				p.garbled = err
			}
			return
		}
		select {
		case p.frames <- e:
		case <-p.quit:
			return
		}
	}
}

// write sends what there is to send. A process that does not read holds up nobody else.
func (p *child) write(w io.Writer) {
	defer close(p.writing)
	for {
		select {
		case <-p.quit:
			return
		case e := <-p.outgoing:
			if writeFrame(w, e) != nil {
				return // it has ended, which is noticed elsewhere
			}
		}
	}
}

func (p *child) send(e envelope) {
	select {
	case p.outgoing <- e:
	case <-p.writing:
	}
}

// kill ends the process and all that it started.
func (p *child) kill() {
	p.killed.Do(func() {
		select {
		case <-p.exited:
		default:
			p.group.Kill()
		}
		if within(unkillable, p.exited) && p.held {
			p.group.Kill() // what the process left behind
		}
		close(p.reap)
		close(p.quit)
	})
}

// ended waits for everything of a killed process, and returns the end of its standard
// error.
func (p *child) ended() string {
	if !within(drain, p.stderr) { // held by a process that left the group
		_ = p.files[2].Close()
		<-p.stderr
	}
	for _, f := range p.files {
		_ = f.Close()
	}
	for range p.frames { // until its reader has ended
	}
	<-p.writing
	if within(unkillable, p.reaped) {
		p.group.Close()
	}
	return p.said.tail.String()
}

// lastWords keep the end of standard error, and the last line by which Go says why it
// dies, which may stand far before the end.
type lastWords struct {
	tail process.Tail
	line []byte // its beginning
	why  string
}

func (l *lastWords) Write(b []byte) (int, error) {
	for rest := b; len(rest) > 0; {
		part, more, whole := bytes.Cut(rest, []byte{'\n'})
		l.line = append(l.line, part[:min(len(part), max(0, 500-len(l.line)))]...)
		if rest = more; whole {
			if bytes.HasPrefix(l.line, []byte("panic: ")) || bytes.HasPrefix(l.line, []byte("fatal error: ")) {
				l.why = strings.ToValidUTF8(string(l.line), "\uFFFD")
			}
			l.line = l.line[:0]
		}
	}
	return l.tail.Write(b)
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
