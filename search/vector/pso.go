package vector

import (
	"errors"
	"fmt"
	"math"
)

// PSOOptions configures a [PSO]. Coordinates are needed and must be bounded
// numbers.
type PSOOptions struct {
	Coordinates []Coordinate
	// Particles is the size of the swarm; 0 means 30.
	Particles int
	// Ring lets a particle know the best of its two neighbours only, instead of
	// the best of all: slower, and less easily trapped.
	Ring bool
	// Inertia is the share of the velocity that is kept, Pull weights the way to
	// the particle's own best and to the best it knows of; 0 means 0.7298 and
	// 1.49618 (Clerc and Kennedy 2002).
	Inertia, Pull float64
	Seed          uint64
}

// PSO is particle swarm optimisation with constriction coefficients (Kennedy and
// Eberhart 1995; Clerc and Kennedy 2002): every particle flies towards the best
// point it has seen and the best its neighbours have. Velocities are at most a
// fifth of the range, and particles are reflected at the bounds.
//
// A particle moves when it is asked and learns when it is told, so that any
// number of particles may be under way. When the bests of all particles lie
// within 1e-12 of the ranges, all particles but that of the best are drawn anew.
type PSO struct {
	o    PSOOptions
	num  []numeric
	rand source
	n    int
	size int

	asked  int64
	x, v   []float64 // scaled, by particle
	latest []int64   // number of its latest point, -1 before the first
	best   []float64
	loss   []float64 // of best; +Inf if nothing is known
	leader int
	told   int
}

