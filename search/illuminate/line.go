package illuminate

import (
	"math/rand/v2"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/search/internal/genome"
	"github.com/daedalus-search/daedalus/space"
)

// A liner moves designs along lines through numbers: iso+line variation
// (Vassiliades and Mouret 2018, Discovering the elite hypervolume by leveraging
// interspecies correlation), with categories taken from either end.
type liner struct {
	genome *genome.Genome
	rand   *rand.Rand
	a, b   []float64
}

// The noise and the reach of the variation, as in that paper.
const (
	lineIso   = 0.01
	lineReach = 0.2
)

func newLiner(g *genome.Genome, seed uint64) *liner {
	if g == nil {
		return nil
	}
	n := len(g.Coordinates())
	return &liner{genome: g, rand: rng.New(seed, "illuminate/line", 0), a: make([]float64, n), b: make([]float64, n)}
}

// between returns a child of a on the line to b.
func (l *liner) between(a, b space.Design) (space.Design, error) {
	cs := l.genome.Coordinates()
	for i := range cs {
		l.a[i] = 0.5
	}
	copy(l.b, l.a)
	if err := l.genome.Move(l.a, a); err != nil {
		return space.Design{}, err
	}
	if err := l.genome.Move(l.b, b); err != nil {
		return space.Design{}, err
	}
	along := float64(lineReach * rng.Norm(l.rand))
	for i, c := range cs {
		if c.Options > 0 {
			switch u := l.rand.Float64(); {
			case u < 1/float64(len(cs)):
				l.a[i] = float64(l.rand.IntN(c.Options))
			case u < 1/float64(len(cs))+lineReach:
				l.a[i] = l.b[i]
			}
			continue
		}
		iso := lineIso
		if c.Cuts != nil { // half a level at least, or nothing would move
			iso = max(iso, 0.5/float64(len(c.Cuts)+1))
		}
		u := l.a[i] + float64(iso*rng.Norm(l.rand)) + float64(along*(l.b[i]-l.a[i]))
		l.a[i] = min(max(u, 0), 1)
	}
	return l.genome.Design(l.a)
}
