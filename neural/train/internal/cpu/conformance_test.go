package cpu_test

import (
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/support/backendtest"

	"github.com/daedalus-search/daedalus/neural/train/internal/cpu"
)

// TestConformance runs those tests of GoMLX for all backends that do not need numbers of
// half precision.
func TestConformance(t *testing.T) {
	for _, threads := range []int{1, 3} {
		b, err := cpu.New(threads, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Finalize()
		t.Run("Exec", func(t *testing.T) { backendtest.TestExec(t, b) })
		t.Run("ConvertDType", func(t *testing.T) { backendtest.TestConvertDType(t, b) })
		t.Run("ConvGeneral", func(t *testing.T) {
			backendtest.TestConvGeneral(t, b, &backendtest.AllTestsConfiguration{ConvGeneralDTypes: []dtypes.DType{dtypes.Float32}})
		})
		t.Run("Barriers", func(t *testing.T) { backendtest.TestBarriers(t, b) })
	}
}