// NewPSO makes a search.
func NewPSO(o PSOOptions) (*PSO, error) {
	num, err := numbers("pso", o.Coordinates)
	if err != nil {
		return nil, err
	}
	var errs []error
	fail := func(field string, found any, want string) {
		errs = append(errs, fmt.Errorf("vector: pso: %s: found %v, want %s", field, found, want))
	}
	if o.Particles < 0 || o.Particles > 1<<20 {
		fail("particles", o.Particles, "1 to 1048576, or 0 for 30")
	}
	if !(o.Inertia >= 0 && o.Inertia < 1) {
		fail("inertia", o.Inertia, "a share above 0 and below 1, or 0 for 0.7298")
	}
	if !(o.Pull >= 0 && o.Pull <= 4) {
		fail("pull", o.Pull, "a number above 0 and at most 4, or 0 for 1.49618")
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if o.Particles == 0 {
		o.Particles = 30
	}
	if o.Inertia == 0 {
		o.Inertia = 0.7298
	}
	if o.Pull == 0 {
		o.Pull = 1.49618
	}
	n := len(num)
	p := &PSO{o: o, num: num, n: n, size: o.Particles, rand: newSource(o.Seed, "vector/pso")}
	p.x, p.v, p.best = make([]float64, p.size*n), make([]float64, p.size*n), make([]float64, p.size*n)
	p.latest, p.loss = make([]int64, p.size), make([]float64, p.size)
	for i := range p.size {
		p.latest[i], p.loss[i] = -1, math.Inf(1)
	}
	return p, nil
}

// Dim returns the length of a point, Batch the size of the swarm.
func (p *PSO) Dim() int   { return p.n }
func (p *PSO) Batch() int { return p.size }

// Started reports whether every particle was asked for.
func (p *PSO) Started() bool { return p.asked >= int64(p.size) }

// Ask implements [Core]. The first points are random.
func (p *PSO) Ask(x []float64) (first int64) {
	if len(x)%p.n != 0 {
		panic(fmt.Sprintf("vector: found %d numbers, want points of %d", len(x), p.n))
	}
	first = p.asked
	for ; len(x) > 0; x = x[p.n:] {
		p.move(x[:p.n])
	}
	return first
}

func (p *PSO) move(x []float64) {
	i := int(p.asked % int64(p.size))
	n := p.n
	at, v := p.x[i*n:(i+1)*n], p.v[i*n:(i+1)*n]
	fresh := p.latest[i] < 0
	p.latest[i] = p.asked
	p.asked++
	if fresh {
		for j := range at {
			at[j] = p.rand.unit()
			v[j] = min(max((p.rand.unit()-at[j])/2, -0.2), 0.2)
			x[j] = p.num[j].point(at[j])
		}
		return
	}
	own := p.best[i*n : (i+1)*n]
	known := !math.IsInf(p.loss[i], 1)
	g := p.guide(i)
	lead := p.best[g*n : (g+1)*n]
	led := !math.IsInf(p.loss[g], 1)
	for j := range at {
		w := float64(p.o.Inertia * v[j])
		if known {
			w += float64(p.o.Pull * float64(p.rand.unit()*(own[j]-at[j])))
		}
		if led {
			w += float64(p.o.Pull * float64(p.rand.unit()*(lead[j]-at[j])))
		}
		if !known && !led {
			w = v[j]
		}
		w = min(max(w, -0.2), 0.2)
		u := at[j] + w
		if u < 0 {
			u, w = -u, -w
		} else if u > 1 {
			u, w = 2-u, -w
		}
		at[j], v[j] = min(max(u, 0), 1), w
		x[j] = p.num[j].point(at[j])
	}
}

// guide returns the particle whose best a particle follows.
func (p *PSO) guide(i int) int {
	if !p.o.Ring {
		return p.leader
	}
	best := i
	for _, k := range [2]int{(i + 1) % p.size, (i + p.size - 1) % p.size} {
		if p.loss[k] < p.loss[best] {
			best = k
		}
	}
	return best
}

// Decode implements [Core].
func (p *PSO) Decode(dst, x []float64) { decode(p.num, dst, x) }

// Encode implements [Core].
func (p *PSO) Encode(dst, x []float64) { copy(dst, x) }

// Tell implements [Core]. Points from elsewhere become the best of the particle
// that knows the worst one, if they are better. A particle whose latest point
// was told with other coordinates goes on from there.
func (p *PSO) Tell(first int64, x, loss []float64) {
	if len(x) != len(loss)*p.n {
		panic(fmt.Sprintf("vector: found %d numbers for %d losses, want points of %d", len(x), len(loss), p.n))
	}
	for k, f := range loss {
		number := first
		if first >= 0 {
			number += int64(k)
		}
		p.tell(number, x[k*p.n:(k+1)*p.n], f)
	}
}

func (p *PSO) tell(number int64, x []float64, f float64) {
	if number >= p.asked {
		return
	}
	i := 0
	if number >= 0 {
		i = int(number % int64(p.size))
	} else {
		for k, l := range p.loss {
			if l > p.loss[i] {
				i = k
			}
		}
	}
	at := p.x[i*p.n : (i+1)*p.n]
	if p.latest[i] == number && number >= 0 {
		for j, v := range x {
			at[j] = p.num[j].scaled(v)
		}
	}
	if f < p.loss[i] {
		p.loss[i] = f
		for j, v := range x {
			p.best[i*p.n+j] = p.num[j].scaled(v)
		}
		if f < p.loss[p.leader] || i == p.leader {
			p.leader = i
		}
	}
	if p.told++; p.told%p.size == 0 {
		p.converge()
	}
}

// converge scatters a swarm that has come together.
func (p *PSO) converge() {
	lead := p.best[p.leader*p.n : (p.leader+1)*p.n]
	for k, v := range p.best {
		if math.IsInf(p.loss[k/p.n], 1) || math.Abs(v-lead[k%p.n]) > 1e-12 {
			return
		}
	}
	p.Scatter()
}

// Scatter implements [Core].
func (p *PSO) Scatter() {
	for i := range p.size {
		if i != p.leader {
			p.latest[i], p.loss[i] = -1, math.Inf(1)
		}
	}
}
