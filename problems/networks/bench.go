package networks

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/data"
	"github.com/daedalus-search/daedalus/neural/nets"
	"github.com/daedalus-search/daedalus/neural/supernet"
	"github.com/daedalus-search/daedalus/neural/train"
	"github.com/daedalus-search/daedalus/neural/train/engine"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/space"
)

// digest stands for all that trained weights depend on. What was made for one question
// is not used for another.
func (q question) digest() string {
	t := &q.Training
	t.Finished, t.References, t.Threads, t.MemoryMB, t.Latency, t.Finish, t.Retrain = 0, nil, 0, 0, Latency{}, nil, false
	text, err := json.Marshal(q)
	if err != nil {
		return "unknown"
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:6])
}

// openParts reads the data of a question: what all networks are trained on, what the
// search judges by, and what it never sees.
func openParts(ctx context.Context, q *question) (*data.Parts, error) {
	parts, err := q.Data.Open(ctx)
	if err != nil {
		return nil, err
	}
	if parts.Train.Kind != q.Kind {
		return nil, fmt.Errorf("networks: found %s, want %s: %v", parts.Train.Kind, q.Kind, parts.Train)
	}
	return parts, nil
}

// A bench is what a worker keeps: data, device, and the supernet once it is trained.
type bench struct {
	q      question
	folder string
	*data.Parts
	outline  outline
	device   *engine.Device
	family   nets.Family
	supernet *supernet.Supernet  // nil if networks are trained alone
	judge    *supernet.Evaluator // nil before the supernet is trained
	timer    *timer              // nil if latency is not measured
}

func newBench(ctx context.Context, o opening) (*bench, error) {
	b := &bench{q: o.Question, folder: o.Folder}
	var err error
	if b.Parts, err = openParts(ctx, &b.q); err != nil {
		return nil, err
	}
	b.outline = outlineOf(b.Train)
	if b.family, err = b.q.family(b.outline, 0); err != nil {
		return nil, err
	}
	t := b.q.Training
	if b.device, err = engine.Open(engine.Config{Backend: t.Backend, Threads: t.Threads}); err != nil {
		return nil, err
	}
	if b.timer, err = newTimer(t.Latency, o.Question.Data.Dir); err != nil {
		return nil, err
	}
	if b.folder != "" {
		if err := os.MkdirAll(b.folder, 0o777); err != nil {
			return nil, err
		}
	}
	if b.q.elastic() {
		if b.supernet, err = supernet.New(b.family); err != nil {
			return nil, err
		}
		return b, b.load()
	}
	return b, nil
}

// path is a file that is kept, "" if nothing is.
func (b *bench) path(name ...string) string {
	if b.folder == "" {
		return ""
	}
	return filepath.Join(append([]string{b.folder}, name...)...)
}

// load takes the weights of a supernet that was trained before, if there are any.
func (b *bench) load() error {
	path := b.path("supernet.weights")
	if path == "" {
		return nil
	}
	file, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	w, err := train.ReadWeights(file)
	if err != nil {
		return fmt.Errorf("%s: %w; delete it, and it is trained anew", path, err)
	}
	p, err := b.device.Params(b.supernet.All(), w)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	b.ready(p)
	return nil
}

func (b *bench) ready(p *engine.Params) {
	b.judge = &supernet.Evaluator{
		Supernet: b.supernet, Params: p, Train: b.Train, Valid: b.Valid, Scale: b.Scale,
		Calibrate: b.q.Training.Calibrate, Seed: b.q.Training.Seed,
	}
}

// phases says how the supernet is trained.
func (b *bench) phases() ([]supernet.Phase, error) {
	t := b.q.Training
	r := t.Train
	r.Seed += t.Seed
	switch t.Method {
	case "spos":
		return supernet.SPOS(r), nil
	case "fair":
		return []supernet.Phase{{Name: "fair paths", Sampler: supernet.Fair{}, Recipe: r}}, nil
	case "ofa":
		return b.shrinking(r)
	}
	return supernet.BigNAS(r), nil
}

