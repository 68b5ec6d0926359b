package vector

import (
	"cmp"
	"math"

	"github.com/daedalus-search/daedalus/internal/detmath"
)

// option draws an option of a category.
func (c *CMA) option(k category) int {
	u := c.rand.unit()
	for i, p := range c.q[k.from : k.from+k.number-1] {
		if u -= p; u < 0 {
			return i
		}
	}
	return k.number - 1
}

// round forgets the covariances: a last resort when they are not numbers any
// more.
func (c *CMA) round() {
	clear(c.ps)
	clear(c.pc)
	clear(c.c)
	clear(c.bd)
	for i := range c.n {
		c.d[i] = 1
		if !finite(c.mean[i]) {
			c.mean[i] = 0.5
		}
		if c.o.Separable {
			c.c[i] = 1
			continue
		}
		c.c[i*c.n+i], c.bd[i*c.n+i] = 1, 1
		clear(c.eig.vectors[i*c.n : (i+1)*c.n])
		c.eig.vectors[i*c.n+i] = 1
	}
	if !finite(c.sigma) {
		c.sigma = c.sigma0
	}
}

// variance returns that of a scaled coordinate, in units of the step size.
func (c *CMA) variance(i int) float64 {
	if c.o.Separable {
		return c.c[i]
	}
	return c.c[i*c.n+i]
}

// keepMargin moves mean and width of discrete coordinates so that other levels
// keep a probability (Hamano et al. 2022, section 4).
func (c *CMA) keepMargin() {
	if c.o.Margin < 0 {
		return
	}
	alpha := cmp.Or(c.o.Margin, 1/float64(c.dim*c.lambda))
	alpha = min(alpha, 0.25)
	for i := range c.num {
		k := &c.num[i]
		if len(k.cuts) == 0 {
			continue
		}
		m := c.mean[i]
		plain := float64(c.sigma * math.Sqrt(max(c.variance(i), 0)))
		sd := float64(plain * c.widen[i])
		level := k.level(m)
		if level == 0 || level == len(k.cuts) {
			// At the end of the range there is one side to leave to.
			cut := k.cuts[min(level, len(k.cuts)-1)]
			if reach := float64(sd * detmath.PhiInv(1-alpha)); level == 0 && m < cut-reach {
				c.mean[i] = cut - reach
			} else if level > 0 && m > cut+reach {
				c.mean[i] = cut + reach
			}
			continue
		}
		lo, hi := k.cuts[level-1], k.cuts[level]
		below, above := detmath.Phi((lo-m)/sd), detmath.Phi((m-hi)/sd)
		if below >= alpha/2 && above >= alpha/2 {
			continue
		}
		middle := 1 - below - above
		below, above = max(below, alpha/2), max(above, alpha/2)
		excess := 1 - below - above - middle
		rest := below + above + middle - 3*alpha/2
		a := below + float64(excess*(below-alpha/2))/rest
		b := above + float64(excess*(above-alpha/2))/rest
		za := detmath.PhiInv(1 - min(max(a, 1e-10), 0.5-1e-10))
		zb := detmath.PhiInv(1 - min(max(b, 1e-10), 0.5-1e-10))
		c.widen[i] = (hi - lo) / (float64((za+zb)*plain) + 1e-300)
		c.mean[i] = (float64(lo*zb) + float64(hi*za)) / (za + zb)
	}
}

// moveOptions updates the probabilities of categories: a natural gradient step
// of a length that adapts to how steady the direction is (Akimoto, Shirakawa,
// Yoshinari, Uchida, Saito and Nishida 2019, ASNG; Hamano et al. 2024).
func (c *CMA) moveOptions(order []int32, s *strategy) {
	free := 0
	for _, k := range c.cats {
		free += k.number - 1
	}
	if free == 0 {
		return
	}
	g := c.grad
	for i, q := range c.q {
		g[i] = -q
	}
	nc := len(c.cats)
	for r := range min(s.mu, len(order)) {
		for j, k := range c.cats {
			g[k.from+int(c.picks[int(order[r])*nc+j])] += s.catW[r]
		}
	}
	// The gradient where the Fisher metric is round; the last option of each
	// category is not free.
	root := make([]float64, 0, len(g))
	norm := 0.0
	for _, k := range c.cats {
		q, gk := c.q[k.from:k.from+k.number], g[k.from:k.from+k.number]
		last := k.number - 1
		sum := 0.0
		for _, x := range gk[:last] {
			sum += x
		}
		ql := math.Sqrt(q[last])
		for i, x := range gk[:last] {
			sq := math.Sqrt(q[i])
			v := x/sq + float64(sq*sum)/(q[last]+ql)
			root = append(root, v)
			norm += float64(v * v)
		}
	}
	norm = math.Sqrt(norm) + 1e-30
	step := c.delta / norm
	for i := range c.q {
		c.q[i] += float64(step * g[i])
	}
	beta := c.delta / math.Sqrt(float64(free))
	blend := math.Sqrt(beta * (2 - beta))
	length := 0.0
	for i, v := range root {
		c.path[i] = float64((1-beta)*c.path[i]) + float64(blend*v)/norm
		length += float64(c.path[i] * c.path[i])
	}
	c.gamma = float64(float64((1-beta)*(1-beta))*c.gamma) + float64(beta*(2-beta))
	// delta is 1/Δ: Δ grows where the path is shorter than expected.
	c.delta = min(c.delta*detmath.Exp(-beta*(c.gamma-length/1.5)), 1)
	for j, k := range c.cats {
		q := c.q[k.from : k.from+k.number]
		if k.number < 2 {
			q[0] = 1
			continue
		}
		least, sum := c.qMin[j], 0.0
		for i := range q {
			q[i] = max(q[i], least)
			sum += q[i]
		}
		over := (sum - 1) / (sum - float64(least*float64(k.number)))
		sum = 0
		for i := range q {
			q[i] -= float64(over * (q[i] - least))
			sum += q[i]
		}
		for i := range q {
			q[i] /= sum
		}
	}
}
