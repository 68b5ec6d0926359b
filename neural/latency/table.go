package latency

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/daedalus-search/daedalus/internal/atomicfile"
)

// A Table is what operators take on a device, as a file.
type Table struct {
	path       string
	device     Device
	reference  Result // when the table was begun
	entries    map[string]Entry
	correction Correction
}

// An Entry is what one operator takes.
type Entry struct {
	Operator string  `json:"operator"` // its key
	MS       float64 `json:"ms"`       // median
	LowMS    float64 `json:"low_ms"`   // of the interval of the median
	HighMS   float64 `json:"high_ms"`
	Samples  int     `json:"samples"`
	Settled  bool    `json:"settled"` // the interval is as narrow as was asked for
}

// tableFormat is what files begin with.
const tableFormat = "daedalus-latency/1"

// Bounds of what is read.
const (
	maxEntries    = 1 << 20
	maxTableBytes = 1 << 28
)

type tableFile struct {
	Format     string     `json:"format"`
	Device     Device     `json:"device"`
	Reference  Result     `json:"reference"`
	Correction Correction `json:"correction"`
	Operators  []Entry    `json:"operators"`
}

// A DeviceError says that a table is that of another device.
type DeviceError struct {
	Path        string
	Found, Want Device
}

func (e *DeviceError) Error() string {
	return fmt.Sprintf("table %s is that of another device:\n  found %s %s\n  want  %s %s\nname another file, or remove this one to measure anew", e.Path, e.Found.Fingerprint(), e.Found, e.Want.Fingerprint(), e.Want)
}

// OpenTable reads the table of a device, or begins one, which it writes, if there is no
// file. The empty path means [Device.DefaultPath]. A table of another device is refused
// with a [DeviceError].
func OpenTable(path string, d Device) (*Table, error) {
	if err := d.check(); err != nil {
		return nil, fmt.Errorf("latency: %w", err)
	}
	if path == "" {
		var err error
		if path, err = d.DefaultPath(); err != nil {
			return nil, err
		}
	}
	t := &Table{path: path, device: d, entries: map[string]Entry{}}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := t.save(); err != nil { // before anything was measured in vain
			return nil, err
		}
		return t, nil
	}
	if err != nil {
		return nil, fmt.Errorf("latency: %w", err)
	}
	defer f.Close()
	read, err := readTable(f, path)
	if err != nil {
		return nil, fmt.Errorf("latency: %w", err)
	}
	if !read.device.Equal(d) {
		return nil, fmt.Errorf("latency: %w", &DeviceError{path, read.device, d})
	}
	return read, nil
}

// readTable reads what [Table.write] writes.
func readTable(r io.Reader, path string) (*Table, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxTableBytes+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(text) > maxTableBytes {
		return nil, fmt.Errorf("%s: found more than %d bytes", path, maxTableBytes)
	}
	var file tableFile
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&file); err != nil {
		at := dec.InputOffset()
		var syntax *json.SyntaxError
		var kind *json.UnmarshalTypeError
		switch {
		case errors.As(err, &syntax):
			at = syntax.Offset
		case errors.As(err, &kind):
			at = kind.Offset
		case errors.Is(err, io.ErrUnexpectedEOF):
			at = int64(len(text))
		}
		line := 1 + bytes.Count(text[:min(int(at), len(text))], []byte("\n"))
		return nil, fmt.Errorf("%s:%d: found no table of latencies: %w; remove it to measure anew", path, line, err)
	}
	if file.Format != tableFormat {
		return nil, fmt.Errorf("%s: found format %q, want %q", path, file.Format, tableFormat)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("%s: found text after the table", path)
	}
	t := &Table{path: path, device: file.Device, reference: file.Reference, entries: make(map[string]Entry, len(file.Operators)), correction: file.Correction}
	if err := file.Device.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(file.Operators) > maxEntries {
		return nil, fmt.Errorf("%s: found %d operators, want at most %d", path, len(file.Operators), maxEntries)
	}
	if r := file.Reference; r.Samples == 0 && len(file.Operators) > 0 || r.Samples != 0 && !(r.MedianMS > 0 && r.LowMS > 0 && r.LowMS <= r.MedianMS && r.MedianMS <= r.HighMS) {
		return nil, fmt.Errorf("%s: reference: found %+v, want a median above 0 in its interval", path, r)
	}
	if err := file.Correction.check(); err != nil {
		return nil, fmt.Errorf("%s: correction: %w", path, err)
	}
	for i, e := range file.Operators {
		if err := e.check(); err != nil {
			return nil, fmt.Errorf("%s: operator %d: %w", path, i+1, err)
		}
		if _, ok := t.entries[e.Operator]; ok {
			return nil, fmt.Errorf("%s: operator %d: found %q a second time", path, i+1, e.Operator)
		}
		t.entries[e.Operator] = e
	}
	return t, nil
}

func (e Entry) check() error {
	if e.Operator == "" || e.Samples < 1 || !(e.LowMS > 0 && e.LowMS <= e.MS && e.MS <= e.HighMS && e.HighMS <= math.MaxFloat32) {
		return fmt.Errorf("found %+v, want an operator, samples, and a median above 0 in its interval", e)
	}
	return nil
}

// Path returns where the table lies.
func (t *Table) Path() string { return t.path }

// Device returns whose table it is.
func (t *Table) Device() Device { return t.device }

// Len returns the number of operators.
func (t *Table) Len() int { return len(t.entries) }

// Find returns what an operator takes.
func (t *Table) Find(key string) (Entry, bool) {
	e, ok := t.entries[key]
	return e, ok
}

// Entries returns what is in the table, in the order of the operators' keys.
func (t *Table) Entries() []Entry {
	all := make([]Entry, 0, len(t.entries))
	for _, e := range t.entries {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b Entry) int { return strings.Compare(a.Operator, b.Operator) })
	return all
}

// write writes the table, a line for each operator.
func (t *Table) write(w io.Writer) error {
	var b bytes.Buffer
	b.WriteString("{\n")
	field := func(name string, v any) error {
		text, err := marshal(v)
		fmt.Fprintf(&b, "  %q: %s,\n", name, text)
		return err
	}
	err := errors.Join(field("format", tableFormat), field("device", t.device), field("reference", t.reference), field("correction", t.correction))
	b.WriteString("  \"operators\": [")
	for i, e := range t.Entries() {
		text, lineErr := marshal(e)
		err = errors.Join(err, lineErr)
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "\n    %s", text)
	}
	b.WriteString("\n  ]\n}\n")
	if err != nil {
		return err
	}
	_, err = w.Write(b.Bytes())
	return err
}

// marshal is JSON without escapes for HTML.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}

// save puts the table in place of its file, at once: a reader sees the old one or
// the new one. What another process has added to the same table meanwhile is kept.
func (t *Table) save() error {
	if f, err := os.Open(t.path); err == nil {
		other, err := readTable(f, t.path)
		f.Close()
		if err == nil && other.device.Equal(t.device) && other.reference == t.reference {
			for key, e := range other.entries {
				if _, ok := t.entries[key]; !ok {
					t.entries[key] = e
				}
			}
		}
	}
	if err := os.MkdirAll(filepath.Dir(t.path), 0o777); err != nil {
		return fmt.Errorf("latency: %w", err)
	}
	if err := atomicfile.Write(t.path, t.write); err != nil {
		return fmt.Errorf("latency: %w", err)
	}
	return nil
}
