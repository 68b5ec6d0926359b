// Package serving is the question of how to serve a language model: which
// accelerators, how many, spread in which way, in which number formats, and with
// which scheduler, so that a given load gets its tokens in time and cheaply.
//
//	p, err := serving.Options{Model: "Llama-3.1-70B", Rate: 4}.New()
//	v, err := p.Evaluate(ctx, design, nil) // {"ttft_p99_ms": …, "cost_usd_mtok": …}
//
// A design is simulated by hardware/serving: the analytical model prices every
// step, and a discrete-event simulation of continuous batching serves the load,
// always the same requests. docs/hardware-serving.md says what that can and
// cannot tell.
//
// Prices are what decides between platforms, and they change: see [Prices], and
// set your own.
package serving
