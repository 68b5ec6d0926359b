package arena

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/daedalus-search/daedalus/internal/process"
	"github.com/daedalus-search/daedalus/internal/shape"
	"github.com/daedalus-search/daedalus/internal/source"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/space"
)

// A Peer is a program that searches, spoken to in lines of JSON: docs/arena.md.
type Peer struct {
	Command []string          `yaml:"command,required" doc:"the program and its arguments; it is started once a run, in the folder of this file"`
	Timeout time.Duration     `yaml:"timeout" default:"60s" min:">0" doc:"longest time of one answer"`
	Env     map[string]string `yaml:"env" doc:"variables of its environment, besides those of this process"`

	dir string

	once sync.Once
	hash []byte // see id
	mu   sync.Mutex
	idle []*peerSearcher // programs that wait for another run
}

const (
	protocol   = 1
	mostLine   = 16 << 20 // bytes of one answer
	stderrTail = 8 << 10
	grace      = 2 * time.Second // from the end of the conversation to the end of the program
)

func (r *reader) peer(v *source.Value) (*Peer, bool) {
	p := &Peer{dir: filepath.Dir(r.f.Path)}
	if !source.Decode(r.report, v, p) {
		return nil, false
	}
	if len(p.Command) == 0 || p.Command[0] == "" {
		r.expect(v.Get("command"), "a program and its arguments, such as [python3, peer.py]", "an empty command")
		return nil, false
	}
	return p, true
}

// id is the command with the contents of the files among its words, so that a
// changed script is run again. It is that of the first call: what is edited while
// an arena runs counts the next time.
func (p *Peer) id() (id []byte, err error) {
	p.once.Do(func() { p.hash, err = p.identify() })
	return p.hash, err
}

