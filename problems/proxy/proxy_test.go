package proxy_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/problem/problemtest"
	"github.com/daedalus-search/daedalus/problems/proxy"
	"github.com/daedalus-search/daedalus/space"
)

// bowl is smooth in a and b, has a limit on where it exists and two metrics.
func bowl(t testing.TB) problem.Problem {
	t.Helper()
	s, err := space.New(space.Float("a", -1, 1), space.Float("b", -1, 1), space.Categorical("c", "x", "y", "z"))
	if err != nil {
		t.Fatal(err)
	}
	ms := []metric.Metric{
		{Name: "time_ms", Unit: "ms", Direction: metric.Minimize},
		{Name: "energy_mj", Unit: "mJ", Direction: metric.Minimize},
	}
	return problem.Func(s, ms, func(ctx context.Context, d space.Design, _ problem.Reporter) (metric.Values, error) {
		m := d.Map()
		a, b := m["a"].(float64), m["b"].(float64)
		if a+b > 1.5 {
			return nil, &problem.InfeasibleError{Reason: "too large"}
		}
		f := 1.0
		if m["c"] == "y" {
			f = 2
		}
		return metric.Values{"time_ms": f * (1 + a*a + b*b), "energy_mj": f * (2 + a - b)}, ctx.Err()
	})
}

// chance asks for random designs in one part of a.
type chance struct {
	s    *space.Space
	low  float64
	seed uint64
	n    int
}

func (c *chance) Ask() ([]space.Design, error) {
	r := rng.New(c.seed, "test", uint64(c.n))
	c.n++
	var out []space.Design
	for len(out) < 16 {
		d, err := c.s.Sample(r)
		if err != nil {
			return nil, err
		}
		if d.Map()["a"].(float64) >= c.low {
			out = append(out, d)
		}
	}
	return out, nil
}

func (c *chance) Tell([]problem.Result, []metric.Score) {}

func source(name string, low float64) proxy.Source {
	return proxy.Source{Name: name, Open: func(s *space.Space, _, _ int, seed uint64) (proxy.Asker, error) {
		return &chance{s: s, low: low, seed: seed + uint64(len(name))}, nil
	}}
}

func options(t testing.TB) proxy.Options {
	return proxy.Options{
		Of: bowl(t), Objectives: []string{"minimize time_ms"}, Designs: 600, Test: 200, Seed: 3,
		Learners: []string{"boosted", "ridge"},
		Sources:  []proxy.Source{source("right", 0.5), source("everywhere", -1)},
	}
}

