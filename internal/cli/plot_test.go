package cli

import "testing"

func TestPlot(t *testing.T) {
	t.Parallel()
	script(t, "plot")
}
