package networks

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/data"
	"github.com/daedalus-search/daedalus/neural/nets"
	"github.com/daedalus-search/daedalus/neural/train"
)

// Training says how networks are trained and measured. The zero value works.
type Training struct {
	Method string        `yaml:"method" default:"spos" oneof:"spos bignas fair ofa alone" doc:"how weights come about: by a supernet, trained on single paths (spos), by the sandwich rule with distillation in place (bignas), on fair paths (fair) or by progressive shrinking (ofa); or of each network alone"` // "" means spos
	Train  train.Recipe  `yaml:"train" doc:"how the supernet is trained, or each network"`
	Finish *train.Recipe `yaml:"finish" doc:"how the chosen networks are trained on at the end, from the weights they have, or anew with retrain; by default as train, for a third of its epochs and from a fifth of its learning rate"`

	// Shares make single paths take some options more often than others of a decision: 1
	// is what is not named. Of cells, convolutions should have 3.5 (docs/benchmarks.md).
	Shares map[string]float64 `yaml:"shares" min:"0" doc:"how often single paths take an option, by its name, beside 1 for the others of its decision: more for what has much to learn, such as nor_conv_3x3: 3.5 in cells"`

	Retrain    bool     `yaml:"retrain" default:"false" doc:"finish from new weights instead of those of the supernet, which costs more epochs and often ends higher"`
	Finished   int      `yaml:"finished" default:"8" min:"-1" max:"1000" doc:"how many networks of the front are trained on at the end, evenly along it; -1: none"` // 0 means 8
	References []string `yaml:"references" doc:"networks designed by hand that are trained at the end by the same recipe, for as many epochs as the supernet and a finished network together, to compare with: lenet5, resnet, mobilenet"`

	Fidelity  string `yaml:"fidelity" default:"none" oneof:"none epochs data resolution" doc:"what an evaluation with part of the effort has less of, if each network is trained alone"` // "" means none
	Calibrate int    `yaml:"calibrate" default:"1024" min:"1" max:"1000000" doc:"training examples from which each network's batch normalisations take their statistics"`                // 0 means 1024
	Seed      uint64 `yaml:"seed" default:"0" doc:"of all training; seeds of recipes are added to it"`

	Backend  string `yaml:"backend" default:"cpu" doc:"what computes: cpu, go (slower, to compare with), xla or xla:PATH (a PJRT plugin, in programs built with -tags xla)"` // "" means cpu
	Threads  int    `yaml:"threads" default:"0" min:"0" max:"1024" doc:"threads that train; 0 means all"`
	MemoryMB int    `yaml:"memory_mb" default:"0" min:"0" max:"100000000" doc:"most memory that the process that trains may take, in MB; a network that needs more fails; 0 means any"`

	Latency Latency `yaml:"latency" doc:"how latency is measured"`
}

// Latency says how networks are timed.
type Latency struct {
	Engine    string  `yaml:"engine" default:"daedalus" oneof:"daedalus onnxruntime none" doc:"what runs the networks: our own inference, ONNX Runtime, or nothing: then there is no latency"` // "" means daedalus
	Library   string  `yaml:"library" doc:"shared library of ONNX Runtime; by default what the environment variable DAEDALUS_ONNXRUNTIME names"`
	Batch     int     `yaml:"batch" default:"1" min:"1" max:"65536" doc:"examples in a run"`                                                                       // 0 means 1
	Threads   int     `yaml:"threads" default:"1" min:"1" max:"256" doc:"threads that compute a network together"`                                                 // 0 means 1
	Precision float64 `yaml:"precision" default:"0.02" min:">0" max:"1" doc:"half width of the median's confidence interval, as a share, at which measuring ends"` // 0 means 0.02
	BudgetMS  float64 `yaml:"budget_ms" default:"150" min:">0" max:"1e7" doc:"longest time to measure one network, in milliseconds"`                               // 0 means 150
	Table     string  `yaml:"table" doc:"file with a table of operators of this machine; with it latency is predicted by adding them up, and what is missing is measured once"`
}

// An outline is what data ask of networks.
type outline struct {
	image      neural.Shape
	classes    int  // of images and tables, or the vocabulary of texts
	uneven     bool // some class has over a tenth more examples than another
	window     int
	numbers    int
	categories []int
	targets    int
}

