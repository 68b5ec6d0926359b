package onnx_test

import (
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/internal/randnet"
	"github.com/daedalus-search/daedalus/neural/onnx"
)

// fields calls f with the fields of a message that are messages, texts or bytes.
func fields(t *testing.T, m []byte, f func(field protowire.Number, content []byte)) {
	t.Helper()
	for len(m) > 0 {
		field, kind, n := protowire.ConsumeTag(m)
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		m = m[n:]
		if kind == protowire.BytesType {
			content, _ := protowire.ConsumeBytes(m)
			f(field, content)
		}
		if n = protowire.ConsumeFieldValue(field, kind, m); n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		m = m[n:]
	}
}

// Every value is there before it is read, and has one origin; every weight is read.
func TestValuesAreThere(t *testing.T) {
	for i := range 200 {
		r := rng.New(8, "onnx", uint64(i))
		g, err := randnet.New(r, 5+r.IntN(40))
		if err != nil {
			t.Fatal(err)
		}
		file, err := onnx.Marshal(g, randnet.Weights(r, g), onnx.Options{FoldBatchNorm: i%2 == 0})
		if err != nil {
			t.Fatal(err)
		}
		origin := map[string]string{"": "no operand"}
		read := map[string]bool{}
		outputs := 0
		define := func(name, what string) {
			if origin[name] != "" {
				t.Errorf("network %d: %q is %s and %s", i, name, origin[name], what)
			}
			origin[name] = what
		}
		fields(t, file, func(field protowire.Number, graph []byte) {
			if field != 7 {
				return
			}
			named := func(of protowire.Number, within protowire.Number, f func(name string)) {
				fields(t, graph, func(field protowire.Number, m []byte) {
					if field == of {
						fields(t, m, func(field protowire.Number, name []byte) {
							if field == within {
								f(string(name))
							}
						})
					}
				})
			}
			named(11, 1, func(name string) { define(name, "an input") })
			named(5, 8, func(name string) { define(name, "a weight") })
			fields(t, graph, func(field protowire.Number, node []byte) {
				if field != 1 {
					return
				}
				fields(t, node, func(field protowire.Number, content []byte) {
					switch name := string(content); field {
					case 1:
						if origin[name] == "" {
							t.Errorf("network %d: %q is read before it is there", i, name)
						}
						read[name] = true
					case 2:
						define(name, "a result")
					}
				})
			})
			named(12, 1, func(name string) {
				outputs++
				if origin[name] != "a result" {
					t.Errorf("network %d: the output %q is %q", i, name, origin[name])
				}
			})
		})
		for name, what := range origin {
			if what == "a weight" && !read[name] {
				t.Errorf("network %d: the weight %q is not read", i, name)
			}
		}
		if outputs != len(g.Outputs()) {
			t.Errorf("network %d: %d outputs, want %d", i, outputs, len(g.Outputs()))
		}
	}
	if _, err := onnx.Marshal(&neural.Graph{}, nil, onnx.Options{}); err != nil {
		t.Error(err)
	}
}
