package dram

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/daedalus-search/daedalus/internal/rng"
)

// A Pattern says how the addresses of a generated trace follow each other.
type Pattern string

// The patterns.
const (
	Stream  Pattern = "stream"  // one burst after the other
	Uniform Pattern = "random"  // every burst is equally likely
	Strided Pattern = "strided" // Stride bytes apart, around the range
	Chase   Pattern = "chase"   // a random cycle through all bursts of the range, one wait apart: a list of pointers
)

// A Generator makes a trace. The same generator makes the same trace on every
// platform.
type Generator struct {
	Pattern  Pattern // "" means stream
	Requests int     // 0 means 10000
	Seed     uint64

	Range  uint64  // bytes, from Base; 0 means 1 GiB, or 1 MiB for chase
	Base   uint64  // first address
	Burst  uint64  // bytes of one request; 0 means 64
	Stride uint64  // bytes, of strided; 0 means 4096
	Writes float64 // share of writes
	Gap    int64   // cycles between two requests; 0 means 1, or 50 for chase
}

// Validate reports everything that is wrong with a generator.
func (g Generator) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	switch g.Pattern {
	case "", Stream, Uniform, Strided, Chase:
	default:
		bad("pattern: found %q, want stream, random, strided or chase", g.Pattern)
	}
	if g.Requests < 0 || g.Requests > 1<<27 {
		bad("requests: found %d, want 1 to 2^27", g.Requests)
	}
	if !(g.Writes >= 0 && g.Writes <= 1) {
		bad("writes: found %v, want a share from 0 to 1", g.Writes)
	}
	g = g.withDefaults()
	if g.Burst&(g.Burst-1) != 0 || g.Burst > 1<<20 {
		bad("burst: found %d bytes, want a power of two up to 2^20", g.Burst)
	} else if g.Range < g.Burst || g.Range > 1<<60 || g.Range%g.Burst != 0 {
		bad("range: found %d bytes, want a multiple of the burst of %d bytes up to 2^60", g.Range, g.Burst)
	} else if g.Base%g.Burst != 0 || g.Base > 1<<60 {
		bad("base: found %d, want a multiple of the burst of %d bytes up to 2^60", g.Base, g.Burst)
	} else if g.Pattern == Strided && (g.Stride%g.Burst != 0 || g.Stride > g.Range) {
		bad("stride: found %d bytes, want a multiple of the burst of %d bytes up to the range of %d", g.Stride, g.Burst, g.Range)
	}
	if g.Pattern == Chase && g.Range/max(g.Burst, 1) > 1<<24 {
		bad("range: found %d bursts, want at most 2^24 of a list of pointers", g.Range/g.Burst)
	}
	if g.Gap < 1 || g.Gap > maxCycle/int64(max(g.Requests, 1)) {
		bad("gap: found %d cycles, want 1 to %d", g.Gap, maxCycle/int64(max(g.Requests, 1)))
	}
	return errors.Join(errs...)
}

func (g Generator) withDefaults() Generator {
	if g.Pattern == "" {
		g.Pattern = Stream
	}
	if g.Requests == 0 {
		g.Requests = 10_000
	}
	if g.Range == 0 {
		g.Range = 1 << 30
		if g.Pattern == Chase {
			g.Range = 1 << 20
		}
	}
	if g.Burst == 0 {
		g.Burst = 64
	}
	if g.Stride == 0 {
		g.Stride = max(4096, g.Burst)
	}
	if g.Gap == 0 {
		g.Gap = 1
		if g.Pattern == Chase {
			g.Gap = 50
		}
	}
	return g
}

// Trace makes the trace.
func (g Generator) Trace() (Trace, error) {
	if err := g.Validate(); err != nil {
		return Trace{}, fmt.Errorf("dram: generator: %w", err)
	}
	g = g.withDefaults()
	where := rng.New(g.Seed, "dram/address", 0)
	writes := rng.New(g.Seed, "dram/write", 0)
	bursts := g.Range / g.Burst
	next := func(i uint64) uint64 { return i % bursts }
	switch g.Pattern {
	case Uniform:
		next = func(uint64) uint64 { return where.Uint64N(bursts) }
	case Strided:
		step := g.Stride / g.Burst
		next = func(i uint64) uint64 { return i * step % bursts }
	case Chase:
		list := cycle(where, int(bursts))
		at := uint64(0)
		next = func(uint64) uint64 {
			here := at
			at = uint64(list[at])
			return here
		}
	}
	t := Trace{Name: fmt.Sprintf("%s-%d", g.Pattern, g.Seed), Requests: make([]Request, g.Requests)}
	for i := range t.Requests {
		t.Requests[i] = Request{Cycle: int64(i) * g.Gap, Address: g.Base + next(uint64(i))*g.Burst, Write: g.Writes > 0 && writes.Float64() < g.Writes}
	}
	return t, nil
}

