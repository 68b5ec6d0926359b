package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/store"
	"github.com/daedalus-search/daedalus/store/storetest"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(*testing.T) store.Store { return store.Memory(storetest.Study()) })
}

func TestSQLite(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) store.Store { return create(t, newPath(t)) })
}

// newPath is in a folder whose name would break a careless URI.
func newPath(t testing.TB) string {
	dir := filepath.Join(t.TempDir(), "a b?c=#d%41é&")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "study.daedalus")
}

func create(t testing.TB, path string) *store.SQLite {
	t.Helper()
	st, err := store.Create(context.Background(), path, storetest.Study())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Errorf("Close() = %v", err)
		}
	})
	return st
}

func mustClose(t testing.TB, st store.Store) {
	t.Helper()
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
}

func all(st store.Store) (out []store.Trial, err error) {
	for x, err := range st.Trials(context.Background(), store.Filter{}) {
		if err != nil {
			return out, err
		}
		out = append(out, x)
	}
	return out, nil
}

func TestStates(t *testing.T) {
	t.Parallel()
	for s := store.Waiting; s <= store.Cached; s++ {
		if got, err := store.ParseState(s.String()); got != s || err != nil {
			t.Errorf("ParseState(%q) = %v, %v", s, got, err)
		}
		if want := s != store.Waiting && s != store.Running; s.Done() != want {
			t.Errorf("%v.Done() = %v", s, !want)
		}
	}
	for _, s := range []store.State{0, 8, 255} {
		if s.Done() || s.String() != fmt.Sprintf("state(%d)", s) {
			t.Errorf("state %d: Done() = %v, String() = %v", s, s.Done(), s)
		}
	}
	if _, err := store.ParseState("runing"); err == nil || !strings.Contains(err.Error(), "running") {
		t.Errorf("ParseState of a typo = %v, want the names", err)
	}
}

// The one file is the study: what was written in one life is read in the next,
// and from a copy, and nothing else is left beside it.
func TestOneFile(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	st := create(t, path)
	want := benchTrials(rand.New(rand.NewPCG(1, 1)), 0, 60)
	if err := st.Save(t.Context(), want...); err != nil {
		t.Fatal(err)
	}
	live := filepath.Join(filepath.Dir(path), "live")
	if err := st.Copy(t.Context(), live); err != nil {
		t.Fatal(err)
	}
	if err := st.Copy(t.Context(), live); !errors.Is(err, store.ErrExists) {
		t.Errorf("Copy over a file = %v, want ErrExists", err)
	}
	mustClose(t, st)
	entries, _ := os.ReadDir(filepath.Dir(path))
	if len(entries) != 2 {
		t.Errorf("beside the study and its copy there are %v", entries)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "copy")
	if err := os.WriteFile(copied, b, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, copied, live} {
		st, err := store.Open(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		got, err := all(st)
		if diff := storetest.Diff(got, want); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", p, err, diff)
		}
		if err := st.Check(t.Context()); err != nil {
			t.Error(err)
		}
		mustClose(t, st)
	}
}

func TestCreateRefuses(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	mustClose(t, create(t, path))
	dir := filepath.Dir(path)
	orphan := filepath.Join(dir, "orphan")
	if err := os.WriteFile(orphan+"-wal", []byte("log"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, dir, orphan} {
		if _, err := store.Create(t.Context(), p, store.Study{}); !errors.Is(err, store.ErrExists) {
			t.Errorf("Create(%s) = %v, want ErrExists", p, err)
		}
	}
	if _, err := store.Create(t.Context(), filepath.Join(dir, "no", "folder"), store.Study{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Create in a missing folder = %v", err)
	}
	if _, err := store.Create(t.Context(), filepath.Join(dir, "bad"), store.Study{Spec: []byte("{")}); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("Create with a bad study = %v", err)
	}
	// What a crash in Create leaves is no obstacle.
	fresh := filepath.Join(dir, "fresh")
	if err := os.WriteFile(fresh+".new", bytes.Repeat([]byte("half"), 1000), 0o666); err != nil {
		t.Fatal(err)
	}
	create(t, fresh)
	if _, err := os.Stat(fresh + ".new"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the half-made file is still there: %v", err)
	}
}

func TestOpenRead(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	st := create(t, path)
	want := benchTrials(rand.New(rand.NewPCG(1, 1)), 0, 5)
	check := func(what string, r *store.SQLite, want []store.Trial) {
		t.Helper()
		got, err := all(r)
		if diff := storetest.Diff(got, want); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", what, err, diff)
		}
	}
	if err := st.Save(t.Context(), want[:2]...); err != nil {
		t.Fatal(err)
	}
	r, err := store.OpenRead(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	check("with a writer", r, want[:2])
	if err := st.Save(t.Context(), want[2:]...); err != nil {
		t.Fatal(err)
	}
	check("after another save", r, want)
	for i, err := range []error{r.Save(t.Context(), want[0]), r.AddSteps(t.Context(), 0), r.SaveStudy(t.Context(), store.Study{})} {
		if !errors.Is(err, store.ErrReadOnly) {
			t.Errorf("write %d on a reader = %v", i, err)
		}
	}
	if err := r.Check(t.Context()); err != nil {
		t.Error(err)
	}
	mustClose(t, st)
	check("after the writer closed", r, want)
	mustClose(t, r)
	if r, err = store.OpenRead(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	check("without a writer", r, want)
	// A reader is no obstacle to the next writer.
	if st, err = store.Open(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	mustClose(t, st)
	mustClose(t, r)
}

func ExampleMemory() {
	ctx := context.Background()
	st := store.Memory(store.Study{Name: "tea"})
	defer st.Close()
	err := st.Save(ctx,
		store.Trial{Number: 0, State: store.Complete, Loss: []float64{-0.9}, Values: map[string]float64{"taste": 0.9}},
		store.Trial{Number: 1, State: store.Failed, Error: "spilled"},
	)
	if err != nil {
		fmt.Println(err)
	}
	for t, err := range st.Trials(ctx, store.Filter{}) {
		fmt.Println(t.Number, t.State, t.Values, t.Error, err)
	}
	fmt.Println(st.Save(ctx, store.Trial{Number: 1, State: store.Running}))
	// Output:
	// 0 complete map[taste:0.9]  <nil>
	// 1 failed map[] spilled <nil>
	// trial 1: trial is already finished with another result: it is failed, the new record says running
}
