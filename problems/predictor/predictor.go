package predictor

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/predict"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/space"
)

// Encodings of designs; see [predict.OneHot] and [predict.Decisions].
const (
	OneHot    = "one-hot"
	Decisions = "decisions"
)

// Training says how a predictor is trained. The zero value works.
type Training struct {
	Learner  predict.Learner            // nil means predict.Bagged{}
	Of       map[string]predict.Learner // methods of metrics that want another one
	Encoding string                     // OneHot or Decisions; "" means Decisions
	Folds    int                        // of the cross-validation; 0 means 5, negative none
	Seed     uint64
}

// Options choose a saved predictor.
type Options struct {
	// File is what [Problem.Save] wrote.
	File string `yaml:"file,required" doc:"file of the saved predictor"`
	// Dir is the folder that a relative File is in; "" means the current one.
	Dir string `yaml:"-"`
}

// Problem is a fitted predictor as a problem. It predicts every metric that it
// learned, without their uncertainty; [Problem.Model] has that.
type Problem struct {
	space    *space.Space
	metrics  []metric.Metric
	encoding string
	model    *predict.MultiModel
	quality  []predict.Quality // of each metric; no rows if it was not assessed
}

var (
	_ problem.Problem   = (*Problem)(nil)
	_ problem.Batcher   = (*Problem)(nil)
	_ problem.Describer = (*Problem)(nil)
)

// Train learns the metrics from samples, and cross-validates each. Samples whose
// design is of another space are read as designs of this one by their names and
// values; one that does not fit is an error. Designs that were measured several
// times are all kept, and stay together in a fold.
func Train(ctx context.Context, s *space.Space, metrics []metric.Metric, samples []predict.Sample, o Training) (*Problem, error) {
	if s == nil {
		return nil, errors.New("predictor: found no space, want what may be built")
	}
	if len(metrics) == 0 {
		return nil, errors.New("predictor: found no metrics, want at least one")
	}
	p := &Problem{space: s, metrics: slices.Clone(metrics), encoding: o.Encoding}
	if p.encoding == "" {
		p.encoding = Decisions
	}
	e, err := encoder(s, p.encoding)
	if err != nil {
		return nil, err
	}
	own := make([]predict.Sample, len(samples))
	for i, x := range samples {
		own[i] = x
		if own[i].Design, err = p.own(x.Design); err != nil {
			return nil, fmt.Errorf("predictor: sample %d: %w", i, err)
		}
	}
	names := make([]string, len(metrics))
	p.quality = make([]predict.Quality, len(metrics))
	learner := o.Learner
	if learner == nil {
		learner = predict.Bagged{}
	}
	for i, m := range metrics {
		names[i] = m.Name
		if o.Folds < 0 {
			continue
		}
		t, err := predict.TableOf(e, own, m.Name)
		if err != nil {
			return nil, err
		}
		if t.Rows() < 4 {
			continue // too few to say anything
		}
		l := learner
		if other, ok := o.Of[m.Name]; ok {
			l = other
		}
		v, err := predict.CrossValidate(ctx, l, t, o.Folds, o.Seed)
		if err != nil {
			return nil, fmt.Errorf("predictor: metric %q: %w", m.Name, err)
		}
		p.quality[i] = v.Quality
		if m.Direction == metric.Maximize { // the best are the largest
			p.quality[i] = predict.Assess(negate(v.Mean), v.SD, negate(t.Y), 0)
		}
	}
	p.model, err = predict.Multi{Learner: learner, Of: o.Of}.Fit(ctx, e, names, own, o.Seed)
	if err != nil {
		return nil, err
	}
	return p, nil
}

func negate(x []float64) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = -v
	}
	return out
}

func encoder(s *space.Space, encoding string) (predict.Encoder, error) {
	switch encoding {
	case OneHot:
		return predict.OneHot(s)
	case Decisions:
		return predict.Decisions(s)
	}
	return nil, fmt.Errorf("predictor: encoding %q; expected %q or %q", encoding, Decisions, OneHot)
}

// Open reads a predictor that [Problem.Save] wrote to a file.
func Open(file string) (*Problem, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("predictor: %w", err)
	}
	defer f.Close()
	p, err := Read(bufio.NewReader(f))
	if err != nil {
		return nil, fmt.Errorf("predictor: %s: %w", file, err)
	}
	return p, nil
}

