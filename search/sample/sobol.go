package sample

import (
	"errors"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"sync"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/internal/fresh"
	"github.com/daedalus-search/daedalus/space"
)

// Sobol proposes the points of a scrambled Sobol sequence (Sobol 1967), which
// fill the space more evenly than random ones. Runs of 2^k points are the most
// even.
//
// Every place of the space has coordinates of its own (see [space.Space.Dims]),
// so a point means the same whatever its other coordinates say; coordinates of
// inactive parameters are ignored. Points are mapped by the inverse of each
// prior. Seeds differ in a random linear scramble with a digital shift
// (Matoušek 1998), which keeps the evenness and makes every single point
// uniform.
//
// A point whose design was proposed or told before, or that breaks a constraint,
// is skipped. After 64 points in a row that were seen a design is drawn at
// random as by [Random], so that a space of up to 65,536 designs ends with
// [search.ErrExhausted]. A space where 100,000 points in a row break constraints
// gives an error. The cost of an ask is proportional to the
// number of coordinates and does not grow with the number of trials. After 2^32
// points comes [search.ErrExhausted].
type Sobol struct {
	// Scramble is "linear", or "none" for the plain sequence, which is the same
	// for every seed and begins in the lower corner; "" means linear.
	Scramble string `yaml:"scramble" default:"linear" oneof:"linear none" doc:"none gives the plain sequence, the same for every seed; its first point is the lower corner"`
}

// New implements [search.Method]. It refuses spaces without a fixed layout of
// coordinates, which are those with a grammar, and spaces of more than 1,111
// coordinates. It accepts any number of objectives, and limits.
func (m Sobol) New(setup search.Setup) (search.Searcher, error) {
	if setup.Space == nil {
		return nil, errNoSpace
	}
	if m.Scramble != "" && m.Scramble != "linear" && m.Scramble != "none" {
		return nil, fmt.Errorf("search: sobol: scramble: found %q, want linear or none", m.Scramble)
	}
	dims, err := setup.Space.Dims()
	if err != nil {
		return nil, fmt.Errorf("search: sobol needs a fixed number of coordinates; use random search: %w", err)
	}
	if dims > maxDims {
		return nil, fmt.Errorf("search: sobol: the space has %d coordinates, want at most %d; use random search", dims, maxDims)
	}
	var r *rand.Rand
	seed := uint64(0)
	if m.Scramble != "none" {
		seed = setup.Seed
		r = rng.New(seed, "sample/sobol", 0)
	}
	return &sobol{
		Ledger: search.NewLedger(setup),
		space:  setup.Space,
		seq:    newSequence(dims, r),
		u:      make([]float64, dims),
		source: fresh.New(setup.Space, rng.New(seed, "sample/sobol", 1)),
	}, nil
}

type sobol struct {
	search.Ledger
	space  *space.Space
	seq    *sequence
	u      []float64
	source *fresh.Source // once the sequence finds nothing new
	spent  bool          // it did not, the last time
}

// Batch implements [search.Batcher].
func (s *sobol) Batch() int { return unlimited }

func (s *sobol) Tell(outcomes ...search.Outcome) {
	for i := range outcomes {
		s.Accept(&outcomes[i])
	}
}

const (
	maxRepeats    = 64
	maxInfeasible = 100_000
)

func (s *sobol) Ask(n int) ([]search.Proposal, error) {
	out := make([]search.Proposal, 0, max(n, 1))
	for range max(n, 1) {
		d, ok, err := s.point()
		operator := "sobol"
		if err == nil && !ok {
			operator = "random"
			d, err = s.source.Next(s.Seen)
		}
		if err != nil {
			return orError(out, err)
		}
		out = append(out, s.Propose(d, operator))
	}
	return out, nil
}

// point returns the next new design of the sequence, false if too many in a row
// were seen.
func (s *sobol) point() (d space.Design, ok bool, err error) {
	repeats := 0
	if s.spent {
		repeats = maxRepeats - 1 // one look is enough from now on
	}
	for range maxInfeasible {
		if !s.seq.next(s.u) {
			return space.Design{}, false, search.ErrExhausted
		}
		d, err := s.space.FromUnit(s.u)
		if err != nil {
			if infeasible := (*space.InfeasibleError)(nil); errors.As(err, &infeasible) {
				continue
			}
			return space.Design{}, false, err
		}
		if !s.Seen(d) {
			s.spent = false
			return d, true, nil
		}
		if repeats++; repeats == maxRepeats {
			s.spent = true
			return space.Design{}, false, nil
		}
	}
	return space.Design{}, false, fmt.Errorf("search: sobol: %d points in a row broke a constraint; loosen it, or use random search, which propagates constraints", maxInfeasible)
}

// A sequence is a Sobol sequence in Gray-code order (Antonov and Saleev 1979).
type sequence struct {
	x       []uint64 // the next point, as binary fractions of which 53 digits are used
	columns []uint64 // columns[i*dims+j]: direction number i of dimension j
	index   uint64
}