func (p *Peer) identify() ([]byte, error) {
	files := map[string]string{}
	for i, word := range p.Command {
		path := word
		if !filepath.IsAbs(path) {
			path = filepath.Join(p.dir, path)
		}
		info, err := os.Stat(path)
		if i == 0 || err != nil || !info.Mode().IsRegular() || info.Size() > 1<<20 {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		h := sha256.Sum256(text)
		files[word] = hex.EncodeToString(h[:8])
	}
	return json.Marshal(map[string]any{"peer": p.Command, "env": p.Env, "files": files})
}

// A peerError says how a program broke down.
type peerError struct {
	reason string
	stderr string
}

func (e *peerError) Error() string { return e.reason }

// A hello is the first message to a program.
type hello struct {
	Type       string          `json:"type"`
	Protocol   int             `json:"protocol"`
	Problem    string          `json:"problem"`
	Seed       uint64          `json:"seed"`
	Budget     int64           `json:"budget"`
	Objectives int             `json:"objectives"`
	Limits     bool            `json:"limits"`
	Require    []string        `json:"require,omitempty"`
	Measures   []Measure       `json:"measures,omitempty"`
	Space      json.RawMessage `json:"space"`
	Params     []parameter     `json:"params"` // null where the space is not a list of parameters
}

// A parameter is one of a space that is a list of them.
type parameter struct {
	Name   string  `json:"name"`
	Type   string  `json:"type"` // float, int, ordinal, categorical, subset, permutation
	Low    float64 `json:"low,omitempty"`
	High   float64 `json:"high,omitempty"`
	Step   float64 `json:"step,omitempty"`
	Log    bool    `json:"log,omitempty"`
	Values []any   `json:"values,omitempty"`
	Size   []int   `json:"size,omitempty"` // of a subset: least and most
	When   string  `json:"when,omitempty"` // a condition, as in study files
	In     *inside `json:"in,omitempty"`   // the case that it is in
}

type inside struct {
	Name  string `json:"name"`
	Value any    `json:"value"`
}

// MarshalJSON writes the range of numbers even where an end is 0.
func (p parameter) MarshalJSON() ([]byte, error) {
	type plain parameter
	if p.Type != "float" && p.Type != "int" {
		return json.Marshal(plain(p))
	}
	return json.Marshal(struct {
		plain
		Low  float64 `json:"low"`
		High float64 `json:"high"`
	}{plain(p), p.Low, p.High})
}

// An answer is any message from a program.
type answer struct {
	Type    string            `json:"type"`
	Name    string            `json:"name"`
	Version string            `json:"version"`
	Batch   int               `json:"batch"`
	Nested  bool              `json:"nested"`
	Reuse   bool              `json:"reuse"`
	Reason  string            `json:"reason"`
	Designs []json.RawMessage `json:"designs"`
}

// A told is one outcome as a program is told it.
type told struct {
	ID        int64         `json:"id"`
	Status    string        `json:"status"` // complete, infeasible or failed
	Losses    []float64     `json:"losses,omitempty"`
	Violation float64       `json:"violation"`
	Values    metric.Values `json:"values,omitempty"`
	Reason    string        `json:"reason,omitempty"`
}

// parameters lists the parameters of a space, or returns nil if it has repeats
// or grammars.
func parameters(s *space.Space) []parameter {
	text, err := json.Marshal(s)
	if err != nil {
		return nil
	}
	whens := map[string]string{}
	if sh, err := shape.Read(text); err == nil {
		for _, p := range sh.Parts() {
			whens[p.Path] = p.When
		}
	}
	out := []parameter{}
	cases := map[string]*space.Param{}
	params := s.Params()
	for _, p := range params {
		if p.Kind == space.KindChoice {
			cases[p.Path] = p
		}
	}
	// A choice comes before what stands in its cases.
	slices.SortStableFunc(params, func(a, b *space.Param) int { return strings.Count(a.Path, ".") - strings.Count(b.Path, ".") })
	for _, p := range params {
		q := parameter{Name: p.Path, When: whens[p.Path]}
		switch p.Kind {
		case space.KindFloat:
			q.Type, q.Low, q.High, q.Step, q.Log = "float", p.Lo, p.Hi, p.Step, p.Log
		case space.KindInt:
			q.Type, q.Low, q.High, q.Step, q.Log = "int", p.Lo, p.Hi, p.Step, p.Log
		case space.KindOrdinal:
			q.Type, q.Values = "ordinal", p.Labels
		case space.KindCategorical, space.KindBool, space.KindChoice:
			q.Type, q.Values = "categorical", p.Labels
		case space.KindSubset:
			q.Type, q.Values, q.Size = "subset", p.Labels, []int{int(p.Lo), int(p.Hi)}
		case space.KindPermutation:
			q.Type, q.Values = "permutation", p.Labels
		case space.KindConst, space.KindGroup:
			continue
		default:
			return nil
		}
		// The innermost case around it.
		for path := p.Path; ; {
			i := strings.LastIndexByte(path, '.')
			if i < 0 {
				break
			}
			path = path[:i]
			j := strings.LastIndexByte(path, '.')
			if j >= 0 && cases[path[:j]] != nil {
				q.In = &inside{path[:j], path[j+1:]}
				break
			}
		}
		out = append(out, q)
	}
	return out
}

// A peerSearcher is a program as a searcher.
type peerSearcher struct {
	peer   *Peer
	p      *Problem
	name   string
	batch  int
	nested bool
	flat   bool
	reuse  bool // it takes another hello after a run

	ctx     context.Context
	cmd     *exec.Cmd
	group   *process.Group
	in      *os.File
	outR    *os.File
	errR    *os.File
	lines   chan []byte // closed at the end of its output
	overrun bool        // the last line was too long
	errs    *process.Tail
	errDone chan struct{}
	err     error
	next    int64
	exit    string // how it ended
	ended   bool
}

// start greets a program that waits for another run, or one that it starts.
func (p *Peer) start(ctx context.Context, q *Problem, seed uint64) (*peerSearcher, error) {
	p.mu.Lock()
	var s *peerSearcher
	if n := len(p.idle); n > 0 {
		s, p.idle = p.idle[n-1], p.idle[:n-1]
	}
	p.mu.Unlock()
	if s != nil {
		s.ctx, s.p, s.next = ctx, q, 0
		err := s.greet(seed)
		var broken *peerError
		if !errors.As(err, &broken) || ctx.Err() != nil {
			return s, err
		}
		// It has ended since: that is no fault of this run.
	}
	s, err := p.launch(ctx, q)
	if err != nil {
		return nil, err
	}
	return s, s.greet(seed)
}

// closeAll ends the programs that wait.
func (p *Peer) closeAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	var wg sync.WaitGroup
	for _, s := range p.idle {
		wg.Go(func() { s.end(true) })
	}
	wg.Wait()
	p.idle = nil
}

