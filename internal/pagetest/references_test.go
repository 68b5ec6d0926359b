package pagetest

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/report/view"
	"github.com/daedalus-search/daedalus/search/sample"
	"github.com/daedalus-search/daedalus/space"
	"github.com/daedalus-search/daedalus/store"
	"github.com/daedalus-search/daedalus/study"
)

// finished is a problem that measures every other design of its front again, and knows what
// people would use.
type finished struct {
	problem.Problem
	known []problem.Reference
}

func (finished) VerifyMetrics() []metric.Metric {
	return []metric.Metric{{Name: "test_quality", Unit: "%", Direction: metric.Maximize}, {Name: "final_cost", Unit: "s", Direction: metric.Minimize}}
}

func (finished) Verify(_ context.Context, d space.Design) (metric.Values, error) {
	x := d.Numbers(nil)[0]
	if int(1000*x)%2 == 0 {
		return nil, nil
	}
	return metric.Values{"test_quality": 90 * x, "final_cost": x * x}, nil
}

func (f finished) References(context.Context) ([]problem.Reference, error) { return f.known, nil }

// What was measured at the end stands beside the references in a plot of its own, quality
// up and cost across; without references there is none.
func TestReferencesStandBesideWhatWasFinished(t *testing.T) {
	s := space.MustNew(space.Float("x", 0, 1))
	plain := problem.Func(s, []metric.Metric{{Name: "quality", Direction: metric.Maximize}, {Name: "cost", Direction: metric.Minimize}},
		func(_ context.Context, d space.Design, _ problem.Reporter) (metric.Values, error) {
			x := d.Numbers(nil)[0]
			return metric.Values{"quality": x, "cost": x * x}, nil
		})
	goal := metric.Goal{Objectives: []metric.Objective{{Metric: "quality", Direction: metric.Maximize}, {Metric: "cost", Direction: metric.Minimize}}}
	known := []problem.Reference{
		{Name: "by hand", Values: metric.Values{"test_quality": 50, "final_cost": 0.6}},
		{Name: "by heart", Values: metric.Values{"test_quality": 70, "final_cost": 0.9}},
	}
	for name, p := range map[string]finished{"references": {plain, known}, "no references": {plain, nil}} {
		t.Run(name, func(t *testing.T) {
			st := store.Memory(store.Study{Name: name})
			if _, err := study.Run(t.Context(), study.Config{Problem: p, Goal: goal, Method: sample.Random{}, Budget: study.Budget{Trials: 40}, Store: st}); err != nil {
				t.Fatal(err)
			}
			v, err := view.New(t.Context(), view.Source{Store: st, Goal: goal, Problem: p, Made: time.Now()})
			if err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			if err := view.WriteHTML(&b, v); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "page.html")
			if err := os.WriteFile(path, b.Bytes(), 0o666); err != nil {
				t.Fatal(err)
			}
			page := open(t, fileURL(path))
			page.whole()
			if empty := page.walk(); len(empty) > 0 {
				t.Errorf("figures without anything in them: %v", empty)
			}
			found := eval[[]string](page, "[...document.querySelectorAll('#compared .reference title')].map((x) => x.textContent)")
			if want := []string{"by hand", "by heart"}; p.known != nil && !slices.Equal(found, want) {
				t.Errorf("found the references %q, want %q", found, want)
			}
			axes := eval[[]string](page, "[...document.querySelectorAll('#compared select')].slice(0, 2).map((x) => x.selectedOptions[0].textContent)")
			want := []string{"final_cost (s)", "test_quality (%)"}
			if p.known == nil {
				want = []string{}
			}
			if !slices.Equal(axes, want) {
				t.Errorf("found the axes %q, want %q", axes, want)
			}
			page.shot("compared-" + name[:2])
		})
	}
}
