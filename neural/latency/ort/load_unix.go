//go:build !noonnxruntime && (linux || darwin) && (amd64 || arm64)

package ort

import "github.com/ebitengine/purego"

// load returns the address of OrtGetApiBase in a library.
func load(file string) (uintptr, error) {
	handle, err := purego.Dlopen(file, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return 0, err
	}
	base, err := purego.Dlsym(handle, "OrtGetApiBase")
	if err != nil {
		_ = purego.Dlclose(handle) // it is no ONNX Runtime, and runs nothing
		return 0, err
	}
	return base, nil
}
