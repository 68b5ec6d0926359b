//go:build invariants

package serving

import "fmt"

// invariants panics if memory or requests got lost.
func (b *replica) invariants() {
	used, running := 0, 0
	for i := range b.groups {
		g := &b.groups[i]
		for _, q := range g.running {
			used += q.blocks
			running++
			if q.read > q.target || q.made > q.output || q.blocks*b.s.Block < min(q.read, q.context()-1) {
				panic(fmt.Sprintf("serving: sequence %+v is impossible", *q))
			}
		}
		if len(g.running) > b.limit {
			panic(fmt.Sprintf("serving: a group runs %d sequences of at most %d", len(g.running), b.limit))
		}
	}
	if used+b.free != b.blocks || b.free < 0 {
		panic(fmt.Sprintf("serving: %d blocks are taken and %d free, of %d", used, b.free, b.blocks))
	}
	if running+b.queue() != b.here {
		panic(fmt.Sprintf("serving: %d requests run and %d wait, of %d", running, b.queue(), b.here))
	}
}
