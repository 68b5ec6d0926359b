package problem

import "context"

// Trial says on behalf of which trial an evaluation runs, for evaluators that
// log it, name files after it or derive a seed from it.
type Trial struct {
	Study   string
	Number  int64
	Attempt int    // 1-based
	Seed    uint64 // of this trial; the same for every attempt

	// Checkpoint is a folder that belongs to the design: a [Resumer] finds there
	// what earlier evaluations of it left behind. It exists, and may be empty;
	// "" means that there is none.
	Checkpoint string
}

type trialKey struct{}

// WithTrial returns a context that carries t.
func WithTrial(ctx context.Context, t Trial) context.Context {
	return context.WithValue(ctx, trialKey{}, t)
}

// TrialOf returns the trial that ctx carries, if any.
func TrialOf(ctx context.Context) (Trial, bool) {
	t, ok := ctx.Value(trialKey{}).(Trial)
	return t, ok
}
