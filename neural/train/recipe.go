package train

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/daedalus-search/daedalus/internal/source"
	"github.com/daedalus-search/daedalus/neural/data"
	"github.com/daedalus-search/daedalus/neural/train/engine"
)

// A Recipe says how a network is trained. The zero value works: ten epochs of
// stochastic gradient descent whose learning rate falls by a cosine.
type Recipe struct {
	Epochs       float64  `yaml:"epochs" default:"10" min:">0" max:"1000000" doc:"passes over the training examples; parts of one count in steps"`                                                          // 0 means 10
	Batch        int      `yaml:"batch" default:"64" min:"1" max:"65536" doc:"examples of a step; no more than there are"`                                                                                  // 0 means 64
	Optimizer    string   `yaml:"optimizer" default:"sgd" oneof:"sgd momentum plain adamw" doc:"sgd is with Nesterov's momentum, momentum with the classic one, plain without"`                             // "" means sgd
	LearningRate float64  `yaml:"learning_rate" default:"0" min:"0" max:"1000" doc:"the largest of the training; 0 means 0.05, and 0.001 of adamw"`                                                         // 0 means 0.05, or 0.001
	Schedule     string   `yaml:"schedule" default:"cosine" oneof:"constant cosine linear step exponential" doc:"how the learning rate falls: to 0, by step to a hundredth, by exponential to a twentieth"` // "" means cosine
	Warmup       float64  `yaml:"warmup" default:"0" min:"0" max:"1000000" doc:"epochs in which the learning rate rises in a line, before it falls"`
	Momentum     float64  `yaml:"momentum" default:"0.9" min:">0" max:"<1" doc:"of sgd and momentum"` // 0 means 0.9
	WeightDecay  float64  `yaml:"weight_decay" default:"0" min:"0" max:"10" doc:"of weights with two or more axes"`
	Smoothing    float64  `yaml:"label_smoothing" default:"0" min:"0" max:"<1" doc:"share of the label that is spread over all classes"`
	DropRamp     bool     `yaml:"drop_ramp" default:"false" doc:"dropout and drop-path grow in a line from 0 to the network's rates"`
	EMA          float64  `yaml:"ema" default:"0" min:"0" max:"<1" doc:"the result is the running mean of the weights with this decay of a step; 0 means the last weights"`
	Clip         float64  `yaml:"clip" default:"0" min:"0" doc:"largest norm of the gradient; 0 means any"`
	Distill      float64  `yaml:"distill" default:"0.5" min:">0" max:"1" doc:"weight of the teacher, where there is one; the rest is the labels'"` // 0 means 0.5
	Temperature  float64  `yaml:"temperature" default:"1" min:">0" max:"1000" doc:"by which the logits of teacher and student are divided"`        // 0 means 1
	Augment      []string `yaml:"augment" doc:"steps that change training images, such as flip, crop 4, cutout 8"`
	Mixup        float64  `yaml:"mixup" default:"0" min:"0" max:"100" doc:"examples are mixed in pairs, and so are their labels, in shares of Beta(mixup, mixup), such as 0.2; 0 means they are not"`
	CutMix       float64  `yaml:"cutmix" default:"0" min:"0" max:"100" doc:"a rectangle of each image comes from another, and so does that share of the label: of Beta(cutmix, cutmix), such as 1; with mixup too, every step is one of the two; 0 means none does"`
	Balance      bool     `yaml:"balance" default:"false" doc:"every class comes equally often in an epoch: examples of rare ones several times, of frequent ones not all"`
	Calibrate    int      `yaml:"calibrate" default:"2048" min:"1" max:"10000000" doc:"training examples from which batch normalisation takes its statistics in the end"` // 0 means 2048
	Seed         uint64   `yaml:"seed" default:"0" doc:"of weights, order, augmentation and dropout"`
}

// The defaults of the learning rate: that of He et al. 2016 halved for batches of 64
// instead of 128, and that of Kingma and Ba 2015, algorithm 1.
const (
	rateSGD  = 0.05
	rateAdam = 0.001
)

var optimizers = []string{"sgd", "momentum", "plain", "adamw"}

