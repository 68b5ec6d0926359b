// Package illuminate holds quality-diversity searchers: they look for the best
// design of every kind rather than for one best design.
//
// What makes a kind is said by measures, such as parameters and latency. They
// divide the designs into cells, and an archive keeps the best design of each
// cell. At the end the archive shows what quality is possible where:
//
//	s, err := illuminate.MAPElites{Measures: []illuminate.Measure{
//		{Metric: "params_m", Low: 0, High: 10, Cells: 20},
//		{Metric: "latency_ms", Low: 0, High: 50, Cells: 20},
//	}}.New(search.Setup{Space: sp, Seed: 7})
//	// ask, evaluate, tell …
//	archive := s.(illuminate.Archiver).Archive()
//	fmt.Println(archive.Coverage(), archive.QDScore(0))
//
// [MAPElites] breeds from the elites by mutation and crossover, on any space.
// [CMAME] and [CMAMAE] lead evolution strategies by what improves the archive,
// where the space has coordinates. [Emitters] mixes all of these and lets a bandit
// choose. [MOME] keeps a front in every cell, for several objectives.
package illuminate
