// Package pagetest looks at pages as a person does: in a browser. Its tests open
// reports in headless Chromium, click, brush and filter, check what changed and
// keep screenshots; they skip where there is no Chromium.
//
// [Large] makes studies of any size to look at.
package pagetest

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/space"
	"github.com/daedalus-search/daedalus/store"
)

// LargeSpace has 20 parameters of mixed kinds, one of them conditional: what
// somebody tunes who builds a server for a network.
const LargeSpace = `
space:
  learning_rate: {float: [1e-5, 1], log: true}
  weight_decay:  {float: [1e-6, 0.1], log: true}
  momentum:      {float: [0.5, 0.999]}
  dropout:       {float: [0, 0.6]}
  warmup:        {float: [0, 0.3]}
  label_noise:   {float: [0, 0.2]}
  width:         {int: [16, 1024], log: true, unit: channels}
  depth:         {int: [2, 48], unit: layers}
  heads:         {ordinal: [1, 2, 4, 8, 16]}
  batch:         {ordinal: [16, 32, 64, 128, 256, 512]}
  kernel:        {ordinal: [3, 5, 7]}
  bits:          {ordinal: [4, 8, 16, 32], unit: bit}
  activation:    {choice: [relu, gelu, silu, tanh]}
  norm:          {choice: [batch, layer, none]}
  optimizer:     {choice: [sgd, adam, lion]}
  beta2:         {float: [0.9, 0.9999], when: optimizer != sgd}
  residual:      bool
  mixed:         bool
  tile:          {int: [1, 128]}
  cores:         {int: [1, 64]}
`

// LargeGoal is what counts in it.
var LargeGoal = metric.Goal{
	Objectives: []metric.Objective{
		{Metric: "accuracy", Direction: metric.Maximize}, {Metric: "latency_ms", Direction: metric.Minimize}, {Metric: "energy_mj", Direction: metric.Minimize},
	},
	Limits: []metric.Limit{{Metric: "memory_mb", Op: metric.LessEqual, Bound: 200}},
}

// Large fills a store with n trials of [LargeSpace], drawn at random and scored
// by a formula; a few fail. The same n and seed give the same trials.
func Large(ctx context.Context, path string, n int, seed uint64) (err error) {
	sp, err := space.Parse("large", []byte(LargeSpace))
	if err != nil {
		return err
	}
	spaceJSON, err := json.Marshal(sp)
	if err != nil {
		return err
	}
	metrics, err := json.Marshal([]metric.Metric{
		{Name: "accuracy", Unit: "%", Direction: metric.Maximize}, {Name: "latency_ms", Unit: "ms", Direction: metric.Minimize},
		{Name: "energy_mj", Unit: "mJ", Direction: metric.Minimize}, {Name: "memory_mb", Unit: "MB", Direction: metric.Minimize},
	})
	if err != nil {
		return err
	}
	spec, err := json.Marshal(map[string]any{"objectives": LargeGoal.Objectives, "limits": LargeGoal.Limits})
	if err != nil {
		return err
	}
	began := time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)
	st, err := store.Create(ctx, path, store.Study{
		Name: "large", Created: began, Seed: seed, Space: spaceJSON, Metrics: metrics, Spec: spec, Problem: "a formula", Searcher: "random",
		Reason: "made for tests of the report", Status: "done", StopReason: "trial budget spent", Engine: "test",
	})
	if err != nil {
		return err
	}
	defer func() {
		if e := st.Close(); err == nil {
			err = e
		}
	}()
	r := rng.New(seed, "pagetest/large", 0)
	var d struct {
		LearningRate  float64 `json:"learning_rate"`
		Dropout       float64
		Width, Depth  float64
		Kernel, Bits  float64
		Activation    string
		Residual      bool
		Batch, Cores  float64
		Norm          string
		Beta2, Warmup float64
	}
	batch := make([]store.Trial, 0, 5000)
	at := began
	for i := range n {
		design, err := sp.Sample(r)
		if err != nil {
			return err
		}
		if err := design.Decode(&d); err != nil {
			return err
		}
		size := d.Width * d.Width * d.Depth * d.Kernel / 9 / 1e6 // millions of weights, about
		good := 94 - 14*math.Abs(math.Log10(d.LearningRate)+2.5)/2.5 - 40/(1+3*math.Log1p(size)) - 8*d.Dropout*d.Dropout
		if d.Activation == "tanh" {
			good -= 3
		}
		if d.Norm == "none" && d.Depth > 16 {
			good -= 9
		}
		if !d.Residual && d.Depth > 24 {
			good -= 6
		}
		good -= 6 / d.Bits
		v := metric.Values{
			"accuracy":   max(good+0.4*rng.Norm(r), 1),
			"latency_ms": 0.2 + size*d.Bits/32*8/math.Sqrt(d.Cores)*(1+0.05*rng.Norm(r)) + 0.01*d.Depth,
			"energy_mj":  0.05 + size*d.Bits/32*2.2*(1+0.02*d.Cores)*(1+0.05*rng.Norm(r)),
			"memory_mb":  size*d.Bits/8 + d.Batch*d.Width*0.004,
		}
		t := store.Trial{
			Number: int64(i), State: store.Complete, Attempt: 1, Design: design.AppendJSON(nil), Hash: design.Hash(), Operator: "random",
			Worker: fmt.Sprintf("w%d", i%4), Queued: at, Started: at.Add(time.Millisecond), Finished: at.Add(40 * time.Millisecond), Seconds: 0.039,
		}
		at = at.Add(10 * time.Millisecond)
		if r.Float64() < 0.01 {
			t.State, t.Error, t.ErrorClass = store.Failed, "exit code 1: out of memory", "crash"
		} else {
			s := LargeGoal.Score(v)
			t.Values, t.Loss, t.Violation = v, s.Loss, s.Violation
		}
		if batch = append(batch, t); len(batch) == cap(batch) || i == n-1 {
			if err := st.Save(ctx, batch...); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	return nil
}
