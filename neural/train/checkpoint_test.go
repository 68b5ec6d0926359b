package train

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"github.com/daedalus-search/daedalus/internal/atomicfile"
	"github.com/daedalus-search/daedalus/neural"
)

func someSnapshot() *snapshot {
	r, _ := Recipe{}.Filled()
	return &snapshot{
		Training: training{Recipe: r, Network: "net 0123", Data: "set 4567", Tag: "a"},
		Step:     70, Updates: 70, Averaged: 70, Loss: 1.0 / 3, Steps: 6, Rate: 0.1, Norm: 2.5,
		History:   []Epoch{{Epoch: 1, Step: 64, Loss: 0.7, Valid: &Metrics{Count: 10, Accuracy: 0.3}}},
		weights:   neural.Weights{"b": {1, float32(math.NaN()), float32(math.Inf(-1))}, "a/weight": {0.1}, "none": {}},
		optimizer: map[string][]float32{"a/weight": {3}},
		average:   neural.Weights{"a/weight": {float32(math.Copysign(0, -1))}},
	}
}

func TestCheckpointRoundTrip(t *testing.T) {
	t.Parallel()
	s := someSnapshot()
	path := filepath.Join(t.TempDir(), "net.checkpoint")
	if got, err := s.Training.load(path); got != nil || err != nil {
		t.Fatalf("without a file: %v, %v", got, err)
	}
	if err := s.save(path); err != nil {
		t.Fatal(err)
	}
	got, err := s.Training.load(path)
	if err != nil {
		t.Fatal(err)
	}
	var a, b bytes.Buffer
	if err := errors.Join(s.write(&a), got.write(&b)); err != nil || !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Errorf("another state was read, error %v", err)
	}
	if got.Loss != s.Loss || !reflect.DeepEqual(got.History, s.History) || !math.IsNaN(float64(got.weights["b"][1])) {
		t.Errorf("read %+v, want %+v", got, s)
	}
	files, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(files) != 1 {
		t.Errorf("%d files are left, error %v", len(files), err)
	}
}

func TestForeignCheckpoint(t *testing.T) {
	t.Parallel()
	s := someSnapshot()
	path := filepath.Join(t.TempDir(), "net.checkpoint")
	if err := s.save(path); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*training){
		"recipe: batch: found 64, want 32":                              func(t *training) { t.Recipe.Batch = 32 },
		"recipe: seed: found 0, want 1":                                 func(t *training) { t.Recipe.Seed = 1 },
		"recipe: augment: found [], want [flip]":                        func(t *training) { t.Recipe.Augment = []string{"flip"} },
		"network: found net 0123, want net 9":                           func(t *training) { t.Network = "net 9" },
		"training examples: found set 4567, want s":                     func(t *training) { t.Data = "s" },
		"weights to start from: found , want w; go on with what it was": func(t *training) { t.Start = "w" },
		"tag: found a, want b":                                          func(t *training) { t.Tag = "b" },
	} {
		is := s.Training
		change(&is)
		_, err := is.load(path)
		var e *CheckpointError
		if !errors.Is(err, ErrForeign) || !errors.As(err, &e) || e.Path != path || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "delete it") {
			t.Errorf("the error is %v, want %q in it", err, want)
		}
	}
}

