package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural/data"
	"github.com/daedalus-search/daedalus/neural/supernet"
	"github.com/daedalus-search/daedalus/neural/train"
	"github.com/daedalus-search/daedalus/neural/train/engine"
)

func must[T any](x T, err error) T {
	if err != nil {
		panic(err)
	}
	return x
}

// spots are images with a bright spot whose place says the class.
func spots(seed uint64, n int) *data.Set {
	r := rng.New(seed, "spots", 0)
	pixels, labels := make([]uint8, n*784), make([]int32, n)
	for i := range n {
		labels[i] = int32(i % 10)
		for p := range 784 {
			y, x := float64(p/28-5-18*(i%10/5)), float64(p%28-4-5*(i%5))
			pixels[784*i+p] = uint8(min(220*math.Exp(-(x*x+y*y)/8)+20*r.Float64(), 255))
		}
	}
	return must(data.NewImages("spots", 28, 28, 1, pixels, labels, classes))
}

// small is a setup of a few steps with five networks.
func small(t testing.TB, steps int) *setup {
	t.Helper()
	s := must(family())
	table := &truth{designs: must(drawn(s, 5))}
	for i := range table.designs {
		table.Networks = append(table.Networks, known{Accuracy: []float64{float64(90 - i)}})
	}
	e, err := newSetup(s, spots(1, 512), spots(2, block), table, choice{steps: steps, batch: 64, nets: 4, calibrate: block, valid: block, rate: 0.05, seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func device(t testing.TB, threads int) *engine.Device {
	t.Helper()
	d, err := engine.Open(engine.Config{Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// What is timed here is what supernet.Train does, to the bit.
func TestRunIsTheSupernetsTraining(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("trains a supernet twice")
	}
	e, dev := small(t, 6), device(t, 1)
	start := must(weightsOf(e.s, e.recipe.Seed))
	r, got, err := e.run(t.Context(), dev, start, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	trained, err := supernet.Train(t.Context(), supernet.Job{
		Supernet: e.s, Device: dev, Train: e.learn, Residual: true,
		Phases: []supernet.Phase{{Sampler: e.sampler(), Teaching: supernet.InPlace, Recipe: e.recipe}},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := must(trained.Params.Weights())
	for name, w := range got {
		if !slices.Equal(w, want[name]) {
			t.Errorf("%s differs from what supernet.Train makes of it", name)
		}
	}
	all := &supernet.Evaluator{Supernet: e.s, Params: trained.Params, Train: e.learn, Valid: e.valid, Calibrate: block, Seed: e.recipe.Seed}
	last := r.Curve[len(r.Curve)-1]
	for i, d := range e.truth.designs {
		if m := must(all.Evaluate(t.Context(), d)); 100*m.Accuracy != last.Accuracy[i] {
			t.Errorf("network %d: accuracy %v, want %v", i+1, last.Accuracy[i], 100*m.Accuracy)
		}
	}
	if last.Step != 6 || last.Loss <= 0 || last.Loss >= r.Curve[0].Loss || r.Train.Wall <= 0 || r.WarmUp.Wall <= 0 || r.Evaluate.Wall <= 0 {
		t.Errorf("found the result %+v", r)
	}
}

// Both programs compute the same: outputs of sub-networks, losses of all steps, weights
// behind them, accuracies and rank correlation. Numbers agree to rounding until one
// comes to stand on the other side of a ReLU's zero, which changes all gradients before
// it by up to a hundredth. Anything that is computed otherwise changes them by more.
//
//	DAEDALUS_TORCH=path/to/python go test -v -run PyTorch ./bench/gpu
func TestPyTorchComputesTheSame(t *testing.T) {
	t.Parallel()
	python := os.Getenv("DAEDALUS_TORCH")
	if python == "" {
		t.Skip("set DAEDALUS_TORCH to a Python interpreter that has torch and numpy")
	}
	for _, mode := range []string{"eager", "compile"} {
		if mode == "compile" && os.Getenv("DAEDALUS_TORCH_COMPILE") == "" {
			continue // takes minutes, and a C++ compiler
		}
		t.Run(mode, func(t *testing.T) {
			e, dev := small(t, 3), device(t, 1)
			e.recipe.WeightDecay = 0.05                                 // so that it matters in so few steps
			start := must(e.s.Initial(rng.New(5, "weights", 0), false)) // no branch is switched off
			r := rng.New(6, "weights", 0)
			for _, x := range e.s.All().AllWeights() {
				if !x.State { // no two weights are equal
					for i := range start[x.Name] {
						start[x.Name][i] += float32(0.05 * rng.Norm(r))
					}
				}
			}
			folder := t.TempDir()
			files := must(e.files(start))
			if err := writePlan(folder, files); err != nil {
				t.Fatal(err)
			}
			out, dumped := filepath.Join(folder, "out.json"), filepath.Join(folder, "dump.json")
			cmd := exec.CommandContext(t.Context(), python, "torch_supernet.py", "--plan", folder, "--mode", mode, "--device", "cpu", "--threads", "1", "--out", out, "--dump", dumped)
			if text, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			var dump struct {
				Outputs [][]float32
				Losses  []float64
				Weights [][]float32
			}
			var theirs result
			for path, to := range map[string]any{out: &theirs, dumped: &dump} {
				if err := json.Unmarshal(must(os.ReadFile(path)), to); err != nil {
					t.Fatal(err)
				}
			}

			m := must(e.machine(dev, start))
			for i, d := range e.truth.designs {
				far(t, "outputs of network "+d.String(), must(outputs(t.Context(), m, i)), dump.Outputs[i], 1e-4)
			}
			ours, got, err := e.run(t.Context(), dev, start, io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			if len(dump.Losses) != e.steps || theirs.Plan != planDigest(files) || len(theirs.Curve) != len(ours.Curve) {
				t.Fatalf("found %d losses, the plan %s and %d points, want %d, %s and %d", len(dump.Losses), theirs.Plan, len(theirs.Curve), e.steps, planDigest(files), len(ours.Curve))
			}
			for i, p := range ours.Curve {
				if q := theirs.Curve[i]; q.Step != p.Step || math.Abs(q.Loss-p.Loss) > 1e-3 {
					t.Errorf("step %d: loss %v, of PyTorch at step %d %v", p.Step, p.Loss, q.Step, q.Loss)
				}
				for k, x := range p.Accuracy {
					if math.Abs(theirs.Curve[i].Accuracy[k]-x) > 100*2.5/block {
						t.Errorf("step %d, network %d: accuracy %v, of PyTorch %v", p.Step, k+1, x, theirs.Curve[i].Accuracy[k])
					}
				}
				// its own rank correlation is ours of its accuracies
				k, want := theirs.Curve[i].Kendall, e.truth.kendall(theirs.Curve[i].Accuracy)
				if (k == nil) != (want == nil) || k != nil && math.Abs(*k-*want) > 1e-12 {
					t.Errorf("step %d: Kendall %s, want %s", p.Step, number(k), number(want))
				}
			}
			at := 0
			for _, x := range e.s.All().AllWeights() {
				if !x.State {
					diff, moved := apart(got[x.Name], dump.Weights[at]), apart(got[x.Name], start[x.Name])
					t.Logf("weight %s moved by %.1e, differs by %.1e", x.Name, moved, diff)
					// scales and shifts before a convolution that is normalised again hardly move
					if diff > 0.05*moved+1e-6 || moved < 1e-4 && !strings.Contains(x.Name, "_bn/") {
						t.Errorf("weight %s moved by %g and differs by %g, want a twentieth at most", x.Name, moved, diff)
					}
					at++
				}
			}
		})
	}
}

// outputs are those of network i on the first block of images.
func outputs(ctx context.Context, m *machine, i int) ([]float32, error) {
	e := m.e
	n, err := m.net(e.truth.designs[i])
	if err != nil {
		return nil, err
	}
	if err := train.Recalibrate(ctx, n, n.Graph(), e.steady, e.learn.Scale(), e.steady.Len(), block, 0); err != nil {
		return nil, err
	}
	l, err := e.valid.Loader(data.Options{Batch: block, Scale: e.learn.Scale()})
	if err != nil {
		return nil, err
	}
	b := l.NewBatch()
	l.Fill(b, 0, 0)
	out, err := n.Forward(&engine.Batch{N: b.N, Inputs: b.Inputs})
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// far reports numbers that differ by more than a share of the largest.
func far(t *testing.T, what string, got, want []float32, most float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: found %d numbers, want %d", what, len(got), len(want))
		return
	}
	large, diff := apart(want, make([]float32, len(want))), apart(got, want)
	t.Logf("%s: differs by %.1e of %.3g", what, diff, large)
	if !(diff <= most*large) || large == 0 {
		t.Errorf("%s: differs by %g of %g, want at most %g of it", what, diff, large, most)
	}
}

// apart is the largest difference between two lists of numbers.
func apart(a, b []float32) (most float64) {
	for i, x := range a {
		most = max(most, math.Abs(float64(x)-float64(b[i])))
	}
	return most
}

// A plan is the same for the same choices, and another for any other.
func TestPlan(t *testing.T) {
	t.Parallel()
	e := small(t, 8)
	w := must(weightsOf(e.s, 1))
	first := planDigest(must(e.files(w)))
	if again := planDigest(must(small(t, 8).files(w))); again != first {
		t.Errorf("found the plans %s and %s for the same choices", first, again)
	}
	if other := planDigest(must(small(t, 9).files(w))); other == first {
		t.Error("found the same plan for another number of steps")
	}
	if other := planDigest(must(e.files(must(weightsOf(e.s, 2))))); other == first {
		t.Error("found the same plan for other weights")
	}
	// only the networks that are trained are in it, the largest and the smallest always
	var p struct{ Steps []planStep }
	if err := json.Unmarshal(must(e.files(w))["plan.json"], &p); err != nil {
		t.Fatal(err)
	}
	for i, s := range p.Steps {
		if len(s.Networks) != 4 || s.Networks[0] != 0 || s.Networks[1] != 1 || slices.Max(s.Networks) >= e.trained || min(s.Networks[2], s.Networks[3]) < 2 {
			t.Errorf("step %d trains the networks %v", i+1, s.Networks)
		}
	}
}

func TestChoices(t *testing.T) {
	t.Parallel()
	e := small(t, 8)
	good := choice{steps: 8, batch: 64, nets: 4, calibrate: block, valid: block, rate: 0.05}
	for want, change := range map[string]func(*choice){
		"-steps: found 0":                    func(c *choice) { c.steps = 0 },
		"-batch: found 513, want 1 to 512":   func(c *choice) { c.batch = 513 },
		"-nets: found 2, want 3 to 5":        func(c *choice) { c.nets = 2 },
		"-every: found 9":                    func(c *choice) { c.every = 9 },
		"-calibrate: found 300, want a mult": func(c *choice) { c.calibrate = 300 },
		"-valid: found 512, want 256 to 256": func(c *choice) { c.valid = 512 },
		"learning_rate: found -1":            func(c *choice) { c.rate = -1 },
	} {
		c := good
		change(&c)
		if _, err := newSetup(e.s, e.learn, e.valid, e.truth, c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("found the error %v, want one with %q", err, want)
		}
	}
}

// A table of accuracies that was begun is gone on with, and one of another recipe is
// refused.
func TestMakeTruth(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("trains six networks")
	}
	s, dev := must(family()), device(t, 1)
	path := filepath.Join(t.TempDir(), "truth.json")
	learn, test := spots(1, 64), spots(2, 64)
	recipe := aloneRecipe{Epochs: 1, Batch: 64, LearningRate: 0.05, WeightDecay: 1e-4}
	ctx, cancel := context.WithCancel(t.Context())
	stop := writerFunc(func(p []byte) (int, error) {
		if bytes.Contains(p, []byte("network  4")) {
			cancel()
		}
		return len(p), nil
	})
	if err := makeTruth(ctx, path, s, dev, learn, test, recipe, 6, 1, stop); err == nil {
		t.Fatal("a cancelled context gave no error")
	}
	begun := must(readTruth(path, s))
	if err := begun.complete(path, digest(learn, test)); err == nil || !strings.Contains(err.Error(), "network 5 of 6: found 0 accuracies, want 1") {
		t.Errorf("found the error %v", err)
	}
	var out strings.Builder
	if err := makeTruth(t.Context(), path, s, dev, learn, test, recipe, 6, 1, &out); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), "seed 1 of 1"); n != 2 {
		t.Errorf("trained %d networks, want the 2 that were left", n)
	}
	done := must(readTruth(path, s))
	if err := done.complete(path, digest(learn, test)); err != nil {
		t.Error(err)
	}
	for i := range 4 {
		if done.Networks[i].mean() != begun.Networks[i].mean() {
			t.Errorf("network %d: found %v, want %v as before", i+1, done.Networks[i], begun.Networks[i])
		}
	}
	if err := done.complete(path, digest(test, learn)); err == nil || !strings.Contains(err.Error(), "digest") {
		t.Errorf("found the error %v for other images", err)
	}
	recipe.Epochs = 2
	if err := makeTruth(t.Context(), path, s, dev, learn, test, recipe, 6, 1, io.Discard); err == nil || !strings.Contains(err.Error(), "move it away") {
		t.Errorf("found the error %v for another recipe", err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// The accuracies that are shipped are of the networks that are compared, which they
// tell apart.
func TestShippedTruth(t *testing.T) {
	t.Parallel()
	s := must(family())
	got := must(readTruth("truth.json", s))
	if err := got.complete("truth.json", got.Data); err != nil {
		t.Fatal(err)
	}
	if want := must(drawn(s, compared)); !slices.Equal(got.designs, want) {
		t.Errorf("found other networks than those that are drawn")
	}
	for i, k := range got.Networks {
		c := must(s.Graph(got.designs[i])).Cost()
		if k.Params != c.Params || k.MACs != c.MACs {
			t.Errorf("network %d: found %d parameters and %d multiply-accumulates, want %d and %d", i+1, k.Params, k.MACs, c.Params, c.MACs)
		}
		if i > 1 && k.mean() < got.Networks[1].mean()-1 {
			t.Errorf("network %d: found %.2f %%, a point less than the smallest network", i+1, k.mean())
		}
	}
	if len(got.Networks[0].Accuracy) > 1 {
		var a, b []float64
		for _, k := range got.Networks {
			a, b = append(a, k.Accuracy[0]), append(b, k.Accuracy[1])
		}
		second := &truth{}
		for _, x := range b {
			second.Networks = append(second.Networks, known{Accuracy: []float64{x}})
		}
		if k := second.kendall(a); k == nil || *k < 0.5 {
			t.Errorf("Kendall of two seeds is %s, want 0.5 and more", number(k))
		}
	}
}

func TestReadTruthRefuses(t *testing.T) {
	t.Parallel()
	s := must(family())
	text := string(must(os.ReadFile("truth.json")))
	for want, change := range map[string][2]string{
		"format: found":        {truthFormat, "other"},
		"unknown field":        {`"what"`, `"whatever"`},
		"network 1: accuracy":  {`"accuracy":[`, `"accuracy":[-1,`},
		"network 1: found {\"": {`"kernel":5`, `"kernel":3`},
		"unexpected EOF":       {text[len(text)/2:], ""},
	} {
		path := filepath.Join(t.TempDir(), "truth.json")
		if err := os.WriteFile(path, []byte(strings.Replace(text, change[0], change[1], 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readTruth(path, s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("found the error %v, want one with %q", err, want)
		}
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	at := func(name string, plan string, speed float64, kendalls ...float64) string {
		r := &result{Program: name, Device: "a " + name, Versions: map[string]string{"b": "2", "a": "1"}, Plan: plan, Batch: 50, WarmUp: cost{9, 3}}
		for i := range kendalls {
			r.Train = cost{float64(i+1) * 100 / speed, float64(i+1) * 200 / speed}
			k := &kendalls[i]
			if *k == 0 {
				k = nil
			}
			r.Curve = append(r.Curve, point{Step: 2 * (i + 1), Train: r.Train, Kendall: k})
		}
		path := filepath.Join(folder, name+plan)
		if err := writeJSON(path, r); err != nil {
			t.Fatal(err)
		}
		return name + "=" + path
	}
	args := []string{at("fast", "p", 100, 0, 0.4, 0.8), at("slow", "p", 10, 0.1, 0.5, 0.6), "XLA=" + folder + "/none"}
	for clock, want := range map[string]string{
		"wall": `| | device | images/s | slowest–fastest part | s to Kendall 0.600 | s of warm-up | Kendall in the end | versions |
|---|---|---:|---:|---:|---:|---:|---|
| fast | a fast | 100 | 100–100 | 3.0 | 9.0 | 0.800 | a 1, b 2 |
| slow | a slow | 10 | 10–10 | 30.0 | 9.0 | 0.600 | a 1, b 2 |
| XLA | | not run | | not run | | not run | |
`,
		"processor": "| slow | a slow | 5 | 5–5 | 60.0 | 3.0 | 0.600 | a 1, b 2 |\n",
	} {
		var out strings.Builder
		if err := command(t.Context(), append([]string{"-table", "-clock", clock}, args...), &out, io.Discard); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s: found\n%s\nwant\n%s", clock, out.String(), want)
		}
	}
	empty := filepath.Join(folder, "empty")
	if err := os.WriteFile(empty, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"these trainings are not the same": {"-table", at("fast", "p", 100, 0.4), at("other", "q", 100, 0.4)},
		"want NAME=FILE":                   {"-table", "file"},
		"found no results":                 {"-table"},
		"no points":                        {"-table", "a=" + empty},
		"want wall or processor":           {"-table", "-clock", "sun", "a=" + folder + "/none"},
		"want only flags":                  {"run"},
		"want -backend xla":                {"-plugin", "x.so"},
		"want -plan":                       {"-plan-only"},
	} {
		if err := command(t.Context(), args, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: found the error %v, want one with %q", args, err, want)
		}
	}
}

// The built-in images are those of the files.
func TestFilesAreTheBuiltInImages(t *testing.T) {
	t.Parallel()
	const folder = "../../../shared/data/fashion-mnist"
	if _, err := os.Stat(folder); err != nil {
		t.Skipf("the files of Fashion-MNIST are not there: %v", err)
	}
	if testing.Short() {
		t.Skip("unpacks all of Fashion-MNIST")
	}
	a, b, err := open(folder)
	if err != nil {
		t.Fatal(err)
	}
	c, d, err := open("")
	if err != nil {
		t.Fatal(err)
	}
	if x, y := digest(a, b), digest(c, d); x != y {
		t.Errorf("found images of digest %s in the files, want the built-in ones of %s", x, y)
	}
	s := must(family())
	if err := must(readTruth("truth.json", s)).complete("truth.json", digest(a, b)); err != nil {
		t.Error(err)
	}
}

func BenchmarkStep(b *testing.B) {
	e := small(b, 8)
	m := must(e.machine(device(b, 1), must(weightsOf(e.s, 1))))
	l := must(e.loader())
	batch := l.NewBatch()
	l.Fill(batch, 0, 0)
	step := func() { must(m.step(must(e.sample(0)), batch, 0.01)) }
	step()
	for b.Loop() {
		step()
	}
	b.ReportMetric(float64(batch.N*b.N)/b.Elapsed().Seconds(), "images/s")
}
