package vector_test

import (
	"fmt"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/search/vector"
)

// A mixed problem: two reals, a whole number and a category.
func ExampleCMA() {
	c, err := vector.NewCMA(vector.CMAOptions{
		Coordinates: append(vector.Reals(2, -5, 5), vector.Coordinate{Low: 0, High: 20, Step: 1}, vector.Coordinate{Options: 3}),
		Restart:     vector.IPOP, Seed: 1,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	x, loss := vector.Minimize(c, 2000, func(x []float64) float64 {
		a, b, k := x[0]-1, x[1]+2, x[2]-7
		if x[3] != 2 {
			k++
		}
		return a*a + b*b + k*k
	})
	fmt.Printf("%.3f %.3f %v %v, loss below 1e-9: %v\n", x[0], x[1], x[2], x[3], loss < 1e-9)
	// Output: 1.000 -2.000 7 2, loss below 1e-9: true
}

func ExampleIlluminator() {
	grid, err := metric.NewGrid[struct{}](metric.Axis{Low: -1, High: 1, Cells: 20})
	if err != nil {
		fmt.Println(err)
		return
	}
	a, err := vector.NewArchive(vector.ArchiveOptions{Cells: grid, Dim: 3, Measures: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	l := vector.NewIlluminator(a, vector.NewIsoLine(make([]float64, 3), 0.1, 0.2, 36, 1))
	x, f, m := make([]float64, 36*3), make([]float64, 36), make([]float64, 36)
	for range 100 {
		first := l.Ask(x)
		for i := range f {
			p := x[3*i : 3*i+3]
			f[i] = -p[1]*p[1] - p[2]*p[2]
			m[i] = p[0]
		}
		l.Tell(first, x, f, m)
	}
	fmt.Printf("%d of %d cells\n", a.Len(), a.Cells())
	// Output: 20 of 20 cells
}
