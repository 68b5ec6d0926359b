package pagetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/store"
)

// Hostile is text that runs where it is not escaped.
const Hostile = `<img src=x onerror=alert(1)></script><script>alert(2)</script>"'&`

// A Study is a study in memory and what counts in it.
type Study struct {
	Store store.Store
	Goal  metric.Goal
}

var twoGoals = metric.Goal{
	Objectives: []metric.Objective{{Metric: "loss", Direction: metric.Minimize}, {Metric: "speed", Direction: metric.Maximize}},
	Limits:     []metric.Limit{{Metric: "mb", Op: metric.LessEqual, Bound: 60}},
}

// Odd returns studies that have next to nothing, too much, or what no study
// should: all of them must be shown, and nothing in them may run.
func Odd(ctx context.Context) (map[string]Study, error) {
	out := map[string]Study{}
	var errs []error
	add := func(name, spaceText string, goal metric.Goal, trials ...store.Trial) {
		rec := store.Study{Name: name, Status: "done", Searcher: Hostile, Reason: Hostile}
		if spaceText != "" {
			rec.Space = []byte(spaceText)
		}
		st := store.Memory(rec)
		if err := st.Save(ctx, trials...); err != nil {
			errs = append(errs, err)
		}
		out[name] = Study{st, goal}
	}
	one := `{"space": {"x": {"float": [0, 1]}, "c": {"choice": ["a", "b"]}}}`
	at := func(n int64, x float64) store.Trial {
		v := metric.Values{"loss": x, "speed": 1 - x, "mb": 1}
		s := twoGoals.Score(v)
		return store.Trial{Number: n, State: store.Complete, Design: fmt.Appendf(nil, `{"x": %v, "c": "a"}`, x), Values: v, Loss: s.Loss, Violation: s.Violation}
	}
	failed := store.Trial{Number: 0, State: store.Failed, Design: []byte(`{"x": 0.5, "c": "b"}`), Error: Hostile + strings.Repeat("x", 10_000), ErrorClass: "crash"}
	add("no trial", one, twoGoals)
	add("no space", "", metric.Goal{})
	add("one trial", one, twoGoals, at(0, 0.5))
	add("two trials", one, twoGoals, at(0, 0.5), at(1, 0.25))
	add("only failures", one, twoGoals, failed)
	running, waiting := at(1, 0.1), at(2, 0.2)
	running.State, running.Values, running.Loss = store.Running, nil, nil
	waiting.State, waiting.Values, waiting.Loss = store.Waiting, nil, nil
	add("running", one, twoGoals, at(0, 0.5), running, waiting)
	odd := []store.Trial{at(0, 0.5), at(1, 0.25), at(2, 0.75)}
	odd[0].Values = metric.Values{"loss": math.Inf(1), "speed": math.NaN(), "mb": math.Inf(-1)}
	odd[0].Loss, odd[0].Violation = []float64{math.Inf(1), math.Inf(1)}, math.Inf(1)
	odd[1].Values["extra"] = math.Inf(1)
	odd[2].Seconds, odd[2].Cost = math.NaN(), math.Inf(1)
	add("infinite", one, twoGoals, odd...)
	add("made by a program", one, metric.Goal{}, at(0, 0.5), at(1, 0.25), at(2, 0.75), at(3, 0.3))
	add("far apart", one, twoGoals, at(0, 1e300), at(1, -1e300), at(2, 1e-300), at(3, 1.7e308), at(4, -1.7e308))

	var wide, design strings.Builder
	for i := range 300 {
		fmt.Fprintf(&wide, `, "p%d": {"float": [0, 1]}`, i)
		fmt.Fprintf(&design, `, "p%d": 0.%d`, i, i+1)
	}
	var many []store.Trial
	for i := range 40 {
		tr := at(int64(i), float64(i)/40)
		tr.Design = fmt.Appendf(nil, `{"x": %v%s}`, float64(i)/40, design.String())
		many = append(many, tr)
	}
	add("300 parameters", `{"space": {"x": {"float": [0, 1]}`+wide.String()+`}}`, twoGoals, many...)

	long := strings.Repeat("long ", 2000)
	quoted, err := json.Marshal([]string{long, Hostile, "a"})
	if err != nil {
		return nil, err
	}
	name, err := json.Marshal(Hostile)
	if err != nil {
		return nil, err
	}
	var nasty []store.Trial
	for i, c := range []string{long, Hostile, "a", long, Hostile} {
		v := metric.Values{Hostile: float64(i), "b": 1}
		d, err := json.Marshal(map[string]any{"c": c, Hostile: 0.5})
		if err != nil {
			return nil, err
		}
		nasty = append(nasty, store.Trial{
			Number: int64(i), State: store.Complete, Design: d, Values: v, Loss: []float64{float64(i)}, Operator: Hostile, Worker: Hostile, Why: long, Error: Hostile,
			Steps: []store.Step{{Step: 1, Values: map[string]float64{Hostile: 1}}},
		})
	}
	add("hostile", `{"space": {"c": {"choice": `+string(quoted)+`}, `+string(name)+`: {"float": [0, 1], "unit": `+string(name)+`}}}`,
		metric.Goal{Objectives: []metric.Objective{{Metric: Hostile, Direction: metric.Minimize}}}, nasty...)
	return out, errors.Join(errs...)
}
