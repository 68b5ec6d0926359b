package neural

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Epsilon is what normalisation adds to a variance, PyTorch's default.
const Epsilon = 1e-5

// Input is what a network is given. A network may have several.
type Input struct {
	Shape Shape `json:"shape"`
	// Below, if not 0, says that the numbers are whole, from 0 up to but not
	// including it: tokens of a vocabulary, categories.
	Below int `json:"below,omitempty"`
}

// Kind returns "input".
func (Input) Kind() string { return "input" }

func (Input) String() string { return "input" }

func (o Input) infer(in []Shape) (Shape, error) {
	if len(in) != 0 {
		return Shape{}, fmt.Errorf("found %d operands, want none", len(in))
	}
	if o.Below < 0 || o.Below > maxSize {
		return Shape{}, fmt.Errorf("below: found %d, want 0 to %d", o.Below, maxSize)
	}
	return o.Shape, o.Shape.check()
}

// Conv is a convolution over an image. Its weight is [Out, channels/Groups,
// Kernel, KernelWide].
type Conv struct {
	Out        int     `json:"out,omitempty"`         // channels of the result; 0 means those of the operand
	Kernel     int     `json:"kernel,omitempty"`      // 0 means 1
	KernelWide int     `json:"kernel_wide,omitempty"` // the kernel's width where it is not its height; 0 means Kernel
	Stride     int     `json:"stride,omitempty"`      // 0 means 1
	StrideWide int     `json:"stride_wide,omitempty"` // 0 means Stride
	Dilation   int     `json:"dilation,omitempty"`    // 0 means 1
	Groups     int     `json:"groups,omitempty"`      // 0 means 1; Depthwise: one for each channel
	Pad        Padding `json:"pad,omitempty"`
	Bias       bool    `json:"bias,omitempty"`
}

// Depthwise as the groups of a [Conv] means one for each channel.
const Depthwise = -1

// Full returns the convolution with nothing left to defaults.
func (o Conv) Full(channels int) Conv {
	o.Out, o.Kernel, o.Stride, o.Dilation, o.Groups = or(o.Out, channels), or(o.Kernel, 1), or(o.Stride, 1), or(o.Dilation, 1), or(o.Groups, 1)
	o.KernelWide, o.StrideWide = or(o.KernelWide, o.Kernel), or(o.StrideWide, o.Stride)
	if o.Groups == Depthwise {
		o.Groups = channels
	}
	return o
}

// Kind returns "conv".
func (Conv) Kind() string { return "conv" }

func (o Conv) String() string {
	s := "conv"
	if o.Groups == Depthwise {
		s = "dw conv"
	}
	s += windowText(or(o.Kernel, 1), or(o.KernelWide, or(o.Kernel, 1)), or(o.Stride, 1), or(o.StrideWide, or(o.Stride, 1)))
	if o.Groups > 1 {
		s += fmt.Sprintf(" groups %d", o.Groups)
	}
	if o.Dilation > 1 {
		s += fmt.Sprintf(" dil %d", o.Dilation)
	}
	return s
}

// windowText writes a window and what it moves by.
func windowText(kernel, wide, stride, strideWide int) string {
	s := fmt.Sprintf(" %d×%d", kernel, wide)
	switch {
	case stride != strideWide:
		s += fmt.Sprintf(" /%d×%d", stride, strideWide)
	case stride > 1:
		s += fmt.Sprintf(" /%d", stride)
	}
	return s
}

