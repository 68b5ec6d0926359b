package cli

import "testing"

func TestList(t *testing.T) {
	t.Parallel()
	script(t, "list")
}
