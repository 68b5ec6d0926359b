package latency

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/cpu"
)

// A Device is what a time depends on besides the network: the machine, what runs
// there, and how. Times of one device say nothing about another.
type Device struct {
	CPU      string   `json:"cpu"` // as the system calls it
	Cores    int      `json:"cores"`
	Features []string `json:"features"` // instructions that matter here
	OS       string   `json:"os"`
	Arch     string   `json:"arch"`
	Engine   string   `json:"engine"` // with its version
	Threads  int      `json:"threads"`
	Batch    int      `json:"batch"`
}

// ThisDevice returns this machine with an engine and its options.
func ThisDevice(e Engine, o Options) (Device, error) {
	o, err := o.full()
	if err != nil {
		return Device{}, fmt.Errorf("latency: %w", err)
	}
	return Device{cpuName(), runtime.NumCPU(), features(), runtime.GOOS, runtime.GOARCH, e.Name(), o.Threads, o.Batch}, nil
}

// Equal reports whether devices are the same.
func (d Device) Equal(e Device) bool { return d.String() == e.String() }

// String returns all of it in a line.
func (d Device) String() string {
	features := "none"
	if len(d.Features) > 0 {
		features = strings.Join(d.Features, " ")
	}
	return fmt.Sprintf("%s (%s/%s, %d cores, %s), %s, %d threads, batch %d", d.CPU, d.OS, d.Arch, d.Cores, features, d.Engine, d.Threads, d.Batch)
}

// Fingerprint is a short text that differs between devices.
func (d Device) Fingerprint() string {
	text, err := json.Marshal(d)
	if err != nil { // strings and numbers only
		panic(err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// check says what no device can be.
func (d Device) check() error {
	if d.CPU == "" || d.OS == "" || d.Arch == "" || d.Engine == "" || d.Cores < 1 || d.Threads < 1 || d.Batch < 1 {
		return fmt.Errorf("device: found %s, want a name of the processor, the system and the engine, and at least one core, thread and example", d)
	}
	return nil
}

// DefaultPath is where the table of a device lies unless a path is given: in the
// user's folder for caches.
func (d Device) DefaultPath() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("latency: no folder for tables: %w; give a path", err)
	}
	return filepath.Join(dir, "daedalus", "latency", d.Fingerprint()+".json"), nil
}

// features are the instructions that this processor has of those which the inner
// loops of engines are written for.
func features() []string {
	var out []string
	for name, has := range map[string]bool{
		"sse4.1": cpu.X86.HasSSE41, "avx": cpu.X86.HasAVX, "avx2": cpu.X86.HasAVX2, "fma": cpu.X86.HasFMA,
		"avx512f": cpu.X86.HasAVX512F, "avx512vl": cpu.X86.HasAVX512VL, "avx512dq": cpu.X86.HasAVX512DQ, "avx512vnni": cpu.X86.HasAVX512VNNI, "avx512bf16": cpu.X86.HasAVX512BF16, "amx": cpu.X86.HasAMXTile,
		"asimd": cpu.ARM64.HasASIMD, "asimdhp": cpu.ARM64.HasASIMDHP, "asimddp": cpu.ARM64.HasASIMDDP, "sve": cpu.ARM64.HasSVE, "sve2": cpu.ARM64.HasSVE2,
	} {
		if has {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// cpuText reads the processor's name from Linux's cpuinfo.
func cpuText(info string) string {
	parts := map[string]string{}
	for line := range strings.Lines(info) {
		if key, value, ok := strings.Cut(line, ":"); ok {
			if key = strings.TrimSpace(key); parts[key] == "" {
				parts[key] = strings.TrimSpace(value)
			}
		}
	}
	x86 := parts["vendor_id"] != ""
	name := parts["model name"]
	if name == "" {
		name = parts["Model"]
	}
	var numbers []string
	for _, key := range []string{"cpu family", "model", "stepping", "CPU implementer", "CPU part", "CPU variant", "CPU revision"} {
		// names of processors in the cloud say little; the numbers tell them apart
		if v := parts[key]; v != "" && (x86 || strings.HasPrefix(key, "CPU")) {
			numbers = append(numbers, key+" "+v)
		}
	}
	if len(numbers) > 0 {
		name = strings.TrimSpace(name + " [" + strings.Join(numbers, ", ") + "]")
	}
	return name
}
