package device

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/daedalus-search/daedalus/predict"
)

// The form of a saved model: one JSON object that names itself, the device, and
// the space by name and fingerprint.
const (
	saveFormat  = "daedalus/device"
	saveVersion = 1
	saveMax     = 256 << 20 // bytes of a file
	saveDepth   = 3         // models within models
)

// ErrOtherModel is returned by [Load] for a model of another space or device.
var ErrOtherModel = errors.New("the saved model is another one")

type saved struct {
	Format  string          `json:"format"`
	Version int             `json:"version"`
	Kind    string          `json:"kind"`
	Device  string          `json:"device"`
	Space   savedSpace      `json:"space"`
	Model   json.RawMessage `json:"model"`
}

type savedSpace struct {
	Name        string `json:"name"`
	Fingerprint string `json:"fingerprint"`
}

type savedAdditive struct {
	Base  float64   `json:"base"`
	Worth []float64 `json:"worth"`
	Log   bool      `json:"log,omitempty"`
}

type savedRoofline struct {
	Hardware  Hardware     `json:"hardware"`
	Batch     int          `json:"batch"`
	Precision string       `json:"precision"`
	Compute   [ops]float64 `json:"compute"`
	Memory    [ops]float64 `json:"memory"`
	StartMS   [ops]float64 `json:"start_ms"`
	BaseMS    float64      `json:"base_ms"`
}

type savedTransferred struct {
	Pool        []saved   `json:"pool,omitempty"`
	Base        float64   `json:"base"`
	Slopes      []float64 `json:"slopes,omitempty"`
	Worth       []float64 `json:"worth,omitempty"`
	Steps       []Step    `json:"steps,omitempty"`
	Samples     int       `json:"samples"`
	LeaveOneOut *float64  `json:"leave_one_out,omitempty"`
}

type savedLearned struct {
	Predict []byte `json:"predict"` // what predict.Save writes
}

type savedTable struct {
	MS []float64 `json:"ms"`
}

// Save writes a model of this package as JSON.
func Save(w io.Writer, m Model) error {
	s, err := pack(m, 0)
	if err != nil {
		return err
	}
	b, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("device: saving the model of %s: %w", m.Device(), err)
	}
	if _, err := w.Write(append(b, '\n')); err != nil {
		return fmt.Errorf("device: saving the model of %s: %w", m.Device(), err)
	}
	return nil
}

func pack(m Model, depth int) (saved, error) {
	if depth > saveDepth {
		return saved{}, fmt.Errorf("device: saving a model: models within models, deeper than %d", saveDepth)
	}
	var kind string
	var body any
	switch m := m.(type) {
	case *Additive:
		kind, body = "additive", savedAdditive{m.Base, m.Worth, m.Log}
	case *Roofline:
		kind, body = "roofline", savedRoofline{m.Hardware, m.Batch, m.Precision.String(), m.Compute, m.Memory, m.StartMS, m.BaseMS}
	case *Table:
		kind, body = "table", savedTable{m.ms}
	case *Learned:
		var b bytes.Buffer
		if err := predict.Save(&b, m.model, m.space.columns()); err != nil {
			return saved{}, fmt.Errorf("device: saving the model of %s: %w", m.device, err)
		}
		kind, body = "learned", savedLearned{b.Bytes()}
	case *Transferred:
		t := savedTransferred{Base: m.Base, Slopes: m.Slopes, Worth: m.Worth, Steps: m.Steps, Samples: m.Samples}
		if !math.IsNaN(m.LeaveOneOut) {
			t.LeaveOneOut = &m.LeaveOneOut
		}
		for _, p := range m.pool {
			s, err := pack(p, depth+1)
			if err != nil {
				return saved{}, err
			}
			t.Pool = append(t.Pool, s)
		}
		kind, body = "transferred", t
	default:
		return saved{}, fmt.Errorf("device: saving a model: found a %T, want one of this package", m)
	}
	b, err := json.Marshal(body)
	if err != nil {
		return saved{}, fmt.Errorf("device: saving the model of %s: %w", m.Device(), err)
	}
	return saved{saveFormat, saveVersion, kind, m.Device(), savedSpace{m.Space().Name(), m.Space().Fingerprint()}, b}, nil
}

// Load reads what [Save] wrote. The model must be for the space and, unless that
// is "", for the device; otherwise the error is [ErrOtherModel].
func Load(r io.Reader, s *Space, device string) (Model, error) {
	b, err := io.ReadAll(io.LimitReader(r, saveMax+1))
	if err != nil {
		return nil, fmt.Errorf("device: reading a saved model: %w", err)
	}
	if len(b) > saveMax {
		return nil, fmt.Errorf("device: reading a saved model: more than %d MiB", saveMax>>20)
	}
	var f saved
	if err := strict(b, &f); err != nil {
		return nil, fmt.Errorf("device: reading a saved model: %w", err)
	}
	m, err := unpack(f, s, 0)
	if err != nil {
		return nil, fmt.Errorf("device: reading a saved model: %w", err)
	}
	if device != "" && f.Device != device {
		return nil, fmt.Errorf("device: reading a saved model: it is for the device %s, want %s: %w", f.Device, device, ErrOtherModel)
	}
	return m, nil
}