func open(t testing.TB, o proxy.Options) problem.Problem {
	t.Helper()
	p, err := proxy.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestLaws(t *testing.T) { problemtest.Run(t, open(t, options(t))) }

func TestPredictsWhatItMeasures(t *testing.T) {
	ctx := context.Background()
	p := open(t, options(t))
	var said []string
	if err := p.(problem.Preparer).Prepare(ctx, func(doing string, done, all int) {
		if done > all {
			t.Errorf("%s: %d of %d", doing, done, all)
		}
		said = append(said, doing)
	}); err != nil {
		t.Fatal(err)
	}
	if len(said) < 800 {
		t.Errorf("%d words of progress for 800 measurements", len(said))
	}
	r := rng.New(1, "test", 0)
	var sum float64
	n := 0
	for n < 200 {
		d, err := p.Space().Sample(r)
		if err != nil {
			t.Fatal(err)
		}
		truth, err := p.(problem.Verifier).Verify(ctx, d)
		if errors.As(err, new(*problem.InfeasibleError)) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		told, err := p.Evaluate(ctx, d, nil)
		if err != nil {
			t.Fatal(err)
		}
		e := told["time_ms"]/truth["measured_time_ms"] - 1
		sum += e * e
		n++
	}
	if rms := math.Sqrt(sum / float64(n)); rms > 0.1 {
		t.Errorf("root mean square error %.3f of a smooth function learned from 600 designs", rms)
	}
}

// What was learned from one corner knows less of the rest than what was learned
// from everywhere, and as much from all lies between.
func TestFindings(t *testing.T) {
	ctx := context.Background()
	o := options(t)
	clock := time.Unix(0, 0)
	o.Clock = func() time.Time { return clock }
	p := open(t, o)
	d, err := p.Space().FromMap(map[string]any{"a": 0.0, "b": 0.0, "c": "x"})
	if err != nil {
		t.Fatal(err)
	}
	found, err := p.(problem.Assessor).Assess(ctx, []space.Design{d})
	if err != nil {
		t.Fatal(err)
	}
	titles := map[string]problem.Finding{}
	for _, f := range found {
		titles[f.Title] = f
		for _, row := range f.Rows {
			if len(row) != len(f.Columns) {
				t.Errorf("%s: %d cells in %d columns", f.Title, len(row), len(f.Columns))
			}
		}
	}
	errs := map[string]float64{}
	for _, row := range titles["What it is worth to learn from several methods"].Rows {
		var x float64
		fmt.Sscan(row[2], &x)
		errs[row[0]] = x
	}
	if !(errs["everywhere"] < errs["all, as many"] && errs["all, as many"] < errs["right"]) {
		t.Errorf("errors on random designs by what was learned from: %v", errs)
	}
	if f := titles["The front, measured"]; len(f.Rows) != 2 || !strings.HasPrefix(f.Notes[0], "1 designs") {
		t.Errorf("the front: %+v", f)
	}
	if f := titles["How well each metric is predicted"]; len(f.Rows) != 4 {
		t.Errorf("%d rows for two metrics and two predictors", len(f.Rows))
	}
}

func TestSameAgain(t *testing.T) {
	ctx := context.Background()
	a, b := open(t, options(t)), open(t, options(t))
	r := rng.New(9, "test", 0)
	for range 50 {
		d, err := a.Space().Sample(r)
		if err != nil {
			t.Fatal(err)
		}
		own, err := b.Space().FromMap(d.Map())
		if err != nil {
			t.Fatal(err)
		}
		x, err1 := a.Evaluate(ctx, d, nil)
		y, err2 := b.Evaluate(ctx, own, nil)
		if err1 != nil || err2 != nil || x["time_ms"] != y["time_ms"] || x["energy_mj"] != y["energy_mj"] {
			t.Fatalf("%v and %v (%v, %v)", x, y, err1, err2)
		}
	}
}

// A search that is interrupted while designs are measured goes on when it is
// called again.
func TestInterrupted(t *testing.T) {
	p := open(t, options(t))
	ctx, cancel := context.WithCancel(context.Background())
	n := 0
	err := p.(problem.Preparer).Prepare(ctx, func(string, int, int) {
		if n++; n == 50 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("cancelled after 50 measurements: %v", err)
	}
	if err := p.(problem.Preparer).Prepare(context.Background(), func(string, int, int) {}); err != nil {
		t.Fatal(err)
	}
}

func TestBadOptions(t *testing.T) {
	for _, c := range []struct {
		change func(*proxy.Options)
		want   string
	}{
		{func(o *proxy.Options) { o.Of = nil }, "of: found no problem"},
		{func(o *proxy.Options) { o.Objectives = nil }, "objectives: found none"},
		{func(o *proxy.Options) { o.Objectives = []string{"minimize speed"} }, "speed"},
		{func(o *proxy.Options) { o.Objectives = []string{"faster"} }, "objectives"},
		{func(o *proxy.Options) { o.Sources = nil }, "found no method"},
		{func(o *proxy.Options) { o.Designs = 12 }, "found 12 for 2 methods"},
		{func(o *proxy.Options) { o.Metrics = []string{"time"} }, `"time" is not measured; measured are time_ms, energy_mj`},
		{func(o *proxy.Options) { o.Metrics = []string{"time_ms", "time_ms"} }, "twice"},
		{func(o *proxy.Options) { o.Learners = []string{"magic"} }, `found "magic", want some of boosted`},
	} {
		o := options(t)
		c.change(&o)
		if _, err := proxy.New(o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v; expected %q in it", err, c.want)
		}
	}
}

// A failure of a measurement ends the preparation and says which design it was.
func TestFailingMeasurement(t *testing.T) {
	o := options(t)
	inner := o.Of
	o.Of = problem.Func(inner.Space(), inner.Metrics(), func(context.Context, space.Design, problem.Reporter) (metric.Values, error) {
		return nil, errors.New("the device is gone")
	})
	_, err := open(t, o).Evaluate(context.Background(), space.Design{}, nil)
	if err == nil || !strings.Contains(err.Error(), "the device is gone") || !strings.Contains(err.Error(), "design") {
		t.Errorf("%v", err)
	}
}

type drawing struct{ problem.Problem }

func (drawing) Draw(w io.Writer, _ space.Design) error {
	_, err := io.WriteString(w, "<svg/>")
	return err
}

// The proxy draws exactly when the original does.
func TestDraws(t *testing.T) {
	o := options(t)
	if _, ok := open(t, o).(problem.Drawer); ok {
		t.Error("the original does not draw, but its proxy does")
	}
	o.Of = drawing{o.Of}
	d, ok := open(t, o).(problem.Drawer)
	if !ok {
		t.Fatal("the original draws, but its proxy does not")
	}
	var b bytes.Buffer
	if err := d.Draw(&b, space.Design{}); err != nil || b.String() != "<svg/>" {
		t.Errorf("%q, %v", b.String(), err)
	}
}
