// Package storetest is the conformance suite of [store.Store]: every
// implementation passes it.
//
//	func TestMine(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) store.Store { return mine.New(storetest.Study()) })
//	}
package storetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/daedalus-search/daedalus/store"
)

// Study is the study that the stores under test are made for.
func Study() store.Study {
	return store.Study{
		Name: "tea", Created: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), Seed: math.MaxUint64,
		Spec: []byte(`{"problem": "tea"}`), Space: []byte(`{"parameters": []}`), Metrics: []byte(`[{"name": "taste"}]`),
		Problem: "tea", Searcher: "random", Reason: "asked for", Status: "running", Engine: "v0", Attrs: map[string]string{"who": "me"},
	}
}

// Run checks the laws of [store.Store]. The function makes an empty store that
// holds [Study], and need not close it.
func Run(t *testing.T, make func(t *testing.T) store.Store) {
	laws := map[string]func(t *testing.T, st store.Store){
		"Study":                    study,
		"EmptyIsEmpty":             empty,
		"SavedIsLoaded":            savedIsLoaded,
		"NoAliases":                noAliases,
		"FinishedStays":            finishedStays,
		"AllOrNothing":             allOrNothing,
		"InvalidIsRefused":         invalidIsRefused,
		"StepsAddUp":               stepsAddUp,
		"Filters":                  filters,
		"ScoresAgreeWithTrials":    scoresAgree,
		"FindFindsCompleteOnly":    find,
		"CheckFindsBrokenPromises": check,
		"LoopsMayStopAndCall":      loops,
		"CancelledDoesNothing":     cancelled,
		"ManyAtOnce":               manyAtOnce,
		"ClosedIsClosed":           closed,
	}
	for name, law := range laws {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st := make(t)
			t.Cleanup(func() {
				if err := st.Close(); err != nil {
					t.Errorf("Close() = %v", err)
				}
			})
			law(t, st)
		})
	}
	t.Run("AgreesWithModel", func(t *testing.T) {
		t.Parallel()
		agreesWithModel(t, make)
	})
}

func equal(t testing.TB, what string, got, want any) {
	t.Helper()
	if diff := Diff(got, want); diff != "" {
		t.Errorf("%s (-got +want):\n%s", what, diff)
	}
}

// Diff compares records as the laws do: NaN equals NaN, and -0 equals 0.
func Diff(got, want any) string {
	if reflect.DeepEqual(got, want) {
		return "" // most are, and this is far quicker
	}
	return cmp.Diff(got, want, cmp.Comparer(func(a, b float64) bool { return a == b || a != a && b != b }))
}

func collect(t testing.TB, st store.Store, f store.Filter) []store.Trial {
	t.Helper()
	var out []store.Trial
	for trial, err := range st.Trials(t.Context(), f) {
		if err != nil {
			t.Fatalf("Trials(%+v) = %v", f, err)
		}
		out = append(out, trial)
	}
	return out
}

func save(t testing.TB, st store.Store, trials ...store.Trial) {
	t.Helper()
	if err := st.Save(t.Context(), trials...); err != nil {
		t.Fatalf("Save() = %v", err)
	}
}

