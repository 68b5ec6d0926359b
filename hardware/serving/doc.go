// Package serving computes how fast, at what power and in how much memory
// accelerators answer with a language model, and simulates the service around
// them: requests that arrive at random, batches that change from step to step,
// memory that runs out.
//
//	model, _ := serving.FindModel("Llama-3.1-8B")
//	h100, _ := serving.FindPlatform("H100")
//	engine, err := serving.New(serving.Deployment{
//		Model: model, Platform: h100, Precision: serving.Uniform(serving.FP8), Parallel: serving.Parallel{TP: 2},
//	})
//	r, err := engine.Decode(16, 2048, 256) // 16 answers, 256 tokens after 2,048 of prompt
//	fmt.Println(r.LatencyMS, r.NeededGB)   // milliseconds a token, GB of an accelerator
//
//	load := serving.Load{RatePerS: 8, Requests: 1000, Prompt: serving.Lengths{Mean: 1024, CV: 1}, Output: serving.Lengths{Mean: 256, CV: 1}}
//	requests, err := load.Draw()
//	report, err := serving.Service{Engine: engine, Replicas: 2}.Run(requests)
//	fmt.Println(report.TTFT.P99, report.TPOT.P50)
//
// # The analytical model
//
// [Engine.Prefill], [Engine.Decode] and [Engine.Chunk] are the model of GenZ
// (Bambhaniya et al., "Demystifying AI Platform Design for Distributed Inference
// of Next-Generation LLM models", arXiv:2406.01698; program
// abhibambhaniya/GenZ-LLM-Analyzer, MIT): every operator takes the larger of its
// time in compute and in memory, collectives are rings, and a pass is the sum.
// They agree with the program's release 0.0.16 to 1e-9 in every number, over 893
// configurations of all 79 models that it can evaluate on all its 13 platforms
// (golden_test.go), at a rate of millions a second instead of a dozen. Units are
// those of the program: 10¹² operations, but 2³⁰ bytes.
//
// What the program does not have, and the zero value of everything leaves out:
// formats that differ between weights, activations, keys and values and
// multiplication ([Precision]); compute in memory for attention ([PIM]); models
// in three tiers of memory ([Composition]); networks beside the experts
// ([Model].SharedFFN). [Deployment].Compat turns back two of its mistakes.
//
// # The event layer
//
// [Service.Run] is a discrete-event simulation of continuous batching. A step
// takes what the analytical model says ([Engine.Step]); between steps a
// [Scheduler] admits, preempts and mixes. With pipeline stages as many batches
// are under way as there are stages. Its tests hold it to what is known: waiting
// times of the queues M/D/1 and M/G/1, Little's law, and the closed form of
// [Service.Saturation].
//
// Everything is deterministic, on every platform.
//
// # Where to start reading
//
// run.go is the model, operator by operator; engine.go what goes in and comes
// out; events.go the simulation; model.go and platform.go the tables and readers.
package serving
