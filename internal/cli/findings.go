package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/daedalus-search/daedalus/internal/term"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/space"
	"github.com/daedalus-search/daedalus/study"
)

// progress runs what takes long and shows how far it is.
func (a *app) progress(f func(progress func(doing string, done, all int)) error) error {
	var mu sync.Mutex
	live := term.NewLive(a.err)
	defer live.Clear()
	last := time.Now()
	return f(func(doing string, done, all int) {
		mu.Lock()
		defer mu.Unlock()
		every := plainEvery
		if live.On() {
			every = liveEvery
		}
		now := time.Now()
		if a.quiet || now.Sub(last) < every {
			return
		}
		last = now
		line := fmt.Sprintf("%s: %s of %s", doing, term.Int(int64(done)), term.Int(int64(all)))
		if live.On() {
			live.Set(line)
		} else {
			live.Print(line)
		}
	})
}

// designsOf returns the designs of a front, by the first objective.
func designsOf(front []study.Member) []space.Design {
	front = slices.Clone(front)
	slices.SortStableFunc(front, func(a, b study.Member) int { return metric.Compare(a.Score, b.Score) })
	out := make([]space.Design, len(front))
	for i, m := range front {
		out[i] = m.Design
	}
	return out
}

// findingsAt is where the findings about a study are kept that is in db, beside
// its other results.
func findingsAt(folder, name string) string { return filepath.Join(folder, name+"-findings.json") }

// assess returns what the problem has found out. It is kept in a file, and read
// from there when the study has not gone on, since making it again may take long.
func assess(ctx context.Context, p problem.Problem, front []study.Member, file string, done bool) ([]problem.Finding, error) {
	x, ok := p.(problem.Assessor)
	if !ok {
		return nil, nil
	}
	if done {
		if out, err := readFindings(file); err == nil && out != nil {
			return out, nil
		}
	}
	out, err := x.Assess(ctx, designsOf(front))
	if err != nil {
		return nil, fmt.Errorf("assessing the problem: %w", err)
	}
	return out, writeFile(file, func(w io.Writer) error { return (&app{}).writeJSON(w, out) })
}

// readFindings reads the findings of a run; none if there is no file.
func readFindings(file string) ([]problem.Finding, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []problem.Finding
	if err := json.Unmarshal(text, &out); err != nil {
		return nil, fmt.Errorf("%s: %w; run the study again, or delete the file", file, err)
	}
	return out, nil
}

// writeFindings prints them as tables.
func writeFindings(w io.Writer, findings []problem.Finding) error {
	for _, f := range findings {
		fmt.Fprintln(w, f.Title)
		var t term.Table
		for _, c := range f.Columns {
			t.Columns = append(t.Columns, term.Column{Name: c.Name, Unit: c.Unit, Right: c.Number})
		}
		for _, row := range f.Rows {
			t.Row(row...)
		}
		if err := t.Write(w, 0); err != nil {
			return err
		}
		for _, n := range f.Notes {
			fmt.Fprintln(w, wrapText(n, 100))
		}
		fmt.Fprintln(w)
	}
	return nil
}

// wrapText breaks a sentence into lines of at most so many characters.
func wrapText(s string, width int) string {
	var b strings.Builder
	at := 0
	for i, word := range strings.Fields(s) {
		n := len([]rune(word))
		switch {
		case i == 0:
		case at+1+n > width:
			b.WriteByte('\n')
			at = 0
		default:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at += n
	}
	return b.String()
}
