package neural

import (
	"cmp"
	"errors"
	"math"
	"slices"
)

// A picture is a directed acyclic graph of boxes to be placed in layers from the
// top down (Sugiyama, Tagawa and Toda 1981).
type picture struct {
	boxes         []box
	lines         []line
	width, height float64
}

// A box is placed by the middle of its upper edge.
type box struct {
	w, h        float64
	left, right float64 // room it needs beside its middle
	x, y        float64
	layer       int
}

// A line leads from a box to a later one, through places in the layers between.
type line struct {
	from, to int
	shift    float64 // where it arrives, beside the middle of the box
	via      []int   // slots of the layers between
}

// A slot is a box, or where a line passes a layer.
type slot struct {
	box         int // −1 for a line
	layer       int
	left, right float64
	x           float64
	up, down    []int // slots of the layers above and below
	weight      float64
}

// Distances in a picture.
const (
	stem     = 17.0 // in which the lines that leave a box are one, beside the shape
	turning  = 13.0 // least height in which lines move sideways
	landing  = 10.0 // in which a line that arrives is straight
	slotGap  = 18.0
	maxSlots = 20000
)

type layout struct {
	p      *picture
	slots  []slot
	layers [][]int
	tops   []float64
	high   []float64
}

// place gives every box its place, and every line its way.
func (p *picture) place() (*layout, error) {
	l := &layout{p: p}
	for _, e := range p.lines { // boxes stand after those that lead to them
		p.boxes[e.to].layer = max(p.boxes[e.to].layer, p.boxes[e.from].layer+1)
	}
	depth, passes := 0, 0
	for _, b := range p.boxes {
		depth = max(depth, b.layer+1)
	}
	for _, e := range p.lines {
		passes += p.boxes[e.to].layer - p.boxes[e.from].layer - 1
	}
	if passes+len(p.boxes) > maxSlots {
		return nil, errors.New("too large to be drawn in one picture; build it of blocks")
	}
	l.layers = make([][]int, depth)
	add := func(s slot) int {
		l.slots = append(l.slots, s)
		k := len(l.slots) - 1
		l.layers[s.layer] = append(l.layers[s.layer], k)
		return k
	}
	for i, b := range p.boxes {
		add(slot{box: i, layer: b.layer, left: b.left, right: b.right, weight: 1})
	}
	for i := range p.lines {
		e := &p.lines[i]
		last := e.from
		for layer := p.boxes[e.from].layer + 1; layer < p.boxes[e.to].layer; layer++ {
			k := add(slot{box: -1, layer: layer, left: 3, right: 3, weight: 8})
			e.via = append(e.via, k)
			l.join(last, k)
			last = k
		}
		l.join(last, e.to)
	}
	l.order()
	l.sideways()
	l.finish()
	return l, nil
}

func (l *layout) join(a, b int) {
	l.slots[a].down = append(l.slots[a].down, b)
	l.slots[b].up = append(l.slots[b].up, a)
}

// order sorts the layers so that few lines cross, by the means of what the slots
// are joined to in the layer before, downwards and upwards in turn.
func (l *layout) order() {
	at := make([]float64, len(l.slots))
	number := func() {
		for _, layer := range l.layers {
			for i, k := range layer {
				at[k] = float64(i)
			}
		}
	}
	number()
	best, least := clone2(l.layers), l.crossings(at)
	for round := 0; round < 12 && least > 0; round++ {
		for i := range l.layers {
			layer := l.layers[i]
			if round%2 == 1 {
				layer = l.layers[len(l.layers)-1-i]
			}
			want := make(map[int]float64, len(layer))
			for _, k := range layer {
				near := l.slots[k].up
				if round%2 == 1 {
					near = l.slots[k].down
				}
				want[k] = at[k]
				if len(near) > 0 {
					sum := 0.0
					for _, n := range near {
						sum += at[n]
					}
					want[k] = sum / float64(len(near))
				}
			}
			slices.SortStableFunc(layer, func(a, b int) int { return cmp.Compare(want[a], want[b]) })
			for i, k := range layer {
				at[k] = float64(i)
			}
		}
		for pass := range 6 {
			if n := l.crossings(at); n < least {
				best, least = clone2(l.layers), n
			}
			l.swap(at, pass%3 == 2)
		}
	}
	l.layers = best
}

