package atomicfile_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/daedalus-search/daedalus/internal/atomicfile"
)

// The system takes only so many bytes, as of a full disk. The limit is that of a process,
// so that it needs one of its own.
func TestFullDisk(t *testing.T) {
	path := os.Getenv("ATOMICFILE_FULL")
	if path == "" {
		dir := t.TempDir()
		path := filepath.Join(dir, "x")
		put(t, path, "old")
		cmd := exec.Command(os.Args[0], "-test.run=^TestFullDisk$")
		cmd.Env = append(os.Environ(), "ATOMICFILE_FULL="+path)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		holds(t, path, "old")
		only(t, dir, "x")
		return
	}
	signal.Ignore(syscall.SIGXFSZ)
	limit := syscall.Rlimit{Cur: 1000, Max: 1000}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.WriteFile(path, bytes.Repeat([]byte("x"), 1001)); !errors.Is(err, syscall.EFBIG) {
		t.Errorf("writing 1001 bytes where 1000 fit: error %v", err)
	}
}