func outlineOf(s *data.Set) outline {
	o := outline{classes: len(s.Classes), targets: len(s.Targets)}
	if n := s.Counts(); n != nil {
		o.uneven = 10*slices.Max(n) > 11*slices.Min(n)+10 // ten for what rounding shares out
	}
	switch s.Kind {
	case data.Images:
		o.image = neural.Shape{s.Channels, s.Height, s.Width}
	case data.Text:
		o.window = s.Window
	case data.Table:
		o.numbers = len(s.Numbers)
		for _, c := range s.Categories {
			o.categories = append(o.categories, len(c.Categories))
		}
	}
	return o
}

// Vision is the question for images, by default those of Fashion-MNIST.
type Vision struct {
	data.Source
	Networks ImageNets `yaml:"networks" doc:"what may be built: one of these; by default small elastic mobile networks, of one kind of layer a stage"`
	Training
}

// ImageNets is one family of networks for images.
type ImageNets struct {
	Mobile      *nets.MobileSpace      `yaml:"mobile" doc:"elastic convolutional networks: depth, width, kernel, expansion, resolution"`
	OFA         *nets.OFASpace         `yaml:"ofa" doc:"the space of Once-for-All in its released form"`
	NASBench201 *nets.NASBench201Space `yaml:"nasbench201" doc:"cells of NAS-Bench-201"`
	Macro       *nets.MacroSpace       `yaml:"macro" doc:"chains of NAS-Bench-Macro"`
	DARTS       *nets.DARTSSpace       `yaml:"darts" doc:"cells of DARTS; for method: alone"`
	NASNet      *nets.NASNetSpace      `yaml:"nasnet" doc:"cells of NASNet; for method: alone"`
	Transformer *nets.TransformerSpace `yaml:"transformer" doc:"elastic vision transformers with softmax and linear attention"`
}

// edge is what is searched unless something else is asked for: small networks that are
// fast on processors, from 25 to 100 µs on the machine of docs/benchmarks.md, and share
// weights well. The image is halved in one way, stages are of one kind, and what follows
// a stage does not depend on how deep it is.
func edge() *nets.MobileSpace {
	fused := func(kernels []int, widths ...int) nets.MobileStage {
		return nets.MobileStage{Kinds: []string{"fused"}, Widths: widths, Depth: []int{1, 2}, Kernels: kernels, Expand: []float64{1, 2}, Stride: 2}
	}
	return &nets.MobileSpace{
		Stem: []int{16, 24}, Reduce: []string{"pool"}, Places: []string{"flatten"}, Mix: []int{0},
		Stages: []nets.MobileStage{
			{Kinds: []string{"plain"}, Widths: []int{16, 24, 32}, Depth: []int{0, 1}, PlainKernels: []int{3}, Stride: 1},
			fused([]int{3, 5}, 16, 24, 32, 48), fused([]int{3}, 32, 48, 64, 96),
		},
	}
}

// family builds the one that is given.
func (n ImageNets) family(o outline, side int) (nets.Family, error) {
	image := o.image
	if side > 0 {
		image[1], image[2] = side, side
	}
	var out []nets.Family
	var errs []error
	add := func(f nets.Family, err error) { out, errs = append(out, f), append(errs, err) }
	if n == (ImageNets{}) {
		n.Mobile = edge()
	}
	if n.Mobile != nil {
		x := *n.Mobile
		x.Image, x.Classes = image, o.classes
		add(x.New())
	}
	if n.OFA != nil {
		x := *n.OFA
		x.Classes = o.classes
		add(x.New())
	}
	if n.NASBench201 != nil {
		x := *n.NASBench201
		x.Image, x.Classes = image, o.classes
		add(x.New())
	}
	if n.Macro != nil {
		x := *n.Macro
		x.Image, x.Classes = image, o.classes
		add(x.New())
	}
	if n.DARTS != nil {
		x := *n.DARTS
		x.Image, x.Classes = image, o.classes
		add(x.New())
	}
	if n.NASNet != nil {
		x := *n.NASNet
		x.Image, x.Classes = image, o.classes
		add(x.New())
	}
	if n.Transformer != nil {
		x := *n.Transformer
		x.Image, x.Classes = image, o.classes
		add(x.New())
	}
	if len(out) > 1 {
		return nil, fmt.Errorf("networks: found %d families of networks, want one", len(out))
	}
	if errs[0] != nil {
		return nil, errs[0]
	}
	return out[0], nil
}

