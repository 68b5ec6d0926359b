package search_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/space"
)

// A ledger answers like one kept in plain maps, with keys and without.
func TestLedgerAgainstMaps(t *testing.T) {
	t.Parallel()
	sp := space.MustNew(space.Int("a", 0, 300), space.Bool("b"))
	rapid.Check(t, func(t *rapid.T) {
		r := rng.New(rapid.Uint64().Draw(t, "seed"), "ledger", 0)
		var setup search.Setup
		key := func(d space.Design) string { return d.String() }
		if rapid.Bool().Draw(t, "keyed") {
			key = func(d space.Design) string { return fmt.Sprint(d.Numbers(nil)[0]) } // b does not matter
			setup.Key = key
		}
		l := search.NewLedger(setup)
		seen, scores, pending, foreign := map[string]bool{}, map[string]float64{}, map[int64]space.Design{}, map[int64]bool{}
		next := int64(0)
		for range rapid.IntRange(1, 400).Draw(t, "steps") {
			d := sp.MustSample(r)
			if l.Seen(d) != seen[key(d)] {
				t.Fatalf("Seen(%v) = %v", d, l.Seen(d))
			}
			score, id := l.Known(d)
			if want, ok := scores[key(d)]; setup.Key != nil && ok != (id != 0) || id != 0 && score.Loss[0] != want {
				t.Fatalf("Known(%v) = %v, %d, want %v, %v", d, score, id, want, ok)
			}
			o := search.Outcome{ID: int64(r.IntN(500)) - 50, Design: d, Status: search.Complete, Score: metric.Score{Loss: []float64{r.Float64()}}}
			switch r.IntN(4) {
			case 0:
				p := l.Propose(d, "test", 1, 2)
				next++
				if p.ID != next || p.Design != d || len(p.Parents) != 2 {
					t.Fatalf("proposal %+v, want ID %d", p, next)
				}
				seen[key(d)], pending[next] = true, d
			case 1:
				p, ok := l.ProposeNew(d, "test")
				if ok == seen[key(d)] {
					t.Fatalf("ProposeNew(%v) = %v", d, ok)
				}
				if ok {
					if next++; p.ID != next {
						t.Fatalf("proposal %d, want %d", p.ID, next)
					}
					seen[key(d)], pending[next] = true, d
				}
			case 2:
				if p, ok := pending[o.ID]; ok {
					o.Design = p
				}
				fallthrough
			default:
				p, news := pending[o.ID]
				if o.ID < 0 {
					news = !foreign[o.ID]
					foreign[o.ID] = true
				} else if news {
					o.Design = p
				}
				if o.ID == 0 {
					news = false
				}
				if l.Accept(&o) != news {
					t.Fatalf("Accept of %d = %v", o.ID, !news)
				}
				delete(pending, o.ID)
				if news {
					seen[key(o.Design)] = true
					if _, ok := scores[key(o.Design)]; !ok {
						scores[key(o.Design)] = o.Score.Loss[0]
					}
				}
			}
			if l.Distinct() != len(seen) || l.Pending() != len(pending) {
				t.Fatalf("%d distinct and %d pending, want %d and %d", l.Distinct(), l.Pending(), len(seen), len(pending))
			}
		}
	})
}

// The zero value is ready, and IDs far off are not its own.
func TestLedgerZeroValue(t *testing.T) {
	t.Parallel()
	var l search.Ledger
	d := space.MustNew(space.Bool("b")).MustSample(rng.New(1, "ledger", 0))
	for _, id := range []int64{0, 1, 1 << 40} {
		if l.Accept(&search.Outcome{ID: id, Design: d}) {
			t.Errorf("Accept of %d without a proposal", id)
		}
	}
	if l.Seen(d) || l.Distinct() != 0 || l.Keyed() {
		t.Error("a new ledger knows something")
	}
	p := l.Propose(d, "test")
	for _, want := range []bool{true, false} {
		if got := l.Accept(&search.Outcome{ID: p.ID, Design: d}); got != want {
			t.Errorf("Accept = %v, want %v", got, want)
		}
	}
}

func BenchmarkLedger(b *testing.B) {
	sp := space.MustNew(space.Int("a", 0, 1<<40))
	r := rng.New(1, "ledger", 0)
	ds := make([]space.Design, 1<<16)
	for i := range ds {
		ds[i] = sp.MustSample(r)
	}
	b.ReportAllocs()
	var l search.Ledger
	i := 0
	for b.Loop() {
		d := ds[i&(1<<16-1)]
		i++
		if !l.Seen(d) {
			p := l.Propose(d, "test")
			l.Accept(&search.Outcome{ID: p.ID, Design: d})
		}
	}
}
