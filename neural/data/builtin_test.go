package data

import (
	"context"
	"crypto/sha256"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/internal/source"
)

// TestBuiltin pins what the program carries.
func TestBuiltin(t *testing.T) {
	train, test, err := FashionMNIST()
	if err != nil {
		t.Fatal(err)
	}
	sum := func(s *Set) string {
		h := sha256.New()
		for i := range s.Len() {
			h.Write(s.Image(i))
			h.Write([]byte{byte(s.Class(i))})
		}
		return fmt.Sprintf("%x", h.Sum(nil)[:8])
	}
	for _, c := range []struct {
		set      *Set
		perClass int
		sum      string
	}{{train, 2000, "0b94658ef22c0e64"}, {test, 1000, "ffd391374f349fcb"}} {
		if got := sum(c.set); got != c.sum {
			t.Errorf("%v has the sum %s, want %s", c.set, got, c.sum)
		}
		for class, n := range c.set.Counts() {
			if n != c.perClass {
				t.Errorf("%v has %d of class %d, want %d", c.set, n, class, c.perClass)
			}
		}
	}
	if again, _, _ := FashionMNIST(); again != train {
		t.Error("the images were unpacked twice")
	}

	s, err := Shakespeare(32)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Tokens()) != 1_115_394 || len(s.Classes) != 65 || s.Window != 32 {
		t.Errorf("got %v", s)
	}
	var b strings.Builder
	for _, k := range s.Tokens() {
		b.WriteString(s.Classes[k])
	}
	if got := fmt.Sprintf("%x", sha256.Sum256([]byte(b.String())))[:16]; got != "86c4e6aa9db7c042" {
		t.Errorf("the text has the sum %s", got)
	}
	for name, want := range map[string]string{
		"concrete": "concrete: 1030 rows of 8 numbers and 0 categories, target strength",
		"wine":     "wine: 1599 rows of 11 numbers and 0 categories, 6 classes",
	} {
		s, err := TableOf(name)
		if err != nil || s.String() != want {
			t.Errorf("TableOf(%s) = %v, %v, want %s", name, s, err, want)
		}
	}
	if _, err := TableOf("iris"); err == nil {
		t.Error("a table that there is not")
	}
}

// The images are those of the files that they come from.
func TestFashionMNISTIsTheOriginal(t *testing.T) {
	dir := filepath.FromSlash("../../../shared/data/fashion-mnist")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("needs Fashion-MNIST beside the repository: ", dir)
	}
	all, original, err := (IDX{Folder: dir}).open("")
	if err != nil {
		t.Fatal(err)
	}
	train, test, err := FashionMNIST()
	if err != nil {
		t.Fatal(err)
	}
	if test.Len() != original.Len() || !slices.Equal(test.pixels, original.pixels) || !slices.Equal(test.labels, original.labels) {
		t.Error("the test images are not the original ones")
	}
	var have [10]int
	k := 0
	for i := range all.Len() {
		c := all.Class(i)
		if have[c]++; have[c] > 2000 {
			continue
		}
		if train.Class(k) != c || !slices.Equal(train.Image(k), all.Image(i)) {
			t.Fatalf("training image %d is not number %d of the original", k, i)
		}
		k++
	}
}

// The tables hold the numbers that package hpo's sources hold, row by row.
func TestTablesAreConsistent(t *testing.T) {
	for name, least := range map[string][3]float32{"concrete": {540, 0, 79.99}, "wine": {7.4, 0.7, 0}} {
		text, err := unpacked(name + ".csv.gz")
		if err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(strings.NewReader(string(text))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		s, err := TableOf(name)
		if err != nil {
			t.Fatal(err)
		}
		if s.Len() != len(rows)-1 {
			t.Errorf("%s has %d rows, want %d", name, s.Len(), len(rows)-1)
		}
		numbers, _, targets := s.Row(0)
		if numbers[0] != least[0] || len(targets) > 0 && targets[0] != least[2] {
			t.Errorf("%s starts with %v, %v", name, numbers, targets)
		}
		for i := range s.Len() {
			numbers, _, _ := s.Row(i)
			for k, x := range numbers {
				var want float32
				fmt.Sscan(rows[i+1][k], &want)
				if x != want {
					t.Fatalf("%s row %d column %d = %v, want %v", name, i, k, x, want)
				}
			}
		}
	}
}

// Built-in data are opened and cut up by their names.
func TestOpenBuiltin(t *testing.T) {
	for name, want := range map[string][3]int{"fashion-mnist": {18000, 2000, 10000}, "concrete": {824, 103, 103}, "wine": {1279, 160, 160}, "shakespeare": {13942, 1742, 1742}} {
		p, err := Source{Name: name}.Open(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if got := [3]int{p.Train.Len(), p.Valid.Len(), p.Test.Len()}; got != want {
			t.Errorf("%s has parts of %v, want %v", name, got, want)
		}
	}
	p, err := Source{Name: "fashion-mnist", Side: 14}.Open(context.Background())
	if err != nil || p.Train.Height != 14 || p.Test.Width != 14 {
		t.Errorf("at a side of 14: %v, %v", p, err)
	}
}

// A study file's words reach the struct, also where it is embedded.
func TestSourceDecodes(t *testing.T) {
	var o struct {
		Source
		Epochs int `yaml:"epochs" default:"3"`
	}
	v, r := source.Parse("study.yaml", []byte("csv: cars.csv\ntarget: price\ntypes: {year: category}\nmissing: fill\nvalid: 0.2\nepochs: 5\n"))
	if !source.Decode(r, v, &o) || r.Failed() {
		t.Fatal(r)
	}
	if o.CSV != "cars.csv" || o.Target != "price" || o.Types["year"] != "category" || o.Missing != "fill" || o.Valid != 0.2 || o.Test != 0.1 || o.Epochs != 5 {
		t.Errorf("read %+v", o)
	}
	if err := o.Check(); err != nil {
		t.Error(err)
	}
	for _, text := range []string{"data: fashion-mnist", "data: shakespeare\nwindow: 32", "idx: {folder: mnist}", "cifar: [a, b]\nside: 16", "images: photos\nside: 64\ngrey: true", "text: a.txt\ntokens: bytes"} {
		var own Source
		v, r := source.Parse("study.yaml", []byte(text))
		if !source.Decode(r, v, &own) || r.Failed() {
			t.Errorf("%s: %v", text, r)
		}
		if err := own.Check(); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func ExampleSource_Open() {
	p, err := Source{Name: "concrete"}.Open(context.Background())
	fmt.Println(p, err)
	// Output: concrete: 824 rows of 8 numbers and 0 categories, target strength; 103 for validation, 103 for the test <nil>
}
