// Package ort runs ONNX files in ONNX Runtime, whose shared library is loaded when
// it is asked for: building this package needs no C compiler and no header.
//
//	rt, err := ort.Open("") // where the environment variable DAEDALUS_ONNXRUNTIME says
//	s, err := rt.Session(file, ort.Options{Batch: 1, Threads: 1})
//	defer s.Close()
//	outputs, err := s.Run([][]float32{image})
//
// The library comes with Python's package, from its version 1.19 on, and with that of
// npm, onnxruntime-node; any since 1.12 will do. One line makes it known:
//
//	pip install onnxruntime
//	export DAEDALUS_ONNXRUNTIME=$(python3 -c 'import onnxruntime; print(onnxruntime.__path__[0])')
//
// It is called through the table of functions of its C API (onnxruntime_c_api.h),
// which only ever grows at its end, by package purego. That works on Linux and macOS
// and with the DLL on Windows, on amd64 and arm64; elsewhere, and in builds with the
// tag noonnxruntime, [Open] says that it does not. A program that contains this
// package is linked to the system's loader of libraries, on Linux to that of glibc;
// the tag avoids this too.
package ort