// Text is the question for text, by default Shakespeare's: to foretell each character
// from those before it.
type Text struct {
	data.Source
	Networks nets.TransformerSpace `yaml:"networks" doc:"what may be built: transformers whose every layer is free"`
	Training
}

// Tabular is the question for tables, by default that of the strength of concrete: to
// foretell a column from the others.
type Tabular struct {
	data.Source
	Networks nets.MLPSpace `yaml:"networks" doc:"what may be built: multilayer perceptrons"`
	Training
}

var methods = []string{"spos", "bignas", "fair", "ofa", "alone"}

// filled returns the options with their defaults, or all that is wrong with them.
func (t Training) filled(kind data.Kind) (Training, error) {
	word := func(s *string, fallback string) {
		if *s == "" {
			*s = fallback
		}
	}
	word(&t.Method, "spos")
	word(&t.Fidelity, "none")
	word(&t.Backend, "cpu")
	word(&t.Latency.Engine, "daedalus")
	number(&t.Finished, 8)
	number(&t.Calibrate, 1024)
	number(&t.Latency.Batch, 1)
	number(&t.Latency.Threads, 1)
	number(&t.Latency.Precision, 0.02)
	number(&t.Latency.BudgetMS, 150)
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("networks: "+format, args...)) }
	if !slices.Contains(methods, t.Method) {
		bad("method: found %q, want one of %s", t.Method, strings.Join(methods, ", "))
	}
	if len(t.Shares) > 0 && t.Method != "spos" {
		bad("shares: found some with method %s, want method spos: they are of single paths", t.Method)
	}
	if t.Fidelity != "none" && t.Method != "alone" {
		bad("fidelity: found %s with method %s, want method alone: networks of a supernet are not trained one by one", t.Fidelity, t.Method)
	}
	if t.Fidelity == "resolution" && kind != data.Images {
		bad("fidelity: found resolution, want epochs or data: only images have one")
	}
	if !slices.Contains([]string{"none", "epochs", "data", "resolution"}, t.Fidelity) {
		bad("fidelity: found %q, want none, epochs, data or resolution", t.Fidelity)
	}
	if !slices.Contains([]string{"daedalus", "onnxruntime", "none"}, t.Latency.Engine) {
		bad("latency: engine: found %q, want daedalus, onnxruntime or none", t.Latency.Engine)
	}
	for i, r := range t.References {
		if kind != data.Images || handmade[r] == nil {
			bad("references: found %q, want some of lenet5, resnet and mobilenet, for images", r)
		}
		if slices.Contains(t.References[:i], r) {
			bad("references: found %s twice", r)
		}
	}
	if t.Finished < -1 || t.Calibrate < 1 || t.Threads < 0 || t.MemoryMB < 0 || t.Latency.Batch < 1 || t.Latency.Threads < 1 || !(t.Latency.Precision > 0) || !(t.Latency.BudgetMS > 0) {
		bad("found a number that is negative or zero among finished, calibrate, threads, memory_mb and latency")
	}
	var err error
	if t.Train, err = t.Train.Filled(); err != nil {
		errs = append(errs, fmt.Errorf("networks: train: %w", err))
		return t, errors.Join(errs...)
	}
	if t.Method == "ofa" && (t.Train.Mixup > 0 || t.Train.CutMix > 0) {
		bad("train: found mixup or cutmix with method ofa, whose smaller networks learn from a teacher; want another method, or neither")
	}
	finish := t.Train
	finish.Epochs, finish.LearningRate, finish.Schedule, finish.Warmup = t.Train.Epochs/3, t.Train.LearningRate/5, "cosine", 0
	if t.Finish != nil {
		if finish, err = t.Finish.Filled(); err != nil {
			errs = append(errs, fmt.Errorf("networks: finish: %w", err))
		}
	}
	t.Finish = &finish
	return t, errors.Join(errs...)
}

func number[T int | float64](x *T, fallback T) {
	if *x == 0 {
		*x = fallback
	}
}
