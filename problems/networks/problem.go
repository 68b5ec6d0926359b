package networks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/data"
	"github.com/daedalus-search/daedalus/neural/nets"
	"github.com/daedalus-search/daedalus/neural/onnx"
	"github.com/daedalus-search/daedalus/neural/supernet"
	"github.com/daedalus-search/daedalus/neural/train"
	"github.com/daedalus-search/daedalus/neural/train/engine"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/space"
)

// A Problem is networks for data. It is safe for concurrent use; training takes turns.
type Problem struct {
	q       question
	digest  string // of the question
	outline outline
	about   string // the data
	family  nets.Family
	metrics []metric.Metric
	verify  []metric.Metric

	mu     sync.Mutex // guards what follows
	folder string
	worker *train.Worker
	end    *ending // nil before anything was finished, or read
}

// New makes the problem. Nothing is trained before [Problem.Prepare] or the first
// evaluation.
func (o Vision) New() (*Problem, error) {
	return newProblem(question{Kind: data.Images, Data: orBuiltIn(o.Source, "fashion-mnist"), Image: o.Networks, Training: o.Training})
}

// In returns the options with the folder from which relative paths of files begin.
func (o Vision) In(dir string) Vision { o.Dir = dir; return o }

// New makes the problem; see [Vision.New].
func (o Text) New() (*Problem, error) {
	return newProblem(question{Kind: data.Text, Data: orBuiltIn(o.Source, "shakespeare"), Text: o.Networks, Training: o.Training})
}

// In returns the options with the folder from which relative paths of files begin.
func (o Text) In(dir string) Text { o.Dir = dir; return o }

// New makes the problem; see [Vision.New].
func (o Tabular) New() (*Problem, error) {
	return newProblem(question{Kind: data.Table, Data: orBuiltIn(o.Source, "concrete"), Table: o.Networks, Training: o.Training})
}

// In returns the options with the folder from which relative paths of files begin.
func (o Tabular) In(dir string) Tabular { o.Dir = dir; return o }

// orBuiltIn returns a source, or built-in data if it names none.
func orBuiltIn(s data.Source, name string) data.Source {
	if s.Name == "" && s.IDX == nil && len(s.CIFAR) == 0 && s.Images == "" && s.CSV == "" && s.Text == "" {
		s.Name = name
	}
	return s
}

func newProblem(q question) (*Problem, error) {
	var err error
	if q.Training, err = q.Training.filled(q.Kind); err != nil {
		return nil, err
	}
	p := &Problem{q: q}
	if p.outline, p.about, err = p.q.look(); err != nil {
		return nil, err
	}
	if p.digest, err = p.q.digest(); err != nil {
		return nil, err
	}
	if p.family, err = q.family(p.outline, 0); err != nil {
		return nil, err
	}
	if q.elastic() {
		if _, ok := p.family.(nets.Elastic); !ok {
			return nil, fmt.Errorf("networks: found method %s for a family whose networks do not share weights, want method: alone", q.Training.Method)
		}
	}
	if err := (supernet.Weighted{Shares: q.Training.Shares}).Check(p.family.Space()); err != nil {
		return nil, fmt.Errorf("networks: %w", err)
	}
	p.metrics, p.verify = q.metrics(p.outline)
	return p, nil
}

// Space returns the space of the networks.
func (p *Problem) Space() *space.Space { return p.family.Space() }

// Metrics names what is measured.
func (p *Problem) Metrics() []metric.Metric { return slices.Clone(p.metrics) }

// VerifyMetrics names what is measured of the finished networks.
func (p *Problem) VerifyMetrics() []metric.Metric { return slices.Clone(p.verify) }

// Describe says what an evaluation does.
func (p *Problem) Describe() string {
	how := "takes a network's weights from a supernet"
	if !p.q.elastic() {
		how = "trains a network"
	}
	if p.q.timed() {
		how += ", times it on this machine"
	}
	return how + ", and measures it on " + p.about
}

// Label says in a line what the network of a design is.
func (p *Problem) Label(d space.Design) string { return p.family.Label(d) }

