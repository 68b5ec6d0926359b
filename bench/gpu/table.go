package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
)

// A row is a result under a name; nil if it was not run.
type row struct {
	name string
	r    *result
}

// readRows reads results, given as name=file. A file that is not there is a program
// that was not run.
func readRows(args []string) ([]row, error) {
	var rows []row
	var first *row
	for _, a := range args {
		name, path, ok := strings.Cut(a, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("-table: found %q, want NAME=FILE", a)
		}
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			rows = append(rows, row{name: name})
			continue
		}
		if err != nil {
			return nil, err
		}
		r := &result{}
		if err := json.Unmarshal(text, r); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if len(r.Curve) == 0 {
			return nil, fmt.Errorf("%s: found no points of the training", path)
		}
		rows = append(rows, row{name, r})
		if first == nil {
			first = &rows[len(rows)-1]
		}
		if r.Plan != first.r.Plan {
			return nil, fmt.Errorf("%s: found the plan %q, want %q as in %q: these trainings are not the same", path, r.Plan, first.r.Plan, first.name)
		}
	}
	if len(rows) == 0 {
		return nil, errors.New("-table: found no results, want NAME=FILE")
	}
	return rows, nil
}

// last is the rank correlation in the end.
func (r *result) last() float64 {
	if k := r.Curve[len(r.Curve)-1].Kendall; k != nil {
		return *k
	}
	return math.NaN()
}

// until returns what the training cost until a rank correlation was reached.
func (r *result) until(kendall float64) (cost, bool) {
	for _, p := range r.Curve {
		if p.Kendall != nil && *p.Kendall >= kendall {
			return p.Train, true
		}
	}
	return cost{}, false
}

// writeTable compares results: by the time that passed, or by that of processors. The
// rank correlation to be reached is the least that one of them has in the end.
func writeTable(out io.Writer, rows []row, clock string) error {
	of := func(c cost) float64 { return c.Wall }
	switch clock {
	case "wall":
	case "processor":
		of = func(c cost) float64 { return c.Processor }
	default:
		return fmt.Errorf("-clock: found %q, want wall or processor", clock)
	}
	target := math.NaN()
	for _, x := range rows {
		if x.r != nil && !(x.r.last() >= target) {
			target = x.r.last()
		}
	}
	reach := "one Kendall"
	if !math.IsNaN(target) {
		reach = fmt.Sprintf("Kendall %.3f", target)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "| | device | images/s | slowest–fastest part | s to %s | s of warm-up | Kendall in the end | versions |\n", reach)
	b.WriteString("|---|---|---:|---:|---:|---:|---:|---|\n")
	for _, x := range rows {
		if x.r == nil {
			fmt.Fprintf(&b, "| %s | | not run | | not run | | not run | |\n", x.name)
			continue
		}
		low, high := math.Inf(1), 0.0
		before := point{}
		for _, p := range x.r.Curve {
			speed := float64((p.Step-before.Step)*x.r.Batch) / (of(p.Train) - of(before.Train))
			low, high, before = min(low, speed), max(high, speed), p
		}
		reached := "never"
		if c, ok := x.r.until(target); ok {
			reached = fmt.Sprintf("%.1f", of(c))
		}
		var versions []string
		for _, k := range slices.Sorted(maps.Keys(x.r.Versions)) {
			versions = append(versions, k+" "+x.r.Versions[k])
		}
		fmt.Fprintf(&b, "| %s | %s | %.0f | %.0f–%.0f | %s | %.1f | %.3f | %s |\n", x.name, x.r.Device,
			float64(before.Step*x.r.Batch)/of(x.r.Train), low, high, reached, of(x.r.WarmUp), x.r.last(), strings.Join(versions, ", "))
	}
	_, err := io.WriteString(out, b.String())
	return err
}
