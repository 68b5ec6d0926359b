package store

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
)

// maxFindings bounds what Check reports: a file with its second half missing
// needs no line per trial.
const maxFindings = 50

// An inspector looks at all trials of a store in order of their number and
// notes every broken promise. Both stores use it.
type inspector struct {
	findings []error
	more     int

	next    int64 // the number that should come now
	width   int   // of the losses
	widthBy int64
	parents []struct{ trial, parent int64 }
}

func (in *inspector) note(format string, args ...any) {
	if len(in.findings) < maxFindings {
		in.findings = append(in.findings, fmt.Errorf(format, args...))
	} else {
		in.more++
	}
}

// err joins the findings about the study called name, or is nil.
func (in *inspector) err(name string) error {
	found := in.findings
	if len(found) == 0 {
		return nil
	}
	if in.more > 0 {
		found = append(found, fmt.Errorf("and %d more", in.more))
	}
	return fmt.Errorf("%s is not sound:\n%w", name, errors.Join(found...))
}

func (in *inspector) trial(t *Trial) {
	switch {
	case t.Number > in.next+1:
		in.note("trials %d to %d are missing", in.next, t.Number-1)
	case t.Number > in.next:
		in.note("trial %d is missing", in.next)
	}
	in.next = t.Number + 1
	if t.TellSeq != 0 {
		if !t.State.Done() {
			in.note("trial %d was told as event %d but is still %v", t.Number, t.TellSeq, t.State)
		}
	}
	if len(t.Loss) > 0 {
		if in.width == 0 {
			in.width, in.widthBy = len(t.Loss), t.Number
		}
		if len(t.Loss) != in.width {
			in.note("trial %d has %d losses, trial %d has %d", t.Number, len(t.Loss), in.widthBy, in.width)
		}
	}
	if len(t.Design) > 0 && !json.Valid(t.Design) {
		in.note("trial %d: its design is not valid JSON", t.Number)
	}
	for _, p := range t.Parents {
		// A parent is older as a rule; one that comes later is looked up at
		// the end.
		if p < 0 || p == t.Number {
			in.note("trial %d cannot have the parent %d", t.Number, p)
		} else if p > t.Number {
			in.parents = append(in.parents, struct{ trial, parent int64 }{t.Number, p})
		}
	}
}

func (in *inspector) end() {
	for _, p := range in.parents {
		if p.parent >= in.next {
			in.note("trial %d has the parent %d, but the last trial is %d", p.trial, p.parent, in.next-1)
		}
	}
}

// Check implements [Store]. For a file it verifies the pages and indexes of
// the database, the references between tables, and of every record the
// checksum and the rules in FORMAT.md.
func (s *SQLite) Check(ctx context.Context) error {
	var in inspector
	err := s.read(ctx, "checking", func(c *conn) error {
		// The driver hands over what SQLite finds as rows or as an error; an
		// error ends one part, not the whole.
		part := func(name, text string, row func([]driver.Value) error) error {
			err := c.query(text, nil, func(r []driver.Value) error {
				if err := ctx.Err(); err != nil {
					return err
				}
				return row(r)
			})
			if err != nil && ctx.Err() == nil {
				in.note("%s: %w", name, err)
				return nil
			}
			return err
		}
		var buf []byte
		sum := func(row []driver.Value, crc int) bool {
			want, ok := row[crc].(int64)
			return ok && want == sumOf(row, crc, &buf)
		}
		studies := 0
		return errors.Join(
			part("database", "PRAGMA integrity_check(20)", func(row []driver.Value) error {
				if row[0] != "ok" {
					in.note("database: %v", row[0])
				}
				return nil
			}),
			part("references", "PRAGMA foreign_key_check", func(row []driver.Value) error {
				in.note("table %v has a row that refers to a missing row of table %v", row[0], row[2])
				return nil
			}),
			part("study", selectStudy, func(row []driver.Value) error {
				studies++
				var d decoder
				study, err := d.study(row)
				switch {
				case err != nil:
					in.note("%w", err)
				case !sum(row, len(studyColumns)-1):
					in.note("study: its record was changed by something else than daedalus (checksum)")
				default:
					if err := study.validate(); err != nil {
						in.note("%w", err)
					}
				}
				return nil
			}),
			part("trials", selectTrials+"1 ORDER BY number", func(row []driver.Value) error {
				var d decoder
				var t Trial
				if err := d.trial(row, &t); err != nil {
					in.note("%w", err)
					in.next = t.Number + 1
					return nil
				}
				if !sum(row, crcColumn) {
					in.note("trial %d: its record was changed by something else than daedalus (checksum)", t.Number)
				}
				in.trial(&t)
				return nil
			}),
			part("steps", selectSteps+"ORDER BY trial, attempt, step", func(row []driver.Value) error {
				var d decoder
				trial, attempt, step, err := d.step(row)
				if err != nil {
					in.note("%w", err)
				} else if !sum(row, len(stepColumns)-1) {
					in.note("trial %d, attempt %d, step %d: its record was changed by something else than daedalus (checksum)", trial, attempt, step.Step)
				}
				return nil
			}),
			func() error {
				if studies != 1 {
					in.note("the file has %d study records, want 1", studies)
				}
				in.end()
				return nil
			}(),
		)
	})
	if err != nil {
		return err
	}
	return in.err(s.path)
}
