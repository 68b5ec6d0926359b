package cli

import "testing"

func TestExport(t *testing.T) {
	t.Parallel()
	script(t, "export")
}