// strict reads one JSON value that has no fields but those known.
func strict(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("found more after the model, want the end of the file")
	}
	return nil
}

func unpack(f saved, s *Space, depth int) (Model, error) {
	switch {
	case f.Format != saveFormat:
		return nil, fmt.Errorf("format: found %q, want %q", f.Format, saveFormat)
	case f.Version < 1 || f.Version > saveVersion:
		return nil, fmt.Errorf("version: found %d, want %d, or a newer version of this program", f.Version, saveVersion)
	case f.Space.Name != s.name:
		return nil, fmt.Errorf("it is for the space %s, want %s: %w", f.Space.Name, s.name, ErrOtherModel)
	case f.Space.Fingerprint != s.Fingerprint():
		return nil, fmt.Errorf("it is for a space %s with other places or settings (fingerprint %s, want %s): %w", s.name, f.Space.Fingerprint, s.Fingerprint(), ErrOtherModel)
	case depth > saveDepth:
		return nil, fmt.Errorf("models within models, deeper than %d", saveDepth)
	}
	switch f.Kind {
	case "additive":
		var v savedAdditive
		if err := strict(f.Model, &v); err != nil {
			return nil, err
		}
		return NewAdditive(s, f.Device, v.Base, v.Worth, v.Log)
	case "table":
		var v savedTable
		if err := strict(f.Model, &v); err != nil {
			return nil, err
		}
		return NewTable(s, f.Device, v.MS)
	case "roofline":
		var v savedRoofline
		if err := strict(f.Model, &v); err != nil {
			return nil, err
		}
		p, err := ParsePrecision(v.Precision)
		if err != nil {
			return nil, err
		}
		r, err := NewRoofline(s, v.Hardware, v.Batch, p)
		if err != nil {
			return nil, err
		}
		r.Compute, r.Memory, r.StartMS, r.BaseMS = v.Compute, v.Memory, v.StartMS, v.BaseMS
		for _, x := range slices.Concat(v.Compute[:], v.Memory[:], v.StartMS[:], []float64{v.BaseMS}) {
			if !(x >= 0) {
				return nil, fmt.Errorf("roofline: found the factor or time %v, want none below 0", x)
			}
		}
		return r, nil
	case "learned":
		var v savedLearned
		if err := strict(f.Model, &v); err != nil {
			return nil, err
		}
		m, columns, err := predict.Load(bytes.NewReader(v.Predict))
		if err != nil {
			return nil, err
		}
		if !slices.Equal(columns, s.columns()) {
			return nil, fmt.Errorf("learned: its columns are not the places of %s: %w", s.name, ErrOtherModel)
		}
		return &Learned{s, f.Device, m}, nil
	case "transferred":
		var v savedTransferred
		if err := strict(f.Model, &v); err != nil {
			return nil, err
		}
		return unpackTransferred(f, v, s, depth)
	}
	return nil, fmt.Errorf("kind: found %q, want additive, roofline, table, learned or transferred", f.Kind)
}

func unpackTransferred(f saved, v savedTransferred, s *Space, depth int) (Model, error) {
	m := &Transferred{space: s, device: f.Device, Base: v.Base, Slopes: v.Slopes, Worth: v.Worth, Steps: v.Steps, Samples: v.Samples, LeaveOneOut: math.NaN()}
	if v.LeaveOneOut != nil {
		m.LeaveOneOut = *v.LeaveOneOut
	}
	for _, q := range v.Pool {
		p, err := unpack(q, s, depth+1)
		if err != nil {
			return nil, err
		}
		m.pool = append(m.pool, p)
	}
	switch {
	case len(m.pool) != len(m.Slopes):
		return nil, fmt.Errorf("transferred: %d slopes for %d devices", len(m.Slopes), len(m.pool))
	case m.Worth != nil && len(m.Worth) != s.total:
		return nil, fmt.Errorf("transferred: %d numbers for the settings of %s, want %d", len(m.Worth), s.name, s.total)
	case m.Steps != nil && len(m.pool) != 1:
		return nil, fmt.Errorf("transferred: steps with %d devices, want one", len(m.pool))
	}
	for i, p := range m.Steps {
		if i > 0 && !(m.Steps[i-1].From < p.From && m.Steps[i-1].To < p.To) {
			return nil, fmt.Errorf("transferred: steps %d and %d do not rise", i-1, i)
		}
	}
	return m, nil
}
