package networks

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/data"
	"github.com/daedalus-search/daedalus/neural/nets"
)

// A question is what a worker needs to know to answer everything: one of the three
// kinds of options.
type question struct {
	Kind     data.Kind
	Data     data.Source
	Image    ImageNets
	Text     nets.TransformerSpace
	Table    nets.MLPSpace
	Training Training
	Contents string // names what is in the data, if they are read from files
}

// family returns the networks for data of an outline; side, if not 0, is that of
// smaller images.
func (q *question) family(o outline, side int) (nets.Family, error) {
	switch q.Kind {
	case data.Text:
		s := q.Text
		s.Vocabulary, s.Length, s.Classes, s.PerToken, s.Causal = o.classes, o.window, o.classes, true, true
		return s.New()
	case data.Table:
		s := q.Table
		s.Numbers, s.Categories, s.Out = o.numbers, o.categories, max(o.targets, o.classes)
		return s.New()
	}
	return q.Image.family(o, side)
}

// elastic reports whether the networks share weights.
func (q *question) elastic() bool { return q.Training.Method != "alone" }

// timed reports whether latency is measured.
func (q *question) timed() bool { return q.Training.Latency.Engine != "none" }

// digest stands for all that trained weights depend on. What was made for one question
// is not used for another.
func (q question) digest() (string, error) {
	t := &q.Training
	t.Finished, t.References, t.Threads, t.MemoryMB, t.Latency, t.Finish, t.Retrain = 0, nil, 0, 0, Latency{}, nil, false
	text, err := json.Marshal(q)
	if err != nil {
		return "", fmt.Errorf("networks: %w", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:6]), nil
}

// open reads the data: what all networks are trained on, what the search judges by, and
// what it never sees.
func (q *question) open(ctx context.Context) (*data.Parts, error) {
	parts, err := q.Data.Open(ctx)
	if err != nil {
		return nil, err
	}
	if parts.Train.Kind != q.Kind {
		return nil, fmt.Errorf("networks: found %s, want %s: %v", parts.Train.Kind, q.Kind, parts.Train)
	}
	return parts, nil
}

// look says what the data ask of networks, and what they are, and notes what is in them.
// Unpacking Fashion-MNIST takes seconds, and only who trains needs its images.
func (q *question) look() (outline, string, error) {
	if q.Data.Name == "fashion-mnist" && q.Kind == data.Images {
		side := q.Data.Side
		number(&side, 28)
		return outline{image: neural.Shape{1, side, side}, classes: 10}, q.Data.Name, q.Data.Check()
	}
	parts, err := q.open(context.Background())
	if err != nil {
		return outline{}, "", err
	}
	if q.Data.Name == "" {
		h := sha256.New()
		for _, s := range []*data.Set{parts.Train, parts.Valid, parts.Test} {
			writeContents(h, s)
		}
		q.Contents = hex.EncodeToString(h.Sum(nil))
	}
	return outlineOf(parts.Train), parts.String(), nil
}

// writeContents writes all that is in a set to a hash, which never fails.
func writeContents(w io.Writer, s *data.Set) {
	fmt.Fprintf(w, "%v %q %v %v\n", s, s.Classes, s.Numbers, s.Categories)
	put := func(x any) { _ = binary.Write(w, binary.LittleEndian, x) }
	put(s.Tokens())
	if s.Kind == data.Text {
		return
	}
	for i := range s.Len() {
		put(int64(s.Class(i)))
		if s.Kind == data.Images {
			put(s.Image(i))
			continue
		}
		numbers, codes, targets := s.Row(i)
		put(numbers)
		put(codes)
		put(targets)
	}
}

// metrics lists what is measured in the search and at the end.
func (q *question) metrics(o outline) (search, end []metric.Metric) {
	add := func(name, unit string, d metric.Direction, doc string) {
		search = append(search, metric.Metric{Name: name, Unit: unit, Direction: d, Doc: doc})
	}
	on := "on the validation examples"
	test := func(name, unit string, d metric.Direction, doc string) {
		end = append(end, metric.Metric{Name: "test_" + name, Unit: unit, Direction: d, Doc: doc + " on the test examples, after it was finished"})
	}
	switch {
	case q.Kind == data.Text:
		add("bits_per_token", "bit", metric.Minimize, "cross-entropy of the next character or word "+on)
		add("perplexity", "", metric.Minimize, "e to the cross-entropy "+on)
		add("accuracy", "%", metric.Maximize, "of the next character or word "+on)
		test("bits_per_token", "bit", metric.Minimize, "cross-entropy")
		test("perplexity", "", metric.Minimize, "e to the cross-entropy")
	case o.targets > 0:
		add("rmse", "", metric.Minimize, "root mean squared error "+on+", in the unit of the target")
		add("mae", "", metric.Minimize, "mean absolute error "+on+", in the unit of the target")
		add("r2", "", metric.Maximize, "share of the variance explained "+on)
		test("rmse", "", metric.Minimize, "root mean squared error")
		test("mae", "", metric.Minimize, "mean absolute error")
		test("r2", "", metric.Maximize, "share of the variance explained")
	default:
		add("accuracy", "%", metric.Maximize, on)
		test("accuracy", "%", metric.Maximize, "accuracy")
		if o.uneven {
			test("balanced_accuracy", "%", metric.Maximize, "mean of the accuracies of the classes")
		}
	}
	add("loss", "", metric.Minimize, "what training minimises, "+on)
	if q.timed() {
		add("latency_ms", "ms", metric.Minimize, "median time of a run on this machine")
		end = append(end, metric.Metric{Name: "final_latency_ms", Unit: "ms", Direction: metric.Minimize, Doc: "the same, measured in turns with all finished networks and references"})
	}
	add("params_k", "k", metric.Minimize, "learned numbers, in thousands")
	add("macs_m", "M", metric.Minimize, "multiply-accumulates of one example, in millions")
	add("peak_kb", "KiB", metric.Minimize, "most that activations hold at one time, one example")
	add("size_kb", "KiB", metric.Minimize, "weights as 32-bit floats")
	if q.Kind != data.Text && o.targets == 0 { // last, for tables begin with what comes first
		add("balanced_accuracy", "%", metric.Maximize, "mean of the accuracies of the classes, "+on)
	}
	return search, end
}
