package study_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/search/evolve"
	"github.com/daedalus-search/daedalus/search/fidelity"
	"github.com/daedalus-search/daedalus/space"
	"github.com/daedalus-search/daedalus/store"
	"github.com/daedalus-search/daedalus/study"
)

// crashDir makes the test binary play the victim: it runs a study in that
// folder until it is killed.
const crashDir = "DAEDALUS_TEST_CRASH"

// crashGraded makes it a study of learning curves.
const crashGraded = "DAEDALUS_TEST_CRASH_GRADED"

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		if err := victim(dir, os.Getenv(crashGraded) != ""); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func crashConfig(st store.Store, pause time.Duration, log func(format string, args ...any), curves bool) study.Config {
	c := study.Config{
		Name: "crash", Goal: twoGoals(), Method: evolve.NSGA2{Population: 8}, Seed: 11, Parallel: 3, Store: st,
		Budget: study.Budget{Trials: crashTrials},
		Problem: funcProblem(func(ctx context.Context, d space.Design, _ problem.Reporter) (metric.Values, error) {
			tr, _ := problem.TrialOf(ctx)
			log("begin %d", tr.Number)
			time.Sleep(time.Duration(1+tr.Seed%5) * pause)
			return measure(d), nil
		}),
	}
	if curves {
		c.Goal, c.Method, c.Budget.Trials = oneGoal(), fidelity.PASHA{}, crashTrials/4
		c.Problem = curved{c.Problem}
	}
	return c
}

const crashTrials = 4000

// curved reports a learning curve.
type curved struct{ problem.Problem }

func (curved) Fidelity() problem.Fidelity {
	return problem.Fidelity{Name: "epochs", Min: 1, Max: 27, Whole: true, Resumes: true}
}

func (c curved) EvaluateAt(ctx context.Context, d space.Design, share float64, r problem.Reporter) (metric.Values, error) {
	return c.Resume(ctx, d, 0, share, r)
}

func (c curved) Resume(ctx context.Context, d space.Design, from, share float64, r problem.Reporter) (metric.Values, error) {
	v, err := c.Evaluate(ctx, d, nil)
	if err != nil {
		return nil, err
	}
	for e := int64(27*from) + 1; e <= int64(27*share+0.5); e++ {
		if err := r.Report(e, metric.Values{"loss": v["loss"] + math.Sin(float64(e)*v["loss"])/float64(e), "size": v["size"]}); err != nil {
			return nil, err
		}
	}
	v["loss"] += 1 - share
	return v, nil
}

// victim runs the study. It writes a line before each evaluation, and one for
// each trial once the study has acknowledged it.
func victim(dir string, curves bool) error {
	ctx := context.Background()
	path := filepath.Join(dir, "s.db")
	st, err := openOrCreate(ctx, path)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	log := func(format string, args ...any) { fmt.Fprintf(f, format+"\n", args...) } // one write a line
	cfg := crashConfig(acknowledging{st, log}, time.Millisecond, log, curves)
	_, err = study.Run(ctx, cfg)
	return err
}

// acknowledging writes a line for each finished trial after it was saved.
type acknowledging struct {
	store.Store
	log func(string, ...any)
}

func (a acknowledging) Save(ctx context.Context, ts ...store.Trial) error {
	if err := a.Store.Save(ctx, ts...); err != nil {
		return err
	}
	for _, t := range ts {
		if t.State.Done() {
			a.log("done %d", t.Number)
		}
	}
	return nil
}

func openOrCreate(ctx context.Context, path string) (*store.SQLite, error) {
	if _, err := os.Stat(path); err != nil {
		return store.Create(ctx, path, store.Study{Name: "crash"})
	}
	return store.Open(ctx, path)
}

// awaitGrowth returns when a file has grown, or after ten seconds.
func awaitGrowth(path string) {
	size := func() int64 {
		if info, err := os.Stat(path); err == nil {
			return info.Size()
		}
		return 0
	}
	for before, end := size(), time.Now().Add(10*time.Second); size() <= before && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
}

// The engine is killed without warning again and again. No acknowledged trial
// is lost, none is evaluated again after it was acknowledged, and the trials
// are those of a run that was never killed.
func TestKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	rounds := 100
	if testing.Short() {
		rounds = 15
	}
	killed(t, rounds, false)
}

// The same with promotions, intermediate results and a searcher that reads them.
func TestKilledBetweenRungs(t *testing.T) {
	t.Parallel()
	rounds := 20
	if testing.Short() {
		rounds = 12
	}
	killed(t, rounds, true)
}

// killed goes on for as many rounds as it takes to show something: a busy machine gets
// little done between two kills.
func killed(t *testing.T, rounds int, curves bool) {
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(1, 2))
	least := 10
	if curves { // fewer rounds, and more to do before the first trial
		least = 3
	}
	acknowledged := func() int {
		b, _ := os.ReadFile(filepath.Join(dir, "log"))
		return bytes.Count(b, []byte("done "))
	}
	round := 0
	for ; round < rounds || acknowledged() < least && round < 20*rounds; round++ {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), crashDir+"="+dir)
		if curves {
			cmd.Env = append(cmd.Env, crashGraded+"=yes")
		}
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if round%4 > 0 { // else it may die before it has opened the file
			awaitGrowth(filepath.Join(dir, "log"))
		}
		time.Sleep(time.Duration(r.IntN(50)) * time.Millisecond)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	path := filepath.Join(dir, "s.db")
	st, err := openOrCreate(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if err := st.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	done := map[int64]bool{}
	begun := 0
	for sc := bufio.NewScanner(f); sc.Scan(); {
		what, number, _ := strings.Cut(sc.Text(), " ")
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if what == "begin" {
			begun++
			if done[n] {
				t.Errorf("trial %d was evaluated again after it was acknowledged", n)
			}
			continue
		}
		done[n] = true
	}
	if len(done) < least {
		t.Fatalf("only %d trials finished in %d rounds: the test kills too early to show anything", len(done), round)
	}
	for n := range done {
		rec, err := st.Trial(t.Context(), n)
		if err != nil || !rec.State.Done() {
			t.Errorf("acknowledged trial %d: %v, %v", n, rec.State, err)
		}
	}
	t.Logf("%d rounds: %d evaluations begun, %d trials acknowledged", round, begun, len(done))

	// Finish both and compare.
	quiet := func(string, ...any) {}
	if _, err := study.Run(t.Context(), crashConfig(st, 0, quiet, curves)); err != nil {
		t.Fatal(err)
	}
	whole := memory()
	if _, err := study.Run(t.Context(), crashConfig(whole, 0, quiet, curves)); err != nil {
		t.Fatal(err)
	}
	same(t, "killed against never killed", trace(t, st), trace(t, whole))
}
