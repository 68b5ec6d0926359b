// Command gpu trains one small supernet on Fashion-MNIST, as a measure of what it
// trains on: our processor backend, XLA on an NVIDIA GPU (with the build tag xla), and,
// through torch_supernet.py, PyTorch. run.sh does all of it; README.md says what is
// compared.
//
//	go run ./bench/gpu -steps 1000 -out cpu.json
//	go run -tags xla ./bench/gpu -backend xla -plugin /path/xla_cuda_plugin.so -out xla.json
//	go run ./bench/gpu -plan-only -plan plan            # what torch_supernet.py reads
//	go run ./bench/gpu -table Daedalus=cpu.json PyTorch=torch.json
//	go run ./bench/gpu -make-truth                      # the accuracies of truth.json
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/daedalus-search/daedalus/neural/train/engine"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := command(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gpu:", err)
		os.Exit(1)
	}
}

// notes are versions that the caller knows.
type notes map[string]string

func (n notes) String() string { return "" }

func (n notes) Set(s string) error {
	k, v, ok := strings.Cut(s, "=")
	if !ok || k == "" {
		return fmt.Errorf("found %q, want NAME=VERSION", s)
	}
	n[k] = v
	return nil
}

func command(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f := flag.NewFlagSet("gpu", flag.ContinueOnError)
	f.SetOutput(stderr)
	c := choice{}
	f.IntVar(&c.steps, "steps", 1000, "`steps` of the training; each trains four networks on a batch")
	f.IntVar(&c.batch, "batch", 64, "`images` of a batch")
	f.IntVar(&c.nets, "nets", compared, "how many `networks` are trained, each of which XLA compiles: the first ones of the truth")
	f.IntVar(&c.every, "every", 0, "`steps` between two rankings; 0 means a twelfth of all")
	f.IntVar(&c.calibrate, "calibrate", 4*block, "training `images` that give the statistics of batch normalisation")
	f.IntVar(&c.valid, "valid", 8*block, "test `images` on which networks are ranked")
	f.Float64Var(&c.rate, "rate", 0.05, "largest learning `rate`")
	f.Uint64Var(&c.seed, "seed", 1, "of weights, order and networks")
	backend := f.String("backend", "cpu", "cpu, go or xla; xla needs a program built with -tags xla")
	plugin := f.String("plugin", "", "PJRT plugin `file` of the backend xla, options of it behind commas, such as FILE,tf32=false")
	threads := f.Int("threads", 0, "of the backend cpu; 0 means all")
	folder := f.String("data", "", "`folder` of Fashion-MNIST's IDX files; by default the built-in images, which are the same")
	path := f.String("truth", "bench/gpu/truth.json", "`file` of stand-alone accuracies")
	out := f.String("out", "", "`file` for the result")
	planned := f.String("plan", "", "`folder` for what torch_supernet.py reads")
	only := f.Bool("plan-only", false, "write the plan and train nothing")
	extra := notes{}
	f.Var(extra, "note", "`NAME=VERSION` for the table, any number of times")
	alone := f.Bool("make-truth", false, "train the networks that are ranked by themselves and write the truth")
	epochs := f.Float64("epochs", 2, "of these trainings")
	seeds := f.Int("seeds", 2, "of these trainings")
	table := f.Bool("table", false, "print the table of results, NAME=FILE each")
	clock := f.String("clock", "wall", "of the table: wall or processor")
	if err := f.Parse(args); err != nil {
		return err
	}
	if *table {
		rows, err := readRows(f.Args())
		if err != nil {
			return err
		}
		return writeTable(stdout, rows, *clock)
	}
	if f.NArg() > 0 {
		return fmt.Errorf("found the arguments %q, want only flags", f.Args())
	}
	if *plugin != "" && *backend != "xla" {
		return fmt.Errorf("-plugin: found one for the backend %q, want -backend xla", *backend)
	}
	if *only && *planned == "" {
		return errors.New("-plan-only: found no folder, want -plan")
	}
	s, err := family()
	if err != nil {
		return err
	}
	learn, test, err := open(*folder)
	if err != nil {
		return err
	}
	config := engine.Config{Backend: *backend, Threads: *threads, Nets: 2 * compared}
	if *plugin != "" {
		config.Backend += ":" + *plugin
	}
	if *alone {
		dev, err := engine.Open(config)
		if err != nil {
			return err
		}
		recipe := aloneRecipe{Epochs: *epochs, Batch: 64, LearningRate: 0.05, WeightDecay: 1e-4}
		return errors.Join(makeTruth(ctx, *path, s, dev, learn, test, recipe, compared, *seeds, stdout), dev.Close())
	}
	t, err := readTruth(*path, s)
	if err != nil {
		return err
	}
	if err := t.complete(*path, digest(learn, test)); err != nil {
		return err
	}
	e, err := newSetup(s, learn, test, t, c)
	if err != nil {
		return err
	}
	w, err := weightsOf(s, c.seed)
	if err != nil {
		return err
	}
	files, err := e.files(w)
	if err != nil {
		return err
	}
	if *planned != "" {
		if err := writePlan(*planned, files); err != nil {
			return err
		}
	}
	if *only {
		return nil
	}
	dev, err := engine.Open(config)
	if err != nil {
		return err
	}
	r, _, err := e.run(ctx, dev, w, stdout)
	if err := errors.Join(err, dev.Close()); err != nil {
		return err
	}
	r.Plan = planDigest(files)
	for k, v := range extra {
		r.Versions[k] = v
	}
	if *out == "" {
		return nil
	}
	return writeJSON(*out, r)
}
