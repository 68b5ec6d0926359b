package serving

import (
	_ "embed"
	"fmt"
	"strings"
	"sync"

	"github.com/daedalus-search/daedalus/internal/source"
)

// A Model is the shape of a decoder-only language model, as far as it decides
// about time and memory. Of the fields without a default, all must be set.
type Model struct {
	Name    string   `yaml:"name" doc:"for reports"`
	Aliases []string `yaml:"aliases" doc:"other names it can be looked up by"`
	Source  string   `yaml:"source" doc:"where the numbers are from"`

	Hidden  int `yaml:"hidden,required" min:"1" max:"10000000" doc:"width of the residual stream"`
	Layers  int `yaml:"layers,required" min:"1" max:"100000" doc:"decoder layers"`
	Heads   int `yaml:"heads,required" min:"1" max:"1000000" doc:"query heads"`
	KVHeads int `yaml:"kv_heads" min:"0" max:"1000000" doc:"key and value heads; 0 means as many as heads"`
	HeadDim int `yaml:"head_dim" min:"0" max:"1000000" doc:"width of a head; 0 means hidden/heads"`
	FFN     int `yaml:"ffn" min:"0" max:"100000000" doc:"width inside the feed-forward network"`
	Gates   int `yaml:"gates" default:"2" min:"0" max:"8" doc:"matrices of the up projection: 2 if it is gated (SwiGLU), else 1"`
	Vocab   int `yaml:"vocab,required" min:"1" max:"100000000" doc:"size of the vocabulary"`
	Context int `yaml:"context" min:"0" max:"1000000000" doc:"longest context in tokens; 0 means unknown"`

	Experts   int `yaml:"experts" min:"0" max:"100000" doc:"experts of a layer; 0 or 1 means a dense model"`
	TopK      int `yaml:"top_k" min:"0" max:"100000" doc:"experts that a token goes to"`
	ExpertFFN int `yaml:"expert_ffn" min:"0" max:"100000000" doc:"width inside an expert; 0 means ffn"`
	SharedFFN int `yaml:"shared_ffn" min:"0" max:"100000000" doc:"width of the network that every token goes through beside its experts; 0 means none"`

	// A state-space model in place of attention, if MambaState is above 0.
	MambaState  int `yaml:"mamba_state" min:"0" max:"1000000" doc:"state size of Mamba layers, which then replace attention"`
	MambaConv   int `yaml:"mamba_conv" min:"0" max:"1000000" doc:"width of their convolution"`
	MambaExpand int `yaml:"mamba_expand" min:"0" max:"1000" doc:"their inner width over hidden"`
	MambaRank   int `yaml:"mamba_rank" min:"0" max:"10000000" doc:"rank of their step projection"`
}

// A FieldError is a value that a field cannot have.
type FieldError struct {
	Field, Found, Want string
}

func (e *FieldError) Error() string {
	return fmt.Sprintf("serving: %s: found %s, want %s", e.Field, e.Found, e.Want)
}

// most is the largest size of anything counted in a model or a load. Products
// of a few of them are computed in floating point, so nothing overflows.
const most = 1 << 30

