package predict_test

import (
	"testing"

	"github.com/daedalus-search/daedalus/predict"
	"github.com/daedalus-search/daedalus/predict/predicttest"
)

func TestRetrievalLaws(t *testing.T) {
	t.Parallel()
	predicttest.Run(t, predict.Retrieval{Members: 2, Width: 12, Steps: 200, Neighbors: 24, Rate: 0.01})
}
