package store

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"iter"
	"math"
	"strconv"
	"strings"
	"time"
)

// A decoder reads one row, column by column, and remembers the first column
// that does not hold what it should.
type decoder struct {
	row  []driver.Value
	i    int
	bad  string
	name []string // of the columns
}

func (d *decoder) next() driver.Value {
	v := d.row[d.i]
	d.i++
	return v
}

func (d *decoder) fail() {
	if d.bad == "" {
		d.bad = fmt.Sprintf("column %s holds %.80s", d.name[d.i-1], fmt.Sprint(d.row[d.i-1]))
	}
}

func (d *decoder) integer() int64 {
	v, ok := d.next().(int64)
	if !ok {
		d.fail()
	}
	return v
}

func (d *decoder) real() float64 {
	switch v := d.next().(type) {
	case nil:
		return math.NaN()
	case float64:
		return v
	}
	d.fail()
	return 0
}

func (d *decoder) text() string {
	switch v := d.next().(type) {
	case nil:
		return ""
	case string:
		return v
	}
	d.fail()
	return ""
}

func (d *decoder) json() []byte {
	if s := d.text(); s != "" {
		return []byte(s)
	}
	return nil
}

func (d *decoder) time() time.Time {
	switch v := d.next().(type) {
	case nil:
		return time.Time{}
	case int64:
		return time.Unix(0, v).UTC()
	}
	d.fail()
	return time.Time{}
}

func (d *decoder) hash() (h [16]byte) {
	switch v := d.next().(type) {
	case nil:
		return h
	case []byte:
		if copy(h[:], v) == len(h) && len(v) == len(h) {
			return h
		}
	}
	d.fail()
	return h
}

func (d *decoder) values() map[string]float64 {
	s := d.text()
	if s == "" {
		return nil
	}
	m, err := parseValues(s)
	if err != nil {
		d.fail()
	}
	return m
}

func (d *decoder) numbers() []float64 {
	s := d.text()
	if s == "" {
		return nil
	}
	v, err := parseNumbers(make([]float64, 0, 1+strings.Count(s, ",")), s)
	if err != nil {
		d.fail()
	}
	return v
}

func (d *decoder) integers() []int64 {
	s := d.text()
	if s == "" {
		return nil
	}
	var v []int64
	if json.Unmarshal([]byte(s), &v) != nil {
		d.fail()
	}
	return v
}

func (d *decoder) attrs() map[string]string {
	s := d.text()
	if s == "" {
		return nil
	}
	var m map[string]string
	if json.Unmarshal([]byte(s), &m) != nil {
		d.fail()
	}
	return m
}

func (d *decoder) state() State {
	n := d.integer()
	if n < int64(Waiting) || n > int64(Cached) {
		d.fail()
		return 0
	}
	return State(n)
}

// trial decodes a row of trialColumns.
func (d *decoder) trial(row []driver.Value, t *Trial) error {
	*d = decoder{row: row, name: trialColumns}
	*t = Trial{
		Number: d.integer(), State: d.state(), Violation: d.real(), Loss: d.numbers(), Attempt: int(d.integer()),
		Proposal: d.integer(), AskSeq: d.integer(), TellSeq: d.integer(), Fidelity: d.real(), Hash: d.hash(), Key: d.text(),
	}
	_ = d.integer() // the checksum is for Check
	t.Values = d.values()
	t.Queued, t.Started, t.Finished = d.time(), d.time(), d.time()
	t.Seconds, t.Cost = d.real(), d.real()
	t.Worker, t.Operator, t.Why = d.text(), d.text(), d.text()
	t.Parents, t.Predicted = d.integers(), d.values()
	t.ErrorClass, t.Error, t.ExitCode, t.Stderr = d.text(), d.text(), int(d.integer()), d.text()
	t.Attrs, t.Design = d.attrs(), d.json()
	if d.bad != "" {
		return fmt.Errorf("trial %d: %s", t.Number, d.bad)
	}
	return nil
}

// step decodes a row of stepColumns.
func (d *decoder) step(row []driver.Value) (trial, attempt int64, s Step, err error) {
	*d = decoder{row: row, name: stepColumns}
	trial, attempt = d.integer(), d.integer()
	s = Step{Step: d.integer(), At: d.time(), Values: d.values()}
	if d.bad != "" {
		return trial, attempt, s, fmt.Errorf("trial %d, step %d: %s", trial, s.Step, d.bad)
	}
	return trial, attempt, s, nil
}

