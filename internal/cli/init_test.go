package cli

import "testing"

func TestInit(t *testing.T) {
	t.Parallel()
	script(t, "init")
}