func wantErr(t testing.TB, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

// full is a trial with something in every field.
func full() store.Trial {
	at := time.Date(2026, 3, 4, 5, 6, 7, 890123456, time.UTC)
	return store.Trial{
		Number: 0, State: store.Complete, Attempt: 2, Design: []byte(`{"cells": [{"op": "conv", "k": 3}], "text": "\u00e9\""}`),
		Hash: [16]byte{1, 0, 2, 15: 255}, Key: "k\x001", Fidelity: 0.25,
		Values: map[string]float64{
			"a": 1.0 / 3, "nan": math.NaN(), "inf": math.Inf(1), "-inf": math.Inf(-1), "tiny": 5e-324, "huge": math.MaxFloat64,
			"quote\"\\\n\x01é漢": -1e-7, "": 1e21, "-0": math.Copysign(0, -1),
		},
		Loss: []float64{math.Inf(1), math.NaN(), -0.1}, Violation: math.Inf(1),
		Parents: []int64{3, 1, 2}, Operator: "mutate", Why: "because", Predicted: map[string]float64{"a": math.NaN()},
		Proposal: -5, AskSeq: 7, TellSeq: 9, Worker: "w\t1", Queued: at, Started: at.Add(1), Finished: at.Add(time.Hour),
		Seconds: 1.5, Cost: math.NaN(), Error: "went\nwrong", ErrorClass: "exit", Stderr: "…", ExitCode: -1,
		Steps: []store.Step{{Step: -1, Values: map[string]float64{"a": math.NaN()}, At: at}, {Step: 3, Values: map[string]float64{"a": 2}}},
		Attrs: map[string]string{"k": "v\"", "empty": ""},
	}
}

func study(t *testing.T, st store.Store) {
	want := Study()
	want.FormatVersion = store.FormatVersion
	got, err := st.Study(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "Study()", got, want)

	want.Status, want.StopReason, want.Attrs, want.Space = "done", "budget\xff", nil, nil
	want.Created = want.Created.In(time.FixedZone("x", 3600))
	if err := st.SaveStudy(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	want.StopReason, want.Created = "budget\uFFFD", want.Created.UTC()
	if got, err = st.Study(t.Context()); err != nil {
		t.Fatal(err)
	}
	equal(t, "Study() after SaveStudy", got, want)

	bad := Study()
	bad.Spec = []byte("{")
	wantErr(t, "SaveStudy with bad JSON", st.SaveStudy(t.Context(), bad), store.ErrInvalid)
}

func empty(t *testing.T, st store.Store) {
	if got := collect(t, st, store.Filter{}); len(got) != 0 {
		t.Errorf("Trials() = %v, want none", got)
	}
	if n, err := st.MaxNumber(t.Context()); n != -1 || err != nil {
		t.Errorf("MaxNumber() = %d, %v, want -1", n, err)
	}
	if n, err := st.Count(t.Context()); len(n) != 0 || n == nil || err != nil {
		t.Errorf("Count() = %v, %v, want an empty map", n, err)
	}
	numbers, losses, violations, states, err := st.Scores(t.Context())
	if len(numbers)+len(losses)+len(violations)+len(states) != 0 || err != nil {
		t.Errorf("Scores() = %v, %v, %v, %v, %v", numbers, losses, violations, states, err)
	}
	_, err = st.Trial(t.Context(), 0)
	wantErr(t, "Trial(0)", err, store.ErrNotFound)
	wantErr(t, "AddSteps(0)", st.AddSteps(t.Context(), 0, store.Step{}), store.ErrNotFound)
	if err := st.Save(t.Context()); err != nil {
		t.Errorf("Save() of nothing = %v", err)
	}
	if err := st.Check(t.Context()); err != nil {
		t.Errorf("Check() = %v", err)
	}
}

func savedIsLoaded(t *testing.T, st store.Store) {
	plain := store.Trial{Number: 1, State: store.Waiting}
	save(t, st, full(), plain)
	got, err := st.Trial(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "Trial(0)", got, full())
	if !math.Signbit(got.Values["-0"]) {
		t.Error("a value lost its sign: -0 became 0")
	}
	plain.Attempt = 1
	want := []store.Trial{full(), plain}
	equal(t, "Trials()", collect(t, st, store.Filter{}), want)

	// Not UTC, not UTF-8, a monotonic clock, empty instead of nil.
	now := time.Now()
	odd := store.Trial{
		Number: 2, State: store.Failed, Queued: now, Started: now.In(time.FixedZone("x", 7200)), Finished: time.Unix(0, 0),
		Stderr: "\xff\xfe!", Values: map[string]float64{}, Loss: []float64{}, Parents: []int64{}, Steps: []store.Step{}, Design: []byte{},
		Attrs: map[string]string{"a": "\x80"},
	}
	save(t, st, odd)
	odd.Attempt, odd.Stderr, odd.Attrs["a"] = 1, "\uFFFD!", "\uFFFD"
	odd.Queued, odd.Started, odd.Finished = now.Round(0).UTC(), now.Round(0).UTC(), time.Unix(0, 0).UTC()
	odd.Values, odd.Loss, odd.Parents, odd.Steps, odd.Design = nil, nil, nil, nil, nil
	if got, err = st.Trial(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	equal(t, "Trial(2)", got, odd)
}

func noAliases(t *testing.T, st store.Store) {
	in := full()
	save(t, st, in)
	spoil := func(x store.Trial) {
		x.Design[0], x.Loss[0], x.Parents[0], x.Values["a"], x.Attrs["k"] = 'x', 5, 77, 5, "x"
		x.Steps[0].Values["a"], x.Steps[0].Step, x.Predicted["a"] = 5, 99, 5
	}
	spoil(in)
	got, err := st.Trial(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "Trial(0) after the caller changed its own record", got, full())
	spoil(got)
	equal(t, "Trials() after the caller changed what it got", collect(t, st, store.Filter{}), []store.Trial{full()})
}

func finishedStays(t *testing.T, st store.Store) {
	save(t, st, store.Trial{Number: 0, State: store.Waiting})
	running := full()
	running.State, running.Attempt, running.Values, running.TellSeq, running.Steps = store.Running, 1, nil, 0, nil
	save(t, st, running)
	untold := full()
	untold.TellSeq = 0
	save(t, st, untold)
	save(t, st, full())
	again := full()
	again.Why, again.Attrs = "a second look", map[string]string{"seen": "twice"}
	again.Loss, again.Violation = []float64{1, 2, 3}, 0.5 // the goal has changed
	save(t, st, again)

	for name, change := range map[string]func(*store.Trial){
		"running":   func(x *store.Trial) { x.State = store.Running },
		"failed":    func(x *store.Trial) { x.State = store.Failed },
		"attempt":   func(x *store.Trial) { x.Attempt++ },
		"value":     func(x *store.Trial) { x.Values["a"]++ },
		"no values": func(x *store.Trial) { x.Values = nil },
		"number":    func(x *store.Trial) { x.Values["nan"] = 1 },
		"design":    func(x *store.Trial) { x.Design = []byte(`{}`) },
		"hash":      func(x *store.Trial) { x.Hash[0]++ },
		"key":       func(x *store.Trial) { x.Key = "" },
		"fidelity":  func(x *store.Trial) { x.Fidelity = 0 },
		"tell":      func(x *store.Trial) { x.TellSeq = 0 },
	} {
		other := full()
		change(&other)
		wantErr(t, "Save with another "+name, st.Save(t.Context(), other), store.ErrFinished)
	}
	got, err := st.Trial(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "the finished trial", got, again)
	for s := store.Complete; s <= store.Cached; s++ {
		n := int64(s)
		save(t, st, store.Trial{Number: n, State: s})
		wantErr(t, fmt.Sprintf("restarting a trial that is %v", s), st.Save(t.Context(), store.Trial{Number: n, State: store.Waiting}), store.ErrFinished)
	}
}

func allOrNothing(t *testing.T, st store.Store) {
	save(t, st, full())
	bad := full()
	bad.Values = nil
	err := st.Save(t.Context(), store.Trial{Number: 1, State: store.Complete, Steps: []store.Step{{Step: 1}}}, bad)
	wantErr(t, "Save of a good and a bad record", err, store.ErrFinished)
	wantErr(t, "Save of a good and an invalid record",
		st.Save(t.Context(), store.Trial{Number: 1, State: store.Complete}, store.Trial{Number: 2}), store.ErrInvalid)
	wantErr(t, "Save of a trial that contradicts itself",
		st.Save(t.Context(), store.Trial{Number: 1, State: store.Complete}, store.Trial{Number: 1, State: store.Failed}), store.ErrFinished)
	equal(t, "Trials()", collect(t, st, store.Filter{}), []store.Trial{full()})
	// The last record of a number that is still open is the one that counts.
	save(t, st, store.Trial{Number: 1, State: store.Waiting}, store.Trial{Number: 1, State: store.Failed, Attempt: 1})
	equal(t, "Trials()", collect(t, st, store.Filter{From: 1}), []store.Trial{{Number: 1, State: store.Failed, Attempt: 1}})
}

func invalidIsRefused(t *testing.T, st store.Store) {
	for name, change := range map[string]func(*store.Trial){
		"number":    func(x *store.Trial) { x.Number = -1 },
		"no state":  func(x *store.Trial) { x.State = 0 },
		"state":     func(x *store.Trial) { x.State = 8 },
		"attempt":   func(x *store.Trial) { x.Attempt = -1 },
		"design":    func(x *store.Trial) { x.Design = []byte(`{"a":}`) },
		"utf8":      func(x *store.Trial) { x.Design = []byte("\"\xff\"") },
		"values":    func(x *store.Trial) { x.Values["\xff"] = 1 },
		"predicted": func(x *store.Trial) { x.Predicted["\xff"] = 1 },
		"attrs":     func(x *store.Trial) { x.Attrs["\xff"] = "" },
		"time":      func(x *store.Trial) { x.Started = time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC) },
		"steps":     func(x *store.Trial) { x.Steps[1].Values["\xff"] = 1 },
		"step time": func(x *store.Trial) { x.Steps[1].At = time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC) },
	} {
		bad := full()
		change(&bad)
		wantErr(t, "Save with bad "+name, st.Save(t.Context(), bad), store.ErrInvalid)
	}
	save(t, st, store.Trial{State: store.Running})
	wantErr(t, "AddSteps with a bad name", st.AddSteps(t.Context(), 0, store.Step{Values: map[string]float64{"\xff": 1}}), store.ErrInvalid)
	equal(t, "Trials()", collect(t, st, store.Filter{}), []store.Trial{{State: store.Running, Attempt: 1}})
}

func stepsAddUp(t *testing.T, st store.Store) {
	step := func(n int64, v float64) store.Step { return store.Step{Step: n, Values: map[string]float64{"a": v}} }
	add := func(steps ...store.Step) {
		t.Helper()
		if err := st.AddSteps(t.Context(), 1, steps...); err != nil {
			t.Fatal(err)
		}
	}
	want := func(steps ...store.Step) {
		t.Helper()
		got, err := st.Trial(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "Steps", got.Steps, steps)
	}
	save(t, st, store.Trial{Number: 0, State: store.Running}, store.Trial{Number: 1, State: store.Running, Steps: []store.Step{step(5, 5)}})
	add(step(9, 9), step(1, 1))
	want(step(1, 1), step(5, 5), step(9, 9))
	add(step(5, 50))
	save(t, st, store.Trial{Number: 1, State: store.Running})
	want(step(1, 1), step(5, 50), step(9, 9))
	save(t, st, store.Trial{Number: 1, State: store.Running, Attempt: 2})
	want()
	add(step(2, 2))
	add()
	save(t, st, store.Trial{Number: 1, State: store.Pruned, Attempt: 2, Steps: []store.Step{step(3, 3)}})
	want(step(2, 2), step(3, 3))
	add(step(4, 4)) // a late report
	want(step(2, 2), step(3, 3), step(4, 4))
	if got := collect(t, st, store.Filter{NoSteps: true}); got[1].Steps != nil {
		t.Errorf("NoSteps gave %v", got[1].Steps)
	}
	if err := st.Check(t.Context()); err != nil {
		t.Errorf("Check() = %v", err)
	}
}

// many fills a store with trials of all states, more than fit in one page of
// any reader.
func many(t testing.TB, st store.Store) []store.Trial {
	var trials []store.Trial
	for n := range int64(600) {
		x := store.Trial{Number: n, State: store.State(n%7) + store.Waiting, Attempt: 1, Violation: float64(n%3) - 1, Fidelity: 1}
		if n%5 == 0 {
			x.Violation = math.NaN()
		}
		if n > 3 && n%4 != 1 {
			x.Loss = []float64{float64(n), -float64(n) / 3}
		}
		if n%10 == 0 {
			x.Steps = []store.Step{{Step: n}, {Step: n + 1}}
		}
		trials = append(trials, x)
	}
	save(t, st, trials[300:]...) // not in order
	save(t, st, trials[:300]...)
	return trials
}

func filters(t *testing.T, st store.Store) {
	all := many(t, st)
	for name, f := range map[string]store.Filter{
		"all":           {},
		"some states":   {States: []store.State{store.Complete, store.Waiting, store.Complete}},
		"open":          {States: []store.State{store.Waiting, store.Running}},
		"from":          {From: 550},
		"range":         {From: 10, To: 20},
		"empty range":   {From: 20, To: 10},
		"negative":      {From: -5, To: 3},
		"beyond":        {From: 5000, To: 6000},
		"limit":         {Limit: 3},
		"large limit":   {Limit: 550},
		"limit > all":   {Limit: 5000},
		"feasible":      {Feasible: true},
		"no such state": {States: []store.State{0}},
		"everything":    {States: []store.State{store.Complete, store.Cached}, From: 3, To: 590, Limit: 50, Feasible: true, NoSteps: true},
	} {
		var want []store.Trial
		for _, x := range all {
			if len(f.States) > 0 && !slices.Contains(f.States, x.State) || x.Number < f.From || f.To != 0 && x.Number >= f.To ||
				f.Feasible && !(x.Violation <= 0) || f.Limit > 0 && len(want) == f.Limit {
				continue
			}
			if f.NoSteps {
				x.Steps = nil
			}
			want = append(want, x)
		}
		equal(t, name, collect(t, st, f), want)
	}
	counts := map[store.State]int64{}
	for _, x := range all {
		counts[x.State]++
	}
	got, err := st.Count(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "Count()", got, counts)
	if n, err := st.MaxNumber(t.Context()); n != 599 || err != nil {
		t.Errorf("MaxNumber() = %d, %v, want 599", n, err)
	}
}

func scoresAgree(t *testing.T, st store.Store) {
	all := many(t, st)
	numbers, losses, violations, states, err := st.Scores(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(numbers) != len(all) || len(losses) != 2*len(all) || len(violations) != len(all) || len(states) != len(all) {
		t.Fatalf("Scores() has lengths %d, %d, %d, %d for %d trials", len(numbers), len(losses), len(violations), len(states), len(all))
	}
	for i, x := range all {
		loss := x.Loss
		if loss == nil {
			loss = []float64{math.NaN(), math.NaN()}
		}
		equal(t, "Scores()", []any{numbers[i], states[i], violations[i], losses[2*i : 2*i+2]}, []any{x.Number, x.State, x.Violation, loss})
	}
	save(t, st, store.Trial{Number: 600, State: store.Complete, Loss: []float64{1}})
	if _, _, _, _, err := st.Scores(t.Context()); err == nil || !strings.Contains(err.Error(), "trial 600") {
		t.Errorf("Scores() with losses of two lengths = %v, want an error that names trial 600", err)
	}
}

func find(t *testing.T, st store.Store) {
	h := func(b byte) [16]byte { return [16]byte{b} }
	var want []store.Trial
	n := int64(0)
	put := func(s store.State, hash [16]byte, key string) store.Trial {
		x := store.Trial{Number: n, State: s, Attempt: 1, Hash: hash, Key: key}
		save(t, st, x)
		n++
		return x
	}
	for s := store.Waiting; s <= store.Cached; s++ {
		if x := put(s, h(1), "one"); s == store.Complete {
			want = append(want, x)
		}
	}
	sameKey := put(store.Complete, h(2), "one")
	sameHash := put(store.Complete, h(1), "")
	put(store.Complete, h(0), "")
	later := store.Trial{Number: n, State: store.Running, Attempt: 1, Hash: h(1), Key: "one"}
	save(t, st, later)
	later.State = store.Complete
	save(t, st, later)
	save(t, st, later)
	for name, c := range map[string]struct {
		hash [16]byte
		key  string
		want []store.Trial
	}{
		"hash":    {h(1), "", []store.Trial{want[0], sameHash, later}},
		"key":     {h(0), "one", []store.Trial{want[0], sameKey, later}},
		"both":    {h(2), "one", []store.Trial{want[0], sameKey, later}},
		"neither": {h(0), "", nil},
		"unknown": {h(9), "nine", nil},
	} {
		got, err := st.Find(t.Context(), c.hash, c.key)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "Find by "+name, got, c.want)
	}
}

func check(t *testing.T, st store.Store) {
	save(t, st,
		store.Trial{Number: 0, State: store.Complete, TellSeq: 5, Loss: []float64{1, 2}, Parents: []int64{2}},
		store.Trial{Number: 1, State: store.Failed, TellSeq: 6},
		store.Trial{Number: 2, State: store.Running, AskSeq: 3})
	if err := st.Check(t.Context()); err != nil {
		t.Errorf("Check() of a sound study = %v", err)
	}
	save(t, st,
		store.Trial{Number: 4, State: store.Complete, TellSeq: 5, Loss: []float64{1}},
		store.Trial{Number: 5, State: store.Waiting, TellSeq: 8, Parents: []int64{5, 99}},
		store.Trial{Number: 9, State: store.Failed, Parents: []int64{-1}})
	err := st.Check(t.Context())
	for _, want := range []string{
		"trial 3 is missing", "trials 6 to 8 are missing", "trial 4 has 1 losses, trial 0 has 2",
		"trial 5 was told as event 8 but is still waiting", "trial 5 cannot have the parent 5", "trial 5 has the parent 99", "trial 9 cannot have the parent -1",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Check() = %v, want it to say %q", err, want)
		}
	}
}