func (d *decoder) study(row []driver.Value) (s Study, err error) {
	*d = decoder{row: row, name: studyColumns}
	_ = d.integer()
	s = Study{FormatVersion: FormatVersion, Name: d.text(), Created: d.time()}
	if s.Seed, err = strconv.ParseUint(d.text(), 10, 64); err != nil {
		d.fail()
	}
	s.Problem, s.Searcher, s.Reason = d.text(), d.text(), d.text()
	s.Status, s.StopReason, s.Engine = d.text(), d.text(), d.text()
	s.Attrs, s.Metrics, s.Spec, s.Space = d.attrs(), d.json(), d.json(), d.json()
	if d.bad != "" {
		return s, fmt.Errorf("study: %s", d.bad)
	}
	return s, nil
}

// sumOf is the checksum of a row whose own checksum is in column crc.
func sumOf(row []driver.Value, crc int, buf *[]byte) int64 {
	b := (*buf)[:0]
	for i, v := range row {
		if i != crc {
			b = appendForSum(b, v)
		}
	}
	*buf = b
	return int64(crc32.Checksum(b, castagnoli))
}

var (
	selectTrials = "SELECT " + strings.Join(trialColumns, ", ") + " FROM trials WHERE "
	selectSteps  = "SELECT " + strings.Join(stepColumns, ", ") + " FROM steps "
	selectStudy  = "SELECT " + strings.Join(studyColumns, ", ") + " FROM study"
)

// Study implements [Store].
func (s *SQLite) Study(ctx context.Context) (out Study, err error) {
	found := false
	err = s.read(ctx, "reading the study", func(c *conn) error {
		return c.query(selectStudy, nil, func(row []driver.Value) error {
			var d decoder
			found = true
			out, err = d.study(row)
			return s.damaged(err)
		})
	})
	if err == nil && !found {
		err = s.damaged(fmt.Errorf("the study's own record is missing"))
	}
	return out, err
}

func (s *SQLite) damaged(err error) error { return damaged(s.path, err) }

func damaged(path string, err error) error {
	if err == nil {
		return nil
	}
	return &FormatError{Path: path, Damaged: true, Found: err.Error(), Err: err}
}

// pageSize is how many trials one read transaction takes: long enough to be
// cheap, short enough that a slow loop does not keep the log from being
// merged.
const pageSize = 512

// Trials implements [Store].
func (s *SQLite) Trials(ctx context.Context, f Filter) iter.Seq2[Trial, error] {
	return func(yield func(Trial, error) bool) {
		to := f.To
		if to == 0 {
			to = math.MaxInt64
		}
		where := "number >= ? AND number < ?"
		if len(f.States) > 0 {
			where += " AND state IN (" + stateList(f.States) + ")"
		}
		if f.Feasible {
			where += " AND violation <= 0"
		}
		text := selectTrials + where + " ORDER BY number LIMIT ?"
		left := f.Limit
		var page []Trial
		for from := f.From; from < to; {
			n := pageSize
			if f.Limit > 0 {
				n = min(n, left)
			}
			if n == 0 {
				return
			}
			page = page[:0]
			err := s.read(ctx, "reading trials", func(c *conn) (err error) {
				page, err = loadPage(c, s.path, page, text, !f.NoSteps, from, to, int64(n))
				return err
			})
			if err != nil {
				yield(Trial{}, err)
				return
			}
			for i := range page {
				if !yield(page[i], nil) {
					return
				}
			}
			if len(page) < n {
				return
			}
			left -= n
			from = page[n-1].Number + 1
		}
	}
}

// stateList writes states as SQL; sorted, so that few statements are prepared.
func stateList(states []State) string {
	var b strings.Builder
	for s := Waiting; s <= Cached; s++ {
		for _, t := range states {
			if s == t {
				if b.Len() > 0 {
					b.WriteByte(',')
				}
				b.WriteString(strconv.Itoa(int(s)))
				break
			}
		}
	}
	return b.String()
}

// loadPage appends the trials of a query to page, with their steps.
func loadPage(c *conn, path string, page []Trial, text string, steps bool, args ...driver.Value) ([]Trial, error) {
	var d decoder
	start := len(page)
	err := c.query(text, named(args...), func(row []driver.Value) error {
		page = append(page, Trial{})
		return damaged(path, d.trial(row, &page[len(page)-1]))
	})
	if err != nil || !steps || len(page) == start {
		return page, err
	}
	i := start
	err = c.query(selectSteps+"WHERE trial BETWEEN ? AND ? ORDER BY trial, attempt, step",
		named(page[start].Number, page[len(page)-1].Number), func(row []driver.Value) error {
			trial, attempt, step, err := d.step(row)
			if err != nil {
				return damaged(path, err)
			}
			for i < len(page) && page[i].Number < trial {
				i++
			}
			// Steps of earlier attempts stay in the file, for the curious.
			if i < len(page) && page[i].Number == trial && int64(page[i].Attempt) == attempt {
				page[i].Steps = append(page[i].Steps, step)
			}
			return nil
		})
	return page, err
}

