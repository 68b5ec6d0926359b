package cli

import "testing"

func TestReport(t *testing.T) {
	t.Parallel()
	script(t, "report")
}
