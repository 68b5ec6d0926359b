package train

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/daedalus-search/daedalus/internal/detmath"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/data"
	"github.com/daedalus-search/daedalus/neural/train/engine"
)

// Metrics say how well a network does on a set. Which of them mean something depends
// on what there is to learn.
type Metrics struct {
	Count int     // examples, or tokens of a text
	Loss  float64 // mean cross-entropy in nats, or mean squared error of scaled targets

	Accuracy float64 // share of examples or tokens whose class has the largest logit
	Balanced float64 // mean over the classes of the share of their examples that is right; not of texts

	RMSE   float64   // root mean squared error of all targets together, in their units
	MAE    float64   // mean absolute error of all targets together, in their units
	R2     float64   // share of the variance explained, mean over targets
	Errors []float64 // root mean squared error of each target, in its unit
}

// BitsPerToken returns the cross-entropy in bits; of a text of characters, bits a
// character.
func (m *Metrics) BitsPerToken() float64 { return m.Loss / math.Ln2 }

// Perplexity returns e to the cross-entropy.
func (m *Metrics) Perplexity() float64 { return detmath.Exp(m.Loss) }

// batchOf returns a loader's batch in the engine's form, sharing its memory.
func batchOf(b *data.Batch) *engine.Batch {
	return &engine.Batch{N: b.N, Inputs: b.Inputs, Classes: b.Classes, Targets: b.Targets}
}

// Evaluate computes a network on all of a set, in its order and without augmentation.
// A network with batch normalisation needs [Recalibrate] before.
func Evaluate(ctx context.Context, n *engine.Net, s *data.Set, scale *data.Scale, batch int) (*Metrics, error) {
	l, err := s.Loader(data.Options{Batch: max(1, min(batch, s.Len())), Scale: scale})
	if err != nil {
		return nil, fmt.Errorf("train: evaluate: %w", err)
	}
	m := &Metrics{}
	correct := 0
	hits, counts := make([]int, len(s.Classes)), make([]int, len(s.Classes))
	targets := len(s.Targets)
	squares, absolutes, mean, spread := make([]float64, targets), make([]float64, targets), make([]float64, targets), make([]float64, targets)
	rows := 0
	b := l.NewBatch()
	for step := range l.Steps() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		l.Fill(b, 0, step)
		score, err := n.Evaluate(batchOf(b))
		if err != nil {
			return nil, fmt.Errorf("train: evaluate %s, batch %d of %d: %w", s.Name, step+1, l.Steps(), explain(err, b.N))
		}
		if !finite(score.Loss) {
			return nil, fmt.Errorf("train: evaluate %s, batch %d of %d: %w: found the loss %v", s.Name, step+1, l.Steps(), ErrDiverged, score.Loss)
		}
		m.Count += score.Count
		m.Loss += float64(score.Loss * float64(score.Count))
		correct += score.Correct
		if targets == 0 {
			if s.Kind != data.Text {
				count(hits, counts, score.Outputs, b.Classes)
			}
			continue
		}
		if len(score.Outputs) != len(b.Targets) {
			return nil, fmt.Errorf("train: evaluate %s: found %d numbers from the network for %d targets", s.Name, len(score.Outputs), len(b.Targets))
		}
		for i, y := range b.Targets {
			k := i % targets
			if k == 0 {
				rows++
			}
			d := float64(score.Outputs[i]) - float64(y)
			squares[k] += float64(d * d)
			absolutes[k] += math.Abs(d)
			e := float64(y) - mean[k] // Welford 1962
			mean[k] += e / float64(rows)
			spread[k] += float64(e * (float64(y) - mean[k]))
		}
	}
	if m.Count == 0 {
		return nil, fmt.Errorf("train: evaluate %s: found nothing that counts, want at least one example", s.Name)
	}
	m.Loss /= float64(m.Count)
	if targets == 0 {
		m.Accuracy, m.Balanced = float64(correct)/float64(m.Count), balanced(hits, counts)
		return m, nil
	}
	total := 0.0
	for k := range targets {
		unit := 1.0
		if scale != nil {
			unit = float64(scale.TargetStd[k])
		}
		e := float64(squares[k]/float64(rows)) * float64(unit*unit)
		total += e
		m.MAE += float64(float64(absolutes[k]/float64(rows))*unit) / float64(targets)
		m.Errors = append(m.Errors, math.Sqrt(e))
		switch {
		case spread[k] > 0:
			m.R2 += 1 - squares[k]/spread[k]
		case squares[k] == 0: // what does not vary was foretold
			m.R2++
		}
	}
	m.RMSE, m.R2 = math.Sqrt(total/float64(targets)), m.R2/float64(targets)
	return m, nil
}

// count adds the examples of each class, and those of them whose class has the largest
// logit.
func count(hits, counts []int, logits []float32, classes []int32) {
	n := len(counts)
	for i, c := range classes {
		row := logits[i*n:][:n]
		best := 0
		for k, x := range row {
			if x > row[best] {
				best = k
			}
		}
		if counts[c]++; best == int(c) {
			hits[c]++
		}
	}
}