func whole(field string, n, lo, hi int) error {
	if n < lo || n > hi {
		return &FieldError{field, fmt.Sprint(n), fmt.Sprintf("%d to %d", lo, hi)}
	}
	return nil
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// withDefaults fills the fields whose zero value stands for something.
func (m Model) withDefaults() Model {
	if m.KVHeads == 0 {
		m.KVHeads = m.Heads
	}
	if m.HeadDim == 0 && m.Heads > 0 {
		m.HeadDim = m.Hidden / m.Heads
	}
	if m.Experts == 0 {
		m.Experts = 1
	}
	if m.ExpertFFN == 0 {
		m.ExpertFFN = m.FFN
	}
	return m
}

// Check says which field cannot be, as a [*FieldError].
func (m Model) Check() error {
	d := m.withDefaults()
	if err := firstOf(
		whole("hidden", d.Hidden, 1, 1e7), whole("layers", d.Layers, 1, 1e5), whole("heads", d.Heads, 1, 1e6),
		whole("kv_heads", d.KVHeads, 1, d.Heads), whole("head_dim", d.HeadDim, 1, 1e6),
		whole("ffn", d.FFN, 0, 1e8), whole("gates", d.Gates, 0, 8), whole("vocab", d.Vocab, 1, 1e8), whole("context", d.Context, 0, 1e9),
		whole("experts", d.Experts, 1, 1e5), whole("expert_ffn", d.ExpertFFN, 0, 1e8), whole("shared_ffn", d.SharedFFN, 0, 1e8),
		whole("mamba_state", d.MambaState, 0, 1e6), whole("mamba_conv", d.MambaConv, 0, 1e6),
		whole("mamba_expand", d.MambaExpand, 0, 1000), whole("mamba_rank", d.MambaRank, 0, 1e7),
	); err != nil {
		return err
	}
	if d.Heads%d.KVHeads != 0 {
		return &FieldError{"kv_heads", fmt.Sprint(d.KVHeads), fmt.Sprintf("a divisor of the %d heads", d.Heads)}
	}
	if d.Experts > 1 {
		if err := whole("top_k", d.TopK, 1, d.Experts); err != nil {
			return err
		}
	}
	if d.MambaState > 0 {
		return firstOf(whole("mamba_conv", d.MambaConv, 1, 1e6), whole("mamba_expand", d.MambaExpand, 1, 1000), whole("mamba_rank", d.MambaRank, 1, 1e7))
	}
	return nil
}

// Params returns the number of weights, counted as the reference counts them:
// input and output embedding separately, no norms and biases.
func (m Model) Params() (float64, error) {
	d := Deployment{Model: m, Platform: Platform{Name: "any", TFLOPS: 1, MemoryGB: 1e12, MemoryGBs: 1}, Precision: Uniform(INT8)}
	e, err := New(d)
	if err != nil {
		return 0, err
	}
	r, err := e.Prefill(1, 1)
	return r.WeightsGB * gib, err
}

// ReadModel reads one model from YAML or JSON, or the config.json that Hugging
// Face keeps beside a model; file is its name in errors, which say the line, what
// was found and what was expected.
func ReadModel(file string, text []byte) (Model, error) {
	root, report := source.Parse(file, text)
	if !report.Failed() && (root.Has("model_type") || root.Has("hidden_size")) {
		return readHub(root, report)
	}
	var m Model
	if report.Failed() || !source.Decode(report, root, &m) {
		return Model{}, report.Err()
	}
	if err := located(report, root, m.Check()); err != nil {
		return Model{}, err
	}
	return m, nil
}

// located puts a [*FieldError] at its place in a file.
func located(r *source.Report, root *source.Value, err error) error {
	if err == nil {
		return nil
	}
	f, ok := err.(*FieldError)
	if !ok {
		return err
	}
	at := root
	for name := range strings.SplitSeq(f.Field, ".") {
		if v := at.Get(name); v != nil {
			at = v
		}
	}
	r.Errorf(at, "%s: found %s, want %s", f.Field, f.Found, f.Want)
	return r.Err()
}

//go:embed models.jsonl
var modelLines string

var models = sync.OnceValue(func() []Model {
	var out []Model
	for i, line := range strings.Split(strings.TrimSpace(modelLines), "\n") {
		m, err := ReadModel(fmt.Sprintf("models.jsonl:%d", i+1), []byte(line))
		if err != nil {
			panic("serving: " + err.Error()) // embedded, and read by the tests
		}
		out = append(out, m)
	}
	return out
})

// Models returns the 79 models of the reference that it can evaluate, with the
// numbers it has for them.
func Models() []Model { return append([]Model(nil), models()...) }

// FindModel returns a model of the table by its name, a part of it after the
// last slash, or an alias, in any case.
func FindModel(name string) (Model, error) {
	var known []string
	for _, m := range models() {
		for _, n := range append([]string{m.Name}, m.Aliases...) {
			if strings.EqualFold(n, name) {
				return m, nil
			}
			known = append(known, n)
		}
	}
	if near, ok := source.Nearest(name, known); ok {
		return Model{}, fmt.Errorf("serving: model: found %q, which is not in the table; did you mean %q?", name, near)
	}
	return Model{}, fmt.Errorf("serving: model: found %q, want one of the %d of serving.Models, such as %s, or a file of your own", name, len(models()), known[0])
}
