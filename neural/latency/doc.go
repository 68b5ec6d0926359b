// Package latency says what networks take on this machine: it measures them, and it
// predicts them from their operators.
//
//	e, err := latency.ONNXRuntime("") // or latency.Go(), which needs nothing installed
//	reports, err := latency.Measure(ctx, e, latency.Options{}, latency.Protocol{}, networks...)
//
// Machines on which searches run do other things too. A [Protocol] measures on a
// pinned thread, by the processor time of that thread, networks in turns; a [Result]
// is a median with an interval, and a [Report] says why the machine was too noisy if
// it was.
//
// A [Model] measures every operator of a space once, keeps them in a [Table], and
// adds them up:
//
//	m, err := latency.NewModel(e, latency.Options{}, latency.Protocol{}, "")
//	_, err = m.Fit(ctx, aDozen...)  // what the sum leaves out
//	x, err := m.Predict(ctx, net)   // measures operators that are new
//
// A table is the look-up table of the survey of Benmeziane et al. (2021), the second
// of its ways to know a cost: measuring is the first, models of hardware the third,
// learned predictors the fourth. It belongs to a [Device]: a processor, an engine and
// its version, threads and batch. On any other it is refused.
//
// An [Engine] is what runs networks: ONNX Runtime by package ort, when its library is
// there, or this module's own inference by package infer.
package latency