func loops(t *testing.T, st store.Store) {
	many(t, st)
	seen := 0
	for x, err := range st.Trials(t.Context(), store.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if x.Number == 550 {
			save(t, st, store.Trial{Number: 600, State: store.Running})
			// Deeper than any pool of readers.
			for a := range st.Trials(t.Context(), store.Filter{Limit: 1}) {
				for b := range st.Trials(t.Context(), store.Filter{Limit: 1}) {
					for c := range st.Trials(t.Context(), store.Filter{Limit: 1}) {
						for d := range st.Trials(t.Context(), store.Filter{Limit: 1}) {
							for e := range st.Trials(t.Context(), store.Filter{Limit: 1}) {
								if a.Number+b.Number+c.Number+d.Number+e.Number != 0 {
									t.Error("a nested loop does not begin at trial 0")
								}
							}
						}
					}
				}
			}
		}
		if seen++; seen == 580 {
			break
		}
	}
	if seen != 580 {
		t.Errorf("saw %d trials, want 580", seen)
	}
}

func cancelled(t *testing.T, st store.Store) {
	save(t, st, full())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, e1 := st.Study(ctx)
	_, e2 := st.Trial(ctx, 0)
	_, _, _, _, e3 := st.Scores(ctx)
	_, e4 := st.Find(ctx, [16]byte{1}, "")
	_, e5 := st.Count(ctx)
	_, e6 := st.MaxNumber(ctx)
	var e7 error
	for _, e7 = range st.Trials(ctx, store.Filter{}) {
		break
	}
	for i, err := range []error{
		e1, e2, e3, e4, e5, e6, e7, st.Check(ctx), st.SaveStudy(ctx, store.Study{}),
		st.Save(ctx, store.Trial{Number: 1, State: store.Waiting}), st.AddSteps(ctx, 0, store.Step{Step: 100}),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("call %d after cancel = %v", i, err)
		}
	}
	equal(t, "Trials()", collect(t, st, store.Filter{}), []store.Trial{full()})
}

