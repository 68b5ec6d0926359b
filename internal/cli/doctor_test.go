package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDoctor(t *testing.T) {
	t.Parallel()
	script(t, "doctor")
}

// TestRescue damages a study and lets doctor save the rest.
func TestRescue(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	if out, err := daedalus(dir, "run", "slow.yaml", "-q", "--trials", "30").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	path := filepath.Join(dir, "slow.db")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.LastIndex(text, []byte("nsga2"))
	if i := bytes.Index(text, []byte(`{"x":`)); i > 0 {
		at = i
	}
	if at < 0 {
		t.Fatal("found no design to damage")
	}
	copy(text[at:], `{"y"`)
	if err := os.WriteFile(path, text, 0o666); err != nil {
		t.Fatal(err)
	}
	cmd := daedalus(dir, "doctor", "slow.db")
	out, _ := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != exitFailed || !strings.Contains(string(out), "WRONG") || !strings.Contains(string(out), "Rescued ") {
		t.Fatalf("exit code %d\n%s", cmd.ProcessState.ExitCode(), out)
	}
	if again, _ := os.ReadFile(path); !bytes.Equal(again, text) {
		t.Error("doctor changed the damaged file")
	}
	if out, err := daedalus(dir, "front", "slow.rescued.db").CombinedOutput(); err != nil {
		t.Errorf("the rescued study: %v\n%s", err, out)
	}
}
