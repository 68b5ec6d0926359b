package nets

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/space"
)

// TransformerSpace is a space of [Transformer]: the features of tokens, the number of
// layers, and of each layer the kind of attention, the heads and the hidden features.
// The zero value encodes images of 32×32 pixels in squares of 4. [AutoFormerTiny],
// [InstaTuneBERT], [InstaTuneViT] and [AutoDistilTiny] are published spaces.
//
// Networks share weights as [Elastic] says. A head has the same features in all of
// them, so a layer of fewer heads has the first heads of one of more, whole. The kind of
// attention has no weights of its own.
type TransformerSpace struct {
	Dims      []int     `yaml:"dims" default:"[64, 96, 128]" min:"1" max:"65536" doc:"features of a token"`
	Depth     []int     `yaml:"depth" default:"[2, 4]" min:"1" max:"128" doc:"least and most layers"`
	Attention []string  `yaml:"attention" default:"[softmax, linear_elu]" doc:"kinds of attention of a layer: softmax, linear_elu, linear_relu, cosformer_elu, cosformer_relu, none"`
	Heads     []int     `yaml:"heads" default:"[2, 4, 8]" min:"1" max:"1024" doc:"heads of a layer"`
	HeadDim   int       `yaml:"head_dim" default:"16" min:"1" max:"4096" doc:"features of a head"` // 0 means 16
	Ratios    []float64 `yaml:"ratios" default:"[1, 2, 4]" min:"0" max:"64" doc:"hidden features of a layer for each of a token; 0: no mixing of features"`
	Hidden    []int     `yaml:"hidden" min:"0" max:"65536" doc:"hidden features of a layer, instead of ratios"`
	// Same says that the layers of a network are alike.
	Same       bool    `yaml:"same" default:"false" doc:"all layers of a network are alike"`
	Patch      int     `yaml:"patch" default:"4" min:"1" max:"256" doc:"side of the squares into which an image is cut"` // 0 means 4
	ClassToken bool    `yaml:"class_token" default:"false" doc:"classify by a token of its own instead of by the mean of all"`
	PerToken   bool    `yaml:"per_token" default:"false" doc:"classify every token"`
	Causal     bool    `yaml:"causal" default:"false" doc:"a token sees only those before it"`
	Dropout    float64 `yaml:"dropout" default:"0" min:"0" max:"<1" doc:"of the embedding and after attention and mixing"`
	DropPath   float64 `yaml:"drop_path" default:"0" min:"0" max:"<1" doc:"of the last layer, linear from 0 at the first"`

	Image      neural.Shape `yaml:"-"` // if there is no vocabulary; 0 means 3×32×32
	Vocabulary int          `yaml:"-"` // of text
	Length     int          `yaml:"-"` // tokens of a text; 0 means 64
	Classes    int          `yaml:"-"` // 0 means 10, or the vocabulary if every token is classified
}

// AutoFormerTiny is the smallest space of AutoFormer (Chen et al. 2021, table 2;
// released as supernet-T), without relative positions: vision transformers of 12 to 14
// layers with heads of 64 features.
func AutoFormerTiny() TransformerSpace {
	return TransformerSpace{
		Dims: []int{192, 216, 240}, Depth: []int{12, 14}, Attention: []string{"softmax"}, Heads: []int{3, 4}, HeadDim: 64,
		Ratios: []float64{3.5, 4}, Patch: 16, ClassToken: true, Image: neural.Shape{3, 224, 224}, Classes: 1000,
	}
}

// InstaTuneBERT is the space of InstaTune for BERT-base (Sridhar et al. 2023): 6 to 12
// layers, 6 to 12 heads of 64 features, 1,024 to 3,072 hidden ones, over texts of 128
// tokens. Its networks normalise before attention and mixing, not after as BERT does.
func InstaTuneBERT() TransformerSpace {
	return TransformerSpace{
		Dims: []int{768}, Depth: []int{6, 12}, Attention: []string{"softmax"}, Heads: []int{6, 8, 10, 12}, HeadDim: 64,
		Hidden: []int{1024, 2048, 3072}, ClassToken: true, Vocabulary: 30522, Length: 128, Classes: 2,
	}
}

// InstaTuneViT is the space of InstaTune for ViT-B/16: 10 to 12 layers with the heads and
// hidden features of [InstaTuneBERT].
func InstaTuneViT() TransformerSpace {
	s := InstaTuneBERT()
	s.Depth, s.Vocabulary, s.Length, s.Patch, s.Image, s.Classes = []int{10, 12}, 0, 0, 16, neural.Shape{3, 224, 224}, 1000
	return s
}

// AutoDistilTiny is the smallest sub-space of AutoDistil (Xu et al. 2022) for students of
// BERT whose layers are alike: 4 to 7 layers, 128 to 224 features, ratios of 2 to 3.5 and
// 7 to 10 heads, 256 networks. A head has 32 features, which is our choice.
func AutoDistilTiny() TransformerSpace {
	return TransformerSpace{
		Dims: []int{128, 160, 192, 224}, Depth: []int{4, 7}, Attention: []string{"softmax"}, Heads: []int{7, 8, 9, 10}, HeadDim: 32,
		Ratios: []float64{2, 2.5, 3, 3.5}, Same: true, ClassToken: true, Vocabulary: 30522, Length: 128, Classes: 2,
	}
}