// New opens the predictor that the options name.
func New(o Options) (*Problem, error) {
	if o.File == "" {
		return nil, errors.New("predictor: found no file, want that of a saved predictor")
	}
	if !filepath.IsAbs(o.File) {
		o.File = filepath.Join(o.Dir, o.File)
	}
	return Open(o.File)
}

// The form of a saved predictor: a line that names the form and its version, a
// line of JSON (header), and for each metric a line with the number of bytes of
// its model and those, as predict.Save writes them.
const fileLine = "daedalus predictor 1"

type header struct {
	Space    json.RawMessage `json:"space"`
	Encoding string          `json:"encoding"`
	Metrics  []headMetric    `json:"metrics"`
}

type headMetric struct {
	Name      string           `json:"name"`
	Unit      string           `json:"unit,omitempty"`
	Doc       string           `json:"doc,omitempty"`
	Direction metric.Direction `json:"direction,omitempty"`
	Rows      int              `json:"rows"`
	Quality   *headQuality     `json:"quality,omitempty"`
}

// headQuality is a predict.Quality whose numbers may be NaN.
type headQuality struct {
	Rows, K                                                                  int
	RMSE, RelativeRMSE, MAE, R2, Spearman, Kendall, Precision, NLL, Coverage *float64
}

func (q *headQuality) each(of *predict.Quality, do func(**float64, *float64)) {
	do(&q.RMSE, &of.RMSE)
	do(&q.RelativeRMSE, &of.RelativeRMSE)
	do(&q.MAE, &of.MAE)
	do(&q.R2, &of.R2)
	do(&q.Spearman, &of.Spearman)
	do(&q.Kendall, &of.Kendall)
	do(&q.Precision, &of.Precision)
	do(&q.NLL, &of.NLL)
	do(&q.Coverage, &of.Coverage)
}

// Save writes the predictor with its space and metrics. A space that was made in
// code and is larger than a file of one may be cannot be saved.
func (p *Problem) Save(w io.Writer) error {
	text, err := p.space.MarshalJSON()
	if err != nil {
		return fmt.Errorf("predictor: saving the space: %w", err)
	}
	h := header{Space: text, Encoding: p.encoding}
	for i, m := range p.metrics {
		x := headMetric{Name: m.Name, Unit: m.Unit, Doc: m.Doc, Direction: m.Direction, Rows: p.model.Rows()[i]}
		if q := p.quality[i]; q.Rows > 0 {
			x.Quality = &headQuality{Rows: q.Rows, K: q.K}
			x.Quality.each(&q, func(to **float64, from *float64) {
				if v := *from; v-v == 0 {
					*to = &v
				}
			})
		}
		h.Metrics = append(h.Metrics, x)
	}
	line, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("predictor: saving: %w", err)
	}
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "%s\n%s\n", fileLine, line)
	for _, m := range p.metrics {
		var body strings.Builder
		if err := predict.Save(&body, p.model.Model(m.Name), p.model.Encoder().Columns()); err != nil {
			return fmt.Errorf("predictor: metric %q: %w", m.Name, err)
		}
		fmt.Fprintf(out, "%d\n%s\n", body.Len(), body.String())
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("predictor: saving: %w", err)
	}
	return nil
}

// Read reads what [Problem.Save] wrote.
func Read(r io.Reader) (*Problem, error) {
	in := bufio.NewReader(r)
	first, err := in.ReadString('\n')
	if first = strings.TrimSuffix(first, "\n"); first != fileLine {
		if strings.HasPrefix(first, "daedalus predictor ") {
			return nil, fmt.Errorf("found %q, want %q, or a newer version of this program", first, fileLine)
		}
		return nil, fmt.Errorf("found %.40q, want the first line %q of a saved predictor (%v)", first, fileLine, err)
	}
	line, err := in.ReadBytes('\n')
	if err != nil {
		return nil, errors.New("the file was cut short in its header")
	}
	var h header
	if err := json.Unmarshal(line, &h); err != nil {
		return nil, fmt.Errorf("the header: %w", err)
	}
	p := &Problem{encoding: h.Encoding}
	if p.space, err = space.Parse("space", h.Space); err != nil {
		return nil, fmt.Errorf("the space: %w", err)
	}
	e, err := encoder(p.space, p.encoding)
	if err != nil {
		return nil, err
	}
	var names []string
	var rows []int
	var models []predict.Model
	for _, x := range h.Metrics {
		if x.Name == "" || slices.Contains(names, x.Name) {
			return nil, fmt.Errorf("the metric %q is empty or occurs twice", x.Name)
		}
		names, rows = append(names, x.Name), append(rows, x.Rows)
		p.metrics = append(p.metrics, metric.Metric{Name: x.Name, Unit: x.Unit, Doc: x.Doc, Direction: x.Direction})
		var q predict.Quality
		if x.Quality != nil {
			q.Rows, q.K = x.Quality.Rows, x.Quality.K
			x.Quality.each(&q, func(from **float64, to *float64) {
				*to = math.NaN()
				if *from != nil {
					*to = **from
				}
			})
		}
		p.quality = append(p.quality, q)
		m, err := readModel(in, e)
		if err != nil {
			return nil, fmt.Errorf("the model of %q: %w", x.Name, err)
		}
		models = append(models, m)
	}
	if _, err := in.ReadByte(); err != io.EOF {
		return nil, errors.New("the file goes on after the last model")
	}
	if p.model, err = predict.NewMultiModel(e, names, models, rows); err != nil {
		return nil, err
	}
	return p, nil
}

