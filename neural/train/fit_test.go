package train

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/data"
	"github.com/daedalus-search/daedalus/neural/nets"
	"github.com/daedalus-search/daedalus/neural/train/engine"
)

// raced is whether the race detector watches, which makes everything several times
// slower.
var raced bool

// learns skips a test that shows how well something learns where time is short.
func learns(t testing.TB) {
	if testing.Short() || raced {
		t.Skip("computes for seconds")
	}
}

func device(t testing.TB, threads int) *engine.Device {
	t.Helper()
	d, err := engine.Open(engine.Config{Backend: "cpu", Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// patches are images of noise with a bright square in one of four quarters, which is
// the class.
func patches(t testing.TB, n int, seed uint64) *data.Set {
	t.Helper()
	const side = 8
	r := rng.New(seed, "train/patches", 0)
	pixels, labels := make([]uint8, n*side*side), make([]int32, n)
	for i := range n {
		image := pixels[i*side*side:][:side*side]
		for k := range image {
			image[k] = uint8(r.IntN(160))
		}
		labels[i] = int32(i % 4)
		top, left := 4*(i%4/2)+r.IntN(2), 4*(i%2)+r.IntN(2)
		for y := range 3 {
			for x := range 3 {
				image[(top+y)*side+left+x] = uint8(120 + r.IntN(136))
			}
		}
	}
	s, err := data.NewImages("patches", side, side, 1, pixels, labels, []string{"tl", "tr", "bl", "br"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// small is a convolutional network for patches.
func small(t testing.TB, channels int, drop float64) *neural.Graph {
	t.Helper()
	b := neural.NewBuilder(fmt.Sprintf("small-%d", channels))
	x := b.Input("image", neural.Shape{1, 8, 8})
	x = b.Named("conv", neural.Conv{Out: channels, Kernel: 3}, x)
	x = b.Named("bn", neural.BatchNorm{}, x)
	x = b.Named("relu", neural.Activation{Func: neural.ReLU}, x)
	x = b.Named("pool", neural.MaxPool{Kernel: 2, Stride: 2, Pad: neural.Valid}, x)
	x = b.Named("flatten", neural.Flatten{}, x)
	if drop > 0 {
		x = b.Named("dropout", neural.Dropout{Rate: drop}, x)
	}
	g, err := b.Build(b.Named("classifier", neural.Linear{Out: 4, Bias: true}, x))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func run(t testing.TB, j Job) *Result {
	t.Helper()
	r, err := Fit(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// same reports whether two results have the same bits.
func same(t testing.TB, a, b *Result) bool {
	t.Helper()
	var x, y bytes.Buffer
	if err := errors.Join(WriteWeights(&x, a.Weights), WriteWeights(&y, b.Weights)); err != nil {
		t.Fatal(err)
	}
	return bytes.Equal(x.Bytes(), y.Bytes()) && reflect.DeepEqual(a.History, b.History) && reflect.DeepEqual(a.Valid, b.Valid)
}

// everything is a job that uses all that depends on randomness or history.
func everything(t testing.TB, d *engine.Device) Job {
	return Job{
		Device: d, Graph: small(t, 4, 0.2),
		Train: patches(t, 256, 1), Valid: patches(t, 100, 2),
		Recipe: Recipe{Epochs: 2.5, Batch: 32, Optimizer: "adamw", Schedule: "linear", Warmup: 0.5, WeightDecay: 0.01, Smoothing: 0.1, DropRamp: true, EMA: 0.9, Clip: 1, Augment: []string{"crop 1"}, Mixup: 0.4, CutMix: 1, Balance: true, Calibrate: 64, Seed: 3},
		Epoch:  func(Epoch) error { return nil },
	}
}

// A convolutional network learns where the square is, with each kind of optimizer: at
// least 97 % of images that it never saw, where guessing gives 25 %.
func TestFitLearns(t *testing.T) {
	t.Parallel()
	learns(t)
	d := device(t, 0)
	for name, r := range map[string]Recipe{
		"defaults": {Epochs: 4},
		"momentum": {Epochs: 4, Optimizer: "momentum", Schedule: "step", Smoothing: 0.1},
		"adamw":    {Epochs: 4, Optimizer: "adamw", LearningRate: 0.01, WeightDecay: 0.01, EMA: 0.95},
	} {
		got := run(t, Job{Device: d, Graph: small(t, 8, 0), Train: patches(t, 1024, 1), Valid: patches(t, 400, 2), Recipe: r})
		if got.Valid == nil || got.Valid.Accuracy < 0.97 || got.Valid.Count != 400 || got.Steps != 64 || got.Epochs != 4 {
			t.Errorf("%s: %+v after %d steps, want an accuracy of at least 0.97", name, got.Valid, got.Steps)
		}
		if err := got.Weights.Check(small(t, 8, 0)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if len(got.History) != 4 || !(got.History[3].Loss < got.History[0].Loss) || got.History[3].Valid != got.Valid || got.History[2].Valid != nil {
			t.Errorf("%s: history %+v", name, got.History)
		}
	}
}

// A network for tables learns a sum of products: it explains at least 95 % of the
// variance, and its error is in the unit of the target.
func TestFitRegression(t *testing.T) {
	t.Parallel()
	learns(t)
	table := func(n int, seed uint64) *data.Set {
		r := rng.New(seed, "train/table", 0)
		rows := data.Rows{NumberCols: []data.Column{{Name: "a"}, {Name: "b"}, {Name: "c"}}, TargetCols: []string{"y"}}
		for range n {
			a, b, c := rng.Norm(r), rng.Norm(r), rng.Norm(r)
			rows.Numbers = append(rows.Numbers, float32(100*a), float32(b+5), float32(c))
			rows.Targets = append(rows.Targets, float32(1000+40*(a*b+c)))
		}
		s, err := data.NewTable("sums", rows)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	g, err := nets.MLP{Numbers: 3, Hidden: []int{32, 32}, Out: 1}.Graph()
	if err != nil {
		t.Fatal(err)
	}
	valid := table(300, 2)
	got := run(t, Job{Device: device(t, 0), Graph: g, Train: table(2000, 1), Valid: valid, Recipe: Recipe{Epochs: 15, Optimizer: "adamw", LearningRate: 0.01}})
	m := got.Valid
	// The deviation of the target is 40·√2 = 57.
	if m.R2 < 0.95 || m.RMSE > 57*math.Sqrt(1-0.95)*1.2 || m.RMSE < 0.1 || m.Accuracy != 0 || len(m.Errors) != 1 || m.Errors[0] != m.RMSE {
		t.Errorf("found %+v, want an R² of at least 0.95", m)
	}
	// What RMSE and R² say of the outputs themselves.
	scale := table(2000, 1).Scale()
	out, err := Logits(t.Context(), got.Net, valid, scale, 64)
	if err != nil {
		t.Fatal(err)
	}
	var errs, absolute, all, mean float64
	for i := range valid.Len() {
		_, _, y := valid.Row(i)
		mean += float64(y[0]) / float64(valid.Len())
	}
	for i, x := range out {
		_, _, y := valid.Row(i)
		e := float64(x)*float64(scale.TargetStd[0]) + float64(scale.TargetMean[0]) - float64(y[0])
		errs += e * e
		absolute += math.Abs(e) / float64(valid.Len())
		all += math.Pow(float64(y[0])-mean, 2)
	}
	if want := math.Sqrt(errs / float64(valid.Len())); math.Abs(m.RMSE-want) > 1e-3*want || math.Abs(m.R2-(1-errs/all)) > 1e-4 || math.Abs(m.MAE-absolute) > 1e-3*absolute {
		t.Errorf("RMSE %v, R² %v and MAE %v, want %v, %v and %v", m.RMSE, m.R2, m.MAE, want, 1-errs/all, absolute)
	}
}

// A network of bigrams learns a text in which every token follows from the one before.
func TestFitText(t *testing.T) {
	t.Parallel()
	learns(t)
	r := rng.New(1, "train/text", 0)
	tokens := make([]uint16, 12_000)
	next := [8]uint16{3, 0, 7, 5, 1, 2, 4, 6} // one cycle but for a jump
	for i := 1; i < len(tokens); i++ {
		if tokens[i] = next[tokens[i-1]]; r.IntN(10) == 0 {
			tokens[i] = uint16(r.IntN(8))
		}
	}
	names := strings.Split("abcdefgh", "")
	s, err := data.NewText("cycle", 12, tokens, names)
	if err != nil {
		t.Fatal(err)
	}
	parts, err := s.Split(0, 0.8, 0.2)
	if err != nil {
		t.Fatal(err)
	}
	b := neural.NewBuilder("bigram")
	x := b.Named("tokens", neural.Input{Shape: neural.Shape{12}, Below: 8})
	x = b.Named("embedding", neural.Embedding{Size: 8, Out: 16}, x)
	g, err := b.Build(b.Named("logits", neural.Linear{Out: 8, Bias: true}, x))
	if err != nil {
		t.Fatal(err)
	}
	m := run(t, Job{Device: device(t, 0), Graph: g, Train: parts[0], Valid: parts[1], Recipe: Recipe{Epochs: 4, Batch: 16, Optimizer: "adamw", LearningRate: 0.03}}).Valid
	// Nine in ten tokens, and an eighth of the others, are the next of the cycle. The
	// entropy is that of (0.9125, 7 × 0.0125): 0.671 bits.
	if m.Accuracy < 0.89 || m.Accuracy > 0.93 || m.BitsPerToken() < 0.6 || m.BitsPerToken() > 0.75 || m.Count != parts[1].Len()*12 {
		t.Errorf("found %+v, %.3f bits a token, want about 0.91 and 0.67", m, m.BitsPerToken())
	}
	if p := m.Perplexity(); math.Abs(math.Log2(p)-m.BitsPerToken()) > 1e-12 {
		t.Errorf("the perplexity is %v with %v bits", p, m.BitsPerToken())
	}
}

// The same seed gives the same bits with any number of threads; another seed does not.
func TestFitIsReproducible(t *testing.T) {
	t.Parallel()
	first := run(t, everything(t, device(t, 1)))
	for _, threads := range []int{2, 5} {
		if !same(t, first, run(t, everything(t, device(t, threads)))) {
			t.Errorf("with %d threads the result is another", threads)
		}
	}
	j := everything(t, device(t, 1))
	j.Recipe.Seed++
	if same(t, first, run(t, j)) {
		t.Error("another seed gives the same result")
	}
	// Looking does not change what is seen.
	j = everything(t, device(t, 1))
	j.Epoch, j.Progress = nil, func(Progress) {}
	if got := run(t, j); !reflect.DeepEqual(got.Weights, first.Weights) {
		t.Error("measuring between epochs changes the result")
	}
}

// Wherever a training is cancelled, going on from its checkpoint gives the bits of one
// that was not.
func TestFitResumes(t *testing.T) {
	t.Parallel()
	want := run(t, everything(t, device(t, 1)))
	for _, optimizer := range []string{"adamw", "sgd"} {
		cases := [][]int64{{1}, {7, 8, 9}, {16, 20}, {19}, {20}} // 8 steps an epoch, 20 in all
		if optimizer == "sgd" {
			j := everything(t, device(t, 1))
			j.Recipe.Optimizer = optimizer
			want = run(t, j)
			cases = cases[1:2]
		} else if raced || testing.Short() {
			cases = cases[1:3]
		}
		for _, at := range cases {
			path := filepath.Join(t.TempDir(), "net.checkpoint")
			var told []Epoch
			for attempt := 0; ; attempt++ {
				ctx, cancel := context.WithCancel(t.Context())
				d := device(t, 1+attempt%2)
				j := everything(t, d)
				j.Recipe.Optimizer = optimizer
				j.Checkpoint = path
				told = nil
				j.Epoch = func(e Epoch) error { told = append(told, e); return nil }
				j.Pass = func(p *Pass) (engine.Score, error) {
					if attempt < len(at) && p.Step+1 == at[attempt] {
						cancel()
					}
					n, err := p.Params.Net(j.Graph)
					if err != nil {
						return engine.Score{}, err
					}
					return n.Gradient(p.Batch, p.Loss, p.Noise, p.Gradient)
				}
				got, err := Fit(ctx, j)
				cancel()
				if attempt < len(at) {
					if !errors.Is(err, context.Canceled) {
						t.Fatalf("cancelled at step %d: %v", at[attempt], err)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				if !same(t, want, got) || !reflect.DeepEqual(told, want.History) {
					t.Errorf("%s, cancelled at the steps %v: another result; it was told %+v, want %+v", optimizer, at, told, want.History)
				}
				break
			}
		}
	}
}

// A training that has ended is not done again, and one that was stopped stays stopped.
func TestFitGoesOnFromTheEnd(t *testing.T) {
	t.Parallel()
	d := device(t, 1)
	for name, epoch := range map[string]func(Epoch) error{
		"ended": func(Epoch) error { return nil },
		"stopped": func(e Epoch) error {
			if e.Epoch == 1 {
				return ErrStop
			}
			return nil
		},
	} {
		j := everything(t, d)
		j.Epoch = epoch
		j.Checkpoint = filepath.Join(t.TempDir(), "net.checkpoint")
		first := run(t, j)
		if name == "stopped" && (first.Steps != 8 || !first.Stopped || len(first.History) != 1) || name == "ended" && first.Stopped {
			t.Errorf("%s: after %d steps, stopped %v", name, first.Steps, first.Stopped)
		}
		j.Pass = func(p *Pass) (engine.Score, error) { return engine.Score{}, errors.New("one step more") }
		if again := run(t, j); !same(t, first, again) || again.Steps != first.Steps {
			t.Errorf("%s: another result", name)
		}
	}
}

func TestFitStops(t *testing.T) {
	t.Parallel()
	d := device(t, 1)
	pruned := errors.New("pruned")
	j := everything(t, d)
	seen := 0
	j.Epoch = func(e Epoch) error {
		if seen++; e.Valid == nil || e.Valid.Count != 100 || e.Epoch != float64(seen) {
			t.Errorf("epoch %d: %+v", seen, e)
		}
		if seen == 2 {
			return fmt.Errorf("epoch %d: %w", seen, pruned)
		}
		return nil
	}
	if r, err := Fit(t.Context(), j); !errors.Is(err, pruned) || r != nil || seen != 2 {
		t.Errorf("Fit = %v, %v after %d epochs", r, err, seen)
	}
	// Half an epoch is enough to judge by.
	var at []int64
	j.EpochEvery = 0.5
	j.Epoch = func(e Epoch) error { at = append(at, e.Step); return nil }
	if r := run(t, j); fmt.Sprint(at) != "[4 8 12 16 20]" || len(r.History) != 5 {
		t.Errorf("measured after the steps %v", at)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r, err := Fit(ctx, j); err != context.Canceled || r != nil {
		t.Errorf("Fit = %v, %v, want that it was cancelled", r, err)
	}
	// While it measures too.
	ctx, cancel = context.WithCancel(t.Context())
	j.EpochEvery = 0
	j.Epoch = func(Epoch) error { t.Error("an epoch was told"); return nil }
	j.Clock = func() time.Time { return time.Unix(0, 0) }
	steps := 0
	j.Pass = func(p *Pass) (engine.Score, error) {
		if steps++; steps == 8 {
			cancel()
		}
		n, err := p.Params.Net(j.Graph)
		if err != nil {
			return engine.Score{}, err
		}
		return n.Gradient(p.Batch, p.Loss, p.Noise, p.Gradient)
	}
	if _, err := Fit(ctx, j); !errors.Is(err, context.Canceled) || steps != 8 {
		t.Errorf("Fit = %v after %d steps", err, steps)
	}
}

// A loss that is no number ends the training, and says where.
func TestFitDiverges(t *testing.T) {
	t.Parallel()
	j := Job{Device: device(t, 1), Graph: small(t, 4, 0), Train: patches(t, 256, 1), Recipe: Recipe{Batch: 32, Optimizer: "plain", LearningRate: 1000, Schedule: "constant", WeightDecay: 10}}
	_, err := Fit(t.Context(), j)
	var e *DivergedError
	if !errors.Is(err, ErrDiverged) || !errors.As(err, &e) || e.Epoch != (e.Step-1)/8+1 || e.Steps != 80 || e.LearningRate != 1000 {
		t.Fatalf("Fit = %v (%+v)", err, e)
	}
	if want := fmt.Sprintf("epoch %d, step %d of 80", e.Epoch, e.Step); !strings.Contains(err.Error(), want) {
		t.Errorf("the error is %v, want %q in it", err, want)
	}
	j.Recipe = Recipe{Batch: 32}
	j.Pass = func(p *Pass) (engine.Score, error) {
		if p.Step == 11 {
			return engine.Score{Loss: math.NaN()}, nil
		}
		return engine.Score{Loss: 1}, nil
	}
	if _, err := Fit(t.Context(), j); !strings.Contains(fmt.Sprint(err), "epoch 2, step 12 of 80: the loss is NaN") {
		t.Errorf("Fit = %v", err)
	}
}

// Too little memory is an error that says so and leaves everything usable.
func TestFitOutOfMemory(t *testing.T) {
	t.Parallel()
	d, err := engine.Open(engine.Config{Backend: "cpu", Memory: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	_, err = Fit(t.Context(), Job{Device: d, Graph: small(t, 16, 0), Train: patches(t, 256, 1), Recipe: Recipe{Batch: 256}})
	if !errors.Is(err, engine.ErrMemory) || !strings.Contains(err.Error(), "smaller") || !strings.Contains(err.Error(), "batches of 256") {
		t.Errorf("Fit = %v", err)
	}
	if _, err := Fit(t.Context(), Job{Device: d, Graph: small(t, 1, 0), Train: patches(t, 16, 1), Recipe: Recipe{Batch: 2, Epochs: 1}}); err != nil {
		t.Errorf("a small network after a large one: %v", err)
	}
}

// A student of a good teacher is better than one of few labels; stored logits do what
// a teacher at hand does.
func TestDistillation(t *testing.T) {
	t.Parallel()
	learns(t)
	d := device(t, 0)
	train, valid := patches(t, 256, 1), patches(t, 400, 2)
	teacher := run(t, Job{Device: d, Graph: small(t, 12, 0), Train: patches(t, 1024, 5), Valid: valid, Recipe: Recipe{Epochs: 4}, Scale: train.Scale()})
	// Labels of the student are wrong; only the teacher is right.
	pixels, labels := []uint8(nil), []int32(nil)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range train.Len() {
		pixels, labels = append(pixels, train.Image(i)...), append(labels, int32(r.IntN(4)))
	}
	wrong, err := data.NewImages("wrong", 8, 8, 1, pixels, labels, train.Classes)
	if err != nil {
		t.Fatal(err)
	}
	j := Job{Device: d, Graph: small(t, 8, 0), Train: wrong, Valid: valid, Recipe: Recipe{Epochs: 12, Distill: 1, Temperature: 2}, Teacher: teacher.Net}
	live := run(t, j)
	if live.Valid.Accuracy < 0.9 {
		t.Errorf("by the teacher alone, whose accuracy is %v, the student's is %v, want at least 0.9", teacher.Valid.Accuracy, live.Valid.Accuracy)
	}
	j.Teacher = nil
	if alone := run(t, j); alone.Valid.Accuracy > 0.6 {
		t.Errorf("by wrong labels alone the accuracy is %v", alone.Valid.Accuracy)
	}
	if j.TeacherLogits, err = Logits(t.Context(), teacher.Net, wrong, wrong.Scale(), 50); err != nil {
		t.Fatal(err)
	}
	stored := run(t, j)
	for name, w := range live.Weights {
		for i, x := range w {
			if y := stored.Weights[name][i]; math.Abs(float64(x-y)) > 1e-3 {
				t.Fatalf("weight %s %d is %v with a teacher and %v with its logits", name, i, x, y)
			}
		}
	}
	j.TeacherLogits = j.TeacherLogits[1:]
	if _, err := Fit(t.Context(), j); err == nil || !strings.Contains(err.Error(), "teacher's logits: found 1023 numbers, want 1024 for 256 examples") {
		t.Errorf("too few logits gave %v", err)
	}
}

// The running mean of the weights is what its definition says.
func TestEMA(t *testing.T) {
	t.Parallel()
	const decay = 0.8
	d := device(t, 1)
	g := small(t, 2, 0)
	j := Job{Device: d, Graph: g, Train: patches(t, 64, 1), Recipe: Recipe{Epochs: 3, Batch: 16, EMA: decay}}
	var seen []neural.Weights // before each step
	j.Pass = func(p *Pass) (engine.Score, error) {
		w, err := p.Params.Weights()
		if err != nil {
			return engine.Score{}, err
		}
		seen = append(seen, w)
		n, err := p.Params.Net(g)
		if err != nil {
			return engine.Score{}, err
		}
		return n.Gradient(p.Batch, p.Loss, p.Noise, p.Gradient)
	}
	got := run(t, j)
	j.Recipe.EMA = 0
	last := run(t, Job{Device: d, Graph: g, Train: j.Train, Recipe: j.Recipe})
	seen = append(seen, last.Weights)
	for _, name := range []string{"conv/weight", "bn/scale", "classifier/bias"} {
		if got.Weights[name] == nil {
			t.Fatalf("no weight %s", name)
		}
		for i, x := range got.Weights[name] {
			mean, total := 0.0, 0.0
			for k, w := range seen[1:] {
				share := math.Pow(decay, float64(len(seen)-2-k))
				mean += share * float64(w[name][i])
				total += share
			}
			if want := mean / total; math.Abs(float64(x)-want) > 1e-6 {
				t.Fatalf("%s %d is %v, want %v", name, i, x, want)
			}
		}
	}
}

// Statistics for inference are those of training examples, not of batches that came by.
func TestFitCalibrates(t *testing.T) {
	t.Parallel()
	d := device(t, 1)
	g := small(t, 4, 0)
	set := patches(t, 300, 1)
	got := run(t, Job{Device: d, Graph: g, Train: set, Recipe: Recipe{Epochs: 1, Augment: []string{"crop 2"}}})
	// The mean before batch normalisation, of all images.
	l, err := set.Loader(data.Options{Batch: 300, Scale: set.Scale()})
	if err != nil {
		t.Fatal(err)
	}
	b := l.NewBatch()
	l.Fill(b, 0, 0)
	w := got.Weights["conv/weight"]
	for c := range 4 {
		sum := 0.0
		for i := range 300 {
			image := b.Inputs[0][i*64:][:64]
			for y := range 8 {
				for x := range 8 {
					for ky := range 3 {
						for kx := range 3 {
							if yy, xx := y+ky-1, x+kx-1; yy >= 0 && yy < 8 && xx >= 0 && xx < 8 {
								sum += float64(w[c*9+ky*3+kx]) * float64(image[yy*8+xx])
							}
						}
					}
				}
			}
		}
		if want, found := sum/(300*64), float64(got.Weights["bn/mean"][c]); math.Abs(found-want) > 1e-4 {
			t.Errorf("the mean of channel %d is %v, want %v", c, found, want)
		}
	}
}

// A supernet's step can compute what it likes, and its networks share the parameters.
func TestPassOfSeveralNetworks(t *testing.T) {
	t.Parallel()
	learns(t)
	d := device(t, 1)
	large, narrow := small(t, 8, 0), small(t, 4, 0)
	// The narrow network's classifier reads the first pixels of the large one's.
	params, err := d.Params(large, large.Initial(rng.New(1, "test", 0)))
	if err != nil {
		t.Fatal(err)
	}
	valid := patches(t, 200, 2)
	j := Job{Params: params, Graph: large, Train: patches(t, 512, 1), Valid: valid, Recipe: Recipe{Epochs: 6}}
	j.Pass = func(p *Pass) (score engine.Score, err error) {
		for _, g := range []*neural.Graph{narrow, large} {
			n, err := p.Params.Net(g)
			if err != nil {
				return score, err
			}
			if score, err = n.Gradient(p.Batch, p.Loss, p.Noise, p.Gradient); err != nil {
				return score, err
			}
		}
		return score, nil
	}
	got := run(t, j)
	if got.Params != params || got.Valid.Accuracy < 0.9 {
		t.Errorf("the large network: %+v", got.Valid)
	}
	n, err := params.Net(narrow)
	if err != nil {
		t.Fatal(err)
	}
	if err := Recalibrate(t.Context(), n, narrow, j.Train, j.Train.Scale(), 512, 64, 0); err != nil {
		t.Fatal(err)
	}
	m, err := Evaluate(t.Context(), n, valid, j.Train.Scale(), 64)
	if err != nil || m.Accuracy < 0.9 {
		t.Errorf("the narrow network: %+v, %v", m, err)
	}
}

// Checkpoints come as often as they should, and a full disk is no silent matter.
func TestFitCheckpoints(t *testing.T) {
	t.Parallel()
	d := device(t, 1)
	dir := t.TempDir()
	j := everything(t, d)
	j.Checkpoint = filepath.Join(dir, "net.checkpoint")
	j.CheckpointSteps = 6
	now := time.Unix(0, 0)
	j.Clock = func() time.Time { return now }
	var at []int64
	look := func(p *Pass) {
		s, err := os.ReadFile(j.Checkpoint)
		if err != nil {
			return
		}
		if got, err := readSnapshot(s); err != nil {
			t.Error(err)
		} else if len(at) == 0 || at[len(at)-1] != got.Step {
			at = append(at, got.Step)
		}
	}
	plain := func(p *Pass) (engine.Score, error) {
		n, err := p.Params.Net(j.Graph)
		if err != nil {
			return engine.Score{}, err
		}
		return n.Gradient(p.Batch, p.Loss, p.Noise, p.Gradient)
	}
	j.Pass = func(p *Pass) (engine.Score, error) {
		look(p)
		if p.Step == 8 {
			now = now.Add(2 * time.Minute)
		}
		return plain(p)
	}
	run(t, j)
	look(nil)
	if fmt.Sprint(at) != "[6 9 12 18 20]" {
		t.Errorf("checkpoints after the steps %v, want every sixth, one after two minutes, and the end", at)
	}

	j.Recipe.Seed++
	if _, err := Fit(t.Context(), j); !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), "recipe: seed") {
		t.Errorf("another training's checkpoint gave %v", err)
	}
	j.Recipe.Seed--
	j.Graph = small(t, 5, 0.2)
	if _, err := Fit(t.Context(), j); !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), "network: found small-4") {
		t.Errorf("another network's checkpoint gave %v", err)
	}
	j.Graph = small(t, 4, 0.2)
	j.Train = patches(t, 256, 9)
	if _, err := Fit(t.Context(), j); !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), "training examples: found patches") {
		t.Errorf("other data's checkpoint gave %v", err)
	}

	j.Train = patches(t, 256, 1)
	j.Scale = patches(t, 256, 9).Scale()
	if _, err := Fit(t.Context(), j); !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), "training examples: found patches") {
		t.Errorf("the checkpoint of another scale gave %v", err)
	}
	j.Scale = nil

	j.Checkpoint = filepath.Join(dir, "missing", "net.checkpoint")
	j.Pass = plain
	var e *CheckpointError
	if _, err := Fit(t.Context(), j); !errors.As(err, &e) {
		t.Errorf("without a folder for checkpoints: %v", err)
	}
	warnings := 0
	j.Warn = func(error) { warnings++ }
	if run(t, j); warnings != 4 {
		t.Errorf("%d warnings, want one for each checkpoint", warnings)
	}
}

func TestFitReportsProgress(t *testing.T) {
	t.Parallel()
	j := everything(t, device(t, 1))
	now := time.Unix(0, 0)
	j.Clock = func() time.Time { now = now.Add(50 * time.Millisecond); return now }
	var all []Progress
	j.Progress = func(p Progress) { all = append(all, p) }
	got := run(t, j)
	last := all[len(all)-1]
	if len(all) < 8 || last.Step != 20 || last.Steps != 20 || last.Epoch != 2.5 || last.Remaining != 0 || last.LearningRate != got.History[2].LearningRate {
		t.Errorf("%d reports, the last is %+v", len(all), last)
	}
	if p := all[1]; p.PerSecond <= 0 || p.Remaining <= 0 || p.Loss <= 0 {
		t.Errorf("the second report is %+v", p)
	}
}

func TestFitChecksTheJob(t *testing.T) {
	t.Parallel()
	d := device(t, 1)
	g, set := small(t, 2, 0), patches(t, 16, 1)
	other, err := nets.LeNet5{}.Graph()
	if err != nil {
		t.Fatal(err)
	}
	three, err := data.NewImages("three", 8, 8, 1, make([]uint8, 3*64), []int32{0, 1, 2}, []string{"a", "b", "c"})
	if err != nil {
		t.Fatal(err)
	}
	empty, err := data.NewImages("empty", 8, 8, 1, make([]uint8, 3*64), []int32{0, 1, 2}, []string{"a", "b", "c", "d"})
	if err != nil {
		t.Fatal(err)
	}
	for want, j := range map[string]Job{
		"found no device":   {Graph: g, Train: set},
		"found no network":  {Device: d, Train: set},
		"found no examples": {Device: d, Graph: g},
		"learning_rate":     {Device: d, Graph: g, Train: set, Recipe: Recipe{LearningRate: -1}},
		"input 1: found the shape 1×28×28, want 1×8×8 for patches": {Device: d, Graph: other, Train: set},
		"output of the shape 4, want 3":                            {Device: d, Graph: g, Train: three},
		"weight \"bn/scale\" (2) is missing":                       {Device: d, Graph: g, Train: set, Start: neural.Weights{"conv/weight": make([]float32, 18)}},
		"every -1 epochs":                                          {Device: d, Graph: g, Train: set, EpochEvery: -1},
		"want neither negative":                                    {Device: d, Graph: g, Train: set, CheckpointSteps: -1},
		"no example of d":                                          {Device: d, Graph: g, Train: empty},
		"crop 100":                                                 {Device: d, Graph: g, Train: set, Recipe: Recipe{Augment: []string{"crop 100"}}},
	} {
		if _, err := Fit(t.Context(), j); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Fit = %v, want %q in it", err, want)
		}
	}
	n, err := Fit(t.Context(), Job{Device: d, Graph: g, Train: set, Recipe: Recipe{Epochs: 1}})
	if err != nil {
		t.Fatal(err)
	}
	if n.Valid != nil {
		t.Errorf("measured %+v on nothing", n.Valid)
	}
}
