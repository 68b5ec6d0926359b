//go:build xla

package engine_test

import (
	"os"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/neural/train/engine"
)

// A plugin that is not there, or is none, is an error that says so, never another
// backend.
func TestPlugin(t *testing.T) {
	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", t.TempDir())
	none := t.TempDir() + "/none.so"
	text := t.TempDir() + "/text.so"
	if err := os.WriteFile(text, []byte("no library"), 0o600); err != nil {
		t.Fatal(err)
	}
	cases := map[string]string{"xla:" + none: "none.so", "xla:" + text: "text.so"}
	if os.Getenv("DAEDALUS_PJRT_PLUGIN") == "" { // one that was loaded before is found again
		cases["xla"] = "no plugins found"
	}
	for backend, want := range cases {
		if d, err := engine.Open(engine.Config{Backend: backend}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: device %v, error %v, want one that says %q", backend, d, err, want)
		}
	}
}

// With a plugin everything that holds for the other backends holds:
//
//	DAEDALUS_PJRT_PLUGIN=/path/plugin.so go test -tags xla ./neural/train/engine
func init() {
	if path := os.Getenv("DAEDALUS_PJRT_PLUGIN"); path != "" {
		backends = append(backends, "xla:"+path)
	}
}