// swap exchanges neighbours in a layer if fewer lines cross then; if it is bold,
// also if as many do.
func (l *layout) swap(at []float64, bold bool) {
	cross := func(a, b []int) (n int) { // of two slots, the first on the left
		for _, i := range a {
			for _, j := range b {
				if at[i] > at[j] {
					n++
				}
			}
		}
		return n
	}
	for _, layer := range l.layers {
		for i := 1; i < len(layer); i++ {
			a, b := &l.slots[layer[i-1]], &l.slots[layer[i]]
			now := cross(a.up, b.up) + cross(a.down, b.down)
			then := cross(b.up, a.up) + cross(b.down, a.down)
			if then < now || bold && then == now {
				layer[i-1], layer[i] = layer[i], layer[i-1]
				at[layer[i-1]], at[layer[i]] = float64(i-1), float64(i)
			}
		}
	}
}

func clone2(s [][]int) [][]int {
	c := make([][]int, len(s))
	for i := range s {
		c[i] = slices.Clone(s[i])
	}
	return c
}

// crossings counts the pairs of lines that cross.
func (l *layout) crossings(at []float64) (n int) {
	for _, layer := range l.layers {
		type end struct{ a, b float64 }
		var ends []end
		for _, k := range layer {
			for _, d := range l.slots[k].down {
				ends = append(ends, end{at[k], at[d]})
			}
		}
		if len(ends) > 400 {
			return 1
		}
		for i, e := range ends {
			for _, f := range ends[:i] {
				if (e.a-f.a)*(e.b-f.b) < 0 {
					n++
				}
			}
		}
	}
	return n
}

// sideways places the slots of each layer near the mean of what they are joined
// to, as near as the others of the layer leave room for.
func (l *layout) sideways() {
	for _, layer := range l.layers {
		x := 0.0
		for _, k := range layer {
			s := &l.slots[k]
			x += s.left
			s.x = x
			x += s.right + slotGap
		}
		middle := (x - slotGap) / 2
		for _, k := range layer {
			l.slots[k].x -= middle
		}
	}
	for round := range 24 {
		for i := range l.layers {
			layer := l.layers[i]
			if round%2 == 1 {
				layer = l.layers[len(l.layers)-1-i]
			}
			l.settle(layer, round)
		}
	}
	chains := l.chains()
	for range 4 {
		l.straighten(chains)
	}
}

// chains are the longest ways on which every slot leads to the next alone, and the
// next is led to by it alone: long lines, and boxes that follow each other.
func (l *layout) chains() (chains [][]int) {
	alone := func(k int) int {
		if s := &l.slots[k]; len(s.down) == 1 && len(l.slots[s.down[0]].up) == 1 {
			return s.down[0]
		}
		return -1
	}
	begun := make([]bool, len(l.slots))
	for _, layer := range l.layers {
		for _, k := range layer {
			var chain []int
			for ; k >= 0 && !begun[k]; k = alone(k) {
				begun[k] = true
				chain = append(chain, k)
			}
			if len(chain) > 1 {
				chains = append(chains, chain)
			}
		}
	}
	return chains
}

// straighten moves the slots of each chain below each other where there is room, between
// what its ends are joined to.
func (l *layout) straighten(chains [][]int) {
	place := make([]int, len(l.slots))
	for _, layer := range l.layers {
		for i, k := range layer {
			place[k] = i
		}
	}
	for _, chain := range chains {
		low, high, want := math.Inf(-1), math.Inf(1), 0.0
		for _, k := range chain {
			s := &l.slots[k]
			layer := l.layers[s.layer]
			if i := place[k]; i > 0 {
				n := &l.slots[layer[i-1]]
				low = max(low, n.x+n.right+slotGap+s.left)
			}
			if i := place[k]; i+1 < len(layer) {
				n := &l.slots[layer[i+1]]
				high = min(high, n.x-n.left-slotGap-s.right)
			}
			want += s.x / float64(len(chain))
		}
		first, last := &l.slots[chain[0]], &l.slots[chain[len(chain)-1]]
		if n := len(first.up) + len(last.down); n > 0 {
			want = 0
			for _, ends := range [][]int{first.up, last.down} {
				for _, k := range ends {
					want += l.slots[k].x / float64(n)
				}
			}
		}
		for _, ends := range [][]int{first.up, last.down} { // rather straight at one end than at none
			if len(ends) == 1 {
				if x := l.slots[ends[0]].x; x >= low && x <= high && math.Abs(x-want) < 30 {
					want = x
				}
			}
		}
		if low > high {
			continue
		}
		for _, k := range chain {
			l.slots[k].x = min(max(want, low), high)
		}
	}
}