// Filled returns the recipe with every default in place, or all that is wrong with it.
func (r Recipe) Filled() (Recipe, error) {
	or := func(x *float64, fallback float64) {
		if *x == 0 {
			*x = fallback
		}
	}
	word := func(s *string, fallback string) {
		if *s == "" {
			*s = fallback
		}
	}
	count := func(n *int, fallback int) {
		if *n == 0 {
			*n = fallback
		}
	}
	or(&r.Epochs, 10)
	count(&r.Batch, 64)
	word(&r.Optimizer, "sgd")
	word(&r.Schedule, "cosine")
	or(&r.Momentum, 0.9)
	or(&r.Distill, 0.5)
	or(&r.Temperature, 1)
	count(&r.Calibrate, 2048)
	if r.Optimizer == "adamw" {
		or(&r.LearningRate, rateAdam)
	}
	or(&r.LearningRate, rateSGD)

	var errs []error
	number := func(name string, x, low, high float64, openLow, openHigh bool) {
		if x >= low && x <= high && !(openLow && x == low) && !(openHigh && x == high) {
			return
		}
		above, below := "at least", "at most"
		if openLow {
			above = "more than"
		}
		if openHigh {
			below = "less than"
		}
		want := fmt.Sprintf("%s %g and %s %g", above, low, below, high)
		if math.IsInf(high, 1) {
			want = fmt.Sprintf("a finite number of %s %g", above, low)
		}
		errs = append(errs, fmt.Errorf("train: recipe: %s: found %g, want %s", name, x, want))
	}
	oneOf := func(name, s string, all []string) {
		if slices.Contains(all, s) {
			return
		}
		hint := ""
		if near, ok := source.Nearest(s, all); ok {
			hint = fmt.Sprintf("; did you mean %s?", near)
		}
		errs = append(errs, fmt.Errorf("train: recipe: %s: found %q, want one of %s%s", name, s, strings.Join(all, ", "), hint))
	}
	number("epochs", r.Epochs, 0, 1e6, true, false)
	number("batch", float64(r.Batch), 1, 1<<16, false, false)
	oneOf("optimizer", r.Optimizer, optimizers)
	number("learning_rate", r.LearningRate, 0, 1000, true, false)
	oneOf("schedule", r.Schedule, scheduleNames())
	number("warmup", r.Warmup, 0, 1e6, false, false)
	number("momentum", r.Momentum, 0, 1, true, true)
	number("weight_decay", r.WeightDecay, 0, 10, false, false)
	number("label_smoothing", r.Smoothing, 0, 1, false, true)
	number("ema", r.EMA, 0, 1, false, true)
	number("clip", r.Clip, 0, math.Inf(1), false, true)
	number("distill", r.Distill, 0, 1, true, false)
	number("temperature", r.Temperature, 0, 1000, true, false)
	number("mixup", r.Mixup, 0, 100, false, false)
	number("cutmix", r.CutMix, 0, 100, false, false)
	number("calibrate", float64(r.Calibrate), 1, 1e7, false, false)
	if _, err := data.ParseAugment(r.Augment...); err != nil {
		errs = append(errs, fmt.Errorf("train: recipe: augment: %w", err))
	}
	return r, errors.Join(errs...)
}

// optimizer returns the engine's form of a filled recipe.
func (r Recipe) optimizer() engine.Optimizer {
	o := engine.Optimizer{Kind: engine.SGD, Momentum: r.Momentum, WeightDecay: r.WeightDecay, Clip: r.Clip}
	switch r.Optimizer {
	case "momentum":
		o.Plain = true
	case "plain":
		o.Momentum = 0
	case "adamw":
		o.Kind = engine.AdamW
	}
	return o
}

// loss returns what a filled recipe minimises.
func (r Recipe) loss(teacher bool) engine.Loss {
	l := engine.Loss{Smoothing: r.Smoothing}
	if teacher {
		l.Labels, l.Imitate, l.Temperature = 1-r.Distill, r.Distill, r.Temperature
	}
	return l
}

// A Length is a training counted in steps.
type Length struct {
	Batch    int   // examples of a step
	PerEpoch int64 // steps of an epoch: only whole batches
	Steps    int64 // in all, at least 1
}

// Length returns how long a filled recipe trains on so many examples.
func (r Recipe) Length(examples int) Length {
	l := Length{Batch: max(1, min(r.Batch, examples))}
	l.PerEpoch = max(1, int64(examples/l.Batch))
	l.Steps = max(1, int64(math.Round(r.Epochs*float64(l.PerEpoch))))
	return l
}

// Epoch returns how many epochs have passed after so many steps.
func (l Length) Epoch(steps int64) float64 { return float64(steps) / float64(l.PerEpoch) }

// difference names the first field in which two recipes differ, by its name in files.
func (r Recipe) difference(other Recipe) (field string, found, want any) {
	a, b := reflect.ValueOf(r), reflect.ValueOf(other)
	for i := range a.NumField() {
		x, y := a.Field(i).Interface(), b.Field(i).Interface()
		if s, ok := x.([]string); ok && slices.Equal(s, y.([]string)) {
			continue
		}
		if !reflect.DeepEqual(x, y) {
			return a.Type().Field(i).Tag.Get("yaml"), x, y
		}
	}
	return "", nil, nil
}