func (o Conv) infer(in []Shape) (Shape, error) {
	s, err := oneImage(in)
	if err != nil {
		return Shape{}, err
	}
	f := o.Full(s[0])
	if err := (sizes{{"out", f.Out}, {"kernel", f.Kernel}, {"kernel_wide", f.KernelWide}, {"stride", f.Stride}, {"stride_wide", f.StrideWide}, {"dilation", f.Dilation}, {"groups", f.Groups}}).check(); err != nil {
		return Shape{}, err
	}
	if s[0]%f.Groups != 0 || f.Out%f.Groups != 0 {
		return Shape{}, fmt.Errorf("groups: found %d for %d channels in and %d out, want a divisor of both", f.Groups, s[0], f.Out)
	}
	out := Shape{f.Out, window(s[1], f.Kernel, f.Stride, f.Dilation, f.Pad), window(s[2], f.KernelWide, f.StrideWide, f.Dilation, f.Pad)}
	if out[1] < 1 || out[2] < 1 {
		return Shape{}, fmt.Errorf("found an image of %d×%d, smaller than the kernel of %d×%d with dilation %d and padding %q", s[1], s[2], f.Kernel, f.KernelWide, f.Dilation, f.Pad)
	}
	return out, nil
}

func (o Conv) tensors(to []Tensor, in []Shape) []Tensor {
	f := o.Full(in[0][0])
	to = append(to, Tensor{Name: "weight", Shape: Shape{f.Out, in[0][0] / f.Groups, f.Kernel, f.KernelWide}})
	if f.Bias {
		to = append(to, Tensor{Name: "bias", Shape: Shape{f.Out}})
	}
	return to
}

func (o Conv) macs(in []Shape, out Shape) int64 {
	f := o.Full(in[0][0])
	return out.Elements() * int64(in[0][0]/f.Groups) * int64(f.Kernel) * int64(f.KernelWide)
}

// Linear mixes features at every place: x·Wᵀ, and a bias. Its weight is [Out,
// features].
type Linear struct {
	Out  int  `json:"out"`
	Bias bool `json:"bias,omitempty"`
}

// Kind returns "linear".
func (Linear) Kind() string { return "linear" }

func (o Linear) String() string { return fmt.Sprintf("linear %d", o.Out) }

func (o Linear) infer(in []Shape) (Shape, error) {
	s, err := one(in)
	if err != nil {
		return Shape{}, err
	}
	if s.Image() {
		return Shape{}, fmt.Errorf("found an operand of shape %s, want features or tokens×features; flatten or pool it, or use a convolution", s)
	}
	if err := (sizes{{"out", o.Out}}).check(); err != nil {
		return Shape{}, err
	}
	return s.withFeatures(o.Out), nil
}

func (o Linear) tensors(to []Tensor, in []Shape) []Tensor {
	to = append(to, Tensor{Name: "weight", Shape: Shape{o.Out, in[0].Features()}})
	if o.Bias {
		to = append(to, Tensor{Name: "bias", Shape: Shape{o.Out}})
	}
	return to
}

func (o Linear) macs(in []Shape, out Shape) int64 { return out.Elements() * int64(in[0].Features()) }

// BatchNorm normalises each feature by the mean and variance of the batch, and by
// running ones at inference (Ioffe and Szegedy 2015).
type BatchNorm struct {
	Plain bool `json:"plain,omitempty"` // without scale and shift
}

// Kind returns "batchnorm".
func (BatchNorm) Kind() string { return "batchnorm" }

func (BatchNorm) String() string { return "BN" }

func (BatchNorm) infer(in []Shape) (Shape, error) { return one(in) }

func (o BatchNorm) tensors(to []Tensor, in []Shape) []Tensor {
	c := Shape{in[0].Features()}
	if !o.Plain {
		to = append(to, Tensor{Name: "scale", Shape: c}, Tensor{Name: "shift", Shape: c})
	}
	return append(to, Tensor{Name: "mean", Shape: c, State: true}, Tensor{Name: "variance", Shape: c, State: true})
}

// LayerNorm normalises the features of each place, with scale and shift (Ba,
// Kiros and Hinton 2016).
type LayerNorm struct{}

// Kind returns "layernorm".
func (LayerNorm) Kind() string { return "layernorm" }

func (LayerNorm) String() string { return "LN" }

func (LayerNorm) infer(in []Shape) (Shape, error) { return one(in) }

