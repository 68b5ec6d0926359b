// Package arena races search methods: searchers × problems × seeds under one
// budget, with the statistics that a fair verdict takes.
//
//	f, err := arena.Load("arena.yaml")
//	if err != nil {
//		return err // a *source.Report: every mistake at its line
//	}
//	res, err := f.Run(ctx, arena.Options{Journal: "arena.runs.jsonl"})
//	if err != nil {
//		return err
//	}
//	err = arena.WriteHTML(w, arena.Analyse(f, res))
//
// A run is one searcher on one problem with one seed. It is identified by a hash
// of everything its outcome depends on, and appended to a journal as it ends; so
// an arena may be killed at any time, and what has not changed is never run
// again (journal.go). Random search always takes part.
//
// Programs in any language take part over the protocol of docs/arena.md
// (peer.go). One that hangs, dies or answers nonsense loses its run and nobody
// else's.
//
// Where to start reading: file.go says what can be raced, race.go is one run,
// stats.go the tests, analysis.go the verdicts, page.go the report.
package arena
