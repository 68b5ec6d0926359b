// Package dram is the search for a memory controller: ArchGym's ten parameters
// of the controller of DRAMSys, measured by an exact simulator on one trace or
// on several at once.
//
//	p, err := dram.Options{Traces: []string{"stream", "random"}}.New()
//	v, err := p.Evaluate(ctx, design, nil) // {"latency_ms": …, "energy_mj": …, …}
//
// Metrics without the name of a trace are those of all traces run one after the
// other; with several traces each has its own metrics besides, so that a study
// can search for one controller that is good for all.
//
// The plain goal has several objectives: time and energy. ArchGym's reward, which
// wants power and latency to be near a target, is a metric too (Options.Target).
// Its latencies are a thousand times too small whenever a run ends on a whole
// nanosecond; Compat reproduces that.
//
// Source: Krishnan et al., "ArchGym: An Open-Source Gymnasium for Machine
// Learning Assisted Architecture Design", ISCA 2023. The simulator is
// hardware/dram.
package dram
