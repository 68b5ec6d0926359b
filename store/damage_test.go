package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/daedalus-search/daedalus/store"
	"github.com/daedalus-search/daedalus/store/storetest"
)

func opens(path string) map[string]error {
	out := map[string]error{}
	for name, open := range map[string]func(context.Context, string) (*store.SQLite, error){"Open": store.Open, "OpenRead": store.OpenRead} {
		st, err := open(context.Background(), path)
		if err == nil {
			st.Close()
		}
		out[name] = err
	}
	return out
}

func TestNotAStudy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, c := range map[string]struct {
		content []byte
		want    string
	}{
		"empty":      {nil, "it is empty"},
		"short":      {[]byte("x"), "not"},
		"text":       {[]byte(strings.Repeat("problem: zdt1\n", 1000)), "not an SQLite database"},
		"zeros":      {make([]byte, 10000), "not an SQLite database"},
		"just magic": {[]byte("SQLite format 3\x00"), "not"},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, c.content, 0o666); err != nil {
			t.Fatal(err)
		}
		for how, err := range opens(path) {
			var f *store.FormatError
			if !errors.As(err, &f) || f.Path != path || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s of a file that is %s = %v", how, name, err)
			}
		}
		if got, err := os.ReadFile(path); string(got) != string(c.content) || err != nil {
			t.Errorf("%s: opening changed the file", name)
		}
	}
	for how, err := range opens(dir) {
		if f := (*store.FormatError)(nil); !errors.As(err, &f) || !strings.Contains(err.Error(), "folder") {
			t.Errorf("%s of a folder = %v", how, err)
		}
	}
	for how, err := range opens(filepath.Join(dir, "missing")) {
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "no study at") {
			t.Errorf("%s of a missing file = %v", how, err)
		}
	}
}