func (LayerNorm) tensors(to []Tensor, in []Shape) []Tensor {
	c := Shape{in[0].Features()}
	return append(to, Tensor{Name: "scale", Shape: c}, Tensor{Name: "shift", Shape: c})
}

// A Func is an activation function.
type Func string

// Activation functions.
const (
	ReLU        Func = "relu"
	ReLU6       Func = "relu6"       // min(max(x, 0), 6)
	LeakyReLU   Func = "leakyrelu"   // x, below 0 a hundredth of it
	HardSigmoid Func = "hardsigmoid" // relu6(x+3)/6
	HardSwish   Func = "hardswish"   // x·hardsigmoid(x) (Howard et al. 2019)
	Sigmoid     Func = "sigmoid"     // 1/(1+exp(−x))
	SiLU        Func = "silu"        // x·sigmoid(x)
	GELU        Func = "gelu"        // x·Φ(x), not its approximation by tanh
	Tanh        Func = "tanh"
	Softplus    Func = "softplus" // log(1+exp(x))
	ELU         Func = "elu"      // x, below 0 exp(x)−1
)

// Funcs returns all activation functions.
func Funcs() []Func {
	return []Func{ReLU, ReLU6, LeakyReLU, HardSigmoid, HardSwish, Sigmoid, SiLU, GELU, Tanh, Softplus, ELU}
}

var funcLabels = map[Func]string{ReLU: "ReLU", ReLU6: "ReLU6", LeakyReLU: "leaky ReLU", HardSigmoid: "hard sigmoid", HardSwish: "hard swish", SiLU: "SiLU", GELU: "GELU", ELU: "ELU"}

// Activation applies a function to every number.
type Activation struct {
	Func Func `json:"func"`
}

// Kind returns "activation".
func (Activation) Kind() string { return "activation" }

func (o Activation) String() string {
	if s, ok := funcLabels[o.Func]; ok {
		return s
	}
	return string(o.Func)
}

func (o Activation) infer(in []Shape) (Shape, error) {
	switch o.Func { // the usual ones without allocation
	case ReLU, ReLU6, HardSwish, GELU:
		return one(in)
	}
	if !slices.Contains(Funcs(), o.Func) {
		return Shape{}, fmt.Errorf("func: found %q, want one of %v", o.Func, Funcs())
	}
	return one(in)
}

// Softmax makes the features of each place positive with sum 1.
type Softmax struct{}

// Kind returns "softmax".
func (Softmax) Kind() string { return "softmax" }

func (Softmax) String() string { return "softmax" }

func (Softmax) infer(in []Shape) (Shape, error) { return one(in) }

// MaxPool takes the largest number of a window over an image.
type MaxPool struct {
	Kernel int     `json:"kernel,omitempty"` // 0 means 2
	Stride int     `json:"stride,omitempty"` // 0 means 1
	Pad    Padding `json:"pad,omitempty"`
}

// AvgPool takes the mean of those numbers of a window that lie inside the image.
type AvgPool struct {
	Kernel int     `json:"kernel,omitempty"` // 0 means 2
	Stride int     `json:"stride,omitempty"` // 0 means 1
	Pad    Padding `json:"pad,omitempty"`
}

// Kind returns "maxpool".
func (MaxPool) Kind() string { return "maxpool" }

// Kind returns "avgpool".
func (AvgPool) Kind() string { return "avgpool" }

func (o MaxPool) String() string {
	k, s := o.Window()
	return "max pool" + windowText(k, k, s, s)
}

func (o AvgPool) String() string {
	k, s := o.Window()
	return "avg pool" + windowText(k, k, s, s)
}

// Window returns the kernel and the stride.
func (o MaxPool) Window() (kernel, stride int) { return or(o.Kernel, 2), or(o.Stride, 1) }

// Window returns the kernel and the stride.
func (o AvgPool) Window() (kernel, stride int) { return or(o.Kernel, 2), or(o.Stride, 1) }

func (o MaxPool) infer(in []Shape) (Shape, error) {
	k, s := o.Window()
	return pool(in, k, s, o.Pad)
}

