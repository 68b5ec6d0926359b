package model

import (
	"fmt"
	"testing"

	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/space"
)

func reals(n int) *space.Space {
	nodes := make([]space.Node, n)
	for i := range nodes {
		nodes[i] = space.Float(fmt.Sprintf("x%d", i), -5, 5)
	}
	return space.MustNew(nodes...)
}

// BenchmarkTPE is a whole study: ask, compute a sphere, tell.
func BenchmarkTPE(b *testing.B) {
	for name, o := range map[string]TPE{"1000x40": {}, "univariate1000x40": {Univariate: true}} {
		b.Run(name, func(b *testing.B) {
			sp := reals(40)
			b.ReportAllocs()
			for b.Loop() {
				s := start(b, o, search.Setup{Space: sp})
				drive(b, s, 1000, sphere)
			}
		})
	}
}

// BenchmarkTPEAsk is one ask and tell after many results.
func BenchmarkTPEAsk(b *testing.B) {
	for _, n := range []int{1000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			sp := reals(20)
			s := start(b, TPE{}, search.Setup{Space: sp})
			warm(b, s, sp, n, sphere)
			b.ReportAllocs()
			for b.Loop() {
				drive(b, s, 1, sphere)
			}
		})
	}
}
