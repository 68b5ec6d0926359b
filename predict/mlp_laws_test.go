package predict_test

import (
	"testing"

	"github.com/daedalus-search/daedalus/predict"
	"github.com/daedalus-search/daedalus/predict/predicttest"
)

func TestMLPLaws(t *testing.T) {
	t.Parallel()
	small := predict.MLP{Members: 3, Width: 24, Steps: 600, Rate: 0.01}
	for _, loss := range []string{"squared", "huber", "gaussian", "logistic"} {
		o := small
		o.Loss = loss
		var options []predicttest.Option
		if loss == "logistic" {
			options = append(options, predicttest.Ranks())
		}
		t.Run(loss, func(t *testing.T) {
			t.Parallel()
			predicttest.Run(t, o, options...)
		})
	}
	t.Run("dropout", func(t *testing.T) {
		t.Parallel()
		o := small
		o.Dropout, o.Passes = 0.1, 5
		predicttest.Run(t, o)
	})
}