func (o AvgPool) infer(in []Shape) (Shape, error) {
	k, s := o.Window()
	return pool(in, k, s, o.Pad)
}

func pool(in []Shape, kernel, stride int, pad Padding) (Shape, error) {
	s, err := oneImage(in)
	if err != nil {
		return Shape{}, err
	}
	if err := (sizes{{"kernel", kernel}, {"stride", stride}}).check(); err != nil {
		return Shape{}, err
	}
	out := Shape{s[0], window(s[1], kernel, stride, 1, pad), window(s[2], kernel, stride, 1, pad)}
	if out[1] < 1 || out[2] < 1 {
		return Shape{}, fmt.Errorf("found an image of %d×%d, smaller than the window of %d×%d with padding %q", s[1], s[2], kernel, kernel, pad)
	}
	return out, nil
}

// GlobalPool takes the mean over all places: an image or tokens become a vector
// of features.
type GlobalPool struct{}

// Kind returns "globalpool".
func (GlobalPool) Kind() string { return "globalpool" }

func (GlobalPool) String() string { return "global avg pool" }

func (GlobalPool) infer(in []Shape) (Shape, error) {
	s, err := one(in)
	if err == nil && s.Axes() < 2 {
		err = fmt.Errorf("found an operand of shape %s, want an image or tokens×features", s)
	}
	return Shape{s.Features()}, err
}

// Upsample repeats every pixel (nearest neighbour).
type Upsample struct {
	Factor int `json:"factor,omitempty"` // 0 means 2
}

// Kind returns "upsample".
func (Upsample) Kind() string { return "upsample" }

func (o Upsample) String() string { return fmt.Sprintf("upsample ×%d", or(o.Factor, 2)) }

func (o Upsample) infer(in []Shape) (Shape, error) {
	s, err := oneImage(in)
	if err != nil {
		return Shape{}, err
	}
	f := or(o.Factor, 2)
	if f < 1 || f > 1<<12 {
		return Shape{}, fmt.Errorf("factor: found %d, want 1 to %d", f, 1<<12)
	}
	return Shape{s[0], s[1] * f, s[2] * f}, nil
}

// Embedding looks up a vector for each whole number of a vector of them: n numbers
// become n tokens. Its weight is [Size, Out].
type Embedding struct {
	Size int `json:"size"` // the numbers are below it
	Out  int `json:"out"`
}

// Kind returns "embedding".
func (Embedding) Kind() string { return "embedding" }

func (o Embedding) String() string { return fmt.Sprintf("embed %d", o.Out) }

func (o Embedding) infer(in []Shape) (Shape, error) {
	s, err := one(in)
	if err != nil {
		return Shape{}, err
	}
	if s.Axes() != 1 {
		return Shape{}, fmt.Errorf("found an operand of shape %s, want a vector of whole numbers", s)
	}
	return Shape{s[0], o.Out}, sizes{{"size", o.Size}, {"out", o.Out}}.check()
}

func (o Embedding) tensors(to []Tensor, _ []Shape) []Tensor {
	return append(to, Tensor{Name: "weight", Shape: Shape{o.Size, o.Out}})
}

// Position adds a learned vector to each token, one for each place. Its weight is
// [tokens, features].
type Position struct{}

// Kind returns "position".
func (Position) Kind() string { return "position" }

func (Position) String() string { return "+ position" }

func (Position) infer(in []Shape) (Shape, error) { return oneTokens(in) }

func (Position) tensors(to []Tensor, in []Shape) []Tensor {
	return append(to, Tensor{Name: "weight", Shape: in[0]})
}

// ClassToken puts learned tokens before the others. Its weight is [Count,
// features].
type ClassToken struct {
	Count int `json:"count,omitempty"` // 0 means 1
}

// Kind returns "classtoken".
func (ClassToken) Kind() string { return "classtoken" }

