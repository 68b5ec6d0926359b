package infer

import (
	"math"

	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/internal/kernel"
)

// softmaxRows is the most queries whose products with all keys are computed at a time, so
// that they stay in the second cache, and the keys need not be packed for them.
const softmaxRows = 32

// linearRows is how many tokens linear attention takes at a time. Of a causal one it
// multiplies the queries of a block with its keys, which costs as much as a state of as
// many features, and vectors pay from there on.
const linearRows = 32

// attention adds the steps of attention. Softmax computes products with all keys for a
// block of queries of a head; linear attention goes through the tokens once, for each head
// of the keys. Whichever thread computes one, it computes the same.
func (c *compiler) attention(i int, o neural.Attention, to *buffer, reads []*buffer) {
	node := c.g.Node(i)
	var shapes [3]neural.Shape
	for k, j := range node.In {
		shapes[k] = c.g.Node(j).Shape
	}
	a := &attention{n: shapes[0][0], m: shapes[1][0], causal: o.Causal, elu: o.Type.ELU(), parts: 1}
	a.heads, a.keyHeads, a.d, a.e = o.Dims(shapes[0], shapes[1], shapes[2])
	q, k, v := reads[0], reads[1], reads[2]
	qs, ks, vs, os := a.n*a.heads*a.d, a.m*a.keyHeads*a.d, a.m*a.keyHeads*a.e, a.n*a.heads*a.e
	all := c.batch * a.keyHeads
	if !o.Type.Linear() {
		blocks := (a.n + softmaxRows - 1) / softmaxRows
		a.rows = (a.n + blocks - 1) / blocks
		a.wide = (a.m+15)&^15 + 16 // so that rows do not all fall on the same lines of a cache
		tasks := c.batch * a.heads * blocks
		lanes := min(c.pool.Threads(), tasks)
		keys, room := c.numbers(all*a.d*a.wide), c.numbers(lanes*a.rows*a.wide)
		turn := func(lo, hi int) {
			for g := lo; g < hi; g++ {
				a.turn(keys.data[g*a.d*a.wide:], k.data[g/a.keyHeads*ks:][:ks], g%a.keyHeads)
			}
		}
		lane := func(lo, hi int) {
			for l := lo; l < hi; l++ {
				scores := room.data[l*a.rows*a.wide:][:a.rows*a.wide]
				for task := l; task < tasks; task += lanes {
					b, h, first := task/blocks/a.heads, task/blocks%a.heads, task%blocks*a.rows
					g := h / (a.heads / a.keyHeads)
					a.softmax(to.data[b*os:][:os], q.data[b*qs:][:qs], keys.data[(b*a.keyHeads+g)*a.d*a.wide:], v.data[b*vs:][:vs], h, g, first, scores)
				}
			}
		}
		c.add(i, "attention", to, nil, append(reads, keys, room), func() {
			c.pool.For(all, max(1, (1<<14)/(a.d*a.m)), turn)
			c.pool.For(lanes, 1, lane)
		})
		return
	}
	if o.Type.Reweights() {
		a.parts = 2
		a.cos, a.sin = o.Places(a.n, a.m)
	}
	lanes := min(c.pool.Threads(), all)
	size := a.room(min(a.keyHeads, (all+lanes-1)/lanes))
	room := c.numbers(lanes * size)
	lane := func(lo, hi int) {
		for l := lo; l < hi; l++ {
			for from, end := l*all/lanes, (l+1)*all/lanes; from < end; {
				b, g := from/a.keyHeads, from%a.keyHeads
				groups := min(end-from, a.keyHeads-g)
				a.linear(to.data[b*os:][:os], q.data[b*qs:][:qs], k.data[b*ks:][:ks], v.data[b*vs:][:vs], g, groups, room.data[l*size:][:size])
				from += groups
			}
		}
	}
	c.add(i, "attention", to, nil, append(reads, room), func() { c.pool.For(lanes, 1, lane) })
}

type attention struct {
	heads, keyHeads int
	n, m, d, e      int // queries, keys, features of a head's keys and values
	causal          bool

	rows, wide int // of softmax: queries at a time, and numbers from one feature of the keys to the next

	elu      bool
	parts    int       // 2 if features are taken times cos and times sin, else 1
	cos, sin []float32 // of every place
}

