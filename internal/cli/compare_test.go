package cli

import "testing"

func TestCompare(t *testing.T) {
	t.Parallel()
	script(t, "compare")
}