// attentionWords are the kinds of attention of a layer, from 0 on by
// [neural.AttentionKind], and then none.
var attentionWords = func() (words []string) {
	for k := range neural.CosformerReLU + 1 {
		words = append(words, k.String())
	}
	return append(words, "none")
}()

func (l TransformerLayer) attention() string {
	if l.NoAttention {
		return last(attentionWords)
	}
	return l.Attention.String()
}

// New makes the family.
func (s TransformerSpace) New() (*ElasticNetworks[Transformer], error) {
	const name = "transformer"
	fixed, err := s.fill()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	sp, err := space.New(s.nodes()...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	n := &Networks[Transformer]{
		name: name, space: sp, write: s.write, label: Transformer.label,
		read: func(f fields) Transformer {
			x := fixed
			x.Dim = f.whole("dim", s.Dims[0])
			for _, l := range s.layers(f) {
				x.Layers = append(x.Layers, s.read(l, x.Dim))
			}
			return x
		},
	}
	// The ends have one kind of attention, which depends on the number of tokens.
	end := func(most bool) (best Transformer, err error) {
		for i, kind := range s.Attention {
			f := fields{"attention": kind, "heads": float64(pick(s.Heads, most)), "ratio": pick(s.Ratios, most)}
			if len(s.Hidden) > 0 {
				f["hidden"] = float64(pick(s.Hidden, most))
			}
			x := fixed
			x.Dim = pick(s.Dims, most)
			for range pick(s.Depth, most) {
				x.Layers = append(x.Layers, s.read(f, x.Dim))
			}
			if i == 0 {
				best = x
				continue
			}
			a, b := x, best
			if !most {
				a, b = b, a
			}
			more, err := larger(a, b)
			if err != nil {
				return best, fmt.Errorf("%s: %w", name, err)
			}
			if more {
				best = x
			}
		}
		return best, nil
	}
	largest, err := end(true)
	if err != nil {
		return nil, err
	}
	smallest, err := end(false)
	if err != nil {
		return nil, err
	}
	return n.elastic(largest, smallest)
}

// fill checks the space and leaves no options to defaults. It returns what all networks
// have.
func (s *TransformerSpace) fill() (Transformer, error) {
	if len(s.Ratios) > 0 && len(s.Hidden) > 0 {
		return Transformer{}, fmt.Errorf("found ratios and hidden, want one of them")
	}
	s.Dims, s.Depth, s.Heads, s.Ratios = orOptions(s.Dims, 64, 96, 128), orOptions(s.Depth, 2, 4), orOptions(s.Heads, 2, 4, 8), orOptions(s.Ratios, 1, 2, 4)
	s.Attention = orOptions(s.Attention, attentionWords[:2]...)
	s.HeadDim, s.Patch = or(s.HeadDim, 16), or(s.Patch, 4)
	for _, err := range []error{
		ascending("dims", s.Dims, 1, 1<<16), span("depth", s.Depth, 1, 128), known("attention", s.Attention, attentionWords), ascending("heads", s.Heads, 1, 1024),
		between("head_dim", s.HeadDim, 1, 4096), ascending("ratios", s.Ratios, 0, 64), ascending("hidden", s.Hidden, 0, 1<<16),
		between("patch", s.Patch, 1, 256), rate("dropout", s.Dropout), rate("drop_path", s.DropPath),
	} {
		if err != nil {
			return Transformer{}, err
		}
	}
	for _, d := range s.Dims {
		for i := range s.Ratios[1:] {
			if h := hidden(s.Ratios[i], d); h == hidden(s.Ratios[i+1], d) {
				return Transformer{}, fmt.Errorf("ratios: found %v and %v, which both make %d hidden features of %d", s.Ratios[i], s.Ratios[i+1], h, d)
			}
		}
	}
	x := Transformer{Classes: or(s.Classes, 10), ClassToken: s.ClassToken, PerToken: s.PerToken, Causal: s.Causal, Dropout: s.Dropout, DropPath: s.DropPath}
	switch {
	case s.Vocabulary == 0:
		x.Image, x.Patch = image(s.Image), s.Patch
	case s.Image != (neural.Shape{}):
		return x, fmt.Errorf("found an image and a vocabulary, want one of them")
	default:
		if x.Vocabulary, x.Length = s.Vocabulary, or(s.Length, 64); s.PerToken {
			x.Classes = or(s.Classes, s.Vocabulary)
		}
	}
	return x, nil
}

// hidden returns the hidden features of a layer, a whole number.
func hidden(ratio float64, dim int) int { return int(math.Round(ratio * float64(dim))) }

// nodes declares the space.
func (s TransformerSpace) nodes() []space.Node {
	nodes, layer := level("dim", "features of a token", s.Dims), s.layer()
	if s.apart() {
		return append(nodes, space.Repeat("layers", s.Depth[0], s.Depth[1], layer...))
	}
	if s.Depth[0] < s.Depth[1] {
		nodes = append(nodes, space.Int("depth", s.Depth[0], s.Depth[1]).Doc("layers"))
	}
	return append(nodes, group("layer", layer)...)
}

// layer declares the choices of a layer.
func (s TransformerSpace) layer() []space.Node {
	nodes := kind("attention", "", s.Attention)
	for _, n := range level("heads", "", s.Heads) {
		if slices.Contains(s.Attention, "none") {
			if len(s.Attention) == 1 {
				continue
			}
			n = n.When("attention != none")
		}
		nodes = append(nodes, n)
	}
	if len(s.Hidden) > 0 {
		return append(nodes, level("hidden", "hidden features", s.Hidden)...)
	}
	return append(nodes, level("ratio", "hidden features for each of a token", s.Ratios)...)
}

// apart reports whether every layer has choices of its own.
func (s TransformerSpace) apart() bool { return !s.Same && len(s.layer()) > 0 }

// layers returns the values of the layers of a design.
func (s TransformerSpace) layers(f fields) []fields {
	if list := f.parts("layers"); len(list) > 0 {
		return list
	}
	list := make([]fields, f.whole("depth", s.Depth[0]))
	for i := range list {
		list[i] = f.part("layer")
	}
	return list
}

// read returns the choices of a layer.
func (s TransformerSpace) read(f fields, dim int) TransformerLayer {
	l := TransformerLayer{Heads: f.whole("heads", s.Heads[0]), HeadDim: s.HeadDim}
	if a := slices.Index(attentionWords, f.word("attention", s.Attention[0])); attentionWords[a] == "none" {
		l = TransformerLayer{NoAttention: true}
	} else {
		l.Attention = neural.AttentionKind(a)
	}
	if len(s.Hidden) > 0 {
		l.Hidden = f.whole("hidden", s.Hidden[0])
	} else {
		l.Hidden = hidden(f.number("ratio", s.Ratios[0]), dim)
	}
	return l
}

// write undoes reading.
func (s TransformerSpace) write(x Transformer) (fields, Transformer, error) {
	if d := len(x.Layers); d < s.Depth[0] || d > s.Depth[1] {
		return nil, x, fmt.Errorf("found %d layers, want %d to %d", d, s.Depth[0], s.Depth[1])
	}
	if x.Image != (neural.Shape{}) {
		x.Patch, x.Vocabulary, x.Length = or(x.Patch, 16), 0, 0
	}
	f, layers := fields{}, []any{}
	f.set("dim", x.Dim, len(s.Dims))
	x.Layers = slices.Clone(x.Layers)
	for i, l := range x.Layers {
		part, full, err := s.writeLayer(l, x.Dim)
		if err != nil {
			return nil, x, fmt.Errorf("layer %d: %w", i+1, err)
		}
		x.Layers[i] = full
		layers = append(layers, map[string]any(part))
	}
	if s.apart() {
		f["layers"] = layers
		return f, x, nil
	}
	f.set("depth", len(layers), s.Depth[1]-s.Depth[0]+1)
	f.setPart("layer", layers[0].(map[string]any))
	return f, x, nil
}

func (s TransformerSpace) writeLayer(l TransformerLayer, dim int) (fields, TransformerLayer, error) {
	f := fields{}
	f.set("attention", l.attention(), len(s.Attention))
	if l.NoAttention {
		l = TransformerLayer{NoAttention: true, Hidden: l.Hidden}
	} else {
		if l.HeadDim == 0 && l.Heads > 0 && dim%l.Heads == 0 {
			l.HeadDim = dim / l.Heads
		}
		f.set("heads", l.Heads, len(s.Heads))
	}
	if len(s.Hidden) > 0 {
		f.set("hidden", l.Hidden, len(s.Hidden))
		return f, l, nil
	}
	for _, r := range s.Ratios {
		if hidden(r, dim) == l.Hidden {
			f.set("ratio", r, len(s.Ratios))
			return f, l, nil
		}
	}
	return nil, l, fmt.Errorf("found %d hidden features of %d, want one of the ratios %v", l.Hidden, dim, s.Ratios)
}

// label writes each layer as its attention, heads and hidden features: «dim 64 |
// softmax 4 h128 | linear_elu 2 h64»; layers that follow each other and are alike are counted.
func (n Transformer) label() string {
	var b strings.Builder
	fmt.Fprintf(&b, "dim %d", n.Dim)
	for i := 0; i < len(n.Layers); {
		l, k := n.Layers[i], 1
		for i+k < len(n.Layers) && n.Layers[i+k] == l {
			k++
		}
		i += k
		b.WriteString(" |")
		if k > 1 {
			fmt.Fprintf(&b, " %d×", k)
		}
		if !l.NoAttention {
			fmt.Fprintf(&b, " %s %d", l.Attention, l.Heads)
		}
		fmt.Fprintf(&b, " h%d", l.Hidden)
	}
	return b.String()
}
