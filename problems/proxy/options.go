package proxy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/predict"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/space"
)

// Options say what is predicted and from what.
type Options struct {
	// Of is the problem that is measured and predicted.
	Of problem.Problem `yaml:"-"`
	// Collect names the search methods whose trials are learned from; Sources are
	// the methods themselves, by the same names.
	Collect []string `yaml:"collect" doc:"search methods whose trials are learned from; random, genetic, ants and tpe by default with one objective, random, nsga2, moead and tpe with several"`
	Sources []Source `yaml:"-"`
	// Objectives are what the methods look for; see metric.ParseObjective.
	Objectives []string `yaml:"objectives,required" doc:"what the methods look for while they collect, such as minimize latency_ms or ArchGym's target latency_ms 0.1"`
	// Designs is how many are measured to learn from, an equal share by each method.
	Designs int `yaml:"designs" default:"8000" min:"40" max:"10000000" doc:"designs that are measured to learn from, an equal share by each method"`
	// Test is how many random designs are measured besides, to judge by.
	Test int `yaml:"test" default:"1000" min:"20" max:"1000000" doc:"random designs that are measured besides, to judge by"`
	// Metrics are those that are predicted.
	Metrics []string `yaml:"metrics" doc:"metrics that are predicted; all by default"`
	// Learners are the predictors that compete for each metric; see [Learners].
	Learners []string `yaml:"learners" doc:"predictors that compete for each metric: boosted, forest, network, neighbors, ridge; the first three and ridge by default"`
	Seed     uint64   `yaml:"seed" doc:"seed of the collecting methods and of the predictors"`
	// Clock tells the time, by which speeds are told; nil tells none.
	Clock func() time.Time `yaml:"-"`
}

// A Source proposes designs to learn from.
type Source struct {
	Name string
	// Open begins a search of n designs.
	Open func(s *space.Space, objectives, n int, seed uint64) (Asker, error)
}

// An Asker proposes designs and learns what became of them.
type Asker interface {
	// Ask returns the next designs, none when there are no more. How many does
	// not depend on the machine.
	Ask() ([]space.Design, error)
	// Tell reports the results of what was asked last, in order.
	Tell(results []problem.Result, scores []metric.Score)
}

// A learner is a predictor and how designs are encoded for it.
type learner struct {
	name    string
	oneHot  bool
	predict predict.Learner
}

// learners are set for measurements without noise, of which there are some
// thousands.
var learners = []learner{
	{"boosted", false, predict.Boosted{Trees: 150, Leaves: 127, MinLeaf: 2, Rate: 0.13}},
	{"forest", false, predict.Forest{Trees: 30, MinLeaf: 1, MinSplit: 2, Whole: true, ColumnShare: 0.7}},
	{"network", true, predict.MLP{Members: 2, Steps: 4000}},
	{"neighbors", true, predict.Neighbors{}},
	{"ridge", true, predict.Ridge{}},
}

// Learners returns the names of the predictors.
func Learners() []string {
	var out []string
	for _, l := range learners {
		out = append(out, l.name)
	}
	return out
}

// Defaults of Collect by how many objectives there are, and of Learners.
var (
	collectOne      = []string{"random", "genetic", "ants", "tpe"}
	collectMany     = []string{"random", "nsga2", "moead", "tpe"}
	defaultLearners = []string{"boosted", "forest", "network", "ridge"}
)

// Goal reads the objectives and checks them against the problem's metrics.
func (o Options) Goal() (metric.Goal, error) {
	var g metric.Goal
	for _, text := range o.Objectives {
		x, err := metric.ParseObjective(text)
		if err != nil {
			return g, fmt.Errorf("proxy: objectives: %w", err)
		}
		g.Objectives = append(g.Objectives, x)
	}
	if len(g.Objectives) == 0 {
		return g, errors.New("proxy: objectives: found none, want what the methods look for while they collect")
	}
	if err := g.Check(o.Of.Metrics()); err != nil {
		return g, fmt.Errorf("proxy: objectives: %w", err)
	}
	return g, nil
}

// Collectors returns the names of the methods that collect: Collect, or those
// that suit the objectives.
func (o Options) Collectors() []string {
	switch {
	case len(o.Collect) > 0:
		return o.Collect
	case len(o.Objectives) > 1:
		return collectMany
	}
	return collectOne
}

// New makes the problem. Nothing is measured before [Problem.Prepare] or the
// first evaluation.
func New(o Options) (problem.Problem, error) {
	if o.Of == nil {
		return nil, errors.New("proxy: of: found no problem, want the one that is predicted")
	}
	goal, err := o.Goal()
	if err != nil {
		return nil, err
	}
	if o.Designs == 0 {
		o.Designs = 8000
	}
	if o.Test == 0 {
		o.Test = 1000
	}
	if len(o.Sources) == 0 {
		return nil, errors.New("proxy: collect: found no method, want at least one")
	}
	if o.Designs < 10*len(o.Sources) {
		return nil, fmt.Errorf("proxy: designs: found %d for %d methods, want at least 10 each", o.Designs, len(o.Sources))
	}
	p := &Problem{o: o, goal: goal}
	known := o.Of.Metrics()
	if len(o.Metrics) == 0 {
		p.metrics = known
	}
	for _, name := range o.Metrics {
		i := slices.IndexFunc(known, func(m metric.Metric) bool { return m.Name == name })
		switch {
		case i < 0:
			return nil, fmt.Errorf("proxy: metrics: %q is not measured; measured are %s", name, names(known))
		case slices.ContainsFunc(p.metrics, func(m metric.Metric) bool { return m.Name == name }):
			return nil, fmt.Errorf("proxy: metrics: %q is named twice", name)
		}
		p.metrics = append(p.metrics, known[i])
	}
	want := o.Learners
	if len(want) == 0 {
		want = defaultLearners
	}
	for _, name := range want {
		i := slices.IndexFunc(learners, func(l learner) bool { return l.name == name })
		if i < 0 {
			return nil, fmt.Errorf("proxy: learners: found %q, want some of %s", name, strings.Join(Learners(), ", "))
		}
		p.learners = append(p.learners, learners[i])
	}
	for i, encoder := range [...]func(*space.Space) (predict.Encoder, error){predict.Decisions, predict.OneHot} {
		if p.encoders[i], err = encoder(o.Of.Space()); err != nil {
			return nil, fmt.Errorf("proxy: %w", err)
		}
	}
	if _, ok := o.Of.(problem.Drawer); ok {
		return drawn{p}, nil
	}
	return p, nil
}

func names(ms []metric.Metric) string {
	out := make([]string, len(ms))
	for i, m := range ms {
		out[i] = m.Name
	}
	return strings.Join(out, ", ")
}

func index(b bool) int {
	if b {
		return 1
	}
	return 0
}
