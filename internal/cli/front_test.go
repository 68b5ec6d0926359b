package cli

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFront(t *testing.T) {
	t.Parallel()
	script(t, "front")
}

// BenchmarkFront opens a study of 100,000 trials and prints its front.
func BenchmarkFront(b *testing.B) {
	dir := b.TempDir()
	path := filepath.Join(dir, "big.yaml")
	text := "problem: {zdt: {dims: 10}}\nobjectives: [minimize f1, minimize f2]\nsearch: random\nbudget: {trials: 100000}\n"
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		b.Fatal(err)
	}
	if code := Run(b.Context(), []string{"run", path, "-q"}, nil, io.Discard, os.Stderr); code != 0 {
		b.Fatalf("exit code %d", code)
	}
	for b.Loop() {
		var out strings.Builder
		if code := Run(b.Context(), []string{"front", path}, nil, &out, os.Stderr); code != 0 || !strings.HasPrefix(out.String(), "Front: ") {
			b.Fatalf("exit code %d\n%s", code, out.String())
		}
	}
}
