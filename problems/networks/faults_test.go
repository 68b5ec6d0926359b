package networks_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/daedalus-search/daedalus/neural/train"
	"github.com/daedalus-search/daedalus/neural/train/engine"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/problems/networks"
	"github.com/daedalus-search/daedalus/space"
)

// children are the processes that this one has started.
func children(t *testing.T) (all []int) {
	t.Helper()
	files, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil || len(files) == 0 {
		t.Skip("finds workers through /proc/self/task/*/children, which is Linux's")
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			continue // the thread has ended
		}
		for _, word := range strings.Fields(string(text)) {
			if pid, err := strconv.Atoi(word); err == nil {
				all = append(all, pid)
			}
		}
	}
	return all
}

// A worker that dies while the supernet is trained, or networks are finished, is
// replaced, which is said, and comes to the same.
func TestGoesOnInAnotherProcess(t *testing.T) {
	if testing.Short() {
		t.Skip("trains networks")
	}
	ctx := context.Background()
	o := vision("bignas")
	o.Train.Epochs = 12
	whole, killed := open(t, o), open(t, o)
	d := sample(t, whole.Space())
	come := func(p *networks.Problem, progress func(doing string, done, all int)) float64 {
		t.Helper()
		p.Keep(t.TempDir())
		if err := p.Prepare(ctx, progress); err != nil {
			t.Fatal(err)
		}
		if err := p.Finish(ctx, []space.Design{d}, progress); err != nil {
			t.Fatal(err)
		}
		v, err := p.Verify(ctx, d)
		if err != nil {
			t.Fatal(err)
		}
		return v["test_accuracy"]
	}
	want := come(whole, func(string, int, int) {})
	if err := whole.Close(); err != nil {
		t.Fatal(err)
	}
	deaths, said := 0, 0
	phase := ""
	got := come(killed, func(doing string, _, _ int) {
		now, _, again := strings.Cut(doing, " 2 of at most 3, the one before died by SIGKILL")
		if again && now == "process" {
			said++
			return
		}
		if word, _, _ := strings.Cut(doing, " "); word != phase { // training, finished
			phase = word
			for _, pid := range children(t) {
				p, err := os.FindProcess(pid)
				if err != nil {
					t.Fatal(err)
				}
				if err := p.Kill(); err == nil {
					deaths++
				}
			}
			time.Sleep(10 * time.Millisecond) // until it is dead
		}
	})
	if got != want || deaths != 2 || said == 0 {
		t.Errorf("after %d deaths, which were said %d times, the test accuracy is %v, want %v after 2", deaths, said, got, want)
	}
}

// A network that cannot be finished costs no other one, and is named.
func TestFinishesTheOthers(t *testing.T) {
	if testing.Short() {
		t.Skip("trains networks")
	}
	ctx := context.Background()
	o := vision("alone")
	finish := o.Train
	finish.LearningRate, finish.Momentum = 1000, 0.99
	o.Finish = &finish
	p := open(t, o)
	p.Keep(t.TempDir())
	d := sample(t, p.Space())
	if _, err := p.Evaluate(ctx, d, nil); err != nil {
		t.Fatal(err)
	}
	err := p.Finish(ctx, []space.Design{d}, func(string, int, int) {})
	if err == nil || !strings.Contains(err.Error(), "found 1 of 2 networks that could not be trained:\n  "+p.Label(d)+": ") || !strings.Contains(err.Error(), "diverged") {
		t.Errorf("Finish = %v, want that %s diverged", err, p.Label(d))
	}
	if v, err := p.Verify(ctx, d); err != nil || len(v) != 0 {
		t.Errorf("Verify returns %v (error %v) of a network that was not finished", v, err)
	}
	if refs, err := p.References(ctx); err != nil || len(refs) != 1 || !(refs[0].Values["test_accuracy"] > 0) {
		t.Errorf("References returns %v (error %v), want LeNet-5", refs, err)
	}
}

// What was begun by another recipe, before the study file was changed, is begun anew.
func TestFinishByAnotherRecipe(t *testing.T) {
	if testing.Short() {
		t.Skip("trains networks")
	}
	ctx, folder := context.Background(), t.TempDir()
	finish := func(epochs float64, progress func(cancel func())) (*networks.Problem, error) {
		o := vision("bignas")
		o.References = nil
		recipe := o.Train
		recipe.Epochs = epochs
		o.Finish = &recipe
		p := open(t, o)
		p.Keep(folder)
		cut, cancel := context.WithCancel(ctx)
		defer cancel()
		return p, p.Finish(cut, []space.Design{sample(t, p.Space())}, func(string, int, int) { progress(cancel) })
	}
	if _, err := finish(500, func(cancel func()) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Fatalf("Finish = %v, want that it was cancelled", err)
	}
	if files, err := filepath.Glob(filepath.Join(folder, "*", "finished", "*.checkpoint")); err != nil || len(files) != 1 {
		t.Fatalf("found the checkpoints %v (error %v), want one", files, err)
	}
	p, err := finish(1, func(func()) {})
	if err != nil {
		t.Fatal(err)
	}
	if v, err := p.Verify(ctx, sample(t, p.Space())); err != nil || !(v["test_accuracy"] > 0) {
		t.Errorf("Verify returns %v (error %v)", v, err)
	}
}

// What fails says whether the design is to blame, or all others would fail too.
func TestFailureClasses(t *testing.T) {
	if testing.Short() {
		t.Skip("trains networks")
	}
	class := func(o networks.Vision) (problem.Class, error) {
		p := open(t, o)
		_, err := p.Evaluate(context.Background(), sample(t, p.Space()), nil)
		return problem.ClassOf(err), err
	}
	wild := vision("alone")
	wild.Train = train.Recipe{Epochs: 10, Batch: 12, LearningRate: 1000, Momentum: 0.99}
	if c, err := class(wild); c != problem.ClassDesign || !errors.Is(err, train.ErrDiverged) {
		t.Errorf("a training that diverges is a failure of the class %s: %v", c, err)
	}
	little := vision("alone")
	little.MemoryMB = 16
	if c, err := class(little); c != problem.ClassPermanent || !errors.Is(err, engine.ErrMemory) {
		t.Errorf("too little memory for the data is a failure of the class %s: %v", c, err)
	}
	missing := vision("alone")
	missing.Backend, missing.Threads = "gpu", 0
	if c, err := class(missing); c != problem.ClassPermanent || !strings.Contains(err.Error(), "want cpu, go, xla") {
		t.Errorf("no backend is a failure of the class %s: %v", c, err)
	}
}