// alter changes a study file behind the store's back.
func alter(t *testing.T, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, text := range statements {
		if _, err := db.ExecContext(t.Context(), text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
}

func TestOtherDatabaseAndVersion(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	other := filepath.Join(dir, "other.db")
	alter(t, other, "CREATE TABLE trials (x)", "PRAGMA user_version = 1")
	before, _ := os.ReadFile(other)
	for how, err := range opens(other) {
		if f := (*store.FormatError)(nil); !errors.As(err, &f) || f.Damaged || !strings.Contains(err.Error(), "another program") {
			t.Errorf("%s of another program's database = %v", how, err)
		}
	}
	if after, _ := os.ReadFile(other); string(before) != string(after) {
		t.Error("opening another program's database changed it")
	}

	newer := filepath.Join(dir, "newer")
	mustClose(t, create(t, newer))
	alter(t, newer, "PRAGMA user_version = 7")
	for how, err := range opens(newer) {
		var v *store.VersionError
		if !errors.As(err, &v) || v.Found != 7 || v.Want != store.FormatVersion || !strings.Contains(err.Error(), "update daedalus") {
			t.Errorf("%s of a newer file = %v", how, err)
		}
	}

	half := filepath.Join(dir, "half")
	mustClose(t, create(t, half))
	alter(t, half, "DELETE FROM study")
	for how, err := range opens(half) {
		if f := (*store.FormatError)(nil); !errors.As(err, &f) || !f.Damaged || !strings.Contains(err.Error(), "daedalus doctor") {
			t.Errorf("%s of a file without its study = %v", how, err)
		}
	}
}

// What is changed by hand shows.
func TestCheckSeesChanges(t *testing.T) {
	t.Parallel()
	for statement, want := range map[string]string{
		"UPDATE trials SET measured = '{\"accuracy\":1}' WHERE number = 3":                     "trial 3",
		"UPDATE trials SET measured = '{accuracy:1}' WHERE number = 3":                         "column measured holds {accuracy:1}",
		"UPDATE trials SET loss = '[1' WHERE number = 3":                                       "column loss holds [1",
		"UPDATE trials SET design = '{' WHERE number = 3":                                      "not valid JSON",
		"UPDATE trials SET violation = 2 WHERE number = 3":                                     "trial 3: its record was changed",
		"UPDATE trials SET hash = NULL WHERE number = 3":                                       "trial 3: its record was changed",
		"DELETE FROM trials WHERE number = 3":                                                  "trial 3 is missing",
		"UPDATE study SET seed = '1'":                                                          "study: its record was changed",
		"UPDATE study SET seed = '-1'":                                                         "study: column seed holds -1",
		"UPDATE study SET spec = '{'":                                                          "changed",
		"DELETE FROM study":                                                                    "0 study records",
		"DELETE FROM steps WHERE step = 1; UPDATE steps SET step = 9":                          "step 9: its record was changed",
		"PRAGMA foreign_keys = off; DELETE FROM trials WHERE number = 5":                       "refers to a missing row of table trials",
		"PRAGMA ignore_check_constraints = on; UPDATE trials SET state = 9":                    "column state holds 9",
		"PRAGMA writable_schema = on; DELETE FROM sqlite_schema WHERE name = 'trials_by_hash'": "database:",
	} {
		path := filepath.Join(t.TempDir(), "study")
		st := create(t, path)
		trials := benchTrials(rand.New(rand.NewPCG(1, 1)), 0, 10)
		trials[5].Steps = []store.Step{{Step: 1}, {Step: 2}}
		if err := st.Save(t.Context(), trials...); err != nil {
			t.Fatal(err)
		}
		mustClose(t, st)
		r, err := store.OpenRead(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		alter(t, path, statement)
		if err := r.Check(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Check after %s = %v, want %q", statement, err, want)
		}
		mustClose(t, r)
	}
}

// Bytes are flipped, zeroed and cut off all over the file. Nothing panics, and
// either an error says so or every record is as it was.
func TestDamage(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "study")
	st := create(t, path)
	want := benchTrials(rand.New(rand.NewPCG(1, 1)), 0, 80)
	for i := range want {
		want[i].Steps = []store.Step{{Step: 1, Values: map[string]float64{"a": float64(i)}}}
	}
	if err := st.Save(t.Context(), want...); err != nil {
		t.Fatal(err)
	}
	wantStudy, err := st.Study(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	mustClose(t, st)
	sound, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(5, 6))
	rounds := 120
	if testing.Short() {
		rounds = 15
	}
	errs, harmless := 0, 0
	for round := range rounds {
		b := append([]byte(nil), sound...)
		what := ""
		at := r.IntN(len(b))
		if round%5 == 0 {
			at = r.IntN(4096) // the header and the schema
		}
		switch round % 4 {
		case 0:
			b = b[:at]
			what = fmt.Sprintf("cut off at %d", at)
		case 1:
			end := min(len(b), at+4096)
			clear(b[at:end])
			what = fmt.Sprintf("zeros from %d to %d", at, end)
		default:
			bit := r.IntN(8)
			b[at] ^= 1 << bit
			what = fmt.Sprintf("bit %d of byte %d flipped", bit, at)
		}
		victim := filepath.Join(t.TempDir(), "victim")
		if err := os.WriteFile(victim, b, 0o666); err != nil {
			t.Fatal(err)
		}
		st, err := store.Open(t.Context(), victim)
		if err != nil {
			var f *store.FormatError
			var v *store.VersionError
			if !errors.As(err, &f) && !errors.As(err, &v) {
				t.Errorf("%s: Open = %v, want a FormatError", what, err)
			}
			errs++
			continue
		}
		found := st.Check(t.Context())
		got, err := all(st)
		if err != nil {
			if f := (*store.FormatError)(nil); !errors.As(err, &f) || !strings.Contains(err.Error(), "daedalus doctor") {
				t.Errorf("%s: Trials = %v, want a FormatError", what, err)
			}
		}
		gotStudy, studyErr := st.Study(t.Context())
		st.Close()
		switch {
		case found != nil:
			errs++
		case err != nil || studyErr != nil:
			t.Errorf("%s: Check found nothing, but reading fails: %v, %v", what, err, studyErr)
		default:
			harmless++
			if diff := storetest.Diff(got, want) + storetest.Diff(gotStudy, wantStudy); diff != "" {
				t.Errorf("%s: Check found nothing, but the records changed:\n%s", what, diff)
			}
		}
	}
	if errs < rounds/2 {
		t.Errorf("only %d of %d injuries were noticed", errs, rounds)
	}
	t.Logf("%d of %d injuries noticed, %d harmless", errs, rounds, harmless)
}

// What Salvage saves is true, sound, and all there is: of a file with one
// damaged page it loses no more than that page held.
func TestSalvage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "study")
	st := create(t, path)
	want := benchTrials(rand.New(rand.NewPCG(1, 1)), 0, 600)
	for i := range want {
		want[i].Steps = []store.Step{{Step: 1, Values: map[string]float64{"a": float64(i)}}}
	}
	if err := st.Save(t.Context(), want...); err != nil {
		t.Fatal(err)
	}
	mustClose(t, st)
	sound, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(7, 8))
	rounds := 20
	if testing.Short() {
		rounds = 6
	}
	whole := 0
	for round := range rounds {
		b := append([]byte(nil), sound...)
		page := 1 + r.IntN(len(b)/4096-1) // the first page holds the schema
		switch {
		case round == 0: // nothing is damaged
		case round%3 == 0:
			b = b[:len(b)/2+r.IntN(len(b)/2)]
		default:
			for i := range 4096 {
				b[page*4096+i] = byte(r.Uint32())
			}
		}
		victim, to := filepath.Join(dir, fmt.Sprint(round)), filepath.Join(dir, fmt.Sprint(round, "saved"))
		if err := os.WriteFile(victim, b, 0o666); err != nil {
			t.Fatal(err)
		}
		got, err := store.Salvage(t.Context(), victim, to)
		if f := (*store.FormatError)(nil); errors.As(err, &f) {
			continue // the damage hit the root of the tree
		}
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if after, _ := os.ReadFile(victim); string(after) != string(b) {
			t.Errorf("round %d: Salvage changed the damaged file", round)
		}
		st, err := store.Open(t.Context(), to)
		if err != nil {
			t.Fatal(err)
		}
		trials, err := all(st)
		if err != nil {
			t.Fatal(err)
		}
		mustClose(t, st)
		kept := int64(0)
		for _, x := range trials {
			if x.ErrorClass == "lost" {
				continue
			}
			kept++
			w := want[x.Number]
			if x.Steps == nil {
				w.Steps = nil // those may be lost alone
			}
			if diff := storetest.Diff(x, w); diff != "" {
				t.Errorf("round %d: trial %d changed:\n%s", round, x.Number, diff)
			}
		}
		if kept != got.Kept || int(kept)+len(got.Lost) != len(trials) {
			t.Errorf("round %d: Salvage says %+v, the file has %d of %d trials", round, got, kept, len(trials))
		}
		if round == 0 && (kept != 600 || !got.Study || got.Steps != 600) {
			t.Errorf("of a sound file Salvage kept %+v", got)
		}
		if kept >= 590 {
			whole++
		}
	}
	if whole < rounds/2 {
		t.Errorf("only %d of %d salvages kept nearly everything", whole, rounds)
	}
	if _, err := store.Salvage(t.Context(), path, path); !errors.Is(err, store.ErrExists) {
		t.Errorf("Salvage onto itself = %v", err)
	}
}