// prepare trains the supernet, unless it was.
func (b *bench) prepare(ctx context.Context, tell func(told) error) error {
	if b.supernet == nil || b.judge != nil {
		return nil
	}
	phases, err := b.phases()
	if err != nil {
		return err
	}
	var lost error
	trained, err := supernet.Train(ctx, supernet.Job{
		Supernet: b.supernet, Device: b.device, Phases: phases, Train: b.Train, Scale: b.Scale,
		Residual: b.q.Training.Method == "bignas", Checkpoint: b.path("supernet.checkpoint"), CheckpointEvery: 15 * time.Second,
		Progress: func(p supernet.Progress) {
			doing := "training the supernet"
			if p.Phases > 1 {
				doing = fmt.Sprintf("training the supernet, phase %d of %d, %s", p.Phase, p.Phases, p.Name)
			}
			lost = errors.Join(lost, tell(progressOf(doing, p.Progress)))
		},
	})
	if err = errors.Join(err, lost); err != nil {
		return err
	}
	if path := b.path("supernet.weights"); path != "" {
		w, err := trained.Params.Weights()
		if err != nil {
			return err
		}
		if err := saveWeights(path, w); err != nil {
			return err
		}
	}
	b.ready(trained.Params)
	return nil
}

// progressOf says how far a training is: in steps, with its speed and loss.
func progressOf(doing string, p train.Progress) told {
	if p.PerSecond > 0 {
		doing += fmt.Sprintf(", %.0f examples/s, loss %.3f", p.PerSecond, p.Loss)
	}
	if p.Remaining > 0 {
		doing += ", " + p.Remaining.Round(time.Second).String() + " to go"
	}
	return told{Doing: doing + ", step", Done: int(p.Step), All: int(p.Steps)}
}

func saveWeights(path string, w neural.Weights) error {
	var out bytes.Buffer
	if err := train.WriteWeights(&out, w); err != nil {
		return err
	}
	return save(path, out.Bytes())
}