// turn copies the keys of a head, by features, and divides them by √d.
func (a *attention) turn(to, k []float32, g int) {
	scale := float32(1 / math.Sqrt(float64(a.d)))
	const side = 16
	for first := 0; first < a.m; first += side {
		n := min(side, a.m-first)
		for c := range a.d {
			row := to[c*a.wide+first:][:side]
			for j := range n {
				row[j] = scale * k[((first+j)*a.keyHeads+g)*a.d+c]
			}
			clear(row[n:])
		}
	}
}

// softmax computes a block of the queries of a head.
func (a *attention) softmax(to, q, keys, v []float32, h, g, first int, scores []float32) {
	n, seen := min(a.rows, a.n-first), a.m
	if a.causal {
		seen = first + n
	}
	wide := (seen + 15) &^ 15
	kernel.Gemm{M: n, N: wide, K: a.d, A: a.heads * a.d, B: a.wide, C: wide}.Do(nil, scores, q[(first*a.heads+h)*a.d:], keys)
	for i := range n {
		row := scores[i*wide:][:seen]
		own := seen
		if a.causal {
			own = first + i + 1
			clear(row[own:])
		}
		kernel.SoftmaxForward(nil, row[:own], row[:own], 1, own)
	}
	kernel.Gemm{M: n, N: a.e, K: seen, A: wide, B: a.keyHeads * a.e, C: a.heads * a.e}.Do(nil, to[(first*a.heads+h)*a.e:], scores, v[g*a.e:])
}

// sizes are the numbers that linear attention keeps for some heads of the keys: φ of the
// queries and keys of a block, the sums over tokens of keys times values and of keys, the
// products of a block's queries and keys, two sums for each query, and a block.
func (a *attention) sizes(groups int) [7]int {
	keys := groups * a.d
	queries := a.heads / a.keyHeads * keys
	s := [7]int{a.parts * linearRows * queries, a.parts * linearRows * keys, a.parts * keys * a.e, a.parts * keys, 0, 2 * linearRows, 0}
	if a.causal {
		s[4] = linearRows * linearRows
	}
	if a.elu {
		s[6] = linearRows * queries
	}
	return s
}

func (a *attention) room(groups int) (n int) {
	for _, s := range a.sizes(groups) {
		n += (s + 15) &^ 15
	}
	return n
}

// linear computes some heads of an example.
func (a *attention) linear(to, q, k, v []float32, from, groups int, room []float32) {
	var part [7][]float32
	for i, s := range a.sizes(groups) {
		part[i], room = room[:s], room[(s+15)&^15:]
	}
	share := a.heads / a.keyHeads
	x := linear{
		attention: a, groups: groups, qWide: groups * share * a.d, kWide: groups * a.d,
		queries: part[0], keys: part[1], products: part[2], sums: part[3], scores: part[4],
		totals: part[5][:linearRows], near: part[5][linearRows:], positive: part[6],
		q: q[from*share*a.d:], k: k[from*a.d:], v: v[from*a.e:], to: to[from*share*a.e:],
	}
	clear(x.products)
	clear(x.sums)
	if !a.causal {
		for first := 0; first < a.m; first += linearRows {
			n := min(linearRows, a.m-first)
			x.features(x.keys, x.k, first, n, a.keyHeads*a.d, x.kWide)
			x.take(first, n)
		}
	}
	for first := 0; first < a.n; first += linearRows {
		n := min(linearRows, a.n-first)
		x.features(x.queries, x.q, first, n, a.heads*a.d, x.qWide)
		if a.causal {
			x.features(x.keys, x.k, first, n, a.keyHeads*a.d, x.kWide)
		}
		for h := range groups * share {
			x.give(first, n, h, h/share)
		}
		if a.causal && first+n < a.n {
			x.take(first, n)
		}
	}
}

