package main

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/daedalus-search/daedalus/problems/internal/columns"
)

// The embedded files hold what the generator makes of the published tables.
func TestTablesAreUpToDate(t *testing.T) {
	t.Parallel()
	in := filepath.Join("..", "..", "..", "..", "shared", "data")
	if _, err := os.Stat(in); err != nil {
		t.Skipf("%s is not there: the tables from which the files are made are not part of the repository", in)
	}
	total := 0
	for name, make := range tables {
		all, err := make(in)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		packed, err := columns.Pack(all)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		stored, err := os.ReadFile(filepath.Join("..", "data", name+".bin"))
		if err != nil {
			t.Fatal(err)
		}
		total += len(stored)
		want, err := columns.Open(packed)
		if err != nil {
			t.Fatal(err)
		}
		got, err := columns.Open(stored)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got.Names(), want.Names()) || got.Rows() != want.Rows() {
			t.Errorf("%s: %d rows of %v, want %d of %v", name, got.Rows(), got.Names(), want.Rows(), want.Names())
			continue
		}
		for _, column := range got.Names() {
			a, errA := got.Column(column)
			b, errB := want.Column(column)
			if errA != nil || errB != nil {
				t.Fatal(errA, errB)
			}
			for i := range a {
				// A fit may be rounded otherwise on another platform.
				if math.Abs(a[i]-b[i]) > 1e-5*(1e-3+math.Abs(b[i])) {
					t.Fatalf("%s: row %d of %s is %v, want %v; run go generate ./problems/tables", name, i, column, a[i], b[i])
				}
			}
		}
	}
	if limit := 1_000_000; total > limit {
		t.Errorf("%d bytes in all, want at most %d", total, limit)
	}
}
