package networks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/daedalus-search/daedalus/internal/atomicfile"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/data"
	"github.com/daedalus-search/daedalus/neural/nets"
	"github.com/daedalus-search/daedalus/neural/train"
	"github.com/daedalus-search/daedalus/neural/train/engine"
	"github.com/daedalus-search/daedalus/space"
)

// A bench is what a worker has to answer a question: data, a device, what is kept, and a
// strategy to estimate how good networks are.
type bench struct {
	q question
	*data.Parts
	outline   outline
	family    nets.Family
	device    *engine.Device
	keep      keep
	timer     *timer // nil if latency is not measured
	estimator estimator
}

// An estimator is a strategy to estimate how good networks are before any is finished
// (Elsken, Metzen and Hutter 2019): by weights that they share, or training each alone.
type estimator interface {
	// prepare does what comes before the first network; done already, nothing.
	prepare(ctx context.Context, tell teller) error
	estimate(ctx context.Context, d space.Design, r request, tell teller) (*train.Metrics, error)
	// weights returns those that a network was estimated with; nil if there are none.
	weights(ctx context.Context, d space.Design) (neural.Weights, error)
}

func newBench(ctx context.Context, o opening) (*bench, error) {
	b := &bench{q: o.Question, keep: o.Folder}
	var err error
	if b.Parts, err = b.q.open(ctx); err != nil {
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
	if b.timer, err = newTimer(t.Latency, b.q.Data.Dir); err != nil {
		return nil, err
	}
	if b.keep != "" {
		if err := os.MkdirAll(string(b.keep), 0o777); err != nil {
			return nil, err
		}
	}
	if b.q.elastic() {
		b.estimator, err = newOneShot(b)
		return b, err
	}
	b.estimator = standAlone{b}
	return b, nil
}

func (b *bench) design(text json.RawMessage) (space.Design, error) {
	return b.family.Space().ParseJSON(text)
}

// prepare does what comes before the first evaluation.
func (b *bench) prepare(ctx context.Context, _ request, tell teller) (answer, error) {
	return answer{}, b.estimator.prepare(ctx, tell)
}

// evaluate measures one network.
func (b *bench) evaluate(ctx context.Context, r request, tell teller) (answer, error) {
	d, err := b.design(r.Design)
	if err != nil {
		return answer{}, err
	}
	m, err := b.estimator.estimate(ctx, d, r, tell)
	if err != nil {
		return answer{}, err
	}
	v := b.values(m, "")
	for _, name := range slices.Sorted(maps.Keys(v)) {
		if x := v[name]; math.IsNaN(x) || math.IsInf(x, 0) {
			return answer{}, fmt.Errorf("networks: found %s = %v of the network %s, want a number: its training diverged; take a smaller learning rate, a warm-up or a clip", name, x, b.family.Label(d))
		}
	}
	if b.timer != nil {
		g, err := b.family.Graph(d)
		if err != nil {
			return answer{}, err
		}
		if v["latency_ms"], err = b.timer.one(ctx, g); err != nil {
			return answer{}, err
		}
	}
	return answer{Values: v}, nil
}

// weights returns the weights that a network has before it is finished, as a file.
func (b *bench) weights(ctx context.Context, r request, _ teller) (answer, error) {
	d, err := b.design(r.Design)
	if err != nil {
		return answer{}, err
	}
	w, err := b.estimator.weights(ctx, d)
	if w == nil || err != nil {
		return answer{}, err
	}
	var file bytes.Buffer
	err = train.WriteWeights(&file, w)
	return answer{weights: file.Bytes()}, err
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
		v[prefix+"rmse"], v[prefix+"mae"], v[prefix+"r2"] = m.RMSE, m.MAE, m.R2
	default:
		v[prefix+"accuracy"] = 100 * m.Accuracy
		if prefix == "" || b.outline.uneven {
			v[prefix+"balanced_accuracy"] = 100 * m.Balanced
		}
	}
	if prefix == "" {
		v["loss"] = m.Loss
	}
	return v
}

// recipe is that of the search, with the seed of all training.
func (b *bench) recipe() train.Recipe {
	r := b.q.Training.Train
	r.Seed += b.q.Training.Seed
	return r
}

// sized returns a set with images of the size that a network takes.
func sized(g *neural.Graph, s *data.Set) (*data.Set, error) {
	if s.Kind != data.Images {
		return s, nil
	}
	in := g.Node(g.Inputs()[0]).Shape
	if in[1] == s.Height && in[2] == s.Width {
		return s, nil
	}
	return s.Resize(in[1])
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

// A keep is the folder of what outlives a process; in "" nothing does.
type keep string

// path is that of a file, "" if nothing is kept.
func (k keep) path(name ...string) string {
	if k == "" {
		return ""
	}
	return filepath.Join(append([]string{string(k)}, name...)...)
}

// weights reads a file of weights; nil if there is none.
func (k keep) weights(name ...string) (neural.Weights, error) {
	path := k.path(name...)
	if path == "" {
		return nil, nil
	}
	file, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	w, err := train.ReadWeights(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; delete it, and they are trained anew", path, err)
	}
	return w, nil
}

// save writes a file, if anything is kept, and the folders that it is in.
func (k keep) save(write func(io.Writer) error, name ...string) error {
	path := k.path(name...)
	if path == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	return atomicfile.Write(path, write)
}

func (k keep) saveWeights(w neural.Weights, name ...string) error {
	return k.save(func(out io.Writer) error { return train.WriteWeights(out, w) }, name...)
}

func (k keep) saveJSON(x any, name ...string) error {
	text, err := json.MarshalIndent(x, "", "  ")
	if err != nil {
		return err
	}
	return k.save(func(out io.Writer) error {
		_, err := out.Write(append(text, '\n'))
		return err
	}, name...)
}