// Trial implements [Store].
func (s *SQLite) Trial(ctx context.Context, number int64) (t Trial, err error) {
	err = s.read(ctx, "reading a trial", func(c *conn) error {
		t, err = loadTrial(c, s.path, number)
		return err
	})
	return t, err
}

func loadTrial(c *conn, path string, number int64) (Trial, error) {
	page, err := loadPage(c, path, nil, selectTrials+"number = ?", true, number)
	if err != nil {
		return Trial{}, err
	}
	if len(page) == 0 {
		return Trial{}, fmt.Errorf("trial %d: %w", number, ErrNotFound)
	}
	return page[0], nil
}

// Scores implements [Store].
func (s *SQLite) Scores(ctx context.Context) (numbers []int64, losses []float64, violations []float64, states []State, err error) {
	var d decoder
	names := trialColumns[:4]
	width := 0
	err = s.read(ctx, "reading the scores", func(c *conn) error {
		n, err := c.one("SELECT max(number) + 1 FROM trials")
		if err != nil {
			return err
		}
		n = min(max(n, 0), 1<<20) // a hint only: a damaged file may hold any number
		numbers, violations, states = make([]int64, 0, n), make([]float64, 0, n), make([]State, 0, n)
		var loss []float64
		return c.query("SELECT number, state, violation, loss FROM trials ORDER BY number", nil, func(row []driver.Value) error {
			if len(numbers)%4096 == 4095 && ctx.Err() != nil {
				return ctx.Err()
			}
			d = decoder{row: row, name: names}
			number := d.integer()
			states = append(states, d.state())
			violations = append(violations, d.real())
			var perr error
			if text := d.text(); text == "" {
				loss = loss[:0]
			} else if loss, perr = parseNumbers(loss[:0], text); perr != nil {
				d.fail()
			}
			if d.bad != "" {
				return s.damaged(fmt.Errorf("trial %d: %s", number, d.bad))
			}
			if losses, err = appendLoss(losses, &width, len(numbers), loss); err != nil {
				return s.damaged(fmt.Errorf("trial %d: %w", number, err))
			}
			numbers = append(numbers, number)
			return nil
		})
	})
	if err != nil {
		return nil, nil, nil, nil, err
	}
	return numbers, losses, violations, states, nil
}

// appendLoss adds a row to a matrix whose width is known from the first trial
// that has losses.
func appendLoss(losses []float64, width *int, rows int, loss []float64) ([]float64, error) {
	if len(loss) == 0 {
		for range *width {
			losses = append(losses, math.NaN())
		}
		return losses, nil
	}
	if *width == 0 {
		*width = len(loss)
		for range rows * *width {
			losses = append(losses, math.NaN())
		}
	}
	if len(loss) != *width {
		return losses, fmt.Errorf("it has %d losses, earlier trials have %d", len(loss), *width)
	}
	return append(losses, loss...), nil
}

// Find implements [Store].
func (s *SQLite) Find(ctx context.Context, hash [16]byte, key string) (out []Trial, err error) {
	var h, k driver.Value = nil, optText(key)
	if hash != ([16]byte{}) {
		h = hash[:]
	}
	if h == nil && k == nil {
		return nil, ctx.Err()
	}
	err = s.read(ctx, "looking for a design", func(c *conn) error {
		// One subquery an index: state = 3 is what the indexes are limited to.
		out, err = loadPage(c, s.path, nil, selectTrials+`number IN (
			SELECT number FROM trials WHERE state = 3 AND hash = ? UNION
			SELECT number FROM trials WHERE state = 3 AND key = ?) ORDER BY number`, true, h, k)
		return err
	})
	return out, err
}

// Count implements [Store].
func (s *SQLite) Count(ctx context.Context) (map[State]int64, error) {
	out := map[State]int64{}
	err := s.read(ctx, "counting trials", func(c *conn) error {
		return c.query("SELECT state, count(*) FROM trials GROUP BY state", nil, func(row []driver.Value) error {
			d := decoder{row: row, name: []string{"state", "count"}}
			out[d.state()] = d.integer()
			if d.bad != "" {
				return s.damaged(fmt.Errorf("%s", d.bad))
			}
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// MaxNumber implements [Store].
func (s *SQLite) MaxNumber(ctx context.Context) (n int64, err error) {
	err = s.read(ctx, "counting trials", func(c *conn) error {
		n, err = c.one("SELECT coalesce(max(number), -1) FROM trials")
		return err
	})
	return n, err
}
