//go:build !noonnxruntime && (((linux || darwin) && (amd64 || arm64)) || (windows && (amd64 || arm64)))

package ort

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"
)

// apiVersion is that of the C API which is asked for: that of ONNX Runtime 1.12, the
// first that reads operator set 17. Libraries give every version up to their own.
const apiVersion = 12

// Places of functions in OrtApi, in the order of onnxruntime_c_api.h, which is the
// same in all versions.
const (
	getErrorMessage                  = 2
	createEnv                        = 3
	createSessionFromArray           = 8
	run                              = 9
	createSessionOptions             = 10
	setSessionGraphOptimizationLevel = 23
	setIntraOpNumThreads             = 24
	setInterOpNumThreads             = 25
	sessionGetInputCount             = 30
	sessionGetOutputCount            = 31
	sessionGetInputTypeInfo          = 33
	sessionGetOutputTypeInfo         = 34
	sessionGetInputName              = 36
	sessionGetOutputName             = 37
	createTensorWithDataAsOrtValue   = 49
	castTypeInfoToTensorInfo         = 55
	getTensorElementType             = 60
	getDimensionsCount               = 61
	getDimensions                    = 62
	createCPUMemoryInfo              = 69
	allocatorFree                    = 76
	getAllocatorWithDefaultOptions   = 78
	releaseEnv                       = 92
	releaseStatus                    = 93
	releaseMemoryInfo                = 94
	releaseSession                   = 95
	releaseValue                     = 96
	releaseTypeInfo                  = 98
	releaseSessionOptions            = 100
	addFreeDimensionOverrideByName   = 124
	addSessionConfigEntry            = 130
	tableLength                      = 131
)

// Constants of the header.
const (
	logFatal     = 4  // ORT_LOGGING_LEVEL_FATAL: errors are returned
	disableAll   = 0  // GraphOptimizationLevel
	enableAll    = 99 // GraphOptimizationLevel
	floatType    = 1  // ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT
	int64Type    = 7  // ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64
	deviceMemory = 0  // OrtDeviceAllocator, OrtMemTypeDefault
)

// A Runtime is ONNX Runtime in this process. It may be used by many goroutines.
type Runtime struct {
	path, version string
	table         *[tableLength]uintptr // in the library
	env, memory   uintptr
	allocator     uintptr
}

// loaded are the runtimes by their path. A library stays loaded: its threads cannot
// be waited for.
var (
	mu     sync.Mutex
	loaded = map[string]*Runtime{}
)

// Open loads the library at a path, which may be a folder that has it; the empty
// path means what the environment variable [Variable] says, and if that is empty too
// the error is [ErrNotNamed]. Opening it again returns the same Runtime. Where the
// program cannot load libraries the error is [errors.ErrUnsupported].
func Open(path string) (*Runtime, error) {
	if path == "" {
		if path = os.Getenv(Variable); path == "" {
			return nil, ErrNotNamed
		}
	}
	fail := func(err error) (*Runtime, error) {
		return nil, fmt.Errorf("ONNX Runtime at %s does not load: %w; to install it: %s", path, err, Install)
	}
	file, err := find(path)
	if err != nil {
		return fail(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if rt := loaded[file]; rt != nil {
		return rt, nil
	}
	base, err := load(file)
	if err != nil {
		return fail(err)
	}
	rt := &Runtime{path: file}
	entry, _, _ := purego.SyscallN(base)
	if entry == 0 {
		return fail(errors.New("OrtGetApiBase returned nothing"))
	}
	functions := (*[2]uintptr)(pointer(entry)) // OrtApiBase
	text, _, _ := purego.SyscallN(functions[1])
	rt.version = goString(text)
	var table uintptr
	if !older(rt.version, apiVersion) { // one that is prints what it thinks of the question
		table, _, _ = purego.SyscallN(functions[0], apiVersion)
	}
	if table == 0 {
		return fail(fmt.Errorf("found version %s, want 1.%d or later", rt.version, apiVersion))
	}
	rt.table = (*[tableLength]uintptr)(pointer(table))
	name := []byte("daedalus\x00")
	if err := rt.do(createEnv, logFatal, uintptr(unsafe.Pointer(&name[0])), uintptr(unsafe.Pointer(&rt.env))); err != nil {
		return fail(err)
	}
	err = rt.do(createCPUMemoryInfo, deviceMemory, deviceMemory, uintptr(unsafe.Pointer(&rt.memory)))
	if err == nil {
		err = rt.do(getAllocatorWithDefaultOptions, uintptr(unsafe.Pointer(&rt.allocator)))
	}
	if err != nil {
		rt.release(releaseMemoryInfo, rt.memory)
		rt.release(releaseEnv, rt.env)
		return fail(err)
	}
	loaded[file] = rt
	return rt, nil
}

// Version returns the library's version, such as "1.23.2".
func (rt *Runtime) Version() string { return rt.version }

// Path returns the library's file.
func (rt *Runtime) Path() string { return rt.path }

// do calls a function that returns a status. Variables whose addresses are taken in
// the arguments lie on the heap, where they do not move, and live until it returns;
// that goes for conversions that are written there, and for no others.
//
//go:uintptrescapes
func (rt *Runtime) do(function int, args ...uintptr) error {
	status, _, _ := purego.SyscallN(rt.table[function], args...)
	if status == 0 {
		return nil
	}
	text, _, _ := purego.SyscallN(rt.table[getErrorMessage], status)
	err := errors.New(goString(text))
	rt.release(releaseStatus, status)
	return err
}

func (rt *Runtime) release(function int, object uintptr) {
	if object != 0 {
		purego.SyscallN(rt.table[function], object)
	}
}

// pointer is a pointer into C's memory.
func pointer(p uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&p)) }