// cycle returns a random permutation that is one cycle (Sattolo 1986).
func cycle(r *rand.Rand, n int) []uint32 {
	p := make([]uint32, n)
	for i := range p {
		p[i] = uint32(i)
	}
	for i := n - 1; i > 0; i-- {
		j := r.IntN(i)
		p[i], p[j] = p[j], p[i]
	}
	return p
}

// Merge makes one trace of several clients that share a port: requests in the
// order of their times, those of one cycle in the order of the clients. All
// clocks must be the same.
func Merge(name string, clients ...Trace) (Trace, error) {
	t := Trace{Name: name}
	for i, c := range clients {
		if err := c.Validate(); err != nil {
			return Trace{}, fmt.Errorf("dram: merge: %w", err)
		}
		if i == 0 {
			t.ClockMHz = c.ClockMHz
		} else if c.ClockMHz != t.ClockMHz {
			return Trace{}, fmt.Errorf("dram: merge: trace %s has a clock of %v MHz, want %v as that of %s", c.Name, c.ClockMHz, t.ClockMHz, clients[0].Name)
		}
		t.Requests = append(t.Requests, c.Requests...)
	}
	slices.SortStableFunc(t.Requests, func(a, b Request) int { return int(min(max(a.Cycle-b.Cycle, -1), 1)) })
	return t, nil
}

// ParseGenerator reads a generator as a study file writes it, such as
//
//	random(seed=2, writes=0.5)
//	chase(requests=5000, range=65536)
//
// The pattern is followed by any of the fields of [Generator] in small letters.
func ParseGenerator(text string) (Generator, error) {
	name, rest, ok := strings.Cut(text, "(")
	rest, closed := strings.CutSuffix(strings.TrimSpace(rest), ")")
	if !ok || !closed {
		return Generator{}, fmt.Errorf("found %s, want a pattern with its fields such as random(seed=2, writes=0.5)", quoted(text))
	}
	g := Generator{Pattern: Pattern(strings.TrimSpace(name))}
	fields := map[string]func(string) error{
		"requests": func(v string) (err error) { g.Requests, err = strconv.Atoi(v); return },
		"seed":     func(v string) (err error) { g.Seed, err = strconv.ParseUint(v, 0, 64); return },
		"range":    func(v string) (err error) { g.Range, err = strconv.ParseUint(v, 0, 64); return },
		"base":     func(v string) (err error) { g.Base, err = strconv.ParseUint(v, 0, 64); return },
		"burst":    func(v string) (err error) { g.Burst, err = strconv.ParseUint(v, 0, 64); return },
		"stride":   func(v string) (err error) { g.Stride, err = strconv.ParseUint(v, 0, 64); return },
		"gap":      func(v string) (err error) { g.Gap, err = strconv.ParseInt(v, 0, 64); return },
		"writes":   func(v string) (err error) { g.Writes, err = strconv.ParseFloat(v, 64); return },
	}
	for f := range strings.SplitSeq(rest, ",") {
		if strings.TrimSpace(f) == "" && strings.TrimSpace(rest) == "" {
			break
		}
		k, v, ok := strings.Cut(f, "=")
		k, v = strings.TrimSpace(k), strings.TrimSpace(v)
		set := fields[k]
		if !ok || set == nil {
			return Generator{}, fmt.Errorf("%s: found %s, want name=value with one of %s", name, quoted(f), strings.Join(sortedKeys(fields), ", "))
		}
		if err := set(v); err != nil {
			return Generator{}, fmt.Errorf("%s: %s: found %s, want a number", name, k, quoted(v))
		}
	}
	if err := g.Validate(); err != nil {
		return Generator{}, fmt.Errorf("%s: %w", name, err)
	}
	return g, nil
}
