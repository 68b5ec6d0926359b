package cli

import "testing"

func TestShow(t *testing.T) {
	t.Parallel()
	script(t, "show")
}