func (o ClassToken) String() string {
	if n := or(o.Count, 1); n > 1 {
		return fmt.Sprintf("%d class tokens", n)
	}
	return "class token"
}

func (o ClassToken) infer(in []Shape) (Shape, error) {
	s, err := oneTokens(in)
	if err != nil {
		return Shape{}, err
	}
	n := or(o.Count, 1)
	return Shape{s[0] + n, s[1]}, sizes{{"count", n}}.check()
}

func (o ClassToken) tensors(to []Tensor, in []Shape) []Tensor {
	return append(to, Tensor{Name: "weight", Shape: Shape{or(o.Count, 1), in[0][1]}})
}

// An AttentionKind says how much a token takes of another.
type AttentionKind uint8

// Kinds of attention.
const (
	SoftmaxAttention AttentionKind = iota // softmax(Q·Kᵀ/√d)·V (Vaswani et al. 2017)
	LinearELU                             // φ(Q)·(φ(K)ᵀ·V), normalised, with φ = elu+1 (Katharopoulos et al. 2020)
	LinearReLU                            // the same with φ = relu
	CosformerELU                          // that with φ = elu+1 and less of what is far, see [AttentionKind.Reweights]
	CosformerReLU                         // the same with φ = relu (Qin et al. 2022)
)

// AttentionEpsilon is added to the denominator of linear attention, which with
// relu can be 0.
const AttentionEpsilon = 1e-6

var attentionNames = [...]string{"softmax", "linear_elu", "linear_relu", "cosformer_elu", "cosformer_relu"}

// Linear reports whether the cost grows as the number of tokens and not as its square.
func (k AttentionKind) Linear() bool { return k != SoftmaxAttention }

// ELU reports whether φ of linear attention is elu+1, which is x+1 from 0 on and eˣ below;
// otherwise it is relu.
func (k AttentionKind) ELU() bool { return k == LinearELU || k == CosformerELU }

// Reweights reports whether φ(Qᵢ)·φ(Kⱼ) is times cos(π(i−j)/2M), where M is the number of
// queries or that of keys, whichever is larger (Qin et al. 2022). That is
// cos·cos + sin·sin of the two places, so it is linear attention of twice the features,
// see [Attention.Places].
func (k AttentionKind) Reweights() bool { return k == CosformerELU || k == CosformerReLU }

func (k AttentionKind) String() string { return name(attentionNames[:], int(k), "AttentionKind") }

// MarshalText writes the kind's name.
func (k AttentionKind) MarshalText() ([]byte, error) {
	return marshalName(attentionNames[:], int(k), "attention")
}

// UnmarshalText reads what MarshalText writes.
func (k *AttentionKind) UnmarshalText(text []byte) error {
	return unmarshalName(attentionNames[:], text, "attention", (*uint8)(k))
}

// Attention mixes tokens. Its operands are queries, keys and values, which linear
// operators project before it, and whose result one may project after it: n
// tokens of Heads·d features, m tokens of KeyHeads·d features and m tokens of
// KeyHeads·e features give n tokens of Heads·e features. It has no weights.
type Attention struct {
	Heads    int           `json:"heads,omitempty"`     // 0 means 1
	KeyHeads int           `json:"key_heads,omitempty"` // heads of keys and values, each shared by Heads/KeyHeads of the queries; 0 means Heads
	Type     AttentionKind `json:"type,omitempty"`
	Causal   bool          `json:"causal,omitempty"` // token i sees the tokens up to i
}

// Kind returns "attention".
func (Attention) Kind() string { return "attention" }

func (o Attention) String() string {
	s := "attention"
	if o.Type != SoftmaxAttention {
		s = strings.ReplaceAll(o.Type.String(), "_", " ") + " attention"
	}
	if o.Causal {
		s = "causal " + s
	}
	heads, _ := o.heads()
	if heads > 1 {
		s += fmt.Sprintf(", %d heads", heads)
	}
	return s
}

func (o Attention) heads() (queries, keys int) {
	q := or(o.Heads, 1)
	return q, or(o.KeyHeads, q)
}