func manyAtOnce(t *testing.T, st store.Store) {
	const writers, each = 4, 30
	var wg sync.WaitGroup
	for w := range int64(writers) {
		wg.Go(func() {
			for i := range int64(each) {
				n := i*writers + w
				x := store.Trial{Number: n, State: store.Running, Values: map[string]float64{"n": float64(n)}}
				err := errors.Join(st.Save(t.Context(), x), st.AddSteps(t.Context(), n, store.Step{Step: n}))
				x.State = store.Complete
				if err = errors.Join(err, st.Save(t.Context(), x)); err != nil {
					t.Errorf("writer %d: %v", w, err)
					return
				}
			}
		})
		wg.Go(func() {
			for range each {
				last := int64(-1)
				for x, err := range st.Trials(t.Context(), store.Filter{States: []store.State{store.Complete}}) {
					if err != nil || x.Number <= last || len(x.Steps) != 1 || x.Values["n"] != float64(x.Number) {
						t.Errorf("read %+v after trial %d, %v", x, last, err)
						return
					}
					last = x.Number
				}
			}
		})
	}
	wg.Wait()
	if got := len(collect(t, st, store.Filter{States: []store.State{store.Complete}})); got != writers*each {
		t.Errorf("%d trials, want %d", got, writers*each)
	}
	if err := st.Check(t.Context()); err != nil {
		t.Errorf("Check() = %v", err)
	}
}

