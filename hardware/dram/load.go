package dram

import (
	"fmt"
	"math"
)

// A Load is a trace decoded for one memory. It is never changed, so that any
// number of simulators may run it at once.
type Load struct {
	Trace  string
	memory *Memory

	cycle []int64 // of the memory's clock, in which each request is wanted
	bank  []uint8 // of all ranks
	row   []int32
	write []bool
	place []uint64 // the address
	reads int
}

// Len returns the number of requests.
func (l *Load) Len() int { return len(l.cycle) }

// Reads returns how many of them read.
func (l *Load) Reads() int { return l.reads }

// Memory returns the memory it was decoded for.
func (l *Load) Memory() *Memory { return l.memory }

// Load decodes a trace. An address above the memory is an error.
func (m *Memory) Load(t Trace) (*Load, error) { return m.load(t, false) }

// LoadWrapped decodes a trace and ignores the bits of addresses above the
// memory, as DRAMSys does.
func (m *Memory) LoadWrapped(t Trace) (*Load, error) { return m.load(t, true) }

func (m *Memory) load(t Trace, wrap bool) (*Load, error) {
	if err := t.Validate(); err != nil {
		return nil, fmt.Errorf("dram: %w", err)
	}
	n := len(t.Requests)
	l := &Load{Trace: t.Name, memory: m, cycle: make([]int64, n), bank: make([]uint8, n), row: make([]int32, n), write: make([]bool, n), place: make([]uint64, n)}
	scale := 1.0
	if t.ClockMHz != 0 {
		scale = m.Spec.ClockMHz / t.ClockMHz
	}
	for i, r := range t.Requests {
		a := r.Address
		if a >= m.dec.limit {
			if !wrap {
				return nil, fmt.Errorf("dram: trace %s: request %d: found address %#x, want less than %#x, which is what %s holds; wrap addresses if only their lower bits count", t.Name, i, a, m.dec.limit, m.Spec.Name)
			}
			a &= m.dec.limit - 1
		}
		bank, row := m.dec.decode(a)
		l.bank[i], l.row[i], l.write[i], l.place[i] = uint8(bank), int32(row), r.Write, a
		if !r.Write {
			l.reads++
		}
		l.cycle[i] = r.Cycle
		if scale != 1 {
			l.cycle[i] = int64(math.Ceil(float64(r.Cycle) * scale))
		}
	}
	if last := l.cycle[n-1]; last > maxCycle {
		return nil, fmt.Errorf("dram: trace %s: request %d comes in cycle %d of the memory's clock, want at most %d (2^40)", t.Name, n-1, last, int64(maxCycle))
	}
	return l, nil
}
