package infer

import (
	"math"

	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/internal/kernel"
)

// attention adds the steps of attention: one product for each example and head.
func (c *compiler) attention(i int, o neural.Attention, to *buffer, reads []*buffer) {
	node := c.g.Node(i)
	var shapes [3]neural.Shape
	for k, j := range node.In {
		shapes[k] = c.g.Node(j).Shape
	}
	a := &attention{pool: c.pool, n: shapes[0][0], m: shapes[1][0], causal: o.Causal}
	a.heads, a.keyHeads, a.d, a.e = o.Dims(shapes[0], shapes[1], shapes[2])
	q, k, v := reads[0], reads[1], reads[2]
	qs, ks, vs, os := a.n*a.heads*a.d, a.m*a.keyHeads*a.d, a.m*a.keyHeads*a.e, a.n*a.heads*a.e
	if o.Type == neural.SoftmaxAttention {
		scores := c.numbers(a.n * a.m)
		c.add(i, "attention", to, nil, append(reads, scores), func() {
			for b := range c.batch {
				a.softmax(to.data[b*os:][:os], q.data[b*qs:], k.data[b*ks:], v.data[b*vs:], scores.data)
			}
		})
		return
	}
	a.elu = o.Type == neural.LinearELU
	queries, keys, state := c.numbers(qs), c.numbers(ks), c.numbers(a.d*(a.e+1)+a.n)
	c.add(i, "attention", to, nil, append(reads, queries, keys, state), func() {
		for b := range c.batch {
			a.linear(to.data[b*os:][:os], q.data[b*qs:][:qs], k.data[b*ks:][:ks], v.data[b*vs:], queries.data, keys.data, state.data)
		}
	})
}

type attention struct {
	pool            *kernel.Pool
	heads, keyHeads int
	n, m, d, e      int // queries, keys, features of a head's keys and values
	causal, elu     bool
}

// softmax computes an example.
func (a *attention) softmax(to, q, k, v, scores []float32) {
	scale := float32(1 / math.Sqrt(float64(a.d)))
	left := kernel.Gemm{M: a.n, N: a.m, K: a.d, A: a.heads * a.d, B: a.keyHeads * a.d, C: a.m, TransB: true}
	right := kernel.Gemm{M: a.n, N: a.e, K: a.m, A: a.m, B: a.keyHeads * a.e, C: a.heads * a.e}
	for h := range a.heads {
		g := h / (a.heads / a.keyHeads)
		left.Do(a.pool, scores, q[h*a.d:], k[g*a.d:])
		kernel.Mul.ApplyRight(scores, scores, scale)
		if a.causal {
			for i := range a.n {
				kernel.Fill(nil, scores[i*a.m+i+1:(i+1)*a.m], float32(math.Inf(-1)))
			}
		}
		kernel.SoftmaxForward(a.pool, scores, scores, a.n, a.m)
		right.Do(a.pool, to[h*a.e:], scores, v[g*a.e:])
	}
}

// positive computes the function of queries and keys.
func (a *attention) positive(to, x []float32) {
	if !a.elu {
		kernel.ReLU.Apply(to, x)
		return
	}
	kernel.ELU.Apply(to, x)
	kernel.Add.ApplyRight(to, to, 1)
}

// linear computes an example. The state is the sum of products of keys and values, and
// that of keys.
func (a *attention) linear(to, q, k, v, queries, keys, state []float32) {
	a.positive(queries, q)
	a.positive(keys, k)
	products, sums, totals := state[:a.d*a.e], state[a.d*a.e:a.d*(a.e+1)], state[a.d*(a.e+1):]
	for h := range a.heads {
		g := h / (a.heads / a.keyHeads)
		if a.causal {
			clear(products)
			clear(sums)
			for i := range a.n {
				key := keys[(i*a.keyHeads+g)*a.d:][:a.d]
				for c, x := range key {
					sums[c] += x
					kernel.AddScaled(products[c*a.e:(c+1)*a.e], v[(i*a.keyHeads+g)*a.e:], x)
				}
				a.read(to, queries, products, sums, h, i)
			}
			continue
		}
		if h%(a.heads/a.keyHeads) == 0 {
			clear(sums)
			for j := range a.m {
				kernel.AddScaled(sums, keys[(j*a.keyHeads+g)*a.d:], 1)
			}
			kernel.Gemm{M: a.d, N: a.e, K: a.m, A: a.keyHeads * a.d, B: a.keyHeads * a.e, C: a.e, TransA: true}.Do(a.pool, products, keys[g*a.d:], v[g*a.e:])
		}
		kernel.Gemm{M: a.n, N: 1, K: a.d, A: a.heads * a.d, B: 1, C: 1}.Do(a.pool, totals, queries[h*a.d:], sums)
		kernel.Gemm{M: a.n, N: a.e, K: a.d, A: a.heads * a.d, B: a.e, C: a.heads * a.e}.Do(a.pool, to[h*a.e:], queries[h*a.d:], products)
		for i, total := range totals[:a.n] {
			row := to[(i*a.heads+h)*a.e:][:a.e]
			kernel.Mul.ApplyRight(row, row, 1/(total+neural.AttentionEpsilon))
		}
	}
}

// read computes the result of a query from the state.
func (a *attention) read(to, queries, products, sums []float32, h, i int) {
	row := to[(i*a.heads+h)*a.e:][:a.e]
	clear(row)
	total := float32(neural.AttentionEpsilon)
	for c, x := range queries[(i*a.heads+h)*a.d:][:a.d] {
		total += x * sums[c]
		kernel.AddScaled(row, products[c*a.e:], x)
	}
	kernel.Mul.ApplyRight(row, row, 1/total)
}