func closed(t *testing.T, st store.Store) {
	save(t, st, full())
	if err := errors.Join(st.Close(), st.Close()); err != nil {
		t.Fatalf("Close() twice = %v", err)
	}
	ctx := t.Context()
	_, e1 := st.Study(ctx)
	_, e2 := st.Trial(ctx, 0)
	_, _, _, _, e3 := st.Scores(ctx)
	_, e4 := st.Find(ctx, [16]byte{1}, "")
	_, e5 := st.Count(ctx)
	_, e6 := st.MaxNumber(ctx)
	var e7 error
	for _, e7 = range st.Trials(ctx, store.Filter{}) {
		break
	}
	for i, err := range []error{
		e1, e2, e3, e4, e5, e6, e7, st.Check(ctx), st.SaveStudy(ctx, store.Study{}),
		st.Save(ctx, store.Trial{Number: 1, State: store.Waiting}), st.AddSteps(ctx, 0, store.Step{}),
	} {
		wantErr(t, fmt.Sprintf("call %d after Close", i), err, store.ErrClosed)
	}
}

// agreesWithModel makes random calls and compares the store with the plainest
// thing that keeps the same promises: a map.
func agreesWithModel(t *testing.T, make func(t *testing.T) store.Store) {
	number := rapid.OneOf(
		rapid.SampledFrom([]float64{0, 1, math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1), 1e21, 1e-7}), rapid.Float64())
	values := rapid.MapOfN(rapid.OneOf(rapid.SampledFrom([]string{"acc", "ms"}), rapid.String()), number, 0, 3)
	step := rapid.Custom(func(r *rapid.T) store.Step {
		return store.Step{Step: rapid.Int64Range(-1, 4).Draw(r, "step"), Values: none(values.Draw(r, "values")), At: stamp(r)}
	})
	trial := rapid.Custom(func(r *rapid.T) store.Trial {
		return store.Trial{
			Number: rapid.Int64Range(0, 6).Draw(r, "number"), State: store.State(rapid.IntRange(1, 7).Draw(r, "state")),
			Attempt: rapid.IntRange(1, 2).Draw(r, "attempt"), Design: rapid.SampledFrom([][]byte{nil, []byte("1"), []byte(`{"a": "b"}`)}).Draw(r, "design"),
			Hash: [16]byte{rapid.Byte().Draw(r, "hash") % 3}, Key: rapid.SampledFrom([]string{"", "k"}).Draw(r, "key"),
			Fidelity: number.Draw(r, "fidelity"), Values: none(values.Draw(r, "values")),
			Loss:      none2(rapid.SliceOfN(number, 0, 2).Draw(r, "loss")),
			Violation: number.Draw(r, "violation"), Parents: none2(rapid.SliceOfN(rapid.Int64(), 0, 2).Draw(r, "parents")),
			Operator: rapid.String().Draw(r, "operator"), TellSeq: rapid.Int64Range(0, 2).Draw(r, "tell"),
			Seconds: number.Draw(r, "seconds"), Finished: stamp(r), ExitCode: rapid.IntRange(-9, 255).Draw(r, "exit"),
			Attrs: none(rapid.MapOfN(rapid.String(), rapid.String(), 0, 2).Draw(r, "attrs")),
		}
	})
	rapid.Check(t, func(r *rapid.T) {
		st := make(t)
		defer st.Close()
		model := map[int64]store.Trial{}
		steps := map[[2]int64]map[int64]store.Step{} // by number and attempt
		addSteps := func(n, attempt int64, s []store.Step) {
			if steps[[2]int64{n, attempt}] == nil {
				steps[[2]int64{n, attempt}] = map[int64]store.Step{}
			}
			for _, x := range s {
				steps[[2]int64{n, attempt}][x.Step] = x
			}
		}
		for range rapid.IntRange(1, 12).Draw(r, "calls") {
			switch rapid.IntRange(0, 2).Draw(r, "call") {
			case 0, 1:
				x := trial.Draw(r, "trial")
				old, known := model[x.Number]
				if known {
					x.Attempt = max(x.Attempt, old.Attempt)
				}
				if known && old.State.Done() && rapid.Bool().Draw(r, "again") {
					why := x.Operator
					x = old
					x.Operator = why
				}
				s := rapid.SliceOfN(step, 0, 2).Draw(r, "steps")
				refuse := known && old.State.Done() && contradicts(old, x)
				x.Steps = s
				err := st.Save(context.Background(), x)
				if refuse != errors.Is(err, store.ErrFinished) || !refuse && err != nil {
					r.Fatalf("Save(%+v) over %+v = %v", x, old, err)
				}
				if err == nil {
					x.Steps = nil
					model[x.Number] = x
					addSteps(x.Number, int64(x.Attempt), s)
				}
			case 2:
				n := rapid.Int64Range(0, 6).Draw(r, "number")
				s := rapid.SliceOfN(step, 0, 2).Draw(r, "steps")
				old, known := model[n]
				err := st.AddSteps(context.Background(), n, s...)
				if known != (err == nil) || !known && !errors.Is(err, store.ErrNotFound) {
					r.Fatalf("AddSteps(%d) = %v, trial known: %v", n, err, known)
				}
				if known {
					addSteps(n, int64(old.Attempt), s)
				}
			}
		}
		var want, got []store.Trial
		for n := range int64(7) {
			x, known := model[n]
			if !known {
				continue
			}
			for k := int64(-1); k <= 4; k++ {
				if s, ok := steps[[2]int64{n, int64(x.Attempt)}][k]; ok {
					x.Steps = append(x.Steps, s)
				}
			}
			want = append(want, x)
		}
		for x, err := range st.Trials(context.Background(), store.Filter{}) {
			if err != nil {
				r.Fatal(err)
			}
			got = append(got, x)
		}
		if diff := Diff(got, want); diff != "" {
			r.Fatalf("Trials() (-got +want):\n%s", diff)
		}
	})
}