// Dims returns the heads of queries and of keys, and the features of each head's
// keys and values.
func (o Attention) Dims(q, k, v Shape) (heads, keyHeads, key, value int) {
	heads, keyHeads = o.heads()
	return heads, keyHeads, q[1] / heads, v[1] / keyHeads
}

func (o Attention) infer(in []Shape) (Shape, error) {
	if len(in) != 3 {
		return Shape{}, fmt.Errorf("found %d operands, want queries, keys and values", len(in))
	}
	for i, s := range in {
		if s.Axes() != 2 {
			return Shape{}, fmt.Errorf("found %s of shape %s, want tokens×features", [...]string{"queries", "keys", "values"}[i], s)
		}
	}
	q, k, v := in[0], in[1], in[2]
	heads, keyHeads := o.heads()
	if err := (sizes{{"heads", heads}, {"key_heads", keyHeads}}).check(); err != nil {
		return Shape{}, err
	}
	var errs []error
	if int(o.Type) >= len(attentionNames) {
		errs = append(errs, fmt.Errorf("type: found %v", o.Type))
	}
	if heads%keyHeads != 0 {
		errs = append(errs, fmt.Errorf("key_heads: found %d, want a divisor of the %d heads", keyHeads, heads))
	}
	if k[0] != v[0] {
		errs = append(errs, fmt.Errorf("found %d keys and %d values, want as many", k[0], v[0]))
	}
	if o.Causal && q[0] != k[0] {
		errs = append(errs, fmt.Errorf("found %d queries and %d keys, want as many, for it is causal", q[0], k[0]))
	}
	if q[1]%heads != 0 || k[1]%keyHeads != 0 || v[1]%keyHeads != 0 || q[1]/heads != k[1]/keyHeads {
		errs = append(errs, fmt.Errorf("found queries of %d features, keys of %d and values of %d, want them divided by %d, %d and %d heads, with as many features in each head of queries and keys", q[1], k[1], v[1], heads, keyHeads, keyHeads))
	}
	if len(errs) > 0 {
		return Shape{}, errors.Join(errs...)
	}
	return Shape{q[0], heads * (v[1] / keyHeads)}, nil
}

// Places returns the cosine and the sine of πi/2M for every place i below M, the larger of
// the two numbers of tokens, by which features of a token are multiplied if the kind
// reweights. None is negative, so sums of their products lose no digits.
func (o Attention) Places(queries, keys int) (cos, sin []float32) {
	m := max(queries, keys)
	cos, sin = make([]float32, m), make([]float32, m)
	for i := range m {
		s, c := math.Sincos(math.Pi * float64(i) / float64(2*m))
		cos[i], sin[i] = float32(c), float32(s)
	}
	return cos, sin
}

// stateFeatures are those of a head's keys in the sums of linear attention.
func (o Attention) stateFeatures(d int) int {
	if o.Type.Reweights() {
		return 2 * d
	}
	return d
}

// room returns how many numbers are needed on the way: with softmax the products of the
// queries and keys of one head, else the sums of keys times values and of keys of all.
func (o Attention) room(in []Shape) int64 {
	_, keyHeads, d, e := o.Dims(in[0], in[1], in[2])
	if !o.Type.Linear() {
		return int64(in[0][0]) * int64(in[1][0])
	}
	return int64(keyHeads) * int64(o.stateFeatures(d)) * int64(e+1)
}

func (o Attention) macs(in []Shape, _ Shape) int64 {
	heads, keyHeads, d, e := o.Dims(in[0], in[1], in[2])
	n, m := int64(in[0][0]), int64(in[1][0])
	if !o.Type.Linear() {
		return int64(heads) * n * m * int64(d+e)
	}
	d = o.stateFeatures(d)
	// keys times values, the sum of keys; queries times both
	return int64(keyHeads)*m*int64(d)*int64(e) + int64(heads)*n*int64(d)*int64(e+1)
}
