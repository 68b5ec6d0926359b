package engine_test

import (
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/nets"
	"github.com/daedalus-search/daedalus/neural/train/engine"
)

// A step of training needs memory for all products of queries and keys with softmax, so
// four times as much for twice the tokens, and twice as much with linear attention, which
// sees only tokens before each one's own here.
func TestAttentionMemory(t *testing.T) {
	peak := func(kind neural.AttentionKind, tokens int) float64 {
		g := build(t, nets.Transformer{
			Vocabulary: 5, Length: tokens, Dim: 8, Classes: 5, PerToken: true, Causal: true,
			Layers: []nets.TransformerLayer{{Heads: 4, Attention: kind}},
		})
		d := open(t, engine.Config{Threads: 1})
		r := rng.New(1, "memory", 0)
		p := params(t, d, g, g.Initial(r))
		b := &engine.Batch{N: 1, Inputs: [][]float32{make([]float32, tokens)}, Classes: make([]int32, tokens)}
		gradientOf(t, p, g, b, engine.Loss{}, engine.Noise{})
		_, most := d.Memory()
		return float64(most)
	}
	for kind, growth := range map[neural.AttentionKind][2]float64{
		neural.SoftmaxAttention: {3, 4.5}, neural.LinearELU: {1.5, 2.5}, neural.CosformerReLU: {1.5, 2.5},
	} {
		if got := peak(kind, 1024) / peak(kind, 512); got < growth[0] || got > growth[1] {
			t.Errorf("%v: twice the tokens need %.2f times the memory, want %g to %g times", kind, got, growth[0], growth[1])
		}
	}
}
