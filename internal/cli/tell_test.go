package cli

import "testing"

func TestTell(t *testing.T) {
	t.Parallel()
	script(t, "tell")
}
