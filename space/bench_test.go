package space

import (
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
)

// kernel20 is the named benchmark space: 20 parameters of mixed kinds at the
// top, logarithms, a choice whose cases have parameters of their own, and two
// conditions. A design makes 19 to 23 decisions.
func kernel20() *Space { return MustNew(kernel20Nodes()...) }

func kernel20Nodes() []Node {
	return []Node{
		Float("lr", 1e-5, 1e-1).Log(),
		Float("momentum", 0, 1),
		Int("units", 16, 256).Step(8),
		Int("depth", 1, 16).Log(),
		Ordinal("kernel", 3, 5, 7),
		Categorical("act", "relu", "gelu", "silu"),
		Bool("se"),
		Categorical("opt", "O1", "O2", "O3"),
		Int("unroll", 1, 16).Log().When("opt == O3"),
		Choice("block",
			Case("conv", Ordinal("kernel", 3, 5, 7), Int("groups", 1, 8)),
			Case("mbconv", Ordinal("kernel", 3, 5), Ordinal("expand", 3, 4, 6), Bool("se"), Float("drop", 0, 0.5)),
			Case("skip")),
		Int("w1", 1, 64), Int("w2", 1, 64), Int("w3", 1, 64),
		Float("f1", 0, 1), Float("f2", 0, 1),
		Bool("fused"), Int("tile", 1, 8).When("fused"),
		Bool("b2"), Categorical("c3", "a", "b", "c", "d"), Categorical("c4", "a", "b"),
	}
}

// kernel20Ruled is kernel20 with three constraints on two parameters each.
func kernel20Ruled() *Space {
	return MustNew(append(kernel20Nodes(), Require("units * kernel <= 1024"), Require("w1 + w2 <= 96"), Require("w3 <= 4 * depth"))...)
}

func BenchmarkSample(b *testing.B) { benchmarkSample(b, kernel20()) }

func BenchmarkSampleConstrained(b *testing.B) { benchmarkSample(b, kernel20Ruled()) }

func benchmarkSample(b *testing.B, s *Space) {
	r := rng.New(1, "bench", 0)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Sample(r); err != nil {
			b.Fatal(err)
		}
	}
	if tries, rejected := s.Rejections(); tries > 0 {
		b.ReportMetric(float64(rejected)/float64(tries), "rejected/try")
	}
}

func BenchmarkSampleUniform(b *testing.B) {
	s := kernel20()
	r := rng.New(1, "bench", 0)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.SampleUniform(r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMutate(b *testing.B) { benchmarkMutate(b, kernel20()) }

func BenchmarkMutateConstrained(b *testing.B) { benchmarkMutate(b, kernel20Ruled()) }

func benchmarkMutate(b *testing.B, s *Space) {
	r := rng.New(1, "bench", 0)
	d := s.MustSample(r)
	b.ReportAllocs()
	for b.Loop() {
		d = s.Mutate(r, d, Mutation{})
	}
}

func BenchmarkCross(b *testing.B) {
	s := kernel20()
	r := rng.New(1, "bench", 0)
	d, o := s.MustSample(r), s.MustSample(r)
	b.ReportAllocs()
	for b.Loop() {
		s.Cross(r, d, o, Crossover{})
	}
}

func BenchmarkHash(b *testing.B) {
	s := kernel20()
	d := s.MustSample(rng.New(1, "bench", 0))
	b.ReportAllocs()
	for b.Loop() {
		d.Hash()
	}
}

func BenchmarkEncode(b *testing.B) {
	s := kernel20()
	d := s.MustSample(rng.New(1, "bench", 0))
	var x []float64
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if x, err = s.Encode(d, x[:0]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkJSON(b *testing.B) {
	s := kernel20()
	d := s.MustSample(rng.New(1, "bench", 0))
	var buf []byte
	b.Run("write", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			buf = d.AppendJSON(buf[:0])
		}
	})
	b.Run("read", func(b *testing.B) {
		buf = d.AppendJSON(buf[:0])
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.ParseJSON(buf); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkAll(b *testing.B) {
	nodes := kernel20Nodes()
	for i := range nodes {
		if nodes[i].kind == KindFloat {
			nodes[i] = nodes[i].Step(nodes[i].lo)
			if nodes[i].lo == 0 {
				nodes[i] = nodes[i].Step(0.25)
			}
		}
	}
	nodes[9] = Bool("block")
	s := MustNew(nodes...)
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for range s.All() {
			if n++; n == 1000 {
				break
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/design")
}
