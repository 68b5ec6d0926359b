package predict_test

import (
	"testing"

	"github.com/daedalus-search/daedalus/predict"
	"github.com/daedalus-search/daedalus/predict/predicttest"
)

func TestRetrievalLaws(t *testing.T) {
	t.Parallel()
	predicttest.Run(t, predict.Retrieval{Members: 2, Width: 8, Steps: 120, Neighbors: 16, Rate: 0.01})
}