func (p *Peer) launch(ctx context.Context, q *Problem) (*peerSearcher, error) {
	path := p.Command[0]
	if strings.ContainsRune(path, filepath.Separator) && !filepath.IsAbs(path) {
		path = filepath.Join(p.dir, path)
	}
	path, err := exec.LookPath(path)
	if err != nil {
		return nil, &peerError{reason: fmt.Sprintf("program %q: %v", p.Command[0], errors.Unwrap(err))}
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, &peerError{reason: err.Error()}
	}
	s := &peerSearcher{peer: p, p: q, ctx: ctx, lines: make(chan []byte, 1), errs: &process.Tail{Limit: stderrTail}, errDone: make(chan struct{})}
	s.cmd = &exec.Cmd{Path: path, Args: p.Command, Dir: p.dir, Env: p.environment()}
	var files []*os.File
	shut := func() {
		for _, f := range files {
			f.Close()
		}
	}
	pipe := func() (r, w *os.File) {
		if err == nil {
			r, w, err = os.Pipe()
		}
		if err == nil {
			files = append(files, r, w)
		}
		return r, w
	}
	inR, inW := pipe()
	outR, outW := pipe()
	errR, errW := pipe()
	if err != nil {
		shut()
		return nil, &peerError{reason: err.Error()}
	}
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = inR, outW, errW
	s.in, s.outR, s.errR = inW, outR, errR
	s.group = process.NewGroup(s.cmd)
	if err := s.cmd.Start(); err != nil {
		shut()
		return nil, &peerError{reason: fmt.Sprintf("program %q: %v", p.Command[0], err)}
	}
	s.group.Started()
	inR.Close()
	outW.Close()
	errW.Close()
	go s.read()
	go func() {
		defer close(s.errDone)
		_, _ = io.Copy(s.errs, s.errR)
	}()
	return s, nil
}

// greet begins a run.
func (s *peerSearcher) greet(seed uint64) error {
	q := s.p
	spaceJSON, err := json.Marshal(q.Problem.Space())
	if err != nil {
		return s.fail("its space: %v", err)
	}
	h := hello{
		Type: "hello", Protocol: protocol, Problem: q.Label, Seed: seed, Budget: q.Trials, Objectives: len(q.Goal.Objectives),
		Limits: len(q.Goal.Limits) > 0, Measures: q.Measures, Space: spaceJSON, Params: parameters(q.Problem.Space()),
	}
	if sh, err := shape.Read(spaceJSON); err == nil {
		h.Require = sh.Requires()
	}
	s.flat = h.Params != nil
	a, err := s.exchange(h, "ready", "unfit")
	if err != nil {
		return err
	}
	s.reuse = a.Reuse
	if a.Type == "unfit" {
		s.close()
		return &unfitError{cut(a.Reason)}
	}
	s.name = strings.TrimSpace(a.Name + " " + a.Version)
	s.batch = min(max(a.Batch, 1), maxBatch)
	s.nested = a.Nested || !s.flat
	return nil
}

// environment gives a program one thread where libraries ask, since every run
// has one core.
func (p *Peer) environment() []string {
	env := os.Environ()
	for _, name := range []string{"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS"} {
		if _, ok := os.LookupEnv(name); !ok {
			env = append(env, name+"=1")
		}
	}
	for _, k := range slices.Sorted(maps.Keys(p.Env)) {
		env = append(env, k+"="+p.Env[k])
	}
	return env
}

// read hands over the lines of the program's output.
func (s *peerSearcher) read() {
	defer close(s.lines)
	in := bufio.NewReaderSize(s.outR, 1<<16)
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > mostLine {
			s.overrun = true
			return
		}
		switch {
		case err == bufio.ErrBufferFull:
			continue
		case err != nil:
			return
		}
		s.lines <- line
		line = nil
	}
}

// exchange sends a message and waits for its answer, which must be of one of
// these types.
func (s *peerSearcher) exchange(message any, types ...string) (a answer, err error) {
	if s.err != nil {
		return a, s.err
	}
	text, err := json.Marshal(message)
	if err != nil {
		return a, s.fail("cannot be told: %v", err)
	}
	sent := make(chan error, 1)
	go func() {
		_, err := s.in.Write(append(text, '\n'))
		sent <- err
	}()
	timer := time.NewTimer(s.peer.Timeout)
	defer timer.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return a, s.fail("%v", s.ctx.Err())
		case <-timer.C:
			return a, s.fail("no answer within %v", s.peer.Timeout)
		case <-sent: // a program that no longer reads has ended, or will be out of time
			sent = nil
		case line, ok := <-s.lines:
			switch {
			case ok:
			case s.overrun:
				return a, s.fail("an answer of more than %d bytes", mostLine)
			default:
				s.end(true)
				return a, s.fail("it ended in the middle of the run%s", s.exit)
			}
			if len(bytes.TrimSpace(line)) == 0 {
				continue
			}
			if err := json.Unmarshal(line, &a); err != nil {
				return a, s.fail("answered %q; expected a message of type %s in one line of JSON", cut(string(line)), strings.Join(types, " or "))
			}
			if a.Type == "error" {
				return a, s.fail("%s", cut(a.Reason))
			}
			if !slices.Contains(types, a.Type) {
				return a, s.fail("answered %q; expected a message of type %s", cut(string(line)), strings.Join(types, " or "))
			}
			return a, nil
		}
	}
}

