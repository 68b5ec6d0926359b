package device

import (
	"fmt"
	"math"
)

// Table is a model that knows every network of a small space.
type Table struct {
	space  *Space
	device string
	ms     []float64
}

// NewTable makes a model of the latencies of all networks, the settings read as
// the digits of a number, the first place first. The slice is kept.
func NewTable(s *Space, device string, ms []float64) (*Table, error) {
	all := 1
	for _, p := range s.places {
		if all *= len(p.Settings); all > 1<<28 {
			return nil, fmt.Errorf("device: the space %s is too large for a table of all networks", s.name)
		}
	}
	if len(ms) != all {
		return nil, fmt.Errorf("device: %s: a table of %d latencies, want %d, one for each network of %s", device, len(ms), all, s.name)
	}
	for i, v := range ms {
		if !(v > 0 && v <= math.MaxFloat64) {
			return nil, fmt.Errorf("device: %s: network %d takes %v ms, want a positive number", device, i, v)
		}
	}
	return &Table{s, device, ms}, nil
}

// Space returns the space of the model.
func (m *Table) Space() *Space { return m.space }

// Device returns the device of the model.
func (m *Table) Device() string { return m.device }

// LatencyMS looks a network up.
func (m *Table) LatencyMS(x []uint8) float64 {
	at := 0
	for i, v := range x {
		at = at*len(m.space.places[i].Settings) + int(v)
	}
	return m.ms[at]
}