// Key is the same for networks that compute the same and are trained alone: only one of
// them is. Networks of a supernet differ even then, by where their weights are.
func (p *Problem) Key(d space.Design) string {
	if p.q.elastic() {
		return d.Hash().String()
	}
	return p.family.Key(d)
}

// Noisy reports that latency is measured, and so differs a little every time.
func (p *Problem) Noisy() bool { return p.q.timed() }

// Serial reports that one process trains and times all networks, on all processors.
func (p *Problem) Serial() bool { return true }

var free = []string{"params_k", "macs_m", "peak_kb", "size_kb"}

// Estimates names what is known of a network without training it.
func (p *Problem) Estimates() []string { return slices.Clone(free) }

// Estimate counts the network.
func (p *Problem) Estimate(d space.Design) (metric.Values, error) {
	g, err := p.graph(d)
	if err != nil {
		return nil, err
	}
	return counted(g), nil
}

func counted(g *neural.Graph) metric.Values {
	c := g.Cost()
	return metric.Values{
		"params_k": float64(c.Params) / 1e3, "macs_m": float64(c.MACs) / 1e6,
		"peak_kb": float64(c.PeakBytes) / 1024, "size_kb": float64(4*(c.Params+c.State)) / 1024,
	}
}

// graph builds the network of a design. One that cannot be built is infeasible.
func (p *Problem) graph(d space.Design) (*neural.Graph, error) {
	g, err := p.family.Graph(d)
	if err != nil {
		return nil, &problem.InfeasibleError{Reason: err.Error()}
	}
	return g, nil
}

// Draw draws the network.
func (p *Problem) Draw(w io.Writer, d space.Design) error {
	g, err := p.family.Graph(d)
	if err != nil {
		return err
	}
	return g.Draw(w)
}

// Formats are ONNX and the network as JSON.
func (p *Problem) Formats() []string { return []string{"onnx", "json"} }

// Export writes the network with the weights that it has: finished, or those of the
// supernet. A network of which there are none cannot be written as ONNX.
func (p *Problem) Export(w io.Writer, d space.Design, format string) error {
	g, err := p.family.Graph(d)
	if err != nil {
		return err
	}
	switch format {
	case "json":
		return g.Write(w)
	case "onnx":
		weights, err := p.Weights(d)
		if err != nil {
			return err
		}
		return onnx.Write(w, g.Simplify(), weights, onnx.Options{FoldBatchNorm: true})
	}
	return fmt.Errorf("networks: found the format %q, want onnx or json", format)
}

// Weights returns the best weights there are of a network: finished, or those of the
// supernet, which is trained first if need be, or else of its evaluation.
func (p *Problem) Weights(d space.Design) (neural.Weights, error) {
	w, err := p.kept().weights("finished", fileOf(d))
	if w != nil || err != nil {
		return w, err
	}
	a, err := p.call(context.Background(), "weights", request{Design: design(d)}, nil)
	if err != nil {
		return nil, err
	}
	if a.weights == nil {
		return nil, errors.New("networks: found a network that was never trained, want one whose weights are kept")
	}
	return train.ReadWeights(a.weights)
}

// Keep names the folder for weights and measurements.
func (p *Problem) Keep(folder string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.folder = folder
}

// kept is where things are kept.
func (p *Problem) kept() keep {
	p.mu.Lock()
	defer p.mu.Unlock()
	return keep(keep(p.folder).path(p.digest))
}

// Close ends the process that trains.
func (p *Problem) Close() error {
	p.mu.Lock()
	w := p.worker
	p.worker = nil
	p.mu.Unlock()
	if w == nil {
		return nil
	}
	return w.Close()
}

// started returns the worker.
func (p *Problem) started() (*train.Worker, error) {
	folder := p.kept()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.worker != nil {
		return p.worker, nil
	}
	open, err := train.Pack(opening{Question: p.q, Folder: folder})
	if err != nil {
		return nil, err
	}
	p.worker, err = train.NewWorker(train.WorkerOptions{
		Handlers: Handlers(), Memory: int64(p.q.Training.MemoryMB) << 20, Grace: 10 * time.Second,
		Init: &train.Init{Name: "networks.open", Message: open},
	})
	return p.worker, err
}