// cut shortens what a program said.
func cut(s string) string {
	s = strings.ToValidUTF8(strings.TrimSpace(s), "\uFFFD")
	if r := []rune(s); len(r) > 300 {
		return string(r[:300]) + "…"
	}
	return s
}

// fail ends the program and remembers why.
func (s *peerSearcher) fail(format string, args ...any) error {
	s.end(false)
	s.err = &peerError{reason: fmt.Sprintf(format, args...), stderr: s.errs.String()}
	return s.err
}

// close ends the run, and the program unless it takes another, and returns the
// end of what the program wrote to standard error.
func (s *peerSearcher) close() string {
	if s.reuse && s.err == nil && !s.ended {
		s.peer.mu.Lock()
		defer s.peer.mu.Unlock()
		if !slices.Contains(s.peer.idle, s) {
			s.peer.idle = append(s.peer.idle, s)
		}
		return ""
	}
	s.end(true)
	return s.errs.String()
}

// end ends the program and everything it started: at once, or in its own time
// as long as that is short.
func (s *peerSearcher) end(gently bool) {
	if s.ended {
		return
	}
	s.ended = true
	s.in.Close()
	exited := make(chan struct{})
	if gently {
		// Until it is reaped nobody else gets its number, so the group can be
		// killed safely.
		go func() {
			s.group.AwaitExit()
			close(exited)
		}()
		within(grace, exited)
	}
	s.group.Kill()
	done := make(chan struct{})
	go func() {
		_ = s.cmd.Wait()
		close(done)
	}()
	if within(10*time.Second, done) { // one that hangs in the kernel is left alone
		if st := s.cmd.ProcessState; st != nil {
			if signal := process.SignalOf(st); signal != "" {
				s.exit = ", by " + signal
			} else {
				s.exit = fmt.Sprintf(", with exit code %d", st.ExitCode())
			}
		}
	}
	s.group.Close()
	if !within(grace, s.errDone) { // held open by a process that left the group
		s.errR.Close()
		<-s.errDone
	} else {
		s.errR.Close()
	}
	s.outR.Close()
	go func() { // the reader may be about to hand over a line
		for range s.lines {
		}
	}()
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

// Batch is how many designs the program wants to be asked for at once.
func (s *peerSearcher) Batch() int { return s.batch }

// Ask asks the program for designs. One that breaks a constraint of the space
// is a proposal without a design.
func (s *peerSearcher) Ask(n int) ([]search.Proposal, error) {
	a, err := s.exchange(map[string]any{"type": "ask", "n": n}, "designs", "done")
	if err != nil {
		return nil, err
	}
	if a.Type == "done" {
		return nil, search.ErrExhausted
	}
	if len(a.Designs) == 0 || len(a.Designs) > n {
		return nil, s.fail("answered with %d designs; expected 1 to %d", len(a.Designs), n)
	}
	out := make([]search.Proposal, len(a.Designs))
	for i, text := range a.Designs {
		s.next++
		out[i] = search.Proposal{ID: s.next, Operator: "peer"}
		d, err := s.design(text)
		var broken *space.InfeasibleError
		switch {
		case errors.As(err, &broken):
			out[i].Why = broken.Error()
		case err != nil:
			return nil, s.fail("proposed %s: %v", cut(string(text)), err)
		default:
			out[i].Design = d
		}
	}
	return out, nil
}

func (s *peerSearcher) design(text []byte) (space.Design, error) {
	sp := s.p.Problem.Space()
	if s.nested {
		return sp.ParseJSON(text)
	}
	var m map[string]any
	if err := json.Unmarshal(text, &m); err != nil {
		return space.Design{}, err
	}
	return fromFlat(sp, m)
}

// Tell tells the program what became of its designs. A failure shows at the
// next Ask, or in Err.
func (s *peerSearcher) Tell(outcomes ...search.Outcome) {
	list := make([]told, len(outcomes))
	for i, o := range outcomes {
		t := told{ID: o.ID, Status: "complete", Losses: o.Score.Loss, Violation: o.Score.Violation, Values: o.Values, Reason: o.Err}
		switch {
		case o.Status == search.Infeasible:
			t.Status, t.Losses, t.Values = "infeasible", nil, nil
		case !o.Usable():
			t.Status, t.Losses, t.Values, t.Violation = "failed", nil, nil, 0
		}
		for k, v := range t.Values {
			if v-v != 0 { // JSON has no such numbers
				t.Values = maps.Clone(t.Values)
				delete(t.Values, k)
			}
		}
		list[i] = t
	}
	_, _ = s.exchange(map[string]any{"type": "tell", "outcomes": list}, "ok")
}

// Err says how the program broke down, if it has.
func (s *peerSearcher) Err() error { return s.err }

// fromFlat makes a design of values by the paths of their parameters. Values of
// parameters that turn out not to be active are ignored. Numbers a rounding
// error beyond their range count as its end. A design that breaks a constraint
// is a [*space.InfeasibleError].
func fromFlat(s *space.Space, m map[string]any) (space.Design, error) {
	w := s.Walk()
	bad := func(p *space.Param, found any, want string) error {
		text, _ := json.Marshal(found)
		return fmt.Errorf("%s: found %s, expected %s", p.Path, text, want)
	}
	placed := map[string][]string{} // the items that a permutation has left
	for {
		d, ok := w.Next()
		if !ok {
			break
		}
		p := d.Param
		v, ok := m[p.Path]
		if !ok {
			return space.Design{}, fmt.Errorf("%s: no value", p.Path)
		}
		pick := -1
		switch d.Role {
		case space.RoleReal:
			x, ok := v.(float64)
			slack := 1e-9 * (p.Hi - p.Lo)
			if !ok || !(x >= p.Lo-slack && x <= p.Hi+slack) {
				return space.Design{}, bad(p, v, fmt.Sprintf("a number from %v to %v", p.Lo, p.Hi))
			}
			x = min(max(x, p.Lo), p.Hi)
			if x < d.Lo || x > d.Hi {
				return space.Design{}, &space.InfeasibleError{Constraint: p.Path}
			}
			w.ChooseReal(x)
			continue
		case space.RoleSize, space.RoleInclude:
			list, ok := v.([]any)
			for i, x := range list {
				ok = ok && slices.ContainsFunc(p.Labels, func(l any) bool { return same(x, l) }) && !slices.ContainsFunc(list[:i], func(y any) bool { return same(x, y) })
			}
			if !ok || len(list) < int(p.Lo) || len(list) > int(p.Hi) {
				text, _ := json.Marshal(p.Labels)
				return space.Design{}, bad(p, v, fmt.Sprintf("a list of %v to %v of %s", p.Lo, p.Hi, cut(string(text))))
			}
			if d.Role == space.RoleSize {
				pick = len(list) - int(p.Lo)
				break
			}
			pick = 0
			if slices.ContainsFunc(list, func(x any) bool { return same(x, p.Labels[d.Item]) }) {
				pick = 1
			}
		case space.RolePlace:
			list, ok := v.([]any)
			if !ok || len(list) != len(p.Labels) {
				return space.Design{}, bad(p, v, fmt.Sprintf("a list of %d items", len(p.Labels)))
			}
			left, begun := placed[p.Path]
			if !begun {
				for _, l := range p.Labels {
					left = append(left, literal(l))
				}
			}
			if pick = slices.Index(left, literal(list[d.Item])); pick < 0 {
				return space.Design{}, bad(p, v, "every item once")
			}
			placed[p.Path] = slices.Delete(slices.Clone(left), pick, pick+1)
		default:
			if p.Kind == space.KindFloat || p.Kind == space.KindInt {
				x, ok := v.(float64)
				at := (x - p.Lo) / p.Step
				i := int(math.Round(at))
				if !ok || math.Abs(at-float64(i)) > 1e-6 || i < 0 || i >= d.N {
					return space.Design{}, bad(p, v, fmt.Sprintf("%v to %v in steps of %v", p.Lo, p.Hi, p.Step))
				}
				pick = i
				break
			}
			pick = slices.IndexFunc(p.Labels, func(l any) bool { return same(v, l) })
			if pick < 0 {
				text, _ := json.Marshal(p.Labels)
				return space.Design{}, bad(p, v, "one of "+cut(string(text)))
			}
		}
		if !w.Legal(pick) {
			return space.Design{}, &space.InfeasibleError{Constraint: p.Path}
		}
		w.Choose(pick)
	}
	for name := range m {
		if _, ok := s.Lookup(name); !ok {
			return space.Design{}, fmt.Errorf("%q is no parameter", name)
		}
	}
	return w.Design()
}

// same reports whether two values are written alike.
func same(a, b any) bool { return literal(a) == literal(b) }

func literal(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}
