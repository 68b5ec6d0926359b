package device

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Measurements are networks of a space and how long each took on some devices.
type Measurements struct {
	Space   *Space
	Devices []string
	x       []uint8     // network by network
	ms      [][]float64 // by device, then network; NaN where it was not measured
}

// Timings are the networks that were measured on one device.
type Timings struct {
	Space  *Space
	Device string
	X      []uint8   // network by network
	MS     []float64 // milliseconds
}

// Network returns network i, which must not be changed.
func (t Timings) Network(i int) []uint8 {
	n := len(t.Space.places)
	return t.X[i*n : (i+1)*n : (i+1)*n]
}

// Select returns some of the timings.
func (t Timings) Select(rows []int) Timings {
	out := Timings{Space: t.Space, Device: t.Device}
	for _, i := range rows {
		out.X, out.MS = append(out.X, t.Network(i)...), append(out.MS, t.MS[i])
	}
	return out
}

// Check says what is wrong with timings.
func (t Timings) Check() error {
	if t.Space == nil {
		return errors.New("device: timings without a space")
	}
	if len(t.MS) == 0 {
		return fmt.Errorf("device: %s: no timings; measure at least one network", t.Device)
	}
	if len(t.X) != len(t.MS)*len(t.Space.places) {
		return fmt.Errorf("device: %s: %d settings for %d networks of %d places, want %d", t.Device, len(t.X), len(t.MS), len(t.Space.places), len(t.MS)*len(t.Space.places))
	}
	for i, y := range t.MS {
		if !(y > 0 && y <= math.MaxFloat64) {
			return fmt.Errorf("device: %s: network %d takes %v ms, want a positive number", t.Device, i, y)
		}
		if err := t.Space.Check(t.Network(i)); err != nil {
			return fmt.Errorf("%s: network %d: %w", t.Device, i, err)
		}
	}
	return nil
}

// Of returns what was measured on a device; none if it is not among them.
func (m *Measurements) Of(device string) Timings {
	t := Timings{Space: m.Space, Device: device}
	k := slices.Index(m.Devices, device)
	if k < 0 {
		return t
	}
	n := len(m.Space.places)
	for i, y := range m.ms[k] {
		if !math.IsNaN(y) {
			t.X, t.MS = append(t.X, m.x[i*n:(i+1)*n]...), append(t.MS, y)
		}
	}
	return t
}

// Networks returns the number of networks.
func (m *Measurements) Networks() int { return len(m.x) / len(m.Space.places) }

// latencyPrefix begins the name of a column of latencies; the device follows.
const latencyPrefix = "lat_ms_"

// maxNetworks is the most rows of a table.
const maxNetworks = 1 << 20

// ReadMeasurements reads measured networks from a CSV with a header. The network
// stands in a column "ops" as [Space.ParseNetwork] reads it, or in a column for
// each place, named as the place. Columns lat_ms_<device> are latencies in
// milliseconds; an empty field was not measured. Other columns are ignored. The
// name is that of the file, for errors.
func ReadMeasurements(r io.Reader, name string, s *Space) (*Measurements, error) {
	c, header, err := openCSV(r, name)
	if err != nil {
		return nil, err
	}
	m := &Measurements{Space: s}
	ops := slices.Index(header, "ops")
	var columns []int // of the places
	if ops < 0 {
		for _, p := range s.places {
			k := slices.Index(header, p.Name)
			if k < 0 {
				return nil, fmt.Errorf("%s:1: no column %q, and none for place %q of %s; want one or the other", name, "ops", p.Name, s.name)
			}
			columns = append(columns, k)
		}
	}
	var at []int
	for k, h := range header {
		d, ok := strings.CutPrefix(h, latencyPrefix)
		if !ok {
			continue
		}
		if d == "" || slices.Contains(m.Devices, d) {
			return nil, fmt.Errorf("%s:1: column %d: found %q, want %s and the name of a device that no other column has", name, k+1, h, latencyPrefix)
		}
		m.Devices, at = append(m.Devices, d), append(at, k)
	}
	if len(at) == 0 {
		return nil, fmt.Errorf("%s:1: no column of latencies; want one named %s and the device, such as %spixel3", name, latencyPrefix, latencyPrefix)
	}
	m.ms = make([][]float64, len(at))
	for {
		row, line, err := nextCSV(c, name)
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		if len(m.ms[0]) == maxNetworks {
			return nil, fmt.Errorf("%s:%d: more than %d networks", name, line, maxNetworks)
		}
		if ops >= 0 {
			x, err := s.ParseNetwork(row[ops])
			if err != nil {
				return nil, fmt.Errorf("%s:%d: ops: %w", name, line, err)
			}
			m.x = append(m.x, x...)
		} else {
			for i, k := range columns {
				v, err := s.setting(i, row[k])
				if err != nil {
					return nil, fmt.Errorf("%s:%d: %w", name, line, err)
				}
				m.x = append(m.x, v)
			}
		}
		for d, k := range at {
			y := math.NaN()
			if row[k] != "" {
				if y, err = positive(row[k]); err != nil {
					return nil, fmt.Errorf("%s:%d: %s: %w", name, line, header[k], err)
				}
			}
			m.ms[d] = append(m.ms[d], y)
		}
	}
	if len(m.ms[0]) == 0 {
		return nil, fmt.Errorf("%s: no networks after the header", name)
	}
	return m, nil
}

func positive(text string) (float64, error) {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !(v > 0 && v <= math.MaxFloat64) {
		return 0, fmt.Errorf("found %q, want a positive number", text)
	}
	return v, nil
}

// openCSV reads the header.
func openCSV(r io.Reader, name string) (*csv.Reader, []string, error) {
	b := bufio.NewReader(r)
	if mark, _ := b.Peek(3); bytes.Equal(mark, []byte("\xef\xbb\xbf")) { // of UTF-8, which spreadsheets write
		b.Discard(3)
	}
	c := csv.NewReader(b)
	c.TrimLeadingSpace = true
	c.ReuseRecord = true
	header, _, err := nextCSV(c, name)
	if err == io.EOF {
		return nil, nil, fmt.Errorf("%s: empty; want a header and rows", name)
	}
	return c, slices.Clone(header), err
}

// nextCSV reads a row and says where it begins.
func nextCSV(c *csv.Reader, name string) ([]string, int, error) {
	row, err := c.Read()
	if err == io.EOF {
		return nil, 0, err
	}
	var bad *csv.ParseError
	if errors.As(err, &bad) {
		return nil, 0, fmt.Errorf("%s:%d: %w", name, bad.Line, bad.Err)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", name, err)
	}
	line, _ := c.FieldPos(0)
	for i := range row {
		row[i] = strings.TrimSpace(row[i])
	}
	return row, line, nil
}
