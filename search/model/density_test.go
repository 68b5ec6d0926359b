package model

import (
	"math"
	"slices"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/space"
)

// rich has every kind of decision.
func rich() *space.Space {
	return space.MustNew(
		space.Float("lr", 1e-5, 1e-1).Log(),
		space.Int("units", 16, 256).Step(8),
		space.Int("depth", 1, 12).Log(),
		space.Ordinal("kernel", 3, 5, 7),
		space.Categorical("act", "relu", "gelu", "silu").Weights(3, 1, 1),
		space.Int("one", 4, 4),
		space.Repeat("stages", 0, 4,
			space.Choice("block",
				space.Case("conv", space.Ordinal("kernel", 3, 5, 7), space.Float("drop", 0, 0.5)),
				space.Case("mbconv", space.Bool("se"), space.Float("drop", 0, 0.5)),
				space.Case("skip"))),
		space.Subset("augment", "flip", "crop", "cutout", "mix").Size(1, 3),
		space.Permutation("passes", "dce", "inline", "unroll", "vectorize"),
		space.Grammar("net", "M",
			space.Rule("M", space.Use("C").P(0.6), space.Use("M", "M")),
			space.Rule("C", space.Use("linear").Params(space.Ordinal("units", 16, 32)), space.Use("norm"))).Depth(6),
		space.Categorical("many", "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r"),
	)
}

func ragged(d space.Design) float64 {
	y := 0.0
	for i, a := range d.Decisions(nil) {
		u := a.Unit(a.Index, a.Real)
		y += (u - 0.3) * (u - 0.3) / float64(i+1)
	}
	return y
}

// TestScoresAgreeWithDefinition computes the ratio of the densities decision by
// decision, kernel by kernel.
func TestScoresAgreeWithDefinition(t *testing.T) {
	t.Parallel()
	for name, sp := range map[string]*space.Space{"rich": rich(), "flat": reals(5), "cell": cell, "order": space.MustNew(space.Permutation("p", 1, 2, 3, 4, 5, 6))} {
		for kind, o := range map[string]TPE{"grouped": {}, "ungrouped": {Ungrouped: true}, "univariate": {Univariate: true}} {
			t.Run(name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				s := start(t, o, search.Setup{Space: sp, Seed: 3}).(*tpe)
				for range 4 {
					drive(t, s, 37, ragged)
					s.split()
					m := &s.m
					m.build(&s.sites, s.goods, s.bads, s.Gamma)
					m.candidates(sp, &s.sites, s.draws, 23)
					m.judge()
					for c := range m.drawn {
						got := m.score[c]
						d, ok := m.design(sp, &s.sites, c)
						if !ok {
							t.Fatal("a candidate of an unconstrained space is no design")
						}
						if want := ratio(s, d); math.Abs(got-want) > 1e-6*(1+math.Abs(want)) {
							t.Fatalf("log l/g of %v = %v, by definition %v", d, got, want)
						}
					}
					s.dirty = true
				}
			})
		}
	}
}

func ratio(s *tpe, d space.Design) float64 {
	m := &s.m
	x := s.scan(d)
	total := 0.0
	for gi := range m.groups {
		g := &m.groups[gi]
		has := slices.ContainsFunc(x.site, func(id int32) bool { return int(id) < len(m.groupOf) && m.groupOf[id] == int32(gi) })
		if has {
			total += math.Log(density(s, g, &g.good, gi, x)) - math.Log(density(s, g, &g.bad, gi, x))
		}
	}
	return total
}

func density(s *tpe, g *group, q *mixture, gi int, x *slot) float64 {
	m := &s.m
	sum, weights := 0.0, m.prior
	for k := -1; k < len(q.entries); k++ {
		p := 1.0
		var placed []int32
		for i, id := range x.site {
			st := &s.sites.list[id]
			if st.form == place {
				if st.decision.Item == 0 {
					placed = nil
				}
				placed = append(placed, x.option[i])
			}
			if int(id) >= len(m.groupOf) || m.groupOf[id] != int32(gi) {
				continue
			}
			var o *slot
			at := -1
			if k >= 0 {
				o = q.entries[k].slot
				at = slices.Index(o.site, id)
			}
			p *= kernel(m, q, st, x, i, o, at, k, placed)
		}
		w := m.prior
		if k >= 0 {
			w = q.entries[k].slot.weight
			weights += w
		}
		sum += w * p
	}
	return sum / weights
}