// call asks the worker, which is started if need be.
func (p *Problem) call(ctx context.Context, name string, r request, tell teller) (answer, error) {
	w, err := p.started()
	if err != nil {
		return answer{}, err
	}
	m, err := train.Pack(r)
	if err != nil {
		return answer{}, err
	}
	reply, err := w.Call(ctx, "networks."+name, m, func(m train.Message) error {
		var t told
		if err := m.Unpack(&t); err != nil || tell == nil {
			return err
		}
		return tell(t)
	})
	if err != nil {
		return answer{}, classified(err)
	}
	var a answer
	if len(reply.Blobs) > 0 {
		a.weights = reply.Blobs[0]
	}
	return a, reply.Unpack(&a)
}

// attempts is how many processes may begin or go on with what takes long.
const attempts = 3

// insist is call for what goes on where it was: a worker that dies, for another reason
// than a lack of memory, is replaced.
func (p *Problem) insist(ctx context.Context, name string, r request, progress func(doing string, done, all int)) (answer, error) {
	before := ""
	for n := 1; ; n++ {
		a, err := p.call(ctx, name, r, func(t told) error {
			progress(before+t.Doing, t.Done, t.All)
			return nil
		})
		var w *train.WorkerError
		if !errors.As(err, &w) || w.Kind == train.FailedMemory || n == attempts || ctx.Err() != nil {
			return a, err
		}
		before = fmt.Sprintf("process %d of at most %d, the one before %s; ", n+1, attempts, w.Reason)
	}
}

// classified tells a study what kind of failure it was.
func classified(err error) error {
	e := &problem.EvalError{Class: problem.ClassCrash, Err: err}
	var w *train.WorkerError
	if errors.As(err, &w) {
		e.ExitCode, e.Stderr = w.Exit, w.Stderr
	}
	switch {
	case w != nil && w.Kind != train.FailedMemory:
	case errors.Is(err, train.ErrPrepare):
		e.Class = problem.ClassPermanent // it would fail for every network
	case errors.Is(err, engine.ErrMemory), errors.Is(err, train.ErrDiverged):
		e.Class = problem.ClassDesign
	default:
		return err
	}
	return e
}

// Prepare trains the supernet, or goes on with it.
func (p *Problem) Prepare(ctx context.Context, progress func(doing string, done, all int)) error {
	if !p.q.elastic() {
		return nil
	}
	_, err := p.insist(ctx, "prepare", request{}, progress)
	return err
}

// Evaluate measures a network with all of the effort.
func (p *Problem) Evaluate(ctx context.Context, d space.Design, r problem.Reporter) (metric.Values, error) {
	return p.EvaluateAt(ctx, d, 1, r)
}

// Fidelity says what an evaluation can have less of.
func (p *Problem) Fidelity() problem.Fidelity {
	t := p.q.Training
	switch t.Fidelity {
	case "epochs":
		most := max(math.Round(t.Train.Epochs), 1)
		return problem.Fidelity{Name: "epochs", Min: 1, Max: most, Whole: true, Resumes: true}
	case "data":
		return problem.Fidelity{Name: "percent of the training examples", Min: 1, Max: 100, Whole: true}
	case "resolution":
		side := float64(max(p.outline.image[1], p.outline.image[2]))
		var levels []float64
		for _, part := range []float64{0.25, 0.375, 0.5, 0.75, 1} {
			if s := math.Round(side * part); s >= 8 && (len(levels) == 0 || s > levels[len(levels)-1]) {
				levels = append(levels, s)
			}
		}
		return problem.Fidelity{Name: "pixels a side", Min: levels[0], Max: side, Levels: levels, Whole: true}
	}
	return problem.Fidelity{}
}

// EvaluateAt is Evaluate with part of the effort.
func (p *Problem) EvaluateAt(ctx context.Context, d space.Design, share float64, r problem.Reporter) (metric.Values, error) {
	return p.evaluate(ctx, d, 0, share, r)
}

