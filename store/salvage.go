package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// Salvaged says what [Salvage] could read.
type Salvaged struct {
	Study bool    // the study's own record was whole
	Kept  int64   // trials
	Lost  []int64 // numbers of trials that were damaged or gone
	Steps int64   // intermediate results
}

// Salvage reads what is left of a damaged study and writes it to a new file,
// which passes Check. It leaves the damaged file as it is. Records whose
// checksum is wrong are not trusted. In the place of a lost trial stands a
// Failed one of the error class "lost", so that numbers stay what they were;
// if the study's own record is lost, only its name is made up.
//
// It returns a [*FormatError] if nothing can be read at all.
func Salvage(ctx context.Context, damaged, to string) (Salvaged, error) {
	var out Salvaged
	path, err := checkPresent(damaged)
	if err != nil {
		return out, err
	}
	c, err := openSalvage(path)
	if err != nil {
		return out, wrapOnce(path, "salvaging", err)
	}
	defer c.close()

	var buf []byte
	study := Study{Name: filepath.Base(path), Status: "paused", Reason: "salvaged from a damaged file; its own record was lost"}
	_ = c.query(selectStudy, nil, func(row []driver.Value) error {
		var d decoder
		if s, err := d.study(row); err == nil && row[len(row)-1] == sumOf(row, len(row)-1, &buf) {
			study, out.Study = s, true
		}
		return nil
	})
	last, err := lastNumber(c)
	if err != nil {
		return out, wrapOnce(path, "salvaging", err)
	}
	trials := map[int64]*Trial{}
	err = salvageRange(ctx, 0, last, func(lo, hi int64, seen func(int64)) error {
		return c.query(selectTrials+"number BETWEEN ? AND ? ORDER BY number", named(lo, hi), func(row []driver.Value) error {
			number, _ := row[0].(int64)
			seen(number)
			var d decoder
			var t Trial
			if d.trial(row, &t) == nil && row[crcColumn] == sumOf(row, crcColumn, &buf) {
				trials[number] = &t
			}
			return ctx.Err()
		})
	})
	if err != nil {
		return out, err
	}
	if len(trials) == 0 && !out.Study {
		return out, &FormatError{Path: path, Damaged: true, Found: "nothing in it can be read any more"}
	}
	err = salvageRange(ctx, 0, last, func(lo, hi int64, seen func(int64)) error {
		return c.query(selectSteps+"WHERE trial BETWEEN ? AND ? ORDER BY trial, attempt, step", named(lo, hi), func(row []driver.Value) error {
			var d decoder
			trial, attempt, step, err := d.step(row)
			seen(trial)
			t := trials[trial]
			if err == nil && t != nil && int64(t.Attempt) == attempt && row[len(row)-1] == sumOf(row, len(row)-1, &buf) {
				t.Steps = mergeSteps(t.Steps, []Step{step})
			}
			return ctx.Err()
		})
	})
	if err != nil {
		return out, err
	}

	numbers := make([]int64, 0, len(trials))
	for n := range trials {
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	st, err := Create(ctx, to, study)
	if err != nil {
		return out, err
	}
	err = out.write(ctx, st, numbers, trials)
	if err == nil {
		err = st.Check(ctx)
	}
	return out, errors.Join(err, st.Close())
}

func openSalvage(path string) (*conn, error) {
	c, err := openConn(path, "mode=ro", busyTimeout, "PRAGMA query_only=on")
	if err == nil {
		// Only the first read shows whether the folder lets SQLite work.
		if _, err = c.one("SELECT count(*) FROM sqlite_schema"); err == nil {
			return c, nil
		}
		c.close()
	}
	if info, statErr := os.Stat(path + "-wal"); statErr == nil && info.Size() > 0 {
		return nil, err
	}
	c, immutableErr := openConn(path, "mode=ro&immutable=1", "PRAGMA query_only=on")
	if immutableErr != nil {
		return nil, err
	}
	return c, nil
}

// lastNumber is the highest number a trial may have. Where that cannot be
// read, it is bounded by the size of the file: no trial takes less than 32
// bytes.
func lastNumber(c *conn) (int64, error) {
	pages, err := c.one("PRAGMA page_count")
	if err != nil {
		return 0, err
	}
	size, err := c.one("PRAGMA page_size")
	if err != nil {
		return 0, err
	}
	bound := pages * size / 32
	if n, err := c.one("SELECT coalesce(max(number), -1) FROM trials"); err == nil && n < bound {
		return n, nil
	}
	return bound, nil
}

// probes is how many places of a long range are tried before it is divided.
const probes = 64

// salvageRange reads all it can between lo and hi. Where reading breaks off it
// divides what is left. A long range of which none of 64 places can be read is
// given up: this is the cut-off end of a file, and there may be millions of
// numbers in it.
func salvageRange(ctx context.Context, lo, hi int64, read func(lo, hi int64, seen func(int64)) error) error {
	for lo <= hi {
		if err := ctx.Err(); err != nil {
			return err
		}
		next := lo
		err := read(lo, hi, func(n int64) { next = max(next, n+1) })
		if err == nil || ctx.Err() != nil {
			return ctx.Err()
		}
		if next > lo {
			lo = next
			continue
		}
		if lo == hi || hi-lo >= 8*probes && !readable(lo, hi, read) {
			return nil
		}
		mid := lo + (hi-lo)/2
		if err := salvageRange(ctx, lo, mid, read); err != nil {
			return err
		}
		lo = mid + 1
	}
	return nil
}

// readable reports whether any of a few places can be read, be it empty.
func readable(lo, hi int64, read func(lo, hi int64, seen func(int64)) error) bool {
	for i := range int64(probes) {
		n := lo + (hi-lo)/probes*i
		if read(n, n, func(int64) {}) == nil {
			return true
		}
	}
	return false
}

// write saves the trials and stand-ins for those between them.
func (out *Salvaged) write(ctx context.Context, st *SQLite, numbers []int64, trials map[int64]*Trial) error {
	next := int64(0)
	var batch []Trial
	flush := func() error {
		err := st.Save(ctx, batch...)
		batch = batch[:0]
		return err
	}
	for _, n := range numbers {
		for ; next < n; next++ {
			out.Lost = append(out.Lost, next)
			batch = append(batch, Trial{
				Number: next, State: Failed, ErrorClass: "lost",
				Error: fmt.Sprintf("trial %d was lost when the study file was damaged", next),
			})
			if len(batch) >= pageSize {
				if err := flush(); err != nil {
					return err
				}
			}
		}
		out.Kept++
		out.Steps += int64(len(trials[n].Steps))
		batch = append(batch, *trials[n])
		next = n + 1
		if len(batch) >= pageSize {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}