// save writes a file and the folders that it is in.
func save(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	return train.Replace(path, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
}

func (b *bench) design(text json.RawMessage) (space.Design, error) {
	return b.family.Space().ParseJSON(text)
}

// values are the metrics of a measurement; prefix is "" or "test_".
func (b *bench) values(m *train.Metrics, prefix string) metric.Values {
	v := metric.Values{}
	switch {
	case b.q.Kind == data.Text:
		v[prefix+"bits_per_token"], v[prefix+"perplexity"] = m.BitsPerToken(), m.Perplexity()
		if prefix == "" {
			v["accuracy"] = 100 * m.Accuracy
		}
	case b.outline.targets > 0:
		v[prefix+"rmse"], v[prefix+"r2"] = m.RMSE, m.R2
	default:
		v[prefix+"accuracy"] = 100 * m.Accuracy
	}
	if prefix == "" {
		v["loss"] = m.Loss
	}
	return v
}

// evaluate measures one network.
func (b *bench) evaluate(ctx context.Context, r request, tell func(told) error) (metric.Values, error) {
	d, err := b.design(r.Design)
	if err != nil {
		return nil, err
	}
	var m *train.Metrics
	if b.supernet != nil {
		if err := b.prepare(ctx, func(told) error { return nil }); err != nil {
			return nil, err
		}
		m, err = b.judge.Evaluate(ctx, d)
	} else {
		m, err = b.alone(ctx, d, r, tell)
	}
	if err != nil {
		return nil, err
	}
	v := b.values(m, "")
	for name, x := range v {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return nil, fmt.Errorf("networks: found %s = %v of the network %s, want a number: its training diverged; take a smaller learning rate, a warm-up or a clip", name, x, b.family.Label(d))
		}
	}
	if b.timer != nil {
		g, err := b.family.Graph(d)
		if err != nil {
			return nil, err
		}
		if v["latency_ms"], err = b.timer.one(ctx, g); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// alone trains one network.
func (b *bench) alone(ctx context.Context, d space.Design, r request, tell func(told) error) (*train.Metrics, error) {
	t := b.q.Training
	recipe, on, valid, family := t.Train, b.Train, b.Valid, b.family
	// The same network is the same training, whoever asks for it.
	h := sha256.Sum256([]byte(b.family.Key(d)))
	recipe.Seed += t.Seed + binary.LittleEndian.Uint64(h[:])
	var err error
	job := train.Job{Device: b.device, Scale: b.Scale}
	switch {
	case t.Fidelity == "epochs":
		if r.Folder != "" {
			job.Checkpoint = filepath.Join(r.Folder, "training.checkpoint")
		}
		job.Epoch = func(e train.Epoch) error {
			if e.Valid != nil && e.Epoch > r.From {
				if err := tell(told{Step: int64(math.Round(e.Epoch)), Values: b.values(e.Valid, "")}); err != nil {
					return err
				}
			}
			if e.Epoch >= r.Amount {
				return train.ErrStop
			}
			return nil
		}
	case t.Fidelity == "data" && r.Amount < 100:
		if on, err = on.Fraction(t.Seed, r.Amount/100); err != nil {
			return nil, err
		}
	case t.Fidelity == "resolution" && r.Share < 1:
		side := int(r.Amount)
		if family, err = b.q.family(b.outline, side); err != nil {
			return nil, err
		}
		if on, err = on.Resize(side); err != nil {
			return nil, err
		}
		if valid, err = valid.Resize(side); err != nil {
			return nil, err
		}
	}
	g, err := family.Graph(d)
	if err != nil {
		return nil, err
	}
	if on, valid, err = sized(g, on, valid); err != nil {
		return nil, err
	}
	job.Graph, job.Recipe, job.Train, job.Valid = g, recipe, on, valid
	result, err := train.Fit(ctx, job)
	if err != nil {
		return nil, err
	}
	if path := b.path("trained", d.Hash().String()+".weights"); path != "" && r.Share == 1 {
		if err := saveWeights(path, result.Weights); err != nil {
			return nil, err
		}
	}
	return result.Valid, nil
}

// sized returns images of the size that a network takes.
func sized(g *neural.Graph, a, b *data.Set) (*data.Set, *data.Set, error) {
	if a.Kind != data.Images {
		return a, b, nil
	}
	s := g.Node(g.Inputs()[0]).Shape
	if s[1] == a.Height && s[2] == a.Width {
		return a, b, nil
	}
	a, err := a.Resize(s[1])
	if err != nil {
		return nil, nil, err
	}
	b, err = b.Resize(s[1])
	return a, b, err
}

// weightsOf returns the weights that a network has before it is finished, as a file;
// nil if there are none.
func (b *bench) weightsOf(ctx context.Context, r request) ([]byte, error) {
	d, err := b.design(r.Design)
	if err != nil {
		return nil, err
	}
	if b.supernet != nil {
		if err := b.prepare(ctx, func(told) error { return nil }); err != nil {
			return nil, err
		}
	} else {
		path := b.path("trained", d.Hash().String()+".weights")
		if path == "" {
			return nil, nil
		}
		file, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return file, err
	}
	_, w, err := b.judge.Extract(ctx, d)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = train.WriteWeights(&out, w)
	return out.Bytes(), err
}

// A course is one network to be trained at the end.
type course struct {
	graph      *neural.Graph
	kind, name string // where it is kept
	title      string
	recipe     train.Recipe
	start      []byte // weights; nil means new ones
	values     metric.Values
}

// finish trains networks on and references from the start, measures them on the test
// examples, and then times all of them in turns.
func (b *bench) finish(ctx context.Context, r request, tell func(told) error) (answer, error) {
	var all []*course
	for _, text := range r.Designs {
		d, err := b.design(text)
		if err != nil {
			return answer{}, err
		}
		g, err := b.family.Graph(d)
		if err != nil {
			return answer{}, err
		}
		var start []byte
		if !b.q.Training.Retrain {
			if start, err = b.weightsOf(ctx, request{Design: text}); err != nil {
				return answer{}, err
			}
		}
		all = append(all, &course{graph: g, kind: "finished", name: d.Hash().String(), title: b.family.Label(d), recipe: *b.q.Training.Finish, start: start})
	}
	for _, name := range r.References {
		h := handmade[name]
		g, err := h.build(b.outline)
		if err != nil {
			return answer{}, fmt.Errorf("networks: the reference %s: %w", name, err)
		}
		all = append(all, &course{graph: g, kind: "references", name: name, title: h.title, recipe: b.whole()})
	}
	if err := b.sideBySide(ctx, all, tell); err != nil {
		return answer{}, err
	}
	if b.timer != nil {
		graphs := make([]*neural.Graph, len(all))
		for i, c := range all {
			graphs[i] = c.graph
		}
		times, err := b.timer.turns(ctx, graphs)
		if err != nil {
			return answer{}, err
		}
		for i, ms := range times {
			all[i].values["final_latency_ms"] = ms
		}
	}
	var a answer
	for _, c := range all[:len(r.Designs)] {
		// On the validation examples the weights that the search saw are what counts.
		maps.DeleteFunc(c.values, func(name string, _ float64) bool {
			return !strings.HasPrefix(name, "test_") && name != "final_latency_ms"
		})
		a.Finished = append(a.Finished, c.values)
	}
	for _, c := range all[len(r.Designs):] {
		maps.Copy(c.values, counted(c.graph))
		if ms, ok := c.values["final_latency_ms"]; ok {
			c.values["latency_ms"] = ms
		}
		a.Known = append(a.Known, problem.Reference{Name: c.title, Values: c.values})
	}
	return a, nil
}

// sideBySide trains networks, as many at a time as there are threads, each on one: small
// networks gain little from several. What a network becomes does not depend on that.
func (b *bench) sideBySide(ctx context.Context, all []*course, tell func(told) error) error {
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
	slices.SortStableFunc(order, func(x, y *course) int {
		cost := func(c *course) float64 { return float64(c.graph.Cost().MACs) * c.recipe.Epochs }
		return cmp.Compare(cost(y), cost(x))
	})
	var mu sync.Mutex // guards next, done and tell
	next, done := 0, 0
	take := func() *course {
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
			for c := take(); c != nil; c = take() {
				err := b.trainOn(ctx, device, c, func(p train.Progress) {
					mu.Lock()
					defer mu.Unlock()
					// Nobody listens any more when the context is cancelled, which Fit sees too.
					_ = tell(progressOf(fmt.Sprintf("finished %d of %d; %s", done, len(all), c.title), p))
				})
				if err != nil {
					cancel(fmt.Errorf("networks: finishing %s: %w", c.title, err))
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

// whole is the recipe for a network that starts from nothing: that of the search, for as
// many epochs as the weights of a finished network were trained.
func (b *bench) whole() train.Recipe {
	t := b.q.Training
	r := t.Train
	r.Seed += t.Seed
	r.Epochs += t.Finish.Epochs
	return r
}

// trained is what is kept of a network beside its weights.
type trained struct {
	Recipe train.Recipe
	Anew   bool // not from the supernet's weights
	Values metric.Values
}

// trainOn trains a network and measures it on the validation and the test examples,
// unless that was done before by the same recipe.
func (b *bench) trainOn(ctx context.Context, device *engine.Device, c *course, progress func(train.Progress)) error {
	record := b.path(c.kind, c.name+".json")
	if record != "" {
		var kept trained
		text, err := os.ReadFile(record)
		if err == nil && json.Unmarshal(text, &kept) == nil && reflect.DeepEqual(kept.Recipe, c.recipe) && kept.Anew == (c.start == nil) {
			c.values = kept.Values
			return nil
		}
	}
	on, valid, err := sized(c.graph, b.Train, b.Valid)
	if err != nil {
		return err
	}
	_, test, err := sized(c.graph, b.Train, b.Test)
	if err != nil {
		return err
	}
	job := train.Job{Device: device, Graph: c.graph, Recipe: c.recipe, Train: on, Scale: b.Scale, Progress: progress}
	if c.start != nil {
		if job.Start, err = train.ReadWeights(c.start); err != nil {
			return err
		}
	}
	if record != "" {
		job.Checkpoint, job.CheckpointEvery = b.path(c.kind, c.name+".checkpoint"), 15*time.Second
		if err := os.MkdirAll(filepath.Dir(record), 0o777); err != nil {
			return err
		}
	}
	result, err := train.Fit(ctx, job)
	if err != nil {
		return err
	}
	c.values = metric.Values{}
	for _, on := range []struct {
		set    *data.Set
		prefix string
	}{{valid, ""}, {test, "test_"}} {
		m, err := train.Evaluate(ctx, result.Net, on.set, b.Scale, 256)
		if err != nil {
			return err
		}
		maps.Copy(c.values, b.values(m, on.prefix))
	}
	if record == "" {
		return nil
	}
	if err := saveWeights(b.path(c.kind, c.name+".weights"), result.Weights); err != nil {
		return err
	}
	text, err := json.Marshal(trained{c.recipe, c.start == nil, c.values})
	if err != nil {
		return err
	}
	if err := save(record, text); err != nil {
		return err
	}
	if err := os.Remove(job.Checkpoint); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// shrinking is the schedule of Once-for-All: the largest network, then kernels, depth,
// and expansion and width, each for as many epochs as the recipe says.
func (b *bench) shrinking(r train.Recipe) ([]supernet.Phase, error) {
	var kernels, depth, width []string
	for _, p := range b.family.Space().Params() {
		switch path := p.Path; {
		case strings.HasSuffix(path, "kernel"):
			kernels = append(kernels, path)
		case strings.HasSuffix(path, "depth"):
			depth = append(depth, path)
		default:
			width = append(width, path)
		}
	}
	dimension := func(name string, paths []string, nets int, sort bool) supernet.Dimension {
		return supernet.Dimension{Name: name, Paths: paths, Nets: nets, Sort: sort}
	}
	return supernet.Shrinking{Largest: r, Seed: r.Seed, Dimensions: []supernet.Dimension{
		dimension("kernels", kernels, 1, false), dimension("depth", depth, 2, false), dimension("widths", width, 4, true),
	}}.Phases(b.supernet)
}
