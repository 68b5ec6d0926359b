package nets

import (
	"fmt"

	"github.com/daedalus-search/daedalus/neural"
)

// Transformer is an encoder of images or text whose every layer is free: heads,
// hidden width, and whether its attention is softmax or linear (Dosovitskiy et al.
// 2021, Liu et al. 2022). Normalisation comes before attention and mixing, and once
// more at the end.
type Transformer struct {
	Image      neural.Shape // if not 0, an image, in squares of Patch pixels
	Patch      int          // 0 means 16
	Vocabulary int          // otherwise text of Length tokens below it
	Length     int

	Dim     int // of tokens
	Layers  []TransformerLayer
	Classes int
	// ClassToken classifies by a token of its own, the first, instead of by the mean
	// of all.
	ClassToken bool
	// PerToken classifies every token, as language models do.
	PerToken bool
	Causal   bool    // a token sees only those before it
	Dropout  float64 // of the embedding and after attention and mixing
	DropPath float64 // of the last layer, linear from 0 at the first
}

// A TransformerLayer is attention and a mixing of features.
type TransformerLayer struct {
	Heads     int
	HeadDim   int // features of each head; 0 means Dim/Heads
	Hidden    int // features between the two linear operators; 0: none
	Attention neural.AttentionKind
	// NoAttention leaves attention out.
	NoAttention bool
}

// Graph builds the network.
func (n Transformer) Graph() (*neural.Graph, error) {
	b := begin("transformer")
	var x neural.Value
	if n.Image != (neural.Shape{}) {
		x = b.Named("image", neural.Input{Shape: n.Image})
	} else {
		x = b.Named("text", neural.Input{Shape: neural.Shape{n.Length}, Below: n.Vocabulary})
	}
	b.Block("embed", "", func() {
		if n.Image != (neural.Shape{}) {
			patch := or(n.Patch, 16)
			x = b.Named("patches", neural.Conv{Out: n.Dim, Kernel: patch, Stride: patch, Pad: neural.Valid, Bias: true}, x)
			x = b.Named("tokens", neural.ToTokens{}, x)
		} else {
			x = b.Named("words", neural.Embedding{Size: n.Vocabulary, Out: n.Dim}, x)
		}
		if n.ClassToken {
			x = b.Named("class", neural.ClassToken{}, x)
		}
		x = b.Named("position", neural.Position{}, x)
		x = n.dropout(b, "dropout", x)
	})
	for i, l := range n.Layers {
		drop := 0.0
		if len(n.Layers) > 1 {
			drop = n.DropPath * float64(i) / float64(len(n.Layers)-1)
		}
		b.Block(fmt.Sprintf("layer%d", i+1), l.label(), func() { x = n.layer(b, l, drop, x) })
	}
	x = b.block("head", "", x, func(x neural.Value) neural.Value {
		x = b.Named("norm", neural.LayerNorm{}, x)
		switch {
		case n.PerToken:
		case n.ClassToken:
			x = b.Named("class", neural.Slice{Axis: neural.Tokens, To: 1}, x)
			x = b.Named("flatten", neural.Flatten{}, x)
		default:
			x = b.Named("pool", neural.GlobalPool{}, x)
		}
		return b.Named("classifier", neural.Linear{Out: n.Classes, Bias: true}, x)
	})
	return b.Build(x)
}

func (n Transformer) dropout(b parts, name string, x neural.Value) neural.Value {
	if n.Dropout == 0 {
		return x
	}
	return b.Named(name, neural.Dropout{Rate: n.Dropout}, x)
}

func (l TransformerLayer) label() string {
	s := "attention"
	switch {
	case l.NoAttention:
		return fmt.Sprintf("mixing, %d hidden", l.Hidden)
	case l.Attention.Reweights():
		s = "cosFormer attention"
	case l.Attention.Linear():
		s = "linear attention"
	}
	return fmt.Sprintf("%s, %d heads, %d hidden", s, l.Heads, l.Hidden)
}

func (n Transformer) layer(b parts, l TransformerLayer, drop float64, x neural.Value) neural.Value {
	residual := func(name string, y neural.Value) {
		y = n.dropout(b, name+"_dropout", y)
		if drop > 0 {
			y = b.Named(name+"_droppath", neural.DropPath{Rate: drop}, y)
		}
		x = b.Named(name+"_sum", neural.Add{}, x, y)
	}
	if !l.NoAttention {
		d := l.HeadDim
		if d == 0 && l.Heads > 0 {
			if n.Dim%l.Heads != 0 {
				b.Errorf("found %d features for %d heads, want a multiple, or the features of each head", n.Dim, l.Heads)
			}
			d = n.Dim / l.Heads
		}
		y := b.Named("norm1", neural.LayerNorm{}, x)
		var qkv [3]neural.Value
		for k, name := range []string{"queries", "keys", "values"} {
			qkv[k] = b.Named(name, neural.Linear{Out: l.Heads * d, Bias: true}, y)
		}
		y = b.Named("attention", neural.Attention{Heads: l.Heads, Type: l.Attention, Causal: n.Causal}, qkv[0], qkv[1], qkv[2])
		residual("attended", b.Named("join", neural.Linear{Out: n.Dim, Bias: true}, y))
	}
	if l.Hidden > 0 {
		y := b.Named("norm2", neural.LayerNorm{}, x)
		y = b.Named("up", neural.Linear{Out: l.Hidden, Bias: true}, y)
		y = b.act("", neural.GELU, y)
		residual("mixed", b.Named("down", neural.Linear{Out: n.Dim, Bias: true}, y))
	}
	return x
}
