package networks

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"sync"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/train"
	"github.com/daedalus-search/daedalus/neural/train/engine"
	"github.com/daedalus-search/daedalus/problem"
)

// A finalist is one network that is trained at the end.
type finalist struct {
	graph        *neural.Graph
	folder, name string // where it is kept
	title        string
	recipe       train.Recipe
	start        neural.Weights // nil means new ones
	values       metric.Values  // what it came to
	failed       error          // why it came to nothing
}

// finish trains networks on and references from the start, measures them on the test
// examples, and then times all of them in turns.
func (b *bench) finish(ctx context.Context, r request, tell teller) (answer, error) {
	var all []*finalist
	for _, text := range r.Designs {
		f, err := b.finalist(ctx, text)
		if err != nil {
			return answer{}, err
		}
		all = append(all, f)
	}
	for _, name := range r.References {
		h := handmade[name]
		g, err := h.build(b.outline)
		if err != nil {
			return answer{}, fmt.Errorf("networks: the reference %s: %w", name, err)
		}
		// It gets as many epochs as a finished network's weights had together.
		recipe := b.recipe()
		recipe.Epochs += b.q.Training.Finish.Epochs
		all = append(all, &finalist{graph: g, folder: "references", name: name, title: h.title, recipe: recipe})
	}
	if err := b.trainAll(ctx, all, tell); err != nil {
		return answer{}, err
	}
	var a answer
	done := slices.Clone(all)
	done = slices.DeleteFunc(done, func(f *finalist) bool {
		if f.failed != nil {
			a.Failed = append(a.Failed, f.title+": "+f.failed.Error())
		}
		return f.failed != nil
	})
	if b.timer != nil {
		graphs := make([]*neural.Graph, len(done))
		for i, f := range done {
			graphs[i] = f.graph
		}
		times, err := b.timer.turns(ctx, graphs)
		if err != nil {
			return answer{}, err
		}
		for i, ms := range times {
			done[i].values["final_latency_ms"] = ms
		}
	}
	for _, f := range all[:len(r.Designs)] {
		a.Finished = append(a.Finished, f.values)
	}
	for _, f := range all[len(r.Designs):] {
		if f.failed != nil {
			continue
		}
		maps.Copy(f.values, counted(f.graph))
		if ms, ok := f.values["final_latency_ms"]; ok {
			f.values["latency_ms"] = ms
		}
		a.Known = append(a.Known, problem.Reference{Name: f.title, Values: f.values})
	}
	return a, nil
}

// finalist is a network of the front, with the weights it starts from.
func (b *bench) finalist(ctx context.Context, text json.RawMessage) (*finalist, error) {
	d, err := b.design(text)
	if err != nil {
		return nil, err
	}
	f := &finalist{folder: "finished", name: d.Hash().String(), title: b.family.Label(d), recipe: *b.q.Training.Finish}
	if f.graph, err = b.family.Graph(d); err != nil {
		return nil, err
	}
	if !b.q.Training.Retrain {
		f.start, err = b.estimator.weights(ctx, d)
	}
	return f, err
}

// trainAll trains networks, as many at a time as there are threads, each on one: small
// networks gain little from several. What a network becomes does not depend on that.
func (b *bench) trainAll(ctx context.Context, all []*finalist, tell teller) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	threads := b.q.Training.Threads
	if threads == 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	if b.q.Training.Backend != "cpu" {
		threads = 1 // there is one device, which has all threads
	}
	threads = min(threads, len(all))
	order := slices.Clone(all) // the longest first, so that all threads end together
	slices.SortStableFunc(order, func(x, y *finalist) int {
		cost := func(f *finalist) float64 { return float64(f.graph.Cost().MACs) * f.recipe.Epochs }
		return cmp.Compare(cost(y), cost(x))
	})
	var mu sync.Mutex // guards next, done and tell
	next, done := 0, 0
	take := func() *finalist {
		mu.Lock()
		defer mu.Unlock()
		if next == len(order) || ctx.Err() != nil {
			return nil
		}
		next++
		return order[next-1]
	}
	var wg sync.WaitGroup
	for range threads {
		wg.Go(func() {
			device := b.device
			if threads > 1 {
				var err error
				if device, err = engine.Open(engine.Config{Backend: b.q.Training.Backend, Threads: 1}); err != nil {
					cancel(err)
					return
				}
				defer func() {
					if err := device.Close(); err != nil {
						cancel(err)
					}
				}()
			}
			for f := take(); f != nil; f = take() {
				err := b.train(ctx, device, f, func(p train.Progress) {
					mu.Lock()
					defer mu.Unlock()
					// Nobody listens any more when the context is cancelled, which Fit sees too.
					_ = tell(progressOf(fmt.Sprintf("finished %d of %d; %s", done, len(all), f.title), p))
				})
				switch {
				case errors.Is(err, train.ErrDiverged), errors.Is(err, engine.ErrMemory):
					f.failed = err // which costs no other network
				case err != nil:
					cancel(fmt.Errorf("networks: finishing %s: %w", f.title, err))
					return
				}
				mu.Lock()
				done++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// A record is what is kept of a finalist beside its weights.
type record struct {
	Recipe train.Recipe
	Anew   bool // not from the weights it had in the search
	Values metric.Values
}

// train trains a network and measures it on the test examples, unless that was done before
// by the same recipe.
func (b *bench) train(ctx context.Context, device *engine.Device, f *finalist, progress func(train.Progress)) error {
	now := record{Recipe: f.recipe, Anew: f.start == nil}
	path := b.keep.path(f.folder, f.name+".json")
	if path != "" {
		var before record
		text, err := os.ReadFile(path)
		if err == nil && json.Unmarshal(text, &before) == nil && reflect.DeepEqual(before.Recipe, now.Recipe) && before.Anew == now.Anew {
			f.values = before.Values
			return nil
		}
	}
	on, err := sized(f.graph, b.Train)
	if err != nil {
		return err
	}
	job := train.Job{Device: device, Graph: f.graph, Recipe: f.recipe, Train: on, Scale: b.Scale, Start: f.start, Progress: progress}
	if path != "" {
		job.Checkpoint, job.CheckpointEvery = b.keep.path(f.folder, f.name+".checkpoint"), checkpointEvery
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			return err
		}
	}
	result, err := fit(ctx, job)
	if err != nil {
		return err
	}
	// Not on the validation examples: there the search measured networks that were trained
	// less, and nothing here is to be held against that.
	test, err := sized(f.graph, b.Test)
	if err != nil {
		return err
	}
	m, err := train.Evaluate(ctx, result.Net, test, b.Scale, 256)
	if err != nil {
		return err
	}
	now.Values = b.values(m, "test_")
	f.values = now.Values
	if path == "" {
		return nil
	}
	if err := b.keep.saveWeights(result.Weights, f.folder, f.name+".weights"); err != nil {
		return err
	}
	if err := b.keep.saveJSON(now, f.folder, f.name+".json"); err != nil {
		return err
	}
	if err := os.Remove(job.Checkpoint); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// fit trains a network. A checkpoint of another recipe, from before the study file was
// changed, is of no use.
func fit(ctx context.Context, job train.Job) (*train.Result, error) {
	result, err := train.Fit(ctx, job)
	if !errors.Is(err, train.ErrForeign) {
		return result, err
	}
	if err := os.Remove(job.Checkpoint); err != nil {
		return nil, err
	}
	return train.Fit(ctx, job)
}