func stamp(r *rapid.T) time.Time {
	if rapid.Bool().Draw(r, "no time") {
		return time.Time{}
	}
	return time.Unix(0, rapid.Int64().Draw(r, "ns")).UTC()
}

func none[V any](m map[string]V) map[string]V {
	if len(m) == 0 {
		return nil
	}
	return m
}

func none2[V any](s []V) []V {
	if len(s) == 0 {
		return nil
	}
	return s
}

// contradicts restates the law of Save, with the numbers told apart as JSON
// tells them apart: 0 from -0.
func contradicts(old, x store.Trial) bool {
	bits := func(v float64) uint64 {
		if v != v {
			return 1
		}
		return math.Float64bits(v)
	}
	sameMap := len(old.Values) == len(x.Values)
	for k, v := range old.Values {
		w, ok := x.Values[k]
		sameMap = sameMap && ok && bits(v) == bits(w)
	}
	same := func(a, b float64) bool { return a == b || a != a && b != b }
	return old.State != x.State || old.Attempt != x.Attempt || string(old.Design) != string(x.Design) || old.Hash != x.Hash || old.Key != x.Key ||
		!same(old.Fidelity, x.Fidelity) || !sameMap ||
		old.TellSeq != 0 && old.TellSeq != x.TellSeq
}
