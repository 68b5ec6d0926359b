package nets_test

import (
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural/nets"
)

// BenchmarkSpaces draws designs, builds their networks and counts them, as a search
// does with each candidate, on the spaces at their published or default sizes.
func BenchmarkSpaces(b *testing.B) {
	for _, s := range []small{
		entry("nas-bench-201", made(nets.NASBench201Space{}.New())),
		entry("nas-bench-macro", made(nets.MacroSpace{}.New())),
		entry("darts", made(nets.DARTSSpace{}.New())),
		entry("nasnet", made(nets.NASNetSpace{}.New())),
		entry("once-for-all", made(nets.OFASpace{}.New())),
		entry("edge", made(nets.MobileSpace{}.New())),
		entry("transformer", made(nets.TransformerSpace{}.New())),
		entry("mlp", made(nets.MLPSpace{Numbers: 5, Categories: []int{3, 7}}.New())),
	} {
		b.Run(s.name, func(b *testing.B) {
			r := rng.New(1, "nets space bench", 0)
			for b.Loop() {
				sink = graph(b, s.family, draw(b, r, s.family)).Cost()
			}
			rate(b)
		})
	}
}

// BenchmarkChoices reads designs without building their networks.
func BenchmarkChoices(b *testing.B) {
	f := made(nets.MobileSpace{}.New())
	d := f.Largest()
	for b.Loop() {
		if _, err := f.Choices(d); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkKey finds the key of a design of the edge space.
func BenchmarkKey(b *testing.B) {
	f := made(nets.MobileSpace{}.New())
	d := f.Largest()
	for b.Loop() {
		f.Key(d)
	}
}
