package atomicfile_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/daedalus-search/daedalus/internal/atomicfile"
)

// only checks that a folder holds some files and no others.
func only(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if !slices.Equal(got, want) {
		t.Errorf("the folder holds %q, want %q", got, want)
	}
}

func put(t *testing.T, path, content string) {
	t.Helper()
	if err := atomicfile.WriteFile(path, []byte(content)); err != nil {
		t.Fatal(err)
	}
}

func holds(t *testing.T, path, want string) {
	t.Helper()
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("the file holds %q (error %v), want %q", got, err, want)
	}
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, content := range []string{"first", "", "a longer one"} {
		put(t, "x", content) // a path without a folder
		holds(t, filepath.Join(dir, "x"), content)
	}
	only(t, dir, "x")
	if err := atomicfile.WriteFile(filepath.Join(dir, "missing", "x"), nil); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "missing") {
		t.Errorf("writing into a folder that is not there: %v", err)
	}
	if err := atomicfile.WriteFile(dir, nil); err == nil {
		t.Error("writing over a folder: no error")
	}
}

// A file is written in pieces, slowly, by several at a time, and every look at it sees one
// of theirs from its first byte to its last.
func TestNobodySeesHalf(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x")
	whole := func(k int) []byte { return bytes.Repeat([]byte{byte('a' + k)}, 1000*(k+1)) }
	put(t, path, string(whole(0)))
	var wg sync.WaitGroup
	for k := range 4 {
		wg.Go(func() {
			for range 25 {
				err := atomicfile.Write(path, func(w io.Writer) error {
					for piece := range slices.Chunk(whole(k), 100) {
						if _, err := w.Write(piece); err != nil {
							return err
						}
						runtime.Gosched()
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	written := make(chan struct{})
	go func() {
		wg.Wait()
		close(written)
	}()
	for seen := 0; ; seen++ {
		got, err := os.ReadFile(path)
		if err != nil || len(got) == 0 || !bytes.Equal(got, whole(int(got[0]-'a'))) {
			t.Errorf("look %d finds %d bytes (error %v), want a whole file", seen, len(got), err)
			break
		}
		select {
		case <-written:
			only(t, dir, "x")
			return
		default:
		}
	}
	<-written
}

// Wherever writing ends, by an error or a panic, the old file is as it was and nothing
// else is left.
func TestFailureLeavesTheOldFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x")
	failed := errors.New("failed")
	for _, old := range []bool{false, true} {
		var want []string
		if old {
			want = []string{"x"}
			put(t, path, "old")
		}
		for _, pieces := range []int{0, 1, 100} {
			write := func(end func() error) error {
				return atomicfile.Write(path, func(w io.Writer) error {
					for range pieces {
						if _, err := fmt.Fprintln(w, "new"); err != nil {
							return err
						}
					}
					return end()
				})
			}
			if err := write(func() error { return failed }); err != failed {
				t.Errorf("after %d pieces: error %v, want that of the writer", pieces, err)
			}
			func() {
				defer func() {
					if recover() == nil {
						t.Error("the panic of a writer is lost")
					}
				}()
				_ = write(func() error { panic("writer") })
			}()
			only(t, dir, want...)
			if old {
				holds(t, path, "old")
			}
		}
	}
}

func TestKeepsPermissions(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such permissions")
	}
	dir := t.TempDir()
	path, other := filepath.Join(dir, "x"), filepath.Join(dir, "created")
	f, err := os.Create(other)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	mode := func(path string) os.FileMode {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode()
	}
	put(t, path, "new")
	if got, want := mode(path), mode(other); got != want {
		t.Errorf("a new file has the permissions %v, want those of os.Create, %v", got, want)
	}
	for _, want := range []os.FileMode{0o600, 0o640, 0o755, 0o444, 0o666} {
		if err := os.Chmod(path, want); err != nil {
			t.Fatal(err)
		}
		put(t, path, "newer")
		if got := mode(path); got != want {
			t.Errorf("the new file has the permissions %v, want %v as the old one", got, want)
		}
	}
}

func TestFollowsLinks(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "elsewhere", "x"), filepath.Join(dir, "link")
	if err := os.Mkdir(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	put(t, path, "old")
	if err := os.Symlink(filepath.Join("elsewhere", "x"), link); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	put(t, link, "new")
	holds(t, path, "new")
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link became %v (error %v)", info.Mode(), err)
	}
	only(t, dir, "elsewhere", "link")
	only(t, filepath.Dir(path), "x")
}

func TestWritesIntoWhatIsNoFile(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("there is no /dev/full")
	}
	if err := atomicfile.WriteFile("/dev/full", []byte("x")); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("writing to /dev/full: error %v, want that there is no space", err)
	}
	if err := atomicfile.WriteFile("/dev/null", []byte("x")); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat("/dev/null"); err != nil || info.Mode().IsRegular() {
		t.Errorf("/dev/null became %v (error %v)", info.Mode(), err)
	}
}

func TestRename(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	put(t, from, "new")
	put(t, to, "old")
	if err := atomicfile.Rename(from, to); err != nil {
		t.Fatal(err)
	}
	holds(t, to, "new")
	only(t, dir, "to")
	if err := atomicfile.Rename(from, to); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("renaming what is not there: error %v", err)
	}
	holds(t, to, "new")
}
