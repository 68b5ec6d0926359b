package store

import (
	"context"
	"database/sql/driver"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
)

// trialColumns are the columns of a trial in the order of encode and decode.
var trialColumns = []string{
	"number", "state", "violation", "loss", "attempt", "proposal", "ask_seq", "tell_seq", "fidelity", "hash", "key", "crc",
	"measured", "queued", "started", "finished", "seconds", "cost", "worker", "operator", "why", "parents", "predicted",
	"error_class", "error", "exit_code", "stderr", "attrs", "design",
}

// crcColumn is the place of the checksum in trialColumns.
const crcColumn = 11

var stepColumns = []string{"trial", "attempt", "step", "at", "measured", "crc"}

var studyColumns = []string{
	"id", "name", "created", "seed", "problem", "searcher", "reason", "status", "stop_reason", "engine", "attrs", "metrics", "spec", "space", "crc",
}

// saveTrial replaces a trial unless it is finished with another result; then
// it changes no row.
var saveTrialSQL = upsert("trials", trialColumns, "number") + ` WHERE trials.state <= 2 OR (trials.state = excluded.state` +
	` AND (trials.tell_seq = 0 OR trials.tell_seq = excluded.tell_seq)` + same("attempt", "fidelity", "hash", "key", "measured", "design") + `)`

var (
	saveStepSQL  = upsert("steps", stepColumns, "trial, attempt, step")
	saveStudySQL = upsert("study", studyColumns, "id")
)

func upsert(table string, columns []string, key string) string {
	var sets []string
	for _, c := range columns {
		sets = append(sets, c+" = excluded."+c)
	}
	return "INSERT INTO " + table + " (" + strings.Join(columns, ", ") + ") VALUES (?" + strings.Repeat(", ?", len(columns)-1) +
		") ON CONFLICT (" + key + ") DO UPDATE SET " + strings.Join(sets, ", ")
}

func same(columns ...string) string {
	var b strings.Builder
	for _, c := range columns {
		fmt.Fprintf(&b, " AND trials.%s IS excluded.%[1]s", c)
	}
	return b.String()
}

// An encoder turns records into rows, reusing its buffers.
type encoder struct {
	buf   []byte
	names []string
	args  []driver.NamedValue
}

// row starts a row of n columns.
func (e *encoder) row(n int) {
	e.args = e.args[:0]
	for i := range n {
		e.args = append(e.args, driver.NamedValue{Ordinal: i + 1})
	}
}

// seal sets the checksum, which is column crc.
func (e *encoder) seal(crc int) []driver.NamedValue {
	e.buf = e.buf[:0]
	for i := range e.args {
		if i != crc {
			e.buf = appendForSum(e.buf, e.args[i].Value)
		}
	}
	e.args[crc].Value = int64(crc32.Checksum(e.buf, castagnoli))
	return e.args
}

func (e *encoder) values(m map[string]float64) driver.Value {
	if len(m) == 0 {
		return nil
	}
	e.buf, e.names = appendValues(e.buf[:0], m, e.names)
	return string(e.buf)
}

func (e *encoder) numbers(v []float64) driver.Value {
	if len(v) == 0 {
		return nil
	}
	e.buf = appendNumbers(e.buf[:0], v)
	return string(e.buf)
}

func (e *encoder) integers(v []int64) driver.Value {
	if len(v) == 0 {
		return nil
	}
	b := append(e.buf[:0], '[')
	for i, x := range v {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, x, 10)
	}
	e.buf = append(b, ']')
	return string(e.buf)
}

func (e *encoder) trial(t *Trial) []driver.NamedValue {
	e.row(len(trialColumns))
	var hash driver.Value
	if t.Hash != ([16]byte{}) {
		hash = t.Hash[:]
	}
	for i, v := range [...]driver.Value{
		t.Number, int64(t.State), real(t.Violation), e.numbers(t.Loss), int64(max(t.Attempt, 1)), t.Proposal, t.AskSeq, t.TellSeq,
		real(t.Fidelity), hash, optText(t.Key), nil,
		e.values(t.Values), optTime(t.Queued), optTime(t.Started), optTime(t.Finished), real(t.Seconds), real(t.Cost),
		optText(t.Worker), optText(t.Operator), optText(t.Why), e.integers(t.Parents), e.values(t.Predicted),
		optText(t.ErrorClass), optText(t.Error), int64(t.ExitCode), optText(t.Stderr), optAttrs(t.Attrs), optJSON(t.Design),
	} {
		e.args[i].Value = v
	}
	return e.seal(crcColumn)
}

func (e *encoder) step(trial, attempt int64, s *Step) []driver.NamedValue {
	e.row(len(stepColumns))
	for i, v := range [...]driver.Value{trial, attempt, s.Step, optTime(s.At), e.values(s.Values), nil} {
		e.args[i].Value = v
	}
	return e.seal(len(stepColumns) - 1)
}

func (e *encoder) study(s *Study) []driver.NamedValue {
	e.row(len(studyColumns))
	for i, v := range [...]driver.Value{
		int64(1), clean(s.Name), optTime(s.Created), strconv.FormatUint(s.Seed, 10), clean(s.Problem), clean(s.Searcher), clean(s.Reason),
		clean(s.Status), clean(s.StopReason), clean(s.Engine), optAttrs(s.Attrs), optJSON(s.Metrics), optJSON(s.Spec), optJSON(s.Space), nil,
	} {
		e.args[i].Value = v
	}
	return e.seal(len(studyColumns) - 1)
}

// Save implements [Store].
func (s *SQLite) Save(ctx context.Context, trials ...Trial) error {
	for i := range trials {
		if err := trials[i].validate(); err != nil {
			return err
		}
	}
	if len(trials) == 0 {
		return nil
	}
	return s.write(ctx, "saving trials", func(c *conn) error {
		for i := range trials {
			t := &trials[i]
			n, err := c.exec(saveTrialSQL, s.enc.trial(t))
			if err != nil {
				return err
			}
			if n == 0 {
				old, err := loadTrial(c, s.path, t.Number)
				if err != nil {
					return err
				}
				return finished(&old, t)
			}
			if err := s.saveSteps(c, t.Number, int64(max(t.Attempt, 1)), t.Steps); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *SQLite) saveSteps(c *conn, trial, attempt int64, steps []Step) error {
	for i := range steps {
		if _, err := c.exec(saveStepSQL, s.enc.step(trial, attempt, &steps[i])); err != nil {
			return err
		}
	}
	return nil
}

// AddSteps implements [Store].
func (s *SQLite) AddSteps(ctx context.Context, number int64, steps ...Step) error {
	if err := checkSteps(number, steps); err != nil {
		return err
	}
	return s.write(ctx, "saving intermediate results", func(c *conn) error {
		attempt, err := c.one("SELECT attempt FROM trials WHERE number = ?", number)
		if err != nil {
			return err
		}
		if attempt == 0 {
			return fmt.Errorf("trial %d: %w", number, ErrNotFound)
		}
		return s.saveSteps(c, number, attempt, steps)
	})
}

// SaveStudy implements [Store].
func (s *SQLite) SaveStudy(ctx context.Context, study Study) error {
	if err := study.validate(); err != nil {
		return err
	}
	return s.write(ctx, "saving the study", func(c *conn) error { return saveStudy(c, study) })
}

func saveStudy(c *conn, s Study) error {
	var e encoder
	_, err := c.exec(saveStudySQL, e.study(&s))
	return err
}
