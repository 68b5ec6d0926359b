package predict_test

import (
	"fmt"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/predict"
)

// wideTable returns n rows of d real numbers with a target of ten of them.
func wideTable(n, d int) *predict.Table {
	r := rng.New(1, "wide", 0)
	t := &predict.Table{Columns: make([]predict.Column, d)}
	for j := range t.Columns {
		t.Columns[j].Name = fmt.Sprintf("x%d", j)
	}
	x := make([]float64, d)
	for range n {
		y := 0.1 * rng.Norm(r)
		for j := range x {
			x[j] = r.Float64()
		}
		for j := range x {
			if j < 10 {
				y += float64(x[j]*x[(j+1)%min(d, 10)]) * float64(1+j%3)
			}
		}
		t.Add(x, y)
	}
	return t
}
