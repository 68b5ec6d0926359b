package space

import (
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
)

func mixed() *Space {
	return MustNew(
		Float("lr", 1e-5, 1e-1).Log(),
		Float("momentum", 0, 1),
		Int("units", 16, 256).Step(8),
		Int("depth", 1, 16).Log(),
		Ordinal("kernel", 3, 5, 7),
		Categorical("act", "relu", "gelu", "silu"),
		Bool("se"),
		Categorical("opt", "O1", "O2", "O3"),
		Choice("block",
			Case("conv", Ordinal("kernel", 3, 5, 7), Int("groups", 1, 8)),
			Case("mbconv", Ordinal("kernel", 3, 5), Ordinal("expand", 3, 4, 6), Bool("se"), Float("drop", 0, 0.5)),
			Case("skip")),
		Int("w1", 1, 64), Int("w2", 1, 64), Int("w3", 1, 64), Int("w4", 1, 64),
		Float("f1", 0, 1), Float("f2", 0, 1), Float("f3", 0, 1),
		Bool("b1"), Bool("b2"), Categorical("c3", "a", "b", "c", "d"), Categorical("c4", "a", "b"),
	)
}

func rich() *Space {
	return MustNew(
		Repeat("stages", 2, 5,
			Choice("block",
				Case("conv", Ordinal("kernel", 3, 5, 7)),
				Case("mbconv", Ordinal("kernel", 3, 5), Ordinal("expand", 3, 4, 6), Bool("se")),
				Case("skip")),
			Int("width", 16, 256).Step(8)),
		Subset("augment", "flip", "crop", "cutout", "mix").Size(1, 3),
		Subset("two", 1, 2, 3, 4).Size(2, 2),
		Permutation("passes", "dce", "inline", "unroll", "vectorize"),
		Group("stem", Float("x", 0, 1), Const("k", 5)),
		Repeat("widths", 0, 4, Int("", 8, 64)),
		Grammar("net", "M",
			Rule("M", Use("C").P(0.4), Use("M", "M"), Use("branch", "M", "merge")),
			Rule("C", Use("linear").Params(Ordinal("units", 16, 32)), Use("norm"), Use("relu"))),
	)
}

func TestSmoke(t *testing.T) {
	for name, s := range map[string]*Space{"mixed": mixed(), "rich": rich()} {
		r := rng.New(1, "t", 0)
		for i := range 3000 {
			d := s.MustSample(r)
			if i < 2 {
				t.Log(name, d)
			}
			b := d.AppendJSON(nil)
			e, err := s.ParseJSON(b)
			if err != nil || e != d {
				t.Fatalf("%s: %s: %v", name, b, err)
			}
			if e.Hash() != d.Hash() {
				t.Fatal("hash")
			}
			m := s.Mutate(r, d, Mutation{})
			if m == d {
				t.Fatal("same", d)
			}
			w := newWalker(s)
			if !s.valid(w, m.trace) {
				t.Fatal("invalid mutant", d)
			}
			o := s.MustSample(r)
			c := s.Cross(r, d, o, Crossover{})
			if !s.valid(w, c.trace) {
				t.Fatal("invalid child")
			}
			c = s.Cross(r, d, o, Crossover{Eta: 15})
			if !s.valid(w, c.trace) {
				t.Fatal("invalid child")
			}
			if i < 100 {
				k := 0
				for nb := range s.Neighbors(d) {
					if !s.valid(w, nb.trace) || nb == d {
						t.Fatal("invalid neighbour")
					}
					k++
				}
				x, err := s.Encode(d, nil)
				if err != nil {
					t.Fatal(err)
				}
				if name == "mixed" {
					f, err := s.FromFeatures(x)
					if err != nil || s.Distance(f, d) > 1e-9 {
						t.Fatal(err, f, d, s.Distance(f, d))
					}
				}
				if dist := s.Distance(d, o); dist < 0 || dist > 1 || dist != s.Distance(o, d) {
					t.Fatal(dist, s.Distance(o, d))
				}
			}
		}
	}
}

func BenchmarkSample(b *testing.B) {
	s := mixed()
	r := rng.New(1, "t", 0)
	b.ReportAllocs()
	for b.Loop() {
		s.Sample(r)
	}
}

func BenchmarkMutate(b *testing.B) {
	s := mixed()
	r := rng.New(1, "t", 0)
	d := s.MustSample(r)
	b.ReportAllocs()
	for b.Loop() {
		d = s.Mutate(r, d, Mutation{})
	}
}

func BenchmarkHash(b *testing.B) {
	s := mixed()
	r := rng.New(1, "t", 0)
	d := s.MustSample(r)
	b.ReportAllocs()
	for b.Loop() {
		d.Hash()
	}
}
func BenchmarkCross(b *testing.B) {
	s := mixed()
	r := rng.New(1, "t", 0)
	d := s.MustSample(r)
	o := s.MustSample(r)
	b.ReportAllocs()
	for b.Loop() {
		s.Cross(r, d, o, Crossover{})
	}
}