func readModel(in *bufio.Reader, e predict.Encoder) (predict.Model, error) {
	var size int64
	line, err := in.ReadString('\n')
	if _, scan := fmt.Sscanf(line, "%d\n", &size); err != nil || scan != nil || size < 0 {
		return nil, errors.New("the file was cut short")
	}
	part := io.LimitReader(in, size)
	m, columns, err := predict.Load(part)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(columns, e.Columns()) {
		return nil, fmt.Errorf("it predicts from %d columns that are not the %d of the space", len(columns), len(e.Columns()))
	}
	if c, err := in.ReadByte(); err != nil || c != '\n' {
		return nil, errors.New("the file was cut short")
	}
	return m, nil
}

// own returns the design of this problem's space that has the names and values
// of d.
func (p *Problem) own(d space.Design) (space.Design, error) {
	if d.Space() == p.space {
		return d, nil
	}
	if d.IsZero() {
		return d, errors.New("the zero design")
	}
	own, err := p.space.FromMap(d.Map())
	if err != nil {
		return own, fmt.Errorf("the design belongs to another space: %w", err)
	}
	return own, nil
}

// Space implements [problem.Problem].
func (p *Problem) Space() *space.Space { return p.space }

// Metrics implements [problem.Problem].
func (p *Problem) Metrics() []metric.Metric { return slices.Clone(p.metrics) }

// Model returns the predictor, which also knows how sure it is.
func (p *Problem) Model() *predict.MultiModel { return p.model }

// Quality returns how well a metric was predicted in cross-validation; false if
// it was not assessed.
func (p *Problem) Quality(name string) (predict.Quality, bool) {
	for i, m := range p.metrics {
		if m.Name == name && p.quality[i].Rows > 0 {
			return p.quality[i], true
		}
	}
	return predict.Quality{}, false
}

// Describe says what one evaluation is.
func (p *Problem) Describe() string {
	var parts []string
	for i, m := range p.metrics {
		text := fmt.Sprintf("%s from %d measured designs", m.Name, p.model.Rows()[i])
		if q := p.quality[i]; q.Rows > 0 {
			text += fmt.Sprintf(" (Spearman %.2f in cross-validation)", q.Spearman)
		}
		parts = append(parts, text)
	}
	return "predicts " + strings.Join(parts, ", ")
}

// Evaluate predicts one design.
func (p *Problem) Evaluate(ctx context.Context, d space.Design, _ problem.Reporter) (metric.Values, error) {
	var out [1]problem.Result
	p.EvaluateBatch(ctx, []space.Design{d}, out[:])
	return out[0].Values, out[0].Err
}

// EvaluateBatch implements [problem.Batcher].
func (p *Problem) EvaluateBatch(ctx context.Context, designs []space.Design, out []problem.Result) {
	own := make([]space.Design, 0, len(designs))
	at := make([]int, 0, len(designs))
	for i, d := range designs {
		d, err := p.own(d)
		if err != nil {
			out[i] = problem.Result{Err: &problem.EvalError{Class: problem.ClassPermanent, Err: fmt.Errorf("predictor: %w", err)}}
			continue
		}
		own, at = append(own, d), append(at, i)
	}
	values := make([]metric.Values, len(own))
	err := ctx.Err()
	if err == nil {
		err = p.model.Predict(own, values, nil)
	}
	for k, i := range at {
		out[i] = problem.Result{Values: values[k], Err: err}
	}
}
