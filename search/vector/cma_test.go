package vector

import (
	"fmt"
	"math"
	"testing"
)

func sphere(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v * v
	}
	return sum
}

func rosenbrock(x []float64) float64 {
	sum := 0.0
	for i := range len(x) - 1 {
		a, b := x[i+1]-x[i]*x[i], 1-x[i]
		sum += 100*a*a + b*b
	}
	return sum
}

func rastrigin(x []float64) float64 {
	sum := 10 * float64(len(x))
	for _, v := range x {
		sum += v*v - 10*math.Cos(2*math.Pi*v)
	}
	return sum
}

func ellipsoid(x []float64) float64 {
	sum := 0.0
	for i, v := range x {
		sum += math.Pow(1e6, float64(i)/float64(len(x)-1)) * v * v
	}
	return sum
}

// spend runs a search for a number of evaluations or until the target is met,
// and returns the best loss and the evaluations made.
func spend(c core, f func([]float64) float64, evaluations int, target float64) (best float64, used int) {
	best = math.Inf(1)
	n := c.Dim()
	var x, loss []float64
	at := make([]float64, n)
	for used < evaluations {
		k := c.Batch()
		x, loss = resize(x, k*n), resize(loss, k)
		first := c.Ask(x)
		for i := range loss {
			c.Decode(at, x[i*n:(i+1)*n])
			loss[i] = f(at)
			used++
			if best = min(best, loss[i]); best <= target {
				return best, used
			}
		}
		c.Tell(first, x, loss)
	}
	return best, used
}

func resize(x []float64, n int) []float64 {
	if cap(x) < n {
		return make([]float64, n)
	}
	return x[:n]
}

type core interface {
	Dim() int
	Batch() int
	Ask(x []float64) int64
	Decode(dst, x []float64)
	Tell(first int64, x, loss []float64)
}

func BenchmarkCMA(b *testing.B) {
	for _, n := range []int{10, 20, 40} {
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			c, _ := NewCMA(CMAOptions{Coordinates: make([]Coordinate, n), Sigma: 1})
			k := c.Batch()
			x, loss := make([]float64, k*n), make([]float64, k)
			evaluations := 0
			for b.Loop() {
				first := c.Ask(x)
				for i := range loss {
					loss[i] = rosenbrock(x[i*n : (i+1)*n])
				}
				c.Tell(first, x, loss)
				evaluations += k
			}
			b.ReportMetric(float64(evaluations)/b.Elapsed().Seconds(), "evaluations/s")
		})
	}
}

func TestProbe(t *testing.T) {
	for _, n := range []int{10, 20, 40} {
		for name, f := range map[string]func([]float64) float64{"sphere": sphere, "rosen": rosenbrock, "elli": ellipsoid} {
			sum, hits := 0, 0
			for seed := range 10 {
				mean := make([]float64, n)
				s := newSource(uint64(seed), "m")
				for i := range mean {
					mean[i] = s.unit()*4 - 2
				}
				c, err := NewCMA(CMAOptions{Coordinates: make([]Coordinate, n), Mean: mean, Sigma: 1, Seed: uint64(seed)})
				if err != nil {
					t.Fatal(err)
				}
				best, used := spend(c, f, 400000, 1e-8)
				if best <= 1e-8 {
					hits++
				}
				sum += used
			}
			fmt.Println(name, n, hits, sum/10)
		}
	}
}
