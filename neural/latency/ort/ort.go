package ort

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Variable is the environment variable that names the library.
const Variable = "DAEDALUS_ONNXRUNTIME"

// Install is how to get the library, for messages.
const Install = "pip install onnxruntime && export " + Variable + "=$(python3 -c 'import onnxruntime; print(onnxruntime.__path__[0])')"

// ErrNotNamed says that neither a path nor the environment variable names the
// library.
var ErrNotNamed = errors.New("no path to ONNX Runtime's library: name it in " + Variable + "; to install it: " + Install)

// patterns are the names that the library bears.
var patterns = []string{"libonnxruntime.so*", "libonnxruntime.*dylib", "onnxruntime.dll"}

// find returns the library that a path names: itself, or the one in a folder or
// where Python's package and the released archives have it below that.
func find(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		return filepath.Abs(path)
	}
	var found []string
	for _, sub := range []string{"", "capi", "lib"} {
		for _, p := range patterns {
			all, err := filepath.Glob(filepath.Join(escape(filepath.Join(path, sub)), p))
			if err != nil {
				return "", err
			}
			for _, f := range all {
				if real, err := filepath.EvalSymlinks(f); err == nil && !slices.Contains(found, real) {
					found = append(found, real)
				}
			}
		}
	}
	switch len(found) {
	case 1:
		return filepath.Abs(found[0])
	case 0:
		return "", fmt.Errorf("found no %s in the folder, nor in capi or lib below it", strings.Join(patterns, ", "))
	}
	return "", fmt.Errorf("found %d libraries, want one; name the file: %s", len(found), strings.Join(found, ", "))
}

// escape makes a path a pattern that matches only itself.
func escape(path string) string {
	if filepath.Separator == '\\' { // there is no escape on Windows, and no * in names
		return path
	}
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// older reports whether a version of ONNX Runtime is before 1.minor.
func older(version string, minor int) bool {
	var major, found int
	_, err := fmt.Sscanf(version, "%d.%d", &major, &found)
	return err == nil && (major < 1 || major == 1 && found < minor)
}

// Options say how a session runs.
type Options struct {
	Batch   int  // what an axis of any size is, such as the batch; 0 means 1
	Threads int  // that compute one operator together; 0 means 1, which is the caller's
	Plain   bool // runs the file's nodes as they are, without the library's optimisations
}

func (o Options) full() (Options, error) {
	if o.Batch == 0 {
		o.Batch = 1
	}
	if o.Threads == 0 {
		o.Threads = 1
	}
	if o.Batch < 1 || o.Batch > 1<<20 {
		return o, fmt.Errorf("batch: found %d, want 1 to %d", o.Batch, 1<<20)
	}
	if o.Threads < 1 || o.Threads > 1<<10 {
		return o, fmt.Errorf("threads: found %d, want 1 to %d", o.Threads, 1<<10)
	}
	return o, nil
}

// A Value is an input or output of a session.
type Value struct {
	Name  string
	Dims  []int64 // with the batch
	Whole bool    // int64 in the file; given and returned as float32 all the same
}

// Elements returns the number of numbers.
func (v Value) Elements() int {
	n := int64(1)
	for _, d := range v.Dims {
		n *= d
	}
	return int(n)
}

// maxElements bounds a value, as networks do.
const maxElements = 1 << 32

// setDims gives a value its axes, of which those of any size are the batch.
func (v *Value) setDims(dims []int64, batch int) error {
	n := int64(1)
	for _, d := range dims {
		if d < 0 {
			d = int64(batch)
		}
		if d == 0 || d > maxElements || n*d > maxElements {
			return fmt.Errorf("%q: found axes %v, want at most %d numbers and at least one", v.Name, dims, int64(maxElements))
		}
		n *= d
		v.Dims = append(v.Dims, d)
	}
	return nil
}

// whole writes floats as whole numbers.
func whole(to []int64, from []float32) error {
	for i, x := range from {
		if x != float32(math.Trunc(float64(x))) || !(x > -1<<53 && x < 1<<53) {
			return fmt.Errorf("found %g as number %d, want a whole one", x, i+1)
		}
		to[i] = int64(x)
	}
	return nil
}
