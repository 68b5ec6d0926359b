package cli

import "testing"

func TestFindings(t *testing.T) {
	t.Parallel()
	script(t, "findings")
}
