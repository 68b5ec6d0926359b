package predict_test

import (
	"bytes"
	"testing"

	"github.com/daedalus-search/daedalus/predict"
	"github.com/daedalus-search/daedalus/predict/predicttest"
)

func TestGPLaws(t *testing.T) {
	t.Parallel()
	predicttest.Run(t, predict.GP{Restarts: 2}, predicttest.Rows(120))
}

// Sparse, warped and summed models come back from a file as they were.
func TestGPSave(t *testing.T) {
	t.Parallel()
	tb := predicttest.Table(90, 1)
	for name, o := range map[string]predict.GP{"sparse": {Rows: 50, Inducing: 40}, "bent": {Warp: "power", InputWarp: true, Kernel: "sum"}} {
		m, err := o.Fit(t.Context(), tb, 1)
		if err != nil {
			t.Fatal(err)
		}
		var file bytes.Buffer
		if err := predict.Save(&file, m, tb.Columns); err != nil {
			t.Fatal(err)
		}
		back, _, err := predict.Load(&file)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		a, b, c, d := make([]float64, 90), make([]float64, 90), make([]float64, 90), make([]float64, 90)
		m.Predict(tb.X, a, b)
		back.Predict(tb.X, c, d)
		for i := range a {
			if a[i] != c[i] || b[i] != d[i] {
				t.Fatalf("%s: row %d is %v ± %v before and %v ± %v after", name, i, a[i], b[i], c[i], d[i])
			}
		}
	}
}