const columns = 32 // so 2^32 points

// newSequence makes a sequence, scrambled with r if r is not nil.
func newSequence(dims int, r *rand.Rand) *sequence {
	s := &sequence{x: make([]uint64, dims), columns: make([]uint64, columns*dims)}
	var v [columns]uint32
	for j := range dims {
		directions(j, initialNumbers(j), &v)
		if r == nil {
			for i := range v {
				s.columns[i*dims+j] = uint64(v[i]) << 32
			}
			continue
		}
		// A random lower triangular matrix with ones on its diagonal, applied
		// to the digits of every column; 53 rows, so that later digits are
		// random mixtures of the first 32.
		for row := range 53 {
			mask := uint32(r.Uint64() >> 32)
			if row < columns {
				mask &= ^(^uint32(0) >> row) // digits before the row's own
				mask |= 1 << (31 - row)
			}
			for i := range v {
				digit := uint64(bits.OnesCount32(mask&v[i]) & 1)
				s.columns[i*dims+j] |= digit << (63 - row)
			}
		}
		s.x[j] = r.Uint64()
	}
	return s
}

// next writes the next point to u. It reports false after 2^32 points.
func (s *sequence) next(u []float64) bool {
	if s.index>>columns != 0 {
		return false
	}
	for j, x := range s.x {
		u[j] = float64(x>>11) * 0x1p-53
	}
	s.index++
	if c := bits.TrailingZeros64(s.index); c < columns {
		for j, v := range s.columns[c*len(s.x) : (c+1)*len(s.x)] {
			s.x[j] ^= v
		}
	}
	return true
}

// maxDims is one, for the van der Corput sequence, and the number of primitive
// polynomials up to degree 13.
const (
	maxDegree = 13
	maxDims   = 1111
)

// primitives lists the primitive polynomials over GF(2) of degrees 1 to
// maxDegree by rising value; bit i is the coefficient of x^i.
var primitives = sync.OnceValue(func() []uint32 {
	var out []uint32
	for degree := 1; degree <= maxDegree; degree++ {
		for p := uint32(1)<<degree + 1; p < 2<<degree; p += 2 {
			if primitive(p, degree) {
				out = append(out, p)
			}
		}
	}
	return out
})

// primitive reports whether x has the order 2^degree - 1 modulo p, which makes
// the powers of x all the nonzero residues.
func primitive(p uint32, degree int) bool {
	order := uint32(1)<<degree - 1
	if powX(order, p, degree) != 1 {
		return false
	}
	rest := order
	for q := uint32(2); rest > 1; q++ {
		if q*q > rest {
			q = rest
		}
		if rest%q != 0 {
			continue
		}
		if order/q > 0 && q > 1 && order != 1 && powX(order/q, p, degree) == 1 {
			return false
		}
		for rest%q == 0 {
			rest /= q
		}
	}
	return true
}

// powX returns x^e modulo p.
func powX(e, p uint32, degree int) uint32 {
	result, base := uint32(1), uint32(2)
	if degree == 1 {
		base ^= p
	}
	for ; e > 0; e >>= 1 {
		if e&1 == 1 {
			result = mulMod(result, base, p, degree)
		}
		base = mulMod(base, base, p, degree)
	}
	return result
}

func mulMod(a, b, p uint32, degree int) uint32 {
	var out uint32
	for ; b > 0; b >>= 1 {
		if b&1 == 1 {
			out ^= a
		}
		if a <<= 1; a>>degree&1 == 1 {
			a ^= p
		}
	}
	return out
}

// initialNumbers returns the free parameters m_1 … m_s of a dimension: the draw
// of a fixed random stream that chosen names for it. Every m_i is odd and below
// 2^i. Dimension 0 has none.
func initialNumbers(dim int) []uint32 {
	if dim == 0 {
		return nil
	}
	return drawInitial(dim, uint64(chosen[dim-1]))
}

func drawInitial(dim int, draw uint64) []uint32 {
	r := rng.New(draw, "sobol/initial", uint64(dim))
	m := make([]uint32, bits.Len32(primitives()[dim-1])-1)
	for i := range m {
		m[i] = uint32(r.Uint64()>>(64-i))<<1 | 1
	}
	return m
}

// directions computes the direction numbers of a dimension as binary fractions
// of 32 digits by the recurrence of its polynomial (Bratley and Fox 1988,
// Algorithm 659).
func directions(dim int, m []uint32, v *[columns]uint32) {
	if dim == 0 {
		for i := range v {
			v[i] = 1 << (31 - i)
		}
		return
	}
	p, s := primitives()[dim-1], len(m)
	for i := range v {
		if i < s {
			v[i] = m[i] << (31 - i)
			continue
		}
		v[i] = v[i-s] ^ v[i-s]>>s
		for k := 1; k < s; k++ {
			if p>>(s-k)&1 == 1 {
				v[i] ^= v[i-k]
			}
		}
	}
}
