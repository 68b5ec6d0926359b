package arena

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"
)

// Options say how an arena is run.
type Options struct {
	Journal  string // where runs are kept; "" keeps them in memory
	Parallel int    // runs at once; 0 means as the file says, or all cores
	Engine   string // version of the engine, recorded
	Retry    bool   // make failed runs again
	Look     bool   // make no runs, only read those there are

	// Observe, if set, is called after every run, from one goroutine at a time.
	Observe func(Progress)

	unfit *sync.Map // searcher and problem: why, as a program said
}

// Progress is how an arena stands.
type Progress struct {
	Done    int // runs made, those of earlier times included
	Known   int // of them, made earlier
	Failed  int
	Total   int
	Elapsed time.Duration // of this time
	Last    *Row
}

// Results are the runs of an arena, by identity.
type Results struct {
	Rows    map[string]*Row
	Known   int // runs that earlier times had made
	Made    int // runs made now, by searchers that could take part
	Total   int
	Elapsed time.Duration
}

// lanes lists all runs. Seeds come outermost, so that an arena that is stopped
// has something to say about everything; the lottery comes last.
func (f *File) lanes() ([]lane, error) {
	var out []lane
	ids := map[[2]int][]byte{}
	for _, seed := range f.Seeds {
		for p := range f.Problems {
			for s := range f.Searchers {
				id, ok := ids[[2]int{p, s}]
				if !ok {
					var err error
					if id, err = f.Searchers[s].id(&f.Problems[p]); err != nil {
						return nil, err
					}
					ids[[2]int{p, s}] = id
				}
				out = append(out, lane{f.identity(&f.Problems[p], id, seed), &f.Problems[p], &f.Searchers[s], "", seed})
			}
		}
	}
	if f.Lottery == nil {
		return out, nil
	}
	for _, seed := range f.Lottery.Seeds {
		for _, label := range f.Lottery.Problems {
			p := f.problem(label)
			for i := range f.Searchers {
				settings := f.Lottery.Settings[f.Searchers[i].Label]
				if len(settings) > 0 { // the searcher as it is takes part with these seeds too
					id, err := f.Searchers[i].id(p)
					if err != nil {
						return nil, err
					}
					out = append(out, lane{f.identity(p, id, seed), p, &f.Searchers[i], "", seed})
				}
				for k := range settings {
					s := &settings[k].searcher
					id, err := s.id(p)
					if err != nil {
						return nil, err
					}
					out = append(out, lane{f.identity(p, id, seed), p, s, settings[k].Text, seed})
				}
			}
		}
	}
	return out, nil
}

func (f *File) problem(label string) *Problem {
	for i := range f.Problems {
		if f.Problems[i].Label == label {
			return &f.Problems[i]
		}
	}
	return nil
}

// Run makes the runs that the journal lacks, several at once, and returns all of
// them. When ctx is cancelled it returns what there is with the error of ctx;
// the runs under way are lost.
func (f *File) Run(ctx context.Context, o Options) (res *Results, err error) {
	lanes, err := f.lanes()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	o.unfit = new(sync.Map)
	defer func() {
		var wg sync.WaitGroup
		for i := range f.Searchers {
			if p := f.Searchers[i].Peer; p != nil {
				wg.Go(p.closeAll)
			}
		}
		wg.Wait()
	}()
	known := map[string]*Row{}
	var j *journal
	switch {
	case o.Journal == "":
	case o.Look:
		if known, err = ReadJournal(o.Journal); err != nil {
			return nil, err
		}
	default:
		if j, known, err = openJournal(o.Journal); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, j.close()) }()
	}
	res = &Results{Rows: map[string]*Row{}}
	var todo []lane
	seen := map[string]bool{}
	failed := 0
	for _, l := range lanes {
		if seen[l.id] {
			continue
		}
		seen[l.id] = true
		res.Total++
		r := known[l.id]
		if r == nil || r.Status == Failed && o.Retry {
			if !o.Look {
				todo = append(todo, l)
			}
			continue
		}
		res.Rows[l.id] = r
		res.Known++
		if r.Status == Failed {
			failed++
		}
	}
	n := o.Parallel
	if n == 0 {
		n = f.Parallel
	}
	if n == 0 {
		n = runtime.GOMAXPROCS(0)
	}
	var (
		mu    sync.Mutex
		wg    sync.WaitGroup
		fault error
	)
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	queue := make(chan lane)
	for range min(n, max(len(todo), 1)) {
		wg.Go(func() {
			for l := range queue {
				row := f.run(inner, l, &o)
				if row == nil {
					continue
				}
				var err error
				if j != nil && row.Status != Unfit { // what is missing today may be there tomorrow
					err = j.add(row)
				}
				mu.Lock()
				if err != nil {
					fault = err
					cancel()
				} else {
					res.Rows[l.id] = row
					if row.Status != Unfit {
						res.Made++
					}
					if row.Status == Failed {
						failed++
					}
					if o.Observe != nil {
						o.Observe(Progress{len(res.Rows), res.Known, failed, res.Total, time.Since(began), row})
					}
				}
				mu.Unlock()
			}
		})
	}
	func() {
		defer close(queue)
		for _, l := range todo {
			select {
			case queue <- l:
			case <-inner.Done():
				return
			}
		}
	}()
	wg.Wait()
	res.Elapsed = time.Since(began)
	if fault != nil {
		return nil, fault
	}
	return res, ctx.Err()
}
