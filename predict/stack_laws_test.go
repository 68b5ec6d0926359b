package predict_test

import (
	"testing"

	"github.com/daedalus-search/daedalus/predict"
	"github.com/daedalus-search/daedalus/predict/predicttest"
)

func TestStackLaws(t *testing.T) {
	t.Parallel()
	predicttest.Run(t, predict.Stack{Learners: []predict.Learner{predict.Ridge{}, predict.Neighbors{}, predict.MLP{Members: 1, Width: 16, Steps: 150, Rate: 0.01}}, Folds: 3})
}
