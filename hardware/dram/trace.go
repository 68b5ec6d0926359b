package dram

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/daedalus-search/daedalus/internal/source"
)

// A Request asks for one burst.
type Request struct {
	Cycle   int64  // of the client's clock, in which it wants to ask
	Address uint64 // of a byte of the burst
	Write   bool
}

// A Trace is what one client asks for, in order. It asks one cycle after the
// last request was taken over at the earliest, and does not wait for answers.
type Trace struct {
	Name     string
	ClockMHz float64 // of the client; 0 means that of the memory
	Requests []Request
}

// maxCycle bounds the cycles of a trace: 23 minutes of an 800 MHz clock.
const maxCycle = 1 << 40

// Validate reports the first request that no simulation can take.
func (t *Trace) Validate() error {
	if len(t.Requests) == 0 {
		return fmt.Errorf("trace %s: found no requests, want at least one", t.Name)
	}
	if len(t.Requests) > math.MaxInt32/2 {
		return fmt.Errorf("trace %s: found %d requests, want at most %d", t.Name, len(t.Requests), math.MaxInt32/2)
	}
	if t.ClockMHz != 0 && !(t.ClockMHz >= 1 && t.ClockMHz <= 1e5) {
		return fmt.Errorf("trace %s: found a clock of %v MHz, want 1 to 100000, or 0 for that of the memory", t.Name, t.ClockMHz)
	}
	last := int64(0)
	for i, r := range t.Requests {
		if err := follows(r.Cycle, last); err != nil {
			return fmt.Errorf("trace %s: request %d: %w", t.Name, i, err)
		}
		last = r.Cycle
	}
	return nil
}

func follows(cycle, last int64) error {
	switch {
	case cycle < last:
		return fmt.Errorf("cycle %d comes after cycle %d, want times that do not run backwards", cycle, last)
	case cycle > maxCycle:
		return fmt.Errorf("found cycle %d, want at most %d (2^40)", cycle, int64(maxCycle))
	}
	return nil
}

// ReadSTL reads a trace of DRAMSys: one request a line, as
//
//	31:	read	0x400140
//
// Lines that are empty or start with # are skipped. Data after the address is
// ignored, because only times are simulated. A length in front of read or write
// is not supported: every request is one burst. name is what errors call the
// text.
func ReadSTL(r io.Reader, name string) (Trace, error) {
	t := Trace{Name: strings.TrimSuffix(name, ".stl")}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<16)
	n, last := 0, int64(0)
	for lines.Scan() {
		n++
		text := strings.TrimSpace(lines.Text())
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		q, err := parseRequest(text)
		if err == nil {
			err = follows(q.Cycle, last)
		}
		if err != nil {
			return Trace{}, fmt.Errorf("%s:%d: %w", name, n, err)
		}
		last = q.Cycle
		t.Requests = append(t.Requests, q)
	}
	if err := lines.Err(); err != nil {
		return Trace{}, fmt.Errorf("%s:%d: %w", name, n+1, err)
	}
	if len(t.Requests) == 0 {
		return Trace{}, fmt.Errorf("%s: found no requests, want lines such as 31: read 0x400140", name)
	}
	return t, nil
}

func parseRequest(text string) (Request, error) {
	const want = "want <cycle>: read|write 0x<address>"
	time, rest, ok := strings.Cut(text, ":")
	if !ok {
		return Request{}, fmt.Errorf("found %s without a colon, %s", quoted(text), want)
	}
	cycle, err := strconv.ParseInt(strings.TrimSpace(time), 10, 64)
	if err != nil {
		return Request{}, fmt.Errorf("found the cycle %s, want a whole number up to 2^40", quoted(time))
	}
	if cycle < 0 {
		return Request{}, fmt.Errorf("found cycle %d, want 0 or later", cycle)
	}
	words := strings.Fields(rest)
	if len(words) > 0 && strings.HasPrefix(words[0], "(") {
		return Request{}, fmt.Errorf("found the length %s, which is not supported: write one line for each burst", quoted(words[0]))
	}
	if len(words) < 2 {
		return Request{}, fmt.Errorf("found %s, %s", quoted(text), want)
	}
	q := Request{Cycle: cycle}
	switch words[0] {
	case "read":
	case "write":
		q.Write = true
	default:
		return Request{}, fmt.Errorf("found %s, want read or write", quoted(words[0]))
	}
	hex, ok := strings.CutPrefix(words[1], "0x")
	if !ok {
		hex, ok = strings.CutPrefix(words[1], "0X")
	}
	if q.Address, err = strconv.ParseUint(hex, 16, 64); err != nil || !ok {
		return Request{}, fmt.Errorf("found the address %s, want a hexadecimal number of up to 64 bits such as 0x400140", quoted(words[1]))
	}
	return q, nil
}

// quoted shows a piece of a user's file, not too much of it.
func quoted(s string) string {
	if len(s) > 40 {
		s = s[:40] + "…"
	}
	return strconv.Quote(s)
}

// WriteSTL writes a trace as DRAMSys reads it.
func (t *Trace) WriteSTL(w io.Writer) error {
	b := bufio.NewWriter(w)
	for _, r := range t.Requests {
		what := "read"
		if r.Write {
			what = "write"
		}
		fmt.Fprintf(b, "%d:\t%s\t0x%X\n", r.Cycle, what, r.Address)
	}
	return b.Flush()
}

// The traces of ArchGym: 10,000 reads each, one a cycle of an 800 MHz clock. The
// two cloud traces take runs of 50 reads from stream or from random, each where
// the last run of its kind ended; a bit says from which, 1 is random.
const (
	archgymClock = 800 // MHz
	cloud1       = "206d64474bec94979f9829da7febf75c6d1f2c0d5847713530"
	cloud2       = "d0d26f5965a4292c53f05a413ef56740c2aee58bb27b5a88e9"
)

// Traces names the traces that are part of the program.
func Traces() []string { return []string{"stream", "random", "cloud-1", "cloud-2"} }

// BuiltinTrace returns one of ArchGym's four traces.
func BuiltinTrace(name string) (Trace, error) {
	packed, err := data.ReadFile("data/random.bin")
	if err != nil {
		return Trace{}, err
	}
	n := len(packed) / 3
	runs := big.NewInt(0)
	switch name {
	case "stream":
	case "random":
		runs.Sub(runs.Lsh(big.NewInt(1), 200), big.NewInt(1))
	case "cloud-1":
		runs.SetString(cloud1, 16)
	case "cloud-2":
		runs.SetString(cloud2, 16)
	default:
		hint := ""
		if near, ok := source.Nearest(name, Traces()); ok {
			hint = fmt.Sprintf("; did you mean %s?", near)
		}
		return Trace{}, fmt.Errorf("trace: found %q, want one of %s%s", name, strings.Join(Traces(), ", "), hint)
	}
	t := Trace{Name: name, ClockMHz: archgymClock, Requests: make([]Request, n)}
	streamed, drawn := 0, 0
	for i := range t.Requests {
		a := uint64(streamed)
		if runs.Bit(199-i/50) == 1 {
			p := packed[3*drawn:]
			a = uint64(p[0]) | uint64(p[1])<<8 | uint64(p[2])<<16
			drawn++
		} else {
			streamed++
		}
		t.Requests[i] = Request{Cycle: int64(i), Address: 64 * a}
	}
	return t, nil
}
