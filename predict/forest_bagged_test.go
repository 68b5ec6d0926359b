package predict_test

import (
	"testing"

	"github.com/daedalus-search/daedalus/predict"
	"github.com/daedalus-search/daedalus/predict/predicttest"
)

func TestBaggedLaws(t *testing.T) {
	for name, c := range map[string]predict.Bagged{
		"default":   {Members: 3},
		"bootstrap": {Learner: predict.Boosted{Trees: 30}, Members: 4, Bootstrap: true, RowShare: 1},
		"columns":   {Learner: predict.Boosted{Trees: 60, MinLeaf: 2}, Members: 6, ColumnShare: 0.8},
		"forests":   {Learner: predict.Forest{Trees: 10}, Members: 3},
	} {
		if (raceOn || testing.Short()) && name != "default" {
			continue
		}
		if raceOn {
			c.Members = 2
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			predicttest.Run(t, c)
		})
	}
}
