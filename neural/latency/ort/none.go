//go:build noonnxruntime || !(((linux || darwin) && (amd64 || arm64)) || (windows && (amd64 || arm64)))

package ort

import (
	"errors"
	"fmt"
	"runtime"
)

var errNotHere = fmt.Errorf("ONNX Runtime cannot be loaded by this program (%w): %s", errors.ErrUnsupported, why())

// why is the reason.
func why() string {
	switch on := runtime.GOOS + "/" + runtime.GOARCH; on {
	case "linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64", "windows/arm64":
		return "it was built with the tag noonnxruntime, want one without"
	default:
		return fmt.Sprintf("found %s, want Linux, macOS or Windows on amd64 or arm64", on)
	}
}

// A Runtime is ONNX Runtime in this process. There is none in this build.
type Runtime struct{}

// Open returns an error that is [errors.ErrUnsupported]: this build has no ONNX
// Runtime.
func Open(string) (*Runtime, error) { return nil, errNotHere }

// Version returns the empty string.
func (*Runtime) Version() string { return "" }

// Path returns the empty string.
func (*Runtime) Path() string { return "" }

// Session returns an error: this build has no ONNX Runtime.
func (*Runtime) Session([]byte, Options) (*Session, error) { return nil, errNotHere }

// A Session is a network that is ready to run. There is none in this build.
type Session struct{}

// Inputs returns nothing.
func (*Session) Inputs() []Value { return nil }

// Outputs returns nothing.
func (*Session) Outputs() []Value { return nil }

// Run returns an error: this build has no ONNX Runtime.
func (*Session) Run([][]float32) ([][]float32, error) { return nil, errNotHere }

// Close does nothing.
func (*Session) Close() error { return nil }
