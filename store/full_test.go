package store

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

// A full database is SQLite's own way to say that the disk is full.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	st, err := Create(ctx, filepath.Join(t.TempDir(), "study"), Study{Name: "full"})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	pages, err := st.writer.one("PRAGMA page_count")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.writer.one("PRAGMA max_page_count=100"); err != nil || pages > 50 {
		t.Fatal(pages, err)
	}
	batch := func(from int64) (out []Trial) {
		for n := range int64(20) {
			out = append(out, Trial{Number: from + n, State: Complete, Attempt: 1, Stderr: strings.Repeat("x", 500)})
		}
		return out
	}
	saved := int64(0)
	for err == nil && saved < 10_000 {
		if err = st.Save(ctx, batch(saved)...); err == nil {
			saved += 20
		}
	}
	if !errors.Is(err, ErrDiskFull) || saved == 0 || !strings.Contains(err.Error(), "free some space") {
		t.Fatalf("Save number %d = %v, want ErrDiskFull", saved, err)
	}
	if n, err := st.MaxNumber(ctx); n != saved-1 || err != nil {
		t.Errorf("MaxNumber() = %d, %v, want %d", n, err, saved-1)
	}
	// There is room again.
	if _, err := st.writer.one("PRAGMA max_page_count=1000000"); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(st.Save(ctx, batch(saved)...), st.Check(ctx)); err != nil {
		t.Error(err)
	}
}

// Another program holds the database.
func TestBusy(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "study")
	st, err := Create(t.Context(), path, Study{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if err := st.writer.run("PRAGMA busy_timeout=20"); err != nil {
		t.Fatal(err)
	}
	other, err := openConn(path, "mode=rw", "BEGIN IMMEDIATE")
	if err != nil {
		t.Fatal(err)
	}
	defer other.close()
	err = st.Save(t.Context(), Trial{State: Running})
	if !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), "close the program") {
		t.Errorf("Save = %v, want ErrBusy", err)
	}
	if _, err := st.MaxNumber(context.Background()); err != nil {
		t.Errorf("a reader was blocked: %v", err)
	}
	if err := other.run("ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if err := st.Save(t.Context(), Trial{State: Running}); err != nil {
		t.Errorf("Save after the other program let go = %v", err)
	}
}

func FuzzParseValues(f *testing.F) {
	f.Add(`{"a":1,"b":"NaN"}`)
	f.Add(` { "a\u00e9\"" : -1e-7 , "" : "-Infinity" } `)
	f.Add(`[1,"Infinity",-0]`)
	f.Fuzz(func(t *testing.T, s string) {
		if m, err := parseValues(s); err == nil {
			text, _ := appendValues(nil, m, nil)
			again, err := parseValues(string(text))
			if err != nil || len(again) != len(m) {
				t.Errorf("%q became %q, then %v, %v", s, text, again, err)
			}
		}
		if v, err := parseNumbers(nil, s); err == nil {
			text := appendNumbers(nil, v)
			again, err := parseNumbers(nil, string(text))
			if err != nil || string(appendNumbers(nil, again)) != string(text) {
				t.Errorf("%q became %q, then %v, %v", s, text, again, err)
			}
		}
	})
}
