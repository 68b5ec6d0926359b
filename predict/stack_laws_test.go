package predict_test

import (
	"testing"

	"github.com/daedalus-search/daedalus/predict"
	"github.com/daedalus-search/daedalus/predict/predicttest"
)

func TestStackLaws(t *testing.T) {
	t.Parallel()
	predicttest.Run(t, predict.Stack{Learners: []predict.Learner{predict.Ridge{}, predict.Neighbors{}, predict.MLP{Members: 1, Width: 8, Steps: 60, Rate: 0.03}}, Folds: 3})
}
