package predict_test

import (
	"testing"

	"github.com/daedalus-search/daedalus/predict"
	"github.com/daedalus-search/daedalus/predict/predicttest"
)

func TestRidgeLaws(t *testing.T) {
	t.Parallel()
	predicttest.Run(t, predict.Ridge{}, predicttest.RowOrder(1e-6))
}

func TestElasticNetLaws(t *testing.T) {
	t.Parallel()
	predicttest.Run(t, predict.ElasticNet{})
}

func TestNeighborsLaws(t *testing.T) {
	t.Parallel()
	predicttest.Run(t, predict.Neighbors{}, predicttest.RowOrder(1e-5))
}
