package report

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/daedalus-search/daedalus/store"
)

func (t *Table) writeCSV(w io.Writer, trials Trials) error {
	out := csv.NewWriter(w)
	cells := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		cells[i] = c.Name
	}
	if err := out.Write(cells); err != nil {
		return fmt.Errorf("report: writing CSV: %w", err)
	}
	var row []any
	for trial, err := range trials {
		if err != nil {
			return err
		}
		if row, err = t.Row(&trial, row); err != nil {
			return err
		}
		for i, v := range row {
			cells[i] = Cell(v)
		}
		if err := out.Write(cells); err != nil {
			return fmt.Errorf("report: writing CSV: %w", err)
		}
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("report: writing CSV: %w", err)
	}
	return nil
}

// Cell returns a value of a row as text, exact: reading a number back gives the
// same number. nil is the empty text.
func Cell(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case bool:
		return strconv.FormatBool(v)
	}
	return fmt.Sprint(v)
}

// trialJSON is a trial as JSON. Designs are nested, as evaluators see them.
type trialJSON struct {
	Number     int64           `json:"number"`
	State      string          `json:"state"`
	Values     values          `json:"values,omitempty"`
	Violation  *number         `json:"violation,omitempty"`
	Design     json.RawMessage `json:"design"`
	Seconds    number          `json:"seconds"`
	Cost       number          `json:"cost"`
	Attempt    int             `json:"attempt"`
	Fidelity   number          `json:"fidelity,omitempty"`
	Operator   string          `json:"operator,omitempty"`
	Parents    []int64         `json:"parents,omitempty"`
	Why        string          `json:"why,omitempty"`
	Predicted  values          `json:"predicted,omitempty"`
	Started    *time.Time      `json:"started,omitempty"`
	Finished   *time.Time      `json:"finished,omitempty"`
	ErrorClass string          `json:"error_class,omitempty"`
	Error      string          `json:"error,omitempty"`
	ExitCode   int             `json:"exit_code,omitempty"`
	Stderr     string          `json:"stderr,omitempty"`
	Hash       string          `json:"hash,omitempty"`
	Steps      []stepJSON      `json:"steps,omitempty"`
}

type stepJSON struct {
	Step   int64  `json:"step"`
	Values values `json:"values"`
}

// A number that JSON cannot hold is written as null.
type number float64

func (x number) MarshalJSON() ([]byte, error) {
	if f := float64(x); math.IsNaN(f) || math.IsInf(f, 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(x))
}

type values map[string]float64

func (v values) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, k := range slices.Sorted(maps.Keys(v)) {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(k)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		x, err := number(v[k]).MarshalJSON()
		if err != nil {
			return nil, err
		}
		b.Write(x)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// MarshalTrial returns a trial as JSON on one line: {"number": …, "state": …,
// "values": {…}, "design": {…}, …}. What is empty is left out.
func MarshalTrial(t *store.Trial) ([]byte, error) {
	j := trialJSON{
		Number: t.Number, State: t.State.String(), Values: t.Values, Design: t.Design,
		Seconds: number(t.Seconds), Cost: number(t.Cost), Attempt: max(t.Attempt, 1), Fidelity: number(t.Fidelity),
		Operator: t.Operator, Parents: t.Parents, Why: t.Why, Predicted: t.Predicted,
		ErrorClass: t.ErrorClass, Error: t.Error, ExitCode: t.ExitCode, Stderr: t.Stderr,
	}
	if len(t.Loss) > 0 {
		v := number(t.Violation)
		j.Violation = &v
	}
	if !t.Started.IsZero() {
		j.Started = &t.Started
	}
	if !t.Finished.IsZero() {
		j.Finished = &t.Finished
	}
	if t.Hash != [16]byte{} {
		j.Hash = fmt.Sprintf("%x", t.Hash)
	}
	for _, s := range t.Steps {
		j.Steps = append(j.Steps, stepJSON{s.Step, s.Values})
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(j); err != nil {
		return nil, fmt.Errorf("report: trial %d: %w", t.Number, err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func writeJSON(w io.Writer, format Format, trials Trials) error {
	out := bufio.NewWriter(w)
	between, end := "", ""
	if format == JSON {
		between, end = "[\n", "]\n"
	}
	for t, err := range trials {
		if err != nil {
			return err
		}
		line, err := MarshalTrial(&t)
		if err != nil {
			return err
		}
		out.WriteString(between)
		out.Write(line)
		if format == JSON {
			between, end = ",\n", "\n]\n"
		} else {
			out.WriteByte('\n')
		}
	}
	if format == JSON && between == "[\n" {
		out.WriteString("[")
	}
	out.WriteString(end)
	if err := out.Flush(); err != nil {
		return fmt.Errorf("report: writing JSON: %w", err)
	}
	return nil
}