// linear is what [attention.linear] works with.
type linear struct {
	*attention
	groups                         int // heads of the keys
	qWide, kWide                   int // features of a token in queries and keys
	q, k, v, to                    []float32
	queries, keys                  []float32 // φ of a block, times cos of its place, and then times sin
	products, sums                 []float32
	scores, totals, near, positive []float32
}

// features computes φ of a block of tokens, and its parts.
func (x *linear) features(to, from []float32, first, n, apart, wide int) {
	from = from[first*apart:]
	if apart == wide { // all heads
		x.phi(to[:n*wide], from)
	} else {
		for i := range n {
			x.phi(to[i*wide:][:wide], from[i*apart:])
		}
	}
	if x.parts == 2 {
		for i := range n {
			row := to[i*wide:][:wide]
			kernel.Mul.ApplyRight(to[(linearRows+i)*wide:][:wide], row, x.sin[first+i])
			kernel.Mul.ApplyRight(row, row, x.cos[first+i])
		}
	}
}

// phi computes relu, or elu+1 as max(x, 0) + exp(min(x, 0)), which loses no digits.
func (x *linear) phi(to, from []float32) {
	if !x.elu {
		kernel.ReLU.Apply(to, from[:len(to)])
		return
	}
	positive := x.positive[:len(to)]
	kernel.ReLU.Apply(positive, from[:len(to)])
	kernel.Min.ApplyRight(to, from[:len(to)], 0)
	kernel.Exp.Apply(to, to)
	kernel.Add.Apply(to, to, positive)
}

// take adds a block of keys and values to the sums.
func (x *linear) take(first, n int) {
	outer := kernel.Gemm{M: x.d, N: x.e, K: n, A: x.kWide, B: x.keyHeads * x.e, C: x.e, TransA: true, Add: true}
	for p := range x.parts {
		keys, sums := x.keys[p*linearRows*x.kWide:], x.sums[p*x.kWide:][:x.kWide]
		for g := range x.groups {
			outer.Do(nil, x.products[(p*x.groups+g)*x.d*x.e:], keys[g*x.d:], x.v[(first*x.keyHeads+g)*x.e:])
		}
		for i := range n {
			kernel.AddScaled(sums, keys[i*x.kWide:], 1)
		}
	}
}

// give computes the results of a block of queries of a head.
func (x *linear) give(first, n, h, g int) {
	to, totals := x.to[(first*x.heads+h)*x.e:], x.totals[:n]
	before := !x.causal || first > 0 // otherwise the sums are 0
	if before {
		read := kernel.Gemm{M: n, N: x.e, K: x.d, A: x.qWide, B: x.e, C: x.heads * x.e}
		norm := kernel.Gemm{M: 1, N: n, K: x.d, A: x.d, B: x.qWide, C: n, TransB: true}
		for p := range x.parts {
			queries := x.queries[p*linearRows*x.qWide+h*x.d:]
			read.Do(nil, to, queries, x.products[(p*x.groups+g)*x.d*x.e:])
			norm.Do(nil, totals, x.sums[p*x.kWide+g*x.d:], queries)
			read.Add, norm.Add = true, true
		}
	} else {
		clear(totals)
	}
	if x.causal {
		products := kernel.Gemm{M: n, N: n, K: x.d, A: x.qWide, B: x.kWide, C: n, TransB: true}
		for p := range x.parts {
			products.Do(nil, x.scores, x.queries[p*linearRows*x.qWide+h*x.d:], x.keys[p*linearRows*x.kWide+g*x.d:])
			products.Add = true
		}
		for i := range n {
			clear(x.scores[i*n+i+1 : (i+1)*n])
		}
		kernel.Reduce(nil, kernel.SumOf, x.near[:n], x.scores[:n*n], n, n, 1)
		kernel.Add.Apply(totals, totals, x.near[:n])
		kernel.Gemm{M: n, N: x.e, K: n, A: n, B: x.keyHeads * x.e, C: x.heads * x.e, Add: before}.Do(nil, to, x.scores, x.v[(first*x.keyHeads+g)*x.e:])
	}
	for i, total := range totals {
		row := to[i*x.heads*x.e:][:x.e]
		kernel.Mul.ApplyRight(row, row, 1/(total+neural.AttentionEpsilon))
	}
}
