package fidelity

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/evolve"
	"github.com/daedalus-search/daedalus/search/model"
	"github.com/daedalus-search/daedalus/search/sample"
)

// Options are what all methods of this package have in common. The zero value
// is ready to use.
type Options struct {
	// Eta is the factor between the amounts of neighbouring rungs, and one in Eta
	// designs is promoted. Where a problem has only some amounts, rungs are at
	// least so far apart, and the share promoted is the ratio of their amounts.
	// 0 means 3.
	Eta float64 `yaml:"eta" default:"3" min:">1" max:"1000" doc:"factor between rungs; one design in eta is promoted"`

	// Min is the amount of the lowest rung, in the problem's unit. 0 means the
	// least there is.
	Min float64 `yaml:"min" default:"0" min:"0" doc:"amount of the lowest rung, in the problem's unit; 0 means the least there is"`

	// Source is the method that designs come from; it is told their first
	// results as if they were of full evaluations. "" means random.
	Source string `yaml:"source" default:"random" oneof:"random tpe regularized nsga2" doc:"method that new designs come from; it learns from their first results"`

	// Method is any other method that designs come from, for callers in Go; it
	// counts instead of Source.
	Method search.Method `yaml:"-" json:"-"`

	// Finals is how many of the last proposals of a known budget measure the
	// best designs in full. 0 means 1, or with several objectives a twentieth of
	// the budget but at least 1; -1 means none. Without a known budget one design
	// is measured in full whenever 50 proposals brought none.
	Finals int `yaml:"finals" default:"0" min:"-1" doc:"full evaluations of the best at the end of the budget; 0 means 1, or a twentieth of the budget for several objectives; -1 means none"`

	// Spread says which designs of a front that is cut are promoted: those with
	// the largest crowding distance, or with the largest hypervolume that is
	// theirs alone. "" means crowding.
	Spread string `yaml:"spread" default:"crowding" oneof:"crowding hypervolume" doc:"which designs of a front that is cut are promoted, with several objectives"`
}

// maxRungs bounds the rungs: 40 with a factor of 2 are a trillion.
const maxRungs = 60

// prepare validates the options and makes what the searchers share.
func (o Options) prepare(name string, setup search.Setup, makeSource func(*books) (source, error)) (*books, error) {
	var errs []error
	bad := func(field string, found any, want string) {
		errs = append(errs, fmt.Errorf("%s: %s: found %v, want %s", name, field, found, want))
	}
	if setup.Space == nil {
		bad("space", "none", "a space to search")
	}
	if setup.Objectives < 0 {
		bad("objectives", setup.Objectives, "at least 1")
	}
	setup.Objectives = max(setup.Objectives, 1)
	f := setup.Fidelity
	switch {
	case !f.Graded():
		bad("fidelity", "a problem that is measured in full only", "one with a fidelity, such as fidelity: {name: epochs, min: 1, max: 27} of a command")
	case f.Check() != nil:
		errs = append(errs, fmt.Errorf("%s: %w", name, f.Check()))
	}
	o.Eta = cmp.Or(o.Eta, 3)
	if !(o.Eta > 1 && o.Eta <= 1000) {
		bad("eta", o.Eta, "a factor above 1 and at most 1000, or 0 for 3")
	}
	if o.Min < 0 || f.Graded() && o.Min >= f.Max || o.Min != o.Min {
		bad("min", o.Min, fmt.Sprintf("an amount below that of a full evaluation, %v, or 0 for the least", f.Max))
	}
	if o.Finals < -1 {
		bad("finals", o.Finals, "a number of evaluations, 0 for the default or -1 for none")
	}
	switch o.Spread {
	case "", "crowding", "hypervolume":
	default:
		bad("spread", strconv.Quote(o.Spread), "crowding or hypervolume")
	}
	method := o.Method
	if method == nil {
		switch o.Source {
		case "", "random":
			method = sample.Random{}
		case "tpe":
			method = model.TPE{}
		case "regularized":
			method = evolve.Regularized{}
		case "nsga2":
			method = evolve.NSGA2{}
		default:
			bad("source", strconv.Quote(o.Source), "random, tpe, regularized or nsga2")
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	b := &books{
		name: name, setup: setup, levels: rungs(f, o.Eta, o.Min), finals: o.Finals,
		volume: o.Spread == "hypervolume", known: map[string]*candidate{}, out: map[int64]job{},
	}
	b.ratios = ratios(f, b.levels, o.Eta)
	if b.finals == 0 {
		b.finals = 1
		if setup.Objectives > 1 {
			b.finals = max(1, int(max(float64(setup.Budget), setup.Effort)/20))
		}
	}
	b.finals = max(b.finals, 0)
	var err error
	if makeSource != nil {
		b.source, err = makeSource(b)
	} else {
		b.source, err = newWrapped(b, method)
	}
	return b, err
}

// rungs returns the shares of the full effort at which designs are compared,
// rising, the last one 1.
func rungs(f problem.Fidelity, eta, least float64) []float64 {
	if least == 0 {
		least = f.Min
	}
	least = f.Amount(f.Share(least))
	var down []float64 // amounts
	if len(f.Levels) > 0 {
		for i := len(f.Levels) - 1; i >= 0; i-- {
			l := f.Levels[i]
			if l < least {
				break
			}
			if len(down) == 0 || l*eta <= down[len(down)-1]*(1+1e-9) {
				down = append(down, l)
			}
		}
	} else {
		for x := f.Max; x >= least*(1-1e-9) && len(down) < maxRungs; x /= eta {
			amount := f.Amount(f.Share(x))
			if len(down) > 0 && amount >= down[len(down)-1] {
				break
			}
			down = append(down, amount)
		}
	}
	out := make([]float64, len(down))
	for i, x := range down {
		out[len(down)-1-i] = f.Share(x)
	}
	return out
}

// ratios returns for each rung but the last out of how many designs one is
// promoted.
func ratios(f problem.Fidelity, levels []float64, eta float64) []float64 {
	out := make([]float64, len(levels)-1)
	for i := range out {
		out[i] = eta
		if len(f.Levels) > 0 {
			out[i] = levels[i+1] / levels[i]
		}
	}
	return out
}

// quota returns how many of n designs are promoted from a rung.
func (b *books) quota(rung, n int) int {
	return int(math.Floor(float64(n)/b.ratios[rung] + 1e-9))
}
