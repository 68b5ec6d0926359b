package predictor_test

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/predict"
	"github.com/daedalus-search/daedalus/problem/problemtest"
	"github.com/daedalus-search/daedalus/problems/predictor"
	"github.com/daedalus-search/daedalus/search/searchtest"
	"github.com/daedalus-search/daedalus/space"
)

var metrics = []metric.Metric{
	{Name: "accuracy", Unit: "%", Direction: metric.Maximize, Doc: "made up"},
	{Name: "latency_ms", Unit: "ms", Direction: metric.Minimize},
}

// samples measures designs of a space by a smooth function of their decisions.
func samples(t *testing.T, s *space.Space, n int) []predict.Sample {
	t.Helper()
	r := rng.New(1, "predictor", 0)
	out := make([]predict.Sample, n)
	for i := range out {
		d := s.MustSample(r)
		x := 0.0
		for _, a := range d.Decisions(nil) {
			u := a.Unit(a.Index, a.Real) - float64(a.Site%7)/7
			x += u * u
		}
		out[i] = predict.Sample{Design: d, Values: metric.Values{"accuracy": 90 - 5*x, "latency_ms": 1 + x}}
		if i%10 == 0 {
			delete(out[i].Values, "latency_ms")
		}
	}
	return out
}

// TestLaws trains on each kind of space, saves, opens and checks that the
// predictor is a problem.
func TestLaws(t *testing.T) {
	for _, kind := range searchtest.Kinds() {
		for _, encoding := range []string{predictor.Decisions, predictor.OneHot} {
			t.Run(string(kind)+" "+encoding, func(t *testing.T) {
				t.Parallel()
				s := searchtest.Space(kind)
				in := samples(t, s, 60)
				p, err := predictor.Train(t.Context(), s, metrics, in, predictor.Training{
					Learner: predict.Boosted{Trees: 20}, Of: map[string]predict.Learner{"latency_ms": predict.Forest{Trees: 5}}, Encoding: encoding,
				})
				if err != nil {
					t.Fatal(err)
				}
				file := filepath.Join(t.TempDir(), "p")
				var text bytes.Buffer
				if err := p.Save(&text); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
					t.Fatal(err)
				}
				q, err := predictor.Open(file)
				if err != nil {
					t.Fatal(err)
				}
				problemtest.Run(t, q)
				for _, x := range in[:20] {
					a, err := p.Evaluate(t.Context(), x.Design, nil)
					if err != nil {
						t.Fatal(err)
					}
					b, err := q.Evaluate(t.Context(), x.Design, nil) // a design of the other, equal space
					if err != nil || a["accuracy"] != b["accuracy"] || a["latency_ms"] != b["latency_ms"] {
						t.Fatalf("%v predicts %v; saved and opened %v (%v)", x.Design, a, b, err)
					}
				}
				for _, m := range metrics {
					a, okA := p.Quality(m.Name)
					b, okB := q.Quality(m.Name)
					if !okA || !okB || a.RMSE != b.RMSE || a.Kendall != b.Kendall && !math.IsNaN(a.Kendall) {
						t.Errorf("quality %v; saved and opened %v", a, b)
					}
				}
			})
		}
	}
}

// TestMistakes checks that files and samples that are wrong are refused with a
// reason.
func TestMistakes(t *testing.T) {
	s := searchtest.Space(searchtest.Flat)
	in := samples(t, s, 30)
	ctx := t.Context()
	for want, make := range map[string]func() error{
		"no space":   func() error { _, err := predictor.Train(ctx, nil, metrics, in, predictor.Training{}); return err },
		"no metrics": func() error { _, err := predictor.Train(ctx, s, nil, in, predictor.Training{}); return err },
		"no finite value": func() error {
			_, err := predictor.Train(ctx, s, []metric.Metric{{Name: "energy"}}, in, predictor.Training{})
			return err
		},
		"another space": func() error {
			_, err := predictor.Train(ctx, searchtest.Space(searchtest.Tiny), metrics, in, predictor.Training{})
			return err
		},
		"encoding": func() error {
			_, err := predictor.Train(ctx, s, metrics, in, predictor.Training{Encoding: "x"})
			return err
		},
		"no file": func() error { _, err := predictor.New(predictor.Options{}); return err },
		"no such": func() error {
			_, err := predictor.New(predictor.Options{File: "absent", Dir: t.TempDir()})
			return err
		},
	} {
		if err := make(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; expected an error that says %q", err, want)
		}
	}
	p, err := predictor.Train(ctx, s, metrics, in, predictor.Training{Learner: predict.Boosted{Trees: 3}})
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := p.Save(&file); err != nil {
		t.Fatal(err)
	}
	text := file.Bytes()
	for n := 0; n < len(text); n += max(1, len(text)/200) {
		if _, err := predictor.Read(bytes.NewReader(text[:n])); err == nil {
			t.Errorf("a file cut to %d of %d bytes was read", n, len(text))
		}
	}
	newer := bytes.Replace(text, []byte("predictor 1"), []byte("predictor 2"), 1)
	if _, err := predictor.Read(bytes.NewReader(newer)); err == nil || !strings.Contains(err.Error(), "newer") {
		t.Errorf("a newer file: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	s := searchtest.Space(searchtest.Tiny)
	d := s.MustSample(rng.New(1, "fuzz", 0))
	p, err := predictor.Train(f.Context(), s, metrics[:1], []predict.Sample{{Design: d, Values: metric.Values{"accuracy": 1}}}, predictor.Training{Learner: predict.Boosted{}})
	if err != nil {
		f.Fatal(err)
	}
	var file bytes.Buffer
	if err := p.Save(&file); err != nil {
		f.Fatal(err)
	}
	f.Add(file.Bytes())
	f.Fuzz(func(t *testing.T, text []byte) {
		if p, err := predictor.Read(bytes.NewReader(text)); err == nil && len(p.Metrics()) == 0 {
			t.Error("a predictor without metrics was read")
		}
	})
}