func kernel(m *model, q *mixture, st *site, x *slot, i int, o *slot, at, k int, placed []int32) float64 {
	phi := func(z float64) float64 { return math.Erfc(-z/math.Sqrt2) / 2 }
	n := float64(st.options)
	smooth := m.prior / float64(len(q.entries)+1)
	switch st.form {
	case number:
		if at < 0 {
			return 1
		}
		sd := q.sigma
		if m.grouping == bySite {
			sd = q.sd[k]
		}
		mu := o.x[at]
		z := (x.x[i] - mu) / sd
		return math.Exp(-z*z/2) / math.Sqrt(2*math.Pi) / sd / (phi((1-mu)/sd) - phi(-mu/sd))
	case level:
		a := x.option[i]
		lo, hi := st.edges[a], st.edges[a+1]
		if at < 0 {
			return hi - lo
		}
		b := o.option[at]
		mu, sd := (st.edges[b]+st.edges[b+1])/2, q.sigma
		if m.grouping == bySite {
			sd = q.sd[k]
		}
		return (phi((hi-mu)/sd) - phi((lo-mu)/sd)) / (phi((1-mu)/sd) - phi(-mu/sd))
	case place:
		if m.grouping != bySite { // where it knows nothing of what is gone
			n -= float64(len(placed) - 1)
		}
		if at < 0 || m.grouping != bySite && slices.Contains(placed[:len(placed)-1], o.option[at]) {
			return 1 / n
		}
		hit := 0.0
		if o.option[at] == x.option[i] {
			hit = 1
		}
		return (smooth + hit) / (1 + smooth*n)
	}
	prior := st.prior[x.option[i]]
	if at < 0 {
		return prior
	}
	hit := 0.0
	if o.option[at] == x.option[i] {
		hit = 1
	}
	return (smooth*n*prior + hit) / (1 + smooth*n)
}

// TestReservoirFollowsRamp checks that the sample of bad designs has the
// recency of the ramp: a design told as number t stays with a probability that
// is proportional to t, so the mean of t is two thirds of the last.
func TestReservoirFollowsRamp(t *testing.T) {
	t.Parallel()
	sp := reals(1)
	const n = 5000
	mean, count := 0.0, 0.0
	for seed := range 8 {
		s := start(t, TPE{}, search.Setup{Space: sp, Seed: uint64(seed)}).(*tpe)
		warm(t, s, sp, n, sphere)
		if len(s.rest) != s.Bad || len(s.best) != s.Good {
			t.Fatalf("%d bad and %d good designs, want %d and %d", len(s.rest), len(s.best), s.Bad, s.Good)
		}
		for _, r := range s.rest {
			mean += r.seq
			count++
		}
	}
	mean /= count
	// The standard deviation of t is n·sqrt(1/18).
	if se := n * math.Sqrt(1.0/18/count); math.Abs(mean-n*2/3) > 4*se {
		t.Errorf("mean arrival %.0f, want %.0f ± %.0f", mean, n*2/3.0, 4*se)
	}
}

// TestGoodSetIsTheBest checks the incremental good set against sorting.
func TestGoodSetIsTheBest(t *testing.T) {
	t.Parallel()
	sp := reals(2)
	s := start(t, TPE{}, search.Setup{Space: sp, Seed: 5}).(*tpe)
	r := rng.New(5, "losses", 0)
	var losses []float64
	for i := range 400 {
		y := math.Floor(r.Float64() * 100)
		losses = append(losses, y)
		s.Tell(search.Outcome{ID: -int64(i + 1), Design: sp.MustSample(r), Status: search.Complete, Score: metric.Score{Loss: []float64{y}}})
		s.split()
		sorted := slices.Sorted(slices.Values(losses))
		n := min((len(losses)+9)/10, 25)
		if len(s.goods) != n {
			t.Fatalf("%d good of %d results, want %d", len(s.goods), len(losses), n)
		}
		for j, g := range s.goods {
			if g.score.Loss[0] != sorted[j] {
				t.Fatalf("good design %d of %d has loss %v, want %v", j, n, g.score.Loss[0], sorted[j])
			}
		}
	}
}
