package onnx

import (
	"encoding/binary"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// The messages of onnx.proto (github.com/onnx/onnx) that a network needs, with
// their field numbers.

type message []byte

func (m message) text(field protowire.Number, s string) message {
	return protowire.AppendString(protowire.AppendTag(m, field, protowire.BytesType), s)
}

func (m message) bytes(field protowire.Number, b []byte) message {
	return protowire.AppendBytes(protowire.AppendTag(m, field, protowire.BytesType), b)
}

func (m message) int(field protowire.Number, n int64) message {
	return protowire.AppendVarint(protowire.AppendTag(m, field, protowire.VarintType), uint64(n))
}

func (m message) float(field protowire.Number, x float32) message {
	return protowire.AppendFixed32(protowire.AppendTag(m, field, protowire.Fixed32Type), math.Float32bits(x))
}

// Element types of TensorProto.
const (
	float32Type = 1
	int64Type   = 7
)

// tensor is a TensorProto.
func tensor(name string, elements int64, dims []int, raw []byte) message {
	var m message
	for _, d := range dims {
		m = m.int(1, int64(d))
	}
	return m.int(2, elements).text(8, name).bytes(9, raw)
}

func floatBytes(v []float32) []byte {
	b := make([]byte, 0, 4*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

func intBytes(v []int) []byte {
	b := make([]byte, 0, 8*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint64(b, uint64(int64(x)))
	}
	return b
}

// value is a ValueInfoProto of a tensor with a batch axis of any size.
func value(name string, elements int64, sizes []int) message {
	shape := message{}.bytes(1, message{}.text(2, "batch"))
	for _, d := range sizes {
		shape = shape.bytes(1, message{}.int(1, int64(d)))
	}
	return message{}.text(1, name).bytes(2, message{}.bytes(1, message{}.int(1, elements).bytes(2, shape)))
}

// An attribute is an AttributeProto.
type attribute message

func ints(name string, v ...int) attribute {
	m := message{}.text(1, name)
	for _, x := range v {
		m = m.int(8, int64(x))
	}
	return attribute(m.int(20, 7))
}

func integer(name string, x int) attribute {
	return attribute(message{}.text(1, name).int(3, int64(x)).int(20, 2))
}

func float(name string, x float32) attribute {
	return attribute(message{}.text(1, name).float(2, x).int(20, 1))
}

func text(name, s string) attribute {
	return attribute(message{}.text(1, name).text(4, s).int(20, 3))
}
