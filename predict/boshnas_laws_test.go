package predict_test

import (
	"testing"

	"github.com/daedalus-search/daedalus/predict"
	"github.com/daedalus-search/daedalus/predict/predicttest"
)

func TestBOSHNASLaws(t *testing.T) {
	t.Parallel()
	predicttest.Run(t, predict.BOSHNAS{Width: 12, Steps: 150, Rate: 0.02})
}