// settle moves the slots of a layer to where they want to be: the least squares
// under the order of the layer, by pooling neighbours that would overlap.
func (l *layout) settle(layer []int, round int) {
	type pool struct{ sum, weight, count float64 }
	var pools []pool
	offset := make([]float64, len(layer))
	for i, k := range layer {
		s := &l.slots[k]
		if i > 0 {
			offset[i] = offset[i-1] + l.slots[layer[i-1]].right + slotGap + s.left
		}
		near := s.up
		if round%2 == 1 {
			near = s.down
		}
		if round >= 16 || len(near) == 0 {
			near = append(slices.Clone(s.up), s.down...)
		}
		want := s.x
		if len(near) > 0 {
			want = 0
			total := 0.0
			for _, n := range near {
				w := 1.0
				if l.slots[n].box < 0 {
					w = 2
				}
				want += float64(w * l.slots[n].x)
				total += w
			}
			want /= total
		}
		pools = append(pools, pool{(want - offset[i]) * s.weight, s.weight, 1})
		for len(pools) > 1 {
			a, b := pools[len(pools)-2], pools[len(pools)-1]
			if a.sum/a.weight <= b.sum/b.weight {
				break
			}
			pools = append(pools[:len(pools)-2], pool{a.sum + b.sum, a.weight + b.weight, a.count + b.count})
		}
	}
	i := 0
	for _, p := range pools {
		for range int(p.count) {
			l.slots[layer[i]].x = p.sum/p.weight + offset[i]
			i++
		}
	}
}

// finish turns layers into heights and moves everything to the upper left.
func (l *layout) finish() {
	p := l.p
	least, most := math.Inf(1), math.Inf(-1)
	for _, s := range l.slots {
		least, most = min(least, s.x-s.left), max(most, s.x+s.right)
	}
	y := 0.0
	for i, layer := range l.layers {
		high, aside := 0.0, 0.0
		for _, k := range layer {
			if b := l.slots[k].box; b >= 0 {
				high = max(high, p.boxes[b].h)
			}
			for _, d := range l.slots[k].down {
				aside = max(aside, math.Abs(l.slots[d].x-l.slots[k].x))
			}
		}
		l.tops, l.high = append(l.tops, y), append(l.high, high)
		if y += high; i+1 < len(l.layers) { // the farther aside, the higher: flat lines would run into each other
			y += stem + max(turning, min(0.2*aside, 70)) + landing
		}
	}
	for i := range l.slots {
		s := &l.slots[i]
		if s.x -= least; s.box >= 0 {
			b := &p.boxes[s.box]
			b.x, b.y = s.x, l.tops[s.layer]+(l.high[s.layer]-b.h)/2
		}
	}
	if p.height = y; len(l.slots) > 0 {
		p.width = most - least
	}
}

// A point is a place in a picture.
type point struct{ x, y float64 }

// way returns the points that a line passes straight down, from the end of the
// stem below its first box to its last. Between them it bends.
func (l *layout) way(e *line) (points []point) {
	from, to := &l.p.boxes[e.from], &l.p.boxes[e.to]
	points = append(points, point{from.x, from.y + from.h}, point{from.x, l.tops[from.layer] + l.high[from.layer] + stem})
	for _, k := range e.via {
		s := &l.slots[k]
		points = append(points, point{s.x, l.tops[s.layer] - landing/2}, point{s.x, l.tops[s.layer] + l.high[s.layer] + stem})
	}
	x := to.x + e.shift
	return append(points, point{x, l.tops[to.layer] - landing}, point{x, to.y})
}
