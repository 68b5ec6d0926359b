// Package train trains networks on data of package data and measures what they
// learned.
//
//	r, err := train.Fit(ctx, train.Job{
//		Device: device, Graph: network, Train: set, Valid: held,
//		Recipe:     train.Recipe{Epochs: 20, Schedule: "cosine", Smoothing: 0.1},
//		Checkpoint: "net.checkpoint",
//	})
//	fmt.Println(r.Valid.Accuracy)
//
// A [Recipe] is all that a user may want to say about how; its zero value works. [Fit]
// trains, with a teacher or without, gives batch normalisation exact statistics and
// measures the result. What is random follows from the recipe's seed, the epoch and the
// step, and nothing from the clock or the number of threads, so that the same job gives
// the same bits, and so does one that was cancelled, or killed, and went on from its
// checkpoint. A supernet trains with the same loop: [Job.Pass] replaces what a step
// computes.
//
// A [Worker] trains in a process of its own: the same program, started again, whose main
// begins with [Main]. What goes wrong there, up to the system ending it for want of
// memory, is an error of one call:
//
//	func main() {
//		train.Main(train.Handlers{"fit": fit}) // does not return in a worker
//		…
//		w, err := train.NewWorker(train.WorkerOptions{Memory: 2 << 30, Silence: time.Minute})
//		reply, err := w.Call(ctx, "fit", request, progress)
//	}
//
// A program that does not call Main gives its handlers to NewWorker; they run in its
// own process, with the same calls.
//
// # Sources
//
// Learning rates: Goyal et al. 2017 (warm-up), Loshchilov and Hutter 2017 (cosine), He
// et al. 2016 (steps), Tan and Le 2019 and Yu et al. 2020 (exponential with a constant
// end). Smoothing: Szegedy et al. 2016. Drop-path ramp: Zoph et al. 2018. Decoupled
// decay: Loshchilov and Hutter 2019. Distillation: Hinton et al. 2015. Statistics of
// batch normalisation after training: Yu et al. 2020. The unbiased running mean of
// weights: Kingma and Ba 2015, section 3.
package train
