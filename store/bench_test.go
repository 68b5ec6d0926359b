package store_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/daedalus-search/daedalus/store"
)

// benchTrial is a finished trial of a study with 20 parameters (about 300
// bytes of JSON), 3 metrics and 2 objectives.
func benchTrial(r *rand.Rand, n int64) store.Trial {
	design := []byte{'{'}
	for i := range 20 {
		if i > 0 {
			design = append(design, ',')
		}
		design = fmt.Appendf(design, `"p%02d":%.6f`, i, r.Float64())
	}
	design = append(design, '}')
	acc, lat := r.Float64(), r.ExpFloat64()
	now := time.Unix(1700000000+n, n).UTC()
	t := store.Trial{
		Number: n, State: store.Complete, Attempt: 1, Design: design,
		Values: map[string]float64{"accuracy": acc, "latency_ms": lat, "params": float64(r.IntN(1e6))},
		Loss:   []float64{-acc, lat}, Operator: "mutate",
		Proposal: n, AskSeq: 2*n + 1, TellSeq: 2*n + 2, Queued: now, Started: now, Finished: now, Seconds: 0.1,
	}
	if n > 0 {
		t.Parents = []int64{n / 2}
	}
	binary.LittleEndian.PutUint64(t.Hash[:], r.Uint64())
	binary.LittleEndian.PutUint64(t.Hash[8:], r.Uint64())
	return t
}

func benchTrials(r *rand.Rand, from int64, n int) []store.Trial {
	out := make([]store.Trial, n)
	for i := range out {
		out[i] = benchTrial(r, from+int64(i))
	}
	return out
}

func benchStore(b *testing.B) (*store.SQLite, string) {
	b.Helper()
	path := filepath.Join(b.TempDir(), "bench.daedalus")
	st, err := store.Create(b.Context(), path, store.Study{Name: "bench"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { st.Close() })
	return st, path
}

// BenchmarkSaveBatched saves a thousand trials a transaction.
func BenchmarkSaveBatched(b *testing.B) {
	st, _ := benchStore(b)
	r := rand.New(rand.NewPCG(1, 2))
	var next int64
	saved := 0
	for b.Loop() {
		b.StopTimer()
		trials := benchTrials(r, next, 1000)
		next += 1000
		b.StartTimer()
		if err := st.Save(context.Background(), trials...); err != nil {
			b.Fatal(err)
		}
		saved += len(trials)
	}
	b.ReportMetric(float64(saved)/b.Elapsed().Seconds(), "trials/s")
}

// BenchmarkSaveOne saves a trial a transaction.
func BenchmarkSaveOne(b *testing.B) {
	st, _ := benchStore(b)
	r := rand.New(rand.NewPCG(1, 2))
	var next int64
	trials := benchTrials(r, 0, 1000)
	for b.Loop() {
		t := trials[next%1000]
		t.Number = next
		next++
		if err := st.Save(context.Background(), t); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(next)/b.Elapsed().Seconds(), "trials/s")
}

func bench100k(b *testing.B) string {
	b.Helper()
	st, path := benchStore(b)
	r := rand.New(rand.NewPCG(1, 2))
	for n := range int64(100) {
		if err := st.Save(context.Background(), benchTrials(r, n*1000, 1000)...); err != nil {
			b.Fatal(err)
		}
	}
	if err := st.Close(); err != nil {
		b.Fatal(err)
	}
	return path
}

// BenchmarkOpenScores100k opens a study and reads what its front needs.
func BenchmarkOpenScores100k(b *testing.B) {
	path := bench100k(b)
	for b.Loop() {
		st, err := store.Open(context.Background(), path)
		if err != nil {
			b.Fatal(err)
		}
		numbers, losses, _, _, err := st.Scores(context.Background())
		if err != nil || len(numbers) != 100_000 || len(losses) != 200_000 {
			b.Fatal(len(numbers), len(losses), err)
		}
		if err := st.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkScan100k reads every trial of a study in full.
func BenchmarkScan100k(b *testing.B) {
	st, err := store.Open(context.Background(), bench100k(b))
	if err != nil {
		b.Fatal(err)
	}
	defer st.Close()
	for b.Loop() {
		n := 0
		for _, err := range st.Trials(context.Background(), store.Filter{}) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != 100_000 {
			b.Fatal(n)
		}
	}
}

// BenchmarkCheck100k verifies a whole study.
func BenchmarkCheck100k(b *testing.B) {
	st, err := store.Open(context.Background(), bench100k(b))
	if err != nil {
		b.Fatal(err)
	}
	defer st.Close()
	for b.Loop() {
		if err := st.Check(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	st, path := benchStore(b)
	st.Close()
	for b.Loop() {
		st, err := store.Open(context.Background(), path)
		if err != nil {
			b.Fatal(err)
		}
		st.Close()
	}
}

func BenchmarkCreate(b *testing.B) {
	dir := b.TempDir()
	n := 0
	for b.Loop() {
		n++
		st, err := store.Create(context.Background(), filepath.Join(dir, fmt.Sprint(n)), store.Study{Name: "bench"})
		if err != nil {
			b.Fatal(err)
		}
		st.Close()
	}
}