// Every change of a byte, and every end that comes too early, is noticed.
func TestDamagedCheckpoint(t *testing.T) {
	t.Parallel()
	s := someSnapshot()
	var file bytes.Buffer
	if err := s.write(&file); err != nil {
		t.Fatal(err)
	}
	whole := file.Bytes()
	for i := range whole {
		changed := bytes.Clone(whole)
		changed[i] ^= 1
		if _, err := readSnapshot(changed); err == nil {
			t.Fatalf("byte %d of %d was changed unnoticed", i, len(whole))
		}
		if _, err := readSnapshot(whole[:i]); !errors.Is(err, ErrDamaged) {
			t.Fatalf("cut after %d of %d bytes: %v", i, len(whole), err)
		}
	}
	path := filepath.Join(t.TempDir(), "net.checkpoint")
	newer := bytes.Clone(whole)
	binary.LittleEndian.PutUint32(newer[len(arraysMagic):], 2)
	var weights bytes.Buffer
	if err := WriteWeights(&weights, s.weights); err != nil {
		t.Fatal(err)
	}
	for want, file := range map[string][]byte{
		"another program's":                     []byte("# my notes\n"),
		"found 0 bytes":                         []byte(arraysMagic),
		"starts with \"\"":                      nil,
		"found version 2, want 1":               newer,
		"cut off or added to":                   append(bytes.Clone(whole), 0),
		`the kind "weights", want "checkpoint"`: weights.Bytes(),
		"checksum":                              append(bytes.Clone(whole[:len(whole)-1]), whole[len(whole)-1]^1),
		"cut off; delete it to start anew":      whole[:len(whole)/2],
	} {
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := s.Training.load(path)
		var e *CheckpointError
		if !errors.As(err, &e) || !strings.Contains(err.Error(), path) {
			t.Errorf("the error is %v, want a CheckpointError with the path", err)
		}
		if want == "found 0 bytes" {
			want = fmt.Sprintf("found %d bytes", len(arraysMagic))
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want %q in it", err, want)
		}
	}
	if _, err := s.Training.load(filepath.Dir(path)); err == nil {
		t.Error("a folder was read as a checkpoint")
	}
}

// full is a disk with room for n bytes.
type full struct {
	w io.Writer
	n int
}

func (f *full) Write(b []byte) (int, error) {
	if len(b) > f.n {
		n, _ := f.w.Write(b[:f.n])
		f.n = 0
		return n, syscall.ENOSPC
	}
	f.n -= len(b)
	return f.w.Write(b)
}

// Wherever the disk fills up, the file before is as it was and nothing else is left.
func TestFullDiskLeavesTheOldCheckpoint(t *testing.T) {
	t.Parallel()
	s := someSnapshot()
	dir := t.TempDir()
	path := filepath.Join(dir, "net.checkpoint")
	if err := s.save(path); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s.Step++
	s.weights["large"] = make([]float32, 100_000)
	for _, room := range []int{0, 1, 100, 65_536, 300_000} {
		err := atomicfile.Write(path, func(w io.Writer) error { return s.write(&full{w, room}) })
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("with room for %d bytes the error is %v", room, err)
		}
		after, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(before, after) {
			t.Fatalf("with room for %d bytes the old file is another, error %v", room, err)
		}
		if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
			t.Fatalf("with room for %d bytes %d files are left, error %v", room, len(files), err)
		}
	}
	if err := s.save(filepath.Join(dir, "missing", "net.checkpoint")); err == nil || !strings.Contains(err.Error(), "missing") {
		t.Errorf("a folder that is not there gave %v", err)
	}
}

func TestWeightsFile(t *testing.T) {
	t.Parallel()
	w := neural.Weights{"z": {1, 2}, "a": {3}}
	var a, b bytes.Buffer
	if err := errors.Join(WriteWeights(&a, w), WriteWeights(&b, w)); err != nil || !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Errorf("the same weights are two files, error %v", err)
	}
	back, err := ReadWeights(a.Bytes())
	if err != nil || !reflect.DeepEqual(back, w) {
		t.Errorf("read %v, %v, want %v", back, err, w)
	}
	if _, err := ReadWeights(a.Bytes()[:20]); !errors.Is(err, ErrDamaged) {
		t.Errorf("half a file gave %v", err)
	}
}

// Whatever a file holds, reading it ends with what was written or with an error.
func FuzzCheckpoint(f *testing.F) {
	var file bytes.Buffer
	if err := someSnapshot().write(&file); err != nil {
		f.Fatal(err)
	}
	f.Add(file.Bytes())
	f.Add(file.Bytes()[:file.Len()/2])
	f.Add([]byte(arraysMagic + "\x01\x00\x00\x00\xff\xff\xff\xff{}"))
	f.Add([]byte("garbage"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if n := len(b) - 4; n > 0 { // what only the checksum would find
			b = binary.LittleEndian.AppendUint32(bytes.Clone(b[:n]), crc32.Checksum(b[:n], castagnoli))
		}
		s, err := readSnapshot(b)
		if err != nil {
			return
		}
		var again bytes.Buffer
		if err := s.write(&again); err != nil {
			t.Fatal(err)
		}
		if _, err := readSnapshot(again.Bytes()); err != nil {
			t.Errorf("what was read cannot be read again: %v", err)
		}
	})
}