// balanced is the mean of the classes' shares of hits; classes without examples do not
// count.
func balanced(hits, counts []int) float64 {
	sum, n := 0.0, 0
	for c, k := range counts {
		if k > 0 {
			sum += float64(hits[c]) / float64(k)
			n++
		}
	}
	if n == 0 {
		return 0
	}
	return sum / float64(n)
}

// Recalibrate gives a network's batch normalisations the exact statistics of a number
// of examples, in which the classes are spread evenly. A network without any is left
// as it is.
func Recalibrate(ctx context.Context, n *engine.Net, g *neural.Graph, s *data.Set, scale *data.Scale, examples, batch int, seed uint64) error {
	if !normalises(g) {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	batches, err := plainBatches(s, scale, examples, batch, seed)
	if err != nil {
		return fmt.Errorf("train: recalibrate: %w", err)
	}
	if err := n.Recalibrate(batches...); err != nil {
		return fmt.Errorf("train: recalibrate on %d examples of %s: %w", examples, s.Name, explain(err, batch))
	}
	return nil
}

// normalises reports whether a network has batch normalisation.
func normalises(g *neural.Graph) bool {
	for _, n := range g.Nodes() {
		if _, ok := n.Op.(neural.BatchNorm); ok {
			return true
		}
	}
	return false
}

// plainBatches returns examples of a set without augmentation.
func plainBatches(s *data.Set, scale *data.Scale, examples, batch int, seed uint64) ([]*engine.Batch, error) {
	if examples < s.Len() {
		part, err := s.Fraction(seed, float64(examples)/float64(s.Len()))
		if err != nil {
			return nil, err
		}
		s = part
	}
	l, err := s.Loader(data.Options{Batch: max(1, min(batch, s.Len())), Scale: scale})
	if err != nil {
		return nil, err
	}
	var all []*engine.Batch
	for step := range l.Steps() {
		b := l.NewBatch()
		l.Fill(b, 0, step)
		all = append(all, batchOf(b))
	}
	return all, nil
}

// Logits returns the outputs of a network for every example of a set, in its order:
// what [Job.TeacherLogits] takes.
func Logits(ctx context.Context, n *engine.Net, s *data.Set, scale *data.Scale, batch int) ([]float32, error) {
	l, err := s.Loader(data.Options{Batch: max(1, min(batch, s.Len())), Scale: scale})
	if err != nil {
		return nil, fmt.Errorf("train: logits: %w", err)
	}
	var all []float32
	b := l.NewBatch()
	for step := range l.Steps() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		l.Fill(b, 0, step)
		score, err := n.Evaluate(batchOf(b))
		if err != nil {
			return nil, fmt.Errorf("train: logits of %s, batch %d of %d: %w", s.Name, step+1, l.Steps(), explain(err, b.N))
		}
		all = append(all, score.Outputs...)
	}
	return all, nil
}

// explain says what to do about a lack of memory, and that numbers without end are a
// training that diverged.
func explain(err error, batch int) error {
	var bad *engine.NonFiniteError
	switch {
	case errors.Is(err, engine.ErrMemory):
		return fmt.Errorf("%w; found batches of %d examples: take smaller ones, a smaller network, or allow more memory", err, batch)
	case errors.As(err, &bad):
		return fmt.Errorf("%w: %w", ErrDiverged, err)
	}
	return err
}

func finite(x float64) bool { return x-x == 0 }

// fits reports what of a network does not fit a set.
func fits(g *neural.Graph, s *data.Set) error {
	var found []neural.Shape
	for _, i := range g.Inputs() {
		found = append(found, g.Node(i).Shape)
	}
	var want []neural.Shape
	out := len(s.Classes)
	switch s.Kind {
	case data.Images:
		want = []neural.Shape{{s.Channels, s.Height, s.Width}}
	case data.Text:
		want = []neural.Shape{{s.Window}}
	case data.Table:
		if len(s.Numbers) > 0 {
			want = []neural.Shape{{len(s.Numbers)}}
		}
		for range s.Categories {
			want = append(want, neural.Shape{1})
		}
	}
	if s.Targets != nil {
		out = len(s.Targets)
	}
	if len(found) != len(want) {
		return fmt.Errorf("network %q: found %d inputs, want %d for %s", g.Name(), len(found), len(want), s)
	}
	for k := range want {
		if found[k] != want[k] {
			return fmt.Errorf("network %q: input %d: found the shape %s, want %s for %s", g.Name(), k+1, found[k], want[k], s)
		}
	}
	outputs := g.Outputs()
	if len(outputs) != 1 {
		return fmt.Errorf("network %q: found %d outputs, want 1", g.Name(), len(outputs))
	}
	shape := neural.Shape{out}
	if s.Kind == data.Text {
		shape = neural.Shape{s.Window, out}
	}
	if got := g.Node(outputs[0]).Shape; got != shape {
		return fmt.Errorf("network %q: found an output of the shape %s, want %s for %s", g.Name(), got, shape, s)
	}
	return nil
}
