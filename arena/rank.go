package arena

import (
	"math"
	"slices"
)

// A Contest counts how k competitors fared against each other: Wins[i][j] is how
// often i beat j, ties half for each. Cells may be empty: competitors need not
// have met.
type Contest struct{ Wins [][]float64 }

// NewContest makes an empty contest of k competitors.
func NewContest(k int) *Contest {
	c := &Contest{Wins: make([][]float64, k)}
	for i := range c.Wins {
		c.Wins[i] = make([]float64, k)
	}
	return c
}

// Add compares the losses of the competitors on one task, lower ones first;
// those with NaN did not take part. It counts with a weight.
func (c *Contest) Add(losses []float64, weight float64) {
	for i, x := range losses {
		for j := i + 1; j < len(losses); j++ {
			y := losses[j]
			switch {
			case x != x || y != y:
			case x < y:
				c.Wins[i][j] += weight
			case x > y:
				c.Wins[j][i] += weight
			default:
				c.Wins[i][j] += weight / 2
				c.Wins[j][i] += weight / 2
			}
		}
	}
}

// pseudo is what every pair is given of wins against each other, so that one
// who was never beaten stays finite (ONEBench's alpha).
const pseudo = 0.01

// Strengths fits the Bradley-Terry model P(i beats j) = w_i / (w_i + w_j) by
// Hunter's MM iteration (2004) and returns log w with mean 0. It is how
// ONEBench (Ghosh et al. 2024) ranks from sparse measurements: only who beat
// whom counts, so scales do not matter, and few of the cells suffice.
func (c *Contest) Strengths() []float64 {
	k := len(c.Wins)
	w := make([]float64, k)
	for i := range w {
		w[i] = 1
	}
	if k < 2 {
		return make([]float64, k)
	}
	won := make([]float64, k)
	for i := range won {
		for j := range k {
			if j != i {
				won[i] += c.Wins[i][j] + pseudo
			}
		}
	}
	next := make([]float64, k)
	for range 10_000 {
		for i := range w {
			sum := 0.0
			for j := range w {
				if j != i {
					sum += (c.Wins[i][j] + c.Wins[j][i] + 2*pseudo) / (w[i] + w[j])
				}
			}
			next[i] = won[i] / sum
		}
		// The scale is free: hold the geometric mean at 1.
		logs := 0.0
		for _, x := range next {
			logs += math.Log(x)
		}
		scale := math.Exp(-logs / float64(k))
		moved := 0.0
		for i, x := range next {
			x *= scale
			moved = max(moved, math.Abs(math.Log(x/w[i])))
			w[i] = x
		}
		if moved < 1e-10 {
			break
		}
	}
	out := make([]float64, k)
	for i, x := range w {
		out[i] = math.Log(x)
	}
	return out
}

// Parts numbers the competitors by who can be compared with whom, directly or
// through others. Strengths of different parts say nothing about each other.
func (c *Contest) Parts() []int {
	part := make([]int, len(c.Wins))
	for i := range part {
		part[i] = -1
	}
	for n, i := 0, 0; i < len(part); i++ {
		if part[i] >= 0 {
			continue
		}
		todo := []int{i}
		part[i] = n
		for len(todo) > 0 {
			a := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			for b := range part {
				if part[b] < 0 && c.Wins[a][b]+c.Wins[b][a] > 0 {
					part[b] = n
					todo = append(todo, b)
				}
			}
		}
		n++
	}
	return part
}

// beats is the probability of the model that one of strength a beats one of b.
func beats(a, b float64) float64 { return 1 / (1 + math.Exp(b-a)) }

// order returns indexes sorted by rising key, NaN last.
func order(keys []float64) []int {
	out := make([]int, len(keys))
	for i := range out {
		out[i] = i
	}
	slices.SortStableFunc(out, func(i, j int) int {
		a, b := keys[i], keys[j]
		switch {
		case a == b || a != a && b != b:
			return 0
		case b != b || a < b:
			return -1
		}
		return 1
	})
	return out
}