// goString copies a string of C.
func goString(p uintptr) string {
	if p == 0 {
		return ""
	}
	s := (*byte)(pointer(p))
	n := 0
	for *(*byte)(unsafe.Add(unsafe.Pointer(s), n)) != 0 {
		n++
	}
	return string(unsafe.Slice(s, n))
}

// A Session is a network that is ready to run. Its calls wait for each other.
type Session struct {
	mu              sync.Mutex
	rt              *Runtime
	session         uintptr
	inputs, outputs []Value
	values          []uintptr // OrtValues of the inputs, then of the outputs
	names           []uintptr // their names in C
	in, out         [][]float32
	wholeIn         [][]int64 // memory of the inputs that are int64
	wholeOut        [][]int64
	pins            runtime.Pinner
}

// Session reads an ONNX file.
func (rt *Runtime) Session(model []byte, o Options) (*Session, error) {
	s, err := rt.newSession(model, o)
	if err != nil {
		return nil, fmt.Errorf("ONNX Runtime %s: %w", rt.version, err)
	}
	return s, nil
}

func (rt *Runtime) newSession(model []byte, o Options) (s *Session, err error) {
	o, err = o.full()
	if err != nil {
		return nil, err
	}
	if len(model) == 0 {
		return nil, errors.New("found an empty file")
	}
	options, err := rt.options(o)
	defer func() { rt.release(releaseSessionOptions, options) }()
	if err != nil {
		return nil, err
	}
	s = &Session{rt: rt}
	if err := rt.do(createSessionFromArray, rt.env, uintptr(unsafe.Pointer(&model[0])), uintptr(len(model)), options, uintptr(unsafe.Pointer(&s.session))); err != nil {
		return nil, err
	}
	if err := s.prepare(o.Batch); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// options returns OrtSessionOptions, which may be there even with an error.
func (rt *Runtime) options(o Options) (options uintptr, err error) {
	if err := rt.do(createSessionOptions, uintptr(unsafe.Pointer(&options))); err != nil {
		return 0, err
	}
	level := uintptr(enableAll)
	if o.Plain {
		level = disableAll
	}
	batch, key, value := []byte("batch\x00"), []byte("session.force_spinning_stop\x00"), []byte("1\x00")
	return options, errors.Join(
		rt.do(setSessionGraphOptimizationLevel, options, level),
		rt.do(setIntraOpNumThreads, options, uintptr(o.Threads)),
		rt.do(setInterOpNumThreads, options, 1),
		rt.do(addFreeDimensionOverrideByName, options, uintptr(unsafe.Pointer(&batch[0])), uintptr(o.Batch)),
		// idle threads of one session would take the processor from the next
		rt.do(addSessionConfigEntry, options, uintptr(unsafe.Pointer(&key[0])), uintptr(unsafe.Pointer(&value[0]))),
	)
}

// prepare reads what goes in and out and makes room for it.
func (s *Session) prepare(batch int) error {
	var err error
	if s.inputs, err = s.describe(sessionGetInputCount, sessionGetInputName, sessionGetInputTypeInfo, batch); err != nil {
		return fmt.Errorf("input %w", err)
	}
	if s.outputs, err = s.describe(sessionGetOutputCount, sessionGetOutputName, sessionGetOutputTypeInfo, batch); err != nil {
		return fmt.Errorf("output %w", err)
	}
	if s.in, s.wholeIn, err = s.bind(s.inputs); err != nil {
		return fmt.Errorf("input %w", err)
	}
	if s.out, s.wholeOut, err = s.bind(s.outputs); err != nil {
		return fmt.Errorf("output %w", err)
	}
	return nil
}

// describe reads the names and types of inputs or of outputs.
func (s *Session) describe(count, name, info, batch int) ([]Value, error) {
	var n uintptr
	if err := s.rt.do(count, s.session, uintptr(unsafe.Pointer(&n))); err != nil {
		return nil, err
	}
	var all []Value
	for i := range n {
		var v Value
		text := new(uintptr)
		if err := s.rt.do(name, s.session, i, s.rt.allocator, uintptr(unsafe.Pointer(text))); err != nil {
			return nil, err
		}
		v.Name = goString(*text)
		if err := s.rt.do(allocatorFree, s.rt.allocator, *text); err != nil {
			return nil, err
		}
		if err := s.typeOf(&v, i, info, batch); err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

func (s *Session) typeOf(v *Value, i uintptr, info, batch int) error {
	var kind, tensor, axes uintptr
	if err := s.rt.do(info, s.session, i, uintptr(unsafe.Pointer(&kind))); err != nil {
		return err
	}
	defer func() { s.rt.release(releaseTypeInfo, kind) }()
	if err := s.rt.do(castTypeInfoToTensorInfo, kind, uintptr(unsafe.Pointer(&tensor))); err != nil {
		return err
	}
	if tensor == 0 {
		return fmt.Errorf("%q: found something else than a tensor", v.Name)
	}
	var element int32
	if err := s.rt.do(getTensorElementType, tensor, uintptr(unsafe.Pointer(&element))); err != nil {
		return err
	}
	if element != floatType && element != int64Type {
		return fmt.Errorf("%q: found element type %d of ONNX, want 1 (float) or 7 (int64)", v.Name, element)
	}
	v.Whole = element == int64Type
	if err := s.rt.do(getDimensionsCount, tensor, uintptr(unsafe.Pointer(&axes))); err != nil {
		return err
	}
	dims := make([]int64, max(axes, 1))
	if err := s.rt.do(getDimensions, tensor, uintptr(unsafe.Pointer(&dims[0])), axes); err != nil {
		return err
	}
	return v.setDims(dims[:axes], batch)
}

// bind makes the memory of values and tells the library of it. It does not move
// until the session is closed.
func (s *Session) bind(all []Value) (floats [][]float32, wholes [][]int64, err error) {
	for _, v := range all {
		n := v.Elements()
		floats, wholes = append(floats, make([]float32, n)), append(wholes, nil)
		memory, size, kind := unsafe.Pointer(&floats[len(floats)-1][0]), 4*n, uintptr(floatType)
		if v.Whole {
			w := make([]int64, n)
			wholes[len(wholes)-1] = w
			memory, size, kind = unsafe.Pointer(&w[0]), 8*n, int64Type
		}
		s.pins.Pin(memory)
		value := new(uintptr)
		dims := append([]int64{}, v.Dims...)
		if len(dims) == 0 {
			dims = append(dims, 1)
		}
		if err := s.rt.do(createTensorWithDataAsOrtValue, s.rt.memory, uintptr(memory), uintptr(size), uintptr(unsafe.Pointer(&dims[0])), uintptr(len(v.Dims)), kind, uintptr(unsafe.Pointer(value))); err != nil {
			return nil, nil, fmt.Errorf("%q: %w", v.Name, err)
		}
		name := append([]byte(v.Name), 0)
		s.pins.Pin(&name[0])
		s.values, s.names = append(s.values, *value), append(s.names, uintptr(unsafe.Pointer(&name[0])))
	}
	return floats, wholes, nil
}

// Inputs returns what goes in.
func (s *Session) Inputs() []Value { return s.inputs }

// Outputs returns what comes out.
func (s *Session) Outputs() []Value { return s.outputs }

// Run computes the outputs for a batch of examples, one after the other in every
// input and output. The outputs are good until the next call.
func (s *Session) Run(inputs [][]float32) ([][]float32, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.session == 0 {
		return nil, errors.New("ONNX Runtime: the session is closed")
	}
	if len(inputs) != len(s.inputs) {
		return nil, fmt.Errorf("ONNX Runtime: found %d inputs, want %d", len(inputs), len(s.inputs))
	}
	for i, v := range s.inputs {
		if len(inputs[i]) != len(s.in[i]) {
			return nil, fmt.Errorf("ONNX Runtime: input %q: found %d numbers, want %d (%v)", v.Name, len(inputs[i]), len(s.in[i]), v.Dims)
		}
		if !v.Whole {
			copy(s.in[i], inputs[i])
		} else if err := whole(s.wholeIn[i], inputs[i]); err != nil {
			return nil, fmt.Errorf("ONNX Runtime: input %q: %w", v.Name, err)
		}
	}
	n := len(s.inputs)
	var inNames, inValues *uintptr // a network may have no inputs
	if n > 0 {
		inNames, inValues = &s.names[0], &s.values[0]
	}
	err := s.rt.do(run, s.session, 0, uintptr(unsafe.Pointer(inNames)), uintptr(unsafe.Pointer(inValues)), uintptr(n), uintptr(unsafe.Pointer(&s.names[n])), uintptr(len(s.outputs)), uintptr(unsafe.Pointer(&s.values[n])))
	runtime.KeepAlive(s)
	if err != nil {
		return nil, fmt.Errorf("ONNX Runtime: %w", err)
	}
	for i, w := range s.wholeOut {
		for k, x := range w {
			s.out[i][k] = float32(x)
		}
	}
	return s.out, nil
}

// Close frees the session. It may be called again.
func (s *Session) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.values {
		s.rt.release(releaseValue, v)
	}
	s.rt.release(releaseSession, s.session)
	s.session, s.values, s.names = 0, nil, nil
	s.pins.Unpin()
	return nil
}
