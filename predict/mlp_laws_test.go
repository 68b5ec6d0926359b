package predict_test

import (
	"testing"

	"github.com/daedalus-search/daedalus/predict"
	"github.com/daedalus-search/daedalus/predict/predicttest"
)

func TestMLPLaws(t *testing.T) {
	t.Parallel()
	small := predict.MLP{Members: 2, Width: 12, Steps: 150, Rate: 0.02}
	gaussian, logistic, dropout := small, small, small
	gaussian.Loss, logistic.Loss = "gaussian", "logistic"
	dropout.Dropout, dropout.Passes = 0.05, 3
	t.Run("squared", func(t *testing.T) { predicttest.Run(t, small) })
	if testing.Short() {
		return
	}
	t.Run("gaussian", func(t *testing.T) { predicttest.Run(t, gaussian) })
	t.Run("logistic", func(t *testing.T) { predicttest.Run(t, logistic, predicttest.Ranks()) })
	t.Run("dropout", func(t *testing.T) { predicttest.Run(t, dropout) })
}