// Resume goes on with the training of a network.
func (p *Problem) Resume(ctx context.Context, d space.Design, from, share float64, r problem.Reporter) (metric.Values, error) {
	return p.evaluate(ctx, d, from, share, r)
}

func (p *Problem) evaluate(ctx context.Context, d space.Design, from, share float64, r problem.Reporter) (metric.Values, error) {
	g, err := p.graph(d)
	if err != nil {
		return nil, err
	}
	q := request{Design: design(d), Share: share}
	if f := p.Fidelity(); f.Graded() {
		q.Amount = f.Amount(share)
		if from > 0 {
			q.From = f.Amount(from)
		}
	}
	if t, ok := problem.TrialOf(ctx); ok {
		q.Folder = t.Checkpoint
	}
	a, err := p.call(ctx, "evaluate", q, func(t told) error {
		if r == nil || len(t.Values) == 0 {
			return nil
		}
		values := counted(g)
		maps.Copy(values, t.Values)
		return r.Report(t.Step, values)
	})
	if err != nil {
		return nil, err
	}
	values := counted(g)
	maps.Copy(values, a.Values)
	return values, nil
}

// chosen returns the designs of the front that are finished, evenly along it.
func (p *Problem) chosen(front []space.Design) []space.Design {
	most := p.q.Training.Finished
	switch {
	case most < 0:
		return nil
	case len(front) <= most:
		return front
	}
	var out []space.Design
	for i := range most {
		at := 0
		if most > 1 {
			at = i * (len(front) - 1) / (most - 1)
		}
		out = append(out, front[at])
	}
	return out
}

// Finish trains the chosen networks of the front on, and the references, and measures
// them on the test examples and in turns. If some cannot be trained, it finishes the
// others, and its error says which and why.
func (p *Problem) Finish(ctx context.Context, front []space.Design, progress func(doing string, done, all int)) error {
	q := request{References: p.q.Training.References}
	chosen := p.chosen(front)
	for _, d := range chosen {
		q.Designs = append(q.Designs, design(d))
	}
	if len(q.Designs)+len(q.References) == 0 {
		return nil
	}
	a, err := p.insist(ctx, "finish", q, progress)
	if err != nil {
		return err
	}
	end := &ending{Networks: map[string]metric.Values{}, References: a.Known}
	for i, d := range chosen {
		end.Networks[d.Hash().String()] = a.Finished[i]
	}
	p.mu.Lock()
	p.end = end
	p.mu.Unlock()
	err = p.kept().saveJSON(end, "ending.json")
	if err == nil && len(a.Failed) > 0 {
		err = fmt.Errorf("networks: found %d of %d networks that could not be trained:\n  %s", len(a.Failed), len(chosen)+len(q.References), strings.Join(a.Failed, "\n  "))
	}
	return err
}

// An ending is what finishing the front came to.
type ending struct {
	Networks   map[string]metric.Values // by the hash of the design
	References []problem.Reference
}

// ended returns how the last search ended, of this process or an earlier one.
func (p *Problem) ended() (ending, error) {
	path := p.kept().path("ending.json")
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.end != nil {
		return *p.end, nil
	}
	if path == "" {
		return ending{}, nil
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return ending{}, nil
	}
	if err != nil {
		return ending{}, err
	}
	var e ending
	if err := json.Unmarshal(text, &e); err != nil {
		return ending{}, fmt.Errorf("%s: %w; delete it, and run the study again", path, err)
	}
	p.end = &e
	return e, nil
}

// Verify returns what was measured of a finished network.
func (p *Problem) Verify(_ context.Context, d space.Design) (metric.Values, error) {
	e, err := p.ended()
	return maps.Clone(e.Networks[d.Hash().String()]), err
}

// References returns the networks designed by hand, once they are trained.
func (p *Problem) References(context.Context) ([]problem.Reference, error) {
	e, err := p.ended()
	return slices.Clone(e.References), err
}

func design(d space.Design) json.RawMessage {
	text, err := d.MarshalJSON()
	if err != nil {
		return nil // the worker says what is wrong with it
	}
	return text
}
