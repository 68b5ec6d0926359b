//go:build !noonnxruntime && (amd64 || arm64)

package ort

import "syscall"

// load returns the address of OrtGetApiBase in a library.
func load(file string) (uintptr, error) {
	handle, err := syscall.LoadLibrary(file)
	if err != nil {
		return 0, err
	}
	base, err := syscall.GetProcAddress(handle, "OrtGetApiBase")
	if err != nil {
		_ = syscall.FreeLibrary(handle) // it is no ONNX Runtime, and runs nothing
		return 0, err
	}
	return base, nil
}
