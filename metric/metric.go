package metric

import (
	"fmt"
	"strings"
)

// A Direction says which way a metric is better.
type Direction int8

// The zero Direction means that none was stated.
const (
	Minimize Direction = iota + 1
	Maximize
)

// String returns "minimize", "maximize" or, for the zero value, "none".
func (d Direction) String() string {
	switch d {
	case Minimize:
		return "minimize"
	case Maximize:
		return "maximize"
	case 0:
		return "none"
	}
	return fmt.Sprintf("Direction(%d)", int8(d))
}

// ParseDirection reads a direction; both spellings and the short forms "min"
// and "max" are understood, in any case.
func ParseDirection(s string) (Direction, error) {
	switch strings.ToLower(s) {
	case "minimize", "minimise", "min":
		return Minimize, nil
	case "maximize", "maximise", "max":
		return Maximize, nil
	}
	return 0, fmt.Errorf("direction: found %q, want minimize or maximize", s)
}

// MarshalText writes the direction as [Direction.String] does; the zero value
// is written as the empty text.
func (d Direction) MarshalText() ([]byte, error) {
	switch d {
	case 0:
		return []byte{}, nil
	case Minimize, Maximize:
		return []byte(d.String()), nil
	}
	return nil, fmt.Errorf("direction: found %d, want minimize or maximize", int8(d))
}

// UnmarshalText reads what MarshalText writes.
func (d *Direction) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*d = 0
		return nil
	}
	v, err := ParseDirection(string(text))
	if err != nil {
		return err
	}
	*d = v
	return nil
}

// A Metric is one number measured of a design.
type Metric struct {
	Name      string    // the key in Values, for example "latency_ms"
	Unit      string    // "" means dimensionless
	Doc       string    // one line
	Direction Direction // which way is usually better; zero when neither is
}

// UnitName returns the unit, or "dimensionless" when there is none.
func (m Metric) UnitName() string {
	if m.Unit == "" {
		return "dimensionless"
	}
	return m.Unit
}

// String returns the name with its unit, for example "latency (ms)" or
// "accuracy (dimensionless)".
func (m Metric) String() string { return m.Name + " (" + m.UnitName() + ")" }

// Values are the measured numbers of one design by metric name.
type Values map[string]float64
