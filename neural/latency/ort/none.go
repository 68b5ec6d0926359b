//go:build noonnxruntime || !(((linux || darwin) && (amd64 || arm64)) || (windows && (amd64 || arm64)))

package ort

import (
	"errors"
	"fmt"
	"runtime"
)

var errNotHere = fmt.Errorf("ONNX Runtime cannot be loaded by this program (%w): it was built for %s/%s or with the tag noonnxruntime; Linux, macOS and Windows on amd64 and arm64 can", errors.ErrUnsupported, runtime.GOOS, runtime.GOARCH)

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
